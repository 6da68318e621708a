/* Names of packages: DESIGN.md §3, and the rules of Enarx's registry for users, repositories and
 * tags (tags: semver.org 2.0.0). Input is untrusted. */
#include "package/slug.h"

#include "package/host.h"
#include "base/banned.h"

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(uint8_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What the walk over a slug needs: `whole` to count offsets from. */
struct slug_parser {
    struct bytes whole;
    struct arena *arena;
    struct err *err;
};

static bool fail_at(const struct slug_parser *p, const uint8_t *at, const char *msg)
{
    return err_set(p->err, ERR_FORMAT, msg, (uint64_t)(at - p->whole.data));
}

/* The bytes up to the first `mark`; all of them when there is none. */
static struct bytes up_to(struct bytes text, uint8_t mark)
{
    const uint8_t *found = text.size != 0 ? memchr(text.data, mark, text.size) : NULL;
    return found != NULL ? bytes_before(text, (size_t)(found - text.data)) : text;
}

static bool check_name(const struct slug_parser *p, struct bytes name, bool with_hyphen,
                       const char *empty, const char *wrong)
{
    if (name.size == 0)
        return fail_at(p, name.data, empty);
    for (size_t i = 0; i < name.size; i++) {
        if (!is_alphanumeric(name.data[i]) && !(with_hyphen && name.data[i] == '-'))
            return fail_at(p, name.data + i, wrong);
    }
    return true;
}

/* One identifier of a version: no empty one, no number with a leading zero unless `any`. */
static bool is_identifier(struct bytes id, bool only_number, bool any)
{
    bool number = true;

    for (size_t i = 0; i < id.size; i++) {
        if (!is_alphanumeric(id.data[i]) && id.data[i] != '-')
            return false;
        number = number && is_digit(id.data[i]);
    }
    if (id.size == 0 || (only_number && !number))
        return false;
    return any || !number || id.size == 1 || id.data[0] != '0';
}

/* Identifiers with dots between; how many, or 0 when one is wrong. */
static size_t count_identifiers(struct bytes ids, bool only_number, bool any)
{
    for (size_t count = 1;; count++) {
        struct bytes id = up_to(ids, '.');
        if (!is_identifier(id, only_number, any))
            return 0;
        if (id.size == ids.size)
            return count;
        ids = (struct bytes){.data = ids.data + id.size + 1, .size = ids.size - id.size - 1};
    }
}

bool slug_tag_is_valid(struct bytes tag)
{
    struct bytes version = up_to(tag, '+');
    struct bytes numbers = up_to(version, '-');

    return count_identifiers(numbers, true, false) == 3 &&
           (numbers.size == version.size ||
            count_identifiers(bytes_after(version, numbers.size + 1), false, false) != 0) &&
           (version.size == tag.size ||
            count_identifiers(bytes_after(tag, version.size + 1), false, true) != 0);
}

static int compare_bytes(struct bytes a, struct bytes b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared != 0 ? memcmp(a.data, b.data, shared) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static bool is_number(struct bytes id)
{
    for (size_t i = 0; i < id.size; i++) {
        if (!is_digit(id.data[i]))
            return false;
    }
    return true;
}

/* Numbers have no leading zeros: of two, the longer is larger. They come before words. */
static int compare_identifiers(struct bytes a, struct bytes b)
{
    bool a_is_number = is_number(a), b_is_number = is_number(b);

    if (a_is_number != b_is_number)
        return a_is_number ? -1 : 1;
    if (a_is_number && a.size != b.size)
        return a.size < b.size ? -1 : 1;
    return compare_bytes(a, b);
}

/* Takes the part before the mark, and that. */
static struct bytes take_until(struct bytes *rest, uint8_t mark)
{
    struct bytes part = up_to(*rest, mark);

    *rest = bytes_after(*rest, part.size + 1);
    return part;
}

/* Lists with dots between; one that is the beginning of another comes before it. */
static int compare_lists(struct bytes a, struct bytes b)
{
    int order = 0;

    while (order == 0 && a.size != 0 && b.size != 0)
        order = compare_identifiers(take_until(&a, '.'), take_until(&b, '.'));
    return order != 0 ? order : (a.size != 0) - (b.size != 0);
}

int slug_tag_compare(struct bytes a, struct bytes b)
{
    struct bytes a_rest = up_to(a, '+'), b_rest = up_to(b, '+');
    int order = compare_lists(take_until(&a_rest, '-'), take_until(&b_rest, '-'));

    if (order == 0 && (a_rest.size == 0) != (b_rest.size == 0))
        order = a_rest.size == 0 ? 1 : -1; /* a release comes after its candidates */
    if (order == 0)
        order = compare_lists(a_rest, b_rest);
    return order != 0 ? order : compare_bytes(a, b);
}

/* HOST[:PORT], with the port of HTTPS left out. */
static bool parse_host(const struct slug_parser *p, struct bytes text, struct bytes *out)
{
    struct bytes host;
    uint16_t port;

    if (!config_host_parse(text, p->arena, &host, &port, p->err)) {
        if (p->err->code != ERR_MEMORY)
            p->err->at = (uint64_t)(text.data - p->whole.data);
        return false;
    }
    if (port == 0 || port == 443) {
        *out = host;
        return true;
    }
    struct writer w = writer_growable(p->arena, SLUG_SIZE_MAX);
    writer_bytes(&w, host);
    writer_format(&w, ":%u", port);
    return writer_done(&w, out, p->err);
}

/* Whether the first part of a slug can only be meant as a host: then what is missing is at the
 * end. */
static bool looks_like_host(struct bytes part)
{
    return memchr(part.data, '.', part.size) != NULL || memchr(part.data, ':', part.size) != NULL ||
           bytes_is(part, "localhost");
}

/* USER[/REPO[:TAG]], in `rest`; the host is parsed already. */
static bool parse_path(const struct slug_parser *p, struct bytes rest, struct slug *s)
{
    s->user = up_to(rest, '/');
    if (!check_name(p, s->user, false, "the user's name is empty, at offset",
                    "a user's name has only letters and digits, wrong at offset"))
        return false;
    if (s->user.size == rest.size)
        return true;
    rest = bytes_from(rest.data + s->user.size + 1, rest.size - s->user.size - 1);
    s->repo = up_to(rest, ':');
    if (!check_name(p, s->repo, true, "the repository's name is empty, at offset",
                    "a repository's name has only letters, digits and '-', wrong at offset"))
        return false;
    if (s->repo.size == rest.size)
        return true;
    s->tag = bytes_from(rest.data + s->repo.size + 1, rest.size - s->repo.size - 1);
    if (!slug_tag_is_valid(s->tag))
        return fail_at(p, s->tag.data, "the tag is no version such as 1.0.0, at offset");
    return true;
}

bool slug_parse(struct bytes text, enum slug_part last, struct arena *arena, struct slug *out,
                struct err *err)
{
    struct slug_parser p = {.whole = text, .arena = arena, .err = err};
    struct slug s = {.host = {.size = 0}};
    struct bytes host = up_to(text, '/');

    if (text.size > SLUG_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "the name is too long, in bytes", text.size);
    if (host.size == text.size) /* not one '/' */
        return err_set(err, ERR_FORMAT, "the host is missing, at offset", 0);
    struct bytes rest = bytes_from(text.data + host.size + 1, text.size - host.size - 1);
    if (last >= SLUG_REPO && up_to(rest, '/').size == rest.size) {
        if (looks_like_host(host))
            return err_set(err, ERR_FORMAT, "the repository is missing, at offset", text.size);
        return err_set(err, ERR_FORMAT, "the host is missing, at offset", 0);
    }
    if (!parse_host(&p, host, &s.host) || !parse_path(&p, rest, &s))
        return false;
    if (last == SLUG_TAG && s.tag.size == 0)
        return err_set(err, ERR_FORMAT, "the tag is missing, at offset", text.size);
    *out = s;
    return true;
}

void slug_write(struct writer *w, const struct slug *slug)
{
    writer_bytes(w, slug->host);
    writer_u8(w, '/');
    writer_bytes(w, slug->user);
    if (slug->repo.size == 0)
        return;
    writer_u8(w, '/');
    writer_bytes(w, slug->repo);
    if (slug->tag.size == 0)
        return;
    writer_u8(w, ':');
    writer_bytes(w, slug->tag);
}
