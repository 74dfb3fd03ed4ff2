/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts workers for pmemctld, in a unit of its own, so that the daemon can have narrower bounds
 * than what a worker needs.  order.h says how it is asked.
 *
 * It runs nothing but its own pmemctl, for the jobs that pmemctld has, and only for its own user.
 * It opens no file and holds nothing but its connections and children.
 */
#ifndef PMED_LAUNCHER_H
#define PMED_LAUNCHER_H

#include <systemd/sd-event.h>

#include "base.h"

struct pmed_launcher;

/* @listen: a socket that listens, SOCK_SEQPACKET, borrowed; @program: path of pmemctl, borrowed. */
int pmed_launcher_new(sd_event *loop, int listen, const char *program, struct pmed_launcher **ret);
/* Kills all that run.  Returns NULL. */
struct pmed_launcher *pmed_launcher_free(struct pmed_launcher *launcher);

#endif
