/* Runs a kernel natively: PROGRAM SCALE prints run(SCALE). Not optimised together with the kernel.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernels/kernel.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    printf("%d\n", run((int32_t)strtol(argv[1], NULL, 10)));
    return 0;
}
