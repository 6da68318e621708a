/* `nil`: the exec layer as a plain process under a seccomp filter. It protects the host from the
 * workload, not the workload from the host. */
#include <errno.h>
#include <unistd.h>

#include "host/internal.h"

static void confine(void)
{
    int listener = -1;
    int number = nil_filter_install(&listener);

    if (number != 0)
        child_fail("cannot install the sandbox", number);
    /* before the first byte that is not ours is read */
    if (!child_send_listener(listener))
        child_fail("cannot hand over the listener", errno);
    if (listener >= 0)
        (void)close(listener);
    number = nil_filter_close();
    if (number != 0)
        child_fail("cannot close the sandbox", number);
}

/* child_become */
_Noreturn static void become_keep(const struct child_plan *plan)
{
    static char name[] = "broch-keep";
    char *argv[] = {name, NULL, NULL}, *envp[] = {NULL};

    child_arrange(plan);
    if (!plan->request->insecure_no_sandbox)
        confine();
    else if (!child_send_listener(-1))
        child_fail("cannot reach the loader", errno);
    if (plan->request->emulator == NULL)
        child_fail("cannot start the keep", nil_filter_exec(IMAGE_FD, argv, envp));
    argv[1] = (char *)(uintptr_t)plan->request->keep_image;
    (void)execve(plan->request->emulator, argv, envp);
    child_fail("cannot start the emulator", errno);
}

static bool nil_run(const struct host_request *request, struct host_result *out, struct err *err)
{
    static const struct attester nobody = {.quoting = NULL};

    if ((request->insecure_no_sandbox || request->emulator != NULL) && nil_has_filter)
        return err_set(err, ERR_UNSUPPORTED, "this build runs no keep without its sandbox",
                       ERR_NO_AT);
    if (!request->insecure_no_sandbox && !nil_has_filter)
        return err_set(err, ERR_UNSUPPORTED,
                       "there is no sandbox for this machine; --insecure-no-sandbox does without",
                       ERR_NO_AT);
    if (request->insecure_no_sandbox)
        log_warn("the keep runs without a sandbox: its workload can do what you can");
    nil_filter_prepare(IMAGE_FD);
    return child_run(request, become_keep, !request->insecure_no_sandbox, &nobody, out, err);
}

static bool nil_is_available(const char **why)
{
    *why = NULL;
    return true;
}

const struct host_backend host_nil = {
    .name = "nil",
    .summary = "a process without a TEE: nothing is hidden from the host",
    .is_available = nil_is_available,
    .run = nil_run,
};
