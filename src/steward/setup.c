#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"
#include "steward/steward.h"
#include "base/banned.h"

#define ARENA_MAX ((size_t)128 << 20)

static bool say(char fault[STEWARD_FAULT_SIZE], const char *path, const char *why)
{
    (void)snprintf(fault, STEWARD_FAULT_SIZE, "%s: %s", path, why);
    return false;
}

static bool say_err(char fault[STEWARD_FAULT_SIZE], const char *path, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    return say(fault, path, err_text(err, os_strerror, text));
}

static bool open_files(const char *path, struct steward_setup *s, struct err *err)
{
    char *copy = strdup(path);

    if (copy == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the configuration", ERR_NO_AT);
    bool ok = file_set_new(dirname(copy), &s->files, err);
    free(copy);
    return ok;
}

/* Paths as programs open them; of what is not configured, NULL. */
static bool find_paths(struct steward_setup *s, struct err *err)
{
    const struct steward_config *c = &s->config;
    const struct {
        struct bytes name;
        const char **path;
    } paths[] = {
        {c->ca.certificate, &s->ca},
        {c->ca.key, &s->ca_key},
        {c->simulation.certificate, &s->simulation_ca},
        {c->simulation.key, &s->simulation_key},
        {c->store, &s->store},
        {c->audit, &s->audit},
        {c->simulation_audit, &s->simulation_audit},
    };

    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        if (paths[i].name.size != 0 &&
            !file_set_path(s->files, paths[i].name, &s->arena, paths[i].path, err))
            return false;
    }
    return true;
}

bool steward_setup_read(const char *path, struct steward_setup *out, char fault[STEWARD_FAULT_SIZE])
{
    struct steward_setup s = {.files = NULL};
    struct text_error error;
    struct err err;
    char why[256];
    bool ok;

    arena_init(&s.arena, arena_heap, ARENA_MAX);
    arena_set_wipe(&s.arena);
    ok = (os_read_file(path, CONFIG_SIZE_MAX, &s.arena, &s.text, &err) &&
          open_files(path, &s, &err)) ||
         say_err(fault, path, &err);
    if (ok && !steward_config_parse(s.text, s.files, &s.arena, &s.config, &error)) {
        if (error.line != 0)
            (void)snprintf(why, sizeof why, "line %u, column %u: %s", error.line, error.column,
                           error.text);
        ok = say(fault, path, error.line != 0 ? why : error.text);
    }
    ok = ok && (find_paths(&s, &err) || say_err(fault, path, &err));
    if (ok)
        *out = s;
    else
        steward_setup_done(&s);
    return ok;
}

void steward_setup_done(struct steward_setup *setup)
{
    file_set_free(setup->files);
    arena_done(&setup->arena);
    *setup = (struct steward_setup){.files = NULL};
}
