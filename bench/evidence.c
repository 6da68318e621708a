/* What verification costs beside the signatures that it must check, which are OpenSSL's:
 * ./run bench evidence
 *
 * The evidence is of simulated platforms, whose certificates have the sizes of real ones. */
#include <assert.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "bench.h"
#include "evidence/crypto.h"
#include "evidence/evidence.h"
#include "evidence/quote.h"
#include "evidence/simulated.h"

enum { RUNS = 101, PARSES = 1000, CHECKS_MAX = 12 };

#define NOW INT64_C(1800000000)

static const struct simulated_dates dates = {NOW - 86400, NOW + 86400};
static struct arena arena;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "evidence bench: %s\n", what);
    exit(2);
}

static struct bytes done(const struct writer *w)
{
    struct bytes out;
    struct err err;

    must(writer_done(w, &out, &err), "no memory");
    return out;
}

static struct writer new_writer(void)
{
    return writer_growable(&arena, (size_t)1 << 20);
}

/* ---- the peer: signatures alone ---- */

/* One signature: of bytes by a key, or of a certificate or list. */
struct signature_check {
    EVP_PKEY *key;
    const EVP_MD *digest;
    struct bytes message;
    uint8_t der[160];
    size_t der_size;
    X509 *certificate;
    X509_CRL *list;
};

struct signature_checks {
    struct signature_check items[CHECKS_MAX];
    size_t count;
};

static void check_one(const struct signature_check *c)
{
    if (c->certificate != NULL) {
        must(X509_verify(c->certificate, c->key) == 1, "a certificate's signature");
        return;
    }
    if (c->list != NULL) {
        must(X509_CRL_verify(c->list, c->key) == 1, "a list's signature");
        return;
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    must(context != NULL && EVP_DigestVerifyInit(context, NULL, c->digest, NULL, c->key) == 1 &&
             EVP_DigestVerify(context, c->der, c->der_size, c->message.data, c->message.size) == 1,
         "a signature");
    EVP_MD_CTX_free(context);
}

static void check_all(void *context)
{
    const struct signature_checks *checks = context;

    for (size_t i = 0; i < checks->count; i++)
        check_one(&checks->items[i]);
}

static struct signature_check *next(struct signature_checks *checks)
{
    assert(checks->count < CHECKS_MAX);
    return &checks->items[checks->count++];
}

static void add_certificate(struct signature_checks *checks, X509 *certificate, X509 *signer)
{
    *next(checks) =
        (struct signature_check){.certificate = certificate, .key = X509_get0_pubkey(signer)};
}

static void add_list(struct signature_checks *checks, struct bytes der, X509 *signer)
{
    const uint8_t *at = der.data;
    X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)der.size);

    must(list != NULL, "a list");
    *next(checks) = (struct signature_check){.list = list, .key = X509_get0_pubkey(signer)};
}

/* r and s: big-endian, one behind the other. */
static void add_signature(struct signature_checks *checks, EVP_PKEY *key, const EVP_MD *digest,
                          struct bytes message, const uint8_t *signature, size_t half)
{
    struct signature_check *c = next(checks);
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    uint8_t *at = c->der;

    *c = (struct signature_check){.key = key, .digest = digest, .message = message};
    must(numbers != NULL && ECDSA_SIG_set0(numbers, BN_bin2bn(signature, (int)half, NULL),
                                           BN_bin2bn(signature + half, (int)half, NULL)) == 1,
         "a signature's numbers");
    c->der_size = (size_t)i2d_ECDSA_SIG(numbers, &at);
    ECDSA_SIG_free(numbers);
}

/* The n-th certificate of a PEM chain. They live as long as the program. */
static X509 *in_pem(struct bytes pem, int n)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *certificate = NULL;

    for (int i = 0; i <= n; i++)
        certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    must(certificate != NULL, "a certificate in PEM");
    return certificate;
}

static X509 *in_der(struct bytes der)
{
    const uint8_t *at = der.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.size);

    must(certificate != NULL, "a certificate");
    return certificate;
}

/* ---- ours ---- */

struct verification {
    struct evidence_input input;
    struct evidence_policy policy;
    struct bytes root;
    struct collateral *collateral;
    struct verifier *verifier;
};

static void verify_warm(void *context)
{
    const struct verification *v = context;
    struct arena texts;
    struct verdict verdict;

    arena_init(&texts, arena_heap, SIZE_MAX);
    evidence_verify(v->verifier, &v->input, &texts, &verdict);
    if (!verdict_is_good(&verdict))
        must(false, check_name(verdict_refusal(&verdict)));
    arena_done(&texts);
}

/* As of a platform that was never seen: no signature of its chain is known. */
static void verify_cold(void *context)
{
    verifier_forget(((struct verification *)context)->verifier);
    verify_warm(context);
}

static void prepare(struct verification *v, enum evidence_kind kind, struct bytes evidence)
{
    struct err err;

    evidence_policy_default(&v->policy);
    v->policy.any_workload = true;
    v->policy.simulated_roots = (struct bytes_list){.items = &v->root, .count = 1};
    v->input = (struct evidence_input){.kind = kind,
                                       .evidence = evidence,
                                       .collateral = v->collateral,
                                       .policy = &v->policy,
                                       .at = NOW};
    must(verifier_new(&v->verifier, &err), "no memory");
}

static void add(struct verification *v, struct bytes file)
{
    struct err err;

    must(collateral_add(v->collateral, file, &err), "collateral");
}

static void finish(struct verification *v)
{
    verifier_free(v->verifier);
    collateral_free(v->collateral);
}

static void bench_ratios(const char *name, struct verification *v, struct signature_checks *all,
                         struct signature_checks *each_time)
{
    char line[64];

    (void)snprintf(line, sizeof line, "%s, cold chain", name);
    bench_print_ratio(line, bench_median_ratio(verify_cold, v, check_all, all, RUNS),
                      "signatures alone", 1.15);
    (void)snprintf(line, sizeof line, "%s, cached chain", name);
    bench_print_ratio(line, bench_median_ratio(verify_warm, v, check_all, each_time, RUNS),
                      "signatures alone", 1.15);
}

/* ---- SNP ---- */

#define TCB                       \
    {                             \
        10, 0, 0, 0, 0, 0, 27, 88 \
    }

/* A report of version 3 by a processor of family 0x19, model 0x11 (Genoa). */
static void write_report(uint8_t report[SNP_REPORT_SIZE], const uint8_t chip_id[SNP_CHIP_ID_SIZE])
{
    static const uint8_t tcb[8] = TCB, policy[8] = {0, 0, 3};
    static const uint8_t cpuid[3] = {0x19, 0x11, 1};
    static const size_t tcbs_at[] = {0x38, 0x180, 0x1e0, 0x1f0};

    memset(report, 0, SNP_REPORT_SIZE);
    report[0] = 3;
    memcpy(report + 0x08, policy, sizeof policy);
    report[0x34] = 1; /* ECDSA P-384 */
    for (size_t i = 0; i < sizeof tcbs_at / sizeof *tcbs_at; i++)
        memcpy(report + tcbs_at[i], tcb, sizeof tcb);
    memcpy(report + 0x188, cpuid, sizeof cpuid);
    memcpy(report + 0x1a0, chip_id, SNP_CHIP_ID_SIZE);
}

static void parse_report(void *context)
{
    struct snp_report report;
    struct err err;

    for (int i = 0; i < PARSES; i++)
        must(snp_report_parse(*(const struct bytes *)context, &report, &err), "a report");
}

static void add_report_signature(struct signature_checks *checks, EVP_PKEY *key,
                                 const uint8_t report[SNP_REPORT_SIZE])
{
    uint8_t signature[2 * P384_SIZE];

    crypto_reverse(report + SNP_REPORT_SIGNED_SIZE, P384_SIZE, signature);
    crypto_reverse(report + SNP_REPORT_SIGNED_SIZE + 72, P384_SIZE, signature + P384_SIZE);
    add_signature(checks, key, EVP_sha384(), bytes_from(report, SNP_REPORT_SIGNED_SIZE), signature,
                  P384_SIZE);
}

static void bench_snp(void)
{
    static const uint8_t chip_id[SNP_CHIP_ID_SIZE] = {0xc4};
    static const struct snp_tcb tcb = {.bootloader = 10, .snp = 27, .microcode = 88};
    static struct verification v;
    static struct signature_checks all, each_time;
    uint8_t report[SNP_REPORT_SIZE];
    struct writer root = new_writer(), chain = new_writer(), vcek = new_writer(),
                  list = new_writer();
    struct simulated_snp *roots;
    struct err err;
    EVP_PKEY *key = NULL;

    must(simulated_snp_new(SNP_GENOA, dates, &roots, &err) && collateral_new(&v.collateral, &err) &&
             simulated_snp_root(roots, &root, &err) && simulated_snp_chain(roots, &chain, &err) &&
             simulated_snp_crl(roots, dates, false, &list, &err) &&
             simulated_snp_vcek(roots, &tcb, chip_id, dates, &key, &vcek, &err),
         "simulated SNP");
    write_report(report, chip_id);
    must(simulated_snp_sign(report, key, &err), "simulated SNP");
    v.root = done(&root);
    add(&v, done(&chain));
    add(&v, done(&vcek));
    add(&v, done(&list));
    prepare(&v, EVIDENCE_SNP, bytes_from(report, sizeof report));

    X509 *ask = in_pem(done(&chain), 0), *ark = in_pem(done(&chain), 1);
    X509 *leaf = in_der(done(&vcek));
    add_certificate(&all, ask, ark);
    add_certificate(&all, leaf, ask);
    add_list(&all, done(&list), ark);
    add_report_signature(&all, key, report);
    add_report_signature(&each_time, key, report);
    bench_ratios("snp", &v, &all, &each_time);
    uint64_t ns = bench_median_ns(parse_report, &v.input.evidence, RUNS) / PARSES;
    bench_print_at_most("snp, parsing alone", (double)ns / 1000, "us", 2);
    finish(&v);
    simulated_snp_free(roots);
}

/* ---- SGX ---- */

static void parse_quote(void *context)
{
    struct quote quote;
    struct err err;

    for (int i = 0; i < PARSES; i++)
        must(quote_parse(*(const struct bytes *)context, &quote, &err), "a quote");
}

/* The signature of a description {"name":body,"signature":"…"}. */
static void add_description(struct signature_checks *checks, struct bytes text, const char *name,
                            X509 *signer)
{
    size_t head = strlen(name) + strlen("{\"\":"), hex_size = 128;
    uint8_t signature[2 * P256_SIZE];
    size_t size, tail = strlen(",\"signature\":\"") + hex_size + strlen("\"}");
    struct err err;

    struct bytes hex = bytes_before(bytes_after(text, text.size - hex_size - 2), hex_size);
    must(hex_decode(hex, signature, sizeof signature, &size, &err), "a description's signature");
    add_signature(checks, X509_get0_pubkey(signer), EVP_sha256(),
                  bytes_after(bytes_before(text, text.size - tail), head), signature, P256_SIZE);
}

/* Both signatures that every quote has: of itself, and of the quoting enclave's report, which is
 * the same in all quotes of a platform and so may be known. */
static void add_quote(struct signature_checks *checks, struct bytes quote, X509 *pck)
{
    const uint8_t *q = quote.data;
    struct err err;
    EVP_PKEY *key;

    must(crypto_public(CRYPTO_P256, q + 500, q + 532, &key, &err), "an attestation key");
    add_signature(checks, key, EVP_sha256(), bytes_before(quote, 432), q + 436, P256_SIZE);
    add_signature(checks, X509_get0_pubkey(pck), EVP_sha256(), bytes_from(q + 564, 384), q + 948,
                  P256_SIZE);
}

static void bench_sgx(void)
{
    static const struct simulated_platform platform = {
        .ppid = {7}, .fmspc = {0, 0x60, 0x6a}, .svns = {14, 14, 3, 3, 255, 255}, .pce_svn = 13};
    static const uint8_t report[SGX_REPORT_SIZE] = {14, 14, 3, 3, 255, 255, [48] = 5, [56] = 3};
    static struct verification v;
    static struct signature_checks all, each_time;
    struct writer root = new_writer(), chain = new_writer(), info = new_writer(),
                  identity = new_writer(), root_list = new_writer(), pck_list = new_writer(),
                  quote = new_writer();
    struct simulated_sgx *roots;
    struct simulated_quoting *quoting = NULL;
    struct err err;

    must(simulated_sgx_new(dates, &roots, &err) && collateral_new(&v.collateral, &err) &&
             simulated_quoting_new(roots, &platform, dates, &quoting, &err) &&
             simulated_sgx_root(roots, &root, &err) &&
             simulated_sgx_tcb_chain(roots, &chain, &err) &&
             simulated_sgx_tcb_info(roots, &platform, dates, &info, &err) &&
             simulated_sgx_qe_identity(roots, dates, &identity, &err) &&
             simulated_sgx_root_crl(roots, dates, false, &root_list, &err) &&
             simulated_sgx_pck_crl(roots, dates, NULL, &pck_list, &err) &&
             simulated_quote(quoting, report, &quote, &err),
         "simulated SGX");
    v.root = done(&root);
    add(&v, done(&chain));
    add(&v, done(&info));
    add(&v, done(&identity));
    add(&v, done(&root_list));
    add(&v, done(&pck_list));
    prepare(&v, EVIDENCE_QUOTE, done(&quote));

    struct bytes pem = bytes_after(done(&quote), 1052);
    X509 *pck = in_pem(pem, 0), *ca = in_pem(pem, 1), *top = in_pem(pem, 2);
    X509 *signer = in_pem(done(&chain), 0);
    add_certificate(&all, pck, ca);
    add_certificate(&all, ca, top);
    add_certificate(&all, signer, top);
    add_list(&all, done(&root_list), top);
    add_list(&all, done(&pck_list), ca);
    add_description(&all, done(&info), "tcbInfo", signer);
    add_description(&all, done(&identity), "enclaveIdentity", signer);
    add_quote(&all, done(&quote), pck);
    add_quote(&each_time, done(&quote), pck);
    bench_ratios("sgx", &v, &all, &each_time);
    uint64_t ns = bench_median_ns(parse_quote, &v.input.evidence, RUNS) / PARSES;
    bench_print_at_most("sgx, parsing alone", (double)ns / 1000, "us", 2);
    finish(&v);
    simulated_quoting_free(quoting);
    simulated_sgx_free(roots);
}

int main(void)
{
    arena_init(&arena, arena_heap, SIZE_MAX);
    bench_snp();
    bench_sgx();
    arena_done(&arena);
    return 0;
}
