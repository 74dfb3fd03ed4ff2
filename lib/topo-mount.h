/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading mountinfo, of this process or another one; for the parts of the snapshot only.
 */
#ifndef PME_TOPO_MOUNT_H
#define PME_TOPO_MOUNT_H

#include <libmount.h>

#include "topo.h"

/* The mounts that the file @path ("proc/self/mountinfo") shows: 0 or -errno.  Unref the table. */
int pme_mount_table(const struct pme_topo *topo, const char *path, struct libmnt_table **ret);

/*
 * One of them, of another namespace; @ret->devno is 0 when there is no block device below.  0 or
 * -ENOMEM, half made.
 */
int pme_mount_fill(const struct pme_topo *topo, struct libmnt_fs *fs, struct pme_mount *ret);

/*
 * The number of a device of a mounted btrfs whose source does not tell, 0 when that cannot be found
 * out.  @ask: the mount itself may be asked; it has to be one of our own namespace.
 */
dev_t pme_btrfs_mount_device(const struct pme_topo *topo, struct libmnt_fs *fs, bool ask);
/* Is there a device of a btrfs that is mounted, and no mount of ours shows it? */
bool pme_btrfs_is_missed(const struct pme_topo *topo);

#endif
