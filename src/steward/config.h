/* steward.toml: the server's settings and the policy. docs/steward.md has the keys. */
#pragma once

#include "evidence/evidence.h"
#include "identity/identity.h"
#include "steward/file_set.h"
#include "steward/nonce.h"

#define CONFIG_NAME_DEFAULT "steward.toml"
#define CONFIG_SIZE_MAX ((size_t)1 << 20)

/* What a workload must be: every part that is given must fit. */
struct workload_rule {
    struct bytes workload;          /* host/user/repo; empty: any, also none */
    struct toml_texts tags;         /* none: any */
    struct toml_texts digest_texts; /* as they are written */
    const struct bytes *digests;    /* 32 bytes each, as many */
    uint32_t technologies;          /* bits: 1 << enum identity_technology; 0: any */
};

struct workload_policy {
    bool any, platform, enarx; /* any workload; keeps without one; Enarx's keeps */
    const struct workload_rule *rules;
    size_t rule_count;
    bool unverified_as_local; /* a slug that nobody proved becomes no slug; else it is refused */
};

/* A registry whose tags the Steward reads, so that it can certify slugs of it. */
struct steward_registry {
    struct bytes host;                 /* canonical, with a port unless it is 443 */
    struct bytes ca, certificate, key; /* files; ca empty: web-pki */
    struct bytes ca_pem, certificate_pem, key_pem;
};

struct steward_config {
    struct bytes trust_domain;
    struct bytes url; /* as keeps reach the Steward, without a '/' at its end */
    struct {
        struct bytes listen, certificate, key, user; /* PEM files */
        uint64_t workers, address_rate, global_rate;
    } server;
    struct {
        struct bytes certificate, key;
    } ca;
    struct {
        struct bytes certificate, key, collateral; /* empty: there is no such CA */
        struct toml_texts roots;
    } simulation;
    struct toml_texts nonce_keys;
    struct bytes store, audit, simulation_audit;
    uint64_t lifetime_hours, clock_skew_seconds;
    struct {
        struct bytes folder, amd, intel, ca;
    } collateral;
    struct workload_policy workloads;
    struct steward_registry *registries;
    size_t registry_count;
    struct evidence_policy evidence;

    /* The contents of files that it names. */
    struct bytes server_certificate_pem, server_key_pem, ca_pem, simulation_ca_pem,
        collateral_ca_pem;
    struct nonce_keys nonces;
    const struct bytes *collateral_files; /* of both folders */
    size_t collateral_file_count;
};

/* Reads the text and, from the set, the files that it names; those with the keys of CAs are not
 * read. What it has is borrowed from the text, the set and the arena. False: *error, with line 0
 * when it is about a file. */
MUST_CHECK bool steward_config_parse(struct bytes text, struct file_set *files, struct arena *arena,
                                     struct steward_config *out, struct text_error *error);

/* Whether the policy admits the workload, and in `why` the reason when not. */
bool workload_policy_admits(const struct workload_policy *policy, const struct identity *identity,
                            enum identity_namespace space, const char **why);
