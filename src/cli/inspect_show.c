/* What was found out about a server, for people and for programs. Texts of the server's are shown
 * so that a terminal does not obey them. */
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "cli/inspect.h"
#include "evidence/civil.h"
#include "base/banned.h"

#define NAME_MAX_SHOWN 2048 /* bytes of a distinguished name */
#define HEX_BYTES_MAX 64
#define FINGERPRINT_SIZE 32

static const char *const technologies[] = {
    [IDENTITY_SNP] = "snp", [IDENTITY_SGX] = "sgx", [IDENTITY_TDX] = "tdx"};

/* What is said of each outcome, in JSON. */
static const char *const receptions[] = {[INSPECT_NOT_ASKED] = "not asked",
                                         [INSPECT_LET_IN] = "let in",
                                         [INSPECT_TURNED_AWAY] = "turned away",
                                         [INSPECT_HUNG_UP] = "hung up"};
static const char *const revocations[] = {[INSPECT_NOT_REVOKED] = "not revoked",
                                          [INSPECT_REVOKED] = "revoked",
                                          [INSPECT_REVOCATION_UNKNOWN] = "unknown",
                                          [INSPECT_REVOCATION_NOT_ASKED] = "not asked"};
static const char *const digests[] = {[INSPECT_SAME] = "same",
                                      [INSPECT_DIFFERS] = "differs",
                                      [INSPECT_NO_TAG] = "no tag",
                                      [INSPECT_DIGEST_UNKNOWN] = "unknown",
                                      [INSPECT_DIGEST_NOT_ASKED] = "not asked"};

/* ---- what a certificate says, in words ---- */

/* What kind of keep the leaf is of; NULL: none. */
static const char *kind_of(const struct inspection *found)
{
    const struct identity_claims *claims = &found->leaf.identity.claims;

    if (!found->is_keep)
        return NULL;
    if (found->leaf.space == IDENTITY_OF_ENARX)
        return "enarx";
    return claims->slug.size != 0 ? "keep" : claims->has_digest ? "local" : "platform";
}

/* One certificate, in words. */
struct words {
    uint8_t subject[NAME_MAX_SHOWN], issuer[NAME_MAX_SHOWN];
    size_t subject_size, issuer_size;
    struct bytes serial;
    int64_t from, to; /* seconds since 1970; INT64_MIN: no date that can be read */
    uint8_t fingerprint[FINGERPRINT_SIZE];
};

static size_t read_name(const X509_NAME *name, uint8_t out[NAME_MAX_SHOWN])
{
    BIO *bio = BIO_new(BIO_s_mem());
    int size = 0;

    if (bio != NULL &&
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >=
            0)
        size = BIO_read(bio, out, NAME_MAX_SHOWN);
    BIO_free(bio);
    return size > 0 ? (size_t)size : 0;
}

static int64_t read_date(const ASN1_TIME *time)
{
    struct tm tm;
    int64_t out;

    if (ASN1_TIME_to_tm(time, &tm) != 1 || tm.tm_year < 70 ||
        !civil_seconds((unsigned)tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday,
                       (unsigned)tm.tm_hour, (unsigned)tm.tm_min, (unsigned)tm.tm_sec, &out))
        return INT64_MIN;
    return out;
}

static void read_words(const X509 *x509, struct words *out)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
    unsigned size = 0;

    out->subject_size = read_name(X509_get_subject_name(x509), out->subject);
    out->issuer_size = read_name(X509_get_issuer_name(x509), out->issuer);
    out->serial =
        bytes_before(bytes_from(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)),
                     HEX_BYTES_MAX);
    out->from = read_date(X509_get0_notBefore(x509));
    out->to = read_date(X509_get0_notAfter(x509));
    memset(out->fingerprint, 0, sizeof out->fingerprint);
    (void)X509_digest(x509, EVP_sha256(), out->fingerprint, &size);
}

static const X509 *certificate(const struct inspection *found, int at)
{
    return sk_X509_value(found->server.chain, at);
}

static void write_hex(struct writer *w, struct bytes in)
{
    writer_hex(w, bytes_before(in, HEX_BYTES_MAX));
}

static void write_date(struct writer *w, int64_t date)
{
    char text[CIVIL_TEXT_SIZE];

    if (date == INT64_MIN) {
        writer_text(w, "?");
        return;
    }
    civil_format(date, text);
    writer_text(w, text);
}

/* "3 h", in whole units of the largest kind that there are two of. */
static void write_span(struct writer *w, int64_t seconds)
{
    static const struct {
        int64_t size;
        const char *name;
    } units[] = {{86400, "days"}, {3600, "h"}, {60, "min"}};

    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (seconds >= 2 * units[i].size) {
            writer_format(w, "%lld %s", (long long)(seconds / units[i].size), units[i].name);
            return;
        }
    }
    writer_format(w, "%lld s", (long long)seconds);
}

static struct digest digest_of(const struct identity_claims *claims)
{
    struct digest digest = {.algorithm = DIGEST_SHA256, .size = IDENTITY_DIGEST_SIZE};

    memcpy(digest.bytes, claims->digest, IDENTITY_DIGEST_SIZE);
    return digest;
}

const char *inspect_problem(const struct inspection *found)
{
    if (!found->is_keep)
        return found->no_keep;
    if (found->is_judged && !found->is_trusted)
        return identity_fault_text(found->peer.fault);
    if (found->digest == INSPECT_DIFFERS)
        return "the registry serves another digest now under the same slug";
    return NULL;
}

/* ---- as text ---- */

/* A line's beginning: what it is about. */
static void name_row(struct writer *w, const char *name)
{
    writer_format(w, "%-14s", name);
}

static void row(struct writer *w, const char *name, const char *text)
{
    name_row(w, name);
    writer_shown(w, bytes_of(text));
    writer_text(w, "\n");
}

static void row_bytes(struct writer *w, const char *name, struct bytes text)
{
    if (text.size == 0)
        return;
    name_row(w, name);
    writer_shown(w, text);
    writer_text(w, "\n");
}

static void row_hex(struct writer *w, const char *name, struct bytes in)
{
    if (in.size == 0)
        return;
    name_row(w, name);
    write_hex(w, in);
    writer_text(w, "\n");
}

static void write_digest_rows(struct writer *w, const char *name, const struct digest *digest)
{
    name_row(w, name);
    digest_write(w, digest);
    writer_text(w, "\n");
    name_row(w, "");
    digest_write_hex(w, digest);
    writer_text(w, "\n");
}

static void write_headline(struct writer *w, const struct inspection *found)
{
    const char *kind = kind_of(found);

    writer_shown(w, bytes_of(found->target));
    if (kind == NULL) {
        writer_text(w, ": NOT A KEEP: ");
        writer_shown(w, bytes_of(found->no_keep));
    } else {
        writer_format(w, ": %s keep", found->is_trusted ? "a" : "says that it is a");
        if (found->leaf.identity.claims.slug.size != 0) {
            writer_text(w, " that runs ");
            writer_shown(w, found->leaf.identity.claims.slug);
        }
    }
    writer_text(w, "\n");
    if (kind != NULL && found->leaf.identity.is_simulated)
        writer_text(w, "\n*** SIMULATED: no TEE protects this keep. Its host can read and change "
                       "all of it. ***\n");
    writer_text(w, "\n");
}

static void write_connection(struct writer *w, const struct inspection *found)
{
    const struct inspect_server *server = &found->server;

    row(w, "address", server->address);
    name_row(w, "TLS");
    writer_format(w, "1.3, %s, %s\n", server->cipher, server->group);
    name_row(w, "reception");
    switch (server->reception) {
    case INSPECT_NOT_ASKED:
        writer_text(w, "asks clients for no certificate\n");
        break;
    case INSPECT_LET_IN:
        writer_text(w, "asks clients for a certificate, and lets in those without one\n");
        break;
    case INSPECT_TURNED_AWAY:
        writer_text(w, "TURNED US AWAY, who showed no certificate, with the alert '");
        writer_shown(w, bytes_of(server->alert));
        writer_text(w, "'; it had shown its own before\n");
        break;
    case INSPECT_HUNG_UP:
        writer_text(w, "asked for a certificate, and hung up on us, who showed none; it had shown "
                       "its own before\n");
        break;
    }
}

static const char *kind_in_words(const char *kind)
{
    if (strcmp(kind, "local") == 0)
        return "local: its digest is known, and no registry's name for it";
    if (strcmp(kind, "platform") == 0)
        return "platform: a keep, of which nothing is said of what it runs";
    if (strcmp(kind, "enarx") == 0)
        return "enarx: a keep of Enarx's, of which nothing is said of what it runs";
    return "keep: a workload of a registry";
}

static void write_identity(struct writer *w, const struct inspection *found)
{
    const struct identity *identity = &found->leaf.identity;

    writer_text(w, "\n");
    row(w, "kind", kind_in_words(kind_of(found)));
    row_bytes(w, "slug", identity->claims.slug);
    if (identity->claims.has_digest) {
        struct digest digest = digest_of(&identity->claims);
        write_digest_rows(w, "digest", &digest);
    }
    row(w, "technology", technologies[identity->technology]);
    row_hex(w, "measurement", identity->measurement);
    row_hex(w, "signer", identity->signer);
    row_hex(w, "TCB", identity->tcb);
    row_bytes(w, "TCB status", identity->tcb_status);
    row(w, "simulated", identity->is_simulated ? "YES: it proves nothing about the machine" : "no");
    row_bytes(w, "name", found->leaf.name);
}

static void write_validity(struct writer *w, const struct words *words, int64_t now)
{
    write_date(w, words->from);
    writer_text(w, " to ");
    write_date(w, words->to);
    if (words->from == INT64_MIN || words->to == INT64_MIN)
        return;
    if (now < words->from) {
        writer_text(w, " (NOT YET VALID: begins in ");
        write_span(w, words->from - now);
    } else if (now > words->to) {
        writer_text(w, " (EXPIRED, since ");
        write_span(w, now - words->to);
    } else {
        writer_text(w, " (");
        write_span(w, words->to - now);
        writer_text(w, " left");
    }
    writer_text(w, ")");
}

static void write_chain(struct writer *w, const struct inspection *found)
{
    for (int i = 0; i < sk_X509_num(found->server.chain); i++) {
        char name[24];
        struct words words;
        read_words(certificate(found, i), &words);
        (void)snprintf(name, sizeof name, "chain %d", i + 1);
        writer_text(w, "\n");
        name_row(w, name);
        writer_shown(w, bytes_from(words.subject, words.subject_size));
        writer_text(w, "\n");
        name_row(w, "  issued by");
        writer_shown(w, bytes_from(words.issuer, words.issuer_size));
        writer_text(w, "\n");
        name_row(w, "  valid");
        write_validity(w, &words, found->now);
        writer_text(w, "\n");
        row_hex(w, "  serial", words.serial);
        row_hex(w, "  SHA-256", bytes_from(words.fingerprint, sizeof words.fingerprint));
    }
}

static void write_trust(struct writer *w, const struct inspection *found)
{
    writer_text(w, "\n");
    name_row(w, "trust");
    if (!found->is_judged) {
        writer_text(w, "not judged: nobody was asked to vouch; --steward-ca FILE names the root of "
                       "a Steward that you believe\n");
        return;
    }
    if (!found->is_trusted) {
        writer_text(w, "NOT TRUSTED: ");
        writer_shown(w, bytes_of(identity_fault_text(found->peer.fault)));
        writer_text(w, "\n");
    } else {
        writer_text(w, "valid: the chain ends in ");
        writer_shown(w, found->peer.steward);
        writer_text(w, "\n");
    }
    row(w, "revocation", revocations[found->revocation]);
    if (found->revocation == INSPECT_REVOCATION_UNKNOWN) {
        name_row(w, "");
        writer_shown(w, bytes_of(found->revocation_why));
        writer_text(w, "\n");
    }
}

static void write_registry(struct writer *w, const struct inspection *found)
{
    name_row(w, "registry");
    switch (found->digest) {
    case INSPECT_SAME:
        writer_text(w, "serves the same digest now under this slug");
        break;
    case INSPECT_DIFFERS:
        writer_text(w, "SERVES ANOTHER DIGEST NOW under this slug:\n");
        write_digest_rows(w, "", &found->served);
        return;
    case INSPECT_NO_TAG:
    case INSPECT_DIGEST_UNKNOWN:
    case INSPECT_DIGEST_NOT_ASKED:
        writer_format(w, "%s: ",
                      found->digest == INSPECT_NO_TAG           ? "not compared"
                      : found->digest == INSPECT_DIGEST_UNKNOWN ? "could not be asked"
                                                                : "not asked");
        writer_shown(w, bytes_of(found->registry_why));
        break;
    }
    writer_text(w, found->is_yanked ? "; YANKED: its owner advises against it\n" : "\n");
}

void inspect_write_text(struct writer *w, const struct inspection *found)
{
    write_headline(w, found);
    write_connection(w, found);
    if (found->is_keep)
        write_identity(w, found);
    write_chain(w, found);
    write_trust(w, found);
    if (found->is_keep)
        write_registry(w, found);
    else
        writer_text(
            w, "\nA keep's certificate comes from a Steward and says what runs there; this one "
               "does not.\nIs it the keep's own port, and not that of a proxy before it?\n");
}

/* ---- as JSON ---- */

static const char *boolean(bool value)
{
    return value ? "true" : "false";
}

/* ,"NAME": */
static void name_member(struct writer *w, const char *name)
{
    writer_format(w, ",\"%s\":", name);
}

/* A string; null for nothing. */
static void member(struct writer *w, const char *name, struct bytes text)
{
    name_member(w, name);
    if (text.size != 0)
        writer_json(w, text);
    else
        writer_text(w, "null");
}

static void member_text(struct writer *w, const char *name, const char *text)
{
    member(w, name, text != NULL ? bytes_of(text) : (struct bytes){.size = 0});
}

static void write_hex_string(struct writer *w, struct bytes in)
{
    writer_text(w, "\"");
    write_hex(w, in);
    writer_text(w, "\"");
}

static void member_hex(struct writer *w, const char *name, struct bytes in)
{
    name_member(w, name);
    if (in.size != 0)
        write_hex_string(w, in);
    else
        writer_text(w, "null");
}

static void member_date(struct writer *w, const char *name, int64_t date)
{
    name_member(w, name);
    writer_text(w, date != INT64_MIN ? "\"" : "null");
    if (date != INT64_MIN) {
        write_date(w, date);
        writer_text(w, "\"");
    }
}

/* Unpadded, as /net/peer has it. */
static void member_digest(struct writer *w, const char *name, const struct digest *digest)
{
    char text[(IDENTITY_DIGEST_SIZE + 2) / 3 * 4];
    struct bytes in = bytes_from(digest->bytes, IDENTITY_DIGEST_SIZE);

    name_member(w, name);
    if (digest->size != IDENTITY_DIGEST_SIZE) {
        writer_text(w, "null");
        return;
    }
    base64_encode(in, BASE64_STANDARD_UNPADDED, text);
    writer_text(w, "{\"base64\":\"");
    writer_bytes(w, bytes_from(text, base64_encoded_size(in.size, BASE64_STANDARD_UNPADDED)));
    writer_text(w, "\",\"hex\":");
    write_hex_string(w, in);
    writer_text(w, "}");
}

static void write_chain_json(struct writer *w, const struct inspection *found)
{
    writer_text(w, ",\"chain\":[");
    for (int i = 0; i < sk_X509_num(found->server.chain); i++) {
        struct words words;
        read_words(certificate(found, i), &words);
        writer_text(w, i != 0 ? ",{\"serial\":" : "{\"serial\":");
        write_hex_string(w, words.serial);
        member(w, "subject", bytes_from(words.subject, words.subject_size));
        member(w, "issuer", bytes_from(words.issuer, words.issuer_size));
        member_date(w, "not_before", words.from);
        member_date(w, "not_after", words.to);
        member_hex(w, "sha256", bytes_from(words.fingerprint, sizeof words.fingerprint));
        writer_text(w, "}");
    }
    writer_text(w, "]");
}

static void write_identity_json(struct writer *w, const struct inspection *found)
{
    const struct identity *identity = &found->leaf.identity;
    struct digest digest = digest_of(&identity->claims);

    writer_format(w, ",\"identity\":{\"kind\":\"%s\"", kind_of(found));
    member(w, "slug", identity->claims.slug);
    digest.size = identity->claims.has_digest ? IDENTITY_DIGEST_SIZE : 0;
    member_digest(w, "digest", &digest);
    member_text(w, "technology", technologies[identity->technology]);
    member_hex(w, "measurement", identity->measurement);
    member_hex(w, "signer", identity->signer);
    member_hex(w, "tcb", identity->tcb);
    member(w, "tcb_status", identity->tcb_status);
    writer_format(w, ",\"simulated\":%s", boolean(identity->is_simulated));
    member(w, "name", found->leaf.name);
    member(w, "trust_domain", found->leaf.trust_domain);
    writer_text(w, "}");
}

static void write_trust_json(struct writer *w, const struct inspection *found)
{
    writer_format(w, ",\"trust\":{\"judged\":%s,\"trusted\":%s", boolean(found->is_judged),
                  found->is_judged ? boolean(found->is_trusted) : "null");
    member_text(w, "reason",
                found->is_judged && !found->is_trusted ? identity_fault_text(found->peer.fault)
                                                       : NULL);
    member(w, "steward", found->is_trusted ? found->peer.steward : (struct bytes){.size = 0});
    member_text(w, "revocation", revocations[found->revocation]);
    member_text(w, "revocation_reason", found->revocation_why);
    writer_text(w, "}");
}

static void write_registry_json(struct writer *w, const struct inspection *found)
{
    writer_format(w, ",\"registry\":{\"digest\":\"%s\"", digests[found->digest]);
    member_text(w, "reason", found->registry_why);
    member_digest(w, "served", &found->served);
    writer_format(w, ",\"yanked\":%s}", boolean(found->is_yanked));
}

void inspect_write_json(struct writer *w, const struct inspection *found)
{
    const char *problem = inspect_problem(found);

    writer_format(w, "{\"good\":%s", boolean(problem == NULL));
    member_text(w, "target", found->target);
    member_text(w, "error", problem);
    member_text(w, "address", found->server.address);
    writer_text(w, ",\"tls\":{\"version\":\"1.3\"");
    member_text(w, "cipher", found->server.cipher);
    member_text(w, "group", found->server.group);
    member_text(w, "reception", receptions[found->server.reception]);
    member_text(w, "alert", found->server.alert);
    writer_format(w, "},\"keep\":%s", boolean(found->is_keep));
    if (found->is_keep)
        write_identity_json(w, found);
    else
        writer_text(w, ",\"identity\":null");
    write_chain_json(w, found);
    write_trust_json(w, found);
    write_registry_json(w, found);
    writer_text(w, "}\n");
}
