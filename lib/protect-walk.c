/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walking a protected tree; see protect-walk.h.
 */
#include "protect-walk.h"

#include <fcntl.h>
#include <string.h>

#include "saved-conf.h"
#include "saved-place.h"

#define SAID_MAX 20 /* of one kind of trouble; the rest is counted */

struct walking {
	int top;
	const char *path;
	dev_t devno;
	const struct pme_left_out *left_out;
	struct pme_log *log;
	struct pme_walk *walk;
	char **todo; /* directories that are not read yet, below @top */
	size_t count, alloc;
};

void pme_left_out_done(struct pme_left_out *left_out)
{
	free(left_out->copies);
	*left_out = (struct pme_left_out){0};
}

int pme_left_out_find(const struct pme_os *os, dev_t devno, uint64_t vault,
		      struct pme_left_out *ret)
{
	_cleanup_(pme_protections_done) struct pme_protections all = {0};
	struct pme_log unsaid = {0};
	int r = pme_protections_load(os, &unsaid, &all);

	pme_log_done(&unsaid);
	*ret = (struct pme_left_out){.vault = vault};
	for (size_t i = 0; r == 0 && i < all.count; i++) {
		_cleanup_close_ int fd = pme_saved_replica(os, &all.items[i], false);
		struct stat st;

		if (fd < 0 || pme_os_fstat(fd, &st) < 0 || st.st_dev != devno)
			continue;
		r = pme_grow(&ret->copies, &ret->alloc, ret->count, sizeof(*ret->copies));
		if (r == 0)
			ret->copies[ret->count++] = st.st_ino;
	}
	return r == -ENOMEM ? r : 0;
}

void pme_walk_done(struct pme_walk *walk)
{
	for (size_t i = 0; i < walk->count; i++)
		free(walk->files[i].path);
	free(walk->files);
	*walk = (struct pme_walk){0};
}

char *pme_walk_path(const char *top, const char *path)
{
	if (!*path)
		return strdup(top);
	return pme_printf("%s/%s", strcmp(top, "/") == 0 ? "" : top, path);
}

int pme_walk_open(int fd, const struct pme_walk_file *file)
{
	int flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY;
	int r;

	if (!*file->path)
		return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	r = pme_os_open_beneath(fd, file->path, flags | O_NOATIME);
	return r == -EPERM ? pme_os_open_beneath(fd, file->path, flags) : r;
}

static int failed(struct walking *w, const char *path, int error)
{
	_cleanup_free_ char *full = pme_walk_path(w->path, path);

	if (!full)
		return -ENOMEM;
	if (error == -ENOENT) {
		w->walk->vanished++;
		return 0;
	}
	if (w->walk->failed++ < SAID_MAX)
		pme_log_incomplete(w->log, full, "cannot be looked at: %s", strerror(-error));
	return 0;
}

static int add_file(struct pme_walk *walk, char *path, uint64_t inode)
{
	_cleanup_free_ char *owned = path;
	int r = path ? pme_grow(&walk->files, &walk->alloc, walk->count, sizeof(*walk->files))
		     : -ENOMEM;

	if (r < 0)
		return r;
	walk->files[walk->count++] =
		(struct pme_walk_file){.path = pme_take_ptr(owned), .inode = inode};
	return 0;
}

static int add_dir(struct walking *w, char *path)
{
	_cleanup_free_ char *owned = path;
	int r = path ? pme_grow(&w->todo, &w->alloc, w->count, sizeof(*w->todo)) : -ENOMEM;

	if (r < 0)
		return r;
	w->todo[w->count++] = pme_take_ptr(owned);
	return 0;
}

static void say_mount(struct walking *w, const char *path)
{
	_cleanup_free_ char *full = pme_walk_path(w->path, path);

	if (w->walk->mounts++ < SAID_MAX && full)
		pme_log_add(w->log, PME_WARNING, full, PME_WALK_MOUNT);
}

static bool is_left_out(struct walking *w, uint64_t inode)
{
	bool is_copy = false;

	for (size_t i = 0; !is_copy && i < w->left_out->count; i++)
		is_copy = inode == w->left_out->copies[i];
	w->walk->copies += is_copy;
	return is_copy || inode == w->left_out->vault;
}

/* The name @name of the directory @dir, which is @parent. */
static int take_name(struct walking *w, int dir, const char *parent, const char *name)
{
	_cleanup_free_ char *path = *parent ? pme_printf("%s/%s", parent, name) : strdup(name);
	struct stat st;
	int r = path ? pme_os_stat_at(dir, name, false, &st) : -ENOMEM;

	if (r < 0)
		return r == -ENOMEM ? r : failed(w, path, r);
	if (st.st_dev != w->devno) {
		say_mount(w, path);
		return 0;
	}
	if (S_ISREG(st.st_mode))
		return add_file(w->walk, pme_take_ptr(path), st.st_ino);
	if (S_ISLNK(st.st_mode))
		w->walk->symlinks++;
	else if (!S_ISDIR(st.st_mode))
		w->walk->special++;
	else if (!is_left_out(w, st.st_ino))
		return add_dir(w, pme_take_ptr(path));
	return 0;
}

static int read_dir(struct walking *w, const char *path)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
	_cleanup_close_ int dir = *path ? pme_os_open_beneath(w->top, path, flags)
					: pme_os_open_at(w->top, ".", flags);
	struct pme_os here = {.root = dir};
	char **names = NULL;
	size_t count = 0;
	int r = dir < 0 ? dir : pme_os_list(&here, ".", &names, &count);

	if (r == -EXDEV) { /* a bind mount of the same filesystem */
		say_mount(w, path);
		return 0;
	}
	if (r < 0)
		return r == -ENOMEM || r == -E2BIG ? r : failed(w, path, r);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = take_name(w, dir, path, names[i]);
	pme_os_free_names(names, count);
	return r;
}

static int compare_files(const void *a, const void *b)
{
	const struct pme_walk_file *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return strcmp(x->path, y->path);
}

/* Each inode once, by its first name. */
static void drop_links(struct pme_walk *walk)
{
	size_t kept = 0;

	if (walk->count == 0)
		return;
	qsort(walk->files, walk->count, sizeof(*walk->files), compare_files);
	for (size_t i = 0; i < walk->count; i++) {
		if (kept > 0 && walk->files[kept - 1].inode == walk->files[i].inode) {
			free(walk->files[i].path);
			walk->links++;
		} else {
			walk->files[kept++] = walk->files[i];
		}
	}
	walk->count = kept;
}

int pme_walk(int fd, const char *path, const struct pme_left_out *left_out, struct pme_log *log,
	     struct pme_walk *ret)
{
	struct walking w = {
		.top = fd,
		.path = path,
		.left_out = left_out,
		.log = log,
		.walk = ret,
	};
	struct stat st;
	int r = pme_os_fstat(fd, &st);

	if (r < 0)
		return failed(&w, "", r);
	if (!S_ISDIR(st.st_mode))
		return add_file(ret, strdup(""), st.st_ino);
	w.devno = st.st_dev;
	r = read_dir(&w, "");
	while (r == 0 && w.count > 0) {
		_cleanup_free_ char *dir = w.todo[--w.count];

		r = read_dir(&w, dir);
	}
	pme_os_free_names(w.todo, w.count);
	if (ret->copies > 0)
		pme_log_add(log, PME_INFO, path,
			    "%llu directories with copies of other protected paths are left out",
			    (unsigned long long)ret->copies);
	if (r < 0)
		pme_walk_done(ret);
	else
		drop_links(ret);
	return r;
}

bool pme_seen_find(const struct pme_seen *seen, const char *name, size_t *ret_at)
{
	size_t low = 0, high = seen->count;
	int order = 1;

	/* Most come in order. */
	if (high > 0 && strcmp(seen->names[high - 1], name) < 0)
		low = high;
	while (low < high && order != 0) {
		size_t middle = low + (high - low) / 2;

		order = strcmp(name, seen->names[middle]);
		if (order <= 0)
			high = middle;
		else
			low = middle + 1;
	}
	if (ret_at)
		*ret_at = high;
	return order == 0;
}

int pme_seen_add(struct pme_seen *seen, char *name)
{
	_cleanup_free_ char *owned = name;
	size_t at;
	int r;

	if (pme_seen_find(seen, name, &at))
		return 1;
	r = pme_grow(&seen->names, &seen->alloc, seen->count, sizeof(*seen->names));
	if (r < 0)
		return r;
	memmove(&seen->names[at + 1], &seen->names[at], (seen->count - at) * sizeof(*seen->names));
	seen->names[at] = pme_take_ptr(owned);
	seen->count++;
	return 0;
}
