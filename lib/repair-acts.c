/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The acts of a step, in their order; each is on the disk before it is done.  See repair-work.h.
 *
 *   commit-range   folder, good, switch…, park, verify, clean
 *   clone-range    folder, keep, good, switch…, park, verify, clean
 *   in-place       folder, good, write, verify, clean (repair-place.c)
 *
 * In place, nothing is taken back of what was written, since it is right; what is left is an error,
 * as before ("failed").  Else, until something is kept (that is: up to the first switch, or keep)
 * everything can be taken back; from then on the acts behind "good" are done again until they work:
 * each finds out what is done already.
 */
#include <string.h>

#include "repair-place.h"

struct act {
	const char *name;
	int (*run)(struct pme_work *work);
};

/*
 * With one file its own new blocks are exchanged: it does not become a sharer by its repair;
 * several parts are put apart by sharing them for a while.
 */
static int stage_if_shared(struct pme_work *work)
{
	return work->n_targets > 1 || work->n_parts > 1 || work->how == PME_HOW_CLONE
		       ? pme_work_stage_good(work)
		       : 0;
}

static const struct act commit_first[] = {
	{"folder", pme_work_stage_dir},
	{"good", stage_if_shared},
};
static const struct act clone_first[] = {
	{"folder", pme_work_stage_dir},
	{"keep", pme_work_keep_bad},
};
static const struct act clone_second[] = {
	{"good", stage_if_shared},
};
static const struct act place_first[] = {
	{"folder", pme_work_stage_dir},
	{"good", pme_work_stage_good},
};
static const struct act place_last[] = {
	{"clean", pme_work_clean},
};
static const struct act last[] = {
	{"park", pme_work_park},
	{"verify", pme_work_verify},
	{"clean", pme_work_clean},
};

static int run(struct pme_work *work, const struct act *acts, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = pme_work_note(work, acts[i].name, SIZE_MAX);
		if (r == 0)
			r = acts[i].run(work);
		if (r < 0)
			pme_work_fail(work, r, "%s: %s", acts[i].name, strerror(-r));
	}
	return r;
}

/* The bytes are known, and proven, once the bad blocks cannot be written in place any more. */
static int prove_kept(struct pme_work *work)
{
	int r = work->prove ? work->prove(work) : 0;

	if (r == 0)
		return pme_work_fail(work, -ESTALE, "the file was written meanwhile");
	return r < 0 ? r : 0;
}

int pme_work_begin(struct pme_work *work)
{
	int r;

	if (work->how == PME_HOW_COMMIT)
		return run(work, commit_first, PME_ARRAY_SIZE(commit_first));
	if (work->how == PME_HOW_PLACE)
		return run(work, place_first, PME_ARRAY_SIZE(place_first));
	r = run(work, clone_first, PME_ARRAY_SIZE(clone_first));
	if (r == 0)
		r = prove_kept(work);
	return r < 0 ? r : run(work, clone_second, PME_ARRAY_SIZE(clone_second));
}

int pme_work_finish(struct pme_work *work)
{
	int r;

	if (work->how == PME_HOW_PLACE) {
		r = pme_work_place(work);
		return r < 0 ? r : run(work, place_last, PME_ARRAY_SIZE(place_last));
	}
	r = pme_work_switch(work);
	return r < 0 ? r : run(work, last, PME_ARRAY_SIZE(last));
}

int pme_work_take_back(struct pme_work *work)
{
	int r = pme_work_note(work, "take-back", SIZE_MAX);

	if (r == 0)
		r = pme_work_clean(work);
	return r < 0 ? r
		     : pme_repair_end(work->journal, work->id,
				      work->before.known ? "failed" : "rolled-back", work->error);
}
