/* A package's files, wherever they came from. */
#include "keep/keep.h"

const struct boot_file *package_file(const struct package *package, const char *path)
{
    for (size_t i = 0; i < package->file_count; i++) {
        if (bytes_is(package->files[i].path, path))
            return &package->files[i];
    }
    return NULL;
}

bool package_add(struct package *package, struct arena *arena, size_t *capacity,
                 struct boot_file file, struct err *err)
{
    if (package->file_count == *capacity) {
        size_t wanted = *capacity == 0 ? 16 : 2 * *capacity;
        struct boot_file *more = arena_resize(arena, package->files, *capacity * sizeof *more,
                                              wanted * sizeof *more, _Alignof(struct boot_file));
        if (more == NULL)
            return err_set(err, ERR_MEMORY, "no memory for the package", ERR_NO_AT);
        package->files = more;
        *capacity = wanted;
    }
    package->files[package->file_count++] = file;
    return true;
}
