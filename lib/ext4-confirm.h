/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hits: entries of directories that seem to be names of wanted files, and whether the kernel says
 * so, too.
 */
#ifndef PME_EXT4_CONFIRM_H
#define PME_EXT4_CONFIRM_H

#include "ext4-dirent.h"
#include "names.h"

struct pme_ext4_hit {
	uint64_t dir;	 /* its inode */
	uint32_t parent; /* of the directory that it is in */
	size_t file;	 /* which of the wanted ones */
	char *name;
	bool confirmed;
};

/* Hits in one directory. */
struct pme_ext4_hit_dir {
	size_t first, count;
	char *path; /* "a/b", "" of the root; NULL: not known */
};

struct pme_ext4_hits {
	struct pme_ext4_hit *items;
	size_t count, alloc;
	struct pme_ext4_hit_dir *dirs;
	size_t n_dirs;
	struct pme_progress *progress; /* borrowed, or NULL: of the confirmation */
};

int pme_ext4_hits_add(struct pme_ext4_hits *hits, uint64_t dir, size_t file,
		      const struct pme_ext4_dirent *entry);
/* Forget all but the first @count. */
void pme_ext4_hits_cut(struct pme_ext4_hits *hits, size_t count);
/* Append all of @from: 0, -ENOMEM, -E2BIG. */
int pme_ext4_hits_move(struct pme_ext4_hits *hits, struct pme_ext4_hits *from);
/* Each once, those of one directory together: @dirs.  0 or -ENOMEM. */
int pme_ext4_hits_sort(struct pme_ext4_hits *hits);

/*
 * Ask the kernel, below the directory @root of the filesystem @devno, for each name whose
 * directory has a path.  It is confirmed when it leads to that inode through that directory,
 * without symbolic links and other mounts; when the time is over the others are not.  0 or
 * -ENOMEM.
 */
int pme_ext4_hits_confirm(struct pme_ext4_hits *hits, int root, dev_t devno,
			  struct pme_file *const *files);

/*
 * Append the names of all files that have as many as they should; these are moved to the end of
 * @files, behind the first *@ret_left.  0, -ENOMEM, -E2BIG.
 */
int pme_ext4_hits_take(const struct pme_ext4_hits *hits, struct pme_file **files, size_t n_files,
		       struct pme_names *ret, size_t *ret_left);

void pme_ext4_hits_done(struct pme_ext4_hits *hits);

#endif
