/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fails with a device, and what survives; see fate.h.
 *
 * Members of md arrays count when they are in sync (Documentation/admin-guide/md.rst: "in_sync").
 * The surprise: raid10 may survive more failures than it has copies to spare, when they meet
 * different chunks; that is only told where its layout makes it plain.
 */
#include "fate.h"

#include <string.h>

const struct pme_fate_of *pme_fates_of(const struct pme_fates *fates, const struct pme_dev *dev)
{
	for (size_t i = 0; i < fates->topo->n_devs; i++)
		if (fates->topo->devs[i] == dev)
			return &fates->items[i];
	return NULL;
}

int pme_fate_answer(struct pme_fate_answer *ret, enum pme_fate fate, char *reason)
{
	free(ret->reason);
	*ret = (struct pme_fate_answer){.fate = fate, .reason = reason};
	return reason ? 0 : -ENOMEM;
}

static enum pme_fate fate_of(const struct pme_fates *fates, const struct pme_dev *dev)
{
	const struct pme_fate_of *of = pme_fates_of(fates, dev);

	return of ? of->fate : PME_FATE_UNKNOWN;
}

/* Everything below is needed. */
static int judge_all_needed(const struct pme_fates *fates, const struct pme_dev *dev,
			    struct pme_fate_answer *ret)
{
	const struct pme_dev *worst = NULL;

	for (size_t i = 0; i < dev->n_lowers; i++)
		if (!worst || fate_of(fates, dev->lowers[i]) > fate_of(fates, worst))
			worst = dev->lowers[i];
	if (!worst || fate_of(fates, worst) == PME_SURVIVES)
		return 0;
	return pme_fate_answer(
		ret, fate_of(fates, worst),
		pme_printf("it needs %s%s", pme_dev_label(worst),
			   fate_of(fates, worst) == PME_FAILS ? "" : ", of which nobody knows"));
}

/* No line of the table names what fails, but the kernel says that the device stands on it. */
static int judge_holder(const struct pme_fates *fates, const struct pme_dev *dev,
			struct pme_fate_answer *ret)
{
	for (size_t i = 0; i < dev->n_lowers; i++)
		if (fate_of(fates, dev->lowers[i]) != PME_SURVIVES)
			return pme_fate_answer(ret, PME_FATE_UNKNOWN,
					       pme_printf("it holds %s, and its table does not say "
							  "for what",
							  pme_dev_label(dev->lowers[i])));
	return 0;
}

static int judge_dm(const struct pme_fates *fates, const struct pme_dev *dev,
		    struct pme_fate_answer *ret)
{
	uint64_t gone = 0;

	if (dev->table_error || dev->n_lines == 0)
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("its table cannot be read"));
	for (size_t i = 0; i < dev->n_lines; i++) {
		struct pme_fate_answer line = {0};
		int r = pme_fate_dm_line(fates, dev, &dev->lines[i], &line);

		if (r < 0) {
			free(line.reason);
			return r;
		}
		gone += line.fate == PME_FAILS ? dev->lines[i].range.length : 0;
		if (line.fate > ret->fate || (line.reason && !ret->reason)) {
			free(ret->reason);
			*ret = line;
		} else {
			free(line.reason);
		}
	}
	if (ret->fate == PME_SURVIVES && !ret->reason)
		return judge_holder(fates, dev, ret);
	if (ret->fate != PME_FAILS || gone >= dev->size)
		return 0;
	return pme_fate_answer(ret, PME_FAILS,
			       pme_printf("%s (%llu of its %llu bytes)", ret->reason,
					  (unsigned long long)gone, (unsigned long long)dev->size));
}

struct slots {
	size_t total, gone, doubtful;
};

/* The fate of one slot: its best member that is in sync. */
static enum pme_fate slot_fate(const struct pme_fates *fates, const struct pme_md *md, size_t slot)
{
	enum pme_fate best = PME_FAILS;

	for (size_t i = 0; i < md->n_components; i++) {
		const struct pme_md_component *member = &md->components[i];
		enum pme_fate fate;

		if (member->slot < 0 || (size_t)member->slot != slot || !member->state ||
		    !strstr(member->state, "in_sync") || strstr(member->state, "faulty"))
			continue;
		fate = member->dev ? fate_of(fates, member->dev) : PME_FATE_UNKNOWN;
		best = fate < best ? fate : best;
	}
	return best;
}

static struct slots count_slots(const struct pme_fates *fates, const struct pme_md *md)
{
	struct slots slots = {.total = md->raid_disks};

	for (size_t i = 0; i < slots.total; i++) {
		enum pme_fate fate = slot_fate(fates, md, i);

		slots.gone += fate == PME_FAILS;
		slots.doubtful += fate == PME_FATE_UNKNOWN;
	}
	return slots;
}

/* How many slots an array of @level may lose: 1 and the number, 0 unknown. */
static int tolerance(const struct pme_md *md, uint64_t *ret)
{
	const char *level = md->level ? md->level : "";
	uint64_t copies = (md->layout & 255) * (md->layout >> 8 & 255);

	if (strcmp(level, "raid0") == 0 || strcmp(level, "linear") == 0)
		*ret = 0;
	else if (strcmp(level, "raid1") == 0 && md->raid_disks > 0)
		*ret = md->raid_disks - 1;
	else if (strcmp(level, "raid4") == 0 || strcmp(level, "raid5") == 0)
		*ret = 1;
	else if (strcmp(level, "raid6") == 0)
		*ret = 2;
	else if (strcmp(level, "raid10") == 0 && md->layout_known && copies > 0)
		*ret = copies - 1;
	else
		return 0;
	return 1;
}

/* raid10 with plain near copies: does a group of mirrored slots lose all of them?  -1: no idea. */
static int group_dies(const struct pme_fates *fates, const struct pme_md *md)
{
	uint64_t near = md->layout & 255;

	if (!md->level || strcmp(md->level, "raid10") != 0 || md->layout >> 8 != 1 || near == 0 ||
	    md->raid_disks % near != 0)
		return -1;
	for (uint64_t first = 0; first < md->raid_disks; first += near) {
		uint64_t gone = 0;

		for (uint64_t i = first; i < first + near; i++)
			gone += slot_fate(fates, md, i) != PME_SURVIVES;
		if (gone == near)
			return 1;
	}
	return 0;
}

static int judge_slots(const struct pme_fates *fates, const struct pme_md *md, uint64_t spare,
		       struct pme_fate_answer *ret)
{
	struct slots slots = count_slots(fates, md);
	int dies = slots.gone + slots.doubtful > spare ? group_dies(fates, md) : 0;
	bool is_raid10 = md->level && strcmp(md->level, "raid10") == 0;
	char *counts = pme_printf("%s: %zu of %zu members are left", md->level,
				  slots.total - slots.gone, slots.total);
	int r;

	if (!counts)
		return -ENOMEM;
	if (slots.gone > spare && (!is_raid10 || (dies == 1 && slots.doubtful == 0)))
		return pme_fate_answer(ret, PME_FAILS, counts);
	if (slots.gone > spare && dies != 0)
		r = pme_fate_answer(ret, PME_FATE_UNKNOWN,
				    pme_printf("%s, and which chunks lose all their copies is "
					       "not known",
					       counts));
	else if (slots.gone + slots.doubtful > spare && dies != 0)
		r = pme_fate_answer(
			ret, PME_FATE_UNKNOWN,
			pme_printf("%s, and of %zu of them nobody knows", counts, slots.doubtful));
	else if (md->resynced != UINT64_MAX)
		r = pme_fate_answer(ret, PME_FATE_UNKNOWN,
				    pme_printf("%s, but it is being resynced", counts));
	else
		return pme_fate_answer(ret, PME_SURVIVES, counts);
	free(counts);
	return r;
}

static int judge_md(const struct pme_fates *fates, const struct pme_dev *dev,
		    struct pme_fate_answer *ret)
{
	const struct pme_md *md = dev->md;
	uint64_t spare;

	if (dev->table_error || !md)
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("its members cannot be read"));
	if (md->reshape || md->raid_disks == 0 || md->raid_disks > PME_ITEMS_MAX ||
	    !tolerance(md, &spare))
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("what an array of level %s%s survives is not "
						  "known",
						  md->level ? md->level : "unknown",
						  md->reshape ? ", while it is reshaped," : ""));
	for (size_t i = 0; i < md->n_components; i++)
		if (md->components[i].slot < 0 && md->components[i].state &&
		    strstr(md->components[i].state, "journal") &&
		    fate_of(fates, md->components[i].dev) != PME_SURVIVES)
			return pme_fate_answer(
				ret, PME_FATE_UNKNOWN,
				pme_printf("it loses its journal, and becomes read-only"));
	return judge_slots(fates, md, spare, ret);
}

static int judge_bcache(const struct pme_fates *fates, const struct pme_dev *dev,
			struct pme_fate_answer *ret)
{
	const struct pme_bcache *cache = dev->bcache;
	bool clean = cache->state && strcmp(cache->state, "clean") == 0;
	int r = judge_all_needed(fates, dev, ret);

	if (r < 0 || ret->fate != PME_FAILS || !clean || !cache->backing ||
	    fate_of(fates, cache->backing) != PME_SURVIVES)
		return r;
	return pme_fate_answer(ret, PME_FATE_UNKNOWN,
			       pme_printf("it loses its cache, which was clean a moment ago"));
}

static int judge_by_kind(const struct pme_fates *fates, const struct pme_dev *dev,
			 struct pme_fate_answer *ret)
{
	switch (dev->kind) {
	case PME_DEV_DM:
		return judge_dm(fates, dev, ret);
	case PME_DEV_MD:
		return judge_md(fates, dev, ret);
	case PME_DEV_DISK:
	case PME_DEV_PARTITION:
	case PME_DEV_REGION:
	case PME_DEV_CHARDEV:
		break;
	}
	return dev->bcache ? judge_bcache(fates, dev, ret) : judge_all_needed(fates, dev, ret);
}

/* Below first; the snapshot has no cycles, and no stack is deep. */
static int judge(struct pme_fates *fates, const struct pme_dev *dev)
{
	struct pme_fate_of *of = (struct pme_fate_of *)pme_fates_of(fates, dev);
	struct pme_fate_answer answer = {0};
	int r = 0;

	if (!of || of->judged)
		return 0;
	of->judged = true;
	for (size_t i = 0; r == 0 && i < dev->n_lowers; i++) {
		const struct pme_fate_of *lower;

		r = judge(fates, dev->lowers[i]);
		lower = pme_fates_of(fates, dev->lowers[i]);
		of->reached |= lower && lower->reached;
	}
	if (r == 0 && of->reached)
		r = judge_by_kind(fates, dev, &answer);
	of->fate = answer.fate;
	of->reason = answer.reason;
	return r;
}

int pme_fates_judge(const struct pme_topo *topo, const struct pme_dev *const *failing,
		    size_t n_failing, struct pme_fates *ret)
{
	int r = 0;

	*ret = (struct pme_fates){
		.topo = topo,
		.items = calloc(topo->n_devs + 1, sizeof(*ret->items)),
	};
	if (!ret->items)
		return -ENOMEM;
	for (size_t i = 0; i < n_failing; i++) {
		struct pme_fate_of *of = (struct pme_fate_of *)pme_fates_of(ret, failing[i]);

		if (of)
			*of = (struct pme_fate_of){PME_FAILS, true, true, NULL};
	}
	for (size_t i = 0; r == 0 && i < topo->n_devs; i++)
		r = judge(ret, topo->devs[i]);
	return r;
}

void pme_fates_done(struct pme_fates *fates)
{
	for (size_t i = 0; fates->items && i < fates->topo->n_devs; i++)
		free(fates->items[i].reason);
	free(fates->items);
	*fates = (struct pme_fates){0};
}
