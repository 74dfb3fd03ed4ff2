/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of a step that is carried out; see repair-work.h.
 */
#include "repair-work.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <xxhash.h>

#include "doc.h"
#include "extent.h"
#include "remap.h"
#include "repair-place.h"
#include "vault.h"

#define NEAR (1U << 20) /* bytes */
#define PAGE 4096	 /* bytes that are written at once: remap.h */

int pme_work_fail(struct pme_work *work, int r, const char *fmt, ...)
{
	va_list ap;

	if (work->error)
		return r;
	va_start(ap, fmt);
	if (vasprintf(&work->error, fmt, ap) < 0)
		work->error = NULL;
	va_end(ap);
	return r;
}

const char *pme_work_end_name(const struct pme_work *work)
{
	return work->zero ? "given-up" : "repaired";
}

int pme_work_end(struct pme_work *work)
{
	return pme_repair_end(work->journal, work->id, pme_work_end_name(work), NULL);
}

int pme_work_note(struct pme_work *work, const char *name, size_t target)
{
	struct json_object *detail = pme_json_object();
	int r;

	if (target != SIZE_MAX)
		pme_json_set(detail, "target", pme_json_int((int64_t)target));
	if (work->digest[0])
		pme_json_text(detail, "digest", work->digest);
	if (work->before.known)
		pme_work_before_json(&work->before, detail);
	r = pme_repair_act(work->journal, work->id, name, detail);
	json_object_put(detail);
	return r < 0 ? pme_work_fail(work, r, "the journal cannot be written: %s", strerror(-r))
		     : 0;
}

static void target_done(struct pme_work *work, size_t i)
{
	struct pme_work_target *t = &work->targets[i];

	pme_work_unlease(work, i);
	pme_range_list_done(&t->given);
	free(t->path);
	free(t->caps);
	free(t->starts);
}

void pme_work_drop_target(struct pme_work *work, size_t i)
{
	target_done(work, i);
	work->n_targets--;
	memmove(&work->targets[i], &work->targets[i + 1],
		(work->n_targets - i) * sizeof(*work->targets));
}

void pme_work_done(struct pme_work *work)
{
	for (size_t i = 0; i < work->n_targets; i++)
		target_done(work, i);
	free(work->targets);
	free(work->parts);
	pme_close_fd(&work->dir);
	pme_close_fd(&work->staging);
	pme_reach_close(&work->reach);
	free(work->good);
	free(work->error);
}

unsigned char *pme_work_buffer(const struct pme_work *work)
{
	return calloc(1, (work->length + PAGE - 1) / PAGE * PAGE);
}

/* ---- parts and targets ---- */

int pme_work_add_part(struct pme_work *work, struct pme_range device)
{
	const struct pme_work_part *last = work->n_parts ? &work->parts[work->n_parts - 1] : NULL;
	uint64_t end;
	int r;

	if (device.length == 0 || device.length % PME_SECTOR ||
	    pme_add(device.start, device.length, &end) < 0 || end > INT64_MAX ||
	    (last && device.start < pme_range_end(last->device)))
		return -EINVAL;
	if (device.length > PME_WORK_MAX - work->length || work->n_parts == PME_WORK_PARTS_MAX)
		return -E2BIG;
	r = pme_grow(&work->parts, &work->alloc_parts, work->n_parts, sizeof(*work->parts));
	if (r < 0)
		return r;
	work->parts[work->n_parts++] = (struct pme_work_part){device, work->length};
	work->length += device.length;
	return 0;
}

struct pme_work_target *pme_work_add_target(struct pme_work *work)
{
	uint64_t *starts = calloc(work->n_parts, sizeof(*starts));

	if (!starts || pme_grow(&work->targets, &work->alloc_targets, work->n_targets,
				sizeof(*work->targets)) < 0) {
		free(starts);
		return NULL;
	}
	work->targets[work->n_targets] = (struct pme_work_target){.starts = starts, .fd = -1};
	return &work->targets[work->n_targets++];
}

uint64_t pme_work_piece(const struct pme_work *work, size_t i, struct pme_range run,
			uint64_t *ret_at)
{
	size_t p = work->n_parts - 1;
	uint64_t skip;

	while (p > 0 && work->parts[p].at > run.start)
		p--;
	skip = run.start - work->parts[p].at;
	*ret_at = work->targets[i].starts[p] + skip;
	return pme_min(run.length, work->parts[p].device.length - skip);
}

/* ---- its filesystem and its files ---- */

int pme_work_enter(struct pme_work *work, const struct pme_fs *fs, bool make)
{
	struct stat st;
	int r = pme_reach_open(work->os, fs, &work->reach);

	work->fs = fs;
	if (r == 0)
		r = pme_os_fstat(work->reach.root, &st);
	if (r < 0)
		return pme_work_fail(work, r, "cannot enter the filesystem: %s", strerror(-r));
	for (size_t i = 0; i < work->n_targets; i++)
		work->targets[i].file.devno = st.st_dev;
	work->staging = pme_vault_open(work->reach.root, PME_VAULT_STAGING, make);
	if (work->staging < 0)
		return pme_work_fail(work, work->staging, "%s/%s of the filesystem: %s", PME_VAULT,
				     pme_vault_part_name(PME_VAULT_STAGING),
				     pme_vault_error(work->staging));
	if (flock(work->staging, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		return pme_work_fail(work, r, "another repair of this filesystem runs");
	}
	return 0;
}

uint64_t pme_work_inside(const struct pme_work *work, size_t i, size_t p)
{
	const struct pme_work_target *t = &work->targets[i];

	return t->size <= t->starts[p]
		       ? 0
		       : pme_min(work->parts[p].device.length, t->size - t->starts[p]);
}

void pme_work_measure(struct pme_work *work, size_t i, uint64_t size)
{
	struct pme_work_target *t = &work->targets[i];

	t->size = size;
	t->length = 0;
	for (size_t p = 0; p < work->n_parts; p++)
		t->length += pme_work_inside(work, i, p);
}

int pme_work_open_target(struct pme_work *work, size_t i, int flags)
{
	struct pme_work_target *t = &work->targets[i];
	_cleanup_close_ int plain = pme_reach_file(&work->reach, work->fs, &t->file, O_RDONLY);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (plain < 0)
		return plain;
	if (strcmp(work->fs->type, "xfs") == 0) {
		fd = pme_remap_reopen(work->reach.root, plain, flags);
	} else {
		fd = pme_reach_file(&work->reach, work->fs, &t->file, flags | O_NOATIME);
	}
	if (fd < 0)
		return fd;
	r = pme_os_fstat(fd, &st);
	if (r < 0)
		return r;
	pme_work_measure(work, i, (uint64_t)st.st_size);
	return t->length == 0 ? -ESTALE : pme_take_fd(&fd);
}

/* ---- which blocks a file has ---- */

typedef int (*take_piece)(const struct pme_work *work, const struct pme_extent *piece, size_t p,
			  uint64_t skip, uint64_t length, struct pme_range_list *ret);

/* Parts [@p, @end) of target @i, one behind the other in it: each with what it has of @extents. */
static int take_pieces(const struct pme_work *work, size_t i, size_t p, size_t end,
		       const struct pme_extents *extents, take_piece take,
		       struct pme_range_list *ret)
{
	int r = 0;

	for (size_t j = 0; p < end; p++) {
		struct pme_range part = {work->targets[i].starts[p], work->parts[p].device.length};

		while (j < extents->count && pme_range_end(extents->items[j].range) <= part.start)
			j++;
		for (size_t k = j; r == 0 && k < extents->count; k++) {
			struct pme_extent piece = extents->items[k];
			struct pme_range common;

			if (!pme_range_intersect(piece.range, part, &common))
				break;
			piece.device_start += common.start - piece.range.start;
			piece.range = common;
			r = take(work, &piece, p, common.start - part.start,
				 pme_work_inside(work, i, p), ret);
		}
	}
	return r;
}

/* The file is asked once about parts that are near each other. */
static int each_piece(const struct pme_work *work, size_t i, int fd, take_piece take,
		      struct pme_range_list *ret)
{
	const uint64_t *starts = work->targets[i].starts;
	int r = 0;

	for (size_t p = 0, end; r == 0 && p < work->n_parts; p = end) {
		_cleanup_(pme_extents_done) struct pme_extents extents = {0};
		uint64_t last = starts[p] + work->parts[p].device.length;

		for (end = p + 1; end < work->n_parts; end++) {
			if (starts[end] < last || starts[end] - last > NEAR)
				break;
			last = starts[end] + work->parts[end].device.length;
		}
		r = pme_extents_read(fd, (struct pme_range){starts[p], last - starts[p]}, &extents);
		if (r == 0)
			r = take_pieces(work, i, p, end, &extents, take, ret);
	}
	pme_range_list_normalize(ret);
	return r;
}

static int take_run(const struct pme_work *work, const struct pme_extent *piece, size_t p,
		    uint64_t skip, uint64_t length, struct pme_range_list *ret)
{
	const struct pme_work_part *part = &work->parts[p];

	if (piece->state != PME_EXTENT_DATA || skip >= length ||
	    piece->device_start != part->device.start + skip)
		return 0;
	return pme_range_list_add(ret, part->at + skip,
				  pme_min(piece->range.length, length - skip));
}

int pme_work_runs(const struct pme_work *work, size_t i, int fd, struct pme_range_list *ret)
{
	return each_piece(work, i, fd, take_run, ret);
}

bool pme_work_is_whole(const struct pme_work *work, size_t i, const struct pme_range_list *runs)
{
	uint64_t length = work->targets[i].length;

	return runs->count == 1 && runs->items[0].start == 0 && runs->items[0].length == length &&
	       (work->n_parts == 1 || length == work->length);
}

/* What @place of the device has in common with the parts. */
static int add_common(const struct pme_work *work, struct pme_range place,
		      struct pme_range_list *ret)
{
	size_t first = 0, end = work->n_parts;
	struct pme_range common;
	int r = 0;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (pme_range_end(work->parts[middle].device) <= place.start)
			first = middle + 1;
		else
			end = middle;
	}
	for (size_t p = first; r == 0 && p < work->n_parts; p++) {
		if (!pme_range_intersect(place, work->parts[p].device, &common))
			break;
		r = pme_range_list_add(ret, common.start, common.length);
	}
	return r;
}

static int add_owned(const struct pme_work *work, const struct pme_extent *extent,
		     struct pme_range_list *ret)
{
	struct pme_range place = {extent->device_start, extent->range.length};

	return extent->state == PME_EXTENT_DATA || extent->state == PME_EXTENT_UNWRITTEN
		       ? add_common(work, place, ret)
		       : 0;
}

int pme_work_owned(const struct pme_work *work, int fd, struct pme_range range,
		   struct pme_range_list *ret)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	int r = pme_extents_read(fd, range, &extents);

	for (size_t i = 0; r == 0 && i < extents.count; i++)
		r = add_owned(work, &extents.items[i], ret);
	pme_range_list_normalize(ret);
	return r;
}

static int take_owned(const struct pme_work *work, const struct pme_extent *piece, size_t p,
		      uint64_t skip, uint64_t length, struct pme_range_list *ret)
{
	(void)p;
	(void)skip;
	(void)length;
	return add_owned(work, piece, ret);
}

int pme_work_owned_by_target(const struct pme_work *work, size_t i, int fd,
			     struct pme_range_list *ret)
{
	return each_piece(work, i, fd, take_owned, ret);
}

void pme_work_digest(const struct pme_work *work, const void *good, char ret[PME_WORK_DIGEST])
{
	XXH128_hash_t hash = XXH3_128bits(good, work->length);

	snprintf(ret, PME_WORK_DIGEST, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
		 (uint64_t)hash.low64);
}
