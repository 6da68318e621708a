/* The process that speaks to the network, and how its parent speaks to it. Private to the room. */
#pragma once

#include "steward/steward.h"

struct network_options {
    struct steward_setup *setup; /* taken over */
    int listener;
    int control;    /* a stream socket to the parent */
    int signer;     /* that of the signing process */
    int simulation; /* of that for simulated platforms; -1: there is none */
};

/* Serves until the parent says to stop or is gone. Returns an exit status. */
int network_main(const struct network_options *options);

/* For the parent. The process is ready; ERR_IO: it ended. */
MUST_CHECK bool network_wait(int control, struct err *err);
/* Hands it another configuration, and waits until it uses it. ERR_FORMAT: it does not. */
MUST_CHECK bool network_configure(int control, const struct steward_setup *setup, struct err *err);
/* Tells it to stop when it has answered what it was asked. */
MUST_CHECK bool network_stop(int control, struct err *err);
