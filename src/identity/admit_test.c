/* Who may come in: each field of a pattern from both sides, and what the workload sees of a peer.
 */
#include "support.h"

#include "identity/peer.h"

#define WORKLOAD "registry.example:8443/alice/chat-server"

static const uint8_t measurement[32] = {0xab, 1};

static struct identity_peer peer_of(enum identity_peer_kind kind)
{
    struct identity_peer peer = {.kind = kind, .steward = bytes_of("steward.pem")};
    struct identity *identity = &peer.certificate.identity;

    identity->technology = IDENTITY_SGX;
    identity->measurement = bytes_from(measurement, sizeof measurement);
    identity->claims.has_digest = true;
    memset(identity->claims.digest, 0x67, sizeof identity->claims.digest);
    if (kind == IDENTITY_KEEP)
        identity->claims.slug = bytes_of(WORKLOAD ":0.1.0+x86");
    if (kind == IDENTITY_ANONYMOUS)
        peer.fault = IDENTITY_FAULT_ABSENT;
    return peer;
}

static struct identity_peer fault_of(enum identity_fault fault)
{
    struct identity_peer peer = peer_of(IDENTITY_ANONYMOUS);

    peer.fault = fault;
    return peer;
}

static struct digest digest_of(enum digest_algorithm algorithm, uint8_t size, uint8_t last)
{
    struct digest digest = {.algorithm = algorithm, .size = size};

    memset(digest.bytes, 0x67, size);
    digest.bytes[31] = last;
    return digest;
}

/* why NULL: admitted. */
static void assert_admits(const struct config_rule *rule, const struct identity_peer *peer,
                          const char *expected)
{
    const char *why = "nothing";

    bool ok = identity_admits(rule, peer, &why);
    if (ok != (expected == NULL) || (expected != NULL && strcmp(why, expected) != 0))
        fail_msg("%s, expected %s", ok ? "admitted" : why, expected != NULL ? expected : "not");
}

static void patterns_match_in_every_field(void **state)
{
    static const struct bytes tags[] = {{(const uint8_t *)"0.0.9", 5},
                                        {(const uint8_t *)"0.1.0+x86", 9}},
                              prefix[] = {{(const uint8_t *)"0.1.0", 5},
                                          {(const uint8_t *)"0.1.0+x8", 8}};
    const struct {
        struct config_peer pattern;
        const char *keep, *local; /* why it is refused; NULL: it is not */
    } cases[] = {
        {{.workload = bytes_of(WORKLOAD)}, NULL, "its workload is not one of those allowed"},
        {{.workload = bytes_of("registry.example/alice/chat-server")},
         "its workload is not one of those allowed",
         "its workload is not one of those allowed"},
        {{.workload = bytes_of("registry.example:8443/alice/chat-serve")},
         "its workload is not one of those allowed",
         "its workload is not one of those allowed"},
        {{.workload = bytes_of(WORKLOAD "s")},
         "its workload is not one of those allowed",
         "its workload is not one of those allowed"},
        {{.workload = bytes_of("registry.example")},
         "its workload is not one of those allowed",
         "its workload is not one of those allowed"},
        {{.workload = bytes_of(WORKLOAD), .tags = tags, .tag_count = 2},
         NULL,
         "its workload is not one of those allowed"},
        {{.workload = bytes_of(WORKLOAD), .tags = tags, .tag_count = 1},
         "its tag is not one of those allowed",
         "its workload is not one of those allowed"},
        {{.workload = bytes_of(WORKLOAD), .tags = prefix, .tag_count = 2},
         "its tag is not one of those allowed",
         "its workload is not one of those allowed"},
        {{.digest = digest_of(DIGEST_SHA256, 32, 0x67)}, NULL, NULL},
        {{.digest = digest_of(DIGEST_SHA256, 32, 0x66)},
         "its digest is not one of those allowed",
         "its digest is not one of those allowed"},
        {{.digest = digest_of(DIGEST_SHA384, 48, 0x67)},
         "its digest is not one of those allowed",
         "its digest is not one of those allowed"},
        {{.digest = digest_of(DIGEST_SHA512, 32, 0x67)},
         "its digest is not one of those allowed",
         "its digest is not one of those allowed"},
        {{.digest = digest_of(DIGEST_SHA256, 16, 0x67)},
         "its digest is not one of those allowed",
         "its digest is not one of those allowed"},
        {{.technologies = 1u << IDENTITY_SGX}, NULL, NULL},
        {{.technologies = 1u << IDENTITY_SGX | 1u << IDENTITY_SNP}, NULL, NULL},
        {{.technologies = 1u << IDENTITY_SNP | 1u << IDENTITY_TDX},
         "its technology is not one of those allowed",
         "its technology is not one of those allowed"},
        {{.steward = bytes_of("steward.pem")}, NULL, NULL},
        {{.steward = bytes_of("partner.pem")},
         "its Steward is not one of those allowed",
         "its Steward is not one of those allowed"},
        {{.workload = bytes_of(WORKLOAD), .digest = digest_of(DIGEST_SHA256, 32, 0x66)},
         "its digest is not one of those allowed",
         "its workload is not one of those allowed"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct config_rule rule = {.peers = &cases[i].pattern, .peer_count = 1};
        struct identity_peer keep = peer_of(IDENTITY_KEEP), local = peer_of(IDENTITY_LOCAL);
        assert_admits(&rule, &keep, cases[i].keep);
        assert_admits(&rule, &local, cases[i].local);
    }
}

/* Patterns are alternatives, and none of them lends a field to another. */
static void one_pattern_must_match_whole(void **state)
{
    struct config_peer patterns[] = {
        {.workload = bytes_of(WORKLOAD), .technologies = 1u << IDENTITY_SNP},
        {.workload = bytes_of("registry.example/bob/other")},
        {.digest = digest_of(DIGEST_SHA256, 32, 0x67), .steward = bytes_of("partner.pem")},
    };
    struct config_rule rule = {.peers = patterns, .peer_count = COUNT_OF(patterns)};
    struct identity_peer keep = peer_of(IDENTITY_KEEP);

    (void)state;
    assert_admits(&rule, &keep, "its workload is not one of those allowed");
    patterns[2].steward = bytes_of("steward.pem");
    assert_admits(&rule, &keep, NULL);
    rule.peer_count = 0;
    assert_admits(&rule, &keep, "its Steward is not one of those allowed");
}

/* Rows: an entry's admission; columns: whether it admits peers without a certificate. */
static void admission_and_anonymity(void **state)
{
    static const struct config_peer other = {.technologies = 1u << IDENTITY_TDX};
    const struct config_rule listed = {.peers = &other, .peer_count = 1},
                             listed_open = {.peers = &other, .peer_count = 1, .anonymous = true},
                             any = {.admission = CONFIG_ADMIT_ANY_KEEP},
                             any_open = {.admission = CONFIG_ADMIT_ANY_KEEP, .anonymous = true},
                             program = {.admission = CONFIG_ADMIT_PROGRAM};
    struct identity_peer keep = peer_of(IDENTITY_KEEP), local = peer_of(IDENTITY_LOCAL),
                         nobody = peer_of(IDENTITY_ANONYMOUS);

    (void)state;
    assert_admits(&listed, &keep, "its technology is not one of those allowed");
    assert_admits(&listed_open, &keep, "its technology is not one of those allowed");
    assert_admits(&any, &keep, NULL);
    assert_admits(&any_open, &keep, NULL);
    assert_admits(&program, &keep, NULL);
    assert_admits(&any, &local, NULL);
    assert_admits(&program, &local, NULL);
    assert_admits(&listed, &nobody, "the peer showed no certificate");
    assert_admits(&listed_open, &nobody, NULL);
    assert_admits(&any, &nobody, "the peer showed no certificate");
    assert_admits(&any_open, &nobody, NULL);
    assert_admits(&program, &nobody, NULL);
    for (enum identity_fault f = IDENTITY_FAULT_ABSENT; f < IDENTITY_FAULT_COUNT; f++) {
        struct identity_peer peer = fault_of(f);
        bool is_barred = f == IDENTITY_FAULT_PLATFORM || f == IDENTITY_FAULT_INTERNAL;
        const char *text = identity_fault_text(f);
        assert_admits(&listed, &peer, text);
        assert_admits(&any, &peer, text);
        assert_admits(&listed_open, &peer, is_barred ? text : NULL);
        assert_admits(&any_open, &peer, is_barred ? text : NULL);
        assert_admits(&program, &peer, is_barred ? text : NULL);
    }
}

static void assert_written(const struct identity_peer *peer, const char *expected)
{
    uint8_t memory[2048];
    struct writer w = writer_fixed(memory, sizeof memory);
    struct bytes out = {.size = 0};
    struct err err;

    identity_peer_write(&w, peer);
    assert_true(writer_done(&w, &out, &err));
    if (!bytes_is(out, expected))
        fail_msg("%.*s", (int)out.size, (const char *)out.data);
}

#define REST                                                            \
    "\"digest\":\"Z2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2c\","       \
    "\"technology\":\"sgx\",\"simulated\":false,\"measurement\":\"ab01" \
    "000000000000000000000000000000000000000000000000000000000000\"}"

static void workloads_see_who_it_is(void **state)
{
    struct identity_peer keep = peer_of(IDENTITY_KEEP), local = peer_of(IDENTITY_LOCAL),
                         nobody = fault_of(IDENTITY_FAULT_REVOKED);

    (void)state;
    nobody.certificate = keep.certificate; /* it was one, and is none any more */
    assert_written(&nobody, "{\"kind\":\"anonymous\"}");
    assert_written(&local, "{\"kind\":\"local\"," REST);
    assert_written(&keep, "{\"kind\":\"keep\",\"workload\":\"" WORKLOAD ":0.1.0+x86\"," REST);
    keep.certificate.identity.technology = IDENTITY_TDX;
    keep.certificate.identity.is_simulated = true;
    uint8_t memory[2048];
    struct writer w = writer_fixed(memory, sizeof memory);
    identity_peer_write(&w, &keep);
    writer_u8(&w, 0);
    assert_non_null(strstr((const char *)memory, "\"technology\":\"tdx\",\"simulated\":true,"));
    w = writer_fixed(memory, 40);
    identity_peer_write(&w, &keep);
    assert_int_equal(w.failed, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_in_every_field),
        cmocka_unit_test(one_pattern_must_match_whole),
        cmocka_unit_test(admission_and_anonymity),
        cmocka_unit_test(workloads_see_who_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
