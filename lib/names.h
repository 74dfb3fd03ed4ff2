/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inodes -> names: one walk over the directories of a filesystem, whatever the number of inodes.
 *
 * The walk reads directories only (getdents64: d_ino against the wanted inodes) and never opens
 * or looks up a file that is not wanted.  Memory grows with the wanted inodes and the depth of the
 * tree, not with the number of files.  Each name is confirmed by fstatat before it is kept.  A walk
 * that lasts is shared by several threads (crew.h).
 */
#ifndef PME_NAMES_H
#define PME_NAMES_H

#include "claim.h"
#include "crew.h"
#include "fs.h"

/* Directories nested deeper than this are not entered; the answer is then incomplete. */
#define PME_NAMES_DEPTH 4096

/* A name of a wanted inode, relative to the root of the filesystem: "a/b/c", "" for the root. */
struct pme_name {
	struct pme_file *file;
	char *path;
};

struct pme_names {
	struct pme_name *items;
	size_t count, alloc;
	char *incomplete;	       /* why some directories could not be read, or NULL */
	struct pme_progress *progress; /* borrowed, or NULL: told of while they are looked for */
};

/* The time is over before all names are found: this makes @names incomplete.  0 or -ENOMEM. */
int pme_names_cut(struct pme_names *names);

/* Append a name; takes @path (NULL is -ENOMEM), frees it on error. */
int pme_names_add(struct pme_names *names, struct pme_file *file, char *path);
/* Append all of @from, whose paths are taken: 0, -ENOMEM. */
int pme_names_move(struct pme_names *names, struct pme_names *from);
/* The same at the end of a thread of @crew, whose error is @r: that, or -ENOMEM. */
int pme_names_join(struct pme_crew *crew, struct pme_names *names, struct pme_names *from, int r);

/* How many names @file should have; of unknown mode (0) nobody knows. */
uint32_t pme_names_wanted(const struct pme_file *file);

/*
 * Walk below the directory @root (borrowed descriptor, its position is moved) of a filesystem with
 * device number @devno, and append the names of @files (sorted here by inode).  It ends early when
 * every directory has its name and every other file as many as nlink says; files of unknown mode
 * (0) are looked for in the whole tree.  0 or -errno; directories that cannot be read, and the end
 * of the time that was given, make it incomplete, not fail.
 */
int pme_names_walk(int root, dev_t devno, struct pme_file **files, size_t n_files,
		   struct pme_names *ret);
void pme_names_done(struct pme_names *names);

/*
 * Turn names within the filesystem into the paths that people use: through every mount of @fs that
 * shows them, each confirmed (lstat: same device and inode; a mount may be hidden by another).
 * Sorts @names, sets paths, paths_complete and paths_reason of every file; a file without links is
 * complete with the remark "unlinked".
 */
int pme_names_publish(const struct pme_topo *topo, const struct pme_fs *fs, struct pme_names *names,
		      struct pme_file **files, size_t n_files);

/* The names of @file are not all: @why, unless a reason is known already.  0 or -ENOMEM. */
int pme_names_doubt(struct pme_file *file, const char *why);

/* What of @name lies below the directory @root ("/", "/a/b"): NULL when it does not. */
const char *pme_names_below(const char *root, const char *name);

/*
 * The path of the name @name through a mount of the directory @root at @target: 1 and *@ret
 * (allocated), 0 when the mount does not show it, -ENOMEM.
 */
int pme_names_path(const char *root, const char *target, const char *name, char **ret);

/* For messages: control characters, and bytes that are not UTF-8, as \ooo; the end of a long name.
 */
char *pme_names_quote(const char *name);

/* Has @file the path @path? */
bool pme_names_has_path(const struct pme_file *file, const char *path);

/*
 * Part of pme_names_publish(): the same through overlay mounts, of all namespaces, with layers on
 * @fs; those of others as /proc/PID/root/PATH.  Where one may show a file and that cannot be
 * proven, its names are not all.  Sets the aliases of every file.  0 or -errno.
 */
int pme_names_publish_overlays(const struct pme_topo *topo, const struct pme_fs *fs,
			       const struct pme_names *names, struct pme_file **files,
			       size_t n_files);

#endif
