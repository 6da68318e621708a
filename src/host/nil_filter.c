/* The sandbox of `nil`: a seccomp filter made from the table of calls (seccomp(2), and
 * Documentation/userspace-api/seccomp_filter.rst in Linux). A call of the table whose enforced
 * arguments fit is made; every other goes to the loader, or gives ENOSYS where there can be no
 * listener. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/internal.h"

const bool nil_has_filter = true;

/* Calls of the x32 ABI have this bit (asm/unistd.h). */
#define X32_BIT 0x40000000u

/* The only place that may start the keep. A filter cannot look at a path, and an absolute one would
 * start any program of the host; but it sees where a call comes from. In the keep no system call
 * ends at this address: its own program lies at another, chosen by the kernel, and it can make no
 * memory executable, as the table has neither PROT_EXEC nor another call that would. */
long nil_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);
extern const char nil_execveat_called[];
_Static_assert(SYS_execveat == 322, "the number below");
__asm__(".pushsection .text\n"
        ".hidden nil_execveat\n"
        ".hidden nil_execveat_called\n"
        ".globl nil_execveat, nil_execveat_called\n"
        ".type nil_execveat, @function\n"
        "nil_execveat:\n"
        "    endbr64\n"
        "    movq %rcx, %r10\n"
        "    movl $322, %eax\n"
        "    syscall\n"
        "nil_execveat_called:\n"
        "    ret\n"
        ".size nil_execveat, . - nil_execveat\n"
        ".popsection\n");

/* Instructions: a listed call takes at most 2 + 6 arguments of 6. */
#define FILTER_MAX 2048

struct filter {
    struct sock_filter code[FILTER_MAX];
    size_t size;
};

static struct filter with_listener, without_listener, closing;

static void emit(struct filter *f, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
    assert(f->size < FILTER_MAX);
    f->code[f->size++] = (struct sock_filter){.code = code, .jt = if_true, .jf = if_false, .k = k};
}

static void emit_return(struct filter *f, uint32_t action)
{
    emit(f, BPF_RET | BPF_K, action, 0, 0);
}

static void load(struct filter *f, size_t at)
{
    emit(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)at, 0, 0);
}

/* Half of an argument: little-endian. */
static void load_half(struct filter *f, unsigned arg, bool is_high)
{
    load(f, offsetof(struct seccomp_data, args) + 8 * (size_t)arg + (is_high ? 4 : 0));
}

static void load_number(struct filter *f)
{
    load(f, offsetof(struct seccomp_data, nr));
}

/* The two instructions that jump over what follows them when the accumulator is, or has, not what
 * it should. Patched by `close_block`, since the block's length is known at its end. */
#define TO_BLOCK_END 0xff

/* Checks one argument; on a misfit jumps to the end of the call's block. */
static void emit_arg(struct filter *f, unsigned index, const struct call_arg *arg)
{
    uint32_t low = (uint32_t)arg->value, high = (uint32_t)((uint64_t)arg->value >> 32);

    switch (arg->kind) {
    case CALL_ARG_MASK:
        load_half(f, index, false);
        emit(f, BPF_JMP | BPF_JSET | BPF_K, ~low, TO_BLOCK_END, 0);
        load_half(f, index, true);
        emit(f, BPF_JMP | BPF_JSET | BPF_K, ~high, TO_BLOCK_END, 0);
        break;
    case CALL_ARG_IS:
        load_half(f, index, false);
        emit(f, BPF_JMP | BPF_JEQ | BPF_K, low, 0, TO_BLOCK_END);
        if (arg->value < 0) /* an int, whose upper half the kernel does not look at */
            break;
        load_half(f, index, true);
        emit(f, BPF_JMP | BPF_JEQ | BPF_K, high, 0, TO_BLOCK_END);
        break;
    case CALL_ARG_EITHER:
        load_half(f, index, false);
        emit(f, BPF_JMP | BPF_JEQ | BPF_K, low, 1, 0);
        emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)arg->other, 0, TO_BLOCK_END);
        load_half(f, index, true);
        emit(f, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, TO_BLOCK_END);
        break;
    default:
        break;
    }
}

/* Checks that the call comes from the instruction before `address`. */
static void emit_caller(struct filter *f, const char *address)
{
    uint64_t value = (uintptr_t)address;
    size_t at = offsetof(struct seccomp_data, instruction_pointer);

    load(f, at);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)value, 0, TO_BLOCK_END);
    load(f, at + 4);
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value >> 32), 0, TO_BLOCK_END);
}

/* Allows a call whose arguments fit, from anywhere or from `caller` alone; what does not fit goes
 * on behind the block. */
static void emit_call(struct filter *f, uint32_t number, const struct call_arg args[6],
                      const char *caller)
{
    size_t start = f->size;

    emit(f, BPF_JMP | BPF_JEQ | BPF_K, number, 0, TO_BLOCK_END);
    if (caller != NULL)
        emit_caller(f, caller);
    for (unsigned i = 0; i < 6; i++)
        emit_arg(f, i, &args[i]);
    emit_return(f, SECCOMP_RET_ALLOW);
    for (size_t i = start; i < f->size; i++) {
        size_t left = f->size - i - 1;
        assert(left < TO_BLOCK_END);
        if (f->code[i].jt == TO_BLOCK_END)
            f->code[i].jt = (uint8_t)left;
        if (f->code[i].jf == TO_BLOCK_END)
            f->code[i].jf = (uint8_t)left;
    }
    if (f->size - start > 2) /* something else was loaded over the number */
        load_number(f);
}

/* Calls of another architecture, or of x32, have numbers that mean something else. */
static void emit_start(struct filter *f)
{
    f->size = 0;
    load(f, offsetof(struct seccomp_data, arch));
    emit(f, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    emit_return(f, SECCOMP_RET_ERRNO | ENOSYS);
    load_number(f);
    emit(f, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
    emit_return(f, SECCOMP_RET_ERRNO | ENOSYS);
}

/* The loader's own last steps. sendmsg and seccomp go away with the second filter, and the place
 * that may start the image with the loader's memory. */
static void emit_loader(struct filter *f, int image)
{
    const struct call_arg any[6] = {{.kind = CALL_ARG_ANY}};
    const struct call_arg exec[6] = {
        {.kind = CALL_ARG_IS, .value = image},
        {.kind = CALL_ARG_PLACE},
        {.kind = CALL_ARG_PLACE},
        {.kind = CALL_ARG_PLACE},
        {.kind = CALL_ARG_IS, .value = AT_EMPTY_PATH},
    };

    emit_call(f, SYS_sendmsg, any, NULL);
    emit_call(f, SYS_seccomp, any, NULL);
    emit_call(f, SYS_execveat, exec, nil_execveat_called);
}

static bool is_enforced(const struct call *call)
{
    for (size_t i = 0; i < COUNT_OF(call->args); i++) {
        if (call->args[i].kind >= CALL_ARG_MASK)
            return true;
    }
    return false;
}

static void emit_table(struct filter *f)
{
    /* the kernel remembers calls that are always allowed; those that it has to look at come first
     */
    for (int enforced = 1; enforced >= 0; enforced--) {
        for (size_t i = 0; i < call_count; i++) {
            if (calls[i].home != CALL_KEEP && is_enforced(&calls[i]) == enforced)
                emit_call(f, calls[i].number, calls[i].args, NULL);
        }
    }
}

static void prepare(struct filter *f, int image, uint32_t otherwise)
{
    emit_start(f);
    emit_table(f);
    emit_loader(f, image);
    emit_return(f, otherwise);
}

void nil_filter_prepare(int image)
{
    const struct call_arg any[6] = {{.kind = CALL_ARG_ANY}};

    prepare(&with_listener, image, SECCOMP_RET_USER_NOTIF);
    prepare(&without_listener, image, SECCOMP_RET_ERRNO | ENOSYS);
    emit_start(&closing);
    emit_call(&closing, SYS_sendmsg, any, NULL);
    emit_call(&closing, SYS_seccomp, any, NULL);
    for (size_t i = 0; i < closing.size; i++) {
        if (closing.code[i].k == SECCOMP_RET_ALLOW && closing.code[i].code == (BPF_RET | BPF_K))
            closing.code[i].k = SECCOMP_RET_ERRNO | ENOSYS;
    }
    emit_return(&closing, SECCOMP_RET_ALLOW);
}

static long install(struct filter *f, unsigned flags)
{
    struct sock_fprog program = {.len = (unsigned short)f->size, .filter = f->code};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

int nil_filter_install(int *listener)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    long fd = install(&with_listener, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    *listener = (int)fd;
    if (fd >= 0)
        return 0;
    /* EBUSY: a filter above us has the listener; EINVAL: the kernel knows none */
    if (errno != EBUSY && errno != EINVAL)
        return errno;
    *listener = -1;
    return install(&without_listener, 0) == 0 ? 0 : errno;
}

int machine_filter_install(int device, const struct device_request *requests, size_t count)
{
    emit_start(&without_listener);
    for (size_t i = 0; i < count; i++) {
        const struct call_arg args[6] = {
            {.kind = CALL_ARG_IS, .value = device},
            {.kind = CALL_ARG_IS, .value = (int64_t)requests[i].number},
            {.kind = requests[i].has_argument ? CALL_ARG_ANY : CALL_ARG_IS},
        };
        emit_call(&without_listener, SYS_ioctl, args, NULL);
    }
    emit_table(&without_listener);
    emit_return(&without_listener, SECCOMP_RET_ERRNO | ENOSYS);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    return install(&without_listener, 0) == 0 ? 0 : errno;
}

int nil_filter_close(void)
{
    return install(&closing, 0) == 0 ? 0 : errno;
}

int nil_filter_exec(int image, char *const argv[], char *const envp[])
{
    return (int)-nil_execveat(image, "", argv, envp, AT_EMPTY_PATH);
}
