/* Text that is decoded encodes to the same text again, in every form: there is one text a value. */
#include <assert.h>
#include <stdlib.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_base64(struct bytes in, enum base64_form form)
{
    size_t capacity = base64_decoded_size_max(in.size), size;
    uint8_t *plain = malloc(capacity);
    struct err err = {.code = ERR_NONE};

    if (base64_decode(in, form, plain, capacity, &size, &err)) {
        assert(base64_encoded_size(size, form) == in.size);
        char *text = malloc(in.size);
        base64_encode(bytes_from(plain, size), form, text);
        assert(bytes_equal(in, bytes_from(text, in.size)));
        free(text);
    } else {
        assert(err.code == ERR_FORMAT && err.msg != NULL && err.at <= in.size);
    }
    free(plain);
}

static void check_hex(struct bytes in)
{
    uint8_t *plain = malloc(in.size / 2);
    struct err err = {.code = ERR_NONE};
    size_t size;

    if (hex_decode(in, plain, in.size / 2, &size, &err)) {
        char *text = malloc(in.size);
        hex_encode(bytes_from(plain, size), text);
        for (size_t i = 0; i < in.size; i++) /* either case is read, lower case is written */
            assert((uint8_t)text[i] == (in.data[i] <= '9' ? in.data[i] : (in.data[i] | 0x20)));
        free(text);
    } else {
        assert(err.code == ERR_FORMAT && err.at <= in.size);
    }
    free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_from(data, size);

    for (int form = BASE64_STANDARD; form <= BASE64_URL; form++)
        check_base64(in, (enum base64_form)form);
    check_hex(in);
    return 0;
}
