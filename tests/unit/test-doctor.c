/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/doctor-watch.c, doctor-look-keep.c, doctor-checks.c: each rule about the store, the
 * configuration and the watch each way; the watch's document in a made-up root; and the document of
 * all rows.
 */
#include "doc.h"
#include "doctor-rows.h"
#include "tree.h"

static void test_store(void **state)
{
	static const struct {
		struct pme_store_facts facts;
		enum pme_result store, repairs;
	} cases[] = {
		{{.unfinished = 0}, PME_RESULT_OK, PME_RESULT_OK},
		{{.unfinished = 2}, PME_RESULT_OK, PME_RESULT_PROBLEM},
		{{.unfinished = PME_UNKNOWN}, PME_RESULT_OK, PME_RESULT_UNKNOWN},
		{{.error = -ENOENT}, PME_RESULT_NONE, PME_RESULT_OK},
		{{.error = -EACCES}, PME_RESULT_UNKNOWN, PME_RESULT_UNKNOWN},
		{{.error = -EUCLEAN}, PME_RESULT_PROBLEM, PME_RESULT_UNKNOWN},
		{{.error = -EPROTO}, PME_RESULT_PROBLEM, PME_RESULT_UNKNOWN},
		{{.watch_says = "no space"}, PME_RESULT_PROBLEM, PME_RESULT_OK},
		{{.watch_says = "", .watch_ok = true}, PME_RESULT_OK, PME_RESULT_OK},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_checks_done) struct pme_checks checks = {0};
		struct pme_store_facts facts = cases[i].facts;

		facts.path = "/store";
		pme_judge_store(&facts, &checks);
		pme_judge_repairs(&facts, &checks);
		assert_int_equal(result_of(&checks, PME_CHECK_STORE), cases[i].store);
		assert_int_equal(result_of(&checks, PME_CHECK_REPAIRS), cases[i].repairs);
	}
}

static void test_configuration(void **state)
{
	static const struct {
		struct pme_conf_facts facts;
		enum pme_result valid, told;
	} cases[] = {
		{{.valid = true, .mail = true}, PME_RESULT_OK, PME_RESULT_OK},
		{{.valid = true, .hooks = 1}, PME_RESULT_OK, PME_RESULT_OK},
		{{.valid = true, .metrics = true}, PME_RESULT_OK, PME_RESULT_OK},
		{{.valid = true, .journal = true}, PME_RESULT_OK, PME_RESULT_ADVICE},
		{{.valid = true, .dbus = true}, PME_RESULT_OK, PME_RESULT_ADVICE},
		{{.valid = true}, PME_RESULT_OK, PME_RESULT_PROBLEM},
		{{.valid = true, .hooks = PME_UNKNOWN}, PME_RESULT_OK, PME_RESULT_UNKNOWN},
		{{.valid = true, .hooks = PME_UNKNOWN, .mail = true}, PME_RESULT_OK, PME_RESULT_OK},
		{{.error = "what?"}, PME_RESULT_PROBLEM, PME_RESULT_UNKNOWN},
		{{.hidden = true}, PME_RESULT_UNKNOWN, PME_RESULT_UNKNOWN},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_checks_done) struct pme_checks checks = {0};

		pme_judge_configuration(&cases[i].facts, &checks);
		pme_judge_notification(&cases[i].facts, &checks);
		assert_int_equal(result_of(&checks, PME_CHECK_CONFIGURATION), cases[i].valid);
		assert_int_equal(result_of(&checks, PME_CHECK_NOTIFICATION), cases[i].told);
	}
}

static void test_watch_life(void **state)
{
	static const struct {
		enum pme_watch_life life;
		bool applies;
		enum pme_result result;
	} cases[] = {
		{PME_WATCH_NONE, true, PME_RESULT_PROBLEM},
		{PME_WATCH_NONE, false, PME_RESULT_NONE},
		{PME_WATCH_OLD, true, PME_RESULT_PROBLEM},
		{PME_WATCH_OLD, false, PME_RESULT_NONE},
		{PME_WATCH_ODD, true, PME_RESULT_PROBLEM},
		{PME_WATCH_HIDDEN, true, PME_RESULT_UNKNOWN},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_checks_done) struct pme_checks checks = {0};
		const struct pme_watch_facts watch = {
			.life = cases[i].life,
			.applies = cases[i].applies,
			.error = -EACCES,
		};

		pme_judge_watch(&watch, &checks);
		assert_int_equal(checks.count, 1);
		assert_int_equal(result_of(&checks, PME_CHECK_WATCH), cases[i].result);
	}
}

/* The document that other tests have: a source that hears, a sink that does not, a hung worker. */
static void test_watch_document(void **state)
{
	static const char text[] =
		"{\"format\": \"pmemctl.watch\", \"format_version\": [1, 0],"
		" \"time\": \"2026-01-02T03:04:05.000000Z\","
		" \"started\": \"2026-01-02T00:00:00.000000Z\","
		" \"sources\": [{\"name\": \"badblocks\", \"about\": \"lists\", \"available\": "
		"true},"
		"  {\"name\": \"traces\", \"available\": false, \"reason\": \"no tracefs\"}],"
		" \"sinks\": [{\"name\": \"mail\", \"on\": true, \"reason\": \"no sendmail\"},"
		"  {\"name\": \"hooks\", \"on\": true, \"failed\": 2},"
		"  {\"name\": \"dbus\", \"on\": false}, {\"name\": \"journal\", \"on\": true}],"
		" \"jobs\": {\"stuck\": [{}], \"regions\": [{\"name\": \"region0\","
		"  \"scan\": {\"failures\": 2, \"reason\": \"hung\"}}, {\"name\": \"region1\"}]}}";
	static const struct {
		enum pme_check_id id;
		const char *subject;
		enum pme_result result;
	} rows[] = {
		{PME_CHECK_WATCH, "pmemctld", PME_RESULT_OK},
		{PME_CHECK_SOURCE, "badblocks", PME_RESULT_OK},
		{PME_CHECK_SOURCE, "traces", PME_RESULT_ADVICE},
		{PME_CHECK_SINK, "mail", PME_RESULT_ADVICE},
		{PME_CHECK_SINK, "hooks", PME_RESULT_ADVICE},
		{PME_CHECK_SINK, "dbus", PME_RESULT_NONE},
		{PME_CHECK_SINK, "journal", PME_RESULT_OK},
		{PME_CHECK_JOBS, "machine", PME_RESULT_PROBLEM},
		{PME_CHECK_JOBS, "region0", PME_RESULT_PROBLEM},
		{PME_CHECK_JOBS, "region1", PME_RESULT_OK},
	};
	_cleanup_(pme_checks_done) struct pme_checks checks = {0};
	struct pme_watch_facts watch;
	struct tree tree;

	tree_init(&tree);
	assert_int_equal(pme_watch_look(&tree.os, NOW, &watch), 0);
	assert_int_equal(watch.life, PME_WATCH_NONE);
	tree_file(&tree, "run/pmemctl/watch.json", "{}");
	assert_int_equal(pme_watch_look(&tree.os, NOW, &watch), 0);
	assert_int_equal(watch.life, PME_WATCH_ODD);
	tree_file(&tree, "run/pmemctl/watch.json", text);
	assert_int_equal(pme_watch_look(&tree.os, NOW + DAY, &watch), 0);
	assert_int_equal(watch.life, PME_WATCH_OLD);
	json_object_put(watch.doc);
	assert_int_equal(pme_watch_look(&tree.os, NOW, &watch), 0);
	assert_int_equal(watch.life, PME_WATCH_RUNS);
	pme_judge_watch(&watch, &checks);
	assert_int_equal(checks.count, PME_ARRAY_SIZE(rows));
	for (size_t i = 0; i < PME_ARRAY_SIZE(rows); i++)
		assert_int_equal(row(&checks, rows[i].id, rows[i].subject)->result, rows[i].result);
	json_object_put(watch.doc);
	tree_done(&tree);
}

static void test_quote(void **state)
{
	static const char *const cases[][2] = {
		{"/srv/db", "/srv/db"},	      {"", "''"},
		{"/a b", "'/a b'"},	      {"-x", "'-x'"},
		{"/it's", "'/it'\\''s'"},     {"/$(reboot)", "'/$(reboot)'"},
		{"/\xc3\xa4", "'/\xc3\xa4'"},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *quoted = pme_checks_quote(cases[i][0]);

		assert_string_equal(quoted, cases[i][1]);
	}
}

static void test_document(void **state)
{
	_cleanup_(pme_checks_done) struct pme_checks checks = {0};
	struct json_object *doc = pme_json_object(), *first;

	pme_checks_add(&checks, PME_CHECK_DIMM, "nmem\xff", PME_RESULT_PROBLEM, "do", "%d", 7);
	pme_checks_command(&checks, "do-it %s", "now");
	pme_judge_privileges(true, &checks);
	pme_judge_privileges(false, &checks);
	pme_checks_json(&checks, doc);
	first = pme_json_at(pme_json_get(doc, "checks"), 0);
	assert_string_equal(pme_json_get_text(first, "check"), "dimm");
	assert_string_equal(pme_json_get_text(first, "subject"), "nmem\xef\xbf\xbd");
	assert_string_equal(pme_json_get_text(first, "result"), "problem");
	assert_string_equal(pme_json_get_text(first, "found"), "7");
	assert_string_equal(pme_json_get_text(first, "command"), "do-it now");
	assert_int_equal(pme_json_get_number(pme_json_get(doc, "summary"), "problem"), 1);
	assert_int_equal(pme_json_get_number(pme_json_get(doc, "summary"), "ok"), 1);
	assert_int_equal(pme_json_get_number(pme_json_get(doc, "summary"), "unknown"), 1);
	assert_int_equal(pme_json_get_number(pme_json_get(doc, "summary"), "advice"), 0);
	json_object_put(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_store),	   cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_watch_life), cmocka_unit_test(test_watch_document),
		cmocka_unit_test(test_quote),	   cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
