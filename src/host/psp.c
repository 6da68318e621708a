#include "host/psp.h"

#include <cpuid.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

#include "evidence/simulated.h"
#include "evidence/snp_certificates.h"
#include "evidence/snp_message.h"
#include "os/os.h"
#include "sallyport/sallyport.h"
#include "shim/kvm/layout.h"
#include "base/banned.h"

#define FILE_MAX ((size_t)1 << 20)
#define PATH_SIZE 4096
#define KEYS 4
#define BACKDATED_S 300
#define LIFETIME_S (INT64_C(7) * 86400)
#define CRL_URL "https://simulated.invalid/vcek/v1/Genoa/crl"

/* Status codes (AMD 56860, chapter 5). */
#define STATUS_INVALID_GUEST_STATE 0x02
#define STATUS_BAD_MEASUREMENT 0x05
#define STATUS_INVALID_PARAM 0x16

/* The simulated machine: a Genoa with firmware as of its making, and a chip of no number that AMD
 * gives out. */
static const struct snp_tcb tcb = {.bootloader = 10, .snp = 27, .microcode = 88};
static const uint8_t tcb_bytes[8] = {10, 0, 0, 0, 0, 0, 27, 88};
static const uint8_t cpuid_bytes[3] = {0x19, 0x11, 1}; /* family, model, stepping */
static const uint8_t firmware[3] = {55, 1, 21};        /* 1.55.21: minor, major, build below */

enum state { LAUNCH_NONE, LAUNCH_OPEN, LAUNCH_DONE };

struct psp {
    struct arena arena;
    EVP_PKEY *vcek;
    struct bytes vcek_der, endorsements;
    uint8_t chip_id[SNP_CHIP_ID_SIZE];
    enum state state;
    uint64_t policy;
    struct snp_launch launch;
    struct snp_id_block id_block;
    struct snp_id_keys id_keys;
    uint8_t report_id[32];
    uint8_t vmpck[KEYS][SNP_MESSAGE_KEY_SIZE];
    uint64_t sequence; /* of the last message with the first of them */
};

/* ---- the machine ---- */

static bool read_file(struct psp *psp, const char *folder, const char *name, struct bytes *out,
                      struct err *err)
{
    char path[PATH_SIZE];

    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return err_set(err, ERR_LIMIT, "the folder's name is too long", ERR_NO_AT);
    if (os_read_file(path, FILE_MAX, &psp->arena, out, err))
        return true;
    return err->code == ERR_IO && err->at == ENOENT
               ? err_set(err, ERR_NOT_FOUND,
                         "there are no simulated roots; 'broch sim init' makes them", ERR_NO_AT)
               : false;
}

/* The chip's number is that of the roots, so that it stays the same. */
static bool make_chip_id(struct psp *psp, struct bytes keys, struct err *err)
{
    unsigned size = 0;

    return EVP_Digest(keys.data, keys.size, psp->chip_id, &size, EVP_sha512(), NULL) == 1 ||
           err_set(err, ERR_CRYPTO, "no SHA-512", ERR_NO_AT);
}

static bool make_vcek(struct psp *psp, struct bytes keys, struct err *err)
{
    int64_t now = os_unix_ms() / 1000;
    const struct simulated_dates dates = {now - BACKDATED_S, now + LIFETIME_S};
    struct writer w = writer_growable(&psp->arena, FILE_MAX);
    struct simulated_snp *roots;

    if (!simulated_snp_parse(keys, &roots, err))
        return false;
    bool ok = simulated_snp_vcek(roots, &tcb, psp->chip_id, dates, &psp->vcek, &w, err) &&
              writer_done(&w, &psp->vcek_der, err);
    simulated_snp_free(roots);
    return ok;
}

static bool write_endorsements(struct psp *psp, struct bytes crl, struct err *err)
{
    const struct keep_evidence e = {.technology = KEEP_SNP,
                                    .vek = psp->vcek_der,
                                    .crls = {{.url = bytes_of(CRL_URL), .der = crl}},
                                    .crl_count = 1};
    struct writer w = writer_growable(&psp->arena, FILE_MAX);

    keep_evidence_write(&w, &e);
    return writer_done(&w, &psp->endorsements, err);
}

static bool make_secrets(struct psp *psp, struct err *err)
{
    return (RAND_bytes(psp->report_id, sizeof psp->report_id) == 1 &&
            RAND_priv_bytes(psp->vmpck[0], sizeof psp->vmpck) == 1) ||
           err_set(err, ERR_CRYPTO, "no random bytes", ERR_NO_AT);
}

bool psp_new(const char *sim_folder, struct psp **out, struct err *err)
{
    struct psp *psp = calloc(1, sizeof *psp);
    struct bytes keys, crl;

    if (psp == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a security processor", ERR_NO_AT);
    arena_init(&psp->arena, arena_heap, 16 * FILE_MAX);
    arena_set_wipe(&psp->arena);
    if (!read_file(psp, sim_folder, "snp.pem", &keys, err) ||
        !read_file(psp, sim_folder, "collateral/snp-crl.der", &crl, err) ||
        !make_chip_id(psp, keys, err) || !make_vcek(psp, keys, err) ||
        !write_endorsements(psp, crl, err) || !make_secrets(psp, err)) {
        psp_free(psp);
        return false;
    }
    *out = psp;
    return true;
}

void psp_free(struct psp *psp)
{
    if (psp == NULL)
        return;
    EVP_PKEY_free(psp->vcek);
    arena_done(&psp->arena);
    secret_wipe(psp, sizeof *psp);
    free(psp);
}

struct bytes psp_endorsements(const struct psp *psp)
{
    return psp->endorsements;
}

/* ---- the launch ---- */

void psp_launch_start(struct psp *psp, uint64_t policy)
{
    psp->state = LAUNCH_OPEN;
    psp->policy = policy;
    psp->launch = (struct snp_launch){{0}};
}

/* AMD 56860, "Secrets Page". */
static void fill_secrets(const struct psp *psp, uint8_t page[SNP_PAGE_SIZE])
{
    struct writer w = writer_fixed(page, SNP_PAGE_SIZE);

    memset(page, 0, SNP_PAGE_SIZE);
    writer_u32le(&w, 3); /* version */
    writer_u32le(&w, 0);
    writer_u32le(&w, 0);
    writer_u32le(&w, 0);
    memcpy(page + 0x20, psp->vmpck, sizeof psp->vmpck);
}

static bool has_more(unsigned leaf)
{
    return leaf == 7 || leaf == 0xd;
}

/* AMD 56860, "CPUID Page": what this processor says, and of SEV-SNP what the simulated one does. */
static void fill_cpuid(uint8_t page[SNP_PAGE_SIZE])
{
    static const unsigned leaves[] = {0,          1,          2,          4,          7,
                                      0xd,        0x80000000, 0x80000001, 0x80000002, 0x80000003,
                                      0x80000004, 0x80000005, 0x80000006, 0x80000008};
    struct writer w = writer_fixed(page + 16, SNP_PAGE_SIZE - 16), head = writer_fixed(page, 16);
    uint32_t count = 0;

    memset(page, 0, SNP_PAGE_SIZE);
    for (size_t i = 0; i < COUNT_OF(leaves); i++) {
        for (unsigned subleaf = 0; subleaf <= (has_more(leaves[i]) ? 1u : 0u); subleaf++) {
            unsigned a, b, c, d;
            if (__get_cpuid_count(leaves[i], subleaf, &a, &b, &c, &d) == 0)
                continue;
            writer_u32le(&w, leaves[i]);
            writer_u32le(&w, has_more(leaves[i]) ? subleaf : 0);
            writer_u64le(&w, 0);
            writer_u64le(&w, 0);
            writer_u32le(&w, a);
            writer_u32le(&w, b);
            writer_u32le(&w, c);
            writer_u32le(&w, d);
            writer_u64le(&w, 0);
            count++;
        }
    }
    writer_u32le(&w, 0x8000001f);
    for (unsigned i = 0; i < 5; i++)
        writer_u32le(&w, 0);
    writer_u32le(&w, 0x1b);           /* SME, SEV, SEV-ES, SEV-SNP */
    writer_u32le(&w, C_BIT | 1 << 6); /* and one bit of addresses is lost */
    writer_u32le(&head, count + 1);
}

bool psp_launch_update(struct psp *psp, enum snp_page_type type, uint64_t gpa, uint8_t *page,
                       struct err *err)
{
    if (psp->state != LAUNCH_OPEN)
        return err_set(err, ERR_INVALID, "no launch is going on", ERR_NO_AT);
    if (type == SNP_PAGE_SECRETS)
        fill_secrets(psp, page);
    else if (type == SNP_PAGE_CPUID)
        fill_cpuid(page);
    return snp_launch_page(&psp->launch, type, gpa, page, err);
}

static bool judge_id(struct psp *psp, struct bytes block, struct bytes auth, struct err *err)
{
    if (!snp_id_block_parse(block, &psp->id_block, err) ||
        !snp_id_auth_verify(auth, &psp->id_block, &psp->id_keys, err))
        return false;
    if (memcmp(psp->id_block.launch_digest, psp->launch.digest, SNP_DIGEST_SIZE) != 0)
        return err_set(err, ERR_POLICY, "the signed image is another: its launch digest differs",
                       STATUS_BAD_MEASUREMENT);
    return psp->id_block.policy == psp->policy ||
           err_set(err, ERR_POLICY, "the signed image asks for another policy",
                   STATUS_INVALID_PARAM);
}

bool psp_launch_finish(struct psp *psp, const uint8_t vmsa[SNP_PAGE_SIZE],
                       const struct bytes *id_block, const struct bytes *id_auth, struct err *err)
{
    if (psp->state != LAUNCH_OPEN)
        return err_set(err, ERR_INVALID, "no launch is going on", ERR_NO_AT);
    if (!snp_launch_page(&psp->launch, SNP_PAGE_VMSA, SNP_VMSA_GPA, vmsa, err) ||
        (id_block != NULL && !judge_id(psp, *id_block, *id_auth, err)))
        return false;
    psp->state = LAUNCH_DONE;
    return true;
}

/* ---- the guest ---- */

/* AMD 56860, "ATTESTATION_REPORT", version 3: as much of it as a launch decides. */
static bool make_report(const struct psp *psp, const uint8_t data[64], uint32_t vmpl,
                        uint8_t report[SNP_REPORT_SIZE], struct err *err)
{
    static const size_t tcbs_at[] = {0x38, 0x180, 0x1e0, 0x1f0};
    struct writer head = writer_fixed(report, 0x50);

    memset(report, 0, SNP_REPORT_SIZE);
    writer_u32le(&head, 3);
    writer_u32le(&head, psp->id_block.guest_svn);
    writer_u64le(&head, psp->policy);
    writer_bytes(&head, bytes_from(psp->id_block.family_id, 16));
    writer_bytes(&head, bytes_from(psp->id_block.image_id, 16));
    writer_u32le(&head, vmpl);
    writer_u32le(&head, 1); /* ECDSA P-384 with SHA-384 */
    writer_bytes(&head, bytes_from(tcb_bytes, sizeof tcb_bytes));
    writer_u64le(&head, 0);
    writer_u32le(&head, psp->id_keys.has_author ? 1 : 0);
    memcpy(report + 0x50, data, 64);
    memcpy(report + 0x90, psp->launch.digest, SNP_DIGEST_SIZE);
    memcpy(report + 0xe0, psp->id_keys.id_key_digest, SNP_DIGEST_SIZE);
    memcpy(report + 0x110, psp->id_keys.author_key_digest, SNP_DIGEST_SIZE);
    memcpy(report + 0x140, psp->report_id, sizeof psp->report_id);
    memset(report + 0x160, 0xff, 32); /* no migration agent */
    for (size_t i = 0; i < COUNT_OF(tcbs_at); i++)
        memcpy(report + tcbs_at[i], tcb_bytes, sizeof tcb_bytes);
    memcpy(report + 0x188, cpuid_bytes, sizeof cpuid_bytes);
    memcpy(report + 0x1a0, psp->chip_id, sizeof psp->chip_id);
    for (size_t i = 0; i < 2; i++) { /* current, committed: build, minor, major */
        report[0x1e8 + 4 * i] = firmware[2];
        report[0x1e9 + 4 * i] = firmware[0];
        report[0x1ea + 4 * i] = firmware[1];
    }
    return simulated_snp_sign(report, psp->vcek, err);
}

static bool answer(struct psp *psp, const uint8_t page[SNP_PAGE_SIZE],
                   uint8_t response[SNP_PAGE_SIZE], struct err *err)
{
    uint8_t opened[SNP_MESSAGE_MAX], data[64], report[SNP_REPORT_SIZE];
    uint8_t body[SNP_REPORT_RESPONSE_SIZE];
    struct bytes message;
    uint32_t vmpl;

    if (!snp_message_open(psp->vmpck[0], psp->sequence + 1, SNP_MESSAGE_REPORT_REQUEST, page,
                          opened, &message, err) ||
        !snp_report_request_parse(message, data, &vmpl, err) ||
        !make_report(psp, data, vmpl, report, err))
        return false;
    snp_report_response_write(report, body);
    if (!snp_message_seal(psp->vmpck[0], psp->sequence + 2, SNP_MESSAGE_REPORT_RESPONSE,
                          bytes_from(body, sizeof body), response, err))
        return false;
    psp->sequence += 2;
    return true;
}

int64_t psp_guest_request(struct psp *psp, const uint8_t request[SNP_PAGE_SIZE],
                          uint8_t response[SNP_PAGE_SIZE], uint8_t *certs, size_t certs_size)
{
    const struct snp_certificate vcek = {SNP_CERTIFICATE_VCEK, psp->vcek_der};
    uint8_t page[SNP_PAGE_SIZE];
    struct err err;

    if (psp->state != LAUNCH_DONE)
        return STATUS_INVALID_GUEST_STATE;
    memcpy(page, request, sizeof page);
    return snp_certificates_write(&vcek, 1, certs, certs_size, &err) &&
                   answer(psp, page, response, &err)
               ? 0
               : STATUS_INVALID_PARAM;
}
