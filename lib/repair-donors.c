/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names for donors that were found by inode: one walk through each filesystem, if at all.
 */
#include <string.h>

#include "names.h"
#include "repair-plan.h"

/* The donors of one filesystem that need a name, each inode once. */
static int collect(const struct pme_repair_plan *plan, const struct pme_reached_fs *fs,
		   struct pme_file **files, size_t *ret_count)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_steps; i++) {
		struct pme_file *file = plan->steps[i].donor.file;
		bool known = false;

		if (plan->steps[i].fs != fs || !file || plan->steps[i].donor.path)
			continue;
		for (size_t f = 0; f < n; f++)
			known |= files[f]->inode == file->inode;
		if (!known)
			files[n++] = file;
	}
	*ret_count = n;
	return 0;
}

static const char *path_of(struct pme_file *const *files, size_t count, uint64_t inode)
{
	for (size_t i = 0; i < count; i++)
		if (files[i]->inode == inode && files[i]->n_paths > 0)
			return files[i]->paths[0];
	return NULL;
}

static int give_names(struct pme_repair_plan *plan, const struct pme_reached_fs *fs,
		      struct pme_file *const *files, size_t count)
{
	for (size_t i = 0; i < plan->n_steps; i++) {
		struct pme_donor *donor = &plan->steps[i].donor;
		const char *path = donor->file ? path_of(files, count, donor->file->inode) : NULL;

		if (plan->steps[i].fs != fs || !path || donor->path)
			continue;
		donor->path = strdup(path);
		if (!donor->path)
			return -ENOMEM;
	}
	return 0;
}

/* A name is nice to have: without one the inode is told. */
static int name_in(const struct pme_os *os, struct pme_repair_plan *plan,
		   const struct pme_reached_fs *fs)
{
	_cleanup_free_ struct pme_file **files = calloc(plan->n_steps + 1, sizeof(*files));
	_cleanup_(pme_names_done) struct pme_names names = {0};
	_cleanup_(pme_reach_close) struct pme_reach reach;
	size_t count = 0;
	int error = pme_reach_open(os, &fs->fs, &reach), r;

	if (!files)
		return -ENOMEM;
	collect(plan, fs, files, &count);
	if (count == 0 || error < 0)
		return 0;
	r = pme_names_walk(reach.root, fs->fs.main->devno, files, count, &names);
	if (r == 0)
		r = pme_names_publish(plan->scan.topo, &fs->fs, &names, files, count);
	if (r == -ENOMEM)
		return r;
	return r < 0 ? 0 : give_names(plan, fs, files, count);
}

int pme_repair_name_donors(const struct pme_os *os, struct pme_repair_plan *plan)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->scan.findings.n_fs; i++)
		r = name_in(os, plan, plan->scan.findings.fs[i]);
	return r;
}
