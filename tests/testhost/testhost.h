/* What the files of testhost share. */
#pragma once

#include "base/base.h"
#include "identity/identity.h"

/* Prints the message and ends with 2 when it is not ok. */
void must(bool ok, const char *what);

/* ---- attest.c: what `attest` answers ---- */

/* What evidence is about, and who signs it. Set up before the keep starts. */
struct attest_plan {
    const char *sim; /* folder of simulated roots; NULL: there is no platform, and no evidence */
    enum identity_technology technology;
    uint8_t measurement[48]; /* 32 of it for SGX */
    const char *log;         /* gets a line for each call; NULL: none */
};

void attest_setup(const struct attest_plan *plan);
