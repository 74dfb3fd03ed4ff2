/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `pmemctl protect sync` has kept of a file: versions, each with a physical copy elsewhere
 * (the replica) and a digest for each block of it, and either a checkpoint on the same filesystem,
 * or a sample of the file that shows whether it has changed since.
 *
 * Every descriptor and string is owned by the list.  Nothing here is believed unread: bytes are
 * handed out only when they match their digest.
 */
#ifndef PME_SAVED_H
#define PME_SAVED_H

#include "claim.h"
#include "log.h"
#include "os.h"

#define PME_SAVED_BLOCK 4096 /* bytes of one digest (XXH3-128) */

/* What statx(2) and FS_IOC_GETVERSION say of a file, to tell an unchanged one. */
struct pme_sample {
	dev_t devno;
	uint64_t inode;
	uint32_t generation;
	uint64_t size;
	int64_t mtime, ctime; /* nanoseconds of CLOCK_REALTIME */
	uint64_t boot;	      /* pme_os_boot(): times of another boot may hide a write */
};
int pme_sample_take(int fd, struct pme_sample *ret);
/* All but the device: compare filesystems by UUID. */
bool pme_sample_same(const struct pme_sample *a, const struct pme_sample *b);

struct pme_manifest;

struct pme_saved {
	char *protected; /* the path under protection that it was kept for */
	char *replica;	 /* path of the physical copy */
	uint64_t generation;
	int64_t taken;		  /* µs of CLOCK_REALTIME */
	struct pme_sample sample; /* of the file, at that time */
	int checkpoint;		  /* descriptor of the reflinked copy, or -1: there is none */
	int copy;		  /* descriptor of the replica */
	int sums;		  /* of its digests: manifest.h */
	struct pme_manifest *manifest;
	struct pme_saved_page *page; /* digests that were read last */
};

struct pme_saved_list {
	struct pme_saved *items; /* newest first */
	size_t count, alloc;
};

/* An error not of one version, but of all: memory or descriptors are used up. */
static inline bool pme_saved_is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

/*
 * All whole versions of @file (by filesystem, inode and generation, never by name), whose
 * filesystem has the UUID @fs_uuid and the root directory @root.  What is damaged or missing is
 * said in @log (info) and left out.  0; -ENOMEM, -EMFILE, -ENFILE: then nothing is known.
 */
int pme_saved_find(const struct pme_os *os, int root, const char *fs_uuid,
		   const struct pme_file *file, struct pme_log *log, struct pme_saved_list *ret);
void pme_saved_done(struct pme_saved_list *list);

/*
 * @size bytes at @offset of the version, read from the replica (around the page cache where that
 * can be) and checked against their digests: 0, -EBADMSG when a digest differs, -ERANGE behind its
 * end, -ENODATA when some of them could not be read at that time, either, -EIO.  Between the end of
 * the file and the end of its last block there are zeros.
 */
int pme_saved_read(const struct pme_saved *saved, uint64_t offset, size_t size, void *buf);

/*
 * Are the blocks of @range of the open file @fd the very blocks that the checkpoint has there now,
 * and had when its bytes were copied?  Then nobody has written them since.  1, 0, -errno.
 *
 * The surprise: a checkpoint is a sharer like any other, and gets other blocks in a repair.  Who
 * gave up its bytes, or used unproven ones, must not find them proven by it afterwards.
 */
int pme_saved_shares(const struct pme_saved *saved, int fd, struct pme_range range);

/*
 * Is the open file @fd unchanged since the sample?  1, 0 (also where the sample proves nothing: the
 * version has a checkpoint, is not settled, or is of another boot), -errno.
 *
 * A version is settled when, with just the times of its sample, there was a moment in which nobody
 * had the file open for writing (nor mapped: a mapping keeps it open), and its bytes were read
 * after that.  The surprise: that needs to be known of then only, not of now.  Every write stamps
 * the file before it changes a byte of it: write(2) when it is called, O_DIRECT and AIO when they
 * are submitted, a mapping at the fault that makes a clean page writable.  So one that is on its
 * way now, or comes later, shows already, or will before it does harm; one that was on its way
 * then would have shown in the sample only, and changed bytes after they were copied.
 */
int pme_saved_unchanged(const struct pme_saved *saved, int fd);

/*
 * Was its sample taken since the machine was started?  Else it proves nothing: fdatasync(2) and
 * O_DIRECT bring bytes to the media before the times, which the filesystem writes up to half a
 * minute later; a power cut in between leaves new bytes with old times.
 */
bool pme_saved_is_of_boot(const struct pme_saved *saved);

#endif
