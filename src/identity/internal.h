/* What the files of the room share. */
#pragma once

#include "identity/identity.h"

/* The arc: 2.25 and 63 random bits. A whole UUID, as X.667 has it, is a number that GnuTLS cannot
 * read: it refuses the certificate. */
#define IDENTITY_ARC "2.25.1880230127500594781"
#define IDENTITY_OID_CLAIMS IDENTITY_ARC ".1"
#define IDENTITY_OID_NONCE IDENTITY_ARC ".2"
#define IDENTITY_OID_IDENTITY IDENTITY_ARC ".3"

/* A failure of OpenSSL's; its queue of errors is emptied. */
bool identity_crypto_fail(struct err *err, const char *msg);
