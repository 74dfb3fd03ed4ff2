/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ext2, ext3 and ext4: bad bytes -> owners -> names, by one pass over the inode tables.
 *
 * There is no reverse map to ask, so all inodes are looked through, once for all bad ranges, in the
 * page cache of the device, where the kernel itself has them.  What a file has is then confirmed by
 * the kernel (FIEMAP through a handle); what it tells nobody (block maps, attributes, bitmaps) is
 * read twice, around the search for names.  What is not the same is asked again, three times at
 * most; then it is unknown.
 *
 * GETFSMAP is not used: it names no inodes, goes through all groups at every call, and calls space
 * in use that is only set aside in memory.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "ext4-names.h"
#include "ext4-owners.h"
#include "fs-enter.h"
#include "media.h"
#include "names.h"

#define ATTEMPTS 3

struct pass {
	const struct pme_topo *topo;
	const struct pme_fs *fs;
	const struct pme_range_list *ranges;
	struct pme_log *log;
	struct pme_fs_entry entry;
	int dev_fd;
	struct pme_ext4_geo geo;
	struct pme_ext4_door door;
};

static void pass_close(struct pass *pass)
{
	pme_ext4_geo_done(&pass->geo);
	pme_close_fd(&pass->dev_fd);
	pme_close_fd(&pass->entry.fd);
}

static int refuse(const struct pass *pass, int error, const char *text)
{
	pme_log_incomplete(pass->log, pme_fs_subject(pass->fs), "%s: %s", text,
			   pme_progress_error(error));
	return error;
}

/* Superblock and descriptors as they are now: 0 or -errno. */
static int read_geo(struct pass *pass)
{
	pme_ext4_geo_done(&pass->geo);
	return pme_ext4_geo_read(&pass->dev_fd, pass->fs->main->size, &pass->geo);
}

/* Is what was read from the device what is mounted?  1, 0 or -errno. */
static int is_the_mounted(const struct pass *pass)
{
	struct statfs sfs;
	uint64_t id;

	if (fstatfs(pass->entry.fd, &sfs) < 0)
		return -errno;
	id = (uint32_t)sfs.f_fsid.__val[0] | (uint64_t)(uint32_t)sfs.f_fsid.__val[1] << 32;
	return id == pass->geo.fsid && (uint64_t)sfs.f_bsize == pass->geo.block_size;
}

/*
 * Only the driver ext4 keeps the inode tables in the page cache up to date; that of ext2 brings
 * them there when it likes.
 */
static int check_driver(const struct pass *pass)
{
	_cleanup_free_ char *path = pme_printf("sys/fs/ext4/%s", pass->fs->main->name);
	int r = path ? pme_os_exists(pass->topo->os, path) : -ENOMEM;

	return r == 0 ? -EOPNOTSUPP : r < 0 ? r : 0;
}

static int open_all(struct pass *pass)
{
	int r = pme_fs_enter(pass->topo->os, pass->fs, EXT4_SUPER_MAGIC, &pass->entry);

	if (r < 0) {
		pme_log_incomplete(pass->log, pme_fs_subject(pass->fs),
				   "cannot open the filesystem at any of its %zu mounts: %s",
				   pass->fs->n_mounts,
				   r == -EXDEV ? "others are mounted over them" : strerror(-r));
		return r;
	}
	r = check_driver(pass);
	if (r < 0)
		return refuse(pass, r, "not mounted with the ext4 driver of the kernel");
	pass->dev_fd = pme_media_open_cached(pass->topo, pass->fs->main);
	if (pass->dev_fd < 0)
		return refuse(pass, pass->dev_fd, "cannot open the device");
	r = read_geo(pass);
	if (r < 0)
		return refuse(pass, r, "cannot read superblock and group descriptors");
	r = is_the_mounted(pass);
	if (r <= 0)
		return refuse(pass, r < 0 ? r : -ESTALE,
			      "the device holds another filesystem than "
			      "the one that is mounted");
	pass->door = (struct pme_ext4_door){
		.geo = &pass->geo,
		.fd = pass->entry.fd,
		.devno = pass->fs->main->devno,
		.progress = pass->log->progress,
	};
	return 0;
}

/* ---- names ---- */

/*
 * Names by blocks of directories, and by a walk of files that do not have all then.  A root that
 * cannot be opened makes them incomplete.
 */
static int find_names(const struct pass *pass, const struct pme_ext4_state *state,
		      struct pme_file **files, size_t n_files, struct pme_names *ret)
{
	_cleanup_close_ int fd =
		pass->entry.is_root ? pme_os_open_at(pass->entry.fd, ".", O_RDONLY | O_DIRECTORY)
				    : pme_ext4_inode_open(pass->entry.fd, PME_EXT4_ROOT_INO, 0,
							  O_RDONLY | O_DIRECTORY);

	const struct pme_ext4_search search = {
		.door = &pass->door,
		.marks = &state->marks,
		.avoid = pass->ranges,
		.root = fd,
	};
	size_t left;
	int r;

	ret->progress = pass->door.progress;
	if (fd >= 0) {
		r = pme_ext4_names_find(&search, files, n_files, ret, &left);
		return r < 0 ? r : pme_names_walk(fd, pass->door.devno, files, left, ret);
	}
	if (fd == -ENOMEM)
		return fd;
	ret->incomplete = pme_printf("the root directory of the filesystem cannot be opened: %s",
				     strerror(-fd));
	return ret->incomplete ? 0 : -ENOMEM;
}

/* Name all files but the internal ones, which have no names. */
static int name_files(const struct pass *pass, const struct pme_ext4_state *state,
		      const struct pme_fs_result *result)
{
	_cleanup_(pme_names_done) struct pme_names names = {0};
	_cleanup_free_ struct pme_file **files = calloc(result->n_files + 1, sizeof(*files));
	size_t n = 0;
	int r;

	if (!files)
		return -ENOMEM;
	for (size_t i = 0; i < result->n_files; i++)
		if (!state->inodes[i].internal)
			files[n++] = result->files[i];
	if (n == 0)
		return 0;
	r = find_names(pass, state, files, n, &names);
	return r < 0 ? r : pme_names_publish(pass->topo, pass->fs, &names, files, n);
}

/* Names in an encrypted directory are what ls(1) shows; without the key they are no words. */
static int doubt_encrypted(const struct pme_ext4_state *state, const struct pme_fs_result *result)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < state->n_inodes; i++) {
		const struct pme_ext4_live *live = &state->inodes[i];

		if (!(live->disk.flags & PME_EXT4_ENCRYPTED) || live->internal)
			continue;
		if (live->no_key)
			r = pme_names_doubt(
				result->files[i],
				"it is encrypted and its key may not be there: then names are "
				"shown as the filesystem encodes them");
	}
	return r;
}

/* ---- the pass ---- */

/* What changed under the search: its bytes are unknown, its other names may not be all. */
static int give_up_on(const struct pass *pass, struct pme_ext4_state *state,
		      const struct pme_ext4_state *later, struct pme_fs_result *result)
{
	_cleanup_(pme_range_list_done) struct pme_range_list changed = {0};
	int r = pme_ext4_state_reduce(&pass->geo, state, later, &changed);

	for (size_t i = 0; r == 0 && i < changed.count; i++)
		r = pme_fs_result_unknown(changed.items[i],
					  "the filesystem changed these blocks while it was "
					  "read: scan again",
					  result);
	for (size_t i = 0; r == 0 && i < state->n_inodes; i++) {
		const struct pme_ext4_live *old = &state->inodes[i];
		size_t j = pme_ext4_state_find(later, old->disk.ino);

		if (j == later->n_inodes || later->inodes[j].disk.ino != old->disk.ino ||
		    later->inodes[j].nlink != old->nlink)
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
	_cleanup_(pme_ext4_state_done) struct pme_ext4_state before = {0};
	_cleanup_(pme_ext4_state_done) struct pme_ext4_state after = {0};
	int r = read_geo(pass);

	if (r == 0)
		r = pme_ext4_state_take(&pass->door, pass->ranges, NULL, &before);
	is_last = is_last || pme_progress_over(pass->door.progress);
	if (r < 0 || (!is_last && !before.cut && pme_ext4_state_has_lost(&before)))
		return r;
	r = pme_ext4_files_make(&before, &pass->door, ret);
	if (r == 0)
		r = name_files(pass, &before, ret);
	if (r == 0)
		r = doubt_encrypted(&before, ret);
	if (r == 0)
		r = read_geo(pass);
	if (r == 0)
		r = pme_ext4_state_take(&pass->door, pass->ranges, &before, &after);
	if (r < 0)
		return r;
	if (!pme_ext4_state_equal(&before, &after)) {
		if (!is_last && !pme_progress_over(pass->door.progress))
			return 0;
		r = give_up_on(pass, &before, &after, ret);
	}
	if (r == 0)
		r = pme_ext4_owners_make(&pass->geo, &before, ret);
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
	pme_fs_result_sort(ret);
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
		.entry = {.fd = -1},
		.dev_fd = -1,
	};
	int r = open_all(&pass);

	if (r == 0)
		r = run_pass(&pass, ret);
	if (r == 0)
		return 0;
	pme_fs_result_done(ret);
	return refuse(&pass, r, "cannot map bytes to files");
}

const struct pme_fs_kind pme_fs_ext2 = {
	.type = "ext2",
	.resolve = resolve,
};

const struct pme_fs_kind pme_fs_ext3 = {
	.type = "ext3",
	.resolve = resolve,
};

const struct pme_fs_kind pme_fs_ext4 = {
	.type = "ext4",
	.resolve = resolve,
};
