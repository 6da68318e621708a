#include "evidence/roots.h"

/* The assembler puts the file where the compiler could only be told of it in a thousand lines. */
#define EMBED(symbol, file)                                                                    \
    __asm__(".pushsection .rodata." #symbol ",\"a\",%progbits\n" #symbol ":\n.incbin \"" ROOTS \
            "/" file "\"\n" #symbol "_end:\n"                                                  \
            ".popsection\n");                                                                  \
    extern const uint8_t symbol[] __attribute__((visibility("hidden")));                       \
    extern const uint8_t symbol##_end[] __attribute__((visibility("hidden")))

EMBED(broch_milan_ark, "milan_ark.der");
EMBED(broch_milan_ask, "milan_ask.der");
EMBED(broch_milan_asvk, "milan_asvk.der");
EMBED(broch_genoa_ark, "genoa_ark.der");
EMBED(broch_genoa_ask, "genoa_ask.der");
EMBED(broch_genoa_asvk, "genoa_asvk.der");
EMBED(broch_turin_ark, "turin_ark.der");
EMBED(broch_turin_ask, "turin_ask.der");
EMBED(broch_turin_asvk, "turin_asvk.der");
EMBED(broch_intel, "intel_sgx_root.der");

static const struct {
    const uint8_t *data, *end;
} files[ROOT_COUNT] = {
    [ROOT_MILAN_ARK] = {broch_milan_ark, broch_milan_ark_end},
    [ROOT_MILAN_ASK] = {broch_milan_ask, broch_milan_ask_end},
    [ROOT_MILAN_ASVK] = {broch_milan_asvk, broch_milan_asvk_end},
    [ROOT_GENOA_ARK] = {broch_genoa_ark, broch_genoa_ark_end},
    [ROOT_GENOA_ASK] = {broch_genoa_ask, broch_genoa_ask_end},
    [ROOT_GENOA_ASVK] = {broch_genoa_asvk, broch_genoa_asvk_end},
    [ROOT_TURIN_ARK] = {broch_turin_ark, broch_turin_ark_end},
    [ROOT_TURIN_ASK] = {broch_turin_ask, broch_turin_ask_end},
    [ROOT_TURIN_ASVK] = {broch_turin_asvk, broch_turin_asvk_end},
    [ROOT_INTEL] = {broch_intel, broch_intel_end},
};

bool roots_init(struct roots *roots, struct err *err)
{
    *roots = (struct roots){.certificates = {{.x509 = NULL}}};
    for (size_t i = 0; i < ROOT_COUNT; i++) {
        struct bytes der = bytes_from(files[i].data, (size_t)(files[i].end - files[i].data));
        if (!certificate_parse(der, &roots->certificates[i], err)) {
            roots_done(roots);
            return false;
        }
    }
    return true;
}

void roots_done(struct roots *roots)
{
    for (size_t i = 0; i < ROOT_COUNT; i++)
        certificate_done(&roots->certificates[i]);
}

enum root_id root_of_product(enum snp_product product)
{
    return product == SNP_MILAN   ? ROOT_MILAN_ARK
           : product == SNP_GENOA ? ROOT_GENOA_ARK
                                  : ROOT_TURIN_ARK;
}
