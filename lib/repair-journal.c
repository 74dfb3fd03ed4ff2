/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of repairs; see repair-journal.h.
 *
 * Numbers of repairs are times, so that they stay unique when a store is lost and a new one begins:
 * files in the vaults of filesystems are named by them.
 *
 * The surprise: a store that is damaged or newer is not replaced here, as the watch does.  It may
 * know of a repair that is half done.
 */
#include "repair-journal.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "store-private.h"

/* A repair with more acts than this made no sense: acts are a few for each file. */
#define ACTS_MAX 262144

struct pme_repair_journal {
	struct pme_store *store;
	struct pme_log *log;
	char *path;
};

static int64_t now_usec(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct pme_repair_journal *pme_repair_journal_close(struct pme_repair_journal *journal)
{
	if (!journal)
		return NULL;
	pme_store_close(journal->store);
	free(journal->path);
	free(journal);
	return NULL;
}

static void tell(const struct pme_repair_journal *journal, int error)
{
	const char *said = pme_store_error(journal->store);

	if (error == -EUCLEAN)
		pme_log_add(journal->log, PME_ERROR, journal->path,
			    "the store is damaged (%s), and without a journal nothing is repaired: "
			    "move it away, or let pmemctld do so, and look at what is in .pmemctl/"
			    "staging of each filesystem",
			    said);
	else if (error == -EPROTO)
		pme_log_add(journal->log, PME_ERROR, journal->path,
			    "the store was written by a newer version of pmemctl, and without a "
			    "journal nothing is repaired: use that version");
	else
		pme_log_add(journal->log, PME_ERROR, journal->path,
			    "cannot write the journal, and without it nothing is repaired: %s",
			    *said ? said : strerror(-error));
}

/* Where the watch never ran, its folder is not there yet. */
static int make_folder(const char *path)
{
	_cleanup_free_ char *folder = strdup(path), *parent = NULL;
	char *slash = folder ? strrchr(folder, '/') : NULL;
	_cleanup_close_ int dir = -1;
	int r;

	if (!slash || slash == folder)
		return folder ? 0 : -ENOMEM;
	*slash = '\0';
	slash = strrchr(folder, '/');
	parent = !slash		   ? strdup(".")
		 : slash == folder ? strdup("/")
				   : strndup(folder, (size_t)(slash - folder));
	dir = parent ? pme_os_open_at(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY) : -ENOMEM;
	r = dir < 0 ? dir : pme_os_make_dir(dir, slash ? slash + 1 : folder, 0755);
	return r == -EEXIST ? 0 : r;
}

int pme_repair_journal_open(const char *path, struct pme_log *log, struct pme_repair_journal **ret)
{
	struct pme_repair_journal *journal = calloc(1, sizeof(*journal));
	int r;

	if (!journal)
		return -ENOMEM;
	journal->log = log;
	journal->path = strdup(path);
	r = journal->path ? make_folder(path) : -ENOMEM;
	if (r == 0)
		r = pme_store_open_durable(path, &journal->store);
	if (r < 0) {
		if (journal->path)
			tell(journal, r);
		pme_repair_journal_close(journal);
		return r;
	}
	*ret = journal;
	return 0;
}

static int bind_json(sqlite3_stmt *stmt, int at, struct json_object *value)
{
	const char *text;
	size_t length;

	if (!value)
		return sqlite3_bind_null(stmt, at);
	text = json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &length);
	if (length > PME_STORE_TEXT_MAX) /* nobody would read it back */
		return SQLITE_TOOBIG;
	return sqlite3_bind_text(stmt, at, text, (int)length, SQLITE_TRANSIENT);
}

/* Run a statement without rows: 0 when it is on the disk.  Says what went wrong. */
static int finish(struct pme_repair_journal *journal, sqlite3_stmt *stmt, int bound)
{
	int result = bound == SQLITE_OK ? sqlite3_step(stmt) : bound;
	int r = result == SQLITE_DONE ? 0 : pme_store_fail(journal->store, result);

	sqlite3_finalize(stmt);
	if (r < 0)
		tell(journal, r);
	return r;
}

static int prepare(struct pme_repair_journal *journal, const char *sql, sqlite3_stmt **ret)
{
	int r = pme_store_statement(journal->store, sql, ret);

	if (r < 0)
		tell(journal, r);
	return r;
}

int pme_repair_begin(struct pme_repair_journal *journal, struct json_object *about, int64_t *ret_id)
{
	sqlite3_stmt *stmt = NULL;
	int64_t now = now_usec();
	int r, bound;

	r = prepare(journal,
		    "INSERT INTO repairs(id, begun, about) SELECT "
		    "max(?1, coalesce((SELECT max(id) FROM repairs), 0) + 1), ?1, ?2",
		    &stmt);
	if (r < 0)
		return r;
	bound = sqlite3_bind_int64(stmt, 1, now);
	if (bound == SQLITE_OK)
		bound = bind_json(stmt, 2, about);
	r = finish(journal, stmt, bound);
	if (r == 0)
		*ret_id = sqlite3_last_insert_rowid(journal->store->db);
	return r;
}

int pme_repair_act(struct pme_repair_journal *journal, int64_t id, const char *name,
		   struct json_object *detail)
{
	sqlite3_stmt *stmt = NULL;
	int r, bound;

	r = prepare(journal,
		    "INSERT INTO repair_acts(repair, number, time, name, detail) SELECT ?1, "
		    "coalesce((SELECT max(number) FROM repair_acts WHERE repair = ?1), 0) + 1, "
		    "?2, ?3, ?4",
		    &stmt);
	if (r < 0)
		return r;
	bound = sqlite3_bind_int64(stmt, 1, id);
	if (bound == SQLITE_OK)
		bound = sqlite3_bind_int64(stmt, 2, now_usec());
	if (bound == SQLITE_OK)
		bound = sqlite3_bind_text(stmt, 3, name, -1, SQLITE_STATIC);
	if (bound == SQLITE_OK)
		bound = bind_json(stmt, 4, detail);
	return finish(journal, stmt, bound);
}

int pme_repair_end(struct pme_repair_journal *journal, int64_t id, const char *state,
		   const char *error)
{
	sqlite3_stmt *stmt = NULL;
	int r, bound;

	r = prepare(journal, "UPDATE repairs SET ended = ?2, state = ?3, error = ?4 WHERE id = ?1",
		    &stmt);
	if (r < 0)
		return r;
	bound = sqlite3_bind_int64(stmt, 1, id);
	if (bound == SQLITE_OK)
		bound = sqlite3_bind_int64(stmt, 2, now_usec());
	if (bound == SQLITE_OK)
		bound = sqlite3_bind_text(stmt, 3, state, -1, SQLITE_STATIC);
	if (bound == SQLITE_OK && error)
		bound = sqlite3_bind_text(stmt, 4, error, -1, SQLITE_TRANSIENT);
	return finish(journal, stmt, bound);
}

/* An object of a column, or NULL when it is none: the store may have been written by others. */
static struct json_object *column_object(sqlite3_stmt *stmt, int at)
{
	const char *text = (const char *)sqlite3_column_text(stmt, at);
	struct json_object *value =
		text && strlen(text) <= PME_STORE_TEXT_MAX && pme_utf8_valid(text, strlen(text))
			? json_tokener_parse(text)
			: NULL;

	if (value && !json_object_is_type(value, json_type_object)) {
		json_object_put(value);
		return NULL;
	}
	return value;
}

static int each_row(struct pme_repair_journal *journal, sqlite3_stmt *stmt, size_t max,
		    struct json_object *(*row)(sqlite3_stmt *stmt), struct json_object *ret)
{
	int result, r = 0;

	while ((result = sqlite3_step(stmt)) == SQLITE_ROW && pme_json_count(ret) < max)
		pme_json_append(ret, row(stmt));
	if (result == SQLITE_ROW)
		r = -E2BIG;
	else if (result != SQLITE_DONE)
		r = pme_store_fail(journal->store, result);
	sqlite3_finalize(stmt);
	if (r < 0)
		tell(journal, r);
	return r;
}

static struct json_object *act_row(sqlite3_stmt *stmt)
{
	struct json_object *act = pme_json_object();

	pme_json_set(act, "time", pme_json_int(sqlite3_column_int64(stmt, 0)));
	pme_json_set(act, "name", pme_json_lossy((const char *)sqlite3_column_text(stmt, 1) ?: ""));
	pme_json_set(act, "detail", column_object(stmt, 2));
	return act;
}

static struct json_object *repair_row(sqlite3_stmt *stmt)
{
	struct json_object *repair = pme_json_object();

	pme_json_set(repair, "id", pme_json_int(sqlite3_column_int64(stmt, 0)));
	pme_json_set(repair, "begun", pme_json_int(sqlite3_column_int64(stmt, 1)));
	pme_json_set(repair, "about", column_object(stmt, 2));
	pme_json_set(repair, "acts", pme_json_array());
	return repair;
}

static int add_acts(struct pme_repair_journal *journal, struct json_object *repair)
{
	sqlite3_stmt *stmt = NULL;
	int r = prepare(journal,
			"SELECT time, name, detail FROM repair_acts WHERE repair = ?1 "
			"ORDER BY number",
			&stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, json_object_get_int64(pme_json_get(repair, "id")));
	return each_row(journal, stmt, ACTS_MAX, act_row, pme_json_get(repair, "acts"));
}

int pme_repair_unfinished(struct pme_repair_journal *journal, int64_t id, struct json_object **ret)
{
	struct json_object *repairs;
	sqlite3_stmt *stmt = NULL;
	int r = prepare(journal,
			"SELECT id, begun, about FROM repairs WHERE ended IS NULL AND "
			"(?1 = 0 OR id = ?1) ORDER BY id",
			&stmt);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, id);
	repairs = pme_json_array();
	r = each_row(journal, stmt, PME_STORE_ROWS_MAX, repair_row, repairs);
	for (size_t i = 0; r == 0 && i < pme_json_count(repairs); i++)
		r = add_acts(journal, pme_json_at(repairs, i));
	if (r < 0) {
		json_object_put(repairs);
		return r;
	}
	*ret = repairs;
	return 0;
}

void pme_repair_note_unfinished(const char *path, struct pme_log *log)
{
	struct pme_store *store = NULL;
	int64_t count = 0;
	int r = pme_store_open_read(path, &store);

	if (r == 0)
		r = pme_store_number(store, "SELECT count(*) FROM repairs WHERE ended IS NULL",
				     &count);
	if (r == 0 && count > 0)
		pme_log_add(log, PME_WARNING, path,
			    "%lld repairs have begun and not ended: if none is running now, "
			    "pmemctl repair --resume finishes them or takes them back",
			    (long long)count);
	pme_store_close(store);
}
