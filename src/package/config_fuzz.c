/* A refusal has a place and a reason. What is accepted, in either form, can be explained, one line
 * a fact, and its hosts are in canonical form. */
#include <assert.h>

#include "package/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct bytes text)
{
    assert(text.size != 0 && text.data[text.size - 1] == '\n');
    assert(utf8_is_valid(text));
    for (size_t i = 0; i < text.size; i++)
        assert((text.data[i] >= 0x20 && text.data[i] != 0x7f) || text.data[i] == '\n');
}

static void check_rules(const struct config *c, struct arena *arena)
{
    for (size_t i = 0; i < c->incoming_count; i++) {
        if (!c->incoming[i].is_default)
            assert(config_incoming_rule(c, c->incoming[i].port) == &c->incoming[i].rule);
        assert(c->incoming[i].rule.line >= 1);
    }
    for (size_t i = 0; i < c->outgoing_count; i++) {
        const struct config_outgoing *out = &c->outgoing[i];
        struct bytes again;
        if (out->is_default)
            continue;
        assert(config_outgoing_rule(c, out->host, out->port) == &out->rule);
        bool ok = config_host_canonical(out->host, arena, &again);
        assert(ok && bytes_equal(again, out->host));
    }
    bool has_default = config_incoming_rule(c, 1) != NULL;
    assert(c->form == CONFIG_KEEP || has_default);
}

static void check(struct bytes text, enum config_form form)
{
    struct text_error error = {.line = 0};
    struct config config;
    struct bytes shown;
    struct err err;
    struct arena arena;

    arena_init(&arena, arena_heap, 1 << 28);
    if (!config_parse(text, form, &arena, &config, &error)) {
        assert(error.line >= 1 && error.column >= 1 && error.text[0] != '\0');
    } else {
        struct writer w = writer_growable(&arena, SIZE_MAX);
        config_explain(&config, &w);
        bool ok = writer_done(&w, &shown, &err);
        assert(ok);
        check_text(shown);
        check_rules(&config, &arena);
    }
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(bytes_from(data, size), CONFIG_KEEP);
    check(bytes_from(data, size), CONFIG_ENARX);
    return 0;
}
