/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one-screen answer: overall state, what happened, what to do, and the tree of devices.
 */
#ifndef PME_STATUS_H
#define PME_STATUS_H

#include <json-c/json.h>

#include "scan.h"

/*
 * Members "state", "status", "action" and "tree" of @doc.  With @unhealthy the tree holds only
 * nodes that are not ok and what they stand on.
 */
void pme_status_json(const struct pme_scan *scan, const struct pme_log *log, bool unhealthy,
		     struct json_object *doc);
void pme_status_json_empty(struct json_object *doc);

#endif
