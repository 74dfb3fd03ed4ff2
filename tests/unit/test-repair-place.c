/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/repair-place*.c: below which devices bytes may be written over where they are; when a file
 * counts as unchanged since; what is believed of an act "write".
 */
#include "doc.h"
#include "repair-place.h"
#include "snapshot.h"

#define PAGE 4096

static int setup(void **state)
{
	static struct snapshot snap;

	snap_init(&snap, NULL);
	*state = &snap;
	return 0;
}

static int teardown(void **state)
{
	snap_done(*state);
	return 0;
}

/* @why: a part of the refusal; NULL: there is none. */
static void expect(struct snapshot *snap, const struct pme_dev *dev, uint64_t start,
		   uint64_t length, const char *why)
{
	char *said = NULL;

	assert_int_equal(
		pme_repair_place_way(&snap->stack, dev, (struct pme_range){start, length}, &said),
		0);
	if (!why) {
		assert_null(said);
	} else {
		assert_non_null(said);
		assert_non_null(strstr(said, why));
	}
	free(said);
}

static void plain_ways_are_written(void **state)
{
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 4096);
	struct pme_dev *other = snap_disk(snap, "pmem1", 4096);
	struct pme_dev *part = snap_partition(snap, disk, "pmem0p1", 2048, 1024);
	struct pme_dev *odd = snap_partition(snap, disk, "pmem0p2", 3105, 64);
	struct pme_dev *lv = snap_dm(snap, "dm-0");

	snap_linear(lv, part, 8, 64);
	snap_linear(lv, other, 16, 64);
	expect(snap, disk, PAGE, 2 * PAGE, NULL);
	expect(snap, part, PAGE, PAGE, NULL);
	expect(snap, lv, 0, PAGE, NULL);
	/* over both lines */
	expect(snap, lv, SECTORS(64) - PAGE, 2 * PAGE, NULL);
	expect(snap, odd, PAGE, PAGE, "do not begin at pages of pmem0");
}

static void others_are_not(void **state)
{
	static const struct {
		const char *type, *params, *why;
	} cases[] = {
		{"snapshot-origin", "259:0", "dm-snapshot-origin"},
		{"error", "", "not"},
		{"era", "259:0 259:0 8", ""},
	};
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 4096);

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		char *name = pme_printf("dm-%zu", i);
		struct pme_dev *dm = snap_dm(snap, name);

		snap_line(dm, 64, cases[i].type, strdup(cases[i].params));
		snap_stack(disk, dm);
		expect(snap, dm, 0, PAGE, cases[i].why);
		free(name);
	}
}

static void mirrors_are_not(void **state)
{
	struct snapshot *snap = *state;
	struct pme_dev *md = snap_md(snap, "md0", "raid1", 0);

	snap_member(md, snap_disk(snap, "pmem0", 4096), 8, 1024);
	snap_member(md, snap_disk(snap, "pmem1", 4096), 8, 1024);
	expect(snap, md, 0, PAGE, "md0");
}

/* What is written to the file of a loop device is for the filesystem that has it. */
static void loops_are_bottoms_unless_what_is_below_is_bad(void **state)
{
	struct pme_loop behind = {.on_device = true};
	struct snapshot *snap = *state;
	struct pme_dev *disk = snap_disk(snap, "pmem0", 4096);
	struct pme_dev *loop = snap_disk(snap, "loop0", 4096);

	behind.file_devno = disk->devno;
	loop->loop = &behind;
	snap_stack(disk, loop);
	expect(snap, loop, PAGE, PAGE, NULL);
	assert_int_equal(pme_stack_add_bad(&snap->stack, disk, (struct pme_range){PAGE, 512}), 0);
	pme_stack_seal_bad(&snap->stack);
	expect(snap, loop, PAGE, PAGE, "loop0");
	expect(snap, loop, 2 * PAGE, PAGE, NULL);
	loop->loop = NULL;
}

static struct pme_work_before before(void)
{
	return (struct pme_work_before){.known = true,
					.size = 5000,
					.mtime = -7,
					.ctime = 1700000000123456789,
					.boot = "b"};
}

static void any_difference_is_a_change(void **state)
{
	const struct pme_work_before old = before();
	struct pme_work_before new = old;

	(void)state;
	memcpy(new.boot, "c", 2);
	assert_true(pme_work_before_same(&old, &new));
	new.size++;
	assert_false(pme_work_before_same(&old, &new));
	new = old;
	new.mtime++;
	assert_false(pme_work_before_same(&old, &new));
	new = old;
	new.ctime--;
	assert_false(pme_work_before_same(&old, &new));
}

static int parse(const char *text, struct pme_work_before *ret)
{
	struct json_object *detail = json_tokener_parse(text);
	int r = pme_work_before_parse(detail, ret);

	json_object_put(detail);
	return r;
}

static void an_act_is_checked(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"null",
		"{\"size\":-1,\"mtime\":0,\"ctime\":0,\"boot\":\"b\"}",
		"{\"size\":\"1\",\"mtime\":0,\"ctime\":0,\"boot\":\"b\"}",
		"{\"size\":1,\"mtime\":0.5,\"ctime\":0,\"boot\":\"b\"}",
		"{\"size\":1,\"mtime\":0,\"boot\":\"b\"}",
		"{\"size\":1,\"mtime\":0,\"ctime\":0,\"boot\":\"\"}",
		"{\"size\":1,\"mtime\":0,\"ctime\":0}",
		"{\"size\":1,\"mtime\":0,\"ctime\":0,\"boot\":"
		"\"0123456789012345678901234567890123456789\"}",
	};
	struct json_object *detail = pme_json_object();
	struct pme_work_before old = before(), back = {0};

	(void)state;
	pme_work_before_json(&old, detail);
	assert_int_equal(pme_work_before_parse(detail, &back), 0);
	json_object_put(detail);
	assert_true(back.known);
	assert_true(pme_work_before_same(&old, &back));
	assert_string_equal(back.boot, "b");
	for (size_t i = 0; i < PME_ARRAY_SIZE(wrong); i++)
		assert_int_equal(parse(wrong[i], &back), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plain_ways_are_written, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_not, setup, teardown),
		cmocka_unit_test_setup_teardown(mirrors_are_not, setup, teardown),
		cmocka_unit_test_setup_teardown(loops_are_bottoms_unless_what_is_below_is_bad,
						setup, teardown),
		cmocka_unit_test(any_difference_is_a_change),
		cmocka_unit_test(an_act_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
