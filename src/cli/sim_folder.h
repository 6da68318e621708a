/* Where the roots of simulated platforms are. Private to cli. */
#pragma once

#include "base/base.h"

#define SIM_FOLDER_SIZE 4000 /* leaves room for a file's name */

/* `given`, else $XDG_DATA_HOME/broch/sim or $HOME/.local/share/broch/sim. False with *why, a
 * literal. */
MUST_CHECK bool sim_folder_find(const char *given, char out[SIM_FOLDER_SIZE], const char **why);
