/* A policy from TOML: each table is a list of keys, each key a place in the structure and how to
 * read it. */
#include "evidence/policy.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "evidence/civil.h"
#include "evidence/evidence.h"
#include "evidence/tcb_info.h"
#include "evidence/x509.h"

#define LIST_MAX 4096
#define REFERENCES_MAX 64

#define FIELD(member) offsetof(struct evidence_policy, member)

/* ---- values ---- */

static bool read_u16(const struct toml_form *p, const struct toml_value *value, void *field,
                     uint64_t param)
{
    uint64_t number = 0;

    if (!toml_read_u64(p, value, &number, param))
        return false;
    *(uint16_t *)field = (uint16_t)number;
    return true;
}

static bool read_u8(const struct toml_form *p, const struct toml_value *value, void *field,
                    uint64_t param)
{
    uint64_t number = 0;

    if (!toml_read_u64(p, value, &number, param))
        return false;
    *(uint8_t *)field = (uint8_t)number;
    return true;
}

static bool read_text(const struct toml_form *p, const struct toml_value *value, struct bytes *out)
{
    if (value->type != TOML_STRING)
        return toml_form_fail_type(p, value, "a string");
    *out = toml_string(value);
    return true;
}

static bool read_hex(const struct toml_form *p, const struct toml_value *value, uint64_t size,
                     struct bytes *out)
{
    struct bytes text = {.size = 0};
    struct err err;
    size_t got;
    uint8_t *decoded = arena_alloc(p->arena, (size_t)size, 1);

    if (decoded == NULL)
        return toml_form_fail(p, value->at, "no memory");
    if (!read_text(p, value, &text))
        return false;
    if (text.size != hex_size((size_t)size) || !hex_decode(text, decoded, (size_t)size, &got, &err))
        return toml_form_fail(p, value->at, "expected %llu bytes in hexadecimal",
                              (unsigned long long)size);
    *out = bytes_from(decoded, (size_t)size);
    return true;
}

/* ---- lists ---- */

static bool check_array(const struct toml_form *p, const struct toml_value *value)
{
    if (value->type != TOML_ARRAY)
        return toml_form_fail_type(p, value, "an array");
    return toml_count(value) <= LIST_MAX ||
           toml_form_fail(p, value->at, "more than %d items", LIST_MAX);
}

/* Strings when param is 0, else hexadecimal of so many bytes. */
static bool read_list(const struct toml_form *p, const struct toml_value *value, void *field,
                      uint64_t param)
{
    struct bytes_list *list = field;

    if (!check_array(p, value))
        return false;
    struct bytes *items = ARENA_ARRAY(p->arena, struct bytes, toml_count(value));
    struct toml_walk walk = toml_items(value);
    const struct toml_value *item;
    size_t count = 0;
    if (items == NULL)
        return toml_form_fail(p, value->at, "no memory");
    while ((item = toml_next(&walk)) != NULL) {
        if (!(param == 0 ? read_text(p, item, &items[count])
                         : read_hex(p, item, param, &items[count])))
            return false;
        count++;
    }
    *list = (struct bytes_list){.items = items, .count = count};
    return true;
}

struct word {
    const char *name;
    uint64_t bits;
};

/* A list of words, each of which stands for bits. */
static bool read_words(const struct toml_form *p, const struct toml_value *value,
                       const struct word *words, size_t word_count, uint64_t *out)
{
    const char *names[16];
    struct toml_walk walk;
    const struct toml_value *item;
    struct bytes text = {.size = 0};

    if (!check_array(p, value))
        return false;
    *out = 0;
    for (size_t i = 0; i < word_count; i++)
        names[i] = words[i].name;
    walk = toml_items(value);
    while ((item = toml_next(&walk)) != NULL) {
        size_t i = 0;
        if (!read_text(p, item, &text))
            return false;
        while (i < word_count && !bytes_is(text, words[i].name))
            i++;
        if (i == word_count) {
            const char *near = nearest_word((const char *)text.data, text.size, names, word_count);
            return toml_form_fail(p, item->at, "unknown word %s%s%s%s", toml_show_text(text).text,
                                  near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                                  near != NULL ? "'?" : "");
        }
        *out |= words[i].bits;
    }
    return true;
}

#define READ_WORDS(function, ...)                                                                \
    static bool function(const struct toml_form *p, const struct toml_value *value, void *field, \
                         uint64_t param)                                                         \
    {                                                                                            \
        static const struct word words[] = {__VA_ARGS__};                                        \
        (void)param;                                                                             \
        return read_words(p, value, words, COUNT_OF(words), field);                              \
    }

READ_WORDS(read_policy_bits, {"smt", SNP_POLICY_SMT}, {"migrate-ma", SNP_POLICY_MIGRATE_MA},
           {"single-socket", SNP_POLICY_SINGLE_SOCKET}, {"cxl-allow", SNP_POLICY_CXL_ALLOW},
           {"mem-aes-256-xts", SNP_POLICY_MEM_AES_256_XTS}, {"rapl-dis", SNP_POLICY_RAPL_DIS},
           {"ciphertext-hiding-dram", SNP_POLICY_CIPHERTEXT_HIDING_DRAM},
           {"page-swap-disable", SNP_POLICY_PAGE_SWAP_DISABLE})
READ_WORDS(read_platform_bits, {"smt", 1}, {"tsme", 2}, {"ecc", 4}, {"rapl-dis", 8},
           {"ciphertext-hiding-dram", 16}, {"alias-check-complete", 32}, {"tio", 128})
READ_WORDS(read_sgx_attributes, {"provision-key", 1u << 4}, {"einittoken-key", 1u << 5},
           {"cet", 1u << 6}, {"kss", 1u << 7}, {"aex-notify", 1u << 10})
READ_WORDS(read_tdx_attributes, {"lass", UINT64_C(1) << 27}, {"migratable", UINT64_C(1) << 29},
           {"pks", UINT64_C(1) << 30}, {"kl", UINT64_C(1) << 31}, {"perfmon", UINT64_C(1) << 63})

static bool read_keys(const struct toml_form *p, const struct toml_value *value, void *field,
                      uint64_t param)
{
    static const struct word words[] = {{"vcek", 1}, {"vlek", 2}};
    struct evidence_policy *policy = field;
    uint64_t bits = 0;

    (void)param;
    if (!read_words(p, value, words, COUNT_OF(words), &bits))
        return false;
    policy->snp.vcek = (bits & 1) != 0;
    policy->snp.vlek = (bits & 2) != 0;
    return true;
}

static bool read_statuses(const struct toml_form *p, const struct toml_value *value, void *field,
                          uint64_t param)
{
    struct word words[TCB_NOT_SUPPORTED];
    uint64_t bits = 0;

    (void)param;
    for (enum tcb_status s = 0; s < TCB_NOT_SUPPORTED; s++)
        words[s] = (struct word){.name = tcb_status_name(s), .bits = UINT64_C(1) << s};
    if (!read_words(p, value, words, COUNT_OF(words), &bits))
        return false;
    if ((bits >> TCB_REVOKED & 1) != 0)
        return toml_form_fail(p, value->at, "Revoked cannot be accepted");
    *(uint32_t *)field = (uint32_t)bits;
    return true;
}

/* Small numbers, as bits. */
static bool read_number_set(const struct toml_form *p, const struct toml_value *value, void *field,
                            uint64_t param)
{
    struct toml_walk walk;
    const struct toml_value *item;
    uint64_t number = 0;
    uint32_t bits = 0;

    if (!check_array(p, value))
        return false;
    walk = toml_items(value);
    while ((item = toml_next(&walk)) != NULL) {
        if (!toml_read_u64(p, item, &number, param))
            return false;
        bits |= 1u << number;
    }
    *(uint32_t *)field = bits;
    return true;
}

/* ---- values of more than one part ---- */

/* "1.55" or "1.55.39": so many numbers of a byte. */
static bool read_dotted(const struct toml_form *p, const struct toml_value *value, unsigned parts,
                        uint8_t *out)
{
    struct bytes text = {.size = 0};
    unsigned part = 0, digits = 0, number = 0;

    if (!read_text(p, value, &text))
        return false;
    for (size_t i = 0; i <= text.size; i++) {
        uint8_t c = i < text.size ? text.data[i] : '.';
        if (c == '.' && digits != 0 && part < parts) {
            out[part++] = (uint8_t)number;
            digits = number = 0;
        } else if (c >= '0' && c <= '9' && digits < 3 && number * 10 + (c - '0') <= UINT8_MAX) {
            number = number * 10 + (c - '0');
            digits++;
        } else {
            part = parts + 1;
            break;
        }
    }
    return part == parts || toml_form_fail(p, value->at, "expected a version of %u numbers", parts);
}

static bool read_abi(const struct toml_form *p, const struct toml_value *value, void *field,
                     uint64_t param)
{
    (void)param;
    return read_dotted(p, value, 2, field);
}

static bool read_firmware(const struct toml_form *p, const struct toml_value *value, void *field,
                          uint64_t param)
{
    struct snp_firmware_version *version = field;
    uint8_t parts[3];

    (void)param;
    if (!read_dotted(p, value, 3, parts))
        return false;
    *version =
        (struct snp_firmware_version){.major = parts[0], .minor = parts[1], .build = parts[2]};
    return true;
}

static bool read_product(const struct toml_form *p, const struct toml_value *value, void *field,
                         uint64_t param)
{
    enum snp_product *product = field;
    struct bytes text = {.size = 0};

    (void)param;
    if (!read_text(p, value, &text))
        return false;
    /* Turin never wrote version 2 */
    *product = bytes_is(text, "Milan")   ? SNP_MILAN
               : bytes_is(text, "Genoa") ? SNP_GENOA
                                         : SNP_PRODUCT_UNKNOWN;
    return text.size == 0 || *product != SNP_PRODUCT_UNKNOWN ||
           toml_form_fail(p, value->at, "expected \"Milan\" or \"Genoa\"");
}

static bool read_until(const struct toml_form *p, const struct toml_value *value, int64_t *out)
{
    if (value->type != TOML_LOCAL_DATE)
        return toml_form_fail_type(p, value, "a date");
    const struct toml_datetime *d = value->of.datetime;
    return civil_seconds(d->year, d->month, d->day, 0, 0, 0, out) ||
           toml_form_fail(p, value->at, "the date is out of range");
}

static bool read_until_key(const struct toml_form *p, const struct toml_value *value, void *field,
                           uint64_t param)
{
    (void)param;
    return read_until(p, value, field);
}

static bool read_text_key(const struct toml_form *p, const struct toml_value *value, void *field,
                          uint64_t param)
{
    (void)param;
    return read_text(p, value, field);
}

static bool read_hex_key(const struct toml_form *p, const struct toml_value *value, void *field,
                         uint64_t param)
{
    return read_hex(p, value, param, field);
}

static bool read_advisory(const struct toml_form *p, const struct toml_value *value,
                          struct policy_advisory *out)
{
    static const struct toml_field keys[] = {
        {"id", read_text_key, offsetof(struct policy_advisory, id), 0},
        {"until", read_until_key, offsetof(struct policy_advisory, until), 0},
    };

    *out = (struct policy_advisory){.until = INT64_MAX};
    if (value->type == TOML_STRING)
        return read_text(p, value, &out->id);
    return toml_read_fields(p, value, keys, COUNT_OF(keys), NULL, out) &&
           (out->id.size != 0 || toml_form_fail(p, value->at, "an advisory needs an id"));
}

static bool read_advisories(const struct toml_form *p, const struct toml_value *value, void *field,
                            uint64_t param)
{
    struct evidence_policy *policy = field;

    (void)param;
    if (!check_array(p, value))
        return false;
    struct policy_advisory *items =
        ARENA_ARRAY(p->arena, struct policy_advisory, toml_count(value));
    struct toml_walk walk = toml_items(value);
    const struct toml_value *item;
    if (items == NULL)
        return toml_form_fail(p, value->at, "no memory");
    policy->intel.advisories = items;
    policy->intel.advisory_count = 0;
    while ((item = toml_next(&walk)) != NULL) {
        if (!read_advisory(p, item, &items[policy->intel.advisory_count++]))
            return false;
    }
    return true;
}

static bool read_signers(const struct toml_form *p, const struct toml_value *value, void *field,
                         uint64_t param)
{
    static const struct toml_field keys[] = {
        {"mrsigner", read_hex_key, offsetof(struct policy_signer, mrsigner), 32},
        {"product", read_u16, offsetof(struct policy_signer, product), UINT16_MAX},
        {"svn_min", read_u16, offsetof(struct policy_signer, svn_min), UINT16_MAX},
    };
    struct evidence_policy *policy = field;

    (void)param;
    if (!check_array(p, value))
        return false;
    struct policy_signer *items = ARENA_ARRAY(p->arena, struct policy_signer, toml_count(value));
    struct toml_walk walk = toml_items(value);
    const struct toml_value *item;
    if (items == NULL)
        return toml_form_fail(p, value->at, "no memory");
    policy->sgx.signers = items;
    policy->sgx.signer_count = 0;
    while ((item = toml_next(&walk)) != NULL) {
        struct policy_signer *signer = &items[policy->sgx.signer_count++];
        if (!toml_read_fields(p, item, keys, COUNT_OF(keys), NULL, signer))
            return false;
        /* a signer signs many things: which one must be said */
        if (signer->mrsigner.size == 0 || toml_get(item, "product") == NULL)
            return toml_form_fail(p, item->at, "a signer needs mrsigner and product");
    }
    return true;
}

bool evidence_root_parse(struct bytes file, struct arena *arena, struct bytes *out, struct err *err)
{
    BIO *bio = BIO_new_mem_buf(file.data, (int)file.size);
    char *name = NULL, *header = NULL;
    uint8_t *der = NULL, *copy = NULL;
    long size = 0;
    struct certificate certificate;

    *out = file;
    if (bio != NULL && PEM_read_bio(bio, &name, &header, &der, &size) == 1 &&
        (copy = arena_alloc(arena, (size_t)size, 1)) != NULL) {
        memcpy(copy, der, (size_t)size);
        *out = bytes_from(copy, (size_t)size);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    ERR_clear_error();
    if (!certificate_parse(*out, &certificate, err))
        return false;
    certificate_done(&certificate);
    return true;
}

/* Certificates in PEM, one in each string. */
static bool read_roots(const struct toml_form *p, const struct toml_value *value, void *field,
                       uint64_t param)
{
    struct bytes_list *list = field;
    struct err err;

    if (!read_list(p, value, list, param))
        return false;
    struct bytes *items = ARENA_ARRAY(p->arena, struct bytes, list->count);
    for (size_t i = 0; items != NULL && i < list->count; i++) {
        if (!evidence_root_parse(list->items[i], p->arena, &items[i], &err))
            return toml_form_fail(p, value->at, "item %zu is no certificate in PEM", i + 1);
    }
    list->items = items;
    return items != NULL || toml_form_fail(p, value->at, "no memory");
}

/* ---- tables ---- */

static bool read_tcb(const struct toml_form *p, const struct toml_value *value, void *field,
                     uint64_t param)
{
    static const struct toml_field keys[] = {
        {"fmc", read_u8, offsetof(struct snp_tcb, fmc), UINT8_MAX},
        {"bootloader", read_u8, offsetof(struct snp_tcb, bootloader), UINT8_MAX},
        {"tee", read_u8, offsetof(struct snp_tcb, tee), UINT8_MAX},
        {"snp", read_u8, offsetof(struct snp_tcb, snp), UINT8_MAX},
        {"microcode", read_u8, offsetof(struct snp_tcb, microcode), UINT8_MAX},
    };

    (void)param;
    *(struct snp_tcb *)field =
        (struct snp_tcb){.snp = 0}; /* what is said replaces the built-in floor */
    return toml_read_fields(p, value, keys, COUNT_OF(keys), NULL, field);
}

static bool read_tcb_min(const struct toml_form *p, const struct toml_value *value, void *field,
                         uint64_t param)
{
    static const struct toml_field keys[] = {
        {"milan", read_tcb, SNP_MILAN * sizeof(struct snp_tcb), 0},
        {"genoa", read_tcb, SNP_GENOA * sizeof(struct snp_tcb), 0},
        {"turin", read_tcb, SNP_TURIN * sizeof(struct snp_tcb), 0},
    };

    (void)param;
    return toml_read_fields(p, value, keys, COUNT_OF(keys), NULL, field);
}

/* ---- the keys of Enarx's steward.toml (docs/evidence-policy.md) ---- */

/* A key may have either name, not both. */
static bool check_twins(const struct toml_form *p, const struct toml_value *table,
                        const char *const (*twins)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct toml_value *theirs = toml_get(table, twins[i][0]);
        if (theirs != NULL && toml_get(table, twins[i][1]) != NULL)
            return toml_form_fail(p, theirs->at,
                                  "'%s' and '%s' say the same; one of them is enough", twins[i][0],
                                  twins[i][1]);
    }
    return true;
}

static bool check_denied(const struct toml_form *p, const struct toml_value *table,
                         const struct bytes_list *allowed, const struct bytes_list *denied)
{
    for (size_t i = 0; i < denied->count; i++) {
        if (bytes_list_has(allowed, denied->items[i]))
            return toml_form_fail(p, table->at, "a digest is both allowed and denied");
    }
    return true;
}

/* ">=1.51": the one requirement that is understood. */
static bool read_abi_requirement(const struct toml_form *p, const struct toml_value *value,
                                 void *field, uint64_t param)
{
    struct toml_value version = *value;
    struct bytes text = {.size = 0};

    if (!read_text(p, value, &text))
        return false;
    if (!bytes_starts_with(text, bytes_of(">=")))
        return toml_form_fail(p, value->at,
                              "only requirements such as \">=1.51\" are understood here");
    do /* spaces may follow */
        text = bytes_after(text, text.size > 1 && text.data[1] == '=' ? 2 : 1);
    while (text.size != 0 && text.data[0] == ' ');
    version.of.string = text.data;
    version.size = (uint32_t)text.size & 0xfffffffu;
    return read_abi(p, &version, field, param);
}

/* The flags that a guest's policy may have; those not listed it must not have. */
static bool read_enarx_policy_flags(const struct toml_form *p, const struct toml_value *value,
                                    void *field, uint64_t param)
{
    static const struct word words[] = {{"SMT", SNP_POLICY_SMT},
                                        {"SingleSocket", SNP_POLICY_SINGLE_SOCKET},
                                        {"Debug", SNP_POLICY_DEBUG}};
    struct evidence_policy *policy = field;
    uint64_t bits = 0;

    (void)param;
    if (!read_words(p, value, words, COUNT_OF(words), &bits))
        return false;
    if ((bits & SNP_POLICY_DEBUG) != 0)
        return toml_form_fail(p, value->at, "Debug is accepted by debug = true alone");
    policy->snp.policy_forbidden |= (SNP_POLICY_SMT | SNP_POLICY_SINGLE_SOCKET) & ~bits;
    return true;
}

static bool read_enarx_platform_flags(const struct toml_form *p, const struct toml_value *value,
                                      void *field, uint64_t param)
{
    struct bytes text = {.size = 0};

    (void)param;
    if (!read_text(p, value, &text))
        return false;
    *(uint64_t *)field |= bytes_is(text, "TSME") ? 2u : bytes_is(text, "SME") ? 1u : 0u;
    return bytes_is(text, "TSME") || bytes_is(text, "SME") ||
           toml_form_fail(p, value->at, "expected \"SME\" or \"TSME\"");
}

/* MRSIGNERs, of any product until enclave_product_id says which. */
static bool read_enarx_signers(const struct toml_form *p, const struct toml_value *value,
                               void *field, uint64_t param)
{
    struct bytes_list list = {.count = 0};
    struct evidence_policy *policy = field;

    (void)param;
    if (!read_list(p, value, &list, 32))
        return false;
    struct policy_signer *items = ARENA_ARRAY(p->arena, struct policy_signer, list.count);
    if (items == NULL)
        return toml_form_fail(p, value->at, "no memory");
    for (size_t i = 0; i < list.count; i++)
        items[i] = (struct policy_signer){.mrsigner = list.items[i], .any_product = true};
    policy->sgx.signers = items;
    policy->sgx.signer_count = list.count;
    return true;
}

/* Read with their signers, below. */
static bool read_nothing(const struct toml_form *p, const struct toml_value *value, void *field,
                         uint64_t param)
{
    (void)p;
    (void)value;
    (void)field;
    (void)param;
    return true;
}

/* Product and version are of the keys' signers, which need not stand before them. */
static bool read_enarx_versions(const struct toml_form *p, const struct toml_value *table,
                                struct evidence_policy *policy)
{
    const struct toml_value *version = toml_get(table, "enclave_security_version");
    const struct toml_value *product = toml_get(table, "enclave_product_id");
    bool has_signers = toml_get(table, "signer") != NULL;
    uint16_t svn_min = 0, id = 0;

    if ((version != NULL && !read_u16(p, version, &svn_min, UINT16_MAX)) ||
        (product != NULL && !read_u16(p, product, &id, UINT16_MAX)))
        return false;
    if ((version != NULL || product != NULL) && !has_signers)
        return toml_form_fail(p, (version != NULL ? version : product)->at,
                              "this is said of images by their signer, and there is no 'signer'");
    for (size_t i = 0; has_signers && i < policy->sgx.signer_count; i++) {
        struct policy_signer *signer = (struct policy_signer *)(uintptr_t)&policy->sgx.signers[i];
        signer->svn_min = svn_min;
        signer->product = id;
        signer->any_product = product == NULL;
    }
    return true;
}

static bool read_enarx_features(const struct toml_form *p, const struct toml_value *value,
                                void *field, uint64_t param)
{
    static const struct word words[] = {{"ProvisioningKey", 1u << 4},
                                        {"EInitKey", 1u << 5},
                                        {"CET", 1u << 6},
                                        {"KSS", 1u << 7},
                                        {"Debug", 1u << 1}};
    uint64_t bits = 0;

    (void)param;
    if (!read_words(p, value, words, COUNT_OF(words), &bits))
        return false;
    if ((bits & 1u << 1) != 0)
        return toml_form_fail(p, value->at, "Debug is accepted by debug = true alone");
    *(uint64_t *)field = bits;
    return true;
}

static bool read_enarx_misc(const struct toml_form *p, const struct toml_value *value, void *field,
                            uint64_t param)
{
    static const struct word words[] = {{"EXINFO", 1}};
    uint64_t bits = 0;

    (void)param;
    if (!read_words(p, value, words, COUNT_OF(words), &bits))
        return false;
    *(uint32_t *)field = (uint32_t)bits;
    return true;
}

static bool read_snp(const struct toml_form *p, const struct toml_value *value, void *field,
                     uint64_t param)
{
    static const struct toml_field keys[] = {
        {"measurements", read_list, FIELD(snp.measurements), SNP_DIGEST_SIZE},
        {"measurements_denied", read_list, FIELD(snp.measurements_denied), SNP_DIGEST_SIZE},
        {"versions", read_number_set, FIELD(snp.versions), 5},
        {"product_of_version_2", read_product, FIELD(snp.product_of_version_2), 0},
        {"keys", read_keys, 0, 0},
        {"masked_chip_id", toml_read_bool, FIELD(snp.masked_chip_id), 0},
        {"chip_ids", read_list, FIELD(snp.chip_ids), SNP_CHIP_ID_SIZE},
        {"csp_ids", read_list, FIELD(snp.csp_ids), 0},
        {"host_data", read_list, FIELD(snp.host_data), 32},
        {"id_keys", read_list, FIELD(snp.id_keys), SNP_DIGEST_SIZE},
        {"id_keys_denied", read_list, FIELD(snp.id_keys_denied), SNP_DIGEST_SIZE},
        {"author_keys", read_list, FIELD(snp.author_keys), SNP_DIGEST_SIZE},
        {"family_ids", read_list, FIELD(snp.family_ids), 16},
        {"image_ids", read_list, FIELD(snp.image_ids), 16},
        {"guest_svn_min", toml_read_u32, FIELD(snp.guest_svn_min), UINT32_MAX},
        {"vmpls", read_number_set, FIELD(snp.vmpls), 3},
        {"abi_min", read_abi, FIELD(snp.abi_min), 0},
        {"firmware_min", read_firmware, FIELD(snp.firmware_min), 0},
        {"policy_required", read_policy_bits, FIELD(snp.policy_required), 0},
        {"policy_forbidden", read_policy_bits, FIELD(snp.policy_forbidden), 0},
        {"migration_agent", toml_read_bool, FIELD(snp.migration_agent), 0},
        {"platform_required", read_platform_bits, FIELD(snp.platform_required), 0},
        {"platform_forbidden", read_platform_bits, FIELD(snp.platform_forbidden), 0},
        {"mitigations", toml_read_u64, FIELD(snp.mitigations), INT64_MAX},
        {"tcb_min", read_tcb_min, FIELD(snp.tcb_min), 0},
        /* Enarx's names */
        {"signer", read_list, FIELD(snp.author_keys), SNP_DIGEST_SIZE},
        {"hash", read_list, FIELD(snp.measurements), SNP_DIGEST_SIZE},
        {"hash_blacklist", read_list, FIELD(snp.measurements_denied), SNP_DIGEST_SIZE},
        {"id_key_digest", read_list, FIELD(snp.id_keys), SNP_DIGEST_SIZE},
        {"id_key_digest_blacklist", read_list, FIELD(snp.id_keys_denied), SNP_DIGEST_SIZE},
        {"abi", read_abi_requirement, FIELD(snp.abi_min), 0},
        {"policy_flags", read_enarx_policy_flags, 0, 0},
        {"platform_info_flags", read_enarx_platform_flags, FIELD(snp.platform_required), 0},
    };
    static const char *const twins[][2] = {{"signer", "author_keys"},
                                           {"hash", "measurements"},
                                           {"hash_blacklist", "measurements_denied"},
                                           {"id_key_digest", "id_keys"},
                                           {"id_key_digest_blacklist", "id_keys_denied"},
                                           {"abi", "abi_min"},
                                           {"policy_flags", "policy_forbidden"},
                                           {"platform_info_flags", "platform_required"}};
    const struct evidence_policy *policy = field;

    (void)param;
    return check_twins(p, value, twins, COUNT_OF(twins)) &&
           toml_read_fields(p, value, keys, COUNT_OF(keys), NULL, field) &&
           check_denied(p, value, &policy->snp.measurements, &policy->snp.measurements_denied) &&
           check_denied(p, value, &policy->snp.id_keys, &policy->snp.id_keys_denied);
}

static bool read_intel(const struct toml_form *p, const struct toml_value *value, void *field,
                       uint64_t param)
{
    static const struct toml_field keys[] = {
        {"tcb_info_versions", read_number_set, FIELD(intel.tcb_info_versions), 3},
        {"tcb_statuses", read_statuses, FIELD(intel.tcb_statuses), 0},
        {"advisories", read_advisories, 0, 0},
        {"tcb_evaluation_min", toml_read_u64, FIELD(intel.tcb_evaluation_min), UINT32_MAX},
        {"ppids", read_list, FIELD(intel.ppids), 16},
    };

    (void)param;
    return toml_read_fields(p, value, keys, COUNT_OF(keys), NULL, field);
}

static bool read_sgx(const struct toml_form *p, const struct toml_value *value, void *field,
                     uint64_t param)
{
    static const struct toml_field keys[] = {
        {"mrenclaves", read_list, FIELD(sgx.mrenclaves), 32},
        {"mrenclaves_denied", read_list, FIELD(sgx.mrenclaves_denied), 32},
        {"signers", read_signers, 0, 0},
        {"attributes_allowed", read_sgx_attributes, FIELD(sgx.attributes_allowed), 0},
        {"misc_allowed", toml_read_u32, FIELD(sgx.misc_allowed), UINT32_MAX},
        {"config_ids", read_list, FIELD(sgx.config_ids), 64},
        {"config_svn_min", read_u16, FIELD(sgx.config_svn_min), UINT16_MAX},
        /* Enarx's names */
        {"signer", read_enarx_signers, 0, 0},
        {"hash", read_list, FIELD(sgx.mrenclaves), 32},
        {"hash_blacklist", read_list, FIELD(sgx.mrenclaves_denied), 32},
        {"features", read_enarx_features, FIELD(sgx.attributes_allowed), 0},
        {"enclave_security_version", read_nothing, 0, 0},
        {"enclave_product_id", read_nothing, 0, 0},
        {"misc_select", read_enarx_misc, FIELD(sgx.misc_allowed), 0},
        {"allowed_advisories", read_advisories, 0, 0},
    };
    static const char *const twins[][2] = {{"signer", "signers"},
                                           {"hash", "mrenclaves"},
                                           {"hash_blacklist", "mrenclaves_denied"},
                                           {"features", "attributes_allowed"},
                                           {"misc_select", "misc_allowed"}};
    struct evidence_policy *policy = field;

    (void)param;
    return check_twins(p, value, twins, COUNT_OF(twins)) &&
           toml_read_fields(p, value, keys, COUNT_OF(keys), NULL, field) &&
           read_enarx_versions(p, value, policy) &&
           check_denied(p, value, &policy->sgx.mrenclaves, &policy->sgx.mrenclaves_denied);
}

static bool read_tdx(const struct toml_form *p, const struct toml_value *value, void *field,
                     uint64_t param)
{
    static const struct toml_field keys[] = {
        {"mrtds", read_list, FIELD(tdx.mrtds), 48},
        {"rtmr0", read_list, FIELD(tdx.rtmrs[0]), 48},
        {"rtmr1", read_list, FIELD(tdx.rtmrs[1]), 48},
        {"rtmr2", read_list, FIELD(tdx.rtmrs[2]), 48},
        {"rtmr3", read_list, FIELD(tdx.rtmrs[3]), 48},
        {"mrconfigids", read_list, FIELD(tdx.mrconfigids), 48},
        {"mrowners", read_list, FIELD(tdx.mrowners), 48},
        {"mrownerconfigs", read_list, FIELD(tdx.mrownerconfigs), 48},
        {"mrservicetds", read_list, FIELD(tdx.mrservicetds), 48},
        {"attributes_allowed", read_tdx_attributes, FIELD(tdx.attributes_allowed), 0},
        {"sept_ve_disable", toml_read_bool, FIELD(tdx.sept_ve_disable), 0},
    };

    (void)param;
    return toml_read_fields(p, value, keys, COUNT_OF(keys), NULL, field);
}

void evidence_policy_default(struct evidence_policy *out)
{
    *out = (struct evidence_policy){.require_crls = true};
    out->snp.versions = 1u << 3 | 1u << 4 | 1u << 5;
    out->snp.vcek = true;
    out->snp.vmpls = 1u << 0;
    /* the firmware that mends AMD-SB-3019, and with it microcode that anybody could sign */
    out->snp.tcb_min[SNP_MILAN].snp = 0x18;
    out->snp.tcb_min[SNP_GENOA].snp = 0x17;
    out->intel.tcb_info_versions = 1u << 3; /* those before it name no advisories */
    out->intel.tcb_statuses = 1u << TCB_UP_TO_DATE;
    out->sgx.attributes_allowed = 1u << 7 | 1u << 10; /* KSS, AEX-Notify */
    out->sgx.misc_allowed = 3;                        /* EXINFO, CPINFO */
    out->tdx.sept_ve_disable = true;
}

bool evidence_policy_read(struct bytes text, const struct toml_value *root,
                          const char *const *others, struct arena *arena,
                          struct evidence_policy *out, struct text_error *error)
{
    static const struct toml_field keys[] = {
        {"any_workload", toml_read_bool, FIELD(any_workload), 0},
        {"debug", toml_read_bool, FIELD(debug), 0},
        {"require_crls", toml_read_bool, FIELD(require_crls), 0},
        {"simulated_roots", read_roots, FIELD(simulated_roots), 0},
        {"references", toml_read_texts, FIELD(references), REFERENCES_MAX},
        {"snp", read_snp, 0, 0},
        {"intel", read_intel, 0, 0},
        {"sgx", read_sgx, 0, 0},
        {"tdx", read_tdx, 0, 0},
    };
    const struct toml_form form = {.text = text, .arena = arena, .error = error};
    struct evidence_policy policy;

    evidence_policy_default(&policy);
    if (!toml_read_fields(&form, root, keys, COUNT_OF(keys), others, &policy))
        return false;
    *out = policy;
    return true;
}

bool evidence_policy_parse(struct bytes text, struct arena *arena, struct evidence_policy *out,
                           struct text_error *error)
{
    const struct toml_value *root;

    return toml_parse(text, arena, &root, error) &&
           evidence_policy_read(text, root, NULL, arena, out, error);
}

bool bytes_list_has(const struct bytes_list *list, struct bytes item)
{
    for (size_t i = 0; i < list->count; i++) {
        if (bytes_equal(list->items[i], item))
            return true;
    }
    return false;
}
