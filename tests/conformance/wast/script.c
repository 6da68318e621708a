/* Commands and verdicts. */
#include "script.h"

#include "action.h"
#include "base/banned.h"

/* A script that runs. */
struct script {
    struct session session;
    struct arena *arena;
    struct tally *tally;
    script_failed *failed;
    void *context;
};

/* What an assertion wants, after its action. */
static const struct assertion {
    const char *head;
    enum outcome_kind wanted;
    enum depth depth;
    bool has_text; /* of the message */
    const char *name;
} assertions[] = {
    {"assert_return", OUTCOME_DONE, DEPTH_RUN, false, ""},
    {"assert_trap", OUTCOME_TRAP, DEPTH_RUN, true, "trap"},
    {"assert_exhaustion", OUTCOME_TRAP, DEPTH_RUN, true, "trap"},
    {"assert_unlinkable", OUTCOME_UNLINKABLE, DEPTH_RUN, true, "unlinkable module"},
    {"assert_malformed", OUTCOME_MALFORMED, DEPTH_VALIDATE, false, "malformed module"},
    {"assert_invalid", OUTCOME_INVALID, DEPTH_VALIDATE, false, "invalid module"},
};

/* ---- reports ---- */

static void print_outcome(const struct outcome *o, struct writer *out)
{
    static const char *const names[] = {
        [OUTCOME_DONE] = "",
        [OUTCOME_MALFORMED] = "malformed module: ",
        [OUTCOME_INVALID] = "invalid module: ",
        [OUTCOME_UNLINKABLE] = "unlinkable module: ",
        [OUTCOME_TRAP] = "trap: ",
        [OUTCOME_UNSUPPORTED] = "",
        [OUTCOME_BROKEN] = "",
    };

    writer_text(out, names[o->kind]);
    writer_bytes(out, o->text);
    for (uint32_t i = 0; i < o->result_count; i++) {
        writer_text(out, i != 0 ? " " : "");
        value_print(&o->results[i], out);
    }
    if (o->kind == OUTCOME_DONE && o->result_count == 0)
        writer_text(out, "no error and no result");
}

/* expected: what the assertion has behind its action. */
static void fail(struct script *s, const struct sexpr *command, const char *wanted,
                 const struct sexpr *expected, const struct outcome *o)
{
    struct writer text = writer_growable(s->arena, SIZE_MAX);
    struct bytes written;
    struct err err;

    s->tally->failed++;
    writer_format(&text, "expected %s", wanted);
    for (; expected != NULL; expected = expected->next) {
        writer_text(&text, " ");
        sexpr_print(expected, &text);
    }
    writer_text(&text, ", got ");
    print_outcome(o, &text);
    writer_u8(&text, 0);
    s->failed(s->context, command->line,
              writer_done(&text, &written, &err) ? (const char *)written.data : err.msg);
}

/* A command that is no assertion is worth a word only when it did not do what it should. */
static void report(struct script *s, const struct sexpr *command, struct outcome o)
{
    if (o.kind == OUTCOME_UNSUPPORTED)
        s->tally->commands_not_supported[o.feature]++;
    else if (o.kind != OUTCOME_DONE)
        fail(s, command, "success", NULL, &o);
}

/* ---- commands ---- */

static bool results_match(const struct outcome *o, const struct sexpr *patterns)
{
    for (uint32_t i = 0; i < o->result_count; i++, patterns = patterns->next)
        if (patterns == NULL || !value_matches(patterns, &o->results[i]))
            return false;
    return patterns == NULL;
}

/* The suite's messages are the beginning of an engine's, which may say more; some say more
 * themselves: "uninitialized element 2". */
static bool message_matches(struct bytes message, const struct sexpr *expected)
{
    return expected != NULL && expected->kind == SEXPR_STRING &&
           (bytes_starts_with(message, expected->text) ||
            bytes_starts_with(expected->text, message));
}

static void check(struct script *s, const struct sexpr *command, const struct assertion *assertion)
{
    const struct sexpr *action = command->first->next;
    const struct sexpr *expected = action != NULL ? action->next : NULL;
    struct outcome o = {.kind = OUTCOME_UNSUPPORTED, .feature = feature_used(command)};

    if (o.feature == FEATURE_NONE)
        o = action_perform(&s->session, action, assertion->depth);
    bool ok = o.kind == assertion->wanted;
    if (assertion->wanted == OUTCOME_DONE)
        ok = ok && results_match(&o, expected);
    else if (assertion->has_text)
        ok = ok && message_matches(o.text, expected);
    enum feature lifting = FEATURE_NONE;
    if (assertion->depth == DEPTH_VALIDATE && expected != NULL && expected->kind == SEXPR_STRING)
        lifting = feature_lifting(expected->text);
    if (o.kind == OUTCOME_UNSUPPORTED)
        s->tally->not_supported[o.feature]++;
    else if (ok)
        s->tally->passed++;
    else if (lifting != FEATURE_NONE && o.kind != OUTCOME_BROKEN)
        s->tally->superseded[lifting]++;
    else
        fail(s, command, assertion->name, expected, &o);
}

static void run_command(struct script *s, const struct sexpr *command)
{
    const struct sexpr *at = command, *fields;
    struct bytes id;
    enum feature feature = feature_used(command);

    for (size_t i = 0; i < COUNT_OF(assertions); i++) {
        if (sexpr_is_list(command, assertions[i].head)) {
            check(s, command, &assertions[i]);
            return;
        }
    }
    if (sexpr_take_list(&at, "module", &fields)) {
        (void)sexpr_take_id(&fields, &id);
        report(s, command, action_module(&s->session, fields, id));
    } else if (sexpr_is_list(command, "register")) {
        report(s, command, action_register(&s->session, command));
    } else if (sexpr_is_list(command, "assert_exception")) {
        s->tally->not_supported[FEATURE_EXCEPTIONS]++;
    } else if (feature != FEATURE_NONE) {
        s->tally->commands_not_supported[feature]++;
    } else {
        report(s, command, action_perform(&s->session, command, DEPTH_RUN));
    }
}

/* A script may be the fields of one module, without "(module" around them. */
static bool is_inline_module(const struct sexpr *first)
{
    static const char *const fields[] = {"type",   "import", "func",  "table", "memory",
                                         "global", "export", "start", "elem",  "data"};

    for (size_t i = 0; i < COUNT_OF(fields); i++)
        if (sexpr_is_list(first, fields[i]))
            return true;
    return false;
}

static bool run(struct script *s, struct bytes text, enum wasm_bounds bounds,
                struct text_error *error)
{
    const struct sexpr *commands;
    struct err err;

    if (!sexpr_parse(text, s->arena, &commands, error))
        return false;
    if (!session_init(&s->session, bounds, s->arena, &err))
        return text_error_set(error, 0, 0, "%s", err.msg);
    if (is_inline_module(commands)) {
        report(s, commands, action_module(&s->session, commands, (struct bytes){0}));
        return true;
    }
    for (; commands != NULL; commands = commands->next)
        run_command(s, commands);
    return true;
}

bool script_run(struct bytes text, enum wasm_bounds bounds, script_failed *failed, void *context,
                struct tally *out, struct text_error *error)
{
    struct arena arena;
    struct script s = {.arena = &arena, .tally = out, .failed = failed, .context = context};

    *out = (struct tally){0};
    arena_init(&arena, arena_heap, SIZE_MAX);
    bool ok = run(&s, text, bounds, error);
    session_done(&s.session);
    arena_done(&arena);
    return ok;
}
