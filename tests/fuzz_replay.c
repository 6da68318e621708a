/* Runs a fuzz target over files, without a fuzzer: seeds and past crashes are tests like any other.
 * Usage: TARGET FILE… (a folder of files is expanded by tools/replay.py). Each input lies in a heap
 * block of exactly its size, so that a sanitizer sees a read of one byte more. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    long size = ftell(file);
    rewind(file);
    uint8_t *data = size >= 0 ? malloc((size_t)size) : NULL;
    if (data == NULL && size != 0) {
        (void)fprintf(stderr, "%s: no memory for %ld bytes\n", path, size);
        (void)fclose(file);
        return 1;
    }
    size_t got = size > 0 ? fread(data, 1, (size_t)size, file) : 0;
    (void)fclose(file);
    if (got == (size_t)size)
        (void)LLVMFuzzerTestOneInput(data, got);
    free(data);
    return got == (size_t)size ? 0 : 1;
}

int main(int argc, char **argv)
{
    int failures = 0;

    for (int i = 1; i < argc; i++)
        failures += replay(argv[i]);
    printf("replayed %d inputs\n", argc - 1);
    return failures == 0 && argc > 1 ? 0 : 1;
}
