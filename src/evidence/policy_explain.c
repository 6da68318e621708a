/* A policy in sentences that a person can check. */
#include "evidence/policy.h"

#include "evidence/civil.h"
#include "evidence/snp_report.h"
#include "evidence/tcb_info.h"

static void write_hex(struct writer *w, struct bytes b)
{
    uint8_t *place = writer_reserve(w, hex_size(b.size));

    if (place != NULL)
        hex_encode(b, (char *)place);
}

/* "  LABEL:" and the items, one a line; nothing when there are none. */
static void explain_list(struct writer *w, const char *label, const struct bytes_list *list,
                         bool is_text)
{
    if (list->count == 0)
        return;
    writer_format(w, "  %s:\n", label);
    for (size_t i = 0; i < list->count; i++) {
        writer_text(w, "    ");
        if (is_text)
            writer_shown(w, list->items[i]);
        else
            write_hex(w, list->items[i]);
        writer_text(w, "\n");
    }
}

static void explain_images(struct writer *w, const struct evidence_policy *p, bool has_any,
                           const char *key)
{
    if (p->any_workload && !has_any)
        writer_text(w,
                    "  ANY image is accepted: a verdict says that a machine is genuine, not what "
                    "runs there.\n");
    else if (!has_any)
        writer_format(w, "  Nothing is accepted: %s names no image.\n", key);
}

static void explain_tcb(struct writer *w, const char *name, const struct snp_tcb *tcb)
{
    writer_format(w,
                  "  Firmware of %s must be at least: bootloader %u, TEE %u, SNP %u, microcode %u",
                  name, tcb->bootloader, tcb->tee, tcb->snp, tcb->microcode);
    if (tcb->fmc != 0)
        writer_format(w, ", FMC %u", tcb->fmc);
    writer_text(w, ".\n");
}

static void explain_numbers(struct writer *w, const char *label, uint32_t bits)
{
    writer_format(w, "  %s:", label);
    for (unsigned i = 0; i < 32; i++) {
        if ((bits >> i & 1) != 0)
            writer_format(w, " %u", i);
    }
    writer_text(w, ".\n");
}

static void explain_snp(struct writer *w, const struct evidence_policy *p)
{
    writer_text(w, "AMD SEV-SNP\n");
    explain_images(w, p, p->snp.measurements.count != 0, "[snp] measurements");
    explain_list(w, "Images are accepted by these launch digests", &p->snp.measurements, false);
    explain_list(w, "These launch digests are refused", &p->snp.measurements_denied, false);
    explain_list(w, "Images must be signed by a key with one of these digests", &p->snp.id_keys,
                 false);
    explain_list(w, "Images signed by these keys are refused", &p->snp.id_keys_denied, false);
    explain_list(w, "Those keys must be certified by one of", &p->snp.author_keys, false);
    explain_list(w, "Only these chips are accepted", &p->snp.chip_ids, false);
    explain_list(w, "Only these clouds are accepted", &p->snp.csp_ids, true);
    writer_format(w, "  Reports may be signed by: %s%s%s.\n",
                  p->snp.vcek ? "a chip's key (VCEK)" : "", p->snp.vcek && p->snp.vlek ? ", " : "",
                  p->snp.vlek ? "a cloud's key (VLEK)" : "");
    explain_numbers(w, "Versions of reports that are accepted", p->snp.versions);
    explain_numbers(w, "Privilege levels (VMPL) that are accepted", p->snp.vmpls);
    for (enum snp_product product = SNP_MILAN; product <= SNP_TURIN; product++)
        explain_tcb(w, snp_product_name(product), &p->snp.tcb_min[product]);
}

static void explain_intel(struct writer *w, const struct evidence_policy *p)
{
    char until[CIVIL_TEXT_SIZE];

    writer_text(w, "Intel SGX and TDX\n  Platforms are accepted with status:");
    for (enum tcb_status s = 0; s < TCB_NOT_SUPPORTED; s++) {
        if ((p->intel.tcb_statuses >> s & 1) != 0)
            writer_format(w, " %s", tcb_status_name(s));
    }
    writer_text(w, ".\n");
    if (p->intel.advisory_count == 0)
        writer_text(w, "  No security advisory may be open.\n");
    for (size_t i = 0; i < p->intel.advisory_count; i++) {
        writer_text(w, "  Advisory ");
        writer_shown(w, p->intel.advisories[i].id);
        writer_text(w, " may be open");
        if (p->intel.advisories[i].until != INT64_MAX) {
            civil_format(p->intel.advisories[i].until, until);
            writer_format(w, " until %s", until);
        }
        writer_text(w, ".\n");
    }
    explain_list(w, "Only these platforms (PPID) are accepted", &p->intel.ppids, false);
}

static void explain_sgx(struct writer *w, const struct evidence_policy *p)
{
    writer_text(w, "Intel SGX\n");
    explain_images(w, p, p->sgx.mrenclaves.count != 0 || p->sgx.signer_count != 0,
                   "[sgx] mrenclaves");
    explain_list(w, "Images are accepted by these measurements (MRENCLAVE)", &p->sgx.mrenclaves,
                 false);
    explain_list(w, "These measurements are refused", &p->sgx.mrenclaves_denied, false);
    for (size_t i = 0; i < p->sgx.signer_count; i++) {
        writer_text(w, "  Images are accepted that are signed by ");
        write_hex(w, p->sgx.signers[i].mrsigner);
        if (p->sgx.signers[i].any_product)
            writer_text(w, ", of ANY product");
        else
            writer_format(w, ", of product %u", p->sgx.signers[i].product);
        writer_format(w, ", from version %u on.\n", p->sgx.signers[i].svn_min);
    }
}

static void explain_tdx(struct writer *w, const struct evidence_policy *p)
{
    writer_text(w, "Intel TDX\n");
    explain_images(w, p, p->tdx.mrtds.count != 0, "[tdx] mrtds");
    explain_list(w, "Images are accepted by these measurements (MRTD)", &p->tdx.mrtds, false);
}

void evidence_policy_explain(struct writer *w, const struct evidence_policy *p)
{
    writer_text(w, "Evidence\n");
    writer_text(w, p->require_crls
                       ? "  Revocation lists of every issuer must be there.\n"
                       : "  Revocation lists may be MISSING: a revoked key is then not noticed.\n");
    writer_text(w, p->debug ? "  Guests and enclaves that the host can DEBUG are accepted.\n"
                            : "  Nothing that can be debugged is accepted.\n");
    explain_snp(w, p);
    explain_intel(w, p);
    explain_sgx(w, p);
    explain_tdx(w, p);
}
