/* Evidence between keep and host, and the names of phases. */
#include "sallyport/sallyport.h"

const char *keep_phase_name(enum keep_phase phase)
{
    static const char *const names[] = {
        [KEEP_PHASE_BOOTED] = "booted",     [KEEP_PHASE_FETCHED] = "fetched",
        [KEEP_PHASE_ATTESTED] = "attested", [KEEP_PHASE_COMPILED] = "compiled",
        [KEEP_PHASE_RUNNING] = "running",
    };

    return names[phase];
}

static void write_section(struct writer *w, enum keep_evidence_kind kind, struct bytes body)
{
    if (body.size == 0)
        return;
    writer_u32le(w, kind);
    writer_u32le(w, (uint32_t)body.size);
    writer_bytes(w, body);
}

void keep_evidence_write(struct writer *w, const struct keep_evidence *evidence)
{
    write_section(w, KEEP_EVIDENCE_TECHNOLOGY, bytes_from(&evidence->technology, 1));
    write_section(w, KEEP_EVIDENCE_REPORT, evidence->report);
    write_section(w, KEEP_EVIDENCE_VEK, evidence->vek);
    for (size_t i = 0; i < evidence->crl_count; i++) {
        const struct keep_crl *crl = &evidence->crls[i];
        writer_u32le(w, KEEP_EVIDENCE_CRL);
        writer_u32le(w, (uint32_t)(2 + crl->url.size + crl->der.size));
        writer_u16le(w, (uint16_t)crl->url.size);
        writer_bytes(w, crl->url);
        writer_bytes(w, crl->der);
    }
    for (size_t i = 0; i < evidence->tcb_chain_count; i++)
        write_section(w, KEEP_EVIDENCE_TCB_CERTIFICATE, evidence->tcb_chain[i]);
    write_section(w, KEEP_EVIDENCE_TCB_INFO, evidence->tcb_info);
}

static bool twice(struct err *err)
{
    return err_set(err, ERR_FORMAT, "evidence: something is there twice", ERR_NO_AT);
}

static bool take_once(struct bytes body, struct bytes *out, struct err *err)
{
    if (out->size != 0)
        return twice(err);
    *out = body;
    return true;
}

static bool take_crl(struct bytes body, struct keep_evidence *e, struct err *err)
{
    struct reader r = {.in = body};
    struct keep_crl crl;
    uint16_t size;

    if (e->crl_count == KEEP_EVIDENCE_CRLS_MAX)
        return err_set(err, ERR_LIMIT, "evidence: more revocation lists than", e->crl_count);
    if (!reader_u16le(&r, &size) || size > KEEP_EVIDENCE_URL_MAX ||
        !reader_bytes(&r, size, &crl.url))
        return err_set(err, ERR_FORMAT, "evidence: bad address of a revocation list", ERR_NO_AT);
    crl.der = bytes_after(body, r.at);
    e->crls[e->crl_count++] = crl;
    return true;
}

static bool take(enum keep_evidence_kind kind, struct bytes body, struct keep_evidence *e,
                 struct err *err)
{
    switch (kind) {
    case KEEP_EVIDENCE_TECHNOLOGY:
        if (e->technology != 0)
            return twice(err);
        if (body.size != 1 || body.data[0] < KEEP_SNP || body.data[0] > KEEP_TDX)
            return err_set(err, ERR_FORMAT, "evidence: unknown technology", ERR_NO_AT);
        e->technology = body.data[0];
        return true;
    case KEEP_EVIDENCE_REPORT:
        return take_once(body, &e->report, err);
    case KEEP_EVIDENCE_VEK:
        return take_once(body, &e->vek, err);
    case KEEP_EVIDENCE_CRL:
        return take_crl(body, e, err);
    case KEEP_EVIDENCE_TCB_CERTIFICATE:
        if (e->tcb_chain_count == KEEP_EVIDENCE_CHAIN_MAX)
            return err_set(err, ERR_LIMIT, "evidence: a longer chain than", e->tcb_chain_count);
        e->tcb_chain[e->tcb_chain_count++] = body;
        return true;
    case KEEP_EVIDENCE_TCB_INFO:
        return take_once(body, &e->tcb_info, err);
    default:
        return err_set(err, ERR_FORMAT, "evidence: unknown section kind", kind);
    }
}

bool keep_evidence_parse(struct bytes in, struct keep_evidence *out, struct err *err)
{
    struct reader r = {.in = in};
    struct keep_evidence e = {.technology = 0};

    while (r.at != in.size) {
        uint32_t kind, size;
        struct bytes body;
        if (!reader_u32le(&r, &kind) || !reader_u32le(&r, &size) || size == 0 ||
            !reader_bytes(&r, size, &body))
            return err_set(err, ERR_FORMAT, "evidence ends early, at offset", r.at);
        if (!take((enum keep_evidence_kind)kind, body, &e, err))
            return false;
    }
    if (e.technology == 0)
        return err_set(err, ERR_FORMAT, "evidence: no technology", ERR_NO_AT);
    *out = e;
    return true;
}
