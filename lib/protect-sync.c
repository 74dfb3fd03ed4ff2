/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl protect sync: all files of one protected path.
 *
 * A file that is gone loses its versions when as many syncs as versions are kept have passed since
 * the last of them was made; only after a sync that could look at everything.
 */
#include <fcntl.h>
#include <string.h>

#include "checkpoint.h"
#include "donor-reach.h"
#include "protect-batch.h"
#include "protect-walk.h"
#include "replica.h"
#include "saved-place.h"

struct seen {
	char **names; /* of objects, sorted */
	size_t count, alloc;
};

static const char *replica_error(int error)
{
	switch (error) {
	case -ENOENT:
		return "what pmemctl made there is gone: is its filesystem mounted?";
	case -EPERM:
		return "others than root can write there";
	}
	return strerror(-error);
}

/* 0, or -errno, said. */
static int open_replica(struct pme_sync *sync, const struct pme_os *os,
			const struct pme_place_of *place)
{
	struct stat st;
	int r;

	sync->replica = pme_saved_replica(os, sync->protection, false);
	r = sync->replica < 0 ? sync->replica : pme_os_fstat(sync->replica, &st);
	if (r == 0 && st.st_dev == place->devno) {
		pme_log_add(sync->log, PME_ERROR, sync->protection->replica,
			    "the replica cannot be used: it is on the same filesystem");
		return -EXDEV;
	}
	if (r == 0)
		r = pme_batch_trusts_syncfs(sync->replica);
	sync->trusts_syncfs = r > 0;
	if (r >= 0)
		r = pme_replica_can_share(sync->replica);
	if (r < 0) {
		pme_log_add(sync->log, PME_ERROR, sync->protection->replica,
			    "the replica cannot be used: %s", replica_error(r));
		return r;
	}
	if (r == 0 && sync->keep > 1) {
		sync->keep = 1;
		pme_log_add(sync->log, PME_INFO, sync->protection->replica,
			    "files cannot share blocks there: one version of each is kept");
	}
	return 0;
}

static void no_checkpoints(const struct pme_sync *sync, const char *why)
{
	pme_log_add(sync->log, PME_WARNING, sync->protection->path, "no checkpoints: %s", why);
}

static void open_checkpoints(struct pme_sync *sync, const struct pme_place_of *place)
{
	int r;

	sync->checkpoints = -1;
	if (strcmp(place->fs.type, "xfs") != 0)
		return;
	if (place->entry.fd < 0 || !place->entry.is_root) {
		no_checkpoints(sync, "the root of its filesystem is not mounted");
		return;
	}
	r = pme_checkpoints_open(place->entry.fd, sync->protection->id, true);
	if (r == -EPERM)
		no_checkpoints(sync, ".pmemctl in the root of its filesystem is not what pmemctl "
				     "made");
	else if (r < 0)
		no_checkpoints(sync, strerror(-r));
	sync->checkpoints = r < 0 ? -1 : r;
}

static int remember(struct seen *seen, int fd)
{
	_cleanup_free_ char *name = NULL;
	struct pme_sample sample;
	int r = pme_sample_take(fd, &sample);

	if (r < 0)
		return 0; /* it was never kept, either */
	name = pme_saved_object_name(sample.inode, sample.generation);
	r = name ? pme_grow(&seen->names, &seen->alloc, seen->count, sizeof(*seen->names))
		 : -ENOMEM;
	if (r == 0)
		seen->names[seen->count++] = pme_take_ptr(name);
	return r;
}

/* 0, -errno of what stops all. */
static int sync_one(struct pme_sync *sync, const struct pme_place_of *place,
		    const struct pme_walk_file *file, struct seen *seen)
{
	_cleanup_free_ char *path = pme_walk_path(sync->protection->path, file->path);
	_cleanup_close_ int fd = pme_walk_open(place->fd, file);
	struct stat st;
	int r;

	if (!path)
		return -ENOMEM;
	if (fd == -ENOENT) {
		sync->vanished++; /* gone since it was seen, or only its name */
		return 0;
	}
	r = fd < 0 ? fd : pme_os_fstat(fd, &st);
	if (r < 0) {
		sync->run->files++;
		sync->run->not_kept++;
		sync->unsure = true;
		pme_sync_say(sync, path, "not kept: cannot open: %s", strerror(-r));
		return 0;
	}
	if (!S_ISREG(st.st_mode) || st.st_dev != place->devno) {
		sync->run->special++; /* another thing has its name now */
		return 0;
	}
	sync->run->files++;
	r = remember(seen, fd);
	return r < 0 ? r : pme_sync_file(sync, fd, path);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_seen(const struct seen *seen, const char *name)
{
	return seen->count > 0 && bsearch(&name, seen->names, seen->count, sizeof(*seen->names),
					  compare_names) != NULL;
}

/* A file that is not there any more. */
static int drop_object(struct pme_sync *sync, const char *name)
{
	_cleanup_close_ int object = pme_saved_dir(sync->replica, name, false);
	_cleanup_free_ uint64_t *versions = NULL;
	size_t count = 0;
	int r = object < 0 ? object : pme_saved_versions(object, &versions, &count);

	if (r < 0 || (count > 0 && versions[0] + sync->keep > sync->generation))
		return r;
	for (size_t i = count; r == 0 && i-- > 0;)
		r = pme_replica_remove(object, versions[i], sync->checkpoints);
	if (r == 0)
		r = pme_replica_sweep(object);
	if (r == 0 && unlinkat(object, PME_SAVED_DAMAGED, 0) < 0 && errno != ENOENT)
		r = -errno;
	if (r == 0 && unlinkat(sync->replica, name, AT_REMOVEDIR) < 0)
		r = -errno;
	sync->run->removed += r == 0;
	return r;
}

/* Is it still in the filesystem, under any name?  Who cannot tell keeps what there is of it. */
static bool is_alive(const struct pme_reach *reach, const struct pme_place_of *place,
		     uint64_t inode, uint32_t generation)
{
	const struct pme_file file = {
		.devno = place->devno, .inode = inode, .generation = generation};
	_cleanup_close_ int fd = pme_reach_file(reach, &place->fs, &file, O_RDONLY);
	struct stat st;

	if (fd < 0)
		return fd != -ESTALE && fd != -ENOENT;
	return pme_os_fstat(fd, &st) < 0 || st.st_nlink > 0;
}

/*
 * @moving: names vanished while this sync ran.  A file that was moved from where nobody had looked
 * yet to where somebody had is not seen, and not gone.
 */
static int drop_gone(struct pme_sync *sync, const struct pme_place_of *place, struct seen *seen,
		     bool moving)
{
	_cleanup_(pme_reach_close) struct pme_reach reach = {.entry = {.fd = -1}, .root = -1};
	const struct pme_os here = {.root = sync->replica};
	char **names = NULL;
	size_t count = 0;
	int r = moving ? pme_reach_open(sync->os, &place->fs, &reach) : 0;

	if (r == 0)
		r = pme_os_list(&here, ".", &names, &count);
	if (seen->count)
		qsort(seen->names, seen->count, sizeof(*seen->names), compare_names);
	for (size_t i = 0; r == 0 && i < count; i++) {
		uint64_t inode;
		uint32_t generation;

		if (pme_saved_object_parse(names[i], &inode, &generation) == 0 &&
		    !is_seen(seen, names[i]) &&
		    !(moving && is_alive(&reach, place, inode, generation)))
			r = drop_object(sync, names[i]);
	}
	pme_os_free_names(names, count);
	return r;
}

/* Does the checkpoint @name belong to a version that is there? */
static bool has_version(const struct pme_sync *sync, uint64_t inode, uint32_t generation,
			uint64_t version)
{
	const struct pme_os here = {.root = sync->replica};
	_cleanup_free_ char *object = pme_saved_object_name(inode, generation);
	_cleanup_free_ char *path =
		object ? pme_printf("%s/%016llx.manifest", object, (unsigned long long)version)
		       : NULL;

	return !path || pme_os_exists(&here, path) != 0;
}

/* Checkpoints of syncs that were killed. */
static int sweep_checkpoints(const struct pme_sync *sync, int dir)
{
	const struct pme_os here = {.root = dir};
	char **names = NULL;
	size_t count = 0;
	int r = dir < 0 ? 0 : pme_os_list(&here, ".", &names, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		uint64_t inode, version;
		uint32_t generation;

		if (pme_saved_checkpoint_parse(names[i], &inode, &generation, &version) == 0 &&
		    !has_version(sync, inode, generation, version))
			r = pme_checkpoint_remove(dir, names[i]);
	}
	pme_os_free_names(names, count);
	return r;
}

static int sweep(const struct pme_sync *sync)
{
	_cleanup_close_ int dax =
		sync->checkpoints < 0 ? -1 : pme_saved_dir(sync->checkpoints, "dax", false);
	int r = sweep_checkpoints(sync, sync->checkpoints);

	return r < 0 ? r : sweep_checkpoints(sync, dax);
}

static int sync_files(struct pme_sync *sync, const struct pme_place_of *place,
		      struct pme_walk *walk)
{
	struct seen seen = {0};
	int r = sweep(sync);

	if (r < 0)
		pme_log_add(sync->log, PME_WARNING, sync->protection->path,
			    "checkpoints that are left over cannot be taken away: %s",
			    strerror(-r));
	r = pme_walk(place->fd, sync->protection->path, place->vault, sync->log, walk);
	pme_progress_about(sync->log->progress, sync->protection->path);
	pme_progress_phase(sync->log->progress, PME_PHASE_SYNC, PME_UNIT_FILES, walk->count);
	for (size_t i = 0; r == 0 && i < walk->count; i++) {
		pme_progress_at(sync->log->progress, i);
		r = sync_one(sync, place, &walk->files[i], &seen);
	}
	if (r == 0)
		r = pme_batch_flush(sync);
	if (r == 0 && walk->failed == 0 && !sync->unsure) {
		int e = drop_gone(sync, place, &seen, walk->vanished + sync->vanished > 0);

		if (e < 0)
			pme_log_add(sync->log, PME_WARNING, sync->protection->replica,
				    "what is kept of files that are gone cannot be taken away: %s",
				    strerror(-e));
	}
	pme_os_free_names(seen.names, seen.count);
	return r;
}

/* The greatest number of a version that is there: a state that is lost must not begin again. */
static int newest_version(int replica, uint64_t *ret)
{
	const struct pme_os here = {.root = replica};
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(&here, ".", &names, &count);

	*ret = 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		_cleanup_close_ int object = pme_saved_dir(replica, names[i], false);
		_cleanup_free_ uint64_t *versions = NULL;
		size_t n = 0;

		if (object >= 0)
			r = pme_saved_versions(object, &versions, &n);
		if (r == 0 && n > 0)
			*ret = pme_max(*ret, versions[0]);
	}
	pme_os_free_names(names, count);
	return r;
}

static int begin(struct pme_sync *sync, const struct pme_os *os, struct pme_protection_state *state)
{
	const char *id = sync->protection->id;
	uint64_t newest = 0;
	int r = pme_protection_state_load(os, id, state);

	if (r == -EINVAL) {
		pme_log_add(sync->log, PME_WARNING, sync->protection->path,
			    "what is known of earlier syncs makes no sense: it begins anew");
		r = 0;
	}
	if (r == 0 && state->generation == 0)
		r = newest_version(sync->replica, &newest);
	if (r < 0)
		return r;
	state->generation = pme_max(state->generation, newest) + 1;
	sync->generation = state->generation;
	return pme_protection_state_store(os, id, state);
}

static void take_counts(struct pme_sync_run *run, const struct pme_walk *walk)
{
	run->links = walk->links;
	run->symlinks = walk->symlinks;
	run->special += walk->special;
	run->mounts = walk->mounts;
}

static int finish(struct pme_sync *sync, const struct pme_os *os, const struct pme_walk *walk,
		  int result, struct pme_protection_state *state)
{
	struct pme_sync_run *run = sync->run;

	take_counts(run, walk);
	state->synced = pme_protect_now();
	if (result == 0)
		state->finished = state->generation;
	state->whole =
		result == 0 && walk->failed == 0 && run->not_kept == 0 && run->unreadable == 0;
	state->files = run->files;
	state->bytes = run->bytes;
	state->not_kept = run->not_kept;
	if (sync->said > 0 && run->not_kept > 1)
		pme_log_incomplete(
			sync->log, sync->protection->path, "%llu of %llu files are not kept",
			(unsigned long long)run->not_kept, (unsigned long long)run->files);
	return pme_protection_state_store(os, sync->protection->id, state);
}

static int sync_place(struct pme_sync *sync, const struct pme_os *os,
		      const struct pme_place_of *place)
{
	_cleanup_(pme_walk_done) struct pme_walk walk = {0};
	struct pme_protection_state state;
	int r = open_replica(sync, os, place), e;

	if (r < 0)
		return r;
	r = begin(sync, os, &state);
	if (r < 0) {
		pme_log_add(sync->log, PME_ERROR, sync->protection->path,
			    "cannot record the sync: %s", strerror(-r));
		return r;
	}
	open_checkpoints(sync, place);
	r = sync_files(sync, place, &walk);
	if (r < 0)
		pme_log_add(sync->log, PME_ERROR, sync->protection->path, "the sync stopped: %s",
			    strerror(-r));
	e = finish(sync, os, &walk, r, &state);
	if (e < 0)
		pme_log_add(sync->log, PME_ERROR, sync->protection->path,
			    "how the sync went cannot be recorded: %s", strerror(-e));
	return r < 0 ? r : e;
}

int pme_protect_sync(const struct pme_topo *topo, const struct pme_protection *protection,
		     struct pme_log *log, struct pme_sync_run *ret)
{
	_cleanup_(pme_place_close) struct pme_place_of place = PME_PLACE_NONE;
	_cleanup_close_ int lock = pme_protect_lock(topo->os, protection, log);
	struct pme_sync sync = {
		.os = topo->os,
		.protection = protection,
		.log = log,
		.replica = -1,
		.checkpoints = -1,
		.keep = protection->keep,
		.run = ret,
		.batch.checkpoint = -1,
	};
	int r;

	*ret = (struct pme_sync_run){0};
	if (lock < 0)
		return lock;
	r = pme_place_open(topo, protection->path, log, &place);
	if (r < 0)
		return r;
	if (strcmp(place.fs.uuid, protection->fs_uuid) != 0) {
		pme_log_add(log, PME_ERROR, protection->path,
			    "not the filesystem that was put under protection (UUID %s, now %s): "
			    "is it mounted?",
			    protection->fs_uuid, place.fs.uuid);
		return -EXDEV;
	}
	sync.fs_uuid = place.fs.uuid;
	r = sync_place(&sync, topo->os, &place);
	pme_batch_done(&sync.batch);
	pme_close_fd(&sync.replica);
	pme_close_fd(&sync.checkpoints);
	return r;
}
