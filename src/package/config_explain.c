/* A configuration in words: one fact a line, then what is risky. */
#include "package/config.h"

#include "base/banned.h"

/* Text of the file between quotes, with JSON's escapes, so that it cannot pass for another line. */
static void write_quoted(struct writer *w, struct bytes text)
{
    writer_u8(w, '"');
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        /* U+0080 to U+009F are control characters too */
        bool is_c1 = c == 0xc2 && i + 1 < text.size && text.data[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || is_c1)
            writer_format(w, "\\u%04x", is_c1 ? text.data[i + 1] : c);
        else if (c == '"' || c == '\\')
            writer_format(w, "\\%c", (char)c);
        else
            writer_u8(w, c);
        i += is_c1;
    }
    writer_u8(w, '"');
}

/* " WORD a, b, c"; nothing when there are none. */
static void write_list(struct writer *w, const char *word, const struct bytes *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        writer_text(w, i == 0 ? word : ", ");
        writer_bytes(w, items[i]);
    }
}

static void write_peer(struct writer *w, const struct config_peer *peer)
{
    static const char *const technologies[] = {[1] = "SEV-SNP", [2] = "SGX", [3] = "TDX"};
    const char *before = " on ";

    writer_text(w, "keeps");
    if (peer->workload.size != 0)
        write_list(w, " of ", &peer->workload, 1);
    write_list(w, peer->tag_count == 1 ? " tag " : " tags ", peer->tags, peer->tag_count);
    if (peer->digest.size != 0) {
        writer_text(w, " with digest ");
        digest_write(w, &peer->digest);
    }
    for (size_t i = 1; i < COUNT_OF(technologies); i++) {
        if ((peer->technologies & 1u << i) == 0)
            continue;
        writer_format(w, "%s%s", before, technologies[i]);
        before = " or ";
    }
    if (peer->steward.size != 0)
        write_list(w, " certified under ", &peer->steward, 1);
}

/* What follows "may listen on port 443: " or "may connect to HOST: ". */
static void write_rule(struct writer *w, const struct config_rule *rule, bool is_incoming)
{
    if (rule->protocol == CONFIG_TCP) {
        writer_text(w, "plain TCP\n");
        return;
    }
    writer_text(w, is_incoming ? "TLS, admits " : "TLS, believes ");
    if (rule->web)
        writer_text(w, "a server with a certificate that web browsers believe");
    else if (rule->anchor.size != 0)
        write_list(w, "a server certified under ", &rule->anchor, 1);
    else if (rule->admission == CONFIG_ADMIT_PROGRAM || (rule->anonymous && rule->peer_count == 0))
        writer_text(w, "everybody");
    else if (rule->admission == CONFIG_ADMIT_ANY_KEEP)
        writer_text(w, "any keep of a trusted Steward");
    for (size_t i = 0; i < rule->peer_count; i++) {
        writer_text(w, i == 0 ? "" : "; or ");
        write_peer(w, &rule->peers[i]);
    }
    if (rule->anonymous && rule->peer_count != 0)
        writer_text(w, "; or anybody without a keep's certificate");
    if (rule->admission == CONFIG_ADMIT_PROGRAM)
        writer_text(w, "; the program decides by /net/peer");
    writer_u8(w, '\n');
}

static void write_incoming_place(struct writer *w, const struct config_incoming *in, bool is_only)
{
    if (in->is_default)
        writer_text(w, is_only ? "any port" : "any other port");
    else if (in->port == 0)
        writer_text(w, "a port that the host chooses");
    else
        writer_format(w, "port %u", in->port);
}

static void write_outgoing_place(struct writer *w, const struct config_outgoing *out, bool is_only)
{
    if (out->is_default) {
        writer_text(w, is_only ? "any host" : "any other host");
        return;
    }
    writer_bytes(w, out->host);
    if (out->port != 0)
        writer_format(w, ":%u", out->port);
    else
        writer_text(w, ", any port");
}

static void write_file_place(struct writer *w, const struct config_file *f)
{
    bool is_ipv6 = f->host.data[0] != '[' && memchr(f->host.data, ':', f->host.size) != NULL;

    writer_text(w, is_ipv6 ? "[" : "");
    writer_bytes(w, f->host);
    writer_format(w, "%s:%u", is_ipv6 ? "]" : "", f->port);
}

/* Every network entry of the file, and what stands for those that are absent in Enarx.toml, in one
 * walk, for the facts and for the warnings. */
struct rule_visitor {
    struct writer *w;
    bool found; /* of note_peers */
    void (*visit)(struct rule_visitor *v, const char *verb, const struct config_rule *rule,
                  bool is_incoming, struct bytes place);
};

static void visit(struct rule_visitor *v, const char *verb, const struct config_rule *rule,
                  bool is_incoming, const struct writer *place)
{
    v->visit(v, verb, rule, is_incoming, bytes_from(place->data, place->size));
}

/* Room for the longest place: a host of 253 bytes and a port. */
enum { PLACE_SIZE = 300 };

static void visit_files(const struct config *c, struct rule_visitor *v)
{
    for (size_t i = 0; i < c->file_count; i++) {
        const struct config_file *f = &c->files[i];
        uint8_t text[PLACE_SIZE];
        struct writer place = writer_fixed(text, sizeof text);
        if (f->kind != CONFIG_FILE_LISTEN && f->kind != CONFIG_FILE_CONNECT)
            continue;
        bool is_incoming = f->kind == CONFIG_FILE_LISTEN;
        write_file_place(&place, f);
        visit(v, is_incoming ? "listens on" : "connects to", &f->rule, is_incoming, &place);
    }
}

static void visit_network(const struct config *c, struct rule_visitor *v)
{
    const struct config_incoming other_in = {.is_default = true};
    const struct config_outgoing other_out = {.is_default = true};
    uint8_t text[PLACE_SIZE];
    bool has_default_in = false, has_default_out = false;

    for (size_t i = 0; i < c->incoming_count; i++) {
        struct writer place = writer_fixed(text, sizeof text);
        write_incoming_place(&place, &c->incoming[i], c->incoming_count == 1);
        visit(v, "may listen on", &c->incoming[i].rule, true, &place);
        has_default_in |= c->incoming[i].is_default;
    }
    if (c->form == CONFIG_ENARX && !has_default_in) {
        struct writer place = writer_fixed(text, sizeof text);
        write_incoming_place(&place, &other_in, c->incoming_count == 0);
        visit(v, "may listen on", config_incoming_rule(&(struct config){.form = c->form}, 0), true,
              &place);
    }
    for (size_t i = 0; i < c->outgoing_count; i++) {
        struct writer place = writer_fixed(text, sizeof text);
        write_outgoing_place(&place, &c->outgoing[i], c->outgoing_count == 1);
        visit(v, "may connect to", &c->outgoing[i].rule, false, &place);
        has_default_out |= c->outgoing[i].is_default;
    }
    if (c->form == CONFIG_ENARX && !has_default_out) {
        struct writer place = writer_fixed(text, sizeof text);
        write_outgoing_place(&place, &other_out, c->outgoing_count == 0);
        visit(v, "may connect to",
              config_outgoing_rule(&(struct config){.form = c->form}, other_out.host, 0), false,
              &place);
    }
}

static void explain_rule(struct rule_visitor *v, const char *verb, const struct config_rule *rule,
                         bool is_incoming, struct bytes place)
{
    writer_format(v->w, "%s ", verb);
    writer_bytes(v->w, place);
    writer_text(v->w, ": ");
    write_rule(v->w, rule, is_incoming);
}

static void explain_network(const struct config *c, struct writer *w)
{
    struct rule_visitor v = {.w = w, .visit = explain_rule};

    visit_network(c, &v);
    if (c->incoming_count == 0 && c->form != CONFIG_ENARX)
        writer_text(w, c->file_count != 0 ? "may listen on no further port\n"
                                          : "may listen on no port\n");
    if (c->outgoing_count == 0 && c->form != CONFIG_ENARX)
        writer_text(w, c->file_count != 0 ? "may connect nowhere else\n" : "may connect nowhere\n");
}

static void explain_files(const struct config *c, struct writer *w)
{
    static const char *const streams[] = {
        [CONFIG_FILE_NULL] = "nothing: reads end at once, writes vanish",
        [CONFIG_FILE_STDIN] = "the host's standard input",
        [CONFIG_FILE_STDOUT] = "the host's standard output",
        [CONFIG_FILE_STDERR] = "the host's standard error",
    };

    if (c->file_count == 0)
        writer_text(w, "no descriptor is open at the start\n");
    for (size_t i = 0; i < c->file_count; i++) {
        const struct config_file *f = &c->files[i];
        bool is_incoming = f->kind == CONFIG_FILE_LISTEN;
        writer_format(w, "descriptor %zu, ", i);
        write_quoted(w, f->name);
        if (f->kind != CONFIG_FILE_LISTEN && f->kind != CONFIG_FILE_CONNECT) {
            writer_format(w, ": %s\n", streams[f->kind]);
            continue;
        }
        writer_text(w, is_incoming ? ", listens on " : ", connects to ");
        write_file_place(w, f);
        writer_text(w, ": ");
        write_rule(w, &f->rule, is_incoming);
    }
}

static void explain_stdio(const struct config *c, struct writer *w)
{
    static const char *const names[] = {"input", "output", "error"};

    if (c->has_files) {
        explain_files(c, w);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++)
        writer_format(w, "standard %s: %s\n", names[i],
                      c->stdio[i] == CONFIG_STDIO_HOST ? "the host's"
                      : i == 0                         ? "null, at its end from the start"
                                                       : "null, what is written vanishes");
}

static void explain_program(const struct config *c, struct writer *w)
{
    for (size_t i = 0; i < c->arg_count; i++) {
        writer_format(w, "argument %zu: ", i + 1);
        write_quoted(w, c->args[i]);
        writer_u8(w, '\n');
    }
    for (size_t i = 0; i < c->env_count; i++) {
        writer_text(w, "variable ");
        write_quoted(w, c->env[i].name);
        writer_text(w, " is ");
        write_quoted(w, c->env[i].value);
        writer_u8(w, '\n');
    }
}

static void explain_trust(const struct config *c, struct writer *w)
{
    if (c->steward.size == 0) {
        writer_text(w,
                    "names no Steward: the keep is anonymous to its peers, unless it is deployed "
                    "with --steward\n");
    } else {
        write_list(w, "is certified by the Steward ", &c->steward, 1);
        writer_text(w, ", whose own certificate must be by ");
        if (c->steward_ca.size != 0)
            writer_bytes(w, c->steward_ca);
        else
            writer_text(w, "an authority that web browsers believe");
        writer_u8(w, '\n');
    }
    if (c->trust.steward_count != 0) {
        write_list(w, "believes other Stewards: ", c->trust.stewards, c->trust.steward_count);
        writer_u8(w, '\n');
    }
    if (c->trust.anchor_count != 0) {
        write_list(w, "believes, for ordinary servers: ", c->trust.anchors, c->trust.anchor_count);
        writer_u8(w, '\n');
    }
}

static void write_limit(struct writer *w, const char *name, uint64_t value, const char *endless)
{
    if (value == UINT64_MAX)
        writer_format(w, "%s: %s\n", name, endless);
    else
        writer_format(w, "%s: at most %llu\n", name, (unsigned long long)value);
}

static void explain_limits(const struct config *c, struct writer *w)
{
    write_limit(w, "bytes of memory", c->limits.memory, "as many as the module may have");
    write_limit(w, "fuel", c->limits.fuel, "endless");
    write_limit(w, "open files", c->limits.open_files, "");
    write_limit(w, "connections", c->limits.connections, "");
}

static void write_warning(struct rule_visitor *v, const char *verb, struct bytes place,
                          const char *text)
{
    writer_format(v->w, "warning: %s ", verb);
    writer_bytes(v->w, place);
    writer_format(v->w, ": %s\n", text);
}

static void warn_of_rule(struct rule_visitor *v, const char *verb, const struct config_rule *rule,
                         bool is_incoming, struct bytes place)
{
    const char *text = NULL;

    if (rule->protocol == CONFIG_TCP)
        text = "plain TCP: the host and the network can read and change what passes";
    else if (rule->admission == CONFIG_ADMIT_PROGRAM)
        text = "TLS without a check of the peer: the program itself must read /net/peer";
    else if (rule->anonymous)
        text = "peers without a keep's certificate are admitted: nothing is known of them";
    else if (rule->admission == CONFIG_ADMIT_ANY_KEEP)
        text = is_incoming ? "any workload that a trusted Steward certifies may come in"
                           : "any workload that a trusted Steward certifies may answer";
    else if (rule->web)
        text = "an ordinary server: every authority that web browsers believe can vouch for it";
    if (text != NULL)
        write_warning(v, verb, place, text);
}

/* Whether the file has TLS entries for keeps, which only certificates of a Steward can match. */
static void note_peers(struct rule_visitor *v, const char *verb, const struct config_rule *rule,
                       bool is_incoming, struct bytes place)
{
    (void)verb;
    (void)is_incoming;
    (void)place;
    if (rule->protocol == CONFIG_TLS && !rule->anonymous &&
        (rule->peer_count != 0 || rule->admission == CONFIG_ADMIT_ANY_KEEP))
        v->found = true;
}

static void warn_of_defaults(const struct config *c, struct writer *w)
{
    for (size_t i = 0; i < c->incoming_count; i++) {
        if (c->incoming[i].is_default)
            writer_text(w, "warning: [network.incoming.default] opens every port that is not "
                           "named\n");
    }
    for (size_t i = 0; i < c->outgoing_count; i++) {
        if (c->outgoing[i].is_default)
            writer_text(w, "warning: [network.outgoing.default] allows every host that is not "
                           "named\n");
    }
}

static void explain_warnings(const struct config *c, struct writer *w)
{
    struct rule_visitor v = {.w = w, .visit = warn_of_rule};
    struct rule_visitor peers = {.visit = note_peers};

    if (!c->has_files && c->stdio[1] == CONFIG_STDIO_NULL && c->stdio[2] == CONFIG_STDIO_NULL)
        writer_text(w, "warning: standard output and error are null: nothing that the program "
                       "prints is seen; [stdout] and [stderr] with kind = \"host\" show it\n");
    visit_files(c, &v);
    visit_network(c, &v);
    warn_of_defaults(c, w);
    visit_files(c, &peers);
    visit_network(c, &peers);
    if (peers.found && c->steward.size == 0 && c->trust.steward_count == 0)
        writer_text(w, "warning: neither 'steward' nor 'stewards' under [trust]: no keep can be a "
                       "peer\n");
    if (c->trust.web)
        writer_text(w, "warning: web = true: every authority that web browsers believe can vouch "
                       "for an ordinary server\n");
    if (c->trust.simulated)
        writer_text(w, "warning: simulated = true: peers may be simulations, which protect "
                       "nothing\n");
}

void config_explain(const struct config *config, struct writer *out)
{
    writer_text(out, config->form == CONFIG_ENARX
                         ? "read as Enarx.toml: entries without 'peers' mean what they mean there\n"
                         : "read as Keep.toml: what is not allowed is refused\n");
    explain_stdio(config, out);
    explain_program(config, out);
    explain_trust(config, out);
    explain_network(config, out);
    explain_limits(config, out);
    explain_warnings(config, out);
}
