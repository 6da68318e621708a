/* What the files of the room share. */
#pragma once

#include <openssl/ssl.h>

#include "tls/tls.h"

struct tls_context {
    SSL_CTX *ctx;
};

/* "MSG", and what OpenSSL has queued is forgotten: ERR_CRYPTO. */
bool tls_crypto_fail(struct err *err, const char *msg);

/* Calls `take` for each certificate of a PEM text, which may hold nothing else but white space and
 * text between them; take owns it. How many; -1: a malformed one, or take said no. */
int tls_pem_each(struct bytes pem, bool (*take)(void *context, X509 *certificate), void *context);

/* ---- roots.c ---- */

/* A store of OpenSSL's of some certificates. */
struct tls_roots {
    X509_STORE *store;
    size_t count;
};

/* mozilla_roots.c, generated: certificates in DER, one behind the other. */
extern const uint8_t tls_mozilla_roots[];
extern const size_t tls_mozilla_roots_size;

/* ---- socket.c: a BIO over a socket ---- */

/* What is sent and cannot leave at once waits here, so that OpenSSL never has half a record. */
struct tls_socket {
    int fd;          /* borrowed */
    int number;      /* the errno of the call that failed for good; 0: none did */
    bool is_corked;  /* gather, do not send */
    uint8_t *unsent; /* from the heap */
    size_t unsent_at, unsent_size, unsent_capacity; /* what is left lies between the first two */
};

/* The socket outlives the BIO. NULL: no memory. */
BIO *tls_socket_new(struct tls_socket *socket);
/* Sends what waits. False when some of it still does, or the socket failed (number). */
bool tls_socket_flush(struct tls_socket *socket);
void tls_socket_done(struct tls_socket *socket);
