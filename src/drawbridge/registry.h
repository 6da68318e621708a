/* Users, repositories, tags, trees, tokens: what the registry knows, in SQLite, and the content
 * that it speaks of, in blob.h. Private to the room but for what commands of its operator use. Any
 * thread; other processes may use the same folder. */
#pragma once

#include "drawbridge/blob.h"

struct registry;

/* What a call found. */
enum registry_answer {
    REGISTRY_DONE,
    REGISTRY_ABSENT, /* what it is about is not there */
    REGISTRY_EXISTS, /* it is there already, or, of a deletion, may not go */
    REGISTRY_FAILED  /* *err says why */
};

/* The folder is made when it is not there. ERR_IO, ERR_MEMORY. */
MUST_CHECK bool registry_open(const char *folder, struct registry **out, struct err *err);
void registry_close(struct registry *registry);
struct blobs *registry_blobs(struct registry *registry);
/* Takes the folder for the one process that serves it, until it ends; removes what an earlier one
 * left half-done. ERR_POLICY: another has it. */
MUST_CHECK bool registry_serve_alone(struct registry *registry, struct err *err);

/* Names of a list, in the arena. */
struct registry_names {
    const struct bytes *items;
    size_t count;
};

/* Which part of a list is wanted. */
struct registry_page {
    struct bytes search; /* names that have this in them; empty: all */
    struct bytes after;  /* names behind this one */
    uint32_t limit;
};

/* ---- users ---- */

struct registry_user {
    struct bytes subject; /* whose tokens speak for it */
    struct bytes content; /* the record as it was sent */
};

MUST_CHECK enum registry_answer registry_user(struct registry *registry, struct bytes name,
                                              struct arena *arena, struct registry_user *out,
                                              struct err *err);
MUST_CHECK enum registry_answer registry_add_user(struct registry *registry, struct bytes name,
                                                  const struct registry_user *user, int64_t now,
                                                  struct err *err);
/* Those that have a public repository, sorted. */
MUST_CHECK bool registry_users(struct registry *registry, const struct registry_page *page,
                               struct arena *arena, struct registry_names *out, struct err *err);

/* ---- repositories ---- */

struct registry_repo {
    int64_t id;
    bool is_public;
};

MUST_CHECK enum registry_answer registry_repo(struct registry *registry, struct bytes user,
                                              struct bytes name, struct registry_repo *out,
                                              struct err *err);
/* ABSENT: there is no such user. */
MUST_CHECK enum registry_answer registry_add_repo(struct registry *registry, struct bytes user,
                                                  struct bytes name, bool is_public, int64_t now,
                                                  struct err *err);
MUST_CHECK bool registry_set_public(struct registry *registry, int64_t repo, bool is_public,
                                    struct err *err);
/* "user/name" of the public ones and those of `owner` (empty: nobody), sorted. */
MUST_CHECK bool registry_repos(struct registry *registry, const struct registry_page *page,
                               struct bytes owner, struct arena *arena, struct registry_names *out,
                               struct err *err);

/* ---- tags ---- */

struct registry_tag {
    int64_t id;
    struct bytes name, type, content;
    struct bytes digests; /* as a Content-Digest header */
    uint64_t missing;     /* nodes of its tree that were not uploaded yet; 0: it is published */
    bool is_yanked;
    struct bytes reason; /* of that */
    int64_t created;
};

MUST_CHECK enum registry_answer registry_tag(struct registry *registry, int64_t repo,
                                             struct bytes name, struct arena *arena,
                                             struct registry_tag *out, struct err *err);
/* Adds the tag and expects the root of its tree. */
MUST_CHECK enum registry_answer registry_add_tag(struct registry *registry, int64_t repo,
                                                 const struct registry_tag *tag,
                                                 const struct entry *root, struct err *err);
/* Only one whose tree was never whole: else EXISTS. */
MUST_CHECK enum registry_answer registry_delete_tag(struct registry *registry, int64_t tag,
                                                    struct err *err);
MUST_CHECK bool registry_yank(struct registry *registry, int64_t tag, bool is_yanked,
                              struct bytes reason, struct err *err);
/* All of a repository, sorted as versions, without their content. */
MUST_CHECK bool registry_tags(struct registry *registry, int64_t repo, struct arena *arena,
                              const struct registry_tag **out, size_t *count, struct err *err);

/* ---- trees ---- */

struct registry_node {
    struct entry entry;   /* as the directory above has it */
    struct bytes digests; /* of it, as a Content-Digest header */
    bool is_there;
    struct blob_hash hash; /* of what is there */
};

/* ABSENT also when the directory above was not uploaded, or does not name it. */
MUST_CHECK enum registry_answer registry_node(struct registry *registry, int64_t tag,
                                              struct bytes path, struct arena *arena,
                                              struct registry_node *out, struct err *err);
/* Keeps the upload as the content of the node, which is expected, and expects what the directory
 * names, when it is one. EXISTS: somebody was faster; ABSENT: the tag was taken back. *missing:
 * what the tag still lacks. */
MUST_CHECK enum registry_answer registry_put_node(struct registry *registry, int64_t tag,
                                                  struct bytes path, struct blob_upload *upload,
                                                  const struct blob_hash *hash,
                                                  const struct directory *directory, int64_t now,
                                                  uint64_t *missing, struct err *err);
/* Paths of what is expected and not there, ten thousand at most; "" is the root. */
MUST_CHECK bool registry_missing(struct registry *registry, int64_t tag, struct arena *arena,
                                 struct registry_names *out, struct err *err);

/* ---- tokens ---- */

#define TOKEN_HASH_SIZE 32

struct registry_token {
    struct bytes id;
    uint8_t hash[TOKEN_HASH_SIZE]; /* SHA-256 of the token */
    struct bytes user, scopes;     /* scopes with spaces between */
    int64_t created, expires;      /* seconds since 1970; expires 0: never */
    bool is_revoked;
};

MUST_CHECK bool registry_add_token(struct registry *registry, const struct registry_token *token,
                                   struct err *err);
MUST_CHECK enum registry_answer registry_token(struct registry *registry, struct bytes id,
                                               struct arena *arena, struct registry_token *out,
                                               struct err *err);
MUST_CHECK enum registry_answer registry_revoke_token(struct registry *registry, struct bytes id,
                                                      struct err *err);
MUST_CHECK bool registry_tokens(struct registry *registry, struct arena *arena,
                                const struct registry_token **out, size_t *count, struct err *err);

/* ---- Stewards that a repository trusts ---- */

struct registry_steward {
    struct bytes name, ca; /* ca: PEM */
    bool is_simulated;     /* simulated platforms, too */
    uint32_t technologies; /* bits: 1 << enum identity_technology; 0: any */
};

/* In place of one of that name. */
MUST_CHECK bool registry_put_steward(struct registry *registry, int64_t repo,
                                     const struct registry_steward *steward, struct err *err);
MUST_CHECK enum registry_answer registry_delete_steward(struct registry *registry, int64_t repo,
                                                        struct bytes name, struct err *err);
MUST_CHECK bool registry_stewards(struct registry *registry, int64_t repo, struct arena *arena,
                                  const struct registry_steward **out, size_t *count,
                                  struct err *err);

/* ---- maintenance ---- */

struct registry_garbage {
    uint64_t count, size; /* files, bytes */
};

/* Removes content that no tree has, and that was written before `before` (seconds since 1970).
 * Safe while serving. */
MUST_CHECK bool registry_collect(struct registry *registry, int64_t before,
                                 struct registry_garbage *out, struct err *err);

/* What fsck calls for each fault that it finds. */
struct registry_check {
    void (*fault)(void *context, const char *what, struct bytes where);
    void (*progress)(void *context, uint64_t count, uint64_t size);
    void *context;
};
struct registry_summary {
    uint64_t tags, nodes, blobs, bytes, unreferenced, faults;
};
/* Hashes all content anew and compares it with the trees, and these with each other. Safe while
 * serving. */
MUST_CHECK bool registry_fsck(struct registry *registry, const struct registry_check *check,
                              struct registry_summary *out, struct err *err);
