/* Endorsement keys of AMD's, real ones whose extensions are changed. Their signatures are wrong
 * then, which is for others to find. */
#include "evidence/snp_vek.h"

#include <openssl/objects.h>
#include <stdio.h>

#include "support.h"

#include "os/os.h"

#define AMD "1.3.6.1.4.1.3704.1."

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_heap, SIZE_MAX);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static X509 *read_vector(const char *name)
{
    char path[512];
    struct bytes file;
    struct err err;

    (void)snprintf(path, sizeof path, "%s/%s", VECTORS, name);
    if (!os_read_file(path, 1 << 20, &arena, &file, &err))
        fail_msg("%s cannot be read", path);
    const uint8_t *at = file.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)file.size);
    assert_non_null(x509);
    return x509;
}

/* Replaces the value of an extension, or removes it (NULL). */
static void change(X509 *x509, const char *oid, const struct bytes *value)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    int at = X509_get_ext_by_OBJ(x509, object, -1);

    ASN1_OBJECT_free(object);
    assert_true(at >= 0);
    if (value == NULL) {
        X509_EXTENSION_free(X509_delete_ext(x509, at));
        return;
    }
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
    assert_int_equal(ASN1_OCTET_STRING_set(string, value->data, (int)value->size), 1);
    assert_int_equal(X509_EXTENSION_set_data(X509_get_ext(x509, at), string), 1);
    ASN1_OCTET_STRING_free(string);
}

/* Encodes a certificate anew and reads it; the copy of its chip's number is in the arena. */
static bool parse(X509 *x509, struct snp_vek *out)
{
    struct certificate certificate;
    struct err err;
    uint8_t *der = NULL, *tbs = NULL;

    assert_true(i2d_re_X509_tbs(x509, &tbs) > 0);
    OPENSSL_free(tbs);
    int size = i2d_X509(x509, &der);
    assert_true(size > 0);
    if (!certificate_parse(bytes_from(der, (size_t)size), &certificate, &err))
        fail_msg("%s", err.msg);
    bool ok = snp_vek_parse(&certificate, out, &err);
    if (ok && out->chip_id.size != 0) {
        uint8_t *copy = arena_alloc(&arena, out->chip_id.size, 1);
        assert_non_null(copy);
        memcpy(copy, out->chip_id.data, out->chip_id.size);
        out->chip_id.data = copy;
    }
    certificate_done(&certificate);
    OPENSSL_free(der);
    return ok;
}

static void no_extension_may_be_missing(void **state)
{
    static const struct {
        const char *file, *oids[9];
    } cases[] = {
        {"milan-v2/vcek.der",
         {AMD "1", AMD "2", AMD "3.1", AMD "3.2", AMD "3.3", AMD "3.8", AMD "4"}},
        {"turin-vcek-only/vcek.der",
         {AMD "1", AMD "2", AMD "3.1", AMD "3.2", AMD "3.3", AMD "3.8", AMD "3.9", AMD "4"}},
        {"milan-v3-vlek-vmpl1/vlek.der",
         {AMD "1", AMD "2", AMD "3.1", AMD "3.2", AMD "3.3", AMD "3.8", AMD "5"}},
    };
    struct snp_vek vek;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        X509 *whole = read_vector(cases[i].file);
        assert_true(parse(whole, &vek));
        for (size_t k = 0; cases[i].oids[k] != NULL; k++) {
            X509 *less = X509_dup(whole);
            change(less, cases[i].oids[k], NULL);
            if (parse(less, &vek))
                fail_msg("%s without %s", cases[i].file, cases[i].oids[k]);
            X509_free(less);
        }
        X509_free(whole);
    }
}

static void numbers_are_compared_whole(void **state)
{
    static const struct {
        const char *der; /* of the extension's value */
        size_t size;
        int number; /* -1: refused */
    } cases[] = {
        {"\x02\x01\x73", 3, 0x73},
        {"\x02\x02\x00\xd1", 4, 0xd1},
        {"\x02\x02\x01\x73", 4, -1}, /* ends in the number of before */
        {"\x02\x02\x73\x01", 4, -1}, /* begins with it */
        {"\x02\x02\x00\x73", 4, -1}, /* longer than it needs to be */
        {"\x02\x01\xd1", 3, -1},     /* negative */
        {"\x02\x01\x73\x00", 4, -1}, /* something follows */
        {"\x04\x01\x73", 3, -1},
        {"\x02\x00", 2, -1},
        {"\x73", 1, -1},
        {"", 0, -1},
    };
    X509 *real = read_vector("milan-v2/vcek.der");
    struct snp_vek vek;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bytes value = bytes_from(cases[i].der, cases[i].size);
        X509 *other = X509_dup(real);
        change(other, AMD "3.8", &value);
        assert_int_equal(parse(other, &vek) ? vek.tcb.microcode : -1, cases[i].number);
        X509_free(other);
    }
    X509_free(real);
}

/* A chip's number is so many bytes, whatever they look like; 8 of them on Turin. */
static void chips_of_any_bytes(void **state)
{
    static const struct {
        const char *file;
        size_t size;
    } cases[] = {{"milan-v2/vcek.der", 64}, {"turin-vcek-only/vcek.der", 8}};
    static const uint8_t tags[] = {0x00, 0x02, 0x04, 0x30, 0xff};
    uint8_t chip[66] = {0};
    struct snp_vek vek;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        X509 *x509 = read_vector(cases[i].file);
        size_t size = cases[i].size;
        for (size_t k = 0; k < COUNT_OF(tags); k++) {
            struct bytes value = bytes_from(chip, size);
            chip[0] = tags[k];
            chip[1] = (uint8_t)(size - 2); /* as if it were an element */
            change(x509, AMD "4", &value);
            assert_true(parse(x509, &vek));
            assert_true(bytes_equal(vek.chip_id, value));
        }
        /* another size is none, but for an OCTET STRING of the right one */
        for (size_t other = 0; other <= size + 2; other++) {
            struct bytes value = bytes_from(chip, other);
            chip[0] = 0x04;
            chip[1] = (uint8_t)size;
            change(x509, AMD "4", &value);
            assert_int_equal(parse(x509, &vek), other == size || other == size + 2);
        }
        X509_free(x509);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_extension_may_be_missing),
        TEST(numbers_are_compared_whole),
        TEST(chips_of_any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
