/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A repair in place that did not come to its end; see repair-place.h.
 *
 * Without the act "write" no byte of the file was touched.  With it, each page is the bad one, the
 * good one, or, after a power cut, what was left of it by clearing.
 */
#include <string.h>

#include "remap.h"
#include "repair-place.h"

static int end(struct pme_work *work)
{
	int r = pme_work_note(work, "clean", SIZE_MAX);

	if (r == 0)
		r = pme_work_clean(work);
	work->switched = true; /* what is said: repaired */
	return r < 0 ? r : pme_work_end(work);
}

/* Nobody has written since: what was proven then is so now. */
static int write_again(struct pme_work *work)
{
	int r = pme_work_note(work, "write", 0);

	if (r == 0)
		r = pme_work_place_write(work);
	if (r == 0)
		r = pme_work_place_verify(work);
	return r;
}

enum page_fate {
	PAGE_RIGHT,
	PAGE_ERROR,  /* as it was */
	PAGE_OTHERS, /* of those who changed the file */
	PAGE_UNKNOWN,
};

/* One page of a file that was changed since the act "write". */
static enum page_fate look_at_page(const struct pme_work *work, uint64_t at, size_t page,
				   bool same_boot, unsigned char *buf)
{
	const struct pme_work_target *t = &work->targets[0];
	size_t length = (size_t)pme_min(page, t->length - at);

	if (pme_work_place_same(work, at, page) <= 0)
		return PAGE_OTHERS; /* it has other blocks: no byte of ours */
	if (pme_remap_read(t->fd, buf, length, t->starts[0] + at) < 0)
		return PAGE_ERROR;
	if (memcmp(buf, work->good + at, length) == 0)
		return PAGE_RIGHT;
	return same_boot ? PAGE_OTHERS : PAGE_UNKNOWN;
}

/* 1 all is right; 0 nothing is wrong; -EUCLEAN nobody can tell; -errno. */
static int look_at_changed(struct pme_work *work, bool same_boot)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), right = 0, pages = 0;
	_cleanup_free_ unsigned char *buf = malloc(page);
	const struct pme_work_target *t = &work->targets[0];

	if (!buf)
		return -ENOMEM;
	for (uint64_t at = 0; at < t->length; at += page, pages++) {
		enum page_fate fate = look_at_page(work, at, page, same_boot, buf);

		if (fate == PAGE_UNKNOWN)
			return pme_work_fail(
				work, -EUCLEAN,
				"%s was changed after it, and the machine started anew: from byte "
				"%llu on it has other bytes than %s/%s/%lld/good of its "
				"filesystem, its own or what a power cut left; compare them, and "
				"put a right copy in the place of the file (cp -a, mv)",
				t->path, (unsigned long long)(t->starts[0] + at), ".pmemctl",
				"staging", (long long)work->id);
		right += fate == PAGE_RIGHT;
	}
	return right == pages;
}

/* Writing failed: is each page right, or an error as before? */
static bool is_harmless(const struct pme_work *work)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_free_ unsigned char *buf = malloc(page);

	if (!buf || work->switched)
		return false;
	for (uint64_t at = 0; at < work->targets[0].length; at += page)
		if (look_at_page(work, at, page, false, buf) == PAGE_UNKNOWN)
			return false;
	return true;
}

/* 1 it is repaired; 0 there is nothing to repair; -errno, and it stays unfinished. */
static int go_on(struct pme_work *work)
{
	struct pme_work_before now;
	int r = pme_os_sync(work->targets[0].fd);

	if (r == 0)
		r = pme_work_before_take(work->os, work->targets[0].fd, &now);
	if (r < 0)
		return r;
	if (pme_work_before_same(&work->before, &now) &&
	    pme_work_place_same(work, 0, work->parts[0].device.length) > 0) {
		r = write_again(work);
		return r == 0 ? 1 : is_harmless(work) ? 0 : r;
	}
	r = look_at_changed(work, strcmp(work->before.boot, now.boot) == 0);
	if (r == 0)
		pme_work_fail(work, 0, "%s was changed after it", work->targets[0].path);
	return r;
}

int pme_work_place_resume(struct pme_work *work, const char *last)
{
	int r;

	if (strcmp(last, "clean") == 0) /* all was done and seen */
		return end(work);
	if (!work->before.known || strcmp(last, "take-back") == 0)
		return pme_work_take_back(work);
	if (work->n_targets != 1 || pme_work_load_good(work) < 0)
		return pme_work_fail(work, -EUCLEAN,
				     "the good bytes in the staging folder are gone or damaged");
	r = pme_work_lease(work, 0);
	if (r == -ESTALE) /* gone, or it ends before */
		return pme_work_take_back(work);
	if (r == 0)
		r = go_on(work);
	pme_work_unlease(work, 0);
	if (r > 0)
		return end(work);
	return r < 0 ? r : pme_work_take_back(work);
}
