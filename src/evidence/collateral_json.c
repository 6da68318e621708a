/* Endorsements in JSON: the bodies of Intel's service, and the files in which others keep several
 * of them. What each key of such an object means stands in one table. */
#include <openssl/ecdsa.h>

#include "evidence/collateral_parts.h"
#include "evidence/json.h"

/* A number list or hexadecimal of a signature: DER of two numbers of 32 bytes at most. */
#define SIGNATURE_DER_MAX 80

static bool signature_from_der(const uint8_t *der, size_t size, uint8_t out[64])
{
    const uint8_t *at = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
    bool ok = signature != NULL && at == der + size &&
              BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32) == 32;

    ECDSA_SIG_free(signature);
    return ok;
}

/* rust-sgx's list of the bytes of DER. */
static bool signature_from_list(const json_t *list, uint8_t out[64])
{
    uint8_t der[SIGNATURE_DER_MAX];
    size_t size = json_array_size(list);

    if (size > sizeof der)
        return false;
    for (size_t i = 0; i < size; i++) {
        const json_t *item = json_array_get(list, i);
        if (!json_is_integer(item) || json_integer_value(item) < 0 ||
            json_integer_value(item) > UINT8_MAX)
            return false;
        der[i] = (uint8_t)json_integer_value(item);
    }
    return signature_from_der(der, size, out);
}

static bool read_signature(const json_t *root, const char *key, uint8_t out[64])
{
    const json_t *value = json_object_get(root, key);

    return json_is_array(value) ? signature_from_list(value, out) : json_hex(root, key, out, 64);
}

static bool fill_document(struct signed_document *out, struct bytes json,
                          const uint8_t signature[64], struct err *err)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    out->bytes = json;
    memcpy(out->signature, signature, sizeof out->signature);
    bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(context, signature, sizeof out->signature) == 1 &&
              EVP_DigestUpdate(context, json.data, json.size) == 1 &&
              EVP_DigestFinal_ex(context, out->digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return ok || err_set(err, ERR_CRYPTO, "cannot compute a digest", ERR_NO_AT);
}

static bool add_tcb_info(struct collateral *c, struct bytes json, const uint8_t signature[64],
                         struct err *err)
{
    struct tcb_info *info = &c->tcb_infos[c->tcb_info_count];

    if (c->tcb_info_count == COLLATERAL_DOCUMENTS_MAX)
        return err_set(err, ERR_LIMIT, "more TCB infos than", COLLATERAL_DOCUMENTS_MAX);
    if (!tcb_info_parse(json, &c->arena, info, err) ||
        !fill_document(&info->document, json, signature, err))
        return false;
    c->tcb_info_count++;
    return true;
}

static bool add_identity(struct collateral *c, struct bytes json, const uint8_t signature[64],
                         struct err *err)
{
    struct enclave_identity *identity = &c->identities[c->identity_count];

    if (c->identity_count == COLLATERAL_DOCUMENTS_MAX)
        return err_set(err, ERR_LIMIT, "more enclave identities than", COLLATERAL_DOCUMENTS_MAX);
    if (!enclave_identity_parse(json, &c->arena, identity, err) ||
        !fill_document(&identity->document, json, signature, err))
        return false;
    c->identity_count++;
    return true;
}

typedef bool add_document(struct collateral *c, struct bytes json, const uint8_t signature[64],
                          struct err *err);

/* Documents: as objects in the text, whose bytes were signed, or as strings of those bytes. */
static const struct {
    const char *key, *signature;
    bool is_raw;
    add_document *add;
} documents[] = {
    {"tcbInfo", "signature", true, add_tcb_info},
    {"enclaveIdentity", "signature", true, add_identity},
    {"tcb_info", "tcb_info_signature", false, add_tcb_info},
    {"qe_identity", "qe_identity_signature", false, add_identity},
    {"raw_tcb_info", "signature", false, add_tcb_info},
    {"raw_enclave_identity", "signature", false, add_identity},
};

/* Texts that are collateral of their own: PEM, hexadecimal, or a body of Intel's service. */
static const char *const texts[] = {
    "pck_crl_issuer_chain",
    "root_ca_crl",
    "pck_crl",
    "tcb_info_issuer_chain",
    "qe_identity_issuer_chain",
    "crl",
    "crl_data",
    "issuer_chain",
    "tcb_info_json",
    "qe_identity_json",
    "enclave_identity_json",
    "ca_chain",
};

static bool add_documents(struct collateral *c, const json_t *root, struct bytes text,
                          size_t *found, struct err *err)
{
    uint8_t signature[64];
    struct bytes json, kept;

    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        if (json_object_get(root, documents[i].key) == NULL)
            continue;
        bool ok = documents[i].is_raw ? json_raw_member(text, documents[i].key, &json)
                                      : json_text(root, documents[i].key, &json);
        if (!ok || !read_signature(root, documents[i].signature, signature))
            return err_set(err, ERR_FORMAT, "a signed document has no readable signature",
                           ERR_NO_AT);
        if (!collateral_keep(c, json, &kept, err) || !documents[i].add(c, kept, signature, err))
            return false;
        ++*found;
    }
    return true;
}

static bool add_one_text(struct collateral *c, const json_t *value, struct err *err)
{
    struct bytes text = bytes_from(json_string_value(value), json_string_length(value));

    while (text.size != 0 && text.data[0] <= ' ') /* white space, or what no JSON begins with */
        text = bytes_after(text, 1);
    /* JSON within JSON once, not for ever: the inner text has no such keys */
    if (text.size != 0 && text.data[0] == '{') {
        json_t *inner;
        size_t found = 0;
        if (!json_parse(text, &inner, err))
            return false;
        bool ok = add_documents(c, inner, text, &found, err);
        json_decref(inner);
        return ok && (found != 0 || err_set(err, ERR_FORMAT, "JSON without collateral", ERR_NO_AT));
    }
    return collateral_add(c, text, err);
}

static bool add_texts(struct collateral *c, const json_t *root, size_t *found, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const json_t *value = json_object_get(root, texts[i]);
        size_t count = json_is_array(value) ? json_array_size(value) : 1;
        if (value == NULL)
            continue;
        for (size_t k = 0; k < count; k++) {
            const json_t *item = json_is_array(value) ? json_array_get(value, k) : value;
            if (!json_is_string(item))
                return err_set(err, ERR_FORMAT, "collateral that should be text is not", ERR_NO_AT);
            if (!add_one_text(c, item, err))
                return false;
        }
        ++*found;
    }
    return true;
}

bool collateral_add_json(struct collateral *c, struct bytes text, struct err *err)
{
    json_t *root;
    size_t found = 0;

    if (!json_parse(text, &root, err))
        return false;
    bool ok = add_documents(c, root, text, &found, err) && add_texts(c, root, &found, err);
    json_decref(root);
    if (ok && found == 0)
        return err_set(err, ERR_FORMAT, "JSON without collateral that is known", ERR_NO_AT);
    return ok;
}
