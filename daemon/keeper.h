/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the store, in a lane of its own.  A store that is full, damaged or slow loses history,
 * never the watch; what is wrong with it is in the watch document.
 */
#ifndef PMED_KEEPER_H
#define PMED_KEEPER_H

#include "daemon.h"

/* Opens, loads what is known (blocks: only at the start) and begins to keep.  0, -ENOMEM. */
int pmed_keeper_start(struct pmed *d, struct json_object **ret_rows);
void pmed_keeper_reload(struct pmed *d);
void pmed_keeper_stop(struct pmed *d);
/* Changes for pme_store_apply(); takes @changes.  NULL (no memory) is made up for later. */
void pmed_keeper_keep(struct pmed *d, struct json_object *changes);
/* The same for one event that is not of state.c; borrowed. */
void pmed_keeper_event(struct pmed *d, struct json_object *event);
/* Member "store" of the watch document. */
void pmed_keeper_json(const struct pmed *d, struct json_object *doc);

#endif
