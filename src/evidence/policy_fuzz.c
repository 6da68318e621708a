/* Policies from any text: what is refused has a place and words. */
#include <assert.h>

#include "evidence/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct evidence_policy policy;
    struct text_error error;
    struct arena arena;

    arena_init(&arena, arena_heap, (size_t)64 << 20);
    if (evidence_policy_parse(bytes_from(data, size), &arena, &policy, &error))
        assert(policy.snp.versions < 1u << 6 && policy.snp.vmpls < 1u << 4);
    else
        assert(error.line >= 1 && error.column >= 1 && error.text[0] != '\0');
    arena_done(&arena);
    return 0;
}
