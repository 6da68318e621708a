#include "cli/vendor_service.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "os/os.h"
#include "base/banned.h"

#define ARENA_LIMIT ((size_t)16 << 20)
#define PATH_SIZE 4096
#define TIMEOUT_MS 30000

/* ---- options ---- */

int vendor_open(struct vendor_work *w, const struct vendor *vendor, const struct cli_args *args)
{
    const char *url = cli_value(args, vendor->url_option);
    const char *ca = cli_value(args, vendor->ca_option);
    const char *folder = cli_value(args, "--cache");
    char why[64];
    struct err err;

    *w = (struct vendor_work){.url = url != NULL ? url : vendor->url,
                              .folder = folder != NULL ? folder : vendor->folder};
    arena_init(&w->arena, arena_heap, ARENA_LIMIT);
    (void)snprintf(why, sizeof why, "%s takes https://HOST[:PORT]", vendor->url_option);
    if (strncmp(w->url, "https://", 8) != 0)
        return cli_usage_error(args, w->url, why);
    if (ca != NULL && !os_read_file(ca, VENDOR_FILE_MAX, &w->arena, &w->ca, &err))
        return cli_fail_err(ca, &err);
    return http_client_setup(&err) ? CLI_OK : cli_fail_err(vendor->command, &err);
}

void vendor_done(struct vendor_work *w)
{
    arena_done(&w->arena);
}

bool vendor_take_hex(const struct cli_args *args, const char *option, uint8_t *out, size_t size,
                     size_t least)
{
    const char *text = cli_value(args, option);
    struct err err;
    size_t got;

    return text != NULL && hex_decode(bytes_of(text), out, size, &got, &err) && got >= least;
}

/* ---- the service ---- */

int vendor_fetch(struct vendor_work *w, const char *base, const char *path, const char *unknown,
                 const char **url, struct http_reply *out)
{
    struct writer name = writer_growable(&w->arena, PATH_SIZE);
    struct bytes text;
    struct err err;
    char why[96];

    writer_format(&name, "%s%s%c", base, path, '\0');
    if (!writer_done(&name, &text, &err))
        return cli_fail_err(path, &err);
    *url = (const char *)text.data;
    const struct http_get get = {
        .url = *url, .ca = w->ca, .timeout_ms = TIMEOUT_MS, .body_max = VENDOR_FILE_MAX};
    if (!http_get(&get, &w->arena, out, &err))
        return cli_fail_err(*url, &err);
    if (out->status == 429)
        return cli_fail(*url, "the service wants to be asked less often; wait a minute");
    if (out->status != 200) {
        (void)snprintf(why, sizeof why, "the service answered %u%s%s", out->status,
                       out->status == 404 ? ": " : "", out->status == 404 ? unknown : "");
        return cli_fail(*url, why);
    }
    return CLI_OK;
}

const char *vendor_fact(const struct fact_item *item, const char *name)
{
    for (size_t i = 0; i < item->count; i++) {
        if (strcmp(item->facts[i].name, name) == 0)
            return item->facts[i].value;
    }
    return "";
}

int vendor_check(struct vendor_work *w, const char *url, const char *kind, struct bytes content,
                 const struct fact_item **out)
{
    struct fact_list facts;
    struct err err;

    if (!evidence_facts(content, &w->arena, &facts, &err) || facts.count != 1 ||
        strcmp(facts.items[0].kind, kind) != 0)
        return cli_fail(url, "what the service answered is something else");
    *out = facts.items;
    return CLI_OK;
}

/* ---- files ---- */

int vendor_make_folder(const struct vendor_work *w)
{
    char part[PATH_SIZE];

    if (snprintf(part, sizeof part, "%s", w->folder) >= (int)sizeof part)
        return cli_fail(w->folder, "is too long a name");
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return cli_fail(part, os_strerror(errno));
        *slash = '/';
    }
    return mkdir(part, 0755) == 0 || errno == EEXIST ? CLI_OK : cli_fail(part, os_strerror(errno));
}

int vendor_store(const struct vendor_work *w, const char *name, struct bytes content)
{
    char path[PATH_SIZE], part[PATH_SIZE];
    struct err err;

    if (snprintf(path, sizeof path, "%s/%s", w->folder, name) >= (int)sizeof path ||
        snprintf(part, sizeof part, "%s/.%s.part", w->folder, name) >= (int)sizeof part)
        return cli_fail(w->folder, "is too long a name");
    CLEANUP(os_closep) int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return cli_fail(part, os_strerror(errno));
    if (!os_write_fd(fd, content, &err))
        return cli_fail_err(part, &err);
    if (fsync(fd) != 0 || rename(part, path) != 0)
        return cli_fail(path, os_strerror(errno));
    (void)printf("%s\n", path);
    return CLI_OK;
}
