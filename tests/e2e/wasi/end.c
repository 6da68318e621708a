/* Ends in the way that its arguments say: "exit N" or "raise N". A newline before shows that output
 * was kept. */
#include <stdlib.h>

#include "wasi.h"

int main(int argc, char **argv)
{
    uint32_t number = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;

    puts("before");
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        w_proc_exit(number);
    w_proc_raise((int)number);
    puts("after");
    return 0;
}
