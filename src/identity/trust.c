/* Whom a keep believes: the roots of Stewards, which are files of its package. */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "identity/peer_internal.h"
#include "base/banned.h"

#define NAME_SIZE_MAX 4096u /* bytes of a file's name */

bool identity_trust_new(struct identity_trust **out, struct err *err)
{
    struct identity_trust *trust = calloc(1, sizeof *trust);

    if (trust == NULL)
        return err_set(err, ERR_MEMORY, "no memory for trusted Stewards", ERR_NO_AT);
    *out = trust;
    return true;
}

static void steward_done(struct steward *s)
{
    for (size_t i = 0; s->vouched != NULL && i < VOUCHED_MAX; i++)
        identity_vouched_done(&s->vouched[i]);
    free(s->vouched);
    X509_STORE_free(s->roots);
    free(s->name);
}

void identity_trust_free(struct identity_trust *trust)
{
    if (trust == NULL)
        return;
    for (size_t i = 0; i < trust->steward_count; i++)
        steward_done(&trust->stewards[i]);
    for (size_t i = 0; i < trust->list_count; i++)
        free(trust->lists[i].memory);
    free(trust);
}

size_t identity_trust_count(const struct identity_trust *trust)
{
    return trust->steward_count;
}

/* A self-signed CA. What the strict checks of chains would refuse later is refused here, where the
 * one who wrote the package sees it: RFC 5280 §4.2.1.2, §4.2.1.3, §4.2.1.9. */
static bool is_root(X509 *x509)
{
    int constraints = X509_get_ext_by_NID(x509, NID_basic_constraints, -1);

    return identity_link_is_sound(x509) && X509_check_ca(x509) == 1 &&
           (X509_get_extension_flags(x509) & EXFLAG_KUSAGE) != 0 && constraints >= 0 &&
           X509_EXTENSION_get_critical(X509_get_ext(x509, constraints)) != 0 &&
           X509_get0_subject_key_id(x509) != NULL && X509_self_signed(x509, 1) == 1;
}

static bool add_roots(X509_STORE *store, const STACK_OF(X509) * roots, struct err *err)
{
    for (int i = 0; i < sk_X509_num(roots); i++) {
        X509 *root = sk_X509_value(roots, i);
        if (!is_root(root))
            return err_set(err, ERR_FORMAT,
                           "a trusted certificate is no self-signed CA's, or is too weak; in its "
                           "file it is number",
                           (uint64_t)i + 1);
        if (X509_STORE_add_cert(store, root) != 1)
            return err_set(err, ERR_MEMORY, "no memory for trusted Stewards", ERR_NO_AT);
    }
    return true;
}

static bool steward_init(struct steward *s, struct bytes name, const STACK_OF(X509) * roots,
                         struct err *err)
{
    *s = (struct steward){.name = malloc(name.size),
                          .name_size = name.size,
                          .roots = X509_STORE_new(),
                          .vouched = calloc(VOUCHED_MAX, sizeof *s->vouched)};
    if (s->name == NULL || s->roots == NULL || s->vouched == NULL)
        return err_set(err, ERR_MEMORY, "no memory for trusted Stewards", ERR_NO_AT);
    memcpy(s->name, name.data, name.size);
    return add_roots(s->roots, roots, err);
}

bool identity_trust_add(struct identity_trust *trust, struct bytes name, struct bytes pem,
                        struct err *err)
{
    STACK_OF(X509) *roots = NULL;
    struct steward s;

    if (trust->steward_count == IDENTITY_STEWARDS_MAX)
        return err_set(err, ERR_LIMIT, "more trusted Stewards than", IDENTITY_STEWARDS_MAX);
    if (name.size == 0 || name.size > NAME_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "a Steward's name has no or too many bytes:", name.size);
    if (!identity_pem_read(pem, IDENTITY_ROOTS_MAX, &roots, err))
        return false;
    bool ok = steward_init(&s, name, roots, err);
    sk_X509_pop_free(roots, X509_free);
    ERR_clear_error();
    if (!ok) {
        steward_done(&s);
        return false;
    }
    trust->stewards[trust->steward_count++] = s;
    return true;
}
