/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carrying out a plan: steps of the same files together, the others one by one; see repair.h and
 * repair-work.h.
 */
#include <fcntl.h>
#include <string.h>

#include "donor-salvage.h"
#include "repair-untouched.h"
#include "vault.h"

/* Steps of the same files, done together. */
struct apply {
	struct pme_work work;
	const struct pme_repair_args *args;
	struct pme_repair_plan *plan;
	struct pme_repair_step **steps; /* borrowed: one for each part of the work */
	size_t n_steps;
	struct pme_repair_access access; /* of the file that the donors know */
	bool settled;			 /* trying it in another way is of no use */
};

/* More bytes than that are done one step after the other: they are in memory. */
#define TOGETHER_MAX (16U << 20)
/* Nor more pieces of files: all are in the journal. */
#define PLACES_MAX 65536
/* So many at once, when somebody wrote while all were looked at. */
#define FEW 8

static void apply_done(struct apply *a)
{
	pme_repair_access_close(&a->access);
	pme_work_done(&a->work);
}

static const struct pme_repair_target *donor_target(const struct pme_repair_step *step)
{
	return &step->targets[step->donor_target];
}

static int salvage_part(struct apply *a, size_t p, unsigned char *buf)
{
	_cleanup_free_ char *reason = NULL;
	const struct pme_repair_step *step = a->steps[p];
	struct pme_salvaged salvaged;
	int r;

	pme_repair_access_aim(&a->access, step, donor_target(step));
	r = pme_salvage(&a->access.want, &step->bad, step->zero ? NULL : &step->donor,
			buf + a->work.parts[p].at, &salvaged, &reason);
	if (r < 0)
		pme_work_fail(&a->work, r, "the donor cannot be used: %s",
			      reason ? reason : strerror(-r));
	return r;
}

/* What is on the media counts. */
static int flush(struct apply *a)
{
	int r = pme_os_sync(a->access.want.fd);

	return r < 0 ? pme_work_fail(&a->work, r, "%s: cannot be flushed: %s",
				     a->work.targets[a->steps[0]->donor_target].path, strerror(-r))
		     : 0;
}

/* Behind the end of a file there are zeros: those of one that was cut meanwhile are not lost. */
static int check_size(struct apply *a)
{
	const struct pme_work_target *t = &a->work.targets[a->steps[0]->donor_target];
	struct stat st;
	int r = pme_os_fstat(a->access.want.fd, &st);

	if (r == 0 && (uint64_t)st.st_size != t->size)
		r = pme_work_fail(&a->work, -ESTALE, "%s: its size changes", t->path);
	return r;
}

static int salvage(struct apply *a, unsigned char *buf)
{
	int r = flush(a);

	for (size_t p = 0; r == 0 && p < a->n_steps; p++)
		r = salvage_part(a, p, buf);
	return r < 0 ? r : check_size(a);
}

static bool is_lasting(const struct pme_repair_step *step)
{
	return !step->zero && step->donor.proof != PME_PROOF_NONE;
}

/*
 * Is the donor's proof one still?  Then these are the bytes that were lost: nobody has written
 * them. Without one they are asked for again.
 */
static int prove_part(struct apply *a, size_t p, unsigned char *now)
{
	const struct pme_repair_step *step = a->steps[p];
	const struct pme_work_part *part = &a->work.parts[p];
	bool lasting = is_lasting(step);
	int r = 1;

	pme_repair_access_aim(&a->access, step, donor_target(step));
	if (lasting)
		r = pme_donor_holds(&step->donor, &a->access.want);
	if (r > 0 && !(lasting && step->donor.kind->holds)) {
		r = salvage_part(a, p, now);
		r = r < 0 ? r
			  : memcmp(now + part->at, a->work.good + part->at, part->device.length) ==
				    0;
	}
	return r;
}

/* Nobody has written what has no proof since it was planned. */
static int untouched(struct apply *a)
{
	size_t some = 0;
	int r = is_lasting(a->steps[0]) ? 1
					: pme_repair_untouched(a->plan, a->steps, &a->work, &some);

	if (r != 0)
		return r;
	a->settled = some == 0;
	return pme_work_fail(&a->work, -ESTALE,
			     "%s: somebody has written to it since the plan was made, perhaps "
			     "what was lost: it would be overwritten, as nothing proves these "
			     "bytes",
			     a->work.targets[0].path);
}

static int prove(struct pme_work *work)
{
	struct apply *a = work->prove_arg;
	_cleanup_free_ unsigned char *now = calloc(1, work->length);
	int r;

	if (work->how == PME_HOW_PLACE) /* under lease it is the only one */
		a->access.want.fd = work->targets[a->steps[0]->donor_target].fd;
	r = now ? flush(a) : -ENOMEM;
	r = r < 0 ? r : untouched(a);
	for (size_t p = 0; r > 0 && p < a->n_steps; p++)
		r = prove_part(a, p, now);
	return r;
}

static int add_target(struct apply *a, size_t t)
{
	const struct pme_file *file = a->steps[0]->targets[t].file;
	struct pme_work_target *target = pme_work_add_target(&a->work);

	if (!target)
		return -ENOMEM;
	for (size_t p = 0; p < a->n_steps; p++)
		target->starts[p] = a->steps[p]->targets[t].start;
	target->file = (struct pme_file){.inode = file->inode, .generation = file->generation};
	target->own = file->vault == 1 + PME_VAULT_CHECKPOINTS;
	target->path = file->n_paths ? strdup(file->paths[0])
				     : pme_printf("inode %llu", (unsigned long long)file->inode);
	return target->path ? 0 : -ENOMEM;
}

/* One way for all of them; nobody was refused. */
static int take_steps(struct apply *a)
{
	const struct pme_repair_step *first = a->steps[0];
	int r = first->n_targets > 0 ? 0 : -EINVAL;

	if (first->n_targets > PME_WORK_TARGETS_MAX)
		return pme_work_fail(&a->work, -E2BIG, "more than %u files share them",
				     PME_WORK_TARGETS_MAX);
	a->work.how = first->n_targets > 0 ? first->targets[0].how : PME_HOW_COMMIT;
	for (size_t p = 0; r == 0 && p < a->n_steps; p++)
		r = pme_work_add_part(&a->work, a->steps[p]->device);
	for (size_t t = 0; r == 0 && t < first->n_targets; t++)
		r = first->targets[t].how == a->work.how ? add_target(a, t) : -EOPNOTSUPP;
	return r;
}

static int look_at_target(struct apply *a, size_t i)
{
	struct pme_work *work = &a->work;
	_cleanup_close_ int fd = pme_work_open_target(work, i, O_RDONLY);
	int r = fd < 0 ? fd : pme_work_save_attributes(work, i, fd);

	if (r == 0 && a->n_steps > 1 && work->targets[i].length != work->length)
		r = -ESTALE;
	return r < 0 ? pme_work_fail(work, r, "%s: cannot be opened: %s", work->targets[i].path,
				     r == -ESTALE ? "it is gone, or shorter now" : strerror(-r))
		     : 0;
}

/* Look at everything that is needed, before anything is changed. */
static int prepare(struct apply *a)
{
	struct pme_work *work = &a->work;
	int r = take_steps(a);

	if (r == 0)
		r = pme_work_enter(work, &a->steps[0]->fs->fs, true);
	for (size_t i = 0; r == 0 && i < work->n_targets; i++)
		r = look_at_target(a, i);
	if (r == 0)
		r = pme_repair_access_open(work->os, a->args, a->plan, a->steps[0],
					   donor_target(a->steps[0]), O_RDONLY, &a->access);
	if (r < 0)
		return pme_work_fail(work, r, "cannot be prepared: %s", strerror(-r));
	work->good = pme_work_buffer(work);
	r = work->good ? salvage(a, work->good) : -ENOMEM;
	if (r == 0)
		pme_work_digest(work, work->good, work->digest);
	return r;
}

static int begin(struct apply *a)
{
	struct json_object *about = pme_work_about(&a->work, a->steps);
	int r = about ? pme_repair_begin(a->work.journal, about, &a->work.id) : -ENOMEM;

	json_object_put(about);
	return r;
}

static void set_outcome(struct apply *a, enum pme_repair_outcome outcome)
{
	for (size_t p = 0; p < a->n_steps; p++)
		a->steps[p]->outcome = outcome;
}

/* What became of it, when it did not end well. */
static void settle(struct apply *a, int error)
{
	struct pme_work *work = &a->work;
	bool changed = error == -EBUSY || error == -ESTALE;

	if (!work->switched && pme_work_take_back(work) == 0) {
		set_outcome(a, changed ? PME_STEP_CHANGED : PME_STEP_FAILED);
		return;
	}
	a->settled = true;
	set_outcome(a, PME_STEP_FAILED);
	pme_log_add(work->log, PME_WARNING, work->targets[0].path,
		    "the repair is not finished: the next one goes on with it (pmemctl repair "
		    "--resume)");
}

static int carry_out(struct apply *a)
{
	struct pme_work *work = &a->work;
	int r = pme_work_begin(work);

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
	if (r < 0) {
		settle(a, r);
		return r;
	}
	a->settled = true;
	set_outcome(a, work->zero ? PME_STEP_GIVEN_UP : PME_STEP_REPAIRED);
	r = pme_work_end(work);
	if (r < 0)
		set_outcome(a, PME_STEP_FAILED);
	return r;
}

static int prepare_and_begin(struct apply *a)
{
	int r = prepare(a);

	if (r == 0) {
		r = begin(a);
		a->settled = r < 0;
	}
	if (r < 0)
		set_outcome(a, PME_STEP_FAILED);
	return r;
}

/* Each step has what stopped all of them. */
static int tell(struct apply *a, int error)
{
	const struct pme_work *work = &a->work;

	for (size_t p = 0; p < a->n_steps; p++) {
		free(a->steps[p]->error);
		a->steps[p]->error = work->error ? strdup(work->error) : NULL;
		if (work->error && !a->steps[p]->error)
			return -ENOMEM;
	}
	if (error == -ENOMEM || a->steps[0]->outcome != PME_STEP_FAILED)
		return error == -ENOMEM ? error : 0;
	pme_log_add(work->log, PME_ERROR, work->n_targets ? work->targets[0].path : "repair",
		    "not repaired: %s", work->error ? work->error : strerror(-error));
	return 0;
}

/* Can the error be one of a single step? */
static bool is_of_one(const struct apply *a, int error)
{
	return !a->settled && error != -EAGAIN && error != -ETXTBSY && error != -ENOMEM;
}

/* 1: nothing was done, and one of them alone may be in the way. */
static int apply_together(const struct apply *shared, struct pme_repair_step **steps, size_t count)
{
	_cleanup_(apply_done) struct apply a = *shared;
	int r;

	a.steps = steps;
	a.n_steps = count;
	a.work.prove = prove;
	a.work.prove_arg = &a;
	a.work.topo = shared->plan->scan.topo;
	a.work.zero = steps[0]->zero;
	a.work.avoid = &steps[0]->fs->ranges;
	r = prepare_and_begin(&a);
	if (r == 0)
		r = carry_out(&a);
	return r < 0 && count > 1 && is_of_one(&a, r) ? 1 : tell(&a, r);
}

/* All at once, then a few at once, then each. */
static int apply_steps(const struct apply *shared, struct pme_repair_step **steps, size_t count)
{
	size_t few = count > FEW ? FEW : 1;
	int r = apply_together(shared, steps, count);

	for (size_t i = 0; r > 0 && i < count; i += few) {
		int one = apply_steps(shared, steps + i, pme_min(few, count - i));

		r = one < 0 ? one : r;
	}
	return r < 0 ? r : 0;
}

/* ---- which of them ---- */

static bool is_wanted(const struct pme_repair_step *step)
{
	bool wanted = !step->refusal && step->outcome == PME_STEP_PLANNED;

	for (size_t i = 0; i < step->n_targets; i++)
		wanted = wanted && !step->targets[i].refusal;
	return wanted;
}

/* Can it be done with others?  Not in place, and not where its last block is not whole. */
static bool is_social(const struct pme_repair_step *step)
{
	bool social = step->n_targets > 0 && step->targets[0].how != PME_HOW_PLACE;

	for (size_t i = 0; social && i < step->n_targets; i++)
		social =
			step->targets[i].start + step->device.length <= step->targets[i].file->size;
	return social;
}

static bool goes_with(const struct pme_repair_step *a, const struct pme_repair_step *b)
{
	bool same = a->fs == b->fs && a->zero == b->zero && a->n_targets == b->n_targets &&
		    a->donor_target == b->donor_target && is_lasting(a) == is_lasting(b);

	for (size_t i = 0; same && i < a->n_targets; i++)
		same = a->targets[i].file == b->targets[i].file &&
		       a->targets[i].how == b->targets[i].how;
	return same;
}

/* plan->steps[@first] and all behind it that go with it: into @ret; returns how many. */
static size_t gather(struct pme_repair_plan *plan, size_t first, struct pme_repair_step **ret)
{
	struct pme_repair_step *step = &plan->steps[first];
	uint64_t bytes = step->device.length;
	size_t count = 0;

	ret[count++] = step;
	for (size_t i = first + 1; is_social(step) && i < plan->n_steps; i++) {
		struct pme_repair_step *other = &plan->steps[i];

		if (count == PME_WORK_PARTS_MAX || bytes + other->device.length > TOGETHER_MAX ||
		    (count + 1) * step->n_targets > PLACES_MAX)
			break;
		if (!is_wanted(other) || !is_social(other) || !goes_with(step, other))
			continue;
		bytes += other->device.length;
		ret[count++] = other;
	}
	return count;
}

/*
 * Of the others the donors are closed: they may be files that are to be repaired, and that nobody
 * may have open then.
 */
static void leave_out(struct pme_repair_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct pme_repair_step *step = &plan->steps[i];

		if (is_wanted(step))
			continue;
		pme_donor_close(&step->donor);
		if (step->outcome == PME_STEP_PLANNED)
			step->outcome = PME_STEP_REFUSED;
	}
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
	struct pme_repair_step **steps =
		calloc(PME_WORK_PARTS_MAX, sizeof(struct pme_repair_step *));
	uint64_t done = 0;
	int r = steps ? 0 : -ENOMEM;

	leave_out(plan);
	pme_progress_about(log->progress, NULL);
	pme_progress_phase(log->progress, PME_PHASE_REPAIR, PME_UNIT_BYTES, count_wanted(plan));
	for (size_t i = 0; r == 0 && i < plan->n_steps; i++) {
		size_t count;

		if (!is_wanted(&plan->steps[i]))
			continue;
		count = gather(plan, i, steps);
		pme_progress_at(log->progress, done);
		r = apply_steps(&shared, steps, count);
		for (size_t n = 0; n < count; n++)
			done += steps[n]->device.length;
	}
	pme_progress_at(log->progress, done);
	free(steps);
	return r;
}
