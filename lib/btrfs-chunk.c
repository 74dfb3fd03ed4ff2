/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Chunk arithmetic; see btrfs-chunk.h.
 *
 * The surprise: all copies of some bytes lie at the same byte of their stripes, whatever the
 * profile, and with parity the columns move by one stripe from row to row: column c of row r is on
 * stripe (r + c) modulo the number of stripes, P and Q are the columns behind the data.
 */
#include "btrfs-chunk.h"

#include <string.h>

#include "reader.h"

/* struct btrfs_chunk, struct btrfs_stripe */
#define CHUNK_LENGTH 0
#define CHUNK_STRIPE_LEN 16
#define CHUNK_TYPE 24
#define CHUNK_NUM_STRIPES 44
#define CHUNK_SUB_STRIPES 46
#define CHUNK_STRIPES 48
#define STRIPE_SIZE 32

#define GROUP_KINDS (PME_BTRFS_GROUP_DATA | PME_BTRFS_GROUP_SYSTEM | PME_BTRFS_GROUP_METADATA)

/* BTRFS_BLOCK_GROUP_*; what a profile does with its stripes. */
static const struct profile {
	uint64_t bit;
	const char *name;
	uint32_t mirrors; /* 0: as many as there are stripes */
	uint32_t parities;
	bool striped;
} profiles[] = {
	{0, "single", 1, 0, false},	      {1ULL << 3, "RAID0", 1, 0, true},
	{1ULL << 4, "RAID1", 0, 0, false},    {1ULL << 5, "DUP", 0, 0, false},
	{1ULL << 6, "RAID10", 2, 0, true},    {1ULL << 7, "RAID5", 1, 1, true},
	{1ULL << 8, "RAID6", 1, 2, true},     {1ULL << 9, "RAID1C3", 0, 0, false},
	{1ULL << 10, "RAID1C4", 0, 0, false},
};

static const struct profile *profile_of(uint64_t type)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(profiles); i++)
		if ((type & ~GROUP_KINDS) == profiles[i].bit)
			return &profiles[i];
	return NULL;
}

static uint32_t le16_at(const void *at)
{
	const unsigned char *p = at;

	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

/* Numbers that the arithmetic can rely on: 0 or -EINVAL. */
static int check(struct pme_btrfs_chunk *chunk, const struct profile *profile, uint32_t sub_stripes)
{
	uint32_t columns;
	uint64_t end;

	chunk->striped = profile->striped;
	chunk->parities = profile->parities;
	chunk->mirrors = profile->mirrors ? profile->mirrors : chunk->n_stripes;
	if (chunk->length == 0 || pme_add(chunk->start, chunk->length, &end) < 0 ||
	    chunk->n_stripes == 0 || chunk->n_stripes > PME_BTRFS_STRIPES_MAX)
		return -EINVAL;
	if (chunk->parities >= chunk->n_stripes || chunk->n_stripes % chunk->mirrors)
		return -EINVAL;
	if (chunk->mirrors == 2 && chunk->striped && sub_stripes != 2)
		return -EINVAL;
	if (!chunk->striped && profile->mirrors == 1 && chunk->n_stripes != 1)
		return -EINVAL;
	columns = chunk->striped ? chunk->n_stripes / chunk->mirrors - chunk->parities : 1;
	if (chunk->striped &&
	    (chunk->unit == 0 || chunk->length % columns || chunk->length / columns % chunk->unit))
		return -EINVAL;
	chunk->dev_length = chunk->length / columns;
	for (uint32_t i = 0; i < chunk->n_stripes; i++)
		if (pme_add(chunk->stripes[i].start, chunk->dev_length, &end) < 0)
			return -EINVAL;
	return 0;
}

int pme_btrfs_chunks_add(struct pme_btrfs_chunks *chunks, uint64_t start, const void *item,
			 size_t len)
{
	const unsigned char *p = item;
	struct pme_btrfs_chunk chunk = {.start = start};
	const struct profile *profile;
	int r;

	if (len < CHUNK_STRIPES)
		return -EINVAL;
	chunk.length = pme_le64_at(p + CHUNK_LENGTH);
	chunk.unit = pme_le64_at(p + CHUNK_STRIPE_LEN);
	chunk.type = pme_le64_at(p + CHUNK_TYPE);
	chunk.n_stripes = le16_at(p + CHUNK_NUM_STRIPES);
	profile = profile_of(chunk.type);
	if (!profile || (len - CHUNK_STRIPES) / STRIPE_SIZE < chunk.n_stripes)
		return -EINVAL;
	chunk.stripes = calloc(chunk.n_stripes + 1, sizeof(*chunk.stripes));
	if (!chunk.stripes)
		return -ENOMEM;
	for (uint32_t i = 0; i < chunk.n_stripes; i++) {
		const unsigned char *stripe = p + CHUNK_STRIPES + (size_t)i * STRIPE_SIZE;

		chunk.stripes[i].devid = pme_le64_at(stripe);
		chunk.stripes[i].start = pme_le64_at(stripe + 8);
	}
	r = check(&chunk, profile, le16_at(p + CHUNK_SUB_STRIPES));
	if (r == 0)
		r = pme_grow(&chunks->items, &chunks->alloc, chunks->count, sizeof(chunk));
	if (r < 0) {
		free(chunk.stripes);
		return r;
	}
	chunks->items[chunks->count++] = chunk;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct pme_btrfs_chunk *p = a, *q = b;

	return p->start < q->start ? -1 : p->start > q->start;
}

int pme_btrfs_chunks_seal(struct pme_btrfs_chunks *chunks)
{
	if (chunks->count > 0)
		qsort(chunks->items, chunks->count, sizeof(*chunks->items), by_start);
	for (size_t i = 1; i < chunks->count; i++)
		if (chunks->items[i - 1].start + chunks->items[i - 1].length >
		    chunks->items[i].start)
			return -EINVAL;
	return 0;
}

const struct pme_btrfs_chunk *pme_btrfs_chunks_find(const struct pme_btrfs_chunks *chunks,
						    uint64_t at)
{
	size_t low = 0, high = chunks->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (chunks->items[mid].start <= at)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == 0 || at - chunks->items[low - 1].start >= chunks->items[low - 1].length)
		return NULL;
	return &chunks->items[low - 1];
}

void pme_btrfs_chunks_done(struct pme_btrfs_chunks *chunks)
{
	for (size_t i = 0; i < chunks->count; i++)
		free(chunks->items[i].stripes);
	free(chunks->items);
	*chunks = (struct pme_btrfs_chunks){0};
}

char *pme_btrfs_chunk_text(const struct pme_btrfs_chunk *chunk)
{
	const struct profile *profile = profile_of(chunk->type);
	bool data = chunk->type & PME_BTRFS_GROUP_DATA;
	bool metadata = chunk->type & PME_BTRFS_GROUP_METADATA;
	const char *kind = data && metadata ? "data and metadata"
			   : data	    ? "data"
			   : metadata	    ? "metadata"
					    : "system";

	return pme_printf("%s, %s", kind, profile ? profile->name : "unknown profile");
}

struct pme_btrfs_part pme_btrfs_chunk_up(const struct pme_btrfs_chunk *chunk, uint32_t stripe,
					 uint64_t at, uint64_t max)
{
	uint32_t columns = chunk->n_stripes / chunk->mirrors - chunk->parities;
	uint64_t row, column;
	struct pme_btrfs_part part = {0};

	if (!chunk->striped) {
		part.length = pme_min(max, chunk->dev_length - at);
		part.logical = chunk->start + at;
		return part;
	}
	row = at / chunk->unit;
	part.length = pme_min(max, chunk->unit - at % chunk->unit);
	column = stripe / chunk->mirrors;
	if (chunk->parities > 0)
		column = (stripe + chunk->n_stripes - row % chunk->n_stripes) % chunk->n_stripes;
	part.parity = column >= columns;
	part.logical = chunk->start + row * columns * chunk->unit;
	if (!part.parity)
		part.logical += column * chunk->unit + at % chunk->unit;
	return part;
}

void pme_btrfs_chunk_down(const struct pme_btrfs_chunk *chunk, uint64_t logical,
			  uint32_t *ret_stripe, uint64_t *ret_at, uint64_t *ret_length)
{
	uint32_t columns = chunk->n_stripes / chunk->mirrors - chunk->parities;
	uint64_t offset = logical - chunk->start, row, column;

	if (!chunk->striped) {
		*ret_stripe = 0;
		*ret_at = offset;
		*ret_length = chunk->length - offset;
		return;
	}
	row = offset / chunk->unit / columns;
	column = offset / chunk->unit % columns;
	*ret_at = row * chunk->unit + offset % chunk->unit;
	*ret_length = chunk->unit - offset % chunk->unit;
	*ret_stripe = (uint32_t)(chunk->parities > 0 ? (column + row) % chunk->n_stripes
						     : column * chunk->mirrors);
}

uint32_t pme_btrfs_chunk_others(const struct pme_btrfs_chunk *chunk, uint32_t stripe,
				uint32_t *ret_first, uint32_t *ret_count)
{
	*ret_first = 0;
	*ret_count = chunk->n_stripes;
	if (chunk->parities > 0)
		return chunk->n_stripes - chunk->parities;
	*ret_first = stripe / chunk->mirrors * chunk->mirrors;
	*ret_count = chunk->mirrors;
	return chunk->mirrors > 1 ? 1 : 0;
}
