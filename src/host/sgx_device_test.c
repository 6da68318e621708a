/* The driver's user against a double of the kernel, which keeps the rules of Linux's
 * Documentation/arch/x86/sgx.rst and of the comments in arch/x86/kernel/cpu/sgx/ioctl.c and encl.c,
 * and refuses what these refuse; and the way into an enclave against a function that keeps nothing
 * of what a function should keep. */
#include "support.h"

#include <asm/sgx.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "host/sgx_device.h"

#define DEVICE "/dev/sgx_enclave"
#define FD 7
#define PAGE ((uint64_t)SGX_PAGE_SIZE)
#define SIZE (UINT64_C(1) << 21)
#define PAGES (SIZE / PAGE)
#define RESERVED_AT UINT64_C(0x7f0000123000) /* not where an enclave may be */
#define BASE UINT64_C(0x7f0000200000)
#define RW (SGX_SECINFO_R | SGX_SECINFO_W)
#define RX (SGX_SECINFO_R | SGX_SECINFO_X)
#define TRIM 4u

/* ---- the kernel ---- */

struct mapping {
    uint64_t at, end;
    int rights;
};

static struct {
    bool is_open, is_created, is_initialized;
    struct {
        bool is_there, is_accepted;
        uint8_t type;
        int most; /* rights of a mapping */
    } pages[PAGES];
    struct sgx_measure *measure;
    uint8_t measurement[SGX_MEASUREMENT_SIZE];
    uint64_t measured;                  /* pages */
    uint8_t has[2 * PAGES];             /* addresses from RESERVED_AT on: whether ours */
    struct mapping mappings[2 * PAGES]; /* of the enclave, in their order */
    size_t mapping_count;
    unsigned long requests[64]; /* in their order */
    size_t request_count;
    uint64_t rights; /* that were last asked to stay */
    /* how it behaves */
    size_t at_once;         /* pages in one call; 0: all */
    int part;               /* the errno that comes with a part */
    unsigned interruptions; /* before each call that does something */
    unsigned interrupted;
    int interruption;
    int growth;            /* errno of requests for running enclaves; 0: it has them */
    uint64_t busy;         /* removes that find a page busy */
    unsigned long failing; /* a request that fails, with */
    int failure;
    int result;       /* what it returns then; 0: -1 */
    uint64_t sgx;     /* and the result of the processor's */
    int open_failure; /* errno */
    int map_failure;
    bool is_lying;   /* counts more than there was */
    bool is_idle;    /* does nothing and says that all is well */
    bool has_no_way; /* into enclaves */
    uint64_t epc;    /* pages; 0: plenty */
} k;

static int refuse(int number)
{
    errno = number;
    return -1;
}

static int double_open(void *context, const char *path, int flags)
{
    (void)context;
    assert_string_equal(path, DEVICE);
    assert_int_equal(flags, O_RDWR | O_CLOEXEC);
    if (k.open_failure != 0)
        return refuse(k.open_failure);
    k.is_open = true;
    return FD;
}

static int double_close(void *context, int fd)
{
    (void)context;
    assert_true(fd == FD && k.is_open);
    k.is_open = false;
    return 0;
}

/* sgx_encl_may_map: no more rights than any page there has; pages to come have all. */
static bool may_map(uint64_t at, uint64_t end, int rights)
{
    for (uint64_t i = at / PAGE; i < end / PAGE; i++) {
        if (k.pages[i].is_there && (rights & ~k.pages[i].most) != 0)
            return false;
    }
    return true;
}

static void *map_enclave(uint64_t address, uint64_t size, int rights, int flags)
{
    void *failed = MAP_FAILED;

    if ((flags & MAP_TYPE) == MAP_PRIVATE) {
        errno = EINVAL;
        return failed;
    }
    if (k.map_failure != 0 && (rights & PROT_EXEC) != 0) {
        errno = k.map_failure;
        return failed;
    }
    if ((k.is_initialized && (address < BASE || address + size > BASE + SIZE)) ||
        !may_map(address - BASE, address - BASE + size, rights)) {
        errno = EACCES;
        return failed;
    }
    k.mappings[k.mapping_count++] =
        (struct mapping){.at = address - BASE, .end = address - BASE + size, .rights = rights};
    return (void *)(uintptr_t)address;
}

static void *double_mmap(void *context, void *address, size_t size, int rights, int flags, int fd)
{
    uint64_t at = (uintptr_t)address;

    (void)context;
    assert_true(size != 0 && size % PAGE == 0 && at % PAGE == 0);
    if (fd == -1) {
        assert_null(address);
        assert_true(rights == PROT_NONE && flags == (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE));
        if (k.map_failure != 0 || size != 2 * SIZE) {
            errno = ENOMEM;
            return MAP_FAILED;
        }
        memset(k.has, 1, sizeof k.has);
        return (void *)(uintptr_t)RESERVED_AT;
    }
    assert_true(fd == FD && k.is_open && (flags & MAP_FIXED) != 0);
    assert_true(at >= RESERVED_AT && at + size <= RESERVED_AT + 2 * SIZE);
    for (uint64_t i = 0; i < size / PAGE; i++)
        assert_true(k.has[(at - RESERVED_AT) / PAGE + i]); /* else what is others' would be gone */
    return map_enclave(at, size, rights, flags);
}

static int double_munmap(void *context, void *address, size_t size)
{
    uint64_t at = (uintptr_t)address;

    (void)context;
    assert_true(size != 0 && size % PAGE == 0 && at % PAGE == 0 && at >= RESERVED_AT &&
                at + size <= RESERVED_AT + 2 * SIZE);
    for (uint64_t i = 0; i < size / PAGE; i++) {
        assert_true(k.has[(at - RESERVED_AT) / PAGE + i]);
        k.has[(at - RESERVED_AT) / PAGE + i] = 0;
    }
    return 0;
}

static int create(const struct sgx_enclave_create *c)
{
    struct {
        uint64_t size, base;
        uint32_t frame_pages, misc;
        uint8_t reserved[24];
        uint64_t flags, xfrm;
        uint8_t rest[4032];
    } secs;
    struct err err;

    if (k.is_created)
        return refuse(EINVAL);
    memcpy(&secs, (const void *)(uintptr_t)c->src, sizeof secs);
    if ((secs.size & (secs.size - 1)) != 0)
        return refuse(EINVAL);
    /* ECREATE: faults where anything of it is not as it should be */
    if (secs.size != SIZE || secs.base != BASE || secs.frame_pages != 1 || secs.misc != 1 ||
        secs.flags != 4 || secs.xfrm != 3 ||
        !bytes_are_zero(bytes_from(secs.reserved, sizeof secs.reserved)) ||
        !bytes_are_zero(bytes_from(secs.rest, sizeof secs.rest)))
        return refuse(EIO);
    assert_true(sgx_measure_new(secs.frame_pages, secs.size, &k.measure, &err));
    k.is_created = true;
    return 0;
}

/* sgx_validate_offset_length */
static bool is_range(uint64_t offset, uint64_t length)
{
    return offset % PAGE == 0 && length != 0 && length % PAGE == 0 && offset + length >= offset &&
           offset + length <= SIZE;
}

/* sgx_validate_secinfo */
static bool is_secinfo(const uint64_t secinfo[8])
{
    uint64_t type = secinfo[0] & 0xff00, rights = secinfo[0] & 7;

    for (size_t i = 1; i < 8; i++) {
        if (secinfo[i] != 0)
            return false;
    }
    return (type == SGX_SECINFO_REG || type == SGX_SECINFO_TCS) && (rights & 3) != 2 &&
           (type != SGX_SECINFO_TCS || rights == 0) && (secinfo[0] & ~UINT64_C(0xff07)) == 0;
}

static int add_page(const struct sgx_enclave_add_pages *a, uint64_t at, uint64_t flags)
{
    uint64_t i = (a->offset + at) / PAGE;
    struct err err;

    if (k.epc != 0 && i >= k.epc)
        return ENOMEM;
    if (k.pages[i].is_there)
        return EBUSY;
    k.pages[i].is_there = true;
    k.pages[i].type = (uint8_t)(flags >> 8);
    k.pages[i].most = flags == SGX_SECINFO_TCS ? 3 : (int)(flags & 7);
    k.measured += (a->flags & SGX_PAGE_MEASURE) != 0;
    assert_true(sgx_measure_page(k.measure, a->offset + at, flags,
                                 (const uint8_t *)(uintptr_t)(a->src + at),
                                 (a->flags & SGX_PAGE_MEASURE) != 0, &err));
    return 0;
}

/* As much as one call does: 0 or an errno, and where it was left. */
static int in_parts(uint64_t length, __u64 *count, int (*one)(const void *argument, uint64_t at),
                    const void *argument)
{
    int number = 0;
    uint64_t at = 0;

    for (; at < length && number == 0; at += number == 0 ? PAGE : 0) {
        if (k.at_once != 0 && at == k.at_once * PAGE) {
            *count = at;
            return k.part;
        }
        number = one(argument, at);
    }
    *count = k.is_lying ? length + PAGE : at;
    return number;
}

static int add_one(const void *argument, uint64_t at)
{
    const struct sgx_enclave_add_pages *a = argument;

    return add_page(a, at, *(const uint64_t *)(uintptr_t)a->secinfo);
}

static int add(struct sgx_enclave_add_pages *a)
{
    if (!k.is_created || k.is_initialized || a->src % PAGE != 0 ||
        !is_range(a->offset, a->length) || !is_secinfo((const uint64_t *)(uintptr_t)a->secinfo) ||
        a->secinfo % 64 != 0 || (a->flags & ~UINT64_C(1)) != 0)
        return EINVAL;
    return in_parts(a->length, &a->count, add_one, a);
}

static int init(const struct sgx_enclave_init *i)
{
    struct err err;

    if (!k.is_created || k.is_initialized)
        return EINVAL;
    if (*(const uint8_t *)(uintptr_t)i->sigstruct != 6)
        return EPERM; /* as if it were of another enclave */
    assert_true(sgx_measure_finish(k.measure, k.measurement, &err));
    k.is_initialized = true;
    return 0;
}

static int restrict_one(const void *argument, uint64_t at)
{
    const struct sgx_enclave_restrict_permissions *r = argument;
    uint64_t i = (r->offset + at) / PAGE;

    if (!k.pages[i].is_there)
        return EFAULT;
    return k.pages[i].type == 2 ? 0 : EINVAL;
}

static int trim_one(const void *argument, uint64_t at)
{
    const struct sgx_enclave_modify_types *m = argument;
    uint64_t i = (m->offset + at) / PAGE;

    if (!k.pages[i].is_there)
        return EFAULT;
    if (k.pages[i].type != 1 && k.pages[i].type != 2)
        return EINVAL;
    k.pages[i].type = TRIM;
    return 0;
}

static int remove_one(const void *argument, uint64_t at)
{
    const struct sgx_enclave_remove_pages *r = argument;
    uint64_t i = (r->offset + at) / PAGE;

    if (!k.pages[i].is_there)
        return EFAULT;
    if (k.pages[i].type != TRIM || !k.pages[i].is_accepted)
        return EPERM;
    if (k.busy != 0) {
        k.busy--;
        return EBUSY;
    }
    k.pages[i].is_there = false;
    return 0;
}

static int grow(unsigned long request, void *argument)
{
    struct sgx_enclave_restrict_permissions *r = argument;
    struct sgx_enclave_modify_types *m = argument;
    struct sgx_enclave_remove_pages *p = argument;

    if (k.growth != 0)
        return k.growth;
    if (!k.is_initialized || !is_range(r->offset, r->length))
        return EINVAL;
    switch (request) {
    case SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS:
        if ((r->permissions & ~UINT64_C(7)) != 0 || (r->permissions & 3) == 2 || r->result != 0 ||
            r->count != 0)
            return EINVAL;
        k.rights = r->permissions;
        return in_parts(r->length, &r->count, restrict_one, r);
    case SGX_IOC_ENCLAVE_MODIFY_TYPES:
        if (m->page_type != TRIM || m->result != 0 || m->count != 0)
            return EINVAL;
        return in_parts(m->length, &m->count, trim_one, m);
    default:
        return p->count != 0 ? EINVAL : in_parts(p->length, &p->count, remove_one, p);
    }
}

static int request_of(unsigned long request, void *argument)
{
    switch (request) {
    case SGX_IOC_ENCLAVE_CREATE:
        return create(argument) == 0 ? 0 : errno;
    case SGX_IOC_ENCLAVE_ADD_PAGES:
        return add(argument);
    case SGX_IOC_ENCLAVE_INIT:
        return init(argument);
    case SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS:
    case SGX_IOC_ENCLAVE_MODIFY_TYPES:
    case SGX_IOC_ENCLAVE_REMOVE_PAGES:
        return grow(request, argument);
    default:
        return ENOTTY;
    }
}

static int double_ioctl(void *context, int fd, unsigned long request, void *argument)
{
    (void)context;
    assert_true(fd == FD && k.is_open);
    k.requests[k.request_count++ % COUNT_OF(k.requests)] = request;
    if (request == k.failing) {
        if (request == SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS)
            ((struct sgx_enclave_restrict_permissions *)argument)->result = k.sgx;
        errno = k.failure;
        return k.result != 0 ? k.result : -1;
    }
    if (k.is_idle)
        return 0;
    if (request != SGX_IOC_ENCLAVE_CREATE && k.interrupted < k.interruptions) {
        k.interrupted++;
        return refuse(k.interruption);
    }
    k.interrupted = 0;
    int number = request_of(request, argument);
    return number == 0 ? 0 : refuse(number);
}

/* ---- what is entered: it leaves every register as it likes ---- */

static struct {
    unsigned long rdi, others;
    unsigned leaf;
    struct sgx_enclave_run run; /* as it came */
    struct sgx_enclave_run left;
    int result;
} e;

__attribute__((used)) static int enter(unsigned long rdi, unsigned long rsi, unsigned long rdx,
                                       unsigned leaf, unsigned long r8, unsigned long r9,
                                       struct sgx_enclave_run *run)
{
    e.rdi = rdi;
    e.others = rsi | rdx | r8 | r9;
    e.leaf = leaf;
    e.run = *run;
    *run = e.left;
    return e.result;
}

sgx_enter_function enter_and_clobber;
__asm__(".text\n"
        "enter_and_clobber:\n\t"
        "pushq 8(%rsp)\n\t"
        "call enter\n\t"
        "addq $8, %rsp\n\t"
        "movq $-1, %rbx\n\t"
        "movq %rbx, %rbp\n\t"
        "movq %rbx, %r12\n\t"
        "movq %rbx, %r13\n\t"
        "movq %rbx, %r14\n\t"
        "movq %rbx, %r15\n\t"
        "movq %rbx, %rdi\n\t"
        "movq %rbx, %rsi\n\t"
        "movq %rbx, %rdx\n\t"
        "movq %rbx, %rcx\n\t"
        "fld1\n\t"
        "movl $0xff80, -8(%rsp)\n\t" /* other rounding, flushing */
        "ldmxcsr -8(%rsp)\n\t"
        "movw $0x0c7f, -8(%rsp)\n\t"
        "fldcw -8(%rsp)\n\t"
        "std\n\t"
        "ret");

struct registers {
    uint64_t saved[6];
    uint32_t mxcsr, result;
    uint16_t control, status;
    uint64_t flags;
};

/* Calls sgx_enter with 1 to 6 in the registers that are to be kept. */
void watch(sgx_enter_function *function, struct sgx_enclave_run *run, struct registers *out);
__asm__(".text\n"
        "watch:\n\t"
        "pushq %rbp\n\t"
        "pushq %rbx\n\t"
        "pushq %r12\n\t"
        "pushq %r13\n\t"
        "pushq %r14\n\t"
        "pushq %r15\n\t"
        "pushq %rdx\n\t"
        "movl $1, %ebx\n\t"
        "movl $2, %ebp\n\t"
        "movl $3, %r12d\n\t"
        "movl $4, %r13d\n\t"
        "movl $5, %r14d\n\t"
        "movl $6, %r15d\n\t"
        "fninit\n\t"
        "movw $0x27f, -8(%rsp)\n\t" /* of less precision than at a program's start */
        "fldcw -8(%rsp)\n\t"
        "movq %rsi, %rcx\n\t"
        "movl $77, %esi\n\t"
        "movl $3, %edx\n\t"
        "call sgx_enter\n\t"
        "popq %rdx\n\t"
        "pushfq\n\t"
        "popq 64(%rdx)\n\t"
        "cld\n\t"
        "movq %rbx, (%rdx)\n\t"
        "movq %rbp, 8(%rdx)\n\t"
        "movq %r12, 16(%rdx)\n\t"
        "movq %r13, 24(%rdx)\n\t"
        "movq %r14, 32(%rdx)\n\t"
        "movq %r15, 40(%rdx)\n\t"
        "stmxcsr 48(%rdx)\n\t"
        "movl %eax, 52(%rdx)\n\t"
        "fnstcw 56(%rdx)\n\t"
        "fnstsw 58(%rdx)\n\t"
        "fninit\n\t"
        "popq %r15\n\t"
        "popq %r14\n\t"
        "popq %r13\n\t"
        "popq %r12\n\t"
        "popq %rbx\n\t"
        "popq %rbp\n\t"
        "ret");

_Static_assert(offsetof(struct registers, mxcsr) == 48 &&
                   offsetof(struct registers, result) == 52 &&
                   offsetof(struct registers, control) == 56 &&
                   offsetof(struct registers, status) == 58 &&
                   offsetof(struct registers, flags) == 64,
               "as watch has it");

static sgx_enter_function *double_enter_function(void *context)
{
    (void)context;
    return k.has_no_way ? NULL : enter_and_clobber;
}

static const struct sgx_kernel kernel = {.open = double_open,
                                         .close = double_close,
                                         .ioctl = double_ioctl,
                                         .mmap = double_mmap,
                                         .munmap = double_munmap,
                                         .enter_function = double_enter_function};

/* ---- what is built ---- */

static const struct sgx_secs secs = {
    .size = SIZE, .ssa_frame_pages = 1, .misc_select = 1, .attribute_flags = 4, .xfrm = 3};

/* As an image has it: in no order of offsets, from pages that are aligned and that are not, longer
 * than a step, and zero. */
static const struct part {
    uint64_t page, count, flags;
    size_t from; /* in `content`; no page's multiple: it is copied; SIZE_MAX: zero */
    bool is_measured;
} layout[] = {
    {3, 40, SGX_SECINFO_REG | RW, 1, true},
    {0, 3, SGX_SECINFO_REG | RX, 0, true},
    {43, 1, SGX_SECINFO_REG | SGX_SECINFO_R, 4096, true},
    {44, 1, SGX_SECINFO_TCS, 100, true},
    {45, 3, SGX_SECINFO_REG | RW, SIZE_MAX, true},
    {64, 40, SGX_SECINFO_REG | RW, SIZE_MAX, false},
    {300, 20, SGX_SECINFO_REG | RX, 8192, true},
    {104, 1, SGX_SECINFO_REG | RW, 4096, false},
};
#define CONTENT_SIZE (48 * PAGE)

static uint8_t *content;
static struct sgx_processor p;
static uint8_t sigstruct[SGX_SIGSTRUCT_SIZE] = {6};

static int set_up(void **state)
{
    (void)state;
    memset(&k, 0, sizeof k);
    memset(&e, 0, sizeof e);
    k.interruption = EINTR;
    content = aligned_alloc(SGX_PAGE_SIZE, CONTENT_SIZE);
    assert_non_null(content);
    for (size_t i = 0; i < CONTENT_SIZE; i++)
        content[i] = (uint8_t)(i * 7 + i / 4096);
    memset(&p, 0, sizeof p);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sgx_device_free(&p);
    sgx_device_free(&p); /* not even twice */
    assert_false(k.is_open);
    assert_true(bytes_are_zero(bytes_from(k.has, sizeof k.has)));
    sgx_measure_free(k.measure);
    free(content);
    return 0;
}

static void again(void **state)
{
    (void)tear_down(state);
    (void)set_up(state);
}

static bool add_part(const struct part *part, struct err *err)
{
    struct bytes bytes = {0};

    if (part->from != SIZE_MAX)
        bytes = bytes_from(content + part->from, part->count * PAGE);
    return p.add(&p, part->page * PAGE, part->count * PAGE, bytes, part->flags, part->is_measured,
                 err);
}

static bool begin(struct err *err)
{
    return sgx_device_new(&kernel, DEVICE, &p, err) && p.create(&p, &secs, err);
}

static bool build(struct err *err)
{
    if (!begin(err))
        return false;
    for (size_t i = 0; i < COUNT_OF(layout); i++) {
        if (!add_part(&layout[i], err))
            return false;
    }
    return p.init(&p, sigstruct, err);
}

/* What the double measured is what the layout measures. */
static void assert_measured(void)
{
    uint8_t page[SGX_PAGE_SIZE], expected[SGX_MEASUREMENT_SIZE];
    uint64_t measured = 0;
    struct sgx_measure *m;
    struct err err;

    assert_true(sgx_measure_new(1, SIZE, &m, &err));
    for (size_t i = 0; i < COUNT_OF(layout); i++) {
        const struct part *part = &layout[i];
        for (uint64_t at = 0; at < part->count; at++) {
            memset(page, 0, sizeof page);
            if (part->from != SIZE_MAX)
                memcpy(page, content + part->from + at * PAGE, sizeof page);
            assert_true(sgx_measure_page(m, (part->page + at) * PAGE, part->flags, page,
                                         part->is_measured, &err));
            measured += part->is_measured;
        }
    }
    assert_true(sgx_measure_finish(m, expected, &err));
    sgx_measure_free(m);
    assert_memory_equal(k.measurement, expected, sizeof expected);
    assert_int_equal(k.measured, measured);
}

static void assert_mapped(const struct mapping *expected, size_t count)
{
    assert_int_equal(k.mapping_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(k.mappings[i].at / PAGE, expected[i].at);
        assert_int_equal(k.mappings[i].end / PAGE, expected[i].end);
        assert_int_equal(k.mappings[i].rights, expected[i].rights);
    }
}

/* ---- tests: building ---- */

static void an_enclave(void **state)
{
    static const struct mapping expected[] = {{0, 3, 5},   {3, 43, 3},   {43, 44, 1},
                                              {44, 48, 3}, {64, 105, 3}, {300, 320, 5}};
    /* a step is 16 pages; a request each: 3, 1, 1, 1, 1, 3, 1, 1 */
    struct err err;

    (void)state;
    k.growth = ENOTTY;
    assert_true(build(&err));
    assert_measured();
    assert_true(p.base == BASE && !p.can_grow);
    assert_mapped(expected, COUNT_OF(expected));
    assert_int_equal(k.request_count, 1 + 12 + 1 + 1);
    assert_int_equal(k.requests[0], SGX_IOC_ENCLAVE_CREATE);
    for (size_t i = 1; i <= 12; i++)
        assert_int_equal(k.requests[i], SGX_IOC_ENCLAVE_ADD_PAGES);
    assert_int_equal(k.requests[13], SGX_IOC_ENCLAVE_INIT);
    assert_int_equal(k.requests[14], SGX_IOC_ENCLAVE_REMOVE_PAGES); /* whether there is such */
    for (uint64_t i = 0; i < 2 * PAGES; i++) /* just the enclave's range is left of the others */
        assert_int_equal(k.has[i],
                         i * PAGE >= BASE - RESERVED_AT && i * PAGE < BASE - RESERVED_AT + SIZE);
}

static void one_that_can_grow(void **state)
{
    static const struct mapping expected[] = {{0, 3, 5},    {3, 43, 3},    {43, 44, 1},
                                              {44, 300, 3}, {300, 320, 5}, {320, PAGES, 3}};
    struct err err;

    (void)state;
    assert_true(build(&err));
    assert_measured();
    assert_true(p.can_grow);
    assert_mapped(expected, COUNT_OF(expected));
    again(state);
    k.growth = ENODEV; /* a processor without SGX2 */
    assert_true(build(&err));
    assert_false(p.can_grow);
}

static void in_parts_and_interrupted(void **state)
{
    static const size_t at_once[] = {1, 2, 7, 16, 19};
    static const int parts[] = {0, EINTR, EAGAIN};
    struct err err;

    for (size_t i = 0; i < COUNT_OF(at_once) * COUNT_OF(parts) * 3; i++) {
        again(state);
        k.at_once = at_once[i % COUNT_OF(at_once)];
        k.part = parts[i / COUNT_OF(at_once) % COUNT_OF(parts)];
        k.interruptions = (unsigned)(i / COUNT_OF(at_once) / COUNT_OF(parts));
        k.interruption = i % 2 == 0 ? EINTR : EAGAIN;
        k.growth = ENOTTY;
        assert_true(build(&err));
        assert_measured();
    }
}

static void a_kernel_that_lies_or_idles(void **state)
{
    struct err err;

    k.is_lying = true;
    assert_false(build(&err));
    assert_true(err.code == ERR_IO && err.at == EIO);
    again(state);
    assert_true(begin(&err));
    k.is_idle = true;
    assert_false(add_part(&layout[0], &err));
    assert_true(err.code == ERR_IO && err.at == EIO);
    again(state);
    assert_true(begin(&err));
    k.interruptions = UINT32_MAX;
    assert_false(add_part(&layout[0], &err));
    assert_true(err.code == ERR_IO && err.at == EINTR);
}

static bool says(const struct err *err, const char *word)
{
    return strstr(err->msg, word) != NULL && strlen(err->msg) < 128 /* child_fail */;
}

static void each_refusal_is_told(void **state)
{
    static const struct {
        unsigned long request;
        int number;
        enum err_code code;
        const char *word;
    } rows[] = {
        {SGX_IOC_ENCLAVE_CREATE, ENOMEM, ERR_LIMIT, "PRMRR"},
        {SGX_IOC_ENCLAVE_CREATE, EIO, ERR_IO, "XFRM"},
        {SGX_IOC_ENCLAVE_CREATE, EINVAL, ERR_IO, "no enclave"},
        {SGX_IOC_ENCLAVE_ADD_PAGES, ENOMEM, ERR_LIMIT, "PRMRR"},
        {SGX_IOC_ENCLAVE_ADD_PAGES, EACCES, ERR_IO, "noexec"},
        {SGX_IOC_ENCLAVE_ADD_PAGES, EPERM, ERR_IO, "noexec"},
        {SGX_IOC_ENCLAVE_ADD_PAGES, EIO, ERR_IO, "start it again"},
        {SGX_IOC_ENCLAVE_ADD_PAGES, ENODEV, ERR_IO, "firmware"},
        {SGX_IOC_ENCLAVE_ADD_PAGES, EBUSY, ERR_IO, "there already"},
        {SGX_IOC_ENCLAVE_ADD_PAGES, EFAULT, ERR_IO, "does not take"},
        {SGX_IOC_ENCLAVE_INIT, EPERM, ERR_IO, "launch control"},
        {SGX_IOC_ENCLAVE_INIT, EACCES, ERR_IO, "PROVISION_KEY"},
        {SGX_IOC_ENCLAVE_INIT, EINVAL, ERR_IO, "SIGSTRUCT"},
        {SGX_IOC_ENCLAVE_INIT, EIO, ERR_IO, "start it again"},
        {SGX_IOC_ENCLAVE_INIT, ENOMEM, ERR_IO, "does not start"},
    };
    struct err err;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        again(state);
        k.failing = rows[i].request;
        k.failure = rows[i].number;
        assert_false(build(&err));
        assert_int_equal(err.code, rows[i].code);
        assert_true(says(&err, rows[i].word));
        if (err.code == ERR_IO)
            assert_int_equal(err.at, rows[i].number);
        assert_true(k.request_count < 20); /* it asks no more */
    }
    again(state);
    k.failing = SGX_IOC_ENCLAVE_INIT;
    k.result = 16; /* SGX_INVALID_EINITTOKEN, as other drivers say it */
    assert_false(build(&err));
    assert_true(err.code == ERR_IO && err.at == EPERM);
}

static void too_little_memory_for_enclaves(void **state)
{
    struct err err;

    (void)state;
    k.epc = 310; /* the rest of the pages that were to be is in vain */
    assert_false(build(&err));
    assert_true(err.code == ERR_LIMIT && says(&err, "EPC"));
}

static void devices(void **state)
{
    static const struct {
        int number;
        enum err_code code;
    } rows[] = {{ENOENT, ERR_UNSUPPORTED}, {ENODEV, ERR_UNSUPPORTED}, {ENXIO, ERR_UNSUPPORTED},
                {EACCES, ERR_IO},          {EPERM, ERR_IO},           {ENOMEM, ERR_IO}};
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        k.open_failure = rows[i].number;
        assert_false(sgx_device_new(&kernel, DEVICE, &p, &err));
        assert_int_equal(err.code, rows[i].code);
        assert_true(says(&err, "device for enclaves"));
    }
    k.has_no_way = true;
    k.open_failure = 0;
    assert_false(sgx_device_new(&kernel, DEVICE, &p, &err));
    assert_true(err.code == ERR_UNSUPPORTED && says(&err, "CONFIG_X86_SGX"));
    assert_null(p.self);
    sgx_device_free(NULL);
}

static void sizes_of_enclaves(void **state)
{
    static const struct {
        uint64_t size;
        enum err_code code;
    } rows[] = {
        {0, ERR_INVALID},
        {4096, ERR_INVALID},
        {SIZE + 4096, ERR_INVALID},
        {UINT64_MAX, ERR_INVALID},
        {UINT64_C(1) << 46, ERR_IO},
        {UINT64_C(1) << 47, ERR_LIMIT},
        {UINT64_C(1) << 63, ERR_LIMIT},
        {8192, ERR_IO},
    };
    struct err err;

    (void)state;
    assert_true(sgx_device_new(&kernel, DEVICE, &p, &err));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sgx_secs s = secs;
        s.size = rows[i].size;
        assert_false(p.create(&p, &s, &err));
        assert_int_equal(err.code, rows[i].code);
    }
    assert_int_equal(k.request_count, 0);
    assert_true(p.create(&p, &secs, &err));
    assert_false(p.create(&p, &secs, &err));
    assert_int_equal(err.code, ERR_INVALID);
}

static void a_device_folder_without_code(void **state)
{
    struct err err;

    (void)state;
    assert_true(begin(&err) && add_part(&layout[1], &err));
    k.map_failure = EPERM;
    assert_false(p.init(&p, sigstruct, &err));
    assert_true(err.code == ERR_IO && says(&err, "remount,exec"));
    again(state);
    assert_true(begin(&err) && add_part(&layout[1], &err));
    k.map_failure = EACCES;
    assert_false(p.init(&p, sigstruct, &err));
    assert_true(err.code == ERR_IO && says(&err, "cannot map"));
}

/* What the kernel refuses reaches the caller as it is. */
static void what_is_not_an_enclave(void **state)
{
    static const struct {
        uint64_t offset, size, flags;
        int number;
    } rows[] = {
        {1, PAGE, SGX_SECINFO_REG | RW, EINVAL},
        {0, PAGE + 1, SGX_SECINFO_REG | RW, EINVAL},
        {SIZE, PAGE, SGX_SECINFO_REG | RW, EINVAL},
        {SIZE - PAGE, 2 * PAGE, SGX_SECINFO_REG | RW, EINVAL},
        {UINT64_MAX - PAGE + 1, 2 * PAGE, SGX_SECINFO_REG | RW, EINVAL},
        {0, PAGE, SGX_SECINFO_REG | SGX_SECINFO_W, EINVAL},
        {0, PAGE, SGX_SECINFO_TCS | SGX_SECINFO_R, EINVAL},
        {0, PAGE, RW, EINVAL},
        {0, PAGE, SGX_SECINFO_REG | RW | 8, EINVAL},
        {3 * PAGE, PAGE, SGX_SECINFO_REG | RW, EBUSY},     /* twice */
        {2 * PAGE, 2 * PAGE, SGX_SECINFO_REG | RW, EBUSY}, /* into others */
    };
    struct err err;

    (void)state;
    assert_true(sgx_device_new(&kernel, DEVICE, &p, &err));
    assert_false(add_part(&layout[0], &err)); /* not created */
    assert_int_equal(err.at, EINVAL);
    assert_false(p.init(&p, sigstruct, &err));
    assert_int_equal(err.at, EINVAL);
    assert_true(p.create(&p, &secs, &err) && add_part(&layout[0], &err));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_false(
            p.add(&p, rows[i].offset, rows[i].size, (struct bytes){0}, rows[i].flags, true, &err));
        assert_true(err.code == ERR_IO && err.at == (uint64_t)rows[i].number);
    }
    assert_true(p.add(&p, 0, 0, (struct bytes){0}, SGX_SECINFO_REG | RW, true, &err)); /* nothing */
    sigstruct[0] = 7;
    assert_false(p.init(&p, sigstruct, &err));
    assert_int_equal(err.at, EPERM);
    sigstruct[0] = 6;
    assert_true(p.init(&p, sigstruct, &err));
    assert_false(p.init(&p, sigstruct, &err)); /* twice */
    assert_int_equal(err.at, EINVAL);
    assert_false(add_part(&layout[1], &err)); /* too late */
    assert_int_equal(err.at, EINVAL);
}

/* The double itself: mappings with more rights than pages have it refuses. */
static void the_double_keeps_the_rules(void **state)
{
    struct err err;

    (void)state;
    assert_true(build(&err));
    void *code = (void *)(uintptr_t)BASE, *end = (void *)(uintptr_t)(BASE + SIZE);
    int flags = MAP_SHARED | MAP_FIXED;
    assert_true(double_mmap(NULL, code, PAGE, PROT_READ, flags, FD) == code);
    assert_true(double_mmap(NULL, code, PAGE, PROT_READ | PROT_WRITE, flags, FD) == MAP_FAILED);
    assert_int_equal(errno, EACCES);
    assert_true(double_mmap(NULL, code, 4 * PAGE, PROT_READ | PROT_EXEC, flags, FD) == MAP_FAILED);
    assert_int_equal(errno, EACCES);
    assert_true(map_enclave((uintptr_t)end, PAGE, PROT_READ, flags) == MAP_FAILED);
    assert_int_equal(errno, EACCES);
    assert_true(double_mmap(NULL, code, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, FD) ==
                MAP_FAILED);
    assert_int_equal(errno, EINVAL);
    struct sgx_enclave_remove_pages some = {.length = PAGE, .count = 1};
    assert_int_equal(double_ioctl(NULL, FD, SGX_IOC_ENCLAVE_REMOVE_PAGES, &some), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(double_ioctl(NULL, FD, SGX_IOC_ENCLAVE_PROVISION, &some), -1);
    assert_int_equal(errno, ENOTTY);
}

#define RANGES_MAX 256u

/* Pages from the last to the first, each with other rights than its neighbours. */
static void rights_that_change_often(void **state)
{
    struct err err;
    uint64_t i;

    (void)state;
    assert_true(begin(&err));
    for (i = RANGES_MAX; i-- > 0;)
        assert_true(p.add(&p, i * PAGE, PAGE, (struct bytes){0},
                          SGX_SECINFO_REG | (i % 2 == 0 ? RX : RW), false, &err));
    k.growth = ENOTTY;
    assert_true(p.init(&p, sigstruct, &err));
    assert_int_equal(k.mapping_count, RANGES_MAX);
    for (i = 0; i < RANGES_MAX; i++)
        assert_true(k.mappings[i].at == i * PAGE && k.mappings[i].rights == (i % 2 == 0 ? 5 : 3));
    again(state);
    assert_true(begin(&err));
    for (i = 0; i < RANGES_MAX; i++)
        assert_true(
            p.add(&p, 2 * i * PAGE, PAGE, (struct bytes){0}, SGX_SECINFO_REG | RW, false, &err));
    i = 2 * i - 1; /* it makes the last one longer */
    assert_true(p.add(&p, i * PAGE, PAGE, (struct bytes){0}, SGX_SECINFO_REG | RW, false, &err));
    assert_false(p.add(&p, PAGE, PAGE, (struct bytes){0}, SGX_SECINFO_REG | RX, false, &err));
    assert_true(err.code == ERR_LIMIT && err.at == RANGES_MAX);
}

/* ---- tests: running ---- */

static void pages_that_come_and_go(void **state)
{
    static const int parts[] = {0, EAGAIN, EINTR};
    struct err err;

    for (size_t i = 0; i < COUNT_OF(parts) * 4; i++) {
        again(state);
        assert_true(build(&err));
        k.at_once = i / COUNT_OF(parts) * 3;
        k.part = parts[i % COUNT_OF(parts)];
        k.interruptions = i % 2;
        k.interruption = EAGAIN;
        assert_int_equal(p.restrict_rights(&p, 3 * PAGE, 40 * PAGE, SGX_SECINFO_R), 0);
        assert_int_equal(k.rights, SGX_SECINFO_R);
        assert_int_equal(p.trim(&p, 64 * PAGE, 40 * PAGE), 0);
        assert_int_equal(p.remove(&p, 64 * PAGE, 40 * PAGE), EPERM); /* not accepted */
        for (size_t at = 64; at < 104; at++)
            k.pages[at].is_accepted = true;
        k.busy = 5;
        assert_int_equal(p.remove(&p, 64 * PAGE, 40 * PAGE), 0);
        for (size_t at = 64; at < 104; at++)
            assert_false(k.pages[at].is_there);
        assert_true(k.pages[63].is_there == 0 && k.pages[104].is_there);
    }
}

static void what_may_not_come_or_go(void **state)
{
    struct err err;

    (void)state;
    assert_true(begin(&err));
    assert_int_equal(p.trim(&p, 0, PAGE), EINVAL); /* not yet */
    again(state);
    assert_true(build(&err));
    assert_int_equal(p.restrict_rights(&p, 0, PAGE, SGX_SECINFO_W), EINVAL);
    assert_int_equal(p.restrict_rights(&p, 0, PAGE, 8), EINVAL);
    assert_int_equal(p.restrict_rights(&p, 44 * PAGE, PAGE, SGX_SECINFO_R), EINVAL); /* a TCS */
    assert_int_equal(p.restrict_rights(&p, 200 * PAGE, PAGE, SGX_SECINFO_R), EFAULT);
    assert_int_equal(p.trim(&p, 1, PAGE), EINVAL);
    assert_int_equal(p.trim(&p, SIZE, PAGE), EINVAL);
    assert_int_equal(p.remove(&p, 0, PAGE), EPERM); /* not trimmed */
    assert_int_equal(p.trim(&p, 0, 0), 0);
    assert_int_equal(sgx_device_fd(&p), FD);
    k.failing = SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS;
    k.failure = EFAULT;
    k.sgx = 20; /* SGX_PAGE_NOT_MODIFIABLE */
    assert_int_equal(p.restrict_rights(&p, 0, PAGE, SGX_SECINFO_R), EFAULT);
    k.failing = 0;
    k.is_lying = true;
    assert_int_equal(p.restrict_rights(&p, 0, PAGE, SGX_SECINFO_R), EIO);
    k.is_lying = false;
    k.is_idle = true;
    assert_int_equal(p.remove(&p, 0, PAGE), EIO);
    k.is_idle = false;
    k.request_count = 0; /* what is asked is what a filter lets through */
    assert_int_equal(p.restrict_rights(&p, 0, PAGE, SGX_SECINFO_R), 0);
    assert_int_equal(p.trim(&p, 0, PAGE), 0);
    k.pages[0].is_accepted = true;
    assert_int_equal(p.remove(&p, 0, PAGE), 0);
    assert_int_equal(k.request_count, SGX_DEVICE_REQUEST_COUNT);
    for (size_t i = 0; i < SGX_DEVICE_REQUEST_COUNT; i++)
        assert_true(k.requests[i] == sgx_device_requests[i].number &&
                    sgx_device_requests[i].has_argument);
    k.growth = ENOTTY;
    assert_int_equal(p.trim(&p, 0, PAGE), ENOTTY);
}

static void ways_out(void **state)
{
    struct sgx_exit exit;
    struct err err;

    (void)state;
    assert_true(build(&err));
    e.left = (struct sgx_enclave_run){.function = SGX_EEXIT, .exception_vector = 3};
    assert_true(p.enter(&p, 44 * PAGE, SGX_EENTER, 0x123456789abc, &exit, &err));
    assert_true(e.rdi == 0x123456789abc && e.others == 0 && e.leaf == 2);
    assert_int_equal(e.run.tcs, BASE + 44 * PAGE);
    e.run.tcs = 0; /* the kernel wants everything else to be zero */
    assert_true(bytes_are_zero(bytes_from(&e.run, sizeof e.run)));
    assert_true(exit.leaf == SGX_EEXIT && exit.vector == 0 && exit.error == 0 && exit.address == 0);
    e.left = (struct sgx_enclave_run){.function = SGX_ERESUME,
                                      .exception_vector = 14,
                                      .exception_error_code = 0x8007,
                                      .exception_addr = BASE + 7};
    for (int i = 0; i < 2; i++) {
        e.result = i == 0 ? 0 : -EFAULT;
        assert_true(p.enter(&p, 44 * PAGE, SGX_ERESUME, 0, &exit, &err));
        assert_int_equal(e.leaf, 3);
        assert_true(exit.leaf == SGX_ERESUME && exit.vector == 14 && exit.error == 0x8007 &&
                    exit.address == BASE + 7);
    }
    e.left.function = SGX_EENTER;
    assert_false(p.enter(&p, 0, SGX_EENTER, 0, &exit, &err));
    assert_true(err.code == ERR_IO && says(&err, "was lost"));
    e.left.function = SGX_EREPORT;
    assert_false(p.enter(&p, 0, SGX_EENTER, 0, &exit, &err));
    assert_int_equal(err.code, ERR_IO);
    e.left.function = SGX_EEXIT;
    e.result = -EINVAL;
    assert_false(p.enter(&p, 0, SGX_EENTER, 0, &exit, &err));
    assert_true(err.code == ERR_IO && err.at == EINVAL);
    e.result = 1;
    assert_false(p.enter(&p, 0, SGX_EENTER, 0, &exit, &err));
    assert_true(err.code == ERR_IO && err.at == EIO);
}

static void nothing_of_the_enclave_stays(void **state)
{
    struct sgx_enclave_run run = {.tcs = 9};
    struct registers r;
    uint32_t mxcsr;

    (void)state;
    e.result = -12345;
    e.left.function = SGX_EEXIT;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    watch(enter_and_clobber, &run, &r);
    for (size_t i = 0; i < COUNT_OF(r.saved); i++)
        assert_int_equal(r.saved[i], i + 1);
    assert_true(e.rdi == 77 && e.leaf == 3 && e.run.tcs == 9 && e.others == 0);
    assert_int_equal(run.function, SGX_EEXIT);
    assert_int_equal((int)r.result, -12345);
    assert_int_equal(r.mxcsr, mxcsr);
    assert_int_equal(r.control, 0x27f);
    assert_int_equal(r.status >> 11 & 7, 0); /* nothing on the x87 unit's stack */
    assert_int_equal(r.flags & 0x400, 0);    /* DF */
}

/* Linux itself, as far as this machine has it. */
static void this_machine(void **state)
{
    struct err err;

    (void)state;
    if (!sgx_device_new(&sgx_linux, "/dev/null/nothing", &p, &err))
        assert_true(err.code == ERR_UNSUPPORTED || err.code == ERR_IO);
    void *page = sgx_linux.mmap(NULL, NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    assert_true(page != MAP_FAILED);
    assert_int_equal(sgx_linux.munmap(NULL, page, PAGE), 0);
    int fd = sgx_linux.open(NULL, "/dev/null", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    struct sgx_enclave_init nothing = {0};
    assert_int_equal(sgx_linux.ioctl(NULL, fd, SGX_IOC_ENCLAVE_INIT, &nothing), -1);
    assert_int_equal(errno, ENOTTY);
    assert_int_equal(sgx_linux.close(NULL, fd), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_enclave),
        TEST(one_that_can_grow),
        TEST(in_parts_and_interrupted),
        TEST(a_kernel_that_lies_or_idles),
        TEST(each_refusal_is_told),
        TEST(too_little_memory_for_enclaves),
        TEST(devices),
        TEST(sizes_of_enclaves),
        TEST(a_device_folder_without_code),
        TEST(what_is_not_an_enclave),
        TEST(the_double_keeps_the_rules),
        TEST(rights_that_change_often),
        TEST(pages_that_come_and_go),
        TEST(what_may_not_come_or_go),
        TEST(ways_out),
        TEST(nothing_of_the_enclave_stays),
        TEST(this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
