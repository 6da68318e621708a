#include <stdarg.h>
#include <stdio.h>

#include "evidence/collateral_parts.h"
#include "evidence/evidence.h"
#include "evidence/quote.h"
#include "evidence/sgx_pck.h"
#include "evidence/snp_report.h"

#define TURIN_CHIP_ID_SIZE 8u

struct list {
    struct evidence_need *items;
    size_t count;
};

PRINTF_LIKE(3, 4)
static void add(struct list *list, enum evidence_vendor vendor, const char *format, ...)
{
    struct evidence_need *need = &list->items[list->count];
    va_list args;

    need->vendor = vendor;
    va_start(args, format);
    int size = vsnprintf(need->path, sizeof need->path, format, args);
    va_end(args);
    if (size > 0 && size < (int)sizeof need->path)
        list->count++;
}

/* ---- AMD ---- */

bool snp_vcek_path(enum snp_product product, const uint8_t chip_id[SNP_CHIP_ID_SIZE],
                   const uint8_t tcb_bytes[8], char *out, size_t size)
{
    char chip[2 * SNP_CHIP_ID_SIZE];
    size_t chip_size = product == SNP_TURIN ? TURIN_CHIP_ID_SIZE : SNP_CHIP_ID_SIZE;
    char fmc[16] = "";
    struct snp_tcb tcb;

    if (!snp_tcb_parse(tcb_bytes, product, &tcb))
        return false;
    hex_encode(bytes_from(chip_id, chip_size), chip);
    if (product == SNP_TURIN)
        (void)snprintf(fmc, sizeof fmc, "fmcSPL=%02u&", tcb.fmc);
    int written =
        snprintf(out, size, "/vcek/v1/%s/%.*s?%sblSPL=%02u&teeSPL=%02u&snpSPL=%02u&ucodeSPL=%02u",
                 snp_product_name(product), (int)hex_size(chip_size), chip, fmc, tcb.bootloader,
                 tcb.tee, tcb.snp, tcb.microcode);
    return written > 0 && (size_t)written < size;
}

static void add_vcek(struct list *list, const struct snp_report *r, enum snp_product product)
{
    struct evidence_need *need = &list->items[list->count];

    need->vendor = EVIDENCE_AMD;
    list->count +=
        snp_vcek_path(product, r->chip_id, r->reported_tcb, need->path, sizeof need->path);
}

static void report_needs(struct list *list, struct bytes evidence)
{
    struct snp_report r;
    struct err err;

    if (!snp_report_parse(evidence, &r, &err))
        return;
    enum snp_product product = snp_report_product(&r);
    bool is_vlek = r.signing_key == SNP_SIGNED_BY_VLEK;
    if (product == SNP_PRODUCT_UNKNOWN)
        return;
    /* a VLEK is its cloud's to give, and a masked chip's VCEK nobody's */
    if (!is_vlek && !bytes_are_zero(bytes_from(r.chip_id, sizeof r.chip_id)))
        add_vcek(list, &r, product);
    add(list, EVIDENCE_AMD, "/%s/v1/%s/crl", is_vlek ? "vlek" : "vcek", snp_product_name(product));
}

/* ---- Intel ---- */

/* The PCK certificate in a quote's chain. */
static bool find_pck(const struct quote *q, struct collateral *chain, struct sgx_pck *pck,
                     const struct certificate **certificate)
{
    struct bytes pem = q->cert_data;
    struct err err;

    while (pem.size != 0 && pem.data[pem.size - 1] == 0)
        pem.size--;
    if (!collateral_add_pem(chain, pem, &err))
        return false;
    for (size_t i = 0; i < chain->certificate_count; i++) {
        *certificate = &chain->certificates[i];
        if (sgx_pck_parse(*certificate, pck, &err))
            return true;
    }
    return false;
}

static void quote_needs(struct list *list, struct bytes evidence)
{
    struct collateral *chain;
    const struct certificate *certificate;
    struct sgx_pck pck;
    struct quote q;
    struct err err;

    if (!quote_parse(evidence, &q, &err) || !collateral_new(&chain, &err))
        return;
    if (find_pck(&q, chain, &pck, &certificate)) {
        const char *tee = q.body == QUOTE_BODY_SGX ? "sgx" : "tdx";
        bool is_platform = strcmp(certificate->issuer, SGX_PLATFORM_CA_NAME) == 0;
        char fmspc[2 * sizeof pck.fmspc];
        hex_encode(bytes_from(pck.fmspc, sizeof pck.fmspc), fmspc);
        add(list, EVIDENCE_INTEL, "/%s/certification/v4/tcb?fmspc=%.*s", tee, (int)sizeof fmspc,
            fmspc);
        add(list, EVIDENCE_INTEL, "/%s/certification/v4/qe/identity", tee);
        add(list, EVIDENCE_INTEL, "/sgx/certification/v4/pckcrl?ca=%s&encoding=der",
            is_platform ? "platform" : "processor");
        add(list, EVIDENCE_INTEL, "/sgx/certification/v4/rootcacrl");
    }
    collateral_free(chain);
}

size_t evidence_needs(enum evidence_kind kind, struct bytes evidence,
                      struct evidence_need out[EVIDENCE_NEEDS_MAX])
{
    struct list list = {.items = out};

    if (kind == EVIDENCE_SNP)
        report_needs(&list, evidence);
    else
        quote_needs(&list, evidence);
    return list.count;
}
