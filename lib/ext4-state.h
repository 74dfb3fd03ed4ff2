/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a mounted ext2, ext3 or ext4 says about the bad bytes at one moment: pieces with their
 * owners, and every inode that has to do with them.  Taken twice, around the search for names, and
 * compared.
 */
#ifndef PME_EXT4_STATE_H
#define PME_EXT4_STATE_H

#include "ext4-inode.h"
#include "ext4-layout.h"
#include "ext4-pass.h"

enum pme_ext4_class {
	PME_EXT4_PLACE, /* fixed: part, group */
	PME_EXT4_FREE,
	PME_EXT4_FILE,	    /* of inode ino: data, or unwritten */
	PME_EXT4_BLOCK_MAP, /* of inode ino */
	PME_EXT4_XATTR,	    /* block of attributes of inode ino */
	PME_EXT4_REST,	    /* of a cluster that inode ino, or with ino 0 metadata, uses in part */
	PME_EXT4_LOST,	    /* in use by the bitmap, but by no inode that could be read */
	PME_EXT4_NO_BITMAP, /* nobody can say whether it is in use; group */
};

struct pme_ext4_piece {
	struct pme_range range; /* bytes of the device */
	enum pme_ext4_class class;
	enum pme_ext4_part part;
	uint32_t group, ino;
	uint64_t offset; /* byte of the file at range.start, of PME_EXT4_FILE */
	bool unwritten;
};

struct pme_ext4_state {
	struct pme_ext4_piece *pieces; /* sorted by place */
	size_t n_pieces, alloc_pieces;
	struct pme_ext4_live *inodes; /* sorted by number */
	size_t n_inodes, alloc_inodes;
	uint64_t unread_blocks, damaged_maps; /* of the pass: who may own what is lost */
	uint32_t first_damaged;
	uint32_t bad_groups;
	bool cut;		     /* the time was over before all inodes were looked at */
	struct pme_ext4_marks marks; /* where directories are; only of a pass */
};

/*
 * 0 or -errno.  @earlier: only its inodes are asked again, without a pass over all; or NULL.
 * @ranges is normalized.
 */
int pme_ext4_state_take(const struct pme_ext4_door *door, const struct pme_range_list *ranges,
			const struct pme_ext4_state *earlier, struct pme_ext4_state *ret);
void pme_ext4_state_done(struct pme_ext4_state *state);

/* Anything in use by nobody, so that it is worth asking again? */
bool pme_ext4_state_has_lost(const struct pme_ext4_state *state);
bool pme_ext4_state_equal(const struct pme_ext4_state *a, const struct pme_ext4_state *b);

/*
 * Remove from @state the pieces that are not the same in @later, and append their bytes to
 * @ret_changed (normalized).
 */
int pme_ext4_state_reduce(const struct pme_ext4_geo *geo, struct pme_ext4_state *state,
			  const struct pme_ext4_state *later, struct pme_range_list *ret_changed);

/* Position of the first inode with a number of at least @ino. */
size_t pme_ext4_state_find(const struct pme_ext4_state *state, uint32_t ino);

#endif
