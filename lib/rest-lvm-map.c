/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads what LVM wrote on a physical volume, and on others of its volume group; see rest-lvm.h.
 *
 * The newest text of all readable areas counts, as for LVM itself.  The surprise: LVM may write a
 * text while it is read; a wrong checksum is read again.
 */
#include <string.h>

#include "media.h"
#include "rest-lvm.h"

#define TRIES 3
#define LVM_UUID "LVM-"

static bool is_id(const char *text, const char *id)
{
	return strncmp(text, id, PME_LVM_ID) == 0;
}

/* May it be a physical volume?  Volumes of LVM are not read: they may be suspended. */
static bool is_candidate(const struct pme_dev *dev)
{
	switch (dev->kind) {
	case PME_DEV_DISK:
	case PME_DEV_PARTITION:
	case PME_DEV_MD:
		return true;
	case PME_DEV_DM:
		return !dev->uuid || strncmp(dev->uuid, LVM_UUID, strlen(LVM_UUID)) != 0;
	case PME_DEV_REGION:
	case PME_DEV_CHARDEV:
		return false;
	}
	return false;
}

static int read_header(int fd, struct pme_lvm_area *area)
{
	unsigned char header[PME_LVM_HEADER_BYTES];
	int r = pme_media_read(fd, header, sizeof(header), area->range.start);

	return r < 0 ? r : pme_lvm_header_parse(header, area->range, area->locns);
}

/* The live text: 0, -ENODATA when there is none, or -errno. */
static int read_text(int fd, const struct pme_lvm_area *area, struct pme_lvm_vg *ret)
{
	const struct pme_lvm_locn *locn = &area->locns[0];
	struct pme_range pieces[2];
	size_t n = pme_lvm_locn_pieces(area->range, locn, pieces), done = 0;
	_cleanup_free_ char *text = NULL;

	if (n == 0 || locn->ignored)
		return -ENODATA;
	text = malloc(locn->size);
	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		int r = pme_media_read(fd, text + done, pieces[i].length, pieces[i].start);

		if (r < 0)
			return r == -ENODATA ? -EINVAL : r;
		done += pieces[i].length;
	}
	if (!pme_lvm_text_is_good(text, locn))
		return -EBADMSG;
	return pme_lvm_text_parse(text, locn->size, ret);
}

/* Everything about one area; what is wrong is kept in it.  0 or -ENOMEM. */
static int read_area(int fd, struct pme_lvm_area *area, struct pme_lvm_vg *ret)
{
	for (int try = 0; try < TRIES; try++) {
		area->header_error = read_header(fd, area);
		area->text_error = area->header_error;
		if (area->header_error == 0)
			area->text_error = read_text(fd, area, ret);
		if (area->text_error != -EBADMSG && area->header_error != -EINVAL)
			break;
	}
	if (area->text_error == 0) {
		area->seqno = ret->seqno;
		memcpy(area->vg_id, ret->id, sizeof(area->vg_id));
	}
	return area->text_error == -ENOMEM ? -ENOMEM : 0;
}

/* Keeps the newer text; takes @vg. */
static void offer(struct pme_lvm_map *map, struct pme_lvm_vg *vg)
{
	size_t pv = pme_lvm_find_pv(vg, map->label.id);

	if (pv == PME_LVM_NONE || (map->in_group && map->vg.seqno >= vg->seqno)) {
		pme_lvm_vg_done(vg);
		return;
	}
	pme_lvm_vg_done(&map->vg);
	map->vg = *vg;
	map->pv = pv;
	map->in_group = true;
	*vg = (struct pme_lvm_vg){.name = NULL};
}

/* The areas of the label @label of @dev; of others only those that know this volume. */
static int read_areas(struct pme_lvm_map *map, const struct pme_dev *dev, int fd,
		      const struct pme_lvm_label *label, bool own)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < label->n_areas; i++) {
		_cleanup_(pme_lvm_vg_done) struct pme_lvm_vg vg = {.name = NULL};
		struct pme_lvm_area area = {.dev = dev, .range = label->areas[i]};

		r = read_area(fd, &area, &vg);
		if (r < 0 || (!own && (area.text_error < 0 ||
				       pme_lvm_find_pv(&vg, map->label.id) == PME_LVM_NONE)))
			continue;
		r = pme_grow(&map->areas, &map->alloc_areas, map->n_areas, sizeof(area));
		if (r < 0)
			return r;
		map->areas[map->n_areas++] = area;
		if (area.text_error == 0)
			offer(map, &vg);
	}
	return r;
}

static int read_label(int fd, const struct pme_dev *dev, struct pme_lvm_label *ret)
{
	unsigned char buf[PME_LVM_LABEL_BYTES];
	int r = pme_media_read(fd, buf, sizeof(buf), 0);

	return r < 0 ? r : pme_lvm_label_parse(buf, dev->size, ret);
}

/* Another device: what cannot be read is passed over. */
static int read_other(struct pme_lvm_map *map, const struct pme_topo *topo,
		      const struct pme_dev *dev)
{
	_cleanup_close_ int fd = pme_media_open(topo, dev);
	struct pme_lvm_label label;

	if (fd < 0 || read_label(fd, dev, &label) < 0)
		return 0;
	return read_areas(map, dev, fd, &label, false);
}

static void done(void *pointer)
{
	struct pme_lvm_map *map = pointer;

	pme_lvm_vg_done(&map->vg);
	free(map->areas);
	free(map);
}

static void free_map(struct pme_lvm_map **map)
{
	if (*map)
		done(*map);
}

static int fill_map(struct pme_lvm_map *map, const struct pme_topo *topo, const struct pme_dev *dev)
{
	_cleanup_close_ int fd = pme_media_open(topo, dev);
	int r = fd < 0 ? fd : read_label(fd, dev, &map->label);

	if (r == 0)
		r = read_areas(map, dev, fd, &map->label, true);
	map->n_own = map->n_areas;
	for (size_t i = 0; r == 0 && i < topo->n_devs; i++)
		if (topo->devs[i] != dev && is_candidate(topo->devs[i]))
			r = read_other(map, topo, topo->devs[i]);
	return r;
}

static int load(struct pme_stack *stack, const struct pme_dev *dev, const struct pme_dm_line *line,
		void **ret, char **ret_why)
{
	_cleanup_(free_map) struct pme_lvm_map *map = calloc(1, sizeof(*map));
	int r = map ? fill_map(map, stack->topo, dev) : -ENOMEM;

	(void)line;
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		*ret_why = pme_printf("the label of LVM physical volume %s cannot be read: %s: see "
				      "pvs --segments",
				      pme_dev_label(dev), pme_media_error(r));
		return r;
	}
	*ret = pme_take_ptr(map);
	return 0;
}

const struct pme_map_kind pme_lvm_map_kind = {.load = load, .done = done};

/* Sets *@ret when the group has a name for it: 0, -ENOMEM. */
static int name_thin(const struct pme_lvm_vg *vg, const char *pool_id, uint64_t device_id,
		     char **ret)
{
	for (size_t i = 0; i < vg->n_lvs; i++) {
		const struct pme_lvm_lv *lv = &vg->lvs[i];
		size_t pool = PME_LVM_NONE;

		if (lv->thin_pool && lv->device_id == device_id)
			pool = pme_lvm_find_lv(vg, lv->thin_pool);
		if (pool == PME_LVM_NONE || !is_id(pool_id, vg->lvs[pool].id))
			continue;
		*ret = pme_printf("%s/%s", vg->name, lv->name);
		return *ret ? 0 : -ENOMEM;
	}
	return 0;
}

/* @ids: of a group, and more behind it.  Is @dev a volume of that group? */
static bool is_of_group(const struct pme_dev *dev, const char *ids)
{
	return dev->kind == PME_DEV_DM && dev->uuid &&
	       strncmp(dev->uuid, LVM_UUID, strlen(LVM_UUID)) == 0 &&
	       strncmp(dev->uuid + strlen(LVM_UUID), ids, PME_LVM_ID) == 0;
}

/* Ask the first physical volume below @dev that knows its group: 1, 0 none does, -ENOMEM. */
static int name_below(struct pme_stack *stack, const struct pme_dev *dev, const char *ids,
		      uint64_t device_id, char **ret)
{
	const struct pme_lvm_map *lvm;
	const void *map;
	const char *why;
	int r = 0;

	if (is_of_group(dev, ids)) {
		for (size_t i = 0; r == 0 && i < dev->n_lowers; i++)
			r = name_below(stack, dev->lowers[i], ids, device_id, ret);
		return r;
	}
	r = pme_map_get(stack, &pme_lvm_map_kind, dev, NULL, &map, &why);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	lvm = map;
	if (!lvm->in_group || !is_id(ids, lvm->vg.id))
		return 0;
	r = name_thin(&lvm->vg, ids + PME_LVM_ID, device_id, ret);
	return r < 0 ? r : 1;
}

int pme_lvm_thin_name(struct pme_stack *stack, const struct pme_dev *pool, uint64_t device_id,
		      char **ret)
{
	const char *ids = pool->uuid;
	int r;

	*ret = NULL;
	if (!ids || strncmp(ids, LVM_UUID, strlen(LVM_UUID)) != 0 ||
	    strlen(ids) < strlen(LVM_UUID) + 2 * PME_LVM_ID)
		return 0;
	r = name_below(stack, pool, ids + strlen(LVM_UUID), device_id, ret);
	return r < 0 ? r : 0;
}
