#include "evidence/reference.h"

#include "base/toml_table.h"

#define ARCHIVES_MAX 64
#define MRENCLAVE_SIZE 32

/* ---- reading ---- */

/* A list of values of `size` bytes, in hexadecimal. */
static bool read_values(const struct toml_form *form, const struct toml_value *value, void *field,
                        uint64_t size)
{
    struct toml_texts texts = {.count = 0};
    struct bytes_list *list = field;

    if (!toml_read_texts(form, value, &texts, REFERENCE_VALUES_MAX))
        return false;
    struct bytes *items = ARENA_ARRAY(form->arena, struct bytes, texts.count);
    uint8_t *memory = arena_alloc(form->arena, texts.count * size + 1, 1);
    if (items == NULL || memory == NULL)
        return toml_form_fail(form, value->at, "no memory");
    for (size_t i = 0; i < texts.count; i++, memory += size) {
        struct err err;
        size_t got;
        if (texts.items[i].size != hex_size(size) ||
            !hex_decode(texts.items[i], memory, size, &got, &err))
            return toml_form_fail(form, value->at, "expected %llu bytes in hexadecimal",
                                  (unsigned long long)size);
        items[i] = bytes_from(memory, size);
    }
    *list = (struct bytes_list){.items = items, .count = texts.count};
    return true;
}

TOML_READ_TABLE(read_snp, {"measurements", read_values, offsetof(struct evidence_reference, snp),
                           SNP_DIGEST_SIZE})
TOML_READ_TABLE(read_sgx, {"mrenclaves", read_values, offsetof(struct evidence_reference, sgx),
                           MRENCLAVE_SIZE})
TOML_READ_TABLE(read_archive, {"name", toml_read_text, offsetof(struct evidence_archive, name), 0},
                {"version", toml_read_text, offsetof(struct evidence_archive, version), 0},
                {"sha256", toml_read_text, offsetof(struct evidence_archive, sha256), 0})

static bool read_archives(const struct toml_form *form, const struct toml_value *value, void *field,
                          uint64_t param)
{
    struct evidence_reference *out = field;
    const struct toml_value *item;

    (void)param;
    if (value->type != TOML_ARRAY)
        return toml_form_fail_type(form, value, "an array of tables");
    if (toml_count(value) > ARCHIVES_MAX)
        return toml_form_fail(form, value->at, "more than %d items", ARCHIVES_MAX);
    struct evidence_archive *archives =
        ARENA_ARRAY(form->arena, struct evidence_archive, toml_count(value));
    if (archives == NULL)
        return toml_form_fail(form, value->at, "no memory");
    struct toml_walk walk = toml_items(value);
    while ((item = toml_next(&walk)) != NULL) {
        struct evidence_archive *archive = &archives[out->archive_count++];
        *archive = (struct evidence_archive){.name = {.size = 0}};
        if (!read_archive(form, item, archive, 0))
            return false;
    }
    out->archives = archives;
    return true;
}

bool evidence_reference_parse(struct bytes text, struct arena *arena,
                              struct evidence_reference *out, struct text_error *error)
{
    static const struct toml_field fields[] = {
        {"broch", toml_read_text, offsetof(struct evidence_reference, broch), 0},
        {"commit", toml_read_text, offsetof(struct evidence_reference, commit), 0},
        {"compiler", toml_read_text, offsetof(struct evidence_reference, compiler), 0},
        {"snp", read_snp, 0, 0},
        {"sgx", read_sgx, 0, 0},
        {"archives", read_archives, 0, 0},
    };
    const struct toml_form form = {.text = text, .arena = arena, .error = error};
    const struct toml_value *root;

    *out = (struct evidence_reference){.archive_count = 0};
    if (!toml_parse(text, arena, &root, error) ||
        !toml_read_fields(&form, root, fields, COUNT_OF(fields), NULL, out))
        return false;
    return out->snp.count + out->sgx.count != 0 ||
           text_error_set(error, 1, 1, "there is no reference value in it");
}

/* ---- writing ---- */

static void write_text(struct writer *w, const char *key, struct bytes value)
{
    writer_format(w, "%s = ", key);
    writer_json(w, value); /* of texts without control characters, the same as TOML's */
    writer_text(w, "\n");
}

static void write_values(struct writer *w, const char *table, const char *key,
                         const struct bytes_list *list)
{
    if (list->count == 0)
        return;
    writer_format(w, "\n[%s]\n%s = [\n", table, key);
    for (size_t i = 0; i < list->count; i++) {
        writer_text(w, "    \"");
        writer_hex(w, list->items[i]);
        writer_text(w, "\",\n");
    }
    writer_text(w, "]\n");
}

void evidence_reference_write(struct writer *w, const struct evidence_reference *r)
{
    writer_text(w,
                "# Reference values of a keep image of Broch. A Steward's policy includes them by\n"
                "# references = [\"THIS FILE\"]; 'broch image reproduce' compares them with a "
                "build.\n");
    write_text(w, "broch", r->broch);
    write_text(w, "commit", r->commit);
    write_text(w, "compiler", r->compiler);
    write_values(w, "snp", "measurements", &r->snp);
    write_values(w, "sgx", "mrenclaves", &r->sgx);
    for (size_t i = 0; i < r->archive_count; i++) {
        writer_text(w, "\n[[archives]]\n");
        write_text(w, "name", r->archives[i].name);
        write_text(w, "version", r->archives[i].version);
        write_text(w, "sha256", r->archives[i].sha256);
    }
}

/* ---- policies ---- */

static bool add(struct bytes_list *list, struct arena *arena, const struct bytes_list *more,
                struct err *err)
{
    struct bytes *items = ARENA_ARRAY(arena, struct bytes, list->count + more->count);

    if (items == NULL)
        return err_set(err, ERR_MEMORY, "no memory for reference values", ERR_NO_AT);
    for (size_t i = 0; i < list->count; i++)
        items[i] = list->items[i];
    for (size_t i = 0; i < more->count; i++)
        items[list->count + i] = more->items[i];
    *list = (struct bytes_list){.items = items, .count = list->count + more->count};
    return true;
}

bool evidence_policy_add(struct evidence_policy *policy, struct arena *arena,
                         const struct evidence_reference *reference, struct err *err)
{
    return add(&policy->snp.measurements, arena, &reference->snp, err) &&
           add(&policy->sgx.mrenclaves, arena, &reference->sgx, err);
}
