/* The parent of the Steward's processes: it starts them, reads the configuration, and speaks to
 * nobody. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/server.h"
#include "os/os.h"
#include "steward/network.h"
#include "steward/sandbox.h"
#include "steward/signer.h"
#include "steward/store.h"
#include "base/banned.h"

enum child { SIGNER, SIMULATION, NETWORK, CHILDREN };

static const char *const child_names[CHILDREN] = {
    "the signing process", "the signing process for simulated platforms", "the serving process"};

struct parent {
    const char *config_path;
    struct steward_setup setup;
    const char *address, *crl_url, *simulation_crl_url, *trust_domain; /* as strings */
    int listener, control;
    uint16_t port;            /* that it listens on, also when any would do */
    pid_t children[CHILDREN]; /* 0: not there */
    int channels[2];          /* to the signing processes, until the serving process has them */
    sigset_t signals, old_signals;
};

static bool fail_io(struct err *err, const char *msg)
{
    return err_set(err, ERR_IO, msg, (uint64_t)errno);
}

static void close_fd(int *fd)
{
    os_closep(fd);
    *fd = -1;
}

/* ---- before anybody serves ---- */

static bool to_string(struct parent *p, struct bytes a, const char *b, const char **out,
                      struct err *err)
{
    struct writer w = writer_growable(&p->setup.arena, 1024);
    struct bytes text;

    writer_bytes(&w, a);
    writer_text(&w, b);
    writer_u8(&w, '\0');
    if (!writer_done(&w, &text, err))
        return false;
    *out = (const char *)text.data;
    return true;
}

static bool make_store(const char *folder, struct err *err)
{
    return mkdir(folder, 0700) == 0 || errno == EEXIST ||
           fail_io(err, "cannot make the store's folder");
}

/* Brings the store up to the audit logs. */
static bool catch_up(const struct parent *p, struct err *err)
{
    struct store *store;
    uint64_t line = 0;

    if (!make_store(p->setup.store, err) || !store_open(p->setup.store, &store, err))
        return false;
    bool ok = store_catch_up(store, p->setup.audit, false, &line, err) &&
              (p->setup.simulation_audit == NULL ||
               store_catch_up(store, p->setup.simulation_audit, true, &line, err)) &&
              store_prune(store, os_unix_ms() / 1000, err);
    store_close(store);
    if (!ok && line != 0)
        log_error("an audit log is broken; 'broch steward audit verify' says more",
                  log_u64("line", line));
    return ok;
}

static bool prepare(struct parent *p, struct err *err)
{
    const struct steward_config *c = &p->setup.config;
    char fault[STEWARD_FAULT_SIZE];

    if (!steward_setup_read(p->config_path, &p->setup, fault)) {
        log_error(fault);
        return err_set(err, ERR_FORMAT, "the configuration cannot be used", ERR_NO_AT);
    }
    if (!to_string(p, c->server.listen, "", &p->address, err) ||
        !to_string(p, c->trust_domain, "", &p->trust_domain, err) ||
        !to_string(p, c->url, "/v1/crl", &p->crl_url, err) ||
        !to_string(p, c->url, "/v1/simulation/crl", &p->simulation_crl_url, err))
        return false;
    return http_listen(p->address, &p->listener, &p->port, err) && catch_up(p, err);
}

/* ---- processes ---- */

/* In the child: the signals of a program that nobody speaks to, and an end with the parent. */
static void begin_child(const struct parent *p)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of write's */
    /* a terminal and a service manager send these to everybody; the parent says what to do */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)sigprocmask(SIG_SETMASK, &p->old_signals, NULL);
}

static bool start_signer(struct parent *p, enum child which, struct err *err)
{
    bool is_simulation = which == SIMULATION;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail_io(err, "cannot make a socket");
    pid_t pid = fork();
    if (pid < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return fail_io(err, "cannot start a process");
    }
    if (pid == 0) {
        const struct signer_options options = {
            .channel = ends[1],
            .audit = is_simulation ? p->setup.simulation_audit : p->setup.audit,
            .certificate = is_simulation ? p->setup.simulation_ca : p->setup.ca,
            .key = is_simulation ? p->setup.simulation_key : p->setup.ca_key,
            .trust_domain = p->trust_domain,
            .crl_url = is_simulation ? p->simulation_crl_url : p->crl_url,
            .lifetime_max_s = (int64_t)p->setup.config.lifetime_hours * 3600,
            .is_simulation = is_simulation,
        };
        (void)close(ends[0]);
        close_fd(&p->listener);
        if (which == SIMULATION)
            close_fd(&p->channels[SIGNER]);
        begin_child(p);
        /* the end of the channel ends it, after the last answer; not the parent's */
        (void)prctl(PR_SET_PDEATHSIG, 0);
        _exit(signer_main(&options));
    }
    (void)close(ends[1]);
    p->children[which] = pid;
    p->channels[which] = ends[0];
    return true;
}

static bool start_network(struct parent *p, struct err *err)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail_io(err, "cannot make a socket");
    pid_t pid = fork();
    if (pid < 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        return fail_io(err, "cannot start a process");
    }
    if (pid == 0) {
        const struct network_options options = {.setup = &p->setup,
                                                .listener = p->listener,
                                                .control = ends[1],
                                                .signer = p->channels[SIGNER],
                                                .simulation = p->channels[SIMULATION]};
        (void)close(ends[0]);
        begin_child(p);
        _exit(network_main(&options));
    }
    (void)close(ends[1]);
    p->children[NETWORK] = pid;
    p->control = ends[0];
    close_fd(&p->listener);
    close_fd(&p->channels[SIGNER]);
    close_fd(&p->channels[SIMULATION]);
    return true;
}

static bool start(struct parent *p, struct err *err)
{
    return prepare(p, err) && start_signer(p, SIGNER, err) &&
           (p->setup.simulation_ca == NULL || start_signer(p, SIMULATION, err)) &&
           start_network(p, err) && network_wait(p->control, err);
}

/* ---- while it serves ---- */

static void configure(struct parent *p)
{
    struct steward_setup setup;
    char fault[STEWARD_FAULT_SIZE];
    struct err err;

    if (!steward_setup_read(p->config_path, &setup, fault)) {
        log_error(fault);
        log_error("the configuration stays as it was");
        return;
    }
    if (network_configure(p->control, &setup, &err))
        log_info("the configuration was read again");
    else
        log_error("the configuration stays as it was", log_err(&err));
    steward_setup_done(&setup);
}

/* Collects children that ended; false when one was not told to. */
static bool collect(struct parent *p)
{
    bool ok = true;
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < CHILDREN; i++) {
            if (p->children[i] != pid)
                continue;
            p->children[i] = 0;
            ok = false;
            if (WIFSIGNALED(status))
                log_error("a process was killed", log_str("process", child_names[i]),
                          log_u64("signal", (uint64_t)WTERMSIG(status)));
            else
                log_error("a process ended", log_str("process", child_names[i]),
                          log_u64("status", (uint64_t)WEXITSTATUS(status)));
        }
    }
    return ok;
}

/* Until it is told to stop: true; or a process ends that should not. */
static bool attend(struct parent *p)
{
    for (;;) {
        int number = sigwaitinfo(&p->signals, NULL);
        if (number == SIGHUP)
            configure(p);
        else if (number == SIGCHLD && !collect(p))
            return false;
        else if (number == SIGTERM || number == SIGINT)
            return true;
    }
}

/* Waits for the children, and ends those that take too long. */
static int end_children(struct parent *p, bool is_orderly)
{
    const struct timespec patience = {.tv_sec = 15};
    int status, result = 0;
    struct err err;

    if (p->children[NETWORK] != 0 && !(is_orderly && network_stop(p->control, &err)))
        (void)kill(p->children[NETWORK], SIGKILL);
    close_fd(&p->control);
    for (;;) {
        bool any = false;
        for (size_t i = 0; i < CHILDREN; i++) {
            if (p->children[i] != 0 && waitpid(p->children[i], &status, WNOHANG) > 0) {
                p->children[i] = 0;
                result |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
            }
            any |= p->children[i] != 0;
        }
        if (!any)
            return result;
        sigset_t child;
        (void)sigemptyset(&child);
        (void)sigaddset(&child, SIGCHLD);
        if (sigtimedwait(&child, NULL, &patience) < 0 && errno == EAGAIN) {
            for (size_t i = 0; i < CHILDREN; i++) {
                if (p->children[i] != 0)
                    (void)kill(p->children[i], SIGKILL);
            }
        }
    }
}

int steward_serve(const char *config_path)
{
    struct parent p = {
        .config_path = config_path, .listener = -1, .control = -1, .channels = {-1, -1}};
    struct err err;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&p.signals);
    (void)sigaddset(&p.signals, SIGHUP);
    (void)sigaddset(&p.signals, SIGTERM);
    (void)sigaddset(&p.signals, SIGINT);
    (void)sigaddset(&p.signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &p.signals, &p.old_signals);
    bool ok = start(&p, &err);
    if (ok) {
        (void)printf("broch-steward: %.*s, listening on %.*s:%u\n", (int)p.setup.config.url.size,
                     (const char *)p.setup.config.url.data,
                     (int)(strrchr(p.address, ':') - p.address), p.address, p.port);
        (void)fflush(stdout);
        ok = attend(&p);
    } else {
        log_error("the Steward cannot start", log_err(&err));
    }
    close_fd(&p.channels[SIGNER]);
    close_fd(&p.channels[SIMULATION]);
    int status = end_children(&p, ok);
    close_fd(&p.listener);
    steward_setup_done(&p.setup);
    /* signals stay blocked: one more must not end what ends in good order */
    return ok && status == 0 ? 0 : 1;
}
