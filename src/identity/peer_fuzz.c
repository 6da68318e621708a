/* Peers and revocation lists from any bytes, where the trust is fixed: a Steward whose keys nobody
 * has any more. Only what it signed is believed. And what a Steward signs is believed, but not
 * whatever it is: certificates and lists are signed here, by a key made at the start. */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "identity/peer.h"

#define NOW INT64_C(1800000000)
#define SLUG "registry.example:8443/alice/chat-server:0.1.0+x86"
#define SENT_MAX (IDENTITY_CHAIN_MAX + 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Made by the functions of peer_test.h, as the seeds are: from NOW - 100 days, NOW - 50 days and
 * NOW - 60 seconds. */
static const char root_pem[] = "-----BEGIN CERTIFICATE-----\n"
                               "MIIBvDCCAUOgAwIBAgIBZDAKBggqhkjOPQQDAzAXMRUwEwYDVQQDDAxTdGV3YXJk\n"
                               "IFJvb3QwHhcNMjYxMDA3MDgwMDAwWhcNMjkxMDExMDgwMDAwWjAXMRUwEwYDVQQD\n"
                               "DAxTdGV3YXJkIFJvb3QwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAAQPPzJV6wVYWN20\n"
                               "WAhHwbdxPTK39GTdK8yTlNJ8APz1jvYbqSwATUVl/xOOZh5SkuzzZTXjV1g0Sgs8\n"
                               "FhZBhyrwhKIGLSCEoBC0SQBWGz9APbtOF27BA0lXVb6qWW7qzhmjYzBhMA8GA1Ud\n"
                               "EwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBQRzl8Cp7Svjq0c\n"
                               "yqBt1TMdj5VpvjAfBgNVHSMEGDAWgBQRzl8Cp7Svjq0cyqBt1TMdj5VpvjAKBggq\n"
                               "hkjOPQQDAwNnADBkAjB97fcR//NyUOlNEwYt6p9piINecDTyBSUxX1kF8rI+rMHx\n"
                               "QvCchRA3sCvvQ4Wy+RkCMA86K0XObLhTCgTv7vAxkL04lUBfBZRVZlaJ4VgR6BBz\n"
                               "d206dVSKO2P/YL38f58Tlw==\n"
                               "-----END CERTIFICATE-----\n";
static const char ca_pem[] = "-----BEGIN CERTIFICATE-----\n"
                             "MIIBoDCCASegAwIBAgIBZTAKBggqhkjOPQQDAjAXMRUwEwYDVQQDDAxTdGV3YXJk\n"
                             "IFJvb3QwHhcNMjYxMTI2MDgwMDAwWhcNMjgwNTI5MDgwMDAwWjAVMRMwEQYDVQQD\n"
                             "DApTdGV3YXJkIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE7MY/0aNNcEzj\n"
                             "nBPYu6zzMFaBeSe9h2qKr/tfW6d7NfiPANYR/qn408Xxx3utiLUKOCnJPATSEooL\n"
                             "soz/G3CGSaNmMGQwEgYDVR0TAQH/BAgwBgEB/wIBADAOBgNVHQ8BAf8EBAMCAQYw\n"
                             "HQYDVR0OBBYEFMGCWIHinkWHtilN3NLWslyUXkLSMB8GA1UdIwQYMBaAFBHOXwKn\n"
                             "tK+OrRzKoG3VMx2PlWm+MAoGCCqGSM49BAMCA2cAMGQCMFV5PFMv6GiDf4JGxg3y\n"
                             "UMb1EkpLP/4ThlVhAcWNHef/GNJ6xyF2G86mAKruYqrPrgIweb2M1ICEYHV8HbLp\n"
                             "OVKnRCdtQgNtfKQOP3TTyZwV2W+B13to31nJsc89rmmtRT1I\n"
                             "-----END CERTIFICATE-----\n";
static const char list_pem[] = "-----BEGIN X509 CRL-----\n"
                               "MIGsMFQCAQEwCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwKU3Rld2FyZCBDQRcNMjcw\n"
                               "MTE1MDc1OTAwWhcNMjcwMTE2MDg1OTAwWqAOMAwwCgYDVR0UBAMCAQUwCgYIKoZI\n"
                               "zj0EAwIDSAAwRQIhAIE9Dg/y8/6FDwqI0LkKooc2/XLUZYAVH9ArIxfEFDanAiBE\n"
                               "fHZMuYCmtEO1S9M5RFr1v9DHTBTOpq7EjOFJAL20IQ==\n"
                               "-----END X509 CRL-----\n";

static struct identity_trust *fixed, *own;
static EVP_PKEY *own_key;
static X509 *own_ca;
static struct bytes ca, own_issuer; /* DER */

static struct bytes der_of_pem(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    char *label, *header;
    uint8_t *der;
    long size;

    assert(PEM_read_bio(bio, &label, &header, &der, &size) == 1);
    OPENSSL_free(label);
    OPENSSL_free(header);
    BIO_free(bio);
    return bytes_from(der, (size_t)size);
}

/* The fixed CA with another key, signed by itself: what was issued by the one can be signed anew as
 * issued by the other. */
static X509 *make_ca(void)
{
    const uint8_t *at = ca.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)ca.size);
    uint8_t *der = NULL;

    X509_EXTENSION_free(
        X509_delete_ext(x509, X509_get_ext_by_NID(x509, NID_authority_key_identifier, -1)));
    assert(X509_set_issuer_name(x509, X509_get_subject_name(x509)) == 1 &&
           X509_set_pubkey(x509, own_key) == 1 && X509_sign(x509, own_key, EVP_sha256()) > 0);
    int size = i2d_X509(x509, &der);
    assert(size > 0);
    X509_free(x509);
    own_issuer = bytes_from(der, (size_t)size);
    at = der;
    x509 = d2i_X509(NULL, &at, size);
    assert(x509 != NULL);
    return x509;
}

/* A list whose signed part is this. */
static bool put_signed(struct bytes tbs, struct identity_trust *trust, int64_t *floor)
{
    static const uint8_t ecdsa_sha256[] = {0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};
    uint8_t signature[128];
    size_t size = sizeof signature;
    struct bytes crl = {.size = 0};
    struct arena arena;
    struct err err = {.code = ERR_NONE};
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    assert(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, own_key) == 1 &&
           EVP_DigestSign(context, signature, &size, tbs.data, tbs.size) == 1);
    EVP_MD_CTX_free(context);
    arena_init(&arena, arena_heap, (size_t)32 << 20);
    struct writer w = writer_growable(&arena, (size_t)16 << 20);
    size_t mark = der_open(&w, DER_SEQUENCE);
    writer_bytes(&w, tbs);
    writer_bytes(&w, bytes_from(ecdsa_sha256, sizeof ecdsa_sha256));
    size_t bits = der_open(&w, DER_BIT_STRING);
    writer_u8(&w, 0);
    writer_bytes(&w, bytes_from(signature, size));
    der_close(&w, bits);
    der_close(&w, mark);
    bool ok = writer_done(&w, &crl, &err) &&
              identity_trust_put_crl(trust, own_issuer, crl, NOW, floor, &err);
    assert(ok || err.msg != NULL);
    arena_done(&arena);
    return ok;
}

static void set_up(void)
{
    struct bytes list = der_of_pem(list_pem), tbs;
    struct reader r = reader_of(list), whole;
    struct err err;
    int64_t floor;
    char *pem;

    own_key = EVP_EC_gen("P-256");
    ca = der_of_pem(ca_pem);
    own_ca = make_ca();
    BIO *bio = BIO_new(BIO_s_mem());
    assert(PEM_write_bio_X509(bio, own_ca) == 1);
    long size = BIO_get_mem_data(bio, &pem);
    bool ok = identity_trust_new(&fixed, &err) && identity_trust_new(&own, &err) &&
              identity_trust_add(fixed, bytes_of("fixed.pem"), bytes_of(root_pem), &err) &&
              identity_trust_put_crl(fixed, ca, list, NOW, &floor, &err) &&
              identity_trust_add(own, bytes_of("own.pem"), bytes_from(pem, (size_t)size), &err) &&
              der_enter(&r, DER_SEQUENCE, &whole) && der_element(&whole, DER_SEQUENCE, &tbs) &&
              put_signed(bytes_before(whole.in, whole.at), own, &floor);
    assert(ok);
    BIO_free(bio);
    OPENSSL_free((void *)(uintptr_t)list.data);
}

static X509 *read_certificate(struct bytes der)
{
    const uint8_t *at = der.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.size);

    ERR_clear_error();
    return x509;
}

/* What holds of every verdict. */
static void check_peer(const struct identity_peer *peer, struct arena *arena)
{
    static const struct config_rule open = {.admission = CONFIG_ADMIT_ANY_KEEP, .anonymous = true};
    struct writer w = writer_growable(arena, 65536);
    struct bytes json = {.size = 0};
    const char *why = NULL;
    struct err err;

    assert((peer->kind == IDENTITY_ANONYMOUS) == (peer->fault != IDENTITY_FAULT_NONE));
    assert(identity_fault_text(peer->fault) != NULL);
    assert(identity_admits(&open, peer, &why) != (why != NULL));
    assert(peer->fault != IDENTITY_FAULT_PLATFORM || why != NULL);
    identity_peer_write(&w, peer);
    assert(writer_done(&w, &json, &err));
    if (peer->fault == IDENTITY_FAULT_NONE)
        assert(peer->certificate.identity.claims.has_digest && peer->floor <= NOW &&
               peer->not_after > NOW && peer->serial.size != 0 && peer->crl_url.size != 0);
}

/* Certificates, each after its size in two bytes; the leaf first. */
static void judge(struct bytes in)
{
    STACK_OF(X509) *sent = sk_X509_new_null();
    struct reader r = reader_of(in);
    struct identity_peer peer;
    struct bytes der;
    struct arena arena;
    X509 *leaf = NULL;
    uint16_t size;

    while (sk_X509_num(sent) < SENT_MAX && reader_u16be(&r, &size) &&
           reader_bytes(&r, size, &der)) {
        X509 *x509 = read_certificate(der);
        if (x509 == NULL)
            break;
        if (leaf == NULL)
            leaf = x509;
        else
            assert(sk_X509_push(sent, x509) > 0);
    }
    arena_init(&arena, arena_heap, (size_t)4 << 20);
    identity_peer_judge(fixed, leaf, sent, true, NOW, &arena, &peer);
    check_peer(&peer, &arena);
    if (peer.fault == IDENTITY_FAULT_NONE)
        assert(
            bytes_equal(peer.issuer, ca) && peer.serial.size == 16 &&
            memcmp(peer.serial.data, "\1\2\3", 3) == 0 &&
            (peer.kind == IDENTITY_LOCAL || bytes_is(peer.certificate.identity.claims.slug, SLUG)));
    arena_done(&arena);
    sk_X509_pop_free(sent, X509_free);
    X509_free(leaf);
}

/* The fixed CA signed two. */
static void put_list(struct bytes in)
{
    struct identity_trust *trust;
    struct err err = {.code = ERR_NONE};
    int64_t floor = 0;

    if (!identity_trust_new(&trust, &err))
        return;
    bool ok = identity_trust_put_crl(trust, ca, in, NOW, &floor, &err);
    assert(ok ? floor == NOW - 60 || floor == NOW - 30 : err.msg != NULL);
    assert(ok == (identity_trust_recheck(trust, ca, bytes_of("x"), NOW) == IDENTITY_FAULT_NONE));
    identity_trust_free(trust);
}

static void put_any_list(struct bytes tbs)
{
    struct identity_trust *trust;
    struct err err;
    int64_t floor = 0;

    if (!identity_trust_new(&trust, &err))
        return;
    bool ok = put_signed(tbs, trust, &floor);
    enum identity_fault fault = identity_trust_recheck(trust, own_issuer, bytes_of("x"), NOW);
    assert(ok == (fault != IDENTITY_FAULT_NO_CRL));
    assert(!ok || (floor <= NOW + 300 && floor >= NOW - IDENTITY_CRL_AGE_MAX));
    /* the same again is not older */
    assert(!ok || put_signed(tbs, trust, &floor));
    identity_trust_free(trust);
}

static void judge_any_leaf(struct bytes in)
{
    X509 *leaf = read_certificate(in);
    struct identity_peer peer;
    struct arena arena;
    uint8_t *der = NULL;

    if (leaf == NULL)
        return;
    int size = X509_sign(leaf, own_key, EVP_sha256()) > 0 ? i2d_X509(leaf, &der) : 0;
    X509_free(leaf);
    leaf = size > 0 ? read_certificate(bytes_from(der, (size_t)size)) : NULL;
    OPENSSL_free(der);
    ERR_clear_error();
    arena_init(&arena, arena_heap, (size_t)4 << 20);
    if (leaf != NULL) {
        identity_peer_judge(own, leaf, NULL, false, NOW, &arena, &peer);
        check_peer(&peer, &arena);
        assert(peer.fault != IDENTITY_FAULT_NONE || bytes_equal(peer.issuer, own_issuer));
    }
    X509_free(leaf);
    arena_done(&arena);
}

/* As a file of a package, and as a Steward's answer. */
static void read_pem(struct bytes in)
{
    const struct identity_claims claims = {.has_digest = false};
    struct err err = {.code = ERR_NONE};
    struct identity_trust *trust;
    struct identity_peer peer;
    struct arena arena;

    if (!identity_trust_new(&trust, &err))
        return;
    bool ok = identity_trust_add(trust, bytes_of("x.pem"), in, &err);
    assert(ok == (identity_trust_count(trust) == 1) && (ok || err.msg != NULL));
    identity_trust_free(trust);
    arena_init(&arena, arena_heap, (size_t)4 << 20);
    assert(
        !identity_issued_check(fixed, in, bytes_of("no key"), &claims, NOW, &arena, &peer, &err));
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const modes[])(struct bytes in) = {judge, put_list, put_any_list, judge_any_leaf,
                                                     read_pem};
    const struct bytes in = bytes_from(data, size);

    if (own_ca == NULL)
        set_up();
    if (size != 0 && data[0] < COUNT_OF(modes))
        modes[data[0]](bytes_after(in, 1));
    return 0;
}
