/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping one file; see protect-file.h.
 */
#include "protect-file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "checkpoint.h"
#include "protect-batch.h"
#include "protect-gone.h"
#include "protect-lack.h"
#include "replica.h"
#include "saved-place.h"

#define SAID_MAX 20
#define WITHOUT_ROOM_MAX 16
#define TRIES 3 /* for a file that changes while it is copied */
#define GENERATION_MAX ((uint64_t)INT64_MAX - 1)
#define FUTURE_MAX 2000000000 /* ns: a ctime further ahead than this is not waited for */

struct keeping {
	struct pme_sync *sync;
	const char *path;
	int fd, object;
	struct pme_sample sample;
	struct pme_saved base; /* its copy is -1: there is none */
	bool by_checkpoint;
	const char *failed; /* what has no room, or cannot be used; NULL: the replica */
	char *object_name;
	bool stop;  /* what failed is not the matter of this file only */
	bool fresh; /* a version was found damaged: it is copied anew, from what is good of it */
};

int64_t pme_protect_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void pme_sync_say(struct pme_sync *sync, const char *path, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	if (sync->said++ >= SAID_MAX) {
		sync->log->incomplete = true;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	pme_log_incomplete(sync->log, path, "%s", text ? text : "no memory to say why");
}

bool pme_sync_pass(struct pme_sync *sync, uint64_t version)
{
	if (version >= GENERATION_MAX)
		return false;
	sync->generation = pme_max(sync->generation, version + 1);
	return true;
}

/* --- what is there --- */

static bool is_ours(const struct keeping *k, const struct pme_manifest *m)
{
	return m->inode == k->sample.inode && m->inode_generation == k->sample.generation &&
	       strcmp(m->fs_uuid, k->sync->fs_uuid) == 0 &&
	       strcmp(m->protection, k->sync->protection->id) == 0;
}

/* The newest version that can be read; none is an answer, too.  What was left over goes. */
static int find_base(struct keeping *k)
{
	_cleanup_free_ uint64_t *versions = NULL;
	size_t count = 0, others = 0;
	int r = pme_saved_is_damaged(k->object);

	if (r < 0)
		return r;
	k->fresh = r > 0;
	r = pme_saved_look(k->object, &versions, &count, &others);
	if (r == 0 && others != 2 * count + k->fresh)
		r = pme_replica_sweep(k->object);
	if (r == 0 && count > 0 && !pme_sync_pass(k->sync, versions[0]))
		return -ERANGE;
	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *why;

		r = pme_saved_load(k->object, versions[i], k->sync->checkpoints, &k->base, &why);
		if (r == -ENOMEM)
			return r;
		if (r == 0 && is_ours(k, k->base.manifest)) {
			k->base.sample.devno = k->sample.devno;
			return 0;
		}
		pme_sync_say(k->sync, k->path, "a version that was kept is not used: %s",
			     r < 0 ? why : "it is of another file");
		pme_saved_free(&k->base);
		r = 0;
	}
	return r;
}

/* Is what the newest version has still what the file has?  1, 0, -errno. */
static int is_same(const struct keeping *k)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list changed = {0};
	int r;

	if (k->base.copy < 0 || k->fresh)
		return 0;
	if (!k->by_checkpoint)
		return pme_saved_unchanged(&k->base, k->fd);
	if (k->base.checkpoint < 0 || k->base.manifest->size != k->sample.size)
		return 0;
	r = pme_checkpoint_extents(k->fd, k->sample.size, &extents);
	if (r == 0)
		r = pme_checkpoint_changes(&k->base, &extents, k->sample.size, &changed);
	return r < 0 ? r : changed.count == 0;
}

/* Is there nothing that a new version would have, and the newest has not?  1, 0, -errno. */
static int is_unchanged(const struct keeping *k)
{
	int r = is_same(k);

	return r == 1 && k->base.manifest->lacking
		       ? pme_lack_stays(k->sync, &k->base, k->fd, k->path)
		       : r;
}

/* --- a new version --- */

static int new_manifest(const struct keeping *k, struct pme_manifest *m)
{
	*m = (struct pme_manifest){
		.protection = strdup(k->sync->protection->id),
		.fs_uuid = strdup(k->sync->fs_uuid),
		.path = strdup(k->path),
		.generation = k->sync->generation,
		.taken = pme_protect_now(),
		.has_checkpoint = k->by_checkpoint,
		.inode = k->sample.inode,
		.inode_generation = k->sample.generation,
		.size = k->sample.size,
		.mtime = k->sample.mtime,
		.ctime = k->sample.ctime,
		.boot = k->by_checkpoint ? 0 : k->sample.boot,
	};
	if (!m->protection || !m->fs_uuid || !m->path)
		return -ENOMEM;
	return getrandom(&m->nonce, sizeof(m->nonce), 0) == sizeof(m->nonce) ? 0 : -EIO;
}

static void count_job(struct keeping *k, const struct pme_replica_job *job)
{
	struct pme_sync_run *run = k->sync->run;

	run->bytes_read += job->bytes_read;
	run->bytes_written += job->bytes_written;
	pme_lack_add(k->sync, k->path, job->unreadable);
	if (job->healed && k->sync->healed++ < SAID_MAX)
		pme_log_add(k->sync->log, PME_WARNING, k->path,
			    "%llu blocks of the version before were damaged, and were read again",
			    (unsigned long long)job->healed);
}

/* Of a file that did not change the good blocks of @base are right: it may have lost its own. */
static bool is_still(const struct pme_saved *base, const struct pme_sample *sample)
{
	return sample && base->manifest->settled && pme_sample_same(sample, &base->sample);
}

/*
 * The version of the bytes that @source has; @sample: and must still have at the end.  Adds the
 * bytes that were written to @ret.
 */
static int write_version(struct keeping *k, int source, const struct pme_sample *sample,
			 struct pme_manifest *m, uint64_t *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list changed = {0};
	struct pme_replica_job job = {
		.object = k->object,
		.source = source,
		.base = k->base.copy >= 0 ? &k->base : NULL,
		.changed = &changed,
		.fresh = k->fresh,
		.manifest = m,
		.sample = sample,
	};
	int r = pme_checkpoint_extents(source, m->size, &m->extents);

	if (r == 0 && job.base && k->by_checkpoint && k->base.checkpoint >= 0)
		r = pme_checkpoint_changes(&k->base, &m->extents, m->size, &changed);
	else if (r == 0 && job.base && m->size > 0 && !is_still(&k->base, sample))
		r = pme_range_list_add(&changed, 0, m->size);
	if (r == 0)
		r = pme_replica_write(&job);
	if (r < 0)
		return r;
	count_job(k, &job);
	*ret = job.bytes_written;
	return 0;
}

/* It becomes whole with others.  Takes over the name of its checkpoint, if any. */
static int put(struct keeping *k, const struct pme_manifest *m, char *checkpoint, int fd,
	       uint64_t bytes)
{
	struct pme_batch_file file = {
		.object = pme_take_fd(&k->object),
		.path = strdup(k->path),
		.version = m->generation,
		.checkpoint = checkpoint,
		.lacking = m->lacking,
		.fresh = k->fresh,
	};

	return pme_batch_add(&k->sync->batch, &file, fd, bytes);
}

/* 0; -EOPNOTSUPP: not by a checkpoint; -errno. */
static int keep_by_checkpoint(struct keeping *k)
{
	_cleanup_(pme_manifest_done) struct pme_manifest m = {0};
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int source = -1;
	uint64_t bytes;
	struct stat st;
	int r = new_manifest(k, &m);

	name = r == 0 ? pme_saved_checkpoint_name(&m) : NULL;
	if (!name)
		return r < 0 ? r : -ENOMEM;
	source = pme_checkpoint_make(k->sync->checkpoints, name, k->fd);
	k->failed = source < 0 ? k->sync->protection->path : NULL;
	r = source < 0 ? source : pme_os_fstat(source, &st);
	if (r == 0) {
		m.size = (uint64_t)st.st_size; /* it may have grown since it was sampled */
		r = write_version(k, source, NULL, &m, &bytes);
	}
	if (r == 0)
		return put(k, &m, pme_take_ptr(name), pme_take_fd(&source), bytes);
	if (source >= 0)
		pme_checkpoint_remove(k->sync->checkpoints, name);
	return r;
}

static int64_t coarse_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * Sample the file so that any later write shows: the clock that stamps it is past its ctime.
 * -ETIME: its ctime is in the future.
 */
static int settle(struct keeping *k)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	int r = pme_sample_take(k->fd, &k->sample);

	if (r < 0)
		return r;
	while (coarse_now() <= pme_stamp_last(k->sample.ctime)) {
		if (k->sample.ctime - coarse_now() > FUTURE_MAX)
			return -ETIME;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/*
 * Is there a moment in which nobody has the file open for writing?  Only then a read lease is
 * granted.  It is given back at once, so that nobody waits for it; who could make us wait for the
 * signal of a break gets one that is ignored.  1, 0; -ESTALE: it changed up to then; -errno.
 */
static int is_settled(const struct keeping *k)
{
	struct pme_sample now;
	int r;

	if (fcntl(k->fd, F_SETSIG, SIGURG) < 0 || fcntl(k->fd, F_SETLEASE, F_RDLCK) < 0)
		return 0;
	r = pme_sample_take(k->fd, &now);
	fcntl(k->fd, F_SETLEASE, F_UNLCK);
	if (r < 0)
		return r;
	return pme_sample_same(&now, &k->sample) ? 1 : -ESTALE;
}

static void unsettled(struct keeping *k)
{
	if (k->sync->run->unsettled++ < SAID_MAX)
		pme_log_add(k->sync->log, PME_WARNING, k->path,
			    "kept without proof: somebody has it open for writing, and without "
			    "reflinks nobody sees what is written meanwhile");
}

static int keep_by_digest(struct keeping *k)
{
	_cleanup_(pme_manifest_done) struct pme_manifest m = {0};
	int flags = fcntl(k->fd, F_GETFL);
	uint64_t bytes;
	int r = new_manifest(k, &m);

	if (r == 0)
		r = is_settled(k);
	if (r < 0)
		return r;
	m.settled = r > 0;
	k->failed = k->sync->protection->path;
	if (fsync(k->fd) < 0)
		return -errno;
	k->failed = NULL;
	/* Around the page cache: what is copied is what the media has. */
	if (flags >= 0 && fcntl(k->fd, F_SETFL, flags | O_DIRECT) < 0 && errno != EINVAL)
		return -errno;
	r = write_version(k, k->fd, &k->sample, &m, &bytes);
	if (r == 0 && !m.settled)
		unsettled(k);
	return r < 0 ? r : put(k, &m, NULL, -1, bytes);
}

/* --- all of it --- */

static const char *reason(int error)
{
	switch (error) {
	case -ESTALE:
		return "it changed while it was copied, each time it was tried";
	case -ETIME:
		return "its time of change lies in the future: a clock went backwards";
	case -ERANGE:
		return "there is a version with the greatest number already";
	case -EFBIG:
	case -E2BIG:
		return "it is too large, or has too many extents";
	}
	return strerror(-error);
}

static bool is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

/* So it is with the next file; but where one has no room a smaller one may. */
static bool is_hopeless(const struct keeping *k, int error)
{
	return error == -ENOMEM || error == -EROFS ||
	       (is_full(error) && k->sync->without_room >= WITHOUT_ROOM_MAX);
}

static int choose(struct keeping *k)
{
	const char *why;
	int r = pme_checkpoint_allowed(k->fd, &why);

	if (r < 0)
		return r;
	k->by_checkpoint = r > 0 && k->sync->checkpoints >= 0;
	if (why)
		pme_log_add(k->sync->log, PME_INFO, k->sync->protection->path,
			    "DAX files are kept without checkpoints: %s", why);
	return 0;
}

/* 1: there is nothing to do; 0: a new version; -EOPNOTSUPP: not in this way; -errno. */
static int keep_once(struct keeping *k)
{
	int r = k->by_checkpoint ? 0 : settle(k);

	if (r == 0)
		r = is_unchanged(k);
	if (r != 0)
		return r;
	return k->by_checkpoint ? keep_by_checkpoint(k) : keep_by_digest(k);
}

/* As keep_once(), in whichever way. */
static int keep(struct keeping *k)
{
	int r = find_base(k);

	if (r == 0)
		r = choose(k);
	if (r == 0)
		r = keep_once(k);
	if (r == -EOPNOTSUPP && k->by_checkpoint) {
		k->by_checkpoint = false;
		r = keep_once(k);
	}
	for (int i = 1; r == -ESTALE && i < TRIES; i++)
		r = keep_once(k);
	return r;
}

/* Nothing of it is open afterwards. */
static int try_to_keep(struct keeping *k)
{
	int r;

	k->failed = NULL;
	k->object = pme_saved_dir(k->sync->replica, k->object_name, true);
	r = k->object < 0 ? k->object : keep(k);
	if (k->object < 0 && r < 0)
		k->failed = k->object_name;
	pme_close_fd(&k->object);
	pme_saved_free(&k->base);
	return r;
}

/*
 * Without room or descriptors: what is written becomes whole, so that what was before it goes; then
 * what is kept of files that are gone, once.
 */
static int keep_anyhow(struct keeping *k)
{
	struct pme_sync *sync = k->sync;
	int r = try_to_keep(k);

	if (sync->batch.count > 0 && (is_full(r) || r == -EMFILE || r == -ENFILE)) {
		r = pme_batch_flush(sync);
		k->stop = r < 0;
		r = r < 0 ? r : try_to_keep(k);
	}
	if (is_full(r) && !sync->pressed) {
		sync->pressed = true;
		r = pme_gone_drop_now(sync);
		r = r < 0 ? r : try_to_keep(k);
	}
	return r;
}

static int not_kept(const struct keeping *k, int error)
{
	const struct pme_protection *p = k->sync->protection;

	k->sync->run->not_kept++;
	k->sync->without_room += is_full(error);
	k->sync->too_large += is_full(error);
	if (is_full(error))
		pme_sync_say(k->sync, k->path, "not kept: the filesystem of %s: %s",
			     k->failed && k->failed != k->object_name ? k->failed : p->replica,
			     strerror(-error));
	else if (k->failed && k->failed == k->object_name)
		pme_sync_say(k->sync, k->path, "not kept: %s/%s/%s: %s", p->replica, p->id,
			     k->object_name,
			     error == -EPERM ? "no directory that only root may enter"
					     : strerror(-error));
	else
		pme_sync_say(k->sync, k->path, "not kept: %s", reason(error));
	return k->stop || is_hopeless(k, error) ? error : 0;
}

int pme_sync_file(struct pme_sync *sync, int fd, const char *path)
{
	struct keeping k = {
		.sync = sync,
		.path = path,
		.fd = fd,
		.object = -1,
		.base = {.checkpoint = -1, .copy = -1, .sums = -1},
	};
	int r = pme_sample_take(fd, &k.sample);

	if (r < 0) {
		sync->run->not_kept++;
		pme_sync_say(sync, path, "not kept: %s",
			     r == -ENOTTY ? "its inode has no generation" : reason(r));
		return 0;
	}
	sync->run->bytes += k.sample.size;
	k.object_name = pme_saved_object_name(k.sample.inode, k.sample.generation);
	r = k.object_name ? keep_anyhow(&k) : -ENOMEM;
	if (r == 0)
		sync->without_room = 0;
	if (r == 1) {
		sync->run->unchanged++;
		sync->run->by_digest += !k.by_checkpoint;
	}
	r = r < 0 ? not_kept(&k, r) : 0;
	free(k.object_name);
	return r < 0 || !pme_batch_is_full(&sync->batch) ? r : pme_batch_flush(sync);
}
