/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * btrfs: bad bytes -> chunks -> extents -> files of all subvolumes -> names.
 *
 * It is live, as XFS is: its state is taken before and after the search for names, and what is not
 * the same is asked again, three times at most; then it is unknown.  Data of files is asked for
 * once (pme_btrfs_state_keep()).  What surprises: fresh extents are in no tree until a transaction
 * commits, so one is made to commit before each look.
 */
#include <linux/btrfs_tree.h>
#include <string.h>

#include "btrfs-names.h"
#include "btrfs-owners.h"
#include "btrfs-stale.h"

#define ATTEMPTS 3

struct pass {
	const struct pme_topo *topo;
	const struct pme_fs *fs;
	const struct pme_range_list *ranges;
	struct pme_log *log;
	struct pme_btrfs_view view;
};

static void pass_close(struct pass *pass)
{
	pme_btrfs_view_done(&pass->view);
}

static int name_files(const struct pass *pass, const struct pme_btrfs_state *state,
		      const struct pme_fs_result *result)
{
	_cleanup_(pme_names_done) struct pme_names names = {.progress = pass->log->progress};
	int r = pme_btrfs_names_find(&pass->view, state, result->files, &names);

	if (r < 0)
		return r;
	return pme_names_publish(pass->topo, pass->fs, &names, result->files, result->n_files);
}

/* What changed under the search: its bytes are unknown, its other names may not be all. */
static int give_up_on(const struct pass *pass, struct pme_btrfs_state *state,
		      const struct pme_btrfs_state *later, struct pme_fs_result *result)
{
	uint64_t bytes = 0;
	int r = pme_btrfs_state_reduce(state, later, &bytes);

	for (size_t i = 0; r == 0 && i < state->n_files; i++) {
		const struct pme_btrfs_file *old = &state->files[i];
		size_t j = pme_btrfs_state_file(later, old->root, old->inode);

		if (j == later->n_files || later->files[j].item.nlink != old->item.nlink)
			r = pme_names_doubt(result->files[i], "its links changed meanwhile");
	}
	if (r == 0)
		pme_log_incomplete(pass->log, pme_fs_subject(pass->fs),
				   "the filesystem changed while it was read: %llu bytes stay "
				   "unknown",
				   (unsigned long long)bytes);
	return r;
}

/* One attempt: 1 when the answer stands, 0 when it is worth another one, -errno. */
static int attempt(struct pass *pass, bool is_last, struct pme_fs_result *ret)
{
	_cleanup_(pme_btrfs_state_done) struct pme_btrfs_state before = {0};
	_cleanup_(pme_btrfs_state_done) struct pme_btrfs_state after = {0};
	int r = pme_btrfs_state_take(&pass->view, pass->ranges, NULL, pass->log->progress, &before);

	if (r == 0)
		r = pme_btrfs_files_make(&before, pass->fs->mounts[0]->shown, ret);
	if (r == 0)
		r = name_files(pass, &before, ret);
	if (r == 0)
		r = pme_btrfs_stale_find(pass->topo, &pass->view, &before, pass->log->progress);
	if (r == 0)
		r = pme_btrfs_state_take(&pass->view, pass->ranges, &before, NULL, &after);
	if (r < 0)
		return r;
	if (!pme_btrfs_state_equal(&before, &after)) {
		if (!is_last && !pme_progress_over(pass->log->progress))
			return 0;
		r = give_up_on(pass, &before, &after, ret);
	}
	if (r == 0)
		r = pme_btrfs_owners_make(&pass->view, pass->fs, &before, ret);
	return r < 0 ? r : 1;
}

static int run_pass(struct pass *pass, struct pme_fs_result *ret)
{
	int r = 0;

	for (int i = 1; r == 0 && i <= ATTEMPTS; i++) {
		pme_fs_result_done(ret);
		r = attempt(pass, i == ATTEMPTS, ret);
	}
	if (r < 0)
		return r;
	pme_fs_result_tell(ret, pass->fs, pass->log);
	return 0;
}

static int resolve(const struct pme_topo *topo, const struct pme_fs *fs,
		   const struct pme_range_list *ranges, struct pme_log *log,
		   struct pme_fs_result *ret)
{
	_cleanup_(pass_close) struct pass pass = {
		.topo = topo,
		.fs = fs,
		.ranges = ranges,
		.log = log,
		.view = {.fd = -1},
	};
	const char *why = NULL;
	int r = pme_btrfs_view_open(topo, fs, &pass.view, &why);

	if (r == 0)
		r = run_pass(&pass, ret);
	if (r == 0 || r == -ENOMEM)
		return r;
	pme_fs_result_done(ret);
	pme_log_incomplete(log, pme_fs_subject(fs), "cannot map bytes to files: %s",
			   why ? why : pme_progress_error(r));
	return why ? pme_btrfs_owners_unknown(ranges, why, ret) : r;
}

const struct pme_fs_kind pme_fs_btrfs = {
	.type = "btrfs",
	.resolve = resolve,
};
