/* A stack as Linux gives one to a new program (System V ABI, x86-64, §3.4.1). */
#include <elf.h>

#include "shim/shim.h"

static uint64_t push(uint64_t *stack, uint64_t value)
{
    *stack -= 8;
    *(uint64_t *)*stack = value;
    return *stack;
}

uint64_t stack_build(uint64_t top, uint64_t base, const void *headers)
{
    static const char name[] = "broch-keep";
    const Elf64_Ehdr *e = headers;
    uint64_t stack = top - (shim_random() & 0xff0);
    uint64_t random_at = stack -= 16;

    ((uint64_t *)random_at)[0] = shim_random();
    ((uint64_t *)random_at)[1] = shim_random();
    stack -= 16;
    for (unsigned i = 0; i < sizeof name; i++)
        ((char *)stack)[i] = name[i];
    const uint64_t aux[][2] = {{AT_PHDR, base + e->e_phoff},
                               {AT_PHENT, e->e_phentsize},
                               {AT_PHNUM, e->e_phnum},
                               {AT_PAGESZ, BLOCK_PAGE_SIZE},
                               {AT_BASE, 0},
                               {AT_ENTRY, base + e->e_entry},
                               {AT_UID, 1000},
                               {AT_EUID, 1000},
                               {AT_GID, 1000},
                               {AT_EGID, 1000},
                               {AT_SECURE, 0},
                               {AT_RANDOM, random_at},
                               {AT_EXECFN, stack},
                               {AT_NULL, 0}};
    uint64_t name_at = stack;
    stack &= ~15ull;
    if ((sizeof aux / 8 + 4) % 2 != 0)
        stack -= 8;
    for (unsigned i = sizeof aux / sizeof aux[0]; i-- > 0;) {
        (void)push(&stack, aux[i][1]);
        (void)push(&stack, aux[i][0]);
    }
    (void)push(&stack, 0); /* environment */
    (void)push(&stack, 0);
    (void)push(&stack, name_at);
    return push(&stack, 1);
}
