/* Simulated Intel: the certificates above a platform, its TCB and the identity of its quoting
 * enclave. Intel's PCK certificate specification, and its provisioning certification service API v4
 * (TCB Info V3, Enclave Identity V2).
 *
 *     Intel SGX Root CA, signs itself, the two below and a revocation list
 *       Intel SGX PCK Platform CA, signs platforms' certificates and their revocation list
 *       Intel SGX TCB Signing, signs the two descriptions
 *
 * The serial of each is its subject key identifier, as Intel has it. */
#include "evidence/simulated_sgx.h"

#include <openssl/ec.h>
#include <stdlib.h>

#include "evidence/civil.h"

#define CRL_NUMBER 1
#define EVALUATION_NUMBER 1
#define COMPONENT_COUNT 16

static const char *const names[] = {
    [SIMULATED_ROOT] = "Intel SGX Root CA",
    [SIMULATED_PLATFORM_CA] = "Intel SGX PCK Platform CA",
    [SIMULATED_TCB_SIGNING] = "Intel SGX TCB Signing",
};

static bool new_roots(struct simulated_sgx **out, struct err *err)
{
    struct simulated_sgx *roots = calloc(1, sizeof *roots);

    if (roots == NULL)
        return err_set(err, ERR_MEMORY, "no memory for simulated roots", ERR_NO_AT);
    arena_init(&roots->arena, arena_heap, 4 * SIMULATED_SIZE_MAX);
    *out = roots;
    return true;
}

void simulated_sgx_free(struct simulated_sgx *roots)
{
    if (roots == NULL)
        return;
    for (size_t i = 0; i < SIMULATED_PARTY_COUNT; i++)
        EVP_PKEY_free(roots->parties[i].key);
    arena_done(&roots->arena);
    free(roots);
}

/* ---- certificates ---- */

bool simulated_sgx_extensions(EVP_PKEY *key, EVP_PKEY *signer, int depth, const char *crl_url,
                              struct writer *w, struct err *err)
{
    uint8_t key_id[SIMULATED_KEY_ID_SIZE], signer_id[SIMULATED_KEY_ID_SIZE];

    if (!simulated_key_id(key, key_id, err) || !simulated_key_id(signer, signer_id, err))
        return false;
    simulated_authority_key(w, signer_id);
    simulated_crl_point(w, crl_url);
    simulated_subject_key(w, key_id);
    if (depth == SIMULATED_END_ENTITY) {
        simulated_key_usage(w, SIMULATED_USE_SIGN_AND_COMMIT);
        simulated_end_entity(w);
    } else {
        simulated_key_usage(w, SIMULATED_USE_CERTIFICATES_AND_CRLS);
        simulated_authority(w, depth);
    }
    return true;
}

static bool certify(struct simulated_sgx *roots, enum simulated_sgx_party party, int depth,
                    struct simulated_dates dates, struct err *err)
{
    uint8_t serial[SIMULATED_KEY_ID_SIZE], memory[512];
    struct writer extensions = writer_fixed(memory, sizeof memory);
    struct writer w = writer_growable(&roots->arena, SIMULATED_SIZE_MAX);
    struct simulated_party *p = &roots->parties[party];
    struct simulated_party *root = &roots->parties[SIMULATED_ROOT];
    struct certificate_form form = {.maker = SIMULATED_INTEL,
                                    .serial = bytes_from(serial, sizeof serial),
                                    .issuer = names[SIMULATED_ROOT],
                                    .subject = names[party],
                                    .dates = dates,
                                    .key = p->key};

    return simulated_key_id(p->key, serial, err) &&
           simulated_sgx_extensions(p->key, root->key, depth, SIMULATED_URL "IntelSGXRootCA.der",
                                    &extensions, err) &&
           writer_done(&extensions, &form.extensions, err) &&
           simulated_certificate(&form, root->key, &w, err) &&
           writer_done(&w, &p->certificate, err);
}

static bool make_keys(struct simulated_sgx *roots, struct err *err)
{
    for (size_t i = 0; i < SIMULATED_PARTY_COUNT; i++) {
        roots->parties[i].key = EVP_EC_gen("P-256");
        if (roots->parties[i].key == NULL)
            return simulated_fail(err, "cannot make a key on P-256");
    }
    return true;
}

bool simulated_sgx_new(struct simulated_dates dates, struct simulated_sgx **out, struct err *err)
{
    struct simulated_sgx *roots;

    if (!new_roots(&roots, err))
        return false;
    if (!make_keys(roots, err) || !certify(roots, SIMULATED_ROOT, 1, dates, err) ||
        !certify(roots, SIMULATED_PLATFORM_CA, 0, dates, err) ||
        !certify(roots, SIMULATED_TCB_SIGNING, SIMULATED_END_ENTITY, dates, err)) {
        simulated_sgx_free(roots);
        return false;
    }
    *out = roots;
    return true;
}

bool simulated_sgx_write(const struct simulated_sgx *roots, struct writer *w, struct err *err)
{
    return simulated_parties_write(roots->parties, SIMULATED_PARTY_COUNT, w, err);
}

static bool fits(const struct simulated_sgx *roots)
{
    for (size_t i = 0; i < SIMULATED_PARTY_COUNT; i++) {
        if (!simulated_party_fits(&roots->parties[i], SIMULATED_INTEL, names[i],
                                  roots->parties[SIMULATED_ROOT].key))
            return false;
    }
    return true;
}

bool simulated_sgx_parse(struct bytes pem, struct simulated_sgx **out, struct err *err)
{
    struct simulated_sgx *roots;

    if (!new_roots(&roots, err))
        return false;
    bool ok =
        simulated_parties_parse(pem, &roots->arena, roots->parties, SIMULATED_PARTY_COUNT, err);
    if (ok && !fits(roots))
        ok = err_set(err, ERR_FORMAT, "these keys are not of simulated SGX roots", ERR_NO_AT);
    if (!ok) {
        simulated_sgx_free(roots);
        return false;
    }
    *out = roots;
    return true;
}

/* ---- what the roots hand out ---- */

bool simulated_sgx_root(const struct simulated_sgx *roots, struct writer *w, struct err *err)
{
    struct bytes whole;

    writer_bytes(w, roots->parties[SIMULATED_ROOT].certificate);
    return writer_done(w, &whole, err);
}

bool simulated_sgx_tcb_chain(const struct simulated_sgx *roots, struct writer *w, struct err *err)
{
    struct bytes whole;

    simulated_pem(w, SIMULATED_CERTIFICATE, roots->parties[SIMULATED_TCB_SIGNING].certificate);
    simulated_pem(w, SIMULATED_CERTIFICATE, roots->parties[SIMULATED_ROOT].certificate);
    return writer_done(w, &whole, err);
}

static bool write_crl(const struct simulated_sgx *roots, enum simulated_sgx_party party,
                      struct simulated_dates dates, const struct bytes *serial, struct writer *w,
                      struct err *err)
{
    uint8_t id[SIMULATED_KEY_ID_SIZE], memory[64];
    struct writer extensions = writer_fixed(memory, sizeof memory);
    EVP_PKEY *signer = roots->parties[party].key;
    struct crl_form form = {
        .maker = SIMULATED_INTEL, .issuer = names[party], .dates = dates, .revoked = serial};

    if (!simulated_key_id(signer, id, err))
        return false;
    simulated_crl_number(&extensions, CRL_NUMBER);
    simulated_authority_key(&extensions, id);
    return writer_done(&extensions, &form.extensions, err) && simulated_crl(&form, signer, w, err);
}

bool simulated_sgx_root_crl(const struct simulated_sgx *roots, struct simulated_dates dates,
                            bool revokes_ca, struct writer *w, struct err *err)
{
    uint8_t id[SIMULATED_KEY_ID_SIZE];
    struct bytes serial = bytes_from(id, sizeof id);

    return simulated_key_id(roots->parties[SIMULATED_PLATFORM_CA].key, id, err) &&
           write_crl(roots, SIMULATED_ROOT, dates, revokes_ca ? &serial : NULL, w, err);
}

bool simulated_sgx_pck_crl(const struct simulated_sgx *roots, struct simulated_dates dates,
                           const struct bytes *serial, struct writer *w, struct err *err)
{
    return write_crl(roots, SIMULATED_PLATFORM_CA, dates, serial, w, err);
}

/* ---- descriptions ---- */

static void write_hex(struct writer *w, struct bytes bytes, const char digits[16])
{
    for (size_t i = 0; i < bytes.size; i++) {
        writer_u8(w, (uint8_t)digits[bytes.data[i] >> 4]);
        writer_u8(w, (uint8_t)digits[bytes.data[i] & 15]);
    }
}

static void write_upper_hex(struct writer *w, struct bytes bytes)
{
    write_hex(w, bytes, "0123456789ABCDEF");
}

/* Writes {"name":body,"signature":"…"}. What is signed are the body's bytes as they stand. */
static bool write_signed(const struct simulated_sgx *roots, const char *name,
                         const struct writer *body, struct writer *w, struct err *err)
{
    uint8_t signature[2 * P256_SIZE];
    struct bytes text, whole;

    if (!writer_done(body, &text, err) ||
        !crypto_sign(CRYPTO_P256, roots->parties[SIMULATED_TCB_SIGNING].key, text, signature,
                     signature + P256_SIZE, err))
        return false;
    writer_format(w, "{\"%s\":", name);
    writer_bytes(w, text);
    writer_text(w, ",\"signature\":\"");
    write_hex(w, bytes_from(signature, sizeof signature), "0123456789abcdef");
    writer_text(w, "\"}");
    return writer_done(w, &whole, err);
}

/* The fields that both descriptions begin with. */
static void write_head(struct writer *w, const char *id, int version, struct simulated_dates dates)
{
    char issued[CIVIL_TEXT_SIZE], next[CIVIL_TEXT_SIZE];

    civil_format(dates.not_before, issued);
    civil_format(dates.not_after, next);
    writer_format(w, "{\"id\":\"%s\",\"version\":%d,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\"", id,
                  version, issued, next);
}

static void write_level_end(struct writer *w, struct simulated_dates dates, const char *status)
{
    char date[CIVIL_TEXT_SIZE];

    civil_format(dates.not_before, date);
    writer_format(w, "},\"tcbDate\":\"%s\",\"tcbStatus\":\"%s\"}", date, status);
}

/* One level: the platform as it is, or (NULL) any platform. */
static void write_level(struct writer *w, const struct simulated_platform *platform,
                        struct simulated_dates dates, const char *status)
{
    /* what Intel says of the components; of the rest it says nothing */
    static const char *const about[COMPONENT_COUNT] = {
        ",\"category\":\"BIOS\",\"type\":\"Early Microcode Update\"",
        ",\"category\":\"OS/VMM\",\"type\":\"SGX Late Microcode Update\"",
        ",\"category\":\"OS/VMM\",\"type\":\"TXT SINIT\"",
        ",\"category\":\"BIOS\"",
    };

    writer_text(w, "{\"tcb\":{\"sgxtcbcomponents\":[");
    for (size_t i = 0; i < COMPONENT_COUNT; i++)
        writer_format(w, "%s{\"svn\":%u%s}", i == 0 ? "" : ",",
                      platform == NULL ? 0u : platform->svns[i], about[i] == NULL ? "" : about[i]);
    writer_format(w, "],\"pcesvn\":%u", platform == NULL ? 0u : platform->pce_svn);
    write_level_end(w, dates, status);
}

bool simulated_sgx_tcb_info(const struct simulated_sgx *roots,
                            const struct simulated_platform *platform, struct simulated_dates dates,
                            struct writer *w, struct err *err)
{
    struct arena arena;

    arena_init(&arena, arena_heap, SIMULATED_SIZE_MAX);
    struct writer body = writer_growable(&arena, SIMULATED_SIZE_MAX);
    write_head(&body, "SGX", 3, dates);
    writer_text(&body, ",\"fmspc\":\"");
    write_upper_hex(&body, bytes_from(platform->fmspc, sizeof platform->fmspc));
    writer_text(&body, "\",\"pceId\":\"");
    write_upper_hex(&body, bytes_from(platform->pce_id, sizeof platform->pce_id));
    writer_format(&body, "\",\"tcbType\":0,\"tcbEvaluationDataNumber\":%d,\"tcbLevels\":[",
                  EVALUATION_NUMBER);
    write_level(&body, platform, dates, "UpToDate");
    writer_u8(&body, ',');
    write_level(&body, NULL, dates, "OutOfDate");
    writer_text(&body, "]}");
    bool ok = write_signed(roots, "tcbInfo", &body, w, err);
    arena_done(&arena);
    return ok;
}

bool simulated_sgx_qe_identity(const struct simulated_sgx *roots, struct simulated_dates dates,
                               struct writer *w, struct err *err)
{
    uint8_t mrsigner[SHA256_SIZE], attributes[16];
    struct arena arena;

    if (!simulated_qe_mrsigner(mrsigner, err))
        return false;
    arena_init(&arena, arena_heap, SIMULATED_SIZE_MAX);
    struct writer body = writer_growable(&arena, SIMULATED_SIZE_MAX);
    write_head(&body, "QE", 2, dates);
    writer_format(&body, ",\"tcbEvaluationDataNumber\":%d,\"miscselect\":\"00000000\"",
                  EVALUATION_NUMBER);
    writer_text(&body, ",\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"");
    for (size_t i = 0; i < sizeof attributes; i++)
        attributes[i] = simulated_qe_attributes[i] & simulated_qe_attributes_mask[i];
    write_upper_hex(&body, bytes_from(attributes, sizeof attributes));
    writer_text(&body, "\",\"attributesMask\":\"");
    write_upper_hex(&body, bytes_from(simulated_qe_attributes_mask, sizeof attributes));
    writer_text(&body, "\",\"mrsigner\":\"");
    write_upper_hex(&body, bytes_from(mrsigner, sizeof mrsigner));
    writer_format(&body, "\",\"isvprodid\":%u,\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%u",
                  SIMULATED_QE_PRODUCT, SIMULATED_QE_SVN);
    write_level_end(&body, dates, "UpToDate");
    writer_text(&body, "]}");
    bool ok = write_signed(roots, "enclaveIdentity", &body, w, err);
    arena_done(&arena);
    return ok;
}
