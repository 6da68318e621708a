/* Intel's descriptions from any bytes: what is parsed keeps the limits. */
#include <assert.h>

#include "evidence/tcb_info.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_from(data, size);
    struct enclave_identity identity;
    struct tcb_info info;
    struct arena arena;
    struct err err = {.msg = NULL};

    arena_init(&arena, arena_heap, (size_t)16 << 20);
    if (tcb_info_parse(in, &arena, &info, &err)) {
        assert(info.level_count >= 1 && info.level_count <= TCB_LEVELS_MAX);
        assert(info.module_count <= TCB_MODULES_MAX);
        for (size_t i = 0; i < info.level_count; i++)
            assert(info.levels[i].status < TCB_NOT_SUPPORTED);
    } else {
        assert(err.msg != NULL);
    }
    err.msg = NULL;
    if (enclave_identity_parse(in, &arena, &identity, &err))
        assert(identity.level_count >= 1 && identity.level_count <= TCB_LEVELS_MAX);
    else
        assert(err.msg != NULL);
    arena_done(&arena);
    return 0;
}
