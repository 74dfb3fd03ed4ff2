/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/repair-work.c, repair-about.c: a work of several parts: which of the good bytes a file needs,
 * which blocks it has, where a piece of them goes; and what the journal says of all that.
 */
#include "repair-work.h"

#include "check.h"
#include "doc.h"
#include "extent.h"

#define K 1024ULL
#define DEVICE (1ULL << 30) /* byte of the device where the first part lies */

/* The file, as the kernel would tell it: pieces in order; what is between them are holes. */
static struct pme_extent file[8];
static size_t n_file;
static unsigned int asked;

int __wrap_pme_extents_read(int fd, struct pme_range range, struct pme_extents *ret);

int __wrap_pme_extents_read(int fd, struct pme_range range, struct pme_extents *ret)
{
	assert_int_equal(fd, 7);
	asked++;
	for (size_t i = 0; i < n_file; i++) {
		struct pme_extent e = file[i];

		if (!pme_range_intersect(file[i].range, range, &e.range))
			continue;
		e.device_start += e.range.start - file[i].range.start;
		assert_int_equal(pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(e)), 0);
		ret->items[ret->count++] = e;
	}
	return 0;
}

static void has(uint64_t start, uint64_t length, uint64_t device, enum pme_extent_state state)
{
	file[n_file++] = (struct pme_extent){
		.range = {start, length}, .device_start = device, .state = state};
}

/*
 * Three parts of 4, 8 and 4 KiB, the third one before the others in the file, and far from them.
 */
static void set_up(struct pme_work *work)
{
	struct pme_work_target *t;

	*work = (struct pme_work){
		.reach = {.entry = {.fd = -1}, .root = -1}, .staging = -1, .dir = -1};
	assert_int_equal(pme_work_add_part(work, (struct pme_range){DEVICE, 4 * K}), 0);
	assert_int_equal(pme_work_add_part(work, (struct pme_range){DEVICE + 64 * K, 8 * K}), 0);
	assert_int_equal(pme_work_add_part(work, (struct pme_range){DEVICE + 99 * K, 4 * K}), 0);
	t = pme_work_add_target(work);
	assert_non_null(t);
	t->path = strdup("/srv/a");
	t->starts[0] = 4096 * K;
	t->starts[1] = 4200 * K;
	t->starts[2] = 0;
	t->size = 8192 * K;
	t->length = work->length;
	n_file = asked = 0;
}

static void assert_ranges(struct pme_range_list *list, const char *expected)
{
	_cleanup_free_ char *found = strdup("");

	for (size_t i = 0; i < list->count; i++) {
		_cleanup_free_ char *word =
			pme_printf("%llu+%llu", (unsigned long long)list->items[i].start / K,
				   (unsigned long long)list->items[i].length / K);

		words_add(&found, word);
	}
	assert_string_equal(found, expected);
	pme_range_list_done(list);
	*list = (struct pme_range_list){0};
}

/* The same of the device, from DEVICE on. */
static void assert_places(struct pme_range_list *list, const char *expected)
{
	for (size_t i = 0; i < list->count; i++)
		list->items[i].start -= DEVICE;
	assert_ranges(list, expected);
}

static void parts_follow_each_other(void **state)
{
	struct pme_work work;

	(void)state;
	set_up(&work);
	assert_int_equal(work.length, 16 * K);
	assert_int_equal(work.parts[2].at, 12 * K);
	assert_int_equal(pme_work_add_part(&work, (struct pme_range){DEVICE + 100 * K, 4 * K}),
			 -EINVAL);
	assert_int_equal(pme_work_add_part(&work, (struct pme_range){2 * DEVICE, 0}), -EINVAL);
	assert_int_equal(pme_work_add_part(&work, (struct pme_range){2 * DEVICE, 100}), -EINVAL);
	assert_int_equal(pme_work_add_part(&work, (struct pme_range){UINT64_MAX - 511, 1024}),
			 -EINVAL);
	assert_int_equal(pme_work_add_part(&work, (struct pme_range){2 * DEVICE, PME_WORK_MAX}),
			 -E2BIG);
	for (uint64_t at = 2 * DEVICE; work.n_parts < PME_WORK_PARTS_MAX; at += 4 * K)
		assert_int_equal(pme_work_add_part(&work, (struct pme_range){at, 512}), 0);
	assert_int_equal(pme_work_add_part(&work, (struct pme_range){3 * DEVICE, 512}), -E2BIG);
	pme_work_done(&work);
}

static void runs_are_what_still_lies_there(void **state)
{
	struct pme_range_list runs = {0};
	struct pme_work work;

	(void)state;
	set_up(&work);
	has(0, 4 * K, DEVICE + 99 * K, PME_EXTENT_DATA);
	has(4090 * K, 10 * K, DEVICE - 6 * K, PME_EXTENT_DATA);
	has(4100 * K, 108 * K, DEVICE - 36 * K, PME_EXTENT_DATA); /* up to the second's end */
	assert_int_equal(pme_work_runs(&work, 0, 7, &runs), 0);
	assert_true(pme_work_is_whole(&work, 0, &runs));
	assert_ranges(&runs, "0+16 ");
	assert_int_equal(asked, 2);    /* two are near each other */
	file[0].device_start += 4 * K; /* written since: other blocks */
	file[2].range.length -= 4 * K; /* and a hole */
	assert_int_equal(pme_work_runs(&work, 0, 7, &runs), 0);
	assert_false(pme_work_is_whole(&work, 0, &runs));
	assert_ranges(&runs, "0+8 ");
	file[1].state = PME_EXTENT_UNWRITTEN;
	assert_int_equal(pme_work_runs(&work, 0, 7, &runs), 0);
	assert_ranges(&runs, "4+4 ");
	assert_int_equal(pme_work_owned_by_target(&work, 0, 7, &runs), 0);
	assert_places(&runs, "0+4 64+4 ");
	pme_work_done(&work);
}

static void the_end_of_the_file_is_in_the_middle(void **state)
{
	struct pme_range_list runs = {0};
	struct pme_work work;

	(void)state;
	set_up(&work);
	has(0, 4 * K, DEVICE + 99 * K, PME_EXTENT_DATA);
	has(4096 * K, 4 * K, DEVICE, PME_EXTENT_DATA);
	has(4200 * K, 8 * K, DEVICE + 64 * K, PME_EXTENT_DATA);
	work.targets[0].size = 4203 * K;
	work.targets[0].length = 11 * K;
	assert_int_equal(pme_work_inside(&work, 0, 0), 4 * K);
	assert_int_equal(pme_work_inside(&work, 0, 1), 3 * K);
	assert_int_equal(pme_work_inside(&work, 0, 2), 4 * K);
	assert_int_equal(pme_work_runs(&work, 0, 7, &runs), 0);
	assert_false(pme_work_is_whole(&work, 0, &runs));
	assert_ranges(&runs, "0+7 12+4 ");
	work.targets[0].size = 5;
	assert_int_equal(pme_work_inside(&work, 0, 0), 0);
	pme_work_done(&work);
}

static void a_piece_is_in_one_part(void **state)
{
	struct pme_work work;
	uint64_t at;

	(void)state;
	set_up(&work);
	assert_int_equal(pme_work_piece(&work, 0, (struct pme_range){0, 16 * K}, &at), 4 * K);
	assert_int_equal(at, 4096 * K);
	assert_int_equal(pme_work_piece(&work, 0, (struct pme_range){6 * K, 10 * K}, &at), 6 * K);
	assert_int_equal(at, 4202 * K);
	assert_int_equal(pme_work_piece(&work, 0, (struct pme_range){12 * K, K}, &at), K);
	assert_int_equal(at, 0);
	pme_work_done(&work);
}

/* What a staging file has of them, wherever in it. */
static void a_file_of_ours_owns_them_anywhere(void **state)
{
	struct pme_range_list owned = {0};
	struct pme_work work;

	(void)state;
	set_up(&work);
	has(100 * K, 300 * K, DEVICE - 100 * K, PME_EXTENT_DATA);
	has(900 * K, 4 * K, DEVICE + 99 * K, PME_EXTENT_HOLE);
	assert_int_equal(pme_work_owned(&work, 7, (struct pme_range){0, 1024 * K}, &owned), 0);
	assert_places(&owned, "0+4 64+8 99+4 ");
	pme_work_done(&work);
}

static void the_journal_says_it_all(void **state)
{
	struct pme_work work,
		back = {.reach = {.entry = {.fd = -1}, .root = -1}, .staging = -1, .dir = -1};
	struct pme_dev dev = {.name = (char *)"pmem0"};
	const struct pme_fs fs = {.type = (char *)"xfs",
				  .uuid = (char *)"u",
				  .source = (char *)"/dev/pmem0",
				  .dev = &dev};
	struct pme_repair_step step = {0}, *steps[] = {&step, &step, &step};
	struct json_object *about;

	(void)state;
	set_up(&work);
	work.fs = &fs;
	work.zero = true;
	work.how = PME_HOW_CLONE;
	work.targets[0].file = (struct pme_file){.inode = 131, .generation = 4000000000U};
	work.targets[0].mode = 04755;
	about = pme_work_about(&work, steps);
	assert_int_equal(pme_work_about_parse(about, &back), 0);
	assert_true(back.zero);
	assert_int_equal(back.how, PME_HOW_CLONE);
	assert_int_equal(back.n_parts, 3);
	assert_int_equal(back.length, work.length);
	assert_memory_equal(back.parts, work.parts, sizeof(*work.parts) * 3);
	assert_int_equal(back.n_targets, 1);
	assert_memory_equal(back.targets[0].starts, work.targets[0].starts, sizeof(uint64_t) * 3);
	assert_int_equal(back.targets[0].file.generation, 4000000000U);
	assert_int_equal(back.targets[0].mode, 04755);
	json_object_put(about);
	pme_work_done(&back);
	pme_work_done(&work);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_follow_each_other),
		cmocka_unit_test(runs_are_what_still_lies_there),
		cmocka_unit_test(the_end_of_the_file_is_in_the_middle),
		cmocka_unit_test(a_piece_is_in_one_part),
		cmocka_unit_test(a_file_of_ours_owns_them_anywhere),
		cmocka_unit_test(the_journal_says_it_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
