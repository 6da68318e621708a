/* What OpenSSL has of the C library and must not find in a keep: programs loaded at run time, and
 * names resolved through the host's files. Nothing here calls for them; what would gets a refusal.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stddef.h>

void *dlopen(const char *file, int mode)
{
    (void)file;
    (void)mode;
    return NULL;
}

void *dlsym(void *restrict handle, const char *restrict name)
{
    (void)handle;
    (void)name;
    return NULL;
}

int dlclose(void *handle)
{
    (void)handle;
    return -1;
}

char *dlerror(void)
{
    return NULL;
}

int dladdr(const void *address, Dl_info *out)
{
    (void)address;
    (void)out;
    return 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)name;
    (void)service;
    (void)hints;
    (void)out;
    return EAI_FAIL;
}

void freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

struct hostent *gethostbyname(const char *name)
{
    (void)name;
    return NULL;
}
