/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/scrub.c with a table of steps, and source-scrub.c over a made-up bus whose file changes.
 */
#include "scrub.h"

#include <fcntl.h>

#include "../../daemon/source.h"
#include "ars.h"
#include "check.h"
#include "doc.h"
#include "tree.h"

static struct {
	char hints[256], events[256];
} got;

void pmed_hint(struct pmed *d, enum pmed_hint what, const char *name)
{
	size_t len = strlen(got.hints);

	snprintf(got.hints + len, sizeof(got.hints) - len, "%d:%s ", (int)what, name ? name : "-");
}

void pmed_tell(struct pmed *d, struct json_object *event)
{
	size_t len = strlen(got.events);

	snprintf(got.events + len, sizeof(got.events) - len, "%s:%s:%llu ",
		 pme_json_get_text(event, "type"),
		 pme_json_get_text(pme_json_get(event, "device"), "name"),
		 (unsigned long long)pme_json_get_number(pme_json_get(event, "detail"), "count"));
	json_object_put(event);
}

static void test_parse(void **state)
{
	static const char *const bad[] = {
		"", "\n", "+", "x", "1 ", "1++", "-1", "1+\n\n", "18446744073709551616"};
	uint64_t count = 0;
	bool busy = false;

	assert_int_equal(pme_ars_parse("7\n", 2, &count, &busy), 0);
	assert_true(count == 7 && !busy);
	assert_int_equal(pme_ars_parse("8+\n", 3, &count, &busy), 0);
	assert_true(count == 8 && busy);
	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++)
		assert_int_equal(pme_ars_parse(bad[i], strlen(bad[i]), &count, &busy), -EINVAL);
}

static void test_steps(void **state)
{
	static const struct {
		uint64_t count;
		bool busy;
		unsigned int what;
		int64_t last;
	} steps[] = {
		{3, false, 0, 0},
		{3, false, 0, 0},
		{3, true, PMED_SCRUB_STARTED, 0},
		{3, true, 0, 0},
		{4, false, PMED_SCRUB_FINISHED, 104},
		{6, false, PMED_SCRUB_FINISHED, 105}, /* two at once are one */
		{7, true, PMED_SCRUB_FINISHED | PMED_SCRUB_STARTED, 106},
		{8, true, PMED_SCRUB_FINISHED | PMED_SCRUB_STARTED, 107},
		{1, false, 0, 107}, /* the bus is another one */
	};
	struct pmed_scrub scrub = {0};

	for (size_t i = 0; i < PME_ARRAY_SIZE(steps); i++) {
		assert_int_equal(
			pmed_scrub_step(&scrub, steps[i].count, steps[i].busy, 100 + (int64_t)i),
			steps[i].what);
		assert_int_equal(scrub.last, steps[i].last);
		assert_int_equal(scrub.started != 0, steps[i].busy);
	}
}

/* As the kernel changes it: without truncating. */
static void change(struct tree *tree, const char *text)
{
	_cleanup_close_ int fd =
		openat(tree->os.root, "sys/bus/nd/devices/ndbus0/nfit/scrub", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void run_until_event(struct pmed *d)
{
	for (int i = 0; i < 20 && !*got.events; i++)
		assert_true(sd_event_run(d->loop, 1000000) >= 0);
}

static void test_source(void **state)
{
	struct tree tree;
	struct pmed d = {0};
	struct pmed_source source = {.kind = &pmed_source_scrub, .daemon = &d};
	_cleanup_free_ char *reason = NULL;
	struct json_object *scrub;

	tree_init(&tree);
	d.os = tree.os;
	assert_int_equal(sd_event_new(&d.loop), 0);
	assert_true(source.kind->start(&source, &reason) < 0);
	assert_non_null(reason);
	tree_file(&tree, "sys/bus/nd/devices/ndbus0/nfit/scrub", "5 ");
	change(&tree, "5\n");
	tree_link(&tree, "sys/bus/nd/devices/region0", "../../../devices/x/ndbus0/region0");
	tree_link(&tree, "sys/bus/nd/devices/region1", "../../../devices/x/ndbus1/region1");
	tree_link(&tree, "sys/bus/nd/devices/nmem0", "../../../devices/x/ndbus0/nmem0");
	assert_int_equal(source.kind->start(&source, &reason), 0);
	change(&tree, "5+");
	run_until_event(&d);
	assert_string_equal(got.events, "scrub-started:ndbus0:5 ");
	assert_string_equal(got.hints, "");
	*got.events = '\0';
	change(&tree, "6\n");
	run_until_event(&d);
	assert_string_equal(got.events, "scrub-finished:ndbus0:6 ");
	assert_string_equal(got.hints, "0:region0 ");
	scrub = pmed_scrub_json(&d, "region0");
	assert_string_equal(pme_json_get_text(scrub, "state"), "idle");
	assert_int_equal(pme_json_get_number(scrub, "count"), 6);
	assert_non_null(pme_json_get(scrub, "last"));
	json_object_put(scrub);
	assert_null(pmed_scrub_json(&d, "region1"));
	source.kind->again(&source);
	/* the bus is unbound and bound again before anybody looks */
	assert_int_equal(unlinkat(tree.os.root, "sys/bus/nd/devices/ndbus0/nfit/scrub", 0), 0);
	tree_file(&tree, "sys/bus/nd/devices/ndbus0/nfit/scrub", "1 ");
	change(&tree, "1\n");
	source.kind->again(&source);
	*got.events = '\0';
	change(&tree, "1+");
	run_until_event(&d);
	assert_string_equal(got.events, "scrub-started:ndbus0:1 ");
	source.kind->again(&source);
	scrub = pmed_scrub_json(&d, "region0");
	assert_int_equal(pme_json_get_number(scrub, "count"), 1);
	json_object_put(scrub);
	source.kind->stop(&source);
	assert_null(pmed_scrub_json(&d, "region0"));
	sd_event_unref(d.loop);
	tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
