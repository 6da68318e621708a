/* Claims, identities, requests and certificates from any bytes: what is read is written again as it
 * was, and has a name or a reason why not. */
#include <assert.h>
#include <openssl/x509.h>

#include "identity/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claims(struct bytes in)
{
    uint8_t memory[IDENTITY_CLAIMS_MAX];
    struct writer w = writer_fixed(memory, sizeof memory);
    struct identity_claims claims;
    struct bytes out;
    struct err err;

    if (!identity_claims_parse(in, &claims, &err))
        return;
    identity_claims_write(&w, &claims);
    assert(writer_done(&w, &out, &err) && bytes_equal(in, out));
}

static void identity(struct bytes in)
{
    uint8_t memory[4096], name[4096];
    struct writer w = writer_fixed(memory, sizeof memory), n = writer_fixed(name, sizeof name);
    struct identity identity;
    struct bytes out;
    struct err err;

    if (!identity_parse(in, &identity, &err))
        return;
    identity_write(&w, &identity);
    assert(writer_done(&w, &out, &err) && bytes_equal(in, out));
    if (!identity_name(&n, bytes_of("example.org"), &identity, IDENTITY_OF_BROCH, &err))
        assert(err.code == ERR_INVALID);
}

static void request(struct bytes in)
{
    struct identity_request request;
    struct arena arena;
    struct err err;

    arena_init(&arena, arena_heap, (size_t)4 << 20);
    if (identity_request_parse(in, &arena, &request, &err))
        assert(request.spki.size != 0 && request.has_claims == (request.nonce.size != 0));
    arena_done(&arena);
}

static void certificate(struct bytes in)
{
    struct identity_certificate parsed;
    const uint8_t *at = in.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)in.size);
    struct arena arena;
    struct err err;

    if (x509 == NULL)
        return;
    arena_init(&arena, arena_heap, (size_t)4 << 20);
    if (identity_certificate_parse(x509, &arena, &parsed, &err))
        assert(identity_trust_domain_is_valid(parsed.trust_domain));
    arena_done(&arena);
    X509_free(x509);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_from(data, size);

    claims(in);
    identity(in);
    request(in);
    certificate(in);
    return 0;
}
