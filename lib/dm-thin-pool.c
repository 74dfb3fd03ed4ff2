/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "thin-pool": "META DATA BLOCK ..." (drivers/md/dm-thin.c).
 *
 * Bytes of the pool device are those of the data device.  The surprise: nobody reads them there;
 * they lead on only where a thin volume that is active owns them.
 */
#include <inttypes.h>
#include <string.h>

#include "dm-params.h"
#include "dm-thin-map.h"
#include "layer.h"
#include "rest-lvm.h"

/* Is thin device @id of @pool active? */
static bool is_active(const struct pme_dev *pool, uint32_t id)
{
	for (size_t i = 0; i < pool->n_uppers; i++) {
		const struct pme_dev *upper = pool->uppers[i];
		struct pme_thin thin;

		for (size_t k = 0; k < upper->n_lines; k++)
			if (strcmp(upper->lines[k].type, pme_dm_thin.type) == 0 &&
			    pme_thin_parse(&upper->lines[k], &thin) == 0 &&
			    thin.pool == pool->devno && thin.id == id)
				return true;
	}
	return false;
}

/* By the name that LVM would activate it by; other pools have only numbers. */
static int say_inactive(struct pme_stack *stack, const struct pme_dev *pool,
			const struct pme_thin_run *run, uint64_t block_size, struct pme_range part,
			struct pme_steps *ret)
{
	uint64_t at = (run->block - run->data) * block_size + part.start; /* wraps back */
	_cleanup_free_ char *name = NULL;
	int r = pme_lvm_thin_name(stack, pool, run->dev, &name);

	if (r < 0)
		return r;
	if (!name)
		return pme_steps_unknown(ret, part, pme_dm_thin_pool.kind,
					 "thin device %" PRIu32 " of thin pool %s is not active "
					 "(its bytes %" PRIu64 " to %" PRIu64 ")",
					 run->dev, pme_dev_label(pool), at, at + part.length - 1);
	return pme_steps_unknown(
		ret, part, pme_dm_thin_pool.kind,
		"thin volume %s (device %" PRIu32 " of thin pool %s) is not active "
		"(its bytes %" PRIu64 " to %" PRIu64 "): lvchange -ay -K %s, and "
		"scan again",
		name, run->dev, pme_dev_label(pool), at, at + part.length - 1, name);
}

static int say_free(const struct pme_dev *pool, uint64_t block_size, struct pme_range part,
		    struct pme_steps *ret)
{
	uint64_t first = part.start / block_size, last = (pme_range_end(part) - 1) / block_size;

	if (first == last)
		return pme_steps_owner(ret, part, pme_dm_thin_pool.kind, PME_OWNER_FREE,
				       "free block %" PRIu64 " of thin pool %s", first,
				       pme_dev_label(pool));
	return pme_steps_owner(ret, part, pme_dm_thin_pool.kind, PME_OWNER_FREE,
			       "free blocks %" PRIu64 " to %" PRIu64 " of thin pool %s", first,
			       last, pme_dev_label(pool));
}

/* Owners of @range, a part of the data device that the pool has. */
static int owners_up(struct pme_stack *stack, const struct pme_thin_map *map,
		     const struct pme_dev *pool, struct pme_range range, struct pme_steps *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list active = {0}, owned = {0}, rest = {0};
	uint64_t bs = map->block_size, end = (pme_range_end(range) - 1) / bs + 1;
	const struct pme_thin_run *run;
	struct pme_range part;
	size_t pos = 0;
	int r = 0;

	while (r == 0 && (run = pme_thin_map_next(map, range.start / bs, end, &pos))) {
		bool leads = is_active(pool, run->dev);

		if (!pme_range_intersect(range, (struct pme_range){run->data * bs, run->count * bs},
					 &part))
			continue;
		r = pme_range_list_add(&owned, part.start, part.length);
		if (r == 0)
			r = leads ? pme_range_list_add(&active, part.start, part.length)
				  : say_inactive(stack, pool, run, bs, part, ret);
	}
	pme_range_list_normalize(&active);
	pme_range_list_normalize(&owned);
	for (size_t i = 0; r == 0 && i < active.count; i++)
		r = pme_steps_lead(ret, active.items[i], pool, active.items[i].start,
				   pme_dm_thin_pool.kind);
	if (r == 0)
		r = pme_range_list_subtract(range, &owned, &rest);
	for (size_t i = 0; r == 0 && i < rest.count; i++)
		r = say_free(pool, bs, rest.items[i], ret);
	return r;
}

static int data_up(struct pme_stack *stack, const struct pme_dev *pool,
		   const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_thin_map *map;
	struct pme_range part;
	const char *why;
	int r;

	if (pme_range_intersect(range, line->range, &part)) {
		r = pme_thin_map_get(stack, pool, &map, &why);
		if (r == -ENOMEM)
			return r;
		r = r < 0 ? pme_steps_unknown(ret, part, pme_dm_thin_pool.kind, "%s", why)
			  : owners_up(stack, map, pool, part, ret);
		if (r < 0)
			return r;
	}
	if (pme_range_end(range) <= line->range.length)
		return 0;
	part.start = pme_max(range.start, line->range.length);
	part.length = pme_range_end(range) - part.start;
	return pme_steps_owner(ret, part, pme_dm_thin_pool.kind, PME_OWNER_UNUSED,
			       "behind the end of thin pool %s", pme_dev_label(pool));
}

static int meta_up(const struct pme_dev *pool, struct pme_range range, struct pme_steps *ret)
{
	struct pme_range super = {0, PME_BTREE_BLOCK}, part;
	int r;

	if (pme_range_intersect(range, super, &part)) {
		r = pme_steps_owner(ret, part, pme_dm_thin_pool.kind, PME_OWNER_VOLUME_METADATA,
				    "superblock of thin pool %s: all of its volumes depend on it",
				    pme_dev_label(pool));
		if (r < 0)
			return r;
	}
	if (pme_range_end(range) <= super.length)
		return 0;
	part.start = pme_max(range.start, super.length);
	part.length = pme_range_end(range) - part.start;
	return pme_steps_owner(ret, part, pme_dm_thin_pool.kind, PME_OWNER_VOLUME_METADATA,
			       "btrees and space maps of thin pool %s (metadata block %" PRIu64
			       " and on)",
			       pme_dev_label(pool), part.start / PME_BTREE_BLOCK);
}

static int pool_up(struct pme_stack *stack, const struct pme_dev *upper,
		   const struct pme_dm_line *line, const struct pme_dev *lower,
		   struct pme_range range, struct pme_steps *ret)
{
	struct pme_thin_pool pool;
	int r = pme_thin_pool_parse(line, &pool);

	if (r < 0)
		return r;
	if (lower->devno == pool.meta)
		return meta_up(upper, range, ret);
	return lower->devno == pool.data ? data_up(stack, upper, line, range, ret) : 0;
}

static int pool_down(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_dev *lower;
	struct pme_thin_pool pool;
	struct pme_range part;
	int r = pme_thin_pool_parse(line, &pool);

	if (r < 0)
		return r;
	if (!pme_range_intersect(range, line->range, &part))
		return 0;
	lower = pme_dm_lower(upper, pool.data);
	if (!lower)
		return pme_steps_unknown(ret, part, pme_dm_thin_pool.kind,
					 "a device below %s is missing", pme_dev_label(upper));
	return pme_steps_lead(ret, part, lower, part.start, pme_dm_thin_pool.kind);
}

static char *pool_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			  const struct pme_dev *lower, uint64_t lower_start,
			  const struct pme_dev *upper, uint64_t upper_start)
{
	struct pme_thin_pool pool;

	if (pme_thin_pool_parse(line, &pool) < 0)
		return pme_printf("malformed 'thin-pool' parameters");
	return pme_printf("%" PRIu64 " = block %" PRIu64 " of %" PRIu64 " bytes + %" PRIu64
			  ", at the same place of %s",
			  lower_start, lower_start / pool.block, pool.block,
			  lower_start % pool.block, pme_dev_label(upper));
}

const struct pme_dm_target pme_dm_thin_pool = {
	.type = "thin-pool",
	.kind = "dm-thin-pool",
	.up = pool_up,
	.down = pool_down,
	.explain = pool_explain,
};
