/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repairs that have not ended, for those who only look; see repair-journal.h.
 */
#include "repair-journal.h"
#include "store-private.h"

static int take_rows(struct pme_store *store, sqlite3_stmt *stmt, struct pme_repair_ids *ids)
{
	int r;

	while ((r = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (ids->count >= PME_STORE_ROWS_MAX)
			return -E2BIG;
		r = pme_grow(&ids->items, &ids->alloc, ids->count, sizeof(*ids->items));
		if (r < 0)
			return r;
		ids->items[ids->count++] = sqlite3_column_int64(stmt, 0);
	}
	return r == SQLITE_DONE ? 0 : pme_store_fail(store, r);
}

int pme_repair_pending(const char *path, struct pme_repair_ids *ret)
{
	struct pme_repair_ids ids = {0};
	struct pme_store *store = NULL;
	sqlite3_stmt *stmt = NULL;
	int r = pme_store_open_read(path, &store);

	if (r < 0)
		return r;
	r = pme_store_statement(store, "SELECT id FROM repairs WHERE ended IS NULL ORDER BY id",
				&stmt);
	if (r == 0) {
		r = take_rows(store, stmt, &ids);
		sqlite3_finalize(stmt);
	}
	pme_store_close(store);
	if (r < 0)
		free(ids.items);
	else
		*ret = ids;
	return r;
}
