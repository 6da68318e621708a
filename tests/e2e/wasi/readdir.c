/* Listing directories. */
#include "wasi.h"

struct dirent_ {
    uint64_t next, inode;
    uint32_t name_size;
    uint8_t type;
};

static uint32_t used;

/* Goes through a directory with a buffer of a size; the names seen are counted in seen[0..count).
 */
static int walk(int dir, uint32_t size, const char *prefix, unsigned char *seen, int count,
                int *others)
{
    static uint8_t buffer[4096];
    uint64_t cookie = 0;
    int steps = 0;

    *others = 0;
    for (;;) {
        if (w_fd_readdir(dir, place(buffer), size, cookie, place(&used)) != 0 || ++steps > 100000)
            return -1;
        uint32_t place_in = 0;
        while (used - place_in >= 24) {
            struct dirent_ d;
            memcpy(&d, buffer + place_in, sizeof d);
            if (d.name_size > used - place_in - 24)
                break; /* cut: asked for again from its cookie */
            char name[256] = {0};
            memcpy(name, buffer + place_in + 24, d.name_size);
            int number = -1;
            if (strncmp(name, prefix, strlen(prefix)) == 0)
                sscanf(name + strlen(prefix), "%d", &number);
            if (number >= 0 && number < count)
                seen[number]++;
            else
                ++*others;
            cookie = d.next;
            place_in += 24 + d.name_size;
        }
        if (used < size)
            return 0;
        if (place_in == 0)
            return -1; /* the buffer is too small for one */
    }
}

static int all_once(const unsigned char *seen, int count)
{
    for (int i = 0; i < count; i++) {
        if (seen[i] != 1)
            return 0;
    }
    return 1;
}

int main(void)
{
    enum { COUNT = 300 };
    static unsigned char seen[COUNT];
    char path[32];
    uint8_t small[10];
    int others;

    w_path_create_directory(ROOT, PATH("tmp/d"));
    for (int i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "tmp/d/f%d", i);
        make_file(path, "");
    }
    int dir = open_at(ROOT, "tmp/d", O_DIRECTORY_, 0), file = open_at(ROOT, "tmp/d/f0", 0, 0);
    static const uint32_t sizes[] = {4096, 300, 60};
    for (int k = 0; k < 3; k++) {
        memset(seen, 0, sizeof seen);
        HOLDS(fd_readdir, "to the end", walk(dir, sizes[k], "f", seen, COUNT, &others) == 0);
        HOLDS(fd_readdir, "each once, and the two dots", all_once(seen, COUNT) && others == 2);
    }
    WORKS(fd_readdir, "into too little room", dir, place(small), sizeof small, 0, place(&used));
    HOLDS(fd_readdir, "which is filled", used == sizeof small);
    WORKS(fd_readdir, "into none", dir, place(small), 0, 0, place(&used));
    HOLDS(fd_readdir, "which is none", used == 0);
    WORKS(fd_readdir, "behind the end", dir, place(small), sizeof small, UINT64_MAX, place(&used));
    HOLDS(fd_readdir, "is nothing", used == 0);

    /* a cookie stays with its place although others come and go */
    uint8_t buffer[24 + 4];
    uint64_t cookie = 0;
    struct dirent_ d;
    for (int i = 0; i < 12; i++) {
        w_fd_readdir(dir, place(buffer), sizeof buffer, cookie, place(&used));
        memcpy(&d, buffer, sizeof d);
        cookie = d.next;
    }
    for (int i = 0; i < 10; i += 2) {
        snprintf(path, sizeof path, "tmp/d/f%d", i);
        w_path_unlink_file(ROOT, PATH(path));
        snprintf(path, sizeof path, "tmp/d/g%d", i);
        make_file(path, "");
    }
    w_fd_readdir(dir, place(buffer), sizeof buffer, cookie, place(&used));
    HOLDS(fd_readdir, "goes on where it was", memcmp(buffer + 24, "f10", 3) == 0);

    REFUSED(fd_readdir, "a file", E_NOTDIR, file, place(small), 1, 0, place(&used));
    REFUSED(fd_readdir, "not open", E_BADF, 77, place(small), 1, 0, place(&used));
    REFUSED(fd_readdir, "beyond memory", E_FAULT, dir, NOWHERE, 50, 0, place(&used));
    REFUSED(fd_readdir, "count beyond memory", E_FAULT, dir, place(small), 1, 0, NOWHERE);
    return done_testing();
}
