/* A keep in a process of its own: what the backends do alike around it. The child becomes the keep,
 * or what runs it; the loader serves its calls and waits for its end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/internal.h"
#include "os/os.h"

/* What the child tells when it cannot become the keep. */
struct failure {
    char step[128]; /* a text for people */
    int number;     /* errno */
};

/* ---- the child ---- */

_Noreturn void child_fail(const char *step, int number)
{
    struct failure failure = {.number = number};

    memcpy(failure.step, step, strnlen(step, sizeof failure.step - 1));
    _exit(write(REPORT_FD, &failure, sizeof failure) == sizeof failure ? 1 : 2);
}

bool child_send_listener(int listener)
{
    char has_listener = listener >= 0 ? 1 : 0;
    struct iovec iov = {.iov_base = &has_listener, .iov_len = 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (has_listener) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &listener, sizeof listener);
    }
    return sendmsg(BOOT_SOCKET, &message, 0) == 1;
}

static void set_limits(void)
{
    struct rlimit limit;

    /* a keep has a limit of its own, in the configuration; and nobody is to find its memory in a
     * file */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    limit = (struct rlimit){.rlim_cur = 0};
    (void)setrlimit(RLIMIT_CORE, &limit);
}

static void set_signals(void)
{
    sigset_t none;

    /* a broken connection is an error of the write, as everywhere in the keep */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void child_arrange(const struct child_plan *plan)
{
    if (dup2(plan->boot_socket, BOOT_SOCKET) < 0 || dup2(plan->boot_file, BOOT_FILE) < 0 ||
        dup3(plan->image, IMAGE_FD, O_CLOEXEC) < 0 ||
        dup3(plan->report, REPORT_FD, O_CLOEXEC) < 0 || close_range(CHILD_FD_COUNT, ~0u, 0) != 0)
        child_fail("cannot arrange descriptors", errno);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != plan->parent)
        child_fail("the loader is gone", errno);
    set_limits();
    set_signals();
}

/* ---- the loader ---- */

/* The child's first word: its listener, -1 when it has none. */
static bool receive_listener(int from, int *listener)
{
    char has_listener = 0; /* a word of the child's */
    struct iovec iov = {.iov_base = &has_listener, .iov_len = 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};

    *listener = -1;
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1)
        return false;
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head != NULL && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(listener, CMSG_DATA(head), sizeof *listener);
    return !has_listener || *listener >= 0;
}

/* Whether the child became the keep: the report ends without a word. */
static bool has_started(int report, struct err *err)
{
    static struct failure failure; /* err->msg borrows its text */
    ssize_t size;

    do
        size = read(report, &failure, sizeof failure);
    while (size < 0 && errno == EINTR);
    if (size == 0)
        return true;
    failure.step[sizeof failure.step - 1] = '\0';
    if (size != sizeof failure)
        return err_set(err, ERR_IO, "the keep ended before it began", ERR_NO_AT);
    return err_set(err, ERR_IO, failure.step,
                   failure.number != 0 ? (uint64_t)failure.number : ERR_NO_AT);
}

static void *serve(void *context)
{
    supervisor_run(context);
    return NULL;
}

/* Waits for the end of the keep, or ends it when its time is over. False with errno. */
static bool wait_for_end(pid_t child, uint64_t timeout_ms, struct host_result *out)
{
    CLEANUP(os_closep) int pidfd = pidfd_open(child, 0);
    uint64_t now = os_monotonic_ns();
    struct deadline deadline = timeout_ms != 0 ? deadline_after(now, timeout_ms) : deadline_never();
    struct pollfd poll_of = {.fd = pidfd, .events = POLLIN};
    int number = pidfd < 0 && timeout_ms != 0 ? errno : 0; /* nothing would end it in time */
    bool timed_out = false;
    int status;

    while (pidfd >= 0 && !timed_out && poll(&poll_of, 1, deadline_left_ms(deadline, now)) <= 0) {
        now = os_monotonic_ns();
        timed_out = deadline_passed(deadline, now);
    }
    if (timed_out || number != 0)
        (void)kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return false;
    }
    if (number != 0) {
        errno = number;
        return false;
    }
    *out = WIFEXITED(status) ? (struct host_result){.end = HOST_EXITED, .code = WEXITSTATUS(status)}
                             : (struct host_result){.end = HOST_KILLED, .code = WTERMSIG(status)};
    if (timed_out && out->end == HOST_KILLED)
        out->end = HOST_TIMED_OUT;
    return true;
}

struct descriptors {
    int ours, theirs, report, report_end, image, boot_file;
};

static void descriptors_done(struct descriptors *d)
{
    os_closep(&d->ours);
    os_closep(&d->theirs);
    os_closep(&d->report);
    os_closep(&d->report_end);
    os_closep(&d->image);
    os_closep(&d->boot_file);
}

/* Serves a keep that has started, to its end. */
static bool attend(const struct host_request *request, pid_t child, struct descriptors *d,
                   int listener, const struct attester *attester, struct host_result *out,
                   struct err *err)
{
    /* outlives this function when a name is still being resolved at the keep's end */
    static struct supervisor supervisor;
    struct timespec soon;
    pthread_t thread;

    supervisor = (struct supervisor){.listener = listener,
                                     .boot_socket = d->ours,
                                     .on_phase = request->on_phase,
                                     .context = request->context,
                                     .attester = attester};
    d->ours = -1; /* the supervisor closes both */
    int number = pthread_create(&thread, NULL, serve, &supervisor);
    if (number != 0) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        return err_set(err, ERR_IO, "cannot serve the keep", (uint64_t)number);
    }
    bool ok = wait_for_end(child, request->timeout_ms, out);
    number = errno;
    (void)clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec += 1;
    if (pthread_timedjoin_np(thread, NULL, &soon) != 0)
        (void)pthread_detach(thread);
    return ok || err_set(err, ERR_IO, "cannot wait for the keep", (uint64_t)number);
}

/* A copy of a descriptor that is not in the child's way. */
static int out_of_the_way(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD_COUNT);
}

static bool move(int from, int *to)
{
    *to = out_of_the_way(from);
    int number = errno;
    (void)close(from);
    errno = number;
    return *to >= 0;
}

static bool open_descriptors(const struct host_request *request, struct descriptors *d,
                             struct err *err)
{
    int sockets[2], ends[2];

    *d = (struct descriptors){-1, -1, -1, -1, -1, -1};
    int image = open(request->keep_image, O_RDONLY | O_CLOEXEC);
    if (image < 0)
        return err_set(err, ERR_IO, "cannot open the keep image", (uint64_t)errno);
    d->boot_file = out_of_the_way(request->boot_file);
    if (!move(image, &d->image) || d->boot_file < 0)
        return err_set(err, ERR_IO, "cannot copy a descriptor", (uint64_t)errno);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return err_set(err, ERR_IO, "cannot make the boot socket", (uint64_t)errno);
    d->ours = sockets[0];
    bool ok = move(sockets[1], &d->theirs);
    if (!ok || pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, ERR_IO, "cannot make a pipe", (uint64_t)errno);
    d->report = ends[0];
    return move(ends[1], &d->report_end) ||
           err_set(err, ERR_IO, "cannot copy a descriptor", (uint64_t)errno);
}

/* The standard descriptors must be there, or others would come to have their numbers. */
static bool fill_stdio(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    }
    return true;
}

static bool start(const struct host_request *request, child_become *become, struct descriptors *d,
                  pid_t *child, int *listener, struct err *err)
{
    const struct child_plan plan = {.request = request,
                                    .boot_socket = d->theirs,
                                    .boot_file = d->boot_file,
                                    .image = d->image,
                                    .report = d->report_end,
                                    .parent = getpid()};

    *child = fork();
    if (*child < 0)
        return err_set(err, ERR_IO, "cannot make a process", (uint64_t)errno);
    if (*child == 0)
        become(&plan);
    os_closep(&d->theirs);
    d->theirs = -1;
    os_closep(&d->report_end);
    d->report_end = -1;
    bool has_word = receive_listener(d->ours, listener);
    if (has_started(d->report, err)) {
        if (has_word)
            return true;
        (void)err_set(err, ERR_IO, "the keep sent no listener", ERR_NO_AT);
    }
    os_closep(listener);
    (void)kill(*child, SIGKILL);
    (void)waitpid(*child, NULL, 0);
    return false;
}

bool child_run(const struct host_request *request, child_become *become, bool has_listener,
               const struct attester *attester, struct host_result *out, struct err *err)
{
    struct descriptors d;
    pid_t child;
    int listener = -1;

    if (!fill_stdio())
        return err_set(err, ERR_IO, "cannot open /dev/null", (uint64_t)errno);
    /* our parent may have left it ignored, and then children leave no exit code behind */
    (void)signal(SIGCHLD, SIG_DFL);
    bool ok =
        open_descriptors(request, &d, err) && start(request, become, &d, &child, &listener, err);
    if (ok && listener < 0 && has_listener)
        log_debug("no listener for the keep's calls: a filter above this process has it");
    ok = ok && attend(request, child, &d, listener, attester, out, err);
    descriptors_done(&d);
    return ok;
}
