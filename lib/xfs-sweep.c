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
#define CHUNKS 128	 /* of a part that are known in advance */
#define GROUP 4		 /* chunks that a thread takes at once; of 64 inodes each */
#define PARTS_MAX 64
#define MAP_RECORDS 512	 /* per ioctl */
#define MAP_UNIT 512ULL	 /* bytes: GETBMAPX counts in these */

struct sweep {
	const struct pme_xfs_scope *scope;
	struct xfs_bulkstat_req *req;
	struct getbmapx *map; /* request and MAP_RECORDS */
	struct pme_xfs_swept *swept;
};

/* Inodes of some allocation groups. */
struct part {
	uint64_t next, end; /* inodes that are not in chunks yet */
	struct pme_xfs_chunk chunks[CHUNKS];
	size_t n_chunks, taken;
	unsigned n_workers;
};

/*
 * What threads share: who has the lock of the crew takes the next chunks of inodes.  Each stays in
 * a part of its own while it can: two that open inodes of one allocation group wait for each other.
 */
struct shared {
	const struct pme_xfs_scope *scope;
	struct part *parts;
	size_t n_parts;
	struct pme_xfs_swept *swept;
};

/* Extents of forks that may have blocks on the device; 0: none, or the fork is not asked. */
struct forks {
	uint64_t data, attr;
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
 * device.  The kernel clears as much memory as it is asked for records, so that a file with one of
 * the usual @extents is better not asked for all that there is room for.
 */
static int read_fork(struct sweep *sweep, int fd, int32_t iflags, uint64_t extents,
		     const struct fsmap *like)
{
	struct getbmapx *map = sweep->map;

	map[0] = (struct getbmapx){
		.bmv_length = INT64_MAX / (int64_t)MAP_UNIT,
		.bmv_count = (int32_t)pme_min(extents, MAP_RECORDS - 2) + 3,
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

	if (forks->data > 0)
		r = read_fork(sweep, fd, BMV_IF_PREALLOC | BMV_IF_DELALLOC, forks->data, &data);
	if (r == 0 && forks->attr > 0)
		r = read_fork(sweep, fd, BMV_IF_ATTRFORK, forks->attr, &attr);
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

/* Forks of an inode that may have blocks on the device, whatever they have now. */
static struct forks forks_of(const struct pme_xfs_scope *scope, const struct pme_xfs_inode *inode)
{
	bool is_file = S_ISREG(inode->mode);
	bool here = (is_file && inode->is_realtime) == scope->is_realtime;

	if (scope->is_realtime)
		return (struct forks){.data = is_file && here ? UINT64_MAX : 0};
	return (struct forks){.data = here ? UINT64_MAX : 0, .attr = UINT64_MAX};
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
		forks.data = pme_min(forks.data, raw->bs_extents);
		forks.attr = pme_min(forks.attr, raw->bs_aextents);
	}
	if (forks.data == 0 && forks.attr == 0)
		return 0;
	if (S_ISREG(inode.mode) || S_ISDIR(inode.mode))
		return read_inode(sweep, &inode, &forks);
	sweep->swept->unread++;
	return 0;
}

/*
 * BULKSTAT failed from @ino on: go on behind the inode that it could not read.  One from @end on is
 * somebody else's.
 */
static int skip_inode(struct sweep *sweep, uint64_t ino, uint64_t end, int error,
		      uint64_t *ret_next)
{
	uint64_t found = 0;
	int r = pme_xfs_inode_next(sweep->scope->fd, ino, &found);

	if (r <= 0)
		return r < 0 ? r : error;
	sweep->swept->unread += found < end;
	*ret_next = found + 1;
	return 0;
}

/* Inodes [@ino, @end), @count at most, to sweep->req; *@ino: where to go on, 0 at the end. */
static int read_batch(struct sweep *sweep, uint64_t *ino, uint64_t end, uint32_t count)
{
	struct xfs_bulkstat_req *req = sweep->req;
	uint64_t from = *ino;
	int r;

	memset(&req->hdr, 0, sizeof(req->hdr));
	req->hdr.ino = from;
	req->hdr.icount = count;
	r = pme_os_ioctl(sweep->scope->fd, XFS_IOC_BULKSTAT, req);
	if (pme_xfs_is_damage(r)) {
		req->hdr.ocount = 0;
		return skip_inode(sweep, from, end, r, ino);
	}
	if (r < 0)
		return r;
	if (req->hdr.ocount > count)
		return -EPROTO;
	*ino = req->hdr.ocount > 0 && req->hdr.ino > from ? req->hdr.ino : 0;
	return 0;
}

static bool is_over(const struct part *part)
{
	return part->taken == part->n_chunks && part->next >= part->end;
}

/* Know more chunks of @part, if there are any. */
static int next_chunks(const struct shared *shared, struct part *part)
{
	int r = pme_xfs_chunks_read(shared->scope->fd, part->next, part->chunks, CHUNKS);
	size_t n = 0;

	while (r > 0 && n < (size_t)r && part->chunks[n].start < part->end)
		n++;
	part->next = n > 0 && n == (size_t)r ? part->chunks[n - 1].end : part->end;
	part->n_chunks = n;
	part->taken = 0;
	return r < 0 ? r : 0;
}

/* A part for a thread that has none, or whose one is over: NULL when all are. */
static struct part *choose_part(struct shared *shared, struct part *old)
{
	struct part *best = NULL;

	if (old && !is_over(old))
		return old;
	if (old)
		old->n_workers--;
	for (size_t i = 0; i < shared->n_parts; i++) {
		struct part *part = &shared->parts[i];

		if (!is_over(part) && (!best || part->n_workers < best->n_workers))
			best = part;
	}
	if (best)
		best->n_workers++;
	return best;
}

/* The next inodes, as if they were one chunk: 1, 0 there are none, -errno. */
static int take_group(struct pme_crew *crew, struct shared *shared, struct part **part,
		      struct pme_xfs_chunk *ret)
{
	int r = 0;

	*ret = (struct pme_xfs_chunk){0};
	pthread_mutex_lock(&crew->lock);
	while (r == 0 && ret->end == 0 && (*part = choose_part(shared, *part))) {
		struct part *mine = *part;

		if (mine->taken == mine->n_chunks)
			r = next_chunks(shared, mine);
		for (int i = 0; i < GROUP && mine->taken < mine->n_chunks; i++) {
			const struct pme_xfs_chunk *chunk = &mine->chunks[mine->taken++];

			ret->start = i == 0 ? chunk->start : ret->start;
			ret->end = chunk->end;
			ret->count += chunk->count;
		}
	}
	pthread_mutex_unlock(&crew->lock);
	return r < 0 ? r : ret->end > 0;
}

static int sweep_group(struct pme_crew *crew, struct sweep *sweep,
		       const struct pme_xfs_chunk *group)
{
	uint32_t left = group->count; /* the others are free, or newer than the scan */
	uint64_t ino = group->start;
	int r = 0;

	do {
		r = read_batch(sweep, &ino, group->end,
			       (uint32_t)pme_min(pme_max(left, 1), STAT_RECORDS));
		left -= (uint32_t)pme_min(left, sweep->req->hdr.ocount);
		for (uint32_t i = 0; r == 0 && i < sweep->req->hdr.ocount; i++) {
			if (sweep->req->bulkstat[i].bs_ino >= group->end)
				return 0;
			r = take_inode(sweep, &sweep->req->bulkstat[i]);
			if (r == 0)
				r = pme_crew_step(crew, 1);
		}
	} while (r == 0 && left > 0 && ino != 0 && ino < group->end);
	return r;
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
	struct pme_xfs_chunk group;
	struct part *part = NULL;
	int r = sweep.req && sweep.map ? 0 : -ENOMEM;

	while (r == 0 && (r = take_group(crew, shared, &part, &group)) > 0)
		r = sweep_group(crew, &sweep, &group);
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

/* Parts of whole allocation groups, and as many of them as each other. */
static int make_parts(struct shared *shared)
{
	const struct pme_xfs_geo *geo = shared->scope->geo;
	uint64_t count = geo->ag_count;
	size_t n = pme_min(count, PARTS_MAX);

	shared->parts = calloc(n + 1, sizeof(*shared->parts));
	if (!shared->parts)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		shared->parts[i].next = (i * count / n) << geo->agino_bits;
		shared->parts[i].end = ((i + 1) * count / n) << geo->agino_bits;
	}
	shared->n_parts = n;
	return 0;
}

int pme_xfs_sweep(const struct pme_xfs_scope *scope, struct pme_xfs_swept *ret)
{
	struct shared shared = {.scope = scope, .swept = ret};
	struct pme_crew crew = {.work = sweep_on, .arg = &shared, .progress = scope->progress};
	size_t before = ret->records.count;
	int r = make_parts(&shared);

	if (r < 0)
		return r;
	pme_progress_phase(scope->progress, PME_PHASE_OWNERS, PME_UNIT_INODES,
			   pme_os_inodes_used(scope->fd));
	r = pme_crew_run(&crew);
	free(shared.parts);
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
