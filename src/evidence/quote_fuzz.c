/* Quotes from any bytes: what is parsed lies within them; a verdict about it has an answer to every
 * question, and without endorsements it is never good. */
#include <assert.h>

#include "evidence/evidence.h"
#include "evidence/quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_within(struct bytes inner, struct bytes outer)
{
    assert(inner.size <= outer.size);
    assert(inner.size == 0 ||
           (inner.data >= outer.data && inner.data + inner.size <= outer.data + outer.size));
}

static void parse(struct bytes in)
{
    struct quote quote;
    struct err err;

    if (!quote_parse(in, &quote, &err)) {
        assert(err.code != ERR_NONE && err.msg != NULL);
        return;
    }
    assert_within(quote.signed_bytes, in);
    assert_within(quote.qe.raw, in);
    assert_within(quote.qe_auth, in);
    assert_within(quote.cert_data, in);
    assert(quote.padding < in.size);
}

static void judge(struct bytes in, enum evidence_kind kind)
{
    static struct verifier *verifier;
    static struct collateral *none;
    struct evidence_policy policy;
    struct verdict verdict;
    struct arena arena;
    struct err err;

    if (verifier == NULL)
        assert(verifier_new(&verifier, &err) && collateral_new(&none, &err));
    evidence_policy_default(&policy);
    policy.any_workload = true;
    policy.require_crls = false;
    struct evidence_input input = {
        .kind = kind, .evidence = in, .collateral = none, .policy = &policy, .at = 1750330600};
    arena_init(&arena, arena_heap, (size_t)16 << 20);
    evidence_verify(verifier, &input, &arena, &verdict);
    assert(!verdict_is_good(&verdict));
    for (enum check_id id = 0; id < CHECK_COUNT; id++)
        assert(verdict.checks[id].expected != NULL && verdict.checks[id].found != NULL);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_from(data, size);

    parse(in);
    judge(in, EVIDENCE_QUOTE);
    judge(in, EVIDENCE_SNP);
    return 0;
}
