/* Linux's Documentation/arch/x86/sgx.rst, and the comments of arch/x86/include/uapi/asm/sgx.h. What
 * the kernel refuses is told; what is right in an enclave its processor judges. */
#include "host/sgx_device.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <asm/sgx.h>

#include "host/vdso.h"
#include "base/banned.h"

#define TRIES_MAX 1000000u /* of a request that goes on in parts, without any progress */
#define STEP_SIZE 65536u   /* of pages that are copied or zero */
#define RANGES_MAX 256u    /* of pages with the same rights, side by side; each is a mapping */
#define SIZE_MAX_LOG2 46u  /* of an enclave: half of the addresses that a process has */
#define PAGE_TYPE_TRIM 4u  /* SDM 3D, "Page Type", PT_TRIM */
#define TYPE_MASK 0xff00u  /* in SECINFO.FLAGS */
#define MIB (UINT64_C(1) << 20)

/* The kernel's structures, and requests as numbers: copied from asm/sgx.h of Linux 6.1 by hand. */
_Static_assert(sizeof(struct sgx_enclave_create) == 8, "sgx_enclave_create");
_Static_assert(sizeof(struct sgx_enclave_add_pages) == 48 &&
                   offsetof(struct sgx_enclave_add_pages, offset) == 8 &&
                   offsetof(struct sgx_enclave_add_pages, length) == 16 &&
                   offsetof(struct sgx_enclave_add_pages, secinfo) == 24 &&
                   offsetof(struct sgx_enclave_add_pages, flags) == 32 &&
                   offsetof(struct sgx_enclave_add_pages, count) == 40,
               "sgx_enclave_add_pages");
_Static_assert(sizeof(struct sgx_enclave_init) == 8, "sgx_enclave_init");
_Static_assert(sizeof(struct sgx_enclave_restrict_permissions) == 40 &&
                   offsetof(struct sgx_enclave_restrict_permissions, length) == 8 &&
                   offsetof(struct sgx_enclave_restrict_permissions, permissions) == 16 &&
                   offsetof(struct sgx_enclave_restrict_permissions, result) == 24 &&
                   offsetof(struct sgx_enclave_restrict_permissions, count) == 32,
               "sgx_enclave_restrict_permissions");
_Static_assert(sizeof(struct sgx_enclave_modify_types) == 40 &&
                   offsetof(struct sgx_enclave_modify_types, length) == 8 &&
                   offsetof(struct sgx_enclave_modify_types, page_type) == 16 &&
                   offsetof(struct sgx_enclave_modify_types, result) == 24 &&
                   offsetof(struct sgx_enclave_modify_types, count) == 32,
               "sgx_enclave_modify_types");
_Static_assert(sizeof(struct sgx_enclave_remove_pages) == 24 &&
                   offsetof(struct sgx_enclave_remove_pages, length) == 8 &&
                   offsetof(struct sgx_enclave_remove_pages, count) == 16,
               "sgx_enclave_remove_pages");
_Static_assert(sizeof(struct sgx_enclave_run) == 256 &&
                   offsetof(struct sgx_enclave_run, function) == 8 &&
                   offsetof(struct sgx_enclave_run, exception_vector) == 12 &&
                   offsetof(struct sgx_enclave_run, exception_error_code) == 14 &&
                   offsetof(struct sgx_enclave_run, exception_addr) == 16 &&
                   offsetof(struct sgx_enclave_run, user_handler) == 24 &&
                   offsetof(struct sgx_enclave_run, user_data) == 32 &&
                   offsetof(struct sgx_enclave_run, reserved) == 40,
               "sgx_enclave_run");
_Static_assert(SGX_IOC_ENCLAVE_CREATE == 0x4008a400 && SGX_IOC_ENCLAVE_ADD_PAGES == 0xc030a401 &&
                   SGX_IOC_ENCLAVE_INIT == 0x4008a402 &&
                   SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS == 0xc028a405 &&
                   SGX_IOC_ENCLAVE_MODIFY_TYPES == 0xc028a406 &&
                   SGX_IOC_ENCLAVE_REMOVE_PAGES == 0xc018a407 && SGX_PAGE_MEASURE == 1,
               "requests");

/* SECS: Intel SDM volume 3D, table "Layout of SGX Enclave Control Structure". */
struct secs_page {
    uint64_t size, base;
    uint32_t ssa_frame_pages, misc_select;
    uint8_t reserved1[24];
    uint64_t attribute_flags, xfrm;
    uint8_t rest[SGX_PAGE_SIZE - 64]; /* EINIT fills it */
};
_Static_assert(sizeof(struct secs_page) == 4096 && offsetof(struct secs_page, base) == 8 &&
                   offsetof(struct secs_page, ssa_frame_pages) == 16 &&
                   offsetof(struct secs_page, misc_select) == 20 &&
                   offsetof(struct secs_page, attribute_flags) == 48 &&
                   offsetof(struct secs_page, xfrm) == 56,
               "SECS");

/* SECINFO: SDM volume 3D, "Layout of SECINFO Data Structure". */
struct secinfo {
    _Alignas(64) uint64_t flags;
    uint8_t reserved[56];
};
_Static_assert(sizeof(struct secinfo) == 64, "SECINFO");

/* Pages that are there, with the rights that they may be mapped with. */
struct range {
    uint64_t at, end;
    int rights;
};

struct sgx_device {
    _Alignas(SGX_PAGE_SIZE) uint8_t step[STEP_SIZE]; /* what goes to the driver where it may not
                                                        take it from where it lies */
    const struct sgx_kernel *kernel;
    sgx_enter_function *enter;
    int fd;
    uint64_t base, size; /* size 0: not created */
    uint64_t added;      /* bytes of pages */
    bool can_grow;
    struct range ranges[RANGES_MAX]; /* by their offset */
    size_t range_count;
};

/* Nothing writes to it; it is not const, so that it takes no room in the program's file. */
static _Alignas(SGX_PAGE_SIZE) uint8_t zeroes[STEP_SIZE];

/* ---- Linux ---- */

static int linux_open(void *context, const char *path, int flags)
{
    (void)context;
    return open(path, flags);
}

static int linux_close(void *context, int fd)
{
    (void)context;
    return close(fd);
}

static int linux_ioctl(void *context, int fd, unsigned long request, void *argument)
{
    (void)context;
    return ioctl(fd, request, argument);
}

static void *linux_mmap(void *context, void *address, size_t size, int rights, int flags, int fd)
{
    (void)context;
    return mmap(address, size, rights, flags, fd, 0);
}

static int linux_munmap(void *context, void *address, size_t size)
{
    (void)context;
    return munmap(address, size);
}

static sgx_enter_function *linux_enter_function(void *context)
{
    struct bytes vdso = vdso_of_process();
    sgx_enter_function *function = NULL;
    size_t at;

    (void)context;
    if (vdso_find(vdso, "__vdso_sgx_enter_enclave", &at)) {
        const uint8_t *code = vdso.data + at;
        memcpy(&function, &code, sizeof function);
    }
    return function;
}

const struct sgx_kernel sgx_linux = {.open = linux_open,
                                     .close = linux_close,
                                     .ioctl = linux_ioctl,
                                     .mmap = linux_mmap,
                                     .munmap = linux_munmap,
                                     .enter_function = linux_enter_function};

/* ---- what is asked of it ---- */

static bool fail(struct err *err, const char *what, int number)
{
    return err_set(err, ERR_IO, what, (uint64_t)number);
}

/* 0 or an errno. Other drivers than Linux's own gave an error of the processor's, which is above.
 */
static int call(const struct sgx_device *d, unsigned long request, void *argument)
{
    int result = d->kernel->ioctl(d->kernel->context, d->fd, request, argument);
    int number = errno;

    if (result > 0) {
        log_error("the processor refused", log_u64("error", (uint64_t)result));
        return EPERM;
    }
    return result == 0 ? 0 : number;
}

/* A request over pages, where the kernel may do a part, with an error or without, and says in
 * `count` how much. Where it lies in which structure: */
struct parts {
    unsigned long request;
    void *argument;
    __u64 *source; /* NULL: it has none */
    __u64 *offset, *length, *count;
    __u64 *result; /* an error of the processor's; NULL: it has none */
};

/* Pages of which Linux writes others out just now are busy, as is a caller with a signal; only
 * REMOVE_PAGES says so by EBUSY, which elsewhere is for good. */
static bool may_come_again(const struct parts *p, int number)
{
    return number == EAGAIN || number == EINTR ||
           (number == EBUSY && p->request == SGX_IOC_ENCLAVE_REMOVE_PAGES);
}

/* Until all of it is done: 0, or an errno. */
static int in_parts(const struct sgx_device *d, const struct parts *p)
{
    unsigned tries = 0;

    while (*p->length != 0) {
        *p->count = 0; /* what the kernel demands of it, and of the result */
        if (p->result != NULL)
            *p->result = 0;
        int number = call(d, p->request, p->argument);
        uint64_t done = *p->count;
        if (done > *p->length || done % SGX_PAGE_SIZE != 0)
            return EIO;
        *p->offset += done;
        *p->length -= done;
        if (p->source != NULL)
            *p->source += done;
        if (p->result != NULL && *p->result != 0)
            log_debug("the processor does not change a page", log_u64("error", *p->result));
        if (number != 0 && !may_come_again(p, number))
            return number;
        if (done != 0)
            tries = 0;
        else if (number == 0 || ++tries == TRIES_MAX)
            return number != 0 ? number : EIO;
    }
    return 0;
}

/* ---- the range of addresses ---- */

static void *map(const struct sgx_device *d, uint64_t address, uint64_t size, int rights, int flags,
                 int fd)
{
    return d->kernel->mmap(d->kernel->context, (void *)(uintptr_t)address, size, rights, flags, fd);
}

static void unmap(const struct sgx_device *d, uint64_t from, uint64_t to)
{
    if (from != to)
        (void)d->kernel->munmap(d->kernel->context, (void *)(uintptr_t)from, to - from);
}

/* Of twice as much as there is need for one half is aligned to it. */
static bool reserve(struct sgx_device *d, uint64_t size, struct err *err)
{
    void *range = map(d, 0, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

    if (range == MAP_FAILED)
        return fail(err, "no addresses for the enclave; is there a limit on them (ulimit -v)",
                    errno);
    uint64_t from = (uintptr_t)range;
    d->base = (from + size - 1) & ~(size - 1);
    d->size = size;
    unmap(d, from, d->base);
    unmap(d, d->base + size, from + 2 * size);
    return true;
}

static bool map_range(const struct sgx_device *d, struct range r, struct err *err)
{
    if (r.at == r.end ||
        map(d, d->base + r.at, r.end - r.at, r.rights, MAP_SHARED | MAP_FIXED, d->fd) != MAP_FAILED)
        return true;
    return fail(err,
                errno == EPERM ? "cannot map code of the enclave: is /dev mounted noexec? "
                                 "'mount -o remount,exec /dev'"
                               : "cannot map the enclave",
                errno);
}

/* Makes `last` longer by what follows it with the same rights; else maps it, and begins anew. */
static bool map_next(const struct sgx_device *d, struct range *last, struct range next,
                     struct err *err)
{
    if (next.at == next.end)
        return true;
    if (next.at == last->end && next.rights == last->rights) {
        last->end = next.end;
        return true;
    }
    if (!map_range(d, *last, err))
        return false;
    *last = next;
    return true;
}

/* Every page with its own rights; what lies between, for pages to come, where pages can come. */
static bool map_all(const struct sgx_device *d, struct err *err)
{
    struct range last = {0}, gap = {.rights = PROT_READ | PROT_WRITE};

    for (size_t i = 0; i < d->range_count; i++) {
        gap.end = d->ranges[i].at;
        if ((d->can_grow && !map_next(d, &last, gap, err)) ||
            !map_next(d, &last, d->ranges[i], err))
            return false;
        gap.at = d->ranges[i].end;
    }
    gap.end = d->size;
    return (!d->can_grow || map_next(d, &last, gap, err)) && map_range(d, last, err);
}

/* The most that Linux lets a page be mapped with (sgx_ioc_enclave_add_pages): what SECINFO says;
 * read and write where it is a TCS, whose rights are none. */
static int rights_of(uint64_t flags)
{
    if ((flags & TYPE_MASK) == SGX_SECINFO_TCS)
        return PROT_READ | PROT_WRITE;
    return ((flags & SGX_SECINFO_R) != 0 ? PROT_READ : 0) |
           ((flags & SGX_SECINFO_W) != 0 ? PROT_WRITE : 0) |
           ((flags & SGX_SECINFO_X) != 0 ? PROT_EXEC : 0);
}

/* Notes pages that the kernel has taken, so that they overlap with none before. */
static bool note_range(struct sgx_device *d, struct range new, struct err *err)
{
    size_t i = d->range_count;

    while (i > 0 && d->ranges[i - 1].at > new.at)
        i--;
    if (i > 0 && d->ranges[i - 1].end == new.at && d->ranges[i - 1].rights == new.rights) {
        d->ranges[i - 1].end = new.end;
        return true;
    }
    if (d->range_count == RANGES_MAX)
        return err_set(err, ERR_LIMIT, "the enclave's pages change rights too often, more than",
                       RANGES_MAX);
    memmove(&d->ranges[i + 1], &d->ranges[i], (d->range_count - i) * sizeof new);
    d->ranges[i] = new;
    d->range_count++;
    return true;
}

/* ---- building ---- */

static bool device_create(struct sgx_processor *processor, const struct sgx_secs *secs,
                          struct err *err)
{
    struct sgx_device *d = processor->self;
    struct secs_page *page = (struct secs_page *)(void *)d->step;
    struct sgx_enclave_create create = {.src = (uintptr_t)page};

    if (d->size != 0)
        return err_set(err, ERR_INVALID, "there is an enclave already", ERR_NO_AT);
    if (secs->size < 2ull * SGX_PAGE_SIZE || (secs->size & (secs->size - 1)) != 0)
        return err_set(err, ERR_INVALID, "an enclave's size is no power of two, in bytes",
                       secs->size);
    if (secs->size > UINT64_C(1) << SIZE_MAX_LOG2)
        return err_set(err, ERR_LIMIT, "an enclave larger than addresses allow, in bytes",
                       secs->size);
    if (!reserve(d, secs->size, err))
        return false;
    *page = (struct secs_page){.size = secs->size,
                               .base = d->base,
                               .ssa_frame_pages = secs->ssa_frame_pages,
                               .misc_select = secs->misc_select,
                               .attribute_flags = secs->attribute_flags,
                               .xfrm = secs->xfrm};
    int number = call(d, SGX_IOC_ENCLAVE_CREATE, &create);
    switch (number) {
    case 0:
        processor->base = d->base;
        return true;
    case ENOMEM:
        return err_set(err, ERR_LIMIT,
                       "no memory for enclaves is left: close others, or give enclaves more in the "
                       "firmware (PRMRR)",
                       ERR_NO_AT);
    case EIO:
        return fail(err,
                    "the processor makes no such enclave: too large for it, or with features that "
                    "it lacks (ATTRIBUTES, XFRM)",
                    number);
    default:
        return fail(err, "the kernel makes no enclave", number);
    }
}

/* Why pages were not added. */
static bool add_failed(const struct sgx_device *d, uint64_t size, int number, struct err *err)
{
    switch (number) {
    case ENOMEM:
        log_error("too little memory for enclaves",
                  log_u64("needed_mib", (d->added + size + MIB - 1) / MIB));
        return err_set(err, ERR_LIMIT,
                       "the memory of enclaves (EPC) is too small: close other enclaves, or give "
                       "them more in the firmware (PRMRR)",
                       ERR_NO_AT);
    case EACCES:
    case EPERM:
        return fail(err,
                    "the kernel takes no pages of an enclave from here: its files may not lie on a "
                    "file system mounted noexec",
                    number);
    case EIO:
        return fail(err,
                    "the enclave was lost while it was built (the machine slept, or moved): start "
                    "it again",
                    number);
    case ENODEV:
        return fail(err, "SGX is gone from this machine: switch it on in the firmware", number);
    case EBUSY:
        return fail(err, "a page of the enclave was there already", number);
    default:
        return fail(err, "the kernel does not take pages of the enclave", number);
    }
}

/* Adds pages that lie where the kernel takes them. */
static bool add_pages(struct sgx_device *d, uint64_t offset, const uint8_t *pages, uint64_t size,
                      const struct secinfo *secinfo, bool is_measured, struct err *err)
{
    struct sgx_enclave_add_pages add = {.src = (uintptr_t)pages,
                                        .offset = offset,
                                        .length = size,
                                        .secinfo = (uintptr_t)secinfo,
                                        .flags = is_measured ? SGX_PAGE_MEASURE : 0};
    const struct parts parts = {.request = SGX_IOC_ENCLAVE_ADD_PAGES,
                                .argument = &add,
                                .source = &add.src,
                                .offset = &add.offset,
                                .length = &add.length,
                                .count = &add.count};
    int number = in_parts(d, &parts);

    if (number != 0)
        return add_failed(d, size, number, err);
    d->added += size;
    return true;
}

static bool device_add(struct sgx_processor *processor, uint64_t offset, uint64_t size,
                       struct bytes bytes, uint64_t flags, bool is_measured, struct err *err)
{
    struct sgx_device *d = processor->self;
    const struct secinfo secinfo = {.flags = flags};
    bool is_in_place = bytes.size != 0 && (uintptr_t)bytes.data % SGX_PAGE_SIZE == 0;
    uint64_t step;

    assert(bytes.size == 0 || bytes.size == size);
    for (uint64_t at = 0; at < size; at += step) {
        const uint8_t *pages = bytes.size == 0 ? zeroes : d->step;
        step = size - at < STEP_SIZE || is_in_place ? size - at : STEP_SIZE;
        if (is_in_place)
            pages = bytes.data;
        else if (bytes.size != 0)
            memcpy(d->step, bytes.data + at, step);
        if (!add_pages(d, offset + at, pages, step, &secinfo, is_measured, err))
            return false;
    }
    struct range new = {.at = offset, .end = offset + size, .rights = rights_of(flags)};
    return size == 0 || note_range(d, new, err);
}

/* Linux 6.0 and later on a processor with SGX2: a request over no pages is not valid; elsewhere
 * there is no such request (ENOTTY), or no such processor (ENODEV). */
static bool probe_growth(const struct sgx_device *d)
{
    struct sgx_enclave_remove_pages nothing = {0};

    return call(d, SGX_IOC_ENCLAVE_REMOVE_PAGES, &nothing) == EINVAL;
}

static bool init_failed(int number, struct err *err)
{
    switch (number) {
    case EPERM:
        return fail(err,
                    "the processor refuses the enclave: its SIGSTRUCT is not of it, or the "
                    "firmware's launch control is locked",
                    number);
    case EACCES:
        return fail(err, "the kernel starts no enclave with these attributes (PROVISION_KEY)",
                    number);
    case EINVAL:
        return fail(err,
                    "the enclave's SIGSTRUCT wants what this processor lacks, or there is no "
                    "enclave to start",
                    number);
    case EIO:
        return fail(err,
                    "the enclave was lost before it started (the machine slept, or moved): start "
                    "it again",
                    number);
    default:
        return fail(err, "the kernel does not start the enclave", number);
    }
}

static bool device_init(struct sgx_processor *processor,
                        const uint8_t sigstruct[SGX_SIGSTRUCT_SIZE], struct err *err)
{
    struct sgx_device *d = processor->self;
    struct sgx_enclave_init init = {.sigstruct = (uintptr_t)sigstruct};
    int number = EINTR;

    for (unsigned i = 0; i < TRIES_MAX && (number == EINTR || number == EAGAIN); i++)
        number = call(d, SGX_IOC_ENCLAVE_INIT, &init);
    if (number != 0)
        return init_failed(number, err);
    d->can_grow = probe_growth(d);
    if (!map_all(d, err))
        return false;
    processor->can_grow = d->can_grow;
    return true;
}

/* ---- running ---- */

static bool device_enter(struct sgx_processor *processor, uint64_t tcs, enum sgx_leaf leaf,
                         uint64_t rdi, struct sgx_exit *out, struct err *err)
{
    const struct sgx_device *d = processor->self;
    struct sgx_enclave_run run = {.tcs = d->base + tcs};
    int result = sgx_enter(d->enter, rdi, leaf, &run);

    /* Linux's comment says -EFAULT of an exception; the function has never given it */
    if (result != 0 && result != -EFAULT)
        return fail(err, "the kernel does not enter the enclave", result < 0 ? -result : EIO);
    /* a fault inside leaves ERESUME there, so that this is of the instruction itself */
    if (run.function == SGX_EENTER)
        return fail(err,
                    "the processor does not enter the enclave: it was lost (the machine slept, or "
                    "moved), or its state is not for it",
                    EIO);
    if (run.function != SGX_EEXIT && run.function != SGX_ERESUME)
        return fail(err, "the enclave was left by no way that there is", EIO);
    *out = (struct sgx_exit){.leaf = (enum sgx_leaf)run.function};
    if (out->leaf != SGX_EEXIT) {
        out->vector = run.exception_vector;
        out->error = run.exception_error_code;
        out->address = run.exception_addr;
    }
    return true;
}

static int device_restrict_rights(struct sgx_processor *processor, uint64_t offset, uint64_t size,
                                  uint64_t rights)
{
    struct sgx_enclave_restrict_permissions r = {
        .offset = offset, .length = size, .permissions = rights};
    const struct parts parts = {.request = SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS,
                                .argument = &r,
                                .offset = &r.offset,
                                .length = &r.length,
                                .count = &r.count,
                                .result = &r.result};

    return in_parts(processor->self, &parts);
}

static int device_trim(struct sgx_processor *processor, uint64_t offset, uint64_t size)
{
    struct sgx_enclave_modify_types m = {
        .offset = offset, .length = size, .page_type = PAGE_TYPE_TRIM};
    const struct parts parts = {.request = SGX_IOC_ENCLAVE_MODIFY_TYPES,
                                .argument = &m,
                                .offset = &m.offset,
                                .length = &m.length,
                                .count = &m.count,
                                .result = &m.result};

    return in_parts(processor->self, &parts);
}

static int device_remove(struct sgx_processor *processor, uint64_t offset, uint64_t size)
{
    struct sgx_enclave_remove_pages r = {.offset = offset, .length = size};
    const struct parts parts = {.request = SGX_IOC_ENCLAVE_REMOVE_PAGES,
                                .argument = &r,
                                .offset = &r.offset,
                                .length = &r.length,
                                .count = &r.count};

    return in_parts(processor->self, &parts);
}

/* ---- the device ---- */

const struct device_request sgx_device_requests[SGX_DEVICE_REQUEST_COUNT] = {
    {.number = SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS, .has_argument = true},
    {.number = SGX_IOC_ENCLAVE_MODIFY_TYPES, .has_argument = true},
    {.number = SGX_IOC_ENCLAVE_REMOVE_PAGES, .has_argument = true}};

int sgx_device_fd(const struct sgx_processor *processor)
{
    const struct sgx_device *d = processor->self;

    return d->fd;
}

static bool open_failed(int number, struct err *err)
{
    switch (number) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return err_set(err, ERR_UNSUPPORTED,
                       "no device for enclaves: switch SGX and flexible launch control on in the "
                       "firmware; Linux 5.11 or newer",
                       ERR_NO_AT);
    case EACCES:
    case EPERM:
        return fail(err,
                    "the device for enclaves is not for this user: 'usermod -aG sgx USER', and "
                    "log in again",
                    number);
    default:
        return fail(err, "cannot open the device for enclaves", number);
    }
}

bool sgx_device_new(const struct sgx_kernel *kernel, const char *device_path,
                    struct sgx_processor *out, struct err *err)
{
    sgx_enter_function *enter = kernel->enter_function(kernel->context);

    if (enter == NULL)
        return err_set(err, ERR_UNSUPPORTED,
                       "the kernel has no SGX: take one with CONFIG_X86_SGX, Linux 5.11 or newer",
                       ERR_NO_AT);
    int fd = kernel->open(kernel->context, device_path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return open_failed(errno, err);
    struct sgx_device *d = aligned_alloc(_Alignof(struct sgx_device), sizeof *d);
    if (d == NULL) {
        (void)kernel->close(kernel->context, fd);
        return err_set(err, ERR_MEMORY, "no memory for an enclave's loader, in bytes", sizeof *d);
    }
    memset(d, 0, sizeof *d);
    d->kernel = kernel;
    d->enter = enter;
    d->fd = fd;
    *out = (struct sgx_processor){.self = d,
                                  .create = device_create,
                                  .add = device_add,
                                  .init = device_init,
                                  .enter = device_enter,
                                  .restrict_rights = device_restrict_rights,
                                  .trim = device_trim,
                                  .remove = device_remove};
    return true;
}

void sgx_device_free(struct sgx_processor *processor)
{
    if (processor == NULL || processor->self == NULL)
        return;
    struct sgx_device *d = processor->self;
    unmap(d, d->base, d->base + d->size);
    (void)d->kernel->close(d->kernel->context, d->fd);
    free(d);
    processor->self = NULL;
}
