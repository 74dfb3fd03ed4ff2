/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of an MD array, compared; see repair-md-legs.h.
 *
 * Parity: P is the XOR of the data, Q the sum of g^i times chunk i in GF(2^8) with the polynomial
 * 0x11d (H. P. Anvin, "The mathematics of RAID-6"; lib/raid6).  The surprise: chunks are counted
 * for Q from the member behind Q round the array (raid5.c: raid6_d0), not in the order of the data;
 * the layouts of DDF count in another way, and are not read here.
 *
 * Programs may write to the array while its members are read: who sees a contradiction looks again.
 */
#include "repair-md-legs.h"

#include <string.h>

#include "md-parity-layout.h"
#include "media.h"

#define PAGE 4096ULL
#define SECTORS (PAGE / PME_SECTOR)
#define COPIES_MAX 4096 /* members of one array */

/* One page of the array, or of a row: where its copies are, and what they say. */
struct page {
	size_t count;
	size_t *slots;
	uint64_t *at;	    /* bytes of the members' devices */
	unsigned char *buf; /* count pages */
	uint8_t *unread;    /* a bit for each sector that cannot be read */
};

static void page_done(struct page *page)
{
	free(page->slots);
	free(page->at);
	free(page->buf);
	free(page->unread);
}

static int page_make(size_t max, struct page *ret)
{
	ret->slots = calloc(max, sizeof(*ret->slots));
	ret->at = calloc(max, sizeof(*ret->at));
	ret->buf = calloc(max, PAGE);
	ret->unread = calloc(max, 1);
	return ret->slots && ret->at && ret->buf && ret->unread ? 0 : -ENOMEM;
}

static unsigned int parity_of(const struct pme_md_level *level)
{
	return level == &pme_md_raid4	? 4
	       : level == &pme_md_raid5 ? 5
	       : level == &pme_md_raid6 ? 6
					: 0;
}

int pme_legs_open(const struct pme_topo *topo, const struct pme_dev *array, struct pme_legs *ret)
{
	int r = pme_md_geometry_of(array, &ret->geo);

	if (r < 0)
		return r;
	ret->parity = parity_of(ret->geo.level);
	if (ret->geo.count > COPIES_MAX)
		return -EINVAL;
	ret->fds = malloc((ret->geo.count + 1) * sizeof(*ret->fds));
	if (!ret->fds)
		return -ENOMEM;
	for (size_t i = 0; i < ret->geo.count; i++)
		ret->fds[i] = -1;
	for (size_t i = 0; i < ret->geo.count; i++) {
		if (!ret->geo.members[i].dev)
			return -ENODEV;
		ret->fds[i] = pme_media_open(topo, ret->geo.members[i].dev);
		if (ret->fds[i] < 0)
			return ret->fds[i];
	}
	return 0;
}

void pme_legs_close(struct pme_legs *legs)
{
	for (size_t i = 0; legs->fds && i < legs->geo.count; i++)
		pme_close_fd(&legs->fds[i]);
	free(legs->fds);
	pme_md_geometry_done(&legs->geo);
	*legs = (struct pme_legs){0};
}

uint64_t pme_legs_size(const struct pme_legs *legs)
{
	return legs->parity ? legs->geo.members[0].size : legs->geo.range.length;
}

/* All members have a part in the row. */
static void find_row(const struct pme_legs *legs, uint64_t at, struct page *page)
{
	page->count = legs->geo.count;
	for (size_t i = 0; i < page->count; i++) {
		page->slots[i] = i;
		page->at[i] = legs->geo.members[i].offset + at;
	}
}

/* The members that have these bytes of the array, as the level itself leads to them. */
static int find_copies(const struct pme_legs *legs, struct pme_range part, struct page *page)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {0};
	int r = legs->geo.level->down(&legs->geo, part, &steps);

	page->count = 0;
	for (size_t i = 0; r == 0 && i < steps.count; i++) {
		const struct pme_step *step = &steps.items[i];
		const struct pme_md_member *member =
			step->to ? pme_md_member_on(&legs->geo, step->to) : NULL;

		if (!member || step->certainty != PME_EXACT || step->from.start != part.start ||
		    step->from.length != part.length || page->count == legs->geo.count)
			return -EINVAL;
		page->slots[page->count] = member->slot;
		page->at[page->count++] = step->to_start;
	}
	return r;
}

/* One page of one member: what cannot be read of it, sector by sector. */
static int read_part(int fd, uint64_t at, size_t size, unsigned char *buf, uint8_t *ret_unread)
{
	int r = pme_media_read(fd, buf, size, at);

	*ret_unread = 0;
	if (r != -EIO)
		return r;
	for (size_t s = 0; s * PME_SECTOR < size; s++) {
		size_t length = pme_min(PME_SECTOR, size - s * PME_SECTOR);

		r = pme_media_read(fd, buf + s * PME_SECTOR, length, at + s * PME_SECTOR);
		if (r == -EIO)
			*ret_unread |= (uint8_t)(1U << s);
		else if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what they say ---- */

static bool mirrors_agree(const struct page *page, size_t sector, size_t size)
{
	const unsigned char *first = NULL;

	for (size_t i = 0; i < page->count; i++) {
		const unsigned char *own = page->buf + i * PAGE + sector * PME_SECTOR;

		if (page->unread[i] >> sector & 1)
			continue;
		if (first && memcmp(first, own, size) != 0)
			return false;
		first = own;
	}
	return true;
}

static unsigned char twice(unsigned char x)
{
	return (unsigned char)(x << 1 ^ (x & 0x80 ? 0x1d : 0));
}

/* Is the XOR of all but Q zero?  With @ret: it is what @ret has to be. */
static bool sum_p(const struct pme_md_row *row, unsigned char *const *sectors, size_t i,
		  unsigned char *ret)
{
	unsigned char sum = 0;

	for (uint64_t slot = 0; slot < row->disks; slot++)
		if (slot != row->q && sectors[slot])
			sum ^= sectors[slot][i];
	if (ret)
		*ret = sum;
	return sum == 0;
}

/* Does Q fit?  @missing: of this member @value is what it would have; row->disks: none. */
static bool fits_q(const struct pme_md_row *row, unsigned char *const *sectors, size_t i,
		   uint64_t missing, unsigned char value)
{
	uint64_t slot = (row->q + row->disks - 1) % row->disks; /* from the last one down */
	unsigned char sum = 0;

	for (uint64_t n = 1; n < row->disks; n++, slot = (slot + row->disks - 1) % row->disks) {
		if (slot == row->p)
			continue;
		sum = (unsigned char)(twice(sum) ^ (slot == missing ? value : sectors[slot][i]));
	}
	return sum == sectors[row->q][i];
}

int pme_parity_agrees(const struct pme_md_row *row, unsigned char *const *sectors, size_t size)
{
	bool has_q = row->q < row->disks;
	uint64_t missing = row->disks;
	size_t n_missing = 0;

	for (uint64_t slot = 0; slot < row->disks; slot++) {
		if (sectors[slot])
			continue;
		missing = slot;
		n_missing++;
	}
	if (n_missing > (has_q ? 1 : 0))
		return 1;
	for (size_t i = 0; i < size; i++) {
		unsigned char value = 0;
		bool fits = true;

		if (n_missing == 0 || missing == row->q)
			fits = sum_p(row, sectors, i, NULL);
		else if (missing != row->p)
			sum_p(row, sectors, i, &value);
		if (fits && has_q && missing != row->q)
			fits = fits_q(row, sectors, i, missing, value);
		if (!fits)
			return 0;
	}
	return 1;
}

/* Only rows with unreadable sectors are written by a check, and have to be right. */
static int row_agrees(const struct pme_legs *legs, uint64_t at, const struct page *page,
		      size_t sector)
{
	_cleanup_free_ unsigned char **sectors = calloc(page->count, sizeof(*sectors));
	struct pme_md_row row;
	int r;

	if (!sectors)
		return -ENOMEM;
	r = pme_md_row_of(legs->parity, legs->geo.layout, page->count, at / legs->geo.chunk, &row);
	if (r < 0)
		return r;
	for (size_t i = 0; i < page->count; i++)
		if (!(page->unread[i] >> sector & 1))
			sectors[i] = page->buf + i * PAGE + sector * PME_SECTOR;
	return pme_parity_agrees(&row, sectors, PME_SECTOR);
}

/* How many members may have bad sectors in one page, so that md can make them anew. */
static size_t spare_members(const struct pme_legs *legs, const struct page *page)
{
	if (legs->parity)
		return legs->parity == 6 ? 2 : 1;
	return page->count > 0 ? page->count - 1 : 0;
}

static int judge_page(const struct pme_legs *legs, struct pme_range part, bool named,
		      const struct page *page, struct pme_legs_seen *seen)
{
	size_t bad = 0;

	for (size_t i = 0; i < page->count; i++) {
		seen->unread += (uint64_t)__builtin_popcount(page->unread[i]) * PME_SECTOR;
		bad += page->unread[i] != 0;
	}
	if (bad > spare_members(legs, page) || page->count == 0)
		seen->beyond = pme_min(seen->beyond, part.start);
	if (legs->parity && bad == 0 && !named)
		return 0;
	for (size_t s = 0; s * PME_SECTOR < part.length; s++) {
		size_t size = pme_min(PME_SECTOR, part.length - s * PME_SECTOR);
		int r = 1;

		if (legs->parity)
			r = row_agrees(legs, part.start, page, s);
		else
			r = mirrors_agree(page, s, size);
		if (r < 0)
			return r;
		if (r == 0)
			seen->disagree = pme_min(seen->disagree, part.start + s * PME_SECTOR);
	}
	return 0;
}

static int look_page(const struct pme_legs *legs, struct pme_range part, bool named,
		     struct page *page, uint64_t *bad_pages, struct pme_legs_seen *seen)
{
	int r = 0;

	if (legs->parity)
		find_row(legs, part.start, page);
	else
		r = find_copies(legs, part, page);
	for (size_t i = 0; r == 0 && i < page->count; i++) {
		r = read_part(legs->fds[page->slots[i]], page->at[i], part.length,
			      page->buf + i * PAGE, &page->unread[i]);
		bad_pages[page->slots[i]] += page->unread[i] != 0;
	}
	return r < 0 ? r : judge_page(legs, part, named, page, seen);
}

int pme_legs_look(const struct pme_legs *legs, struct pme_range window,
		  const struct pme_range_list *pages, struct pme_legs_seen *ret)
{
	_cleanup_(page_done) struct page page = {0};
	_cleanup_free_ uint64_t *bad_pages = calloc(legs->geo.count + 1, sizeof(*bad_pages));
	uint64_t end = pme_min(pme_range_end(window), pme_legs_size(legs)), next;
	struct pme_legs_seen seen = {.disagree = PME_UNKNOWN, .beyond = PME_UNKNOWN};
	int r = bad_pages ? page_make(legs->geo.count + 1, &page) : -ENOMEM;

	for (uint64_t at = window.start; r == 0 && at < end; at = next) {
		struct pme_range part = {at, pme_min(at - at % PAGE + PAGE, end) - at};

		next = pme_range_end(part);
		r = look_page(legs, part, pme_range_list_meets(pages, part), &page, bad_pages,
			      &seen);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < legs->geo.count; i++) {
		seen.most = pme_max(seen.most, bad_pages[i]);
		seen.whole |= bad_pages[i] == 0;
	}
	*ret = seen;
	return 0;
}
