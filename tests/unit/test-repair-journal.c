/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/repair-journal.c: what was begun is known to the next one; damaged and newer stores are left
 * as they are.
 */
#include "repair-journal.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"
#include "store-private.h"

struct place {
	char *dir, *path;
	struct pme_log log;
	struct pme_repair_journal *journal;
};

static int setup(void **state)
{
	static struct place p;
	char name[] = "/tmp/test-repair-journal.XXXXXX";

	p = (struct place){0};
	assert_non_null(mkdtemp(name));
	p.dir = strdup(name);
	p.path = pme_printf("%s/state/store.db", name); /* a folder that is not there yet */
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *rm = pme_printf("rm -rf '%s'", p->dir);

	pme_repair_journal_close(p->journal);
	pme_log_done(&p->log);
	assert_int_equal(system(rm), 0);
	free(p->dir);
	free(p->path);
	return 0;
}

static void open_it(struct place *p)
{
	p->journal = pme_repair_journal_close(p->journal);
	assert_int_equal(pme_repair_journal_open(p->path, &p->log, &p->journal), 0);
}

static int64_t begin(struct place *p, const char *device)
{
	struct json_object *about = pme_json_object();
	int64_t id = 0;

	pme_json_text(about, "device", device);
	assert_int_equal(pme_repair_begin(p->journal, about, &id), 0);
	json_object_put(about);
	return id;
}

static struct json_object *unfinished(struct place *p)
{
	struct json_object *repairs;

	assert_int_equal(pme_repair_unfinished(p->journal, 0, &repairs), 0);
	return repairs;
}

static void what_was_begun_is_known_to_the_next(void **state)
{
	struct json_object *repairs, *one, *acts, *detail = pme_json_object();
	struct place *p = *state;
	int64_t first, second;

	open_it(p);
	first = begin(p, "pmem0");
	second = begin(p, "pmem1");
	assert_true(first > 0 && second > first);
	pme_json_text(detail, "digest", "00ff");
	assert_int_equal(pme_repair_act(p->journal, first, "folder", NULL), 0);
	assert_int_equal(pme_repair_act(p->journal, first, "switch", detail), 0);
	json_object_put(detail);
	assert_int_equal(pme_repair_end(p->journal, second, "repaired", NULL), 0);
	open_it(p);
	repairs = unfinished(p);
	assert_int_equal(pme_json_count(repairs), 1);
	one = pme_json_at(repairs, 0);
	assert_int_equal(pme_json_get_number(one, "id"), first);
	assert_string_equal(pme_json_get_text(pme_json_get(one, "about"), "device"), "pmem0");
	acts = pme_json_get(one, "acts");
	assert_int_equal(pme_json_count(acts), 2);
	assert_string_equal(pme_json_get_text(pme_json_at(acts, 0), "name"), "folder");
	assert_null(pme_json_get(pme_json_at(acts, 0), "detail"));
	assert_string_equal(
		pme_json_get_text(pme_json_get(pme_json_at(acts, 1), "detail"), "digest"), "00ff");
	json_object_put(repairs);
	assert_int_equal(pme_repair_end(p->journal, first, "rolled-back", "why"), 0);
	repairs = unfinished(p);
	assert_int_equal(pme_json_count(repairs), 0);
	json_object_put(repairs);
}

/* An id names files on filesystems: a clock that went backwards must not bring one again. */
static void what_has_not_ended_is_said(void **state)
{
	struct place *p = *state;
	int64_t id;

	pme_repair_note_unfinished(p->path, &p->log); /* there is no store */
	open_it(p);
	pme_repair_note_unfinished(p->path, &p->log);
	assert_int_equal(p->log.count, 0);
	id = begin(p, "pmem0");
	pme_repair_note_unfinished(p->path, &p->log);
	assert_int_equal(p->log.count, 1);
	assert_int_equal(p->log.messages[0].severity, PME_WARNING);
	assert_non_null(strstr(p->log.messages[0].text, "1 repairs"));
	assert_int_equal(pme_repair_end(p->journal, id, "repaired", NULL), 0);
	pme_log_done(&p->log);
	pme_repair_note_unfinished(p->path, &p->log);
	assert_int_equal(p->log.count, 0);
}

static void numbers_are_never_given_twice(void **state)
{
	struct pme_store *store;
	struct place *p = *state;

	open_it(p);
	begin(p, "pmem0");
	assert_int_equal(pme_store_open_durable(p->path, &store), 0);
	assert_int_equal(pme_store_exec(store, "UPDATE repairs SET id = 4102444800000000"), 0);
	pme_store_close(store);
	assert_true(begin(p, "pmem0") == 4102444800000001);
}

static void an_older_store_is_migrated(void **state)
{
	struct json_object *repairs;
	struct pme_store *store;
	struct place *p = *state;

	open_it(p);
	p->journal = pme_repair_journal_close(p->journal);
	assert_int_equal(pme_store_open_durable(p->path, &store), 0);
	assert_int_equal(pme_store_exec(store, "DROP TABLE repairs; DROP TABLE repair_acts;"
					       "INSERT INTO jobs(id) VALUES (77);"
					       "PRAGMA user_version = 1"),
			 0);
	pme_store_close(store);
	open_it(p);
	begin(p, "pmem0");
	repairs = unfinished(p);
	assert_int_equal(pme_json_count(repairs), 1);
	json_object_put(repairs);
	assert_int_equal(pme_store_open_durable(p->path, &store), 0);
	{
		int64_t n = 0;

		assert_int_equal(pme_store_number(store, "SELECT id FROM jobs", &n), 0);
		assert_int_equal(n, 77);
	}
	pme_store_close(store);
}

static void check_refused(struct place *p, int error, const char *word)
{
	_cleanup_free_ char *moved = pme_printf("ls %s | grep -q -e damaged -e newer", p->dir);
	_cleanup_free_ char *folder =
		pme_printf("ls %s/state | grep -q -e damaged -e newer", p->dir);

	assert_int_equal(pme_repair_journal_open(p->path, &p->log, &p->journal), error);
	assert_null(p->journal);
	assert_true(p->log.failed);
	assert_non_null(strstr(p->log.messages[p->log.count - 1].text, word));
	assert_int_not_equal(system(moved), 0);
	assert_int_not_equal(system(folder), 0);
}

static void a_damaged_store_is_not_replaced(void **state)
{
	struct place *p = *state;
	int fd;

	open_it(p);
	p->journal = pme_repair_journal_close(p->journal);
	fd = open(p->path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "noise that is no store", 22, 0), 22);
	close(fd);
	check_refused(p, -EUCLEAN, "damaged");
}

static void a_newer_store_is_not_replaced(void **state)
{
	struct pme_store *store;
	struct place *p = *state;

	open_it(p);
	p->journal = pme_repair_journal_close(p->journal);
	assert_int_equal(pme_store_open_durable(p->path, &store), 0);
	assert_int_equal(pme_store_exec(store, "PRAGMA user_version = 99"), 0);
	pme_store_close(store);
	check_refused(p, -EPROTO, "newer");
}

/* The watch writes the same file. */
static void beside_the_watch(void **state)
{
	_cleanup_free_ char *moved = NULL;
	struct json_object *changes, *repairs;
	struct pme_store *watch;
	struct place *p = *state;

	open_it(p);
	assert_int_equal(pme_store_open(p->path, 1, &watch, &moved), 0);
	assert_null(moved);
	for (int i = 0; i < 20; i++) {
		changes = json_tokener_parse("[{\"table\":\"jobs\",\"row\":{\"id\":5}}]");
		begin(p, "pmem0");
		assert_int_equal(pme_store_apply(watch, changes), 0);
		json_object_put(changes);
	}
	/* what is not finished is never forgotten */
	assert_int_equal(pme_store_expire(watch, INT64_MAX, INT64_MAX, 0), 0);
	pme_store_close(watch);
	repairs = unfinished(p);
	assert_int_equal(pme_json_count(repairs), 20);
	json_object_put(repairs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_begun_is_known_to_the_next, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_has_not_ended_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_are_never_given_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(an_older_store_is_migrated, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_store_is_not_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_newer_store_is_not_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(beside_the_watch, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
