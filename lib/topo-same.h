/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Has the stack changed between two snapshots?  An answer is right for one moment only when what it
 * went through was the same before and after.
 */
#ifndef PME_TOPO_SAME_H
#define PME_TOPO_SAME_H

#include "topo.h"

/*
 * Are @dev of one snapshot, everything below it, and what stands directly on it, the same in
 * @other?  Compared: numbers, sizes, tables, members of arrays and their states, files behind loop
 * devices, whether it is mounted.  Not compared: progress and fill levels.
 */
bool pme_dev_same(const struct pme_topo *topo, const struct pme_dev *dev,
		  const struct pme_topo *other);

#endif
