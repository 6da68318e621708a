/* A configuration in words, for who has to answer for it. */
#pragma once

#include "steward/config.h"

void steward_explain(struct writer *w, const struct steward_config *config);
