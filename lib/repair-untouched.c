/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Has anybody written since the plan was made?  See repair-untouched.h.
 */
#include "repair-untouched.h"

#include <fcntl.h>

#include "copies.h"
#include "remap.h"
#include "repair-place.h"
#include "repair-plan.h"
#include "source.h"

/* ---- times ---- */

static void look_before(const char *path, struct pme_repair_name *name)
{
	_cleanup_close_ int fd = pme_os_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
	struct stat st;
	int r = fd < 0 ? fd : pme_os_fstat(fd, &st);

	if (r == 0 && (st.st_dev != name->devno || st.st_ino != name->inode))
		r = -ESTALE;
	if (r == 0) {
		name->ctime = pme_work_ctime(&st);
		r = pme_remap_pass_stamp(fd);
	}
	if (r == 0)
		r = name->lost = pme_os_sync(fd);
	name->error = r < 0 ? r : 0;
}

void pme_repair_look_before(const struct pme_repair_args *args, struct pme_repair_named *named)
{
	for (size_t i = 0; i < named->count; i++)
		look_before(args->targets[i], &named->items[i]);
}

/* Under a lease it is open already, and must not be opened again. */
static int ctime_now(const struct pme_work *work, const struct pme_work_target *t, int64_t *ret)
{
	_cleanup_close_ int own = -1;
	int fd = t->fd;
	struct stat st;
	int r;

	if (fd < 0)
		fd = own = pme_reach_file(&work->reach, work->fs, &t->file, O_RDONLY | O_NOATIME);
	r = fd < 0 ? fd : pme_os_fstat(fd, &st);
	*ret = r == 0 ? pme_work_ctime(&st) : 0;
	return r;
}

/* Who shares with a file, and was not named, is not written in place while that one is the same. */
static int times_hold(const struct pme_repair_plan *plan, const struct pme_work *work)
{
	int r = 1, n = 0;

	for (size_t i = 0; r > 0 && i < work->n_targets; i++) {
		const struct pme_work_target *t = &work->targets[i];
		const struct pme_repair_name *name = pme_repair_name_of(&plan->named, &t->file);
		int64_t now;

		if (!name)
			continue;
		n++;
		r = name->error < 0 ? 0 : ctime_now(work, t, &now);
		if (r == 0)
			r = name->error == 0 && now == name->ctime;
	}
	return r > 0 ? n > 0 : r;
}

/* ---- lists ---- */

int pme_repair_lists(const struct pme_topo *topo, unsigned int sources, struct pme_stack *ret)
{
	_cleanup_(pme_selection_done) struct pme_selection every = {0};
	_cleanup_(pme_bads_done) struct pme_bads bads = {0};
	_cleanup_(pme_log_done) struct pme_log quiet = {0};
	int r = pme_select(topo, NULL, 0, &quiet, &every);

	if (r == 0)
		r = pme_source_kernel(topo, &every, &quiet, &bads);
	for (size_t i = 0; r == 0 && i < bads.count; i++)
		if (bads.items[i].known_by & sources)
			r = pme_stack_add_bad(ret, bads.items[i].dev, bads.items[i].range);
	pme_stack_seal_bad(ret);
	return r;
}

static int is_listed(struct pme_stack *now, const struct pme_repair_step *step)
{
	_cleanup_(pme_missing_done) struct pme_missing missing = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list rest = {0};
	_cleanup_free_ char *why = NULL;
	int r = pme_missing_of(now, step->fs->fs.dev, step->device, &missing);

	for (size_t i = 0; r == 0 && i < step->bad.count; i++)
		r = pme_range_list_subtract(step->bad.items[i], &missing.bad, &rest);
	if (r == 0 && rest.count > 0)
		return 0;
	if (r == 0)
		r = pme_repair_place_lists(now, step->fs->fs.dev, step->device, &why);
	return r < 0 ? r : !why;
}

static int lists_hold(const struct pme_repair_plan *plan, struct pme_repair_step *const *steps,
		      size_t count, size_t *ret_untouched)
{
	_cleanup_(pme_stack_done) struct pme_stack now = {.topo = plan->scan.topo};
	int r = pme_repair_lists(plan->scan.topo, PME_BY_BADBLOCKS, &now);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		r = is_listed(&now, steps[i]);
		*ret_untouched += r > 0;
	}
	return r < 0 ? r : *ret_untouched == count;
}

int pme_repair_untouched(struct pme_repair_plan *plan, struct pme_repair_step *const *steps,
			 const struct pme_work *work, size_t *ret_untouched)
{
	int r = times_hold(plan, work);

	*ret_untouched = 0;
	return r != 0 ? r : lists_hold(plan, steps, work->n_parts, ret_untouched);
}
