/* Why something about a registry or a folder failed, in words that name it and say what to do. */
#pragma once

#include "base/base.h"

struct remote_fault {
    char text[1200];
};

/* Fill the fault with "WHAT: WHY" and return false. */
bool remote_fail(struct remote_fault *fault, const char *what, const char *why);
bool remote_fail_err(struct remote_fault *fault, const char *what, const struct err *err);
