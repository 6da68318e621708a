/* Makes the calls of a keep that has no system calls of its own: in a virtual machine, or in an
 * enclave. The guest is hostile: its numbers are copied,
 * looked up in the table of calls and held to it; its memory is the block's, its descriptors are of
 * a table that only we write. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "host/proxy.h"
#include "os/os.h"
#include "base/banned.h"

#define NOWHERE UINT64_MAX
#define DESCRIPTORS_MAX 65536u
#define BOOT_DESCRIPTORS 5u
#define POLLFD_SIZE sizeof(struct pollfd)

/* A call, copied. */
struct request {
    const struct call *call;
    uint64_t number, args[6];
    void *memory[6]; /* of arguments that are memory; NULL: none */
    int fd;
};

/* ---- descriptors ---- */

bool proxy_new(struct block *block, struct proxy *out, struct err *err)
{
    *out = (struct proxy){.block = block};
    out->descriptors = malloc(DESCRIPTORS_MAX * sizeof *out->descriptors);
    if (out->descriptors == NULL)
        return err_set(err, ERR_MEMORY, "no memory for descriptors", ERR_NO_AT);
    out->count = BOOT_DESCRIPTORS;
    for (int i = 0; i < 3; i++)
        out->descriptors[i] = i;
    out->descriptors[BOOT_SOCKET] = -1; /* keep calls come as calls */
    out->descriptors[BOOT_FILE] = BOOT_FILE;
    return true;
}

static int fd_of(const struct proxy *p, uint64_t number)
{
    return number < p->count ? p->descriptors[number] : -1;
}

/* The guest's number for a new descriptor: the lowest, as Linux's. */
static int64_t give(struct proxy *p, int fd)
{
    size_t at = 3;

    while (at < p->count && p->descriptors[at] >= 0)
        at++;
    if (at == BOOT_SOCKET) /* never used again, so that no old number means something new */
        for (at = BOOT_DESCRIPTORS; at < p->count && p->descriptors[at] >= 0; at++)
            ;
    if (at == DESCRIPTORS_MAX) {
        (void)close(fd);
        return -EMFILE;
    }
    p->count = at == p->count ? at + 1 : p->count;
    p->descriptors[at] = fd;
    return (int64_t)at;
}

static int64_t take_back(struct proxy *p, uint64_t number)
{
    int fd = fd_of(p, number);

    if (fd < 0)
        return -EBADF;
    p->descriptors[number] = -1;
    /* our own standard descriptors stay ours */
    return fd <= 2 || close(fd) == 0 ? 0 : -errno;
}

/* ---- arguments ---- */

/* The block's memory at an offset; NULL: there is not so much. */
static void *memory_at(const struct proxy *p, uint64_t at, uint64_t size)
{
    return size <= BLOCK_DATA_SIZE && at <= BLOCK_DATA_SIZE - size ? p->block->data + at : NULL;
}

static bool take_memory(const struct proxy *p, struct request *r, unsigned i, uint64_t size)
{
    if (r->args[i] == NOWHERE) /* NULL, where the call takes it or there is nothing to be there */
        return size == 0 || r->call->args[i].kind == CALL_ARG_GIVE ||
               r->call->args[i].kind == CALL_ARG_TAKE;
    r->memory[i] = memory_at(p, r->args[i], size);
    return r->memory[i] != NULL;
}

static bool take_arg(const struct proxy *p, struct request *r, unsigned i)
{
    const struct call_arg *arg = &r->call->args[i];
    uint64_t value = r->args[i], n = (uint64_t)arg->value;

    switch (arg->kind) {
    case CALL_ARG_FD:
        r->fd = fd_of(p, value);
        return true;
    case CALL_ARG_IN:
    case CALL_ARG_OUT:
        return take_memory(p, r, i, r->args[n]);
    case CALL_ARG_GIVE:
    case CALL_ARG_TAKE:
        return take_memory(p, r, i, n);
    case CALL_ARG_POLLFDS:
        return r->args[n] <= BLOCK_DATA_SIZE / POLLFD_SIZE &&
               take_memory(p, r, i, r->args[n] * POLLFD_SIZE);
    case CALL_ARG_OUT_AT: {
        const void *size =
            r->args[n] != NOWHERE ? memory_at(p, r->args[n], sizeof(socklen_t)) : NULL;
        socklen_t bytes = 0;
        if (size != NULL)
            memcpy(&bytes, size, sizeof bytes);
        return take_memory(p, r, i, bytes);
    }
    default:
        return true;
    }
}

/* ---- the calls ---- */

static int64_t result_of(long result)
{
    return result < 0 ? -errno : result;
}

static int64_t wait_for(const struct proxy *p, struct request *r)
{
    struct pollfd *fds = r->memory[0];
    size_t count = (size_t)r->args[1];
    struct timespec timeout;
    struct pollfd *ours = calloc(count != 0 ? count : 1, sizeof *ours);

    if (ours == NULL)
        return -ENOMEM;
    if (r->memory[2] != NULL)
        memcpy(&timeout, r->memory[2], sizeof timeout);
    for (size_t i = 0; i < count; i++) {
        ours[i] = fds[i];
        ours[i].fd = fds[i].fd >= 0 ? fd_of(p, (uint64_t)fds[i].fd) : -1;
    }
    int64_t result = result_of(ppoll(ours, count, r->memory[2] != NULL ? &timeout : NULL, NULL));
    for (size_t i = 0; i < count; i++)
        fds[i].revents = ours[i].revents;
    free(ours);
    return result;
}

static int64_t call_with_descriptor(struct proxy *p, struct request *r)
{
    void **m = r->memory;
    const uint64_t *a = r->args;

    if (r->fd < 0)
        return -EBADF;
    switch (r->number) {
    case SYS_read:
        return result_of(read(r->fd, m[1], a[2]));
    case SYS_write:
        return result_of(write(r->fd, m[1], a[2]));
    case SYS_bind:
        return result_of(bind(r->fd, m[1], (socklen_t)a[2]));
    case SYS_listen:
        return result_of(listen(r->fd, (int)a[1]));
    case SYS_accept4: {
        int fd = accept4(r->fd, m[1], m[2], (int)a[3]);
        return fd < 0 ? -errno : give(p, fd);
    }
    case SYS_connect:
        return result_of(connect(r->fd, m[1], (socklen_t)a[2]));
    case SYS_getpeername:
        return result_of(getpeername(r->fd, m[1], m[2]));
    case SYS_getsockname:
        return result_of(getsockname(r->fd, m[1], m[2]));
    case SYS_getsockopt:
        return result_of(getsockopt(r->fd, (int)a[1], (int)a[2], m[3], m[4]));
    case SYS_setsockopt:
        return result_of(setsockopt(r->fd, (int)a[1], (int)a[2], m[3], (socklen_t)a[4]));
    case SYS_recvfrom:
        return result_of(recv(r->fd, m[1], a[2], (int)a[3]));
    case SYS_sendto:
        return result_of(send(r->fd, m[1], a[2], (int)a[3]));
    case SYS_shutdown:
        return result_of(shutdown(r->fd, (int)a[1]));
    default:
        return -ENOSYS;
    }
}

/* A keep call, which the loader answers: we have given up the means for it. */
static int64_t ask_loader(uint64_t number, uint64_t value, struct bytes in, void *out, size_t space)
{
    const struct keep_request request = {.number = (uint32_t)number,
                                         .size = (uint32_t)in.size,
                                         .value = (uint32_t)value,
                                         .space = (uint32_t)space};
    struct keep_reply reply;
    struct err err;
    size_t got;

    if (in.size > KEEP_MESSAGE_MAX || space > UINT32_MAX)
        return -EMSGSIZE;
    if (!os_write_fd(BOOT_SOCKET, bytes_from(&request, sizeof request), &err) ||
        !os_write_fd(BOOT_SOCKET, in, &err) ||
        !os_read_exactly(BOOT_SOCKET, &reply, sizeof reply, &got, &err) || got != sizeof reply ||
        reply.size > space || !os_read_exactly(BOOT_SOCKET, out, reply.size, &got, &err) ||
        got != reply.size)
        return -EIO;
    return reply.result;
}

static int64_t make(struct proxy *p, struct request *r)
{
    const uint64_t *a = r->args;
    int fd;

    switch (r->number) {
    case SYS_clock_gettime:
        return r->memory[1] != NULL ? result_of(clock_gettime((clockid_t)a[0], r->memory[1]))
                                    : -EFAULT;
    case SYS_sched_yield:
        return result_of(sched_yield());
    case SYS_exit_group:
        p->has_exited = true;
        p->code = (int)(a[0] & 0xff);
        return 0;
    case SYS_close:
        return take_back(p, a[0]);
    case SYS_ppoll:
        return wait_for(p, r);
    case SYS_socket:
        fd = socket((int)a[0], (int)a[1], (int)a[2]);
        return fd < 0 ? -errno : give(p, fd);
    case KEEP_CALL_ATTEST:
    case KEEP_CALL_RESOLVE:
        return ask_loader(r->number, 0, bytes_from(r->memory[0], (size_t)a[1]), r->memory[2],
                          (size_t)a[3]);
    case KEEP_CALL_LOG:
        return ask_loader(r->number, a[0], bytes_from(r->memory[1], (size_t)a[2]), NULL, 0);
    case KEEP_CALL_PHASE:
        return ask_loader(r->number, a[0], bytes_of(""), NULL, 0);
    default:
        return call_with_descriptor(p, r);
    }
}

void proxy_serve(struct proxy *p)
{
    struct request r = {.number = *(volatile uint64_t *)&p->block->number, .fd = -1};
    bool is_allowed;

    memcpy(r.args, p->block->args, sizeof r.args);
    r.call = call_find(r.number);
    is_allowed = r.call != NULL && r.call->home != CALL_LOCAL && call_fits(r.call, r.args);
    for (unsigned i = 0; is_allowed && i < 6; i++)
        is_allowed = take_arg(p, &r, i);
    if (!is_allowed)
        supervisor_log_refused(r.number);
    p->block->result = is_allowed ? make(p, &r) : -ENOSYS;
    if (is_allowed)
        platform_answer(p->block, r.call);
}

/* A number as people write it, in hexadecimal. */
struct bytes proxy_number(uint64_t value, uint8_t out[8])
{
    for (unsigned i = 8; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
    return bytes_from(out, 8);
}

void proxy_report(const struct block *block)
{
    struct panic p;
    uint8_t rip[8], address[8];

    memcpy(&p, block->data, sizeof p);
    p.text[sizeof p.text - 1] = '\0';
    log_error(p.is_ring0 != 0 ? "the shim failed" : "the keep failed", log_str("reason", p.text),
              log_u64("vector", p.vector), log_u64("error", p.error),
              log_hex("rip", proxy_number(p.rip, rip)),
              log_hex("address", proxy_number(p.address, address)));
}
