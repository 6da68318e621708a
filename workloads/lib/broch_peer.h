/* Who is at the other end: for workloads that run in a Broch keep, in C or C++. One header and
 * nothing else: include it, compile for wasm32-wasi.
 *
 *     int fd = broch_connect("chat.example:50000");
 *     struct broch_peer peer;
 *     enum broch_peer_error error = broch_peer_of_fd(fd, &peer);
 *     if (error != BROCH_PEER_OK)
 *         …                                        broch_peer_error_text(error)
 *     if (broch_peer_runs(&peer, "registry.example/alice/chat-server") && !peer.simulated)
 *         …                                        it is what we wanted to talk to
 *
 * The keep has checked the peer's certificate before it says anything; what it says is one line of
 * JSON (docs/workloads.md), which is read here: strictly, without memory but the caller's, and
 * never past a limit that is named. What is not exactly such a line is an error, and *out is
 * untouched.
 *
 *     PEER = {"kind":"anonymous"}
 *          | {"kind":"local","digest":D,MORE}
 *          | {"kind":"keep","workload":"host/user/repo:tag","digest":D,MORE}
 *     MORE = "technology":"snp"|"sgx"|"tdx","simulated":true|false,"measurement":HEX
 *     HOST = {"Domain":"x"} | {"Ipv4":"192.0.2.1"} | {"Ipv6":"::1"}
 *     fd/N   PEER
 *     lis    {"addr":"192.0.2.1:50000","peer":PEER}
 *     con    {"host":HOST,"port":50000,"peer":PEER}
 *
 * Keys may come in any order. Others are passed over, whatever their value, so that later versions
 * can say more; those above may come once only, and only where they stand above. The JSON is that
 * of RFC 8259; that strings which are passed over are UTF-8 is not checked. */
#ifndef BROCH_PEER_H
#define BROCH_PEER_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Sizes of texts, with the 0 at the end. */
#define BROCH_WORKLOAD_SIZE 1025  /* a slug has at most 1024 bytes */
#define BROCH_DIGEST_SIZE 44      /* 32 bytes in base64 without padding */
#define BROCH_DIGEST_HEX_SIZE 65  /* in hexadecimal */
#define BROCH_TECHNOLOGY_SIZE 4   /* "snp", "sgx", "tdx" */
#define BROCH_MEASUREMENT_SIZE 97 /* 32 or 48 bytes in hexadecimal */
#define BROCH_HOST_SIZE 256       /* a name has at most 253 bytes */
#define BROCH_ADDRESS_SIZE 64     /* an address with its port */
#define BROCH_PEER_TEXT_MAX 4096  /* bytes of a file under /net/peer */
#define BROCH_PEER_DEPTH_MAX 8    /* how deep values that are passed over may nest */

enum broch_peer_kind {
    BROCH_ANONYMOUS, /* nothing is known */
    BROCH_LOCAL,     /* a keep whose workload has a digest, and no name that was proved */
    BROCH_KEEP       /* a keep whose workload has both */
};

/* Who it is. A text that its kind does not have is empty. */
struct broch_peer {
    enum broch_peer_kind kind;
    bool simulated;                           /* a simulated platform, which protects nothing */
    char workload[BROCH_WORKLOAD_SIZE];       /* KEEP: "host/user/repo:tag" */
    char digest[BROCH_DIGEST_SIZE];           /* of the workload: SHA-256 in base64, 43 bytes */
    char technology[BROCH_TECHNOLOGY_SIZE];   /* "snp", "sgx" or "tdx" */
    char measurement[BROCH_MEASUREMENT_SIZE]; /* of the keep image, in lower-case hexadecimal */
};

/* A line of /net/peer/lis. */
struct broch_accepted {
    struct broch_peer peer;
    char address[BROCH_ADDRESS_SIZE]; /* as the host says, which nobody checks */
};

/* A line of /net/peer/con. */
struct broch_connected {
    struct broch_peer peer;
    char host[BROCH_HOST_SIZE]; /* as it was asked for; an IPv6 address has no brackets */
    uint16_t port;
};

enum broch_peer_error {
    BROCH_PEER_OK,
    BROCH_PEER_NONE,   /* con, lis: no peer is waiting to be asked for */
    BROCH_PEER_FILE,   /* the file cannot be opened or read: errno; ENOENT: fd is no connection */
    BROCH_PEER_LONG,   /* the text or a value in it is longer than its limit */
    BROCH_PEER_CUT,    /* the text ends early */
    BROCH_PEER_SYNTAX, /* the text is no JSON, or something follows it */
    BROCH_PEER_DEEP,   /* nested deeper than BROCH_PEER_DEPTH_MAX */
    BROCH_PEER_DUPLICATE, /* a key is there twice */
    BROCH_PEER_MISSING,   /* a key is missing */
    BROCH_PEER_SURPLUS,   /* a key that this kind does not have */
    BROCH_PEER_VALUE      /* a value is not of its form */
};

/* A sentence without capital or full stop; never NULL. */
static inline const char *broch_peer_error_text(enum broch_peer_error error)
{
    switch (error) {
    case BROCH_PEER_OK:
        return "no error";
    case BROCH_PEER_NONE:
        return "no peer is waiting";
    case BROCH_PEER_FILE:
        return "the identity of the peer cannot be read";
    case BROCH_PEER_LONG:
        return "the identity of the peer is too long";
    case BROCH_PEER_CUT:
        return "the identity of the peer ends early";
    case BROCH_PEER_SYNTAX:
        return "the identity of the peer is not JSON";
    case BROCH_PEER_DEEP:
        return "the identity of the peer is nested too deep";
    case BROCH_PEER_DUPLICATE:
        return "the identity of the peer has a key twice";
    case BROCH_PEER_MISSING:
        return "the identity of the peer lacks a key";
    case BROCH_PEER_SURPLUS:
        return "the identity of the peer has a key that its kind does not have";
    case BROCH_PEER_VALUE:
        return "the identity of the peer has a value that is not allowed";
    }
    return "unknown error";
}

/* ---- the reader of JSON; not for use from outside ---- */

struct broch_json {
    const char *at, *end;
    enum broch_peer_error error; /* the first one */
};

static inline bool broch_json_fail(struct broch_json *j, enum broch_peer_error error)
{
    if (j->error == BROCH_PEER_OK)
        j->error = error;
    return false;
}

static inline void broch_json_blank(struct broch_json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\n' || *j->at == '\r'))
        j->at++;
}

/* What comes behind white space, without taking it; 0 at the end, and then an error. */
static inline char broch_json_next(struct broch_json *j)
{
    broch_json_blank(j);
    if (j->at < j->end && *j->at != '\0')
        return *j->at;
    (void)broch_json_fail(j, j->at < j->end ? BROCH_PEER_SYNTAX : BROCH_PEER_CUT);
    return '\0';
}

static inline bool broch_json_take(struct broch_json *j, char wanted)
{
    char c = broch_json_next(j);

    if (c != wanted)
        return c != '\0' && broch_json_fail(j, BROCH_PEER_SYNTAX);
    j->at++;
    return true;
}

static inline bool broch_json_word(struct broch_json *j, const char *word)
{
    for (; *word != '\0'; word++, j->at++) {
        if (j->at == j->end)
            return broch_json_fail(j, BROCH_PEER_CUT);
        if (*j->at != *word)
            return broch_json_fail(j, BROCH_PEER_SYNTAX);
    }
    return true;
}

static inline int broch_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Behind a backslash. *out is the character, or -1 for one outside of printable ASCII. */
static inline bool broch_json_escape(struct broch_json *j, int *out)
{
    static const char names[] = "\"\\/bfnrt";

    if (j->at == j->end)
        return broch_json_fail(j, BROCH_PEER_CUT);
    char c = *j->at++;
    if (c != 'u') {
        const char *found = c != '\0' ? strchr(names, c) : NULL;
        if (found == NULL)
            return broch_json_fail(j, BROCH_PEER_SYNTAX);
        *out = found < names + 3 ? c : -1;
        return true;
    }
    int code = 0;
    for (int i = 0; i < 4; i++) {
        if (j->at == j->end)
            return broch_json_fail(j, BROCH_PEER_CUT);
        int digit = broch_hex_value(*j->at++);
        if (digit < 0)
            return broch_json_fail(j, BROCH_PEER_SYNTAX);
        code = code * 16 + digit;
    }
    *out = code >= 0x20 && code <= 0x7e ? code : -1;
    return true;
}

/* Reads a string into out[size], with a 0 behind it. All strings that concern us are printable
 * ASCII; *is_plain says whether this one is and has room, else out is to be ignored. */
static inline bool broch_json_string(struct broch_json *j, char *out, size_t size, bool *is_plain,
                                     bool *is_long)
{
    size_t used = 0;

    *is_plain = true;
    *is_long = false;
    if (!broch_json_take(j, '"'))
        return false;
    for (;;) {
        if (j->at == j->end)
            return broch_json_fail(j, BROCH_PEER_CUT);
        unsigned char byte = (unsigned char)*j->at++;
        int c = byte >= 0x20 && byte <= 0x7e ? byte : -1;
        if (byte == '"')
            break;
        if (byte < 0x20)
            return broch_json_fail(j, BROCH_PEER_SYNTAX);
        if (byte == '\\' && !broch_json_escape(j, &c))
            return false;
        if (c < 0)
            *is_plain = false;
        else if (used + 1 < size)
            out[used++] = (char)c;
        else
            *is_long = true;
    }
    out[used] = '\0';
    return true;
}

/* A string that is a value of ours. */
static inline bool broch_json_text(struct broch_json *j, char *out, size_t size)
{
    bool is_plain, is_long;

    if (broch_json_next(j) != '"')
        return broch_json_fail(j, BROCH_PEER_VALUE);
    if (!broch_json_string(j, out, size, &is_plain, &is_long))
        return false;
    if (!is_plain || is_long)
        return broch_json_fail(j, is_plain ? BROCH_PEER_LONG : BROCH_PEER_VALUE);
    return true;
}

static inline bool broch_json_digits(struct broch_json *j)
{
    if (j->at == j->end)
        return broch_json_fail(j, BROCH_PEER_CUT);
    if (*j->at < '0' || *j->at > '9')
        return broch_json_fail(j, BROCH_PEER_SYNTAX);
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9')
        j->at++;
    return true;
}

static inline bool broch_json_skip_number(struct broch_json *j)
{
    if (*j->at == '-')
        j->at++;
    if (j->at < j->end && *j->at == '0')
        j->at++;
    else if (!broch_json_digits(j))
        return false;
    if (j->at < j->end && *j->at == '.') {
        j->at++;
        if (!broch_json_digits(j))
            return false;
    }
    if (j->at < j->end && (*j->at == 'e' || *j->at == 'E')) {
        j->at++;
        if (j->at < j->end && (*j->at == '+' || *j->at == '-'))
            j->at++;
        return broch_json_digits(j);
    }
    return true;
}

/* Passes over a value that is neither array nor object. */
static inline bool broch_json_skip_plain(struct broch_json *j)
{
    char none[1];
    bool is_plain, is_long;

    switch (broch_json_next(j)) {
    case '\0':
        return false;
    case '"':
        return broch_json_string(j, none, sizeof none, &is_plain, &is_long);
    case 't':
        return broch_json_word(j, "true");
    case 'f':
        return broch_json_word(j, "false");
    case 'n':
        return broch_json_word(j, "null");
    default:
        return broch_json_skip_number(j);
    }
}

/* The key of a member and its colon. */
static inline bool broch_json_skip_key(struct broch_json *j)
{
    char none[1];
    bool is_plain, is_long;

    return broch_json_string(j, none, sizeof none, &is_plain, &is_long) && broch_json_take(j, ':');
}

/* Passes over any value. Not recursive: a workload's stack is small. */
static inline bool broch_json_skip(struct broch_json *j)
{
    char closers[BROCH_PEER_DEPTH_MAX];
    size_t depth = 0;

    for (;;) {
        char c = broch_json_next(j);
        if (c == '{' || c == '[') {
            if (depth == BROCH_PEER_DEPTH_MAX)
                return broch_json_fail(j, BROCH_PEER_DEEP);
            closers[depth++] = c == '{' ? '}' : ']';
            j->at++;
            if (broch_json_next(j) != closers[depth - 1]) {
                if (c == '{' && !broch_json_skip_key(j))
                    return false;
                continue; /* its first value */
            }
            j->at++; /* it is empty */
            depth--;
        } else if (!broch_json_skip_plain(j)) {
            return false;
        }
        /* a value has ended, and perhaps what it stands in */
        while (depth != 0 && broch_json_next(j) == closers[depth - 1]) {
            j->at++;
            depth--;
        }
        if (depth == 0)
            return true;
        if (!broch_json_take(j, ',') || (closers[depth - 1] == '}' && !broch_json_skip_key(j)))
            return false;
    }
}

/* Reads an object: member is called with each key that is in `keys` (ended by NULL) and its place
 * there, and takes the value. *seen has a bit for each place. */
static inline bool broch_json_object(struct broch_json *j, const char *const keys[],
                                     bool (*member)(struct broch_json *j, size_t key, void *out),
                                     void *out, unsigned *seen)
{
    char key[16];
    bool is_plain, is_long;

    *seen = 0;
    if (broch_json_next(j) != '{')
        return broch_json_fail(j, BROCH_PEER_VALUE);
    j->at++;
    if (broch_json_next(j) == '}') {
        j->at++;
        return true;
    }
    for (;;) {
        if (!broch_json_string(j, key, sizeof key, &is_plain, &is_long) || !broch_json_take(j, ':'))
            return false;
        size_t place = 0;
        while (keys[place] != NULL && (!is_plain || is_long || strcmp(keys[place], key) != 0))
            place++;
        if (keys[place] != NULL && (*seen & 1u << place) != 0)
            return broch_json_fail(j, BROCH_PEER_DUPLICATE);
        if (keys[place] != NULL)
            *seen |= 1u << place;
        if (!(keys[place] != NULL ? member(j, place, out) : broch_json_skip(j)))
            return false;
        if (broch_json_next(j) == '}')
            break;
        if (!broch_json_take(j, ','))
            return false;
    }
    j->at++;
    return true;
}

/* ---- the forms of values ---- */

static inline int broch_base64_value(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c != '\0' ? strchr(alphabet, c) : NULL;

    return found != NULL ? (int)(found - alphabet) : -1;
}

/* 43 characters are 258 bits: the last two must be 0. */
static inline bool broch_digest_is_valid(const char *digest)
{
    for (size_t i = 0; i < BROCH_DIGEST_SIZE - 1; i++) {
        if (broch_base64_value(digest[i]) < 0)
            return false; /* the 0 at the end, too */
    }
    return digest[BROCH_DIGEST_SIZE - 1] == '\0' &&
           (broch_base64_value(digest[BROCH_DIGEST_SIZE - 2]) & 3) == 0;
}

static inline bool broch_measurement_is_valid(const char *hex)
{
    size_t size = strlen(hex);

    return (size == 64 || size == 96) && strspn(hex, "0123456789abcdef") == size;
}

static inline bool broch_is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* host/user/repo:tag: two slashes, the tag behind the last colon, no part of them empty. The keep
 * has checked the rest. */
static inline bool broch_workload_is_valid(const char *workload)
{
    size_t slashes = 0, part = 0, tag_at = 0;

    for (const char *c = workload; *c != '\0'; c++) {
        if (!broch_is_alphanumeric(*c) && strchr("._-+/:[]", *c) == NULL)
            return false;
        if (*c == '/' || (*c == ':' && slashes == 2)) {
            if (part == 0 || tag_at != 0)
                return false;
            part = 0;
            slashes += *c == '/';
            tag_at = *c == ':' ? (size_t)(c - workload) : 0;
        } else {
            part++;
        }
    }
    return slashes == 2 && tag_at != 0 && part != 0;
}

/* ---- what stands in the files ---- */

static inline bool broch_peer_member(struct broch_json *j, size_t key, void *out)
{
    struct broch_peer *p = (struct broch_peer *)out;
    char kind[10];

    switch (key) {
    case 0:
        if (!broch_json_text(j, kind, sizeof kind))
            return false;
        p->kind = strcmp(kind, "keep") == 0    ? BROCH_KEEP
                  : strcmp(kind, "local") == 0 ? BROCH_LOCAL
                                               : BROCH_ANONYMOUS;
        return p->kind != BROCH_ANONYMOUS || strcmp(kind, "anonymous") == 0 ||
               broch_json_fail(j, BROCH_PEER_VALUE);
    case 1:
        return broch_json_text(j, p->workload, sizeof p->workload) &&
               (broch_workload_is_valid(p->workload) || broch_json_fail(j, BROCH_PEER_VALUE));
    case 2:
        return broch_json_text(j, p->digest, sizeof p->digest) &&
               (broch_digest_is_valid(p->digest) || broch_json_fail(j, BROCH_PEER_VALUE));
    case 3:
        return broch_json_text(j, p->technology, sizeof p->technology) &&
               (strcmp(p->technology, "snp") == 0 || strcmp(p->technology, "sgx") == 0 ||
                strcmp(p->technology, "tdx") == 0 || broch_json_fail(j, BROCH_PEER_VALUE));
    case 4:
        p->simulated = broch_json_next(j) == 't';
        if (!p->simulated && broch_json_next(j) != 'f')
            return broch_json_fail(j, BROCH_PEER_VALUE);
        return broch_json_word(j, p->simulated ? "true" : "false");
    default:
        return broch_json_text(j, p->measurement, sizeof p->measurement) &&
               (broch_measurement_is_valid(p->measurement) || broch_json_fail(j, BROCH_PEER_VALUE));
    }
}

/* Whether the keys that were seen are those that are needed, and no others. */
static inline bool broch_json_check_keys(struct broch_json *j, unsigned seen, unsigned needed)
{
    if ((needed & ~seen) != 0)
        return broch_json_fail(j, BROCH_PEER_MISSING);
    return (seen & ~needed) == 0 || broch_json_fail(j, BROCH_PEER_SURPLUS);
}

static inline bool broch_json_peer(struct broch_json *j, struct broch_peer *out)
{
    static const char *const keys[] = {"kind",      "workload",    "digest", "technology",
                                       "simulated", "measurement", NULL};
    unsigned seen;

    memset(out, 0, sizeof *out);
    if (!broch_json_object(j, keys, broch_peer_member, out, &seen))
        return false;
    if ((seen & 1) == 0)
        return broch_json_fail(j, BROCH_PEER_MISSING);
    return broch_json_check_keys(j, seen,
                                 out->kind == BROCH_KEEP    ? 0x3f
                                 : out->kind == BROCH_LOCAL ? 0x3d
                                                            : 0x01);
}

static inline bool broch_accepted_member(struct broch_json *j, size_t key, void *out)
{
    struct broch_accepted *a = (struct broch_accepted *)out;

    return key == 0 ? broch_json_text(j, a->address, sizeof a->address)
                    : broch_json_peer(j, &a->peer);
}

static inline bool broch_host_member(struct broch_json *j, size_t key, void *out)
{
    struct broch_connected *c = (struct broch_connected *)out;

    (void)key; /* which of them, the text shows */
    if (c->host[0] != '\0')
        return broch_json_fail(j, BROCH_PEER_SURPLUS);
    return broch_json_text(j, c->host, sizeof c->host) &&
           (c->host[0] != '\0' || broch_json_fail(j, BROCH_PEER_VALUE));
}

static inline bool broch_connected_member(struct broch_json *j, size_t key, void *out)
{
    static const char *const keys[] = {"Domain", "Ipv4", "Ipv6", NULL};
    struct broch_connected *c = (struct broch_connected *)out;
    unsigned seen, port = 0;

    if (key == 2)
        return broch_json_peer(j, &c->peer);
    if (key == 0)
        return broch_json_object(j, keys, broch_host_member, c, &seen) &&
               (seen != 0 || broch_json_fail(j, BROCH_PEER_MISSING));
    char first = broch_json_next(j);
    if (first < '1' || first > '9')
        return broch_json_fail(j, BROCH_PEER_VALUE);
    for (; j->at < j->end && *j->at >= '0' && *j->at <= '9'; j->at++) {
        port = port * 10 + (unsigned)(*j->at - '0');
        if (port > UINT16_MAX)
            return broch_json_fail(j, BROCH_PEER_VALUE);
    }
    if (j->at < j->end && strchr(".eE", *j->at) != NULL && *j->at != '\0')
        return broch_json_fail(j, BROCH_PEER_VALUE);
    c->port = (uint16_t)port;
    return true;
}

/* Nothing but white space may follow. */
static inline bool broch_json_end(struct broch_json *j)
{
    broch_json_blank(j);
    return j->at == j->end || broch_json_fail(j, BROCH_PEER_SYNTAX);
}

/* Why it failed: never that it did not. */
static inline enum broch_peer_error broch_json_why(const struct broch_json *j)
{
    return j->error != BROCH_PEER_OK ? j->error : BROCH_PEER_SYNTAX;
}

/* ---- reading ---- */

/* Reads a bare identity, as /net/peer/fd/N has it. The text need not end with a 0. */
static inline enum broch_peer_error broch_peer_parse(const char *text, size_t size,
                                                     struct broch_peer *out)
{
    struct broch_json j = {text, text + size, BROCH_PEER_OK};
    struct broch_peer peer;

    if (size > BROCH_PEER_TEXT_MAX)
        return BROCH_PEER_LONG;
    if (!broch_json_peer(&j, &peer) || !broch_json_end(&j))
        return broch_json_why(&j);
    *out = peer;
    return BROCH_PEER_OK;
}

/* Reads a line of /net/peer/lis. */
static inline enum broch_peer_error broch_accepted_parse(const char *text, size_t size,
                                                         struct broch_accepted *out)
{
    static const char *const keys[] = {"addr", "peer", NULL};
    struct broch_json j = {text, text + size, BROCH_PEER_OK};
    struct broch_accepted accepted;
    unsigned seen;

    if (size > BROCH_PEER_TEXT_MAX)
        return BROCH_PEER_LONG;
    memset(&accepted, 0, sizeof accepted);
    if (!broch_json_object(&j, keys, broch_accepted_member, &accepted, &seen) ||
        !broch_json_check_keys(&j, seen, 0x3) || !broch_json_end(&j))
        return broch_json_why(&j);
    *out = accepted;
    return BROCH_PEER_OK;
}

/* Reads a line of /net/peer/con. */
static inline enum broch_peer_error broch_connected_parse(const char *text, size_t size,
                                                          struct broch_connected *out)
{
    static const char *const keys[] = {"host", "port", "peer", NULL};
    struct broch_json j = {text, text + size, BROCH_PEER_OK};
    struct broch_connected connected;
    unsigned seen;

    if (size > BROCH_PEER_TEXT_MAX)
        return BROCH_PEER_LONG;
    memset(&connected, 0, sizeof connected);
    if (!broch_json_object(&j, keys, broch_connected_member, &connected, &seen) ||
        !broch_json_check_keys(&j, seen, 0x7) || !broch_json_end(&j))
        return broch_json_why(&j);
    *out = connected;
    return BROCH_PEER_OK;
}

/* The whole of a small file into text; *size is how much it was. */
static inline enum broch_peer_error broch_peer_read(const char *path,
                                                    char text[BROCH_PEER_TEXT_MAX + 1],
                                                    size_t *size)
{
    int fd = open(path, O_RDONLY);
    ssize_t got = 1;

    if (fd < 0)
        return BROCH_PEER_FILE;
    *size = 0;
    while (got > 0 && *size <= BROCH_PEER_TEXT_MAX) {
        do
            got = read(fd, text + *size, BROCH_PEER_TEXT_MAX + 1 - *size);
        while (got < 0 && errno == EINTR);
        if (got > 0)
            *size += (size_t)got;
    }
    int number = errno;
    (void)close(fd);
    errno = number;
    return got < 0 ? BROCH_PEER_FILE : BROCH_PEER_OK;
}

/* Who is at the other end of a connection: made by accept, broch_connect or [[files]]. This is the
 * one to use: it cannot name another connection's peer. */
static inline enum broch_peer_error broch_peer_of_fd(int fd, struct broch_peer *out)
{
    char path[32] = "/net/peer/fd/", digits[12] = "", text[BROCH_PEER_TEXT_MAX + 1];
    size_t count = 0, size = strlen(path);

    if (fd < 0) {
        errno = EBADF;
        return BROCH_PEER_FILE;
    }
    do
        digits[count++] = (char)('0' + fd % 10);
    while ((fd /= 10) != 0);
    while (count != 0)
        path[size++] = digits[--count];
    path[size] = '\0';
    enum broch_peer_error error = broch_peer_read(path, text, &size);
    return error != BROCH_PEER_OK ? error : broch_peer_parse(text, size, out);
}

/* The next peer, in their order, that was accepted and that nobody has asked for by this function.
 * Its place in the order is all that says which connection it belongs to. */
static inline enum broch_peer_error broch_peer_accepted(struct broch_accepted *out)
{
    char text[BROCH_PEER_TEXT_MAX + 1];
    size_t size;
    enum broch_peer_error error = broch_peer_read("/net/peer/lis", text, &size);

    if (error != BROCH_PEER_OK)
        return error;
    return size == 0 ? BROCH_PEER_NONE : broch_accepted_parse(text, size, out);
}

/* The same for peers that were connected to. */
static inline enum broch_peer_error broch_peer_connected(struct broch_connected *out)
{
    char text[BROCH_PEER_TEXT_MAX + 1];
    size_t size;
    enum broch_peer_error error = broch_peer_read("/net/peer/con", text, &size);

    if (error != BROCH_PEER_OK)
        return error;
    return size == 0 ? BROCH_PEER_NONE : broch_connected_parse(text, size, out);
}

/* ---- questions ---- */

/* Whether it is a keep that runs this workload, "host/user/repo", in whatever version. */
static inline bool broch_peer_runs(const struct broch_peer *peer, const char *workload)
{
    size_t size = strlen(workload);

    return peer->kind == BROCH_KEEP && strncmp(peer->workload, workload, size) == 0 &&
           peer->workload[size] == ':' && strchr(peer->workload + size, '/') == NULL;
}

/* The version of the workload, as "0.1.0"; empty unless it is BROCH_KEEP. */
static inline const char *broch_peer_tag(const struct broch_peer *peer)
{
    const char *colon = strrchr(peer->workload, ':');

    return colon != NULL ? colon + 1 : "";
}

/* The digest in hexadecimal, as sha256sum writes it; empty when it is BROCH_ANONYMOUS. */
static inline void broch_peer_digest_hex(const struct broch_peer *peer,
                                         char out[BROCH_DIGEST_HEX_SIZE])
{
    unsigned bits = 0, count = 0, used = 0;

    for (const char *c = peer->digest; *c != '\0'; c++) {
        bits = (bits << 6 | (unsigned)broch_base64_value(*c)) & 0xfff;
        for (count += 6; count >= 4 && used < BROCH_DIGEST_HEX_SIZE - 1; count -= 4)
            out[used++] = "0123456789abcdef"[bits >> (count - 4) & 0xf];
    }
    out[used] = '\0';
}

/* ---- sockets ---- */

/* Opens a name under a folder of /net; -1 and errno, EINVAL when it is no such name. */
static inline int broch_open(const char *folder, const char *name)
{
    char path[BROCH_HOST_SIZE + 32];
    size_t folder_size = strlen(folder), size = strlen(name);

    if (size == 0 || size >= sizeof path - folder_size || name[0] == '.' ||
        strchr(name, '/') != NULL) {
        errno = EINVAL;
        return -1;
    }
    memcpy(path, folder, folder_size + 1);
    memcpy(path + folder_size, name, size + 1);
    return open(path, O_RDWR);
}

/* Connects to "HOST:PORT" and returns when the connection, with its TLS, is there: a descriptor, or
 * -1 and errno. What it may connect to, the configuration says; else EACCES. */
static inline int broch_connect(const char *where)
{
    return broch_open("/net/con/", where);
}

/* Listens at a port, "50000"; accept() gives connections, whose TLS is done. -1 and errno. */
static inline int broch_listen(const char *port)
{
    return broch_open("/net/lis/", port);
}

/* From now on accept, read and write of the descriptor fail with EAGAIN instead of waiting. False
 * and errno when that cannot be. */
static inline bool broch_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

#endif
