/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files by inode and generation; see donor-reach.h.
 */
#include "donor-reach.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>

#include "ext4-inode.h"
#include "xfs-inode.h"

static bool is_xfs(const struct pme_fs *fs)
{
	return strcmp(fs->type, "xfs") == 0;
}

/* The statfs(2) type of @fs, or 0 for one that is not known here. */
static unsigned long magic_of(const struct pme_fs *fs)
{
	if (is_xfs(fs))
		return XFS_SUPER_MAGIC;
	if (strcmp(fs->type, "ext4") == 0 || strcmp(fs->type, "ext3") == 0 ||
	    strcmp(fs->type, "ext2") == 0)
		return EXT4_SUPER_MAGIC;
	return 0;
}

/* Generation 0 in a handle is any: it is asked for again. */
static int open_ext(const struct pme_reach *reach, const struct pme_file *file, int flags)
{
	_cleanup_close_ int fd = -1;
	int generation = 0, r;

	if (file->inode > UINT32_MAX)
		return -ESTALE;
	fd = pme_ext4_inode_open(reach->root, (uint32_t)file->inode, file->generation, flags);
	if (fd < 0)
		return fd;
	r = pme_os_ioctl(fd, FS_IOC_GETVERSION, &generation);
	if (r < 0)
		return r;
	return (uint32_t)generation == file->generation ? pme_take_fd(&fd) : -ESTALE;
}

/* Of a mounted subdirectory the root has to be asked for. */
static int open_root(const struct pme_reach *reach, const struct pme_fs *fs)
{
	struct pme_xfs_inode root;
	int r;

	if (reach->entry.is_root)
		return pme_os_open_at(reach->entry.fd, ".", O_RDONLY | O_DIRECTORY);
	if (!is_xfs(fs))
		return -EXDEV;
	r = pme_xfs_inode_root(reach->entry.fd, &root);
	return r < 0 ? r
		     : pme_xfs_inode_open(reach->entry.fd, root.ino, root.gen,
					  O_RDONLY | O_DIRECTORY);
}

int pme_reach_open(const struct pme_os *os, const struct pme_fs *fs, struct pme_reach *ret)
{
	unsigned long magic = magic_of(fs);
	int r;

	*ret = (struct pme_reach){.entry = {.fd = -1}, .root = -1};
	if (!magic)
		return -EOPNOTSUPP;
	r = pme_fs_enter(os, fs, magic, &ret->entry);
	if (r < 0)
		return r;
	ret->root = open_root(ret, fs);
	return ret->root < 0 ? ret->root : 0;
}

void pme_reach_close(struct pme_reach *reach)
{
	pme_close_fd(&reach->root);
	pme_close_fd(&reach->entry.fd);
}

int pme_reach_file(const struct pme_reach *reach, const struct pme_fs *fs,
		   const struct pme_file *file, int flags)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (file->out_of_reach)
		return -EUCLEAN;
	flags |= O_NONBLOCK | O_NOFOLLOW;
	fd = is_xfs(fs) ? pme_xfs_inode_open(reach->root, file->inode, file->generation, flags)
			: open_ext(reach, file, flags);
	if (fd < 0)
		return fd;
	r = pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode) || st.st_ino != file->inode || st.st_dev != file->devno)
		return -ESTALE;
	return pme_take_fd(&fd);
}
