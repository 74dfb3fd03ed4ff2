/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mounts and layers of one overlay; see names-over.h.
 *
 * A file is shown when it is at its name in its layer, no layer above has that name, and the
 * overlay has its inode number and times there; in the uppermost layer, which is written to, a time
 * between that before and that after is enough.  It is looked at twice, as a copy may come between.
 * The surprises: a file that was copied up keeps the number of the lower one; with layers on
 * several filesystems the number may have bits of the layer at its top (xino), and st_dev is one
 * that nothing else has.
 */
#include "names-over.h"

#include <fcntl.h>
#include <string.h>

#include "names.h"

#define BASES_MAX 256 /* descriptors at a time */
#define TRIES 3
#define XINO_BITS 48 /* of an inode number: above may be the layer (at most 500) */

static const char why_change[] = "it changes all the time";
static const char why_renamed[] = "it may be in a renamed directory there (redirect_dir)";
static const char why_metacopy[] = "it may have data of a file there (metacopy)";
static const char why_merged[] = "it may be merged with another directory there";
static const char why_layers[] =
	"not all of its layers are found by the names that it was mounted with";
static const char why_error[] = "it cannot be looked at there";

/* --- looking --- */

int pme_over_stat(int dir, const char *rest, struct stat *ret)
{
	_cleanup_close_ int fd = -1;

	if (!*rest)
		return pme_os_fstat(dir, ret);
	fd = pme_os_open_beneath(dir, rest, O_PATH | O_NOFOLLOW);
	return fd < 0 ? fd : pme_os_fstat(fd, ret);
}

static bool is_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool has_number(const struct stat *real, const struct stat *seen)
{
	return ((uint64_t)(real->st_ino ^ seen->st_ino) & ((1ULL << XINO_BITS) - 1)) == 0;
}

static bool has_times(const struct stat *real, const struct stat *seen)
{
	return real->st_mode == seen->st_mode && is_time(&real->st_ctim, &seen->st_ctim) &&
	       is_time(&real->st_mtim, &seen->st_mtim);
}

bool pme_over_is_index(const struct pme_over *over, size_t layer, const struct stat *real)
{
	return layer == 0 && over->overlay->has_upper && over->overlay->index &&
	       real->st_nlink > 1 && !S_ISDIR(real->st_mode);
}

bool pme_over_is_same(const struct stat *real, const struct stat *seen)
{
	return has_number(real, seen) && has_times(real, seen) && real->st_size == seen->st_size;
}

bool pme_over_is_absent(int error)
{
	return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

/* --- judging --- */

/*
 * Is the name in a layer above?  1, 0, -EAGAIN: nobody knows; -ENODATA: it may be only metadata;
 * -EISDIR: a directory, as @is_dir, which may be merged with it.
 */
static int is_above(const struct pme_over_ask *ask, bool is_dir)
{
	const struct pme_over *over = ask->over;
	bool unknown = false;
	struct stat st;

	for (size_t i = 0; i < ask->layer; i++) {
		int r = -EAGAIN;

		if (over->layers[i].fd >= 0)
			r = pme_over_stat(over->layers[i].fd, ask->rest, &st);
		if (r == 0)
			return is_dir && S_ISDIR(st.st_mode) ? -EISDIR
			       : over->overlay->metacopy     ? -ENODATA
							     : 1;
		unknown |= !pme_over_is_absent(r);
	}
	return unknown ? -EAGAIN : 0;
}

static void answer(struct pme_over_reply *ret, enum pme_over_answer answer, const char *why)
{
	ret->answer = answer;
	ret->why = why;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* Nothing is above the uppermost layer; but the name may be that of another directory's file. */
static bool is_top_seen(const struct stat *before, const struct stat *seen,
			const struct stat *after)
{
	return (before->st_mode & S_IFMT) == (seen->st_mode & S_IFMT) &&
	       !is_later(&before->st_ctim, &seen->st_ctim) &&
	       !is_later(&seen->st_ctim, &after->st_ctim);
}

/* It is in its layer, and not in those above: @error is that of looking through the overlay. */
static void judge_seen(const struct pme_over_ask *ask, int error, int above,
		       const struct stat *after, struct pme_over_reply *ret)
{
	const struct stat *real = &ret->real, *seen = &ret->seen;
	bool may_move = ask->layer > 0 && ask->over->overlay->follows;

	if (error == -EXDEV) /* hidden by another mount */
		return answer(ret, PME_OVER_HIDDEN, NULL);
	if (error < 0 && !pme_over_is_absent(error))
		return answer(ret, PME_OVER_DOUBT, why_error);
	if (error == 0 && ask->layer == 0 && is_top_seen(real, seen, after))
		return answer(ret, PME_OVER_SHOWN, NULL);
	if (error == 0 && pme_over_is_same(real, seen))
		return answer(ret, above ? PME_OVER_DOUBT : PME_OVER_SHOWN, why_layers);
	if (error == 0 && S_ISDIR(real->st_mode) && S_ISDIR(seen->st_mode))
		return answer(ret, PME_OVER_DOUBT, why_merged);
	answer(ret, may_move ? PME_OVER_DOUBT : PME_OVER_HIDDEN, why_renamed);
}

static bool is_it(const struct pme_over_ask *ask, const struct stat *st)
{
	return st->st_dev == ask->devno && st->st_ino == ask->inode;
}

/* 1: answered, 0: it changed meanwhile. */
static int judge_once(const struct pme_over_ask *ask, const struct pme_over_base *base,
		      struct pme_over_reply *ret)
{
	int layer = ask->over->layers[ask->layer].fd, error = -ENOENT, above = 0, r;
	const char *below = pme_names_below(base->mount->root, ask->rest);
	struct stat after = {0};

	r = pme_over_stat(layer, ask->rest, &ret->real);
	if (r == 0 && is_it(ask, &ret->real)) {
		error = below ? pme_over_stat(base->fd, below, &ret->seen) : -EXDEV;
		above = is_above(ask, S_ISDIR(ret->real.st_mode));
		r = pme_over_stat(layer, ask->rest, &after);
	}
	if (r < 0 && !pme_over_is_absent(r)) {
		answer(ret, PME_OVER_DOUBT, why_error);
		return 1;
	}
	if (r < 0 || !is_it(ask, &ret->real) || !is_it(ask, &after)) {
		answer(ret, PME_OVER_HIDDEN, NULL);
		return 1;
	}
	if (above != 0 && above != -EAGAIN) {
		answer(ret, above == 1 ? PME_OVER_HIDDEN : PME_OVER_DOUBT,
		       above == -EISDIR ? why_merged : why_metacopy);
		return 1;
	}
	if (!has_times(&ret->real, &after) &&
	    (ask->layer > 0 || error < 0 || !is_top_seen(&ret->real, &ret->seen, &after)))
		return 0;
	if (ask->over->overlay->layers[ask->layer].data && below)
		answer(ret, PME_OVER_DOUBT, why_metacopy);
	else
		judge_seen(ask, error, above, &after, ret);
	return 1;
}

void pme_over_judge(const struct pme_over_ask *ask, const struct pme_over_base *base,
		    struct pme_over_reply *ret)
{
	for (int i = 0; i < TRIES; i++)
		if (judge_once(ask, base, ret))
			return;
	answer(ret, PME_OVER_DOUBT, why_change);
}

/* --- entering --- */

/* A mount of another namespace is reached through a process of it; NULL without memory. */
static char *reach(const struct pme_overlay_mount *mount, const char *path)
{
	while (*path == '/')
		path++;
	if (strcmp(mount->pid, "self") == 0)
		return strdup(*path ? path : ".");
	return pme_printf("proc/%s/root/%s", mount->pid, path);
}

/* The mount, and not another one over it: a descriptor or -errno. */
static int open_base(const struct pme_os *os, const struct pme_overlay *overlay,
		     const struct pme_overlay_mount *mount)
{
	_cleanup_free_ char *path = reach(mount, mount->target);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!path)
		return -ENOMEM;
	/* a copy of the root would be without what is mounted below, and nobody unmounts that */
	if (strcmp(mount->pid, "self") == 0 && mount->target[1])
		fd = pme_os_enter_mount(os, mount->target);
	if (fd < 0)
		fd = pme_os_open(os, path, O_PATH);
	r = fd < 0 ? fd : pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	return st.st_dev == overlay->shown ? pme_take_fd(&fd) : -EXDEV;
}

/* A name that is not absolute, below each directory on the way to @from: a descriptor or -errno. */
static int open_relative(const struct pme_os *os, const struct pme_overlay_mount *mount,
			 const char *from, const char *name)
{
	_cleanup_free_ char *dir = strdup(from);
	int fd = -ENOENT;

	if (!dir)
		return -ENOMEM;
	for (char *slash; fd < 0 && (slash = strrchr(dir, '/')); *slash = '\0') {
		_cleanup_free_ char *joined = NULL, *path = NULL;

		slash[1] = '\0';
		joined = pme_printf("%s%s", dir, name);
		path = joined ? reach(mount, joined) : NULL;
		if (!path)
			return -ENOMEM;
		fd = pme_os_open(os, path, O_PATH | O_DIRECTORY);
	}
	return fd;
}

/* As the process that sees @mount would: a descriptor or -errno. */
static int open_name(const struct pme_os *os, const struct pme_overlay *overlay,
		     const struct pme_overlay_mount *mount, const char *name)
{
	const char *top = overlay->layers[0].path;
	_cleanup_free_ char *path = NULL;

	if (*name != '/')
		return open_relative(os, mount, *top == '/' ? top : overlay->mounts[0].target,
				     name);
	path = reach(mount, name);
	return path ? pme_os_open(os, path, O_PATH | O_DIRECTORY) : -ENOMEM;
}

static int open_layer(const struct pme_os *os, const struct pme_overlay *overlay,
		      const struct pme_overlay_mount *mount, size_t i, struct pme_over_layer *ret)
{
	const struct pme_overlay_layer *layer = &overlay->layers[i];
	struct stat st;
	int r;

	*ret = (struct pme_over_layer){.fd = open_name(os, overlay, mount, layer->path)};
	if (ret->fd < 0 && ret->fd != -ENOMEM && layer->literal)
		ret->fd = open_name(os, overlay, mount, layer->literal);
	r = ret->fd < 0 ? ret->fd : pme_os_fstat(ret->fd, &st);
	if (r == 0) {
		ret->devno = st.st_dev;
		ret->inode = st.st_ino;
		return 0;
	}
	pme_close_fd(&ret->fd);
	ret->fd = -1;
	return r;
}

/* Are layers known to be on several filesystems, or may they be? */
static bool is_mixed(const struct pme_over *over)
{
	for (size_t i = 1; i < over->overlay->n_layers; i++)
		if (over->layers[i].fd < 0 || over->layers[i].devno != over->layers[0].devno)
			return true;
	return false;
}

/* Only then directories have made-up numbers, and those inside the number of a lower one. */
static bool is_top_at(const struct pme_over *over, const struct pme_over_base *base)
{
	bool whole = strcmp(base->mount->root, "/") == 0;
	struct stat real, seen;

	return pme_over_stat(over->layers[0].fd, base->mount->root + 1, &real) == 0 &&
	       pme_os_fstat(base->fd, &seen) == 0 && has_times(&real, &seen) &&
	       (!whole || has_number(&real, &seen) || is_mixed(over));
}

/* Is layers[0] what the overlay shows as its root?  It may change while it is looked at. */
static bool is_top(const struct pme_over *over)
{
	for (size_t i = 0; i < over->n_bases; i++)
		for (int try = 0; try < TRIES; try++)
			if (is_top_at(over, &over->bases[i]))
				return true;
	return false;
}

static void close_layers(struct pme_over *over)
{
	for (size_t i = 0; i < over->overlay->n_layers; i++) {
		pme_close_fd(&over->layers[i].fd);
		over->layers[i].fd = -1;
	}
}

/* The layers as the process that sees @mount would find them: 1 when they are it, 0, -ENOMEM. */
static int find_layers(const struct pme_os *os, const struct pme_overlay_mount *mount,
		       struct pme_over *over)
{
	const struct pme_overlay *overlay = over->overlay;
	int r = 0;

	over->known = true;
	for (size_t i = 0; i < overlay->n_layers && (i == 0 || over->layers[0].fd >= 0); i++) {
		r = open_layer(os, overlay, mount, i, &over->layers[i]);
		if (r == -ENOMEM)
			return r;
		over->known &= r == 0;
	}
	if (over->layers[0].fd >= 0 && is_top(over))
		return 1;
	close_layers(over);
	over->known = false;
	return 0;
}

/* Whoever mounted it was in our namespace, as those who start containers are, or in that of it. */
static int find_all_layers(const struct pme_os *os, struct pme_over *over)
{
	const struct pme_overlay *overlay = over->overlay;
	char self[] = "self";
	const struct pme_overlay_mount ours = {.pid = self};
	const char *last = self;
	int r = 0;

	if (overlay->n_layers > 0)
		r = find_layers(os, &ours, over);
	for (size_t i = 0; r == 0 && overlay->n_layers > 0 && i < over->n_bases; i++) {
		const struct pme_overlay_mount *mount = over->bases[i].mount;

		if (strcmp(mount->pid, last) != 0)
			r = find_layers(os, mount, over);
		last = mount->pid;
	}
	return r < 0 ? r : 0;
}

/* Was it not seen because the process through which it is seen has ended? */
static bool is_gone(const struct pme_os *os, const struct pme_overlay_mount *mount)
{
	_cleanup_free_ char *path = pme_printf("proc/%s/ns/mnt", mount->pid);
	_cleanup_free_ char *id = NULL;

	return strcmp(mount->pid, "self") != 0 && (!path || pme_os_readlink(os, path, &id) < 0);
}

int pme_over_enter(const struct pme_os *os, const struct pme_overlay *overlay, struct pme_over *ret)
{
	size_t n_mounts = overlay->n_mounts;

	*ret = (struct pme_over){.overlay = overlay, .cut = n_mounts > BASES_MAX};
	if (ret->cut)
		n_mounts = BASES_MAX;
	ret->layers = calloc(overlay->n_layers + 1, sizeof(*ret->layers));
	ret->bases = calloc(n_mounts + 1, sizeof(*ret->bases));
	if (!ret->layers || !ret->bases)
		return -ENOMEM;
	for (size_t i = 0; i < overlay->n_layers; i++)
		ret->layers[i].fd = -1;
	for (size_t i = 0; i < n_mounts; i++) {
		int fd = open_base(os, overlay, &overlay->mounts[i]);

		if (fd == -ENOMEM)
			return fd;
		if (fd < 0 && fd != -EXDEV)
			ret->cut |= !pme_over_is_absent(fd) || is_gone(os, &overlay->mounts[i]);
		if (fd >= 0)
			ret->bases[ret->n_bases++] =
				(struct pme_over_base){fd, &overlay->mounts[i]};
	}
	return ret->n_bases > 0 ? find_all_layers(os, ret) : 0;
}

void pme_over_done(struct pme_over *over)
{
	if (over->layers)
		close_layers(over);
	for (size_t i = 0; i < over->n_bases; i++)
		pme_close_fd(&over->bases[i].fd);
	free(over->layers);
	free(over->bases);
	*over = (struct pme_over){0};
}
