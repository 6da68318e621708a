/* What both forms of the client share of libcurl. Private to the room. */
#pragma once

#include <curl/curl.h>

#include "base/base.h"

/* Sets an option and remembers in the bool `is_set` when that fails. */
#define CURL_SET(curl, option, value) \
    is_set = is_set && curl_easy_setopt(curl, option, value) == CURLE_OK

/* Whom it speaks to, and as whom. PEM; empty: the system's roots, no certificate. */
struct curl_peer {
    const char *url;
    struct bytes ca, certificate, key;
};

/* Everything that libcurl would otherwise decide by itself, but for time and headers. */
MUST_CHECK bool curl_set_peer(CURL *curl, const struct curl_peer *peer);
/* Why a transfer failed, as ours; returns false. */
bool curl_fail(CURLcode code, struct err *err);
