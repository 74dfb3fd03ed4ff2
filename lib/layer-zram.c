/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zram with a backing device: pages that were written back lie there, in slots.
 *
 * Which slot holds which page is in the memory of the kernel only, and no file shows it (debugfs
 * block_state says that a page was written back, not where to), so bytes of the backing device are
 * an explicit unknown (drivers/block/zram/zram_drv.c:alloc_block_bdev).  The surprise: zram is no
 * holder in sysfs of its backing device; topo-block.c reads backing_dev.
 */
#include <string.h>

#include "layer.h"

static const char zram_kind[] = "zram";

static bool zram_owns(const struct pme_dev *upper)
{
	return upper->kind == PME_DEV_DISK && strncmp(upper->name, "zram", 4) == 0 &&
	       upper->n_lowers > 0;
}

static int zram_up(struct pme_stack *stack, const struct pme_dev *upper,
		   const struct pme_dev *lower, struct pme_range range, struct pme_steps *ret)
{
	return pme_steps_unknown(ret, range, zram_kind,
				 "%s writes pages back to %s: the kernel does not tell which page "
				 "is in which slot, or whether the slot is free",
				 pme_dev_label(upper), pme_dev_label(lower));
}

static int zram_down(struct pme_stack *stack, const struct pme_dev *upper, struct pme_range range,
		     struct pme_steps *ret)
{
	return pme_steps_unknown(ret, range, zram_kind,
				 "%s keeps its pages in memory or in slots of its backing device: "
				 "the kernel does not tell where",
				 pme_dev_label(upper));
}

static char *zram_explain(struct pme_stack *stack, const struct pme_dev *lower,
			  uint64_t lower_start, const struct pme_dev *upper, uint64_t upper_start)
{
	return strdup("the kernel does not tell which slot holds which page");
}

const struct pme_layer pme_layer_zram = {
	.name = zram_kind,
	.owns = zram_owns,
	.up = zram_up,
	.down = zram_down,
	.explain = zram_explain,
};
