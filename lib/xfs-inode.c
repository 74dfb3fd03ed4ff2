/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XFS geometry and inodes; see xfs-inode.h.
 *
 * An inode number is AG number, block in the AG and slot in the block, packed into bit fields whose
 * widths are the logarithms of the sizes, rounded up.  What surprises: BULKSTAT and INUMBERS answer
 * with the next inode or chunk when the one asked for does not exist.
 */
#include "xfs-inode.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <string.h>
#include <sys/quota.h>
#include <xfs/xfs.h>

#include "os.h"

#define CHUNK_INODES 64	       /* XFS_INODES_PER_CHUNK */
#define INUMBERS_RECORDS 64    /* per ioctl */
#define HANDLE_INO64 0x81      /* file handle type of XFS: 64-bit number, 32-bit generation */
#define GEOM_PARENT (1U << 25) /* XFS_FSOP_GEOM_FLAGS_PARENT, Linux 6.10 */
#define GEOM_ZONED (1U << 27)  /* XFS_FSOP_GEOM_FLAGS_ZONED, Linux 6.15 */

#define TIME_CLAMPED INT32_MAX /* what every later time is, without the feature "bigtime" */

/* Offsets in struct xfs_dsb (fs/xfs/libxfs/xfs_format.h). */
#define SB_RBMINO 64
#define SB_RSUMINO 72
#define SB_UQUOTINO 160
#define SB_GQUOTINO 168
#define SB_PQUOTINO 232
#define SB_END 240

/* The smallest n with 2^n >= @value. */
static unsigned int log2_up(uint64_t value)
{
	unsigned int n = 0;

	while ((1ULL << n) < value)
		n++;
	return n;
}

static bool is_power(uint32_t value, uint32_t min, uint32_t max)
{
	return value >= min && value <= max && (value & (value - 1)) == 0;
}

/* Sizes as the on-disk format allows them; everything that follows divides by them. */
static bool is_sane(const struct xfs_fsop_geom *raw)
{
	return is_power(raw->blocksize, 512, 65536) &&
	       is_power(raw->sectsize, 512, PME_XFS_SECTOR_MAX) &&
	       is_power(raw->inodesize, 256, 2048) && raw->inodesize <= raw->blocksize &&
	       raw->agblocks > 0 && raw->agcount > 0 &&
	       raw->datablocks <= (uint64_t)raw->agblocks * raw->agcount &&
	       raw->datablocks <= UINT64_MAX / raw->blocksize &&
	       raw->rtblocks <= UINT64_MAX / raw->blocksize &&
	       raw->rtextsize <= UINT32_MAX / raw->blocksize;
}

int pme_xfs_geo_read(int fd, struct pme_xfs_geo *ret)
{
	struct xfs_fsop_geom raw = {0};
	int r = pme_os_ioctl(fd, XFS_IOC_FSGEOMETRY, &raw);

	if (r < 0)
		return r;
	if (!is_sane(&raw))
		return -EPROTO;
	*ret = (struct pme_xfs_geo){
		.block_size = raw.blocksize,
		.sector_size = raw.sectsize,
		.inode_size = raw.inodesize,
		.ag_blocks = raw.agblocks,
		.ag_count = raw.agcount,
		.agino_bits = log2_up(raw.agblocks) + log2_up(raw.blocksize / raw.inodesize),
		.size = raw.datablocks * raw.blocksize,
		.log_size = (uint64_t)raw.logblocks * raw.blocksize,
		.rt_size = raw.rtblocks * raw.blocksize,
		.rt_extent = raw.rtextsize * raw.blocksize,
		.has_rmap = raw.flags & XFS_FSOP_GEOM_FLAGS_RMAPBT,
		.has_parents = raw.flags & GEOM_PARENT,
		.is_zoned = raw.flags & GEOM_ZONED,
	};
	ret->log_start = pme_xfs_geo_block(ret, raw.logstart);
	return 0;
}

uint64_t pme_xfs_geo_block(const struct pme_xfs_geo *geo, uint64_t block)
{
	unsigned int bits = log2_up(geo->ag_blocks);
	uint64_t ag = block >> bits, in_ag = block & ((1ULL << bits) - 1);

	if (ag >= geo->ag_count || in_ag >= geo->ag_blocks)
		return 0;
	return (ag * geo->ag_blocks + in_ag) * geo->block_size;
}

uint32_t pme_xfs_geo_ag(const struct pme_xfs_geo *geo, uint64_t at)
{
	return (uint32_t)(at / geo->block_size / geo->ag_blocks);
}

/* Inodes fill their blocks without a rest, so slots can be counted from the start of the AG. */
void pme_xfs_geo_inodes(const struct pme_xfs_geo *geo, struct pme_range range, uint64_t *ret_first,
			uint64_t *ret_last)
{
	uint64_t ag = pme_xfs_geo_ag(geo, range.start);
	uint64_t ag_start = ag * geo->ag_blocks * geo->block_size;

	*ret_first = (ag << geo->agino_bits) + (range.start - ag_start) / geo->inode_size;
	*ret_last =
		(ag << geo->agino_bits) + (pme_range_end(range) - 1 - ag_start) / geo->inode_size;
}

uint64_t pme_xfs_geo_place(const struct pme_xfs_geo *geo, uint64_t ino)
{
	uint64_t ag = ino >> geo->agino_bits, slot = ino & ((1ULL << geo->agino_bits) - 1);

	return ag * geo->ag_blocks * geo->block_size + slot * geo->inode_size;
}

/* One inode: 1 and *@ret, 0 when BULKSTAT has none from there on, -errno. */
static int bulkstat(int fd, uint64_t ino, uint32_t flags, struct xfs_bulkstat *ret)
{
	_cleanup_free_ struct xfs_bulkstat_req *req = calloc(1, XFS_BULKSTAT_REQ_SIZE(1));
	int r;

	if (!req)
		return -ENOMEM;
	req->hdr.ino = ino;
	req->hdr.flags = flags;
	req->hdr.icount = 1;
	r = pme_os_ioctl(fd, XFS_IOC_BULKSTAT, req);
	if (r < 0)
		return r;
	*ret = req->bulkstat[0];
	return req->hdr.ocount > 0;
}

bool pme_xfs_is_damage(int error)
{
	return error == -EIO || error == -ENODATA || error == -EUCLEAN || error == -EBADMSG;
}

int pme_xfs_inode_stat(int fd, struct pme_xfs_inode *inode)
{
	struct xfs_bulkstat raw = {0};
	int r = bulkstat(fd, inode->ino, 0, &raw);

	*inode = (struct pme_xfs_inode){.ino = inode->ino};
	if (pme_xfs_is_damage(r)) {
		inode->error = r;
		return 0;
	}
	if (r < 0 && r != -EINVAL)
		return r;
	inode->internal = r <= 0 || raw.bs_ino != inode->ino;
	if (inode->internal)
		return 0;
	inode->gen = raw.bs_gen;
	inode->nlink = raw.bs_nlink;
	inode->mode = raw.bs_mode;
	inode->size = raw.bs_size;
	inode->ctime = raw.bs_ctime;
	inode->ctime_nsec = raw.bs_ctime_nsec;
	if (raw.bs_btime < TIME_CLAMPED)
		inode->born = raw.bs_btime; /* 0 without CRC */
	inode->is_realtime = raw.bs_xflags & FS_XFLAG_REALTIME;
	return 0;
}

/*
 * The old call for one inode looks it up; BULKSTAT begins a walk.  It has 16 bits of the number of
 * links, and not the time of birth.
 */
static int bulkstat_single(int fd, uint64_t ino, struct xfs_bstat *ret)
{
	__u64 number = ino;
	__s32 count = 0;
	struct xfs_fsop_bulkreq req = {
		.lastip = &number,
		.icount = 1,
		.ubuffer = ret,
		.ocount = &count,
	};
	int r = pme_os_ioctl(fd, XFS_IOC_FSBULKSTAT_SINGLE, &req);

	return r < 0 ? r : ret->bs_ino == ino ? 0 : -ENOENT;
}

int pme_xfs_inode_stat_old(int fd, int64_t since, struct pme_xfs_inode *inode)
{
	struct xfs_bstat raw = {0};

	if (bulkstat_single(fd, inode->ino, &raw) < 0 || raw.bs_nlink == 0 ||
	    raw.bs_ctime.tv_sec >= since || raw.bs_ctime.tv_sec >= TIME_CLAMPED)
		return pme_xfs_inode_stat(fd, inode);
	*inode = (struct pme_xfs_inode){
		.ino = inode->ino,
		.gen = raw.bs_gen,
		.nlink = raw.bs_nlink,
		.mode = raw.bs_mode,
		.size = (uint64_t)raw.bs_size,
		.ctime = raw.bs_ctime.tv_sec,
		.ctime_nsec = (uint32_t)raw.bs_ctime.tv_nsec,
		.born = raw.bs_ctime.tv_sec,
		.few_bits = true,
		.is_realtime = raw.bs_xflags & FS_XFLAG_REALTIME,
	};
	return 0;
}

/* Whoever changes the number of links changes ctime, so that 16 bits of it are enough. */
bool pme_xfs_inode_is_same(int fd, const struct pme_xfs_inode *inode)
{
	struct xfs_bstat raw = {0};

	if (inode->internal || inode->error || bulkstat_single(fd, inode->ino, &raw) < 0)
		return false;
	return raw.bs_gen == inode->gen && raw.bs_mode == inode->mode &&
	       raw.bs_nlink == (uint16_t)inode->nlink && raw.bs_ctime.tv_sec == inode->ctime &&
	       (uint32_t)raw.bs_ctime.tv_nsec == inode->ctime_nsec;
}

void pme_xfs_inode_seen(struct pme_xfs_inode *inode, uint32_t nlink, const struct timespec *ctime)
{
	inode->seen_later = inode->few_bits && inode->nlink == nlink &&
			    inode->ctime == ctime->tv_sec && inode->ctime_nsec == ctime->tv_nsec;
}

int pme_xfs_inode_open(int fd, uint64_t ino, uint32_t gen, int flags)
{
	_cleanup_free_ struct file_handle *handle = NULL;
	const struct {
		uint64_t ino;
		uint32_t gen;
	} __attribute__((packed)) fid = {.ino = ino, .gen = gen};

	handle = calloc(1, sizeof(*handle) + sizeof(fid));
	if (!handle)
		return -ENOMEM;
	handle->handle_bytes = sizeof(fid);
	handle->handle_type = HANDLE_INO64;
	memcpy(handle->f_handle, &fid, sizeof(fid));
	return pme_os_open_handle(fd, handle, flags);
}

int pme_xfs_inode_root(int fd, struct pme_xfs_inode *ret)
{
	struct xfs_bulkstat raw;
	int r = bulkstat(fd, XFS_BULK_IREQ_SPECIAL_ROOT, XFS_BULK_IREQ_SPECIAL, &raw);

	if (r <= 0)
		return r < 0 ? r : -EPROTO;
	*ret = (struct pme_xfs_inode){
		.ino = raw.bs_ino,
		.gen = raw.bs_gen,
		.nlink = raw.bs_nlink,
		.mode = raw.bs_mode,
		.size = raw.bs_size,
	};
	return 0;
}

static int add_chunk(const struct xfs_inumbers *chunk, uint64_t first, uint64_t last,
		     struct pme_xfs_inodes *ret)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < CHUNK_INODES; i++) {
		uint64_t ino = chunk->xi_startino + i;

		if (ino >= first && ino <= last && (chunk->xi_allocmask >> i & 1))
			r = pme_xfs_inodes_add(ret, ino);
	}
	return r;
}

/* One ioctl; afterwards req->hdr.ino is where to go on: 1 when there may be more, 0, -errno. */
static int read_chunks(int fd, struct xfs_inumbers_req *req, uint64_t first, uint64_t last,
		       struct pme_xfs_inodes *ret)
{
	uint64_t from = req->hdr.ino;
	int r = pme_os_ioctl(fd, XFS_IOC_INUMBERS, req);

	if (r < 0)
		return r;
	if (req->hdr.ocount > INUMBERS_RECORDS)
		return -EPROTO;
	for (uint32_t i = 0; i < req->hdr.ocount; i++) {
		r = add_chunk(&req->inumbers[i], first, last, ret);
		if (r < 0)
			return r;
	}
	return req->hdr.ocount > 0 && req->hdr.ino > from && req->hdr.ino <= last;
}

/* Chunks need not start at a multiple of 64: ask from 63 inodes before @first on. */
int pme_xfs_inodes_allocated(int fd, uint64_t first, uint64_t last, struct pme_xfs_inodes *ret)
{
	_cleanup_free_ struct xfs_inumbers_req *req =
		calloc(1, XFS_INUMBERS_REQ_SIZE(INUMBERS_RECORDS));
	int r;

	if (!req)
		return -ENOMEM;
	req->hdr.ino = first - pme_min(first, CHUNK_INODES - 1);
	req->hdr.icount = INUMBERS_RECORDS;
	do {
		r = read_chunks(fd, req, first, last, ret);
	} while (r > 0);
	return r;
}

int pme_xfs_inode_next(int fd, uint64_t ino, uint64_t *ret)
{
	_cleanup_free_ struct xfs_inumbers_req *req = calloc(1, XFS_INUMBERS_REQ_SIZE(1));
	uint64_t from = ino - pme_min(ino, CHUNK_INODES - 1);

	if (!req)
		return -ENOMEM;
	for (;;) {
		int r;

		memset(&req->hdr, 0, sizeof(req->hdr));
		req->hdr.ino = from;
		req->hdr.icount = 1;
		r = pme_os_ioctl(fd, XFS_IOC_INUMBERS, req);
		if (r < 0 || req->hdr.ocount == 0 || req->hdr.ino <= from)
			return r;
		from = req->hdr.ino;
		for (unsigned int i = 0; i < CHUNK_INODES; i++) {
			*ret = req->inumbers[0].xi_startino + i;
			if (*ret >= ino && (req->inumbers[0].xi_allocmask >> i & 1))
				return 1;
		}
	}
}

int pme_xfs_chunks_read(int fd, uint64_t from, struct pme_xfs_chunk *ret, uint32_t room)
{
	_cleanup_free_ struct xfs_inumbers_req *req = calloc(1, XFS_INUMBERS_REQ_SIZE(room));
	int r;

	if (!req)
		return -ENOMEM;
	req->hdr.ino = from;
	req->hdr.icount = room;
	r = pme_os_ioctl(fd, XFS_IOC_INUMBERS, req);
	if (r < 0)
		return r;
	if (req->hdr.ocount > room)
		return -EPROTO;
	for (uint32_t i = 0; i < req->hdr.ocount; i++) {
		const struct xfs_inumbers *raw = &req->inumbers[i];
		uint64_t start = pme_max(raw->xi_startino, from);

		if (raw->xi_startino > UINT64_MAX - CHUNK_INODES ||
		    raw->xi_startino + CHUNK_INODES <= from)
			return -EPROTO;
		from = raw->xi_startino + CHUNK_INODES;
		ret[i] = (struct pme_xfs_chunk){start, from, raw->xi_alloccount};
	}
	return (int)req->hdr.ocount;
}

int pme_xfs_inodes_add(struct pme_xfs_inodes *inodes, uint64_t ino)
{
	int r = pme_grow(&inodes->items, &inodes->alloc, inodes->count, sizeof(*inodes->items));

	if (r < 0)
		return r;
	inodes->items[inodes->count++] = (struct pme_xfs_inode){.ino = ino};
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct pme_xfs_inode *p = a, *q = b;

	return p->ino < q->ino ? -1 : p->ino > q->ino;
}

void pme_xfs_inodes_sort(struct pme_xfs_inodes *inodes)
{
	size_t n = 0;

	if (inodes->count == 0)
		return;
	qsort(inodes->items, inodes->count, sizeof(*inodes->items), by_number);
	for (size_t i = 0; i < inodes->count; i++)
		if (n == 0 || inodes->items[n - 1].ino != inodes->items[i].ino)
			inodes->items[n++] = inodes->items[i];
	inodes->count = n;
}

size_t pme_xfs_inodes_find(const struct pme_xfs_inodes *inodes, uint64_t ino)
{
	size_t low = 0, high = inodes->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (inodes->items[mid].ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void pme_xfs_inodes_done(struct pme_xfs_inodes *inodes)
{
	free(inodes->items);
	*inodes = (struct pme_xfs_inodes){0};
}

static uint64_t get_be64(const void *sb, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)sb + offset, sizeof(value));
	return be64toh(value);
}

int pme_xfs_internal_parse(const void *sb, size_t len, struct pme_xfs_internal *ret)
{
	if (len < SB_END || memcmp(sb, "XFSB", 4) != 0)
		return -EINVAL;
	*ret = (struct pme_xfs_internal){
		.rt_bitmap = get_be64(sb, SB_RBMINO),
		.rt_summary = get_be64(sb, SB_RSUMINO),
		.user_quota = get_be64(sb, SB_UQUOTINO),
		.group_quota = get_be64(sb, SB_GQUOTINO),
		.project_quota = get_be64(sb, SB_PQUOTINO),
	};
	return 0;
}

static void take_quota(const struct fs_qfilestatv *file, uint64_t *ret)
{
	if (file->qfs_ino != 0 && file->qfs_ino != UINT64_MAX)
		*ret = file->qfs_ino;
}

void pme_xfs_internal_ask(const char *special, struct pme_xfs_internal *internal)
{
	struct fs_quota_statv stat = {.qs_version = FS_QSTATV_VERSION1};

	if (pme_os_quotactl(QCMD(Q_XGETQSTATV, USRQUOTA), special, 0, &stat) < 0)
		return;
	take_quota(&stat.qs_uquota, &internal->user_quota);
	take_quota(&stat.qs_gquota, &internal->group_quota);
	take_quota(&stat.qs_pquota, &internal->project_quota);
}

const char *pme_xfs_internal_name(const struct pme_xfs_internal *internal, uint64_t ino)
{
	if (ino == internal->rt_bitmap)
		return "realtime bitmap inode";
	if (ino == internal->rt_summary)
		return "realtime summary inode";
	if (ino == internal->user_quota)
		return "user quota inode";
	if (ino == internal->group_quota)
		return "group quota inode";
	if (ino == internal->project_quota)
		return "project quota inode";
	return NULL;
}

bool pme_xfs_inode_is_going(const struct pme_xfs_inode *inode,
			    const struct pme_xfs_internal *internal)
{
	return inode->internal && !pme_xfs_internal_name(internal, inode->ino);
}
