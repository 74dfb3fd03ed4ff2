/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of the store, and how an older store becomes one of today.
 *
 * A column may be added by a further step of steps[]; none is ever taken away or changes its
 * meaning.  user_version of SQLite is the number of steps that were taken.
 */
#include "store-private.h"

#include <string.h>

static const struct pme_store_table tables[] = {
	{"devices",
	 1,
	 {"identity", "name", "namespace", "mode", "region", "uuid", "dimms", "size", "present",
	  "first_seen", "last_seen", "last_scan", "whole", "standing"}},
	{"findings",
	 2,
	 {"id", "device", "name", "start", "length", "verdict", "state", "first_seen", "last_seen",
	  "gone", "incident", "finding"}},
	{"incidents", 1, {"id", "device", "cause", "opened", "closed", "severity", "text"}},
	{"events",
	 1,
	 {"id", "type", "severity", "name", "identity", "namespace", "region", "dimms", "incident",
	  "event"}},
	{"jobs", 1, {"id", "job", "region", "ended", "error"}},
	{"health", 2, {"dimm", "time", "sample"}},
	{"outcomes", 2, {"event", "sink", "time", "error"}},
	{"repairs", 1, {"id", "begun", "ended", "state", "error", "about"}},
	{"repair_acts", 2, {"repair", "number", "time", "name", "detail"}},
};

static const struct pme_store_step steps[PME_STORE_VERSION] = {
	{"CREATE TABLE devices (identity TEXT NOT NULL PRIMARY KEY, name, namespace, mode, region,"
	 " uuid, dimms, size, present, first_seen, last_seen, last_scan, whole, standing);"
	 "CREATE TABLE findings (id TEXT NOT NULL, device TEXT NOT NULL, name, start, length,"
	 " verdict, state, first_seen, last_seen, gone, incident, finding,"
	 " PRIMARY KEY (id, device)) WITHOUT ROWID;"
	 "CREATE TABLE incidents (id INTEGER PRIMARY KEY, device, cause, opened, closed, severity,"
	 " text);"
	 "CREATE TABLE events (id INTEGER PRIMARY KEY, type, severity, name, identity, namespace,"
	 " region, dimms, incident, event);"
	 "CREATE TABLE jobs (id INTEGER PRIMARY KEY, job, region, ended, error);"
	 "CREATE TABLE health (dimm TEXT NOT NULL, time INTEGER NOT NULL, sample,"
	 " PRIMARY KEY (dimm, time)) WITHOUT ROWID;"
	 "CREATE TABLE outcomes (event INTEGER NOT NULL, sink TEXT NOT NULL, time, error,"
	 " PRIMARY KEY (event, sink)) WITHOUT ROWID;"},
	{"CREATE TABLE repairs (id INTEGER PRIMARY KEY, begun, ended, state, error, about);"
	 "CREATE TABLE repair_acts (repair INTEGER NOT NULL, number INTEGER NOT NULL, time, name,"
	 " detail, PRIMARY KEY (repair, number)) WITHOUT ROWID;"},
};

const struct pme_store_table *pme_store_table(const char *name)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(tables); i++)
		if (strcmp(tables[i].name, name) == 0)
			return &tables[i];
	return NULL;
}

size_t pme_store_table_columns(const struct pme_store_table *table)
{
	size_t n = 0;

	while (n < PME_STORE_COLUMNS && table->columns[n])
		n++;
	return n;
}

static int take_step(struct pme_store *store, const char *sql, size_t version)
{
	_cleanup_free_ char *set = pme_printf("PRAGMA user_version = %zu", version);
	int r = set ? pme_store_exec(store, "BEGIN IMMEDIATE") : -ENOMEM;

	if (r < 0)
		return r;
	r = pme_store_exec(store, sql);
	if (r == 0)
		r = pme_store_exec(store, set);
	if (r == 0)
		r = pme_store_exec(store, "COMMIT");
	if (r < 0)
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

int pme_store_migrate(struct pme_store *store, const struct pme_store_step *all, size_t n_steps)
{
	int64_t version;
	int r = pme_store_number(store, "PRAGMA user_version", &version);

	if (r < 0)
		return r;
	if (version < 0 || (uint64_t)version > n_steps)
		return -EPROTO;
	for (size_t i = (size_t)version; r == 0 && i < n_steps; i++)
		r = take_step(store, all[i].sql, i + 1);
	return r;
}

/* A table that lacks a column, or is none: not a store of ours, whatever its version says. */
static int check_table(struct pme_store *store, const struct pme_store_table *table)
{
	_cleanup_free_ char *names = strdup(table->columns[0]), *sql = NULL;
	sqlite3_stmt *stmt = NULL;
	int result;

	for (size_t i = 1; names && i < pme_store_table_columns(table); i++) {
		_cleanup_free_ char *before = names;

		names = pme_printf("%s, %s", before, table->columns[i]);
	}
	sql = names ? pme_printf("SELECT %s FROM %s LIMIT 0", names, table->name) : NULL;
	if (!sql)
		return -ENOMEM;
	result = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
	sqlite3_finalize(stmt);
	if (result == SQLITE_ERROR) {
		pme_store_fail(store, result);
		return -EUCLEAN;
	}
	return result == SQLITE_OK ? 0 : pme_store_fail(store, result);
}

int pme_store_prepare(struct pme_store *store)
{
	int64_t application, count;
	int r = pme_store_number(store, "PRAGMA application_id", &application);

	if (r == 0)
		r = pme_store_number(store, "SELECT count(*) FROM sqlite_master", &count);
	if (r == 0 && application != PME_STORE_APPLICATION) {
		if (application != 0 || count != 0)
			return -EUCLEAN;
		r = pme_store_exec(store, "PRAGMA application_id = 1347241283");
	}
	if (r == 0)
		r = pme_store_migrate(store, steps, PME_STORE_VERSION);
	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(tables); i++)
		r = check_table(store, &tables[i]);
	return r;
}
