/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over the inode tables: which inodes have something in the bad blocks?
 *
 * Its answers are candidates: the filesystem goes on while it is read.
 */
#ifndef PME_EXT4_PASS_H
#define PME_EXT4_PASS_H

#include "ext4-geo.h"
#include "ext4-map.h"
#include "progress.h"

/*
 * Which blocks of inode tables may have directories: a bit for each.  It is all that is kept of
 * directories, so that memory does not grow with their number.
 */
struct pme_ext4_marks {
	unsigned char *bits; /* NULL: not known */
	size_t each;	     /* bytes for the table of one group */
	size_t size;	     /* bytes of all */
};

struct pme_ext4_candidates {
	uint32_t *inodes; /* numbers, ascending */
	size_t count, alloc;
	uint64_t unread_blocks;	     /* of inode tables */
	uint64_t damaged_maps;	     /* inodes whose block map could not be read whole */
	uint32_t first_damaged;	     /* one of them */
	bool cut;		     /* not all were looked at */
	struct pme_ext4_marks marks; /* of what was looked at */
};

/*
 * Every inode, in use or not, with something in @wanted (bytes, normalized).  0, -ENOMEM, -E2BIG:
 * what cannot be read is counted.  When the time of @progress is over ret->cut is set, and what was
 * found until then is there.
 */
int pme_ext4_pass(const struct pme_ext4_geo *geo, const struct pme_range_list *wanted,
		  struct pme_progress *progress, struct pme_ext4_candidates *ret);
void pme_ext4_candidates_done(struct pme_ext4_candidates *candidates);

/* pme_ext4_map.check for the blocks of extent trees; its arg is anything that begins so. */
struct pme_ext4_checker {
	const struct pme_ext4_geo *geo;
};
bool pme_ext4_check_block(void *arg, const struct pme_ext4_inode *inode, const void *block);

#endif
