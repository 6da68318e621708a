/* In the place of secure.c where there is no OpenSSL: entries that ask for TLS are refused. */
#include "net/internal.h"

const struct secure_ops *const secure_ops = NULL;
