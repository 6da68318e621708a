#include "cli/steward_work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evidence/civil.h"
#include "http/client.h"
#include "os/os.h"
#include "package/slug.h"
#include "steward/audit.h"
#include "steward/endorse.h"
#include "steward/explain.h"
#include "steward/judge.h"
#include "steward/registries.h"
#include "steward/steward.h"
#include "steward/store.h"
#include "base/banned.h"

#define ARENA_LIMIT ((size_t)256 << 20)
#define OUTPUT_MAX ((size_t)64 << 20)
#define FILES_MAX ((size_t)64) /* of one kind that an option of init names */

/* Unreadable, by the manual: the code of a wrong command line. */
#define EXIT_UNREADABLE CLI_USAGE

static int print(const char *what, const struct writer *w, int code)
{
    struct bytes out;
    struct err err;

    if (!writer_done(w, &out, &err))
        return cli_fail_err(what, &err);
    (void)fwrite(out.data, 1, out.size, stdout);
    return code;
}

/* ---- configurations and stores ---- */

static const char *config_path(const struct cli_args *args)
{
    const char *given = cli_value(args, "--config");

    return given != NULL ? given : CONFIG_NAME_DEFAULT;
}

static bool read_setup(const struct cli_args *args, struct steward_setup *out, int *code)
{
    char fault[STEWARD_FAULT_SIZE];

    if (steward_setup_read(config_path(args), out, fault))
        return true;
    *code = cli_fail("steward", fault);
    return false;
}

/* A configuration and its store, which is made when it is not there. */
static bool open_store(const struct cli_args *args, struct steward_setup *setup,
                       struct store **store, int *code)
{
    struct err err;

    if (!read_setup(args, setup, code))
        return false;
    if ((mkdir(setup->store, 0700) == 0 || errno == EEXIST ||
         err_set(&err, ERR_IO, "cannot make the folder", (uint64_t)errno)) &&
        store_open(setup->store, store, &err))
        return true;
    *code = cli_fail_err(setup->store, &err);
    steward_setup_done(setup);
    return false;
}

static void close_store(struct steward_setup *setup, struct store *store)
{
    store_close(store);
    steward_setup_done(setup);
}

/* ---- init, serve ---- */

/* The folder of this machine's simulated platforms, when there are any. */
static const char *find_platforms(char out[4096])
{
    const char *dir = getenv("BROCH_SIM_DIR"), *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");

    if (dir != NULL)
        (void)snprintf(out, 4096, "%.4000s", dir);
    else if (data != NULL && data[0] == '/')
        (void)snprintf(out, 4096, "%.4000s/broch/sim", data);
    else
        (void)snprintf(out, 4096, "%.4000s/.local/share/broch/sim", home != NULL ? home : "");
    char file[4200];
    (void)snprintf(file, sizeof file, "%s/collateral", out);
    return access(file, F_OK) == 0 ? out : NULL;
}

/* Files and hosts for the configuration, whose paths are relative to it: here they become whole. */
struct init_lists {
    const char *references[FILES_MAX + 1];
    const char *registries[2 * FILES_MAX + 1];
    char *owned[3 * FILES_MAX];
    size_t owned_count;
};

static void free_lists(struct init_lists *lists)
{
    for (size_t i = 0; i < lists->owned_count; i++)
        free(lists->owned[i]);
}

/* Takes over a string from the heap, which is NULL when there was none: then errno says why. */
static const char *own(struct init_lists *lists, char *text)
{
    if (text != NULL)
        lists->owned[lists->owned_count++] = text;
    return text;
}

/* Reads the lists of the command line. Returns CLI_OK, or the code of a fault that it has told. */
static int read_lists(const struct cli_args *args, struct init_lists *out)
{
    const char *const *files = cli_values(args, "--reference");
    const char *const *registries = cli_values(args, "--registry");
    size_t count = 0;

    *out = (struct init_lists){.owned_count = 0};
    for (; files[count] != NULL; count++) {
        if (count == FILES_MAX)
            return cli_usage_error(args, "--reference", "is there too often");
        out->references[count] = own(out, realpath(files[count], NULL));
        if (out->references[count] == NULL)
            return cli_fail(files[count], os_strerror(errno));
    }
    for (count = 0; registries[count] != NULL; count++) {
        const char *text = registries[count], *sign = strchr(text, '=');
        if (count == FILES_MAX)
            return cli_usage_error(args, "--registry", "is there too often");
        if (sign == NULL || sign == text || sign[1] == '\0')
            return cli_usage_error(args, text, "--registry takes HOST=CA");
        bool is_web = strcmp(sign + 1, "web-pki") == 0;
        out->registries[2 * count] = own(out, strndup(text, (size_t)(sign - text)));
        out->registries[2 * count + 1] = is_web ? sign + 1 : own(out, realpath(sign + 1, NULL));
        if (out->registries[2 * count] == NULL || out->registries[2 * count + 1] == NULL)
            return cli_fail(sign + 1, os_strerror(errno));
    }
    return CLI_OK;
}

static int make_steward(const struct cli_args *args, const struct init_lists *lists)
{
    const char *host = cli_value(args, "--host");
    char platforms[4096];
    struct steward_init init = {
        .folder = args->positionals[0],
        .trust_domain = cli_value(args, "--trust-domain"),
        .host = host != NULL ? host : "localhost:8443",
        .simulation = cli_is_given(args, "--simulation"),
        .references = lists->references,
        .registries = lists->registries,
    };
    struct err err;

    if (init.trust_domain == NULL)
        return cli_usage_error(args, "--trust-domain", "is missing");
    if (init.simulation)
        init.simulated_platforms = find_platforms(platforms);
    if (!steward_init(&init, &err))
        return cli_fail_err(init.folder, &err);
    (void)printf("A Steward for spiffe://%s is in %s.\n"
                 "  root.pem       what those who trust it need; root-key.pem belongs elsewhere\n"
                 "  steward.toml   its configuration and policy%s\n",
                 init.trust_domain, init.folder,
                 lists->references[0] != NULL ? "" : ", which accepts no image yet");
    if (init.simulation)
        (void)printf(
            "  simulation-root.pem  the root of SIMULATED platforms, which prove nothing\n");
    if (init.simulation && init.simulated_platforms == NULL)
        (void)printf(
            "This machine has no simulated platforms yet: 'broch sim init' makes them; then\n"
            "name their roots and collateral under [simulation].\n");
    (void)printf("Next:\n  broch-steward --config %s/steward.toml\n", init.folder);
    return CLI_OK;
}

int cli_steward_init(const struct cli_args *args)
{
    struct init_lists lists;
    int code = read_lists(args, &lists);

    if (code == CLI_OK)
        code = make_steward(args, &lists);
    free_lists(&lists);
    return code;
}

int cli_steward_serve(const struct cli_args *args)
{
    struct err err;

    if (!os_log_setup(LOG_INFO, &err))
        return cli_fail_err("log", &err);
    return steward_serve(config_path(args)) == 0 ? CLI_OK : CLI_FAILED;
}

/* ---- audit ---- */

/* Looks for a line by its hash: the next line names it, or it is the last. */
struct head_search {
    uint8_t wanted[AUDIT_HASH_SIZE];
    char text[2 * AUDIT_HASH_SIZE];
    bool is_found;
};

static bool look_for_head(void *context, struct bytes line, uint64_t end)
{
    struct head_search *search = context;
    struct bytes text = bytes_from(search->text, sizeof search->text);

    (void)end;
    if (!search->is_found && memmem(line.data, line.size, text.data, text.size) != NULL)
        search->is_found = true;
    return true;
}

static int report_audit(const struct cli_args *args, const struct audit_summary *s)
{
    char head[2 * AUDIT_HASH_SIZE];

    hex_encode(bytes_from(s->head, sizeof s->head), head);
    if (args->json)
        (void)printf(
            "{\"lines\":%llu,\"issued\":%llu,\"refused\":%llu,\"cut\":%s,\"head\":\"%.*s\"}\n",
            (unsigned long long)s->lines, (unsigned long long)s->issued,
            (unsigned long long)s->refused, s->is_cut ? "true" : "false", (int)sizeof head, head);
    else
        (void)printf("%llu lines, none changed: %llu certificates, %llu refusals\nhead %.*s\n%s",
                     (unsigned long long)s->lines, (unsigned long long)s->issued,
                     (unsigned long long)s->refused, (int)sizeof head, head,
                     s->is_cut ? "The last line is not whole: it is being written, or a crash cut "
                                 "it short.\n"
                               : "");
    return CLI_OK;
}

int cli_steward_audit_verify(const struct cli_args *args)
{
    const char *file = args->positionals[0], *head = cli_value(args, "--head");
    struct head_search search = {.is_found = false};
    struct audit_walk walk = {.each = head != NULL ? look_for_head : NULL, .context = &search};
    struct audit_summary summary;
    char what[4200], text[ERR_TEXT_SIZE];
    uint64_t line;
    size_t size = 0;
    struct err err;

    if (head != NULL &&
        (!hex_decode(bytes_of(head), search.wanted, sizeof search.wanted, &size, &err) ||
         size != sizeof search.wanted))
        return cli_usage_error(args, head, "--head takes 32 bytes in hexadecimal");
    hex_encode(bytes_from(search.wanted, sizeof search.wanted), search.text);
    CLEANUP(os_closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fail(file, os_strerror(errno));
    if (!audit_verify(fd, &walk, &summary, &line, &err)) {
        (void)snprintf(what, sizeof what, "%.4000s, line %llu", file, (unsigned long long)line);
        return cli_fail(what, err_text(&err, os_strerror, text));
    }
    search.is_found |= memcmp(search.wanted, summary.head, sizeof search.wanted) == 0;
    if (head != NULL && !search.is_found)
        return cli_fail(file, "no line has the hash of --head: the log was cut, or is another");
    return report_audit(args, &summary);
}

/* ---- policy ---- */

int cli_steward_policy_explain(const struct cli_args *args)
{
    struct steward_setup setup;
    struct arena arena;
    int code;

    if (!read_setup(args, &setup, &code))
        return code;
    arena_init(&arena, arena_heap, ARENA_LIMIT);
    struct writer w = writer_growable(&arena, OUTPUT_MAX);
    steward_explain(&w, &setup.config);
    code = print("steward", &w, CLI_OK);
    arena_done(&arena);
    steward_setup_done(&setup);
    return code;
}

/* A dry run. */
struct dry_run {
    const struct cli_args *args;
    struct steward_setup setup;
    struct store *store;
    struct judge *judge;
    struct endorser *endorser;
    struct registries *registries;
    struct arena arena;
    struct judge_question question;
};

static bool find_endorsements(void *context, enum evidence_kind kind, struct bytes evidence,
                              struct collateral *collateral)
{
    struct dry_run *d = context;

    return endorser_find(d->endorser, &d->setup.config, d->question.now, kind, evidence,
                         collateral);
}

static bool prove_slug(void *context, struct bytes slug, const uint8_t digest[32],
                       struct arena *arena, const char **why)
{
    struct dry_run *d = context;

    return registries_prove(d->registries, &d->setup.config, slug, digest, arena, why);
}

static int read_time(const struct cli_args *args, int64_t *out)
{
    const char *text = cli_value(args, "--at");
    char *end;

    *out = os_unix_ms() / 1000;
    if (text == NULL || civil_parse(bytes_of(text), out))
        return CLI_OK;
    errno = 0;
    *out = strtoll(text, &end, 10);
    if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0')
        return CLI_OK;
    return cli_usage_error(args, text, "--at takes 2026-11-23T08:00:00Z or seconds since 1970");
}

static bool fill_judge(struct dry_run *d, struct err *err)
{
    const struct endorsement *items;
    struct err ignored;
    size_t count;

    if (!judge_new(&d->judge, err) || !endorser_new(d->store, &d->endorser, err) ||
        !registries_new(&d->registries, err) ||
        !store_endorsements(d->store, (struct bytes){.size = 0}, false, &d->arena, &items, &count,
                            err))
        return false;
    /* what cannot be read is missing then, and the verdict says so */
    for (size_t i = 0; i < d->setup.config.collateral_file_count; i++)
        (void)!judge_add_collateral(d->judge, d->setup.config.collateral_files[i], &ignored);
    for (size_t i = 0; i < count; i++)
        (void)!judge_add_collateral(d->judge, items[i].content, &ignored);
    return true;
}

static int report_request(struct dry_run *d, const struct judgement *j)
{
    struct writer w = writer_growable(&d->arena, OUTPUT_MAX);
    bool is_good = j->refusal == REFUSAL_NONE;

    if (d->args->json && !is_good) {
        judgement_write_refusal(&w, j);
    } else if (d->args->json) {
        writer_text(&w, "{\"accepted\":true,");
        verdict_write_json(&w, &j->verdict);
        writer_text(&w, "}\n");
    } else {
        writer_shown(&w, bytes_of(d->args->positionals[0]));
        if (is_good)
            writer_format(&w, ": would be certified%s\n",
                          j->verdict.is_simulated ? ", as SIMULATED" : "");
        else
            writer_format(&w, ": refused: %s: %s\n", refusal_text(j->refusal)->code,
                          refusal_text(j->refusal)->sentence);
        if (!is_good && j->detail[0] != '\0') {
            writer_text(&w, "  ");
            writer_shown(&w, bytes_of(j->detail));
            writer_text(&w, "\n");
        }
    }
    return print("steward", &w, is_good ? CLI_OK : CLI_FAILED);
}

static int report_verdict(struct dry_run *d, const struct verdict *v)
{
    struct writer w = writer_growable(&d->arena, OUTPUT_MAX);
    enum check_id refusal = verdict_refusal(v);

    if (d->args->json) {
        writer_text(&w, "{");
        verdict_write_json(&w, v);
        writer_text(&w, "}\n");
    } else {
        writer_shown(&w, bytes_of(d->args->positionals[0]));
        writer_format(&w,
                      refusal == CHECK_COUNT ? ": evidence within the policy: %s%s\n"
                                             : ": refused: %s%s\n",
                      technology_name(v->technology), v->is_simulated ? ", SIMULATED" : "");
        if (refusal != CHECK_COUNT) {
            writer_format(&w, "  %s: ", check_name(refusal));
            writer_shown(&w, bytes_of(v->checks[refusal].result == CHECK_NOT_MADE
                                          ? "could not be checked"
                                          : v->checks[refusal].found));
            writer_text(&w, "\n");
        }
    }
    return print("steward", &w, refusal == CHECK_COUNT ? CLI_OK : CLI_FAILED);
}

static int judge_file(struct dry_run *d)
{
    const char *file = d->args->positionals[0];
    const struct judge_source source = {find_endorsements, d};
    const struct judge_registries registries = {prove_slug, d};
    struct judgement j;
    struct verdict verdict;
    struct bytes content;
    struct err err;

    d->question = (struct judge_question){
        .config = &d->setup.config,
        .source = &source,
        .registries = &registries,
        .now = d->question.now,
        .space = cli_is_given(d->args, "--enarx") ? IDENTITY_OF_ENARX : IDENTITY_OF_BROCH};
    if (!fill_judge(d, &err))
        return cli_fail_err(d->setup.store, &err);
    if (!os_read_file(file, IDENTITY_REQUEST_MAX, &d->arena, &content, &err)) {
        (void)cli_fail_err(file, &err);
        return EXIT_UNREADABLE;
    }
    judge_request(d->judge, &d->question, content, &d->arena, &j);
    if (j.has_request)
        return report_request(d, &j);
    if (judge_evidence(d->judge, &d->question, content, &d->arena, &verdict, &err))
        return report_verdict(d, &verdict);
    (void)cli_fail_err(file, &err);
    return EXIT_UNREADABLE;
}

int cli_steward_policy_test(const struct cli_args *args)
{
    struct dry_run d = {.args = args};
    struct err err;
    int code = read_time(args, &d.question.now);

    if (code != CLI_OK || !open_store(args, &d.setup, &d.store, &code))
        return code;
    arena_init(&d.arena, arena_heap, ARENA_LIMIT);
    code = http_client_setup(&err) ? judge_file(&d) : cli_fail_err("steward", &err);
    judge_free(d.judge);
    endorser_free(d.endorser);
    registries_free(d.registries);
    arena_done(&d.arena);
    close_store(&d.setup, d.store);
    return code;
}

/* ---- endorsements ---- */

static bool import(struct store *store, const char *file, struct err *err)
{
    struct endorsement endorsement;
    struct bytes content;
    struct arena arena;

    arena_init(&arena, arena_heap, ARENA_LIMIT);
    bool ok = os_read_file(file, COLLATERAL_FILE_MAX, &arena, &content, err) &&
              endorsement_parse(content, &arena, &endorsement, err) &&
              store_add_endorsement(store, &endorsement, err);
    arena_done(&arena);
    return ok;
}

int cli_steward_collateral_import(const struct cli_args *args)
{
    struct steward_setup setup;
    struct store *store;
    int code = CLI_OK;

    if (!open_store(args, &setup, &store, &code))
        return code;
    for (size_t i = 0; i < args->positional_count; i++) {
        struct err err;
        if (!import(store, args->positionals[i], &err))
            code = cli_fail_err(args->positionals[i], &err);
    }
    close_store(&setup, store);
    return code;
}

/* A word before a list's next item. */
static const char *comma(size_t i)
{
    return i != 0 ? "," : "";
}

static void write_time(struct writer *w, int64_t at)
{
    char text[CIVIL_TEXT_SIZE];

    if (at == INT64_MAX) {
        writer_text(w, "never");
        return;
    }
    civil_format(at, text);
    writer_text(w, text);
}

static void write_endorsement(struct writer *w, bool json, size_t i, const struct endorsement *e)
{
    if (json) {
        writer_format(w, "%s{\"kind\":", comma(i));
        writer_json(w, e->kind);
        writer_text(w, ",\"subject\":");
        writer_json(w, e->subject);
        writer_text(w, ",\"expires\":\"");
        write_time(w, e->expires);
        writer_text(w, "\",\"url\":");
        writer_json(w, e->url);
        writer_format(w, ",\"size\":%zu}", e->content.size);
        return;
    }
    writer_shown(w, e->kind);
    writer_text(w, "  ");
    writer_shown(w, e->subject);
    writer_text(w, "\n    expires ");
    write_time(w, e->expires);
    writer_text(w, e->url.size != 0 ? "  " : "  imported");
    writer_shown(w, e->url);
    writer_text(w, "\n");
}

int cli_steward_collateral_list(const struct cli_args *args)
{
    const struct endorsement *items;
    struct steward_setup setup;
    struct store *store;
    struct arena arena;
    struct err err;
    size_t count;
    int code;

    if (!open_store(args, &setup, &store, &code))
        return code;
    arena_init(&arena, arena_heap, ARENA_LIMIT);
    struct writer w = writer_growable(&arena, OUTPUT_MAX);
    if (store_endorsements(store, (struct bytes){.size = 0}, true, &arena, &items, &count, &err)) {
        writer_text(&w, args->json ? "{\"endorsements\":[" : "");
        for (size_t i = 0; i < count; i++)
            write_endorsement(&w, args->json, i, &items[i]);
        writer_text(&w, args->json ? "]}\n" : count == 0 ? "There are none.\n" : "");
        code = print("steward", &w, CLI_OK);
    } else {
        code = cli_fail_err(setup.store, &err);
    }
    arena_done(&arena);
    close_store(&setup, store);
    return code;
}

/* A configured text as a string; NULL when it is empty. */
static const char *string_of(struct bytes text, struct arena *arena)
{
    char *out = text.size != 0 ? arena_alloc(arena, text.size + 1, 1) : NULL;

    if (out != NULL) {
        memcpy(out, text.data, text.size);
        out[text.size] = '\0';
    }
    return out;
}

static int refresh(const struct steward_setup *setup, struct store *store, struct arena *arena)
{
    const struct endorsement *items;
    struct err err;
    size_t count;
    int code = CLI_OK;

    if (!store_endorsements(store, (struct bytes){.size = 0}, true, arena, &items, &count, &err))
        return cli_fail_err(setup->store, &err);
    for (size_t i = 0; i < count; i++) {
        const char *url = string_of(items[i].url, arena);
        if (url == NULL || strchr(url, '#') != NULL) /* imported; or it comes with another */
            continue;
        (void)fprintf(stderr, "fetching %s\n", url);
        if (!endorsement_fetch(store, url, setup->config.collateral_ca_pem, arena, &err))
            code = cli_fail_err(url, &err);
    }
    return code;
}

int cli_steward_collateral_refresh(const struct cli_args *args)
{
    struct steward_setup setup;
    struct store *store;
    struct arena arena;
    struct err err;
    int code;

    if (!open_store(args, &setup, &store, &code))
        return code;
    arena_init(&arena, arena_heap, ARENA_LIMIT);
    code = http_client_setup(&err) ? refresh(&setup, store, &arena) : cli_fail_err("steward", &err);
    arena_done(&arena);
    close_store(&setup, store);
    return code;
}

/* ---- revocations ---- */

static int parse_slug(const struct cli_args *args, const char *text, struct arena *arena,
                      struct bytes *out)
{
    struct writer w = writer_growable(arena, SLUG_SIZE_MAX + 1);
    struct slug slug;
    struct err err;

    if (!slug_parse(bytes_of(text), SLUG_REPO, arena, &slug, &err))
        return cli_usage_error(args, text, err.msg);
    slug_write(&w, &slug);
    return writer_done(&w, out, &err) ? CLI_OK : cli_fail_err(text, &err);
}

static int parse_hex(const struct cli_args *args, const char *text, struct arena *arena,
                     size_t wanted, struct bytes *out)
{
    uint8_t *bytes = arena_alloc(arena, 64, 1);
    size_t size = 0;
    struct err err;

    if (bytes == NULL || !hex_decode(bytes_of(text), bytes, 64, &size, &err) || size == 0 ||
        (wanted != 0 && size != wanted))
        return cli_usage_error(args, text, "is not hexadecimal of the right length");
    *out = bytes_from(bytes, size);
    return CLI_OK;
}

static int parse_revocation(const struct cli_args *args, struct arena *arena,
                            struct revocation *out)
{
    static const char *const options[] = {"--serial", "--measurement", "--chip", "--slug"};
    const char *given = NULL, *reason = cli_value(args, "--reason");

    for (enum revocation_kind k = 0; k < REVOCATION_KINDS; k++) {
        const char *value = cli_value(args, options[k]);
        if (value == NULL)
            continue;
        if (given != NULL)
            return cli_usage_error(args, options[k], "one thing at a time");
        given = value;
        out->kind = k;
    }
    if (given == NULL)
        return cli_usage_error(args, "steward revoke",
                               "--serial, --measurement, --chip or --slug says what");
    out->reason = bytes_of(reason != NULL ? reason : "");
    out->at = os_unix_ms() / 1000;
    return out->kind == REVOCATION_SLUG
               ? parse_slug(args, given, arena, &out->value)
               : parse_hex(args, given, arena,
                           out->kind == REVOCATION_SERIAL ? IDENTITY_SERIAL_SIZE : 0, &out->value);
}

int cli_steward_revoke(const struct cli_args *args)
{
    struct revocation revocation = {.kind = REVOCATION_SERIAL};
    struct steward_setup setup;
    struct store *store;
    struct arena arena;
    struct err err;

    arena_init(&arena, arena_heap, ARENA_LIMIT);
    int code = parse_revocation(args, &arena, &revocation);
    if (code == CLI_OK && open_store(args, &setup, &store, &code)) {
        code = store_revoke(store, &revocation, &err) ? CLI_OK : cli_fail_err(setup.store, &err);
        close_store(&setup, store);
    }
    arena_done(&arena);
    return code;
}

static void write_value(struct writer *w, const struct revocation *r)
{
    if (r->kind == REVOCATION_SLUG) {
        writer_shown(w, r->value);
        return;
    }
    uint8_t *place = writer_reserve(w, hex_size(r->value.size));
    if (place != NULL)
        hex_encode(r->value, (char *)place);
}

static void write_revocation(struct writer *w, bool json, size_t i, const struct revocation *r)
{
    writer_format(w, json ? "%s{\"kind\":\"%s\",\"value\":\"" : "%s%-12s ", json ? comma(i) : "",
                  revocation_kind_names[r->kind]);
    write_value(w, r);
    writer_text(w, json ? "\",\"at\":\"" : "\n    ");
    write_time(w, r->at);
    writer_text(w, json ? "\",\"reason\":" : "  ");
    if (json) {
        writer_json(w, r->reason);
        writer_text(w, "}");
    } else {
        writer_shown(w, r->reason);
        writer_text(w, "\n");
    }
}

int cli_steward_revocations(const struct cli_args *args)
{
    const struct revocation *items;
    struct steward_setup setup;
    struct store *store;
    struct arena arena;
    struct err err;
    size_t count;
    int code;

    if (!open_store(args, &setup, &store, &code))
        return code;
    arena_init(&arena, arena_heap, ARENA_LIMIT);
    struct writer w = writer_growable(&arena, OUTPUT_MAX);
    if (store_revocations(store, &arena, &items, &count, &err)) {
        writer_text(&w, args->json ? "{\"revocations\":[" : "");
        for (size_t i = 0; i < count; i++)
            write_revocation(&w, args->json, i, &items[i]);
        writer_text(&w, args->json ? "]}\n" : count == 0 ? "There are none.\n" : "");
        code = print("steward", &w, CLI_OK);
    } else {
        code = cli_fail_err(setup.store, &err);
    }
    arena_done(&arena);
    close_store(&setup, store);
    return code;
}
