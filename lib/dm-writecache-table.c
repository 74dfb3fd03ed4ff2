/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of a writecache; see dm-writecache-table.h.
 *
 * The surprise: a block of the origin may have two entries, until the newer one is committed; the
 * one with the higher sequence number is read.
 */
#include "dm-writecache-table.h"

#include <string.h>

#define MAGIC 0x23489321U
#define FORMAT_VERSION 1U
#define ENTRY_SIZE 16U
#define PIECE (256U * ENTRY_SIZE) /* bytes read at once, as little as the media gives */

struct entry {
	uint64_t block, index, sequence;
};

struct entries {
	struct entry *items;
	size_t count, alloc;
};

static void entries_done(struct entries *entries)
{
	free(entries->items);
}

/* *@ret_sequence: the first number that is not committed. */
static int read_superblock(const struct pme_reader *reader, uint64_t start,
			   struct pme_writecache_table *ret, uint64_t *ret_sequence)
{
	unsigned char sb[PME_WRITECACHE_SUPERBLOCK];
	uint64_t bytes, end;
	int r = reader->read(reader->arg, sb, sizeof(sb), start);

	if (r < 0)
		return r;
	ret->block = pme_le32_at(sb + 8);
	ret->count = pme_le64_at(sb + 16);
	*ret_sequence = pme_le64_at(sb + 24);
	if (pme_le32_at(sb) != MAGIC || pme_le32_at(sb + 4) != FORMAT_VERSION ||
	    ret->block < PME_SECTOR || (ret->block & (ret->block - 1)) != 0 || ret->count == 0 ||
	    start > reader->size)
		return -EINVAL;
	if (pme_mul(ret->count, ENTRY_SIZE, &bytes) < 0 ||
	    pme_add(bytes, sizeof(sb) + ret->block - 1, &ret->data) < 0)
		return -EINVAL;
	ret->data -= ret->data % ret->block;
	if (pme_mul(ret->count, ret->block, &bytes) < 0 || pme_add(ret->data, bytes, &end) < 0 ||
	    end > reader->size - start)
		return -EINVAL;
	return 0;
}

static int take_entry(struct pme_writecache_table *ret, struct entries *entries, uint64_t index,
		      const unsigned char *at, uint64_t limit)
{
	uint64_t sector = pme_le64_at(at), sequence = pme_le64_at(at + 8), byte;
	int r;

	if (sequence >= limit)
		return 0;
	if (pme_mul(sector, PME_SECTOR, &byte) < 0 || byte % ret->block != 0 ||
	    byte > UINT64_MAX - ret->block)
		return -EINVAL;
	r = pme_grow(&entries->items, &entries->alloc, entries->count, sizeof(*entries->items));
	if (r < 0)
		return r;
	entries->items[entries->count++] = (struct entry){byte / ret->block, index, sequence};
	return 0;
}

static int read_entries(const struct pme_reader *reader, uint64_t start, uint64_t limit,
			struct pme_writecache_table *ret, struct entries *entries)
{
	unsigned char piece[PIECE];
	uint64_t at = start + PME_WRITECACHE_SUPERBLOCK;
	size_t size;

	for (uint64_t done = 0, n; done < ret->count; done += n) {
		int r;

		/* whole blocks of the media, so that a bad sector spoils no more than its own */
		n = pme_min((PIECE - at % PIECE) / ENTRY_SIZE, ret->count - done);
		size = n * ENTRY_SIZE;
		r = reader->read(reader->arg, piece, size, at);
		for (uint64_t i = 0; r == 0 && i < n; i++)
			r = take_entry(ret, entries, done + i, piece + i * ENTRY_SIZE, limit);
		if (r == -EIO)
			ret->unread += n;
		else if (r < 0)
			return r;
		at += size;
	}
	return 0;
}

/* By block, the newest first. */
static int compare_entries(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	if (left->block != right->block)
		return left->block < right->block ? -1 : 1;
	return (left->sequence < right->sequence) - (left->sequence > right->sequence);
}

static int keep_newest(struct entries *entries, struct pme_writecache_table *ret)
{
	const struct entry *items = entries->items;

	if (entries->count > 0)
		qsort(entries->items, entries->count, sizeof(*items), compare_entries);
	for (size_t i = 0; i < entries->count; i++) {
		int r;

		if (i > 0 && items[i].block == items[i - 1].block) {
			if (items[i].sequence == items[i - 1].sequence)
				return -EINVAL;
			continue;
		}
		r = pme_remaps_add(&ret->map, items[i].block, items[i].index);
		if (r < 0)
			return r;
	}
	ret->used = entries->count;
	return pme_remaps_seal(&ret->map);
}

int pme_writecache_table_read(const struct pme_reader *reader, uint64_t start, bool committed,
			      struct pme_writecache_table *ret)
{
	_cleanup_(entries_done) struct entries entries = {0};
	uint64_t sequence = 0;
	int r;

	*ret = (struct pme_writecache_table){0};
	if (start % PME_SECTOR != 0)
		return -EINVAL;
	r = read_superblock(reader, start, ret, &sequence);
	if (r == 0)
		r = read_entries(reader, start, committed ? sequence : UINT64_MAX, ret, &entries);
	if (r == 0)
		r = keep_newest(&entries, ret);
	if (r < 0)
		pme_writecache_table_done(ret);
	return r;
}

void pme_writecache_table_done(struct pme_writecache_table *table)
{
	pme_remaps_done(&table->map);
	*table = (struct pme_writecache_table){0};
}
