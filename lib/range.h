/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte ranges, half open: [start, start + length).  Lists of them: sorted, merged, clipped.
 *
 * A valid range has length > 0 and start + length does not overflow.  Nothing here logs.
 */
#ifndef PME_RANGE_H
#define PME_RANGE_H

#include "base.h"

struct pme_range {
	uint64_t start, length; /* bytes */
};

struct pme_range_list {
	struct pme_range *items;
	size_t count, alloc;
};

static inline uint64_t pme_range_end(struct pme_range r)
{
	return r.start + r.length;
}

/* The common part of @a and @b: 1 and *@ret, or 0 when there is none. */
int pme_range_intersect(struct pme_range a, struct pme_range b, struct pme_range *ret);

/* Append: 0, -EINVAL for a range that is not valid, -ENOMEM, -E2BIG. */
int pme_range_list_add(struct pme_range_list *list, uint64_t start, uint64_t length);

/* Sort, and merge what overlaps or touches. */
void pme_range_list_normalize(struct pme_range_list *list);

/* Drop what lies at or behind @end, cut what crosses it.  1 when anything was cut off, else 0. */
int pme_range_list_clip(struct pme_range_list *list, uint64_t end);

/* Index of the first item of the normalized list that ends behind byte @start, or the count. */
size_t pme_range_list_first(const struct pme_range_list *list, uint64_t start);

/* What of @whole is not covered by the normalized @covered, appended to @ret_rest. */
int pme_range_list_subtract(struct pme_range whole, const struct pme_range_list *covered,
			    struct pme_range_list *ret_rest);

/* Do the bytes of @r and the normalized list meet? */
bool pme_range_list_meets(const struct pme_range_list *list, struct pme_range r);

uint64_t pme_range_list_bytes(const struct pme_range_list *list); /* of a normalized list */
void pme_range_list_done(struct pme_range_list *list);

/*
 * A size in bytes: digits and one optional suffix: s (512-byte sectors), k, m, g, t (1024-based),
 * either case.  -EINVAL for anything else, -ERANGE when the bytes do not fit into 64 bits.
 */
int pme_size_parse(const char *text, size_t len, uint64_t *ret);

/* START[+LEN]: without +LEN the length is @default_length; -EINVAL for length 0. */
int pme_range_parse(const char *text, size_t len, uint64_t default_length, struct pme_range *ret);

#endif
