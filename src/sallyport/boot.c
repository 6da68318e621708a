/* Sections of the boot request. */
#include "sallyport/sallyport.h"

void boot_section_write(struct boot_section section, uint8_t out[BOOT_SECTION_HEAD_SIZE])
{
    struct writer w = writer_fixed(out, BOOT_SECTION_HEAD_SIZE);

    writer_u32le(&w, section.kind);
    writer_u32le(&w, section.size);
}

bool boot_section_parse(const uint8_t in[BOOT_SECTION_HEAD_SIZE], struct boot_section *out,
                        struct err *err)
{
    struct reader r = {.in = bytes_from(in, BOOT_SECTION_HEAD_SIZE)};
    uint32_t kind, size;

    if (!reader_u32le(&r, &kind) || !reader_u32le(&r, &size))
        return err_set(err, ERR_FORMAT, "boot request: a section ends early", ERR_NO_AT);
    if (kind == 0 || kind >= BOOT_KIND_COUNT)
        return err_set(err, ERR_FORMAT, "boot request: unknown section kind", kind);
    if (size > BOOT_SECTION_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "boot request: a section is too large, in bytes", size);
    *out = (struct boot_section){.kind = (enum boot_kind)kind, .size = size};
    return true;
}
