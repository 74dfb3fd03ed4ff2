/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets of steps, opened; see repair.h.
 */
#include "repair.h"

void pme_repair_access_close(struct pme_repair_access *access)
{
	pme_close_fd(&access->fd);
	pme_reach_close(&access->reach);
	access->fd = -1;
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
		.range = {target->start, step->device.length},
		.device_start = step->device.start,
		.bad = &step->bad,
		.from = args->from,
	};
	return 0;
}
