/* The Drawbridge: registry of workloads. What its program needs of it; the other public headers of
 * the room are its parts that commands use by themselves. */
#pragma once

/* Serves until SIGTERM or SIGINT, and reads tokens' keys, Stewards and limits again on SIGHUP. Says
 * on stdout where it listens once it does. Returns an exit status; what went wrong is logged. */
int drawbridge_serve(const char *config_path);
