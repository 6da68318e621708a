#include "evidence/evidence.h"
#include "evidence/quote.h"
#include "evidence/snp_report.h"

#define PUT(subject, field, from)                       \
    do {                                                \
        memcpy((subject)->field, (from), sizeof(from)); \
        (subject)->field##_size = sizeof(from);         \
    } while (0)

static bool parse_report(struct bytes evidence, struct evidence_subject *out, struct err *err)
{
    struct snp_report report;

    if (!snp_report_parse(evidence, &report, err))
        return false;
    *out = (struct evidence_subject){.technology = TECHNOLOGY_SNP};
    PUT(out, measurement, report.measurement);
    PUT(out, tcb, report.reported_tcb);
    if (!bytes_are_zero(bytes_from(report.id_key_digest, sizeof report.id_key_digest)))
        PUT(out, signer, report.id_key_digest);
    return true;
}

static bool parse_quote(struct bytes evidence, struct evidence_subject *out, struct err *err)
{
    struct quote quote;

    if (!quote_parse(evidence, &quote, err))
        return false;
    bool is_sgx = quote.body == QUOTE_BODY_SGX;
    *out = (struct evidence_subject){.technology = is_sgx ? TECHNOLOGY_SGX : TECHNOLOGY_TDX};
    if (is_sgx) {
        PUT(out, measurement, quote.sgx.mrenclave);
        PUT(out, signer, quote.sgx.mrsigner);
        PUT(out, tcb, quote.sgx.cpu_svn);
    } else {
        PUT(out, measurement, quote.td.mrtd);
        PUT(out, tcb, quote.td.tee_tcb_svn);
    }
    return true;
}

bool evidence_subject_parse(enum evidence_kind kind, struct bytes evidence,
                            struct evidence_subject *out, struct err *err)
{
    return kind == EVIDENCE_SNP ? parse_report(evidence, out, err)
                                : parse_quote(evidence, out, err);
}
