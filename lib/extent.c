/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FIEMAP; see extent.h.
 */
#include "extent.h"

#include <assert.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>

#include "os.h"

#define BATCH 256 /* extents asked for at once */

static const char *const state_names[] = {
	[PME_EXTENT_DATA] = "data",	    [PME_EXTENT_UNWRITTEN] = "unwritten",
	[PME_EXTENT_HOLE] = "hole",	    [PME_EXTENT_INLINE] = "inline",
	[PME_EXTENT_DELALLOC] = "delalloc",
};
static_assert(PME_ARRAY_SIZE(state_names) == PME_EXTENT_DELALLOC + 1, "a name for each state");

const char *pme_extent_state_name(enum pme_extent_state state)
{
	return state_names[state];
}

bool pme_extents_physical(const char *fs_type)
{
	return strcmp(fs_type, "xfs") == 0 || strcmp(fs_type, "ext4") == 0 ||
	       strcmp(fs_type, "ext3") == 0 || strcmp(fs_type, "ext2") == 0;
}

static enum pme_extent_state state_of(uint32_t flags)
{
	if (flags & FIEMAP_EXTENT_DATA_INLINE)
		return PME_EXTENT_INLINE;
	if (flags & (FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN))
		return PME_EXTENT_DELALLOC;
	if (flags & FIEMAP_EXTENT_UNWRITTEN)
		return PME_EXTENT_UNWRITTEN;
	return PME_EXTENT_DATA;
}

static bool has_place(enum pme_extent_state state)
{
	return state == PME_EXTENT_DATA || state == PME_EXTENT_UNWRITTEN;
}

static int add(struct pme_extents *extents, struct pme_extent extent)
{
	int r = pme_grow(&extents->items, &extents->alloc, extents->count, sizeof(*extents->items));

	if (r < 0)
		return r;
	extents->items[extents->count++] = extent;
	return 0;
}

static int add_hole(struct pme_extents *extents, uint64_t start, uint64_t end)
{
	if (start >= end)
		return 0;
	return add(extents, (struct pme_extent){
				    .range = {.start = start, .length = end - start},
				    .state = PME_EXTENT_HOLE,
			    });
}

/* One extent of the kernel, clipped to @range, with the hole before it; moves *@pos. */
static int add_kernel_extent(struct pme_extents *extents, const struct fiemap_extent *fe,
			     struct pme_range range, uint64_t *pos)
{
	struct pme_range whole = {.start = fe->fe_logical, .length = fe->fe_length};
	struct pme_extent extent = {.state = state_of(fe->fe_flags)};
	uint64_t end;
	int r;

	if (pme_add(whole.start, whole.length, &end) < 0 ||
	    (has_place(extent.state) && pme_add(fe->fe_physical, whole.length, &end) < 0))
		return -EINVAL;
	if (!pme_range_intersect(whole, range, &extent.range))
		return 0;
	if (extent.range.start < *pos)
		return -EINVAL; /* out of order */
	extent.device_start = fe->fe_physical + (extent.range.start - whole.start);
	extent.shared = fe->fe_flags & FIEMAP_EXTENT_SHARED;
	extent.encoded = fe->fe_flags & FIEMAP_EXTENT_ENCODED;
	r = add_hole(extents, *pos, extent.range.start);
	*pos = pme_range_end(extent.range);
	return r < 0 ? r : add(extents, extent);
}

/*
 * One FIEMAP call from *@next: 1 when there is more, 0 at the end, -errno.  A file that is written
 * to may have changed since the last call: what that one told stands, and the rest is clipped.
 */
static int read_batch(int fd, struct fiemap *map, uint64_t range_end, uint64_t *next, uint64_t *pos,
		      struct pme_extents *ret)
{
	struct pme_range range = {.start = *next, .length = range_end - *next};
	const struct fiemap_extent *last;
	int r;

	memset(map, 0, sizeof(*map));
	map->fm_start = range.start;
	map->fm_length = range.length;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = BATCH;
	r = pme_os_ioctl(fd, FS_IOC_FIEMAP, map);
	if (r < 0)
		return r;
	if (map->fm_mapped_extents > BATCH)
		return -EINVAL;
	for (uint32_t i = 0; i < map->fm_mapped_extents; i++) {
		r = add_kernel_extent(ret, &map->fm_extents[i], range, pos);
		if (r < 0)
			return r;
	}
	if (map->fm_mapped_extents == 0)
		return 0;
	last = &map->fm_extents[map->fm_mapped_extents - 1];
	if (last->fe_flags & FIEMAP_EXTENT_LAST)
		return 0;
	*next = last->fe_logical + last->fe_length;
	if (*next <= range.start)
		return -EINVAL; /* no progress */
	return *next < range_end;
}

int pme_extents_read(int fd, struct pme_range range, struct pme_extents *ret)
{
	_cleanup_free_ struct fiemap *map =
		malloc(sizeof(*map) + BATCH * sizeof(struct fiemap_extent));
	uint64_t next = range.start, pos = range.start;
	int r;

	if (!map)
		return -ENOMEM;
	do {
		r = read_batch(fd, map, pme_range_end(range), &next, &pos, ret);
	} while (r > 0);
	return r < 0 ? r : add_hole(ret, pos, pme_range_end(range));
}

void pme_extents_done(struct pme_extents *extents)
{
	free(extents->items);
	*extents = (struct pme_extents){0};
}

/* linux/fs.h: FS_XFLAG_REALTIME */
bool pme_fd_is_realtime(int fd)
{
	struct fsxattr attr = {0};

	return pme_os_ioctl(fd, FS_IOC_FSGETXATTR, &attr) >= 0 &&
	       (attr.fsx_xflags & FS_XFLAG_REALTIME);
}
