/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of filesystems, and the life of their results; see fs.h.
 */
#include "fs.h"

#include "doc.h"
#include "extent.h"

#include <string.h>

static const struct pme_fs_kind *const kinds[] = {
	&pme_fs_btrfs, &pme_fs_xfs, &pme_fs_ext2, &pme_fs_ext3, &pme_fs_ext4,
};

const struct pme_fs_kind *pme_fs_kind_of(const char *type)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i]->type, type) == 0)
			return kinds[i];
	return pme_extents_mapping(type) != PME_MAPPING_NONE ? &pme_fs_walk : NULL;
}

static int add_mount(struct pme_fs *fs, size_t *alloc, const struct pme_mount *mount)
{
	int r = pme_grow(&fs->mounts, alloc, fs->n_mounts, sizeof(*fs->mounts));

	if (r < 0)
		return r;
	fs->mounts[fs->n_mounts++] = mount;
	return 0;
}

static int collect_mounts(const struct pme_topo *topo, struct pme_fs *fs)
{
	size_t alloc = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < topo->n_mounts; i++)
		if (pme_topo_mount_has(topo, &topo->mounts[i], fs->main))
			r = add_mount(fs, &alloc, &topo->mounts[i]);
	return r;
}

/* A uuid is nice to have: a device that cannot be probed is none the less mounted. */
static int read_uuid(const struct pme_topo *topo, struct pme_fs *fs)
{
	_cleanup_(pme_probe_done) struct pme_probe probe = {0};
	int r;

	if (fs->main->member_of) {
		fs->uuid = strdup(fs->main->member_of);
		return fs->uuid ? 0 : -ENOMEM;
	}
	r = pme_dev_probe_mounted(topo, fs->main, fs->type, &probe);

	if (r == 0)
		fs->uuid = pme_take_ptr(probe.uuid);
	return r == -ENOMEM ? r : 0;
}

int pme_fs_of(const struct pme_topo *topo, const struct pme_dev *dev, struct pme_fs *ret)
{
	_cleanup_(pme_fs_done) struct pme_fs fs = {.dev = dev};
	int r = pme_topo_fs_find(topo, dev, &fs.main, &fs.role);

	if (r > 0)
		r = collect_mounts(topo, &fs);
	if (r < 0 || fs.n_mounts == 0)
		return r;
	fs.type = fs.mounts[0]->type;
	fs.source = fs.mounts[0]->source;
	r = read_uuid(topo, &fs);
	if (r < 0)
		return r;
	*ret = fs;
	fs = (struct pme_fs){0};
	return 1;
}

void pme_fs_done(struct pme_fs *fs)
{
	free(fs->uuid);
	free(fs->mounts);
	*fs = (struct pme_fs){0};
}

const char *pme_fs_subject(const struct pme_fs *fs)
{
	return fs->source ? fs->source : fs->main->name;
}

struct pme_fs_owner *pme_fs_result_add(struct pme_fs_result *result, struct pme_range range,
				       enum pme_owner_kind kind)
{
	struct pme_fs_owner *owner;

	if (pme_grow(&result->owners, &result->alloc_owners, result->n_owners,
		     sizeof(*result->owners)) < 0)
		return NULL;
	owner = &result->owners[result->n_owners++];
	*owner = (struct pme_fs_owner){
		.range = range,
		.kind = kind,
		.certainty = kind == PME_OWNER_UNKNOWN ? PME_UNCERTAIN : PME_EXACT,
	};
	return owner;
}

int pme_fs_result_unknown(struct pme_range range, const char *reason, struct pme_fs_result *ret)
{
	struct pme_fs_owner *owner = pme_fs_result_add(ret, range, PME_OWNER_UNKNOWN);

	if (!owner)
		return -ENOMEM;
	owner->reason = strdup(reason);
	return owner->reason ? 0 : -ENOMEM;
}

static int by_place(const void *a, const void *b)
{
	const struct pme_fs_owner *p = a, *q = b;
	uint64_t inode_p = p->file ? p->file->inode : 0, inode_q = q->file ? q->file->inode : 0;

	if (p->range.start != q->range.start)
		return p->range.start < q->range.start ? -1 : 1;
	if (inode_p != inode_q)
		return inode_p < inode_q ? -1 : 1;
	return p->file_start < q->file_start ? -1 : p->file_start > q->file_start;
}

void pme_fs_result_sort(struct pme_fs_result *result)
{
	if (result->n_owners > 1)
		qsort(result->owners, result->n_owners, sizeof(*result->owners), by_place);
}

void pme_fs_result_tell(const struct pme_fs_result *result, const struct pme_fs *fs,
			struct pme_log *log)
{
	size_t unknown = 0, unnamed = 0;

	for (size_t i = 0; i < result->n_owners; i++)
		unknown += result->owners[i].certainty == PME_UNCERTAIN;
	for (size_t i = 0; i < result->n_files; i++)
		unnamed += !result->files[i]->paths_complete;
	if (unknown > 0)
		pme_log_incomplete(log, pme_fs_subject(fs),
				   "cannot tell the owner of %zu ranges: each has its own reason",
				   unknown);
	if (unnamed > 0)
		pme_log_incomplete(log, pme_fs_subject(fs),
				   "cannot find all names of %zu of %zu inodes: each has its own "
				   "reason",
				   unnamed, result->n_files);
}

void pme_fs_owner_done(struct pme_fs_owner *owner)
{
	free(owner->detail);
	free(owner->reason);
	free(owner->inodes);
	free(owner->copies);
	*owner = (struct pme_fs_owner){0};
}

void pme_fs_result_done(struct pme_fs_result *result)
{
	for (size_t i = 0; i < result->n_owners; i++)
		pme_fs_owner_done(&result->owners[i]);
	for (size_t i = 0; i < result->n_files; i++)
		pme_file_free(result->files[i]);
	free(result->owners);
	free(result->files);
	*result = (struct pme_fs_result){0};
}

struct json_object *pme_fs_json(const struct pme_fs *fs)
{
	struct json_object *object = pme_json_object();
	struct json_object *mounts = pme_json_array();

	for (size_t i = 0; i < fs->n_mounts; i++)
		pme_json_append(mounts, pme_json_lossy(fs->mounts[i]->target));
	pme_json_text(object, "type", fs->type);
	pme_json_text(object, "uuid", fs->uuid);
	pme_json_text(object, "source", fs->source);
	pme_json_set(object, "mounts", mounts);
	return object;
}
