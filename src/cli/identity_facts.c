#include "cli/identity_facts.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>

#include "identity/identity.h"
#include "base/banned.h"

#define VALUE_MAX 4096

PRINTF_LIKE(4, 5)
static void put(struct fact_item *item, struct arena *arena, const char *name, const char *format,
                ...)
{
    char text[VALUE_MAX];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char *copy = size >= 0 && size < VALUE_MAX ? arena_alloc(arena, (size_t)size + 1, 1) : NULL;
    if (copy == NULL || item->count == FACTS_MAX)
        return;
    memcpy(copy, text, (size_t)size + 1);
    item->facts[item->count++] = (struct fact){.name = name, .value = copy};
}

static void put_text(struct fact_item *item, struct arena *arena, const char *name,
                     struct bytes text)
{
    if (text.size != 0)
        put(item, arena, name, "%.*s", (int)text.size, (const char *)text.data);
}

static void put_hex(struct fact_item *item, struct arena *arena, const char *name, struct bytes in)
{
    char text[2 * 256];

    in = bytes_before(in, sizeof text / 2);
    hex_encode(in, text);
    if (in.size != 0)
        put(item, arena, name, "%.*s", (int)hex_size(in.size), text);
}

static void put_claims(struct fact_item *item, struct arena *arena,
                       const struct identity_claims *claims)
{
    put_text(item, arena, "slug", claims->slug);
    if (claims->has_digest)
        put_hex(item, arena, "digest", bytes_from(claims->digest, sizeof claims->digest));
}

static void put_certificate(struct fact_item *item, struct arena *arena,
                            const struct identity_certificate *c)
{
    static const char *const technologies[] = {
        [IDENTITY_SNP] = "snp", [IDENTITY_SGX] = "sgx", [IDENTITY_TDX] = "tdx"};

    put_text(item, arena, "name", c->name);
    put_text(item, arena, "trust_domain", c->trust_domain);
    put_claims(item, arena, &c->identity.claims);
    put(item, arena, "technology", "%s", technologies[c->identity.technology]);
    put_hex(item, arena, "measurement", c->identity.measurement);
    put_hex(item, arena, "signer", c->identity.signer);
    put_hex(item, arena, "tcb", c->identity.tcb);
    put_text(item, arena, "tcb_status", c->identity.tcb_status);
    put(item, arena, "simulated", "%s", c->identity.is_simulated ? "true" : "false");
}

/* The first thing of a kind in a file: its DER, or nothing. */
static struct bytes der_of(struct bytes file, const char *label, struct arena *arena)
{
    BIO *bio = BIO_new_mem_buf(file.data, (int)file.size);
    char *name = NULL, *header = NULL;
    uint8_t *der = NULL, *copy = NULL;
    long size = 0;

    if (file.size != 0 && file.data[0] == DER_SEQUENCE) {
        BIO_free(bio);
        return file;
    }
    if (bio != NULL && PEM_read_bio(bio, &name, &header, &der, &size) == 1 &&
        strcmp(name, label) == 0 && (copy = arena_alloc(arena, (size_t)size, 1)) != NULL)
        memcpy(copy, der, (size_t)size);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    ERR_clear_error();
    return bytes_from(copy, copy != NULL ? (size_t)size : 0);
}

static bool certificate_facts(struct bytes file, struct arena *arena, struct fact_item *out)
{
    struct bytes der = der_of(file, PEM_STRING_X509, arena);
    const uint8_t *at = der.data;
    X509 *x509 = der.size != 0 ? d2i_X509(NULL, &at, (long)der.size) : NULL;
    struct identity_certificate certificate;
    struct err err = {.code = ERR_NOT_FOUND};

    ERR_clear_error();
    *out = (struct fact_item){.kind = "keep certificate"};
    if (x509 != NULL && identity_certificate_parse(x509, arena, &certificate, &err))
        put_certificate(out, arena, &certificate);
    else if (err.code != ERR_NOT_FOUND)
        put(out, arena, "invalid", "%s", err.msg);
    X509_free(x509);
    return out->count != 0;
}

static bool parse_request(struct bytes file, struct arena *arena, struct identity_request *out)
{
    struct bytes der = der_of(file, PEM_STRING_X509_REQ, arena);
    struct err err;

    return der.size != 0 && identity_request_parse(der, arena, out, &err) && out->has_claims;
}

bool cli_identity_facts(struct bytes file, struct arena *arena, struct fact_item *out)
{
    struct identity_request request;

    if (!parse_request(file, arena, &request))
        return certificate_facts(file, arena, out);
    *out = (struct fact_item){.kind = "keep request"};
    put_claims(out, arena, &request.claims);
    put_hex(out, arena, "nonce", request.nonce);
    put(out, arena, "platform", "%s", request.claims.has_digest ? "false" : "true");
    return true;
}

bool cli_request_binding(struct bytes file, struct arena *arena, uint8_t out[64], struct err *err)
{
    struct bytes der = der_of(file, PEM_STRING_X509_REQ, arena);
    struct identity_request request;

    if (!identity_is_request(der))
        return true;
    return identity_request_parse(der, arena, &request, err) &&
           (!request.has_claims ||
            identity_bind(request.spki, request.claims_der, request.nonce, out, err));
}
