#include "steward/network.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "http/client.h"
#include "os/os.h"
#include "steward/sandbox.h"
#include "steward/service.h"
#include "base/banned.h"

#define DRAIN_MS 10000
#define MESSAGE_MAX (FILE_SET_MAX + ((size_t)4 << 20))

enum message {
    MESSAGE_READY = 'r',
    MESSAGE_CONFIGURE = 'c',
    MESSAGE_REFUSED = 'n',
    MESSAGE_STOP = 's'
};

/* ---- what crosses: a kind, a size, bytes ---- */

static bool send_message(int fd, enum message kind, struct bytes content, struct err *err)
{
    uint8_t header[5];
    struct writer w = writer_fixed(header, sizeof header);

    writer_u8(&w, (uint8_t)kind);
    writer_u32le(&w, (uint32_t)content.size);
    return os_write_fd(fd, bytes_from(header, sizeof header), err) && os_write_fd(fd, content, err);
}

static bool receive_message(int fd, enum message *kind, struct arena *arena, struct bytes *content,
                            struct err *err)
{
    uint8_t header[5], number;
    struct reader r = reader_of(bytes_from(header, sizeof header));
    size_t got;
    uint32_t size;

    if (!os_read_exactly(fd, header, sizeof header, &got, err))
        return false;
    if (got != sizeof header || !reader_u8(&r, &number) || !reader_u32le(&r, &size) ||
        size > MESSAGE_MAX)
        return err_set(err, ERR_IO, "the other process has ended", ERR_NO_AT);
    *kind = (enum message)number;
    uint8_t *data = arena_alloc(arena, size, 1);
    if (data == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a configuration", ERR_NO_AT);
    *content = bytes_from(data, size);
    return os_read_exactly(fd, data, size, &got, err) &&
           (got == size || err_set(err, ERR_IO, "the other process has ended", ERR_NO_AT));
}

/* ---- the parent's side ---- */

static bool wait_for_answer(int control, struct err *err)
{
    uint8_t memory[2048];
    struct arena arena;
    struct bytes content;
    enum message kind;

    arena_init_fixed(&arena, memory, sizeof memory);
    if (!receive_message(control, &kind, &arena, &content, err))
        return false;
    return kind == MESSAGE_READY ||
           err_set(err, ERR_FORMAT, "the serving process refuses it", ERR_NO_AT);
}

bool network_wait(int control, struct err *err)
{
    return wait_for_answer(control, err);
}

bool network_configure(int control, const struct steward_setup *setup, struct err *err)
{
    struct arena arena;
    struct bytes content;

    arena_init(&arena, arena_heap, 2 * MESSAGE_MAX);
    arena_set_wipe(&arena);
    struct writer w = writer_growable(&arena, MESSAGE_MAX);
    writer_u32le(&w, (uint32_t)setup->text.size);
    writer_bytes(&w, setup->text);
    file_set_write(setup->files, &w);
    bool ok = writer_done(&w, &content, err) &&
              send_message(control, MESSAGE_CONFIGURE, content, err) &&
              wait_for_answer(control, err);
    arena_done(&arena);
    return ok;
}

bool network_stop(int control, struct err *err)
{
    return send_message(control, MESSAGE_STOP, (struct bytes){.size = 0}, err);
}

/* ---- the process itself ---- */

struct network {
    const struct network_options *options;
    struct store *store;
    struct signer *signer, *simulation;
    struct service *service;
    struct http_server *server;
};

/* Which policy decides from here on stands in the audit log by its hash. */
static bool record_policy(struct network *n, struct bytes text, struct err *err)
{
    uint8_t hash[32];
    char detail[sizeof hash * 2];
    unsigned size = 0;

    if (EVP_Digest(text.data, text.size, hash, &size, EVP_sha256(), NULL) != 1)
        return err_set(err, ERR_CRYPTO, "no SHA-256", ERR_NO_AT);
    hex_encode(bytes_from(hash, sizeof hash), detail);
    struct bytes text_hash = bytes_from(detail, sizeof detail);
    return signer_event(n->signer, "policy", text_hash, err) &&
           (n->simulation == NULL || signer_event(n->simulation, "policy", text_hash, err));
}

static bool fail_configuration(const struct text_error *error, struct err *err)
{
    if (err->code == ERR_FORMAT)
        log_error("the configuration has an error", log_u64("line", error->line),
                  log_str("reason", error->text));
    return false;
}

static bool configure(struct network *n, struct bytes content, struct err *err)
{
    struct text_error error = {.line = 0};
    struct reader r = reader_of(content);
    struct file_set *files;
    struct bytes text;
    uint32_t size;

    if (!reader_u32le(&r, &size) || !reader_bytes(&r, size, &text))
        return err_set(err, ERR_FORMAT, "the configuration was cut short", ERR_NO_AT);
    if (!file_set_parse(reader_rest(&r), &files, err))
        return false;
    if (!service_configure(n->service, text, files, &error, err))
        return fail_configuration(&error, err);
    return record_policy(n, text, err);
}

/* Does what the parent says until it says to stop; false: the parent is gone. */
static bool obey(struct network *n)
{
    int control = n->options->control;
    struct err err;

    for (;;) {
        struct bytes content;
        struct arena arena;
        enum message kind;
        arena_init(&arena, arena_heap, MESSAGE_MAX + 4096);
        arena_set_wipe(&arena);
        bool ok = receive_message(control, &kind, &arena, &content, &err);
        if (ok && kind == MESSAGE_CONFIGURE) {
            bool is_good = configure(n, content, &err);
            if (!is_good)
                log_error("the configuration stays as it was", log_err(&err));
            ok = send_message(control, is_good ? MESSAGE_READY : MESSAGE_REFUSED,
                              (struct bytes){.size = 0}, &err);
        }
        arena_done(&arena);
        if (!ok || kind == MESSAGE_STOP)
            return ok;
    }
}

static bool start_service(struct network *n, struct err *err)
{
    struct steward_setup *setup = n->options->setup;
    struct text_error error = {.line = 0};
    const struct service_options options = {.store = n->store,
                                            .signer = n->signer,
                                            .simulation = n->simulation,
                                            .workers = (unsigned)setup->config.server.workers};
    struct file_set *files = setup->files;

    setup->files = NULL;
    if (!service_new(&options, setup->text, files, &n->service, &error, err))
        return fail_configuration(&error, err);
    return record_policy(n, setup->text, err);
}

static bool start_server(struct network *n, struct err *err)
{
    const struct steward_config *config = &n->options->setup->config;
    struct http_server_options options = {
        .listener = n->options->listener,
        .certificate = config->server_certificate_pem,
        .key = config->server_key_pem,
        .context = n->service,
        .workers = (unsigned)config->server.workers,
        .address_rate = {.rate = (unsigned)config->server.address_rate,
                         .burst = (unsigned)config->server.address_rate * 2},
        .global_rate = {.rate = (unsigned)config->server.global_rate,
                        .burst = (unsigned)config->server.global_rate * 2},
    };

    options.routes = service_routes(&options.route_count);
    if (!http_server_start(&options, &n->server, err))
        return false;
    service_set_server(n->service, n->server);
    return true;
}

static bool shut_in(const struct network_options *options, struct err *err)
{
    const struct steward_config *config = &options->setup->config;
    char user[64];
    struct sandbox_network sandbox = {.store = options->setup->store};

    if (config->server.user.size >= sizeof user)
        return err_set(err, ERR_NOT_FOUND, "there is no such user as [server] names", ERR_NO_AT);
    (void)snprintf(user, sizeof user, "%.*s", (int)config->server.user.size,
                   (const char *)config->server.user.data);
    if (user[0] != '\0')
        sandbox.user = user;
    if (!sandbox_enter_network(&sandbox, err))
        return false;
    if (sandbox.has_no_landlock && sandbox.user == NULL)
        log_warn("the kernel has no landlock and [server] names no user: the serving process can "
                 "read the CA's key");
    return sandbox_network(err);
}

static bool start(struct network *n, struct err *err)
{
    const struct network_options *o = n->options;

    return http_client_setup(err) && shut_in(o, err) &&
           store_open(o->setup->store, &n->store, err) && signer_new(o->signer, &n->signer, err) &&
           (o->simulation < 0 || signer_new(o->simulation, &n->simulation, err)) &&
           start_service(n, err) && start_server(n, err) &&
           send_message(o->control, MESSAGE_READY, (struct bytes){.size = 0}, err);
}

int network_main(const struct network_options *options)
{
    struct network n = {.options = options};
    struct err err;

    bool ok = start(&n, &err);
    if (!ok)
        log_error("the server cannot start", log_err(&err));
    ok = ok && obey(&n);
    http_server_stop(n.server, DRAIN_MS);
    service_free(n.service);
    signer_free(n.signer);
    signer_free(n.simulation);
    store_close(n.store);
    steward_setup_done(options->setup);
    return ok ? 0 : 1;
}
