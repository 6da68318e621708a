/* hello [wait]: says so, and may wait for the end of standard input, so that its memory can be
 * seen. */
#include <stdio.h>

int main(int argc, char **argv)
{
    (void)argv;
    puts("hello, world");
    fflush(stdout);
    while (argc > 1 && getchar() != EOF)
        continue;
    return 0;
}
