/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte ranges; see range.h.
 */
#include "range.h"

#include <string.h>

int pme_range_intersect(struct pme_range a, struct pme_range b, struct pme_range *ret)
{
	uint64_t start = pme_max(a.start, b.start);
	uint64_t end = pme_min(pme_range_end(a), pme_range_end(b));

	if (start >= end)
		return 0;
	*ret = (struct pme_range){.start = start, .length = end - start};
	return 1;
}

int pme_range_list_add(struct pme_range_list *list, uint64_t start, uint64_t length)
{
	uint64_t end;
	int r;

	if (length == 0 || pme_add(start, length, &end) < 0)
		return -EINVAL;
	r = pme_grow(&list->items, &list->alloc, list->count, sizeof(*list->items));
	if (r < 0)
		return r;
	list->items[list->count++] = (struct pme_range){.start = start, .length = length};
	return 0;
}

static int compare_start(const void *a, const void *b)
{
	const struct pme_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void pme_range_list_normalize(struct pme_range_list *list)
{
	size_t kept = 0;

	if (list->count < 2)
		return;
	qsort(list->items, list->count, sizeof(*list->items), compare_start);
	for (size_t i = 1; i < list->count; i++) {
		struct pme_range *last = &list->items[kept];
		struct pme_range next = list->items[i];

		if (next.start > pme_range_end(*last))
			list->items[++kept] = next;
		else
			last->length =
				pme_max(pme_range_end(*last), pme_range_end(next)) - last->start;
	}
	list->count = kept + 1;
}

int pme_range_list_clip(struct pme_range_list *list, uint64_t end)
{
	size_t kept = 0;
	int cut = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct pme_range r = list->items[i];

		if (pme_range_end(r) > end)
			cut = 1;
		if (r.start >= end)
			continue;
		r.length = pme_min(r.length, end - r.start);
		list->items[kept++] = r;
	}
	list->count = kept;
	return cut;
}

size_t pme_range_list_first(const struct pme_range_list *list, uint64_t start)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pme_range_end(list->items[mid]) > start)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

int pme_range_list_subtract(struct pme_range whole, const struct pme_range_list *covered,
			    struct pme_range_list *ret_rest)
{
	uint64_t pos = whole.start;
	struct pme_range common;
	int r;

	for (size_t i = pme_range_list_first(covered, pos); i < covered->count; i++) {
		if (!pme_range_intersect(whole, covered->items[i], &common))
			break;
		if (common.start > pos) {
			r = pme_range_list_add(ret_rest, pos, common.start - pos);
			if (r < 0)
				return r;
		}
		pos = pme_range_end(common);
	}
	if (pos >= pme_range_end(whole))
		return 0;
	return pme_range_list_add(ret_rest, pos, pme_range_end(whole) - pos);
}

bool pme_range_list_meets(const struct pme_range_list *list, struct pme_range r)
{
	size_t i = pme_range_list_first(list, r.start);

	return i < list->count && list->items[i].start < pme_range_end(r);
}

uint64_t pme_range_list_bytes(const struct pme_range_list *list)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < list->count; i++)
		bytes += list->items[i].length;
	return bytes;
}

void pme_range_list_done(struct pme_range_list *list)
{
	free(list->items);
	*list = (struct pme_range_list){0};
}

/* Bytes of the unit with this suffix, or 0. */
static uint64_t unit_of(char suffix)
{
	switch (suffix) {
	case 's':
	case 'S':
		return PME_SECTOR;
	case 'k':
	case 'K':
		return 1ULL << 10;
	case 'm':
	case 'M':
		return 1ULL << 20;
	case 'g':
	case 'G':
		return 1ULL << 30;
	case 't':
	case 'T':
		return 1ULL << 40;
	}
	return 0;
}

int pme_size_parse(const char *text, size_t len, uint64_t *ret)
{
	uint64_t unit = len > 0 ? unit_of(text[len - 1]) : 0;
	uint64_t value, bytes;
	int r = pme_parse_u64(text, unit ? len - 1 : len, &value);

	if (r < 0)
		return r;
	if (pme_mul(value, unit ? unit : 1, &bytes) < 0)
		return -ERANGE;
	*ret = bytes;
	return 0;
}

int pme_range_parse(const char *text, size_t len, uint64_t default_length, struct pme_range *ret)
{
	const char *plus = memchr(text, '+', len);
	size_t start_len = plus ? (size_t)(plus - text) : len;
	struct pme_range range = {.length = default_length};
	uint64_t end;
	int r = pme_size_parse(text, start_len, &range.start);

	if (r < 0)
		return r;
	if (plus) {
		r = pme_size_parse(plus + 1, len - start_len - 1, &range.length);
		if (r < 0)
			return r;
	}
	if (range.length == 0)
		return -EINVAL;
	if (pme_add(range.start, range.length, &end) < 0)
		return -ERANGE;
	*ret = range;
	return 0;
}
