/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a line of a dm table does when devices below it fail; see fate.h.
 *
 * Facts: drivers/md/dm-raid1.c, dm-raid.c, dm-mpath.c.  Redundant targets are asked which legs work
 * and are in sync (their status line); without that answer nobody knows.
 */
#include <string.h>

#include "dm-ask.h"
#include "dm-raid.h"
#include "fate.h"

/* Targets that need every device they name. */
static const char *const all_needed[] = {
	"linear",
	"striped",
	"crypt",
	"delay",
	"flakey",
	"snapshot",
	"snapshot-origin",
	"snapshot-merge",
	"thin",
	"thin-pool",
	"cache",
	"writecache",
	"integrity",
	"verity",
	"era",
	"unstriped",
	"switch",
	"vdo",
	"ebs",
};

static enum pme_fate fate_of(const struct pme_fates *fates, const struct pme_dev *dev)
{
	const struct pme_fate_of *of = dev ? pme_fates_of(fates, dev) : NULL;

	return of ? of->fate : PME_FATE_UNKNOWN;
}

/* The worst and the best that happens to a device that @line names; the worst of these. */
static const struct pme_dev *look_below(const struct pme_fates *fates, const struct pme_dev *dev,
					const struct pme_dm_line *line, enum pme_fate *ret_best)
{
	const struct pme_dev *worst = NULL;

	*ret_best = PME_FAILS;
	for (size_t i = 0; i < dev->n_lowers; i++) {
		const struct pme_dev *lower = dev->lowers[i];
		enum pme_fate fate = fate_of(fates, lower);

		if (!pme_dm_line_names(line, lower->devno))
			continue;
		*ret_best = fate < *ret_best ? fate : *ret_best;
		if (!worst || fate > fate_of(fates, worst))
			worst = lower;
	}
	return worst;
}

struct mirror {
	size_t legs, gone, doubtful;
	bool log_fails;
};

/* "LOG #ARGS ARG… #LEGS [DEV START]…": 0 or -EINVAL. */
static int count_legs(const struct pme_fates *fates, const struct pme_dev *dev,
		      const struct pme_dm_line *line, struct mirror *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	uint64_t n_args, legs, start;
	const char *word;
	size_t len;
	dev_t devno;

	if (pme_next_word(&params.pos, params.end, &word, &len) != 1 ||
	    pme_dm_params_u64(&params, &n_args) < 0)
		return -EINVAL;
	for (uint64_t i = 0; i < n_args; i++) {
		struct pme_dm_params arg = params;

		if (pme_dm_params_dev(&arg, &devno) == 0)
			ret->log_fails |= fate_of(fates, pme_dm_lower(dev, devno)) != PME_SURVIVES;
		if (pme_next_word(&params.pos, params.end, &word, &len) != 1)
			return -EINVAL;
	}
	if (pme_dm_params_u64(&params, &legs) < 0)
		return -EINVAL;
	for (ret->legs = 0; ret->legs < legs; ret->legs++) {
		enum pme_fate fate;

		if (pme_dm_params_dev(&params, &devno) < 0 ||
		    pme_dm_params_sectors(&params, &start) < 0)
			return -EINVAL;
		fate = fate_of(fates, pme_dm_lower(dev, devno));
		ret->gone += fate == PME_FAILS;
		ret->doubtful += fate == PME_FATE_UNKNOWN;
	}
	return 0;
}

/* "#LEGS DEV… SYNCED/TOTAL 1 HEALTH …": do all legs work, and are they in sync? */
static bool is_whole(const char *status, size_t legs)
{
	const char *pos = status, *end = status + strlen(status), *word = "", *slash;
	size_t len = 0, i;

	for (i = 0; i < legs + 2; i++)
		if (pme_next_word(&pos, end, &word, &len) != 1)
			return false;
	slash = memchr(word, '/', len);
	if (!slash || (size_t)(slash - word) * 2 + 1 != len ||
	    memcmp(word, slash + 1, (size_t)(slash - word)) != 0)
		return false;
	if (pme_next_word(&pos, end, &word, &len) != 1 ||
	    pme_next_word(&pos, end, &word, &len) != 1 || len != legs)
		return false;
	for (i = 0; i < len && word[i] == 'A'; i++)
		;
	return i == len;
}

static int judge_mirror(const struct pme_fates *fates, const struct pme_dev *dev,
			const struct pme_dm_line *line, struct pme_fate_answer *ret)
{
	_cleanup_free_ char *status = NULL;
	struct mirror mirror = {0};
	int r;

	if (count_legs(fates, dev, line, &mirror) < 0)
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("the legs of the mirror cannot be read"));
	if (mirror.gone == mirror.legs)
		return pme_fate_answer(ret, PME_FAILS, pme_printf("all legs of the mirror fail"));
	r = pme_dm_status(fates->topo, dev, line, PME_DM_NO_FLUSH, &status);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !is_whole(status, mirror.legs))
		return pme_fate_answer(
			ret, PME_FATE_UNKNOWN,
			pme_printf("the legs of the mirror are not known to be in sync"));
	if (mirror.log_fails || mirror.gone + mirror.doubtful == mirror.legs)
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("what its mirror does without its %s is not "
						  "known",
						  mirror.log_fails ? "log" : "legs"));
	return pme_fate_answer(ret, PME_SURVIVES,
			       pme_printf("mirror: %zu of %zu legs are left",
					  mirror.legs - mirror.gone, mirror.legs));
}

static enum pme_fate part_fate(const struct pme_fates *fates, const struct pme_dev *dev,
			       dev_t devno)
{
	return devno ? fate_of(fates, pme_dm_lower(dev, devno)) : PME_SURVIVES;
}

static int judge_members(const struct pme_fates *fates, const struct pme_dev *dev,
			 const struct pme_dm_raid *raid, const struct pme_dm_raid_status *status,
			 struct pme_fate_answer *ret)
{
	size_t gone = 0, doubtful = 0, spare = raid->parity;

	if (strcmp(raid->level, "raid1") == 0)
		spare = raid->count - 1;
	else if (strcmp(raid->level, "raid10") == 0)
		spare = raid->copies ? raid->copies - 1 : 0;
	for (size_t i = 0; i < raid->count; i++) {
		enum pme_fate data = part_fate(fates, dev, raid->members[i].data);
		enum pme_fate meta = part_fate(fates, dev, raid->members[i].meta);
		enum pme_fate fate = data > meta ? data : meta;

		/* before they were in sync once, nobody says which of them hold the data */
		bool unmade = status->health[i] == 'a' && !status->agreed;

		if (fate == PME_FAILS || (status->health[i] != 'A' && !unmade))
			gone++;
		else
			doubtful += unmade || fate == PME_FATE_UNKNOWN;
	}
	if (gone > spare && strcmp(raid->level, "raid10") != 0)
		return pme_fate_answer(ret, PME_FAILS,
				       pme_printf("%s: %zu of %zu members are left", raid->level,
						  raid->count - gone, raid->count));
	if (gone + doubtful > spare || !status->agreed || status->reshape || raid->reshape)
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("%s: %zu of %zu members are left%s", raid->level,
						  raid->count - gone, raid->count,
						  status->agreed ? "" : ", not all in sync"));
	return pme_fate_answer(ret, PME_SURVIVES,
			       pme_printf("%s: %zu of %zu members are left", raid->level,
					  raid->count - gone, raid->count));
}

static int judge_raid(const struct pme_fates *fates, const struct pme_dev *dev,
		      const struct pme_dm_line *line, struct pme_fate_answer *ret)
{
	_cleanup_free_ struct pme_dm_raid_status *health = calloc(1, sizeof(*health));
	_cleanup_free_ struct pme_dm_raid *raid = calloc(1, sizeof(*raid));
	_cleanup_free_ char *status = NULL;
	int r;

	if (!health || !raid)
		return -ENOMEM;
	if (pme_dm_raid_parse(line, raid) < 0 || raid->count == 0)
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("its line of target raid is not understood"));
	r = pme_dm_status(fates->topo, dev, line, PME_DM_NO_FLUSH, &status);
	if (r == 0)
		r = pme_dm_raid_status_parse(status, raid->count, health);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("its status of target raid cannot be read"));
	return judge_members(fates, dev, raid, health, ret);
}

static bool needs_all(const char *type)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(all_needed); i++)
		if (strcmp(all_needed[i], type) == 0)
			return true;
	return false;
}

int pme_fate_dm_line(const struct pme_fates *fates, const struct pme_dev *dev,
		     const struct pme_dm_line *line, struct pme_fate_answer *ret)
{
	enum pme_fate best;
	const struct pme_dev *worst = look_below(fates, dev, line, &best);

	if (!worst || fate_of(fates, worst) == PME_SURVIVES)
		return 0;
	if (strcmp(line->type, "mirror") == 0)
		return judge_mirror(fates, dev, line, ret);
	if (strcmp(line->type, "raid") == 0)
		return judge_raid(fates, dev, line, ret);
	if (strcmp(line->type, "multipath") == 0)
		return pme_fate_answer(ret, best,
				       pme_printf("%s of its paths", best == PME_SURVIVES
									     ? "it loses some"
									     : "it loses all"));
	if (!needs_all(line->type))
		return pme_fate_answer(ret, PME_FATE_UNKNOWN,
				       pme_printf("what target %s does without %s is not known",
						  line->type, pme_dev_label(worst)));
	return pme_fate_answer(
		ret, fate_of(fates, worst),
		pme_printf("it needs %s%s", pme_dev_label(worst),
			   fate_of(fates, worst) == PME_FAILS ? "" : ", of which nobody knows"));
}
