/* The table of certificates beside a report: entries of GUID, offset, size, little-endian; a zero
 * GUID ends them. GUIDs stand in the order in which they are written. */
#include "evidence/snp_certificates.h"

#define GUID_SIZE 16u
#define ENTRY_SIZE (GUID_SIZE + 8u)

static const uint8_t guids[SNP_CERTIFICATE_OTHER][GUID_SIZE] = {
    [SNP_CERTIFICATE_ARK] = {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6,
                             0x01, 0x4c, 0xd0, 0xae},
    [SNP_CERTIFICATE_ASK] = {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae,
                             0xf3, 0x27, 0xc7, 0x82},
    [SNP_CERTIFICATE_VCEK] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4,
                              0xb9, 0x3b, 0xe8, 0xac, 0xcd},
    [SNP_CERTIFICATE_VLEK] = {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39,
                              0xc0, 0x45, 0xa0, 0xb8, 0xa1},
    [SNP_CERTIFICATE_CRL] = {0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f,
                             0x88, 0xdc, 0x67, 0xea},
};

static enum snp_certificate_kind kind_of(struct bytes guid)
{
    unsigned kind = 0;

    while (kind < SNP_CERTIFICATE_OTHER && !bytes_equal(guid, bytes_from(guids[kind], GUID_SIZE)))
        kind++;
    return (enum snp_certificate_kind)kind;
}

bool snp_certificates_is_table(struct bytes in)
{
    return in.size >= GUID_SIZE && kind_of(bytes_before(in, GUID_SIZE)) != SNP_CERTIFICATE_OTHER;
}

/* The entry at r; an empty content at the end of the table. */
static bool read_entry(struct reader *r, struct snp_certificate *out, struct bytes *guid,
                       struct err *err)
{
    uint32_t offset, size;
    size_t at = r->at;

    if (!reader_bytes(r, GUID_SIZE, guid) || !reader_u32le(r, &offset) || !reader_u32le(r, &size))
        return err_set(err, ERR_FORMAT, "the certificate table has no end, at offset", at);
    *out = (struct snp_certificate){.kind = kind_of(*guid)};
    if (bytes_are_zero(*guid))
        return (offset == 0 && size == 0) ||
               err_set(err, ERR_FORMAT, "the certificate table ends oddly, at offset", at);
    struct reader content = reader_of(r->in);
    if (size == 0 || !reader_seek(&content, offset) || !reader_bytes(&content, size, &out->content))
        return err_set(err, ERR_FORMAT, "a certificate lies outside its table, at offset", at);
    return true;
}

bool snp_certificates_read(struct bytes table, struct snp_certificate out[SNP_CERTIFICATES_MAX],
                           size_t *count, struct err *err)
{
    struct bytes seen[SNP_CERTIFICATES_MAX], guid;
    struct reader r = reader_of(table);
    struct snp_certificate entry;

    for (*count = 0;; ++*count) {
        if (!read_entry(&r, &entry, &guid, err))
            return false;
        if (entry.content.size == 0)
            break;
        if (*count == SNP_CERTIFICATES_MAX)
            return err_set(err, ERR_LIMIT, "a certificate table has more entries than",
                           SNP_CERTIFICATES_MAX);
        for (size_t i = 0; i < *count; i++) {
            if (bytes_equal(seen[i], guid))
                return err_set(err, ERR_FORMAT, "two certificates have one GUID, entry", *count);
        }
        out[*count] = entry;
        seen[*count] = guid;
    }
    for (size_t i = 0; i < *count; i++) {
        if (out[i].content.data < table.data + r.at)
            return err_set(err, ERR_FORMAT, "a certificate overlaps its table, entry", i);
    }
    return true;
}

bool snp_certificates_write(const struct snp_certificate *certificates, size_t count, uint8_t *out,
                            size_t size, struct err *err)
{
    struct writer w = writer_fixed(out, size);
    size_t at = (count + 1) * ENTRY_SIZE;
    struct bytes whole;

    for (size_t i = 0; i < count; i++) {
        writer_bytes(&w, bytes_from(guids[certificates[i].kind], GUID_SIZE));
        writer_u32le(&w, (uint32_t)at);
        writer_u32le(&w, (uint32_t)certificates[i].content.size);
        at += certificates[i].content.size;
    }
    for (size_t i = 0; i < ENTRY_SIZE; i++)
        writer_u8(&w, 0);
    for (size_t i = 0; i < count; i++)
        writer_bytes(&w, certificates[i].content);
    return writer_done(&w, &whole, err);
}
