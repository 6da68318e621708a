/* The real vDSO of the machine, damaged copies of it, and small images made by hand for what a
 * kernel's has not got. */
#include "support.h"

#include <elf.h>
#include <time.h>

#include "host/vdso.h"

#define CLOCK "__vdso_clock_gettime"

/* ---- this machine's ---- */

static void functions_of_this_machine(void **state)
{
    struct bytes image = vdso_of_process();
    size_t at;

    (void)state;
    if (image.size == 0)
        skip(); /* where processes run in a simulator of their own */
    assert_true(vdso_find(image, CLOCK, &at));
    assert_true(at > 0 && at < image.size);
    /* it is one: it gives the same time as the C library, which calls it too */
    int (*tell)(clockid_t, struct timespec *);
    const uint8_t *code = image.data + at;
    struct timespec before, time, after;
    memcpy(&tell, &code, sizeof tell);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &before), 0);
    assert_int_equal(tell(CLOCK_REALTIME, &time), 0);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &after), 0);
    assert_true(before.tv_sec <= time.tv_sec && time.tv_sec <= after.tv_sec);
    assert_false(vdso_find(image, "__vdso_clock_gettim", &at));
    assert_false(vdso_find(image, "__vdso_clock_gettime_", &at));
    assert_false(vdso_find(image, "", &at));
}

static void look(struct bytes damaged)
{
    size_t at, size;

    if (vdso_find(damaged, CLOCK, &at))
        assert_true(at < damaged.size);
    if (vdso_find(damaged, "__vdso_of_nobody", &at))
        assert_true(at < damaged.size);
    if (vdso_size(bytes_before(damaged, VDSO_PAGE_SIZE), &size))
        assert_true(size != 0 && size <= VDSO_SIZE_MAX);
}

static void damaged_ones_of_this_machine(void **state)
{
    (void)state;
    if (vdso_of_process().size == 0)
        skip();
    for_each_damage(vdso_of_process(), look);
}

/* ---- made by hand ---- */

/* Linked for START; each table of one or two entries. */
#define START 0x700000u

struct made {
    Elf64_Ehdr header;
    Elf64_Phdr load, dynamic;
    Elf64_Dyn entries[6];
    Elf64_Sym symbols[4];
    char strings[32];
    uint32_t hash[8];
    struct {
        uint32_t buckets, first, words, shift;
        uint64_t filter[1];
        uint32_t bucket[2], hashes[3];
    } gnu;
    uint8_t code[16];
};

static struct made made(Elf64_Sxword hash_tag)
{
    struct made m = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB},
                   .e_phoff = offsetof(struct made, load),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2},
        .load = {.p_type = PT_LOAD, .p_vaddr = START, .p_filesz = sizeof m},
        .dynamic = {.p_type = PT_DYNAMIC, .p_offset = offsetof(struct made, entries)},
        .entries = {{DT_SYMTAB, {START + offsetof(struct made, symbols)}},
                    {DT_STRTAB, {START + offsetof(struct made, strings)}},
                    {DT_STRSZ, {sizeof m.strings}},
                    {hash_tag,
                     {START + (hash_tag == DT_HASH ? offsetof(struct made, hash)
                                                   : offsetof(struct made, gnu))}}},
        .symbols =
            {[1] = {.st_name = 1, .st_info = STT_FUNC}, /* what it needs of others */
             [2] = {.st_name = 7, .st_info = STT_OBJECT, .st_shndx = 1, .st_value = START + 1},
             [3] = {.st_name = 1,
                    .st_info = STT_FUNC,
                    .st_shndx = 1,
                    .st_value = START + offsetof(struct made, code)}},
        .strings = "\0first\0second",
        .hash = {1, 4},
        .gnu = {.buckets = 2, .first = 1, .words = 1, .bucket = {0, 1}, .hashes = {2, 4, 7}},
    };
    return m;
}

static bool find(const struct made *m, const char *name, size_t *out)
{
    return vdso_find(bytes_from(m, sizeof *m), name, out);
}

static void either_table_of_hashes(void **state)
{
    static const Elf64_Sxword tags[] = {DT_HASH, DT_GNU_HASH};
    size_t at, size;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        struct made m = made(tags[i]);
        assert_true(vdso_size(bytes_from(&m, sizeof m), &size) && size == sizeof m);
        assert_true(find(&m, "first", &at));
        assert_int_equal(at, offsetof(struct made, code));
        assert_false(find(&m, "second", &at)); /* no function */
        assert_false(find(&m, "third", &at));
        for_each_damage(bytes_from(&m, sizeof m), look);
    }
}

static void what_is_not_there(void **state)
{
    struct made m = made(DT_HASH);
    size_t at, size;

    (void)state;
    m.symbols[3].st_value = START + sizeof m;
    assert_false(find(&m, "first", &at));
    m.symbols[3].st_value = START - 1;
    assert_false(find(&m, "first", &at));
    m = made(DT_HASH);
    m.hash[1] = 3; /* the symbol is beyond the count */
    assert_false(find(&m, "first", &at));
    m = made(DT_DEBUG); /* no table of hashes */
    assert_false(find(&m, "first", &at));
    m = made(DT_GNU_HASH);
    m.gnu.bucket[1] = 0; /* empty */
    assert_false(find(&m, "first", &at));
    m = made(DT_GNU_HASH);
    m.gnu.words = UINT32_MAX;
    assert_false(find(&m, "first", &at));
    m = made(DT_GNU_HASH);
    m.gnu.buckets = UINT32_MAX;
    assert_false(find(&m, "first", &at));
    m = made(DT_HASH);
    m.entries[2].d_un.d_val = 6; /* the string's end is not in the table */
    assert_false(find(&m, "first", &at));
    m.entries[2].d_un.d_val = 7;
    assert_true(find(&m, "first", &at));
    m = made(DT_HASH);
    m.load.p_filesz = VDSO_SIZE_MAX + 1;
    assert_false(vdso_size(bytes_from(&m, sizeof m), &size));
    m.load.p_filesz = VDSO_SIZE_MAX;
    assert_true(vdso_size(bytes_from(&m, sizeof m), &size));
    m.header.e_phnum = 65;
    assert_false(vdso_size(bytes_from(&m, sizeof m), &size));
    m = made(DT_HASH);
    m.header.e_phoff = UINT64_MAX - 63;
    assert_false(find(&m, "first", &at));
    m = made(DT_HASH);
    m.dynamic.p_offset = UINT64_MAX - 15;
    assert_false(find(&m, "first", &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_this_machine),
        cmocka_unit_test(damaged_ones_of_this_machine),
        cmocka_unit_test(either_table_of_hashes),
        cmocka_unit_test(what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
