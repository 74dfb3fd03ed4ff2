/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bcache: bytes of a backing device, and of the cache device of its set -> bytes of bcacheN
 * (drivers/md/bcache).
 *
 * Data that is dirty is in the cache only, and what the backing device has below it is stale. Data
 * that is clean is on both.  When the list of extents cannot be read, a state that says "clean" is
 * enough for the backing device.  The surprise: several backing devices share one cache device, and
 * only the first of them speaks for what is nobody's there.
 */
#include <inttypes.h>
#include <string.h>

#include "bcache-map.h"
#include "layer.h"

static const char bcache_kind[] = "bcache";

#define SUPER_END (PME_BCACHE_SUPER_AT + PME_BCACHE_SUPER_SIZE)

static bool bcache_owns(const struct pme_dev *upper)
{
	return upper->bcache != NULL;
}

/* Is nothing of it in the cache only?  Without a cache, or once it was lost, nothing is. */
static bool is_clean(const struct pme_dev *upper)
{
	const char *state = upper->bcache->state;

	return state && (strcmp(state, "clean") == 0 ||
			 (!upper->bcache->set &&
			  (strcmp(state, "no cache") == 0 || strcmp(state, "inconsistent") == 0)));
}

/* A lead that depends on extents that nobody knows. */
static int lead_in_doubt(const struct pme_dev *upper, const struct pme_bcache_map *map,
			 struct pme_range from, const struct pme_dev *to, uint64_t to_start,
			 struct pme_steps *ret)
{
	const struct pme_dev *backing = upper->bcache->backing;

	return pme_steps_doubt(
		ret, from, to, to_start, bcache_kind,
		"data of %s is in its cache only, perhaps this: %s; or write "
		"'writethrough' to /sys/class/block/%s/bcache/cache_mode, wait until "
		"'state' there says clean, and scan again",
		upper->name, map->doubt ? map->doubt : "its state is not known", backing->name);
}

static int lead_copied(struct pme_range from, const struct pme_dev *to, uint64_t to_start,
		       const char *what, const struct pme_dev *other, uint64_t other_start,
		       struct pme_steps *ret)
{
	struct pme_copies *copies = pme_copies_new(what, 1, 1);

	if (!copies)
		return -ENOMEM;
	copies->places[0] = (struct pme_place){other, other_start};
	return pme_steps_lead_copied(ret, from, to, to_start, bcache_kind, copies);
}

/* Data of the backing device: @x is the byte of bcacheN. */
static int data_up(const struct pme_dev *upper, const struct pme_bcache_map *map,
		   struct pme_range from, struct pme_steps *ret)
{
	const struct pme_bcache_extent *extent;
	int r = 0;

	if (map->doubt || !upper->bcache->set) {
		uint64_t x = from.start - map->data_offset;

		return is_clean(upper) ? pme_steps_lead(ret, from, upper, x, bcache_kind)
				       : lead_in_doubt(upper, map, from, upper, x, ret);
	}
	for (uint64_t at = from.start, end = pme_range_end(from); r == 0 && at < end;) {
		struct pme_range part =
			pme_bcache_piece(&map->extents, upper->bcache->id, at, end, &extent);
		uint64_t x = at - map->data_offset;

		if (!extent)
			r = pme_steps_lead(ret, part, upper, x, bcache_kind);
		else if (extent->dirty)
			r = pme_steps_owner(ret, part, bcache_kind, PME_OWNER_UNUSED,
					    "stale: newer data of %s is in its cache", upper->name);
		else
			r = lead_copied(part, upper, x, "a clean copy in the cache", map->cache,
					extent->place + (at - extent->range.start), ret);
		at += part.length;
	}
	return r;
}

/* What is in front of the data: the superblock, and bytes that nobody uses. */
static int front_up(const struct pme_dev *upper, struct pme_range range, struct pme_steps *ret)
{
	int r = 0;

	for (uint64_t at = range.start, end = pme_range_end(range), to; r == 0 && at < end;
	     at = to) {
		bool in_super = at >= PME_BCACHE_SUPER_AT && at < SUPER_END;
		struct pme_range part;

		to = at < PME_BCACHE_SUPER_AT ? PME_BCACHE_SUPER_AT : in_super ? SUPER_END : end;
		to = pme_min(to, end);
		part = (struct pme_range){at, to - at};
		if (in_super)
			r = pme_steps_owner(ret, part, bcache_kind, PME_OWNER_VOLUME_METADATA,
					    "superblock of bcache: without it %s cannot be started "
					    "again",
					    upper->name);
		else
			r = pme_steps_owner(ret, part, bcache_kind, PME_OWNER_UNUSED,
					    "in front of the data of %s", upper->name);
	}
	return r;
}

static int backing_up(const struct pme_dev *upper, const struct pme_bcache_map *map,
		      struct pme_range range, struct pme_steps *ret)
{
	uint64_t end = map->data_offset + upper->size;
	struct pme_range front = {0, map->data_offset}, data = {map->data_offset, upper->size};
	struct pme_range behind = {end, UINT64_MAX - end}, part;
	int r = 0;

	if (pme_range_intersect(range, front, &part))
		r = front_up(upper, part, ret);
	if (r == 0 && pme_range_intersect(range, data, &part))
		r = data_up(upper, map, part, ret);
	if (r == 0 && pme_range_intersect(range, behind, &part))
		r = pme_steps_owner(ret, part, bcache_kind, PME_OWNER_UNUSED,
				    "behind the end of %s", upper->name);
	return r;
}

/* @from, bytes of the cache, is the data @part of the backing device. */
static int copy_up(const struct pme_dev *upper, const struct pme_bcache_map *map, bool dirty,
		   struct pme_range from, struct pme_range part, struct pme_steps *ret)
{
	uint64_t x = part.start - map->data_offset;
	struct pme_step *step;
	int r;

	if (dirty)
		return pme_steps_lead(ret, from, upper, x, bcache_kind);
	r = lead_copied(from, upper, x, "the backing device", upper->bcache->backing, part.start,
			ret);
	if (r < 0)
		return r;
	step = &ret->items[ret->count - 1];
	step->detail = pme_printf("clean copy of data of %s", upper->name);
	step->owner = PME_OWNER_CACHE_COPY;
	step->ends_if_copied = true;
	return step->detail ? 0 : -ENOMEM;
}

/* A piece of the cache in one extent of this device. */
static int extent_up(const struct pme_dev *upper, const struct pme_bcache_map *map,
		     const struct pme_bcache_extent *extent, struct pme_range from,
		     struct pme_steps *ret)
{
	uint64_t start = extent->range.start + (from.start - extent->place);
	const struct pme_range device = {map->data_offset, upper->size};
	const struct pme_range spans[] = {
		{0, map->data_offset},
		device,
		{pme_range_end(device), UINT64_MAX - pme_range_end(device)},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(spans); i++) {
		struct pme_range part, piece;

		if (!pme_range_intersect((struct pme_range){start, from.length}, spans[i], &part))
			continue;
		piece = (struct pme_range){from.start + (part.start - start), part.length};
		r = i == 1 ? copy_up(upper, map, extent->dirty, piece, part, ret)
			   : pme_steps_owner(ret, piece, bcache_kind, PME_OWNER_UNUSED,
					     "outside of the data of %s", upper->name);
	}
	return r;
}

/* The device of @upper's set that has this number, or NULL. */
static const struct pme_dev *sibling(const struct pme_dev *upper, const struct pme_dev *lower,
				     uint64_t id)
{
	for (size_t i = 0; i < lower->n_uppers; i++) {
		const struct pme_bcache *other = lower->uppers[i]->bcache;

		if (other && other->set && strcmp(other->set, upper->bcache->set) == 0 &&
		    (other->id == id || id == PME_UNKNOWN))
			return lower->uppers[i];
	}
	return NULL;
}

/* Bytes of the cache in no extent. */
static int rest_up(const struct pme_dev *upper, const struct pme_bcache_super *super,
		   struct pme_range range, struct pme_steps *ret)
{
	uint64_t first = super->first_bucket * super->bucket;
	struct pme_range journal = {first, super->n_journal * super->bucket};
	int r = 0;

	for (uint64_t at = range.start, end = pme_range_end(range), to; r == 0 && at < end;
	     at = to) {
		bool in_journal = at >= journal.start && at < pme_range_end(journal);
		struct pme_range part;

		to = at < journal.start ? journal.start : in_journal ? pme_range_end(journal) : end;
		to = pme_min(to, end);
		part = (struct pme_range){at, to - at};
		if (at < first)
			r = pme_steps_owner(ret, part, bcache_kind, PME_OWNER_UNUSED,
					    "in front of the buckets of cache set %s",
					    upper->bcache->set);
		else if (in_journal)
			r = pme_steps_owner(
				ret, part, bcache_kind, PME_OWNER_VOLUME_METADATA,
				"journal of cache set %s: the newest entries are read "
				"at the next start, and without them dirty data is lost",
				upper->bcache->set);
		else
			r = pme_steps_unknown(ret, part, bcache_kind,
					      "no data of cache set %s: free, or its B-tree and "
					      "other metadata; the kernel does not tell which",
					      upper->bcache->set);
	}
	return r;
}

static int cache_super_up(const struct pme_dev *upper, struct pme_range range,
			  struct pme_steps *ret)
{
	const struct pme_range super = {PME_BCACHE_SUPER_AT, PME_BCACHE_SUPER_SIZE};
	const struct pme_range front = {0, PME_BCACHE_SUPER_AT};
	struct pme_range part;
	int r = 0;

	if (pme_range_intersect(range, front, &part))
		r = pme_steps_owner(ret, part, bcache_kind, PME_OWNER_UNUSED,
				    "in front of the superblock of cache set %s",
				    upper->bcache->set);
	if (r < 0 || !pme_range_intersect(range, super, &part))
		return r;
	return pme_steps_owner(ret, part, bcache_kind, PME_OWNER_VOLUME_METADATA,
			       "superblock of cache set %s: without it all that is dirty in the "
			       "cache is lost at the next start",
			       upper->bcache->set);
}

/* What belongs to nobody in particular: said once, by the first device of the set. */
static int gap_up(struct pme_stack *stack, const struct pme_dev *upper, const struct pme_dev *lower,
		  struct pme_range from, struct pme_steps *ret)
{
	const struct pme_range behind = {SUPER_END, lower->size};
	const struct pme_bcache_super *super;
	struct pme_range part;
	const char *why;
	int r = cache_super_up(upper, from, ret);

	if (r < 0 || !pme_range_intersect(from, behind, &part))
		return r;
	r = pme_bcache_cache_get(stack, lower, &super, &why);
	if (r == -ENOMEM)
		return r;
	return r < 0 ? pme_steps_unknown(ret, part, bcache_kind, "%s", why)
		     : rest_up(upper, super, part, ret);
}

/* Data of a device of the set that is not here now. */
static int absent_up(const struct pme_dev *upper, const struct pme_bcache_extent *extent,
		     struct pme_range from, struct pme_steps *ret)
{
	return pme_steps_unknown(ret, from, bcache_kind,
				 "%s data of device %" PRIu64 " of cache set %s, which is not here",
				 extent->dirty ? "dirty" : "clean", extent->inode,
				 upper->bcache->set);
}

static int cache_up(struct pme_stack *stack, const struct pme_dev *upper,
		    const struct pme_bcache_map *map, const struct pme_dev *lower,
		    struct pme_range range, struct pme_steps *ret)
{
	bool speaks = sibling(upper, lower, PME_UNKNOWN) == upper;
	const struct pme_bcache_extent *extent;
	int r = 0;

	for (uint64_t at = range.start, end = pme_range_end(range); r == 0 && at < end;) {
		struct pme_range piece = pme_bcache_place_piece(&map->extents, at, end, &extent);

		if (extent && extent->inode == upper->bcache->id)
			r = extent_up(upper, map, extent, piece, ret);
		else if (extent && speaks && !sibling(upper, lower, extent->inode))
			r = absent_up(upper, extent, piece, ret);
		else if (!extent && speaks)
			r = gap_up(stack, upper, lower, piece, ret);
		at += piece.length;
	}
	return r;
}

/* The cache, when its extents are not known. */
static int vague_up(const struct pme_dev *upper, const struct pme_bcache_map *map,
		    const struct pme_dev *lower, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_range behind = {SUPER_END, lower->size};
	struct pme_range part;
	int r;

	if (sibling(upper, lower, PME_UNKNOWN) != upper)
		return 0;
	r = cache_super_up(upper, range, ret);
	if (r == 0 && pme_range_intersect(range, behind, &part))
		r = pme_steps_unknown(ret, part, bcache_kind, "%s", map->doubt);
	return r;
}

static int bcache_up(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dev *lower, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_bcache_map *map;
	const char *why;
	int r;

	if (!upper->bcache->backing)
		return pme_steps_unknown(ret, range, bcache_kind,
					 "%s has no backing device that sysfs names: volumes in a "
					 "cache alone are not followed",
					 upper->name);
	r = pme_bcache_get(stack, upper, &map, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, range, bcache_kind, "%s", why);
	if (lower == upper->bcache->backing)
		return backing_up(upper, map, range, ret);
	return map->doubt ? vague_up(upper, map, lower, range, ret)
			  : cache_up(stack, upper, map, lower, range, ret);
}

/* @piece: bytes of the backing device. */
static int piece_down(const struct pme_dev *upper, const struct pme_bcache_map *map,
		      const struct pme_bcache_extent *extent, struct pme_range piece,
		      struct pme_steps *ret)
{
	struct pme_range from = {piece.start - map->data_offset, piece.length};
	int r = 0;

	if (extent)
		r = pme_steps_lead(ret, from, map->cache,
				   extent->place + (piece.start - extent->range.start),
				   bcache_kind);
	if (r < 0 || (extent && extent->dirty))
		return r;
	return pme_steps_lead(ret, from, upper->bcache->backing, piece.start, bcache_kind);
}

static int known_down(const struct pme_dev *upper, const struct pme_bcache_map *map,
		      struct pme_range range, struct pme_steps *ret)
{
	const struct pme_bcache_extent *extent;
	uint64_t at, end;
	int r = 0;

	if (pme_add(map->data_offset, range.start, &at) < 0 || pme_add(at, range.length, &end) < 0)
		return -EINVAL;
	while (r == 0 && at < end) {
		struct pme_range piece =
			pme_bcache_piece(&map->extents, upper->bcache->id, at, end, &extent);

		r = piece_down(upper, map, extent, piece, ret);
		at += piece.length;
	}
	return r;
}

static int bcache_down(struct pme_stack *stack, const struct pme_dev *upper, struct pme_range range,
		       struct pme_steps *ret)
{
	const struct pme_bcache_map *map;
	const char *why = "it has no backing device that sysfs names";
	int r = upper->bcache->backing ? pme_bcache_get(stack, upper, &map, &why) : -ENODEV;
	uint64_t start;

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, range, bcache_kind, "%s", why);
	if (!map->doubt)
		return known_down(upper, map, range, ret);
	if (pme_add(map->data_offset, range.start, &start) < 0)
		return -EINVAL;
	return is_clean(upper)
		       ? pme_steps_lead(ret, range, upper->bcache->backing, start, bcache_kind)
		       : lead_in_doubt(upper, map, range, upper->bcache->backing, start, ret);
}

static char *bcache_explain(struct pme_stack *stack, const struct pme_dev *lower,
			    uint64_t lower_start, const struct pme_dev *upper, uint64_t upper_start)
{
	const struct pme_bcache_extent *extent;
	const struct pme_bcache_map *map;
	const char *why;

	if (!upper->bcache->backing || pme_bcache_get(stack, upper, &map, &why) < 0)
		return pme_printf("the map of %s is not known", upper->name);
	if (lower == upper->bcache->backing)
		return pme_printf("%" PRIu64 " - %" PRIu64 " (data offset) = %" PRIu64, lower_start,
				  map->data_offset, upper_start);
	pme_bcache_place_piece(&map->extents, lower_start, lower_start + 1, &extent);
	if (!extent)
		return pme_printf("no extent of %s holds this byte", upper->name);
	return pme_printf("%" PRIu64 " - %" PRIu64 " (%s extent in the cache) + %" PRIu64
			  " (its place on %s) - %" PRIu64 " (data offset) = %" PRIu64,
			  lower_start, extent->place, extent->dirty ? "dirty" : "clean",
			  extent->range.start, upper->bcache->backing->name, map->data_offset,
			  upper_start);
}

const struct pme_layer pme_layer_bcache = {
	.name = bcache_kind,
	.owns = bcache_owns,
	.up = bcache_up,
	.down = bcache_down,
	.explain = bcache_explain,
};
