/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/trace.c: lines of several kernels, and regions by address; source-traces.c where there is
 * no tracefs, or one without the events.
 */
#include "trace.h"

#include "../../daemon/source.h"
#include "check.h"
#include "tree.h"

void pmed_hint(struct pmed *d, enum pmed_hint what, const char *name)
{
	fail_msg("a hint: %d %s", (int)what, name ? name : "-");
}

void pmed_tell(struct pmed *d, struct json_object *event)
{
	fail_msg("an event: %s", json_object_to_json_string(event));
}

static void test_lines(void **state)
{
	static const struct {
		const char *line;
		struct pmed_trace trace;
	} cases[] = {
		{"memory_failure_event: pfn 0x240001: recovery action for dax page: Recovered",
		 {PMED_TRACE_MEMORY_FAILURE, 0x240001000, 4096, true, "memory_failure_event", "",
		  "dax page: Recovered"}},
		{"   memory_failure_event: pfn 0x1: other words",
		 {PMED_TRACE_MEMORY_FAILURE, 4096, 4096, true, "memory_failure_event", "", ""}},
		{"cxl_poison: memdev=mem0 trace_type=List region= hpa=0xffffffffffffffff dpa=0x40 "
		 "dpa_length=0x80 source=Internal",
		 {PMED_TRACE_CXL, UINT64_MAX, 128, true, "cxl_poison", "mem0", "List Internal"}},
		{"cxl_poison: memdev=mem1 trace_type=Clear hpa=0x240000040 hpa_alias0=0x1 "
		 "dpa_length=0x40",
		 {PMED_TRACE_CXL, 0x240000040, 64, false, "cxl_poison", "mem1", "Clear"}},
		{"cxl_general_media: memdev=mem0 log=Fatal : dpa=30d40 "
		 "descriptor='UNCORRECTABLE_EVENT|THRESHOLD_EVENT' type='ECC Error' comp_id=00 01 "
		 "hpa=240001000 region=region4",
		 {PMED_TRACE_CXL, 0x240001000, 64, true, "cxl_general_media", "mem0",
		  "UNCORRECTABLE_EVENT|THRESHOLD_EVENT ECC Error"}},
		{"cxl_dram: memdev=mem0 dpa=1 descriptor='' type='a hpa=5 b' cor_mask=01 02",
		 {PMED_TRACE_CXL, UINT64_MAX, 64, false, "cxl_dram", "mem0", "a hpa=5 b"}},
		{"CPU:3 [LOST 12 EVENTS]", {.kind = PMED_TRACE_LOST}},
		{"CPU:3 [LOST EVENTS]", {.kind = PMED_TRACE_LOST}},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		const struct pmed_trace *want = &cases[i].trace;
		struct pmed_trace got;

		assert_int_equal(pmed_trace_parse(cases[i].line, strlen(cases[i].line), 4096, &got),
				 1);
		assert_int_equal(got.kind, want->kind);
		assert_true(got.address == want->address && got.length == want->length);
		assert_int_equal(got.bad, want->bad);
		assert_string_equal(got.event, want->event);
		assert_string_equal(got.device, want->device);
		assert_string_equal(got.what, want->what);
	}
}

static void test_other_lines(void **state)
{
	static const struct {
		const char *line;
		int r;
	} cases[] = {
		{"", 0},
		{"# tracer: nop", 0},
		{"sched_switch: a", 0},
		{"cxl_poisoned: memdev=mem0", 0},
		/* names of processes are before the event */
		{"a: memory_failure_event: pfn 0x1: x", 0},
		{"memory_failure_event: ", -EINVAL},
		{"memory_failure_event: pfn 1", -EINVAL},
		{"memory_failure_event: pfn 0x: x", -EINVAL},
		{"memory_failure_event: pfn 0xg: x", -EINVAL},
		{"memory_failure_event: pfn 0xffffffffffffffff: x", -EINVAL},
		{"memory_failure_event: pfn 0x11111111111111111: x", -EINVAL},
		{"cxl_dram: hpa=1", -EINVAL},
		{"cxl_dram: memdev= hpa=1", -EINVAL},
		{"cxl_dram: memdev=mem0 hpa=x", -EINVAL},
		{"cxl_poison: memdev=mem0 dpa_length=", -EINVAL},
	};
	struct pmed_trace got;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++)
		if (pmed_trace_parse(cases[i].line, strlen(cases[i].line), 4096, &got) !=
		    cases[i].r)
			fail_msg("%s", cases[i].line);
}

static void check_place(const struct pmed_places *places, uint64_t address, uint64_t length,
			const char *want)
{
	const char *got = pmed_places_find(places, address, length);

	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void test_places(void **state)
{
	struct pmed_places places;
	struct tree tree;

	tree_init(&tree);
	assert_int_equal(pmed_places_load(&tree.os, &places), 0);
	assert_true(places.whole && places.count == 0);
	pmed_places_done(&places);
	tree_file(&tree, "sys/bus/nd/devices/region0/resource", "0x240000000\n");
	tree_file(&tree, "sys/bus/nd/devices/region0/size", "1048576\n");
	tree_file(&tree, "sys/bus/nd/devices/region1/resource", "0xfffffffffff00000\n");
	tree_file(&tree, "sys/bus/nd/devices/region1/size", "1048576\n");
	tree_file(&tree, "sys/bus/nd/devices/ndbus0/size", "x\n");
	assert_int_equal(pmed_places_load(&tree.os, &places), 0);
	assert_true(places.whole);
	check_place(&places, 0x240000000, 64, "region0");
	check_place(&places, 0x23ffff000, 4096, NULL);
	check_place(&places, 0x23ffff000, 4097, "region0");
	check_place(&places, 0x2400fffff, 1, "region0");
	check_place(&places, 0x240100000, 4096, NULL);
	check_place(&places, 0, 4096, NULL);
	check_place(&places, 0xffffffffffffff00, 4096, "region1");
	pmed_places_done(&places);
	tree_file(&tree, "sys/bus/nd/devices/region2/resource", "nonsense\n");
	assert_int_equal(pmed_places_load(&tree.os, &places), 0);
	assert_false(places.whole);
	check_place(&places, 0x240000000, 64, "region0");
	pmed_places_done(&places);
	tree_done(&tree);
}

static void test_not_available(void **state)
{
	struct tree tree;
	struct pmed d = {0};
	struct pmed_source source = {.kind = &pmed_source_traces, .daemon = &d};
	char *reason = NULL;

	tree_init(&tree);
	d.os = tree.os;
	assert_true(source.kind->start(&source, &reason) < 0);
	assert_string_equal(reason, "tracefs is not mounted at /sys/kernel/tracing");
	free(reason);
	tree_file(&tree, "sys/kernel/debug/tracing/instances/x", "");
	tree_file(&tree, "sys/kernel/debug/tracing/events/sched/sched_switch/enable", "0");
	assert_true(source.kind->start(&source, &reason) < 0);
	assert_string_equal(reason, "this kernel has no events for memory failures or CXL devices");
	free(reason);
	assert_null(source.own);
	tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_other_lines),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_not_available),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
