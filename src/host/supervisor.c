/* Serves the calls of a keep that are not made directly: by user notification (seccomp_unotify(2))
 * and as messages over the boot socket. The keep is hostile: its arguments are copied before they
 * are looked at, nothing that it says is believed, and no call of its is ever let through. */
#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host/internal.h"
#include "host/sgx_quoting.h"
#include "os/os.h"

/* Linux 6.6; the headers are older. Wakes the two sides on one processor: ten times as fast. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1ul << 0)
#endif

/* Numbers of calls that are logged by name, once each; larger ones share the last place. */
#define LOGGED_COUNT 1024

static const struct {
    uint32_t number;
    const char *name;
} names[] = {
#include "host/call_names.inc"
};

static const char *name_of(uint64_t number)
{
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (names[i].number == number)
            return names[i].name;
    }
    return "unknown";
}

/* A call that is refused, the first time that it comes. */
void supervisor_log_refused(uint64_t number)
{
    static bool logged[LOGGED_COUNT];
    size_t place = number < LOGGED_COUNT ? (size_t)number : LOGGED_COUNT - 1;

    if (logged[place])
        return;
    logged[place] = true;
    const char *why = call_find(number) != NULL ? "with these arguments" : "at all";
    log_debug("a keep may not make this call", log_str("call", name_of(number)),
              log_u64("number", number), log_str("refused", why));
}

/* ---- what the calls do, however they came ---- */

/* A host name of a keep's, as text: letters, digits, '-', '_' and dots, or nothing. */
static bool name_copy(struct bytes name, char out[KEEP_NAME_MAX + 1])
{
    if (name.size == 0 || name.size > KEEP_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
        out[i] = (char)c;
    }
    out[name.size] = '\0';
    return true;
}

/* The addresses of a name, at most `space` bytes of them; returns the result of the call. */
static int64_t serve_resolve(struct bytes name, struct keep_address out[KEEP_ADDRESSES_MAX],
                             size_t space)
{
    char text[KEEP_NAME_MAX + 1];

    if (!name_copy(name, text))
        return -EINVAL;
    size_t count = resolve_name(text, out);
    if (count > space / sizeof *out)
        count = space / sizeof *out;
    return count == 0 ? -ENOENT : (int64_t)(count * sizeof *out);
}

#define KEEP_PREFIX "keep: "

static int64_t serve_log(uint64_t level, struct bytes text)
{
    if (text.size > KEEP_LOG_MAX)
        return -EMSGSIZE;
    if (level > LOG_DEBUG)
        return -EINVAL;
    /* so that nobody takes the keep's word for the loader's */
    uint8_t line[sizeof KEEP_PREFIX + KEEP_LOG_MAX];
    struct writer w = writer_fixed(line, sizeof line);
    writer_text(&w, KEEP_PREFIX);
    writer_bytes(&w, text);
    log_event(
        (enum log_level)level,
        (const struct log_field[]){log_bytes("msg", bytes_from(line, w.size)), {.kind = LOG_END}});
    return 0;
}

/* ---- notifications ---- */

struct notification {
    int listener;
    const struct seccomp_notif *request;
};

/* Whether the call still waits: else its process, and its memory, may be another's by now. */
static bool is_waiting(const struct notification *n)
{
    uint64_t id = n->request->id;

    return ioctl(n->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* Copies the keep's memory. 0 or a negative errno; ENOSYS where the system forbids to look into it
 * (Yama, containers): the keep then sends a message. */
static int64_t copy_in(const struct notification *n, uint64_t address, void *out, size_t size)
{
    struct iovec local = {.iov_base = out, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

    if (size == 0)
        return 0;
    ssize_t got = process_vm_readv((pid_t)n->request->pid, &local, 1, &remote, 1, 0);
    if (got < 0 && (errno == EPERM || errno == ENOSYS))
        return -ENOSYS;
    if (got != (ssize_t)size)
        return -EFAULT;
    return is_waiting(n) ? 0 : -ESRCH;
}

static int64_t copy_out(const struct notification *n, uint64_t address, const void *in, size_t size)
{
    struct iovec local = {.iov_base = (void *)(uintptr_t)in, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};

    if (!is_waiting(n))
        return -ESRCH;
    return process_vm_writev((pid_t)n->request->pid, &local, 1, &remote, 1, 0) == (ssize_t)size
               ? 0
               : -EFAULT;
}

static int64_t notified_resolve(const struct notification *n)
{
    const uint64_t *args = (const uint64_t *)(const void *)n->request->data.args;
    struct keep_address found[KEEP_ADDRESSES_MAX];
    uint8_t name[KEEP_NAME_MAX];

    if (args[1] > sizeof name)
        return -EINVAL;
    int64_t result = copy_in(n, args[0], name, (size_t)args[1]);
    if (result == 0)
        result = serve_resolve(bytes_from(name, (size_t)args[1]), found,
                               args[3] < sizeof found ? (size_t)args[3] : sizeof found);
    if (result <= 0)
        return result;
    int64_t copied = copy_out(n, args[2], found, (size_t)result);
    return copied == 0 ? result : copied;
}

static int64_t notified_log(const struct notification *n)
{
    const uint64_t *args = (const uint64_t *)(const void *)n->request->data.args;
    uint8_t text[KEEP_LOG_MAX];

    if (args[2] > sizeof text)
        return -EMSGSIZE;
    int64_t result = copy_in(n, args[1], text, (size_t)args[2]);
    return result == 0 ? serve_log(args[0], bytes_from(text, (size_t)args[2])) : result;
}

static int64_t give(struct bytes answer, uint8_t *out, size_t space)
{
    if (answer.size > space)
        return -EMSGSIZE;
    memcpy(out, answer.data, answer.size);
    return (int64_t)answer.size;
}

/* An enclave's: nothing, and it is told for whom to make a REPORT; that, and it becomes evidence.
 */
static int64_t serve_report(const struct attester *a, struct bytes in, uint8_t *out, size_t space)
{
    uint8_t target[SGX_TARGET_INFO_SIZE];
    struct keep_evidence evidence = *a->sgx;
    struct arena arena;
    struct err err;
    char text[ERR_TEXT_SIZE];

    if (in.size == 0 && a->quoting->target(a->quoting, target, &err))
        return give(bytes_from(target, sizeof target), out, space);
    if (in.size != 0 && in.size != SGX_WHOLE_REPORT_SIZE)
        return -EINVAL;
    arena_init(&arena, arena_heap, (size_t)4 * SGX_QUOTE_MAX);
    struct writer quote = writer_growable(&arena, SGX_QUOTE_MAX), w = writer_fixed(out, space);
    struct bytes whole;
    int64_t result = -EIO;
    if (in.size != 0 && platform_quote(a->quoting, in.data, &quote, &err) &&
        writer_done(&quote, &evidence.report, &err)) {
        keep_evidence_write(&w, &evidence);
        result = writer_done(&w, &whole, &err) ? (int64_t)whole.size : -EMSGSIZE;
    } else {
        log_error("no quote", log_str("reason", err_text(&err, os_strerror, text)));
    }
    arena_done(&arena);
    return result;
}

static int64_t serve_attest(const struct supervisor *s, struct bytes in, uint8_t *out, size_t space)
{
    if (s->attester->quoting != NULL)
        return serve_report(s->attester, in, out, space);
    if (in.size != KEEP_REPORT_DATA_SIZE)
        return -EINVAL;
    return s->attester->endorsements.size != 0 ? give(s->attester->endorsements, out, space)
                                               : platform_attest(in.data, out, space);
}

static int64_t notified_attest(const struct supervisor *s, const struct notification *n)
{
    const uint64_t *args = (const uint64_t *)(const void *)n->request->data.args;
    static uint8_t evidence[KEEP_MESSAGE_MAX];
    uint8_t data[KEEP_REPORT_DATA_SIZE];

    if (args[1] != sizeof data)
        return -EINVAL;
    int64_t result = copy_in(n, args[0], data, sizeof data);
    if (result == 0)
        result = serve_attest(s, bytes_from(data, sizeof data), evidence,
                              args[3] < sizeof evidence ? (size_t)args[3] : sizeof evidence);
    if (result <= 0)
        return result;
    int64_t copied = copy_out(n, args[2], evidence, (size_t)result);
    return copied == 0 ? result : copied;
}

static int64_t serve_phase(const struct supervisor *s, uint64_t phase)
{
    if (phase >= KEEP_PHASE_COUNT)
        return -EINVAL;
    if (s->on_phase != NULL)
        s->on_phase(s->context, keep_phase_name((enum keep_phase)phase));
    return 0;
}

static int64_t serve_notification(const struct supervisor *s, const struct notification *n)
{
    switch (n->request->data.nr) {
    case KEEP_CALL_ATTEST:
        return notified_attest(s, n);
    case KEEP_CALL_PHASE:
        return serve_phase(s, n->request->data.args[0]);
    case KEEP_CALL_RESOLVE:
        return notified_resolve(n);
    case KEEP_CALL_LOG:
        return notified_log(n);
    default:
        supervisor_log_refused((uint32_t)n->request->data.nr);
        return -ENOSYS;
    }
}

/* The kernel's structures may be larger than the headers' (seccomp(2), SECCOMP_GET_NOTIF_SIZES). */
struct buffers {
    struct seccomp_notif *request;
    struct seccomp_notif_resp *response;
    size_t request_size, response_size;
};

static bool buffers_new(struct buffers *b)
{
    struct seccomp_notif_sizes sizes;

    *b = (struct buffers){.request = NULL};
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
        return false;
    b->request_size =
        sizes.seccomp_notif > sizeof *b->request ? sizes.seccomp_notif : sizeof *b->request;
    b->response_size = sizes.seccomp_notif_resp > sizeof *b->response ? sizes.seccomp_notif_resp
                                                                      : sizeof *b->response;
    b->request = calloc(1, b->request_size);
    b->response = calloc(1, b->response_size);
    return b->request != NULL && b->response != NULL;
}

/* Takes one notification and answers it. */
static void notification_run(const struct supervisor *s, int listener, const struct buffers *b)
{
    struct notification n = {.listener = listener, .request = b->request};

    memset(b->request, 0, b->request_size);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, b->request) != 0)
        return; /* its caller died meanwhile */
    memset(b->response, 0, b->response_size);
    b->response->id = b->request->id;
    int64_t result = serve_notification(s, &n);
    if (result < 0)
        b->response->error = (int32_t)result;
    else
        b->response->val = result;
    /* ENOENT: the caller is gone, which is its own affair */
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, b->response);
}

/* ---- messages ---- */

static bool read_all(int fd, void *out, size_t size)
{
    struct err err;
    size_t got;

    return os_read_exactly(fd, out, size, &got, &err) && got == size;
}

/* Not by write: a keep that is gone is no reason for a SIGPIPE. */
static bool send_all(int fd, struct bytes bytes)
{
    while (bytes.size != 0) {
        ssize_t step = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (step < 0 && errno == EINTR)
            continue;
        if (step < 0)
            return false;
        bytes = bytes_after(bytes, (size_t)step);
    }
    return true;
}

static int64_t message_resolve(const struct keep_request *request, struct bytes body, uint8_t *out)
{
    struct keep_address found[KEEP_ADDRESSES_MAX];
    int64_t result = serve_resolve(body, found, request->space);

    if (result > 0)
        memcpy(out, found, (size_t)result);
    return result;
}

/* The answer's bytes go to `out`, which holds KEEP_MESSAGE_MAX. */
static int64_t serve_message(const struct supervisor *s, const struct keep_request *request,
                             struct bytes body, uint8_t *out)
{
    switch (request->number) {
    case KEEP_CALL_ATTEST:
        return serve_attest(s, body, out,
                            request->space < KEEP_MESSAGE_MAX ? request->space : KEEP_MESSAGE_MAX);
    case KEEP_CALL_PHASE:
        return serve_phase(s, request->value);
    case KEEP_CALL_RESOLVE:
        return message_resolve(request, body, out);
    case KEEP_CALL_LOG:
        return serve_log(request->value, body);
    default:
        supervisor_log_refused(request->number);
        return -ENOSYS;
    }
}

/* Takes one message and answers it; false when the socket is of no more use. */
static bool message_run(const struct supervisor *s)
{
    static uint8_t body[KEEP_MESSAGE_MAX], out[KEEP_MESSAGE_MAX];
    struct keep_request request;
    int fd = s->boot_socket;

    if (!read_all(fd, &request, sizeof request))
        return false;
    if (request.size > sizeof body) {
        log_warn("the keep broke the protocol of its boot socket", log_u64("size", request.size));
        return false;
    }
    if (!read_all(fd, body, request.size))
        return false;
    int64_t result = serve_message(s, &request, bytes_from(body, request.size), out);
    struct keep_reply reply = {.result = result, .size = result > 0 ? (uint32_t)result : 0};
    return send_all(fd, bytes_from(&reply, sizeof reply)) &&
           send_all(fd, bytes_from(out, reply.size));
}

/* Makes ready to take notifications from the listener; returns it, or -1: then the calls give
 * ENOSYS, and keep calls come as messages. */
static int listener_open(int listener, struct buffers *b)
{
    uint64_t flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;

    *b = (struct buffers){.request = NULL};
    if (listener < 0)
        return -1;
    if (!buffers_new(b)) {
        log_warn("the keep's calls cannot be served as such");
        (void)close(listener);
        return -1;
    }
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags); /* older kernels: slower */
    return listener;
}

void supervisor_run(const struct supervisor *s)
{
    struct buffers buffers;
    int listener = listener_open(s->listener, &buffers);
    struct pollfd fds[2] = {{.fd = listener, .events = POLLIN},
                            {.fd = s->boot_socket, .events = POLLIN}};

    /* a descriptor that is negative is not waited for */
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, COUNT_OF(fds), -1) < 0 && errno != EINTR)
            break;
        if (listener >= 0 && (fds[0].revents & POLLIN) != 0)
            notification_run(s, listener, &buffers);
        else if (fds[0].revents != 0)
            fds[0].fd = -1;
        if (fds[1].revents != 0 && !message_run(s)) {
            (void)shutdown(s->boot_socket, SHUT_RDWR); /* nobody is to wait for an answer */
            fds[1].fd = -1;
        }
    }
    free(buffers.request);
    free(buffers.response);
    (void)close(s->boot_socket);
    if (listener >= 0)
        (void)close(listener);
}
