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

#define CAPS_MAX 4096	   /* bytes of security.capability */
#define TARGETS_MAX 65536U /* files that share one block */

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

void pme_work_done(struct pme_work *work)
{
	for (size_t i = 0; i < work->n_targets; i++) {
		struct pme_work_target *t = &work->targets[i];

		pme_work_unlease(work, i);
		free(t->path);
		free(t->caps);
	}
	free(work->targets);
	pme_close_fd(&work->dir);
	pme_close_fd(&work->staging);
	pme_reach_close(&work->reach);
	free(work->good);
	free(work->error);
}

static struct json_object *target_json(const struct pme_work_target *t)
{
	struct json_object *object = pme_json_object();

	pme_json_number(object, "inode", t->file.inode);
	pme_json_number(object, "generation", t->file.generation);
	pme_json_number(object, "start", t->start);
	pme_json_set(object, "path", pme_json_path(t->path));
	pme_json_number(object, "mode", t->mode);
	pme_json_set(object, "ctime", pme_json_int(t->ctime));
	pme_json_bool(object, "own", t->own);
	if (t->caps)
		pme_json_owned_text(object, "capability", pme_base64(t->caps, t->caps_len));
	else
		pme_json_set(object, "capability", NULL);
	return object;
}

struct json_object *pme_work_about(const struct pme_work *work, const struct pme_repair_step *step)
{
	struct json_object *about = pme_json_object(), *fs = pme_json_object();
	struct json_object *targets = pme_json_array();

	pme_json_text(about, "how", pme_repair_how_name(work->how));
	pme_json_text(fs, "type", work->fs->type);
	pme_json_text(fs, "uuid", work->fs->uuid);
	pme_json_text(fs, "source", work->fs->source);
	pme_json_set(about, "filesystem", fs);
	pme_json_text(about, "device", work->fs->dev->name);
	pme_json_range(about, "range", work->device);
	pme_json_set(about, "bad", pme_json_ranges(&step->bad));
	pme_json_bool(about, "zero", step->zero);
	pme_json_set(about, "donor", pme_donor_json(&step->donor));
	for (size_t i = 0; i < work->n_targets; i++)
		pme_json_append(targets, target_json(&work->targets[i]));
	pme_json_set(about, "targets", targets);
	return about;
}

/* A number that must be there. */
static int number(struct json_object *object, const char *key, uint64_t max, uint64_t *ret)
{
	struct json_object *value = pme_json_get(object, key);

	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
	    json_object_get_uint64(value) > max)
		return -EINVAL;
	*ret = json_object_get_uint64(value);
	return 0;
}

static int parse_caps(struct json_object *object, struct pme_work_target *t)
{
	struct json_object *value = pme_json_get(object, "capability");
	const char *text = json_object_get_string(value);
	int r;

	if (!value)
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return -EINVAL;
	r = pme_base64_parse(text, strlen(text), &t->caps, &t->caps_len);
	return r < 0 ? r : t->caps_len <= CAPS_MAX ? 0 : -EINVAL;
}

static int parse_target(struct json_object *object, const struct pme_range *device,
			struct pme_work_target *t)
{
	const char *path = pme_json_get_text(pme_json_get(object, "path"), "path");
	uint64_t generation = 0, mode = 0, end;
	int r = number(object, "inode", INT64_MAX, &t->file.inode);

	if (r == 0)
		r = number(object, "generation", UINT32_MAX, &generation);
	if (r == 0)
		r = number(object, "start", INT64_MAX, &t->start);
	if (r == 0)
		r = number(object, "mode", 07777, &mode);
	if (r == 0 && (pme_add(t->start, device->length, &end) < 0 || end > INT64_MAX))
		r = -EINVAL;
	if (r == 0)
		r = parse_caps(object, t);
	if (r < 0)
		return r;
	t->file.generation = (uint32_t)generation;
	t->mode = (uint32_t)mode;
	t->ctime = json_object_get_int64(pme_json_get(object, "ctime"));
	t->own = pme_json_get_bool(object, "own");
	t->path = strdup(path);
	return t->path ? 0 : -ENOMEM;
}

static int parse_how(const char *name, enum pme_repair_how *ret)
{
	for (int how = PME_HOW_COMMIT; how <= PME_HOW_PLACE; how++)
		if (strcmp(pme_repair_how_name((enum pme_repair_how)how), name) == 0) {
			*ret = (enum pme_repair_how)how;
			return 0;
		}
	return -EINVAL;
}

int pme_work_about_parse(struct json_object *about, struct pme_work *ret)
{
	struct json_object *targets = pme_json_get(about, "targets");
	struct json_object *range = pme_json_get(about, "range");
	int r = parse_how(pme_json_get_text(about, "how"), &ret->how);

	ret->zero = pme_json_get_bool(about, "zero");
	if (r == 0)
		r = number(range, "start", INT64_MAX, &ret->device.start);
	if (r == 0)
		r = number(range, "length", PME_WORK_MAX, &ret->device.length);
	if (r == 0 && (ret->device.length == 0 || ret->device.length % 512 ||
		       pme_json_count(targets) == 0 || pme_json_count(targets) > TARGETS_MAX))
		r = -EINVAL;
	for (size_t i = 0; r == 0 && i < pme_json_count(targets); i++) {
		r = pme_grow(&ret->targets, &ret->alloc_targets, ret->n_targets,
			     sizeof(*ret->targets));
		if (r < 0)
			break;
		ret->targets[ret->n_targets] = (struct pme_work_target){.fd = -1};
		r = parse_target(pme_json_at(targets, i), &ret->device,
				 &ret->targets[ret->n_targets++]);
	}
	return r;
}

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
				     strerror(-work->staging));
	if (flock(work->staging, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		return pme_work_fail(work, r, "another repair of this filesystem runs");
	}
	return 0;
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
	if (st.st_size < 0 || (uint64_t)st.st_size <= t->start)
		return -ESTALE;
	t->length = pme_min(work->device.length, (uint64_t)st.st_size - t->start);
	return pme_take_fd(&fd);
}

int pme_work_runs(const struct pme_work *work, size_t i, int fd, struct pme_range_list *ret)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	const struct pme_work_target *t = &work->targets[i];
	struct pme_range range = {.start = t->start, .length = work->device.length};
	int r = pme_extents_read(fd, range, &extents);

	for (size_t j = 0; r == 0 && j < extents.count; j++) {
		const struct pme_extent *e = &extents.items[j];
		uint64_t at = e->range.start - t->start;

		if (e->state == PME_EXTENT_DATA && at < t->length &&
		    e->device_start == work->device.start + at)
			r = pme_range_list_add(ret, at, pme_min(e->range.length, t->length - at));
	}
	pme_range_list_normalize(ret);
	return r;
}

bool pme_work_is_whole(const struct pme_work *work, size_t i, const struct pme_range_list *runs)
{
	return runs->count == 1 && runs->items[0].start == 0 &&
	       runs->items[0].length == work->targets[i].length;
}

int pme_work_owned(const struct pme_work *work, int fd, uint64_t start, struct pme_range_list *ret)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	struct pme_range common;
	int r = pme_extents_read(
		fd, (struct pme_range){.start = start, .length = work->device.length}, &extents);

	for (size_t i = 0; r == 0 && i < extents.count; i++) {
		const struct pme_extent *e = &extents.items[i];
		struct pme_range at = {.start = e->device_start, .length = e->range.length};

		if ((e->state == PME_EXTENT_DATA || e->state == PME_EXTENT_UNWRITTEN) &&
		    pme_range_intersect(at, work->device, &common))
			r = pme_range_list_add(ret, common.start, common.length);
	}
	pme_range_list_normalize(ret);
	return r;
}

void pme_work_digest(const struct pme_work *work, const void *good, char ret[PME_WORK_DIGEST])
{
	XXH128_hash_t hash = XXH3_128bits(good, work->device.length);

	snprintf(ret, PME_WORK_DIGEST, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
		 (uint64_t)hash.low64);
}
