#include "package/entry.h"

#include <assert.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/banned.h"

#define LIST_MAX 4096 /* signatures of a tag */

static bool bad(struct err *err, const char *msg)
{
    return err_set(err, ERR_FORMAT, msg, ERR_NO_AT);
}

/* ---- from JSON ---- */

static json_t *parse_json(struct bytes text, struct err *err)
{
    json_error_t error;

    if (text.size > ENTRY_JSON_MAX) {
        (void)err_set(err, ERR_LIMIT, "the JSON is larger than 2 MB, in bytes", text.size);
        return NULL;
    }
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        (void)err_set(err, ERR_FORMAT, "this is no JSON, at offset",
                      error.position < 0 ? 0 : (uint64_t)error.position);
    return root;
}

static struct bytes text_of(const json_t *value)
{
    if (!json_is_string(value))
        return (struct bytes){.size = 0};
    return bytes_from(json_string_value(value), json_string_length(value));
}

static bool copy(struct bytes in, struct arena *arena, struct bytes *out, struct err *err)
{
    uint8_t *place = arena_alloc(arena, in.size, 1);

    if (place == NULL)
        return err_set(err, ERR_MEMORY, "no memory for an entry", ERR_NO_AT);
    if (in.size != 0)
        memcpy(place, in.data, in.size);
    *out = bytes_from(place, in.size);
    return true;
}

static bool read_digest(const char *name, struct bytes text, struct digest_set *set,
                        struct err *err)
{
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        struct digest *d = &set->of[i];
        size_t size;
        if (strcmp(name, digest_algorithm_name((enum digest_algorithm)i)) != 0)
            continue;
        if (!base64_decode(text, BASE64_STANDARD, d->bytes, sizeof d->bytes, &size, err) ||
            size != digest_algorithm_size((enum digest_algorithm)i))
            return bad(err, "a digest in an entry is no base64 of its algorithm's size");
        d->algorithm = (enum digest_algorithm)i;
        d->size = (uint8_t)size;
        return true;
    }
    return bad(err, "an entry has a digest that is none of sha-224 to sha-512");
}

static bool read_digests(json_t *object, struct digest_set *out, struct err *err)
{
    *out = (struct digest_set){.of = {{.size = 0}}};
    if (!json_is_object(object) || json_object_size(object) == 0)
        return bad(err, "an entry has no object 'digest' with at least one digest");
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        if (!read_digest(json_object_iter_key(i), text_of(json_object_iter_value(i)), out, err))
            return false;
    }
    return true;
}

static bool read_entry(json_t *object, struct arena *arena, struct entry *out, struct err *err)
{
    const json_t *length = json_object_get(object, "length");
    struct bytes type = text_of(json_object_get(object, "type"));

    if (!json_is_object(object))
        return bad(err, "an entry is no JSON object");
    if (!json_is_integer(length) || json_integer_value(length) < 0 ||
        (uint64_t)json_integer_value(length) > ENTRY_LENGTH_MAX)
        return bad(err, "an entry has no 'length' in bytes");
    if (!entry_type_is_valid(type))
        return bad(err, "an entry has no 'type' that is a media type");
    out->length = (uint64_t)json_integer_value(length);
    return read_digests(json_object_get(object, "digest"), &out->digests, err) &&
           copy(type, arena, &out->type, err);
}

bool entry_parse(struct bytes json, struct arena *arena, struct entry *out, struct err *err)
{
    json_t *root = parse_json(json, err);
    bool ok = root != NULL && read_entry(root, arena, out, err);

    json_delete(root);
    return ok;
}

static int compare_names(struct bytes a, struct bytes b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared != 0 ? memcmp(a.data, b.data, shared) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_items(const void *a, const void *b)
{
    return compare_names(((const struct directory_item *)a)->name,
                         ((const struct directory_item *)b)->name);
}

static void sort(struct directory *d)
{
    if (d->count > 1)
        qsort(d->items, d->count, sizeof *d->items, compare_items);
}

static bool read_directory(json_t *object, struct arena *arena, struct directory *out,
                           struct err *err)
{
    if (!json_is_object(object))
        return bad(err, "a directory is no JSON object");
    size_t count = json_object_size(object);
    struct directory d = {.items = ARENA_ARRAY(arena, struct directory_item, count)};
    if (d.items == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a directory", ERR_NO_AT);
    for (void *i = json_object_iter(object); i != NULL; i = json_object_iter_next(object, i)) {
        struct directory_item *item = &d.items[d.count++];
        struct bytes name = bytes_of(json_object_iter_key(i));
        if (!entry_name_is_valid(name))
            return bad(err, "a directory has a name that is not of letters, digits and _.:-");
        if (!copy(name, arena, &item->name, err) ||
            !read_entry(json_object_iter_value(i), arena, &item->entry, err))
            return false;
    }
    sort(&d);
    *out = d;
    return true;
}

bool directory_parse(struct bytes json, struct arena *arena, struct directory *out, struct err *err)
{
    json_t *root = parse_json(json, err);
    bool ok = root != NULL && read_directory(root, arena, out, err);

    json_delete(root);
    return ok;
}

/* ---- tags ---- */

/* Whether it is a JWS of either JSON serialization, as far as its members' kinds tell. */
static bool is_jws(const json_t *root)
{
    const json_t *signatures = json_object_get(root, "signatures");

    if (!json_is_string(json_object_get(root, "payload")))
        return false;
    if (json_is_string(json_object_get(root, "signature")))
        return signatures == NULL;
    return json_is_array(signatures) && json_array_size(signatures) != 0 &&
           json_array_size(signatures) <= LIST_MAX;
}

static bool read_payload(const json_t *root, struct arena *arena, struct entry *out,
                         struct err *err)
{
    struct bytes text = text_of(json_object_get(root, "payload"));
    size_t size, capacity = base64_decoded_size_max(text.size);
    uint8_t *payload = arena_alloc(arena, capacity, 1);

    if (payload == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a tag", ERR_NO_AT);
    if (!base64_decode(text, BASE64_URL, payload, capacity, &size, err))
        return bad(err, "a signed tag's payload is no base64url");
    return entry_parse(bytes_from(payload, size), arena, out, err);
}

bool tag_parse(struct bytes json, struct arena *arena, struct tag *out, struct err *err)
{
    json_t *root = parse_json(json, err);
    struct tag tag = {.is_signed = root != NULL && is_jws(root)};
    bool ok = root != NULL && (tag.is_signed ? read_payload(root, arena, &tag.root, err)
                                             : read_entry(root, arena, &tag.root, err));

    json_delete(root);
    if (ok)
        *out = tag;
    return ok;
}

/* ---- rules ---- */

static bool is_alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool entry_name_is_valid(struct bytes name)
{
    if (name.size == 0 || name.size > ENTRY_NAME_MAX || bytes_is(name, ".") || bytes_is(name, ".."))
        return false;
    for (size_t i = 0; i < name.size; i++) {
        if (!is_alphanumeric(name.data[i]) &&
            (name.data[i] == '\0' || strchr("_.:-", name.data[i]) == NULL))
            return false;
    }
    return true;
}

bool entry_type_is_valid(struct bytes type)
{
    bool has_slash = false;

    for (size_t i = 0; i < type.size; i++) {
        uint8_t c = type.data[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            return false;
        has_slash = has_slash || (c == '/' && i != 0);
    }
    return has_slash && type.size <= ENTRY_TYPE_MAX && type.data[0] != ' ' &&
           type.data[type.size - 1] != ' ';
}

const char *entry_type_of_name(struct bytes name)
{
    static const struct {
        const char *end, *type;
    } types[] = {{".wasm", MEDIA_WASM}, {".toml", MEDIA_TOML}};

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        size_t size = strlen(types[i].end);
        if (name.size >= size && bytes_is(bytes_after(name, name.size - size), types[i].end))
            return types[i].type;
    }
    return MEDIA_OCTETS;
}

bool entry_equal(const struct entry *a, const struct entry *b)
{
    return a->length == b->length && bytes_equal(a->type, b->type) &&
           digest_set_equal(&a->digests, &b->digests);
}

const struct digest *entry_digest(const struct entry *entry)
{
    size_t i = DIGEST_SHA256;

    while (entry->digests.of[i % DIGEST_ALGORITHMS].size == 0)
        i++; /* a set is never empty */
    return &entry->digests.of[i % DIGEST_ALGORITHMS];
}

bool entry_is_directory(const struct entry *entry)
{
    return bytes_is(entry->type, MEDIA_DIRECTORY);
}

bool entry_of(struct bytes content, const char *type, struct entry *out, struct err *err)
{
    *out = (struct entry){.length = content.size, .type = bytes_of(type)};
    return digest_compute(content, ENTRY_ALGORITHMS, &out->digests, err);
}

bool entry_check(const struct entry *entry, uint64_t length, const struct digest_set *digests,
                 struct err *err)
{
    unsigned wanted = digest_set_algorithms(&entry->digests);

    if (length != entry->length)
        return err_set(err, ERR_CRYPTO, "the content has not its entry's length, in bytes", length);
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        if ((wanted & 1u << i) != 0 && !digest_equal(&entry->digests.of[i], &digests->of[i]))
            return err_set(err, ERR_CRYPTO, "the content has not its entry's digest", ERR_NO_AT);
    }
    return true;
}

/* ---- to JSON ---- */

void entry_write(struct writer *w, const struct entry *entry)
{
    const char *separator = "";

    writer_text(w, "{\"digest\":{");
    for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
        const struct digest *d = &entry->digests.of[i];
        if (d->size == 0)
            continue;
        writer_format(w, "%s\"%s\":\"", separator, digest_algorithm_name(d->algorithm));
        uint8_t *place = writer_reserve(w, base64_encoded_size(d->size, BASE64_STANDARD));
        if (place != NULL)
            base64_encode(bytes_from(d->bytes, d->size), BASE64_STANDARD, (char *)place);
        writer_text(w, "\"");
        separator = ",";
    }
    writer_format(w, "},\"length\":%llu,\"type\":", (unsigned long long)entry->length);
    writer_json(w, entry->type);
    writer_text(w, "}");
}

void directory_write(struct writer *w, struct directory *directory)
{
    sort(directory);
    writer_text(w, "{");
    for (size_t i = 0; i < directory->count; i++) {
        assert(entry_name_is_valid(directory->items[i].name));
        writer_text(w, i != 0 ? ",\"" : "\"");
        writer_bytes(w, directory->items[i].name);
        writer_text(w, "\":");
        entry_write(w, &directory->items[i].entry);
    }
    writer_text(w, "}");
}

const struct directory_item *directory_find(const struct directory *directory, struct bytes name)
{
    const struct directory_item wanted = {.name = name};

    if (directory->count == 0)
        return NULL;
    return bsearch(&wanted, directory->items, directory->count, sizeof *directory->items,
                   compare_items);
}
