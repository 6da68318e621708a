#include "remote/remote.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "os/os.h"
#include "base/banned.h"

#define CA_MAX ((size_t)4 << 20)
#define ANSWER_MAX ((size_t)16 << 20)
#define SECRETS_MAX ((size_t)256 << 10)
#define URL_MAX 16384

/* ---- connections ---- */

static bool make_pool(const struct remote_options *options, struct remote *r)
{
    char authorization[CREDENTIAL_MAX + 16];
    struct http_pool_options pool = {.parallel = options->parallel};
    struct err err;

    if (options->ca_bundle != NULL) {
        if (!os_read_file(options->ca_bundle, CA_MAX, r->arena, &pool.ca, &err))
            return remote_fail_err(r->fault, options->ca_bundle, &err);
        if (pool.ca.size == 0) /* or the system's would serve */
            return remote_fail(r->fault, options->ca_bundle, "the file is empty");
    }
    if (r->token != NULL) {
        (void)snprintf(authorization, sizeof authorization, "Bearer %s", r->token);
        pool.authorization = authorization;
    }
    bool ok =
        http_pool_new(&pool, &r->pool, &err) || remote_fail_err(r->fault, "connections", &err);
    secret_wipe(authorization, sizeof authorization);
    return ok;
}

bool remote_open(const struct remote_options *options, struct bytes host, struct arena *arena,
                 struct remote *out, struct remote_fault *fault)
{
    struct remote_fault ignored;

    *out = (struct remote){.arena = arena, .host = host, .fault = fault};
    arena_init(&out->secrets, arena_heap, SECRETS_MAX);
    arena_set_wipe(&out->secrets);
    if (!credential_path(&options->credential, host, arena, &out->credential_path, &ignored))
        out->credential_path = NULL;
    if (credential_find(&options->credential, host, &out->secrets, &out->token, fault) &&
        make_pool(options, out))
        return true;
    remote_close(out);
    return false;
}

void remote_close(struct remote *remote)
{
    http_pool_free(remote->pool);
    remote->pool = NULL;
    arena_done(&remote->secrets);
}

/* ---- addresses ---- */

const char *remote_url(struct remote *remote, const char *format, ...)
{
    char *out = arena_alloc(remote->arena, URL_MAX, 1);
    va_list args;
    int size;

    if (out == NULL) {
        (void)remote_fail(remote->fault, "address", "no memory");
        return NULL;
    }
    int head = snprintf(out, URL_MAX, "https://%.*s/api/v0.1.0/", (int)remote->host.size,
                        (const char *)remote->host.data);
    va_start(args, format);
    size = vsnprintf(out + head, (size_t)(URL_MAX - head), format, args);
    va_end(args);
    if (size < 0 || size >= URL_MAX - head) {
        (void)remote_fail(remote->fault, "address", "it is too long");
        return NULL;
    }
    char *fit = arena_resize(remote->arena, out, URL_MAX, (size_t)(head + size) + 1, 1);
    return fit != NULL ? fit : out;
}

const char *remote_path(struct remote *remote, const struct slug *slug)
{
    struct writer w = writer_growable(remote->arena, SLUG_SIZE_MAX + 16);
    struct bytes text;
    struct err err;

    writer_bytes(&w, slug->user);
    if (slug->repo.size != 0) {
        writer_text(&w, "/");
        writer_bytes(&w, slug->repo);
    }
    if (slug->tag.size != 0) {
        writer_text(&w, "/_tag/");
        writer_bytes(&w, slug->tag);
    }
    writer_u8(&w, '\0');
    if (writer_done(&w, &text, &err))
        return (const char *)text.data;
    (void)remote_fail_err(remote->fault, "address", &err);
    return NULL;
}

/* ---- answers ---- */

/* The message of an error's JSON, as a registry of ours sends it; else nothing. */
static void read_message(struct bytes body, char out[512])
{
    json_t *root = json_loadb((const char *)body.data, body.size, 0, NULL);
    const json_t *error = json_object_get(root, "error");
    const char *message = json_string_value(json_object_get(error, "message"));

    (void)snprintf(out, 512, "%s", message != NULL ? message : "");
    json_decref(root);
}

static const char *hint(const struct remote *r, unsigned status)
{
    switch (status) {
    case 401:
        return r->token == NULL ? "; a token is needed: --token-file gives one"
                                : "; another token may be needed, or 'broch user register'";
    case 403:
        return r->token == NULL ? "; a token is needed: --token-file gives one"
                                : "; the token does not allow it";
    case 404:
        if (r->if_absent != NULL)
            return r->if_absent;
        return r->token == NULL ? "; what is private is shown to its owner's token alone" : "";
    default:
        return "";
    }
}

void remote_fault_answer(struct remote *r, const struct http_transfer *t)
{
    char message[512], host[300];

    (void)snprintf(host, sizeof host, "%.*s", (int)r->host.size, (const char *)r->host.data);
    if (!t->ok) {
        remote_fault_set_err(r->fault, host, &t->err);
        return;
    }
    read_message(t->reply.body, message);
    (void)snprintf(r->fault->text, sizeof r->fault->text, "%s: answered with status %u%s%s%s", host,
                   t->reply.status, message[0] != '\0' ? ": " : "", message,
                   hint(r, t->reply.status));
}

bool remote_call(struct remote *r, const char *method, const char *url, struct bytes body,
                 struct http_reply *out, unsigned *status)
{
    struct http_transfer t = {.method = method,
                              .url = url,
                              .body = body,
                              .body_max = ANSWER_MAX,
                              .arena = r->arena,
                              .headers = {"Content-Type: application/json"}};

    if (status != NULL)
        *status = 0;
    if (url == NULL)
        return false;
    (void)!http_pool_do(r->pool, &t);
    if (t.ok && status != NULL)
        *status = t.reply.status;
    if (!t.ok || t.reply.status < 200 || t.reply.status > 299)
        return remote_refused(r, &t);
    *out = t.reply;
    return true;
}

bool remote_read_tag(struct remote *r, const struct slug *slug, struct remote_tag *out,
                     unsigned *status)
{
    const char *path = remote_path(r, slug);
    struct http_reply reply;
    struct bytes state;
    char what[300];
    struct err err;

    r->if_absent = "; 'broch repo info HOST/USER/REPO' lists the tags that there are";
    bool ok = path != NULL && remote_call(r, "GET", remote_url(r, "%s", path),
                                          (struct bytes){.size = 0}, &reply, status);
    r->if_absent = NULL;
    if (!ok)
        return false;
    (void)snprintf(what, sizeof what, "%.*s", (int)r->host.size, (const char *)r->host.data);
    out->bytes = reply.body;
    out->is_yanked = http_reply_header(&reply, "Broch-State", &state) && bytes_is(state, "yanked");
    return tag_parse(reply.body, r->arena, &out->tag, &err) ||
           remote_fail_err(r->fault, what, &err);
}
