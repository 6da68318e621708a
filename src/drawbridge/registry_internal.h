/* Private to registry*.c. */
#pragma once

#include "db/db.h"
#include "drawbridge/registry.h"

enum statement {
    GET_USER,
    ADD_USER,
    LIST_USERS,
    GET_REPO,
    ADD_REPO,
    SET_PUBLIC,
    LIST_REPOS,
    GET_TAG,
    ADD_TAG,
    DELETE_TAG,
    DELETE_NODES,
    YANK_TAG,
    LIST_TAGS,
    GET_NODE,
    ADD_NODE,
    SET_BLOB,
    COUNT_MISSING,
    GET_MISSING,
    LIST_MISSING,
    ADD_BLOB,
    ADD_TOKEN,
    GET_TOKEN,
    REVOKE_TOKEN,
    LIST_TOKENS,
    PUT_STEWARD,
    DELETE_STEWARD,
    LIST_STEWARDS,
    GET_USE,
    LIST_UNUSED,
    DELETE_BLOB,
    HAS_BLOB,
    LIST_BLOBS,
    ALL_TAGS,
    ALL_NODES,
    STATEMENTS
};

struct registry {
    struct db *read, *write; /* so that nobody who reads waits for a disk */
    struct blobs *blobs;
    int lock; /* of the process that serves; -1: not held */
    char folder[4096];
};

/* Reads the entry of a node from three columns. ERR_MEMORY, ERR_FORMAT. */
MUST_CHECK bool registry_read_entry(struct sqlite3_stmt *statement, int at, struct arena *arena,
                                    struct registry_node *out, struct err *err);
