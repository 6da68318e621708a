/* Reads the boot request. It comes from the host and is hostile: sizes are checked before memory is
 * taken. */
#include <string.h>
#include <unistd.h>

#include "keep/keep.h"
#include "os/os.h"

/* The lists while they grow. */
struct lists {
    struct arena *arena;
    size_t arg_capacity, env_capacity, file_capacity;
};

/* Room for one more item of a list in the arena. */
static void *grown(struct arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t wanted = *capacity == 0 ? 16 : 2 * *capacity;
    void *more = arena_resize(arena, items, *capacity * size, wanted * size, 8);
    if (more != NULL)
        *capacity = wanted;
    return more;
}

static bool add_text(struct lists *l, struct bytes **list, size_t *count, size_t *capacity,
                     struct bytes text, struct err *err)
{
    struct bytes *items = grown(l->arena, *list, *count, capacity, sizeof **list);

    if (items == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the boot request", ERR_NO_AT);
    if (text.size != 0 && memchr(text.data, 0, text.size) != NULL)
        return err_set(err, ERR_FORMAT, "boot request: a NUL in a text", ERR_NO_AT);
    *list = items;
    items[(*count)++] = text;
    return true;
}

static bool add_file(struct lists *l, struct boot *boot, struct bytes body, struct err *err)
{
    struct reader r = {.in = body};
    struct boot_file file;
    uint16_t path_size;

    if (!reader_u16le(&r, &path_size) || path_size > BOOT_PATH_MAX ||
        !reader_bytes(&r, path_size, &file.path))
        return err_set(err, ERR_FORMAT, "boot request: bad path of a file", ERR_NO_AT);
    file.content = bytes_after(body, r.at);
    struct boot_file *files =
        grown(l->arena, boot->files, boot->file_count, &l->file_capacity, sizeof *files);
    if (files == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the boot request", ERR_NO_AT);
    boot->files = files;
    files[boot->file_count++] = file;
    return true;
}

/* A text that there may be one of. */
static bool take_once(struct bytes *out, struct bytes body, struct err *err)
{
    if (out->size != 0 || body.size == 0)
        return err_set(err, ERR_FORMAT, "boot request: a section is empty, or there twice",
                       ERR_NO_AT);
    if (memchr(body.data, 0, body.size) != NULL)
        return err_set(err, ERR_FORMAT, "boot request: a NUL in a text", ERR_NO_AT);
    *out = body;
    return true;
}

static bool section_parse(struct lists *l, struct boot *boot, enum boot_kind kind,
                          struct bytes body, struct err *err)
{
    struct reader r = {.in = body};
    uint8_t value = 0;
    bool ok = true;

    switch (kind) {
    case BOOT_LOG_LEVEL:
        ok = reader_u8(&r, &value) && value <= LOG_DEBUG && r.at == body.size;
        boot->log_level = (enum log_level)value;
        break;
    case BOOT_STDIO:
        for (size_t i = 0; i < 3 && ok; i++) {
            ok = reader_u8(&r, &value) && value < BOOT_STDIO_KIND_COUNT;
            boot->stdio[i] = (enum boot_stdio)value;
        }
        ok = ok && r.at == body.size;
        break;
    case BOOT_ARG:
        return add_text(l, &boot->args, &boot->arg_count, &l->arg_capacity, body, err);
    case BOOT_ENV:
        return add_text(l, &boot->env, &boot->env_count, &l->env_capacity, body, err);
    case BOOT_FUEL:
        ok = reader_u64le(&r, &boot->fuel) && r.at == body.size;
        break;
    case BOOT_MEMORY:
        ok = reader_u64le(&r, &boot->memory) && r.at == body.size;
        break;
    case BOOT_FILE_SECTION:
        return add_file(l, boot, body, err);
    case BOOT_PACKAGE:
        return take_once(&boot->package, body, err);
    case BOOT_STEWARD:
        return take_once(&boot->steward, body, err);
    case BOOT_STEWARD_CA:
        return take_once(&boot->steward_ca, body, err);
    case BOOT_REGISTRY_CA:
        return take_once(&boot->registry_ca, body, err);
    default:
        ok = false;
        break;
    }
    return ok || err_set(err, ERR_FORMAT, "boot request: bad section of kind", kind);
}

bool boot_read(struct arena *arena, struct boot *out, struct err *err)
{
    uint8_t head[BOOT_SECTION_HEAD_SIZE];
    struct boot boot = {.log_level = LOG_INFO, .fuel = UINT64_MAX, .memory = UINT64_MAX};
    struct lists lists = {.arena = arena};
    struct boot_section section;
    size_t got;

    _Static_assert(BOOT_MAGIC_SIZE == BOOT_SECTION_HEAD_SIZE, "one buffer for both");
    if (!os_read_exactly(BOOT_FILE, head, sizeof head, &got, err))
        return false;
    if (got != sizeof head || memcmp(head, BOOT_MAGIC, BOOT_MAGIC_SIZE) != 0)
        return err_set(err, ERR_FORMAT, "this is no boot request of this version", ERR_NO_AT);
    for (size_t i = 0;; i++) {
        if (!os_read_exactly(BOOT_FILE, head, sizeof head, &got, err))
            return false;
        if (got == 0)
            break;
        if (i == BOOT_SECTIONS_MAX)
            return err_set(err, ERR_LIMIT, "boot request: more sections than", i);
        if (got != sizeof head)
            return err_set(err, ERR_FORMAT, "boot request ends early", ERR_NO_AT);
        if (!boot_section_parse(head, &section, err))
            return false;
        uint8_t *body = arena_alloc(arena, section.size, 8);
        if (body == NULL)
            return err_set(err, ERR_MEMORY, "no memory for the boot request, in bytes",
                           section.size);
        if (!os_read_exactly(BOOT_FILE, body, section.size, &got, err))
            return false;
        if (got != section.size)
            return err_set(err, ERR_FORMAT, "boot request ends early", ERR_NO_AT);
        if (!section_parse(&lists, &boot, section.kind, bytes_from(body, section.size), err))
            return false;
    }
    (void)close(BOOT_FILE);
    *out = boot;
    return true;
}
