/* The calls that a shim answers itself (DESIGN.md §4): memory, signals, randomness, and what a
 * process with one thread has no need of. */
#include <asm/unistd.h>

#include "shim/shim.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *at = to;

    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
    return to;
}

void *memset(void *to, int value, size_t size)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
    return to;
}

uint64_t shim_random(void)
{
    uint64_t value;
    unsigned char ok;

    for (unsigned i = 0; i < 1000; i++) {
        __asm__ volatile("rdrand %0; setc %1" : "=r"(value), "=q"(ok));
        if (ok)
            return value;
    }
    proxy_panic("the processor gives no random numbers", 0);
}

static int64_t random_bytes(uint8_t *out, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += 8) {
        uint64_t value = shim_random();
        for (uint64_t i = at; i < size && i < at + 8; i++, value >>= 8)
            out[i] = (uint8_t)value;
    }
    return (int64_t)size;
}

bool local_call(uint64_t number, const uint64_t args[6], int64_t *result)
{
    switch (number) {
    case __NR_brk:
        *result = memory_brk(args[0]);
        return true;
    case __NR_mmap:
        *result = memory_map(args[1], args[2], args[3]);
        return true;
    case __NR_munmap:
        *result = memory_unmap(args[0], args[1]);
        return true;
    case __NR_mprotect:
        *result = memory_protect(args[0], args[1], args[2]);
        return true;
    case __NR_arch_prctl:
        *result = shim_set_fs(args[1]);
        return true;
    case __NR_set_tid_address:
        *result = 1;
        return true;
    case __NR_futex:
        *result = 0; /* nobody else waits */
        return true;
    case __NR_rt_sigaction:
        *result = signal_action(args[0], (const struct kernel_action *)args[1],
                                (struct kernel_action *)args[2]);
        return true;
    case __NR_rt_sigprocmask:
        *result = signal_mask(args[0], (const uint64_t *)args[1], (uint64_t *)args[2]);
        return true;
    case __NR_sigaltstack:
        *result = signal_stack((const uint64_t *)args[0], (uint64_t *)args[1]);
        return true;
    case __NR_getrandom:
        *result = random_bytes((uint8_t *)args[0], args[1]);
        return true;
    default:
        return false;
    }
}
