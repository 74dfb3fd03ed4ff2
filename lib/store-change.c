/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One change of the store; see store.h.
 */
#include "store.h"

struct json_object *pme_store_change(const char *table, struct json_object *row)
{
	struct json_object *change = pme_json_object();

	pme_json_text(change, "table", table);
	pme_json_set(change, "row", row);
	return change;
}
