/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock of a protection.
 *
 * Who has waited for it has waited for a remove, perhaps: only under the lock is it known that the
 * protection is there, and what it is.
 */
#include <string.h>

#include "protect.h"

#define LOCK_SECONDS 1
#define AGAIN_SECONDS 3600 /* then it is tried once more */

static bool is_same(const struct pme_protection *a, const struct pme_protection *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->fs_uuid, b->fs_uuid) == 0 &&
	       strcmp(a->replica, b->replica) == 0 && a->keep == b->keep && a->every == b->every;
}

/* 0; -ENOENT: it is gone; -ESTALE: it is another; -errno. */
static int check(const struct pme_os *os, const struct pme_protection *p)
{
	_cleanup_(pme_protection_done) struct pme_protection now = {0};
	int r = pme_protection_load(os, p->id, &now);

	if (r < 0)
		return r;
	return is_same(p, &now) ? 0 : -ESTALE;
}

static const char *reason(int error)
{
	switch (error) {
	case -ETIMEDOUT:
		return "another sync, verify or remove of it is running";
	case -ENOENT:
		return "it is not under protection any more";
	case -ESTALE:
		return "it was removed and added anew just now: try it again";
	}
	return strerror(-error);
}

/* Takes @lock, which may be an error. */
static int believe(const struct pme_os *os, const struct pme_protection *p, int taken,
		   struct pme_log *log)
{
	_cleanup_close_ int lock = taken;
	int r = lock < 0 ? lock : check(os, p);

	if (r == 0)
		return pme_take_fd(&lock);
	if (r == -ENOENT && lock >= 0) /* the file is of this call */
		pme_protection_forget(os, p->id);
	pme_log_add(log, PME_ERROR, p->path, "%s", reason(r));
	return r;
}

int pme_protect_lock(const struct pme_os *os, const struct pme_protection *p, struct pme_log *log)
{
	return believe(os, p, pme_protection_lock(os, p->id, LOCK_SECONDS), log);
}

int pme_protect_lock_again(const struct pme_os *os, const struct pme_protection *p,
			   struct pme_log *log)
{
	int lock;

	do
		lock = pme_protection_lock(os, p->id, AGAIN_SECONDS);
	while (lock == -ETIMEDOUT);
	return believe(os, p, lock, log);
}
