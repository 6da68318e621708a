/* Writes a boot request (sallyport.h) for a keep: the one place that walks the host's files for it.
 * Private to cli. */
#pragma once

#include "cli/cli.h"
#include "sallyport/sallyport.h"

struct boot_request {
    int fd;          /* a file in memory */
    size_t sections; /* written so far */
};

/* Makes the file. ERR_IO. */
MUST_CHECK bool boot_request_new(struct boot_request *out, struct err *err);
/* Goes to its start, for the keep to read. */
MUST_CHECK bool boot_request_finish(struct boot_request *request, struct err *err);

/* The sections, one each. ERR_IO, ERR_LIMIT. */
MUST_CHECK bool boot_request_bytes(struct boot_request *request, enum boot_kind kind,
                                   struct bytes body, struct err *err);
MUST_CHECK bool boot_request_u64(struct boot_request *request, enum boot_kind kind, uint64_t value,
                                 struct err *err);

/* A file of the host as a file of the package. ERR_IO, ERR_LIMIT; ERR_INVALID when it is no regular
 * file. */
MUST_CHECK bool boot_request_file(struct boot_request *request, const char *host_path,
                                  const char *path, struct err *err);

/* Every file below a directory, but for what its .brochignore leaves out; symlinks and special
 * files are refused (ERR_INVALID). On failure *culprit, in the arena, names the file. */
MUST_CHECK bool boot_request_directory(struct boot_request *request, const char *host_path,
                                       struct arena *arena, const char **culprit, struct err *err);
