/* Whole files in, whole buffers out. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *os_strerror(int number)
{
    const char *text = strerrordesc_np(number);
    return text != NULL ? text : "unknown error";
}

void os_closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static ssize_t read_some(int fd, void *out, size_t size)
{
    ssize_t got;

    do
        got = read(fd, out, size);
    while (got < 0 && errno == EINTR);
    return got;
}

/* What a first buffer should hold, so that an ordinary file is read without growing: its size and
 * one byte, in which the end of file is found. */
static size_t first_size(int fd, size_t limit)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < 0 ||
        (uintmax_t)st.st_size > limit)
        return 4096;
    return (size_t)st.st_size + 1;
}

bool os_read_fd(int fd, size_t limit, struct arena *arena, struct bytes *out, struct err *err)
{
    size_t room;
    if (!checked_add(limit, 1, &room)) /* one byte more tells a file of `limit` from a larger one */
        room = limit;
    struct writer w = writer_growable(arena, room);
    size_t wish = first_size(fd, limit);

    for (;;) {
        if (wish > room - w.size)
            wish = room - w.size;
        if (wish == 0)
            return err_set(err, ERR_LIMIT, "file is larger than may be, in bytes", limit);
        uint8_t *place = writer_reserve(&w, wish);
        struct bytes so_far;
        if (place == NULL)
            return writer_done(&w, &so_far, err);
        ssize_t got = read_some(fd, place, wish);
        if (got < 0)
            return err_set(err, ERR_IO, "cannot read", (uint64_t)errno);
        writer_truncate(&w, w.size - wish + (size_t)got);
        if (got == 0)
            break;
        wish = w.capacity > w.size ? w.capacity - w.size : w.size;
    }
    if (w.size > limit)
        return err_set(err, ERR_LIMIT, "file is larger than may be, in bytes", limit);
    return writer_done(&w, out, err);
}

bool os_read_file(const char *path, size_t limit, struct arena *arena, struct bytes *out,
                  struct err *err)
{
    CLEANUP(os_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, ERR_IO, "cannot open", (uint64_t)errno);
    return os_read_fd(fd, limit, arena, out, err);
}

bool os_read_exactly(int fd, void *out, size_t size, size_t *got, struct err *err)
{
    *got = 0;
    while (*got < size) {
        ssize_t step = read(fd, (uint8_t *)out + *got, size - *got);
        if (step < 0 && errno == EINTR)
            continue;
        if (step < 0)
            return err_set(err, ERR_IO, "cannot read", (uint64_t)errno);
        if ((size_t)step > size - *got)
            return err_set(err, ERR_IO, "cannot read", EIO);
        if (step == 0)
            break;
        *got += (size_t)step;
    }
    return true;
}

bool os_write_fd(int fd, struct bytes bytes, struct err *err)
{
    while (bytes.size != 0) {
        ssize_t done = write(fd, bytes.data, bytes.size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_set(err, ERR_IO, "cannot write", (uint64_t)errno);
        bytes = bytes_after(bytes, (size_t)done);
    }
    return true;
}
