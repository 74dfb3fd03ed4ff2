/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One step of a plan: its targets, its donor, and whether anything will be done.
 *
 * The order of the questions is that of the answers people can do something about: the filesystem,
 * each file, the donor, the room.
 */
#include <fcntl.h>
#include <string.h>

#include "copies.h"
#include "repair-place.h"
#include "repair-plan.h"

struct planning {
	const struct pme_os *os;
	const struct pme_repair_args *args;
	struct pme_repair_plan *plan;
	struct pme_repair_step *step;
	struct pme_repair_budget *budget;
	struct pme_log *log;
};

struct pme_repair_name *pme_repair_name_of(const struct pme_repair_named *named,
					   const struct pme_file *file)
{
	for (size_t i = 0; i < named->count; i++)
		if (named->items[i].devno == file->devno && named->items[i].inode == file->inode)
			return &named->items[i];
	return NULL;
}

/* Takes @text. */
static int refuse(struct pme_repair_step *step, char *text)
{
	step->refusal = text;
	step->outcome = PME_STEP_REFUSED;
	return text ? 0 : -ENOMEM;
}

static char *name_of(const struct pme_file *file)
{
	return file->n_paths ? strdup(file->paths[0])
			     : pme_printf("inode %llu", (unsigned long long)file->inode);
}

/* "/srv/a: it is immutable"; takes @why. */
static char *about(const struct pme_file *file, char *why)
{
	_cleanup_free_ char *name = name_of(file), *own = why;

	return name && own ? pme_printf("%s: %s", name, own) : NULL;
}

/* All that is bad in these blocks, not only what was asked about. */
static int add_bad(struct planning *p)
{
	_cleanup_(pme_missing_done) struct pme_missing missing = {0};
	struct pme_repair_step *step = p->step;
	int r = pme_missing_of(&p->plan->scan.stack, step->fs->fs.dev, step->device, &missing);

	for (size_t i = 0; r == 0 && i < missing.bad.count; i++)
		r = pme_range_list_add(&step->bad, missing.bad.items[i].start,
				       missing.bad.items[i].length);
	for (size_t i = 0; r == 0 && i < missing.doubt.count; i++)
		r = pme_range_list_add(&step->bad, missing.doubt.items[i].start,
				       missing.doubt.items[i].length);
	pme_range_list_normalize(&step->bad);
	return r;
}

/* ---- donors ---- */

/* A donor with proof beats any, one without beats none; what was named beats what was found. */
static void keep_better(struct pme_repair_step *step, struct pme_donor *donor, size_t target)
{
	bool is_better = !step->donor.kind || donor->proof != PME_PROOF_NONE ||
			 (donor->kind == &pme_donor_file && step->donor.kind != &pme_donor_file);

	if (!donor->kind || !is_better) {
		pme_donor_done(donor);
		return;
	}
	pme_donor_done(&step->donor);
	step->donor = *donor;
	step->donor_target = target;
	*donor = (struct pme_donor){0};
}

/* Takes @reason; each is said once, however many sharers say it. */
static int add_reason(struct pme_repair_step *step, char *reason)
{
	_cleanup_free_ char *own = reason, *before = NULL;

	if (!own || (step->no_proof && strstr(step->no_proof, own)))
		return 0;
	before = pme_take_ptr(step->no_proof);
	step->no_proof = pme_printf("%s%s%s", before ? before : "", before ? "; " : "", own);
	return step->no_proof ? 0 : -ENOMEM;
}

static bool has_proof(const struct pme_repair_step *step)
{
	return step->donor.kind && step->donor.proof != PME_PROOF_NONE;
}

/* What is written but not on the media yet must be there, or be known not to get there. */
static int flush(const struct pme_repair_named *named, struct pme_repair_opened *opened)
{
	const struct pme_repair_name *name = pme_repair_name_of(named, opened->file);

	if (name && name->lost < 0) /* it is told only once */
		return name->lost;
	if (!opened->flushed)
		opened->flush_error = fsync(opened->access.fd) < 0 ? -errno : 0;
	opened->flushed = true;
	return opened->flush_error;
}

static int ask_donors(struct planning *p, size_t target, struct pme_repair_opened *opened)
{
	struct pme_want *want = &opened->access.want;
	struct pme_donor donor = {0};
	char *reason = NULL;
	int r = flush(&p->plan->named, opened);

	if (r < 0) {
		reason = pme_printf("what was written to it last cannot be brought to the media "
				    "(%s)",
				    strerror(-r));
		return reason ? add_reason(p->step, reason) : -ENOMEM;
	}
	/* it has the bytes of the file that was named with it: a sharer may have them elsewhere */
	if (!pme_repair_name_of(&p->plan->named, want->file))
		want->from = NULL;
	r = pme_donor_find(want, p->log, &donor, &reason);
	if (r < 0)
		return r;
	r = add_reason(p->step, reason);
	keep_better(p->step, &donor, target);
	return r;
}

/* ---- targets ---- */

/* What does not differ from step to step: once for each file. */
static int check_file(struct planning *p, const struct pme_repair_target *target,
		      struct pme_repair_opened *opened)
{
	int r = opened->checked ? 0
				: pme_repair_target_check(
					  p->plan->scan.topo, p->budget->site, target,
					  opened->error < 0 ? opened->error : opened->access.fd,
					  &opened->refusal);

	opened->checked = r == 0;
	return r;
}

static int look_at_target(struct planning *p, size_t t)
{
	struct pme_repair_target *target = &p->step->targets[t];
	struct pme_repair_opened *opened;
	int r = pme_repair_open(p->budget->opened, p->os, p->args, p->plan, p->step, target,
				&opened);

	if (r == 0)
		r = check_file(p, target, opened);
	if (r == 0 && opened->refusal) {
		target->refusal = strdup(opened->refusal);
		r = target->refusal ? 0 : -ENOMEM;
	}
	if (r == 0 && !target->refusal && target->how == PME_HOW_PLACE)
		r = pme_repair_place_check(&p->plan->scan.stack, p->step, target, opened->access.fd,
					   &target->refusal);
	if (r < 0 || opened->error < 0 || has_proof(p->step))
		return r;
	return ask_donors(p, t, opened);
}

static int look_at_targets(struct planning *p)
{
	int r = 0;

	for (size_t t = 0; r == 0 && t < p->step->n_targets; t++)
		r = look_at_target(p, t);
	for (size_t t = 0; r == 0 && !p->step->refusal && t < p->step->n_targets; t++) {
		const struct pme_repair_target *target = &p->step->targets[t];

		if (target->refusal)
			r = refuse(p->step, about(target->file, strdup(target->refusal)));
	}
	return r;
}

/* ---- whether ---- */

bool pme_repair_is_behind_end(const struct pme_repair_step *step)
{
	for (size_t t = 0; t < step->n_targets; t++) {
		const struct pme_repair_target *target = &step->targets[t];
		uint64_t first = target->start + step->bad.items[0].start - step->device.start;

		if (target->file->mode == 0 || first < target->file->size)
			return false;
	}
	return step->n_targets > 0 && step->bad.count > 0;
}

/* Has no file anything in these blocks?  Then nobody reads them either. */
static bool is_all_behind_end(const struct pme_repair_step *step)
{
	for (size_t t = 0; t < step->n_targets; t++)
		if (step->targets[t].start < step->targets[t].file->size)
			return false;
	return true;
}

static bool uses_unproven(const struct planning *p)
{
	return p->args->accept_unproven && p->args->from && p->step->donor.kind == &pme_donor_file;
}

/* Zeros go to every sharer, so every one must have been named (but for what is pmemctl's own). */
static const struct pme_file *unnamed(const struct planning *p)
{
	for (size_t t = 0; t < p->step->n_targets; t++) {
		const struct pme_file *file = p->step->targets[t].file;

		if (file->vault == 0 && !pme_repair_name_of(&p->plan->named, file))
			return file;
	}
	return NULL;
}

static int decide_zero(struct planning *p)
{
	const struct pme_file *file = unnamed(p);

	if (file)
		return refuse(p->step,
			      about(file, strdup("it shares these blocks and was not named: to "
						 "give them up, name all files that have them")));
	pme_donor_done(&p->step->donor);
	p->step->zero = true;
	return 0;
}

static int decide_donor(struct planning *p)
{
	struct pme_repair_step *step = p->step;

	if (has_proof(step))
		return 0;
	if (uses_unproven(p))
		return 0;
	if (p->args->give_up_zero)
		return decide_zero(p);
	if (step->donor.kind)
		return refuse(step, strdup("the only bytes that were found are unproven: nothing "
					   "says that they are those that were lost; they are used "
					   "only with --from PATH --accept-unproven"));
	return refuse(step, strdup("nobody has these bytes: they are lost, unless a backup has "
				   "them (--from PATH --accept-unproven)"));
}

/* Asked for by name, as it is not atomic. */
static int decide_way(struct planning *p)
{
	if (p->budget->site->how != PME_HOW_PLACE || p->args->in_place)
		return 0;
	return refuse(p->step, pme_printf("%s cannot give a file other blocks: --in-place writes "
					  "these bytes over the bad ones, which is not atomic (see "
					  "pmemctl(8)); or restore the file from a copy",
					  pme_fs_subject(&p->step->fs->fs)));
}

static int decide_room(struct planning *p)
{
	struct pme_repair_budget *budget = p->budget;
	uint64_t needed = budget->used + p->step->device.length + PME_REPAIR_RESERVE;

	if (needed > budget->site->free)
		return refuse(p->step,
			      pme_printf("the filesystem is full: %llu bytes are free, and "
					 "new blocks for all that is bad need %llu",
					 (unsigned long long)budget->site->free,
					 (unsigned long long)needed));
	budget->used += p->step->device.length;
	return 0;
}

int pme_repair_step_plan(const struct pme_os *os, const struct pme_repair_args *args,
			 struct pme_repair_plan *plan, struct pme_repair_step *step,
			 struct pme_repair_budget *budget, struct pme_log *log)
{
	struct planning p = {os, args, plan, step, budget, log};
	int r = add_bad(&p);

	for (size_t t = 0; t < step->n_targets; t++)
		step->targets[t].how = budget->site->how;
	if (step->refusal)
		step->outcome = PME_STEP_REFUSED;
	if (r == 0 && !step->refusal && budget->site->refusal)
		r = refuse(step, pme_printf("%s: %s", pme_fs_subject(&step->fs->fs),
					    budget->site->refusal));
	if (r == 0 && !step->refusal && pme_repair_is_behind_end(step) && is_all_behind_end(step))
		r = refuse(step, strdup("these blocks are behind the end of the file: nobody reads "
					"or misses them"));
	if (r == 0 && !step->refusal)
		r = look_at_targets(&p);
	if (r == 0 && !step->refusal)
		r = decide_donor(&p);
	if (r == 0 && !step->refusal)
		r = decide_way(&p);
	if (r == 0 && !step->refusal)
		r = decide_room(&p);
	return r;
}
