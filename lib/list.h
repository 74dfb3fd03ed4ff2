/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bad ranges of each device, with DIMM and physical address: no climb.  And what became of the
 * kernel's lists: whether what they do not have is known to be good.
 */
#ifndef PME_LIST_H
#define PME_LIST_H

#include <json-c/json.h>

#include "scan.h"

/* Member "devices" of @doc: every device whose list was looked at, also those without bad ranges.
 */
void pme_list_json(const struct pme_scan *scan, struct json_object *doc);
void pme_list_json_empty(struct json_object *doc);

#endif
