/* What the files of the room share. */
#pragma once

#include <http_parser.h>

#include "https/https.h"

/* ---- request.c ---- */

#define REQUEST_TEXT_MAX 256 /* bytes of a media type */
#define REQUEST_HEAD_MAX (HTTPS_PATH_MAX + 2048)

extern const char request_user_agent[]; /* "broch/VERSION" */
/* Whether the server can be put into a request. ERR_INVALID. */
MUST_CHECK bool server_check(const struct https_server *server, struct err *err);
/* Whether the host is an address, which has no place in SNI (RFC 6066 §3). */
bool host_is_address(struct bytes host);
/* Writes the request's line and headers. ERR_INVALID, ERR_LIMIT. */
MUST_CHECK bool request_head(const struct https_server *server, const struct https_request *request,
                             uint8_t memory[REQUEST_HEAD_MAX], struct bytes *out, struct err *err);

/* ---- answer.c ---- */

#define ANSWER_INTERIM_MAX 8       /* answers 1xx before the one that counts */
#define ANSWER_TYPE_MAX 256        /* bytes of a Content-Type */
#define ANSWER_DIGEST_MAX 1024     /* bytes of all Content-Digest together */
#define ANSWER_STATE_MAX 64        /* bytes of all Broch-State together */
#define ANSWER_CHUNK_LINE (16 + 2) /* bytes of a chunk's line that has only a size */

enum answer_part {
    ANSWER_STATUS, /* the first six are made of lines */
    ANSWER_HEADERS,
    ANSWER_CHUNK_SIZE,
    ANSWER_CHUNK_END,
    ANSWER_TRAILERS,
    ANSWER_BODY, /* `left` bytes, of the body or of a chunk */
    ANSWER_REST, /* body until the connection ends */
    ANSWER_DONE
};

/* An answer while it comes. Only answer.c touches the fields. */
struct answer {
    enum answer_part part;
    size_t max; /* bytes of the body */
    struct arena *arena;
    uint64_t at;       /* bytes that came */
    size_t lines_size; /* bytes of lines, which HTTPS_HEADERS_MAX bounds */
    size_t line_size;  /* bytes of the line that is coming */
    unsigned interim;  /* answers 1xx */
    /* of the message that is coming: one of those 1xx, or the answer */
    http_parser parser;
    unsigned field, seen; /* a FIELD_ of answer.c; the set of them */
    uint64_t left;
    bool is_whole, is_kept;
    struct err failed; /* what a callback found */
    struct writer body, type, digest, state;
    uint8_t type_memory[ANSWER_TYPE_MAX], digest_memory[ANSWER_DIGEST_MAX];
    uint8_t state_memory[ANSWER_STATE_MAX];
    uint8_t line[HTTPS_HEADERS_MAX + ANSWER_CHUNK_LINE];
};

/* The body, of at most max bytes, and headers go to the arena. */
void answer_init(struct answer *a, size_t max, struct arena *arena);
/* Takes what came; *used < in.size: the answer is done, and what follows is not its own.
 * ERR_FORMAT, ERR_LIMIT, ERR_MEMORY; then the answer is of no more use. */
MUST_CHECK bool answer_take(struct answer *a, struct bytes in, size_t *used, struct err *err);
/* The connection has ended, properly. ERR_FORMAT: too early. */
MUST_CHECK bool answer_end(struct answer *a, struct err *err);
/* Whether a byte of it has come. */
bool answer_has_begun(const struct answer *a);
bool answer_is_done(const struct answer *a);
/* Of an answer that is done: whether the server keeps the connection. */
bool answer_is_kept(const struct answer *a);
/* What http-parser says of the answer; never NULL. */
const char *answer_detail(const struct answer *a);
/* Of an answer that is done. ERR_MEMORY. */
MUST_CHECK bool answer_result(const struct answer *a, struct https_answer *out, struct err *err);
