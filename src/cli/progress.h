/* How far something long has come, on a terminal: bytes, rate, time left. Elsewhere nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "uploading" */
    uint64_t total, done;
    uint64_t begun_ns, drawn_ns;
    bool is_shown;
};

/* total 0: not known. Shown when stderr is a terminal and `is_wanted`, after a moment. */
void progress_begin(struct progress *progress, const char *what, uint64_t total, bool is_wanted);
/* A struct progress as context. */
void progress_move(void *progress, uint64_t bytes);
/* Takes it off the terminal. */
void progress_end(struct progress *progress);
/* "12.3 MiB" */
const char *size_text(uint64_t bytes, char out[32]);
