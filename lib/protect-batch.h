/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New versions of many files become whole together: a few waits for the disks for all of them, not
 * a few for each.
 *
 * The order, for all of a batch: bytes, digests, manifests under another name, and checkpoints are
 * on the disks; manifests get their names; those are on the disk; manifests of older versions go;
 * that is on the disk; what belonged to them goes.
 */
#ifndef PME_PROTECT_BATCH_H
#define PME_PROTECT_BATCH_H

#include "protect-file.h"

/*
 * Can syncfs(2) be believed on the filesystem of @dir?  (FUSE and network filesystems need not pass
 * it on.)  Then it is called, else fsync(2) for each file.  1, 0, -errno.
 */
int pme_batch_trusts_syncfs(int dir);

/*
 * Takes over all of @file, and the descriptor @checkpoint (or -1): 0; -ENOMEM: then it is closed
 * and freed, its version not whole.
 */
int pme_batch_add(struct pme_batch *batch, struct pme_batch_file *file, int checkpoint,
		  uint64_t bytes);
/* Is it time for a flush? */
bool pme_batch_is_full(const struct pme_batch *batch);
/*
 * What is written becomes whole, and is counted; or it is taken away, said, and counted.  0, also
 * when single files were taken away; -errno, of the replica or the filesystem: all were.
 */
int pme_batch_flush(struct pme_sync *sync);
/* After an error: what is not whole is left for the next sync to take away. */
void pme_batch_done(struct pme_batch *batch);

#endif
