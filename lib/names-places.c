/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directories above a name; see names-places.h. */
#include "names-places.h"

#include <string.h>

#include "fs-enter.h"
#include "names-over.h"

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

struct pme_item *pme_items_add(struct pme_items *items, const struct pme_item *item)
{
	if (pme_grow(&items->items, &items->alloc, items->count, sizeof(*item)) < 0)
		return NULL;
	items->items[items->count] = *item;
	return &items->items[items->count++];
}

static int add_all(const struct pme_names *names, int root, const char *below,
		   struct pme_items *items)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < names->count; i++) {
		const struct pme_name *name = &names->items[i];
		struct pme_item *item;

		if (i > 0 && name[-1].file == name->file && strcmp(name[-1].path, name->path) == 0)
			continue;
		item = pme_items_add(items, &(struct pme_item){
						    .file = name->file,
						    .name = name->path,
						    .devno = name->file->devno,
						    .inode = name->file->inode,
					    });
		r = item ? pme_item_fill(root, below, item) : -ENOMEM;
	}
	return r;
}

/* The directory of @mount, and not of one that is over it; subvolumes have numbers of their own. */
static int enter(const struct pme_os *os, const struct pme_mount *mount)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (*mount->root != '/')
		return -ENOENT;
	fd = pme_fs_enter_mount(os, mount);
	r = fd < 0 ? fd : pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	return st.st_dev == mount->shown || strcmp(mount->type, "btrfs") == 0 ? pme_take_fd(&fd)
									      : -EXDEV;
}

int pme_items_load(const struct pme_os *os, const struct pme_fs *fs, const struct pme_names *names,
		   struct pme_items *ret)
{
	for (int whole = 1; whole >= 0; whole--)
		for (size_t i = 0; i < fs->n_mounts; i++) {
			const struct pme_mount *mount = fs->mounts[i];
			_cleanup_close_ int fd = -1;

			if ((strcmp(mount->root, "/") == 0) != whole)
				continue;
			fd = enter(os, mount);
			if (fd >= 0)
				return add_all(names, fd, mount->root, ret);
		}
	return add_all(names, -1, "/", ret);
}

void pme_items_done(struct pme_items *items)
{
	for (size_t i = 0; i < items->count; i++)
		free(items->items[i].places);
	free(items->items);
}
