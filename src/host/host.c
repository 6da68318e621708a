/* Backends, and where this installation's programs are. */
#include "host/host.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define EXE_PATH_MAX 4096u
#define PATH_MAX_OF_IMAGE (EXE_PATH_MAX + 256u)

bool host_image_path(const char *name, struct arena *arena, const char **out, struct err *err)
{
    /* beside us; as installed; as built */
    static const char *const folders[] = {"", "../libexec/broch/", "../keep/", "../shim/kvm/",
                                          "../shim/sgx/"};
    char exe[EXE_PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", exe, sizeof exe);
    const char *slash =
        size > 0 && (size_t)size < sizeof exe ? memrchr(exe, '/', (size_t)size) : NULL;

    if (slash == NULL)
        return err_set(err, ERR_IO, "cannot tell where this program lies", (uint64_t)errno);
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        struct writer w = writer_growable(arena, PATH_MAX_OF_IMAGE);
        struct bytes path;
        writer_bytes(&w, bytes_from(exe, (size_t)(slash - exe) + 1));
        writer_text(&w, folders[i]);
        writer_text(&w, name);
        writer_u8(&w, '\0');
        if (!writer_done(&w, &path, err))
            return false;
        if (access((const char *)path.data, X_OK) == 0) {
            *out = (const char *)path.data;
            return true;
        }
    }
    return err_set(
        err, ERR_NOT_FOUND,
        "is neither beside this program nor in ../libexec/broch; the installation is not "
        "whole",
        ERR_NO_AT);
}
