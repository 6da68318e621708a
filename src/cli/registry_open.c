#include "cli/registry_open.h"

#include "package/host.h"
#include "base/banned.h"

#define ARENA_LIMIT ((size_t)2 << 30)
#define OUTPUT_MAX ((size_t)256 << 20)

static bool read_host(struct registry_work *w, struct bytes text, struct err *err)
{
    struct writer out = writer_growable(&w->arena, SLUG_SIZE_MAX);
    struct bytes host;
    uint16_t port;

    if (!config_host_parse(text, &w->arena, &host, &port, err))
        return false;
    writer_bytes(&out, host);
    if (port != 0 && port != 443)
        writer_format(&out, ":%u", port);
    return writer_done(&out, &w->slug.host, err);
}

static bool read_pin(struct registry_work *w, struct bytes *text, enum spec_part last, int *code)
{
    const uint8_t *at = text->size != 0 ? memrchr(text->data, '@', text->size) : NULL;
    const char *spec = w->args->positionals[0];
    char text_of_err[ERR_TEXT_SIZE];
    struct err err;

    if (at == NULL)
        return true;
    struct bytes pin = bytes_after(*text, (size_t)(at - text->data) + 1);
    *text = bytes_before(*text, (size_t)(at - text->data));
    if (last != SPEC_PINNED)
        *code = cli_usage_error(w->args, spec, "no digest is taken here");
    else if (!digest_parse(pin, &w->pin, &err))
        *code = cli_usage_error(w->args, spec, err_text(&err, NULL, text_of_err));
    return *code == CLI_OK;
}

static bool read_spec(struct registry_work *w, enum spec_part last, int *code)
{
    static const enum slug_part parts[] = {[SPEC_USER] = SLUG_USER,
                                           [SPEC_REPO] = SLUG_REPO,
                                           [SPEC_TAG] = SLUG_TAG,
                                           [SPEC_PINNED] = SLUG_TAG};
    const char *spec = w->args->positionals[0];
    struct bytes text = bytes_of(spec);
    char text_of_err[ERR_TEXT_SIZE];
    struct err err;

    if (!read_pin(w, &text, last, code))
        return false;
    bool is_host = last == SPEC_HOST && memchr(text.data, '/', text.size) == NULL;
    bool ok = is_host ? read_host(w, text, &err)
                      : slug_parse(text, last == SPEC_HOST ? SLUG_USER : parts[last], &w->arena,
                                   &w->slug, &err);
    if (!ok)
        *code = cli_usage_error(w->args, spec, err_text(&err, NULL, text_of_err));
    else if ((last < SPEC_REPO && w->slug.repo.size != 0) ||
             (last < SPEC_TAG && w->slug.tag.size != 0))
        *code = cli_usage_error(w->args, spec, "it says more than is asked for here");
    return *code == CLI_OK;
}

bool registry_open(struct registry_work *w, const struct cli_args *args, enum spec_part last,
                   int *code)
{
    const struct remote_options options = {
        .ca_bundle = cli_value(args, "--ca-bundle"),
        .credential = {.token = cli_value(args, "--insecure-auth-token"),
                       .token_file = cli_value(args, "--token-file"),
                       .helper = cli_value(args, "--credential-helper"),
                       .issuer = cli_value(args, "--oidc-domain")},
    };
    struct err err;

    *w = (struct registry_work){.args = args};
    *code = CLI_OK;
    arena_init(&w->arena, arena_heap, ARENA_LIMIT);
    if (!read_spec(w, last, code))
        return false;
    if (!http_client_setup(&err))
        *code = registry_fail_err(w, "registry", &err);
    else if (!remote_open(&options, w->slug.host, &w->arena, &w->remote, &w->fault))
        *code = registry_fail(w);
    return *code == CLI_OK;
}

void registry_done(struct registry_work *w)
{
    if (w->remote.pool != NULL)
        remote_close(&w->remote);
    arena_done(&w->arena);
}

int registry_fail(struct registry_work *w)
{
    const char *colon = strstr(w->fault.text, ": ");
    char what[sizeof w->fault.text];

    progress_end(&w->progress);
    if (w->args->json) {
        struct writer out = writer_growable(&w->arena, OUTPUT_MAX);
        writer_text(&out, "{\"error\":");
        writer_json(&out, bytes_of(w->fault.text));
        writer_text(&out, "}\n");
        (void)registry_print(w, &out);
    }
    (void)snprintf(what, sizeof what, "%.*s", colon != NULL ? (int)(colon - w->fault.text) : 0,
                   w->fault.text);
    return cli_fail(what, colon != NULL ? colon + 2 : w->fault.text);
}

int registry_fail_err(struct registry_work *w, const char *what, const struct err *err)
{
    (void)remote_fail_err(&w->fault, what, err);
    return registry_fail(w);
}

int registry_print(struct registry_work *w, const struct writer *out)
{
    struct bytes text;
    struct err err;

    progress_end(&w->progress);
    if (!writer_done(out, &text, &err))
        return cli_fail_err("output", &err);
    (void)fwrite(text.data, 1, text.size, stdout);
    return CLI_OK;
}

struct transfer_progress registry_progress(struct registry_work *w, const char *what,
                                           uint64_t total)
{
    progress_end(&w->progress);
    progress_begin(&w->progress, what, total, !w->args->json);
    return (struct transfer_progress){.moved = progress_move, .context = &w->progress};
}
