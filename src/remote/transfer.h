/* Packages to and from registries. */
#pragma once

#include "remote/remote.h"
#include "remote/tree.h"

struct transfer_progress {
    void (*moved)(void *context, uint64_t bytes); /* also of what was there already */
    void *context;
};

struct publish_options {
    struct slug slug;
    struct bytes key; /* PEM; empty: the tag is not signed */
    bool restart;     /* an unfinished publish of something else is taken back */
    struct transfer_progress progress;
};

/* Publishes a tree: its tag, its directories from the root on, its files. What an interrupted
 * publish of the same left is not sent again. *was_there: all of it was. */
MUST_CHECK bool remote_publish(struct remote *remote, const struct publish_options *options,
                               const struct tree *tree, bool *was_there);

/* What a tag must be, beyond what registries say. */
struct trust {
    struct digest pin;      /* of the root; size 0: any */
    struct bytes publisher; /* PEM: it must be signed by this key; empty: no matter */
    bool takes_yanked;
};
/* Whether a tag that was read is what is trusted: ERR-free words in the remote's fault. */
MUST_CHECK bool remote_check_tag(struct remote *remote, const struct slug *slug,
                                 const struct remote_tag *tag, const struct trust *trust);

/* Reads the directories of a tree, each checked against the entry above it, up to the tag's. The
 * tree's root may be a file. */
MUST_CHECK bool remote_read_tree(struct remote *remote, const struct slug *slug,
                                 const struct entry *root, struct tree *out);

/* Fetches the files of a tree into a folder, which is made and must not be there or be empty; every
 * byte is checked. An interrupted fetch is gone on with. folder NULL: they are checked only. */
MUST_CHECK bool remote_fetch(struct remote *remote, const struct slug *slug,
                             const struct tree *tree, const char *folder,
                             const struct transfer_progress *progress);
/* Fetches the one file of a node to a descriptor, at its position. What was written may be wrong
 * when this fails. */
MUST_CHECK bool remote_fetch_node(struct remote *remote, const struct slug *slug,
                                  const struct tree_node *node, int fd,
                                  const struct transfer_progress *progress);

/* Whether a local tree has the files of a registry's, and no others. */
MUST_CHECK bool remote_compare(const struct tree *ours, const struct tree *theirs,
                               struct remote_fault *fault);
