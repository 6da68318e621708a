#include "support.h"

#include "base/base.h"

static char last[LOG_LINE_MAX + 1];
static size_t lines;

static void keep_line(void *context, enum log_level level, struct bytes line)
{
    (void)level;
    (void)context;
    assert_true(line.size <= LOG_LINE_MAX);
    assert_int_equal(line.data[line.size - 1], '\n');
    assert_null(memchr(line.data, '\n', line.size - 1)); /* one event, one line */
    memcpy(last, line.data, line.size);
    last[line.size] = '\0';
    lines++;
}

static void keep_bare_line(void *context, enum log_level level, struct bytes line)
{
    (void)context;
    assert_int_equal(level, LOG_WARN);
    assert_true(line.size <= LOG_LINE_MAX);
    memcpy(last, line.data, line.size);
    last[line.size] = '\0';
}

static int64_t fixed_time(void *context)
{
    (void)context;
    return INT64_C(1795422523123);
}

static void set_up(enum log_level level, bool json)
{
    log_setup(&(struct log_config){
        .level = level, .json = json, .write_line = keep_line, .now_unix_ms = fixed_time});
    lines = 0;
}

static void bare_lines_have_neither_level_nor_end(void **state)
{
    (void)state;
    log_setup(&(struct log_config){.level = LOG_INFO, .bare = true, .write_line = keep_bare_line});
    log_warn("two", log_u64("words", 2));
    assert_string_equal(last, "two words=2");
}

static void text_is_for_people(void **state)
{
    (void)state;
    set_up(LOG_INFO, false);
    log_info("listening", log_u64("port", 50000), log_str("protocol", "tls"),
             log_bool("simulated", false), log_i64("left", -3),
             log_hex("digest", bytes_from("\x01\xab", 2)), log_str("reason", "no peers"),
             log_str("nothing", NULL));
    assert_string_equal(last, "2026-11-23T08:28:43.123Z info  listening port=50000 protocol=tls "
                              "simulated=false left=-3 digest=01ab reason=\"no peers\" "
                              "nothing=\"\"\n");
    log_error("stopped");
    assert_string_equal(last, "2026-11-23T08:28:43.123Z error stopped\n");
}

static void json_is_for_programs(void **state)
{
    struct err err = {.code = ERR_LIMIT, .msg = "signature too long, in bytes", .at = 99};
    (void)state;
    set_up(LOG_INFO, true);
    log_warn("refused", log_u64("port", 50000), log_err(&err), log_bool("simulated", true),
             log_hex("digest", bytes_from("\x01\xab", 2)));
    assert_string_equal(last, "{\"time\":\"2026-11-23T08:28:43.123Z\",\"level\":\"warn\","
                              "\"msg\":\"refused\",\"port\":50000,\"error\":\"limit\","
                              "\"reason\":\"signature too long, in bytes\",\"at\":99,"
                              "\"simulated\":true,\"digest\":\"01ab\"}\n");
}

static void a_value_cannot_forge_a_line(void **state)
{
    const char *evil = "x\n2026 info forged=\"yes\" \x1b[31m \xc2\x9b \xff\xe2\x82 é\\";
    (void)state;
    set_up(LOG_INFO, false);
    log_info("peer", log_str("name", evil));
    assert_string_equal(last, "2026-11-23T08:28:43.123Z info  peer name=\"x\\n2026 info "
                              "forged=\\\"yes\\\" \\u001b[31m \xef\xbf\xbd\xef\xbf\xbd "
                              "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd é\\\\\"\n");
    set_up(LOG_INFO, true);
    log_info("peer", log_str("name", "a\"},{\"b\":\"\t\x7f"));
    assert_non_null(strstr(last, "\"name\":\"a\\\"},{\\\"b\\\":\\\"\\t\\u007f\"}\n"));
}

static void long_lines_are_cut_between_fields(void **state)
{
    char value[3000];
    (void)state;
    memset(value, '"', sizeof value - 1); /* each takes two */
    value[sizeof value - 1] = '\0';
    set_up(LOG_INFO, true);
    log_info("m", log_str("a", value), log_str("b", value), log_u64("c", 1));
    assert_string_equal(last + strlen(last) - 13, ",\"cut\":true}\n");
    assert_null(strstr(last, "\"b\""));
    set_up(LOG_INFO, false);
    log_info("m", log_str("a", value), log_str("b", value));
    assert_string_equal(last + strlen(last) - 4, "…\n");
    log_info("m", log_hex("h", bytes_from(value, sizeof value)));
    assert_true(strlen(last) < 1100);
}

static void levels_are_kept(void **state)
{
    enum log_level level;
    (void)state;
    set_up(LOG_WARN, false);
    log_info("not written");
    log_debug("not written");
    assert_int_equal(lines, 0);
    log_warn("written");
    log_error("written");
    assert_int_equal(lines, 2);
    assert_true(log_enabled(LOG_WARN));
    assert_false(log_enabled(LOG_INFO));
    assert_true(log_level_parse("debug", &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_false(log_level_parse("loud", &level));
    log_setup(&(struct log_config){.level = LOG_DEBUG});
    log_error("nowhere to go");
    assert_int_equal(lines, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bare_lines_have_neither_level_nor_end),
        cmocka_unit_test(text_is_for_people),
        cmocka_unit_test(json_is_for_programs),
        cmocka_unit_test(a_value_cannot_forge_a_line),
        cmocka_unit_test(long_lines_are_cut_between_fields),
        cmocka_unit_test(levels_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
