/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of what is under protection could be got back, exactly, if it were lost now.
 */
#include <string.h>

#include "checkpoint.h"
#include "manifest.h"
#include "protect-walk.h"
#include "protect.h"
#include "saved-place.h"

struct sharing {
	const struct pme_protection *protection;
	int replica, checkpoints;
	struct pme_share *ret;
};

/* The newest version of a file: 1, 0 there is none, -ENOMEM. */
static int load_newest(const struct sharing *s, const struct pme_sample *sample,
		       struct pme_saved *ret, bool *ret_damaged)
{
	_cleanup_free_ char *name = pme_saved_object_name(sample->inode, sample->generation);
	_cleanup_close_ int object = name ? pme_saved_dir(s->replica, name, false) : -ENOMEM;
	_cleanup_free_ uint64_t *versions = NULL;
	const char *why;
	size_t count = 0;
	int r = object < 0 ? object : pme_saved_versions(object, &versions, &count);

	if (r == 0 && count > 0)
		r = pme_saved_load(object, versions[0], s->checkpoints, ret, &why);
	if (r == -ENOMEM)
		return r;
	*ret_damaged = object >= 0 && pme_saved_is_damaged(object) != 0;
	ret->sample.devno = sample->devno;
	return r == 0 && count > 0 && ret->manifest->inode == sample->inode &&
	       ret->manifest->inode_generation == sample->generation &&
	       strcmp(ret->manifest->fs_uuid, s->protection->fs_uuid) == 0;
}

/* A page of digests of a version. */
struct page {
	uint64_t number;
	bool known;
	struct pme_digest digests[PME_MANIFEST_PER_PAGE];
};

static bool has_digest(const struct pme_saved *saved, uint64_t block, struct page *page)
{
	if (page->number != block / PME_MANIFEST_PER_PAGE) {
		page->number = block / PME_MANIFEST_PER_PAGE;
		page->known = pme_manifest_sums(saved->manifest, saved->sums, page->number,
						page->digests) == 0;
	}
	return page->known && !pme_digest_is_none(&page->digests[block % PME_MANIFEST_PER_PAGE]);
}

/* What the version does not have: blocks that could not be read when it was made, or whose digests
 * cannot be read now. */
static int add_lacking(const struct pme_saved *saved, struct pme_range_list *ret)
{
	const struct pme_extents *extents = &saved->manifest->extents;
	struct page page = {.number = UINT64_MAX};
	int r = 0;

	for (size_t i = 0; i < extents->count; i++) {
		struct pme_range range = extents->items[i].range;
		uint64_t block = range.start / PME_MANIFEST_BLOCK;

		if (pme_manifest_is_empty(saved->manifest, range))
			continue;
		for (; r == 0 && block * PME_MANIFEST_BLOCK < pme_range_end(range); block++)
			if (!has_digest(saved, block, &page))
				r = pme_range_list_add(ret, block * PME_MANIFEST_BLOCK,
						       PME_MANIFEST_BLOCK);
	}
	pme_range_list_normalize(ret);
	return r;
}

/* What of the open file the version does not prove: 1; 0: it proves nothing; -errno. */
static int find_changed(const struct pme_saved *saved, int fd, uint64_t size,
			struct pme_range_list *changed)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	int r;

	if (!saved->manifest->has_checkpoint)
		return fsync(fd) < 0 ? -errno : pme_saved_unchanged(saved, fd);
	if (saved->checkpoint < 0)
		return 0;
	r = pme_checkpoint_extents(fd, size, &extents);
	if (r == 0)
		r = pme_checkpoint_changes(saved, &extents, size, changed);
	return r < 0 ? r : 1;
}

/* Bytes of the open file that the version proves, and has: 0 or -errno. */
static int count_proven(const struct pme_saved *saved, int fd, uint64_t size, uint64_t *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list changed = {0};
	int r = find_changed(saved, fd, size, &changed);

	*ret = 0;
	if (r <= 0)
		return r;
	r = add_lacking(saved, &changed);
	pme_range_list_clip(&changed, size);
	if (r == 0)
		*ret = size - pme_range_list_bytes(&changed);
	return r;
}

static int add_file(struct sharing *s, int fd)
{
	_cleanup_(pme_saved_free) struct pme_saved saved = {
		.checkpoint = -1, .copy = -1, .sums = -1};
	struct pme_sample sample;
	uint64_t proven = 0;
	bool damaged = false;
	int r = pme_sample_take(fd, &sample);

	if (r < 0)
		return r;
	r = load_newest(s, &sample, &saved, &damaged);
	if (r < 0)
		return r;
	s->ret->files++;
	s->ret->bytes += sample.size;
	s->ret->unkept_files += r == 0;
	if (r == 0)
		return 0;
	s->ret->checkpoint_files += saved.checkpoint >= 0;
	s->ret->damaged_files += damaged;
	if (damaged) /* which of its blocks are, nobody wrote down: none is promised */
		return 0;
	r = count_proven(&saved, fd, sample.size, &proven);
	s->ret->repairable_bytes += proven;
	return r;
}

static int add_all(struct sharing *s, const struct pme_place_of *place, struct pme_log *log)
{
	_cleanup_(pme_walk_done) struct pme_walk walk = {0};
	size_t failed = 0;
	int r = pme_walk(place->fd, s->protection->path, place->vault, log, &walk), error = 0;

	pme_progress_about(log->progress, s->protection->path);
	pme_progress_phase(log->progress, PME_PHASE_COPIES, PME_UNIT_FILES, walk.count);
	for (size_t i = 0; r == 0 && i < walk.count; i++) {
		_cleanup_close_ int fd = pme_walk_open(place->fd, &walk.files[i]);
		struct stat st;

		pme_progress_at(log->progress, i);
		if (fd < 0 || pme_os_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		    st.st_dev != place->devno)
			continue;
		r = add_file(s, fd);
		if (r < 0 && r != -ENOMEM) {
			error = failed++ ? error : r;
			r = 0;
		}
	}
	if (failed > 0)
		pme_log_incomplete(log, s->protection->path,
				   "what could be got back of %zu files is not known: %s", failed,
				   strerror(-error));
	return r;
}

int pme_protect_share(const struct pme_topo *topo, const struct pme_protection *protection,
		      struct pme_log *log, struct pme_share *ret)
{
	_cleanup_(pme_place_close) struct pme_place_of place = PME_PLACE_NONE;
	_cleanup_close_ int replica = -1, checkpoints = -1;
	struct sharing s = {.protection = protection, .ret = ret};
	int r = pme_place_open(topo, protection->path, log, &place);

	*ret = (struct pme_share){0};
	if (r < 0)
		return r;
	if (strcmp(place.fs.uuid, protection->fs_uuid) != 0) {
		pme_log_add(log, PME_ERROR, protection->path,
			    "not the filesystem that was put under protection: is it mounted?");
		return -EXDEV;
	}
	replica = pme_saved_replica(topo->os, protection, false);
	if (replica < 0) {
		pme_log_add(log, PME_ERROR, protection->replica, "the replica cannot be read: %s",
			    strerror(-replica));
		return replica;
	}
	if (place.entry.fd >= 0)
		checkpoints = pme_checkpoints_open(place.entry.fd, protection->id, false);
	s.replica = replica;
	s.checkpoints = checkpoints;
	return add_all(&s, &place, log);
}
