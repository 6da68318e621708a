/* What Intel says of platform, TDX module and quoting enclave, and what follows from it. */
#include <stdio.h>

#include "evidence/civil.h"
#include "evidence/crypto.h"
#include "evidence/quote_run.h"

#define SGX_DEBUG 0x02u /* in the first byte of ATTRIBUTES */

/* ---- who signed a description ---- */

static bool is_signed(struct quote_run *q, const struct signed_document *d,
                      const struct certificate *key)
{
    struct signature_cache *cache = q->run->verifier->signatures;
    EVP_PKEY *public = X509_get0_pubkey(key->x509);
    struct err err;

    if (signature_cache_has(cache, key->digest, d->digest))
        return true;
    bool ok = public != NULL && crypto_verify(CRYPTO_P256, public, d->bytes, d->signature,
                                              d->signature + P256_SIZE, &err);
    if (ok)
        signature_cache_add(cache, key->digest, d->digest);
    return ok;
}

static bool may_sign(const struct certificate *c)
{
    return strcmp(c->name, SGX_TCB_SIGNING_NAME) == 0 && certificate_is_signer(c, CRYPTO_P256);
}

/* The certificate that signed a document, under the root under which the platform's is; one that is
 * valid now if there is a choice. NULL, and *why. */
static const struct certificate *signer_of(struct quote_run *q, const struct signed_document *d,
                                           const char **why)
{
    const struct certificate *found = NULL;

    *why = "there is no certificate for Intel SGX TCB Signing";
    for (size_t i = 0; i < q->pool.given_count; i++) {
        const struct certificate *c = &q->pool.given[i];
        struct chain chain;
        if (!may_sign(c))
            continue;
        chain_build(c, false, &q->pool, &q->roots, X509_FORM_INTEL, q->run->verifier->signatures,
                    &chain);
        if (chain.fault != CHAIN_GOOD)
            *why = chain.why;
        else if (q->chain.fault == CHAIN_GOOD && chain.root != q->chain.root)
            *why = "it is signed under another root than the platform's certificate";
        else if (!is_signed(q, d, c))
            *why = "the signature does not verify";
        else if (found == NULL || span_has(certificate_span(c), q->run->input->at))
            found = c;
    }
    return found;
}

static bool is_now(const struct quote_run *q, int64_t issued, int64_t next_update)
{
    return q->run->input->at >= issued && q->run->input->at <= next_update;
}

/* Judges when a document is valid, and the key that signed it. */
static void judge_dates(struct quote_run *q, enum check_id id, int64_t issued, int64_t next_update,
                        const struct certificate *signer)
{
    char at[CIVIL_TEXT_SIZE], from[CIVIL_TEXT_SIZE], to[CIVIL_TEXT_SIZE];
    int64_t now = q->run->input->at;

    civil_format(now, at);
    civil_format(issued, from);
    civil_format(next_update, to);
    bool is_current = is_now(q, issued, next_update);
    if (is_current && signer != NULL)
        run_judge_dates(q->run, id, &signer, 1);
    else
        (void)verdict_judge(q->verdict, id, is_current, verdict_text(q->verdict, "valid at %s", at),
                            verdict_text(q->verdict, "from %s to %s", from, to));
}

/* ---- the quoting enclave ---- */

/* The newest that is about the enclave, of those that are valid now if there is a choice: an older
 * one does not hide it. */
static const struct enclave_identity *find_identity(const struct quote_run *q, const char *id)
{
    const struct collateral_view *c = q->run->collateral;
    const struct enclave_identity *found = NULL;
    bool found_is_current = false;

    for (size_t i = 0; i < c->identity_count; i++) {
        const struct enclave_identity *identity = &c->identities[i];
        bool is_current = is_now(q, identity->issued, identity->next_update);
        if (!bytes_is(identity->id, id))
            continue;
        if (found == NULL || is_current > found_is_current ||
            (is_current == found_is_current && identity->issued > found->issued)) {
            found = identity;
            found_is_current = is_current;
        }
    }
    return found;
}

static bool is_masked_equal(const uint8_t *a, const uint8_t *b, const uint8_t *mask, size_t size)
{
    uint8_t difference = 0;

    for (size_t i = 0; i < size; i++)
        difference |= (uint8_t)((a[i] ^ b[i]) & mask[i]);
    return difference == 0;
}

static const char *qe_fault(const struct sgx_report *qe, const struct enclave_identity *identity)
{
    if ((qe->attributes[0] & SGX_DEBUG) != 0)
        return "it can be debugged";
    if (memcmp(qe->mrsigner, identity->mrsigner, sizeof qe->mrsigner) != 0)
        return "its signer is another";
    if (qe->isv_prod_id != identity->isv_prod_id)
        return "its product is another";
    if (((qe->misc_select ^ identity->misc_select) & identity->misc_mask) != 0)
        return "its MISCSELECT is another";
    if (!is_masked_equal(qe->attributes, identity->attributes, identity->attributes_mask,
                         sizeof qe->attributes))
        return "its attributes are others";
    return qe->reserved_are_zero ? NULL : "reserved fields of its report are not zero";
}

/* The first level that a version reaches, in Intel's order; NULL: none. */
static const struct isv_level *isv_level_of(const struct isv_level *levels, size_t count,
                                            uint16_t svn)
{
    for (size_t i = 0; i < count; i++) {
        if (svn >= levels[i].isv_svn)
            return &levels[i];
    }
    return NULL;
}

/* The quoting enclave's level; NULL: not to be had. */
static const struct isv_level *judge_qe(struct quote_run *q)
{
    const char *wanted = q->quote.body == QUOTE_BODY_SGX ? "QE" : "TD_QE", *why;
    const char *expected = verdict_text(q->verdict, "%s, version 2, signed by Intel", wanted);
    const struct enclave_identity *identity = find_identity(q, wanted);

    if (identity == NULL) {
        (void)verdict_judge(q->verdict, CHECK_QUOTE_QE_IDENTITY, false, expected,
                            q->run->collateral->identity_count == 0 ? "there is none"
                                                                    : "it is of another enclave");
        return NULL;
    }
    const struct certificate *signer = signer_of(q, &identity->document, &why);
    q->qe_signing = signer;
    q->qe_identity = identity;
    (void)verdict_judge(q->verdict, CHECK_QUOTE_QE_IDENTITY,
                        signer != NULL && identity->version == 2, expected,
                        signer == NULL ? why
                                       : verdict_text(q->verdict, "%s, version %llu", wanted,
                                                      (unsigned long long)identity->version));
    judge_dates(q, CHECK_QUOTE_QE_IDENTITY_DATES, identity->issued, identity->next_update, signer);
    const struct sgx_report *qe = &q->quote.qe;
    const char *fault = qe_fault(qe, identity);
    const struct isv_level *level =
        isv_level_of(identity->levels, identity->level_count, qe->isv_svn);
    (void)verdict_judge(q->verdict, CHECK_QUOTE_QE_MATCH, fault == NULL && level != NULL,
                        verdict_text(q->verdict, "signer %s, product %u",
                                     verdict_hex(q->verdict, bytes_from(identity->mrsigner,
                                                                        sizeof identity->mrsigner)),
                                     identity->isv_prod_id),
                        fault != NULL   ? fault
                        : level == NULL ? "its version is older than any that Intel lists"
                                        : verdict_text(q->verdict, "it, version %u", qe->isv_svn));
    return level;
}

/* ---- the platform ---- */

static bool is_of_kind(const struct quote_run *q, const struct tcb_info *info)
{
    return q->quote.body == QUOTE_BODY_SGX
               ? bytes_is(info->id, "SGX") || (info->version == 2 && info->id.size == 0)
               : bytes_is(info->id, "TDX");
}

static bool is_of_platform(const struct quote_run *q, const struct tcb_info *info)
{
    return q->has_pck && memcmp(info->fmspc, q->pck.fmspc, sizeof info->fmspc) == 0 &&
           info->has_pce_id && memcmp(info->pce_id, q->pck.pce_id, sizeof info->pce_id) == 0;
}

/* Version 1 has no PCEID, and so is about no platform. */
static bool is_of_version(const struct quote_run *q, const struct tcb_info *info)
{
    return info->version >= 2 && (q->policy->intel.tcb_info_versions >> info->version & 1) != 0;
}

/* Whether a description replaces another: by its form, Intel's count of evaluations, its date. So
 * an older one that is still current does not hide a newer. */
static bool is_newer(const struct tcb_info *a, const struct tcb_info *b)
{
    if (a->version != b->version)
        return a->version > b->version;
    if (a->evaluation != b->evaluation)
        return a->evaluation > b->evaluation;
    return a->issued > b->issued;
}

/* The description that fits best, the newest of those; NULL: there is none at all. */
static const struct tcb_info *find_tcb_info(const struct quote_run *q)
{
    const struct collateral_view *c = q->run->collateral;
    const struct tcb_info *best = NULL;
    unsigned best_fit = 0;

    for (size_t i = 0; i < c->tcb_info_count; i++) {
        const struct tcb_info *info = &c->tcb_infos[i];
        unsigned fit = 1 + (is_of_kind(q, info) ? 8u : 0u) + (is_of_platform(q, info) ? 4u : 0u) +
                       (is_of_version(q, info) ? 2u : 0u) +
                       (is_now(q, info->issued, info->next_update) ? 1u : 0u);
        if (fit > best_fit || (fit == best_fit && is_newer(info, best))) {
            best_fit = fit;
            best = info;
        }
    }
    return best;
}

static bool reaches(const uint8_t *have, const uint8_t *needed, size_t from)
{
    for (size_t i = from; i < TCB_COMPONENTS; i++) {
        if (have[i] < needed[i])
            return false;
    }
    return true;
}

/* The first level that the platform reaches, in Intel's order. With a TDX module that has an
 * identity of its own, the first two of the TDX components are judged by that. */
static const struct tcb_level *level_of(const struct quote_run *q, const struct tcb_info *info)
{
    const uint8_t *tdx = q->quote.td.tee_tcb_svn;

    for (size_t i = 0; i < info->level_count; i++) {
        const struct tcb_level *level = &info->levels[i];
        if (reaches(q->pck.svns, level->sgx, 0) && q->pck.pce_svn >= level->pce_svn &&
            (q->quote.body == QUOTE_BODY_SGX || reaches(tdx, level->tdx, tdx[1] > 0 ? 2 : 0)))
            return level;
    }
    return NULL;
}

/* The TDX module's identity: by its major version, or the one for version 0. */
static const struct tdx_module *module_of(const struct quote_run *q, const struct tcb_info *info)
{
    char id[8];

    if (q->quote.td.tee_tcb_svn[1] == 0)
        return info->has_module ? &info->module : NULL;
    (void)snprintf(id, sizeof id, "TDX_%02x", q->quote.td.tee_tcb_svn[1]);
    for (size_t i = 0; i < info->module_count; i++) {
        struct bytes name = info->modules[i].id;
        if (name.size == strlen(id) && strncasecmp((const char *)name.data, id, name.size) == 0)
            return &info->modules[i];
    }
    return NULL;
}

/* The TDX module's level; NULL when it has none of its own, or is not to be had. */
static const struct isv_level *judge_module(struct quote_run *q, const struct tcb_info *info)
{
    const struct td_report *td = &q->quote.td;
    const struct tdx_module *module = module_of(q, info);
    const struct isv_level *level = NULL;
    const char *fault = NULL;

    if (module == NULL) {
        fault = "Intel describes no module of this version";
    } else if (memcmp(td->mrsignerseam, module->mrsigner, sizeof td->mrsignerseam) != 0) {
        fault = "its signer is another";
    } else if (!is_masked_equal(td->seam_attributes, module->attributes, module->attributes_mask,
                                sizeof td->seam_attributes)) {
        fault = "its attributes are others";
    } else if (td->tee_tcb_svn[1] > 0) {
        level = isv_level_of(module->levels, module->level_count, td->tee_tcb_svn[0]);
        if (level == NULL)
            fault = "its version is older than any that Intel lists";
    }
    (void)verdict_judge(q->verdict, CHECK_QUOTE_TDX_MODULE, fault == NULL,
                        "the module that Intel describes",
                        fault != NULL ? fault
                                      : verdict_text(q->verdict, "it, version %u.%u",
                                                     td->tee_tcb_svn[1], td->tee_tcb_svn[0]));
    return level;
}

/* ---- together ---- */

/* Intel's rule for putting a part's status to the platform's (DCAP quote verification library,
 * convergence of TCB statuses): a table, not the worse of the two. */
static enum tcb_status converge(enum tcb_status platform, enum tcb_status part)
{
    if (platform == TCB_NOT_SUPPORTED || platform == TCB_REVOKED)
        return platform;
    if (part == TCB_UP_TO_DATE)
        return platform;
    if (part == TCB_REVOKED)
        return TCB_REVOKED;
    /* out of date; and Intel gives parts no other status: what it would mean, nobody has said */
    switch (platform) {
    case TCB_UP_TO_DATE:
    case TCB_SW_HARDENING_NEEDED:
    case TCB_OUT_OF_DATE:
        return TCB_OUT_OF_DATE;
    default:
        return TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;
    }
}

static bool is_tolerated(const struct quote_run *q, struct bytes id)
{
    for (size_t i = 0; i < q->policy->intel.advisory_count; i++) {
        const struct policy_advisory *a = &q->policy->intel.advisories[i];
        if (bytes_equal(a->id, id) && q->run->input->at < a->until)
            return true;
    }
    return false;
}

static void judge_advisories(struct quote_run *q, const struct advisories *const *lists,
                             size_t count)
{
    uint8_t text[600];
    struct writer all = writer_fixed(text, sizeof text);
    struct bytes shown;
    struct err err;
    bool ok = true;

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; lists[i] != NULL && k < lists[i]->count; k++) {
            struct bytes id = lists[i]->ids[k];
            ok = is_tolerated(q, id) && ok;
            if (all.size != 0)
                writer_text(&all, " ");
            writer_bytes(&all, id);
        }
    }
    if (!writer_done(&all, &shown, &err))
        shown = bytes_of("more than fit here");
    (void)verdict_judge(q->verdict, CHECK_QUOTE_ADVISORIES, ok,
                        "none that the policy does not tolerate now",
                        shown.size == 0 ? "none"
                                        : verdict_text(q->verdict, "%.*s", (int)shown.size,
                                                       (const char *)shown.data));
}

static const char *accepted_text(struct quote_run *q)
{
    uint8_t text[200];
    struct writer w = writer_fixed(text, sizeof text);

    for (enum tcb_status s = 0; s < TCB_NOT_SUPPORTED; s++) {
        if ((q->policy->intel.tcb_statuses >> s & 1) != 0) {
            writer_text(&w, w.size != 0 ? " or " : "");
            writer_text(&w, tcb_status_name(s));
        }
    }
    return verdict_text(q->verdict, "%.*s", (int)w.size, (const char *)w.data);
}

static bool is_passed(const struct quote_run *q, enum check_id id)
{
    return q->verdict->checks[id].result == CHECK_PASSED;
}

static void judge_status(struct quote_run *q, const struct tcb_info *info,
                         const struct isv_level *qe, const struct isv_level *module)
{
    const struct tcb_level *level = level_of(q, info);
    const struct advisories *lists[] = {level != NULL ? &level->advisories : NULL,
                                        module != NULL ? &module->advisories : NULL,
                                        qe != NULL ? &qe->advisories : NULL};
    enum tcb_status platform = level != NULL ? level->status : TCB_NOT_SUPPORTED;
    enum tcb_status whole = platform;

    if (module != NULL)
        whole = converge(whole, module->status);
    if (qe != NULL)
        whole = converge(whole, qe->status);
    if (is_passed(q, CHECK_QUOTE_TCB_INFO)) /* else it is anybody's word */
        q->verdict->tcb_status = tcb_status_name(whole);
    (void)verdict_judge(q->verdict, CHECK_QUOTE_TCB_STATUS,
                        whole < TCB_REVOKED && (q->policy->intel.tcb_statuses >> whole & 1) != 0,
                        accepted_text(q),
                        verdict_text(q->verdict, "%s (platform %s%s%s%s%s)", tcb_status_name(whole),
                                     tcb_status_name(platform), module != NULL ? ", module " : "",
                                     module != NULL ? tcb_status_name(module->status) : "",
                                     qe != NULL ? ", quoting enclave " : "",
                                     qe != NULL ? tcb_status_name(qe->status) : ""));
    judge_advisories(q, lists, COUNT_OF(lists));
}

static const char *tcb_info_expected(const struct quote_run *q)
{
    return q->quote.body == QUOTE_BODY_SGX
               ? "SGX, of a version that the policy allows, type 0, signed by Intel"
               : "TDX, version 3, type 0, signed by Intel";
}

/* TCB info and enclave identity are of one evaluation each. */
static void judge_evaluation(struct quote_run *q, const struct tcb_info *info)
{
    uint64_t least = q->policy->intel.tcb_evaluation_min;
    uint64_t qe = q->qe_identity != NULL ? q->qe_identity->evaluation : least;

    (void)verdict_judge(q->verdict, CHECK_QUOTE_TCB_EVALUATION,
                        info->evaluation >= least && qe >= least,
                        verdict_text(q->verdict, "at least %llu", (unsigned long long)least),
                        verdict_text(q->verdict, "platform %llu, quoting enclave %llu",
                                     (unsigned long long)info->evaluation, (unsigned long long)qe));
}

static void judge_tcb_info(struct quote_run *q, const struct tcb_info *info)
{
    const char *expected = tcb_info_expected(q), *why;
    const struct certificate *signer = signer_of(q, &info->document, &why);
    q->tcb_signing = signer;
    (void)verdict_judge(
        q->verdict, CHECK_QUOTE_TCB_INFO,
        signer != NULL && is_of_kind(q, info) && is_of_version(q, info) && info->tcb_type == 0,
        expected,
        signer == NULL
            ? why
            : verdict_text(q->verdict, "%.*s, version %llu, type %llu",
                           (int)bytes_before(info->id, 20).size, (const char *)info->id.data,
                           (unsigned long long)info->version, (unsigned long long)info->tcb_type));
    judge_dates(q, CHECK_QUOTE_TCB_INFO_DATES, info->issued, info->next_update, signer);
    judge_evaluation(q, info);
}

static const char *kind_text(struct quote_run *q, const uint8_t fmspc[6], const uint8_t pce_id[2])
{
    return verdict_text(q->verdict, "FMSPC %s, PCEID %s",
                        verdict_hex(q->verdict, bytes_from(fmspc, 6)),
                        verdict_hex(q->verdict, bytes_from(pce_id, 2)));
}

void quote_judge_collateral(struct quote_run *q)
{
    const struct isv_level *qe = judge_qe(q), *module = NULL;
    const struct tcb_info *info = find_tcb_info(q);

    if (q->quote.body == QUOTE_BODY_SGX)
        verdict_skip(q->verdict, CHECK_QUOTE_TDX_MODULE, "SGX has no TDX module");
    if (info == NULL) {
        (void)verdict_judge(q->verdict, CHECK_QUOTE_TCB_INFO, false, tcb_info_expected(q),
                            "there is none");
        return;
    }
    judge_tcb_info(q, info);
    if (q->quote.body != QUOTE_BODY_SGX)
        module = judge_module(q, info);
    if (!q->has_pck)
        return;
    (void)verdict_judge(q->verdict, CHECK_QUOTE_TCB_MATCH, is_of_platform(q, info),
                        kind_text(q, q->pck.fmspc, q->pck.pce_id),
                        kind_text(q, info->fmspc, info->pce_id));
    if (is_of_kind(q, info))
        judge_status(q, info, qe, module);
}
