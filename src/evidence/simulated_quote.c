/* A simulated SGX platform and the quoting enclave on it. Intel's ECDSA quote library API, appendix
 * A.4 (quotes of version 3), and its PCK certificate specification.
 *
 *   offset size                              offset size
 *        0    2 version, 3                      436   64 signature of 0 to 431 by the attestation
 * key 2    2 kind of key, 2: P-256           500   64 the attestation key, x and y 4    4 reserved
 * 564  384 REPORT of the quoting enclave 8    2 its SVN                         948   64 signature
 * of that by the PCK 10    2 the PCE's SVN                  1012    2 size of the authentication
 * data 12   16 vendor                         1014   32 authentication data 28   20 user data 1046
 * 2 kind of what follows, 5: the PCK chain 48  384 REPORT of the enclave          1048    4 its
 * size 432    4 size of what follows           1052      PEM: PCK, platform CA, root
 *
 * REPORT names the attestation key: SHA-256 of it and the authentication data, then zeroes. */
#include <assert.h>
#include <openssl/ec.h>
#include <stdlib.h>

#include "evidence/simulated_sgx.h"

#define QUOTE_VERSION 3u
#define KEY_P256 2u
#define CHAIN_IN_PEM 5u
#define HEADER_SIZE 48u
#define USER_DATA_SIZE 20u
#define AUTHENTICATION_SIZE 32u
#define SIGNATURE_SIZE (2u * P256_SIZE)
#define INSTANCE_ID_SIZE 16u
#define COMPONENT_COUNT 16
#define XFRM_X87_SSE 3u

const uint8_t simulated_qe_attributes[16] = {0x05, 0, 0, 0, 0, 0, 0, 0, XFRM_X87_SSE};
const uint8_t simulated_qe_attributes_mask[16] = {0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static const uint8_t vendor_intel[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                         0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

struct simulated_quoting {
    EVP_PKEY *key; /* the attestation key */
    uint8_t header[HEADER_SIZE];
    struct bytes rest; /* all that comes behind the quote's own signature; in the arena */
    struct arena arena;
};

bool simulated_qe_mrsigner(uint8_t out[SHA256_SIZE], struct err *err)
{
    return crypto_sha256(bytes_of("the signer of Broch's simulated quoting enclave"), out, err);
}

void simulated_quoting_free(struct simulated_quoting *quoting)
{
    if (quoting == NULL)
        return;
    EVP_PKEY_free(quoting->key);
    arena_done(&quoting->arena);
    free(quoting);
}

/* ---- the platform's certificate ---- */

/* 1.2.840.113741.1.13.1, and one arc or two behind it. */
static void write_oid(struct writer *w, uint8_t arc, uint8_t second_arc)
{
    const uint8_t oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01, arc, second_arc};
    size_t size = sizeof oid - (second_arc == 0) - (arc == 0);

    der_write(w, DER_OID, bytes_from(oid, size));
}

static void write_octets(struct writer *w, uint8_t arc, uint8_t second_arc, struct bytes value)
{
    size_t mark = der_open(w, DER_SEQUENCE);

    write_oid(w, arc, second_arc);
    der_write(w, DER_OCTET_STRING, value);
    der_close(w, mark);
}

static void write_number(struct writer *w, uint8_t arc, uint8_t second_arc, uint8_t tag,
                         uint64_t value)
{
    size_t mark = der_open(w, DER_SEQUENCE);

    write_oid(w, arc, second_arc);
    if (tag == DER_BOOLEAN)
        der_write_boolean(w, value != 0);
    else
        der_write_uint64(w, tag, value);
    der_close(w, mark);
}

/* Arc 2: the components, the PCE's SVN, and CPUSVN, which has the components' bytes. */
static void write_tcb(struct writer *w, const struct simulated_platform *platform)
{
    size_t tcb = der_open(w, DER_SEQUENCE);

    write_oid(w, 2, 0);
    size_t list = der_open(w, DER_SEQUENCE);
    for (uint8_t i = 0; i < COMPONENT_COUNT; i++)
        write_number(w, 2, (uint8_t)(1 + i), DER_INTEGER, platform->svns[i]);
    write_number(w, 2, 1 + COMPONENT_COUNT, DER_INTEGER, platform->pce_svn);
    write_octets(w, 2, 2 + COMPONENT_COUNT, bytes_from(platform->svns, sizeof platform->svns));
    der_close(w, list);
    der_close(w, tcb);
}

/* Arc 7: whether the platform may grow, caches its keys at Intel's, has SMT on. */
static void write_configuration(struct writer *w)
{
    size_t configuration = der_open(w, DER_SEQUENCE);

    write_oid(w, 7, 0);
    size_t list = der_open(w, DER_SEQUENCE);
    write_number(w, 7, 1, DER_BOOLEAN, true);
    write_number(w, 7, 2, DER_BOOLEAN, false);
    write_number(w, 7, 3, DER_BOOLEAN, false);
    der_close(w, list);
    der_close(w, configuration);
}

static void write_sgx_extension(struct writer *w, const struct simulated_platform *platform,
                                struct bytes instance_id)
{
    static const uint8_t oid[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
    uint8_t memory[1024];
    struct writer value = writer_fixed(memory, sizeof memory);
    size_t mark = der_open(&value, DER_SEQUENCE);

    write_octets(&value, 1, 0, bytes_from(platform->ppid, sizeof platform->ppid));
    write_tcb(&value, platform);
    write_octets(&value, 3, 0, bytes_from(platform->pce_id, sizeof platform->pce_id));
    write_octets(&value, 4, 0, bytes_from(platform->fmspc, sizeof platform->fmspc));
    write_number(&value, 5, 0, DER_ENUMERATED, 1); /* scalable */
    write_octets(&value, 6, 0, instance_id);
    write_configuration(&value);
    der_close(&value, mark);
    assert(value.failed == ERR_NONE); /* its size is nearly the same for all platforms */
    simulated_extension(w, bytes_from(oid, sizeof oid), false, bytes_from(memory, value.size));
}

/* The certificate as PEM. Its serial is the platform's own, not the key's identifier. */
static bool write_pck(const struct simulated_sgx *roots, const struct simulated_platform *platform,
                      struct simulated_dates dates, EVP_PKEY *pck, struct bytes instance_id,
                      struct arena *arena, struct writer *w, struct err *err)
{
    uint8_t id[SIMULATED_KEY_ID_SIZE], serial[SHA256_SIZE];
    EVP_PKEY *ca = roots->parties[SIMULATED_PLATFORM_CA].key;
    struct writer extensions = writer_growable(arena, SIMULATED_SIZE_MAX);
    struct writer der = writer_growable(arena, SIMULATED_SIZE_MAX);
    struct bytes certificate;
    struct certificate_form form = {.maker = SIMULATED_INTEL,
                                    .serial = bytes_from(serial, SIMULATED_KEY_ID_SIZE),
                                    .issuer = "Intel SGX PCK Platform CA",
                                    .subject = "Intel SGX PCK Certificate",
                                    .dates = dates,
                                    .key = pck};

    if (!simulated_key_id(pck, id, err) || !crypto_sha256(bytes_from(id, sizeof id), serial, err) ||
        !simulated_sgx_extensions(
            pck, ca, SIMULATED_END_ENTITY,
            SIMULATED_URL "sgx/certification/v4/pckcrl?ca=platform&encoding=der", &extensions, err))
        return false;
    write_sgx_extension(&extensions, platform, instance_id);
    if (!writer_done(&extensions, &form.extensions, err) ||
        !simulated_certificate(&form, ca, &der, err) || !writer_done(&der, &certificate, err))
        return false;
    simulated_pem(w, SIMULATED_CERTIFICATE, certificate);
    return true;
}

/* ---- the quoting enclave ---- */

static void put_zeroes(struct writer *w, size_t size)
{
    static const uint8_t zeroes[96];

    writer_bytes(w, bytes_from(zeroes, size));
}

/* SDM volume 3D, REPORT: what the quoting enclave says of the attestation key. */
static bool qe_report(const struct simulated_platform *platform, const uint8_t digest[SHA256_SIZE],
                      uint8_t out[SGX_REPORT_SIZE], struct err *err)
{
    struct writer w = writer_fixed(out, SGX_REPORT_SIZE);
    uint8_t mrenclave[SHA256_SIZE], mrsigner[SHA256_SIZE];
    struct bytes whole;

    if (!crypto_sha256(bytes_of("Broch's simulated quoting enclave"), mrenclave, err) ||
        !simulated_qe_mrsigner(mrsigner, err))
        return false;
    writer_bytes(&w, bytes_from(platform->svns, sizeof platform->svns));
    put_zeroes(&w, 4 + 28); /* MISCSELECT */
    writer_bytes(&w, bytes_from(simulated_qe_attributes, sizeof simulated_qe_attributes));
    writer_bytes(&w, bytes_from(mrenclave, sizeof mrenclave));
    put_zeroes(&w, 32);
    writer_bytes(&w, bytes_from(mrsigner, sizeof mrsigner));
    put_zeroes(&w, 96);
    writer_u16le(&w, SIMULATED_QE_PRODUCT);
    writer_u16le(&w, SIMULATED_QE_SVN);
    put_zeroes(&w, 60);
    writer_bytes(&w, bytes_from(digest, SHA256_SIZE));
    put_zeroes(&w, 32);
    return writer_done(&w, &whole, err) && whole.size == SGX_REPORT_SIZE;
}

/* Attestation key, report of the quoting enclave and its signature, authentication data. */
static bool write_attestation(const struct simulated_quoting *quoting,
                              const struct simulated_platform *platform, EVP_PKEY *pck,
                              struct writer *w, struct err *err)
{
    struct {
        uint8_t key[2 * P256_SIZE], authentication[AUTHENTICATION_SIZE];
    } named;
    uint8_t digest[SHA256_SIZE], report[SGX_REPORT_SIZE], signature[SIGNATURE_SIZE];

    for (uint8_t i = 0; i < AUTHENTICATION_SIZE; i++)
        named.authentication[i] = i; /* as Intel's has it */
    if (!crypto_coordinates(CRYPTO_P256, quoting->key, named.key, named.key + P256_SIZE, err) ||
        !crypto_sha256(bytes_from(&named, sizeof named), digest, err) ||
        !qe_report(platform, digest, report, err) ||
        !crypto_sign(CRYPTO_P256, pck, bytes_from(report, sizeof report), signature,
                     signature + P256_SIZE, err))
        return false;
    writer_bytes(w, bytes_from(named.key, sizeof named.key));
    writer_bytes(w, bytes_from(report, sizeof report));
    writer_bytes(w, bytes_from(signature, sizeof signature));
    writer_u16le(w, AUTHENTICATION_SIZE);
    writer_bytes(w, bytes_from(named.authentication, sizeof named.authentication));
    return true;
}

static void write_header(struct simulated_quoting *quoting,
                         const struct simulated_platform *platform, struct bytes instance_id)
{
    struct writer w = writer_fixed(quoting->header, HEADER_SIZE);

    writer_u16le(&w, QUOTE_VERSION);
    writer_u16le(&w, KEY_P256);
    put_zeroes(&w, 4);
    writer_u16le(&w, SIMULATED_QE_SVN);
    writer_u16le(&w, platform->pce_svn);
    writer_bytes(&w, bytes_from(vendor_intel, sizeof vendor_intel));
    writer_bytes(&w, instance_id);
    put_zeroes(&w, USER_DATA_SIZE - instance_id.size);
}

static bool prepare(struct simulated_quoting *quoting, const struct simulated_sgx *roots,
                    const struct simulated_platform *platform, struct simulated_dates dates,
                    EVP_PKEY *pck, struct err *err)
{
    uint8_t digest[SHA256_SIZE];
    struct bytes instance_id = bytes_from(digest, INSTANCE_ID_SIZE), chain;
    struct writer pem = writer_growable(&quoting->arena, SIMULATED_SIZE_MAX);
    struct writer rest = writer_growable(&quoting->arena, SIMULATED_SIZE_MAX);

    if (!crypto_sha256(bytes_from(platform->ppid, sizeof platform->ppid), digest, err) ||
        !write_pck(roots, platform, dates, pck, instance_id, &quoting->arena, &pem, err))
        return false;
    simulated_pem(&pem, SIMULATED_CERTIFICATE, roots->parties[SIMULATED_PLATFORM_CA].certificate);
    simulated_pem(&pem, SIMULATED_CERTIFICATE, roots->parties[SIMULATED_ROOT].certificate);
    if (!writer_done(&pem, &chain, err) || !write_attestation(quoting, platform, pck, &rest, err))
        return false;
    writer_u16le(&rest, CHAIN_IN_PEM);
    writer_u32le(&rest, (uint32_t)chain.size);
    writer_bytes(&rest, chain);
    write_header(quoting, platform, instance_id);
    return writer_done(&rest, &quoting->rest, err);
}

bool simulated_quoting_new(const struct simulated_sgx *roots,
                           const struct simulated_platform *platform, struct simulated_dates dates,
                           struct simulated_quoting **out, struct err *err)
{
    struct simulated_quoting *quoting = calloc(1, sizeof *quoting);

    if (quoting == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a simulated platform", ERR_NO_AT);
    arena_init(&quoting->arena, arena_heap, 4 * SIMULATED_SIZE_MAX);
    quoting->key = EVP_EC_gen("P-256");
    EVP_PKEY *pck = EVP_EC_gen("P-256"); /* signs once */
    bool ok = quoting->key != NULL && pck != NULL;
    if (!ok)
        (void)simulated_fail(err, "cannot make a key on P-256");
    ok = ok && prepare(quoting, roots, platform, dates, pck, err);
    EVP_PKEY_free(pck);
    if (!ok) {
        simulated_quoting_free(quoting);
        return false;
    }
    *out = quoting;
    return true;
}

bool simulated_quote(const struct simulated_quoting *quoting, const uint8_t report[SGX_REPORT_SIZE],
                     struct writer *w, struct err *err)
{
    uint8_t message[HEADER_SIZE + SGX_REPORT_SIZE], signature[SIGNATURE_SIZE];
    struct bytes whole;

    memcpy(message, quoting->header, HEADER_SIZE);
    memcpy(message + HEADER_SIZE, report, SGX_REPORT_SIZE);
    if (!crypto_sign(CRYPTO_P256, quoting->key, bytes_from(message, sizeof message), signature,
                     signature + P256_SIZE, err))
        return false;
    writer_bytes(w, bytes_from(message, sizeof message));
    writer_u32le(w, (uint32_t)(sizeof signature + quoting->rest.size));
    writer_bytes(w, bytes_from(signature, sizeof signature));
    writer_bytes(w, quoting->rest);
    return writer_done(w, &whole, err);
}
