#include "cli/sgx_work.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/vendor_service.h"
#include "host/aesm.h"
#include "host/host.h"
#include "host/sgx_cache.h"
#include "host/sgx_here.h"
#include "os/os.h"
#include "base/banned.h"

#define COMMAND "platform sgx"
#define PCS "https://api.trustedservices.intel.com"
/* Intel's service itself does not have the root's list; services that cache it do (PCCS). */
#define ROOT_CRL "https://certificates.trustedservices.intel.com"
#define ROOT_CRL_PATH "/IntelSGXRootCA.der"
#define V4 "/sgx/certification/v4/"
#define NEWS "it has nothing of that; is it a service for version 4?"

#define TCB_SIGNING "Intel SGX TCB Signing"
#define PLATFORM_CA "Intel SGX PCK Platform CA"
#define PROCESSOR_CA "Intel SGX PCK Processor CA"
#define ROOT_CA "Intel SGX Root CA"
#define FMSPC_SIZE 6u

/* What Intel's services want to know of a platform; texts are borrowed. */
struct platform {
    char fmspc[2 * FMSPC_SIZE + 1];
    bool is_processor; /* whose CA certifies it: single packages have another than servers */
};

/* ---- which platform ---- */

/* The certificate of a platform among what a file has; NULL: there is none. */
static const struct fact_item *find_pck(const struct fact_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (vendor_fact(&list->items[i], "fmspc")[0] != '\0' &&
            strcmp(list->items[i].kind, "certificate") == 0)
            return &list->items[i];
    }
    return NULL;
}

static int read_pck(const char *name, struct bytes quote, struct arena *arena,
                    const struct fact_item **out)
{
    struct fact_list facts;
    struct err err;

    if (!evidence_facts(quote, arena, &facts, &err))
        return cli_fail_err(name, &err);
    *out = find_pck(&facts);
    return *out != NULL ? CLI_OK
                        : cli_fail(name, "has no certificate of an SGX platform (PCK) in it");
}

/* What of the machine is to be mended besides. */
static void tell_what_lacks(void)
{
    struct host_machine machine;
    char why[sizeof machine.platforms[0].probes[0].found +
             sizeof machine.platforms[0].probes[0].mend + 8];

    host_probe_machine(&machine);
    const struct host_platform *sgx = &machine.platforms[HOST_SGX];
    for (size_t i = 0; i < sgx->count; i++) {
        const struct host_probe *probe = &sgx->probes[i];
        if (probe->ok || strcmp(probe->name, "aesmd") == 0)
            continue;
        (void)snprintf(why, sizeof why, "%s; %s", probe->found, probe->mend);
        (void)cli_fail(probe->name, why);
    }
}

static int ask_here(struct arena *arena, struct bytes *out)
{
    struct writer w = writer_growable(arena, SGX_QUOTE_MAX);
    struct sgx_quoting quoting;
    struct err err;

    if (!aesm_quoting_new(NULL, &quoting, &err))
        return cli_fail_err(COMMAND, &err);
    bool ok = sgx_quote_here(&quoting, sgx_report_here, &w, &err) && writer_done(&w, out, &err);
    aesm_quoting_free(&quoting);
    if (ok)
        return CLI_OK;
    (void)cli_fail_err(COMMAND, &err);
    tell_what_lacks();
    return CLI_FAILED;
}

static int find_platform(const struct cli_args *args, struct arena *arena,
                         const struct fact_item **out)
{
    const char *file = cli_value(args, "--quote");
    struct bytes quote = {.size = 0};
    struct err err;

    if (file != NULL && !os_read_file(file, EVIDENCE_SIZE_MAX, arena, &quote, &err))
        return cli_fail_err(file, &err);
    int code = file != NULL ? CLI_OK : ask_here(arena, &quote);
    return code == CLI_OK ? read_pck(file != NULL ? file : COMMAND, quote, arena, out) : code;
}

static bool is_processor_ca(const struct fact_item *pck)
{
    return strcmp(vendor_fact(pck, "issuer"), PROCESSOR_CA) == 0;
}

static int choose_platform(const struct cli_args *args, struct arena *arena, struct platform *out)
{
    const char *ca = cli_value(args, "--ca");
    uint8_t fmspc[FMSPC_SIZE];
    const struct fact_item *pck = NULL;

    *out = (struct platform){.fmspc = ""};
    if (ca == NULL && !cli_is_given(args, "--fmspc")) {
        int code = find_platform(args, arena, &pck);
        if (code != CLI_OK)
            return code;
        (void)snprintf(out->fmspc, sizeof out->fmspc, "%s", vendor_fact(pck, "fmspc"));
        out->is_processor = is_processor_ca(pck);
        return CLI_OK;
    }
    if (cli_is_given(args, "--quote"))
        return cli_usage_error(args, "--quote", "says what --fmspc and --ca say: give one of both");
    if (ca == NULL || (strcmp(ca, "platform") != 0 && strcmp(ca, "processor") != 0))
        return cli_usage_error(args, "--ca", "is platform or processor");
    if (!vendor_take_hex(args, "--fmspc", fmspc, sizeof fmspc, sizeof fmspc))
        return cli_usage_error(args, "--fmspc", "takes 6 bytes in hexadecimal");
    hex_encode(bytes_from(fmspc, sizeof fmspc), out->fmspc);
    out->is_processor = strcmp(ca, "processor") == 0;
    return CLI_OK;
}

/* ---- Intel's service ---- */

struct found {
    struct bytes tcb_info, tcb_chain, qe_identity;
    struct bytes pck_crl, root_crl; /* DER */
    const char *pck_crl_url, *root_crl_url;
};

/* RFC 3986 §2.1. */
static bool percent_decode(struct bytes in, struct arena *arena, struct bytes *out)
{
    uint8_t *text = arena_alloc(arena, in.size, 1);
    size_t used = 0, size = 0;
    struct err err;

    if (text == NULL)
        return false;
    for (size_t i = 0; i < in.size; i++, used++) {
        text[used] = in.data[i];
        if (in.data[i] != '%')
            continue;
        if (in.size - i < 3 ||
            !hex_decode(bytes_from(in.data + i + 1, 2), text + used, 1, &size, &err))
            return false;
        i += 2;
    }
    *out = bytes_from(text, used);
    return true;
}

/* Whether it is a chain of the TCB info's signer. */
static bool is_signing_chain(struct bytes chain, struct arena *arena)
{
    struct bytes certificates[SGX_CHAIN_MAX];
    struct fact_list facts;
    size_t count;
    struct err err;

    if (!sgx_chain_parse(chain, arena, certificates, &count, &err) || count < 2 ||
        !evidence_facts(chain, arena, &facts, &err) || facts.count != count ||
        strcmp(vendor_fact(&facts.items[0], "subject"), TCB_SIGNING) != 0)
        return false;
    for (size_t i = 0; i < facts.count; i++) {
        if (strcmp(facts.items[i].kind, "certificate") != 0)
            return false;
    }
    return true;
}

static int take_chain(struct vendor_work *w, const char *url, const struct http_reply *reply,
                      struct bytes *out)
{
    struct bytes header;

    /* version 4's name, and version 3's */
    if (!http_reply_header(reply, "TCB-Info-Issuer-Chain", &header) &&
        !http_reply_header(reply, "SGX-TCB-Info-Issuer-Chain", &header))
        return cli_fail(url, "the service sends no chain of its TCB info's signer along");
    if (!percent_decode(header, &w->arena, out) || !is_signing_chain(*out, &w->arena))
        return cli_fail(url, "what the service sends along is no chain of a TCB info's signer");
    return CLI_OK;
}

static int fetch_tcb_info(struct vendor_work *w, const struct platform *p, struct found *out)
{
    char path[64];
    const char *url = "";
    const struct fact_item *facts = NULL;
    struct http_reply reply;

    (void)snprintf(path, sizeof path, V4 "tcb?fmspc=%s", p->fmspc);
    int code = vendor_fetch(w, w->url, path, "it knows no such platform", &url, &reply);
    if (code == CLI_OK)
        code = vendor_check(w, url, "tcb info", reply.body, &facts);
    if (code != CLI_OK)
        return code;
    if (strcmp(vendor_fact(facts, "fmspc"), p->fmspc) != 0)
        return cli_fail(url, "the service answered with the TCB info of another platform");
    if (strcmp(vendor_fact(facts, "id"), "SGX") != 0)
        return cli_fail(url, "the service answered with TCB info that is not SGX's");
    out->tcb_info = reply.body;
    return take_chain(w, url, &reply, &out->tcb_chain);
}

static int fetch_identity(struct vendor_work *w, struct found *out)
{
    const char *url = "";
    const struct fact_item *facts = NULL;
    struct http_reply reply;
    int code = vendor_fetch(w, w->url, V4 "qe/identity", NEWS, &url, &reply);

    if (code == CLI_OK)
        code = vendor_check(w, url, "qe identity", reply.body, &facts);
    if (code != CLI_OK)
        return code;
    if (strcmp(vendor_fact(facts, "id"), "QE") != 0)
        return cli_fail(url, "the service answered with another enclave's identity");
    out->qe_identity = reply.body;
    return CLI_OK;
}

/* A list in PEM, or in hexadecimal, as caching services give it, to DER; in DER it stays. */
static bool list_to_der(struct bytes in, struct arena *arena, struct bytes *out)
{
    struct bytes text = in;
    struct err err;
    size_t size = 0;

    while (text.size != 0 && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
        text.size--;
    uint8_t *bytes = arena_alloc(arena, text.size, 1);
    if (bytes == NULL)
        return false;
    if (hex_decode(text, bytes, text.size, &size, &err)) {
        *out = bytes_from(bytes, size);
        return true;
    }
    *out = in;
    if (!bytes_starts_with(text, bytes_of("-----BEGIN X509 CRL-----")))
        return true;
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.size); /* of VENDOR_FILE_MAX at most */
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long der_size = 0;
    bool ok = bio != NULL && PEM_read_bio(bio, &name, &header, &der, &der_size) == 1 &&
              der_size > 0 && (size_t)der_size <= text.size;
    if (ok) {
        memcpy(bytes, der, (size_t)der_size);
        *out = bytes_from(bytes, (size_t)der_size);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    return ok;
}

static int fetch_list(struct vendor_work *w, const char *base, const char *path, const char *issuer,
                      const char **url, struct bytes *out)
{
    const struct fact_item *facts = NULL;
    struct http_reply reply;
    struct bytes content;
    uint8_t tag;

    int code = vendor_fetch(w, base, path, NEWS, url, &reply);
    if (code != CLI_OK)
        return code;
    bool is_der = list_to_der(reply.body, &w->arena, out);
    struct reader r = reader_of(*out);
    if (!is_der || !der_any(&r, &tag, &content) || tag != DER_SEQUENCE || !reader_at_end(&r))
        return cli_fail(*url, "what the service answered is something else");
    code = vendor_check(w, *url, "crl", *out, &facts);
    if (code == CLI_OK && strcmp(vendor_fact(facts, "issuer"), issuer) != 0)
        return cli_fail(*url, "the service answered with the revocation list of another issuer");
    return code;
}

static int fetch_lists(struct vendor_work *w, const struct platform *p, bool is_intel,
                       struct found *out)
{
    int code =
        fetch_list(w, w->url,
                   p->is_processor ? V4 "pckcrl?ca=processor&encoding=der"
                                   : V4 "pckcrl?ca=platform&encoding=der",
                   p->is_processor ? PROCESSOR_CA : PLATFORM_CA, &out->pck_crl_url, &out->pck_crl);

    return code == CLI_OK ? fetch_list(w, is_intel ? ROOT_CRL : w->url,
                                       is_intel ? ROOT_CRL_PATH : V4 "rootcacrl", ROOT_CA,
                                       &out->root_crl_url, &out->root_crl)
                          : code;
}

static int store_all(const struct vendor_work *w, const struct found *found)
{
    const struct {
        const char *name;
        struct bytes content;
    } files[] = {
        {SGX_CACHE_TCB_INFO, found->tcb_info},
        {SGX_CACHE_TCB_CHAIN, found->tcb_chain},
        {SGX_CACHE_PCK_CRL, found->pck_crl},
        {SGX_CACHE_PCK_CRL_URL, bytes_of(found->pck_crl_url)},
        {SGX_CACHE_ROOT_CRL, found->root_crl},
        {SGX_CACHE_ROOT_CRL_URL, bytes_of(found->root_crl_url)},
        {SGX_CACHE_QE_IDENTITY, found->qe_identity},
    };
    int code = vendor_make_folder(w);

    for (size_t i = 0; code == CLI_OK && i < COUNT_OF(files); i++)
        code = vendor_store(w, files[i].name, files[i].content);
    return code;
}

int cli_platform_sgx_update(const struct cli_args *args)
{
    const struct vendor intel = {.command = COMMAND,
                                 .url = PCS,
                                 .url_option = "--pcs",
                                 .ca_option = "--pcs-ca",
                                 .folder = sgx_cache_folder()};
    struct platform platform;
    struct vendor_work w;
    struct found found = {.pck_crl_url = "", .root_crl_url = ""};
    int code = vendor_open(&w, &intel, args);

    if (code == CLI_OK)
        code = choose_platform(args, &w.arena, &platform);
    if (code == CLI_OK)
        code = fetch_tcb_info(&w, &platform, &found);
    if (code == CLI_OK)
        code = fetch_lists(&w, &platform, !cli_is_given(args, "--pcs"), &found);
    if (code == CLI_OK)
        code = fetch_identity(&w, &found);
    if (code == CLI_OK) /* nothing was bad: what is kept fits together */
        code = store_all(&w, &found);
    vendor_done(&w);
    return code;
}

/* ---- showing ---- */

/* Facts are hexadecimal and numbers. */
static void print_platform(const struct fact_item *pck, bool json)
{
    static const char *const names[] = {"fmspc", "pceid", "cpusvn", "pcesvn", "ppid"};

    (void)printf(json ? "{\"ca\":\"%s\"" : "ca      %s\n",
                 is_processor_ca(pck) ? "processor" : "platform");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value = vendor_fact(pck, names[i]);
        if (!json)
            (void)printf("%-6s  %s\n", names[i], value);
        else if (strcmp(names[i], "pcesvn") == 0)
            (void)printf(",\"%s\":%s", names[i], value);
        else
            (void)printf(",\"%s\":\"%s\"", names[i], value);
    }
    if (json)
        (void)printf("}\n");
}

int cli_platform_sgx_show(const struct cli_args *args)
{
    const struct fact_item *pck = NULL;
    struct arena arena;

    arena_init(&arena, arena_heap, (size_t)16 << 20);
    int code = find_platform(args, &arena, &pck);
    if (code == CLI_OK)
        print_platform(pck, args->json);
    arena_done(&arena);
    return code;
}
