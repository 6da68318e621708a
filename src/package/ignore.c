#include "package/ignore.h"

#include <fnmatch.h>

#include "base/banned.h"

static struct bytes trim(struct bytes line)
{
    while (line.size != 0 && (line.data[line.size - 1] == ' ' || line.data[line.size - 1] == '\t' ||
                              line.data[line.size - 1] == '\r'))
        line.size--;
    return line;
}

static const char *copy(struct bytes text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.size + 1, 1);

    if (out != NULL) {
        memcpy(out, text.data, text.size);
        out[text.size] = '\0';
    }
    return out;
}

bool ignore_parse(struct bytes text, struct arena *arena, struct ignore *out, struct err *err)
{
    *out = (struct ignore){.patterns = ARENA_ARRAY(arena, const char *, IGNORE_LINES_MAX)};
    if (out->patterns == NULL)
        return err_set(err, ERR_MEMORY, "no memory for patterns", ERR_NO_AT);
    for (size_t at = 0; at < text.size;) {
        size_t end = at;
        while (end < text.size && text.data[end] != '\n') {
            if (text.data[end++] == '\0')
                return err_set(err, ERR_FORMAT, "there is a NUL at", end - 1);
        }
        struct bytes line = trim(bytes_before(bytes_after(text, at), end - at));
        at = end + 1;
        if (line.size == 0 || line.data[0] == '#')
            continue;
        if (out->count == IGNORE_LINES_MAX)
            return err_set(err, ERR_LIMIT, "more patterns than", IGNORE_LINES_MAX);
        const char *pattern = copy(line, arena);
        if (pattern == NULL)
            return err_set(err, ERR_MEMORY, "no memory for patterns", ERR_NO_AT);
        out->patterns[out->count++] = pattern;
    }
    return true;
}

static bool fits(const char *pattern, const char *path, bool is_folder)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    char bare[4096];
    size_t size = strlen(pattern);

    if (size == 0 || size >= sizeof bare)
        return false;
    bool of_folders = pattern[size - 1] == '/';
    if (of_folders && !is_folder)
        return false;
    memcpy(bare, pattern, size);
    bare[of_folders ? size - 1 : size] = '\0';
    bool is_path = strchr(bare, '/') != NULL;
    return fnmatch(bare[0] == '/' ? bare + 1 : bare, is_path ? path : name, FNM_PATHNAME) == 0;
}

bool ignore_has(const struct ignore *ignore, const char *path, bool is_folder)
{
    bool is_out = strcmp(path, IGNORE_NAME) == 0;

    for (size_t i = 0; i < ignore->count; i++) {
        bool is_back = ignore->patterns[i][0] == '!';
        if (fits(ignore->patterns[i] + is_back, path, is_folder))
            is_out = !is_back;
    }
    return is_out;
}
