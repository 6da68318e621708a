/* The tree of a local folder, as a registry has it: package/entry.h. Links are followed to files
 * that are in the folder too, and refused otherwise (openat2(2), RESOLVE_BENEATH). */
#pragma once

#include "package/entry.h"
#include "remote/fault.h"

#define TREE_NODES_MAX 1000000u

struct tree_node {
    const char *path; /* in the tree, names with '/' between; "" the root */
    struct entry entry;
    struct bytes json; /* of a directory; of a file nothing */
};

struct tree {
    struct tree_node *nodes; /* each before what it has in it, the root first */
    size_t count;
    uint64_t bytes;   /* of all content */
    int folder;       /* where the paths of files begin; to be closed */
    const char *file; /* of a package that is one file: its own name; else NULL */
};

/* Called for each part that is read, for progress; may be NULL. */
typedef void tree_progress(void *context, uint64_t bytes);

/* Reads and hashes a folder, or the one file main.wasm of a package without a folder. What
 * .brochignore names is left out. The tree is the arena's, but for `folder`. */
MUST_CHECK bool tree_read(const char *path, tree_progress *progress, void *context,
                          struct arena *arena, struct tree *out, struct remote_fault *fault);
/* The file of a node, to be closed; -1: *err. */
int tree_open(const struct tree *tree, const struct tree_node *node, struct err *err);
/* The node of a path; NULL: there is none. */
const struct tree_node *tree_find(const struct tree *tree, const char *path);
/* What a package must have: main.wasm, a module; a configuration that can be read, if any. */
MUST_CHECK bool tree_check_package(const struct tree *tree, struct arena *arena,
                                   struct remote_fault *fault);
void tree_close(struct tree *tree);

/* The paths of everything that is in a folder, whatever it is; in the arena. */
struct tree_listing {
    const char **paths;
    size_t count;
};
MUST_CHECK bool tree_list(int folder, struct arena *arena, struct tree_listing *out,
                          struct remote_fault *fault);

/* Hashes a file from its beginning to its end. ERR_IO, ERR_MEMORY. */
MUST_CHECK bool file_digest(int fd, unsigned algorithms, tree_progress *progress, void *context,
                            uint64_t *size, struct digest_set *out, struct err *err);
