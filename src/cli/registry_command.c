/* broch user, repo, package, tree and key publisher: the command lines. The work is that of the
 * program broch-registry, which has the libraries of a client; broch starts it. */
#include "cli/commands.h"
#include "cli/registry_work.h"
#include "base/banned.h"

#define REGISTRY_OPTIONS                                                               \
    {.name = "--ca-bundle",                                                            \
     .value = "FILE",                                                                  \
     .env = "BROCH_CA_BUNDLE",                                                         \
     .help = "roots for the registry's certificate, in PEM, instead of the system's"}, \
        {.name = "--token-file",                                                       \
         .value = "FILE",                                                              \
         .env = "BROCH_TOKEN_FILE",                                                    \
         .help = "a file with the token that says who asks"},                          \
        {.name = "--credential-helper",                                                \
         .value = "PROGRAM",                                                           \
         .env = "BROCH_CREDENTIAL_HELPER",                                             \
         .help = "'PROGRAM show ID' prints the token, 'PROGRAM insert ID' takes one"}, \
        {.name = "--insecure-auth-token",                                              \
         .value = "TOKEN",                                                             \
         .env = "BROCH_INSECURE_AUTH_TOKEN",                                           \
         .help = "the token itself, for others on the machine to see"},                \
    {                                                                                  \
        .name = "--oidc-domain", .value = "URL", .env = "BROCH_OIDC_DOMAIN",           \
        .help = "the token's issuer: part of the name that its token is kept under"    \
    }

#define PIN_OPTIONS                                                 \
    {                                                               \
        .name = "--publisher-key", .value = "FILE",                 \
        .help = "the tag must be signed by this public key, in PEM" \
    }

#define CREDENTIALS                                                                                \
    "The token is the one that an option names, else that of the file\n"                           \
    "$XDG_CONFIG_HOME/broch/credentials/ID (without it ~/.config/…), which nobody else may be\n" \
    "able to read. ID is the registry's host, or ISSUER-HOST with --oidc-domain.\n"

/* What all commands of this file have in common. */
#define COMMAND(command, words, what, given, least, most, list, text, function) \
    const struct cli_command command = {                                        \
        .name = words,                                                          \
        .summary = what,                                                        \
        .positionals = given,                                                   \
        .positional_min = least,                                                \
        .positional_max = most,                                                 \
        .details = text,                                                        \
        .options = list,                                                        \
        .option_count = COUNT_OF(list),                                         \
        .has_json = true,                                                       \
        .run = function,                                                        \
    };

static const struct cli_option registry_options[] = {REGISTRY_OPTIONS};
static const struct cli_option pinned_options[] = {REGISTRY_OPTIONS, PIN_OPTIONS};

/* ---- users and repositories ---- */

static const struct cli_option user_options[] = {
    REGISTRY_OPTIONS,
    {.name = "--save", .help = "keeps the token for later commands: in the file, or by the helper"},
};

COMMAND(user_register_command, "user register", "make a user of a registry, whose token this is",
        "HOST/USER", 1, 1, user_options, CREDENTIALS, cli_user_register)
COMMAND(user_info_command, "user info", "show a user of a registry", "HOST/USER", 1, 1,
        registry_options, NULL, cli_user_info)

static const struct cli_option repo_options[] = {
    REGISTRY_OPTIONS,
    {.name = "--private", .help = "only its owner, and keeps that it trusts, may read it"},
};

COMMAND(repo_register_command, "repo register", "make a repository, for anybody to read",
        "HOST/USER/REPO", 1, 1, repo_options, NULL, cli_repo_register)
COMMAND(repo_info_command, "repo info", "show a repository and its tags", "HOST/USER/REPO", 1, 1,
        registry_options, NULL, cli_repo_info)
COMMAND(repo_list_command, "repo list", "list the repositories of a registry or a user",
        "HOST[/USER]", 1, 1, registry_options,
        "Of a user's own private repositories the user hears, with a token.\n", cli_repo_list)
COMMAND(repo_search_command, "repo search", "list the repositories whose names have a text in them",
        "HOST TEXT", 2, 2, registry_options, NULL, cli_repo_search)
COMMAND(repo_visibility_command, "repo visibility", "make a repository public or private",
        "HOST/USER/REPO public|private", 2, 2, registry_options, NULL, cli_repo_visibility)

static const struct cli_option repo_steward_options[] = {
    REGISTRY_OPTIONS,
    {.name = "--ca", .value = "FILE", .help = "the root of the Steward's certificates, in PEM"},
    {.name = "--simulated", .help = "SIMULATED platforms may read too, which prove nothing"},
    {.name = "--technology",
     .value = "snp|sgx|tdx",
     .help = "of this technology alone; without it any",
     .is_repeatable = true},
};

COMMAND(repo_steward_add_command, "repo steward add",
        "let keeps that a Steward certifies read a private repository", "HOST/USER/REPO NAME", 2, 2,
        repo_steward_options, NULL, cli_repo_steward_add)
COMMAND(repo_steward_list_command, "repo steward list",
        "list the Stewards that a repository trusts", "HOST/USER/REPO", 1, 1, registry_options,
        NULL, cli_repo_steward_list)
COMMAND(repo_steward_remove_command, "repo steward remove",
        "trust a Steward no longer with a private repository", "HOST/USER/REPO NAME", 2, 2,
        registry_options, NULL, cli_repo_steward_remove)

/* ---- packages ---- */

static const struct cli_option publish_options[] = {
    REGISTRY_OPTIONS,
    {.name = "--sign",
     .value = "KEY",
     .help = "signs the tag with a key of 'broch key publisher create'"},
    {.name = "--restart", .help = "takes back an unfinished publish of other content"},
};

COMMAND(package_publish_command, "package publish", "send a package to a registry",
        "HOST/USER/REPO:TAG PATH", 2, 2, publish_options,
        "PATH is main.wasm alone or a folder with it, its configuration Keep.toml (or Enarx.toml)\n"
        "and any other files. The file .brochignore names what of the folder stays out, as\n"
        ".gitignore does. Interrupted, the same command goes on; what was published does not\n"
        "change any more.\n" CREDENTIALS,
        cli_package_publish)

static const struct cli_option fetch_options[] = {
    REGISTRY_OPTIONS,
    PIN_OPTIONS,
    {.name = "--out", .value = "DIR", .help = "where it goes; without it REPO-TAG"},
};

COMMAND(package_fetch_command, "package fetch", "fetch a package, every byte of it checked",
        "HOST/USER/REPO:TAG[@DIGEST]", 1, 1, fetch_options,
        "With @sha-256:… only a tree of that digest is taken, whatever the registry says. "
        "Interrupted,\nthe same command goes on.\n",
        cli_package_fetch)
COMMAND(package_info_command, "package info", "show what a tag names",
        "HOST/USER/REPO:TAG[@DIGEST]", 1, 1, pinned_options, NULL, cli_package_info)
COMMAND(package_verify_command, "package verify",
        "check all that a registry has of a package, or a folder against it",
        "HOST/USER/REPO:TAG[@DIGEST] [DIR]", 1, 2, pinned_options,
        "Without DIR everything is fetched, checked and thrown away.\n", cli_package_verify)

static const struct cli_option yank_options[] = {
    REGISTRY_OPTIONS,
    {.name = "--reason", .value = "TEXT", .help = "what its users should know"},
    {.name = "--undo", .help = "takes the advice back"},
};

COMMAND(package_yank_command, "package yank", "advise against a tag; by its digest it stays",
        "HOST/USER/REPO:TAG", 1, 1, yank_options, NULL, cli_package_yank)

static const struct cli_option no_options[] = {
    {.name = "--quiet", .help = "shows no progress"},
};

COMMAND(tree_digest_command, "tree digest", "print the digest of a folder as a package", "PATH", 1,
        1, no_options, NULL, cli_tree_digest)
COMMAND(tree_info_command, "tree info", "list the files of a package in a registry",
        "HOST/USER/REPO:TAG[@DIGEST]", 1, 1, pinned_options, NULL, cli_tree_info)

static const struct cli_option tree_fetch_options[] = {
    REGISTRY_OPTIONS,
    PIN_OPTIONS,
    {.name = "--out", .value = "FILE", .help = "where it goes; without it standard output"},
};

COMMAND(tree_fetch_command, "tree fetch", "fetch one file of a package",
        "HOST/USER/REPO:TAG[@DIGEST] NAME", 2, 2, tree_fetch_options, NULL, cli_tree_fetch)

/* ---- keys ---- */

static const struct cli_option key_options[] = {
    {.name = "--out", .value = "FILE", .help = "where it goes; without it standard output"},
    {.name = "--curve", .value = "P-256|P-384", .help = "the key's curve; without it P-256"},
};

const struct cli_command key_publisher_create_command = {
    .name = "key publisher create",
    .summary = "make a key that signs tags, in PEM",
    .options = key_options,
    .option_count = COUNT_OF(key_options),
    .run = cli_key_publisher_create,
};

const struct cli_command key_publisher_show_command = {
    .name = "key publisher show",
    .summary = "print the public half of a publisher's key, and its name",
    .positionals = "KEY",
    .positional_min = 1,
    .positional_max = 1,
    .details = "The public half is for --publisher-key of those who fetch.\n",
    .has_json = true,
    .run = cli_key_publisher_show,
};
