/* A new registry: its server's certificate, and a configuration to begin with. */
#include <stdio.h>

#include "drawbridge/config.h"
#include "drawbridge/drawbridge.h"
#include "pki/pki.h"
#include "base/banned.h"

#define CONFIG_MAX 8192

static const char config[] =
    "# A Drawbridge's configuration; docs/drawbridge.md explains every key. Paths are relative to\n"
    "# this file. After a change of tokens, Stewards or limits: kill -HUP the process.\n"
    "\n"
    "[server]\n"
    "listen = \"%s:%u\"\n"
    "certificate = \"server.pem\"\n"
    "key = \"server-key.pem\"\n"
    "requests_per_second = 20000\n"
    "requests_per_second_of_address = 2000\n"
    "\n"
    "[store]\n"
    "folder = \"store\"\n"
    "\n"
    "# [tokens] # an issuer's, beside those of 'broch drawbridge token create'\n"
    "# issuer = \"https://issuer.example/\"\n"
    "# audience = \"https://registry.example/\"\n"
    "# keys = \"jwks.json\"\n"
    "\n"
    "# [[stewards]] # whose platforms read all private repositories\n"
    "# name = \"ours\"\n"
    "# ca = \"steward-root.pem\"\n"
    "# client = \"steward-client.pem\" # the Steward's own certificate: it reads tags\n";

static bool write_config(const char *folder, const char *host, unsigned port, struct err *err)
{
    char text[CONFIG_MAX];
    int size = snprintf(text, sizeof text, config,
                        strcmp(host, "localhost") == 0 ? "127.0.0.1" : "[::]", port);

    return pki_write_file(folder, DRAWBRIDGE_CONFIG_DEFAULT, 0644, bytes_from(text, (size_t)size),
                          err);
}

bool drawbridge_init(const char *folder, const char *host_and_port, struct err *err)
{
    struct pki_authority root = {.key = NULL};
    char host[256], name[300];
    unsigned port;

    if (!pki_split_host(host_and_port, host, &port, err))
        return false;
    (void)snprintf(name, sizeof name, "Drawbridge Root of %.40s", host);
    const struct pki_profile profile = {name, 7300, "critical,CA:TRUE",
                                        "critical,keyCertSign,cRLSign", NULL};
    bool ok = pki_make_folder(folder, DRAWBRIDGE_CONFIG_DEFAULT, err) &&
              pki_make("P-384", &profile, NULL, &root, err) &&
              pki_write_key(folder, "root-key.pem", root.key, err) &&
              pki_write_chain(folder, "root.pem", root.certificate, NULL, err) &&
              pki_make_server(folder, host, &root, err) && write_config(folder, host, port, err);
    pki_authority_done(&root);
    return ok;
}
