/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carrying out a plan, step by step; see repair.h and repair-work.h.
 */
#include <fcntl.h>
#include <string.h>

#include "donor-salvage.h"
#include "repair-work.h"
#include "vault.h"

/* All that one step needs. */
struct apply {
	struct pme_work work;
	const struct pme_repair_args *args;
	struct pme_repair_plan *plan;
	struct pme_repair_step *step;
	struct pme_repair_access access; /* of the file that the donor knows */
};

static void apply_done(struct apply *a)
{
	pme_repair_access_close(&a->access);
	pme_work_done(&a->work);
}

static int salvage(struct apply *a, unsigned char *buf)
{
	_cleanup_free_ char *reason = NULL;
	struct pme_salvaged salvaged;
	int r = pme_os_sync(a->access.want.fd);

	if (r < 0)
		return pme_work_fail(&a->work, r, "%s: cannot be flushed: %s",
				     a->work.targets[a->step->donor_target].path, strerror(-r));
	r = pme_salvage(&a->access.want, &a->step->bad, a->step->zero ? NULL : &a->step->donor, buf,
			&salvaged, &reason);
	if (r < 0)
		pme_work_fail(&a->work, r, "the donor cannot be used: %s",
			      reason ? reason : strerror(-r));
	return r;
}

/* The donor's proof, and what still reads: as they were when the good bytes were put together? */
static int prove(struct pme_work *work)
{
	struct apply *a = work->prove_arg;
	_cleanup_free_ unsigned char *now = calloc(1, work->device.length);
	int r = now ? 1 : -ENOMEM;

	if (work->how == PME_HOW_PLACE) /* under lease it is the only one */
		a->access.want.fd = work->targets[a->step->donor_target].fd;
	if (r > 0 && !a->step->zero && a->step->donor.proof != PME_PROOF_NONE)
		r = pme_donor_holds(&a->step->donor, &a->access.want);
	if (r > 0)
		r = salvage(a, now);
	if (r < 0)
		return r;
	return memcmp(now, work->good, work->device.length) == 0;
}

static int add_target(struct apply *a, const struct pme_repair_target *target)
{
	struct pme_work *work = &a->work;
	struct pme_work_target *t;
	int r = pme_grow(&work->targets, &work->alloc_targets, work->n_targets,
			 sizeof(*work->targets));

	if (r < 0)
		return r;
	t = &work->targets[work->n_targets++];
	*t = (struct pme_work_target){
		.file = {.inode = target->file->inode, .generation = target->file->generation},
		.start = target->start,
		.own = target->file->vault == 1 + PME_VAULT_CHECKPOINTS,
		.fd = -1,
	};
	t->path = target->file->n_paths
			  ? strdup(target->file->paths[0])
			  : pme_printf("inode %llu", (unsigned long long)target->file->inode);
	return t->path ? 0 : -ENOMEM;
}

/* One way for all of them; nobody was refused. */
static int take_targets(struct apply *a)
{
	int r = a->step->n_targets > 0 ? 0 : -EINVAL;

	a->work.how = a->step->n_targets > 0 ? a->step->targets[0].how : PME_HOW_COMMIT;
	for (size_t i = 0; r == 0 && i < a->step->n_targets; i++) {
		if (a->step->targets[i].how != a->work.how)
			r = -EOPNOTSUPP;
		else
			r = add_target(a, &a->step->targets[i]);
	}
	if (r == 0 && a->step->device.length > PME_WORK_MAX)
		r = -EFBIG;
	return r;
}

/* Look at everything that is needed, before anything is changed. */
static int prepare(struct apply *a)
{
	struct pme_work *work = &a->work;
	int r = take_targets(a);

	if (r == 0)
		r = pme_work_enter(work, &a->step->fs->fs, true);
	for (size_t i = 0; r == 0 && i < work->n_targets; i++) {
		_cleanup_close_ int fd = pme_work_open_target(work, i, O_RDONLY);

		r = fd < 0 ? fd : pme_work_save_attributes(work, i, fd);
		if (r < 0)
			pme_work_fail(work, r, "%s: cannot be opened: %s", work->targets[i].path,
				      r == -ESTALE ? "it is gone, or shorter now" : strerror(-r));
	}
	if (r == 0)
		r = pme_repair_access_open(work->os, a->args, a->plan, a->step,
					   &a->step->targets[a->step->donor_target], O_RDONLY,
					   &a->access);
	if (r < 0)
		return pme_work_fail(work, r, "cannot be prepared: %s", strerror(-r));
	work->good = calloc(1, work->device.length);
	r = work->good ? salvage(a, work->good) : -ENOMEM;
	if (r == 0)
		pme_work_digest(work, work->good, work->digest);
	return r;
}

static int begin(struct apply *a)
{
	struct json_object *about = pme_work_about(&a->work, a->step);
	int r = about ? pme_repair_begin(a->work.journal, about, &a->work.id) : -ENOMEM;

	json_object_put(about);
	return r;
}

/* What became of it, when it did not end well. */
static int settle(struct apply *a, int error)
{
	struct pme_work *work = &a->work;
	bool changed = error == -EBUSY || error == -ESTALE;

	if (!work->switched && pme_work_take_back(work) == 0) {
		a->step->outcome = changed ? PME_STEP_CHANGED : PME_STEP_FAILED;
		return 0;
	}
	a->step->outcome = PME_STEP_FAILED;
	pme_log_add(work->log, PME_WARNING, work->targets[0].path,
		    "the repair is not finished: the next one goes on with it (pmemctl repair "
		    "--resume)");
	return 0;
}

static int carry_out(struct apply *a)
{
	struct pme_work *work = &a->work;
	int r = begin(a);

	if (r < 0)
		return r;
	r = pme_work_begin(work);
	if (r == 0 && work->how == PME_HOW_CLONE) {
		/* our own descriptor would be in the way of the lease */
		pme_repair_access_close(&a->access);
		a->access = (struct pme_repair_access){
			.fd = -1, .reach.root = -1, .reach.entry = {.fd = -1}};
	}
	if (r == 0 && work->how == PME_HOW_PLACE) {
		pme_close_fd(&a->access.fd);
		a->access.fd = -1;
	}
	if (r == 0)
		r = pme_work_finish(work);
	if (r < 0)
		return settle(a, r);
	a->step->outcome = work->zero ? PME_STEP_GIVEN_UP : PME_STEP_REPAIRED;
	return pme_work_end(work);
}

static bool is_wanted(const struct pme_repair_step *step)
{
	bool wanted = !step->refusal && step->outcome == PME_STEP_PLANNED;

	for (size_t i = 0; i < step->n_targets; i++)
		wanted = wanted && !step->targets[i].refusal;
	return wanted;
}

static int apply_step(const struct apply *shared, struct pme_repair_step *step)
{
	_cleanup_(apply_done) struct apply a = *shared;
	int r;

	a.step = step;
	a.work.prove = prove;
	a.work.prove_arg = &a;
	a.work.topo = shared->plan->scan.topo;
	a.work.device = step->device;
	a.work.zero = step->zero;
	a.work.avoid = &step->fs->ranges;
	r = prepare(&a);
	if (r < 0) {
		step->outcome = PME_STEP_FAILED;
	} else {
		r = carry_out(&a);
		if (r < 0)
			step->outcome = PME_STEP_FAILED;
	}
	free(step->error);
	step->error = pme_take_ptr(a.work.error);
	if (r == -ENOMEM || step->outcome != PME_STEP_FAILED)
		return r == -ENOMEM ? r : 0;
	pme_log_add(a.work.log, PME_ERROR, a.work.n_targets ? a.work.targets[0].path : "repair",
		    "not repaired: %s", step->error ? step->error : strerror(-r));
	return 0;
}

/* Bytes of all steps that are wanted. */
static uint64_t count_wanted(const struct pme_repair_plan *plan)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < plan->n_steps; i++)
		if (is_wanted(&plan->steps[i]))
			sum += plan->steps[i].device.length;
	return sum;
}

int pme_repair_apply(const struct pme_os *os, const struct pme_repair_args *args,
		     struct pme_repair_plan *plan, struct pme_repair_journal *journal,
		     struct pme_log *log)
{
	const struct apply shared = {
		.work = {.os = os,
			 .log = log,
			 .journal = journal,
			 .reach = {.entry = {.fd = -1}, .root = -1},
			 .staging = -1,
			 .dir = -1},
		.args = args,
		.plan = plan,
		.access = {.reach = {.entry = {.fd = -1}, .root = -1}, .fd = -1},
	};
	uint64_t done = 0;
	int r = 0;

	pme_progress_about(log->progress, NULL);
	pme_progress_phase(log->progress, PME_PHASE_REPAIR, PME_UNIT_BYTES, count_wanted(plan));
	for (size_t i = 0; r == 0 && i < plan->n_steps; i++) {
		struct pme_repair_step *step = &plan->steps[i];

		if (is_wanted(step)) {
			pme_progress_at(log->progress, done);
			r = apply_step(&shared, step);
			done += step->device.length;
		} else if (step->outcome == PME_STEP_PLANNED) {
			step->outcome = PME_STEP_REFUSED;
		}
	}
	pme_progress_at(log->progress, done);
	return r;
}
