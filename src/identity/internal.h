/* What the files of the room share. */
#pragma once

#include "identity/identity.h"

/* The arc: 2.25 and 63 random bits. A whole UUID, as X.667 has it, is a number that GnuTLS cannot
 * read: it refuses the certificate. */
#define IDENTITY_ARC "2.25.1880230127500594781"
#define IDENTITY_OID_CLAIMS IDENTITY_ARC ".1"
#define IDENTITY_OID_NONCE IDENTITY_ARC ".2"
#define IDENTITY_OID_IDENTITY IDENTITY_ARC ".3"

/* Of Enarx's evidence. */
#define IDENTITY_OID_ENARX_SGX "1.3.6.1.4.1.58270.1.2"
#define IDENTITY_OID_ENARX_SNP "1.3.6.1.4.1.58270.1.3"

/* A public key as it stands in requests and certificates: on P-256 or P-384, the point not
 * compressed (RFC 5480 §2). Whether the point is on the curve is not looked at. */
struct identity_key {
    bool is_p256;
    struct bytes point; /* borrowed */
};
/* ERR_FORMAT; ERR_UNSUPPORTED: a key of another kind. */
MUST_CHECK bool identity_key_parse(struct bytes spki, struct identity_key *out, struct err *err);

/* A failure of OpenSSL's; its queue of errors is emptied. */
bool identity_crypto_fail(struct err *err, const char *msg);
