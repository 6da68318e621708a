/* The Drawbridge: registry of workloads. What its program needs of it; the other public headers of
 * the room are its parts that commands use by themselves. */
#pragma once

#include "base/base.h"

/* Serves until SIGTERM or SIGINT, and reads tokens' keys, Stewards and limits again on SIGHUP. Says
 * on stdout where it listens once it does. Returns an exit status; what went wrong is logged. */
int drawbridge_serve(const char *config_path);

/* Makes a new registry's folder: a root of its own, the certificate of its server for
 * "HOST[:PORT]", a configuration. ERR_FORMAT: the host; ERR_INVALID: the folder is in use; ERR_IO,
 * ERR_CRYPTO. */
MUST_CHECK bool drawbridge_init(const char *folder, const char *host, struct err *err);
