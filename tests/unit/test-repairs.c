/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of daemon/repairs.c, with a shell script for pmemctl: nothing unless it is asked for,
 * one at a time, again when something was told, and what fails is said and tried again.
 */
#include "repairs.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "check.h"
#include "process.h"
#include "state.h"
#include "watch.h"
#include "workers.h"

static struct pmed d;
static char dir[] = "/tmp/pmemctl-repairs-XXXXXX", program[64];
static bool findings;
static unsigned int hints;

int pmed_state_regions(const struct pmed_state *state, bool only_with_findings, const char ***ret,
		       size_t *ret_count)
{
	*ret = calloc(1, sizeof(**ret));
	assert_non_null(*ret);
	(*ret)[0] = "region0";
	*ret_count = findings;
	return 0;
}

void pmed_hint(struct pmed *daemon, enum pmed_hint what, const char *name)
{
	assert_int_equal(what, PMED_HINT_REGION);
	assert_string_equal(name, "region0");
	hints++;
}

void pmed_watch_changed(struct pmed *daemon)
{
}

struct pmed_process_args pmed_worker_args(const struct pmed *daemon)
{
	static char *const none[] = {NULL};

	return (struct pmed_process_args){.envp = none, .max_out = 1000, .max_err = 1000};
}

/* Runs leave a line each; @body is what one does then. */
static void script(const char *body)
{
	_cleanup_free_ char *command = pme_printf(
		"printf '%%s\\n' '#!/bin/sh' 'echo \"$@\" >>%s/runs' '%s' >%s && chmod 755 %s", dir,
		body, program, program);

	assert_int_equal(system(command), 0);
}

static int begin(void **state)
{
	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	snprintf(program, sizeof(program), "%s/pmemctl", dir);
	d = (struct pmed){.program = program};
	assert_int_equal(pme_conf_defaults(&d.conf), 0);
	d.conf.watch.settle = 1;
	d.conf.jobs.retry = 1;
	d.conf.jobs.retry_max = 5;
	findings = true;
	hints = 0;
	assert_int_equal(sd_event_new(&d.loop), 0);
	script("exit 1");
	return 0;
}

static int end(void **state)
{
	_cleanup_free_ char *command = pme_printf("rm -rf %s", dir);

	pmed_repairs_stop(&d);
	pmed_process_end_all(1000);
	sd_event_unref(d.loop);
	pme_conf_done(&d.conf);
	assert_int_equal(system(command), 0);
	return 0;
}

static size_t runs(void)
{
	_cleanup_free_ char *path = pme_printf("%s/runs", dir);
	FILE *file = fopen(path, "re");
	size_t count = 0;
	char line[100];

	for (; file && fgets(line, sizeof(line), file); count++)
		assert_string_equal(line, "--json repair --apply --auto\n");
	if (file)
		fclose(file);
	return count;
}

/* Until so many have ended; regions with findings are looked at behind each. */
static void wait_for(unsigned int count)
{
	while (hints < count)
		assert_true(sd_event_run(d.loop, 20000000) > 0);
}

static void nothing_happens(void)
{
	unsigned int before = hints;

	for (int i = 0; i < 20; i++)
		assert_true(sd_event_run(d.loop, 10000) >= 0);
	assert_int_equal(hints, before);
}

static const char *reason(void)
{
	static char text[200];
	struct json_object *object = pmed_repairs_json(&d);

	assert_non_null(object);
	snprintf(text, sizeof(text), "%s", pme_json_get_text(object, "reason"));
	assert_int_equal(pme_json_get_number(object, "failures") > 0, *text != '\0');
	json_object_put(object);
	return text;
}

static void nothing_unless_it_is_asked_for(void **state)
{
	assert_int_equal(pmed_repairs_start(&d), 0);
	pmed_repairs_hint(&d);
	nothing_happens();
	assert_null(pmed_repairs_json(&d));
	d.conf.repair.automatic = PME_REPAIR_EXACT;
	findings = false;
	pmed_repairs_reload(&d);
	nothing_happens();
	assert_int_equal(runs(), 0);
	findings = true;
	pmed_repairs_reload(&d);
	wait_for(1);
	assert_int_equal(runs(), 1);
	assert_string_equal(reason(), "");
	nothing_happens();
	d.conf.repair.automatic = PME_REPAIR_NEVER;
	pmed_repairs_reload(&d);
	pmed_repairs_hint(&d);
	nothing_happens();
}

static void one_at_a_time(void **state)
{
	script("mkdir \"$0.lock\" || exit 4; sleep 0.3; rmdir \"$0.lock\"; exit 2");
	d.conf.repair.automatic = PME_REPAIR_EXACT;
	assert_int_equal(pmed_repairs_start(&d), 0);
	while (runs() == 0)
		assert_true(sd_event_run(d.loop, 100000) >= 0);
	pmed_repairs_hint(&d);
	pmed_repairs_hint(&d);
	wait_for(2);
	nothing_happens();
	assert_int_equal(runs(), 2);
	assert_string_equal(reason(), "");
}

static void what_fails_is_said_and_tried_again(void **state)
{
	script("test -e \"$0.good\" && exit 17; exit 4");
	d.conf.repair.automatic = PME_REPAIR_EXACT;
	assert_int_equal(pmed_repairs_start(&d), 0);
	wait_for(3);
	assert_string_equal(reason(), "pmemctl repair ended with status 4: run `pmemctl repair`");
	script("exit 17");
	while (*reason())
		assert_true(sd_event_run(d.loop, 20000000) > 0);
	nothing_happens();
}

static void a_program_that_is_not_there(void **state)
{
	unlink(program);
	d.conf.repair.automatic = PME_REPAIR_EXACT;
	assert_int_equal(pmed_repairs_start(&d), 0);
	while (!*reason())
		assert_true(sd_event_run(d.loop, 20000000) > 0);
	assert_non_null(strstr(reason(), "No such file or directory"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(nothing_unless_it_is_asked_for),
		TEST(one_at_a_time),
		TEST(what_fails_is_said_and_tried_again),
		TEST(a_program_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
