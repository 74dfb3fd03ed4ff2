/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "linear": "DEV START", one segment as long as its table line
 * (drivers/md/dm-linear.c).  LVM makes every plain logical volume of these.
 */
#include "dm-params.h"
#include "layer.h"

#include <inttypes.h>

struct segment {
	dev_t devno;
	uint64_t
		start; /* bytes of the lower device; start + length of the line does not overflow */
};

static int parse(const struct pme_dm_line *line, struct segment *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	struct segment seg;
	uint64_t end;

	if (pme_dm_params_dev(&params, &seg.devno) < 0 ||
	    pme_dm_params_sectors(&params, &seg.start) < 0 || pme_dm_params_end(&params) < 0)
		return -EINVAL;
	if (pme_add(seg.start, line->range.length, &end) < 0)
		return -EINVAL;
	*ret = seg;
	return 0;
}

static int linear_up(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dm_line *line, const struct pme_dev *lower,
		     struct pme_range range, struct pme_steps *ret)
{
	struct pme_range part;
	struct segment seg;
	int r;

	r = parse(line, &seg);
	if (r < 0)
		return r;
	if (seg.devno != lower->devno)
		return 0;
	if (!pme_range_intersect(range, (struct pme_range){seg.start, line->range.length}, &part))
		return 0;
	return pme_steps_lead(ret, part, upper, line->range.start + (part.start - seg.start),
			      pme_dm_linear.kind);
}

static int linear_down(struct pme_stack *stack, const struct pme_dev *upper,
		       const struct pme_dm_line *line, struct pme_range range,
		       struct pme_steps *ret)
{
	const struct pme_dev *lower;
	struct pme_range part;
	struct segment seg;
	int r;

	r = parse(line, &seg);
	if (r < 0)
		return r;
	if (!pme_range_intersect(range, line->range, &part))
		return 0;
	lower = pme_dm_lower(upper, seg.devno);
	if (!lower)
		return pme_steps_unknown(ret, part, pme_dm_linear.kind,
					 "a device below %s is missing", pme_dev_label(upper));
	return pme_steps_lead(ret, part, lower, seg.start + (part.start - line->range.start),
			      pme_dm_linear.kind);
}

static char *linear_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			    const struct pme_dev *lower, uint64_t lower_start,
			    const struct pme_dev *upper, uint64_t upper_start)
{
	struct segment seg;

	if (parse(line, &seg) < 0)
		return pme_printf("malformed 'linear' parameters");
	return pme_printf("%" PRIu64 " - %" PRIu64 " (start of the segment on %s) + %" PRIu64
			  " (its start in %s) = %" PRIu64,
			  lower_start, seg.start, pme_dev_label(lower), line->range.start,
			  pme_dev_label(upper), upper_start);
}

const struct pme_dm_target pme_dm_linear = {
	.type = "linear",
	.kind = "dm-linear",
	.up = linear_up,
	.down = linear_down,
	.explain = linear_explain,
};
