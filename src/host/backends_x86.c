/* The backends of x86-64. */
#include "host/host.h"

const struct host_backend *const host_backends[] = {&host_nil, &host_kvm, &host_sgx, &host_snp,
                                                    NULL};
