/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * failing DEVICE [START LENGTH]: print each 512-byte sector of a block device (or of a part of it,
 * in sectors) that cannot be read, one per line.
 *
 * The truth for layers whose raw sectors say nothing of what is above them: make sectors of the
 * lowest disks bad, and look which ones fail on top.  Reads past the page cache, 1 MiB at a time,
 * and halves what fails, down to one logical block; a block of 4096 bytes is eight lines.
 * Status: 0 also when some fail, 4 when the device cannot be opened or asked, 8 for wrong usage.
 * The surprise: reading may change what is read: arrays write back what they could reconstruct.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SECTOR 512
#define AT_ONCE ((size_t)1 << 20)
#define CANNOT 4
#define USAGE 8

struct device {
	const char *name;
	int fd;
	uint64_t size, block; /* bytes */
	uint64_t from, to;    /* bytes: what is printed */
	char *buffer;
};

/* All that the block layer says about bytes that it could not get, or that are not authentic. */
static bool is_unreadable(int error)
{
	return error == EIO || error == EILSEQ || error == ENODATA || error == EREMOTEIO ||
	       error == EBADMSG;
}

static void print_block(const struct device *dev, uint64_t start)
{
	for (uint64_t at = start; at < start + dev->block; at += SECTOR)
		if (at >= dev->from && at < dev->to && printf("%" PRIu64 "\n", at / SECTOR) < 0)
			err(CANNOT, "standard output");
}

static void look_at(const struct device *dev, uint64_t start, uint64_t size)
{
	uint64_t half = size / 2 / dev->block * dev->block;
	ssize_t n = pread(dev->fd, dev->buffer, size, (off_t)start);
	int error = errno;

	if (n == (ssize_t)size)
		return;
	if (n == 0)
		errx(CANNOT, "%s: ends at %" PRIu64, dev->name, start);
	if (n < 0 && !is_unreadable(error)) {
		errno = error;
		err(CANNOT, "%s: cannot read %" PRIu64 " bytes at %" PRIu64, dev->name, size,
		    start);
	}
	if (size <= dev->block) {
		print_block(dev, start);
		return;
	}
	look_at(dev, start, half);
	look_at(dev, start + half, size - half);
}

static void set_part(struct device *dev, char **argv, int argc)
{
	char none[] = "", *end_start = none, *end_length = none;
	uint64_t start = 0, length = dev->size / SECTOR;

	if (argc == 4) {
		start = strtoull(argv[2], &end_start, 10);
		length = strtoull(argv[3], &end_length, 10);
	}
	if (*end_start || *end_length || start > dev->size / SECTOR ||
	    length > dev->size / SECTOR - start)
		errx(USAGE, "%s has no such part", dev->name);
	dev->from = start * SECTOR;
	dev->to = (start + length) * SECTOR;
}

int main(int argc, char **argv)
{
	struct device dev = {.name = argv[1]};
	int block;

	if (argc != 2 && argc != 4)
		errx(USAGE, "usage: failing DEVICE [START LENGTH]");
	dev.fd = open(dev.name, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (dev.fd < 0)
		err(CANNOT, "%s: cannot open", dev.name);
	if (ioctl(dev.fd, BLKGETSIZE64, &dev.size) || ioctl(dev.fd, BLKSSZGET, &block))
		err(CANNOT, "%s: cannot ask for its size", dev.name);
	dev.block = (uint64_t)block;
	dev.buffer = aligned_alloc(AT_ONCE, AT_ONCE);
	if (!dev.buffer)
		err(CANNOT, "memory");
	set_part(&dev, argv, argc);
	for (uint64_t at = dev.from / dev.block * dev.block; at < dev.to;) {
		uint64_t left = (dev.to - at + dev.block - 1) / dev.block * dev.block;

		left = left < AT_ONCE ? left : AT_ONCE;
		look_at(&dev, at, left);
		at += left;
	}
	free(dev.buffer);
	return 0;
}
