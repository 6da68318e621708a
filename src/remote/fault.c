#include "remote/fault.h"

#include <stdio.h>

#include "os/os.h"
#include "base/banned.h"

void remote_fault_set(struct remote_fault *fault, const char *what, const char *why)
{
    (void)snprintf(fault->text, sizeof fault->text, "%s: %s", what, why);
}

void remote_fault_set_err(struct remote_fault *fault, const char *what, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    remote_fault_set(fault, what, err_text(err, os_strerror, text));
}
