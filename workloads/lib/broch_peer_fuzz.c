/* What the reader of peers takes has the form that broch_peer.h promises, and is the same in every
 * run; what it refuses leaves *out alone and has a reason. */
#include <assert.h>
#include <stdlib.h>

#include "broch_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_peer(const struct broch_peer *p)
{
    char hex[BROCH_DIGEST_HEX_SIZE];

    broch_peer_digest_hex(p, hex);
    assert(strlen(p->workload) < sizeof p->workload &&
           strlen(p->measurement) < sizeof p->measurement);
    assert((p->kind == BROCH_KEEP) == (broch_peer_tag(p)[0] != '\0'));
    assert(strlen(hex) == (p->kind == BROCH_ANONYMOUS ? 0u : 64u));
    assert((p->technology[0] != '\0') == (p->kind != BROCH_ANONYMOUS));
    assert(p->kind != BROCH_ANONYMOUS || !p->simulated);
}

#define MARK 0x5a

static bool is_untouched(const void *object, size_t size)
{
    const uint8_t *bytes = object;

    while (size != 0 && bytes[size - 1] == MARK)
        size--;
    return size == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct broch_peer peer;
    struct broch_accepted accepted;
    struct broch_connected connected;
    char *text = malloc(size);

    assert(text != NULL || size == 0);
    if (size != 0)
        memcpy(text, data, size);
    memset(&peer, MARK, sizeof peer);
    memset(&accepted, MARK, sizeof accepted);
    memset(&connected, MARK, sizeof connected);
    if (broch_peer_parse(text, size, &peer) == BROCH_PEER_OK)
        check_peer(&peer);
    else
        assert(is_untouched(&peer, sizeof peer));
    if (broch_accepted_parse(text, size, &accepted) == BROCH_PEER_OK)
        check_peer(&accepted.peer);
    else
        assert(is_untouched(&accepted, sizeof accepted));
    if (broch_connected_parse(text, size, &connected) == BROCH_PEER_OK) {
        check_peer(&connected.peer);
        assert(connected.port != 0 && connected.host[0] != '\0');
    } else {
        assert(is_untouched(&connected, sizeof connected));
    }
    free(text);
    return 0;
}
