/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vault: what pmemctl keeps inside a filesystem, in the directory ".pmemctl" of its root, for
 * root only: checkpoints, staging files of repairs, and the quarantine.
 *
 *   .pmemctl/checkpoints/ID/…   of protected paths, ID as in protect.h
 *   .pmemctl/staging/ID/…       of repairs that run; ID as in repair-journal.h
 *   .pmemctl/quarantine/…       files that keep bad blocks, so that nobody is given them
 *
 * It is believed only when it is a directory of root, mode 0700, of the filesystem itself: never
 * through a symbolic link, never where others could have made it.
 */
#ifndef PME_VAULT_H
#define PME_VAULT_H

#include "os.h"

#define PME_VAULT ".pmemctl"

enum pme_vault_part { PME_VAULT_CHECKPOINTS, PME_VAULT_STAGING, PME_VAULT_QUARANTINE };
#define PME_VAULT_PARTS 3
const char *pme_vault_part_name(enum pme_vault_part part); /* "checkpoints" */

/*
 * A descriptor of one part of the vault of the filesystem whose root directory is @root; with
 * @make, made when missing (and synced).  -ENOENT: there is none; -EPERM: something else is there,
 * or others may write it.
 */
int pme_vault_open(int root, enum pme_vault_part part, bool make);
/* What is wrong when that returned @error (-errno), and for -EPERM what to do. */
const char *pme_vault_error(int error);

/*
 * Which part of a vault is @path in, a path of a file as the kernel says it, below the mount point
 * @target of the root of its filesystem?  The part, or -1.
 */
int pme_vault_part_of(const char *path, const char *target);

/*
 * Is it, truly?  1 when the vault of the filesystem with the root directory @root is believed, and
 * the file that it has under the name that @path ends with is the inode @inode; 0 when not; -EPERM:
 * the vault is not believed; -errno.
 */
int pme_vault_has(int root, enum pme_vault_part part, const char *path, const char *target,
		  uint64_t inode);

#endif
