/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pass DEVICE LIST: read the inode tables of an ext4 once, from the first to the last, compare the
 * extents that stand in the inodes with the blocks of LIST, and print how many inodes have one.
 *
 * The floor of the search for owners on ext4.  It reads through the page cache of the device, where
 * the kernel has the tables of a mounted filesystem, and leaves out the blocks of extent trees: it
 * is a little less than what an answer takes.
 */
#include <err.h>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bare.h"

#define PIECE (1U << 20)

struct pass {
	ext2_filsys fs;
	struct bare_list list; /* blocks, sorted */
	char *buf;
	int fd;
	unsigned long found;
};

static int by_number(const void *a, const void *b)
{
	const uint64_t *p = a, *q = b;

	return *p < *q ? -1 : *p > *q;
}

static bool is_wanted(const struct bare_list *list, uint64_t start, uint64_t count)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (list->items[mid] < start)
			low = mid + 1;
		else
			high = mid;
	}
	return low < list->count && list->items[low] < start + count;
}

static bool has_wanted(const struct pass *pass, const struct ext2_inode *inode)
{
	const struct ext3_extent_header *header = (const void *)inode->i_block;
	const struct ext3_extent *extents = (const void *)(header + 1);

	if (inode->i_links_count == 0 || !(inode->i_flags & EXT4_EXTENTS_FL))
		return false;
	if (header->eh_magic != EXT3_EXT_MAGIC || header->eh_depth > 0 || header->eh_entries > 4)
		return false;
	for (unsigned int i = 0; i < header->eh_entries; i++) {
		const struct ext3_extent *extent = &extents[i];
		uint64_t start = (uint64_t)extent->ee_start_hi << 32 | extent->ee_start;

		if (is_wanted(&pass->list, start, extent->ee_len))
			return true;
	}
	return false;
}

static void read_table(struct pass *pass, dgrp_t group)
{
	unsigned int inode_size = EXT2_INODE_SIZE(pass->fs->super);
	uint64_t used =
		pass->fs->super->s_inodes_per_group - ext2fs_bg_itable_unused(pass->fs, group);
	uint64_t start = ext2fs_inode_table_loc(pass->fs, group) * pass->fs->blocksize;
	uint64_t size = used * inode_size, part;

	for (uint64_t done = 0; done < size; done += part) {
		part = size - done < PIECE ? size - done : PIECE;
		if (pread(pass->fd, pass->buf, part, (off_t)(start + done)) != (ssize_t)part)
			err(1, "read");
		for (uint64_t at = 0; at < part; at += inode_size)
			pass->found += has_wanted(pass, (const void *)(pass->buf + at));
	}
}

int main(int argc, char **argv)
{
	struct pass pass = {0};
	errcode_t r;

	if (argc != 3)
		errx(1, "usage: pass DEVICE LIST");
	r = ext2fs_open(argv[1], EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &pass.fs);
	pass.fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (r != 0 || pass.fd < 0)
		errx(1, "%s: cannot be opened as an ext4", argv[1]);
	pass.buf = bare_alloc(1, PIECE);
	pass.list = bare_read_list(argv[2], BARE_SECTOR);
	for (size_t i = 0; i < pass.list.count; i++)
		pass.list.items[i] /= pass.fs->blocksize;
	qsort(pass.list.items, pass.list.count, sizeof(*pass.list.items), by_number);
	for (dgrp_t i = 0; i < pass.fs->group_desc_count; i++)
		if (!ext2fs_bg_flags_test(pass.fs, i, EXT2_BG_INODE_UNINIT))
			read_table(&pass, i);
	printf("%lu\n", pass.found);
	ext2fs_close_free(&pass.fs);
	return 0;
}
