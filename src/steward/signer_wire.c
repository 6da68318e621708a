#include "steward/signer_wire.h"

#include "base/banned.h"

void signer_write_bytes(struct writer *w, struct bytes b)
{
    writer_u32le(w, (uint32_t)b.size);
    writer_bytes(w, b);
}

bool signer_read_bytes(struct reader *r, struct bytes *out)
{
    uint32_t size;

    return reader_u32le(r, &size) && reader_bytes(r, size, out);
}

void signer_write_identity(struct writer *w, const struct identity *identity)
{
    size_t at = w->size;

    writer_u32le(w, 0);
    identity_write(w, identity);
    if (w->failed == ERR_NONE) {
        uint32_t size = (uint32_t)(w->size - at - sizeof size);
        memcpy(w->data + at, &size, sizeof size);
    }
}

bool signer_read_identity(struct reader *r, struct identity *out)
{
    struct bytes der;
    struct err err;

    return signer_read_bytes(r, &der) && identity_parse(der, out, &err);
}

static const char *const interfaces[] = {"attest", "enarx"};

void signer_write_note(struct writer *w, const struct signer_note *note)
{
    signer_write_bytes(w, note->client);
    signer_write_bytes(w, note->chip);
    writer_u8(w, strcmp(note->interface, interfaces[1]) == 0);
}

bool signer_read_note(struct reader *r, struct signer_note *out)
{
    uint8_t interface;

    if (!signer_read_bytes(r, &out->client) || !signer_read_bytes(r, &out->chip) ||
        !reader_u8(r, &interface) || interface >= COUNT_OF(interfaces))
        return false;
    out->interface = interfaces[interface];
    return true;
}

void signer_write_fields(struct writer *w, const struct identity_fields *fields)
{
    signer_write_bytes(w, fields->spki);
    signer_write_bytes(w, fields->trust_domain);
    signer_write_identity(w, &fields->identity);
    writer_u8(w, (uint8_t)fields->space);
    writer_bytes(w, bytes_from(fields->serial, sizeof fields->serial));
    writer_u64le(w, (uint64_t)fields->not_before);
    writer_u64le(w, (uint64_t)fields->not_after);
}

bool signer_read_fields(struct reader *r, struct identity_fields *out)
{
    uint64_t not_before, not_after;
    uint8_t space;

    if (!signer_read_bytes(r, &out->spki) || !signer_read_bytes(r, &out->trust_domain) ||
        !signer_read_identity(r, &out->identity) || !reader_u8(r, &space) ||
        space > IDENTITY_OF_ENARX || !reader_copy(r, out->serial, sizeof out->serial) ||
        !reader_u64le(r, &not_before) || !reader_u64le(r, &not_after) || not_before > INT64_MAX ||
        not_after > INT64_MAX)
        return false;
    out->space = (enum identity_namespace)space;
    out->not_before = (int64_t)not_before;
    out->not_after = (int64_t)not_after;
    return true;
}
