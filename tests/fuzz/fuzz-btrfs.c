/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: what the kernel answers about a btrfs: a buffer of items (TREE_SEARCH_V2), each
 * parsed as its type says; the same bytes as an answer of LOGICAL_INO, as a superblock and as a
 * tree block.
 * Parsers: btrfs-chunk btrfs-items btrfs-search btrfs-sums
 */
#include <linux/btrfs_tree.h>

#include "btrfs-chunk.h"
#include "btrfs-items.h"
#include "btrfs-search.h"
#include "btrfs-sums.h"
#include "fuzz.h"

/* Every byte of a chunk that is accepted leads to logical bytes and back. */
static void check_chunk(const struct pme_btrfs_chunk *chunk, uint64_t any)
{
	uint32_t stripe = (uint32_t)(any % chunk->n_stripes), first, count;
	uint64_t at = any % chunk->dev_length, back, length;
	struct pme_btrfs_part part = pme_btrfs_chunk_up(chunk, stripe, at, 1 + any % 100000);

	FUZZ_CHECK(part.length > 0 && part.length <= chunk->dev_length - at);
	FUZZ_CHECK(part.logical >= chunk->start && part.logical - chunk->start < chunk->length);
	pme_btrfs_chunk_others(chunk, stripe, &first, &count);
	FUZZ_CHECK(stripe >= first && stripe - first < count && count <= chunk->n_stripes);
	if (part.parity)
		return;
	FUZZ_CHECK(part.length <= chunk->length - (part.logical - chunk->start));
	pme_btrfs_chunk_down(chunk, part.logical, &first, &back, &length);
	FUZZ_CHECK(back == at && first <= stripe && stripe - first < chunk->mirrors);
	FUZZ_CHECK(length > 0);
}

static void check_extent(const struct pme_btrfs_item *item)
{
	struct pme_btrfs_extent extent;
	struct pme_btrfs_ref ref;
	size_t pos, last;

	if (pme_btrfs_extent_parse(item->key.type, item->key.offset, item->data, item->len,
				   &extent) < 0)
		return;
	last = pos = extent.refs_at;
	while (pme_btrfs_ref_next(item->data, item->len, &pos, &ref) > 0) {
		FUZZ_CHECK(pos > last && pos <= item->len);
		last = pos;
	}
}

static void check_names(const struct pme_btrfs_item *item)
{
	struct pme_btrfs_name name;
	size_t pos = 0, last = 0;

	while (pme_btrfs_name_next(item->key.type, item->key.offset, item->data, item->len, &pos,
				   &name) > 0) {
		FUZZ_CHECK(pos > last && pos <= item->len && name.len > 0 && name.len < 256);
		FUZZ_CHECK(!memchr(name.name, '/', name.len) && !memchr(name.name, 0, name.len));
		last = pos;
	}
}

static void check_sums(const struct pme_btrfs_item *item)
{
	const struct pme_btrfs_view view = {.node_size = 16384, .block_size = 4096};
	const struct pme_btrfs_sums sums = {.size = 4};
	struct pme_range has;

	if (pme_btrfs_sums_of(&view, &sums, item, (struct pme_range){0, UINT64_MAX}, &has))
		FUZZ_CHECK(has.length / 4096 * 4 <= item->len && pme_range_end(has) > has.start);
}

static void check_item(const struct pme_btrfs_item *item, struct pme_btrfs_chunks *chunks)
{
	struct pme_btrfs_file_extent file;
	struct pme_btrfs_inode inode;
	uint32_t refs;

	check_sums(item);
	switch (item->key.type) {
	case BTRFS_CHUNK_ITEM_KEY:
		pme_btrfs_chunks_add(chunks, item->key.offset, item->data, item->len);
		return;
	case BTRFS_EXTENT_ITEM_KEY:
	case BTRFS_METADATA_ITEM_KEY:
		check_extent(item);
		return;
	case BTRFS_INODE_REF_KEY:
	case BTRFS_INODE_EXTREF_KEY:
	case BTRFS_ROOT_BACKREF_KEY:
		check_names(item);
		return;
	case BTRFS_INODE_ITEM_KEY:
		pme_btrfs_inode_parse(item->data, item->len, &inode);
		return;
	case BTRFS_ROOT_ITEM_KEY:
		pme_btrfs_root_refs_parse(item->data, item->len, &refs);
		return;
	case BTRFS_EXTENT_DATA_KEY:
		if (pme_btrfs_file_extent_parse(item->data, item->len, &file) == 0 &&
		    file.disk_start && !file.encoded)
			FUZZ_CHECK(file.offset + file.length <= file.disk_length);
		return;
	default:
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *buf = fuzz_copy(data, size);
	struct pme_btrfs_chunks chunks = {0};
	struct pme_btrfs_container container;
	struct pme_btrfs_super super;
	struct pme_btrfs_head head;
	struct pme_btrfs_item item;
	size_t pos = 0;

	while (pme_btrfs_item_next(buf, size, &pos, &item) > 0)
		check_item(&item, &chunks);
	for (size_t i = 0; i < chunks.count; i++)
		for (uint64_t any = 0; any < 5; any++)
			check_chunk(&chunks.items[i], any * 0x9e3779b97f4a7c15ULL);
	if (pme_btrfs_chunks_seal(&chunks) == 0 && chunks.count > 0)
		FUZZ_CHECK(pme_btrfs_chunks_find(&chunks, chunks.items[0].start) ==
			   &chunks.items[0]);
	pme_btrfs_chunks_done(&chunks);
	if (pme_btrfs_container_parse(buf, size, &container) == 0 && container.n_places > 0)
		pme_btrfs_container_place(buf, container.n_places - 1);
	pme_btrfs_super_parse(buf, size, &super);
	pme_btrfs_head_parse(buf, size, &head);
	return 0;
}
