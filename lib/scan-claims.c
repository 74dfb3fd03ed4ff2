/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ways and owners -> claims; see scan-claims.h.
 */
#include "scan-claims.h"

#include <string.h>

#include "held.h"
#include "scan-vault.h"

static const struct pme_hop *last_hop(const struct pme_top *top)
{
	return &top->hops[top->n_hops - 1];
}

static char *copy_text(const char *text, bool *failed)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		*failed = true;
	return copy;
}

/* A way that ended below any filesystem becomes one claim. */
int pme_claim_end(const struct pme_findings *findings, struct pme_finding *finding,
		  const struct pme_top *top)
{
	struct pme_claim *claim = pme_finding_add_claim(finding, top, 0, top->length);
	bool failed = false;

	if (!claim)
		return -ENOMEM;
	claim->kind = top->owner;
	claim->certainty = top->certainty;
	claim->detail = copy_text(top->detail, &failed);
	claim->reason = copy_text(top->reason, &failed);
	claim->fs_type = copy_text(top->fs_type, &failed);
	claim->fs_uuid = copy_text(top->fs_uuid, &failed);
	return failed ? -ENOMEM : pme_held_claim(findings, claim, top);
}

/* Data behind the end of a file belongs to its last block, but nobody can miss it. */
static int note_end(struct pme_claim *claim)
{
	const struct pme_file *file = claim->file;

	if (claim->kind != PME_OWNER_FILE_DATA || !file || file->mode == 0 || claim->detail ||
	    claim->file_start + claim->length <= file->size)
		return 0;
	claim->behind_end = claim->file_start >= file->size;
	claim->detail = pme_printf("the file ends at byte %llu%s", (unsigned long long)file->size,
				   claim->behind_end ? ", before these bytes" : "");
	return claim->detail ? 0 : -ENOMEM;
}

/* What is said of the way to the filesystem holds for the owner as well. */
static int qualify(struct pme_claim *claim, const struct pme_top *top)
{
	_cleanup_free_ char *own = pme_take_ptr(claim->reason);

	if (own && top->reason)
		claim->reason = pme_printf("%s; %s", own, top->reason);
	else if (top->reason)
		claim->reason = strdup(top->reason);
	else
		claim->reason = pme_take_ptr(own);
	if (top->certainty != PME_EXACT)
		claim->certainty = top->certainty;
	return top->reason && !claim->reason ? -ENOMEM : 0;
}

/* Nobody misses what is only in files of pmemctl itself. */
static int note_vault(struct pme_claim *claim)
{
	const struct pme_file *file = claim->file;

	if ((claim->kind != PME_OWNER_FILE_DATA && claim->kind != PME_OWNER_UNWRITTEN) || !file ||
	    file->vault == 0 || claim->detail)
		return 0;
	claim->detail = pme_scan_vault_detail(file);
	claim->own = true;
	return claim->detail ? 0 : -ENOMEM;
}

/* A file that a loop device stands on: what is lost is said of that device, too. */
static int note_image(const struct pme_topo *topo, struct pme_claim *claim)
{
	const struct pme_file *file = claim->file;

	for (size_t i = 0;
	     claim->kind == PME_OWNER_FILE_DATA && file && !claim->detail && i < topo->n_devs;
	     i++) {
		const struct pme_dev *dev = topo->devs[i];

		if (!dev->loop || dev->n_lowers == 0 || dev->loop->file_inode != file->inode ||
		    dev->loop->file_devno != file->devno)
			continue;
		claim->carries = dev;
		claim->detail = pme_printf("the file behind %s", dev->name);
		return claim->detail ? 0 : -ENOMEM;
	}
	return 0;
}

/* One owner, as far as it lies in the piece that @top covers. */
static int claim_owner(const struct pme_topo *topo, struct pme_finding *finding,
		       const struct pme_top *top, const struct pme_reached_fs *reached,
		       const struct pme_fs_owner *owner)
{
	struct pme_range piece = {.start = last_hop(top)->start, .length = top->length};
	struct pme_range common;
	struct pme_claim *claim;
	bool failed = false;

	if (!pme_range_intersect(piece, owner->range, &common))
		return 0;
	claim = pme_finding_add_claim(finding, top, common.start - piece.start, common.length);
	if (!claim)
		return -ENOMEM;
	claim->kind = owner->kind;
	claim->certainty = owner->certainty;
	claim->fs = &reached->fs;
	claim->file = owner->file;
	claim->has_file_start = owner->has_file_start;
	claim->file_start = owner->file_start + (common.start - owner->range.start);
	claim->shared = owner->shared;
	claim->inodes = owner->inodes;
	claim->n_inodes = owner->n_inodes;
	claim->detail = copy_text(owner->detail, &failed);
	claim->reason = copy_text(owner->reason, &failed);
	if (!failed)
		failed = qualify(claim, top) < 0;
	if (!failed)
		failed = pme_held_note_swap(topo, claim) < 0;
	if (!failed)
		failed = note_vault(claim) < 0;
	if (!failed)
		failed = note_end(claim) < 0;
	return failed ? -ENOMEM : note_image(topo, claim);
}

/* Where the range of @reached that holds byte @at begins: no owner of its bytes begins before. */
static uint64_t asked_start(const struct pme_reached_fs *reached, uint64_t at)
{
	const struct pme_range_list *ranges = &reached->ranges;
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ranges->items[mid].start <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? ranges->items[low - 1].start : 0;
}

/* The first owner that starts at @start or behind it. */
static size_t first_owner(const struct pme_fs_result *result, uint64_t start)
{
	size_t low = 0, high = result->n_owners;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (result->owners[mid].range.start < start)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int pme_claim_fs(const struct pme_topo *topo, struct pme_finding *finding,
		 const struct pme_top *top, const struct pme_reached_fs *reached)
{
	const struct pme_fs_result *result = &reached->result;
	uint64_t start = last_hop(top)->start;
	int r = 0;

	for (size_t i = first_owner(result, asked_start(reached, start));
	     r == 0 && i < result->n_owners; i++) {
		if (result->owners[i].range.start >= start + top->length)
			break;
		r = claim_owner(topo, finding, top, reached, &result->owners[i]);
	}
	return r;
}
