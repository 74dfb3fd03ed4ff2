/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main job; see scan.h.
 */
#include "scan.h"

#include <string.h>

#include "doc.h"
#include "held.h"
#include "scan-aside.h"
#include "scan-claims.h"
#include "scan-copies.h"
#include "scan-donors.h"
#include "scan-uses.h"
#include "scan-vault.h"

/* The reached filesystem on @dev, new when it is met for the first time; NULL without memory. */
static struct pme_reached_fs *reached_fs(struct pme_scan *scan, const struct pme_dev *dev)
{
	struct pme_findings *findings = &scan->findings;
	struct pme_reached_fs *reached;

	for (size_t i = 0; i < findings->n_fs; i++)
		if (findings->fs[i]->fs.dev == dev)
			return findings->fs[i];
	if (pme_grow(&findings->fs, &findings->alloc_fs, findings->n_fs, sizeof(*findings->fs)) < 0)
		return NULL;
	reached = calloc(1, sizeof(*reached));
	if (!reached)
		return NULL;
	if (pme_fs_of(scan->topo, dev, &reached->fs) <= 0) {
		free(reached);
		return NULL;
	}
	findings->fs[findings->n_fs++] = reached;
	return reached;
}

static const struct pme_hop *last_hop(const struct pme_top *top)
{
	return &top->hops[top->n_hops - 1];
}

static int collect_fs_ranges(struct pme_scan *scan, const struct pme_tops *tops)
{
	for (size_t i = 0; i < tops->count; i++) {
		const struct pme_top *top = &tops->items[i];
		struct pme_reached_fs *reached;
		int r;

		if (!top->at_fs)
			continue;
		reached = reached_fs(scan, last_hop(top)->dev);
		if (!reached)
			return -ENOMEM;
		r = pme_range_list_add(&reached->ranges, last_hop(top)->start, top->length);
		if (r < 0)
			return r;
	}
	return 0;
}

/* An owner of kind unknown for everything that was asked of a filesystem. */
static int answer_unknown(struct pme_reached_fs *reached, const char *reason)
{
	pme_fs_result_done(&reached->result);
	for (size_t i = 0; i < reached->ranges.count; i++) {
		int r = pme_fs_result_unknown(reached->ranges.items[i], reason, &reached->result);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The suspended device that a question to @fs would wait for, or NULL. */
static const struct pme_dev *suspended_below(const struct pme_scan *scan, const struct pme_fs *fs)
{
	static const enum pme_fs_role roles[] = {PME_FS_DATA, PME_FS_LOG, PME_FS_REALTIME};
	const struct pme_dev *found = NULL;

	for (size_t i = 0; !found && i < PME_ARRAY_SIZE(roles); i++) {
		const struct pme_dev *dev = pme_topo_fs_device(scan->topo, fs->mounts[0], roles[i]);

		if (dev)
			found = pme_dev_suspended(scan->topo, dev);
	}
	for (size_t i = 0; !found && i < scan->topo->n_devs; i++)
		if (pme_topo_mount_has(scan->topo, fs->mounts[0], scan->topo->devs[i]))
			found = pme_dev_suspended(scan->topo, scan->topo->devs[i]);
	return found;
}

static int resolve_fs(struct pme_scan *scan, struct pme_reached_fs *reached, struct pme_log *log)
{
	const struct pme_dev *suspended = suspended_below(scan, &reached->fs);
	const struct pme_fs_kind *kind = pme_fs_kind_of(reached->fs.type);
	_cleanup_free_ char *reason = NULL;
	int r;

	pme_range_list_normalize(&reached->ranges);
	if (suspended) {
		reason = pme_printf("cannot ask the %s filesystem mounted at %s while %s is "
				    "suspended: resume it, and scan again",
				    reached->fs.type, reached->fs.mounts[0]->target,
				    pme_dev_label(suspended));
	} else if (pme_progress_over(log->progress)) {
		reason = pme_printf("the %s filesystem mounted at %s was not asked: %s",
				    reached->fs.type, reached->fs.mounts[0]->target,
				    pme_progress_error(-ETIME));
		if (reason)
			pme_log_incomplete(log, pme_fs_subject(&reached->fs), "%s", reason);
	} else if (kind) {
		pme_progress_about(log->progress, pme_fs_subject(&reached->fs));
		r = pme_scan_overlays_end(scan);
		if (r == 0)
			r = kind->resolve(scan->topo, &reached->fs, &reached->ranges, log,
					  &reached->result);
		if (r == 0)
			r = pme_scan_judge_copies(&scan->stack, &reached->result);
		if (r == 0)
			pme_scan_note_vault(scan->topo, &reached->fs, reached->result.files,
					    reached->result.n_files, log);
		if (r == 0 || r == -ENOMEM)
			return r;
		reason = pme_printf("cannot ask the %s filesystem mounted at %s: %s",
				    reached->fs.type, reached->fs.mounts[0]->target,
				    pme_progress_error(r));
	} else {
		reason = pme_printf("owners of blocks are not known for filesystems of type %s",
				    reached->fs.type);
	}
	return reason ? answer_unknown(reached, reason) : -ENOMEM;
}

/*
 * Does a finding of a region lie in a namespace that a selected device stands on?  Its bytes may be
 * those of any volume there (sector mode), or metadata that none of them can do without.
 */
static bool in_selected_namespace(const struct pme_scan *scan, const struct pme_top *top)
{
	uint64_t address = pme_dev_physical(top->hops[0].dev, top->hops[0].start);

	for (size_t i = 0; i < scan->selection.bases.count; i++) {
		const struct pme_namespace *ns = scan->selection.bases.items[i]->ns;

		if (ns && ns->region == top->hops[0].dev->region &&
		    (address == PME_UNKNOWN || ns->resource == PME_UNKNOWN ||
		     (address >= ns->resource && address - ns->resource < ns->size)))
			return true;
	}
	return false;
}

static bool is_selected(const struct pme_scan *scan, const struct pme_top *top)
{
	const struct pme_dev_list *passing = &scan->selection.passing;

	if (passing->count == 0)
		return true;
	for (size_t i = 0; i < top->n_hops; i++)
		if (pme_dev_list_has(passing, top->hops[i].dev))
			return true;
	return top->hops[0].dev->kind == PME_DEV_REGION && in_selected_namespace(scan, top);
}

static int claim_top(struct pme_scan *scan, struct pme_finding *finding, const struct pme_top *top)
{
	const struct pme_reached_fs *reached = reached_fs(scan, last_hop(top)->dev);

	return reached ? pme_claim_fs(scan->topo, finding, top, reached) : -ENOMEM;
}

/* An end below any filesystem; the one that it serves is told, and not asked. */
static int claim_end(struct pme_scan *scan, struct pme_finding *finding, const struct pme_top *top)
{
	const struct pme_reached_fs *reached = NULL;
	int r = pme_claim_end(&scan->findings, finding, top);

	if (r < 0 || !top->fs_main)
		return r;
	reached = reached_fs(scan, top->fs_main);
	if (!reached)
		return -ENOMEM;
	finding->claims[finding->n_claims - 1].fs = &reached->fs;
	return 0;
}

/* The tops of one bad range, [first, end) in @tops, become a finding, if any is of interest. */
static int add_finding(struct pme_scan *scan, const struct pme_bad *bad,
		       const struct pme_tops *tops, size_t first, size_t end)
{
	struct pme_findings *findings = &scan->findings;
	struct pme_finding *finding;
	int r = pme_grow(&findings->items, &findings->alloc, findings->count,
			 sizeof(*findings->items));

	if (r < 0)
		return r;
	finding = &findings->items[findings->count++];
	*finding = (struct pme_finding){
		.dev = bad->dev,
		.range = bad->range,
		.known_by = bad->known_by,
	};
	for (size_t i = first; r == 0 && i < end; i++) {
		if (!is_selected(scan, &tops->items[i]))
			continue;
		if (tops->items[i].at_fs)
			r = claim_top(scan, finding, &tops->items[i]);
		else
			r = claim_end(scan, finding, &tops->items[i]);
	}
	if (r == 0 && finding->n_claims == 0)
		findings->count--;
	return r;
}

/* A filesystem that is followed has said already, once, what it cannot tell. */
static void note_unknown(const struct pme_finding *finding, const struct pme_claim *claim,
			 struct pme_log *log)
{
	log->incomplete = true;
	if (!claim->fs || !pme_fs_kind_of(claim->fs->type))
		pme_log_incomplete(log, finding->dev->name, "%s",
				   claim->reason ? claim->reason : "unknown owner");
}

/* Unknown claims make the answer incomplete; so do names that could not all be found. */
static void note_unknowns(const struct pme_findings *findings, struct pme_log *log)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct pme_finding *finding = &findings->items[i];

		for (size_t c = 0; c < finding->n_claims; c++) {
			const struct pme_claim *claim = &finding->claims[c];

			if (claim->certainty == PME_UNCERTAIN || claim->kind == PME_OWNER_UNKNOWN)
				note_unknown(finding, claim, log);
			if (claim->file && !claim->file->paths_complete)
				log->incomplete = true;
			for (size_t f = 0; f < claim->n_inodes; f++)
				if (!claim->inodes[f]->paths_complete)
					log->incomplete = true;
		}
	}
}

/*
 * Everything that is known to be bad decides which copies can be read, also what was not asked
 * about: the kernel's lists of every disk besides the ranges of the user.
 */
static int learn_bad(struct pme_scan *scan, bool has_every)
{
	_cleanup_(pme_selection_done) struct pme_selection every = {0};
	_cleanup_(pme_log_done) struct pme_log quiet = {0};
	_cleanup_(pme_bads_done) struct pme_bads listed = {0};
	int r = has_every ? 0 : pme_select(scan->topo, NULL, 0, &quiet, &every);

	if (r == 0 && !has_every)
		r = pme_source_kernel(scan->topo, &every, &quiet, &listed);
	for (size_t i = 0; r == 0 && i < listed.count; i++)
		r = pme_stack_add_bad(&scan->stack, listed.items[i].dev, listed.items[i].range);
	for (size_t i = 0; r == 0 && i < scan->bads.count; i++)
		r = pme_stack_add_bad(&scan->stack, scan->bads.items[i].dev,
				      scan->bads.items[i].range);
	pme_stack_seal_bad(&scan->stack);
	return r;
}

static int climb_all(struct pme_scan *scan, struct pme_tops *tops, size_t *ends)
{
	for (size_t i = 0; i < scan->bads.count; i++) {
		const struct pme_bad *bad = &scan->bads.items[i];
		int r = pme_climb(&scan->stack, bad->dev, bad->range, tops);

		if (r < 0)
			return r;
		ends[i] = tops->count;
	}
	return 0;
}

/* @has_every: the kernel's list of every disk is what was asked about. */
static int make_findings(struct pme_scan *scan, const struct pme_scan_args *args, bool has_every,
			 struct pme_log *log)
{
	_cleanup_(pme_tops_done) struct pme_tops tops = {0};
	_cleanup_free_ size_t *ends = calloc(scan->bads.count + 1, sizeof(*ends));
	int r = ends ? learn_bad(scan, has_every) : -ENOMEM;

	if (r == 0)
		r = climb_all(scan, &tops, ends);

	if (r == 0)
		r = collect_fs_ranges(scan, &tops);
	for (size_t i = 0; r == 0 && i < scan->findings.n_fs; i++)
		r = resolve_fs(scan, scan->findings.fs[i], log);
	if (r == 0) {
		pme_scan_again_begin(scan);
		r = pme_held_find(scan->topo, &tops, &scan->findings, log);
	}
	if (r == 0)
		r = pme_scan_uses(scan, log);
	for (size_t i = 0; r == 0 && i < scan->bads.count; i++)
		r = add_finding(scan, &scan->bads.items[i], &tops, i ? ends[i - 1] : 0, ends[i]);
	if (r == 0 && !args->without_donors)
		r = pme_scan_donors(scan, log);
	if (r < 0)
		return r;
	pme_findings_judge(&scan->findings);
	note_unknowns(&scan->findings, log);
	return 0;
}

/* Everything the user asks about; every error is said before the first is returned. */
static int user_sources(struct pme_scan *scan, const struct pme_scan_args *args,
			struct pme_log *log)
{
	int error = 0;

	for (size_t i = 0; i < args->n_ranges; i++) {
		int r = pme_source_range(scan->topo, args->ranges[i], args->default_length, log,
					 &scan->bads);

		error = error ? error : r;
	}
	for (size_t i = 0; i < args->n_lists; i++) {
		int r = pme_source_file(scan->topo, args->lists[i], args->block_size, log,
					&scan->bads);

		error = error ? error : r;
	}
	return error;
}

int pme_scan_snapshot(const struct pme_scan_args *args, struct pme_log *log, struct pme_scan *scan)
{
	bool by_user = args->n_ranges > 0 || args->n_lists > 0;
	int r = 0;

	scan->stack.topo = scan->topo;
	if (!by_user || args->n_selectors > 0)
		r = pme_select(scan->topo, args->selectors, args->n_selectors, log,
			       &scan->selection);
	if (r == 0 && by_user)
		r = user_sources(scan, args, log);
	else if (r == 0)
		r = pme_source_kernel(scan->topo, &scan->selection, log, &scan->bads);
	if (r == 0)
		r = pme_bads_merge(&scan->bads);
	if (r == 0 && !args->only_kernel_lists)
		r = make_findings(scan, args, !by_user && args->n_selectors == 0, log);
	if (r < 0 && !log->failed)
		pme_log_add(log, PME_ERROR, "scan", "cannot go on: %s", strerror(-r));
	return r;
}

static int run_once(const struct pme_os *os, const struct pme_scan_args *args, struct pme_log *log,
		    struct pme_scan *ret)
{
	int r;

	if (args->n_ranges > 0 || args->n_lists > 0)
		pme_scan_overlays_begin(os, ret);
	r = pme_topo_load(os, log, &ret->topo);
	if (r < 0) {
		pme_log_add(log, PME_ERROR, "/sys", "cannot read the devices of this machine: %s",
			    strerror(-r));
		return r;
	}
	return pme_scan_snapshot(args, log, ret);
}

int pme_scan_run(const struct pme_os *os, const struct pme_scan_args *args, struct pme_log *log,
		 struct pme_scan *ret)
{
	int r = 0;

	for (int attempt = 1; attempt <= PME_SCAN_ATTEMPTS; attempt++) {
		_cleanup_(pme_log_done) struct pme_log own = {.progress = log->progress},
						       changes = {0};

		pme_scan_done(ret);
		*ret = (struct pme_scan){0};
		r = run_once(os, args, &own, ret);
		if (r == 0)
			r = pme_scan_has_changed(ret, &changes);
		if (r == 1 && attempt < PME_SCAN_ATTEMPTS && !pme_progress_over(log->progress))
			continue;
		pme_log_merge(log, &own);
		pme_log_merge(log, &changes);
		break;
	}
	return r < 0 ? r : 0;
}

void pme_scan_done(struct pme_scan *scan)
{
	pme_scan_aside_done(scan);
	pme_findings_done(&scan->findings);
	pme_bads_done(&scan->bads);
	pme_selection_done(&scan->selection);
	pme_stack_done(&scan->stack);
	scan->topo = pme_topo_free(scan->topo);
}

void pme_scan_json(const struct pme_scan *scan, struct json_object *doc)
{
	pme_json_set(doc, "summary", pme_findings_summary_json(&scan->findings));
	pme_json_set(doc, "findings", pme_findings_json(scan->topo, &scan->findings));
}

void pme_scan_json_printed(const struct pme_scan *scan, struct json_object *doc)
{
	pme_json_set(doc, "summary", pme_findings_summary_json(&scan->findings));
	pme_json_set(doc, "findings", pme_findings_printed(scan->topo, &scan->findings));
}

void pme_scan_json_empty(struct json_object *doc)
{
	struct pme_findings none = {0};

	pme_json_set(doc, "summary", pme_findings_summary_json(&none));
	pme_json_set(doc, "findings", pme_json_array());
}

int pme_scan_exit(const struct pme_scan *scan, const struct pme_log *log)
{
	int status = 0;

	if (scan->findings.count > 0)
		status |= PME_EXIT_BAD;
	if (log->failed)
		status |= PME_EXIT_ERROR;
	if (log->incomplete)
		status |= PME_EXIT_INCOMPLETE;
	return status;
}
