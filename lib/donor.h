/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Donors: where the bytes of lost blocks can come from, and what proves that they are the right
 * ones.
 *
 * A donor is one row of a table (donor.c), in the order in which they are asked.  Each proof is one
 * of the repair contract; a donor without proof is only offered, and used when the user names it.
 * To add one: a file lib/donor-NAME.c with a const struct pme_donor_kind, a row in donor.c.
 *
 * What a layer or a filesystem gives back by itself (another leg, parity, a second copy of btrfs)
 * is no donor: such bytes are redundant, not lost, and their layer is made to write them anew.
 */
#ifndef PME_DONOR_H
#define PME_DONOR_H

#include <json-c/json.h>

#include "fs.h"
#include "saved-cache.h"

enum pme_proof {
	PME_PROOF_SHARED,     /* still the very extent of a checkpoint, whose replica is intact */
	PME_PROOF_DIGEST,     /* digest of this range, of a file that did not change since */
	PME_PROOF_MIRROR,     /* another leg or parity, for which its layer vouches */
	PME_PROOF_PAGE_CACHE, /* still in memory, on a mount without DAX */
	PME_PROOF_MEDIA,      /* all that the file has there still reads */
	PME_PROOF_NONE,	      /* unproven */
};
const char *pme_proof_name(enum pme_proof proof); /* "shared-extent", "digest", … "unproven" */

/* Bytes that are wanted; everything is borrowed. */
struct pme_want {
	const struct pme_os *os;
	const struct pme_topo *topo;
	struct pme_stack *stack; /* knows what is bad; NULL: nothing is known */
	const struct pme_fs *fs;
	int root; /* directory: the root of the filesystem */
	int fd;	  /* the file, open for reading */
	const struct pme_file *file;
	/* bytes of the file: whole blocks, contiguous on the device; may reach over its end */
	struct pme_range range;
	uint64_t device_start; /* byte of fs->dev where they lie */
	/*
	 * Bytes of fs->dev that are bad, normalized: then every donor must agree with what reads
	 * beside them.  NULL: nothing is read from media.
	 */
	const struct pme_range_list *bad;
	const char *from;	       /* path that the user named (--from), or NULL */
	struct pme_saved_cache *saved; /* versions of files that were kept */
	bool behind_end;	       /* all of @bad is, for every file that has these blocks */
	bool proven_only;	       /* kinds that never have a proof are not asked */
};

struct pme_donor {
	const struct pme_donor_kind *kind; /* NULL: none */
	enum pme_proof proof;
	char *path;	       /* of the bytes, or NULL */
	int64_t taken;	       /* µs of CLOCK_REALTIME: how old the bytes are; 0: of now */
	char *detail;	       /* for people; or NULL */
	struct pme_file *file; /* of a donor that has no @path yet, in the filesystem of the want */
	void *state;	       /* of the kind */
};

struct pme_donor_kind {
	const char *name; /* "media", "replica", "page-cache", "file" */
	/*
	 * 1 and *@ret; 0: it has nothing, *@ret_reason (allocated, or NULL) may say why not;
	 * -errno. Its bytes were read and found good.
	 */
	int (*find)(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
		    char **ret_reason);
	/*
	 * Is the proof still one, right now?  1, 0, -errno.  Asked again before the switch.  NULL:
	 * what it has read does not change.
	 */
	int (*holds)(const struct pme_donor *donor, const struct pme_want *want);
	/* Bytes of the file at @offset: 0 or -errno.  Behind the end of the file they are zero. */
	int (*read)(const struct pme_donor *donor, const struct pme_want *want, uint64_t offset,
		    size_t size, void *buf);
	void (*done)(struct pme_donor *donor);
	bool never_proven; /* what it finds never has a proof */
};

extern const struct pme_donor_kind pme_donor_media, pme_donor_replica, pme_donor_digest,
	pme_donor_page_cache, pme_donor_file, pme_donor_diverged;

/*
 * The best donor for @want: 1 and *@ret; 0: none; -ENOMEM, -EMFILE, -ENFILE.  The first with proof; without any, the
 * first unproven one, which is that of want->from where it was named.  *@ret_reason (allocated, or
 * NULL) says of each kind that has no proof why not.
 */
int pme_donor_find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
		   char **ret_reason);
/* Ask again whether the proof holds: 1, 0, -errno. */
int pme_donor_holds(const struct pme_donor *donor, const struct pme_want *want);
/* Close what it has open: it can be told of still, and not be read any more. */
void pme_donor_close(struct pme_donor *donor);
void pme_donor_done(struct pme_donor *donor);

/*
 * For kinds.  Do the bytes @range of the open file @fd, of any filesystem, lie on bad blocks that
 * are known, or on a stack of which nobody knows?  1 and *@ret_reason (allocated); 0, also when
 * nobody can tell where the bytes are: reading will; -ENOMEM.
 */
int pme_donor_on_bad(const struct pme_want *want, int fd, struct pme_range range,
		     char **ret_reason);
/* How many bytes of want->range are before the end of the file: 0 or -errno. */
int pme_want_inside(const struct pme_want *want, uint64_t *ret);

/* {"kind","proof","path","time","detail"}, or null for none; a new reference. */
struct json_object *pme_donor_json(const struct pme_donor *donor);

#endif
