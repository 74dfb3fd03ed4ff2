/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a disk outside of its partitions: the tables, and what is nobody's.
 *
 * Source: UEFI specification 2.10, section 5 (GPT: protective MBR, header and entries at each end;
 * blocks are those of the disk: queue/logical_block_size).  The surprise: with an MBR each logical
 * partition has a table of its own, somewhere between the partitions.
 */
#include "rest.h"

#define GPT_ENTRIES_BYTES 16384ULL /* 128 entries of 128 bytes */

static int add_area(struct pme_range range, uint64_t start, uint64_t end, enum pme_owner_kind owner,
		    const char *detail, struct pme_steps *ret)
{
	struct pme_range area = {.start = start, .length = end > start ? end - start : 0};
	struct pme_range part;

	if (!pme_range_intersect(area, range, &part))
		return 0;
	return pme_steps_owner(ret, part, NULL, owner, "%s", detail);
}

/* Bytes of a logical block of the disk. */
static uint64_t logical_block(const struct pme_stack *stack, const struct pme_dev *dev)
{
	uint64_t bytes;

	if (pme_os_read_u64(stack->topo->os, &bytes, "sys/class/block/%s/queue/logical_block_size",
			    dev->name) < 0 ||
	    bytes < PME_SECTOR || bytes > 65536)
		return PME_SECTOR;
	return bytes;
}

/* [0, front) and [back, size) are the table, the rest is nobody's. */
static int fill_gpt(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		    struct pme_steps *ret)
{
	uint64_t block = logical_block(stack, dev), size = dev->size;
	uint64_t front = pme_min(2 * block + GPT_ENTRIES_BYTES, size);
	uint64_t back = size > 2 * front ? size - block - GPT_ENTRIES_BYTES : size;
	int r = add_area(range, 0, front, PME_OWNER_PARTITION_TABLE,
			 "protective MBR, primary GPT header and entries", ret);

	if (r == 0)
		r = add_area(range, front, back, PME_OWNER_UNUSED, "outside of all partitions",
			     ret);
	if (r == 0)
		r = add_area(range, back, size, PME_OWNER_PARTITION_TABLE,
			     "backup GPT header and entries", ret);
	return r;
}

/* Are there logical partitions?  Linux numbers them from 5 (block/partitions/msdos.c). */
static bool has_logical(const struct pme_stack *stack, const struct pme_dev *dev)
{
	for (size_t i = 0; i < dev->n_uppers; i++) {
		const struct pme_dev *upper = dev->uppers[i];
		uint64_t number;

		if (upper->kind == PME_DEV_PARTITION &&
		    (pme_os_read_u64(stack->topo->os, &number, "sys/class/block/%s/partition",
				     upper->name) < 0 ||
		     number > 4))
			return true;
	}
	return false;
}

static int fill_mbr(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		    struct pme_steps *ret)
{
	uint64_t block = logical_block(stack, dev);
	struct pme_range between = {.start = block,
				    .length = dev->size - pme_min(dev->size, block)};
	struct pme_range part;
	int r = add_area(range, 0, block, PME_OWNER_PARTITION_TABLE, "MBR", ret);

	if (r < 0 || !pme_range_intersect(between, range, &part))
		return r;
	if (has_logical(stack, dev))
		return pme_steps_unknown(ret, part, NULL,
					 "between the partitions of %s: unused, or a table of a "
					 "logical partition",
					 pme_dev_label(dev));
	return add_area(range, block, dev->size, PME_OWNER_UNUSED, "outside of all partitions",
			ret);
}

const struct pme_rest_kind pme_rest_gpt = {.pttype = "gpt", .fill = fill_gpt};
const struct pme_rest_kind pme_rest_mbr = {.pttype = "dos", .fill = fill_mbr};
