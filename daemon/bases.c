/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a device down to regions; see bases.h.
 *
 * A namespace's disk, and a partition of it, have their region in the path of the device; others
 * have the devices below them in slaves/, a partition in that of its disk.
 */
#include "bases.h"

#include <string.h>

#include "lists.h"

#define DEPTH_MAX 16   /* of a stack */
#define VISITS_MAX 512 /* devices, each as often as something stands on it */

struct walk {
	const struct pme_os *os;
	void (*found)(void *arg, const char *region);
	void *arg;
	unsigned int visits;
};

static int visit(struct walk *walk, const char *path, unsigned int depth);

static int visit_slaves(struct walk *walk, const char *path, unsigned int depth)
{
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(walk->os, path, &names, &count), worst = 0;

	for (size_t i = 0; r >= 0 && i < count; i++) {
		_cleanup_free_ char *slave = pme_printf("sys/class/block/%s", names[i]);
		int error = slave ? visit(walk, slave, depth + 1) : -ENOMEM;

		worst = error < 0 ? error : worst;
	}
	pme_os_free_names(names, count);
	return r == -ENOENT ? 0 : r < 0 ? r : worst;
}

static int visit(struct walk *walk, const char *path, unsigned int depth)
{
	_cleanup_free_ char *target = NULL, *region = NULL, *slaves = NULL, *partition = NULL;
	const char *name;
	int r = pme_os_readlink(walk->os, path, &target);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (depth > DEPTH_MAX || ++walk->visits > VISITS_MAX)
		return -ENODATA;
	region = pmed_region_of_path(target);
	if (region) {
		walk->found(walk->arg, region);
		return 0;
	}
	name = strrchr(target, '/');
	if (strncmp(name ? name + 1 : target, "loop", strlen("loop")) == 0)
		return -ENODATA;
	partition = pme_printf("%s/partition", path);
	if (!partition)
		return -ENOMEM;
	slaves = pme_printf(pme_os_exists(walk->os, partition) == 1 ? "%s/../slaves" : "%s/slaves",
			    path);
	return slaves ? visit_slaves(walk, slaves, depth) : -ENOMEM;
}

int pmed_bases(const struct pme_os *os, unsigned int major, unsigned int minor,
	       void (*found)(void *arg, const char *region), void *arg)
{
	struct walk walk = {.os = os, .found = found, .arg = arg};
	_cleanup_free_ char *path = pme_printf("sys/dev/block/%u:%u", major, minor);

	if (major == 0)
		return -ENODATA;
	return path ? visit(&walk, path, 0) : -ENOMEM;
}
