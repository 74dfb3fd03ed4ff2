/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blocks-files FOLDER NUMBER SEED: as bench/blocks, for filesystems that have no reverse map:
 * blocks that hold data of files, by FIEMAP of all files.
 *
 * On btrfs these are logical addresses; bench/physical makes physical ones of them.  What lies in
 * an inode or is not written yet has no block of its own and is never chosen.
 */
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bare.h"
#include "sample.h"

#define EXTENTS 512
#define DESCRIPTORS 64
#define NO_BLOCK                                                                    \
	(FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNWRITTEN | \
	 FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_ENCODED)

/* nftw(3) hands on nothing else */
static struct sample sample;
static uint64_t block_size;
static struct fiemap *map;

static void add(const struct fiemap_extent *extent)
{
	if (extent->fe_flags & NO_BLOCK)
		return;
	for (uint64_t at = 0; at < extent->fe_length; at += block_size)
		sample_add(&sample, extent->fe_physical + at);
}

static void add_file(int fd, const char *path)
{
	const struct fiemap_extent *last;

	*map = (struct fiemap){0};
	do {
		map->fm_length = FIEMAP_MAX_OFFSET - map->fm_start;
		map->fm_extent_count = EXTENTS;
		if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
			err(1, "%s: FS_IOC_FIEMAP", path);
		if (map->fm_mapped_extents == 0)
			return;
		for (uint32_t i = 0; i < map->fm_mapped_extents; i++)
			add(&map->fm_extents[i]);
		last = &map->fm_extents[map->fm_mapped_extents - 1];
		map->fm_start = last->fe_logical + last->fe_length;
	} while (!(last->fe_flags & FIEMAP_EXTENT_LAST));
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	int fd;

	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	add_file(fd, path);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	size_t wanted = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	struct statfs sfs;

	if (wanted == 0)
		errx(1, "usage: blocks-files FOLDER NUMBER SEED");
	if (statfs(argv[1], &sfs) < 0)
		err(1, "%s", argv[1]);
	block_size = (uint64_t)sfs.f_bsize;
	map = bare_alloc(1, sizeof(*map) + EXTENTS * sizeof(struct fiemap_extent));
	sample_begin(&sample, wanted, strtoull(argv[3], NULL, 10));
	if (nftw(argv[1], visit, DESCRIPTORS, FTW_PHYS | FTW_MOUNT) < 0)
		err(1, "%s", argv[1]);
	sample_print(&sample, wanted, block_size);
	return 0;
}
