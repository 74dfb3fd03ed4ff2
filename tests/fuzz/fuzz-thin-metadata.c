/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: metadata blocks of a thin pool.  The input is an image of whole blocks, behind each
 * other; numbers and checksums are put right before each is read, or nothing would get past them.
 * The held superblock is block 1.  What does not fill a block is a status line.
 * Parsers: dm-btree dm-thin-guard dm-thin-meta
 */
#include "dm-thin-guard.h"
#include "dm-thin-meta.h"
#include "fuzz.h"

#define DATA_BLOCKS 1000
#define BLOCKS_MAX 64

struct input {
	const uint8_t *data;
	size_t blocks, reads;
};

static int read_block(void *context, uint64_t block, void *buf)
{
	struct input *input = context;
	uint32_t salt = block < 2 ? PME_THIN_SALT_SUPER : PME_BTREE_SALT, csum;

	if (block >= input->blocks || ++input->reads > 10000)
		return -ENODATA;
	memcpy(buf, input->data + block * PME_BTREE_BLOCK, PME_BTREE_BLOCK);
	memcpy((char *)buf + 8, &block, sizeof(block));
	csum = pme_btree_csum(buf, salt);
	memcpy(buf, &csum, sizeof(csum));
	return 0;
}

static void check_run(const struct pme_thin_map *map, const struct pme_thin_run *run)
{
	const struct pme_thin_run *found;
	size_t pos = 0;

	FUZZ_CHECK(run->count > 0 && run->data + run->count <= DATA_BLOCKS);
	FUZZ_CHECK(pme_thin_map_has(map, run->dev));
	FUZZ_CHECK(pme_thin_map_find(map, run->dev, run->block) == run);
	do {
		found = pme_thin_map_next(map, run->data, run->data + 1, &pos);
		FUZZ_CHECK(found);
	} while (found != run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {.data = data, .blocks = size / PME_BTREE_BLOCK};
	struct pme_btree_reader reader = {.read = read_block, .context = &input};
	struct pme_thin_map map = {0};
	struct pme_thin_status status;
	size_t used = input.blocks * PME_BTREE_BLOCK;
	_cleanup_free_ char *text =
		strndup(size > used ? (const char *)data + used : "", size - used);
	const char *what;
	uint64_t where;

	FUZZ_CHECK(text);
	pme_thin_status_parse(text, &status);
	if (input.blocks > BLOCKS_MAX)
		return 0;
	if (pme_thin_map_read(&reader, 1, 65536, DATA_BLOCKS, &map, &what, &where) == 0)
		for (size_t i = 0; i < map.n_runs && i < 64; i++)
			check_run(&map, &map.runs[i]);
	pme_thin_map_done(&map);
	return 0;
}
