/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/dimms.c: samples, one after the other, and the events that come of each.
 */
#include "dimms.h"

#include "check.h"
#include "doc.h"

#define SAMPLE(state, spares, used, heat, dirty, flags)                                         \
	"[{\"name\":\"nmem0\",\"available\":true,\"health_state\":" state ",\"spares\":" spares \
	",\"life_used\":" used ",\"media_temperature\":" heat ",\"dirty_shutdowns\":" dirty     \
	",\"alarms\":[],\"flags\":[" flags "],\"thresholds\":{\"media_temperature\":80}}]"

#define LAST(how) "[{\"name\":\"nmem0\",\"available\":true,\"shutdown_state\":\"" how "\"}]"

static void test_samples(void **state)
{
	static const struct {
		const char *sample, *events; /* severity and first words of each */
	} steps[] = {
		{SAMPLE("\"ok\"", "90", "10", "40", "3", ""), ""},
		{SAMPLE("\"ok\"", "90", "10", "40", "3", ""), ""},
		{SAMPLE("\"ok\"", "9", "10", "40", "3", ""), "warning spares of nmem0 crossed|"},
		{SAMPLE("\"ok\"", "10", "10", "40", "3", ""), ""}, /* within the margin */
		{SAMPLE("\"ok\"", "9", "10", "40", "3", ""), ""},
		{SAMPLE("\"ok\"", "12", "10", "40", "3", ""), "notice spares of nmem0 is in|"},
		{SAMPLE("\"ok\"", "50", "95", "81", "3", ""),
		 "warning life used of nmem0|warning temperature of nmem0|"},
		{SAMPLE("null", "null", "null", "null", "null", ""), ""},
		{SAMPLE("\"fatal\"", "50", "95", "81", "4", ""),
		 "critical health of nmem0 is fatal|error nmem0 was shut down dirty|"},
		{SAMPLE("\"ok\"", "50", "95", "81", "4", "\"not_armed\""),
		 "warning flags of nmem0: [ \"not_armed\" ]|notice health of nmem0 is ok|"},
		{"[{\"name\":\"nmem0\",\"available\":true}]", ""}, /* nothing is told */
		{SAMPLE("\"ok\"", "50", "95", "81", "4", ""), "notice flags of nmem0: none|"},
		{LAST("dirty"), "error nmem0 was shut down dirty|"},
		{LAST("dirty"), ""},
		{LAST("clean"), ""},
		{"[{\"name\":\"nmem1\",\"available\":false,\"reason\":\"no\"}]",
		 "warning nmem0 is gone|"},
	};
	struct pme_conf conf = {.health = {.spares = 10, .life_used = 90}};
	struct pmed_dimms dimms = {0};
	struct json_object *doc;
	int64_t last = 0;

	for (size_t i = 0; i < PME_ARRAY_SIZE(steps); i++) {
		struct json_object *sample = json_tokener_parse(steps[i].sample);
		const char *want = steps[i].events;
		struct pmed_news news;

		assert_non_null(sample);
		assert_int_equal(pmed_news_new(&news), 0);
		assert_int_equal(pmed_dimms_learn(&dimms, &conf, sample, 1000, &last, &news), 0);
		for (size_t e = 0; e < pme_json_count(news.events); e++) {
			struct json_object *event = pme_json_at(news.events, e);
			_cleanup_free_ char *line =
				pme_printf("%s %s", pme_json_get_text(event, "severity"),
					   pme_json_get_text(event, "text"));
			size_t len = strcspn(want, "|");

			assert_true(len > 0);
			assert_memory_equal(line, want, len);
			want += len + 1;
		}
		assert_string_equal(want, "");
		assert_int_equal(pme_json_count(news.changes), i + 1 < PME_ARRAY_SIZE(steps));
		pmed_news_done(&news);
		json_object_put(sample);
	}
	doc = pmed_health_json(&dimms);
	assert_int_equal(pme_json_count(doc), 1);
	assert_string_equal(
		json_object_to_json_string_ext(pme_json_at(doc, 0), JSON_C_TO_STRING_PLAIN),
		"{\"name\":\"nmem1\",\"available\":false,\"reason\":\"no\",\"health_state\":null,"
		"\"spares\":null,\"life_used\":null,\"media_temperature\":null,"
		"\"dirty_shutdowns\":null,\"alarms\":null,\"flags\":null}");
	json_object_put(doc);
	pmed_dimms_done(&dimms);
}

/* Learn @text; the events, "severity text|" each, are @want. */
static void learns(struct pmed_dimms *dimms, const char *text, const char *want)
{
	const struct pme_conf conf = {.health = {.spares = 10, .life_used = 90}};
	struct json_object *sample = json_tokener_parse(text);
	struct pmed_news news;
	int64_t last = 0;

	assert_int_equal(pmed_news_new(&news), 0);
	assert_int_equal(pmed_dimms_learn(dimms, &conf, sample, 1000, &last, &news), 0);
	assert_int_equal(pme_json_count(news.events), *want ? 1 : 0);
	if (*want)
		assert_string_equal(pme_json_get_text(pme_json_at(news.events, 0), "text"), want);
	pmed_news_done(&news);
	json_object_put(sample);
}

/* After a boot: other names, the same DIMMs; one was shut down dirty. */
static void test_earlier_run(void **state)
{
	struct json_object *rows = json_tokener_parse(
		"[{\"dimm\":\"nmem0\",\"time\":1,\"sample\":{\"name\":\"nmem0\",\"unique_id\":"
		"\"a\","
		"\"dirty_shutdowns\":3}},{\"dimm\":\"nmem1\",\"time\":1,\"sample\":{\"name\":"
		"\"nmem1\","
		"\"unique_id\":\"b\",\"dirty_shutdowns\":7}},{\"dimm\":\"nmem2\",\"time\":1,"
		"\"sample\":"
		"{\"name\":\"nmem2\",\"dirty_shutdowns\":1}},{\"sample\":7},null]");
	const struct pme_conf conf = {.health = {.spares = 10, .life_used = 90}};
	struct pmed_dimms dimms = {0};
	struct json_object *doc, *first;

	assert_int_equal(pmed_dimms_load(&dimms, &conf, rows), 0);
	assert_int_equal(dimms.count, 2);
	learns(&dimms,
	       "[{\"name\":\"nmem1\",\"unique_id\":\"a\",\"available\":true,\"dirty_shutdowns\":4},"
	       "{\"name\":\"nmem0\",\"unique_id\":\"b\",\"available\":true,\"dirty_shutdowns\":7}]",
	       "nmem1 was shut down dirty: data may not have reached its media");
	pmed_dimms_fail(&dimms, "it hangs");
	doc = pmed_health_json(&dimms);
	first = pme_json_at(doc, 0);
	assert_false(pme_json_get_bool(first, "available"));
	assert_string_equal(pme_json_get_text(first, "reason"), "it hangs");
	assert_null(pme_json_get(first, "dirty_shutdowns"));
	json_object_put(doc);
	learns(&dimms,
	       "[{\"name\":\"nmem0\",\"unique_id\":\"b\",\"available\":true,\"dirty_shutdowns\":7}"
	       "]",
	       "nmem1 is gone: nobody tells its health any more");
	json_object_put(rows);
	pmed_dimms_done(&dimms);
}

/* One start of the daemon after the other, each with the rows of those before, as the store has
 * them: the last of each key.  What was told is not told again; what changed in between is. */
static void test_starts(void **state)
{
#define BAD                                                                                  \
	"\"unique_id\":\"b\",\"available\":true,\"health_state\":\"critical\",\"spares\":5," \
	"\"alarms\":[\"spares\"],\"flags\":[\"not_armed\"],\"shutdown_state\":\"dirty\","    \
	"\"dirty_shutdowns\":4}"
#define GOOD(name, id) "{\"name\":\"" name "\",\"unique_id\":\"" id "\",\"available\":true}"
	static const struct {
		const char *sample;
		size_t events;
	} starts[] = {
		{"[" GOOD("nmem0", "a") ",{\"name\":\"nmem1\"," BAD "]", 5},
		{"[" GOOD("nmem0", "a") ",{\"name\":\"nmem1\"," BAD "]", 0},
		{"[{\"name\":\"nmem0\"," BAD "]", 1}, /* nmem0 is gone, and nmem1 has its name */
		{"[{\"name\":\"nmem0\"," BAD "]", 0},
		{"[{\"name\":\"nmem0\",\"unique_id\":\"b\",\"available\":true,\"health_state\":"
		 "\"ok\"}]",
		 1},
		{"[" GOOD("nmem0", "b") "," GOOD("nmem1", "a") "]", 0}, /* it is back */
		{"[" GOOD("nmem0", "b") "]", 1},
		{"[" GOOD("nmem0", "b") "]", 0},
	};
	const struct pme_conf conf = {.health = {.spares = 10, .life_used = 90}};
	struct json_object *rows = pme_json_object();
	int64_t last = 0;

	for (size_t i = 0; i < PME_ARRAY_SIZE(starts); i++) {
		struct json_object *sample = json_tokener_parse(starts[i].sample);
		struct json_object *array = pme_json_array();
		struct pmed_dimms dimms = {0};
		struct pmed_news news;

		json_object_object_foreach(rows, key, value)
		{
			assert_non_null(key);
			pme_json_append(array, json_object_get(value));
		}
		assert_int_equal(pmed_dimms_load(&dimms, &conf, array), 0);
		assert_int_equal(pmed_news_new(&news), 0);
		assert_int_equal(
			pmed_dimms_learn(&dimms, &conf, sample, (int64_t)i + 1, &last, &news), 0);
		assert_int_equal(pme_json_count(news.events), starts[i].events);
		for (size_t c = 0; c < pme_json_count(news.changes); c++) {
			struct json_object *row = pme_json_get(pme_json_at(news.changes, c), "row");

			pme_json_set_named(rows, pme_json_get_text(row, "dimm"),
					   json_object_get(row));
		}
		pmed_news_done(&news);
		json_object_put(array);
		json_object_put(sample);
		pmed_dimms_done(&dimms);
	}
	json_object_put(rows);
}

static void test_nonsense(void **state)
{
	static const char *const bad[] = {"{}", "[1]", "[{}]", "[{\"name\":\"\"}]", "\"x\""};
	static const char *const odd[] = {
		"[{\"name\":\"a\",\"available\":1,\"spares\":\"x\",\"alarms\":7,\"flags\":{}}]",
		"[{\"name\":\"a\",\"available\":true,\"thresholds\":[],\"health_state\":{}}]",
	};
	const struct pme_conf conf = {.health = {.spares = 10}};
	struct pmed_dimms dimms = {0};
	struct json_object *doc;
	struct pmed_news news;
	int64_t last = 0;

	assert_int_equal(pmed_news_new(&news), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++) {
		struct json_object *sample = json_tokener_parse(bad[i]);

		assert_int_equal(pmed_dimms_learn(&dimms, &conf, sample, 1, &last, &news), -EINVAL);
		json_object_put(sample);
	}
	for (size_t i = 0; i < PME_ARRAY_SIZE(odd); i++) {
		struct json_object *sample = json_tokener_parse(odd[i]);

		assert_int_equal(pmed_dimms_learn(&dimms, &conf, sample, 1, &last, &news), 0);
		json_object_put(sample);
	}
	doc = pmed_health_json(&dimms);
	assert_string_equal(
		json_object_to_json_string_ext(pme_json_at(doc, 0), JSON_C_TO_STRING_PLAIN),
		"{\"name\":\"a\",\"available\":true,\"reason\":null,\"health_state\":null,"
		"\"spares\":null,\"life_used\":null,\"media_temperature\":null,"
		"\"dirty_shutdowns\":null,\"alarms\":null,\"flags\":null}");
	json_object_put(doc);
	pmed_news_done(&news);
	pmed_dimms_done(&dimms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_earlier_run),
		cmocka_unit_test(test_starts),
		cmocka_unit_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
