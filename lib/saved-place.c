/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places and names of versions; see saved-place.h.
 */
#include "saved-place.h"

#include <fcntl.h>
#include <string.h>

#include "manifest.h"
#include "vault.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK)

static int open_private(int parent, const char *name)
{
	_cleanup_close_ int fd = pme_os_open_at(parent, name, DIR_FLAGS);
	struct stat st;
	int r;

	if (fd == -ELOOP || fd == -ENOTDIR)
		return -EPERM;
	r = fd < 0 ? fd : pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	return st.st_uid == 0 && (st.st_mode & 0077) == 0 ? pme_take_fd(&fd) : -EPERM;
}

int pme_saved_dir(int parent, const char *name, bool make)
{
	int fd = open_private(parent, name);

	if (fd != -ENOENT || !make)
		return fd;
	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	return open_private(parent, name);
}

int pme_saved_replica(const struct pme_os *os, const struct pme_protection *protection, bool make)
{
	const char *path = protection->replica + 1;
	_cleanup_close_ int fd = pme_os_open(os, *path ? path : ".", DIR_FLAGS);
	struct stat st;
	int r;

	if (fd == -ELOOP || fd == -ENOTDIR)
		return -EPERM;
	r = fd < 0 ? fd : pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	if (st.st_uid != 0 || (st.st_mode & 0022) != 0)
		return -EPERM;
	return pme_saved_dir(fd, protection->id, make);
}

int pme_saved_is_damaged(int object)
{
	const struct pme_os here = {.root = object};

	return pme_os_exists(&here, PME_SAVED_DAMAGED);
}

int pme_saved_unseen(int object, uint64_t *ret)
{
	const struct pme_os here = {.root = object};
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(&here, ".", &names, &count);
	bool found = false;

	for (size_t i = 0; r == 0 && !found && i < count; i++)
		found = pme_saved_version_parse(names[i], "." PME_SAVED_UNSEEN, ret) == 0;
	pme_os_free_names(names, count);
	return r < 0 ? r : found;
}

char *pme_saved_object_name(uint64_t inode, uint32_t generation)
{
	return pme_printf("%016llx-%08x", (unsigned long long)inode, generation);
}

char *pme_saved_checkpoint_name(const struct pme_manifest *m)
{
	return pme_printf("%016llx-%08x-%016llx-%016llx", (unsigned long long)m->inode,
			  m->inode_generation, (unsigned long long)m->generation,
			  (unsigned long long)m->nonce);
}

/* Exactly @digits of a hexadecimal number; moves *@pos.  0 or -EINVAL. */
static int take_hex(const char **pos, size_t digits, uint64_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 0; i < digits; i++, (*pos)++) {
		const char *digit = **pos ? strchr("0123456789abcdef", **pos) : NULL;

		if (!digit)
			return -EINVAL;
		value = value << 4 |
			(**pos <= '9' ? (uint64_t)(**pos - '0') : (uint64_t)(**pos - 'a' + 10));
	}
	*ret = value;
	return 0;
}

static int take_object(const char **pos, uint64_t *ret_inode, uint32_t *ret_generation)
{
	uint64_t generation;

	if (take_hex(pos, 16, ret_inode) < 0 || *(*pos)++ != '-' ||
	    take_hex(pos, 8, &generation) < 0)
		return -EINVAL;
	*ret_generation = (uint32_t)generation;
	return 0;
}

int pme_saved_object_parse(const char *name, uint64_t *ret_inode, uint32_t *ret_generation)
{
	return take_object(&name, ret_inode, ret_generation) < 0 || *name ? -EINVAL : 0;
}

int pme_saved_checkpoint_parse(const char *name, uint64_t *ret_inode, uint32_t *ret_generation,
			       uint64_t *ret_version)
{
	uint64_t nonce;

	if (take_object(&name, ret_inode, ret_generation) < 0 || *name++ != '-' ||
	    take_hex(&name, 16, ret_version) < 0 || *name++ != '-' ||
	    take_hex(&name, 16, &nonce) < 0 || *name)
		return -EINVAL;
	return 0;
}

int pme_saved_version_parse(const char *name, const char *suffix, uint64_t *ret)
{
	return take_hex(&name, 16, ret) < 0 || strcmp(name, suffix) != 0 ? -EINVAL : 0;
}

int pme_saved_versions(int object, uint64_t **ret, size_t *ret_count)
{
	size_t others;

	return pme_saved_look(object, ret, ret_count, &others);
}

int pme_saved_look(int object, uint64_t **ret, size_t *ret_count, size_t *ret_others)
{
	const struct pme_os here = {.root = object};
	_cleanup_free_ uint64_t *versions = NULL;
	char **names = NULL;
	size_t n_names = 0, count = 0;
	bool unseen = false;
	int r = pme_os_list(&here, ".", &names, &n_names);

	if (r == 0) {
		versions = calloc(n_names ? n_names : 1, sizeof(*versions));
		r = versions ? 0 : -ENOMEM;
	}
	for (size_t i = n_names; r == 0 && i-- > 0;) { /* sorted: the newest is the last */
		uint64_t version;

		if (pme_saved_version_parse(names[i], ".manifest", &version) == 0)
			versions[count++] = version;
		else if (pme_saved_version_parse(names[i], "." PME_SAVED_UNSEEN, &version) == 0)
			unseen = true;
	}
	pme_os_free_names(names, n_names);
	if (r < 0)
		return r;
	*ret = pme_take_ptr(versions);
	*ret_count = count;
	*ret_others = unseen ? SIZE_MAX : n_names - count;
	return 0;
}

int pme_checkpoints_open(int root, const char *id, bool make)
{
	_cleanup_close_ int vault = pme_vault_open(root, PME_VAULT_CHECKPOINTS, make);

	return vault < 0 ? vault : pme_saved_dir(vault, id, make);
}

int pme_checkpoint_open(int checkpoints, const char *name)
{
	int fd = pme_os_open_at(checkpoints, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_close_ int dax = fd == -ENOENT ? pme_saved_dir(checkpoints, "dax", false) : -1;

	return dax < 0 ? fd : pme_os_open_at(dax, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}
