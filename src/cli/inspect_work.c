#include "cli/inspect_work.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "cli/inspect.h"
#include "os/os.h"
#include "package/host.h"
#include "remote/remote.h"
#include "base/banned.h"

#define ARENA_LIMIT ((size_t)256 << 20)
#define OUTPUT_MAX ((size_t)16 << 20)
#define CA_MAX ((size_t)1 << 20)
#define TIMEOUT_MS 10000
#define URL_SIZE 1025 /* the profile's, and a NUL */

struct work {
    const struct cli_args *args;
    struct arena arena;
    struct identity_trust *trust; /* NULL: nobody was named */
    struct bytes roots;           /* all of --steward-ca, one behind the other */
    struct bytes host;
    uint16_t port;
    struct inspection found;
};

/* ---- what goes wrong ---- */

/* Before there is anything to show. */
static int fail(struct work *work, const char *what, const char *why)
{
    struct writer out = writer_growable(&work->arena, OUTPUT_MAX);
    struct bytes text;
    struct err err;

    if (work->args->json) {
        writer_text(&out, "{\"target\":");
        writer_json(&out, bytes_of(work->found.target));
        writer_text(&out, ",\"good\":false,\"error\":");
        writer_json(&out, bytes_of(why));
        writer_text(&out, "}\n");
        if (writer_done(&out, &text, &err))
            (void)fwrite(text.data, 1, text.size, stdout);
    }
    return cli_fail(what, why);
}

static int fail_err(struct work *work, const char *what, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    return fail(work, what, err_text(err, os_strerror, text));
}

/* ---- the command line ---- */

static int read_target(struct work *work)
{
    const char *target = work->args->positionals[0];
    char text[ERR_TEXT_SIZE];
    struct err err;

    work->found.target = target;
    if (!config_host_parse(bytes_of(target), &work->arena, &work->host, &work->port, &err))
        return cli_usage_error(work->args, target, err_text(&err, NULL, text));
    if (work->port == 0)
        return cli_usage_error(work->args, target, "the port is missing: HOST:PORT");
    return CLI_OK;
}

static int read_stewards(struct work *work)
{
    const char *const *files = cli_values(work->args, "--steward-ca");
    struct writer roots = writer_growable(&work->arena, IDENTITY_STEWARDS_MAX * CA_MAX);
    struct bytes pem;
    struct err err;

    if (files[0] == NULL)
        return CLI_OK;
    if (!identity_trust_new(&work->trust, &err))
        return fail_err(work, "--steward-ca", &err);
    for (size_t i = 0; files[i] != NULL; i++) {
        if (!os_read_file(files[i], CA_MAX, &work->arena, &pem, &err) ||
            !identity_trust_add(work->trust, bytes_of(files[i]), pem, &err))
            return fail_err(work, files[i], &err);
        writer_bytes(&roots, pem);
        writer_text(&roots, "\n");
    }
    return writer_done(&roots, &work->roots, &err) ? CLI_OK : fail_err(work, "--steward-ca", &err);
}

/* A file that cannot be read is a mistake, not an absent registry. */
static int check_registry_ca(struct work *work)
{
    const char *file = cli_value(work->args, "--registry-ca");
    struct bytes pem;
    struct err err;

    if (file != NULL && !os_read_file(file, 4 * CA_MAX, &work->arena, &pem, &err))
        return fail_err(work, file, &err);
    return CLI_OK;
}

/* ---- trust ---- */

static void judge_peer(struct work *work)
{
    struct inspection *found = &work->found;

    /* SIMULATED is shown loudly, and who names its root has asked for it */
    identity_peer_judge(work->trust, sk_X509_value(found->server.chain, 0), found->server.chain,
                        true, found->now, &work->arena, &found->peer);
}

static bool unknown(struct inspection *found, const char *url, const char *why)
{
    (void)snprintf(found->revocation_why, sizeof found->revocation_why, "%.1000s: %.190s", url,
                   why);
    return false;
}

/* The list is signed by the Steward's CA, so the server that has it need not be trusted for more
 * than not to withhold it: one under an ordinary root will do as well as one under the Steward's.
 */
static bool fetch_list(struct work *work, const char *url, struct bytes *out)
{
    struct http_get get = {
        .url = url, .ca = work->roots, .timeout_ms = TIMEOUT_MS, .body_max = IDENTITY_CRL_SIZE_MAX};
    char text[ERR_TEXT_SIZE];
    struct http_reply reply;
    struct err err;

    bool ok = http_get(&get, &work->arena, &reply, &err);
    if (!ok && err.code == ERR_CRYPTO) {
        get.ca = (struct bytes){.size = 0};
        ok = http_get(&get, &work->arena, &reply, &err);
    }
    if (!ok && err.code == ERR_CRYPTO)
        return unknown(&work->found, url,
                       "its server's certificate is neither under a --steward-ca nor under the "
                       "system's roots; name its root with one more --steward-ca");
    if (!ok)
        return unknown(&work->found, url, err_text(&err, os_strerror, text));
    (void)snprintf(text, sizeof text, "its server answered with status %u", reply.status);
    if (reply.status != 200)
        return unknown(&work->found, url, text);
    *out = reply.body;
    return true;
}

static bool put_list(struct work *work)
{
    const struct identity_peer *peer = &work->found.peer;
    char url[URL_SIZE], text[ERR_TEXT_SIZE];
    struct bytes list;
    int64_t ignored;
    struct err err;

    if (peer->crl_url.size == 0 || peer->crl_url.size >= sizeof url ||
        memchr(peer->crl_url.data, 0, peer->crl_url.size))
        return unknown(&work->found, "its address", "is too long, or no URL");
    (void)snprintf(url, sizeof url, "%.*s", (int)peer->crl_url.size,
                   (const char *)peer->crl_url.data);
    if (!fetch_list(work, url, &list))
        return false;
    return identity_trust_put_crl(work->trust, peer->issuer, list, work->found.now, &ignored,
                                  &err) ||
           unknown(&work->found, url, err_text(&err, os_strerror, text));
}

static void judge(struct work *work)
{
    struct inspection *found = &work->found;

    found->revocation = INSPECT_REVOCATION_NOT_ASKED;
    if (work->trust == NULL)
        return;
    found->is_judged = true;
    judge_peer(work);
    if (found->peer.fault == IDENTITY_FAULT_NO_CRL && put_list(work))
        judge_peer(work);
    switch (found->peer.fault) {
    case IDENTITY_FAULT_NONE:
        found->revocation = INSPECT_NOT_REVOKED;
        break;
    case IDENTITY_FAULT_REVOKED:
        found->revocation = INSPECT_REVOKED;
        break;
    case IDENTITY_FAULT_NO_CRL:
        found->revocation = INSPECT_REVOCATION_UNKNOWN;
        break;
    default:
        break;
    }
    found->is_trusted =
        found->revocation == INSPECT_NOT_REVOKED || found->revocation == INSPECT_REVOCATION_UNKNOWN;
}

static void read_leaf(struct work *work)
{
    struct inspection *found = &work->found;
    struct err err;

    found->is_keep = identity_certificate_parse(sk_X509_value(found->server.chain, 0), &work->arena,
                                                &found->leaf, &err);
    ERR_clear_error();
    if (!found->is_keep)
        found->no_keep = err.msg;
}

/* ---- the registry ---- */

static void set_registry(struct inspection *found, enum inspect_digest digest, const char *why)
{
    found->digest = digest;
    (void)snprintf(found->registry_why, sizeof found->registry_why, "%s", why);
}

static void compare(struct inspection *found, const struct remote_tag *tag)
{
    found->served = tag->tag.root.digests.of[DIGEST_SHA256];
    found->is_yanked = tag->is_yanked;
    if (found->served.size != IDENTITY_DIGEST_SIZE)
        set_registry(found, INSPECT_DIGEST_UNKNOWN, "its tag has no SHA-256");
    else if (memcmp(found->served.bytes, found->leaf.identity.claims.digest,
                    IDENTITY_DIGEST_SIZE) == 0)
        set_registry(found, INSPECT_SAME, "");
    else
        set_registry(found, INSPECT_DIFFERS, "");
}

static void set_refusal(struct inspection *found, unsigned status, const struct remote_fault *fault)
{
    switch (status) {
    case 404:
        set_registry(found, INSPECT_NO_TAG,
                     "the registry has no such tag, or shows it to its "
                     "owner alone");
        break;
    case 401:
    case 403:
        set_registry(found, INSPECT_NO_TAG,
                     "the registry does not show it to strangers; the token of its owner, kept as "
                     "'broch help user register' says, would be used");
        break;
    default:
        set_registry(found, INSPECT_DIGEST_UNKNOWN, fault->text);
        break;
    }
}

static void ask_registry(struct work *work, const struct slug *slug)
{
    /* only a token that is kept for this very host is sent: a stranger chose it */
    const struct remote_options options = {.ca_bundle = cli_value(work->args, "--registry-ca")};
    struct remote_fault fault = {.text = ""};
    struct remote_tag tag;
    struct remote remote;
    unsigned status;

    if (!remote_open(&options, slug->host, &work->arena, &remote, &fault)) {
        set_registry(&work->found, INSPECT_DIGEST_UNKNOWN, fault.text);
        return;
    }
    if (remote_read_tag(&remote, slug, &tag, &status))
        compare(&work->found, &tag);
    else
        set_refusal(&work->found, status, &fault);
    remote_close(&remote);
}

static void check_registry(struct work *work)
{
    struct inspection *found = &work->found;
    struct slug slug;
    struct err err;

    if (!found->is_keep || found->leaf.identity.claims.slug.size == 0)
        set_registry(found, INSPECT_DIGEST_NOT_ASKED, "there is no slug to ask for");
    else if (found->is_judged && !found->is_trusted)
        set_registry(found, INSPECT_DIGEST_NOT_ASKED, "who shows the slug is not to be trusted");
    else if (!slug_parse(found->leaf.identity.claims.slug, SLUG_TAG, &work->arena, &slug, &err))
        set_registry(found, INSPECT_DIGEST_UNKNOWN, err.msg);
    else
        ask_registry(work, &slug);
}

/* ---- all of it ---- */

static int show(struct work *work)
{
    struct writer out = writer_growable(&work->arena, OUTPUT_MAX);
    const char *problem = inspect_problem(&work->found);
    struct bytes text;
    struct err err;

    if (work->args->json)
        inspect_write_json(&out, &work->found);
    else
        inspect_write_text(&out, &work->found);
    if (!writer_done(&out, &text, &err))
        return cli_fail_err("output", &err);
    (void)fwrite(text.data, 1, text.size, stdout);
    return problem == NULL ? CLI_OK : cli_fail(work->found.target, problem);
}

static int inspect(struct work *work)
{
    char why[INSPECT_WHY_MAX];

    if (!inspect_connect(work->host, work->port, TIMEOUT_MS, &work->found.server, why))
        return fail(work, work->found.target, why);
    work->found.now = os_unix_ms() / 1000;
    read_leaf(work);
    judge(work);
    check_registry(work);
    return show(work);
}

int cli_inspect(const struct cli_args *args)
{
    struct work work = {.args = args};
    struct err err;
    int code;

    arena_init(&work.arena, arena_heap, ARENA_LIMIT);
    code = read_target(&work);
    if (code == CLI_OK)
        code = read_stewards(&work);
    if (code == CLI_OK)
        code = check_registry_ca(&work);
    if (code == CLI_OK)
        code = http_client_setup(&err) ? inspect(&work) : fail_err(&work, "inspect", &err);
    inspect_server_done(&work.found.server);
    identity_trust_free(work.trust);
    arena_done(&work.arena);
    return code;
}
