#include "evidence/snp_vek.h"

#define OID_AMD "1.3.6.1.4.1.3704.1."
#define OID_STRUCT_VERSION OID_AMD "1"
#define OID_PRODUCT OID_AMD "2"
#define OID_BOOTLOADER OID_AMD "3.1"
#define OID_TEE OID_AMD "3.2"
#define OID_SNP OID_AMD "3.3"
#define OID_MICROCODE OID_AMD "3.8"
#define OID_FMC OID_AMD "3.9"
#define OID_CHIP_ID OID_AMD "4"
#define OID_CSP OID_AMD "5"

#define IA5_STRING 0x16
#define CHIP_ID_SIZE_TURIN 8u

static bool has_extension(const struct certificate *c, const char *oid)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
    bool has = object != NULL && X509_get_ext_by_OBJ(c->x509, object, -1) >= 0;

    ASN1_OBJECT_free(object);
    return has;
}

/* An extension that is one INTEGER. */
static bool read_number(const struct certificate *c, const char *oid, uint64_t max, uint64_t *out)
{
    struct bytes content;

    if (!certificate_extension(c, oid, &content))
        return false;
    struct reader r = reader_of(content);
    return der_uint64(&r, DER_INTEGER, out) && reader_at_end(&r) && *out <= max;
}

static bool read_svn(const struct certificate *c, const char *oid, uint8_t *out)
{
    uint64_t number;

    if (!read_number(c, oid, UINT8_MAX, &number))
        return false;
    *out = (uint8_t)number;
    return true;
}

static bool read_string(const struct certificate *c, const char *oid, struct bytes *out)
{
    struct bytes content;

    if (!certificate_extension(c, oid, &content))
        return false;
    struct reader r = reader_of(content);
    return der_element(&r, IA5_STRING, out) && reader_at_end(&r) && out->size != 0;
}

/* The numbers that no firmware uses; a product may leave them out. */
static bool reserved_are_zero(const struct certificate *c)
{
    static const char *const oids[] = {OID_AMD "3.4", OID_AMD "3.5", OID_AMD "3.6", OID_AMD "3.7"};
    uint8_t svn;

    for (size_t i = 0; i < COUNT_OF(oids); i++) {
        if (has_extension(c, oids[i]) && (!read_svn(c, oids[i], &svn) || svn != 0))
            return false;
    }
    return true;
}

static bool read_tcb(const struct certificate *c, enum snp_product product, struct snp_tcb *out)
{
    bool is_turin = product == SNP_TURIN;

    return read_svn(c, OID_BOOTLOADER, &out->bootloader) && read_svn(c, OID_TEE, &out->tee) &&
           read_svn(c, OID_SNP, &out->snp) && read_svn(c, OID_MICROCODE, &out->microcode) &&
           reserved_are_zero(c) && has_extension(c, OID_FMC) == is_turin &&
           (!is_turin || read_svn(c, OID_FMC, &out->fmc));
}

/* The bytes as they are, as AMD writes them, or in an OCTET STRING of their own, as it also did. */
static bool read_chip_id(const struct certificate *c, enum snp_product product, struct bytes *out)
{
    size_t size = product == SNP_TURIN ? CHIP_ID_SIZE_TURIN : SNP_CHIP_ID_SIZE;
    struct bytes content;

    if (!certificate_extension(c, OID_CHIP_ID, &content))
        return false;
    if (content.size == size + 2) {
        struct reader r = reader_of(content);
        if (!der_element(&r, DER_OCTET_STRING, &content) || !reader_at_end(&r))
            return false;
    }
    *out = content;
    return content.size == size;
}

/* "Milan", or "Milan-B0" with a stepping. */
static enum snp_product product_of(struct bytes name)
{
    for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++) {
        struct bytes wanted = bytes_of(snp_product_name(p));
        if (bytes_starts_with(name, wanted) &&
            (name.size == wanted.size || name.data[wanted.size] == '-'))
            return p;
    }
    return SNP_PRODUCT_UNKNOWN;
}

bool snp_vek_parse(const struct certificate *c, struct snp_vek *out, struct err *err)
{
    struct snp_vek vek = {.is_vlek = strcmp(c->name, SNP_VLEK_NAME) == 0};

    if (!vek.is_vlek && strcmp(c->name, SNP_VCEK_NAME) != 0)
        return err_set(err, ERR_FORMAT, "its name is neither SEV-VCEK nor SEV-VLEK", ERR_NO_AT);
    if (!certificate_is_signer(c, CRYPTO_P384))
        return err_set(err, ERR_FORMAT, "its key is not on P-384, or not for signatures",
                       ERR_NO_AT);
    if (!read_number(c, OID_STRUCT_VERSION, UINT32_MAX, &vek.struct_version) ||
        !read_string(c, OID_PRODUCT, &vek.product_name))
        return err_set(err, ERR_FORMAT, "it does not say its version and product, once each",
                       ERR_NO_AT);
    vek.product = product_of(vek.product_name);
    if (vek.product == SNP_PRODUCT_UNKNOWN)
        return err_set(err, ERR_FORMAT, "its product is unknown", ERR_NO_AT);
    if (!read_tcb(c, vek.product, &vek.tcb))
        return err_set(err, ERR_FORMAT, "its TCB is incomplete, or not that of its product",
                       ERR_NO_AT);
    if (has_extension(c, OID_CHIP_ID) == vek.is_vlek || has_extension(c, OID_CSP) != vek.is_vlek)
        return err_set(err, ERR_FORMAT, "it names a chip or a cloud where it should not",
                       ERR_NO_AT);
    if (vek.is_vlek ? !read_string(c, OID_CSP, &vek.csp)
                    : !read_chip_id(c, vek.product, &vek.chip_id))
        return err_set(err, ERR_FORMAT, "its chip or cloud has not the form of its product",
                       ERR_NO_AT);
    *out = vek;
    return true;
}

bool snp_vek_is_meant(const struct certificate *c)
{
    return strcmp(c->name, SNP_VCEK_NAME) == 0 || strcmp(c->name, SNP_VLEK_NAME) == 0 ||
           has_extension(c, OID_PRODUCT);
}
