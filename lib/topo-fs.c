/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The devices of mounted filesystems: besides the one that is mounted, those that options name.
 *
 * The surprise: an option shows the name that mount(8) was given, which may mean another device by
 * now.  Who reads the filesystem has to ask it whether the device is its own.
 */
#include "topo.h"

#include <string.h>

/* Mount options that name a device. */
static const struct {
	const char *type, *key;
	enum pme_fs_role role;
} parts[] = {
	{"xfs", "logdev=", PME_FS_LOG},
	{"xfs", "rtdev=", PME_FS_REALTIME},
};

/* The device that the option @key ("rtdev=") of @mount names: *@ret, NULL none; 0 or -ENOMEM. */
static int option_device(const struct pme_topo *topo, const struct pme_mount *mount,
			 const char *key, const struct pme_dev **ret)
{
	const char *pos = mount->options;

	*ret = NULL;
	while (pos && *pos) {
		size_t len = strcspn(pos, ",");

		if (len > strlen(key) && strncmp(pos, key, strlen(key)) == 0) {
			_cleanup_free_ char *path = strndup(pos + strlen(key), len - strlen(key));

			if (!path)
				return -ENOMEM;
			*ret = pme_topo_dev_by_spec(topo, path);
			return 0;
		}
		pos += len + (pos[len] == ',');
	}
	return 0;
}

/* Is @dev named by an option of @mount?  1 and *@ret_role, 0, -ENOMEM. */
static int find_part(const struct pme_topo *topo, const struct pme_mount *mount,
		     const struct pme_dev *dev, enum pme_fs_role *ret_role)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(parts); i++) {
		const struct pme_dev *named;
		int r;

		if (strcmp(mount->type, parts[i].type) != 0)
			continue;
		r = option_device(topo, mount, parts[i].key, &named);
		if (r < 0)
			return r;
		if (named == dev) {
			*ret_role = parts[i].role;
			return 1;
		}
	}
	return 0;
}

int pme_topo_fs_find(const struct pme_topo *topo, const struct pme_dev *dev,
		     const struct pme_dev **ret_main, enum pme_fs_role *ret_role)
{
	for (size_t i = 0; dev->devno && i < topo->n_mounts; i++) {
		if (topo->mounts[i].devno != dev->devno)
			continue;
		*ret_main = dev;
		*ret_role = PME_FS_DATA;
		return 1;
	}
	for (size_t i = 0; dev->member_of && i < topo->n_mounts; i++) {
		if (!pme_topo_mount_has(topo, &topo->mounts[i], dev))
			continue;
		*ret_main = pme_topo_dev_by_devno(topo, topo->mounts[i].devno);
		*ret_role = PME_FS_MEMBER;
		return 1;
	}
	for (size_t i = 0; dev->devno && i < topo->n_mounts; i++) {
		int r = find_part(topo, &topo->mounts[i], dev, ret_role);

		if (r < 0)
			return r;
		*ret_main = r ? pme_topo_dev_by_devno(topo, topo->mounts[i].devno) : NULL;
		if (*ret_main)
			return 1;
	}
	return 0;
}

const struct pme_dev *pme_topo_fs_device(const struct pme_topo *topo, const struct pme_mount *mount,
					 enum pme_fs_role role)
{
	const struct pme_dev *dev = NULL;

	if (role == PME_FS_DATA)
		return pme_topo_dev_by_devno(topo, mount->devno);
	for (size_t i = 0; !dev && i < PME_ARRAY_SIZE(parts); i++)
		if (parts[i].role == role && strcmp(parts[i].type, mount->type) == 0 &&
		    option_device(topo, mount, parts[i].key, &dev) < 0)
			return NULL;
	return dev;
}
