#include "support.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "sallyport/sallyport.h"

static void calls_are_listed_once(void **state)
{
    (void)state;
    assert_true(call_count > 20);
    for (size_t i = 0; i < call_count; i++) {
        assert_true(strlen(calls[i].name) > 1);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(calls[i].number, calls[k].number);
            assert_string_not_equal(calls[i].name, calls[k].name);
        }
    }
}

static void numbers_are_this_machines(void **state)
{
    (void)state;
    assert_string_equal(call_find(SYS_read)->name, "read");
    assert_string_equal(call_find(SYS_ppoll)->name, "ppoll");
    assert_string_equal(call_find(SYS_exit_group)->name, "exit_group");
    assert_string_equal(call_find(KEEP_CALL_ATTEST)->name, "attest");
    assert_string_equal(call_find(KEEP_CALL_RESOLVE)->name, "resolve");
    assert_string_equal(call_find(KEEP_CALL_LOG)->name, "log");
    for (size_t i = 0; i < call_count; i++) {
        assert_ptr_equal(call_find(calls[i].number), &calls[i]);
        bool is_shims =
            calls[i].number == KEEP_CALL_PLATFORM_KEY || calls[i].number == KEEP_CALL_GUEST_REQUEST;
        assert_int_equal(calls[i].home == CALL_KEEP,
                         calls[i].number >= KEEP_CALL_ATTEST && !is_shims);
        assert_true(!is_shims || calls[i].home == CALL_LOCAL); /* no host answers them */
    }
}

/* What a sandbox that is made from the table rests on. */
static void dangerous_calls_are_not_found(void **state)
{
    const uint64_t absent[] = {SYS_openat, SYS_execve,        SYS_execveat, SYS_clone,
                               SYS_ioctl,  SYS_fcntl,         SYS_sendmsg,  SYS_recvmsg,
                               SYS_ptrace, SYS_pkey_mprotect, SYS_mremap,   SYS_seccomp};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(absent); i++)
        assert_null(call_find(absent[i]));
    assert_null(call_find(UINT64_MAX));
    assert_null(call_find(KEEP_CALL_GUEST_REQUEST + 1));
    /* a number is compared whole */
    assert_null(call_find((UINT64_C(1) << 32) | SYS_read));
}

/* Each reference names another argument of the right kind. */
static void check_arg(const struct call *call, size_t at)
{
    const struct call_arg *arg = &call->args[at];
    switch (arg->kind) {
    case CALL_ARG_IN:
    case CALL_ARG_OUT:
        assert_in_range(arg->value, 0, 5);
        assert_int_equal(call->args[arg->value].kind, CALL_ARG_SIZE);
        break;
    case CALL_ARG_OUT_AT:
        assert_in_range(arg->value, 0, 5);
        assert_int_equal(call->args[arg->value].kind, CALL_ARG_TAKE);
        assert_int_equal(call->args[arg->value].value, 4);
        break;
    case CALL_ARG_POLLFDS:
        assert_in_range(arg->value, 0, 5);
        assert_int_equal(call->args[arg->value].kind, CALL_ARG_ANY);
        break;
    case CALL_ARG_GIVE:
    case CALL_ARG_TAKE:
        assert_in_range(arg->value, 1, 4096);
        break;
    case CALL_ARG_MASK:
        assert_true(arg->value > 0);
        break;
    case CALL_ARG_EITHER: /* the filter takes both as 32 bits without a sign */
        assert_int_not_equal(arg->value, arg->other);
        assert_in_range(arg->value, 0, INT32_MAX);
        assert_in_range(arg->other, 0, INT32_MAX);
        break;
    case CALL_ARG_IS:
        assert_true(arg->value >= INT32_MIN && arg->value <= UINT32_MAX);
        break;
    default:
        assert_int_equal(arg->value, 0);
        break;
    }
}

static void arguments_refer_to_arguments(void **state)
{
    (void)state;
    for (size_t i = 0; i < call_count; i++) {
        bool ended = false;
        for (size_t k = 0; k < COUNT_OF(calls[i].args); k++) {
            check_arg(&calls[i], k);
            assert_false(ended && calls[i].args[k].kind != CALL_ARG_NONE);
            ended = calls[i].args[k].kind == CALL_ARG_NONE;
        }
    }
}

static void arguments_are_held_to_the_table(void **state)
{
    const uint64_t good[6] = {0,          4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                              UINT64_MAX, 0};
    const struct {
        uint64_t value;
        unsigned at;
        bool fits;
    } cases[] = {{77, 0, true},
                 {PROT_EXEC, 2, false},
                 {UINT64_C(1) << 32, 2, false},
                 {MAP_SHARED | MAP_ANONYMOUS, 3, false},
                 {UINT32_MAX, 4, true}, /* an int */
                 {0, 4, false},
                 {4096, 5, false},
                 {UINT64_C(1) << 63, 5, false}};
    const uint64_t clocks[][6] = {{CLOCK_REALTIME}, {CLOCK_MONOTONIC}, {2}, {UINT64_C(1) << 32}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t args[6];
        memcpy(args, good, sizeof args);
        args[cases[i].at] = cases[i].value;
        assert_int_equal(call_fits(call_find(SYS_mmap), args), cases[i].fits);
    }
    for (size_t i = 0; i < COUNT_OF(clocks); i++)
        assert_int_equal(call_fits(call_find(SYS_clock_gettime), clocks[i]), i < 2);
}

static void memory_never_becomes_code(void **state)
{
    const struct call *const both[] = {call_find(SYS_mmap), call_find(SYS_mprotect)};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(both); i++) {
        assert_non_null(both[i]);
        assert_int_equal(both[i]->args[2].kind, CALL_ARG_MASK);
        assert_int_equal(both[i]->args[2].value & PROT_EXEC, 0);
    }
}

static void sections_survive_a_round_trip(void **state)
{
    const uint32_t sizes[] = {0, 1, 0x01020304, BOOT_SECTION_SIZE_MAX};
    (void)state;
    for (unsigned kind = 1; kind < BOOT_KIND_COUNT; kind++) {
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            struct boot_section out = {0}, in = {.kind = (enum boot_kind)kind, .size = sizes[i]};
            uint8_t head[BOOT_SECTION_HEAD_SIZE];
            struct err err;
            boot_section_write(in, head);
            assert_int_equal(head[0], kind);
            assert_int_equal(head[4], sizes[i] & 0xff);
            assert_true(boot_section_parse(head, &out, &err));
            assert_int_equal(out.kind, in.kind);
            assert_int_equal(out.size, in.size);
        }
    }
}

static void bad_sections_are_refused(void **state)
{
    static const struct {
        uint8_t head[BOOT_SECTION_HEAD_SIZE];
        enum err_code code;
        uint64_t at;
    } bad[] = {
        {{0}, ERR_FORMAT, 0},
        {{BOOT_KIND_COUNT}, ERR_FORMAT, BOOT_KIND_COUNT},
        {{1, 0, 0, 1}, ERR_FORMAT, 0x01000001},
        {{0xff, 0xff, 0xff, 0xff}, ERR_FORMAT, 0xffffffff},
        {{1, 0, 0, 0, 1, 0, 0, 0x40}, ERR_LIMIT, BOOT_SECTION_SIZE_MAX + 1u},
        {{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, ERR_LIMIT, 0xffffffff},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct boot_section out = {.kind = BOOT_ENV, .size = 77};
        struct err err = {.code = ERR_NONE};
        assert_false(boot_section_parse(bad[i].head, &out, &err));
        assert_int_equal(err.code, bad[i].code);
        assert_int_equal(err.at, bad[i].at);
        assert_int_equal(out.size, 77); /* untouched */
    }
}

/* Everything there is, twice of what may be. */
static struct keep_evidence some_evidence(void)
{
    return (struct keep_evidence){
        .technology = 2,
        .report = bytes_of("report"),
        .vek = bytes_of("vek"),
        .tcb_info = bytes_of("info"),
        .crls = {{bytes_of("https://a"), bytes_of("list")}, {bytes_of(""), bytes_of("other")}},
        .crl_count = 2,
        .tcb_chain = {bytes_of("signer"), bytes_of("root")},
        .tcb_chain_count = 2};
}

static struct bytes write_evidence(const struct keep_evidence *e, uint8_t *memory, size_t size)
{
    struct writer w = writer_fixed(memory, size);
    struct bytes out;
    struct err err;

    keep_evidence_write(&w, e);
    assert_true(writer_done(&w, &out, &err));
    return out;
}

static void evidence_survives_a_round_trip(void **state)
{
    const struct keep_evidence in = some_evidence();
    uint8_t memory[512];
    struct keep_evidence out;
    struct err err;

    (void)state;
    assert_true(keep_evidence_parse(write_evidence(&in, memory, sizeof memory), &out, &err));
    assert_int_equal(out.technology, in.technology);
    assert_true(bytes_equal(out.report, in.report) && bytes_equal(out.vek, in.vek));
    assert_true(bytes_equal(out.tcb_info, in.tcb_info));
    assert_int_equal(out.crl_count, 2);
    assert_int_equal(out.tcb_chain_count, 2);
    assert_true(bytes_equal(out.crls[0].url, in.crls[0].url));
    assert_true(bytes_equal(out.crls[1].der, in.crls[1].der));
    assert_true(bytes_equal(out.tcb_chain[1], in.tcb_chain[1]));
}

/* Cut anywhere but between sections it is refused, and there it is whole or lacks what it needs. */
static void evidence_that_is_cut_is_refused(void **state)
{
    const struct keep_evidence in = some_evidence();
    uint8_t memory[512];
    struct bytes whole = write_evidence(&in, memory, sizeof memory);
    size_t accepted = 0;

    (void)state;
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *copy = malloc(size + 1);
        struct keep_evidence out;
        struct err err;
        assert_non_null(copy);
        memcpy(copy, whole.data, size);
        accepted += keep_evidence_parse(bytes_from(copy, size), &out, &err);
        free(copy);
    }
    assert_int_equal(accepted, 7); /* one for each section behind the technology, but the last */
}

static void bad_evidence_is_refused(void **state)
{
    static const struct {
        uint8_t bytes[24];
        size_t size;
        enum err_code code;
    } bad[] = {
        {{1, 0, 0, 0, 1, 0, 0, 0, 0}, 9, ERR_FORMAT},                             /* technology 0 */
        {{1, 0, 0, 0, 1, 0, 0, 0, 4}, 9, ERR_FORMAT},                             /* and 4 */
        {{1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1}, 18, ERR_FORMAT}, /* twice */
        {{2, 0, 0, 0, 1, 0, 0, 0, 9, 2, 0, 0, 0, 1, 0, 0, 0, 9}, 18, ERR_FORMAT},
        {{2, 0, 0, 0, 0, 0, 0, 0}, 8, ERR_FORMAT}, /* nothing in it */
        {{0, 0, 0, 0, 1, 0, 0, 0, 1}, 9, ERR_FORMAT},
        {{KEEP_EVIDENCE_KIND_COUNT, 0, 0, 0, 1, 0, 0, 0, 1}, 9, ERR_FORMAT},
        {{2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1}, 9, ERR_FORMAT},
        {{KEEP_EVIDENCE_CRL, 0, 0, 0, 1, 0, 0, 0, 1}, 9, ERR_FORMAT},
        {{KEEP_EVIDENCE_CRL, 0, 0, 0, 3, 0, 0, 0, 2, 0, 9}, 11, ERR_FORMAT},
        {{KEEP_EVIDENCE_CRL, 0, 0, 0, 3, 0, 0, 0, 1, 4, 9}, 11, ERR_FORMAT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct keep_evidence out = {.technology = 77};
        struct err err = {.code = ERR_NONE};
        assert_false(keep_evidence_parse(bytes_from(bad[i].bytes, bad[i].size), &out, &err));
        assert_int_equal(err.code, bad[i].code);
        assert_int_equal(out.technology, 77);
    }
}

static void too_much_evidence_is_refused(void **state)
{
    static const enum keep_evidence_kind kinds[] = {KEEP_EVIDENCE_CRL,
                                                    KEEP_EVIDENCE_TCB_CERTIFICATE};
    static const size_t most[] = {KEEP_EVIDENCE_CRLS_MAX, KEEP_EVIDENCE_CHAIN_MAX};
    uint8_t memory[1024];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct keep_evidence one = {.technology = 1, .report = bytes_of("r")}, out;
        struct writer w = writer_fixed(memory, sizeof memory);
        struct bytes text;
        struct err err;
        keep_evidence_write(&w, &one);
        for (size_t k = 0; k <= most[i]; k++) {
            assert_true(writer_done(&w, &text, &err));
            assert_true(keep_evidence_parse(text, &out, &err));
            writer_u32le(&w, kinds[i]);
            writer_u32le(&w, 3);
            writer_bytes(&w, bytes_from("\0\0x", 3));
        }
        assert_true(writer_done(&w, &text, &err));
        assert_false(keep_evidence_parse(text, &out, &err));
        assert_int_equal(err.code, ERR_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_listed_once),
        cmocka_unit_test(numbers_are_this_machines),
        cmocka_unit_test(dangerous_calls_are_not_found),
        cmocka_unit_test(arguments_refer_to_arguments),
        cmocka_unit_test(arguments_are_held_to_the_table),
        cmocka_unit_test(memory_never_becomes_code),
        cmocka_unit_test(sections_survive_a_round_trip),
        cmocka_unit_test(bad_sections_are_refused),
        cmocka_unit_test(evidence_survives_a_round_trip),
        cmocka_unit_test(evidence_that_is_cut_is_refused),
        cmocka_unit_test(bad_evidence_is_refused),
        cmocka_unit_test(too_much_evidence_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
