/* /net, and what the configuration lets a workload do there. */
#include "net/net.h"

#include <stdlib.h>
#include <string.h>

#include "net/internal.h"
#include "package/host.h"

/* A directory of names that are made up by whoever opens them: con and lis; and such a name. */
struct name_directory {
    struct vfs_node node;
    struct net *net;
};

struct name_node {
    struct vfs_node node;
    struct net *net;
    size_t size;
    uint8_t name[];
};

static void release(struct vfs_node *node)
{
    free(node);
}

static struct name_node *name_of(struct vfs_node *node)
{
    return (struct name_node *)(void *)node;
}

static enum vfs_error name_new(struct vfs_node *dir, const struct vfs_ops *ops, struct bytes name,
                               struct vfs_node **out)
{
    struct name_node *n = malloc(sizeof *n + name.size);

    if (n == NULL)
        return VFS_NOMEM;
    vfs_node_init(&n->node, ops);
    n->net = ((struct name_directory *)(void *)dir)->net;
    n->size = name.size;
    memcpy(n->name, name.data, name.size);
    *out = &n->node;
    return VFS_OK;
}

/* ---- what is allowed ---- */

/* Says once a time why something was refused; the workload only gets a number. */
static enum vfs_error check_rule(const struct net *net, const struct config_rule *rule,
                                 const char *table, struct bytes name)
{
    if (rule == NULL) {
        log_warn("refused: the configuration has no such entry", log_str("table", table),
                 log_bytes("entry", name));
        return VFS_ACCES;
    }
    if (rule->protocol == CONFIG_TLS && (net->config.tls == NULL || secure_ops == NULL)) {
        log_warn("refused: this build has no TLS; prot = \"tcp\" gives a plain socket",
                 log_str("table", table), log_bytes("entry", name));
        return VFS_PROTONOSUPPORT;
    }
    return VFS_OK;
}

static uint16_t default_port(const struct config_rule *rule)
{
    return rule->protocol == CONFIG_TLS ? 443 : 80;
}

enum vfs_error net_find_addresses(struct bytes host,
                                  enum vfs_error (*resolve)(void *context, struct bytes name,
                                                            struct net_address *out, size_t *count),
                                  void *context, struct net_address out[NET_ADDRESSES_MAX],
                                  size_t *count)
{
    *count = 1;
    if (address_parse(host, &out[0]))
        return VFS_OK;
    if (bytes_is(host, "localhost")) { /* nobody is to say what this is (RFC 6761 §6.3) */
        *count = 2;
        return address_parse(bytes_of("::1"), &out[0]) &&
                       address_parse(bytes_of("127.0.0.1"), &out[1])
                   ? VFS_OK
                   : VFS_INVAL;
    }
    return resolve(context, host, out, count);
}

static enum vfs_error connect_to(struct net *net, const struct config_rule *rule, struct bytes host,
                                 uint16_t port, bool is_nonblocking, struct vfs_node **out)
{
    struct net_address addresses[NET_ADDRESSES_MAX];
    struct connection_target target = {
        .rule = rule, .host = host, .port = port, .addresses = addresses};
    enum vfs_error error = net_find_addresses(host, net->config.resolve, net->config.context,
                                              addresses, &target.address_count);

    return error == VFS_OK ? connection_new(net, &target, is_nonblocking, out) : error;
}

/* ---- con ---- */

static enum vfs_error con_open(struct vfs_node *node, unsigned flags, struct vfs_node **out)
{
    struct name_node *n = name_of(node);
    struct bytes text = bytes_from(n->name, n->size), host;
    uint8_t memory[2048]; /* a name of 253 bytes and its canonical form */
    struct arena arena;
    struct err err;
    uint16_t port;

    /* as for a FIFO, there is nothing to truncate: fopen(…, "w") writes to the connection */
    arena_init_fixed(&arena, memory, sizeof memory);
    if (!config_host_parse(text, &arena, &host, &port, &err))
        return VFS_INVAL;
    const struct config_rule *rule = config_outgoing_rule(n->net->config.config, host, port);
    enum vfs_error error = check_rule(n->net, rule, "network.outgoing", text);
    if (error != VFS_OK)
        return error;
    return connect_to(n->net, rule, host, port != 0 ? port : default_port(rule),
                      (flags & VFS_OPEN_NONBLOCK) != 0, out);
}

static const struct vfs_ops con_ops = {
    .type = VFS_SOCKET, .is_stream = true, .release = release, .open = con_open};

static enum vfs_error con_lookup(struct vfs_node *dir, struct bytes name, struct vfs_node **out)
{
    return name_new(dir, &con_ops, name, out);
}

/* ---- lis ---- */

static enum vfs_error lis_open(struct vfs_node *node, unsigned flags, struct vfs_node **out)
{
    struct name_node *n = name_of(node);
    struct bytes text = bytes_from(n->name, n->size);
    uint16_t port;

    if ((flags & VFS_OPEN_TRUNCATE) != 0 || !config_port_parse(text, &port))
        return VFS_INVAL;
    const struct config_rule *rule = config_incoming_rule(n->net->config.config, port);
    enum vfs_error error = check_rule(n->net, rule, "network.incoming", text);
    return error != VFS_OK ? error : listener_new(n->net, rule, NULL, port, out);
}

static const struct vfs_ops lis_ops = {
    .type = VFS_SOCKET, .is_stream = true, .release = release, .open = lis_open};

static enum vfs_error lis_lookup(struct vfs_node *dir, struct bytes name, struct vfs_node **out)
{
    return name_new(dir, &lis_ops, name, out);
}

/* ---- the whole ---- */

static const struct vfs_ops con_directory_ops = {
    .type = VFS_DIRECTORY, .release = release, .lookup = con_lookup};
static const struct vfs_ops lis_directory_ops = {
    .type = VFS_DIRECTORY, .release = release, .lookup = lis_lookup};

static bool add_directory(struct net *net, struct vfs_node *parent, const char *name,
                          const struct vfs_ops *ops, struct err *err)
{
    struct name_directory *dir = calloc(1, sizeof *dir);

    if (dir == NULL)
        return err_set(err, ERR_MEMORY, "no memory for /net", ERR_NO_AT);
    vfs_node_init(&dir->node, ops);
    dir->net = net;
    bool ok = vfs_insert(parent, name, &dir->node, err);
    vfs_node_drop(&dir->node);
    return ok;
}

bool net_new(const struct net_config *config, struct net **out, struct err *err)
{
    struct net *net = calloc(1, sizeof *net);
    struct vfs_node *top = vfs_directory_new(config->vfs), *peer = NULL;

    if (net != NULL && top != NULL) {
        net->config = *config;
        net->recheck_at = INT64_MAX;
        peer = peer_directory_new(net);
    }
    bool ok = peer != NULL || err_set(err, ERR_MEMORY, "no memory for /net", ERR_NO_AT);
    ok = ok && vfs_insert(top, "peer", peer, err) &&
         add_directory(net, top, "con", &con_directory_ops, err) &&
         add_directory(net, top, "lis", &lis_directory_ops, err) &&
         vfs_insert(vfs_root(config->vfs), "net", top, err);
    vfs_node_drop(peer);
    vfs_node_drop(top);
    if (!ok) {
        free(net);
        return false;
    }
    *out = net;
    return true;
}

void net_free(struct net *net)
{
    if (net == NULL)
        return;
    while (net->all != NULL)
        connection_free(net->all);
    peer_queue_done(&net->connected);
    peer_queue_done(&net->accepted);
    free(net);
}

enum vfs_error net_open(struct net *net, const struct config_file *file, struct vfs_node **out)
{
    struct net_address address;
    const char *table = file->kind == CONFIG_FILE_LISTEN ? "files, listen" : "files, connect";
    enum vfs_error error = check_rule(net, &file->rule, table, file->name);

    if (error != VFS_OK)
        return error;
    if (file->kind == CONFIG_FILE_CONNECT)
        return connect_to(net, &file->rule, file->host, file->port, false, out);
    if (bytes_is(file->host, "::") || bytes_is(file->host, "[::]"))
        return listener_new(net, &file->rule, NULL, file->port, out);
    if (!address_parse(file->host, &address))
        return VFS_INVAL;
    return listener_new(net, &file->rule, &address, file->port, out);
}
