#include "support.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tls/tls.h"

/* 2026-11-23 */
#define NOW INT64_C(1795392000)

static struct arena arena;

/* ---- a peer of ours, with a judge that says what it is told to ---- */

struct end {
    struct tls_context *context;
    struct tls_stream *stream;
    int fd;
    enum tls_verdict says;
    int asked, sent; /* how many certificates came, the last time */
};

static enum tls_verdict judge(void *context, X509 *leaf, STACK_OF(X509) * chain)
{
    struct end *end = context;

    assert_non_null(leaf);
    assert_true(chain == NULL || sk_X509_num(chain) >= 1);
    end->asked++;
    end->sent = sk_X509_num(chain);
    return end->says;
}

static struct tls_context *new_context(bool has_key)
{
    struct tls_context *context;
    struct bytes chain = {.size = 0};
    EVP_PKEY *key = NULL;
    struct err err;

    if (has_key) {
        assert_true(tls_key_new(&key, &err));
        assert_true(tls_self_signed(key, NOW, &arena, &chain, &err));
    }
    assert_true(tls_context_new(chain, key, &context, &err));
    EVP_PKEY_free(key);
    return context;
}

static void open_end(struct end *end, bool is_server, bool has_key, bool needs_certificate, int fd)
{
    struct tls_setup setup = {.context = new_context(has_key),
                              .fd = fd,
                              .is_server = is_server,
                              .needs_certificate = needs_certificate,
                              .judge = judge,
                              .judge_context = end};
    struct err err;

    *end = (struct end){.context = setup.context, .fd = fd};
    assert_true(tls_stream_new(&setup, &end->stream, &err));
}

static void close_end(struct end *end)
{
    tls_stream_free(end->stream);
    tls_context_free(end->context);
    if (end->fd >= 0)
        assert_int_equal(close(end->fd), 0);
}

static void open_sockets(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

static void open_pair(struct end *client, struct end *server, bool client_has_key, bool needs)
{
    int fds[2];

    arena_init(&arena, arena_heap, SIZE_MAX);
    open_sockets(fds);
    open_end(client, false, client_has_key, false, fds[0]);
    open_end(server, true, true, needs, fds[1]);
}

static void close_pair(struct end *client, struct end *server)
{
    close_end(client);
    close_end(server);
    arena_done(&arena);
}

static bool is_waiting(enum tls_result result)
{
    return result == TLS_WANT_READ || result == TLS_WANT_WRITE;
}

/* Both sides of a handshake, to its end. */
static void shake(struct end *client, struct end *server, enum tls_result *of_client,
                  enum tls_result *of_server)
{
    *of_client = *of_server = TLS_WANT_READ;
    for (int i = 0; i < 20 && (is_waiting(*of_client) || is_waiting(*of_server)); i++) {
        if (is_waiting(*of_client))
            *of_client = tls_handshake(client->stream);
        if (is_waiting(*of_server))
            *of_server = tls_handshake(server->stream);
    }
}

static void shake_well(struct end *client, struct end *server)
{
    enum tls_result of_client, of_server;

    shake(client, server, &of_client, &of_server);
    assert_int_equal(of_client, TLS_OK);
    assert_int_equal(of_server, TLS_OK);
}

static void both_sides_are_judged(void **state)
{
    struct end client, server;

    (void)state;
    open_pair(&client, &server, true, true);
    shake_well(&client, &server);
    assert_int_equal(client.asked, 1);
    assert_int_equal(server.asked, 1);
    assert_true(tls_has_peer(client.stream) && tls_has_peer(server.stream));
    close_pair(&client, &server);
}

static void a_client_may_be_nobody_where_that_is_allowed(void **state)
{
    struct end client, server;
    enum tls_result of_client, of_server;

    (void)state;
    open_pair(&client, &server, false, false);
    shake_well(&client, &server);
    assert_int_equal(server.asked, 0);
    assert_false(tls_has_peer(server.stream));
    close_pair(&client, &server);

    open_pair(&client, &server, false, true);
    shake(&client, &server, &of_client, &of_server);
    assert_int_equal(of_server, TLS_BROKEN);
    assert_string_equal(tls_stream_error(server.stream),
                        "the client presented no valid certificate");
    close_pair(&client, &server);
}

/* Each refusal reaches the other side as the alert that it should be. */
static void refusals_are_alerts(void **state)
{
    static const struct {
        enum tls_verdict says;
        const char *alert;
    } cases[] = {
        {TLS_REFUSE_BAD, "sslv3 alert bad certificate"},
        {TLS_REFUSE_UNKNOWN, "tlsv1 alert unknown ca"},
        {TLS_REFUSE_EXPIRED, "sslv3 alert certificate expired"},
        {TLS_REFUSE_REVOKED, "sslv3 alert certificate revoked"},
        {TLS_REFUSE_POLICY, "sslv3 alert handshake failure"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct end client, server;
        enum tls_result of_client, of_server;
        open_pair(&client, &server, true, true);
        client.says = cases[i].says;
        shake(&client, &server, &of_client, &of_server);
        assert_int_equal(of_client, TLS_BROKEN);
        assert_false(tls_has_peer(client.stream));
        assert_int_equal(of_server, TLS_BROKEN);
        assert_string_equal(tls_stream_error(server.stream), cases[i].alert);
        assert_int_equal(tls_stream_errno(server.stream), 0);
        close_pair(&client, &server);

        /* a client is done before the server has seen its certificate, and learns it by reading */
        open_pair(&client, &server, true, true);
        server.says = cases[i].says;
        shake(&client, &server, &of_client, &of_server);
        assert_int_equal(of_server, TLS_BROKEN);
        uint8_t byte;
        size_t done;
        assert_int_equal(tls_read(client.stream, &byte, 1, &done), TLS_BROKEN);
        assert_string_equal(tls_stream_error(client.stream), cases[i].alert);
        close_pair(&client, &server);
    }
}

/* ---- data ---- */

static void data_passes_and_can_be_looked_at_first(void **state)
{
    struct end client, server;
    uint8_t buffer[64];
    size_t done;

    (void)state;
    open_pair(&client, &server, true, true);
    shake_well(&client, &server);
    assert_int_equal(tls_read(server.stream, buffer, sizeof buffer, &done), TLS_WANT_READ);
    assert_int_equal(tls_read(server.stream, buffer, 0, &done), TLS_OK);
    assert_int_equal(tls_peek(server.stream, buffer, 0, &done), TLS_OK);
    assert_int_equal(done, 0);
    assert_int_equal(tls_write(client.stream, bytes_of("hello"), &done), TLS_OK);
    assert_int_equal(done, 5);
    assert_int_equal(tls_peek(server.stream, buffer, 3, &done), TLS_OK);
    assert_int_equal(done, 3);
    assert_int_equal(tls_readable(server.stream), 5);
    assert_int_equal(tls_read(server.stream, buffer, sizeof buffer, &done), TLS_OK);
    assert_int_equal(done, 5);
    assert_memory_equal(buffer, "hello", 5);
    assert_int_equal(tls_readable(server.stream), 0);
    assert_int_equal(tls_write(client.stream, bytes_of(""), &done), TLS_OK);
    assert_int_equal(done, 0);
    close_pair(&client, &server);
}

/* More than sockets hold: both have to wait for each other, and the bytes are the same. */
static void much_data_passes(void **state)
{
    enum { SIZE = 3 << 20 };
    struct end client, server;
    uint8_t *in = malloc(SIZE), *out = malloc(SIZE);
    size_t sent = 0, got = 0, done;
    bool has_waited = false;

    (void)state;
    assert_non_null(in);
    assert_non_null(out);
    for (size_t i = 0; i < SIZE; i++)
        in[i] = (uint8_t)(i * 7 + i / 251);
    open_pair(&client, &server, true, true);
    shake_well(&client, &server);
    while (got < SIZE) {
        enum tls_result result = TLS_OK;
        while (result == TLS_OK && sent < SIZE) {
            result = tls_write(client.stream, bytes_from(in + sent, SIZE - sent), &done);
            sent += result == TLS_OK ? done : 0;
        }
        has_waited |= result == TLS_WANT_WRITE;
        assert_true(result == TLS_OK || result == TLS_WANT_WRITE);
        while ((result = tls_read(server.stream, out + got, SIZE - got, &done)) == TLS_OK &&
               done > 0)
            got += done;
        assert_true(got == SIZE || result == TLS_WANT_READ);
    }
    assert_true(has_waited);
    assert_memory_equal(in, out, SIZE);
    close_pair(&client, &server);
    free(in);
    free(out);
}

/* What was taken leaves although its writer has forgotten it. */
static void what_was_taken_is_sent(void **state)
{
    static const uint8_t zeros[16384];
    struct end client, server;
    uint8_t buffer[4096];
    size_t sent = 0, got = 0, done;
    enum tls_result result;

    (void)state;
    open_pair(&client, &server, true, true);
    shake_well(&client, &server);
    assert_false(tls_has_unsent(client.stream));
    while ((result = tls_write(client.stream, bytes_from(zeros, sizeof zeros), &done)) == TLS_OK)
        sent += done;
    assert_int_equal(result, TLS_WANT_WRITE);
    assert_true(tls_has_unsent(client.stream));
    assert_int_equal(tls_end(client.stream), TLS_OK);
    for (;;) {
        result = tls_read(server.stream, buffer, sizeof buffer, &done);
        if (result == TLS_ENDED)
            break;
        if (result == TLS_WANT_READ)
            (void)tls_flush(client.stream);
        else
            assert_int_equal(result, TLS_OK);
        got += result == TLS_OK ? done : 0;
    }
    assert_int_equal(got, sent);
    assert_int_equal(tls_flush(client.stream), TLS_OK);
    assert_false(tls_has_unsent(client.stream));
    close_pair(&client, &server);
}

static void halves_end_one_by_one(void **state)
{
    struct end client, server;
    uint8_t buffer[16];
    size_t done;

    (void)state;
    open_pair(&client, &server, true, true);
    shake_well(&client, &server);
    assert_int_equal(tls_end(client.stream), TLS_OK);
    assert_int_equal(tls_read(server.stream, buffer, sizeof buffer, &done), TLS_ENDED);
    assert_int_equal(tls_write(server.stream, bytes_of("late"), &done), TLS_OK);
    /* whatever is done with a half that has ended, the other half has not */
    assert_int_equal(tls_end(client.stream), TLS_OK);
    assert_int_equal(tls_write(client.stream, bytes_of("too late"), &done), TLS_ENDED);
    assert_int_equal(tls_read(client.stream, buffer, sizeof buffer, &done), TLS_OK);
    assert_memory_equal(buffer, "late", 4);
    assert_int_equal(tls_end(server.stream), TLS_OK);
    assert_int_equal(tls_read(client.stream, buffer, sizeof buffer, &done), TLS_ENDED);
    close_pair(&client, &server);
}

/* An end that nobody vouches for is none: somebody may have cut the wire. */
static void a_cut_is_no_end(void **state)
{
    struct end client, server;
    uint8_t buffer[16];
    size_t done;

    (void)state;
    open_pair(&client, &server, true, true);
    shake_well(&client, &server);
    assert_int_equal(close(client.fd), 0);
    client.fd = -1;
    assert_int_equal(tls_read(server.stream, buffer, sizeof buffer, &done), TLS_BROKEN);
    assert_int_equal(tls_stream_errno(server.stream), ECONNRESET);
    assert_int_equal(tls_write(server.stream, bytes_of("x"), &done), TLS_BROKEN);
    close_pair(&client, &server);
}

/* A handshake cut at each byte of what the client says never succeeds and never hangs. */
static void handshakes_can_be_cut_anywhere(void **state)
{
    uint8_t hello[4096];

    (void)state;
    for (ssize_t cut = 0;; cut += 7) {
        struct end client, server;
        int relay[2];
        open_pair(&client, &server, true, true);
        /* the server gets another socket, into which what the client said is put up to the cut */
        open_sockets(relay);
        tls_stream_free(server.stream);
        tls_context_free(server.context);
        int behind = server.fd;
        open_end(&server, true, true, true, relay[0]);
        assert_int_equal(tls_handshake(client.stream), TLS_WANT_READ);
        ssize_t size = read(behind, hello, sizeof hello);
        assert_true(size > 0);
        bool is_last = cut >= size;
        if (!is_last) {
            assert_int_equal(write(relay[1], hello, (size_t)cut), cut);
            assert_int_equal(close(relay[1]), 0);
            enum tls_result result = tls_handshake(server.stream);
            assert_int_equal(result, TLS_BROKEN);
            assert_string_not_equal(tls_stream_error(server.stream), "");
        } else {
            assert_int_equal(close(relay[1]), 0);
        }
        assert_int_equal(close(behind), 0);
        close_pair(&client, &server);
        if (is_last)
            break;
    }
}

/* ---- other versions, by OpenSSL itself ---- */

static void older_versions_are_refused(void **state)
{
    static const int versions[] = {TLS1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct end client, server;
        enum tls_result result = TLS_WANT_READ;
        open_pair(&client, &server, true, false);
        tls_stream_free(client.stream);
        client.stream = NULL;
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        assert_non_null(ctx);
        SSL_CTX_set_security_level(ctx, 0);
        assert_int_equal(SSL_CTX_set_max_proto_version(ctx, versions[i]), 1);
        SSL *ssl = SSL_new(ctx);
        assert_non_null(ssl);
        assert_int_equal(SSL_set_fd(ssl, client.fd), 1);
        for (int k = 0; k < 10 && is_waiting(result); k++) {
            (void)SSL_connect(ssl);
            result = tls_handshake(server.stream);
        }
        assert_int_equal(result, versions[i] == TLS1_3_VERSION ? TLS_OK : TLS_BROKEN);
        SSL_free(ssl);
        SSL_CTX_free(ctx);
        ERR_clear_error();
        close_pair(&client, &server);
    }
}

/* ---- ordinary servers ---- */

struct authority {
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

static X509 *certify(EVP_PKEY *key, const struct authority *issuer, const char *names,
                     int64_t not_after)
{
    X509 *x509 = X509_new();
    bool is_ca = names == NULL;

    assert_non_null(x509);
    X509_NAME *name = X509_get_subject_name(x509);
    assert_int_equal(X509_set_version(x509, X509_VERSION_3), 1);
    assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC,
                                                (const unsigned char *)(is_ca ? "root" : "server"),
                                                -1, -1, 0),
                     1);
    assert_int_equal(
        X509_set_issuer_name(x509, is_ca ? name : X509_get_subject_name(issuer->certificate)), 1);
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x509), NOW - 3600));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x509), not_after));
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x509), is_ca ? 1 : 2), 1);
    assert_int_equal(X509_set_pubkey(x509, key), 1);
    X509 *from = is_ca ? x509 : issuer->certificate;
    add_extension(x509, from, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (!is_ca)
        add_extension(x509, from, NID_subject_alt_name, names);
    assert_true(X509_sign(x509, is_ca ? key : issuer->key, EVP_sha256()) > 0);
    return x509;
}

static void authority_new(struct authority *out)
{
    struct err err;

    assert_true(tls_key_new(&out->key, &err));
    out->certificate = certify(out->key, out, NULL, NOW + 86400);
}

static void authority_done(struct authority *authority)
{
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
}

static struct bytes pem_of(X509 *x509, char *memory, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_X509(bio, x509), 1);
    int got = BIO_read(bio, memory, (int)size);
    assert_in_range(got, 1, size - 1);
    BIO_free(bio);
    return bytes_from(memory, (size_t)got);
}

static void servers_are_held_to_their_names(void **state)
{
    static const struct {
        const char *names, *host;
        int64_t lasts;
        bool by_other;
        enum tls_verdict verdict;
    } cases[] = {
        {"DNS:chat.example", "chat.example", 60, false, TLS_ACCEPT},
        {"DNS:*.example.org", "a.example.org", 60, false, TLS_ACCEPT},
        {"DNS:*.example.org", "a.b.example.org", 60, false, TLS_REFUSE_BAD},
        {"DNS:c*.example.org", "cat.example.org", 60, false, TLS_REFUSE_BAD},
        {"DNS:chat.example", "other.example", 60, false, TLS_REFUSE_BAD},
        {"DNS:chat.example", "server", 60, false, TLS_REFUSE_BAD}, /* its common name */
        {"IP:127.0.0.1", "127.0.0.1", 60, false, TLS_ACCEPT},
        {"DNS:127.0.0.1", "127.0.0.1", 60, false, TLS_REFUSE_BAD},
        {"IP:::1", "[::1]", 60, false, TLS_ACCEPT},
        {"IP:::2", "[::1]", 60, false, TLS_REFUSE_BAD},
        {"DNS:chat.example", "chat.example", -60, false, TLS_REFUSE_EXPIRED},
        {"DNS:chat.example", "chat.example", 60, true, TLS_REFUSE_UNKNOWN},
        {"DNS:chat.example", "", 60, false, TLS_REFUSE_BAD},
    };
    struct authority root, other;
    struct tls_roots *roots;
    char memory[4096];
    struct err err;

    (void)state;
    authority_new(&root);
    authority_new(&other);
    assert_true(tls_roots_new(pem_of(root.certificate, memory, sizeof memory), &roots, &err));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *why = NULL;
        EVP_PKEY *key;
        assert_true(tls_key_new(&key, &err));
        X509 *leaf =
            certify(key, cases[i].by_other ? &other : &root, cases[i].names, NOW + cases[i].lasts);
        enum tls_verdict verdict =
            tls_server_judge(roots, bytes_of(cases[i].host), NOW, leaf, NULL, &why);
        assert_int_equal(verdict, cases[i].verdict);
        assert_true(verdict == TLS_ACCEPT || why != NULL);
        /* nobody believes anybody without roots, nor before its time */
        assert_int_not_equal(tls_server_judge(NULL, bytes_of(cases[i].host), NOW, leaf, NULL, &why),
                             TLS_ACCEPT);
        assert_int_not_equal(
            tls_server_judge(roots, bytes_of(cases[i].host), NOW - 7200, leaf, NULL, &why),
            TLS_ACCEPT);
        X509_free(leaf);
        EVP_PKEY_free(key);
    }
    tls_roots_free(roots);
    authority_done(&root);
    authority_done(&other);
}

/* How many certificates a server with this chain offers. */
static int offered(struct bytes chain, EVP_PKEY *key)
{
    struct end client, server = {.stream = NULL};
    struct tls_setup setup = {.is_server = true};
    struct err err;
    int fds[2];

    open_sockets(fds);
    open_end(&client, false, false, false, fds[0]);
    assert_true(tls_context_new(chain, key, &server.context, &err));
    setup.context = server.context;
    setup.fd = server.fd = fds[1];
    assert_true(tls_stream_new(&setup, &server.stream, &err));
    shake_well(&client, &server);
    int sent = client.sent;
    close_end(&client);
    close_end(&server);
    return sent;
}

static void roots_are_not_offered(void **state)
{
    struct authority root;
    char memory[12288];
    size_t size = 0;
    EVP_PKEY *key;
    struct err err;

    (void)state;
    arena_init(&arena, arena_heap, SIZE_MAX);
    authority_new(&root);
    assert_true(tls_key_new(&key, &err));
    X509 *leaf = certify(key, &root, "DNS:a.example", NOW + 60);
    X509 *links[] = {leaf, leaf, root.certificate};
    static const int expected[] = {1, 2, 2};
    for (size_t i = 0; i < COUNT_OF(links); i++) {
        size += pem_of(links[i], memory + size, sizeof memory - size).size;
        assert_int_equal(offered(bytes_from(memory, size), key), expected[i]);
    }
    X509_free(leaf);
    EVP_PKEY_free(key);
    authority_done(&root);
    arena_done(&arena);
}

static void roots_must_be_some(void **state)
{
    struct authority root;
    struct tls_roots *roots = NULL;
    char memory[4096];
    struct err err;

    (void)state;
    authority_new(&root);
    struct bytes pem = pem_of(root.certificate, memory, sizeof memory);
    for (size_t size = 0; size < pem.size - 1; size++) {
        assert_false(tls_roots_new(bytes_before(pem, size), &roots, &err));
        assert_int_equal(err.code, ERR_FORMAT);
    }
    assert_null(roots);
    authority_done(&root);
}

static void the_web_has_many_roots(void **state)
{
    const struct tls_roots *web = tls_roots_web();

    (void)state;
    assert_non_null(web);
    assert_ptr_equal(web, tls_roots_web());
}

static void keys_must_fit_their_certificates(void **state)
{
    struct tls_context *context = NULL;
    struct bytes chain;
    EVP_PKEY *key = NULL, *other = NULL;
    struct err err;

    (void)state;
    arena_init(&arena, arena_heap, SIZE_MAX);
    assert_true(tls_key_new(&key, &err) && tls_key_new(&other, &err));
    assert_true(tls_self_signed(key, NOW, &arena, &chain, &err));
    assert_false(tls_context_new(chain, other, &context, &err));
    assert_int_equal(err.code, ERR_CRYPTO);
    assert_false(tls_context_new(bytes_of(""), key, &context, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_false(tls_context_new(bytes_before(chain, chain.size / 2), key, &context, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_null(context);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_are_judged),
        cmocka_unit_test(a_client_may_be_nobody_where_that_is_allowed),
        cmocka_unit_test(refusals_are_alerts),
        cmocka_unit_test(data_passes_and_can_be_looked_at_first),
        cmocka_unit_test(much_data_passes),
        cmocka_unit_test(what_was_taken_is_sent),
        cmocka_unit_test(halves_end_one_by_one),
        cmocka_unit_test(a_cut_is_no_end),
        cmocka_unit_test(handshakes_can_be_cut_anywhere),
        cmocka_unit_test(older_versions_are_refused),
        cmocka_unit_test(servers_are_held_to_their_names),
        cmocka_unit_test(roots_are_not_offered),
        cmocka_unit_test(roots_must_be_some),
        cmocka_unit_test(the_web_has_many_roots),
        cmocka_unit_test(keys_must_fit_their_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
