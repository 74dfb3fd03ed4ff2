/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protecting paths: add, sync, verify, list, remove.  What is kept, and how, is in saved.h.
 *
 * A file is kept by a checkpoint where it can be reflinked (checkpoint.h): the replica is copied
 * from that, the application goes on writing.  Elsewhere by digests: the file must not change while
 * it is copied; the coarse clock passes its ctime, for a moment nobody has it open for writing, it
 * is flushed, and what stat(2) says of it is the same before and after.
 */
#ifndef PME_PROTECT_H
#define PME_PROTECT_H

#include "protect-place.h"
#include "saved-conf.h"

#define PME_PROTECT_REPLICA "/var/lib/pmemctl/replica" /* unless another is given */
#define PME_PROTECT_KEEP 2
#define PME_PROTECT_RATE (64ULL << 20) /* bytes a second of a verify */

/* What one run of sync did. */
struct pme_sync_run {
	uint64_t files; /* regular files that were there, each inode once */
	uint64_t bytes; /* their sizes */
	uint64_t kept;	/* of which a new version was made */
	uint64_t unchanged;
	uint64_t not_kept;  /* said */
	uint64_t by_digest; /* of kept and unchanged: without checkpoint */
	uint64_t unsettled; /* of these: somebody had them open for writing, which is said */
	uint64_t bytes_read, bytes_written;
	uint64_t unreadable; /* blocks */
	uint64_t links, symlinks, special, mounts;
	uint64_t removed; /* files that are gone, with all their versions */
	uint64_t unseen;  /* not met, but not known to be gone: what is kept of them stays */
};

struct pme_verify_run {
	uint64_t versions, bytes;
	uint64_t damaged_versions, damaged_blocks;
};

/* What of the files as they are now could be got back, if it were lost now. */
struct pme_share {
	uint64_t files, bytes;	   /* that are there now */
	uint64_t repairable_bytes; /* still what the last whole version has, with a digest */
	uint64_t checkpoint_files; /* by checkpoint; the rest by digest, or not kept */
	uint64_t unkept_files;
	uint64_t
		damaged_files; /* with a copy that a verify found damaged: nothing of them counts */
};

/*
 * All are said in @log: 0; -EINVAL: usage; -errno.  A file that cannot be kept makes the answer
 * incomplete, no error of the call.
 */
int pme_protect_add(const struct pme_topo *topo, const char *path, const char *replica,
		    uint64_t keep, uint64_t every, struct pme_log *log, struct pme_protection *ret);
int pme_protect_sync(const struct pme_topo *topo, const struct pme_protection *protection,
		     struct pme_log *log, struct pme_sync_run *ret);
int pme_protect_verify(const struct pme_os *os, const struct pme_protection *protection,
		       uint64_t rate, struct pme_log *log, struct pme_verify_run *ret);
int pme_protect_share(const struct pme_topo *topo, const struct pme_protection *protection,
		      struct pme_log *log, struct pme_share *ret);
/*
 * Forget it, and take its checkpoints away, by the UUID of its filesystem, whatever became of the
 * path; with @purge its replica, too.  Where the filesystem is not mounted its checkpoints cannot
 * be taken away: refused, unless @purge or @force.  Where the replica is not there it cannot, either: refused
 * with @purge, unless neither of them is.  What may be left is said.
 */
int pme_protect_remove(const struct pme_topo *topo, const struct pme_protection *protection,
		       bool purge, bool force, struct pme_log *log);
/*
 * Forget the protection @id, if what is recorded of it makes no sense: 1; 0: it does, or there is
 * none; -errno.  Said.
 */
int pme_protect_remove_damaged(const struct pme_os *os, const char *id, struct pme_log *log);

/*
 * The lock of @protection, which is there and the same as when it was loaded: a descriptor; -errno,
 * said.
 */
int pme_protect_lock(const struct pme_os *os, const struct pme_protection *protection,
		     struct pme_log *log);
/* The same for who had it before, and gave others their turn: however long these take. */
int pme_protect_lock_again(const struct pme_os *os, const struct pme_protection *protection,
			   struct pme_log *log);

/* How far the replica is from what it is a copy of; @ret_name as pme_place_apart(). */
enum pme_apart pme_protect_apart(const struct pme_topo *topo,
				 const struct pme_protection *protection, char **ret_name);

/* The path of what @path leads to, without links: allocated; 0 or -errno. */
int pme_protect_real_path(const struct pme_os *os, const char *path, char **ret);

/* µs of CLOCK_REALTIME. */
int64_t pme_protect_now(void);

#endif
