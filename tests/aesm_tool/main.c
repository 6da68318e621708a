/* Drives what the loader has for SGX from tests, where there is no enclave:
 *     aesm_tool quote SOCKET MILLISECONDS REPORT   asks for a target and for the quote of a REPORT
 *     aesm_tool evidence FOLDER                    what keeps are given from a cache, to stdout
 * Prints lines of a word and hexadecimal; an error as "error KIND: TEXT", and exits with 1. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/aesm.h"
#include "host/sgx_cache.h"
#include "host/sgx_here.h"
#include "os/os.h"

static struct arena arena;
static struct bytes report;

static int fail(const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    (void)printf("error %s: %s\n", err_code_name(err->code), err_text(err, os_strerror, text));
    return 1;
}

static void print_hex(const char *word, struct bytes bytes)
{
    (void)printf("%s ", word);
    for (size_t i = 0; i < bytes.size; i++)
        (void)printf("%02x", bytes.data[i]);
    (void)printf("\n");
}

/* The file's, for whatever target. */
static bool read_report(const uint8_t target[SGX_TARGET_INFO_SIZE],
                        uint8_t out[SGX_WHOLE_REPORT_SIZE], struct err *err)
{
    print_hex("target", bytes_from(target, SGX_TARGET_INFO_SIZE));
    if (report.size != SGX_WHOLE_REPORT_SIZE)
        return err_set(err, ERR_FORMAT, "the REPORT has not its size but", report.size);
    memcpy(out, report.data, SGX_WHOLE_REPORT_SIZE);
    return true;
}

static int quote(const char *socket, const char *timeout, const char *file)
{
    struct writer w = writer_growable(&arena, SGX_QUOTE_MAX);
    struct sgx_quoting quoting;
    struct bytes whole;
    struct err err;

    if (!os_read_file(file, 1 << 16, &arena, &report, &err) ||
        !aesm_quoting_new(socket[0] != '\0' ? socket : NULL, &quoting, &err))
        return fail(&err);
    aesm_quoting_set_timeout(&quoting, strtoull(timeout, NULL, 10));
    bool ok = sgx_quote_here(&quoting, read_report, &w, &err) && writer_done(&w, &whole, &err);
    aesm_quoting_free(&quoting);
    if (!ok)
        return fail(&err);
    print_hex("quote", whole);
    return 0;
}

static int evidence(const char *folder)
{
    struct bytes sections;
    struct err err;

    if (!sgx_endorsements_read(folder, &arena, &sections, &err) ||
        !os_write_fd(STDOUT_FILENO, sections, &err))
        return fail(&err);
    return 0;
}

int main(int argc, char **argv)
{
    struct err err;
    int code = 2;

    if (!os_log_setup(LOG_WARN, &err))
        return fail(&err);
    arena_init(&arena, arena_heap, (size_t)16 << 20);
    if (argc == 5 && strcmp(argv[1], "quote") == 0)
        code = quote(argv[2], argv[3], argv[4]);
    else if (argc == 3 && strcmp(argv[1], "evidence") == 0)
        code = evidence(argv[2]);
    arena_done(&arena);
    return code;
}
