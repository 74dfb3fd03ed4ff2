/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Identities: what names a device across renaming, rebinding and reboots.
 *
 *   ns:UUID             a namespace's device, by the uuid that `ndctl list` shows
 *   iset:COOKIE         a region, by its interleave set
 *   dm:UUID, md:UUID    where they have one
 *   dmname:NAME         other dm devices: their name is given, their number is not
 *   loop:FILE+OFFSET    a loop device
 *   wwid:…, serial:…    other disks, where the kernel has it
 *   IDENTITY:partN      partition N of a disk
 *   name:NAME           all others: no better than their kernel name
 *
 * Text that is not plain printable ASCII is no identity.
 */
#include "topo.h"

#include <string.h>

#define SYS_BLOCK "sys/class/block"

/* Without blanks around it; false when nothing is left or it holds strange bytes. */
static bool strip(char **text)
{
	char *start = *text + strspn(*text, " ");
	size_t len = strlen(start);

	while (len > 0 && start[len - 1] == ' ')
		len--;
	memmove(*text, start, len);
	(*text)[len] = '\0';
	for (const char *p = *text; *p; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return len > 0;
}

/* 1 and the identity, 0 there is none of this sort, -ENOMEM */
static int make(const char *prefix, const char *value, char **ret)
{
	_cleanup_free_ char *text = value ? strdup(value) : NULL;

	if (!value)
		return 0;
	if (!text)
		return -ENOMEM;
	if (!strip(&text))
		return 0;
	*ret = pme_printf("%s:%s", prefix, text);
	return *ret ? 1 : -ENOMEM;
}

/* An attribute that is not there, or has no value, says nothing; one that cannot be read is an
 * error. */
static int unless_absent(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ENXIO || r == -EINVAL ? 0 : r;
}

static int from_attr(const struct pme_topo *topo, const struct pme_dev *dev, const char *prefix,
		     const char *attr, char **ret)
{
	_cleanup_free_ char *text = NULL;
	int r = pme_os_read_line(topo->os, &text, SYS_BLOCK "/%s/%s", dev->name, attr);

	return r < 0 ? unless_absent(r) : make(prefix, text, ret);
}

static int from_loop(const struct pme_topo *topo, const struct pme_dev *dev, char **ret)
{
	_cleanup_free_ char *file = NULL, *text = NULL;
	uint64_t offset;
	int r = pme_os_read_line(topo->os, &file, SYS_BLOCK "/%s/loop/backing_file", dev->name);

	if (r == 0)
		r = pme_os_read_u64(topo->os, &offset, SYS_BLOCK "/%s/loop/offset", dev->name);
	if (r < 0)
		return unless_absent(r);
	text = pme_printf("%s+%llu", file, (unsigned long long)offset);
	return text ? make("loop", text, ret) : -ENOMEM;
}

static int from_region(const struct pme_topo *topo, const struct pme_dev *dev, char **ret)
{
	_cleanup_free_ char *cookie = NULL;
	int r = pme_os_read_line(topo->os, &cookie, "sys/bus/nd/devices/%s/set_cookie", dev->name);

	if (r < 0)
		return unless_absent(r);
	if (strcmp(cookie, "0") == 0)
		return 0;
	return make("iset", cookie, ret);
}

static int from_disk(const struct pme_topo *topo, const struct pme_dev *dev, char **ret)
{
	static const char *const attrs[][2] = {
		{"wwid", "wwid"},	     /* nvme namespaces */
		{"wwid", "device/wwid"},     /* scsi */
		{"serial", "serial"},	     /* virtio */
		{"serial", "device/serial"}, /* mmc */
	};
	int r = dev->ns ? make("ns", dev->ns->uuid, ret) : from_loop(topo, dev, ret);

	for (size_t i = 0; i < PME_ARRAY_SIZE(attrs) && r == 0 && !dev->ns; i++)
		r = from_attr(topo, dev, attrs[i][0], attrs[i][1], ret);
	return r;
}

static int from_partition(const struct pme_topo *topo, const struct pme_dev *dev, char **ret)
{
	uint64_t number;
	int r;

	if (!dev->disk || !dev->disk->identity)
		return 0;
	r = pme_os_read_u64(topo->os, &number, SYS_BLOCK "/%s/partition", dev->name);
	if (r < 0)
		return unless_absent(r);
	*ret = pme_printf("%s:part%llu", dev->disk->identity, (unsigned long long)number);
	return *ret ? 1 : -ENOMEM;
}

static int from_dm(const struct pme_dev *dev, char **ret)
{
	int r = make("dm", dev->uuid, ret);

	return r != 0 ? r : make("dmname", dev->alias, ret);
}

static int find_identity(const struct pme_topo *topo, const struct pme_dev *dev, char **ret)
{
	switch (dev->kind) {
	case PME_DEV_DISK:
		return from_disk(topo, dev, ret);
	case PME_DEV_PARTITION:
		return from_partition(topo, dev, ret);
	case PME_DEV_DM:
		return from_dm(dev, ret);
	case PME_DEV_MD:
		return make("md", dev->uuid, ret);
	case PME_DEV_REGION:
		return from_region(topo, dev, ret);
	case PME_DEV_CHARDEV:
		return make("ns", dev->ns ? dev->ns->uuid : NULL, ret);
	}
	return 0;
}

static int identify(const struct pme_topo *topo, struct pme_dev *dev, struct pme_log *log)
{
	int r = find_identity(topo, dev, &dev->identity);

	if (r == 1 || r == -ENOMEM)
		return r < 0 ? r : 0;
	if (r < 0)
		pme_log_incomplete(
			log, dev->name,
			"cannot read what identifies it (its findings get other ids): %s",
			strerror(-r));
	dev->identity = pme_printf("name:%s", dev->name);
	return dev->identity ? 0 : -ENOMEM;
}

/* Partitions last: theirs are made from those of their disks. */
int pme_topo_identify(struct pme_topo *topo, struct pme_log *log)
{
	for (int partitions = 0; partitions <= 1; partitions++)
		for (size_t i = 0; i < topo->n_devs; i++) {
			struct pme_dev *dev = topo->devs[i];
			int r = 0;

			if ((dev->kind == PME_DEV_PARTITION) == partitions)
				r = identify(topo, dev, log);
			if (r < 0)
				return r;
		}
	return 0;
}
