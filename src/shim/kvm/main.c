/* The user half's beginning, and the calls that it answers itself. */
#include <asm/unistd.h>

#include "sallyport/sallyport.h"
#include "shim/kvm/user.h"

#define ENOSYS 38
#define EINVAL 22

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

struct block *block(void)
{
    return (struct block *)BLOCK_VA;
}

int64_t shim_set_fs(uint64_t value)
{
    if (value >= USER_END)
        return -EINVAL;
    __asm__ volatile("wrfsbase %0" : : "r"(value));
    return 0;
}

static void leave(uint64_t port)
{
    if (user_mode == MODE_SNP)
        (void)kernel_request(KERNEL_LEAVE, port, 0, 0, 0);
    else
        __asm__ volatile("outb %%al, %%dx" : : "d"(port), "a"(0) : "memory");
}

_Noreturn void shim_end(void)
{
    for (;;)
        leave(PORT_PANIC);
}

static int64_t call_out(uint64_t number, const uint64_t args[6])
{
    struct transfer t;

    if (!proxy_put(&t, number, args))
        return -EINVAL;
    leave(PORT_CALL);
    return proxy_take(&t);
}

int64_t user_call(uint64_t number, const uint64_t args[6]);
int64_t user_call(uint64_t number, const uint64_t args[6])
{
    const struct call *call = call_find(number);
    int64_t result;

    if (call == 0 || !call_fits(call, args)) { /* the loader tells its name */
        (void)call_out(number, args);
        return -ENOSYS;
    }
    switch (number) {
    case __NR_rt_sigreturn:
        if (user_mode != MODE_KVM)
            proxy_panic("a handler returned, and none was called", 0);
        /* the stack as it was: entry.S has pushed seven words below the red zone */
        signal_done((uint64_t)args + 56 + 128);
        user_resume((const uint64_t *)((uint64_t)args + 56 + 128 + SIGNAL_GREGS_AT));
    case KEEP_CALL_PLATFORM_KEY:
        return guest_key((struct keep_platform_key *)args[0], args[1]);
    case KEEP_CALL_GUEST_REQUEST:
        return guest_request(args);
    default:
        return local_call(number, args, &result) ? result : call_out(number, args);
    }
}
