/* Certificates and revocation lists in DER, as AMD and Intel make them: RFC 5280 (X.509), RFC 4055
 * (RSA-PSS), RFC 5758 (ECDSA). Their shapes are copied from real ones. */
#include "evidence/simulated_x509.h"

#include <assert.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "evidence/civil.h"

#define VERSION_3 2u /* X.509 counts from zero */
#define CRL_VERSION_2 1u
#define PSS_SALT_SIZE 48
#define SIGNATURE_SIZE_MAX 512u
#define REASON_KEY_COMPROMISE 1u

#define DER_PRINTABLE_STRING 0x13
#define DER_UTC_TIME 0x17
#define DER_GENERALIZED_TIME 0x18

/* The last arc of id-ce (2.5.29). */
enum {
    CE_SUBJECT_KEY_ID = 14,
    CE_KEY_USAGE = 15,
    CE_BASIC_CONSTRAINTS = 19,
    CE_CRL_NUMBER = 20,
    CE_REASON_CODE = 21,
    CE_CRL_POINTS = 31,
    CE_AUTHORITY_KEY_ID = 35,
};

/* RSASSA-PSS with SHA-384, MGF1 with SHA-384, 48 bytes of salt. */
static const uint8_t algorithm_pss[] = {
    0x30, 0x41, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a, 0x30,
    0x34, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
    0x02, 0x02, 0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
    0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
    0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0xa2, 0x03, 0x02, 0x01, 0x30};
/* ecdsa-with-SHA256 */
static const uint8_t algorithm_ecdsa[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                          0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};

static struct bytes algorithm_of(enum simulated_maker maker)
{
    return maker == SIMULATED_AMD ? bytes_from(algorithm_pss, sizeof algorithm_pss)
                                  : bytes_from(algorithm_ecdsa, sizeof algorithm_ecdsa);
}

bool simulated_fail(struct err *err, const char *msg)
{
    ERR_clear_error();
    return err_set(err, ERR_CRYPTO, msg, ERR_NO_AT);
}

/* ---- keys ---- */

/* SubjectPublicKeyInfo; the caller frees *out with OPENSSL_free. */
static bool public_key(EVP_PKEY *key, uint8_t **out, size_t *size, struct err *err)
{
    OSSL_ENCODER_CTX *context = OSSL_ENCODER_CTX_new_for_pkey(key, EVP_PKEY_PUBLIC_KEY, "DER",
                                                              "SubjectPublicKeyInfo", NULL);

    *out = NULL;
    bool ok = context != NULL && OSSL_ENCODER_to_data(context, out, size) == 1;
    OSSL_ENCODER_CTX_free(context);
    return ok || simulated_fail(err, "cannot encode a public key");
}

bool simulated_key_id(EVP_PKEY *key, uint8_t id[SIMULATED_KEY_ID_SIZE], struct err *err)
{
    uint8_t *der;
    size_t size;
    struct reader info;
    struct bytes algorithm, bits;

    if (!public_key(key, &der, &size, err))
        return false;
    struct reader r = {.in = bytes_from(der, size)};
    bool ok = der_enter(&r, DER_SEQUENCE, &info) && der_element(&info, DER_SEQUENCE, &algorithm) &&
              der_bit_string(&info, &bits) &&
              EVP_Digest(bits.data, bits.size, id, NULL, EVP_sha1(), NULL) == 1;
    OPENSSL_free(der);
    return ok || simulated_fail(err, "cannot compute a key's identifier");
}

/* ---- parts ---- */

static void write_positive(struct writer *w, struct bytes magnitude)
{
    size_t mark = der_open(w, DER_INTEGER);

    while (magnitude.size > 0 && magnitude.data[0] == 0)
        magnitude = bytes_after(magnitude, 1);
    if (magnitude.size == 0 || (magnitude.data[0] & 0x80) != 0)
        writer_u8(w, 0);
    writer_bytes(w, magnitude);
    der_close(w, mark);
}

/* RFC 5280 §4.1.2.5: years to 2049 have two digits, later ones four. */
static void write_time(struct writer *w, int64_t seconds)
{
    static const uint8_t digits[] = {0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18};
    char text[CIVIL_TEXT_SIZE];

    civil_format(seconds, text);
    bool is_short = memcmp(text, "1950", 4) >= 0 && memcmp(text, "2049", 4) <= 0;
    size_t mark = der_open(w, is_short ? DER_UTC_TIME : DER_GENERALIZED_TIME);
    for (size_t i = is_short ? 2 : 0; i < sizeof digits; i++)
        writer_u8(w, (uint8_t)text[digits[i]]);
    writer_u8(w, 'Z');
    der_close(w, mark);
}

/* The last arc of id-at (2.5.4). */
enum { AT_NAME = 3, AT_COUNTRY = 6, AT_LOCALITY = 7, AT_STATE = 8, AT_ORGANIZATION = 10, AT_UNIT };

struct attribute {
    uint8_t type;
    const char *value; /* NULL: the common name */
};

/* The organization is where a person sees that this is not the maker's. */
static const struct attribute amd_name[] = {
    {AT_UNIT, "Engineering"},       {AT_COUNTRY, "US"},
    {AT_LOCALITY, "Santa Clara"},   {AT_STATE, "CA"},
    {AT_ORGANIZATION, "Simulated"}, {AT_NAME, NULL},
};
static const struct attribute intel_name[] = {
    {AT_NAME, NULL},
    {AT_ORGANIZATION, "Simulated"},
    {AT_LOCALITY, "Santa Clara"},
    {AT_STATE, "CA"},
    {AT_COUNTRY, "US"},
};

static void write_attribute(struct writer *w, uint8_t type, const char *value)
{
    const uint8_t oid[] = {0x55, 0x04, type};
    size_t set = der_open(w, DER_SET);
    size_t sequence = der_open(w, DER_SEQUENCE);

    der_write(w, DER_OID, bytes_from(oid, sizeof oid));
    der_write(w, type == AT_COUNTRY ? DER_PRINTABLE_STRING : DER_UTF8_STRING, bytes_of(value));
    der_close(w, sequence);
    der_close(w, set);
}

static void write_name(struct writer *w, enum simulated_maker maker, const char *common_name)
{
    const struct attribute *name = maker == SIMULATED_AMD ? amd_name : intel_name;
    size_t count = maker == SIMULATED_AMD ? sizeof amd_name / sizeof *amd_name
                                          : sizeof intel_name / sizeof *intel_name;
    size_t mark = der_open(w, DER_SEQUENCE);

    for (size_t i = 0; i < count; i++)
        write_attribute(w, name[i].type, name[i].value == NULL ? common_name : name[i].value);
    der_close(w, mark);
}

/* ---- extensions ---- */

void simulated_extension(struct writer *w, struct bytes oid, bool is_critical, struct bytes value)
{
    size_t mark = der_open(w, DER_SEQUENCE);

    der_write(w, DER_OID, oid);
    if (is_critical)
        der_write_boolean(w, true);
    der_write(w, DER_OCTET_STRING, value);
    der_close(w, mark);
}

static void standard_extension(struct writer *w, uint8_t arc, bool is_critical, struct bytes value)
{
    const uint8_t oid[] = {0x55, 0x1d, arc};

    simulated_extension(w, bytes_from(oid, sizeof oid), is_critical, value);
}

void simulated_key_usage(struct writer *w, uint8_t unused, uint8_t bits)
{
    const uint8_t value[] = {DER_BIT_STRING, 2, unused, bits};

    standard_extension(w, CE_KEY_USAGE, true, bytes_from(value, sizeof value));
}

void simulated_subject_key(struct writer *w, const uint8_t id[SIMULATED_KEY_ID_SIZE])
{
    uint8_t value[2 + SIMULATED_KEY_ID_SIZE] = {DER_OCTET_STRING, SIMULATED_KEY_ID_SIZE};

    memcpy(value + 2, id, SIMULATED_KEY_ID_SIZE);
    standard_extension(w, CE_SUBJECT_KEY_ID, false, bytes_from(value, sizeof value));
}

void simulated_authority_key(struct writer *w, const uint8_t id[SIMULATED_KEY_ID_SIZE])
{
    uint8_t value[4 + SIMULATED_KEY_ID_SIZE] = {DER_SEQUENCE, 2 + SIMULATED_KEY_ID_SIZE,
                                                DER_CONTEXT(0), SIMULATED_KEY_ID_SIZE};

    memcpy(value + 4, id, SIMULATED_KEY_ID_SIZE);
    standard_extension(w, CE_AUTHORITY_KEY_ID, false, bytes_from(value, sizeof value));
}

void simulated_end_entity(struct writer *w)
{
    static const uint8_t value[] = {DER_SEQUENCE, 0};

    standard_extension(w, CE_BASIC_CONSTRAINTS, true, bytes_from(value, sizeof value));
}

void simulated_authority(struct writer *w, int depth)
{
    uint8_t memory[16];
    struct writer value = writer_fixed(memory, sizeof memory);
    size_t mark = der_open(&value, DER_SEQUENCE);

    der_write_boolean(&value, true);
    if (depth >= 0)
        der_write_uint64(&value, DER_INTEGER, (uint64_t)depth);
    der_close(&value, mark);
    standard_extension(w, CE_BASIC_CONSTRAINTS, true, bytes_from(memory, value.size));
}

void simulated_crl_point(struct writer *w, const char *url)
{
    uint8_t memory[256];
    struct writer value = writer_fixed(memory, sizeof memory);
    size_t points = der_open(&value, DER_SEQUENCE);
    size_t point = der_open(&value, DER_SEQUENCE);
    size_t name = der_open(&value, DER_CONTEXT_CONSTRUCTED(0));
    size_t full_name = der_open(&value, DER_CONTEXT_CONSTRUCTED(0));

    der_write(&value, DER_CONTEXT(6), bytes_of(url));
    der_close(&value, full_name);
    der_close(&value, name);
    der_close(&value, point);
    der_close(&value, points);
    assert(value.failed == ERR_NONE); /* our own, and short */
    standard_extension(w, CE_CRL_POINTS, false, bytes_from(memory, value.size));
}

void simulated_crl_number(struct writer *w, uint64_t number)
{
    uint8_t memory[16];
    struct writer value = writer_fixed(memory, sizeof memory);

    der_write_uint64(&value, DER_INTEGER, number);
    standard_extension(w, CE_CRL_NUMBER, false, bytes_from(memory, value.size));
}

/* ---- what is signed ---- */

static bool set_padding(enum simulated_maker maker, EVP_PKEY_CTX *context)
{
    return maker == SIMULATED_INTEL ||
           (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(context, PSS_SALT_SIZE) == 1);
}

static const EVP_MD *digest_of(enum simulated_maker maker)
{
    return maker == SIMULATED_AMD ? EVP_sha384() : EVP_sha256();
}

/* *size: what signature has room for, then what it has. */
static bool sign(enum simulated_maker maker, EVP_PKEY *key, struct bytes message,
                 uint8_t *signature, size_t *size)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context;

    bool ok = context != NULL && EVP_PKEY_get_size(key) <= (int)*size &&
              EVP_DigestSignInit(context, &key_context, digest_of(maker), NULL, key) == 1 &&
              set_padding(maker, key_context) &&
              EVP_DigestSign(context, signature, size, message.data, message.size) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

static bool signature_verifies(enum simulated_maker maker, EVP_PKEY *key, struct bytes message,
                               struct bytes signature)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_context;

    bool ok =
        context != NULL &&
        EVP_DigestVerifyInit(context, &key_context, digest_of(maker), NULL, key) == 1 &&
        set_padding(maker, key_context) &&
        EVP_DigestVerify(context, signature.data, signature.size, message.data, message.size) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}

/* Writes SEQUENCE { body, algorithm, signature }, which is how all things signed in X.509 look. */
static bool write_signed(struct writer *w, enum simulated_maker maker, const struct writer *body,
                         EVP_PKEY *signer, struct err *err)
{
    uint8_t signature[1 + SIGNATURE_SIZE_MAX] = {0}; /* the first: no unused bits */
    size_t size = SIGNATURE_SIZE_MAX;
    struct bytes message, whole;

    if (!writer_done(body, &message, err))
        return false;
    if (!sign(maker, signer, message, signature + 1, &size))
        return simulated_fail(err, "cannot sign with this key");

    size_t mark = der_open(w, DER_SEQUENCE);
    writer_bytes(w, message);
    writer_bytes(w, algorithm_of(maker));
    der_write(w, DER_BIT_STRING, bytes_from(signature, 1 + size));
    der_close(w, mark);
    return writer_done(w, &whole, err);
}

static bool write_body(const struct certificate_form *form, struct writer *w, struct err *err)
{
    uint8_t *key;
    size_t key_size;

    if (!public_key(form->key, &key, &key_size, err))
        return false;
    size_t body = der_open(w, DER_SEQUENCE);
    size_t version = der_open(w, DER_CONTEXT_CONSTRUCTED(0));
    der_write_uint64(w, DER_INTEGER, VERSION_3);
    der_close(w, version);
    write_positive(w, form->serial);
    writer_bytes(w, algorithm_of(form->maker));
    write_name(w, form->maker, form->issuer);
    size_t validity = der_open(w, DER_SEQUENCE);
    write_time(w, form->dates.not_before);
    write_time(w, form->dates.not_after);
    der_close(w, validity);
    write_name(w, form->maker, form->subject);
    writer_bytes(w, bytes_from(key, key_size));
    size_t tagged = der_open(w, DER_CONTEXT_CONSTRUCTED(3));
    der_write(w, DER_SEQUENCE, form->extensions);
    der_close(w, tagged);
    der_close(w, body);
    OPENSSL_free(key);
    return true;
}

bool simulated_certificate(const struct certificate_form *form, EVP_PKEY *signer, struct writer *w,
                           struct err *err)
{
    struct arena arena;

    arena_init(&arena, arena_heap, SIMULATED_SIZE_MAX);
    struct writer body = writer_growable(&arena, SIMULATED_SIZE_MAX);
    bool ok = write_body(form, &body, err) && write_signed(w, form->maker, &body, signer, err);
    arena_done(&arena);
    return ok;
}

/* Intel says why a key was revoked. */
static void write_revoked(struct writer *w, const struct crl_form *form)
{
    static const uint8_t reason[] = {DER_ENUMERATED, 1, REASON_KEY_COMPROMISE};
    size_t list = der_open(w, DER_SEQUENCE);
    size_t entry = der_open(w, DER_SEQUENCE);

    write_positive(w, *form->revoked);
    write_time(w, form->dates.not_before);
    if (form->maker == SIMULATED_INTEL) {
        size_t extensions = der_open(w, DER_SEQUENCE);
        standard_extension(w, CE_REASON_CODE, false, bytes_from(reason, sizeof reason));
        der_close(w, extensions);
    }
    der_close(w, entry);
    der_close(w, list);
}

bool simulated_crl(const struct crl_form *form, EVP_PKEY *signer, struct writer *w, struct err *err)
{
    struct arena arena;

    arena_init(&arena, arena_heap, SIMULATED_SIZE_MAX);
    struct writer body = writer_growable(&arena, SIMULATED_SIZE_MAX);
    size_t mark = der_open(&body, DER_SEQUENCE);
    der_write_uint64(&body, DER_INTEGER, CRL_VERSION_2);
    writer_bytes(&body, algorithm_of(form->maker));
    write_name(&body, form->maker, form->issuer);
    write_time(&body, form->dates.not_before);
    write_time(&body, form->dates.not_after);
    if (form->revoked != NULL)
        write_revoked(&body, form);
    size_t tagged = der_open(&body, DER_CONTEXT_CONSTRUCTED(0));
    der_write(&body, DER_SEQUENCE, form->extensions);
    der_close(&body, tagged);
    der_close(&body, mark);
    bool ok = write_signed(w, form->maker, &body, signer, err);
    arena_done(&arena);
    return ok;
}

/* ---- reading back ---- */

/* The body with its head, which is what is signed, and the signature. Nothing follows it. */
static bool take_signed(struct bytes der, enum simulated_maker maker, struct bytes *message,
                        struct reader *body, struct bytes *signature)
{
    struct reader r = {.in = der}, whole;
    struct bytes algorithm;

    if (!der_enter(&r, DER_SEQUENCE, &whole) || r.at != der.size)
        return false;
    size_t start = whole.at;
    if (!der_enter(&whole, DER_SEQUENCE, body))
        return false;
    *message = bytes_from(whole.in.data + start, whole.at - start);
    return reader_bytes(&whole, algorithm_of(maker).size, &algorithm) &&
           bytes_equal(algorithm, algorithm_of(maker)) && der_bit_string(&whole, signature) &&
           whole.at == whole.in.size;
}

/* Whether the next bytes are these. */
static bool take_same(struct reader *r, struct bytes expected)
{
    struct bytes found;

    return reader_bytes(r, expected.size, &found) && bytes_equal(found, expected);
}

/* The certificate's body up to its key, which must be the subject's and the party's. */
static bool body_fits(struct reader *body, enum simulated_maker maker, const char *subject,
                      EVP_PKEY *key)
{
    uint8_t memory[256], *key_info;
    size_t key_size;
    struct bytes version, serial, algorithm, issuer, validity;
    struct writer name = writer_fixed(memory, sizeof memory);
    struct err err;

    write_name(&name, maker, subject);
    if (name.failed != ERR_NONE || !public_key(key, &key_info, &key_size, &err))
        return false;
    bool ok =
        der_element(body, DER_CONTEXT_CONSTRUCTED(0), &version) &&
        der_element(body, DER_INTEGER, &serial) && der_element(body, DER_SEQUENCE, &algorithm) &&
        der_element(body, DER_SEQUENCE, &issuer) && der_element(body, DER_SEQUENCE, &validity) &&
        take_same(body, bytes_from(memory, name.size)) &&
        take_same(body, bytes_from(key_info, key_size));
    OPENSSL_free(key_info);
    return ok;
}

/* Whether the secret half of a key belongs to the other: its encoding has both. */
static bool is_whole(enum simulated_maker maker, EVP_PKEY *key)
{
    uint8_t signature[SIGNATURE_SIZE_MAX];
    size_t size = sizeof signature;
    struct bytes message = bytes_of("is whole");

    return sign(maker, key, message, signature, &size) &&
           signature_verifies(maker, key, message, bytes_from(signature, size));
}

bool simulated_party_fits(const struct simulated_party *party, enum simulated_maker maker,
                          const char *subject, EVP_PKEY *signer)
{
    struct reader body;
    struct bytes message, signature;

    bool ok = take_signed(party->certificate, maker, &message, &body, &signature) &&
              body_fits(&body, maker, subject, party->key) &&
              signature_verifies(maker, signer, message, signature) && is_whole(maker, party->key);
    ERR_clear_error();
    return ok;
}
