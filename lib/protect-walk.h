/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The regular files of a protected path: each inode once, by inode.
 *
 * Symbolic links are not followed, other mounts are not entered; the vault is left out, and so are
 * the copies of other protected paths: two paths that keep their copies in one another would make
 * copies of copies without end.  One directory is open at a time, however deep the tree is.
 */
#ifndef PME_PROTECT_WALK_H
#define PME_PROTECT_WALK_H

#include "log.h"
#include "os.h"

#define PME_WALK_MOUNT "something is mounted there: it is left out"

struct pme_walk_file {
	char *path; /* below the protected path; "" for itself */
	uint64_t inode;
};

struct pme_walk {
	struct pme_walk_file *files;
	size_t count, alloc;
	uint64_t links;	   /* further names of files that are there already */
	uint64_t symlinks; /* counts of what was left out */
	uint64_t special;  /* devices, fifos, sockets */
	uint64_t mounts;   /* also of directories of the same filesystem: said */
	uint64_t failed;   /* directories and names that could not be looked at: said */
	uint64_t copies;   /* directories of pme_left_out: said */
	uint64_t vanished; /* that were there a moment before: gone, or called otherwise by now */
};

/* Inode numbers of directories that are not entered. */
struct pme_left_out {
	uint64_t vault;	  /* 0: there is none */
	uint64_t *copies; /* directories with the copies of one path each */
	size_t count, alloc;
};
/*
 * Those on the filesystem @devno, whose vault is @vault; protections that cannot be read are no
 * reason to stop.  0 or -ENOMEM, half made.
 */
int pme_left_out_find(const struct pme_os *os, dev_t devno, uint64_t vault,
		      struct pme_left_out *ret);
void pme_left_out_done(struct pme_left_out *left_out);

/*
 * All below the directory @fd, or @fd itself, called @path in @log; but for what is in @left_out,
 * where it is below.  0, -ENOMEM, -E2BIG; other errors are said and counted.
 */
int pme_walk(int fd, const char *path, const struct pme_left_out *left_out, struct pme_log *log,
	     struct pme_walk *ret);
void pme_walk_done(struct pme_walk *walk);

/* Open @file of a walk of @fd for reading: a descriptor or -errno. */
int pme_walk_open(int fd, const struct pme_walk_file *file);

/* Files that were looked at, by the names of their objects, sorted. */
struct pme_seen {
	char **names;
	size_t count, alloc;
};

/* Is @name there?  *@ret_at (unless NULL): where it is, or belongs. */
bool pme_seen_find(const struct pme_seen *seen, const char *name, size_t *ret_at);
/* Takes over @name: 1 it is there already, 0, -ENOMEM. */
int pme_seen_add(struct pme_seen *seen, char *name);

/* "/srv/a" and "b" are "/srv/a/b": allocated, NULL without memory. */
char *pme_walk_path(const char *top, const char *path);

#endif
