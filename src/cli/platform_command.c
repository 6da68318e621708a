/* broch platform info: what this machine has of what backends need. */
#include <stdlib.h>

#include "cli/commands.h"
#include "host/host.h"
#include "base/banned.h"

#define OUTPUT_MAX ((size_t)1 << 20)
#define COLUMN 18

static bool is_usable(const struct host_platform *platform)
{
    const char *why;

    return platform->backend != NULL && platform->backend->is_available(&why) &&
           host_platform_is_ready(platform);
}

static const char simulation[] =
    "'broch sim init' makes roots of simulated platforms, for a Steward and for keeps that "
    "--simulate starts on them. They protect nothing.";

/* Whether keeps run on its simulation here. */
static bool can_simulate(const struct host_platform *platform, const char **why)
{
    *why = NULL;
    return platform->backend != NULL && platform->backend->can_simulate != NULL &&
           platform->backend->can_simulate(why);
}

/* ---- as text ---- */

static const char *state_of(const struct host_platform *platform)
{
    if (is_usable(platform))
        return "usable";
    if (platform->backend != NULL)
        return "not usable";
    return host_platform_is_ready(platform) ? "not in this version of Broch; this machine has what "
                                              "it needs"
                                            : "not in this version of Broch, and this machine "
                                              "lacks something";
}

static void write_shown(struct writer *w, const char *text)
{
    writer_shown(w, bytes_of(text));
}

static void write_probe(struct writer *w, const struct host_probe *probe)
{
    size_t size = strlen(probe->name);

    writer_text(w, probe->ok ? "  ok  " : "  no  ");
    write_shown(w, probe->name);
    writer_format(w, "%*s  ", size < COLUMN ? COLUMN - (int)size : 0, "");
    write_shown(w, probe->found);
    if (!probe->ok) {
        writer_format(w, "\n      %*s  → ", COLUMN, "");
        write_shown(w, probe->mend);
    }
    writer_text(w, "\n");
}

static void write_text(struct writer *w, const struct host_machine *machine)
{
    writer_format(w, "Broch %s\n", cli_version);
    write_shown(w, machine->system);
    writer_text(w, "\n");
    write_shown(w, machine->cpu);
    if (machine->microcode[0] != '\0') {
        writer_text(w, ", microcode ");
        write_shown(w, machine->microcode);
    }
    writer_text(w, "\n");
    for (size_t i = 0; i < HOST_PLATFORMS; i++) {
        const struct host_platform *platform = &machine->platforms[i];
        writer_format(w, "\n%s: %s (%s)\n", platform->name, state_of(platform), platform->summary);
        for (size_t k = 0; k < platform->count; k++)
            write_probe(w, &platform->probes[k]);
    }
    writer_format(w, "\nSimulation: %s\n", simulation);
    for (size_t i = 0; i < HOST_PLATFORMS; i++) {
        const char *why;
        if (can_simulate(&machine->platforms[i], &why))
            writer_format(w, "  ok  %s\n", machine->platforms[i].name);
        else if (why != NULL)
            writer_format(w, "  no  %s: %s\n", machine->platforms[i].name, why);
    }
}

/* ---- as JSON ---- */

/* ,"NAME":"TEXT", or null for nothing. */
static void write_member(struct writer *w, const char *name, const char *text)
{
    writer_format(w, ",\"%s\":", name);
    if (text[0] != '\0')
        writer_json(w, bytes_of(text));
    else
        writer_text(w, "null");
}

static const char *boolean(bool value)
{
    return value ? "true" : "false";
}

static void write_platform_json(struct writer *w, const struct host_platform *platform)
{
    const char *why;

    writer_format(w, "{\"name\":\"%s\"", platform->name);
    write_member(w, "summary", platform->summary);
    writer_format(w,
                  ",\"in_this_version\":%s,\"machine_ready\":%s,\"usable\":%s,\"simulated\":%s,"
                  "\"probes\":[",
                  boolean(platform->backend != NULL), boolean(host_platform_is_ready(platform)),
                  boolean(is_usable(platform)), boolean(can_simulate(platform, &why)));
    for (size_t i = 0; i < platform->count; i++) {
        const struct host_probe *probe = &platform->probes[i];
        writer_format(w, "%s{\"ok\":%s", i != 0 ? "," : "", boolean(probe->ok));
        write_member(w, "name", probe->name);
        write_member(w, "found", probe->found);
        write_member(w, "mend", probe->mend);
        writer_text(w, "}");
    }
    writer_text(w, "]}");
}

static void write_json(struct writer *w, const struct host_machine *machine)
{
    writer_format(w, "{\"version\":\"%s\"", cli_version);
    write_member(w, "system", machine->system);
    write_member(w, "cpu", machine->cpu);
    write_member(w, "microcode", machine->microcode);
    writer_text(w, ",\"backends\":[");
    for (size_t i = 0; i < HOST_PLATFORMS; i++) {
        writer_text(w, i != 0 ? "," : "");
        write_platform_json(w, &machine->platforms[i]);
    }
    writer_text(w, "]");
    write_member(w, "simulation", simulation);
    writer_text(w, "}\n");
}

static int run_info(const struct cli_args *args)
{
    struct host_machine machine;
    struct arena arena;
    struct bytes out;
    struct err err;
    int code = CLI_OK;

    arena_init(&arena, arena_heap, 2 * OUTPUT_MAX);
    struct writer w = writer_growable(&arena, OUTPUT_MAX);
    host_probe_machine(&machine);
    if (args->json)
        write_json(&w, &machine);
    else
        write_text(&w, &machine);
    if (writer_done(&w, &out, &err))
        (void)fwrite(out.data, 1, out.size, stdout);
    else
        code = cli_fail_err("platform info", &err);
    arena_done(&arena);
    return code;
}

const struct cli_command platform_info_command = {
    .name = "platform info",
    .summary = "show which backends this machine can run, and how to mend what is missing",
    .details =
        "Each backend with what it needs: 'ok' was found, 'no' is missing, with what to do about\n"
        "it behind the arrow. Nothing is changed, and no privilege is needed. A backend that this\n"
        "version of Broch does not have is shown all the same, with what it will need.\n"
        "\n"
        "BROCH_KVM_DEVICE names another device than /dev/kvm.\n",
    .has_json = true,
    .run = run_info,
};
