/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of an LVM physical volume that no active volume uses: label, metadata areas, free extents,
 * extents of volumes that are not active.
 *
 * The surprise: a volume may be active and yet not use its extents (LVM is changing it just now, or
 * suspended it): then the text on disk and the tables of the kernel speak of two moments, and
 * nothing is claimed.
 */
#include <inttypes.h>
#include <string.h>

#include "copies.h"
#include "rest-lvm.h"
#include "rest.h"

#define NESTED_MAX 16 /* volumes within volumes */
#define LVM_UUID "LVM-"

struct fill {
	struct pme_stack *stack;
	const struct pme_dev *dev;
	struct pme_range range;
	const struct pme_lvm_map *map;
	struct pme_range_list said;
	struct pme_steps *ret;
};

/* What of @area was asked about, noted as said: 1, 0 when nothing, -errno. */
static int take(struct fill *fill, struct pme_range area, struct pme_range *ret)
{
	int r;

	if (!pme_range_intersect(area, fill->range, ret))
		return 0;
	r = pme_range_list_add(&fill->said, ret->start, ret->length);
	return r < 0 ? r : 1;
}

/* Can header and live text of @area be read, as far as anybody knows?  1, 0, -errno. */
static int is_readable(struct fill *fill, const struct pme_lvm_area *area)
{
	struct pme_range parts[3] = {{area->range.start, PME_LVM_HEADER_BYTES}};
	size_t n = 1 + pme_lvm_locn_pieces(area->range, &area->locns[0], parts + 1);

	for (size_t i = 0; i < n; i++) {
		_cleanup_(pme_missing_done) struct pme_missing missing = {0};
		int r = pme_missing_of(fill->stack, area->dev, parts[i], &missing);

		if (r < 0)
			return r;
		if (missing.bad.count > 0 || missing.doubt.count > 0)
			return 0;
	}
	return 1;
}

/* Another area of the group that has the newest text: in *@ret, or NULL there. */
static int find_other(struct fill *fill, const struct pme_lvm_area *area,
		      const struct pme_lvm_area **ret)
{
	const struct pme_lvm_map *map = fill->map;

	*ret = NULL;
	for (size_t i = 0; map->in_group && i < map->n_areas; i++) {
		const struct pme_lvm_area *other = &map->areas[i];
		int r;

		if (other == area || other->text_error < 0 || other->seqno != map->vg.seqno ||
		    strcmp(other->vg_id, map->vg.id) != 0)
			continue;
		r = is_readable(fill, other);
		if (r < 0)
			return r;
		if (r == 1) {
			*ret = other;
			return 0;
		}
	}
	return 0;
}

/* Bytes of an area that LVM needs: redundant when another area has the same text. */
static int say_metadata(struct fill *fill, const struct pme_lvm_area *area, struct pme_range part,
			const char *what)
{
	const struct pme_lvm_area *other;
	char *detail, *reason = NULL;
	struct pme_range asked;
	int r = take(fill, part, &asked);

	if (r <= 0)
		return r;
	r = find_other(fill, area, &other);
	if (r < 0)
		return r;
	detail = pme_printf("%s of LVM physical volume %s", what, pme_dev_label(fill->dev));
	if (other)
		reason = pme_printf("the metadata area at byte %" PRIu64 " of %s has the same text "
				    "(%s, seqno %" PRIu64 ")",
				    other->range.start, pme_dev_label(other->dev),
				    fill->map->vg.name, other->seqno);
	if (!detail || (other && !reason)) {
		free(detail);
		free(reason);
		return -ENOMEM;
	}
	return pme_steps_end(fill->ret, asked, PME_OWNER_VOLUME_METADATA,
			     other ? PME_REDUNDANT : PME_EXACT, detail, reason);
}

/* What of @whole was not said yet: unused or free. */
static int say_rest(struct fill *fill, struct pme_range whole, enum pme_owner_kind owner,
		    const char *what)
{
	_cleanup_(pme_range_list_done) struct pme_range_list left = {0};
	struct pme_range asked;
	int r;

	if (!pme_range_intersect(whole, fill->range, &asked))
		return 0;
	pme_range_list_normalize(&fill->said);
	r = pme_range_list_subtract(asked, &fill->said, &left);
	for (size_t i = 0; r == 0 && i < left.count; i++)
		r = pme_steps_owner(fill->ret, left.items[i], NULL, owner,
				    "%s LVM physical volume %s", what, pme_dev_label(fill->dev));
	if (r == 0)
		r = pme_range_list_add(&fill->said, asked.start, asked.length);
	return r;
}

static int say_area(struct fill *fill, const struct pme_lvm_area *area)
{
	struct pme_range pieces[2];
	int r;

	if (area->header_error < 0)
		return say_metadata(fill, area, area->range, "metadata area without a good header");
	r = say_metadata(fill, area, (struct pme_range){area->range.start, PME_LVM_HEADER_BYTES},
			 "header of a metadata area");
	for (size_t l = 0; l < PME_ARRAY_SIZE(area->locns); l++) {
		size_t n = pme_lvm_locn_pieces(area->range, &area->locns[l], pieces);

		for (size_t i = 0; r == 0 && i < n; i++)
			r = say_metadata(fill, area, pieces[i], "metadata text");
	}
	return r < 0 ? r
		     : say_rest(fill, area->range, PME_OWNER_UNUSED,
				"older text, or nothing yet, in a metadata area of");
}

static int say_label(struct fill *fill)
{
	struct pme_range label = {fill->map->label.start, PME_SECTOR}, asked;
	int r = take(fill, label, &asked);

	if (r <= 0)
		return r;
	return pme_steps_owner(fill->ret, asked, NULL, PME_OWNER_VOLUME_METADATA,
			       "label of LVM physical volume %s: pvcreate --restorefile writes it "
			       "again",
			       pme_dev_label(fill->dev));
}

/* LVM keeps these free for a boot loader, and does not know whether there is one. */
static int say_boots(struct fill *fill)
{
	const struct pme_lvm_label *label = &fill->map->label;
	int r = 0;

	for (size_t i = 0; r == 0 && i < label->n_boots; i++) {
		struct pme_range asked;

		r = take(fill, label->boots[i], &asked);
		if (r == 1)
			r = pme_steps_unknown(
				fill->ret, asked, NULL,
				"boot loader area of LVM physical volume %s: LVM does "
				"not know what is in it",
				pme_dev_label(fill->dev));
	}
	return r;
}

/* The visible volume that hidden @lv is part of, or @lv. */
static size_t find_top(const struct pme_lvm_vg *vg, size_t lv)
{
	for (int i = 0; i < NESTED_MAX; i++) {
		if (vg->lvs[lv].visible || vg->lvs[lv].parent == PME_LVM_NONE)
			return lv;
		lv = vg->lvs[lv].parent;
	}
	return lv;
}

/* Is there a device-mapper device of @lv, or of a layer in it ("-real", "-tpool")? */
static bool is_active(const struct pme_topo *topo, const struct pme_lvm_vg *vg, size_t lv)
{
	for (size_t i = 0; i < topo->n_devs; i++) {
		const char *uuid = topo->devs[i]->uuid;

		if (topo->devs[i]->kind == PME_DEV_DM && uuid &&
		    strncmp(uuid, LVM_UUID, strlen(LVM_UUID)) == 0 &&
		    strncmp(uuid + strlen(LVM_UUID), vg->id, PME_LVM_ID) == 0 &&
		    strncmp(uuid + strlen(LVM_UUID) + PME_LVM_ID, vg->lvs[lv].id, PME_LVM_ID) == 0)
			return true;
	}
	return false;
}

/* Byte of the volume for byte @offset of a run. */
static uint64_t volume_byte(const struct pme_lvm_vg *vg, const struct pme_lvm_run *run,
			    uint64_t offset)
{
	uint64_t start = run->le * vg->extent;

	if (run->stripes == 1)
		return start + offset;
	return start + (offset / run->chunk * run->stripes + run->stripe) * run->chunk +
	       offset % run->chunk;
}

/* "byte 0 to 511 of vg/lv (striped segment of extents 0 to 7), part of vg/top". */
static char *run_text(const struct pme_lvm_vg *vg, const struct pme_lvm_run *run, uint64_t offset,
		      uint64_t length)
{
	uint64_t first = volume_byte(vg, run, offset);
	uint64_t last = volume_byte(vg, run, offset + length - 1);
	size_t top = find_top(vg, run->lv);
	_cleanup_free_ char *part = NULL;

	part = top == run->lv ? strdup("")
			      : pme_printf(", part of %s/%s", vg->name, vg->lvs[top].name);
	if (!part)
		return NULL;
	return pme_printf("%sbytes %" PRIu64 " to %" PRIu64 " of %s/%s (%s segment, extents "
			  "%" PRIu64 " to %" PRIu64 ")%s",
			  last - first == length - 1 ? "" : "some of ", first, last, vg->name,
			  vg->lvs[run->lv].name,
			  run->stripes == 1 && strcmp(run->type, "striped") == 0 ? "linear"
										 : run->type,
			  run->le, run->le + run->le_count - 1, part);
}

static int say_run(struct fill *fill, const struct pme_lvm_run *run)
{
	const struct pme_lvm_vg *vg = &fill->map->vg;
	uint64_t start = vg->pvs[fill->map->pv].pe_start + run->pe * vg->extent;
	struct pme_range area = {start, run->count * vg->extent}, asked;
	size_t top = find_top(vg, run->lv);
	_cleanup_free_ char *text = NULL;
	int r = take(fill, area, &asked);

	if (r <= 0)
		return r;
	text = run_text(vg, run, asked.start - start, asked.length);
	if (!text)
		return -ENOMEM;
	if (vg->lvs[run->lv].pvmove)
		return pme_steps_unknown(fill->ret, asked, NULL,
					 "%s: a pvmove that is not active or has just changed: "
					 "scan again when it has ended",
					 text);
	if (is_active(fill->stack->topo, vg, run->lv))
		return pme_steps_unknown(fill->ret, asked, NULL,
					 "%s: it is active, but its table does not use these "
					 "bytes: LVM is changing it, scan again",
					 text);
	return pme_steps_unknown(fill->ret, asked, NULL,
				 "%s, which is not active: lvchange -ay %s/%s, and scan again",
				 text, vg->name, vg->lvs[top].name);
}

/* Extents of no volume. */
static int say_free(struct fill *fill, struct pme_range data)
{
	const struct pme_lvm_vg *vg = &fill->map->vg;
	_cleanup_(pme_range_list_done) struct pme_range_list left = {0};
	struct pme_range asked;
	int r;

	if (!pme_range_intersect(data, fill->range, &asked))
		return 0;
	pme_range_list_normalize(&fill->said);
	r = pme_range_list_subtract(asked, &fill->said, &left);
	for (size_t i = 0; r == 0 && i < left.count; i++) {
		uint64_t first = (left.items[i].start - data.start) / vg->extent;
		uint64_t last = (pme_range_end(left.items[i]) - 1 - data.start) / vg->extent;

		if (first == last)
			r = pme_steps_owner(fill->ret, left.items[i], NULL, PME_OWNER_FREE,
					    "free extent %" PRIu64 " of %s on %s", first, vg->name,
					    pme_dev_label(fill->dev));
		else
			r = pme_steps_owner(fill->ret, left.items[i], NULL, PME_OWNER_FREE,
					    "free extents %" PRIu64 " to %" PRIu64 " of %s on %s",
					    first, last, vg->name, pme_dev_label(fill->dev));
	}
	return r < 0 ? r : pme_range_list_add(&fill->said, asked.start, asked.length);
}

static int say_data(struct fill *fill)
{
	const struct pme_lvm_vg *vg = &fill->map->vg;
	const struct pme_lvm_pv *pv = &vg->pvs[fill->map->pv];
	struct pme_range data = {pv->pe_start, pv->pe_count * vg->extent};
	int r = say_rest(fill, (struct pme_range){0, pv->pe_start}, PME_OWNER_UNUSED,
			 "in front of the extents of");

	for (size_t i = 0; r == 0 && i < vg->n_runs; i++)
		if (vg->runs[i].pv == fill->map->pv)
			r = say_run(fill, &vg->runs[i]);
	if (r == 0)
		r = say_free(fill, data);
	if (r == 0)
		r = say_rest(fill, (struct pme_range){0, fill->dev->size}, PME_OWNER_UNUSED,
			     "behind the extents of");
	return r;
}

/* Its areas say that it is in no group: all readable, at least one, none with a text. */
static bool is_orphan(const struct pme_lvm_map *map)
{
	for (size_t i = 0; i < map->n_own; i++)
		if (map->areas[i].header_error < 0 || map->areas[i].locns[0].ignored ||
		    map->areas[i].locns[0].size > 0)
			return false;
	return map->n_own > 0 && !map->in_group;
}

/* Nobody knows what the extents are. */
static int say_unknown(struct fill *fill)
{
	_cleanup_(pme_range_list_done) struct pme_range_list left = {0};
	int r;

	pme_range_list_normalize(&fill->said);
	r = pme_range_list_subtract(fill->range, &fill->said, &left);
	for (size_t i = 0; r == 0 && i < left.count; i++)
		r = pme_steps_unknown(fill->ret, left.items[i], NULL,
				      "LVM physical volume %s: no metadata area of its group can "
				      "be read: free, or of a volume that is not active",
				      pme_dev_label(fill->dev));
	return r;
}

static int fill_all(struct fill *fill)
{
	int r = say_label(fill);

	for (size_t i = 0; r == 0 && i < fill->map->n_own; i++)
		r = say_area(fill, &fill->map->areas[i]);
	if (r == 0)
		r = say_boots(fill);
	if (r < 0)
		return r;
	if (fill->map->in_group)
		return say_data(fill);
	if (is_orphan(fill->map))
		return say_rest(fill, (struct pme_range){0, fill->dev->size}, PME_OWNER_UNUSED,
				"in no volume group:");
	return say_unknown(fill);
}

static int fill_lvm(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		    struct pme_steps *ret)
{
	struct fill fill = {.stack = stack, .dev = dev, .range = range, .ret = ret};
	const void *map;
	const char *why;
	int r = pme_map_get(stack, &pme_lvm_map_kind, dev, NULL, &map, &why);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, range, NULL, "%s", why);
	fill.map = map;
	r = fill_all(&fill);
	pme_range_list_done(&fill.said);
	return r;
}

const struct pme_rest_kind pme_rest_lvm = {.type = "LVM2_member", .fill = fill_lvm};
