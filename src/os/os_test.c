#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/os.h"

static char path[] = "/tmp/broch-os-test-XXXXXX";

static void write_file(size_t size)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    struct err err;
    assert_true(fd >= 0);
    char *data = malloc(size);
    memset(data, 'a', size);
    assert_true(os_write_fd(fd, bytes_from(data, size), &err));
    free(data);
    assert_int_equal(close(fd), 0);
}

static void files_are_read_up_to_the_limit(void **state)
{
    const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct arena a;
        struct bytes out;
        struct err err;
        arena_init(&a, arena_heap, 1 << 20);
        write_file(sizes[i]);
        assert_true(os_read_file(path, sizes[i], &a, &out, &err));
        assert_int_equal(out.size, sizes[i]);
        assert_true(os_read_file(path, SIZE_MAX, &a, &out, &err));
        assert_int_equal(out.size, sizes[i]);
        if (sizes[i] != 0) {
            assert_false(os_read_file(path, sizes[i] - 1, &a, &out, &err));
            assert_int_equal(err.code, ERR_LIMIT);
        }
        arena_done(&a);
    }
}

static void pipes_are_read_too(void **state)
{
    struct arena a;
    struct bytes out;
    struct err err;
    int ends[2];
    (void)state;
    arena_init(&a, arena_heap, 1 << 20);
    assert_int_equal(pipe(ends), 0);
    assert_true(os_write_fd(ends[1], bytes_from(path, 10), &err));
    assert_int_equal(close(ends[1]), 0);
    assert_true(os_read_fd(ends[0], 10, &a, &out, &err));
    assert_int_equal(out.size, 10);
    assert_int_equal(close(ends[0]), 0);
    arena_done(&a);
}

static void exact_reads_go_over_short_ones(void **state)
{
    uint8_t got[8];
    size_t size;
    int ends[2];
    struct err err;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    pid_t writer = fork();
    if (writer == 0) {
        for (int i = 0; i < 10; i++)
            (void)!write(ends[1], "x", 1);
        _exit(0);
    }
    (void)close(ends[1]);
    assert_true(os_read_exactly(ends[0], got, sizeof got, &size, &err));
    assert_int_equal(size, sizeof got);
    assert_true(os_read_exactly(ends[0], got, sizeof got, &size, &err));
    assert_int_equal(size, 2); /* the end */
    (void)close(ends[0]);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    assert_false(os_read_exactly(-1, got, 1, &size, &err));
    assert_int_equal(err.at, EBADF);
}

static void errors_carry_errno(void **state)
{
    struct arena a;
    struct bytes out;
    struct err err;
    char text[ERR_TEXT_SIZE];
    (void)state;
    arena_init(&a, arena_heap, 100);
    assert_false(os_read_file("/nowhere/at/all", 10, &a, &out, &err));
    assert_int_equal(err.at, ENOENT);
    assert_string_equal(err_text(&err, os_strerror, text),
                        "cannot open: No such file or directory");
    assert_false(os_read_file("/tmp", 10, &a, &out, &err));
    assert_int_equal(err.at, EISDIR);
    write_file(5000);
    assert_false(os_read_file(path, 10000, &a, &out, &err));
    assert_int_equal(err.code, ERR_MEMORY);
    assert_false(os_write_fd(-1, bytes_of("x"), &err));
    assert_int_equal(err.at, EBADF);
    assert_string_equal(os_strerror(-5), "unknown error");
    arena_done(&a);
}

static void clocks_go_forward(void **state)
{
    uint64_t before = os_monotonic_ns();
    (void)state;
    assert_true(os_monotonic_ns() >= before);
    assert_true(os_unix_ms() > INT64_C(1700000000000));
}

static void log_goes_to_stderr_as_the_environment_says(void **state)
{
    struct err err;
    char line[200] = {0};
    int ends[2], saved = dup(STDERR_FILENO);
    (void)state;
    assert_int_equal(setenv("BROCH_LOG", "yaml", 1), 0);
    assert_false(os_log_setup(LOG_INFO, &err));
    assert_int_equal(setenv("BROCH_LOG", "json", 1), 0);
    assert_int_equal(setenv("BROCH_LOG_LEVEL", "loud", 1), 0);
    assert_false(os_log_setup(LOG_INFO, &err));
    assert_int_equal(setenv("BROCH_LOG_LEVEL", "debug", 1), 0);
    assert_true(os_log_setup(LOG_ERROR, &err));
    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    log_debug("hello");
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_true(read(ends[0], line, sizeof line - 1) > 0);
    assert_non_null(strstr(line, "\"level\":\"debug\",\"msg\":\"hello\"}\n"));
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(saved);
}

static int make_file(void **state)
{
    (void)state;
    return close(mkstemp(path));
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_up_to_the_limit),
        cmocka_unit_test(pipes_are_read_too),
        cmocka_unit_test(exact_reads_go_over_short_ones),
        cmocka_unit_test(errors_carry_errno),
        cmocka_unit_test(clocks_go_forward),
        cmocka_unit_test(log_goes_to_stderr_as_the_environment_says),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
