/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XFS: bad bytes -> owners -> names, through the kernel's reverse map.
 *
 * The filesystem is live: its state is taken before and after the search for names, and what is not
 * the same is asked again, three times at most; then it is unknown.  No file is named that did not
 * hold the bad bytes during the scan; one that is as old as that may have given them up since
 * (xfs-state.h).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>

#include "fs-enter.h"
#include "names.h"
#include "xfs-owners.h"
#include "xfs-parents.h"

#define ATTEMPTS 3
#define SECTOR_ALIGN 4096 /* for O_DIRECT */

struct pass {
	const struct pme_topo *topo;
	const struct pme_fs *fs;
	const struct pme_range_list *ranges;
	struct pme_log *log;
	struct pme_xfs_view view;
	struct pme_xfs_internal internal;
};

static void pass_close(struct pass *pass)
{
	pme_close_fd(&pass->view.fd);
}

static int open_view(struct pass *pass)
{
	struct pme_xfs_view *view = &pass->view;
	const char *subject = pme_fs_subject(pass->fs);
	struct pme_fs_entry entry;
	int r = pme_fs_enter(pass->topo->os, pass->fs, XFS_SUPER_MAGIC, &entry);

	if (r < 0) {
		pme_log_incomplete(pass->log, subject,
				   "cannot open the filesystem at any of its %zu mounts: %s",
				   pass->fs->n_mounts,
				   r == -EXDEV ? "others are mounted over them" : strerror(-r));
		return r;
	}
	view->fd = entry.fd;
	view->devno = pass->fs->main->devno;
	view->is_root = entry.is_root;
	r = pme_xfs_geo_read(view->fd, &view->geo);
	pme_xfs_view_aim(view, pass->fs);
	if (r == 0 && !view->geo.is_zoned && view->role == PME_FS_DATA)
		r = pme_xfs_view_probe(view);
	if (r < 0) {
		pme_log_incomplete(pass->log, subject,
				   "cannot read geometry and reverse map of the filesystem: %s",
				   strerror(-r));
		return r;
	}
	view->knows_owners = r > 0;
	return 0;
}

/* The root of the filesystem, whatever part of it is mounted: a descriptor or -errno. */
static int open_root(const struct pme_xfs_view *view, const struct pme_xfs_inode *root)
{
	if (view->is_root)
		return pme_os_open_at(view->fd, ".", O_RDONLY | O_DIRECTORY);
	return pme_xfs_inode_open(view->fd, root->ino, root->gen, O_RDONLY | O_DIRECTORY);
}

/* Names by a walk.  A root that cannot be opened makes them incomplete. */
static int walk_names(const struct pme_xfs_view *view, const struct pme_xfs_inode *root,
		      struct pme_file **files, size_t n_files, struct pme_names *ret)
{
	_cleanup_close_ int fd = open_root(view, root);

	ret->progress = view->progress;
	if (fd >= 0)
		return pme_names_walk(fd, view->devno, files, n_files, ret);
	if (fd == -ENOMEM)
		return fd;
	ret->incomplete = pme_printf("the root directory of the filesystem cannot be opened: %s",
				     strerror(-fd));
	return ret->incomplete ? 0 : -ENOMEM;
}

static int find_names(const struct pme_xfs_view *view, struct pme_file **files, size_t n_files,
		      struct pme_names *ret)
{
	struct pme_xfs_inode root;
	int r = pme_xfs_inode_root(view->fd, &root);

	if (r < 0)
		return r;
	ret->progress = view->progress;
	if (view->geo.has_parents) {
		r = pme_xfs_parents_names(view->fd, &root, files, n_files, ret);
		if (r == 0)
			return 0;
		pme_names_done(ret);
	}
	return walk_names(view, &root, files, n_files, ret);
}

/* What names were confirmed by need not be asked again. */
static void note_seen(struct pme_xfs_state *state, const struct pme_fs_result *result)
{
	for (size_t i = 0; i < state->inodes.count; i++)
		pme_xfs_inode_seen(&state->inodes.items[i], result->files[i]->nlink_shown,
				   &result->files[i]->ctime_shown);
}

/* Name all files but the internal ones, which have no names. */
static int name_files(const struct pass *pass, struct pme_xfs_state *state,
		      const struct pme_fs_result *result)
{
	_cleanup_(pme_names_done) struct pme_names names = {0};
	_cleanup_free_ struct pme_file **files = calloc(result->n_files + 1, sizeof(*files));
	size_t n = 0;
	int r;

	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < result->n_files; i++)
		if (!state->inodes.items[i].internal)
			files[n++] = result->files[i];
	if (n == 0)
		return 0;
	r = find_names(&pass->view, files, n, &names);
	if (r == 0)
		r = pme_names_publish(pass->topo, pass->fs, &names, files, n);
	note_seen(state, result);
	return r;
}

/* Numbers of the internal inodes.  Without a superblock they are called by their number. */
static void read_internal(struct pass *pass, const struct pme_xfs_state *state)
{
	_cleanup_free_ void *sb = aligned_alloc(SECTOR_ALIGN, PME_XFS_SECTOR_MAX);
	_cleanup_free_ char *path = pme_printf("/dev/%s", pass->fs->main->name);
	size_t size = pass->view.geo.sector_size;
	_cleanup_close_ int fd = -1;
	bool wanted = false;

	for (size_t i = 0; i < state->inodes.count; i++)
		wanted |= state->inodes.items[i].internal;
	if (!wanted || !sb || !path)
		return;
	fd = pme_os_open(pass->topo->os, path + 1, O_RDONLY | O_DIRECT);
	if (fd >= 0 && pme_os_pread(fd, sb, size, 0) == 0)
		pme_xfs_internal_parse(sb, size, &pass->internal);
	pme_xfs_internal_ask(path, &pass->internal);
}

/* Is there an inode of which no call tells, and which is none of the internal ones? */
static bool has_going(const struct pass *pass, const struct pme_xfs_state *state)
{
	for (size_t i = 0; i < state->inodes.count; i++)
		if (pme_xfs_inode_is_going(&state->inodes.items[i], &pass->internal))
			return true;
	return false;
}

/*
 * Of how many files does the kernel show more links at their names than were looked for?  Their
 * names are not all.  -ENOMEM.
 */
static ssize_t doubt_links(const struct pme_xfs_state *state, struct pme_fs_result *result)
{
	ssize_t count = 0;

	for (size_t i = 0; i < state->inodes.count; i++) {
		const struct pme_xfs_inode *inode = &state->inodes.items[i];

		if (!inode->few_bits || S_ISDIR(inode->mode) ||
		    result->files[i]->nlink_shown <= UINT16_MAX)
			continue;
		if (pme_names_doubt(result->files[i], "its links were not all looked for") < 0)
			return -ENOMEM;
		count++;
	}
	return count;
}

/* What changed under the search: its bytes are unknown, its other names may not be all. */
static int give_up_on(const struct pass *pass, struct pme_xfs_state *state,
		      const struct pme_xfs_state *later, struct pme_fs_result *result)
{
	_cleanup_(pme_range_list_done) struct pme_range_list changed = {0};
	int r = pme_xfs_state_reduce(&pass->view.geo, state, later, &changed);

	for (size_t i = 0; r == 0 && i < changed.count; i++)
		r = pme_fs_result_unknown(changed.items[i],
					  "the filesystem changed these blocks while it was "
					  "read: scan again",
					  result);
	for (size_t i = 0; r == 0 && i < state->inodes.count; i++) {
		const struct pme_xfs_inode *old = &state->inodes.items[i];
		size_t j = pme_xfs_inodes_find(&later->inodes, old->ino);

		if (j == later->inodes.count || later->inodes.items[j].ino != old->ino ||
		    later->inodes.items[j].nlink != old->nlink)
			r = pme_names_doubt(result->files[i], "its links changed meanwhile");
	}
	if (r == 0)
		pme_log_incomplete(pass->log, pme_fs_subject(pass->fs),
				   "the filesystem changed while "
				   "it was read: %" PRIu64 " bytes stay unknown",
				   pme_range_list_bytes(&changed));
	return r;
}

/* One attempt: 1 when the answer stands, 0 when it is worth another one, -errno. */
static int attempt(struct pass *pass, bool is_last, struct pme_fs_result *ret)
{
	_cleanup_(pme_xfs_state_done) struct pme_xfs_state before = {0};
	_cleanup_(pme_xfs_state_done) struct pme_xfs_state after = {0};
	bool may_again;
	ssize_t undercounted;
	int r = pme_xfs_state_take(&pass->view, pass->ranges, NULL, &before);

	if (r == 0)
		r = pme_xfs_files_make(&before, pass->view.devno, ret);
	if (r == 0)
		r = name_files(pass, &before, ret);
	if (r == 0)
		r = pme_xfs_state_take(&pass->view, pass->ranges, &before, &after);
	if (r < 0)
		return r;
	may_again = !is_last && !pme_progress_over(pass->view.progress);
	undercounted = doubt_links(&before, ret);
	if (undercounted < 0)
		return (int)undercounted;
	pass->view.all_links |= undercounted > 0;
	read_internal(pass, &before);
	if (may_again && (undercounted > 0 || has_going(pass, &before)))
		return 0;
	if (!pme_xfs_state_equal(&before, &after)) {
		if (may_again)
			return 0;
		r = give_up_on(pass, &before, &after, ret);
	}
	if (r == 0)
		r = pme_xfs_owners_make(&pass->view, &pass->internal, &before, ret);
	return r < 0 ? r : 1;
}

/* Of a zoned XFS neither the keys nor the end are as we know them. */
static int refuse_zoned(const struct pass *pass, struct pme_fs_result *ret)
{
	int r = 0;

	pme_log_incomplete(pass->log, pme_fs_subject(pass->fs),
			   "cannot map bytes to files: zoned XFS is "
			   "not supported");
	for (size_t i = 0; r == 0 && i < pass->ranges->count; i++)
		r = pme_fs_result_unknown(pass->ranges->items[i], "zoned XFS is not supported",
					  ret);
	return r;
}

static int run_pass(struct pass *pass, struct pme_fs_result *ret)
{
	int r = 0;

	if (pass->view.geo.is_zoned)
		return refuse_zoned(pass, ret);
	for (int i = 1; r == 0 && i <= ATTEMPTS; i++) {
		pme_fs_result_done(ret);
		r = attempt(pass, i == ATTEMPTS, ret);
	}
	if (r < 0)
		return r;
	pme_fs_result_sort(ret);
	pme_fs_result_tell(ret, pass->fs, pass->log);
	return 0;
}

/* What cannot be asked is told by the option alone, which may name another device by now. */
static int doubt_option(const struct pme_fs *fs, const struct pme_range_list *ranges, int error,
			struct pme_fs_result *ret)
{
	bool foreign = error == -EINVAL; /* GETFSMAP: not a device of this filesystem */
	int r = 0;

	for (size_t i = 0; r == 0 && i < ranges->count; i++) {
		struct pme_fs_owner *owner;

		r = pme_fs_result_unknown(
			ranges->items[i],
			foreign ? "named in the mount options of an XFS, but the filesystem does "
				  "not know this device"
				: "a device of an XFS by its mount options only: the filesystem "
				  "cannot be asked",
			ret);
		if (r < 0 || foreign || fs->role != PME_FS_LOG)
			continue;
		owner = &ret->owners[ret->n_owners - 1];
		owner->kind = PME_OWNER_FS_JOURNAL;
		owner->detail = strdup("external log, or behind its end");
		r = owner->detail ? 0 : -ENOMEM;
	}
	return r;
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
		.view = {.fd = -1, .progress = log->progress},
	};
	int r;

	memset(&pass.internal, 0xff, sizeof(pass.internal));
	r = open_view(&pass);
	if (r == 0)
		r = run_pass(&pass, ret);
	if (r == 0)
		return 0;
	pme_fs_result_done(ret);
	pme_log_incomplete(log, pme_fs_subject(fs), "cannot map bytes to files: %s",
			   pme_progress_error(r));
	if (fs->role != PME_FS_DATA && r != -ENOMEM)
		return doubt_option(fs, ranges, r, ret);
	return r;
}

const struct pme_fs_kind pme_fs_xfs = {
	.type = "xfs",
	.resolve = resolve,
};
