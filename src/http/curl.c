#include "http/curl.h"

#include <strings.h>

bool curl_fail(CURLcode code, struct err *err)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(err, ERR_TIMEOUT, "a server did not answer in time", ERR_NO_AT);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return err_set(err, ERR_CRYPTO, "a server's certificate is not to be trusted", ERR_NO_AT);
    case CURLE_SSL_CERTPROBLEM:
        return err_set(err, ERR_CRYPTO, "the client's certificate or key cannot be used",
                       ERR_NO_AT);
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(err, ERR_CRYPTO, "the file of trusted certificates cannot be used",
                       ERR_NO_AT);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
        return err_set(err, ERR_CRYPTO, "a server speaks no TLS of ours", ERR_NO_AT);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return err_set(err, ERR_FORMAT, "this is no https:// URL", ERR_NO_AT);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
        return err_set(err, ERR_FORMAT, "a server's answer is no HTTP", ERR_NO_AT);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(err, ERR_IO, "a server's name has no address", ERR_NO_AT);
    case CURLE_OUT_OF_MEMORY:
        return err_set(err, ERR_MEMORY, "no memory for a request", ERR_NO_AT);
    default:
        return err_set(err, ERR_IO, "no connection to a server, or it broke", ERR_NO_AT);
    }
}

static struct curl_blob blob_of(struct bytes b)
{
    return (struct curl_blob){
        .data = (void *)(uintptr_t)b.data, .len = b.size, .flags = CURL_BLOB_COPY};
}

bool curl_set_peer(CURL *curl, const struct curl_peer *peer)
{
    struct curl_blob ca = blob_of(peer->ca), certificate = blob_of(peer->certificate),
                     key = blob_of(peer->key);
    bool is_set = true;

    CURL_SET(curl, CURLOPT_URL, peer->url);
    CURL_SET(curl, CURLOPT_PROTOCOLS_STR, "https");
    CURL_SET(curl, CURLOPT_DEFAULT_PROTOCOL, "https");
    CURL_SET(curl, CURLOPT_FOLLOWLOCATION, 0L);
    CURL_SET(curl, CURLOPT_PROXY, "");
    CURL_SET(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    CURL_SET(curl, CURLOPT_NOSIGNAL, 1L);
    CURL_SET(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    CURL_SET(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    CURL_SET(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    CURL_SET(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    CURL_SET(curl, CURLOPT_USERAGENT, "broch");
    if (peer->ca.size != 0) {
        CURL_SET(curl, CURLOPT_CAINFO_BLOB, &ca);
        CURL_SET(curl, CURLOPT_CAINFO, NULL);
        CURL_SET(curl, CURLOPT_CAPATH, NULL);
    }
    if (peer->certificate.size != 0) {
        CURL_SET(curl, CURLOPT_SSLCERT_BLOB, &certificate);
        CURL_SET(curl, CURLOPT_SSLKEY_BLOB, &key);
    }
    return is_set;
}
