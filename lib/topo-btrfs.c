/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of mounted btrfs filesystems: /sys/fs/btrfs/UUID/devices has a link for each, by its
 * kernel name (fs/btrfs/sysfs.c).
 *
 * The surprise: mountinfo names only one of them as the source, and not always the same; and by the
 * path that it was mounted by, which may lie anywhere and be gone.  Then the mount is asked.
 */
#include "topo.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <string.h>
#include <uuid/uuid.h>

#include "topo-mount.h"

#define FOLDER "sys/fs/btrfs"

static int add_member(const struct pme_topo *topo, const char *uuid, const char *name)
{
	struct pme_dev *dev = pme_topo_find(topo, name);

	if (!dev || dev->member_of)
		return 0;
	dev->member_of = strdup(uuid);
	return dev->member_of ? 0 : -ENOMEM;
}

/* One folder below FOLDER: "features" is one without devices. */
static int load_one(const struct pme_topo *topo, const char *uuid)
{
	_cleanup_free_ char *path = pme_printf("%s/%s/devices", FOLDER, uuid);
	char **names = NULL;
	size_t count = 0;
	int r = path ? pme_os_list(topo->os, path, &names, &count) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_member(topo, uuid, names[i]);
	pme_os_free_names(names, count);
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

int pme_topo_load_btrfs(struct pme_topo *topo, struct pme_log *log)
{
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(topo->os, FOLDER, &names, &count);

	if (r == -ENOENT) /* no btrfs in this kernel */
		return 0;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = load_one(topo, names[i]);
	pme_os_free_names(names, count);
	if (r == 0 || r == -ENOMEM)
		return r;
	pme_log_incomplete(log, "/" FOLDER, "cannot read the devices of btrfs filesystems: %s",
			   strerror(-r));
	return 0;
}

bool pme_topo_mount_has(const struct pme_topo *topo, const struct pme_mount *mount,
			const struct pme_dev *dev)
{
	const struct pme_dev *source;

	if (dev->devno != 0 && mount->devno == dev->devno)
		return true;
	if (!dev->member_of || strcmp(mount->type, "btrfs") != 0)
		return false;
	source = pme_topo_dev_by_devno(topo, mount->devno);
	return source && source->member_of && strcmp(source->member_of, dev->member_of) == 0;
}

/* The directory where the mount begins: a descriptor; -ESTALE another one is mounted over it. */
static int open_mount(const struct pme_topo *topo, struct libmnt_fs *fs)
{
	const char *target = mnt_fs_get_target(fs);
	_cleanup_close_ int fd = -1;
	uint64_t id;
	int r;

	if (!target || target[0] != '/')
		return -EINVAL;
	fd = pme_os_open(topo->os, target[1] ? target + 1 : ".", O_PATH | O_DIRECTORY);
	r = fd < 0 ? fd : pme_os_mount_id(fd, &id);
	if (r < 0)
		return r;
	if (id != (uint64_t)mnt_fs_get_id(fs))
		return -ESTALE;
	return pme_os_open_at(fd, ".", O_RDONLY | O_DIRECTORY);
}

/* The UUID by which sysfs knows the filesystem: 0 or -errno. */
static int ask_uuid(const struct pme_topo *topo, struct libmnt_fs *fs, char text[UUID_STR_LEN])
{
	struct btrfs_ioctl_fs_info_args info = {0};
	_cleanup_close_ int fd = open_mount(topo, fs);
	int r = fd < 0 ? fd : pme_os_ioctl(fd, BTRFS_IOC_FS_INFO, &info);

	if (r == 0)
		uuid_unparse_lower(info.fsid, text);
	return r;
}

dev_t pme_btrfs_mount_device(const struct pme_topo *topo, struct libmnt_fs *fs, bool ask)
{
	char uuid[UUID_STR_LEN];

	for (size_t i = 0; i < topo->n_mounts; i++)
		if (topo->mounts[i].shown == mnt_fs_get_devno(fs))
			return topo->mounts[i].devno;
	if (!ask || !pme_btrfs_is_missed(topo) || ask_uuid(topo, fs, uuid) < 0)
		return 0;
	for (size_t i = 0; i < topo->n_devs; i++) {
		const struct pme_dev *dev = topo->devs[i];

		if (dev->member_of && strcmp(dev->member_of, uuid) == 0)
			return dev->devno;
	}
	return 0;
}

static bool is_shown(const struct pme_topo *topo, const struct pme_dev *dev)
{
	for (size_t i = 0; i < topo->n_mounts; i++)
		if (pme_topo_mount_has(topo, &topo->mounts[i], dev))
			return true;
	return false;
}

bool pme_btrfs_is_missed(const struct pme_topo *topo)
{
	for (size_t i = 0; i < topo->n_devs; i++)
		if (topo->devs[i]->member_of && !is_shown(topo, topo->devs[i]))
			return true;
	return false;
}
