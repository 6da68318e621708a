#include "evidence/sgx_pck.h"

#define OID_SGX "1.2.840.113741.1.13.1"

/* The content octets of 1.2.840.113741.1.13.1; what follows them tells the fields apart. */
static const uint8_t prefix[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

enum field { PPID = 1, TCB, PCE_ID, FMSPC, TYPE, INSTANCE, CONFIGURATION, FIELD_END };

#define TCB_PCE_SVN 17u
#define TCB_CPU_SVN 18u

/* One SEQUENCE { OID, value }: the number behind `parent`, and the rest. */
static bool take_field(struct reader *r, struct bytes parent, unsigned *number,
                       struct reader *value)
{
    struct bytes oid;

    if (!der_enter(r, DER_SEQUENCE, value) || !der_oid(value, &oid) ||
        !bytes_starts_with(oid, parent) || oid.size != parent.size + 1)
        return false;
    *number = oid.data[parent.size];
    return *number < 128;
}

static bool read_octets(struct reader *value, uint8_t *out, size_t size)
{
    struct bytes content;

    if (!der_element(value, DER_OCTET_STRING, &content) || content.size != size ||
        !reader_at_end(value))
        return false;
    memcpy(out, content.data, size);
    return true;
}

static bool read_number(struct reader *value, uint64_t max, uint64_t *out)
{
    return der_uint64(value, DER_INTEGER, out) && *out <= max && reader_at_end(value);
}

static bool read_tcb(struct reader *value, struct bytes parent, struct sgx_pck *out)
{
    struct reader list, item;
    uint32_t seen = 0;
    uint64_t svn = 0;
    unsigned number;

    if (!der_enter(value, DER_SEQUENCE, &list) || !reader_at_end(value))
        return false;
    while (!reader_at_end(&list)) {
        if (!take_field(&list, parent, &number, &item) || number < 1 || number > TCB_CPU_SVN ||
            (seen >> number & 1) != 0)
            return false;
        seen |= 1u << number;
        bool ok = number == TCB_CPU_SVN   ? read_octets(&item, out->cpu_svn, sizeof out->cpu_svn)
                  : number == TCB_PCE_SVN ? read_number(&item, UINT16_MAX, &svn)
                                          : read_number(&item, UINT8_MAX, &svn);
        if (!ok)
            return false;
        if (number == TCB_PCE_SVN)
            out->pce_svn = (uint16_t)svn;
        else if (number <= TCB_COMPONENTS)
            out->svns[number - 1] = (uint8_t)svn;
    }
    return seen == (1u << (TCB_CPU_SVN + 1)) - 2; /* 1 to 18, each once */
}

static bool read_field(unsigned number, struct reader *value, struct bytes tcb, struct sgx_pck *out)
{
    switch (number) {
    case PPID:
        return read_octets(value, out->ppid, sizeof out->ppid);
    case TCB:
        return read_tcb(value, tcb, out);
    case PCE_ID:
        return read_octets(value, out->pce_id, sizeof out->pce_id);
    case FMSPC:
        return read_octets(value, out->fmspc, sizeof out->fmspc);
    case TYPE:
        return der_uint64(value, DER_ENUMERATED, &out->type) && reader_at_end(value);
    default:
        return true; /* instance and configuration of platforms with several packages */
    }
}

static bool read_extension(struct bytes content, struct sgx_pck *out)
{
    uint8_t tcb[sizeof prefix + 1];
    struct reader r = reader_of(content), list, value;
    uint32_t seen = 0;
    unsigned number;

    memcpy(tcb, prefix, sizeof prefix);
    tcb[sizeof prefix] = TCB;
    if (!der_enter(&r, DER_SEQUENCE, &list) || !reader_at_end(&r))
        return false;
    while (!reader_at_end(&list)) {
        if (!take_field(&list, bytes_from(prefix, sizeof prefix), &number, &value) ||
            number < PPID || number >= FIELD_END || (seen >> number & 1) != 0 ||
            !read_field(number, &value, bytes_from(tcb, sizeof tcb), out))
            return false;
        seen |= 1u << number;
    }
    const uint32_t required = 1u << PPID | 1u << TCB | 1u << PCE_ID | 1u << FMSPC | 1u << TYPE;
    return (seen & required) == required;
}

bool sgx_pck_parse(const struct certificate *c, struct sgx_pck *out, struct err *err)
{
    struct sgx_pck pck = {.pce_svn = 0};
    struct bytes content;

    if (strcmp(c->name, SGX_PCK_NAME) != 0)
        return err_set(err, ERR_FORMAT, "its name is not Intel SGX PCK Certificate", ERR_NO_AT);
    if (!certificate_is_signer(c, CRYPTO_P256))
        return err_set(err, ERR_FORMAT, "its key is not on P-256, or not for signatures",
                       ERR_NO_AT);
    if (!certificate_extension(c, OID_SGX, &content) || !read_extension(content, &pck))
        return err_set(err, ERR_FORMAT,
                       "its description of the platform is incomplete or malformed", ERR_NO_AT);
    *out = pck;
    return true;
}
