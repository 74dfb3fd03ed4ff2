/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way into a mounted filesystem; see fs-enter.h.
 *
 * Through a private, detached copy of one of its mounts, so that mounts stacked on it hide nothing,
 * and a mounted subdirectory is enough.
 */
#include "fs-enter.h"

#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>

/* Is @fd the directory of a filesystem of type @magic on @dev?  0 or -errno. */
static int check_dir(int fd, const struct pme_dev *dev, unsigned long magic)
{
	struct statfs sfs;
	struct stat st;
	int r = pme_os_stat_at(fd, ".", false, &st);

	if (r < 0)
		return r;
	if (fstatfs(fd, &sfs) < 0)
		return -errno;
	return st.st_dev == dev->devno && (magic == 0 || (unsigned long)sfs.f_type == magic)
		       ? 0
		       : -EXDEV;
}

/* Without the privilege to copy a mount, its directory itself has to do. */
int pme_fs_enter_mount(const struct pme_os *os, const struct pme_mount *mount)
{
	_cleanup_close_ int copy = pme_os_enter_mount(os, mount->target);

	return copy >= 0 ? pme_os_open_at(copy, ".", O_RDONLY | O_DIRECTORY)
			 : pme_os_open(os, mount->target[1] ? mount->target + 1 : ".",
				       O_RDONLY | O_DIRECTORY);
}

static int enter_mount(const struct pme_os *os, const struct pme_mount *mount,
		       const struct pme_dev *dev, unsigned long magic, struct pme_fs_entry *ret)
{
	_cleanup_close_ int fd = pme_fs_enter_mount(os, mount);
	int r = fd < 0 ? fd : check_dir(fd, dev, magic);

	if (r < 0)
		return r;
	ret->fd = pme_take_fd(&fd);
	ret->is_root = strcmp(mount->root, "/") == 0;
	return 0;
}

/* Any mount will do, but one of the root is better: it is enough without open_by_handle_at(). */
int pme_fs_enter(const struct pme_os *os, const struct pme_fs *fs, unsigned long magic,
		 struct pme_fs_entry *ret)
{
	int r = -ENOENT;

	for (int whole = 1; whole >= 0; whole--) {
		for (size_t i = 0; i < fs->n_mounts; i++) {
			if ((strcmp(fs->mounts[i]->root, "/") == 0) != whole)
				continue;
			r = enter_mount(os, fs->mounts[i], fs->main, magic, ret);
			if (r == 0)
				return 0;
		}
	}
	return r;
}
