/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes of the store: rows as JSON objects become rows of tables; see store.h.
 */
#include "store-private.h"

#include <string.h>

/* The statement of this text, ready to be bound: most changes of a job are alike. */
static int ready(struct pme_store *store, const char *sql, sqlite3_stmt **ret)
{
	int r;

	if (!store->last || strcmp(store->last_sql, sql) != 0) {
		sqlite3_finalize(store->last);
		store->last = NULL;
		free(store->last_sql);
		store->last_sql = strdup(sql);
		r = store->last_sql ? pme_store_statement(store, sql, &store->last) : -ENOMEM;
		if (r < 0)
			return r;
	}
	sqlite3_reset(store->last);
	sqlite3_clear_bindings(store->last);
	*ret = store->last;
	return 0;
}

static int bind(sqlite3_stmt *stmt, int at, struct json_object *value)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
		return sqlite3_bind_null(stmt, at);
	case json_type_boolean:
		return sqlite3_bind_int(stmt, at, json_object_get_boolean(value));
	case json_type_int:
		return sqlite3_bind_int64(stmt, at, json_object_get_int64(value));
	case json_type_double:
		return sqlite3_bind_double(stmt, at, json_object_get_double(value));
	case json_type_string:
		return sqlite3_bind_text(stmt, at, json_object_get_string(value),
					 json_object_get_string_len(value), SQLITE_TRANSIENT);
	case json_type_object:
	case json_type_array:
		return sqlite3_bind_text(
			stmt, at, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), -1,
			SQLITE_TRANSIENT);
	}
	return SQLITE_MISMATCH;
}

static bool has(struct json_object *row, const char *column)
{
	return json_object_object_get_ex(row, column, NULL);
}

/*
 * What a column of a row that is there becomes.  A writer that could not read the store at first
 * takes what it meets for new, but the record knows better since when it was there.
 */
static char *new_value(const struct pme_store_table *table, const char *column)
{
	bool findings = strcmp(table->name, "findings") == 0;

	if (strcmp(column, "first_seen") != 0)
		return sqlite3_mprintf("excluded.%s", column);
	return sqlite3_mprintf(
		"CASE WHEN %s THEN excluded.first_seen ELSE coalesce(min("
		"nullif(%s.first_seen,0),excluded.first_seen),excluded.first_seen) END",
		findings ? "findings.state IS 'gone'" : "0", table->name);
}

/* "INSERT … ON CONFLICT …" of the columns that @row has; NULL without memory. */
static char *upsert_sql(const struct pme_store_table *table, struct json_object *row)
{
	char *names = NULL, *marks = NULL, *sets = NULL, *keys = NULL, *sql = NULL;

	for (size_t i = 0; i < pme_store_table_columns(table); i++) {
		const char *column = table->columns[i];
		char *n = names, *m = marks, *s = sets, *k = keys;

		if (!has(row, column))
			continue;
		names = sqlite3_mprintf("%s%s%s", n ? n : "", n ? "," : "", column);
		marks = sqlite3_mprintf("%s%s", m ? m : "?", m ? ",?" : "");
		if (i < table->n_keys)
			keys = sqlite3_mprintf("%s%s%s", k ? k : "", k ? "," : "", column);
		else
			sets = sqlite3_mprintf("%s%s%s=%z", s ? s : "", s ? "," : "", column,
					       new_value(table, column));
		sqlite3_free(n);
		sqlite3_free(m);
		sqlite3_free(i < table->n_keys ? k : s);
	}
	if (names && marks && keys)
		sql = sets ? sqlite3_mprintf("INSERT INTO %s(%s) VALUES(%s) ON CONFLICT(%s) "
					     "DO UPDATE SET %s",
					     table->name, names, marks, keys, sets)
			   : sqlite3_mprintf("INSERT OR IGNORE INTO %s(%s) VALUES(%s)", table->name,
					     names, marks);
	sqlite3_free(names);
	sqlite3_free(marks);
	sqlite3_free(sets);
	sqlite3_free(keys);
	return sql;
}

/* Every key is there, and nothing that is no column. */
static bool row_ok(const struct pme_store_table *table, struct json_object *row)
{
	size_t known = 0;

	if (!json_object_is_type(row, json_type_object))
		return false;
	for (size_t i = 0; i < pme_store_table_columns(table); i++) {
		known += has(row, table->columns[i]);
		if (i < table->n_keys && !pme_json_get(row, table->columns[i]))
			return false;
	}
	return known == (size_t)json_object_object_length(row);
}

static int put_row(struct pme_store *store, const struct pme_store_table *table,
		   struct json_object *row)
{
	char *sql = row_ok(table, row) ? upsert_sql(table, row) : NULL;
	sqlite3_stmt *stmt;
	int r, at = 0, result = SQLITE_OK;

	if (!sql)
		return row_ok(table, row) ? -ENOMEM : -EINVAL;
	r = ready(store, sql, &stmt);
	sqlite3_free(sql);
	if (r < 0)
		return r;
	for (size_t i = 0; result == SQLITE_OK && i < pme_store_table_columns(table); i++)
		if (has(row, table->columns[i]))
			result = bind(stmt, ++at, pme_json_get(row, table->columns[i]));
	if (result == SQLITE_OK)
		result = sqlite3_step(stmt);
	r = result == SQLITE_DONE ? 0 : pme_store_fail(store, result);
	sqlite3_reset(stmt);
	return r;
}

static void copy(struct json_object *to, const char *key, struct json_object *from, const char *of)
{
	json_object_object_add(to, key, json_object_get(pme_json_get(from, of)));
}

/* An event has its own shape; what is asked for becomes columns. */
static int put_event(struct pme_store *store, struct json_object *event)
{
	struct json_object *device = pme_json_get(event, "device"), *row;
	enum pme_event_severity severity;
	int r;

	if (!json_object_is_type(pme_json_get(event, "id"), json_type_int) ||
	    pme_event_severity_parse(pme_json_get_text(event, "severity"), &severity) < 0)
		return -EINVAL;
	row = json_object_new_object();
	if (!row)
		return -ENOMEM;
	copy(row, "id", event, "id");
	copy(row, "type", event, "type");
	json_object_object_add(row, "severity", json_object_new_int(severity));
	copy(row, "name", device, "name");
	copy(row, "identity", device, "identity");
	copy(row, "namespace", device, "namespace");
	copy(row, "region", device, "region");
	copy(row, "dimms", device, "dimms");
	copy(row, "incident", event, "incident");
	json_object_object_add(row, "event", json_object_get(event));
	r = put_row(store, pme_store_table("events"), row);
	json_object_put(row);
	return r;
}

/* All that is not said again behind this is over. */
static int forget_all(struct pme_store *store, struct json_object *row)
{
	_cleanup_free_ char *sql = NULL;
	long long now = (long long)pme_json_get_number(row, "time");

	sql = pme_printf(
		"UPDATE findings SET state = 'gone', gone = %lld WHERE state IS NOT 'gone';"
		"UPDATE incidents SET closed = %lld WHERE closed IS NULL;"
		"UPDATE devices SET present = 0;",
		now, now);
	return sql ? pme_store_exec(store, sql) : -ENOMEM;
}

static int apply_one(struct pme_store *store, struct json_object *change)
{
	struct json_object *row = pme_json_get(change, "row");
	const char *name = pme_json_get_text(change, "table");
	const struct pme_store_table *table = pme_store_table(name);

	if (strcmp(name, "whole") == 0)
		return forget_all(store, row);
	if (!table || !json_object_is_type(row, json_type_object))
		return -EINVAL;
	return strcmp(name, "events") == 0 ? put_event(store, row) : put_row(store, table, row);
}

int pme_store_apply(struct pme_store *store, struct json_object *changes)
{
	int r = pme_store_exec(store, "BEGIN IMMEDIATE");

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < pme_json_count(changes); i++)
		r = apply_one(store, pme_json_at(changes, i));
	if (r == 0)
		r = pme_store_exec(store, "COMMIT");
	if (r < 0)
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* A machine has a sample of each DIMM every ten minutes: older ones are thinned out. */
#define WEEK_USEC "604800000000"
#define DAY_USEC "86400000000"

int pme_store_expire(struct pme_store *store, int64_t now, int64_t before, uint64_t max_events)
{
	long long t = (long long)before;
	_cleanup_free_ char *sql = pme_printf(
		"BEGIN IMMEDIATE;"
		"DELETE FROM events WHERE id < %lld;"
		"DELETE FROM events WHERE id <= (SELECT id FROM events ORDER BY id DESC LIMIT 1"
		" OFFSET %lld);"
		"DELETE FROM incidents WHERE closed < %lld;"
		"DELETE FROM findings WHERE state = 'gone' AND gone < %lld;"
		"DELETE FROM jobs WHERE id < %lld;"
		"DELETE FROM health WHERE time < %lld;"
		"DELETE FROM health WHERE time < %lld - " WEEK_USEC
		" AND (dimm, time) NOT IN (SELECT dimm, min(time) FROM health GROUP BY dimm,"
		" time / " DAY_USEC ");"
		"DELETE FROM outcomes WHERE event NOT IN (SELECT id FROM events);"
		"DELETE FROM repairs WHERE ended IS NOT NULL AND ended < %lld;"
		"DELETE FROM repair_acts WHERE repair NOT IN (SELECT id FROM repairs);"
		"DELETE FROM devices WHERE present = 0 AND last_seen < %lld AND identity NOT IN"
		" (SELECT device FROM findings);"
		"COMMIT; PRAGMA incremental_vacuum(1000)",
		t, max_events && max_events < INT64_MAX ? (long long)max_events : INT64_MAX, t, t,
		t, t, (long long)now, t, t);
	int r = sql ? pme_store_exec(store, sql) : -ENOMEM;

	if (r < 0)
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}
