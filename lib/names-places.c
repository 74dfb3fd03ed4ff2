/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories above a name; see names-places.h. */
#include "names-places.h"

#include <string.h>

#include "names-over.h"
#include "names.h"

static size_t count_slashes(const char *name)
{
	size_t count = 0;

	while ((name = strchr(name, '/'))) {
		name++;
		count++;
	}
	return count;
}

/* Where the directory is that is called as the first bytes of the name, up to @rest. */
static int fill_place(int root, const char *below, struct pme_item *item, const char *rest)
{
	size_t len = rest > item->name && rest[-1] == '/' ? (size_t)(rest - item->name) - 1
							  : (size_t)(rest - item->name);
	_cleanup_free_ char *dir = strndup(item->name, len);
	struct pme_above *place = &item->places[item->n_places++];
	const char *path = dir ? pme_names_below(below, dir) : NULL;
	struct stat st;

	*place = (struct pme_above){.rest = rest};
	if (!dir)
		return -ENOMEM;
	if (path && pme_over_stat(root, path, &st) == 0) {
		place->devno = st.st_dev;
		place->inode = st.st_ino;
	}
	item->partial |= place->inode == 0;
	return 0;
}

int pme_item_fill(int root, const char *below, struct pme_item *item)
{
	const char *path = pme_names_below(below, item->name), *rest = item->name;
	int r = 0;

	item->places = calloc(count_slashes(item->name) + 2, sizeof(*item->places));
	if (!item->places)
		return -ENOMEM;
	while (r == 0 && rest) {
		const char *slash = strchr(rest, '/');

		if (*rest)
			r = fill_place(root, below, item, rest);
		rest = slash ? slash + 1 : NULL;
	}
	if (r == 0 && S_ISDIR(item->file->mode))
		r = fill_place(root, below, item, item->name + strlen(item->name));
	if (r == 0 && !item->file->out_of_reach && path)
		item->has_stat =
			pme_over_stat(root, path, &item->st) == 0 && item->st.st_ino == item->inode;
	return r;
}
