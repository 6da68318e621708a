/* Content, kept by its SHA-256 in files: FOLDER/blobs/ab/abcd…. It is written to FOLDER/new/ under
 * a name of its own, synced, and renamed; so what has a name by digest is whole. What is no longer
 * wanted goes by FOLDER/old/. Private to the room; another way of keeping content would have these
 * functions. Any thread. */
#pragma once

#include "package/entry.h"

#define BLOB_HASH_SIZE 32

struct blob_hash {
    uint8_t bytes[BLOB_HASH_SIZE];
};

struct blobs;

/* Makes the folders that are not there. ERR_IO, ERR_MEMORY. */
MUST_CHECK bool blobs_open(const char *folder, struct blobs **out, struct err *err);
void blobs_close(struct blobs *blobs);
/* Removes what earlier processes left in new/ and old/. Only when no other process has the folder.
 */
MUST_CHECK bool blobs_clear(struct blobs *blobs, struct err *err);

/* One being written; it hashes what it takes. */
struct blob_upload {
    struct blobs *blobs;
    int fd;
    uint64_t id; /* its name in new/ */
    struct hasher hasher;
};

/* algorithms: those that are wanted, besides SHA-256. blob_upload_done whatever happens after. */
MUST_CHECK bool blob_upload_begin(struct blobs *blobs, unsigned algorithms, struct blob_upload *out,
                                  struct err *err);
MUST_CHECK bool blob_upload_add(struct blob_upload *upload, struct bytes part, struct err *err);
/* No more comes: *digests, and the content is on the disk, under its name in new/. */
MUST_CHECK bool blob_upload_finish(struct blob_upload *upload, struct digest_set *digests,
                                   struct err *err);
/* Gives it the name by its digest. The caller holds the store's lock, so that nobody takes content
 * away meanwhile; content that is there already, at its length, is left as it is. */
MUST_CHECK bool blob_upload_keep(struct blob_upload *upload, const struct blob_hash *hash,
                                 struct err *err);
/* Removes what was not kept. Of zeros it is nothing. */
void blob_upload_done(struct blob_upload *upload);

/* What is in an upload, from its beginning. ERR_IO. */
MUST_CHECK bool blob_upload_read(const struct blob_upload *upload, struct arena *arena,
                                 struct bytes *out, struct err *err);

/* A descriptor to read; ERR_NOT_FOUND, ERR_IO. */
MUST_CHECK bool blob_open(struct blobs *blobs, const struct blob_hash *hash, int *fd,
                          uint64_t *size, struct err *err);
/* Takes it out of its place, into old/; of what is not there, nothing. The caller holds the
 * store's lock; blobs_clear or blob_forget removes it. */
MUST_CHECK bool blob_take_away(struct blobs *blobs, const struct blob_hash *hash, struct err *err);
void blob_forget(struct blobs *blobs, const struct blob_hash *hash);
/* Each that is there, in no order; each returns false to stop. When it was last written, in seconds
 * since 1970. What is there and has no such name is passed as NULL, with its name. */
struct blob_walk {
    bool (*each)(void *context, const struct blob_hash *hash, const char *name, int64_t written,
                 uint64_t size);
    void *context;
};
MUST_CHECK bool blobs_walk(struct blobs *blobs, const struct blob_walk *walk, struct err *err);
