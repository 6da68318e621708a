/* Opens, writes, closes, links and removes files, as often as its argument says: the descriptor is
 * always the same one, and what was taken is given back. Ends when its input ends, so that it can
 * be looked at before. */
#include <stdlib.h>

#include "wasi.h"

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    char path[32], byte;
    int first = -1, wrong = 0;

    for (long i = 0; i < count; i++) {
        snprintf(path, sizeof path, "tmp/f%ld", i % 7);
        int fd = open_at(ROOT, path, O_CREAT_ | O_EXCL_, 0);
        if (first < 0)
            first = fd;
        wrong += fd != first || write_text(fd, "some content of a file") != 22;
        wrong += w_path_link(ROOT, 0, PATH(path), ROOT, PATH("tmp/link")) != 0;
        wrong += w_path_symlink(PATH("link"), ROOT, PATH("tmp/symlink")) != 0;
        int again = open_at(ROOT, "tmp/symlink", 0, 0);
        wrong += again != first + 1 || read_some(again, &byte, 1) != 1 || byte != 's';
        wrong += w_path_create_directory(ROOT, PATH("tmp/dir")) != 0;
        wrong += w_path_rename(ROOT, PATH(path), ROOT, PATH("tmp/dir/moved")) != 0;
        wrong += w_path_unlink_file(ROOT, PATH("tmp/dir/moved")) != 0;
        wrong += w_path_remove_directory(ROOT, PATH("tmp/dir")) != 0;
        wrong += w_path_unlink_file(ROOT, PATH("tmp/link")) != 0 ||
                 w_path_unlink_file(ROOT, PATH("tmp/symlink")) != 0;
        wrong += w_fd_close(again) != 0 || w_fd_close(fd) != 0;
        if (i % 1000 == 999 || i == count - 1) {
            printf("%ld %d\n", i + 1, wrong);
            fflush(stdout);
        }
    }
    while (read_some(0, &byte, 1) == 1) {
    }
    return wrong != 0;
}
