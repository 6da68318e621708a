#include "evidence/chain.h"

struct build {
    const struct chain_pool *pool;
    const struct chain_roots *roots;
    enum x509_form form;
    struct signature_cache *cache;
};

static size_t pool_count(const struct chain_pool *pool)
{
    return pool->given_count + pool->built_in_count;
}

static const struct certificate *pool_at(const struct chain_pool *pool, size_t i)
{
    return i < pool->given_count ? &pool->given[i] : &pool->built_in[i - pool->given_count];
}

static bool is_signed(const struct build *b, const struct certificate *c,
                      const struct certificate *issuer)
{
    return certificate_is_ca(issuer) && certificate_is_signed_by(c, issuer, b->form, b->cache);
}

/* The pinned root that issued a certificate; NULL. *has_name: one of its name is pinned. */
static const struct certificate *root_of(const struct build *b, const struct certificate *c,
                                         bool *has_name, bool *is_simulated)
{
    *has_name = false;
    for (size_t i = 0; i < b->roots->count; i++) {
        const struct certificate *root = b->roots->items[i];
        if (!certificate_is_issued_by(c, root))
            continue;
        *has_name = true;
        *is_simulated = i >= b->roots->real_count;
        if (is_signed(b, c, root))
            return root;
    }
    return NULL;
}

/* Whether a root that nobody pinned signed a certificate. */
static bool has_strange_root(const struct build *b, const struct certificate *c)
{
    for (size_t i = 0; i < b->pool->given_count; i++) {
        const struct certificate *other = &b->pool->given[i];
        if (certificate_is_issued_by(other, other) && certificate_is_issued_by(c, other) &&
            is_signed(b, c, other))
            return true;
    }
    return false;
}

/* Why no pinned root issued a certificate. */
static void blame(const struct build *b, const struct certificate *c, bool has_name,
                  struct chain *out)
{
    if (has_strange_root(b, c)) {
        out->fault = CHAIN_UNPINNED;
        out->why = "the root that signed it is not pinned";
    } else if (!has_name) {
        out->fault = CHAIN_UNPINNED;
        out->why = "no root of its issuer's name and key is pinned";
    } else {
        out->fault = CHAIN_BROKEN;
        out->why = "the pinned root did not sign it";
    }
}

static void build_short(const struct build *b, struct chain *out)
{
    bool has_name;

    out->root = root_of(b, out->leaf, &has_name, &out->is_simulated);
    if (out->root == NULL)
        blame(b, out->leaf, has_name, out);
    else
        out->fault = CHAIN_GOOD;
}

static void build_long(const struct build *b, struct chain *out)
{
    out->fault = CHAIN_BROKEN;
    out->why = "there is no certificate of its issuer";
    for (size_t i = 0; i < pool_count(b->pool); i++) {
        struct chain tried = {.leaf = out->leaf, .intermediate = pool_at(b->pool, i)};
        bool has_name;
        if (!certificate_is_issued_by(out->leaf, tried.intermediate) ||
            tried.intermediate == out->leaf)
            continue;
        tried.root = root_of(b, tried.intermediate, &has_name, &tried.is_simulated);
        if (tried.root == NULL) {
            blame(b, tried.intermediate, has_name, &tried);
        } else if (!certificate_is_ca(tried.intermediate)) {
            tried.fault = CHAIN_BROKEN;
            tried.why = "its issuer may not sign certificates";
        } else if (!is_signed(b, out->leaf, tried.intermediate)) {
            tried.fault = CHAIN_BROKEN;
            tried.why = "its issuer did not sign it";
        } else {
            tried.fault = CHAIN_GOOD;
            tried.why = "";
        }
        /* the best explanation is that of the candidate which came furthest */
        if (tried.fault == CHAIN_GOOD || out->root == NULL)
            *out = tried;
        if (tried.fault == CHAIN_GOOD)
            return;
    }
}

void chain_build(const struct certificate *leaf, bool has_intermediate,
                 const struct chain_pool *pool, const struct chain_roots *roots,
                 enum x509_form form, struct signature_cache *cache, struct chain *out)
{
    const struct build b = {.pool = pool, .roots = roots, .form = form, .cache = cache};

    *out = (struct chain){.leaf = leaf, .why = ""};
    if (has_intermediate)
        build_long(&b, out);
    else
        build_short(&b, out);
}

static bool has_subject_of(const struct certificate *c, const struct certificate *root)
{
    return X509_NAME_cmp(X509_get_subject_name(c->x509), X509_get_subject_name(root->x509)) == 0;
}

const char *chain_impostor(const struct chain_pool *pool, const struct chain_roots *roots,
                           enum x509_form form, struct signature_cache *cache)
{
    for (size_t i = 0; i < pool->given_count; i++) {
        const struct certificate *given = &pool->given[i];
        bool has_name = false, is_pinned = false;
        for (size_t k = 0; k < roots->count; k++) {
            const struct certificate *root = roots->items[k];
            if (!has_subject_of(given, root))
                continue;
            has_name = true;
            is_pinned = is_pinned || bytes_equal(given->der, root->der) ||
                        (certificate_is_same(given, root) &&
                         certificate_is_signed_by(given, root, form, cache));
        }
        if (has_name && !is_pinned)
            return "a root of this name was given that is not pinned";
    }
    return NULL;
}

size_t chain_links(const struct chain *chain, const struct certificate *links[3])
{
    size_t count = 0;

    links[count++] = chain->leaf;
    if (chain->intermediate != NULL)
        links[count++] = chain->intermediate;
    if (chain->root != NULL)
        links[count++] = chain->root;
    return count;
}
