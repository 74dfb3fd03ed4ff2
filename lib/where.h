/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The opposite way: bytes of a file -> filesystem device -> layers -> namespace, address, DIMM.
 */
#ifndef PME_WHERE_H
#define PME_WHERE_H

#include <json-c/json.h>

#include "topo.h"

/*
 * Fill members "file" and "pieces" of @doc for FILE[:START+LEN] (a name that exists as it stands
 * wins over a range).  0; -EINVAL usage, -ENOENT and other -errno of the file, said in @log.
 */
int pme_where(const struct pme_os *os, const char *spec, struct pme_log *log,
	      struct json_object *doc);
void pme_where_json_empty(struct json_object *doc);

#endif
