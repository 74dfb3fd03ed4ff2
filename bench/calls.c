/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls FOLDER LIST: LOGICAL_INO for each address of LIST (lines that begin with a logical address
 * in bytes), then INO_PATHS for each inode once, and print how many names there are.
 *
 * The floor on btrfs, for files of the subvolume of FOLDER: the tree has one only.
 */
#include <err.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "bare.h"

#define ROOM (64U << 10)
#define TRIPLE 3 /* inode, offset, root */

static void find_inodes(int fd, uint64_t logical, struct btrfs_data_container *room,
			struct bare_inodes *ret)
{
	struct btrfs_ioctl_logical_ino_args args = {
		.logical = logical,
		.size = ROOM,
		.inodes = (uintptr_t)room,
	};

	if (ioctl(fd, BTRFS_IOC_LOGICAL_INO_V2, &args) < 0)
		err(1, "BTRFS_IOC_LOGICAL_INO_V2");
	for (uint32_t i = 0; i + TRIPLE <= room->elem_cnt; i += TRIPLE)
		bare_inodes_add(ret, room->val[i]);
}

static unsigned long count_paths(int fd, uint64_t ino, struct btrfs_data_container *room)
{
	struct btrfs_ioctl_ino_path_args args = {
		.inum = ino,
		.size = ROOM,
		.fspath = (uintptr_t)room,
	};

	if (ioctl(fd, BTRFS_IOC_INO_PATHS, &args) < 0)
		err(1, "BTRFS_IOC_INO_PATHS");
	return room->elem_cnt;
}

int main(int argc, char **argv)
{
	struct btrfs_data_container *room = bare_alloc(1, ROOM);
	struct bare_inodes inodes = {0};
	struct bare_list list;
	unsigned long found = 0;
	int fd;

	if (argc != 3)
		errx(1, "usage: calls FOLDER LIST");
	fd = bare_open(argv[1]);
	list = bare_read_list(argv[2], 1);
	for (size_t i = 0; i < list.count; i++)
		find_inodes(fd, list.items[i], room, &inodes);
	bare_inodes_unique(&inodes);
	for (size_t i = 0; i < inodes.count; i++)
		found += count_paths(fd, inodes.items[i], room);
	printf("%lu\n", found);
	return 0;
}
