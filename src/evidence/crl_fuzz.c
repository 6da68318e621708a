/* Revocation lists and certificates from any bytes, looked at as a verifier does. */
#include <assert.h>

#include "evidence/snp_vek.h"
#include "evidence/roots.h"
#include "evidence/sgx_pck.h"
#include "evidence/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct roots roots;

static void look_at_list(struct bytes in)
{
    struct crl crl;
    struct err err;

    if (!crl_parse(in, &crl, &err))
        return;
    for (size_t i = 0; i < ROOT_COUNT; i++) {
        const struct certificate *root = &roots.certificates[i];
        (void)crl_is_issued_by(&crl, root);
        (void)crl_lists(&crl, root);
        (void)crl_is_signed_by(&crl, root, i == ROOT_INTEL ? X509_FORM_INTEL : X509_FORM_AMD, NULL);
    }
    struct span span = crl_span(&crl);
    (void)span_has(span, 0);
    crl_done(&crl);
}

static void look_at_certificate(struct bytes in)
{
    struct certificate c;
    struct snp_vek vek;
    struct sgx_pck pck;
    struct err err;

    if (!certificate_parse(in, &c, &err))
        return;
    (void)certificate_is_ca(&c);
    (void)snp_vek_is_meant(&c);
    if (snp_vek_parse(&c, &vek, &err))
        assert(vek.product != SNP_PRODUCT_UNKNOWN);
    if (sgx_pck_parse(&c, &pck, &err))
        assert(strcmp(c.name, SGX_PCK_NAME) == 0);
    for (size_t i = 0; i < ROOT_COUNT; i++) {
        const struct certificate *root = &roots.certificates[i];
        (void)certificate_is_same(&c, root);
        if (certificate_is_issued_by(&c, root))
            (void)certificate_is_signed_by(&c, root,
                                           i == ROOT_INTEL ? X509_FORM_INTEL : X509_FORM_AMD, NULL);
    }
    certificate_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_from(data, size);
    struct err err;

    if (roots.certificates[0].x509 == NULL)
        assert(roots_init(&roots, &err));
    look_at_list(in);
    look_at_certificate(in);
    return 0;
}
