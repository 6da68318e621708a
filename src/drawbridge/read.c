/* What is read: records, lists, tags, nodes. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "drawbridge/service_internal.h"
#include "drawbridge/technology.h"
#include "os/os.h"
#include "base/banned.h"

#define ANSWER_MAX ((size_t)8 << 20)
#define HEADER_MAX 1024
#define PAGE_DEFAULT 1000u
#define PAGE_MAX 10000u
#define ALL_ALGORITHMS ((1u << DIGEST_ALGORITHMS) - 1)

/* ---- finding ---- */

bool find_repo(struct exchange *x)
{
    struct err err;

    enum registry_answer answer =
        registry_repo(x->service->registry, x->route.user, x->route.repo, &x->repo, &err);
    if (answer == REGISTRY_ABSENT)
        return deny(x, 404, "not-found", "Repository does not exist");
    return check_answer(x, answer, &err);
}

/* Whether the caller is the owner, or publishes for it; nothing is denied. */
static bool is_owner(struct exchange *x)
{
    bool is = x->caller.has_token && (caller_owns(x, SCOPE_READ, SCOPE_REPOSITORIES) ||
                                      caller_owns(x, SCOPE_READ, SCOPE_TAGS));

    x->denial = (struct denial){.status = 0};
    return is;
}

static bool get_tag(struct exchange *x)
{
    struct err err;

    return check_answer(
        x, registry_tag(x->service->registry, x->repo.id, x->route.tag, x->arena, &x->tag, &err),
        &err);
}

bool find_own_tag(struct exchange *x)
{
    return find_repo(x) && get_tag(x);
}

bool find_tag(struct exchange *x, bool is_tree)
{
    if (!find_repo(x) || !caller_reads(x, is_tree) || !get_tag(x))
        return false;
    /* it can still go, and come back as another: nobody is to rely on it */
    return x->tag.missing == 0 || is_owner(x) || deny(x, 404, "not-found", "Not found");
}

/* ---- answers ---- */

/* A header's value of what was written; NULL, and a denial: no memory. */
static const char *header_text(struct exchange *x, struct writer *w)
{
    struct bytes text;
    struct err err;

    writer_u8(w, '\0');
    if (!writer_done(w, &text, &err)) {
        (void)deny_failed(x, &err);
        return NULL;
    }
    return (const char *)text.data;
}

static bool add_header(struct exchange *x, struct http_response *response, const char *name,
                       struct writer *w)
{
    const char *value = header_text(x, w);

    if (value != NULL)
        http_response_header(response, name, value);
    return value != NULL;
}

/* Whether the client has it already, by its entity tag, which is a digest. */
static bool add_etag(struct exchange *x, struct http_response *response, struct bytes hash,
                     bool *is_known, const char **out)
{
    struct writer w = writer_growable(x->arena, HEADER_MAX);

    writer_text(&w, "\"");
    writer_hex(&w, hash);
    writer_text(&w, "\"");
    const char *etag = header_text(x, &w);
    if (etag == NULL)
        return false;
    http_response_header(response, "ETag", etag);
    *is_known = etag_is_listed(http_request_list(x->request, "If-None-Match"), etag);
    *out = etag;
    return true;
}

/* Content in memory, with its digests. */
static bool answer_content(struct exchange *x, struct http_response *response, struct bytes content,
                           const char *type, struct bytes digests)
{
    struct writer w = writer_growable(x->arena, HEADER_MAX);
    struct digest_set set;
    bool is_known = false;
    const char *etag;
    struct err err;

    if (!digest_compute(content, digests.size != 0 ? 1u << DIGEST_SHA256 : ALL_ALGORITHMS, &set,
                        &err))
        return deny_failed(x, &err);
    if (digests.size != 0)
        writer_bytes(&w, digests);
    else
        content_digest_write(&w, &set);
    if (!add_header(x, response, "Content-Digest", &w) ||
        !add_etag(x, response, bytes_from(set.of[DIGEST_SHA256].bytes, 32), &is_known, &etag))
        return false;
    response->status = is_known ? 304 : 200;
    response->content_type = type;
    if (!is_known)
        response->body = content;
    return true;
}

static bool answer_json(struct exchange *x, struct http_response *response, const struct writer *w)
{
    struct bytes json;
    struct err err;

    return (writer_done(w, &json, &err) || deny_failed(x, &err)) &&
           answer_content(x, response, json, "application/json", (struct bytes){.size = 0});
}

/* ---- records ---- */

bool read_user(struct exchange *x, struct http_response *response)
{
    struct registry_user user;
    struct err err;

    return caller_owns(x, SCOPE_READ, SCOPE_USERS) &&
           check_answer(x,
                        registry_user(x->service->registry, x->route.user, x->arena, &user, &err),
                        &err) &&
           answer_content(x, response, user.content, "application/json", (struct bytes){.size = 0});
}

bool read_repo(struct exchange *x, struct http_response *response)
{
    struct writer w = writer_growable(x->arena, ANSWER_MAX);

    if (!caller_owns(x, SCOPE_READ, SCOPE_REPOSITORIES) || !find_repo(x))
        return false;
    writer_format(&w, "{\"public\":%s}", x->repo.is_public ? "true" : "false");
    return answer_json(x, response, &w);
}

/* ---- lists ---- */

static struct bytes parameter(struct exchange *x, const char *name)
{
    const char *text = http_request_parameter(x->request, name);

    return text != NULL ? bytes_of(text) : (struct bytes){.size = 0};
}

static bool read_page(struct exchange *x, struct registry_page *out)
{
    struct bytes limit = parameter(x, "limit");
    uint32_t number = 0;

    *out = (struct registry_page){
        .search = parameter(x, "search"), .after = parameter(x, "after"), .limit = PAGE_DEFAULT};
    if (limit.size == 0)
        return true;
    for (size_t i = 0; i < limit.size; i++) {
        if (limit.data[i] < '0' || limit.data[i] > '9' || number > PAGE_MAX)
            return deny(x, 400, "malformed", "limit is a number up to 10000");
        number = number * 10 + (uint32_t)(limit.data[i] - '0');
    }
    out->limit = number;
    return (number != 0 && number <= PAGE_MAX) ||
           deny(x, 400, "malformed", "limit is a number from 1 to 10000");
}

static bool answer_names(struct exchange *x, struct http_response *response,
                         const struct registry_names *names)
{
    struct writer w = writer_growable(x->arena, ANSWER_MAX);

    writer_text(&w, "[");
    for (size_t i = 0; i < names->count; i++) {
        writer_text(&w, i != 0 ? "," : "");
        writer_json(&w, names->items[i]);
    }
    writer_text(&w, "]");
    return answer_json(x, response, &w);
}

bool read_users(struct exchange *x, struct http_response *response)
{
    struct registry_names names;
    struct registry_page page;
    struct err err;

    return read_page(x, &page) &&
           (registry_users(x->service->registry, &page, x->arena, &names, &err) ||
            deny_failed(x, &err)) &&
           answer_names(x, response, &names);
}

bool read_repos(struct exchange *x, struct http_response *response)
{
    struct bytes owner = parameter(x, "user"); /* whose private ones are listed too */
    struct registry_names names;
    struct registry_page page;
    struct err err;

    x->route.user = owner;
    if (!read_page(x, &page) ||
        (owner.size != 0 && !caller_owns(x, SCOPE_READ, SCOPE_REPOSITORIES)))
        return false;
    return (registry_repos(x->service->registry, &page, owner, x->arena, &names, &err) ||
            deny_failed(x, &err)) &&
           answer_names(x, response, &names);
}

static void write_details(struct writer *w, const struct registry_tag *tag)
{
    char created[RFC3339_SIZE];

    rfc3339_format(tag->created * 1000, created);
    writer_text(w, "{\"tag\":");
    writer_json(w, tag->name);
    writer_format(w, ",\"state\":\"%s\",\"created\":\"%s\"",
                  tag->missing != 0 ? "pending"
                  : tag->is_yanked  ? "yanked"
                                    : "published",
                  created);
    if (tag->is_yanked) {
        writer_text(w, ",\"reason\":");
        writer_json(w, tag->reason);
    }
    writer_text(w, "}");
}

/* Whether a tag is in the list: of those that are not whole only the owner hears. */
static bool is_listed(const struct registry_tag *tag, struct bytes search, bool with_pending)
{
    return (tag->missing == 0 || with_pending) &&
           (search.size == 0 ||
            memmem(tag->name.data, tag->name.size, search.data, search.size) != NULL);
}

bool read_tags(struct exchange *x, struct http_response *response)
{
    struct writer w = writer_growable(x->arena, ANSWER_MAX);
    struct bytes search = parameter(x, "search");
    bool with_details = bytes_is(parameter(x, "details"), "true");
    const struct registry_tag *tags;
    const char *separator = "";
    size_t count;
    struct err err;

    if (!find_repo(x) || !caller_reads(x, false))
        return false;
    if (!registry_tags(x->service->registry, x->repo.id, x->arena, &tags, &count, &err))
        return deny_failed(x, &err);
    bool with_pending = is_owner(x);
    writer_text(&w, "[");
    for (size_t i = 0; i < count; i++) {
        if (!is_listed(&tags[i], search, with_pending))
            continue;
        writer_text(&w, separator);
        separator = ",";
        if (with_details)
            write_details(&w, &tags[i]);
        else
            writer_json(&w, tags[i].name);
    }
    writer_text(&w, "]");
    return answer_json(x, response, &w);
}

bool read_missing(struct exchange *x, struct http_response *response)
{
    struct registry_names names;
    struct err err;

    return caller_owns(x, SCOPE_READ, SCOPE_TAGS) && find_own_tag(x) &&
           (registry_missing(x->service->registry, x->tag.id, x->arena, &names, &err) ||
            deny_failed(x, &err)) &&
           answer_names(x, response, &names);
}

bool read_stewards(struct exchange *x, struct http_response *response)
{
    struct writer w = writer_growable(x->arena, ANSWER_MAX);
    const struct registry_steward *list;
    size_t count;
    struct err err;

    if (!caller_owns(x, SCOPE_READ, SCOPE_REPOSITORIES) || !find_repo(x))
        return false;
    if (!registry_stewards(x->service->registry, x->repo.id, x->arena, &list, &count, &err))
        return deny_failed(x, &err);
    writer_text(&w, "[");
    for (size_t i = 0; i < count; i++) {
        const char *separator = "";
        writer_text(&w, i != 0 ? ",{\"name\":" : "{\"name\":");
        writer_json(&w, list[i].name);
        writer_format(&w, ",\"simulated\":%s,\"technology\":[",
                      list[i].is_simulated ? "true" : "false");
        for (unsigned t = IDENTITY_SNP; t <= IDENTITY_TDX; t++) {
            if ((list[i].technologies >> t & 1) == 0)
                continue;
            writer_format(&w, "%s\"%s\"", separator, technology_name((enum identity_technology)t));
            separator = ",";
        }
        writer_text(&w, "],\"ca\":");
        writer_json(&w, list[i].ca);
        writer_text(&w, "}");
    }
    writer_text(&w, "]");
    return answer_json(x, response, &w);
}

/* ---- tags and nodes ---- */

static bool add_mark(struct exchange *x, struct http_response *response)
{
    struct writer w = writer_growable(x->arena, HEADER_MAX);

    if (!x->tag.is_yanked)
        return true;
    writer_text(&w, "yanked"); /* the list has the reason, which is anybody's text */
    return add_header(x, response, "Broch-State", &w);
}

/* Bytes as a string, in the arena; NULL, and a denial: no memory. */
static const char *to_string(struct exchange *x, struct bytes text)
{
    struct writer w = writer_growable(x->arena, HEADER_MAX);

    writer_bytes(&w, text);
    return header_text(x, &w);
}

/* Whether what is read of the tag is for everybody, and stays. */
static bool is_lasting(const struct exchange *x)
{
    return x->repo.is_public && x->tag.missing == 0;
}

bool read_tag(struct exchange *x, struct http_response *response)
{
    if (!find_tag(x, false))
        return false;
    x->is_lasting = is_lasting(x);
    const char *type = to_string(x, x->tag.type);
    return type != NULL && add_mark(x, response) &&
           answer_content(x, response, x->tag.content, type, x->tag.digests);
}

struct sending {
    int fd;
    uint64_t first;
};

static int64_t send_part(void *context, uint64_t at, void *out, size_t room)
{
    const struct sending *s = context;

    return pread(s->fd, out, room, (off_t)(s->first + at));
}

static void sent(void *context)
{
    os_closep(&((struct sending *)context)->fd);
}

/* A file that is small enough to be remembered. */
static bool read_small(struct exchange *x, struct http_response *response, const struct sending *s,
                       size_t size)
{
    uint8_t *content = arena_alloc(x->arena, size, 1);
    struct err err = {.code = ERR_MEMORY, .msg = "no memory", .at = ERR_NO_AT};

    if (content == NULL)
        return deny_failed(x, &err);
    if (pread(s->fd, content, size, 0) != (ssize_t)size) {
        (void)err_set(&err, ERR_IO, "cannot read a blob", (uint64_t)errno);
        return deny_failed(x, &err);
    }
    response->body = bytes_from(content, size);
    return true;
}

/* The part that is asked for, if it is one of what is here: RFC 9110 §13.1.5. */
static const char *wanted_range(const struct exchange *x, const char *etag)
{
    const char *condition = http_request_header(x->request, "If-Range");

    if (http_request_has(x->request, "If-Range") &&
        (condition == NULL || strcmp(condition, etag) != 0))
        return NULL;
    return http_request_header(x->request, "Range");
}

/* All of a file, or the part that was asked for. */
static bool answer_file(struct exchange *x, struct http_response *response, struct sending *s,
                        uint64_t size, const char *etag)
{
    struct writer digests = writer_growable(x->arena, HEADER_MAX);
    struct writer range = writer_growable(x->arena, HEADER_MAX);
    uint64_t count = size;

    enum range_kind kind = range_parse(wanted_range(x, etag), size, &s->first, &count);
    if (kind == RANGE_UNSATISFIABLE) {
        writer_format(&range, "bytes */%llu", (unsigned long long)size);
        response->status = 416;
        response->header_count = 0;
        return add_header(x, response, "Content-Range", &range);
    }
    /* a part has another digest than the whole, whose own header is RFC 9530's Repr-Digest */
    writer_bytes(&digests, x->node.digests);
    if (!add_header(x, response, kind == RANGE_PART ? "Repr-Digest" : "Content-Digest", &digests))
        return false;
    if (kind == RANGE_PART) {
        writer_format(&range, "bytes %llu-%llu/%llu", (unsigned long long)s->first,
                      (unsigned long long)(s->first + count - 1), (unsigned long long)size);
        if (!add_header(x, response, "Content-Range", &range))
            return false;
    }
    response->status = kind == RANGE_PART ? 206 : 200;
    if (size <= RECALL_BODY_MAX && kind == RANGE_NONE)
        return read_small(x, response, s, (size_t)size);
    if (count == 0)
        return true; /* an empty part */
    response->size = count;
    response->read = send_part;
    return true;
}

bool read_node(struct exchange *x, struct http_response *response)
{
    struct sending *s = ARENA_NEW(x->arena, struct sending);
    bool is_known = false;
    const char *etag;
    uint64_t size;
    struct err err = {.code = ERR_MEMORY, .msg = "no memory"};

    if (!find_tag(x, true) || !check_answer(x,
                                            registry_node(x->service->registry, x->tag.id,
                                                          x->route.path, x->arena, &x->node, &err),
                                            &err))
        return false;
    if (!x->node.is_there)
        return deny(x, 404, "not-found", "Not found");
    x->is_lasting = is_lasting(x);
    const char *type = to_string(x, x->node.entry.type);
    if (s == NULL || type == NULL || !add_mark(x, response) ||
        !add_etag(x, response, bytes_from(x->node.hash.bytes, BLOB_HASH_SIZE), &is_known, &etag))
        return x->denial.status != 0 ? false : deny_failed(x, &err);
    response->content_type = type;
    http_response_header(response, "Accept-Ranges", "bytes");
    /* nobody's browser is to run what somebody published */
    http_response_header(response, "Content-Security-Policy", "sandbox");
    if (is_known) {
        response->status = 304;
        return true;
    }
    if (!blob_open(registry_blobs(x->service->registry), &x->node.hash, &s->fd, &size, &err))
        return deny_failed(x, &err);
    if (!answer_file(x, response, s, size, etag) || response->read == NULL) {
        os_closep(&s->fd);
        return x->denial.status == 0;
    }
    response->done = sent;
    response->context = s;
    return true;
}
