/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of lib/base.c: arithmetic against 128-bit arithmetic, numbers and words against
 * tables, UTF-8 against a decoder written from the definition, base64 against RFC 4648.
 */
#include "check.h"
#include "random.h"

/* Numbers near which arithmetic goes wrong. */
static const uint64_t edges[] = {
	0,
	1,
	2,
	9,
	10,
	511,
	512,
	1ULL << 31,
	UINT32_MAX,
	1ULL << 32,
	INT64_MAX,
	1ULL << 63,
	UINT64_MAX / 10,
	UINT64_MAX / 512,
	UINT64_MAX / 512 + 1,
	UINT64_MAX - 1,
	UINT64_MAX,
};

static uint64_t edge_or_random(struct rnd *rnd)
{
	if (rnd_below(rnd, 2))
		return edges[rnd_below(rnd, PME_ARRAY_SIZE(edges))] + rnd_below(rnd, 3) - 1;
	return rnd_u64(rnd) >> rnd_below(rnd, 64);
}

static void check_result(int r, uint64_t got, unsigned __int128 expected)
{
	if (expected > UINT64_MAX) {
		assert_int_equal(r, -EOVERFLOW);
		assert_int_equal(got, 77); /* untouched */
	} else {
		assert_int_equal(r, 0);
		assert_true(got == (uint64_t)expected);
	}
}

static void add_and_mul_agree_with_128_bits(void **state)
{
	struct rnd rnd = rnd_start();

	for (int i = 0; i < 100000; i++) {
		uint64_t a = edge_or_random(&rnd), b = edge_or_random(&rnd);
		uint64_t sum = 77, product = 77;
		int r_add = pme_add(a, b, &sum), r_mul = pme_mul(a, b, &product);

		check_result(r_add, sum, (unsigned __int128)a + b);
		check_result(r_mul, product, (unsigned __int128)a * b);
	}
}

static void min_and_max(void **state)
{
	assert_true(pme_min(1, UINT64_MAX) == 1 && pme_min(UINT64_MAX, 1) == 1);
	assert_true(pme_max(1, UINT64_MAX) == UINT64_MAX && pme_max(3, 3) == 3);
}

static void grow_makes_room_and_keeps_items(void **state)
{
	_cleanup_free_ uint32_t *items = NULL;
	size_t alloc = 0;

	for (uint32_t i = 0; i < 5000; i++) {
		assert_int_equal(pme_grow(&items, &alloc, i, sizeof(*items)), 0);
		assert_true(alloc > i);
		items[i] = i;
	}
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(items[i], i);
}

static void grow_stops_at_the_limit(void **state)
{
	_cleanup_free_ char *items = malloc(1);
	char *before = items;
	size_t alloc = PME_ITEMS_MAX;

	assert_int_equal(pme_grow(&items, &alloc, PME_ITEMS_MAX, 1), -E2BIG);
	assert_ptr_equal(items, before);
	assert_int_equal(alloc, PME_ITEMS_MAX);
}

static void grow_refuses_what_overflows(void **state)
{
	_cleanup_free_ char *items = NULL;
	size_t alloc = 0;

	assert_int_equal(pme_grow(&items, &alloc, 0, SIZE_MAX / 2), -ENOMEM);
	assert_null(items);
	assert_int_equal(alloc, 0);
}

static void take_leaves_nothing_behind(void **state)
{
	char *text = strdup("x");
	_cleanup_free_ char *taken = pme_take_ptr(text);
	int fd = 7;

	assert_null(text);
	assert_string_equal(taken, "x");
	assert_int_equal(pme_take_fd(&fd), 7);
	assert_int_equal(fd, -1);
}

static const struct {
	const char *text;
	int result;
	uint64_t value;
} numbers[] = {
	{"0", 0, 0},
	{"7", 0, 7},
	{"007", 0, 7},
	{"00000000000000000000000000000000000000001", 0, 1},
	{"4294967296", 0, 4294967296},
	{"18446744073709551615", 0, UINT64_MAX},
	{"18446744073709551616", -ERANGE, 0},
	{"18446744073709551620", -ERANGE, 0},
	{"99999999999999999999", -ERANGE, 0},
	{"184467440737095516150", -ERANGE, 0},
	{"", -EINVAL, 0},
	{" ", -EINVAL, 0},
	{" 1", -EINVAL, 0},
	{"1 ", -EINVAL, 0},
	{"1\n", -EINVAL, 0},
	{"+1", -EINVAL, 0},
	{"-1", -EINVAL, 0},
	{"-0", -EINVAL, 0},
	{"0x10", -EINVAL, 0},
	{"1e3", -EINVAL, 0},
	{"1.0", -EINVAL, 0},
	{"1,000", -EINVAL, 0},
	{"1s", -EINVAL, 0},
	{"\xd9\xa1", -EINVAL, 0}, /* a digit, but not one of ours */
	{"99999999999999999999x", -EINVAL, 0},
};

static void parse_u64_table(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(numbers); i++) {
		uint64_t value = 77;
		int r = pme_parse_u64(numbers[i].text, strlen(numbers[i].text), &value);

		if (r != numbers[i].result || value != (r ? 77 : numbers[i].value))
			fail_msg("\"%s\": %d, %llu", numbers[i].text, r, (unsigned long long)value);
	}
}

static void parse_u64_stops_at_len(void **state)
{
	uint64_t value = 77;

	assert_int_equal(pme_parse_u64("1234", 2, &value), 0);
	assert_int_equal(value, 12);
	assert_int_equal(pme_parse_u64("1\0002", 3, &value), -EINVAL);
	assert_int_equal(value, 12);
}

static void parse_u64_reads_what_printf_writes(void **state)
{
	struct rnd rnd = rnd_start();

	for (int i = 0; i < 20000; i++) {
		uint64_t n = edge_or_random(&rnd), value = ~n;
		_cleanup_free_ char *text = pme_printf("%llu", (unsigned long long)n);

		assert_int_equal(pme_parse_u64(text, strlen(text), &value), 0);
		assert_true(value == n);
	}
}

static const struct {
	const char *text;
	const char *words[4];
} lines[] = {
	{"", {NULL}},
	{" \t ", {NULL}},
	{"one", {"one"}},
	{"  one\ttwo ", {"one", "two"}},
	{"a  b\t\tc", {"a", "b", "c"}},
	{"a\nb", {"a\nb"}}, /* a newline is no blank: lines are cut before */
};

static void next_word_table(void **state)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(lines); i++) {
		const char *pos = lines[i].text, *end = pos + strlen(pos), *word;
		size_t len;
		int n = 0;

		while (pme_next_word(&pos, end, &word, &len)) {
			assert_non_null(lines[i].words[n]);
			assert_true(pme_word_is(word, len, lines[i].words[n]));
			n++;
		}
		assert_null(lines[i].words[n]);
		assert_ptr_equal(pos, end);
	}
}

static void word_is_compares_whole_words(void **state)
{
	assert_true(pme_word_is("linear 0", 6, "linear"));
	assert_false(pme_word_is("linear", 6, "linea"));
	assert_false(pme_word_is("linear", 5, "linear"));
	assert_true(pme_word_is("x", 0, ""));
}

/*
 * The model: decode by the bit patterns of RFC 3629, section 3, then forbid what section 3 forbids
 * by value: surrogates, more than U+10FFFF, and a form longer than needed.
 */
static size_t model_decode(const unsigned char *s, size_t len, uint32_t *ret)
{
	static const struct {
		unsigned char mask, lead, bits;
		size_t n;
		uint32_t least;
	} forms[] = {
		{0x80, 0x00, 0x7f, 1, 0},
		{0xe0, 0xc0, 0x1f, 2, 0x80},
		{0xf0, 0xe0, 0x0f, 3, 0x800},
		{0xf8, 0xf0, 0x07, 4, 0x10000},
	};

	for (size_t f = 0; f < PME_ARRAY_SIZE(forms); f++) {
		uint32_t code;

		if ((s[0] & forms[f].mask) != forms[f].lead || len < forms[f].n)
			continue;
		code = s[0] & forms[f].bits;
		for (size_t i = 1; i < forms[f].n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			code = code << 6 | (s[i] & 0x3f);
		}
		*ret = code;
		return code < forms[f].least ? 0 : forms[f].n;
	}
	return 0;
}

static bool model_utf8_valid(const unsigned char *s, size_t len)
{
	while (len > 0) {
		uint32_t code = 0;
		size_t n = model_decode(s, len, &code);

		if (n == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ||
		    (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef))
			return false;
		s += n;
		len -= n;
	}
	return true;
}

static void check_utf8(const unsigned char *s, size_t len)
{
	/* a copy of exactly this size, so that the sanitizer sees a read behind it */
	_cleanup_free_ char *copy = malloc(len + 1);

	memcpy(copy + 1, s, len);
	if (pme_utf8_valid(copy + 1, len) != model_utf8_valid(s, len))
		fail_msg("%02x %02x %02x %02x, %zu bytes", s[0], s[1], s[2], s[3], len);
}

static void utf8_all_of_two_and_three_bytes(void **state)
{
	for (uint32_t v = 0; v < 1U << 24; v += v < 0xc00000 ? 251 : 1) {
		const unsigned char s[4] = {v >> 16, v >> 8 & 0xff, v & 0xff, 0};

		if (pme_utf8_valid((const char *)s, 3) != model_utf8_valid(s, 3))
			fail_msg("%06x", v);
		if ((v & 0xff) == 0)
			check_utf8(s, 2);
	}
}

static void utf8_all_four_byte_leads(void **state)
{
	static const unsigned char tails[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};

	for (uint32_t v = 0xf000; v <= 0xffff; v++)
		for (size_t i = 0; i < 36; i++) {
			const unsigned char s[4] = {v >> 8, v & 0xff, tails[i / 6], tails[i % 6]};

			if (pme_utf8_valid((const char *)s, 4) != model_utf8_valid(s, 4))
				fail_msg("%02x %02x %02x %02x", s[0], s[1], s[2], s[3]);
		}
}

static void utf8_random_text(void **state)
{
	static const unsigned char bytes[] = {'a',  0,	  0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
					      0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4};
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 100000; round++) {
		unsigned char s[8];
		size_t len = rnd_below(&rnd, sizeof(s) + 1);

		for (size_t i = 0; i < sizeof(s); i++)
			s[i] = bytes[rnd_below(&rnd, sizeof(bytes))];
		check_utf8(s, len);
	}
}

static void utf8_known_text(void **state)
{
	static const char good[] = "plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x92\xbe \xf4\x8f\xbf\xbd";
	static const char *const bad[] = {
		"\xc0\x80",	"\xed\xa0\x80",	    "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
		"\x80",		"latin1 \xe4",	    "\xe2\x82",		"\xef\xb7\x90",
		"\xef\xbf\xbe", "\xf0\x9f\xbf\xbf",
	};

	assert_true(pme_utf8_valid(good, strlen(good)));
	assert_true(pme_utf8_valid("", 0));
	assert_true(pme_utf8_valid("a\0b", 3));
	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++)
		assert_false(pme_utf8_valid(bad[i], strlen(bad[i])));
}

static void base64_vectors_of_rfc_4648(void **state)
{
	static const struct {
		const char *data, *text;
	} vectors[] = {
		{"", ""},
		{"f", "Zg=="},
		{"fo", "Zm8="},
		{"foo", "Zm9v"},
		{"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"},
		{"\xfb\xff\xbf", "+/+/"},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(vectors); i++) {
		_cleanup_free_ char *text = pme_base64(vectors[i].data, strlen(vectors[i].data));
		_cleanup_free_ char *back = NULL;
		size_t len;

		assert_string_equal(text, vectors[i].text);
		assert_int_equal(pme_base64_parse(text, strlen(text), &back, &len), 0);
		assert_int_equal(len, strlen(vectors[i].data));
		assert_string_equal(back, vectors[i].data);
	}
}

static void what_is_no_base64(void **state)
{
	static const char *const bad[] = {"Z",	  "Zg",	  "Zg=",      "Zh==",	"Zm9=",
					  "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9",
					  "Zm9-", "=m9v", "Zg=g"};
	char *bytes = NULL;
	size_t len;

	for (size_t i = 0; i < PME_ARRAY_SIZE(bad); i++)
		assert_int_equal(pme_base64_parse(bad[i], strlen(bad[i]), &bytes, &len), -EINVAL);
	assert_null(bytes);
}

/* The model: the value of a digit by the rows of RFC 4648, table 1. */
static uint32_t model_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	assert_true(c == '+' || c == '/');
	return c == '+' ? 62 : 63;
}

/* Bit by bit: bit number @bit of the text equals that of the data; bits behind the end are 0. */
static void check_base64_bits(const unsigned char *data, size_t len, const char *text)
{
	size_t digits = (len * 8 + 5) / 6;

	assert_int_equal(strlen(text), (len + 2) / 3 * 4);
	for (size_t bit = 0; bit < digits * 6; bit++) {
		uint32_t in_text = model_digit(text[bit / 6]) >> (5 - bit % 6) & 1;
		uint32_t in_data = bit < len * 8 ? data[bit / 8] >> (7 - bit % 8) & 1 : 0;

		assert_int_equal(in_text, in_data);
	}
	for (size_t i = digits; text[i]; i++)
		assert_int_equal(text[i], '=');
}

static void base64_bits(void **state)
{
	struct rnd rnd = rnd_start();

	for (int round = 0; round < 3000; round++) {
		size_t len = rnd_below(&rnd, 70);
		_cleanup_free_ unsigned char *data = malloc(len + 1);
		_cleanup_free_ char *text = NULL;

		for (size_t i = 0; i < len; i++)
			data[i] = (unsigned char)rnd_u64(&rnd);
		text = pme_base64(data, len);
		check_base64_bits(data, len, text);
	}
}

static void printf_allocates(void **state)
{
	_cleanup_free_ char *text = pme_printf("%s %d", "x", 3);

	assert_string_equal(text, "x 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_and_mul_agree_with_128_bits),
		cmocka_unit_test(min_and_max),
		cmocka_unit_test(grow_makes_room_and_keeps_items),
		cmocka_unit_test(grow_stops_at_the_limit),
		cmocka_unit_test(grow_refuses_what_overflows),
		cmocka_unit_test(take_leaves_nothing_behind),
		cmocka_unit_test(parse_u64_table),
		cmocka_unit_test(parse_u64_stops_at_len),
		cmocka_unit_test(parse_u64_reads_what_printf_writes),
		cmocka_unit_test(next_word_table),
		cmocka_unit_test(word_is_compares_whole_words),
		cmocka_unit_test(utf8_known_text),
		cmocka_unit_test(utf8_all_of_two_and_three_bytes),
		cmocka_unit_test(utf8_all_four_byte_leads),
		cmocka_unit_test(utf8_random_text),
		cmocka_unit_test(base64_vectors_of_rfc_4648),
		cmocka_unit_test(what_is_no_base64),
		cmocka_unit_test(base64_bits),
		cmocka_unit_test(printf_allocates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
