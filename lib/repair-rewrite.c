/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewrites, planned and carried out one after the other; see repair-rewrite.h.
 *
 * Signals that end the program wait while a layer works: it would go on, or stay limited to a part
 * of the array for ever.  The kernel's lists are asked once, when all is done.
 */
#include "repair-rewrite.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "clear.h"
#include "doc.h"
#include "repair-journal.h"
#include "repair-plan.h"

#define PAGE 4096ULL

static const char *const how_names[] = {
	[PME_REWRITE_MD_CHECK] = "md-check",
	[PME_REWRITE_BTRFS_SCRUB] = "btrfs-scrub",
};
static_assert(PME_ARRAY_SIZE(how_names) == PME_REWRITE_BTRFS_SCRUB + 1, "a name for each way");

const char *pme_rewrite_how_name(enum pme_rewrite_how how)
{
	return how_names[how];
}

bool pme_rewrite_is_about(struct json_object *about)
{
	const char *how = pme_json_get_text(about, "how");

	for (size_t i = 0; i < PME_ARRAY_SIZE(how_names); i++)
		if (strcmp(how_names[i], how) == 0)
			return true;
	return false;
}

struct pme_range pme_rewrite_window(struct pme_range range, uint64_t chunk)
{
	uint64_t unit = pme_max(chunk, PAGE), start = range.start - range.start % PAGE;
	uint64_t end = pme_range_end(range), over = end % unit;

	if (over && end <= UINT64_MAX - unit)
		end += unit - over;
	return (struct pme_range){start, end - start};
}

/* ---- planning ---- */

struct pieces {
	struct pme_rewrite_piece *items;
	size_t count, alloc;
};

static void pieces_done(struct pieces *pieces)
{
	free(pieces->items);
}

static void cache_done(struct pme_btrfs_cache **cache)
{
	pme_btrfs_cache_free(*cache);
}

static int add_piece(const struct pme_topo *topo, const struct pme_finding *finding,
		     const struct pme_claim *claim, struct pme_btrfs_cache **cache,
		     struct pieces *pieces)
{
	struct pme_rewrite_piece piece = {0};
	int r = pme_md_piece(claim, &piece);

	if (r == 0)
		r = pme_btrfs_piece(topo, claim, cache, &piece);
	if (r <= 0)
		return r;
	piece.finding = finding;
	piece.claim = claim;
	r = pme_grow(&pieces->items, &pieces->alloc, pieces->count, sizeof(*pieces->items));
	if (r == 0)
		pieces->items[pieces->count++] = piece;
	return r;
}

static int find_pieces(const struct pme_topo *topo, const struct pme_findings *findings,
		       struct pieces *pieces)
{
	_cleanup_(cache_done) struct pme_btrfs_cache *cache = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < findings->count; i++) {
		const struct pme_finding *finding = &findings->items[i];

		for (size_t c = 0; r == 0 && c < finding->n_claims; c++)
			r = add_piece(topo, finding, &finding->claims[c], &cache, pieces);
	}
	return r;
}

static int compare_pieces(const void *a, const void *b)
{
	const struct pme_rewrite_piece *x = a, *y = b;
	int order = strcmp(x->layer->name, y->layer->name);

	if (order == 0 && x->how != y->how)
		order = x->how < y->how ? -1 : 1;
	if (order == 0 && x->window.start != y->window.start)
		order = x->window.start < y->window.start ? -1 : 1;
	return order;
}

/* Does @piece belong to @rewrite, whose pieces begin before it? */
static bool goes_on(const struct pme_rewrite *rewrite, const struct pme_rewrite_piece *piece)
{
	if (rewrite->layer != piece->layer || rewrite->how != piece->how)
		return false;
	/* each chunk by itself, so that it shows whether one was skipped */
	if (piece->how == PME_REWRITE_BTRFS_SCRUB)
		return piece->window.start == rewrite->window.start;
	return piece->window.start <= pme_range_end(rewrite->window);
}

static struct pme_rewrite *add_rewrite(struct pme_rewrites *rewrites,
				       const struct pme_rewrite_piece *piece)
{
	struct pme_rewrite *rewrite;

	if (pme_grow(&rewrites->items, &rewrites->alloc, rewrites->count,
		     sizeof(*rewrites->items)) < 0)
		return NULL;
	rewrite = &rewrites->items[rewrites->count++];
	*rewrite = (struct pme_rewrite){
		.how = piece->how,
		.layer = piece->layer,
		.fs = piece->how == PME_REWRITE_BTRFS_SCRUB ? piece->claim->fs : NULL,
		.window = piece->window,
		.mismatches = PME_UNKNOWN,
		.corrected = PME_UNKNOWN,
		.uncorrectable = PME_UNKNOWN,
	};
	return rewrite;
}

static int join_pieces(const struct pieces *pieces, struct pme_rewrites *rewrites)
{
	struct pme_rewrite *rewrite = NULL;

	for (size_t i = 0; i < pieces->count; i++) {
		const struct pme_rewrite_piece *piece = &pieces->items[i];
		uint64_t end;
		int r;

		if (!rewrite || !goes_on(rewrite, piece))
			rewrite = add_rewrite(rewrites, piece);
		if (!rewrite)
			return -ENOMEM;
		end = pme_max(pme_range_end(rewrite->window), pme_range_end(piece->window));
		rewrite->window.length = end - rewrite->window.start;
		r = pme_grow(&rewrite->pieces, &rewrite->alloc_pieces, rewrite->n_pieces,
			     sizeof(*rewrite->pieces));
		if (r < 0)
			return r;
		rewrite->pieces[rewrite->n_pieces++] = *piece;
	}
	return 0;
}

static void rewrite_done(struct pme_rewrite *rewrite)
{
	free(rewrite->pieces);
	free(rewrite->refusal);
	free(rewrite->error);
}

void pme_rewrites_done(struct pme_rewrites *rewrites)
{
	for (size_t i = 0; i < rewrites->count; i++)
		rewrite_done(&rewrites->items[i]);
	free(rewrites->items);
	*rewrites = (struct pme_rewrites){0};
}

static bool is_wanted(const struct pme_repair_named *named, const struct pme_rewrite *rewrite)
{
	if (named->count == 0)
		return true;
	for (size_t i = 0; i < rewrite->n_pieces; i++) {
		const struct pme_file *file = rewrite->pieces[i].claim->file;

		if (file && pme_repair_name_of(named, file))
			return true;
	}
	return false;
}

static void drop_unwanted(const struct pme_repair_named *named, struct pme_rewrites *rewrites)
{
	size_t n = 0;

	for (size_t i = 0; i < rewrites->count; i++) {
		if (is_wanted(named, &rewrites->items[i]))
			rewrites->items[n++] = rewrites->items[i];
		else
			rewrite_done(&rewrites->items[i]);
	}
	rewrites->count = n;
}

static int refusal(const struct pme_topo *topo, const struct pme_rewrite *rewrite, char **ret)
{
	switch (rewrite->how) {
	case PME_REWRITE_MD_CHECK:
		return pme_md_refusal(topo, rewrite, ret);
	case PME_REWRITE_BTRFS_SCRUB:
		return pme_btrfs_refusal(topo, rewrite, ret);
	}
	return -EINVAL;
}

int pme_rewrite_bus_refusal(const struct pme_topo *topo, const struct pme_claim *claim,
			    const char *else_text, char **ret)
{
	struct pme_range place = {claim->hops[0].start, claim->length};
	struct pme_clear_way way = {0};
	int r = pme_clear_way_of(topo, claim->hops[0].dev, place, &way);

	if (r == 0 &&
	    (way.works == PME_CLEAR_FAILS || (way.works == PME_CLEAR_UNKNOWN && way.provider))) {
		*ret = pme_printf("%s: %s", way.reason, else_text);
		r = *ret ? 0 : -ENOMEM;
	}
	pme_clear_way_done(&way);
	return r;
}

int pme_rewrites_plan(struct pme_repair_plan *plan)
{
	_cleanup_(pieces_done) struct pieces pieces = {0};
	struct pme_rewrites *rewrites = &plan->rewrites;
	int r = find_pieces(plan->scan.topo, &plan->scan.findings, &pieces);

	if (r == 0 && pieces.count > 0)
		qsort(pieces.items, pieces.count, sizeof(*pieces.items), compare_pieces);
	if (r == 0)
		r = join_pieces(&pieces, rewrites);
	if (r == 0)
		drop_unwanted(&plan->named, rewrites);
	for (size_t i = 0; r == 0 && i < rewrites->count; i++) {
		struct pme_rewrite *rewrite = &rewrites->items[i];

		r = refusal(plan->scan.topo, rewrite, &rewrite->refusal);
		if (rewrite->refusal)
			rewrite->outcome = PME_REWRITE_REFUSED;
	}
	return r;
}

bool pme_rewrites_have(const struct pme_rewrites *rewrites, const struct pme_claim *claim)
{
	for (size_t i = 0; i < rewrites->count; i++)
		for (size_t p = 0; p < rewrites->items[i].n_pieces; p++)
			if (rewrites->items[i].pieces[p].claim == claim)
				return true;
	return false;
}

/* ---- applying ---- */

int pme_rewrite_fail(struct pme_rewrite_run *run, int r, const char *fmt, ...)
{
	va_list ap;

	if (run->rewrite->error)
		return r;
	va_start(ap, fmt);
	if (vasprintf(&run->rewrite->error, fmt, ap) < 0)
		run->rewrite->error = NULL;
	va_end(ap);
	return r;
}

static void fill_ends(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGINT);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGHUP);
}

int pme_rewrite_pause(struct pme_rewrite_run *run, unsigned int msec)
{
	const struct timespec pause = {msec / 1000, msec % 1000 * 1000000L};
	sigset_t ends;

	fill_ends(&ends);
	if (sigtimedwait(&ends, NULL, &pause) > 0)
		run->interrupted = true;
	return run->interrupted ? -EINTR : 0;
}

int pme_rewrite_note(struct pme_rewrite_run *run, const char *act)
{
	int r = pme_repair_act(run->journal, run->rewrite->id, act, NULL);

	return r < 0 ? pme_rewrite_fail(run, r, "the journal cannot be written: %s", strerror(-r))
		     : 0;
}

int pme_rewrite_begin(struct pme_rewrite_run *run, struct json_object *about)
{
	int r;

	pme_json_text(about, "how", pme_rewrite_how_name(run->rewrite->how));
	pme_json_text(about, "device", run->rewrite->layer->name);
	pme_json_range(about, "range", run->rewrite->window);
	r = pme_repair_begin(run->journal, about, &run->rewrite->id);
	return r < 0 ? pme_rewrite_fail(run, r, "the journal cannot be written: %s", strerror(-r))
		     : 0;
}

static int carry_out(struct pme_rewrite_run *run)
{
	struct pme_rewrite *rewrite = run->rewrite;
	int r = refusal(run->topo, rewrite, &rewrite->refusal);

	if (r < 0 || rewrite->refusal) {
		rewrite->outcome = PME_REWRITE_REFUSED;
		return r;
	}
	r = rewrite->how == PME_REWRITE_MD_CHECK ? pme_md_rewrite(run) : pme_btrfs_rewrite(run);
	if (r == -EAGAIN) {
		rewrite->outcome = PME_REWRITE_REFUSED;
		rewrite->refusal = pme_take_ptr(rewrite->error);
		if (!rewrite->refusal)
			return -ENOMEM;
		return 0;
	}
	if (r < 0) {
		rewrite->outcome = PME_REWRITE_FAILED;
		pme_rewrite_fail(run, r, "%s", strerror(-r));
	}
	return r == -ENOMEM ? r : 0;
}

static bool is_bad_still(const struct pme_scan *scan, const struct pme_rewrite *rewrite)
{
	for (size_t p = 0; p < rewrite->n_pieces; p++) {
		const struct pme_claim *claim = rewrite->pieces[p].claim;
		struct pme_range place = {claim->hops[0].start, claim->length}, common;

		for (size_t i = 0; i < scan->bads.count; i++) {
			const struct pme_bad *bad = &scan->bads.items[i];

			if (strcmp(bad->dev->name, claim->hops[0].dev->name) == 0 &&
			    pme_range_intersect(bad->range, place, &common))
				return true;
		}
	}
	return false;
}

static bool is_done(const struct pme_rewrite *rewrite)
{
	return rewrite->outcome == PME_REWRITE_REPAIRED || rewrite->outcome == PME_REWRITE_SOUND;
}

/* What the kernel's lists say now of what every copy could be read of. */
static int ask_lists(struct pme_rewrite_run *run, struct pme_rewrites *rewrites)
{
	const struct pme_scan_args args = {.only_kernel_lists = true};
	struct pme_scan scan = {0};
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < rewrites->count; i++)
		any |= is_done(&rewrites->items[i]);
	if (any)
		r = pme_scan_run(run->os, &args, run->log, &scan);
	for (size_t i = 0; any && i < rewrites->count; i++) {
		run->rewrite = &rewrites->items[i];
		if (!is_done(run->rewrite) || (r == 0 && !is_bad_still(&scan, run->rewrite)))
			continue;
		run->rewrite->outcome = PME_REWRITE_FAILED;
		if (r == 0)
			pme_rewrite_fail(run, -EIO,
					 "all copies can be read, but the kernel still has some of "
					 "them in its list of bad blocks");
		else
			pme_rewrite_fail(run, r, "the kernel's lists cannot be read again: %s",
					 strerror(-r));
	}
	pme_scan_done(&scan);
	return r == -ENOMEM ? r : 0;
}

/* What became of it goes into the journal, and errors into the log. */
static int conclude(struct pme_rewrite_run *run)
{
	const struct pme_rewrite *rewrite = run->rewrite;
	bool failed = rewrite->outcome == PME_REWRITE_FAILED;

	if (failed)
		pme_log_add(run->log, PME_ERROR, pme_dev_label(rewrite->layer), "not rewritten: %s",
			    rewrite->error ? rewrite->error : "no memory");
	if (rewrite->id == 0)
		return 0;
	return pme_repair_end(run->journal, rewrite->id,
			      failed					 ? "failed"
			      : rewrite->outcome == PME_REWRITE_REPAIRED ? "repaired"
									 : "rolled-back",
			      rewrite->error);
}

static int apply_all(struct pme_rewrite_run *run, struct pme_rewrites *rewrites)
{
	int r = 0, ended = 0;

	pme_progress_about(run->log->progress, NULL);
	pme_progress_phase(run->log->progress, PME_PHASE_REPAIR, PME_UNIT_RANGES, rewrites->count);
	for (size_t i = 0; r == 0 && i < rewrites->count; i++) {
		run->rewrite = &rewrites->items[i];
		pme_progress_at(run->log->progress, i);
		if (run->rewrite->refusal)
			continue;
		if (run->interrupted || pme_rewrite_pause(run, 0) < 0) {
			run->rewrite->outcome = PME_REWRITE_REFUSED;
			run->rewrite->refusal = strdup("interrupted before it began");
			r = run->rewrite->refusal ? 0 : -ENOMEM;
		} else {
			r = carry_out(run);
		}
	}
	if (r == 0)
		r = ask_lists(run, rewrites);
	for (size_t i = 0; i < rewrites->count; i++) {
		run->rewrite = &rewrites->items[i];
		ended = conclude(run);
		r = r < 0 ? r : ended;
	}
	return r;
}

int pme_rewrites_apply(const struct pme_os *os, struct pme_repair_plan *plan,
		       struct pme_repair_journal *journal, struct pme_log *log)
{
	struct pme_rewrite_run run = {
		.os = os,
		.topo = plan->scan.topo,
		.journal = journal,
		.log = log,
	};
	sigset_t ends, before;
	int r;

	if (plan->rewrites.count == 0)
		return 0;
	fill_ends(&ends);
	if (sigprocmask(SIG_BLOCK, &ends, &before) < 0)
		return -errno;
	r = apply_all(&run, &plan->rewrites);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (run.interrupted)
		pme_log_add(log, PME_ERROR, "repair",
			    "interrupted: layers that were at work were stopped, and set back");
	return r;
}

int pme_rewrite_resume(const struct pme_topo *topo, struct pme_repair_journal *journal, int64_t id,
		       struct json_object *about, char **ret_text)
{
	struct json_object *layer = pme_json_get(about, "layer");
	int r = 0;

	if (strcmp(pme_json_get_text(about, "how"), how_names[PME_REWRITE_MD_CHECK]) == 0)
		r = pme_md_resume(topo, layer, ret_text);
	else
		*ret_text = strdup("a scrub of btrfs leaves nothing behind: what it had not come "
				   "to is still bad, and planned again");
	return r < 0 ? r : pme_repair_end(journal, id, "rolled-back", NULL);
}
