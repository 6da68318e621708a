/* Every right that a function asks for: with those alone it works, and with all but one of them it
 * is refused. Then what rights hand on. */
#include "wasi.h"

typedef int attempt(int fd);

#define RIGHT_BIT(n) (UINT64_C(1) << (n))
/* What may be asked for of a directory without asking to write to it. */
#define RIGHTS_DIRECTORY \
    (RIGHTS_ALL &        \
     ~(RIGHT_WRITE | RIGHT_SEEK | RIGHT_TELL | RIGHT_BIT(8) /* allocate */ | RIGHT_BIT(22)))

enum {
    DATASYNC = 0,
    SET_FLAGS = 3,
    SYNC = 4,
    ADVISE = 7,
    ALLOCATE = 8,
    CREATE_DIRECTORY = 9,
    CREATE_FILE = 10,
    LINK_SOURCE = 11,
    LINK_TARGET = 12,
    OPEN = 13,
    READDIR = 14,
    READLINK = 15,
    RENAME_SOURCE = 16,
    RENAME_TARGET = 17,
    PATH_STAT = 18,
    PATH_SET_SIZE = 19,
    PATH_SET_TIMES = 20,
    STAT = 21,
    SET_SIZE = 22,
    SET_TIMES = 23,
    SYMLINK = 24,
    REMOVE_DIRECTORY = 25,
    UNLINK = 26
};

static char buffer[64];
static uint32_t count;
static uint64_t offset;

static at one_buffer(void)
{
    static struct iovec_ v;

    v = iovec_of(buffer, 4);
    return place(&v);
}

/* ---- of files ---- */

static int do_datasync(int fd)
{
    return w_fd_datasync(fd);
}

static int do_read(int fd)
{
    return w_fd_read(fd, one_buffer(), 1, place(&count));
}

static int do_pread(int fd)
{
    return w_fd_pread(fd, one_buffer(), 1, 0, place(&count));
}

static int do_seek(int fd)
{
    return w_fd_seek(fd, 1, 0, place(&offset));
}

static int do_ask_place(int fd)
{
    return w_fd_seek(fd, 0, 1, place(&offset));
}

static int do_set_flags(int fd)
{
    return w_fd_fdstat_set_flags(fd, FD_APPEND);
}

static int do_sync(int fd)
{
    return w_fd_sync(fd);
}

static int do_tell(int fd)
{
    return w_fd_tell(fd, place(&offset));
}

static int do_write(int fd)
{
    return w_fd_write(fd, one_buffer(), 1, place(&count));
}

static int do_pwrite(int fd)
{
    return w_fd_pwrite(fd, one_buffer(), 1, 0, place(&count));
}

static int do_advise(int fd)
{
    return w_fd_advise(fd, 0, 1, 0);
}

static int do_allocate(int fd)
{
    return w_fd_allocate(fd, 0, 10);
}

static int do_stat(int fd)
{
    return w_fd_filestat_get(fd, place(buffer));
}

static int do_set_size(int fd)
{
    return w_fd_filestat_set_size(fd, 5);
}

static int do_set_times(int fd)
{
    return w_fd_filestat_set_times(fd, 1, 1, 5);
}

/* ---- of directories, in tmp/r with a file f, a symlink s and an empty directory d ---- */

static int do_create_directory(int fd)
{
    w_path_remove_directory(ROOT, PATH("tmp/r/new"));
    return w_path_create_directory(fd, PATH("new"));
}

static int do_remove_directory(int fd)
{
    w_path_create_directory(ROOT, PATH("tmp/r/d"));
    return w_path_remove_directory(fd, PATH("d"));
}

static int do_unlink(int fd)
{
    make_file("tmp/r/gone", "");
    return w_path_unlink_file(fd, PATH("gone"));
}

static int open_and_close(int fd, const char *path, int oflags)
{
    uint32_t opened = 0;
    int error = w_path_open(fd, FOLLOW, PATH(path), oflags, 0, 0, 0, place(&opened));

    if (error == 0)
        w_fd_close((int)opened);
    return error;
}

static int do_open(int fd)
{
    return open_and_close(fd, "f", 0);
}

static int do_create(int fd)
{
    return open_and_close(fd, "f", O_CREAT_);
}

static int do_truncate(int fd)
{
    return open_and_close(fd, "f", O_TRUNC_);
}

static int do_link(int fd)
{
    w_path_unlink_file(ROOT, PATH("tmp/r/link"));
    return w_path_link(fd, 0, PATH("f"), fd, PATH("link"));
}

static int do_rename(int fd)
{
    make_file("tmp/r/old", "");
    return w_path_rename(fd, PATH("old"), fd, PATH("renamed"));
}

static int do_readdir(int fd)
{
    return w_fd_readdir(fd, place(buffer), sizeof buffer, 0, place(&count));
}

static int do_readlink(int fd)
{
    return w_path_readlink(fd, PATH("s"), place(buffer), sizeof buffer, place(&count));
}

static int do_path_stat(int fd)
{
    return w_path_filestat_get(fd, 0, PATH("f"), place(buffer));
}

static int do_path_set_times(int fd)
{
    return w_path_filestat_set_times(fd, 0, PATH("f"), 1, 1, 5);
}

static int do_symlink(int fd)
{
    w_path_unlink_file(ROOT, PATH("tmp/r/symlink"));
    return w_path_symlink(PATH("f"), fd, PATH("symlink"));
}

#define BIT(name) RIGHT_BIT(name)

static const struct {
    const char *function, *what;
    uint64_t needed;
    attempt *call;
    int is_directory;
} asked[] = {
    {"fd_datasync", "", BIT(DATASYNC), do_datasync, 0},
    {"fd_read", "", RIGHT_READ, do_read, 0},
    {"fd_pread", "", RIGHT_READ | RIGHT_SEEK, do_pread, 0},
    {"fd_seek", "", RIGHT_SEEK, do_seek, 0},
    {"fd_seek", " to ask for the place", RIGHT_TELL, do_ask_place, 0},
    {"fd_fdstat_set_flags", "", BIT(SET_FLAGS), do_set_flags, 0},
    {"fd_sync", "", BIT(SYNC), do_sync, 0},
    {"fd_tell", "", RIGHT_TELL, do_tell, 0},
    {"fd_write", "", RIGHT_WRITE, do_write, 0},
    {"fd_pwrite", "", RIGHT_WRITE | RIGHT_SEEK, do_pwrite, 0},
    {"fd_advise", "", BIT(ADVISE), do_advise, 0},
    {"fd_allocate", "", BIT(ALLOCATE), do_allocate, 0},
    {"fd_filestat_get", "", BIT(STAT), do_stat, 0},
    {"fd_filestat_set_size", "", BIT(SET_SIZE), do_set_size, 0},
    {"fd_filestat_set_times", "", BIT(SET_TIMES), do_set_times, 0},
    {"path_create_directory", "", BIT(CREATE_DIRECTORY), do_create_directory, 1},
    {"path_remove_directory", "", BIT(REMOVE_DIRECTORY), do_remove_directory, 1},
    {"path_unlink_file", "", BIT(UNLINK), do_unlink, 1},
    {"path_open", "", BIT(OPEN), do_open, 1},
    {"path_open", " to make a file", BIT(OPEN) | BIT(CREATE_FILE), do_create, 1},
    {"path_open", " to empty a file", BIT(OPEN) | BIT(PATH_SET_SIZE), do_truncate, 1},
    {"path_link", "", BIT(LINK_SOURCE) | BIT(LINK_TARGET), do_link, 1},
    {"path_rename", "", BIT(RENAME_SOURCE) | BIT(RENAME_TARGET), do_rename, 1},
    {"fd_readdir", "", BIT(READDIR), do_readdir, 1},
    {"path_readlink", "", BIT(READLINK), do_readlink, 1},
    {"path_filestat_get", "", BIT(PATH_STAT), do_path_stat, 1},
    {"path_filestat_set_times", "", BIT(PATH_SET_TIMES), do_path_set_times, 1},
    {"path_symlink", "", BIT(SYMLINK), do_symlink, 1},
};

/* Opens what case i is about with some rights and makes the call. */
static int with_rights(size_t i, uint64_t rights)
{
    int fd = asked[i].is_directory ? open_at(ROOT, "tmp/r", O_DIRECTORY_, 0)
                                   : open_at(ROOT, "tmp/r/f", O_CREAT_, 0);
    int error = w_fd_fdstat_set_rights(fd, rights, 0);

    if (error == 0)
        error = asked[i].call(fd);
    w_fd_close(fd);
    return error;
}

static void matrix(void)
{
    char what[80];

    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        uint64_t all = asked[i].is_directory ? RIGHTS_DIRECTORY : RIGHTS_ALL;
        snprintf(what, sizeof what, "with the right alone%s", asked[i].what);
        report(asked[i].function, '+', what, with_rights(i, asked[i].needed), 0);
        for (int bit = 0; bit < 30; bit++) {
            if ((asked[i].needed & RIGHT_BIT(bit)) == 0)
                continue;
            snprintf(what, sizeof what, "with all rights but number %d%s", bit, asked[i].what);
            report(asked[i].function, '-', what, with_rights(i, all & ~RIGHT_BIT(bit)),
                   E_NOTCAPABLE);
        }
    }
}

/* ---- handing on ---- */

static void handing_on(void)
{
    struct fdstat_ s;
    uint32_t fd = 0, inner = 0;

    WORKS(path_open, "a directory that hands on reading", ROOT, 0, PATH("tmp/r"), O_DIRECTORY_,
          BIT(OPEN), RIGHT_READ | BIT(OPEN), 0, place(&fd));
    w_fd_fdstat_get((int)fd, place(&s));
    HOLDS(fd_fdstat_get, "has what was asked for and no more",
          s.type == TYPE_DIRECTORY && s.base == BIT(OPEN) &&
              s.inheriting == (RIGHT_READ | BIT(OPEN)));
    REFUSED(path_open, "handing on more than was handed on", E_NOTCAPABLE, (int)fd, 0, PATH("f"), 0,
            RIGHT_READ, RIGHT_WRITE, 0, place(&inner));
    REFUSED(path_open, "a directory with more than was handed on", E_NOTCAPABLE, (int)fd, 0,
            PATH("d"), O_DIRECTORY_, BIT(READDIR), 0, 0, place(&inner));
    w_path_create_directory(ROOT, PATH("tmp/r/d"));
    WORKS(path_open, "a directory in it", (int)fd, 0, PATH("d"), O_DIRECTORY_, BIT(OPEN),
          RIGHT_READ, 0, place(&inner));
    w_fd_close((int)inner);
    WORKS(path_open, "a file in it", (int)fd, 0, PATH("f"), 0, RIGHT_READ, 0, 0, place(&inner));
    w_fd_fdstat_get((int)inner, place(&s));
    HOLDS(path_open, "has reading alone", s.base == RIGHT_READ && s.inheriting == 0);
    w_fd_close((int)inner);
    WORKS(fd_fdstat_set_rights, "to hand on nothing more", (int)fd, BIT(OPEN), 0);
    REFUSED(path_open, "when nothing is handed on", E_NOTCAPABLE, (int)fd, 0, PATH("f"), 0,
            RIGHT_READ, 0, 0, place(&inner));
    WORKS(path_open, "with no right at all", (int)fd, 0, PATH("f"), 0, 0, 0, 0, place(&inner));
    REFUSED(fd_read, "with no right at all", E_NOTCAPABLE, (int)inner, one_buffer(), 1,
            place(&count));
    WORKS(fd_close, "needs no right", (int)inner);
    REFUSED(fd_fdstat_set_rights, "to hand on again", E_NOTCAPABLE, (int)fd, BIT(OPEN), RIGHT_READ);
    REFUSED(fd_fdstat_set_rights, "rights that nobody has", E_NOTCAPABLE, (int)fd,
            UINT64_C(1) << 63, 0);
    w_fd_fdstat_get((int)fd, place(&s));
    HOLDS(fd_fdstat_set_rights, "refused changes nothing",
          s.base == BIT(OPEN) && s.inheriting == 0);
    WORKS(fd_renumber, "needs no right", (int)fd, open_at(ROOT, "tmp/r/f", 0, 0));
}

/* A number that is moved takes its rights with it. */
static void moving(void)
{
    int from = open_at(ROOT, "tmp/r/f", 0, 0), to = open_at(ROOT, "tmp/r/f", 0, 0);
    struct fdstat_ s;

    w_fd_fdstat_set_rights(from, RIGHT_TELL, 0);
    w_fd_renumber(from, to);
    w_fd_fdstat_get(to, place(&s));
    HOLDS(fd_renumber, "takes the rights along", s.base == RIGHT_TELL);
    REFUSED(fd_write, "with the rights of the other file", E_NOTCAPABLE, to, one_buffer(), 1,
            place(&count));
    w_fd_close(to);
}

int main(void)
{
    struct fdstat_ s;

    w_fd_fdstat_get(ROOT, place(&s));
    HOLDS(fd_fdstat_get, "the root may hand on everything", s.inheriting == RIGHTS_ALL);
    REFUSED(fd_seek, "the root", E_NOTCAPABLE, ROOT, 0, 0, place(&offset));
    REFUSED(fd_tell, "the root", E_NOTCAPABLE, ROOT, place(&offset));
    w_path_create_directory(ROOT, PATH("tmp/r"));
    make_file("tmp/r/f", "some");
    w_path_symlink(PATH("f"), ROOT, PATH("tmp/r/s"));
    matrix();
    handing_on();
    moving();
    return done_testing();
}
