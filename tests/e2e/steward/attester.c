#include "attester.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "evidence/evidence.h"
#include "evidence/simulated.h"
#include "os/os.h"

#define FILE_MAX ((size_t)1 << 20)

static const struct snp_tcb tcb = {.bootloader = 10, .snp = 27, .microcode = 88};
static const uint8_t chip_id[SNP_CHIP_ID_SIZE] = {0xc4, 1};
static const struct simulated_platform platform = {
    .ppid = {0xb1}, .fmspc = {0x30, 0x60, 0x6a}, .svns = {9, 9, 2}, .pce_svn = 13};

struct attester {
    struct arena arena;
    EVP_PKEY *vcek;
    struct simulated_quoting *quoting;
    struct bytes vek, snp_crl, tcb_chain, tcb_info;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "attester: %s\n", what);
    exit(2);
}

static struct bytes done(const struct writer *w)
{
    struct bytes out;
    struct err err;

    must(writer_done(w, &out, &err), "no memory");
    return out;
}

static struct bytes read_file(struct arena *arena, const char *folder, const char *name)
{
    char path[4096];
    struct bytes out;
    struct err err;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    must(os_read_file(path, FILE_MAX, arena, &out, &err), path);
    return out;
}

static void make_snp(struct attester *a, const char *folder, struct simulated_dates dates)
{
    struct writer vek = writer_growable(&a->arena, FILE_MAX);
    struct simulated_snp *roots;
    struct err err;

    must(simulated_snp_parse(read_file(&a->arena, folder, "snp.pem"), &roots, &err), "snp.pem");
    must(simulated_snp_vcek(roots, &tcb, chip_id, dates, &a->vcek, &vek, &err), "no VCEK");
    simulated_snp_free(roots);
    a->vek = done(&vek);
    a->snp_crl = read_file(&a->arena, folder, "collateral/snp-crl.der");
}

static void make_sgx(struct attester *a, const char *folder, struct simulated_dates dates)
{
    struct writer info = writer_growable(&a->arena, FILE_MAX);
    struct simulated_sgx *roots;
    struct err err;

    must(simulated_sgx_parse(read_file(&a->arena, folder, "sgx.pem"), &roots, &err), "sgx.pem");
    must(simulated_quoting_new(roots, &platform, dates, &a->quoting, &err), "no quoting enclave");
    must(simulated_sgx_tcb_info(roots, &platform, dates, &info, &err), "no TCB info");
    simulated_sgx_free(roots);
    a->tcb_info = done(&info);
}

struct attester *attester_new(const char *folder)
{
    struct attester *a = calloc(1, sizeof *a);
    int64_t now = os_unix_ms() / 1000;
    const struct simulated_dates dates = {now - 60, now + 86400};

    must(a != NULL, "no memory");
    arena_init(&a->arena, arena_heap, 16 * FILE_MAX);
    make_snp(a, folder, dates);
    make_sgx(a, folder, dates);
    return a;
}

void attester_free(struct attester *attester)
{
    EVP_PKEY_free(attester->vcek);
    simulated_quoting_free(attester->quoting);
    arena_done(&attester->arena);
    free(attester);
}

EVP_PKEY *attester_key(const struct attester_claim *claim)
{
    bool is_enarx_snp = claim->nonce.size == 0 && claim->technology == IDENTITY_SNP;
    EVP_PKEY *key = EVP_EC_gen(is_enarx_snp ? "P-384" : "P-256");

    must(key != NULL, "no key");
    return key;
}

static struct bytes spki_of(EVP_PKEY *key, struct arena *arena)
{
    struct writer w = writer_growable(arena, 4096);
    uint8_t *der = NULL;
    int size = i2d_PUBKEY(key, &der);

    must(size > 0, "no SPKI");
    writer_bytes(&w, bytes_from(der, (size_t)size));
    OPENSSL_free(der);
    return done(&w);
}

void attester_key_hash(EVP_PKEY *key, char out[65])
{
    uint8_t memory[1024], hash[32];
    struct arena arena;
    unsigned size;

    arena_init_fixed(&arena, memory, sizeof memory);
    struct bytes spki = spki_of(key, &arena);
    must(EVP_Digest(spki.data, spki.size, hash, &size, EVP_sha256(), NULL) == 1, "no SHA-256");
    hex_encode(bytes_from(hash, sizeof hash), out);
    out[64] = '\0';
}

/* A report of version 3 by a processor of family 0x19, model 0x11 (Genoa). */
static struct bytes make_report(const struct attester *a, const uint8_t measurement[48],
                                const uint8_t report_data[64], struct arena *arena)
{
    static const uint8_t raw_tcb[8] = {10, 0, 0, 0, 0, 0, 27, 88}, policy[8] = {0, 0, 3};
    static const uint8_t cpuid[3] = {0x19, 0x11, 1};
    static const size_t tcbs_at[] = {0x38, 0x180, 0x1e0, 0x1f0};
    uint8_t *report = arena_alloc(arena, SNP_REPORT_SIZE, 1);
    struct err err;

    must(report != NULL, "no memory");
    memset(report, 0, SNP_REPORT_SIZE);
    report[0] = 3;
    memcpy(report + 0x08, policy, sizeof policy);
    report[0x34] = 1;
    memcpy(report + 0x50, report_data, 64);
    memcpy(report + 0x90, measurement, 48);
    for (size_t i = 0; i < COUNT_OF(tcbs_at); i++)
        memcpy(report + tcbs_at[i], raw_tcb, sizeof raw_tcb);
    memcpy(report + 0x188, cpuid, sizeof cpuid);
    memcpy(report + 0x1a0, chip_id, sizeof chip_id);
    must(simulated_snp_sign(report, a->vcek, &err), "no signature");
    return bytes_from(report, SNP_REPORT_SIZE);
}

static struct bytes make_quote(const struct attester *a, const uint8_t measurement[48],
                               const uint8_t report_data[64], struct arena *arena)
{
    struct writer quote = writer_growable(arena, FILE_MAX);
    uint8_t report[SGX_REPORT_SIZE] = {0};
    struct err err;

    memcpy(report, platform.svns, sizeof platform.svns);
    report[48] = 5; /* INIT, MODE64BIT */
    report[56] = 3; /* XFRM */
    memcpy(report + 64, measurement, 32);
    memcpy(report + 320, report_data, 64);
    must(simulated_quote(a->quoting, report, &quote, &err), "no quote");
    return done(&quote);
}

void attester_evidence(const struct attester *a, enum identity_technology technology,
                       const uint8_t measurement[48], const uint8_t report_data[64],
                       struct arena *arena, struct keep_evidence *out)
{
    *out = (struct keep_evidence){.technology = (uint8_t)technology};
    if (technology == IDENTITY_SNP) {
        out->report = make_report(a, measurement, report_data, arena);
        out->vek = a->vek;
        out->crls[out->crl_count++] =
            (struct keep_crl){.url = bytes_of("https://simulated.invalid/crl"), .der = a->snp_crl};
    } else {
        out->report = make_quote(a, measurement, report_data, arena);
        out->tcb_info = a->tcb_info;
    }
}

/* The evidence with a bit of its report changed, as a request has it. */
static struct bytes write_evidence(const struct keep_evidence *e, size_t flip, struct arena *arena)
{
    struct writer report = writer_growable(arena, FILE_MAX), w = report;
    struct identity_crl crls[KEEP_EVIDENCE_CRLS_MAX];

    writer_bytes(&report, e->report);
    struct bytes changed = done(&report);
    must(flip <= 8 * changed.size, "no such bit");
    if (flip != 0)
        report.data[(flip - 1) / 8] ^= (uint8_t)(1u << ((flip - 1) % 8));
    for (size_t i = 0; i < e->crl_count; i++)
        crls[i] = (struct identity_crl){.url = e->crls[i].url, .der = e->crls[i].der};
    if (e->technology == IDENTITY_SNP)
        identity_snp_evidence_write(&w, e->vek, crls, e->crl_count, changed);
    else
        identity_sgx_evidence_write(&w, changed, crls, e->crl_count, e->tcb_chain,
                                    e->tcb_chain_count, e->tcb_info);
    return done(&w);
}

/* Enarx's own form: one extension, and no claims. */
static struct bytes enarx_request(const struct attester_claim *claim, EVP_PKEY *key,
                                  struct bytes evidence, struct arena *arena)
{
    ASN1_OBJECT *object = OBJ_txt2obj(
        claim->technology == IDENTITY_SNP ? "1.3.6.1.4.1.58270.1.3" : "1.3.6.1.4.1.58270.1.2", 1);
    STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    X509_REQ *request = X509_REQ_new();
    struct writer w = writer_growable(arena, FILE_MAX);
    uint8_t *der = NULL;

    must(ASN1_OCTET_STRING_set(value, evidence.data, (int)evidence.size) == 1, "no memory");
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value);
    must(sk_X509_EXTENSION_push(list, extension) > 0 && X509_REQ_set_pubkey(request, key) == 1 &&
             X509_REQ_add_extensions(request, list) == 1 &&
             X509_REQ_sign(request, key,
                           EVP_PKEY_get_bits(key) > 256 ? EVP_sha384() : EVP_sha256()) > 0,
         "no request");
    int size = i2d_X509_REQ(request, &der);
    must(size > 0, "no request");
    writer_bytes(&w, bytes_from(der, (size_t)size));
    OPENSSL_free(der);
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
    X509_REQ_free(request);
    return done(&w);
}

struct bytes attester_request(const struct attester *a, const struct attester_claim *claim,
                              EVP_PKEY *key, struct arena *arena)
{
    struct writer claims = writer_growable(arena, FILE_MAX), request = claims;
    struct bytes spki = spki_of(key, arena);
    bool is_snp = claim->technology == IDENTITY_SNP, is_enarx = claim->nonce.size == 0;
    struct keep_evidence evidence;
    uint8_t report_data[64];
    struct err err;

    identity_claims_write(&claims, &claim->claims);
    if (is_enarx)
        must(evidence_bind_key(is_snp ? EVIDENCE_SNP : EVIDENCE_QUOTE, spki, report_data, &err),
             "no binding");
    else
        must(identity_bind(spki, done(&claims), claim->nonce, report_data, &err), "no binding");
    attester_evidence(a, claim->technology, claim->measurement, report_data, arena, &evidence);
    struct bytes written = write_evidence(&evidence, claim->flip, arena);
    if (is_enarx)
        return enarx_request(claim, key, written, arena);
    must(identity_request_write(&request, key, &claim->claims, claim->nonce, claim->technology,
                                written, &err),
         err.msg);
    return done(&request);
}
