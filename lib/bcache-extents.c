/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of extents of a cache set; see bcache-extents.h.
 *
 * The surprise: the kernel cuts a line at 79 characters, without a word; one that long is refused.
 */
#include "bcache-extents.h"

#include <string.h>

#define EXTENTS_MAX (1U << 24)
#define LINE_MAX_LEN 79U
#define INODES 20 /* bits */

struct text {
	const char *pos, *end;
};

static bool take(struct text *text, const char *what)
{
	size_t len = strlen(what);

	if ((size_t)(text->end - text->pos) < len || memcmp(text->pos, what, len) != 0)
		return false;
	text->pos += len;
	return true;
}

static bool take_number(struct text *text, uint64_t *ret)
{
	const char *at = text->pos;

	while (at < text->end && *at >= '0' && *at <= '9')
		at++;
	if (pme_parse_u64(text->pos, (size_t)(at - text->pos), ret) < 0)
		return false;
	text->pos = at;
	return true;
}

static bool in_bytes(uint64_t sectors, uint64_t *ret)
{
	return pme_mul(sectors, PME_SECTOR, ret) == 0;
}

static bool parse_numbers(struct text *text, struct pme_bcache_extent *ret)
{
	uint64_t start, length, device, place, gen, end;

	return take_number(text, &ret->inode) && take(text, ":") && take_number(text, &start) &&
	       take(text, " len ") && take_number(text, &length) && take(text, " -> [") &&
	       take_number(text, &device) && take(text, ":") && take_number(text, &place) &&
	       take(text, " gen ") && take_number(text, &gen) && take(text, "]") && device == 0 &&
	       ret->inode >> INODES == 0 && length > 0 && in_bytes(start, &ret->range.start) &&
	       in_bytes(length, &ret->range.length) && in_bytes(place, &ret->place) &&
	       pme_add(ret->range.start, ret->range.length, &end) == 0 &&
	       pme_add(ret->place, ret->range.length, &end) == 0;
}

/* One line; a checksum may stand behind. */
static int parse_line(const char *line, size_t len, struct pme_bcache_extent *ret)
{
	struct text text = {line, line + len};

	if (len >= LINE_MAX_LEN || !parse_numbers(&text, ret))
		return -EINVAL;
	ret->dirty = take(&text, " dirty");
	return text.pos == text.end || take(&text, " cs") ? 0 : -EINVAL;
}

static int add(struct pme_bcache_extents *extents, const struct pme_bcache_extent *extent)
{
	int r;

	if (extents->count >= EXTENTS_MAX)
		return -E2BIG;
	r = pme_grow(&extents->items, &extents->alloc, extents->count, sizeof(*extents->items));
	if (r == 0)
		extents->items[extents->count++] = *extent;
	return r;
}

static int compare_starts(const void *a, const void *b)
{
	const struct pme_bcache_extent *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->range.start < y->range.start ? -1 : x->range.start > y->range.start;
}

static int compare_places(const void *a, const void *b)
{
	const struct pme_bcache_extent *const *x = a, *const *y = b;

	return (*x)->place < (*y)->place ? -1 : (*x)->place > (*y)->place;
}

static int seal(struct pme_bcache_extents *extents)
{
	const struct pme_bcache_extent *items = extents->items;

	extents->by_place = calloc(extents->count + 1, sizeof(struct pme_bcache_extent *));
	if (!extents->by_place)
		return -ENOMEM;
	if (extents->count == 0)
		return 0;
	qsort(extents->items, extents->count, sizeof(*extents->items), compare_starts);
	for (size_t i = 0; i < extents->count; i++)
		extents->by_place[i] = &items[i];
	qsort(extents->by_place, extents->count, sizeof(struct pme_bcache_extent *),
	      compare_places);
	for (size_t i = 1; i < extents->count; i++) {
		const struct pme_bcache_extent *before = extents->by_place[i - 1];

		if (items[i].inode == items[i - 1].inode &&
		    items[i].range.start < pme_range_end(items[i - 1].range))
			return -EAGAIN;
		if (extents->by_place[i]->place < before->place + before->range.length)
			return -EAGAIN;
	}
	return 0;
}

int pme_bcache_extents_parse(const char *text, size_t len, struct pme_bcache_extents *ret)
{
	const char *end = text + len;
	int r = 0;

	*ret = (struct pme_bcache_extents){0};
	while (r == 0 && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct pme_bcache_extent extent;

		r = newline ? parse_line(text, (size_t)(newline - text), &extent) : -EINVAL;
		if (r == 0)
			r = add(ret, &extent);
		text = newline ? newline + 1 : end;
	}
	if (r == 0)
		r = seal(ret);
	if (r < 0)
		pme_bcache_extents_done(ret);
	return r;
}

void pme_bcache_extents_done(struct pme_bcache_extents *extents)
{
	free(extents->items);
	free(extents->by_place);
	*extents = (struct pme_bcache_extents){0};
}

static struct pme_range cut(uint64_t at, uint64_t end, uint64_t start, uint64_t length,
			    const struct pme_bcache_extent *extent,
			    const struct pme_bcache_extent **ret)
{
	*ret = at >= start ? extent : NULL;
	end = pme_min(end, *ret ? start + length : start);
	return (struct pme_range){at, end - at};
}

struct pme_range pme_bcache_piece(const struct pme_bcache_extents *extents, uint64_t inode,
				  uint64_t at, uint64_t end, const struct pme_bcache_extent **ret)
{
	size_t low = 0, high = extents->count;

	/* the first one that ends behind @at */
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct pme_bcache_extent *extent = &extents->items[mid];

		if (extent->inode < inode ||
		    (extent->inode == inode && pme_range_end(extent->range) <= at))
			low = mid + 1;
		else
			high = mid;
	}
	*ret = NULL;
	if (low == extents->count || extents->items[low].inode != inode)
		return (struct pme_range){at, end - at};
	return cut(at, end, extents->items[low].range.start, extents->items[low].range.length,
		   &extents->items[low], ret);
}

struct pme_range pme_bcache_place_piece(const struct pme_bcache_extents *extents, uint64_t at,
					uint64_t end, const struct pme_bcache_extent **ret)
{
	size_t low = 0, high = extents->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct pme_bcache_extent *extent = extents->by_place[mid];

		if (extent->place + extent->range.length <= at)
			low = mid + 1;
		else
			high = mid;
	}
	*ret = NULL;
	if (low == extents->count)
		return (struct pme_range){at, end - at};
	return cut(at, end, extents->by_place[low]->place, extents->by_place[low]->range.length,
		   extents->by_place[low], ret);
}
