/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of daemon/sink-dbus-facts.c: what the properties say.
 */
#include "check.h"
#include "sink-dbus.h"

#include <string.h>

#define INVENTORY "\"inventory\":{\"last_success\":\"2026-01-02T03:04:05.000006Z\",\"reason\":null}"
#define JOBS "\"jobs\":{\"stuck\":[],\"regions\":[]," INVENTORY "},"
#define DEVICE(name, present, coverage, time)                                                     \
	"{\"name\":\"" name "\",\"namespace\":\"namespace0.0\",\"region\":\"region0\","           \
	"\"present\":" present ",\"bad_bytes\":512,\"coverage\":" coverage ",\"last_scan\":" time \
	"}"
#define GOOD DEVICE("pmem0", "true", "\"complete\"", "\"1970-01-01T00:00:02.000000Z\"")
#define GOOD2 DEVICE("pmem1", "true", "\"complete\"", "\"1970-01-01T00:00:01.000000Z\"")
#define AWAY DEVICE("pmem2", "false", "null", "null")
#define OFFLINE(severity) "{\"cause\":\"offline\",\"severity\":\"" severity "\"}"

static const struct {
	const char *doc;
	struct pmed_dbus_facts facts;
} cases[] = {
	{"{}", {"unknown", "unknown", 0, 0, 0}},
	{"{" JOBS "\"devices\":[]}", {"healthy", "complete", 0, 1767323045000006, 0}},
	{"{" JOBS "\"devices\":[" GOOD "," GOOD2 "," AWAY "]}",
	 {"healthy", "complete", 1536, 1000000, 0}},
	{"{" JOBS "\"devices\":[" GOOD "],\"findings\":{\"harmless\":2}}",
	 {"degraded", "complete", 512, 2000000, 2}},
	{"{" JOBS "\"devices\":[],\"findings\":{\"recoverable\":1,\"unknown\":2}}",
	 {"unknown", "complete", 0, 1767323045000006, 3}},
	{"{" JOBS "\"devices\":[],\"findings\":{\"unknown\":1,\"lost\":1}}",
	 {"faulted", "complete", 0, 1767323045000006, 2}},
	{"{\"findings\":{\"metadata-at-risk\":1}}", {"faulted", "unknown", 0, 0, 1}},
	{"{" JOBS "\"incidents\":[" OFFLINE("notice") "]}",
	 {"degraded", "complete", 0, 1767323045000006, 0}},
	{"{" JOBS "\"incidents\":[" OFFLINE("notice") "," OFFLINE("critical") "]}",
	 {"faulted", "complete", 0, 1767323045000006, 0}},
	{"{" JOBS "\"incidents\":[{\"cause\":\"findings\",\"severity\":\"critical\"}]}",
	 {"healthy", "complete", 0, 1767323045000006, 0}},
	/* not looked at, or not whole, or by a worker that fails or hangs */
	{"{" JOBS "\"devices\":[" GOOD "," DEVICE("pmem3", "true", "null", "null") "]}",
	 {"unknown", "incomplete", 1024, 0, 0}},
	{"{\"jobs\":{\"stuck\":[],\"regions\":[{\"scan\":{\"reason\":\"it hangs\"}}]," INVENTORY
	 "}}",
	 {"unknown", "incomplete", 0, 1767323045000006, 0}},
	{"{\"jobs\":{\"stuck\":[{}],\"regions\":[]," INVENTORY "}}",
	 {"unknown", "incomplete", 0, 1767323045000006, 0}},
};

static void facts_are_those_of_the_document(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct json_object *doc = json_tokener_parse(cases[i].doc);
		struct pmed_dbus_facts facts;

		assert_non_null(doc);
		pmed_dbus_facts(doc, &facts);
		assert_string_equal(facts.state, cases[i].facts.state);
		assert_string_equal(facts.coverage, cases[i].facts.coverage);
		assert_int_equal(facts.bad_bytes, cases[i].facts.bad_bytes);
		assert_int_equal(facts.last_scan, cases[i].facts.last_scan);
		assert_int_equal(facts.findings, cases[i].facts.findings);
		json_object_put(doc);
	}
}

static void without_memory_nothing_is_known(void **state)
{
	struct pmed_dbus_facts facts;

	pmed_dbus_facts(NULL, &facts);
	assert_string_equal(facts.state, "unknown");
	assert_string_equal(facts.coverage, "unknown");
}

static void names_lead_to_regions(void **state)
{
	struct json_object *doc = json_tokener_parse("{\"devices\":[" GOOD "]}");

	assert_string_equal(pmed_dbus_region(doc, "pmem0"), "region0");
	assert_string_equal(pmed_dbus_region(doc, "namespace0.0"), "region0");
	assert_string_equal(pmed_dbus_region(doc, "region0"), "region0");
	assert_null(pmed_dbus_region(doc, "pmem"));
	assert_null(pmed_dbus_region(doc, ""));
	json_object_put(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_those_of_the_document),
		cmocka_unit_test(without_memory_nothing_is_known),
		cmocka_unit_test(names_lead_to_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
