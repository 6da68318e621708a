/* The security processor of SEV-SNP (DESIGN.md §4): messages to it are sealed here with a key that
 * the shim hands over once; shim and host carry what they cannot read. Each sequence number is used
 * for one message, whatever became of it. */
#include <errno.h>
#include <stdlib.h>

#include "evidence/snp_certificates.h"
#include "evidence/snp_message.h"
#include "keep/keep.h"

#define TRIES 40 /* while the host says that it is busy, which it may for two seconds */
#define PAUSE_NS UINT64_C(100000000)

static struct keep_platform_key key;
static bool has_key;

void processor_open(void)
{
    has_key = call_platform_key(&key);
}

void processor_close(void)
{
    secret_wipe(&key, sizeof key);
    has_key = false;
}

/* Sends a page; the answer to `out`. */
static bool send(const uint8_t page[KEEP_GUEST_PAGE], uint8_t *out, struct err *err)
{
    int64_t result = -EBUSY;

    for (unsigned i = 0; i < TRIES && result == -EBUSY; i++) {
        if (i != 0)
            (void)platform_wait_one(-1, false,
                                    keep_platform.monotonic_ns(keep_platform.context) + PAUSE_NS);
        result = call_guest_request(page, out);
    }
    return result == (int64_t)KEEP_GUEST_SPACE ||
           err_set(err, ERR_IO, "the security processor does not answer",
                   (uint64_t)(result < 0 ? -result : EIO));
}

/* An answer that is not the processor's is somebody's work: there is no going on. */
_Noreturn static void give_up(const struct err *err)
{
    char text[ERR_TEXT_SIZE];

    log_error("the keep ends: it is not its security processor that answers",
              log_str("reason", err_text(err, NULL, text)));
    processor_close();
    exit(KEEP_NO_IDENTITY);
}

/* One message and its answer, in memory of SNP_MESSAGE_MAX bytes; the table of certificates behind
 * the answer's page. */
static bool ask(struct bytes message, uint8_t *space, uint8_t *opened, struct bytes *answer,
                struct err *err)
{
    uint8_t page[KEEP_GUEST_PAGE];
    uint64_t sequence = key.sequence + 1;

    _Static_assert(KEEP_GUEST_PAGE == SNP_PAGE_SIZE, "a page");
    key.sequence += 2;
    if (!snp_message_seal(key.key, sequence, SNP_MESSAGE_REPORT_REQUEST, message, page, err) ||
        !send(page, space, err))
        return false;
    if (!snp_message_open(key.key, sequence + 1, SNP_MESSAGE_REPORT_RESPONSE, space, opened, answer,
                          err))
        give_up(err);
    return true;
}

/* The certificate of the key that signs reports, of a table that the host gave; empty: it has none.
 * A bad table is as good as none: whose certificate it is, the Steward decides. */
static struct bytes find_vek(struct bytes table)
{
    struct snp_certificate found[SNP_CERTIFICATES_MAX];
    size_t count;
    struct err err;

    if (!snp_certificates_read(table, found, &count, &err))
        return bytes_of("");
    for (size_t i = 0; i < count; i++) {
        if (found[i].kind == SNP_CERTIFICATE_VCEK || found[i].kind == SNP_CERTIFICATE_VLEK)
            return found[i].content;
    }
    return bytes_of("");
}

/* A report about the data, and the certificate of the key that signed it where the host has given
 * it. */
static bool ask_report(const uint8_t data[KEEP_REPORT_DATA_SIZE], struct arena *arena,
                       struct bytes *report, struct bytes *vek, struct err *err)
{
    uint8_t request[SNP_REPORT_REQUEST_SIZE];
    uint8_t *space = arena_alloc(arena, KEEP_GUEST_SPACE, 1);
    uint8_t *opened = arena_alloc(arena, SNP_MESSAGE_MAX, 1);
    struct bytes answer;

    if (space == NULL || opened == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a report", ERR_NO_AT);
    snp_report_request_write(data, 0, request);
    if (!ask(bytes_from(request, sizeof request), space, opened, &answer, err) ||
        !snp_report_response_parse(answer, report, err))
        return false;
    *vek = find_vek(bytes_from(space + KEEP_GUEST_PAGE, KEEP_GUEST_SPACE - KEEP_GUEST_PAGE));
    return true;
}

bool processor_evidence(const uint8_t data[KEEP_REPORT_DATA_SIZE], struct arena *arena,
                        struct keep_evidence *out, struct err *err)
{
    struct bytes report, vek;

    if (!has_key)
        return call_attest(data, arena, out, err) &&
               (out->report.size != 0 ||
                err_set(err, ERR_FORMAT, "the host's evidence has no report", ERR_NO_AT));
    if (!ask_report(data, arena, &report, &vek, err) || !call_attest(data, arena, out, err))
        return false;
    out->technology = KEEP_SNP;
    out->report = report;
    if (vek.size != 0)
        out->vek = vek;
    return out->vek.size != 0 ||
           err_set(err, ERR_IO,
                   "the host has no certificate of its processor's key; there 'broch platform snp "
                   "update' fetches it",
                   ERR_NO_AT);
}
