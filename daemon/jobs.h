/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to look: one schedule for each region, one for the inventory, one for snapshots.
 *
 * Hints make a schedule due after the settle time; more hints meanwhile do not move it beyond twice
 * that.  One job at a time for each, conf.jobs.parallel in all; a hint during a job makes it due
 * again behind it.  A job that failed is tried again after a delay that doubles.  schedule.c is the
 * arithmetic, without loop and clock; jobs.c runs it.
 */
#ifndef PMED_JOBS_H
#define PMED_JOBS_H

#include "daemon.h"

int pmed_jobs_start(struct pmed *d);
void pmed_jobs_reload(struct pmed *d);
void pmed_jobs_stop(struct pmed *d);
/* Member "jobs" of the watch document: counters, what runs, what failed last and why. */
void pmed_jobs_json(const struct pmed *d, struct json_object *doc);

#endif
