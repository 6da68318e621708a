/* Images: where pages lie and with which rights, in both sets of page tables; what is measured. */
#include <elf.h>
#include <stdio.h>

#include "support.h"

#include "image/image.h"
#include "shim/kvm/layout.h"

#define C (UINT64_C(1) << C_BIT)
#define NX (UINT64_C(1) << 63)

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_heap, SIZE_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

/* ---- a shim ---- */

struct shim {
    Elf64_Ehdr e;
    Elf64_Phdr p[3];
    uint8_t text[100], data[50], user[5000];
};

/* Kernel text and data, and data of the user half. */
static struct shim new_shim(void)
{
    struct shim s = {.e = {.e_ident = {0x7f, 'E', 'L', 'F'},
                           .e_phoff = sizeof(Elf64_Ehdr),
                           .e_phnum = 3,
                           .e_entry = KERNEL_VA + 16}};

    s.p[0] = (Elf64_Phdr){.p_flags = PF_R | PF_X,
                          .p_offset = offsetof(struct shim, text),
                          .p_vaddr = KERNEL_VA,
                          .p_paddr = SHIM_PA,
                          .p_filesz = sizeof s.text,
                          .p_memsz = sizeof s.text};
    s.p[1] = (Elf64_Phdr){.p_flags = PF_R | PF_W,
                          .p_offset = offsetof(struct shim, data),
                          .p_vaddr = KERNEL_VA + PAGE_SIZE,
                          .p_paddr = SHIM_PA + PAGE_SIZE,
                          .p_filesz = sizeof s.data,
                          .p_memsz = UINT64_C(2) * PAGE_SIZE};
    s.p[2] = (Elf64_Phdr){.p_flags = PF_R | PF_W,
                          .p_offset = offsetof(struct shim, user),
                          .p_vaddr = USER_VA,
                          .p_paddr = SHIM_PA + UINT64_C(3) * PAGE_SIZE,
                          .p_filesz = sizeof s.user,
                          .p_memsz = sizeof s.user};
    memset(s.text, 1, sizeof s.text);
    memset(s.data, 2, sizeof s.data);
    memset(s.user, 3, sizeof s.user);
    return s;
}

static struct bytes bytes_of_shim(const struct shim *s)
{
    return bytes_from(s, sizeof *s);
}

static uint8_t keep_bytes[3 * PAGE_SIZE + 7];

static struct image compose(const struct shim *s, size_t keep_size)
{
    struct image image;
    struct err err;

    assert_true(
        image_compose(bytes_of_shim(s), bytes_from(keep_bytes, keep_size), &arena, &image, &err));
    return image;
}

static const uint8_t *page_at(const struct image *image, uint64_t gpa)
{
    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *r = &image->ranges[i];
        if (gpa >= r->gpa && gpa < r->gpa + r->bytes.size)
            return r->bytes.data + (gpa - r->gpa);
    }
    return NULL;
}

/* ---- the layout ---- */

static void ranges_are_pages(void **state)
{
    struct shim s = new_shim();
    struct image image = compose(&s, sizeof keep_bytes);

    (void)state;
    assert_int_equal(image.entry, KERNEL_VA + 16);
    assert_int_equal(image.keep_size, sizeof keep_bytes);
    for (size_t i = 0; i < image.count; i++) {
        assert_true(image.ranges[i].gpa % PAGE_SIZE == 0);
        assert_true(image.ranges[i].bytes.size % PAGE_SIZE == 0 && image.ranges[i].bytes.size != 0);
        for (size_t k = 0; k < i; k++)
            assert_true(image.ranges[k].gpa + image.ranges[k].bytes.size <= image.ranges[i].gpa ||
                        image.ranges[i].gpa + image.ranges[i].bytes.size <= image.ranges[k].gpa);
    }
    assert_int_equal(page_at(&image, SHIM_PA)[99], 1);
    assert_int_equal(page_at(&image, SHIM_PA)[100], 0);
    assert_int_equal(page_at(&image, SHIM_PA + UINT64_C(2) * PAGE_SIZE)[0], 0);
    assert_int_equal(page_at(&image, SHIM_PA + UINT64_C(3) * PAGE_SIZE)[4999], 3);
    assert_null(page_at(&image, BLOCK_PA));
    assert_null(page_at(&image, POOL_PA));
    /* a file of whole pages has no last one of its own */
    assert_int_equal(compose(&s, (size_t)2 * PAGE_SIZE).count, image.count - 1);
}

/* Walks the tables; the last entry, 0 when there is none. *c: whether all above it have the C-bit.
 */
static uint64_t walk(const struct image *image, uint64_t root, uint64_t va, bool *c)
{
    uint64_t table = root, entry = 0;

    *c = true;
    for (int shift = 39; shift >= 12; shift -= 9) {
        const uint8_t *page = page_at(image, table);
        assert_non_null(page);
        memcpy(&entry, page + (va >> shift & 511) * 8, 8);
        if ((entry & 1) == 0)
            return 0;
        if (shift == 12 || (entry & 0x80) != 0)
            return entry;
        *c = *c && (entry & C) != 0;
        table = entry & UINT64_C(0x0007fffffffff000);
        assert_true(table >= root && table < root + (uint64_t)TABLES_SET * PAGE_SIZE);
    }
    return entry;
}

static void both_sets_of_tables(void **state)
{
    static const struct {
        uint64_t va, pa, bits; /* writable, user, NX */
        bool is_shared;
    } places[] = {
        {KERNEL_VA, SHIM_PA, 0, false},
        {KERNEL_VA + PAGE_SIZE, SHIM_PA + PAGE_SIZE, 2 | NX, false},
        {USER_VA, SHIM_PA + UINT64_C(3) * PAGE_SIZE, 2 | 4 | NX, false},
        {ALIAS_VA + SHIM_PA + UINT64_C(3) * PAGE_SIZE, SHIM_PA + UINT64_C(3) * PAGE_SIZE, 2 | NX,
         false},
        {ALIAS_VA + TABLES_PA, TABLES_PA, 2 | NX, false},
        {ALIAS_VA + BLOCK_PA, BLOCK_PA, 2 | NX, true},
        {BLOCK_VA, BLOCK_PA, 2 | 4 | NX, true},
        {SECRETS_VA, SECRETS_PA, 2 | 4 | NX, false},
        {CPUID_VA, CPUID_PA, 4 | NX, false},
        {IMAGE_VA, IMAGE_PA, 4 | NX, false},
        {IMAGE_VA + IMAGE_SIZE_MAX - FRAME_SIZE, IMAGE_PA + IMAGE_SIZE_MAX - FRAME_SIZE, 4 | NX,
         false},
    };
    struct shim s = new_shim();
    struct image image = compose(&s, sizeof keep_bytes);
    bool c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        uint64_t plain = walk(&image, TABLES_PA, places[i].va, &c);
        assert_int_equal(plain & UINT64_C(0x000ffffffffff000), places[i].pa);
        assert_int_equal(plain & (2 | 4 | NX), places[i].bits);
        assert_false(c);
        uint64_t snp = walk(&image, TABLES_SNP_PA, places[i].va, &c);
        assert_int_equal(snp, plain | (places[i].is_shared ? 0 : C));
        assert_true(c);
    }
    assert_int_equal(walk(&image, TABLES_PA, POOL_PA, &c), 0);
    assert_int_equal(walk(&image, TABLES_SNP_PA, SCRATCH_VA, &c), 0);
}

/* ---- bad files ---- */

static void refuse(const struct shim *s, size_t size)
{
    struct bytes copy = exact_copy(bytes_from(s, size));
    struct image image;
    struct err err;

    assert_false(image_compose(copy, bytes_from(keep_bytes, 100), &arena, &image, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    exact_free(copy);
}

static void bad_shims(void **state)
{
    struct shim good = new_shim(), s;

    (void)state;
    for (size_t size = 0; size < offsetof(struct shim, text); size += 7)
        refuse(&good, size);
    refuse(&good,
           offsetof(struct shim, user) + sizeof good.user - 1); /* its last segment is not whole */
#define BAD(change)           \
    do {                      \
        s = good;             \
        change;               \
        refuse(&s, sizeof s); \
    } while (0)
    BAD(s.e.e_ident[0] = 0);
    BAD(s.e.e_phnum = 0);
    BAD(s.e.e_phnum = 17);
    BAD(s.e.e_phoff = 63);
    BAD(s.p[0].p_offset = UINT64_MAX);
    BAD(s.p[0].p_filesz = UINT64_MAX);
    BAD(s.p[0].p_memsz = 10);
    BAD(s.p[1].p_memsz = UINT64_MAX);
    BAD(s.p[1].p_memsz = SECRETS_PA - SHIM_PA);
    BAD(s.p[1].p_paddr = SHIM_PA); /* a page twice */
    BAD(s.p[0].p_paddr = SHIM_PA - PAGE_SIZE);
    BAD(s.p[2].p_paddr = SECRETS_PA - PAGE_SIZE);
    BAD(s.p[2].p_paddr = UINT64_MAX - PAGE_SIZE + 1);
    BAD(s.p[2].p_paddr += 8);
    BAD(s.p[2].p_vaddr += 8);
    BAD(s.p[2].p_filesz = s.p[2].p_memsz = 0);
}

/* Segments that want more page tables than there are, or what is mapped already. */
static void shims_of_a_stranger(void **state)
{
    static const uint64_t taken[] = {BLOCK_VA, IMAGE_VA + FRAME_SIZE, ALIAS_VA + TABLES_PA,
                                     SECRETS_VA, CPUID_VA};
    struct {
        Elf64_Ehdr e;
        Elf64_Phdr p[16];
        uint8_t byte;
    } s;
    struct image image;
    struct err err;

    (void)state;
    for (size_t round = 0; round < 2 + COUNT_OF(taken); round++) {
        memset(&s, 0, sizeof s);
        s.e = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F'},
                           .e_phoff = sizeof(Elf64_Ehdr),
                           .e_phnum = 16,
                           .e_entry = KERNEL_VA};
        for (uint64_t i = 0; i < 16; i++)
            s.p[i] = (Elf64_Phdr){.p_flags = PF_R,
                                  .p_offset = sizeof s - 8,
                                  /* each in a table of its own; then back into what those took */
                                  .p_vaddr = (round == 0 ? 20 + i : 25 - i) << 39 | i << 12,
                                  .p_paddr = SHIM_PA + i * PAGE_SIZE,
                                  .p_filesz = 1,
                                  .p_memsz = 1};
        if (round >= 2) {
            s.e.e_phnum = 1;
            s.p[0].p_vaddr = taken[round - 2];
        }
        assert_false(image_compose(bytes_from(&s, sizeof s), bytes_from(keep_bytes, 100), &arena,
                                   &image, &err));
        assert_int_equal(err.code, ERR_FORMAT);
    }
}

static void an_exec_layer_that_is_too_large(void **state)
{
    struct shim s = new_shim();
    struct bytes large = {.data = keep_bytes, .size = IMAGE_SIZE_MAX + 1};
    struct image image;
    struct err err;

    (void)state;
    assert_false(image_compose(bytes_of_shim(&s), large, &arena, &image, &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

/* ---- what is measured ---- */

static void measure(const struct shim *s, uint8_t out[SNP_DIGEST_SIZE])
{
    struct image image = compose(s, sizeof keep_bytes);
    struct err err;

    assert_true(image_measure(&image, &image_variants[0], out, &err));
}

static void every_part_is_measured(void **state)
{
    struct shim s = new_shim();
    uint8_t first[SNP_DIGEST_SIZE], other[SNP_DIGEST_SIZE];

    (void)state;
    measure(&s, first);
    measure(&s, other);
    assert_memory_equal(first, other, sizeof first);
    uint8_t *const places[] = {&s.text[0],
                               &s.text[99],
                               &s.data[49],
                               &s.user[4999],
                               keep_bytes,
                               &keep_bytes[PAGE_SIZE],
                               &keep_bytes[sizeof keep_bytes - 1]};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        *places[i] ^= 1;
        measure(&s, other);
        assert_memory_not_equal(first, other, sizeof first);
        *places[i] ^= 1;
    }
    s.e.e_entry++; /* of the first processor */
    measure(&s, other);
    assert_memory_not_equal(first, other, sizeof first);
    s.e.e_entry--;
    s.p[1].p_flags = PF_R; /* of the tables */
    measure(&s, other);
    assert_memory_not_equal(first, other, sizeof first);
}

static void the_first_processor(void **state)
{
    struct shim s = new_shim();
    struct image image = compose(&s, 1);
    struct snp_long_mode start;
    uint8_t vmsa[SNP_PAGE_SIZE];
    uint64_t value;

    (void)state;
    image_start(&image, &image_variants[0], &start);
    snp_vmsa_write_long_mode(&start, vmsa);
    /* offsets and values of AMD APM volume 2, table B-4, by hand */
    static const struct {
        size_t at;
        uint64_t value;
    } fields[] = {
        {0x00, 0xffffffff0c930010},  /* ES: selector, attributes, limit */
        {0x10, 0xffffffff0a9b0008},  /* CS */
        {0x20, 0xffffffff0c930010},  /* SS */
        {0x60, 0x0000ffff00000000},  /* GDTR */
        {0x90, 0x0000ffff008b0000},  /* TR */
        {0xc8, 0},                   /* CPL among them */
        {0xd0, 0x1d01},              /* EFER: SVME, NXE, LMA, LME, SCE */
        {0x148, 0x350e60},           /* CR4: SMAP, SMEP, OSXSAVE, FSGSBASE, UMIP, …, MCE, PAE */
        {0x150, 0x0008000000420000}, /* CR3: the second set, private */
        {0x158, 0x80010033},         /* CR0 */
        {0x160, 0x400},
        {0x168, 0xffff0ff0},
        {0x170, 2},
        {0x178, KERNEL_VA + 16},
        {0x1d8, 0}, /* RSP */
        {0x1f8, 0}, /* RAX */
        {0x268, 0x0007040600070406},
        {0x310, 0},        /* RDX */
        {0x330, 0x504e53}, /* RSI: "SNP" */
        {0x3b0, 1},
        {0x3e8, 7},
    };
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        memcpy(&value, vmsa + fields[i].at, 8);
        if (value != fields[i].value)
            fail_msg("at 0x%zx: %llx", fields[i].at, (unsigned long long)value);
    }
    image_start(&image, &image_variants[1], &start);
    assert_int_equal(start.sev_features, 0x21);
}

/* ---- files ---- */

static void image_files(void **state)
{
    uint8_t memory[8192], id[SNP_ID_BLOCK_SIZE] = {1}, auth[SNP_ID_AUTH_SIZE] = {2};
    struct image_file file = {.shim = bytes_of("a shim"), .keep = bytes_of("a keep")}, back = file;
    struct writer w = writer_fixed(memory, sizeof memory);
    struct bytes whole;
    struct err err;

    (void)state;
    image_file_write(&w, &file);
    assert_true(writer_done(&w, &whole, &err) && image_file_parse(whole, &back, &err));
    assert_true(bytes_is(back.shim, "a shim") && bytes_is(back.keep, "a keep"));
    assert_true(back.id_block.size == 0 && back.id_auth.size == 0);
    file.id_block = bytes_from(id, sizeof id);
    file.id_auth = bytes_from(auth, sizeof auth);
    w = writer_fixed(memory, sizeof memory);
    image_file_write(&w, &file);
    assert_true(writer_done(&w, &whole, &err) && image_file_parse(whole, &back, &err));
    assert_true(bytes_equal(back.id_block, file.id_block) &&
                bytes_equal(back.id_auth, file.id_auth));
    size_t accepted = 0;
    for (size_t size = 0; size < whole.size; size++) {
        struct bytes copy = exact_copy(bytes_before(whole, size));
        bool ok = image_file_parse(copy, &back, &err);
        assert_true(ok || err.code == ERR_FORMAT);
        accepted += ok;
        exact_free(copy);
    }
    assert_int_equal(accepted, 1); /* without a signature */
}

static void bad_image_files(void **state)
{
    uint8_t id[SNP_ID_BLOCK_SIZE] = {0}, memory[8192];
    struct image_file file = {.shim = bytes_of("s"), .keep = bytes_of("k")}, back;
    static const char *const bad[] = {
        "",
        "BROCHIM2",
        "BROCHIM1",
        "BROCHIM1\1\0\0\0\1\0\0\0s",
        "BROCHIM1\1\0\0\0\1\0\0\0s\1\0\0\0\1\0\0\0s\2\0\0\0\1\0\0\0k",
        "BROCHIM1\1\0\0\0\1\0\0\0s\2\0\0\0\1\0\0\0k\7\0\0\0\1\0\0\0x",
        /* a part of SIGSTRUCT */
        "BROCHIM1\1\0\0\0\1\0\0\0s\2\0\0\0\1\0\0\0k\5\0\0\0\1\0\0\0e\6\0\0\0\1\0\0\0x",
        "BROCHIM1\1\0\0\0\1\0\0\0s\2\0\0\0\0\0\0\0",
    };
    static const size_t sizes[] = {0, 8, 8, 17, 35, 35, 44, 25};
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_false(image_file_parse(bytes_from(bad[i], sizes[i]), &back, &err));
        assert_int_equal(err.code, ERR_FORMAT);
    }
    file.id_block = bytes_from(id, sizeof id); /* half a signature */
    struct writer w = writer_fixed(memory, sizeof memory);
    struct bytes whole;
    image_file_write(&w, &file);
    assert_true(writer_done(&w, &whole, &err));
    assert_false(image_file_parse(whole, &back, &err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ranges_are_pages),
        TEST(both_sets_of_tables),
        TEST(bad_shims),
        TEST(shims_of_a_stranger),
        TEST(an_exec_layer_that_is_too_large),
        TEST(every_part_is_measured),
        TEST(the_first_processor),
        TEST(image_files),
        TEST(bad_image_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
