/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remapping; see remap.h.
 */
#include "remap.h"

#include <assert.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <xfs/xfs.h>

#include "extent.h"
#include "os.h"

#define PAGE 4096U
#define GEOM_EXCHANGE (1U << 24) /* XFS_FSOP_GEOM_FLAGS_EXCHANGE_RANGE, Linux 6.10 */
#define HANDLE_MAX 64		 /* bytes; struct xfs_handle has 24 */
#define NSEC 1000000000LL
#define FUTURE (2 * NSEC) /* a stamp that is further ahead is not waited for */

/* struct xfs_commit_range of Linux 6.12 (fs/xfs/libxfs/xfs_fs.h). */
struct commit_range {
	int32_t file1_fd;
	uint32_t pad;
	uint64_t file1_offset, file2_offset, length, flags;
	uint64_t file2_freshness[6];
};
static_assert(sizeof(struct commit_range) == 88, "as the kernel has it");
#define START_COMMIT _IOR('X', 130, struct commit_range)
#define COMMIT_RANGE _IOW('X', 131, struct commit_range)
#define FILE1_WRITTEN (1ULL << 3) /* XFS_EXCHANGE_RANGE_FILE1_WRITTEN */

/* 1, 0 for what is no XFS, -errno. */
static int geometry(int fd, struct xfs_fsop_geom *ret)
{
	int r = pme_os_ioctl(fd, XFS_IOC_FSGEOMETRY, ret);

	if (r == -ENOTTY || r == -EOPNOTSUPP)
		return 0;
	return r < 0 ? r : 1;
}

int pme_remap_has_commit(int fd)
{
	struct xfs_fsop_geom geom = {0};
	int r = geometry(fd, &geom);

	return r > 0 ? (geom.flags & GEOM_EXCHANGE) != 0 : r;
}

int pme_remap_has_clone(int fd)
{
	struct xfs_fsop_geom geom = {0};
	int r = geometry(fd, &geom);

	return r > 0 ? (geom.flags & XFS_FSOP_GEOM_FLAGS_REFLINK) != 0 : r;
}

int pme_remap_clone(const struct pme_remap *remap)
{
	struct file_clone_range arg = {
		.src_fd = remap->from,
		.src_offset = remap->from_offset,
		.src_length = remap->length,
		.dest_offset = remap->to_offset,
	};

	/* to the kernel a length of 0 means: up to the end */
	return remap->length == 0 ? -EINVAL : pme_os_ioctl(remap->to, FICLONERANGE, &arg);
}

static int64_t nsec_of(struct timespec t)
{
	return (int64_t)t.tv_sec * NSEC + t.tv_nsec;
}

int pme_remap_pass_stamp(int fd)
{
	const struct timespec pause = {.tv_nsec = 500000};
	struct timespec now;
	struct stat st;
	int r = pme_os_fstat(fd, &st);

	if (r < 0)
		return r;
	for (;;) {
		if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0)
			return -errno;
		if (nsec_of(now) > pme_stamp_last(nsec_of(st.st_ctim)) ||
		    nsec_of(st.st_ctim) - nsec_of(now) > FUTURE)
			return 0;
		nanosleep(&pause, NULL);
	}
}

int pme_remap_start(int fd, struct pme_freshness *ret)
{
	struct commit_range arg = {0};
	int r = pme_os_ioctl(fd, START_COMMIT, &arg);

	static_assert(sizeof(ret->opaque) == sizeof(arg.file2_freshness), "as long");
	if (r == 0)
		r = pme_remap_pass_stamp(fd);
	if (r == 0)
		r = pme_os_sync(fd);
	if (r < 0)
		return r;
	memcpy(ret->opaque, arg.file2_freshness, sizeof(ret->opaque));
	return 0;
}

int pme_remap_commit(const struct pme_remap *remap, const struct pme_freshness *fresh)
{
	struct commit_range arg = {
		.file1_fd = remap->from,
		.file1_offset = remap->from_offset,
		.file2_offset = remap->to_offset,
		.length = remap->length,
		.flags = remap->written ? FILE1_WRITTEN : 0,
	};

	memcpy(arg.file2_freshness, fresh->opaque, sizeof(fresh->opaque));
	return pme_os_ioctl(remap->to, COMMIT_RANGE, &arg);
}

int pme_remap_reopen(int dir, int fd, int flags)
{
	unsigned char handle[HANDLE_MAX];
	uint32_t size = sizeof(handle);
	struct xfs_fsop_handlereq req = {.fd = (uint32_t)fd, .ohandle = handle, .ohandlen = &size};
	int r = pme_os_ioctl(fd, XFS_IOC_FD_TO_HANDLE, &req);

	if (r < 0)
		return r;
	if (size > sizeof(handle))
		return -EPROTO;
	req = (struct xfs_fsop_handlereq){
		.oflags = (uint32_t)(flags | O_NONBLOCK | O_LARGEFILE | O_CLOEXEC),
		.ihandle = handle,
		.ihandlen = size,
	};
	r = pme_os_ioctl(dir, XFS_IOC_OPEN_BY_HANDLE, &req);
	/* it may not listen to O_CLOEXEC */
	if (r >= 0 && fcntl(r, F_SETFD, FD_CLOEXEC) < 0) {
		int error = -errno;

		close(r);
		return error;
	}
	return r;
}

/* Whoever wants the file makes the kernel tell us, by a signal that is ignored unless handled. */
int pme_remap_lease(int fd)
{
	if (fcntl(fd, F_SETSIG, SIGURG) < 0)
		return -errno;
	return fcntl(fd, F_SETLEASE, F_WRLCK) < 0 ? -errno : 0;
}

int pme_remap_lease_holds(int fd)
{
	int r = fcntl(fd, F_GETLEASE);

	return r < 0 ? -errno : r == F_WRLCK;
}

void pme_remap_unlease(int fd)
{
	fcntl(fd, F_SETLEASE, F_UNLCK);
}

int pme_remap_want_dax(int dir, bool dax)
{
	struct fsxattr attr = {0};
	int r = pme_os_ioctl(dir, FS_IOC_FSGETXATTR, &attr);

	if (r < 0 || !!(attr.fsx_xflags & FS_XFLAG_DAX) == dax)
		return r < 0 ? r : 0;
	attr.fsx_xflags ^= FS_XFLAG_DAX;
	return pme_os_ioctl(dir, FS_IOC_FSSETXATTR, &attr);
}

static int write_page(int fd, const char *buf, uint64_t offset)
{
	ssize_t n = pwrite(fd, buf, PAGE, (off_t)offset);

	if (n < 0)
		return -errno;
	return n == PAGE ? 0 : -EIO;
}

int pme_remap_write(int fd, const void *buf, size_t size, uint64_t offset)
{
	int r = size % PAGE == 0 ? 0 : -EINVAL;

	for (size_t done = 0; r == 0 && done < size; done += PAGE)
		r = write_page(fd, (const char *)buf + done, offset + done);
	return r < 0 ? r : pme_os_sync(fd);
}

/* @size bytes into @bounce, which has room for whole pages; a page that is there in part ends it.
 */
static int read_pages(int fd, char *bounce, size_t size, uint64_t offset)
{
	size_t room = (size + PAGE - 1) / PAGE * PAGE;

	for (size_t done = 0; done < size;) {
		ssize_t n = pread(fd, bounce + done, room - done, (off_t)(offset + done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 || (n > 0 && n % PAGE != 0 && done + (size_t)n < size))
			return -ENODATA;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int pme_remap_read(int fd, void *buf, size_t size, uint64_t offset)
{
	_cleanup_free_ char *bounce = aligned_alloc(PAGE, (size + PAGE - 1) / PAGE * PAGE);
	int flags = fcntl(fd, F_GETFL), r;

	if (!bounce)
		return -ENOMEM;
	if (flags < 0 || (!(flags & O_DIRECT) && fcntl(fd, F_SETFL, flags | O_DIRECT) < 0))
		return -errno;
	r = read_pages(fd, bounce, size, offset);
	if (!(flags & O_DIRECT) && fcntl(fd, F_SETFL, flags) < 0 && r == 0)
		r = -errno;
	if (r == 0)
		memcpy(buf, bounce, size);
	return r;
}

int pme_remap_new(int dir, const char *name, uint64_t size)
{
	_cleanup_close_ int fd = pme_os_create(dir, name);

	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size) < 0)
		return -errno;
	return pme_take_fd(&fd);
}

/* Blocks of its own that are not known to be bad, before anything is written into them. */
static int allocate(int fd, size_t size, const struct pme_range_list *avoid)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	int r;

	if (fallocate(fd, 0, 0, (off_t)size) < 0)
		return -errno;
	r = pme_extents_read(fd, (struct pme_range){.length = size}, &extents);
	for (size_t i = 0; r == 0 && avoid && i < extents.count; i++) {
		const struct pme_extent *e = &extents.items[i];
		struct pme_range at = {.start = e->device_start, .length = e->range.length};

		if (e->state != PME_EXTENT_DATA && e->state != PME_EXTENT_UNWRITTEN)
			r = -EIO;
		else if (pme_range_list_meets(avoid, at))
			r = -ENOTBLK;
	}
	return r;
}

static int compare(int fd, const void *buf, size_t size)
{
	_cleanup_free_ char *back = malloc(size);
	int r = back ? pme_remap_read(fd, back, size, 0) : -ENOMEM;

	if (r < 0)
		return r;
	return memcmp(back, buf, size) == 0 ? 0 : -EBADMSG;
}

int pme_remap_stage(int dir, const char *name, const void *buf, size_t size,
		    const struct pme_range_list *avoid)
{
	size_t whole = (size + PAGE - 1) / PAGE * PAGE;
	_cleanup_close_ int fd = pme_os_create(dir, name);
	int r = fd < 0 ? fd : allocate(fd, whole, avoid);

	if (r == 0)
		r = pme_remap_write(fd, buf, whole, 0);
	if (r == 0 && whole != size)
		r = ftruncate(fd, (off_t)size) < 0 ? -errno : pme_os_sync(fd);
	if (r == 0)
		r = compare(fd, buf, size);
	if (r == 0)
		r = pme_os_sync(dir);
	return r < 0 ? r : pme_take_fd(&fd);
}
