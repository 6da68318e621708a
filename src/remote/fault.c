#include "remote/fault.h"

#include <stdio.h>

#include "os/os.h"
#include "base/banned.h"

bool remote_fail(struct remote_fault *fault, const char *what, const char *why)
{
    (void)snprintf(fault->text, sizeof fault->text, "%s: %s", what, why);
    return false;
}

bool remote_fail_err(struct remote_fault *fault, const char *what, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    return remote_fail(fault, what, err_text(err, os_strerror, text));
}
