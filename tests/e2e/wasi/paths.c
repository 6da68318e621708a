/* Opening, making, removing, renaming, linking: everything that takes a path. */
#include "wasi.h"

static uint32_t fd, used;

static int open_error(int dir, const char *path, int oflags)
{
    int got = open_at(dir, path, oflags, 0);

    if (got >= 0)
        w_fd_close(got);
    return got >= 0 ? 0 : -got;
}

static void opened(const char *what, int error, int wanted)
{
    report("path_open", wanted == 0 ? '+' : '-', what, error, wanted);
}

static void opening(void)
{
    static char long_path[4200], long_name[300];
    struct filestat_ s;

    make_file("tmp/f", "text");
    w_path_create_directory(ROOT, PATH("tmp/d"));
    opened("a file", open_error(ROOT, "tmp/f", 0), 0);
    opened("a directory", open_error(ROOT, "tmp", O_DIRECTORY_), 0);
    opened("with dots and slashes", open_error(ROOT, "./tmp//d/.././f", 0), 0);
    opened("a directory with a slash", open_error(ROOT, "tmp/d/", O_DIRECTORY_), 0);
    opened("making", open_error(ROOT, "tmp/new", O_CREAT_), 0);
    opened("making what is there", open_error(ROOT, "tmp/new", O_CREAT_), 0);
    opened("making anew what is there", open_error(ROOT, "tmp/new", O_CREAT_ | O_EXCL_), E_EXIST);
    opened("emptying", open_error(ROOT, "tmp/f", O_TRUNC_), 0);
    HOLDS(path_open, "is empty", stat_of("tmp/f").size == 0);
    opened("what is not there", open_error(ROOT, "tmp/none", 0), E_NOENT);
    opened("below what is not there", open_error(ROOT, "tmp/none/x", O_CREAT_), E_NOENT);
    opened("below a file", open_error(ROOT, "tmp/f/x", 0), E_NOTDIR);
    opened("a file with a slash", open_error(ROOT, "tmp/f/", 0), E_NOTDIR);
    opened("a file as a directory", open_error(ROOT, "tmp/f", O_DIRECTORY_), E_NOTDIR);
    opened("a directory for writing", open_error(ROOT, "tmp/d", 0), E_ISDIR);
    opened("making a directory", open_error(ROOT, "tmp/x", O_CREAT_ | O_DIRECTORY_), E_INVAL);
    opened("nothing", open_error(ROOT, "", 0), E_NOENT);
    opened("an absolute path", open_error(ROOT, "/tmp/f", 0), E_PERM);
    opened("above the root", open_error(ROOT, "..", 0), E_PERM);
    opened("above the root and back", open_error(ROOT, "tmp/../../tmp/f", 0), E_PERM);
    opened("not UTF-8", open_error(ROOT, "tmp/\xff\xfe", O_CREAT_), E_ILSEQ);
    memset(long_name, 'n', sizeof long_name);
    memcpy(long_name, "tmp/", 4);
    long_name[4 + 256] = '\0';
    opened("a name of 256 bytes", open_error(ROOT, long_name, O_CREAT_), E_NAMETOOLONG);
    long_name[4 + 255] = '\0';
    opened("a name of 255 bytes", open_error(ROOT, long_name, O_CREAT_), 0);
    memset(long_path, '/', sizeof long_path);
    memcpy(long_path, "tmp", 3);
    memcpy(long_path + 4094, "f", 2);
    opened("a path of 4095 bytes", open_error(ROOT, long_path, 0), 0);
    memcpy(long_path + 4094, "/f", 3);
    opened("a path of 4096 bytes", open_error(ROOT, long_path, 0), E_NAMETOOLONG);
    REFUSED(path_open, "a NUL in the path", E_INVAL, ROOT, 0, place("tmp\0f"), 5, 0, RIGHT_READ, 0,
            0, place(&fd));
    REFUSED(path_open, "unknown open flags", E_INVAL, ROOT, 0, PATH("tmp/f"), 16, RIGHT_READ, 0, 0,
            place(&fd));
    REFUSED(path_open, "unknown descriptor flags", E_INVAL, ROOT, 0, PATH("tmp/f"), 0, RIGHT_READ,
            0, 32, place(&fd));
    REFUSED(path_open, "unknown lookup flags", E_INVAL, ROOT, 2, PATH("tmp/f"), 0, RIGHT_READ, 0, 0,
            place(&fd));
    REFUSED(path_open, "path beyond memory", E_FAULT, ROOT, 0, NOWHERE, 50, 0, RIGHT_READ, 0, 0,
            place(&fd));
    REFUSED(path_open, "result beyond memory", E_FAULT, ROOT, 0, PATH("tmp/f"), 0, RIGHT_READ, 0, 0,
            NOWHERE);
    REFUSED(path_open, "from what is not open", E_BADF, 77, 0, PATH("tmp/f"), 0, RIGHT_READ, 0, 0,
            place(&fd));
    REFUSED(path_open, "from standard output", E_NOTDIR, 1, 0, PATH("tmp/f"), 0, RIGHT_READ, 0, 0,
            place(&fd));
    REFUSED(path_open, "rights that nobody has", E_NOTCAPABLE, ROOT, 0, PATH("tmp/f"), 0,
            UINT64_MAX, 0, 0, place(&fd));
    int d = open_at(ROOT, "tmp/d", O_DIRECTORY_, 0);
    opened("above a directory", open_error(d, "../f", 0), E_PERM);
    opened("in a directory", open_error(d, "x", O_CREAT_), 0);
    char byte;
    struct iovec_ v = iovec_of(&byte, 1);
    w_path_open(ROOT, 0, PATH("tmp/d"), 0, RIGHT_READ, 0, 0, place(&fd));
    REFUSED(fd_read, "a directory", E_ISDIR, (int)fd, place(&v), 1, place(&used));
    w_fd_close((int)fd);
    w_fd_close(d);
    (void)s;
}

static void read_only(void)
{
    int f = open_to_read(ROOT, "main.wasm");
    char magic[4] = {0};

    HOLDS(path_open, "the package's file",
          f > 0 && read_some(f, magic, 4) == 4 && memcmp(magic, "\0asm", 4) == 0);
    w_fd_close(f);
    opened("the package's file for writing", open_error(ROOT, "main.wasm", 0), E_ROFS);
    opened("a new file in the package", open_error(ROOT, "new", O_CREAT_), E_ROFS);
    opened("a new device", open_error(ROOT, "dev/new", O_CREAT_), E_ROFS);
    REFUSED(path_unlink_file, "of the package", E_ROFS, ROOT, PATH("main.wasm"));
    REFUSED(path_unlink_file, "a device", E_ROFS, ROOT, PATH("dev/null"));
    REFUSED(path_remove_directory, "/tmp", E_ROFS, ROOT, PATH("tmp"));
    REFUSED(path_create_directory, "in the package", E_ROFS, ROOT, PATH("new"));
    REFUSED(path_rename, "in the package", E_ROFS, ROOT, PATH("main.wasm"), ROOT,
            PATH("other.wasm"));
    REFUSED(path_symlink, "in the package", E_ROFS, PATH("x"), ROOT, PATH("link"));
    REFUSED(path_link, "out of the package", E_XDEV, ROOT, 0, PATH("main.wasm"), ROOT,
            PATH("tmp/main.wasm"));
    REFUSED(path_rename, "out of the package", E_XDEV, ROOT, PATH("main.wasm"), ROOT,
            PATH("tmp/main.wasm"));
    REFUSED(path_filestat_set_times, "of the package", E_ROFS, ROOT, 0, PATH("main.wasm"), 0, 0, 1);
}

static void directories(void)
{
    WORKS(path_create_directory, "a directory", ROOT, PATH("tmp/dir"));
    WORKS(path_create_directory, "with a slash", ROOT, PATH("tmp/dir/sub/"));
    HOLDS(path_filestat_get, "a directory", stat_of("tmp/dir").type == TYPE_DIRECTORY);
    REFUSED(path_create_directory, "what is there", E_EXIST, ROOT, PATH("tmp/dir"));
    REFUSED(path_create_directory, "where a file is", E_EXIST, ROOT, PATH("tmp/f"));
    REFUSED(path_create_directory, "below what is not there", E_NOENT, ROOT, PATH("tmp/none/x"));
    REFUSED(path_create_directory, "beyond memory", E_FAULT, ROOT, NOWHERE, 50);
    REFUSED(path_remove_directory, "that is not empty", E_NOTEMPTY, ROOT, PATH("tmp/dir"));
    WORKS(path_remove_directory, "an empty one", ROOT, PATH("tmp/dir/sub"));
    WORKS(path_remove_directory, "with a slash", ROOT, PATH("tmp/dir/"));
    REFUSED(path_remove_directory, "that is not there", E_NOENT, ROOT, PATH("tmp/dir"));
    REFUSED(path_remove_directory, "a file", E_NOTDIR, ROOT, PATH("tmp/f"));
    REFUSED(path_remove_directory, "beyond memory", E_FAULT, ROOT, NOWHERE, 50);
    WORKS(path_unlink_file, "a file", ROOT, PATH("tmp/new"));
    REFUSED(path_unlink_file, "that is not there", E_NOENT, ROOT, PATH("tmp/new"));
    REFUSED(path_unlink_file, "a directory", E_ISDIR, ROOT, PATH("tmp/d"));
    REFUSED(path_unlink_file, "beyond memory", E_FAULT, ROOT, NOWHERE, 50);
}

static void unlinked_files_live_on(void)
{
    struct filestat_ s;
    char text[8] = {0};
    make_file("tmp/short", "lived");
    int f = open_at(ROOT, "tmp/short", 0, 0);

    WORKS(path_unlink_file, "an open file", ROOT, PATH("tmp/short"));
    HOLDS(path_unlink_file, "is still readable",
          read_some(f, text, 8) == 5 && strcmp(text, "lived") == 0);
    w_fd_filestat_get(f, place(&s));
    HOLDS(path_unlink_file, "and has no name", s.links == 0);
    w_fd_close(f);
}

static void renaming(void)
{
    make_file("tmp/r1", "one");
    make_file("tmp/r2", "two");
    w_path_create_directory(ROOT, PATH("tmp/rd"));
    w_path_create_directory(ROOT, PATH("tmp/full"));
    make_file("tmp/full/x", "x");
    WORKS(path_rename, "a file over another", ROOT, PATH("tmp/r1"), ROOT, PATH("tmp/r2"));
    HOLDS(path_rename, "takes its place",
          stat_of("tmp/r2").size == 3 && stat_of("tmp/r1").size == UINT64_MAX);
    WORKS(path_rename, "to itself", ROOT, PATH("tmp/r2"), ROOT, PATH("tmp/r2"));
    WORKS(path_rename, "a directory", ROOT, PATH("tmp/rd"), ROOT, PATH("tmp/rd2"));
    WORKS(path_rename, "a full directory over an empty one", ROOT, PATH("tmp/full"), ROOT,
          PATH("tmp/rd2"));
    HOLDS(path_rename, "with what is in it", stat_of("tmp/rd2/x").size == 1);
    w_path_create_directory(ROOT, PATH("tmp/rd3"));
    REFUSED(path_rename, "what is not there", E_NOENT, ROOT, PATH("tmp/r1"), ROOT, PATH("tmp/r3"));
    REFUSED(path_rename, "over a full directory", E_NOTEMPTY, ROOT, PATH("tmp/rd3"), ROOT,
            PATH("tmp/rd2"));
    REFUSED(path_rename, "a directory over a file", E_NOTDIR, ROOT, PATH("tmp/rd3"), ROOT,
            PATH("tmp/r2"));
    REFUSED(path_rename, "a file over a directory", E_ISDIR, ROOT, PATH("tmp/r2"), ROOT,
            PATH("tmp/rd3"));
    REFUSED(path_rename, "a directory into itself", E_INVAL, ROOT, PATH("tmp/rd2"), ROOT,
            PATH("tmp/rd2/y"));
    REFUSED(path_rename, "out of its directory's reach", E_PERM, ROOT, PATH("tmp/r2"), ROOT,
            PATH("../r2"));
    REFUSED(path_rename, "beyond memory", E_FAULT, ROOT, NOWHERE, 50, ROOT, PATH("tmp/x"));
    REFUSED(path_rename, "to beyond memory", E_FAULT, ROOT, PATH("tmp/r2"), ROOT, NOWHERE, 50);
    REFUSED(path_rename, "from what is not open", E_BADF, 77, PATH("tmp/r2"), ROOT, PATH("tmp/x"));
}

static void links(void)
{
    struct filestat_ s;

    make_file("tmp/l", "linked");
    WORKS(path_link, "a second name", ROOT, 0, PATH("tmp/l"), ROOT, PATH("tmp/l2"));
    HOLDS(path_link, "is the same file",
          stat_of("tmp/l").links == 2 && stat_of("tmp/l").inode == stat_of("tmp/l2").inode);
    w_path_unlink_file(ROOT, PATH("tmp/l"));
    HOLDS(path_link, "one name is left",
          stat_of("tmp/l2").links == 1 && stat_of("tmp/l2").size == 6);
    REFUSED(path_link, "what is not there", E_NOENT, ROOT, 0, PATH("tmp/none"), ROOT,
            PATH("tmp/x"));
    REFUSED(path_link, "to what is there", E_EXIST, ROOT, 0, PATH("tmp/l2"), ROOT, PATH("tmp/f"));
    REFUSED(path_link, "a directory", E_PERM, ROOT, 0, PATH("tmp/d"), ROOT, PATH("tmp/x"));
    REFUSED(path_link, "beyond memory", E_FAULT, ROOT, 0, NOWHERE, 50, ROOT, PATH("tmp/x"));
    REFUSED(path_link, "unknown lookup flags", E_INVAL, ROOT, 4, PATH("tmp/l2"), ROOT,
            PATH("tmp/x"));
    WORKS(path_filestat_get, "a file", ROOT, 0, PATH("tmp/l2"), place(&s));
    HOLDS(path_filestat_get, "regular, six bytes", s.type == TYPE_REGULAR && s.size == 6);
    REFUSED(path_filestat_get, "what is not there", E_NOENT, ROOT, 0, PATH("tmp/l"), place(&s));
    REFUSED(path_filestat_get, "beyond memory", E_FAULT, ROOT, 0, PATH("tmp/l2"), NOWHERE);
    REFUSED(path_filestat_get, "unknown lookup flags", E_INVAL, ROOT, 2, PATH("tmp/l2"), place(&s));
    WORKS(path_filestat_set_times, "of a file", ROOT, 0, PATH("tmp/l2"), 7, 8, 5);
    HOLDS(path_filestat_set_times, "are set",
          stat_of("tmp/l2").accessed == 7 && stat_of("tmp/l2").modified == 8);
    REFUSED(path_filestat_set_times, "a time and now", E_INVAL, ROOT, 0, PATH("tmp/l2"), 0, 0, 12);
    REFUSED(path_filestat_set_times, "what is not there", E_NOENT, ROOT, 0, PATH("tmp/l"), 0, 0, 1);
}

static void symlinks(void)
{
    char text[16] = {0}, path[24], target[24];

    make_file("tmp/target", "seen");
    WORKS(path_symlink, "to a file", PATH("target"), ROOT, PATH("tmp/s"));
    WORKS(path_readlink, "the target", ROOT, PATH("tmp/s"), place(text), sizeof text, place(&used));
    HOLDS(path_readlink, "is what was given", used == 6 && memcmp(text, "target", 6) == 0);
    WORKS(path_readlink, "into less room", ROOT, PATH("tmp/s"), place(text), 3, place(&used));
    HOLDS(path_readlink, "is cut", used == 3);
    HOLDS(path_filestat_get, "a symlink itself",
          stat_of("tmp/s").type == TYPE_SYMLINK && stat_of("tmp/s").size == 6);
    int f = open_at(ROOT, "tmp/s", 0, 0);
    memset(text, 0, sizeof text);
    HOLDS(path_open, "through a symlink", read_some(f, text, 8) == 4 && strcmp(text, "seen") == 0);
    w_fd_close(f);
    REFUSED(path_open, "a symlink not to be followed", E_LOOP, ROOT, NO_FOLLOW, PATH("tmp/s"), 0,
            RIGHT_READ, 0, 0, place(&fd));
    w_path_symlink(PATH("/tmp/target"), ROOT, PATH("tmp/absolute"));
    opened("through an absolute symlink, from the root", open_error(ROOT, "tmp/absolute", 0), 0);
    int tmp = open_at(ROOT, "tmp", O_DIRECTORY_, 0);
    opened("through an absolute symlink, from elsewhere", open_error(tmp, "absolute", 0), E_PERM);
    w_path_symlink(PATH("../main.wasm"), ROOT, PATH("tmp/up"));
    opened("through a symlink out of the directory", open_error(tmp, "up", 0), E_PERM);
    w_path_symlink(PATH("../../x"), ROOT, PATH("tmp/escape"));
    opened("through a symlink out of the root", open_error(ROOT, "tmp/escape", 0), E_PERM);
    w_path_symlink(PATH("loop2"), ROOT, PATH("tmp/loop1"));
    w_path_symlink(PATH("loop1"), ROOT, PATH("tmp/loop2"));
    opened("a loop of symlinks", open_error(ROOT, "tmp/loop1", 0), E_LOOP);
    for (int i = 0; i <= 40; i++) {
        snprintf(path, sizeof path, "tmp/c%d", i);
        snprintf(target, sizeof target, i == 0 ? "target" : "c%d", i - 1);
        w_path_symlink(PATH(target), ROOT, PATH(path));
    }
    opened("40 symlinks", open_error(ROOT, "tmp/c39", 0), 0);
    opened("41 symlinks", open_error(ROOT, "tmp/c40", 0), E_LOOP);
    w_path_symlink(PATH("made"), ROOT, PATH("tmp/dangling"));
    opened("through a symlink to nothing", open_error(ROOT, "tmp/dangling", 0), E_NOENT);
    opened("making through a symlink", open_error(ROOT, "tmp/dangling", O_CREAT_), 0);
    HOLDS(path_open, "makes the target", stat_of("tmp/made").type == TYPE_REGULAR);
    REFUSED(path_symlink, "over what is there", E_EXIST, PATH("x"), ROOT, PATH("tmp/s"));
    REFUSED(path_symlink, "to nothing", E_NOENT, PATH(""), ROOT, PATH("tmp/empty"));
    REFUSED(path_symlink, "target beyond memory", E_FAULT, NOWHERE, 50, ROOT, PATH("tmp/x"));
    REFUSED(path_readlink, "a file", E_INVAL, ROOT, PATH("tmp/target"), place(text), 9,
            place(&used));
    REFUSED(path_readlink, "what is not there", E_NOENT, ROOT, PATH("tmp/none"), place(text), 9,
            place(&used));
    REFUSED(path_readlink, "beyond memory", E_FAULT, ROOT, PATH("tmp/s"), NOWHERE, 50,
            place(&used));
    w_fd_close(tmp);
}

int main(void)
{
    opening();
    read_only();
    directories();
    unlinked_files_live_on();
    renaming();
    links();
    symlinks();
    return done_testing();
}
