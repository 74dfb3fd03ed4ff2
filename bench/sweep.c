/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sweep FOLDER bmap|fiemap THREADS: ask each file of an XFS where it lies, and print how many
 * extents there are.
 *
 * The floor without a reverse map: INUMBERS tells the chunks of inodes, threads take them, BULKSTAT
 * tells what is in them, GETBMAPX (data forks, of directories, too) or FIEMAP is asked through a
 * handle.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xfs/xfs.h>

#include "bare.h"

#define CHUNKS 8 /* of 64 inodes: what a thread takes at once */
#define CHUNK_INODES 64
#define NUMBERS 4096 /* chunks, for one call */
#define INODES 256   /* for one call */
#define EXTENTS 512  /* for one call */
#define BASIC_BLOCK 512
#define FILEID_XFS_64 0x81 /* FILEID_INO32_GEN with XFS_FILEID_TYPE_64FLAG */
#define FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOATIME | O_CLOEXEC)

typedef unsigned long (*count_fn)(int fd, void *buf);

struct chunks {
	uint64_t *starts; /* inode numbers, rising */
	size_t count, alloc;
	count_fn count_extents;
};

struct fid64 {
	uint64_t ino;
	uint32_t gen;
} __attribute__((packed));

static void add(struct chunks *chunks, uint64_t start)
{
	if (chunks->count == chunks->alloc) {
		chunks->alloc = chunks->alloc * 2 + NUMBERS;
		chunks->starts = realloc(chunks->starts, chunks->alloc * sizeof(*chunks->starts));
		if (!chunks->starts)
			err(1, "realloc");
	}
	chunks->starts[chunks->count++] = start;
}

static void read_chunks(int fd, struct chunks *ret)
{
	struct xfs_inumbers_req *req = bare_alloc(1, XFS_INUMBERS_REQ_SIZE(NUMBERS));

	req->hdr.icount = NUMBERS;
	do {
		if (ioctl(fd, XFS_IOC_INUMBERS, req) < 0)
			err(1, "XFS_IOC_INUMBERS");
		for (uint32_t i = 0; i < req->hdr.ocount; i++)
			add(ret, req->inumbers[i].xi_startino);
	} while (req->hdr.ocount > 0);
	free(req);
}

static unsigned long count_bmap(int fd, void *buf)
{
	struct getbmapx *map = buf;
	unsigned long count = 0;

	map[0] = (struct getbmapx){
		.bmv_length = INT64_MAX / BASIC_BLOCK,
		.bmv_count = EXTENTS + 1,
		.bmv_iflags = BMV_IF_NO_HOLES | BMV_IF_PREALLOC | BMV_IF_DELALLOC,
	};
	do {
		if (ioctl(fd, XFS_IOC_GETBMAPX, map) < 0)
			err(1, "XFS_IOC_GETBMAPX");
		count += (unsigned long)map[0].bmv_entries;
	} while (map[0].bmv_entries > 0 && !(map[map[0].bmv_entries].bmv_oflags & BMV_OF_LAST));
	return count;
}

static unsigned long count_fiemap(int fd, void *buf)
{
	struct fiemap *map = buf;
	unsigned long count = 0;
	const struct fiemap_extent *last;

	*map = (struct fiemap){0};
	do {
		map->fm_length = FIEMAP_MAX_OFFSET - map->fm_start;
		map->fm_extent_count = EXTENTS;
		if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
			err(1, "FS_IOC_FIEMAP");
		count += map->fm_mapped_extents;
		if (map->fm_mapped_extents == 0)
			break;
		last = &map->fm_extents[map->fm_mapped_extents - 1];
		map->fm_start = last->fe_logical + last->fe_length;
	} while (!(last->fe_flags & FIEMAP_EXTENT_LAST));
	return count;
}

static int open_inode(int root, const struct xfs_bulkstat *stat)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(struct fid64)];
	} u = {.handle = {.handle_bytes = sizeof(struct fid64), .handle_type = FILEID_XFS_64}};
	const struct fid64 fid = {stat->bs_ino, stat->bs_gen};
	int fd;

	memcpy(u.room + sizeof(struct file_handle), &fid, sizeof(fid));
	fd = open_by_handle_at(root, &u.handle, FILE_FLAGS);
	if (fd < 0)
		err(1, "inode %llu", (unsigned long long)stat->bs_ino);
	return fd;
}

/* XFS has no FIEMAP of directories. */
static bool can_be_asked(const struct chunks *chunks, const struct xfs_bulkstat *stat)
{
	if (stat->bs_extents == 0)
		return false;
	return S_ISREG(stat->bs_mode) ||
	       (S_ISDIR(stat->bs_mode) && chunks->count_extents == count_bmap);
}

/* Inodes from the first chunk of @group to before the first one of the next group. */
static void sweep_group(struct bare_work *work, size_t group, struct xfs_bulkstat_req *req,
			void *buf)
{
	const struct chunks *chunks = work->arg;
	size_t end = (group + 1) * CHUNKS;
	uint64_t limit = end < chunks->count ? chunks->starts[end] : UINT64_MAX;

	memset(&req->hdr, 0, sizeof(req->hdr));
	req->hdr.ino = chunks->starts[group * CHUNKS];
	do {
		req->hdr.icount = INODES;
		if (ioctl(work->fd, XFS_IOC_BULKSTAT, req) < 0)
			err(1, "XFS_IOC_BULKSTAT");
		for (uint32_t i = 0; i < req->hdr.ocount; i++) {
			const struct xfs_bulkstat *stat = &req->bulkstat[i];
			int fd;

			if (stat->bs_ino >= limit)
				return;
			if (!can_be_asked(chunks, stat))
				continue;
			fd = open_inode(work->fd, stat);
			atomic_fetch_add(&work->found, chunks->count_extents(fd, buf));
			close(fd);
		}
	} while (req->hdr.ocount > 0 && req->hdr.ino < limit);
}

static void run(struct bare_work *work)
{
	struct xfs_bulkstat_req *req = bare_alloc(1, XFS_BULKSTAT_REQ_SIZE(INODES));
	void *buf = bare_alloc(EXTENTS + 1, sizeof(struct fiemap_extent));
	size_t i;

	_Static_assert(sizeof(struct getbmapx) <= sizeof(struct fiemap_extent), "room for both");
	while (bare_next(work, &i))
		sweep_group(work, i, req, buf);
	free(buf);
	free(req);
}

int main(int argc, char **argv)
{
	struct bare_work work = {.run = run};
	struct chunks chunks = {0};

	if (argc != 4 || (strcmp(argv[2], "bmap") != 0 && strcmp(argv[2], "fiemap") != 0))
		errx(1, "usage: sweep FOLDER bmap|fiemap THREADS");
	work.fd = bare_open(argv[1]);
	read_chunks(work.fd, &chunks);
	chunks.count_extents = argv[2][0] == 'b' ? count_bmap : count_fiemap;
	work.arg = &chunks;
	work.count = (chunks.count + CHUNKS - 1) / CHUNKS;
	bare_spread(&work, bare_threads(argv[3]));
	printf("%lu\n", work.found);
	return 0;
}
