/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blocks FOLDER NUMBER SEED: choose random blocks that hold data of files or directories on the XFS
 * with FOLDER, and print them as the kernel prints bad blocks: "SECTOR COUNT".
 *
 * One sweep over the reverse map, every block in use with the same chance (a shared one with one
 * for each owner).  The order is random: the first N lines are a random choice too.
 */
#include <err.h>
#include <linux/fsmap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "bare.h"
#include "sample.h"

#define RECORDS 8192
#define NO_DATA (FMR_OF_SPECIAL_OWNER | FMR_OF_ATTR_FORK | FMR_OF_EXTENT_MAP | FMR_OF_PREALLOC)

static struct fsmap_head *new_head(dev_t devno)
{
	struct fsmap_head *head = bare_alloc(1, fsmap_sizeof(RECORDS));

	head->fmh_count = RECORDS;
	head->fmh_keys[0].fmr_device = bare_device(devno);
	head->fmh_keys[1] = (struct fsmap){
		.fmr_device = head->fmh_keys[0].fmr_device,
		.fmr_flags = UINT32_MAX,
		.fmr_physical = UINT64_MAX,
		.fmr_owner = UINT64_MAX,
		.fmr_offset = UINT64_MAX,
	};
	return head;
}

static void sweep(int fd, dev_t devno, uint64_t block_size, struct sample *sample)
{
	struct fsmap_head *head = new_head(devno);

	for (;;) {
		if (ioctl(fd, FS_IOC_GETFSMAP, head) < 0)
			err(1, "FS_IOC_GETFSMAP");
		for (size_t i = 0; i < head->fmh_entries; i++) {
			const struct fsmap *rec = &head->fmh_recs[i];

			if (rec->fmr_flags & NO_DATA)
				continue;
			for (uint64_t at = 0; at < rec->fmr_length; at += block_size)
				sample_add(sample, rec->fmr_physical + at);
		}
		if (head->fmh_entries == 0 ||
		    head->fmh_recs[head->fmh_entries - 1].fmr_flags & FMR_OF_LAST)
			break;
		fsmap_advance(head);
	}
	free(head);
}

int main(int argc, char **argv)
{
	size_t wanted = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	struct sample sample;
	struct statfs sfs;
	struct stat st;
	int fd;

	if (wanted == 0)
		errx(1, "usage: blocks FOLDER NUMBER SEED");
	sample_begin(&sample, wanted, strtoull(argv[3], NULL, 10));
	fd = bare_open(argv[1]);
	if (fstat(fd, &st) < 0 || fstatfs(fd, &sfs) < 0)
		err(1, "%s", argv[1]);
	sweep(fd, st.st_dev, (uint64_t)sfs.f_bsize, &sample);
	sample_print(&sample, wanted, (uint64_t)sfs.f_bsize);
	return 0;
}
