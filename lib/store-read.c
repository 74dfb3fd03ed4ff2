/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the store back; see store.h.  What is in it was written by us, or by whoever could write
 * to the file: rows that make no sense are left out, long ones are not read at all.
 */
#include "store-private.h"

#include <string.h>

/* Text of a column, or NULL. */
static const char *column_text(sqlite3_stmt *stmt, int at)
{
	const char *text;

	if (sqlite3_column_type(stmt, at) != SQLITE_TEXT ||
	    sqlite3_column_bytes(stmt, at) > PME_STORE_TEXT_MAX)
		return NULL;
	text = (const char *)sqlite3_column_text(stmt, at);
	return text && pme_utf8_valid(text, strlen(text)) ? text : NULL;
}

static bool is_json(const char *column)
{
	return strcmp(column, "dimms") == 0 || strcmp(column, "standing") == 0 ||
	       strcmp(column, "sample") == 0;
}

static struct json_object *column_json(sqlite3_stmt *stmt, int at, const char *column)
{
	const char *text = column_text(stmt, at);

	if (sqlite3_column_type(stmt, at) == SQLITE_INTEGER)
		return pme_json_int(sqlite3_column_int64(stmt, at));
	if (!text)
		return NULL;
	return is_json(column) ? json_tokener_parse(text) : pme_json_lossy(text);
}

static int load_table(struct pme_store *store, const char *name, const char *where,
		      struct json_object *rows)
{
	const struct pme_store_table *table = pme_store_table(name);
	size_t count = pme_store_table_columns(table);
	_cleanup_free_ char *sql = NULL, *names = strdup(table->columns[0]);
	sqlite3_stmt *stmt = NULL;
	int r, result;

	for (size_t i = 1; names && i < count; i++) {
		_cleanup_free_ char *before = names;

		names = pme_printf("%s, %s", before, table->columns[i]);
	}
	sql = names ? pme_printf("SELECT %s FROM %s WHERE %s LIMIT %d", names, name, where,
				 PME_STORE_ROWS_MAX)
		    : NULL;
	r = sql ? pme_store_statement(store, sql, &stmt) : -ENOMEM;
	if (r < 0)
		return r;
	while ((result = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct json_object *row = pme_json_object();

		for (size_t i = 0; i < count; i++)
			pme_json_set(row, table->columns[i],
				     column_json(stmt, (int)i, table->columns[i]));
		pme_json_append(rows, row);
	}
	if (result != SQLITE_DONE)
		r = pme_store_fail(store, result);
	sqlite3_finalize(stmt);
	return r;
}

#define EVENTS_WHERE                                                                              \
	"id > ?1 AND id >= ?2 AND id < ?3 AND (?4 IS NULL OR name = ?4 OR identity = ?4 OR "      \
	"namespace = ?4 OR region = ?4 OR instr(dimms, '\"' || ?4 || '\"') > 0) AND (?5 IS NULL " \
	"OR type = ?5) AND severity <= ?6"

static int bind_filter(sqlite3_stmt *stmt, const struct pme_event_filter *filter)
{
	const char *type =
		filter->type >= 0 ? pme_event_type_name((enum pme_event_type)filter->type) : NULL;
	int result = sqlite3_bind_int64(stmt, 1, filter->after);

	if (result == SQLITE_OK)
		result = sqlite3_bind_int64(stmt, 2, filter->since);
	if (result == SQLITE_OK)
		result = sqlite3_bind_int64(stmt, 3, filter->until ? filter->until : INT64_MAX);
	if (result == SQLITE_OK)
		result = sqlite3_bind_text(stmt, 4, filter->device, -1, SQLITE_STATIC);
	if (result == SQLITE_OK)
		result = sqlite3_bind_text(stmt, 5, type, -1, SQLITE_STATIC);
	if (result == SQLITE_OK)
		result = sqlite3_bind_int(stmt, 6, filter->severity ? (int)filter->severity : 7);
	if (result == SQLITE_OK)
		result = sqlite3_bind_int64(
			stmt, 7,
			filter->limit && filter->limit < INT64_MAX ? (int64_t)filter->limit : -1);
	return result;
}

/* An event that has no id, or is none, is left out. */
static struct json_object *event_of(sqlite3_stmt *stmt)
{
	const char *text = column_text(stmt, 0);
	struct json_object *event = text ? json_tokener_parse(text) : NULL;

	if (json_object_is_type(event, json_type_object) &&
	    json_object_is_type(pme_json_get(event, "id"), json_type_int) &&
	    json_object_is_type(pme_json_get(event, "text"), json_type_string))
		return event;
	json_object_put(event);
	return NULL;
}

int pme_store_events(struct pme_store *store, const struct pme_event_filter *filter,
		     int (*each)(void *arg, struct json_object *event), void *arg)
{
	sqlite3_stmt *stmt = NULL;
	int r = pme_store_statement(
		store,
		"SELECT event FROM events WHERE id IN (SELECT id FROM events WHERE " EVENTS_WHERE
		" ORDER BY id DESC LIMIT ?7) ORDER BY id",
		&stmt);
	int result;

	if (r < 0)
		return r;
	result = bind_filter(stmt, filter);
	while (r >= 0 && (result == SQLITE_OK || result == SQLITE_ROW)) {
		struct json_object *event;

		result = sqlite3_step(stmt);
		event = result == SQLITE_ROW ? event_of(stmt) : NULL;
		if (event)
			r = each(arg, event);
		json_object_put(event);
	}
	if (r >= 0 && result != SQLITE_DONE)
		r = pme_store_fail(store, result);
	sqlite3_finalize(stmt);
	return r < 0 ? r : 0;
}

int pme_store_first_seen(struct pme_store *store, const char *id, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int r = pme_store_statement(store,
				    "SELECT first_seen FROM findings WHERE id = ?1 AND state != "
				    "'gone' AND first_seen > 0 ORDER BY first_seen LIMIT 1",
				    &stmt);
	int result;

	if (r < 0)
		return r;
	result = sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
	if (result == SQLITE_OK)
		result = sqlite3_step(stmt);
	if (result == SQLITE_ROW && sqlite3_column_type(stmt, 0) == SQLITE_INTEGER)
		*ret = sqlite3_column_int64(stmt, 0);
	else
		r = result == SQLITE_DONE || result == SQLITE_ROW ? -ENOENT
								  : pme_store_fail(store, result);
	sqlite3_finalize(stmt);
	return r;
}

/* One hour, of the end of what is known: what comes after months is no news. */
#define UNTOLD_USEC "3600000000"
#define UNTOLD_MAX "256"

static int load_untold(struct pme_store *store, struct json_object *all)
{
	struct json_object *rows = pme_json_array();
	sqlite3_stmt *stmt = NULL;
	int result, r;

	pme_json_set(all, "untold", rows);
	r = pme_store_statement(
		store,
		"SELECT event, (SELECT json_group_array(sink) FROM outcomes WHERE event = "
		"events.id AND (error IS NULL OR error NOT LIKE 'dropped%')), (SELECT "
		"json_group_array(sink) FROM outcomes WHERE event = events.id AND error LIKE "
		"'dropped%') FROM events WHERE id "
		"IN (SELECT id FROM events WHERE id > (SELECT max(id) FROM events) - " UNTOLD_USEC
		" AND type NOT LIKE 'watch-%' ORDER BY id DESC LIMIT " UNTOLD_MAX ") ORDER BY id",
		&stmt);
	if (r < 0)
		return r;
	while ((result = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *sinks = column_text(stmt, 1), *dropped = column_text(stmt, 2);
		struct json_object *event = event_of(stmt), *row;

		if (!event)
			continue;
		row = pme_json_object();
		pme_json_set(row, "event", event);
		pme_json_set(row, "sinks", sinks ? json_tokener_parse(sinks) : NULL);
		pme_json_set(row, "dropped", dropped ? json_tokener_parse(dropped) : NULL);
		pme_json_append(rows, row);
	}
	if (result != SQLITE_DONE)
		r = pme_store_fail(store, result);
	sqlite3_finalize(stmt);
	return r;
}

int pme_store_load(struct pme_store *store, struct json_object **ret)
{
	static const struct {
		const char *table, *where;
	} parts[] = {
		{"devices", "present != 0 OR identity IN (SELECT device FROM findings WHERE state "
			    "!= 'gone') OR identity IN (SELECT device FROM incidents WHERE closed "
			    "IS NULL)"},
		{"findings", "state != 'gone'"},
		{"incidents", "closed IS NULL"},
		{"health", "time = (SELECT max(time) FROM health h WHERE h.dimm = health.dimm)"},
	};
	struct json_object *all = pme_json_object();
	int r = 0;

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(parts); i++) {
		struct json_object *rows = pme_json_array();

		pme_json_set(all, parts[i].table, rows);
		r = load_table(store, parts[i].table, parts[i].where, rows);
	}
	if (r == 0)
		r = load_untold(store, all);
	if (r < 0) {
		json_object_put(all);
		return r;
	}
	*ret = all;
	return 0;
}
