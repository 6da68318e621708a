/* What testhost answers to `attest`: evidence of a simulated platform. Takes the place of
 * src/host/attest.c. The keep's 64 bytes go into the report as they are. */
#include "testhost.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "attester.h"
#include "host/internal.h"

#define ARENA_SIZE ((size_t)16 << 20)

static struct attest_plan plan;
static struct attester *attester;

void attest_setup(const struct attest_plan *given)
{
    plan = *given;
    if (plan.sim != NULL)
        attester = attester_new(plan.sim);
}

/* "snp DATA", the bytes in hexadecimal. */
static void log_call(const uint8_t data[KEEP_REPORT_DATA_SIZE])
{
    char text[2 * KEEP_REPORT_DATA_SIZE + 1] = "";

    if (plan.log == NULL)
        return;
    FILE *log = fopen(plan.log, "a");
    hex_encode(bytes_from(data, KEEP_REPORT_DATA_SIZE), text);
    must(log != NULL &&
             fprintf(log, "%s %s\n", plan.technology == IDENTITY_SNP ? "snp" : "sgx", text) > 0 &&
             fclose(log) == 0,
         plan.log);
}

static int64_t make_evidence(const uint8_t data[KEEP_REPORT_DATA_SIZE], uint8_t *out, size_t space,
                             struct arena *arena)
{
    struct keep_evidence evidence;
    struct writer w = writer_fixed(out, space);
    struct bytes written;
    struct err err;

    attester_evidence(attester, plan.technology, plan.measurement, data, arena, &evidence);
    keep_evidence_write(&w, &evidence);
    return writer_done(&w, &written, &err) ? (int64_t)written.size : -EMSGSIZE;
}

int64_t platform_attest(const uint8_t data[KEEP_REPORT_DATA_SIZE], uint8_t *out, size_t space)
{
    struct arena arena;

    log_call(data);
    if (attester == NULL)
        return -ENOSYS;
    arena_init(&arena, arena_heap, ARENA_SIZE);
    int64_t result = make_evidence(data, out, space, &arena);
    arena_done(&arena);
    return result;
}
