/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/keeper*.c, with a lane that works when the test says so, and events that go nowhere.
 */
#include "keeper.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "check.h"
#include "lane.h"
#include "state-docs.h"
#include "store.h"

struct pmed_lane {
	struct pmed_lane_args args;
	void *item;
	int fail; /* instead of working */
	struct json_object *told;
};
static struct pmed_lane lane;

int __wrap_pmed_lane_new(sd_event *loop, const struct pmed_lane_args *args, struct pmed_lane **ret);
int __wrap_pmed_lane_put(struct pmed_lane *l, void *item);
int __wrap_pmed_lane_free(struct pmed_lane *l, uint64_t ms);
void __wrap_pmed_tell(struct pmed *d, struct json_object *event);

int __wrap_pmed_lane_new(sd_event *loop, const struct pmed_lane_args *args, struct pmed_lane **ret)
{
	(void)loop;
	lane.args = *args;
	*ret = &lane;
	return 0;
}

int __wrap_pmed_lane_put(struct pmed_lane *l, void *item)
{
	assert_null(l->item);
	l->item = item;
	return 0;
}

/* Work on what is in the lane: is there anything? */
static bool turn(void)
{
	void *item = lane.item;

	if (!item)
		return false;
	lane.item = NULL;
	lane.args.done(lane.args.context, item,
		       lane.fail ? lane.fail : lane.args.work(lane.args.context, item));
	return true;
}

int __wrap_pmed_lane_free(struct pmed_lane *l, uint64_t ms)
{
	assert_ptr_equal(l, &lane);
	assert_true(ms > 0);
	while (turn())
		;
	return 0;
}

void __wrap_pmed_tell(struct pmed *d, struct json_object *event)
{
	assert_non_null(d);
	json_object_put(lane.told);
	lane.told = event;
}

struct place {
	struct pmed d;
	char *dir;
};

static void start(struct place *p, struct json_object **rows)
{
	struct json_object *own = NULL;

	assert_int_equal(pmed_keeper_start(&p->d, rows ? rows : &own), 0);
	json_object_put(own);
}

static int setup(void **state)
{
	static struct place p;
	char name[] = "/tmp/test-keeper.XXXXXX";

	p = (struct place){0};
	lane = (struct pmed_lane){0};
	assert_non_null(mkdtemp(name));
	p.dir = strdup(name);
	p.d.conf.store.path = pme_printf("%s/store.db", name);
	p.d.conf.store.keep = 1000;
	p.d.conf.store.max_events = 1000;
	assert_true(sd_event_new(&p.d.loop) >= 0);
	assert_int_equal(pmed_state_new(&p.d.state), 0);
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *rm = pme_printf("rm -rf '%s'", p->dir);

	pmed_keeper_stop(&p->d);
	pmed_state_free(p->d.state);
	sd_event_unref(p->d.loop);
	json_object_put(lane.told);
	assert_int_equal(system(rm), 0);
	free(p->dir);
	free(p->d.conf.store.path);
	return 0;
}

/* The state learns of a bad range of pmem0 at @start; its changes are kept. */
static void learn(struct place *p, uint64_t at)
{
	_cleanup_free_ char *one =
		finding_text((unsigned int)at, "pmem0", at * 8192, "'badblocks'", "lost", "/srv/a");
	_cleanup_free_ char *disk = disk_text("pmem0", "ns:a", "full");
	_cleanup_free_ char *text = doc_text("scan", "complete", "", disk, one);
	struct json_object *doc = json(text);
	struct pmed_news news;

	assert_int_equal(pmed_news_new(&news), 0);
	assert_int_equal(
		pmed_state_scanned(p->d.state, "region0", doc, pmed_now(), &p->d.last_event, &news),
		0);
	pmed_keeper_keep(&p->d, json_object_get(news.changes));
	pmed_news_done(&news);
	json_object_put(doc);
}

/* How many findings and events a reader sees. */
static int count_event(void *arg, struct json_object *event)
{
	assert_non_null(event);
	++*(size_t *)arg;
	return 0;
}

static void check_store(struct place *p, size_t findings, size_t events)
{
	struct pme_event_filter all = {.type = -1};
	struct json_object *rows;
	struct pme_store *store;
	size_t count = 0;

	assert_int_equal(pme_store_open_read(p->d.conf.store.path, &store), 0);
	assert_int_equal(pme_store_load(store, &rows), 0);
	assert_int_equal(pme_json_count(pme_json_get(rows, "findings")), findings);
	json_object_put(rows);
	assert_int_equal(pme_store_events(store, &all, count_event, &count), 0);
	assert_int_equal(count, events);
	pme_store_close(store);
}

static bool is_ok(struct place *p)
{
	struct json_object *doc = json_object_new_object();
	bool ok;

	pmed_keeper_json(&p->d, doc);
	ok = pme_json_get_bool(pme_json_get(doc, "store"), "ok");
	assert_int_equal(ok, *pme_json_get_text(pme_json_get(doc, "store"), "reason") == '\0');
	json_object_put(doc);
	return ok;
}

/* Let the timers of the keeper run, until there is something in the lane. */
static void wait_for_item(struct place *p)
{
	uint64_t end = pmed_clock() + 60000000;

	while (!lane.item && pmed_clock() < end)
		assert_true(sd_event_run(p->d.loop, 100000) >= 0);
	assert_non_null(lane.item);
}

static void what_comes_meanwhile_waits(void **state)
{
	struct place *p = *state;

	start(p, NULL);
	for (uint64_t i = 0; i < 50; i++)
		learn(p, i);
	assert_true(turn());
	check_store(p, 1, 1);
	assert_true(turn());
	assert_false(turn());
	check_store(p, 50, 50);
	assert_true(is_ok(p));
}

static void what_was_known_is_known_again(void **state)
{
	struct json_object *rows = NULL;
	struct place *p = *state;

	start(p, NULL);
	learn(p, 1);
	learn(p, 2);
	pmed_keeper_stop(&p->d);
	start(p, &rows);
	assert_non_null(rows);
	assert_int_equal(pmed_state_load(p->d.state, rows), 0);
	json_object_put(rows);
	check_store(p, 2, 2);
	learn(p, 2);
	while (turn())
		;
	check_store(p, 2, 2);
}

/* A full disk: nothing is lost that fits in memory. */
static void a_store_that_fails_for_a_while(void **state)
{
	struct place *p = *state;

	start(p, NULL);
	lane.fail = -ENOSPC;
	learn(p, 1);
	assert_true(turn());
	assert_false(is_ok(p));
	learn(p, 2);
	assert_null(lane.item); /* not before the delay is over */
	lane.fail = 0;
	wait_for_item(p);
	assert_true(turn());
	assert_true(is_ok(p));
	check_store(p, 2, 2);
}

/* More than can wait: events are lost, the state is not. */
static void one_that_falls_behind(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *words = malloc(1 << 20);
	struct json_object *doc = json_object_new_object();

	start(p, NULL);
	learn(p, 1);
	memset(words, 'x', (1 << 20) - 1);
	words[(1 << 20) - 1] = '\0';
	for (int i = 0; i < 20; i++) {
		struct json_object *event =
			pme_event_new(i + 1, PME_EVENT_HEALTH, PME_EVENT_INFO, words);

		pmed_keeper_event(&p->d, event);
		json_object_put(event);
	}
	learn(p, 2);
	while (turn())
		;
	pmed_keeper_json(&p->d, doc);
	assert_true(pme_json_get_number(pme_json_get(doc, "store"), "fell_behind") > 0);
	assert_int_equal(pme_json_get_number(pme_json_get(doc, "store"), "waiting_bytes"), 0);
	json_object_put(doc);
	{
		struct json_object *rows;
		struct pme_store *store;

		assert_int_equal(pme_store_open_read(p->d.conf.store.path, &store), 0);
		assert_int_equal(pme_store_load(store, &rows), 0);
		assert_int_equal(pme_json_count(pme_json_get(rows, "findings")), 2);
		json_object_put(rows);
		pme_store_close(store);
	}
}

static void write_noise(const char *path)
{
	char noise[8192];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	memset(noise, 0xa5, sizeof(noise));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, noise, sizeof(noise)), sizeof(noise));
	close(fd);
}

static void noise_over_the_store(void **state)
{
	struct place *p = *state;

	start(p, NULL);
	learn(p, 1);
	assert_true(turn());
	write_noise(p->d.conf.store.path);
	learn(p, 2);
	assert_true(turn());
	assert_false(is_ok(p));
	wait_for_item(p);
	assert_true(turn());
	assert_true(is_ok(p));
	check_store(p, 2, 1);
	while (!lane.told)
		assert_true(sd_event_run(p->d.loop, 1000000) > 0);
	assert_string_equal(pme_json_get_text(lane.told, "type"), "store-replaced");
}

static int64_t first_seen(struct json_object *rows, size_t i)
{
	return (int64_t)pme_json_get_number(pme_json_at(pme_json_get(rows, "findings"), i),
					    "first_seen");
}

/* Rows that the state never got are not gone, nor is what it meets again new. */
static void one_that_could_not_be_read_at_the_start(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *away = pme_printf("%s.away", p->d.conf.store.path);
	struct json_object *before, *rows = NULL;

	start(p, NULL);
	learn(p, 1);
	learn(p, 2);
	pmed_keeper_stop(&p->d);
	start(p, &before);
	pmed_keeper_stop(&p->d);
	assert_int_equal(rename(p->d.conf.store.path, away), 0);
	assert_int_equal(mkdir(p->d.conf.store.path, 0700), 0);
	p->d.state = pmed_state_free(p->d.state);
	assert_int_equal(pmed_state_new(&p->d.state), 0);
	start(p, &rows);
	assert_null(rows);
	learn(p, 1);
	assert_int_equal(rmdir(p->d.conf.store.path), 0);
	assert_int_equal(rename(away, p->d.conf.store.path), 0);
	wait_for_item(p);
	assert_true(turn());
	pmed_keeper_stop(&p->d);
	start(p, &rows);
	assert_int_equal(pme_json_count(pme_json_get(rows, "findings")), 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(first_seen(rows, i), first_seen(before, i));
	json_object_put(before);
	json_object_put(rows);
}

static void one_of_a_newer_version(void **state)
{
	struct place *p = *state;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(p->d.conf.store.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	start(p, NULL);
	while (!lane.told)
		assert_true(sd_event_run(p->d.loop, 1000000) > 0);
	assert_string_equal(pme_json_get_text(lane.told, "type"), "store-replaced");
	assert_non_null(strstr(pme_json_get_text(lane.told, "text"), "written by a newer pmemctl"));
	assert_null(strstr(pme_json_get_text(lane.told, "text"), "damaged"));
}

static void a_store_that_is_taken_away(void **state)
{
	struct place *p = *state;

	start(p, NULL);
	learn(p, 1);
	assert_true(turn());
	assert_int_equal(unlink(p->d.conf.store.path), 0);
	learn(p, 2);
	assert_true(turn());
	assert_false(is_ok(p));
	wait_for_item(p);
	assert_true(turn());
	check_store(p, 2, 1);
}

static void one_that_cannot_be_opened(void **state)
{
	struct place *p = *state;
	struct json_object *rows = NULL;

	assert_int_equal(mkdir(p->d.conf.store.path, 0700), 0);
	start(p, &rows);
	assert_null(rows);
	assert_false(is_ok(p));
	learn(p, 1);
	assert_int_equal(rmdir(p->d.conf.store.path), 0);
	wait_for_item(p);
	assert_true(turn());
	assert_true(is_ok(p));
	check_store(p, 1, 1);
}

/* What comes while the last item is on its way is written, too. */
static void nothing_is_lost_at_the_end(void **state)
{
	struct place *p = *state;

	start(p, NULL);
	learn(p, 1);
	learn(p, 2);
	pmed_keeper_stop(&p->d);
	check_store(p, 2, 2);
}

/* Another path counts from the next start on: until then, what is said is of the file that is kept.
 */
static void a_path_that_is_not_used_yet(void **state)
{
	struct place *p = *state;
	struct json_object *doc = json_object_new_object();
	char *path;

	start(p, NULL);
	path = p->d.conf.store.path;
	p->d.conf.store.path = pme_printf("%s/other.db", p->dir);
	pmed_keeper_reload(&p->d);
	pmed_keeper_json(&p->d, doc);
	assert_string_equal(pme_json_get_text(pme_json_get(doc, "store"), "path"), path);
	json_object_put(doc);
	free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_comes_meanwhile_waits),
		TEST(what_was_known_is_known_again),
		TEST(a_store_that_fails_for_a_while),
		TEST(one_that_falls_behind),
		TEST(noise_over_the_store),
		TEST(a_store_that_is_taken_away),
		TEST(one_that_could_not_be_read_at_the_start),
		TEST(one_of_a_newer_version),
		TEST(one_that_cannot_be_opened),
		TEST(nothing_is_lost_at_the_end),
		TEST(a_path_that_is_not_used_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
