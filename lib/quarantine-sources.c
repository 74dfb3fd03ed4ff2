/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose bad blocks a file in quarantine keeps: what the journal of repairs says of the repair that
 * it is named after; see quarantine-list.h.
 *
 * The journal may be another one than that of the repair (a store that was lost and begun anew), so
 * it is believed only for the filesystem that it speaks of.  Names are those of that time.
 */
#include <string.h>

#include "quarantine-list.h"
#include "store-private.h"

#define SOURCES_MAX 65536 /* of one repair, which has no more of its own: repair-apply.c */

static bool to_number(struct json_object *value, uint64_t *ret)
{
	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return false;
	*ret = json_object_get_uint64(value);
	return true;
}

static bool is_base64(const char *text)
{
	_cleanup_free_ char *bytes = NULL;
	size_t len;

	return *text && pme_base64_parse(text, strlen(text), &bytes, &len) == 0;
}

/* The bytes of one file that @starts says of @parts, those that follow each other as one. */
static int add_ranges(struct json_object *starts, struct json_object *parts,
		      struct pme_range_list *ret)
{
	int r = pme_json_count(starts) == pme_json_count(parts) ? 0 : -EINVAL;

	for (size_t p = 0; r == 0 && p < pme_json_count(parts); p++) {
		struct json_object *range = pme_json_get(pme_json_at(parts, p), "range");
		uint64_t start, length, end;

		if (!to_number(pme_json_at(starts, p), &start) ||
		    !to_number(pme_json_get(range, "length"), &length) || length == 0 ||
		    pme_add(start, length, &end) < 0 || end > INT64_MAX)
			return -EINVAL;
		r = pme_range_list_add(ret, start, length);
	}
	pme_range_list_normalize(ret);
	return r;
}

/* The bytes of one file of the repair; nothing when it makes no sense.  Is that all of them? */
static bool add_sources(struct json_object *target, struct json_object *parts,
			struct json_object *array)
{
	_cleanup_(pme_range_list_done) struct pme_range_list ranges = {0};
	struct json_object *path = pme_json_get(target, "path"), *object;
	const char *text = pme_json_get_text(path, "path"), *raw = pme_json_get_text(path, "raw");
	uint64_t inode;
	size_t i;

	if (!*text || !to_number(pme_json_get(target, "inode"), &inode) ||
	    add_ranges(pme_json_get(target, "starts"), parts, &ranges) < 0)
		return false;
	for (i = 0; i < ranges.count && pme_json_count(array) < SOURCES_MAX; i++) {
		object = pme_json_object();
		pme_json_set(object, "path", pme_json_lossy(text));
		pme_json_text(object, "raw", is_base64(raw) ? raw : NULL);
		pme_json_number(object, "inode", inode);
		pme_json_range(object, "range", ranges.items[i]);
		pme_json_append(array, object);
	}
	return i == ranges.count;
}

/* A number of a repair of another store means nothing here. */
static bool is_of(struct json_object *about, const char *fs_uuid)
{
	const char *uuid = pme_json_get_text(pme_json_get(about, "filesystem"), "uuid");

	return fs_uuid && strcmp(uuid, fs_uuid) == 0;
}

struct json_object *pme_parked_sources(struct json_object *about, const char *fs_uuid,
				       bool *ret_complete)
{
	struct json_object *targets = pme_json_get(about, "targets"), *array;
	struct json_object *parts = pme_json_get(about, "parts");
	bool complete = true;

	*ret_complete = false;
	if (!is_of(about, fs_uuid) || pme_json_count(parts) == 0)
		return NULL;
	array = pme_json_array();
	for (size_t i = 0; i < pme_json_count(targets); i++)
		complete &= add_sources(pme_json_at(targets, i), parts, array);
	if (pme_json_count(array) > 0) {
		*ret_complete = complete;
		return array;
	}
	json_object_put(array);
	return NULL;
}

/* What the journal has of the repair @id, or NULL.  *@ret_unfinished: it has not ended. */
static struct json_object *read_about(sqlite3_stmt *stmt, int64_t id, bool *ret_unfinished)
{
	struct json_object *about = NULL;
	const char *text;

	*ret_unfinished = false;
	if (sqlite3_bind_int64(stmt, 1, id) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(stmt, 0);
		if (text && strlen(text) <= PME_STORE_TEXT_MAX &&
		    pme_utf8_valid(text, strlen(text)))
			about = json_tokener_parse(text);
		*ret_unfinished = sqlite3_column_type(stmt, 1) == SQLITE_NULL;
	}
	sqlite3_reset(stmt);
	return about;
}

/* Files come by name, so those of one repair are together. */
static void ask_for(sqlite3_stmt *stmt, struct pme_quarantine *quarantine)
{
	for (size_t i = 0; i < quarantine->count; i++) {
		struct pme_parked *file = &quarantine->files[i], *last = i ? file - 1 : NULL;
		struct json_object *about;

		if (!file->is_named)
			continue;
		if (last && last->is_named && last->id == file->id) {
			file->sources = json_object_get(last->sources);
			file->sources_complete = last->sources_complete;
			file->unfinished = last->unfinished;
			continue;
		}
		about = read_about(stmt, file->id, &file->unfinished);
		if (!is_of(about, quarantine->fs.uuid))
			file->unfinished = false;
		file->sources =
			pme_parked_sources(about, quarantine->fs.uuid, &file->sources_complete);
		json_object_put(about);
	}
}

int pme_quarantines_ask_sources(struct pme_quarantines *quarantines, const char *path)
{
	struct pme_store *store = NULL;
	sqlite3_stmt *stmt = NULL;
	int r;

	if (quarantines->count == 0)
		return 0;
	r = pme_store_open_read(path, &store);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = pme_store_statement(store, "SELECT about, ended FROM repairs WHERE id = ?", &stmt);
	for (size_t i = 0; r == 0 && i < quarantines->count; i++)
		ask_for(stmt, quarantines->items[i]);
	sqlite3_finalize(stmt);
	pme_store_close(store);
	return r;
}
