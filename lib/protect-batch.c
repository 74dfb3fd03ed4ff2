/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches of new versions; see protect-batch.h.
 */
#include "protect-batch.h"

#include <linux/magic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/vfs.h>

#include "checkpoint.h"
#include "protect-lack.h"
#include "replica.h"
#include "saved-place.h"

#define FILES_MAX 128 /* each has a descriptor: and no more than a quarter of what we may have */
#define BYTES_MAX (64ULL << 20)

static void file_done(struct pme_batch_file *file)
{
	for (size_t i = 0; i < file->n_old; i++)
		free(file->old_checkpoints[i]);
	free(file->old_checkpoints);
	free(file->old);
	free(file->checkpoint);
	free(file->path);
	pme_close_fd(&file->object);
}

static void empty(struct pme_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		file_done(&batch->files[i]);
	batch->count = 0;
	batch->bytes = 0;
	pme_close_fd(&batch->checkpoint);
}

void pme_batch_done(struct pme_batch *batch)
{
	empty(batch);
	free(batch->files);
	batch->files = NULL;
	batch->alloc = 0;
}

int pme_batch_trusts_syncfs(int dir)
{
	static const unsigned int kinds[] = {XFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
					     F2FS_SUPER_MAGIC};
	struct statfs fs;

	if (fstatfs(dir, &fs) < 0)
		return -errno;
	for (size_t i = 0; i < PME_ARRAY_SIZE(kinds); i++)
		if ((unsigned int)fs.f_type == kinds[i])
			return 1;
	return 0;
}

/* All that was done to the replica is on the disk. */
static int sync_replica(struct pme_sync *sync)
{
	if (sync->trusts_syncfs)
		return syncfs(sync->replica) < 0 ? -errno : 0;
	for (size_t i = 0; i < sync->batch.count; i++) {
		struct pme_batch_file *file = &sync->batch.files[i];

		if (file->error == 0)
			file->error = pme_replica_sync(file->object, file->version);
	}
	return pme_os_sync(sync->replica);
}

/* XFS has one log: when the newest checkpoint is on the disk, so are those before. */
static int sync_checkpoints(const struct pme_sync *sync)
{
	return sync->batch.checkpoint < 0 ? 0 : pme_os_sync(sync->batch.checkpoint);
}

/* Is there nothing to be had of a version, now or later? */
static bool is_useless(int error)
{
	return error == -EINVAL || error == -EBADMSG;
}

struct forgetting {
	const struct pme_sync *sync;
	struct pme_batch_file *file;
	uint64_t left;		       /* versions that stay in any case */
	struct pme_range_list lacking; /* blocks that none of those that stay has */
	size_t spared;		       /* versions that stay for them */
};

/* Does the version stay?  @error: of reading its manifest.  1, 0, -errno. */
static int stays(struct forgetting *f, uint64_t version, int error)
{
	bool wanted = f->left > 0 && !is_useless(error);
	int r = f->lacking.count > 0 ? pme_lack_fill(f->file->object, version, &f->lacking) : 0;

	f->left -= wanted;
	f->spared += r > 0 && !wanted;
	return r < 0 ? r : wanted || r > 0;
}

/*
 * Its manifest goes unless it is one of those that stay; what belongs to it is remembered.  What is
 * of another filesystem, whose files have the same numbers, stays.  0 or -errno.
 */
static int forget(struct forgetting *f, uint64_t version)
{
	_cleanup_(pme_manifest_done) struct pme_manifest m = {0};
	struct pme_batch_file *file = f->file;
	int r = pme_replica_manifest(file->object, version, &m), e;
	char *name = NULL;

	if (r == 0 && strcmp(m.fs_uuid, f->sync->fs_uuid) != 0)
		return 0;
	e = stays(f, version, r);
	if (e != 0)
		return e < 0 ? e : 0;
	if (r == 0 && m.has_checkpoint) {
		name = pme_saved_checkpoint_name(&m);
		if (!name)
			return -ENOMEM;
	}
	r = pme_replica_forget(file->object, version);
	if (r < 0) {
		free(name);
		return r;
	}
	file->old[file->n_old] = version;
	file->old_checkpoints[file->n_old++] = name;
	return 0;
}

/* The versions before the new one. */
static int forget_old(struct pme_sync *sync, struct pme_batch_file *file)
{
	_cleanup_free_ uint64_t *versions = NULL;
	struct forgetting f = {
		.sync = sync, .file = file, .left = file->fresh ? 0 : sync->keep - 1};
	uint64_t lacking;
	size_t count = 0;
	int r = pme_saved_versions(file->object, &versions, &count);

	if (r < 0 || count < 2)
		return r;
	file->old = calloc(count, sizeof(*file->old));
	file->old_checkpoints = calloc(count, sizeof(*file->old_checkpoints));
	if (!file->old || !file->old_checkpoints)
		return -ENOMEM;
	if (file->lacking)
		r = pme_lack_find(file->object, file->version, &f.lacking);
	lacking = pme_range_list_bytes(&f.lacking) / PME_SAVED_BLOCK;
	for (size_t i = 1; r == 0 && i < count; i++)
		r = forget(&f, versions[i]);
	pme_range_list_done(&f.lacking);
	if (f.spared > 0)
		pme_sync_say(
			sync, file->path,
			"%zu older versions stay, though there are enough newer ones, for %llu "
			"blocks that cannot be read now",
			f.spared, (unsigned long long)lacking);
	return r;
}

/* What belonged to the versions that are forgotten. */
static int drop_old(const struct pme_sync *sync, const struct pme_batch_file *file)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < file->n_old; i++) {
		r = pme_replica_drop(file->object, file->old[i]);
		if (r == 0 && file->old_checkpoints[i] && sync->checkpoints >= 0)
			r = pme_checkpoint_remove(sync->checkpoints, file->old_checkpoints[i]);
	}
	if (r == 0 && unlinkat(file->object, PME_SAVED_DAMAGED, 0) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

static int say_old(struct pme_sync *sync, const struct pme_batch_file *file, int error)
{
	if (error < 0)
		pme_sync_say(sync, file->path, "older versions cannot be taken away: %s",
			     strerror(-error));
	return error == -ENOMEM ? error : 0;
}

static int clear_old(struct pme_sync *sync)
{
	struct pme_batch *batch = &sync->batch;
	bool any = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->count; i++) {
		if (batch->files[i].error < 0)
			continue;
		r = say_old(sync, &batch->files[i], forget_old(sync, &batch->files[i]));
		any = any || batch->files[i].n_old > 0;
	}
	if (r == 0 && any)
		r = sync_replica(sync);
	for (size_t i = 0; r == 0 && i < batch->count; i++)
		r = say_old(sync, &batch->files[i], drop_old(sync, &batch->files[i]));
	return r;
}

/* What fails with one file is its own; 0, or -errno of all of them. */
static int publish(struct pme_sync *sync)
{
	int r = sync_checkpoints(sync);

	if (r == 0)
		r = sync_replica(sync);
	for (size_t i = 0; r == 0 && i < sync->batch.count; i++) {
		struct pme_batch_file *file = &sync->batch.files[i];

		if (file->error == 0)
			file->error = pme_replica_publish(file->object, file->version);
	}
	return r < 0 ? r : sync_replica(sync);
}

/* It is not believed: the next sync begins with the versions that were there. */
static void take_back(struct pme_sync *sync, const struct pme_batch_file *file)
{
	pme_replica_remove(file->object, file->version, -1);
	if (file->checkpoint)
		pme_checkpoint_remove(sync->checkpoints, file->checkpoint);
	sync->run->not_kept++;
	pme_sync_say(sync, file->path, "not kept: %s", strerror(-file->error));
}

int pme_batch_flush(struct pme_sync *sync)
{
	int r = sync->batch.count == 0 ? 0 : publish(sync);

	for (size_t i = 0; i < sync->batch.count; i++) {
		struct pme_batch_file *file = &sync->batch.files[i];

		if (r < 0)
			file->error = r;
		if (file->error < 0) {
			take_back(sync, file);
			continue;
		}
		sync->run->kept++;
		sync->run->by_digest += !file->checkpoint;
	}
	if (r == 0)
		r = clear_old(sync);
	empty(&sync->batch);
	return r;
}

int pme_batch_add(struct pme_batch *batch, struct pme_batch_file *file, int checkpoint,
		  uint64_t bytes)
{
	int r = file->path ? pme_grow(&batch->files, &batch->alloc, batch->count,
				      sizeof(*batch->files))
			   : -ENOMEM;

	if (checkpoint >= 0) {
		pme_close_fd(&batch->checkpoint);
		batch->checkpoint = checkpoint;
	}
	if (r < 0) {
		file_done(file);
		return r;
	}
	batch->files[batch->count++] = *file;
	batch->bytes += bytes;
	return 0;
}

bool pme_batch_is_full(const struct pme_batch *batch)
{
	struct rlimit files;
	uint64_t max = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur / 4 : FILES_MAX;

	return batch->count >= pme_min(max, FILES_MAX) || batch->bytes >= BYTES_MAX;
}
