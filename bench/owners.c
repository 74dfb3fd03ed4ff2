/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owners FOLDER LIST: the inodes that own the blocks of LIST on an XFS with a reverse map, each
 * once: lines "INODE GENERATION".
 *
 * Not measured: what bench/parents needs to begin with.
 */
#include <err.h>
#include <inttypes.h>
#include <linux/fsmap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <xfs/xfs.h>

#include "bare.h"

#define RECORDS 1024
#define NO_INODE FMR_OF_SPECIAL_OWNER

static void ask(int fd, uint32_t device, uint64_t address, struct bare_inodes *ret)
{
	struct fsmap_head *head = bare_alloc(1, fsmap_sizeof(RECORDS));

	head->fmh_count = RECORDS;
	head->fmh_keys[0] = (struct fsmap){.fmr_device = device, .fmr_physical = address};
	head->fmh_keys[1] = (struct fsmap){
		.fmr_device = device,
		.fmr_flags = UINT32_MAX,
		.fmr_physical = address,
		.fmr_owner = UINT64_MAX,
		.fmr_offset = UINT64_MAX,
	};
	if (ioctl(fd, FS_IOC_GETFSMAP, head) < 0)
		err(1, "FS_IOC_GETFSMAP");
	for (size_t i = 0; i < head->fmh_entries; i++)
		if (!(head->fmh_recs[i].fmr_flags & NO_INODE))
			bare_inodes_add(ret, head->fmh_recs[i].fmr_owner);
	free(head);
}

static void print(int fd, uint64_t ino)
{
	struct xfs_bulkstat_req *req = bare_alloc(1, XFS_BULKSTAT_REQ_SIZE(1));

	req->hdr.ino = ino;
	req->hdr.icount = 1;
	if (ioctl(fd, XFS_IOC_BULKSTAT, req) < 0)
		err(1, "XFS_IOC_BULKSTAT");
	/* of a free inode it tells the next one */
	if (req->hdr.ocount != 1 || req->bulkstat[0].bs_ino != ino)
		errx(1, "inode %" PRIu64 " is not in use", ino);
	printf("%" PRIu64 " %u\n", ino, req->bulkstat[0].bs_gen);
	free(req);
}

int main(int argc, char **argv)
{
	struct bare_inodes inodes = {0};
	struct bare_list list;
	struct stat st;
	int fd;

	if (argc != 3)
		errx(1, "usage: owners FOLDER LIST");
	fd = bare_open(argv[1]);
	list = bare_read_list(argv[2], BARE_SECTOR);
	if (fstat(fd, &st) < 0)
		err(1, "%s", argv[1]);
	for (size_t i = 0; i < list.count; i++)
		ask(fd, bare_device(st.st_dev), list.items[i], &inodes);
	bare_inodes_unique(&inodes);
	for (size_t i = 0; i < inodes.count; i++)
		print(fd, inodes.items[i]);
	return 0;
}
