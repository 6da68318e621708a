#include "evidence/collateral_parts.h"

/* Puts two arrays behind each other. When one is empty the other serves as it is. */
static bool join(const void *a, size_t a_count, const void *b, size_t b_count, size_t size,
                 struct arena *arena, const void **out)
{
    *out = a_count != 0 ? a : b;
    if (a_count == 0 || b_count == 0)
        return true;
    uint8_t *both = arena_alloc(arena, (a_count + b_count) * size, _Alignof(max_align_t));
    if (both == NULL)
        return false;
    memcpy(both, a, a_count * size);
    memcpy(both + a_count * size, b, b_count * size);
    *out = both;
    return true;
}

#define JOIN(array, count, field) \
    join(a->array, a->count, b->array, b->count, sizeof a->array[0], arena, &field)

static bool join_all(const struct collateral *a, const struct collateral *b, struct arena *arena,
                     struct collateral_view *out)
{
    const void *certificates, *crls, *tcb_infos, *identities;

    if (!JOIN(certificates, certificate_count, certificates) || !JOIN(crls, crl_count, crls) ||
        !JOIN(tcb_infos, tcb_info_count, tcb_infos) ||
        !JOIN(identities, identity_count, identities))
        return false;
    *out = (struct collateral_view){
        .certificates = certificates,
        .certificate_count = a->certificate_count + b->certificate_count,
        .crls = crls,
        .crl_count = a->crl_count + b->crl_count,
        .tcb_infos = tcb_infos,
        .tcb_info_count = a->tcb_info_count + b->tcb_info_count,
        .identities = identities,
        .identity_count = a->identity_count + b->identity_count,
    };
    return true;
}

bool collateral_view_make(const struct collateral *a, const struct collateral *b,
                          struct arena *arena, struct collateral_view *out)
{
    static const struct collateral nothing;

    *out = (struct collateral_view){.certificate_count = 0};
    return join_all(a != NULL ? a : &nothing, b != NULL ? b : &nothing, arena, out);
}
