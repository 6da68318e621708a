/* Keep.toml and Enarx.toml: what every key means in either form, and what is said of mistakes. */
#include "support.h"

#include <stdio.h>

#include "base/base.h"
#include "package/config.h"

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, arena_heap, 1 << 26);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

static struct config parse(const char *text, enum config_form form)
{
    struct config config = {.form = form};
    struct text_error error;
    if (!config_parse(bytes_of(text), form, &arena, &config, &error))
        fail_msg("%u:%u: %s", error.line, error.column, error.text);
    return config;
}

/* The explanation, with a NUL. */
static const char *explain(const struct config *config)
{
    struct writer w = writer_growable(&arena, SIZE_MAX);
    struct bytes text;
    struct err err;
    config_explain(config, &w);
    writer_u8(&w, '\0');
    assert_true(writer_done(&w, &text, &err));
    return (const char *)text.data;
}

static void assert_says(const struct config *config, const char *line)
{
    const char *text = explain(config), *at = strstr(text, line);
    if (at == NULL || (at != text && at[-1] != '\n') || at[strlen(line)] != '\n')
        fail_msg("no line '%s' in:\n%s", line, text);
}

static void assert_silent(const struct config *config, const char *part)
{
    if (strstr(explain(config), part) != NULL)
        fail_msg("'%s' in:\n%s", part, explain(config));
}

#define PEER "peers = [{workload = \"r.example/u/r\"}]\n"

static const char keep[] =
    "steward = \"https://steward.example:8443/base\"\n"
    "steward_ca = \"steward-root.pem\"\n"
    "args = [\"--verbose\", \"a\\nb\"]\n"
    "[env]\n"
    "ROOM = \"lobby\"\n"
    "\"odd name\" = \"\"\n"
    "[stdin]\nkind = \"host\"\n"
    "[stdout]\nkind = \"null\"\n"
    "[limits]\n"
    "memory = \"256MiB\"\n"
    "fuel = 1000\n"
    "open_files = 64\n"
    "connections = 0\n"
    "[trust]\n"
    "stewards = [\"partner-root.pem\"]\n"
    "anchors = [\"db-ca.pem\", \"certs/more.pem\"]\n"
    "web = true\n"
    "simulated = true\n"
    "[network.incoming.50000]\n"
    "prot = \"tls\"\n"
    "[[network.incoming.50000.peers]]\n"
    "workload = \"Registry.example:443/alice/chat-client\"\n"
    "tags = [\"0.1.0\", \"0.1.1\"]\n"
    "[[network.incoming.50000.peers]]\n"
    "digest = \"sha-256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\"\n"
    "technology = [\"snp\", \"tdx\"]\n"
    "steward = \"partner-root.pem\"\n"
    "[network.incoming.50001]\n"
    "peers = \"any\"\n"
    "[network.incoming.50002]\n"
    "anonymous = true\n"
    "[network.incoming.50003]\n"
    "anonymous = true\n" PEER "[network.incoming.default]\n"
    "prot = \"tcp\"\n"
    "[network.outgoing.\"Chat.example:50000\"]\n" PEER "[network.outgoing.\"www.example\"]\n"
    "server = \"web\"\n"
    "[network.outgoing.\"[2001:DB8::0:1]:5432\"]\n"
    "server = \"db-ca.pem\"\n";

static void keys_of_the_program(void **state)
{
    struct config c = parse(keep, CONFIG_KEEP);
    (void)state;
    assert_true(bytes_is(c.steward, "https://steward.example:8443/base"));
    assert_true(bytes_is(c.steward_ca, "steward-root.pem"));
    assert_int_equal(c.arg_count, 2);
    assert_true(bytes_is(c.args[0], "--verbose") && bytes_is(c.args[1], "a\nb"));
    assert_int_equal(c.env_count, 2);
    assert_true(bytes_is(c.env[0].name, "ROOM") && bytes_is(c.env[0].value, "lobby"));
    assert_true(bytes_is(c.env[1].name, "odd name") && bytes_is(c.env[1].value, ""));
    assert_int_equal(c.stdio[0], CONFIG_STDIO_HOST);
    assert_int_equal(c.stdio[1], CONFIG_STDIO_NULL);
    assert_int_equal(c.stdio[2], CONFIG_STDIO_NULL); /* not said */
    assert_false(c.has_files);
    assert_int_equal(c.limits.memory, 256 << 20);
    assert_int_equal(c.limits.fuel, 1000);
    assert_int_equal(c.limits.open_files, 64);
    assert_int_equal(c.limits.connections, 0);
    assert_int_equal(c.trust.steward_count, 1);
    assert_int_equal(c.trust.anchor_count, 2);
    assert_true(bytes_is(c.trust.stewards[0], "partner-root.pem"));
    assert_true(bytes_is(c.trust.anchors[1], "certs/more.pem"));
    assert_true(c.trust.web && c.trust.simulated);
}

static void keys_of_the_network(void **state)
{
    struct config c = parse(keep, CONFIG_KEEP);
    const struct config_rule *r = config_incoming_rule(&c, 50000);
    (void)state;
    assert_int_equal(c.incoming_count, 5);
    assert_int_equal(r->protocol, CONFIG_TLS);
    assert_int_equal(r->admission, CONFIG_ADMIT_PEERS);
    assert_int_equal(r->peer_count, 2);
    assert_int_equal(r->line, 21);
    assert_true(bytes_is(r->peers[0].workload, "registry.example/alice/chat-client"));
    assert_int_equal(r->peers[0].tag_count, 2);
    assert_true(bytes_is(r->peers[0].tags[1], "0.1.1"));
    assert_true(r->peers[0].digest.size == 0 && r->peers[0].technologies == 0);
    assert_int_equal(r->peers[1].digest.algorithm, DIGEST_SHA256);
    assert_int_equal(r->peers[1].technologies, 1 << 1 | 1 << 3);
    assert_true(bytes_is(r->peers[1].steward, "partner-root.pem"));
    assert_false(r->anonymous || r->web || r->anchor.size != 0);

    r = config_incoming_rule(&c, 50001);
    assert_true(r->admission == CONFIG_ADMIT_ANY_KEEP && !r->anonymous);
    r = config_incoming_rule(&c, 50002);
    assert_true(r->admission == CONFIG_ADMIT_ANY_KEEP && r->anonymous);
    r = config_incoming_rule(&c, 50003);
    assert_true(r->admission == CONFIG_ADMIT_PEERS && r->anonymous && r->peer_count == 1);
    r = config_incoming_rule(&c, 1);
    assert_int_equal(r->protocol, CONFIG_TCP);

    assert_int_equal(c.outgoing_count, 3);
    r = config_outgoing_rule(&c, bytes_of("chat.example"), 50000);
    assert_true(r->admission == CONFIG_ADMIT_PEERS && r->peer_count == 1);
    assert_null(config_outgoing_rule(&c, bytes_of("chat.example"), 50001));
    assert_null(config_outgoing_rule(&c, bytes_of("chat.example"), 0));
    assert_true(config_outgoing_rule(&c, bytes_of("www.example"), 0)->web);
    assert_true(config_outgoing_rule(&c, bytes_of("www.example"), 443)->web);
    r = config_outgoing_rule(&c, bytes_of("[2001:db8::1]"), 5432);
    assert_true(bytes_is(r->anchor, "db-ca.pem") && !r->web && r->peer_count == 0);
}

static void it_is_explained(void **state)
{
    struct config c = parse(keep, CONFIG_KEEP);
    const char *const lines[] = {
        "read as Keep.toml: what is not allowed is refused",
        "standard input: the host's",
        "standard output: null, what is written vanishes",
        "argument 2: \"a\\u000ab\"",
        "variable \"ROOM\" is \"lobby\"",
        "is certified by the Steward https://steward.example:8443/base, whose own certificate must "
        "be by steward-root.pem",
        "believes other Stewards: partner-root.pem",
        "believes, for ordinary servers: db-ca.pem, certs/more.pem",
        "may listen on port 50000: TLS, admits keeps of registry.example/alice/chat-client tags "
        "0.1.0, 0.1.1; or keeps with digest "
        "sha-256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0= on SEV-SNP or TDX certified under "
        "partner-root.pem",
        "may listen on port 50001: TLS, admits any keep of a trusted Steward",
        "may listen on port 50002: TLS, admits everybody",
        "may listen on port 50003: TLS, admits keeps of r.example/u/r; or anybody without a keep's "
        "certificate",
        "may listen on any other port: plain TCP",
        "may connect to chat.example:50000: TLS, believes keeps of r.example/u/r",
        "may connect to www.example, any port: TLS, believes a server with a certificate that web "
        "browsers believe",
        "may connect to [2001:db8::1]:5432: TLS, believes a server certified under db-ca.pem",
        "bytes of memory: at most 268435456",
        "fuel: at most 1000",
        "warning: standard output and error are null: nothing that the program prints is seen; "
        "[stdout] and [stderr] with kind = \"host\" show it",
        "warning: may listen on port 50001: any workload that a trusted Steward certifies may come "
        "in",
        "warning: may listen on port 50002: peers without a keep's certificate are admitted: "
        "nothing is known of them",
        "warning: may listen on any other port: plain TCP: the host and the network can read and "
        "change what passes",
        "warning: [network.incoming.default] opens every port that is not named",
        "warning: may connect to www.example, any port: an ordinary server: every authority that "
        "web browsers believe can vouch for it",
        "warning: web = true: every authority that web browsers believe can vouch for an ordinary "
        "server",
        "warning: simulated = true: peers may be simulations, which protect nothing",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_says(&c, lines[i]);
    assert_silent(&c, "no keep can be a peer");
    assert_silent(&c, "warning: may listen on port 50000");
}

static void without_configuration_there_is_no_network(void **state)
{
    struct config c = parse("", CONFIG_KEEP);
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c.stdio[i], CONFIG_STDIO_HOST);
    assert_null(config_incoming_rule(&c, 80));
    assert_null(config_outgoing_rule(&c, bytes_of("a.example"), 80));
    assert_true(c.limits.memory == UINT64_MAX && c.limits.fuel == UINT64_MAX);
    assert_true(c.limits.open_files == 4096 && c.limits.connections == 1024);
    assert_says(&c, "may listen on no port");
    assert_says(&c, "may connect nowhere");
    assert_silent(&c, "warning");
    c = parse("args = [\"x\"]\n", CONFIG_ENARX);
    assert_int_equal(c.stdio[1], CONFIG_STDIO_HOST);
}

static void stdio_that_is_not_said_is_null_beside_what_is(void **state)
{
    const char *const texts[] = {"[stdin]\nkind = 'host'\n", "[network]\n", "[network.incoming]\n"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct config c = parse(texts[i], CONFIG_KEEP);
        assert_int_equal(c.stdio[0], i == 0 ? CONFIG_STDIO_HOST : CONFIG_STDIO_NULL);
        assert_true(c.stdio[1] == CONFIG_STDIO_NULL && c.stdio[2] == CONFIG_STDIO_NULL);
    }
}

static void a_steward_is_needed_for_keeps_as_peers(void **state)
{
    static const char warning[] =
        "warning: neither 'steward' nor 'stewards' under [trust]: no keep can be a peer";
    struct config c = parse("[network.incoming.1]\n" PEER, CONFIG_KEEP);
    (void)state;
    assert_says(&c, warning);
    c = parse("[[files]]\nkind = 'connect'\nhost = 'a.example'\npeers = 'any'\n", CONFIG_KEEP);
    assert_says(&c, warning);
    c = parse("trust.stewards = ['a.pem']\n[network.incoming.1]\n" PEER, CONFIG_KEEP);
    assert_silent(&c, warning);
    c = parse("[network.incoming.1]\nanonymous = true\n", CONFIG_KEEP);
    assert_silent(&c, warning);
}

static void in_enarx_the_program_decides(void **state)
{
    struct config c = parse("[stdout]\nkind = \"host\"\n"
                            "[network.incoming.default]\nprot = \"tcp\"\n"
                            "[network.incoming.0]\n"
                            "[network.incoming.7]\n" PEER "[network.outgoing.\"a.example:80\"]\n"
                            "prot = \"tcp\"\n",
                            CONFIG_ENARX);
    const struct config_rule *r = config_incoming_rule(&c, 0);
    (void)state;
    assert_true(r->protocol == CONFIG_TLS && r->admission == CONFIG_ADMIT_PROGRAM && r->line == 5);
    assert_int_equal(config_incoming_rule(&c, 9)->protocol, CONFIG_TCP);
    assert_int_equal(config_incoming_rule(&c, 7)->admission, CONFIG_ADMIT_PEERS);
    r = config_outgoing_rule(&c, bytes_of("a.example"), 81);
    assert_true(r->protocol == CONFIG_TLS && r->admission == CONFIG_ADMIT_PROGRAM && r->line == 0);
    assert_int_equal(config_outgoing_rule(&c, bytes_of("a.example"), 80)->protocol, CONFIG_TCP);
    assert_says(&c, "read as Enarx.toml: entries without 'peers' mean what they mean there");
    assert_says(&c,
                "may listen on a port that the host chooses: TLS, admits everybody; the program "
                "decides by /net/peer");
    assert_says(&c, "warning: may connect to any other host: TLS without a check of the peer: the "
                    "program itself must read /net/peer");
    c = parse("", CONFIG_ENARX);
    assert_int_equal(config_incoming_rule(&c, 1)->admission, CONFIG_ADMIT_PROGRAM);
    assert_says(&c, "may listen on any port: TLS, admits everybody; the program decides by "
                    "/net/peer");
}

static void one_host_in_two_spellings(void **state)
{
    struct text_error error;
    struct config c = parse("[network.outgoing.'[::1]:80']\nprot = 'tcp'\n"
                            "[network.outgoing.'[0::1]:80']\nprot = 'tcp'\n"
                            "[network.incoming.80]\n" PEER "[network.incoming.080]\n" PEER,
                            CONFIG_KEEP);
    (void)state;
    assert_true(c.outgoing_count == 1 && c.incoming_count == 1);
    assert_false(config_parse(bytes_of("[network.outgoing.'[::1]']\nprot = 'tcp'\n"
                                       "[network.outgoing.'[0::1]']\n"),
                              CONFIG_ENARX, &arena, &c, &error));
    assert_string_equal(error.text, "'[0::1]' says otherwise than line 1, which means the same");
    assert_true(error.line == 3 && error.column == 19);
    assert_false(config_parse(bytes_of("[network.incoming.80]\n" PEER "[network.incoming.080]\n"
                                       "peers = [{workload = \"r.example/u/s\"}]\n"),
                              CONFIG_KEEP, &arena, &c, &error));
    assert_string_equal(error.text, "'080' says otherwise than line 1, which means the same");
}

static void files_are_descriptors(void **state)
{
    struct config c = parse("[[files]]\nkind = 'stdin'\n"
                            "[[files]]\nkind = 'stdout'\nname = 'log'\n"
                            "[[files]]\nkind = 'stderr'\n"
                            "[[files]]\nkind = 'null'\n"
                            "[[files]]\nkind = 'listen'\nname = 'a'\n"
                            "[[files]]\nkind = 'listen'\nname = 'b'\nprot = 'tcp'\n"
                            "[[files]]\nkind = 'listen'\nname = 'c'\naddr = '0::1'\nport = 0\n" PEER
                            "[[files]]\nkind = 'connect'\nhost = 'Chat.example'\n"
                            "[[files]]\nkind = 'connect'\nhost = '::1'\nname = 'd'\n"
                            "prot = 'tcp'\n"
                            "[[files]]\nkind = 'connect'\nhost = '127.0.0.1'\nport = 7\n"
                            "server = 'ca.pem'\n",
                            CONFIG_KEEP);
    const struct config_file *f = c.files;
    (void)state;
    assert_true(c.has_files);
    assert_int_equal(c.file_count, 10);
    assert_true(f[0].kind == CONFIG_FILE_STDIN && bytes_is(f[0].name, "stdin"));
    assert_true(f[1].kind == CONFIG_FILE_STDOUT && bytes_is(f[1].name, "log"));
    assert_true(f[2].kind == CONFIG_FILE_STDERR && f[3].kind == CONFIG_FILE_NULL);
    assert_true(bytes_is(f[3].name, "null"));
    assert_true(f[4].kind == CONFIG_FILE_LISTEN && bytes_is(f[4].host, "::") && f[4].port == 443);
    assert_true(f[4].rule.anonymous && f[4].rule.protocol == CONFIG_TLS && f[4].line == 10);
    assert_true(f[5].port == 80 && f[5].rule.protocol == CONFIG_TCP && !f[5].rule.anonymous);
    assert_true(bytes_is(f[6].host, "::1") && f[6].port == 0 && !f[6].rule.anonymous);
    assert_int_equal(f[6].rule.peer_count, 1);
    assert_true(f[7].kind == CONFIG_FILE_CONNECT && bytes_is(f[7].name, "chat.example"));
    assert_true(bytes_is(f[7].host, "chat.example") && f[7].port == 443 && f[7].rule.web);
    assert_true(bytes_is(f[8].host, "[::1]") && f[8].port == 80 && !f[8].rule.web);
    assert_true(f[9].port == 7 && bytes_is(f[9].rule.anchor, "ca.pem") && !f[9].rule.web);

    assert_says(&c, "descriptor 0, \"stdin\": the host's standard input");
    assert_says(&c, "descriptor 4, \"a\", listens on [::]:443: TLS, admits everybody");
    assert_says(&c, "descriptor 8, \"d\", connects to [::1]:80: plain TCP");
    assert_says(&c,
                "warning: listens on [::]:443: peers without a keep's certificate are admitted: "
                "nothing is known of them");
    assert_says(&c, "warning: connects to chat.example:443: an ordinary server: every authority "
                    "that web browsers believe can vouch for it");
    c = parse("files = []\n", CONFIG_KEEP);
    assert_true(c.has_files && c.file_count == 0);
    assert_says(&c, "no descriptor is open at the start");
}

static void sizes_have_units(void **state)
{
    const char *const wrong[] = {"",
                                 "MiB",
                                 "1MB",
                                 "1 MiB",
                                 "-1",
                                 "0x10",
                                 "1.5GiB",
                                 "1mib",
                                 "18446744073709551616",
                                 "17179869184GiB"};
    uint64_t size = 5;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        if (config_size_parse(bytes_of(wrong[i]), &size))
            fail_msg("%s is taken for a size", wrong[i]);
    }
    assert_true(config_size_parse(bytes_of("18446744073709551615"), &size) && size == UINT64_MAX);
    assert_true(config_size_parse(bytes_of("65KiB"), &size) && size == 66560);
    assert_true(config_size_parse(bytes_of("1MiB"), &size) && size == 1048576);
    assert_true(config_size_parse(bytes_of("17179869183GiB"), &size));
    struct config c = parse("[limits]\nmemory = 65536\n", CONFIG_KEEP);
    assert_int_equal(c.limits.memory, 65536);
}

static void the_file_s_name_says_the_form(void **state)
{
    (void)state;
    assert_int_equal(config_form_of("Enarx.toml"), CONFIG_ENARX);
    assert_int_equal(config_form_of("/a/b/Enarx.toml"), CONFIG_ENARX);
    assert_int_equal(config_form_of("Keep.toml"), CONFIG_KEEP);
    assert_int_equal(config_form_of("Enarx.toml/x"), CONFIG_KEEP);
    assert_int_equal(config_form_of("enarx.toml"), CONFIG_KEEP);
    assert_int_equal(config_form_of("MyEnarx.toml"), CONFIG_KEEP);
}

#define IN "[network.incoming.1]\n"
#define OUT "[network.outgoing.'a.example']\n"
#define FILE "[[files]]\n"

static const struct {
    const char *text;
    uint32_t line, column;
    const char *message;
} mistakes[] = {
    {"a = \n", 1, 5, "expected a value, found end of line"},
    {"stewart = 'x'\n", 1, 1, "unknown key 'stewart'; did you mean 'steward'?"},
    {"\nq = 1\n", 2, 1,
     "unknown key 'q'; the keys are steward, steward_ca, args, env, stdin, stdout, stderr, limits, "
     "trust, network, files"},
    {"[limits]\nmemry = 1\n", 2, 1, "unknown key 'memry' in [limits]; did you mean 'memory'?"},
    {"[trust]\nx = 1\n", 2, 1,
     "unknown key 'x' in [trust]; the keys are stewards, anchors, web, simulated"},
    {"[network.incomming.1]\n", 1, 10,
     "unknown key 'incomming' in [network]; did you mean 'incoming'?"},
    {IN "anonymus = true\n", 2, 1,
     "unknown key 'anonymus' in [network.incoming]; did you mean 'anonymous'?"},
    {IN "server = 'web'\n", 2, 1,
     "unknown key 'server' in [network.incoming]; the keys are prot, peers, anonymous"},
    {OUT "anonymous = true\n", 2, 1,
     "unknown key 'anonymous' in [network.outgoing]; the keys are prot, peers, server"},
    {IN "peers = [{tag = '1.0.0'}]\n", 2, 11,
     "unknown key 'tag' in an entry of 'peers'; did you mean 'tags'?"},
    {"[stdin]\nkid = 'host'\n", 2, 1, "unknown key 'kid' in [stdin]; did you mean 'kind'?"},

    {"steward = 1\n", 1, 11, "'steward' must be a string, not an integer"},
    {"args = 'x'\n", 1, 8, "'args' must be an array of strings, not a string"},
    {"args = ['x', 2]\n", 1, 14, "an item of 'args' must be a string, not an integer"},
    {"args = [\"a\\u0000\"]\n", 1, 9, "'a.' contains the character U+0000"},
    {"env = ['A']\n", 1, 7, "'env' must be a table of strings, not an array"},
    {"[env]\nA = 1\n", 2, 5, "'A' must be a string, not an integer"},
    {"[env]\nA = \"\\u0000\"\n", 2, 5, "'A' contains the character U+0000"},
    {"[env]\n'' = 'x'\n", 2, 1, "'' cannot be a variable's name"},
    {"[env]\n'A=B' = 'x'\n", 2, 1, "'A=B' cannot be a variable's name"},
    {"[env]\n\"A\\u0000\" = 'x'\n", 2, 1, "'A.' cannot be a variable's name"},
    {"limits = 1\n", 1, 10, "a table is expected in [limits], not an integer"},
    {"[limits]\nfuel = 0\n", 2, 8, "'fuel' is 0; it goes from 1 to 9223372036854775807"},
    {"[limits]\nfuel = '1'\n", 2, 8, "'fuel' must be an integer, not a string"},
    {"[limits]\nopen_files = 65537\n", 2, 14, "'open_files' is 65537; it goes from 1 to 65536"},
    {"[limits]\nconnections = -1\n", 2, 15, "'connections' is -1; it goes from 0 to 65536"},
    {"[limits]\nmemory = 65535\n", 2, 10,
     "'memory' is 65535; it goes from 65536 to 9223372036854775807"},
    {"[limits]\nmemory = '63KiB'\n", 2, 10, "'memory' is less than a page, 64KiB"},
    {"[limits]\nmemory = '256MB'\n", 2, 10,
     "'memory' is '256MB'; a size is 1048576, 1024KiB, 1MiB, 1GiB"},
    {"[limits]\nmemory = 1.5\n", 2, 10,
     "'memory' must be bytes, or text such as \"256MiB\", not a float"},
    {"[trust]\nweb = 'yes'\n", 2, 7, "'web' must be true or false, not a string"},
    {"[trust]\nanchors = ['../ca.pem']\n", 2, 12,
     "'../ca.pem' is no path to a file of the package"},
    {"[trust]\nstewards = ['a b']\n", 2, 13,
     "'a b' is no path to a file of the package: letters, digits and _.:- name one"},
    {"[trust]\nstewards = ['']\n", 2, 13, "'' is no path to a file of the package"},
    {"[trust]\nstewards = ['/a']\n", 2, 13, "'/a' is no path to a file of the package"},
    {"[stdin]\nkind = 'hosts'\n", 2, 8,
     "'kind' is 'hosts'; it may be null, host; did you mean host?"},
    {"[stdout]\n", 1, 2, "[stdout] needs 'kind', host or null"},
    {"stderr = 'null'\n", 1, 10, "a table is expected in [stderr], not a string"},
    {"[stdin]\nkind = 'host'\n[[files]]\nkind = 'null'\n", 1, 2,
     "[stdin] and [[files]] cannot stand together"},

    {"steward = 'http://a.example'\n", 1, 11,
     "'steward' is 'http://a.example'; it must be https://HOST[:PORT]"},
    {"steward = 'https://'\n", 1, 11, "'steward' is 'https://'; it must be https://HOST[:PORT]"},
    {"steward = 'https://u@a.example'\n", 1, 11,
     "'steward' is 'https://u@a.example'; it must be https://HOST[:PORT]"},
    {"steward = 'https://a.example/?x'\n", 1, 11,
     "'steward' is 'https://a.example/?x'; it must be https://HOST[:PORT]"},
    {"steward_ca = 'a.pem'\n", 1, 1, "'steward_ca' needs 'steward' beside it"},

    {"[network.incoming.http]\n" PEER, 1, 19, "'http' is no port: 0 to 65535, or default"},
    {"[network.incoming.65536]\n" PEER, 1, 19, "'65536' is no port: 0 to 65535, or default"},
    {"[network.incoming.'']\n" PEER, 1, 19, "'' is no port: 0 to 65535, or default"},
    {"[network.outgoing.'a b']\n", 1, 19,
     "'a b' is no HOST, HOST:PORT or default: not a host name or address, at offset 0"},
    {"[network.outgoing.'a:0']\n", 1, 19,
     "'a:0' is no HOST, HOST:PORT or default: a port after the host is 1 to 65535, at offset 1"},
    {"network = 1\n", 1, 11, "a table is expected in [network], not an integer"},
    {"network.incoming = 1\n", 1, 20, "'incoming' must be a table, not an integer"},
    {"network.incoming.1 = 1\n", 1, 22,
     "a table is expected in [network.incoming], not an integer"},
    {IN "prot = 'tsl'\n", 2, 8, "'prot' is 'tsl'; it may be tls, tcp; did you mean tls?"},
    {IN "prot = 'udp'\n", 2, 8, "'prot' is 'udp'; it may be tls, tcp"},
    {IN, 1, 19,
     "who may connect? add 'peers', or anonymous = true (a file named Enarx.toml keeps its meaning "
     "for Enarx)"},
    {"\n" OUT, 2, 19,
     "who is it? add 'peers', or server = \"web\" or a CA's file (a file named Enarx.toml keeps "
     "its "
     "meaning for Enarx)"},
    {IN "anonymous = false\n", 1, 19,
     "who may connect? add 'peers', or anonymous = true (a file named Enarx.toml keeps its meaning "
     "for Enarx)"},
    {IN "prot = 'tcp'\n" PEER, 3, 1, "'peers' would not be checked, since prot is tcp; use tls"},
    {IN "prot = 'tcp'\nanonymous = true\n", 3, 1,
     "'anonymous' would not be checked, since prot is tcp; use tls"},
    {OUT "prot = 'tcp'\nserver = 'web'\n", 3, 1,
     "'server' would not be checked, since prot is tcp; use tls"},
    {OUT "server = 'web'\n" PEER, 2, 1,
     "'server' is an ordinary server and 'peers' are keeps; give one"},
    {OUT "server = 'a/../b'\n", 2, 10, "'a/../b' is no path to a file of the package"},
    {IN "peers = 'all'\n", 2, 9,
     "'peers' must be \"any\" or an array of tables, not another string"},
    {IN "peers = 1\n", 2, 9, "'peers' must be \"any\" or an array of tables, not an integer"},
    {IN "peers = []\n", 2, 9, "'peers' is empty: nobody could match"},
    {IN "peers = ['any']\n", 2, 10, "a table is expected in an entry of 'peers', not a string"},
    {IN "peers = [{}]\n", 2, 10,
     "an entry of 'peers' says nothing; to admit any keep, write peers = \"any\""},
    {IN "peers = [{workload = 'u/r'}]\n", 2, 22,
     "'workload' is no HOST/USER/REPOSITORY: the host is missing, at offset 0"},
    {IN "peers = [{workload = 'r.example/u/r:1.0.0'}]\n", 2, 22,
     "'workload' is HOST/USER/REPOSITORY; write the tag as tags = [\"1.0.0\"]"},
    {IN "peers = [{workload = 'r.example/u/r', tags = []}]\n", 2, 46,
     "'tags' is empty: nothing could match"},
    {IN "peers = [{workload = 'r.example/u/r', tags = ['latest']}]\n", 2, 47,
     "'latest' is no tag: a version such as 1.0.0"},
    {IN "peers = [{tags = ['1.0.0']}]\n", 2, 11, "'tags' needs 'workload' beside it"},
    {IN "peers = [{digest = 'x'}]\n", 2, 20,
     "'digest': digest does not begin with sha-256: or the like"},
    {IN "peers = [{digest = 'sha-224:ipv22ZRLXTRv4MypL2IVaZypKHb91PgAqWXG6w=='}]\n", 2, 20,
     "'digest' of a keep is always its sha-256"},
    {IN "peers = [{technology = ['SNP']}]\n", 2, 24,
     "'technology' has 'SNP'; it may have snp, sgx, tdx"},
    {IN "peers = [{technology = []}]\n", 2, 24, "'technology' is empty: nothing could match"},
    {IN "peers = [{technology = 'snp'}]\n", 2, 24,
     "'technology' must be an array of strings, not a string"},
    {IN "peers = [{steward = 'a.pem'}]\n", 2, 21,
     "'a.pem' is not trusted; list it under [trust], in 'stewards'"},

    {"files = 1\n", 1, 9, "'files' must be an array of tables, [[files]], not an integer"},
    {"files = [1]\n", 1, 10, "a table is expected in a [[files]] entry, not an integer"},
    {FILE, 1, 3, "a [[files]] entry needs 'kind'"},
    {FILE "knd = 'null'\n", 2, 1, "unknown key 'knd' in a [[files]] entry; did you mean 'kind'?"},
    {FILE "kind = 'lisen'\n", 2, 8,
     "'kind' is 'lisen'; it may be null, stdin, stdout, stderr, listen, connect; did you mean "
     "listen?"},
    {FILE "kind = 'null'\nport = 1\n", 3, 1,
     "unknown key 'port' in a [[files]] entry of kind null; the keys are kind, name"},
    {FILE "kind = 'listen'\nname = 'a'\nhost = 'b'\n", 4, 1,
     "unknown key 'host' in a [[files]] entry of kind listen; the keys are kind, name, prot, port, "
     "peers, addr, anonymous"},
    {FILE "kind = 'listen'\n", 1, 3, "a listen entry needs 'name'"},
    {FILE "kind = 'listen'\nname = 'a:b'\n", 3, 8, "'name' must not contain ':'"},
    {FILE "kind = 'null'\nname = ''\n", 3, 8, "'name' is empty"},
    {FILE "kind = 'listen'\nname = 'a'\nport = 65536\n", 4, 8,
     "'port' is 65536; it goes from 0 to 65535"},
    {FILE "kind = 'listen'\nname = 'a'\naddr = 'a b'\n", 4, 8, "'a b' is no host name or address"},
    {FILE "kind = 'listen'\nname = 'a'\nanonymous = false\n", 1, 3,
     "who may connect? add 'peers', or anonymous = true (a file named Enarx.toml keeps its meaning "
     "for Enarx)"},
    {FILE "kind = 'connect'\n", 1, 3, "a connect entry needs 'host'"},
    {FILE "kind = 'connect'\nhost = 'a'\nport = 0\n", 4, 8, "'port' is 0; it goes from 1 to 65535"},
    {FILE "kind = 'connect'\nhost = '::1'\n", 1, 3,
     "'name' must not contain ':'; the address does, so give a name"},
};

static void mistakes_have_a_place_and_a_reason(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct bytes text = exact_copy(bytes_of(mistakes[i].text));
        struct config config = {.arg_count = 77};
        struct text_error error = {.text = "accepted"};
        (void)!config_parse(text, CONFIG_KEEP, &arena, &config, &error);
        exact_free(text);
        assert_int_equal(config.arg_count, 77);
        if (strcmp(error.text, mistakes[i].message) == 0 && error.line == mistakes[i].line &&
            error.column == mistakes[i].column)
            continue;
        wrong++;
        print_error("%s\nexpected %u:%u: %s\nfound    %u:%u: %s\n", mistakes[i].text,
                    mistakes[i].line, mistakes[i].column, mistakes[i].message, error.line,
                    error.column, error.text);
    }
    assert_int_equal(wrong, 0);
}

/* Mistakes are mistakes in Enarx.toml too, but for entries that say nothing of their peers. */
static void the_other_form_forgives_only_silence(void **state)
{
    size_t forgiven = 0;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
        struct config config;
        struct text_error error;
        forgiven += config_parse(bytes_of(mistakes[i].text), CONFIG_ENARX, &arena, &config, &error);
    }
    assert_int_equal(forgiven, 2);
}

/* `count` times the item, after the head. */
static struct bytes repeat(const char *head, const char *item, size_t count, const char *tail)
{
    struct writer w = writer_growable(&arena, SIZE_MAX);
    struct bytes text;
    struct err err;
    writer_text(&w, head);
    for (size_t i = 0; i < count; i++)
        writer_format(&w, "%s%zu%s", item, i, tail);
    assert_true(writer_done(&w, &text, &err));
    return text;
}

static void everything_has_a_limit(void **state)
{
    const struct {
        const char *head, *item, *tail, *end;
        size_t most;
        const char *message;
    } cases[] = {
        {"args = [", "'", "',", "]", CONFIG_ARGS_MAX, "'args' has 4097 items, more than 4096"},
        {"[env]\n", "A", "=''\n", "", CONFIG_ENV_MAX, "'env' has 4097 entries, more than 4096"},
        {"", "[[files]]\nkind='null'\nname='n", "'\n", "", CONFIG_FILES_MAX,
         "[[files]] has 1025 entries, more than 1024"},
        {"", "network.incoming.", ".prot='tcp'\n", "", CONFIG_RULES_MAX,
         "'incoming' has 1025 entries, more than 1024"},
        {"", "network.outgoing.h", ".prot='tcp'\n", "", CONFIG_RULES_MAX,
         "'outgoing' has 1025 entries, more than 1024"},
        {"[network.incoming.1]\npeers=[", "{workload='r.example/u/r", "'},", "]", CONFIG_PEERS_MAX,
         "'peers' has 1025 entries, more than 1024"},
        {"[network.incoming.1]\npeers=[{workload='r.example/u/r',tags=[", "'1.0.", "',", "]}]",
         CONFIG_TAGS_MAX, "'tags' has 1025 items, more than 1024"},
        {"[trust]\nanchors=[", "'f", "',", "]", CONFIG_CERTIFICATES_MAX,
         "'anchors' has 65 items, more than 64"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t over = 0; over < 2; over++) {
            struct bytes text =
                repeat(cases[i].head, cases[i].item, cases[i].most + over, cases[i].tail);
            struct writer w = writer_growable(&arena, SIZE_MAX);
            struct config config;
            struct text_error error = {.text = ""};
            struct err err;
            writer_bytes(&w, text);
            writer_text(&w, cases[i].end);
            assert_true(writer_done(&w, &text, &err));
            bool ok = config_parse(text, CONFIG_KEEP, &arena, &config, &error);
            assert_string_equal(error.text, over == 1 ? cases[i].message : "");
            assert_int_equal(ok, over == 0);
        }
    }
}

static void a_file_has_a_largest_size(void **state)
{
    char *text = malloc(CONFIG_SIZE_MAX + 1);
    struct config config;
    struct text_error error;
    (void)state;
    assert_non_null(text);
    memset(text, '\n', CONFIG_SIZE_MAX + 1);
    assert_true(
        config_parse(bytes_from(text, CONFIG_SIZE_MAX), CONFIG_KEEP, &arena, &config, &error));
    assert_false(
        config_parse(bytes_from(text, CONFIG_SIZE_MAX + 1), CONFIG_KEEP, &arena, &config, &error));
    assert_string_equal(error.text, "the file has 1000001 bytes, more than 1000000");
    free(text);
}

static void check_damaged(struct bytes damaged)
{
    for (int form = CONFIG_KEEP; form <= CONFIG_ENARX; form++) {
        struct config config;
        struct text_error error = {.line = 0};
        struct arena a;
        arena_init(&a, arena_heap, 1 << 24);
        if (config_parse(damaged, (enum config_form)form, &a, &config, &error)) {
            struct writer w = writer_growable(&a, SIZE_MAX);
            config_explain(&config, &w);
            assert_int_equal(w.failed, ERR_NONE);
        } else {
            assert_true(error.line >= 1 && error.column >= 1 && error.text[0] != '\0');
        }
        arena_done(&a);
    }
}

static void damage_does_no_harm(void **state)
{
    (void)state;
    for_each_damage(bytes_of(keep), check_damaged);
}

/* With ever more memory, in steps as small as any piece: each allocation fails once. */
static void no_memory_is_an_error(void **state)
{
    size_t refused = 0;
    (void)state;
    for (size_t size = 0;; size += 8) {
        uint8_t *memory = malloc(size + 1);
        struct config config = {.arg_count = 77};
        struct text_error error = {.line = 0};
        struct arena a;
        assert_non_null(memory);
        arena_init_fixed(&a, memory, size);
        bool ok = config_parse(bytes_of(keep), CONFIG_KEEP, &a, &config, &error);
        free(memory);
        if (ok)
            break;
        refused++;
        assert_true(error.line >= 1 && error.text[0] != '\0');
        assert_int_equal(config.arg_count, 77);
        assert_true(size < 1 << 20);
    }
    assert_true(refused > 500);
}

static void failing_source_leaks_nothing(void **state)
{
    (void)state;
    for (size_t n = 0;; n++) {
        struct failing_source s = {.takes_left = n};
        struct config config;
        struct text_error error;
        struct arena a;
        arena_init(&a, failing_source_of(&s), SIZE_MAX);
        bool ok = config_parse(bytes_of(keep), CONFIG_KEEP, &a, &config, &error);
        arena_done(&a);
        assert_int_equal(s.held, 0);
        if (ok)
            break;
        assert_true(n < 100);
    }
}

static void the_template_means_host_stdio_and_no_network(void **state)
{
    struct config c = parse(config_template, CONFIG_KEEP);
    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(c.stdio[i], CONFIG_STDIO_HOST);
    assert_true(!c.has_files && c.incoming_count == 0 && c.outgoing_count == 0);
    assert_true(c.steward.size == 0 && c.arg_count == 0 && c.env_count == 0);
    assert_true(c.limits.open_files == 4096 && c.trust.steward_count == 0 && !c.trust.web);
    assert_silent(&c, "warning");
}

/* Its commented keys, uncommented, are right too: a line with '#' and no space. */
static void the_template_s_examples_parse(void **state)
{
    char text[8192];
    size_t size = 0;
    (void)state;
    for (const char *at = config_template; *at != '\0'; at++) {
        bool starts = at == config_template || at[-1] == '\n';
        if (!(starts && *at == '#' && at[1] != ' '))
            text[size++] = *at;
        assert_true(size < sizeof text);
    }
    text[size] = '\0';
    struct config c = parse(text, CONFIG_KEEP);
    assert_true(c.incoming_count == 1 && c.outgoing_count == 2 && c.steward_ca.size != 0);
    assert_true(c.arg_count == 1 && c.env_count == 1 && c.trust.steward_count == 1);
    assert_int_equal(c.limits.memory, 256 << 20);
    assert_int_equal(c.limits.open_files, 4096);
    assert_int_equal(c.limits.connections, 1024);
    assert_silent(&c, "warning: may listen");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_of_the_program),
        TEST(keys_of_the_network),
        TEST(it_is_explained),
        TEST(without_configuration_there_is_no_network),
        TEST(stdio_that_is_not_said_is_null_beside_what_is),
        TEST(a_steward_is_needed_for_keeps_as_peers),
        TEST(in_enarx_the_program_decides),
        TEST(one_host_in_two_spellings),
        TEST(files_are_descriptors),
        TEST(sizes_have_units),
        TEST(the_file_s_name_says_the_form),
        TEST(mistakes_have_a_place_and_a_reason),
        TEST(the_other_form_forgives_only_silence),
        TEST(everything_has_a_limit),
        TEST(a_file_has_a_largest_size),
        cmocka_unit_test(damage_does_no_harm),
        cmocka_unit_test(no_memory_is_an_error),
        cmocka_unit_test(failing_source_leaks_nothing),
        TEST(the_template_means_host_stdio_and_no_network),
        TEST(the_template_s_examples_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
