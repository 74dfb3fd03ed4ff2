/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What it means, and what to do: one sentence each for every kind of owner.  The same sentences
 * stand in pmemctl(8), under Owners; tests/unit/manual.test compares them.
 */
#include <assert.h>

#include "finding.h"

static const struct pme_advice advices[] = {
	[PME_OWNER_FILE_DATA] = {"These bytes of the file cannot be read, and processes that have "
				 "them mapped get SIGBUS when they touch them.",
				 "Run pmemctl repair, or restore this range of each file that is "
				 "named; the rest of the file is intact."},
	[PME_OWNER_FILE_XATTR] =
		{"Attributes of the inode cannot be read, access control lists among them.",
		 "Restore them from a backup of the file."},
	[PME_OWNER_DIRECTORY] =
		{"Entries of the directory cannot be read, and files in it may not be found by "
		 "name.",
		 "Copy what can still be reached, then unmount, and run the checker of the "
		 "filesystem: xfs_repair(8), e2fsck(8) or btrfs-check(8)."},
	[PME_OWNER_SYMLINK] = {"Where the link leads to cannot be read.", "Make the link anew."},
	[PME_OWNER_FS_METADATA] =
		{"A structure of the filesystem cannot be read, and the filesystem may shut down "
		 "when it needs it.",
		 "Back up what can still be read, then unmount, and run the checker of the "
		 "filesystem: xfs_repair(8), e2fsck(8) or btrfs-check(8)."},
	[PME_OWNER_FS_JOURNAL] =
		{"A clean unmount needs no old log; after a crash the latest changes may be gone.",
		 "Unmount, and run the checker of the filesystem: xfs_repair(8), e2fsck(8) or "
		 "btrfs-check(8)."},
	[PME_OWNER_UNWRITTEN] = {"Nothing is lost: reads give zeros without touching it, but later "
				 "writes may fail.",
				 "Nothing has to be restored."},
	[PME_OWNER_FREE] = {"Nothing is lost, but a file that gets these blocks may fail.",
			    "Nothing has to be restored."},
	[PME_OWNER_COW_STAGING] = {"Nothing is lost, but a write that uses it may fail.",
				   "Nothing has to be restored."},
	[PME_OWNER_SWAP] =
		{"A process that needs a page from there is killed; which one is not known from "
		 "outside.",
		 "Take the device or file out of use with swapoff(8), and make the area anew."},
	[PME_OWNER_RAW_DEVICE] =
		{"Bytes of a program that uses the device itself cannot be read.",
		 "Ask that program, and restore these bytes from a backup of its own."},
	[PME_OWNER_DEVDAX] = {"Bytes of the programs that map the device cannot be read, and those "
			      "that touch them get SIGBUS.",
			      "Ask these programs: only they know what is there."},
	[PME_OWNER_RAID_PARITY] = {"Nothing is lost: the data itself is intact.",
				   "Let the array make its parity anew, by a check or a resync."},
	[PME_OWNER_RAID_METADATA] =
		{"The array may not find this member when it is next assembled.",
		 "Back up, then replace that member, or make the array anew."},
	[PME_OWNER_VOLUME_METADATA] =
		{"Volumes may not be found when they are next activated.",
		 "Restore it with the tool of that volume manager, of LVM with vgcfgrestore(8)."},
	[PME_OWNER_CACHE_COPY] = {"Nothing is lost: the original has the same data.",
				  "Let the cache drop or rewrite the block."},
	[PME_OWNER_SNAPSHOT_STORE] = {"The snapshot loses data, its origin does not.",
				      "Copy what is needed of the snapshot, and remove it."},
	[PME_OWNER_PARTITION_TABLE] =
		{"Partitions may not be found when the table is next read.",
		 "Write it anew from the other copy, for example with gdisk(8) or sfdisk(8)."},
	[PME_OWNER_NAMESPACE_METADATA] = {"The detail says which bytes cannot be found without it.",
					  "Back up, then make the namespace anew."},
	[PME_OWNER_UNUSED] = {"Nothing is lost.", "Nothing has to be done."},
	[PME_OWNER_UNKNOWN] = {"It is not known whether anything is lost.",
			       "Do what the reason says, and scan again."},
};
static_assert(PME_ARRAY_SIZE(advices) == PME_OWNER_UNKNOWN + 1, "advice for each kind");

static const struct pme_advice redundant = {
	"Nothing is lost as long as the other copy can be read; the reason names it.",
	"Let the layer that has it write these bytes anew: pmemctl repair says which, and how."};
static const struct pme_advice donated = {
	"These bytes of the file cannot be read, but there is a copy, with proof.",
	"Run pmemctl repair."};
static const struct pme_advice own = {
	"Nothing is lost: only files that pmemctl itself keeps have these bytes.",
	"Nothing has to be restored."};
static const struct pme_advice behind_end = {
	"Nothing is lost: the file ends before these bytes; but its last block is read as a whole, "
	"and that may fail.",
	"Where it does, run pmemctl repair."};
static const struct pme_advice image = {
	"The file is the storage of a loop device, and loses what is lost there.",
	"Do what is said of the bytes on that device."};

static bool is_missed(const struct pme_claim *claim)
{
	return pme_verdict_of(claim->kind, PME_EXACT) != PME_HARMLESS &&
	       claim->kind != PME_OWNER_CACHE_COPY;
}

const struct pme_advice *pme_claim_advice(const struct pme_claim *claim)
{
	if (claim->certainty == PME_UNCERTAIN)
		return &advices[PME_OWNER_UNKNOWN];
	if (claim->own)
		return &own;
	if (claim->behind_end)
		return &behind_end;
	if (claim->carries)
		return &image;
	if (claim->certainty == PME_REDUNDANT && is_missed(claim))
		return &redundant;
	return claim->donor ? &donated : &advices[claim->kind];
}
