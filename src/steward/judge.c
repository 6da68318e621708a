#include "steward/judge.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

static const struct refusal_text texts[REFUSAL_COUNT] = {
#define REFUSAL(name, status, code, sentence) [REFUSAL_##name] = {status, code, sentence},
#include "steward/refusals.def"
#undef REFUSAL
};

const struct refusal_text *refusal_text(enum refusal refusal)
{
    return &texts[refusal];
}

struct judge {
    struct verifier *verifier;
    struct collateral *local;
    struct collateral
        *recent; /* what came with good evidence, so that it is not parsed each time */
};

bool judge_new(struct judge **out, struct err *err)
{
    struct judge *j = calloc(1, sizeof *j);

    if (j == NULL)
        return err_set(err, ERR_MEMORY, "no memory to verify evidence", ERR_NO_AT);
    if (!verifier_new(&j->verifier, err) || !collateral_new(&j->local, err) ||
        !collateral_new(&j->recent, err)) {
        judge_free(j);
        return false;
    }
    *out = j;
    return true;
}

void judge_free(struct judge *judge)
{
    if (judge == NULL)
        return;
    verifier_free(judge->verifier);
    collateral_free(judge->local);
    collateral_free(judge->recent);
    free(judge);
}

void judge_forget(struct judge *judge)
{
    struct collateral *empty;
    struct err err;

    if (!collateral_new(&empty, &err)) /* then the old ones serve on: they are judged each time */
        return;
    collateral_free(judge->local);
    judge->local = empty;
}

bool judge_add_collateral(struct judge *judge, struct bytes file, struct err *err)
{
    return collateral_add(judge->local, file, err);
}

/* Remembers the endorsements of good evidence; when there is no more room it begins anew. */
static void remember(struct judge *judge, const struct collateral *collateral)
{
    struct collateral *empty;
    struct err err;

    if (!collateral_has_room(judge->recent) && collateral_new(&empty, &err)) {
        collateral_free(judge->recent);
        judge->recent = empty;
    }
    collateral_remember(judge->recent, collateral);
}

/* ---- evidence ---- */

/* Judges; when that fails, once more with what the source finds. */
static void verify(struct judge *judge, const struct judge_question *question,
                   const struct evidence_file *file, struct collateral *collateral,
                   const uint8_t *report_data, struct arena *arena, struct verdict *verdict)
{
    const struct evidence_input input = {
        .kind = file->kind,
        .evidence = file->evidence,
        .collateral = collateral,
        .local = judge->local,
        .policy = &question->config->evidence,
        .at = question->now,
        .report_data = report_data,
    };

    evidence_verify(judge->verifier, &input, arena, verdict);
    const struct judge_source *source = question->source;
    if (!verdict_is_good(verdict) && source != NULL &&
        source->find(source->context, file->kind, file->evidence, collateral))
        evidence_verify(judge->verifier, &input, arena, verdict);
}

bool judge_evidence(struct judge *judge, const struct judge_question *question, struct bytes file,
                    struct arena *arena, struct verdict *out, struct err *err)
{
    struct evidence_file evidence;
    struct identity_request request;
    struct collateral *collateral;

    if (!collateral_new(&collateral, err))
        return false;
    bool ok = evidence_open(file, arena, collateral, &evidence, err);
    if (ok && identity_is_request(file))
        ok = identity_request_parse(file, arena, &request, err) &&
             (!request.has_claims || identity_bind(request.spki, request.claims_der, request.nonce,
                                                   evidence.report_data, err));
    if (ok)
        verify(judge, question, &evidence, collateral,
               evidence.has_key ? evidence.report_data : NULL, arena, out);
    collateral_free(collateral);
    return ok;
}

/* ---- requests ---- */

static bool refuse(struct judgement *j, enum refusal refusal, const char *detail)
{
    j->refusal = refusal;
    j->detail = detail;
    return false;
}

static bool open_request(struct judgement *j, const struct judge_question *question,
                         struct bytes csr, struct arena *arena)
{
    unsigned size = 0;
    struct err err;

    if (!identity_request_parse(csr, arena, &j->request, &err))
        return refuse(j,
                      err.code == ERR_CRYPTO        ? REFUSAL_REQUEST_SIGNATURE
                      : err.code == ERR_UNSUPPORTED ? REFUSAL_KEY_UNSUPPORTED
                      : err.code == ERR_MEMORY      ? REFUSAL_INTERNAL
                                                    : REFUSAL_REQUEST_MALFORMED,
                      err.msg);
    if (EVP_Digest(j->request.spki.data, j->request.spki.size, j->spki_hash, &size, EVP_sha256(),
                   NULL) != 1)
        return refuse(j, REFUSAL_INTERNAL, "no memory");
    j->has_request = true;
    if (question->space == IDENTITY_OF_BROCH && !j->request.has_claims)
        return refuse(j, REFUSAL_CLAIMS_MISSING, "");
    if (question->space == IDENTITY_OF_ENARX && j->request.has_claims)
        return refuse(j, REFUSAL_CLAIMS_UNEXPECTED, "");
    if (j->request.evidence.size == 0)
        return refuse(j, REFUSAL_EVIDENCE_MISSING, "");
    if (question->nonces == NULL || !j->request.has_claims)
        return true;
    enum refusal refusal = question->nonces->check(question->nonces->context, question->now,
                                                   j->request.nonce, j->spki_hash);
    return refusal == REFUSAL_NONE || refuse(j, refusal, "");
}

static bool judge_its_evidence(struct judge *judge, struct judgement *j,
                               const struct judge_question *question, struct collateral *collateral,
                               struct arena *arena, struct evidence_file *file)
{
    struct err err;

    file->kind = j->request.technology == IDENTITY_SNP ? EVIDENCE_SNP : EVIDENCE_QUOTE;
    if (!evidence_open_extension(file->kind, j->request.evidence, collateral, &file->evidence,
                                 &err))
        return refuse(j, err.code == ERR_MEMORY ? REFUSAL_INTERNAL : REFUSAL_EVIDENCE_MALFORMED,
                      err.msg);
    bool ok = j->request.has_claims
                  ? identity_bind(j->request.spki, j->request.claims_der, j->request.nonce,
                                  file->report_data, &err)
                  : evidence_bind_key(file->kind, j->request.spki, file->report_data, &err);
    if (!ok)
        return refuse(j, REFUSAL_INTERNAL, err.msg);
    verify(judge, question, file, collateral, file->report_data, arena, &j->verdict);
    j->has_verdict = true;
    return true;
}

static struct bytes keep(struct arena *arena, const void *data, size_t size)
{
    uint8_t *copy = arena_alloc(arena, size, 1);

    if (copy == NULL || size == 0)
        return (struct bytes){.size = 0};
    memcpy(copy, data, size);
    return bytes_from(copy, size);
}

/* What the certificate would say. */
static bool describe(struct judgement *j, const struct judge_question *question,
                     const struct evidence_file *file, struct arena *arena)
{
    struct evidence_subject subject;
    struct err err;

    if (!evidence_subject_parse(file->kind, file->evidence, &subject, &err)) {
        j->has_verdict = false;
        return refuse(j, REFUSAL_EVIDENCE_MALFORMED, err.msg);
    }
    j->identity = (struct identity){
        /* both number the technologies alike */
        .technology = (enum identity_technology)subject.technology,
        .measurement = keep(arena, subject.measurement, subject.measurement_size),
        .signer = keep(arena, subject.signer, subject.signer_size),
        .tcb = keep(arena, subject.tcb, subject.tcb_size),
        .tcb_status = bytes_of(j->verdict.tcb_status),
        .is_simulated = j->verdict.is_simulated,
    };
    if (question->space == IDENTITY_OF_BROCH)
        j->identity.claims = j->request.claims;
    j->chip = keep(arena, j->verdict.platform, j->verdict.platform_size);
    return true;
}

static bool judge_verdict(struct judgement *j, struct arena *arena)
{
    enum check_id refusal = verdict_refusal(&j->verdict);

    if (refusal == CHECK_COUNT)
        return true;
    const struct check *check = &j->verdict.checks[refusal];
    struct writer w = writer_growable(arena, 2048);
    struct bytes text;
    struct err err;
    writer_format(&w, "%s: %s", check_name(refusal),
                  check->result == CHECK_NOT_MADE ? "could not be checked" : check->found);
    if (check->expected[0] != '\0')
        writer_format(&w, "; expected: %s", check->expected);
    writer_u8(&w, '\0');
    return refuse(j, REFUSAL_EVIDENCE_REFUSED,
                  writer_done(&w, &text, &err) ? (const char *)text.data : check_name(refusal));
}

/* Whether what the claims call themselves is true. */
static bool prove_slug(const struct judgement *j, const struct judge_question *question,
                       struct arena *arena, const char **why)
{
    const struct judge_registries *r = question->registries;
    const struct identity_claims *claims = &j->identity.claims;

    *why = "no registry is asked";
    return r != NULL && r->prove(r->context, claims->slug, claims->digest, arena, why);
}

static bool judge_workload(struct judgement *j, const struct judge_question *question,
                           struct arena *arena)
{
    const struct workload_policy *policy = &question->config->workloads;
    struct identity_claims *claims = &j->identity.claims;
    uint8_t name[2304];
    struct writer w = writer_fixed(name, sizeof name);
    const char *why;
    struct err err;

    bool is_named = claims->slug.size != 0;
    /* before rules about names, which it has not proved */
    if (is_named && policy->unverified_as_local && !prove_slug(j, question, arena, &why))
        claims->slug = (struct bytes){.size = 0};
    if (!workload_policy_admits(policy, &j->identity, question->space, &why))
        return refuse(j, REFUSAL_WORKLOAD_REFUSED, why);
    /* after them: no registry is asked about what is refused anyway */
    if (is_named && !policy->unverified_as_local && !prove_slug(j, question, arena, &why))
        return refuse(j, REFUSAL_SLUG_UNVERIFIED, why);
    return identity_name(&w, question->config->trust_domain, &j->identity, question->space, &err) ||
           refuse(j, REFUSAL_SLUG_NOT_NAMEABLE, err.msg);
}

void judge_request(struct judge *judge, const struct judge_question *question, struct bytes csr,
                   struct arena *arena, struct judgement *out)
{
    struct evidence_file file;
    struct collateral *collateral;
    struct err err;

    *out = (struct judgement){.detail = ""};
    if (!open_request(out, question, csr, arena))
        return;
    if (!collateral_new(&collateral, &err)) {
        (void)refuse(out, REFUSAL_INTERNAL, err.msg);
        return;
    }
    collateral_share(collateral, judge->recent);
    if (judge_its_evidence(judge, out, question, collateral, arena, &file) &&
        describe(out, question, &file, arena) && judge_verdict(out, arena)) {
        (void)judge_workload(out, question, arena);
        remember(judge, collateral);
    }
    collateral_free(collateral);
}

/* ---- answers ---- */

static void write_checks(struct writer *w, const struct verdict *v)
{
    const char *comma = "";

    writer_text(w, ",\"checks\":[");
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        const struct check *check = &v->checks[id];
        if (!check_is_of(id, v->technology) || check->result == CHECK_PASSED ||
            check->result == CHECK_NOT_APPLICABLE)
            continue;
        writer_format(w, "%s{\"name\":\"%s\",\"result\":\"%s\",\"expected\":", comma,
                      check_name(id), check_result_name(check->result));
        writer_json(w, bytes_of(check->expected));
        writer_text(w, ",\"found\":");
        writer_json(w, bytes_of(check->found));
        writer_text(w, "}");
        comma = ",";
    }
    writer_text(w, "]");
}

void judgement_write_refusal(struct writer *w, const struct judgement *judgement)
{
    const struct refusal_text *text = refusal_text(judgement->refusal);

    writer_format(w, "{\"error\":{\"code\":\"%s\",\"message\":", text->code);
    writer_json(w, bytes_of(text->sentence));
    if (judgement->detail[0] != '\0') {
        writer_text(w, ",\"detail\":");
        writer_json(w, bytes_of(judgement->detail));
    }
    if (judgement->refusal == REFUSAL_EVIDENCE_REFUSED)
        write_checks(w, &judgement->verdict);
    writer_text(w, "}}\n");
}
