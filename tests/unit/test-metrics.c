/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of lib/metrics.c: both formats, what is not known, and documents that are not what
 * they should be.
 */
#include "check.h"
#include "metrics.h"
#include "os.h"

#define NOW 1767323046000000 /* a second after the document */

static struct json_object *read_document(void)
{
	_cleanup_free_ char *name = pme_printf("%s/tests/unit/data/watch.json", getenv("SRCDIR"));
	_cleanup_free_ char *text = NULL;
	struct json_object *watch = NULL;
	struct pme_os os;
	size_t len;

	assert_int_equal(pme_os_open_root("/", &os), 0);
	assert_int_equal(pme_os_read_file(&os, name + 1, PME_WATCH_MAX, &text, &len), 0);
	pme_os_close(&os);
	assert_int_equal(pme_watch_parse(text, len, &watch), 0);
	return watch;
}

static char *write_metrics(struct json_object *watch, int64_t now, enum pme_metrics_format format)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(pme_metrics_write(watch, now, format, out), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_has(const char *text, const char *line)
{
	_cleanup_free_ char *whole = pme_printf("%s\n", line);
	const char *at = strstr(text, whole);

	if (!at || (at != text && at[-1] != '\n'))
		fail_msg("no line %s in\n%s", line, text);
}

static void everything_is_told(void **state)
{
	static const char *const lines[] = {
		"pmemctl_up 1",
		"pmemctl_build_info{version=\"0.1.0\"} 1",
		"pmemctl_start_timestamp_seconds 1767312000",
		"pmemctl_watch_timestamp_seconds 1767323045",
		"pmemctl_store_working 1",
		"pmemctl_jobs_failed_total 1",
		"pmemctl_jobs_stuck 1",
		"pmemctl_repair_failures 3",
		"pmemctl_incidents_open 0",
#define PMEM0 "device=\"pmem0\",namespace=\"namespace0.0\",region=\"region0\",identity=\"ns:1\""
		"pmemctl_device_present{" PMEM0 "} 1",
		"pmemctl_device_bad_bytes{" PMEM0 "} 8192",
		"pmemctl_device_files_affected{" PMEM0 "} 3",
		"pmemctl_device_last_scan_timestamp_seconds{" PMEM0 "} 1767323040",
		"pmemctl_device_coverage_complete{" PMEM0 "} 1",
		"pmemctl_device_findings{" PMEM0 ",verdict=\"lost\"} 1",
		"pmemctl_device_findings{" PMEM0 ",verdict=\"harmless\"} 0",
		"pmemctl_device_scrub_timestamp_seconds{" PMEM0 "} 1767323000",
		"pmemctl_device_scrub_age_seconds{" PMEM0 "} 46",
		"pmemctl_dimm_healthy{dimm=\"nmem0\"} 1",
		"pmemctl_dimm_healthy{dimm=\"nmem1\"} 0",
		"pmemctl_source_available{source=\"badblocks\"} 1",
		"pmemctl_source_heard_total{source=\"badblocks\"} 3",
		"pmemctl_sink_working{sink=\"mail\"} 0",
		"pmemctl_sink_failed_total{sink=\"mail\"} 2",
		"pmemctl_region_scan_failures{region=\"region0\"} 2",
	};
	struct json_object *watch = read_document();

	for (int format = PME_METRICS_OPEN; format <= PME_METRICS_PROMETHEUS; format++) {
		_cleanup_free_ char *text = write_metrics(watch, NOW, format);

		for (size_t i = 0; i < PME_ARRAY_SIZE(lines); i++)
			assert_has(text, lines[i]);
		assert_null(strstr(text, "nmem2")); /* not known */
	}
	json_object_put(watch);
}

static void formats_announce_counters_differently(void **state)
{
	struct json_object *watch = read_document();
	_cleanup_free_ char *open = write_metrics(watch, NOW, PME_METRICS_OPEN);
	_cleanup_free_ char *old = write_metrics(watch, NOW, PME_METRICS_PROMETHEUS);

	assert_has(open, "# TYPE pmemctl_jobs_failed counter");
	assert_has(open, "# UNIT pmemctl_device_bad_bytes bytes");
	assert_string_equal(open + strlen(open) - 6, "# EOF\n");
	assert_has(old, "# TYPE pmemctl_jobs_failed_total counter");
	assert_null(strstr(old, "# UNIT"));
	assert_null(strstr(old, "# EOF"));
	json_object_put(watch);
}

static void a_watch_that_is_old_is_not_up(void **state)
{
	struct json_object *watch = read_document();
	static const struct {
		int64_t later;
		const char *line;
	} cases[] = {
		{0, "pmemctl_up 1"},
		{179 * 1000000LL, "pmemctl_up 1"},
		{181 * 1000000LL, "pmemctl_up 0"},
		{-181 * 1000000LL, "pmemctl_up 0"},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text =
			write_metrics(watch, NOW - 1000000 + cases[i].later, PME_METRICS_OPEN);

		assert_has(text, cases[i].line);
		assert_non_null(strstr(text, "pmemctl_device_bad_bytes{"));
	}
	json_object_put(watch);
}

static void without_a_watch(void **state)
{
	_cleanup_free_ char *text = write_metrics(NULL, NOW, PME_METRICS_OPEN);

	assert_has(text, "pmemctl_up 0");
	assert_null(strchr(text, '{'));
}

/* Replace members of the first device. */
static char *with_device(const char *members)
{
	struct json_object *watch = read_document();
	struct json_object *device = pme_json_at(pme_json_get(watch, "devices"), 0);
	struct json_object *other = json_tokener_parse(members);
	char *text;

	assert_non_null(other);
	json_object_object_foreach(other, key, value)
		pme_json_set_named(device, key, json_object_get(value));
	json_object_put(other);
	text = write_metrics(watch, NOW, PME_METRICS_OPEN);
	json_object_put(watch);
	return text;
}

static void without_a_scrub_it_has_no_age(void **state)
{
	_cleanup_free_ char *text = with_device("{\"scrub\": null}");

	assert_null(strstr(text, "scrub"));
}

static void names_are_escaped(void **state)
{
	_cleanup_free_ char *text =
		with_device("{\"name\": \"a\\\"b\\\\c\\nd\\u0001\", \"region\": \"\xff\","
			    " \"identity\": \"\xc3\xa9\"}");

	assert_has(text, "pmemctl_device_present{device=\"a\\\"b\\\\c\\nd?\",namespace="
			 "\"namespace0.0\",region=\"?\",identity=\"\xc3\xa9\"} 1");
	assert_true(pme_utf8_valid(text, strlen(text)));
}

static void what_is_no_number_is_left_out(void **state)
{
	static const char *const bad[] = {
		"{\"bad_bytes\": -1}",	 "{\"bad_bytes\": 1.5}", "{\"bad_bytes\": \"1\"}",
		"{\"bad_bytes\": null}", "{\"bad_bytes\": [1]}", "{\"bad_bytes\": {}}",
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *text = with_device(bad[i]);

		assert_null(strstr(text, "pmemctl_device_bad_bytes"));
		assert_non_null(strstr(text, "pmemctl_device_present{"));
	}
}

static void the_same_labels_come_once(void **state)
{
	struct json_object *watch = read_document();
	struct json_object *devices = pme_json_get(watch, "devices");
	_cleanup_free_ char *text = NULL;
	const char *first;

	pme_json_append(devices, json_object_get(pme_json_at(devices, 0)));
	text = write_metrics(watch, NOW, PME_METRICS_OPEN);
	first = strstr(text, "pmemctl_device_present{");
	assert_non_null(first);
	assert_null(strstr(first + 1, "pmemctl_device_present{"));
	json_object_put(watch);
}

static void what_is_no_watch_document(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"{}",
		"{\"format\": \"pmemctl.watch\"}",
		"{\"format\": \"pmemctl.scan\", \"format_version\": [1, 0], "
		"\"time\": \"2026-01-02T03:04:05.000000Z\"}",
		"{\"format\": \"pmemctl.watch\", \"format_version\": [2, 0], "
		"\"time\": \"2026-01-02T03:04:05.000000Z\"}",
		"{\"format\": \"pmemctl.watch\", \"format_version\": [1, 0], \"time\": \"now\"}",
		"{\"format\": \"pmemctl.watch\", \"format_version\": [1, 0], "
		"\"time\": \"2026-01-02T03:04:05.000000Z\"} {}",
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++) {
		struct json_object *watch = NULL;

		assert_int_equal(pme_watch_parse(bad[i], strlen(bad[i]), &watch), -EINVAL);
		assert_null(watch);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_told),
		cmocka_unit_test(formats_announce_counters_differently),
		cmocka_unit_test(a_watch_that_is_old_is_not_up),
		cmocka_unit_test(without_a_watch),
		cmocka_unit_test(without_a_scrub_it_has_no_age),
		cmocka_unit_test(names_are_escaped),
		cmocka_unit_test(what_is_no_number_is_left_out),
		cmocka_unit_test(the_same_labels_come_once),
		cmocka_unit_test(what_is_no_watch_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
