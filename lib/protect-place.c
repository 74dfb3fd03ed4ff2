/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places of protected paths; see protect-place.h.
 */
#include "protect-place.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "descend.h"
#include "extent.h"
#include "vault.h"

static const char *const apart_names[] = {
	[PME_APART_YES] = "separate",	    [PME_APART_DIMM] = "same-dimm",
	[PME_APART_REGION] = "same-region", [PME_APART_DEVICE] = "same-device",
	[PME_APART_UNKNOWN] = "unknown",
};
static_assert(PME_ARRAY_SIZE(apart_names) == PME_APART_UNKNOWN + 1, "a name for each");

const char *pme_apart_name(enum pme_apart apart)
{
	return apart_names[apart];
}

void pme_place_close(struct pme_place_of *place)
{
	pme_close_fd(&place->fd);
	pme_close_fd(&place->entry.fd);
	pme_fs_done(&place->fs);
	*place = (struct pme_place_of)PME_PLACE_NONE;
}

static int find_fs(const struct pme_topo *topo, struct pme_place_of *place)
{
	int r;

	place->dev = pme_topo_dev_by_devno(topo, place->devno);
	r = place->dev ? pme_fs_of(topo, place->dev, &place->fs) : 0;
	if (r < 0)
		return r;
	return r > 0 && pme_extents_physical(place->fs.type) && place->fs.uuid ? 0 : -EOPNOTSUPP;
}

static void find_vault(struct pme_place_of *place)
{
	struct stat st;

	if (place->entry.fd >= 0 && place->entry.is_root &&
	    pme_os_stat_at(place->entry.fd, PME_VAULT, false, &st) == 0)
		place->vault = st.st_ino;
}

int pme_place_open(const struct pme_topo *topo, const char *path, struct pme_log *log,
		   struct pme_place_of *ret)
{
	_cleanup_(pme_place_close) struct pme_place_of place = PME_PLACE_NONE;
	struct statfs fs;
	struct stat st;
	int r;

	place.fd = pme_os_open(topo->os, path[1] ? path + 1 : ".",
			       O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY);
	r = place.fd < 0 ? place.fd : pme_os_fstat(place.fd, &st);
	if (r == 0 && fstatfs(place.fd, &fs) < 0)
		r = -errno;
	if (r < 0) {
		pme_log_add(log, PME_ERROR, path, "cannot open: %s", strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		pme_log_add(log, PME_ERROR, path, "neither a regular file nor a directory");
		return -EOPNOTSUPP;
	}
	place.devno = st.st_dev;
	r = find_fs(topo, &place);
	if (r == -EOPNOTSUPP)
		pme_log_add(log, PME_ERROR, path,
			    "not on an XFS or ext2, ext3, ext4 on a block device with an UUID: "
			    "no other can be protected");
	if (r < 0)
		return r;
	r = pme_fs_enter(topo->os, &place.fs, (unsigned long)fs.f_type, &place.entry);
	if (r < 0)
		place.entry = (struct pme_fs_entry){.fd = -1};
	find_vault(&place);
	*ret = place;
	place = (struct pme_place_of)PME_PLACE_NONE;
	return 0;
}

/* --- detours --- */

/* Is @dev, or anything below it, a loop device with a file of the filesystem @devno? */
static bool is_in_file_of(const struct pme_dev *dev, dev_t devno)
{
	if (dev->loop && !dev->loop->on_device && dev->loop->file_devno == devno)
		return true;
	for (size_t i = 0; i < dev->n_lowers; i++)
		if (is_in_file_of(dev->lowers[i], devno))
			return true;
	return false;
}

const char *pme_place_detour(const struct pme_topo *topo, const char *path, dev_t devno)
{
	_cleanup_close_ int fd =
		pme_os_open(topo->os, path[1] ? path + 1 : ".", O_RDONLY | O_DIRECTORY);
	const struct pme_dev *dev;
	struct statfs fs;
	struct stat st;

	if (fd < 0 || pme_os_fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return NULL;
	dev = pme_topo_dev_by_devno(topo, st.st_dev);
	if (dev && is_in_file_of(dev, devno))
		return "its filesystem is in a file of the filesystem that it is to protect";
	if ((unsigned long)fs.f_type == OVERLAYFS_SUPER_MAGIC)
		return "it is an overlay, and what is written there may go to the filesystem that "
		       "it is to protect";
	return NULL;
}

bool pme_place_is_memory(const struct pme_topo *topo, const char *path)
{
	_cleanup_close_ int fd =
		pme_os_open(topo->os, path[1] ? path + 1 : ".", O_RDONLY | O_DIRECTORY);
	struct statfs fs;

	return fd >= 0 && fstatfs(fd, &fs) == 0 &&
	       ((unsigned long)fs.f_type == TMPFS_MAGIC || (unsigned long)fs.f_type == RAMFS_MAGIC);
}

/* --- failure domains --- */

static bool shares_dimm(const struct pme_region *a, const struct pme_region *b,
			const char **ret_name)
{
	for (size_t i = 0; i < a->n_dimms; i++) {
		if (pme_region_has_dimm(b, a->dimms[i])) {
			*ret_name = a->dimms[i];
			return true;
		}
	}
	return false;
}

static enum pme_apart compare_bottoms(const struct pme_dev *a, const struct pme_dev *b,
				      const char **ret_name)
{
	const struct pme_region *x = pme_dev_region(a), *y = pme_dev_region(b);

	if (x && x == y) {
		*ret_name = x->name;
		return PME_APART_REGION;
	}
	if (x && y)
		return shares_dimm(x, y, ret_name) ? PME_APART_DIMM : PME_APART_YES;
	*ret_name = a->name;
	return a == b ? PME_APART_DEVICE : PME_APART_YES;
}

struct bottoms {
	const struct pme_dev **items;
	size_t count, alloc;
	bool unknown; /* a way does not reach the bottom */
};

static int add_bottom(struct bottoms *bottoms, const struct pme_dev *dev)
{
	int r;

	for (size_t i = 0; i < bottoms->count; i++)
		if (bottoms->items[i] == dev)
			return 0;
	r = pme_grow(&bottoms->items, &bottoms->alloc, bottoms->count, sizeof(*bottoms->items));
	if (r == 0)
		bottoms->items[bottoms->count++] = dev;
	return r;
}

/* The devices at the bottom of @dev, each once. */
static int find_bottoms(struct pme_stack *stack, const struct pme_dev *dev, struct bottoms *ret)
{
	_cleanup_(pme_ways_done) struct pme_ways ways = {0};
	int r = pme_descend(stack, dev, (struct pme_range){.length = dev->size}, &ways);

	ret->unknown = ways.count == 0;
	for (size_t i = 0; r == 0 && i < ways.count; i++) {
		if (!ways.items[i].reason)
			r = add_bottom(ret, ways.items[i].hops[0].dev);
		else if (!ways.items[i].known)
			ret->unknown = true;
	}
	return r;
}

/* The worst pair; ways that do not reach the bottom count only where no pair is bad. */
static enum pme_apart compare_all(const struct bottoms *a, const struct bottoms *b,
				  const char **ret_name)
{
	enum pme_apart worst = PME_APART_YES;

	for (size_t i = 0; i < a->count; i++) {
		for (size_t j = 0; j < b->count; j++) {
			const char *name = NULL;
			enum pme_apart apart = compare_bottoms(a->items[i], b->items[j], &name);

			if (apart > worst) {
				worst = apart;
				*ret_name = name;
			}
		}
	}
	return worst == PME_APART_YES && (a->unknown || b->unknown) ? PME_APART_UNKNOWN : worst;
}

enum pme_apart pme_place_apart(const struct pme_topo *topo, const struct pme_dev *a,
			       const struct pme_dev *b, char **ret_name)
{
	_cleanup_(pme_stack_done) struct pme_stack stack = {.topo = topo};
	struct bottoms x = {0}, y = {0};
	enum pme_apart apart = PME_APART_UNKNOWN;
	const char *name = NULL;

	*ret_name = NULL;
	if (a && b && find_bottoms(&stack, a, &x) == 0 && find_bottoms(&stack, b, &y) == 0)
		apart = compare_all(&x, &y, &name);
	*ret_name = name ? strdup(name) : NULL;
	free(x.items);
	free(y.items);
	return apart;
}
