/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blocks FOLDER NUMBER SEED: choose random blocks that hold data of files or directories on the XFS
 * with FOLDER, and print them as the kernel prints bad blocks: "SECTOR COUNT".
 *
 * One sweep over the reverse map, every block in use with the same chance (a shared one with one
 * for each owner).  The order is random: the first N lines are a random choice too.
 */
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fsmap.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define SECTOR 512
#define RECORDS 8192
#define SPARE 16 /* more than wanted, part of it: for shared blocks that are met twice */
#define NO_DATA (FMR_OF_SPECIAL_OWNER | FMR_OF_ATTR_FORK | FMR_OF_EXTENT_MAP | FMR_OF_PREALLOC)

struct sample {
	uint64_t *items; /* byte addresses */
	size_t count, size;
	uint64_t seen;
	uint64_t random;
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Reservoir sampling. */
static void sample_add(struct sample *sample, uint64_t address)
{
	uint64_t at = sample->seen++;

	if (at >= sample->size)
		at = next_random(&sample->random) % sample->seen;
	else
		sample->count++;
	if (at < sample->size)
		sample->items[at] = address;
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *p = a, *q = b;

	return *p < *q ? -1 : *p > *q;
}

/* Each address once, in random order. */
static void sample_settle(struct sample *sample)
{
	size_t count = 0;

	qsort(sample->items, sample->count, sizeof(*sample->items), by_address);
	for (size_t i = 0; i < sample->count; i++)
		if (i == 0 || sample->items[i] != sample->items[count - 1])
			sample->items[count++] = sample->items[i];
	sample->count = count;
	for (size_t i = count; i > 1; i--) {
		size_t j = next_random(&sample->random) % i;
		uint64_t item = sample->items[j];

		sample->items[j] = sample->items[i - 1];
		sample->items[i - 1] = item;
	}
}

static struct fsmap_head *new_head(dev_t devno)
{
	struct fsmap_head *head = calloc(1, fsmap_sizeof(RECORDS));

	if (!head)
		err(1, "calloc");
	head->fmh_count = RECORDS;
	/* the kernel compares with its own form of device numbers: new_encode_dev() */
	head->fmh_keys[0].fmr_device =
		(minor(devno) & 0xff) | major(devno) << 8 | (minor(devno) & ~0xffU) << 12;
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
	struct sample sample = {.size = wanted + wanted / SPARE + SPARE};
	struct statfs sfs;
	struct stat st;
	int fd;

	if (wanted == 0)
		errx(1, "usage: blocks FOLDER NUMBER SEED");
	sample.random = strtoull(argv[3], NULL, 10);
	sample.items = calloc(sample.size, sizeof(*sample.items));
	fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!sample.items || fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &sfs) < 0)
		err(1, "%s", argv[1]);
	sweep(fd, st.st_dev, (uint64_t)sfs.f_bsize, &sample);
	sample_settle(&sample);
	if (sample.count < wanted)
		errx(1, "%s: only %zu blocks in use", argv[1], sample.count);
	for (size_t i = 0; i < wanted; i++)
		printf("%" PRIu64 " %ld\n", sample.items[i] / SECTOR, sfs.f_bsize / SECTOR);
	return 0;
}
