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
#include "vault.h"
#include "xfs-fsmap.h"
#include "xfs-inode.h"

#define CAPS "security.capability"
#define CAPS_MAX 4096
#define TRY_SECONDS 5 /* for a file that is written all the time */
#define LEASE_TRIES 20
#define NAMES_MAX 8 /* processes named in a message */

static int64_t ctime_of(const struct stat *st)
{
	return (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec;
}

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
	t->ctime = ctime_of(&st);
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
		t->ctime = ctime_of(&st);
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

static int commit_once(struct pme_work *work, size_t i, struct pme_remap *remap, bool *ret_any)
{
	_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
	const struct pme_work_target *t = &work->targets[i];
	struct pme_freshness fresh;
	int r = pme_work_runs(work, i, remap->to, &runs);

	*ret_any = runs.count > 0;
	if (r == 0 && !work->kept && !pme_work_is_whole(work, i, &runs))
		r = -ESTALE;
	if (r < 0 || runs.count == 0)
		return r;
	r = pme_remap_start(remap->to, &fresh);
	if (r == 0)
		r = sample(work, i, remap->to);
	if (r == 0)
		r = check_now(work, i, remap->to, &runs);
	if (r < 0)
		return r;
	remap->from_offset = runs.items[0].start;
	remap->to_offset = t->start + runs.items[0].start;
	remap->length = runs.items[0].length;
	return pme_remap_commit(remap, &fresh);
}

static bool is_past(const struct timespec *deadline)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > deadline->tv_sec ||
	       (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

/* Run by run, while it has bad blocks; each time somebody writes everything is looked at anew. */
static int commit_all(struct pme_work *work, size_t i, struct pme_remap *remap)
{
	struct timespec deadline;
	bool any = true;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += TRY_SECONDS;
	while (any) {
		r = commit_once(work, i, remap, &any);
		if (r == 0 && any) {
			work->kept = work->switched = true;
			r = restore_attributes(work, i, remap->to);
		}
		if (r < 0 && (r != -EBUSY || is_past(&deadline)))
			return r;
	}
	return 0;
}

static int commit_target(struct pme_work *work, size_t i)
{
	_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
	const struct pme_work_target *t = &work->targets[i];
	_cleanup_close_ int to = pme_work_open_target(work, i, O_RDWR);
	_cleanup_close_ int from = -1;
	int r = to;

	if (r == -ESTALE && work->kept)
		return 0; /* no file, nothing to repair */
	if (r >= 0)
		r = pme_work_runs(work, i, to, &runs);
	if (r == 0 && runs.count == 0 && !work->kept)
		r = -ESTALE;
	if (r == 0 && runs.count > 0) {
		from = pme_work_source(work, i, true);
		r = from < 0 ? from
			     : commit_all(work, i, &(struct pme_remap){.from = from, .to = to});
	}
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

int pme_work_lease(struct pme_work *work, size_t i)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	struct pme_work_target *t = &work->targets[i];
	int r = t->own ? 0 : -EAGAIN;

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

static int clone_runs(struct pme_work *work, size_t i, int from, const struct pme_range_list *runs)
{
	struct pme_work_target *t = &work->targets[i];
	int r = 0;

	for (size_t n = 0; r == 0 && n < runs->count; n++) {
		struct pme_remap remap = {.from = from,
					  .to = t->fd,
					  .from_offset = runs->items[n].start,
					  .to_offset = t->start + runs->items[n].start,
					  .length = runs->items[n].length};

		r = t->own ? 1 : pme_remap_lease_holds(t->fd);
		r = r < 0 ? r : r == 0 ? -EAGAIN : pme_remap_clone(&remap);
		if (r == 0)
			work->switched = true;
	}
	return r < 0 ? r : pme_os_sync(t->fd);
}

static int clone_target(struct pme_work *work, size_t i)
{
	_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
	struct pme_work_target *t = &work->targets[i];
	_cleanup_close_ int from = -1;
	int r;

	if (t->fd < 0)
		return 0; /* gone meanwhile */
	r = sample(work, i, t->fd);
	if (r == 0)
		r = pme_work_runs(work, i, t->fd, &runs);
	if (r == 0 && runs.count > 0) {
		from = pme_work_source(work, i, false);
		r = from < 0 ? from : clone_runs(work, i, from, &runs);
	}
	if (r == 0)
		r = restore_attributes(work, i, t->fd);
	pme_work_unlease(work, i);
	return r < 0 ? pme_work_fail(work, r, "%s: %s", t->path,
				     r == -EAGAIN ? "others want it: try again" : strerror(-r))
		     : 0;
}

/* ---- all of them ---- */

int pme_work_switch(struct pme_work *work)
{
	bool commit = work->how == PME_HOW_COMMIT;
	int r = 0;

	for (size_t i = 0; r == 0 && !commit && i < work->n_targets; i++)
		r = pme_work_lease(work, i);
	for (size_t i = 0; r == 0 && i < work->n_targets; i++) {
		r = pme_work_note(work, "switch", i);
		if (r == 0)
			r = commit ? commit_target(work, i) : clone_target(work, i);
	}
	return r;
}

/* ---- afterwards ---- */

/* Is @ino one of our own files: in the quarantine, or (about to go) in the staging folder? */
static int is_ours(struct pme_work *work, uint64_t ino)
{
	_cleanup_close_ int parked = pme_vault_open(work->reach.root, PME_VAULT_QUARANTINE, false);
	int dirs[] = {parked, work->dir};

	for (size_t i = 0; i < PME_ARRAY_SIZE(dirs); i++) {
		struct pme_os os = {.root = dirs[i]};
		char **names = NULL;
		size_t count = 0;
		bool found = false;

		if (dirs[i] < 0 || pme_os_list(&os, ".", &names, &count) < 0)
			continue;
		for (size_t n = 0; !found && n < count; n++) {
			struct stat st;

			found = pme_os_stat_at(dirs[i], names[n], false, &st) == 0 &&
				st.st_ino == ino;
		}
		pme_os_free_names(names, count);
		if (found)
			return 1;
	}
	return 0;
}

static int check_piece(struct pme_work *work, const struct pme_xfs_piece *piece)
{
	if (piece->owner == FMR_OWN_FREE && piece->flags & FMR_OF_SPECIAL_OWNER)
		return pme_work_fail(work, -EUCLEAN, "bad blocks are free now");
	if (piece->flags & FMR_OF_SPECIAL_OWNER)
		return pme_work_fail(work, -EUCLEAN, "bad blocks belong to metadata now");
	if (!is_ours(work, piece->owner))
		return pme_work_fail(work, -EBUSY, "inode %llu has the bad blocks, too",
				     (unsigned long long)piece->owner);
	return 0;
}

/* Nobody has the bad blocks but us: asked of the reverse map, where there is one. */
static int check_owners(struct pme_work *work)
{
	struct pme_xfs_records records = {0};
	struct pme_xfs_pieces pieces = {0};
	struct pme_xfs_geo geo;
	int r = pme_xfs_geo_read(work->reach.root, &geo);

	if (r < 0 || !geo.has_rmap)
		return 0; /* the files themselves were asked */
	r = pme_xfs_fsmap_read(work->reach.root, work->fs->dev->devno, work->device, &records);
	if (r == 0)
		r = pme_xfs_fsmap_pieces(&records, work->device, FMR_OWN_FREE, &pieces);
	if (r < 0)
		pme_work_fail(work, r, "the reverse map cannot be read: %s", strerror(-r));
	for (size_t i = 0; r == 0 && i < pieces.count; i++)
		r = check_piece(work, &pieces.items[i]);
	pme_xfs_records_done(&records);
	pme_xfs_pieces_done(&pieces);
	return r;
}

/* The bytes, from the media: what was staged, unless somebody has written since. */
static int check_bytes(struct pme_work *work, size_t i, int fd)
{
	const struct pme_work_target *t = &work->targets[i];
	_cleanup_free_ unsigned char *buf = calloc(1, work->device.length);
	char digest[PME_WORK_DIGEST];
	struct stat st;
	int r = buf ? pme_remap_read(fd, buf, t->length, t->start) : -ENOMEM;

	if (r < 0)
		return pme_work_fail(work, r, "%s: cannot be read after the repair: %s", t->path,
				     strerror(-r));
	pme_work_digest(work, buf, digest);
	if (strcmp(digest, work->digest) == 0)
		return 0;
	r = pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	if (ctime_of(&st) != t->ctime)
		return 0;
	return pme_work_fail(work, -EBADMSG, "%s: reads back different bytes", t->path);
}

static int verify_target(struct pme_work *work, size_t i)
{
	_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
	_cleanup_close_ int fd = pme_work_open_target(work, i, O_RDONLY);
	int r = fd;

	if (r == -ESTALE)
		return 0;
	if (r >= 0)
		r = pme_work_runs(work, i, fd, &runs);
	if (r < 0)
		return pme_work_fail(work, r, "%s: cannot be looked at after the repair: %s",
				     work->targets[i].path, strerror(-r));
	if (runs.count > 0)
		return pme_work_fail(work, -EBUSY, "%s: has bad blocks still",
				     work->targets[i].path);
	return check_bytes(work, i, fd);
}

int pme_work_verify(struct pme_work *work)
{
	int r = check_owners(work);

	for (size_t i = 0; r == 0 && i < work->n_targets; i++)
		r = verify_target(work, i);
	return r;
}
