/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where workers run: in a unit of their own (launcher.h), or as children of the daemon, within its
 * bounds.
 *
 * That is settled at the start and at a reload, not for each worker: one that finds less because
 * the launcher is away for a moment would make findings of it.  A launcher that is away later is a
 * job that failed.
 */
#ifndef PMED_WORKERS_H
#define PMED_WORKERS_H

#include "daemon.h"
#include "process.h"

/* What all workers get: environment, place and limits.  The rest is the caller's. */
struct pmed_process_args pmed_worker_args(const struct pmed *d);

/* Look whether there is a launcher, and say what comes of it when that is new. */
void pmed_workers_find(struct pmed *d);

#endif
