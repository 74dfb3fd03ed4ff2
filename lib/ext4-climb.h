/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From directories of a mounted ext2, ext3 or ext4 up to the root: their paths, by what lies in the
 * page cache of the device (ext4-dir.h), so to be confirmed by the kernel.
 */
#ifndef PME_EXT4_CLIMB_H
#define PME_EXT4_CLIMB_H

#include "ext4-dir.h"
#include "progress.h"

/* A directory on the way up. */
struct pme_ext4_step {
	uint32_t ino, parent;
	struct pme_ext4_step *up; /* the parent; NULL: it cannot be read, or it is the root */
	char *name;		  /* in it; NULL: not found */
};

struct pme_ext4_climb {
	const struct pme_ext4_geo *geo;
	const struct pme_range_list *avoid; /* as of struct pme_ext4_dirs */
	struct pme_progress *progress;
	_Atomic uint64_t blocks_left; /* of directories, that may be read */

	/* Private: */
	void *steps; /* tsearch(3) tree of struct pme_ext4_step */
	size_t n_steps;
	struct pme_ext4_step **fresh; /* whose names are not looked for yet */
	size_t n_fresh, alloc_fresh;
};

/*
 * The way up from @ino, which is in @parent: 0 and *@ret (of the climb), NULL when there are too
 * many already; -ENOMEM, -E2BIG.
 */
int pme_ext4_climb_add(struct pme_ext4_climb *climb, uint32_t ino, uint32_t parent,
		       struct pme_ext4_step **ret);
/*
 * Look for the names of all that were added, and of all above: 0 or -errno (-ETIME: some have no
 * path then).
 */
int pme_ext4_climb_run(struct pme_ext4_climb *climb);
/* Below the root, "" for itself: 1 and *@ret (allocated), 0 not known, -ENOMEM. */
int pme_ext4_climb_path(const struct pme_ext4_step *step, char **ret);
void pme_ext4_climb_done(struct pme_ext4_climb *climb);

#endif
