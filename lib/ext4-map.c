/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inodes and block maps; see ext4-map.h.
 *
 * A tree that was damaged, or made to do harm, must not lead in circles: extent trees get shallower
 * with every step, and what hangs below an entry has to lie between it and the next one; a map of
 * indirect blocks may not have more of them than the inode says it occupies.
 */
#include "ext4-map.h"

#include <string.h>
#include <sys/stat.h>

#define FLAG_HUGE 0x00040000U /* i_blocks counts blocks, not sectors */

/* Extent trees. */
#define EXTENT_MAGIC 0xf30a
#define EXTENT_SIZE 12U /* header, entries */
#define EXTENT_DEPTH 5
#define EXTENT_LONG 32768U /* longer: unwritten */
#define LOGICAL_END (1ULL << 32)

/* Indirect blocks. */
#define DIRECT 12
#define INDIRECT_DEPTH 3

struct walk {
	const struct pme_ext4_map *map;
	const struct pme_ext4_inode *inode;
	int damage;		 /* 0, -EIO, -EUCLEAN: the first */
	uint64_t budget;	 /* indirect blocks still allowed */
	struct pme_ext4_run run; /* of single blocks, not taken yet */
};

static uint32_t le16(const unsigned char *at)
{
	return at[0] | (uint32_t)at[1] << 8;
}

void pme_ext4_inode_parse(const unsigned char *raw, uint32_t ino, uint32_t block_size,
			  struct pme_ext4_inode *ret)
{
	uint64_t blocks = pme_le32_at(raw + 0x1c) | (uint64_t)le16(raw + 0x74) << 32;

	*ret = (struct pme_ext4_inode){
		.ino = ino,
		.mode = le16(raw),
		.nlink = le16(raw + 0x1a),
		.flags = pme_le32_at(raw + 0x20),
		.gen = pme_le32_at(raw + 0x64),
		.xattr_block = pme_le32_at(raw + 0x68) | (uint64_t)le16(raw + 0x76) << 32,
		.size = pme_le32_at(raw + 0x04) | (uint64_t)pme_le32_at(raw + 0x6c) << 32,
	};
	ret->space = blocks * (ret->flags & FLAG_HUGE ? block_size : PME_SECTOR);
	memcpy(ret->block, raw + 0x28, sizeof(ret->block));
	if (ino == PME_EXT4_BAD_INO && ret->mode == 0)
		ret->mode = S_IFREG;
}

bool pme_ext4_inode_has_map(const struct pme_ext4_inode *inode)
{
	if (inode->flags & PME_EXT4_INLINE)
		return false;
	if (S_ISLNK(inode->mode))
		return (inode->flags & PME_EXT4_EXTENTS) || inode->size >= PME_EXT4_IBLOCK;
	return S_ISREG(inode->mode) || S_ISDIR(inode->mode);
}

static void note_damage(struct walk *walk, int error)
{
	if (walk->damage == 0)
		walk->damage = error;
}

static int take_run(struct walk *walk, enum pme_ext4_run_kind kind, uint64_t logical,
		    uint64_t physical, uint64_t count)
{
	const struct pme_ext4_run run = {kind, logical, physical, count};

	if (physical >= walk->map->blocks || count > walk->map->blocks - physical) {
		note_damage(walk, -EUCLEAN);
		return 0;
	}
	return walk->map->take(walk->map->arg, &run);
}

/* A block of the map into @buf: 1, 0 it cannot be used (noted), -errno of take(). */
static int take_block(struct walk *walk, uint64_t block, unsigned char *buf)
{
	const struct pme_reader *reader = walk->map->reader;
	uint32_t size = walk->map->block_size;
	int r;

	if (block == 0 || block >= walk->map->blocks) {
		note_damage(walk, -EUCLEAN);
		return 0;
	}
	r = take_run(walk, PME_EXT4_MAP, 0, block, 1);
	if (r < 0)
		return r;
	r = reader->read(reader->arg, buf, size, block * size);
	if (r < 0)
		note_damage(walk, -EIO);
	return r == 0;
}

/* ---- extents ---- */

/* Entries of one node that holds @size bytes, at @depth; -1 when it is none. */
static int count_entries(const unsigned char *node, uint32_t size, uint32_t depth)
{
	uint32_t entries = le16(node + 2), max = le16(node + 4);

	if (le16(node) != EXTENT_MAGIC || entries > max || max > size / EXTENT_SIZE - 1 ||
	    le16(node + 6) != depth)
		return -1;
	return (int)entries;
}

static int take_leaf(struct walk *walk, const unsigned char *entry, uint64_t *from, uint64_t end)
{
	uint64_t logical = pme_le32_at(entry), count = le16(entry + 4);
	uint64_t physical = pme_le32_at(entry + 8) | (uint64_t)le16(entry + 6) << 32;
	bool unwritten = count > EXTENT_LONG;

	count -= unwritten ? EXTENT_LONG : 0;
	if (logical < *from || count == 0 || count > end - logical) {
		note_damage(walk, -EUCLEAN);
		return 0;
	}
	*from = logical + count;
	return take_run(walk, unwritten ? PME_EXT4_UNWRITTEN : PME_EXT4_DATA, logical, physical,
			count);
}

static int walk_node(struct walk *walk, const unsigned char *node, uint32_t size, uint32_t depth,
		     uint64_t from, uint64_t end);

/* The node that index entry @entry leads to, for logical blocks up to @end. */
static int walk_below(struct walk *walk, const unsigned char *entry, uint32_t depth, uint64_t end)
{
	uint64_t block = pme_le32_at(entry + 4) | (uint64_t)le16(entry + 8) << 32;
	uint32_t size = walk->map->block_size;
	_cleanup_free_ unsigned char *buf = malloc(size);
	int r = buf ? take_block(walk, block, buf) : -ENOMEM;

	if (r <= 0)
		return r;
	/* only the root may be empty */
	if (count_entries(buf, size, depth - 1) <= 0 ||
	    (walk->map->check && !walk->map->check(walk->map->arg, walk->inode, buf))) {
		note_damage(walk, -EUCLEAN);
		return 0;
	}
	return walk_node(walk, buf, size, depth - 1, pme_le32_at(entry), end);
}

static int walk_node(struct walk *walk, const unsigned char *node, uint32_t size, uint32_t depth,
		     uint64_t from, uint64_t end)
{
	int n = count_entries(node, size, depth), r = 0;

	if (n < 0)
		note_damage(walk, -EUCLEAN);
	for (int i = 0; r == 0 && i < n; i++) {
		const unsigned char *entry = node + (size_t)(i + 1) * EXTENT_SIZE;
		uint64_t logical = pme_le32_at(entry), next = end;

		if (depth == 0) {
			if (logical >= end)
				note_damage(walk, -EUCLEAN);
			else
				r = take_leaf(walk, entry, &from, end);
			continue;
		}
		if (i + 1 < n)
			next = pme_le32_at(entry + EXTENT_SIZE);
		if (logical < from || next <= logical || next > end) {
			note_damage(walk, -EUCLEAN);
			continue;
		}
		r = walk_below(walk, entry, depth, next);
		from = next;
	}
	return r;
}

static int walk_extents(struct walk *walk)
{
	const unsigned char *root = walk->inode->block;
	uint32_t depth = le16(root + 6);

	if (depth > EXTENT_DEPTH) {
		note_damage(walk, -EUCLEAN);
		return 0;
	}
	return walk_node(walk, root, PME_EXT4_IBLOCK, depth, 0, LOGICAL_END);
}

/* ---- indirect blocks ---- */

static int flush_run(struct walk *walk)
{
	struct pme_ext4_run run = walk->run;

	walk->run.count = 0;
	return run.count > 0 ? take_run(walk, run.kind, run.logical, run.physical, run.count) : 0;
}

static int take_single(struct walk *walk, uint64_t logical, uint64_t physical)
{
	struct pme_ext4_run *run = &walk->run;
	int r;

	if (physical == 0)
		return 0;
	if (run->count > 0 && run->logical + run->count == logical &&
	    run->physical + run->count == physical) {
		run->count++;
		return 0;
	}
	r = flush_run(walk);
	*run = (struct pme_ext4_run){PME_EXT4_DATA, logical, physical, 1};
	return r;
}

/* The blocks below the indirect block @block of level @level (1: it points to data). */
static int walk_indirect(struct walk *walk, uint64_t block, int level, uint64_t logical)
{
	uint32_t size = walk->map->block_size, n = size / 4;
	_cleanup_free_ unsigned char *buf = NULL;
	uint64_t step = 1;
	int r;

	if (block == 0)
		return 0;
	if (walk->budget == 0) {
		note_damage(walk, -EUCLEAN);
		return 0;
	}
	walk->budget--;
	buf = malloc(size);
	r = buf ? take_block(walk, block, buf) : -ENOMEM;
	if (r <= 0)
		return r;
	for (int i = 1; i < level; i++)
		step *= n;
	r = 0;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		uint64_t next = pme_le32_at(buf + (size_t)i * 4), at = logical + i * step;

		r = level == 1 ? take_single(walk, at, next)
			       : walk_indirect(walk, next, level - 1, at);
	}
	return r;
}

static int walk_blocks(struct walk *walk)
{
	const unsigned char *root = walk->inode->block;
	uint64_t logical = DIRECT, step = 1;
	int r = 0;

	walk->budget = pme_min(walk->inode->space / walk->map->block_size, walk->map->blocks);
	for (uint32_t i = 0; r == 0 && i < DIRECT; i++)
		r = take_single(walk, i, pme_le32_at(root + (size_t)i * 4));
	for (int level = 1; r == 0 && level <= INDIRECT_DEPTH; level++) {
		size_t at = (size_t)(DIRECT + level - 1) * 4;

		r = walk_indirect(walk, pme_le32_at(root + at), level, logical);
		step *= walk->map->block_size / 4;
		logical += step;
	}
	return r < 0 ? r : flush_run(walk);
}

int pme_ext4_map_walk(const struct pme_ext4_map *map, const struct pme_ext4_inode *inode)
{
	struct walk walk = {.map = map, .inode = inode};
	int r = 0;

	if (!pme_ext4_inode_has_map(inode))
		return 0;
	r = inode->flags & PME_EXT4_EXTENTS ? walk_extents(&walk) : walk_blocks(&walk);
	return r < 0 ? r : walk.damage;
}
