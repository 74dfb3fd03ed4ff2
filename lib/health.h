/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health of DIMMs, as their firmware says: libndctl's smart commands.
 *
 * They may block in firmware for as long as that likes: nothing else should wait for this.
 */
#ifndef PME_HEALTH_H
#define PME_HEALTH_H

#include <json-c/json.h>

#include "topo.h"

/* Every DIMM of the snapshot, one object each: see pmemctl-json(7).  New reference. */
struct json_object *pme_health_json(const struct pme_topo *topo);

#endif
