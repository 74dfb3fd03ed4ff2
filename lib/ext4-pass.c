/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pass over the inode tables; see ext4-pass.h.
 *
 * Tables are read in long pieces.  When one cannot be read it is tried again block by block, so
 * that one bad sector costs the inodes of its block and no others.
 */
#include "ext4-pass.h"

#include <ext2fs/ext2fs.h>
#include <string.h>

#include "os.h"

#define PIECE (1U << 20) /* bytes read at once: longer is not faster */

struct pass {
	struct pme_ext4_checker checker; /* first */
	const struct pme_range_list *wanted;
	struct pme_range span; /* from the first to the last wanted byte */
	struct pme_reader reader;
	struct pme_ext4_candidates *ret;
	bool hit; /* the inode that is looked at */
	unsigned char *buf;
};

bool pme_ext4_check_block(void *arg, const struct pme_ext4_inode *inode, const void *block)
{
	const struct pme_ext4_checker *checker = arg;

	if (!checker->geo->has_csum)
		return true;
	return ext2fs_extent_block_csum_verify(checker->geo->fs, inode->ino,
					       (struct ext3_extent_header *)block);
}

static bool is_wanted(const struct pass *pass, uint64_t block, uint64_t count)
{
	uint32_t size = pass->checker.geo->block_size;
	struct pme_range range = {block * size, count * size}, common;

	return pme_range_intersect(pass->span, range, &common) &&
	       pme_range_list_meets(pass->wanted, range);
}

static int take_run(void *arg, const struct pme_ext4_run *run)
{
	struct pass *pass = arg;

	pass->hit = pass->hit || is_wanted(pass, run->physical, run->count);
	return 0;
}

static int look_at(struct pass *pass, const unsigned char *raw, uint32_t ino)
{
	const struct pme_ext4_geo *geo = pass->checker.geo;
	const struct pme_ext4_map map = {
		.reader = &pass->reader,
		.block_size = geo->block_size,
		.blocks = geo->blocks,
		.take = take_run,
		.check = pme_ext4_check_block,
		.arg = pass,
	};
	struct pme_ext4_candidates *ret = pass->ret;
	struct pme_ext4_inode inode;
	int r;

	if ((raw[0] | raw[1]) == 0 && ino != PME_EXT4_BAD_INO) /* never used */
		return 0;
	pme_ext4_inode_parse(raw, ino, geo->block_size, &inode);
	pass->hit = inode.xattr_block != 0 && inode.xattr_block < geo->blocks &&
		    is_wanted(pass, inode.xattr_block, 1);
	r = pme_ext4_map_walk(&map, &inode);
	if (r == -EIO || r == -EUCLEAN) {
		if (pme_ext4_geo_inode_used(geo, ino) == 0)
			return 0;
		ret->first_damaged = ret->damaged_maps++ ? ret->first_damaged : ino;
		r = 0;
	}
	if (r < 0 || !pass->hit)
		return r;
	r = pme_grow(&ret->inodes, &ret->alloc, ret->count, sizeof(*ret->inodes));
	if (r == 0)
		ret->inodes[ret->count++] = ino;
	return r;
}

/* The inodes in @size bytes of a table; the first has number @ino. */
static int look_through(struct pass *pass, size_t size, uint32_t ino)
{
	uint32_t inode_size = pass->checker.geo->inode_size;
	int r = 0;

	for (size_t at = 0; r == 0 && at + inode_size <= size; at += inode_size)
		r = look_at(pass, pass->buf + at, ino++);
	return r;
}

static int read_singly(struct pass *pass, uint64_t start, size_t size, uint32_t ino)
{
	const struct pme_ext4_geo *geo = pass->checker.geo;
	int r = 0;

	for (size_t done = 0; r == 0 && done < size; done += geo->block_size) {
		size_t part = pme_min(size - done, geo->block_size);
		uint32_t first = ino + (uint32_t)(done / geo->inode_size);

		if (pme_os_pread(*geo->fd, pass->buf, part, start + done) < 0)
			pass->ret->unread_blocks++;
		else
			r = look_through(pass, part, first);
	}
	return r;
}

static int read_table(struct pass *pass, uint32_t number, const struct pme_ext4_group *group)
{
	const struct pme_ext4_geo *geo = pass->checker.geo;
	uint64_t first = (uint64_t)number * geo->inodes_per_group + 1;
	uint64_t size = (uint64_t)group->used_inodes * geo->inode_size, part;
	uint64_t start = group->table * geo->block_size;
	int r = 0;

	for (uint64_t done = 0; r == 0 && done < size; done += part) {
		uint32_t ino = (uint32_t)(first + done / geo->inode_size);

		part = pme_min(size - done, PIECE);
		if (pme_os_pread(*geo->fd, pass->buf, part, start + done) == 0)
			r = look_through(pass, part, ino);
		else
			r = read_singly(pass, start + done, part, ino);
	}
	return r;
}

static int read_group(struct pass *pass, uint32_t number)
{
	struct pme_ext4_group group;

	if (pme_ext4_geo_group(pass->checker.geo, number, &group) < 0) {
		pass->ret->unread_blocks += pass->checker.geo->table_blocks;
		return 0;
	}
	return group.no_inodes ? 0 : read_table(pass, number, &group);
}

int pme_ext4_pass(const struct pme_ext4_geo *geo, const struct pme_range_list *wanted,
		  struct pme_progress *progress, struct pme_ext4_candidates *ret)
{
	_cleanup_free_ unsigned char *buf = malloc(PIECE);
	struct pass pass = {
		.checker = {.geo = geo},
		.wanted = wanted,
		.reader = pme_ext4_geo_reader(geo),
		.ret = ret,
		.buf = buf,
	};
	int r = 0;

	if (!buf)
		return -ENOMEM;
	if (wanted->count == 0)
		return 0;
	pass.span.start = wanted->items[0].start;
	pass.span.length = pme_range_end(wanted->items[wanted->count - 1]) - pass.span.start;
	pme_progress_phase(progress, PME_PHASE_OWNERS, PME_UNIT_GROUPS, geo->groups);
	for (uint32_t i = 0; r == 0 && i < geo->groups; i++) {
		r = pme_progress_at(progress, i);
		if (r == 0)
			r = read_group(&pass, i);
	}
	ret->cut = r == -ETIME;
	return ret->cut ? 0 : r;
}

void pme_ext4_candidates_done(struct pme_ext4_candidates *candidates)
{
	free(candidates->inodes);
	*candidates = (struct pme_ext4_candidates){0};
}
