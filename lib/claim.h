/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words for what a bad range means: kinds of owners, certainty, verdicts; and the files and
 * processes that are named.  Everything that layers, filesystems and findings have in common.
 *
 * Order and spelling of the kinds are those of pmemctl-json(7).
 */
#ifndef PME_CLAIM_H
#define PME_CLAIM_H

#include <sys/types.h>
#include <time.h>

#include "range.h"

enum pme_owner_kind {
	PME_OWNER_FILE_DATA,
	PME_OWNER_FILE_XATTR,
	PME_OWNER_DIRECTORY,
	PME_OWNER_SYMLINK,
	PME_OWNER_FS_METADATA,
	PME_OWNER_FS_JOURNAL,
	PME_OWNER_UNWRITTEN,
	PME_OWNER_FREE,
	PME_OWNER_COW_STAGING,
	PME_OWNER_SWAP,
	PME_OWNER_RAW_DEVICE,
	PME_OWNER_DEVDAX,
	PME_OWNER_RAID_PARITY,
	PME_OWNER_RAID_METADATA,
	PME_OWNER_VOLUME_METADATA,
	PME_OWNER_CACHE_COPY,
	PME_OWNER_SNAPSHOT_STORE,
	PME_OWNER_PARTITION_TABLE,
	PME_OWNER_NAMESPACE_METADATA,
	PME_OWNER_UNUSED,
	PME_OWNER_UNKNOWN,
};
const char *pme_owner_name(enum pme_owner_kind kind);

enum pme_certainty { PME_EXACT, PME_REDUNDANT, PME_UNCERTAIN };
const char *pme_certainty_name(enum pme_certainty certainty); /* "exact", "redundant", "unknown" */

/* From mildest to worst: the verdict of a finding is the greatest of its claims. */
enum pme_verdict {
	PME_HARMLESS,
	PME_RECOVERABLE,
	PME_VERDICT_UNKNOWN,
	PME_METADATA_AT_RISK,
	PME_LOST,
};
const char *pme_verdict_name(enum pme_verdict verdict);
/* What losing these bytes means as long as no donor is known. */
enum pme_verdict pme_verdict_of(enum pme_owner_kind kind, enum pme_certainty certainty);

/* A process that has a file open or mapped. */
struct pme_holder {
	pid_t pid;
	pid_t fd_thread, map_thread; /* in whose folder of /proc fd and map_entry are */
	char *command;		     /* /proc/PID/comm */
	char *unit;		     /* systemd unit, or NULL */
	char *container;	     /* identifier of its container, or NULL */
	bool open, mapped, map_sync;
	bool writes; /* of a device: a descriptor of it is open for writing */
	struct pme_range_list mapped_ranges; /* bytes of the file, normalized */
	int fd;				     /* one of its descriptors of the file, -1 when none */
	char *map_entry; /* one of its mappings: "7f00-7f10", name in /proc/PID/map_files, or NULL
			  */
};

/* What a file is to those who use it; the words are those of pmemctl-json(7). */
enum pme_use_kind {
	PME_USE_SWAP_FILE,
	PME_USE_LOOP_IMAGE, /* a loop device stands on it */
	PME_USE_VM_IMAGE,   /* a virtual machine has it open */
	PME_USE_POOL,	    /* of PMDK, or a part of one */
	PME_USE_DATABASE,
};
const char *pme_use_name(enum pme_use_kind kind); /* "swap-file" */

enum pme_use_source { PME_USE_BY_KERNEL, PME_USE_BY_HEADER, PME_USE_BY_HOLDER };
const char *pme_use_source_name(enum pme_use_source source); /* "kernel" */

struct pme_use {
	enum pme_use_kind kind;
	enum pme_use_source source; /* who says so */
	char *what;		    /* "table or index of PostgreSQL" */
	char *name;		    /* of the loop device, the guest, the pool; or NULL */
	char *command;		    /* that fits, or NULL */
	const char *advice;	    /* what to do, one sentence; static */
	pid_t pid;		    /* the holder by which it is known, or 0 */
};
struct pme_use *pme_use_free(struct pme_use *use); /* NULL is fine; returns NULL */

/*
 * What stat(2) says of an inode when it is looked at through an overlay mount.  @ctime counts where
 * the number alone does not tell a file of a lower layer from the copy that was made of it.
 */
enum pme_alias_kind {
	PME_ALIAS_SURE,	 /* the number is nobody else's */
	PME_ALIAS_STAMP, /* with these times it is, with others it is a copy */
	PME_ALIAS_DOUBT, /* it may be */
};
struct pme_alias {
	enum pme_alias_kind kind;
	dev_t devno; /* st_dev */
	dev_t shown; /* what /proc/PID/maps shows: of the superblock */
	uint64_t inode;
	struct timespec ctime;
};

/*
 * An inode that owns something; shared by all claims on it.  Or a device that programs may use raw:
 * then @rdev says which, whatever node it is reached through, and only holders are known of it.
 */
struct pme_file {
	dev_t devno; /* st_dev that processes and stat(2) see */
	dev_t shown; /* what /proc/PID/maps shows instead (of btrfs), where it is not the same */
	uint64_t inode;
	uint32_t generation;
	uint32_t nlink;
	/* As lstat() of a path of it says; 0: of none. */
	uint32_t nlink_shown;
	struct timespec ctime_shown;
	uint32_t mode; /* as st_mode; 0 when it could not be read */
	dev_t rdev;    /* of a device: st_rdev; @mode is S_IFBLK or S_IFCHR.  Else 0 */
	uint64_t size; /* bytes; means something only with @mode */
	char **paths;  /* bytes as they are, absolute; may be empty */
	size_t n_paths, alloc_paths;
	bool paths_complete;
	unsigned int vault; /* 1 + enum pme_vault_part of pmemctl's own files; 0 for all others */
	bool out_of_reach;  /* the kernel must not be made to read it: its filesystem may shut down
			     */
	char *paths_reason; /* why not complete, or a remark ("unlinked, still open"); or NULL */
	struct pme_holder *holders;
	size_t n_holders, alloc_holders;
	struct pme_alias *aliases;
	size_t n_aliases, alloc_aliases;
	struct pme_use *use; /* what it is; NULL: nothing is known of it */
};

void pme_holder_done(struct pme_holder *holder);
struct pme_file *pme_file_free(struct pme_file *file);
int pme_file_add_path(struct pme_file *file, char *path); /* takes @path, frees it on error */
int pme_file_add_alias(struct pme_file *file, const struct pme_alias *alias);

#endif
