/* An image file: "BROCHIM1", then sections, each u32le kind, u32le size, the bytes. */
#include "image/image.h"

enum section {
    SECTION_SHIM = 1,
    SECTION_KEEP,
    SECTION_ID_BLOCK,
    SECTION_ID_AUTH,
    SECTION_ENCLAVE_SHIM,
    SECTION_SIGSTRUCT
};

static void write_section(struct writer *w, enum section kind, struct bytes bytes)
{
    if (bytes.size == 0)
        return;
    writer_u32le(w, kind);
    writer_u32le(w, (uint32_t)bytes.size);
    writer_bytes(w, bytes);
}

void image_file_write(struct writer *w, const struct image_file *file)
{
    writer_text(w, IMAGE_MAGIC);
    write_section(w, SECTION_SHIM, file->shim);
    write_section(w, SECTION_KEEP, file->keep);
    write_section(w, SECTION_ID_BLOCK, file->id_block);
    write_section(w, SECTION_ID_AUTH, file->id_auth);
    write_section(w, SECTION_ENCLAVE_SHIM, file->enclave_shim);
    write_section(w, SECTION_SIGSTRUCT, file->sigstruct);
}

static struct bytes *part_of(struct image_file *file, uint32_t kind)
{
    switch (kind) {
    case SECTION_SHIM:
        return &file->shim;
    case SECTION_KEEP:
        return &file->keep;
    case SECTION_ID_BLOCK:
        return &file->id_block;
    case SECTION_ID_AUTH:
        return &file->id_auth;
    case SECTION_ENCLAVE_SHIM:
        return &file->enclave_shim;
    case SECTION_SIGSTRUCT:
        return &file->sigstruct;
    default:
        return NULL;
    }
}

static bool is_size(struct bytes part, size_t size)
{
    return part.size == 0 || part.size == size;
}

bool image_file_parse(struct bytes in, struct image_file *out, struct err *err)
{
    struct reader r = {.in = in};
    struct image_file file = {.shim = {.size = 0}};
    struct bytes magic;

    if (!reader_bytes(&r, strlen(IMAGE_MAGIC), &magic) || !bytes_is(magic, IMAGE_MAGIC))
        return err_set(err, ERR_FORMAT, "this is no keep image", ERR_NO_AT);
    while (r.at != in.size) {
        uint32_t kind, size;
        size_t at = r.at;
        struct bytes body;
        if (!reader_u32le(&r, &kind) || !reader_u32le(&r, &size) || size == 0 ||
            !reader_bytes(&r, size, &body))
            return err_set(err, ERR_FORMAT, "the image ends early, at offset", at);
        struct bytes *part = part_of(&file, kind);
        if (part == NULL || part->size != 0)
            return err_set(err, ERR_FORMAT,
                           "a part of the image is unknown or there twice, at offset", at);
        *part = body;
    }
    if (file.shim.size == 0 || file.keep.size == 0)
        return err_set(err, ERR_FORMAT, "the image has no shim or no exec layer", ERR_NO_AT);
    if ((file.id_block.size == 0) != (file.id_auth.size == 0) ||
        !is_size(file.id_block, SNP_ID_BLOCK_SIZE) || !is_size(file.id_auth, SNP_ID_AUTH_SIZE) ||
        !is_size(file.sigstruct, SGX_SIGSTRUCT_SIZE) ||
        (file.sigstruct.size != 0 && file.enclave_shim.size == 0))
        return err_set(err, ERR_FORMAT, "the image's signature is not whole", ERR_NO_AT);
    *out = file;
    return true;
}
