/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of versions: names, from written to whole, and away; see replica.h.
 */
#include <fcntl.h>
#include <string.h>

#include "checkpoint.h"
#include "replica.h"
#include "saved-place.h"

static const char *const parts[] = {"data", "sums"};

char *pme_replica_name(uint64_t version, const char *suffix)
{
	return pme_printf("%016llx.%s", (unsigned long long)version, suffix);
}

static int sync_file(int object, const char *name)
{
	_cleanup_close_ int fd = pme_os_open_at(object, name, O_RDONLY | O_NOFOLLOW);

	return fd < 0 ? (fd == -ENOENT ? 0 : fd) : pme_os_sync(fd);
}

int pme_replica_sync(int object, uint64_t version)
{
	static const char *const all[] = {"data", "sums", "manifest.new", "manifest"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(all); i++) {
		_cleanup_free_ char *name = pme_replica_name(version, all[i]);

		r = name ? sync_file(object, name) : -ENOMEM;
	}
	return r < 0 ? r : pme_os_sync(object);
}

int pme_replica_uncache(int object, uint64_t version)
{
	static const char *const all[] = {"data", "sums", "manifest"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(all); i++) {
		_cleanup_free_ char *name = pme_replica_name(version, all[i]);
		_cleanup_close_ int fd = -1;

		if (!name)
			return -ENOMEM;
		fd = pme_os_open_at(object, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
		if (fd >= 0)
			pme_os_drop_cache(fd);
	}
	return 0;
}

int pme_replica_publish(int object, uint64_t version)
{
	_cleanup_free_ char *from = pme_replica_name(version, "manifest.new");
	_cleanup_free_ char *to = pme_replica_name(version, "manifest");

	if (!from || !to)
		return -ENOMEM;
	return renameat(object, from, object, to) < 0 ? -errno : 0;
}

int pme_replica_manifest(int object, uint64_t version, struct pme_manifest *ret)
{
	_cleanup_free_ char *name = pme_replica_name(version, "manifest");

	return name ? pme_manifest_read(object, name, ret) : -ENOMEM;
}

static int remove_file(int dir, uint64_t version, const char *suffix)
{
	_cleanup_free_ char *name = pme_replica_name(version, suffix);

	if (!name)
		return -ENOMEM;
	return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int pme_replica_forget(int object, uint64_t version)
{
	return remove_file(object, version, "manifest");
}

int pme_replica_drop(int object, uint64_t version)
{
	int r = remove_file(object, version, "manifest.new");

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(parts); i++)
		r = remove_file(object, version, parts[i]);
	return r;
}

int pme_replica_remove(int object, uint64_t version, int checkpoints)
{
	_cleanup_(pme_manifest_done) struct pme_manifest m = {0};
	_cleanup_free_ char *checkpoint = NULL;
	bool known = pme_replica_manifest(object, version, &m) == 0 && m.has_checkpoint;
	int r = pme_replica_forget(object, version);

	/* Without its manifest there must not be less than with it. */
	if (r == 0)
		r = pme_os_sync(object);
	if (r == 0)
		r = pme_replica_drop(object, version);
	if (r < 0 || checkpoints < 0 || !known)
		return r;
	checkpoint = pme_saved_checkpoint_name(&m);
	return checkpoint ? pme_checkpoint_remove(checkpoints, checkpoint) : -ENOMEM;
}

static bool is_unseen(const char *name)
{
	uint64_t sync;

	return pme_saved_version_parse(name, "." PME_SAVED_UNSEEN, &sync) == 0;
}

/* Is it a file of one of these versions, or says something of them?  1, 0, -ENOMEM. */
static int is_known(const char *name, const uint64_t *versions, size_t count)
{
	if (strcmp(name, PME_SAVED_DAMAGED) == 0)
		return 1;
	if (is_unseen(name) || strstr(name, ".new"))
		return 0;
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *version = pme_replica_name(versions[i], "");

		if (!version)
			return -ENOMEM;
		if (strncmp(name, version, strlen(version)) == 0)
			return 1;
	}
	return 0;
}

int pme_replica_sweep(int object)
{
	const struct pme_os here = {.root = object};
	_cleanup_free_ uint64_t *versions = NULL;
	char **names = NULL;
	size_t count = 0, n_names = 0;
	bool seen = false;
	int r = pme_saved_versions(object, &versions, &count);

	if (r == 0)
		r = pme_os_list(&here, ".", &names, &n_names);
	for (size_t i = 0; r == 0 && i < n_names; i++) {
		int known = is_known(names[i], versions, count);

		if (known < 0)
			r = known;
		else if (known == 0 && unlinkat(object, names[i], 0) < 0 && errno != ENOENT)
			r = -errno;
		seen = seen || is_unseen(names[i]);
	}
	pme_os_free_names(names, n_names);
	/* If it came back after a crash the file would seem to be away since then. */
	return r == 0 && seen ? pme_os_sync(object) : r;
}
