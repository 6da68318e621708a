/* Processors that are not x86-64, which have neither SEV-SNP nor SGX, and no sandbox of ours. */
#include "host/internal.h"

#include <sys/utsname.h>

#include "base/banned.h"

static const char need_x86[] = "take a machine with an x86-64 processor";

void cpu_describe(char *out, size_t size)
{
    struct utsname name;

    (void)snprintf(out, size, "%s", uname(&name) == 0 ? name.machine : "not x86-64");
}

void probe_cpu_kvm(struct host_platform *platform, bool kvm_works)
{
    (void)kvm_works;
    probe_add(platform, "CPU", need_x86, "not x86-64, which the images of keeps are for");
}

void probe_cpu_snp(struct host_platform *platform)
{
    probe_add(platform, "CPU", "take a machine with an AMD EPYC 7003 (Milan) or newer",
              "no SEV-SNP, which is AMD's");
}

void probe_cpu_sgx(struct host_platform *platform)
{
    probe_add(platform, "CPU",
              "take a machine with an Intel Xeon Scalable of the third generation "
              "or newer",
              "no SGX, which is Intel's");
}
