/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metadata blocks and btrees as device-mapper keeps them on media (drivers/md/persistent-data:
 * dm-btree.c, dm-btree-internal.h): thin pools, caches.
 *
 * Blocks come from a callback, and every one of them is judged: checksum, own number, keys within
 * what the parent promised.  The surprise: trees share whole subtrees, so that a node may be met
 * often; only the depth and the order of the keys tell that from a cycle.
 */
#ifndef PME_DM_BTREE_H
#define PME_DM_BTREE_H

#include "base.h"

#define PME_BTREE_BLOCK 4096U /* bytes of a metadata block; the kernel knows no other */
#define PME_BTREE_SALT 121107U

struct pme_btree_reader {
	int (*read)(void *context, uint64_t block, void *buf); /* one block; 0 or -errno */
	void *context;
};

struct pme_btree_walk {
	const struct pme_btree_reader *reader;
	uint64_t blocks;  /* of metadata; 0: not known */
	uint64_t nodes;	  /* read so far */
	const char *what; /* what failed (static), or NULL */
	uint64_t where;	  /* in which block */
	void *context;	  /* of the leaf functions */
};

struct pme_btree {
	size_t value_size;
	/* A value; -EBADMSG when it makes no sense. */
	int (*leaf)(struct pme_btree_walk *w, uint64_t key, const unsigned char *value);
};

/* Keys lie in [first, end). */
struct pme_btree_bounds {
	uint64_t first, end;
};

/* All values of the tree in the order of their keys: 0, -ENOMEM, -EBADMSG, -E2BIG, or what the
 * reader or a leaf function returned. */
int pme_btree_walk(struct pme_btree_walk *w, const struct pme_btree *tree, uint64_t root,
		   struct pme_btree_bounds bounds);
/* One block whose checksum has @salt.  The same errors. */
int pme_btree_read(struct pme_btree_walk *w, uint64_t block, uint32_t salt, unsigned char *buf);
/* The same of a block that has its own number at byte @number_at; array blocks do. */
int pme_btree_read_at(struct pme_btree_walk *w, uint64_t block, uint32_t salt, size_t number_at,
		      unsigned char *buf);
/* Note what failed; returns @error. */
int pme_btree_fail(struct pme_btree_walk *w, uint64_t block, const char *what, int error);

/* The checksum of a metadata block: CRC-32C of all but its first four bytes, xor @salt. */
uint32_t pme_btree_csum(const void *block, uint32_t salt);

#endif
