/* Arguments, environment, clocks, randomness, yielding, what is open from the start. */
#include "wasi.h"

static void lists(void)
{
    uint32_t count = 0, size = 0, pointers[8];
    char text[256];

    WORKS(args_sizes_get, "three arguments", place(&count), place(&size));
    HOLDS(args_sizes_get, "count and size",
          count == 3 && size == sizeof "main.wasm" + sizeof "one" + sizeof "");
    WORKS(args_get, "the arguments", place(pointers), place(text));
    HOLDS(args_get, "are those given",
          strcmp((char *)pointers[0], "main.wasm") == 0 &&
              strcmp((char *)pointers[1], "one") == 0 && strcmp((char *)pointers[2], "") == 0);
    WORKS(environ_sizes_get, "two variables", place(&count), place(&size));
    HOLDS(environ_sizes_get, "count and size", count == 2 && size == sizeof "A=1" + sizeof "B=x=y");
    WORKS(environ_get, "the variables", place(pointers), place(text));
    HOLDS(environ_get, "are those given",
          strcmp((char *)pointers[0], "A=1") == 0 && strcmp((char *)pointers[1], "B=x=y") == 0);
    REFUSED(args_sizes_get, "count beyond memory", E_FAULT, NOWHERE, place(&size));
    REFUSED(args_sizes_get, "size beyond memory", E_FAULT, place(&count), NOWHERE);
    REFUSED(args_get, "pointers beyond memory", E_FAULT, NOWHERE, place(text));
    REFUSED(args_get, "text beyond memory", E_FAULT, place(pointers), NOWHERE);
    REFUSED(environ_sizes_get, "beyond memory", E_FAULT, NOWHERE, NOWHERE);
    REFUSED(environ_get, "pointers beyond memory", E_FAULT, NOWHERE, place(text));
    REFUSED(environ_get, "text beyond memory", E_FAULT, place(pointers), NOWHERE);
}

static void clocks(void)
{
    uint64_t a = 0, b = 0, resolution = 0;

    for (int id = 0; id < 2; id++) {
        WORKS(clock_res_get, id == 0 ? "realtime" : "monotonic", id, place(&resolution));
        HOLDS(clock_res_get, "is no second", resolution > 0 && resolution < 1000000000);
        WORKS(clock_time_get, id == 0 ? "realtime" : "monotonic", id, 0, place(&a));
        WORKS(clock_time_get, "again", id, 0, place(&b));
        HOLDS(clock_time_get, "does not run backwards", b >= a && a > 0);
    }
    w_clock_time_get(0, 0, place(&a));
    HOLDS(clock_time_get, "is after 2025", a > UINT64_C(1735689600000000000));
    REFUSED(clock_time_get, "clock of the process", E_NOTSUP, 2, 0, place(&a));
    REFUSED(clock_time_get, "clock of the thread", E_NOTSUP, 3, 0, place(&a));
    REFUSED(clock_time_get, "unknown clock", E_INVAL, 4, 0, place(&a));
    REFUSED(clock_time_get, "beyond memory", E_FAULT, 0, 0, NOWHERE);
    REFUSED(clock_res_get, "clock of the process", E_NOTSUP, 2, place(&a));
    REFUSED(clock_res_get, "unknown clock", E_INVAL, -1, place(&a));
    REFUSED(clock_res_get, "beyond memory", E_FAULT, 1, NOWHERE);
}

static void randomness(void)
{
    static uint8_t a[5000], b[5000];

    WORKS(random_get, "some", place(a), sizeof a);
    WORKS(random_get, "more", place(b), sizeof b);
    HOLDS(random_get, "differ", memcmp(a, b, sizeof a) != 0);
    WORKS(random_get, "nothing", place(a), 0);
    REFUSED(random_get, "beyond memory", E_FAULT, NOWHERE, 100);
    REFUSED(random_get, "all there is", E_FAULT, place(a), 0xffffffff);
}

static void preopened(void)
{
    uint32_t prestat[2] = {9, 9};
    char name[4] = "????";
    struct fdstat_ s;

    WORKS(fd_prestat_get, "the root", ROOT, place(prestat));
    HOLDS(fd_prestat_get, "is a directory with a name of one byte",
          prestat[0] == 0 && prestat[1] == 1);
    WORKS(fd_prestat_dir_name, "the root", ROOT, place(name), 1);
    HOLDS(fd_prestat_dir_name, "is / and nothing else", name[0] == '/' && name[1] == '?');
    REFUSED(fd_prestat_get, "standard output", E_BADF, 1, place(prestat));
    REFUSED(fd_prestat_get, "nothing open", E_BADF, 4, place(prestat));
    REFUSED(fd_prestat_get, "beyond memory", E_FAULT, ROOT, NOWHERE);
    REFUSED(fd_prestat_dir_name, "no room", E_NAMETOOLONG, ROOT, place(name), 0);
    REFUSED(fd_prestat_dir_name, "nothing open", E_BADF, 99, place(name), 1);
    REFUSED(fd_prestat_dir_name, "standard output", E_BADF, 1, place(name), 1);
    REFUSED(fd_prestat_dir_name, "beyond memory", E_FAULT, ROOT, NOWHERE, 30);
    w_fd_fdstat_get(ROOT, place(&s));
    HOLDS(fd_fdstat_get, "the root is a directory", s.type == TYPE_DIRECTORY);
}

static void stdio(void)
{
    uint64_t offset;
    char c;
    struct iovec_ v = iovec_of(&c, 1);
    uint32_t done = 99;
    struct fdstat_ s;

    REFUSED(fd_seek, "standard output", E_SPIPE, 1, 0, 0, place(&offset));
    REFUSED(fd_tell, "standard input", E_SPIPE, 0, place(&offset));
    REFUSED(fd_pread, "standard input", E_SPIPE, 0, place(&v), 1, 0, place(&done));
    REFUSED(fd_pwrite, "standard output", E_SPIPE, 1, place(&v), 1, 0, place(&done));
    REFUSED(fd_read, "standard output", E_NOTCAPABLE, 1, place(&v), 1, place(&done));
    REFUSED(fd_write, "standard input", E_NOTCAPABLE, 0, place(&v), 1, place(&done));
    WORKS(fd_read, "the end of standard input", 0, place(&v), 1, place(&done));
    HOLDS(fd_read, "is no byte", done == 0);
    WORKS(fd_fdstat_get, "standard output", 1, place(&s));
    HOLDS(fd_fdstat_get, "no terminal here", s.type != TYPE_CHARACTER);
    WORKS(fd_write, "nothing", 1, place(&v), 0, place(&done));
}

int main(void)
{
    lists();
    clocks();
    randomness();
    preopened();
    stdio();
    WORKS(sched_yield, "returns");
    for (int i = 0; i < 5; i++) {
        static const int harmless[] = {0, 16, 17, 22, 27};
        WORKS(proc_raise, "a signal that is ignored", harmless[i]);
    }
    for (int number = 18; number < 22; number++)
        REFUSED(proc_raise, "a signal that would stop", E_NOTSUP, number);
    REFUSED(proc_raise, "an unknown signal", E_INVAL, 31);
    REFUSED(proc_raise, "a negative signal", E_INVAL, -1);
    return done_testing();
}
