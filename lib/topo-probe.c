/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is on a device, by its signatures: libblkid's low-level probe, never its cache.
 *
 * The surprise: one bad sector where some other filesystem would keep its superblock makes
 * libblkid's safe probe fail as a whole.  Then every prober is run by itself, those that cannot
 * read are passed over, and what is left must agree.
 */
#include "topo.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <string.h>

/* libblkid has some 80 probers; each is run once. */
#define PROBES_MAX 1000

static void free_probe(blkid_probe *probe)
{
	blkid_free_probe(*probe); /* NULL is fine */
}

void pme_probe_done(struct pme_probe *probe)
{
	free(probe->type);
	free(probe->usage);
	free(probe->uuid);
	free(probe->pttype);
	free(probe->journal);
	*probe = (struct pme_probe){0};
}

static int copy_value(blkid_probe probe, const char *name, char **ret)
{
	const char *value;

	if (*ret || blkid_probe_lookup_value(probe, name, &value, NULL) < 0)
		return 0;
	*ret = strdup(value);
	return *ret ? 0 : -ENOMEM;
}

static int copy_values(blkid_probe probe, struct pme_probe *ret)
{
	int r = copy_value(probe, "TYPE", &ret->type);

	if (r == 0)
		r = copy_value(probe, "USAGE", &ret->usage);
	if (r == 0)
		r = copy_value(probe, "UUID", &ret->uuid);
	if (r == 0)
		r = copy_value(probe, "PTTYPE", &ret->pttype);
	if (r == 0)
		r = copy_value(probe, "EXT_JOURNAL", &ret->journal);
	return r;
}

static bool disagrees(blkid_probe probe, const struct pme_probe *found)
{
	const char *type;

	if (!found->type || blkid_probe_lookup_value(probe, "TYPE", &type, NULL) < 0)
		return false;
	return strcmp(found->type, type) != 0;
}

/* One prober after the other.  -EIO when one could not read and none of the others knew it. */
static int probe_each(blkid_probe probe, struct pme_probe *ret)
{
	bool failed = false;

	blkid_reset_probe(probe);
	for (int i = 0; i < PROBES_MAX; i++) {
		int r = blkid_do_probe(probe);

		if (r == 1)
			break;
		failed = failed || r < 0;
		if (r == 0 && disagrees(probe, ret))
			return -EMLINK;
		if (r == 0 && copy_values(probe, ret) < 0)
			return -ENOMEM;
	}
	return failed && !ret->type && !ret->pttype ? -EIO : 0;
}

/*
 * Only the superblocks of @type: their names are those of mount(8), but that ext4 mounts all three.
 */
static int ask_for(blkid_probe probe, const char *type)
{
	char *one[] = {(char *)type, NULL},
	     *ext[] = {(char *)"ext2", (char *)"ext3", (char *)"ext4", NULL};

	return blkid_probe_filter_superblocks_type(probe, BLKID_FLTR_ONLYIN,
						   strncmp(type, "ext", 3) == 0 ? ext : one);
}

static int probe_device(blkid_probe probe, const char *type, struct pme_probe *ret)
{
	int r;

	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE |
							 BLKID_SUBLKS_UUID);
	if (type && ask_for(probe, type) < 0)
		return -ENOMEM;
	blkid_probe_enable_partitions(probe, !type);
	r = blkid_do_safeprobe(probe);
	if (r == -2) /* BLKID_PROBE_AMBIGUOUS */
		return -EMLINK;
	if (r < 0)
		return probe_each(probe, ret);
	return r == 0 ? copy_values(probe, ret) : 0;
}

/* "cciss!c0d0" in sysfs is the node /dev/cciss/c0d0. */
char *pme_dev_node(const struct pme_dev *dev)
{
	char *path = pme_printf("dev/%s", dev->name);

	for (char *p = path ? strchr(path, '!') : NULL; p; p = strchr(p, '!'))
		*p = '/';
	return path;
}

/* @type: the only one that is looked for, or NULL. */
static int probe_as(const struct pme_topo *topo, const struct pme_dev *dev, const char *type,
		    struct pme_probe *ret)
{
	_cleanup_(free_probe) blkid_probe probe = NULL;
	_cleanup_(pme_probe_done) struct pme_probe found = {0};
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (dev->kind == PME_DEV_REGION || dev->kind == PME_DEV_CHARDEV)
		return -ENOTBLK;
	if (pme_dev_suspended(topo, dev))
		return -EAGAIN;
	path = pme_dev_node(dev);
	if (!path)
		return -ENOMEM;
	fd = pme_os_open(topo->os, path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	probe = blkid_new_probe();
	if (!probe)
		return -ENOMEM;
	if (blkid_probe_set_device(probe, fd, 0, 0) != 0)
		return -EIO;
	r = probe_device(probe, type, &found);
	if (r < 0)
		return r;
	*ret = found;
	found = (struct pme_probe){0};
	return 0;
}

int pme_dev_probe(const struct pme_topo *topo, const struct pme_dev *dev, struct pme_probe *ret)
{
	return probe_as(topo, dev, NULL, ret);
}

int pme_dev_probe_mounted(const struct pme_topo *topo, const struct pme_dev *dev, const char *type,
			  struct pme_probe *ret)
{
	int r = probe_as(topo, dev, type, ret);

	return r == 0 && ret->type ? 0 : probe_as(topo, dev, NULL, ret);
}
