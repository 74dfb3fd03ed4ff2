/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of what is under protection could be got back, exactly, if it were lost now.
 */
#include <string.h>

#include "checkpoint.h"
#include "manifest.h"
#include "protect-walk.h"
#include "protect.h"
#include "replica.h"
#include "saved-place.h"
#include "vault.h"

#define SAID_MAX 20 /* of one kind of trouble; the rest is counted */

struct sharing {
	const struct pme_topo *topo;
	const struct pme_protection *protection;
	struct pme_log *log;
	int replica, checkpoints;
	const char *no_checkpoints; /* why @checkpoints is -1 */
	size_t lost;		    /* files whose version has lost its checkpoint */
	size_t stale;		    /* files whose version is of another boot */
	size_t said;
	struct pme_share *ret;
};

/* What is left of an answer without this file. */
static void say(struct sharing *s, const char *path, const char *what, const char *why)
{
	_cleanup_free_ char *full = pme_walk_path(s->protection->path, path);

	if (s->said++ < SAID_MAX)
		pme_log_incomplete(s->log, full ? full : s->protection->path, "%s: %s", what, why);
}

static bool is_of(const struct sharing *s, const struct pme_sample *sample,
		  const struct pme_manifest *m)
{
	return m->inode == sample->inode && m->inode_generation == sample->generation &&
	       strcmp(m->fs_uuid, s->protection->fs_uuid) == 0;
}

/* The newest version of a file that is good for anything: 1, 0 there is none, -errno. */
static int load_newest(struct sharing *s, const char *path, const struct pme_sample *sample,
		       struct pme_saved *ret, bool *ret_damaged)
{
	_cleanup_free_ char *name = pme_saved_object_name(sample->inode, sample->generation);
	_cleanup_close_ int object = name ? pme_saved_dir(s->replica, name, false) : -ENOMEM;
	_cleanup_free_ uint64_t *versions = NULL;
	size_t count = 0;
	int r;

	if (object < 0)
		return object == -ENOENT ? 0 : object;
	r = pme_saved_is_damaged(object);
	if (r < 0)
		return r;
	*ret_damaged = r > 0;
	r = pme_saved_versions(object, &versions, &count);
	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *why;

		r = pme_saved_load(object, versions[i], s->checkpoints, ret, &why);
		if (r == 0 && is_of(s, sample, ret->manifest)) {
			ret->sample.devno = sample->devno;
			return 1;
		}
		if (pme_saved_is_shortage(r))
			return r;
		if (r < 0 && !*ret_damaged)
			say(s, path, "a version that was kept is not used", why);
		pme_saved_free(ret);
		r = 0;
	}
	return r;
}

/* What of the open file the version does not prove: 1; 0: it proves nothing; -errno. */
static int find_changed(const struct pme_saved *saved, int fd, uint64_t size,
			struct pme_range_list *changed)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	int r;

	if (!saved->manifest->has_checkpoint)
		return fsync(fd) < 0 ? -errno : pme_saved_unchanged(saved, fd);
	if (saved->checkpoint < 0)
		return 0;
	r = pme_checkpoint_extents(fd, size, &extents);
	if (r == 0)
		r = pme_checkpoint_changes(saved, &extents, size, changed);
	return r < 0 ? r : 1;
}

/* Bytes of the open file that the version proves, and has: 0 or -errno. */
static int count_proven(const struct pme_saved *saved, int fd, uint64_t size, uint64_t *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list changed = {0};
	int r = find_changed(saved, fd, size, &changed), unread;

	*ret = 0;
	if (r <= 0)
		return r;
	r = pme_replica_lacking(saved, &changed, &unread);
	pme_range_list_clip(&changed, size);
	if (r == 0)
		*ret = size - pme_range_list_bytes(&changed);
	return r;
}

static int add_file(struct sharing *s, const char *path, int fd)
{
	_cleanup_(pme_saved_free) struct pme_saved saved = {
		.checkpoint = -1, .copy = -1, .sums = -1};
	struct pme_sample sample;
	uint64_t proven = 0;
	bool damaged = false;
	int r = pme_sample_take(fd, &sample);

	if (r < 0)
		return r;
	s->ret->files++;
	s->ret->bytes += sample.size;
	r = load_newest(s, path, &sample, &saved, &damaged);
	if (r < 0)
		return r;
	s->ret->damaged_files += damaged;
	s->ret->unkept_files += r == 0 && !damaged;
	s->ret->checkpoint_files += saved.checkpoint >= 0;
	if (pme_topo_is_swap_file(s->topo, sample.devno, sample.inode))
		return 0;      /* its times do not tell when it was written */
	if (r == 0 || damaged) /* which of its blocks are, nobody wrote down: none is promised */
		return 0;
	s->lost += saved.manifest->has_checkpoint && saved.checkpoint < 0;
	s->stale += saved.manifest->settled && !saved.manifest->has_checkpoint &&
		    !pme_saved_is_of_boot(&saved);
	r = count_proven(&saved, fd, sample.size, &proven);
	s->ret->repairable_bytes += proven;
	return r;
}

/* 0, -ENOMEM; what else is wrong with it is said. */
static int add_name(struct sharing *s, const struct pme_place_of *place,
		    const struct pme_walk_file *file)
{
	_cleanup_close_ int fd = pme_walk_open(place->fd, file);
	struct stat st;
	int r = fd < 0 ? fd : pme_os_fstat(fd, &st);

	if (r == -ENOENT)
		return 0; /* gone since it was seen */
	if (r == 0 && (!S_ISREG(st.st_mode) || st.st_dev != place->devno))
		return 0; /* another thing has its name now */
	if (r == 0)
		r = add_file(s, file->path, fd);
	if (r < 0 && r != -ENOMEM)
		say(s, file->path, "what of it could be got back is not known", strerror(-r));
	return r == -ENOMEM ? r : 0;
}

static int add_all(struct sharing *s, const struct pme_place_of *place)
{
	_cleanup_(pme_walk_done) struct pme_walk walk = {0};
	_cleanup_(pme_left_out_done) struct pme_left_out left_out = {0};
	struct pme_log *log = s->log;
	const char *path = s->protection->path;
	int r = pme_left_out_find(s->topo->os, place->devno, place->vault, &left_out);

	if (r == 0)
		r = pme_walk(place->fd, path, &left_out, log, &walk);

	pme_progress_about(log->progress, path);
	pme_progress_phase(log->progress, PME_PHASE_COPIES, PME_UNIT_FILES, walk.count);
	for (size_t i = 0; r == 0 && i < walk.count; i++) {
		pme_progress_at(log->progress, i);
		r = add_name(s, place, &walk.files[i]);
	}
	if (s->said > SAID_MAX)
		pme_log_incomplete(log, path, "and so it is %zu more times", s->said - SAID_MAX);
	if (s->lost > 0)
		pme_log_incomplete(log, path,
				   "nothing of %zu files is proven, for want of their checkpoints: "
				   "%s",
				   s->lost, s->no_checkpoints);
	if (s->stale > 0)
		pme_log_add(log, PME_WARNING, path,
			    "%zu files without checkpoint were copied before the machine was "
			    "started: nothing of them is proven until the next sync",
			    s->stale);
	return r;
}

/* Without them versions prove nothing; whether there should be any is for their manifests to say.
 */
static void open_checkpoints(struct sharing *s, const struct pme_place_of *place)
{
	int r;

	s->checkpoints = -1;
	s->no_checkpoints = "they are gone, or not what they were: the next sync makes new ones";
	if (place->entry.fd < 0 || !place->entry.is_root) {
		s->no_checkpoints = "the root of its filesystem is not mounted";
		return;
	}
	r = pme_checkpoints_open(place->entry.fd, s->protection->id, false);
	if (r < 0 && r != -ENOENT)
		s->no_checkpoints = pme_vault_error(r);
	s->checkpoints = r < 0 ? -1 : r;
}

int pme_protect_share(const struct pme_topo *topo, const struct pme_protection *protection,
		      struct pme_log *log, struct pme_share *ret)
{
	_cleanup_(pme_place_close) struct pme_place_of place = PME_PLACE_NONE;
	_cleanup_close_ int replica = -1;
	struct sharing s = {.topo = topo, .protection = protection, .log = log, .ret = ret};
	int r = pme_place_open(topo, protection->path, log, &place);

	*ret = (struct pme_share){0};
	if (r < 0)
		return r;
	if (strcmp(place.fs.uuid, protection->fs_uuid) != 0) {
		pme_log_add(log, PME_ERROR, protection->path,
			    "not the filesystem that was put under protection: is it mounted?");
		return -EXDEV;
	}
	replica = pme_saved_replica(topo->os, protection, false);
	if (replica < 0) {
		pme_log_add(log, PME_ERROR, protection->replica, "the replica cannot be read: %s",
			    strerror(-replica));
		return replica;
	}
	s.replica = replica;
	open_checkpoints(&s, &place);
	r = add_all(&s, &place);
	pme_close_fd(&s.checkpoints);
	return r;
}
