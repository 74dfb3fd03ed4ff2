/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store of a persistent snapshot; see dm-snapshot-store.h.
 *
 * The surprise: the kernel empties the next area before it fills the last pair of one, so that a
 * full area always has one behind it; a full area without is damage, no end.  Pairs on bad sectors
 * are counted, and how far the list goes behind them is what the kernel says.
 */
#include "dm-snapshot-store.h"

#define MAGIC 0x70416e53U
#define FORMAT_VERSION 1U
#define HEADER_SIZE 16U
#define PAIR_SIZE 16U
#define SALVAGE_STEP 4096ULL   /* what a read of the media takes at once */
#define CHUNK_MAX (1ULL << 30) /* bytes; the kernel refuses more than INT_MAX sectors */

static bool chunk_is_sane(uint64_t chunk)
{
	return chunk >= PME_SECTOR && chunk <= CHUNK_MAX && (chunk & (chunk - 1)) == 0;
}

static int read_header(const struct pme_reader *reader, uint64_t chunk,
		       struct pme_snapshot_store *ret)
{
	unsigned char header[HEADER_SIZE];
	int r = reader->read(reader->arg, header, sizeof(header), 0);

	ret->valid = true;
	if (r == 0) {
		if (pme_le32_at(header) != MAGIC || pme_le32_at(header + 8) != FORMAT_VERSION)
			return -EINVAL;
		chunk = pme_le32_at(header + 12) * PME_SECTOR;
		ret->valid = pme_le32_at(header + 4) != 0;
	} else if (r != -EIO) {
		return r;
	}
	if (!chunk_is_sane(chunk))
		return -EINVAL;
	ret->chunk = chunk;
	ret->per_area = chunk / PAIR_SIZE;
	return 0;
}

int pme_snapshot_store_area(const struct pme_snapshot_store *store, uint64_t chunk,
			    uint64_t *ret_area)
{
	if (chunk == 0 || (chunk - 1) % (store->per_area + 1) != 0 ||
	    (chunk - 1) / (store->per_area + 1) >= store->areas)
		return 0;
	*ret_area = (chunk - 1) / (store->per_area + 1);
	return 1;
}

/* @count pairs: 1 when all are exceptions, 0 when the list ends in them. */
static int take_pairs(const struct pme_reader *reader, struct pme_snapshot_store *ret,
		      const unsigned char *pairs, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t old_chunk = pme_le64_at(pairs + i * PAIR_SIZE);
		uint64_t new_chunk = pme_le64_at(pairs + i * PAIR_SIZE + 8);
		int r;

		if (new_chunk == 0)
			return 0;
		if (new_chunk >= reader->size / ret->chunk ||
		    (new_chunk - 1) % (ret->per_area + 1) == 0 ||
		    old_chunk >= UINT64_MAX / ret->chunk)
			return -EINVAL;
		r = pme_remaps_add(&ret->exceptions, old_chunk, new_chunk);
		if (r < 0)
			return r;
	}
	return 1;
}

/* An area with bad sectors, block by block: 1 or 0 as above; 1 when nobody knows. */
static int salvage_area(const struct pme_reader *reader, struct pme_snapshot_store *ret,
			unsigned char *area, uint64_t at)
{
	uint64_t step = pme_min(ret->chunk, SALVAGE_STEP);
	int r = 1;

	for (uint64_t done = 0; r == 1 && done < ret->chunk; done += step) {
		r = reader->read(reader->arg, area, step, at + done);
		if (r == 0) {
			r = take_pairs(reader, ret, area, step / PAIR_SIZE);
		} else if (r == -EIO) {
			ret->unread += step / PAIR_SIZE;
			r = 1;
		}
	}
	return r;
}

static int read_area(const struct pme_reader *reader, struct pme_snapshot_store *ret,
		     unsigned char *area, uint64_t at)
{
	int r = reader->read(reader->arg, area, ret->chunk, at);

	if (r == -EIO)
		return salvage_area(reader, ret, area, at);
	return r < 0 ? r : take_pairs(reader, ret, area, ret->per_area);
}

static int read_areas(const struct pme_reader *reader, uint64_t areas,
		      struct pme_snapshot_store *ret, uint64_t *ret_at)
{
	_cleanup_free_ unsigned char *area = NULL;
	int r = 1;

	if (ret->chunk > reader->size)
		return -ENODATA;
	area = malloc(ret->chunk);
	if (!area)
		return -ENOMEM;
	while (r == 1 && (ret->unread == 0 || ret->areas < areas)) {
		if (pme_mul(1 + ret->areas * (ret->per_area + 1), ret->chunk, ret_at) < 0)
			return -EINVAL;
		r = read_area(reader, ret, area, *ret_at);
		ret->areas++;
	}
	return r < 0 ? r : 0;
}

int pme_snapshot_store_read(const struct pme_reader *reader, struct pme_snapshot_hint hint,
			    struct pme_snapshot_store *ret, uint64_t *ret_at)
{
	int r;

	*ret = (struct pme_snapshot_store){0};
	*ret_at = 0;
	r = read_header(reader, hint.chunk, ret);
	if (r == 0)
		r = read_areas(reader, hint.areas, ret, ret_at);
	if (r == 0)
		r = pme_remaps_seal(&ret->exceptions);
	if (r < 0)
		pme_snapshot_store_done(ret);
	return r;
}

void pme_snapshot_store_done(struct pme_snapshot_store *store)
{
	pme_remaps_done(&store->exceptions);
	*store = (struct pme_snapshot_store){0};
}
