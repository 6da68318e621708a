/* TLS 1.3 over sockets that do not block (RFC 8446): OpenSSL, with one set of rules for all that a
 * keep says to anybody. X25519 and P-256; AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305; no session
 * is resumed, no ticket given or taken, nothing sent early, no renegotiation (there is none in
 * TLS 1.3).
 *
 * Reads no clock: who judges certificates brings the time. Sockets are used through recv and send
 * alone, and what the host answers there is checked. One thread. */
#pragma once

#include "base/base.h"

struct evp_pkey_st;
struct x509_st;
struct stack_st_X509;

/* ---- keys ---- */

/* A new private key on P-256. It is freed, and so wiped, with EVP_PKEY_free. ERR_CRYPTO. */
MUST_CHECK bool tls_key_new(struct evp_pkey_st **out, struct err *err);
/* Its SubjectPublicKeyInfo in DER. ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool tls_key_spki(struct evp_pkey_st *key, struct arena *arena, struct bytes *out,
                             struct err *err);
/* A certificate that the key signs itself: CN=keep, DER-coded dates `at` and ten years later, as a
 * chain of one in PEM. It proves nothing; it lets peers talk TLS to us. ERR_CRYPTO, ERR_MEMORY. */
MUST_CHECK bool tls_self_signed(struct evp_pkey_st *key, int64_t at, struct arena *arena,
                                struct bytes *out, struct err *err);

/* ---- contexts: who we are ---- */

struct tls_context;

/* A certificate chain (PEM, the leaf first) with its key, offered to clients and servers; or
 * neither (key NULL): then we can only be a client, who shows nothing. Roots in the chain are not
 * offered. Streams keep what they need of it. ERR_CRYPTO, ERR_FORMAT, ERR_MEMORY, ERR_UNSUPPORTED.
 */
MUST_CHECK bool tls_context_new(struct bytes chain_pem, struct evp_pkey_st *key,
                                struct tls_context **out, struct err *err);
void tls_context_free(struct tls_context *context);

/* ---- who they are ---- */

/* What is said of a peer's certificate; those but the first end the handshake with an alert. */
enum tls_verdict {
    TLS_ACCEPT,
    TLS_REFUSE_BAD,     /* bad_certificate */
    TLS_REFUSE_UNKNOWN, /* unknown_ca */
    TLS_REFUSE_EXPIRED, /* certificate_expired */
    TLS_REFUSE_REVOKED, /* certificate_revoked */
    TLS_REFUSE_POLICY   /* handshake_failure, as for one that is genuine and not wanted */
};

/* Asked once, during the handshake, when the peer shows a certificate; chain is what it sent. */
typedef enum tls_verdict tls_judge(void *context, struct x509_st *leaf,
                                   struct stack_st_X509 *chain);

/* Roots of ordinary servers. */
struct tls_roots;
/* PEM text of any number of CA certificates. ERR_FORMAT when there is none. */
MUST_CHECK bool tls_roots_new(struct bytes pem, struct tls_roots **out, struct err *err);
/* The Mozilla roots built into the image. Read when they are first needed, then shared; never freed
 * by the caller. NULL: no memory. */
const struct tls_roots *tls_roots_web(void);
void tls_roots_free(struct tls_roots *roots);
/* Adds more of them. */
MUST_CHECK bool tls_roots_add(struct tls_roots *roots, struct bytes pem, struct err *err);
/* An ordinary server: whether its chain ends in one of the roots, it is for servers, valid at `at`
 * (seconds since 1970), and has this host name or address, as config_host_canonical has it. *why is
 * a literal when it refuses. */
enum tls_verdict tls_server_judge(const struct tls_roots *roots, struct bytes host, int64_t at,
                                  struct x509_st *leaf, const struct stack_st_X509 *chain,
                                  const char **why);

/* The latest notBefore of a certificate and those that came with it (NULL: none), in seconds since
 * 1970; INT64_MIN when there is none that can be read. */
int64_t tls_latest_start(struct x509_st *leaf, const struct stack_st_X509 *chain);

/* ---- streams ---- */

enum tls_result {
    TLS_OK,
    TLS_WANT_READ,  /* not now: when the socket can be read */
    TLS_WANT_WRITE, /* not now: when it can be written to */
    TLS_ENDED,      /* reads: the peer has ended its half, properly; writes: we have ended ours */
    TLS_BROKEN      /* for good; tls_stream_error and tls_stream_errno say why */
};

struct tls_stream;

struct tls_setup {
    struct tls_context *context;
    int fd; /* non-blocking, connected; borrowed */
    bool is_server;
    bool needs_certificate;   /* server: a client without one is refused */
    struct bytes server_name; /* client: a domain name for SNI; empty: none */
    tls_judge *judge; /* a server is always judged; NULL as a server: nothing is asked for */
    void *judge_context;
};

/* ERR_MEMORY, ERR_CRYPTO. */
MUST_CHECK bool tls_stream_new(const struct tls_setup *setup, struct tls_stream **out,
                               struct err *err);
/* NULL is taken. Sends nothing. */
void tls_stream_free(struct tls_stream *stream);

/* Goes on with the handshake. The others may be called once it has given TLS_OK. */
enum tls_result tls_handshake(struct tls_stream *stream);
/* *done > 0 with TLS_OK, when size > 0. */
enum tls_result tls_read(struct tls_stream *stream, void *out, size_t size, size_t *done);
enum tls_result tls_peek(struct tls_stream *stream, void *out, size_t size, size_t *done);
/* May take a part of it. What was taken is ours to send: what cannot leave at once waits, and
 * nothing more is taken until it has left. */
enum tls_result tls_write(struct tls_stream *stream, struct bytes in, size_t *done);
/* Whether something that was taken has not left yet; and sends it: TLS_OK when nothing is left. */
bool tls_has_unsent(const struct tls_stream *stream);
enum tls_result tls_flush(struct tls_stream *stream);
/* Ends our half: close_notify, which may wait as what was written does. */
enum tls_result tls_end(struct tls_stream *stream);
/* Bytes that can be read without the socket: decrypted ones. */
size_t tls_readable(const struct tls_stream *stream);
/* Whether bytes have come that have not been looked at yet: the next read may not need the socket.
 */
bool tls_has_pending(const struct tls_stream *stream);
/* Whether the peer showed a certificate, which was accepted. */
bool tls_has_peer(const struct tls_stream *stream);

/* Why a stream is broken: a text for logs; never NULL. */
const char *tls_stream_error(const struct tls_stream *stream);
/* The errno of the socket's call when that was why, else 0: it was TLS. */
int tls_stream_errno(const struct tls_stream *stream);
