/* The launch digest: a chain of PAGE_INFO structures, each with the digest before it.
 *
 *   offset size                           offset size
 *        0   48 DIGEST_CUR                    98    1 PAGE_TYPE
 *       48   48 CONTENTS                      99    1 IMI_PAGE
 *       96    2 LENGTH, 0x70                 100    4 VMPL3, VMPL2, VMPL1 permissions, reserved
 *                                            104    8 GPA */
#include "evidence/snp_measure.h"

#include "evidence/crypto.h"

#define PAGE_INFO_SIZE 0x70u

bool snp_launch_page_digest(struct snp_launch *launch, enum snp_page_type type, uint64_t gpa,
                            const uint8_t content[SNP_DIGEST_SIZE], struct err *err)
{
    uint8_t info[PAGE_INFO_SIZE] = {0};
    struct writer w = writer_fixed(info, sizeof info);

    if (type < SNP_PAGE_NORMAL || type > SNP_PAGE_CPUID)
        return err_set(err, ERR_INVALID, "unknown page type", type);
    if (gpa % SNP_PAGE_SIZE != 0)
        return err_set(err, ERR_INVALID, "not the address of a page:", gpa);
    writer_bytes(&w, bytes_from(launch->digest, SNP_DIGEST_SIZE));
    writer_bytes(&w, bytes_from(content, SNP_DIGEST_SIZE));
    writer_u16le(&w, PAGE_INFO_SIZE);
    writer_u8(&w, (uint8_t)type);
    writer_u8(&w, 0);
    writer_u32le(&w, 0);
    writer_u64le(&w, gpa);
    return crypto_sha384(bytes_from(info, sizeof info), launch->digest, err);
}

bool snp_launch_page(struct snp_launch *launch, enum snp_page_type type, uint64_t gpa,
                     const uint8_t *page, struct err *err)
{
    uint8_t content[SNP_DIGEST_SIZE] = {0};

    if ((type == SNP_PAGE_NORMAL || type == SNP_PAGE_VMSA) &&
        !crypto_sha384(bytes_from(page, SNP_PAGE_SIZE), content, err))
        return false;
    return snp_launch_page_digest(launch, type, gpa, content, err);
}

/* ---- VMSA ---- */

struct segment {
    size_t at;
    uint16_t selector, attributes;
    uint32_t limit;
};

static void put_segment(uint8_t *page, const struct segment *s, uint64_t base)
{
    struct writer w = writer_fixed(page + s->at, 16);

    writer_u16le(&w, s->selector);
    writer_u16le(&w, s->attributes);
    writer_u32le(&w, s->limit);
    writer_u64le(&w, base);
}

static void put_u64(uint8_t *page, size_t at, uint64_t value)
{
    struct writer w = writer_fixed(page + at, 8);

    writer_u64le(&w, value);
}

/* Offsets of the save area (APM volume 2, table B-4). */
enum {
    AT_ES = 0x00,
    AT_CS = 0x10,
    AT_SS = 0x20,
    AT_DS = 0x30,
    AT_FS = 0x40,
    AT_GS = 0x50,
    AT_EFER = 0x0d0,
    AT_CR4 = 0x148,
    AT_CR3 = 0x150,
    AT_CR0 = 0x158,
    AT_RIP = 0x178,
    AT_RSI = 0x330,
    AT_XCR0 = 0x3e8
};

#define EFER_SVME 0x1000u
#define CR4_MCE 0x40u

void snp_vmsa_write_long_mode(const struct snp_long_mode *state, uint8_t out[SNP_PAGE_SIZE])
{
    static const struct segment segments[] = {
        {AT_CS, 0x08, 0xa9b, 0xffffffff}, {AT_DS, 0x10, 0xc93, 0xffffffff},
        {AT_ES, 0x10, 0xc93, 0xffffffff}, {AT_SS, 0x10, 0xc93, 0xffffffff},
        {AT_FS, 0x10, 0xc93, 0xffffffff}, {AT_GS, 0x10, 0xc93, 0xffffffff},
    };
    const struct snp_vmsa reset = {.sev_features = state->sev_features, .g_pat = SNP_G_PAT_RESET};

    snp_vmsa_write(&reset, out);
    for (size_t i = 0; i < COUNT_OF(segments); i++)
        put_segment(out, &segments[i], 0);
    put_u64(out, AT_EFER, state->efer | EFER_SVME);
    put_u64(out, AT_CR4, state->cr4 | CR4_MCE);
    put_u64(out, AT_CR3, state->cr3);
    put_u64(out, AT_CR0, state->cr0);
    put_u64(out, AT_RIP, state->rip);
    put_u64(out, AT_RSI, state->rsi);
    put_u64(out, AT_XCR0, state->xcr0);
}

void snp_vmsa_write(const struct snp_vmsa *vmsa, uint8_t out[SNP_PAGE_SIZE])
{
    /* data, code and system segments as after RESET (APM volume 2, table 14-1) */
    static const struct segment segments[] = {
        {0x00, 0, 0x93, 0xffff} /* ES */,   {0x20, 0, 0x93, 0xffff} /* SS */,
        {0x30, 0, 0x93, 0xffff} /* DS */,   {0x40, 0, 0x93, 0xffff} /* FS */,
        {0x50, 0, 0x93, 0xffff} /* GS */,   {0x60, 0, 0, 0xffff} /* GDTR */,
        {0x70, 0, 0x82, 0xffff} /* LDTR */, {0x80, 0, 0, 0xffff} /* IDTR */,
        {0x90, 0, 0x8b, 0xffff} /* TR */,
    };
    static const struct segment code = {0x10, 0xf000, 0x9b, 0xffff};
    const struct {
        size_t at;
        uint64_t value;
    } fields[] = {
        {0x0d0, 0x1000} /* EFER.SVME, which the CPU wants set */,
        {0x148, 0x40} /* CR4.MCE */,
        {0x158, 0x10} /* CR0.ET */,
        {0x160, 0x400} /* DR7 */,
        {0x168, 0xffff0ff0} /* DR6 */,
        {0x170, 2} /* RFLAGS */,
        {0x178, vmsa->rip & 0xffff},
        {0x268, vmsa->g_pat},
        {0x310, vmsa->rdx},
        {0x3b0, vmsa->sev_features},
        {0x3e8, 1} /* XCR0 */,
        {0x408, 0x1f80} /* MXCSR, after the x87 words that are 0 */,
        {0x410, 0x37f} /* FCW */,
    };

    memset(out, 0, SNP_PAGE_SIZE);
    for (size_t i = 0; i < COUNT_OF(segments); i++)
        put_segment(out, &segments[i], 0);
    put_segment(out, &code, vmsa->rip & 0xffff0000);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        put_u64(out, fields[i].at, fields[i].value);
}
