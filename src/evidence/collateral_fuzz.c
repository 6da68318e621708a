/* Endorsements in every form, and files of evidence around them, from any bytes: what is shown of
 * them is text, and what is refused says why. */
#include <assert.h>

#include "evidence/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void show(struct bytes in)
{
    struct fact_list list;
    struct arena arena;
    struct err err;

    arena_init(&arena, arena_heap, (size_t)16 << 20);
    if (evidence_facts(in, &arena, &list, &err)) {
        for (size_t i = 0; i < list.count; i++) {
            assert(list.items[i].kind != NULL && list.items[i].count <= FACTS_MAX);
            for (size_t k = 0; k < list.items[i].count; k++)
                assert(list.items[i].facts[k].value != NULL);
        }
    } else {
        assert(err.code != ERR_NONE && err.msg != NULL);
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_from(data, size);
    struct collateral *collateral;
    struct err err = {.msg = NULL};

    assert(collateral_new(&collateral, &err));
    assert(collateral_add(collateral, in, &err) || err.msg != NULL);
    assert(collateral_add(collateral, in, &err) || err.msg != NULL);
    collateral_free(collateral);
    show(in);
    return 0;
}
