/* The launch on SEV-SNP against a double of the kernel at the ioctl boundary, which keeps the rules
 * of Documentation/virt/kvm/x86/amd-memory-encryption.rst and refuses what it refuses. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>

#include "support.h"

#include "host/snp_launch.h"
#include "host/snp_platform.h"
#include "os/os.h"
#include "shim/kvm/layout.h"

#define KVM_FD 3
#define SEV_FD 4
#define VM_FD 5
#define MEMFD 6
#define MEMORY_SIZE (POOL_PA + 2 * (uint64_t)FRAME_SIZE)

/* ---- the kernel ---- */

enum stage { NOTHING, CREATED, INITED, STARTED, FINISHED };

static struct {
    enum stage stage;
    bool has_hypercalls, has_memory, has_cert_exit, asks_for_certs;
    uint8_t *shared;
    struct snp_memory_attributes private[4];
    size_t private_count;
    struct snp_launch launch;
    size_t pages, cpuid_pages, secret_pages;
    struct snp_finish finish;
    /* how it behaves */
    size_t at_once;      /* pages that it takes in one call; 0: all */
    bool is_silent;      /* leaves the rest without EAGAIN */
    unsigned rejections; /* of CPUID pages */
    bool is_stuck;
    unsigned long failing; /* a request that fails with EIO */
    uint32_t failing_command;
} k;

static int refuse(int number)
{
    errno = number;
    return -1;
}

static bool is_private(uint64_t from, uint64_t size)
{
    for (size_t i = 0; i < k.private_count; i++) {
        if (from >= k.private[i].address && from + size <= k.private[i].address + k.private[i].size)
            return true;
    }
    return false;
}

/* "Returns: 0 on success, -EINVAL …, -EAGAIN when it should be called again with what it left". */
static int update(struct snp_command *c)
{
    struct snp_update *u = (struct snp_update *)(uintptr_t)c->data;
    struct err err;

    if (k.stage != STARTED || u->size == 0 || u->size % 4096 != 0 || u->address % 4096 != 0 ||
        u->flags != 0 || u->pad0 != 0 || u->pad1 != 0 || u->type < 1 || u->type == 2 || u->type > 6)
        return refuse(EINVAL);
    if (!is_private(u->gfn * 4096, u->size))
        return refuse(EINVAL); /* "the GPA range must be set to private beforehand" */
    if (k.is_stuck)
        return refuse(EAGAIN);
    if (u->type == SNP_PAGE_CPUID && k.rejections != 0) {
        k.rejections--;
        /* the firmware writes what it would accept */
        ((uint8_t *)(uintptr_t)u->address)[16 + 24] ^= 1;
        c->error = 0x16;
        return refuse(EIO);
    }
    for (size_t i = 0; u->size != 0; i++) {
        if (k.at_once != 0 && i == k.at_once)
            return k.is_silent ? 0 : refuse(EAGAIN);
        k.pages++;
        k.cpuid_pages += u->type == SNP_PAGE_CPUID;
        k.secret_pages += u->type == SNP_PAGE_SECRETS;
        assert_true(snp_launch_page(&k.launch, (enum snp_page_type)u->type, u->gfn * 4096,
                                    (const uint8_t *)(uintptr_t)u->address, &err));
        u->gfn++;
        u->address += 4096;
        u->size -= 4096;
    }
    return 0;
}

static int start(const struct snp_start *s)
{
    if (k.stage != INITED || (s->policy & 0x20000) == 0 || s->flags != 0)
        return refuse(EINVAL);
    k.stage = STARTED;
    return 0;
}

static int firmware(struct snp_command *c)
{
    const struct snp_init *init = (const struct snp_init *)(uintptr_t)c->data;

    assert_int_equal(c->sev_fd, SEV_FD);
    if (c->id == k.failing_command) {
        c->error = 7;
        return refuse(EIO);
    }
    switch (c->id) {
    case SNP_INIT2:
        if (k.stage != CREATED || init->ghcb_version != 2 || init->flags != 0 ||
            init->vmsa_features != 0)
            return refuse(EINVAL);
        k.stage = INITED;
        return 0;
    case SNP_ENABLE_REQ_CERTS:
        k.asks_for_certs = k.has_cert_exit;
        return k.has_cert_exit ? 0 : refuse(EINVAL);
    case SNP_LAUNCH_START:
        return start((const struct snp_start *)(uintptr_t)c->data);
    case SNP_LAUNCH_UPDATE:
        return update(c);
    case SNP_LAUNCH_FINISH:
        if (k.stage != STARTED)
            return refuse(EINVAL);
        memcpy(&k.finish, (const void *)(uintptr_t)c->data, sizeof k.finish);
        k.stage = FINISHED;
        return 0;
    default:
        return refuse(EINVAL);
    }
}

static int set_region(const struct snp_memory_region *r)
{
    if (k.stage < INITED || r->flags != SNP_MEMORY_GUEST_MEMFD || r->memfd != MEMFD ||
        r->userspace_address == 0 || r->userspace_address % 4096 != 0 || r->size % 4096 != 0)
        return refuse(EINVAL);
    k.has_memory = true;
    return 0;
}

static int set_attributes(const struct snp_memory_attributes *a)
{
    if (!k.has_memory || a->flags != 0 || a->attributes != 8 || a->size == 0 ||
        (a->address | a->size) % 4096 != 0)
        return refuse(EINVAL);
    k.private[k.private_count++] = *a;
    return 0;
}

static int double_ioctl(void *context, int fd, unsigned long request, void *argument)
{
    const struct kvm_enable_cap *cap = argument;

    (void)context;
    if (request == k.failing)
        return refuse(EIO);
    if (request == KVM_CREATE_VM) {
        assert_int_equal(fd, KVM_FD);
        if (k.stage != NOTHING || (uintptr_t)argument != 4)
            return refuse(EINVAL);
        k.stage = CREATED;
        return VM_FD;
    }
    assert_int_equal(fd, VM_FD);
    switch (request) {
    case KVM_ENABLE_CAP:
        k.has_hypercalls = cap->cap == 201 && cap->args[0] == 1 << 12 && cap->flags == 0;
        return k.has_hypercalls ? 0 : refuse(EINVAL);
    case SNP_MEMORY_ENCRYPT_OP:
        return firmware(argument);
    case SNP_CREATE_GUEST_MEMFD:
        return ((struct snp_guest_memfd *)argument)->flags == 0 ? MEMFD : refuse(EINVAL);
    case SNP_SET_MEMORY_REGION:
        return set_region(argument);
    case SNP_SET_MEMORY_ATTRIBUTES:
        return set_attributes(argument);
    default:
        return refuse(ENOTTY);
    }
}

static const struct snp_kernel kernel = {.ioctl = double_ioctl};

/* ---- what is launched ---- */

static struct arena arena;
static struct image image;
static uint8_t *memory;
static struct kvm_cpuid2 *cpuid;

static int set_up(void **state)
{
    struct bytes shim, keep;
    struct err err;

    (void)state;
    memset(&k, 0, sizeof k);
    arena_init(&arena, arena_heap, SIZE_MAX);
    assert_true(os_read_file(SHIM_FILE, IMAGE_SHIM_MAX, &arena, &shim, &err));
    keep = bytes_before(shim, 10000);
    assert_true(image_compose(shim, keep, &arena, &image, &err));
    memory = aligned_alloc(4096, MEMORY_SIZE);
    assert_non_null(memory);
    memset(memory, 0, IMAGE_PA + 4 * PAGE_SIZE);
    for (size_t i = 0; i < image.count; i++)
        memcpy(memory + image.ranges[i].gpa, image.ranges[i].bytes.data,
               image.ranges[i].bytes.size);
    cpuid = calloc(1, sizeof *cpuid + 100 * sizeof cpuid->entries[0]);
    assert_non_null(cpuid);
    cpuid->nent = 2;
    cpuid->entries[0] = (struct kvm_cpuid_entry2){.function = 1, .eax = 0xa10f11, .ecx = 5};
    cpuid->entries[1] = (struct kvm_cpuid_entry2){
        .function = 0xd, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .ebx = 0x988};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(cpuid);
    free(memory);
    arena_done(&arena);
    return 0;
}

static void again(void **state)
{
    (void)tear_down(state);
    (void)set_up(state);
}

static bool begin(struct snp_machine *m, struct err *err)
{
    return snp_machine_new(&kernel, KVM_FD, SEV_FD, m, err) &&
           snp_machine_memory(m, memory, MEMORY_SIZE, BLOCK_PA, BLOCK_SIZE, err);
}

static bool launch(struct err *err)
{
    struct snp_machine m;

    return begin(&m, err) && snp_launch(&m, &image, memory, cpuid, err) &&
           snp_launch_finish(&m, bytes_of(""), bytes_of(""), err);
}

/* With the processor that KVM would add, what was launched is what `image measure` says. */
static void assert_measured(void)
{
    uint8_t vmsa[SNP_PAGE_SIZE], expected[SNP_DIGEST_SIZE];
    struct snp_long_mode first;
    struct err err;

    image_start(&image, &image_variants[0], &first);
    snp_vmsa_write_long_mode(&first, vmsa);
    assert_true(snp_launch_page(&k.launch, SNP_PAGE_VMSA, SNP_VMSA_GPA, vmsa, &err));
    assert_true(image_measure(&image, &image_variants[0], expected, &err));
    assert_memory_equal(k.launch.digest, expected, sizeof expected);
}

/* ---- tests ---- */

static void a_launch(void **state)
{
    struct err err;

    (void)state;
    assert_true(launch(&err));
    assert_int_equal(k.stage, FINISHED);
    assert_int_equal(k.cpuid_pages, 1);
    assert_int_equal(k.secret_pages, 1);
    assert_true(k.finish.has_id_block == 0 && k.finish.has_author_key == 0);
    assert_true(is_private(0, BLOCK_PA) && !is_private(BLOCK_PA, PAGE_SIZE));
    assert_true(is_private(BLOCK_PA + BLOCK_SIZE, MEMORY_SIZE - BLOCK_PA - BLOCK_SIZE));
    assert_measured();
}

static void launches_in_parts(void **state)
{
    static const size_t at_once[] = {1, 2, 7, 63, 64};
    struct err err;

    for (size_t i = 0; i < 2 * COUNT_OF(at_once); i++) {
        again(state);
        k.at_once = at_once[i / 2];
        k.is_silent = i % 2 != 0;
        assert_true(launch(&err));
        assert_measured();
    }
}

static void a_kernel_that_never_goes_on(void **state)
{
    struct err err;

    (void)state;
    k.is_stuck = true;
    assert_false(launch(&err));
    assert_true(err.code == ERR_IO && err.at == EAGAIN);
}

static void a_cpuid_page_that_is_corrected(void **state)
{
    struct err err;

    k.rejections = 1;
    assert_true(launch(&err));
    assert_measured();
    again(state);
    k.rejections = 2; /* not even its own */
    assert_false(launch(&err));
    assert_true(err.code == ERR_IO && err.at == EIO);
}

static void each_refusal_is_told(void **state)
{
    static const unsigned long requests[] = {KVM_CREATE_VM, KVM_ENABLE_CAP, SNP_CREATE_GUEST_MEMFD,
                                             SNP_SET_MEMORY_REGION, SNP_SET_MEMORY_ATTRIBUTES};
    static const uint32_t commands[] = {SNP_INIT2, SNP_LAUNCH_START, SNP_LAUNCH_UPDATE,
                                        SNP_LAUNCH_FINISH};
    struct err err;

    for (size_t i = 0; i < COUNT_OF(requests) + COUNT_OF(commands); i++) {
        again(state);
        if (i < COUNT_OF(requests))
            k.failing = requests[i];
        else
            k.failing_command = commands[i - COUNT_OF(requests)];
        assert_false(launch(&err));
        assert_true(err.code == ERR_IO && err.at == EIO && err.msg[0] != '\0');
    }
    k.stage = CREATED; /* KVM says EINVAL to a type that it does not have */
    assert_false(launch(&err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
}

static void certificates_where_the_kernel_asks(void **state)
{
    struct snp_machine m;
    struct err err;

    assert_true(begin(&m, &err));
    assert_false(k.asks_for_certs);
    again(state);
    k.has_cert_exit = true;
    assert_true(begin(&m, &err));
    assert_true(k.asks_for_certs);
}

static void signed_images(void **state)
{
    uint8_t block[SNP_ID_BLOCK_SIZE] = {1}, auth[SNP_ID_AUTH_SIZE] = {1};
    struct snp_machine m;
    struct err err;

    for (uint8_t author = 0; author < 2; author++) {
        again(state);
        auth[4] = author;
        assert_true(begin(&m, &err) && snp_launch(&m, &image, memory, cpuid, &err));
        assert_true(snp_launch_finish(&m, bytes_from(block, sizeof block),
                                      bytes_from(auth, sizeof auth), &err));
        assert_true(k.finish.has_id_block == 1 && k.finish.has_author_key == author);
        assert_true(k.finish.id_block == (uintptr_t)block && k.finish.id_auth == (uintptr_t)auth);
    }
}

/* The double itself: what is not private is not taken, nor anything out of order. */
static void the_double_keeps_the_rules(void **state)
{
    struct snp_machine m;
    struct err err;

    assert_true(snp_machine_new(&kernel, KVM_FD, SEV_FD, &m, &err));
    assert_false(snp_launch(&m, &image, memory, cpuid, &err)); /* no memory */
    assert_int_equal(err.at, EINVAL);
    again(state);
    assert_true(snp_machine_new(&kernel, KVM_FD, SEV_FD, &m, &err) &&
                snp_machine_memory(&m, memory, MEMORY_SIZE, SHIM_PA, BLOCK_SIZE, &err));
    assert_false(snp_launch(&m, &image, memory, cpuid, &err)); /* the shim's is shared */
    assert_int_equal(err.at, EINVAL);
    again(state);
    assert_true(begin(&m, &err));
    assert_false(snp_launch_finish(&m, bytes_of(""), bytes_of(""), &err)); /* not begun */
}

static uint32_t u32_at(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static void cpuid_pages(void **state)
{
    uint8_t page[SNP_PAGE_SIZE];
    struct err err;

    (void)state;
    assert_true(snp_cpuid_page(cpuid, page, &err));
    assert_int_equal(u32_at(page), 2);
    assert_int_equal(u32_at(page + 16), 1);             /* EAX */
    assert_int_equal(u32_at(page + 16 + 24), 0xa10f11); /* what it gives */
    assert_int_equal(u32_at(page + 64), 0xd);
    assert_int_equal(u32_at(page + 64 + 4), 1);
    assert_int_equal(u32_at(page + 64 + 8), 1); /* XCR0 */
    assert_int_equal(u32_at(page + 64 + 28), 0x240);
    /* what is all zero is left out, as it is for leaves that are not there */
    cpuid->nent = 99;
    assert_true(snp_cpuid_page(cpuid, page, &err));
    assert_int_equal(u32_at(page), 2);
    for (unsigned i = 2; i < 64; i++)
        cpuid->entries[i + 30] = (struct kvm_cpuid_entry2){.function = 0x80000000 + i, .edx = 1};
    assert_true(snp_cpuid_page(cpuid, page, &err));
    assert_int_equal(u32_at(page), 64);
    assert_int_equal(u32_at(page + 16 + (size_t)63 * 48), 0x8000003f);
    cpuid->entries[98].ebx = 1;
    assert_false(snp_cpuid_page(cpuid, page, &err));
    assert_int_equal(err.code, ERR_LIMIT);
}

static void page_states(void **state)
{
    static const struct {
        uint64_t args[3], answer;
    } rows[] = {
        {{POOL_PA, 512, 1 << 4}, 0},
        {{0, BLOCK_PA / 4096, 1 << 4}, 0},
        {{MEMORY_SIZE - 4096, 1, 1 << 4}, 0},
        {{POOL_PA, 512, 0}, EINVAL},     /* to be shared */
        {{BLOCK_PA, 1, 1 << 4}, EINVAL}, /* what is shared */
        {{BLOCK_PA - 4096, 2, 1 << 4}, EINVAL},
        {{BLOCK_PA + BLOCK_SIZE - 4096, 2, 1 << 4}, EINVAL},
        {{POOL_PA + 1, 1, 1 << 4}, EINVAL},
        {{MEMORY_SIZE, 1, 1 << 4}, EINVAL},
        {{MEMORY_SIZE - 4096, 2, 1 << 4}, EINVAL},
        {{4096, UINT64_MAX, 1 << 4}, EINVAL},
        {{UINT64_MAX - 4095, 1, 1 << 4}, EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const uint64_t args[6] = {rows[i].args[0], rows[i].args[1], rows[i].args[2]};
        assert_int_equal(snp_page_state(args, MEMORY_SIZE, BLOCK_PA, BLOCK_SIZE), rows[i].answer);
    }
}

static void ends(void **state)
{
    (void)state;
    assert_string_equal(snp_termination(0x100 | 4 << 12 | 1 << 16),
                        "this processor has its C-bit elsewhere than the image");
    assert_string_equal(snp_termination(0x100 | 4 << 12 | 200 << 16), "it ended itself");
    assert_string_equal(snp_termination(0x100 | 1 << 12 | 1 << 16), "it ended itself");
    assert_string_equal(snp_termination(0x100 | 4 << 12), "it ended itself");
}

/* ---- /dev/sev ---- */

static int platform_ioctl(void *context, int fd, unsigned long request, void *argument)
{
    const struct snp_platform_command *c = argument;

    assert_true(fd == SEV_FD && request == SNP_ISSUE_COMMAND);
    if (c->id == *(const uint32_t *)context)
        return refuse(EIO);
    if (c->id == SNP_PLATFORM_STATUS) {
        uint8_t *status = (uint8_t *)(uintptr_t)c->data;
        memset(status, 0, 32);
        status[16] = 9; /* the current TCB, which is not the one */
        status[24] = 10;
        status[31] = 88;
        return 0;
    }
    const struct snp_id *id = (const struct snp_id *)(uintptr_t)c->data;
    assert_true(c->id == SNP_GET_ID2 && id->size == 64);
    memset((void *)(uintptr_t)id->address, 0xc4, 64);
    return 0;
}

static void a_platform(void **state)
{
    uint32_t failing = 0;
    const struct snp_kernel linux_double = {.ioctl = platform_ioctl, .context = &failing};
    struct snp_platform p;
    struct err err;

    (void)state;
    assert_true(snp_platform_read(&linux_double, SEV_FD, 0x19, 0x11, &p, &err));
    assert_true(p.product == SNP_GENOA && p.tcb[0] == 10 && p.tcb[7] == 88);
    assert_true(p.chip_id[0] == 0xc4 && p.chip_id[63] == 0xc4);
    assert_false(snp_platform_read(&linux_double, SEV_FD, 6, 0x8f, &p, &err));
    assert_int_equal(err.code, ERR_UNSUPPORTED);
    for (failing = SNP_GET_ID2; failing <= SNP_PLATFORM_STATUS; failing++) {
        assert_false(snp_platform_read(&linux_double, SEV_FD, 0x19, 0x11, &p, &err));
        assert_true(err.code == ERR_IO && err.at == EIO);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_launch),
        TEST(launches_in_parts),
        TEST(a_kernel_that_never_goes_on),
        TEST(a_cpuid_page_that_is_corrected),
        TEST(each_refusal_is_told),
        TEST(certificates_where_the_kernel_asks),
        TEST(signed_images),
        TEST(the_double_keeps_the_rules),
        TEST(cpuid_pages),
        TEST(page_states),
        TEST(ends),
        TEST(a_platform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
