/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the generator can do to a tree: each operation changes the filesystem and the model alike.
 *
 * All return 0 or -errno.  Offsets and lengths are multiples of SD_BLOCK, except that a write may
 * end anywhere when it ends at or beyond the end of the file (see selfdata.h for why).
 */
#ifndef SD_OPS_H
#define SD_OPS_H

#include "selfdata.h"

struct sd_tree {
	int root_fd;
	struct sd_model model;
	struct sd_rng rng;
};

/*
 * A descriptor of the directory @name, or -errno; -ENOTEMPTY: the tree must be ours alone, but for
 * lost+found of mkfs.
 */
int sd_open_empty(const char *name);

int sd_op_mkdir(struct sd_tree *tree, const char *path);
int sd_op_create(struct sd_tree *tree, const char *path, struct sd_file **ret_file);
int sd_op_write(struct sd_tree *tree, struct sd_file *file, uint64_t offset, uint64_t length);
int sd_op_append(struct sd_tree *tree, struct sd_file *file, uint64_t length);
int sd_op_truncate(struct sd_tree *tree, struct sd_file *file, uint64_t size);
int sd_op_punch(struct sd_tree *tree, struct sd_file *file, uint64_t offset, uint64_t length);
int sd_op_allocate(struct sd_tree *tree, struct sd_file *file, uint64_t offset, uint64_t length);
int sd_op_clone(struct sd_tree *tree, struct sd_file *from, struct sd_file *to);
int sd_op_clone_range(struct sd_tree *tree, struct sd_file *from, uint64_t offset, uint64_t length,
		      struct sd_file *to, uint64_t to_offset);
/* -EIO when the kernel says that they differ; -EOPNOTSUPP. */
int sd_op_dedupe(struct sd_tree *tree, struct sd_file *from, uint64_t offset, uint64_t length,
		 struct sd_file *to, uint64_t to_offset);
int sd_op_link(struct sd_tree *tree, struct sd_file *file, const char *path);
int sd_op_unlink(struct sd_tree *tree, struct sd_file *file, size_t index);
int sd_op_rename(struct sd_tree *tree, struct sd_file *file, size_t index, const char *path);
int sd_op_symlink(struct sd_tree *tree, const char *target, const char *path);
int sd_op_setxattr(struct sd_tree *tree, struct sd_file *file, const char *name, size_t size);
int sd_op_sync(struct sd_tree *tree, struct sd_file *file);

#endif
