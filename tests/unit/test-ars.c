/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/ars.c and ars-run.c: the attribute, waiting for a bus that never was, and what is new.
 */
#include "ars-run.h"

#include "check.h"
#include "doc.h"
#include "tree.h"

#define SCRUB "sys/bus/nd/devices/ndbus0/nfit/scrub"

static void test_parse(void **state)
{
	static const char *const bad[] = {
		"", "\n", "+\n", "x", "-1", "1 +", "1++", "1\n\n", "99999999999999999999"};
	uint64_t count = 0;
	bool busy = true;

	assert_int_equal(pme_ars_parse("7\n", 2, &count, &busy), 0);
	assert_int_equal(count, 7);
	assert_false(busy);
	assert_int_equal(pme_ars_parse("8+\n", 3, &count, &busy), 0);
	assert_int_equal(count, 8);
	assert_true(busy);
	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++)
		assert_int_equal(pme_ars_parse(bad[i], strlen(bad[i]), &count, &busy), -EINVAL);
}

static void test_wait(void **state)
{
	struct pme_ars ars = {0};
	struct tree tree;

	tree_init(&tree);
	assert_int_equal(pme_ars_wait(&tree.topo, "ndbus0", 0, &ars), -EOPNOTSUPP);
	tree_file(&tree, SCRUB, "3\n");
	assert_int_equal(pme_ars_wait(&tree.topo, "ndbus0", UINT64_MAX, &ars), 0);
	assert_int_equal(ars.count, 3);
	tree_file(&tree, SCRUB, "3+\n");
	assert_int_equal(pme_ars_wait(&tree.topo, "ndbus0", 0, &ars), -ETIME);
	assert_true(ars.busy);
	tree_file(&tree, SCRUB, "soon\n");
	assert_int_equal(pme_ars_wait(&tree.topo, "ndbus0", 0, &ars), -EINVAL);
	/* no libndctl, no bus */
	assert_int_equal(pme_ars_look(&tree.topo, "ndbus0", &ars), -ENODEV);
	assert_int_equal(pme_ars_start(&tree.topo, "ndbus0"), -ENODEV);
	tree_done(&tree);
}

static void fill(struct pme_range_list *list, const uint64_t (*ranges)[2], size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pme_range_list_add(list, ranges[i][0], ranges[i][1]), 0);
	pme_range_list_normalize(list);
}

static void test_new(void **state)
{
	static const uint64_t before[][2] = {{0, 512}, {4096, 4096}};
	static const uint64_t after[][2] = {{0, 512}, {3584, 8192}, {65536, 512}};
	_cleanup_(pme_range_list_done) struct pme_range_list old = {0}, now = {0}, new = {0};

	fill(&old, before, 2);
	fill(&now, after, 3);
	assert_int_equal(pme_ars_new(&old, &now, &new), 0);
	assert_int_equal(new.count, 3);
	assert_int_equal(new.items[0].start, 3584);
	assert_int_equal(new.items[0].length, 512);
	assert_int_equal(new.items[1].start, 8192);
	assert_int_equal(new.items[1].length, 3584);
	assert_int_equal(new.items[2].start, 65536);
	new.count = 0;
	assert_int_equal(pme_ars_new(&now, &old, &new), 0);
	assert_int_equal(new.count, 0);
}

/* A run of one bus with one region, as it would be after @error. */
static struct json_object *document(enum pme_ars_action action, int error, bool whole)
{
	struct pme_region region = {.name = (char[]){"region0"}};
	struct pme_ars_region regions[1] = {{.region = &region, .whole = whole}};
	struct pme_ars_bus bus = {
		.name = "ndbus0",
		.provider = "ACPI.NFIT",
		.error = error,
		.now = {.busy = error != 0, .count = 5},
		.regions = regions,
		.n_regions = 1,
	};
	struct pme_ars_run run = {.action = action, .buses = &bus, .count = 1};
	struct json_object *doc = pme_json_object();

	assert_int_equal(pme_range_list_add(&regions[0].after, 4096, 512), 0);
	assert_int_equal(pme_ars_found(&run), whole);
	pme_ars_json(&run, doc);
	pme_range_list_done(&regions[0].after);
	return doc;
}

static struct json_object *bus_of(struct json_object *doc)
{
	assert_int_equal(pme_json_count(pme_json_get(doc, "buses")), 1);
	return pme_json_at(pme_json_get(doc, "buses"), 0);
}

static void test_document(void **state)
{
	struct json_object *doc = document(PME_ARS_WAIT, 0, true), *bus = bus_of(doc), *new;

	new = pme_json_at(pme_json_get(bus, "new"), 0);
	assert_true(pme_json_get_bool(bus, "finished"));
	assert_null(pme_json_get(bus, "started"));
	assert_string_equal(pme_json_get_text(bus, "state"), "idle");
	assert_int_equal(pme_json_count(pme_json_get(new, "ranges")), 1);
	assert_true(pme_json_get_bool(new, "complete"));
	json_object_put(doc);

	/* a list that is not whole says nothing */
	doc = document(PME_ARS_WAIT, 0, false);
	new = pme_json_at(pme_json_get(bus_of(doc), "new"), 0);
	assert_int_equal(pme_json_count(pme_json_get(new, "ranges")), 0);
	assert_false(pme_json_get_bool(new, "complete"));
	json_object_put(doc);

	doc = document(PME_ARS_WAIT, -ETIME, true);
	assert_false(pme_json_get_bool(bus_of(doc), "finished"));
	assert_null(pme_json_get(bus_of(doc), "new"));
	assert_string_equal(pme_json_get_text(bus_of(doc), "state"), "active");
	json_object_put(doc);

	doc = document(PME_ARS_START, -EOPNOTSUPP, true);
	assert_false(pme_json_get_bool(bus_of(doc), "supported"));
	assert_false(pme_json_get_bool(bus_of(doc), "started"));
	assert_null(pme_json_get(bus_of(doc), "count"));
	assert_non_null(pme_json_get(bus_of(doc), "reason"));
	json_object_put(doc);

	doc = document(PME_ARS_STATUS, -EACCES, true);
	assert_null(pme_json_get(bus_of(doc), "supported"));
	assert_null(pme_json_get(bus_of(doc), "started"));
	json_object_put(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
