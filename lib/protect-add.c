/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl protect add and remove.
 *
 * The replica must be on another filesystem: a copy by reflink would be the same blocks, and other
 * blocks of one filesystem are lost with it.
 */
#include <fcntl.h>
#include <string.h>

#include "protect.h"
#include "replica.h"
#include "saved-place.h"

#define LOCK_SECONDS 1
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NONBLOCK)

int pme_protect_real_path(const struct pme_os *os, const char *path, char **ret)
{
	_cleanup_close_ int fd = pme_os_open_at(AT_FDCWD, path, O_PATH);
	_cleanup_free_ char *proc = fd < 0 ? NULL : pme_printf("proc/self/fd/%d", fd);

	if (fd < 0)
		return fd;
	return proc ? pme_os_readlink(os, proc, ret) : -ENOMEM;
}

/* Is @path @top, or below it? */
static bool is_inside(const char *path, const char *top)
{
	size_t len = strcmp(top, "/") == 0 ? 0 : strlen(top);

	return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Directories of pmemctl, when missing. */
static int make_dirs(const struct pme_os *os, const char *path)
{
	_cleanup_close_ int root = pme_os_open(os, ".", O_RDONLY | O_DIRECTORY);
	_cleanup_free_ char *all = strdup(path);

	if (root < 0 || !all)
		return root < 0 ? root : -ENOMEM;
	for (char *slash = strchr(all, '/');; slash = strchr(slash + 1, '/')) {
		int r;

		if (slash)
			*slash = '\0';
		r = pme_os_make_dir(root, all, 0700);
		if (r < 0 && r != -EEXIST)
			return r;
		if (!slash)
			return 0;
		*slash = '/';
	}
}

static int refuse_replica(struct pme_log *log, const char *replica, const char *why)
{
	pme_log_add(log, PME_ERROR, replica, "cannot be the replica: %s", why);
	return -EOPNOTSUPP;
}

/* Every directory on the way is nobody else's to change. */
static int check_owners(const struct pme_os *os, const char *replica, struct pme_log *log)
{
	_cleanup_free_ char *path = strdup(replica);

	if (!path)
		return -ENOMEM;
	for (;;) {
		struct stat st;
		int r = pme_os_stat(os, path[0] && path[1] ? path + 1 : ".", false, &st);
		char *slash = strrchr(path, '/');
		bool sticky = (st.st_mode & S_ISVTX) && strcmp(path, replica) != 0;

		if (r < 0)
			return refuse_replica(log, replica, strerror(-r));
		if (st.st_uid != 0 || ((st.st_mode & 0022) && !sticky)) {
			pme_log_add(log, PME_ERROR, replica,
				    "cannot be the replica: others than root can change %s",
				    *path ? path : "/");
			return -EOPNOTSUPP;
		}
		if (!slash || !*path)
			return 0;
		*slash = '\0';
	}
}

static int check_replica(const struct pme_os *os, const struct pme_place_of *place,
			 const struct pme_protection *p, struct pme_log *log)
{
	_cleanup_close_ int fd = pme_os_open(os, p->replica[1] ? p->replica + 1 : ".", DIR_FLAGS);
	struct stat st;
	int r = fd < 0 ? fd : pme_os_fstat(fd, &st);

	if (r < 0)
		return refuse_replica(log, p->replica, strerror(-r));
	if (is_inside(p->replica, p->path))
		return refuse_replica(log, p->replica, "it is inside of what it is to protect");
	if (st.st_dev == place->devno)
		return refuse_replica(log, p->replica,
				      "it is on the same filesystem: name one elsewhere with "
				      "--replica");
	return check_owners(os, p->replica, log);
}

static void warn_apart(const struct pme_topo *topo, const struct pme_protection *p, dev_t devno,
		       struct pme_log *log)
{
	const char *detour = pme_place_detour(topo, p->replica, devno);
	_cleanup_free_ char *name = NULL;

	if (detour)
		pme_log_add(log, PME_WARNING, p->replica,
			    "%s: what is lost there is lost with its copy", detour);
	if (pme_place_is_memory(topo, p->replica)) {
		pme_log_add(log, PME_WARNING, p->replica,
			    "it is in memory: the copies are gone when the machine stops");
		return;
	}
	switch (pme_protect_apart(topo, p, &name)) {
	case PME_APART_YES:
		return;
	case PME_APART_UNKNOWN:
		pme_log_add(log, PME_WARNING, p->replica,
			    "not known whether what fails with the files fails with it, too");
		return;
	case PME_APART_DIMM:
	case PME_APART_REGION:
	case PME_APART_DEVICE:
		pme_log_add(log, PME_WARNING, p->replica,
			    "no second failure domain: it is on %s, as the files are",
			    name ? name : "the same device");
	}
}

enum pme_apart pme_protect_apart(const struct pme_topo *topo, const struct pme_protection *p,
				 char **ret_name)
{
	const char *path = p->path[1] ? p->path + 1 : ".";
	const char *replica = p->replica[1] ? p->replica + 1 : ".";
	struct stat a, b;

	*ret_name = NULL;
	if (pme_os_stat(topo->os, path, false, &a) < 0 ||
	    pme_os_stat(topo->os, replica, false, &b) < 0)
		return PME_APART_UNKNOWN;
	return pme_place_apart(topo, pme_topo_dev_by_devno(topo, a.st_dev),
			       pme_topo_dev_by_devno(topo, b.st_dev), ret_name);
}

/* Paths as they are; the directory of the replica, when it is ours and missing. */
static int resolve(const struct pme_os *os, const char *path, const char *replica,
		   struct pme_log *log, struct pme_protection *p)
{
	int r = pme_protect_real_path(os, path, &p->path);

	if (r < 0) {
		pme_log_add(log, PME_ERROR, path, "cannot open: %s", strerror(-r));
		return r;
	}
	if (!replica) {
		r = make_dirs(os, PME_PROTECT_REPLICA + 1);
		replica = PME_PROTECT_REPLICA;
	}
	if (r == 0 && replica[0] != '/')
		return refuse_replica(log, replica, "not an absolute path");
	if (r == 0)
		r = pme_protect_real_path(os, replica, &p->replica);
	return r < 0 ? refuse_replica(log, replica, strerror(-r)) : 0;
}

static int store(const struct pme_os *os, const struct pme_protection *p, struct pme_log *log)
{
	_cleanup_close_ int replica = pme_saved_replica(os, p, true);
	int r = replica < 0 ? replica : 0;

	if (r == 0 && syncfs(replica) < 0)
		r = -errno;
	if (replica == -EPERM)
		return refuse_replica(log, p->replica, "others than root can write there");
	if (r == 0)
		r = pme_protection_store(os, p);
	if (r < 0)
		pme_log_add(log, PME_ERROR, p->path, "cannot be put under protection: %s",
			    strerror(-r));
	return r;
}

static int is_new(const struct pme_os *os, const struct pme_protection *p, struct pme_log *log)
{
	_cleanup_free_ char *file = pme_printf(PME_PROTECT_DIR "/%s.json", p->id);
	int r = file ? pme_os_exists(os, file) : -ENOMEM;

	if (r < 0 && r != -ENOMEM)
		pme_protections_error(log, PME_ERROR, r);
	if (r <= 0)
		return r;
	pme_log_add(log, PME_ERROR, p->path, "it is under protection already (%s): remove it first",
		    p->id);
	return -EEXIST;
}

/* Of two at the same time the second finds that of the first. */
static int store_once(const struct pme_os *os, const struct pme_protection *p, struct pme_log *log)
{
	int r = make_dirs(os, PME_PROTECT_DIR);
	_cleanup_close_ int lock = r < 0 ? r : pme_protection_lock(os, p->id, LOCK_SECONDS);

	if (lock < 0) {
		pme_log_add(log, PME_ERROR, p->path, "cannot be put under protection: %s",
			    lock == -ETIMEDOUT ? "another run of pmemctl protect works on it"
					       : strerror(-lock));
		return lock;
	}
	r = is_new(os, p, log);
	if (r < 0)
		return r;
	r = store(os, p, log);
	if (r < 0)
		pme_protection_forget(os, p->id);
	return r;
}

/* Is @path the vault of its filesystem, or in it?  1, 0, -errno. */
static int is_in_vault(const struct pme_os *os, const struct pme_place_of *place, const char *path)
{
	_cleanup_free_ char *at = strdup(path);

	if (!at)
		return -ENOMEM;
	for (;;) {
		char *slash = strrchr(at, '/');
		struct stat st;
		int r = pme_os_stat(os, at[0] && at[1] ? at + 1 : ".", false, &st);

		if (r < 0)
			return r;
		if (st.st_dev == place->devno && st.st_ino == place->vault)
			return 1;
		if (!slash || !*at)
			return 0;
		*slash = '\0';
	}
}

static int check_path(const struct pme_os *os, const struct pme_place_of *place, const char *path,
		      struct pme_log *log)
{
	int r = is_in_vault(os, place, path);

	if (r == 0)
		return 0;
	pme_log_add(log, PME_ERROR, path, "cannot be put under protection: %s",
		    r < 0 ? strerror(-r) : "it is what pmemctl made there");
	return r < 0 ? r : -EOPNOTSUPP;
}

int pme_protect_add(const struct pme_topo *topo, const char *path, const char *replica,
		    uint64_t keep, uint64_t every, struct pme_log *log, struct pme_protection *ret)
{
	_cleanup_(pme_protection_done) struct pme_protection p = {.keep = keep, .every = every};
	_cleanup_(pme_place_close) struct pme_place_of place = PME_PLACE_NONE;
	int r = resolve(topo->os, path, replica, log, &p);

	if (r < 0)
		return r;
	p.id = pme_protection_id(p.path);
	if (!p.id)
		return -ENOMEM;
	r = is_new(topo->os, &p, log);
	if (r == 0)
		r = pme_place_open(topo, p.path, log, &place);
	if (r == 0)
		r = check_path(topo->os, &place, p.path, log);
	if (r == 0)
		r = check_replica(topo->os, &place, &p, log);
	if (r < 0)
		return r;
	p.fs_uuid = strdup(place.fs.uuid);
	r = p.fs_uuid ? store_once(topo->os, &p, log) : -ENOMEM;
	if (r < 0)
		return r;
	warn_apart(topo, &p, place.devno, log);
	*ret = p;
	p = (struct pme_protection){0};
	return 0;
}
