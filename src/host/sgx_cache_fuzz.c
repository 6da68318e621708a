/* Chains in PEM from any bytes. */
#include <assert.h>

#include "host/sgx_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes certificates[SGX_CHAIN_MAX];
    struct arena arena;
    size_t count = 0;
    struct err err = {.code = ERR_NONE};

    arena_init(&arena, arena_heap, (size_t)16 << 20);
    if (sgx_chain_parse(bytes_from(data, size), &arena, certificates, &count, &err)) {
        assert(count <= SGX_CHAIN_MAX);
        for (size_t i = 0; i < count; i++)
            assert(certificates[i].size != 0 && certificates[i].size < size);
    } else {
        assert(err.code != ERR_NONE && err.msg != NULL);
    }
    arena_done(&arena);
    return 0;
}
