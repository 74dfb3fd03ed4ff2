/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of the kernel; see tables.h.
 */
#include "tables.h"

#include <string.h>
#include <xxhash.h>

#define SEPARATOR " - "

/* … - TYPE SOURCE OPTIONS */
static bool has_device(const char *line, size_t len)
{
	const char *pos = memmem(line, len, SEPARATOR, strlen(SEPARATOR)), *word;
	size_t word_len;

	if (!pos)
		return false;
	pos += strlen(SEPARATOR);
	return pme_next_word(&pos, line + len, &word, &word_len) == 1 &&
	       pme_next_word(&pos, line + len, &word, &word_len) == 1 && *word == '/';
}

/* A member that fails, and an array that comes or goes, are in other lines. */
static bool is_state(const char *line, size_t len)
{
	return !memmem(line, len, "finish=", strlen("finish=")) &&
	       !memmem(line, len, "bitmap:", strlen("bitmap:"));
}

static uint64_t sum_lines(const char *text, size_t len, bool (*counts)(const char *, size_t))
{
	const char *end = text + len;
	uint64_t sum = 0;

	for (const char *line = text; line < end;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t size = (size_t)((newline ? newline : end) - line);

		if (counts(line, size))
			sum += XXH64(line, size, 0);
		line += size + 1;
	}
	return sum;
}

uint64_t pmed_mounts_sum(const char *text, size_t len)
{
	return sum_lines(text, len, has_device);
}

uint64_t pmed_arrays_sum(const char *text, size_t len)
{
	return sum_lines(text, len, is_state);
}

static int compare(const void *a, const void *b)
{
	const struct pmed_number *x = a, *y = b;

	if (x->major != y->major)
		return x->major < y->major ? -1 : 1;
	return x->minor == y->minor ? 0 : x->minor < y->minor ? -1 : 1;
}

/* "8:17", the third word. */
static int parse_number(const char *line, size_t len, struct pmed_number *ret)
{
	const char *pos = line, *word = line, *colon;
	uint64_t major, minor;
	size_t size = 0;

	for (int i = 0; i < 3; i++)
		if (pme_next_word(&pos, line + len, &word, &size) != 1)
			return -EINVAL;
	colon = memchr(word, ':', size);
	if (!colon || pme_parse_u64(word, (size_t)(colon - word), &major) < 0 ||
	    pme_parse_u64(colon + 1, (size_t)(word + size - colon - 1), &minor) < 0 ||
	    major > UINT32_MAX || minor > UINT32_MAX)
		return -EINVAL;
	*ret = (struct pmed_number){(unsigned int)major, (unsigned int)minor};
	return 0;
}

static int add_number(struct pmed_numbers *numbers, const char *line, size_t len)
{
	struct pmed_number number;
	int r = parse_number(line, len, &number);

	if (r == 0)
		r = pme_grow(&numbers->items, &numbers->alloc, numbers->count, sizeof(number));
	if (r == 0)
		numbers->items[numbers->count++] = number;
	return r;
}

static void sort(struct pmed_numbers *numbers)
{
	size_t kept = 0;

	if (numbers->count > 0)
		qsort(numbers->items, numbers->count, sizeof(*numbers->items), compare);
	for (size_t i = 0; i < numbers->count; i++)
		if (kept == 0 || compare(&numbers->items[kept - 1], &numbers->items[i]) != 0)
			numbers->items[kept++] = numbers->items[i];
	numbers->count = kept;
}

int pmed_mounts_parse(const char *text, size_t len, struct pmed_numbers *ret)
{
	struct pmed_numbers numbers = {0};
	const char *end = text + len;
	int r = 0;

	for (const char *line = text; line < end && r == 0;) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t size = (size_t)((newline ? newline : end) - line);

		if (has_device(line, size))
			r = add_number(&numbers, line, size);
		line += size + 1;
	}
	if (r < 0) {
		pmed_numbers_done(&numbers);
		return r;
	}
	sort(&numbers);
	*ret = numbers;
	return 0;
}

bool pmed_numbers_has(const struct pmed_numbers *numbers, const struct pmed_number *number)
{
	return numbers->count > 0 &&
	       bsearch(number, numbers->items, numbers->count, sizeof(*numbers->items), compare);
}

void pmed_numbers_done(struct pmed_numbers *numbers)
{
	free(numbers->items);
	*numbers = (struct pmed_numbers){0};
}
