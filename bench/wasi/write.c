/* write COUNT: that many blocks of 4 KiB to standard output, one call each. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char block[4096];
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 0;

    memset(block, 'x', sizeof block);
    for (long i = 0; i < count; i++)
        if (write(STDOUT_FILENO, block, sizeof block) != (ssize_t)sizeof block)
            return 1;
    return 0;
}
