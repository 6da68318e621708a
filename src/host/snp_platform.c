#include "host/snp_platform.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>

#include "host/internal.h"
#include "os/os.h"
#include "base/banned.h"

static bool command(const struct snp_kernel *kernel, int sev, uint32_t id, void *data)
{
    struct snp_platform_command c = {.id = id, .data = (uintptr_t)data};

    return kernel->ioctl(kernel->context, sev, SNP_ISSUE_COMMAND, &c) == 0;
}

bool snp_platform_read(const struct snp_kernel *kernel, int sev, uint8_t family, uint8_t model,
                       struct snp_platform *out, struct err *err)
{
    struct snp_status status = {.state = 0};
    struct snp_id id = {.size = sizeof out->chip_id};

    *out = (struct snp_platform){.product = snp_product_of(family, model)};
    id.address = (uintptr_t)out->chip_id;
    if (out->product == SNP_PRODUCT_UNKNOWN)
        return err_set(err, ERR_UNSUPPORTED, "no known processor with SEV-SNP; its model is",
                       model);
    if (!command(kernel, sev, SNP_PLATFORM_STATUS, &status) ||
        !command(kernel, sev, SNP_GET_ID2, &id))
        return err_set(err, ERR_IO, "AMD's secure processor does not say what it is",
                       (uint64_t)errno);
    memcpy(out->tcb, status.reported_tcb, sizeof out->tcb);
    return true;
}

bool snp_platform_here(struct snp_platform *out, struct err *err)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    CLEANUP(os_closep) int sev = open(SEV_DEVICE, O_RDWR | O_CLOEXEC);

    if (sev < 0)
        return err_set(err, ERR_IO, "cannot open /dev/sev; 'broch platform info' says more",
                       (uint64_t)errno);
    (void)__get_cpuid(1, &a, &b, &c, &d);
    /* AMD APM volume 3, appendix E.3.2: extended family and model belong to family 0xf */
    return snp_platform_read(&snp_linux, sev, (uint8_t)((a >> 8 & 0xf) + (a >> 20 & 0xff)),
                             (uint8_t)((a >> 4 & 0xf) | (a >> 12 & 0xf0)), out, err);
}
