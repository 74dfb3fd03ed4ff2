/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overlay mounts of all mount namespaces, and what their options say of their layers.
 *
 * The options are strings as whoever mounted it wrote them: paths of another namespace or root,
 * relative to a directory that nobody knows any more, of directories that were renamed or hidden
 * since.  So they say where to look, and prove nothing.
 */
#ifndef PME_TOPO_OVERLAY_H
#define PME_TOPO_OVERLAY_H

#include "topo.h"

/* More layers than the kernel takes (fs/overlayfs/params.h: OVL_MAX_STACK is 500). */
#define PME_OVERLAY_LAYERS_MAX 512
/* More mounts or namespaces than these are not looked at; the answer is then incomplete. */
#define PME_OVERLAY_MOUNTS_MAX (1U << 16)
#define PME_OVERLAY_SPACES_MAX 4096

struct pme_overlay_layer {
	char *path;
	char *literal; /* or NULL: the same, should the kernel not have escaped it */
	bool data;     /* only data of files that another layer has metadata of */
};

/* A place where it can be seen; of several namespaces that have it at the same place, one. */
struct pme_overlay_mount {
	char *pid;    /* of a process that sees it, as digits; "self" is our own namespace */
	char *root;   /* directory of the overlay */
	char *target; /* as that process sees it */
};

/* A superblock. */
struct pme_overlay {
	dev_t shown;   /* its number in mountinfo, and st_dev of its directories */
	char *options; /* as mountinfo has them */
	struct pme_overlay_layer *layers; /* the uppermost first */
	size_t n_layers, alloc_layers;
	bool has_upper; /* layers[0] is written to */
	bool redirects; /* renamed directories are asked for */
	bool follows;	/* there may be renamed directories */
	bool metacopy;	/* the data of a file may be in a lower layer than its metadata */
	bool index;	/* hard links of a lower file have one copy */
	struct pme_overlay_mount *mounts; /* our own namespace first */
	size_t n_mounts, alloc_mounts;
};

struct pme_overlays {
	struct pme_overlay *items;
	size_t count, alloc;
	bool cut; /* there may be more */
};

/*
 * One line of mountinfo, proc(5): 1 and an overlay with this one mount (@pid is copied), 0 another
 * filesystem, -EINVAL, -ENOMEM.
 */
int pme_overlay_parse(const char *line, size_t len, const char *pid, struct pme_overlay *ret);
void pme_overlay_done(struct pme_overlay *overlay);

/*
 * Into topo->overlays, NULL when there are none: 0 or -ENOMEM.  Not a part of pme_topo_load(), as
 * only names need it; a second call does nothing.  Costs nothing without overlayfs.
 * Processes that may not be looked into are left out.
 */
int pme_topo_load_overlays(struct pme_topo *topo);
/* What it does, without a snapshot: *@ret, or NULL. */
int pme_overlays_load(const struct pme_os *os, struct pme_overlays **ret);
struct pme_overlays *pme_overlays_free(struct pme_overlays *overlays); /* NULL is fine */

#endif
