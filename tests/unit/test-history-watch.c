/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli/history-watch.c: what `pmemctl status` says of the watch, by documents below a root of the
 * test.
 */
#include "history.h"

#include <time.h>

#include "check.h"
#include "event.h"
#include "text.h"

struct place {
	char dir[32];
	struct pme_os os;
	struct cli cli;
	struct json_object *doc;
};

/* Stand-ins for the rest of the command line. */
void text_name(const char *name)
{
	printf("%s", name);
}

char *cli_store_path(const struct cli *cli)
{
	(void)cli;
	return NULL;
}

static int setup(void **state)
{
	static struct place p;
	_cleanup_free_ char *make = NULL;

	p = (struct place){.dir = "/tmp/test-history.XXXXXX"};
	assert_non_null(mkdtemp(p.dir));
	make = pme_printf("cd %s && mkdir -p run/pmemctl proc/42 && echo pmemctld >proc/42/comm",
			  p.dir);
	assert_int_equal(system(make), 0);
	assert_int_equal(pme_os_open_root(p.dir, &p.os), 0);
	p.cli = (struct cli){.os = &p.os, .verbose = 1};
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *rm = pme_printf("rm -rf %s", p->dir);

	pme_os_close(&p->os);
	json_object_put(p->doc);
	return system(rm);
}

/* What is said when the daemon wrote its document @ago seconds ago; @extra: spaces behind it. */
static struct json_object *watch_of(struct place *p, int ago, const char *sinks, size_t extra)
{
	_cleanup_free_ char *name = pme_printf("%s/run/pmemctl/watch.json", p->dir);
	_cleanup_free_ char *when = pme_time_text((int64_t)1000000 * (time(NULL) - ago));
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fprintf(file,
		"{\"format\":\"pmemctl.watch\",\"format_version\":[1,0],\"time\":\"%s\","
		"\"started\":\"%s\",\"pid\":42,\"sources\":[],\"sinks\":[%s],\"jobs\":{},"
		"\"devices\":[],\"store\":{\"ok\":true}}",
		when, when, sinks);
	for (size_t i = 0; i < extra; i++)
		fputc(' ', file);
	assert_int_equal(fclose(file), 0);
	json_object_put(p->doc);
	p->doc = pme_json_object();
	pme_json_set(p->doc, "findings", pme_json_array());
	history_json(&p->cli, p->doc);
	return pme_json_get(p->doc, "watch");
}

static void assert_trouble(struct json_object *watch, const char *part, const char *words)
{
	struct json_object *troubles = pme_json_get(watch, "troubles"), *trouble;

	assert_true(pme_json_get_bool(watch, "running"));
	assert_int_equal(pme_json_count(troubles), words ? 1 : 0);
	if (!words)
		return;
	trouble = pme_json_at(troubles, 0);
	assert_string_equal(pme_json_get_text(trouble, "part"), part);
	assert_non_null(strstr(pme_json_get_text(trouble, "reason"), words));
}

static void a_watch_that_hangs_is_a_trouble(void **state)
{
	struct place *p = *state;

	assert_trouble(watch_of(p, 0, "", 0), NULL, NULL);
	assert_trouble(watch_of(p, 3600, "", 0), "watch", "says nothing since 2");
	assert_trouble(watch_of(p, -3600, "", 0), "watch", "says nothing since 2");
}

static void a_sink_that_could_not_start_is_a_trouble(void **state)
{
	struct place *p = *state;

	assert_trouble(watch_of(p, 0,
				"{\"name\":\"dbus\",\"on\":false,\"failed\":0,"
				"\"reason\":\"cannot start a thread\"}",
				0),
		       "sink", "cannot start a thread");
	assert_trouble(watch_of(p, 0,
				"{\"name\":\"mail\",\"on\":false,\"failed\":0,"
				"\"reason\":null}",
				0),
		       NULL, NULL);
}

static void as_long_as_the_daemon_may_write_it(void **state)
{
	struct place *p = *state;

	assert_trouble(watch_of(p, 0, "", 9 << 20), NULL, NULL);
}

static void one_of_another_process_is_none(void **state)
{
	struct place *p = *state;
	_cleanup_free_ char *other = pme_printf("echo cat >%s/proc/42/comm", p->dir);

	assert_int_equal(system(other), 0);
	assert_false(pme_json_get_bool(watch_of(p, 0, "", 0), "running"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_watch_that_hangs_is_a_trouble),
		TEST(a_sink_that_could_not_start_is_a_trouble),
		TEST(as_long_as_the_daemon_may_write_it),
		TEST(one_of_another_process_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
