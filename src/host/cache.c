#include "host/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"
#include "base/banned.h"

#define FILE_MAX ((size_t)1 << 20)

const char *cache_folder(const char *variable, const char *otherwise)
{
    const char *named = getenv(variable);

    return named != NULL && named[0] != '\0' ? named : otherwise;
}

bool cache_read(const char *folder, const char *name, const char *missing, struct arena *arena,
                struct bytes *out, struct err *err)
{
    char path[4096];

    *out = bytes_of("");
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return err_set(err, ERR_LIMIT, "the name of the cache's folder is too long", ERR_NO_AT);
    if (os_read_file(path, FILE_MAX, arena, out, err))
        return true;
    if (err->code != ERR_IO || err->at != ENOENT)
        return false;
    log_warn(missing, log_str("file", path));
    return true;
}
