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
 * devices, whether it is mounted.  Not compared: progress and fill levels.  @other may be partial
 * when pme_dev_same_in_part() says so.
 */
bool pme_dev_same(const struct pme_topo *topo, const struct pme_dev *dev,
		  const struct pme_topo *other);

/*
 * Can a partial snapshot tell whether @dev is the same?  Not without a sequence number of each disk
 * below it, which says what an identity would: that no other device has got its name.
 */
bool pme_dev_same_in_part(const struct pme_dev *dev);

#endif
