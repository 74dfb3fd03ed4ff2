/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/doc.c and doc-write.c: the top level of documents, text that is not UTF-8, unknown values,
 * and the text of it all.
 */
#include "doc.h"

#include <sys/wait.h>

#include "check.h"
#include "random.h"

#define FFFD "\xef\xbf\xbd"

static char *as_text(struct json_object *value)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(pme_json_write(value, out), 0);
	fclose(out);
	return text;
}

static void each_bad_byte_is_replaced(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"plain", "plain"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xff", FFFD},
		{"a\xff\xfe"
		 "b",
		 "a" FFFD FFFD "b"},
		{"\xc3", FFFD},		      /* cut off */
		{"x\xe2\x82", "x" FFFD FFFD}, /* cut off behind two */
		{"\xe2\x82\xac\xe2\x82", "\xe2\x82\xac" FFFD FFFD},
		{"\xc0\xaf", FFFD FFFD},	  /* overlong */
		{"\xed\xa0\x80", FFFD FFFD FFFD}, /* surrogate */
		{"\xf0\x9f\x98\x80\x80", "\xf0\x9f\x98\x80" FFFD},
		{"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD}, /* behind U+10FFFF */
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct json_object *text = pme_json_lossy(cases[i][0]);

		assert_string_equal(json_object_get_string(text), cases[i][1]);
		json_object_put(text);
	}
}

/* Whatever the bytes: the text is UTF-8, and good parts of it stay. */
static void random_bytes_become_utf8(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 5000; round++) {
		static const char pool[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\xed\xff";
		char bytes[24] = "";
		struct json_object *text;

		for (uint64_t i = rnd_below(&rnd, sizeof(bytes)); i-- > 0;)
			bytes[i] = pool[rnd_below(&rnd, sizeof(pool) - 1)];
		text = pme_json_lossy(bytes);
		assert_true(pme_utf8_valid(json_object_get_string(text),
					   (size_t)json_object_get_string_len(text)));
		if (pme_utf8_valid(bytes, strlen(bytes)))
			assert_string_equal(json_object_get_string(text), bytes);
		json_object_put(text);
	}
}

static void paths_carry_their_bytes(void **state)
{
	struct json_object *good = pme_json_path("/srv/\xc3\xa4\n"),
			   *bad = pme_json_path("/srv/\xff"
						"b");

	assert_string_equal(pme_json_get_text(good, "path"), "/srv/\xc3\xa4\n");
	assert_true(json_object_object_get_ex(good, "raw", NULL));
	assert_null(pme_json_get(good, "raw"));
	assert_string_equal(pme_json_get_text(bad, "path"), "/srv/" FFFD "b");
	assert_string_equal(pme_json_get_text(bad, "raw"), "L3Nydi//Yg==");
	json_object_put(good);
	json_object_put(bad);
}

/* Unknown is null and never left out. */
static void unknown_values_are_null(void **state)
{
	struct json_object *object = pme_json_object();
	_cleanup_free_ char *got = NULL;

	pme_json_text(object, "text", NULL);
	pme_json_number(object, "number", UINT64_MAX);
	pme_json_set(object, "object", NULL);
	got = as_text(object);
	assert_string_equal(got,
			    "{\n  \"text\": null,\n  \"number\": null,\n  \"object\": null\n}\n");
	assert_string_equal(pme_json_get_text(object, "text"), "");
	assert_string_equal(pme_json_get_text(object, "absent"), "");
	assert_int_equal(pme_json_get_number(object, "number"), 0);
	assert_int_equal(pme_json_get_number(object, "absent"), 0);
	assert_false(pme_json_get_bool(object, "absent"));
	assert_null(pme_json_get(object, "object"));
	assert_int_equal(pme_json_count(pme_json_get(object, "object")), 0);
	assert_int_equal(pme_json_count(object), 0);
	assert_null(pme_json_at(object, 0));
	assert_null(pme_json_get(NULL, "x"));
	assert_string_equal(pme_json_get_text(NULL, "x"), "");
	assert_int_equal(pme_json_count(NULL), 0);
	json_object_put(object);
}

static void values_as_text(void **state)
{
	struct json_object *object = pme_json_object(), *array = pme_json_array();
	_cleanup_free_ char *got = NULL;

	pme_json_number(object, "largest", UINT64_MAX - 1);
	pme_json_number(object, "zero", 0);
	pme_json_bool(object, "yes", true);
	pme_json_range(object, "range", (struct pme_range){512, 1024});
	pme_json_text(object, "text", "a\"b\\c/\n\t\x01\x7f\xc3\xbc");
	pme_json_append(array, pme_json_int(-5));
	pme_json_append(array, pme_json_object());
	pme_json_append(array, pme_json_array());
	pme_json_set(object, "array", array);
	got = as_text(object);
	assert_string_equal(got, "{\n"
				 "  \"largest\": 18446744073709551614,\n"
				 "  \"zero\": 0,\n"
				 "  \"yes\": true,\n"
				 "  \"range\": {\n"
				 "    \"start\": 512,\n"
				 "    \"length\": 1024\n"
				 "  },\n"
				 "  \"text\": \"a\\\"b\\\\c/\\n\\u0009\\u0001\x7f\xc3\xbc\",\n"
				 "  \"array\": [\n"
				 "    -5,\n"
				 "    {},\n"
				 "    []\n"
				 "  ]\n"
				 "}\n");
	json_object_put(object);
}

/* As deep as no document is; and a key that is gone when it is written. */
static void depth_and_names_of_keys(void **state)
{
	struct json_object *value = pme_json_object(), *inner = value;
	char name[] = "name", *text, *line;
	char want[64];

	for (size_t i = 0; i < 24; i++) {
		struct json_object *next = pme_json_object();

		pme_json_set(inner, "in", next);
		inner = next;
	}
	pme_json_set_named(inner, name, pme_json_int(7));
	memset(name, 'x', strlen(name));
	text = as_text(value);
	snprintf(want, sizeof(want), "\n%50s\"name\": 7\n", "");
	line = strstr(text, want);
	assert_non_null(line);
	snprintf(want, sizeof(want), "\n%48s}\n", "");
	assert_ptr_equal(strstr(text, want), line + strlen("\n\"name\": 7") + 50);
	free(text);
	json_object_put(value);
}

/* Room is no limit. */
static void arrays_take_more_than_they_have_room_for(void **state)
{
	for (size_t room = 0; room < 3; room++) {
		struct json_object *array = pme_json_array_of(room);

		for (int i = 0; i < 40; i++)
			pme_json_append(array, pme_json_int(i));
		assert_int_equal(pme_json_count(array), 40);
		assert_int_equal(json_object_get_int(pme_json_at(array, 39)), 39);
		json_object_put(array);
	}
}

static struct json_object *random_value(struct rnd *rnd, int depth)
{
	struct json_object *value;
	char text[4] = {0};

	switch (rnd_below(rnd, depth > 4 ? 4 : 6)) {
	case 0:
		return NULL;
	case 1:
		return pme_json_int((int64_t)(rnd_u64(rnd) >> rnd_below(rnd, 64)));
	case 2:
		return json_object_new_uint64(rnd_u64(rnd));
	case 3:
		for (int i = 0; i < 3; i++)
			text[i] = (char)(1 + rnd_below(rnd, 127));
		return pme_json_lossy(text);
	case 4:
		value = pme_json_array();
		for (uint64_t n = rnd_below(rnd, 4); n > 0; n--)
			pme_json_append(value, random_value(rnd, depth + 1));
		return value;
	}
	value = pme_json_object();
	for (char key[] = "a"; *key < 'd'; ++*key)
		pme_json_set_named(value, key, random_value(rnd, depth + 1));
	return value;
}

static void what_is_written_is_read_back(void **state)
{
	struct rnd rnd = rnd_start();

	for (int i = 0; i < 3000; i++) {
		struct json_object *value = random_value(&rnd, 0);
		_cleanup_free_ char *text = as_text(value);
		struct json_object *again = json_tokener_parse(text);

		assert_true(json_object_equal(value, again));
		json_object_put(value);
		json_object_put(again);
	}
}

/* In parts, as several threads make them, or not: the text is the same. */
static void what_is_printed_at_once_is_the_same(void **state)
{
	struct rnd rnd = rnd_start();

	for (size_t count = 0; count < 70; count++) {
		struct json_object *plain = pme_json_object(), *printed = pme_json_object();
		struct json_object *array = pme_json_array(), *parts = pme_json_array();
		struct pme_json_printed part = {.depth = 2};
		_cleanup_free_ char *expected = NULL, *got = NULL;

		for (size_t i = 0; i < count; i++) {
			struct json_object *value = random_value(&rnd, 0);

			pme_json_append(array, json_object_get(value));
			pme_json_printed_append(&part, value);
			for (uint64_t n = rnd_below(&rnd, 3); n > 0; n--) /* also empty ones */
				pme_json_printed_end(&part, parts);
		}
		pme_json_printed_end(&part, parts);
		pme_json_set(plain, "values", array);
		pme_json_set(printed, "values", parts);
		expected = as_text(plain);
		got = as_text(printed);
		assert_string_equal(got, expected);
		json_object_put(plain);
		json_object_put(printed);
	}
}

static void numbers_have_all_their_digits(void **state)
{
	struct json_object *array = pme_json_array();
	_cleanup_free_ char *text = NULL;

	pme_json_append(array, pme_json_int(0));
	pme_json_append(array, pme_json_int(-1));
	pme_json_append(array, pme_json_int(INT64_MIN));
	pme_json_append(array, pme_json_int(INT64_MAX));
	pme_json_append(array, json_object_new_uint64(UINT64_MAX));
	text = as_text(array);
	assert_string_equal(text, "[\n  0,\n  -1,\n  -9223372036854775808,\n"
				  "  9223372036854775807,\n  18446744073709551615\n]\n");
	json_object_put(array);
}

static void a_full_disk_is_an_error(void **state)
{
	struct json_object *object = pme_json_object();
	FILE *full = fopen("/dev/full", "w");

	if (!full)
		skip();
	assert_int_equal(pme_json_write(object, full), -EIO);
	fclose(full);
	json_object_put(object);
}

/* Keys of @object in their order, a blank behind each. */
static void check_keys(struct json_object *object, const char *keys)
{
	_cleanup_free_ char *got = NULL;

	json_object_object_foreach(object, key, value)
	{
		words_add(&got, key);
	}
	assert_string_equal(got, keys);
}

static bool is_time(const char *text)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";

	for (size_t i = 0; i < sizeof(pattern); i++)
		if (pattern[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i])
			return false;
	return true;
}

#define TOP "format format_version pmemctl host time coverage messages "

static void a_document_has_its_top_level(void **state)
{
	char *argv[] = {(char *)"pmemctl", (char *)"scan", (char *)"\xff"};
	struct json_object *doc = pme_doc_new("pmemctl.scan", 3, argv);
	struct json_object *program = pme_json_get(doc, "pmemctl");
	struct json_object *version = pme_json_get(doc, "format_version");
	struct json_object *args = pme_json_get(program, "argv");

	check_keys(doc, TOP);
	check_keys(program, "version argv exit_status ");
	check_keys(pme_json_get(doc, "host"), "name boot_id kernel ");
	assert_string_equal(pme_json_get_text(doc, "format"), "pmemctl.scan");
	assert_int_equal(json_object_get_int(pme_json_at(version, 0)), 1);
	assert_int_equal(json_object_get_int(pme_json_at(version, 1)), 0);
	assert_int_equal(pme_json_count(version), 2);
	assert_string_equal(pme_json_get_text(program, "version"), PACKAGE_VERSION);
	assert_int_equal(pme_json_count(args), 3);
	assert_string_equal(json_object_get_string(pme_json_at(args, 2)), FFFD);
	assert_true(is_time(pme_json_get_text(doc, "time")));
	json_object_put(doc);
}

static void finish_fills_in_the_rest(void **state)
{
	struct json_object *doc = pme_doc_new("pmemctl.scan", 0, NULL), *first;
	struct pme_log log = {0};

	pme_json_set(doc, "findings", pme_json_array());
	pme_log_add(&log, PME_INFO, "pmem0", "a note");
	pme_log_incomplete(&log, "pmem1\xff", "gone");
	assert_int_equal(pme_doc_finish(doc, &log, 17), 0);
	check_keys(doc, TOP "findings ");
	assert_string_equal(pme_json_get_text(doc, "coverage"), "incomplete");
	assert_int_equal(pme_json_get_number(pme_json_get(doc, "pmemctl"), "exit_status"), 17);
	assert_int_equal(pme_json_count(pme_json_get(doc, "messages")), 2);
	first = pme_json_at(pme_json_get(doc, "messages"), 0);
	check_keys(first, "severity subject text ");
	assert_string_equal(pme_json_get_text(first, "severity"), "info");
	assert_string_equal(
		pme_json_get_text(pme_json_at(pme_json_get(doc, "messages"), 1), "subject"),
		"pmem1" FFFD);
	json_object_put(doc);
	pme_log_done(&log);
}

/* Nothing to say: complete.  A failed operation: not. */
static void coverage_follows_the_log(void **state)
{
	static const struct {
		struct pme_log log;
		const char *coverage;
	} cases[] = {
		{{0}, "complete"},
		{{.incomplete = true}, "incomplete"},
		{{.failed = true}, "incomplete"},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct json_object *doc = pme_doc_new("pmemctl.list", 0, NULL);

		assert_int_equal(pme_doc_finish(doc, &cases[i].log, 0), 0);
		assert_string_equal(pme_json_get_text(doc, "coverage"), cases[i].coverage);
		json_object_put(doc);
	}
}

static int finish_with_a_lost_message(void)
{
	struct json_object *doc = pme_doc_new("pmemctl.list", 0, NULL);
	struct pme_log log = {.no_memory = true};
	int r = pme_doc_finish(doc, &log, 0);

	json_object_put(doc);
	return r;
}

static int finish_with_a_lost_value(void)
{
	struct json_object *doc = pme_doc_new("pmemctl.list", 0, NULL);
	struct pme_log log = {0};
	int r;

	pme_json_set(NULL, "key", pme_json_int(1)); /* as behind an object that was not made */
	pme_json_append(NULL, pme_json_int(1));
	pme_json_owned_text(doc, "text", NULL);
	r = pme_doc_finish(doc, &log, 0);
	json_object_put(doc);
	return r;
}

/* A lost value is remembered by the process: each case is one of its own. */
static void check_in_a_child(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run() == -ENOMEM ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_document_that_is_not_whole_is_not_shown(void **state)
{
	check_in_a_child(finish_with_a_lost_message);
	check_in_a_child(finish_with_a_lost_value);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bad_byte_is_replaced),
		cmocka_unit_test(random_bytes_become_utf8),
		cmocka_unit_test(paths_carry_their_bytes),
		cmocka_unit_test(unknown_values_are_null),
		cmocka_unit_test(values_as_text),
		cmocka_unit_test(depth_and_names_of_keys),
		cmocka_unit_test(arrays_take_more_than_they_have_room_for),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(what_is_printed_at_once_is_the_same),
		cmocka_unit_test(numbers_have_all_their_digits),
		cmocka_unit_test(a_full_disk_is_an_error),
		cmocka_unit_test(a_document_has_its_top_level),
		cmocka_unit_test(finish_fills_in_the_rest),
		cmocka_unit_test(coverage_follows_the_log),
		cmocka_unit_test(a_document_that_is_not_whole_is_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
