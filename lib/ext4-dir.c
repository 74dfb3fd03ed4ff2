/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Directories, read from the device; see ext4-dir.h.
 *
 * Checksums are not looked at, since the kernel confirms what comes out.  What was made to do harm
 * ends: no more blocks are read than the filesystem has.
 */
#include "ext4-dir.h"

#include <sys/stat.h>
#include <unistd.h>

#include "ext4-pass.h"
#include "os.h"

#define PIECE (64U << 10) /* bytes read at once, and the largest block */
#define FLAG_CASEFOLD 0x40000000U
#define ONLY_KERNEL (PME_EXT4_ENCRYPTED | PME_EXT4_INLINE | FLAG_CASEFOLD)

/* One directory. */
struct reading {
	struct pme_ext4_checker checker; /* first */
	struct pme_ext4_dirs *dirs;
	uint64_t blocks; /* of its size */
	uint32_t parent;
	bool left; /* to the kernel */
};

int pme_ext4_dirs_init(struct pme_ext4_dirs *dirs)
{
	dirs->buf = malloc(PIECE);
	return dirs->buf ? 0 : -ENOMEM;
}

void pme_ext4_dirs_done(struct pme_ext4_dirs *dirs)
{
	free(dirs->buf);
	dirs->buf = NULL;
}

bool pme_ext4_dir_may_read(const struct pme_ext4_dirs *dirs, uint64_t start, uint64_t length)
{
	uint64_t page = (uint64_t)getpagesize(), before = start % page;
	struct pme_range pages = {start - before, (before + length + page - 1) / page * page};

	return !pme_range_list_meets(dirs->avoid, pages);
}

static int leave(struct reading *reading)
{
	reading->left = true;
	return -ECANCELED;
}

/* Is it the entry of the directory itself, or of its parent, which is noted? */
static bool is_dots(struct reading *reading, const struct pme_ext4_dirent *entry)
{
	bool is_parent = pme_word_is(entry->name, entry->len, "..");

	if (is_parent)
		reading->parent = entry->ino;
	return is_parent || pme_word_is(entry->name, entry->len, ".");
}

/* The entries in one block, whose number in the directory is @logical; how many are counted. */
static int take_block(struct reading *reading, const unsigned char *block, uint64_t logical,
		      uint64_t *count)
{
	const struct pme_ext4_dirs *dirs = reading->dirs;
	struct pme_ext4_dirent entry;
	uint32_t pos = 0;
	int r;

	while ((r = pme_ext4_dirent_next(block, dirs->geo->block_size, &pos, &entry)) > 0) {
		if (logical == 0 && entry.len <= 2 && is_dots(reading, &entry))
			continue;
		r = dirs->take(dirs->arg, &entry);
		if (r < 0)
			return r;
		++*count;
	}
	return r < 0 ? leave(reading) : 0;
}

/* @count blocks, no more than a piece. */
static int take_piece(struct reading *reading, uint64_t physical, uint64_t logical, uint64_t count)
{
	const struct pme_ext4_dirs *dirs = reading->dirs;
	uint32_t size = dirs->geo->block_size;
	uint64_t entries = 0;
	int r = 0;

	if (!pme_ext4_dir_may_read(dirs, physical * size, count * size) ||
	    pme_os_pread(*dirs->geo->fd, dirs->buf, count * size, physical * size) < 0)
		return leave(reading);
	for (uint64_t i = 0; r == 0 && i < count; i++)
		r = take_block(reading, dirs->buf + i * size, logical + i, &entries);
	return r < 0 ? r : pme_crew_step(dirs->crew, entries);
}

static bool may_take(const struct reading *reading, uint64_t count)
{
	uint64_t left = atomic_load(reading->dirs->blocks_left);

	do {
		if (left < count)
			return false;
	} while (!atomic_compare_exchange_weak(reading->dirs->blocks_left, &left, left - count));
	return true;
}

static int take_run(void *arg, const struct pme_ext4_run *run)
{
	struct reading *reading = arg;
	const struct pme_ext4_dirs *dirs = reading->dirs;
	uint32_t size = dirs->geo->block_size;
	uint64_t done = 0, count = run->count;
	int r = 0;

	if (run->kind == PME_EXT4_MAP)
		return pme_ext4_dir_may_read(dirs, run->physical * size, size)
			       ? pme_crew_step(dirs->crew, 0)
			       : leave(reading);
	if (run->kind != PME_EXT4_DATA)
		return leave(reading);
	if (run->logical >= reading->blocks)
		return 0;
	count = pme_min(count, reading->blocks - run->logical);
	if (!may_take(reading, count))
		return leave(reading);
	for (uint64_t part; r == 0 && done < count; done += part) {
		part = pme_min(count - done, PIECE / size);
		r = take_piece(reading, run->physical + done, run->logical + done, part);
	}
	return r;
}

int pme_ext4_dir_read(struct pme_ext4_dirs *dirs, const struct pme_ext4_inode *inode,
		      uint32_t *ret_parent)
{
	const struct pme_ext4_geo *geo = dirs->geo;
	const struct pme_reader reader = pme_ext4_geo_reader(geo);
	struct reading reading = {
		.checker = {.geo = geo},
		.dirs = dirs,
		.blocks = inode->size / geo->block_size,
	};
	const struct pme_ext4_map map = {
		.reader = &reader,
		.block_size = geo->block_size,
		.blocks = geo->blocks,
		.take = take_run,
		.check = pme_ext4_check_block,
		.arg = &reading,
	};
	int r;

	if (!S_ISDIR(inode->mode) || inode->nlink == 0 || (inode->flags & ONLY_KERNEL))
		return 0;
	r = pme_ext4_map_walk(&map, inode);
	if (reading.left || r == -EIO || r == -EUCLEAN)
		return 0;
	if (r == 0)
		*ret_parent = reading.parent;
	return r < 0 ? r : reading.parent != 0;
}

int pme_ext4_dir_read_number(struct pme_ext4_dirs *dirs, uint32_t ino, uint32_t *ret_parent)
{
	const struct pme_ext4_geo *geo = dirs->geo;
	struct pme_ext4_inode inode;
	uint64_t at;

	if (pme_ext4_geo_inode_at(geo, ino, &at) < 0 ||
	    !pme_ext4_dir_may_read(dirs, at, geo->inode_size) ||
	    pme_os_pread(*geo->fd, dirs->buf, geo->inode_size, at) < 0)
		return 0;
	pme_ext4_inode_parse(dirs->buf, ino, geo->block_size, &inode);
	return pme_ext4_dir_read(dirs, &inode, ret_parent);
}
