/* Why something about a registry or a folder failed, in words that name it and say what to do. */
#pragma once

#include "base/base.h"

struct remote_fault {
    char text[1200];
};

/* "WHAT: WHY" */
void remote_fault_set(struct remote_fault *fault, const char *what, const char *why);
void remote_fault_set_err(struct remote_fault *fault, const char *what, const struct err *err);

/* The same, and return false: so that a check reads `return remote_fail(…)`. */
static inline bool remote_fail(struct remote_fault *fault, const char *what, const char *why)
{
    remote_fault_set(fault, what, why);
    return false;
}

static inline bool remote_fail_err(struct remote_fault *fault, const char *what,
                                   const struct err *err)
{
    remote_fault_set_err(fault, what, err);
    return false;
}
