/* Users and repositories. */
#include <jansson.h>

#include "cli/registry_open.h"
#include "cli/registry_work.h"
#include "jose/jose.h"
#include "os/os.h"
#include "base/banned.h"

#define OUTPUT_MAX ((size_t)64 << 20)
#define CA_MAX ((size_t)48 << 10)
#define PAGE 1000

static const struct bytes nothing = {.size = 0};

/* ---- asking ---- */

/* What a writer has, as a request's body. */
static bool call(struct registry_work *w, const char *method, const char *url,
                 const struct writer *body, struct http_reply *reply)
{
    struct bytes content = nothing;
    struct err err;

    if (body != NULL && !writer_done(body, &content, &err))
        return remote_fail_err(&w->fault, "request", &err);
    return remote_call(&w->remote, method, url, content, reply, NULL);
}

static const char *url_of_spec(struct registry_work *w)
{
    const char *path = remote_path(&w->remote, &w->slug);

    return path != NULL ? remote_url(&w->remote, "%s", path) : NULL;
}

/* Says in words, or JSON, that something was done. */
static int report(struct registry_work *w, const char *json_key, const char *words)
{
    struct writer out = writer_growable(&w->arena, OUTPUT_MAX);

    if (w->args->json) {
        writer_text(&out, "{\"slug\":\"");
        slug_write(&out, &w->slug);
        writer_format(&out, "\",%s}\n", json_key);
    } else {
        slug_write(&out, &w->slug);
        writer_format(&out, ": %s\n", words);
    }
    return registry_print(w, &out);
}

/* ---- users ---- */

/* Whose token it is: local ones are a user's own, others say it themselves. */
static bool read_subject(struct registry_work *w, struct writer *body)
{
    struct bytes token, subject;
    struct err err;

    if (w->remote.token == NULL)
        return remote_fail(&w->fault, "token", "is missing: --token-file gives one");
    token = bytes_of(w->remote.token);
    writer_text(body, "{\"subject\":");
    if (bytes_starts_with(token, bytes_of("broch_"))) {
        uint8_t text[SLUG_SIZE_MAX + 8];
        struct writer local = writer_fixed(text, sizeof text);
        writer_text(&local, "local:");
        writer_bytes(&local, w->slug.user);
        if (!writer_done(&local, &subject, &err))
            return remote_fail_err(&w->fault, "user", &err);
        writer_json(body, subject);
    } else {
        if (!jose_token_subject(token, &w->arena, &subject, &err))
            return remote_fail_err(&w->fault, "token", &err);
        writer_json(body, subject);
    }
    writer_text(body, "}");
    return true;
}

static bool save(struct registry_work *w)
{
    const struct cli_args *args = w->args;
    const struct credential_source source = {.helper = cli_value(args, "--credential-helper"),
                                             .issuer = cli_value(args, "--oidc-domain")};

    return !cli_is_given(args, "--save") ||
           credential_keep(&source, w->slug.host, w->remote.token, &w->arena, &w->fault);
}

int cli_user_register(const struct cli_args *args)
{
    struct registry_work w;
    int code;

    if (registry_open(&w, args, SPEC_USER, &code)) {
        struct writer body = writer_growable(&w.arena, CREDENTIAL_MAX);
        struct http_reply reply;
        code =
            read_subject(&w, &body) && call(&w, "PUT", url_of_spec(&w), &body, &reply) && save(&w)
                ? report(&w, "\"registered\":true", "registered")
                : registry_fail(&w);
    }
    registry_done(&w);
    return code;
}

/* The members of a JSON object as lines, or the object itself. */
static int show_object(struct registry_work *w, struct bytes body)
{
    struct writer out = writer_growable(&w->arena, OUTPUT_MAX);
    json_t *root = json_loadb((const char *)body.data, body.size, 0, NULL);
    const char *name;
    json_t *value;

    if (!json_is_object(root)) {
        json_decref(root);
        (void)remote_fail(&w->fault, "registry", "what it answered is no JSON object");
        return registry_fail(w);
    }
    if (w->args->json) {
        writer_bytes(&out, body);
        writer_text(&out, "\n");
    }
    json_object_foreach(root, name, value)
    {
        if (w->args->json)
            break;
        writer_shown(&out, bytes_of(name));
        writer_text(&out, ": ");
        if (json_is_string(value))
            writer_shown(&out, bytes_from(json_string_value(value), json_string_length(value)));
        else
            writer_text(&out, json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "?");
        writer_text(&out, "\n");
    }
    json_decref(root);
    return registry_print(w, &out);
}

int cli_user_info(const struct cli_args *args)
{
    struct registry_work w;
    struct http_reply reply;
    int code;

    if (registry_open(&w, args, SPEC_USER, &code))
        code = call(&w, "GET", url_of_spec(&w), NULL, &reply) ? show_object(&w, reply.body)
                                                              : registry_fail(&w);
    registry_done(&w);
    return code;
}

/* ---- repositories ---- */

static int put_visibility(struct registry_work *w, const char *method, bool is_public)
{
    struct writer body = writer_growable(&w->arena, 64);
    struct http_reply reply;

    writer_format(&body, "{\"public\":%s}", is_public ? "true" : "false");
    if (!call(w, method, url_of_spec(w), &body, &reply))
        return registry_fail(w);
    return report(w, is_public ? "\"public\":true" : "\"public\":false",
                  is_public ? "public: anybody may read it"
                            : "private: its owner and keeps that it trusts may read it");
}

int cli_repo_register(const struct cli_args *args)
{
    struct registry_work w;
    int code;

    if (registry_open(&w, args, SPEC_REPO, &code))
        code = put_visibility(&w, "PUT", !cli_is_given(args, "--private"));
    registry_done(&w);
    return code;
}

int cli_repo_visibility(const struct cli_args *args)
{
    const char *wanted = args->positionals[1];
    struct registry_work w;
    int code;

    if (strcmp(wanted, "public") != 0 && strcmp(wanted, "private") != 0)
        return cli_usage_error(args, wanted, "a repository is public or private");
    if (registry_open(&w, args, SPEC_REPO, &code))
        code = put_visibility(&w, "PATCH", strcmp(wanted, "public") == 0);
    registry_done(&w);
    return code;
}

/* A tag and what is to know of it. */
static void write_tag(struct writer *out, const json_t *tag)
{
    const char *state = json_string_value(json_object_get(tag, "state"));
    const json_t *name = json_object_get(tag, "tag"), *reason = json_object_get(tag, "reason");

    writer_text(out, "  ");
    writer_shown(out, bytes_from(json_string_value(name), json_string_length(name)));
    if (state != NULL && strcmp(state, "published") != 0) {
        writer_text(out, " (");
        writer_shown(out, bytes_of(state));
        if (json_string_length(reason) != 0) {
            writer_text(out, ": ");
            writer_shown(out, bytes_from(json_string_value(reason), json_string_length(reason)));
        }
        writer_text(out, ")");
    }
    writer_text(out, "\n");
}

static int show_repo(struct registry_work *w, struct bytes tags_json, const char *is_public)
{
    struct writer out = writer_growable(&w->arena, OUTPUT_MAX);
    json_t *tags = json_loadb((const char *)tags_json.data, tags_json.size, 0, NULL);
    const json_t *tag;
    size_t i;

    if (w->args->json) { /* as Enarx's */
        writer_format(&out, "{\"config\":{\"public\":%s},\"tags\":[", is_public);
        json_array_foreach(tags, i, tag)
        {
            const json_t *name = json_object_get(tag, "tag");
            writer_text(&out, i != 0 ? "," : "");
            writer_json(&out, bytes_from(json_string_value(name), json_string_length(name)));
        }
        writer_text(&out, "]}\n");
    } else {
        slug_write(&out, &w->slug);
        writer_format(&out, ": %s, %zu tags\n",
                      strcmp(is_public, "true") == 0    ? "public"
                      : strcmp(is_public, "false") == 0 ? "private"
                                                        : "seen as its readers do",
                      json_array_size(tags));
        json_array_foreach(tags, i, tag)
        {
            write_tag(&out, tag);
        }
    }
    json_decref(tags);
    return registry_print(w, &out);
}

int cli_repo_info(const struct cli_args *args)
{
    struct registry_work w;
    struct http_reply repo, tags;
    const char *is_public = "null"; /* only its owner is told */
    int code;

    if (registry_open(&w, args, SPEC_REPO, &code)) {
        const char *path = remote_path(&w.remote, &w.slug);
        bool ok = path != NULL &&
                  call(&w, "GET", remote_url(&w.remote, "%s/_tag?details=true", path), NULL, &tags);
        if (ok && w.remote.token != NULL && call(&w, "GET", url_of_spec(&w), NULL, &repo))
            is_public =
                memmem(repo.body.data, repo.body.size, "true", 4) != NULL ? "true" : "false";
        code = ok ? show_repo(&w, tags.body, is_public) : registry_fail(&w);
    }
    registry_done(&w);
    return code;
}

/* ---- lists ---- */

struct list {
    struct registry_work *work;
    struct bytes user;  /* whose alone; empty: everybody's */
    const char *search; /* "" any */
    struct writer out;
    size_t count;
};

static void write_name(struct list *l, struct bytes name)
{
    if (l->work->args->json) {
        writer_text(&l->out, l->count != 0 ? "," : "");
        writer_json(&l->out, name);
    } else {
        writer_shown(&l->out, name);
        writer_text(&l->out, "\n");
    }
    l->count++;
}

static bool is_of_user(struct bytes name, struct bytes user)
{
    return user.size == 0 ||
           (bytes_starts_with(name, user) && name.size > user.size && name.data[user.size] == '/');
}

/* Everything but letters, digits and -._~/ becomes %XX. */
static const char *escape(struct registry_work *w, const char *text)
{
    struct writer out = writer_growable(&w->arena, 8192);
    struct bytes done;
    struct err err;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c != '\0' && strchr("-._~/", c) != NULL))
            writer_u8(&out, c);
        else
            writer_format(&out, "%%%02X", c);
    }
    writer_u8(&out, '\0');
    if (writer_done(&out, &done, &err))
        return (const char *)done.data;
    (void)remote_fail_err(&w->fault, "search", &err);
    return NULL;
}

/* One page; *after becomes its last name, NULL when there are no more. */
static bool read_page(struct list *l, const char **after)
{
    struct registry_work *w = l->work;
    const char *search = escape(w, l->search), *from = escape(w, *after);
    struct http_reply reply;
    size_t i;
    const json_t *item;

    if (search == NULL || from == NULL)
        return false;
    bool is_own = l->user.size != 0 && w->remote.token != NULL;
    const char *url = remote_url(&w->remote, "_repositories?limit=%d%s%s%s%s%s%.*s", PAGE,
                                 search[0] != '\0' ? "&search=" : "", search,
                                 from[0] != '\0' ? "&after=" : "", from, is_own ? "&user=" : "",
                                 is_own ? (int)l->user.size : 0, (const char *)l->user.data);
    if (!call(w, "GET", url, NULL, &reply))
        return false;
    json_t *names = json_loadb((const char *)reply.body.data, reply.body.size, 0, NULL);
    *after = NULL;
    json_array_foreach(names, i, item)
    {
        struct bytes name = bytes_from(json_string_value(item), json_string_length(item));
        if (is_of_user(name, l->user))
            write_name(l, name);
        if (i + 1 == PAGE) {
            char *copy = arena_alloc(&w->arena, name.size + 1, 1);
            if (copy == NULL)
                break;
            memcpy(copy, name.data, name.size);
            copy[name.size] = '\0';
            *after = copy;
        }
    }
    bool is_list = json_is_array(names);
    json_decref(names);
    return is_list || remote_fail(&w->fault, "registry", "what it answered is no list");
}

static int list_repos(const struct cli_args *args, const char *search)
{
    struct registry_work w;
    int code;

    if (registry_open(&w, args, SPEC_HOST, &code)) {
        struct list l = {.work = &w,
                         .user = w.slug.user,
                         .search = search,
                         .out = writer_growable(&w.arena, OUTPUT_MAX)};
        const char *after = "";
        bool ok = true;
        writer_text(&l.out, args->json ? "[" : "");
        while (ok && after != NULL)
            ok = read_page(&l, &after);
        writer_text(&l.out, args->json ? "]\n" : "");
        code = ok ? registry_print(&w, &l.out) : registry_fail(&w);
    }
    registry_done(&w);
    return code;
}

int cli_repo_list(const struct cli_args *args)
{
    return list_repos(args, "");
}

int cli_repo_search(const struct cli_args *args)
{
    return list_repos(args, args->positionals[1]);
}

/* ---- Stewards of repositories ---- */

/* Names of Stewards stand in paths: as those of files do. */
static const char *steward_url(struct registry_work *w)
{
    const char *path = remote_path(&w->remote, &w->slug), *name = w->args->positionals[1];

    if (!entry_name_is_valid(bytes_of(name))) {
        (void)remote_fail(&w->fault, name, "a Steward's name has letters, digits and _.:- only");
        return NULL;
    }
    return path != NULL ? remote_url(&w->remote, "%s/_steward/%s", path, name) : NULL;
}

static bool write_steward(struct registry_work *w, struct writer *body)
{
    const char *ca = cli_value(w->args, "--ca");
    const char *const *technologies = cli_values(w->args, "--technology");
    struct bytes pem;
    struct err err;

    if (!os_read_file(ca, CA_MAX, &w->arena, &pem, &err))
        return remote_fail_err(&w->fault, ca, &err);
    writer_text(body, "{\"ca\":");
    writer_json(body, pem);
    writer_format(body, ",\"simulated\":%s",
                  cli_is_given(w->args, "--simulated") ? "true" : "false");
    for (size_t i = 0; technologies[i] != NULL; i++) {
        writer_text(body, i == 0 ? ",\"technology\":[" : ",");
        writer_json(body, bytes_of(technologies[i]));
    }
    writer_text(body, technologies[0] != NULL ? "]}" : "}");
    return true;
}

int cli_repo_steward_add(const struct cli_args *args)
{
    struct registry_work w;
    int code;

    if (cli_value(args, "--ca") == NULL)
        return cli_usage_error(args, "--ca", "is missing");
    if (registry_open(&w, args, SPEC_REPO, &code)) {
        struct writer body = writer_growable(&w.arena, 4 * CA_MAX);
        const char *url = steward_url(&w);
        struct http_reply reply;
        code = url != NULL && write_steward(&w, &body) && call(&w, "PUT", url, &body, &reply)
                   ? report(&w, "\"trusted\":true", "trusts the Steward's keeps")
                   : registry_fail(&w);
    }
    registry_done(&w);
    return code;
}

int cli_repo_steward_remove(const struct cli_args *args)
{
    struct registry_work w;
    int code;

    if (registry_open(&w, args, SPEC_REPO, &code)) {
        const char *url = steward_url(&w);
        struct http_reply reply;
        code = url != NULL && call(&w, "DELETE", url, NULL, &reply)
                   ? report(&w, "\"trusted\":false", "trusts the Steward no longer")
                   : registry_fail(&w);
    }
    registry_done(&w);
    return code;
}

static int show_stewards(struct registry_work *w, struct bytes body)
{
    struct writer out = writer_growable(&w->arena, OUTPUT_MAX);
    json_t *list = json_loadb((const char *)body.data, body.size, 0, NULL);
    const json_t *item;
    size_t i;

    if (w->args->json) {
        writer_bytes(&out, body);
        writer_text(&out, "\n");
    } else {
        json_array_foreach(list, i, item)
        {
            const json_t *name = json_object_get(item, "name");
            const json_t *technologies = json_object_get(item, "technology");
            writer_shown(&out, bytes_from(json_string_value(name), json_string_length(name)));
            for (size_t k = 0; k < json_array_size(technologies); k++)
                writer_format(&out, "%s%s", k == 0 ? ": " : ", ",
                              json_string_value(json_array_get(technologies, k)));
            writer_text(&out, json_is_true(json_object_get(item, "simulated"))
                                  ? " (SIMULATED platforms too)\n"
                                  : "\n");
        }
    }
    json_decref(list);
    return registry_print(w, &out);
}

int cli_repo_steward_list(const struct cli_args *args)
{
    struct registry_work w;
    struct http_reply reply;
    int code;

    if (registry_open(&w, args, SPEC_REPO, &code)) {
        const char *path = remote_path(&w.remote, &w.slug);
        code = path != NULL &&
                       call(&w, "GET", remote_url(&w.remote, "%s/_steward", path), NULL, &reply)
                   ? show_stewards(&w, reply.body)
                   : registry_fail(&w);
    }
    registry_done(&w);
    return code;
}
