/* From files to pages: the shim's segments, two sets of the first page tables, the exec layer. */
#include <elf.h>

#include "image/image.h"
#include "shim/kvm/layout.h"

#define ENTRY_PRESENT 1u
#define ENTRY_WRITABLE 2u
#define ENTRY_USER 4u
#define ENTRY_HUGE 0x80u
#define ENTRY_NX (1ull << 63)
#define ENTRY_ADDRESS 0x0007fffffffff000ull
#define HEADERS_MAX 16u

/* ---- page tables ---- */

struct tables {
    uint8_t *memory; /* of the pages from `root` on */
    uint64_t root;   /* guest-physical */
    uint64_t next;
    uint64_t c_bit; /* in every entry for memory that is private */
};

static uint64_t *table_at(const struct tables *t, uint64_t pa)
{
    return (uint64_t *)(void *)(t->memory + (pa - t->root));
}

/* The table below an entry; NULL: there is no room for one more, or a frame is mapped there. */
static uint64_t *below(struct tables *t, uint64_t *entry)
{
    if ((*entry & ENTRY_HUGE) != 0)
        return NULL;
    if ((*entry & ENTRY_PRESENT) == 0) {
        if (t->next == t->root + (uint64_t)TABLES_SET * PAGE_SIZE)
            return NULL;
        *entry = t->next | t->c_bit | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_USER;
        t->next += PAGE_SIZE;
    }
    return table_at(t, *entry & ENTRY_ADDRESS);
}

/* The entry for an address, of 2 MiB when huge; NULL: no room. */
static uint64_t *entry_of(struct tables *t, uint64_t va, bool huge)
{
    uint64_t *table = table_at(t, t->root);

    for (int shift = 39; shift > (huge ? 21 : 12) && table != NULL; shift -= 9)
        table = below(t, &table[va >> shift & 511]);
    return table != NULL ? &table[va >> (huge ? 21 : 12) & 511] : NULL;
}

/* Maps [va, va + size) to pa, in pages of 2 MiB when huge. */
static bool map(struct tables *t, uint64_t va, uint64_t pa, uint64_t size, uint64_t bits, bool huge)
{
    uint64_t step = huge ? FRAME_SIZE : PAGE_SIZE;

    for (uint64_t at = 0; at < size; at += step) {
        uint64_t *entry = entry_of(t, va + at, huge);
        if (entry == NULL || *entry != 0) /* nothing is mapped twice */
            return false;
        *entry = (pa + at) | bits | ENTRY_PRESENT | (huge ? ENTRY_HUGE : 0);
    }
    return true;
}

/* A segment of the shim: its rights are its header's; the lower half of addresses is ring 3's,
 * whose data ring 0 sees by an alias. */
static bool map_segment(struct tables *t, const Elf64_Phdr *p)
{
    bool is_user = p->p_vaddr < KERNEL_VA;
    uint64_t size = (p->p_memsz + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
    uint64_t bits = t->c_bit | ((p->p_flags & PF_W) != 0 ? ENTRY_WRITABLE : 0) |
                    ((p->p_flags & PF_X) != 0 ? 0 : ENTRY_NX) | (is_user ? ENTRY_USER : 0);
    bool has_alias = is_user && (p->p_flags & PF_W) != 0;

    return map(t, p->p_vaddr, p->p_paddr, size, bits, false) &&
           (!has_alias || map(t, ALIAS_VA + p->p_paddr, p->p_paddr, size,
                              t->c_bit | ENTRY_WRITABLE | ENTRY_NX, false));
}

static bool make_tables(uint8_t *memory, uint64_t root, uint64_t c_bit, const Elf64_Phdr *headers,
                        size_t count, struct err *err)
{
    struct tables t = {.memory = memory, .root = root, .next = root + PAGE_SIZE, .c_bit = c_bit};
    const uint64_t shared = ENTRY_WRITABLE | ENTRY_NX, data = shared | c_bit;
    bool ok = map(&t, ALIAS_VA + TABLES_PA, TABLES_PA, TABLES_SIZE, data, true) &&
              map(&t, ALIAS_VA + BLOCK_PA, BLOCK_PA, BLOCK_SIZE, shared, true) &&
              map(&t, BLOCK_VA, BLOCK_PA, BLOCK_SIZE, shared | ENTRY_USER, true) &&
              map(&t, SECRETS_VA, SECRETS_PA, PAGE_SIZE, data | ENTRY_USER, false) &&
              map(&t, CPUID_VA, CPUID_PA, PAGE_SIZE, c_bit | ENTRY_NX | ENTRY_USER, false) &&
              map(&t, IMAGE_VA, IMAGE_PA, IMAGE_SIZE_MAX, c_bit | ENTRY_NX | ENTRY_USER, true) &&
              entry_of(&t, SCRATCH_VA, true) != NULL; /* for what the shim accepts: no frame yet */

    for (size_t i = 0; ok && i < count; i++)
        ok = map_segment(&t, &headers[i]);
    return ok || err_set(err, ERR_FORMAT,
                         "the shim's segments cannot be mapped where they want to be", ERR_NO_AT);
}

/* ---- ranges ---- */

static void add(struct image *image, uint64_t gpa, enum snp_page_type type, struct bytes bytes)
{
    image->ranges[image->count++] = (struct image_range){.gpa = gpa, .type = type, .bytes = bytes};
}

static uint8_t *new_pages(struct arena *arena, size_t size, struct err *err)
{
    size = (size + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
    uint8_t *pages = arena_alloc(arena, size, sizeof(uint64_t));

    if (pages == NULL)
        (void)err_set(err, ERR_MEMORY, "no memory for an image", ERR_NO_AT);
    else
        memset(pages, 0, size);
    return pages;
}

/* Whole pages of a segment. */
static bool add_segment(struct image *image, struct bytes file, const Elf64_Phdr *p,
                        struct arena *arena, struct err *err)
{
    uint8_t *pages = new_pages(arena, p->p_memsz, err);

    if (pages == NULL)
        return false;
    memcpy(pages, file.data + p->p_offset, p->p_filesz);
    add(image, p->p_paddr, SNP_PAGE_NORMAL,
        bytes_from(pages, (p->p_memsz + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1)));
    return true;
}

static bool add_shim(struct image *image, struct bytes file, struct arena *arena, uint8_t *tables,
                     struct err *err)
{
    Elf64_Phdr headers[HEADERS_MAX];
    uint64_t next = SHIM_PA;
    Elf64_Ehdr e;

    if (file.size < sizeof e)
        return err_set(err, ERR_FORMAT, "this is no shim", ERR_NO_AT);
    memcpy(&e, file.data, sizeof e);
    if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_phoff != sizeof e || e.e_phnum == 0 ||
        e.e_phnum > HEADERS_MAX || file.size < sizeof e + e.e_phnum * sizeof headers[0])
        return err_set(err, ERR_FORMAT, "this is no shim", ERR_NO_AT);
    memcpy(headers, file.data + sizeof e, e.e_phnum * sizeof headers[0]);
    for (size_t i = 0; i < e.e_phnum; i++) {
        const Elf64_Phdr *p = &headers[i];
        if (p->p_offset > file.size || p->p_filesz > file.size - p->p_offset ||
            p->p_memsz < p->p_filesz || p->p_memsz == 0 || p->p_paddr < next ||
            p->p_memsz > SECRETS_PA - SHIM_PA || p->p_paddr > SECRETS_PA - p->p_memsz ||
            p->p_paddr % PAGE_SIZE != 0 || p->p_vaddr % PAGE_SIZE != 0)
            return err_set(err, ERR_FORMAT, "a segment of the shim lies outside its place", i);
        if (!add_segment(image, file, p, arena, err))
            return false;
        next = p->p_paddr + image->ranges[image->count - 1].bytes.size;
    }
    image->entry = e.e_entry;
    return make_tables(tables, TABLES_PA, 0, headers, e.e_phnum, err) &&
           make_tables(tables + (size_t)TABLES_SET * PAGE_SIZE, TABLES_SNP_PA, UINT64_C(1) << C_BIT,
                       headers, e.e_phnum, err);
}

/* The file as it is, but for its last page. */
static bool add_keep(struct image *image, struct bytes file, struct arena *arena, struct err *err)
{
    size_t whole = file.size & ~(size_t)(PAGE_SIZE - 1);

    if (file.size > IMAGE_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "the keep's image is larger than, in bytes", IMAGE_SIZE_MAX);
    image->keep_size = file.size;
    if (whole != 0)
        add(image, IMAGE_PA, SNP_PAGE_NORMAL, bytes_before(file, whole));
    if (whole == file.size)
        return true;
    uint8_t *last = new_pages(arena, PAGE_SIZE, err);
    if (last == NULL)
        return false;
    memcpy(last, file.data + whole, file.size - whole);
    add(image, IMAGE_PA + whole, SNP_PAGE_NORMAL, bytes_from(last, PAGE_SIZE));
    return true;
}

bool image_compose(struct bytes shim, struct bytes keep, struct arena *arena, struct image *out,
                   struct err *err)
{
    const size_t tables_size = (size_t)TABLES_INITIAL * PAGE_SIZE;
    uint8_t *tables = new_pages(arena, tables_size, err), *none;

    _Static_assert(HEADERS_MAX + 5 <= IMAGE_RANGES_MAX, "what is added below");
    *out = (struct image){.count = 0};
    if (tables == NULL || !add_shim(out, shim, arena, tables, err))
        return false;
    none = new_pages(arena, PAGE_SIZE, err);
    if (none == NULL)
        return false;
    add(out, SECRETS_PA, SNP_PAGE_SECRETS, bytes_from(none, PAGE_SIZE));
    add(out, CPUID_PA, SNP_PAGE_CPUID, bytes_from(none, PAGE_SIZE));
    add(out, TABLES_PA, SNP_PAGE_NORMAL, bytes_from(tables, tables_size));
    return add_keep(out, keep, arena, err);
}
