/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Partitions, of any kind of partition table: the kernel says where each begins and how long it is.
 *
 * What lies between partitions, and the tables themselves, is used by no partition; the caller says
 * so.  Partitions may overlap (MBR tables made by hand): then each of them is asked, and answers.
 */
#include "layer.h"

#include <inttypes.h>

static const char partition_kind[] = "partition";

static bool partition_owns(const struct pme_dev *upper)
{
	return upper->kind == PME_DEV_PARTITION;
}

static int partition_up(struct pme_stack *stack, const struct pme_dev *upper,
			const struct pme_dev *lower, struct pme_range range, struct pme_steps *ret)
{
	struct pme_range whole = {.start = upper->start, .length = upper->size}, part;
	uint64_t end;

	if (upper->disk != lower || pme_add(upper->start, upper->size, &end) < 0)
		return -EINVAL;
	if (!pme_range_intersect(range, whole, &part))
		return 0;
	return pme_steps_lead(ret, part, upper, part.start - upper->start, partition_kind);
}

static int partition_down(struct pme_stack *stack, const struct pme_dev *upper,
			  struct pme_range range, struct pme_steps *ret)
{
	struct pme_range whole = {.length = upper->size}, part;
	uint64_t end;

	if (!upper->disk || pme_add(upper->start, upper->size, &end) < 0)
		return -EINVAL;
	if (!pme_range_intersect(range, whole, &part))
		return 0;
	return pme_steps_lead(ret, part, upper->disk, upper->start + part.start, partition_kind);
}

static char *partition_explain(struct pme_stack *stack, const struct pme_dev *lower,
			       uint64_t lower_start, const struct pme_dev *upper,
			       uint64_t upper_start)
{
	(void)lower;
	return pme_printf("%" PRIu64 " - %" PRIu64 " (start of %s) = %" PRIu64, lower_start,
			  upper->start, pme_dev_label(upper), upper_start);
}

const struct pme_layer pme_layer_partition = {
	.name = partition_kind,
	.owns = partition_owns,
	.up = partition_up,
	.down = partition_down,
	.explain = partition_explain,
};
