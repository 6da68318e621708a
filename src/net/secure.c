/* TLS on connections: handshakes, whose end is a verdict on who the peer is and whether the entry
 * of the configuration lets it in (DESIGN.md §7, §8). */
#include <stdlib.h>
#include <string.h>

#include "identity/peer.h"
#include "net/internal.h"
#include "tls/tls.h"

/* What a peer's certificate may take. */
#define PEER_MEMORY ((size_t)256 << 10)
#define JSON_MAX 4096

struct secure {
    struct connection *connection;
    const struct net_tls *tls;
    struct tls_stream *stream;
    struct arena arena;
    struct identity_peer peer;
    bool is_server, is_ordinary;
    bool awaits_crl;       /* good, but for a list that is not there yet */
    bool read_wants_write; /* TLS has to send before it can go on reading */
    bool has_told;         /* why it broke */
    bool is_refused;       /* by us */
    const char *json;      /* of the peer; the arena's */
};

/* An ordinary server stands behind the name that was asked for, whatever else its certificate says.
 */
static bool is_ordinary(const struct config_rule *rule)
{
    return rule->web || rule->anchor.size != 0;
}

static int64_t now_of(const struct secure *s)
{
    const struct vfs_platform *p = vfs_platform(s->connection->net->config.vfs);

    return (int64_t)(p->realtime_ns(p->context) / (1000 * NS_PER_MS));
}

/* Whether a trusted Steward says who it is. */
static bool is_known(const struct identity_peer *peer)
{
    return peer->fault == IDENTITY_FAULT_NONE || peer->fault == IDENTITY_FAULT_NO_CRL ||
           peer->fault == IDENTITY_FAULT_REVOKED;
}

static enum tls_verdict refuse(struct secure *s, const char *why, enum tls_verdict verdict)
{
    s->has_told = s->is_refused = true;
    log_warn("refused a peer", log_str("peer", s->connection->where), log_str("reason", why),
             log_bytes("workload", is_known(&s->peer) ? s->peer.certificate.identity.claims.slug
                                                      : bytes_of("")));
    return verdict;
}

/* ---- who it is ---- */

/* What every entry for ordinary servers believes beside its own: [trust]. */
static enum tls_verdict judge_by_trust(const struct secure *s, struct bytes host, int64_t at,
                                       struct x509_st *leaf, struct stack_st_X509 *chain)
{
    const struct config *config = s->connection->net->config.config;
    const char *why;

    for (size_t i = 0; i < config->trust.anchor_count; i++) {
        const struct tls_roots *roots = s->tls->anchor(s->tls->context, config->trust.anchors[i]);
        if (roots != NULL && tls_server_judge(roots, host, at, leaf, chain, &why) == TLS_ACCEPT)
            return TLS_ACCEPT;
    }
    if (config->trust.web)
        return tls_server_judge(tls_roots_web(), host, at, leaf, chain, &why);
    return TLS_REFUSE_UNKNOWN;
}

static enum tls_verdict judge_server(struct secure *s, struct x509_st *leaf,
                                     struct stack_st_X509 *chain)
{
    const struct config_rule *rule = s->connection->rule;
    struct bytes host = bytes_of(s->connection->host);
    const struct tls_roots *roots =
        rule->web ? tls_roots_web() : s->tls->anchor(s->tls->context, rule->anchor);
    const char *why;
    enum tls_verdict verdict = tls_server_judge(roots, host, now_of(s), leaf, chain, &why);

    if (verdict != TLS_ACCEPT && judge_by_trust(s, host, now_of(s), leaf, chain) == TLS_ACCEPT)
        verdict = TLS_ACCEPT;
    return verdict == TLS_ACCEPT ? TLS_ACCEPT : refuse(s, why, verdict);
}

static enum tls_verdict alert_of(enum identity_fault fault)
{
    switch (fault) {
    case IDENTITY_FAULT_UNKNOWN_STEWARD:
        return TLS_REFUSE_UNKNOWN;
    case IDENTITY_FAULT_EXPIRED:
    case IDENTITY_FAULT_NOT_YET:
        return TLS_REFUSE_EXPIRED;
    case IDENTITY_FAULT_REVOKED:
        return TLS_REFUSE_REVOKED;
    case IDENTITY_FAULT_NO_KEEP:
    case IDENTITY_FAULT_PROFILE:
        return TLS_REFUSE_BAD;
    default:
        return TLS_REFUSE_POLICY;
    }
}

/* The peer as it is when its list turns out to be good. */
static struct identity_peer supposed(const struct identity_peer *peer)
{
    struct identity_peer p = *peer;

    if (p.fault == IDENTITY_FAULT_NO_CRL) {
        p.fault = IDENTITY_FAULT_NONE;
        p.kind = p.certificate.identity.claims.slug.size != 0 ? IDENTITY_KEEP : IDENTITY_LOCAL;
    }
    return p;
}

static enum tls_verdict judge_keep(struct secure *s, struct x509_st *leaf,
                                   struct stack_st_X509 *chain)
{
    const char *why;

    identity_peer_judge(s->tls->trust, leaf, chain, s->tls->simulated, now_of(s), &s->arena,
                        &s->peer);
    const struct identity_peer peer = supposed(&s->peer);
    if (peer.fault == IDENTITY_FAULT_NONE)
        s->tls->saw_time(s->tls->context, peer.floor);
    if (!identity_admits(s->connection->rule, &peer, &why))
        return refuse(s, why, alert_of(peer.fault));
    if (s->peer.fault == IDENTITY_FAULT_NO_CRL) {
        s->awaits_crl = true;
        s->tls->want_crl(s->tls->context, s->peer.crl_url, s->peer.issuer);
    }
    return TLS_ACCEPT;
}

static const char own_expired[] = "our own certificate has expired, and nobody has renewed it";

/* tls_judge */
static enum tls_verdict judge(void *context, struct x509_st *leaf, struct stack_st_X509 *chain)
{
    struct secure *s = context;

    if (s->tls->own(s->tls->context) == NULL)
        return refuse(s, own_expired, TLS_REFUSE_POLICY);
    return s->is_ordinary ? judge_server(s, leaf, chain) : judge_keep(s, leaf, chain);
}

/* Whether the list that a peer waits for has come, and what it says. */
static enum vfs_error settle(struct secure *s)
{
    enum identity_fault fault =
        identity_trust_recheck(s->tls->trust, s->peer.issuer, s->peer.serial, now_of(s));

    if (fault == IDENTITY_FAULT_NO_CRL)
        return VFS_AGAIN;
    s->awaits_crl = false;
    if (fault == IDENTITY_FAULT_NONE) {
        s->peer = supposed(&s->peer);
        return VFS_OK;
    }
    (void)refuse(s, identity_fault_text(fault), TLS_REFUSE_REVOKED);
    return VFS_ACCES;
}

static bool write_json(struct secure *s)
{
    struct writer w = writer_growable(&s->arena, JSON_MAX);
    struct bytes text;
    struct err err;

    identity_peer_write(&w, &s->peer);
    writer_u8(&w, '\0');
    if (!writer_done(&w, &text, &err))
        return false;
    s->json = (const char *)text.data;
    return true;
}

static void note_recheck(const struct secure *s)
{
    struct net *net = s->connection->net;

    if (s->peer.kind != IDENTITY_ANONYMOUS && s->peer.not_after < net->recheck_at)
        net->recheck_at = s->peer.not_after;
}

/* ---- handshakes ---- */

/* Whether the entry lets in who shows nothing. */
static bool admits_nobody(const struct config_rule *rule)
{
    const struct identity_peer nobody = {.kind = IDENTITY_ANONYMOUS,
                                         .fault = IDENTITY_FAULT_ABSENT};
    const char *why;

    return identity_admits(rule, &nobody, &why);
}

static enum vfs_error secure_begin(struct connection *n)
{
    const struct net_tls *tls = n->net->config.tls;
    struct tls_context *own = tls->own(tls->context);
    struct secure *s = calloc(1, sizeof *s);
    struct net_address address;
    struct err err;

    if (s == NULL)
        return VFS_NOMEM;
    arena_init(&s->arena, arena_heap, PEER_MEMORY);
    s->connection = n;
    s->tls = tls;
    s->is_server = n->host == NULL;
    s->is_ordinary = !s->is_server && is_ordinary(n->rule);
    s->peer = (struct identity_peer){.kind = IDENTITY_ANONYMOUS, .fault = IDENTITY_FAULT_ABSENT};
    n->secure = s;
    if (own == NULL) {
        (void)refuse(s, own_expired, TLS_REFUSE_POLICY);
        return VFS_ACCES;
    }
    struct tls_setup setup = {.context = own,
                              .fd = n->fd,
                              .is_server = s->is_server,
                              .needs_certificate = s->is_server && !admits_nobody(n->rule),
                              .judge = judge,
                              .judge_context = s};
    if (!s->is_server && !address_parse(bytes_of(n->host), &address))
        setup.server_name = bytes_of(n->host);
    n->wait =
        (struct vfs_wait){.handle = n->fd, .events = s->is_server ? VFS_READABLE : VFS_WRITABLE};
    return tls_stream_new(&setup, &s->stream, &err) ? VFS_OK : VFS_NOMEM;
}

static void secure_release(struct secure *s)
{
    tls_stream_free(s->stream);
    arena_done(&s->arena);
    free(s);
}

/* The errno of a broken stream, which is logged once: what TLS says of it may be the peer's reason.
 */
static enum vfs_error broken(struct secure *s)
{
    int number = tls_stream_errno(s->stream);

    if (!s->has_told && (number == 0 || s->json == NULL))
        log_warn(s->json == NULL ? "no TLS connection" : "a TLS connection broke",
                 log_str("peer", s->connection->where),
                 log_str("reason", tls_stream_error(s->stream)));
    s->has_told = true;
    if (s->is_refused)
        return VFS_ACCES;
    return number != 0 ? net_error(number) : VFS_CONNABORTED;
}

static enum vfs_error waits_for(const struct secure *s, unsigned events, struct vfs_wait *wait)
{
    *wait = (struct vfs_wait){.handle = s->connection->fd, .events = events};
    return VFS_AGAIN;
}

static enum vfs_error secure_advance(struct secure *s, struct vfs_wait *wait)
{
    enum vfs_error error = VFS_OK;

    switch (tls_handshake(s->stream)) {
    case TLS_OK:
        break;
    case TLS_WANT_READ:
        return waits_for(s, VFS_READABLE, wait);
    case TLS_WANT_WRITE:
        return waits_for(s, VFS_WRITABLE, wait);
    default:
        return broken(s);
    }
    if (s->awaits_crl)
        error = settle(s);
    if (error == VFS_AGAIN) {
        *wait = (struct vfs_wait){.handle = -1}; /* whoever brings the list asks again */
        return VFS_AGAIN;
    }
    if (error != VFS_OK)
        return error;
    note_recheck(s);
    return write_json(s) ? VFS_OK : VFS_NOMEM;
}

/* ---- data ---- */

static enum vfs_error secure_read(struct secure *s, void *out, size_t size, bool is_peek,
                                  size_t *done)
{
    enum tls_result result =
        is_peek ? tls_peek(s->stream, out, size, done) : tls_read(s->stream, out, size, done);

    s->read_wants_write = result == TLS_WANT_WRITE;
    switch (result) {
    case TLS_OK:
        return VFS_OK;
    case TLS_ENDED:
        *done = 0;
        return VFS_OK;
    case TLS_BROKEN:
        return broken(s);
    default:
        return VFS_AGAIN;
    }
}

static enum vfs_error secure_write(struct secure *s, struct bytes in, size_t *done)
{
    switch (tls_write(s->stream, in, done)) {
    case TLS_OK:
        return VFS_OK;
    case TLS_BROKEN:
        return broken(s);
    case TLS_ENDED: /* after we have ended our half */
        return VFS_PIPE;
    default:
        return VFS_AGAIN;
    }
}

static void poll_read(struct secure *s, unsigned woken, struct vfs_poll *out)
{
    uint8_t byte;
    size_t done;

    out->size = tls_readable(s->stream);
    if (out->size != 0) {
        out->ready = VFS_READABLE;
        return;
    }
    out->wait.events = s->read_wants_write ? VFS_WRITABLE : VFS_READABLE;
    if (woken == 0 && !tls_has_pending(s->stream))
        return;
    /* what has come may be half a record, or no data at all */
    enum tls_result result = tls_peek(s->stream, &byte, 1, &done);
    s->read_wants_write = result == TLS_WANT_WRITE;
    out->wait.events = s->read_wants_write ? VFS_WRITABLE : VFS_READABLE;
    if (result == TLS_OK) {
        out->ready = VFS_READABLE;
        out->size = tls_readable(s->stream);
    } else if (result == TLS_ENDED || result == TLS_BROKEN) {
        out->ready = VFS_READABLE | VFS_HANGUP; /* the next read tells */
    }
}

static void secure_poll(struct secure *s, unsigned wanted, unsigned woken, struct vfs_poll *out)
{
    *out = (struct vfs_poll){.wait = {.handle = s->connection->fd, .events = wanted}};
    if ((wanted & VFS_READABLE) != 0)
        poll_read(s, woken, out);
    if ((wanted & VFS_WRITABLE) != 0 && (woken & (VFS_WRITABLE | VFS_HANGUP)) != 0 &&
        tls_flush(s->stream) != TLS_WANT_WRITE)
        out->ready |= VFS_WRITABLE;
}

static enum vfs_error secure_end(struct secure *s)
{
    return tls_end(s->stream) == TLS_BROKEN ? broken(s) : VFS_OK;
}

static bool secure_has_unsent(const struct secure *s)
{
    return s->stream != NULL && tls_has_unsent(s->stream);
}

static enum vfs_error secure_flush(struct secure *s)
{
    enum tls_result result = tls_flush(s->stream);

    return result == TLS_OK ? VFS_OK : result == TLS_WANT_WRITE ? VFS_AGAIN : VFS_CONNRESET;
}

static const char *secure_delay(const struct secure *s)
{
    return s->awaits_crl ? identity_fault_text(IDENTITY_FAULT_NO_CRL)
                         : "its handshake took too long";
}

static const char *secure_peer(const struct secure *s)
{
    return s->json;
}

static const char *secure_recheck(const struct secure *s, int64_t now, int64_t *until)
{
    const struct identity_peer *p = &s->peer;

    if (p->kind == IDENTITY_ANONYMOUS)
        return NULL;
    *until = p->not_after;
    if (now > p->not_after)
        return identity_fault_text(IDENTITY_FAULT_EXPIRED);
    /* that there is no list does not end what was begun while there was one (DESIGN.md §3) */
    return identity_trust_recheck(s->tls->trust, p->issuer, p->serial, now) ==
                   IDENTITY_FAULT_REVOKED
               ? identity_fault_text(IDENTITY_FAULT_REVOKED)
               : NULL;
}

static const struct secure_ops ops = {
    .begin = secure_begin,
    .release = secure_release,
    .advance = secure_advance,
    .read = secure_read,
    .write = secure_write,
    .poll = secure_poll,
    .end = secure_end,
    .has_unsent = secure_has_unsent,
    .flush = secure_flush,
    .delay = secure_delay,
    .peer = secure_peer,
    .recheck = secure_recheck,
};

const struct secure_ops *const secure_ops = &ops;
