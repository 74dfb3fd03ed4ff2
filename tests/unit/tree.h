/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made-up trees for unit tests of what reads sysfs and procfs: a temporary directory below which
 * files and symlinks are made, removed again by tree_done().
 */
#ifndef PME_TREE_H
#define PME_TREE_H

#include "log.h"
#include "os.h"
#include "topo.h"

struct tree {
	char path[64];
	struct pme_os os;
	struct pme_log log;
	struct pme_topo topo; /* over the tree; empty at first */
};

void tree_init(struct tree *tree);
void tree_done(struct tree *tree);

/* A file with its directories; a symlink; a directory.  Paths relative to the tree. */
void tree_file(struct tree *tree, const char *path, const char *text);
void tree_link(struct tree *tree, const char *path, const char *target);
void tree_dir(struct tree *tree, const char *path);

/* A disk in sys/class/block, or with @disk a partition of it; sizes in sectors. */
void tree_disk(struct tree *tree, const char *name, const char *devno, const char *size_sect);
void tree_partition(struct tree *tree, const char *disk, const char *name, const char *devno,
		    const char *start_sect, const char *size_sect);
/* An attribute of a block device. */
void tree_attr(struct tree *tree, const char *name, const char *attr, const char *text);
/* @upper is stacked on @lower. */
void tree_slave(struct tree *tree, const char *lower, const char *upper);

/* The text of the message about @subject, or NULL. */
const char *tree_message(const struct tree *tree, const char *subject);

#endif
