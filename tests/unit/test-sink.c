/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of daemon/sink.c, with two made-up sinks: what each gets, what is recorded, and that
 * failing is told once, to the other one.
 */
#include "check.h"
#include "keeper.h"
#include "sink-events.h"
#include "sink.h"

/* What the sinks "left" and "right" got, and what shall become of it. */
struct taker {
	char *got;	 /* "finding-added:17 " */
	int result;	 /* of start() */
	const char *why; /* the outcome */
	int64_t last;
	bool later; /* no outcome yet */
	bool stale;
	unsigned int starts, stops, refreshed;
};
static struct taker left, right;
static char *outcomes; /* "left:delivered " */
static uint64_t now;

static struct taker *taker_of(const struct pmed_sink *sink)
{
	return strcmp(sink->kind->name, "left") == 0 ? &left : &right;
}

static int start(struct pmed_sink *sink, char **ret_reason)
{
	struct taker *taker = taker_of(sink);

	taker->starts++;
	if (taker->result < 0)
		*ret_reason = pme_printf("no paper");
	return taker->result;
}

static int deliver(struct pmed_sink *sink, struct json_object *event, const char *text)
{
	struct taker *taker = taker_of(sink);
	struct json_object *detail = pme_json_get(event, "detail");
	_cleanup_free_ char *word = NULL;

	taker->last = (int64_t)pme_json_get_number(event, "id");
	assert_non_null(strstr(text, "pmemctl.event"));
	word = pme_printf("%s+%llu", pme_json_get_text(event, "type"),
			  (unsigned long long)pme_json_get_number(detail, "suppressed"));
	words_add(&taker->got, word);
	if (!taker->later)
		pmed_sink_outcome(sink, NULL, taker->last, taker->why);
	return 0;
}

static bool wants(const struct pmed_sink *sink, enum pme_event_severity severity)
{
	return severity <= PME_EVENT_WARNING;
}

static bool stale(const struct pmed_sink *sink)
{
	return taker_of(sink)->stale;
}

static void refresh(struct pmed_sink *sink)
{
	taker_of(sink)->refreshed++;
}

static void stop(struct pmed_sink *sink)
{
	taker_of(sink)->stops++;
}

static const struct pmed_sink_kind kind_left = {
	.name = "left",
	.limited = true,
	.start = start,
	.deliver = deliver,
	.refresh = refresh,
	.stale = stale,
	.stop = stop,
};

static const struct pmed_sink_kind kind_right = {
	.name = "right",
	.start = start,
	.wants = wants,
	.deliver = deliver,
	.stale = stale,
	.stop = stop,
};

const struct pmed_sink_kind *const pmed_sink_kinds[] = {&kind_left, &kind_right, NULL};

void __wrap_pmed_tell(struct pmed *d, struct json_object *event);
void __wrap_pmed_tell(struct pmed *d, struct json_object *event)
{
	pmed_sinks_deliver(d, event);
	json_object_put(event);
}

void __wrap_pmed_keeper_keep(struct pmed *d, struct json_object *changes);
void __wrap_pmed_keeper_keep(struct pmed *d, struct json_object *changes)
{
	struct json_object *row = pme_json_get(pme_json_at(changes, 0), "row");
	_cleanup_free_ char *word = NULL;

	assert_string_equal(pme_json_get_text(pme_json_at(changes, 0), "table"), "outcomes");
	assert_true(pme_json_get_number(row, "event") > 0);
	assert_true(pme_json_get_number(row, "time") > 0);
	word = pme_printf("%s:%s", pme_json_get_text(row, "sink"),
			  pme_json_get(row, "error") ? pme_json_get_text(row, "error")
						     : "delivered");
	words_add(&outcomes, word);
	json_object_put(changes);
}

uint64_t __wrap_pmed_clock(void);
uint64_t __wrap_pmed_clock(void)
{
	return now;
}

static struct pmed watch;

static int begin(void **state)
{
	left = right = (struct taker){.result = 1};
	now = 1;
	watch = (struct pmed){.conf.rate = {.burst = 2, .interval = 60000}};
	assert_int_equal(sd_event_new(&watch.loop), 0);
	return 0;
}

static int end(void **state)
{
	pmed_sinks_stop(&watch);
	sd_event_unref(watch.loop);
	free(left.got);
	free(right.got);
	free(outcomes);
	outcomes = NULL;
	return 0;
}

static void started(void)
{
	assert_int_equal(pmed_sinks_start(&watch), 0);
}

static void tell(enum pme_event_type type, enum pme_event_severity severity, const char *text)
{
	struct json_object *event = pme_event_new(pmed_event_id(&watch), type, severity, text);

	pmed_sinks_deliver(&watch, event);
	json_object_put(event);
}

static const struct json_object *sink_json(struct json_object *doc, size_t i)
{
	pmed_sinks_json(&watch, doc);
	return pme_json_at(pme_json_get(doc, "sinks"), i);
}

static void assert_counts(size_t i, uint64_t delivered, uint64_t failed, uint64_t suppressed,
			  const char *reason)
{
	struct json_object *doc = pme_json_object();
	struct json_object *sink = (struct json_object *)sink_json(doc, i);

	assert_int_equal(pme_json_get_number(sink, "delivered"), delivered);
	assert_int_equal(pme_json_get_number(sink, "failed"), failed);
	assert_int_equal(pme_json_get_number(sink, "suppressed"), suppressed);
	assert_string_equal(pme_json_get_text(sink, "reason"), reason);
	json_object_put(doc);
}

static void all_that_want_it_get_it(void **state)
{
	started();
	tell(PME_EVENT_HEALTH, PME_EVENT_WARNING, "spares");
	tell(PME_EVENT_HEALTH, PME_EVENT_NOTICE, "fine");
	assert_string_equal(left.got, "health+0 health+0 ");
	assert_string_equal(right.got, "health+0 ");
	assert_string_equal(outcomes, "left:delivered right:delivered left:delivered ");
	assert_counts(0, 2, 0, 0, "");
	assert_counts(1, 1, 0, 0, "");
}

static void the_same_is_told_once(void **state)
{
	struct json_object *event = pme_event_new(7, PME_EVENT_CXL, PME_EVENT_ERROR, "x");

	started();
	pmed_sinks_deliver(&watch, event);
	pmed_sinks_deliver(&watch, event);
	pme_json_set(event, "id", pme_json_int(8));
	pmed_sinks_deliver(&watch, event);
	json_object_put(event);
	assert_string_equal(left.got, "cxl+0 ");
	assert_counts(0, 1, 0, 1, "");
}

static void a_burst_is_cut_and_its_rest_is_counted(void **state)
{
	started();
	for (int i = 0; i < 10000; i++) {
		_cleanup_free_ char *text = pme_printf("failure %d", i);

		tell(PME_EVENT_MEMORY_FAILURE, PME_EVENT_NOTICE, text);
	}
	assert_string_equal(left.got, "memory-failure+0 memory-failure+0 ");
	now += 60ULL * 1000000;
	while (!strstr(left.got, "9998"))
		assert_true(sd_event_run(watch.loop, 10 * 1000000) > 0);
	assert_string_equal(left.got, "memory-failure+0 memory-failure+0 memory-failure+9998 ");
	assert_counts(0, 3, 0, 9998, "");
	tell(PME_EVENT_MEMORY_FAILURE, PME_EVENT_NOTICE, "one more");
	assert_counts(0, 4, 0, 9998, "");
}

static void what_was_suppressed_is_counted_at_the_end(void **state)
{
	_cleanup_free_ char *said = NULL;

	started();
	assert_null(pmed_sinks_suppressed(&watch));
	for (int i = 0; i < 5; i++) {
		_cleanup_free_ char *text = pme_printf("failure %d", i);

		tell(PME_EVENT_CXL, PME_EVENT_NOTICE, text);
	}
	said = pmed_sinks_suppressed(&watch);
	assert_string_equal(said, "3 events for left");
	pmed_sinks_stop(&watch);
	assert_string_equal(left.got, "cxl+0 cxl+0 ");
}

static void failing_is_told_once_to_the_other(void **state)
{
	watch.conf.rate.burst = 9;
	started();
	left.why = "no ink";
	for (int i = 0; i < 2; i++)
		tell(i ? PME_EVENT_CXL : PME_EVENT_HEALTH, PME_EVENT_ERROR, "x");
	assert_string_equal(left.got, "health+0 cxl+0 ");
	assert_string_equal(right.got, "sink-failed+0 health+0 cxl+0 ");
	assert_counts(0, 0, 2, 0, "no ink");
	left.why = NULL;
	tell(PME_EVENT_HEALTH, PME_EVENT_ERROR, "x");
	assert_counts(0, 1, 2, 0, "");
	left.why = "no paper";
	tell(PME_EVENT_HEALTH, PME_EVENT_ERROR, "z");
	assert_string_equal(right.got, "sink-failed+0 health+0 cxl+0 sink-failed+0 health+0 ");
}

static void two_that_fail_do_not_talk_for_ever(void **state)
{
	started();
	left.why = right.why = "no ink";
	tell(PME_EVENT_HEALTH, PME_EVENT_ERROR, "x");
	/* left fails, right is told so and fails: no event of that one. */
	assert_string_equal(left.got, "health+0 ");
	assert_string_equal(right.got, "sink-failed+0 health+0 ");
	assert_string_equal(outcomes, "left:no ink right:no ink right:no ink ");
}

/* It comes again for the sink that did not get it. */
static void a_failure_is_no_delivery(void **state)
{
	started();
	left.later = true;
	tell(PME_EVENT_CXL, PME_EVENT_NOTICE, "x");
	tell(PME_EVENT_CXL, PME_EVENT_NOTICE, "x");
	assert_string_equal(left.got, "cxl+0 ");
	pmed_sink_outcome((struct pmed_sink *)watch.sinks, "part", left.last, "late");
	assert_string_equal(outcomes, "left:suppressed: it was told already left/part:late "
				      "right:delivered ");
	assert_counts(0, 0, 1, 1, "part: late");
	tell(PME_EVENT_CXL, PME_EVENT_NOTICE, "x");
	assert_string_equal(left.got, "cxl+0 cxl+0 ");
}

static void one_that_cannot_start_is_told_to_the_other(void **state)
{
	left.result = -ENOENT;
	started();
	tell(PME_EVENT_HEALTH, PME_EVENT_ERROR, "x");
	assert_null(left.got);
	assert_string_equal(right.got, "sink-failed+0 health+0 ");
	assert_counts(0, 0, 0, 0, "no paper");
	left.result = 1;
	assert_int_equal(pmed_sinks_reload(&watch), 0);
	assert_counts(0, 0, 0, 0, "");
	tell(PME_EVENT_HEALTH, PME_EVENT_ERROR, "y");
	assert_string_equal(left.got, "health+0 ");
}

/* The run before ended in the midst: each sink gets what it did not, and nothing twice. */
static void what_was_not_told_is_told(void **state)
{
	static const struct {
		int64_t id;
		const char *sinks, *text;
	} rows[] = {{7, "[\"left\",\"right\"]", "a"},
		    {8, "[\"right/part\",\"leftover\",1]", "b"},
		    {9, "[]", "c"},
		    {9, "7", "c"}};
	struct json_object *untold = pme_json_array(), *event;

	for (size_t i = 0; i < PME_ARRAY_SIZE(rows); i++) {
		struct json_object *row = pme_json_object();

		pme_json_set(
			row, "event",
			pme_event_new(rows[i].id, PME_EVENT_CXL, PME_EVENT_ERROR, rows[i].text));
		pme_json_set(row, "sinks", json_tokener_parse(rows[i].sinks));
		pme_json_append(untold, row);
	}
	pme_json_append(untold, json_object_new_string("noise"));
	watch.conf.rate.burst = 9;
	started();
	pmed_sinks_again(&watch, untold);
	json_object_put(untold);
	assert_string_equal(left.got, "cxl+0 cxl+0 ");
	assert_string_equal(right.got, "cxl+0 ");
	/* They know it now: the same is not told again. */
	event = pme_event_new(10, PME_EVENT_CXL, PME_EVENT_ERROR, "c");
	pmed_sinks_deliver(&watch, event);
	json_object_put(event);
	assert_string_equal(right.got, "cxl+0 ");
}

static void one_that_is_off_gets_nothing(void **state)
{
	left.result = 0;
	started();
	tell(PME_EVENT_HEALTH, PME_EVENT_ERROR, "x");
	pmed_sinks_refresh(&watch);
	assert_null(left.got);
	assert_int_equal(left.refreshed, 0);
	assert_string_equal(right.got, "health+0 ");
}

static void a_reload_leaves_alone_what_stays(void **state)
{
	started();
	pmed_sinks_refresh(&watch);
	right.stale = true;
	watch.conf.rate.burst = 1;
	assert_int_equal(pmed_sinks_reload(&watch), 0);
	assert_int_equal(left.starts, 1);
	assert_int_equal(right.starts, 2);
	assert_int_equal(right.stops, 1);
	assert_int_equal(left.refreshed, 1);
	tell(PME_EVENT_HEALTH, PME_EVENT_ERROR, "x");
	tell(PME_EVENT_HEALTH, PME_EVENT_ERROR, "y");
	assert_string_equal(left.got, "health+0 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(all_that_want_it_get_it),
		TEST(the_same_is_told_once),
		TEST(a_burst_is_cut_and_its_rest_is_counted),
		TEST(what_was_suppressed_is_counted_at_the_end),
		TEST(failing_is_told_once_to_the_other),
		TEST(two_that_fail_do_not_talk_for_ever),
		TEST(a_failure_is_no_delivery),
		TEST(one_that_cannot_start_is_told_to_the_other),
		TEST(what_was_not_told_is_told),
		TEST(one_that_is_off_gets_nothing),
		TEST(a_reload_leaves_alone_what_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
