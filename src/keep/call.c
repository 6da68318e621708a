/* Keep calls: as system calls where somebody answers them, else as messages over the boot socket.
 * What comes back is the host's word: sizes are checked, and nothing else is believed. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keep/keep.h"
#include "os/os.h"

/* Nobody answers system calls here: known after the first. */
static bool over_socket;
/* The host broke the protocol, and what comes next on the socket could be anything. */
static bool socket_failed;

/* errno's highest (include/linux/err.h). */
#define ERRNO_MAX 4095

static bool write_all(const void *data, size_t size)
{
    struct err err;

    return os_write_fd(BOOT_SOCKET, bytes_from(data, size), &err);
}

static bool read_all(void *data, size_t size)
{
    struct err err;
    size_t got;

    return os_read_exactly(BOOT_SOCKET, data, size, &got, &err) && got == size;
}

/* Whether a reply can be one to the request. */
static bool is_sane(const struct keep_reply *reply, const struct keep_request *request)
{
    if (reply->result < 0)
        return reply->result >= -ERRNO_MAX && reply->size == 0;
    return reply->size <= request->space && (uint64_t)reply->result == reply->size;
}

/* One message and its answer; the result as the call's. */
static int64_t by_message(struct keep_request request, struct bytes in, void *out)
{
    struct keep_reply reply;

    socket_failed = socket_failed || !write_all(&request, sizeof request) ||
                    !write_all(in.data, in.size) || !read_all(&reply, sizeof reply) ||
                    !is_sane(&reply, &request) || !read_all(out, reply.size);
    return socket_failed ? -EIO : reply.result;
}

/* in: what is sent; out: room for what comes back. */
static int64_t keep_call(enum keep_call_number number, uint32_t value, struct bytes in, void *out,
                         size_t out_size)
{
    if (!over_socket) {
        bool has_value = number == KEEP_CALL_LOG || number == KEEP_CALL_PHASE;
        long result = has_value ? syscall((long)number, (long)value, in.data, in.size)
                                : syscall((long)number, in.data, in.size, out, out_size);
        if (result >= 0)
            return (size_t)result <= out_size ? result : -EIO;
        /* of evidence it is an answer: there is none. The first keep call is another */
        if (errno != ENOSYS || number == KEEP_CALL_ATTEST)
            return -errno;
        over_socket = true;
    }
    struct keep_request request = {
        .number = number, .size = (uint32_t)in.size, .value = value, .space = (uint32_t)out_size};
    return by_message(request, in, out);
}

static void write_line(void *context, enum log_level level, struct bytes line)
{
    (void)context;
    /* if the host does not want to hear it, there is nobody else */
    (void)keep_call(KEEP_CALL_LOG, level, bytes_before(line, KEEP_LOG_MAX), NULL, 0);
}

void call_log_setup(enum log_level level)
{
    log_setup(&(struct log_config){.level = level, .bare = true, .write_line = write_line});
}

void call_phase(enum keep_phase phase)
{
    /* as with the log, there is nobody else to tell */
    (void)keep_call(KEEP_CALL_PHASE, phase, (struct bytes){.size = 0}, NULL, 0);
}

bool call_attest(const uint8_t data[KEEP_REPORT_DATA_SIZE], struct arena *arena,
                 struct keep_evidence *out, struct err *err)
{
    uint8_t *evidence = arena_alloc(arena, KEEP_MESSAGE_MAX, 1);

    if (evidence == NULL)
        return err_set(err, ERR_MEMORY, "no memory for evidence", ERR_NO_AT);
    int64_t result = keep_call(KEEP_CALL_ATTEST, 0, bytes_from(data, KEEP_REPORT_DATA_SIZE),
                               evidence, KEEP_MESSAGE_MAX);
    if (result == -ENOSYS)
        return err_set(err, ERR_UNSUPPORTED, "this backend is no TEE and has no evidence",
                       ERR_NO_AT);
    if (result <= 0)
        return err_set(err, ERR_IO, "the platform gave no evidence", (uint64_t)-result);
    return keep_evidence_parse(bytes_from(evidence, (size_t)result), out, err);
}

bool call_platform_key(struct keep_platform_key *out)
{
    /* a shim answers it as a call, or nobody does; never the host, by a message */
    return syscall(KEEP_CALL_PLATFORM_KEY, out, sizeof *out) == (long)sizeof *out;
}

int64_t call_guest_request(const uint8_t page[KEEP_GUEST_PAGE], uint8_t *out)
{
    long result = syscall(KEEP_CALL_GUEST_REQUEST, page, KEEP_GUEST_PAGE, out, KEEP_GUEST_SPACE);

    return result < 0 ? -errno : result;
}

enum vfs_error call_resolve(void *context, struct bytes name, struct net_address *out,
                            size_t *count)
{
    struct keep_address found[KEEP_ADDRESSES_MAX];

    (void)context;
    _Static_assert(KEEP_ADDRESSES_MAX <= NET_ADDRESSES_MAX, "all that come have room");
    if (name.size > KEEP_NAME_MAX)
        return VFS_NOENT;
    int64_t result = keep_call(KEEP_CALL_RESOLVE, 0, name, found, sizeof found);
    if (result < 0)
        return net_error((int)-result);
    if (result == 0 || (size_t)result % sizeof found[0] != 0)
        return VFS_NOENT;
    *count = (size_t)result / sizeof found[0];
    for (size_t i = 0; i < *count; i++) {
        if (found[i].family != 4 && found[i].family != 6)
            return VFS_IO;
        out[i].family = found[i].family;
        memcpy(out[i].bytes, found[i].bytes, sizeof out[i].bytes);
    }
    return VFS_OK;
}
