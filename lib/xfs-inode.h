/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XFS geometry and inodes: where inodes lie, which are allocated, and what they are now.
 *
 * Structures and ioctls: <xfs/xfs_fs.h> (FSGEOMETRY, BULKSTAT, INUMBERS).  BULKSTAT does not show
 * internal inodes (quota, realtime); their numbers are in the superblock (xfs_dsb, big-endian).
 */
#ifndef PME_XFS_INODE_H
#define PME_XFS_INODE_H

#include <time.h>

#include "range.h"

/* The longest superblock that is read: one sector of at most 32 KiB. */
#define PME_XFS_SECTOR_MAX 32768

struct pme_xfs_geo {
	uint32_t block_size, sector_size, inode_size; /* bytes */
	uint32_t ag_blocks, ag_count;
	unsigned int agino_bits; /* bits of an inode number below the AG number */
	uint64_t size;		 /* bytes of the data section */
	uint64_t log_start;	 /* byte of the internal log; 0: it is external */
	uint64_t log_size;	 /* bytes of the log */
	uint64_t rt_size;	 /* bytes of the realtime section */
	uint32_t rt_extent;	 /* bytes */
	bool has_rmap, has_parents, is_zoned;
};

struct pme_xfs_inode {
	uint64_t ino;
	uint32_t gen, nlink, mode;
	uint64_t size; /* bytes */
	int64_t ctime; /* seconds, and */
	uint32_t ctime_nsec;
	int64_t born;	  /* it had its number by then, seconds; 0: not known */
	bool few_bits;	  /* nlink is the lower 16 bits of it, and it was old then */
	bool seen_later;  /* and it was the same later on */
	bool internal;	  /* BULKSTAT does not know it: no name, no mode */
	bool is_realtime; /* the data of a regular file lies on the realtime device */
	int error; /* -errno: it is there but cannot be read (bad media): no mode, no links */
};

struct pme_xfs_inodes {
	struct pme_xfs_inode *items;
	size_t count, alloc;
};

/* Inode numbers from the superblock; UINT64_MAX where there is none. */
struct pme_xfs_internal {
	uint64_t rt_bitmap, rt_summary, user_quota, group_quota, project_quota;
};

/* 0, -errno, -EPROTO when the sizes make no sense. */
int pme_xfs_geo_read(int fd, struct pme_xfs_geo *ret);

/* The byte of a block whose number is AG number and block in the AG, as bit fields; 0 is none. */
uint64_t pme_xfs_geo_block(const struct pme_xfs_geo *geo, uint64_t block);

/* AG of the byte @at of the data section. */
uint32_t pme_xfs_geo_ag(const struct pme_xfs_geo *geo, uint64_t at);

/* The numbers of the first and the last inode whose core meets @range (inside one AG). */
void pme_xfs_geo_inodes(const struct pme_xfs_geo *geo, struct pme_range range, uint64_t *ret_first,
			uint64_t *ret_last);

/* The byte of the data section where the core of the inode @ino begins. */
uint64_t pme_xfs_geo_place(const struct pme_xfs_geo *geo, uint64_t ino);

/* Fill in all but the number of the inode inode->ino: 0, or -errno when BULKSTAT does not work. */
int pme_xfs_inode_stat(int fd, struct pme_xfs_inode *inode);

/*
 * The same at a fifth of the cost, of an inode that nobody changed since @since (seconds, by its
 * ctime); of its links it may know 16 bits only, but not that there are none.
 */
int pme_xfs_inode_stat_old(int fd, int64_t since, struct pme_xfs_inode *inode);

/*
 * Is it certain that a second pme_xfs_inode_stat() would find what @inode has from the first (but
 * for its size)?  It costs a fifth of that.
 */
bool pme_xfs_inode_is_same(int fd, const struct pme_xfs_inode *inode);

/*
 * A file with the number of @inode had @nlink links, and that ctime, when it was seen later on: it
 * is the same one, unchanged, if these are the same, as ctime is older than the scan.
 */
void pme_xfs_inode_seen(struct pme_xfs_inode *inode, uint32_t nlink, const struct timespec *ctime);

/* Open the inode @ino, @gen of the filesystem of @fd by its handle: a descriptor or -errno. */
int pme_xfs_inode_open(int fd, uint64_t ino, uint32_t gen, int flags);

/* The root directory, whatever is mounted: 0 or -errno. */
int pme_xfs_inode_root(int fd, struct pme_xfs_inode *ret);

/* The first allocated inode from @ino on: 1 and *@ret, 0 there is none, -errno. */
int pme_xfs_inode_next(int fd, uint64_t ino, uint64_t *ret);

/* Some of these inodes, [start, end), are allocated: @count when it was asked. */
struct pme_xfs_chunk {
	uint64_t start, end;
	uint32_t count;
};

/*
 * Up to @room chunks from inode @from on, in their order: how many (0: there are no more), -errno.
 * Of a chunk around @from the part behind it.
 */
int pme_xfs_chunks_read(int fd, uint64_t from, struct pme_xfs_chunk *ret, uint32_t room);

/* Errors of one inode that is damaged, not of the call. */
bool pme_xfs_is_damage(int error);

/* Append the number of every allocated inode in [@first, @last]: 0 or -errno. */
int pme_xfs_inodes_allocated(int fd, uint64_t first, uint64_t last, struct pme_xfs_inodes *ret);

/* Append one with number @ino, the rest zero: 0, -ENOMEM, -E2BIG. */
int pme_xfs_inodes_add(struct pme_xfs_inodes *inodes, uint64_t ino);
void pme_xfs_inodes_sort(struct pme_xfs_inodes *inodes); /* by number, each once */
/* Position of the first inode of the sorted list with a number of at least @ino. */
size_t pme_xfs_inodes_find(const struct pme_xfs_inodes *inodes, uint64_t ino);
void pme_xfs_inodes_done(struct pme_xfs_inodes *inodes);

/* Parse a superblock: 0, or -EINVAL for what is none. */
int pme_xfs_internal_parse(const void *sb, size_t len, struct pme_xfs_internal *ret);
/*
 * Numbers that the superblock on the disk may not have yet: quota inodes as the running kernel
 * knows them (quotactl Q_XGETQSTATV, linux/dqblk_xfs.h).  Where quota is off nothing changes.
 */
void pme_xfs_internal_ask(const char *special, struct pme_xfs_internal *internal);
/* "user quota inode", or NULL when @ino is none of them. */
const char *pme_xfs_internal_name(const struct pme_xfs_internal *internal, uint64_t ino);
/*
 * Does no call tell of it, though it is none of them?  The reverse map has blocks of a file that is
 * removed until they are freed, some time later.
 */
bool pme_xfs_inode_is_going(const struct pme_xfs_inode *inode,
			    const struct pme_xfs_internal *internal);

#endif
