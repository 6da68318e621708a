/* What a machine finds in the sallyport's block, when the host lies: src/host/kvm_calls.c asks here
 * after each call that it has made. It runs in the process around the machine, which can make no
 * calls but those of the table. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/internal.h"
#include "shim/kvm/shim.h"
#include "testhost.h"

#define CALLS_MAX 128
#define NOT_OPEN 999
#define OFF_THE_LIST (-5000)
#define SOMEWHERE 0x7fff00000000 /* an address such as a program has */

static struct answer_plan plan;
/* Shared with the machine's process. */
static uint64_t *counts;
static struct {
    bool has_memory_end, has_image_size, has_can_grow;
    uint64_t memory_end, image_size, can_grow;
} words;

void answer_add_word(const char *text)
{
    size_t size = strcspn(text, "=");

    must(text[size] == '=', "--word takes NAME=VALUE");
    uint64_t value = strtoull(text + size + 1, NULL, 0);
    if (strncmp(text, "memory_end=", size + 1) == 0) {
        words.has_memory_end = true;
        words.memory_end = value;
    } else if (strncmp(text, "can_grow=", size + 1) == 0) {
        words.has_can_grow = true;
        words.can_grow = value;
    } else {
        must(strncmp(text, "image_size=", size + 1) == 0,
             "--word: memory_end, image_size or can_grow?");
        words.has_image_size = true;
        words.image_size = value;
    }
}

void answer_setup(const struct answer_plan *given)
{
    plan = *given;
    must(call_count <= CALLS_MAX, "more calls than there is room for");
    counts = mmap(NULL, CALLS_MAX * sizeof *counts, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(counts != MAP_FAILED, "no memory");
}

void answer_done(void)
{
    if (plan.calls == NULL)
        return;
    FILE *file = fopen(plan.calls, "w");
    must(file != NULL, plan.calls);
    for (size_t i = 0; i < call_count; i++) {
        if (counts[i] != 0)
            (void)fprintf(file, "%s %lu\n", calls[i].name, counts[i]);
    }
    must(fclose(file) == 0, plan.calls);
}

/* ---- lies ---- */

struct place {
    uint64_t at, size;
};

/* How much was asked for: bytes, or descriptors of ppoll; where nothing was, the result. */
static uint64_t asked(const struct block *b, const struct call *call)
{
    uint64_t size = (uint64_t)b->result;

    for (size_t i = 0; i < COUNT_OF(call->args); i++) {
        const struct call_arg *arg = &call->args[i];
        if (arg->kind == CALL_ARG_IN || arg->kind == CALL_ARG_OUT || arg->kind == CALL_ARG_POLLFDS)
            size = b->args[arg->value];
    }
    return size;
}

static uint32_t size_at(const struct block *b, uint64_t at)
{
    uint32_t size = 0;

    if (at <= BLOCK_DATA_SIZE - sizeof size)
        memcpy(&size, b->data + at, sizeof size);
    return size;
}

/* What the call has written; empty: nothing. */
static struct place written(const struct block *b, const struct call *call)
{
    for (size_t i = 0; i < COUNT_OF(call->args); i++) {
        const struct call_arg *arg = &call->args[i];
        struct place place = {.at = b->args[i]};
        if (arg->kind == CALL_ARG_OUT && b->result > 0)
            place.size = (uint64_t)b->result;
        else if (arg->kind == CALL_ARG_TAKE)
            place.size = (uint64_t)arg->value;
        else if (arg->kind == CALL_ARG_POLLFDS)
            place.size = b->args[arg->value] * sizeof(struct pollfd);
        else if (arg->kind == CALL_ARG_OUT_AT)
            place.size = size_at(b, b->args[arg->value]);
        if (place.size != 0 && place.size <= BLOCK_DATA_SIZE &&
            place.at <= BLOCK_DATA_SIZE - place.size)
            return place;
    }
    return (struct place){.size = 0};
}

static void make_noise(void *out, size_t size)
{
    static uint64_t state = 0x9e3779b97f4a7c15;
    uint8_t *at = out;

    for (size_t i = 0; i < size; i++) { /* xorshift64 */
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        at[i] = (uint8_t)state;
    }
}

static void tell_length(struct block *b, const struct call *call, uint32_t size)
{
    for (size_t i = 0; i < COUNT_OF(call->args); i++) {
        const struct call_arg *arg = &call->args[i];
        if (arg->kind == CALL_ARG_OUT_AT && b->args[arg->value] <= BLOCK_DATA_SIZE - sizeof size)
            memcpy(b->data + b->args[arg->value], &size, sizeof size);
    }
}

/* A lie about memory. */
static void tell_memory(struct block *b, const struct call *call, const struct lie *lie)
{
    struct place place = written(b, call);
    uint64_t bit = (uint64_t)lie->value;

    if (lie->kind == LIE_FLIP && place.size != 0)
        b->data[place.at + bit / 8 % place.size] ^= (uint8_t)(1u << (bit % 8));
    else if (lie->kind == LIE_NOISE)
        make_noise(b->data + place.at, (size_t)place.size);
    else if (lie->kind == LIE_LENGTH)
        tell_length(b, call, lie->has_value ? (uint32_t)lie->value : INT32_MAX);
    else if (lie->kind == LIE_SCRIBBLE)
        make_noise(b, offsetof(struct block, result));
}

static int64_t told(const struct block *b, const struct call *call, const struct lie *lie)
{
    switch (lie->kind) {
    case LIE_ERRNO:
        return lie->has_value ? -lie->value : -EIO;
    case LIE_NEGATIVE:
        return lie->has_value ? lie->value : OFF_THE_LIST;
    case LIE_ZERO:
        return 0;
    case LIE_SHORT:
        return b->result / 2;
    case LIE_LONG:
        return (int64_t)asked(b, call) + 1;
    case LIE_HUGE:
        return INT64_MAX;
    case LIE_FD:
        return lie->has_value ? lie->value : NOT_OPEN;
    case LIE_POINTER:
        return SOMEWHERE;
    default:
        return b->result;
    }
}

void platform_answer(struct block *block, const struct call *call)
{
    if (call == NULL) {
        if (words.has_memory_end)
            block->memory_end = words.memory_end;
        if (words.has_image_size)
            block->image_size = words.image_size;
        if (words.has_can_grow)
            block->can_grow = words.can_grow;
        return;
    }
    machine_has_called(call);
    enclave_has_called(call);
    if (counts == NULL)
        return;
    uint64_t nth = ++counts[call - calls];
    const struct lie *lie = lies_find(plan.lies, call, nth, false);
    if (lie == NULL)
        return;
    block->result = told(block, call, lie);
    tell_memory(block, call, lie);
}
