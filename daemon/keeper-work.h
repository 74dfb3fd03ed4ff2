/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the keeper that works in the thread: see keeper.c.
 */
#ifndef PMED_KEEPER_WORK_H
#define PMED_KEEPER_WORK_H

#include "store.h"

/* Only the thread touches the store while an item is in the lane. */
struct pmed_keeper_file {
	char *path;
	struct pme_store *store;
	struct pmed_keeper *keeper; /* for the loop */
};

struct pmed_keeper_item {
	char *text;  /* changes without the brackets of their array, or NULL */
	char *state; /* all rows of the state, the same way, or NULL */
	bool expire, replace;
	int64_t now, before;
	uint64_t max_events;
	char *error, *moved; /* what the thread has to say */
};

/* For a lane: an item is written: 0, -errno as of the store. */
int pmed_keeper_work(void *file, void *item);
void pmed_keeper_item_free(struct pmed_keeper_item *item);
void pmed_keeper_file_free(struct pmed_keeper_file *file);

#endif
