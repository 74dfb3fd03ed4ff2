/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of daemon/sink-repeat.c: what counts as said already, and when it is news again.
 */
#include "check.h"
#include "sink-events.h"
#include "sink-repeat.h"

#define MINUTE (60ULL * 1000000)
#define ADDED PME_EVENT_FINDING_ADDED
#define GONE PME_EVENT_FINDING_GONE
#define CHANGED PME_EVENT_FINDING_CHANGED

static int64_t last_id;

/* Is it a repetition of something that sink 0 knows?  Else it is told to it. */
static bool take(struct pmed_repeat *repeat, struct json_object *event, uint64_t now)
{
	int64_t id = (int64_t)pme_json_get_number(event, "id");
	unsigned int told = 0;

	assert_int_equal(pmed_repeat_look(repeat, event, now, &told), 0);
	if (!(told & 1))
		pmed_repeat_told(repeat, id, 1);
	json_object_put(event);
	return told & 1;
}

static bool repeats(struct pmed_repeat *repeat, enum pme_event_type type, const char *findings,
		    uint64_t now)
{
	return take(repeat, event_of(++last_id, type, "ns:1", findings), now);
}

static struct pmed_repeat *new_repeat(void)
{
	struct pmed_repeat *repeat = NULL;

	assert_int_equal(pmed_repeat_new(&repeat), 0);
	return repeat;
}

static void an_id_comes_once(void **state)
{
	struct pmed_repeat *repeat = new_repeat();
	struct json_object *event = event_of(++last_id, ADDED, "ns:1", "1:lost");
	unsigned int told = 0;

	assert_int_equal(pmed_repeat_look(repeat, event, 1, &told), 0);
	assert_int_equal(pmed_repeat_look(repeat, event, 1, &told), -EALREADY);
	json_object_put(event);
	pmed_repeat_free(repeat);
}

static void the_same_is_said_once_an_hour(void **state)
{
	struct pmed_repeat *repeat = new_repeat();

	assert_false(repeats(repeat, ADDED, "1:lost 2:lost", 0));
	assert_true(repeats(repeat, ADDED, "1:lost 2:lost", MINUTE));
	assert_true(repeats(repeat, ADDED, "1:lost 2:lost", 59 * MINUTE));
	assert_false(repeats(repeat, ADDED, "1:lost 2:lost", 60 * MINUTE));
	assert_true(repeats(repeat, ADDED, "1:lost 2:lost", 61 * MINUTE));
	pmed_repeat_free(repeat);
}

static void other_contents_are_news(void **state)
{
	struct pmed_repeat *repeat = new_repeat();
	struct json_object *event;

	assert_false(repeats(repeat, ADDED, "1:lost", 0));
	assert_false(repeats(repeat, ADDED, "2:lost", 0));
	assert_false(repeats(repeat, ADDED, "1:recoverable", 0));
	assert_false(take(repeat, event_of(++last_id, ADDED, "ns:2", "1:recoverable"), 0));
	assert_true(repeats(repeat, ADDED, "2:lost", 0));
	event = event_of(++last_id, ADDED, "ns:1", "2:lost");
	event_add_file(event, "/srv/a");
	assert_false(take(repeat, event, 0));
	pmed_repeat_free(repeat);
}

static void what_was_taken_back_is_news(void **state)
{
	struct pmed_repeat *repeat = new_repeat();

	assert_false(repeats(repeat, ADDED, "1:lost 2:lost", 0));
	assert_false(repeats(repeat, GONE, "2:lost 3:lost", 1));
	assert_false(repeats(repeat, ADDED, "1:lost 2:lost", 2));
	assert_false(repeats(repeat, CHANGED, "1:lost", 3));
	assert_false(repeats(repeat, CHANGED, "1:recoverable", 4));
	assert_false(repeats(repeat, CHANGED, "1:lost", 5));
	assert_true(repeats(repeat, CHANGED, "1:lost", 6));
	pmed_repeat_free(repeat);
}

static void devices_come_and_go(void **state)
{
	struct pmed_repeat *repeat = new_repeat();

	for (int i = 0; i < 3; i++) {
		assert_false(repeats(repeat, PME_EVENT_DEVICE_OFFLINE, NULL, i));
		assert_true(repeats(repeat, PME_EVENT_DEVICE_OFFLINE, NULL, i));
		assert_false(repeats(repeat, PME_EVENT_DEVICE_ONLINE, NULL, i));
	}
	pmed_repeat_free(repeat);
}

/* Without findings the words count: two addresses are two failures. */
static void details_count_where_there_are_no_findings(void **state)
{
	struct pmed_repeat *repeat = new_repeat();

	for (int i = 0; i < 4; i++) {
		struct json_object *event =
			event_of(++last_id, PME_EVENT_MEMORY_FAILURE, "ns:1", NULL);

		pme_json_number(pme_json_get(event, "detail"), "pfn", i / 2);
		assert_int_equal(take(repeat, event, i), i % 2);
	}
	pmed_repeat_free(repeat);
}

static void each_sink_is_told_for_itself(void **state)
{
	struct pmed_repeat *repeat = new_repeat();
	struct json_object *event;
	int64_t first = last_id + 1;
	unsigned int told = 0;

	assert_false(repeats(repeat, ADDED, "1:lost", 0));
	event = event_of(++last_id, ADDED, "ns:1", "1:lost");
	assert_int_equal(pmed_repeat_look(repeat, event, 0, &told), 0);
	assert_int_equal(told, 1);
	json_object_put(event);
	pmed_repeat_told(repeat, last_id, 2);
	/* The first one never arrived: it is news again for that sink, not for the other. */
	pmed_repeat_untold(repeat, first, 1);
	event = event_of(++last_id, ADDED, "ns:1", "1:lost");
	assert_int_equal(pmed_repeat_look(repeat, event, 0, &told), 0);
	assert_int_equal(told, 2);
	json_object_put(event);
	pmed_repeat_free(repeat);
}

static void much_is_forgotten_not_mixed_up(void **state)
{
	struct pmed_repeat *repeat = new_repeat();

	assert_false(repeats(repeat, ADDED, "old:lost", 0));
	for (int i = 0; i < 1000; i++) {
		_cleanup_free_ char *findings = pme_printf("%d:lost %d:lost", i, i + 10000);

		assert_false(repeats(repeat, ADDED, findings, 1));
		assert_true(repeats(repeat, ADDED, findings, 1));
	}
	assert_false(repeats(repeat, ADDED, "old:lost", 2));
	pmed_repeat_free(repeat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_comes_once),
		cmocka_unit_test(the_same_is_said_once_an_hour),
		cmocka_unit_test(other_contents_are_news),
		cmocka_unit_test(what_was_taken_back_is_news),
		cmocka_unit_test(devices_come_and_go),
		cmocka_unit_test(details_count_where_there_are_no_findings),
		cmocka_unit_test(each_sink_is_told_for_itself),
		cmocka_unit_test(much_is_forgotten_not_mixed_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
