/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/store*.c: rows and events that are kept, asked for and forgotten, rows of nonsense among
 * them.
 */
#include "store-place.h"

#include "store-private.h"

static void rows_are_kept(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *text = NULL;
	int64_t first;

	open_it(p);
	assert_null(p->moved);
	assert_int_equal(apply(p, "[" DEVICE "," FINDING "," INCIDENT "]"), 0);
	assert_int_equal(apply(p, "[{'table':'findings','row':{'id':'01','device':'ns:a',"
				  "'last_seen':8}}]"),
			 0);
	open_it(p);
	assert_null(p->moved);
	text = load_text(p);
	assert_non_null(strstr(text, "\"dimms\":[\"nmem0\"]"));
	assert_non_null(strstr(text, "\"first_seen\":5,\"last_seen\":8"));
	assert_non_null(strstr(text, "\"cause\":\"findings\""));
	assert_int_equal(pme_store_first_seen(p->store, "01", &first), 0);
	assert_int_equal(first, 5);
	assert_int_equal(pme_store_first_seen(p->store, "02", &first), -ENOENT);
}

/* The last sample of each DIMM, as what it was. */
static void health_is_kept(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *text = NULL;

	open_it(p);
	assert_int_equal(apply(p, "[{'table':'health','row':{'dimm':'nmem0','time':5,'sample':"
				  "{'name':'nmem0','dirty_shutdowns':3}}},"
				  "{'table':'health','row':{'dimm':'nmem0','time':6,'sample':"
				  "{'name':'nmem0','dirty_shutdowns':4}}}]"),
			 0);
	text = load_text(p);
	assert_non_null(strstr(text, "\"health\":[{\"dimm\":\"nmem0\",\"time\":6,\"sample\":{"
				     "\"name\":\"nmem0\",\"dirty_shutdowns\":4}}]"));
}

#define EVENT(id, type) \
	"{'table':'events','row':{'id':" id ",'type':'" type "','severity':'error','text':'x'}}"
#define OUTCOME(event, sink, error) \
	"{'table':'outcomes','row':{'event':" event ",'sink':'" sink "','error':" error "}}"

/* The last events, with who knows them: what was dropped at the end was not told. */
static void who_knows_what(void **state)
{
	static const char *const rows[] = {
		EVENT("1", "cxl"),
		EVENT("3600000009", "health"),
		EVENT("3600000010", "watch-stopped"),
		EVENT("3600000011", "cxl"),
		OUTCOME("3600000009", "journal", "null"),
		OUTCOME("3600000009", "hooks/a", "'no luck'"),
		OUTCOME("3600000009", "mail", "'dropped: the watch ended'"),
	};
	_cleanup_free_ char *changes = strdup("[");
	struct place *p = *state;
	struct json_object *loaded, *untold, *sinks;

	for (size_t i = 0; i < PME_ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *before = changes;

		changes = pme_printf("%s%s%s", before, rows[i],
				     i + 1 < PME_ARRAY_SIZE(rows) ? "," : "]");
	}
	open_it(p);
	assert_int_equal(apply(p, changes), 0);
	assert_int_equal(pme_store_load(p->store, &loaded), 0);
	untold = pme_json_get(loaded, "untold");
	assert_int_equal(pme_json_count(untold), 2);
	sinks = pme_json_get(pme_json_at(untold, 0), "sinks");
	assert_int_equal(pme_json_count(sinks), 2);
	assert_string_equal(json_object_get_string(pme_json_at(sinks, 0)), "hooks/a");
	assert_string_equal(json_object_get_string(pme_json_at(sinks, 1)), "journal");
	assert_string_equal(
		pme_json_get_text(pme_json_get(pme_json_at(untold, 0), "event"), "type"), "health");
	assert_string_equal(pme_json_get_text(pme_json_at(untold, 0), "dropped"), "[ \"mail\" ]");
	assert_int_equal(pme_json_count(pme_json_get(pme_json_at(untold, 1), "sinks")), 0);
	json_object_put(loaded);
}

static void what_is_not_in_the_whole_is_gone(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *text = NULL;
	int64_t first;

	open_it(p);
	assert_int_equal(apply(p, "[" DEVICE "," FINDING "," INCIDENT "]"), 0);
	assert_int_equal(apply(p, "[{'table':'whole','row':{'time':20}}," DEVICE "]"), 0);
	text = load_text(p);
	assert_non_null(strstr(text, "\"findings\":[]"));
	assert_non_null(strstr(text, "\"incidents\":[]"));
	assert_non_null(strstr(text, "\"present\":1"));
	assert_int_equal(pme_store_first_seen(p->store, "01", &first), -ENOENT);
}

/* All or none. */
static void changes_that_make_no_sense(void **state)
{
	static const char *const changes[] = {
		"[" DEVICE ",7]",
		"[" DEVICE ",{'table':'nothing','row':{}}]",
		"[" DEVICE ",{'table':'devices','row':{'name':'x'}}]",
		"[" DEVICE ",{'table':'devices','row':{'identity':null}}]",
		"[" DEVICE ",{'table':'devices','row':{'identity':'x','b) --':1}}]",
		"[" DEVICE ",{'table':'devices','row':7}]",
		"[" DEVICE ",{'table':'events','row':{}}]",
		"[" DEVICE ",{'table':'events','row':{'id':'x','severity':'info'}}]",
	};
	struct place *p = *state;
	_cleanup_free_ char *text = NULL;

	open_it(p);
	for (size_t i = 0; i < PME_ARRAY_SIZE(changes); i++)
		assert_int_equal(apply(p, changes[i]), -EINVAL);
	text = load_text(p);
	assert_string_equal(text, "{\"devices\":[],\"findings\":[],\"incidents\":[],\"health\":[],"
				  "\"untold\":[]}");
}

static int stop(void *arg, struct json_object *event)
{
	(void)event;
	++*(int *)arg;
	return -EPIPE;
}

static void events_are_filtered(void **state)
{
	struct place *p = *state;
	struct pme_event_filter all = {.type = -1};
	int calls = 0;

	open_it(p);
	put_event(p, 10, PME_EVENT_FINDING_ADDED, PME_EVENT_CRITICAL, "pmem0");
	put_event(p, 20, PME_EVENT_FINDING_GONE, PME_EVENT_NOTICE, "pmem0");
	put_event(p, 30, PME_EVENT_HEALTH, PME_EVENT_WARNING, "pmem1");
	check_ids(p, all, "10 20 30 ");
	check_ids(p, (struct pme_event_filter){.type = -1, .since = 20}, "20 30 ");
	check_ids(p, (struct pme_event_filter){.type = -1, .until = 20}, "10 ");
	check_ids(p, (struct pme_event_filter){.type = -1, .after = 20}, "30 ");
	check_ids(p, (struct pme_event_filter){.type = -1, .limit = 2}, "20 30 ");
	check_ids(p, (struct pme_event_filter){.type = PME_EVENT_HEALTH}, "30 ");
	check_ids(p, (struct pme_event_filter){.type = -1, .severity = PME_EVENT_WARNING},
		  "10 30 ");
	check_ids(p, (struct pme_event_filter){.type = -1, .device = "pmem1"}, "30 ");
	check_ids(p, (struct pme_event_filter){.type = -1, .device = "region0"}, "10 20 30 ");
	check_ids(p, (struct pme_event_filter){.type = -1, .device = "nmem0"}, "10 20 30 ");
	check_ids(p, (struct pme_event_filter){.type = -1, .device = "nmem"}, "");
	check_ids(p, (struct pme_event_filter){.type = -1, .device = "' OR 1 --"}, "");
	assert_int_equal(pme_store_events(p->store, &all, stop, &calls), -EPIPE);
	assert_int_equal(calls, 1);
}

static void what_is_old_is_forgotten(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *text = NULL;

	open_it(p);
	for (int i = 1; i <= 9; i++)
		put_event(p, i * 10, PME_EVENT_HEALTH, PME_EVENT_WARNING, "pmem1");
	assert_int_equal(apply(p, "[" DEVICE "," FINDING "," INCIDENT
				  ",{'table':'incidents','row':{'id':8,'closed':11}},"
				  "{'table':'findings','row':{'id':'02','device':'ns:b',"
				  "'state':'gone','gone':11}},"
				  "{'table':'devices','row':{'identity':'ns:b','present':0,"
				  "'last_seen':11}}]"),
			 0);
	assert_int_equal(pme_store_expire(p->store, 100, 25, 5), 0);
	check_ids(p, (struct pme_event_filter){.type = -1}, "50 60 70 80 90 ");
	text = load_text(p);
	assert_non_null(strstr(text, "ns:a"));
	assert_non_null(strstr(text, "\"id\":9"));
	assert_null(strstr(text, "ns:b"));
	assert_int_equal(pme_store_expire(p->store, 100, 25, 5), 0);
	check_ids(p, (struct pme_event_filter){.type = -1}, "50 60 70 80 90 ");
}

#define MINUTE 60000000LL
#define DAY (1440 * MINUTE)

/* Samples of a week are whole; of each day before, the first one of each DIMM stays. */
static void samples_are_thinned_out(void **state)
{
	struct place *p = *state;
	int64_t count;

	open_it(p);
	for (int64_t t = 0; t < 20 * 48; t++) {
		long long time = (long long)(100 * DAY + t * 30 * MINUTE);
		_cleanup_free_ char *rows =
			pme_printf("[{'table':'health','row':{'dimm':'a','time':%lld,'sample':{}}},"
				   "{'table':'health','row':{'dimm':'b','time':%lld,'sample':{}}}]",
				   time, time);

		assert_int_equal(apply(p, rows), 0);
	}
	for (int again = 0; again < 2; again++) {
		assert_int_equal(pme_store_expire(p->store, 120 * DAY - 30 * MINUTE, 0, 0), 0);
		assert_int_equal(pme_store_number(p->store, "SELECT count(*) FROM health", &count),
				 0);
		/* the last one is of 23:30 on the twentieth day: a week before is 23:30, too */
		assert_int_equal(count, 2 * (7 * 48 + 1 + 13));
	}
}

/* Rows of somebody else: no JSON, wrong types, wrong bytes. */
static void rows_of_nonsense(void **state)
{
	struct place *p = *state;
	struct json_object *rows;

	open_it(p);
	assert_int_equal(
		pme_store_exec(
			p->store,
			"INSERT INTO devices(identity, name, dimms, present) VALUES"
			" ('a', x'00ff', '[1,', 1), ('b', 7, 'null', 1), ('c', 'x', '{}', 'yes');"
			"INSERT INTO findings(id, device, state, finding) VALUES"
			" ('1', 'a', 'present', '{'), ('2', 'z', 7, x'80');"
			"INSERT INTO events(id, severity, event) VALUES (1, 2, '{'), (2, 2, '[]'),"
			" (3, 2, '{\"id\":\"x\"}'), (4, 2, x'ff'), (5, 2, NULL),"
			" (6, 2, '{\"id\":6,\"text\":\"good\"}')"),
		0);
	check_ids(p, (struct pme_event_filter){.type = -1}, "6 ");
	assert_int_equal(pme_store_load(p->store, &rows), 0);
	assert_int_equal(pme_json_count(pme_json_get(rows, "devices")), 3);
	json_object_put(rows);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(rows_are_kept),
		TEST(health_is_kept),
		TEST(who_knows_what),
		TEST(what_is_not_in_the_whole_is_gone),
		TEST(changes_that_make_no_sense),
		TEST(events_are_filtered),
		TEST(what_is_old_is_forgotten),
		TEST(samples_are_thinned_out),
		TEST(rows_of_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
