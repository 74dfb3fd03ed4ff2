/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address arithmetic of findings in words: from the DIMM to the file, one line per step.
 */
#ifndef PME_EXPLAIN_H
#define PME_EXPLAIN_H

#include <json-c/json.h>

#include "scan.h"

/* Add to every claim of the "findings" of @doc (made from @scan) a member "steps". */
void pme_explain_json(struct pme_scan *scan, struct json_object *doc);

#endif
