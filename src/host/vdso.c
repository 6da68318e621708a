/* Reads ELF as the System V gABI has it, chapters 4 and 5 ("Hash Table"), and DT_GNU_HASH as
 * binutils writes it. The kernel is trusted here, its image is read as if it were not. */
#include "host/vdso.h"

#include <elf.h>
#include <sys/auxv.h>

#include "base/banned.h"

#define PROGRAM_HEADERS_MAX 64u
#define DYNAMIC_ENTRIES_MAX 1024u

/* Where things are, as offsets in the image; 0, where its header is, of what is not there. */
struct tables {
    size_t symbols, strings, hash, gnu_hash;
    size_t strings_size;
    uint64_t start; /* the address that the image's first byte was linked for */
};

/* Reads a structure that lies somewhere. */
static bool read_at(struct bytes image, uint64_t at, void *out, size_t size)
{
    struct reader r = reader_of(image);

    return reader_seek(&r, at) && reader_copy(&r, out, size);
}

static bool u32_at(struct bytes image, uint64_t at, uint32_t *out)
{
    return read_at(image, at, out, sizeof *out);
}

static bool read_header(struct bytes image, Elf64_Ehdr *out)
{
    return read_at(image, 0, out, sizeof *out) && memcmp(out->e_ident, ELFMAG, SELFMAG) == 0 &&
           out->e_ident[EI_CLASS] == ELFCLASS64 && out->e_ident[EI_DATA] == ELFDATA2LSB &&
           out->e_phentsize == sizeof(Elf64_Phdr) && out->e_phnum <= PROGRAM_HEADERS_MAX &&
           out->e_phoff <= image.size;
}

/* The first program header of a type. */
static bool find_segment(struct bytes image, uint32_t type, Elf64_Phdr *out)
{
    Elf64_Ehdr header;

    if (!read_header(image, &header))
        return false;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        if (!read_at(image, header.e_phoff + i * sizeof *out, out, sizeof *out))
            return false;
        if (out->p_type == type)
            return true;
    }
    return false;
}

/* The one that has everything: it begins where the image does. */
static bool find_load(struct bytes image, Elf64_Phdr *out)
{
    return find_segment(image, PT_LOAD, out) && out->p_offset == 0 &&
           out->p_filesz <= VDSO_SIZE_MAX;
}

bool vdso_size(struct bytes first_page, size_t *out)
{
    Elf64_Phdr load;

    if (!find_load(first_page, &load) || load.p_filesz < sizeof(Elf64_Ehdr))
        return false;
    *out = (size_t)load.p_filesz;
    return true;
}

/* An address that the image was linked for, as an offset in it. */
static bool place(struct bytes image, uint64_t start, uint64_t address, size_t *out)
{
    uint64_t at = address - start; /* of what lies before it, far beyond the image */

    if (at >= image.size)
        return false;
    *out = (size_t)at;
    return true;
}

/* Of a tag of the dynamic section what it says the place of; NULL: nothing that is of use. */
static size_t *table_of(struct tables *t, Elf64_Sxword tag)
{
    switch (tag) {
    case DT_SYMTAB:
        return &t->symbols;
    case DT_STRTAB:
        return &t->strings;
    case DT_HASH:
        return &t->hash;
    case DT_GNU_HASH:
        return &t->gnu_hash;
    default:
        return NULL;
    }
}

static bool find_tables(struct bytes image, struct tables *out)
{
    struct tables t = {0};
    Elf64_Phdr load, dynamic;
    Elf64_Dyn entry;

    if (!find_load(image, &load) || !find_segment(image, PT_DYNAMIC, &dynamic) ||
        dynamic.p_offset > image.size)
        return false;
    t.start = load.p_vaddr;
    for (size_t i = 0; i < DYNAMIC_ENTRIES_MAX; i++) {
        if (!read_at(image, dynamic.p_offset + i * sizeof entry, &entry, sizeof entry))
            return false;
        if (entry.d_tag == DT_NULL)
            break;
        size_t *table = table_of(&t, entry.d_tag);
        if (table != NULL && !place(image, t.start, entry.d_un.d_ptr, table))
            return false;
        if (entry.d_tag == DT_STRSZ && entry.d_un.d_val <= image.size)
            t.strings_size = (size_t)entry.d_un.d_val;
    }
    *out = t;
    return t.symbols != 0 && t.strings != 0;
}

/* DT_GNU_HASH: count of buckets, first symbol in them, words of the filter (of 64 bits), a shift;
 * the filter; for each bucket its first symbol, or 0; for each symbol from the first on a hash,
 * whose lowest bit says that it is its bucket's last. */
static bool count_by_gnu_hash(struct bytes image, size_t at, uint64_t *out)
{
    uint32_t buckets, first, words, last = 0, hash;

    if (!u32_at(image, at, &buckets) || !u32_at(image, at + 4, &first) ||
        !u32_at(image, at + 8, &words))
        return false;
    uint64_t bucket_at = at + 16 + (uint64_t)words * 8;
    uint64_t hash_at = bucket_at + (uint64_t)buckets * 4;
    for (uint32_t i = 0; i < buckets; i++) {
        uint32_t symbol;
        if (!u32_at(image, bucket_at + (uint64_t)i * 4, &symbol))
            return false;
        last = symbol > last ? symbol : last;
    }
    if (last < first) { /* all are empty */
        *out = first;
        return true;
    }
    do {
        if (!u32_at(image, hash_at + (uint64_t)(last - first) * 4, &hash))
            return false;
        last++;
    } while ((hash & 1) == 0);
    *out = last;
    return true;
}

/* How many symbols there are: what no entry of the dynamic section says. */
static bool count_symbols(struct bytes image, const struct tables *t, uint64_t *out)
{
    uint32_t count;

    if (t->hash == 0)
        return t->gnu_hash != 0 && count_by_gnu_hash(image, t->gnu_hash, out);
    if (!u32_at(image, t->hash + 4, &count)) /* DT_HASH: nbucket, nchain */
        return false;
    *out = count;
    return true;
}

/* Whether the string at an offset of the table is this one, with its end. */
static bool is_named(struct bytes strings, uint32_t at, const char *name)
{
    struct bytes wanted = {.data = (const uint8_t *)name, .size = strlen(name) + 1};

    return bytes_starts_with(bytes_after(strings, at), wanted);
}

bool vdso_find(struct bytes image, const char *name, size_t *out)
{
    struct tables t;
    uint64_t count;

    if (!find_tables(image, &t) || !count_symbols(image, &t, &count))
        return false;
    struct bytes strings = bytes_before(bytes_after(image, t.strings), t.strings_size);
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Sym symbol;
        if (!read_at(image, t.symbols + i * sizeof symbol, &symbol, sizeof symbol))
            return false;
        if (symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC &&
            is_named(strings, symbol.st_name, name))
            return place(image, t.start, symbol.st_value, out);
    }
    return false;
}

struct bytes vdso_of_process(void)
{
    /* getauxval's answer is 0, or where the kernel has mapped at least a page */
    const uint8_t *image = (const uint8_t *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
    size_t size;

    if (image == NULL || !vdso_size(bytes_from(image, VDSO_PAGE_SIZE), &size))
        return (struct bytes){0};
    return bytes_from(image, size);
}
