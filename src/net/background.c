/* What goes on beside the program: net.h says what. */
#include "net/internal.h"

static int64_t now_s(const struct net *net)
{
    const struct vfs_platform *p = vfs_platform(net->config.vfs);

    return (int64_t)(p->realtime_ns(p->context) / (1000 * NS_PER_MS));
}

/* How many have business, at most: what is looked for is no more than those. */
static size_t busy(const struct net *net)
{
    return net->shaking + net->lingering + net->unsent;
}

static bool has_business(const struct connection *n)
{
    return n->stage == CONNECTION_SHAKING || n->stage == CONNECTION_LINGERING || n->is_unsent;
}

size_t net_waits(const struct net *net, struct vfs_wait *out, size_t capacity)
{
    size_t count = 0, left = busy(net) < capacity ? busy(net) : capacity;

    for (const struct connection *n = net->all; n != NULL && count < left; n = n->next) {
        if (!has_business(n))
            continue;
        out[count++] = n->stage == CONNECTION_SHAKING
                           ? n->wait
                           : (struct vfs_wait){.handle = n->fd, .events = VFS_WRITABLE};
    }
    return count;
}

uint64_t net_due_ns(const struct net *net)
{
    struct deadline due = deadline_never();
    size_t timed = net->shaking + net->lingering;

    for (const struct connection *n = net->all; n != NULL && timed != 0; n = n->next) {
        if (n->stage == CONNECTION_SHAKING || n->stage == CONNECTION_LINGERING) {
            due = deadline_sooner(due, n->deadline);
            timed--;
        }
    }
    if (net->is_full)
        due = deadline_sooner(due, (struct deadline){.at_ns = listener_room_ns(net)});
    if (net->recheck_at != INT64_MAX) {
        int64_t left = net->recheck_at - now_s(net);
        due = deadline_sooner(
            due, deadline_after(net_now_ns(net), left > 0 ? (uint64_t)left * 1000 : 0));
    }
    return due.at_ns;
}

/* Goes on with one; true: something that a file may wait for. */
static bool advance(struct connection *n)
{
    if (n->stage == CONNECTION_SHAKING) {
        enum vfs_error error = connection_advance(n);
        if (error != VFS_OK && error != VFS_AGAIN && n->listener != NULL)
            connection_free(n);
        return error != VFS_AGAIN;
    }
    enum vfs_error error = secure_ops->flush(n->secure);
    if (n->stage == CONNECTION_LINGERING) {
        if (error != VFS_AGAIN || deadline_passed(n->deadline, net_now_ns(n->net)))
            connection_free(n);
        return false;
    }
    connection_note_unsent(n);
    return error != VFS_AGAIN;
}

bool net_advance(struct net *net)
{
    bool happened = false;
    size_t left = busy(net);

    for (struct connection *n = net->all, *next; n != NULL && left != 0; n = next) {
        next = n->next;
        if (!has_business(n))
            continue;
        left--;
        happened |= advance(n);
    }
    if (net->recheck_at != INT64_MAX && now_s(net) >= net->recheck_at) {
        net_recheck(net);
        happened = true;
    }
    if (net->is_full && listener_room_ns(net) <= net_now_ns(net)) {
        net->is_full = false;
        happened = true;
    }
    return happened;
}

void net_recheck(struct net *net)
{
    int64_t now = now_s(net);

    net->recheck_at = INT64_MAX;
    for (struct connection *n = net->all, *next; n != NULL; n = next) {
        next = n->next;
        int64_t until = INT64_MAX;
        if (n->secure == NULL || (n->stage != CONNECTION_OPEN && n->stage != CONNECTION_LINGERING))
            continue;
        const char *why = secure_ops->recheck(n->secure, now, &until);
        if (why != NULL && n->stage == CONNECTION_LINGERING)
            connection_free(n); /* the program has forgotten it already */
        else if (why != NULL)
            connection_break(n, why);
        else if (until < net->recheck_at)
            net->recheck_at = until;
    }
}

void net_drain(struct net *net)
{
    const struct vfs_platform *p = vfs_platform(net->config.vfs);
    struct deadline end = deadline_after(net_now_ns(net), PATIENCE_MS);

    for (struct connection *n = net->all, *next; n != NULL; n = next) {
        next = n->next;
        if (n->stage == CONNECTION_SHAKING && n->listener != NULL)
            connection_free(n);
    }
    while (net->lingering != 0 && !deadline_passed(end, net_now_ns(net))) {
        struct vfs_wait waits[LINGERING_MAX];
        size_t count = net_waits(net, waits, LINGERING_MAX);
        if (p->wait(p->context, waits, count, end.at_ns) != VFS_OK)
            break;
        (void)net_advance(net);
    }
}
