/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: metadata blocks of a cache.  The input is an image of whole blocks, behind each
 * other; numbers and checksums are put right before each is read, or nothing would get past them.
 * Which kind of block it is, its first byte says: that of a checksum, which is not needed.  What
 * does not fill a block is a status line.
 * Parsers: dm-btree dm-cache-map dm-cache-meta
 */
#include "dm-cache-map.h"
#include "dm-cache-meta.h"
#include "fuzz.h"

#define BLOCKS_MAX 64
#define CACHE_BLOCKS 600

struct input {
	const uint8_t *data;
	size_t blocks, reads;
};

static int read_block(void *context, uint64_t block, void *buf)
{
	struct input *input = context;
	uint32_t salt = PME_BTREE_SALT, csum;
	size_t number_at = 8;

	if (block >= input->blocks || ++input->reads > 10000)
		return -ENODATA;
	memcpy(buf, input->data + block * PME_BTREE_BLOCK, PME_BTREE_BLOCK);
	if (block == 0) {
		salt = PME_CACHE_SALT_SUPER;
	} else if (*(uint8_t *)buf == 'a') {
		salt = PME_CACHE_SALT_ARRAY;
		number_at = 16;
	}
	memcpy((char *)buf + number_at, &block, sizeof(block));
	csum = pme_btree_csum(buf, salt);
	memcpy(buf, &csum, sizeof(csum));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {.data = data, .blocks = size / PME_BTREE_BLOCK};
	struct pme_btree_reader reader = {.read = read_block, .context = &input};
	struct pme_cache_shape shape = {32768, CACHE_BLOCKS, 32768 * 100};
	size_t used = input.blocks * PME_BTREE_BLOCK;
	_cleanup_free_ char *text =
		strndup(size > used ? (const char *)data + used : "", size - used);
	struct pme_cache_counts counts = {0};
	struct pme_remaps map;
	const char *what;
	uint64_t where;

	FUZZ_CHECK(text);
	if (pme_cache_counts_parse(text, &counts) == 0)
		FUZZ_CHECK(counts.used <= counts.total);
	if (input.blocks > BLOCKS_MAX)
		return 0;
	if (pme_cache_map_read(&reader, &shape, &map, &what, &where) < 0)
		return 0;
	for (size_t i = 0; i < map.count; i++) {
		const struct pme_remap *one = &map.by_block[i];

		FUZZ_CHECK(one->place < CACHE_BLOCKS && one->block < 100);
		FUZZ_CHECK(pme_remaps_of_place(&map, one->place)->block == one->block);
	}
	pme_remaps_done(&map);
	return 0;
}
