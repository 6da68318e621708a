#include "cli/sim_folder.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

bool sim_folder_find(const char *given, char out[SIM_FOLDER_SIZE], const char **why)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int size;

    if (given != NULL)
        size = snprintf(out, SIM_FOLDER_SIZE, "%s", given);
    else if (data != NULL && data[0] == '/')
        size = snprintf(out, SIM_FOLDER_SIZE, "%s/broch/sim", data);
    else if (home != NULL && home[0] == '/')
        size = snprintf(out, SIM_FOLDER_SIZE, "%s/.local/share/broch/sim", home);
    else
        size = -1;
    *why = size < 0 ? "there is no HOME; name the folder of the simulated platforms: --dir of "
                      "'broch sim', --sim-dir elsewhere"
                    : "the name of the folder of the simulated platforms is too long";
    return size > 0 && size < SIM_FOLDER_SIZE;
}
