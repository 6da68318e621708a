/* A daemon that answers any bytes: the input is answers, each behind its size (u32le), in the order
 * in which the client asks; then there is none. */
#include <assert.h>

#include "evidence/quote.h"
#include "host/aesm.h"
#include "host/aesm_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct reader answers;

static bool answer_next(const void *context, struct deadline deadline, struct bytes request,
                        struct arena *arena, struct bytes *answer, struct err *err)
{
    uint32_t size;

    (void)context;
    (void)deadline;
    (void)arena;
    assert(request.size != 0);
    return (reader_u32le(&answers, &size) && reader_bytes(&answers, size, answer)) ||
           err_set(err, ERR_FORMAT, "there are no more answers", answers.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t report[SGX_WHOLE_REPORT_SIZE];
    uint8_t target[SGX_TARGET_INFO_SIZE];
    struct sgx_quoting quoting;
    struct arena arena;
    struct bytes bytes;
    struct quote quote;
    struct err err = {.code = ERR_NONE};

    answers = reader_of(bytes_from(data, size));
    arena_init(&arena, arena_heap, (size_t)1 << 20);
    assert(aesm_quoting_over(answer_next, NULL, &quoting, &err));
    struct writer w = writer_growable(&arena, SGX_QUOTE_MAX);
    bool ok = quoting.target(&quoting, target, &err) && quoting.quote(&quoting, report, &w, &err) &&
              writer_done(&w, &bytes, &err);
    if (ok) { /* of that report, and nothing behind it */
        assert(quote_parse(bytes, &quote, &err) && quote.padding == 0);
        assert(bytes_equal(quote.sgx.raw, bytes_from(report, SGX_REPORT_BODY_SIZE)));
    } else {
        assert(err.code != ERR_NONE && err.msg != NULL);
    }
    aesm_quoting_free(&quoting);
    arena_done(&arena);
    return 0;
}
