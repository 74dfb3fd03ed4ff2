/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl protect remove.
 */
#include <fcntl.h>
#include <string.h>

#include "protect.h"
#include "saved-place.h"
#include "vault.h"

#define LOCK_SECONDS 1

/* All files of a directory, and its directories of one level; then itself. */
static int empty_dir(int parent, const char *name, bool deeper)
{
	_cleanup_close_ int dir = pme_saved_dir(parent, name, false);
	const struct pme_os here = {.root = dir};
	char **names = NULL;
	size_t count = 0;
	int r = dir < 0 ? dir : pme_os_list(&here, ".", &names, &count);

	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (unlinkat(dir, names[i], 0) == 0 || errno == ENOENT)
			continue;
		r = deeper && errno == EISDIR ? empty_dir(dir, names[i], false) : -errno;
	}
	pme_os_free_names(names, count);
	if (r == 0 && (unlinkat(parent, name, AT_REMOVEDIR) < 0 || fsync(parent) < 0))
		r = -errno;
	return r;
}

/* What there is to take away; -1: it cannot be reached. */
struct rest {
	const struct pme_protection *protection;
	struct pme_log *log;
	bool has_fs;	 /* its filesystem is mounted */
	int checkpoints; /* the directory of all of that filesystem; -1: it has none */
	int replicas;	 /* the directory that has the replica */
	bool has_replica;
};

static void rest_done(struct rest *rest)
{
	pme_close_fd(&rest->checkpoints);
	pme_close_fd(&rest->replicas);
}

/* 1: @dev carries the filesystem, its root can be entered, and *@ret is open; 0, -errno. */
static int enter(const struct pme_topo *topo, const struct pme_dev *dev, const char *uuid,
		 struct pme_fs_entry *ret)
{
	_cleanup_(pme_fs_done) struct pme_fs fs = {0};
	int r = dev->devno ? pme_fs_of(topo, dev, &fs) : 0;

	if (r <= 0)
		return r;
	if (fs.role != PME_FS_DATA || !fs.uuid || strcmp(fs.uuid, uuid) != 0 || fs.n_mounts == 0 ||
	    pme_fs_enter(topo->os, &fs, 0, ret) < 0)
		return 0;
	if (ret->is_root)
		return 1;
	pme_close_fd(&ret->fd);
	return 0;
}

/* By its UUID: the path may be gone.  Of two the one that has them: a copy may be mounted, too. */
static int find_checkpoints(const struct pme_topo *topo, struct rest *rest)
{
	const struct pme_protection *p = rest->protection;

	for (size_t i = 0; rest->checkpoints < 0 && i < topo->n_devs; i++) {
		struct pme_fs_entry entry = {.fd = -1};
		int r = enter(topo, topo->devs[i], p->fs_uuid, &entry);
		_cleanup_close_ int root = entry.fd;
		_cleanup_close_ int vault =
			r > 0 ? pme_vault_open(root, PME_VAULT_CHECKPOINTS, false) : -ENOENT;
		struct stat st;

		if (r < 0)
			return r;
		rest->has_fs = rest->has_fs || r > 0;
		if (vault < 0 && vault != -ENOENT) {
			pme_log_add(rest->log, PME_WARNING, p->path,
				    "checkpoints may be left: .pmemctl/checkpoints of its "
				    "filesystem is not what pmemctl made: %s",
				    strerror(-vault));
			continue;
		}
		if (vault >= 0 && pme_os_stat_at(vault, p->id, false, &st) == 0)
			rest->checkpoints = pme_take_fd(&vault);
	}
	return 0;
}

static void find_replica(const struct pme_os *os, struct rest *rest)
{
	const struct pme_protection *p = rest->protection;
	_cleanup_close_ int replica = pme_saved_replica(os, p, false);

	rest->has_replica = replica >= 0;
	rest->replicas = pme_os_open(os, p->replica[1] ? p->replica + 1 : ".",
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

/* Nothing is forgotten that could be taken away another time. */
static int refuse(const struct rest *rest, bool purge, bool force)
{
	const struct pme_protection *p = rest->protection;

	if (!rest->has_fs && !purge && !force) {
		pme_log_add(rest->log, PME_ERROR, p->path,
			    "not removed: the root of its filesystem (UUID %s) is not mounted, and "
			    "may have checkpoints: mount it, or, if it is lost, use --force, "
			    "which leaves the copies (--purge takes them away)",
			    p->fs_uuid);
		return -ENODEV;
	}
	if (purge && rest->has_fs && !rest->has_replica) {
		pme_log_add(rest->log, PME_ERROR, p->path,
			    "not removed: its copies are not in %s: is that mounted?  Without "
			    "--purge it is removed, and copies stay where they are",
			    p->replica);
		return -ENOENT;
	}
	return 0;
}

static int take_away(const struct rest *rest, int dir, const char *what)
{
	int r = empty_dir(dir, rest->protection->id, true);

	if (r < 0)
		pme_log_add(rest->log, PME_ERROR, rest->protection->path,
			    "its %s cannot be taken away: %s", what, strerror(-r));
	return r;
}

/* All of it; without its file there is nobody who would know of the rest. */
static int remove_rest(const struct rest *rest, bool purge, bool force)
{
	const struct pme_protection *p = rest->protection;
	int r = refuse(rest, purge, force);

	if (r == 0 && rest->checkpoints >= 0)
		r = take_away(rest, rest->checkpoints, "checkpoints");
	if (r == 0 && purge && rest->has_replica)
		r = take_away(rest, rest->replicas, "copies");
	if (r < 0)
		return r;
	if (!rest->has_fs)
		pme_log_add(rest->log, PME_WARNING, p->path,
			    "checkpoints may be left in .pmemctl/checkpoints/%s of its filesystem "
			    "(UUID %s), which is not mounted",
			    p->id, p->fs_uuid);
	if (purge && !rest->has_replica)
		pme_log_add(rest->log, PME_ERROR, p->path,
			    "copies may be left in %s/%s of a filesystem that is not mounted",
			    p->replica, p->id);
	return 0;
}

int pme_protect_remove(const struct pme_topo *topo, const struct pme_protection *p, bool purge,
		       bool force, struct pme_log *log)
{
	_cleanup_close_ int lock = pme_protect_lock(topo->os, p, log);
	_cleanup_(rest_done) struct rest rest = {
		.protection = p, .log = log, .checkpoints = -1, .replicas = -1};
	int r = lock < 0 ? lock : find_checkpoints(topo, &rest);

	if (r < 0)
		return r;
	find_replica(topo->os, &rest);
	r = remove_rest(&rest, purge, force);
	if (r < 0)
		return r;
	r = pme_protection_forget(topo->os, p->id);
	if (r < 0)
		pme_log_add(log, PME_ERROR, p->path, "cannot be forgotten: %s", strerror(-r));
	return r;
}

int pme_protect_remove_damaged(const struct pme_os *os, const char *id, struct pme_log *log)
{
	_cleanup_(pme_protection_done) struct pme_protection p = {0};
	_cleanup_close_ int lock = -1;
	int r = pme_protection_is_id(id) ? pme_protection_load(os, id, &p) : 0;

	if (r != -EINVAL)
		return 0; /* what else is wrong with it is said where all are loaded */
	lock = pme_protection_lock(os, id, LOCK_SECONDS);
	r = lock < 0 ? lock : pme_protection_forget(os, id);
	if (r < 0) {
		pme_log_add(log, PME_ERROR, id, "cannot be forgotten: %s", strerror(-r));
		return r;
	}
	pme_log_add(log, PME_WARNING, id,
		    "forgotten: what was recorded of it made no sense; copies may be left in its "
		    "replica, and checkpoints in .pmemctl/checkpoints of its filesystem, in "
		    "directories of this name");
	return 1;
}
