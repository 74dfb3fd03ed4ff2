/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checkpoints of files; see checkpoint.h.
 */
#include "checkpoint.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "manifest.h"
#include "saved-place.h"

#define BLOCK PME_SAVED_BLOCK

static bool take_number(const char **pos, uint64_t *ret)
{
	size_t len = strspn(*pos, "0123456789");

	if (len == 0 || pme_parse_u64(*pos, len, ret) < 0)
		return false;
	*pos += len;
	return true;
}

bool pme_kernel_shares_dax(const char *release)
{
	uint64_t major, minor;

	return take_number(&release, &major) && *release++ == '.' &&
	       take_number(&release, &minor) && (major > 6 || (major == 6 && minor >= 2));
}

/* Is it DAX, or will it be when it is next loaded?  1, 0, -errno. */
static int is_dax(int fd)
{
	struct fsxattr attr = {0};
	int r = pme_os_is_dax(fd);

	if (r != 0)
		return r;
	r = pme_os_ioctl(fd, FS_IOC_FSGETXATTR, &attr);
	return r < 0 ? r : (attr.fsx_xflags & FS_XFLAG_DAX) != 0;
}

int pme_checkpoint_allowed(int fd, const char **ret_why)
{
	struct utsname name;
	struct statfs fs;
	int r;

	*ret_why = NULL;
	/* What extents mean is known of these only. */
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if (fs.f_type != XFS_SUPER_MAGIC)
		return 0;
	r = is_dax(fd);
	if (r <= 0)
		return r < 0 ? r : 1;
	if (uname(&name) == 0 && pme_kernel_shares_dax(name.release))
		return 1;
	*ret_why = "with this kernel a reflinked file loses DAX when it is next loaded";
	return 0;
}

static int make_in(int dir, const char *name, int fd)
{
	_cleanup_close_ int copy = pme_os_create_at(dir, name, 0600);
	int r, direct;

	if (copy == -EEXIST) { /* of a sync that was killed */
		if (unlinkat(dir, name, 0) < 0)
			return -errno;
		copy = pme_os_create_at(dir, name, 0600);
	}
	if (copy < 0)
		return copy;
	r = pme_os_ioctl(copy, FICLONE, (void *)(intptr_t)fd);
	if (r < 0) {
		unlinkat(dir, name, 0);
		return r;
	}
	direct = pme_os_open_at(dir, name, O_RDONLY | O_NOFOLLOW | O_DIRECT);
	return direct == -EINVAL ? pme_take_fd(&copy) : direct;
}

/* A directory whose new files are DAX, where that is a matter of each file. */
static int open_dax(int checkpoints)
{
	_cleanup_close_ int dir = pme_saved_dir(checkpoints, "dax", true);
	struct fsxattr attr = {0};
	int r = dir < 0 ? dir : pme_os_ioctl(dir, FS_IOC_FSGETXATTR, &attr);

	if (r >= 0 && !(attr.fsx_xflags & FS_XFLAG_DAX)) {
		attr.fsx_xflags |= FS_XFLAG_DAX;
		r = pme_os_ioctl(dir, FS_IOC_FSSETXATTR, &attr);
	}
	return r < 0 ? r : pme_take_fd(&dir);
}

int pme_checkpoint_make(int checkpoints, const char *name, int fd)
{
	int r = make_in(checkpoints, name, fd);

	if (r == -EINVAL) { /* one of them is DAX, the other is not */
		_cleanup_close_ int dax = open_dax(checkpoints);

		r = dax < 0 ? dax : make_in(dax, name, fd);
	}
	return r == -EINVAL || r == -ENOTTY || r == -EXDEV ? -EOPNOTSUPP : r;
}

int pme_checkpoint_remove(int checkpoints, const char *name)
{
	_cleanup_close_ int dax = -1;

	if (unlinkat(checkpoints, name, 0) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	dax = pme_saved_dir(checkpoints, "dax", false);
	if (dax < 0)
		return dax == -ENOENT ? 0 : dax;
	return unlinkat(dax, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int pme_checkpoint_extents(int fd, uint64_t size, struct pme_extents *ret)
{
	return size == 0 ? 0 : pme_extents_read(fd, (struct pme_range){.length = size}, ret);
}

/* --- comparing --- */

static bool is_empty(const struct pme_extent *extent)
{
	return extent->state == PME_EXTENT_HOLE || extent->state == PME_EXTENT_UNWRITTEN;
}

/* Are the bytes from @at on, of which both have some, the same? */
static bool same_at(const struct pme_extent *a, const struct pme_extent *b, uint64_t at)
{
	if (is_empty(a) || is_empty(b))
		return is_empty(a) && is_empty(b);
	return a->state == PME_EXTENT_DATA && b->state == PME_EXTENT_DATA &&
	       a->device_start + (at - a->range.start) == b->device_start + (at - b->range.start);
}

static int add_range(struct pme_range_list *list, uint64_t start, uint64_t end)
{
	struct pme_range *last = list->count ? &list->items[list->count - 1] : NULL;

	if (start >= end)
		return 0;
	if (last && pme_range_end(*last) == start) {
		last->length = end - last->start;
		return 0;
	}
	return pme_range_list_add(list, start, end - start);
}

int pme_extents_differ(const struct pme_extents *a, const struct pme_extents *b, uint64_t size,
		       struct pme_range_list *ret)
{
	size_t i = 0, j = 0;
	uint64_t at = 0;

	while (at < size && i < a->count && j < b->count) {
		const struct pme_extent *x = &a->items[i], *y = &b->items[j];
		uint64_t x_end = pme_range_end(x->range), y_end = pme_range_end(y->range);
		uint64_t end = pme_min(size, pme_min(x_end, y_end));
		int r = same_at(x, y, at) ? 0 : add_range(ret, at, end);

		if (r < 0)
			return r;
		at = end;
		i += x_end <= at;
		j += y_end <= at;
	}
	return add_range(ret, at, size);
}

/* Rounded out to whole blocks. */
static int add_blocks(struct pme_range_list *list, const struct pme_range_list *exact)
{
	for (size_t i = 0; i < exact->count; i++) {
		uint64_t start = exact->items[i].start / BLOCK * BLOCK;
		uint64_t end = (pme_range_end(exact->items[i]) + BLOCK - 1) / BLOCK * BLOCK;
		int r = pme_range_list_add(list, start, end - start);

		if (r < 0)
			return r;
	}
	return 0;
}

int pme_checkpoint_changes(const struct pme_saved *saved, const struct pme_extents *extents,
			   uint64_t size, struct pme_range_list *ret)
{
	const struct pme_extents *recorded = &saved->manifest->extents;
	_cleanup_(pme_extents_done) struct pme_extents now = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list exact = {0};
	uint64_t old_size = saved->manifest->size, last = pme_min(size, old_size) / BLOCK * BLOCK;
	int r = pme_checkpoint_extents(saved->checkpoint, old_size, &now);

	if (r == 0)
		r = pme_extents_differ(recorded, &now, pme_min(size, old_size), &exact);
	if (r == 0)
		r = pme_extents_differ(recorded, extents, size, &exact);
	/* The end of the file moved inside of a block, without another block for it? */
	if (r == 0 && size != old_size && last < size)
		r = add_range(&exact, last, pme_min(size, last + BLOCK));
	if (r == 0)
		r = add_blocks(ret, &exact);
	if (r == 0)
		pme_range_list_normalize(ret);
	return r;
}

/* Does all of @range have blocks that were written?  1 and *@ret, 0, -errno. */
static int is_all_data(int fd, struct pme_range range, struct pme_extents *ret)
{
	int r = pme_extents_read(fd, range, ret);

	for (size_t i = 0; r == 0 && i < ret->count; i++)
		if (ret->items[i].state != PME_EXTENT_DATA)
			return 0;
	return r < 0 ? r : 1;
}

/* The same blocks, from range.start on, where both are data? */
static bool same_blocks(const struct pme_extents *a, const struct pme_extents *b,
			struct pme_range range)
{
	uint64_t at = range.start, end = pme_range_end(range);
	size_t i = 0, j = 0;

	while (at < end) {
		while (i < a->count && pme_range_end(a->items[i].range) <= at)
			i++;
		while (j < b->count && pme_range_end(b->items[j].range) <= at)
			j++;
		if (i == a->count || j == b->count || a->items[i].state != PME_EXTENT_DATA ||
		    b->items[j].state != PME_EXTENT_DATA || a->items[i].range.start > at ||
		    b->items[j].range.start > at || !same_at(&a->items[i], &b->items[j], at))
			return false;
		at = pme_min(pme_range_end(a->items[i].range), pme_range_end(b->items[j].range));
	}
	return true;
}

int pme_saved_shares(const struct pme_saved *saved, int fd, struct pme_range range)
{
	_cleanup_(pme_extents_done) struct pme_extents live = {0}, kept = {0};
	struct pme_range inside;
	int r;

	if (saved->checkpoint < 0 ||
	    !pme_range_intersect(range, (struct pme_range){.length = saved->manifest->size},
				 &inside))
		return 0;
	r = is_all_data(fd, range, &live);
	if (r > 0)
		r = is_all_data(saved->checkpoint, range, &kept);
	if (r <= 0)
		return r;
	return same_blocks(&live, &kept, range) &&
	       same_blocks(&live, &saved->manifest->extents, inside);
}
