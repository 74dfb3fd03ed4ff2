/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vault; see vault.h.
 */
#include "vault.h"

#include <fcntl.h>
#include <string.h>

#define MODE 0700

static const char *const parts[PME_VAULT_PARTS] = {
	[PME_VAULT_CHECKPOINTS] = "checkpoints",
	[PME_VAULT_STAGING] = "staging",
	[PME_VAULT_QUARANTINE] = "quarantine",
};

const char *pme_vault_part_name(enum pme_vault_part part)
{
	return parts[part];
}

/* The directory @name of @dir, if only root can have made it.  A descriptor or -errno. */
static int open_private(int dir, const char *name)
{
	_cleanup_close_ int fd =
		pme_os_open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
	struct stat parent, st;
	int r;

	if (fd == -ELOOP || fd == -ENOTDIR)
		return -EPERM;
	if (fd < 0)
		return fd;
	r = pme_os_fstat(dir, &parent);
	if (r == 0)
		r = pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	if (st.st_uid != 0 || (st.st_mode & 07777) != MODE || st.st_dev != parent.st_dev)
		return -EPERM;
	return pme_take_fd(&fd);
}

static int open_or_make(int dir, const char *name, bool make)
{
	int fd = open_private(dir, name);
	int r;

	if (fd != -ENOENT || !make)
		return fd;
	r = pme_os_make_dir(dir, name, MODE);
	if (r < 0 && r != -EEXIST)
		return r;
	return open_private(dir, name);
}

int pme_vault_open(int root, enum pme_vault_part part, bool make)
{
	_cleanup_close_ int vault = open_or_make(root, PME_VAULT, make);

	return vault < 0 ? vault : open_or_make(vault, parts[part], make);
}

const char *pme_vault_error(int error)
{
	if (error == -EPERM)
		return PME_VAULT " in the root of the filesystem, and what is in it, must be "
				 "directories of root, mode 0700: see who changed them, then chown "
				 "root and chmod 700";
	return strerror(-error);
}

/* What stands behind "TARGET/.pmemctl/" in @path, or NULL. */
static const char *name_in_vault(const char *path, const char *target)
{
	size_t len = strcmp(target, "/") == 0 ? 0 : strlen(target);

	if (strncmp(path, target, len) != 0 || path[len] != '/')
		return NULL;
	path += len + 1;
	len = strlen(PME_VAULT "/");
	return strncmp(path, PME_VAULT "/", len) == 0 ? path + len : NULL;
}

/* What stands behind "PART/" in @name, or NULL. */
static const char *name_in_part(const char *name, enum pme_vault_part part)
{
	size_t len = strlen(parts[part]);

	return strncmp(name, parts[part], len) == 0 && name[len] == '/' ? name + len + 1 : NULL;
}

int pme_vault_part_of(const char *path, const char *target)
{
	const char *name = name_in_vault(path, target);

	for (int i = 0; name && i < PME_VAULT_PARTS; i++)
		if (name_in_part(name, i))
			return i;
	return -1;
}

int pme_vault_has(int root, enum pme_vault_part part, const char *path, const char *target,
		  uint64_t inode)
{
	_cleanup_close_ int dir = pme_vault_open(root, part, false);
	const char *name = name_in_vault(path, target);
	struct stat here, st;
	int r;

	name = name ? name_in_part(name, part) : NULL;
	if (!name || !*name || dir == -ENOENT)
		return 0;
	r = dir < 0 ? dir : pme_os_fstat(dir, &here);
	if (r == 0)
		r = pme_os_stat_at(dir, name, false, &st);
	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR || r == -ENAMETOOLONG ? 0 : r;
	return st.st_dev == here.st_dev && st.st_ino == inode;
}
