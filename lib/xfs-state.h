/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a mounted XFS says about the bad bytes at one moment: pieces with their owners, and every
 * inode that has to do with them.  Taken twice, around the search for names, and compared.
 */
#ifndef PME_XFS_STATE_H
#define PME_XFS_STATE_H

#include "fs.h"
#include "xfs-fsmap.h"
#include "xfs-inode.h"

/* Owner of bytes of the device that lie behind the end of the filesystem. */
#define PME_XFS_OWN_BEHIND FMR_OWNER('P', 1)

struct pme_xfs_view {
	int fd;	     /* its directory; any ioctl goes here */
	dev_t devno; /* of the filesystem, as files have it */
	struct pme_xfs_geo geo;
	/* the device asked about: */
	enum pme_fs_role role;
	dev_t asked;
	uint64_t size;		       /* bytes of it that the filesystem uses */
	uint32_t unit;		       /* bytes: it is allocated in pieces of these */
	bool knows_owners;	       /* has the reverse map, and the kernel lets us see it */
	bool all_links;		       /* numbers of links are wanted whole, at what it costs */
	bool is_root;		       /* @fd is the root of the filesystem, not a subdirectory */
	struct pme_progress *progress; /* borrowed, or NULL */
};

struct pme_xfs_state {
	struct pme_xfs_pieces pieces; /* sorted by place */
	struct pme_xfs_inodes inodes; /* owners, and what lies in bad inode chunks; sorted */
	size_t unread;		      /* inodes that a sweep could not ask */
	bool swept;		      /* all files were asked for what nobody else knows */
	bool cut;		      /* the time was over before they were */
	int64_t began;		      /* seconds of CLOCK_REALTIME */
	bool clock_kept;	      /* nobody set that clock since, until all inodes were read */
};

/* Set what depends on the role of the device; the geometry must be there. */
void pme_xfs_view_aim(struct pme_xfs_view *view, const struct pme_fs *fs);

/*
 * Ask the kernel: does it name owners (1), or only free space (0: no reverse map, or no
 * CAP_SYS_ADMIN)?  The first block always belongs to the filesystem, so the answer about it tells.
 */
int pme_xfs_view_probe(const struct pme_xfs_view *view);

/*
 * 0 or -errno.  @earlier: what it is to be compared with, or NULL.  -ETIME, only without @earlier:
 * the time was over before anything was known.
 *
 * Compared with an earlier state, ranges of files that are older than that are not asked for again
 * where the reverse map names owners: as long as such a file is the same inode, it is the one that
 * had the bytes then, whatever became of them meanwhile.
 */
int pme_xfs_state_take(const struct pme_xfs_view *view, const struct pme_range_list *ranges,
		       const struct pme_xfs_state *earlier, struct pme_xfs_state *ret);
void pme_xfs_state_done(struct pme_xfs_state *state);

bool pme_xfs_state_equal(const struct pme_xfs_state *a, const struct pme_xfs_state *b);

/*
 * Remove from @state the pieces that are not the same in @later, and append their bytes to
 * @ret_changed (normalized).  Number of links aside, inodes must be the same, too.
 */
int pme_xfs_state_reduce(const struct pme_xfs_geo *geo, struct pme_xfs_state *state,
			 const struct pme_xfs_state *later, struct pme_range_list *ret_changed);

#endif
