/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of daemon/sink-hooks.c, sink-mail.c and sink-program.c, with real programs: shell
 * scripts in a directory of the test.  Whose files are is made up, so that no root is needed.
 */
#include "check.h"
#include "keeper.h"
#include "sink-events.h"
#include "sink-mail.h"
#include "sink.h"

#include <sys/stat.h>
#include <sys/wait.h>

static char directory[] = "/tmp/pmemctl-sinks-XXXXXX";
static char *outcomes;
static size_t n_outcomes;
static const char *stranger; /* part of a path that belongs to nobody good */
static mode_t more_mode;     /* of that */
static struct pmed watch;

const struct pmed_sink_kind *const pmed_sink_kinds[] = {&pmed_sink_hooks, &pmed_sink_mail, NULL};

int __real_pme_os_stat(const struct pme_os *os, const char *path, bool follow, struct stat *ret);
int __wrap_pme_os_stat(const struct pme_os *os, const char *path, bool follow, struct stat *ret);
int __wrap_pme_os_stat(const struct pme_os *os, const char *path, bool follow, struct stat *ret)
{
	int r = __real_pme_os_stat(os, path, follow, ret);

	if (r == 0) {
		bool bad = stranger && strlen(path) >= strlen(stranger) &&
			   strcmp(path + strlen(path) - strlen(stranger), stranger) == 0;

		ret->st_uid = bad && !more_mode ? 1000 : 0;
		if (bad)
			ret->st_mode |= more_mode;
	}
	return r;
}

void __wrap_pmed_tell(struct pmed *d, struct json_object *event);
void __wrap_pmed_tell(struct pmed *d, struct json_object *event)
{
	json_object_put(event);
}

void __wrap_pmed_keeper_keep(struct pmed *d, struct json_object *changes);
void __wrap_pmed_keeper_keep(struct pmed *d, struct json_object *changes)
{
	struct json_object *row = pme_json_get(pme_json_at(changes, 0), "row");
	_cleanup_free_ char *word = pme_printf(
		"%s=%s;", pme_json_get_text(row, "sink"),
		pme_json_get(row, "error") ? pme_json_get_text(row, "error") : "delivered");

	words_add(&outcomes, word);
	n_outcomes++;
	json_object_put(changes);
}

static void run(const char *fmt, ...) _printf_(1, 2);
static void run(const char *fmt, ...)
{
	char command[2000];
	va_list ap;

	va_start(ap, fmt);
	assert_true(vsnprintf(command, sizeof(command), fmt, ap) < (int)sizeof(command));
	va_end(ap);
	assert_int_equal(system(command), 0);
}

static void hook(const char *name, const char *body)
{
	run("printf '%%s\\n' '#!/bin/sh' 'cd %s' '%s' >%s/hooks.d/%s && chmod 755 %s/hooks.d/%s",
	    directory, body, directory, name, directory, name);
}

static int begin(void **state)
{
	static char hooks[64], command[64], to[] = "root", from[] = "pmem@example.org";

	memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
	assert_non_null(mkdtemp(directory));
	snprintf(hooks, sizeof(hooks), "%s/hooks.d", directory);
	snprintf(command, sizeof(command), "%s/sendmail", directory);
	assert_int_equal(mkdir(hooks, 0755), 0);
	watch = (struct pmed){
		.conf = {.hooks = {.enabled = true,
				   .directory = hooks,
				   .deadline = 30000,
				   .severity = PME_EVENT_INFO},
			 .mail = {.to = to,
				  .from = from,
				  .command = command,
				  .severity = PME_EVENT_CRITICAL}},
	};
	stranger = NULL;
	more_mode = 0;
	n_outcomes = 0;
	assert_int_equal(pme_os_open_root("/", &watch.os), 0);
	assert_int_equal(sd_event_new(&watch.loop), 0);
	return 0;
}

static int end(void **state)
{
	pmed_sinks_stop(&watch);
	sd_event_unref(watch.loop);
	pme_os_close(&watch.os);
	free(outcomes);
	outcomes = NULL;
	run("rm -rf %s", directory);
	return 0;
}

static void tell(struct json_object *event)
{
	pmed_sinks_deliver(&watch, event);
	json_object_put(event);
}

static void wait_for(size_t count)
{
	while (n_outcomes < count)
		assert_true(sd_event_run(watch.loop, 30 * 1000000) > 0);
}

static struct json_object *notice(int64_t id, const char *text)
{
	return pme_event_new(id, PME_EVENT_HEALTH, PME_EVENT_NOTICE, text);
}

static void hooks_run_in_order_with_a_clean_environment(void **state)
{
	struct json_object *event = event_of(9, PME_EVENT_FINDING_ADDED, "ns:1", "one:lost");

	setenv("PMEMCTL_LEAK", "yes", 1);
	hook("20-env", "env | sort >env");
	hook("10-input", "cat >input");
	hook("30-off", "touch off");
	run("chmod 644 %s/hooks.d/30-off && cp %s/hooks.d/30-off %s/hooks.d/.hidden && "
	    "chmod 755 %s/hooks.d/.hidden",
	    directory, directory, directory, directory);
	watch.conf.mail.to[0] = '\0';
	assert_int_equal(pmed_sinks_start(&watch), 0);
	tell(event);
	wait_for(2);
	watch.conf.mail.to[0] = 'r';
	assert_non_null(strstr(outcomes, "hooks/10-input=delivered;"));
	assert_non_null(strstr(outcomes, "hooks/20-env=delivered;"));
	run("cd %s && ! test -e off && grep -q '\"pmemctl.event\"' input && "
	    "grep -v ^PWD= env | grep -v ^_= >env2; printf '%%s\\n' LANG=C.UTF-8 "
	    "PATH=/usr/sbin:/usr/bin:/sbin:/bin PMEMCTL_DEVICE=pmem0 PMEMCTL_EVENT_ID=9 "
	    "PMEMCTL_INCIDENT= PMEMCTL_NAMESPACE=namespace0.0 PMEMCTL_SEVERITY=critical "
	    "'PMEMCTL_TEXT=2 bad ranges on pmem0' PMEMCTL_TYPE=finding-added | LC_ALL=C sort "
	    ">want; "
	    "grep -v -e ^SHLVL= -e ^OLDPWD= env2 | LC_ALL=C sort | cmp - want",
	    directory);
}

static void what_others_may_write_is_not_run(void **state)
{
	static const struct {
		const char *stranger;
		mode_t mode;
		const char *said;
	} cases[] = {
		{"/10-bad", 0, "10-bad does not belong to root"},
		{"/10-bad", S_IWGRP, "10-bad is writable for others than root"},
		{"/10-bad", S_IWOTH, "10-bad is writable for others than root"},
		{"/hooks.d", 0, "hooks.d does not belong to root"},
		{"/hooks.d", S_IWOTH, "hooks.d is writable for others than root"},
	};

	hook("10-bad", "touch ran");
	assert_int_equal(pmed_sinks_start(&watch), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = pme_printf("event %zu", i);

		stranger = cases[i].stranger;
		more_mode = cases[i].mode;
		free(pme_take_ptr(outcomes));
		tell(notice((int64_t)i + 1, text));
		wait_for(i + 1);
		assert_non_null(strstr(outcomes, cases[i].said));
	}
	run("! test -e %s/ran", directory);
	run("cd %s && mv hooks.d/10-bad target && ln -s ../target hooks.d/10-bad", directory);
	stranger = NULL;
	tell(notice(50, "a link"));
	wait_for(PME_ARRAY_SIZE(cases) + 1);
	assert_non_null(strstr(outcomes, "10-bad is no regular file"));
	run("! test -e %s/ran", directory);
}

static void hooks_that_fail_say_why(void **state)
{
	hook("10-fails", "echo out of paper >&2; exit 3");
	hook("20-dies", "kill -9 $$");
	assert_int_equal(pmed_sinks_start(&watch), 0);
	tell(notice(1, "x"));
	wait_for(2);
	assert_non_null(strstr(outcomes, "10-fails ended with status 3: out of paper;"));
	assert_non_null(strstr(outcomes, "20-dies: Killed;"));
}

/* Why the hooks do not work, as the watch document says; allocated, or NULL. */
static char *trouble(void)
{
	struct json_object *doc = json_object_new_object(), *sinks;
	char *why = NULL;

	pmed_sinks_json(&watch, doc);
	sinks = pme_json_get(doc, "sinks");
	for (size_t i = 0; i < pme_json_count(sinks); i++) {
		struct json_object *sink = pme_json_at(sinks, i);

		if (strcmp(pme_json_get_text(sink, "name"), "hooks") == 0 &&
		    pme_json_get(sink, "reason"))
			why = strdup(pme_json_get_text(sink, "reason"));
	}
	json_object_put(doc);
	return why;
}

/* A name of their own for each version, say: those of before do not count for ever. */
static void hooks_come_and_go(void **state)
{
	hook("hook-0", "true");
	assert_int_equal(pmed_sinks_start(&watch), 0);
	for (size_t i = 0; i < 70; i++) {
		_cleanup_free_ char *text = pme_printf("event %zu", i);

		run("mv %s/hooks.d/hook-* %s/hooks.d/hook-%zu 2>/dev/null || true", directory,
		    directory, i);
		tell(notice((int64_t)i + 1, text));
		wait_for(i + 1);
	}
	assert_non_null(strstr(outcomes, "hooks/hook-69=delivered;"));
}

static void a_good_hook_does_not_hide_a_bad_one(void **state)
{
	static const struct {
		const char *change, *why;
		size_t more; /* outcomes */
	} steps[] = {
		{"true", "20-fails: ", 3},
		{"chmod 644 %s/hooks.d/20-fails", NULL, 2},
		{"chmod 755 %s/hooks.d/20-fails", "20-fails: ", 3},
		{"rm %s/hooks.d/20-fails", NULL, 2},
		{"ln -s 10-good %s/hooks.d/40-link", "40-link is no regular file", 3},
		{"rm %s/hooks.d/40-link", NULL, 2},
	};
	size_t waited = 0;

	hook("10-good", "true");
	hook("20-fails", "exit 3");
	hook("30-good", "true");
	assert_int_equal(pmed_sinks_start(&watch), 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(steps); i++) {
		_cleanup_free_ char *text = pme_printf("event %zu", i), *why = NULL;

		run(steps[i].change, directory);
		tell(notice((int64_t)i + 1, text));
		waited += steps[i].more;
		wait_for(waited);
		why = trouble();
		assert_int_equal(why != NULL, steps[i].why != NULL);
		if (why)
			assert_non_null(strstr(why, steps[i].why));
	}
}

static void hooks_that_do_not_end_are_killed_with_their_children(void **state)
{
	watch.conf.hooks.deadline = 300;
	hook("10-hangs", "sleep 1000 & echo $! >child; wait");
	assert_int_equal(pmed_sinks_start(&watch), 0);
	tell(notice(1, "x"));
	wait_for(1);
	assert_non_null(strstr(outcomes, "was killed: it ran longer than 300 ms"));
	run("! test -s %s/child || for i in $(seq 100); do kill -0 $(cat %s/child) 2>/dev/null || "
	    "exit 0; sleep 0.1; done",
	    directory, directory);
}

static void one_at_a_time_and_no_more_than_fit(void **state)
{
	hook("10-slow", "read x <fifo; mkdir lock && rmdir lock");
	run("mkfifo %s/fifo", directory);
	assert_int_equal(pmed_sinks_start(&watch), 0);
	for (int i = 0; i < 60; i++) {
		_cleanup_free_ char *text = pme_printf("event %d", i);

		tell(notice(i + 1, text));
		assert_true(sd_event_run(watch.loop, 0) >= 0);
	}
	/* More than the queue of the hook holds. */
	for (int i = 60; i < 120; i++) {
		_cleanup_free_ char *text = pme_printf("event %d", i);

		tell(notice(i + 1, text));
		for (int n = 0; n < 3; n++)
			assert_true(sd_event_run(watch.loop, 10000) >= 0);
	}
	for (unsigned int n = 1; !outcomes || !strstr(outcomes, "too many events wait for it"); n++)
		wait_for(n);
	assert_null(strstr(outcomes, "delivered"));
}

/* What waits when it ends is not forgotten: it is a failure like others. */
static void what_is_dropped_is_said(void **state)
{
	struct json_object *doc = pme_json_object();
	static char nobody[] = "";

	run("printf '%%s\\n' '#!/bin/sh' 'echo x >>%s/ran; exec sleep 1000' >%s/sendmail; "
	    "chmod 755 %s/sendmail",
	    directory, directory, directory);
	watch.conf.hooks.enabled = false;
	assert_int_equal(pmed_sinks_start(&watch), 0);
	for (int i = 1; i <= 3; i++)
		tell(pme_event_new(i, PME_EVENT_HEALTH, PME_EVENT_CRITICAL, i == 1 ? "a" : "b"));
	assert_string_equal(outcomes, "mail=suppressed: it was told already; ");
	watch.conf.mail.to = nobody;
	assert_int_equal(pmed_sinks_reload(&watch), 0);
	assert_string_equal(outcomes, "mail=suppressed: it was told already; "
				      "mail=dropped: reloaded; mail=dropped: reloaded; ");
	pmed_sinks_json(&watch, doc);
	assert_int_equal(pme_json_get_number(pme_json_at(pme_json_get(doc, "sinks"), 1), "failed"),
			 2);
	json_object_put(doc);
	/* It was not told, so it is no repetition. */
	watch.conf.mail.to = watch.conf.mail.from;
	assert_int_equal(pmed_sinks_reload(&watch), 0);
	tell(pme_event_new(4, PME_EVENT_HEALTH, PME_EVENT_CRITICAL, "b"));
	pmed_sinks_stop(&watch);
	assert_string_equal(outcomes, "mail=suppressed: it was told already; "
				      "mail=dropped: reloaded; mail=dropped: reloaded; "
				      "mail=dropped: the watch ended; ");
}

/* What waits, and what runs, is not lost to a reload; it meets the new settings. */
static void a_reload_keeps_what_waits(void **state)
{
	static char other[80], new_hooks[80];

	run("printf '%%s\\n' '#!/bin/sh' 'until test -e %s/go; do sleep 0.05; done; cat >>%s/mail' "
	    ">%s/sendmail; chmod 755 %s/sendmail; cp %s/sendmail %s/other; cp -r %s/hooks.d "
	    "%s/new.d",
	    directory, directory, directory, directory, directory, directory, directory, directory);
	hook("10-slow", "until test -e go; do sleep 0.05; done; echo old >>ran");
	run("printf '%%s\\n' '#!/bin/sh' 'echo new >>%s/ran' >%s/new.d/10-slow; chmod 755 "
	    "%s/new.d/*",
	    directory, directory, directory);
	snprintf(other, sizeof(other), "%s/other", directory);
	snprintf(new_hooks, sizeof(new_hooks), "%s/new.d", directory);
	assert_int_equal(pmed_sinks_start(&watch), 0);
	for (int i = 1; i <= 3; i++) {
		_cleanup_free_ char *text = pme_printf("event %d", i);

		tell(pme_event_new(i, PME_EVENT_HEALTH, PME_EVENT_CRITICAL, text));
	}
	run("for i in $(seq 200); do pgrep -f %s/hooks.d/10-slow >%s/pid && exit; sleep 0.05; done",
	    directory, directory);
	watch.conf.mail.to = watch.conf.mail.from;
	watch.conf.mail.command = other;
	watch.conf.hooks.directory = new_hooks;
	watch.conf.hooks.deadline = 20000;
	assert_int_equal(pmed_sinks_reload(&watch), 0);
	assert_int_equal(n_outcomes, 0);
	tell(pme_event_new(4, PME_EVENT_HEALTH, PME_EVENT_CRITICAL, "event 4"));
	run("touch %s/go", directory);
	wait_for(8);
	assert_null(strstr(outcomes, "dropped"));
	run("cd %s && grep -c '^To: root$' mail | grep -qx 3 && grep -c '^To: pmem@' mail | "
	    "grep -qx 1 && grep -c old ran | grep -qx 1 && tail -n 1 ran | grep -qx new",
	    directory);
}

static void hooks_that_are_not_known_yet_are_dropped_aloud(void **state)
{
	hook("10-slow", "exec sleep 1000");
	assert_int_equal(pmed_sinks_start(&watch), 0);
	tell(notice(1, "one"));
	pmed_sinks_stop(&watch);
	assert_int_equal(n_outcomes, 1);
	assert_non_null(strstr(outcomes, "hooks=dropped: the watch ended;"));
}

/* The run before ended when one hook had it, and another one was still at work. */
static void a_hook_that_was_at_work_is_run_again(void **state)
{
	struct json_object *row = pme_json_object(), *untold = pme_json_array();

	hook("10-done", "echo x >>ran");
	hook("20-at-work", "true");
	pme_json_set(row, "event", notice(1, "one"));
	pme_json_set(row, "sinks", json_tokener_parse("[\"hooks/10-done\"]"));
	pme_json_set(row, "dropped", json_tokener_parse("[\"hooks/20-at-work\"]"));
	pme_json_append(untold, row);
	assert_int_equal(pmed_sinks_start(&watch), 0);
	pmed_sinks_again(&watch, untold);
	json_object_put(untold);
	tell(notice(2, "two"));
	wait_for(3);
	assert_non_null(strstr(outcomes, "hooks/20-at-work=delivered;"));
	run("cd %s && test $(wc -l <ran) = 1", directory);
}

static void mail_is_sent(void **state)
{
	struct json_object *event = event_of(9, PME_EVENT_FINDING_ADDED, "ns:1", "one:lost");

	run("printf '%%s\\n' '#!/bin/sh' 'echo \"$@\" >%s/args; cat >%s/mail' >%s/sendmail; "
	    "chmod 755 %s/sendmail",
	    directory, directory, directory, directory);
	assert_int_equal(pmed_sinks_start(&watch), 0);
	tell(notice(8, "not severe enough"));
	tell(event);
	wait_for(1);
	assert_string_equal(outcomes, "mail=delivered; ");
	run("cd %s && grep -qx -- '-t -i' args && grep -qx 'To: root' mail && "
	    "grep -qx 'From: pmem@example.org' mail && grep -q '^2 bad ranges on pmem0$' mail",
	    directory);
}

static void a_missing_sendmail_is_said(void **state)
{
	assert_int_equal(pmed_sinks_start(&watch), 0);
	tell(event_of(9, PME_EVENT_FINDING_ADDED, "ns:1", "one:lost"));
	wait_for(1);
	assert_non_null(strstr(outcomes, "mail="));
	assert_non_null(strstr(outcomes, "sendmail"));
	assert_non_null(strstr(outcomes, "No such file or directory"));
}

static void no_name_adds_a_header(void **state)
{
	const struct pmed_mail mail = {.to = "root\nBcc: all", .from = "", .host = "host\r\nX: y"};
	struct json_object *event =
		pme_event_new(1767323045000000, PME_EVENT_HEALTH, PME_EVENT_ERROR,
			      "pmem0\nBcc: everybody\n\nbody \xc3\xa9");
	_cleanup_free_ char *text = NULL, *head = NULL;

	event_add_file(event, "/srv/a\n.\nFrom x");
	text = pmed_mail_text(&mail, event);
	assert_non_null(text);
	assert_non_null(strstr(text, "\n\n"));
	head = strndup(text, (size_t)(strstr(text, "\n\n") - text));
	assert_null(strstr(head, "\nBcc"));
	assert_null(strstr(head, "\nX:"));
	assert_null(strchr(head, '\r'));
	assert_non_null(strstr(head, "\nSubject: =?UTF-8?B?"));
	assert_non_null(strstr(head, "\nAuto-Submitted: auto-generated\n"));
	assert_non_null(strstr(head, "\nDate: Fri, 02 Jan 2026 03:04:05 +0000\n"));
	assert_non_null(strstr(head, "\nMessage-ID: <pmemctl.1767323045000000.health@hostXy>\n"));
	assert_non_null(strstr(text, "/srv/a?.?From x\n"));
	json_object_put(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(hooks_run_in_order_with_a_clean_environment),
		TEST(what_others_may_write_is_not_run),
		TEST(hooks_that_fail_say_why),
		TEST(hooks_come_and_go),
		TEST(a_good_hook_does_not_hide_a_bad_one),
		TEST(hooks_that_do_not_end_are_killed_with_their_children),
		TEST(one_at_a_time_and_no_more_than_fit),
		TEST(what_is_dropped_is_said),
		TEST(a_reload_keeps_what_waits),
		TEST(hooks_that_are_not_known_yet_are_dropped_aloud),
		TEST(a_hook_that_was_at_work_is_run_again),
		TEST(mail_is_sent),
		TEST(a_missing_sendmail_is_said),
		cmocka_unit_test(no_name_adds_a_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
