/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/store*.c: the file; damaged, old, new, full ones among them, and one that is read while it is
 * written.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "random.h"
#include "store-place.h"
#include "store-private.h"

static void write_file(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
}

/* It is moved aside, whole, and there is a new one. */
static void check_replaced(struct place *p)
{
	struct stat st;

	open_it(p);
	assert_non_null(p->moved);
	assert_int_equal(stat(p->moved, &st), 0);
	assert_int_equal(unlink(p->moved), 0);
	assert_int_equal(apply(p, "[" DEVICE "]"), 0);
	p->store = pme_store_close(p->store);
}

/* Who has /var on another disk has a link there; the file itself must be none. */
static void links_on_the_way(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *link = pme_printf("%s/link", p->dir);
	_cleanup_free_ char *path = pme_printf("%s/link/store.db", p->dir);
	_cleanup_free_ char *last = pme_printf("%s/last.db", p->dir);
	struct pme_store *store = NULL;
	char *moved = NULL;

	assert_int_equal(symlink(p->dir, link), 0);
	assert_int_equal(pme_store_open(path, 77, &store, &moved), 0);
	store = pme_store_close(store);
	assert_int_equal(pme_store_open_read(path, &store), 0);
	store = pme_store_close(store);
	assert_int_equal(symlink("store.db", last), 0);
	assert_true(pme_store_open(last, 77, &store, &moved) < 0);
	assert_true(pme_store_open_read(last, &store) < 0);
	assert_null(moved);
}

static void damaged_stores_are_moved_aside(void **state)
{
	struct place *p = *state;
	struct rnd rnd = rnd_start();
	unsigned char noise[20000];
	sqlite3 *db;

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (unsigned char)rnd_u64(&rnd);
	write_file(p->path, noise, sizeof(noise));
	check_replaced(p);
	write_file(p->path, "hello", 5);
	check_replaced(p);
	assert_int_equal(truncate(p->path, 5000), 0);
	check_replaced(p);
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	check_replaced(p);
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE events", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	check_replaced(p);
}

/* Noise in the middle of a good one: found at the opening, or harmless, or an error; never worse.
 */
static void noise_in_the_middle(void **state)
{
	struct place *p = *state;
	struct rnd rnd = rnd_start();
	struct stat st;
	int replaced = 0;

	for (int round = 0; round < 60; round++) {
		unsigned char noise[64];
		struct json_object *rows;
		int fd, r;

		open_it(p);
		for (int i = 1; i <= 50; i++)
			put_event(p, i, PME_EVENT_HEALTH, PME_EVENT_WARNING, "pmem1");
		assert_int_equal(apply(p, "[" DEVICE "," FINDING "]"), 0);
		p->store = pme_store_close(p->store);
		assert_int_equal(stat(p->path, &st), 0);
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (unsigned char)rnd_u64(&rnd);
		fd = open(p->path, O_WRONLY | O_CLOEXEC);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, noise, sizeof(noise),
					(off_t)rnd_below(&rnd, (uint64_t)st.st_size - 64)),
				 sizeof(noise));
		close(fd);
		open_it(p);
		replaced += p->moved != NULL;
		r = pme_store_load(p->store, &rows);
		assert_true(r == 0 || r == -EUCLEAN);
		if (r == 0)
			json_object_put(rows);
		r = apply(p, "[" DEVICE "]");
		assert_true(r == 0 || r == -EUCLEAN);
		p->store = pme_store_close(p->store);
		unlink(p->path);
	}
	assert_true(replaced > 0);
}

static void what_became_of_the_file(void **state)
{
	struct place *p = *state;

	open_it(p);
	assert_int_equal(pme_store_look(p->store), 0);
	assert_int_equal(apply(p, "[" DEVICE "]"), 0);
	assert_int_equal(pme_store_look(p->store), 0);
	write_file(p->path, "noise", 5);
	assert_int_equal(pme_store_look(p->store), -EUCLEAN);
	assert_int_equal(unlink(p->path), 0);
	assert_int_equal(pme_store_look(p->store), -ENOENT);
}

static void one_that_is_given_up(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *text = NULL;

	open_it(p);
	assert_int_equal(apply(p, "[" DEVICE "]"), 0);
	p->store = pme_store_close(p->store);
	assert_int_equal(pme_store_replace(p->path, 78, &p->store, &p->moved), 0);
	assert_non_null(strstr(p->moved, "store.db.damaged-78"));
	text = load_text(p);
	assert_null(strstr(text, "ns:a"));
}

/* What was moved aside is said, whatever becomes of the new one. */
static void no_room_for_the_new_one(void **state)
{
	struct place *p = *state;
	struct rlimit limit, none;

	open_it(p);
	p->store = pme_store_close(p->store);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	none = (struct rlimit){0, limit.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_true(pme_store_replace(p->path, 78, &p->store, &p->moved) < 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_non_null(p->moved);
	assert_false(pme_store_was_newer(p->moved));
	assert_int_equal(access(p->moved, F_OK), 0);
}

static void one_of_a_newer_version_is_not_called_damaged(void **state)
{
	struct place *p = *state;
	sqlite3 *db;

	open_it(p);
	p->store = pme_store_close(p->store);
	assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	open_it(p);
	assert_non_null(strstr(p->moved, "store.db.newer-77"));
	assert_true(pme_store_was_newer(p->moved));
}

static void stores_for_reading(void **state)
{
	struct place *p = *state;
	struct pme_store *store;

	assert_int_equal(pme_store_open_read(p->path, &store), -ENOENT);
	write_file(p->path, "hello, this is no store", 23);
	assert_int_equal(pme_store_open_read(p->path, &store), -EUCLEAN);
	write_file(p->path, "", 0);
	assert_int_equal(pme_store_open_read(p->path, &store), -ENOENT);
	unlink(p->path);
	open_it(p);
	put_event(p, 1, PME_EVENT_HEALTH, PME_EVENT_WARNING, "pmem1");
	assert_int_equal(pme_store_open_read(p->path, &store), 0);
	put_event(p, 2, PME_EVENT_HEALTH, PME_EVENT_WARNING, "pmem1");
	{
		struct place reader = {.store = store};

		check_ids(&reader, (struct pme_event_filter){.type = -1}, "1 2 ");
	}
	pme_store_close(store);
	assert_int_equal(pme_store_exec(p->store, "PRAGMA user_version = 99"), 0);
	assert_int_equal(pme_store_open_read(p->path, &store), -EPROTO);
}

static void *write_many(void *arg)
{
	struct place *p = arg;

	for (int i = 1; i <= 200; i++)
		put_event(p, i, PME_EVENT_HEALTH, PME_EVENT_WARNING, "pmem1");
	return NULL;
}

struct counted {
	uint64_t last, count;
};

static int count(void *arg, struct json_object *event)
{
	struct counted *c = arg;
	uint64_t id = pme_json_get_number(event, "id");

	if (id != c->last + 1)
		return -EBADMSG;
	c->last = id;
	c->count++;
	return 0;
}

/* What a reader sees is a prefix without holes, whenever it looks. */
static void reading_while_it_is_written(void **state)
{
	struct place *p = *state;
	struct pme_store *store;
	uint64_t before = 0;
	pthread_t thread;

	open_it(p);
	assert_int_equal(pthread_create(&thread, NULL, write_many, p), 0);
	assert_int_equal(pme_store_open_read(p->path, &store), 0);
	while (before < 200) {
		struct pme_event_filter all = {.type = -1};
		struct counted c = {0};

		assert_int_equal(pme_store_events(store, &all, count, &c), 0);
		assert_true(c.count >= before);
		before = c.count;
	}
	pthread_join(thread, NULL);
	pme_store_close(store);
}

static void older_stores_are_migrated(void **state)
{
	static const struct pme_store_step old[] = {
		{"CREATE TABLE things (a); INSERT INTO things VALUES (7)"}};
	static const struct pme_store_step new[] = {
		{"CREATE TABLE things (a); INSERT INTO things VALUES (7)"},
		{"ALTER TABLE things ADD COLUMN b; UPDATE things SET b = a + 1"},
		{"CREATE TABLE others (c); INSERT INTO others SELECT b FROM things"},
	};
	static const struct pme_store_step broken[] = {
		{"CREATE TABLE things (a)"},
		{"-- 2"},
		{"-- 3"},
		{"CREATE TABLE more (d); INSERT INTO nowhere VALUES (1)"}};
	struct pme_store store = {0};
	struct place *p = *state;
	int64_t n;

	assert_int_equal(sqlite3_open(p->path, &store.db), SQLITE_OK);
	assert_int_equal(pme_store_migrate(&store, old, 1), 0);
	assert_int_equal(pme_store_number(&store, "PRAGMA user_version", &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(pme_store_migrate(&store, new, 3), 0);
	assert_int_equal(pme_store_number(&store, "SELECT c FROM others", &n), 0);
	assert_int_equal(n, 8);
	assert_int_equal(pme_store_migrate(&store, new, 3), 0);
	assert_int_equal(pme_store_migrate(&store, old, 1), -EPROTO);
	/* A step that fails is not taken at all. */
	assert_true(pme_store_migrate(&store, broken, 4) < 0);
	assert_int_equal(pme_store_number(&store, "PRAGMA user_version", &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(pme_store_number(&store,
					  "SELECT count(*) FROM sqlite_master WHERE name = 'more'",
					  &n),
			 0);
	assert_int_equal(n, 0);
	sqlite3_close(store.db);
	free(store.error);
}

/* A file that may not grow any more is like a full disk for it. */
static void a_full_disk(void **state)
{
	struct place *p = *state;
	struct json_object *changes = json_object_new_array();
	_cleanup_free_ char *long_text = malloc(4001), *text = NULL;
	int r = 0;

	open_it(p);
	assert_int_equal(apply(p, "[" DEVICE "]"), 0);
	assert_int_equal(pme_store_exec(p->store, "PRAGMA max_page_count = 40"), 0);
	memset(long_text, 'x', 4000);
	long_text[4000] = '\0';
	for (int i = 0; i < 100; i++) {
		struct json_object *row = json_object_new_object();

		json_object_object_add(row, "id", json_object_new_int(i));
		json_object_object_add(row, "error", json_object_new_string(long_text));
		json_object_array_add(changes, pme_store_change("jobs", row));
	}
	r = pme_store_apply(p->store, changes);
	assert_int_equal(r, -ENOSPC);
	assert_true(*pme_store_error(p->store));
	text = load_text(p);
	assert_non_null(strstr(text, "ns:a"));
	assert_int_equal(pme_store_exec(p->store, "PRAGMA max_page_count = 4000"), 0);
	assert_int_equal(pme_store_apply(p->store, changes), 0);
	json_object_put(changes);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(no_room_for_the_new_one),
		TEST(one_of_a_newer_version_is_not_called_damaged),
		TEST(links_on_the_way),
		TEST(damaged_stores_are_moved_aside),
		TEST(noise_in_the_middle),
		TEST(what_became_of_the_file),
		TEST(one_that_is_given_up),
		TEST(stores_for_reading),
		TEST(reading_while_it_is_written),
		TEST(older_stores_are_migrated),
		TEST(a_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
