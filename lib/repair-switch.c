/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Switching: files of a step get the good blocks; and what must be true afterwards.  See
 * repair-work.h.
 *
 * The surprise: security.capability goes with every write to a file, and set-id bits with those of
 * unprivileged ones (without CAP_FSETID), whatever descriptor it is; they are put back.  All times
 * stay by themselves (remap.h).
 */
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

#include "holders.h"
#include "remap.h"
#include "repair-work.h"

#define CAPS "security.capability"
#define CAPS_MAX 4096
#define TRY_SECONDS 5	      /* for a file that is written all the time */
#define TRY_SEVERAL_SECONDS 1 /* for several parts of it at once */
#define LEASE_TRIES 20
#define NAMES_MAX 8 /* processes named in a message */

/* ---- attributes ---- */

static int read_caps(int fd, char **ret, size_t *ret_len)
{
	char buf[CAPS_MAX];
	ssize_t n = fgetxattr(fd, CAPS, buf, sizeof(buf));

	if (n < 0 && errno != ENODATA && errno != EOPNOTSUPP)
		return -errno;
	*ret = NULL;
	*ret_len = 0;
	if (n <= 0)
		return 0;
	*ret = malloc((size_t)n);
	if (!*ret)
		return -ENOMEM;
	memcpy(*ret, buf, (size_t)n);
	*ret_len = (size_t)n;
	return 0;
}

int pme_work_save_attributes(struct pme_work *work, size_t i, int fd)
{
	struct pme_work_target *t = &work->targets[i];
	struct stat st;
	int r = pme_os_fstat(fd, &st);

	if (r < 0)
		return r;
	t->mode = st.st_mode & 07777;
	t->ctime = pme_work_ctime(&st);
	return read_caps(fd, &t->caps, &t->caps_len);
}

/* Only what a write takes away comes back; what somebody else has set since stays. */
static int restore_attributes(struct pme_work *work, size_t i, int fd)
{
	const struct pme_work_target *t = &work->targets[i];
	_cleanup_free_ char *caps = NULL;
	size_t caps_len;
	struct stat st;
	int r = pme_os_fstat(fd, &st);

	if (r == 0 && (st.st_mode & 07777) == (t->mode & 01777) && t->mode & 06000 &&
	    !pme_os_leaves_set_id() && fchmod(fd, t->mode) < 0)
		r = -errno;
	if (r == 0)
		r = read_caps(fd, &caps, &caps_len);
	if (r == 0 && !caps && t->caps && fsetxattr(fd, CAPS, t->caps, t->caps_len, 0) < 0)
		r = -errno;
	return r < 0 ? pme_work_fail(work, r, "%s: cannot put mode or capabilities back: %s",
				     t->path, strerror(-r))
		     : 0;
}

/* ---- XFS_IOC_COMMIT_RANGE ---- */

/*
 * When it was changed last: later changes are of others, since ours do not show.  And what its
 * attributes are right before the switch: set-id bits and capabilities that a write of somebody
 * else has taken away since they were saved must not come back.  Who resumes cannot tell his writes
 * from ours, and has only what was saved.
 */
static int sample(struct pme_work *work, size_t i, int fd)
{
	struct pme_work_target *t = &work->targets[i];
	struct stat st;
	int r;

	if (work->prove) {
		free(t->caps);
		t->caps = NULL;
		return pme_work_save_attributes(work, i, fd);
	}
	r = pme_os_fstat(fd, &st);
	if (r == 0)
		t->ctime = pme_work_ctime(&st);
	return r;
}

/* What is true of the file after START_COMMIT is true at the commit.  0, -ESTALE, -errno. */
static int check_now(struct pme_work *work, size_t i, int fd, const struct pme_range_list *wanted)
{
	_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
	int r = pme_work_runs(work, i, fd, &runs);

	if (r < 0)
		return r;
	if (runs.count != wanted->count ||
	    memcmp(runs.items, wanted->items, runs.count * sizeof(*runs.items)) != 0)
		return -ESTALE;
	if (work->kept || !work->prove)
		return work->kept ? 0 : -EUCLEAN;
	r = work->prove(work);
	return r < 0 ? r : r > 0 ? 0 : -ESTALE;
}

/* What a target is given its good blocks from. */
struct source {
	int spread;	    /* all at once, or -1 */
	int dense;	    /* piece by piece, or -1; and where it ends */
	uint64_t dense_end; /* byte of the good ones */
};

static void source_done(struct source *source)
{
	pme_close_fd(&source->spread);
	pme_close_fd(&source->dense);
}

static struct pme_range span_of(const struct pme_work *work, const struct pme_work_target *t)
{
	uint64_t start = t->starts[0], end = 0;

	for (size_t p = 0; p < work->n_parts; p++) {
		start = pme_min(start, t->starts[p]);
		end = pme_max(end, t->starts[p] + work->parts[p].device.length);
	}
	return (struct pme_range){start, end - start};
}

/* All parts, at once. */
static int aim_spread(struct pme_work *work, size_t i, struct source *source, struct pme_remap *ret)
{
	struct pme_range span = span_of(work, &work->targets[i]);

	if (source->spread < 0)
		source->spread = pme_work_spread(work, i, span);
	ret->from = source->spread;
	ret->from_offset = 0;
	ret->to_offset = span.start;
	ret->length = span.length;
	ret->written = true;
	return ret->from < 0 ? ret->from : 0;
}

/*
 * The first piece of the good bytes @run.  At the end of the file both files have to end, or
 * neither does.
 */
static int aim_dense(struct pme_work *work, size_t i, struct source *source, struct pme_range run,
		     bool own, struct pme_remap *ret)
{
	uint64_t end;

	ret->from_offset = run.start;
	ret->length = pme_work_piece(work, i, run, &ret->to_offset);
	end = ret->to_offset + ret->length == work->targets[i].size ? run.start + ret->length
								    : work->length;
	if (source->dense >= 0 && source->dense_end != end) {
		pme_close_fd(&source->dense);
		source->dense = -1;
	}
	if (source->dense < 0)
		source->dense = pme_work_source(work, i, end, own);
	source->dense_end = end;
	ret->from = source->dense;
	return ret->from < 0 ? ret->from : 0;
}

/* With holes in between it was all of it.  What cannot be noted is compared with the rest. */
static void note_given(struct pme_work *work, size_t i, const struct pme_remap *remap)
{
	struct pme_range_list *given = &work->targets[i].given;
	struct pme_range run = {remap->from_offset, remap->length};

	if (remap->written)
		run = (struct pme_range){0, work->targets[i].length};
	if (pme_range_list_add(given, run.start, run.length) < 0)
		pme_range_list_done(given);
	pme_range_list_normalize(given);
}

/* @left: the bytes that it still needs; afterwards as they were before this one. */
static int commit_once(struct pme_work *work, size_t i, int to, struct source *source,
		       uint64_t *left)
{
	_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
	struct pme_remap remap = {.to = to};
	struct pme_freshness fresh;
	int r = pme_work_runs(work, i, to, &runs);
	uint64_t before = *left;

	*left = pme_range_list_bytes(&runs);
	if (r == 0 && !work->kept && !pme_work_is_whole(work, i, &runs))
		r = -ESTALE;
	if (r == 0 && work->kept && *left >= before)
		r = -EIO; /* the last one exchanged nothing */
	if (r < 0 || runs.count == 0)
		return r;
	if (work->n_parts > 1 && pme_work_is_whole(work, i, &runs))
		r = aim_spread(work, i, source, &remap);
	else
		r = aim_dense(work, i, source, runs.items[0], true, &remap);
	if (r == 0)
		r = pme_remap_start(to, &fresh);
	if (r == 0)
		r = sample(work, i, to);
	if (r == 0)
		r = check_now(work, i, to, &runs);
	if (r == 0)
		r = pme_remap_commit(&remap, &fresh);
	if (r == 0)
		note_given(work, i, &remap);
	return r;
}

static bool is_past(const struct timespec *deadline)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > deadline->tv_sec ||
	       (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

/*
 * While it has bad blocks; each time somebody writes everything is looked at anew.  Several parts
 * take longer to look at, and are tried one by one afterwards: repair-apply.c.
 */
static int commit_all(struct pme_work *work, size_t i, int to)
{
	_cleanup_(source_done) struct source source = {.spread = -1, .dense = -1};
	bool several = work->n_parts > 1 && work->prove && !work->kept;
	uint64_t left = UINT64_MAX;
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += several ? TRY_SEVERAL_SECONDS : TRY_SECONDS;
	while (left > 0) {
		int r = commit_once(work, i, to, &source, &left);

		if (r == 0 && left > 0) {
			work->kept = work->switched = true;
			r = restore_attributes(work, i, to);
		}
		if (r == -EBUSY && !is_past(&deadline))
			left = UINT64_MAX;
		else if (r < 0)
			return r;
	}
	return 0;
}

static int commit_target(struct pme_work *work, size_t i)
{
	const struct pme_work_target *t = &work->targets[i];
	_cleanup_close_ int to = pme_work_open_target(work, i, O_RDWR);
	int r = to;

	if (r == -ESTALE && work->kept)
		return 0; /* no file, nothing to repair */
	if (r >= 0)
		r = commit_all(work, i, to);
	if (r == 0 && !work->prove) /* of an earlier run's commit; those of this one are back */
		r = restore_attributes(work, i, to);
	if (r == -EBUSY || r == -ESTALE)
		pme_work_fail(work, r, "%s: somebody writes it", t->path);
	return r < 0 ? pme_work_fail(work, r, "%s: %s", t->path,
				     r == -ETXTBSY ? "it is a program that runs" : strerror(-r))
		     : 0;
}

/* ---- FICLONERANGE ---- */

/* "open by postgres (123), cp (77)" */
static char *holders_text(struct pme_work *work, const struct pme_work_target *t)
{
	struct pme_file *file = calloc(1, sizeof(*file));
	char *text = strdup("");

	if (file) {
		file->devno = t->file.devno;
		file->inode = t->file.inode;
		file->nlink = 1;
		pme_holders_find(work->os, &file, 1, work->log);
	}
	for (size_t i = 0; text && file && i < file->n_holders && i < NAMES_MAX; i++) {
		const struct pme_holder *h = &file->holders[i];
		_cleanup_free_ char *before = text;

		if (h->pid == getpid())
			text = strdup(before);
		else
			text = pme_printf("%s%s%s (%d)", before, *before ? ", " : "",
					  h->command ? h->command : "?", (int)h->pid);
	}
	pme_file_free(file);
	return text;
}

/* A file that has the blocks at two places is leased once.  1: it was; 0, -errno. */
static int lease_again(struct pme_work *work, size_t i)
{
	struct pme_work_target *t = &work->targets[i];

	for (size_t j = 0; j < i; j++) {
		const struct pme_work_target *other = &work->targets[j];

		if (other->fd < 0 || other->file.inode != t->file.inode ||
		    other->file.generation != t->file.generation)
			continue;
		t->fd = fcntl(other->fd, F_DUPFD_CLOEXEC, 0);
		pme_work_measure(work, i, other->size);
		return t->fd < 0 ? -errno : 1;
	}
	return 0;
}

/* Until the lease was granted others could write it. */
static int measure_again(struct pme_work *work, size_t i)
{
	struct stat st;
	int r = pme_os_fstat(work->targets[i].fd, &st);

	if (r == 0)
		pme_work_measure(work, i, (uint64_t)st.st_size);
	return r;
}

int pme_work_lease(struct pme_work *work, size_t i)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	struct pme_work_target *t = &work->targets[i];
	int r = lease_again(work, i);

	if (r != 0)
		return r < 0 ? r : 0;
	r = t->own ? 0 : -EAGAIN;
	t->fd = pme_work_open_target(work, i, O_RDWR);
	if (t->fd < 0)
		return t->fd == -ESTALE && work->kept
			       ? 0
			       : pme_work_fail(work, t->fd, "%s: cannot be opened for writing: %s",
					       t->path, strerror(-t->fd));
	for (int n = 0; r == -EAGAIN && n < LEASE_TRIES; n++) {
		r = pme_remap_lease(t->fd);
		if (r == -EAGAIN)
			nanosleep(&pause, NULL);
	}
	if (r == -EAGAIN) {
		_cleanup_free_ char *names = holders_text(work, t);

		return pme_work_fail(work, r,
				     "%s: others have it open%s%s, and on this filesystem it can "
				     "only be repaired while nobody has",
				     t->path, names && *names ? ": " : "", names ? names : "");
	}
	if (r == 0)
		r = measure_again(work, i);
	return r < 0 ? pme_work_fail(work, r, "%s: no write lease: %s", t->path, strerror(-r)) : 0;
}

void pme_work_unlease(struct pme_work *work, size_t i)
{
	struct pme_work_target *t = &work->targets[i];

	if (t->fd >= 0)
		pme_remap_unlease(t->fd);
	pme_close_fd(&t->fd);
	t->fd = -1;
}

static int clone_piece(struct pme_work *work, size_t i, struct source *source,
		       struct pme_range *run)
{
	struct pme_work_target *t = &work->targets[i];
	struct pme_remap remap = {.to = t->fd};
	int r = aim_dense(work, i, source, *run, false, &remap);

	if (r == 0)
		r = t->own ? 1 : pme_remap_lease_holds(t->fd);
	r = r < 0 ? r : r == 0 ? -EAGAIN : pme_remap_clone(&remap);
	if (r < 0)
		return r;
	work->switched = true;
	note_given(work, i, &remap);
	run->start += remap.length;
	run->length -= remap.length;
	return 0;
}

static int clone_runs(struct pme_work *work, size_t i, const struct pme_range_list *runs)
{
	_cleanup_(source_done) struct source source = {.spread = -1, .dense = -1};
	int r = 0;

	for (size_t n = 0; r == 0 && n < runs->count; n++) {
		struct pme_range run = runs->items[n];

		while (r == 0 && run.length > 0)
			r = clone_piece(work, i, &source, &run);
	}
	return r < 0 ? r : pme_os_sync(work->targets[i].fd);
}

static int clone_target(struct pme_work *work, size_t i)
{
	_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
	struct pme_work_target *t = &work->targets[i];
	int r;

	if (t->fd < 0 || t->length == 0)
		return 0; /* gone meanwhile */
	r = pme_work_runs(work, i, t->fd, &runs);
	if (r == 0 && runs.count > 0)
		r = sample(work, i, t->fd);
	if (r == 0 && runs.count > 0)
		r = clone_runs(work, i, &runs);
	if (r == 0 && (runs.count > 0 || !work->prove)) /* of an earlier run's switch, too */
		r = restore_attributes(work, i, t->fd);
	return r < 0 ? pme_work_fail(work, r, "%s: %s", t->path,
				     r == -EAGAIN ? "others want it: try again" : strerror(-r))
		     : 0;
}

/* ---- all of them ---- */

static int switch_target(struct pme_work *work, size_t i)
{
	int r = pme_work_note(work, "switch", i);

	if (r < 0)
		return r;
	return work->how == PME_HOW_COMMIT ? commit_target(work, i) : clone_target(work, i);
}

int pme_work_switch_one(struct pme_work *work, size_t i)
{
	int r = work->how == PME_HOW_COMMIT ? 0 : pme_work_lease(work, i);

	if (r == 0)
		r = switch_target(work, i);
	pme_work_unlease(work, i);
	return r;
}

int pme_work_switch(struct pme_work *work)
{
	int r = 0;

	for (size_t i = 0; r == 0 && work->how != PME_HOW_COMMIT && i < work->n_targets; i++)
		r = pme_work_lease(work, i);
	for (size_t i = 0; r == 0 && i < work->n_targets; i++)
		r = switch_target(work, i);
	for (size_t i = 0; i < work->n_targets; i++)
		pme_work_unlease(work, i);
	return r;
}
