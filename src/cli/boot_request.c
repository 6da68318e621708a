/* The boot request as a file in memory, so that the keep reads it at its own pace. */
#include "cli/boot_request.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/os.h"
#include "package/ignore.h"
#include "base/banned.h"

/* Directories in each other. */
#define DEPTH_MAX 64

static bool io_error(struct err *err, const char *msg)
{
    return err_set(err, ERR_IO, msg, (uint64_t)errno);
}

bool boot_request_new(struct boot_request *out, struct err *err)
{
    int fd = memfd_create("boot request", MFD_CLOEXEC);

    if (fd < 0)
        return io_error(err, "cannot make the boot request");
    *out = (struct boot_request){.fd = fd};
    return os_write_fd(fd, bytes_from(BOOT_MAGIC, BOOT_MAGIC_SIZE), err);
}

bool boot_request_finish(struct boot_request *request, struct err *err)
{
    return lseek(request->fd, 0, SEEK_SET) == 0 || io_error(err, "cannot finish the boot request");
}

static bool write_head(struct boot_request *request, enum boot_kind kind, size_t size,
                       struct err *err)
{
    uint8_t head[BOOT_SECTION_HEAD_SIZE];

    if (size > BOOT_SECTION_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "too large for a keep, in bytes", size);
    if (request->sections++ == BOOT_SECTIONS_MAX)
        return err_set(err, ERR_LIMIT, "too many files and options for a keep, more than",
                       BOOT_SECTIONS_MAX);
    boot_section_write((struct boot_section){.kind = kind, .size = (uint32_t)size}, head);
    return os_write_fd(request->fd, bytes_from(head, sizeof head), err);
}

bool boot_request_bytes(struct boot_request *request, enum boot_kind kind, struct bytes body,
                        struct err *err)
{
    return write_head(request, kind, body.size, err) && os_write_fd(request->fd, body, err);
}

bool boot_request_u64(struct boot_request *request, enum boot_kind kind, uint64_t value,
                      struct err *err)
{
    uint8_t bytes[8];
    struct writer w = writer_fixed(bytes, sizeof bytes);

    writer_u64le(&w, value);
    return boot_request_bytes(request, kind, bytes_from(bytes, sizeof bytes), err);
}

/* Copies `size` bytes of a file, which must be all that it has. */
static bool copy_content(int from, int to, size_t size, struct err *err)
{
    uint8_t buffer[65536];
    size_t copied = 0;

    for (;;) {
        ssize_t got = read(from, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return io_error(err, "cannot read");
        if (got == 0)
            break;
        if ((size_t)got > size - copied)
            return err_set(err, ERR_INVALID, "grew while it was read", ERR_NO_AT);
        if (!os_write_fd(to, bytes_from(buffer, (size_t)got), err))
            return false;
        copied += (size_t)got;
    }
    return copied == size || err_set(err, ERR_INVALID, "shrank while it was read", ERR_NO_AT);
}

bool boot_request_file(struct boot_request *request, const char *host_path, const char *path,
                       struct err *err)
{
    CLEANUP(os_closep) int fd = open(host_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct bytes name = bytes_of(path);
    uint8_t name_size[2];
    struct writer w = writer_fixed(name_size, sizeof name_size);
    struct stat stat;

    if (fd < 0 || fstat(fd, &stat) != 0)
        return io_error(err, "cannot open");
    if (!S_ISREG(stat.st_mode))
        return err_set(err, ERR_INVALID, "is no regular file", ERR_NO_AT);
    if (name.size > BOOT_PATH_MAX)
        return err_set(err, ERR_LIMIT, "the path is too long, in bytes", name.size);
    writer_u16le(&w, (uint16_t)name.size);
    size_t size = (size_t)stat.st_size;
    return write_head(request, BOOT_FILE_SECTION, sizeof name_size + name.size + size, err) &&
           os_write_fd(request->fd, bytes_from(name_size, sizeof name_size), err) &&
           os_write_fd(request->fd, name, err) && copy_content(fd, request->fd, size, err);
}

/* "a/b", or "b" when a is empty. NULL: no memory. */
static const char *join(struct arena *arena, const char *a, const char *b)
{
    struct writer w = writer_growable(arena, SIZE_MAX / 2);
    struct bytes text;
    struct err err;

    if (a[0] != '\0') {
        writer_text(&w, a);
        writer_u8(&w, '/');
    }
    writer_text(&w, b);
    writer_u8(&w, '\0');
    return writer_done(&w, &text, &err) ? (const char *)text.data : NULL;
}

struct walk {
    struct ignore ignore;
    struct boot_request *request;
    struct arena *arena;
    const char *culprit;
    struct err *err;
};

static bool add_directory(struct walk *walk, const char *host_path, const char *path,
                          unsigned depth);

static bool add_entry(struct walk *walk, const char *host_path, const char *path, unsigned depth)
{
    struct stat stat;

    walk->culprit = host_path;
    if (lstat(host_path, &stat) != 0)
        return io_error(walk->err, "cannot look at");
    if (S_ISDIR(stat.st_mode))
        return add_directory(walk, host_path, path, depth + 1);
    if (!S_ISREG(stat.st_mode))
        return err_set(walk->err, ERR_INVALID, "a package has regular files and directories only",
                       ERR_NO_AT);
    return boot_request_file(walk->request, host_path, path, walk->err);
}

static bool is_left_out(const struct walk *walk, const char *host_path, const char *path)
{
    struct stat stat;

    return ignore_has(&walk->ignore, path, lstat(host_path, &stat) == 0 && S_ISDIR(stat.st_mode));
}

static void dir_closep(DIR **dir)
{
    if (*dir != NULL)
        (void)closedir(*dir);
}

static bool add_directory(struct walk *walk, const char *host_path, const char *path,
                          unsigned depth)
{
    CLEANUP(dir_closep) DIR *dir = opendir(host_path);
    const struct dirent *entry;

    if (dir == NULL)
        return io_error(walk->err, "cannot open");
    if (depth > DEPTH_MAX)
        return err_set(walk->err, ERR_LIMIT, "more directories in each other than", DEPTH_MAX);
    errno = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        const char *below = join(walk->arena, host_path, entry->d_name);
        const char *inside = join(walk->arena, path, entry->d_name);
        if (below == NULL || inside == NULL)
            return err_set(walk->err, ERR_MEMORY, "no memory for a path", ERR_NO_AT);
        if (!is_left_out(walk, below, inside) && !add_entry(walk, below, inside, depth))
            return false;
        errno = 0;
    }
    return errno == 0 || io_error(walk->err, "cannot list");
}

/* What the package's own list leaves out, as when it is published. */
static bool read_ignore(struct walk *walk, const char *folder)
{
    const char *path = join(walk->arena, folder, IGNORE_NAME);
    struct bytes text;

    walk->ignore = (struct ignore){.count = 0};
    if (path == NULL)
        return err_set(walk->err, ERR_MEMORY, "no memory for a path", ERR_NO_AT);
    if (access(path, F_OK) != 0)
        return true;
    walk->culprit = path;
    return os_read_file(path, IGNORE_SIZE_MAX, walk->arena, &text, walk->err) &&
           ignore_parse(text, walk->arena, &walk->ignore, walk->err);
}

bool boot_request_directory(struct boot_request *request, const char *host_path,
                            struct arena *arena, const char **culprit, struct err *err)
{
    struct walk walk = {.request = request, .arena = arena, .culprit = host_path, .err = err};
    bool ok = read_ignore(&walk, host_path) && add_directory(&walk, host_path, "", 0);

    *culprit = walk.culprit;
    return ok;
}
