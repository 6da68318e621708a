/* HTTPS to the few servers that a keep asks itself: Stewards and registries. The host resolves
 * their names and is not believed: TLS decides. */
#include <openssl/x509.h>
#include <string.h>

#include "keep/self_internal.h"
#include "package/host.h"

static struct bytes bytes_of_scheme(void)
{
    return bytes_of("https://");
}

bool client_url_parse(struct bytes url, struct bytes *host, struct bytes *path, struct err *err)
{
    struct bytes scheme = bytes_of_scheme();

    if (!bytes_starts_with(url, scheme))
        return err_set(err, ERR_FORMAT, "an address must begin with https://", ERR_NO_AT);
    struct bytes rest = bytes_after(url, scheme.size);
    const uint8_t *slash = rest.size != 0 ? memchr(rest.data, '/', rest.size) : NULL;
    *host = slash != NULL ? bytes_before(rest, (size_t)(slash - rest.data)) : rest;
    *path = slash != NULL ? bytes_after(rest, host->size) : bytes_of("");
    return host->size != 0 || err_set(err, ERR_FORMAT, "an address has no host", ERR_NO_AT);
}

/* ---- who the server is ---- */

/* The host's clock may be behind; what a certificate begins with says that it is. A chain is judged
 * as of the latest of both. */
static int64_t time_for(struct x509_st *leaf, struct stack_st_X509 *chain)
{
    int64_t now = platform_now(), start = tls_latest_start(leaf, chain);

    return start > now ? start : now;
}

static enum tls_verdict judge(void *context, struct x509_st *leaf, struct stack_st_X509 *chain)
{
    struct client *c = context;
    int64_t at = time_for(leaf, chain);
    const struct tls_roots *roots = c->roots != NULL ? c->roots : tls_roots_web();
    const char *ignored;
    enum tls_verdict verdict =
        tls_server_judge(roots, c->server.host, at, leaf, chain, &c->refused);

    if (verdict == TLS_ACCEPT && c->is_steward && c->roots != NULL)
        platform_raise_floor(tls_latest_start(leaf, chain));
    if (verdict != TLS_ACCEPT && c->or_web)
        verdict = tls_server_judge(tls_roots_web(), c->server.host, at, leaf, chain, &ignored);
    if (verdict == TLS_ACCEPT)
        c->refused = NULL;
    else if (tls_server_judge(roots, c->server.host, tls_latest_start(leaf, chain), leaf, chain,
                              &ignored) == TLS_ACCEPT)
        c->refused =
            "the server's certificate has expired, by the clock of this host: is it wrong?";
    return verdict;
}

/* ---- asking ---- */

static bool find_addresses(struct client *c, struct bytes host, struct err *err)
{
    struct net_address found[NET_ADDRESSES_MAX];

    _Static_assert(NET_ADDRESSES_MAX <= HTTPS_ADDRESSES_MAX, "all that come have room");
    if (net_find_addresses(host, call_resolve, NULL, found, &c->server.address_count) != VFS_OK)
        return err_set(err, ERR_NOT_FOUND, "the host knows no address of it", ERR_NO_AT);
    for (size_t i = 0; i < c->server.address_count; i++) {
        c->addresses[i].family = found[i].family;
        memcpy(c->addresses[i].bytes, found[i].bytes, sizeof c->addresses[i].bytes);
    }
    return true;
}

bool client_open(struct client *c, struct bytes host, bool is_plain, struct tls_context *own,
                 const struct tls_roots *roots, struct err *err)
{
    uint8_t memory[2048];
    struct arena arena;
    struct bytes name;
    uint16_t port;

    *c = (struct client){.roots = roots};
    arena_init_fixed(&arena, memory, sizeof memory);
    if (!config_host_parse(host, &arena, &name, &port, err))
        return false;
    if (name.size >= sizeof c->host)
        return err_set(err, ERR_LIMIT, "the host's name is too long, in bytes", name.size);
    memcpy(c->host, name.data, name.size);
    c->server = (struct https_server){.host = bytes_from(c->host, name.size),
                                      .port = port != 0  ? port
                                              : is_plain ? 80
                                                         : 443,
                                      .addresses = c->addresses,
                                      .tls = is_plain ? NULL : own,
                                      .judge = judge,
                                      .judge_context = c};
    return find_addresses(c, c->server.host, err) &&
           https_connection_new(&c->server, &c->connection, err);
}

void client_close(struct client *c)
{
    https_connection_free(c->connection);
    c->connection = NULL;
}

static uint64_t now_ns(void)
{
    return keep_platform.monotonic_ns(NULL);
}

bool client_begin(struct client *c, const struct https_request *request, uint64_t patience_ms,
                  struct err *err)
{
    c->deadline = deadline_after(now_ns(), patience_ms);
    c->refused = NULL;
    return https_begin(c->connection, request, err);
}

enum https_state client_advance(struct client *c, struct https_answer *answer, struct err *err)
{
    enum https_state state = https_advance(c->connection, answer, err);

    if (state != HTTPS_WAITING || !deadline_passed(c->deadline, now_ns()))
        return state;
    (void)err_set(err, ERR_TIMEOUT, "no answer in time", ERR_NO_AT);
    return HTTPS_FAILED;
}

bool client_ask(struct client *c, const struct https_request *request, uint64_t patience_ms,
                struct https_answer *answer, struct err *err)
{
    enum https_state state;

    if (!client_begin(c, request, patience_ms, err))
        return false;
    while ((state = client_advance(c, answer, err)) == HTTPS_WAITING) {
        bool wants_write;
        int fd = https_fd(c->connection, &wants_write);
        if (platform_wait_one(fd, wants_write, c->deadline.at_ns) != VFS_OK)
            return err_set(err, ERR_IO, "the host cannot wait", ERR_NO_AT);
    }
    return state == HTTPS_DONE;
}

const char *client_detail(const struct client *c)
{
    if (c->refused != NULL)
        return c->refused;
    return c->connection != NULL ? https_detail(c->connection) : "";
}
