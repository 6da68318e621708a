/* Pages of the processor in software, against the manual (Intel SDM volume 3D): what is added, what
 * EINIT says, which changes of a page the processor makes, and what EACCEPT makes of each. What
 * happens between an enclave and its loader is in tests/e2e/test_sgx_inside.py. */
#include "support.h"

#include <errno.h>

#include "host/sgx_sim_internal.h"
#include "image/image.h"

#define PAGE ((uint64_t)SGX_PAGE_SIZE)
#define SIZE (UINT64_C(64) * PAGE)
#define DATA (SGX_SECINFO_REG | SGX_SECINFO_R | SGX_SECINFO_W)
#define MISMATCH 19

enum { TCS_AT = 0, SSA_AT = 1, DATA_AT = 4, LATER_AT = 40 }; /* pages */

static struct sgx_processor processor;

static struct sgx_sim *sim(void)
{
    return processor.self;
}

/* An enclave that is being built. */
static void create(void)
{
    static const struct sgx_platform platform = {.secret = {1}};
    const struct sgx_secs secs = {
        .size = SIZE, .ssa_frame_pages = 1, .misc_select = 1, .attribute_flags = 4, .xfrm = 7};
    struct err err;

    if (processor.self != NULL)
        sgx_measure_free(sim()->measure); /* of one that was never started */
    assert_true(sgx_sim_new(&platform, &processor, &err));
    assert_true(processor.create(&processor, &secs, &err));
    assert_int_equal(processor.base % SIZE, 0);
}

static bool add(uint64_t page, struct bytes bytes, uint64_t flags)
{
    struct err err;

    return processor.add(&processor, page * PAGE, PAGE, bytes, flags, true, &err);
}

static void put(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

/* A TCS page: OSSA, NSSA, OENTRY. */
static struct bytes tcs(uint64_t ossa, uint32_t nssa, uint64_t entry)
{
    static uint8_t page[SGX_PAGE_SIZE];

    memset(page, 0, sizeof page);
    put(page + 16, ossa);
    put(page + 24, (uint64_t)nssa << 32);
    put(page + 32, entry);
    return bytes_from(page, sizeof page);
}

static const struct bytes zeroes = {.size = 0};

static void add_all(void)
{
    assert_true(add(TCS_AT, tcs(SSA_AT * PAGE, 2, DATA_AT * PAGE), SGX_SECINFO_TCS));
    for (uint64_t page = SSA_AT; page < DATA_AT + 8; page++)
        assert_true(add(page, zeroes, DATA));
}

/* EINIT by the development key; with a bit of the signed measurement changed or not. */
static bool init(uint8_t change, struct err *err)
{
    uint8_t measurement[SGX_MEASUREMENT_SIZE], sigstruct[SGX_SIGSTRUCT_SIZE];
    struct sgx_measure *m;
    static uint8_t page[SGX_PAGE_SIZE];

    assert_true(sgx_measure_new(1, SIZE, &m, err));
    assert_true(sgx_measure_page(m, TCS_AT, SGX_SECINFO_TCS,
                                 tcs(SSA_AT * PAGE, 2, DATA_AT * PAGE).data, true, err));
    for (uint64_t i = SSA_AT; i < DATA_AT + 8; i++)
        assert_true(sgx_measure_page(m, i * PAGE, DATA, page, true, err));
    assert_true(sgx_measure_finish(m, measurement, err));
    sgx_measure_free(m);
    measurement[31] ^= change;
    assert_true(enclave_sign_for_development(measurement, sigstruct, err));
    return processor.init(&processor, sigstruct, err);
}

static void start(void)
{
    struct err err;

    create();
    add_all();
    assert_true(init(0, &err));
    assert_true(processor.can_grow);
}

static void pages_that_cannot_be_added(void **state)
{
    static const uint8_t half[SGX_PAGE_SIZE / 2];
    struct err err;

    (void)state;
    create();
    assert_true(add(DATA_AT, zeroes, DATA));
    assert_false(add(DATA_AT, zeroes, DATA));           /* twice */
    assert_false(add(SIZE / PAGE, zeroes, DATA));       /* behind the end */
    assert_false(add(UINT64_MAX / PAGE, zeroes, DATA)); /* far away */
    assert_false(add(DATA_AT + 1, bytes_from(half, sizeof half), DATA));
    assert_false(processor.add(&processor, 8, PAGE, zeroes, DATA, true, &err));
    assert_false(processor.add(&processor, PAGE, PAGE / 2, zeroes, DATA, true, &err));
    assert_false(processor.add(&processor, PAGE, 2 * SIZE, zeroes, DATA, true, &err));
}

static void threads_that_are_none(void **state)
{
    static const struct {
        uint64_t ossa;
        uint32_t nssa;
        uint64_t entry;
    } bad[] = {{8, 2, 0},
               {SIZE, 2, 0},
               {SIZE - PAGE, 2, 0},
               {UINT64_MAX - 4095, 2, 0},
               {PAGE, 0, 0},
               {PAGE, 100, 0},
               {PAGE, UINT32_MAX, 0},
               {PAGE, 2, SIZE},
               {PAGE, 2, UINT64_MAX}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        create();
        assert_false(add(TCS_AT, tcs(bad[i].ossa, bad[i].nssa, bad[i].entry), SGX_SECINFO_TCS));
    }
}

static void einit_judges(void **state)
{
    uint8_t rubbish[SGX_SIGSTRUCT_SIZE] = {0};
    struct sgx_exit how;
    struct err err;

    (void)state;
    create();
    add_all();
    assert_false(processor.enter(&processor, 0, SGX_EENTER, 0, &how, &err)); /* not yet */
    assert_false(init(1, &err));
    assert_int_equal(err.code, ERR_POLICY);
    assert_non_null(strstr(err.msg, "MRENCLAVE differs"));
    assert_false(init(0, &err)); /* and there is no second time */
    create();
    assert_false(processor.init(&processor, rubbish, &err));
    start();
    assert_false(add(LATER_AT, zeroes, DATA)); /* nothing comes by EADD any more */
    assert_false(processor.enter(&processor, PAGE, SGX_EENTER, 0, &how, &err)); /* no TCS */
    assert_false(processor.enter(&processor, TCS_AT, SGX_ERESUME, 0, &how, &err));
}

/* EACCEPT of a page as flags; SECINFO lies in the enclave. The error, or -vector. */
static int accept(uint64_t page, uint64_t flags)
{
    uint64_t base = processor.base, info = base + DATA_AT * PAGE, rax = SGX_EACCEPT, at;

    memset((void *)(uintptr_t)info, 0, 64);
    put((uint8_t *)(uintptr_t)info, flags);
    unsigned vector = sim_leaf(sim(), &rax, info, base + page * PAGE, 0, &at);
    return vector != 0 ? -(int)vector : (int)rax;
}

#define STATE(more) (EPCM_REG | EPCM_R | (more))

static void pages_come(void **state)
{
    (void)state;
    start();
    assert_int_equal(accept(LATER_AT, STATE(EPCM_PENDING)), MISMATCH);
    assert_int_equal(accept(LATER_AT, STATE(EPCM_W | EPCM_X | EPCM_PENDING)), MISMATCH);
    assert_int_equal(accept(LATER_AT, EPCM_TCS | EPCM_PENDING), MISMATCH);
    assert_int_equal(accept(LATER_AT, STATE(EPCM_W | EPCM_PENDING)), 0);
    assert_int_equal(accept(LATER_AT, STATE(EPCM_W | EPCM_PENDING)), MISMATCH); /* once */
    assert_int_equal(*(uint8_t *)(uintptr_t)(processor.base + LATER_AT * PAGE), 0);
    assert_int_equal(accept(LATER_AT + 1, STATE(EPCM_W)), -VECTOR_GP); /* no change to accept */
    assert_int_equal(accept(LATER_AT + 1, STATE(EPCM_PENDING | 0x10000)), -VECTOR_GP);
    assert_int_equal(accept(SIZE / PAGE, STATE(EPCM_W | EPCM_PENDING)), -VECTOR_GP);
}

static void pages_go(void **state)
{
    uint64_t at = (DATA_AT + 1) * PAGE;

    (void)state;
    start();
    *(uint8_t *)(uintptr_t)(processor.base + at) = 7;
    assert_int_equal(processor.remove(&processor, at, PAGE), EPERM); /* not trimmed */
    assert_int_equal(processor.trim(&processor, at, PAGE), 0);
    assert_int_equal(processor.remove(&processor, at, PAGE), EPERM); /* not accepted */
    assert_int_equal(processor.trim(&processor, at, PAGE), EINVAL);
    assert_int_equal(accept(DATA_AT + 1, STATE(EPCM_W | EPCM_MODIFIED)), MISMATCH);
    assert_int_equal(accept(DATA_AT + 1, EPCM_TRIM | EPCM_MODIFIED), 0);
    assert_int_equal(accept(DATA_AT + 1, STATE(EPCM_W | EPCM_PENDING)), MISMATCH); /* no page yet */
    assert_int_equal(processor.remove(&processor, at, PAGE), 0);
    assert_int_equal(processor.remove(&processor, at, PAGE), EPERM);
    assert_int_equal(accept(DATA_AT + 1, STATE(EPCM_W | EPCM_PENDING)), 0); /* a new one */
    assert_int_equal(*(uint8_t *)(uintptr_t)(processor.base + at), 0);
    assert_int_equal(processor.trim(&processor, TCS_AT, PAGE), EINVAL); /* no regular page */
    assert_int_equal(processor.trim(&processor, LATER_AT * PAGE, PAGE), EINVAL); /* none at all */
    assert_int_equal(processor.trim(&processor, at, 0), EINVAL);
    assert_int_equal(processor.trim(&processor, at + 8, PAGE), EINVAL);
    assert_int_equal(processor.trim(&processor, at, UINT64_MAX - PAGE + 1), EINVAL);
}

static void rights_change(void **state)
{
    const uint64_t page = DATA_AT + 2, at = page * PAGE;
    uint64_t rax = SGX_EMODPE, fault;

    (void)state;
    start();
    assert_int_equal(processor.restrict_rights(&processor, at, PAGE, SGX_SECINFO_W), EINVAL);
    assert_int_equal(processor.restrict_rights(&processor, at, PAGE, 8), EINVAL);
    assert_int_equal(processor.restrict_rights(&processor, at, PAGE, SGX_SECINFO_R), 0);
    assert_int_equal(accept(page, STATE(EPCM_W | EPCM_RESTRICTED)), MISMATCH);
    assert_int_equal(accept(page, STATE(EPCM_RESTRICTED)), 0);
    assert_int_equal(accept(page, STATE(EPCM_RESTRICTED)), MISMATCH);
    assert_int_equal(sim()->epcm[page] & EPCM_RIGHTS, EPCM_R);
    uint64_t info = processor.base + DATA_AT * PAGE;
    put((uint8_t *)(uintptr_t)info, DATA);
    assert_int_equal(sim_leaf(sim(), &rax, info, processor.base + at, 0, &fault), 0);
    assert_int_equal(sim()->epcm[page] & EPCM_RIGHTS, EPCM_R | EPCM_W);
}

static void nothing_changes_without_sgx2(void **state)
{
    uint64_t at = DATA_AT * PAGE;

    (void)state;
    start();
    sgx_sim_set_sgx1(&processor);
    assert_false(processor.can_grow);
    assert_int_equal(processor.trim(&processor, at, PAGE), ENOTTY);
    assert_int_equal(processor.remove(&processor, at, PAGE), ENOTTY);
    assert_int_equal(processor.restrict_rights(&processor, at, PAGE, SGX_SECINFO_R), ENOTTY);
    assert_int_equal(accept(LATER_AT, STATE(EPCM_W | EPCM_PENDING)), -VECTOR_GP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_that_cannot_be_added),
        cmocka_unit_test(threads_that_are_none),
        cmocka_unit_test(einit_judges),
        cmocka_unit_test(pages_come),
        cmocka_unit_test(pages_go),
        cmocka_unit_test(rights_change),
        cmocka_unit_test(nothing_changes_without_sgx2),
    };

    if (sgx_sim_lacks() != NULL) {
        print_message("skipped: %s\n", sgx_sim_lacks());
        return 0;
    }
    return cmocka_run_group_tests_name("a processor with SGX in software", tests, NULL, NULL);
}
