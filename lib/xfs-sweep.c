/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owners of blocks of XFS, found in the files themselves; see xfs-sweep.h.
 *
 * What surprises: BULKSTAT ends with an error at an inode that cannot be read, and does not say
 * which one it was.  It is the first allocated one from where the call began.  Symbolic links and
 * special files cannot be opened for GETBMAPX, by handle neither.  Copy-on-write forks are told
 * only by kernels built for debugging.
 */
#include "xfs-sweep.h"

#include <fcntl.h>
#include <string.h>

#include "crew.h"
#include "os.h"

#define STAT_RECORDS 256 /* per ioctl */
#define MAP_RECORDS 512	 /* per ioctl */
#define MAP_UNIT 512ULL	 /* bytes: GETBMAPX counts in these */

struct sweep {
	const struct pme_xfs_scope *scope;
	struct xfs_bulkstat_req *req;
	struct getbmapx *map; /* request and MAP_RECORDS */
	struct pme_xfs_swept *swept;
};

/* What threads share: who has the lock of the crew takes the next inodes. */
struct shared {
	const struct pme_xfs_scope *scope;
	uint64_t ino;
	bool is_end;
	struct pme_xfs_swept *swept;
};

/* Forks that may have blocks on the device. */
struct forks {
	bool data, attr;
};

static void sweep_done(struct sweep *sweep)
{
	free(sweep->req);
	free(sweep->map);
}

void pme_xfs_swept_done(struct pme_xfs_swept *swept)
{
	pme_xfs_records_done(&swept->records);
}

static int add_extent(const struct getbmapx *extent, const struct fsmap *like,
		      const struct pme_range_list *ranges, struct pme_xfs_records *ret)
{
	uint64_t start, length, offset, end;
	struct fsmap record = *like;

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
	record.fmr_physical = start;
	record.fmr_length = length;
	record.fmr_offset = offset;
	if (extent->bmv_oflags & BMV_OF_PREALLOC)
		record.fmr_flags |= FMR_OF_PREALLOC;
	return pme_xfs_records_add(ret, &record);
}

int pme_xfs_sweep_extents(const struct getbmapx *map, size_t room, const struct fsmap *like,
			  const struct pme_range_list *ranges, struct pme_xfs_records *ret)
{
	int r = 0;

	if (map[0].bmv_entries < 0 || (size_t)map[0].bmv_entries > room)
		return -EPROTO;
	for (int i = 1; r == 0 && i <= map[0].bmv_entries; i++)
		r = add_extent(&map[i], like, ranges, ret);
	return r;
}

/*
 * Records as @like.  Without writing back what is not allocated yet: that has no place on the
 * device.
 */
static int read_fork(struct sweep *sweep, int fd, int32_t iflags, const struct fsmap *like)
{
	struct getbmapx *map = sweep->map;

	map[0] = (struct getbmapx){
		.bmv_length = INT64_MAX / (int64_t)MAP_UNIT,
		.bmv_count = MAP_RECORDS + 1,
		.bmv_iflags = iflags | BMV_IF_NO_HOLES,
	};
	for (;;) {
		int64_t from = map[0].bmv_offset;
		int r = pme_os_ioctl(fd, XFS_IOC_GETBMAPX, map);

		if (r == 0)
			r = pme_xfs_sweep_extents(map, MAP_RECORDS, like, sweep->scope->ranges,
						  &sweep->swept->records);
		if (r < 0)
			return r;
		if (map[0].bmv_entries == 0 || (map[map[0].bmv_entries].bmv_oflags & BMV_OF_LAST))
			return 0;
		if (map[0].bmv_offset <= from)
			return -EPROTO;
	}
}

static int read_forks(struct sweep *sweep, int fd, uint64_t ino, const struct forks *forks)
{
	const struct fsmap data = {.fmr_owner = ino};
	const struct fsmap attr = {.fmr_owner = ino, .fmr_flags = FMR_OF_ATTR_FORK};
	int r = 0;

	if (forks->data)
		r = read_fork(sweep, fd, BMV_IF_PREALLOC | BMV_IF_DELALLOC, &data);
	if (r == 0 && forks->attr)
		r = read_fork(sweep, fd, BMV_IF_ATTRFORK, &attr);
	return r;
}

/* A file that is gone meanwhile owns nothing. */
static int read_inode(struct sweep *sweep, const struct pme_xfs_inode *inode,
		      const struct forks *forks)
{
	_cleanup_close_ int fd =
		pme_xfs_inode_open(sweep->scope->fd, inode->ino, inode->gen, O_RDONLY | O_NONBLOCK);
	int r;

	if (fd == -ESTALE || fd == -ENOENT)
		return 0;
	r = fd < 0 ? fd : read_forks(sweep, fd, inode->ino, forks);
	if (r == -ENOMEM || r >= 0)
		return r;
	sweep->swept->unread++;
	return 0;
}

/* Forks of an inode that may have blocks on the device, whatever it has now. */
static struct forks forks_of(const struct pme_xfs_scope *scope, const struct pme_xfs_inode *inode)
{
	bool is_file = S_ISREG(inode->mode);
	bool here = (is_file && inode->is_realtime) == scope->is_realtime;

	if (scope->is_realtime)
		return (struct forks){.data = is_file && here};
	return (struct forks){.data = here, .attr = true};
}

static int take_inode(struct sweep *sweep, const struct xfs_bulkstat *raw)
{
	const struct pme_xfs_inode inode = {
		.ino = raw->bs_ino,
		.gen = raw->bs_gen,
		.mode = raw->bs_mode,
		.is_realtime = raw->bs_xflags & FS_XFLAG_REALTIME,
	};
	struct forks forks = forks_of(sweep->scope, &inode);

	if (!sweep->scope->is_realtime) {
		forks.data &= raw->bs_extents > 0;
		forks.attr &= raw->bs_aextents > 0;
	}
	if (!forks.data && !forks.attr)
		return 0;
	if (S_ISREG(inode.mode) || S_ISDIR(inode.mode))
		return read_inode(sweep, &inode, &forks);
	sweep->swept->unread++;
	return 0;
}

/* BULKSTAT failed from @ino on: go on behind the inode that it could not read. */
static int skip_inode(struct sweep *sweep, uint64_t ino, int error, uint64_t *ret_next)
{
	uint64_t found = 0;
	int r = pme_xfs_inode_next(sweep->scope->fd, ino, &found);

	if (r <= 0)
		return r < 0 ? r : error;
	sweep->swept->unread++;
	*ret_next = found + 1;
	return 0;
}

/* One ioctl, to sweep->req: 1 when there may be more, 0, -errno. */
static int next_batch(struct sweep *sweep, uint64_t *ino)
{
	struct xfs_bulkstat_req *req = sweep->req;
	int r;

	memset(&req->hdr, 0, sizeof(req->hdr));
	req->hdr.ino = *ino;
	req->hdr.icount = STAT_RECORDS;
	r = pme_os_ioctl(sweep->scope->fd, XFS_IOC_BULKSTAT, req);
	if (pme_xfs_is_damage(r)) {
		req->hdr.ocount = 0;
		r = skip_inode(sweep, *ino, r, ino);
		return r < 0 ? r : 1;
	}
	if (r < 0)
		return r;
	if (req->hdr.ocount > STAT_RECORDS)
		return -EPROTO;
	if (req->hdr.ocount == 0 || req->hdr.ino <= *ino)
		return 0;
	*ino = req->hdr.ino;
	return 1;
}

/* 1 when there are inodes to look at in sweep->req, 0, -errno. */
static int take_batch(struct pme_crew *crew, struct shared *shared, struct sweep *sweep)
{
	int r = 0;

	sweep->req->hdr.ocount = 0;
	pthread_mutex_lock(&crew->lock);
	if (!shared->is_end) {
		r = next_batch(sweep, &shared->ino);
		shared->is_end = r <= 0;
	}
	pthread_mutex_unlock(&crew->lock);
	return r < 0 ? r : r > 0 || sweep->req->hdr.ocount > 0;
}

static int hand_in(struct pme_crew *crew, struct shared *shared, const struct pme_xfs_swept *swept)
{
	int r = 0;

	pthread_mutex_lock(&crew->lock);
	for (size_t i = 0; r == 0 && i < swept->records.count; i++)
		r = pme_xfs_records_add(&shared->swept->records, &swept->records.items[i]);
	shared->swept->unread += swept->unread;
	pthread_mutex_unlock(&crew->lock);
	return r;
}

static int sweep_on(struct pme_crew *crew, void *arg)
{
	_cleanup_(pme_xfs_swept_done) struct pme_xfs_swept swept = {0};
	struct shared *shared = arg;
	_cleanup_(sweep_done) struct sweep sweep = {
		.scope = shared->scope,
		.req = calloc(1, XFS_BULKSTAT_REQ_SIZE(STAT_RECORDS)),
		.map = calloc(MAP_RECORDS + 1, sizeof(*sweep.map)),
		.swept = &swept,
	};
	int r;

	if (!sweep.req || !sweep.map)
		return -ENOMEM;
	while ((r = take_batch(crew, shared, &sweep)) > 0) {
		r = 0;
		for (uint32_t i = 0; r == 0 && i < sweep.req->hdr.ocount; i++) {
			r = take_inode(&sweep, &sweep.req->bulkstat[i]);
			if (r == 0)
				r = pme_crew_step(crew, 1);
		}
		if (r < 0)
			return r;
	}
	return r < 0 ? r : hand_in(crew, shared, &swept);
}

static int by_file(const void *a, const void *b)
{
	const struct fsmap *p = a, *q = b;
	bool p_attr = p->fmr_flags & FMR_OF_ATTR_FORK, q_attr = q->fmr_flags & FMR_OF_ATTR_FORK;

	if (p->fmr_owner != q->fmr_owner)
		return p->fmr_owner < q->fmr_owner ? -1 : 1;
	if (p_attr != q_attr)
		return p_attr - q_attr;
	return p->fmr_offset < q->fmr_offset ? -1 : p->fmr_offset > q->fmr_offset;
}

int pme_xfs_sweep(const struct pme_xfs_scope *scope, struct pme_xfs_swept *ret)
{
	struct shared shared = {.scope = scope, .swept = ret};
	struct pme_crew crew = {.work = sweep_on, .arg = &shared, .progress = scope->progress};
	size_t before = ret->records.count;
	int r;

	pme_progress_phase(scope->progress, PME_PHASE_OWNERS, PME_UNIT_INODES,
			   pme_os_inodes_used(scope->fd));
	r = pme_crew_run(&crew);
	if (ret->records.count > before) /* whichever thread found which */
		qsort(&ret->records.items[before], ret->records.count - before,
		      sizeof(*ret->records.items), by_file);
	return r;
}

int pme_xfs_sweep_again(const struct pme_xfs_scope *scope, const struct pme_xfs_inodes *owners,
			struct pme_xfs_swept *ret)
{
	_cleanup_(sweep_done) struct sweep sweep = {
		.scope = scope,
		.map = calloc(MAP_RECORDS + 1, sizeof(*sweep.map)),
		.swept = ret,
	};
	int r = sweep.map ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < owners->count; i++) {
		const struct forks forks = forks_of(scope, &owners->items[i]);

		r = read_inode(&sweep, &owners->items[i], &forks);
	}
	return r;
}
