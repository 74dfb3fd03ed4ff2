/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What files are; see scan-uses.h.
 *
 * The first block of a file is read, by its handle, only where it can say something (a file that
 * is open, or as large as the smallest pool), and only when no list has it as bad: a read of bad
 * memory is an error that the machine reports anew, so what is known to be bad is not touched, by
 * reading ahead neither.  A lease that somebody has on the file is not waited for.
 * Where it lies is asked with FIEMAP as of ext4, of XFS too: that flushes nothing.  Of a file of
 * XFS with very many extents, which the kernel would load first: scan-head.h.
 */
#include "scan-uses.h"

#include <fcntl.h>
#include <string.h>

#include "donor-reach.h"
#include "ext4-inode.h"
#include "extent.h"
#include "scan-head.h"
#include "use-pool.h"
#include "use.h"

#define HEADS_MAX 4096 /* files of one filesystem that are read: each is a seek */

struct looking {
	struct pme_scan *scan;
	const struct pme_reached_fs *fs;
	struct pme_log *log;
	struct pme_reach reach;
	bool can_reach;
	size_t n_heads;
	unsigned char head[PME_USE_HEAD];
};

static const char swap_advice[] =
	"Take it out of use with swapoff, which fails where a page cannot be read, and make it "
	"anew.";
static const char loop_advice[] =
	"See what is said of that device: the file itself is only its storage.";
static const char lone_loop_advice[] =
	"What is lost on that device is not known: compare what it carries with a backup.";

/* --- what the kernel says --- */

static int set_swap(struct pme_file *file)
{
	file->use = pme_use_new(&(struct pme_use){
		.kind = PME_USE_SWAP_FILE,
		.source = PME_USE_BY_KERNEL,
		.what = strdup("swap file in use"),
		.advice = swap_advice,
	});
	return file->use ? 0 : -ENOMEM;
}

static const struct pme_dev *loop_of(const struct pme_topo *topo, const struct pme_file *file)
{
	for (size_t i = 0; i < topo->n_devs; i++) {
		const struct pme_loop *loop = topo->devs[i]->loop;

		if (loop && !loop->on_device && loop->file_inode == file->inode &&
		    loop->file_devno == file->devno)
			return topo->devs[i];
	}
	return NULL;
}

static const struct pme_mount *mount_of(const struct pme_topo *topo, const struct pme_dev *dev)
{
	for (size_t i = 0; i < topo->n_mounts; i++)
		if (pme_topo_mount_has(topo, &topo->mounts[i], dev))
			return &topo->mounts[i];
	return NULL;
}

/* "image of loop0: xfs mounted at /mnt", "image of loop0, which carries vg0/a" */
static char *loop_text(const struct pme_topo *topo, const struct pme_dev *dev)
{
	const struct pme_mount *mount = mount_of(topo, dev);

	if (mount)
		return pme_printf("image of %s: %s mounted at %s", dev->name, mount->type,
				  mount->target);
	if (dev->swap)
		return pme_printf("image of %s: swap", dev->name);
	if (dev->n_uppers > 0)
		return pme_printf("image of %s, which carries %s%s", dev->name,
				  pme_dev_label(dev->uppers[0]),
				  dev->n_uppers > 1 ? " and others" : "");
	return pme_printf("image of %s", dev->name);
}

/* Of files of some filesystems nobody goes on to the loop device: topo-loop.c. */
static int set_loop(const struct looking *looking, const struct pme_dev *dev, struct pme_file *file)
{
	const struct pme_topo *topo = looking->scan->topo;

	if (dev->n_lowers == 0)
		pme_log_incomplete(looking->log, dev->name,
				   "its storage is a file on %s, and is not followed from there: "
				   "what is lost on it is not known",
				   looking->fs->fs.type);
	file->use = pme_use_new(&(struct pme_use){
		.kind = PME_USE_LOOP_IMAGE,
		.source = PME_USE_BY_KERNEL,
		.what = loop_text(topo, dev),
		.name = strdup(dev->name),
		.advice = dev->n_lowers > 0 ? loop_advice : lone_loop_advice,
	});
	return file->use ? 0 : -ENOMEM;
}

/* --- what the file says --- */

static bool is_head_worth(const struct pme_file *file)
{
	return file->size >= PME_POOL_MIN || (file->size > 0 && file->n_holders > 0);
}

/* One extent of a file: 0; -EIO when a list has some of it, or may; -ENOMEM. */
static int look_at_extent(void *arg, struct pme_range range, uint64_t device_start, bool unwritten)
{
	struct looking *looking = arg;
	int r;

	if (unwritten) /* zeros, which nobody reads from there */
		return 0;
	r = pme_scan_head_is_bad(looking->scan, &looking->fs->fs,
				 (struct pme_range){device_start, range.length});
	return r > 0 ? -EIO : r;
}

/* As read_head(), without the file's extents; -EAGAIN when that is not possible. */
static int read_from_device(struct looking *looking, const struct pme_file *file, int fd,
			    size_t size)
{
	const struct pme_scan_head head = {looking->scan, &looking->fs->fs, file, fd};
	int r = pme_scan_head_read(&head, size, looking->head);

	return r > 0 ? (int)size : r;
}

/* The first bytes of @file in looking->head: how many, 0 when they are not to be had; -ENOMEM. */
static int read_head(struct looking *looking, const struct pme_file *file)
{
	size_t size = pme_min(PME_USE_HEAD, file->size);
	_cleanup_close_ int fd = -1;
	int r;

	if (!looking->can_reach || !is_head_worth(file) || looking->n_heads >= HEADS_MAX)
		return 0;
	looking->n_heads++;
	fd = pme_reach_file(&looking->reach, &looking->fs->fs, file, O_RDONLY | O_NOATIME);
	if (fd < 0)
		return fd == -ENOMEM ? fd : 0;
	if (pme_fd_is_realtime(fd))
		return 0;
	r = read_from_device(looking, file, fd, size);
	if (r != -EAGAIN)
		return r;
	r = pme_ext4_inode_extents(fd, (struct pme_range){0, size}, look_at_extent, looking);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) != 0)
		return 0;
	return pme_os_pread(fd, looking->head, size, 0) == 0 ? (int)size : 0;
}

static int look_at(struct looking *looking, struct pme_file *file)
{
	const struct pme_topo *topo = looking->scan->topo;
	const struct pme_dev *loop;
	int r;

	if (!S_ISREG(file->mode) || file->vault > 0 || file->use)
		return 0;
	if (pme_topo_is_swap_file(topo, file->devno, file->inode))
		return set_swap(file);
	loop = loop_of(topo, file);
	if (loop)
		return set_loop(looking, loop, file);
	r = read_head(looking, file);
	if (r < 0)
		return r;
	r = pme_use_find(&(struct pme_use_facts){.os = topo->os,
						 .file = file,
						 .head = r > 0 ? looking->head : NULL,
						 .head_size = (size_t)r},
			 &file->use);
	return r < 0 ? r : 0;
}

/* Does any file of @fs need to be opened? */
static bool is_any_worth(const struct pme_reached_fs *fs)
{
	for (size_t i = 0; i < fs->result.n_files; i++)
		if (S_ISREG(fs->result.files[i]->mode) && is_head_worth(fs->result.files[i]))
			return true;
	return false;
}

static int look_at_fs(struct pme_scan *scan, const struct pme_reached_fs *fs, struct pme_log *log)
{
	struct looking looking = {
		.scan = scan,
		.fs = fs,
		.log = log,
		.reach = {.entry = {.fd = -1}, .root = -1},
	};
	int r = 0;

	if (is_any_worth(fs))
		looking.can_reach = pme_reach_open(scan->topo->os, &fs->fs, &looking.reach) == 0;
	pme_progress_about(log->progress, pme_fs_subject(&fs->fs));
	pme_progress_phase(log->progress, PME_PHASE_USES, PME_UNIT_FILES, fs->result.n_files);
	for (size_t i = 0; r == 0 && i < fs->result.n_files; i++) {
		r = pme_progress_at(log->progress, i);
		if (r == 0)
			r = look_at(&looking, fs->result.files[i]);
	}
	pme_reach_close(&looking.reach);
	if (r == -ETIME)
		pme_log_incomplete(log, pme_fs_subject(&fs->fs),
				   "what the files are is not known of all: %s",
				   pme_progress_error(r));
	return r == -ENOMEM ? r : 0;
}

int pme_scan_uses(struct pme_scan *scan, struct pme_log *log)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < scan->findings.n_fs; i++)
		if (scan->findings.fs[i]->result.n_files > 0)
			r = look_at_fs(scan, scan->findings.fs[i], log);
	return r;
}
