/* Simulated AMD: an ARK, an ASK, VCEKs and reports that these sign. AMD 57230 (VCEK certificates
 * and KDS interface), §2 and §3; the order of extensions is that of real certificates, which
 * differs between products.
 *
 *     ARK-Milan, serial 0x10000, signs itself, SEV-Milan and the revocation list
 *       SEV-Milan, serial 0x10001, the ASK
 *         SEV-VCEK, serial 0, the key of one chip with one TCB, on P-384 */
#include "evidence/simulated.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#include "evidence/simulated_x509.h"

#define RSA_BITS 4096
#define CHAIN_DEPTH_OF_ASK 0
#define NAME_SIZE 32
#define SIGNATURE_NUMBER_SIZE 72u
#define TURIN_CHIP_ID_SIZE 8u

enum { ARK, ASK, PARTY_COUNT };

struct simulated_snp {
    enum snp_product product;
    struct simulated_party parties[PARTY_COUNT];
    struct arena arena; /* of the certificates */
};

/* What differs between products. */
static const struct {
    const char *vcek_product;
    uint8_t ark_serial[3], ask_serial[3], vcek_version;
} products[] = {
    [SNP_MILAN] = {"Milan-B0", {1, 0, 0}, {1, 0, 1}, 0},
    [SNP_GENOA] = {"Genoa", {2, 0, 0}, {2, 0, 2}, 0},
    [SNP_TURIN] = {"Turin", {3, 0, 0}, {3, 0, 1}, 1},
};

static void party_name(enum snp_product product, int party, char name[NAME_SIZE])
{
    (void)snprintf(name, NAME_SIZE, "%s-%s", party == ARK ? "ARK" : "SEV",
                   snp_product_name(product));
}

static bool new_roots(enum snp_product product, struct simulated_snp **out, struct err *err)
{
    struct simulated_snp *roots = calloc(1, sizeof *roots);

    if (roots == NULL)
        return err_set(err, ERR_MEMORY, "no memory for simulated roots", ERR_NO_AT);
    roots->product = product;
    arena_init(&roots->arena, arena_heap, 4 * SIMULATED_SIZE_MAX);
    *out = roots;
    return true;
}

void simulated_snp_free(struct simulated_snp *roots)
{
    if (roots == NULL)
        return;
    for (size_t i = 0; i < PARTY_COUNT; i++)
        EVP_PKEY_free(roots->parties[i].key);
    arena_done(&roots->arena);
    free(roots);
}

/* ---- certificates ---- */

/* Both CAs have the same extensions in another order. */
static bool write_ca_extensions(const struct simulated_snp *roots, int party, struct writer *w,
                                struct err *err)
{
    uint8_t id[SIMULATED_KEY_ID_SIZE], ark_id[SIMULATED_KEY_ID_SIZE];
    char url[80];

    if (!simulated_key_id(roots->parties[party].key, id, err) ||
        !simulated_key_id(roots->parties[ARK].key, ark_id, err))
        return false;
    (void)snprintf(url, sizeof url, "https://simulated.invalid/vcek/v1/%s/crl",
                   snp_product_name(roots->product));
    if (party == ARK) {
        simulated_key_usage(w, SIMULATED_USE_CERTIFICATES_AND_CRLS);
        simulated_subject_key(w, id);
        simulated_authority(w, -1);
    } else {
        simulated_subject_key(w, id);
        simulated_authority_key(w, ark_id);
        simulated_authority(w, CHAIN_DEPTH_OF_ASK);
        simulated_key_usage(w, SIMULATED_USE_CERTIFICATES);
    }
    simulated_crl_point(w, url);
    return true;
}

static bool certify(struct simulated_snp *roots, int party, struct simulated_dates dates,
                    struct err *err)
{
    char issuer[NAME_SIZE], subject[NAME_SIZE];
    uint8_t memory[512];
    struct writer extensions = writer_fixed(memory, sizeof memory);
    struct writer w = writer_growable(&roots->arena, SIMULATED_SIZE_MAX);
    struct simulated_party *p = &roots->parties[party];
    const uint8_t *serial =
        party == ARK ? products[roots->product].ark_serial : products[roots->product].ask_serial;
    struct certificate_form form = {.maker = SIMULATED_AMD,
                                    .serial = bytes_from(serial, 3),
                                    .issuer = issuer,
                                    .subject = subject,
                                    .dates = dates,
                                    .key = p->key};

    party_name(roots->product, ARK, issuer);
    party_name(roots->product, party, subject);
    return write_ca_extensions(roots, party, &extensions, err) &&
           writer_done(&extensions, &form.extensions, err) &&
           simulated_certificate(&form, roots->parties[ARK].key, &w, err) &&
           writer_done(&w, &p->certificate, err);
}

static bool make_keys(struct simulated_snp *roots, struct err *err)
{
    for (size_t i = 0; i < PARTY_COUNT; i++) {
        roots->parties[i].key = EVP_RSA_gen(RSA_BITS);
        if (roots->parties[i].key == NULL)
            return simulated_fail(err, "cannot make an RSA key");
    }
    return true;
}

static bool is_known(enum snp_product product)
{
    return product == SNP_MILAN || product == SNP_GENOA || product == SNP_TURIN;
}

bool simulated_snp_new(enum snp_product product, struct simulated_dates dates,
                       struct simulated_snp **out, struct err *err)
{
    struct simulated_snp *roots;

    if (!is_known(product))
        return err_set(err, ERR_UNSUPPORTED, "no such product is simulated:", (uint64_t)product);
    if (!new_roots(product, &roots, err))
        return false;
    if (!make_keys(roots, err) || !certify(roots, ARK, dates, err) ||
        !certify(roots, ASK, dates, err)) {
        simulated_snp_free(roots);
        return false;
    }
    *out = roots;
    return true;
}

bool simulated_snp_write(const struct simulated_snp *roots, struct writer *w, struct err *err)
{
    return simulated_parties_write(roots->parties, PARTY_COUNT, w, err);
}

/* Whether the certificates are those of a product: each is named as it must be, is about its key,
 * and signed by the ARK. */
static bool fits(const struct simulated_snp *roots, enum snp_product product)
{
    char name[NAME_SIZE];

    for (int i = 0; i < PARTY_COUNT; i++) {
        party_name(product, i, name);
        if (!simulated_party_fits(&roots->parties[i], SIMULATED_AMD, name, roots->parties[ARK].key))
            return false;
    }
    return true;
}

bool simulated_snp_parse(struct bytes pem, struct simulated_snp **out, struct err *err)
{
    struct simulated_snp *roots;

    if (!new_roots(SNP_PRODUCT_UNKNOWN, &roots, err))
        return false;
    bool ok = simulated_parties_parse(pem, &roots->arena, roots->parties, PARTY_COUNT, err);
    for (enum snp_product p = SNP_MILAN; ok && p <= SNP_TURIN; p++) {
        if (fits(roots, p))
            roots->product = p;
    }
    if (ok && roots->product == SNP_PRODUCT_UNKNOWN)
        ok = err_set(err, ERR_FORMAT, "these keys are not of simulated SNP roots", ERR_NO_AT);
    if (!ok) {
        simulated_snp_free(roots);
        return false;
    }
    *out = roots;
    return true;
}

/* ---- what the roots hand out ---- */

bool simulated_snp_root(const struct simulated_snp *roots, struct writer *w, struct err *err)
{
    struct bytes whole;

    writer_bytes(w, roots->parties[ARK].certificate);
    return writer_done(w, &whole, err);
}

bool simulated_snp_chain(const struct simulated_snp *roots, struct writer *w, struct err *err)
{
    struct bytes whole;

    simulated_pem(w, SIMULATED_CERTIFICATE, roots->parties[ASK].certificate);
    simulated_pem(w, SIMULATED_CERTIFICATE, roots->parties[ARK].certificate);
    return writer_done(w, &whole, err);
}

bool simulated_snp_crl(const struct simulated_snp *roots, struct simulated_dates dates,
                       bool revokes_ask, struct writer *w, struct err *err)
{
    char issuer[NAME_SIZE];
    uint8_t id[SIMULATED_KEY_ID_SIZE], memory[64];
    struct writer extensions = writer_fixed(memory, sizeof memory);
    struct bytes serial = bytes_from(products[roots->product].ask_serial, 3);
    struct crl_form form = {.maker = SIMULATED_AMD,
                            .issuer = issuer,
                            .dates = dates,
                            .revoked = revokes_ask ? &serial : NULL};

    party_name(roots->product, ARK, issuer);
    if (!simulated_key_id(roots->parties[ARK].key, id, err))
        return false;
    simulated_authority_key(&extensions, id);
    simulated_crl_number(&extensions, 1);
    return writer_done(&extensions, &form.extensions, err) &&
           simulated_crl(&form, roots->parties[ARK].key, w, err);
}

/* ---- VCEKs ---- */

/* 1.3.6.1.4.1.3704.1, and one arc or two behind it. */
static void write_extension(struct writer *w, uint8_t arc, uint8_t second_arc, struct bytes value)
{
    const uint8_t oid[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01, arc, second_arc};

    simulated_extension(w, bytes_from(oid, sizeof oid - (second_arc == 0)), false, value);
}

static void write_number(struct writer *w, uint8_t arc, uint8_t second_arc, uint8_t number)
{
    uint8_t memory[4];
    struct writer value = writer_fixed(memory, sizeof memory);

    der_write_uint64(&value, DER_INTEGER, number);
    write_extension(w, arc, second_arc, bytes_from(memory, value.size));
}

/* AMD 57230 §3.1: security versions are 1.3.1 boot loader, 1.3.2 TEE, 1.3.3 SNP, 1.3.8 microcode,
 * 1.3.9 FMC; those between are reserved, and there. */
static void write_tcb(struct writer *w, enum snp_product product, const struct snp_tcb *tcb)
{
    if (product == SNP_TURIN)
        write_number(w, 3, 9, tcb->fmc);
    write_number(w, 3, 1, tcb->bootloader);
    write_number(w, 3, 2, tcb->tee);
    if (product == SNP_TURIN)
        write_number(w, 3, 3, tcb->snp);
    else
        write_number(w, 3, 4, 0);
    for (uint8_t reserved = 5; reserved <= 7; reserved++)
        write_number(w, 3, reserved, 0);
    if (product != SNP_TURIN)
        write_number(w, 3, 3, tcb->snp);
    write_number(w, 3, 8, tcb->microcode);
}

static void write_vcek_extensions(enum snp_product product, const struct snp_tcb *tcb,
                                  const uint8_t chip_id[SNP_CHIP_ID_SIZE], struct writer *w)
{
    uint8_t memory[16];
    struct writer name = writer_fixed(memory, sizeof memory);

    write_number(w, 1, 0, products[product].vcek_version);
    der_write(&name, DER_IA5_STRING, bytes_of(products[product].vcek_product));
    write_extension(w, 2, 0, bytes_from(memory, name.size));
    write_tcb(w, product, tcb);
    /* the bytes themselves, in no further DER */
    write_extension(
        w, 4, 0, bytes_from(chip_id, product == SNP_TURIN ? TURIN_CHIP_ID_SIZE : SNP_CHIP_ID_SIZE));
}

bool simulated_snp_vcek(const struct simulated_snp *roots, const struct snp_tcb *tcb,
                        const uint8_t chip_id[SNP_CHIP_ID_SIZE], struct simulated_dates dates,
                        EVP_PKEY **key, struct writer *w, struct err *err)
{
    char issuer[NAME_SIZE];
    uint8_t memory[512];
    struct writer extensions = writer_fixed(memory, sizeof memory);
    EVP_PKEY *vcek = EVP_EC_gen("P-384");
    struct certificate_form form = {.maker = SIMULATED_AMD,
                                    .issuer = issuer,
                                    .subject = "SEV-VCEK",
                                    .dates = dates,
                                    .key = vcek};

    if (vcek == NULL)
        return simulated_fail(err, "cannot make a key on P-384");
    party_name(roots->product, ASK, issuer);
    write_vcek_extensions(roots->product, tcb, chip_id, &extensions);
    if (!writer_done(&extensions, &form.extensions, err) ||
        !simulated_certificate(&form, roots->parties[ASK].key, w, err)) {
        EVP_PKEY_free(vcek);
        return false;
    }
    *key = vcek;
    return true;
}

bool simulated_snp_sign(uint8_t report[SNP_REPORT_SIZE], EVP_PKEY *vcek, struct err *err)
{
    uint8_t r[P384_SIZE], s[P384_SIZE];
    uint8_t *signature = report + SNP_REPORT_SIGNED_SIZE;

    if (!crypto_sign(CRYPTO_P384, vcek, bytes_from(report, SNP_REPORT_SIGNED_SIZE), r, s, err))
        return false;
    memset(signature, 0, SNP_REPORT_SIZE - SNP_REPORT_SIGNED_SIZE);
    crypto_reverse(r, sizeof r, signature);
    crypto_reverse(s, sizeof s, signature + SIGNATURE_NUMBER_SIZE);
    return true;
}
