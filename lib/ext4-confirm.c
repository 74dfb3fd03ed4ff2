/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hits and their confirmation; see ext4-confirm.h.
 *
 * An entry that is moved to another block of its directory meanwhile may be read twice: each is
 * counted once, as nothing would be missed otherwise.
 */
#include "ext4-confirm.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "os.h"

struct confirming {
	struct pme_ext4_hits *hits;
	struct pme_file *const *files;
	int root;
	dev_t devno;
};

int pme_ext4_hits_add(struct pme_ext4_hits *hits, uint64_t dir, size_t file,
		      const struct pme_ext4_dirent *entry)
{
	_cleanup_free_ char *name = strndup(entry->name, entry->len);
	int r = pme_grow(&hits->items, &hits->alloc, hits->count, sizeof(*hits->items));

	if (r < 0 || !name)
		return r < 0 ? r : -ENOMEM;
	hits->items[hits->count++] = (struct pme_ext4_hit){
		.dir = dir,
		.file = file,
		.name = pme_take_ptr(name),
	};
	return 0;
}

void pme_ext4_hits_cut(struct pme_ext4_hits *hits, size_t count)
{
	while (hits->count > count)
		free(hits->items[--hits->count].name);
}

int pme_ext4_hits_move(struct pme_ext4_hits *hits, struct pme_ext4_hits *from)
{
	for (size_t i = 0; i < from->count; i++) {
		int r = pme_grow(&hits->items, &hits->alloc, hits->count, sizeof(*hits->items));

		if (r < 0)
			return r;
		hits->items[hits->count] = from->items[i];
		hits->items[hits->count++].name = pme_take_ptr(from->items[i].name);
	}
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct pme_ext4_hit *p = a, *q = b;

	if (p->dir != q->dir)
		return p->dir < q->dir ? -1 : 1;
	if (p->file != q->file)
		return p->file < q->file ? -1 : 1;
	return strcmp(p->name, q->name);
}

static void drop_doubles(struct pme_ext4_hits *hits)
{
	size_t kept = 0;

	for (size_t i = 0; i < hits->count; i++) {
		if (kept > 0 && by_place(&hits->items[kept - 1], &hits->items[i]) == 0)
			free(hits->items[i].name);
		else
			hits->items[kept++] = hits->items[i];
	}
	hits->count = kept;
}

int pme_ext4_hits_sort(struct pme_ext4_hits *hits)
{
	hits->dirs = calloc(hits->count + 1, sizeof(*hits->dirs));
	if (!hits->dirs)
		return -ENOMEM;
	if (hits->count > 0)
		qsort(hits->items, hits->count, sizeof(*hits->items), by_place);
	drop_doubles(hits);
	for (size_t i = 0; i < hits->count; i++) {
		if (i == 0 || hits->items[i - 1].dir != hits->items[i].dir)
			hits->dirs[hits->n_dirs++].first = i;
		hits->dirs[hits->n_dirs - 1].count++;
	}
	return 0;
}

/* ---- the kernel ---- */

/* Bytes of the first part of @path that fits into one call. */
static size_t part_length(const char *path)
{
	size_t len = strlen(path);

	if (len < PATH_MAX)
		return len;
	for (len = PATH_MAX - 1; len > 0 && path[len] != '/'; len--)
		;
	return len;
}

/* A directory below @root by a path of any length: a descriptor or -errno. */
static int open_dir(int root, const char *path)
{
	_cleanup_close_ int fd = pme_os_open_at(root, ".", O_PATH | O_DIRECTORY);

	while (fd >= 0 && *path) {
		size_t len = part_length(path);
		_cleanup_free_ char *part = strndup(path, len);
		_cleanup_close_ int upper = pme_take_fd(&fd);

		if (!part || len == 0)
			return part ? -ENAMETOOLONG : -ENOMEM;
		fd = pme_os_open_beneath(upper, part, O_PATH | O_DIRECTORY);
		path += len + (path[len] == '/');
	}
	return pme_take_fd(&fd);
}

static bool is_inode(const struct stat *st, dev_t devno, uint64_t ino)
{
	return st->st_dev == devno && st->st_ino == ino;
}

/* Called by several threads, for different directories. */
static int confirm_dir(void *arg, size_t number)
{
	const struct confirming *confirming = arg;
	const struct pme_ext4_hit_dir *dir = &confirming->hits->dirs[number];
	struct pme_ext4_hit *hits = &confirming->hits->items[dir->first];
	_cleanup_close_ int fd = dir->path ? open_dir(confirming->root, dir->path) : -ENOENT;
	struct stat st;

	if (fd == -ENOMEM)
		return fd;
	if (fd < 0 || pme_os_fstat(fd, &st) < 0 || !is_inode(&st, confirming->devno, hits[0].dir))
		return 0;
	for (size_t i = 0; i < dir->count; i++)
		hits[i].confirmed =
			pme_os_stat_at(fd, hits[i].name, false, &st) == 0 &&
			is_inode(&st, confirming->devno, confirming->files[hits[i].file]->inode);
	return 0;
}

int pme_ext4_hits_confirm(struct pme_ext4_hits *hits, int root, dev_t devno,
			  struct pme_file *const *files)
{
	struct confirming confirming = {hits, files, root, devno};
	int r = pme_crew_each(hits->n_dirs, confirm_dir, &confirming, hits->progress);

	return r == -ETIME ? 0 : r;
}

/* ---- the result ---- */

static int add_names(const struct pme_ext4_hits *hits, const struct pme_ext4_hit_dir *dir,
		     struct pme_file *const *files, const uint32_t *found, struct pme_names *ret)
{
	int r = 0;

	for (size_t i = dir->first; r == 0 && i < dir->first + dir->count; i++) {
		const struct pme_ext4_hit *hit = &hits->items[i];
		struct pme_file *file = files[hit->file];

		if (hit->confirmed && found[hit->file] >= pme_names_wanted(file))
			r = pme_names_add(
				ret, file,
				pme_printf("%s%s%s", dir->path, *dir->path ? "/" : "", hit->name));
	}
	return r;
}

/* Those that miss a name to the beginning: how many. */
static size_t part_files(struct pme_file **files, size_t n_files, const uint32_t *found)
{
	size_t left = 0;

	for (size_t i = 0; i < n_files; i++) {
		struct pme_file *file = files[i];

		if (found[i] >= pme_names_wanted(file))
			continue;
		files[i] = files[left];
		files[left++] = file;
	}
	return left;
}

int pme_ext4_hits_take(const struct pme_ext4_hits *hits, struct pme_file **files, size_t n_files,
		       struct pme_names *ret, size_t *ret_left)
{
	_cleanup_free_ uint32_t *found = calloc(n_files + 1, sizeof(*found));
	int r = found ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < hits->count; i++)
		found[hits->items[i].file] += hits->items[i].confirmed;
	for (size_t i = 0; r == 0 && i < hits->n_dirs; i++)
		r = add_names(hits, &hits->dirs[i], files, found, ret);
	if (r == 0)
		*ret_left = part_files(files, n_files, found);
	return r;
}

void pme_ext4_hits_done(struct pme_ext4_hits *hits)
{
	pme_ext4_hits_cut(hits, 0);
	for (size_t i = 0; i < hits->n_dirs; i++)
		free(hits->dirs[i].path);
	free(hits->items);
	free(hits->dirs);
	*hits = (struct pme_ext4_hits){0};
}
