/* What testhost answers to `attest`: evidence of a simulated platform. Takes the place of
 * src/host/attest.c. The keep's 64 bytes go into the report as they are, unless it is to lie. */
#include "testhost.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

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

/* What has to be signed. */
static void lie_before(enum lie_kind kind, uint8_t data[KEEP_REPORT_DATA_SIZE],
                       uint8_t measurement[48])
{
    if (kind == LIE_OTHER_DATA)
        data[0] ^= 1;
    else if (kind == LIE_OTHER_MEASUREMENT)
        measurement[0] ^= 1;
}

/* What has been signed. */
static void lie_after(enum lie_kind kind, struct keep_evidence *evidence, struct arena *arena)
{
    if (kind == LIE_TECHNOLOGY)
        evidence->technology = evidence->technology == IDENTITY_SNP ? IDENTITY_SGX : IDENTITY_SNP;
    if (kind != LIE_UNSIGNED)
        return;
    uint8_t *report = arena_alloc(arena, evidence->report.size, 1);
    must(report != NULL, "no memory");
    memcpy(report, evidence->report.data, evidence->report.size);
    report[28] ^= 1; /* of FAMILY_ID, or of the quote's user data: signed, and otherwise anything */
    evidence->report = bytes_from(report, evidence->report.size);
}

/* What crosses. */
static size_t lie_last(enum lie_kind kind, uint8_t *out, size_t size)
{
    if (kind == LIE_GARBAGE)
        must(getrandom(out, size, 0) == (ssize_t)size, "no random bytes");
    return kind == LIE_SHORT_EVIDENCE ? size / 2 : kind == LIE_EMPTY ? 0 : size;
}

static int64_t make_evidence(const uint8_t given[KEEP_REPORT_DATA_SIZE], enum lie_kind kind,
                             uint8_t *out, size_t space, struct arena *arena)
{
    uint8_t data[KEEP_REPORT_DATA_SIZE], measurement[sizeof plan.measurement];
    struct keep_evidence evidence;
    struct writer w = writer_fixed(out, space);
    struct bytes written;
    struct err err;

    memcpy(data, given, sizeof data);
    memcpy(measurement, plan.measurement, sizeof measurement);
    lie_before(kind, data, measurement);
    attester_evidence(attester, plan.technology, measurement, data, arena, &evidence);
    lie_after(kind, &evidence, arena);
    keep_evidence_write(&w, &evidence);
    if (!writer_done(&w, &written, &err))
        return -EMSGSIZE;
    return (int64_t)lie_last(kind, out, written.size);
}

int64_t platform_attest(const uint8_t data[KEEP_REPORT_DATA_SIZE], uint8_t *out, size_t space)
{
    static uint64_t count; /* one thread serves the keep */
    const struct lie *lie = lies_find(plan.lies, call_find(KEEP_CALL_ATTEST), ++count, true);
    struct arena arena;

    log_call(data);
    if (attester == NULL)
        return -ENOSYS;
    arena_init(&arena, arena_heap, ARENA_SIZE);
    int64_t result =
        make_evidence(data, lie != NULL ? lie->kind : LIE_KIND_COUNT, out, space, &arena);
    arena_done(&arena);
    return result;
}
