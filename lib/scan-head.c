/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First bytes of files with very many extents; see scan-head.h.
 *
 * Where they are is read from the block map on the device, which may be an old one; so the kernel
 * is asked whether the file has that place as its first bytes, before they are read and again
 * afterwards, with nothing of them in memory, and the file not changed in between.  What is not
 * exactly so is left to who reads the file itself.
 * What a list has as bad is not read, neither a block of the map: and when the kernel says that it
 * is one, nobody else shall have the kernel read it either.
 */
#include "scan-head.h"

#include <string.h>

#include "copies.h"
#include "media.h"
#include "xfs-bmap.h"
#include "xfs-head.h"

struct reading {
	const struct pme_scan_head *head;
	struct pme_xfs_asked asked;
	int media;
	struct pme_range refused; /* of -EBUSY */
};

/* Is there a list of any other device?  It may be one below, whose maps are then needed. */
static bool has_other_lists(const struct pme_stack *stack, const struct pme_dev *dev)
{
	for (size_t i = 0; i < stack->bad.count; i++)
		if (stack->bad.items[i].dev != dev)
			return true;
	return false;
}

int pme_scan_head_is_bad(struct pme_scan *scan, const struct pme_fs *fs, struct pme_range range)
{
	_cleanup_(pme_missing_done) struct pme_missing missing = {0};
	const struct pme_range_list *own = pme_stack_bad(&scan->stack, fs->main);
	int r;

	if (!has_other_lists(&scan->stack, fs->main))
		return own && pme_range_list_meets(own, range);
	r = pme_missing_of(&scan->stack, fs->main, range, &missing);
	return r < 0 ? r : missing.bad.count > 0 || missing.doubt.count > 0;
}

static int is_bad(const struct reading *reading, struct pme_range range)
{
	return pme_scan_head_is_bad(reading->head->scan, reading->head->fs, range);
}

/* As a reader of media, which reads more than these bytes; -EBUSY when a list has some of that. */
static int read_known(void *arg, void *buf, size_t size, uint64_t offset)
{
	struct reading *reading = arg;
	uint64_t start = offset - offset % PME_MEDIA_ALIGN, end;
	int r = pme_add(offset, size + PME_MEDIA_ALIGN - 1, &end);

	if (r < 0)
		return r;
	end = pme_min(end - end % PME_MEDIA_ALIGN, reading->head->fs->main->size);
	if (end < offset + size)
		return -ENODATA;
	r = is_bad(reading, (struct pme_range){start, end - start});
	if (r == 0)
		return pme_media_read(reading->media, buf, size, offset);
	if (r > 0)
		reading->refused = (struct pme_range){offset, size};
	return r < 0 ? r : -EBUSY;
}

/* Is the file at @place now, with nothing of that in memory?  1 and *@ret, 0, -errno. */
static int stands(const struct reading *reading, struct pme_range place, struct stat *ret)
{
	int r = pme_os_is_cached(reading->head->fd, 0, place.length);

	if (r != 0)
		return r < 0 ? r : 0;
	r = pme_os_fstat(reading->head->fd, ret);
	if (r < 0 || (uint64_t)ret->st_size < place.length)
		return r;
	return pme_xfs_head_is_at(&reading->asked, place);
}

static bool is_unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
	       a->st_size == b->st_size;
}

/* What is not known here is left to others. */
static int leave(int r)
{
	return r == -ENOMEM ? r : -EAGAIN;
}

/* Without a place for its first bytes: is it for a block of its map that is bad? */
static int without(const struct reading *reading, int error)
{
	int r;

	if (error != -EBUSY)
		return leave(error);
	r = is_bad(reading, reading->refused);
	if (r > 0)
		r = pme_xfs_head_has_map(&reading->asked, reading->refused);
	return r > 0 ? 0 : leave(r);
}

static int read_at(struct reading *reading, struct pme_range place, void *buf)
{
	struct stat before, after;
	int r = stands(reading, place, &before);

	if (r <= 0)
		return leave(r);
	r = is_bad(reading, place);
	if (r != 0)
		return r > 0 ? 0 : leave(r);
	r = read_known(reading, buf, place.length, place.start);
	if (r < 0)
		return r == -EIO ? 0 : leave(r);
	r = stands(reading, place, &after);
	return r > 0 && is_unchanged(&before, &after) ? 1 : leave(r);
}

static int read_head(struct reading *reading, size_t size, void *buf)
{
	const struct pme_xfs_geo *geo = reading->asked.geo;
	const struct pme_file *file = reading->head->file;
	const struct pme_xfs_inode inode = {.ino = file->inode, .gen = file->generation};
	const struct pme_reader reader = {.read = read_known, .arg = reading, .size = geo->size};
	struct pme_range place;
	int r = pme_xfs_bmap_first(geo, &reader, &inode, &place);

	if (r < 0)
		return without(reading, r);
	if (place.length < size)
		return -EAGAIN;
	place.length = size;
	return read_at(reading, place, buf);
}

/*
 * Of a filesystem that tells whose its blocks are, a file for which it is worth it: who has read
 * or written it through memory has its extents loaded.
 */
static bool is_for(const struct pme_scan_head *head, size_t size, struct pme_xfs_geo *ret)
{
	return strcmp(head->fs->type, "xfs") == 0 && head->fs->role == PME_FS_DATA &&
	       pme_xfs_head_is_far(head->fd) && pme_os_is_cached(head->fd, 0, size) == 0 &&
	       pme_xfs_geo_read(head->fd, ret) == 0 && ret->has_rmap && !ret->is_zoned;
}

int pme_scan_head_read(const struct pme_scan_head *head, size_t size, void *buf)
{
	_cleanup_close_ int media = -1;
	struct pme_xfs_geo geo;
	struct reading reading = {
		.head = head,
		.asked = {head->fd, head->fs->main->devno, head->file->inode, &geo},
	};

	if (!is_for(head, size, &geo))
		return -EAGAIN;
	media = pme_media_open(head->scan->topo, head->fs->main);
	if (media < 0)
		return leave(media);
	reading.media = media;
	return read_head(&reading, size, buf);
}
