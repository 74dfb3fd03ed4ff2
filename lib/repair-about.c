/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the journal is told of a work, and back: see repair-work.h.
 */
#include <string.h>

#include "doc.h"
#include "repair-work.h"

#define CAPS_MAX 4096	   /* bytes of security.capability */

static struct json_object *target_json(const struct pme_work *work, const struct pme_work_target *t)
{
	struct json_object *object = pme_json_object(), *starts = pme_json_array();

	for (size_t p = 0; p < work->n_parts; p++)
		pme_json_append(starts, pme_json_int((int64_t)t->starts[p]));
	pme_json_number(object, "inode", t->file.inode);
	pme_json_number(object, "generation", t->file.generation);
	pme_json_set(object, "starts", starts);
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

static bool same_text(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static bool same_donor(const struct pme_donor *a, const struct pme_donor *b)
{
	return a->kind == b->kind && a->proof == b->proof && a->taken == b->taken &&
	       same_text(a->path, b->path) && same_text(a->detail, b->detail);
}

/* The donor is told where it is another than that of @before. */
static struct json_object *part_json(const struct pme_work_part *part,
				     const struct pme_repair_step *step,
				     const struct pme_repair_step *before)
{
	struct json_object *object = pme_json_object();

	pme_json_range(object, "range", part->device);
	pme_json_set(object, "bad", pme_json_ranges(&step->bad));
	if (!before || !same_donor(&step->donor, &before->donor))
		pme_json_set(object, "donor", pme_donor_json(&step->donor));
	return object;
}

struct json_object *pme_work_about(const struct pme_work *work,
				   struct pme_repair_step *const *steps)
{
	struct json_object *about = pme_json_object(), *fs = pme_json_object();
	struct json_object *targets = pme_json_array(), *parts = pme_json_array();

	pme_json_text(about, "how", pme_repair_how_name(work->how));
	pme_json_text(fs, "type", work->fs->type);
	pme_json_text(fs, "uuid", work->fs->uuid);
	pme_json_text(fs, "source", work->fs->source);
	pme_json_set(about, "filesystem", fs);
	pme_json_text(about, "device", work->fs->dev->name);
	pme_json_bool(about, "zero", work->zero);
	for (size_t p = 0; p < work->n_parts; p++)
		pme_json_append(parts,
				part_json(&work->parts[p], steps[p], p > 0 ? steps[p - 1] : NULL));
	pme_json_set(about, "parts", parts);
	for (size_t i = 0; i < work->n_targets; i++)
		pme_json_append(targets, target_json(work, &work->targets[i]));
	pme_json_set(about, "targets", targets);
	return about;
}

static int to_number(struct json_object *value, uint64_t max, uint64_t *ret)
{
	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
	    json_object_get_uint64(value) > max)
		return -EINVAL;
	*ret = json_object_get_uint64(value);
	return 0;
}

/* A number that must be there. */
static int number(struct json_object *object, const char *key, uint64_t max, uint64_t *ret)
{
	return to_number(pme_json_get(object, key), max, ret);
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

static int parse_starts(struct json_object *object, const struct pme_work *work,
			struct pme_work_target *t)
{
	struct json_object *starts = pme_json_get(object, "starts");
	int r = pme_json_count(starts) == work->n_parts ? 0 : -EINVAL;

	for (size_t p = 0; r == 0 && p < work->n_parts; p++) {
		r = to_number(pme_json_at(starts, p), INT64_MAX, &t->starts[p]);
		if (r == 0 && t->starts[p] > INT64_MAX - work->parts[p].device.length)
			r = -EINVAL;
	}
	return r;
}

static int parse_target(struct json_object *object, struct pme_work *work)
{
	const char *path = pme_json_get_text(pme_json_get(object, "path"), "path");
	struct pme_work_target *t = pme_work_add_target(work);
	uint64_t generation = 0, mode = 0;
	int r = t ? number(object, "inode", INT64_MAX, &t->file.inode) : -ENOMEM;

	if (r == 0)
		r = number(object, "generation", UINT32_MAX, &generation);
	if (r == 0)
		r = number(object, "mode", 07777, &mode);
	if (r == 0)
		r = parse_starts(object, work, t);
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

static int parse_parts(struct json_object *parts, struct pme_work *ret)
{
	int r = pme_json_count(parts) > 0 ? 0 : -EINVAL;

	for (size_t p = 0; r == 0 && p < pme_json_count(parts); p++) {
		struct json_object *range = pme_json_get(pme_json_at(parts, p), "range");
		struct pme_range device = {0};

		r = number(range, "start", INT64_MAX, &device.start);
		if (r == 0)
			r = number(range, "length", PME_WORK_MAX, &device.length);
		if (r == 0)
			r = pme_work_add_part(ret, device);
	}
	return r == -E2BIG ? -EINVAL : r;
}

int pme_work_about_parse(struct json_object *about, struct pme_work *ret)
{
	struct json_object *targets = pme_json_get(about, "targets");
	int r = parse_how(pme_json_get_text(about, "how"), &ret->how);

	ret->zero = pme_json_get_bool(about, "zero");
	if (r == 0)
		r = parse_parts(pme_json_get(about, "parts"), ret);
	if (r == 0 && (pme_json_count(targets) == 0 || pme_json_count(targets) > PME_WORK_TARGETS_MAX ||
		       (ret->how == PME_HOW_PLACE && ret->n_parts != 1)))
		r = -EINVAL;
	for (size_t i = 0; r == 0 && i < pme_json_count(targets); i++)
		r = parse_target(pme_json_at(targets, i), ret);
	return r;
}
