/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names upwards; see btrfs-names.h.
 *
 * Paths of directories are kept for the time of one search: files that lie together share them.
 * What surprises: inodes of different subvolumes have the same numbers, and stat(2) shows a device
 * number of its own for each, which only the subvolume itself can tell.
 */
#include "btrfs-names.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/btrfs_tree.h>
#include <string.h>

#include "btrfs-search.h"
#include "crew.h"

#define TOP BTRFS_FS_TREE_OBJECTID
#define ROOT_DIR BTRFS_FIRST_FREE_OBJECTID
#define DEPTH_MAX 4096 /* directories and subvolumes above a file */

/* A directory whose path is known. */
struct dir {
	uint64_t root, inode;
	char *path; /* NULL: it cannot be found */
};

struct naming {
	const struct pme_btrfs_view *view;
	struct dir *dirs; /* sorted */
	size_t n_dirs, alloc_dirs;
};

/* One step up: the name of (root, inode), and the directory that it stands in. */
struct up {
	uint64_t root, dir;
	char name[256];
};

static void naming_done(struct naming *naming)
{
	for (size_t i = 0; i < naming->n_dirs; i++)
		free(naming->dirs[i].path);
	free(naming->dirs);
}

static size_t find_dir(const struct naming *naming, uint64_t root, uint64_t inode)
{
	size_t low = 0, high = naming->n_dirs;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct dir *dir = &naming->dirs[mid];

		if (dir->root < root || (dir->root == root && dir->inode < inode))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct dir *known_dir(const struct naming *naming, uint64_t root, uint64_t inode)
{
	size_t i = find_dir(naming, root, inode);

	if (i == naming->n_dirs || naming->dirs[i].root != root || naming->dirs[i].inode != inode)
		return NULL;
	return &naming->dirs[i];
}

/* Takes @path, which may be NULL. */
static int keep_dir(struct naming *naming, uint64_t root, uint64_t inode, char *path)
{
	size_t i = find_dir(naming, root, inode);
	int r = pme_grow(&naming->dirs, &naming->alloc_dirs, naming->n_dirs, sizeof(*naming->dirs));

	if (r < 0) {
		free(path);
		return r;
	}
	memmove(&naming->dirs[i + 1], &naming->dirs[i],
		(naming->n_dirs - i) * sizeof(*naming->dirs));
	naming->dirs[i] = (struct dir){root, inode, path};
	naming->n_dirs++;
	return 0;
}

/* The first name of a directory or subvolume: 1 and *@ret, 0 when it has none, -errno. */
static int step_up(const struct naming *naming, uint64_t root, uint64_t inode, struct up *ret)
{
	bool leaves = inode == ROOT_DIR;
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search = {
		.fd = naming->view->fd,
		.tree = leaves ? BTRFS_ROOT_TREE_OBJECTID : root,
		.next = {leaves ? root : inode,
			 leaves ? BTRFS_ROOT_BACKREF_KEY : BTRFS_INODE_REF_KEY, 0},
		.last = {leaves ? root : inode,
			 leaves ? BTRFS_ROOT_BACKREF_KEY : BTRFS_INODE_EXTREF_KEY, UINT64_MAX},
		.batch = 1,
	};
	struct pme_btrfs_item item;
	struct pme_btrfs_name name;
	size_t pos = 0;
	int r = pme_btrfs_search_next(&search, &item);

	if (r > 0)
		r = pme_btrfs_name_next(item.key.type, item.key.offset, item.data, item.len, &pos,
					&name);
	if (r <= 0)
		return r;
	ret->root = leaves ? item.key.offset : root;
	ret->dir = name.dir;
	memcpy(ret->name, name.name, name.len);
	ret->name[name.len] = '\0';
	return 1;
}

static bool is_top(uint64_t root, uint64_t inode)
{
	return root == TOP && inode == ROOT_DIR;
}

static char *join(const char *dir, const char *name)
{
	return pme_printf("%s%s%s", dir, *dir ? "/" : "", name);
}

/*
 * The path of a directory: 0 and *@ret, borrowed until the next call, NULL when it cannot be found;
 * -errno.  Goes up to what is known, and down again.
 */
static int path_of(struct naming *naming, uint64_t root, uint64_t inode, const char **ret)
{
	struct up *ups = NULL;
	size_t n = 0, alloc = 0;
	uint64_t at_root = root, at = inode;
	const struct dir *dir = NULL;
	_cleanup_free_ char *path = NULL;
	int r = 0;

	while (!is_top(at_root, at) && !(dir = known_dir(naming, at_root, at))) {
		r = n == DEPTH_MAX ? 0 : pme_grow(&ups, &alloc, n, sizeof(*ups));
		if (r == 0 && n < DEPTH_MAX)
			r = step_up(naming, at_root, at, &ups[n]);
		if (r <= 0)
			break;
		at_root = ups[n].root;
		at = ups[n++].dir;
		r = 0;
	}
	if (r == 0 && (dir || is_top(at_root, at))) {
		path = dir && !dir->path ? NULL : strdup(dir ? dir->path : "");
		r = path || (dir && !dir->path) ? 0 : -ENOMEM;
	}
	while (r == 0 && path && n-- > 0) {
		char *longer = join(path, ups[n].name);

		free(path);
		path = longer;
		r = path ? 0 : -ENOMEM;
	}
	free(ups);
	if (r == -ENOENT || pme_btrfs_is_damage(r)) /* a tree that is gone, a name that is none */
		r = 0;
	if (r == 0 && !known_dir(naming, root, inode))
		r = keep_dir(naming, root, inode, pme_take_ptr(path));
	if (r < 0)
		return r;
	*ret = known_dir(naming, root, inode)->path;
	return 0;
}

/* All names of one file. */
static int name_file(struct naming *naming, const struct pme_btrfs_file *of, struct pme_file *file,
		     struct pme_names *ret)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search = {
		.fd = naming->view->fd,
		.tree = of->root,
		.next = {of->inode, BTRFS_INODE_REF_KEY, 0},
		.last = {of->inode, BTRFS_INODE_EXTREF_KEY, UINT64_MAX},
	};
	struct pme_btrfs_item item;
	int r;

	while ((r = pme_btrfs_search_next(&search, &item)) > 0) {
		struct pme_btrfs_name name;
		size_t pos = 0;

		while ((r = pme_btrfs_name_next(item.key.type, item.key.offset, item.data, item.len,
						&pos, &name)) > 0) {
			_cleanup_free_ char *own = strndup(name.name, name.len);
			const char *dir;

			r = own ? path_of(naming, of->root, name.dir, &dir) : -ENOMEM;
			if (r == 0 && dir)
				r = pme_names_add(ret, file, join(dir, own));
			else if (r == 0)
				r = pme_names_doubt(file, "a directory above it cannot be read");
			if (r < 0)
				return r;
		}
		if (r < 0)
			break;
	}
	if (r == -ENOENT || pme_btrfs_is_damage(r))
		return pme_names_doubt(file,
				       "its names in the tree of its subvolume cannot be read");
	return r;
}

/* The device number that stat(2) shows for a subvolume: 0 when it cannot be known. */
static dev_t number_of(const struct pme_btrfs_view *view, uint64_t root)
{
	_cleanup_close_ int fd =
		pme_btrfs_view_open_inode(view, root, ROOT_DIR, O_PATH | O_DIRECTORY);
	struct stat st;

	if (fd < 0 || pme_os_fstat(fd, &st) < 0 || st.st_ino != ROOT_DIR)
		return 0;
	return st.st_dev;
}

/* Who holds a file is found by its number, also when its names are not. */
static void number_files(const struct pme_btrfs_view *view, const struct pme_btrfs_state *state,
			 struct pme_file **files)
{
	dev_t devno = 0;

	for (size_t i = 0; i < state->n_files; i++) {
		if (i == 0 || state->files[i].root != state->files[i - 1].root)
			devno = number_of(view, state->files[i].root);
		files[i]->devno = devno;
	}
}

/* Files that several threads ask for; each remembers directories of its own. */
struct asking {
	const struct pme_btrfs_view *view;
	const struct pme_btrfs_state *state;
	struct pme_file **files;
	_Atomic size_t next;
	struct pme_names *names; /* of all, with the lock of the crew */
};

static int name_files(struct pme_crew *crew, void *arg)
{
	struct asking *asking = arg;
	_cleanup_(pme_names_done) struct pme_names mine = {0};
	_cleanup_(naming_done) struct naming naming = {.view = asking->view};
	int r = pme_crew_step(crew, 0);
	size_t i;

	while (r == 0 && (i = atomic_fetch_add(&asking->next, 1)) < asking->state->n_files) {
		struct pme_file *file = asking->files[i];

		r = name_file(&naming, &asking->state->files[i], file, &mine);
		if (r == 0 && file->devno == 0)
			r = pme_names_doubt(file, "its subvolume cannot be opened, so that its "
						  "names cannot be confirmed");
		if (r == 0)
			r = pme_crew_step(crew, 1);
	}
	return pme_names_join(crew, asking->names, &mine, r);
}

int pme_btrfs_names_find(const struct pme_btrfs_view *view, const struct pme_btrfs_state *state,
			 struct pme_file **files, struct pme_names *ret)
{
	struct asking asking = {.view = view, .state = state, .files = files, .names = ret};
	struct pme_crew crew = {.work = name_files, .arg = &asking, .progress = ret->progress};
	int r;

	number_files(view, state, files);
	pme_progress_phase(ret->progress, PME_PHASE_NAMES, PME_UNIT_FILES, state->n_files);
	r = pme_crew_run(&crew);
	return r == -ETIME ? pme_names_cut(ret) : r;
}
