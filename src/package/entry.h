/* What a registry says of bytes, and the trees that are made of it: Enarx's Drawbridge, the formats
 * of its api versions 0.1.0 to 0.4.x.
 *
 *   entry      {"digest":{"sha-256":BASE64,…},"length":N,"type":MEDIA-TYPE}
 *   directory  {NAME:entry,…}, the names sorted by their bytes, without spaces
 *   tag        an entry of the tree's root; or a JWS (RFC 7515 §7.2) whose payload is one
 *
 * A directory's digest is that of the very bytes that were sent. Input is untrusted; keys beside
 * those above are passed over. What is parsed lives in the arena. */
#pragma once

#include "package/digest.h"

#define MEDIA_DIRECTORY "application/vnd.drawbridge.directory.v1+json"
#define MEDIA_ENTRY "application/vnd.drawbridge.entry.v1+json"
#define MEDIA_JOSE "application/jose+json"
#define MEDIA_WASM "application/wasm"
#define MEDIA_TOML "application/toml"
#define MEDIA_OCTETS "application/octet-stream"

#define ENTRY_TYPE_MAX 255                   /* bytes of a media type */
#define ENTRY_NAME_MAX 255                   /* bytes of a name in a directory */
#define ENTRY_JSON_MAX ((size_t)2000 * 1000) /* bytes of a directory or a tag */
#define ENTRY_DEPTH_MAX 64                   /* directories in each other */
#define ENTRY_PATH_MAX 4096                  /* bytes of a path in a tree */
#define ENTRY_LENGTH_MAX ((uint64_t)1 << 50) /* bytes of content */
/* What trees of ours say of content. */
#define ENTRY_ALGORITHMS (1u << DIGEST_SHA256 | 1u << DIGEST_SHA384)

struct entry {
    struct digest_set digests; /* never empty */
    uint64_t length;
    struct bytes type; /* visible ASCII */
};

MUST_CHECK bool entry_parse(struct bytes json, struct arena *arena, struct entry *out,
                            struct err *err);
void entry_write(struct writer *w, const struct entry *entry);
bool entry_equal(const struct entry *a, const struct entry *b);
/* The digest that the entry is called by: its SHA-256 when it has one. */
const struct digest *entry_digest(const struct entry *entry);
bool entry_is_directory(const struct entry *entry);
/* The entry of content in memory, with ENTRY_ALGORITHMS. ERR_MEMORY. */
MUST_CHECK bool entry_of(struct bytes content, const char *type, struct entry *out,
                         struct err *err);
/* Whether content of so many bytes, with these digests, is what the entry means: each digest of the
 * entry must be there. ERR_CRYPTO says what is not. */
MUST_CHECK bool entry_check(const struct entry *entry, uint64_t length,
                            const struct digest_set *digests, struct err *err);

/* Whether a media type may stand in an entry, and in a header. */
bool entry_type_is_valid(struct bytes type);
/* Whether a name may stand in a directory: letters, digits and _.:- but neither "." nor "..". */
bool entry_name_is_valid(struct bytes name);
/* The media type of a file by the end of its name. */
const char *entry_type_of_name(struct bytes name);

struct directory_item {
    struct bytes name;
    struct entry entry;
};

struct directory {
    struct directory_item *items; /* sorted by name */
    size_t count;
};

/* ERR_FORMAT: no directory, a name that may not be or is there twice; ERR_LIMIT. */
MUST_CHECK bool directory_parse(struct bytes json, struct arena *arena, struct directory *out,
                                struct err *err);
/* Sorts the items, then writes. */
void directory_write(struct writer *w, struct directory *directory);
/* NULL: there is none of that name. */
const struct directory_item *directory_find(const struct directory *directory, struct bytes name);

struct tag {
    struct entry root;
    bool is_signed; /* a JWS: nothing of it was verified */
};

/* Reads a tag's bytes, as either form. ERR_FORMAT. */
MUST_CHECK bool tag_parse(struct bytes json, struct arena *arena, struct tag *out, struct err *err);
