/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "snapshot-origin": "DEV" (drivers/md/dm-snap.c).  Every byte of the device
 * is the same byte below.  The surprise: of the whole device, not counted from the line.
 */
#include <inttypes.h>

#include "dm-params.h"
#include "layer.h"

static int parse(const struct pme_dm_line *line, dev_t *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);

	return pme_dm_params_dev(&params, ret) < 0 || pme_dm_params_end(&params) < 0 ? -EINVAL : 0;
}

static int origin_up(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dm_line *line, const struct pme_dev *lower,
		     struct pme_range range, struct pme_steps *ret)
{
	struct pme_range part;
	dev_t devno;

	if (parse(line, &devno) < 0)
		return -EINVAL;
	if (devno != lower->devno || !pme_range_intersect(range, line->range, &part))
		return 0;
	return pme_steps_lead(ret, part, upper, part.start, pme_dm_snapshot_origin.kind);
}

static int origin_down(struct pme_stack *stack, const struct pme_dev *upper,
		       const struct pme_dm_line *line, struct pme_range range,
		       struct pme_steps *ret)
{
	const struct pme_dev *lower;
	struct pme_range part;
	dev_t devno;

	if (parse(line, &devno) < 0)
		return -EINVAL;
	if (!pme_range_intersect(range, line->range, &part))
		return 0;
	lower = pme_dm_lower(upper, devno);
	if (!lower)
		return pme_steps_unknown(ret, part, pme_dm_snapshot_origin.kind,
					 "a device below %s is missing", pme_dev_label(upper));
	return pme_steps_lead(ret, part, lower, part.start, pme_dm_snapshot_origin.kind);
}

static char *origin_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			    const struct pme_dev *lower, uint64_t lower_start,
			    const struct pme_dev *upper, uint64_t upper_start)
{
	return pme_printf("%" PRIu64 " (same byte of %s and %s) = %" PRIu64, lower_start,
			  pme_dev_label(lower), pme_dev_label(upper), upper_start);
}

const struct pme_dm_target pme_dm_snapshot_origin = {
	.type = "snapshot-origin",
	.kind = "dm-snapshot-origin",
	.up = origin_up,
	.down = origin_down,
	.explain = origin_explain,
};
