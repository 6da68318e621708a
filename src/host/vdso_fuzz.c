/* Whatever the image: what is found lies in it, and its size is one that we read. */
#include <assert.h>

#include "host/vdso.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"first", "second", "__vdso_clock_gettime", ""};
    struct bytes image = bytes_from(data, size);
    size_t at, whole;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (vdso_find(image, names[i], &at))
            assert(at < size);
    }
    if (vdso_size(bytes_before(image, VDSO_PAGE_SIZE), &whole))
        assert(whole != 0 && whole <= VDSO_SIZE_MAX);
    return 0;
}
