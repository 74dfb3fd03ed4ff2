/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving a file other blocks: what the kernel has for it, and files of good bytes to take them
 * from.
 *
 * Interfaces: FICLONERANGE (ioctl_ficlonerange(2)); XFS_IOC_START_COMMIT and XFS_IOC_COMMIT_RANGE
 * (Linux 6.10 and newer, fs/xfs/libxfs/xfs_fs.h), whose structures Debian 12 does not have; leases
 * (fcntl(2), F_SETLEASE).
 *
 * The surprise: a descriptor of XFS_IOC_OPEN_BY_HANDLE is "invisible": what is done through it
 * leaves all times of the file as they are.  That is how a repair keeps them, and how the freshness
 * of a file still says that nobody else has written.
 */
#ifndef PME_REMAP_H
#define PME_REMAP_H

#include "range.h"

/* What the filesystem of @fd can do: 1, 0, -errno. */
int pme_remap_has_commit(int fd);
int pme_remap_has_clone(int fd);

/* Bytes of one file that take the place of those of another: multiples of blocks, but at the end of
 * both files. */
struct pme_remap {
	int from, to; /* both open for reading and writing */
	uint64_t from_offset, to_offset, length;
	bool written; /* pme_remap_commit(): only where @from has data, holes are left out */
};

/* FICLONERANGE: 0 or -errno; no data is read.  Not synced. */
int pme_remap_clone(const struct pme_remap *remap);

/*
 * Wait until no file can be stamped any more with the change time that @fd has now: who writes to
 * it later gives it another.  0 or -errno.
 */
int pme_remap_pass_stamp(int fd);

/*
 * The file as it is now: any write to it from now on makes pme_remap_commit() fail.  It is flushed,
 * so that stores through mappings fault first and count as writes, too; and no write happens at the
 * time that was sampled, since the clock that files are stamped with has moved on.
 */
struct pme_freshness {
	uint64_t opaque[6];
};
int pme_remap_start(int fd, struct pme_freshness *ret);
/* Exchange, at once and for good: 0; -EBUSY, somebody has written, nothing was changed; -errno. */
int pme_remap_commit(const struct pme_remap *remap, const struct pme_freshness *fresh);

/*
 * The same file again, by its handle, so that what is done through it leaves no trace in its times
 * (XFS): a descriptor or -errno; -ETXTBSY: it is a program that runs.  @dir: any directory of its
 * filesystem.
 */
int pme_remap_reopen(int dir, int fd, int flags);

/*
 * A write lease: nobody else has the file open.  Who opens it waits until it is given back, or the
 * kernel takes it (/proc/sys/fs/lease-break-time).  0, -EAGAIN: others have it open, -errno.
 */
int pme_remap_lease(int fd);
int pme_remap_lease_holds(int fd); /* 1; 0: it was taken, or somebody waits for it; -errno */
void pme_remap_unlease(int fd);

/*
 * Will files that are made in the directory @dir be DAX?  Where that is not a matter of the mount
 * (dax=inode), the directory's flag says so.  0 or -errno.
 */
int pme_remap_want_dax(int dir, bool dax);

/*
 * A new file @name in @dir with @size bytes of @buf, on the disk, read back from the media and
 * compared; @buf has whole pages, what is behind @size is zero.  No block of it is one of @avoid
 * (bad ranges of the device, normalized; or NULL).  A descriptor; -ENOTBLK: it was given blocks
 * that are bad, and is left as it is, to be parked; -EBADMSG: it reads back different bytes;
 * -errno.
 */
int pme_remap_stage(int dir, const char *name, const void *buf, size_t size,
		    const struct pme_range_list *avoid);
/* A new, empty file of @size bytes, a hole.  A descriptor or -errno. */
int pme_remap_new(int dir, const char *name, uint64_t size);

/* Write over what is there, page by page, and sync: 0 or -errno.  @size: whole pages. */
int pme_remap_write(int fd, const void *buf, size_t size, uint64_t offset);
/* @size bytes at @offset (of a page) from the media, around the page cache: 0, -ENODATA, -errno. */
int pme_remap_read(int fd, void *buf, size_t size, uint64_t offset);

#endif
