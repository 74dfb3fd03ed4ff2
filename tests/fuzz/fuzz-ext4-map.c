/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: an inode of ext4 and the blocks that its map leads to.  The input is the inode, then
 * the device, in blocks of 1 KiB.  Every run lies on the device, and those of an extent tree do not
 * overlap in the file.
 * Parsers: ext4-map
 */
#include "ext4-map.h"
#include "fuzz.h"

#define SIZE 1024U

struct seen {
	const struct pme_ext4_map *map;
	bool in_order;
	uint64_t next;
};

static int take(void *arg, const struct pme_ext4_run *run)
{
	struct seen *seen = arg;

	FUZZ_CHECK(run->count > 0 && run->physical < seen->map->blocks &&
		   run->count <= seen->map->blocks - run->physical);
	if (!seen->in_order || run->kind == PME_EXT4_MAP)
		return 0;
	FUZZ_CHECK(run->logical >= seen->next);
	seen->next = run->logical + run->count;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pme_ext4_inode inode;
	struct pme_reader_buffer buf;
	struct pme_reader reader;
	struct pme_ext4_map map = {.reader = &reader, .block_size = SIZE, .take = take};
	struct seen seen = {.map = &map};
	char *device;
	int r;

	if (size < PME_EXT4_INODE_MIN)
		return 0;
	pme_ext4_inode_parse(data, 12, SIZE, &inode);
	size -= PME_EXT4_INODE_MIN;
	device = fuzz_copy(data + PME_EXT4_INODE_MIN, size);
	buf = (struct pme_reader_buffer){device, size};
	reader = pme_reader_of_buffer(&buf);
	map.blocks = (size + SIZE - 1) / SIZE;
	map.arg = &seen;
	seen.in_order = inode.flags & PME_EXT4_EXTENTS;
	r = pme_ext4_map_walk(&map, &inode);
	FUZZ_CHECK(r == 0 || r == -EIO || r == -EUCLEAN || r == -ENOMEM);
	free(device);
	return 0;
}
