/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to live device-mapper devices, beyond their tables: status lines and messages.
 */
#ifndef PME_DM_ASK_H
#define PME_DM_ASK_H

#include "topo.h"

enum pme_dm_flush {
	PME_DM_NO_FLUSH, /* just ask */
	PME_DM_FLUSH, /* cache, thin-pool, clone: commit their metadata first (DM_NOFLUSH_FLAG) */
};

/*
 * The status of the target on @line of @dev, as the kernel prints it; allocated.  0, -ENOMEM,
 * -EOPNOTSUPP below a made-up root, -EAGAIN when a flush would wait for a suspended device,
 * -ESTALE when the line is not there any more, or -errno.
 */
int pme_dm_status(const struct pme_topo *topo, const struct pme_dev *dev,
		  const struct pme_dm_line *line, enum pme_dm_flush flush, char **ret);

/* Send @message to the target at byte 0 of @dev (thin-pool: "reserve_metadata_snap"). */
int pme_dm_message(const struct pme_topo *topo, const struct pme_dev *dev, const char *message);

#endif
