/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: an inode of XFS and the blocks of its B+tree.  The input is a byte (1: inodes of 256
 * bytes, else 512), then the device from the first block on that has inodes, in blocks of 1 KiB.
 * What is found lies on the device, in whole blocks, and never more than a way down was read.
 * Parsers: xfs-bmap
 */
#include "fuzz.h"
#include "xfs-bmap.h"

#define SIZE 1024U
#define FIRST SIZE /* byte of the device that the input begins at */
#define READS_MAX 10

struct device {
	struct pme_reader_buffer buf;
	unsigned int reads;
};

static int read_device(void *arg, void *buf, size_t size, uint64_t offset)
{
	struct device *device = arg;
	struct pme_reader reader = pme_reader_of_buffer(&device->buf);

	FUZZ_CHECK(device->reads++ < READS_MAX);
	return offset < FIRST ? -EIO : reader.read(reader.arg, buf, size, offset - FIRST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pme_xfs_geo geo = {.block_size = SIZE, .ag_blocks = 24, .ag_count = 3};
	struct pme_xfs_inode inode = {.gen = 7};
	struct device device = {0};
	const struct pme_reader reader = {.read = read_device, .arg = &device};
	struct pme_range place;
	char *copy;
	int r;

	if (size < 1)
		return 0;
	geo.inode_size = data[0] == 1 ? 256 : 512;
	geo.agino_bits = 5 + (data[0] == 1 ? 2 : 1);
	geo.size = 70ULL * SIZE;
	inode.ino = SIZE / geo.inode_size;
	copy = fuzz_copy(data + 1, size - 1);
	device.buf = (struct pme_reader_buffer){copy, size - 1};
	r = pme_xfs_bmap_first(&geo, &reader, &inode, &place);
	if (r == 0)
		FUZZ_CHECK(place.start > 0 && place.start % SIZE == 0 && place.length > 0 &&
			   place.length % SIZE == 0 && place.length <= geo.size &&
			   place.start <= geo.size - place.length);
	else
		FUZZ_CHECK(r == -EUCLEAN || r == -ENODATA || r == -EIO || r == -ENOMEM);
	free(copy);
	return 0;
}
