/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The manifest of one kept version of a file: what it was, where its bytes were, and digests.
 *
 * Two files, in the directory of the version:
 *
 *   manifest  numbers little-endian, nothing aligned, nothing between:
 *               8 bytes "PMESAVED"; u32 version of the format (2); u32 bytes of a block (4096)
 *               u64 nonce, u64 generation, i64 taken (µs), u32 flags
 *                 (1: there is a checkpoint; 2: settled; 4: blocks could not be read; 8: of a boot)
 *               u64 inode, u32 inode generation, u64 size, i64 mtime, i64 ctime (ns); with flag
 *                 8 u64 boot
 *               u32 n, n bytes: ID of the protection; the same: UUID of the filesystem; path
 *               u64 n, n extents, each from the end of the one before, the first from 0:
 *                 u8 state, varint length, and if it is data or unwritten a varint: byte of the
 *                 device, less the end of the last one that had one, modulo 2^64, in zigzag
 *               u64 n, n digests of the pages of the sums
 *               u64 n, n amendments, ascending: varint blocks since the one before (the first:
 *                 since block 0), digest
 *               a digest of everything before it
 *   sums      a digest of each block, 256 to a page of 4096 bytes; zeros: there is none, because
 *             the block is a hole, was never written, or could not be read
 *
 * A varint has 7 bits in a byte, the lowest first, and the highest bit set where more follow, in no
 * more bytes than it takes (LEB128); zigzag turns 0, -1, 1, -2 … into 0, 1, 2, 3 ….
 *
 * A digest is XXH3-128 in its canonical form (16 bytes, big-endian).  The last block is digested
 * with zeros behind the end of the file.  The surprise: sums are not part of the manifest, so that
 * a version that differs little from the one before shares almost all of them with it; and where
 * few blocks of a page changed, it shares the page, too, and the manifest amends it.
 */
#ifndef PME_MANIFEST_H
#define PME_MANIFEST_H

#include "extent.h"

#define PME_MANIFEST_BLOCK 4096
#define PME_MANIFEST_PAGE 4096	  /* bytes of a page of sums */
#define PME_MANIFEST_PER_PAGE 256 /* digests in it: 1 MiB of the file */

struct pme_digest {
	unsigned char bytes[16];
};
struct pme_digest pme_digest_of(const void *data, size_t size);
bool pme_digest_same(const struct pme_digest *a, const struct pme_digest *b);
bool pme_digest_is_none(const struct pme_digest *digest);

/* The digest of a block, instead of that in its page of sums. */
struct pme_amendment {
	uint64_t block;
	struct pme_digest digest;
};

struct pme_amendments {
	struct pme_amendment *items; /* ascending */
	size_t count, alloc;
};

struct pme_manifest {
	char *protection; /* ID */
	char *fs_uuid;
	char *path;	/* of the file, for people */
	uint64_t nonce; /* of this version: its checkpoint is called by it */
	uint64_t generation;
	int64_t taken; /* µs of CLOCK_REALTIME */
	bool has_checkpoint;
	bool settled; /* its bytes are those of its times: saved.h */
	bool lacking; /* some of its blocks could not be read, and have no digest */
	uint64_t inode;
	uint32_t inode_generation;
	uint64_t size;
	int64_t mtime, ctime;	    /* ns */
	uint64_t boot;		    /* pme_os_boot() when these times were taken; 0: unknown */
	struct pme_extents extents; /* of [0, size), in order, without gaps */
	struct pme_digest *pages;
	size_t n_pages;
	struct pme_amendments amended;
};

void pme_manifest_done(struct pme_manifest *manifest);

/* Pages of sums that a file of @size bytes has. */
uint64_t pme_manifest_pages(uint64_t size);

/* Are these bytes of the file zero because nothing was ever written there? */
bool pme_manifest_is_empty(const struct pme_manifest *manifest, struct pme_range range);

/*
 * 0; -EINVAL: it is none; -EPROTONOSUPPORT: of a newer format; -EBADMSG: damaged; -ENOMEM.  Only
 * then is anything in *@ret.
 */
int pme_manifest_parse(const char *data, size_t len, struct pme_manifest *ret);
/* The opposite, allocated: 0 or -ENOMEM. */
int pme_manifest_format(const struct pme_manifest *manifest, char **ret, size_t *ret_len);

/* Of the file @name of @dir; -errno of pme_manifest_parse() and of reading. */
int pme_manifest_read(int dir, const char *name, struct pme_manifest *ret);
/* A new file @name, in place of one that is there; not synced.  0 or -errno. */
int pme_manifest_write(int dir, const char *name, const struct pme_manifest *manifest);

/*
 * The page @page of the sums @fd, checked, as it is on the disk: 0, -EBADMSG, -errno; -ERANGE:
 * there is no such page.
 */
int pme_manifest_stored(const struct pme_manifest *manifest, int fd, uint64_t page,
			struct pme_digest ret[PME_MANIFEST_PER_PAGE]);
/* The same, amended: the digests of its blocks. */
int pme_manifest_sums(const struct pme_manifest *manifest, int fd, uint64_t page,
		      struct pme_digest ret[PME_MANIFEST_PER_PAGE]);
/* Amendments of this page are made to @digests. */
void pme_manifest_amend(const struct pme_manifest *manifest, uint64_t page,
			struct pme_digest digests[PME_MANIFEST_PER_PAGE]);

/*
 * The last page of @manifest, page @page, has the digests @now, and could share the page @stored
 * with the version before: 1, and it has the amendments that takes; 0: they are so many that the
 * page is better written; -ENOMEM.
 */
int pme_manifest_share_page(struct pme_manifest *manifest, uint64_t page,
			    const struct pme_digest stored[PME_MANIFEST_PER_PAGE],
			    const struct pme_digest now[PME_MANIFEST_PER_PAGE]);

/* The amendments of @page in @base become those of @manifest, which has none behind: 0, -ENOMEM. */
int pme_manifest_keep_page(struct pme_manifest *manifest, const struct pme_manifest *base,
			   uint64_t page);

/* A sentence for an error of reading one. */
const char *pme_manifest_error(int error);

#endif
