/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is no step, and what to do instead: metadata has its own tools, and what a layer holds twice
 * the layer writes anew itself (repair-rewrite.h; not dm-raid, which has no limits for a check).
 */
#include <string.h>

#include "doc.h"
#include "repair-plan.h"

static bool is_raid_line(const struct pme_dev *dev)
{
	for (size_t i = 0; i < dev->n_lines; i++)
		if (strcmp(dev->lines[i].type, "raid") == 0)
			return true;
	return false;
}

static char *redundant_advice(const struct pme_claim *claim)
{
	const char *why = claim->reason ? claim->reason : "there is another copy";

	for (size_t h = claim->n_hops; h-- > 0;) {
		const struct pme_dev *dev = claim->hops[h].dev;

		if (dev->kind == PME_DEV_DM && is_raid_line(dev))
			return pme_printf("%s has these bytes twice, and writes anew what cannot "
					  "be read, but only in a check of all of it: lvchange "
					  "--syncaction check %s",
					  pme_dev_label(dev), pme_dev_label(dev));
	}
	if (claim->fs && strcmp(claim->fs->type, "btrfs") == 0)
		return pme_printf("btrfs has these bytes twice, and writes them anew: btrfs scrub "
				  "start -B %s",
				  claim->fs->mounts[0]->target);
	return pme_printf("nothing is lost: %s", why);
}

static char *metadata_advice(const struct pme_claim *claim)
{
	const char *type = claim->fs ? claim->fs->type : claim->fs_type;

	if (type && strcmp(type, "xfs") == 0)
		return strdup("metadata is never patched: unmount, look with xfs_repair -n, then "
			      "repair with xfs_repair");
	if (type && strncmp(type, "ext", 3) == 0)
		return strdup("metadata is never patched: unmount, look with e2fsck -fn, then "
			      "repair with e2fsck -f");
	if (type && strcmp(type, "btrfs") == 0)
		return strdup("metadata is never patched: btrfs check, unmounted, tells what it "
			      "means");
	return strdup("metadata is never patched here: the tools of its owner are made for it");
}

static char *exact_advice(const struct pme_claim *claim)
{
	switch (claim->kind) {
	case PME_OWNER_FILE_DATA:
		return strdup("only pmemctl itself has these bytes: nobody misses them");
	case PME_OWNER_FILE_XATTR:
	case PME_OWNER_DIRECTORY:
	case PME_OWNER_SYMLINK:
	case PME_OWNER_FS_METADATA:
	case PME_OWNER_FS_JOURNAL:
	case PME_OWNER_VOLUME_METADATA:
	case PME_OWNER_RAID_METADATA:
	case PME_OWNER_PARTITION_TABLE:
	case PME_OWNER_NAMESPACE_METADATA:
		return metadata_advice(claim);
	case PME_OWNER_UNWRITTEN:
	case PME_OWNER_FREE:
	case PME_OWNER_COW_STAGING:
	case PME_OWNER_UNUSED:
		return strdup("nothing is lost: nobody has data there");
	case PME_OWNER_SWAP:
		return strdup("what was swapped out there is lost: swapoff fails on it; make the "
			      "swap area anew after a restart");
	case PME_OWNER_RAW_DEVICE:
	case PME_OWNER_DEVDAX:
		return strdup("the program that uses this device has to write these bytes anew, "
			      "from a backup of its own");
	case PME_OWNER_RAID_PARITY:
		return strdup("parity is made anew from the data: by a check of the array, of "
			      "LVM with lvchange --syncaction check");
	case PME_OWNER_CACHE_COPY:
	case PME_OWNER_SNAPSHOT_STORE:
		return strdup("what the layer holds there it holds only once: nothing can be put "
			      "in its place");
	case PME_OWNER_UNKNOWN:
		break;
	}
	return strdup("it is not known whose bytes these are: nothing is touched");
}

/* Data of files has a step, unless it is only pmemctl that has them. */
static bool has_step(const struct pme_claim *claim)
{
	return claim->kind == PME_OWNER_FILE_DATA && claim->certainty == PME_EXACT && claim->file &&
	       claim->file->vault == 0;
}

char *pme_repair_advice(const struct pme_claim *claim)
{
	char *text = NULL;

	if (has_step(claim))
		return NULL;
	switch (claim->certainty) {
	case PME_EXACT:
		text = exact_advice(claim);
		break;
	case PME_REDUNDANT:
		text = redundant_advice(claim);
		break;
	case PME_UNCERTAIN:
		text = pme_printf("it is not known whose bytes these are, nothing is touched: %s",
				  claim->reason ? claim->reason : "no reason was given");
		break;
	}
	if (!text)
		pme_json_lose();
	return text;
}
