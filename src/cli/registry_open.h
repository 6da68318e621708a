/* What commands about registries begin and end with. Private to broch-registry. */
#pragma once

#include "cli/cli.h"
#include "cli/progress.h"
#include "remote/transfer.h"

struct registry_work {
    const struct cli_args *args;
    struct arena arena;
    struct slug slug;     /* of the first positional, as far as it goes */
    struct digest pin;    /* size 0: none */
    struct remote remote; /* open while code is CLI_OK */
    struct remote_fault fault;
    struct progress progress;
};

/* Reads "HOST[/USER[/REPO[:TAG]]][@DIGEST]", which must go as far as `last`, and opens the
 * registry. False: *code, it was said why. registry_done in either case. */
enum spec_part { SPEC_HOST, SPEC_USER, SPEC_REPO, SPEC_TAG, SPEC_PINNED };
MUST_CHECK bool registry_open(struct registry_work *work, const struct cli_args *args,
                              enum spec_part last, int *code);
void registry_done(struct registry_work *work);
/* Says the fault, as JSON too when that was asked for; returns CLI_FAILED. */
int registry_fail(struct registry_work *work);
/* The same with another fault. */
int registry_fail_err(struct registry_work *work, const char *what, const struct err *err);
/* Prints what was written. */
int registry_print(struct registry_work *w, const struct writer *out);
/* Where transfers report to. */
struct transfer_progress registry_progress(struct registry_work *work, const char *what,
                                           uint64_t total);
