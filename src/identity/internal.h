/* What the files of the room share. */
#pragma once

#include "identity/identity.h"

/* The arc: 2.25 and a UUID as a number. */
#define IDENTITY_ARC "2.25.309576061280775209734277545393914449501"
#define IDENTITY_OID_CLAIMS IDENTITY_ARC ".1"
#define IDENTITY_OID_NONCE IDENTITY_ARC ".2"
#define IDENTITY_OID_IDENTITY IDENTITY_ARC ".3"

/* A failure of OpenSSL's; its queue of errors is emptied. */
bool identity_crypto_fail(struct err *err, const char *msg);
