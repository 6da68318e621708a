/* From files to an enclave: the shim's segments, the thread, stacks, the exec layer's segments, the
 * heap; what SGX measures of them, and its author's signature. */
#include <elf.h>
#include <openssl/evp.h>

#include "image/image.h"
#include "shim/sgx/layout.h"

#define HEADERS_MAX 16u
#define PAGE ENCLAVE_PAGE_SIZE
#define DATA (SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W)

/* Which enclaves a signature is for. */
#define PRODUCT 1
#define DATE 0x20261128u

static uint64_t page_up(uint64_t value)
{
    return (value + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static uint8_t *new_pages(struct arena *arena, uint64_t size, struct err *err)
{
    uint8_t *pages = arena_alloc(arena, (size_t)size, sizeof(uint64_t));

    if (pages == NULL)
        (void)err_set(err, ERR_MEMORY, "no memory for an image", ERR_NO_AT);
    else
        memset(pages, 0, (size_t)size);
    return pages;
}

static void add(struct enclave_image *image, struct enclave_range range)
{
    image->ranges[image->count++] = range;
}

/* ---- files ---- */

/* Where a file of ours has its place. */
struct place {
    const char *fault; /* what is said of a file that does not fit */
    uint64_t at, size;
    size_t segments_max;
};

static bool read_headers(struct bytes file, Elf64_Ehdr *e, Elf64_Phdr headers[HEADERS_MAX])
{
    if (file.size < sizeof *e)
        return false;
    memcpy(e, file.data, sizeof *e);
    if (memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 || e->e_type != ET_DYN ||
        e->e_machine != EM_X86_64 || e->e_phoff != sizeof *e || e->e_phnum == 0 ||
        e->e_phnum > HEADERS_MAX || e->e_phentsize != sizeof headers[0] ||
        file.size < sizeof *e + e->e_phnum * sizeof headers[0])
        return false;
    memcpy(headers, file.data + sizeof *e, e->e_phnum * sizeof headers[0]);
    return true;
}

/* A segment in whole pages, behind what is there already. */
static bool fits(const Elf64_Phdr *p, struct bytes file, const struct place *place, uint64_t next)
{
    return p->p_offset <= file.size && p->p_filesz <= file.size - p->p_offset &&
           p->p_memsz >= p->p_filesz && p->p_memsz != 0 && p->p_memsz <= place->size &&
           p->p_vaddr <= place->size - p->p_memsz && (p->p_vaddr & ~(uint64_t)(PAGE - 1)) >= next &&
           (p->p_flags & PF_R) != 0 && (p->p_flags & (PF_W | PF_X)) != (PF_W | PF_X);
}

static bool add_segment(struct enclave_image *image, struct bytes file, const Elf64_Phdr *p,
                        uint64_t at, struct arena *arena, struct err *err)
{
    uint64_t from = p->p_vaddr & ~(uint64_t)(PAGE - 1);
    uint64_t size = page_up(p->p_vaddr + p->p_memsz) - from;
    uint8_t *pages = new_pages(arena, size, err);

    if (pages == NULL)
        return false;
    memcpy(pages + (p->p_vaddr - from), file.data + p->p_offset, p->p_filesz);
    add(image, (struct enclave_range){
                   .offset = at + from,
                   .size = size,
                   .flags = SGX_SECINFO_REG | SGX_SECINFO_R |
                            ((p->p_flags & PF_W) != 0 ? SGX_SECINFO_W : 0) |
                            ((p->p_flags & PF_X) != 0 ? SGX_SECINFO_X : 0),
                   .is_measured = true,
                   .bytes = bytes_from(pages, (size_t)size),
               });
    return true;
}

static bool add_file(struct enclave_image *image, struct bytes file, const struct place *place,
                     struct arena *arena, uint64_t *entry, struct err *err)
{
    Elf64_Phdr headers[HEADERS_MAX];
    uint64_t next = 0;
    size_t count = 0;
    Elf64_Ehdr e;

    if (!read_headers(file, &e, headers))
        return err_set(err, ERR_FORMAT, place->fault, ERR_NO_AT);
    for (size_t i = 0; i < e.e_phnum; i++) {
        if (headers[i].p_type != PT_LOAD)
            continue;
        if (count++ == place->segments_max || !fits(&headers[i], file, place, next))
            return err_set(err, ERR_FORMAT, place->fault, i);
        if (!add_segment(image, file, &headers[i], place->at, arena, err))
            return false;
        next = page_up(headers[i].p_vaddr + headers[i].p_memsz);
    }
    *entry = e.e_entry;
    return (count != 0 && e.e_entry < next) || err_set(err, ERR_FORMAT, place->fault, ERR_NO_AT);
}

/* ---- the rest ---- */

/* The thread control structure (Intel SDM volume 3D, "TCS"), and what belongs to it. */
static bool add_thread(struct enclave_image *image, uint64_t entry, struct arena *arena,
                       struct err *err)
{
    uint8_t *tcs = new_pages(arena, PAGE, err);

    if (tcs == NULL)
        return false;
    struct writer w = writer_fixed(tcs, PAGE);
    writer_u64le(&w, 0);          /* STAGE */
    writer_u64le(&w, 0);          /* FLAGS: no debugging */
    writer_u64le(&w, SSA_AT);     /* OSSA */
    writer_u32le(&w, 0);          /* CSSA */
    writer_u32le(&w, SSA_FRAMES); /* NSSA */
    writer_u64le(&w, entry);      /* OENTRY */
    writer_u64le(&w, 0);          /* AEP */
    writer_u64le(&w, 0);          /* OFSBASE */
    writer_u64le(&w, 0);          /* OGSBASE */
    writer_u32le(&w, UINT32_MAX); /* FSLIMIT */
    writer_u32le(&w, UINT32_MAX); /* GSLIMIT */
    add(image,
        (struct enclave_range){THREAD_AT, PAGE, SGX_SECINFO_TCS, true, bytes_from(tcs, PAGE)});
    add(image, (struct enclave_range){.offset = SSA_AT,
                                      .size = (uint64_t)SSA_FRAMES * SSA_FRAME_PAGES * PAGE,
                                      .flags = DATA,
                                      .is_measured = true});
    add(image, (struct enclave_range){.offset = SHIM_STACK_AT,
                                      .size = ENCLAVE_STACK_SIZE,
                                      .flags = DATA,
                                      .is_measured = true});
    add(image, (struct enclave_range){.offset = HANDLER_STACK_AT,
                                      .size = ENCLAVE_STACK_SIZE,
                                      .flags = DATA,
                                      .is_measured = true});
    return true;
}

bool enclave_compose(struct bytes shim, struct bytes keep, struct arena *arena,
                     struct enclave_image *out, struct err *err)
{
    static const struct place shim_place = {
        "this is no shim of enclaves that fits its place; segment", 0, SHIM_SIZE_MAX, 6};
    static const struct place keep_place = {
        "the exec layer cannot be laid out in an enclave; segment", KEEP_AT, KEEP_SIZE_MAX, 12};
    uint64_t entry, keep_entry;

    _Static_assert(6 + 12 + 5 <= ENCLAVE_RANGES_MAX, "all that is added");
    *out = (struct enclave_image){.count = 0};
    if (!add_file(out, shim, &shim_place, arena, &entry, err) ||
        !add_thread(out, entry, arena, err) ||
        !add_file(out, keep, &keep_place, arena, &keep_entry, err))
        return false;
    add(out, (struct enclave_range){.offset = HEAP_AT, .size = HEAP_SIZE, .flags = DATA});
    return true;
}

/* ---- what is measured ---- */

bool enclave_measure(const struct enclave_image *image, uint8_t out[SGX_MEASUREMENT_SIZE],
                     struct err *err)
{
    static const uint8_t zeroes[SGX_PAGE_SIZE];
    struct sgx_measure *measure;

    if (!sgx_measure_new(SSA_FRAME_PAGES, ENCLAVE_SIZE, &measure, err))
        return false;
    bool ok = true;
    for (size_t i = 0; ok && i < image->count; i++) {
        const struct enclave_range *r = &image->ranges[i];
        for (uint64_t at = 0; ok && at < r->size; at += SGX_PAGE_SIZE)
            ok = sgx_measure_page(measure, r->offset + at, r->flags,
                                  r->bytes.size != 0 ? r->bytes.data + at : zeroes, r->is_measured,
                                  err);
    }
    ok = ok && sgx_measure_finish(measure, out, err);
    sgx_measure_free(measure);
    return ok;
}

bool enclave_sign(const uint8_t measurement[SGX_MEASUREMENT_SIZE],
                  const struct enclave_author *author, EVP_PKEY *key,
                  uint8_t out[SGX_SIGSTRUCT_SIZE], struct err *err)
{
    struct sgx_sigstruct s = {
        .date = author->date,
        .misc_select = ENCLAVE_MISC,
        .misc_mask = UINT32_MAX,
        .attribute_flags = ENCLAVE_FLAGS,
        .attribute_flags_mask = ~UINT64_C(1), /* all but INIT, which EINIT sets */
        .attribute_xfrm = ENCLAVE_XFRM,
        .attribute_xfrm_mask = UINT64_MAX,
        .cet_attributes_mask = 0xff,
        .isv_prod_id = author->product,
        .isv_svn = author->svn,
    };

    memcpy(s.enclave_hash, measurement, sizeof s.enclave_hash);
    if (!sgx_sigstruct_sign(&s, key, err))
        return false;
    sgx_sigstruct_write(&s, out);
    return true;
}

/* RSA of 3072 bits with exponent 3, in DER. It is public. */
__asm__(".section .rodata\n"
        ".globl enclave_development_key, enclave_development_key_end\n"
        "enclave_development_key: .incbin \"" DEVELOPMENT_KEY "\"\n"
        "enclave_development_key_end:\n"
        ".previous");
extern const uint8_t enclave_development_key[] __attribute__((visibility("hidden")));
extern const uint8_t enclave_development_key_end[] __attribute__((visibility("hidden")));

bool enclave_sign_for_development(const uint8_t measurement[SGX_MEASUREMENT_SIZE],
                                  uint8_t out[SGX_SIGSTRUCT_SIZE], struct err *err)
{
    const struct enclave_author author = {.product = PRODUCT, .date = DATE};
    const uint8_t *at = enclave_development_key;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, enclave_development_key_end - at);

    if (key == NULL)
        return err_set(err, ERR_CRYPTO, "the development key cannot be read", ERR_NO_AT);
    bool ok = enclave_sign(measurement, &author, key, out, err);
    EVP_PKEY_free(key);
    return ok;
}
