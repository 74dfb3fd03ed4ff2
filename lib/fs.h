/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filesystems: bytes of their device -> owners -> inodes -> names.
 *
 * A filesystem is one row of a table.  resolve() gets all bad ranges that reach one mounted
 * filesystem, at once, and answers with owners for every byte of them (what it does not know is an
 * owner of kind unknown with its reason), one owner per inode and contiguous piece, none of which
 * reaches across the ends of a range asked about.  It opens the filesystem for this one pass and
 * holds nothing afterwards.
 *
 * A filesystem on several devices is as many struct pme_fs: one for each device, with its role.
 *
 * To add a filesystem: one file lib/fs-NAME.c with a const struct pme_fs_kind, one row in fs.c.
 */
#ifndef PME_FS_H
#define PME_FS_H

#include "claim.h"
#include "place.h"

struct pme_fs {
	const struct pme_dev *dev;	 /* the device asked about */
	enum pme_fs_role role;		 /* of @dev */
	const struct pme_dev *main;	 /* that is mounted; @dev itself in the role of data */
	const char *type;		 /* "xfs"; borrowed */
	char *uuid;			 /* or NULL */
	const char *source;		 /* as mounted; borrowed; NULL when not mounted */
	const struct pme_mount **mounts; /* every mount of it, bind and subdirectory mounts too */
	size_t n_mounts;
};

struct pme_fs_owner {
	struct pme_range range; /* bytes of fs->dev */
	enum pme_owner_kind kind;
	enum pme_certainty certainty;
	char *detail;		  /* "inode btree", "AG 2 free space header (AGF)"; or NULL */
	char *reason;		  /* why unknown; or NULL */
	struct pme_file *file;	  /* owner inode, borrowed from the result's files; or NULL */
	uint64_t file_start;	  /* byte of the file (or fork) at range.start; only with @file */
	bool has_file_start;	  /* false for block-map blocks: they have no place in the file */
	bool shared;		  /* other owners reference the same blocks */
	struct pme_file **inodes; /* inodes that live in these bytes (inode chunk), borrowed */
	size_t n_inodes;
	struct pme_copies *copies; /* other places of the same bytes, or NULL; owned */
	/* With copies: of each only whole units can be read (a checksum): size, and one's start. */
	uint64_t unit, unit_at;
};

struct pme_fs_result {
	struct pme_fs_owner *owners; /* sorted by range.start */
	size_t n_owners, alloc_owners;
	struct pme_file **files; /* owned; each inode once */
	size_t n_files, alloc_files;
};

struct pme_fs_kind {
	const char *type; /* NULL: many */
	/*
	 * 0 or -errno (nothing could be done; the caller makes an unknown of all ranges).  @ranges
	 * is normalized.  Says what stays unknown in @log.
	 */
	int (*resolve)(const struct pme_topo *topo, const struct pme_fs *fs,
		       const struct pme_range_list *ranges, struct pme_log *log,
		       struct pme_fs_result *ret);
};

extern const struct pme_fs_kind pme_fs_xfs, pme_fs_ext2, pme_fs_ext3, pme_fs_ext4, pme_fs_btrfs;
/* All others of which the kernel says where files lie: pme_extents_mapping(). */
extern const struct pme_fs_kind pme_fs_walk;

/* The row for @type, or NULL. */
const struct pme_fs_kind *pme_fs_kind_of(const char *type);

/* As pme_topo_fs_find(): 1 and *@ret filled (free with pme_fs_done), 0 no, -errno. */
int pme_fs_of(const struct pme_topo *topo, const struct pme_dev *dev, struct pme_fs *ret);
void pme_fs_done(struct pme_fs *fs);

/* How messages call it: as it was mounted, else the name of its main device. */
const char *pme_fs_subject(const struct pme_fs *fs);

/* {"type","uuid","source","mounts"}; a new reference. */
struct json_object *pme_fs_json(const struct pme_fs *fs);

/*
 * A new owner of @range at the end of @result (valid until the next call), or NULL: exact, but for
 * one of kind unknown.
 */
struct pme_fs_owner *pme_fs_result_add(struct pme_fs_result *result, struct pme_range range,
				       enum pme_owner_kind kind);
/* An owner of kind unknown; 0 or -ENOMEM. */
int pme_fs_result_unknown(struct pme_range range, const char *reason, struct pme_fs_result *ret);
/* Owners by place, inode and byte of the file. */
void pme_fs_result_sort(struct pme_fs_result *result);
/* Say in @log how many owners and names are not known. */
void pme_fs_result_tell(const struct pme_fs_result *result, const struct pme_fs *fs,
			struct pme_log *log);
void pme_fs_owner_done(struct pme_fs_owner *owner);
void pme_fs_result_done(struct pme_fs_result *result);

#endif
