/* The signing process. */
#include "steward/signer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/os.h"
#include "steward/audit.h"
#include "steward/sandbox.h"
#include "steward/signer_wire.h"
#include "base/banned.h"

#define INPUT_SIZE ((size_t)256 << 10) /* read at once; a longer message grows it */

struct answer {
    uint64_t number;
    struct err err;   /* ERR_NONE: done */
    struct bytes der; /* in the group's arena */
};

/* Requests that came together; their lines are synced together. */
#define GROUP_COUNT 64

struct process {
    const struct signer_options *options;
    struct audit *audit;
    X509 *ca;
    EVP_PKEY *key;
    struct arena arena; /* of one group */
    struct answer answers[GROUP_COUNT];
    size_t answer_count;
    struct arena input_arena;
    struct writer input;
};

/* ---- what it will not sign ---- */

static bool check_request(const struct process *p, const struct identity_fields *f, struct err *err)
{
    const struct signer_options *o = p->options;
    int64_t now = os_unix_ms() / 1000, asked = f->not_before + SIGNER_BACKDATE_S;

    if (f->identity.is_simulated && !o->is_simulation)
        return err_set(err, ERR_POLICY, "this CA does not certify simulated platforms", ERR_NO_AT);
    if (!f->identity.is_simulated && o->is_simulation)
        return err_set(err, ERR_POLICY, "this CA certifies simulated platforms alone", ERR_NO_AT);
    if (!bytes_is(f->trust_domain, o->trust_domain))
        return err_set(err, ERR_POLICY, "this CA does not certify that trust domain", ERR_NO_AT);
    if (asked < now - SIGNER_SKEW_S || asked > now + SIGNER_SKEW_S)
        return err_set(err, ERR_POLICY, "the time asked for is not now", ERR_NO_AT);
    if (f->not_after <= now || f->not_after > now + o->lifetime_max_s)
        return err_set(err, ERR_POLICY, "the lifetime asked for is longer than may be", ERR_NO_AT);
    return true;
}

/* ---- lines of the log ---- */

static void write_hex_member(struct writer *w, const char *name, struct bytes value)
{
    writer_format(w, ",\"%s\":\"", name);
    writer_hex(w, value);
    writer_text(w, "\"");
}

static void write_text_member(struct writer *w, const char *name, struct bytes value)
{
    writer_format(w, ",\"%s\":", name);
    writer_json(w, value);
}

static void write_identity_members(struct writer *w, const struct identity *i)
{
    static const char *const technologies[] = {"", "snp", "sgx", "tdx"};

    writer_format(w, ",\"technology\":\"%s\",\"simulated\":%s", technologies[i->technology],
                  i->is_simulated ? "true" : "false");
    write_hex_member(w, "measurement", i->measurement);
    write_hex_member(w, "signer", i->signer);
    write_hex_member(w, "tcb", i->tcb);
    write_text_member(w, "tcbStatus", i->tcb_status);
    if (i->claims.slug.size != 0)
        write_text_member(w, "slug", i->claims.slug);
    if (i->claims.has_digest)
        write_hex_member(w, "digest", bytes_from(i->claims.digest, sizeof i->claims.digest));
}

static void write_key_member(struct writer *w, struct bytes spki)
{
    uint8_t hash[32];
    unsigned size = 0;

    if (spki.size != 0 && EVP_Digest(spki.data, spki.size, hash, &size, EVP_sha256(), NULL) == 1)
        write_hex_member(w, "key", bytes_from(hash, size));
}

static void write_note_members(struct writer *w, const struct signer_note *note)
{
    writer_format(w, ",\"interface\":\"%s\"", note->interface);
    write_text_member(w, "client", note->client);
    if (note->chip.size != 0)
        write_hex_member(w, "chip", note->chip);
}

static bool add_line(struct process *p, const struct writer *w, struct err *err)
{
    struct bytes members;

    return writer_done(w, &members, err) && audit_add(p->audit, os_unix_ms(), members, err);
}

/* ---- requests ---- */

static bool malformed(struct err *err)
{
    return err_set(err, ERR_FORMAT, "the signing process does not understand what it was asked",
                   ERR_NO_AT);
}

static bool issue(struct process *p, struct reader *r, struct bytes *der, struct err *err)
{
    struct identity_fields fields = {.crl_url = bytes_of(p->options->crl_url)};
    struct signer_note note;
    struct writer certificate = writer_growable(&p->arena, (size_t)64 << 10);
    struct writer line = writer_growable(&p->arena, AUDIT_LINE_MAX);

    if (!signer_read_fields(r, &fields) || !signer_read_note(r, &note) || !reader_at_end(r))
        return malformed(err);
    if (!check_request(p, &fields, err) ||
        !identity_certificate_write(&certificate, &fields, p->ca, p->key, err))
        return false;
    writer_text(&line, "\"event\":\"issued\"");
    write_hex_member(&line, "serial", bytes_from(fields.serial, sizeof fields.serial));
    writer_format(&line, ",\"notBefore\":%lld,\"notAfter\":%lld,\"space\":\"%s\"",
                  (long long)fields.not_before, (long long)fields.not_after,
                  fields.space == IDENTITY_OF_ENARX ? "enarx" : "broch");
    write_identity_members(&line, &fields.identity);
    write_key_member(&line, fields.spki);
    write_note_members(&line, &note);
    return writer_done(&certificate, der, err) && add_line(p, &line, err);
}

static bool refuse(struct process *p, struct reader *r, struct err *err)
{
    struct writer line = writer_growable(&p->arena, AUDIT_LINE_MAX);
    struct bytes code, check, detail, spki;
    struct identity identity;
    struct signer_note note;
    uint8_t has_identity;

    if (!signer_read_note(r, &note) || !signer_read_bytes(r, &code) ||
        !signer_read_bytes(r, &check) || !signer_read_bytes(r, &detail) ||
        !signer_read_bytes(r, &spki) || !reader_u8(r, &has_identity) ||
        (has_identity != 0 && !signer_read_identity(r, &identity)) || !reader_at_end(r))
        return malformed(err);
    writer_text(&line, "\"event\":\"refused\"");
    write_text_member(&line, "code", code);
    if (check.size != 0)
        write_text_member(&line, "check", check);
    write_text_member(&line, "detail", detail);
    if (has_identity != 0)
        write_identity_members(&line, &identity);
    write_key_member(&line, spki);
    write_note_members(&line, &note);
    return add_line(p, &line, err);
}

static bool record_event(struct process *p, struct reader *r, struct err *err)
{
    struct writer line = writer_growable(&p->arena, AUDIT_LINE_MAX);
    struct bytes event, detail;

    if (!signer_read_bytes(r, &event) || !signer_read_bytes(r, &detail) || !reader_at_end(r))
        return malformed(err);
    writer_text(&line, "\"event\":");
    writer_json(&line, event);
    write_text_member(&line, "detail", detail);
    return add_line(p, &line, err);
}

/* ---- revocation lists ---- */

static bool add_revoked(X509_CRL *crl, const struct signer_revocation *revocation)
{
    X509_REVOKED *item = X509_REVOKED_new();
    BIGNUM *number = BN_bin2bn(revocation->serial, sizeof revocation->serial, NULL);
    ASN1_INTEGER *serial = number != NULL ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
    ASN1_TIME *at = ASN1_TIME_set(NULL, (time_t)revocation->at);

    bool ok = item != NULL && serial != NULL && at != NULL &&
              X509_REVOKED_set_serialNumber(item, serial) == 1 &&
              X509_REVOKED_set_revocationDate(item, at) == 1 &&
              X509_CRL_add0_revoked(crl, item) == 1;
    if (!ok)
        X509_REVOKED_free(item);
    ASN1_TIME_free(at);
    ASN1_INTEGER_free(serial);
    BN_free(number);
    return ok;
}

static bool add_crl_extensions(const struct process *p, X509_CRL *crl, int64_t now_ms)
{
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    X509V3_CTX context;
    X509_EXTENSION *key_id = NULL;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, p->ca, NULL, NULL, crl, 0);
    bool ok = number != NULL && ASN1_INTEGER_set_int64(number, now_ms) == 1 &&
              X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, X509V3_ADD_DEFAULT) == 1 &&
              (key_id = X509V3_EXT_conf_nid(NULL, &context, NID_authority_key_identifier,
                                            "keyid:always")) != NULL &&
              X509_CRL_add_ext(crl, key_id, -1) == 1;
    X509_EXTENSION_free(key_id);
    ASN1_INTEGER_free(number);
    return ok;
}

static bool set_crl_times(X509_CRL *crl, int64_t now, int64_t next)
{
    ASN1_TIME *from = ASN1_TIME_set(NULL, (time_t)now), *to = ASN1_TIME_set(NULL, (time_t)next);
    bool ok = from != NULL && to != NULL && X509_CRL_set1_lastUpdate(crl, from) == 1 &&
              X509_CRL_set1_nextUpdate(crl, to) == 1;

    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    return ok;
}

static bool read_revoked(struct reader *r, X509_CRL *crl, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct signer_revocation item;
        uint64_t at;
        if (!reader_copy(r, item.serial, sizeof item.serial) || !reader_u64le(r, &at) ||
            at > INT64_MAX)
            return false;
        item.at = (int64_t)at;
        if (!add_revoked(crl, &item))
            return false;
    }
    return reader_at_end(r);
}

static bool make_crl(struct process *p, struct reader *r, struct bytes *out, struct err *err)
{
    struct writer w = writer_growable(&p->arena, SIGNER_MESSAGE_MAX);
    struct writer line = writer_growable(&p->arena, AUDIT_LINE_MAX);
    int64_t now_ms = os_unix_ms();
    uint64_t next;
    uint32_t count;
    uint8_t *der = NULL;
    int size = -1;

    if (!reader_u64le(r, &next) || !reader_u32le(r, &count) || next > INT64_MAX)
        return malformed(err);
    X509_CRL *crl = X509_CRL_new();
    if (crl != NULL && X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
        X509_CRL_set_issuer_name(crl, X509_get_subject_name(p->ca)) == 1 &&
        set_crl_times(crl, now_ms / 1000, (int64_t)next) && read_revoked(r, crl, count) &&
        add_crl_extensions(p, crl, now_ms) && X509_CRL_sort(crl) == 1 &&
        X509_CRL_sign(crl, p->key, EVP_sha256()) > 0)
        size = i2d_X509_CRL(crl, &der);
    if (size > 0)
        writer_bytes(&w, bytes_from(der, (size_t)size));
    OPENSSL_free(der);
    X509_CRL_free(crl);
    ERR_clear_error();
    if (size <= 0)
        return err_set(err, ERR_CRYPTO, "cannot make a revocation list", ERR_NO_AT);
    writer_format(&line, "\"event\":\"crl\",\"revoked\":%u,\"nextUpdate\":%llu", count,
                  (unsigned long long)next);
    return writer_done(&w, out, err) && add_line(p, &line, err);
}

static bool serve(struct process *p, uint8_t kind, struct reader *r, struct bytes *out,
                  struct err *err)
{
    switch (kind) {
    case SIGNER_ISSUE:
        return issue(p, r, out, err);
    case SIGNER_REFUSE:
        return refuse(p, r, err);
    case SIGNER_CRL:
        return make_crl(p, r, out, err);
    case SIGNER_EVENT:
        return record_event(p, r, err);
    default:
        return malformed(err);
    }
}

/* ---- the channel ---- */

static bool send_answer(const struct process *p, const struct answer *a, struct err *err)
{
    struct arena arena;
    struct bytes message;

    arena_init(&arena, arena_heap, SIGNER_MESSAGE_MAX + 4096);
    struct writer w = writer_growable(&arena, SIGNER_MESSAGE_MAX);
    struct bytes content = a->err.code == ERR_NONE ? a->der : bytes_of(a->err.msg);
    writer_u32le(&w, (uint32_t)(SIGNER_HEADER_SIZE - 4 + content.size + (a->err.code != ERR_NONE)));
    writer_u64le(&w, a->number);
    writer_u8(&w, a->err.code == ERR_NONE ? SIGNER_DONE : SIGNER_FAILED);
    if (a->err.code != ERR_NONE)
        writer_u8(&w, (uint8_t)a->err.code);
    writer_bytes(&w, content);
    bool ok = writer_done(&w, &message, err) && os_write_fd(p->options->channel, message, err);
    arena_done(&arena);
    return ok;
}

/* Syncs the group's lines, then answers. Nobody is told anything before its line is on the disk. */
static bool end_group(struct process *p, struct err *err)
{
    struct err failure;
    bool is_synced = p->answer_count == 0 || audit_sync(p->audit, &failure), ok = true;

    if (!is_synced)
        log_error("the audit log cannot be written", log_err(&failure));
    for (size_t i = 0; ok && i < p->answer_count; i++) {
        if (!is_synced)
            (void)err_set(&p->answers[i].err, ERR_IO, "the audit log cannot be written", ERR_NO_AT);
        ok = send_answer(p, &p->answers[i], err);
    }
    p->answer_count = 0;
    arena_done(&p->arena);
    return ok;
}

/* Serves the whole messages at the beginning of the input; *used is how much they were. */
static bool take_messages(struct process *p, struct bytes input, size_t *used, struct err *err)
{
    *used = 0;
    for (;;) {
        struct reader r = reader_of(bytes_after(input, *used));
        struct answer *a = &p->answers[p->answer_count];
        struct bytes message;
        uint32_t size;
        uint8_t kind;
        if (!reader_u32le(&r, &size))
            return true;
        if (size < SIGNER_HEADER_SIZE - 4 || size > SIGNER_MESSAGE_MAX)
            return malformed(err);
        if (!reader_bytes(&r, size, &message))
            return true;
        *used += r.at;
        r = reader_of(message);
        *a = (struct answer){.err = {.code = ERR_NONE}};
        if (!reader_u64le(&r, &a->number) || !reader_u8(&r, &kind))
            return malformed(err);
        if (!serve(p, kind, &r, &a->der, &a->err) && a->err.code == ERR_NONE)
            return malformed(err);
        p->answer_count++;
        if (p->answer_count == GROUP_COUNT && !end_group(p, err))
            return false;
    }
}

/* Reads what is there; false at the end of the channel. */
static bool read_input(struct process *p, bool *is_end, struct err *err)
{
    uint8_t *place = writer_reserve(&p->input, INPUT_SIZE);
    ssize_t n;

    *is_end = false;
    if (place == NULL)
        return err_set(err, ERR_LIMIT, "a message is longer than any", ERR_NO_AT);
    do
        n = read(p->options->channel, place, INPUT_SIZE);
    while (n < 0 && errno == EINTR);
    writer_truncate(&p->input, p->input.size - INPUT_SIZE + (n > 0 ? (size_t)n : 0));
    *is_end = n == 0;
    return n >= 0 || err_set(err, ERR_IO, "cannot read from the server", (uint64_t)errno);
}

static bool run(struct process *p, struct err *err)
{
    bool is_end;

    for (;;) {
        size_t used;
        if (!read_input(p, &is_end, err))
            return false;
        if (is_end)
            return true;
        struct bytes input = bytes_from(p->input.data, p->input.size);
        if (!take_messages(p, input, &used, err) || !end_group(p, err))
            return false;
        memmove(p->input.data, p->input.data + used, p->input.size - used);
        writer_truncate(&p->input, p->input.size - used);
    }
}

/* ---- its life ---- */

static bool read_pem(const char *path, struct arena *arena, BIO **out, struct err *err)
{
    struct bytes file;

    if (!os_read_file(path, (size_t)1 << 20, arena, &file, err))
        return false;
    *out = BIO_new_mem_buf(file.data, (int)file.size);
    return *out != NULL || err_set(err, ERR_MEMORY, "no memory for a key", ERR_NO_AT);
}

static bool load_keys(struct process *p, struct arena *arena, struct err *err)
{
    BIO *bio;

    if (!read_pem(p->options->certificate, arena, &bio, err))
        return false;
    p->ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (p->ca == NULL || X509_check_ca(p->ca) != 1)
        return err_set(err, ERR_FORMAT, "the CA's certificate is not a CA's", ERR_NO_AT);
    if (!read_pem(p->options->key, arena, &bio, err))
        return false;
    p->key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (p->key == NULL || X509_check_private_key(p->ca, p->key) != 1)
        return err_set(err, ERR_CRYPTO, "the CA's key is not that of its certificate", ERR_NO_AT);
    char group[32] = "";
    (void)EVP_PKEY_get_group_name(p->key, group, sizeof group, NULL);
    return strcmp(group, "prime256v1") == 0 ||
           err_set(err, ERR_CRYPTO, "the CA's key is not on P-256", ERR_NO_AT);
}

static bool open_all(struct process *p, struct err *err)
{
    struct arena arena;

    arena_init(&arena, arena_heap, (size_t)4 << 20);
    arena_set_wipe(&arena);
    bool ok = load_keys(p, &arena, err) && audit_open(p->options->audit, &p->audit, err);
    arena_done(&arena);
    return ok;
}

int signer_main(const struct signer_options *options)
{
    const struct answer ready = {.err = {.code = ERR_NONE}};
    struct process p = {.options = options};
    struct err err;

    arena_init(&p.arena, arena_heap, 4 * SIGNER_MESSAGE_MAX);
    arena_init(&p.input_arena, arena_heap, 4 * SIGNER_MESSAGE_MAX);
    p.input = writer_growable(&p.input_arena, SIGNER_MESSAGE_MAX + INPUT_SIZE);
    bool ok = sandbox_hide_memory(&err) && open_all(&p, &err) && sandbox_signer(&err);
    if (!ok)
        log_error("the signing process cannot start", log_str("ca", options->certificate),
                  log_err(&err));
    ok = ok && send_answer(&p, &ready, &err) && run(&p, &err);
    if (!ok && p.audit != NULL && err.code != ERR_IO)
        log_error("the signing process ends", log_err(&err));
    audit_free(p.audit);
    EVP_PKEY_free(p.key);
    X509_free(p.ca);
    arena_done(&p.arena);
    arena_done(&p.input_arena);
    return ok ? 0 : 1;
}
