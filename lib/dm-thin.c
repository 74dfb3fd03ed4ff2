/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "thin": "POOL DEVICE [ORIGIN]" (drivers/md/dm-thin.c).
 *
 * Where a block lies is in the map of the pool; several volumes may share one.  The surprise: an
 * external origin shows through, byte for byte, where a block is not provisioned, and it may be
 * shorter than the volume, which reads as zeros behind its end.
 */
#include <inttypes.h>

#include "dm-params.h"
#include "dm-thin-map.h"
#include "layer.h"

static int get_map(struct pme_stack *stack, const struct pme_dev *upper,
		   const struct pme_thin *thin, const struct pme_thin_map **ret,
		   const char **ret_why)
{
	const struct pme_dev *pool = pme_dm_lower(upper, thin->pool);
	int r;

	*ret_why = "its thin pool is missing";
	if (!pool)
		return -ENODEV;
	r = pme_thin_map_get(stack, pool, ret, ret_why);
	if (r == 0 && !pme_thin_map_has(*ret, thin->id)) {
		*ret_why = "it is not in the metadata of its pool";
		return -ESTALE;
	}
	return r;
}

static int say_why(const struct pme_dev *upper, struct pme_range range, const char *why,
		   struct pme_steps *ret)
{
	return pme_steps_unknown(ret, range, pme_dm_thin.kind, "thin volume %s: %s",
				 pme_dev_label(upper), why);
}

/* Bytes @range of the pool: those blocks of it that device @id has, within the line. */
static int from_pool(const struct pme_thin_map *map, uint32_t id, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	uint64_t bs = map->block_size, end = (pme_range_end(range) - 1) / bs + 1, x;
	const struct pme_thin_run *run;
	struct pme_range part;
	size_t pos = 0;
	int r = 0;

	while (r == 0 && (run = pme_thin_map_next(map, range.start / bs, end, &pos))) {
		if (run->dev != id ||
		    !pme_range_intersect(range, (struct pme_range){run->data * bs, run->count * bs},
					 &part) ||
		    pme_mul(run->block, bs, &x) < 0 ||
		    pme_add(x, part.start - run->data * bs, &x) < 0 || x >= line->range.length)
			continue;
		part.length = pme_min(part.length, line->range.length - x);
		r = pme_steps_lead(ret, part, upper, line->range.start + x, pme_dm_thin.kind);
	}
	return r;
}

/* The first piece of bytes [@at, @end) of device @id that is all of one kind. */
struct piece {
	uint64_t length;
	bool provisioned;
	uint64_t pool_start;
};

static struct piece next_piece(const struct pme_thin_map *map, uint32_t id, uint64_t at,
			       uint64_t end)
{
	uint64_t bs = map->block_size, start, stop;
	const struct pme_thin_run *run = pme_thin_map_find(map, id, at / bs);

	if (!run || pme_mul(run->block, bs, &start) < 0 || start >= end)
		return (struct piece){.length = end - at};
	if (at < start)
		return (struct piece){.length = start - at};
	if (pme_mul(run->block + run->count, bs, &stop) < 0)
		stop = UINT64_MAX;
	return (struct piece){
		.length = pme_min(end, stop) - at,
		.provisioned = true,
		.pool_start = run->data * bs + (at - start),
	};
}

/* Bytes @range of the external origin show where the volume has no block of its own. */
static int from_origin(const struct pme_thin_map *map, uint32_t id, const struct pme_dev *upper,
		       const struct pme_dm_line *line, struct pme_range range,
		       struct pme_steps *ret)
{
	uint64_t end = pme_min(pme_range_end(range), line->range.length), at;
	struct piece piece;
	int r = 0;

	for (at = range.start; r == 0 && at < end; at += piece.length) {
		piece = next_piece(map, id, at, end);
		if (!piece.provisioned)
			r = pme_steps_lead(ret, (struct pme_range){at, piece.length}, upper,
					   line->range.start + at, pme_dm_thin.kind);
	}
	return r;
}

static int thin_up(struct pme_stack *stack, const struct pme_dev *upper,
		   const struct pme_dm_line *line, const struct pme_dev *lower,
		   struct pme_range range, struct pme_steps *ret)
{
	const struct pme_thin_map *map;
	struct pme_thin thin;
	const char *why;
	int r = pme_thin_parse(line, &thin);

	if (r < 0)
		return r;
	if (lower->devno != thin.pool && (!thin.origin || lower->devno != thin.origin))
		return 0;
	r = get_map(stack, upper, &thin, &map, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return say_why(upper, range, why, ret);
	if (lower->devno == thin.pool)
		return from_pool(map, thin.id, upper, line, range, ret);
	return from_origin(map, thin.id, upper, line, range, ret);
}

/* Bytes @from of the volume, @at of its line, that the pool does not have. */
static int unprovisioned_down(const struct pme_dev *upper, const struct pme_thin *thin,
			      struct pme_range from, uint64_t at, struct pme_steps *ret)
{
	const struct pme_dev *origin = thin->origin ? pme_dm_lower(upper, thin->origin) : NULL;
	uint64_t there = 0;
	int r = 0;

	if (thin->origin && !origin)
		return say_why(upper, from, "its external origin is missing", ret);
	if (origin && at < origin->size)
		there = pme_min(from.length, origin->size - at);
	if (there)
		r = pme_steps_lead(ret, (struct pme_range){from.start, there}, origin, at,
				   pme_dm_thin.kind);
	if (r < 0 || there == from.length)
		return r;
	return pme_steps_owner(ret, (struct pme_range){from.start + there, from.length - there},
			       pme_dm_thin.kind, PME_OWNER_UNUSED,
			       "not provisioned in thin volume %s: reads as zeros",
			       pme_dev_label(upper));
}

static int thin_down(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_thin_map *map;
	struct pme_range part;
	struct pme_thin thin;
	struct piece piece;
	const char *why;
	int r = pme_thin_parse(line, &thin);

	if (r < 0)
		return r;
	if (!pme_range_intersect(range, line->range, &part))
		return 0;
	r = get_map(stack, upper, &thin, &map, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return say_why(upper, part, why, ret);
	for (uint64_t done = 0; r == 0 && done < part.length; done += piece.length) {
		uint64_t at = part.start - line->range.start + done;
		struct pme_range from = {.start = part.start + done};

		piece = next_piece(map, thin.id, at, at + part.length - done);
		from.length = piece.length;
		r = piece.provisioned ? pme_steps_lead(ret, from, pme_dm_lower(upper, thin.pool),
						       piece.pool_start, pme_dm_thin.kind)
				      : unprovisioned_down(upper, &thin, from, at, ret);
	}
	return r;
}

static char *thin_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			  const struct pme_dev *lower, uint64_t lower_start,
			  const struct pme_dev *upper, uint64_t upper_start)
{
	const struct pme_thin_map *map;
	struct pme_thin thin;
	const char *why;
	uint64_t x, bs;

	if (pme_thin_parse(line, &thin) < 0)
		return pme_printf("malformed 'thin' parameters");
	if (lower->devno != thin.pool)
		return pme_printf("%" PRIu64 " of the external origin %s shows through: it is not "
				  "provisioned in %s",
				  lower_start, pme_dev_label(lower), pme_dev_label(upper));
	if (get_map(stack, upper, &thin, &map, &why) < 0)
		return pme_printf("thin volume %s: %s", pme_dev_label(upper), why);
	bs = map->block_size;
	x = upper_start - line->range.start;
	return pme_printf("%" PRIu64 " = data block %" PRIu64 " * %" PRIu64 " + %" PRIu64
			  "; the pool maps it to block %" PRIu64 " of thin device %" PRIu32
			  ": %" PRIu64 " * %" PRIu64 " + %" PRIu64 " = %" PRIu64,
			  lower_start, lower_start / bs, bs, lower_start % bs, x / bs, thin.id,
			  x / bs, bs, x % bs, upper_start);
}

const struct pme_dm_target pme_dm_thin = {
	.type = "thin",
	.kind = "dm-thin",
	.up = thin_up,
	.down = thin_down,
	.explain = thin_explain,
};
