/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doctor looks at mounted filesystems: those on persistent memory, and those with something
 * under protection; see doctor.h.
 *
 * A filesystem is entered at its root to ask what features it has, and what is in its vault; no
 * file of it is opened.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "doctor.h"
#include "donor-reach.h"
#include "remap.h"
#include "repair-journal.h"
#include "vault.h"
#include "xfs-inode.h"

#define DEPTH_MAX 32 /* no stack of devices is deeper */

/* Does @dev, or what it stands on, fulfil @is? */
static const struct pme_dev *find_below(const struct pme_dev *dev,
					bool (*is)(const struct pme_dev *dev, const void *arg),
					const void *arg, int depth)
{
	const struct pme_dev *found = is(dev, arg) ? dev : NULL;

	for (size_t i = 0; !found && depth < DEPTH_MAX && i < dev->n_lowers; i++)
		found = find_below(dev->lowers[i], is, arg, depth + 1);
	return found;
}

static bool is_pmem(const struct pme_dev *dev, const void *arg)
{
	return dev->ns || dev->region;
}

static bool is_listed(const struct pme_dev *dev, const void *arg)
{
	return pme_dev_list_has(arg, dev);
}

bool pme_doctor_chooses(const struct pme_doctor *d, const struct pme_dev *dev)
{
	return find_below(dev, is_listed, &d->selection->bases, 0) &&
	       (d->selection->passing.count == 0 ||
		find_below(dev, is_listed, &d->selection->passing, 0));
}

static enum pme_fs_ground ground_of(const struct pme_dev *dev)
{
	const struct pme_dev *disk = dev->kind == PME_DEV_PARTITION ? dev->disk : dev;

	if (disk && disk->ns)
		return PME_GROUND_PMEM;
	return find_below(dev, is_pmem, NULL, 0) ? PME_GROUND_STACKED : PME_GROUND_OTHER;
}

static bool has_option(const char *options, const char *wanted)
{
	size_t len = strlen(wanted);

	for (const char *at = options; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : "")
		if (strncmp(at, wanted, len) == 0 && (at[len] == ',' || !at[len]))
			return true;
	return false;
}

static enum pme_known known(int answer)
{
	return answer < 0 ? PME_NOT_KNOWN : answer ? PME_YES : PME_NO;
}

static void look_at_features(int fd, struct pme_fs_facts *facts)
{
	struct pme_xfs_geo geo;
	int r = pme_xfs_geo_read(fd, &geo);

	if (r < 0) {
		facts->error = strerror(-r);
		return;
	}
	facts->rmap = known(geo.has_rmap);
	facts->parents = known(geo.has_parents);
	facts->reflink = known(pme_remap_has_clone(fd));
	facts->exchange = known(pme_remap_has_commit(fd));
}

/* Names in one part of the vault of @root; 0 where there is none. */
static int list_part(const struct pme_os *os, int root, enum pme_vault_part part, char ***ret,
		     size_t *ret_count)
{
	_cleanup_close_ int dir = pme_vault_open(root, part, false);
	const struct pme_os at = {.root = dir};

	*ret = NULL;
	*ret_count = 0;
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	return pme_os_list(&at, ".", ret, ret_count);
}

static bool is_pending(const struct pme_repair_ids *pending, const char *name)
{
	uint64_t id;

	if (pme_parse_u64(name, strlen(name), &id) < 0)
		return false;
	for (size_t i = 0; i < pending->count; i++)
		if (pending->items[i] == (int64_t)id)
			return true;
	return false;
}

/* The directories are read before the journal: what begins in between is known to it. */
static void look_at_vault(const struct pme_doctor *d, int root, struct pme_fs_facts *facts)
{
	struct pme_repair_ids pending = {0};
	char **names;
	size_t count;
	int r = list_part(d->topo->os, root, PME_VAULT_QUARANTINE, &names, &count);

	if (r == 0)
		facts->parked = count;
	else
		facts->vault_error = strerror(-r);
	pme_os_free_names(names, count);
	r = list_part(d->topo->os, root, PME_VAULT_STAGING, &names, &count);
	if (r == 0 && count > 0)
		r = pme_repair_pending(d->store, &pending);
	if (r == -ENOENT)
		r = 0;
	if (r == 0) {
		facts->left_over = 0;
		for (size_t i = 0; i < count; i++)
			facts->left_over += !is_pending(&pending, names[i]);
	} else {
		facts->vault_error = strerror(-r);
	}
	pme_os_free_names(names, count);
	free(pending.items);
}

static void look_inside(const struct pme_doctor *d, const struct pme_fs *fs,
			struct pme_fs_facts *facts)
{
	_cleanup_(pme_reach_close) struct pme_reach reach = {
		.entry = {.fd = -1},
		.root = -1,
	};
	int r = pme_reach_open(d->topo->os, fs, &reach);

	if (r < 0) {
		facts->error = facts->vault_error = strerror(-r);
		return;
	}
	if (strcmp(fs->type, "xfs") == 0)
		look_at_features(reach.root, facts);
	look_at_vault(d, reach.root, facts);
}

static bool has_vaults(const char *type)
{
	return strcmp(type, "xfs") == 0 || strncmp(type, "ext", 3) == 0;
}

/* How many protected paths are in the filesystem; PME_UNKNOWN. */
static uint64_t count_protected(const struct pme_doctor *d, dev_t devno)
{
	uint64_t count = 0;

	if (!d->protections)
		return PME_UNKNOWN;
	for (size_t i = 0; i < d->protections->count; i++) {
		const char *path = d->protections->items[i].path;
		struct stat st;

		if (pme_os_stat(d->topo->os, path[1] ? path + 1 : ".", false, &st) == 0 &&
		    st.st_dev == devno)
			count++;
	}
	return count;
}

static int look_at(struct pme_doctor *d, struct pme_fs *fs, const struct pme_mount *mount,
		   uint64_t protected)
{
	const struct pme_dev *disk = fs->dev->kind == PME_DEV_PARTITION ? fs->dev->disk : fs->dev;
	struct utsname name;
	struct pme_fs_facts facts = {
		.mount = mount->target,
		.type = fs->type,
		.device = fs->dev->name,
		.release = name.release,
		.ground = ground_of(fs->dev),
		.mode = disk && disk->ns ? disk->ns->mode : PME_MODE_UNKNOWN,
		.dax = has_option(mount->options, "dax") ||
		       has_option(mount->options, "dax=always"),
		.parked = PME_UNKNOWN,
		.left_over = PME_UNKNOWN,
		.protected = protected,
	};

	uname(&name);
	if (has_vaults(fs->type))
		look_inside(d, fs, &facts);
	pme_judge_filesystem(&facts, d->checks);
	pme_judge_protected(&facts, d->checks);
	if (has_vaults(fs->type)) {
		pme_judge_quarantine(&facts, d->checks);
		pme_judge_staging(&facts, d->checks);
	}
	return 0;
}

/* All mounts of @mount's device; true when @mount is the one to speak of: of its root, or first. */
static int collect(const struct pme_topo *topo, const struct pme_mount *mount, struct pme_fs *fs,
		   bool *ret_speaks)
{
	const struct pme_mount *speaker = NULL;
	size_t alloc = 0;

	for (size_t i = 0; i < topo->n_mounts; i++) {
		const struct pme_mount *other = &topo->mounts[i];
		int r;

		if (other->devno != mount->devno)
			continue;
		r = pme_grow(&fs->mounts, &alloc, fs->n_mounts, sizeof(*fs->mounts));
		if (r < 0)
			return r;
		fs->mounts[fs->n_mounts++] = other;
		if (!speaker || (strcmp(speaker->root, "/") != 0 && strcmp(other->root, "/") == 0))
			speaker = other;
	}
	*ret_speaks = speaker == mount;
	return 0;
}

static int look_at_mount(struct pme_doctor *d, const struct pme_mount *mount)
{
	const struct pme_dev *dev = pme_topo_dev_by_devno(d->topo, mount->devno);
	struct pme_fs fs = {.dev = dev, .main = dev, .role = PME_FS_DATA, .type = mount->type};
	uint64_t protected;
	bool speaks = false;
	int r = dev ? collect(d->topo, mount, &fs, &speaks) : 0;

	if (r == 0 && speaks) {
		protected = count_protected(d, mount->devno);
		if (d->everything ? find_below(dev, is_pmem, NULL, 0) ||
					    (protected > 0 && protected != PME_UNKNOWN)
				  : pme_doctor_chooses(d, dev))
			r = look_at(d, &fs, mount, protected);
	}
	free(fs.mounts);
	return r;
}

int pme_doctor_filesystems(struct pme_doctor *d)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->topo->n_mounts; i++)
		r = look_at_mount(d, &d->topo->mounts[i]);
	return r;
}
