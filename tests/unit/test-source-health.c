/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/source-health.c over a made-up DIMM, with a shell script for pmemctl.  A file of a made-up
 * tree cannot be polled: the test keeps who would have been called, and calls.
 */
#include <fcntl.h>

#include "../../daemon/keeper.h"
#include "../../daemon/process.h"
#include "../../daemon/source.h"
#include "check.h"
#include "doc.h"
#include "tree.h"

#define SECOND 1000000ULL

static struct {
	sd_event_io_handler_t handler;
	void *arg;
	int fd;
	unsigned int answers;
} flags;

int __real_sd_event_add_io(sd_event *loop, sd_event_source **ret, int fd, uint32_t events,
			   sd_event_io_handler_t handler, void *arg);
int __wrap_sd_event_add_io(sd_event *loop, sd_event_source **ret, int fd, uint32_t events,
			   sd_event_io_handler_t handler, void *arg);

int __wrap_sd_event_add_io(sd_event *loop, sd_event_source **ret, int fd, uint32_t events,
			   sd_event_io_handler_t handler, void *arg)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return __real_sd_event_add_io(loop, ret, fd, events, handler, arg);
	flags.handler = handler;
	flags.arg = arg;
	flags.fd = fd;
	return 0;
}

void pmed_tell(struct pmed *d, struct json_object *event)
{
	json_object_put(event);
}

void pmed_keeper_keep(struct pmed *d, struct json_object *changes)
{
	flags.answers++;
	json_object_put(changes);
}

static bool runs_until(struct pmed *d, bool (*there)(const struct pmed *d), uint64_t usec)
{
	for (uint64_t end = pmed_clock() + usec; pmed_clock() < end && !there(d);)
		assert_true(sd_event_run(d->loop, SECOND / 50) >= 0);
	return there(d);
}

static bool has_begun(const struct pmed *d)
{
	return pme_os_exists(&d->os, "begun") == 1;
}

static bool has_answered(const struct pmed *d)
{
	return flags.answers >= 1;
}

static bool has_answered_twice(const struct pmed *d)
{
	return flags.answers >= 2;
}

/* A DIMM says something while it is asked: what the question found may be of before. */
static void test_notice_meanwhile(void **state)
{
	struct tree tree;
	struct pmed d = {0};
	struct pmed_source source = {.kind = &pmed_source_health, .daemon = &d};
	_cleanup_free_ char *reason = NULL, *program = NULL, *script = NULL;

	tree_init(&tree);
	d.os = tree.os;
	d.conf.health.interval = 3600000;
	d.conf.jobs.deadline = 60000;
	d.program = program = pme_printf("%s/bin/worker", tree.path);
	script = pme_printf("#!/bin/sh\ncd %s; touch begun\n"
			    "while [ ! -e sys/go ]; do sleep 0.05; done\n"
			    "echo '{\"format\":\"pmemctl.list\",\"health\":[{\"name\":\"nmem0\","
			    "\"available\":true}]}'\n",
			    tree.path);
	tree_file(&tree, "bin/worker", script);
	assert_int_equal(chmod(program, 0755), 0);
	tree_file(&tree, "sys/bus/nd/devices/nmem0/nfit/flags", "\n");
	assert_int_equal(sd_event_new(&d.loop), 0);
	assert_int_equal(source.kind->start(&source, &reason), 0);
	assert_true(runs_until(&d, has_begun, 30 * SECOND));
	assert_int_equal(flags.handler(NULL, flags.fd, 0, flags.arg), 0);
	assert_false(runs_until(&d, has_answered, SECOND)); /* the question is due, and cannot be */
	tree_file(&tree, "sys/go", "");
	assert_true(runs_until(&d, has_answered_twice, 30 * SECOND));
	source.kind->stop(&source);
	pmed_process_end_all(10000);
	sd_event_unref(d.loop);
	tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notice_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
