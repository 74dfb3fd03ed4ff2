/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names within a filesystem -> paths that people can use; see names.h.
 *
 * A path is only published when lstat() finds the very inode there.  What surprises: paths can be
 * longer than PATH_MAX, so they are looked up in parts; and a lookup through a mount that people
 * use would make umount(2) fail meanwhile, so it goes through a copy of it where we may make one.
 */
#include "names.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define QUOTE_BYTES 200 /* of a name that a message shows */

struct publish {
	const struct pme_os *os;
	const struct pme_fs *fs;
	const struct pme_names *names;
	struct pme_file **files;
	int *dirs; /* of each mount: a copy of it, or BY_PATH */
};

#define BY_PATH (-1)
#define MAX_DIRS 64 /* mounts that are copied: more are what containers have, by the thousand */

int pme_names_add(struct pme_names *names, struct pme_file *file, char *path)
{
	_cleanup_free_ char *owned = path;
	int r;

	if (!path)
		return -ENOMEM;
	r = pme_grow(&names->items, &names->alloc, names->count, sizeof(*names->items));
	if (r < 0)
		return r;
	names->items[names->count++] = (struct pme_name){
		.file = file,
		.path = pme_take_ptr(owned),
	};
	return 0;
}

int pme_names_move(struct pme_names *names, struct pme_names *from)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->count; i++)
		r = pme_names_add(names, from->items[i].file, pme_take_ptr(from->items[i].path));
	return r;
}

int pme_names_join(struct pme_crew *crew, struct pme_names *names, struct pme_names *from, int r)
{
	int e;

	pthread_mutex_lock(&crew->lock);
	e = pme_names_move(names, from);
	pthread_mutex_unlock(&crew->lock);
	return e < 0 ? e : r;
}

int pme_names_cut(struct pme_names *names)
{
	free(names->incomplete);
	names->incomplete = strdup(pme_progress_error(-ETIME));
	return names->incomplete ? 0 : -ENOMEM;
}

void pme_names_done(struct pme_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i].path);
	free(names->items);
	free(names->incomplete);
	*names = (struct pme_names){0};
}

static char *put_octal(char *p, unsigned char byte)
{
	*p++ = '\\';
	*p++ = (char)('0' + (byte >> 6));
	*p++ = (char)('0' + (byte >> 3 & 7));
	*p++ = (char)('0' + (byte & 7));
	return p;
}

char *pme_names_quote(const char *name)
{
	size_t len = strlen(name), skip = len > QUOTE_BYTES ? len - QUOTE_BYTES : 0;
	bool plain = skip == 0 && pme_utf8_valid(name, len);
	char *text = malloc((len - skip) * 4 + 4);
	char *p = text;

	if (!text)
		return NULL;
	for (int i = 0; skip > 0 && i < 3; i++)
		*p++ = '.';
	for (const char *c = name + skip; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte < ' ' || byte == 0x7f || byte == '\\' || (byte > 0x7f && !plain))
			p = put_octal(p, byte);
		else
			*p++ = *c;
	}
	*p = '\0';
	return text;
}

const char *pme_names_below(const char *root, const char *name)
{
	size_t len = strlen(++root);

	if (len == 0)
		return name;
	if (strncmp(name, root, len) != 0)
		return NULL;
	if (name[len] == '/')
		return name + len + 1;
	return name[len] ? NULL : "";
}

int pme_names_path(const char *root, const char *target, const char *name, char **ret)
{
	const char *rest = *root == '/' ? pme_names_below(root, name) : NULL;
	bool has_slash = *target && target[strlen(target) - 1] == '/';
	char *path;

	if (!rest)
		return 0;
	path = pme_printf("%s%s%s", target, *rest && !has_slash ? "/" : "", rest);
	if (!path)
		return -ENOMEM;
	*ret = path;
	return 1;
}

/* Where to cut a path of more than PATH_MAX bytes: at the last slash that fits. */
static size_t part_length(const char *path)
{
	size_t len = PATH_MAX - 1;

	while (len > 0 && path[len] != '/')
		len--;
	return len;
}

/* lstat of a path of any length below @root. */
static int stat_path(int root, const char *path, struct stat *ret)
{
	_cleanup_close_ int dir = -1;
	int at = root;

	while (*path == '/')
		path++;
	while (at >= 0 && strlen(path) >= PATH_MAX) {
		size_t len = part_length(path);
		_cleanup_free_ char *part = strndup(path, len);
		_cleanup_close_ int upper = pme_take_fd(&dir);

		if (!part)
			return -ENOMEM;
		at = dir = len > 0 ? pme_os_open_at(at, part, O_PATH | O_DIRECTORY) : -ENAMETOOLONG;
		path += len + 1;
	}
	if (at < 0)
		return at;
	/* the mount itself, which may be that of a file */
	return *path ? pme_os_stat_at(at, path, false, ret) : pme_os_fstat(at, ret);
}

/* Errors that say: a name is there, but its inode is damaged. */
static bool is_damage(int error)
{
	return error == -EIO || error == -ENODATA || error == -EUCLEAN || error == -EBADMSG;
}

/* What must not be asked for itself is where its directory is. */
static bool is_parent_confirmed(int root, const char *path, const struct pme_file *file)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
	struct stat st;

	return parent && stat_path(root, parent, &st) == 0 && st.st_dev == file->devno;
}

static bool is_confirmed(int root, const char *path, struct pme_file *file)
{
	struct stat st;
	int r;

	if (file->out_of_reach)
		return is_parent_confirmed(root, path, file);
	r = stat_path(root, path, &st);
	if (r < 0)
		return file->mode == 0 && is_damage(r);
	if (st.st_ino != file->inode || st.st_dev != file->devno)
		return false;
	file->nlink_shown = (uint32_t)st.st_nlink;
	file->ctime_shown = st.st_ctim;
	return true;
}

bool pme_names_has_path(const struct pme_file *file, const char *path)
{
	for (size_t i = 0; i < file->n_paths; i++)
		if (strcmp(file->paths[i], path) == 0)
			return true;
	return false;
}

/* Does any name lie in the part of the filesystem that @mount shows? */
static bool shows_any(const struct pme_mount *mount, const struct pme_names *names)
{
	for (size_t i = 0; *mount->root == '/' && i < names->count; i++)
		if (pme_names_below(mount->root, names->items[i].path))
			return true;
	return false;
}

/* Copies of the mounts that are wanted, as far as they can be made. */
static void open_dirs(const struct publish *publish)
{
	const struct pme_fs *fs = publish->fs;

	for (size_t i = 0; i < fs->n_mounts; i++) {
		int dir = BY_PATH;

		if (i < MAX_DIRS && shows_any(fs->mounts[i], publish->names))
			dir = pme_os_enter_mount(publish->os, fs->mounts[i]->target);
		publish->dirs[i] = dir < 0 ? BY_PATH : dir;
	}
}

static bool is_shown(const struct publish *publish, size_t i, const char *path,
		     struct pme_file *file)
{
	const char *target = publish->fs->mounts[i]->target;
	int dir = publish->dirs[i];

	return dir == BY_PATH ? is_confirmed(publish->os->root, path, file)
			      : is_confirmed(dir, path + (target[1] ? strlen(target) : 0), file);
}

/* Add the path of @name through one mount: 1 when it shows the file, 0, -ENOMEM. */
static int publish_through(const struct publish *publish, size_t i, const struct pme_name *name)
{
	const struct pme_mount *mount = publish->fs->mounts[i];
	_cleanup_free_ char *path = NULL;
	int r = pme_names_path(mount->root, mount->target, name->path, &path);

	if (r <= 0 || (publish->fs->n_mounts > 1 && pme_names_has_path(name->file, path)))
		return r;
	if (!is_shown(publish, i, path, name->file))
		return 0;
	r = pme_file_add_path(name->file, pme_take_ptr(path));
	return r < 0 ? r : 1;
}

/* All paths of @name: 1 when there is any, 0, -ENOMEM. */
static int publish_name(const struct publish *publish, const struct pme_name *name)
{
	int seen = 0;

	for (size_t i = 0; i < publish->fs->n_mounts; i++) {
		int r = publish_through(publish, i, name);

		if (r < 0)
			return r;
		seen |= r;
	}
	return seen;
}

/* One reason is enough: the first. */
static int set_reason(struct pme_file *file, bool complete, char *text)
{
	_cleanup_free_ char *owned = text;

	file->paths_complete = complete;
	if (!text)
		return -ENOMEM;
	if (!file->paths_reason)
		file->paths_reason = pme_take_ptr(owned);
	return 0;
}

int pme_names_doubt(struct pme_file *file, const char *why)
{
	return set_reason(file, false, strdup(why));
}

static int tell_hidden(struct pme_file *file, const char *name)
{
	_cleanup_free_ char *quoted = pme_names_quote(name);

	if (!quoted)
		return -ENOMEM;
	return set_reason(file, false,
			  pme_printf("no mount shows /%s (name inside the filesystem)", quoted));
}

uint32_t pme_names_wanted(const struct pme_file *file)
{
	return S_ISDIR(file->mode) ? file->nlink > 0 : file->nlink;
}

/* Compare what was found with what there should be. */
static int judge_file(const struct publish *publish, struct pme_file *file, size_t found)
{
	const char *gap = publish->names->incomplete;

	if (file->mode == 0)
		return set_reason(file, !gap && file->paths_complete,
				  pme_printf("its inode cannot be read%s%s", gap ? "; " : "",
					     gap ? gap : ""));
	if (found >= pme_names_wanted(file))
		return 0;
	return set_reason(file, false,
			  pme_printf("%zu of %" PRIu32 " names found; %s", found,
				     pme_names_wanted(file),
				     gap ? gap : "a name changed while the tree was read"));
}

static int by_file(const void *a, const void *b)
{
	const struct pme_name *p = a, *q = b;

	if (p->file != q->file)
		return (uintptr_t)p->file < (uintptr_t)q->file ? -1 : 1;
	return strcmp(p->path, q->path);
}

static size_t find_names(const struct pme_names *names, const struct pme_file *file)
{
	size_t low = 0, high = names->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if ((uintptr_t)names->items[mid].file < (uintptr_t)file)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Called by several threads, for different files. */
static int publish_file(void *arg, size_t number)
{
	const struct publish *publish = arg;
	const struct pme_names *names = publish->names;
	struct pme_file *file = publish->files[number];
	size_t found = 0;

	file->paths_complete = true;
	if (file->mode != 0 && file->nlink == 0)
		return set_reason(file, true, strdup("unlinked"));
	for (size_t i = find_names(names, file); i < names->count; i++) {
		const struct pme_name *name = &names->items[i];
		int r;

		if (name->file != file)
			break;
		if (i > 0 && by_file(name - 1, name) == 0)
			continue;
		r = publish_name(publish, name);
		if (r == 0)
			r = tell_hidden(file, name->path);
		if (r < 0)
			return r;
		found++;
	}
	return judge_file(publish, file, found);
}

int pme_names_publish(const struct pme_topo *topo, const struct pme_fs *fs, struct pme_names *names,
		      struct pme_file **files, size_t n_files)
{
	_cleanup_free_ int *dirs = calloc(fs->n_mounts + 1, sizeof(*dirs));
	struct publish publish = {
		.os = topo->os,
		.fs = fs,
		.names = names,
		.files = files,
		.dirs = dirs,
	};
	int r;

	if (!dirs)
		return -ENOMEM;
	if (names->count > 0)
		qsort(names->items, names->count, sizeof(*names->items), by_file);
	open_dirs(&publish);
	r = pme_crew_each(n_files, publish_file, &publish, NULL);
	for (size_t i = 0; i < fs->n_mounts; i++)
		pme_close_fd(&dirs[i]);
	if (r == 0 && topo->overlays)
		r = pme_names_publish_overlays(topo, fs, names, files, n_files);
	return r;
}
