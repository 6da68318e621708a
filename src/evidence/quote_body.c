/* What runs: the enclave, or the trust domain. */
#include "evidence/quote_run.h"

/* ATTRIBUTES.FLAGS (SDM volume 3D). */
#define SGX_INIT UINT64_C(0x01)
#define SGX_DEBUG UINT64_C(0x02)
#define SGX_MODE64BIT UINT64_C(0x04)
#define SGX_XFRM_LEGACY UINT64_C(0x03) /* x87 and SSE, always on */

/* TDATTRIBUTES and XFAM (348551, TDX module ABI). */
#define TD_DEBUG UINT64_C(0x01)
#define TD_TUD UINT64_C(0xff) /* whatever makes a trust domain untrusted */
#define TD_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define TD_XFAM_FIXED_ONE UINT64_C(0x3)
#define TD_XFAM_KNOWN UINT64_C(0x6dbe7)

static uint64_t u64_of(const uint8_t bytes[8])
{
    uint64_t value;

    memcpy(&value, bytes, sizeof value);
    return value;
}

static const char *hex64(struct quote_run *q, uint64_t value)
{
    return verdict_text(q->verdict, "0x%llx", (unsigned long long)value);
}

static void judge_debug(struct quote_run *q, enum check_id id, bool is_debug)
{
    (void)verdict_judge(q->verdict, id, !is_debug || q->policy->debug,
                        q->policy->debug ? "anything: the policy allows debugging" : "DEBUG clear",
                        is_debug ? "DEBUG set" : "DEBUG clear");
}

/* ---- SGX ---- */

static bool has_signer(const struct quote_run *q)
{
    const struct sgx_report *r = &q->quote.sgx;

    for (size_t i = 0; i < q->policy->sgx.signer_count; i++) {
        const struct policy_signer *s = &q->policy->sgx.signers[i];
        if (bytes_equal(s->mrsigner, bytes_from(r->mrsigner, sizeof r->mrsigner)) &&
            (s->any_product || s->product == r->isv_prod_id) && r->isv_svn >= s->svn_min)
            return true;
    }
    return false;
}

static void judge_enclave(struct quote_run *q)
{
    const struct sgx_report *r = &q->quote.sgx;
    const struct bytes_list *list = &q->policy->sgx.mrenclaves;
    struct bytes measured = bytes_from(r->mrenclave, sizeof r->mrenclave);

    if (bytes_list_has(&q->policy->sgx.mrenclaves_denied, measured)) {
        (void)verdict_judge(q->verdict, CHECK_SGX_MEASUREMENT, false,
                            "a measurement that the policy does not deny",
                            verdict_hex(q->verdict, measured));
        return;
    }
    if (list->count == 0 && q->policy->sgx.signer_count == 0 && q->policy->any_workload) {
        verdict_skip(q->verdict, CHECK_SGX_MEASUREMENT, "the policy allows any enclave");
        return;
    }
    (void)verdict_judge(
        q->verdict, CHECK_SGX_MEASUREMENT, bytes_list_has(list, measured) || has_signer(q),
        verdict_text(q->verdict, "one of %zu measurements or %zu signers", list->count,
                     q->policy->sgx.signer_count),
        verdict_text(q->verdict, "%s, signer %s, product %u, version %u",
                     verdict_hex(q->verdict, measured),
                     verdict_hex(q->verdict, bytes_from(r->mrsigner, sizeof r->mrsigner)),
                     r->isv_prod_id, r->isv_svn));
}

void quote_judge_sgx(struct quote_run *q)
{
    const struct sgx_report *r = &q->quote.sgx;
    uint64_t flags = u64_of(r->attributes), xfrm = u64_of(r->attributes + 8);
    uint64_t allowed = q->policy->sgx.attributes_allowed | SGX_INIT | SGX_DEBUG | SGX_MODE64BIT;
    const uint64_t required = SGX_INIT | SGX_MODE64BIT;

    (void)verdict_judge(q->verdict, CHECK_SGX_FORM, r->reserved_are_zero, "zero",
                        r->reserved_are_zero ? "zero" : "not zero");
    judge_debug(q, CHECK_SGX_DEBUG, (flags & SGX_DEBUG) != 0);
    (void)verdict_judge(
        q->verdict, CHECK_SGX_ATTRIBUTES,
        (flags & required) == required && (flags & ~allowed) == 0 &&
            (xfrm & SGX_XFRM_LEGACY) == SGX_XFRM_LEGACY,
        verdict_text(q->verdict, "INIT, MODE64BIT, others within %s", hex64(q, allowed)),
        verdict_text(q->verdict, "flags %s, XFRM %s", hex64(q, flags), hex64(q, xfrm)));
    (void)verdict_judge(q->verdict, CHECK_SGX_MISC,
                        (r->misc_select & ~q->policy->sgx.misc_allowed) == 0,
                        verdict_text(q->verdict, "within 0x%x", q->policy->sgx.misc_allowed),
                        verdict_text(q->verdict, "0x%x", r->misc_select));
    judge_enclave(q);
    const struct bytes_list *ids = &q->policy->sgx.config_ids;
    struct bytes id = bytes_from(r->config_id, sizeof r->config_id);
    bool is_listed = ids->count == 0 ? bytes_are_zero(id) : bytes_list_has(ids, id);
    (void)verdict_judge(
        q->verdict, CHECK_SGX_CONFIG, is_listed && r->config_svn >= q->policy->sgx.config_svn_min,
        ids->count == 0 ? "zero" : "one that the policy lists",
        verdict_text(q->verdict, "%s, version %u", verdict_hex(q->verdict, id), r->config_svn));
}

/* ---- TDX ---- */

static void judge_attributes(struct quote_run *q)
{
    uint64_t attributes = u64_of(q->quote.td.td_attributes), xfam = u64_of(q->quote.td.xfam);
    uint64_t allowed = q->policy->tdx.attributes_allowed | TD_SEPT_VE_DISABLE | TD_DEBUG;
    uint64_t required = q->policy->tdx.sept_ve_disable ? TD_SEPT_VE_DISABLE : 0;

    bool is_debug = (attributes & TD_TUD) != 0;
    /* of what makes it untrusted only DEBUG has a meaning that a policy could allow */
    (void)verdict_judge(q->verdict, CHECK_TDX_DEBUG,
                        !is_debug || (q->policy->debug && (attributes & TD_TUD) == TD_DEBUG),
                        q->policy->debug ? "TUD clear, or DEBUG alone: the policy allows debugging"
                                         : "TUD clear",
                        hex64(q, attributes & TD_TUD));
    (void)verdict_judge(
        q->verdict, CHECK_TDX_ATTRIBUTES,
        (attributes & required) == required && (attributes & ~(allowed | TD_TUD)) == 0,
        verdict_text(q->verdict, "%s, within %s", hex64(q, required), hex64(q, allowed)),
        hex64(q, attributes));
    (void)verdict_judge(q->verdict, CHECK_TDX_XFAM,
                        (xfam & TD_XFAM_FIXED_ONE) == TD_XFAM_FIXED_ONE &&
                            (xfam & ~TD_XFAM_KNOWN) == 0,
                        verdict_text(q->verdict, "%s, within %s", hex64(q, TD_XFAM_FIXED_ONE),
                                     hex64(q, TD_XFAM_KNOWN)),
                        hex64(q, xfam));
}

/* Zero, or what the policy lists. */
static void judge_zero_or_listed(struct quote_run *q, enum check_id id, const char *name,
                                 const struct bytes_list *list, const uint8_t found[48])
{
    struct bytes bytes = bytes_from(found, 48);
    bool ok = list->count == 0 ? bytes_are_zero(bytes) : bytes_list_has(list, bytes);

    (void)verdict_judge(q->verdict, id, ok, list->count == 0 ? "zero" : "one that the policy lists",
                        verdict_text(q->verdict, "%s %s", name, verdict_hex(q->verdict, bytes)));
}

static void judge_rtmrs(struct quote_run *q)
{
    bool has_any = false;

    for (size_t i = 0; i < COUNT_OF(q->policy->tdx.rtmrs); i++) {
        if (q->policy->tdx.rtmrs[i].count == 0)
            continue;
        has_any = true;
        run_judge_list(q->run, CHECK_TDX_RTMR, &q->policy->tdx.rtmrs[i],
                       bytes_from(q->quote.td.rtmr[i], 48), NULL);
    }
    if (!has_any)
        verdict_skip(q->verdict, CHECK_TDX_RTMR, "the policy lists none");
}

void quote_judge_tdx(struct quote_run *q)
{
    const struct td_report *td = &q->quote.td;

    judge_attributes(q);
    (void)verdict_judge(
        q->verdict, CHECK_TDX_SEAM,
        bytes_are_zero(bytes_from(td->mrsignerseam, sizeof td->mrsignerseam)) &&
            bytes_are_zero(bytes_from(td->seam_attributes, sizeof td->seam_attributes)),
        "zero, which is Intel's",
        verdict_text(
            q->verdict, "signer %s, attributes %s",
            verdict_hex(q->verdict, bytes_from(td->mrsignerseam, sizeof td->mrsignerseam)),
            verdict_hex(q->verdict, bytes_from(td->seam_attributes, sizeof td->seam_attributes))));
    run_judge_list(q->run, CHECK_TDX_MEASUREMENT, &q->policy->tdx.mrtds, bytes_from(td->mrtd, 48),
                   q->policy->any_workload ? "the policy allows any trust domain" : NULL);
    judge_rtmrs(q);
    judge_zero_or_listed(q, CHECK_TDX_OWNER, "MRCONFIGID", &q->policy->tdx.mrconfigids,
                         td->mrconfigid);
    judge_zero_or_listed(q, CHECK_TDX_OWNER, "MROWNER", &q->policy->tdx.mrowners, td->mrowner);
    judge_zero_or_listed(q, CHECK_TDX_OWNER, "MROWNERCONFIG", &q->policy->tdx.mrownerconfigs,
                         td->mrownerconfig);
    if (q->quote.body == QUOTE_BODY_TD_1_5)
        judge_zero_or_listed(q, CHECK_TDX_SERVICE, "MRSERVICETD", &q->policy->tdx.mrservicetds,
                             td->mrservicetd);
    else
        verdict_skip(q->verdict, CHECK_TDX_SERVICE, "TDX 1.0 has no service domains");
}
