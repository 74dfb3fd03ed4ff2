/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the watch shows of itself: /run/pmemctl/watch.json, for `pmemctl status` and `metrics`.
 *
 * Written atomically, by a thread of its own, when something changed (at most once a second) and
 * at least once a minute, so that its age tells whether the watch is alive.  Everybody may read it:
 * counters and names of devices, no names of files.  It goes when the daemon ends.
 */
#ifndef PMED_WATCH_H
#define PMED_WATCH_H

#include "daemon.h"

#define PMED_RUN_DIR "run/pmemctl"
#define PMED_WATCH_FILE "run/pmemctl/watch.json"

/* 0 or -errno. */
int pmed_watch_start(struct pmed *d);
/* Something changed; cheap. */
void pmed_watch_changed(struct pmed *d);
void pmed_watch_stop(struct pmed *d);

#endif
