/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Repair in place, from the lease to the verification; see repair-place.h.
 */
#include "repair-place.h"

#include <string.h>

#include "doc.h"
#include "extent.h"
#include "remap.h"

/* ---- the file as it was ---- */

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int pme_work_before_take(const struct pme_os *os, int fd, struct pme_work_before *ret)
{
	_cleanup_free_ char *boot = NULL;
	struct stat st;
	int r = pme_os_fstat(fd, &st);

	if (r == 0)
		r = pme_os_read_line(os, &boot, "proc/sys/kernel/random/boot_id");
	if (r < 0)
		return r;
	if (strlen(boot) >= sizeof(ret->boot))
		return -EINVAL;
	*ret = (struct pme_work_before){
		.known = true,
		.size = (uint64_t)st.st_size,
		.mtime = nanoseconds(st.st_mtim),
		.ctime = nanoseconds(st.st_ctim),
	};
	memcpy(ret->boot, boot, strlen(boot) + 1);
	return 0;
}

bool pme_work_before_same(const struct pme_work_before *a, const struct pme_work_before *b)
{
	return a->size == b->size && a->mtime == b->mtime && a->ctime == b->ctime;
}

void pme_work_before_json(const struct pme_work_before *before, struct json_object *detail)
{
	pme_json_number(detail, "size", before->size);
	pme_json_set(detail, "mtime", pme_json_int(before->mtime));
	pme_json_set(detail, "ctime", pme_json_int(before->ctime));
	pme_json_text(detail, "boot", before->boot);
}

int pme_work_before_parse(struct json_object *detail, struct pme_work_before *ret)
{
	struct json_object *size = pme_json_get(detail, "size");
	struct json_object *mtime = pme_json_get(detail, "mtime");
	struct json_object *ctime = pme_json_get(detail, "ctime");
	const char *boot = pme_json_get_text(detail, "boot");

	if (!json_object_is_type(size, json_type_int) || json_object_get_int64(size) < 0 ||
	    !json_object_is_type(mtime, json_type_int) ||
	    !json_object_is_type(ctime, json_type_int) || !*boot ||
	    strlen(boot) >= sizeof(ret->boot))
		return -EINVAL;
	*ret = (struct pme_work_before){
		.known = true,
		.size = json_object_get_uint64(size),
		.mtime = json_object_get_int64(mtime),
		.ctime = json_object_get_int64(ctime),
	};
	memcpy(ret->boot, boot, strlen(boot) + 1);
	return 0;
}

/* ---- its blocks ---- */

int pme_work_place_same(const struct pme_work *work, uint64_t at, uint64_t length)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	const struct pme_work_target *t = &work->targets[0];
	int r = pme_extents_read(t->fd, (struct pme_range){t->starts[0] + at, length}, &extents);

	for (size_t i = 0; r == 0 && i < extents.count; i++) {
		const struct pme_extent *e = &extents.items[i];

		if (e->state != PME_EXTENT_DATA || e->shared ||
		    e->device_start != work->parts[0].device.start + e->range.start - t->starts[0])
			return 0;
	}
	return r < 0 ? r : extents.count > 0;
}

/* ---- acts ---- */

/* As it is under the lease: what is written later has other times. */
static int sample(struct pme_work *work)
{
	struct pme_work_target *t = &work->targets[0];
	int r = pme_remap_pass_stamp(t->fd);

	if (r == 0)
		r = pme_os_sync(t->fd);
	if (r == 0)
		r = pme_work_before_take(work->os, t->fd, &work->before);
	work->before.known = false; /* nothing was written yet */
	return r < 0 ? pme_work_fail(work, r, "%s: cannot be flushed and looked at: %s", t->path,
				     strerror(-r))
		     : 0;
}

static int prove(struct pme_work *work)
{
	const char *path = work->targets[0].path;
	int r = pme_work_place_same(work, 0, work->parts[0].device.length);

	if (r == 0)
		return pme_work_fail(work, -ESTALE, "%s: it has other blocks by now", path);
	if (r > 0)
		r = work->prove ? work->prove(work) : -EUCLEAN;
	if (r == 0)
		return pme_work_fail(work, -ESTALE, "%s: it was written meanwhile", path);
	return r < 0 ? pme_work_fail(work, r, "%s: cannot be proven: %s", path, strerror(-r)) : 0;
}

static int write_and_verify(struct pme_work *work)
{
	int r;

	work->before.known = true;
	r = pme_work_note(work, "write", 0);
	if (r == 0)
		r = pme_work_place_write(work);
	if (r == 0)
		r = pme_work_note(work, "verify", SIZE_MAX);
	return r < 0 ? r : pme_work_place_verify(work);
}

int pme_work_place(struct pme_work *work)
{
	int r = work->n_targets == 1 ? pme_work_lease(work, 0) : -EUCLEAN;

	if (r == 0)
		r = sample(work);
	if (r == 0)
		r = prove(work);
	if (r == 0)
		r = write_and_verify(work);
	pme_work_unlease(work, 0);
	return r;
}
