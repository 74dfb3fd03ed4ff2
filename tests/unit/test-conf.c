/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of lib/conf*.c: the table, values, what is refused and how that is said, drop-ins, and
 * who may have written the files.
 */
#include <sys/stat.h>

#include "check.h"
#include "conf-table.h"
#include "doc.h"
#include "event.h"
#include "tree.h"

static const char file[] = "etc/pmemctl/pmemctl.conf";

static int parse(const char *text, struct pme_log *log, struct pme_conf *conf)
{
	assert_int_equal(pme_conf_defaults(conf), 0);
	return pme_conf_parse(text, strlen(text), "file", log, conf);
}

static void defaults_are_those_of_the_table(void **state)
{
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};

	assert_int_equal(pme_conf_defaults(&conf), 0);
	assert_int_equal(conf.watch.settle, 250);
	assert_int_equal(conf.watch.reread, 60000);
	assert_int_equal(conf.jobs.memory, 4ULL << 30);
	assert_int_equal(conf.hooks.severity, PME_EVENT_INFO);
	assert_string_equal(conf.mail.to, "");
	assert_true(conf.journal.enabled && conf.dbus.enabled);
	assert_int_equal(conf.repair.automatic, PME_REPAIR_NEVER);
	for (size_t i = 0; i < pme_conf_count; i++) {
		_cleanup_free_ char *text = pme_conf_value_text(&pme_conf_settings[i], &conf);

		assert_string_equal(text, pme_conf_settings[i].standard);
		assert_null(conf.origins[i].file);
		assert_true(!pme_conf_settings[i].least == !pme_conf_settings[i].most);
	}
}

static void durations_have_units(void **state)
{
	static const struct {
		const char *text;
		int r;
		uint64_t ms;
	} cases[] = {
		{"250ms", 0, 250},
		{"10s", 0, 10000},
		{"10", 0, 10000},
		{"5min", 0, 300000},
		{"12h", 0, 43200000},
		{"30d", 0, 2592000000},
		{"0", 0, 0},
		{"", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"5m", -EINVAL, 0},
		{"5 s", -EINVAL, 0},
		{"-5s", -EINVAL, 0},
		{"1.5s", -EINVAL, 0},
		{"5sx", -EINVAL, 0},
		{"18446744073709551615d", -ERANGE, 0},
		{"5S", -EINVAL, 0},
		{"99999999999999999999s", -ERANGE, 0},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		uint64_t ms = 0;

		assert_int_equal(pme_duration_parse(cases[i].text, strlen(cases[i].text), &ms),
				 cases[i].r);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void settings_are_read(void **state)
{
	static const char path[] = "/srv/a path with blanks ; and ] more than fifty bytes of it";
	_cleanup_(pme_log_done) struct pme_log log = {0};
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	_cleanup_free_ char *text =
		pme_printf("\xef\xbb\xbf# comment\n[watch]\r\n  settle = 1s ; a comment\r\n"
			   "reread: 2min\n[jobs]\nmemory=0\n[hooks]\nenabled = off\n"
			   "severity = critical\n[mail]\nto = root, ops@example.com\n"
			   "[repair \"%s\"]\nauto = exact\n[store]\npath = /x;y",
			   path);

	assert_int_equal(parse(text, &log, &conf), 0);
	assert_int_equal(log.count, 0);
	assert_int_equal(conf.watch.settle, 1000);
	assert_int_equal(conf.watch.reread, 120000);
	assert_int_equal(conf.jobs.memory, 0);
	assert_false(conf.hooks.enabled);
	assert_int_equal(conf.hooks.severity, PME_EVENT_CRITICAL);
	assert_string_equal(conf.mail.to, "root, ops@example.com");
	assert_string_equal(conf.store.path, "/x;y");
	assert_int_equal(conf.repair.n_paths, 1);
	assert_string_equal(conf.repair.paths[0].path, path);
	assert_int_equal(conf.repair.paths[0].automatic, PME_REPAIR_EXACT);
	assert_int_equal(conf.repair.paths[0].origin.line, 13);
	assert_int_equal(conf.repair.automatic, PME_REPAIR_NEVER);
}

static void addresses_of_mail(void **state)
{
	static const struct {
		const char *key, *value;
		bool good;
	} cases[] = {
		{"to", "root", true},	 {"to", "", true},
		{"to", "a,b@c.d", true}, {"to", "root , ops@example.com, x", true},
		{"to", ",", false},	 {"to", "a b", false},
		{"to", "a,, b", false},	 {"to", "a, ,b", false},
		{"to", ",a", false},	 {"to", "a,", false},
		{"to", "a\tb", false},	 {"to", "\"a b\" <a@b>", false},
		{"to", "a,-b", false},	 {"from", "root@example.com", true},
		{"from", "", true},	 {"from", "a,b", false},
		{"from", "a b", false},	 {"from", ",", false},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_log_done) struct pme_log log = {0};
		_cleanup_(pme_conf_done) struct pme_conf conf = {0};
		_cleanup_free_ char *text =
			pme_printf("[mail]\n%s = %s\n", cases[i].key, cases[i].value);

		assert_int_equal(parse(text, &log, &conf), cases[i].good ? 0 : -EINVAL);
		assert_int_equal(log.count, cases[i].good ? 0 : 1);
	}
}

static void paths_of_repair(void **state)
{
	static const char text[] = "[repair \"/\"]\nauto = exact\n[repair \"/srv/x/\"]\n"
				   "auto = never\n[repair \"/srv/x\"]\nauto = exact\n";
	_cleanup_(pme_log_done) struct pme_log log = {0};
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};

	assert_int_equal(parse(text, &log, &conf), 0);
	assert_int_equal(conf.repair.n_paths, 2);
	assert_string_equal(conf.repair.paths[0].path, "/");
	assert_int_equal(conf.repair.paths[0].automatic, PME_REPAIR_EXACT);
	assert_string_equal(conf.repair.paths[1].path, "/srv/x");
	assert_int_equal(conf.repair.paths[1].automatic, PME_REPAIR_EXACT);
}

static void whatever_is_wrong_is_said(void **state)
{
	static const struct {
		const char *text, *where, *why;
	} cases[] = {
		{"[wach]\n", "file:1", "unknown section [wach]"},
		{"[Watch]\nx = 1\n", "file:1", "unknown section [Watch]; did you mean [watch]?"},
		{"[watch] x = 1\n", "file:1", "a section must be alone on its line: [name]"},
		{"\n[watch\n", "file:2", "a section must be alone on its line: [name]"},
		{"settle = 1s\n", "file:1", "a setting before any [section]"},
		{"[watch]\nsettle\n", "file:2", "is neither [section] nor setting = value"},
		{"[watch]\n= 3\n", "file:2", "is neither [section] nor setting = value"},
		{"[watch]\nx ; = 3\n", "file:2", "is neither [section] nor setting = value"},
		{"[watch]\nsetle = 1s\n", "file:2", "unknown setting setle in [watch]"},
		{"[jobs]\nretry-max = 1s\n", "file:2",
		 "unknown setting retry-max in [jobs]; did you mean retry_max?"},
		{"[watch]\nparallel = 3\n", "file:2",
		 "unknown setting parallel in [watch]; it belongs to [jobs]"},
		{"[watch]\nsettle = 1x\n", "file:2",
		 "[watch] settle = 1x: is not a number with ms, s, min, h or d behind it"},
		{"[watch]\nsettle = 1ms\n", "file:2",
		 "[watch] settle = 1ms: must be from 10ms to 1min"},
		{"[watch]\nsettle =\n", "file:2",
		 "[watch] settle = : is not a number with ms, s, min, h or d behind it"},
		{"[jobs]\nmemory = 1\n", "file:2",
		 "[jobs] memory = 1: must be 0, or from 64m to 1024t"},
		{"[jobs]\nparallel = 99999999999999999999\n", "file:2",
		 "[jobs] parallel = 99999999999999999999: is too large a number"},
		{"[mail]\nto = -oQ/tmp\n", "file:2",
		 "[mail] to = -oQ/tmp: is not plain addresses with one comma between each two"},
		{"[mail]\nto = root, -bs\n", "file:2",
		 "[mail] to = root, -bs: is not plain addresses with one comma between each two"},
		{"[mail]\nto = ,\n", "file:2",
		 "[mail] to = ,: is not plain addresses with one comma between each two"},
		{"[mail]\nfrom = a,b\n", "file:2", "[mail] from = a,b: is not one plain address"},
		{"[mail]\ncommand = sendmail\n", "file:2",
		 "[mail] command = sendmail: is not an absolute path without \".\", \"..\" and "
		 "needless slashes"},
		{"[repair \"/a/../b\"]\nauto = exact\n", "file:1",
		 "[repair \"/a/../b\"]: is not an absolute path without \".\", \"..\" and "
		 "needless slashes"},
		{"[repair \"/a//\"]\nauto = exact\n", "file:1",
		 "[repair \"/a/\"]: is not an absolute path without \".\", \"..\" and "
		 "needless slashes"},
		{"[repair \"/\"]\nauto = yes\n", "file:2",
		 "[repair] auto = yes: is not never or exact"},
		{"[repair \"srv\"]\nauto = exact\n", "file:1",
		 "[repair \"PATH\"]: PATH must be absolute and stand in quotes"},
		{"[repair]\nauto = yes\n", "file:2", "[repair] auto = yes: is not never or exact"},
		{"[dbus]\nenabled = \x01\n", "file:2", "has control characters, or is not UTF-8"},
		{"[dbus]\nenabled = \xff\n", "file:2", "has control characters, or is not UTF-8"},
		{"[dbus]\nenabled = yes\n more\n", "file:3",
		 "is neither [section] nor setting = value"},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_(pme_log_done) struct pme_log log = {0};
		_cleanup_(pme_conf_done) struct pme_conf conf = {0};

		assert_int_equal(parse(cases[i].text, &log, &conf), -EINVAL);
		assert_int_equal(log.count, 1);
		assert_int_equal(log.messages[0].severity, PME_ERROR);
		assert_string_equal(log.messages[0].text, cases[i].why);
		assert_string_equal(log.messages[0].subject, cases[i].where);
	}
}

static void all_errors_of_a_file_are_said(void **state)
{
	_cleanup_(pme_log_done) struct pme_log log = {0};
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};

	assert_int_equal(parse("[a]\nb = 1\n[watch]\nc\nsettle = x\nreread = 3s\n", &log, &conf),
			 -EINVAL);
	assert_int_equal(log.count, 3);
	assert_string_equal(log.messages[1].subject, "file:4");
	assert_string_equal(log.messages[2].subject, "file:5");
}

static void a_file_of_noise_has_an_end(void **state)
{
	_cleanup_(pme_log_done) struct pme_log log = {0};
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	char noise[5000];

	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = i % 5 ? 'x' : '\n';
	assert_int_equal(pme_conf_defaults(&conf), 0);
	assert_int_equal(pme_conf_parse(noise, sizeof(noise), "file", &log, &conf), -EINVAL);
	assert_int_equal(log.count, 51);
	assert_string_equal(log.messages[50].text,
			    "too many errors: the rest of the file was not read");
}

static void a_line_that_would_be_cut_is_refused(void **state)
{
	static const size_t before = sizeof("path = /") - 1;
	size_t longest = 0;

	for (size_t len = 150; len < 260; len++) {
		_cleanup_(pme_log_done) struct pme_log log = {0};
		_cleanup_(pme_conf_done) struct pme_conf conf = {0};
		_cleanup_free_ char *text = pme_printf("[store]\npath = /%0*d\n", (int)len, 7);
		_cleanup_free_ char *why = NULL;
		int r = parse(text, &log, &conf);

		if (r == 0) {
			assert_int_equal(strlen(conf.store.path), len + 1);
			longest = before + len;
			continue;
		}
		assert_int_equal(r, -EINVAL);
		why = pme_printf("is longer than %zu bytes", longest);
		assert_string_equal(log.messages[0].text, why);
		assert_string_equal(log.messages[0].subject, "file:2");
		assert_true(len > 180);
	}
}

static void twice_in_a_file_is_a_warning(void **state)
{
	_cleanup_(pme_log_done) struct pme_log log = {0};
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};

	assert_int_equal(parse("[jobs]\nparallel=3\n[dbus]\n[jobs]\nparallel=4\n", &log, &conf), 0);
	assert_int_equal(conf.jobs.parallel, 4);
	assert_int_equal(log.count, 1);
	assert_int_equal(log.messages[0].severity, PME_WARNING);
	assert_string_equal(log.messages[0].subject, "file:2");
	assert_string_equal(log.messages[0].text,
			    "[jobs] parallel does not count: it is set again in line 5");
}

static void drop_ins_come_later_in_their_order(void **state)
{
	_cleanup_(tree_done) struct tree tree;
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};

	tree_init(&tree);
	tree_file(&tree, file, "[jobs]\nparallel = 3\nretry = 2s\n[rate]\nburst = 7\n");
	tree_file(&tree, "etc/pmemctl/pmemctl.conf.d/20-b.conf", "[jobs]\nparallel = 5\n");
	tree_file(&tree, "etc/pmemctl/pmemctl.conf.d/10-a.conf",
		  "[jobs]\nparallel = 4\nretry = 3s\n");
	tree_file(&tree, "etc/pmemctl/pmemctl.conf.d/30-c.conf~", "[jobs]\nparallel = 6\n");
	tree_file(&tree, "etc/pmemctl/pmemctl.conf.d/.hidden.conf", "[jobs]\nparallel = 7\n");
	tree_file(&tree, "srv/elsewhere", "[rate]\nburst = 8\n");
	tree_link(&tree, "etc/pmemctl/pmemctl.conf.d/40-d.conf", "../../../srv/elsewhere");
	assert_int_equal(pme_conf_load(&tree.os, &tree.log, &conf), 0);
	assert_int_equal(tree.log.count, 0);
	assert_int_equal(conf.jobs.parallel, 5);
	assert_int_equal(conf.jobs.retry, 3000);
	assert_int_equal(conf.rate.burst, 8);
}

static void no_file_is_no_error(void **state)
{
	_cleanup_(tree_done) struct tree tree;
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};

	tree_init(&tree);
	assert_int_equal(pme_conf_load(&tree.os, &tree.log, &conf), 0);
	assert_int_equal(tree.log.count, 0);
	assert_int_equal(conf.jobs.parallel, 2);
}

/* What pme_conf_load() says of the tree after @mode was given to @path. */
static void expect_refused(const char *path, mode_t mode, const char *subject, const char *text)
{
	_cleanup_(tree_done) struct tree tree;
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	_cleanup_free_ char *name = NULL;

	tree_init(&tree);
	tree_file(&tree, file, "[jobs]\nparallel = 3\n");
	tree_file(&tree, "etc/pmemctl/pmemctl.conf.d/a.conf", "[jobs]\nparallel = 4\n");
	name = pme_printf("%s/%s", tree.path, path);
	assert_int_equal(chmod(name, mode), 0);
	assert_int_equal(pme_conf_load(&tree.os, &tree.log, &conf), -EINVAL);
	assert_string_equal(tree_message(&tree, subject), text);
}

static void files_of_others_are_refused(void **state)
{
	static const char drop_in[] = "etc/pmemctl/pmemctl.conf.d/a.conf";

	expect_refused(file, 0664, "/etc/pmemctl/pmemctl.conf",
		       "can be written by others than root (mode 0664): not used");
	expect_refused(drop_in, 0646, "/etc/pmemctl/pmemctl.conf.d/a.conf",
		       "can be written by others than root (mode 0646): not used");
	expect_refused("etc/pmemctl/pmemctl.conf.d", 0777, "/etc/pmemctl/pmemctl.conf.d",
		       "can be written by others than root (mode 0777): not used");
}

static void odd_files_are_refused(void **state)
{
	_cleanup_(tree_done) struct tree tree;
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	_cleanup_free_ char *fifo = NULL;

	tree_init(&tree);
	tree_dir(&tree, file);
	tree_dir(&tree, "etc/pmemctl/pmemctl.conf.d");
	tree_link(&tree, "etc/pmemctl/pmemctl.conf.d/lost.conf", "nowhere");
	fifo = pme_printf("%s/etc/pmemctl/pmemctl.conf.d/fifo.conf", tree.path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(pme_conf_load(&tree.os, &tree.log, &conf), -EINVAL);
	assert_int_equal(tree.log.count, 3);
	assert_string_equal(tree_message(&tree, "/etc/pmemctl/pmemctl.conf"), "is no regular file");
	assert_string_equal(tree_message(&tree, "/etc/pmemctl/pmemctl.conf.d/fifo.conf"),
			    "is no regular file");
	assert_string_equal(tree_message(&tree, "/etc/pmemctl/pmemctl.conf.d"),
			    "lost.conf: points nowhere");
}

static void settings_are_checked_together(void **state)
{
	_cleanup_(tree_done) struct tree tree;
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};

	tree_init(&tree);
	tree_file(&tree, file, "[jobs]\nretry = 2h\n");
	assert_int_equal(pme_conf_load(&tree.os, &tree.log, &conf), -EINVAL);
	assert_string_equal(tree.log.messages[0].text, "[jobs] retry_max is shorter than retry");
}

static void json_says_where_it_was_set(void **state)
{
	_cleanup_(pme_log_done) struct pme_log log = {0};
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	struct json_object *doc = pme_json_object(), *settings, *setting;

	assert_int_equal(
		parse("[watch]\nreread = 90\n[repair \"/srv\"]\nauto = exact\n", &log, &conf), 0);
	pme_conf_json(&conf, doc);
	settings = pme_json_get(doc, "settings");
	assert_int_equal(pme_json_count(settings), pme_conf_count + 1);
	setting = pme_json_at(settings, 1);
	assert_string_equal(pme_json_get_text(setting, "setting"), "reread");
	assert_string_equal(pme_json_get_text(setting, "value"), "90s");
	assert_string_equal(pme_json_get_text(setting, "default"), "1min");
	assert_string_equal(pme_json_get_text(setting, "file"), "file");
	assert_int_equal(pme_json_get_number(setting, "line"), 2);
	assert_null(pme_json_get(pme_json_at(settings, 0), "file"));
	setting = pme_json_at(settings, pme_conf_count);
	assert_string_equal(pme_json_get_text(setting, "path"), "/srv");
	assert_string_equal(pme_json_get_text(setting, "value"), "exact");
	json_object_put(doc);
}

/* The file without the '#' of what it has commented out: "#name = value", "#[section]". */
static char *uncomment(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		bool start = from == text || from[-1] == '\n';

		if (!(start && from[0] == '#' &&
		      (from[1] == '[' || (from[1] >= 'a' && from[1] <= 'z'))))
			*to++ = *from;
	}
	*to = '\0';
	return text;
}

static void the_example_is_the_table(void **state)
{
	_cleanup_(pme_log_done) struct pme_log log = {0};
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	_cleanup_free_ char *text = NULL;
	struct pme_os os;
	size_t len;

	if (!getenv("SRCDIR"))
		skip();
	assert_int_equal(pme_os_open_root(getenv("SRCDIR"), &os), 0);
	assert_int_equal(pme_os_read_file(&os, "conf/pmemctl.conf", 1 << 20, &text, &len), 0);
	pme_os_close(&os);
	assert_int_equal(pme_conf_defaults(&conf), 0);
	assert_int_equal(pme_conf_parse(text, len, "as it is", &log, &conf), 0);
	for (size_t i = 0; i < pme_conf_count; i++)
		assert_null(conf.origins[i].file);
	pme_conf_done(&conf);
	assert_int_equal(parse(uncomment(text), &log, &conf), 0);
	assert_int_equal(log.count, 0);
	assert_int_equal(conf.repair.n_paths, 1);
	for (size_t i = 0; i < pme_conf_count; i++) {
		const struct pme_conf_setting *setting = &pme_conf_settings[i];
		_cleanup_free_ char *value = pme_conf_value_text(setting, &conf);
		_cleanup_free_ char *limits =
			setting->least ? pme_printf(" (%s to %s)", setting->least, setting->most)
				       : strdup("");
		_cleanup_free_ char *help = pme_printf("# %s%s.\n", setting->about, limits);

		assert_non_null(conf.origins[i].file);
		assert_string_equal(value, setting->standard);
		assert_non_null(strstr(text, help));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_table),
		cmocka_unit_test(durations_have_units),
		cmocka_unit_test(settings_are_read),
		cmocka_unit_test(addresses_of_mail),
		cmocka_unit_test(paths_of_repair),
		cmocka_unit_test(whatever_is_wrong_is_said),
		cmocka_unit_test(all_errors_of_a_file_are_said),
		cmocka_unit_test(a_file_of_noise_has_an_end),
		cmocka_unit_test(a_line_that_would_be_cut_is_refused),
		cmocka_unit_test(twice_in_a_file_is_a_warning),
		cmocka_unit_test(drop_ins_come_later_in_their_order),
		cmocka_unit_test(no_file_is_no_error),
		cmocka_unit_test(files_of_others_are_refused),
		cmocka_unit_test(odd_files_are_refused),
		cmocka_unit_test(settings_are_checked_together),
		cmocka_unit_test(json_says_where_it_was_set),
		cmocka_unit_test(the_example_is_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
