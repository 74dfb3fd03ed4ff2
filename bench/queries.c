/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queries FOLDER LIST THREADS: one GETFSMAP for each block of LIST, and print how many records
 * there are.  A floor: who owns these blocks of an XFS.
 *
 * The surprise: queries in the order of addresses wait for each other in their allocation group.
 * The list is in random order, which spreads them.
 */
#include <err.h>
#include <linux/fsmap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "bare.h"

#define RECORDS 64 /* owners of a block, for one call */

static void query(int fd, uint32_t device, uint64_t address, struct fsmap_head *head)
{
	*head = (struct fsmap_head){
		.fmh_count = RECORDS,
		.fmh_keys = {{.fmr_device = device, .fmr_physical = address},
			     {.fmr_device = device,
			      .fmr_flags = UINT32_MAX,
			      .fmr_physical = address,
			      .fmr_owner = UINT64_MAX,
			      .fmr_offset = UINT64_MAX}},
	};
	if (ioctl(fd, FS_IOC_GETFSMAP, head) < 0)
		err(1, "FS_IOC_GETFSMAP");
}

static void run(struct bare_work *work)
{
	struct fsmap_head *head = bare_alloc(1, fsmap_sizeof(RECORDS));
	const struct bare_list *list = work->arg;
	uint32_t device;
	struct stat st;
	size_t i;

	if (fstat(work->fd, &st) < 0)
		err(1, "fstat");
	device = bare_device(st.st_dev);
	while (bare_next(work, &i)) {
		query(work->fd, device, list->items[i], head);
		atomic_fetch_add(&work->found, head->fmh_entries);
	}
	free(head);
}

int main(int argc, char **argv)
{
	struct bare_work work = {.run = run};
	struct bare_list list;

	if (argc != 4)
		errx(1, "usage: queries FOLDER LIST THREADS");
	list = bare_read_list(argv[2], BARE_SECTOR);
	work.fd = bare_open(argv[1]);
	work.arg = &list;
	work.count = list.count;
	bare_spread(&work, bare_threads(argv[3]));
	printf("%lu\n", work.found);
	return 0;
}
