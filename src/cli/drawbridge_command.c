/* broch drawbridge …: the command lines. The work is that of the program broch-drawbridge. */
#include "cli/commands.h"
#include "cli/drawbridge_work.h"
#include "base/banned.h"

#define CONFIG_OPTION                                                              \
    {                                                                              \
        .name = "--config", .value = "FILE", .env = "BROCH_DRAWBRIDGE_CONFIG",     \
        .help = "the registry's configuration; without it drawbridge.toml is read" \
    }

static const struct cli_option config_option[] = {CONFIG_OPTION};

static const struct cli_option init_options[] = {
    {.name = "--host",
     .value = "HOST[:PORT]",
     .help = "where it is reached; without it localhost:8443"},
};

const struct cli_command drawbridge_init_command = {
    .name = "drawbridge init",
    .summary = "make a registry: a server's certificate and a configuration, in a folder",
    .positionals = "DIR",
    .positional_min = 1,
    .positional_max = 1,
    .details = "Makes a root (P-384) and the server's certificate under it. Those who use the "
               "registry\nneed root.pem; root-key.pem belongs elsewhere.\n",
    .options = init_options,
    .option_count = COUNT_OF(init_options),
    .run = cli_drawbridge_init,
};

const struct cli_command drawbridge_serve_command = {
    .name = "drawbridge serve",
    .summary = "keep a registry of workloads, over HTTPS",
    .details =
        "The same as 'broch-drawbridge --config FILE'. SIGHUP reads the keys of tokens, the\n"
        "Stewards and the limits again, and keeps the old ones when there is an error; SIGTERM\n"
        "and SIGINT answer what was asked, and stop.\n",
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .run = cli_drawbridge_serve,
};

static const struct cli_option create_options[] = {
    CONFIG_OPTION,
    {.name = "--user", .value = "NAME", .help = "for whom it speaks"},
    {.name = "--scope",
     .value = "SCOPE",
     .help = "what it may do, such as manage:drawbridge_tags; or all",
     .is_repeatable = true},
    {.name = "--days", .value = "N", .help = "how long it is good; without it 90; 0: for ever"},
};

const struct cli_command drawbridge_token_create_command = {
    .name = "drawbridge token create",
    .summary = "make a token of a registry's own, and print it once",
    .details = "A scope is read, write or manage (which is both), and :drawbridge_users,\n"
               ":drawbridge_repositories or :drawbridge_tags. The registry keeps the token's hash "
               "alone.\n",
    .options = create_options,
    .option_count = COUNT_OF(create_options),
    .run = cli_drawbridge_token_create,
};

const struct cli_command drawbridge_token_list_command = {
    .name = "drawbridge token list",
    .summary = "list a registry's own tokens, without their secrets",
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .has_json = true,
    .run = cli_drawbridge_token_list,
};

const struct cli_command drawbridge_token_revoke_command = {
    .name = "drawbridge token revoke",
    .summary = "make a token worthless, from its next use on",
    .positionals = "ID",
    .positional_min = 1,
    .positional_max = 1,
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .run = cli_drawbridge_token_revoke,
};

const struct cli_command drawbridge_fsck_command = {
    .name = "drawbridge fsck",
    .summary = "hash all content of a registry anew, and compare it with its trees",
    .details = "May run while the registry is served. Exit status: 0 clean, 1 there are faults.\n",
    .options = config_option,
    .option_count = COUNT_OF(config_option),
    .has_json = true,
    .run = cli_drawbridge_fsck,
};

static const struct cli_option gc_options[] = {
    CONFIG_OPTION,
    {.name = "--hours", .value = "N", .help = "only what is older; without it 1"},
};

const struct cli_command drawbridge_gc_command = {
    .name = "drawbridge gc",
    .summary = "remove content that no tree of a registry has",
    .details = "May run while the registry is served.\n",
    .options = gc_options,
    .option_count = COUNT_OF(gc_options),
    .has_json = true,
    .run = cli_drawbridge_gc,
};
