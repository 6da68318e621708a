#include "host/sgx_keys.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "base/banned.h"

bool sgx_mac(const uint8_t key[SGX_KEY_BYTES], struct bytes message, uint8_t out[SGX_MAC_SIZE],
             struct err *err)
{
    static char cipher[] = "AES-128-CBC";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
    EVP_MAC_CTX *context = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    size_t size = 0;

    bool ok = context != NULL && EVP_MAC_init(context, key, SGX_KEY_BYTES, params) == 1 &&
              EVP_MAC_update(context, message.data, message.size) == 1 &&
              EVP_MAC_final(context, out, &size, SGX_MAC_SIZE) == 1 && size == SGX_MAC_SIZE;
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    return ok || err_set(err, ERR_CRYPTO, "no CMAC", ERR_NO_AT);
}

bool sgx_key_derive(const struct sgx_platform *platform, const struct sgx_key_dependencies *d,
                    uint8_t out[SGX_KEY_BYTES], struct err *err)
{
    uint8_t text[256];
    struct writer w = writer_fixed(text, sizeof text);
    struct bytes whole;

    writer_u16le(&w, d->name);
    writer_u16le(&w, d->policy);
    writer_u16le(&w, d->isv_prod_id);
    writer_u16le(&w, d->isv_svn);
    writer_u16le(&w, d->config_svn);
    writer_bytes(&w, bytes_from(d->cpu_svn, sizeof d->cpu_svn));
    writer_bytes(&w, bytes_from(d->attributes, sizeof d->attributes));
    writer_bytes(&w, bytes_from(d->attribute_mask, sizeof d->attribute_mask));
    writer_bytes(&w, bytes_from(d->mrenclave, sizeof d->mrenclave));
    writer_bytes(&w, bytes_from(d->mrsigner, sizeof d->mrsigner));
    writer_bytes(&w, bytes_from(d->key_id, sizeof d->key_id));
    writer_u32le(&w, d->misc_select);
    writer_u32le(&w, d->misc_mask);
    return writer_done(&w, &whole, err) && sgx_mac(platform->secret, whole, out, err);
}

bool sgx_report_key(const struct sgx_platform *platform, const uint8_t mrenclave[32],
                    const uint8_t attributes[16], uint32_t misc_select,
                    const uint8_t key_id[SGX_KEY_ID_SIZE], uint8_t out[SGX_KEY_BYTES],
                    struct err *err)
{
    struct sgx_key_dependencies d = {.name = SGX_KEY_REPORT, .misc_select = misc_select};

    memcpy(d.cpu_svn, platform->cpu_svn, sizeof d.cpu_svn);
    memcpy(d.mrenclave, mrenclave, sizeof d.mrenclave);
    memcpy(d.attributes, attributes, sizeof d.attributes);
    memcpy(d.key_id, key_id, sizeof d.key_id);
    return sgx_key_derive(platform, &d, out, err);
}
