/* drawbridge.toml; docs/drawbridge.md has the keys. Private to the room but for its programs. */
#pragma once

#include "base/base.h"
#include "base/toml_table.h"

#define DRAWBRIDGE_CONFIG_DEFAULT "drawbridge.toml"
#define DRAWBRIDGE_STEWARDS_MAX 64u

/* A Steward whose platform certificates read private repositories, all of them. */
struct trusted_steward {
    struct bytes name;
    struct bytes ca;     /* file; PEM: the end of its chain */
    struct bytes client; /* file; PEM: the certificate with which itself it reads tags; or empty */
    bool is_simulated;   /* believes simulated platforms, too */
    uint32_t technologies; /* bits: 1 << enum identity_technology; 0: any */
};

struct drawbridge_config {
    struct {
        struct bytes listen, certificate, key;
        uint64_t workers, address_rate, global_rate, connections;
    } server;
    struct bytes store;
    struct {
        struct bytes issuer, audience, keys;
    } tokens;
    uint64_t node_max; /* bytes of one file */
    const struct trusted_steward *stewards;
    size_t steward_count;
};

/* Reads the text; *out borrows from it and the arena. False: *error. */
MUST_CHECK bool drawbridge_config_parse(struct bytes text, struct arena *arena,
                                        struct drawbridge_config *out, struct text_error *error);
