/* Host names for keeps under test: those of the command line, and no others, so that no test asks
 * the world. Takes the place of src/host/resolve.c, which the linker then has no need of. */
#include <arpa/inet.h>
#include <string.h>

#include "host/internal.h"
#include "testhost.h"

#define NAMES_MAX 64

static struct {
    const char *name; /* up to `size` */
    size_t size;
    struct keep_address address;
} names[NAMES_MAX];
static size_t name_count;

void resolve_add(const char *text)
{
    size_t size = strcspn(text, "=");
    struct keep_address address = {.family = 4};

    must(text[size] == '=' && name_count < NAMES_MAX, "--resolve takes NAME=ADDRESS");
    const char *value = text + size + 1;
    if (inet_pton(AF_INET, value, address.bytes) != 1) {
        address.family = 6;
        must(inet_pton(AF_INET6, value, address.bytes) == 1, "--resolve: no address");
    }
    names[name_count].name = text;
    names[name_count].size = size;
    names[name_count++].address = address;
}

size_t resolve_name(const char *name, struct keep_address out[KEEP_ADDRESSES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < name_count && count < KEEP_ADDRESSES_MAX; i++) {
        if (strlen(name) == names[i].size && strncasecmp(names[i].name, name, names[i].size) == 0)
            out[count++] = names[i].address;
    }
    return count;
}
