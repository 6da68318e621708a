/* The launch digest of SEV-SNP, and what is measured and signed around it: VMSA pages, the ID
 * block. AMD 56860 (SEV-SNP firmware ABI) rev. 1.57, chapters 4 (ID block) and 8.17
 * (SNP_LAUNCH_UPDATE); AMD APM volume 2, appendix B (VMSA). */
#pragma once

#include "base/base.h"

#define SNP_PAGE_SIZE 4096u
#define SNP_DIGEST_SIZE 48

/* PAGE_INFO.PAGE_TYPE (56860, table "PAGE_INFO"). */
enum snp_page_type {
    SNP_PAGE_NORMAL = 1,
    SNP_PAGE_VMSA = 2,
    SNP_PAGE_ZERO = 3,
    SNP_PAGE_UNMEASURED = 4,
    SNP_PAGE_SECRETS = 5,
    SNP_PAGE_CPUID = 6
};

/* Where KVM has the VMSA of every vCPU, for the digest. */
#define SNP_VMSA_GPA UINT64_C(0xfffffffff000)

/* The digest while the pages are launched; begins with zeroes. */
struct snp_launch {
    uint8_t digest[SNP_DIGEST_SIZE];
};

/* Adds a page at a guest physical address. Its content counts for normal and VMSA pages only; page
 * may be NULL for the others. ERR_INVALID when the address is no page's, or the type unknown. */
MUST_CHECK bool snp_launch_page(struct snp_launch *launch, enum snp_page_type type, uint64_t gpa,
                                const uint8_t *page, struct err *err);
/* The same from the SHA-384 of a page's content. */
MUST_CHECK bool snp_launch_page_digest(struct snp_launch *launch, enum snp_page_type type,
                                       uint64_t gpa, const uint8_t content[SNP_DIGEST_SIZE],
                                       struct err *err);

/* What differs between VMSAs of a vCPU as KVM starts it in real mode. */
struct snp_vmsa {
    uint64_t rip;          /* the entry: CS:IP as EIP; 0xfffffff0 for a processor that boots */
    uint64_t rdx;          /* the processor's signature (CPUID 1, EAX), or 0 */
    uint64_t sev_features; /* SEV_STATUS bits from bit 0 on: 1 is SNP */
    uint64_t g_pat;
};

#define SNP_G_PAT_RESET UINT64_C(0x0007040600070406)

/* The page of a vCPU that is reset, as QEMU and KVM make it. */
void snp_vmsa_write(const struct snp_vmsa *vmsa, uint8_t out[SNP_PAGE_SIZE]);

/* A vCPU that begins in long mode: flat segments, the selectors 8 (code) and 16 (data) of ring 0.
 */
struct snp_long_mode {
    uint64_t rip, rsi; /* all other general registers are 0 */
    uint64_t cr0, cr3, cr4, efer, xcr0;
    uint64_t sev_features;
};

/* The page that KVM (Linux 6.11 and later, sev_es_sync_vmsa) makes of it: EFER.SVME and CR4.MCE,
 * which the hardware wants set, are added. */
void snp_vmsa_write_long_mode(const struct snp_long_mode *state, uint8_t out[SNP_PAGE_SIZE]);

/* ---- ID block: what the owner says the guest is ---- */

#define SNP_ID_BLOCK_SIZE 96u
#define SNP_ID_AUTH_SIZE 4096u
#define SNP_PUBLIC_KEY_SIZE 1028u
#define SNP_SIGNATURE_SIZE 512u

struct snp_id_block {
    uint8_t launch_digest[SNP_DIGEST_SIZE];
    uint8_t family_id[16], image_id[16];
    uint32_t guest_svn;
    uint64_t policy;
};

void snp_id_block_write(const struct snp_id_block *block, uint8_t out[SNP_ID_BLOCK_SIZE]);
/* ERR_FORMAT: the size, or another version than 1. */
MUST_CHECK bool snp_id_block_parse(struct bytes in, struct snp_id_block *out, struct err *err);

/* Keys are struct evp_pkey_st on P-384, else ERR_CRYPTO. */
struct evp_pkey_st;

/* What an author key says of an ID key: its signature over that key's public half, then its own. */
#define SNP_VOUCHING_SIZE (SNP_SIGNATURE_SIZE + SNP_PUBLIC_KEY_SIZE)
MUST_CHECK bool snp_key_vouch(struct evp_pkey_st *author_key, struct evp_pkey_st *id_key,
                              uint8_t out[SNP_VOUCHING_SIZE], struct err *err);

/* The ID authentication: the ID key's signature over the block, and what an author key says of it;
 * vouching may be NULL: then there is none. It is not judged. */
MUST_CHECK bool snp_id_auth_sign(const struct snp_id_block *block, struct evp_pkey_st *id_key,
                                 const uint8_t *vouching, uint8_t out[SNP_ID_AUTH_SIZE],
                                 struct err *err);

/* What a report shows of the keys. */
struct snp_id_keys {
    uint8_t id_key_digest[SNP_DIGEST_SIZE], author_key_digest[SNP_DIGEST_SIZE];
    bool has_author;
};

/* Judges both signatures; ERR_FORMAT, ERR_CRYPTO. An author key is optional: algorithm 0. */
MUST_CHECK bool snp_id_auth_verify(struct bytes auth, const struct snp_id_block *block,
                                   struct snp_id_keys *out, struct err *err);

/* SHA-384 of the public key's structure of 1028 bytes. */
MUST_CHECK bool snp_key_digest(struct evp_pkey_st *key, uint8_t out[SNP_DIGEST_SIZE],
                               struct err *err);
