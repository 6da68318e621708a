/* The table of calls, from calls.def. Linux's numbers of the machine that this is compiled for. */
#ifdef __x86_64__
#include <asm/prctl.h>
#endif
#include <asm/unistd.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include "sallyport/sallyport.h"

#define NONE                  \
    {                         \
        .kind = CALL_ARG_NONE \
    }
#define ANY                  \
    {                        \
        .kind = CALL_ARG_ANY \
    }
#define FD                  \
    {                       \
        .kind = CALL_ARG_FD \
    }
#define SIZE                  \
    {                         \
        .kind = CALL_ARG_SIZE \
    }
#define PLACE                  \
    {                          \
        .kind = CALL_ARG_PLACE \
    }
#define IN(n)                             \
    {                                     \
        .kind = CALL_ARG_IN, .value = (n) \
    }
#define OUT(n)                             \
    {                                      \
        .kind = CALL_ARG_OUT, .value = (n) \
    }
#define OUT_AT(n)                             \
    {                                         \
        .kind = CALL_ARG_OUT_AT, .value = (n) \
    }
#define GIVE(size)                                      \
    {                                                   \
        .kind = CALL_ARG_GIVE, .value = (int64_t)(size) \
    }
#define TAKE(size)                                      \
    {                                                   \
        .kind = CALL_ARG_TAKE, .value = (int64_t)(size) \
    }
#define POLLFDS(n)                             \
    {                                          \
        .kind = CALL_ARG_POLLFDS, .value = (n) \
    }
#define MASK(bits)                             \
    {                                          \
        .kind = CALL_ARG_MASK, .value = (bits) \
    }
#define IS(number)                             \
    {                                          \
        .kind = CALL_ARG_IS, .value = (number) \
    }
#define EITHER(a, b)                                        \
    {                                                       \
        .kind = CALL_ARG_EITHER, .value = (a), .other = (b) \
    }

#define CALL(call_name, call_home, ...) \
    {.name = #call_name,                \
     .number = __NR_##call_name,        \
     .home = CALL_##call_home,          \
     .args = {__VA_ARGS__}},
#define KEEP(call_name, call_number, ...) \
    {.name = #call_name, .number = (call_number), .home = CALL_KEEP, .args = {__VA_ARGS__}},
#define KEEP_LOCAL(call_name, call_number, ...) \
    {.name = #call_name, .number = (call_number), .home = CALL_LOCAL, .args = {__VA_ARGS__}},

const struct call calls[] = {
#include "sallyport/calls.def"
};
const size_t call_count = COUNT_OF(calls);

const struct call *call_find(uint64_t number)
{
    for (size_t i = 0; i < call_count; i++) {
        if (calls[i].number == number)
            return &calls[i];
    }
    return NULL;
}

/* An int's upper half the kernel does not look at, where the number is negative. */
static bool arg_fits(const struct call_arg *arg, uint64_t value)
{
    switch (arg->kind) {
    case CALL_ARG_MASK:
        return (value & ~(uint64_t)arg->value) == 0;
    case CALL_ARG_IS:
        return arg->value < 0 ? (uint32_t)value == (uint32_t)arg->value
                              : value == (uint64_t)arg->value;
    case CALL_ARG_EITHER:
        return value == (uint64_t)arg->value || value == (uint64_t)arg->other;
    default:
        return true;
    }
}

bool call_fits(const struct call *call, const uint64_t args[6])
{
    for (unsigned i = 0; i < 6; i++) {
        if (!arg_fits(&call->args[i], args[i]))
            return false;
    }
    return true;
}
