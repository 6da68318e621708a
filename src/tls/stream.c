/* Contexts and streams. */
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "tls/internal.h"

#define NAME_MAX_SIZE 254u
/* Of a record's content (RFC 8446 §5.1), and what is encrypted before it is sent. */
#define RECORD_SIZE ((size_t)16384)
#define BATCH_SIZE (4 * RECORD_SIZE)
/* Bytes of a peer's certificate message. */
#define CERTIFICATES_MAX 65536
/* What is read from a socket at once: two records of full size, and what TLS adds to them. */
#define READ_SIZE (2 * (RECORD_SIZE + 512))

struct tls_stream {
    SSL *ssl;
    struct tls_socket socket;
    tls_judge *judge;
    void *judge_context;
    const char *error; /* a literal, or OpenSSL's, which are literals too */
    int number;        /* errno */
    bool has_peer, is_broken;
};

/* ---- contexts ---- */

/* Our judge's word as OpenSSL's, which makes the alert of it (ssl_x509err2alert). */
static int fault_of(enum tls_verdict verdict)
{
    switch (verdict) {
    case TLS_ACCEPT:
        return X509_V_OK;
    case TLS_REFUSE_UNKNOWN:
        return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
    case TLS_REFUSE_EXPIRED:
        return X509_V_ERR_CERT_HAS_EXPIRED;
    case TLS_REFUSE_REVOKED:
        return X509_V_ERR_CERT_REVOKED;
    case TLS_REFUSE_POLICY:
        return X509_V_ERR_APPLICATION_VERIFICATION;
    default:
        return X509_V_ERR_CERT_REJECTED;
    }
}

/* In the place of OpenSSL's own verification. */
static int judge_peer(X509_STORE_CTX *ctx, void *context)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_stream *s = SSL_get_app_data(ssl);
    int fault = X509_V_ERR_CERT_REJECTED;

    (void)context;
    if (s->judge != NULL)
        fault = fault_of(s->judge(s->judge_context, X509_STORE_CTX_get0_cert(ctx),
                                  X509_STORE_CTX_get0_untrusted(ctx)));
    s->has_peer = fault == X509_V_OK;
    X509_STORE_CTX_set_error(ctx, fault);
    return fault == X509_V_OK;
}

static bool set_rules(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(ctx,
                              SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, READ_SIZE);
    SSL_CTX_set_max_cert_list(ctx, CERTIFICATES_MAX);
    SSL_CTX_set_cert_verify_callback(ctx, judge_peer, NULL);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1 &&
           SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_set_recv_max_early_data(ctx, 0) == 1 &&
           SSL_CTX_set_max_early_data(ctx, 0) == 1;
}

struct chain {
    SSL_CTX *ctx;
    bool has_leaf;
};

/* A root proves nothing to those who do not have it, and those who do need not be sent it (RFC 8446
 * §4.4.2): reading it would cost them a fifth of the handshake. */
static bool add_certificate(void *context, X509 *certificate)
{
    struct chain *chain = context;
    bool ok;

    if (chain->has_leaf && X509_self_signed(certificate, 0) == 1) {
        X509_free(certificate);
        return true;
    }
    if (chain->has_leaf) {
        ok = SSL_CTX_add0_chain_cert(chain->ctx, certificate) == 1;
        if (!ok)
            X509_free(certificate);
        return ok;
    }
    ok = SSL_CTX_use_certificate(chain->ctx, certificate) == 1;
    X509_free(certificate);
    chain->has_leaf = ok;
    return ok;
}

static bool set_key(SSL_CTX *ctx, struct bytes chain_pem, EVP_PKEY *key, struct err *err)
{
    struct chain chain = {.ctx = ctx};

    if (tls_pem_each(chain_pem, add_certificate, &chain) < 1)
        return err_set(err, ERR_FORMAT, "malformed certificate chain", ERR_NO_AT);
    return (SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1) ||
           tls_crypto_fail(err, "the key is not that of the certificate");
}

/* OpenSSL without its files: nothing of the host's may set it up. */
static bool set_up(void)
{
    return OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL) == 1;
}

bool tls_context_new(struct bytes chain_pem, EVP_PKEY *key, struct tls_context **out,
                     struct err *err)
{
    struct tls_context *context = set_up() ? calloc(1, sizeof *context) : NULL;

    if (context == NULL)
        return err_set(err, ERR_MEMORY, "no memory for TLS", ERR_NO_AT);
    context->ctx = SSL_CTX_new(TLS_method());
    bool ok = (context->ctx != NULL && set_rules(context->ctx)) ||
              tls_crypto_fail(err, "cannot set up TLS");
    if (!ok || (key != NULL && !set_key(context->ctx, chain_pem, key, err))) {
        tls_context_free(context);
        return false;
    }
    *out = context;
    return true;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ctx);
    free(context);
}

/* ---- streams ---- */

static bool set_name(SSL *ssl, struct bytes name)
{
    char text[NAME_MAX_SIZE];

    if (name.size == 0)
        return true;
    if (name.size >= sizeof text)
        return false;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    return SSL_set_tlsext_host_name(ssl, text) == 1;
}

static void set_side(SSL *ssl, const struct tls_setup *setup)
{
    int mode = SSL_VERIFY_PEER;

    if (!setup->is_server) {
        SSL_set_verify(ssl, mode, NULL);
        SSL_set_connect_state(ssl);
        return;
    }
    if (setup->judge == NULL)
        mode = SSL_VERIFY_NONE;
    else if (setup->needs_certificate)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_set_verify(ssl, mode, NULL);
    SSL_set_accept_state(ssl);
}

bool tls_stream_new(const struct tls_setup *setup, struct tls_stream **out, struct err *err)
{
    struct tls_stream *s = calloc(1, sizeof *s);

    assert(setup->is_server || setup->judge != NULL);
    if (s == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a TLS connection", ERR_NO_AT);
    s->judge = setup->judge;
    s->judge_context = setup->judge_context;
    s->error = "";
    s->ssl = SSL_new(setup->context->ctx);
    s->socket.fd = setup->fd;
    BIO *bio = tls_socket_new(&s->socket);
    if (s->ssl != NULL && bio != NULL)
        SSL_set_bio(s->ssl, bio, bio);
    else
        BIO_free(bio);
    if (s->ssl == NULL || bio == NULL || SSL_set_app_data(s->ssl, s) != 1 ||
        !set_name(s->ssl, setup->server_name)) {
        tls_stream_free(s);
        return tls_crypto_fail(err, "no memory for a TLS connection");
    }
    set_side(s->ssl, setup);
    *out = s;
    return true;
}

void tls_stream_free(struct tls_stream *stream)
{
    if (stream == NULL)
        return;
    SSL_free(stream->ssl);
    tls_socket_done(&stream->socket);
    free(stream);
}

static enum tls_result break_off(struct tls_stream *s, const char *error, int number)
{
    s->is_broken = true;
    s->error = error;
    s->number = number;
    return TLS_BROKEN;
}

/* What an operation that did not succeed means. */
static enum tls_result result_of(struct tls_stream *s, int returned)
{
    unsigned long queued;
    enum tls_result result;

    switch (SSL_get_error(s->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_ENDED;
    case SSL_ERROR_SSL:
        queued = ERR_peek_error();
        if (ERR_GET_REASON(queued) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            result = break_off(s, "the connection was cut off", ECONNRESET);
        else if (ERR_GET_REASON(queued) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
            result = break_off(s, "the client presented no valid certificate", 0);
        else
            result = break_off(s, ERR_reason_error_string(queued), 0);
        if (s->error == NULL)
            s->error = "TLS failed";
        break;
    default:
        result = s->socket.number != 0 ? break_off(s, "the network failed", s->socket.number)
                                       : break_off(s, "the connection was cut off", ECONNRESET);
        break;
    }
    ERR_clear_error();
    return result;
}

/* The peer is gone. It may have said why before: then that is the reason, not that it is gone. */
static enum tls_result last_words(struct tls_stream *s)
{
    int number = s->socket.number;
    uint8_t byte;
    size_t done;

    s->socket.number = 0;
    ERR_clear_error();
    int returned = SSL_peek_ex(s->ssl, &byte, 1, &done);
    if (returned != 1 && result_of(s, returned) == TLS_BROKEN && s->number == 0)
        return TLS_BROKEN;
    return break_off(s, "the network failed", number);
}

/* Sends what waits: TLS_OK, TLS_WANT_WRITE, TLS_BROKEN. */
enum tls_result tls_flush(struct tls_stream *stream)
{
    if (stream->is_broken)
        return TLS_BROKEN;
    if (tls_socket_flush(&stream->socket))
        return TLS_OK;
    return stream->socket.number != 0 ? last_words(stream) : TLS_WANT_WRITE;
}

bool tls_has_unsent(const struct tls_stream *stream)
{
    return !stream->is_broken && stream->socket.unsent_at != stream->socket.unsent_size;
}

enum tls_result tls_handshake(struct tls_stream *stream)
{
    enum tls_result flushed = tls_flush(stream);

    if (flushed != TLS_OK)
        return flushed;
    ERR_clear_error();
    int returned = SSL_do_handshake(stream->ssl);
    if (returned == 1)
        return TLS_OK;
    enum tls_result result = result_of(stream, returned);
    if (result == TLS_WANT_READ && tls_has_unsent(stream))
        return TLS_WANT_WRITE;
    return result == TLS_ENDED ? break_off(stream, "the peer ended the handshake", ECONNRESET)
                               : result;
}

/* To OpenSSL a read of nothing is a failure. */
static bool is_nothing(size_t size, size_t *done)
{
    *done = 0;
    return size == 0;
}

enum tls_result tls_read(struct tls_stream *stream, void *out, size_t size, size_t *done)
{
    if (stream->is_broken)
        return TLS_BROKEN;
    if (is_nothing(size, done))
        return TLS_OK;
    ERR_clear_error();
    int returned = SSL_read_ex(stream->ssl, out, size, done);
    return returned == 1 ? TLS_OK : result_of(stream, returned);
}

enum tls_result tls_peek(struct tls_stream *stream, void *out, size_t size, size_t *done)
{
    if (stream->is_broken)
        return TLS_BROKEN;
    if (is_nothing(size, done))
        return TLS_OK;
    ERR_clear_error();
    int returned = SSL_peek_ex(stream->ssl, out, size, done);
    return returned == 1 ? TLS_OK : result_of(stream, returned);
}

/* Whether our half has ended. What OpenSSL says when it is written to, or ended once more, would
 * break the other half too. */
static bool has_ended(const struct tls_stream *s)
{
    return (SSL_get_shutdown(s->ssl) & SSL_SENT_SHUTDOWN) != 0;
}

enum tls_result tls_write(struct tls_stream *stream, struct bytes in, size_t *done)
{
    enum tls_result result = tls_flush(stream);
    size_t written = 0;

    *done = 0;
    if (result != TLS_BROKEN && has_ended(stream))
        return TLS_ENDED;
    /* some records at once, for one call to send them */
    stream->socket.is_corked = in.size > RECORD_SIZE;
    while (result == TLS_OK && written < in.size && written < BATCH_SIZE) {
        size_t step = 0;
        ERR_clear_error();
        int returned = SSL_write_ex(stream->ssl, in.data + written, in.size - written, &step);
        if (returned != 1)
            result = result_of(stream, returned);
        written += step;
    }
    stream->socket.is_corked = false;
    if (written == 0)
        return result;
    *done = written;
    /* it has been taken: if the rest of it cannot leave now, it waits, and if it never can, the
     * next operation tells */
    (void)tls_flush(stream);
    return TLS_OK;
}

enum tls_result tls_end(struct tls_stream *stream)
{
    if (stream->is_broken)
        return TLS_BROKEN;
    if (has_ended(stream))
        return TLS_OK;
    ERR_clear_error();
    int returned = SSL_shutdown(stream->ssl);
    if (returned >= 0)
        return TLS_OK;
    enum tls_result result = result_of(stream, returned);
    return result == TLS_BROKEN ? TLS_BROKEN : TLS_OK;
}

size_t tls_readable(const struct tls_stream *stream)
{
    int pending = SSL_pending(stream->ssl);

    return pending > 0 ? (size_t)pending : 0;
}

bool tls_has_pending(const struct tls_stream *stream)
{
    return SSL_has_pending(stream->ssl) == 1;
}

bool tls_has_peer(const struct tls_stream *stream)
{
    return stream->has_peer;
}

const char *tls_stream_error(const struct tls_stream *stream)
{
    return stream->error;
}

int tls_stream_errno(const struct tls_stream *stream)
{
    return stream->number;
}
