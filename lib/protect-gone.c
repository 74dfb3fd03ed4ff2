/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of files that are gone; see protect-gone.h.
 */
#include "protect-gone.h"

#include <fcntl.h>
#include <string.h>

#include "donor-reach.h"
#include "replica.h"
#include "saved-place.h"

struct dropping {
	struct pme_sync *sync;
	bool may_drop; /* or only count */
	bool hidden;   /* files may be there that nobody could meet */
	uint64_t unseen;
	bool reached;
	int reach_error;
	struct pme_reach reach;
	uint64_t foreign;
	char *foreign_uuid, *foreign_name; /* of the first of them */
	int error;
	char *error_name; /* of the first one that has one */
};

static int note(char **name, const char *text)
{
	if (!*name)
		*name = strdup(text);
	return *name ? 0 : -ENOMEM;
}

/* Are all versions of this filesystem?  1; 0: one is not; -errno: could not tell. */
static int is_ours(struct dropping *d, const char *name, int object, const uint64_t *versions,
		   size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_(pme_manifest_done) struct pme_manifest m = {0};
		int r = pme_replica_manifest(object, versions[i], &m);

		if (r == -EINVAL || r == -EBADMSG) /* there is nothing to be had of it */
			continue;
		if (r < 0)
			return r;
		if (strcmp(m.fs_uuid, d->sync->fs_uuid) == 0)
			continue;
		d->foreign++;
		r = note(&d->foreign_uuid, m.fs_uuid);
		return r < 0 ? r : note(&d->foreign_name, name);
	}
	return 1;
}

static int remove_object(const struct pme_sync *sync, const char *name, int object,
			 const uint64_t *versions, size_t count)
{
	int r = 0;

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

static int open_reach(struct dropping *d)
{
	if (!d->reached) {
		d->reached = true;
		d->reach_error = pme_reach_open(d->sync->os, &d->sync->place->fs, &d->reach);
	}
	return d->reach_error;
}

/* Is it still in the filesystem, under any name?  1, 0; -errno: nobody can tell, nor of others. */
static int is_alive(struct dropping *d, uint64_t inode, uint32_t generation)
{
	const struct pme_place_of *place = d->sync->place;
	const struct pme_file file = {
		.devno = place->devno, .inode = inode, .generation = generation};
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = open_reach(d);

	if (r < 0)
		return r;
	fd = pme_reach_file(&d->reach, &place->fs, &file, O_RDONLY);
	if (fd < 0)
		return fd != -ESTALE && fd != -ENOENT;
	return pme_os_fstat(fd, &st) < 0 || st.st_nlink > 0;
}

/* Has it not been met for so long that it may go?  1; 0: not yet, and that is marked; -errno. */
static int is_long_unseen(struct pme_sync *sync, int object)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *name = NULL;
	uint64_t since;
	int r = pme_saved_unseen(object, &since);

	if (r < 0)
		return r;
	if (r > 0)
		return pme_sync_pass(sync, since) &&
		       since + sync->protection->keep <= sync->generation;
	/* Not synced: when it is lost the copies stay for longer. */
	name = pme_replica_name(sync->generation, PME_SAVED_UNSEEN);
	fd = name ? pme_os_create_at(object, name, 0600) : -ENOMEM;
	return fd < 0 ? fd : 0;
}

/*
 * May go what is kept of a file that was not seen?  What lives may have been moved while the tree
 * was walked, from where it was still to be looked at to where that was done, or out of the tree
 * for a while.  1, 0, -errno.
 */
static int may_go(struct dropping *d, int object, uint64_t inode, uint32_t generation)
{
	int alive = is_alive(d, inode, generation), r;

	if (alive == 0)
		return 1;
	if (d->hidden && alive < 0)
		return alive;
	r = d->hidden ? 0 : is_long_unseen(d->sync, object);
	d->unseen += r == 0;
	return r;
}

static int drop_object(struct dropping *d, const char *name, uint64_t inode, uint32_t generation)
{
	struct pme_sync *sync = d->sync;
	_cleanup_close_ int object = pme_saved_dir(sync->replica, name, false);
	_cleanup_free_ uint64_t *versions = NULL;
	size_t count = 0;
	int r = object < 0 ? object : pme_saved_versions(object, &versions, &count);

	if (r == 0)
		r = is_ours(d, name, object, versions, count);
	if (r <= 0)
		return r;
	if (count > 0)
		pme_sync_pass(sync, versions[0]);
	if (!d->may_drop || (count > 0 && versions[0] + sync->keep > sync->generation))
		return 0;
	r = may_go(d, object, inode, generation);
	return r <= 0 ? r : remove_object(sync, name, object, versions, count);
}

static int drop_unseen(struct dropping *d, const char *name)
{
	uint64_t inode;
	uint32_t generation;

	if (pme_saved_object_parse(name, &inode, &generation) < 0 ||
	    pme_seen_find(&d->sync->seen, name, NULL))
		return 0;
	return drop_object(d, name, inode, generation);
}

static int drop_all(struct dropping *d)
{
	const struct pme_os here = {.root = d->sync->replica};
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(&here, ".", &names, &count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		r = drop_unseen(d, names[i]);
		if (r < 0 && r != -ENOMEM) {
			d->error = d->error_name ? d->error : r;
			r = note(&d->error_name, names[i]);
		}
	}
	pme_os_free_names(names, count);
	return r;
}

static void say(const struct dropping *d, int error)
{
	const struct pme_protection *p = d->sync->protection;
	_cleanup_free_ char *place = pme_printf("%s/%s", p->replica, p->id);

	if (error < 0 || d->error < 0)
		pme_log_add(d->sync->log, PME_WARNING, place ? place : p->replica,
			    "what is kept of files that are gone cannot be taken away: %s%s%s",
			    d->error_name ? d->error_name : "", d->error_name ? ": " : "",
			    strerror(error < 0 ? -error : -d->error));
	if (d->foreign > 0)
		pme_log_add(d->sync->log, PME_WARNING, place ? place : p->replica,
			    "copies of %llu files of another filesystem (UUID %s) lie there, such "
			    "as %s: they are left alone; take out what is needed, and delete them, "
			    "or add the path with another --replica",
			    (unsigned long long)d->foreign, d->foreign_uuid, d->foreign_name);
}

/* @tell: what was found. */
static int drop(struct pme_sync *sync, bool may_drop, bool hidden, bool tell)
{
	struct dropping d = {
		.sync = sync,
		.may_drop = may_drop,
		.hidden = hidden,
		.reach = {.entry = {.fd = -1}, .root = -1},
	};
	int r = drop_all(&d);

	if (tell) {
		say(&d, r);
		sync->run->unseen = d.unseen;
	}
	pme_reach_close(&d.reach);
	free(d.foreign_uuid);
	free(d.foreign_name);
	free(d.error_name);
	return r == -ENOMEM ? r : 0;
}

/* Was everything looked at, so that what was not seen is gone? */
static bool may_drop(const struct pme_sync *sync)
{
	return sync->walk->failed == 0 && !sync->unsure;
}

int pme_gone_drop(struct pme_sync *sync)
{
	bool hidden = sync->walk->vanished + sync->vanished + sync->walk->mounts > 0;

	return drop(sync, may_drop(sync), hidden, true);
}

int pme_gone_drop_now(struct pme_sync *sync)
{
	return may_drop(sync) ? drop(sync, true, true, false) : 0;
}
