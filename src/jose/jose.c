#include "jose/jose.h"

#include <jansson.h>
#include <rhonabwy.h>
#include <stdlib.h>

#include "base/banned.h"

#define RSA_BITS_MIN 2048u
#define JWS_MAX ((size_t)4 << 20)
#define SIGNATURES_MAX 64u

struct jose_keys {
    jwks_t *set;
};

static bool no_memory(struct err *err)
{
    return err_set(err, ERR_MEMORY, "no memory for a token", ERR_NO_AT);
}

static bool refuse(struct err *err, const char *msg)
{
    return err_set(err, ERR_POLICY, msg, ERR_NO_AT);
}

static bool malformed(struct err *err)
{
    return err_set(err, ERR_FORMAT, "this is no JWT", ERR_NO_AT);
}

static bool copy_text(const char *text, struct arena *arena, struct bytes *out, struct err *err)
{
    struct bytes in = bytes_of(text);
    uint8_t *place = arena_alloc(arena, in.size + 1, 1); /* with its NUL */

    if (place == NULL)
        return no_memory(err);
    memcpy(place, in.data, in.size + 1);
    *out = bytes_from(place, in.size);
    return true;
}

/* With a NUL at its end, as the library wants its texts. */
static char *to_string(struct bytes text)
{
    if (text.size != 0 && memchr(text.data, '\0', text.size) != NULL)
        return NULL;
    char *copy = malloc(text.size + 1);
    if (copy == NULL)
        return NULL;
    if (text.size != 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

static void free_string(char *text)
{
    if (text != NULL)
        secret_wipe(text, strlen(text));
    free(text);
}

/* ---- keys of an issuer ---- */

static bool is_ours(jwk_t *key)
{
    unsigned bits = 0;
    int type = r_jwk_key_type(key, &bits, R_FLAG_IGNORE_REMOTE);
    const char *use = r_jwk_get_property_str(key, "use");

    if (use != NULL && strcmp(use, "sig") != 0)
        return false;
    if ((type & R_KEY_TYPE_RSA) != 0)
        return bits >= RSA_BITS_MIN;
    return (type & R_KEY_TYPE_EC) != 0 && (bits == 256 || bits == 384);
}

/* Takes over the keys that are ours. */
static bool choose_keys(jwks_t *from, jwks_t *to, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < r_jwks_size(from); i++) {
        jwk_t *key = r_jwks_get_at(from, i);
        int type = r_jwk_key_type(key, NULL, R_FLAG_IGNORE_REMOTE);
        if ((type & (R_KEY_TYPE_PRIVATE | R_KEY_TYPE_SYMMETRIC)) != 0)
            ok = refuse(err, "the key set has a private key or a shared secret; an issuer "
                             "publishes neither");
        else if (is_ours(key))
            ok = r_jwks_append_jwk(to, key) == RHN_OK || no_memory(err);
        r_jwk_free(key);
    }
    return ok && (r_jwks_size(to) != 0 ||
                  refuse(err, "the key set has no key for RS256 (2048 bits), ES256 or ES384"));
}

bool jose_keys_parse(struct bytes json, struct jose_keys **out, struct err *err)
{
    struct jose_keys *keys = calloc(1, sizeof *keys);
    char *text = to_string(json);
    jwks_t *all = NULL;

    bool ok = (keys != NULL && text != NULL) || no_memory(err);
    ok = ok &&
         ((r_jwks_init(&all) == RHN_OK && r_jwks_init(&keys->set) == RHN_OK) || no_memory(err));
    ok = ok && (r_jwks_import_from_json_str(all, text) == RHN_OK ||
                err_set(err, ERR_FORMAT, "this is no JWK set", ERR_NO_AT));
    ok = ok && choose_keys(all, keys->set, err);
    r_jwks_free(all);
    free(text);
    if (ok)
        *out = keys;
    else
        jose_keys_free(keys);
    return ok;
}

void jose_keys_free(struct jose_keys *keys)
{
    if (keys == NULL)
        return;
    r_jwks_free(keys->set);
    free(keys);
}

/* ---- tokens ---- */

#define NAMED(algorithm)                                                             \
    {                                                                                \
        algorithm, "it is signed by " algorithm "; RS256, ES256 and ES384 are taken" \
    }

/* Refuses by the name that the header has, as far as that is known. */
static bool refuse_algorithm(const char *name, struct err *err)
{
    static const struct {
        const char *name, *msg;
    } known[] = {NAMED("none"),  NAMED("HS256"), NAMED("HS384"), NAMED("HS512"),
                 NAMED("RS384"), NAMED("RS512"), NAMED("PS256"), NAMED("PS384"),
                 NAMED("PS512"), NAMED("ES512"), NAMED("EdDSA"), NAMED("ES256K")};

    for (size_t i = 0; name != NULL && i < COUNT_OF(known); i++) {
        if (strcmp(name, known[i].name) == 0)
            return refuse(err, known[i].msg);
    }
    return refuse(err, "it is signed by an unknown algorithm; RS256, ES256 and ES384 are taken");
}

/* The JSON that a part of a compact serialization is; NULL: it is none. */
static json_t *decode_part(struct bytes text)
{
    size_t size, capacity = base64_decoded_size_max(text.size);
    uint8_t *json = malloc(capacity + 1);
    struct err ignored;
    json_t *root = NULL;

    if (json != NULL && base64_decode(text, BASE64_URL, json, capacity, &size, &ignored))
        root = json_loadb((const char *)json, size, JSON_REJECT_DUPLICATES, NULL);
    if (json != NULL)
        secret_wipe(json, capacity);
    free(json);
    return root;
}

static struct bytes part_before(struct bytes *rest)
{
    const uint8_t *dot = rest->size != 0 ? memchr(rest->data, '.', rest->size) : NULL;
    struct bytes part = dot != NULL ? bytes_before(*rest, (size_t)(dot - rest->data)) : *rest;

    *rest = bytes_after(*rest, part.size + 1);
    return part;
}

static bool is_allowed(const char *algorithm, bool with_rsa)
{
    return algorithm != NULL &&
           (strcmp(algorithm, "ES256") == 0 || strcmp(algorithm, "ES384") == 0 ||
            (with_rsa && strcmp(algorithm, "RS256") == 0));
}

/* Judges a header before the library does. */
static bool check_header(const json_t *header, bool with_rsa, struct err *err)
{
    const char *algorithm = json_string_value(json_object_get(header, "alg"));

    if (!json_is_object(header))
        return malformed(err);
    if (!is_allowed(algorithm, with_rsa))
        return refuse_algorithm(algorithm, err);
    if (json_object_get(header, "crit") != NULL || json_object_get(header, "b64") != NULL)
        return refuse(err, "its header has critical parameters, of which none is known");
    return true;
}

static bool verify_signature(const struct jose_keys *keys, const char *token, struct err *err)
{
    jwt_t *jwt = NULL;

    if (r_jwt_init(&jwt) != RHN_OK)
        return no_memory(err);
    /* without R_PARSE_HEADER_*: a key in the token's own header is nobody's */
    bool ok = r_jwt_advanced_parse(jwt, token, R_PARSE_NONE, 0) == RHN_OK || malformed(err);
    ok = ok && (r_jwt_add_sign_jwks(jwt, NULL, keys->set) == RHN_OK || no_memory(err));
    ok = ok && (r_jwt_verify_signature(jwt, NULL, 0) == RHN_OK ||
                err_set(err, ERR_CRYPTO, "its signature is by no key of the issuer's", ERR_NO_AT));
    r_jwt_free(jwt);
    return ok;
}

static bool is_audience(const json_t *claim, struct bytes audience)
{
    if (json_is_string(claim))
        return bytes_is(audience, json_string_value(claim));
    for (size_t i = 0; i < json_array_size(claim); i++) {
        const char *one = json_string_value(json_array_get(claim, i));
        if (one != NULL && bytes_is(audience, one))
            return true;
    }
    return false;
}

static bool check_claims(const json_t *claims, const struct jose_expected *e, struct err *err)
{
    const json_t *expires = json_object_get(claims, "exp");
    const json_t *issued = json_object_get(claims, "iat");
    const json_t *from = json_object_get(claims, "nbf");
    const char *issuer = json_string_value(json_object_get(claims, "iss"));

    if (!json_is_number(expires) || !json_is_number(issued))
        return refuse(err, "it does not say when it was issued (iat) and expires (exp)");
    if (json_number_value(expires) + JOSE_LEEWAY_S <= (double)e->now)
        return refuse(err, "it has expired");
    if (json_number_value(issued) - JOSE_LEEWAY_S > (double)e->now ||
        (from != NULL &&
         (!json_is_number(from) || json_number_value(from) - JOSE_LEEWAY_S > (double)e->now)))
        return refuse(err, "it is not valid yet");
    if (issuer == NULL || !bytes_is(e->issuer, issuer))
        return refuse(err, "it is of another issuer");
    if (!is_audience(json_object_get(claims, "aud"), e->audience))
        return refuse(err, "it is for another audience");
    return true;
}

static bool read_claims(const json_t *claims, struct arena *arena, struct jose_claims *out,
                        struct err *err)
{
    const char *subject = json_string_value(json_object_get(claims, "sub"));
    const char *scope = json_string_value(json_object_get(claims, "scope"));

    if (subject == NULL || *subject == '\0')
        return refuse(err, "it has no subject (sub)");
    if (scope == NULL)
        return refuse(err, "it has no scope");
    return copy_text(subject, arena, &out->subject, err) &&
           copy_text(scope, arena, &out->scope, err);
}

bool jose_token_verify(const struct jose_keys *keys, struct bytes token,
                       const struct jose_expected *expected, struct arena *arena,
                       struct jose_claims *out, struct err *err)
{
    struct bytes rest = token;
    struct jose_claims claims = {.subject = {.size = 0}};

    if (token.size > JOSE_TOKEN_MAX)
        return err_set(err, ERR_LIMIT, "it is larger than, in bytes", JOSE_TOKEN_MAX);
    json_t *header = decode_part(part_before(&rest));
    json_t *payload = decode_part(part_before(&rest));
    char *text = to_string(token);
    bool ok = (text != NULL && header != NULL && json_is_object(payload)) || malformed(err);
    ok = ok && check_header(header, true, err) && verify_signature(keys, text, err) &&
         check_claims(payload, expected, err) && read_claims(payload, arena, &claims, err);
    json_delete(header);
    json_delete(payload);
    free_string(text);
    if (ok)
        *out = claims;
    return ok;
}

bool jose_token_subject(struct bytes token, struct arena *arena, struct bytes *out, struct err *err)
{
    struct bytes rest = token;

    (void)part_before(&rest);
    json_t *payload = decode_part(part_before(&rest));
    const char *subject = json_string_value(json_object_get(payload, "sub"));
    bool ok = subject != NULL ? copy_text(subject, arena, out, err) : malformed(err);
    json_delete(payload);
    return ok;
}

/* ---- keys of publishers ---- */

static bool fail_key(struct err *err)
{
    return err_set(err, ERR_CRYPTO, "this is no key of P-256 or P-384 in PEM", ERR_NO_AT);
}

/* A key in PEM, for r_jwk_free. */
static bool import_key(struct bytes pem, int type, jwk_t **out, struct err *err)
{
    unsigned bits = 0;

    *out = NULL;
    if (r_jwk_init(out) != RHN_OK)
        return no_memory(err);
    if (r_jwk_import_from_pem_der(*out, type, R_FORMAT_PEM, pem.data, pem.size) != RHN_OK ||
        (r_jwk_key_type(*out, &bits, R_FLAG_IGNORE_REMOTE) & R_KEY_TYPE_EC) == 0 ||
        (bits != 256 && bits != 384)) {
        r_jwk_free(*out);
        *out = NULL;
        return fail_key(err);
    }
    return true;
}

static bool is_p384(jwk_t *key)
{
    unsigned bits = 0;

    (void)r_jwk_key_type(key, &bits, R_FLAG_IGNORE_REMOTE);
    return bits == 384;
}

/* Text of the library's, copied and freed; NULL: it failed. */
static bool take_text(char *text, struct arena *arena, struct bytes *out, struct err *err)
{
    bool ok = text != NULL ? copy_text(text, arena, out, err)
                           : err_set(err, ERR_CRYPTO, "a key cannot be used", ERR_NO_AT);

    r_free(text);
    return ok;
}

bool jose_thumbprint(struct bytes key, struct arena *arena, struct bytes *out, struct err *err)
{
    jwk_t *jwk;

    if (!import_key(key, R_X509_TYPE_PUBKEY, &jwk, err) &&
        !import_key(key, R_X509_TYPE_PRIVKEY, &jwk, err))
        return false;
    bool ok = take_text(r_jwk_thumbprint(jwk, R_JWK_THUMB_SHA256, 0), arena, out, err);
    r_jwk_free(jwk);
    return ok;
}

bool jose_sign(struct bytes payload, struct bytes key, struct arena *arena, struct bytes *out,
               struct err *err)
{
    struct bytes id, compact, part[3];
    jws_t *jws = NULL;
    jwk_t *jwk;

    if (!jose_thumbprint(key, arena, &id, err) || !import_key(key, R_X509_TYPE_PRIVKEY, &jwk, err))
        return false;
    bool ok = (r_jws_init(&jws) == RHN_OK &&
               r_jws_set_alg(jws, is_p384(jwk) ? R_JWA_ALG_ES384 : R_JWA_ALG_ES256) == RHN_OK &&
               r_jws_set_header_str_value(jws, "kid", (const char *)id.data) == RHN_OK &&
               r_jws_set_payload(jws, payload.data, payload.size) == RHN_OK) ||
              no_memory(err);
    ok = ok && take_text(r_jws_serialize(jws, jwk, 0), arena, &compact, err);
    r_jws_free(jws);
    r_jwk_free(jwk);
    for (size_t i = 0; ok && i < COUNT_OF(part); i++)
        part[i] = part_before(&compact);
    struct writer w = writer_growable(arena, JWS_MAX);
    const char *const names[] = {"{\"protected\":\"", "\",\"payload\":\"", "\",\"signature\":\""};
    for (size_t i = 0; ok && i < COUNT_OF(part); i++) {
        writer_text(&w, names[i]);
        writer_bytes(&w, part[i]);
    }
    writer_text(&w, "\"}");
    return ok && writer_done(&w, out, err);
}

/* One signature: made into the compact serialization, so that nothing outside of what is signed has
 * a say. */
static bool verify_one(const json_t *payload, const json_t *signature, jwk_t *key, struct err *err)
{
    const char *parts[] = {json_string_value(json_object_get(signature, "protected")),
                           json_string_value(payload),
                           json_string_value(json_object_get(signature, "signature"))};
    char *compact = NULL;
    jws_t *jws = NULL;

    if (parts[0] == NULL || parts[1] == NULL || parts[2] == NULL)
        return err_set(err, ERR_FORMAT, "a signature lacks its protected header", ERR_NO_AT);
    json_t *header = decode_part(bytes_of(parts[0]));
    bool ok = header != NULL ? check_header(header, false, err) : malformed(err);
    json_delete(header);
    if (!ok)
        return false;
    size_t size = strlen(parts[0]) + strlen(parts[1]) + strlen(parts[2]) + 3;
    compact = malloc(size);
    if (compact == NULL || r_jws_init(&jws) != RHN_OK) {
        free(compact);
        return no_memory(err);
    }
    (void)snprintf(compact, size, "%s.%s.%s", parts[0], parts[1], parts[2]);
    ok = (r_jws_advanced_parse(jws, compact, R_PARSE_NONE, 0) == RHN_OK &&
          r_jws_verify_signature(jws, key, 0) == RHN_OK) ||
         err_set(err, ERR_CRYPTO, "it is not signed by this key", ERR_NO_AT);
    r_jws_free(jws);
    free(compact);
    return ok;
}

bool jose_verify(struct bytes jws, struct bytes key, struct err *err)
{
    jwk_t *jwk;

    if (jws.size > JWS_MAX)
        return err_set(err, ERR_LIMIT, "it is larger than, in bytes", JWS_MAX);
    if (!import_key(key, R_X509_TYPE_PUBKEY, &jwk, err))
        return false;
    json_t *root = json_loadb((const char *)jws.data, jws.size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *payload = json_object_get(root, "payload");
    const json_t *list = json_object_get(root, "signatures");
    size_t count = json_array_size(list);
    bool ok = err_set(err, ERR_FORMAT, "it is not signed", ERR_NO_AT);
    if (list == NULL && payload != NULL)
        ok = verify_one(payload, root, jwk, err);
    for (size_t i = 0; payload != NULL && count <= SIGNATURES_MAX && !ok && i < count; i++)
        ok = verify_one(payload, json_array_get(list, i), jwk, err);
    json_delete(root);
    r_jwk_free(jwk);
    return ok;
}
