/* Who this keep is: its keys and certificates, whom it believes, and how all that is kept up to
 * date (DESIGN.md §3). Nothing of the boot request is ever an anchor for peers: it names whom the
 * platform's certificate is asked of, and the registry's authority. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "keep/self_internal.h"
#include "tls/tls.h"

#define MEMORY_MAX ((size_t)64 << 20)
#define PEM_MAX ((size_t)1 << 20)
/* A certificate is renewed after two thirds of its lifetime; a list is fetched each hour. */
#define CRL_PERIOD_MS UINT64_C(3600000)
/* After a failure, doubled with each further one up to the second. */
#define RETRY_FIRST_MS UINT64_C(5000)
#define RETRY_MOST_MS UINT64_C(600000)
#define CRL_URL_MAX 1024u

/* Roots in a file of the package. */
struct anchor {
    struct bytes file;
    struct tls_roots *roots;
};

/* A revocation list that is kept up to date. */
struct list {
    struct bytes url, issuer; /* from the heap, one block */
    struct deadline due;
    unsigned failures;
};

struct self {
    const struct boot *boot;
    const struct config *config;
    const struct package *package;
    struct arena arena;
    struct tls_roots *registry_roots, *steward_roots, *list_roots;
    struct identity_trust *peers, *issuer;
    struct steward steward;
    bool has_steward;
    struct identity_claims claims;
    struct anchor *anchors;
    size_t anchor_count;
    /* what peers are shown */
    struct tls_context *own, *nobody;
    int64_t own_not_after;
    struct net_tls tls;
    /* renewal */
    struct attestation renewal;
    bool is_renewing;
    int64_t renew_at;          /* seconds since 1970 */
    struct deadline renew_due; /* the same by the other clock; the sooner counts */
    unsigned renewal_failures;
    /* lists; one is fetched at a time */
    struct list lists[IDENTITY_CRLS_MAX];
    size_t list_count;
    struct client list_client;
    struct arena list_arena;
    struct list *fetching; /* NULL: none */
};

static bool tell(const char *what, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    log_error(what, log_str("reason", err_text(err, NULL, text)));
    return false;
}

static uint64_t now_ns(void)
{
    return keep_platform.monotonic_ns(NULL);
}

/* ---- its beginning ---- */

bool self_new(const struct boot *boot, struct self **out, struct err *err)
{
    struct self *self = calloc(1, sizeof *self);

    if (self == NULL)
        return err_set(err, ERR_MEMORY, "no memory for the keep's identity", ERR_NO_AT);
    self->boot = boot;
    arena_init(&self->arena, arena_heap, MEMORY_MAX);
    self->renew_at = INT64_MAX;
    self->renew_due = deadline_never();
    processor_open();
    *out = self;
    return true;
}

void self_free(struct self *self)
{
    if (self == NULL)
        return;
    processor_close();
    client_close(&self->list_client);
    arena_done(&self->list_arena);
    attestation_done(&self->renewal);
    for (size_t i = 0; i < self->list_count; i++)
        free((void *)(uintptr_t)self->lists[i].url.data);
    for (size_t i = 0; i < self->anchor_count; i++)
        tls_roots_free(self->anchors[i].roots);
    tls_context_free(self->own);
    tls_context_free(self->nobody);
    if (self->issuer != self->peers)
        identity_trust_free(self->issuer);
    identity_trust_free(self->peers);
    tls_roots_free(self->registry_roots);
    tls_roots_free(self->steward_roots);
    tls_roots_free(self->list_roots);
    arena_done(&self->arena);
    free(self);
}

static bool read_roots(struct bytes pem, const char *of, struct tls_roots **out)
{
    struct err err;

    return pem.size == 0 || tls_roots_new(pem, out, &err) || tell(of, &err);
}

/* ---- the package ---- */

/* The platform's certificate, for reading a private package and nothing else: what it is shown
 * with, or NULL. */
static struct tls_context *become_platform(struct self *self)
{
    const struct boot *boot = self->boot;
    const struct identity_claims nothing = {.slug = {.size = 0}};
    struct steward steward = {.url = boot->steward, .roots = self->steward_roots};
    struct tls_context *context = NULL;
    struct attestation a = {.key = NULL};
    struct bytes path;
    struct err err;

    bool ok =
        client_url_parse(boot->steward, &steward.host, &path, &err) &&
        identity_trust_new(&steward.issuer, &err) &&
        (boot->steward_ca.size == 0 ||
         identity_trust_add(steward.issuer, bytes_of("--steward-ca"), boot->steward_ca, &err)) &&
        attestation_begin(&a, &steward, &nothing, &err) && attestation_run(&a, &err) &&
        tls_context_new(a.chain, a.key, &context, &err);
    if (!ok)
        log_error("no certificate for the platform", log_bytes("steward", boot->steward),
                  log_err(&err), log_str("detail", client_detail(&a.client)));
    attestation_done(&a);
    identity_trust_free(steward.issuer);
    return context;
}

/* The registry wants to know who asks. */
static int fetch_as_platform(struct self *self, struct fetch *fetch)
{
    if (self->boot->steward.size == 0) {
        log_error("the package is private, or there is none of this name; --steward names who "
                  "certifies this platform to the registry",
                  log_bytes("package", fetch->name));
        return KEEP_FAILED;
    }
    if (fetch->is_plain) {
        log_error("the package is private: it is not fetched over plain http",
                  log_bytes("package", fetch->name));
        return KEEP_FAILED;
    }
    struct tls_context *platform = become_platform(self);
    if (platform == NULL)
        return KEEP_NO_IDENTITY;
    fetch->own = platform;
    bool ok = fetch_run(fetch);
    if (!ok && fetch->is_denied)
        log_error("the registry does not give this package to this platform: its repository must "
                  "trust the Steward, for this technology",
                  log_bytes("package", fetch->name), log_bytes("steward", self->boot->steward));
    fetch->own = NULL;
    tls_context_free(platform); /* and with it the only key that opens the registry */
    return ok ? 0 : KEEP_FAILED;
}

int self_fetch(struct self *self, struct arena *arena, struct package *out)
{
    const struct boot *boot = self->boot;
    struct fetch fetch;
    struct err err;

    if (!read_roots(boot->registry_ca, "bad --registry-ca", &self->registry_roots) ||
        !read_roots(boot->steward_ca, "bad --steward-ca", &self->steward_roots))
        return KEEP_FAILED;
    if (!fetch_parse(boot->package, arena, &fetch, &err)) {
        log_error("bad package", log_bytes("package", boot->package), log_err(&err));
        return KEEP_FAILED;
    }
    if (!tls_context_new(bytes_of(""), NULL, &self->nobody, &err)) {
        (void)tell("cannot fetch the package", &err);
        return KEEP_FAILED;
    }
    fetch.roots = self->registry_roots;
    fetch.own = self->nobody;
    fetch.arena = arena;
    fetch.package = out;
    if (fetch_run(&fetch))
        return 0;
    return fetch.is_denied ? fetch_as_platform(self, &fetch) : KEEP_FAILED;
}

/* ---- whom it believes ---- */

/* A file that the configuration names. */
static bool find_pem(const struct self *self, struct bytes name, struct bytes *out)
{
    for (size_t i = 0; i < self->package->file_count; i++) {
        const struct boot_file *file = &self->package->files[i];
        if (bytes_equal(file->path, name) && file->content.size <= PEM_MAX) {
            *out = file->content;
            return true;
        }
    }
    log_error("the configuration names a file that the package has not, or that is no PEM",
              log_bytes("file", name));
    return false;
}

static bool believe(const struct self *self, struct identity_trust *trust, struct bytes name)
{
    struct bytes pem;
    struct err err;

    if (!find_pem(self, name, &pem))
        return false;
    if (identity_trust_add(trust, name, pem, &err))
        return true;
    log_error("bad file of a Steward's root", log_bytes("file", name), log_err(&err));
    return false;
}

/* Its anchors for peers: the Steward that the package names, and those of [trust]. */
static bool set_trust(struct self *self)
{
    const struct config *c = self->config;
    struct err err;

    if (!identity_trust_new(&self->peers, &err))
        return tell("cannot start", &err);
    if (c->steward_ca.size != 0 && !believe(self, self->peers, c->steward_ca))
        return false;
    for (size_t i = 0; i < c->trust.steward_count; i++) {
        if (!bytes_equal(c->trust.stewards[i], c->steward_ca) &&
            !believe(self, self->peers, c->trust.stewards[i]))
            return false;
    }
    return true;
}

static bool add_anchor(struct self *self, struct bytes file)
{
    struct bytes pem;
    struct err err;

    if (file.size == 0)
        return true;
    for (size_t i = 0; i < self->anchor_count; i++) {
        if (bytes_equal(self->anchors[i].file, file))
            return true;
    }
    struct anchor *anchor = &self->anchors[self->anchor_count];
    if (!find_pem(self, file, &pem))
        return false;
    if (!tls_roots_new(pem, &anchor->roots, &err)) {
        log_error("bad file of an authority", log_bytes("file", file), log_err(&err));
        return false;
    }
    anchor->file = file;
    self->anchor_count++;
    return true;
}

/* The authorities of ordinary servers. */
static bool set_anchors(struct self *self)
{
    const struct config *c = self->config;
    size_t most = c->trust.anchor_count + c->outgoing_count + c->file_count;
    bool ok = true;

    self->anchors = ARENA_ARRAY(&self->arena, struct anchor, most);
    if (self->anchors == NULL) {
        log_error("no memory for the authorities");
        return false;
    }
    for (size_t i = 0; i < c->trust.anchor_count && ok; i++)
        ok = add_anchor(self, c->trust.anchors[i]);
    for (size_t i = 0; i < c->outgoing_count && ok; i++)
        ok = add_anchor(self, c->outgoing[i].rule.anchor);
    for (size_t i = 0; i < c->file_count && ok; i++)
        ok = add_anchor(self, c->files[i].rule.anchor);
    return ok;
}

/* The Steward that certifies us. That of the package is believed of peers, too; the boot request's
 * is not: its word is for others. */
static bool set_steward(struct self *self)
{
    const struct config *c = self->config;
    const struct boot *boot = self->boot;
    bool is_own = c->steward.size != 0;
    struct bytes pem = boot->steward_ca, path;
    struct err err;

    self->has_steward = is_own || boot->steward.size != 0;
    if (!self->has_steward)
        return true;
    self->steward.url = is_own ? c->steward : boot->steward;
    if (!client_url_parse(self->steward.url, &self->steward.host, &path, &err))
        return tell("bad address of the Steward", &err);
    if (is_own) {
        pem = bytes_of("");
        if (c->steward_ca.size != 0 && !find_pem(self, c->steward_ca, &pem))
            return false;
        self->issuer = self->peers;
        if (c->steward_ca.size == 0 || c->trust.steward_count != 0) {
            /* one of its own, so that no other Steward can answer in its place */
            self->issuer = NULL;
        }
    }
    if (self->issuer == NULL) {
        if (!identity_trust_new(&self->issuer, &err))
            return tell("cannot start", &err);
        if (pem.size != 0 &&
            !identity_trust_add(self->issuer, is_own ? c->steward_ca : bytes_of("--steward-ca"),
                                pem, &err))
            return tell("bad root of the Steward", &err);
    }
    tls_roots_free(self->steward_roots);
    self->steward_roots = NULL;
    self->steward.issuer = self->issuer;
    if (!read_roots(pem, "bad root of the Steward", &self->steward_roots))
        return false;
    self->steward.roots = self->steward_roots;
    return true;
}

/* ---- who it is ---- */

/* Shows a new certificate from now on; connections that are there keep the old one. */
static bool adopt(struct self *self, const struct attestation *a, struct err *err)
{
    struct tls_context *context;

    if (!tls_context_new(a->chain, a->key, &context, err))
        return false;
    tls_context_free(self->own);
    self->own = context;
    self->own_not_after = a->issued.not_after;
    /* Its life begins now, at the earliest when the Steward signed it, which the clock's floor now
     * is. With a clock that is ahead less is left of it, but never so little that one renewal would
     * follow the other. */
    int64_t now = platform_now(), left = a->issued.not_after - now;
    uint64_t wait_ms = left > 0 ? (uint64_t)left * 2000 / 3 : 0;
    if (wait_ms < RETRY_FIRST_MS)
        wait_ms = RETRY_FIRST_MS;
    self->renew_at = now + (int64_t)(wait_ms / 1000);
    self->renew_due = deadline_after(now_ns(), wait_ms);
    return true;
}

static void want_list(void *context, struct bytes url, struct bytes issuer);

/* A Steward without a root in the package, whose server the web's authorities vouch for, is one of
 * its anchors all the same: with the root that it has shown. */
static bool believe_shown(struct self *self, struct bytes chain, struct err *err)
{
    struct bytes root = pem_last(chain);

    return identity_trust_add(self->peers, bytes_of(""), root, err);
}

static int attest(struct self *self)
{
    struct attestation *a = &self->renewal;
    struct err err;
    bool ok = attestation_begin(a, &self->steward, &self->claims, &err) &&
              attestation_run(a, &err) && adopt(self, a, &err);

    if (!ok)
        log_error("the keep has no identity", log_bytes("steward", self->steward.url),
                  log_err(&err), log_str("detail", client_detail(&a->client)));
    if (ok && self->config->steward.size != 0 && self->config->steward_ca.size == 0) {
        ok = believe_shown(self, a->chain, &err);
        if (!ok)
            (void)tell("the Steward cannot be believed", &err);
    }
    if (ok && self->config->steward.size != 0) /* a peer may be its, and have been revoked */
        want_list(self, a->issued.crl_url, a->issued.issuer);
    attestation_done(a);
    return ok ? 0 : KEEP_NO_IDENTITY;
}

/* On a machine that is not trusted the workload is what its package says, and nothing else. */
static bool check_overrides(const struct boot *boot)
{
    const char *what = boot->arg_count != 0         ? "arguments"
                       : boot->env_count != 0       ? "variables of the environment"
                       : boot->fuel != UINT64_MAX   ? "a limit of fuel"
                       : boot->memory != UINT64_MAX ? "a limit of memory"
                                                    : NULL;

    if (what != NULL)
        log_error("refused: a keep that a Steward certifies takes them from its package alone",
                  log_str("given", what));
    return what == NULL;
}

int self_become(struct self *self, const struct boot *boot, const struct config *config,
                struct package *package)
{
    struct err err;

    self->config = config;
    self->package = package;
    if (!set_trust(self) || !set_anchors(self) || !set_steward(self))
        return KEEP_FAILED;
    if (!self->has_steward)
        return 0;
    if (!check_overrides(boot))
        return KEEP_FAILED;
    if (!package->has_digest) {
        if (!tree_digest(package, package->digest, &err)) {
            (void)tell("bad package", &err);
            return KEEP_FAILED;
        }
        package->has_digest = true;
    }
    self->claims.slug = package->slug;
    self->claims.has_digest = true;
    memcpy(self->claims.digest, package->digest, sizeof self->claims.digest);
    return attest(self);
}

/* Nobody certified us: a certificate of our own, made when it is first needed. */
static void sign_self(struct self *self)
{
    struct evp_pkey_st *key = NULL;
    struct arena arena;
    struct bytes chain;
    struct err err;

    arena_init(&arena, arena_heap, MEMORY_MAX);
    if (!tls_key_new(&key, &err) || !tls_self_signed(key, platform_now(), &arena, &chain, &err) ||
        !tls_context_new(chain, key, &self->own, &err))
        (void)tell("no TLS", &err);
    EVP_PKEY_free(key);
    arena_done(&arena);
}

/* ---- for sockets ---- */

static struct tls_context *own(void *context)
{
    struct self *self = context;

    if (self->has_steward)
        return platform_now() <= self->own_not_after ? self->own : NULL;
    if (self->own == NULL)
        sign_self(self);
    return self->own;
}

static const struct tls_roots *anchor(void *context, struct bytes file)
{
    const struct self *self = context;

    for (size_t i = 0; i < self->anchor_count; i++) {
        if (bytes_equal(self->anchors[i].file, file))
            return self->anchors[i].roots;
    }
    return NULL;
}

static void saw_time(void *context, int64_t floor)
{
    (void)context;
    platform_raise_floor(floor);
}

const struct net_tls *self_tls(struct self *self)
{
    self->tls = (struct net_tls){.context = self,
                                 .trust = self->peers,
                                 .simulated = self->config->trust.simulated,
                                 .own = own,
                                 .anchor = anchor,
                                 .saw_time = saw_time,
                                 .want_crl = want_list};
    return &self->tls;
}

/* ---- revocation lists ---- */

static void want_list(void *context, struct bytes url, struct bytes issuer)
{
    struct self *self = context;

    for (size_t i = 0; i < self->list_count; i++) {
        if (bytes_equal(self->lists[i].issuer, issuer))
            return;
    }
    uint8_t *block = self->list_count < COUNT_OF(self->lists) && url.size <= CRL_URL_MAX
                         ? malloc(url.size + issuer.size)
                         : NULL;
    if (block == NULL) {
        log_warn("no room for one more revocation list", log_bytes("url", url));
        return;
    }
    memcpy(block, url.data, url.size);
    memcpy(block + url.size, issuer.data, issuer.size);
    self->lists[self->list_count++] =
        (struct list){.url = bytes_from(block, url.size),
                      .issuer = bytes_from(block + url.size, issuer.size),
                      .due = deadline_after(now_ns(), 0)};
}

static uint64_t retry_ms(unsigned failures)
{
    uint64_t wait = RETRY_FIRST_MS;

    for (unsigned i = 1; i < failures && wait < RETRY_MOST_MS; i++)
        wait *= 2;
    return wait < RETRY_MOST_MS ? wait : RETRY_MOST_MS;
}

/* Who may serve lists: any Steward that is believed, or the web's authorities. The list itself is
 * signed. */
static const struct tls_roots *list_roots(struct self *self)
{
    const struct config *c = self->config;
    struct bytes pem;
    struct err err;

    if (self->list_roots != NULL)
        return self->list_roots;
    for (size_t i = 0; i <= c->trust.steward_count; i++) {
        struct bytes name = i == 0 ? c->steward_ca : c->trust.stewards[i - 1];
        if (name.size == 0 || !find_pem(self, name, &pem))
            continue;
        if (self->list_roots == NULL ? !tls_roots_new(pem, &self->list_roots, &err)
                                     : !tls_roots_add(self->list_roots, pem, &err))
            (void)tell("bad root of a Steward", &err);
    }
    return self->list_roots;
}

static bool list_begin(struct self *self, struct list *list, struct err *err)
{
    struct bytes host, path;

    arena_init(&self->list_arena, arena_heap, 2 * IDENTITY_CRL_SIZE_MAX);
    if (self->nobody == NULL && !tls_context_new(bytes_of(""), NULL, &self->nobody, err))
        return false;
    if (!client_url_parse(list->url, &host, &path, err) ||
        !client_open(&self->list_client, host, false, self->nobody, list_roots(self), err))
        return false;
    self->list_client.or_web = true;
    struct https_request request = {.method = "GET",
                                    .path = path.size != 0 ? path : bytes_of("/"),
                                    .answer_max = IDENTITY_CRL_SIZE_MAX,
                                    .arena = &self->list_arena};
    return client_begin(&self->list_client, &request, CLIENT_PATIENCE_MS, err);
}

/* The end of a fetch; true: there is a new list. */
static bool list_end(struct self *self, bool ok, const struct err *err)
{
    struct list *list = self->fetching;

    if (!ok)
        log_warn("no revocation list", log_bytes("url", list->url), log_err(err),
                 log_str("detail", client_detail(&self->list_client)));
    list->failures = ok ? 0 : list->failures + 1;
    list->due = deadline_after(now_ns(), ok ? CRL_PERIOD_MS : retry_ms(list->failures));
    client_close(&self->list_client);
    arena_done(&self->list_arena);
    self->fetching = NULL;
    return ok;
}

static bool list_take(struct self *self, const struct https_answer *answer, struct err *err)
{
    int64_t floor;

    if (answer->status != 200)
        return err_set(err, ERR_NOT_FOUND, "the Steward's answer has status",
                       (uint64_t)answer->status);
    if (!identity_trust_put_crl(self->peers, self->fetching->issuer, answer->body, platform_now(),
                                &floor, err))
        return false;
    platform_raise_floor(floor);
    log_debug("a new revocation list", log_bytes("url", self->fetching->url));
    return true;
}

static bool list_advance(struct self *self)
{
    struct https_answer answer;
    struct err err;
    enum https_state state = client_advance(&self->list_client, &answer, &err);

    if (state == HTTPS_WAITING)
        return false;
    return list_end(self, state == HTTPS_DONE && list_take(self, &answer, &err), &err);
}

/* Begins with the first list that is due. */
static void list_next(struct self *self)
{
    struct err err;

    for (size_t i = 0; i < self->list_count && self->fetching == NULL; i++) {
        if (!deadline_passed(self->lists[i].due, now_ns()))
            continue;
        self->fetching = &self->lists[i];
        if (!list_begin(self, &self->lists[i], &err))
            (void)list_end(self, false, &err);
    }
}

/* ---- renewal ---- */

static bool renewal_end(struct self *self, bool ok, const struct err *err)
{
    struct attestation *a = &self->renewal;

    if (ok) {
        self->renewal_failures = 0;
        log_info("renewed the certificate", log_bytes("steward", self->steward.url));
    } else {
        self->renewal_failures++;
        self->renew_at = INT64_MAX;
        self->renew_due = deadline_after(now_ns(), retry_ms(self->renewal_failures));
        log_warn("the certificate was not renewed", log_bytes("steward", self->steward.url),
                 log_err(err), log_str("detail", client_detail(&a->client)));
    }
    attestation_done(a);
    self->is_renewing = false;
    /* a policy may have changed, and with it the list */
    for (size_t i = 0; i < self->list_count && ok; i++)
        self->lists[i].due = deadline_after(now_ns(), 0);
    return ok;
}

static bool renewal_advance(struct self *self)
{
    struct err err;
    enum https_state state = attestation_advance(&self->renewal, &err);

    if (state == HTTPS_WAITING)
        return false;
    return renewal_end(self, state == HTTPS_DONE && adopt(self, &self->renewal, &err), &err);
}

static bool renewal_is_due(const struct self *self)
{
    return self->has_steward && !self->is_renewing &&
           (platform_now() >= self->renew_at || deadline_passed(self->renew_due, now_ns()));
}

static void renewal_next(struct self *self)
{
    struct err err;

    if (!renewal_is_due(self))
        return;
    self->is_renewing = true;
    if (!attestation_begin(&self->renewal, &self->steward, &self->claims, &err))
        (void)renewal_end(self, false, &err);
}

/* ---- both ---- */

static const struct client *busy_client(const struct self *self)
{
    if (self->is_renewing)
        return &self->renewal.client;
    return self->fetching != NULL ? &self->list_client : NULL;
}

bool self_wait(const struct self *self, struct vfs_wait *out)
{
    const struct client *client = busy_client(self);
    bool wants_write = false;

    if (client == NULL || client->connection == NULL)
        return false;
    *out = (struct vfs_wait){.handle = https_fd(client->connection, &wants_write)};
    out->events = wants_write ? VFS_WRITABLE : VFS_READABLE;
    return true;
}

uint64_t self_due_ns(const struct self *self)
{
    const struct client *client = busy_client(self);

    if (client != NULL)
        return client->deadline.at_ns;
    struct deadline due = deadline_never();
    for (size_t i = 0; i < self->list_count; i++)
        due = deadline_sooner(due, self->lists[i].due);
    if (!self->has_steward)
        return due.at_ns;
    due = deadline_sooner(due, self->renew_due);
    if (self->renew_at != INT64_MAX) {
        int64_t left = self->renew_at - platform_now();
        due = deadline_sooner(due, deadline_after(now_ns(), left > 0 ? (uint64_t)left * 1000 : 0));
    }
    return due.at_ns;
}

bool self_advance(struct self *self)
{
    bool has_news = false;

    if (!self->has_steward && self->list_count == 0)
        return false;
    /* one thing at a time; the certificate first */
    if (self->fetching == NULL)
        renewal_next(self);
    if (self->is_renewing)
        has_news = renewal_advance(self);
    else if (self->fetching == NULL)
        list_next(self);
    if (!self->is_renewing && self->fetching != NULL)
        has_news |= list_advance(self);
    return has_news;
}
