/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blast radius: what would be hit if these devices failed as a whole.
 *
 * Nothing on them is touched: no file of their filesystems is looked at, and media is read only to
 * find the UUID of a filesystem that udev does not know.
 */
#ifndef PME_SIMULATE_H
#define PME_SIMULATE_H

#include <json-c/json.h>

#include "select.h"

/*
 * Fill members "devices", "stack", "filesystems", "swap" and "raw" of @doc for @selectors (none:
 * every namespace and region).  0; -ENODEV when one names nothing, said in @log; -errno.
 */
int pme_simulate(const struct pme_os *os, char *const *selectors, size_t n_selectors,
		 struct pme_log *log, struct json_object *doc);
/* The same on the snapshot @topo. */
int pme_simulate_snapshot(const struct pme_topo *topo, char *const *selectors, size_t n_selectors,
			  struct pme_log *log, struct json_object *doc);
void pme_simulate_json_empty(struct json_object *doc);

#endif
