/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a btrfs says of ranges of one of its devices, at one time: taken twice, it shows what
 * changed under the search.
 */
#ifndef PME_BTRFS_STATE_H
#define PME_BTRFS_STATE_H

#include "btrfs-extents.h"

enum pme_btrfs_what {
	PME_BTRFS_BEHIND,      /* behind the end that btrfs knows */
	PME_BTRFS_RESERVED,    /* the first MiB, but for the superblock */
	PME_BTRFS_SUPER,       /* a copy of the superblock */
	PME_BTRFS_UNALLOCATED, /* in no chunk */
	PME_BTRFS_PARITY,
	PME_BTRFS_FREE,	   /* in a chunk, in no extent */
	PME_BTRFS_TREE,	   /* a tree block */
	PME_BTRFS_DATA,	   /* of a file */
	PME_BTRFS_UNSHOWN, /* of an extent of files that show other parts of it only */
	PME_BTRFS_DELETED, /* of deleted subvolumes only: nobody tells who has their files open */
	PME_BTRFS_CACHE,   /* the old free space cache: an inode of the root tree */
	PME_BTRFS_MYSTERY, /* see why */
};

#define PME_BTRFS_NO_CHUNK SIZE_MAX

struct pme_btrfs_piece {
	struct pme_range range; /* bytes of the device */
	enum pme_btrfs_what what;
	size_t chunk; /* in the state's chunks, or PME_BTRFS_NO_CHUNK */
	uint32_t stripe;
	uint64_t logical;	      /* of the first byte */
	unsigned int super;	      /* which copy */
	struct pme_btrfs_found block; /* TREE */
	/* DATA: the file, and its byte at range.start; CACHE, DELETED: root and inode */
	uint64_t root, inode, file_start;
	uint64_t whole; /* DATA that is decoded as a whole: this many bytes from file_start on */
	uint8_t compression;
	bool encoded, prealloc, shared;
	const char *why; /* MYSTERY: static */
};

/* An inode that owns a piece. */
struct pme_btrfs_file {
	uint64_t root, inode;
	struct pme_btrfs_inode item;
	bool damaged; /* its item cannot be read, or is gone */
};

struct pme_btrfs_state {
	struct pme_btrfs_chunks chunks;
	struct pme_btrfs_piece *pieces;
	size_t n_pieces, alloc_pieces;
	struct pme_btrfs_file *files; /* sorted by root, inode */
	size_t n_files, alloc_files;
};

/*
 * 0 or -errno, -ETIME when the time of @progress (or NULL) is over; free with
 * pme_btrfs_state_done() either way.  With an @earlier state (or NULL) ranges of which the files
 * are known are not asked for again: then it is their inodes that tell whether anything changed.
 */
int pme_btrfs_state_take(struct pme_btrfs_view *view, const struct pme_range_list *ranges,
			 const struct pme_btrfs_state *earlier, struct pme_progress *progress,
			 struct pme_btrfs_state *ret);
void pme_btrfs_state_done(struct pme_btrfs_state *state);

bool pme_btrfs_state_equal(const struct pme_btrfs_state *a, const struct pme_btrfs_state *b);

/* Bytes of which the two do not say the same become mysteries in @state: 0 or -errno. */
int pme_btrfs_state_reduce(struct pme_btrfs_state *state, const struct pme_btrfs_state *later,
			   uint64_t *ret_bytes);

/*
 * The pieces of @range, one of those asked about, that are not to be asked for again: 1 @ret has
 * them, with their place in @chunks; 0 they have to be asked for; -ENOMEM.  @earlier may be NULL.
 */
int pme_btrfs_state_keep(const struct pme_btrfs_state *earlier, struct pme_range range,
			 const struct pme_btrfs_chunks *chunks, struct pme_btrfs_state *ret);

/* Errors that say: a tree is damaged here. */
bool pme_btrfs_is_damage(int error);

/* The file of @root and @inode: its index, or n_files. */
size_t pme_btrfs_state_file(const struct pme_btrfs_state *state, uint64_t root, uint64_t inode);

/* For btrfs-files.c: append; NULL without memory. */
struct pme_btrfs_piece *pme_btrfs_state_add(struct pme_btrfs_state *state,
					    const struct pme_btrfs_piece *like,
					    struct pme_range range, enum pme_btrfs_what what);

/*
 * Pieces of all files for the data extent @found, as far as it meets @like, the piece of a chunk
 * that is asked about.  0 or -errno.
 */
int pme_btrfs_files_add(const struct pme_btrfs_view *view, const struct pme_btrfs_found *found,
			const struct pme_btrfs_piece *like, struct pme_btrfs_state *state);
/*
 * The same without the extent tree, for bytes that lie in one extent of files of subvolumes, as
 * most do: 1, 0 nothing was added and that tree has to be asked, -ENOMEM.
 */
int pme_btrfs_files_add_directly(const struct pme_btrfs_view *view,
				 const struct pme_btrfs_piece *like, struct pme_btrfs_state *state);

#endif
