#include <stdio.h>

#include "jose/jose.h"
#include "os/os.h"
#include "remote/transfer.h"
#include "base/banned.h"

struct publish {
    struct remote *remote;
    const struct publish_options *options;
    const struct tree *tree;
    const char *path; /* of the tag */
    size_t next;      /* node */
    bool is_any_new, has_failed;
};

/* One file on its way. */
struct upload {
    struct http_transfer transfer;
    const struct tree_node *node;
};

/* "Name: value" with the digests, in the arena; NULL, and the fault: no memory. */
static const char *digest_header(struct remote *r, const struct digest_set *digests)
{
    struct writer w = writer_growable(r->arena, 1024);
    struct bytes line;
    struct err err;

    writer_text(&w, "Content-Digest: ");
    content_digest_write(&w, digests);
    writer_u8(&w, '\0');
    if (writer_done(&w, &line, &err))
        return (const char *)line.data;
    (void)remote_fail_err(r->fault, "headers", &err);
    return NULL;
}

static const char *type_header(struct remote *r, struct bytes type)
{
    struct writer w = writer_growable(r->arena, 512);
    struct bytes line;
    struct err err;

    writer_text(&w, "Content-Type: ");
    writer_bytes(&w, type);
    writer_u8(&w, '\0');
    if (writer_done(&w, &line, &err))
        return (const char *)line.data;
    (void)remote_fail_err(r->fault, "headers", &err);
    return NULL;
}

/* ---- the tag ---- */

static bool write_tag(struct publish *p, struct bytes *out, const char **type)
{
    struct remote *r = p->remote;
    struct writer w = writer_growable(r->arena, 4096);
    struct err err;

    *type = MEDIA_ENTRY;
    entry_write(&w, &p->tree->nodes[0].entry);
    if (!writer_done(&w, out, &err))
        return remote_fail_err(r->fault, "tag", &err);
    if (p->options->key.size == 0)
        return true;
    *type = MEDIA_JOSE;
    return jose_sign(*out, p->options->key, r->arena, out, &err) ||
           remote_fail_err(r->fault, "--sign", &err);
}

/* A tag of that name is there: whether it is the same; a signature is made anew each time. */
static bool is_same(struct publish *p, bool *same)
{
    struct remote_tag there;

    if (!remote_read_tag(p->remote, &p->options->slug, &there, NULL))
        return false;
    *same = entry_equal(&there.tag.root, &p->tree->nodes[0].entry);
    if (*same && there.tag.is_signed != (p->options->key.size != 0))
        return remote_fail(p->remote->fault, "tag",
                           there.tag.is_signed
                               ? "it is there already, with a signature; give --sign to go on"
                               : "it is there already, without a signature");
    return true;
}

static bool take_back(struct publish *p)
{
    struct http_reply reply;
    unsigned status;

    if (remote_call(p->remote, "DELETE", remote_url(p->remote, "%s", p->path),
                    (struct bytes){.size = 0}, &reply, &status))
        return true;
    return status == 409
               ? remote_fail(p->remote->fault, "tag",
                             "it was published with other content, and tags do not change; choose "
                             "another version")
               : false;
}

/* Puts the tag; *status 201, or 409: one is there. */
static bool put_tag(struct publish *p, unsigned *status)
{
    struct remote *r = p->remote;
    struct http_transfer t = {
        .method = "PUT", .url = remote_url(r, "%s", p->path), .arena = r->arena};
    struct digest_set digests;
    const char *type;
    struct err err;

    if (t.url == NULL || !write_tag(p, &t.body, &type))
        return false;
    if (!digest_compute(t.body, ENTRY_ALGORITHMS, &digests, &err))
        return remote_fail_err(r->fault, "tag", &err);
    t.headers[0] = type_header(r, bytes_of(type));
    t.headers[1] = digest_header(r, &digests);
    if (t.headers[0] == NULL || t.headers[1] == NULL)
        return false;
    (void)!http_pool_do(r->pool, &t);
    *status = t.reply.status;
    r->if_absent = "; 'broch repo register HOST/USER/REPO' makes a repository";
    bool ok = (t.ok && (*status == 201 || *status == 409)) || remote_refused(r, &t);
    r->if_absent = NULL;
    return ok;
}

static bool begin(struct publish *p)
{
    unsigned status;
    bool same;

    if (!put_tag(p, &status))
        return false;
    p->is_any_new = status == 201;
    if (status == 201)
        return true;
    if (!is_same(p, &same))
        return false;
    if (same)
        return true;
    if (!p->options->restart)
        return remote_fail(p->remote->fault, "tag",
                           "it is there already with other content; if that was an unfinished "
                           "publish, --restart takes it back");
    if (!take_back(p) || !put_tag(p, &status))
        return false;
    p->is_any_new = true;
    return status == 201 ||
           remote_fail(p->remote->fault, "tag", "somebody else publishes it just now");
}

/* ---- nodes ---- */

static bool fill(struct upload *u, struct remote *r, const char *path, const struct tree_node *node)
{
    u->node = node;
    u->transfer = (struct http_transfer){.method = "PUT", .arena = r->arena, .context = u};
    u->transfer.url =
        remote_url(r, "%s/tree%s%s", path, node->path[0] != '\0' ? "/" : "", node->path);
    u->transfer.headers[0] = type_header(r, node->entry.type);
    u->transfer.headers[1] = digest_header(r, &node->entry.digests);
    return u->transfer.url != NULL && u->transfer.headers[0] != NULL &&
           u->transfer.headers[1] != NULL;
}

/* Whether a node is there now; one that was there already is one too. */
static bool check(struct publish *p, const struct upload *u)
{
    const struct http_transfer *t = &u->transfer;

    p->is_any_new |= t->ok && t->reply.status == 201;
    if (t->ok && (t->reply.status == 201 || t->reply.status == 409))
        return true;
    if (t->ok || t->err.code != ERR_IO || t->err.at == ERR_NO_AT)
        return remote_refused(p->remote, t);
    return remote_fail_err(p->remote->fault, u->node->path, &t->err);
}

/* Directories go one after the other: each must be there before what it names. */
static bool put_directories(struct publish *p)
{
    for (size_t i = 0; i < p->tree->count; i++) {
        const struct tree_node *node = &p->tree->nodes[i];
        struct upload u;
        if (!entry_is_directory(&node->entry))
            continue;
        if (!fill(&u, p->remote, p->path, node))
            return false;
        u.transfer.body = node->json;
        (void)!http_pool_do(p->remote->pool, &u.transfer);
        if (!check(p, &u))
            return false;
        p->options->progress.moved(p->options->progress.context, node->json.size);
    }
    return true;
}

static bool next_file(void *context, struct http_transfer **out)
{
    struct publish *p = context;
    struct err err;

    *out = NULL;
    while (p->next < p->tree->count && entry_is_directory(&p->tree->nodes[p->next].entry))
        p->next++;
    if (p->next == p->tree->count)
        return true;
    const struct tree_node *node = &p->tree->nodes[p->next++];
    struct upload *u = ARENA_NEW(p->remote->arena, struct upload);
    if (u == NULL)
        return remote_fail(p->remote->fault, node->path, "no memory");
    if (!fill(u, p->remote, p->path, node))
        return false;
    u->transfer.is_file = true;
    u->transfer.body_size = node->entry.length;
    u->transfer.body_fd = tree_open(p->tree, node, &err);
    if (u->transfer.body_fd < 0)
        return remote_fail_err(p->remote->fault, node->path, &err);
    *out = &u->transfer;
    return true;
}

static bool file_done(void *context, struct http_transfer *transfer)
{
    struct publish *p = context;
    struct upload *u = transfer->context;

    os_closep(&u->transfer.body_fd);
    p->has_failed = p->has_failed || !check(p, u); /* the first fault is the one to tell */
    return !p->has_failed;
}

static void file_moved(void *context, uint64_t bytes)
{
    const struct publish *p = context;

    p->options->progress.moved(p->options->progress.context, bytes);
}

bool remote_publish(struct remote *remote, const struct publish_options *options,
                    const struct tree *tree, bool *was_there)
{
    struct publish p = {.remote = remote, .options = options, .tree = tree};
    const struct http_work work = {
        .next = next_file, .done = file_done, .moved = file_moved, .context = &p};

    p.path = remote_path(remote, &options->slug);
    if (p.path == NULL || !begin(&p) || !put_directories(&p) || !http_pool_run(remote->pool, &work))
        return false;
    *was_there = !p.is_any_new;
    return true;
}
