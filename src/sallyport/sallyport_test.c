#include "support.h"

#include <sys/mman.h>
#include <sys/syscall.h>

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
        assert_int_equal(calls[i].home == CALL_KEEP, calls[i].number >= KEEP_CALL_ATTEST);
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
    assert_null(call_find(KEEP_CALL_LOG + 1));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_listed_once),
        cmocka_unit_test(numbers_are_this_machines),
        cmocka_unit_test(dangerous_calls_are_not_found),
        cmocka_unit_test(arguments_refer_to_arguments),
        cmocka_unit_test(memory_never_becomes_code),
        cmocka_unit_test(sections_survive_a_round_trip),
        cmocka_unit_test(bad_sections_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
