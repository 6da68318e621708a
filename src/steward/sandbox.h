/* What the Steward's processes give up. seccomp(2) by libseccomp, landlock(7), credentials(7). */
#pragma once

#include "base/base.h"

/* No other process of this user may look into this one's memory, and it leaves no core. ERR_IO. */
MUST_CHECK bool sandbox_hide_memory(struct err *err);

/* For the signing process, with everything open that it needs: from here on it can read, write and
 * sync what it has open, and nothing else. A call beyond that ends it. ERR_IO. */
MUST_CHECK bool sandbox_signer(struct err *err);

/* For the process that speaks to the network. */
struct sandbox_network {
    const char *user;     /* who it becomes, when it is root; NULL: it stays who it is */
    const char *store;    /* the folder that it may write to */
    bool has_no_landlock; /* out: the kernel has none, so that files are kept from it by their
                             owner alone */
};

/* Becomes the user (the store's folder and what is in it are given to it first), and keeps from it
 * every file but the store, the system's libraries and settings. ERR_IO; ERR_NOT_FOUND: no such
 * user. Before any thread. */
MUST_CHECK bool sandbox_enter_network(struct sandbox_network *options, struct err *err);
/* Then, before any thread too: only the calls of a server, no new programs. */
MUST_CHECK bool sandbox_network(struct err *err);
