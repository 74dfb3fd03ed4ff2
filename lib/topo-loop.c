/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loop devices: which file is behind each, and an edge from the device that carries its filesystem.
 *
 * Sysfs has path and offset (drivers/block/loop.c); device and inode of the file come from the
 * device itself (LOOP_GET_STATUS64); it may be a block device as well.  A file that is not on a
 * block device of the snapshot (tmpfs, btrfs, NFS) gives no edge: then the loop device is a bottom.
 * The surprise: the path is that of whoever set it up, perhaps in another mount namespace, and the
 * file may be deleted.
 */
#include "topo.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/sysmacros.h>

/* lo_device is what huge_encode_dev() makes of st_dev (include/linux/kdev_t.h). */
static dev_t decode_devno(uint64_t device)
{
	return makedev((unsigned int)((device & 0xfff00) >> 8),
		       (unsigned int)((device & 0xff) | ((device >> 12) & 0xfff00)));
}

/*
 * lo_rdevice is the number of the block device behind, else 0 or, in older kernels, lo_device; of a
 * block device lo_device and lo_inode say where its node lies.
 */
void pme_loop_set_backing(struct pme_loop *loop, uint64_t lo_device, uint64_t lo_inode,
			  uint64_t lo_rdevice)
{
	loop->on_device = lo_rdevice != 0 && lo_rdevice != lo_device;
	loop->file_devno = decode_devno(loop->on_device ? lo_rdevice : lo_device);
	loop->file_inode = loop->on_device ? 0 : lo_inode;
}

/* Device and inode of the file behind; they stay 0 when the device does not say. */
static int ask_device(const struct pme_topo *topo, const struct pme_dev *dev, struct pme_loop *loop)
{
	_cleanup_free_ char *path = pme_dev_node(dev);
	_cleanup_close_ int fd = -1;
	struct loop_info64 info = {0};
	struct stat st;
	int r;

	if (!path)
		return -ENOMEM;
	fd = pme_os_open(topo->os, path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	r = pme_os_fstat(fd, &st);
	if (r == 0 && (!S_ISBLK(st.st_mode) || st.st_rdev != dev->devno))
		r = -ENODEV;
	if (r == 0)
		r = pme_os_ioctl(fd, LOOP_GET_STATUS64, &info);
	if (r < 0)
		return r;
	pme_loop_set_backing(loop, info.lo_device, info.lo_inode, info.lo_rdevice);
	return 0;
}

static int link_file(struct pme_topo *topo, struct pme_dev *dev, struct pme_log *log)
{
	const struct pme_dev *lower = pme_topo_dev_by_devno(topo, dev->loop->file_devno);

	/* the snapshot is still being built: its devices may be changed */
	return lower ? pme_topo_link((struct pme_dev *)lower, dev, log) : 0;
}

/* The path that the attribute shows, raw: a name may hold any newline but the last one. */
static int read_backing_file(const struct pme_topo *topo, const struct pme_dev *dev, char **ret)
{
	size_t len;
	int r = pme_os_read_attr(topo->os, ret, &len, "sys/class/block/%s/loop/backing_file",
				 dev->name);

	if (r == 0 && len > 0 && (*ret)[len - 1] == '\n')
		(*ret)[len - 1] = '\0';
	return r;
}

/* 0 also for a device without a file. */
static int load_loop(struct pme_topo *topo, struct pme_dev *dev, struct pme_log *log)
{
	_cleanup_free_ char *file = NULL;
	uint64_t offset;
	int r = read_backing_file(topo, dev, &file);

	if (r == 0)
		r = pme_os_read_u64(topo->os, &offset, "sys/class/block/%s/loop/offset", dev->name);
	if (r < 0 && r != -ENOMEM && r != -ENOENT)
		pme_log_incomplete(log, dev->name, "cannot read which file is behind it: %s",
				   strerror(-r));
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	dev->loop = calloc(1, sizeof(*dev->loop));
	if (!dev->loop)
		return -ENOMEM;
	dev->loop->file = pme_take_ptr(file);
	dev->loop->offset = offset;
	r = ask_device(topo, dev, dev->loop);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		pme_log_incomplete(log, dev->name, "cannot ask which file is behind it: %s",
				   strerror(-r));
		return 0;
	}
	return link_file(topo, dev, log);
}

int pme_topo_load_loops(struct pme_topo *topo, struct pme_log *log)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < topo->n_devs; i++)
		if (topo->devs[i]->kind == PME_DEV_DISK &&
		    strncmp(topo->devs[i]->name, "loop", strlen("loop")) == 0)
			r = load_loop(topo, topo->devs[i], log);
	return r;
}
