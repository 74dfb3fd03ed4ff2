/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/repair-auto.c and pme_conf_repair_of(): what is repaired without anybody who asks for it.
 */
#include "repair-auto.h"

#include <string.h>

#include "check.h"

static void read_conf(const char *text, struct pme_conf *ret)
{
	struct pme_log log = {0};

	assert_int_equal(pme_conf_defaults(ret), 0);
	assert_int_equal(pme_conf_parse(text, strlen(text), "file", &log, ret), 0);
	pme_log_done(&log);
}

#define SRV "[repair \"/srv\"]\nauto = exact\n[repair \"/srv/db/old\"]\nauto = never\n"

static void the_longest_path_counts(void **state)
{
	static const struct {
		const char *conf, *path;
		enum pme_repair_auto wanted;
	} rows[] = {
		{"", "/srv/a", PME_REPAIR_NEVER},
		{"[repair]\nauto = exact\n", "/srv/a", PME_REPAIR_EXACT},
		{SRV, "/srv/a", PME_REPAIR_EXACT},
		{SRV, "/srv", PME_REPAIR_EXACT},
		{SRV, "/srvice", PME_REPAIR_NEVER},
		{SRV, "/srv/db/old", PME_REPAIR_NEVER},
		{SRV, "/srv/db/old/x", PME_REPAIR_NEVER},
		{SRV, "/srv/db/older", PME_REPAIR_EXACT},
		{SRV, "/proc/12/fd/3", PME_REPAIR_NEVER},
		{"[repair \"/\"]\nauto = exact\n", "/a", PME_REPAIR_EXACT},
		{"[repair]\nauto = exact\n[repair \"/\"]\nauto = never\n", "/a", PME_REPAIR_NEVER},
	};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(rows); i++) {
		_cleanup_(pme_conf_done) struct pme_conf conf = {0};

		read_conf(rows[i].conf, &conf);
		if (pme_conf_repair_of(&conf, rows[i].path) != rows[i].wanted)
			fail_msg("row %zu", i);
		assert_int_equal(pme_conf_repairs(&conf), rows[i].conf[0] != '\0');
	}
}

/* One step, with a file of two names and a checkpoint of ours; and a rewrite. */
static void check(const char *text, const char *one, const char *two, bool complete, bool refused,
		  bool rewrite_refused)
{
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	char *names[2] = {(char *)one, (char *)two}, *own[1] = {(char *)"/never/.pmemctl/x"};
	struct pme_file file = {.inode = 7, .paths = names, .paths_complete = complete};
	struct pme_file checkpoint = {.paths = own, .n_paths = 1, .vault = 1};
	struct pme_repair_target targets[2] = {{.file = &file}, {.file = &checkpoint}};
	struct pme_repair_step step = {.targets = targets, .n_targets = 2};
	struct pme_rewrite rewrite = {.how = PME_REWRITE_MD_CHECK};
	struct pme_repair_plan plan = {
		.steps = &step,
		.n_steps = 1,
		.rewrites = {.items = &rewrite, .count = 1},
	};

	file.n_paths = (one != NULL) + (two != NULL);
	read_conf(text, &conf);
	assert_int_equal(pme_repair_auto_only(&plan, &conf), 0);
	assert_int_equal(step.refusal != NULL, refused);
	assert_int_equal(step.outcome == PME_STEP_REFUSED, refused);
	assert_int_equal(rewrite.refusal != NULL, rewrite_refused);
	assert_int_equal(rewrite.outcome == PME_REWRITE_REFUSED, rewrite_refused);
	if (refused && complete && one)
		assert_non_null(strstr(step.refusal, "[repair] auto is never for /"));
	free(step.refusal);
	free(rewrite.refusal);
}

static void every_name_must_be_asked_for(void **state)
{
	static const char all[] = "[repair]\nauto = exact\n";

	(void)state;
	check("", "/srv/a", NULL, true, true, true);
	check(all, "/srv/a", "/b", true, false, false);
	check(all, NULL, NULL, false, false, false);
	check(SRV, "/srv/a", NULL, true, false, true);
	check(SRV, "/srv/a", "/srv/b", true, false, true);
	check(SRV, "/srv/a", "/home/b", true, true, true);
	check(SRV, "/srv/a", "/srv/db/old/b", true, true, true);
	check(SRV, "/srv/a", NULL, false, true, true);
	check(SRV, NULL, NULL, true, true, true);
	check(SRV, "/srv/a", "/proc/77/root/a", true, false, true);
	check(SRV, "/srv/a", "/proc/77/fd/3", true, true, true);
	check(SRV, "/proc/77/root/a", NULL, true, true, true);
}

/* What is refused already keeps its reason. */
static void other_reasons_stay(void **state)
{
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	char reason[] = "no donor";
	struct pme_repair_step step = {.refusal = reason};
	struct pme_repair_plan plan = {.steps = &step, .n_steps = 1};

	(void)state;
	read_conf("", &conf);
	assert_int_equal(pme_repair_auto_only(&plan, &conf), 0);
	assert_ptr_equal(step.refusal, reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_path_counts),
		cmocka_unit_test(every_name_must_be_asked_for),
		cmocka_unit_test(other_reasons_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
