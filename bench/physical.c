/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * physical FOLDER LIST: lines "SECTOR COUNT" with logical addresses of a btrfs, as the same with
 * addresses on its device, by its chunk tree.
 *
 * Not measured.  One device, and a profile without stripes: it refuses anything else.
 */
#include <err.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "bare.h"

#define BLOCK_SECTORS 8
#define STRIPED (BTRFS_BLOCK_GROUP_RAID0 | BTRFS_BLOCK_GROUP_RAID10 | BTRFS_BLOCK_GROUP_RAID56_MASK)

struct chunk {
	uint64_t start, length, physical;
};

struct chunks {
	struct chunk *items;
	size_t count, alloc;
};

static void add(struct chunks *chunks, uint64_t start, const struct btrfs_chunk *item)
{
	if (item->type & STRIPED)
		errx(1, "chunk at %" PRIu64 ": striped", start);
	if (chunks->count == chunks->alloc) {
		chunks->alloc = chunks->alloc * 2 + 64;
		chunks->items = realloc(chunks->items, chunks->alloc * sizeof(*chunks->items));
		if (!chunks->items)
			err(1, "realloc");
	}
	chunks->items[chunks->count++] = (struct chunk){start, item->length, item->stripe.offset};
}

static void read_chunks(int fd, struct chunks *ret)
{
	struct btrfs_ioctl_search_args args = {
		.key = {.tree_id = BTRFS_CHUNK_TREE_OBJECTID,
			.min_objectid = BTRFS_FIRST_CHUNK_TREE_OBJECTID,
			.max_objectid = BTRFS_FIRST_CHUNK_TREE_OBJECTID,
			.max_offset = UINT64_MAX,
			.max_transid = UINT64_MAX,
			.min_type = BTRFS_CHUNK_ITEM_KEY,
			.max_type = BTRFS_CHUNK_ITEM_KEY},
	};

	for (;;) {
		size_t pos = 0;

		args.key.nr_items = UINT32_MAX;
		if (ioctl(fd, BTRFS_IOC_TREE_SEARCH, &args) < 0)
			err(1, "BTRFS_IOC_TREE_SEARCH");
		if (args.key.nr_items == 0)
			return;
		for (uint32_t i = 0; i < args.key.nr_items; i++) {
			struct btrfs_ioctl_search_header header;
			struct btrfs_chunk chunk;

			memcpy(&header, args.buf + pos, sizeof(header));
			memcpy(&chunk, args.buf + pos + sizeof(header), sizeof(chunk));
			add(ret, header.offset, &chunk);
			pos += sizeof(header) + header.len;
			args.key.min_offset = header.offset + 1;
		}
	}
}

static uint64_t physical_of(const struct chunks *chunks, uint64_t logical)
{
	for (size_t i = 0; i < chunks->count; i++) {
		const struct chunk *chunk = &chunks->items[i];

		if (logical >= chunk->start && logical - chunk->start < chunk->length)
			return chunk->physical + (logical - chunk->start);
	}
	errx(1, "%" PRIu64 ": in no chunk", logical);
}

int main(int argc, char **argv)
{
	struct chunks chunks = {0};
	struct bare_list list;

	if (argc != 3)
		errx(1, "usage: physical FOLDER LIST");
	read_chunks(bare_open(argv[1]), &chunks);
	list = bare_read_list(argv[2], BARE_SECTOR);
	for (size_t i = 0; i < list.count; i++)
		printf("%" PRIu64 " %d\n", physical_of(&chunks, list.items[i]) / BARE_SECTOR,
		       BLOCK_SECTORS);
	return 0;
}
