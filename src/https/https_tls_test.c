/* The client against OpenSSL as a server. */
#include "https/https_test.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* 2026-11-23 */
#define NOW INT64_C(1795392000)

#define OK "HTTP/1.1 200 OK\r\n"
#define HELLO "Content-Length: 5\r\n\r\nhello"

/* ---- certificates ---- */

struct certified {
    EVP_PKEY *key;
    X509 *certificate;
};

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* A server of these names, by an authority; or an authority: issuer NULL. */
static void certify(struct certified *out, const struct certified *issuer, const char *names)
{
    const char *name = issuer == NULL ? "root" : "server";
    struct err err;

    assert_true(tls_key_new(&out->key, &err));
    X509 *x509 = out->certificate = X509_new();
    assert_non_null(x509);
    const struct certified *by = issuer != NULL ? issuer : out;
    assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
    assert_int_equal(X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_commonName,
                                                MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                                                0),
                     1);
    assert_int_equal(X509_set_issuer_name(x509, X509_get_subject_name(by->certificate)), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x509), NOW - 3600));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509), NOW + 3600));
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), issuer == NULL ? 1 : 2), 1);
    assert_int_equal(X509_set_pubkey(x509, out->key), 1);
    add_extension(x509, by->certificate, NID_basic_constraints,
                  issuer == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (issuer != NULL)
        add_extension(x509, by->certificate, NID_subject_alt_name, names);
    assert_true(X509_sign(x509, by->key, EVP_sha256()) > 0);
}

static void certified_done(struct certified *c)
{
    EVP_PKEY_free(c->key);
    X509_free(c->certificate);
}

/* ---- a stage with TLS ---- */

struct tls_stage {
    struct stage plain;
    struct certified root, leaf;
    struct tls_roots *roots;
    struct tls_context *context;
    SSL_CTX *ctx;
    SSL *ssl; /* NULL: nobody is connected */
    const char *why;
    int asked;
};

static enum tls_verdict judge(void *context, X509 *leaf, STACK_OF(X509) * chain)
{
    struct tls_stage *s = context;

    s->asked++;
    return tls_server_judge(s->roots, s->plain.server.host, NOW, leaf, chain, &s->why);
}

static void tls_stage_init(struct tls_stage *s, const char *host, const char *names)
{
    struct bytes none = {.size = 0};
    struct err err;
    char *pem;

    *s = (struct tls_stage){.ssl = NULL};
    certify(&s->root, NULL, NULL);
    certify(&s->leaf, &s->root, names);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, s->root.certificate), 1);
    long size = BIO_get_mem_data(bio, &pem);
    assert_true(tls_roots_new(bytes_from(pem, (size_t)size), &s->roots, &err));
    BIO_free(bio);
    assert_true(tls_context_new(none, NULL, &s->context, &err));
    s->ctx = SSL_CTX_new(TLS_server_method());
    assert_non_null(s->ctx);
    assert_int_equal(SSL_CTX_use_certificate(s->ctx, s->leaf.certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, s->leaf.key), 1);
    stage_open(&s->plain);
    s->plain.server.host = bytes_of(host);
    s->plain.server.tls = s->context;
    s->plain.server.judge = judge;
    s->plain.server.judge_context = s;
    stage_connect(&s->plain);
}

/* The connection ends, without a word of TLS. */
static void tls_peer_drop(struct tls_stage *s)
{
    SSL_free(s->ssl);
    s->ssl = NULL;
    ERR_clear_error();
    peer_close(&s->plain);
}

static void tls_stage_done(struct tls_stage *s)
{
    tls_peer_drop(s);
    stage_done(&s->plain);
    SSL_CTX_free(s->ctx);
    tls_context_free(s->context);
    tls_roots_free(s->roots);
    certified_done(&s->leaf);
    certified_done(&s->root);
}

/* Takes a caller's connection; from there on it does not block. */
static void tls_peer_accept(struct tls_stage *s)
{
    tls_peer_drop(s);
    peer_accept(&s->plain);
    assert_int_equal(fcntl(s->plain.peer, F_SETFL, O_NONBLOCK), 0);
    s->ssl = SSL_new(s->ctx);
    assert_non_null(s->ssl);
    assert_int_equal(SSL_set_fd(s->ssl, s->plain.peer), 1);
    SSL_set_accept_state(s->ssl);
}

/* Reads what has come. */
static size_t tls_peer_read(struct tls_stage *s, char *out, size_t size)
{
    size_t got = 0, done;

    while (s->ssl != NULL && got < size && SSL_read_ex(s->ssl, out + got, size - got, &done) == 1)
        got += done;
    ERR_clear_error();
    return got;
}

/* Each call is one record. */
static void tls_peer_send(struct tls_stage *s, struct bytes in)
{
    size_t done;
    assert_true(in.size == 0 || SSL_write_ex(s->ssl, in.data, in.size, &done) == 1);
}

/* Plays both sides until the server has the head of the request, or the client gave up. */
static enum https_state tls_ask(struct tls_stage *s, const struct https_request *request,
                                struct err *err)
{
    enum https_state state = HTTPS_WAITING;
    struct https_answer answer;
    char got[16384];
    size_t size = 0;

    begin(&s->plain, request);
    for (int ms = 0; ms < PATIENCE_MS && state == HTTPS_WAITING; ms++) {
        struct pollfd p[2] = {{.fd = s->plain.listener, .events = POLLIN},
                              {.fd = s->plain.peer, .events = POLLIN}};
        state = https_advance(s->plain.connection, &answer, err);
        (void)poll(p, 2, 1);
        if (p[0].revents != 0) {
            tls_peer_accept(s);
            size = 0;
        }
        size += tls_peer_read(s, got + size, sizeof got - size);
        if (memmem(got, size, "\r\n\r\n", 4) != NULL)
            return state;
    }
    assert_int_equal(state, HTTPS_FAILED);
    assert_null(memmem(got, size, "HTTP", 4)); /* nothing was said to whom we do not believe */
    return state;
}

static void expect_hello(struct tls_stage *s)
{
    struct https_answer answer;
    struct err err;

    tls_peer_send(s, bytes_of(OK HELLO));
    assert_int_equal(finish(&s->plain, &answer, &err), HTTPS_DONE);
    assert_int_equal(answer.status, 200);
    assert_true(bytes_is(answer.body, "hello"));
}

/* ---- who they are ---- */

static void a_server_that_is_believed_serves_many_requests(void **state)
{
    struct tls_stage s;
    struct err err;

    (void)state;
    tls_stage_init(&s, "localhost", "DNS:localhost");
    struct https_request request = get(&s.plain, "/");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tls_ask(&s, &request, &err), HTTPS_WAITING);
        assert_string_equal(SSL_get_servername(s.ssl, TLSEXT_NAMETYPE_host_name), "localhost");
        expect_hello(&s);
    }
    assert_int_equal(s.asked, 1);
    /* it ends the connection properly; the next request makes one, and asks again who that is */
    assert_true(SSL_shutdown(s.ssl) >= 0);
    assert_int_equal(tls_ask(&s, &request, &err), HTTPS_WAITING);
    expect_hello(&s);
    assert_int_equal(s.asked, 2);
    tls_stage_done(&s);
}

static void addresses_have_no_place_in_the_server_name(void **state)
{
    struct tls_stage s;
    struct err err;

    (void)state;
    tls_stage_init(&s, "127.0.0.1", "IP:127.0.0.1");
    struct https_request request = get(&s.plain, "/");
    assert_int_equal(tls_ask(&s, &request, &err), HTTPS_WAITING);
    assert_null(SSL_get_servername(s.ssl, TLSEXT_NAMETYPE_host_name));
    expect_hello(&s);
    tls_stage_done(&s);
    assert_true(host_is_address(bytes_of("[::1]")));
    assert_false(host_is_address(bytes_of("1.2.3.4.example")));
    assert_false(host_is_address(bytes_of("")));
}

static void servers_that_are_not_believed_are_told_nothing(void **state)
{
    static const struct {
        const char *host, *names;
        bool by_other;
    } cases[] = {
        {"localhost", "DNS:other.example", false},
        {"127.0.0.1", "DNS:localhost", false},
        {"localhost", "DNS:localhost", true},
    };
    struct tls_stage s;
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct certified other, leaf;
        tls_stage_init(&s, cases[i].host, cases[i].names);
        certify(&other, NULL, NULL);
        certify(&leaf, &other, cases[i].names);
        if (cases[i].by_other) {
            assert_int_equal(SSL_CTX_use_certificate(s.ctx, leaf.certificate), 1);
            assert_int_equal(SSL_CTX_use_PrivateKey(s.ctx, leaf.key), 1);
        }
        struct https_request request = get(&s.plain, "/");
        assert_int_equal(tls_ask(&s, &request, &err), HTTPS_FAILED);
        assert_int_equal(err.code, ERR_CRYPTO);
        assert_int_equal(s.asked, 1);
        assert_non_null(s.why);
        assert_string_not_equal(https_detail(s.plain.connection), "");
        assert_false(has_caller(&s.plain)); /* nor asked a second time */
        certified_done(&leaf);
        certified_done(&other);
        tls_stage_done(&s);
    }
}

static void servers_that_speak_something_else_are_refused(void **state)
{
    struct tls_stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    tls_stage_init(&s, "localhost", "DNS:localhost");
    assert_int_equal(SSL_CTX_set_max_proto_version(s.ctx, TLS1_2_VERSION), 1);
    struct https_request request = get(&s.plain, "/");
    assert_int_equal(tls_ask(&s, &request, &err), HTTPS_FAILED);
    assert_int_equal(err.code, ERR_CRYPTO);
    assert_int_equal(s.asked, 0);
    /* plain HTTP */
    begin(&s.plain, &request);
    assert_int_equal(advance(&s.plain, &answer, &err), HTTPS_WAITING);
    tls_peer_accept(&s);
    peer_send(&s.plain, bytes_of(OK HELLO));
    assert_int_equal(finish(&s.plain, &answer, &err), HTTPS_FAILED);
    assert_int_equal(err.code, ERR_CRYPTO);
    assert_string_not_equal(https_detail(s.plain.connection), "");
    tls_stage_done(&s);
}

/* ---- how answers end ---- */

static void answers_come_in_any_records(void **state)
{
    static const char text[] = OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    struct tls_stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    tls_stage_init(&s, "localhost", "DNS:localhost");
    struct https_request request = get(&s.plain, "/");
    assert_int_equal(tls_ask(&s, &request, &err), HTTPS_WAITING);
    for (size_t at = 0; at < sizeof text - 1; at++) {
        tls_peer_send(&s, bytes_from(text + at, 1));
        if (at + 2 < sizeof text)
            assert_int_equal(advance_more(&s.plain, &answer, &err), HTTPS_WAITING);
    }
    assert_int_equal(finish(&s.plain, &answer, &err), HTTPS_DONE);
    assert_true(bytes_is(answer.body, "hello"));
    /* many at once: none is left lying */
    assert_int_equal(tls_ask(&s, &request, &err), HTTPS_WAITING);
    for (size_t at = 0; at < sizeof text - 1; at++)
        tls_peer_send(&s, bytes_from(text + at, 1));
    assert_int_equal(finish(&s.plain, &answer, &err), HTTPS_DONE);
    assert_true(bytes_is(answer.body, "hello"));
    assert_int_equal(s.asked, 1);
    tls_stage_done(&s);
}

/* Only a server can end its connection properly; anybody on the way can cut it off. */
static void only_a_proper_end_ends_an_answer(void **state)
{
    static const char text[] = OK "Content-Type: a/b\r\n\r\nhello";
    static const size_t headers = sizeof(OK "Content-Type: a/b\r\n\r\n") - 1;
    struct tls_stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    tls_stage_init(&s, "localhost", "DNS:localhost");
    struct https_request request = get(&s.plain, "/");
    for (size_t size = 0; size < sizeof text; size++) {
        for (int is_proper = 0; is_proper < 2; is_proper++) {
            assert_int_equal(tls_ask(&s, &request, &err), HTTPS_WAITING);
            tls_peer_send(&s, bytes_from(text, size));
            if (size != 0)
                assert_int_equal(advance_more(&s.plain, &answer, &err), HTTPS_WAITING);
            if (is_proper)
                assert_true(SSL_shutdown(s.ssl) >= 0);
            tls_peer_drop(&s);
            bool is_good = is_proper && size >= headers;
            assert_int_equal(finish(&s.plain, &answer, &err), is_good ? HTTPS_DONE : HTTPS_FAILED);
            if (is_good)
                assert_true(bytes_equal(answer.body, bytes_from(text + headers, size - headers)));
            else
                assert_int_equal(err.code, is_proper && size != 0 ? ERR_FORMAT : ERR_IO);
        }
    }
    tls_stage_done(&s);
}

static void a_stale_connection_is_tried_again_once(void **state)
{
    struct tls_stage s;
    struct https_answer answer;
    struct err err;

    (void)state;
    tls_stage_init(&s, "localhost", "DNS:localhost");
    struct https_request request = get(&s.plain, "/");
    for (int is_proper = 0; is_proper < 2; is_proper++) {
        assert_int_equal(tls_ask(&s, &request, &err), HTTPS_WAITING);
        expect_hello(&s);
        assert_int_equal(tls_ask(&s, &request, &err), HTTPS_WAITING);
        if (is_proper)
            assert_true(SSL_shutdown(s.ssl) >= 0);
        tls_peer_drop(&s);
        expect_caller(&s.plain);
        tls_peer_accept(&s);
        tls_peer_drop(&s);
        assert_int_equal(finish(&s.plain, &answer, &err), HTTPS_FAILED);
        assert_int_equal(err.code, ERR_IO);
        assert_false(has_caller(&s.plain));
    }
    tls_stage_done(&s);
}

static void large_bodies_pass(void **state)
{
    enum { SIZE = 4 << 20 };
    struct tls_stage s;
    struct https_answer answer;
    struct err err;
    size_t got = 0, sent = 0, done;
    bool waited_to_write = false;

    (void)state;
    uint8_t *body = malloc(SIZE);
    char *seen = malloc(SIZE + 4096);
    assert_true(body != NULL && seen != NULL);
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (uint8_t)(i * 7 + i / 251);
    tls_stage_init(&s, "localhost", "DNS:localhost");
    SSL_CTX_set_mode(s.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    struct https_request request = get(&s.plain, "/");
    request.method = "PUT";
    request.body = bytes_from(body, SIZE);
    request.answer_max = SIZE;
    begin(&s.plain, &request);
    assert_int_equal(https_advance(s.plain.connection, &answer, &err), HTTPS_WAITING);
    tls_peer_accept(&s);
    const char *end = NULL;
    while (end == NULL || got < (size_t)(end - seen) + SIZE) {
        bool wants_write = false;
        assert_int_equal(https_advance(s.plain.connection, &answer, &err), HTTPS_WAITING);
        (void)https_fd(s.plain.connection, &wants_write);
        waited_to_write |= wants_write;
        got += tls_peer_read(&s, seen + got, SIZE + 4096 - got);
        end = memmem(seen, got < 4096 ? got : 4096, "\r\n\r\n", 4);
        end = end != NULL ? end + 4 : NULL;
    }
    assert_true(waited_to_write);
    assert_memory_equal(end, body, SIZE);
    tls_peer_send(&s, bytes_of(OK "Content-Length: 4194304\r\n\r\n"));
    enum https_state now = HTTPS_WAITING;
    while (now == HTTPS_WAITING) {
        if (sent < SIZE && SSL_write_ex(s.ssl, body + sent, SIZE - sent, &done) == 1)
            sent += done;
        now = https_advance(s.plain.connection, &answer, &err);
    }
    ERR_clear_error();
    assert_int_equal(now, HTTPS_DONE);
    assert_int_equal(answer.body.size, SIZE);
    assert_memory_equal(answer.body.data, body, SIZE);
    tls_stage_done(&s);
    free(body);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_is_believed_serves_many_requests),
        cmocka_unit_test(addresses_have_no_place_in_the_server_name),
        cmocka_unit_test(servers_that_are_not_believed_are_told_nothing),
        cmocka_unit_test(servers_that_speak_something_else_are_refused),
        cmocka_unit_test(answers_come_in_any_records),
        cmocka_unit_test(only_a_proper_end_ends_an_answer),
        cmocka_unit_test(a_stale_connection_is_tried_again_once),
        cmocka_unit_test(large_bodies_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
