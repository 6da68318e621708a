/* The decision about a request, but for what needs a memory: no nonce is spent here, nothing looked
 * up, nothing signed. So it is the same for the server and for `broch steward policy test`. */
#pragma once

#include "steward/config.h"

enum refusal {
    REFUSAL_NONE,
#define REFUSAL(name, status, code, sentence) REFUSAL_##name,
#include "steward/refusals.def"
#undef REFUSAL
    REFUSAL_COUNT
};

struct refusal_text {
    unsigned status; /* of HTTP */
    const char *code, *sentence;
};

/* Of anything but REFUSAL_NONE. */
const struct refusal_text *refusal_text(enum refusal refusal);

/* Verifies, one request at a time; each thread has one of its own. */
struct judge;

MUST_CHECK bool judge_new(struct judge **out, struct err *err);
void judge_free(struct judge *judge);
/* Forgets the endorsements that it had beside those of requests. */
void judge_forget(struct judge *judge);
/* Adds endorsements; false: they cannot be read, or there are too many. */
MUST_CHECK bool judge_add_collateral(struct judge *judge, struct bytes file, struct err *err);

/* Looks for endorsements that a request lacks, and adds them to `collateral`; returns whether there
 * were any. */
struct judge_source {
    bool (*find)(void *context, enum evidence_kind kind, struct bytes evidence,
                 struct collateral *collateral);
    void *context;
};

/* Says whether a slug's registry names the digest under its tag; else *why not, in words. */
struct judge_registries {
    bool (*prove)(void *context, struct bytes slug, const uint8_t digest[32], struct arena *arena,
                  const char **why);
    void *context;
};

/* Says whether a request's nonce is good, before its evidence is looked at. */
struct judge_nonces {
    enum refusal (*check)(void *context, int64_t now, struct bytes nonce,
                          const uint8_t spki_hash[NONCE_SPKI_HASH_SIZE]);
    void *context;
};

struct judge_question {
    const struct steward_config *config;
    const struct judge_source *source;         /* NULL: none */
    const struct judge_registries *registries; /* NULL: no slug is proved */
    const struct judge_nonces *nonces;         /* NULL: any nonce will do */
    int64_t now;                               /* seconds since 1970 */
    enum identity_namespace space;             /* which interface the request came by */
};

/* What was decided. Bytes are in the arena. */
struct judgement {
    enum refusal refusal;
    const char *detail; /* why, in words; "" */
    bool has_request, has_verdict;
    struct identity_request request;
    uint8_t spki_hash[NONCE_SPKI_HASH_SIZE];
    struct verdict verdict;
    struct identity identity; /* what is to be certified, when has_verdict */
    struct bytes chip;
};

/* Judges a request in DER. */
void judge_request(struct judge *judge, const struct judge_question *question, struct bytes csr,
                   struct arena *arena, struct judgement *out);

/* Judges a file of evidence in any form, as evidence_open takes it. In a request of a keep's its
 * binding to key and claims is judged; ERR_FORMAT when there is no evidence in it. */
MUST_CHECK bool judge_evidence(struct judge *judge, const struct judge_question *question,
                               struct bytes file, struct arena *arena, struct verdict *out,
                               struct err *err);

/* {"error":{"code":…,"message":…,"checks":[…]}} */
void judgement_write_refusal(struct writer *w, const struct judgement *judgement);
