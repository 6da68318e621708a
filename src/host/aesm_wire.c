#include "host/aesm_wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "os/os.h"
#include "base/banned.h"

#define BUSY_MS 10 /* between attempts to connect where others queue */

static bool late(struct err *err)
{
    return err_set(err, ERR_IO, "aesmd does not answer in time; 'journalctl -u aesmd' may say why",
                   ETIMEDOUT);
}

/* ---- the socket ---- */

static bool wait_for(struct deadline deadline, int fd, short events, struct err *err)
{
    struct pollfd p = {.fd = fd, .events = events};
    int ready;

    do {
        ready = poll(&p, 1, deadline_left_ms(deadline, os_monotonic_ns()));
    } while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return err_set(err, ERR_IO, "cannot wait for aesmd", (uint64_t)errno);
    return ready > 0 || late(err);
}

static bool not_connected(int number, struct err *err)
{
    const char *text = "cannot connect to aesmd";

    switch (number) {
    case ENOENT:
    case ENOTDIR:
        text = "there is no socket of aesmd: install sgx-aesm-service and 'sudo systemctl start "
               "aesmd', or name its socket in BROCH_AESM_SOCKET";
        break;
    case ECONNREFUSED:
        text = "nobody listens at aesmd's socket; start it: sudo systemctl start aesmd";
        break;
    case EACCES:
    case EPERM:
        text = "you may not use aesmd's socket: add yourself to its group, sudo usermod -aG "
               "\"$(stat -c %G /var/run/aesmd/aesm.socket)\" $USER, and log in again";
        break;
    case EPROTOTYPE:
        text = "the socket is not aesmd's: see BROCH_AESM_SOCKET";
        break;
    }
    return err_set(err, ERR_IO, text, (uint64_t)number);
}

static bool connect_to(int fd, const struct sockaddr_un *address, struct deadline deadline,
                       struct err *err)
{
    while (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        if (errno != EAGAIN && errno != EINTR) /* EAGAIN: its queue is full (unix(7)) */
            return not_connected(errno, err);
        if (deadline_passed(deadline, os_monotonic_ns()))
            return late(err);
        (void)poll(NULL, 0, BUSY_MS);
    }
    return true;
}

static bool send_all(struct deadline deadline, int fd, struct bytes bytes, struct err *err)
{
    while (bytes.size != 0) {
        if (!wait_for(deadline, fd, POLLOUT, err))
            return false;
        ssize_t sent = send(fd, bytes.data, bytes.size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return err_set(err, ERR_IO, "cannot ask aesmd", (uint64_t)errno);
        if (sent > 0)
            bytes = bytes_after(bytes, (size_t)sent);
    }
    return true;
}

static bool receive(struct deadline deadline, int fd, uint8_t *out, size_t size, struct err *err)
{
    size_t got = 0;

    while (got < size) {
        /* also when bytes are there all the time */
        if (deadline_passed(deadline, os_monotonic_ns()))
            return late(err);
        if (!wait_for(deadline, fd, POLLIN, err))
            return false;
        ssize_t n = recv(fd, out + got, size - got, 0);
        if (n == 0)
            return err_set(err, ERR_FORMAT,
                           "aesmd hangs up before its answer ends; 'journalctl -u aesmd' may say "
                           "why. Bytes that came:",
                           got);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return err_set(err, ERR_IO, "cannot hear aesmd", (uint64_t)errno);
        if (n > 0)
            got += (size_t)n;
    }
    return true;
}

static bool read_answer(struct deadline deadline, int fd, struct arena *arena, struct bytes *out,
                        struct err *err)
{
    uint8_t head[4];
    uint32_t size = 0;

    if (!receive(deadline, fd, head, sizeof head, err))
        return false;
    struct reader r = reader_of(bytes_from(head, sizeof head));
    if (!reader_u32le(&r, &size) || size > AESM_ANSWER_MAX)
        return err_set(err, ERR_FORMAT, "aesmd's answer is too large to be one, in bytes", size);
    uint8_t *body = arena_alloc(arena, size, 1);
    if (body == NULL)
        return err_set(err, ERR_MEMORY, "no memory for aesmd's answer, in bytes", size);
    *out = bytes_from(body, size);
    return receive(deadline, fd, body, size, err);
}

bool aesm_wire_exchange(const void *context, struct deadline deadline, struct bytes request,
                        struct arena *arena, struct bytes *answer, struct err *err)
{
    uint8_t head[4];
    struct writer w = writer_fixed(head, sizeof head);
    struct bytes size;
    CLEANUP(os_closep)
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_set(err, ERR_IO, "no socket for aesmd", (uint64_t)errno);
    writer_u32le(&w, (uint32_t)request.size);
    return writer_done(&w, &size, err) && connect_to(fd, context, deadline, err) &&
           send_all(deadline, fd, size, err) && send_all(deadline, fd, request, err) &&
           read_answer(deadline, fd, arena, answer, err);
}
