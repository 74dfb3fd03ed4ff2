/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks and btrees of persistent metadata; see dm-btree.h.  No Debian library has a CRC-32C of the
 * kind that is needed here, so there is a small one.
 */
#include "dm-btree.h"

#include "reader.h"

#define DEPTH_MAX 16U
#define NODES_MAX (4U << 20) /* 16 GiB of reading */
#define HEADER 32U
#define NODE_INTERNAL 1U
#define NODE_LEAF 2U

uint32_t pme_btree_csum(const void *block, uint32_t salt)
{
	static uint32_t table[256];
	const unsigned char *p = block;
	uint32_t crc = UINT32_MAX;

	for (uint32_t i = 0; table[1] == 0 && i < 256; i++) {
		uint32_t v = i ^ 0xff; /* downwards: table[1] comes last but one */

		for (int bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ 0x82f63b78U : v >> 1;
		table[i ^ 0xff] = v;
	}
	for (size_t i = sizeof(uint32_t); i < PME_BTREE_BLOCK; i++)
		crc = table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
	return crc ^ salt;
}

int pme_btree_fail(struct pme_btree_walk *w, uint64_t block, const char *what, int error)
{
	w->what = what;
	w->where = block;
	return error;
}

int pme_btree_read_at(struct pme_btree_walk *w, uint64_t block, uint32_t salt, size_t number_at,
		      unsigned char *buf)
{
	int r;

	if (w->blocks && block >= w->blocks)
		return pme_btree_fail(w, block, "a block number behind the end", -EBADMSG);
	if (w->nodes++ >= NODES_MAX)
		return pme_btree_fail(w, block, "too many nodes", -E2BIG);
	r = w->reader->read(w->reader->context, block, buf);
	if (r < 0)
		return pme_btree_fail(w, block, "cannot be read", r);
	if (pme_le32_at(buf) != pme_btree_csum(buf, salt))
		return pme_btree_fail(w, block, "wrong checksum", -EBADMSG);
	if (pme_le64_at(buf + number_at) != block)
		return pme_btree_fail(w, block, "a block of another place", -EBADMSG);
	return 0;
}

int pme_btree_read(struct pme_btree_walk *w, uint64_t block, uint32_t salt, unsigned char *buf)
{
	return pme_btree_read_at(w, block, salt, 8, buf);
}

struct node {
	bool leaf;
	size_t count;
	const unsigned char *keys, *values;
};

static int check_node(const unsigned char *buf, size_t leaf_size, struct pme_btree_bounds bounds,
		      struct node *ret)
{
	uint32_t flags = pme_le32_at(buf + 4), count = pme_le32_at(buf + 16),
		 max = pme_le32_at(buf + 20);
	size_t size = flags == NODE_LEAF ? leaf_size : sizeof(uint64_t);
	uint64_t before = 0, key;

	if ((flags != NODE_LEAF && flags != NODE_INTERNAL) || pme_le32_at(buf + 24) != size ||
	    max > (PME_BTREE_BLOCK - HEADER) / (sizeof(uint64_t) + size) || count > max ||
	    (flags == NODE_INTERNAL && count == 0))
		return -EBADMSG;
	*ret = (struct node){
		.leaf = flags == NODE_LEAF,
		.count = count,
		.keys = buf + HEADER,
		.values = buf + HEADER + max * sizeof(uint64_t),
	};
	for (size_t i = 0; i < count; i++) {
		key = pme_le64_at(ret->keys + i * sizeof(key));
		if (key < bounds.first || key >= bounds.end || (i > 0 && key <= before))
			return -EBADMSG;
		before = key;
	}
	return 0;
}

static uint64_t key_at(const struct node *node, size_t i)
{
	return pme_le64_at(node->keys + i * sizeof(uint64_t));
}

static int walk_tree(struct pme_btree_walk *w, const struct pme_btree *tree, uint64_t block,
		     struct pme_btree_bounds bounds, unsigned int depth)
{
	_cleanup_free_ unsigned char *buf = malloc(PME_BTREE_BLOCK);
	struct node node;
	int r;

	if (!buf)
		return -ENOMEM;
	if (depth >= DEPTH_MAX)
		return pme_btree_fail(w, block, "the tree is too deep", -EBADMSG);
	r = pme_btree_read(w, block, PME_BTREE_SALT, buf);
	if (r < 0)
		return r;
	if (check_node(buf, tree->value_size, bounds, &node) < 0)
		return pme_btree_fail(w, block, "no sound node of a btree", -EBADMSG);
	for (size_t i = 0; r >= 0 && i < node.count; i++) {
		struct pme_btree_bounds below = {
			key_at(&node, i), i + 1 < node.count ? key_at(&node, i + 1) : bounds.end};

		if (node.leaf)
			r = tree->leaf(w, below.first, node.values + i * tree->value_size);
		else
			r = walk_tree(w, tree, pme_le64_at(node.values + i * sizeof(uint64_t)),
				      below, depth + 1);
		if (r == -EBADMSG && !w->what)
			pme_btree_fail(w, block, "a value that makes no sense", r);
	}
	return r;
}

int pme_btree_walk(struct pme_btree_walk *w, const struct pme_btree *tree, uint64_t root,
		   struct pme_btree_bounds bounds)
{
	return walk_tree(w, tree, root, bounds, 0);
}
