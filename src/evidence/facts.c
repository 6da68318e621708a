/* What files say of themselves, as words. */
#include <openssl/bn.h>
#include <stdarg.h>
#include <stdio.h>

#include "evidence/civil.h"
#include "evidence/collateral_parts.h"
#include "evidence/evidence.h"
#include "evidence/quote.h"
#include "evidence/sgx_pck.h"
#include "evidence/snp_report.h"
#include "evidence/snp_vek.h"

#define CERT_TYPE_CHAIN 5u
#define TEXT_MAX 2048u

/* One item being written; *failed when there is no memory. */
struct book {
    struct arena *arena;
    struct fact_item *item;
    bool has_failed;
};

static void put(struct book *b, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

static void put(struct book *b, const char *name, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof text || b->item->count == FACTS_MAX) {
        b->has_failed = true;
        return;
    }
    char *copy = arena_alloc(b->arena, (size_t)size + 1, 1);
    if (copy == NULL) {
        b->has_failed = true;
        return;
    }
    memcpy(copy, text, (size_t)size + 1);
    b->item->facts[b->item->count++] = (struct fact){.name = name, .value = copy};
}

static void put_hex(struct book *b, const char *name, const void *data, size_t size)
{
    char text[TEXT_MAX];

    if (size > sizeof text / 2 - 1)
        size = sizeof text / 2 - 1;
    hex_encode(bytes_from(data, size), text);
    text[hex_size(size)] = 0;
    put(b, name, "%s", text);
}

#define PUT_HEX(b, name, field) put_hex(b, name, field, sizeof(field))

static void put_number(struct book *b, const char *name, uint64_t number)
{
    put(b, name, "%llu", (unsigned long long)number);
}

static void put_bits(struct book *b, const char *name, uint64_t bits)
{
    put(b, name, "0x%llx", (unsigned long long)bits);
}

static void put_time(struct book *b, const char *name, int64_t seconds)
{
    char text[CIVIL_TEXT_SIZE];

    civil_format(seconds, text);
    put(b, name, "%s", text);
}

/* Text of somebody else's: what is no printable ASCII becomes a dot. */
static void put_text(struct book *b, const char *name, struct bytes text)
{
    char shown[200];
    size_t size = text.size < sizeof shown - 1 ? text.size : sizeof shown - 1;

    for (size_t i = 0; i < size; i++)
        shown[i] = (char)(text.data[i] >= ' ' && text.data[i] <= '~' ? text.data[i] : '.');
    shown[size] = 0;
    put(b, name, "%s", shown);
}

/* ---- SNP ---- */

static void put_tcb(struct book *b, const char *name, const struct snp_tcb *t, bool is_turin)
{
    char fmc[16] = "";

    if (is_turin)
        (void)snprintf(fmc, sizeof fmc, "fmc=%u ", t->fmc);
    put(b, name, "%sbl=%u tee=%u snp=%u ucode=%u", fmc, t->bootloader, t->tee, t->snp,
        t->microcode);
}

static void put_raw_tcb(struct book *b, const char *name, const uint8_t raw[8],
                        enum snp_product product)
{
    struct snp_tcb tcb;

    if (snp_tcb_parse(raw, product, &tcb))
        put_tcb(b, name, &tcb, product == SNP_TURIN);
    else
        put_hex(b, name, raw, 8);
}

static void put_guest(struct book *b, const struct snp_report *r)
{
    put_number(b, "version", r->version);
    put_number(b, "guest_svn", r->guest_svn);
    put_bits(b, "policy", r->policy);
    put(b, "debug", "%d", (r->policy & SNP_POLICY_DEBUG) != 0);
    put(b, "migrate_ma", "%d", (r->policy & SNP_POLICY_MIGRATE_MA) != 0);
    put(b, "smt", "%d", (r->policy & SNP_POLICY_SMT) != 0);
    put(b, "abi_min", "%u.%u", r->policy_abi_major, r->policy_abi_minor);
    PUT_HEX(b, "family_id", r->family_id);
    PUT_HEX(b, "image_id", r->image_id);
    put_number(b, "vmpl", r->vmpl);
    put_number(b, "signature_algorithm", r->signature_algorithm);
    put_bits(b, "platform_info", r->platform_info);
    put(b, "signing_key", "%s",
        r->signing_key == SNP_SIGNED_BY_VCEK   ? "VCEK"
        : r->signing_key == SNP_SIGNED_BY_VLEK ? "VLEK"
        : r->signing_key == SNP_SIGNED_BY_NONE ? "none"
                                               : "unknown");
    put(b, "mask_chip_key", "%d", r->masks_chip_key);
    put(b, "author_key_en", "%d", r->has_author_key);
    PUT_HEX(b, "report_data", r->report_data);
    PUT_HEX(b, "measurement", r->measurement);
    PUT_HEX(b, "host_data", r->host_data);
    PUT_HEX(b, "id_key_digest", r->id_key_digest);
    PUT_HEX(b, "author_key_digest", r->author_key_digest);
    PUT_HEX(b, "report_id", r->report_id);
    PUT_HEX(b, "report_id_ma", r->report_id_ma);
}

static void put_report(struct book *b, const struct snp_report *r)
{
    /* version 2 is of processors that have one layout */
    enum snp_product product = r->has_cpuid ? snp_report_product(r) : SNP_MILAN;

    put_guest(b, r);
    if (r->has_cpuid) {
        put_bits(b, "cpuid_family", r->cpuid_family);
        put_bits(b, "cpuid_model", r->cpuid_model);
        put_number(b, "cpuid_stepping", r->cpuid_stepping);
    }
    PUT_HEX(b, "chip_id", r->chip_id);
    put_raw_tcb(b, "current_tcb", r->current_tcb, product);
    put_raw_tcb(b, "reported_tcb", r->reported_tcb, product);
    put_raw_tcb(b, "committed_tcb", r->committed_tcb, product);
    put_raw_tcb(b, "launch_tcb", r->launch_tcb, product);
    put(b, "current", "%u.%u.%u", r->current.major, r->current.minor, r->current.build);
    put(b, "committed", "%u.%u.%u", r->committed.major, r->committed.minor, r->committed.build);
    if (r->version >= 5) {
        put_bits(b, "launch_mit_vector", r->launch_mit_vector);
        put_bits(b, "current_mit_vector", r->current_mit_vector);
    }
}

/* ---- quotes ---- */

static void put_enclave(struct book *b, const struct sgx_report *r)
{
    put(b, "debug", "%d", (r->attributes[0] & 2) != 0);
    PUT_HEX(b, "report_data", r->report_data);
    PUT_HEX(b, "cpu_svn", r->cpu_svn);
    PUT_HEX(b, "mrenclave", r->mrenclave);
    PUT_HEX(b, "mrsigner", r->mrsigner);
    put_number(b, "isv_prod_id", r->isv_prod_id);
    put_number(b, "isv_svn", r->isv_svn);
    PUT_HEX(b, "attributes", r->attributes);
    put_bits(b, "misc_select", r->misc_select);
    PUT_HEX(b, "config_id", r->config_id);
    put_number(b, "config_svn", r->config_svn);
}

static void put_domain(struct book *b, const struct td_report *r, bool is_1_5)
{
    static const char *const names[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};

    put(b, "debug", "%d", (r->td_attributes[0] & 1) != 0);
    PUT_HEX(b, "report_data", r->report_data);
    put_number(b, "body_type", is_1_5 ? QUOTE_BODY_TD_1_5 : QUOTE_BODY_TD_1_0);
    PUT_HEX(b, "tee_tcb_svn", r->tee_tcb_svn);
    if (is_1_5)
        PUT_HEX(b, "tee_tcb_svn_2", r->tee_tcb_svn_2);
    PUT_HEX(b, "mrseam", r->mrseam);
    PUT_HEX(b, "mrsignerseam", r->mrsignerseam);
    PUT_HEX(b, "seam_attributes", r->seam_attributes);
    PUT_HEX(b, "td_attributes", r->td_attributes);
    PUT_HEX(b, "xfam", r->xfam);
    PUT_HEX(b, "mrtd", r->mrtd);
    PUT_HEX(b, "mrconfigid", r->mrconfigid);
    PUT_HEX(b, "mrowner", r->mrowner);
    PUT_HEX(b, "mrownerconfig", r->mrownerconfig);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        PUT_HEX(b, names[i], r->rtmr[i]);
    if (is_1_5)
        PUT_HEX(b, "mrservicetd", r->mrservicetd);
}

static void put_quote(struct book *b, const struct quote *q)
{
    put_number(b, "version", q->version);
    put(b, "tee", "%s", q->tee_type == QUOTE_TEE_SGX ? "SGX" : "TDX");
    put_number(b, "cert_type", q->cert_type);
    put_number(b, "qe_svn", q->qe_svn);
    put_number(b, "pce_svn", q->pce_svn);
    PUT_HEX(b, "qe_vendor", q->vendor);
    PUT_HEX(b, "user_data", q->user_data);
    put_number(b, "padding", q->padding);
    if (q->body == QUOTE_BODY_SGX)
        put_enclave(b, &q->sgx);
    else
        put_domain(b, &q->td, q->body == QUOTE_BODY_TD_1_5);
    PUT_HEX(b, "qe_mrsigner", q->qe.mrsigner);
    put_number(b, "qe_isv_prod_id", q->qe.isv_prod_id);
    put_number(b, "qe_isv_svn", q->qe.isv_svn);
}

/* ---- endorsements ---- */

static void put_serial(struct book *b, const ASN1_INTEGER *serial)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
    uint8_t bytes[64] = {0};

    if (number == NULL || BN_num_bytes(number) > (int)sizeof bytes) {
        put(b, "serial", "unreadable");
    } else if (BN_is_zero(number)) {
        put(b, "serial", "0");
    } else {
        char text[2 * sizeof bytes + 1];
        size_t size = (size_t)BN_bn2bin(number, bytes);
        hex_encode(bytes_from(bytes, size), text);
        text[hex_size(size)] = 0;
        put(b, "serial", "%s", text[0] == '0' ? text + 1 : text);
    }
    BN_free(number);
}

static void put_certificate(struct book *b, const struct certificate *c)
{
    struct span span = certificate_span(c);
    struct snp_vek vek;
    struct sgx_pck pck;
    struct err err;

    put(b, "subject", "%s", c->name);
    put(b, "issuer", "%s", c->issuer);
    put_serial(b, X509_get0_serialNumber(c->x509));
    put_time(b, "not_before", span.from);
    put_time(b, "not_after", span.to);
    PUT_HEX(b, "sha256", c->digest);
    if (snp_vek_parse(c, &vek, &err)) {
        put_number(b, "struct_version", vek.struct_version);
        put_text(b, "product", vek.product_name);
        put_tcb(b, "tcb", &vek.tcb, vek.product == SNP_TURIN);
        if (vek.is_vlek)
            put_text(b, "csp", vek.csp);
        else
            put_hex(b, "hwid", vek.chip_id.data, vek.chip_id.size);
    }
    if (sgx_pck_parse(c, &pck, &err)) {
        PUT_HEX(b, "ppid", pck.ppid);
        PUT_HEX(b, "fmspc", pck.fmspc);
        PUT_HEX(b, "pceid", pck.pce_id);
        PUT_HEX(b, "cpusvn", pck.cpu_svn);
        put_number(b, "pcesvn", pck.pce_svn);
        put_number(b, "sgx_type", pck.type);
    }
}

static void put_crl(struct book *b, const struct crl *crl)
{
    struct span span = crl_span(crl);

    put(b, "issuer", "%s", crl->issuer);
    put_time(b, "this_update", span.from);
    put_time(b, "next_update", span.to);
    const STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(crl->crl);
    put_number(b, "revoked", entries == NULL ? 0 : (uint64_t)sk_X509_REVOKED_num(entries));
}

static void put_tcb_info(struct book *b, const struct tcb_info *info)
{
    put_text(b, "id", info->id.size != 0 ? info->id : bytes_of("-"));
    put_number(b, "version", info->version);
    PUT_HEX(b, "fmspc", info->fmspc);
    if (info->has_pce_id)
        PUT_HEX(b, "pceid", info->pce_id);
    if (info->has_evaluation)
        put_number(b, "tcb_evaluation", info->evaluation);
    else
        put(b, "tcb_evaluation", "-");
    put_time(b, "issue_date", info->issued);
    put_time(b, "next_update", info->next_update);
    put_number(b, "levels", info->level_count);
}

static void put_identity(struct book *b, const struct enclave_identity *identity)
{
    put_text(b, "id", identity->id);
    put_number(b, "version", identity->version);
    put_number(b, "tcb_evaluation", identity->evaluation);
    put_time(b, "issue_date", identity->issued);
    put_time(b, "next_update", identity->next_update);
    PUT_HEX(b, "mrsigner", identity->mrsigner);
    put_number(b, "isv_prod_id", identity->isv_prod_id);
}

/* ---- the whole ---- */

static void begin(struct book *b, struct fact_list *list, const char *kind)
{
    b->item = &list->items[list->count++];
    *b->item = (struct fact_item){.kind = kind};
}

static bool put_collateral(struct book *b, const struct collateral *c, struct fact_list *list)
{
    for (size_t i = 0; i < c->certificate_count; i++) {
        begin(b, list, "certificate");
        put_certificate(b, &c->certificates[i]);
    }
    for (size_t i = 0; i < c->crl_count; i++) {
        begin(b, list, "crl");
        put_crl(b, &c->crls[i]);
    }
    for (size_t i = 0; i < c->tcb_info_count; i++) {
        begin(b, list, "tcb info");
        put_tcb_info(b, &c->tcb_infos[i]);
    }
    for (size_t i = 0; i < c->identity_count; i++) {
        begin(b, list, "qe identity");
        put_identity(b, &c->identities[i]);
    }
    return !b->has_failed;
}

static bool put_evidence(struct book *b, const struct evidence_file *file, struct collateral *c,
                         struct fact_list *list, struct err *err)
{
    struct snp_report report;
    struct quote quote;

    if (file->kind == EVIDENCE_SNP) {
        if (!snp_report_parse(file->evidence, &report, err))
            return false;
        begin(b, list, "snp report");
        put_report(b, &report);
        return true;
    }
    if (!quote_parse(file->evidence, &quote, err))
        return false;
    begin(b, list, "quote");
    put_quote(b, &quote);
    struct bytes pem = quote.cert_data;
    while (pem.size != 0 && pem.data[pem.size - 1] == 0)
        pem.size--;
    /* a chain that cannot be read is for the verdict to judge: the quote is shown without it */
    return quote.cert_type != CERT_TYPE_CHAIN || collateral_add_pem(c, pem, err) ||
           err->code != ERR_MEMORY;
}

static bool write_facts(struct bytes bytes, struct collateral *c, struct arena *arena,
                        struct fact_list *list, struct err *err)
{
    struct book b = {.arena = arena};
    struct evidence_file file;

    /* evidence, with what it carries; or else endorsements */
    if (evidence_open(bytes, arena, c, &file, err)) {
        if (!put_evidence(&b, &file, c, list, err))
            return false;
    } else if (err->code == ERR_MEMORY || !collateral_add(c, bytes, err)) {
        return false;
    }
    return put_collateral(&b, c, list) ||
           err_set(err, ERR_MEMORY, "no memory for facts", ERR_NO_AT);
}

bool evidence_facts(struct bytes file, struct arena *arena, struct fact_list *out, struct err *err)
{
    const size_t items_max = 1 + COLLATERAL_CERTIFICATES_MAX + COLLATERAL_CRLS_MAX +
                             2 * (size_t)COLLATERAL_DOCUMENTS_MAX;
    struct fact_list list = {.items = ARENA_ARRAY(arena, struct fact_item, items_max)};
    struct collateral *c;

    if (list.items == NULL)
        return err_set(err, ERR_MEMORY, "no memory for facts", ERR_NO_AT);
    if (!collateral_new(&c, err))
        return false;
    bool ok = write_facts(file, c, arena, &list, err);
    collateral_free(c);
    if (ok)
        *out = list;
    return ok;
}
