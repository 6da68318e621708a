#include "cli/evidence_work.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/identity_facts.h"
#include "evidence/civil.h"
#include "evidence/evidence.h"
#include "evidence/reference.h"
#include "os/os.h"
#include "base/banned.h"

#define ARENA_LIMIT ((size_t)256 << 20)
#define OUTPUT_MAX ((size_t)16 << 20)
#define FOLDER_FILES_MAX 1024

/* Unreadable, by the manual: the code of a wrong command line. */
#define EXIT_UNREADABLE CLI_USAGE

struct work {
    const struct cli_args *args;
    const char *file; /* of the evidence */
    struct arena arena;
    struct verifier *verifier;
    struct collateral *collateral; /* what came with the evidence */
    struct collateral *local;      /* what was named beside it, which that cannot crowd out */
    struct evidence_policy policy;
    struct evidence_file evidence;
    struct evidence_input input;
    uint8_t report_data[64];
};

/* ---- what goes wrong ---- */

/* What was asked for as JSON fails as JSON, too. */
static int unreadable(const struct work *work, const char *file, const char *why)
{
    uint8_t text[4096];
    struct writer w = writer_fixed(text, sizeof text);
    struct bytes out;
    struct err err;

    if (work->args->json) {
        writer_text(&w, "{\"file\":");
        writer_json(&w, bytes_before(bytes_of(file), 256));
        writer_text(&w, ",\"error\":");
        writer_json(&w, bytes_of(why));
        writer_text(&w, "}\n");
        if (writer_done(&w, &out, &err))
            (void)fwrite(out.data, 1, out.size, stdout);
    }
    (void)cli_fail(file, why);
    return EXIT_UNREADABLE;
}

static int unreadable_err(const struct work *work, const char *file, const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    return unreadable(work, file, err_text(err, os_strerror, text));
}

/* ---- the command line ---- */

/* A file that the policy names; it lies beside the policy. */
static int read_reference(struct work *work, const char *policy, struct bytes name)
{
    const char *slash = strrchr(policy, '/');
    size_t folder = slash != NULL && name.data[0] != '/' ? (size_t)(slash - policy) + 1 : 0;
    struct evidence_reference reference;
    struct text_error error;
    struct bytes text;
    struct err err;
    char path[4096], why[256];

    if (snprintf(path, sizeof path, "%.*s%.*s", (int)folder, policy, (int)name.size,
                 (const char *)name.data) >= (int)sizeof path)
        return unreadable(work, policy, "a name in references is too long");
    if (!os_read_file(path, REFERENCE_SIZE_MAX, &work->arena, &text, &err))
        return unreadable_err(work, path, &err);
    if (!evidence_reference_parse(text, &work->arena, &reference, &error)) {
        (void)snprintf(why, sizeof why, "line %u: %s", error.line, error.text);
        return unreadable(work, path, why);
    }
    return evidence_policy_add(&work->policy, &work->arena, &reference, &err)
               ? CLI_OK
               : unreadable_err(work, path, &err);
}

static int read_references(struct work *work, const char *policy)
{
    int code = CLI_OK;

    for (size_t i = 0; code == CLI_OK && i < work->policy.references.count; i++)
        code = read_reference(work, policy, work->policy.references.items[i]);
    return code;
}

static int read_policy(struct work *work)
{
    const char *file = cli_value(work->args, "--policy");
    struct text_error error;
    struct bytes text;
    struct err err;
    char why[256];

    evidence_policy_default(&work->policy);
    work->policy.any_workload = true;
    if (file == NULL)
        return CLI_OK;
    if (!os_read_file(file, POLICY_SIZE_MAX, &work->arena, &text, &err))
        return unreadable_err(work, file, &err);
    if (evidence_policy_parse(text, &work->arena, &work->policy, &error))
        return read_references(work, file);
    (void)snprintf(why, sizeof why, "line %u, column %u: %s", error.line, error.column, error.text);
    return unreadable(work, file, why);
}

/* Further roots of simulated platforms, beside those of the policy. */
static int read_roots(struct work *work)
{
    const char *const *files = cli_values(work->args, "--simulated-root");
    size_t count = 0;
    struct bytes text;
    struct err err;

    while (files[count] != NULL)
        count++;
    struct bytes_list *list = &work->policy.simulated_roots;
    struct bytes *items = ARENA_ARRAY(&work->arena, struct bytes, list->count + count);
    if (items == NULL)
        return unreadable(work, "--simulated-root", "no memory");
    for (size_t i = 0; i < list->count; i++)
        items[i] = list->items[i];
    for (size_t i = 0; i < count; i++) {
        if (!os_read_file(files[i], EVIDENCE_SIZE_MAX, &work->arena, &text, &err) ||
            !evidence_root_parse(text, &work->arena, &items[list->count + i], &err))
            return unreadable_err(work, files[i], &err);
    }
    *list = (struct bytes_list){.items = items, .count = list->count + count};
    return CLI_OK;
}

static int read_time(struct work *work)
{
    const char *text = cli_value(work->args, "--at");
    char *end;

    work->input.at = os_unix_ms() / 1000;
    if (text == NULL || civil_parse(bytes_of(text), &work->input.at))
        return CLI_OK;
    errno = 0;
    work->input.at = strtoll(text, &end, 10);
    if (errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0')
        return CLI_OK;
    return cli_usage_error(work->args, text,
                           "--at takes 2026-11-23T08:00:00Z or seconds since 1970");
}

static int read_report_data(struct work *work)
{
    const char *text = cli_value(work->args, "--report-data");
    struct err err;
    size_t size;

    if (text != NULL) {
        if (!hex_decode(bytes_of(text), work->report_data, sizeof work->report_data, &size, &err) ||
            size != sizeof work->report_data)
            return cli_usage_error(work->args, text, "--report-data takes 64 bytes in hexadecimal");
        work->input.report_data = work->report_data;
    } else if (work->evidence.has_key) {
        work->input.report_data = work->evidence.report_data;
    }
    return CLI_OK;
}

/* ---- files ---- */

/* Endorsements are judged later: one that is malformed is left out, and then it is missing. */
static int add_file(struct work *work, const char *path, bool is_quiet)
{
    char text[ERR_TEXT_SIZE];
    struct bytes file;
    struct err err;

    if (!os_read_file(path, COLLATERAL_FILE_MAX, &work->arena, &file, &err))
        return unreadable_err(work, path, &err);
    if (collateral_add(work->local, file, &err))
        return CLI_OK;
    /* what has no room could be the newest */
    if (err.code == ERR_MEMORY || (err.code == ERR_LIMIT && collateral_is_full(work->local)))
        return unreadable_err(work, path, &err);
    if (is_quiet)
        return CLI_OK;
    (void)fputs("broch: ", stderr);
    cli_print_shown(stderr, bytes_of(path));
    (void)fprintf(stderr, ": left out: %s\n", err_text(&err, os_strerror, text));
    return CLI_OK;
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int add_folder(struct work *work, const char *path)
{
    struct dirent **entries;
    struct stat status;
    int count = scandir(path, &entries, is_visible, alphasort), code = CLI_OK;

    if (count < 0)
        return unreadable(work, path, os_strerror(errno));
    if (count > FOLDER_FILES_MAX)
        code = unreadable(work, path, "more files than can be looked at");
    for (int i = 0; i < count; i++) {
        char *file = NULL;
        if (code == CLI_OK && asprintf(&file, "%s/%s", path, entries[i]->d_name) > 0 &&
            stat(file, &status) == 0 && S_ISREG(status.st_mode) &&
            (uint64_t)status.st_size <= COLLATERAL_FILE_MAX)
            code = add_file(work, file, true);
        free(file);
        free(entries[i]);
    }
    free(entries);
    return code;
}

static int add_path(struct work *work, const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return unreadable(work, path, os_strerror(errno));
    return S_ISDIR(status.st_mode) ? add_folder(work, path) : add_file(work, path, false);
}

static int read_files(struct work *work)
{
    const char *const *paths = cli_values(work->args, "--collateral");
    struct bytes file;
    struct err err;
    int code = CLI_OK;

    if (!os_read_file(work->file, EVIDENCE_SIZE_MAX, &work->arena, &file, &err) ||
        !evidence_open(file, &work->arena, work->collateral, &work->evidence, &err))
        return unreadable_err(work, work->file, &err);
    /* a keep's own request binds its claims and nonce as well, which Enarx's does not have */
    if (work->evidence.has_key &&
        !cli_request_binding(file, &work->arena, work->evidence.report_data, &err))
        return unreadable_err(work, work->file, &err);
    for (size_t i = 1; code == CLI_OK && i < work->args->positional_count; i++)
        code = add_file(work, work->args->positionals[i], false);
    for (size_t i = 0; code == CLI_OK && paths[i] != NULL; i++)
        code = add_path(work, paths[i]);
    return code;
}

/* ---- verdicts ---- */

static void write_verdict(struct writer *w, const struct work *work, const struct verdict *v)
{
    writer_text(w, "{\"file\":");
    writer_json(w, bytes_of(work->file));
    writer_text(w, ",");
    verdict_write_json(w, v);
    writer_text(w, "}\n");
}

/* Text that may hold what somebody else wrote. */
static void write_shown(struct writer *w, const char *text)
{
    writer_shown(w, bytes_of(text));
}

static void write_reason(struct writer *w, const struct verdict *v, enum check_id id)
{
    const struct check *check = &v->checks[id];

    if (check->result == CHECK_NOT_MADE) {
        writer_text(w, "could not be checked, as something before it failed");
        return;
    }
    write_shown(w, check->found);
    if (check->expected[0] != '\0') {
        writer_text(w, check->result == CHECK_FAILED ? "; expected: " : " (expected: ");
        write_shown(w, check->expected);
        writer_text(w, check->result == CHECK_FAILED ? "" : ")");
    }
}

static void write_summary(struct writer *w, const struct work *work, const struct verdict *v)
{
    bool is_good = verdict_is_good(v);

    write_shown(w, work->file);
    writer_format(w, ": %s: %s", is_good ? "genuine and within the policy" : "refused",
                  technology_name(v->technology));
    if (v->tcb_status[0] != '\0')
        writer_format(w, ", TCB %s", v->tcb_status);
    if (v->is_simulated)
        writer_text(w, ", SIMULATED: it protects nothing");
    if (is_good && cli_value(work->args, "--policy") == NULL)
        writer_text(w, "; without a policy, what runs there may be anything");
    writer_text(w, "\n");
}

/* What refused, each in a line; with all, every check. */
static void write_text(struct writer *w, const struct work *work, const struct verdict *v, bool all)
{
    write_summary(w, work, v);
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        enum check_result result = v->checks[id].result;
        if (!check_is_of(id, v->technology) ||
            (!all && (result == CHECK_PASSED || result == CHECK_NOT_APPLICABLE)))
            continue;
        writer_format(w, "  %-14s  %-24s  %s\n", check_result_name(result), check_name(id),
                      check_question(id));
        writer_format(w, "%44s", "");
        write_reason(w, v, id);
        writer_format(w, "\n%44s[%s]\n", "", check_clause(id));
    }
}

static int print(const struct work *work, const struct writer *w, int code)
{
    struct bytes out;
    struct err err;

    if (!writer_done(w, &out, &err))
        return unreadable_err(work, work->file, &err);
    (void)fwrite(out.data, 1, out.size, stdout);
    return code;
}

static int judge(struct work *work, bool all)
{
    struct verdict verdict;
    struct writer w = writer_growable(&work->arena, OUTPUT_MAX);

    work->input.kind = work->evidence.kind;
    work->input.evidence = work->evidence.evidence;
    work->input.collateral = work->collateral;
    work->input.local = work->local;
    work->input.policy = &work->policy;
    evidence_verify(work->verifier, &work->input, &work->arena, &verdict);
    if (work->args->json)
        write_verdict(&w, work, &verdict);
    else
        write_text(&w, work, &verdict, all);
    bool is_readable = verdict.checks[CHECK_SNP_FORMAT].result != CHECK_FAILED &&
                       verdict.checks[CHECK_QUOTE_FORMAT].result != CHECK_FAILED;
    return print(work, &w,
                 verdict_is_good(&verdict) ? CLI_OK
                 : is_readable             ? CLI_FAILED
                                           : EXIT_UNREADABLE);
}

static int verify(const struct cli_args *args, bool all)
{
    struct work work = {.args = args, .file = args->positionals[0]};
    struct err err;
    int code;

    arena_init(&work.arena, arena_heap, ARENA_LIMIT);
    if (!verifier_new(&work.verifier, &err) || !collateral_new(&work.collateral, &err) ||
        !collateral_new(&work.local, &err))
        code = unreadable_err(&work, work.file, &err);
    else
        code = read_policy(&work);
    if (code == CLI_OK)
        code = read_roots(&work);
    if (code == CLI_OK)
        code = read_time(&work);
    if (code == CLI_OK)
        code = read_files(&work);
    if (code == CLI_OK)
        code = read_report_data(&work);
    if (code == CLI_OK)
        code = judge(&work, all);
    collateral_free(work.collateral);
    collateral_free(work.local);
    verifier_free(work.verifier);
    arena_done(&work.arena);
    return code;
}

int cli_evidence_verify(const struct cli_args *args)
{
    return verify(args, false);
}

int cli_evidence_explain(const struct cli_args *args)
{
    return verify(args, true);
}

/* ---- facts ---- */

static void write_item_json(struct writer *w, const struct fact_item *item)
{
    writer_format(w, "{\"kind\":\"%s\",\"facts\":{", item->kind);
    for (size_t k = 0; k < item->count; k++) {
        writer_format(w, "%s\"%s\":", k != 0 ? "," : "", item->facts[k].name);
        writer_json(w, bytes_of(item->facts[k].value));
    }
    writer_text(w, "}}");
}

static void write_item_text(struct writer *w, const char *file, const struct fact_item *item)
{
    write_shown(w, file);
    writer_format(w, ": %s, not judged\n", item->kind);
    for (size_t k = 0; k < item->count; k++) {
        writer_format(w, "  %-20s  ", item->facts[k].name);
        write_shown(w, item->facts[k].value);
        writer_text(w, "\n");
    }
}

static void write_item(struct writer *w, const struct work *work, const struct fact_item *item,
                       bool is_first)
{
    if (!work->args->json) {
        write_item_text(w, work->file, item);
        return;
    }
    writer_text(w, is_first ? "" : ",");
    write_item_json(w, item);
}

/* What is in the file, and last what it says as a keep's certificate or request. */
static void write_items(struct writer *w, const struct work *work, const struct fact_list *list,
                        const struct fact_item *of_keep)
{
    if (work->args->json) {
        writer_text(w, "{\"file\":");
        writer_json(w, bytes_of(work->file));
        writer_text(w, ",\"items\":[");
    }
    for (size_t i = 0; i < list->count; i++)
        write_item(w, work, &list->items[i], i == 0);
    if (of_keep != NULL)
        write_item(w, work, of_keep, list->count == 0);
    writer_text(w, work->args->json ? "]}\n" : "");
}

static int show_file(struct work *work)
{
    struct writer w = writer_growable(&work->arena, OUTPUT_MAX);
    struct fact_list list;
    struct fact_item of_keep;
    struct bytes file;
    struct err err;

    if (!os_read_file(work->file, COLLATERAL_FILE_MAX, &work->arena, &file, &err) ||
        !evidence_facts(file, &work->arena, &list, &err))
        return unreadable_err(work, work->file, &err);
    bool is_of_keep = cli_identity_facts(file, &work->arena, &of_keep);
    write_items(&w, work, &list, is_of_keep ? &of_keep : NULL);
    return print(work, &w, CLI_OK);
}

int cli_evidence_show(const struct cli_args *args)
{
    int code = CLI_OK;

    for (size_t i = 0; i < args->positional_count; i++) {
        struct work work = {.args = args, .file = args->positionals[i]};
        arena_init(&work.arena, arena_heap, ARENA_LIMIT);
        int one = show_file(&work);
        arena_done(&work.arena);
        if (one != CLI_OK)
            code = one;
    }
    return code;
}
