#include "evidence/quote.h"

#define CERT_TYPE_QE                                                            \
    6u /* version 4 on: the quoting enclave's part is certification data itself \
        */

static bool take_zeroes(struct reader *r, size_t size, bool *are_zero)
{
    struct bytes bytes;

    if (!reader_bytes(r, size, &bytes))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (bytes.data[i] != 0)
            *are_zero = false;
    }
    return true;
}

#define COPY(r, field) reader_copy((r), (field), sizeof(field))

static bool take_sgx_report(struct reader *r, struct sgx_report *out)
{
    struct reader start = *r;

    out->reserved_are_zero = true;
    return reader_bytes(&start, SGX_REPORT_BODY_SIZE, &out->raw) && COPY(r, out->cpu_svn) &&
           reader_u32le(r, &out->misc_select) && take_zeroes(r, 12, &out->reserved_are_zero) &&
           COPY(r, out->isv_ext_prod_id) && COPY(r, out->attributes) && COPY(r, out->mrenclave) &&
           take_zeroes(r, 32, &out->reserved_are_zero) && COPY(r, out->mrsigner) &&
           take_zeroes(r, 32, &out->reserved_are_zero) && COPY(r, out->config_id) &&
           reader_u16le(r, &out->isv_prod_id) && reader_u16le(r, &out->isv_svn) &&
           reader_u16le(r, &out->config_svn) && take_zeroes(r, 42, &out->reserved_are_zero) &&
           COPY(r, out->isv_family_id) && COPY(r, out->report_data);
}

static bool take_td_report(struct reader *r, bool is_1_5, struct td_report *out)
{
    bool ok = COPY(r, out->tee_tcb_svn) && COPY(r, out->mrseam) && COPY(r, out->mrsignerseam) &&
              COPY(r, out->seam_attributes) && COPY(r, out->td_attributes) && COPY(r, out->xfam) &&
              COPY(r, out->mrtd) && COPY(r, out->mrconfigid) && COPY(r, out->mrowner) &&
              COPY(r, out->mrownerconfig) && COPY(r, out->rtmr) && COPY(r, out->report_data);

    return ok && (!is_1_5 || (COPY(r, out->tee_tcb_svn_2) && COPY(r, out->mrservicetd)));
}

static bool take_header(struct reader *r, struct quote *out)
{
    return reader_u16le(r, &out->version) && reader_u16le(r, &out->key_type) &&
           reader_u32le(r, &out->tee_type) && reader_u16le(r, &out->qe_svn) &&
           reader_u16le(r, &out->pce_svn) && COPY(r, out->vendor) && COPY(r, out->user_data);
}

/* The body, all of it: what version 5 says of it, or what header and version imply. */
static bool take_body(struct reader *r, struct quote *out)
{
    struct reader body = *r;
    uint16_t type;
    uint32_t size;
    struct bytes content;

    if (out->version == 5) {
        if (!reader_u16le(r, &type) || !reader_u32le(r, &size) || type < QUOTE_BODY_SGX ||
            type > QUOTE_BODY_TD_1_5 || !reader_bytes(r, size, &content))
            return false;
        out->body = (enum quote_body)type;
        body = reader_of(content);
    } else {
        out->body = out->tee_type == QUOTE_TEE_TDX ? QUOTE_BODY_TD_1_0 : QUOTE_BODY_SGX;
    }
    bool ok = out->body == QUOTE_BODY_SGX
                  ? take_sgx_report(&body, &out->sgx)
                  : take_td_report(&body, out->body == QUOTE_BODY_TD_1_5, &out->td);
    if (!ok)
        return false;
    if (out->version == 5)
        return reader_at_end(&body);
    *r = body;
    return true;
}

/* The quoting enclave's report, its signature, what it authenticates, and the platform's
 * certificate; fills the reader. */
static bool take_qe(struct reader *r, struct quote *out)
{
    uint16_t auth_size;
    uint32_t cert_size;

    return take_sgx_report(r, &out->qe) && COPY(r, out->qe_signature) &&
           reader_u16le(r, &auth_size) && reader_bytes(r, auth_size, &out->qe_auth) &&
           reader_u16le(r, &out->cert_type) && reader_u32le(r, &cert_size) &&
           reader_bytes(r, cert_size, &out->cert_data) && reader_at_end(r);
}

static bool take_signature(struct reader *r, struct quote *out)
{
    uint32_t size;
    uint16_t type;
    struct bytes content;

    if (!reader_u32le(r, &size) || !reader_bytes(r, size, &content))
        return false;
    struct reader data = reader_of(content);
    if (!COPY(&data, out->signature) || !COPY(&data, out->key))
        return false;
    if (out->version == 3)
        return take_qe(&data, out);
    if (!reader_u16le(&data, &type) || type != CERT_TYPE_QE || !reader_u32le(&data, &size) ||
        !reader_bytes(&data, size, &content) || !reader_at_end(&data))
        return false;
    struct reader qe = reader_of(content);
    return take_qe(&qe, out);
}

bool quote_parse(struct bytes in, struct quote *out, struct err *err)
{
    struct reader r = reader_of(in);
    struct quote q = {.version = 0};
    bool are_zero = true;

    if (!take_header(&r, &q))
        return err_set(err, ERR_FORMAT, "a quote ends early, at offset", r.at);
    if (q.version < 3 || q.version > 5)
        return err_set(err, ERR_UNSUPPORTED, "unknown version of a quote:", q.version);
    if (q.tee_type != QUOTE_TEE_SGX && q.tee_type != QUOTE_TEE_TDX)
        return err_set(err, ERR_UNSUPPORTED, "unknown type of TEE in a quote:", q.tee_type);
    if (!take_body(&r, &q))
        return err_set(err, ERR_FORMAT, "a quote's body has not its size, at offset", r.at);
    q.signed_bytes = bytes_before(in, r.at);
    if (!take_signature(&r, &q))
        return err_set(err, ERR_FORMAT,
                       "a quote's signature data has not its form or size, at offset", r.at);
    q.padding = reader_left(&r);
    if (!take_zeroes(&r, q.padding, &are_zero) || !are_zero)
        return err_set(err, ERR_FORMAT, "something follows a quote, before offset", r.at);
    *out = q;
    return true;
}

bool quote_is_meant_for_tdx(struct bytes in)
{
    return in.size >= 8 && (in.data[0] == 4 || in.data[0] == 5) && in.data[4] == QUOTE_TEE_TDX;
}
