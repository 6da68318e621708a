/* What the commands share that fetch from the service of a processor's maker and keep the answers
 * in a folder, where keeps are given them. Functions that return int return an exit code and have
 * printed why. */
#pragma once

#include "evidence/evidence.h"
#include "http/client.h"

struct cli_args;

#define VENDOR_FILE_MAX ((size_t)1 << 20)

/* Which service and which folder, and the options that name others. */
struct vendor {
    const char *command; /* "platform snp" */
    const char *url, *url_option, *ca_option;
    const char *folder; /* what stands for --cache */
};

struct vendor_work {
    struct arena arena;
    const char *url, *folder;
    struct bytes ca; /* PEM; empty: the web's authorities */
};

/* An arena and the options; vendor_done also after a failure. */
int vendor_open(struct vendor_work *w, const struct vendor *vendor, const struct cli_args *args);
void vendor_done(struct vendor_work *w);

/* Bytes of an option in hexadecimal, `least` to `size` of them, the rest zero; false: they are
 * none. */
bool vendor_take_hex(const struct cli_args *args, const char *option, uint8_t *out, size_t size,
                     size_t least);

/* Fetches base and path, *url; `unknown` is what 404 means. */
int vendor_fetch(struct vendor_work *w, const char *base, const char *path, const char *unknown,
                 const char **url, struct http_reply *out);

/* Whether what a URL gave is one thing of that kind (evidence_facts); *out is that. Who signed it
 * the Steward judges. */
int vendor_check(struct vendor_work *w, const char *url, const char *kind, struct bytes content,
                 const struct fact_item **out);
/* A fact by its name; "": there is none. */
const char *vendor_fact(const struct fact_item *item, const char *name);

/* The folder, with those above it. */
int vendor_make_folder(const struct vendor_work *w);
/* The file in one step: a keep that starts now reads the old or the new one. Prints its path. */
int vendor_store(const struct vendor_work *w, const char *name, struct bytes content);
