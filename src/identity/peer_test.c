/* Who a peer is: real chains, and one test for each way of pretending. */
#include "identity/peer_test.h"

#define SENT_MAX 12

static struct identity_peer peer; /* what was found last */

/* Certificates until NULL, the leaf apart. Whoever is judged twice is found to be the same. */
static enum identity_fault judge_at(X509 *leaf, X509 *const *sent, bool simulated, int64_t at)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    struct identity_peer before;

    for (; *sent != NULL; sent++)
        assert_true(sk_X509_push(chain, *sent) > 0);
    memset(&before, 0x5a, sizeof before);
    memset(&peer, 0x5a, sizeof peer);
    identity_peer_judge(trust, leaf, chain, simulated, at, &arena, &before);
    identity_peer_judge(trust, leaf, chain, simulated, at, &arena, &peer);
    sk_X509_free(chain);
    assert_int_equal(peer.kind == IDENTITY_ANONYMOUS, peer.fault != IDENTITY_FAULT_NONE);
    assert_int_equal(peer.fault, before.fault);
    assert_int_equal(peer.not_after, before.not_after);
    assert_int_equal(peer.floor, before.floor);
    assert_true(bytes_equal(peer.issuer, before.issuer));
    assert_true(bytes_equal(peer.steward, before.steward));
    assert_int_equal(ERR_peek_error(), 0);
    return peer.fault;
}

#define JUDGE_AT(at, leaf, ...) judge_at((leaf), (X509 *const[]){__VA_ARGS__, NULL}, false, (at))
#define JUDGE(leaf, ...) JUDGE_AT(NOW, leaf, __VA_ARGS__)

/* What the leaf is found to be, which is then given back. */
static void assert_fault(X509 *leaf, enum identity_fault expected)
{
    assert_int_equal(JUDGE(leaf, ca.x509), expected);
    X509_free(leaf);
}

static int with_list(void **state)
{
    int status = set_up(state);
    struct list list = list_of(NOW - 60, 5);

    put_list(&ca, &list);
    return status;
}

/* Its CA and root have been seen. */
static int with_one_known(void **state)
{
    int status = with_list(state);
    X509 *leaf = new_keep();

    assert_int_equal(JUDGE(leaf, ca.x509), IDENTITY_FAULT_NONE);
    X509_free(leaf);
    return status;
}

/* ---- those who are known ---- */

static void a_keep_is_known(void **state)
{
    X509 *leaf = new_keep();

    (void)state;
    assert_int_equal(JUDGE(leaf, ca.x509), IDENTITY_FAULT_NONE);
    assert_int_equal(peer.kind, IDENTITY_KEEP);
    assert_true(bytes_is(peer.certificate.identity.claims.slug, SLUG));
    assert_true(bytes_equal(peer.certificate.spki, spki_of(key)));
    assert_true(bytes_is(peer.steward, STEWARD));
    assert_true(bytes_is(peer.crl_url, CRL_URL));
    assert_true(bytes_equal(peer.issuer, der_of(ca.x509)));
    assert_true(bytes_equal(peer.serial, bytes_from("\1\2\3\0\0\0\0\0\0\0\0\0\0\0\0\0", 16)));
    assert_int_equal(peer.not_after, NOW + 86100);
    assert_int_equal(peer.floor, NOW - 300);
    X509_free(leaf);
}

static void a_keep_without_a_name_is_local(void **state)
{
    struct identity_fields fields = fields_of("", true);
    X509 *leaf = issue(&fields);

    (void)state;
    assert_int_equal(JUDGE(leaf, ca.x509), IDENTITY_FAULT_NONE);
    assert_int_equal(peer.kind, IDENTITY_LOCAL);
    X509_free(leaf);
}

static void what_else_is_sent_does_not_matter(void **state)
{
    struct authority stranger = make(ca_profile(), NULL);
    X509 *leaf = new_keep();

    (void)state;
    assert_int_equal(JUDGE(leaf, leaf, ca.x509), IDENTITY_FAULT_NONE);
    assert_int_equal(JUDGE(leaf, leaf, ca.x509, root.x509), IDENTITY_FAULT_NONE);
    assert_int_equal(JUDGE(leaf, root.x509, stranger.x509, ca.x509), IDENTITY_FAULT_NONE);
    assert_true(bytes_equal(peer.issuer, der_of(ca.x509)));
    assert_int_equal(JUDGE(leaf, leaf), IDENTITY_FAULT_UNKNOWN_STEWARD); /* the CA's is missing */
    identity_peer_judge(trust, leaf, NULL, false, NOW, &arena, &peer);
    assert_int_equal(peer.fault, IDENTITY_FAULT_UNKNOWN_STEWARD);
    authority_done(&stranger);
    X509_free(leaf);
}

static void a_root_may_issue_itself(void **state)
{
    struct profile p = root_profile();
    struct list list = list_of(NOW - 60, 1);
    struct identity_fields fields = fields_of(SLUG, true);

    (void)state;
    p.name = "Another Root";
    struct authority small = make(p, NULL);
    X509 *leaf = issue_by(&small, &fields);
    add_steward("small.pem", PEM(small.x509));
    put_list(&small, &list);
    identity_peer_judge(trust, leaf, NULL, false, NOW, &arena, &peer);
    assert_int_equal(peer.fault, IDENTITY_FAULT_NONE);
    assert_true(bytes_equal(peer.issuer, der_of(small.x509)));
    assert_true(bytes_is(peer.steward, "small.pem"));
    X509_free(leaf);
    authority_done(&small);
}

/* Names of CAs are anybody's choice: one Steward's must not stand in another's way. */
static void stewards_of_one_name_are_told_apart(void **state)
{
    struct authority other_root = make(root_profile(), NULL);
    struct authority other = make(ca_profile(), &other_root);
    struct identity_fields fields = fields_of(SLUG, true);
    struct list list = list_of(NOW - 60, 1);
    X509 *theirs = issue_by(&other, &fields), *ours = new_keep();

    (void)state;
    assert_int_equal(JUDGE(theirs, other.x509), IDENTITY_FAULT_UNKNOWN_STEWARD);
    add_steward("other.pem", PEM(other_root.x509));
    assert_int_equal(identity_trust_count(trust), 2);
    put_list(&other, &list);
    assert_int_equal(JUDGE(theirs, other.x509, other_root.x509), IDENTITY_FAULT_NONE);
    assert_true(bytes_is(peer.steward, "other.pem"));
    assert_int_equal(JUDGE(ours, ca.x509), IDENTITY_FAULT_NONE);
    assert_true(bytes_is(peer.steward, STEWARD));
    assert_int_equal(JUDGE(ours, other.x509), IDENTITY_FAULT_UNKNOWN_STEWARD);
    X509_free(theirs);
    X509_free(ours);
    authority_done(&other);
    authority_done(&other_root);
}

static void a_file_may_have_several_roots(void **state)
{
    struct profile p = root_profile();

    (void)state;
    p.name = "Old Root";
    struct authority old = make(p, NULL);
    X509 *leaf = new_keep();
    struct err err;
    identity_trust_free(trust);
    assert_true(identity_trust_new(&trust, &err));
    add_steward("both.pem", PEM(old.x509, root.x509));
    assert_int_equal(JUDGE(leaf, ca.x509), IDENTITY_FAULT_NO_CRL);
    assert_true(bytes_is(peer.steward, "both.pem"));
    X509_free(leaf);
    authority_done(&old);
}

/* ---- those who pretend ---- */

static void without_a_certificate_it_is_nobody(void **state)
{
    (void)state;
    assert_int_equal(JUDGE(NULL, ca.x509), IDENTITY_FAULT_ABSENT);
}

static void an_ordinary_certificate_is_no_keeps(void **state)
{
    struct profile p = ca_profile();

    (void)state;
    p.constraints = "critical,CA:FALSE";
    p.usage = "critical,digitalSignature";
    struct authority self = make(p, NULL), bought = make(p, &ca);
    assert_int_equal(JUDGE(self.x509, ca.x509), IDENTITY_FAULT_NO_KEEP);
    assert_int_equal(JUDGE(bought.x509, ca.x509), IDENTITY_FAULT_NO_KEEP);
    authority_done(&self);
    authority_done(&bought);
}

/* Whoever signed it, but a trusted Steward, may have written what it says. */
static void what_strangers_sign_proves_nothing(void **state)
{
    struct identity_fields fields = fields_of(SLUG, true);
    struct profile p = root_profile();

    (void)state;
    /* by itself: its own name, key and extension */
    EVP_PKEY_up_ref(key);
    struct authority self = {.key = key, .x509 = X509_dup(ca.x509)};
    X509_set_subject_name(self.x509, X509_get_subject_name(ca.x509));
    X509 *leaf = issue_by(&self, &fields);
    X509_set_issuer_name(leaf, X509_get_subject_name(leaf));
    assert_true(X509_sign(leaf, key, EVP_sha256()) > 0);
    leaf = read_again(leaf);
    assert_fault(leaf, IDENTITY_FAULT_UNKNOWN_STEWARD);
    authority_done(&self);
    /* by an authority of ordinary servers, which the package may trust as such */
    p.name = "Web Root";
    struct authority anchor = make(p, NULL);
    leaf = issue_by(&anchor, &fields);
    assert_int_equal(JUDGE(leaf, anchor.x509), IDENTITY_FAULT_UNKNOWN_STEWARD);
    X509_free(leaf);
    authority_done(&anchor);
    /* by one with the name and key identifier of the CA */
    struct authority forger = {.key = EVP_EC_gen("P-256"), .x509 = X509_dup(ca.x509)};
    leaf = issue_by(&forger, &fields);
    assert_fault(leaf, IDENTITY_FAULT_UNKNOWN_STEWARD);
    /* and its certificate with another's key in it */
    assert_int_equal(X509_set_pubkey(forger.x509, forger.key), 1);
    assert_true(X509_sign(forger.x509, forger.key, EVP_sha256()) > 0);
    forger.x509 = read_again(forger.x509);
    leaf = issue_by(&forger, &fields);
    assert_int_equal(JUDGE(leaf, forger.x509), IDENTITY_FAULT_UNKNOWN_STEWARD);
    X509_free(leaf);
    authority_done(&forger);
}

static void what_was_signed_cannot_be_changed(void **state)
{
    X509 *leaf = new_keep();
    struct bytes der = der_of(leaf);

    (void)state;
    for (size_t at = 0; at < der.size; at++) {
        struct bytes copy = exact_copy(der);
        ((uint8_t *)(uintptr_t)copy.data)[at] ^= 1;
        const uint8_t *from = copy.data;
        X509 *changed = d2i_X509(NULL, &from, (long)copy.size);
        ERR_clear_error();
        if (changed != NULL)
            assert_int_not_equal(JUDGE(changed, ca.x509), IDENTITY_FAULT_NONE);
        X509_free(changed);
        exact_free(copy);
    }
    X509_free(leaf);
}

static void a_platform_and_enarxs_keeps_are_no_peers(void **state)
{
    struct identity_fields fields = fields_of("", false);

    (void)state;
    assert_fault(issue(&fields), IDENTITY_FAULT_PLATFORM);
    fields.identity.is_simulated = true;
    assert_fault(issue(&fields), IDENTITY_FAULT_PLATFORM);
    fields.space = IDENTITY_OF_ENARX;
    assert_fault(issue(&fields), IDENTITY_FAULT_ENARX);
}

static void simulated_keeps_are_let_in_where_that_is_said(void **state)
{
    struct identity_fields fields = fields_of(SLUG, true);

    (void)state;
    fields.identity.is_simulated = true;
    X509 *leaf = issue(&fields);
    X509 *const sent[] = {ca.x509, NULL};
    assert_int_equal(judge_at(leaf, sent, false, NOW), IDENTITY_FAULT_SIMULATED);
    assert_int_equal(judge_at(leaf, sent, true, NOW), IDENTITY_FAULT_NONE);
    assert_int_equal(peer.kind, IDENTITY_KEEP);
    X509_free(leaf);
}

static void dates_are_kept(void **state)
{
    struct identity_fields fields = fields_of(SLUG, true);

    (void)state;
    X509 *leaf = issue(&fields);
    assert_int_equal(JUDGE_AT(NOW - 301, leaf, ca.x509), IDENTITY_FAULT_NOT_YET);
    assert_int_equal(JUDGE_AT(NOW - 300, leaf, ca.x509), IDENTITY_FAULT_NONE);
    assert_int_equal(JUDGE_AT(NOW + 86099, leaf, ca.x509), IDENTITY_FAULT_NONE);
    assert_int_equal(JUDGE_AT(NOW + 86100, leaf, ca.x509), IDENTITY_FAULT_EXPIRED);
    assert_int_equal(JUDGE_AT(INT64_MIN, leaf, ca.x509), IDENTITY_FAULT_NOT_YET);
    assert_int_equal(JUDGE_AT(INT64_MAX, leaf, ca.x509), IDENTITY_FAULT_EXPIRED);
    X509_free(leaf);
}

/* The leaf of another CA of the trusted root, and what becomes of it. */
static void assert_ca(struct profile p, enum identity_fault expected)
{
    struct authority other = make(p, &root);
    struct identity_fields fields = fields_of(SLUG, true);
    X509 *leaf = issue_by(&other, &fields);

    if (JUDGE(leaf, other.x509) != expected)
        fail_msg("%s %s: %s", p.constraints, p.usage, identity_fault_text(peer.fault));
    X509_free(leaf);
    authority_done(&other);
}

static void dates_of_the_chain_are_kept_too(void **state)
{
    struct profile p = ca_profile();

    (void)state;
    p.to = NOW;
    assert_ca(p, IDENTITY_FAULT_EXPIRED);
    p.to = NOW + 1;
    assert_ca(p, IDENTITY_FAULT_NO_CRL); /* as for everyone who is known, but for the list */
    assert_int_equal(peer.not_after, NOW + 1);
    p.to = NOW + DAY;
    p.from = NOW + 1;
    assert_ca(p, IDENTITY_FAULT_NOT_YET);
    p.from = NOW;
    assert_ca(p, IDENTITY_FAULT_NO_CRL);
    assert_int_equal(peer.floor, NOW);
    X509 *leaf = new_keep();
    assert_int_equal(JUDGE_AT(NOW + 1001 * DAY, leaf, ca.x509), IDENTITY_FAULT_EXPIRED);
    X509_free(leaf);
}

/* What was once verified does not outlast its dates. */
static void who_vouched_is_looked_at_each_time(void **state)
{
    struct profile p = root_profile();
    struct identity_fields fields = fields_of(SLUG, true);

    (void)state;
    p.name = "Brief Root";
    p.from = NOW - 200;
    p.to = NOW + 200;
    struct authority brief = make(p, NULL);
    p = ca_profile();
    struct authority lasting = make(p, &brief);
    p.from = NOW - 100;
    p.to = NOW + 100;
    struct authority briefer = make(p, &root);
    add_steward("brief.pem", PEM(brief.x509));
    X509 *one = issue_by(&lasting, &fields), *other = issue_by(&briefer, &fields);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(JUDGE_AT(NOW - 201, one, lasting.x509), IDENTITY_FAULT_NOT_YET);
        assert_int_equal(JUDGE_AT(NOW - 200, one, lasting.x509), IDENTITY_FAULT_NO_CRL);
        assert_int_equal(JUDGE_AT(NOW + 199, one, lasting.x509), IDENTITY_FAULT_NO_CRL);
        assert_int_equal(peer.not_after, NOW + 200);
        assert_int_equal(peer.floor, NOW - 200);
        assert_int_equal(JUDGE_AT(NOW + 200, one, lasting.x509), IDENTITY_FAULT_EXPIRED);
        assert_int_equal(JUDGE_AT(NOW - 101, other, briefer.x509), IDENTITY_FAULT_NOT_YET);
        assert_int_equal(JUDGE_AT(NOW - 100, other, briefer.x509), IDENTITY_FAULT_NO_CRL);
        assert_int_equal(JUDGE_AT(NOW + 99, other, briefer.x509), IDENTITY_FAULT_NO_CRL);
        assert_int_equal(JUDGE_AT(NOW + 100, other, briefer.x509), IDENTITY_FAULT_EXPIRED);
    }
    X509_free(one);
    X509_free(other);
    authority_done(&lasting);
    authority_done(&brief);
    authority_done(&briefer);
}

/* More than are remembered. */
static void a_steward_may_have_many_cas(void **state)
{
    struct identity_fields fields = fields_of(SLUG, true);
    struct authority cas[6];
    X509 *leaves[6];

    (void)state;
    for (int i = 0; i < 6; i++) {
        cas[i] = make(ca_profile(), &root);
        leaves[i] = issue_by(&cas[i], &fields);
    }
    for (int i = 0; i < 18; i++) {
        assert_int_equal(JUDGE(leaves[i % 6], cas[i % 6].x509), IDENTITY_FAULT_NO_CRL);
        assert_true(bytes_equal(peer.issuer, der_of(cas[i % 6].x509)));
        assert_int_equal(JUDGE(leaves[i % 6], cas[(i + 1) % 6].x509),
                         IDENTITY_FAULT_UNKNOWN_STEWARD);
    }
    for (int i = 0; i < 6; i++) {
        X509_free(leaves[i]);
        authority_done(&cas[i]);
    }
}

static void an_expired_root_is_none(void **state)
{
    struct profile p = root_profile();

    (void)state;
    p.to = NOW;
    authority_done(&root);
    root = make(p, NULL);
    struct err err;
    identity_trust_free(trust);
    assert_true(identity_trust_new(&trust, &err));
    add_steward(STEWARD, PEM(root.x509));
    assert_ca(ca_profile(), IDENTITY_FAULT_EXPIRED);
}

static void only_a_ca_issues(void **state)
{
    static const struct {
        const char *constraints, *usage, *purposes, *more_oid, *more;
        bool is_good;
    } cases[] = {
        {"critical,CA:TRUE,pathlen:0", CA_USAGE, NULL, NULL, NULL, true},
        {"critical,CA:TRUE", CA_USAGE, NULL, NULL, NULL, true},
        {"critical,CA:FALSE", CA_USAGE, NULL, NULL, NULL, false},
        {"critical,CA:FALSE", "critical,digitalSignature", NULL, NULL, NULL, false},
        {NULL, CA_USAGE, NULL, NULL, NULL, false},
        {"critical,CA:TRUE", "critical,cRLSign,digitalSignature", NULL, NULL, NULL, false},
        {"critical,CA:TRUE", NULL, NULL, NULL, NULL, false}, /* RFC 5280 §4.2.1.3: must be there */
        {"CA:TRUE", CA_USAGE, NULL, NULL, NULL, false},      /* §4.2.1.9: must be critical */
        {"critical,CA:TRUE", CA_USAGE, "serverAuth,clientAuth", NULL, NULL, true},
        {"critical,CA:TRUE", CA_USAGE, "serverAuth", NULL, NULL, false},
        {"critical,CA:TRUE", CA_USAGE, "clientAuth", NULL, NULL, false},
        {"critical,CA:TRUE", CA_USAGE, "emailProtection", NULL, NULL, false},
        {"critical,CA:TRUE", CA_USAGE, NULL, "1.2.3.4", "DER:0500", true},
        {"critical,CA:TRUE", CA_USAGE, NULL, "1.2.3.4", "critical,DER:0500", false},
        {"critical,CA:TRUE", CA_USAGE, NULL, "policyConstraints",
         "critical,requireExplicitPolicy:0", false},
        {"critical,CA:TRUE", CA_USAGE, NULL, "nameConstraints",
         "critical,permitted;URI:elsewhere.example", false},
        {"critical,CA:TRUE", CA_USAGE, NULL, "nameConstraints", "permitted;URI:example.org", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct profile p = ca_profile();
        p.constraints = cases[i].constraints;
        p.usage = cases[i].usage;
        p.purposes = cases[i].purposes;
        p.more_oid = cases[i].more_oid;
        p.more = cases[i].more;
        assert_ca(p, cases[i].is_good ? IDENTITY_FAULT_NO_CRL : IDENTITY_FAULT_UNKNOWN_STEWARD);
    }
}

static EVP_PKEY *explicit_curve(void)
{
    EVP_PKEY *out = EVP_EC_gen("P-256");

    assert_int_equal(EVP_PKEY_set_utf8_string_param(out, "encoding", "explicit"), 1);
    return out;
}

static void keys_and_digests_must_be_strong(void **state)
{
    struct profile p = ca_profile();

    (void)state;
    const struct {
        EVP_PKEY *key;
        const EVP_MD *digest;
        bool is_good;
    } cases[] = {
        {EVP_EC_gen("P-384"), EVP_sha384(), true},      {EVP_EC_gen("P-256"), EVP_sha512(), true},
        {EVP_EC_gen("P-256"), EVP_sha1(), false},       {EVP_EC_gen("P-256"), EVP_sha224(), false},
        {EVP_EC_gen("P-521"), EVP_sha256(), false},     {EVP_EC_gen("P-224"), EVP_sha256(), false},
        {EVP_EC_gen("secp256k1"), EVP_sha256(), false}, {explicit_curve(), EVP_sha256(), false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        p.key = cases[i].key;
        p.digest = cases[i].digest;
        assert_ca(p, cases[i].is_good ? IDENTITY_FAULT_NO_CRL : IDENTITY_FAULT_UNKNOWN_STEWARD);
    }
}

/* root, RSA, P-256, leaf: an RSA CA's signature is under a certificate in the middle, since a leaf
 * has ECDSA's. */
static void assert_rsa(unsigned bits, const EVP_MD *digest, enum identity_fault expected)
{
    struct profile p = ca_profile();
    struct identity_fields fields = fields_of(SLUG, true);

    p.constraints = "critical,CA:TRUE";
    p.name = "Middle CA";
    p.key = EVP_RSA_gen(bits);
    struct authority middle = make(p, &root);
    p = ca_profile();
    p.digest = digest;
    struct authority last = make(p, &middle);
    X509 *leaf = issue_by(&last, &fields);
    assert_int_equal(JUDGE(leaf, last.x509, middle.x509), expected);
    X509_free(leaf);
    authority_done(&last);
    authority_done(&middle);
}

static void rsa_must_be_strong_too(void **state)
{
    (void)state;
    assert_rsa(2048, EVP_sha256(), IDENTITY_FAULT_NO_CRL);
    assert_rsa(2047, EVP_sha256(), IDENTITY_FAULT_UNKNOWN_STEWARD);
    assert_rsa(1024, EVP_sha256(), IDENTITY_FAULT_UNKNOWN_STEWARD);
    assert_rsa(2048, EVP_sha1(), IDENTITY_FAULT_UNKNOWN_STEWARD);
}

static void a_leaf_issues_nothing(void **state)
{
    struct identity_fields fields = fields_of(SLUG, true);
    X509 *keep = new_keep();

    (void)state;
    struct authority by = {.key = key, .x509 = keep};
    X509 *leaf = issue_by(&by, &fields);
    assert_int_equal(JUDGE(leaf, keep, ca.x509), IDENTITY_FAULT_UNKNOWN_STEWARD);
    X509_free(leaf);
    X509_free(keep);
}

/* As many CAs between root and leaf, each by the one before; the last is first. */
static enum identity_fault judge_long(size_t count, size_t more, bool with_leaf)
{
    struct authority line[SENT_MAX];
    X509 *all[SENT_MAX + 1] = {NULL}, **sent = all + (with_leaf ? 1 : 0);
    struct identity_fields fields = fields_of(SLUG, true);
    struct profile p = ca_profile();

    p.constraints = "critical,CA:TRUE";
    for (size_t i = 0; i < count; i++) {
        char name[] = "CA a";
        name[3] = (char)('a' + i);
        p.name = name;
        line[i] = make(p, i == 0 ? &root : &line[i - 1]);
        sent[count - 1 - i] = line[i].x509;
    }
    for (size_t i = 0; i < more; i++)
        sent[count + i] = root.x509;
    X509 *leaf = issue_by(&line[count - 1], &fields);
    if (with_leaf)
        all[0] = leaf;
    enum identity_fault fault = judge_at(leaf, all, false, NOW);
    X509_free(leaf);
    for (size_t i = 0; i < count; i++)
        authority_done(&line[i]);
    return fault;
}

static void chains_are_bounded(void **state)
{
    (void)state;
    for (int with_leaf = 0; with_leaf <= 1; with_leaf++) {
        assert_int_equal(judge_long(IDENTITY_CHAIN_MAX - 1, 0, with_leaf), IDENTITY_FAULT_NO_CRL);
        assert_int_equal(judge_long(IDENTITY_CHAIN_MAX, 0, with_leaf),
                         IDENTITY_FAULT_UNKNOWN_STEWARD);
        assert_int_equal(judge_long(1, IDENTITY_CHAIN_MAX - 2, with_leaf), IDENTITY_FAULT_NO_CRL);
        assert_int_equal(judge_long(1, IDENTITY_CHAIN_MAX - 1, with_leaf),
                         IDENTITY_FAULT_UNKNOWN_STEWARD);
    }
}

static void the_ca_may_have_no_other_below(void **state)
{
    struct profile p = ca_profile();
    struct identity_fields fields = fields_of(SLUG, true);

    (void)state;
    p.name = "CA below";
    struct authority below = make(p, &ca);
    X509 *leaf = issue_by(&below, &fields);
    assert_int_equal(JUDGE(leaf, below.x509, ca.x509), IDENTITY_FAULT_UNKNOWN_STEWARD);
    X509_free(leaf);
    authority_done(&below);
}

/* ---- the profile ---- */

static void replace(X509 *x509, int nid, const char *text)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, text);

    X509_EXTENSION_free(X509_delete_ext(x509, X509_get_ext_by_NID(x509, nid, -1)));
    assert_non_null(e);
    assert_int_equal(X509_add_ext(x509, e, -1), 1);
    X509_EXTENSION_free(e);
}

static void mail(X509 *x509)
{
    replace(x509, NID_ext_key_usage, "emailProtection");
}

static void server_alone(X509 *x509)
{
    replace(x509, NID_ext_key_usage, "serverAuth");
}

static void other_name(X509 *x509)
{
    replace(x509, NID_subject_alt_name, "URI:spiffe://example.org/keep/h/u/r/1.0.0");
}

static void two_lists(X509 *x509)
{
    replace(x509, NID_crl_distribution_points, "URI:https://a.example/,URI:https://b.example/");
}

static void list_without_address(X509 *x509)
{
    replace(x509, NID_crl_distribution_points, "DNS:steward.example");
}

static void list_with_space(X509 *x509)
{
    replace(x509, NID_crl_distribution_points, "URI:https://steward.example/ HTTP");
}

static void set_serial(X509 *x509, const char *hex)
{
    BIGNUM *number = NULL;

    assert_true(BN_hex2bn(&number, hex) > 0);
    assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)));
    BN_free(number);
}

static void serial_zero(X509 *x509)
{
    set_serial(x509, "0");
}

static void serial_negative(X509 *x509)
{
    set_serial(x509, "-10203");
}

static void serial_too_long(X509 *x509)
{
    set_serial(x509, "010203040506070809101112131415161718192021");
}

static void the_leaf_keeps_to_the_profile(void **state)
{
    static void (*const damages[])(X509 *) = {mail,        server_alone,         other_name,
                                              two_lists,   list_without_address, list_with_space,
                                              serial_zero, serial_negative,      serial_too_long};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        X509 *leaf = new_keep();
        damages[i](leaf);
        assert_true(X509_sign(leaf, ca.key, EVP_sha256()) > 0);
        leaf = read_again(leaf);
        if (JUDGE(leaf, ca.x509) != IDENTITY_FAULT_PROFILE)
            fail_msg("%zu: %s", i, identity_fault_text(peer.fault));
        X509_free(leaf);
    }
}

static void a_long_serial_is_found(void **state)
{
    X509 *leaf = new_keep();

    (void)state;
    set_serial(leaf, "8102030405060708091011121314151617181920");
    assert_true(X509_sign(leaf, ca.key, EVP_sha256()) > 0);
    leaf = read_again(leaf);
    assert_int_equal(JUDGE(leaf, ca.x509), IDENTITY_FAULT_NONE);
    assert_int_equal(peer.serial.size, 20);
    X509_free(leaf);
}

/* ---- revocation ---- */

static void the_list_is_asked(void **state)
{
    static const uint8_t serials[32] = {[0] = 9, [16] = 1, 2, 3};
    struct list list = list_of(NOW - 50, 6);
    X509 *leaf = new_keep();

    (void)state;
    assert_int_equal(JUDGE_AT(NOW - 60 + IDENTITY_CRL_AGE_MAX, leaf, ca.x509),
                     IDENTITY_FAULT_EXPIRED); /* the certificate is shorter-lived than the list */
    list.serials = serials;
    list.count = 1;
    put_list(&ca, &list);
    assert_int_equal(JUDGE(leaf, ca.x509), IDENTITY_FAULT_NONE);
    list.count = 2;
    list.number = 7;
    put_list(&ca, &list);
    assert_int_equal(JUDGE(leaf, ca.x509), IDENTITY_FAULT_REVOKED);
    assert_true(bytes_is(peer.crl_url, CRL_URL));
    X509_free(leaf);
}

static void without_a_list_nobody_is_known(void **state)
{
    X509 *leaf = new_keep();

    (void)state;
    assert_int_equal(JUDGE(leaf, ca.x509), IDENTITY_FAULT_NO_CRL);
    assert_true(bytes_is(peer.crl_url, CRL_URL));
    assert_true(bytes_equal(peer.issuer, der_of(ca.x509)));
    X509_free(leaf);
}

/* ---- no memory ---- */

static void without_memory_nobody_is_known(void **state)
{
    X509 *leaf = new_keep();
    struct err err = {.code = ERR_NONE};

    (void)state;
    for (size_t size = 0;; size++) {
        uint8_t memory[4096];
        struct arena small;
        arena_init_fixed(&small, memory, size);
        STACK_OF(X509) *chain = sk_X509_new_null();
        assert_true(sk_X509_push(chain, ca.x509) > 0);
        identity_peer_judge(trust, leaf, chain, false, NOW, &small, &peer);
        sk_X509_free(chain);
        if (peer.fault == IDENTITY_FAULT_NONE)
            break;
        assert_int_equal(peer.fault, IDENTITY_FAULT_INTERNAL);
        const char *why = NULL;
        const struct config_rule open = {.anonymous = true, .admission = CONFIG_ADMIT_ANY_KEEP};
        assert_false(identity_admits(&open, &peer, &why));
        arena_done(&small);
        assert_true(size < sizeof memory);
    }
    assert_int_equal(err.code, ERR_NONE);
    X509_free(leaf);
}

/* ---- roots ---- */

static void assert_no_root(struct bytes pem, enum err_code code)
{
    size_t before = identity_trust_count(trust);
    struct err err;

    assert_false(identity_trust_add(trust, bytes_of("x.pem"), pem, &err));
    assert_int_equal(err.code, code);
    assert_int_equal(identity_trust_count(trust), before);
}

static void assert_no_root_of(struct profile p)
{
    struct authority a = make(p, NULL);

    assert_no_root(PEM(a.x509), ERR_FORMAT);
    authority_done(&a);
}

static void only_self_signed_cas_are_roots(void **state)
{
    struct profile p = root_profile();

    (void)state;
    assert_no_root(bytes_of(""), ERR_FORMAT);
    assert_no_root(bytes_of("no PEM"), ERR_FORMAT);
    assert_no_root(PEM(ca.x509), ERR_FORMAT); /* an intermediate */
    assert_no_root(PEM(root.x509, ca.x509), ERR_FORMAT);
    p.constraints = "critical,CA:FALSE";
    assert_no_root_of(p);
    p = root_profile();
    p.usage = NULL;
    assert_no_root_of(p);
    p.usage = "critical,cRLSign";
    assert_no_root_of(p);
    p = root_profile();
    p.constraints = "CA:TRUE";
    assert_no_root_of(p);
    p = root_profile();
    p.digest = EVP_sha1();
    assert_no_root_of(p);
    p = root_profile();
    p.key = EVP_RSA_gen(1024);
    assert_no_root_of(p);
    /* its own name and key identifier, another's signature */
    X509 *forged = X509_dup(root.x509);
    assert_true(X509_sign(forged, ca.key, EVP_sha256()) > 0);
    forged = read_again(forged);
    assert_no_root(PEM(forged), ERR_FORMAT);
    X509_free(forged);
}

static void files_of_roots_are_bounded(void **state)
{
    X509 *many[IDENTITY_ROOTS_MAX + 2] = {NULL};
    struct err err;

    (void)state;
    for (size_t i = 0; i < IDENTITY_ROOTS_MAX; i++)
        many[i] = root.x509;
    struct bytes pem = pem_of(many);
    add_steward("many.pem", pem);
    many[IDENTITY_ROOTS_MAX] = root.x509;
    assert_no_root(pem_of(many), ERR_LIMIT);
    static uint8_t large[(256 << 10) + 1];
    assert_no_root(bytes_from(large, sizeof large), ERR_LIMIT);
    for (size_t i = 2; i < IDENTITY_STEWARDS_MAX; i++)
        add_steward("more.pem", PEM(root.x509));
    assert_no_root(PEM(root.x509), ERR_LIMIT);
    assert_false(identity_trust_add(trust, bytes_of(""), PEM(root.x509), &err));
}

/* As a private key in PEM is: OpenSSL's usual way would ask a terminal for a password. */
static void an_encrypted_certificate_asks_nobody(void **state)
{
    struct writer w = writer_growable(&arena, 65536);
    struct bytes pem = PEM(root.x509), out = {.size = 0};
    const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    struct err err;

    (void)state;
    writer_text(&w, begin);
    writer_text(&w, "Proc-Type: 4,ENCRYPTED\n"
                    "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n");
    writer_bytes(&w, bytes_after(pem, sizeof begin - 1));
    assert_true(writer_done(&w, &out, &err));
    assert_no_root(out, ERR_FORMAT);
}

static void a_block_has_one_certificate(void **state)
{
    struct bytes der = der_of(root.x509);
    uint8_t longer[4096] = {0};
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    (void)state;
    memcpy(longer, der.data, der.size);
    assert_true(PEM_write_bio(bio, PEM_STRING_X509, "", longer, (long)der.size + 1) > 0);
    long size = BIO_get_mem_data(bio, &text);
    assert_no_root(bytes_from(text, (size_t)size), ERR_FORMAT);
    assert_int_equal(BIO_reset(bio), 1);
    assert_true(PEM_write_bio(bio, PEM_STRING_X509_CRL, "", der.data, (long)der.size) > 0);
    size = BIO_get_mem_data(bio, &text);
    assert_no_root(bytes_from(text, (size_t)size), ERR_FORMAT);
    BIO_free(bio);
}

static void check_damaged_root(struct bytes damaged)
{
    struct identity_trust *other;
    struct err err = {.code = ERR_NONE};

    assert_true(identity_trust_new(&other, &err));
    bool ok = identity_trust_add(other, bytes_of("x.pem"), damaged, &err);
    assert_int_equal(ok, identity_trust_count(other) == 1);
    assert_int_equal(ok, err.code == ERR_NONE);
    identity_trust_free(other);
}

static void damaged_roots_are_refused(void **state)
{
    (void)state;
    for_each_damage(PEM(root.x509), check_damaged_root);
}

/* ---- one's own certificate ---- */

static bool check_issued(struct bytes pem, const char *slug, int64_t at, struct err *err)
{
    struct identity_claims claims = claims_of(slug, true);

    return identity_issued_check(trust, pem, spki_of(key), &claims, at, &arena, &peer, err);
}

static void ones_own_certificate_is_accepted(void **state)
{
    struct identity_fields fields = fields_of(SLUG, true);
    struct identity_claims nothing = claims_of("", false);
    X509 *leaf = new_keep();
    struct err err;

    (void)state;
    assert_true(check_issued(PEM(leaf, ca.x509), SLUG, NOW, &err));
    assert_int_equal(peer.kind, IDENTITY_KEEP);
    assert_int_equal(peer.fault, IDENTITY_FAULT_NONE);
    assert_int_equal(peer.floor, NOW); /* when it was signed */
    assert_int_equal(peer.not_after, NOW + 86100);
    assert_true(bytes_equal(peer.issuer, der_of(ca.x509)));
    assert_true(bytes_is(peer.crl_url, CRL_URL));
    assert_true(check_issued(PEM(leaf, ca.x509, root.x509), SLUG, NOW, &err));
    X509_free(leaf);
    fields.identity.is_simulated = true; /* it knows what it runs on */
    leaf = issue(&fields);
    assert_true(check_issued(PEM(leaf, ca.x509), SLUG, NOW, &err));
    X509_free(leaf);
    fields = fields_of("", false);
    leaf = issue(&fields);
    assert_true(identity_issued_check(trust, PEM(leaf, ca.x509), spki_of(key), &nothing, NOW,
                                      &arena, &peer, &err));
    assert_int_equal(peer.fault, IDENTITY_FAULT_PLATFORM);
    assert_int_equal(peer.floor, NOW);
    X509_free(leaf);
}

static void assert_not_issued(X509 *leaf, const char *slug, int64_t at, enum err_code code)
{
    struct err err = {.code = ERR_NONE};

    assert_false(check_issued(PEM(leaf, ca.x509), slug, at, &err));
    assert_int_equal(err.code, code);
}

static void anothers_certificate_is_refused(void **state)
{
    struct identity_fields fields = fields_of(SLUG, true);
    struct identity_claims claims = claims_of(SLUG, true);
    EVP_PKEY *other = EVP_EC_gen("P-256");
    X509 *leaf = new_keep();
    struct err err;

    (void)state;
    assert_false(identity_issued_check(trust, PEM(leaf, ca.x509), spki_of(other), &claims, NOW,
                                       &arena, &peer, &err));
    assert_int_equal(err.code, ERR_POLICY);
    assert_not_issued(leaf, "", NOW, ERR_POLICY);
    assert_not_issued(leaf, "registry.example:8443/alice/chat-server:0.1.1", NOW, ERR_POLICY);
    claims.digest[31] ^= 1;
    assert_false(identity_issued_check(trust, PEM(leaf, ca.x509), spki_of(key), &claims, NOW,
                                       &arena, &peer, &err));
    assert_int_equal(err.code, ERR_POLICY);
    X509_free(leaf);
    fields = fields_of("", true); /* what was asked for without its name */
    leaf = issue(&fields);
    assert_not_issued(leaf, SLUG, NOW, ERR_POLICY);
    claims = claims_of("", false);
    assert_false(identity_issued_check(trust, PEM(leaf, ca.x509), spki_of(key), &claims, NOW,
                                       &arena, &peer, &err));
    assert_int_equal(err.code, ERR_POLICY);
    X509_free(leaf);
    fields = fields_of("", false); /* a platform's */
    leaf = issue(&fields);
    assert_not_issued(leaf, "", NOW, ERR_POLICY);
    X509_free(leaf);
    fields.space = IDENTITY_OF_ENARX;
    leaf = issue(&fields);
    assert_false(identity_issued_check(trust, PEM(leaf, ca.x509), spki_of(key), &claims, NOW,
                                       &arena, &peer, &err));
    assert_int_equal(err.code, ERR_POLICY);
    X509_free(leaf);
    EVP_PKEY_free(other);
}

static void ones_own_certificate_is_of_now(void **state)
{
    X509 *leaf = new_keep(); /* from NOW - 300 */
    struct err err;

    (void)state;
    /* it answers a nonce of now: a clock that is behind is wrong */
    static const int64_t behind[] = {NOW - 600, NOW - 601, NOW - INT64_C(172800), 0, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(behind); i++) {
        assert_true(check_issued(PEM(leaf, ca.x509), SLUG, behind[i], &err));
        assert_int_equal(peer.floor, NOW);
    }
    assert_true(check_issued(PEM(leaf, ca.x509), SLUG, NOW + 86099, &err));
    assert_not_issued(leaf, SLUG, NOW + 86100, ERR_POLICY);
    assert_not_issued(leaf, SLUG, INT64_MAX, ERR_POLICY);
    X509_free(leaf);
}

static void ones_own_certificate_is_the_stewards(void **state)
{
    struct authority other_root = make(root_profile(), NULL);
    struct authority other = make(ca_profile(), &other_root);
    struct identity_fields fields = fields_of(SLUG, true);
    struct profile p = ca_profile();
    struct err err;

    (void)state;
    X509 *leaf = issue_by(&other, &fields);
    assert_false(check_issued(PEM(leaf, other.x509, other_root.x509), SLUG, NOW, &err));
    assert_int_equal(err.code, ERR_CRYPTO);
    X509_free(leaf);
    p.constraints = "critical,CA:FALSE";
    struct authority ordinary = make(p, &ca);
    assert_false(check_issued(PEM(ordinary.x509, ca.x509), SLUG, NOW, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    assert_false(check_issued(bytes_of(""), SLUG, NOW, &err));
    assert_int_equal(err.code, ERR_FORMAT);
    leaf = new_keep();
    assert_false(check_issued(
        PEM(leaf, ca.x509, ca.x509, ca.x509, ca.x509, ca.x509, ca.x509, ca.x509, ca.x509), SLUG,
        NOW, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    X509_free(leaf);
    authority_done(&ordinary);
    authority_done(&other);
    authority_done(&other_root);
}

/* The last of it is an end of line, which nobody needs. */
static void a_cut_answer_is_refused(void **state)
{
    X509 *leaf = new_keep();
    struct bytes pem = PEM(leaf, ca.x509);
    struct err err;

    (void)state;
    for (size_t size = 0; size < pem.size - 1; size++) {
        struct bytes copy = exact_copy(bytes_before(pem, size));
        assert_false(check_issued(copy, SLUG, NOW, &err));
        exact_free(copy);
    }
    X509_free(leaf);
}

#define LISTED(name)                                                   \
    cmocka_unit_test_setup_teardown(name, with_list, tear_down),       \
    {                                                                  \
#name ", after another", name, with_one_known, tear_down, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTED(a_keep_is_known),
        LISTED(a_keep_without_a_name_is_local),
        LISTED(what_else_is_sent_does_not_matter),
        LISTED(a_root_may_issue_itself),
        LISTED(stewards_of_one_name_are_told_apart),
        LISTED(a_file_may_have_several_roots),
        LISTED(without_a_certificate_it_is_nobody),
        LISTED(an_ordinary_certificate_is_no_keeps),
        LISTED(what_strangers_sign_proves_nothing),
        LISTED(what_was_signed_cannot_be_changed),
        LISTED(a_platform_and_enarxs_keeps_are_no_peers),
        LISTED(simulated_keeps_are_let_in_where_that_is_said),
        LISTED(dates_are_kept),
        TEST(dates_of_the_chain_are_kept_too),
        TEST(who_vouched_is_looked_at_each_time),
        TEST(a_steward_may_have_many_cas),
        TEST(an_expired_root_is_none),
        TEST(only_a_ca_issues),
        TEST(keys_and_digests_must_be_strong),
        TEST(rsa_must_be_strong_too),
        LISTED(a_leaf_issues_nothing),
        TEST(chains_are_bounded),
        LISTED(the_ca_may_have_no_other_below),
        LISTED(the_leaf_keeps_to_the_profile),
        LISTED(a_long_serial_is_found),
        LISTED(the_list_is_asked),
        TEST(without_a_list_nobody_is_known),
        LISTED(without_memory_nobody_is_known),
        TEST(only_self_signed_cas_are_roots),
        TEST(files_of_roots_are_bounded),
        TEST(an_encrypted_certificate_asks_nobody),
        TEST(a_block_has_one_certificate),
        TEST(damaged_roots_are_refused),
        TEST(ones_own_certificate_is_accepted),
        TEST(anothers_certificate_is_refused),
        TEST(ones_own_certificate_is_of_now),
        TEST(ones_own_certificate_is_the_stewards),
        TEST(a_cut_answer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
