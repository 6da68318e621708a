#include "cli/snp_work.h"

#include <unistd.h>

#include "cli/cli.h"
#include "cli/vendor_service.h"
#include "host/snp_cache.h"
#include "host/snp_platform.h"
#include "os/os.h"
#include "base/banned.h"

#define KDS "https://kdsintf.amd.com"
#define ARENA_LIMIT ((size_t)4 << 20)
#define PATH_SIZE 4096

struct work {
    struct vendor_work service;
    struct snp_platform platform;
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

static int choose_platform(const struct cli_args *args, struct snp_platform *out)
{
    const char *product = cli_value(args, "--product");
    struct err err;

    if (!cli_is_given(args, "--chip-id") && !cli_is_given(args, "--tcb") && product == NULL)
        return snp_platform_here(out, &err) ? CLI_OK : cli_fail_err("platform snp", &err);
    if (product == NULL || !product_parse(product, &out->product))
        return cli_usage_error(args, "--product", "is Milan, Genoa or Turin");
    if (!vendor_take_hex(args, "--chip-id", out->chip_id, sizeof out->chip_id, 8))
        return cli_usage_error(args, "--chip-id", "takes 64 bytes in hexadecimal, of Turin 8");
    if (!vendor_take_hex(args, "--tcb", out->tcb, sizeof out->tcb, 8))
        return cli_usage_error(args, "--tcb", "takes 8 bytes in hexadecimal");
    return CLI_OK;
}

static int open_work(struct work *w, const struct cli_args *args)
{
    const struct vendor amd = {.command = "platform snp",
                               .url = KDS,
                               .url_option = "--kds",
                               .ca_option = "--kds-ca",
                               .folder = snp_cache_folder()};
    int code = vendor_open(&w->service, &amd, args);

    w->platform = (struct snp_platform){.tcb = {0}};
    return code == CLI_OK ? choose_platform(args, &w->platform) : code;
}

/* ---- AMD's service ---- */

static int fetch(struct work *w, const char *path, const char **url, struct bytes *out)
{
    struct http_reply reply;
    int code = vendor_fetch(&w->service, w->service.url, path, "it knows no such chip or TCB", url,
                            &reply);

    if (code == CLI_OK)
        *out = reply.body;
    return code;
}

/* Whether a certificate is of this chip. */
static int check_vcek(struct work *w, const char *url, struct bytes vcek)
{
    char chip[2 * SNP_CHIP_ID_SIZE + 1] = "";
    const struct fact_item *facts;
    int code = vendor_check(&w->service, url, "certificate", vcek, &facts);

    if (code != CLI_OK)
        return code;
    hex_encode(bytes_from(w->platform.chip_id, SNP_CHIP_ID_SIZE), chip);
    const char *hwid = vendor_fact(facts, "hwid");
    if (hwid[0] == '\0' || strncmp(hwid, chip, strlen(hwid)) != 0)
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
        code = check_vcek(w, url, vcek);
    return code == CLI_OK ? vendor_store(&w->service, SNP_CACHE_VEK, vcek) : code;
}

static int fetch_crl(struct work *w)
{
    const char *url = "";
    char path[64];
    const struct fact_item *facts;
    struct bytes crl = {.size = 0};

    (void)snprintf(path, sizeof path, "/vcek/v1/%s/crl", snp_product_name(w->platform.product));
    int code = fetch(w, path, &url, &crl);
    if (code == CLI_OK)
        code = vendor_check(&w->service, url, "crl", crl, &facts);
    if (code == CLI_OK)
        code = vendor_store(&w->service, SNP_CACHE_CRL, crl);
    return code == CLI_OK ? vendor_store(&w->service, SNP_CACHE_CRL_URL, bytes_of(url)) : code;
}

int cli_platform_snp_update(const struct cli_args *args)
{
    struct work w;
    int code = open_work(&w, args);

    if (code == CLI_OK)
        code = vendor_make_folder(&w.service);
    if (code == CLI_OK)
        code = fetch_vcek(&w);
    if (code == CLI_OK)
        code = fetch_crl(&w);
    vendor_done(&w.service);
    return code;
}

int cli_platform_snp_cache_crl(const struct cli_args *args)
{
    struct work w;
    int code = open_work(&w, args);

    if (code == CLI_OK)
        code = vendor_make_folder(&w.service);
    if (code == CLI_OK)
        code = fetch_crl(&w);
    vendor_done(&w.service);
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
    int code = os_read_file(path, VENDOR_FILE_MAX, &arena, &vcek, &err) ? CLI_OK
                                                                        : cli_fail_err(path, &err);
    if (code == CLI_OK && cli_is_given(args, "--file"))
        (void)printf("%s\n", path);
    else if (code == CLI_OK && !os_write_fd(STDOUT_FILENO, vcek, &err))
        code = cli_fail_err("standard output", &err);
    arena_done(&arena);
    return code;
}
