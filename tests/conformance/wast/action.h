/* What the commands of a script do: make modules, call functions, read globals. Each ends in an
 * outcome, which script.c holds against what the script expects. */
#pragma once

#include "feature.h"
#include "value.h"
#include "wasm/wasm.h"

enum outcome_kind {
    OUTCOME_DONE,        /* results */
    OUTCOME_MALFORMED,   /* the module's text or bytes */
    OUTCOME_INVALID,     /* the module */
    OUTCOME_UNLINKABLE,  /* the module */
    OUTCOME_TRAP,        /* the call, or the module's segments or start function */
    OUTCOME_UNSUPPORTED, /* needs `feature` */
    OUTCOME_BROKEN       /* anything that no assertion expects */
};

struct outcome {
    enum outcome_kind kind;
    enum feature feature;
    struct bytes text; /* the message, unless it is done */
    struct value *results;
    uint32_t result_count;
};

/* What a script has made so far. */
struct session {
    struct arena *arena; /* outlives the session */
    struct wasm_engine *engine;
    struct wasm_store *store;
    struct wasm_linker *linker;
    struct kept_module *modules;
    struct unit *units; /* modules by name, the newest first */
    const struct absent *absent;
};

/* Free it, whether or not it could be made. */
MUST_CHECK bool session_init(struct session *s, enum wasm_bounds bounds, struct arena *arena,
                             struct err *err);
void session_done(struct session *s);

enum depth {
    DEPTH_VALIDATE, /* modules are only judged */
    DEPTH_RUN       /* modules are instantiated */
};

/* Performs (module …), (invoke …) or (get …). */
struct outcome action_perform(struct session *s, const struct sexpr *action, enum depth depth);

/* The command (module …), whose instance later commands speak of; fields: behind its name. */
struct outcome action_module(struct session *s, const struct sexpr *fields, struct bytes id);

/* The command (register …). */
struct outcome action_register(struct session *s, const struct sexpr *command);
