/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl protect sync: all files of one protected path.
 *
 * The numbers of versions grow, whatever became of the state: of each file a new one is greater
 * than those that are there.
 */
#include <fcntl.h>
#include <string.h>

#include "checkpoint.h"
#include "protect-batch.h"
#include "protect-gone.h"
#include "replica.h"
#include "saved-place.h"
#include "vault.h"

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
	if (r < 0)
		no_checkpoints(sync, pme_vault_error(r));
	sync->checkpoints = r < 0 ? -1 : r;
}

/* 1: this file was met already, under another name; 0; -errno. */
static int remember(struct pme_sync *sync, int fd)
{
	struct pme_sample sample;
	char *name;
	int r = pme_sample_take(fd, &sample);

	if (r < 0)
		return 0; /* it was never kept, either */
	name = pme_saved_object_name(sample.inode, sample.generation);
	return name ? pme_seen_add(&sync->seen, name) : -ENOMEM;
}

/* With the batch go its descriptors. */
static int open_file(struct pme_sync *sync, const struct pme_walk_file *file, int *ret)
{
	int r = 0;

	*ret = pme_walk_open(sync->place->fd, file);
	if (*ret == -EMFILE || *ret == -ENFILE) {
		r = pme_batch_flush(sync);
		if (r == 0)
			*ret = pme_walk_open(sync->place->fd, file);
	}
	return r;
}

static int cannot_open(struct pme_sync *sync, const char *path, int error)
{
	if (error == -ENOENT) {
		sync->vanished++; /* gone since it was seen, or only its name */
		return 0;
	}
	if (error == -EXDEV) {
		sync->walk->mounts++;
		pme_log_add(sync->log, PME_WARNING, path, PME_WALK_MOUNT);
		return 0;
	}
	sync->run->files++;
	sync->run->not_kept++;
	sync->unsure = true;
	pme_sync_say(sync, path, "not kept: cannot open: %s", strerror(-error));
	return 0;
}

/* 0, -errno of what stops all. */
static int sync_one(struct pme_sync *sync, const struct pme_walk_file *file)
{
	_cleanup_free_ char *path = pme_walk_path(sync->protection->path, file->path);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = path ? open_file(sync, file, &fd) : -ENOMEM;

	if (r < 0)
		return r;
	r = fd < 0 ? fd : pme_os_fstat(fd, &st);
	if (r < 0)
		return cannot_open(sync, path, r);
	/* Another thing has its name now; who had it may be where nobody looks any more. */
	if (st.st_ino != file->inode)
		sync->vanished++;
	if (!S_ISREG(st.st_mode) || st.st_dev != sync->place->devno) {
		sync->run->special++;
		return 0;
	}
	r = remember(sync, fd);
	if (r != 0)
		return r < 0 ? r : 0;
	sync->run->files++;
	if (!pme_topo_is_swap_file(sync->topo, st.st_dev, st.st_ino))
		return pme_sync_file(sync, fd, path);
	sync->run->not_kept++;
	pme_sync_say(sync, path, "not kept: it is an active swap file");
	return 0;
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

/* What was not looked at any more is not kept, either. */
static void count_rest(struct pme_sync *sync, size_t rest)
{
	sync->run->files += rest;
	sync->run->not_kept += rest;
}

static int sync_files(struct pme_sync *sync)
{
	_cleanup_(pme_left_out_done) struct pme_left_out left_out = {0};
	const struct pme_place_of *place = sync->place;
	struct pme_walk *walk = sync->walk;
	int r = sweep(sync), e;

	if (r < 0)
		pme_log_add(sync->log, PME_WARNING, sync->protection->path,
			    "checkpoints that are left over cannot be taken away: %s",
			    strerror(-r));
	r = pme_left_out_find(sync->os, place->devno, place->vault, &left_out);
	if (r == 0)
		r = pme_walk(place->fd, sync->protection->path, &left_out, sync->log, walk);
	pme_progress_about(sync->log->progress, sync->protection->path);
	pme_progress_phase(sync->log->progress, PME_PHASE_SYNC, PME_UNIT_FILES, walk->count);
	for (size_t i = 0; r == 0 && i < walk->count; i++) {
		pme_progress_at(sync->log->progress, i);
		r = sync_one(sync, &walk->files[i]);
		if (r < 0)
			count_rest(sync, walk->count - i - 1);
	}
	/* What stopped the others does not take from these. */
	e = pme_batch_flush(sync);
	r = r < 0 ? r : e;
	return r < 0 ? r : pme_gone_drop(sync);
}

static int begin(struct pme_sync *sync, const struct pme_os *os, struct pme_protection_state *state)
{
	const char *id = sync->protection->id;
	int r = pme_protection_state_load(os, id, state);

	if (r == 0 && state->generation >= INT64_MAX - 1)
		r = -EINVAL;
	if (r == -EINVAL) {
		*state = (struct pme_protection_state){0};
		pme_log_add(sync->log, PME_WARNING, sync->protection->path,
			    "what is known of earlier syncs makes no sense: it begins anew");
		r = 0;
	}
	if (r < 0)
		return r;
	sync->generation = ++state->generation;
	return pme_protection_state_store(os, id, state);
}

static void take_counts(struct pme_sync_run *run, const struct pme_walk *walk)
{
	run->links = walk->links;
	run->symlinks = walk->symlinks;
	run->special += walk->special;
	run->mounts = walk->mounts;
}

static int finish(struct pme_sync *sync, const struct pme_os *os, int result,
		  struct pme_protection_state *state)
{
	const struct pme_walk *walk = sync->walk;
	struct pme_sync_run *run = sync->run;

	take_counts(run, walk);
	state->generation = sync->generation;
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
	sync->place = place;
	sync->walk = &walk;
	r = sync_files(sync);
	if (r < 0)
		pme_log_add(sync->log, PME_ERROR, sync->protection->path, "the sync stopped: %s",
			    strerror(-r));
	e = finish(sync, os, r, &state);
	if (e < 0)
		pme_log_add(sync->log, PME_ERROR, sync->protection->path,
			    "how the sync went cannot be recorded: %s", strerror(-e));
	if (r == 0 && sync->too_large > 0) {
		pme_log_add(sync->log, PME_ERROR, sync->protection->path,
			    "there was no room for %llu files: they are not kept",
			    (unsigned long long)sync->too_large);
		r = -ENOSPC;
	}
	return r < 0 ? r : e;
}

int pme_protect_sync(const struct pme_topo *topo, const struct pme_protection *protection,
		     struct pme_log *log, struct pme_sync_run *ret)
{
	_cleanup_(pme_place_close) struct pme_place_of place = PME_PLACE_NONE;
	_cleanup_close_ int lock = pme_protect_lock(topo->os, protection, log);
	struct pme_sync sync = {
		.os = topo->os,
		.topo = topo,
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
	pme_os_free_names(sync.seen.names, sync.seen.count);
	pme_close_fd(&sync.replica);
	pme_close_fd(&sync.checkpoints);
	return r;
}
