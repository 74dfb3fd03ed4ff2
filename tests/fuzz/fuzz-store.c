/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: a store that somebody else wrote: a file of any bytes, or, when it begins with
 * "rows", good tables with these bytes as events, findings and devices. Parsers: store-read
 */
#include <fcntl.h>

#include "fuzz.h"
#include "store-private.h"

static int each(void *arg, struct json_object *event)
{
	FUZZ_CHECK(json_object_is_type(event, json_type_object));
	++*(uint64_t *)arg;
	return 0;
}

static void read_all(struct pme_store *store)
{
	struct pme_event_filter filter = {.type = -1};
	struct json_object *rows;
	uint64_t count = 0;
	int64_t time;

	pme_store_events(store, &filter, each, &count);
	pme_store_first_seen(store, "1", &time);
	if (pme_store_load(store, &rows) == 0)
		json_object_put(rows);
}

static void put_file(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void put_rows(struct pme_store *store, const char *data, size_t size)
{
	static const char *const sql[] = {
		"INSERT INTO events(id, severity, event) VALUES (1, 2, ?1)",
		"INSERT INTO findings(id, device, state, finding) VALUES ('1', ?1, 'x', ?1)",
		"INSERT INTO devices(identity, present, dimms, standing) VALUES (?1, 1, ?1, ?1)",
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(sql); i++) {
		sqlite3_stmt *stmt;

		FUZZ_CHECK(pme_store_statement(store, sql[i], &stmt) == 0);
		sqlite3_bind_text(stmt, 1, data, (int)size, SQLITE_TRANSIENT);
		sqlite3_step(stmt);
		sqlite3_finalize(stmt);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const suffixes[] = {"",	     "-wal",	       "-shm",
					       ".damaged-1", ".damaged-1-wal", ".damaged-1-shm",
					       ".newer-1",   ".newer-1-wal",   ".newer-1-shm"};
	bool rows = size >= 4 && memcmp(data, "rows", 4) == 0;
	_cleanup_free_ char *path = pme_printf("/tmp/fuzz-store.%d", (int)getpid());
	_cleanup_free_ char *moved = NULL;
	struct pme_store *store = NULL;

	FUZZ_CHECK(path);
	if (!rows) {
		put_file(path, data, size);
		if (pme_store_open_read(path, &store) == 0)
			read_all(store);
		store = pme_store_close(store);
	}
	if (pme_store_open(path, 1, &store, &moved) == 0) {
		if (rows)
			put_rows(store, (const char *)data + 4, size - 4);
		read_all(store);
		pme_store_expire(store, 1, 1, 1);
		pme_store_close(store);
	}
	for (size_t i = 0; i < PME_ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *name = pme_printf("%s%s", path, suffixes[i]);

		if (name)
			unlink(name);
	}
	return 0;
}
