#include "drawbridge/route.h"

#include "package/entry.h"
#include "package/slug.h"
#include "base/banned.h"

/* The newest version whose requests are understood, and the only ones before it. */
#define VERSION_MAJOR 0u
#define VERSION_MINOR 4u

static bool fail(struct route_fault *fault, unsigned status, const char *message)
{
    *fault = (struct route_fault){.status = status, .message = message};
    return false;
}

/* Takes the part before the next '/', and that; what is left. */
static struct bytes take_segment(struct bytes *rest)
{
    const uint8_t *slash = rest->size != 0 ? memchr(rest->data, '/', rest->size) : NULL;
    struct bytes segment =
        slash != NULL ? bytes_before(*rest, (size_t)(slash - rest->data)) : *rest;

    *rest = slash != NULL ? bytes_after(*rest, segment.size + 1) : (struct bytes){.size = 0};
    return segment;
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(struct bytes name, bool with_hyphen)
{
    for (size_t i = 0; i < name.size; i++) {
        if (!is_alphanumeric(name.data[i]) && !(with_hyphen && name.data[i] == '-'))
            return false;
    }
    return name.size != 0 && name.size <= ROUTE_NAME_MAX;
}

/* A number of a version that is valid, up to the next dot; large ones are all alike. */
static unsigned take_number(struct bytes *rest)
{
    unsigned number = 0;

    while (rest->size != 0 && rest->data[0] >= '0' && rest->data[0] <= '9') {
        if (number < 100000)
            number = number * 10 + (rest->data[0] - '0');
        *rest = bytes_after(*rest, 1);
    }
    *rest = bytes_after(*rest, 1);
    return number;
}

static bool check_version(struct bytes text, struct route_fault *fault)
{
    struct bytes rest = text;

    if (!slug_tag_is_valid(text))
        return fail(fault, 400, "the API's version is no version as semver.org has it");
    unsigned major = take_number(&rest), minor = take_number(&rest);
    if (major > VERSION_MAJOR || minor > VERSION_MINOR)
        return fail(fault, 501, "Unsupported API version: this server has 0.4");
    return true;
}

static bool check_path(struct bytes path, struct route_fault *fault)
{
    unsigned depth = 0;

    if (path.size > ENTRY_PATH_MAX)
        return fail(fault, 400, "Failed to parse tree path: it is longer than 4096 bytes");
    while (path.size != 0) {
        size_t before = path.size;
        struct bytes name = take_segment(&path);
        bool ends_in_slash = path.size == 0 && name.size + 1 == before;
        if (!entry_name_is_valid(name) || ends_in_slash)
            return fail(fault, 400,
                        "Failed to parse tree path: names have letters, digits and _.:-");
        if (++depth > ENTRY_DEPTH_MAX)
            return fail(fault, 400, "Failed to parse tree path: it is deeper than 64 names");
    }
    return true;
}

/* What follows a tag's name. */
static bool parse_tag_rest(struct bytes rest, struct route *route, struct route_fault *fault)
{
    struct bytes word = take_segment(&rest);

    if (bytes_is(word, "tree")) {
        route->endpoint = ENDPOINT_NODE;
        route->path = rest;
        return check_path(rest, fault);
    }
    if (rest.size == 0 && bytes_is(word, "_yank"))
        route->endpoint = ENDPOINT_YANK;
    else if (rest.size == 0 && bytes_is(word, "_missing"))
        route->endpoint = ENDPOINT_MISSING;
    else
        return fail(fault, 404, "Route not found on tag");
    return true;
}

/* What follows a repository's name. */
static bool parse_repo_rest(struct bytes rest, struct route *route, struct route_fault *fault)
{
    struct bytes word = take_segment(&rest);

    if (bytes_is(word, "_steward")) {
        route->endpoint = rest.size == 0 ? ENDPOINT_STEWARDS : ENDPOINT_STEWARD;
        route->path = rest;
        return rest.size == 0 || is_name(rest, true) ||
               fail(fault, 400, "a Steward's name has letters, digits and '-'");
    }
    if (!bytes_is(word, "_tag"))
        return fail(fault, 404, "Route not found on repository");
    if (rest.size == 0) {
        route->endpoint = ENDPOINT_TAGS;
        return true;
    }
    route->endpoint = ENDPOINT_TAG;
    route->tag = take_segment(&rest);
    if (!slug_tag_is_valid(route->tag) || route->tag.size > ROUTE_NAME_MAX)
        return fail(fault, 400, "Failed to parse tag name: it is no version such as 1.0.0");
    return rest.size == 0 || parse_tag_rest(rest, route, fault);
}

bool route_parse(struct bytes path, struct route *out, struct route_fault *fault)
{
    struct bytes prefix = bytes_of("/api/v"), rest = bytes_after(path, prefix.size);

    *out = (struct route){.endpoint = ENDPOINT_HEALTH};
    if (bytes_is(path, "/health"))
        return true;
    if (!bytes_starts_with(path, prefix))
        return fail(fault, 404, "Route not found: paths begin with /api/vVERSION/");
    if (!check_version(take_segment(&rest), fault))
        return false;
    while (rest.size != 0 && rest.data[0] == '/')
        rest = bytes_after(rest, 1);
    if (bytes_is(rest, "_users") || bytes_is(rest, "_repositories")) {
        out->endpoint = bytes_is(rest, "_users") ? ENDPOINT_USERS : ENDPOINT_REPOS;
        return true;
    }
    out->endpoint = ENDPOINT_USER;
    out->user = take_segment(&rest);
    if (!is_name(out->user, false))
        return fail(fault, 400, "Failed to parse user name: it has letters and digits");
    if (rest.size == 0)
        return true;
    out->endpoint = ENDPOINT_REPO;
    out->repo = take_segment(&rest);
    if (!is_name(out->repo, true))
        return fail(fault, 400, "Failed to parse repository name: it has letters, digits and '-'");
    return rest.size == 0 || parse_repo_rest(rest, out, fault);
}

/* ---- headers ---- */

/* Digits, at most 18; false: none, or too many. */
static bool take_digits(const char **at, uint64_t *out)
{
    const char *begin = *at;

    for (*out = 0; **at >= '0' && **at <= '9'; ++*at) {
        if (*at - begin == 18)
            return false;
        *out = *out * 10 + (uint64_t)(**at - '0');
    }
    return *at != begin;
}

enum range_kind range_parse(const char *header, uint64_t size, uint64_t *first, uint64_t *count)
{
    uint64_t from = 0, to = 0;

    if (header == NULL || strncmp(header, "bytes=", 6) != 0)
        return RANGE_NONE;
    const char *at = header + 6;
    bool has_from = take_digits(&at, &from);
    if ((!has_from && at != header + 6) || *at++ != '-')
        return RANGE_NONE;
    const char *second = at;
    bool has_to = take_digits(&at, &to);
    if (*at != '\0' || (!has_to && at != second) || (!has_from && !has_to) ||
        (has_from && has_to && to < from))
        return RANGE_NONE;
    if (!has_from) { /* the last so many bytes */
        if (to == 0 || size == 0)
            return RANGE_UNSATISFIABLE;
        *count = to < size ? to : size;
        *first = size - *count;
        return RANGE_PART;
    }
    if (from >= size)
        return RANGE_UNSATISFIABLE;
    *first = from;
    *count = (has_to && to < size - 1 ? to : size - 1) - from + 1;
    return RANGE_PART;
}

bool etag_is_listed(const char *header, const char *etag)
{
    size_t size = strlen(etag);

    if (header == NULL)
        return false;
    if (strcmp(header, "*") == 0)
        return true;
    for (;;) {
        header += strspn(header, " \t,");
        if (*header == '\0')
            return false;
        if (strncmp(header, "W/", 2) == 0)
            header += 2;
        size_t length = strcspn(header, ",");
        while (length != 0 && (header[length - 1] == ' ' || header[length - 1] == '\t'))
            length--;
        if (length == size && memcmp(header, etag, size) == 0)
            return true;
        header += strcspn(header, ",");
    }
}
