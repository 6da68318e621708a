#include "evidence/verifier.h"

#include <openssl/pem.h>
#include <stdlib.h>

#include "evidence/civil.h"
#include "evidence/crypto.h"

#define SIGNATURES_KEPT 1024 /* a power of two; 32 bytes each */

bool verifier_new(struct verifier **out, struct err *err)
{
    struct verifier *v = calloc(1, sizeof *v);

    if (v == NULL)
        return err_set(err, ERR_MEMORY, "no memory for a verifier", ERR_NO_AT);
    if (!roots_init(&v->roots, err) || !signature_cache_new(SIGNATURES_KEPT, &v->signatures, err)) {
        verifier_free(v);
        return false;
    }
    *out = v;
    return true;
}

static void chain_done(struct known_chain *chain)
{
    free(chain->text);
    collateral_free(chain->certificates);
    *chain = (struct known_chain){.text = NULL};
}

static void root_done(struct known_root *root)
{
    if (root->der != NULL)
        certificate_done(&root->certificate);
    free(root->der);
    root->der = NULL;
}

static void key_done(struct known_key *key)
{
    EVP_PKEY_free(key->key);
    key->key = NULL;
}

void verifier_forget(struct verifier *v)
{
    signature_cache_clear(v->signatures);
    for (size_t i = 0; i < VERIFIER_CHAINS_KEPT; i++)
        chain_done(&v->known_chains[i]);
    for (size_t i = 0; i < VERIFIER_KEYS_KEPT; i++)
        key_done(&v->known_keys[i]);
}

void verifier_free(struct verifier *v)
{
    if (v == NULL)
        return;
    roots_done(&v->roots);
    for (size_t i = 0; i < VERIFIER_CHAINS_KEPT; i++)
        chain_done(&v->known_chains[i]);
    for (size_t i = 0; i < VERIFIER_KEYS_KEPT; i++)
        key_done(&v->known_keys[i]);
    for (size_t i = 0; i < VERIFIER_ROOTS_KEPT; i++)
        root_done(&v->known_roots[i]);
    signature_cache_free(v->signatures);
    free(v);
}

/* A copy on the heap; NULL when there is no memory. */
static uint8_t *copy_of(struct bytes in)
{
    uint8_t *copy = malloc(in.size);

    if (copy != NULL && in.size != 0)
        memcpy(copy, in.data, in.size);
    return copy;
}

/* ---- chains in quotes ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_equal_but_spaces(struct bytes a, struct bytes b)
{
    size_t i = 0, k = 0;

    for (;;) {
        while (i < a.size && is_space(a.data[i]))
            i++;
        while (k < b.size && is_space(b.data[k]))
            k++;
        if (i == a.size || k == b.size)
            return i == a.size && k == b.size;
        if (a.data[i++] != b.data[k++])
            return false;
    }
}

/* Whether the text is the PEM of the certificates that were found in it, and nothing beside. */
static bool is_nothing_but(const struct collateral *found, struct bytes text)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio != NULL && found->crl_count == 0;
    char *data;

    for (size_t i = 0; ok && i < found->certificate_count; i++) {
        struct bytes der = found->certificates[i].der;
        ok = PEM_write_bio(bio, PEM_STRING_X509, "", der.data, (long)der.size) > 0;
    }
    if (ok) {
        long size = BIO_get_mem_data(bio, &data);
        ok = size > 0 && is_equal_but_spaces(text, bytes_from(data, (size_t)size));
    }
    BIO_free(bio);
    return ok;
}

bool verifier_chain(struct verifier *v, struct bytes pem, const struct collateral **out,
                    struct err *err)
{
    struct known_chain chain = {.size = pem.size};

    for (size_t i = 0; i < VERIFIER_CHAINS_KEPT; i++) {
        const struct known_chain *known = &v->known_chains[i];
        if (known->text != NULL && bytes_equal(bytes_from(known->text, known->size), pem)) {
            *out = known->certificates;
            return true;
        }
    }
    bool ok = collateral_new(&chain.certificates, err) &&
              collateral_add_pem(chain.certificates, pem, err);
    if (ok && !is_nothing_but(chain.certificates, pem))
        ok =
            err_set(err, ERR_FORMAT, "the quote's chain is not PEM and nothing but PEM", ERR_NO_AT);
    if (ok && (chain.text = copy_of(pem)) == NULL)
        ok = err_set(err, ERR_MEMORY, "no memory for a chain", ERR_NO_AT);
    if (!ok) {
        chain_done(&chain);
        return false;
    }
    chain_done(&v->known_chains[v->next_chain]);
    v->known_chains[v->next_chain] = chain;
    v->next_chain = (v->next_chain + 1) % VERIFIER_CHAINS_KEPT;
    *out = chain.certificates;
    return true;
}

bool verifier_key(struct verifier *v, const uint8_t point[64], EVP_PKEY **out, struct err *err)
{
    struct known_key *place = &v->known_keys[v->next_key];

    for (size_t i = 0; i < VERIFIER_KEYS_KEPT; i++) {
        const struct known_key *known = &v->known_keys[i];
        if (known->key != NULL && memcmp(known->point, point, sizeof known->point) == 0) {
            *out = known->key;
            return true;
        }
    }
    if (!crypto_public(CRYPTO_P256, point, point + P256_SIZE, out, err))
        return false;
    key_done(place);
    place->key = *out;
    memcpy(place->point, point, sizeof place->point);
    v->next_key = (v->next_key + 1) % VERIFIER_KEYS_KEPT;
    return true;
}

/* ---- one verification ---- */

/* A place for a root, of one that this run does not use: more are kept than a run has. */
static struct known_root *place_for_root(const struct run *run)
{
    struct verifier *v = run->verifier;

    for (;;) {
        struct known_root *place = &v->known_roots[v->next_root];
        size_t i = 0;
        v->next_root = (v->next_root + 1) % VERIFIER_ROOTS_KEPT;
        while (i < run->simulated_count && run->simulated[i] != &place->certificate)
            i++;
        if (i == run->simulated_count)
            return place;
    }
}

/* A root of a policy, parsed; NULL when it is no certificate. */
static const struct certificate *root_of(const struct run *run, struct bytes der)
{
    struct verifier *v = run->verifier;
    struct known_root root = {.der = NULL};
    struct err err;

    for (size_t i = 0; i < VERIFIER_ROOTS_KEPT; i++) {
        const struct known_root *known = &v->known_roots[i];
        if (known->der != NULL && bytes_equal(known->certificate.der, der))
            return &known->certificate;
    }
    root.der = copy_of(der);
    if (root.der == NULL ||
        !certificate_parse(bytes_from(root.der, der.size), &root.certificate, &err)) {
        free(root.der);
        return NULL;
    }
    struct known_root *place = place_for_root(run);
    root_done(place);
    *place = root;
    return &place->certificate;
}

/* The policy's simulated roots; what is no certificate there matches nothing. */
static void take_simulated(struct run *run)
{
    const struct bytes_list *list = &run->policy->simulated_roots;

    for (size_t i = 0; i < list->count && i < COUNT_OF(run->simulated); i++) {
        const struct certificate *root = root_of(run, list->items[i]);
        if (root != NULL)
            run->simulated[run->simulated_count++] = root;
    }
}

_Static_assert(VERIFIER_ROOTS_KEPT > COUNT_OF(((struct run *)NULL)->simulated),
               "there is always a place that a run does not use");

void evidence_verify(struct verifier *verifier, const struct evidence_input *input,
                     struct arena *arena, struct verdict *verdict)
{
    struct run run = {.verifier = verifier,
                      .input = input,
                      .policy = input->policy,
                      .collateral = &run.view,
                      .verdict = verdict};

    verdict_init(verdict, TECHNOLOGY_SNP, arena);
    /* without memory nothing was given, which refuses */
    (void)!collateral_view_make(input->local, input->collateral, arena, &run.view);
    take_simulated(&run);
    if (input->kind == EVIDENCE_SNP)
        snp_verify(&run);
    else
        quote_verify(&run);
}

void run_roots(const struct run *run, enum root_id built_in, struct chain_roots *out)
{
    const struct certificate *real = &run->verifier->roots.certificates[built_in];

    *out = (struct chain_roots){.items = {real}, .count = 1, .real_count = 1};
    for (size_t i = 0; i < run->simulated_count; i++) {
        if (strcmp(run->simulated[i]->name, real->name) == 0)
            out->items[out->count++] = run->simulated[i];
    }
}

struct chain_pool run_pool(const struct run *run)
{
    return (struct chain_pool){.given = run->collateral->certificates,
                               .given_count = run->collateral->certificate_count,
                               .built_in = run->verifier->roots.certificates,
                               .built_in_count = ROOT_COUNT};
}

void run_judge_dates(struct run *run, enum check_id id, const struct certificate *const *links,
                     size_t count)
{
    char at[CIVIL_TEXT_SIZE], from[CIVIL_TEXT_SIZE], to[CIVIL_TEXT_SIZE];

    civil_format(run->input->at, at);
    const char *expected = verdict_text(run->verdict, "valid at %s", at);
    for (size_t i = 0; i < count; i++) {
        struct span span = certificate_span(links[i]);
        if (span_has(span, run->input->at))
            continue;
        civil_format(span.from, from);
        civil_format(span.to, to);
        (void)verdict_judge(
            run->verdict, id, false, expected,
            verdict_text(run->verdict, "%s is valid from %s to %s", links[i]->name, from, to));
        return;
    }
    (void)verdict_judge(run->verdict, id, true, expected,
                        verdict_text(run->verdict, "all %zu certificates are", count));
}

/* What is wrong with a list of its issuer; NULL: nothing. */
static const char *list_fault(struct run *run, const struct crl *crl,
                              const struct certificate *issuer, enum x509_form form)
{
    struct span span = crl_span(crl);
    char from[CIVIL_TEXT_SIZE], to[CIVIL_TEXT_SIZE];

    if (!crl_is_issued_by(crl, issuer))
        return verdict_text(run->verdict, "the list of %s names another key", crl->issuer);
    if (!crl_is_signed_by(crl, issuer, form, run->verifier->signatures))
        return verdict_text(run->verdict, "the list of %s is not signed by it", crl->issuer);
    if (span_has(span, run->input->at))
        return NULL;
    civil_format(span.from, from);
    civil_format(span.to, to);
    return span.from > span.to
               ? verdict_text(run->verdict, "the list of %s does not say when it ends", crl->issuer)
               : verdict_text(run->verdict, "the list of %s is valid from %s to %s", crl->issuer,
                              from, to);
}

const struct crl *run_find_crl(struct run *run, const struct certificate *issuer,
                               enum x509_form form, const char **why)
{
    const struct crl *good = NULL, *bad = NULL;

    *why = verdict_text(run->verdict, "there is no list of %s", issuer->name);
    for (size_t i = 0; i < run->collateral->crl_count; i++) {
        const struct crl *crl = &run->collateral->crls[i];
        if (X509_NAME_cmp(X509_CRL_get_issuer(crl->crl), X509_get_subject_name(issuer->x509)) != 0)
            continue;
        const char *fault = list_fault(run, crl, issuer, form);
        if (fault != NULL) {
            bad = crl;
            *why = fault;
        } else if (good == NULL || crl_span(crl).from > crl_span(good).from) {
            good = crl;
        }
    }
    if (good == NULL)
        return bad;
    *why = NULL;
    return good;
}

void run_judge_list(struct run *run, enum check_id id, const struct bytes_list *list,
                    struct bytes found, const char *when_empty)
{
    if (list->count == 0 && when_empty != NULL)
        verdict_skip(run->verdict, id, when_empty);
    else
        (void)verdict_judge(
            run->verdict, id, bytes_list_has(list, found),
            list->count == 1 ? verdict_hex(run->verdict, list->items[0])
                             : verdict_text(run->verdict, "one of %zu in the policy", list->count),
            verdict_hex(run->verdict, found));
}

void run_judge_report_data(struct run *run, enum check_id id, const uint8_t found[64])
{
    const uint8_t *expected = run->input->report_data;

    if (expected == NULL)
        verdict_skip(run->verdict, id, "the caller expects nothing of it");
    else
        (void)verdict_judge(run->verdict, id, memcmp(expected, found, 64) == 0,
                            verdict_hex(run->verdict, bytes_from(expected, 64)),
                            verdict_hex(run->verdict, bytes_from(found, 64)));
}
