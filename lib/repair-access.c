/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets of steps, opened; see repair.h.
 */
#include "repair-plan.h"

#include <fcntl.h>

void pme_repair_access_close(struct pme_repair_access *access)
{
	pme_close_fd(&access->fd);
	pme_reach_close(&access->reach);
	access->fd = -1;
}

void pme_repair_access_aim(struct pme_repair_access *access, const struct pme_repair_step *step,
			   const struct pme_repair_target *target)
{
	access->want.range = (struct pme_range){target->start, step->device.length};
	access->want.device_start = step->device.start;
	access->want.bad = &step->bad;
	access->want.behind_end = pme_repair_is_behind_end(step);
}

int pme_repair_access_open(const struct pme_os *os, const struct pme_repair_args *args,
			   struct pme_repair_plan *plan, const struct pme_repair_step *step,
			   const struct pme_repair_target *target, int flags,
			   struct pme_repair_access *ret)
{
	const struct pme_fs *fs = &step->fs->fs;
	int r;

	*ret = (struct pme_repair_access){.fd = -1};
	r = pme_reach_open(os, fs, &ret->reach);
	if (r < 0)
		return r;
	ret->fd = pme_reach_file(&ret->reach, fs, target->file, flags);
	if (ret->fd < 0)
		return ret->fd;
	ret->want = (struct pme_want){
		.os = os,
		.topo = plan->scan.topo,
		.stack = &plan->scan.stack,
		.fs = fs,
		.root = ret->reach.root,
		.fd = ret->fd,
		.file = target->file,
		.from = args->from,
		.saved = &plan->saved,
	};
	pme_repair_access_aim(ret, step, target);
	return 0;
}

/* ---- open while steps are planned ---- */

static void close_opened(struct pme_repair_opened *opened)
{
	pme_repair_access_close(&opened->access);
	free(opened->refusal);
	free(opened);
}

void pme_repair_openeds_done(struct pme_repair_openeds *openeds)
{
	for (size_t i = 0; i < openeds->count; i++)
		close_opened(openeds->items[i]);
	openeds->count = openeds->next = 0;
}

static void put(struct pme_repair_openeds *openeds, struct pme_repair_opened *opened)
{
	if (openeds->count < PME_REPAIR_OPENED_MAX) {
		openeds->items[openeds->count++] = opened;
		return;
	}
	close_opened(openeds->items[openeds->next]);
	openeds->items[openeds->next] = opened;
	openeds->next = (openeds->next + 1) % PME_REPAIR_OPENED_MAX;
}

int pme_repair_open(struct pme_repair_openeds *openeds, const struct pme_os *os,
		    const struct pme_repair_args *args, struct pme_repair_plan *plan,
		    const struct pme_repair_step *step, const struct pme_repair_target *target,
		    struct pme_repair_opened **ret)
{
	struct pme_repair_opened *opened;

	for (size_t i = 0; i < openeds->count; i++) {
		*ret = openeds->items[i];
		if ((*ret)->file != target->file)
			continue;
		pme_repair_access_aim(&(*ret)->access, step, target);
		return 0;
	}
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return -ENOMEM;
	opened->file = target->file;
	opened->error = pme_repair_access_open(os, args, plan, step, target, O_RDONLY | O_NOATIME,
					       &opened->access);
	opened->error = opened->error < 0 ? opened->error : 0;
	put(openeds, opened);
	*ret = opened;
	return 0;
}
