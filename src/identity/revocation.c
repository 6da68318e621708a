/* Revocation lists of Stewards (RFC 5280 §5): complete lists of one CA about its own certificates.
 *
 *   CertificateList ::= SEQUENCE { tbs SEQUENCE, algorithm SEQUENCE, signature BIT STRING }
 *   tbs: version INTEGER (1), algorithm SEQUENCE, issuer Name, thisUpdate Time, nextUpdate Time,
 *        SEQUENCE OF SEQUENCE { serial INTEGER, date Time, Extensions OPTIONAL } OPTIONAL,
 *        [0] Extensions OPTIONAL
 *
 * A list is hostile until its signature fits; only then is more of it read than where its three
 * parts are. The bounded reader reads it: OpenSSL would make an object of each of its entries. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "identity/peer_internal.h"
#include "base/banned.h"

#define ISSUER_SIZE_MAX ((size_t)64 << 10) /* bytes of a CA's certificate */

/* The content octets of object identifiers. */
static const uint8_t oid_crl_number[] = {0x55, 0x1d, 0x14};
static const uint8_t oid_delta_crl[] = {0x55, 0x1d, 0x1b};
static const uint8_t oid_issuing_distribution_point[] = {0x55, 0x1d, 0x1c};
static const uint8_t oid_certificate_issuer[] = {0x55, 0x1d, 0x1d};

#define IS(oid, constant) bytes_equal((oid), bytes_from((constant), sizeof(constant)))

static bool malformed(struct err *err)
{
    return err_set(err, ERR_FORMAT, "the revocation list is malformed", ERR_NO_AT);
}

/* ---- the issuer ---- */

/* What names a CA here: its certificate without the signature, of which whoever has one can make
 * another (ECDSA), and so many certificates of one CA. Nothing: it is no certificate. */
static struct bytes signed_part(struct bytes certificate)
{
    struct reader r = reader_of(certificate), whole;
    struct bytes tbs;

    return der_enter(&r, DER_SEQUENCE, &whole) && der_element(&whole, DER_SEQUENCE, &tbs)
               ? bytes_before(whole.in, whole.at)
               : bytes_from(NULL, 0);
}

static X509 *read_issuer(struct bytes der, struct err *err)
{
    const uint8_t *at = der.data;

    X509 *ca =
        der.size != 0 && der.size <= ISSUER_SIZE_MAX ? d2i_X509(NULL, &at, (long)der.size) : NULL;
    if (ca == NULL || at != der.data + der.size || signed_part(der).size == 0) {
        X509_free(ca);
        (void)err_set(err, ERR_FORMAT, "the CA's certificate is malformed", ERR_NO_AT);
        return NULL;
    }
    if (!identity_link_is_sound(ca) || X509_check_ca(ca) != 1 ||
        (X509_get_extension_flags(ca) & EXFLAG_KUSAGE) == 0 ||
        (X509_get_key_usage(ca) & KU_CRL_SIGN) == 0) {
        X509_free(ca);
        (void)err_set(err, ERR_CRYPTO, "the CA may not sign revocation lists", ERR_NO_AT);
        return NULL;
    }
    return ca;
}

/* ---- the signature ---- */

struct parts {
    struct bytes signed_part; /* tbs with its tag and length */
    struct reader tbs;
    struct bytes algorithm, signature;
};

static bool split(struct bytes der, struct parts *out)
{
    struct reader r = reader_of(der), whole;

    if (!der_enter(&r, DER_SEQUENCE, &whole) || !reader_at_end(&r) ||
        !der_enter(&whole, DER_SEQUENCE, &out->tbs))
        return false;
    out->signed_part = bytes_before(whole.in, whole.at);
    return der_element(&whole, DER_SEQUENCE, &out->algorithm) &&
           der_bit_string(&whole, &out->signature) && reader_at_end(&whole);
}

/* The digest of an algorithm for signatures by this kind of key; NULL: it is none. */
static const EVP_MD *digest_for(struct bytes algorithm, int key_kind)
{
    static const struct {
        uint8_t algorithm[13]; /* content of the AlgorithmIdentifier: RFC 5758 §3.2, RFC 4055 §5 */
        uint8_t size;
        int key_kind;
        const EVP_MD *(*digest)(void);
    } known[] = {
        {{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}, 10, EVP_PKEY_EC, EVP_sha256},
        {{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3}, 10, EVP_PKEY_EC, EVP_sha384},
        {{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4}, 10, EVP_PKEY_EC, EVP_sha512},
        {{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0}, 13, EVP_PKEY_RSA, EVP_sha256},
        {{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12, 5, 0}, 13, EVP_PKEY_RSA, EVP_sha384},
        {{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13, 5, 0}, 13, EVP_PKEY_RSA, EVP_sha512},
    };

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (known[i].key_kind == key_kind &&
            bytes_equal(algorithm, bytes_from(known[i].algorithm, known[i].size)))
            return known[i].digest();
    }
    return NULL;
}

static bool check_signature(const struct parts *p, X509 *ca, struct err *err)
{
    EVP_PKEY *key = X509_get0_pubkey(ca);
    const EVP_MD *digest = digest_for(p->algorithm, EVP_PKEY_get_base_id(key));

    if (digest == NULL)
        return err_set(err, ERR_CRYPTO, "the revocation list is signed in an unknown way",
                       ERR_NO_AT);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
              EVP_DigestVerify(context, p->signature.data, p->signature.size, p->signed_part.data,
                               p->signed_part.size) == 1;
    EVP_MD_CTX_free(context);
    return ok || identity_crypto_fail(err, "the revocation list is not signed by its CA");
}

/* ---- what is signed ---- */

struct list {
    int64_t this_update, next_update;
    struct bytes number; /* magnitude; its data NULL: none */
    struct bytes entries;
    size_t count;
};

static bool take_time(struct reader *r, int64_t *out)
{
    struct bytes content;
    uint8_t tag;

    return der_any(r, &tag, &content) && identity_time_parse(tag, content, out);
}

/* Extension ::= SEQUENCE { id OID, critical BOOLEAN DEFAULT FALSE, value OCTET STRING }
 * Nothing that must be obeyed is understood here (RFC 5280 §5.2, §5.3). */
static bool take_extension(struct reader *r, struct bytes *oid, struct bytes *value)
{
    struct reader extension;
    bool is_critical;

    return der_enter(r, DER_SEQUENCE, &extension) && der_oid(&extension, oid) &&
           (!der_next_is(&extension, DER_BOOLEAN) ||
            (der_boolean(&extension, &is_critical) && !is_critical)) &&
           der_element(&extension, DER_OCTET_STRING, value) && reader_at_end(&extension);
}

/* An entry about a certificate of this CA, whatever the reason: also one on hold. */
static bool take_entry(struct reader *r, struct bytes *serial)
{
    struct reader entry, extensions;
    struct bytes oid, value;
    int64_t date;

    if (!der_enter(r, DER_SEQUENCE, &entry) || !der_positive(&entry, serial) ||
        serial->size > SERIAL_SIZE_MAX || !take_time(&entry, &date))
        return false;
    if (reader_at_end(&entry))
        return true;
    if (!der_enter(&entry, DER_SEQUENCE, &extensions) || !reader_at_end(&entry))
        return false;
    while (!reader_at_end(&extensions)) {
        if (!take_extension(&extensions, &oid, &value) || IS(oid, oid_certificate_issuer))
            return false;
    }
    return true;
}

static bool read_entries(struct list *list)
{
    struct reader r = reader_of(list->entries);
    struct bytes serial;

    for (list->count = 0; !reader_at_end(&r); list->count++) {
        if (!take_entry(&r, &serial))
            return false;
    }
    return true;
}

/* CRLNumber ::= INTEGER (0..MAX), of at most 20 octets (RFC 5280 §5.2.3). */
static bool read_number(struct bytes der, struct bytes *out)
{
    struct reader r = reader_of(der);

    if (out->data != NULL) /* there are two */
        return false;
    if (bytes_equal(der, bytes_from("\x02\x01\x00", 3))) {
        *out = bytes_from(der.data, 0);
        return true;
    }
    return der_positive(&r, out) && reader_at_end(&r) && out->size <= SERIAL_SIZE_MAX;
}

/* Neither a list of changes nor one for somebody else's certificates, or for some of them. */
static bool read_extensions(struct reader *tbs, struct list *list)
{
    struct reader outer, extensions;
    struct bytes oid, value;

    if (!der_enter(tbs, DER_CONTEXT_CONSTRUCTED(0), &outer) ||
        !der_enter(&outer, DER_SEQUENCE, &extensions) || !reader_at_end(&outer))
        return false;
    while (!reader_at_end(&extensions)) {
        if (!take_extension(&extensions, &oid, &value) || IS(oid, oid_delta_crl) ||
            IS(oid, oid_issuing_distribution_point) ||
            (IS(oid, oid_crl_number) && !read_number(value, &list->number)))
            return false;
    }
    return true;
}

/* The list's issuer as bytes: RFC 5280 §5.1.2.3 and §4.1.2.6 want them alike. */
static bool is_subject(struct bytes name_content, X509 *ca)
{
    const uint8_t *der = NULL;
    struct bytes content;
    size_t size = 0;

    if (X509_NAME_get0_der(X509_get_subject_name(ca), &der, &size) != 1)
        return false;
    struct reader r = reader_of(bytes_from(der, size));
    return der_element(&r, DER_SEQUENCE, &content) && reader_at_end(&r) && content.size != 0 &&
           bytes_equal(content, name_content);
}

static bool read_list(const struct parts *p, X509 *ca, struct list *out, struct err *err)
{
    struct reader r = p->tbs;
    struct bytes algorithm, issuer;
    uint64_t version;

    *out = (struct list){.count = 0};
    if (!der_uint64(&r, DER_INTEGER, &version) || version != X509_CRL_VERSION_2 ||
        !der_element(&r, DER_SEQUENCE, &algorithm) || !bytes_equal(algorithm, p->algorithm) ||
        !der_element(&r, DER_SEQUENCE, &issuer))
        return malformed(err);
    if (!is_subject(issuer, ca))
        return err_set(err, ERR_CRYPTO, "the revocation list is another CA's", ERR_NO_AT);
    if (!take_time(&r, &out->this_update) || !take_time(&r, &out->next_update) ||
        out->next_update < out->this_update)
        return malformed(err);
    if (der_next_is(&r, DER_SEQUENCE) &&
        (!der_element(&r, DER_SEQUENCE, &out->entries) || !read_entries(out)))
        return malformed(err);
    if (!reader_at_end(&r) && (!read_extensions(&r, out) || !reader_at_end(&r)))
        return err_set(err, ERR_FORMAT,
                       "the revocation list has extensions that are not understood", ERR_NO_AT);
    return true;
}

/* ---- keeping ---- */

static bool is_current(int64_t this_update, int64_t next_update, int64_t at)
{
    return at - this_update <= IDENTITY_CRL_AGE_MAX && at <= next_update;
}

static bool check_dates(const struct list *list, int64_t at, struct err *err)
{
    if (list->this_update - at > CLOCK_SKEW_S)
        return err_set(err, ERR_POLICY, "the revocation list is of the future", ERR_NO_AT);
    return is_current(list->this_update, list->next_update, at) ||
           err_set(err, ERR_POLICY, "the revocation list is too old", ERR_NO_AT);
}

static void widen(struct bytes magnitude, uint8_t out[SERIAL_SIZE_MAX])
{
    memset(out, 0, SERIAL_SIZE_MAX);
    if (magnitude.size != 0)
        memcpy(out + SERIAL_SIZE_MAX - magnitude.size, magnitude.data, magnitude.size);
}

static int compare_serials(const void *a, const void *b)
{
    return memcmp(a, b, SERIAL_SIZE_MAX);
}

static const struct kept_list *find_list(const struct identity_trust *trust, struct bytes issuer)
{
    for (size_t i = 0; i < trust->list_count; i++) {
        if (bytes_equal(trust->lists[i].issuer, issuer))
            return &trust->lists[i];
    }
    return NULL;
}

static bool check_order(const struct kept_list *old, const struct list *new, struct err *err)
{
    uint8_t number[SERIAL_SIZE_MAX];

    widen(new->number, number);
    if (new->this_update < old->this_update ||
        (old->has_number &&
         new->number.data != NULL &&memcmp(number, old->number, sizeof number) < 0))
        return err_set(err, ERR_POLICY, "the revocation list is older than the one before",
                       ERR_NO_AT);
    return true;
}

/* A place for a CA's list: its own, a new one, or that of a list which nobody believes any more;
 * what would be older than that one is too old as well. NULL: there is none. */
static struct kept_list *find_place(struct identity_trust *trust, struct bytes issuer, int64_t at)
{
    for (size_t i = 0; i < trust->list_count; i++) {
        if (bytes_equal(trust->lists[i].issuer, issuer))
            return &trust->lists[i];
    }
    if (trust->list_count < IDENTITY_CRLS_MAX)
        return &trust->lists[trust->list_count];
    for (size_t i = 0; i < trust->list_count; i++) {
        if (!is_current(trust->lists[i].this_update, trust->lists[i].next_update, at))
            return &trust->lists[i];
    }
    return NULL;
}

static void copy_serials(const struct list *list, uint8_t *out)
{
    struct reader r = reader_of(list->entries);
    struct bytes serial;

    for (size_t i = 0; i < list->count && take_entry(&r, &serial); i++)
        widen(serial, out + i * SERIAL_SIZE_MAX);
    if (list->count > 1)
        qsort(out, list->count, SERIAL_SIZE_MAX, compare_serials);
}

/* count: an entry has at least 20 bytes, so this is no more than twice the list's own size. */
static bool keep_list(struct identity_trust *trust, struct bytes issuer, const struct list *list,
                      int64_t at, struct err *err)
{
    struct kept_list *place = find_place(trust, issuer, at);
    size_t serials_size = list->count * SERIAL_SIZE_MAX;

    if (place == NULL)
        return err_set(err, ERR_LIMIT, "more revocation lists than", IDENTITY_CRLS_MAX);
    uint8_t *memory = malloc(serials_size + issuer.size);
    if (memory == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a revocation list, in bytes",
                       serials_size + issuer.size);
    copy_serials(list, memory);
    memcpy(memory + serials_size, issuer.data, issuer.size);
    if (place == &trust->lists[trust->list_count])
        trust->list_count++;
    else
        free(place->memory);
    *place = (struct kept_list){.issuer = bytes_from(memory + serials_size, issuer.size),
                                .this_update = list->this_update,
                                .next_update = list->next_update,
                                .has_number = list->number.data != NULL,
                                .serials = memory,
                                .serial_count = list->count,
                                .memory = memory};
    widen(list->number, place->number);
    return true;
}

bool identity_trust_put_crl(struct identity_trust *trust, struct bytes issuer, struct bytes crl,
                            int64_t at, int64_t *floor, struct err *err)
{
    struct parts parts;
    struct list list;

    at = identity_time_clamp(at);
    if (crl.size > IDENTITY_CRL_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "the revocation list is too large, in bytes", crl.size);
    if (!split(crl, &parts))
        return malformed(err);
    X509 *ca = read_issuer(issuer, err);
    bool ok = ca != NULL && check_signature(&parts, ca, err) && read_list(&parts, ca, &list, err);
    X509_free(ca);
    ERR_clear_error();
    if (!ok || !check_dates(&list, at, err))
        return false;
    issuer = signed_part(issuer);
    const struct kept_list *old = find_list(trust, issuer);
    if ((old != NULL && !check_order(old, &list, err)) || !keep_list(trust, issuer, &list, at, err))
        return false;
    *floor = list.this_update;
    return true;
}

enum identity_fault identity_trust_recheck(const struct identity_trust *trust, struct bytes issuer,
                                           struct bytes serial, int64_t at)
{
    const struct kept_list *list = find_list(trust, signed_part(issuer));
    uint8_t key[SERIAL_SIZE_MAX];

    at = identity_time_clamp(at);
    if (list == NULL || serial.size > SERIAL_SIZE_MAX ||
        !is_current(list->this_update, list->next_update, at))
        return IDENTITY_FAULT_NO_CRL;
    widen(serial, key);
    return list->serial_count != 0 && bsearch(key, list->serials, list->serial_count,
                                              SERIAL_SIZE_MAX, compare_serials) != NULL
               ? IDENTITY_FAULT_REVOKED
               : IDENTITY_FAULT_NONE;
}
