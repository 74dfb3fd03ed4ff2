/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Selectors of the command line -> devices.
 *
 * "nmem0", "region0", "namespace0.0", "pmem0", "/dev/pmem0", "vg0/data", a mount point.  A selector
 * yields base devices, whose bad ranges are looked at, and devices as a filter: only claims whose
 * way passes one of them are of interest.  Without any selector there is no filter.
 */
#ifndef PME_SELECT_H
#define PME_SELECT_H

#include "topo.h"

struct pme_dev_list {
	const struct pme_dev **items;
	size_t count, alloc;
};
/* Append unless it is there; 0, -ENOMEM, -E2BIG. */
int pme_dev_list_add(struct pme_dev_list *list, const struct pme_dev *dev);
void pme_dev_list_done(struct pme_dev_list *list);
bool pme_dev_list_has(const struct pme_dev_list *list, const struct pme_dev *dev);

struct pme_selection {
	struct pme_dev_list bases;
	struct pme_dev_list passing; /* every claim must pass one of these; empty: all claims */
};

/*
 * Resolve @selectors; none at all selects every namespace and region.  -ENODEV when one names
 * nothing (said in @log), -ENOMEM.
 */
int pme_select(const struct pme_topo *topo, char *const *selectors, size_t n_selectors,
	       struct pme_log *log, struct pme_selection *ret);
void pme_selection_done(struct pme_selection *selection);

/* What is mounted at @path, the last one on top; or NULL. */
const struct pme_mount *pme_select_mount(const struct pme_topo *topo, const char *path);

#endif
