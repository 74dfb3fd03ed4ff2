/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/state-coverage.c, state-reason.c: what could not be seen is told once as a gap, once more
 * for each other reason, and hides nothing else; a device that is absent for a reason is not gone.
 */
#include "state-watch.h"

/* An empty list of a failing libndctl is no removal; nor is a device that could not be read. */
static void absent_with_a_reason(void **state)
{
	static const char *const messages[] = {
		"{'severity':'warning','subject':'libndctl','text':'cannot be started'}",
		"{'severity':'error','subject':'x','text':'y'}",
		"{'severity':'warning','subject':'pmem0','text':'cannot read its size'}",
		"{'severity':'warning','subject':'namespace0.0','text':'x'}",
		"{'severity':'warning','subject':'region0','text':'x'}",
	};
	struct watch *w = *state;
	_cleanup_free_ char *region = region_text("complete");

	scan(w, "complete", "complete", "");
	for (size_t i = 0; i < PME_ARRAY_SIZE(messages); i++) {
		_cleanup_free_ char *words = NULL;

		assert_int_equal(list_doc(w, messages[i], region), 0);
		words = event_words(&w->news);
		assert_null(words ? strstr(words, "device-offline") : NULL);
	}
	assert_int_equal(list_doc(w, "{'severity':'warning','subject':'pmem9','text':'x'}", region),
			 0);
	check_events(w, "device-offline:notice coverage-complete:notice ");
}

/* Nothing else that is not known of the region hides it. */
static void a_list_that_cannot_be_read(void **state)
{
	static const char trouble[] = "{'severity':'warning','subject':'dm-0','text':'x'}";
	struct watch *w = *state;
	_cleanup_free_ char *bad = disk_text("pmem0", "ns:a", "unreadable");
	_cleanup_free_ char *good = disk_text("pmem0", "ns:a", "complete");
	_cleanup_free_ char *region = region_text("complete");

	assert_int_equal(scan_doc(w, "incomplete", trouble, good, ""), 0);
	check_events(w, "coverage-incomplete:warning ");
	assert_int_equal(scan_doc(w, "incomplete", trouble, bad, ""), 0);
	check_events(w, "coverage-incomplete:warning ");
	assert_string_equal(pme_json_get_text(event_at(w, 0), "text"),
			    "the list of bad blocks of pmem0 is not complete: it cannot be read");
	assert_int_equal(scan_doc(w, "incomplete", trouble, bad, ""), 0);
	check_events(w, "");
	assert_int_equal(count_incidents(w), 2);
	assert_int_equal(scan_doc(w, "incomplete", trouble, good, ""), 0);
	check_events(w, "coverage-complete:notice ");
	assert_int_equal(scan_doc(w, "incomplete", trouble, bad, ""), 0);
	assert_int_equal(list_doc(w, "", region), 0);
	check_events(w, "device-offline:notice coverage-complete:notice ");
	assert_int_equal(count_incidents(w), 1);
}

/* Of a region of an earlier run that is not there any more nobody will say that it works again. */
static void gaps_of_a_region_that_is_gone(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *region = region_text("complete");

	for (int i = 0; i < 4; i++)
		assert_int_equal(pmed_state_job(w->state, i % 2 ? "scan" : "snapshot",
						i < 2 ? "region0" : "region1", "killed", 500,
						&w->last_id, &w->news),
				 0);
	assert_int_equal(
		pmed_state_job(w->state, "inventory", NULL, "killed", 500, &w->last_id, &w->news),
		0);
	assert_int_equal(count_incidents(w), 5);
	assert_int_equal(list_doc(w, "{'severity':'warning','subject':'libndctl','text':'x'}", ""),
			 0);
	assert_int_equal(count_incidents(w), 6);
	assert_int_equal(list_doc(w, "", region), 0);
	check_events(w, "coverage-complete:notice coverage-complete:notice "
			"coverage-complete:notice ");
	assert_string_equal(pme_json_get_text(event_at(w, 0), "text"),
			    "region1 is gone: what could not be seen of it is no gap now");
	assert_int_equal(count_incidents(w), 3);
}

#define REGION_SAYS "{'severity':'warning','subject':'region0','text':'1 of 2 DIMMs'}"

/* A full list of bad blocks is no reason that a namespace is not there; other troubles may be. */
static void absent_from_a_region_with_trouble(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *region = region_text("complete"), *full = region_text("full");
	_cleanup_free_ char *disk = disk_text("pmem0", "ns:a", "complete");
	_cleanup_free_ char *both = pme_printf("%s,%s", disk, region);

	assert_int_equal(list_doc(w, "", both), 0);
	assert_int_equal(list_doc(w, REGION_SAYS, region), 0);
	check_events(w, "coverage-incomplete:warning ");
	assert_string_equal(pme_json_get_text(event_at(w, 0), "text"),
			    "what is known of pmem0 is not complete: it is not seen any more, but "
			    "it is not certain that it is gone: region0: 1 of 2 DIMMs");
	assert_int_equal(count_incidents(w), 1);
	assert_int_equal(list_doc(w, REGION_SAYS, region), 0);
	check_events(w, "");
	assert_int_equal(list_doc(w, REGION_SAYS, both), 0);
	check_events(w, "coverage-complete:notice ");
	assert_int_equal(list_doc(w, REGION_SAYS, region), 0);
	check_events(w, "coverage-incomplete:warning ");
	assert_int_equal(list_doc(w, REGION_SAYS, full), 0);
	check_events(w, "device-offline:notice coverage-complete:notice ");
	assert_int_equal(count_incidents(w), 0);
}

/* What may only be out of sight is kept, but not for ever: a message may last for months. */
static void those_that_are_never_certain_to_be_gone(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *region = region_text("complete");
	size_t forgotten = 0, written = 0;

	for (unsigned int i = 0; i < 600; i++) {
		const char *changes;
		_cleanup_free_ char *identity = pme_printf("ns:%u", i), *both = NULL;
		_cleanup_free_ char *disk = disk_text("pmem0", identity, "complete");
		_cleanup_free_ char *words = NULL;

		both = pme_printf("%s,%s", disk, region);
		assert_int_equal(list_doc(w, REGION_SAYS, both), 0);
		words = event_words(&w->news);
		assert_null(words ? strstr(words, "device-offline") : NULL);
		forgotten += words && strstr(words, "device-changed:notice ");
		changes = json_object_to_json_string(w->news.changes);
		written += strstr(changes, "\"present\": 0") != NULL;
	}
	assert_int_equal(forgotten, 600 - 1 - 512);
	assert_int_equal(written, forgotten);
	assert_int_equal(count_incidents(w), 512);
	assert_int_equal(list_doc(w, "{'severity':'info','subject':'region0','text':'x'}", region),
			 0);
	assert_int_equal(count_incidents(w), 0);
}

/* It cannot be identified now: its findings have other ids, and nobody is told nonsense. */
static void a_device_without_its_identity(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 8192, LOST);
	_cleanup_free_ char *same = finding_text(2, "pmem0", 8192, LOST);
	_cleanup_free_ char *nameless = disk_text("pmem0", "name:pmem0", "complete");

	scan(w, "complete", "complete", one);
	assert_int_equal(scan_doc(w, "incomplete",
				  "{'severity':'warning','subject':'pmem0','text':'no identity'}",
				  nameless, same),
			 0);
	check_events(w, "coverage-incomplete:warning ");
	scan(w, "complete", "complete", one);
	check_events(w, "coverage-complete:notice ");
}

static void jobs_fail_once(void **state)
{
	static const struct {
		const char *why, *events;
	} steps[] = {
		{NULL, ""},
		{"killed", "coverage-incomplete:warning "},
		{"killed", ""},
		{"it hangs", "coverage-incomplete:warning "},
		{NULL, "coverage-complete:notice "},
		{NULL, ""},
	};
	struct watch *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(steps); i++) {
		fresh(w);
		assert_int_equal(pmed_state_job(w->state, "scan", "region0", steps[i].why, w->now,
						&w->last_id, &w->news),
				 0);
		check_events(w, steps[i].events);
	}
}

#define WARNS(subject, text) "{'severity':'warning','subject':'" subject "','text':'" text "'}"

/* A scan of pmem0 with these messages; the text of the only incident, in the store. */
static const char *see(struct watch *w, const char *messages)
{
	static char text[512];
	_cleanup_free_ char *disk = disk_text("pmem0", "ns:a", "complete");
	struct json_object *changes;

	assert_int_equal(scan_doc(w, "incomplete", messages, disk, ""), 0);
	changes = pmed_state_rows(w->state, 1);
	for (size_t i = 0; i < pme_json_count(changes); i++) {
		struct json_object *change = pme_json_at(changes, i);

		if (strcmp(pme_json_get_text(change, "table"), "incidents") == 0)
			snprintf(text, sizeof(text), "%s",
				 pme_json_get_text(pme_json_get(change, "row"), "text"));
	}
	json_object_put(changes);
	return text;
}

#define GAP "what is known of region0 is not complete: "
#define TOLD "coverage-incomplete:warning "

/* What the incident says is true now; people are told when it is something else. */
static void a_gap_has_another_reason(void **state)
{
	static const struct {
		const char *messages, *events, *text;
	} steps[] = {
		{WARNS("region0", "x is disabled"), TOLD, GAP "region0: x is disabled"},
		{WARNS("xfs on pmem0", "not mounted"), TOLD, GAP "xfs on pmem0: not mounted"},
		{WARNS("xfs on pmem0", "not mounted"), "", GAP "xfs on pmem0: not mounted"},
		{WARNS("xfs on pmem1", "not mounted"), TOLD, GAP "xfs on pmem1: not mounted"},
		{WARNS("a", "1 of (2) files"), TOLD, GAP "a: 1 of (2) files"},
		{WARNS("a", "7 of (13) files"), "", GAP "a: 7 of (13) files"},
		{WARNS("b", "y") "," WARNS("a", "3 of (2) files"), TOLD,
		 GAP "a: 3 of (2) files; b: y"},
		{WARNS("a", "4 of (2) files") "," WARNS("b", "y") "," WARNS("b", "y"), "",
		 GAP "a: 4 of (2) files; b: y"},
		{WARNS("b", "y") ",{'severity':'error','subject':'z','text':'?'},"
				 "{'severity':'info','subject':'i','text':'!'}",
		 TOLD, GAP "z: ?; b: y"},
		{WARNS("d", "y") "," WARNS("c", "y") "," WARNS("b", "y") "," WARNS("a", "y"), TOLD,
		 GAP "a: y; b: y; c: y (and 1 more)"},
		{"", TOLD, GAP "not all owners are known"},
	};
	struct watch *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(steps); i++) {
		assert_string_equal(see(w, steps[i].messages), steps[i].text);
		check_events(w, steps[i].events);
		assert_int_equal(count_incidents(w), 1);
		if (!*steps[i].events)
			continue;
		assert_string_equal(pme_json_get_text(event_at(w, 0), "text"), steps[i].text);
		assert_int_equal(pme_json_get_number(event_at(w, 0), "incident"), 2000);
	}
	scan(w, "complete", "complete", "");
	check_events(w, "coverage-complete:notice ");
	assert_int_equal(count_incidents(w), 0);
}

/* One that comes and goes is told once in an hour, but the incident is up to date. */
static void reasons_that_come_and_go(void **state)
{
	static const char *const says[] = {WARNS("a", "x"), WARNS("b", "x")};
	struct watch *w = *state;

	for (size_t i = 0; i < 20; i++) {
		assert_string_equal(see(w, says[i % 2]), i % 2 ? GAP "b: x" : GAP "a: x");
		check_events(w, i < 2 ? TOLD : "");
	}
	w->now += 3600000000LL;
	see(w, says[0]);
	check_events(w, TOLD);
	see(w, says[0]);
	check_events(w, "");
}

/* What an earlier run told is not told again. */
static void a_gap_of_an_earlier_run(void **state)
{
	struct watch *w = *state;
	struct json_object *rows = json("{'devices':[],'findings':[],'incidents':[{'id':7,'device':"
					"'job:scan:region0','cause':'coverage','opened':7,"
					"'severity':4,'text':'the scan of region0 is not complete: "
					"signal 11'}]}");

	assert_int_equal(pmed_state_load(w->state, rows), 0);
	json_object_put(rows);
	for (int i = 0; i < 3; i++) {
		fresh(w);
		assert_int_equal(pmed_state_job(w->state, "scan", "region0",
						i < 1 ? "signal 11" : "it hangs", w->now,
						&w->last_id, &w->news),
				 0);
		check_events(w, i == 1 ? TOLD : "");
	}
	assert_int_equal(count_incidents(w), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(absent_with_a_reason),
		TEST(a_list_that_cannot_be_read),
		TEST(gaps_of_a_region_that_is_gone),
		TEST(absent_from_a_region_with_trouble),
		TEST(those_that_are_never_certain_to_be_gone),
		TEST(a_device_without_its_identity),
		TEST(jobs_fail_once),
		TEST(a_gap_has_another_reason),
		TEST(reasons_that_come_and_go),
		TEST(a_gap_of_an_earlier_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
