/* The backends of other machines than x86-64. */
#include "host/host.h"

const struct host_backend *const host_backends[] = {&host_nil, NULL};
