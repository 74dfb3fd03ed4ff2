/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread of the walk that finds names; see names-walk.h.
 *
 * Depth first with an explicit stack.  One getdents buffer serves all levels: after a buffer is
 * looked through, only the names of its directories are left, on a stack of their own.  When others
 * have nothing to do they get half of those that are highest up.  What surprises: only the deepest
 * levels have a descriptor; upper ones are closed and opened again through "..", at the position
 * where they were left (directory positions of XFS are stable).
 */
#include "names-walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define DENTS_SIZE 32768 /* more does not make it faster */
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
#define NOT_READ (-1) /* the position of a directory that is left as it is */
#define NO_REACH "not entered, as it cannot be read and the filesystem would take that for damage"

/* A directory that is being read. */
struct level {
	int fd;	   /* -1: closed for now */
	off_t pos; /* where to read on when it is opened again, or NOT_READ */
	uint64_t ino;
	size_t path_len;  /* of walk->path */
	size_t bottom;	  /* its directories start here in walk->subs */
	size_t first_sub; /* those below this one were given away */
};

struct text {
	char *bytes;
	size_t len, alloc;
};

struct pme_walk {
	struct pme_walks *walks;
	struct level *levels;
	size_t depth, alloc_levels;
	size_t base_depth;	   /* of the first level */
	struct pme_walk_sub *subs; /* names are in the arena */
	size_t n_subs, alloc_subs;
	struct text arena, path;
	struct pme_names names;
	size_t n_skipped;
	char *skipped;	    /* where and why, of the one that comes first */
	uint64_t n_entries; /* looked at, and not told of yet */
	_Alignas(struct dirent64) char dents[DENTS_SIZE];
};

struct pme_walk *pme_walk_new(struct pme_walks *walks)
{
	struct pme_walk *walk = calloc(1, sizeof(*walk));

	if (walk)
		walk->walks = walks;
	return walk;
}

struct pme_walk *pme_walk_free(struct pme_walk *walk)
{
	if (!walk)
		return NULL;
	for (size_t i = 0; i < walk->depth; i++)
		pme_close_fd(&walk->levels[i].fd);
	free(walk->levels);
	free(walk->subs);
	free(walk->arena.bytes);
	free(walk->path.bytes);
	pme_names_done(&walk->names);
	free(walk->skipped);
	free(walk);
	return NULL;
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

/* One directory stays unread: @error says why, or it is 0 and @text does. */
static int skip_dir(struct pme_walk *walk, const char *name, int error, const char *text)
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
static bool is_confirmed(const struct pme_walk *walk, const char *name, const struct pme_file *file)
{
	struct stat st;
	int r;

	if (file->out_of_reach)
		return true;
	r = pme_os_stat_at(walk->levels[walk->depth - 1].fd, name, false, &st);
	if (r < 0)
		return r != -ENOENT;
	return st.st_ino == file->inode && st.st_dev == walk->walks->devno;
}

static int keep_name(struct pme_walk *walk, size_t i, const char *name)
{
	struct pme_file *file = walk->walks->wanted.files[i];
	size_t dir_len = walk->path.len;
	int r;

	if (!is_confirmed(walk, name, file))
		return 0;
	r = path_append(&walk->path, name);
	if (r == 0)
		r = pme_names_add(&walk->names, file, strdup(walk->path.bytes));
	if (r < 0)
		return r;
	pme_wanted_found(&walk->walks->wanted, i);
	return path_cut(&walk->path, dir_len);
}

static int push_sub(struct pme_walk *walk, uint64_t ino, const char *name)
{
	int r = pme_grow(&walk->subs, &walk->alloc_subs, walk->n_subs, sizeof(*walk->subs));
	size_t at = walk->arena.len;

	if (r == 0)
		r = text_append(&walk->arena, name, strlen(name) + 1);
	if (r < 0)
		return r;
	walk->subs[walk->n_subs++] = (struct pme_walk_sub){.ino = ino, .name = at};
	return 0;
}

static bool is_dir(const struct pme_walk *walk, const struct dirent64 *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return pme_os_stat_at(walk->levels[walk->depth - 1].fd, entry->d_name, false, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

static int look_at(struct pme_walk *walk, const struct dirent64 *entry)
{
	const struct pme_wanted *wanted = &walk->walks->wanted;
	size_t i;
	int r = 0;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	walk->n_entries++;
	i = pme_wanted_find(wanted, entry->d_ino);
	if (i < wanted->n_files)
		r = keep_name(walk, i, entry->d_name);
	if (r == 0 && i < wanted->n_files && wanted->files[i]->out_of_reach)
		return entry->d_type == DT_REG ? 0 : skip_dir(walk, entry->d_name, 0, NO_REACH);
	if (r == 0 && is_dir(walk, entry))
		r = push_sub(walk, entry->d_ino, entry->d_name);
	return r;
}

/* Of nearly all entries nothing is wanted, neither they nor what is below them. */
static bool is_nothing(const struct pme_walk *walk, const struct dirent64 *entry)
{
	return entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN &&
	       !pme_wanted_may_have(&walk->walks->wanted, entry->d_ino);
}

static int look_through(struct pme_walk *walk, size_t size)
{
	size_t pos = 0;

	while (pos < size) {
		const struct dirent64 *entry = (const void *)(walk->dents + pos);
		int r = 0;

		if (size - pos <= offsetof(struct dirent64, d_name) ||
		    entry->d_reclen <= offsetof(struct dirent64, d_name) ||
		    entry->d_reclen > size - pos)
			return -EPROTO;
		if (is_nothing(walk, entry))
			walk->n_entries++;
		else
			r = look_at(walk, entry);
		if (r < 0)
			return r;
		pos += entry->d_reclen;
	}
	return 0;
}

/* Only the owner may ask that access times stay. */
int pme_walk_open_dir(int dir, const char *name)
{
	int fd = pme_os_open_at(dir, name, DIR_FLAGS | O_NOATIME);

	return fd == -EPERM ? pme_os_open_at(dir, name, DIR_FLAGS) : fd;
}

/* Is @fd the directory @ino of this filesystem, with nothing mounted over it? */
static bool is_same_dir(const struct pme_walk *walk, int fd, uint64_t ino)
{
	struct stat st;

	return pme_os_fstat(fd, &st) == 0 && st.st_dev == walk->walks->devno && st.st_ino == ino;
}

/* Go down into the directory behind @fd, which is taken; walk->path is its path already. */
static int push_level(struct pme_walk *walk, int fd, uint64_t ino)
{
	_cleanup_close_ int owned = fd;
	size_t keep = walk->walks->open_levels;
	struct level *upper;
	int r = pme_grow(&walk->levels, &walk->alloc_levels, walk->depth, sizeof(*walk->levels));

	if (r < 0)
		return r;
	upper = walk->depth >= keep ? &walk->levels[walk->depth - keep] : NULL;
	if (upper && upper->fd >= 0) {
		if (upper->pos != NOT_READ)
			upper->pos = lseek(upper->fd, 0, SEEK_CUR);
		pme_close_fd(&upper->fd);
		upper->fd = -1;
	}
	walk->levels[walk->depth++] = (struct level){
		.fd = pme_take_fd(&owned),
		.ino = ino,
		.path_len = walk->path.len,
		.bottom = walk->n_subs,
		.first_sub = walk->n_subs,
	};
	return 0;
}

/* Open @upper, the parent of the directory @fd, where it was left: 1, 0 when it cannot be. */
static bool reopen_level(const struct pme_walk *walk, struct level *upper, int fd)
{
	upper->fd = pme_walk_open_dir(fd, "..");
	return upper->fd >= 0 && is_same_dir(walk, upper->fd, upper->ino) &&
	       (upper->pos == NOT_READ || lseek(upper->fd, upper->pos, SEEK_SET) == upper->pos);
}

/* All its directories, also those that were given away. */
static void forget_subs(struct pme_walk *walk, struct level *level)
{
	if (walk->n_subs > level->bottom)
		walk->arena.len = walk->subs[level->bottom].name;
	walk->n_subs = level->first_sub = level->bottom;
}

/* The rest of a level is lost: say so, forget its directories. */
static int abandon_level(struct pme_walk *walk, struct level *level, int error, const char *text)
{
	forget_subs(walk, level);
	level->pos = NOT_READ;
	return skip_dir(walk, "", error, text);
}

static int pop_level(struct pme_walk *walk)
{
	struct level *level = &walk->levels[walk->depth - 1];
	struct level *upper = walk->depth > 1 ? level - 1 : NULL;
	bool lost = upper && upper->fd < 0 && !reopen_level(walk, upper, level->fd);
	int r = 0;

	pme_close_fd(&level->fd);
	forget_subs(walk, level);
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

static int enter_dir(struct pme_walk *walk, int dir, const struct pme_walk_sub *sub,
		     const char *name)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (walk->base_depth + walk->depth >= PME_NAMES_DEPTH)
		return skip_dir(walk, name, 0, "nested too deep");
	fd = pme_walk_open_dir(dir, name);
	if (is_gone(fd))
		return 0;
	if (fd < 0)
		return skip_dir(walk, name, fd, NULL);
	if (!is_same_dir(walk, fd, sub->ino))
		return skip_dir(walk, name, 0, "hidden by another mount, or replaced");
	r = path_append(&walk->path, name);
	return r < 0 ? r : push_level(walk, pme_take_fd(&fd), sub->ino);
}

static int enter_next(struct pme_walk *walk)
{
	const struct pme_walk_sub *sub = &walk->subs[--walk->n_subs];

	walk->arena.len = sub->name;
	return enter_dir(walk, walk->levels[walk->depth - 1].fd, sub,
			 walk->arena.bytes + sub->name);
}

/* Tell how many entries were looked at since the last time. */
static int step(struct pme_walk *walk)
{
	uint64_t done = walk->n_entries;

	walk->n_entries = 0;
	return pme_crew_step(&walk->walks->crew, done);
}

/* Read on in the deepest directory, or leave it at its end. */
static int read_on(struct pme_walk *walk)
{
	struct level *level = &walk->levels[walk->depth - 1];
	ssize_t n = 0;
	int r = 0;

	if (level->pos != NOT_READ && level->fd >= 0)
		n = pme_os_getdents(level->fd, walk->dents, sizeof(walk->dents));
	if (n > 0) {
		r = look_through(walk, (size_t)n);
		return r < 0 ? r : step(walk);
	}
	if (n < 0 && !is_gone((int)n))
		r = abandon_level(walk, level, (int)n, NULL);
	return r < 0 ? r : pop_level(walk);
}

/* Copy @count directories of @level, the first ones, into @job: 0 or -ENOMEM. */
static int fill_job(const struct pme_walk *walk, const struct level *level, size_t count,
		    struct pme_walk_job *job)
{
	const struct pme_walk_sub *subs = &walk->subs[level->first_sub];
	const struct pme_walk_sub *last = &subs[count - 1];
	size_t start = subs->name, end = last->name + strlen(walk->arena.bytes + last->name) + 1;

	job->ino = level->ino;
	job->depth = walk->base_depth + (size_t)(level - walk->levels);
	job->path = strndup(walk->path.bytes, level->path_len);
	job->subs = malloc(count * sizeof(*job->subs));
	job->names = malloc(end - start);
	if (!job->path || !job->subs || !job->names)
		return -ENOMEM;
	memcpy(job->names, walk->arena.bytes + start, end - start);
	for (size_t i = 0; i < count; i++)
		job->subs[i] = (struct pme_walk_sub){subs[i].ino, subs[i].name - start};
	job->n_subs = count;
	return 0;
}

/* Give the first @count directories of @level away; what cannot be given is kept. */
static int give_some(struct pme_walk *walk, struct level *level, size_t count)
{
	struct pme_walk_job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	job->fd = pme_walk_open_dir(level->fd, ".");
	r = job->fd < 0 ? 0 : fill_job(walk, level, count, job);
	if (r < 0 || job->fd < 0) {
		pme_walk_job_free(job);
		return r;
	}
	level->first_sub += count;
	pme_walks_give(walk->walks, job);
	return 0;
}

/* To others half of what is pending as high up as possible; one in the deepest is for us. */
static int give(struct pme_walk *walk)
{
	for (size_t i = 0; i < walk->depth; i++) {
		bool is_deepest = i + 1 == walk->depth;
		struct level *level = &walk->levels[i];
		size_t end = is_deepest ? walk->n_subs : level[1].bottom;
		size_t pending = end - level->first_sub;

		if (level->fd >= 0 && pending > is_deepest)
			return give_some(walk, level, (pending + !is_deepest) / 2);
	}
	return 0;
}

static int walk_down(struct pme_walk *walk)
{
	int r = 0;

	while (r == 0 && walk->depth > 0 && !pme_wanted_all_found(&walk->walks->wanted)) {
		if (pme_walks_want(walk->walks))
			r = give(walk);
		if (r < 0)
			break;
		if (walk->n_subs > walk->levels[walk->depth - 1].first_sub)
			r = enter_next(walk);
		else
			r = read_on(walk);
	}
	return r;
}

/* Whatever is left of an earlier job that was ended early is forgotten. */
static int begin(struct pme_walk *walk, struct pme_walk_job *job)
{
	int r = 0;

	while (walk->depth > 0)
		pme_close_fd(&walk->levels[--walk->depth].fd);
	walk->n_subs = 0;
	walk->arena.len = 0;
	walk->base_depth = job->depth;
	r = path_cut(&walk->path, 0);
	if (r == 0 && *job->path)
		r = path_append(&walk->path, job->path);
	if (r == 0)
		r = push_level(walk, pme_take_fd(&job->fd), job->ino);
	for (size_t i = 0; r == 0 && i < job->n_subs; i++)
		r = push_sub(walk, job->subs[i].ino, job->names + job->subs[i].name);
	if (r == 0 && job->n_subs > 0)
		walk->levels[0].pos = NOT_READ;
	return r;
}

int pme_walk_run(struct pme_walk *walk, struct pme_walk_job *job)
{
	int r = begin(walk, job);

	pme_walk_job_free(job);
	return r < 0 ? r : walk_down(walk);
}

int pme_walk_hand_in(struct pme_walk *walk)
{
	struct pme_walks *walks = walk->walks;

	walks->n_skipped += walk->n_skipped;
	if (walk->skipped && (!walks->skipped || strcmp(walk->skipped, walks->skipped) < 0)) {
		free(walks->skipped);
		walks->skipped = pme_take_ptr(walk->skipped);
	}
	return pme_names_move(walks->names, &walk->names);
}
