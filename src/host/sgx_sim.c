#include "host/sgx_sim.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "host/sgx_sim_internal.h"
#include "base/banned.h"

#define PAGE SGX_PAGE_SIZE
#define ATTRIBUTE_INIT UINT64_C(1)

/* SECINFO.FLAGS: rights and state as in the EPCM, and the type. */
#define SECINFO_SIZE 64
#define SECINFO_KNOWN (EPCM_RIGHTS | EPCM_PENDING | EPCM_MODIFIED | EPCM_RESTRICTED | EPCM_TYPE)

/* Error codes of ENCLU (SDM 3D, "Error Codes"). */
#define SGX_INVALID_ATTRIBUTE 2
#define SGX_PAGE_ATTRIBUTES_MISMATCH 19
#define SGX_INVALID_CPUSVN 32
#define SGX_INVALID_ISVSVN 64
#define SGX_INVALID_KEYNAME 256

/* Offsets and sizes of structures (SDM 3D, "TCS", "TARGETINFO", "REPORT", "KEYREQUEST"). */
#define TARGET_SIZE 512
#define REPORT_SIZE 432
#define REPORT_MACED 384
#define KEYREQUEST_SIZE 512
#define POLICY_MRENCLAVE 1u
#define POLICY_MRSIGNER 2u

static struct sgx_sim sim_of_process;

static uint64_t page_of(const struct sgx_sim *sim, uint64_t address)
{
    return (address - (uint64_t)(uintptr_t)sim->base) / PAGE;
}

/* ---- the pages' rights, as this process has them ---- */

static int prot_of(uint16_t entry)
{
    bool is_there = (entry & EPCM_VALID) != 0 && (entry & EPCM_TYPE) == EPCM_REG &&
                    (entry & (EPCM_PENDING | EPCM_MODIFIED)) == 0;

    if (!is_there)
        return PROT_NONE;
    return ((entry & EPCM_R) != 0 ? PROT_READ : 0) | ((entry & EPCM_W) != 0 ? PROT_WRITE : 0) |
           ((entry & EPCM_X) != 0 ? PROT_EXEC : 0);
}

/* Pages in a row with the same entry. */
static bool apply(const struct sgx_sim *sim, uint64_t page, uint64_t count)
{
    return mprotect(sim->base + page * PAGE, count * PAGE, prot_of(sim->epcm[page])) == 0;
}

/* ---- ENCLS: what the driver has the processor do ---- */

static bool create(struct sgx_processor *p, const struct sgx_secs *secs, struct err *err)
{
    struct sgx_sim *sim = p->self;
    size_t pages = secs->size / PAGE;

    if (secs->size < 2 * (uint64_t)PAGE || (secs->size & (secs->size - 1)) != 0)
        return err_set(err, ERR_INVALID, "the size of an enclave is a power of two, not",
                       secs->size);
    uint8_t *range =
        mmap(NULL, 2 * secs->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint16_t *epcm = mmap(NULL, pages * sizeof *epcm, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED || epcm == MAP_FAILED)
        return err_set(err, ERR_IO, "an enclave needs 32 GiB of address space ('ulimit -v')",
                       (uint64_t)errno);
    uint64_t base = ((uint64_t)(uintptr_t)range + secs->size - 1) & ~(secs->size - 1);
    size_t before = base - (uint64_t)(uintptr_t)range;
    if (before != 0)
        (void)munmap(range, before);
    (void)munmap(range + before + secs->size, secs->size - before);
    sim->secs = *secs;
    sim->base = range + before;
    sim->epcm = epcm;
    p->base = base;
    return sgx_measure_new(secs->ssa_frame_pages, secs->size, &sim->measure, err);
}

static bool add(struct sgx_processor *p, uint64_t offset, uint64_t size, struct bytes bytes,
                uint64_t flags, bool is_measured, struct err *err)
{
    struct sgx_sim *sim = p->self;
    static const uint8_t zeroes[PAGE];

    if (sim->base == NULL || sim->is_init || offset % PAGE != 0 || size % PAGE != 0 ||
        size > sim->secs.size || offset > sim->secs.size - size ||
        (bytes.size != 0 && bytes.size != size))
        return err_set(err, ERR_INVALID, "a page that cannot be added, at offset", offset);
    for (uint64_t at = 0; at < size; at += PAGE) {
        uint16_t *entry = &sim->epcm[(offset + at) / PAGE];
        const uint8_t *page = bytes.size != 0 ? bytes.data + at : zeroes;
        if (*entry != 0)
            return err_set(err, ERR_INVALID, "a page is there twice, at offset", offset + at);
        *entry = (uint16_t)((flags & (EPCM_RIGHTS | EPCM_TYPE)) | EPCM_VALID);
        if (!sgx_measure_page(sim->measure, offset + at, flags, page, is_measured, err))
            return false;
    }
    if (mprotect(sim->base + offset, size, PROT_READ | PROT_WRITE) != 0)
        return err_set(err, ERR_IO, "cannot map the enclave", (uint64_t)errno);
    if (bytes.size != 0)
        memcpy(sim->base + offset, bytes.data, size);
    if ((flags & EPCM_TYPE) == EPCM_TCS && !sim_read_tcs(sim, offset, &sim->thread))
        return err_set(err, ERR_INVALID, "the TCS is not as it must be, at offset", offset);
    return apply(sim, offset / PAGE, size / PAGE) ||
           err_set(err, ERR_IO, "cannot map the enclave", (uint64_t)errno);
}

static bool fits_signature(const struct sgx_sim *sim, const struct sgx_sigstruct *s)
{
    return ((sim->secs.attribute_flags ^ s->attribute_flags) & s->attribute_flags_mask) == 0 &&
           ((sim->secs.xfrm ^ s->attribute_xfrm) & s->attribute_xfrm_mask) == 0 &&
           ((sim->secs.misc_select ^ s->misc_select) & s->misc_mask) == 0;
}

/* EINIT: the checks of the SDM, in its order. */
static bool init(struct sgx_processor *p, const uint8_t sigstruct[SGX_SIGSTRUCT_SIZE],
                 struct err *err)
{
    struct sgx_sim *sim = p->self;
    struct sgx_sigstruct s;

    if (sim->measure == NULL)
        return err_set(err, ERR_INVALID, "there is no enclave to start", ERR_NO_AT);
    if (!sgx_sigstruct_parse(bytes_from(sigstruct, SGX_SIGSTRUCT_SIZE), &s, err) ||
        !sgx_sigstruct_verify(&s, err) || !sgx_measure_finish(sim->measure, sim->mrenclave, err))
        return false;
    sgx_measure_free(sim->measure);
    sim->measure = NULL;
    if (memcmp(s.enclave_hash, sim->mrenclave, sizeof sim->mrenclave) != 0)
        return err_set(err, ERR_POLICY,
                       "EINIT: the enclave is not the one that was signed (MRENCLAVE differs)",
                       ERR_NO_AT);
    if (!fits_signature(sim, &s))
        return err_set(err, ERR_POLICY, "EINIT: the enclave was signed for other attributes",
                       ERR_NO_AT);
    if (!sgx_signer(s.modulus, sim->mrsigner, err))
        return false;
    sim->isv_prod_id = s.isv_prod_id;
    sim->isv_svn = s.isv_svn;
    sim->secs.attribute_flags |= ATTRIBUTE_INIT;
    sim->is_init = true;
    p->can_grow = sim->has_sgx2;
    return true;
}

/* Whether a range has pages of a kind and nothing else. */
static bool has_range(const struct sgx_sim *sim, uint64_t offset, uint64_t size, unsigned mask,
                      unsigned value)
{
    if (offset % PAGE != 0 || size % PAGE != 0 || size == 0 || size > sim->secs.size ||
        offset > sim->secs.size - size)
        return false;
    for (uint64_t page = offset / PAGE; page < (offset + size) / PAGE; page++) {
        if ((sim->epcm[page] & mask) != value)
            return false;
    }
    return true;
}

/* What EMODPR and EMODT want: a regular page in its normal state. */
#define NORMAL (EPCM_VALID | EPCM_TYPE | EPCM_PENDING | EPCM_MODIFIED)

static int restrict_rights(struct sgx_processor *p, uint64_t offset, uint64_t size, uint64_t rights)
{
    const struct sgx_sim *sim = p->self;

    if (!sim->has_sgx2)
        return ENOTTY;
    if (!has_range(sim, offset, size, NORMAL, EPCM_VALID | EPCM_REG) || (rights & EPCM_R) == 0 ||
        (rights & ~(uint64_t)EPCM_RIGHTS) != 0)
        return EINVAL;
    for (uint64_t page = offset / PAGE; page < (offset + size) / PAGE; page++) {
        sim->epcm[page] =
            (uint16_t)((sim->epcm[page] & ~(EPCM_RIGHTS & ~rights)) | EPCM_RESTRICTED);
        if (!apply(sim, page, 1))
            return errno;
    }
    return 0;
}

static int trim(struct sgx_processor *p, uint64_t offset, uint64_t size)
{
    const struct sgx_sim *sim = p->self;

    if (!sim->has_sgx2)
        return ENOTTY;
    if (!has_range(sim, offset, size, NORMAL, EPCM_VALID | EPCM_REG))
        return EINVAL;
    for (uint64_t page = offset / PAGE; page < (offset + size) / PAGE; page++)
        sim->epcm[page] = EPCM_VALID | EPCM_TRIM | EPCM_MODIFIED;
    return apply(sim, offset / PAGE, size / PAGE) ? 0 : errno;
}

static int remove_pages(struct sgx_processor *p, uint64_t offset, uint64_t size)
{
    const struct sgx_sim *sim = p->self;

    if (!sim->has_sgx2)
        return ENOTTY;
    if (!has_range(sim, offset, size, EPCM_VALID | EPCM_TYPE | EPCM_MODIFIED,
                   EPCM_VALID | EPCM_TRIM))
        return EPERM;
    memset(&sim->epcm[offset / PAGE], 0, size / PAGE * sizeof *sim->epcm);
    return mmap(sim->base + offset, size, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED
               ? errno
               : 0;
}

/* ---- ENCLU ---- */

/* Memory that an instruction takes: 0, or the vector of a fault. */
static unsigned operand(const struct sgx_sim *sim, uint64_t address, uint64_t size, uint64_t align,
                        unsigned rights, uint64_t *at)
{
    if (address % align != 0 || !sim_has(sim, address) || !sim_has(sim, address + size - 1))
        return VECTOR_GP;
    *at = address;
    uint16_t entry = sim->epcm[page_of(sim, address)];
    return prot_of(entry) != PROT_NONE && (entry & rights) == rights ? 0 : VECTOR_PF;
}

static const uint8_t *bytes_at(uint64_t address)
{
    return (const uint8_t *)(uintptr_t)address;
}

/* SECINFO's flags; 0: it is malformed. */
static uint16_t secinfo_at(uint64_t address)
{
    struct reader r = {.in = bytes_from(bytes_at(address), SECINFO_SIZE)};
    uint64_t flags = 0, other;
    bool ok = reader_u64le(&r, &flags);

    for (unsigned i = 0; ok && i < 7; i++)
        ok = reader_u64le(&r, &other) && other == 0;
    return ok && (flags & ~(uint64_t)SECINFO_KNOWN) == 0 ? (uint16_t)flags : 0;
}

/* The kernel gives a page where none is, when it is first touched (EAUG). */
static void augment(const struct sgx_sim *sim, uint64_t page)
{
    if (sim->has_sgx2 && sim->epcm[page] == 0)
        sim->epcm[page] = EPCM_VALID | EPCM_REG | EPCM_R | EPCM_W | EPCM_PENDING;
}

static unsigned eaccept(struct sgx_sim *sim, uint64_t *rax, uint64_t rbx, uint64_t rcx,
                        uint64_t *at)
{
    const unsigned state = EPCM_PENDING | EPCM_MODIFIED | EPCM_RESTRICTED;
    unsigned fault = operand(sim, rbx, SECINFO_SIZE, SECINFO_SIZE, EPCM_R, at);

    if (!sim->has_sgx2) /* there is no such leaf */
        return VECTOR_GP;
    if (fault != 0)
        return fault;
    uint16_t flags = secinfo_at(rbx);
    if (flags == 0 || (flags & state) == 0 || rcx % PAGE != 0 || !sim_has(sim, rcx))
        return VECTOR_GP;
    uint64_t page = page_of(sim, rcx);
    augment(sim, page);
    uint16_t *entry = &sim->epcm[page];
    *at = rcx;
    if ((*entry & EPCM_VALID) == 0)
        return VECTOR_PF;
    bool is_trim = (*entry & EPCM_TYPE) == EPCM_TRIM;
    uint16_t compared = (uint16_t)(state | EPCM_TYPE | (is_trim ? 0 : EPCM_RIGHTS));
    if ((*entry & compared) != (flags & compared)) {
        *rax = SGX_PAGE_ATTRIBUTES_MISMATCH;
        return 0;
    }
    *entry = (uint16_t)(*entry & ~state);
    *rax = 0;
    return apply(sim, page, 1) ? 0 : VECTOR_PF;
}

static unsigned emodpe(struct sgx_sim *sim, uint64_t rbx, uint64_t rcx, uint64_t *at)
{
    unsigned fault = operand(sim, rbx, SECINFO_SIZE, SECINFO_SIZE, EPCM_R, at);

    if (fault != 0)
        return fault;
    uint16_t flags = secinfo_at(rbx);
    if (!sim->has_sgx2 || rcx % PAGE != 0 || !sim_has(sim, rcx) ||
        ((flags & EPCM_R) == 0 && (flags & EPCM_W) != 0))
        return VECTOR_GP;
    uint64_t page = page_of(sim, rcx);
    *at = rcx;
    if ((sim->epcm[page] & NORMAL) != (EPCM_VALID | EPCM_REG))
        return VECTOR_PF;
    sim->epcm[page] |= flags & EPCM_RIGHTS;
    return apply(sim, page, 1) ? 0 : VECTOR_PF;
}

static void put_attributes(struct writer *w, const struct sgx_sim *sim)
{
    writer_u64le(w, sim->secs.attribute_flags);
    writer_u64le(w, sim->secs.xfrm);
}

static void put_zeroes(struct writer *w, size_t until)
{
    while (w->size < until)
        writer_u8(w, 0);
}

/* REPORT but for KEYID and MAC. */
static void write_report(const struct sgx_sim *sim, const uint8_t data[64], uint8_t *out)
{
    struct writer w = writer_fixed(out, REPORT_MACED);

    writer_bytes(&w, bytes_from(sim->platform.cpu_svn, 16));
    writer_u32le(&w, sim->secs.misc_select);
    put_zeroes(&w, 48);
    put_attributes(&w, sim);
    writer_bytes(&w, bytes_from(sim->mrenclave, 32));
    put_zeroes(&w, 128);
    writer_bytes(&w, bytes_from(sim->mrsigner, 32));
    put_zeroes(&w, 256);
    writer_u16le(&w, sim->isv_prod_id);
    writer_u16le(&w, sim->isv_svn);
    put_zeroes(&w, 320);
    writer_bytes(&w, bytes_from(data, 64));
}

static unsigned ereport(struct sgx_sim *sim, uint64_t rbx, uint64_t rcx, uint64_t rdx, uint64_t *at)
{
    uint8_t report[REPORT_SIZE], key[SGX_KEY_BYTES];
    struct err err;
    unsigned fault = operand(sim, rbx, TARGET_SIZE, 512, EPCM_R, at);

    fault = fault != 0 ? fault : operand(sim, rcx, 64, 128, EPCM_R, at);
    fault = fault != 0 ? fault : operand(sim, rdx, REPORT_SIZE, 512, EPCM_R | EPCM_W, at);
    if (fault != 0)
        return fault;
    const uint8_t *target = bytes_at(rbx);
    struct reader misc = {.in = bytes_from(target + 52, 4)};
    uint32_t misc_select = 0;
    uint8_t *key_id = report + REPORT_MACED;
    write_report(sim, bytes_at(rcx), report);
    if (!reader_u32le(&misc, &misc_select) || RAND_bytes(key_id, SGX_KEY_ID_SIZE) != 1 ||
        !sgx_report_key(&sim->platform, target, target + 32, misc_select, key_id, key, &err) ||
        !sgx_mac(key, bytes_from(report, REPORT_MACED), key_id + SGX_KEY_ID_SIZE, &err))
        return VECTOR_GP;
    memcpy((uint8_t *)(uintptr_t)rdx, report, sizeof report);
    return 0;
}

/* KEYREQUEST, and what of it and of the enclave a key depends on: 0 or an error of EGETKEY's. */
static uint64_t key_dependencies(const struct sgx_sim *sim, const uint8_t *request,
                                 struct sgx_key_dependencies *d)
{
    struct reader r = {.in = bytes_from(request, KEYREQUEST_SIZE)};
    uint8_t own[16], mask[16];
    struct writer attributes = writer_fixed(own, sizeof own);
    struct bytes cpu_svn, mask_bytes, key_id, skipped;
    uint16_t isv_svn = 0;
    bool ok = reader_u16le(&r, &d->name) && reader_u16le(&r, &d->policy) &&
              reader_u16le(&r, &isv_svn) && reader_bytes(&r, 2, &skipped) &&
              reader_bytes(&r, 16, &cpu_svn) && reader_bytes(&r, 16, &mask_bytes) &&
              reader_bytes(&r, SGX_KEY_ID_SIZE, &key_id) && reader_u32le(&r, &d->misc_mask) &&
              reader_u16le(&r, &d->config_svn);

    if (!ok || d->name > SGX_KEY_SEAL)
        return SGX_INVALID_KEYNAME;
    if (d->name < SGX_KEY_REPORT) /* of Intel's enclaves, which say so in their attributes */
        return SGX_INVALID_ATTRIBUTE;
    put_attributes(&attributes, sim);
    memcpy(d->key_id, key_id.data, SGX_KEY_ID_SIZE);
    d->misc_select = sim->secs.misc_select;
    if (d->name == SGX_KEY_REPORT) {
        d->policy = d->config_svn = 0;
        d->misc_mask = 0;
        memcpy(d->cpu_svn, sim->platform.cpu_svn, 16);
        memcpy(d->attributes, own, 16);
        memcpy(d->mrenclave, sim->mrenclave, 32);
        return 0;
    }
    if (memcmp(cpu_svn.data, sim->platform.cpu_svn, 16) > 0)
        return SGX_INVALID_CPUSVN;
    if (isv_svn > sim->isv_svn)
        return SGX_INVALID_ISVSVN;
    memcpy(mask, mask_bytes.data, sizeof mask);
    mask[0] |= 3; /* INIT and DEBUG always count */
    for (unsigned i = 0; i < 16; i++)
        d->attributes[i] = own[i] & mask[i];
    memcpy(d->attribute_mask, mask, 16);
    memcpy(d->cpu_svn, cpu_svn.data, 16);
    d->misc_select &= d->misc_mask;
    d->isv_svn = isv_svn;
    d->isv_prod_id = sim->isv_prod_id;
    if ((d->policy & POLICY_MRENCLAVE) != 0)
        memcpy(d->mrenclave, sim->mrenclave, 32);
    if ((d->policy & POLICY_MRSIGNER) != 0)
        memcpy(d->mrsigner, sim->mrsigner, 32);
    return 0;
}

static unsigned egetkey(struct sgx_sim *sim, uint64_t *rax, uint64_t rbx, uint64_t rcx,
                        uint64_t *at)
{
    struct sgx_key_dependencies d = {.name = 0};
    uint8_t key[SGX_KEY_BYTES];
    struct err err;
    unsigned fault = operand(sim, rbx, KEYREQUEST_SIZE, 512, EPCM_R, at);

    fault = fault != 0 ? fault : operand(sim, rcx, sizeof key, 16, EPCM_R | EPCM_W, at);
    if (fault != 0)
        return fault;
    *rax = key_dependencies(sim, bytes_at(rbx), &d);
    if (*rax != 0)
        return 0;
    if (!sgx_key_derive(&sim->platform, &d, key, &err))
        return VECTOR_GP;
    memcpy((uint8_t *)(uintptr_t)rcx, key, sizeof key);
    secret_wipe(key, sizeof key);
    return 0;
}

unsigned sim_leaf(struct sgx_sim *sim, uint64_t *rax, uint64_t rbx, uint64_t rcx, uint64_t rdx,
                  uint64_t *at)
{
    switch ((uint32_t)*rax) {
    case SGX_EREPORT:
        return ereport(sim, rbx, rcx, rdx, at);
    case SGX_EGETKEY:
        return egetkey(sim, rax, rbx, rcx, at);
    case SGX_EACCEPT:
        return eaccept(sim, rax, rbx, rcx, at);
    case SGX_EMODPE:
        return emodpe(sim, rbx, rcx, at);
    default:
        return VECTOR_GP;
    }
}

bool sim_read_tcs(const struct sgx_sim *sim, uint64_t tcs, struct sim_thread *out)
{
    struct reader r = {.in = bytes_from(sim->base + tcs, PAGE)};
    uint64_t stage, flags, aep;
    struct sim_thread t = {.tcs = tcs};

    if (!reader_u64le(&r, &stage) || !reader_u64le(&r, &flags) || !reader_u64le(&r, &t.ossa) ||
        !reader_u32le(&r, &t.cssa) || !reader_u32le(&r, &t.nssa) || !reader_u64le(&r, &t.entry) ||
        !reader_u64le(&r, &aep) || !reader_u64le(&r, &t.fs_base) || !reader_u64le(&r, &t.gs_base))
        return false;
    uint64_t frames = (uint64_t)t.nssa * sim->secs.ssa_frame_pages * PAGE;
    if (stage != 0 || flags != 0 || t.cssa != 0 || t.nssa == 0 || t.nssa > SIM_FRAMES_MAX ||
        t.ossa % PAGE != 0 || frames > sim->secs.size || t.ossa > sim->secs.size - frames ||
        t.entry >= sim->secs.size)
        return false;
    *out = t;
    return true;
}

/* ---- the processor ---- */

bool sgx_sim_new(const struct sgx_platform *platform, struct sgx_processor *out, struct err *err)
{
    const char *lacks = sgx_sim_lacks();

    if (lacks != NULL)
        return err_set(err, ERR_UNSUPPORTED, lacks, ERR_NO_AT);
    sim_of_process = (struct sgx_sim){.platform = *platform, .has_sgx2 = true};
    *out = (struct sgx_processor){
        .self = &sim_of_process,
        .create = create,
        .add = add,
        .init = init,
        .enter = sim_enter,
        .restrict_rights = restrict_rights,
        .trim = trim,
        .remove = remove_pages,
    };
    return sim_cpu_setup(&sim_of_process, err);
}

void sgx_sim_set_sgx1(struct sgx_processor *processor)
{
    struct sgx_sim *sim = processor->self;

    sim->has_sgx2 = false;
    processor->can_grow = false;
}
