/* A path that is refused has a status and a reason; the parts of one that is not lie within it and
 * have no step upwards. A range lies within the content. */
#include <assert.h>
#include <stdlib.h>

#include "drawbridge/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_part(struct bytes whole, struct bytes part)
{
    assert(part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
                              part.data + part.size <= whole.data + whole.size));
}

static void check_path(struct bytes path)
{
    struct route_fault fault = {.message = NULL};
    struct route route;

    if (!route_parse(path, &route, &fault)) {
        assert(fault.message != NULL && fault.status >= 400);
        return;
    }
    check_part(path, route.user);
    check_part(path, route.repo);
    check_part(path, route.tag);
    check_part(path, route.path);
    if (route.path.size == 0)
        return;
    assert(memmem(route.path.data, route.path.size, "/../", 4) == NULL);
    assert(route.path.data[0] != '/');
}

static void check_headers(struct bytes text)
{
    char *header = malloc(text.size + 1);
    uint64_t first = 0, count = 0;

    assert(header != NULL);
    if (text.size != 0)
        memcpy(header, text.data, text.size);
    header[text.size] = '\0';
    for (uint64_t size = 0; size < 4; size++) {
        if (range_parse(header, size, &first, &count) == RANGE_PART)
            assert(count != 0 && first < size && count <= size - first);
    }
    (void)etag_is_listed(header, "\"a\"");
    free(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_path(bytes_from(data, size));
    check_headers(bytes_from(data, size));
    return 0;
}
