/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of lib/range.c: lists against a model with one bool per byte of a small space, which
 * is also put at the very end of the 64-bit space; the range syntax against a table.
 */
#include "check.h"
#include "random.h"
#include "range.h"

#define SPACE 64 /* bytes of the model */

struct model {
	bool set[SPACE];
};

/* The model's byte 0 is byte @base of the lists; the last base ends at the last valid byte. */
static const uint64_t bases[] = {0, 1ULL << 40, UINT64_MAX - SPACE};

static void model_set(struct model *model, uint64_t start, uint64_t length)
{
	for (uint64_t i = start; i < start + length; i++)
		model->set[i] = true;
}

static struct pme_range random_range(struct rnd *rnd)
{
	uint64_t start = rnd_below(rnd, SPACE);
	uint64_t most = rnd_below(rnd, 4) ? 6 : SPACE;

	return (struct pme_range){start, 1 + rnd_below(rnd, pme_min(most, SPACE - start))};
}

/* A list of 0 to 9 random ranges at @base, and the same in the model. */
static void random_list(struct rnd *rnd, uint64_t base, struct pme_range_list *list,
			struct model *model)
{
	*list = (struct pme_range_list){0};
	*model = (struct model){0};
	for (uint64_t n = rnd_below(rnd, 10); n > 0; n--) {
		struct pme_range r = random_range(rnd);

		assert_int_equal(pme_range_list_add(list, base + r.start, r.length), 0);
		model_set(model, r.start, r.length);
	}
}

/* @list holds the bytes of @model, each once, in as few ranges as can be, in order. */
static void check_list(const struct pme_range_list *list, uint64_t base, const struct model *model)
{
	size_t item = 0;

	for (size_t i = 0; i < SPACE; i++) {
		size_t end = i;

		while (end < SPACE && model->set[end])
			end++;
		if (end == i)
			continue;
		assert_true(item < list->count);
		assert_true(list->items[item].start == base + i);
		assert_true(list->items[item].length == end - i);
		item++;
		i = end;
	}
	assert_int_equal(item, list->count);
}

static uint64_t model_bytes(const struct model *model)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < SPACE; i++)
		bytes += model->set[i];
	return bytes;
}

typedef void property(struct rnd *rnd, uint64_t base);

static void for_all(property *check)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 20000; round++)
		check(&rnd, bases[round % PME_ARRAY_SIZE(bases)]);
}

static void normalize_once(struct rnd *rnd, uint64_t base)
{
	struct pme_range_list list;
	struct model model;

	random_list(rnd, base, &list, &model);
	pme_range_list_normalize(&list);
	check_list(&list, base, &model);
	assert_true(pme_range_list_bytes(&list) == model_bytes(&model));
	pme_range_list_normalize(&list);
	check_list(&list, base, &model);
	pme_range_list_done(&list);
	assert_int_equal(list.count, 0);
}

static void normalize_is_the_set_of_bytes(void **state)
{
	for_all(normalize_once);
}

static void clip_once(struct rnd *rnd, uint64_t base)
{
	uint64_t end = rnd_below(rnd, SPACE + 2);
	struct pme_range_list list;
	struct model model;
	bool cut = false;
	int r;

	random_list(rnd, base, &list, &model);
	pme_range_list_normalize(&list);
	for (size_t i = end; i < SPACE; i++) {
		cut |= model.set[i];
		model.set[i] = false;
	}
	if (end > SPACE && base + end < base)
		end = SPACE; /* there is nothing behind the last byte */
	r = pme_range_list_clip(&list, base + end);
	assert_int_equal(r, cut);
	check_list(&list, base, &model);
	pme_range_list_done(&list);
}

static void clip_forgets_what_lies_behind(void **state)
{
	for_all(clip_once);
}

static void subtract_once(struct rnd *rnd, uint64_t base)
{
	struct pme_range whole = random_range(rnd);
	struct pme_range_list covered, rest = {0};
	struct model model, expected = {0};

	random_list(rnd, base, &covered, &model);
	pme_range_list_normalize(&covered);
	for (uint64_t i = whole.start; i < whole.start + whole.length; i++)
		expected.set[i] = !model.set[i];
	whole.start += base;
	assert_int_equal(pme_range_list_subtract(whole, &covered, &rest), 0);
	check_list(&rest, base, &expected);
	check_list(&covered, base, &model); /* untouched */
	pme_range_list_done(&rest);
	pme_range_list_done(&covered);
}

static void subtract_leaves_the_rest(void **state)
{
	for_all(subtract_once);
}

static void meets_once(struct rnd *rnd, uint64_t base)
{
	struct pme_range_list list;
	struct model model;

	random_list(rnd, base, &list, &model);
	pme_range_list_normalize(&list);
	for (int i = 0; i < 8; i++) {
		struct pme_range r = random_range(rnd);
		bool expected = false;

		for (uint64_t b = r.start; b < r.start + r.length; b++)
			expected |= model.set[b];
		r.start += base;
		assert_int_equal(pme_range_list_meets(&list, r), expected);
	}
	pme_range_list_done(&list);
}

static void meets_finds_common_bytes(void **state)
{
	for_all(meets_once);
}

static void intersect_once(struct rnd *rnd, uint64_t base)
{
	struct pme_range a = random_range(rnd), b = random_range(rnd), both = {77, 77};
	struct model model = {0};
	int r;

	for (uint64_t i = a.start; i < a.start + a.length; i++)
		model.set[i] = i >= b.start && i < b.start + b.length;
	a.start += base;
	b.start += base;
	r = pme_range_intersect(a, b, &both);
	assert_int_equal(r, model_bytes(&model) > 0);
	if (r)
		check_list(&(struct pme_range_list){&both, 1, 1}, base, &model);
	else
		assert_true(both.start == 77 && both.length == 77);
}

static void intersect_is_the_common_part(void **state)
{
	for_all(intersect_once);
}

static void add_refuses_what_is_no_range(void **state)
{
	struct pme_range_list list = {0};

	assert_int_equal(pme_range_list_add(&list, 5, 0), -EINVAL);
	assert_int_equal(pme_range_list_add(&list, UINT64_MAX, 1), -EINVAL);
	assert_int_equal(pme_range_list_add(&list, 1, UINT64_MAX), -EINVAL);
	assert_int_equal(list.count, 0);
	assert_int_equal(pme_range_list_add(&list, UINT64_MAX - 1, 1), 0);
	assert_int_equal(pme_range_list_add(&list, 0, UINT64_MAX), 0);
	assert_int_equal(list.count, 2);
	pme_range_list_normalize(&list);
	assert_int_equal(list.count, 1);
	assert_true(pme_range_list_bytes(&list) == UINT64_MAX);
	pme_range_list_done(&list);
}

static void empty_lists_are_fine(void **state)
{
	struct pme_range_list list = {0}, rest = {0};

	pme_range_list_normalize(&list);
	assert_int_equal(pme_range_list_clip(&list, 0), 0);
	assert_false(pme_range_list_meets(&list, (struct pme_range){0, UINT64_MAX}));
	assert_true(pme_range_list_bytes(&list) == 0);
	assert_int_equal(pme_range_list_subtract((struct pme_range){3, 4}, &list, &rest), 0);
	assert_int_equal(rest.count, 1);
	assert_true(rest.items[0].start == 3 && rest.items[0].length == 4);
	pme_range_list_done(&rest);
	pme_range_list_done(&list);
}

#define K 1024ULL

static const struct {
	const char *text;
	int result;
	uint64_t value;
} sizes[] = {
	{"0", 0, 0},
	{"1", 0, 1},
	{"0s", 0, 0},
	{"1s", 0, 512},
	{"1S", 0, 512},
	{"1k", 0, K},
	{"1K", 0, K},
	{"3m", 0, 3 * K *K},
	{"3M", 0, 3 * K *K},
	{"5g", 0, 5 * K *K *K},
	{"5G", 0, 5 * K *K *K},
	{"7t", 0, 7 * K *K *K *K},
	{"7T", 0, 7 * K *K *K *K},
	{"18446744073709551615", 0, UINT64_MAX},
	{"18446744073709551616", -ERANGE, 0},
	{"36028797018963967s", 0, 36028797018963967ULL * 512},
	{"36028797018963968s", -ERANGE, 0},
	{"18014398509481983k", 0, 18014398509481983 * K},
	{"18014398509481984k", -ERANGE, 0},
	{"17592186044416m", -ERANGE, 0},
	{"17179869183g", 0, 17179869183 * K *K *K},
	{"17179869184g", -ERANGE, 0},
	{"16777215t", 0, 16777215 * K *K *K *K},
	{"16777216t", -ERANGE, 0},
	{"18446744073709551615t", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"s", -EINVAL, 0},
	{"k", -EINVAL, 0},
	{" 1", -EINVAL, 0},
	{"1 ", -EINVAL, 0},
	{"1 k", -EINVAL, 0},
	{"-1", -EINVAL, 0},
	{"-1k", -EINVAL, 0},
	{"+1", -EINVAL, 0},
	{"1ks", -EINVAL, 0},
	{"1kk", -EINVAL, 0},
	{"1kb", -EINVAL, 0},
	{"1KiB", -EINVAL, 0},
	{"1b", -EINVAL, 0},
	{"1p", -EINVAL, 0},
	{"0x1000", -EINVAL, 0},
	{"1.5k", -EINVAL, 0},
	{"1,5k", -EINVAL, 0},
	{"1_000", -EINVAL, 0},
	{"k1", -EINVAL, 0},
	{"1\n", -EINVAL, 0},
	{"\xd9\xa1k", -EINVAL, 0},
};

static void size_table(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(sizes); i++) {
		uint64_t value = 77;
		int r = pme_size_parse(sizes[i].text, strlen(sizes[i].text), &value);

		if (r != sizes[i].result || value != (r ? 77 : sizes[i].value))
			fail_msg("\"%s\": %d, %llu", sizes[i].text, r, (unsigned long long)value);
	}
}

/* Every byte behind a number: a suffix of the documentation, a digit, or an error. */
static void size_has_no_other_suffix(void **state)
{
	for (int c = 0; c < 256; c++) {
		const char text[] = {'2', (char)c};
		const char *known = c ? strchr("sSkKmMgGtT0123456789", c) : NULL;
		uint64_t value;

		assert_int_equal(pme_size_parse(text, 2, &value), known ? 0 : -EINVAL);
	}
}

static const struct {
	const char *text;
	int result;
	uint64_t start, length; /* with a default length of 512 */
} ranges[] = {
	{"0", 0, 0, 512},
	{"2048s", 0, 2048 * 512, 512},
	{"2048s+8s", 0, 2048 * 512, 4096},
	{"1m+4k", 0, K *K, 4 * K},
	{"1+1", 0, 1, 1},
	{"0+1t", 0, 0, K *K *K *K},
	{"18446744073709551614+1", 0, UINT64_MAX - 1, 1},
	{"0+18446744073709551615", 0, 0, UINT64_MAX},
	{"18446744073709551615+1", -ERANGE, 0, 0}, /* its end is 2^64 */
	{"1+18446744073709551615", -ERANGE, 0, 0},
	{"18446744073709551615", -ERANGE, 0, 0},
	{"18446744073709551103", 0, UINT64_MAX - 512, 512},
	{"18446744073709551104", -ERANGE, 0, 0},
	{"18446744073709551616+1", -ERANGE, 0, 0},
	{"1+18446744073709551616", -ERANGE, 0, 0},
	{"", -EINVAL, 0, 0},
	{"+", -EINVAL, 0, 0},
	{"+1", -EINVAL, 0, 0},
	{"1+", -EINVAL, 0, 0},
	{"1+0", -EINVAL, 0, 0},
	{"1+0k", -EINVAL, 0, 0},
	{"1++1", -EINVAL, 0, 0},
	{"1+1+1", -EINVAL, 0, 0},
	{"1+-1", -EINVAL, 0, 0},
	{"-1+1", -EINVAL, 0, 0},
	{" 1+1", -EINVAL, 0, 0},
	{"1 +1", -EINVAL, 0, 0},
	{"1+ 1", -EINVAL, 0, 0},
	{"1+1 ", -EINVAL, 0, 0},
	{"1-2", -EINVAL, 0, 0},
	{"1:2", -EINVAL, 0, 0},
	{"s+s", -EINVAL, 0, 0},
	{"1+s", -EINVAL, 0, 0},
};

static void range_table(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(ranges); i++) {
		struct pme_range range = {77, 77};
		int r = pme_range_parse(ranges[i].text, strlen(ranges[i].text), 512, &range);

		if (r != ranges[i].result || range.start != (r ? 77 : ranges[i].start) ||
		    range.length != (r ? 77 : ranges[i].length))
			fail_msg("\"%s\": %d, %llu+%llu", ranges[i].text, r,
				 (unsigned long long)range.start, (unsigned long long)range.length);
	}
}

static void range_default_length(void **state)
{
	struct pme_range range;

	assert_int_equal(pme_range_parse("5", 1, 0, &range), -EINVAL);
	assert_int_equal(pme_range_parse("5+1", 3, 0, &range), 0);
	assert_int_equal(pme_range_parse("0", 1, UINT64_MAX, &range), 0);
	assert_true(range.length == UINT64_MAX);
}

/* What is printed in any unit that divides it is read back as the same bytes. */
static void range_round_trip(void **state)
{
	static const struct {
		const char *suffix;
		uint64_t bytes;
	} units[] = {{"", 1}, {"s", 512}, {"k", K}, {"M", K * K}, {"g", K * K * K}};
	struct rnd rnd = rnd_start();

	for (int i = 0; i < 20000; i++) {
		uint64_t start = rnd_u64(&rnd) >> (1 + rnd_below(&rnd, 63));
		uint64_t length = 1 + (rnd_u64(&rnd) >> (1 + rnd_below(&rnd, 63)));
		size_t a = rnd_below(&rnd, PME_ARRAY_SIZE(units));
		size_t b = rnd_below(&rnd, PME_ARRAY_SIZE(units));
		_cleanup_free_ char *text = NULL;
		struct pme_range range;

		start -= start % units[a].bytes;
		length = pme_max(length - length % units[b].bytes, units[b].bytes);
		text = pme_printf("%llu%s+%llu%s", (unsigned long long)(start / units[a].bytes),
				  units[a].suffix, (unsigned long long)(length / units[b].bytes),
				  units[b].suffix);
		assert_int_equal(pme_range_parse(text, strlen(text), 1, &range), 0);
		assert_true(range.start == start && range.length == length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normalize_is_the_set_of_bytes),
		cmocka_unit_test(clip_forgets_what_lies_behind),
		cmocka_unit_test(subtract_leaves_the_rest),
		cmocka_unit_test(meets_finds_common_bytes),
		cmocka_unit_test(intersect_is_the_common_part),
		cmocka_unit_test(add_refuses_what_is_no_range),
		cmocka_unit_test(empty_lists_are_fine),
		cmocka_unit_test(size_table),
		cmocka_unit_test(size_has_no_other_suffix),
		cmocka_unit_test(range_table),
		cmocka_unit_test(range_default_length),
		cmocka_unit_test(range_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
