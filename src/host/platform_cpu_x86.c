/* What CPUID says of virtualization, SEV-SNP and SGX: AMD64 Architecture Programmer's Manual,
 * volume 3, appendix E.4.17; Intel SDM, volume 3D, §34.7.2. In a virtual machine its host decides
 * what stands there. */
#include <cpuid.h>

#include "host/internal.h"
#include "base/banned.h"

#define LEAF_SGX 0x12u
#define LEAF_BRAND 0x80000002u /* and the next two */
#define LEAF_AMD_FEATURES 0x80000001u
#define LEAF_SEV 0x8000001fu
#define EPC_SECTIONS_MAX 64u

struct cpuid {
    unsigned eax, ebx, ecx, edx;
};

/* Zeros where there is no such leaf. */
static struct cpuid ask(unsigned leaf, unsigned subleaf)
{
    struct cpuid id = {0};

    if (__get_cpuid_count(leaf, subleaf, &id.eax, &id.ebx, &id.ecx, &id.edx) == 0)
        return (struct cpuid){0};
    return id;
}

static bool bit(unsigned word, unsigned number)
{
    return (word >> number & 1u) != 0;
}

/* ---- who it is ---- */

static void read_vendor(char out[13])
{
    struct cpuid id = ask(0, 0);

    memcpy(out, &id.ebx, 4);
    memcpy(out + 4, &id.edx, 4);
    memcpy(out + 8, &id.ecx, 4);
    out[12] = '\0';
}

static bool is_vendor(const char *name)
{
    char vendor[13];

    read_vendor(vendor);
    return strcmp(vendor, name) == 0;
}

/* Without the blanks that some begin with. */
static void read_brand(char out[49])
{
    char text[49] = {0};
    size_t at = 0;

    for (unsigned i = 0; i < 3; i++) {
        struct cpuid id = ask(LEAF_BRAND + i, 0);
        memcpy(text + (size_t)16 * i, &id, sizeof id);
    }
    while (text[at] == ' ')
        at++;
    (void)snprintf(out, 49, "%s", text + at);
}

void cpu_describe(char *out, size_t size)
{
    unsigned version = ask(1, 0).eax;
    unsigned family = version >> 8 & 0xf, model = version >> 4 & 0xf;
    char vendor[13], brand[49];

    read_vendor(vendor);
    read_brand(brand);
    if (family == 0xf || family == 6)
        model |= (version >> 16 & 0xf) << 4;
    if (family == 0xf)
        family += version >> 20 & 0xff;
    (void)snprintf(out, size, "%s family %u model %u stepping %u%s%s", vendor, family, model,
                   version & 0xf, brand[0] != '\0' ? ", " : "", brand);
}

/* ---- virtualization ---- */

void probe_cpu_kvm(struct host_platform *platform, bool kvm_works)
{
    bool has_vmx = bit(ask(1, 0).ecx, 5), has_svm = bit(ask(LEAF_AMD_FEATURES, 0).ecx, 2);

    if (has_vmx || has_svm)
        probe_add(platform, "CPU", NULL, "has %s", has_vmx ? "VT-x" : "AMD-V");
    else if (kvm_works)
        probe_add(platform, "CPU", NULL,
                  "shows neither VT-x nor AMD-V; the KVM here does without, and is slow");
    else
        probe_add(platform, "CPU",
                  "switch virtualization on in the firmware; in a virtual machine, nested "
                  "virtualization on its host",
                  "shows neither VT-x nor AMD-V");
}

/* ---- SEV-SNP ---- */

void probe_cpu_snp(struct host_platform *platform)
{
    struct cpuid sev = ask(LEAF_SEV, 0);

    if (!is_vendor("AuthenticAMD")) {
        probe_add(platform, "CPU", "take a machine with an AMD EPYC 7003 (Milan) or newer",
                  "no SEV-SNP, which is AMD's");
        return;
    }
    if (bit(sev.eax, 4))
        probe_add(platform, "CPU", NULL, "SEV-SNP; %u encrypted guests, C-bit %u, %u bits lost",
                  sev.ecx, sev.ebx & 0x3f, sev.ebx >> 6 & 0x3f);
    else
        probe_add(platform, "CPU",
                  "take an AMD EPYC 7003 (Milan) or newer, and switch SME and SEV-SNP on in its "
                  "firmware; few virtual machines are given it",
                  "no SEV-SNP (leaf 8000001Fh: SME %d, SEV %d, SEV-ES %d)", bit(sev.eax, 0),
                  bit(sev.eax, 1), bit(sev.eax, 3));
}

/* ---- SGX ---- */

/* The bytes of memory that enclaves have. */
static uint64_t epc_size(void)
{
    uint64_t size = 0;

    for (unsigned i = 0; i < EPC_SECTIONS_MAX; i++) {
        struct cpuid id = ask(LEAF_SGX, 2 + i);
        if ((id.eax & 0xf) != 1) /* not a section */
            break;
        size += (id.ecx & 0xfffff000u) | (uint64_t)(id.edx & 0xfffffu) << 32;
    }
    return size;
}

void probe_cpu_sgx(struct host_platform *platform)
{
    struct cpuid features = ask(7, 0);

    if (!is_vendor("GenuineIntel") || !bit(features.ebx, 2)) {
        probe_add(platform, "CPU",
                  is_vendor("GenuineIntel")
                      ? "switch SGX on in the firmware, on an Intel Xeon Scalable of the third "
                        "generation or newer; in a virtual machine, its host must pass it on"
                      : "take a machine with an Intel Xeon Scalable of the third generation or "
                        "newer",
                  is_vendor("GenuineIntel") ? "no SGX (leaf 7)" : "no SGX, which is Intel's");
        return;
    }
    struct cpuid sgx = ask(LEAF_SGX, 0);
    uint64_t epc = epc_size();
    bool has_memory = bit(sgx.eax, 0) && epc != 0;
    probe_add(platform, "CPU",
              has_memory ? NULL : "switch SGX on in the firmware, and give enclaves memory (PRMRR)",
              "SGX1 %d, SGX2 %d, enclaves of up to 2^%u bytes, %llu MiB of memory for them",
              bit(sgx.eax, 0), bit(sgx.eax, 1), sgx.edx >> 8 & 0xff,
              (unsigned long long)(epc >> 20));
    if (!bit(sgx.ebx, 0))
        probe_add(
            platform, "MISCSELECT",
            "take a processor that tells enclaves what a page fault was (EXINFO), as all with "
            "SGX2",
            "no EXINFO (leaf 12h): %#x", sgx.ebx);
    if (bit(features.ecx, 30))
        probe_add(platform, "launch control", NULL, "flexible (FLC)");
    else
        probe_add(platform, "launch control",
                  "choose 'SGX launch control: unlocked' in the firmware; without it Linux starts "
                  "no enclave",
                  "not flexible (no FLC in leaf 7)");
}
