/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of the quarantine, and how they get there; see quarantine.h.
 */
#include "quarantine.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

char *pme_quarantine_name(int64_t id, unsigned int n)
{
	return pme_printf("%" PRId64 ".%u", id, n);
}

int pme_quarantine_name_parse(const char *name, size_t len, int64_t *ret_id, unsigned int *ret_n)
{
	const char *dot = memchr(name, '.', len);
	_cleanup_free_ char *again = NULL;
	uint64_t id, n;

	if (!dot || pme_parse_u64(name, (size_t)(dot - name), &id) < 0 ||
	    pme_parse_u64(dot + 1, len - (size_t)(dot + 1 - name), &n) < 0 || id > INT64_MAX ||
	    n > UINT_MAX)
		return -EINVAL;
	again = pme_quarantine_name((int64_t)id, (unsigned int)n);
	if (!again)
		return -ENOMEM;
	/* one number, one name: no leading zeros */
	if (strlen(again) != len || memcmp(again, name, len) != 0)
		return -EINVAL;
	*ret_id = (int64_t)id;
	*ret_n = (unsigned int)n;
	return 0;
}

/* Is @name in @dir the plain file that is meant?  0, -ENOENT, -EPERM, -errno. */
static int check_file(int dir, const char *name, uint64_t inode)
{
	struct stat st;
	int r = pme_os_stat_at(dir, name, false, &st);

	if (r < 0)
		return r;
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_ino != inode || st.st_nlink != 1)
		return -EPERM;
	return 0;
}

/* It is there already: 0 when it is the one, on the disk in both directories. */
static int look_for_parked(int from, int quarantine, const char *name, uint64_t inode)
{
	int r = check_file(quarantine, name, inode);

	if (r == -EPERM)
		return -EEXIST;
	if (r == 0)
		r = pme_os_sync(quarantine);
	if (r == 0)
		r = pme_os_sync(from);
	return r;
}

int pme_quarantine_park(const struct pme_park *park)
{
	_cleanup_close_ int dir = pme_vault_open(park->root, PME_VAULT_QUARANTINE, true);
	_cleanup_free_ char *name = pme_quarantine_name(park->id, park->n);
	int r;

	if (!name)
		return -ENOMEM;
	if (dir < 0)
		return dir;
	r = check_file(park->from, park->name, park->inode);
	if (r == -ENOENT)
		return look_for_parked(park->from, dir, name, park->inode);
	if (r == 0)
		r = pme_os_chmod_at(park->from, park->name, 0600);
	if (r == 0)
		r = pme_os_move(park->from, park->name, dir, name);
	return r;
}
