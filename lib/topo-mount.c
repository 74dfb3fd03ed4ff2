/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts of filesystems on block devices, from /proc/self/mountinfo through libmount.
 *
 * Kept: every mount whose superblock has the number of a block device, and every one with an
 * anonymous number (btrfs) whose source is a block device node; a btrfs is asked when its source is
 * none (topo-btrfs.c).  All others are of no interest.
 *
 * The surprise: mountinfo is not read in one piece, and a mount made meanwhile can hide another.
 * The kernel marks the open file when mounts change (poll: POLLPRI); then it is read again.
 */
#include "topo-mount.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/sysmacros.h>

#define MOUNTINFO "proc/self/mountinfo"
#define READS_MAX 5 /* a machine that mounts all the time: the last reading must do */

static void close_stream(FILE **stream)
{
	if (*stream)
		fclose(*stream);
}

static void unref_table(struct libmnt_table **table)
{
	mnt_unref_table(*table); /* NULL is fine */
}

static void free_iter(struct libmnt_iter **iter)
{
	mnt_free_iter(*iter); /* NULL is fine */
}

/* Parse without libmount's habit to believe a line that it does not understand. */
static int refuse_line(struct libmnt_table *table, const char *path, int line)
{
	return -EINVAL;
}

static bool has_changed(FILE *stream)
{
	struct pollfd pfd = {.fd = fileno(stream), .events = POLLPRI};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLPRI);
}

/* 1 a table, 0 read again, -errno */
static int read_table(const struct pme_topo *topo, const char *path, struct libmnt_table **ret)
{
	_cleanup_(unref_table) struct libmnt_table *table = mnt_new_table();
	_cleanup_(close_stream) FILE *stream = NULL;
	_cleanup_close_ int fd = pme_os_open(topo->os, path, O_RDONLY);
	int r;

	if (fd < 0 || !table)
		return fd < 0 ? fd : -ENOMEM;
	stream = fdopen(fd, "re");
	if (!stream)
		return -errno;
	pme_take_fd(&fd);
	mnt_table_set_parser_errcb(table, refuse_line);
	r = mnt_table_parse_stream(table, stream, "mountinfo");
	if (r != 0)
		return r < 0 ? r : -EINVAL;
	*ret = pme_take_ptr(table);
	return has_changed(stream) ? 0 : 1;
}

int pme_mount_table(const struct pme_topo *topo, const char *path, struct libmnt_table **ret)
{
	int r = 0;

	*ret = NULL;
	for (int i = 0; i < READS_MAX && r == 0; i++) {
		unref_table(ret);
		*ret = NULL;
		r = read_table(topo, path, ret);
	}
	return r < 0 ? r : 0;
}

/* The number of the block device that its source is, or 0. */
static dev_t source_of(const struct pme_topo *topo, struct libmnt_fs *fs)
{
	const char *source = mnt_fs_get_source(fs);
	struct stat st;

	if (!source || strncmp(source, "/dev/", strlen("/dev/")) != 0)
		return 0;
	if (pme_os_stat(topo->os, source + 1, true, &st) < 0 || !S_ISBLK(st.st_mode))
		return 0;
	return st.st_rdev;
}

static bool is_btrfs(struct libmnt_fs *fs)
{
	return strcmp(mnt_fs_get_fstype(fs) ?: "", "btrfs") == 0;
}

/* The number of the block device below it, or 0.  @own: it is of our own namespace. */
static dev_t devno_of(const struct pme_topo *topo, struct libmnt_fs *fs, bool own)
{
	dev_t devno = mnt_fs_get_devno(fs);

	if (major(devno) != 0)
		return devno;
	devno = source_of(topo, fs);
	return devno || !is_btrfs(fs) ? devno : pme_btrfs_mount_device(topo, fs, own);
}

static int copy(const char *text, char **ret)
{
	*ret = strdup(text ? text : "");
	return *ret ? 0 : -ENOMEM;
}

static int fill(struct libmnt_fs *fs, dev_t devno, struct pme_mount *mount)
{
	int r;

	*mount = (struct pme_mount){.devno = devno, .shown = mnt_fs_get_devno(fs)};
	r = copy(mnt_fs_get_root(fs), &mount->root);
	if (r == 0)
		r = copy(mnt_fs_get_target(fs), &mount->target);
	if (r == 0)
		r = copy(mnt_fs_get_fstype(fs), &mount->type);
	if (r == 0)
		r = copy(mnt_fs_get_source(fs), &mount->source);
	if (r == 0)
		r = copy(mnt_fs_get_fs_options(fs), &mount->options);
	return r;
}

int pme_mount_fill(const struct pme_topo *topo, struct libmnt_fs *fs, struct pme_mount *mount)
{
	return fill(fs, devno_of(topo, fs, false), mount);
}

static int add_mount(struct pme_topo *topo, struct libmnt_fs *fs, dev_t devno)
{
	struct pme_mount *mount;
	int r = pme_grow(&topo->mounts, &topo->alloc_mounts, topo->n_mounts, sizeof(*mount));

	if (r < 0)
		return r;
	mount = &topo->mounts[topo->n_mounts++];
	return fill(fs, devno, mount);
}

static int add_mounts(struct pme_topo *topo, struct libmnt_table *table, struct pme_log *log)
{
	_cleanup_(free_iter) struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	size_t n_vague = 0;
	int r = 0;

	if (!iter)
		return -ENOMEM;
	while (r == 0 && mnt_table_next_fs(table, iter, &fs) == 0) {
		dev_t devno = devno_of(topo, fs, true);

		n_vague += devno == 0 && is_btrfs(fs);
		r = devno ? add_mount(topo, fs, devno) : 0;
	}
	if (n_vague > 0 && pme_btrfs_is_missed(topo))
		pme_log_incomplete(log, "/" MOUNTINFO,
				   "cannot tell on which devices %zu mounts of btrfs are", n_vague);
	return r;
}

int pme_topo_load_mounts(struct pme_topo *topo, struct pme_log *log)
{
	_cleanup_(unref_table) struct libmnt_table *table = NULL;
	int r = pme_mount_table(topo, MOUNTINFO, &table);

	if (r == 0)
		r = add_mounts(topo, table, log);
	if (r == -ENOMEM || r == 0)
		return r;
	pme_log_incomplete(log, "/" MOUNTINFO, "cannot be read: %s", strerror(-r));
	return 0;
}
