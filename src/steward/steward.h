/* The Steward: attestation service and certificate authority. What its programs need of it; the
 * other public headers of the room are its parts that commands use by themselves. */
#pragma once

#include "steward/config.h"

/* A configuration and what it stands in. */
struct steward_setup {
    struct arena arena;
    struct file_set *files;
    struct bytes text;
    struct steward_config config;
    /* As programs open them, relative to the configuration's folder. */
    const char *ca, *ca_key, *simulation_ca, *simulation_key, *store, *audit, *simulation_audit;
};

#define STEWARD_FAULT_SIZE 512

/* Reads the file. False: `fault` says in words what is wrong, and where. */
MUST_CHECK bool steward_setup_read(const char *path, struct steward_setup *out,
                                   char fault[STEWARD_FAULT_SIZE]);
/* Wipes and frees; also what was never read, when it is zero. */
void steward_setup_done(struct steward_setup *setup);

/* Serves until SIGTERM or SIGINT, and reads the configuration again on SIGHUP. Says on stdout where
 * it listens once it does. Returns an exit status; what went wrong is logged. */
int steward_serve(const char *config_path);

/* A new Steward's folder: keys, certificates, configuration. */
struct steward_init {
    const char *folder; /* is made; must not have a configuration yet */
    const char *trust_domain;
    const char *host; /* as keeps reach it, with a port or without */
    bool simulation;  /* a CA for simulated platforms, too */
    const char *
        simulated_platforms; /* the folder of `broch sim init`, whose roots are believed; or NULL */
    /* Ended by NULL, or NULL: */
    const char *const *references; /* files of reference values, with whole paths */
    const char *const *registries; /* HOST, then its CA's file with its whole path or "web-pki" */
};
MUST_CHECK bool steward_init(const struct steward_init *options, struct err *err);
