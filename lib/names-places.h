/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name within a filesystem, and the directories above it: one of them may be a layer of an
 * overlay; for names-overlay.c.
 */
#ifndef PME_NAMES_PLACES_H
#define PME_NAMES_PLACES_H

#include "fs.h"
#include "names.h"
#include "topo-overlay.h"

/* A directory above a file: what follows is the rest of its name. */
struct pme_above {
	const char *rest;
	dev_t devno;
	uint64_t inode;
	bool judged; /* of the overlay that is looked at now: nothing more to be found */
};

struct pme_item {
	struct pme_file *file; /* borrowed, as the name */
	const char *name;
	dev_t devno; /* of the file, as the filesystem that has the layers shows it */
	uint64_t inode;
	struct pme_above *places; /* from the root on; of those out of reach the number is 0 */
	size_t n_places;
	bool has_stat, partial; /* partial: some of them are out of reach */
	bool copied;		/* the number may be that of a copy one day */
	struct stat st;
	const struct pme_overlay *overlay; /* that shows it so, or NULL */
};

/*
 * Fill places and stat of @item, whose name, file and numbers are set: @root is the directory
 * @below
 * ("/a") of its filesystem, or -1.  0 or -ENOMEM; free the places.
 */
int pme_item_fill(int root, const char *below, struct pme_item *item);

struct pme_items {
	struct pme_item *items;
	size_t count, alloc;
};

/* A new one, valid until the next call; @item is copied.  NULL without memory. */
struct pme_item *pme_items_add(struct pme_items *items, const struct pme_item *item);
/*
 * All @names (sorted by file) as a mount shows their directories, one of the whole filesystem where
 * there is such a one: 0 or -ENOMEM.
 */
int pme_items_load(const struct pme_os *os, const struct pme_fs *fs, const struct pme_names *names,
		   struct pme_items *ret);
void pme_items_done(struct pme_items *items);

#endif
