/* Sets of TEE technologies by their names. Private to the room. */
#pragma once

#include "identity/identity.h"

static inline const char *technology_name(enum identity_technology technology)
{
    switch (technology) {
    case IDENTITY_SNP:
        return "snp";
    case IDENTITY_SGX:
        return "sgx";
    case IDENTITY_TDX:
        return "tdx";
    }
    return "";
}

/* Adds the one of that name to the bits; false: there is none. */
static inline bool technology_add(struct bytes name, uint32_t *bits)
{
    for (unsigned i = IDENTITY_SNP; i <= IDENTITY_TDX; i++) {
        if (bytes_is(name, technology_name((enum identity_technology)i))) {
            *bits |= 1u << i;
            return true;
        }
    }
    return false;
}
