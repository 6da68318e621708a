/* The configuration of a workload: Keep.toml, and Enarx.toml in its two dialects (DESIGN.md §7).
 *
 * Which of the two a text is, its file's name says: in Keep.toml the defaults refuse (a TLS entry
 * must say who may be its peer); in Enarx.toml a file keeps the meaning that it has for Enarx.
 * Unknown keys are errors in both. Text is hostile: a package may come from anywhere. */
#pragma once

#include "base/base.h"
#include "package/host.h"
#include "package/digest.h"
#include "package/slug.h"

#define CONFIG_SIZE_MAX 1000000 /* bytes of text */
#define CONFIG_ARGS_MAX 4096
#define CONFIG_ENV_MAX 4096
#define CONFIG_FILES_MAX 1024      /* entries of [[files]] */
#define CONFIG_RULES_MAX 1024      /* network entries of each direction */
#define CONFIG_PEERS_MAX 1024      /* of one entry */
#define CONFIG_TAGS_MAX 1024       /* of one peer */
#define CONFIG_CERTIFICATES_MAX 64 /* files under each key of [trust] */
#define CONFIG_MEMORY_MIN 65536    /* bytes: a page of WebAssembly */
#define CONFIG_OPEN_FILES_MAX 65536
#define CONFIG_CONNECTIONS_MAX 65536

enum config_form { CONFIG_KEEP, CONFIG_ENARX };
enum config_protocol { CONFIG_TLS, CONFIG_TCP };
enum config_stdio { CONFIG_STDIO_NULL, CONFIG_STDIO_HOST };

/* A pattern that a keep's certificate must match in every field that is given. */
struct config_peer {
    struct bytes workload;    /* canonical host/user/repo; empty: any */
    const struct bytes *tags; /* any of them; none: any tag */
    size_t tag_count;
    struct digest digest;  /* size 0: any */
    uint32_t technologies; /* bits of enum technology numbers snp 1, sgx 2, tdx 3: 1 << n; 0: any */
    struct bytes steward;  /* a file of the package; empty: any trusted Steward */
};

/* Who may be at the other end of a TLS connection. Without `peers`, anonymous = true admits keeps
 * too: CONFIG_ADMIT_ANY_KEEP; an ordinary server (web or anchor) has no peers: CONFIG_ADMIT_PEERS
 * and none. Means nothing for plain TCP. */
enum config_admission {
    CONFIG_ADMIT_PEERS,    /* keeps that match one of `peers` */
    CONFIG_ADMIT_ANY_KEEP, /* peers = "any" */
    CONFIG_ADMIT_PROGRAM   /* Enarx's: everybody, the program decides by /net/peer */
};

/* One network entry. */
struct config_rule {
    enum config_protocol protocol;
    enum config_admission admission;
    const struct config_peer *peers;
    size_t peer_count;
    bool anonymous; /* peers without a valid keep certificate too */
    bool web;       /* outgoing, server = "web": an ordinary server, by the Mozilla roots */
    struct bytes
        anchor;    /* outgoing, server = FILE: an ordinary server, by this CA of the package */
    uint32_t line; /* of the entry, for messages; 0: a default */
};

struct config_incoming {
    bool is_default;
    uint16_t port;
    struct config_rule rule;
};

struct config_outgoing {
    bool is_default;
    struct bytes host; /* as config_host_canonical has it */
    uint16_t port;     /* 0: any */
    struct config_rule rule;
};

enum config_file_kind {
    CONFIG_FILE_NULL,
    CONFIG_FILE_STDIN,
    CONFIG_FILE_STDOUT,
    CONFIG_FILE_STDERR,
    CONFIG_FILE_LISTEN,
    CONFIG_FILE_CONNECT
};

/* An entry of [[files]]: descriptor number = its index. */
struct config_file {
    enum config_file_kind kind;
    struct bytes name; /* never empty, without ':' */
    struct bytes host; /* listen: the address to bind, "::" by default, IPv6 without brackets;
                          connect: whom, as config_host_canonical has it */
    uint16_t port;
    struct config_rule rule;
    uint32_t line;
};

struct config_env {
    struct bytes name, value;
};

/* Everything borrows from the text and the arena. */
struct config {
    enum config_form form;
    struct bytes steward, steward_ca; /* empty: none */
    const struct bytes *args;         /* argv[1] and on */
    size_t arg_count;
    const struct config_env *env;
    size_t env_count;
    enum config_stdio stdio[3]; /* when there are no files */
    bool has_files;             /* [[files]] was used, perhaps with no entry */
    const struct config_file *files;
    size_t file_count;
    struct {
        uint64_t memory;      /* bytes; UINT64_MAX: not said */
        uint64_t fuel;        /* UINT64_MAX: endless */
        uint64_t open_files;  /* default 4096 */
        uint64_t connections; /* default 1024 */
    } limits;
    struct {
        const struct bytes *stewards, *anchors; /* files of the package */
        size_t steward_count, anchor_count;
        bool web, simulated;
    } trust;
    const struct config_incoming *incoming;
    size_t incoming_count;
    const struct config_outgoing *outgoing;
    size_t outgoing_count;
};

/* The form that a file's name says: CONFIG_ENARX for "Enarx.toml", else CONFIG_KEEP. */
enum config_form config_form_of(const char *path);

/* Parses the text. An empty text is a package without configuration: host stdio, no network. What
 * *out has lives as long as arena and text. */
MUST_CHECK bool config_parse(struct bytes text, enum config_form form, struct arena *arena,
                             struct config *out, struct text_error *error);

/* Bytes, as "1048576", "1024KiB", "1MiB" or "1GiB". */
MUST_CHECK bool config_size_parse(struct bytes text, uint64_t *out);

/* The entry that governs listening on a port, or connecting to host and port (0 when the program
 * named none: matches only entries without port, as in Enarx): the exact one, then the host's
 * without port, then the default. NULL: refused. In Enarx.toml there is always one. */
const struct config_rule *config_incoming_rule(const struct config *config, uint16_t port);
const struct config_rule *config_outgoing_rule(const struct config *config, struct bytes host,
                                               uint16_t port);

/* Explains in words, one fact a line: stdio, arguments and environment, whom it trusts, which ports
 * are open and to whom, where it may connect and whom it believes, limits; then what is risky, in
 * lines that begin with "warning: ". Text of the file stands between quotes with JSON's escapes. */
void config_explain(const struct config *config, struct writer *out);

/* The commented template of `broch config init`: parses, and means host stdio and no network. */
extern const char config_template[];
