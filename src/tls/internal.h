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

struct tls_socket {
    int fd;     /* borrowed */
    int number; /* the errno of the call that failed for good; 0: none did */
};

/* The socket outlives the BIO. NULL: no memory. */
BIO *tls_socket_new(struct tls_socket *socket);
