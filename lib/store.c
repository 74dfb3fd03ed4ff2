/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store: opening, and changes; see store.h.
 *
 * WAL, so that readers and the writer do not wait for each other.  synchronous=NORMAL: a power cut
 * may take the last changes, but does not damage the file, and what counts is found again by the
 * scan at the start.
 */
#include "store-private.h"

#include <fcntl.h>
#include <libgen.h>
#include <string.h>

#include "os.h"

#define NEWER ".newer-"

#define BUSY_MS 5000
#define READ_MS 500 /* readers hardly ever wait for a writer */

const char *pme_store_error(const struct pme_store *store)
{
	return store && store->error ? store->error : "";
}

static int errno_of(sqlite3 *db, int result)
{
	int error = db ? sqlite3_system_errno(db) : 0;

	switch (result & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
		return -EINVAL;
	case SQLITE_CANTOPEN:
		return error > 0 ? -error : -EIO;
	case SQLITE_IOERR:
		return error == ENOSPC || error == EDQUOT ? -ENOSPC : -EIO;
	}
	return -EIO;
}

int pme_store_fail(struct pme_store *store, int result)
{
	const char *text = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(result);

	free(store->error);
	store->error = strdup(text);
	return errno_of(store->db, result);
}

int pme_store_exec(struct pme_store *store, const char *sql)
{
	int result = sqlite3_exec(store->db, sql, NULL, NULL, NULL);

	return result == SQLITE_OK ? 0 : pme_store_fail(store, result);
}

int pme_store_statement(struct pme_store *store, const char *sql, sqlite3_stmt **ret)
{
	int result = sqlite3_prepare_v2(store->db, sql, -1, ret, NULL);

	return result == SQLITE_OK ? 0 : pme_store_fail(store, result);
}

int pme_store_number(struct pme_store *store, const char *sql, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int r = pme_store_statement(store, sql, &stmt), result;

	if (r < 0)
		return r;
	result = sqlite3_step(stmt);
	if (result == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	else
		r = result == SQLITE_DONE ? -ENOENT : pme_store_fail(store, result);
	sqlite3_finalize(stmt);
	return r;
}

struct pme_store *pme_store_close(struct pme_store *store)
{
	if (!store)
		return NULL;
	sqlite3_finalize(store->last);
	sqlite3_close(store->db);
	free(store->last_sql);
	free(store->path);
	free(store->error);
	free(store);
	return NULL;
}

/* A file of a stranger may hold a schema with tricks. */
static void distrust(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 4 * PME_STORE_TEXT_MAX);
}

/*
 * SQLITE_OPEN_NOFOLLOW refuses links anywhere in a name.  Those on the way to the file are the
 * administrator's, who has /var somewhere else; only the file itself must be none.
 */
static char *without_links(const char *path)
{
	char *real;

	return pme_os_real_path(path, &real) == 0 ? real : strdup(path);
}

static int open_file(const char *path, const char *name, int flags, struct pme_store **ret)
{
	struct pme_store *store = calloc(1, sizeof(*store));
	int result, r = 0;

	*ret = NULL;
	if (!store)
		return -ENOMEM;
	store->path = strdup(path);
	result = sqlite3_open_v2(name, &store->db, flags | SQLITE_OPEN_NOFOLLOW, NULL);
	if (!store->path)
		r = -ENOMEM;
	else if (result != SQLITE_OK)
		r = pme_store_fail(store, result);
	*ret = store; /* also when it failed: it says why */
	if (r < 0)
		return r;
	distrust(store->db);
	sqlite3_busy_timeout(store->db, flags & SQLITE_OPEN_READONLY ? READ_MS : BUSY_MS);
	return 0;
}

/* 0, or what PRAGMA quick_check has to say. */
static int check_all(struct pme_store *store)
{
	sqlite3_stmt *stmt = NULL;
	int r = pme_store_statement(store, "PRAGMA quick_check(1)", &stmt), result;

	if (r < 0)
		return r;
	result = sqlite3_step(stmt);
	if (result != SQLITE_ROW) {
		r = pme_store_fail(store, result);
	} else if (strcmp((const char *)sqlite3_column_text(stmt, 0) ?: "", "ok") != 0) {
		free(store->error);
		store->error = strdup((const char *)sqlite3_column_text(stmt, 0) ?: "");
		r = -EUCLEAN;
	}
	sqlite3_finalize(stmt);
	return r;
}

/* SQLite tells how its second try ended, which makes no file; its directory says more. */
static int why_not_made(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	int r;

	if (!copy)
		return -ENOMEM;
	r = pme_os_may_make(dirname(copy));
	return r < 0 ? r : -ENOENT;
}

#define CACHE_SIZE "-256" /* KiB; the kernel's cache is near, and a daemon's memory counts */

static int open_write(const char *path, struct pme_store **ret)
{
	static const char *const pragmas[] = {
		"PRAGMA cell_size_check = ON",	       "PRAGMA auto_vacuum = INCREMENTAL",
		"PRAGMA journal_mode = WAL",	       "PRAGMA synchronous = NORMAL",
		"PRAGMA journal_size_limit = 4194304", "PRAGMA cache_size = " CACHE_SIZE,
	};
	_cleanup_free_ char *real = without_links(path);
	int r;

	*ret = NULL;
	r = real ? open_file(path, real, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, ret) : -ENOMEM;
	if (r == -ENOENT)
		r = why_not_made(real);
	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(pragmas); i++)
		r = pme_store_exec(*ret, pragmas[i]);
	if (r == 0)
		r = check_all(*ret);
	if (r == 0)
		r = pme_store_prepare(*ret);
	return r;
}

int pme_store_open_durable(const char *path, struct pme_store **ret)
{
	int r = open_write(path, ret);

	return r < 0 ? r : pme_store_exec(*ret, "PRAGMA synchronous = FULL");
}

/* The log goes with its database, or it would be applied to the next one of that name. */
static int move_aside(const char *path, bool newer, int64_t now, char **ret)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	_cleanup_free_ char *to =
		pme_printf("%s%s%lld", path, newer ? NEWER : ".damaged-", (long long)now);

	for (size_t i = 0; to && i < PME_ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *from = pme_printf("%s%s", path, suffixes[i]);
		_cleanup_free_ char *other = pme_printf("%s%s", to, suffixes[i]);

		if (!from || !other)
			return -ENOMEM;
		if (rename(from, other) < 0 && (errno != ENOENT || i == 0))
			return -errno;
	}
	if (!to)
		return -ENOMEM;
	*ret = pme_take_ptr(to);
	return 0;
}

bool pme_store_was_newer(const char *moved)
{
	const char *suffix = strrchr(moved, '.');

	return suffix && strncmp(suffix, NEWER, strlen(NEWER)) == 0;
}

/* Through the file that SQLite has open: closing another one would take its locks away. */
int pme_store_look(struct pme_store *store)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)];
	sqlite3_file *file = NULL;
	int moved = 0;

	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
	    moved)
		return -ENOENT;
	if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
		    SQLITE_OK ||
	    !file || !file->pMethods)
		return -EIO;
	if (file->pMethods->xRead(file, head, sizeof(head), 0) != SQLITE_OK ||
	    memcmp(head, magic, sizeof(magic)) != 0)
		return -EUCLEAN;
	return 0;
}

static int open_new(const char *path, int64_t now, bool replace, struct pme_store **ret,
		    char **ret_moved)
{
	struct pme_store *store = NULL;
	int r = replace ? -EUCLEAN : open_write(path, &store);

	*ret_moved = NULL;
	if (r == -EUCLEAN || r == -EPROTO) {
		pme_store_close(pme_take_ptr(store));
		r = move_aside(path, r == -EPROTO, now, ret_moved);
		if (r == 0)
			r = open_write(path, &store);
	}
	if (r < 0) {
		pme_store_close(store);
		return r;
	}
	*ret = store;
	return 0;
}

int pme_store_open(const char *path, int64_t now, struct pme_store **ret, char **ret_moved)
{
	return open_new(path, now, false, ret, ret_moved);
}

int pme_store_replace(const char *path, int64_t now, struct pme_store **ret, char **ret_moved)
{
	return open_new(path, now, true, ret, ret_moved);
}

/* "file:PATH?immutable=1": without its log, which needs to be written even for reading. */
static char *immutable_name(const char *path)
{
	char *name = sqlite3_mprintf("file:"), *before;

	for (const char *p = path; name && *p; p++) {
		before = name;
		name = strchr("?#%", *p) ? sqlite3_mprintf("%s%%%02x", before, (unsigned int)*p)
					 : sqlite3_mprintf("%s%c", before, *p);
		sqlite3_free(before);
	}
	before = name;
	name = before ? sqlite3_mprintf("%s?immutable=1", before) : NULL;
	sqlite3_free(before);
	return name;
}

static int has_log(const char *path)
{
	_cleanup_free_ char *log = pme_printf("%s-wal", path);
	struct stat st;
	int r = log ? pme_os_stat_at(AT_FDCWD, log, true, &st) : -ENOMEM;

	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static bool is_empty(struct pme_store *store)
{
	int64_t tables;

	return pme_store_number(store, "SELECT count(*) FROM sqlite_master", &tables) == 0 &&
	       tables == 0;
}

/* -ENOENT: it is there, and empty; whoever made it got no further. */
static int check_read(struct pme_store *store)
{
	int64_t application = 0, version;
	int r = pme_store_number(store, "PRAGMA user_version", &version);

	if (r == 0)
		r = pme_store_number(store, "PRAGMA application_id", &application);
	if (r < 0)
		return r;
	if (application != PME_STORE_APPLICATION)
		return application == 0 && is_empty(store) ? -ENOENT : -EUCLEAN;
	return version > PME_STORE_VERSION ? -EPROTO : 0;
}

int pme_store_open_read(const char *path, struct pme_store **ret)
{
	_cleanup_free_ char *real = without_links(path);
	struct pme_store *store = NULL;
	struct stat st;
	int r = real ? pme_os_stat_at(AT_FDCWD, path, true, &st) : -ENOMEM;

	if (r < 0)
		return r;
	r = open_file(path, real, SQLITE_OPEN_READONLY, &store);
	if (r == 0)
		r = check_read(store);
	/* Nobody writes, and the log may not be made by this user. */
	if (r < 0 && r != -EUCLEAN && r != -EPROTO && r != -ENOMEM && has_log(path) == 0) {
		char *name = immutable_name(real);

		pme_store_close(pme_take_ptr(store));
		r = name ? open_file(path, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, &store)
			 : -ENOMEM;
		if (r == 0)
			r = check_read(store);
		sqlite3_free(name);
	}
	if (r < 0) {
		pme_store_close(store);
		return r;
	}
	*ret = store;
	return 0;
}
