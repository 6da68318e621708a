/* A package from a registry: the tag, the tree that it names, the files; every byte against the
 * digest in the entry above it (DESIGN.md §2, §6). */
#include <string.h>

#include "keep/self_internal.h"
#include "package/entry.h"

#define TAG_MAX ((size_t)64 << 10)
#define ERROR_MAX ((size_t)4 << 10) /* bytes of what a registry says instead of a node */
#define FILES_MAX 100000u
#define PACKAGE_MAX ((uint64_t)1 << 30) /* bytes of all files */
/* A file that comes slower than this is not waited for: bytes a millisecond. */
#define SLOWEST 64u
#define PATH_MAX_SIZE (ENTRY_PATH_MAX + 1200u)

struct job {
    struct fetch *fetch;
    struct client client;
    size_t capacity; /* of the package's files */
    uint64_t bytes;
    unsigned depth;
};

/* ---- what is asked for ---- */

bool fetch_parse(struct bytes text, struct arena *arena, struct fetch *out, struct err *err)
{
    const struct bytes http = bytes_of("http://"), https = bytes_of("https://");
    struct fetch f = {.is_plain = bytes_starts_with(text, http)};
    struct writer w = writer_growable(arena, SLUG_SIZE_MAX);

    if (f.is_plain)
        text = bytes_after(text, http.size);
    else if (bytes_starts_with(text, https))
        text = bytes_after(text, https.size);
    const uint8_t *sign = text.size != 0 ? memchr(text.data, '@', text.size) : NULL;
    struct bytes slug = sign != NULL ? bytes_before(text, (size_t)(sign - text.data)) : text;
    if (sign != NULL && !digest_parse(bytes_after(text, slug.size + 1), &f.pin, err))
        return false;
    if (f.is_plain && f.pin.size == 0)
        return err_set(err, ERR_POLICY,
                       "over plain http only a package whose digest is given is fetched, as "
                       "HOST/USER/REPO:TAG@sha-256:…",
                       ERR_NO_AT);
    if (!slug_parse(slug, SLUG_TAG, arena, &f.slug, err))
        return false;
    slug_write(&w, &f.slug);
    if (!writer_done(&w, &f.name, err))
        return false;
    *out = f;
    return true;
}

/* ---- one node ---- */

static bool fail(const struct job *job, struct bytes path, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    log_error("cannot fetch the package", log_bytes("package", job->fetch->name),
              log_bytes("at", path), log_str("reason", err_text(err, NULL, text)),
              log_str("detail", client_detail(&job->client)));
    return false;
}

static bool check_status(struct job *job, struct bytes path, int status)
{
    if (status == 200)
        return true;
    if (status == 401 || status == 403) {
        job->fetch->is_denied = true;
        return false;
    }
    log_error(status == 404 ? "the registry has no such package" : "the registry failed",
              log_bytes("package", job->fetch->name), log_bytes("at", path),
              log_i64("status", status));
    return false;
}

/* GET of "/api/v0.1.0/USER/REPO/_tag/TAG" and what follows. */
static bool get(struct job *job, const char *tail, struct bytes path, size_t size_max,
                struct https_answer *out)
{
    struct fetch *f = job->fetch;
    struct writer w = writer_growable(f->arena, PATH_MAX_SIZE);
    struct bytes target;
    struct err err;

    writer_text(&w, "/api/v0.1.0/");
    writer_bytes(&w, f->slug.user);
    writer_u8(&w, '/');
    writer_bytes(&w, f->slug.repo);
    writer_text(&w, "/_tag/");
    writer_bytes(&w, f->slug.tag);
    writer_text(&w, tail);
    writer_bytes(&w, path);
    if (!writer_done(&w, &target, &err))
        return fail(job, path, &err);
    struct https_request request = {.method = "GET",
                                    .path = target,
                                    .answer_max = size_max > ERROR_MAX ? size_max : ERROR_MAX,
                                    .arena = f->arena};
    if (!client_ask(&job->client, &request, CLIENT_PATIENCE_MS + size_max / SLOWEST, out, &err))
        return fail(job, path, &err);
    return check_status(job, path, out->status);
}

/* The content that an entry means. */
static bool get_node(struct job *job, const struct entry *entry, struct bytes path,
                     struct bytes *out)
{
    unsigned algorithms = digest_set_algorithms(&entry->digests);
    struct https_answer answer;
    struct digest_set digests;
    struct err err;

    if (entry->length > (entry_is_directory(entry) ? ENTRY_JSON_MAX : PACKAGE_MAX - job->bytes)) {
        (void)err_set(&err, ERR_LIMIT, "it is too large, in bytes", entry->length);
        return fail(job, path, &err);
    }
    if (!get(job, path.size == 0 ? "/tree" : "/tree/", path, (size_t)entry->length, &answer))
        return false;
    *out = answer.body;
    return (digest_compute(*out, algorithms, &digests, &err) &&
            entry_check(entry, out->size, &digests, &err)) ||
           fail(job, path, &err);
}

/* ---- the tree ---- */

static bool join(struct job *job, struct bytes folder, struct bytes name, struct bytes *out)
{
    struct writer w = writer_growable(job->fetch->arena, ENTRY_PATH_MAX);
    struct err err;

    if (folder.size != 0) {
        writer_bytes(&w, folder);
        writer_u8(&w, '/');
    }
    writer_bytes(&w, name);
    return writer_done(&w, out, &err) || fail(job, folder, &err);
}

static bool add_file(struct job *job, struct bytes path, struct bytes content)
{
    struct fetch *f = job->fetch;
    struct err err;

    job->bytes += content.size;
    if (f->package->file_count == FILES_MAX) {
        (void)err_set(&err, ERR_LIMIT, "more files than", FILES_MAX);
        return fail(job, path, &err);
    }
    return package_add(f->package, f->arena, &job->capacity,
                       (struct boot_file){.path = path, .content = content}, &err) ||
           fail(job, path, &err);
}

static bool take_folder(struct job *job, struct bytes folder, struct bytes json)
{
    struct directory d;
    struct err err;

    if (job->depth > ENTRY_DEPTH_MAX) {
        (void)err_set(&err, ERR_LIMIT, "more folders in each other than", ENTRY_DEPTH_MAX);
        return fail(job, folder, &err);
    }
    if (!directory_parse(json, job->fetch->arena, &d, &err))
        return fail(job, folder, &err);
    for (size_t i = 0; i < d.count; i++) {
        const struct directory_item *item = &d.items[i];
        struct bytes path, content;
        if (!join(job, folder, item->name, &path) || !get_node(job, &item->entry, path, &content))
            return false;
        job->depth++;
        bool ok = entry_is_directory(&item->entry) ? take_folder(job, path, content)
                                                   : add_file(job, path, content);
        job->depth--;
        if (!ok)
            return false;
    }
    return true;
}

/* A tag that its owner advises against is fetched when its digest says that it is meant
 * (docs/packages.md). */
static bool check_mark(const struct job *job, struct bytes mark)
{
    if (!bytes_is(mark, "yanked") || job->fetch->pin.size != 0)
        return true;
    log_error("the package is yanked: its owner advises against it; who wants it all the same "
              "gives its digest, as HOST/USER/REPO:TAG@sha-256:…",
              log_bytes("package", job->fetch->name));
    return false;
}

/* Whether the root is the one that was asked for. */
static bool check_pin(const struct job *job, struct bytes root)
{
    const struct digest *pin = &job->fetch->pin;
    struct digest_set digests;
    struct err err;

    if (pin->size == 0)
        return true;
    if (!digest_compute(root, 1u << pin->algorithm, &digests, &err))
        return fail(job, bytes_of(""), &err);
    if (digest_equal(&digests.of[pin->algorithm], pin))
        return true;
    log_error("the registry has another package under this tag than the digest that was asked for",
              log_bytes("package", job->fetch->name));
    return false;
}

static bool note_digest(const struct job *job, struct bytes root)
{
    struct package *p = job->fetch->package;
    struct digest_set digests;
    struct err err;

    if (!digest_compute(root, 1u << DIGEST_SHA256, &digests, &err))
        return fail(job, bytes_of(""), &err);
    memcpy(p->digest, digests.of[DIGEST_SHA256].bytes, sizeof p->digest);
    p->has_digest = true;
    p->slug = job->fetch->name;
    return true;
}

static bool take_all(struct job *job)
{
    struct bytes nothing = bytes_of(""), root;
    struct https_answer answer;
    struct tag tag;
    struct err err;

    if (!get(job, "", nothing, TAG_MAX, &answer) || !check_mark(job, answer.state))
        return false;
    if (!tag_parse(answer.body, job->fetch->arena, &tag, &err))
        return fail(job, nothing, &err);
    if (!get_node(job, &tag.root, nothing, &root) || !check_pin(job, root) ||
        !note_digest(job, root))
        return false;
    return entry_is_directory(&tag.root) ? take_folder(job, nothing, root)
                                         : add_file(job, bytes_of("main.wasm"), root);
}

bool fetch_run(struct fetch *fetch)
{
    struct job job = {.fetch = fetch};
    struct err err;

    fetch->is_denied = false;
    *fetch->package = (struct package){.file_count = 0};
    bool ok = client_open(&job.client, fetch->slug.host, fetch->is_plain, fetch->own, fetch->roots,
                          &err) ||
              fail(&job, bytes_of(""), &err);
    ok = ok && take_all(&job);
    client_close(&job.client);
    return ok;
}
