#include "cli/drawbridge_work.h"

#include <errno.h>
#include <stdlib.h>

#include "drawbridge/drawbridge.h"
#include "drawbridge/policy.h"
#include "drawbridge/token.h"
#include "os/os.h"
#include "base/banned.h"

#define ARENA_MAX ((size_t)64 << 20)
#define DAY_S INT64_C(86400)
#define DAYS_DEFAULT 90u
#define DAYS_MAX 36500u

static const char *config_path(const struct cli_args *args)
{
    const char *given = cli_value(args, "--config");

    return given != NULL ? given : DRAWBRIDGE_CONFIG_DEFAULT;
}

int cli_drawbridge_init(const struct cli_args *args)
{
    const char *folder = args->positionals[0], *given = cli_value(args, "--host");
    const char *host = given != NULL ? given : "localhost:8443";
    struct err err;

    if (!drawbridge_init(folder, host, &err))
        return cli_fail_err(folder, &err);
    (void)printf(
        "A Drawbridge for %s is in %s.\n"
        "  root.pem         what those who use it need; root-key.pem belongs elsewhere\n"
        "  drawbridge.toml  its configuration\n"
        "Next:\n"
        "  broch-drawbridge --config %s/drawbridge.toml\n"
        "  broch drawbridge token create --config %s/drawbridge.toml --user NAME --scope all\n",
        host, folder, folder, folder);
    return CLI_OK;
}

/* A registry that a configuration names. */
struct place {
    struct policy *policy;
    struct registry *registry;
    struct arena arena;
};

static bool open_place(const struct cli_args *args, struct place *out)
{
    char fault[POLICY_FAULT_SIZE];
    struct err err;

    *out = (struct place){.policy = policy_read(config_path(args), fault)};
    arena_init(&out->arena, arena_heap, ARENA_MAX);
    if (out->policy == NULL) {
        (void)cli_fail("drawbridge", fault);
        return false;
    }
    if (registry_open(out->policy->store, &out->registry, &err))
        return true;
    (void)cli_fail_err(out->policy->store, &err);
    policy_free(out->policy);
    return false;
}

static int close_place(struct place *place, int code)
{
    registry_close(place->registry);
    policy_free(place->policy);
    arena_done(&place->arena);
    return code;
}

/* A number that an option has. */
static bool read_number(const struct cli_args *args, const char *option, uint64_t otherwise,
                        uint64_t max, uint64_t *out)
{
    const char *text = cli_value(args, option);
    char *end;

    *out = otherwise;
    if (text == NULL)
        return true;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *out <= max;
}

int cli_drawbridge_serve(const struct cli_args *args)
{
    struct err err;

    if (!os_log_setup(LOG_INFO, &err))
        return cli_fail_err("BROCH_LOG", &err);
    return drawbridge_serve(config_path(args)) == 0 ? CLI_OK : CLI_FAILED;
}

/* ---- tokens ---- */

/* The scopes that were asked for, with spaces between. */
static bool read_scopes(const struct cli_args *args, struct arena *arena, struct bytes *out)
{
    struct writer w = writer_growable(arena, 4096);
    struct err err;

    for (const char *const *scope = cli_values(args, "--scope"); *scope != NULL; scope++) {
        bool is_all = strcmp(*scope, "all") == 0;
        if (!is_all && !scope_is_known(bytes_of(*scope)))
            return false;
        writer_text(&w, w.size != 0 ? " " : "");
        writer_text(&w, is_all ? "manage:drawbridge_users manage:drawbridge_repositories "
                                 "manage:drawbridge_tags"
                               : *scope);
    }
    return writer_done(&w, out, &err) && out->size != 0;
}

static bool is_user_name(const char *name)
{
    size_t size = strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return size != 0 && size <= 255 && name[size] == '\0';
}

static int create_token(struct place *place, const char *user, struct bytes scopes, uint64_t days)
{
    int64_t now = os_unix_ms() / 1000;
    struct registry_token token = {.user = bytes_of(user),
                                   .scopes = scopes,
                                   .created = now,
                                   .expires = days != 0 ? now + (int64_t)days * DAY_S : 0};
    char text[TOKEN_TEXT_SIZE];
    struct err err;

    if (!token_create(place->registry, &token, &place->arena, text, &err))
        return cli_fail_err("the token", &err);
    (void)printf("%s\n", text);
    secret_wipe(text, sizeof text);
    (void)fprintf(stderr, "Token %.*s of %s; it is not shown again.\n", (int)token.id.size,
                  (const char *)token.id.data, user);
    return CLI_OK;
}

int cli_drawbridge_token_create(const struct cli_args *args)
{
    const char *user = cli_value(args, "--user");
    struct bytes scopes;
    struct place place;
    uint64_t days;

    if (user == NULL || !is_user_name(user))
        return cli_usage_error(args, "--user", "is missing, or no name of letters and digits");
    if (!read_number(args, "--days", DAYS_DEFAULT, DAYS_MAX, &days))
        return cli_usage_error(args, "--days", "takes a number up to 36500");
    if (!open_place(args, &place))
        return CLI_FAILED;
    if (!read_scopes(args, &place.arena, &scopes))
        return close_place(&place,
                           cli_usage_error(args, "--scope",
                                           "is missing, or none of read:, write:, manage: with "
                                           "drawbridge_users, drawbridge_repositories, "
                                           "drawbridge_tags; or all"));
    return close_place(&place, create_token(&place, user, scopes, days));
}

static void write_token(struct writer *w, const struct registry_token *t, bool is_json)
{
    char created[RFC3339_SIZE], expires[RFC3339_SIZE] = "never";
    const char *state = t->is_revoked ? "revoked" : "good";

    if (t->expires != 0 && t->expires <= os_unix_ms() / 1000 && !t->is_revoked)
        state = "expired";
    rfc3339_format(t->created * 1000, created);
    if (t->expires != 0)
        rfc3339_format(t->expires * 1000, expires);
    writer_text(w, is_json ? "{\"id\":" : "");
    if (is_json) {
        writer_json(w, t->id);
        writer_text(w, ",\"user\":");
        writer_json(w, t->user);
        writer_text(w, ",\"scopes\":");
        writer_json(w, t->scopes);
        writer_format(w, ",\"created\":\"%s\",\"expires\":\"%s\",\"state\":\"%s\"}", created,
                      expires, state);
        return;
    }
    writer_shown(w, t->id);
    writer_format(w, "  %-7s  until %s  ", state, expires);
    writer_shown(w, t->user);
    writer_text(w, "  ");
    writer_shown(w, t->scopes);
}

static int print_tokens(struct place *place, bool is_json)
{
    struct writer w = writer_growable(&place->arena, ARENA_MAX);
    const struct registry_token *tokens;
    struct bytes out;
    size_t count;
    struct err err;

    if (!registry_tokens(place->registry, &place->arena, &tokens, &count, &err))
        return cli_fail_err("the store", &err);
    writer_text(&w, is_json ? "[" : "");
    for (size_t i = 0; i < count; i++) {
        writer_text(&w, is_json && i != 0 ? "," : "");
        write_token(&w, &tokens[i], is_json);
        writer_text(&w, is_json ? "" : "\n");
    }
    writer_text(&w, is_json ? "]\n" : "");
    if (!writer_done(&w, &out, &err))
        return cli_fail_err("the list", &err);
    (void)fwrite(out.data, 1, out.size, stdout);
    return CLI_OK;
}

int cli_drawbridge_token_list(const struct cli_args *args)
{
    struct place place;

    if (!open_place(args, &place))
        return CLI_FAILED;
    return close_place(&place, print_tokens(&place, args->json));
}

int cli_drawbridge_token_revoke(const struct cli_args *args)
{
    struct place place;
    struct err err;

    if (!open_place(args, &place))
        return CLI_FAILED;
    enum registry_answer answer =
        registry_revoke_token(place.registry, bytes_of(args->positionals[0]), &err);
    return close_place(&place, answer == REGISTRY_DONE ? CLI_OK
                               : answer == REGISTRY_FAILED
                                   ? cli_fail_err("the store", &err)
                                   : cli_fail(args->positionals[0],
                                              "there is no such token; 'broch drawbridge token "
                                              "list' has them"));
}

/* ---- maintenance ---- */

static void print_fault(void *context, const char *what, struct bytes where)
{
    (void)context;
    (void)fprintf(stderr, "broch: %s: ", what);
    cli_print_shown(stderr, where);
    (void)fputc('\n', stderr);
}

int cli_drawbridge_fsck(const struct cli_args *args)
{
    const struct registry_check check = {.fault = print_fault};
    struct registry_summary s;
    struct place place;
    struct err err;

    if (!open_place(args, &place))
        return CLI_FAILED;
    if (!registry_fsck(place.registry, &check, &s, &err))
        return close_place(&place, cli_fail_err("the store", &err));
    (void)printf(args->json ? "{\"tags\":%llu,\"nodes\":%llu,\"files\":%llu,\"bytes\":%llu,"
                              "\"unreferenced\":%llu,\"faults\":%llu}\n"
                            : "%llu tags, %llu nodes, %llu files of %llu bytes, %llu of them in no "
                              "tree; %llu faults\n",
                 (unsigned long long)s.tags, (unsigned long long)s.nodes,
                 (unsigned long long)s.blobs, (unsigned long long)s.bytes,
                 (unsigned long long)s.unreferenced, (unsigned long long)s.faults);
    return close_place(&place, s.faults == 0 ? CLI_OK : CLI_FAILED);
}

int cli_drawbridge_gc(const struct cli_args *args)
{
    struct registry_garbage garbage;
    struct place place;
    uint64_t hours;
    struct err err;

    if (!read_number(args, "--hours", 1, 1000000, &hours))
        return cli_usage_error(args, "--hours", "takes a number");
    if (!open_place(args, &place))
        return CLI_FAILED;
    int64_t before = os_unix_ms() / 1000 - (int64_t)hours * 3600 + 1;
    if (!registry_collect(place.registry, before, &garbage, &err))
        return close_place(&place, cli_fail_err("the store", &err));
    (void)printf(args->json ? "{\"files\":%llu,\"bytes\":%llu}\n"
                            : "removed %llu files of %llu bytes\n",
                 (unsigned long long)garbage.count, (unsigned long long)garbage.size);
    return close_place(&place, CLI_OK);
}
