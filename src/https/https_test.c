/* The client against servers that are scripted step by step, on loopback; and the reader of answers
 * alone. */
#include "https/https_test.h"

/* ---- answers that are good ---- */

#define HELLO "Content-Length: 5\r\n\r\nhello"

static const struct good {
    const char *text;
    long status;
    const char *body, *type, *digest;
    bool is_kept, ends_with_connection;
} good[] = {
    {"HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\nContent-Digest: "
     "sha-256=:AA==:\r\n" HELLO,
     200, "hello", "text/plain", "sha-256=:AA==:", true, false},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404, "", "", "", true, false},
    {"HTTP/1.1 599\r\ncontent-LENGTH:\t5 \r\n\r\nhello", 599, "hello", "", "", true, false},
    {"HTTP/1.1 200 \x80\xff\r\nX:\r\nY: \xe4\t!\r\nContent-Type:\r\n" HELLO, 200, "hello", "", "",
     true, false},
    {"HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n" HELLO, 200, "hello", "", "", true,
     false},
    {"HTTP/1.1 200 OK\r\nConnection: close\r\n" HELLO, 200, "hello", "", "", false, false},
    {"HTTP/1.0 200 OK\r\n" HELLO, 200, "hello", "", "", false, false},
    {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n" HELLO, 200, "hello", "", "", true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: "
     "chunked\r\n\r\n2\r\nhe\r\n00003;a=\"b\"\r\nllo\r\n0\r\n\r\n",
     200, "hello", "", "", true, false},
    {"HTTP/1.1 400 No\r\nTransfer-Encoding: \tChunked \r\n\r\nA\r\n0123456789\r\n0\r\n"
     "Expires: never\r\nContent-Digest: sha-256=:BB==:\r\n\r\n",
     400, "0123456789", "", "", true, false},
    {"HTTP/1.1 204 None\r\n\r\n", 204, "", "", "", true, false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9999999\r\n\r\n", 304, "", "", "", true, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Type: a/b\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Type: c/d ;x\r\n" HELLO,
     200, "hello", "c/d", "", true, false},
    {"HTTP/1.1 200 OK\r\nContent-Digest: sha-256=:AA==:\r\nContent-Digest: "
     "sha-512=:BB==:\r\n" HELLO,
     200, "hello", "", "sha-256=:AA==:, sha-512=:BB==:", true, false},
    {"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", 200, "", "text/html", "", false, true},
    {"HTTP/1.0 500 No\r\n\r\nuntil\nthe\r\n\r\nend", 500, "until\nthe\r\n\r\nend", "", "", false,
     true},
};

static void check_good(const struct good *want, const struct https_answer *got)
{
    assert_int_equal(got->status, want->status);
    assert_true(bytes_is(got->body, want->body));
    assert_true(bytes_is(got->content_type, want->type));
    assert_true(bytes_is(got->content_digest, want->digest));
}

/* ---- the reader alone ---- */

enum outcome { WHOLE, MORE, FAILED };

/* Gives the bytes to a reader, some at a time, each time in a block of exactly their size; then the
 * end of the connection. */
static enum outcome read_answer(struct bytes in, size_t step, bool ends, size_t max,
                                struct arena *arena, struct https_answer *out, size_t *used,
                                struct err *err)
{
    struct answer *a = malloc(sizeof *a);
    enum outcome outcome = MORE;

    assert_non_null(a);
    answer_init(a, max, arena);
    *used = 0;
    while (outcome == MORE && *used < in.size) {
        struct bytes part = exact_copy(bytes_before(bytes_after(in, *used), step));
        size_t size = 0;
        if (!answer_take(a, part, &size, err))
            outcome = FAILED;
        else if (answer_is_done(a))
            outcome = WHOLE;
        else
            assert_int_equal(size, part.size);
        *used += size;
        exact_free(part);
    }
    if (outcome == MORE && ends)
        outcome = answer_end(a, err) ? WHOLE : FAILED;
    if (outcome == WHOLE && !answer_result(a, out, err))
        outcome = FAILED;
    if (outcome == FAILED) {
        assert_int_not_equal(err->code, ERR_NONE);
        assert_non_null(err->msg);
        assert_non_null(answer_detail(a));
    }
    free(a);
    return outcome;
}

static const size_t steps[] = {1, 2, 7, SIZE_MAX};

static void good_answers_are_read_however_they_are_cut(void **state)
{
    struct arena arena;
    struct https_answer answer;
    struct err err;
    size_t used;

    (void)state;
    arena_init(&arena, arena_heap, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct bytes text = bytes_of(good[i].text);
        for (size_t k = 0; k < COUNT_OF(steps); k++) {
            assert_int_equal(read_answer(text, steps[k], good[i].ends_with_connection, 16, &arena,
                                         &answer, &used, &err),
                             WHOLE);
            assert_int_equal(used, text.size);
            check_good(&good[i], &answer);
        }
        /* at every single place */
        for (size_t at = 1; at < text.size; at++) {
            assert_int_equal(read_answer(text, at, good[i].ends_with_connection, 16, &arena,
                                         &answer, &used, &err),
                             WHOLE);
            check_good(&good[i], &answer);
        }
    }
    arena_done(&arena);
}

static void the_mark_of_a_tag_is_read(void **state)
{
    static const struct {
        const char *text, *mark;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n" HELLO, ""},
        {"HTTP/1.1 200 OK\r\nBROCH-STATE: \tyanked \r\n" HELLO, "yanked"},
        {"HTTP/1.1 200 OK\r\nBroch-State: a\r\nbroch-state: b\r\n" HELLO, "a, b"},
    };
    struct arena arena;
    struct https_answer answer;
    struct err err;
    size_t used;

    (void)state;
    arena_init(&arena, arena_heap, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t k = 0; k < COUNT_OF(steps); k++) {
            assert_int_equal(read_answer(bytes_of(cases[i].text), steps[k], false, 16, &arena,
                                         &answer, &used, &err),
                             WHOLE);
            assert_true(bytes_is(answer.state, cases[i].mark));
        }
    }
    const char *prefix = "HTTP/1.1 200 OK\r\nBroch-State: ";
    char text[256];
    for (int size = ANSWER_STATE_MAX; size <= ANSWER_STATE_MAX + 1; size++) {
        (void)snprintf(text, sizeof text, "%s%0*d\r\n" HELLO, prefix, size, 0);
        assert_int_equal(
            read_answer(bytes_of(text), SIZE_MAX, false, 16, &arena, &answer, &used, &err),
            size <= ANSWER_STATE_MAX ? WHOLE : FAILED);
    }
    assert_int_equal(err.code, ERR_LIMIT);
    arena_done(&arena);
}

/* Where the body of an answer begins that ends with its connection. */
static size_t headers_size(const char *text)
{
    return (size_t)(strstr(text, "\r\n\r\n") - text) + 4;
}

static void no_part_of_an_answer_is_an_answer(void **state)
{
    struct arena arena;
    struct https_answer answer;
    struct err err;
    size_t used;

    (void)state;
    arena_init(&arena, arena_heap, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        for (size_t size = 0; size < strlen(good[i].text); size++) {
            struct bytes part = bytes_before(bytes_of(good[i].text), size);
            assert_int_equal(read_answer(part, SIZE_MAX, false, 16, &arena, &answer, &used, &err),
                             MORE);
            if (good[i].ends_with_connection && size >= headers_size(good[i].text))
                continue; /* nobody could tell */
            assert_int_equal(read_answer(part, SIZE_MAX, true, 16, &arena, &answer, &used, &err),
                             FAILED);
            assert_int_equal(err.code, ERR_FORMAT);
        }
    }
    arena_done(&arena);
}

static void bytes_after_an_answer_are_left(void **state)
{
    struct arena arena;
    struct https_answer answer;
    struct err err;
    char text[512];
    size_t used;

    (void)state;
    arena_init(&arena, arena_heap, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        if (good[i].ends_with_connection)
            continue;
        (void)snprintf(text, sizeof text, "%sHTTP/1.1 200 OK\r\n", good[i].text);
        assert_int_equal(
            read_answer(bytes_of(text), SIZE_MAX, false, 16, &arena, &answer, &used, &err), WHOLE);
        assert_int_equal(used, strlen(good[i].text));
        check_good(&good[i], &answer);
    }
    arena_done(&arena);
}

/* ---- answers that are bad ---- */

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"
#define GO "HTTP/1.1 100 Go\r\n\r\n"
#define BAD(literal, code)                                      \
    {                                                           \
        {(const uint8_t *)(literal), sizeof(literal) - 1}, code \
    }

/* answer_max is 16 */
static const struct {
    struct bytes text;
    enum err_code code;
} bad[] = {
    /* status lines */
    BAD("<html>\r\n", ERR_FORMAT),
    BAD("\r\n" OK HELLO, ERR_FORMAT),
    BAD(" " OK HELLO, ERR_FORMAT),
    BAD("http/1.1 200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTX/1.1 200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/0.9 200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.2 200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.10 200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/2.0 200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1  200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1\t200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 20 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 2000 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 0200 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 099 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 600 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 999 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 2x0 OK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 200 O\0K\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 200 O\rK\r\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 200 OK\n" HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 200 OK\r\r\n" HELLO, ERR_FORMAT),
    /* headers */
    BAD(OK "A: b\n" HELLO, ERR_FORMAT),
    BAD(OK "A: b\r\n\nhello", ERR_FORMAT),
    BAD(OK "A: b\rB: c\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A: \0\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A: \x7f\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A: \x1b\r\n" HELLO, ERR_FORMAT),
    BAD(OK "\0: b\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A\0: b\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A: b\r\n c\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A: b\r\n\tc\r\n" HELLO, ERR_FORMAT),
    BAD(OK " A: b\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A : b\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A\t: b\r\n" HELLO, ERR_FORMAT),
    BAD(OK ": b\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A\r\n" HELLO, ERR_FORMAT),
    BAD(OK "A b: c\r\n" HELLO, ERR_FORMAT),
    BAD(OK "\xc3\xa4: c\r\n" HELLO, ERR_FORMAT),
    BAD(OK "Content-Type: a/b\r\nContent-Type: a/b\r\n" HELLO, ERR_FORMAT),
    /* sizes */
    BAD(OK "Content-Length: 5\r\n" HELLO, ERR_FORMAT),
    BAD(OK "Content-Length: 4\r\n" HELLO, ERR_FORMAT),
    BAD(OK "Content-Length: 5, 5\r\n\r\nhello", ERR_FORMAT),
    BAD(OK "Content-Length: 5 5\r\n\r\nhello", ERR_FORMAT),
    BAD(OK "Content-Length: -5\r\n\r\nhello", ERR_FORMAT),
    BAD(OK "Content-Length: +5\r\n\r\nhello", ERR_FORMAT),
    BAD(OK "Content-Length: 0x5\r\n\r\nhello", ERR_FORMAT),
    BAD(OK "Content-Length: 5.\r\n\r\nhello", ERR_FORMAT),
    BAD(OK "Content-Length: \r\n\r\nhello", ERR_FORMAT),
    BAD(OK "Content-Length:\r\n\r\nhello", ERR_FORMAT),
    BAD(OK "Content-Length: 17\r\n\r\n", ERR_LIMIT),
    BAD(OK "Content-Length: 18446744073709551\r\n\r\n", ERR_LIMIT),
    BAD(OK "Content-Length: 18446744073709551615\r\n\r\n", ERR_FORMAT),
    BAD(OK "Content-Length: 18446744073709551621\r\n\r\nhello", ERR_FORMAT),
    BAD(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ERR_FORMAT),
    BAD(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ERR_FORMAT),
    BAD(OK "Transfer-Encoding: gzip\r\n\r\n", ERR_FORMAT),
    BAD(OK "Transfer-Encoding: identity\r\n\r\n", ERR_FORMAT),
    BAD(OK "Transfer-Encoding: \r\n\r\n", ERR_FORMAT),
    BAD(OK "Transfer-Encoding: gzip, chunked\r\n\r\n", ERR_FORMAT),
    BAD(OK "Transfer-Encoding: chunked, gzip\r\n\r\n", ERR_FORMAT),
    BAD(OK "Transfer-Encoding: chunked, chunked\r\n\r\n", ERR_FORMAT),
    BAD(OK "Transfer-Encoding: xchunked\r\n\r\n", ERR_FORMAT),
    BAD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_FORMAT),
    BAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", ERR_FORMAT),
    BAD(OK "\r\n0123456789abcdefg", ERR_LIMIT),
    /* chunks */
    BAD(CHUNKED "\r\n", ERR_FORMAT),
    BAD(CHUNKED "g\r\n", ERR_FORMAT),
    BAD(CHUNKED "-5\r\nhello\r\n", ERR_FORMAT),
    BAD(CHUNKED " 5\r\nhello\r\n", ERR_FORMAT),
    BAD(CHUNKED "5 \r\nhello\r\n", ERR_FORMAT),
    BAD(CHUNKED "0x5\r\nhello\r\n", ERR_FORMAT),
    BAD(CHUNKED ";a\r\nhello\r\n", ERR_FORMAT),
    BAD(CHUNKED "5;\0\r\nhello\r\n", ERR_FORMAT),
    BAD(CHUNKED "5;a\rb\r\nhello\r\n", ERR_FORMAT),
    BAD(CHUNKED "5\nhello\r\n", ERR_FORMAT),
    BAD(CHUNKED "5\r\nhello\n", ERR_FORMAT),
    BAD(CHUNKED "5\r\nhello0\r\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "5\r\nhelloXX0\r\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "5\r\nhello\r\r\n", ERR_FORMAT),
    BAD(CHUNKED "5\r\nhello\r\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "00000000000000005\r\nhello\r\n0\r\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "11\r\n", ERR_LIMIT),
    BAD(CHUNKED "7fffffffffffffff\r\n", ERR_LIMIT),
    BAD(CHUNKED "8\r\n01234567\r\n9\r\n", ERR_LIMIT),
    BAD(CHUNKED "0\r\nhello\r\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "0\r\nA: b\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "0\r\nA: b\r\n c\r\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "0\r\nContent-Length: 5\r\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "0\r\ntransfer-encoding: chunked\r\n\r\n", ERR_FORMAT),
    BAD(CHUNKED "0\r\n\n", ERR_FORMAT),
    /* interim answers */
    BAD("HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", ERR_FORMAT),
    BAD("HTTP/1.1 101 Up\r\n\r\n", ERR_FORMAT),
    BAD("HTTP/1.1 100 Go\r\nContent-Length: 5\r\n\r\nhello" OK HELLO, ERR_FORMAT),
    BAD("HTTP/1.1 100 Go\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" OK HELLO, ERR_FORMAT),
    BAD(GO "\r\n" OK HELLO, ERR_FORMAT),
    BAD(GO GO GO GO GO GO GO GO GO, ERR_LIMIT),
};

static void bad_answers_are_refused(void **state)
{
    struct arena arena;
    struct https_answer answer;
    struct err err;
    size_t used;

    (void)state;
    arena_init(&arena, arena_heap, ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        for (size_t k = 0; k < COUNT_OF(steps); k++) {
            err = (struct err){.code = ERR_NONE};
            enum outcome outcome =
                read_answer(bad[i].text, steps[k], false, 16, &arena, &answer, &used, &err);
            if (outcome != FAILED || err.code != bad[i].code)
                print_error("%s: %s\n", (const char *)bad[i].text.data, err_code_name(err.code));
            assert_int_equal(outcome, FAILED);
            assert_int_equal(err.code, bad[i].code);
        }
    }
    arena_done(&arena);
}

/* ---- limits ---- */

/* An answer in memory of the arena: a text, `count` times another, a third. */
static struct bytes repeated(struct arena *arena, const char *first, const char *again,
                             size_t count, const char *last)
{
    struct writer w = writer_growable(arena, ARENA_MAX);
    struct bytes out;
    struct err err;

    writer_text(&w, first);
    for (size_t i = 0; i < count; i++)
        writer_text(&w, again);
    writer_text(&w, last);
    assert_true(writer_done(&w, &out, &err));
    return out;
}

static void limits_are_kept_to_the_byte(void **state)
{
    /* what fits, and then not */
    static const struct {
        const char *first, *again, *last;
        size_t most;
    } cases[] = {
        {OK "A: ", "x", "\r\n" HELLO,
         HTTPS_HEADERS_MAX - (sizeof(OK "A: \r\nContent-Length: 5\r\n\r\n") - 1)},
        {"HTTP/1.1 200 ", "x", "\r\n" HELLO,
         HTTPS_HEADERS_MAX - (sizeof("HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n") - 1)},
        {OK, "A:\r\n", HELLO,
         (HTTPS_HEADERS_MAX - (sizeof(OK "Content-Length: 5\r\n\r\n") - 1)) / 4},
        {OK "Content-Type: a/", "b", "; charset=utf-8\r\n" HELLO, ANSWER_TYPE_MAX - 2},
        {OK "Content-Digest: ", "b", " \r\n" HELLO, ANSWER_DIGEST_MAX},
        {"", GO, OK HELLO, ANSWER_INTERIM_MAX},
        {CHUNKED "5;", "x", "\r\nhello\r\n0\r\n\r\n",
         /* the chunk's line is free but for what it has beyond ANSWER_CHUNK_LINE */
         HTTPS_HEADERS_MAX - (sizeof(CHUNKED) - 1) + ANSWER_CHUNK_LINE - (sizeof("5;\r\n") - 1) -
             2},
        {CHUNKED "5\r\nhello\r\n0\r\nA: ", "x", "\r\n\r\n",
         HTTPS_HEADERS_MAX - (sizeof(CHUNKED "A: \r\n\r\n") - 1)},
        {CHUNKED, "1\r\nx\r\n", "0\r\n\r\n", 65536},
        {OK "\r\n", "x", "", 65536},
    };
    struct arena arena;
    struct https_answer answer;
    struct err err;
    size_t used;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        arena_init(&arena, arena_heap, ARENA_MAX);
        struct bytes fits =
            repeated(&arena, cases[i].first, cases[i].again, cases[i].most, cases[i].last);
        struct bytes over =
            repeated(&arena, cases[i].first, cases[i].again, cases[i].most + 1, cases[i].last);
        for (size_t k = 2; k < COUNT_OF(steps); k++) {
            assert_int_equal(read_answer(fits, steps[k], true, 65536, &arena, &answer, &used, &err),
                             WHOLE);
            assert_int_equal(read_answer(over, steps[k], true, 65536, &arena, &answer, &used, &err),
                             FAILED);
            assert_int_equal(err.code, ERR_LIMIT);
        }
        arena_done(&arena);
    }
}

static void memory_is_taken_for_what_came(void **state)
{
    struct https_answer answer;
    struct arena arena;
    struct err err;
    size_t used;

    (void)state;
    arena_init(&arena, arena_heap, SIZE_MAX);
    assert_int_equal(read_answer(bytes_of(OK "Content-Length: 1000001\r\n\r\n"), SIZE_MAX, false,
                                 1000000, &arena, &answer, &used, &err),
                     FAILED);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(arena_taken(&arena), 0);
    assert_int_equal(read_answer(bytes_of(CHUNKED "f423f\r\nhello"), SIZE_MAX, false, 1000000,
                                 &arena, &answer, &used, &err),
                     MORE);
    assert_true(arena_taken(&arena) <= 65536);
    arena_done(&arena);
    /* a size that is announced is taken at once, and no more */
    arena_init(&arena, arena_heap, SIZE_MAX);
    assert_int_equal(read_answer(bytes_of(OK "Content-Length: 999999\r\n\r\nhello"), SIZE_MAX,
                                 false, 1000000, &arena, &answer, &used, &err),
                     MORE);
    assert_true(arena_taken(&arena) <= 1000000 + 4096);
    arena_done(&arena);
}

static void the_nth_allocation_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        for (size_t n = 0;; n++) {
            struct failing_source source = {.takes_left = n};
            struct https_answer answer;
            struct arena arena;
            struct err err;
            size_t used;
            arena_init(&arena, failing_source_of(&source), SIZE_MAX);
            enum outcome outcome = read_answer(bytes_of(good[i].text), SIZE_MAX, true, 1 << 20,
                                               &arena, &answer, &used, &err);
            arena_done(&arena);
            assert_int_equal(source.held, 0);
            if (outcome == WHOLE)
                break;
            assert_int_equal(outcome, FAILED);
            assert_int_equal(err.code, ERR_MEMORY);
        }
    }
}

/* ---- requests ---- */

/* Sends a request and gives back what the server got, which it then answers. */
static void exchange(struct stage *s, const struct https_request *request, struct bytes want_tail)
{
    struct https_answer answer;
    struct err err;
    char host[64];

    begin(s, request);
    assert_int_equal(advance(s, &answer, &err), HTTPS_WAITING);
    if (s->peer < 0)
        peer_accept(s);
    peer_expect(s, request->method);
    peer_expect(s, " /v1/nonce?spki=00 HTTP/1.1\r\n");
    (void)snprintf(host, sizeof host, "Host: localhost:%u\r\n", s->server.port);
    peer_expect(s, host);
    peer_expect(s, "Connection: keep-alive\r\nUser-Agent: ");
    peer_expect(s, request_user_agent);
    peer_expect(s, "\r\n");
    peer_expect(s, (const char *)want_tail.data);
    peer_send(s, bytes_of(good[0].text));
    assert_int_equal(finish(s, &answer, &err), HTTPS_DONE);
    check_good(&good[0], &answer);
    assert_string_equal(https_detail(s->connection), "");
}

static void requests_are_as_they_should_be(void **state)
{
    struct stage s;

    (void)state;
    stage_init(&s);
    struct https_request request = get(&s, "/v1/nonce?spki=00");
    exchange(&s, &request, bytes_of("\r\n"));
    request.accept = "application/json, */*;q=0.1";
    request.content_type = "text/plain"; /* of no body */
    exchange(&s, &request, bytes_of("Accept: application/json, */*;q=0.1\r\n\r\n"));
    request.method = "POST";
    request.accept = NULL;
    exchange(&s, &request, bytes_of("Content-Length: 0\r\n\r\n"));
    request.body = bytes_of("a body");
    exchange(&s, &request, bytes_of("Content-Type: text/plain\r\nContent-Length: 6\r\n\r\na body"));
    assert_false(has_caller(&s));
    stage_done(&s);
}

static void the_port_is_named_unless_everybody_knows_it(void **state)
{
    static const struct https_address address = {.family = 4};
    static const struct {
        const char *host;
        uint16_t port;
        bool has_tls;
        const char *want;
    } cases[] = {
        {"a.example", 80, false, "\r\nHost: a.example\r\n"},
        {"a.example", 443, false, "\r\nHost: a.example:443\r\n"},
        {"a.example", 443, true, "\r\nHost: a.example\r\n"},
        {"a.example", 80, true, "\r\nHost: a.example:80\r\n"},
        {"[::1]", 8443, true, "\r\nHost: [::1]:8443\r\n"},
    };
    static uint8_t memory[REQUEST_HEAD_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct https_server server = {.host = bytes_of(cases[i].host),
                                      .port = cases[i].port,
                                      .addresses = &address,
                                      .address_count = 1,
                                      /* not looked into */
                                      .tls = cases[i].has_tls ? (void *)memory : NULL};
        struct https_request request = {.method = "GET", .path = bytes_of("/")};
        struct bytes head;
        struct err err;
        assert_true(request_head(&server, &request, memory, &head, &err));
        assert_non_null(memmem(head.data, head.size, cases[i].want, strlen(cases[i].want)));
    }
}

static void requests_that_are_none_are_refused(void **state)
{
    static char long_path[HTTPS_PATH_MAX + 2], long_type[REQUEST_TEXT_MAX + 2];
    struct stage s;
    struct err err;

    (void)state;
    memset(long_path, '/', sizeof long_path - 1);
    memset(long_type, 'a', sizeof long_type - 1);
    stage_init(&s);
    const struct {
        const char *method;
        struct bytes path;
        const char *accept, *content_type;
        enum err_code code;
    } cases[] = {
        {"get", bytes_of("/"), NULL, NULL, ERR_INVALID},
        {"", bytes_of("/"), NULL, NULL, ERR_INVALID},
        {NULL, bytes_of("/"), NULL, NULL, ERR_INVALID},
        {"GET /\r\nA:", bytes_of("/"), NULL, NULL, ERR_INVALID},
        {"HEAD", bytes_of("/"), NULL, NULL, ERR_INVALID},
        {"CONNECT", bytes_of("/"), NULL, NULL, ERR_INVALID},
        {"ABCDEFGHIJKLMNOPQ", bytes_of("/"), NULL, NULL, ERR_INVALID},
        {"GET", bytes_of(""), NULL, NULL, ERR_INVALID},
        {"GET", bytes_of("a"), NULL, NULL, ERR_INVALID},
        {"GET", bytes_of("http://a.example/"), NULL, NULL, ERR_INVALID},
        {"GET", bytes_of("/a b"), NULL, NULL, ERR_INVALID},
        {"GET", bytes_of("/a\r\nHost: b"), NULL, NULL, ERR_INVALID},
        {"GET", bytes_from("/\0", 2), NULL, NULL, ERR_INVALID},
        {"GET", bytes_of("/\x7f"), NULL, NULL, ERR_INVALID},
        {"GET", bytes_of("/\xc3\xa4"), NULL, NULL, ERR_INVALID},
        {"GET", bytes_of("/a#b"), NULL, NULL, ERR_INVALID},
        {"GET", bytes_of(long_path), NULL, NULL, ERR_LIMIT},
        {"GET", bytes_of("/"), "", NULL, ERR_INVALID},
        {"GET", bytes_of("/"), "a\r\nB: c", NULL, ERR_INVALID},
        {"GET", bytes_of("/"), "a\tb", NULL, ERR_INVALID},
        {"GET", bytes_of("/"), long_type, NULL, ERR_INVALID},
        {"POST", bytes_of("/"), NULL, "a\n", ERR_INVALID},
        {"POST", bytes_of("/"), NULL, "\xe4", ERR_INVALID},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct https_request request = {.method = cases[i].method,
                                        .path = cases[i].path,
                                        .accept = cases[i].accept,
                                        .content_type = cases[i].content_type,
                                        .arena = &s.arena};
        assert_false(https_begin(s.connection, &request, &err));
        assert_int_equal(err.code, cases[i].code);
    }
    struct https_request request = get(&s, "/");
    request.arena = NULL;
    assert_false(https_begin(s.connection, &request, &err));
    assert_int_equal(err.code, ERR_INVALID);
    /* the longest that is one; and not two at a time */
    long_path[HTTPS_PATH_MAX] = '\0';
    long_type[REQUEST_TEXT_MAX] = '\0';
    request = get(&s, long_path);
    request.accept = request.content_type = long_type;
    request.body = bytes_of("x");
    begin(&s, &request);
    assert_false(https_begin(s.connection, &request, &err));
    assert_int_equal(err.code, ERR_INVALID);
    stage_done(&s);
}

static void servers_that_are_none_are_refused(void **state)
{
    static const struct https_address good_address = {.family = 4}, bad_address = {.family = 5};
    static char long_host[257];
    struct https_connection *connection;
    struct err err;
    uint8_t tls;

    (void)state;
    memset(long_host, 'a', sizeof long_host - 1);
    const struct https_server model = {
        .host = bytes_of("a.example"), .port = 1, .addresses = &good_address, .address_count = 1};
    struct https_server servers[] = {model, model, model, model, model, model, model, model, model};
    servers[0].host = bytes_of("");
    servers[1].host = bytes_of(long_host);
    servers[2].host = bytes_of("a\r\nB: c");
    servers[3].host = bytes_from("a\0b", 3);
    servers[4].port = 0;
    servers[5].address_count = 0;
    servers[6].address_count = HTTPS_ADDRESSES_MAX + 1;
    servers[7].addresses = &bad_address;
    servers[8].tls = (void *)&tls; /* not looked into: nobody judges */
    for (size_t i = 0; i < COUNT_OF(servers); i++) {
        assert_false(https_connection_new(&servers[i], &connection, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
    assert_true(https_connection_new(&model, &connection, &err));
    struct https_answer answer;
    assert_int_equal(https_advance(connection, &answer, &err), HTTPS_FAILED);
    assert_int_equal(err.code, ERR_INVALID);
    bool wants_write;
    assert_int_equal(https_fd(connection, &wants_write), -1);
    https_connection_free(connection);
    https_connection_free(NULL);
}

/* ---- connections ---- */

static void answers_come_byte_by_byte(void **state)
{
    struct stage s;
    struct https_answer answer = {.status = 0};
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct bytes text = bytes_of(good[i].text);
        bool is_to_end = good[i].ends_with_connection;
        stage_init(&s);
        struct https_request request = get(&s, "/");
        ask(&s, &request);
        for (size_t at = 0; at < text.size; at++) {
            peer_send(&s, bytes_from(text.data + at, 1));
            if (at + 1 < text.size || is_to_end)
                assert_int_equal(advance_more(&s, &answer, &err), HTTPS_WAITING);
            else
                assert_int_equal(finish(&s, &answer, &err), HTTPS_DONE);
        }
        if (is_to_end) {
            peer_close(&s);
            assert_int_equal(finish(&s, &answer, &err), HTTPS_DONE);
        }
        check_good(&good[i], &answer);
        /* the next request goes where it should */
        ask(&s, &request);
        bool wants_write;
        assert_true(https_fd(s.connection, &wants_write) >= 0);
        assert_false(has_caller(&s));
        stage_done(&s);
    }
}

static void answers_that_are_cut_off_are_none(void **state)
{
    struct stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    stage_init(&s);
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        for (size_t size = 0; size < strlen(good[i].text); size++) {
            if (good[i].ends_with_connection && size >= headers_size(good[i].text))
                continue;
            struct https_request request = get(&s, "/");
            peer_close(&s);
            ask(&s, &request);
            peer_send(&s, bytes_before(bytes_of(good[i].text), size));
            assert_int_equal(size == 0 ? HTTPS_WAITING : advance_more(&s, &answer, &err),
                             HTTPS_WAITING);
            peer_close(&s);
            assert_int_equal(finish(&s, &answer, &err), HTTPS_FAILED);
            assert_int_equal(err.code, size == 0 ? ERR_IO : ERR_FORMAT);
            if (size == 0)
                assert_int_equal(err.at, ECONNRESET);
            assert_false(has_caller(&s)); /* the first request of its connection */
        }
    }
    stage_done(&s);
}

/* Whether the request after an answer goes to the same connection. */
static void connections_are_kept_when_the_answer_says_so(void **state)
{
    struct stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        stage_init(&s);
        struct https_request request = get(&s, "/");
        ask(&s, &request);
        peer_send(&s, bytes_of(good[i].text));
        if (good[i].ends_with_connection) {
            assert_int_equal(advance_more(&s, &answer, &err), HTTPS_WAITING);
            assert_int_equal(shutdown(s.peer, SHUT_WR), 0);
        }
        assert_int_equal(finish(&s, &answer, &err), HTTPS_DONE);
        begin(&s, &request);
        if (good[i].is_kept) {
            assert_int_equal(advance(&s, &answer, &err), HTTPS_WAITING);
            peer_expect(&s, "GET / HTTP/1.1\r\n");
            assert_false(has_caller(&s));
        } else {
            expect_caller(&s);
        }
        stage_done(&s);
    }
}

static const char kept_answer[] = OK HELLO;

/* A connection that has served a request. */
static void serve_one(struct stage *s, const struct https_request *request)
{
    struct https_answer answer;
    struct err err;

    ask(s, request);
    peer_send(s, bytes_of(kept_answer));
    assert_int_equal(finish(s, &answer, &err), HTTPS_DONE);
}

static void a_kept_connection_that_has_ended_is_not_used(void **state)
{
    static const char *const last_words[] = {"",
                                             "HTTP/1.1 408 Too Late\r\nContent-Length: 0\r\n\r\n"};
    struct stage s;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(last_words); i++) {
        stage_init(&s);
        struct https_request request = get(&s, "/");
        serve_one(&s, &request);
        peer_send(&s, bytes_of(last_words[i]));
        peer_close(&s);
        bool wants_write;
        wait_for(https_fd(s.connection, &wants_write), POLLIN);
        serve_one(&s, &request);
        /* that one did serve: what is unasked for does not pass for an answer either */
        peer_send(&s, bytes_of(OK HELLO));
        wait_for(https_fd(s.connection, &wants_write), POLLIN);
        begin(&s, &request);
        expect_caller(&s);
        stage_done(&s);
    }
}

static void bytes_after_an_answer_end_its_connection(void **state)
{
    struct stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    stage_init(&s);
    struct https_request request = get(&s, "/");
    ask(&s, &request);
    peer_send(&s, bytes_of(OK HELLO "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
    assert_int_equal(finish(&s, &answer, &err), HTTPS_DONE);
    assert_true(bytes_is(answer.body, "hello"));
    begin(&s, &request);
    expect_caller(&s);
    stage_done(&s);
}

/* The server ends the connection while the second request is on its way. */
static void a_stale_connection_is_tried_again_once(void **state)
{
    struct stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    for (int with_reset = 0; with_reset < 2; with_reset++) {
        struct linger reset = {.l_onoff = with_reset};
        stage_init(&s);
        struct https_request request = get(&s, "/");
        request.method = "POST";
        request.body = bytes_of("body");
        serve_one(&s, &request);
        ask(&s, &request);
        (void)setsockopt(s.peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        peer_close(&s);
        expect_caller(&s);
        peer_accept(&s);
        peer_expect(&s, "POST / HTTP/1.1\r\n");
        peer_send(&s, bytes_of(OK HELLO));
        assert_int_equal(finish(&s, &answer, &err), HTTPS_DONE);
        assert_true(bytes_is(answer.body, "hello"));

        /* once, not twice */
        ask(&s, &request);
        peer_close(&s);
        expect_caller(&s);
        peer_accept(&s);
        (void)setsockopt(s.peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        peer_close(&s);
        assert_int_equal(finish(&s, &answer, &err), HTTPS_FAILED);
        assert_int_equal(err.code, ERR_IO);
        assert_int_equal(err.at, ECONNRESET);
        assert_false(has_caller(&s));
        stage_done(&s);
    }
}

static void an_answer_that_has_begun_is_not_asked_for_again(void **state)
{
    struct stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    stage_init(&s);
    struct https_request request = get(&s, "/");
    serve_one(&s, &request);
    ask(&s, &request);
    peer_send(&s, bytes_of("H"));
    assert_int_equal(advance_more(&s, &answer, &err), HTTPS_WAITING);
    peer_close(&s);
    assert_int_equal(finish(&s, &answer, &err), HTTPS_FAILED);
    assert_int_equal(err.code, ERR_FORMAT);
    assert_false(has_caller(&s));
    /* a failure leaves the connection fit for the next request */
    serve_one(&s, &request);
    stage_done(&s);
}

static void a_bad_answer_has_words_for_the_log(void **state)
{
    struct stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    stage_init(&s);
    struct https_request request = get(&s, "/");
    ask(&s, &request);
    peer_send(&s, bytes_of(OK "Content-Length: 5x\r\n\r\n"));
    assert_int_equal(finish(&s, &answer, &err), HTTPS_FAILED);
    assert_int_equal(err.code, ERR_FORMAT);
    assert_string_equal(https_detail(s.connection), "invalid character in content-length header");
    stage_done(&s);
}

static void addresses_are_tried_in_turn(void **state)
{
    struct stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    stage_init(&s);
    /* nobody listens there */
    s.addresses[1] = s.addresses[0];
    s.addresses[0] = (struct https_address){.family = 4, .bytes = {127, 0, 0, 2}};
    s.server.address_count = 2;
    struct https_request request = get(&s, "/");
    serve_one(&s, &request);
    stage_done(&s);

    stage_init(&s);
    s.addresses[0] = (struct https_address){.family = 6, .bytes = {[15] = 1}};
    s.addresses[1] = (struct https_address){.family = 4, .bytes = {127, 0, 0, 2}};
    s.server.address_count = 2;
    request = get(&s, "/");
    for (int i = 0; i < 2; i++) {
        begin(&s, &request);
        assert_int_equal(finish(&s, &answer, &err), HTTPS_FAILED);
        assert_int_equal(err.code, ERR_IO);
        assert_int_equal(err.at, ECONNREFUSED);
    }
    stage_done(&s);
}

/* Both ways, with more than sockets hold. */
static void large_bodies_pass(void **state)
{
    enum { SIZE = 8 << 20 };
    struct stage s;
    struct https_answer answer;
    struct err err;
    size_t got = 0, sent = 0;
    bool waited_to_write = false;

    (void)state;
    uint8_t *body = malloc(SIZE), *seen = malloc(SIZE + 4096);
    assert_true(body != NULL && seen != NULL);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (uint8_t)(i * 7 + i / 251);
    stage_init(&s);
    struct https_request request = get(&s, "/");
    request.method = "PUT";
    request.body = bytes_from(body, SIZE);
    request.answer_max = SIZE;
    begin(&s, &request);
    assert_int_equal(https_advance(s.connection, &answer, &err), HTTPS_WAITING);
    peer_accept(&s);
    const uint8_t *end = NULL;
    while (end == NULL || got < (size_t)(end - seen) + SIZE) {
        bool wants_write = false;
        ssize_t n = recv(s.peer, seen + got, SIZE + 4096 - got, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
        end = memmem(seen, got < 4096 ? got : 4096, "\r\n\r\n", 4);
        end = end != NULL ? end + 4 : NULL;
        assert_int_equal(https_advance(s.connection, &answer, &err), HTTPS_WAITING);
        (void)https_fd(s.connection, &wants_write);
        waited_to_write |= wants_write;
    }
    assert_true(waited_to_write);
    assert_memory_equal(end, body, SIZE);
    peer_send(&s, bytes_of(OK "Content-Length: 8388608\r\n\r\n"));
    enum https_state now = HTTPS_WAITING;
    while (now == HTTPS_WAITING) {
        if (sent < SIZE) {
            ssize_t n = send(s.peer, body + sent, SIZE - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
            sent += n > 0 ? (size_t)n : 0;
        }
        now = https_advance(s.connection, &answer, &err);
    }
    assert_int_equal(now, HTTPS_DONE);
    assert_int_equal(answer.body.size, SIZE);
    assert_memory_equal(answer.body.data, body, SIZE);
    stage_done(&s);
    free(body);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_answers_are_read_however_they_are_cut),
        cmocka_unit_test(the_mark_of_a_tag_is_read),
        cmocka_unit_test(no_part_of_an_answer_is_an_answer),
        cmocka_unit_test(bytes_after_an_answer_are_left),
        cmocka_unit_test(bad_answers_are_refused),
        cmocka_unit_test(limits_are_kept_to_the_byte),
        cmocka_unit_test(memory_is_taken_for_what_came),
        cmocka_unit_test(the_nth_allocation_fails),
        cmocka_unit_test(requests_are_as_they_should_be),
        cmocka_unit_test(the_port_is_named_unless_everybody_knows_it),
        cmocka_unit_test(requests_that_are_none_are_refused),
        cmocka_unit_test(servers_that_are_none_are_refused),
        cmocka_unit_test(answers_come_byte_by_byte),
        cmocka_unit_test(answers_that_are_cut_off_are_none),
        cmocka_unit_test(connections_are_kept_when_the_answer_says_so),
        cmocka_unit_test(a_kept_connection_that_has_ended_is_not_used),
        cmocka_unit_test(bytes_after_an_answer_end_its_connection),
        cmocka_unit_test(a_stale_connection_is_tried_again_once),
        cmocka_unit_test(an_answer_that_has_begun_is_not_asked_for_again),
        cmocka_unit_test(a_bad_answer_has_words_for_the_log),
        cmocka_unit_test(addresses_are_tried_in_turn),
        cmocka_unit_test(large_bodies_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
