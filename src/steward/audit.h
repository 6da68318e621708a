/* The audit log: one line of JSON for each decision, each with the hash of the line before it, so
 * that none can be changed, taken out or put in without all later ones changing. A log that was cut
 * at its end can only be told by somebody who noted its last hash. docs/steward.md has the form.
 *
 * One process writes a log. Lines are added to a group, and the group is on the disk when
 * audit_sync says so. */
#pragma once

#include "base/base.h"

#define AUDIT_LINE_MAX ((size_t)16 << 10)
#define AUDIT_HASH_SIZE 32

struct audit;

/* Opens or makes the log. A last line that a crash cut short is cut off, and a line says so.
 * ERR_IO; ERR_INVALID: another process writes it; ERR_FORMAT: its last line is not one of ours. */
MUST_CHECK bool audit_open(const char *path, struct audit **out, struct err *err);
/* What was not synced is lost. NULL is nothing. */
void audit_free(struct audit *audit);

/* Adds a line to the group: members of a JSON object without braces, such as
 * "\"event\":\"issued\"". ERR_LIMIT, ERR_MEMORY: then the whole group will fail. */
MUST_CHECK bool audit_add(struct audit *audit, int64_t now_ms, struct bytes members,
                          struct err *err);
/* Writes the group. ERR_IO: nothing of it is in the log, and it is forgotten. */
MUST_CHECK bool audit_sync(struct audit *audit, struct err *err);
/* How many bytes the log has on the disk. */
uint64_t audit_size(const struct audit *audit);

/* What a walk over a log found. */
struct audit_summary {
    uint64_t lines, issued, refused;
    uint8_t head[AUDIT_HASH_SIZE]; /* of the last line */
    bool is_cut;                   /* the last line is not whole: a crash, or it is being written */
};

/* Checks every line of a log from byte `from`, where a line begins, and calls `each` (NULL: nobody)
 * with it: a JSON object, without its end of line. From the middle of a log the first line's own
 * hash is believed. ERR_IO; ERR_FORMAT, ERR_INVALID: *line is the number of the line, counted from
 * 1 at `from`; ERR_POLICY: `each` returned false. */
struct audit_walk {
    uint64_t from;
    bool (*each)(void *context, struct bytes line, uint64_t end);
    void *context;
};
MUST_CHECK bool audit_verify(int fd, const struct audit_walk *walk, struct audit_summary *out,
                             uint64_t *line, struct err *err);
