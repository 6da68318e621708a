/* Image files, and what is measured of those that can be read. */
#include "image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t digest[SNP_DIGEST_SIZE], mrenclave[SGX_MEASUREMENT_SIZE];
    struct enclave_image enclave;
    struct image_file file;
    struct image image;
    struct arena arena;
    struct err err;

    if (!image_file_parse(bytes_from(data, size), &file, &err))
        return 0;
    arena_init(&arena, arena_heap, 64 * IMAGE_SHIM_MAX);
    if (file.enclave_shim.size != 0 &&
        enclave_compose(file.enclave_shim, file.keep, &arena, &enclave, &err) &&
        !enclave_measure(&enclave, mrenclave, &err))
        __builtin_trap();
    if (image_compose(file.shim, file.keep, &arena, &image, &err) &&
        !image_measure(&image, &image_variants[0], digest, &err))
        __builtin_trap();
    arena_done(&arena);
    return 0;
}
