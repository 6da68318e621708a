#include "cli/snp_work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "evidence/collateral.h"
#include "evidence/evidence.h"
#include "host/snp_cache.h"
#include "host/snp_platform.h"
#include "http/client.h"
#include "os/os.h"
#include "base/banned.h"

#define KDS "https://kdsintf.amd.com"
#define ARENA_LIMIT ((size_t)16 << 20)
#define FILE_MAX ((size_t)1 << 20)
#define PATH_SIZE 4096
#define TIMEOUT_MS 30000

struct work {
    const struct cli_args *args;
    struct arena arena;
    struct snp_platform platform;
    const char *folder, *kds;
    struct bytes ca;
};

/* ---- which machine ---- */

static bool product_parse(const char *text, enum snp_product *out)
{
    for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++) {
        if (strcmp(text, snp_product_name(p)) == 0) {
            *out = p;
            return true;
        }
    }
    return false;
}

/* Bytes of an option, at least `least`, the rest zero. */
static bool take_hex(const struct cli_args *args, const char *option, uint8_t *out, size_t size,
                     size_t least)
{
    const char *text = cli_value(args, option);
    struct err err;
    size_t got;

    return text != NULL && hex_decode(bytes_of(text), out, size, &got, &err) && got >= least;
}

static int choose_platform(struct work *w)
{
    const char *product = cli_value(w->args, "--product");
    struct err err;

    if (!cli_is_given(w->args, "--chip-id") && !cli_is_given(w->args, "--tcb") && product == NULL)
        return snp_platform_here(&w->platform, &err) ? CLI_OK : cli_fail_err("platform snp", &err);
    if (product == NULL || !product_parse(product, &w->platform.product))
        return cli_usage_error(w->args, "--product", "is Milan, Genoa or Turin");
    if (!take_hex(w->args, "--chip-id", w->platform.chip_id, sizeof w->platform.chip_id, 8))
        return cli_usage_error(w->args, "--chip-id", "takes 64 bytes in hexadecimal, of Turin 8");
    if (!take_hex(w->args, "--tcb", w->platform.tcb, sizeof w->platform.tcb, 8))
        return cli_usage_error(w->args, "--tcb", "takes 8 bytes in hexadecimal");
    return CLI_OK;
}

static int open_work(struct work *w, const struct cli_args *args)
{
    const char *kds = cli_value(args, "--kds"), *ca = cli_value(args, "--kds-ca");
    const char *folder = cli_value(args, "--cache");
    struct err err;

    *w = (struct work){.args = args, .kds = kds != NULL ? kds : KDS, .folder = folder};
    arena_init(&w->arena, arena_heap, ARENA_LIMIT);
    if (folder == NULL)
        w->folder = snp_cache_folder();
    if (strncmp(w->kds, "https://", 8) != 0)
        return cli_usage_error(args, w->kds, "--kds takes https://HOST[:PORT]");
    if (ca != NULL && !os_read_file(ca, FILE_MAX, &w->arena, &w->ca, &err))
        return cli_fail_err(ca, &err);
    if (!http_client_setup(&err))
        return cli_fail_err("platform snp", &err);
    return choose_platform(w);
}

/* ---- files ---- */

static int make_folders(const char *path)
{
    char part[PATH_SIZE];

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part)
        return cli_fail(path, "is too long a name");
    for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) != 0 && errno != EEXIST)
            return cli_fail(part, os_strerror(errno));
        *slash = '/';
    }
    return mkdir(part, 0755) == 0 || errno == EEXIST ? CLI_OK : cli_fail(part, os_strerror(errno));
}

/* The file in one step: a keep that starts now reads the old or the new one. */
static int store(const struct work *w, const char *name, struct bytes content)
{
    char path[PATH_SIZE], part[PATH_SIZE];
    struct err err;

    if (snprintf(path, sizeof path, "%s/%s", w->folder, name) >= (int)sizeof path ||
        snprintf(part, sizeof part, "%s/.%s.part", w->folder, name) >= (int)sizeof part)
        return cli_fail(w->folder, "is too long a name");
    CLEANUP(os_closep) int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return cli_fail(part, os_strerror(errno));
    if (!os_write_fd(fd, content, &err))
        return cli_fail_err(part, &err);
    if (fsync(fd) != 0 || rename(part, path) != 0)
        return cli_fail(path, os_strerror(errno));
    (void)printf("%s\n", path);
    return CLI_OK;
}

/* ---- AMD's service ---- */

static int fetch(struct work *w, const char *path, const char **url, struct bytes *out)
{
    struct writer name = writer_growable(&w->arena, PATH_SIZE);
    struct http_reply reply;
    struct bytes text;
    struct err err;
    char why[96];

    writer_format(&name, "%s%s%c", w->kds, path, '\0');
    if (!writer_done(&name, &text, &err))
        return cli_fail_err(path, &err);
    *url = (const char *)text.data;
    const struct http_get get = {
        .url = *url, .ca = w->ca, .timeout_ms = TIMEOUT_MS, .body_max = FILE_MAX};
    if (!http_get(&get, &w->arena, &reply, &err))
        return cli_fail_err(*url, &err);
    if (reply.status == 429)
        return cli_fail(*url, "the service wants to be asked less often; wait a minute");
    if (reply.status != 200) {
        (void)snprintf(why, sizeof why, "the service answered %u%s", reply.status,
                       reply.status == 404 ? ": it knows no such chip or TCB" : "");
        return cli_fail(*url, why);
    }
    *out = reply.body;
    return CLI_OK;
}

static const char *fact_of(const struct fact_list *list, const char *name)
{
    for (size_t i = 0; list->count != 0 && i < list->items[0].count; i++) {
        if (strcmp(list->items[0].facts[i].name, name) == 0)
            return list->items[0].facts[i].value;
    }
    return "";
}

/* Whether what came is a thing of its kind; of a certificate, of this chip. Who signed it the
 * Steward judges. */
static int check(struct work *w, const char *url, const char *kind, struct bytes content)
{
    char chip[2 * SNP_CHIP_ID_SIZE + 1] = "";
    struct fact_list facts;
    struct err err;

    if (!evidence_facts(content, &w->arena, &facts, &err) || facts.count != 1 ||
        strcmp(facts.items[0].kind, kind) != 0)
        return cli_fail(url, "what the service answered is something else");
    hex_encode(bytes_from(w->platform.chip_id, SNP_CHIP_ID_SIZE), chip);
    const char *hwid = fact_of(&facts, "hwid");
    if (strcmp(kind, "certificate") == 0 &&
        (hwid[0] == '\0' || strncmp(hwid, chip, strlen(hwid)) != 0))
        return cli_fail(url, "the service answered with the certificate of another chip");
    return CLI_OK;
}

static int fetch_vcek(struct work *w)
{
    const char *url = "";
    char path[512];
    struct bytes vcek = {.size = 0};

    if (bytes_are_zero(bytes_from(w->platform.chip_id, SNP_CHIP_ID_SIZE)))
        return cli_fail("platform snp",
                        "this machine hides its chip (MASK_CHIP_ID): nobody can ask "
                        "for its certificate");
    if (!snp_vcek_path(w->platform.product, w->platform.chip_id, w->platform.tcb, path,
                       sizeof path))
        return cli_fail("platform snp", "this TCB is none of such a processor");
    int code = fetch(w, path, &url, &vcek);
    if (code == CLI_OK)
        code = check(w, url, "certificate", vcek);
    return code == CLI_OK ? store(w, SNP_CACHE_VEK, vcek) : code;
}

static int fetch_crl(struct work *w)
{
    const char *url = "";
    char path[64];
    struct bytes crl = {.size = 0};

    (void)snprintf(path, sizeof path, "/vcek/v1/%s/crl", snp_product_name(w->platform.product));
    int code = fetch(w, path, &url, &crl);
    if (code == CLI_OK)
        code = check(w, url, "crl", crl);
    if (code == CLI_OK)
        code = store(w, SNP_CACHE_CRL, crl);
    return code == CLI_OK ? store(w, SNP_CACHE_CRL_URL, bytes_of(url)) : code;
}

int cli_platform_snp_update(const struct cli_args *args)
{
    struct work w;
    int code = open_work(&w, args);

    if (code == CLI_OK)
        code = make_folders(w.folder);
    if (code == CLI_OK)
        code = fetch_vcek(&w);
    if (code == CLI_OK)
        code = fetch_crl(&w);
    arena_done(&w.arena);
    return code;
}

int cli_platform_snp_cache_crl(const struct cli_args *args)
{
    struct work w;
    int code = open_work(&w, args);

    if (code == CLI_OK)
        code = make_folders(w.folder);
    if (code == CLI_OK)
        code = fetch_crl(&w);
    arena_done(&w.arena);
    return code;
}

/* ---- showing ---- */

int cli_platform_snp_show(const struct cli_args *args)
{
    struct snp_platform platform;
    char chip[2 * SNP_CHIP_ID_SIZE + 1] = "", tcb[17] = "";
    struct err err;

    if (!snp_platform_here(&platform, &err))
        return cli_fail_err("platform snp", &err);
    hex_encode(bytes_from(platform.chip_id, SNP_CHIP_ID_SIZE), chip);
    hex_encode(bytes_from(platform.tcb, sizeof platform.tcb), tcb);
    (void)printf(args->json ? "{\"product\":\"%s\",\"chip_id\":\"%s\",\"tcb\":\"%s\"}\n"
                            : "product  %s\nchip_id  %s\ntcb      %s\n",
                 snp_product_name(platform.product), chip, tcb);
    return CLI_OK;
}

int cli_platform_snp_vcek(const struct cli_args *args)
{
    const char *folder = cli_value(args, "--cache");
    char path[PATH_SIZE];
    struct arena arena;
    struct bytes vcek;
    struct err err;

    if (snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : snp_cache_folder(),
                 SNP_CACHE_VEK) >= (int)sizeof path)
        return cli_fail("--cache", "is too long a name");
    arena_init(&arena, arena_heap, ARENA_LIMIT);
    int code =
        os_read_file(path, FILE_MAX, &arena, &vcek, &err) ? CLI_OK : cli_fail_err(path, &err);
    if (code == CLI_OK && cli_is_given(args, "--file"))
        (void)printf("%s\n", path);
    else if (code == CLI_OK && !os_write_fd(STDOUT_FILENO, vcek, &err))
        code = cli_fail_err("standard output", &err);
    arena_done(&arena);
    return code;
}
