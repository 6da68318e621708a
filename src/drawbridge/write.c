/* What is written. Before the body: headers, then who asks, then whether it may be there at all; so
 * that nobody sends a gigabyte in vain. After it: whether it is what was announced. */
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <strings.h>

#include "drawbridge/service_internal.h"
#include "drawbridge/technology.h"
#include "base/banned.h"

#define HEADER_MAX 1024
#define SUBJECT_MAX 1024u
#define REASON_MAX 1000u
#define DIRECTORY_ARENA_MAX ((size_t)64 << 20)
#define DIRECTORY_LARGE ((uint64_t)256 << 10) /* after which memory goes back to the system */

/* ---- headers ---- */

static bool malformed(struct exchange *x, const char *message)
{
    return deny(x, 400, "malformed", message);
}

/* A header's value in the arena: the server's own goes when it returns. */
static const char *copy_header(struct exchange *x, const char *name)
{
    const char *value = http_request_header(x->request, name);
    size_t size = value != NULL ? strlen(value) + 1 : 0;
    char *copy = value != NULL ? arena_alloc(x->arena, size, 1) : NULL;

    if (copy != NULL)
        memcpy(copy, value, size);
    return copy;
}

/* Content-Length, Content-Type, Content-Digest. */
static bool read_headers(struct exchange *x, bool needs_digest)
{
    const char *length = http_request_header(x->request, "Content-Length");
    const char *digests = http_request_list(x->request, "Content-Digest");
    struct err err;

    if (length == NULL) /* the server let only a number through */
        return malformed(x, "the header Content-Length is missing");
    x->length = strtoull(length, NULL, 10);
    x->type = copy_header(x, "Content-Type");
    if (x->type == NULL || !entry_type_is_valid(bytes_of(x->type)))
        return malformed(x, "the header Content-Type is missing, or is no media type");
    if (digests == NULL && http_request_has(x->request, "Content-Digest"))
        return malformed(x, "the header Content-Digest is too long");
    if (digests != NULL && !content_digest_parse(bytes_of(digests), &x->digests, &err))
        return malformed(x, err.msg);
    return !needs_digest || digest_set_algorithms(&x->digests) != 0 ||
           deny(x, 400, "digest-missing", "At least one content digest value must be specified");
}

static bool is_type(const struct exchange *x, const char *type)
{
    size_t size = strcspn(x->type, "; ");

    return size == strlen(type) && strncasecmp(x->type, type, size) == 0;
}

/* Records are JSON; a tag has its own types. */
static bool need_json(struct exchange *x)
{
    return is_type(x, "application/json") ||
           deny(x, 415, "media-type", "the content is to be application/json");
}

static bool limit_body(struct exchange *x)
{
    return x->length <= SMALL_BODY_MAX ||
           deny(x, 413, "body-too-large", "the body is larger than 64 KiB");
}

/* ---- before the body ---- */

static bool begin_user(struct exchange *x)
{
    return read_headers(x, false) && limit_body(x) && caller_read(x) && need_json(x);
}

static bool begin_for_repo(struct exchange *x)
{
    return read_headers(x, false) && limit_body(x) && caller_read(x) &&
           caller_owns(x, SCOPE_WRITE, SCOPE_REPOSITORIES) && need_json(x);
}

static bool begin_tag(struct exchange *x)
{
    if (!read_headers(x, true) || !limit_body(x) || !caller_read(x) ||
        !caller_owns(x, SCOPE_WRITE, SCOPE_TAGS))
        return false;
    return is_type(x, MEDIA_ENTRY) || is_type(x, MEDIA_JOSE) ||
           malformed(x, "Invalid content type: a tag is " MEDIA_ENTRY " or " MEDIA_JOSE);
}

static bool begin_for_tag(struct exchange *x)
{
    return read_headers(x, false) && limit_body(x) && caller_read(x) &&
           caller_owns(x, SCOPE_WRITE, SCOPE_TAGS) && need_json(x) && find_own_tag(x);
}

/* What the request announces must be what the entry above it says. */
static bool check_announced(struct exchange *x)
{
    const struct entry *entry = &x->node.entry;
    char *message;

    if (x->length != entry->length) {
        message = arena_alloc(x->arena, 128, 1);
        if (message == NULL)
            return deny(x, 503, "busy", "the server has no memory");
        (void)snprintf(message, 128, "Content length mismatch, expected: %llu, got %llu",
                       (unsigned long long)entry->length, (unsigned long long)x->length);
        return deny(x, 400, "length-mismatch", message);
    }
    if (!bytes_is(entry->type, x->type))
        return deny_named(x, 400, "type-mismatch", "Content type mismatch, expected: ", entry->type,
                          "");
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        const struct digest *given = &x->digests.of[i], *wanted = &entry->digests.of[i];
        if (given->size != 0 && wanted->size != 0 && !digest_equal(given, wanted))
            return deny(x, 400, "digest-mismatch",
                        "Content digest mismatch with the entry that names this node");
    }
    if (entry_is_directory(entry) && entry->length > ENTRY_JSON_MAX)
        return deny(x, 413, "body-too-large", "a directory is larger than 2 MB");
    return x->length <= x->policy->config.node_max ||
           deny(x, 413, "body-too-large", "the file is larger than this registry takes");
}

static bool begin_node(struct exchange *x)
{
    struct err err;

    if (!read_headers(x, true) || !caller_read(x) || !caller_owns(x, SCOPE_WRITE, SCOPE_TAGS) ||
        !find_own_tag(x))
        return false;
    enum registry_answer answer =
        registry_node(x->service->registry, x->tag.id, x->route.path, x->arena, &x->node, &err);
    if (answer == REGISTRY_ABSENT)
        return deny(x, 404, "not-found",
                    "Not found: the directory above was not uploaded, or does not name this node");
    if (!check_answer(x, answer, &err))
        return false;
    if (x->node.is_there)
        return deny(x, 409, "exists", "Already exists");
    if (!check_announced(x))
        return false;
    unsigned algorithms =
        digest_set_algorithms(&x->digests) | digest_set_algorithms(&x->node.entry.digests);
    if (!blob_upload_begin(registry_blobs(x->service->registry), algorithms, &x->upload, &err))
        return deny_failed(x, &err);
    x->is_upload = true;
    return true;
}

static bool begin_delete(struct exchange *x)
{
    if (!caller_read(x))
        return false;
    return x->route.endpoint == ENDPOINT_TAG
               ? caller_owns(x, SCOPE_WRITE, SCOPE_TAGS) && find_own_tag(x)
               : caller_owns(x, SCOPE_WRITE, SCOPE_REPOSITORIES) && find_repo(x);
}

/* ---- after the body ---- */

static bool take_body(struct exchange *x, struct bytes *out)
{
    struct digest_set set;
    struct err err;

    if (!writer_done(&x->body, out, &err) ||
        !digest_compute(*out, (1u << DIGEST_ALGORITHMS) - 1, &set, &err))
        return deny_failed(x, &err);
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        if (x->digests.of[i].size != 0 && !digest_equal(&x->digests.of[i], &set.of[i]))
            return deny(x, 400, "digest-mismatch", "Content digest mismatch");
    }
    return true;
}

/* The body as a JSON object, for json_delete; NULL, and a denial, when it is none. */
static json_t *take_json(struct exchange *x, struct bytes *body)
{
    json_t *root = NULL;

    if (!take_body(x, body))
        return NULL;
    root = json_loadb((const char *)body->data, body->size, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL)
        (void)malformed(x, "the body is no JSON");
    return root;
}

/* The shape of a record: an object with these members and no others. */
static bool has_only(const json_t *root, const char *const *names, size_t count)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        found += json_object_get(root, names[i]) != NULL;
    return json_is_object(root) && json_object_size(root) == found;
}

static bool wrong_shape(struct exchange *x, const char *message)
{
    return deny(x, 422, "wrong-shape", message);
}

static bool created(struct http_response *response)
{
    response->status = 201;
    return true;
}

static bool put_user(struct exchange *x, struct http_response *response)
{
    static const char *const names[] = {"subject"};
    struct registry_user user;
    struct err err;
    json_t *root = take_json(x, &user.content);

    if (root == NULL)
        return false;
    const char *text = json_string_value(json_object_get(root, "subject"));
    bool ok = (has_only(root, names, 1) && text != NULL && *text != '\0' &&
               strlen(text) <= SUBJECT_MAX) ||
              wrong_shape(x, "a user is {\"subject\":\"…\"} and nothing else");
    user.subject = text != NULL ? bytes_of(text) : (struct bytes){.size = 0};
    ok = ok && caller_is_subject(x, user.subject) &&
         check_answer(
             x, registry_add_user(x->service->registry, x->route.user, &user, x->now, &err), &err);
    json_delete(root);
    return ok && created(response);
}

/* {"public":true}; the same for a new repository and for one that changes. */
static bool take_visibility(struct exchange *x, bool *out)
{
    static const char *const names[] = {"public"};
    struct bytes body;
    json_t *root = take_json(x, &body);

    if (root == NULL)
        return false;
    const json_t *value = json_object_get(root, "public");
    bool ok = (has_only(root, names, 1) && json_is_boolean(value)) ||
              wrong_shape(x, "a repository is {\"public\":true} or {\"public\":false}");
    *out = json_is_true(value);
    json_delete(root);
    return ok;
}

static bool put_repo(struct exchange *x, struct http_response *response)
{
    bool is_public;
    struct err err;

    return take_visibility(x, &is_public) &&
           check_answer(x,
                        registry_add_repo(x->service->registry, x->route.user, x->route.repo,
                                          is_public, x->now, &err),
                        &err) &&
           created(response);
}

static bool patch_repo(struct exchange *x, struct http_response *response)
{
    bool is_public;
    struct err err;

    response->status = 204;
    if (!take_visibility(x, &is_public) || !find_repo(x))
        return false;
    bool ok = registry_set_public(x->service->registry, x->repo.id, is_public, &err) ||
              deny_failed(x, &err);
    recall_forget(x->service->recall); /* whatever was done of it */
    return ok;
}

static bool put_tag(struct exchange *x, struct http_response *response)
{
    struct writer digests = writer_growable(x->arena, HEADER_MAX);
    struct registry_tag tag = {.name = x->route.tag, .type = bytes_of(x->type), .created = x->now};
    struct tag parsed;
    struct err err;

    if (!take_body(x, &tag.content))
        return false;
    if (!tag_parse(tag.content, x->arena, &parsed, &err))
        return err.code == ERR_MEMORY ? deny_failed(x, &err) : malformed(x, err.msg);
    if (parsed.is_signed != is_type(x, MEDIA_JOSE))
        return malformed(x, "the tag's content is not of its Content-Type");
    content_digest_write(&digests, &x->digests);
    if (!writer_done(&digests, &tag.digests, &err))
        return deny_failed(x, &err);
    return find_repo(x) &&
           check_answer(
               x, registry_add_tag(x->service->registry, x->repo.id, &tag, &parsed.root, &err),
               &err) &&
           created(response);
}

/* What came must be what was announced, and what the entry says. */
static bool check_upload(struct exchange *x, const struct digest_set *digests)
{
    struct err err;

    if (!entry_check(&x->node.entry, x->upload.hasher.size, digests, &err))
        return deny(x, 400, "digest-mismatch", "Content digest mismatch");
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        if (x->digests.of[i].size != 0 && !digest_equal(&x->digests.of[i], &digests->of[i]))
            return deny(x, 400, "digest-mismatch", "Content digest mismatch");
    }
    return true;
}

/* The entries of a directory; each path must be one that can be asked for. */
static bool read_directory(struct exchange *x, struct arena *arena, struct directory *out)
{
    unsigned depth = x->route.path.size != 0;
    struct bytes json;
    struct err err;

    if (!blob_upload_read(&x->upload, arena, &json, &err))
        return deny_failed(x, &err);
    if (!directory_parse(json, arena, out, &err))
        return err.code == ERR_MEMORY ? deny_failed(x, &err) : malformed(x, err.msg);
    for (size_t i = 0; i < x->route.path.size; i++)
        depth += x->route.path.data[i] == '/';
    if (depth >= ENTRY_DEPTH_MAX && out->count != 0)
        return malformed(x, "the tree is deeper than 64 names");
    for (size_t i = 0; i < out->count; i++) {
        if (x->route.path.size + 1 + out->items[i].name.size > ENTRY_PATH_MAX)
            return malformed(x, "the tree has a path longer than 4096 bytes");
    }
    return true;
}

static bool keep_node(struct exchange *x, const struct blob_hash *hash,
                      const struct directory *directory)
{
    uint64_t missing;
    struct err err;

    return check_answer(x,
                        registry_put_node(x->service->registry, x->tag.id, x->route.path,
                                          &x->upload, hash, directory, x->now, &missing, &err),
                        &err);
}

/* Read, a directory takes twenty times its size: so one at a time. They have to wait for each other
 * at the database anyway. */
static bool keep_directory(struct exchange *x, const struct blob_hash *hash)
{
    struct directory directory;
    struct arena arena;

    arena_init(&arena, arena_heap, DIRECTORY_ARENA_MAX);
    (void)pthread_mutex_lock(&x->service->directory_lock);
    bool ok = read_directory(x, &arena, &directory) && keep_node(x, hash, &directory);
    arena_done(&arena);
    if (x->length > DIRECTORY_LARGE)
        (void)malloc_trim(0);
    (void)pthread_mutex_unlock(&x->service->directory_lock);
    return ok;
}

static bool put_node(struct exchange *x, struct http_response *response)
{
    struct digest_set digests;
    struct blob_hash hash;
    struct err err;

    if (!blob_upload_finish(&x->upload, &digests, &err))
        return deny_failed(x, &err);
    if (!check_upload(x, &digests))
        return false;
    memcpy(hash.bytes, digests.of[DIGEST_SHA256].bytes, sizeof hash.bytes);
    return (entry_is_directory(&x->node.entry) ? keep_directory(x, &hash)
                                               : keep_node(x, &hash, NULL)) &&
           created(response);
}

static bool put_yank(struct exchange *x, struct http_response *response)
{
    static const char *const names[] = {"yanked", "reason"};
    struct bytes body;
    struct err err;
    json_t *root = take_json(x, &body);

    if (root == NULL)
        return false;
    const json_t *yanked = json_object_get(root, "yanked");
    const json_t *reason = json_object_get(root, "reason");
    bool ok = (has_only(root, names, 2) && json_is_boolean(yanked) &&
               (reason == NULL ||
                (json_is_string(reason) && json_string_length(reason) <= REASON_MAX))) ||
              wrong_shape(x, "a mark is {\"yanked\":true,\"reason\":\"…\"}");
    const char *text = json_is_string(reason) ? json_string_value(reason) : "";
    ok = ok && (registry_yank(x->service->registry, x->tag.id, json_is_true(yanked), bytes_of(text),
                              &err) ||
                deny_failed(x, &err));
    recall_forget(x->service->recall); /* whatever was done of it */
    json_delete(root);
    response->status = 204;
    return ok;
}

static bool read_steward(struct exchange *x, const json_t *root, struct registry_steward *out)
{
    static const char *const names[] = {"ca", "simulated", "technology"};
    const json_t *simulated = json_object_get(root, "simulated");
    const json_t *technologies = json_object_get(root, "technology");
    const char *ca = json_string_value(json_object_get(root, "ca"));
    struct trust trust;
    struct err err;

    if (!has_only(root, names, 3) || ca == NULL ||
        (simulated != NULL && !json_is_boolean(simulated)) ||
        (technologies != NULL && !json_is_array(technologies)))
        return wrong_shape(
            x, "a Steward is {\"ca\":PEM,\"simulated\":false,\"technology\":[\"snp\"]}");
    *out = (struct registry_steward){
        .name = x->route.path, .ca = bytes_of(ca), .is_simulated = json_is_true(simulated)};
    for (size_t i = 0; i < json_array_size(technologies); i++) {
        const char *name = json_string_value(json_array_get(technologies, i));
        if (name == NULL || !technology_add(bytes_of(name), &out->technologies))
            return wrong_shape(x, "technology has any of \"snp\", \"sgx\", \"tdx\"");
    }
    if (!trust_make(out->ca, (struct bytes){.size = 0}, &trust, &err))
        return wrong_shape(x, err.msg);
    trust_done(&trust);
    return true;
}

static bool put_steward(struct exchange *x, struct http_response *response)
{
    struct registry_steward steward;
    struct bytes body;
    struct err err;
    json_t *root = take_json(x, &body);

    if (root == NULL)
        return false;
    bool ok = read_steward(x, root, &steward) && find_repo(x) &&
              (registry_put_steward(x->service->registry, x->repo.id, &steward, &err) ||
               deny_failed(x, &err));
    json_delete(root);
    response->status = 204;
    return ok;
}

static bool delete_tag(struct exchange *x, struct http_response *response)
{
    struct err err;

    response->status = 204;
    enum registry_answer answer = registry_delete_tag(x->service->registry, x->tag.id, &err);
    if (answer == REGISTRY_EXISTS)
        return deny(x, 409, "published",
                    "a published tag stays; mark it with _yank if nobody is to use it");
    return check_answer(x, answer, &err);
}

static bool delete_steward(struct exchange *x, struct http_response *response)
{
    struct err err;

    response->status = 204;
    return check_answer(
        x, registry_delete_steward(x->service->registry, x->repo.id, x->route.path, &err), &err);
}

/* ---- what there is ---- */

static const struct writing {
    enum endpoint endpoint;
    const char *method;
    bool (*begin)(struct exchange *x);
    bool (*end)(struct exchange *x, struct http_response *response);
} writings[] = {
    {ENDPOINT_USER, "PUT", begin_user, put_user},
    {ENDPOINT_REPO, "PUT", begin_for_repo, put_repo},
    {ENDPOINT_REPO, "PATCH", begin_for_repo, patch_repo},
    {ENDPOINT_TAG, "PUT", begin_tag, put_tag},
    {ENDPOINT_TAG, "DELETE", begin_delete, delete_tag},
    {ENDPOINT_NODE, "PUT", begin_node, put_node},
    {ENDPOINT_YANK, "PUT", begin_for_tag, put_yank},
    {ENDPOINT_STEWARD, "PUT", begin_for_repo, put_steward},
    {ENDPOINT_STEWARD, "DELETE", begin_delete, delete_steward},
};

static const struct writing *find_writing(const struct exchange *x)
{
    for (size_t i = 0; i < COUNT_OF(writings); i++) {
        if (writings[i].endpoint == x->route.endpoint &&
            strcmp(writings[i].method, x->request->method) == 0)
            return &writings[i];
    }
    return NULL;
}

bool write_begin(struct exchange *x)
{
    const struct writing *writing = find_writing(x);

    if (writing == NULL)
        return deny(x, 405, "method-not-allowed", "Method not allowed for this endpoint");
    return writing->begin(x);
}

bool write_end(struct exchange *x, struct http_response *response)
{
    const struct writing *writing = find_writing(x);

    if (x->received != x->length && strcmp(x->request->method, "DELETE") != 0)
        return malformed(x, "the body ended early");
    return writing != NULL && writing->end(x, response);
}
