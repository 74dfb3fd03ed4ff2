/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of store.c share; see store.h.
 */
#ifndef PME_STORE_PRIVATE_H
#define PME_STORE_PRIVATE_H

#include <sqlite3.h>

#include "event.h"
#include "store.h"

/* "PMEC": says that the file is ours. */
#define PME_STORE_APPLICATION 0x504d4543
/* Longer texts are not read back; a finding with thousands of owners is a few MiB. */
#define PME_STORE_TEXT_MAX (16 << 20)
/* Nor are more rows than this. */
#define PME_STORE_ROWS_MAX 65536

struct pme_store {
	sqlite3 *db;
	char *path;
	char *error;
	sqlite3_stmt *last; /* the statement that was used last, and its text */
	char *last_sql;
};

/* Columns whose value is a JSON array or object, kept as text. */
#define PME_STORE_COLUMNS 16
struct pme_store_table {
	const char *name;
	size_t n_keys;				/* the first columns */
	const char *columns[PME_STORE_COLUMNS]; /* up to NULL */
};
const struct pme_store_table *pme_store_table(const char *name); /* or NULL */
size_t pme_store_table_columns(const struct pme_store_table *table);

/* Steps from version i to i + 1, as SQL; the first makes an empty file a store. */
struct pme_store_step {
	const char *sql;
};
/* Bring the store from its version to @n_steps; -EPROTO when it is newer than that. */
int pme_store_migrate(struct pme_store *store, const struct pme_store_step *steps, size_t n_steps);
/* Make or migrate it, and see that every column is there. */
int pme_store_prepare(struct pme_store *store);

/* The errno of an SQLite result, with what it says kept for pme_store_error(). */
int pme_store_fail(struct pme_store *store, int result);
int pme_store_exec(struct pme_store *store, const char *sql);
int pme_store_statement(struct pme_store *store, const char *sql, sqlite3_stmt **ret);
/* One number that a statement yields. */
int pme_store_number(struct pme_store *store, const char *sql, int64_t *ret);

#endif
