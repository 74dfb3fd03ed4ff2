/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of sysfs that hold lists of bad blocks: of disks and of regions.
 *
 * What three sources have in common: which files there are, whose region they belong to, and
 * whether one says something else than before.  A file that came back under the same name (its
 * inode is another one) is a new one.
 */
#ifndef PMED_LISTS_H
#define PMED_LISTS_H

#include <systemd/sd-event.h>

#include "os.h"

struct pmed_list {
	char *path;   /* "sys/block/pmem0/badblocks" */
	char *region; /* "region0" */
	uint64_t inode;
	uint64_t sum; /* of its contents when last read; 0: not read yet */
	/* of the source that has it */
	int fd; /* open, or a watch; -1 */
	sd_event_source *io;
	void *own;
};

struct pmed_lists {
	struct pmed_list **items;
	size_t count, alloc;
};

/*
 * Bring @lists up to date: those that are gone are given to gone() (may be NULL) and freed; new
 * ones have fd -1.  0 when nothing changed, 1 when something did, -errno: not all are known.
 */
int pmed_lists_update(const struct pme_os *os, struct pmed_lists *lists,
		      void (*gone)(struct pmed_list *list));
void pmed_lists_done(struct pmed_lists *lists, void (*gone)(struct pmed_list *list));

/*
 * Read @fd from its beginning, or (-1) the file: 1 when it differs from the last time, also when it
 * is too long to tell; 0; -errno.  The first time is 1.
 */
int pmed_list_read(const struct pme_os *os, struct pmed_list *list, int fd);

/* The last component of the path @target that is the name of a region, allocated; NULL: none. */
char *pmed_region_of_path(const char *target);

#endif
