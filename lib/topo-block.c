/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Block devices from /sys/class/block: sizes, partitions, what is stacked on what.
 *
 * Devices come and go while this reads: one that vanished is left out without a word.  What is
 * there and makes no sense is said and left out.
 *
 * The surprise: start and size of every device, partitions too, are in 512-byte sectors, whatever
 * the block size of the device.
 */
#include "topo.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#define SYS_BLOCK "sys/class/block"

static bool is_gone(int error)
{
	return error == -ENOENT || error == -ENODEV || error == -ENXIO;
}

int pme_devno_parse(const char *text, size_t len, dev_t *ret)
{
	const char *colon = memchr(text, ':', len);
	uint64_t major_nr, minor_nr;

	if (!colon)
		return -EINVAL;
	if (pme_parse_u64(text, (size_t)(colon - text), &major_nr) < 0 ||
	    pme_parse_u64(colon + 1, len - (size_t)(colon + 1 - text), &minor_nr) < 0)
		return -EINVAL;
	/* include/linux/kdev_t.h: 12 bits and 20 bits */
	if (major_nr >> 12 || minor_nr >> 20)
		return -EINVAL;
	*ret = makedev((unsigned int)major_nr, (unsigned int)minor_nr);
	return 0;
}

/* @dir is the folder of the device, here and below: the way to it from the root is a long one. */
static int read_devno(const struct pme_os *dir, dev_t *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = pme_os_read_line(dir, &text, "dev");

	return r < 0 ? r : pme_devno_parse(text, strlen(text), ret);
}

/* An attribute in sectors, as bytes. */
static int read_bytes(const struct pme_os *dir, const char *attr, uint64_t *ret)
{
	uint64_t sect;
	int r = pme_os_read_u64(dir, &sect, "%s", attr);

	return r < 0 ? r : pme_mul(sect, PME_SECTOR, ret);
}

/* 1 something is in this folder, 0 not (or there is no folder), -errno */
static int lists_any(const struct pme_os *dir, const char *what)
{
	char **names;
	size_t count;
	int r = pme_os_list(dir, what, &names, &count);

	if (r < 0)
		return is_gone(r) ? 0 : r;
	pme_os_free_names(names, count);
	return count > 0;
}

/*
 * A loop device without a file, as machines have them by the dozen: nothing else need be read.
 * Whoever holds one keeps its file.
 */
static bool is_unbound(const struct pme_os *os, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (strncmp(name, "loop", 4) != 0 || name[4 + strspn(name + 4, "0123456789")])
		return false; /* loop0p1 */
	path = pme_printf(SYS_BLOCK "/%s/loop/backing_file", name);
	return path && pme_os_exists(os, path) == 0;
}

static int is_stacked(const struct pme_os *dir)
{
	int r = lists_any(dir, "slaves");

	return r != 0 ? r : lists_any(dir, "holders");
}

static int read_kind(const struct pme_os *dir, enum pme_dev_kind *ret)
{
	static const struct {
		const char *file;
		enum pme_dev_kind kind;
	} kinds[] = {
		{"partition", PME_DEV_PARTITION},
		{"dm", PME_DEV_DM},
		{"md", PME_DEV_MD},
	};

	*ret = PME_DEV_DISK;
	for (size_t i = 0; i < PME_ARRAY_SIZE(kinds); i++) {
		int r = pme_os_exists(dir, kinds[i].file);

		if (r == 1)
			*ret = kinds[i].kind;
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return 0;
}

/* Names made by hand (not by libdevmapper, which escapes) may hold anything but a slash. */
static bool is_printable(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return *text && pme_utf8_valid(text, strlen(text));
}

static int read_dm_names(const struct pme_topo *topo, struct pme_dev *dev)
{
	_cleanup_free_ char *name = NULL;
	int r = pme_os_read_line(topo->os, &name, SYS_BLOCK "/%s/dm/name", dev->name);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = pme_os_read_line(topo->os, &dev->uuid, SYS_BLOCK "/%s/dm/uuid", dev->name);
	if (r == -ENOMEM)
		return r;
	if (dev->uuid && strncmp(dev->uuid, "LVM-", strlen("LVM-")) == 0)
		dev->alias = pme_lvm_name(name);
	if (!dev->alias && is_printable(name))
		dev->alias = pme_take_ptr(name);
	return 0;
}

/* Attributes that not every device has. */
static int read_optional(const struct pme_topo *topo, struct pme_dev *dev)
{
	int r;

	r = pme_os_read_u64(topo->os, &dev->diskseq, SYS_BLOCK "/%s/diskseq", dev->name);
	if (r == -ENOMEM)
		return r;
	if (dev->kind == PME_DEV_DM)
		return read_dm_names(topo, dev);
	if (dev->kind == PME_DEV_MD) /* newer kernels only */
		r = pme_os_read_line(topo->os, &dev->uuid, SYS_BLOCK "/%s/md/uuid", dev->name);
	return r == -ENOMEM ? r : 0;
}

struct basics {
	dev_t devno;
	enum pme_dev_kind kind;
	uint64_t size, start;
};

static int read_basics(const struct pme_os *dir, struct basics *ret)
{
	int r = read_bytes(dir, "size", &ret->size);

	if (r == 0)
		r = read_devno(dir, &ret->devno);
	if (r == 0)
		r = read_kind(dir, &ret->kind);
	if (r == 0 && ret->kind == PME_DEV_PARTITION)
		r = read_bytes(dir, "start", &ret->start);
	return r;
}

static int load_device(struct pme_topo *topo, const char *name, struct pme_log *log)
{
	_cleanup_free_ char *path = pme_printf(SYS_BLOCK "/%s", name);
	_cleanup_close_ int fd = path ? pme_os_open(topo->os, path, O_PATH | O_DIRECTORY) : -ENOMEM;
	const struct pme_os dir = {.root = fd};
	struct basics basics = {0};
	struct pme_dev *dev;
	int r = fd < 0 ? fd : read_basics(&dir, &basics);

	if (r == -ENOMEM || is_gone(r))
		return r == -ENOMEM ? r : 0;
	if (r < 0) {
		pme_log_incomplete(log, name, "cannot read its number, start or size in sysfs: %s",
				   strerror(-r));
		return 0;
	}
	r = basics.size > 0 ? 1 : is_stacked(&dir);
	if (r < 0 && r != -ENOMEM)
		pme_log_incomplete(log, name, "cannot read what is stacked on it: %s",
				   strerror(-r));
	if (r == 0 || r == -ENOMEM) /* 0: nothing is there */
		return r;
	dev = pme_topo_add_dev(topo, name, basics.kind);
	if (!dev)
		return -ENOMEM;
	dev->devno = basics.devno;
	dev->size = basics.size;
	dev->start = basics.start;
	return read_optional(topo, dev);
}

/* sys/class/block/pmem0p1 -> …/block/pmem0/pmem0p1: the folder of a partition is in its disk's. */
static int find_disk(const struct pme_topo *topo, const char *name, struct pme_dev **ret)
{
	_cleanup_free_ char *path = pme_printf(SYS_BLOCK "/%s", name);
	_cleanup_free_ char *target = NULL;
	char *slash, *disk;
	int r;

	if (!path)
		return -ENOMEM;
	r = pme_os_readlink(topo->os, path, &target);
	if (r < 0)
		return r;
	slash = strrchr(target, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	disk = strrchr(target, '/');
	*ret = pme_topo_find(topo, disk ? disk + 1 : target);
	return *ret ? 0 : -ENOENT;
}

static bool fits(const struct pme_dev *part, const struct pme_dev *disk)
{
	uint64_t end;

	return pme_add(part->start, part->size, &end) == 0 && end <= disk->size;
}

static int link_partition(struct pme_topo *topo, struct pme_dev *part, struct pme_log *log)
{
	struct pme_dev *disk;
	int r = find_disk(topo, part->name, &disk);

	if (r == 0 && (disk->kind == PME_DEV_PARTITION || !fits(part, disk)))
		r = -ERANGE;
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		pme_log_incomplete(log, part->name, "cannot tell its place on its disk: %s",
				   strerror(-r));
		return 0;
	}
	part->disk = disk;
	return pme_topo_link(disk, part, log);
}

static int link_slaves(struct pme_topo *topo, struct pme_dev *upper, struct pme_log *log)
{
	_cleanup_free_ char *path = pme_printf(SYS_BLOCK "/%s/slaves", upper->name);
	char **names = NULL;
	size_t count = 0;
	int r = path ? pme_os_list(topo->os, path, &names, &count) : -ENOMEM;

	if (r == -ENOMEM)
		return r;
	if (r < 0 && !is_gone(r)) /* partitions have none */
		pme_log_incomplete(log, upper->name, "cannot read what it stands on: %s",
				   strerror(-r));
	if (r < 0)
		return 0;
	for (size_t i = 0; i < count && r == 0; i++) {
		struct pme_dev *lower = pme_topo_find(topo, names[i]);

		if (lower)
			r = pme_topo_link(lower, upper, log);
		else
			pme_log_add(log, PME_WARNING, upper->name,
				    "is stacked on %s, which is gone", names[i]);
	}
	pme_os_free_names(names, count);
	return r;
}

/*
 * zram writes pages back to a device that it is no holder of: sysfs has the path, or "none"
 * (drivers/block/zram/zram_drv.c:backing_dev_show).
 */
static int link_backing(struct pme_topo *topo, struct pme_dev *upper, struct pme_log *log)
{
	_cleanup_free_ char *path = NULL;
	struct pme_dev *lower;
	int r;

	if (strncmp(upper->name, "zram", 4) != 0)
		return 0;
	r = pme_os_read_line(topo->os, &path, SYS_BLOCK "/%s/backing_dev", upper->name);
	if (r == -ENOMEM)
		return r;
	if (r == -ENOENT || (r == 0 && strcmp(path, "none") == 0))
		return 0;
	/* the snapshot is still being built: its devices may be changed */
	lower = r < 0 ? NULL : (struct pme_dev *)pme_topo_dev_by_spec(topo, path);
	if (lower)
		return pme_topo_link(lower, upper, log);
	pme_log_incomplete(log, upper->name, "cannot tell to which device it writes pages back");
	return 0;
}

static int link_all(struct pme_topo *topo, struct pme_log *log)
{
	for (size_t i = 0; i < topo->n_devs; i++) {
		struct pme_dev *dev = topo->devs[i];
		int r;

		if (dev->kind == PME_DEV_PARTITION)
			r = link_partition(topo, dev, log);
		else
			r = link_slaves(topo, dev, log);
		if (r == 0)
			r = link_backing(topo, dev, log);
		if (r < 0)
			return r;
	}
	return 0;
}

int pme_topo_load_block(struct pme_topo *topo, struct pme_log *log)
{
	char **names;
	size_t count;
	int r = pme_os_list(topo->os, SYS_BLOCK, &names, &count);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count && r == 0; i++)
		if (!is_unbound(topo->os, names[i]))
			r = load_device(topo, names[i], log);
	pme_os_free_names(names, count);
	if (r == 0)
		r = link_all(topo, log);
	return r < 0 ? r : pme_topo_load_swaps(topo, log);
}
