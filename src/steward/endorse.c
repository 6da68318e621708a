#include "steward/endorse.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "evidence/civil.h"
#include "evidence/snp_report.h"
#include "http/client.h"
#include "os/os.h"
#include "base/banned.h"

#define FETCH_TIMEOUT_MS 5000
#define FETCHES_MAX 4 /* at once; nobody waits longer for a request than for a service */
#define FAILURES_REMEMBERED 256
#define FAILURE_LIFETIME_S 60
#define ARENA_LIMIT ((size_t)16 << 20)

/* ---- files ---- */

static const char *fact_of(const struct fact_item *item, const char *name)
{
    for (size_t i = 0; i < item->count; i++) {
        if (strcmp(item->facts[i].name, name) == 0)
            return item->facts[i].value;
    }
    return "";
}

/* When the first thing in the file expires. */
static int64_t expiry_of(const struct fact_list *list)
{
    int64_t first = INT64_MAX;

    for (size_t i = 0; i < list->count; i++) {
        const char *text = fact_of(&list->items[i], "next_update");
        int64_t at;
        if (text[0] == '\0')
            text = fact_of(&list->items[i], "not_after");
        if (civil_parse(bytes_of(text), &at) && at < first)
            first = at;
    }
    return first;
}

static struct bytes subject_of(const struct fact_item *item)
{
    static const char *const names[] = {"subject", "issuer", "fmspc", "id"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *value = fact_of(item, names[i]);
        if (value[0] != '\0')
            return bytes_of(value);
    }
    return (struct bytes){.size = 0};
}

bool endorsement_parse(struct bytes file, struct arena *arena, struct endorsement *out,
                       struct err *err)
{
    struct collateral *collateral;
    struct fact_list facts;
    size_t size = 0;
    struct err ignored;

    if (!collateral_new(&collateral, err))
        return false;
    bool ok = collateral_add(collateral, file, err);
    collateral_free(collateral);
    if (!ok || !evidence_facts(file, arena, &facts, err))
        return false;
    const char *chip = fact_of(&facts.items[0], "hwid");
    uint8_t *bytes = arena_alloc(arena, SNP_CHIP_ID_SIZE, 1);
    if (bytes == NULL)
        return err_set(err, ERR_MEMORY, "no memory for an endorsement", ERR_NO_AT);
    if (!hex_decode(bytes_of(chip), bytes, SNP_CHIP_ID_SIZE, &size, &ignored))
        size = 0;
    *out = (struct endorsement){
        .kind = bytes_of(facts.items[0].kind),
        .subject = subject_of(&facts.items[0]),
        .expires = expiry_of(&facts),
        .chip = bytes_from(bytes, size),
        .content = file,
    };
    return true;
}

/* ---- fetching ---- */

/* Where Intel's service puts the chain of what it answers. */
static const char *const chain_headers[] = {"TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain",
                                            "SGX-Enclave-Identity-Issuer-Chain",
                                            "SGX-PCK-CRL-Issuer-Chain"};

static bool keep(struct store *store, struct bytes url, struct bytes content, struct arena *arena,
                 struct err *err)
{
    struct endorsement e;

    if (!endorsement_parse(content, arena, &e, err))
        return false;
    e.url = url;
    return store_add_endorsement(store, &e, err);
}

static bool keep_chain(struct store *store, const char *url, const struct http_reply *reply,
                       struct arena *arena, struct err *err)
{
    struct writer w = writer_growable(arena, 1024);
    struct bytes chain, name;

    for (size_t i = 0; i < COUNT_OF(chain_headers); i++) {
        if (!http_reply_header(reply, chain_headers[i], &chain))
            continue;
        writer_format(&w, "%s#issuer", url);
        return writer_done(&w, &name, err) && keep(store, name, chain, arena, err);
    }
    return true;
}

bool endorsement_fetch(struct store *store, const char *url, struct bytes ca, struct arena *arena,
                       struct err *err)
{
    const struct http_get get = {
        .url = url, .ca = ca, .timeout_ms = FETCH_TIMEOUT_MS, .body_max = COLLATERAL_FILE_MAX};
    struct http_reply reply;

    if (!http_get(&get, arena, &reply, err))
        return false;
    if (reply.status != 200)
        return err_set(err, ERR_NOT_FOUND, "the service answered with HTTP status", reply.status);
    return keep(store, bytes_of(url), reply.body, arena, err) &&
           keep_chain(store, url, &reply, arena, err);
}

/* ---- finding ---- */

/* A URL that gave nothing a while ago. */
struct failure {
    uint8_t hash[16];
    int64_t until;
};

struct endorser {
    struct store *store;
    pthread_mutex_t lock; /* of what follows */
    unsigned fetching;
    struct failure failures[FAILURES_REMEMBERED];
    size_t next_failure;
};

bool endorser_new(struct store *store, struct endorser **out, struct err *err)
{
    struct endorser *e = calloc(1, sizeof *e);

    if (e == NULL)
        return err_set(err, ERR_MEMORY, "no memory for endorsements", ERR_NO_AT);
    e->store = store;
    (void)pthread_mutex_init(&e->lock, NULL);
    *out = e;
    return true;
}

void endorser_free(struct endorser *endorser)
{
    if (endorser == NULL)
        return;
    (void)pthread_mutex_destroy(&endorser->lock);
    free(endorser);
}

static void hash_url(const char *url, uint8_t out[16])
{
    uint8_t whole[32] = {0};

    (void)EVP_Digest(url, strlen(url), whole, NULL, EVP_sha256(), NULL);
    memcpy(out, whole, 16);
}

/* Whether a URL may be asked now; then it counts as being asked. */
static bool begin_fetch(struct endorser *e, const uint8_t hash[16], int64_t now)
{
    (void)pthread_mutex_lock(&e->lock);
    bool may = e->fetching < FETCHES_MAX;
    for (size_t i = 0; may && i < FAILURES_REMEMBERED; i++)
        may = e->failures[i].until <= now || memcmp(e->failures[i].hash, hash, 16) != 0;
    e->fetching += may;
    (void)pthread_mutex_unlock(&e->lock);
    return may;
}

static void end_fetch(struct endorser *e, const uint8_t hash[16], bool ok, int64_t now)
{
    (void)pthread_mutex_lock(&e->lock);
    e->fetching--;
    if (!ok) {
        struct failure *f = &e->failures[e->next_failure];
        e->next_failure = (e->next_failure + 1) % FAILURES_REMEMBERED;
        memcpy(f->hash, hash, sizeof f->hash);
        f->until = now + FAILURE_LIFETIME_S;
    }
    (void)pthread_mutex_unlock(&e->lock);
}

static bool fetch(struct endorser *e, const char *url, struct bytes ca, int64_t now,
                  struct arena *arena)
{
    uint8_t hash[16];
    struct err err;

    hash_url(url, hash);
    if (!begin_fetch(e, hash, now))
        return false;
    bool ok = endorsement_fetch(e->store, url, ca, arena, &err);
    end_fetch(e, hash, ok, now);
    if (!ok)
        log_warn("endorsements cannot be fetched", log_str("url", url), log_err(&err));
    return ok;
}

/* A configured text as a C string. */
static const char *text_of(struct bytes text, struct arena *arena)
{
    struct writer w = writer_growable(arena, 4096);
    struct bytes out;
    struct err err;

    writer_bytes(&w, text);
    writer_u8(&w, '\0');
    return text.size != 0 && writer_done(&w, &out, &err) ? (const char *)out.data : NULL;
}

/* Fetches what a service has and the store has not. */
static bool fetch_needs(struct endorser *e, const struct steward_config *config, int64_t now,
                        enum evidence_kind kind, struct bytes evidence, struct arena *arena)
{
    struct evidence_need needs[EVIDENCE_NEEDS_MAX];
    size_t count = evidence_needs(kind, evidence, needs);
    bool any = false;

    for (size_t i = 0; i < count; i++) {
        bool is_amd = needs[i].vendor == EVIDENCE_AMD, has = false;
        const char *base =
            text_of(is_amd ? config->collateral.amd : config->collateral.intel, arena);
        char url[1024];
        struct err err;
        if (base == NULL)
            continue;
        (void)snprintf(url, sizeof url, "%s%s", base, needs[i].path);
        if (store_has_endorsement(e->store, bytes_of(url), now, &has, &err) && !has)
            any |= fetch(e, url, config->collateral_ca_pem, now, arena);
    }
    return any;
}

static bool add_stored(struct endorser *e, struct bytes chip, struct arena *arena,
                       struct collateral *collateral)
{
    const struct endorsement *items;
    size_t count;
    struct err err;
    bool any = false;

    if (!store_endorsements(e->store, chip, false, arena, &items, &count, &err))
        return false;
    for (size_t i = 0; i < count; i++)
        any |= collateral_add(collateral, items[i].content, &err);
    return any;
}

/* Of the chip that the evidence names, which chips of Turin have eight bytes of. */
static bool add_of_chip(struct endorser *e, enum evidence_kind kind, struct bytes evidence,
                        struct arena *arena, struct collateral *collateral)
{
    struct snp_report report;
    struct err err;

    if (kind != EVIDENCE_SNP || !snp_report_parse(evidence, &report, &err))
        return false;
    struct bytes chip = bytes_from(report.chip_id, sizeof report.chip_id);
    if (bytes_are_zero(chip))
        return false;
    if (bytes_are_zero(bytes_after(chip, 8)))
        chip.size = 8;
    return add_stored(e, chip, arena, collateral);
}

bool endorser_find(struct endorser *e, const struct steward_config *config, int64_t now,
                   enum evidence_kind kind, struct bytes evidence, struct collateral *collateral)
{
    struct arena arena;

    arena_init(&arena, arena_heap, ARENA_LIMIT);
    bool has_fetched = fetch_needs(e, config, now, kind, evidence, &arena);
    bool any = add_of_chip(e, kind, evidence, &arena, collateral);
    /* what belongs to no chip is known already, but for what came just now */
    if (has_fetched)
        any |= add_stored(e, (struct bytes){.size = 0}, &arena, collateral);
    arena_done(&arena);
    return any;
}
