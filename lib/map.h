/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps that a target keeps outside of its table: on media (exceptions of a snapshot, entries of a
 * writecache, B-trees of a thin pool, metadata of LVM) or in the kernel (a status line).  Read when
 * the climb first needs one, once per scan, and kept until the stack goes.
 *
 * To add one: a static const struct pme_map_kind in the file of the layer that needs it.
 */
#ifndef PME_MAP_H
#define PME_MAP_H

#include "stack.h"

struct pme_map_kind {
	/*
	 * Read the map of @dev (and of one line of its table, or NULL) into *@ret.  0 or -errno;
	 * but for -ENOMEM an error comes with *@ret_why: allocated text for people that says what
	 * of which device could not be known, without the parameters of a table.
	 */
	int (*load)(struct pme_stack *stack, const struct pme_dev *dev,
		    const struct pme_dm_line *line, void **ret, char **ret_why);
	void (*done)(void *map);
};

/*
 * The map, borrowed until the stack goes, and *@ret_why NULL.  An error is remembered too: *@ret_why
 * is its text, also borrowed.  Fails with -ENOMEM, -ELOOP when a map needs itself, or what load() returned.
 */
int pme_map_get(struct pme_stack *stack, const struct pme_map_kind *kind, const struct pme_dev *dev,
		const struct pme_dm_line *line, const void **ret, const char **ret_why);

void pme_maps_done(struct pme_maps *maps);

#endif
