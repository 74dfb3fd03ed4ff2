/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of bcache: which of the devices below is the backing one, and which cache set they use.
 *
 * The edges are those of every stacked device (slaves in sysfs).  The backing device has a folder
 * "bcache" with its state, a link "cache" to the cache set in /sys/fs/bcache, and the set has a
 * link "bdevN" back to that folder: N is the number that the extents of the set carry
 * (drivers/md/bcache/super.c:bcache_device_link).  The surprise: the folder of bcacheN itself is a
 * link to that of its backing device, and a partition can be one.
 */
#include "topo.h"

#include <string.h>

#define SETS "sys/fs/bcache"

static const struct pme_dev *find_backing(const struct pme_topo *topo, const struct pme_dev *dev,
					  int *ret_error)
{
	*ret_error = 0;
	for (size_t i = 0; i < dev->n_lowers; i++) {
		_cleanup_free_ char *path =
			pme_printf("sys/class/block/%s/bcache/state", dev->lowers[i]->name);
		int r = path ? pme_os_exists(topo->os, path) : -ENOMEM;

		if (r == 1)
			return dev->lowers[i];
		if (r < 0)
			*ret_error = r;
	}
	return NULL;
}

/* The last part of the target of a link; 0 and NULL when there is no link. */
static int read_link_name(const struct pme_topo *topo, const char *path, char **ret)
{
	_cleanup_free_ char *target = NULL;
	const char *slash;
	int r = pme_os_readlink(topo->os, path, &target);

	*ret = NULL;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	slash = strrchr(target, '/');
	*ret = strdup(slash ? slash + 1 : target);
	return *ret ? 0 : -ENOMEM;
}

/* 1 when SETS/SET/NAME is a link to the folder "bcache" of @backing, 0 not. */
static int links_to(const struct pme_topo *topo, const char *set, const char *name,
		    const struct pme_dev *backing)
{
	_cleanup_free_ char *path = pme_printf(SETS "/%s/%s", set, name);
	_cleanup_free_ char *target = NULL;
	_cleanup_free_ char *wanted = pme_printf("/%s/bcache", backing->name);
	size_t have, want;
	int r = path && wanted ? pme_os_readlink(topo->os, path, &target) : -ENOMEM;

	if (r < 0)
		return r;
	have = strlen(target);
	want = strlen(wanted);
	return have >= want && strcmp(target + have - want, wanted) == 0;
}

static int find_id(const struct pme_topo *topo, struct pme_bcache *bcache)
{
	_cleanup_free_ char *path = pme_printf(SETS "/%s", bcache->set);
	char **names = NULL;
	size_t count = 0;
	int r = path ? pme_os_list(topo->os, path, &names, &count) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count; i++) {
		uint64_t id;

		if (strncmp(names[i], "bdev", 4) != 0 ||
		    pme_parse_u64(names[i] + 4, strlen(names[i] + 4), &id) < 0)
			continue;
		r = links_to(topo, bcache->set, names[i], bcache->backing);
		if (r == 1)
			bcache->id = id;
	}
	pme_os_free_names(names, count);
	return r < 0 ? r : 0;
}

static int read_backing(const struct pme_topo *topo, struct pme_bcache *bcache)
{
	_cleanup_free_ char *path =
		pme_printf("sys/class/block/%s/bcache/cache", bcache->backing->name);
	int r = path ? pme_os_read_line(topo->os, &bcache->state, "sys/class/block/%s/bcache/state",
					bcache->backing->name)
		     : -ENOMEM;

	if (r == 0)
		r = read_link_name(topo, path, &bcache->set);
	return r == 0 && bcache->set ? find_id(topo, bcache) : r;
}

static int load_bcache(const struct pme_topo *topo, struct pme_dev *dev, struct pme_log *log)
{
	int r;

	dev->bcache = calloc(1, sizeof(*dev->bcache));
	if (!dev->bcache)
		return -ENOMEM;
	dev->bcache->id = PME_UNKNOWN;
	dev->bcache->backing = find_backing(topo, dev, &r);
	if (dev->bcache->backing)
		r = read_backing(topo, dev->bcache);
	if (r < 0 && r != -ENOMEM)
		pme_log_incomplete(log, dev->name, "cannot read the state of its cache: %s",
				   strerror(-r));
	return r == -ENOMEM ? r : 0;
}

int pme_topo_load_bcaches(struct pme_topo *topo, struct pme_log *log)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < topo->n_devs; i++) {
		struct pme_dev *dev = topo->devs[i];

		if (dev->kind == PME_DEV_DISK && dev->n_lowers > 0 &&
		    strncmp(dev->name, "bcache", strlen("bcache")) == 0)
			r = load_bcache(topo, dev, log);
	}
	return r;
}
