/* Reading, writing, places, sizes, times, flags and rights of open files. */
#include "wasi.h"

static uint32_t count;
static uint64_t offset;

static void reading_and_writing(int fd)
{
    char a[4] = {0}, b[8] = {0}, all[16] = {0};
    struct iovec_ out[3] = {iovec_of("abc", 3), iovec_of("", 0), iovec_of("defgh", 5)};
    struct iovec_ in[2] = {iovec_of(a, 3), iovec_of(b, 8)};

    WORKS(fd_write, "three buffers", fd, place(out), 3, place(&count));
    HOLDS(fd_write, "eight bytes", count == 8);
    WORKS(fd_tell, "after writing", fd, place(&offset));
    HOLDS(fd_tell, "at eight", offset == 8);
    WORKS(fd_seek, "to the start", fd, 0, 0, place(&offset));
    WORKS(fd_read, "two buffers", fd, place(in), 2, place(&count));
    HOLDS(fd_read, "over both", count == 8 && strcmp(a, "abc") == 0 && strcmp(b, "defgh") == 0);
    WORKS(fd_read, "at the end", fd, place(in), 2, place(&count));
    HOLDS(fd_read, "is nothing", count == 0);
    in[0] = iovec_of(all, 4);
    WORKS(fd_pread, "in the middle", fd, place(in), 1, 2, place(&count));
    HOLDS(fd_pread, "leaves the place alone",
          count == 4 && memcmp(all, "cdef", 4) == 0 && w_fd_tell(fd, place(&offset)) == 0 &&
              offset == 8);
    WORKS(fd_pread, "beyond the end", fd, place(in), 1, 1000, place(&count));
    HOLDS(fd_pread, "is nothing", count == 0);
    out[0] = iovec_of("XY", 2);
    WORKS(fd_pwrite, "in the middle", fd, place(out), 1, 3, place(&count));
    HOLDS(fd_pwrite, "leaves the place alone", w_fd_tell(fd, place(&offset)) == 0 && offset == 8);
    WORKS(fd_pread, "what was written", fd, place(&(struct iovec_){place(all), 8}), 1, 0,
          place(&count));
    HOLDS(fd_pwrite, "is there", memcmp(all, "abcXYfgh", 8) == 0);
}

static void bad_buffers(int fd)
{
    static char byte;
    struct iovec_ v = iovec_of(&byte, 1), bad = {NOWHERE, 100}, edge = {0xffffffff, 1};
    static struct iovec_ many[1025], huge[2];

    for (int i = 0; i < 1025; i++)
        many[i] = v;
    /* each is inside, but not even this memory is as large as both */
    huge[0] = huge[1] = (struct iovec_){0, 0x80000000};
    REFUSED(fd_write, "data beyond memory", E_FAULT, fd, place(&bad), 1, place(&count));
    REFUSED(fd_write, "list beyond memory", E_FAULT, fd, NOWHERE, 5, place(&count));
    REFUSED(fd_write, "count beyond memory", E_FAULT, fd, place(&v), 1, NOWHERE);
    REFUSED(fd_write, "2^32-1 buffers", E_INVAL, fd, place(&v), 0xffffffff, place(&count));
    REFUSED(fd_write, "1025 buffers", E_INVAL, fd, place(many), 1025, place(&count));
    WORKS(fd_write, "1024 buffers", fd, place(many), 1024, place(&count));
    REFUSED(fd_write, "one good and one bad", E_FAULT, fd, place((struct iovec_[]){v, edge}), 2,
            place(&count));
    REFUSED(fd_write, "four GiB", E_FAULT, fd, place(huge), 2, place(&count));
    REFUSED(fd_read, "data beyond memory", E_FAULT, fd, place(&bad), 1, place(&count));
    REFUSED(fd_read, "count beyond memory", E_FAULT, fd, place(&v), 1, NOWHERE);
    REFUSED(fd_read, "2^32-1 buffers", E_INVAL, fd, place(&v), 0xffffffff, place(&count));
    REFUSED(fd_pread, "data beyond memory", E_FAULT, fd, place(&bad), 1, 0, place(&count));
    REFUSED(fd_pread, "a negative place", E_INVAL, fd, place(&v), 1, UINT64_MAX, place(&count));
    REFUSED(fd_pwrite, "data beyond memory", E_FAULT, fd, place(&bad), 1, 0, place(&count));
    REFUSED(fd_pwrite, "a negative place", E_INVAL, fd, place(&v), 1, UINT64_MAX, place(&count));
    REFUSED(fd_pwrite, "a place beyond all bounds", E_FBIG, fd, place(&v), 1, INT64_MAX,
            place(&count));
}

static void overlapping_buffers(void)
{
    static struct iovec_ v[3];
    static char bytes[16];
    int fd = open_at(ROOT, "tmp/overlap", O_CREAT_, 0);

    memcpy(bytes, "0123456789", 10);
    v[0] = iovec_of(bytes, 6);
    v[1] = iovec_of(bytes + 3, 6);
    WORKS(fd_write, "overlapping buffers", fd, place(v), 2, place(&count));
    HOLDS(fd_write, "both are written", count == 12);
    w_fd_seek(fd, 0, 0, place(&offset));
    /* a read over its own list of buffers: whatever comes out, nothing else is touched */
    v[2] = iovec_of(bytes, 4);
    v[0] = iovec_of(v, sizeof v);
    HOLDS(fd_read, "over its own list",
          w_fd_read(fd, place(v), 3, place(&count)) == 0 && count <= 40);
    w_fd_close(fd);
}

static void seeking(int fd)
{
    char byte = 'z';
    struct iovec_ v = iovec_of(&byte, 1);

    w_fd_filestat_set_size(fd, 10);
    WORKS(fd_seek, "from the end", fd, -3, 2, place(&offset));
    HOLDS(fd_seek, "seven", offset == 7);
    WORKS(fd_seek, "from here", fd, 2, 1, place(&offset));
    HOLDS(fd_seek, "nine", offset == 9);
    WORKS(fd_seek, "beyond the end", fd, 100, 0, place(&offset));
    WORKS(fd_write, "there", fd, place(&v), 1, place(&count));
    byte = 'q';
    WORKS(fd_pread, "the hole", fd, place(&v), 1, 50, place(&count));
    HOLDS(fd_write, "the hole reads as zero", byte == 0 && count == 1);
    REFUSED(fd_seek, "before the start", E_INVAL, fd, -1, 0, place(&offset));
    REFUSED(fd_seek, "unknown whence", E_INVAL, fd, 0, 3, place(&offset));
    w_fd_seek(fd, INT64_MAX, 0, place(&offset));
    REFUSED(fd_seek, "beyond all numbers", E_OVERFLOW, fd, INT64_MAX, 1, place(&offset));
    REFUSED(fd_seek, "result beyond memory", E_FAULT, fd, 0, 0, NOWHERE);
    REFUSED(fd_seek, "not open", E_BADF, 77, 0, 0, place(&offset));
    REFUSED(fd_tell, "not open", E_BADF, 77, place(&offset));
    REFUSED(fd_tell, "beyond memory", E_FAULT, fd, NOWHERE);
    w_fd_seek(fd, 0, 0, place(&offset));
}

static void sizes(int fd)
{
    struct filestat_ s;
    char byte = 'q';
    struct iovec_ v = iovec_of(&byte, 1);

    WORKS(fd_filestat_set_size, "smaller", fd, 4);
    WORKS(fd_filestat_set_size, "larger", fd, 6);
    WORKS(fd_filestat_get, "a file", fd, place(&s));
    HOLDS(fd_filestat_get, "regular, six bytes, one name",
          s.type == TYPE_REGULAR && s.size == 6 && s.links == 1);
    w_fd_pread(fd, place(&v), 1, 5, place(&count));
    HOLDS(fd_filestat_set_size, "what was cut off is gone", byte == 0);
    WORKS(fd_allocate, "more", fd, 6, 10);
    w_fd_filestat_get(fd, place(&s));
    HOLDS(fd_allocate, "sixteen bytes", s.size == 16);
    WORKS(fd_allocate, "less", fd, 0, 3);
    w_fd_filestat_get(fd, place(&s));
    HOLDS(fd_allocate, "never shrinks", s.size == 16);
    REFUSED(fd_allocate, "nothing", E_INVAL, fd, 0, 0);
    REFUSED(fd_allocate, "everything", E_FBIG, fd, INT64_MAX, INT64_MAX);
    REFUSED(fd_allocate, "not open", E_BADF, 77, 0, 1);
    REFUSED(fd_filestat_set_size, "negative", E_INVAL, fd, UINT64_MAX);
    REFUSED(fd_filestat_set_size, "beyond the budget", E_FBIG, fd, UINT64_C(1) << 50);
    REFUSED(fd_filestat_set_size, "a directory", E_INVAL, ROOT, 0);
    REFUSED(fd_filestat_set_size, "not open", E_BADF, 77, 0);
    REFUSED(fd_filestat_get, "beyond memory", E_FAULT, fd, NOWHERE);
    REFUSED(fd_filestat_get, "not open", E_BADF, 77, place(&s));
    WORKS(fd_advise, "any", fd, 0, 10, 3);
    REFUSED(fd_advise, "unknown", E_INVAL, fd, 0, 10, 6);
    REFUSED(fd_advise, "not open", E_BADF, 77, 0, 0, 0);
    WORKS(fd_sync, "a file", fd);
    WORKS(fd_datasync, "a file", fd);
    REFUSED(fd_sync, "not open", E_BADF, 77);
    REFUSED(fd_datasync, "not open", E_BADF, 77);
}

static void times(int fd)
{
    struct filestat_ s;
    uint64_t now = 0;

    WORKS(fd_filestat_set_times, "both", fd, 11, 22, 1 | 4);
    w_fd_filestat_get(fd, place(&s));
    HOLDS(fd_filestat_set_times, "are set", s.accessed == 11 && s.modified == 22);
    WORKS(fd_filestat_set_times, "one", fd, 0, 33, 4);
    w_fd_filestat_get(fd, place(&s));
    HOLDS(fd_filestat_set_times, "the other stays", s.accessed == 11 && s.modified == 33);
    w_clock_time_get(0, 0, place(&now));
    WORKS(fd_filestat_set_times, "now", fd, 0, 0, 2 | 8);
    w_fd_filestat_get(fd, place(&s));
    HOLDS(fd_filestat_set_times, "is now", s.accessed >= now && s.modified >= now);
    REFUSED(fd_filestat_set_times, "a time and now", E_INVAL, fd, 0, 0, 1 | 2);
    REFUSED(fd_filestat_set_times, "unknown flags", E_INVAL, fd, 0, 0, 16);
    REFUSED(fd_filestat_set_times, "not open", E_BADF, 77, 0, 0, 0);
}

static void flags(void)
{
    struct fdstat_ s;
    char text[8] = {0};
    int fd = open_at(ROOT, "tmp/append", O_CREAT_, FD_APPEND);

    WORKS(fd_fdstat_get, "a file", fd, place(&s));
    HOLDS(fd_fdstat_get, "has its flags and rights",
          s.type == TYPE_REGULAR && s.flags == FD_APPEND && s.base == RIGHTS_ALL);
    write_text(fd, "ab");
    w_fd_seek(fd, 0, 0, place(&offset));
    write_text(fd, "cd");
    w_fd_pread(fd, place(&(struct iovec_){place(text), 8}), 1, 0, place(&count));
    HOLDS(fd_fdstat_set_flags, "append means at the end", strcmp(text, "abcd") == 0);
    WORKS(fd_fdstat_set_flags, "none", fd, 0);
    w_fd_seek(fd, 0, 0, place(&offset));
    write_text(fd, "X");
    w_fd_pread(fd, place(&(struct iovec_){place(text), 8}), 1, 0, place(&count));
    HOLDS(fd_fdstat_set_flags, "no longer at the end", strcmp(text, "Xbcd") == 0);
    REFUSED(fd_fdstat_set_flags, "unknown", E_INVAL, fd, 32);
    REFUSED(fd_fdstat_set_flags, "not open", E_BADF, 77, 0);
    REFUSED(fd_fdstat_get, "beyond memory", E_FAULT, fd, NOWHERE);
    REFUSED(fd_fdstat_get, "not open", E_BADF, 77, place(&s));
    w_fd_close(fd);
}

static void rights(void)
{
    struct fdstat_ s;
    uint32_t fd2 = 0;
    char byte;
    struct iovec_ v = iovec_of(&byte, 1);
    int fd = open_at(ROOT, "tmp/rights", O_CREAT_, 0), dir;

    WORKS(fd_fdstat_set_rights, "fewer", fd, RIGHT_READ | RIGHT_TELL, 0);
    w_fd_fdstat_get(fd, place(&s));
    HOLDS(fd_fdstat_set_rights, "are what is left",
          s.base == (RIGHT_READ | RIGHT_TELL) && s.inheriting == 0);
    WORKS(fd_read, "what is allowed", fd, place(&v), 1, place(&count));
    WORKS(fd_seek, "to ask for the place, with the right to tell", fd, 0, 1, place(&offset));
    REFUSED(fd_fdstat_set_rights, "more", E_NOTCAPABLE, fd, RIGHT_READ | RIGHT_WRITE, 0);
    REFUSED(fd_fdstat_set_rights, "not open", E_BADF, 77, 0, 0);
    REFUSED(fd_write, "without the right", E_NOTCAPABLE, fd, place(&v), 1, place(&count));
    REFUSED(fd_pwrite, "without the right", E_NOTCAPABLE, fd, place(&v), 1, 0, place(&count));
    REFUSED(fd_pread, "without the right to seek", E_NOTCAPABLE, fd, place(&v), 1, 0,
            place(&count));
    REFUSED(fd_seek, "without the right", E_NOTCAPABLE, fd, 1, 0, place(&offset));
    REFUSED(fd_allocate, "without the right", E_NOTCAPABLE, fd, 0, 9);
    REFUSED(fd_advise, "without the right", E_NOTCAPABLE, fd, 0, 0, 0);
    REFUSED(fd_sync, "without the right", E_NOTCAPABLE, fd);
    REFUSED(fd_datasync, "without the right", E_NOTCAPABLE, fd);
    REFUSED(fd_filestat_get, "without the right", E_NOTCAPABLE, fd, place(&s));
    REFUSED(fd_filestat_set_size, "without the right", E_NOTCAPABLE, fd, 0);
    REFUSED(fd_filestat_set_times, "without the right", E_NOTCAPABLE, fd, 0, 0, 0);
    REFUSED(fd_fdstat_set_flags, "without the right", E_NOTCAPABLE, fd, 0);
    WORKS(fd_fdstat_set_rights, "none", fd, 0, 0);
    REFUSED(fd_tell, "without the right", E_NOTCAPABLE, fd, place(&offset));
    REFUSED(fd_read, "without the right", E_NOTCAPABLE, fd, place(&v), 1, place(&count));
    w_fd_close(fd);

    dir = open_at(ROOT, "tmp", O_DIRECTORY_, 0);
    w_fd_fdstat_set_rights(dir, 1u << 13 /* path_open */, RIGHT_READ);
    WORKS(path_open, "with what is inherited", dir, 0, PATH("rights"), 0, RIGHT_READ, 0, 0,
          place(&fd2));
    w_fd_close((int)fd2);
    REFUSED(path_open, "with more than is inherited", E_NOTCAPABLE, dir, 0, PATH("rights"), 0,
            RIGHT_READ | RIGHT_WRITE, 0, 0, place(&fd2));
    REFUSED(path_open, "making without the right", E_NOTCAPABLE, dir, 0, PATH("x"), O_CREAT_,
            RIGHT_READ, 0, 0, place(&fd2));
    REFUSED(path_open, "emptying without the right", E_NOTCAPABLE, dir, 0, PATH("rights"), O_TRUNC_,
            RIGHT_READ, 0, 0, place(&fd2));
    REFUSED(path_create_directory, "without the right", E_NOTCAPABLE, dir, PATH("x"));
    REFUSED(path_remove_directory, "without the right", E_NOTCAPABLE, dir, PATH("x"));
    REFUSED(path_unlink_file, "without the right", E_NOTCAPABLE, dir, PATH("rights"));
    REFUSED(path_rename, "without the right", E_NOTCAPABLE, dir, PATH("rights"), dir, PATH("x"));
    REFUSED(path_rename, "into where there is none", E_NOTCAPABLE, ROOT, PATH("tmp/rights"), dir,
            PATH("x"));
    REFUSED(path_link, "without the right", E_NOTCAPABLE, dir, 0, PATH("rights"), dir, PATH("x"));
    REFUSED(path_symlink, "without the right", E_NOTCAPABLE, PATH("rights"), dir, PATH("x"));
    REFUSED(path_readlink, "without the right", E_NOTCAPABLE, dir, PATH("rights"), place(&byte), 1,
            place(&count));
    REFUSED(path_filestat_get, "without the right", E_NOTCAPABLE, dir, 0, PATH("rights"),
            place(&s));
    REFUSED(path_filestat_set_times, "without the right", E_NOTCAPABLE, dir, 0, PATH("rights"), 0,
            0, 0);
    REFUSED(fd_readdir, "without the right", E_NOTCAPABLE, dir, place(&byte), 1, 0, place(&count));
    w_fd_close(dir);
}

static void closing(void)
{
    char text[8] = {0};
    int a = open_at(ROOT, "tmp/a", O_CREAT_, 0), b = open_at(ROOT, "tmp/b", O_CREAT_, 0), c;

    write_text(a, "is a");
    write_text(b, "is b");
    WORKS(fd_renumber, "over another", a, b);
    w_fd_pread(b, place(&(struct iovec_){place(text), 8}), 1, 0, place(&count));
    HOLDS(fd_renumber, "the number has the other file", strcmp(text, "is a") == 0);
    REFUSED(fd_renumber, "from what is closed now", E_BADF, a, b);
    REFUSED(fd_renumber, "to what is not open", E_BADF, b, a);
    WORKS(fd_renumber, "to itself", b, b);
    c = open_at(ROOT, "tmp/a", 0, 0);
    HOLDS(fd_close, "the lowest number is used again", c == a);
    WORKS(fd_close, "a file", c);
    REFUSED(fd_close, "twice", E_BADF, c);
    REFUSED(fd_close, "never opened", E_BADF, 1000000);
    REFUSED(fd_close, "negative", E_BADF, -1);
    REFUSED(fd_read, "closed", E_BADF, c, place(&(struct iovec_){place(text), 8}), 1,
            place(&count));
    REFUSED(fd_write, "closed", E_BADF, c, place(&(struct iovec_){place(text), 8}), 1,
            place(&count));
    REFUSED(fd_pread, "closed", E_BADF, c, place(&(struct iovec_){place(text), 8}), 1, 0,
            place(&count));
    w_fd_close(b);
}

static void devices(void)
{
    uint8_t bytes[8] = {9, 9, 9, 9};
    int null = open_at(ROOT, "dev/null", 0, 0), zero = open_at(ROOT, "dev/zero", 0, 0),
        random = open_at(ROOT, "dev/urandom", 0, 0);

    HOLDS(fd_read, "null ends at once", read_some(null, bytes, 8) == 0);
    HOLDS(fd_write, "null takes everything", write_text(null, "away") == 4);
    HOLDS(fd_read, "zero has zeroes",
          read_some(zero, bytes, 8) == 8 && bytes[0] == 0 && bytes[3] == 0);
    HOLDS(fd_read, "urandom has bytes", read_some(random, bytes, 8) == 8);
    w_fd_close(null);
    w_fd_close(zero);
    w_fd_close(random);
}

int main(void)
{
    int fd = open_at(ROOT, "tmp/file", O_CREAT_ | O_EXCL_, 0);

    reading_and_writing(fd);
    bad_buffers(fd);
    overlapping_buffers();
    seeking(fd);
    sizes(fd);
    times(fd);
    w_fd_close(fd);
    flags();
    rights();
    closing();
    devices();
    return done_testing();
}
