/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the end of a worker means: its document, or a reason in one line.
 */
#include "answer.h"

#include <signal.h>

#include "check.h"

#define FORMAT "pmemctl.scan"
#define GOOD "{\"format\": \"pmemctl.scan\"}\n"

static const struct answer {
	const char *out, *err;
	struct pmed_result result;
	const char *why; /* in the reason; NULL: it is an answer */
} answers[] = {
	{GOOD, "", {.exit_code = 0}, NULL},
	{GOOD, "noise", {.exit_code = 1}, NULL},
	{GOOD, "", {.exit_code = 16}, NULL},
	{GOOD, "", {.exit_code = 17}, NULL},
	{GOOD, "a reason\nmore", {.exit_code = 4}, "status 4): a reason"},
	{GOOD, "", {.exit_code = 5}, "status 5) and did not say why"},
	{GOOD, "", {.exit_code = 2}, "status 2)"},
	{GOOD, "usage: x", {.exit_code = 8}, "status 8): usage: x"},
	{GOOD, "", {.exit_code = -1, .signal = SIGSEGV}, "signal 11 (Segmentation fault)"},
	{GOOD, "", {.exit_code = 0, .cut = true}, "more than 32 MiB"},
	{GOOD, "", {.exit_code = -1, .timed_out = true, .usec = 61000000}, "within 61 s"},
	{GOOD,
	 "",
	 {.exit_code = -1, .timed_out = true, .stuck = true, .usec = 66000000},
	 "hangs in the kernel since 66 s"},
	{"", "", {.error = -ENOENT}, "cannot be started: No such file"},
	{"", "", {.exit_code = 0}, "answer (0 bytes) is not"},
	{"[]", "", {.exit_code = 0}, "is not the document"},
	{"{\"format\": \"pmemctl.list\"}", "", {.exit_code = 0}, "is not the document"},
	{"{\"format\": [\"pmemctl.scan\"]}", "", {.exit_code = 0}, "is not the document"},
	{"{\"format\": \"pmemctl.scan\"", "", {.exit_code = 0}, "is not the document"},
	{GOOD "{}", "", {.exit_code = 0}, "is not the document"},
	{GOOD "x", "", {.exit_code = 1}, "is not the document"},
	{"{\"format\": \"pmemctl.scan\", \"x\": \"\xff\"}", "", {.exit_code = 0}, "is not the doc"},
	{"{\"format\": \"pmemctl.error\", \"messages\": [7, {\"severity\": \"warning\", "
	 "\"subject\":"
	 " \"a\", \"text\": \"b\"}, {\"severity\": \"error\", \"subject\": \"pmem0\", \"text\": "
	 "\"no\\nluck\"}]}",
	 "other",
	 {.exit_code = 4},
	 "status 4): pmem0: no"},
	{"", "bad \xff\x01 byte", {.exit_code = 4}, "bad \xef\xbf\xbd  byte"},
};

static void test_answers(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(answers); i++) {
		struct pmed_result result = answers[i].result;
		_cleanup_free_ char *why = NULL, *out = strdup(answers[i].out),
				    *err = strdup(answers[i].err);
		struct json_object *doc = NULL;
		int r;

		result.out = out;
		result.err = err;
		result.out_len = strlen(result.out);
		result.err_len = strlen(result.err);
		r = pmed_answer_read(&result, FORMAT, &doc, &why);
		if (!answers[i].why) {
			assert_int_equal(r, 0);
			assert_non_null(doc);
			assert_null(why);
			json_object_put(doc);
			continue;
		}
		assert_int_equal(r, -EIO);
		assert_null(doc);
		if (!why || !strstr(why, answers[i].why))
			fail_msg("answer %zu: \"%s\" does not hold \"%s\"", i, why, answers[i].why);
		assert_null(strchr(why, '\n'));
	}
}

/* Deeper than any document of ours: refused, without using up the stack. */
static void test_deep(void **state)
{
	size_t depth = 1000000;
	struct pmed_result result = {.out_len = depth};
	struct json_object *doc = NULL;
	char *why = NULL;

	result.out = malloc(depth + 1);
	assert_non_null(result.out);
	memset(result.out, '[', depth);
	result.out[depth] = '\0';
	assert_int_equal(pmed_answer_read(&result, FORMAT, &doc, &why), -EIO);
	assert_non_null(why);
	free(why);
	free(result.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
