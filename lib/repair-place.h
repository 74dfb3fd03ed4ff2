/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repair in place: good bytes are written over the bad blocks, where the filesystem cannot give a
 * file other ones (ext4, XFS without reflink).  Only with --in-place.  See repair-work.h for the
 * rest.
 *
 * The rule:
 *
 *   who      one file, that nobody else has open or mapped: a write lease is held from before the
 *            proof to after the verification, and asked for before each page.  Its inode, and with
 *            it its blocks, stay for as long as it is open here.
 *   what     bytes that the donor proves right before, under the lease; staged in the vault before,
 *            with their digest in the journal, and read back from there.
 *   where    whole pages of memory, which is what pmem clears (drivers/nvdimm/pmem.c): blocks of
 *            the file's data, not shared, not unwritten, that its own map (FIEMAP) still has at the
 *            very bytes of the device that the scan found, asked for before each page.  On the way
 *            down there are only disks, partitions, and linear and striped dm devices: others copy
 *            what they have before it is written over (snapshots), or have it elsewhere (caches).
 *   how      O_DIRECT to the device of the filesystem, not through the file.  So the file's times,
 *            mode, set-id bits and capabilities stay by themselves (ext4 has no descriptors that
 *            leave them alone); the digest, which proves the other bad blocks of the same file,
 *            holds on; the last page of a file is not made longer for a moment; and whoever
 *            resumes still sees in the times of the file whether somebody wrote to it since.
 *   refused  where the bus is known not to clear: the write would fail.  One that fails elsewhere
 *            leaves the error as it was.  What a platform cleared only in part is made good, sector
 *            by sector, before anything else is done.
 *   said     "repaired" when the media gives the bytes, around the page cache and through it, and
 *            no list of the kernel has any of them.
 *
 * The surprise, and why it has to be asked for: a platform first clears, then writes.  A power cut
 * between the two leaves a page that reads, as whatever clearing makes of it, until the repair is
 * resumed: the journal knows, and does it again.  No other way of repairing has such a moment.
 *
 * Resume does it again only while inode, generation, size and times are those of the act "write":
 * nobody has written since.  Of a file that changed each page of the step is looked at.  It is
 * right, or cannot be read, as before: then nothing is left to do.  Or it has other bytes: those of
 * whoever changed the file, if the machine was not started anew since; else nobody can tell, and
 * that stops.
 */
#ifndef PME_REPAIR_PLACE_H
#define PME_REPAIR_PLACE_H

#include "repair-work.h"

/*
 * Why the blocks of @target, the open file @fd, cannot be written over where they are: *@ret
 * (allocated), or NULL when they can.  Nothing is changed.  0 or -ENOMEM.
 */
int pme_repair_place_check(struct pme_stack *stack, const struct pme_repair_step *step,
			   const struct pme_repair_target *target, int fd, char **ret);

/* The same for @range of the device @dev of a filesystem alone: what is below it. */
int pme_repair_place_way(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
			 char **ret);

/* Why a write to @range may leave its bad blocks on the lists of its disks; as above. */
int pme_repair_place_lists(struct pme_stack *stack, const struct pme_dev *dev,
			   struct pme_range range, char **ret);

/*
 * Lease, prove, write, verify: 0 or -errno, as pme_work_switch().  Afterwards work->switched says
 * that bytes may be readable that are wrong: then it must not be taken back.
 */
int pme_work_place(struct pme_work *work);
/* What an earlier run left; its last act is @last.  Ends it in the journal, or -errno. */
int pme_work_place_resume(struct pme_work *work, const char *last);

/* Parts of pme_work_place(), with the file under lease. */
int pme_work_place_write(struct pme_work *work);  /* each page that is not right yet */
int pme_work_place_verify(struct pme_work *work); /* file, device, lists of the kernel */
/*
 * Does the file still have @length bytes, from @at of the step on, in the very blocks, as its data
 * alone?  1, 0, -errno.
 */
int pme_work_place_same(const struct pme_work *work, uint64_t at, uint64_t length);

/* The members of an act "write". */
void pme_work_before_json(const struct pme_work_before *before, struct json_object *detail);
/* And back: 0, or -EINVAL. */
int pme_work_before_parse(struct json_object *detail, struct pme_work_before *ret);
/* Of the open file @fd, as it is now.  0 or -errno. */
int pme_work_before_take(const struct pme_os *os, int fd, struct pme_work_before *ret);
bool pme_work_before_same(const struct pme_work_before *a, const struct pme_work_before *b);

#endif
