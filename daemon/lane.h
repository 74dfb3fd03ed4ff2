/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread with a bounded queue, for work that may block: the store, the journal, files.
 *
 * The loop puts items in and goes on.  Items belong to the lane until done() gets them back in the
 * loop.  work() runs in the thread and may touch nothing but its context and its item; json-c
 * objects may not be shared between threads, so items carry text.
 */
#ifndef PMED_LANE_H
#define PMED_LANE_H

#include <systemd/sd-event.h>

#include "base.h"

struct pmed_lane;

struct pmed_lane_args {
	const char *name;				     /* of the thread: at most 15 bytes */
	size_t max_items;				     /* that done() did not get back yet */
	int (*work)(void *context, void *item);		     /* in the thread: 0 or -errno */
	void (*done)(void *context, void *item, int result); /* in the loop; frees the item */
	void *context;
};

int pmed_lane_new(sd_event *loop, const struct pmed_lane_args *args, struct pmed_lane **ret);
/* 0, or -ENOBUFS when the queue is full: the item stays the caller's.  done() may put. */
int pmed_lane_put(struct pmed_lane *lane, void *item);
/* Items not yet worked on, and since when (CLOCK_BOOTTIME, µs) the one in work is; 0: none. */
size_t pmed_lane_waiting(const struct pmed_lane *lane);
uint64_t pmed_lane_busy_since(const struct pmed_lane *lane);
/*
 * Give it @ms to work on all that waits, then leave the thread behind.  done() is called for each
 * item: with its result, or -ECANCELED when it was not worked on.  0; or -ETIMEDOUT: the thread
 * still hangs in an item, for which done() is never called; item and context must stay.  NULL is
 * fine.  Not to be called from done().
 */
int pmed_lane_free(struct pmed_lane *lane, uint64_t ms);

#endif
