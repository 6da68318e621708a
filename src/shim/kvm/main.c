/* The user half's beginning, and the calls that it answers itself. */
#include <asm/unistd.h>

#include "sallyport/sallyport.h"
#include "shim/kvm/user.h"

#define ENOSYS 38
#define EINVAL 22
#define GREGS_AT 40 /* in a ucontext: flags, link, stack before them */

struct start {
    uint64_t entry, stack;
};

uint64_t user_mode;

/* In RAX and RDX. */
struct start user_init(uint64_t mode);
struct start user_init(uint64_t mode)
{
    volatile struct block *b = block();
    uint64_t memory_end = b->memory_end, image_size = b->image_size;
    struct start start;

    user_mode = mode;
    if (mode != MODE_KVM)
        guest_check();
    if (!memory_init(memory_end))
        proxy_panic("the machine has too little memory", memory_end);
    elf_start(image_size, &start.entry, &start.stack);
    (void)kernel_request(KERNEL_SEAL, 0, 0, 0, 0);
    return start;
}

static int64_t set_fs(uint64_t value)
{
    if (value >= USER_END)
        return -EINVAL;
    __asm__ volatile("wrfsbase %0" : : "r"(value));
    return 0;
}

static int64_t random_bytes(uint8_t *out, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += 8) {
        uint64_t value = memory_random();
        for (uint64_t i = at; i < size && i < at + 8; i++, value >>= 8)
            out[i] = (uint8_t)value;
    }
    return (int64_t)size;
}

int64_t user_call(uint64_t number, const uint64_t args[6]);
int64_t user_call(uint64_t number, const uint64_t args[6])
{
    const struct call *call = call_find(number);

    if (call == 0 || !call_fits(call, args)) { /* the loader tells its name */
        (void)proxy_call(number, args);
        return -ENOSYS;
    }
    switch (number) {
    case __NR_brk:
        return memory_brk(args[0]);
    case __NR_mmap:
        return memory_map(args[1], args[2], args[3]);
    case __NR_munmap:
        return memory_unmap(args[0], args[1]);
    case __NR_mprotect:
        return memory_protect(args[0], args[1], args[2]);
    case __NR_arch_prctl:
        return set_fs(args[1]);
    case __NR_set_tid_address:
        return 1;
    case __NR_futex:
        return 0; /* nobody else waits */
    case __NR_rt_sigaction:
        return signal_action(args[0], (const struct kernel_action *)args[1],
                             (struct kernel_action *)args[2]);
    case __NR_rt_sigprocmask:
        return signal_mask(args[0], (const uint64_t *)args[1], (uint64_t *)args[2]);
    case __NR_rt_sigreturn:
        if (user_mode != MODE_KVM)
            proxy_panic("a handler returned, and none was called", 0);
        /* the stack as it was: entry.S has pushed seven words below the red zone */
        signal_done((uint64_t)args + 56 + 128);
        user_resume((const uint64_t *)((uint64_t)args + 56 + 128 + GREGS_AT));
    case __NR_sigaltstack:
        return signal_stack((const uint64_t *)args[0], (uint64_t *)args[1]);
    case KEEP_CALL_PLATFORM_KEY:
        return guest_key((struct keep_platform_key *)args[0], args[1]);
    case KEEP_CALL_GUEST_REQUEST:
        return guest_request(args);
    case __NR_getrandom:
        return random_bytes((uint8_t *)args[0], args[1]);
    default:
        return proxy_call(number, args);
    }
}
