/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk that finds names; see names.h.
 *
 * Depth first with an explicit stack.  One getdents buffer serves all levels: after a buffer is
 * looked through, only the names of its directories are left, on a stack of their own.  What
 * surprises: only the deepest levels have a descriptor; upper ones are closed and opened again
 * through "..", at the position where they were left (directory positions of XFS are stable).
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "names.h"

#define DENTS_SIZE 32768 /* more does not make it faster */
#define OPEN_LEVELS 64	 /* descriptors at a time */
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
#define FILTER_BITS_MIN 4096
#define NO_REACH "not entered, as it cannot be read and the filesystem would take that for damage"

/* A directory that is being read. */
struct level {
	int fd; /* -1: closed for now */
	off_t pos;
	uint64_t ino;
	size_t path_len;  /* of walk->path */
	size_t first_sub; /* its directories start here in walk->subs */
};

/* A directory still to be entered. */
struct sub {
	uint64_t ino;
	size_t name; /* where in walk->arena */
};

struct text {
	char *bytes;
	size_t len, alloc;
};

struct walk {
	dev_t devno;
	struct pme_file **files;
	size_t n_files;
	uint32_t *missing; /* names still to be found, per file */
	uint64_t total_missing;
	unsigned char *filter; /* a set bit: some wanted inode has this number modulo filter_bits */
	uint64_t filter_bits;
	struct level *levels;
	size_t depth, alloc_levels;
	struct sub *subs;
	size_t n_subs, alloc_subs;
	struct text arena, path;
	struct pme_names *names;
	size_t n_skipped;
	char *skipped; /* why the first one was skipped */
	_Alignas(struct dirent64) char dents[DENTS_SIZE];
};

static struct walk *walk_free(struct walk *walk)
{
	if (!walk)
		return NULL;
	for (size_t i = 0; i < walk->depth; i++)
		pme_close_fd(&walk->levels[i].fd);
	free(walk->missing);
	free(walk->filter);
	free(walk->levels);
	free(walk->subs);
	free(walk->arena.bytes);
	free(walk->path.bytes);
	free(walk->skipped);
	free(walk);
	return NULL;
}

static void walk_cleanup(struct walk **walk)
{
	walk_free(*walk);
}

/* Append @len bytes and a NUL that is not counted. */
static int text_append(struct text *text, const char *bytes, size_t len)
{
	if (text->alloc - text->len <= len) {
		size_t want = text->alloc * 2 + len + 1;
		char *p = realloc(text->bytes, want);

		if (!p)
			return -ENOMEM;
		text->bytes = p;
		text->alloc = want;
	}
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	text->bytes[text->len] = '\0';
	return 0;
}

static int path_append(struct text *path, const char *name)
{
	int r = path->len > 0 ? text_append(path, "/", 1) : 0;

	return r < 0 ? r : text_append(path, name, strlen(name));
}

static int path_cut(struct text *path, size_t len)
{
	path->len = len;
	return text_append(path, "", 0);
}

static int by_inode(const void *a, const void *b)
{
	const struct pme_file *p = *(struct pme_file *const *)a;
	const struct pme_file *q = *(struct pme_file *const *)b;

	return p->inode < q->inode ? -1 : p->inode > q->inode;
}

static uint32_t names_wanted(const struct pme_file *file)
{
	if (file->mode == 0)
		return 1; /* never counted down: nobody knows how many there are */
	return S_ISDIR(file->mode) ? file->nlink > 0 : file->nlink;
}

static int prepare_filter(struct walk *walk)
{
	walk->filter_bits = FILTER_BITS_MIN;
	while (walk->filter_bits < walk->n_files * 16)
		walk->filter_bits *= 2;
	walk->filter = calloc(walk->filter_bits / 8, 1);
	if (!walk->filter)
		return -ENOMEM;
	for (size_t i = 0; i < walk->n_files; i++) {
		uint64_t bit = walk->files[i]->inode & (walk->filter_bits - 1);

		walk->filter[bit / 8] |= (unsigned char)(1U << bit % 8);
	}
	return 0;
}

static int prepare_wanted(struct walk *walk)
{
	qsort(walk->files, walk->n_files, sizeof(*walk->files), by_inode);
	walk->missing = calloc(walk->n_files, sizeof(*walk->missing));
	if (!walk->missing)
		return -ENOMEM;
	for (size_t i = 0; i < walk->n_files; i++) {
		walk->missing[i] = names_wanted(walk->files[i]);
		walk->total_missing += walk->missing[i];
	}
	return prepare_filter(walk);
}

static bool may_be_wanted(const struct walk *walk, uint64_t ino)
{
	uint64_t bit = ino & (walk->filter_bits - 1);

	return walk->filter[bit / 8] >> bit % 8 & 1;
}

/* Position of the file with number @ino, n_files when it is not wanted. */
static size_t find_file(const struct walk *walk, uint64_t ino)
{
	const struct pme_file key = {.inode = ino}, *keyp = &key;
	struct pme_file **found =
		bsearch(&keyp, walk->files, walk->n_files, sizeof(*walk->files), by_inode);

	return found ? (size_t)(found - walk->files) : walk->n_files;
}

/* One directory stays unread: @why is an errno, or 0 and @text says it. */
static int skip_dir(struct walk *walk, const char *name, int error, const char *text)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *quoted = NULL;

	if (error == -ENOMEM)
		return error;
	if (walk->n_skipped++ > 0)
		return 0;
	path = pme_printf("%s%s%s", walk->path.bytes, walk->path.len > 0 && *name ? "/" : "", name);
	quoted = path ? pme_names_quote(path) : NULL;
	if (!quoted)
		return -ENOMEM;
	walk->skipped = pme_printf("directory /%s: %s", quoted, error ? strerror(-error) : text);
	return walk->skipped ? 0 : -ENOMEM;
}

/*
 * Is @name, found with the number of @file, still it?  An inode that cannot be read (bad media) is
 * taken at the word of its directory: it is what we are here for.
 */
static bool is_confirmed(const struct walk *walk, const char *name, const struct pme_file *file)
{
	struct stat st;
	int r;

	if (file->out_of_reach)
		return true;
	r = pme_os_stat_at(walk->levels[walk->depth - 1].fd, name, false, &st);
	if (r < 0)
		return r != -ENOENT;
	return st.st_ino == file->inode && st.st_dev == walk->devno;
}

static int keep_name(struct walk *walk, size_t i, const char *name)
{
	size_t dir_len = walk->path.len;
	int r;

	if (!is_confirmed(walk, name, walk->files[i]))
		return 0;
	r = path_append(&walk->path, name);
	if (r == 0)
		r = pme_names_add(walk->names, walk->files[i], strdup(walk->path.bytes));
	if (r < 0)
		return r;
	if (walk->missing[i] > 0 && walk->files[i]->mode != 0) {
		walk->missing[i]--;
		walk->total_missing--;
	}
	return path_cut(&walk->path, dir_len);
}

static int push_sub(struct walk *walk, uint64_t ino, const char *name)
{
	int r = pme_grow(&walk->subs, &walk->alloc_subs, walk->n_subs, sizeof(*walk->subs));
	size_t at = walk->arena.len;

	if (r == 0)
		r = text_append(&walk->arena, name, strlen(name) + 1);
	if (r < 0)
		return r;
	walk->subs[walk->n_subs++] = (struct sub){.ino = ino, .name = at};
	return 0;
}

static bool is_dir(const struct walk *walk, const struct dirent64 *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return pme_os_stat_at(walk->levels[walk->depth - 1].fd, entry->d_name, false, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

static int look_at(struct walk *walk, const struct dirent64 *entry)
{
	size_t i = walk->n_files;
	int r = 0;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	if (may_be_wanted(walk, entry->d_ino))
		i = find_file(walk, entry->d_ino);
	if (i < walk->n_files)
		r = keep_name(walk, i, entry->d_name);
	if (r == 0 && i < walk->n_files && walk->files[i]->out_of_reach)
		return entry->d_type == DT_REG ? 0 : skip_dir(walk, entry->d_name, 0, NO_REACH);
	if (r == 0 && is_dir(walk, entry))
		r = push_sub(walk, entry->d_ino, entry->d_name);
	return r;
}

static int look_through(struct walk *walk, size_t size)
{
	size_t pos = 0;

	while (pos < size && walk->total_missing > 0) {
		const struct dirent64 *entry = (const void *)(walk->dents + pos);
		int r;

		if (size - pos <= offsetof(struct dirent64, d_name) ||
		    entry->d_reclen <= offsetof(struct dirent64, d_name) ||
		    entry->d_reclen > size - pos)
			return -EPROTO;
		r = look_at(walk, entry);
		if (r < 0)
			return r;
		pos += entry->d_reclen;
	}
	return 0;
}

/* Reading must not write access times; only the owner may ask for that. */
static int open_dir(int dir, const char *name)
{
	int fd = pme_os_open_at(dir, name, DIR_FLAGS | O_NOATIME);

	return fd == -EPERM ? pme_os_open_at(dir, name, DIR_FLAGS) : fd;
}

/* Is @fd the directory @ino of this filesystem, with nothing mounted over it? */
static bool is_same_dir(const struct walk *walk, int fd, uint64_t ino)
{
	struct stat st;

	return pme_os_stat_at(fd, ".", false, &st) == 0 && st.st_dev == walk->devno &&
	       st.st_ino == ino;
}

/* Go down into the directory behind @fd, which is taken; walk->path is its path already. */
static int push_level(struct walk *walk, int fd, uint64_t ino)
{
	_cleanup_close_ int owned = fd;
	struct level *upper;
	int r = pme_grow(&walk->levels, &walk->alloc_levels, walk->depth, sizeof(*walk->levels));

	if (r < 0)
		return r;
	upper = walk->depth >= OPEN_LEVELS ? &walk->levels[walk->depth - OPEN_LEVELS] : NULL;
	if (upper && upper->fd >= 0) {
		upper->pos = lseek(upper->fd, 0, SEEK_CUR);
		pme_close_fd(&upper->fd);
		upper->fd = -1;
	}
	walk->levels[walk->depth++] = (struct level){
		.fd = pme_take_fd(&owned),
		.ino = ino,
		.path_len = walk->path.len,
		.first_sub = walk->n_subs,
	};
	return 0;
}

/* Open @upper, the parent of the directory @fd, where it was left: 1, 0 when it cannot be. */
static bool reopen_level(const struct walk *walk, struct level *upper, int fd)
{
	upper->fd = open_dir(fd, "..");
	return upper->fd >= 0 && is_same_dir(walk, upper->fd, upper->ino) &&
	       lseek(upper->fd, upper->pos, SEEK_SET) == upper->pos;
}

/* The rest of a level is lost: say so, forget its directories. */
static int abandon_level(struct walk *walk, struct level *level, int error, const char *text)
{
	walk->n_subs = level->first_sub;
	level->pos = -1;
	return skip_dir(walk, "", error, text);
}

static int pop_level(struct walk *walk)
{
	struct level *level = &walk->levels[walk->depth - 1];
	struct level *upper = walk->depth > 1 ? level - 1 : NULL;
	bool lost = upper && upper->fd < 0 && !reopen_level(walk, upper, level->fd);
	int r = 0;

	pme_close_fd(&level->fd);
	walk->depth--;
	if (upper)
		r = path_cut(&walk->path, upper->path_len);
	if (r == 0 && lost)
		r = abandon_level(walk, upper, 0, "was moved while it was read");
	return r;
}

/* Errors that mean: it is not there any more, so it is no gap. */
static bool is_gone(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

static int enter_dir(struct walk *walk, int dir, const struct sub *sub, const char *name)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (walk->depth >= PME_NAMES_DEPTH)
		return skip_dir(walk, name, 0, "nested too deep");
	fd = open_dir(dir, name);
	if (is_gone(fd))
		return 0;
	if (fd < 0)
		return skip_dir(walk, name, fd, NULL);
	if (!is_same_dir(walk, fd, sub->ino))
		return skip_dir(walk, name, 0, "hidden by another mount, or replaced");
	r = path_append(&walk->path, name);
	return r < 0 ? r : push_level(walk, pme_take_fd(&fd), sub->ino);
}

static int enter_next(struct walk *walk)
{
	const struct sub *sub = &walk->subs[--walk->n_subs];

	walk->arena.len = sub->name;
	return enter_dir(walk, walk->levels[walk->depth - 1].fd, sub,
			 walk->arena.bytes + sub->name);
}

/* Read on in the deepest directory, or leave it at its end. */
static int read_on(struct walk *walk)
{
	struct level *level = &walk->levels[walk->depth - 1];
	ssize_t n = 0;
	int r = 0;

	if (level->pos >= 0 && level->fd >= 0)
		n = pme_os_getdents(level->fd, walk->dents, sizeof(walk->dents));
	if (n > 0)
		return look_through(walk, (size_t)n);
	if (n < 0 && !is_gone((int)n))
		r = abandon_level(walk, level, (int)n, NULL);
	return r < 0 ? r : pop_level(walk);
}

static int walk_down(struct walk *walk)
{
	int r = 0;

	while (r == 0 && walk->depth > 0 && walk->total_missing > 0) {
		if (walk->n_subs > walk->levels[walk->depth - 1].first_sub)
			r = enter_next(walk);
		else
			r = read_on(walk);
	}
	return r;
}

static int start_at(struct walk *walk, int root)
{
	_cleanup_close_ int fd = open_dir(root, ".");
	struct stat st;
	size_t i;
	int r;

	if (fd < 0)
		return fd;
	r = pme_os_stat_at(root, ".", false, &st);
	if (r == 0)
		r = path_cut(&walk->path, 0);
	if (r == 0)
		r = push_level(walk, pme_take_fd(&fd), st.st_ino);
	if (r < 0)
		return r;
	i = find_file(walk, st.st_ino);
	if (i == walk->n_files)
		return 0;
	walk->total_missing -= walk->missing[i];
	walk->missing[i] = 0;
	return pme_names_add(walk->names, walk->files[i], strdup(""));
}

static int tell_skipped(const struct walk *walk)
{
	if (walk->n_skipped == 0)
		return 0;
	free(walk->names->incomplete);
	walk->names->incomplete = walk->n_skipped == 1
					  ? strdup(walk->skipped)
					  : pme_printf("%s (and %zu other directories)",
						       walk->skipped, walk->n_skipped - 1);
	return walk->names->incomplete ? 0 : -ENOMEM;
}

int pme_names_walk(int root, dev_t devno, struct pme_file **files, size_t n_files,
		   struct pme_names *ret)
{
	_cleanup_(walk_cleanup) struct walk *walk = calloc(1, sizeof(*walk));
	int r;

	if (!walk)
		return -ENOMEM;
	if (n_files == 0)
		return 0;
	walk->devno = devno;
	walk->files = files;
	walk->n_files = n_files;
	walk->names = ret;
	r = prepare_wanted(walk);
	if (r == 0)
		r = start_at(walk, root);
	if (r == 0)
		r = walk_down(walk);
	return r < 0 ? r : tell_skipped(walk);
}
