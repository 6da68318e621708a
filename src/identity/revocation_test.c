/* Revocation lists: which are kept, and what they say. */
#include "identity/peer_test.h"

static const uint8_t serials[3 * 16] = {[0] = 0x7f, [16] = 1, 2, 3, [32 + 15] = 5};

static enum err_code put_at(struct bytes issuer, struct bytes crl, int64_t at)
{
    struct err err = {.code = ERR_NONE};
    int64_t floor = -1;

    bool ok = identity_trust_put_crl(trust, issuer, crl, at, &floor, &err);
    assert_int_equal(ok, err.code == ERR_NONE);
    assert_int_equal(ok, floor != -1);
    assert_true(ok || err.msg != NULL);
    assert_int_equal(ERR_peek_error(), 0);
    return err.code;
}

static enum err_code put(const struct list *list)
{
    return put_at(der_of(ca.x509), make_list(&ca, list), NOW);
}

static enum identity_fault recheck(struct bytes serial, int64_t at)
{
    return identity_trust_recheck(trust, der_of(ca.x509), serial, at);
}

static enum identity_fault recheck_keep(void)
{
    return recheck(bytes_from(serials + 16, 16), NOW);
}

static void lists_say_who_is_revoked(void **state)
{
    struct list list = list_of(NOW - 60, 5);

    (void)state;
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_NO_CRL);
    assert_int_equal(put(&list), ERR_NONE);
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_NONE);
    list.serials = serials;
    list.count = 3;
    list.number = 6;
    assert_int_equal(put(&list), ERR_NONE);
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_REVOKED);
    assert_int_equal(recheck(bytes_from("\x7f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), NOW),
                     IDENTITY_FAULT_REVOKED);
    assert_int_equal(recheck(bytes_from("\5", 1), NOW), IDENTITY_FAULT_REVOKED);
    assert_int_equal(recheck(bytes_from("\4", 1), NOW), IDENTITY_FAULT_NONE);
    assert_int_equal(recheck(bytes_from("\5\0", 2), NOW), IDENTITY_FAULT_NONE);
    assert_int_equal(recheck(bytes_from("\1\2\3", 3), NOW), IDENTITY_FAULT_NONE);
    assert_int_equal(recheck(bytes_from(serials, 21), NOW), IDENTITY_FAULT_NO_CRL);
    assert_int_equal(identity_trust_recheck(trust, der_of(root.x509), bytes_from("\5", 1), NOW),
                     IDENTITY_FAULT_NO_CRL); /* another CA's list says nothing */
}

/* Whatever the reason is, and whatever else a list may say without being obeyed. */
static void entries_may_have_reasons(void **state)
{
    struct list list = list_of(NOW - 60, 5);

    (void)state;
    list.serials = serials;
    list.count = 2;
    list.entry_oid = "CRLReason";
    list.entry = "DER:0A0106"; /* on hold */
    list.more_oid = "1.2.3.4";
    list.more = "DER:0500";
    assert_int_equal(put(&list), ERR_NONE);
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_REVOKED);
}

static void lists_are_of_now(void **state)
{
    const struct {
        int64_t from, to;
        enum err_code code;
    } cases[] = {
        {NOW, NOW + 3600, ERR_NONE},
        {NOW + 300, NOW + 3600, ERR_NONE},
        {NOW + 301, NOW + 3600, ERR_POLICY},
        {NOW - IDENTITY_CRL_AGE_MAX, NOW + 3600, ERR_NONE},
        {NOW - IDENTITY_CRL_AGE_MAX - 1, NOW + 3600, ERR_POLICY},
        {NOW - 3600, NOW, ERR_NONE},
        {NOW - 3600, NOW - 1, ERR_POLICY},
        {NOW, NOW - 1, ERR_FORMAT},
        {NOW, 0, ERR_FORMAT}, /* without a next update */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct list list = list_of(cases[i].from, 1);
        struct err err;
        list.to = cases[i].to;
        identity_trust_free(trust);
        assert_true(identity_trust_new(&trust, &err));
        assert_int_equal(put(&list), cases[i].code);
        assert_int_equal(recheck_keep(),
                         cases[i].code == ERR_NONE ? IDENTITY_FAULT_NONE : IDENTITY_FAULT_NO_CRL);
    }
    struct list list = list_of(NOW, 1);
    assert_int_equal(put_at(der_of(ca.x509), make_list(&ca, &list), INT64_MIN), ERR_POLICY);
    assert_int_equal(put_at(der_of(ca.x509), make_list(&ca, &list), INT64_MAX), ERR_POLICY);
}

static void lists_grow_old(void **state)
{
    const struct bytes serial = bytes_from("\5", 1);
    struct list list = list_of(NOW, 1);

    (void)state;
    list.to = NOW + 2 * (int64_t)IDENTITY_CRL_AGE_MAX;
    assert_int_equal(put(&list), ERR_NONE);
    assert_int_equal(recheck(serial, NOW + IDENTITY_CRL_AGE_MAX), IDENTITY_FAULT_NONE);
    assert_int_equal(recheck(serial, NOW + IDENTITY_CRL_AGE_MAX + 1), IDENTITY_FAULT_NO_CRL);
    assert_int_equal(recheck(serial, INT64_MAX), IDENTITY_FAULT_NO_CRL);
    list.from++;
    list.to = NOW + 100;
    assert_int_equal(put(&list), ERR_NONE);
    assert_int_equal(recheck(serial, NOW + 100), IDENTITY_FAULT_NONE);
    assert_int_equal(recheck(serial, NOW + 101), IDENTITY_FAULT_NO_CRL);
}

/* Who can replay an old list can undo a revocation. */
static void lists_do_not_go_back(void **state)
{
    struct list list = list_of(NOW - 60, 5);

    (void)state;
    list.serials = serials;
    list.count = 2;
    assert_int_equal(put(&list), ERR_NONE);
    assert_int_equal(put(&list), ERR_NONE); /* the same again */
    list.count = 0;
    list.from--;
    list.number = 6;
    assert_int_equal(put(&list), ERR_POLICY); /* older */
    list.from = NOW - 59;
    list.number = 4;
    assert_int_equal(put(&list), ERR_POLICY); /* a smaller number */
    list.number = 0;
    assert_int_equal(put(&list), ERR_POLICY);
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_REVOKED);
    list.number = -1; /* without one the time decides */
    assert_int_equal(put(&list), ERR_NONE);
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_NONE);
    list.number = 1;
    list.from++;
    assert_int_equal(put(&list), ERR_NONE);
    list.number = 300; /* more than a byte's */
    assert_int_equal(put(&list), ERR_NONE);
    list.number = 44;
    assert_int_equal(put(&list), ERR_POLICY);
}

static void lists_are_their_cas(void **state)
{
    struct list list = list_of(NOW - 60, 5);
    struct authority other = make(ca_profile(), &root); /* of the same name */
    struct profile p = ca_profile();

    (void)state;
    assert_int_equal(put_at(der_of(ca.x509), make_list(&other, &list), NOW), ERR_CRYPTO);
    assert_int_equal(put_at(der_of(ca.x509), make_list(&root, &list), NOW), ERR_CRYPTO);
    list.named = root.x509;
    assert_int_equal(put(&list), ERR_CRYPTO); /* indirect: its own key, another's name */
    list = list_of(NOW - 60, 5);
    list.digest = EVP_sha1();
    assert_int_equal(put(&list), ERR_CRYPTO);
    authority_done(&other);
    list.digest = EVP_sha256();
    p.usage = "critical,keyCertSign"; /* a CA that may not sign lists */
    other = make(p, &root);
    assert_int_equal(put_at(der_of(other.x509), make_list(&other, &list), NOW), ERR_CRYPTO);
    authority_done(&other);
    p.usage = CA_USAGE; /* and who is no CA at all */
    p.constraints = "critical,CA:FALSE";
    other = make(p, &root);
    assert_int_equal(put_at(der_of(other.x509), make_list(&other, &list), NOW), ERR_CRYPTO);
    authority_done(&other);
    assert_int_equal(put_at(bytes_of("no certificate"), make_list(&ca, &list), NOW), ERR_FORMAT);
    assert_int_equal(put_at(bytes_of(""), make_list(&ca, &list), NOW), ERR_FORMAT);
    struct writer w = writer_growable(&arena, 65536);
    struct bytes longer = {.size = 0};
    struct err err;
    writer_bytes(&w, der_of(ca.x509));
    writer_u8(&w, 0);
    assert_true(writer_done(&w, &longer, &err));
    assert_int_equal(put_at(longer, make_list(&ca, &list), NOW), ERR_FORMAT);
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_NO_CRL);
}

static void lists_of_rsa(void **state)
{
    struct list list = list_of(NOW - 60, 5);
    struct profile p = ca_profile();

    (void)state;
    p.key = EVP_RSA_gen(2048);
    struct authority rsa = make(p, &root);
    assert_int_equal(put_at(der_of(rsa.x509), make_list(&rsa, &list), NOW), ERR_NONE);
    list.digest = EVP_sha512();
    assert_int_equal(put_at(der_of(rsa.x509), make_list(&rsa, &list), NOW), ERR_NONE);
    list.digest = EVP_sha1();
    assert_int_equal(put_at(der_of(rsa.x509), make_list(&rsa, &list), NOW), ERR_CRYPTO);
    authority_done(&rsa);
    struct list by_root = list_of(NOW - 60, 5);
    by_root.digest = EVP_sha384();
    assert_int_equal(put_at(der_of(root.x509), make_list(&root, &by_root), NOW), ERR_NONE);
}

static void what_must_be_obeyed_is_refused(void **state)
{
    static const struct {
        const char *oid, *text;
    } of_list[] = {{"deltaCRL", "critical,DER:020101"},
                   {"deltaCRL", "DER:020101"},
                   {"issuingDistributionPoint", "critical,onlyuser:TRUE"},
                   {"issuingDistributionPoint", "critical,indirectCRL:TRUE"},
                   {"issuingDistributionPoint", "indirectCRL:TRUE"},
                   {"1.2.3.4", "critical,DER:0500"},
                   {"crlNumber", "DER:020109"}, /* a second one */
                   {"crlNumber", "DER:0500"}},
      of_entry[] = {{"certificateIssuer", "critical,DER:3000"},
                    {"certificateIssuer", "DER:3000"},
                    {"1.2.3.4", "critical,DER:0500"}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(of_list); i++) {
        struct list list = list_of(NOW - 60, 5);
        list.more_oid = of_list[i].oid;
        list.more = of_list[i].text;
        assert_int_equal(put(&list), ERR_FORMAT);
    }
    for (size_t i = 0; i < COUNT_OF(of_entry); i++) {
        struct list list = list_of(NOW - 60, 5);
        list.serials = serials;
        list.count = 1;
        list.entry_oid = of_entry[i].oid;
        list.entry = of_entry[i].text;
        assert_int_equal(put(&list), ERR_FORMAT);
    }
    struct list list = list_of(NOW - 60, -1);
    list.version = X509_CRL_VERSION_1;
    assert_int_equal(put(&list), ERR_FORMAT);
    static const uint8_t zero[16];
    list = list_of(NOW - 60, 5);
    list.serials = zero;
    list.count = 1;
    assert_int_equal(put(&list), ERR_FORMAT);
}

static void check_damaged(struct bytes damaged)
{
    assert_int_not_equal(put_at(der_of(ca.x509), damaged, NOW), ERR_NONE);
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_NO_CRL);
}

static void damaged_lists_are_refused(void **state)
{
    struct list list = list_of(NOW - 60, 5);

    (void)state;
    list.serials = serials;
    list.count = 3;
    list.entry_oid = "CRLReason";
    list.entry = "DER:0A0101";
    struct bytes der = make_list(&ca, &list);
    for_each_damage(der, check_damaged);
    struct writer w = writer_growable(&arena, 65536);
    struct bytes longer = {.size = 0};
    struct err err;
    writer_bytes(&w, der);
    writer_u8(&w, 0);
    assert_true(writer_done(&w, &longer, &err));
    check_damaged(longer);
}

/* The CA signs what does not read as a list: each byte of what is signed, changed and signed again.
 * It is kept or not; never is it more than what it says. */
static struct bytes sign_list(struct bytes tbs)
{
    static const uint8_t ecdsa_sha256[] = {0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    struct writer w = writer_growable(&arena, 65536);
    uint8_t signature[128];
    size_t size = sizeof signature;
    struct bytes crl = {.size = 0};
    struct err err;

    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, ca.key), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &size, tbs.data, tbs.size), 1);
    EVP_MD_CTX_free(context);
    size_t mark = der_open(&w, DER_SEQUENCE);
    writer_bytes(&w, tbs);
    writer_bytes(&w, bytes_from(ecdsa_sha256, sizeof ecdsa_sha256));
    size_t bits = der_open(&w, DER_BIT_STRING);
    writer_u8(&w, 0);
    writer_bytes(&w, bytes_from(signature, size));
    der_close(&w, bits);
    der_close(&w, mark);
    assert_true(writer_done(&w, &crl, &err));
    return crl;
}

static struct bytes signed_part(struct bytes crl)
{
    struct reader r = reader_of(crl), whole;
    struct bytes ignored;

    assert_true(der_enter(&r, DER_SEQUENCE, &whole) && der_element(&whole, DER_SEQUENCE, &ignored));
    return bytes_before(whole.in, whole.at);
}

static void check_signed_damage(struct bytes tbs)
{
    struct err err;

    identity_trust_free(trust);
    assert_true(identity_trust_new(&trust, &err));
    struct bytes exact = exact_copy(sign_list(tbs));
    enum err_code code = put_at(der_of(ca.x509), exact, NOW);
    exact_free(exact);
    assert_int_equal(recheck(bytes_from("\4", 1), NOW),
                     code == ERR_NONE ? IDENTITY_FAULT_NONE : IDENTITY_FAULT_NO_CRL);
}

static void what_is_signed_may_be_malformed_too(void **state)
{
    struct list list = list_of(NOW - 60, 5);

    (void)state;
    list.serials = serials;
    list.count = 2;
    list.entry_oid = "CRLReason";
    list.entry = "DER:0A0101";
    for_each_damage(signed_part(make_list(&ca, &list)), check_signed_damage);
}

static void put_signed(struct bytes tbs, enum err_code code)
{
    assert_int_equal(put_at(der_of(ca.x509), sign_list(tbs), NOW), code);
}

static void versions_and_algorithms_must_be_right(void **state)
{
    struct list list = list_of(NOW - 60, 5);
    struct bytes tbs = signed_part(make_list(&ca, &list));
    uint8_t *version = (uint8_t *)memmem(tbs.data, tbs.size, "\2\1\1", 3) + 2;

    (void)state;
    put_signed(tbs, ERR_NONE);
    *version = 0;
    put_signed(tbs, ERR_FORMAT);
    *version = 2;
    put_signed(tbs, ERR_FORMAT);
    list.digest = EVP_sha384(); /* what is signed names another algorithm than the signature */
    put_signed(signed_part(make_list(&ca, &list)), ERR_FORMAT);
}

static void serials_are_bounded(void **state)
{
    static const uint8_t long_serial[21] = {0x81, [20] = 1};
    struct list list = list_of(NOW - 60, 5);

    (void)state;
    list.serials = long_serial;
    list.count = 1;
    list.serial_size = 20;
    assert_int_equal(put(&list), ERR_NONE);
    assert_int_equal(recheck(bytes_from(long_serial, 20), NOW), IDENTITY_FAULT_REVOKED);
    list.serial_size = 21;
    assert_int_equal(put(&list), ERR_FORMAT);
}

/* Who has a certificate by ECDSA can make another of it, with the same content. */
static void a_ca_is_known_by_what_was_signed(void **state)
{
    struct list list = list_of(NOW - 60, 5);
    X509 *again = X509_dup(ca.x509);

    (void)state;
    assert_int_equal(put(&list), ERR_NONE);
    assert_true(X509_sign(again, root.key, EVP_sha256()) > 0);
    struct bytes other = der_of(again);
    assert_false(bytes_equal(other, der_of(ca.x509)));
    assert_int_equal(identity_trust_recheck(trust, other, bytes_from("\5", 1), NOW),
                     IDENTITY_FAULT_NONE);
    list.from--;
    assert_int_equal(put_at(other, make_list(&ca, &list), NOW), ERR_POLICY); /* older */
    assert_int_equal(
        identity_trust_recheck(trust, bytes_before(other, 9), bytes_from("\5", 1), NOW),
        IDENTITY_FAULT_NO_CRL);
    X509_free(again);
}

static void lists_are_bounded(void **state)
{
    struct bytes large = {.size = IDENTITY_CRL_SIZE_MAX + 1};
    struct authority many[IDENTITY_CRLS_MAX];
    struct list list = list_of(NOW - 60, 5);

    (void)state;
    uint8_t *memory = calloc(1, large.size);
    assert_non_null(memory);
    large.data = memory;
    assert_int_equal(put_at(der_of(ca.x509), large, NOW), ERR_LIMIT);
    free(memory);
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = make(ca_profile(), &root);
        list.to = i == 7 ? NOW + 100 : NOW + 1000;
        assert_int_equal(put_at(der_of(many[i].x509), make_list(&many[i], &list), NOW), ERR_NONE);
    }
    assert_int_equal(put(&list), ERR_LIMIT);
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_NO_CRL);
    list.from++;
    assert_int_equal(put_at(der_of(many[9].x509), make_list(&many[9], &list), NOW), ERR_NONE);
    /* one that has become too old makes room, and no other */
    assert_int_equal(put_at(der_of(ca.x509), make_list(&ca, &list), NOW + 100), ERR_LIMIT);
    assert_int_equal(put_at(der_of(ca.x509), make_list(&ca, &list), NOW + 101), ERR_NONE);
    assert_int_equal(recheck_keep(), IDENTITY_FAULT_NONE);
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        assert_int_equal(
            identity_trust_recheck(trust, der_of(many[i].x509), bytes_from("\5", 1), NOW),
            i == 7 ? IDENTITY_FAULT_NO_CRL : IDENTITY_FAULT_NONE);
        authority_done(&many[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_say_who_is_revoked),
        TEST(entries_may_have_reasons),
        TEST(lists_are_of_now),
        TEST(lists_grow_old),
        TEST(lists_do_not_go_back),
        TEST(lists_are_their_cas),
        TEST(lists_of_rsa),
        TEST(what_must_be_obeyed_is_refused),
        TEST(damaged_lists_are_refused),
        TEST(what_is_signed_may_be_malformed_too),
        TEST(versions_and_algorithms_must_be_right),
        TEST(serials_are_bounded),
        TEST(a_ca_is_known_by_what_was_signed),
        TEST(lists_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
