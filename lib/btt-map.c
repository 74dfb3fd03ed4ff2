/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a namespace in sector mode; see btt-map.h.  The format is in btt.h.
 *
 * While the namespace is in use the map cannot be read: no device shows it, and /dev/mem refuses
 * (CONFIG_IO_STRICT_DEVMEM) or would meet poison unprepared.  In raw mode it is read from the block
 * device, in one pass for each range.  The surprise: a block without an entry is free only if the
 * log says so; a write that was interrupted is in the log before it is in the map.
 */
#include "btt-map.h"

#include <inttypes.h>
#include <string.h>

#include "btt-arenas.h"
#include "media.h"

#define CHUNK (1U << 20) /* bytes of a map that are read at once */

static const char btt_kind[] = "namespace";

struct say {
	const struct pme_dev *dev;
	const char *ns;
	const struct pme_btt_arena *arena;
	size_t index; /* of the arena */
	uint64_t shift;
	int fd; /* raw mode; else -1 */
	struct pme_steps *steps;
};

static struct pme_range shifted(const struct say *say, struct pme_range range)
{
	range.start += say->shift;
	return range;
}

static int say_metadata(const struct say *say, struct pme_range part, const char *what)
{
	return pme_steps_owner(say->steps, shifted(say, part), btt_kind,
			       PME_OWNER_NAMESPACE_METADATA, "%s of arena %zu of %s (sector mode)",
			       what, say->index, say->ns);
}

/* The entries that are in these bytes say where blocks of the device are. */
static int say_map(const struct say *say, struct pme_range part)
{
	const struct pme_btt_arena *arena = say->arena;
	uint64_t first = arena->first_lba + (part.start - arena->map) / 4;
	uint64_t last = arena->first_lba + (pme_range_end(part) - 1 - arena->map) / 4;
	uint64_t sector = pme_btt_sector_bytes(arena);

	return pme_steps_owner(say->steps, shifted(say, part), btt_kind,
			       PME_OWNER_NAMESPACE_METADATA,
			       "map of arena %zu of %s (sector mode): without it bytes %" PRIu64
			       " to %" PRIu64 " of its device cannot be found",
			       say->index, say->ns, first * sector, (last + 1) * sector - 1);
}

static int say_log(const struct say *say, struct pme_range part)
{
	uint64_t first = (part.start - say->arena->log) / PME_BTT_LANE_BYTES;
	uint64_t last = (pme_range_end(part) - 1 - say->arena->log) / PME_BTT_LANE_BYTES;

	return pme_steps_owner(say->steps, shifted(say, part), btt_kind,
			       PME_OWNER_NAMESPACE_METADATA,
			       "log of arena %zu of %s (sector mode): lanes %" PRIu64 " to %" PRIu64
			       ", which hold the free blocks",
			       say->index, say->ns, first, last);
}

static int say_in_use(const struct say *say, struct pme_range part, uint64_t block)
{
	return pme_steps_unknown(
		say->steps, shifted(say, part), btt_kind,
		"sector mode (BTT): block %" PRIu64 " of arena %zu may be mapped anywhere in %s, "
		"or be free; the map can be read in raw mode only: unmount it, ndctl "
		"disable-namespace %s, write 1 to /sys/bus/nd/devices/%s/force_raw, write %s to "
		"/sys/bus/nd/drivers/nd_pmem/bind, scan again",
		block, say->index, say->dev->name, say->ns, say->ns, say->ns);
}

/* What is known of a block, from a pass over the map. */
struct found {
	uint64_t lba;
	bool is_mapped, is_twice, is_zero, is_error;
	bool is_free;	 /* so says the log */
	bool is_written; /* the last write of a lane went there */
};

static void note_entry(struct found *found, struct pme_btt_entry entry, uint64_t lba)
{
	found->is_twice = found->is_mapped;
	found->is_mapped = true;
	found->lba = lba;
	found->is_zero = entry.is_zero;
	found->is_error = entry.is_error;
}

/*
 * Each lane of the log has one free block: the old one of its last write.  Where the map has it
 * still, the write was interrupted, and the next start finishes it (btt.c:btt_freelist_init).
 */
static int search_log(const struct say *say, uint64_t first, struct found *found, uint64_t count)
{
	uint32_t lanes = say->arena->n_free;
	_cleanup_free_ unsigned char *log = calloc(lanes + 1ULL, PME_BTT_LANE_BYTES);
	bool padded;
	int r = log ? pme_media_read(say->fd, log, (size_t)lanes * PME_BTT_LANE_BYTES,
				     say->arena->log)
		    : -ENOMEM;

	if (r < 0)
		return r;
	padded = pme_btt_log_is_padded(log, lanes);
	for (uint32_t i = 0; i < lanes; i++) {
		struct pme_btt_write write;

		r = pme_btt_lane_parse(log + (size_t)i * PME_BTT_LANE_BYTES, padded, &write);
		if (r < 0)
			return r;
		if (write.old_block >= first && write.old_block - first < count)
			found[write.old_block - first].is_free = true;
		if (write.new_block >= first && write.new_block - first < count)
			found[write.new_block - first].is_written = true;
	}
	return 0;
}

/* Look for the blocks [@first, @first + @count) in the map. */
static int search_map(const struct say *say, uint64_t first, struct found *found, uint64_t count)
{
	const struct pme_btt_arena *arena = say->arena;
	_cleanup_free_ unsigned char *chunk = malloc(CHUNK);
	uint64_t bytes = 4ULL * arena->blocks;

	if (!chunk)
		return -ENOMEM;
	for (uint64_t done = 0; done < bytes; done += CHUNK) {
		size_t size = (size_t)pme_min(CHUNK, bytes - done);
		int r = pme_media_read(say->fd, chunk, size, arena->map + done);

		if (r < 0)
			return r;
		for (size_t i = 0; i + 4 <= size; i += 4) {
			uint32_t lba = (uint32_t)((done + i) / 4);
			struct pme_btt_entry entry = pme_btt_entry_parse(chunk + i, lba);

			if (entry.block >= first && entry.block - first < count)
				note_entry(&found[entry.block - first], entry, lba);
		}
	}
	return 0;
}

/* Map and log do not say the same. */
static const char *why_odd(const struct found *found)
{
	if (found->is_mapped || found->is_written)
		return "its last write was interrupted: enable it in sector mode to finish that";
	return "neither the map nor the log has it: see ndctl check-namespace";
}

static int say_found(const struct say *say, struct pme_range part, uint64_t block,
		     const struct found *found)
{
	const struct pme_btt_arena *arena = say->arena;
	uint64_t sector = pme_btt_sector_bytes(arena), at;
	uint64_t in_block = (part.start - arena->data) % arena->internal_lba_bytes;

	if (found->is_mapped == found->is_free)
		return pme_steps_unknown(say->steps, shifted(say, part), btt_kind,
					 "block %" PRIu64 " of arena %zu of %s: %s", block,
					 say->index, say->ns, why_odd(found));
	if (!found->is_mapped)
		return pme_steps_owner(say->steps, shifted(say, part), btt_kind, PME_OWNER_UNUSED,
				       "free block %" PRIu64 " of arena %zu of %s (sector mode)",
				       block, say->index, say->ns);
	if (found->is_twice)
		return pme_steps_unknown(say->steps, shifted(say, part), btt_kind,
					 "the map of arena %zu of %s is damaged: block %" PRIu64
					 " is there twice: see ndctl check-namespace",
					 say->index, say->ns, block);
	at = (arena->first_lba + found->lba) * sector;
	if (found->is_zero || in_block >= sector)
		return pme_steps_owner(
			say->steps, shifted(say, part), btt_kind, PME_OWNER_UNUSED,
			"place of byte %" PRIu64 " of the sector mode device of %s, %s", at,
			say->ns, found->is_zero ? "which reads as zeros" : "behind its data");
	return pme_steps_unknown(
		say->steps, shifted(say, part), btt_kind,
		"bytes %" PRIu64 " to %" PRIu64 " of the sector mode device of %s%s: enable it in "
		"sector mode again, pmemctl scan --range its device:%" PRIu64 "+%" PRIu64,
		at + in_block, at + pme_min(in_block + part.length, sector) - 1, say->ns,
		found->is_error ? ", marked as unreadable in the map" : "", at + in_block,
		pme_min(part.length, sector - in_block));
}

/* Part of the data area: one step for each block. */
static int say_data(const struct say *say, struct pme_range part)
{
	uint64_t bytes = say->arena->internal_lba_bytes, data = say->arena->data;
	uint64_t first = (part.start - data) / bytes;
	uint64_t count = (pme_range_end(part) - 1 - data) / bytes - first + 1;
	_cleanup_free_ struct found *found = NULL;
	int r = 0;

	if (count > PME_STEPS_MAX)
		return -E2BIG;
	found = calloc(count, sizeof(*found));
	if (!found)
		return -ENOMEM;
	if (say->fd >= 0)
		r = search_map(say, first, found, count);
	if (say->fd >= 0 && r == 0)
		r = search_log(say, first, found, count);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(say->steps, shifted(say, part), btt_kind,
					 "cannot read the map or the log of arena %zu of %s: %s",
					 say->index, say->ns, pme_media_error(r));
	for (uint64_t i = 0; r == 0 && i < count; i++) {
		struct pme_range block = {.start = data + (first + i) * bytes, .length = bytes};
		struct pme_range piece;

		if (!pme_range_intersect(part, block, &piece))
			continue;
		r = say->fd >= 0 ? say_found(say, piece, first + i, &found[i])
				 : say_in_use(say, piece, first + i);
	}
	return r;
}

static int say_area(const struct say *say, struct pme_range part, enum pme_btt_area area)
{
	switch (area) {
	case PME_BTT_INFO:
		return say_metadata(say, part, "info block");
	case PME_BTT_INFO2:
		return say_metadata(say, part, "copy of the info block");
	case PME_BTT_DATA:
		return say_data(say, part);
	case PME_BTT_MAP:
		return say_map(say, part);
	case PME_BTT_LOG:
		return say_log(say, part);
	case PME_BTT_PAD:
	case PME_BTT_OUTSIDE:
		break;
	}
	return pme_steps_owner(say->steps, shifted(say, part), btt_kind, PME_OWNER_UNUSED,
			       "between the areas of %s (sector mode)", say->ns);
}

/* The last arena that begins at @at or before it, else the first. */
static size_t arena_at(const struct pme_btt_arenas *arenas, uint64_t at)
{
	size_t i = arenas->count - 1;

	while (i > 0 && arenas->items[i].start > at)
		i--;
	return i;
}

static int say_range(const struct pme_btt_arenas *arenas, struct say *say, struct pme_range range)
{
	int r = 0;

	while (r == 0 && range.length > 0) {
		struct pme_range part = range;
		enum pme_btt_area area;
		uint64_t end;

		say->index = arena_at(arenas, range.start);
		say->arena = &arenas->items[say->index];
		area = pme_btt_area_at(say->arena, range.start, &end);
		if (say->index + 1 < arenas->count)
			end = pme_min(end, arenas->items[say->index + 1].start);
		part.length = pme_min(range.length, end - range.start);
		r = say_area(say, part, area);
		range.start += part.length;
		range.length -= part.length;
	}
	return r < 0 ? r : 1;
}

int pme_btt_live(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		 uint64_t shift, struct pme_steps *ret)
{
	struct say say = {.dev = dev, .ns = dev->ns->name, .shift = shift, .fd = -1, .steps = ret};
	const void *arenas;
	const char *why;
	int r;

	if (!stack)
		return 0;
	r = pme_map_get(stack, &pme_btt_live_arenas, dev, NULL, &arenas, &why);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return say_range(arenas, &say, range);
}

int pme_btt_raw(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		struct pme_steps *ret)
{
	struct say say = {.dev = dev, .ns = dev->ns->name, .steps = ret};
	_cleanup_close_ int fd = -1;
	const void *arenas;
	const char *why;
	int r = pme_map_get(stack, &pme_btt_raw_arenas, dev, NULL, &arenas, &why);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	fd = pme_media_open(stack->topo, dev);
	if (fd < 0)
		return 0;
	say.fd = fd;
	return say_range(arenas, &say, range);
}
