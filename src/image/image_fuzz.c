/* Image files, and what is measured of those that can be read. */
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t digest[SNP_DIGEST_SIZE];
    struct image_file file;
    struct image image;
    struct arena arena;
    struct err err;

    if (!image_file_parse(bytes_from(data, size), &file, &err))
        return 0;
    arena_init(&arena, arena_heap, 8 * IMAGE_SHIM_MAX);
    if (image_compose(file.shim, file.keep, &arena, &image, &err) &&
        !image_measure(&image, &image_variants[0], digest, &err))
        __builtin_trap();
    arena_done(&arena);
    return 0;
}
