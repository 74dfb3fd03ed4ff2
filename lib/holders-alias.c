/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files through overlay mounts; see holders-alias.h.
 *
 * What surprises: a file that was copied up keeps its number, so only the time of the last change
 * tells the copy from the file below.  A descriptor follows to the copy, a mapping stays on what it
 * was made of, and since 6.8 nothing says what that is: /proc shows the file of the overlay for it
 * (before, the one in the layer, and nothing of this is asked).
 */
#include "holders-alias.h"

#include <string.h>

struct pme_alias_ref {
	const struct pme_alias *alias;
	struct pme_file *file;
};

static int by_number(const void *a, const void *b)
{
	const struct pme_alias *p = ((const struct pme_alias_ref *)a)->alias;
	const struct pme_alias *q = ((const struct pme_alias_ref *)b)->alias;

	if (p->devno != q->devno)
		return p->devno < q->devno ? -1 : 1;
	return p->inode < q->inode ? -1 : p->inode > q->inode;
}

static int by_device(const void *a, const void *b)
{
	dev_t p = *(const dev_t *)a, q = *(const dev_t *)b;

	return p < q ? -1 : p > q;
}

int pme_aliases_make(struct pme_file *const *files, size_t n_files, struct pme_aliases *ret)
{
	size_t count = 0, n = 0;

	for (size_t i = 0; i < n_files; i++)
		count += files[i]->n_aliases;
	*ret = (struct pme_aliases){0};
	if (count == 0)
		return 0;
	ret->refs = calloc(count, sizeof(*ret->refs));
	ret->shown = calloc(count, sizeof(*ret->shown));
	if (!ret->refs || !ret->shown)
		return -ENOMEM;
	for (size_t i = 0; i < n_files; i++)
		for (size_t a = 0; a < files[i]->n_aliases; a++, n++) {
			ret->refs[n] = (struct pme_alias_ref){&files[i]->aliases[a], files[i]};
			ret->shown[n] = files[i]->aliases[a].shown;
		}
	ret->count = n;
	qsort(ret->refs, n, sizeof(*ret->refs), by_number);
	qsort(ret->shown, n, sizeof(*ret->shown), by_device);
	return 0;
}

void pme_aliases_done(struct pme_aliases *aliases)
{
	free(aliases->refs);
	free(aliases->shown);
	*aliases = (struct pme_aliases){0};
}

bool pme_aliases_shows(const struct pme_aliases *aliases, dev_t devno)
{
	return aliases->count > 0 && bsearch(&devno, aliases->shown, aliases->count,
					     sizeof(*aliases->shown), by_device) != NULL;
}

static size_t first_at(const struct pme_aliases *aliases, const struct pme_alias_ref *key)
{
	size_t low = 0, high = aliases->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (by_number(&aliases->refs[mid], key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool has_stamp(const struct pme_alias *alias, const struct stat *st)
{
	return alias->ctime.tv_sec == st->st_ctim.tv_sec &&
	       alias->ctime.tv_nsec == st->st_ctim.tv_nsec;
}

/* 1 it is the file, 0 it is not, -EAGAIN. */
static int judge(const struct pme_alias_ref *ref, const struct stat *st, uint64_t mapped)
{
	if (ref->file->nlink == 0 && ref->file->mode != 0 && st->st_nlink > 0)
		return -EAGAIN; /* the overlay does not know that it was removed */
	switch (ref->alias->kind) {
	case PME_ALIAS_SURE: /* a mapping may be older than the copy, which has another number */
		return !mapped || (mapped == ref->file->inode && mapped == st->st_ino) ? 1
										       : -EAGAIN;
	case PME_ALIAS_STAMP:
		if (has_stamp(ref->alias, st))
			return 1;
		return mapped ? -EAGAIN : 0;
	case PME_ALIAS_DOUBT:
		return -EAGAIN;
	}
	return -EAGAIN;
}

int pme_aliases_find(const struct pme_aliases *aliases, const struct stat *st, uint64_t mapped,
		     struct pme_file **ret)
{
	const struct pme_alias alias = {.devno = st->st_dev, .inode = st->st_ino};
	const struct pme_alias_ref key = {.alias = &alias};
	int answer = 0;

	for (size_t i = first_at(aliases, &key);
	     i < aliases->count && by_number(&aliases->refs[i], &key) == 0; i++) {
		int r = judge(&aliases->refs[i], st, mapped);

		if (r == 1 && answer == 1 && *ret != aliases->refs[i].file)
			return -EAGAIN;
		if (r == 1)
			*ret = aliases->refs[i].file;
		if (r == 1 || answer == 0)
			answer = r;
	}
	return answer;
}
