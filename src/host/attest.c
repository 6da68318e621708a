/* What an honest loader adds to a keep's calls: nothing. Evidence of backends that are no TEE:
 * there is none. */
#include <errno.h>

#include "host/internal.h"
#include "host/sgx_quoting.h"

int64_t platform_attest(const uint8_t data[KEEP_REPORT_DATA_SIZE], uint8_t *out, size_t space)
{
    (void)data;
    (void)out;
    (void)space;
    return -ENOSYS;
}

void platform_answer(struct block *block, const struct call *call)
{
    (void)block;
    (void)call;
}

bool platform_quote(struct sgx_quoting *quoting, const uint8_t report[SGX_WHOLE_REPORT_SIZE],
                    struct writer *out, struct err *err)
{
    return quoting->quote(quoting, report, out, err);
}
