/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of device-mapper target "raid" (drivers/md/dm-raid.c: raid_types, raid_status):
 *
 *	TYPE #PARAMS CHUNK [PARAMS…] #MEMBERS [META DATA]…
 *	TYPE #MEMBERS HEALTH DONE/TOTAL ACTION MISMATCHES [DATA_OFFSET [JOURNAL]]
 *
 * The surprises: "raid4" has its parity on the first member, unlike md's; "raid10" moves far copies
 * within sets unless told otherwise, unlike mdadm.
 */
#include "dm-raid.h"

#include <string.h>

static const struct {
	const char *name, *level;
	uint64_t layout;
	unsigned int parity;
} types[] = {
	{"raid0", "raid0", 2, 0},	{"raid1", "raid1", 0, 0},
	{"raid10", "raid10", 0, 0},	{"raid10_near", "raid10", 0, 0},
	{"raid10_far", "raid10", 1, 0}, {"raid10_offset", "raid10", 2, 0},
	{"raid4", "raid5", 4, 1},	{"raid5_n", "raid5", 5, 1},
	{"raid5_ls", "raid5", 2, 1},	{"raid5_rs", "raid5", 3, 1},
	{"raid5_la", "raid5", 0, 1},	{"raid5_ra", "raid5", 1, 1},
	{"raid6_zr", "raid6", 8, 2},	{"raid6_nr", "raid6", 9, 2},
	{"raid6_nc", "raid6", 10, 2},	{"raid6_n_6", "raid6", 5, 2},
	{"raid6_ls_6", "raid6", 18, 2}, {"raid6_rs_6", "raid6", 19, 2},
	{"raid6_la_6", "raid6", 16, 2}, {"raid6_ra_6", "raid6", 17, 2},
};

/* Formats of raid10, while the words are read. */
enum format { NEAR, FAR, OFFSET };

struct words {
	struct pme_dm_params params;
	const char *word;
	size_t len;
};

static int next(struct words *w)
{
	return pme_next_word(&w->params.pos, w->params.end, &w->word, &w->len) == 1 ? 0 : -EINVAL;
}

static int next_number(struct words *w, uint64_t *ret)
{
	return next(w) < 0 || pme_parse_u64(w->word, w->len, ret) < 0 ? -EINVAL : 0;
}

/* "major:minor", or "-" for 0. */
static int next_dev(struct words *w, dev_t *ret)
{
	struct words look = *w;

	if (next(&look) < 0)
		return -EINVAL;
	if (!pme_word_is(look.word, look.len, "-"))
		return pme_dm_params_dev(&w->params, ret);
	*ret = 0;
	*w = look;
	return 0;
}

static int take_type(struct words *w, struct pme_dm_raid *ret)
{
	if (next(w) < 0)
		return -EINVAL;
	for (size_t i = 0; i < PME_ARRAY_SIZE(types); i++)
		if (pme_word_is(w->word, w->len, types[i].name)) {
			ret->level = types[i].level;
			ret->layout = types[i].layout;
			ret->parity = types[i].parity;
			return 0;
		}
	return -EOPNOTSUPP;
}

static int take_format(struct words *w, uint64_t *ret)
{
	static const char *const names[] = {[NEAR] = "near", [FAR] = "far", [OFFSET] = "offset"};

	if (next(w) < 0)
		return -EINVAL;
	for (size_t i = 0; i < PME_ARRAY_SIZE(names); i++)
		if (pme_word_is(w->word, w->len, names[i])) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

/* One parameter, whose name was read; @left counts words. */
static int take_param(struct words *w, uint64_t *left, struct pme_dm_raid *raid, bool *near_sets)
{
	uint64_t delta;

	if (pme_word_is(w->word, w->len, "sync") || pme_word_is(w->word, w->len, "nosync"))
		return 0;
	if (pme_word_is(w->word, w->len, "raid10_use_near_sets")) {
		*near_sets = true;
		return 0;
	}
	if (*left == 0)
		return -EINVAL;
	(*left)--;
	if (pme_word_is(w->word, w->len, "raid10_copies"))
		return next_number(w, &raid->copies);
	if (pme_word_is(w->word, w->len, "raid10_format"))
		return take_format(w, &raid->layout);
	if (pme_word_is(w->word, w->len, "journal_dev"))
		return next_dev(w, &raid->journal);
	if (pme_word_is(w->word, w->len, "delta_disks")) {
		raid->reshape = next_number(w, &delta) < 0 || delta != 0;
		return 0;
	}
	return next(w);
}

/* md's number for a format of raid10. */
static uint64_t layout_of(const struct pme_dm_raid *raid, bool near_sets)
{
	uint64_t layout;

	if (raid->layout == NEAR)
		return 1 << 8 | raid->copies;
	layout = raid->copies << 8 | 1;
	if (raid->layout == OFFSET)
		layout |= 1 << 16;
	return near_sets ? layout : layout | 1 << 18;
}

static int take_members(struct words *w, struct pme_dm_raid *raid)
{
	uint64_t count;

	if (next_number(w, &count) < 0 || count == 0 || count > PME_DM_RAID_MEMBERS)
		return -EINVAL;
	raid->count = count;
	for (size_t i = 0; i < count; i++)
		if (next_dev(w, &raid->members[i].meta) < 0 ||
		    next_dev(w, &raid->members[i].data) < 0)
			return -EINVAL;
	return pme_dm_params_end(&w->params);
}

int pme_dm_raid_parse(const struct pme_dm_line *line, struct pme_dm_raid *ret)
{
	struct words w = {.params = pme_dm_params_of(line)};
	bool near_sets = false;
	uint64_t left, chunk;
	int r;

	*ret = (struct pme_dm_raid){.copies = 2};
	r = take_type(&w, ret);
	if (r < 0)
		return r;
	if (next_number(&w, &left) < 0 || left == 0 || next_number(&w, &chunk) < 0 ||
	    pme_mul(chunk, PME_SECTOR, &ret->chunk) < 0)
		return -EINVAL;
	for (left--; left > 0;) {
		left--;
		if (next(&w) < 0 || take_param(&w, &left, ret, &near_sets) < 0)
			return -EINVAL;
	}
	if (ret->copies == 0 || ret->copies > 255)
		return -EINVAL;
	if (strcmp(ret->level, "raid10") == 0)
		ret->layout = layout_of(ret, near_sets);
	return take_members(&w, ret);
}

/* "DONE/TOTAL": are they the same? */
static int take_ratio(struct words *w, bool *ret, uint64_t *ret_done)
{
	const char *slash;
	uint64_t done, total;

	if (next(w) < 0)
		return -EINVAL;
	slash = memchr(w->word, '/', w->len);
	if (!slash || pme_parse_u64(w->word, slash - w->word, &done) < 0 ||
	    pme_parse_u64(slash + 1, w->word + w->len - slash - 1, &total) < 0 ||
	    pme_mul(done, PME_SECTOR, ret_done) < 0)
		return -EINVAL;
	*ret = done == total;
	return 0;
}

int pme_dm_raid_status_parse(const char *text, size_t count, struct pme_dm_raid_status *ret)
{
	struct words w = {.params = {.pos = text, .end = text + strlen(text)}};
	struct pme_dm_raid_status s = {};
	bool complete, idle, weak, mixed;
	uint64_t n;

	if (next(&w) < 0 || next_number(&w, &n) < 0 || n != count || next(&w) < 0 ||
	    w.len != count || count > PME_DM_RAID_MEMBERS || strspn(w.word, "AaD-") < w.len)
		return -EINVAL;
	memcpy(s.health, w.word, w.len);
	weak = strchr(s.health, 'a') != NULL;
	mixed = weak && strchr(s.health, 'A'); /* all are 'a' while all are made */
	if (take_ratio(&w, &complete, &s.done) < 0 || next(&w) < 0)
		return -EINVAL;
	s.reshape = pme_word_is(w.word, w.len, "reshape");
	s.rebuilding = pme_word_is(w.word, w.len, "recover");
	idle = pme_word_is(w.word, w.len, "idle");
	/* while a member is rebuilt, or waits for it, the others agree; while all are made, not */
	s.agreed =
		s.rebuilding || (!pme_word_is(w.word, w.len, "resync") && !weak) || (idle && mixed);
	if (!complete && idle)
		s.agreed = false;
	if (next_number(&w, &n) < 0)
		return -EINVAL;
	if (next_number(&w, &s.data_offset) < 0)
		s.data_offset = 0; /* older than 1.9 */
	if (pme_mul(s.data_offset, PME_SECTOR, &s.data_offset) < 0)
		return -EINVAL;
	*ret = s;
	return 0;
}
