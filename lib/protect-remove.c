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

static int remove_checkpoints(const struct pme_topo *topo, const struct pme_protection *p,
			      struct pme_log *log)
{
	_cleanup_(pme_place_close) struct pme_place_of place = PME_PLACE_NONE;
	_cleanup_(pme_log_done) struct pme_log quiet = {0};
	_cleanup_close_ int vault = -1;
	int r = pme_place_open(topo, p->path, &quiet, &place);

	if (r == 0 && (strcmp(place.fs.uuid, p->fs_uuid) != 0 || place.entry.fd < 0))
		r = -EXDEV;
	if (r < 0) {
		pme_log_add(log, PME_WARNING, p->path,
			    "its filesystem is not mounted there: checkpoints may be left in "
			    ".pmemctl/checkpoints/%s of it",
			    p->id);
		return 0;
	}
	vault = pme_vault_open(place.entry.fd, PME_VAULT_CHECKPOINTS, false);
	r = vault < 0 ? vault : empty_dir(vault, p->id, true);
	if (r < 0 && r != -ENOENT)
		pme_log_add(log, PME_ERROR, p->path, "its checkpoints cannot be taken away: %s",
			    strerror(-r));
	return r == -ENOENT ? 0 : r;
}

static int remove_replica(const struct pme_os *os, const struct pme_protection *p,
			  struct pme_log *log)
{
	const char *path = p->replica[1] ? p->replica + 1 : ".";
	_cleanup_close_ int dir = pme_os_open(os, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	int r = dir < 0 ? dir : empty_dir(dir, p->id, true);

	if (r < 0 && r != -ENOENT)
		pme_log_add(log, PME_ERROR, p->replica, "the replica cannot be taken away: %s",
			    strerror(-r));
	return r == -ENOENT ? 0 : r;
}

int pme_protect_remove(const struct pme_topo *topo, const struct pme_protection *p, bool purge,
		       struct pme_log *log)
{
	_cleanup_close_ int lock = pme_protection_lock(topo->os, p->id, LOCK_SECONDS);
	int r;

	if (lock < 0) {
		pme_log_add(log, PME_ERROR, p->path, "%s",
			    lock == -ETIMEDOUT ? "a sync or verify of it is running"
					       : strerror(-lock));
		return lock;
	}
	/* Without its file there is nobody who would know of the rest. */
	r = remove_checkpoints(topo, p, log);
	if (r == 0 && purge)
		r = remove_replica(topo->os, p, log);
	if (r < 0)
		return r;
	r = pme_protection_forget(topo->os, p->id);
	if (r < 0)
		pme_log_add(log, PME_ERROR, p->path, "cannot be forgotten: %s", strerror(-r));
	return r;
}
