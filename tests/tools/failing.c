/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failing DEVICE [START LENGTH]: print each 512-byte sector of a block device (or of a part of it,
 * in sectors) that cannot be read, one per line.
 * failing --files FILE…: the same for files, as lines "INODE SECTOR".
 *
 * The truth for layers whose raw sectors say nothing of what is above them: make sectors of the
 * lowest disks bad, and look which ones fail on top.  Reads past the page cache, 1 MiB at a time,
 * and halves what fails, down to one logical block; a block of 4096 bytes is eight lines.
 * Status: 0 also when some fail, 4 when something cannot be opened or asked, 8 for wrong usage.
 * The surprise: reading may change what is read: arrays write back what they could reconstruct, and
 * mark what they could not.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
#define AT_ONCE ((size_t)1 << 20)
#define CANNOT 4
#define USAGE 8

struct source {
	const char *name;
	int fd;
	uint64_t size, block; /* bytes */
	uint64_t from, to;    /* bytes: what is printed */
	uint64_t inode;	      /* printed before the sector, or 0 */
	char *buffer;
};

/* All that the block layer says about bytes that it could not get, or that are not authentic. */
static bool is_unreadable(int error)
{
	return error == EIO || error == EILSEQ || error == ENODATA || error == EREMOTEIO ||
	       error == EBADMSG;
}

static void print_block(const struct source *src, uint64_t start)
{
	for (uint64_t at = start; at < start + src->block; at += SECTOR) {
		if (at < src->from || at >= src->to)
			continue;
		if (src->inode)
			printf("%" PRIu64 " ", src->inode);
		printf("%" PRIu64 "\n", at / SECTOR);
	}
}

/* The largest power of 2 below @size: all reads are aligned, since what md could not read it marks
 * as bad by the page, counted from where the read began. */
static uint64_t part_of(const struct source *src, uint64_t size)
{
	uint64_t part = src->block;

	while (part * 2 < size)
		part *= 2;
	return part;
}

static void look_at(const struct source *src, uint64_t start, uint64_t size)
{
	uint64_t half = part_of(src, size);
	ssize_t n = pread(src->fd, src->buffer, size, (off_t)start);
	int error = errno;

	if (n == (ssize_t)size || (n >= 0 && start + (uint64_t)n >= src->size))
		return;
	if (n == 0)
		errx(CANNOT, "%s: ends at %" PRIu64, src->name, start);
	if (n < 0 && !is_unreadable(error)) {
		errno = error;
		err(CANNOT, "%s: cannot read %" PRIu64 " bytes at %" PRIu64, src->name, size,
		    start);
	}
	if (size <= src->block) {
		print_block(src, start);
		return;
	}
	look_at(src, start, half);
	look_at(src, start + half, size - half);
}

static void look_at_all(const struct source *src)
{
	for (uint64_t at = src->from / src->block * src->block; at < src->to;) {
		uint64_t left = (src->to - at + src->block - 1) / src->block * src->block;

		left = left < AT_ONCE ? left : AT_ONCE;
		look_at(src, at, left);
		at += left;
	}
}

static void open_source(struct source *src, const char *name)
{
	src->name = name;
	src->fd = open(name, O_RDONLY | O_DIRECT | O_NOATIME | O_CLOEXEC);
	if (src->fd < 0)
		err(CANNOT, "%s: cannot open", name);
}

static void look_at_file(struct source *src, const char *name)
{
	struct statx st;

	open_source(src, name);
	if (statx(src->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, &st))
		err(CANNOT, "%s: cannot stat", name);
	src->block = st.stx_dio_offset_align ? st.stx_dio_offset_align : SECTOR;
	src->size = st.stx_size;
	src->inode = st.stx_ino;
	src->from = 0;
	src->to = (st.stx_size + SECTOR - 1) / SECTOR * SECTOR;
	look_at_all(src);
	close(src->fd);
}

static void set_part(struct source *src, char **argv)
{
	char *end_start, *end_length;
	uint64_t start = strtoull(argv[0], &end_start, 10);
	uint64_t length = strtoull(argv[1], &end_length, 10);

	if (*end_start || *end_length || start > src->size / SECTOR ||
	    length > src->size / SECTOR - start)
		errx(USAGE, "%s has no such part", src->name);
	src->from = start * SECTOR;
	src->to = (start + length) * SECTOR;
}

static void look_at_device(struct source *src, char **argv, int argc)
{
	int block;

	open_source(src, argv[0]);
	if (ioctl(src->fd, BLKGETSIZE64, &src->size) || ioctl(src->fd, BLKSSZGET, &block))
		err(CANNOT, "%s: cannot ask for its size", src->name);
	src->block = (uint64_t)block;
	src->to = src->size;
	if (argc == 3)
		set_part(src, argv + 1);
	look_at_all(src);
	close(src->fd);
}

int main(int argc, char **argv)
{
	struct source src = {.buffer = aligned_alloc(AT_ONCE, AT_ONCE)};

	if (!src.buffer)
		err(CANNOT, "memory");
	if (argc > 2 && strcmp(argv[1], "--files") == 0)
		for (int i = 2; i < argc; i++)
			look_at_file(&src, argv[i]);
	else if (argc == 2 || argc == 4)
		look_at_device(&src, argv + 1, argc - 1);
	else
		errx(USAGE, "usage: failing DEVICE [START LENGTH] | failing --files FILE...");
	free(src.buffer);
	if (fflush(stdout))
		err(CANNOT, "standard output");
	return 0;
}
