/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps of a plan that are being carried out, or were when the program ended: what repair-apply.c
 * and repair-resume.c share.
 *
 * Steps of the same files are done together, each a part of one work: it has one journal entry, one
 * set of staging files, and their bytes, one behind the other, are its good bytes.
 *
 * All that is known of it is what the journal says of it ("about"), and which blocks which file has
 * now; both callers read the same.  Files of the step, in the vault's staging/ID:
 *
 *   good, good.N   good bytes, written, synced, read back
 *   swap.N.K       good bytes for target N, to be exchanged with its bad blocks: has those then;
 *                  of several parts with holes in between, as far apart as they are in the target
 *   bad            a clone of the bad blocks, made before they are cloned over (clone-range)
 *
 * The rule that everything follows from: as soon as a file here has the bad blocks, too, they are
 * "kept": shared, so that nobody writes them in place.  A file that still maps to them then still
 * wants the good bytes, whoever looks and however much later.  Before that the donor has to prove
 * it, right before the switch.  So a repair is taken back while nothing is kept, and finished when
 * something is: also for the sharers that somebody was writing to all the time (the repair stays
 * open in the journal then, and the next one goes on with it).
 *
 * A repair in place keeps nothing: see repair-place.h for its rule.
 */
#ifndef PME_REPAIR_WORK_H
#define PME_REPAIR_WORK_H

#include "donor-reach.h"
#include "repair-journal.h"
#include "repair.h"
#include "xfs-fsmap.h"

/* More bytes, or parts, at once are not repaired together: 64 MiB. */
#define PME_WORK_MAX (64ULL << 20)
#define PME_WORK_PARTS_MAX 1024
#define PME_WORK_TARGETS_MAX 65536U /* files that share one block */
#define PME_WORK_DIGEST 33	    /* hex digits of XXH3-128, and NUL */

/* Whole blocks, one behind the other on the device and in each file. */
struct pme_work_part {
	struct pme_range device; /* bytes of the device */
	uint64_t at;		 /* byte of the good ones */
};

struct pme_work_target {
	struct pme_file file;	     /* devno, inode, generation: nothing else of it is set */
	char *path;		     /* how messages call it */
	struct pme_range_list given; /* of the good bytes, by us: normalized */
	uint64_t *starts;	     /* byte of the file, of each part */
	uint32_t mode;		     /* as it was; and what security.capability was, or NULL */
	char *caps;
	size_t caps_len;
	int64_t ctime;	 /* ns, as it was */
	bool own;	 /* a checkpoint: nobody but pmemctl opens it, no lease is needed */
	int fd;		 /* while it is under lease, else -1 */
	uint64_t size;	 /* of the file, and how many of the good bytes are inside: */
	uint64_t length; /* by pme_work_open_target() */
};

/* What the file of a repair in place was like right before it; see repair-place.h. */
struct pme_work_before {
	bool known; /* there was an act "write" */
	uint64_t size;
	int64_t mtime, ctime; /* ns of CLOCK_REALTIME */
	char boot[40];	      /* of the machine: /proc/sys/kernel/random/boot_id */
};

struct pme_work {
	const struct pme_os *os;
	const struct pme_topo *topo; /* borrowed */
	struct pme_log *log;
	struct pme_repair_journal *journal;
	int64_t id;
	enum pme_repair_how how;
	struct pme_work_part *parts; /* by their place on the device, disjoint */
	size_t n_parts, alloc_parts;
	uint64_t length; /* bytes of all parts */
	struct pme_work_target *targets;
	size_t n_targets, alloc_targets;

	const struct pme_fs *fs;	    /* borrowed */
	const struct pme_range_list *avoid; /* bad bytes of its device, or NULL; borrowed */
	struct pme_reach reach;
	int staging;		/* the vault's, locked: nobody else repairs this filesystem */
	bool zero;		/* the good bytes are zeros: given up, not repaired */
	int dir;		/* staging/ID, or -1 */
	bool kept;		/* a file of ours has bad blocks, too */
	bool switched;		/* a target has good ones already: there is no way back */
	bool may_have_switched; /* of an earlier run: it had come to an act "switch" */
	struct pme_work_before before;

	unsigned char *good;	      /* @length bytes, zero behind the end of the file */
	char digest[PME_WORK_DIGEST]; /* of them; "" until they are known */
	size_t good_length;	      /* size of the staging file "good" */
	/* 1: @good is what was lost, as of now; 0, -errno.  NULL: kept. */
	int (*prove)(struct pme_work *work);
	void *prove_arg;
	char *error; /* what stopped it, or NULL */
};

/* Another part, behind those before: 0, -EINVAL (none, or not behind them), -E2BIG, -ENOMEM. */
int pme_work_add_part(struct pme_work *work, struct pme_range device);
/* And a target, with room for where each of the parts is in it: or NULL. */
struct pme_work_target *pme_work_add_target(struct pme_work *work);
void pme_work_drop_target(struct pme_work *work, size_t i);

/* What the journal is told; @steps has one for each part.  A new reference. */
struct json_object *pme_work_about(const struct pme_work *work,
				   struct pme_repair_step *const *steps);
/* And back, sets how, zero, parts, targets: 0, -EINVAL when it makes no sense, -ENOMEM. */
int pme_work_about_parse(struct json_object *about, struct pme_work *ret);
void pme_work_done(struct pme_work *work);
/* Room for the good bytes, whole pages, zeros; or NULL. */
unsigned char *pme_work_buffer(const struct pme_work *work);

/* Enter its filesystem: 0, -EAGAIN (somebody else repairs it), -errno; sets error. */
int pme_work_enter(struct pme_work *work, const struct pme_fs *fs, bool make);
/* Remembers the first one. Returns @r. */
int pme_work_fail(struct pme_work *work, int r, const char *fmt, ...) _printf_(3, 4);
/* It has ended well: said in the journal. */
int pme_work_end(struct pme_work *work);
const char *pme_work_end_name(const struct pme_work *work); /* "repaired", "given-up" */
/* Record an act that comes next: of target @target, or of none (SIZE_MAX). */
int pme_work_note(struct pme_work *work, const char *name, size_t target);

/*
 * A descriptor of target @i whose use leaves its times alone; sets its length.  -ESTALE: the file
 * is gone, or ends before.
 */
int pme_work_open_target(struct pme_work *work, size_t i, int flags);
/* Which of the good bytes the file @fd, target @i, needs: it still has the blocks that it had. */
int pme_work_runs(const struct pme_work *work, size_t i, int fd, struct pme_range_list *ret);
/* Set size and length of target @i. */
void pme_work_measure(struct pme_work *work, size_t i, uint64_t size);
/* How much of part @p is inside of target @i. */
uint64_t pme_work_inside(const struct pme_work *work, size_t i, size_t p);
/* Is it all of it, up to the end of the file?  Of several parts none may be behind it. */
bool pme_work_is_whole(const struct pme_work *work, size_t i, const struct pme_range_list *runs);
/*
 * The first of the good bytes @run that are in one piece in target @i: *@ret_at is where, in the
 * file; how many they are is returned.
 */
uint64_t pme_work_piece(const struct pme_work *work, size_t i, struct pme_range run,
			uint64_t *ret_at);
/*
 * Which bad blocks the open file @fd has in its bytes @range, as bytes of the device: appended,
 * normalized.
 */
int pme_work_owned(const struct pme_work *work, int fd, struct pme_range range,
		   struct pme_range_list *ret);
int pme_work_owned_by_target(const struct pme_work *work, size_t i, int fd,
			     struct pme_range_list *ret);
static inline int64_t pme_work_ctime(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}
void pme_work_digest(const struct pme_work *work, const void *good, char ret[PME_WORK_DIGEST]);

/* repair-stage.c: the files */
int pme_work_stage_dir(struct pme_work *work);	/* make staging/ID, DAX or not as the targets are */
int pme_work_stage_good(struct pme_work *work); /* "good" */
int pme_work_load_good(struct pme_work *work);	/* read it back, after a crash: -EUCLEAN, -ENOENT */
int pme_work_keep_bad(struct pme_work *work);	/* "bad" */
/* A file with the good bytes up to @end, of target @i's own when @own: a descriptor. */
int pme_work_source(struct pme_work *work, size_t i, uint64_t end, bool own);
/* One of its own with holes, where all parts are as far from @start as they are in the target. */
int pme_work_spread(struct pme_work *work, size_t i, struct pme_range span);
/* The bad blocks that a file of ours has, too, as bytes of the device: appended, normalized. */
int pme_work_list_kept(struct pme_work *work, struct pme_range_list *ret);
/* Which way does it go, after a crash?  Sets kept and switched. */
int pme_work_look(struct pme_work *work);
int pme_work_park(struct pme_work *work); /* what has them goes into the quarantine */
/* The rest goes; what has a bad block that nobody else has any more is parked first. */
int pme_work_clean(struct pme_work *work);

/* repair-switch.c */
/* Nobody else has target @i open, from now on: its descriptor is the only one.  -EAGAIN, -errno. */
int pme_work_lease(struct pme_work *work, size_t i);
void pme_work_unlease(struct pme_work *work, size_t i);
int pme_work_save_attributes(struct pme_work *work, size_t i, int fd);
int pme_work_switch(struct pme_work *work); /* all targets */
/* One of them, when others have been: the bad blocks are kept. */
int pme_work_switch_one(struct pme_work *work, size_t i);
int pme_work_verify(struct pme_work *work);

/*
 * repair-late.c: owners of bad blocks @late that are no targets become some, and are given good
 * ones.  *@ret_why (allocated, or NULL) says of one of them why it could not.  0, -ENOMEM.
 */
int pme_work_join(struct pme_work *work, const struct pme_xfs_pieces *late, char **ret_why);

/* repair-acts.c: from nothing; and from where something is kept, to the end. */
int pme_work_begin(struct pme_work *work);
int pme_work_finish(struct pme_work *work);
/* Nothing is kept that the files themselves do not have: as if it had not begun. */
int pme_work_take_back(struct pme_work *work);

#endif
