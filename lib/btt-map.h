/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a namespace in sector mode: metadata exactly, data as far as the map can be read.
 */
#ifndef PME_BTT_MAP_H
#define PME_BTT_MAP_H

#include "layer.h"

/*
 * Steps for @range, bytes of the namespace of @dev, which is in use in sector mode.  @shift: what
 * byte 0 of the namespace is on the device that the steps start at.  1, 0 when the kernel does not
 * tell the geometry (nothing appended), -errno.
 */
int pme_btt_live(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		 uint64_t shift, struct pme_steps *ret);

/*
 * Steps for @range of @dev, the whole of a namespace in raw mode, if sector mode's arenas are on
 * it.  1, 0 when there are none, -errno.
 */
int pme_btt_raw(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		struct pme_steps *ret);

#endif
