/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "cache": "METADATA CACHE ORIGIN BLOCK #FEATURES … POLICY …"
 * (drivers/md/dm-cache-target.c).
 *
 * The surprise: a clean block is in two places, a dirty one in the cache only, and of a live cache
 * that has both kinds nobody can tell which is which; see dm-cache-map.h.
 */
#include <inttypes.h>

#include "dm-cache-map.h"
#include "dm-params.h"
#include "layer.h"

static int lead_in_doubt(const struct pme_cache *cache, const struct pme_dev *upper,
			 const struct pme_remap *entry, struct pme_range from,
			 const struct pme_dev *to, uint64_t to_start, struct pme_steps *ret)
{
	return pme_steps_doubt(ret, from, to, to_start, pme_dm_cache.kind,
			       "%" PRIu64 " of %zu blocks in cache %s are dirty, perhaps block "
			       "%" PRIu64 ", the only place of its data then: switch to the "
			       "cleaner policy and scan again",
			       cache->n_dirty, cache->map.count, pme_dev_label(upper),
			       entry->place);
}

/* A lead with one other place of the same bytes; without that device, without it. */
static int lead_copied(struct pme_range from, const struct pme_dev *to, uint64_t to_start,
		       const char *what, const struct pme_dev *other, uint64_t other_start,
		       struct pme_steps *ret)
{
	struct pme_copies *copies;

	if (!other)
		return pme_steps_lead(ret, from, to, to_start, pme_dm_cache.kind);
	copies = pme_copies_new(what, 1, 1);
	if (!copies)
		return -ENOMEM;
	copies->places[0] = (struct pme_place){other, other_start};
	return pme_steps_lead_copied(ret, from, to, to_start, pme_dm_cache.kind, copies);
}

static int origin_up(const struct pme_cache *cache, const struct pme_cache_params *params,
		     const struct pme_dev *upper, const struct pme_dm_line *line,
		     struct pme_range range, struct pme_steps *ret)
{
	struct pme_range whole = {0, line->range.length}, part;
	const struct pme_remap *entry;
	int r = 0;

	if (!pme_range_intersect(range, whole, &part))
		return 0;
	for (uint64_t at = part.start, end = pme_range_end(part); r == 0 && at < end;) {
		struct pme_range piece =
			pme_remaps_block_piece(&cache->map, cache->block, at, end, &entry);
		uint64_t to = line->range.start + at;

		if (!entry)
			r = pme_steps_lead(ret, piece, upper, to, pme_dm_cache.kind);
		else if (cache->dirty == PME_CACHE_SOME_DIRTY)
			r = lead_in_doubt(cache, upper, entry, piece, upper, to, ret);
		else if (cache->dirty == PME_CACHE_NONE_DIRTY)
			r = lead_copied(piece, upper, to, "a clean copy in the cache",
					pme_dm_lower(upper, params->cache),
					entry->place * cache->block + at % cache->block, ret);
		else
			r = pme_steps_owner(ret, piece, pme_dm_cache.kind, PME_OWNER_UNUSED,
					    "stale: newer data of %s is in block %" PRIu64
					    " of its cache",
					    pme_dev_label(upper), entry->place);
		at += piece.length;
	}
	return r;
}

/* A clean copy ends the way, when the origin can be read. */
static int copy_up(const struct pme_dev *upper, const struct pme_remap *entry,
		   struct pme_range from, uint64_t to, const struct pme_dev *origin, uint64_t x,
		   struct pme_steps *ret)
{
	struct pme_step *step;
	int r = lead_copied(from, upper, to, "the origin", origin, x, ret);

	if (r < 0 || !origin)
		return r;
	step = &ret->items[ret->count - 1];
	/* the target does not try the origin when the cache cannot be read */
	step->detail = pme_printf("clean copy of block %" PRIu64 " of %s in block %" PRIu64
				  " of its cache: reads of it fail until it leaves the cache",
				  entry->block, pme_dev_label(upper), entry->place);
	step->owner = PME_OWNER_CACHE_COPY;
	step->ends_if_copied = true;
	return step->detail ? 0 : -ENOMEM;
}

/* A piece @from of one block. */
static int block_up(const struct pme_cache *cache, const struct pme_cache_params *params,
		    const struct pme_dev *upper, const struct pme_dm_line *line,
		    const struct pme_remap *entry, struct pme_range from, struct pme_steps *ret)
{
	struct pme_range whole = {0, line->range.length}, part;
	uint64_t x = entry->block * cache->block + from.start % cache->block, to;

	if (!pme_range_intersect((struct pme_range){x, from.length}, whole, &part))
		return pme_steps_owner(ret, from, pme_dm_cache.kind, PME_OWNER_UNUSED,
				       "behind the end of cache %s", pme_dev_label(upper));
	from = (struct pme_range){from.start + (part.start - x), part.length};
	to = line->range.start + part.start;
	if (cache->dirty == PME_CACHE_SOME_DIRTY)
		return lead_in_doubt(cache, upper, entry, from, upper, to, ret);
	if (cache->dirty == PME_CACHE_ALL_DIRTY)
		return pme_steps_lead(ret, from, upper, to, pme_dm_cache.kind);
	return copy_up(upper, entry, from, to, pme_dm_lower(upper, params->origin), part.start,
		       ret);
}

static int cache_up(const struct pme_cache *cache, const struct pme_cache_params *params,
		    const struct pme_dev *upper, const struct pme_dm_line *line,
		    struct pme_range range, struct pme_steps *ret)
{
	struct pme_range data = {0, cache->blocks * cache->block}, part;
	const struct pme_remap *entry;
	int r = 0;

	/* what lies behind the last block is not used: no step says so */
	if (!pme_range_intersect(range, data, &part))
		return 0;
	for (uint64_t at = part.start, end = pme_range_end(part); r == 0 && at < end;) {
		struct pme_range piece =
			pme_remaps_place_piece(&cache->map, cache->block, at, end, &entry);

		if (entry)
			r = block_up(cache, params, upper, line, entry, piece, ret);
		else
			r = pme_steps_owner(ret, piece, pme_dm_cache.kind, PME_OWNER_FREE,
					    "free in the cache of %s", pme_dev_label(upper));
		at += piece.length;
	}
	return r;
}

static int cache_step_up(struct pme_stack *stack, const struct pme_dev *upper,
			 const struct pme_dm_line *line, const struct pme_dev *lower,
			 struct pme_range range, struct pme_steps *ret)
{
	const struct pme_cache *cache;
	struct pme_cache_params params;
	const char *why;
	int r = pme_cache_params_parse(line, &params);

	if (r < 0)
		return r;
	if (lower->devno == params.meta)
		return pme_steps_owner(ret, range, pme_dm_cache.kind, PME_OWNER_VOLUME_METADATA,
				       "metadata of cache %s: without it all that is dirty in the "
				       "cache is lost",
				       pme_dev_label(upper));
	if (lower->devno != params.origin && lower->devno != params.cache)
		return 0;
	r = pme_cache_get(stack, upper, line, &cache, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, range, pme_dm_cache.kind, "%s", why);
	return lower->devno == params.origin ? origin_up(cache, &params, upper, line, range, ret)
					     : cache_up(cache, &params, upper, line, range, ret);
}

/* The places of a piece of one cached block, and of one that is not. */
static int piece_down(const struct pme_cache *cache, const struct pme_cache_params *params,
		      const struct pme_dev *upper, const struct pme_remap *entry,
		      struct pme_range from, uint64_t x, struct pme_steps *ret)
{
	const struct pme_dev *origin = pme_dm_lower(upper, params->origin);
	const struct pme_dev *in_cache = pme_dm_lower(upper, params->cache);
	int r;

	if (!origin || !in_cache)
		return pme_steps_unknown(ret, from, pme_dm_cache.kind,
					 "a device below %s is missing", pme_dev_label(upper));
	if (!entry)
		return pme_steps_lead(ret, from, origin, x, pme_dm_cache.kind);
	r = pme_steps_lead(ret, from, in_cache, entry->place * cache->block + x % cache->block,
			   pme_dm_cache.kind);
	if (r < 0 || cache->dirty == PME_CACHE_ALL_DIRTY)
		return r;
	if (cache->dirty == PME_CACHE_SOME_DIRTY)
		return lead_in_doubt(cache, upper, entry, from, origin, x, ret);
	return pme_steps_lead(ret, from, origin, x, pme_dm_cache.kind);
}

static int cache_step_down(struct pme_stack *stack, const struct pme_dev *upper,
			   const struct pme_dm_line *line, struct pme_range range,
			   struct pme_steps *ret)
{
	const struct pme_remap *entry;
	const struct pme_cache *cache;
	struct pme_cache_params params;
	const char *why;
	int r = pme_cache_params_parse(line, &params);

	if (r < 0 || !pme_range_intersect(range, line->range, &range))
		return r;
	r = pme_cache_get(stack, upper, line, &cache, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, range, pme_dm_cache.kind, "%s", why);
	for (uint64_t at = range.start - line->range.start,
		      end = pme_range_end(range) - line->range.start;
	     r == 0 && at < end;) {
		struct pme_range piece =
			pme_remaps_block_piece(&cache->map, cache->block, at, end, &entry);
		struct pme_range from = {line->range.start + at, piece.length};

		r = piece_down(cache, &params, upper, entry, from, at, ret);
		at += piece.length;
	}
	return r;
}

static char *cache_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			   const struct pme_dev *lower, uint64_t lower_start,
			   const struct pme_dev *upper, uint64_t upper_start)
{
	const struct pme_cache *cache;
	struct pme_cache_params params;
	const char *why;

	if (pme_cache_params_parse(line, &params) < 0)
		return pme_printf("malformed 'cache' parameters");
	if (pme_cache_get(stack, upper, line, &cache, &why) < 0)
		return pme_printf("the metadata of cache %s is not known", pme_dev_label(upper));
	if (lower->devno == params.origin)
		return pme_printf("%" PRIu64 " (block %" PRIu64 " of %" PRIu64
				  " of the origin) + %" PRIu64 " (segment in %s) = %" PRIu64,
				  lower_start, lower_start / cache->block, cache->block,
				  line->range.start, pme_dev_label(upper), upper_start);
	return pme_printf("%" PRIu64 " = block %" PRIu64 " of %" PRIu64 " + %" PRIu64
			  " in the cache; it holds block %" PRIu64 " of the origin; %" PRIu64
			  " (segment in %s) + %" PRIu64 " * %" PRIu64 " + %" PRIu64 " = %" PRIu64,
			  lower_start, lower_start / cache->block, cache->block,
			  lower_start % cache->block,
			  (upper_start - line->range.start) / cache->block, line->range.start,
			  pme_dev_label(upper), (upper_start - line->range.start) / cache->block,
			  cache->block, lower_start % cache->block, upper_start);
}

const struct pme_dm_target pme_dm_cache = {
	.type = "cache",
	.kind = "dm-cache",
	.up = cache_step_up,
	.down = cache_step_down,
	.explain = cache_explain,
};
