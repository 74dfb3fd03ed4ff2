/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A filesystem was unmounted while workers run: those that may be in it are ended at once, and run
 * again after the settle time.
 *
 * A worker enters a filesystem by a copy of its mount, which is in nobody's way when it is
 * unmounted, but keeps its device busy.  A job that had to give way too often in a row is left to
 * its end: a machine that unmounts all the time is watched, too.
 */
#ifndef PMED_GIVE_WAY_H
#define PMED_GIVE_WAY_H

#include "daemon.h"

/* Does anything run that may have to? */
bool pmed_may_give_way(const struct pmed *d);
/* The filesystem on this device (numbers as in mountinfo) is mounted nowhere any more. */
void pmed_give_way(struct pmed *d, unsigned int major, unsigned int minor);

#endif
