/* The descriptions of a simulated SGX platform, read by jansson, against real ones and against the
 * quotes that they are about. */
#include <jansson.h>

#include "evidence/simulated_test.h"

#include "evidence/crypto.h"

#define QUOTE_QE_AT 564u

static const struct simulated_dates dates = {NOW - DAY, NOW + DAY};
static const struct simulated_platform platform = {
    .fmspc = {0x00, 0x60, 0x6a, 0xab},
    .pce_id = {1, 2},
    .svns = {14, 14, 3, 3, 255, 255, 1},
    .pce_svn = 13,
};

static struct simulated_sgx *roots;

static int set_up_group(void **state)
{
    struct err err;

    (void)state;
    assert_true(simulated_sgx_new(dates, &roots, &err));
    return 0;
}

static int tear_down_group(void **state)
{
    (void)state;
    simulated_sgx_free(roots);
    return 0;
}

static X509 *tcb_signing(void)
{
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_sgx_tcb_chain(roots, &w, &err));
    return certificate_in(done(&w), 0);
}

static bool verifies(X509 *signer, struct bytes message, const uint8_t signature[64])
{
    struct err err;

    return crypto_verify(CRYPTO_P256, X509_get0_pubkey(signer), message, signature, signature + 32,
                         &err);
}

/* The quoting enclave's report in a quote of this platform. */
static const uint8_t *qe_report(void)
{
    static const uint8_t report[SGX_REPORT_SIZE];
    struct simulated_quoting *quoting;
    struct writer w = new_writer();
    struct err err;

    assert_true(simulated_quoting_new(roots, &platform, dates, &quoting, &err));
    assert_true(simulated_quote(quoting, report, &w, &err));
    simulated_quoting_free(quoting);
    return done(&w).data + QUOTE_QE_AT;
}

/* The signed part, whose signature must be the TCB signing key's, as JSON; to be freed. */
static json_t *signed_json(struct bytes text, const char *name)
{
    char head[40];
    uint8_t signature[64];
    size_t size;
    struct err err;
    json_error_t error;
    X509 *signer = tcb_signing();
    json_t *whole = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);

    assert_non_null(whole);
    assert_int_equal(json_object_size(whole), 2);
    (void)snprintf(head, sizeof head, "{\"%s\":", name);
    assert_true(bytes_starts_with(text, bytes_of(head)));
    size_t tail_size = strlen(",\"signature\":\"\"}") + 128;
    struct bytes body = bytes_after(bytes_before(text, text.size - tail_size), strlen(head));
    const char *hex = json_string_value(json_object_get(whole, "signature"));
    assert_non_null(hex);
    assert_true(hex_decode(bytes_of(hex), signature, sizeof signature, &size, &err) && size == 64);
    assert_true(verifies(signer, body, signature));
    assert_false(verifies(signer, bytes_after(body, 1), signature));
    json_t *inner = json_incref(json_object_get(whole, name));
    char *compact = json_dumps(inner, JSON_COMPACT);
    assert_true(bytes_is(body, compact));
    free(compact);
    json_decref(whole);
    X509_free(signer);
    return inner;
}

/* The same keys in the same order. */
static void assert_same_keys(json_t *ours, json_t *theirs)
{
    void *a = json_object_iter(ours), *b = json_object_iter(theirs);

    assert_int_equal(json_object_size(ours), json_object_size(theirs));
    for (; a != NULL; a = json_object_iter_next(ours, a), b = json_object_iter_next(theirs, b)) {
        assert_string_equal(json_object_iter_key(a), json_object_iter_key(b));
        assert_int_equal(json_typeof(json_object_iter_value(a)),
                         json_typeof(json_object_iter_value(b)));
    }
}

static const char *string_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    assert_non_null(text);
    return text;
}

static json_int_t number_of(json_t *object, const char *key)
{
    assert_true(json_is_integer(json_object_get(object, key)));
    return json_integer_value(json_object_get(object, key));
}

static json_t *real_json(const char *path, const char *name)
{
    struct bytes text = vector(path);
    json_error_t error;
    json_t *whole = json_loadb((const char *)text.data, text.size, 0, &error);

    assert_non_null(whole);
    json_t *inner = json_incref(json_object_get(whole, name));
    json_decref(whole);
    return inner;
}

/* What a level of the TCB info asks of a platform. */
static void assert_level(json_t *level, const uint8_t svns[16], int pce_svn, const char *status)
{
    json_t *tcb = json_object_get(level, "tcb");
    json_t *components = json_object_get(tcb, "sgxtcbcomponents");

    assert_int_equal(json_array_size(components), 16);
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(number_of(json_array_get(components, i), "svn"), svns[i]);
    assert_int_equal(number_of(tcb, "pcesvn"), pce_svn);
    assert_string_equal(string_of(level, "tcbStatus"), status);
    assert_string_equal(string_of(level, "tcbDate"), "2027-01-14T08:00:00Z");
}

static void tcb_info_is_signed_and_in_form(void **state)
{
    static const uint8_t zeroes[16];
    struct writer w = new_writer();
    struct err err;

    (void)state;
    assert_true(simulated_sgx_tcb_info(roots, &platform, dates, &w, &err));
    json_t *info = signed_json(done(&w), "tcbInfo");
    json_t *real = real_json("platform-automata/tcb_info.json", "tcbInfo");
    assert_same_keys(info, real);
    assert_string_equal(string_of(info, "id"), "SGX");
    assert_int_equal(number_of(info, "version"), 3);
    assert_string_equal(string_of(info, "issueDate"), "2027-01-14T08:00:00Z");
    assert_string_equal(string_of(info, "nextUpdate"), "2027-01-16T08:00:00Z");
    assert_string_equal(string_of(info, "fmspc"), "00606AAB0000");
    assert_string_equal(string_of(info, "pceId"), "0102");
    json_t *levels = json_object_get(info, "tcbLevels");
    assert_int_equal(json_array_size(levels), 2);
    assert_level(json_array_get(levels, 0), platform.svns, platform.pce_svn, "UpToDate");
    assert_level(json_array_get(levels, 1), zeroes, 0, "OutOfDate");
    json_t *real_level = json_array_get(json_object_get(real, "tcbLevels"), 0);
    assert_same_keys(json_object_get(json_array_get(levels, 0), "tcb"),
                     json_object_get(real_level, "tcb"));
    json_decref(info);
    json_decref(real);
}

/* Bytes in hexadecimal, of which those under the mask must be those of the report. */
static void assert_described(json_t *identity, const char *key, const char *mask_key,
                             const uint8_t *report, size_t size)
{
    uint8_t value[32], mask[32];
    size_t got;
    struct err err;

    memset(mask, 0xff, sizeof mask);
    assert_true(hex_decode(bytes_of(string_of(identity, key)), value, size, &got, &err) &&
                got == size);
    if (mask_key != NULL)
        assert_true(hex_decode(bytes_of(string_of(identity, mask_key)), mask, size, &got, &err) &&
                    got == size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(report[i] & mask[i], value[i]);
}

static void the_identity_describes_the_quoting_enclave(void **state)
{
    const uint8_t *report = qe_report();
    struct writer w = new_writer();
    struct err err;

    (void)state;
    assert_true(simulated_sgx_qe_identity(roots, dates, &w, &err));
    json_t *identity = signed_json(done(&w), "enclaveIdentity");
    json_t *real = real_json("platform-automata/qe_identity.json", "enclaveIdentity");
    assert_same_keys(identity, real);
    assert_string_equal(string_of(identity, "id"), "QE");
    assert_int_equal(number_of(identity, "version"), 2);
    assert_described(identity, "miscselect", "miscselectMask", report + 16, 4);
    assert_described(identity, "attributes", "attributesMask", report + 48, 16);
    assert_described(identity, "mrsigner", NULL, report + 128, 32);
    assert_int_equal(report[48], 5); /* INIT, MODE64BIT: no debugging */
    assert_int_equal(number_of(identity, "isvprodid"), report[256] | report[257] << 8);
    json_t *levels = json_object_get(identity, "tcbLevels");
    assert_int_equal(json_array_size(levels), 1);
    assert_int_equal(number_of(json_object_get(json_array_get(levels, 0), "tcb"), "isvsvn"),
                     report[258] | report[259] << 8);
    assert_string_equal(string_of(json_array_get(levels, 0), "tcbStatus"), "UpToDate");
    assert_same_keys(json_array_get(levels, 0),
                     json_array_get(json_object_get(real, "tcbLevels"), 0));
    json_decref(identity);
    json_decref(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tcb_info_is_signed_and_in_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_identity_describes_the_quoting_enclave, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, set_up_group, tear_down_group);
}
