/* What ordinary programs share of the operating system: clocks, files, where the log goes. For cli,
 * steward, drawbridge, keep, host and the tools; the rooms that do no I/O and read no clock take
 * these things as arguments. POSIX.1-2008. */
#pragma once

#include "base/base.h"

/* Nanoseconds of the monotonic clock, which stands still for nobody and never runs backwards. */
uint64_t os_monotonic_ns(void);

/* Milliseconds since 1970-01-01 UTC, by the machine's own clock. */
int64_t os_unix_ms(void);

/* Sends the log to stderr: JSON lines when BROCH_LOG is "json", else text; the level is
 * BROCH_LOG_LEVEL (error, warn, info, debug), else `level`. A value that is neither is an error:
 * ERR_FORMAT. Call once, from main, before any thread. */
MUST_CHECK bool os_log_setup(enum log_level level, struct err *err);

/* The whole file into memory of the arena, at most `limit` bytes. ERR_IO with errno, ERR_LIMIT,
 * ERR_MEMORY. Reads pipes and devices too. */
MUST_CHECK bool os_read_file(const char *path, size_t limit, struct arena *arena, struct bytes *out,
                             struct err *err);

/* As os_read_file, from an open descriptor up to its end of file. */
MUST_CHECK bool os_read_fd(int fd, size_t limit, struct arena *arena, struct bytes *out,
                           struct err *err);

/* Reads `size` bytes, over interruptions and short reads; fewer only at the end of file, *got says.
 * ERR_IO with errno, also when the system answers what cannot be. */
MUST_CHECK bool os_read_exactly(int fd, void *out, size_t size, size_t *got, struct err *err);

/* Writes everything, over interruptions and short writes. ERR_IO with errno. */
MUST_CHECK bool os_write_fd(int fd, struct bytes bytes, struct err *err);

/* strerror for err_text, safe in any thread. */
const char *os_strerror(int number);

/* For CLEANUP(os_closep): closes *fd when it is not negative. */
void os_closep(int *fd);
