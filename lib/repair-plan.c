/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scan and plan; see repair.h.
 *
 * Nothing is changed, but files are flushed: what counts is what is on the media.
 */
#include "repair-plan.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "repair-steps.h"
#include "repair-untouched.h"

static const char *const how_names[] = {
	[PME_HOW_COMMIT] = "commit-range",
	[PME_HOW_CLONE] = "clone-range",
	[PME_HOW_PLACE] = "in-place",
};
static_assert(PME_ARRAY_SIZE(how_names) == PME_HOW_PLACE + 1, "a name for each way");

const char *pme_repair_how_name(enum pme_repair_how how)
{
	return how_names[how];
}

static int usage(struct pme_log *log, const char *subject, const char *text)
{
	pme_log_add(log, PME_ERROR, subject, "%s", text);
	return -EINVAL;
}

/* ---- files that were named ---- */

static int add_named(struct pme_repair_named *named, const struct stat *st)
{
	int r = pme_grow(&named->items, &named->alloc, named->count, sizeof(*named->items));

	if (r == 0)
		named->items[named->count++] =
			(struct pme_repair_name){.devno = st->st_dev, .inode = st->st_ino};
	return r;
}

/* Either all are regular files, or none is. */
static int take_files(const struct pme_repair_args *args, struct pme_log *log,
		      struct pme_repair_named *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < args->n_targets; i++) {
		struct stat st;

		if (pme_os_stat_at(AT_FDCWD, args->targets[i], true, &st) == 0 &&
		    S_ISREG(st.st_mode))
			r = add_named(ret, &st);
	}
	if (r == 0 && ret->count > 0 && ret->count < args->n_targets)
		return usage(log, "repair",
			     "name files, or devices and mount points, but not both at once");
	return r;
}

static int check_args(const struct pme_repair_args *args, const struct pme_repair_named *named,
		      struct pme_log *log)
{
	if (args->accept_unproven && !args->from)
		return usage(log, "--accept-unproven",
			     "which bytes?  Name the file that has them: --from PATH");
	if (args->from && named->count != 1)
		return usage(log, "--from",
			     "it has the bytes of one file: name the one that lost them");
	if (args->give_up_zero && named->count == 0)
		return usage(log, "--give-up", "name the files whose lost bytes become zeros");
	return 0;
}

/* "/dev/loop0", of the device that carries the file; NULL: none that has a name (btrfs). */
static char *device_of(const struct pme_os *os, dev_t devno)
{
	_cleanup_free_ char *link = pme_printf("sys/dev/block/%u:%u", major(devno), minor(devno));
	_cleanup_free_ char *to = NULL;
	const char *slash;

	if (!link || pme_os_readlink(os, link, &to) < 0)
		return NULL;
	slash = strrchr(to, '/');
	return slash ? pme_printf("/dev/%s", slash + 1) : NULL;
}

static void free_names(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

/* Only the filesystems of the named files are asked, where their devices can be told. */
static int scan_named(const struct pme_os *os, struct pme_scan_args *scan_args,
		      const struct pme_repair_named *named, struct pme_log *log,
		      struct pme_scan *ret)
{
	char **devices = calloc(named->count + 1, sizeof(*devices));
	size_t n = 0;
	int r;

	if (!devices)
		return -ENOMEM;
	for (size_t i = 0; i < named->count; i++) {
		devices[n] = device_of(os, named->items[i].devno);
		n += devices[n] != NULL;
	}
	scan_args->selectors = devices;
	scan_args->n_selectors = n == named->count ? n : 0;
	r = pme_scan_run(os, scan_args, log, ret);
	free_names(devices, n);
	return r;
}

static int scan(const struct pme_os *os, const struct pme_repair_args *args,
		const struct pme_repair_named *named, struct pme_log *log, struct pme_scan *ret)
{
	struct pme_scan_args scan_args = {
		.selectors = args->targets,
		.n_selectors = args->n_targets,
		.ranges = args->ranges,
		.n_ranges = args->n_ranges,
		.lists = args->lists,
		.n_lists = args->n_lists,
		.block_size = args->block_size,
		.default_length = 1,
		.without_donors = true,
	};

	if (named->count > 0)
		return scan_named(os, &scan_args, named, log, ret);
	return pme_scan_run(os, &scan_args, log, ret);
}

/* ---- steps ---- */

static bool is_wanted(const struct pme_repair_named *named, const struct pme_repair_step *step)
{
	if (named->count == 0)
		return true;
	for (size_t t = 0; t < step->n_targets; t++)
		if (pme_repair_name_of(named, step->targets[t].file))
			return true;
	return false;
}

static void drop_unwanted(struct pme_repair_plan *plan, size_t first)
{
	size_t n = first;

	for (size_t i = first; i < plan->n_steps; i++) {
		if (is_wanted(&plan->named, &plan->steps[i]))
			plan->steps[n++] = plan->steps[i];
		else
			pme_repair_step_done(&plan->steps[i]);
	}
	plan->n_steps = n;
}

static int plan_steps(const struct pme_os *os, const struct pme_repair_args *args,
		      const struct pme_reached_fs *fs, const struct pme_range_list *bad,
		      struct pme_log *log, struct pme_repair_plan *plan)
{
	_cleanup_(pme_reach_close) struct pme_reach reach = {0};
	_cleanup_(pme_repair_site_done) struct pme_repair_site site = {0};
	_cleanup_(pme_repair_openeds_done) struct pme_repair_openeds opened = {.count = 0};
	struct pme_repair_budget budget = {.site = &site, .opened = &opened};
	size_t first = plan->n_steps;
	int error = pme_reach_open(os, &fs->fs, &reach);
	int r = pme_repair_site_look(&fs->fs, &reach, error, &site);

	if (r == 0)
		r = pme_repair_steps_make(fs, bad, site.block, plan);
	if (r < 0)
		return r;
	drop_unwanted(plan, first);
	for (size_t i = first; r == 0 && i < plan->n_steps; i++)
		r = pme_repair_step_plan(os, args, plan, &plan->steps[i], &budget, log);
	return r;
}

static int plan_fs(const struct pme_os *os, const struct pme_repair_args *args,
		   const struct pme_reached_fs *fs, struct pme_log *log,
		   struct pme_repair_plan *plan)
{
	_cleanup_(pme_range_list_done) struct pme_range_list bad = {0};
	int r = pme_repair_bad(&plan->scan.findings, fs, &bad);

	if (r < 0 || bad.count == 0)
		return r;
	return plan_steps(os, args, fs, &bad, log, plan);
}

int pme_repair_plan(const struct pme_os *os, const struct pme_repair_args *args,
		    struct pme_log *log, struct pme_repair_plan *ret)
{
	int r;

	*ret = (struct pme_repair_plan){0};
	r = take_files(args, log, &ret->named);
	if (r == 0)
		r = check_args(args, &ret->named, log);
	if (r == 0 && (args->from || args->give_up_zero))
		pme_repair_look_before(args, &ret->named);
	if (r == 0)
		r = scan(os, args, &ret->named, log, &ret->scan);
	for (size_t i = 0; r == 0 && i < ret->scan.findings.n_fs; i++)
		r = plan_fs(os, args, ret->scan.findings.fs[i], log, ret);
	if (r == 0)
		r = pme_repair_name_donors(os, ret);
	if (r == 0)
		r = pme_rewrites_plan(ret);
	if (r < 0 && !log->failed)
		pme_log_add(log, PME_ERROR, "repair", "cannot plan: %s", strerror(-r));
	return r;
}

void pme_repair_plan_done(struct pme_repair_plan *plan)
{
	for (size_t i = 0; i < plan->n_steps; i++)
		pme_repair_step_done(&plan->steps[i]);
	free(plan->steps);
	pme_rewrites_done(&plan->rewrites);
	free(plan->named.items);
	pme_saved_cache_done(&plan->saved);
	pme_scan_done(&plan->scan);
	*plan = (struct pme_repair_plan){0};
}
