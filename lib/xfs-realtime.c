/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owners of realtime extents of XFS; see xfs-realtime.h.
 *
 * What surprises: BULKSTAT ends with an error at an inode that cannot be read, and does not say
 * which one it was.  It is the first allocated one from where the call began.
 */
#include "xfs-realtime.h"

#include <fcntl.h>
#include <string.h>

#include "os.h"
#include "xfs-inode.h"

#define STAT_RECORDS 256 /* per ioctl */
#define MAP_RECORDS 512	 /* per ioctl */
#define MAP_UNIT 512ULL	 /* bytes: GETBMAPX counts in these */

struct sweep {
	int fd;
	const struct pme_range_list *ranges;
	struct xfs_bulkstat_req *req;
	struct getbmapx *map; /* request and MAP_RECORDS */
	struct pme_xfs_records *records;
	size_t unread;
};

static void sweep_done(struct sweep *sweep)
{
	free(sweep->req);
	free(sweep->map);
}

static int add_extent(const struct getbmapx *extent, uint64_t ino,
		      const struct pme_range_list *ranges, struct pme_xfs_records *ret)
{
	uint64_t start, length, offset, end;
	int r;

	if (extent->bmv_block < 0) /* a hole, or not allocated yet */
		return 0;
	if (extent->bmv_offset < 0 || extent->bmv_length <= 0 ||
	    pme_mul((uint64_t)extent->bmv_block, MAP_UNIT, &start) < 0 ||
	    pme_mul((uint64_t)extent->bmv_length, MAP_UNIT, &length) < 0 ||
	    pme_mul((uint64_t)extent->bmv_offset, MAP_UNIT, &offset) < 0 ||
	    pme_add(start, length, &end) < 0)
		return -EPROTO;
	if (!pme_range_list_meets(ranges, (struct pme_range){start, length}))
		return 0;
	r = pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(*ret->items));
	if (r < 0)
		return r;
	ret->items[ret->count++] = (struct fsmap){
		.fmr_physical = start,
		.fmr_length = length,
		.fmr_offset = offset,
		.fmr_owner = ino,
		.fmr_flags = extent->bmv_oflags & BMV_OF_PREALLOC ? FMR_OF_PREALLOC : 0,
	};
	return 0;
}

int pme_xfs_realtime_extents(const struct getbmapx *map, size_t room, uint64_t ino,
			     const struct pme_range_list *ranges, struct pme_xfs_records *ret)
{
	int r = 0;

	if (map[0].bmv_entries < 0 || (size_t)map[0].bmv_entries > room)
		return -EPROTO;
	for (int i = 1; r == 0 && i <= map[0].bmv_entries; i++)
		r = add_extent(&map[i], ino, ranges, ret);
	return r;
}

/* Without writing back what is not allocated yet: that has no place on the device. */
static int read_file(struct sweep *sweep, int fd, uint64_t ino)
{
	struct getbmapx *map = sweep->map;

	map[0] = (struct getbmapx){
		.bmv_length = INT64_MAX / (int64_t)MAP_UNIT,
		.bmv_count = MAP_RECORDS + 1,
		.bmv_iflags = BMV_IF_PREALLOC | BMV_IF_DELALLOC | BMV_IF_NO_HOLES,
	};
	for (;;) {
		int64_t from = map[0].bmv_offset;
		int r = pme_os_ioctl(fd, XFS_IOC_GETBMAPX, map);

		if (r == 0)
			r = pme_xfs_realtime_extents(map, MAP_RECORDS, ino, sweep->ranges,
						     sweep->records);
		if (r < 0)
			return r;
		if (map[0].bmv_entries == 0 || (map[map[0].bmv_entries].bmv_oflags & BMV_OF_LAST))
			return 0;
		if (map[0].bmv_offset <= from)
			return -EPROTO;
	}
}

/* A file that is gone meanwhile owns nothing. */
static int read_inode(struct sweep *sweep, uint64_t ino, uint32_t gen)
{
	_cleanup_close_ int fd = pme_xfs_inode_open(sweep->fd, ino, gen, O_RDONLY | O_NONBLOCK);
	int r;

	if (fd == -ESTALE || fd == -ENOENT)
		return 0;
	r = fd < 0 ? fd : read_file(sweep, fd, ino);
	if (r == -ENOMEM || r >= 0)
		return r;
	sweep->unread++;
	return 0;
}

static int take_inode(struct sweep *sweep, const struct xfs_bulkstat *inode)
{
	if (!S_ISREG(inode->bs_mode) || !(inode->bs_xflags & FS_XFLAG_REALTIME))
		return 0;
	return read_inode(sweep, inode->bs_ino, inode->bs_gen);
}

/* BULKSTAT failed from @ino on: go on behind the inode that it could not read. */
static int skip_inode(struct sweep *sweep, uint64_t ino, int error, uint64_t *ret_next)
{
	uint64_t found = 0;
	int r = pme_xfs_inode_next(sweep->fd, ino, &found);

	if (r <= 0)
		return r < 0 ? r : error;
	sweep->unread++;
	*ret_next = found + 1;
	return 0;
}

/* One ioctl: 1 when there may be more, 0, -errno. */
static int take_batch(struct sweep *sweep, uint64_t *ino)
{
	struct xfs_bulkstat_req *req = sweep->req;
	int r;

	memset(&req->hdr, 0, sizeof(req->hdr));
	req->hdr.ino = *ino;
	req->hdr.icount = STAT_RECORDS;
	r = pme_os_ioctl(sweep->fd, XFS_IOC_BULKSTAT, req);
	if (pme_xfs_is_damage(r)) {
		r = skip_inode(sweep, *ino, r, ino);
		return r < 0 ? r : 1;
	}
	if (r < 0)
		return r;
	if (req->hdr.ocount > STAT_RECORDS)
		return -EPROTO;
	for (uint32_t i = 0; r == 0 && i < req->hdr.ocount; i++)
		r = take_inode(sweep, &req->bulkstat[i]);
	if (r < 0 || req->hdr.ocount == 0 || req->hdr.ino <= *ino)
		return r;
	*ino = req->hdr.ino;
	return 1;
}

int pme_xfs_realtime_sweep(int fd, const struct pme_range_list *ranges, struct pme_xfs_records *ret,
			   size_t *unread)
{
	_cleanup_(sweep_done) struct sweep sweep = {
		.fd = fd,
		.ranges = ranges,
		.req = calloc(1, XFS_BULKSTAT_REQ_SIZE(STAT_RECORDS)),
		.map = calloc(MAP_RECORDS + 1, sizeof(*sweep.map)),
		.records = ret,
	};
	uint64_t ino = 0;
	int r;

	if (!sweep.req || !sweep.map)
		return -ENOMEM;
	do {
		r = take_batch(&sweep, &ino);
	} while (r > 0);
	*unread += sweep.unread;
	return r;
}

int pme_xfs_realtime_again(int fd, const struct pme_xfs_inodes *owners,
			   const struct pme_range_list *ranges, struct pme_xfs_records *ret)
{
	_cleanup_(sweep_done) struct sweep sweep = {
		.fd = fd,
		.ranges = ranges,
		.map = calloc(MAP_RECORDS + 1, sizeof(*sweep.map)),
		.records = ret,
	};
	int r = sweep.map ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < owners->count; i++)
		r = read_inode(&sweep, owners->items[i].ino, owners->items[i].gen);
	return r;
}
