/* The verdict about a quote: its form, the platform's certificate, the signatures. */
#include <assert.h>

#include "evidence/crypto.h"
#include "evidence/quote_run.h"

#define CERT_TYPE_CHAIN 5u

static const uint8_t intel_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                         0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static bool judge_format(struct quote_run *q)
{
    struct bytes in = q->run->input->evidence;
    struct err err;
    char text[ERR_TEXT_SIZE];

    bool ok = quote_parse(in, &q->quote, &err);
    bool is_tdx = ok ? q->quote.body != QUOTE_BODY_SGX : quote_is_meant_for_tdx(in);
    verdict_init(q->verdict, is_tdx ? TECHNOLOGY_TDX : TECHNOLOGY_SGX, q->verdict->arena);
    return verdict_judge(q->verdict, CHECK_QUOTE_FORMAT, ok, "a quote of version 3 to 5",
                         ok ? "well formed"
                            : verdict_text(q->verdict, "%s", err_text(&err, NULL, text)));
}

static void judge_header(struct quote_run *q)
{
    const struct quote *x = &q->quote;
    bool is_tdx = x->body != QUOTE_BODY_SGX;
    bool fits = x->key_type == QUOTE_KEY_TYPE_P256 &&
                x->tee_type == (is_tdx ? QUOTE_TEE_TDX : QUOTE_TEE_SGX) &&
                (x->version != 3 || !is_tdx);

    (void)verdict_judge(q->verdict, CHECK_QUOTE_HEADER, fits,
                        "key type 2, and the TEE type of the body",
                        verdict_text(q->verdict, "version %u, key type %u, TEE type 0x%x, body %u",
                                     x->version, x->key_type, x->tee_type, x->body));
    (void)verdict_judge(q->verdict, CHECK_QUOTE_VENDOR,
                        memcmp(x->vendor, intel_vendor, sizeof intel_vendor) == 0,
                        verdict_hex(q->verdict, bytes_from(intel_vendor, sizeof intel_vendor)),
                        verdict_hex(q->verdict, bytes_from(x->vendor, sizeof x->vendor)));
}

/* ---- the platform's certificate ---- */

/* The certificates in the quote; none when it has no chain, or one that is malformed: then *fault
 * says so. Without the NULs that some put behind it. */
static const struct collateral *own_chain(struct quote_run *q, const char **fault)
{
    static const struct collateral none;
    struct bytes pem = q->quote.cert_data;
    const struct collateral *own;
    struct err err = {.msg = NULL};

    *fault = NULL;
    if (q->quote.cert_type != CERT_TYPE_CHAIN)
        return &none;
    while (pem.size != 0 && pem.data[pem.size - 1] == 0)
        pem.size--;
    if (verifier_chain(q->run->verifier, pem, &own, &err))
        return own;
    *fault = err.msg;
    return &none;
}

/* A leaf from elsewhere stands in only when the quote has no chain. */
static void find_pck(struct quote_run *q, const struct collateral *own)
{
    bool has_own = own->certificate_count != 0;
    const struct certificate *source =
        has_own ? own->certificates : q->run->collateral->certificates;
    size_t count = has_own ? own->certificate_count : q->run->collateral->certificate_count;

    for (size_t i = 0; i < count && q->certificate == NULL; i++) {
        if (strcmp(source[i].name, SGX_PCK_NAME) == 0)
            q->certificate = &source[i];
    }
}

static void judge_pck(struct quote_run *q, const struct collateral *own, const char *fault)
{
    static const char expected[] = "an Intel SGX PCK Certificate with FMSPC, PCEID and TCB";
    struct err err = {.msg = ""};

    find_pck(q, own);
    if (q->certificate == NULL) {
        if (fault == NULL)
            fault = verdict_text(q->verdict, "there is none; the quote's data is of type %u",
                                 q->quote.cert_type);
        (void)verdict_judge(q->verdict, CHECK_QUOTE_PCK, false, expected, fault);
        return;
    }
    q->has_pck = sgx_pck_parse(q->certificate, &q->pck, &err);
    if (fault == NULL && !q->has_pck)
        fault = err.msg;
    const char *fmspc = verdict_hex(q->verdict, bytes_from(q->pck.fmspc, sizeof q->pck.fmspc));
    (void)verdict_judge(q->verdict, CHECK_QUOTE_PCK, fault == NULL, expected,
                        fault != NULL ? fault : verdict_text(q->verdict, "FMSPC %s", fmspc));
    if (!q->has_pck)
        return;
    run_judge_list(q->run, CHECK_QUOTE_PLATFORM_ALLOWED, &q->policy->intel.ppids,
                   bytes_from(q->pck.ppid, sizeof q->pck.ppid), "the policy lists no platforms");
    memcpy(q->verdict->platform, q->pck.ppid, sizeof q->pck.ppid);
    q->verdict->platform_size = sizeof q->pck.ppid;
}

static bool is_right_issuer(const struct quote_run *q)
{
    return strcmp(q->certificate->issuer, SGX_PLATFORM_CA_NAME) == 0 ||
           strcmp(q->certificate->issuer, SGX_PROCESSOR_CA_NAME) == 0;
}

/* Whether each certificate of the quote's chain has its place there. */
static bool is_all_used(const struct quote_run *q, const struct collateral *own)
{
    const struct chain *c = &q->chain;

    for (size_t i = 0; i < own->certificate_count; i++) {
        const struct certificate *given = &own->certificates[i];
        if (given != c->leaf && given != c->intermediate &&
            (c->root == NULL || !certificate_is_same(given, c->root)))
            return false;
    }
    return true;
}

static void judge_chain(struct quote_run *q, const struct collateral *own)
{
    const struct certificate *links[3];
    const struct chain *c = &q->chain;
    /* a quote with a chain has all of it: what is beside the quote cannot mend it */
    const struct chain_pool pool = own->certificate_count == 0
                                       ? q->pool
                                       : (struct chain_pool){.given = own->certificates,
                                                             .given_count = own->certificate_count};

    if (q->certificate == NULL)
        return;
    chain_build(q->certificate, true, &pool, &q->roots, X509_FORM_INTEL,
                q->run->verifier->signatures, &q->chain);
    q->verdict->is_simulated = c->fault == CHAIN_GOOD && c->is_simulated;
    const char *impostor =
        chain_impostor(&q->pool, &q->roots, X509_FORM_INTEL, q->run->verifier->signatures);
    if (c->fault == CHAIN_UNPINNED || impostor != NULL)
        (void)verdict_judge(q->verdict, CHECK_QUOTE_ROOT, false, "Intel SGX Root CA, pinned",
                            impostor != NULL ? impostor : c->why);
    else if (c->root != NULL)
        (void)verdict_judge(q->verdict, CHECK_QUOTE_ROOT, true, "Intel SGX Root CA, pinned",
                            c->is_simulated ? "it, SIMULATED" : "it");
    const char *fault = c->fault != CHAIN_GOOD ? c->why
                        : !is_right_issuer(q)  ? "its issuer is no CA of platforms"
                        : !is_all_used(q, own) ? "a certificate has no place in it"
                                               : NULL;
    if (c->fault != CHAIN_UNPINNED)
        (void)verdict_judge(q->verdict, CHECK_QUOTE_CHAIN, fault == NULL,
                            "ECDSA P-256 with SHA-256 from link to link",
                            fault != NULL
                                ? fault
                                : verdict_text(q->verdict, "%s, %s, %s", c->root->name,
                                               c->intermediate->name, q->certificate->name));
    run_judge_dates(q->run, CHECK_QUOTE_CHAIN_DATES, links, chain_links(c, links));
}

/* The list of an issuer, and whether it has a certificate of the issuer's. *bad: what is wrong. */
static bool look_up(struct quote_run *q, const struct certificate *issuer, const char **bad,
                    const struct certificate **listed)
{
    const struct certificate *links[] = {q->certificate, q->chain.intermediate, q->tcb_signing,
                                         q->qe_signing};
    const char *why;
    const struct crl *crl = run_find_crl(q->run, issuer, X509_FORM_INTEL, &why);

    if (why != NULL && *bad == NULL && (crl != NULL || q->policy->require_crls))
        *bad = why;
    for (size_t i = 0; crl != NULL && i < COUNT_OF(links); i++) {
        if (links[i] != NULL && certificate_is_issued_by(links[i], issuer) &&
            crl_lists(crl, links[i]))
            *listed = links[i];
    }
    return crl != NULL;
}

static void judge_revocation(struct quote_run *q)
{
    const char *bad = NULL;
    const struct certificate *listed = NULL;

    if (q->certificate == NULL || q->chain.fault != CHAIN_GOOD)
        return;
    bool has_root = look_up(q, q->chain.root, &bad, &listed);
    bool has_ca = look_up(q, q->chain.intermediate, &bad, &listed);
    if (!has_root && !has_ca && !q->policy->require_crls) {
        verdict_skip(q->verdict, CHECK_QUOTE_CRL, "the policy asks for no list, and there is none");
        verdict_skip(q->verdict, CHECK_QUOTE_REVOKED, "there is no list");
        return;
    }
    (void)verdict_judge(q->verdict, CHECK_QUOTE_CRL, bad == NULL,
                        verdict_text(q->verdict, "current lists of %s and %s", q->chain.root->name,
                                     q->chain.intermediate->name),
                        bad != NULL          ? bad
                        : has_root && has_ca ? "they are"
                        : has_root ? "the root's alone, which is all that the policy asks for"
                                   : "the CA's alone, which is all that the policy asks for");
    (void)verdict_judge(
        q->verdict, CHECK_QUOTE_REVOKED, listed == NULL, "no certificate is listed",
        listed == NULL ? (has_root && has_ca ? "none is" : "none is, in the list that there is")
                       : verdict_text(q->verdict, "%s is", listed->name));
}

/* ---- signatures ---- */

/* Whether the platform's key signed the quoting enclave's report. The report is the same in all
 * quotes of an attestation key, so a good signature is remembered: by SHA-256 of signature and
 * report, as documents are (tcb_info.h). */
static bool qe_is_signed(struct quote_run *q, EVP_PKEY *platform, struct err *err)
{
    struct signature_cache *cache = q->run->verifier->signatures;
    const struct quote *x = &q->quote;
    uint8_t named[64 + SGX_REPORT_BODY_SIZE], digest[SIGNATURE_DIGEST_SIZE];

    assert(x->qe.raw.size == SGX_REPORT_BODY_SIZE);
    memcpy(named, x->qe_signature, 64);
    memcpy(named + 64, x->qe.raw.data, x->qe.raw.size);
    if (!crypto_sha256(bytes_from(named, sizeof named), digest, err))
        return false;
    if (signature_cache_has(cache, q->certificate->digest, digest))
        return true;
    if (!crypto_verify(CRYPTO_P256, platform, x->qe.raw, x->qe_signature,
                       x->qe_signature + P256_SIZE, err))
        return false;
    signature_cache_add(cache, q->certificate->digest, digest);
    return true;
}

static void judge_signatures(struct quote_run *q)
{
    const struct quote *x = &q->quote;
    EVP_PKEY *platform = q->certificate != NULL ? X509_get0_pubkey(q->certificate->x509) : NULL;
    EVP_PKEY *attestation = NULL;
    struct err err = {.msg = "good"};

    if (platform != NULL) {
        bool is_signed = qe_is_signed(q, platform, &err);
        (void)verdict_judge(q->verdict, CHECK_QUOTE_QE_SIGNATURE, is_signed,
                            "a signature of the platform's key", err.msg);
    }
    err.msg = "good";
    bool ok = verifier_key(q->run->verifier, x->key, &attestation, &err) &&
              crypto_verify(CRYPTO_P256, attestation, x->signed_bytes, x->signature,
                            x->signature + P256_SIZE, &err);
    (void)verdict_judge(q->verdict, CHECK_QUOTE_SIGNATURE, ok, "a signature of the attestation key",
                        err.msg);
}

/* REPORTDATA of the quoting enclave: SHA-256 of the attestation key and what it authenticates, and
 * zeroes. */
static void judge_binding(struct quote_run *q)
{
    const struct quote *x = &q->quote;
    uint8_t expected[64] = {0};
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(context, x->key, sizeof x->key) == 1 &&
              EVP_DigestUpdate(context, x->qe_auth.data, x->qe_auth.size) == 1 &&
              EVP_DigestFinal_ex(context, expected, NULL) == 1;
    EVP_MD_CTX_free(context);
    (void)verdict_judge(q->verdict, CHECK_QUOTE_QE_BINDING,
                        ok && memcmp(expected, x->qe.report_data, sizeof expected) == 0,
                        verdict_hex(q->verdict, bytes_from(expected, sizeof expected)),
                        verdict_hex(q->verdict, bytes_from(x->qe.report_data, 64)));
}

/* ---- the whole ---- */

/* The certificates that came with the quote, and those that came beside it. The copies borrow. */
static bool join_pool(struct quote_run *q, const struct collateral *own)
{
    const struct collateral_view *beside = q->run->collateral;
    size_t count = own->certificate_count + beside->certificate_count;
    struct certificate *all = ARENA_ARRAY(q->verdict->arena, struct certificate, count);

    if (all == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        all[i] = i < own->certificate_count ? own->certificates[i]
                                            : beside->certificates[i - own->certificate_count];
    q->pool = run_pool(q->run);
    q->pool.given = all;
    q->pool.given_count = count;
    return true;
}

void quote_verify(struct run *run)
{
    struct quote_run q = {.run = run, .verdict = run->verdict, .policy = run->policy};
    const char *fault;

    if (!judge_format(&q))
        return;
    const struct collateral *own = own_chain(&q, &fault);
    judge_header(&q);
    judge_pck(&q, own, fault);
    if (!join_pool(&q, own))
        return;
    run_roots(run, ROOT_INTEL, &q.roots);
    judge_chain(&q, own);
    judge_signatures(&q);
    judge_binding(&q);
    quote_judge_collateral(&q);
    judge_revocation(&q);
    run_judge_report_data(run, CHECK_QUOTE_REPORT_DATA,
                          q.quote.body == QUOTE_BODY_SGX ? q.quote.sgx.report_data
                                                         : q.quote.td.report_data);
    if (q.quote.body == QUOTE_BODY_SGX)
        quote_judge_sgx(&q);
    else
        quote_judge_tdx(&q);
}
