/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is everything that sysfs knows of persistent memory in the snapshot?
 *
 * libndctl leaves out, without a word, what it could not read or had no memory for.  A region or
 * namespace that is missing would be one without bad blocks; so names and sizes are compared with
 * sysfs, and what is missing is said.  Nothing is added here.
 */
#include <string.h>

#include "topo.h"

#define ND_DEVICES "sys/bus/nd/devices"

static const struct pme_region *region_named(const struct pme_topo *topo, const char *name)
{
	for (size_t i = 0; i < topo->n_regions; i++)
		if (strcmp(topo->regions[i]->name, name) == 0)
			return topo->regions[i];
	return NULL;
}

static void say_missing(struct pme_log *log, const char *name)
{
	pme_log_incomplete(log, name, "libndctl does not tell of it: what is on it is not known");
}

static void check_region(const struct pme_topo *topo, const char *name, struct pme_log *log)
{
	const struct pme_region *region = region_named(topo, name);
	uint64_t mappings;

	if (!region) {
		say_missing(log, name);
		return;
	}
	if (pme_os_read_u64(topo->os, &mappings, ND_DEVICES "/%s/mappings", name) == 0 &&
	    mappings > region->n_dimms)
		pme_log_incomplete(log, name, "libndctl tells of %zu of its %llu DIMMs",
				   region->n_dimms, (unsigned long long)mappings);
}

/* Is there a uuid in sysfs that the snapshot lacks?  Identities of findings hang on it. */
static bool lacks_uuid(const struct pme_topo *topo, const struct pme_namespace *ns)
{
	_cleanup_free_ char *uuid = NULL;

	return !ns->uuid &&
	       pme_os_read_line(topo->os, &uuid, ND_DEVICES "/%s/uuid", ns->name) == 0 && *uuid;
}

/* Namespaces of size 0 are seeds: places where one could be made. */
static void check_namespace(const struct pme_topo *topo, const char *name, struct pme_log *log)
{
	const struct pme_namespace *ns = pme_topo_namespace_by_name(topo, name);
	uint64_t size;
	int r;

	if (ns) {
		if (lacks_uuid(topo, ns))
			pme_log_incomplete(log, name, "libndctl does not tell its uuid");
		if (ns->device && ns->mode == PME_MODE_UNKNOWN)
			pme_log_incomplete(log, name, "libndctl does not tell its mode");
		return;
	}
	r = pme_os_read_u64(topo->os, &size, ND_DEVICES "/%s/size", name);
	if (r == 0 && size == 0)
		return;
	if (r != -ENOENT && r != -ENODEV) /* it went meanwhile */
		say_missing(log, name);
}

/* A pmem disk that no namespace claims. */
static void check_disks(const struct pme_topo *topo, struct pme_log *log)
{
	for (size_t i = 0; i < topo->n_devs; i++) {
		const struct pme_dev *dev = topo->devs[i];

		if (dev->kind == PME_DEV_DISK && !dev->ns && strncmp(dev->name, "pmem", 4) == 0)
			pme_log_incomplete(log, dev->name,
					   "libndctl does not tell which namespace it belongs to");
	}
}

static bool is_numbered(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 && name[len] >= '0' && name[len] <= '9';
}

int pme_topo_check_nd(const struct pme_topo *topo, struct pme_log *log)
{
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(topo->os, ND_DEVICES, &names, &count);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		pme_log_incomplete(log, "/" ND_DEVICES, "cannot be listed: %s", strerror(-r));
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (is_numbered(names[i], "region"))
			check_region(topo, names[i], log);
		else if (is_numbered(names[i], "namespace"))
			check_namespace(topo, names[i], log);
	}
	pme_os_free_names(names, count);
	check_disks(topo, log);
	return 0;
}
