/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of mounted btrfs filesystems: /sys/fs/btrfs/UUID/devices has a link for each, by its
 * kernel name (fs/btrfs/sysfs.c).
 *
 * The surprise: mountinfo names only one of them as the source, and not always the same.
 */
#include "topo.h"

#include <string.h>

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
