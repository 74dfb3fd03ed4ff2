/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One overlay, looked into: its mounts and the directories of its layers; for names-overlay.c.
 *
 * What the mount options call a layer is only believed when the uppermost one found that way is the
 * root directory that the overlay shows; otherwise no layer is known.
 */
#ifndef PME_NAMES_OVER_H
#define PME_NAMES_OVER_H

#include "claim.h"
#include "topo-overlay.h"

struct pme_over_layer {
	int fd; /* -1: not found */
	dev_t devno;
	uint64_t inode;
};

struct pme_over_base {
	int fd;
	const struct pme_overlay_mount *mount;
};

struct pme_over {
	const struct pme_overlay *overlay;
	struct pme_over_layer *layers; /* as those of @overlay */
	struct pme_over_base *bases;   /* mounts that can be looked into */
	size_t n_bases;
	bool known; /* which directories all layers are */
	bool cut;   /* of some mounts that cannot be told: there are too many, or an error */
};

int pme_over_enter(const struct pme_os *os, const struct pme_overlay *overlay,
		   struct pme_over *ret);
void pme_over_done(struct pme_over *over);

/*
 * lstat(2) of @rest ("" is @dir itself) below @dir, without symbolic links and other mounts on the
 * way: 0, -EXDEV when there is a mount, -errno.
 */
int pme_over_stat(int dir, const char *rest, struct stat *ret);

/* Is that an error of a name that is not there, or leads elsewhere? */
bool pme_over_is_absent(int error);

/* Has @seen, through an overlay, the number and times of @real? */
bool pme_over_is_same(const struct stat *real, const struct stat *seen);

/* May @real, in @layer, be the copy of hard links that the layer does not have (index=on)? */
bool pme_over_is_index(const struct pme_over *over, size_t layer, const struct stat *real);

enum pme_over_answer {
	PME_OVER_HIDDEN,
	PME_OVER_SHOWN,
	PME_OVER_DOUBT,
};

struct pme_over_ask {
	const struct pme_over *over;
	size_t layer;
	const char *rest; /* name below the layer */
	dev_t devno;	  /* of the file */
	uint64_t inode;
};

struct pme_over_reply {
	enum pme_over_answer answer;
	const char *why; /* of doubt */
	struct stat real;
	struct stat seen; /* what is shown */
};

/* Does @base show, at the name of @ask, the very inode of it? */
void pme_over_judge(const struct pme_over_ask *ask, const struct pme_over_base *base,
		    struct pme_over_reply *ret);

#endif
