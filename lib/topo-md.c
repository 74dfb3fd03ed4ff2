/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MD arrays from their sysfs attributes.  mdadm's ioctls say less, and its configuration lies.
 *
 * Refused, with table_error: text that makes no sense, a component that has a slot but is not in
 * the snapshot, or reaches past its device.  A layer must not compute with half an array.
 *
 * The surprise: three units.  chunk_size is bytes, component size KiB, offset 512-byte sectors.
 */
#include "topo.h"

#include <limits.h>
#include <string.h>

#define KIB 1024ULL

/* "new" or "new (old)": the first number, and whether there are two. */
static int parse_pair(const char *text, uint64_t *ret, uint64_t *ret_old, bool *ret_two)
{
	const char *end = text ? text + strlen(text) : NULL;
	const char *pos = text, *word;
	size_t len;

	if (!text || pme_next_word(&pos, end, &word, &len) == 0 ||
	    pme_parse_u64(word, len, ret) < 0)
		return -EINVAL;
	*ret_old = *ret;
	*ret_two = pme_next_word(&pos, end, &word, &len) == 1;
	if (!*ret_two)
		return 0;
	if (len < 2 || word[0] != '(' || word[len - 1] != ')' || word + len != end)
		return -EINVAL;
	return pme_parse_u64(word + 1, len - 2, ret_old);
}

/* 1 a reshape runs, 0 it does not, -EINVAL */
static int parse_reshape(const char *text)
{
	uint64_t position;

	if (!text)
		return -EINVAL;
	if (strcmp(text, "none") == 0)
		return 0;
	return pme_parse_u64(text, strlen(text), &position) < 0 ? -EINVAL : 1;
}

static int parse_geometry(const struct pme_md_text *text, struct pme_md *md)
{
	uint64_t old, disks, old_disks;
	bool two = false, two_chunks = false;
	int reshape = parse_reshape(text->reshape_position);

	if (reshape < 0 || parse_pair(text->raid_disks, &disks, &old_disks, &two) < 0 ||
	    parse_pair(text->chunk_size, &md->chunk, &old, &two_chunks) < 0)
		return -EINVAL;
	if (disks > INT_MAX || old_disks > INT_MAX)
		return -ERANGE;
	md->raid_disks = disks;
	md->reshape = reshape || two || two_chunks;
	/* raid1 and others without a layout show 0; a level may show nothing at all */
	if (parse_pair(text->layout, &md->layout, &old, &two) < 0)
		md->layout_known = false;
	else
		md->layout_known = !two;
	return 0;
}

int pme_md_parse(const struct pme_md_text *text, struct pme_md *ret)
{
	struct pme_md md = *ret;
	int r;

	if (!text->level || !*text->level)
		return -EINVAL;
	r = parse_geometry(text, &md);
	if (r < 0)
		return r;
	md.level = strdup(text->level);
	if (!md.level)
		return -ENOMEM;
	*ret = md;
	return 0;
}

static int parse_slot(const char *text, int *ret)
{
	uint64_t slot;

	if (!text)
		return -EINVAL;
	if (strcmp(text, "none") == 0 || strcmp(text, "journal") == 0) {
		*ret = -1;
		return 0;
	}
	if (pme_parse_u64(text, strlen(text), &slot) < 0)
		return -EINVAL;
	if (slot > INT_MAX)
		return -ERANGE;
	*ret = (int)slot;
	return 0;
}

static int parse_scaled(const char *text, uint64_t unit, uint64_t *ret)
{
	uint64_t value;

	if (!text || pme_parse_u64(text, strlen(text), &value) < 0)
		return -EINVAL;
	return pme_mul(value, unit, ret) < 0 ? -ERANGE : 0;
}

int pme_md_component_parse(const struct pme_md_component_text *text, struct pme_md_component *ret)
{
	struct pme_md_component c = {.dev = ret->dev};
	uint64_t end;
	int r = parse_slot(text->slot, &c.slot);

	if (r == 0)
		r = parse_scaled(text->offset, PME_SECTOR, &c.data_offset);
	if (r == 0)
		r = parse_scaled(text->size, KIB, &c.size);
	if (r < 0)
		return r;
	if (pme_add(c.data_offset, c.size, &end) < 0)
		return -ERANGE;
	c.state = strdup(text->state ? text->state : "");
	if (!c.state)
		return -ENOMEM;
	*ret = c;
	return 0;
}

void pme_md_done(struct pme_md *md)
{
	free(md->level);
	for (size_t i = 0; i < md->n_components; i++)
		free(md->components[i].state);
	free(md->components);
	*md = (struct pme_md){0};
}

/* Attribute @attr of the array, or of its component @part ("/dev-pmem0"); *@ret stays NULL if not.
 */
static int read_text(const struct pme_topo *topo, const struct pme_dev *dev, const char *part,
		     const char *attr, char **ret)
{
	int r = pme_os_read_line(topo->os, ret, "sys/class/block/%s/md%s/%s", dev->name, part,
				 attr);

	return r == -ENOMEM ? r : 0;
}

static int load_array(const struct pme_topo *topo, struct pme_dev *dev)
{
	_cleanup_free_ char *level = NULL, *disks = NULL, *layout = NULL, *chunk = NULL,
			    *reshape = NULL;
	int r = read_text(topo, dev, "", "level", &level);

	if (r == 0)
		r = read_text(topo, dev, "", "raid_disks", &disks);
	if (r == 0)
		r = read_text(topo, dev, "", "layout", &layout);
	if (r == 0)
		r = read_text(topo, dev, "", "chunk_size", &chunk);
	if (r == 0)
		r = read_text(topo, dev, "", "reshape_position", &reshape);
	if (r < 0)
		return r;
	return pme_md_parse(&(struct pme_md_text){.level = level,
						  .raid_disks = disks,
						  .layout = layout,
						  .chunk_size = chunk,
						  .reshape_position = reshape},
			    dev->md);
}

static int read_component(const struct pme_topo *topo, const struct pme_dev *dev,
			  const char *folder, struct pme_md_component *ret)
{
	_cleanup_free_ char *part = pme_printf("/%s", folder);
	_cleanup_free_ char *slot = NULL, *offset = NULL, *size = NULL, *state = NULL;
	int r = part ? read_text(topo, dev, part, "slot", &slot) : -ENOMEM;

	if (r == 0)
		r = read_text(topo, dev, part, "offset", &offset);
	if (r == 0)
		r = read_text(topo, dev, part, "size", &size);
	if (r == 0)
		r = read_text(topo, dev, part, "state", &state);
	if (r < 0)
		return r;
	return pme_md_component_parse(
		&(struct pme_md_component_text){
			.slot = slot, .offset = offset, .size = size, .state = state},
		ret);
}

static bool fits(const struct pme_md_component *c)
{
	return c->data_offset + c->size <= c->dev->size;
}

static int add_component(struct pme_topo *topo, struct pme_dev *dev, const char *folder,
			 size_t *alloc)
{
	struct pme_md_component c = {.dev = pme_topo_find(topo, folder + strlen("dev-"))};
	struct pme_md *md = dev->md;
	int r = pme_grow(&md->components, alloc, md->n_components, sizeof(c));

	if (r == 0)
		r = read_component(topo, dev, folder, &c);
	if (r < 0)
		return r;
	if (c.dev && (fits(&c) || c.slot < 0)) {
		md->components[md->n_components++] = c;
		return 0;
	}
	free(c.state);
	if (c.dev)
		return -ERANGE;
	return c.slot < 0 ? 0 : -ENODEV;
}

/* By slot; those without one last; a replacement behind the device that it replaces. */
static int compare_slots(const void *a, const void *b)
{
	const struct pme_md_component *x = a, *y = b;
	unsigned int slot_x = (unsigned int)x->slot, slot_y = (unsigned int)y->slot;

	if (slot_x != slot_y)
		return slot_x < slot_y ? -1 : 1;
	return strcmp(x->dev->name, y->dev->name);
}

static int load_components(struct pme_topo *topo, struct pme_dev *dev)
{
	_cleanup_free_ char *path = pme_printf("sys/class/block/%s/md", dev->name);
	char **names = NULL;
	size_t count = 0, alloc = 0;
	int r = path ? pme_os_list(topo->os, path, &names, &count) : -ENOMEM;

	for (size_t i = 0; i < count && r == 0; i++)
		if (strncmp(names[i], "dev-", strlen("dev-")) == 0)
			r = add_component(topo, dev, names[i], &alloc);
	pme_os_free_names(names, count);
	if (r == 0 && dev->md->n_components > 0)
		qsort(dev->md->components, dev->md->n_components, sizeof(*dev->md->components),
		      compare_slots);
	return r;
}

static int link_components(struct pme_dev *dev, struct pme_log *log)
{
	for (size_t i = 0; i < dev->md->n_components; i++) {
		/* the snapshot is still being built: its devices may be changed */
		int r = pme_topo_link((struct pme_dev *)dev->md->components[i].dev, dev, log);

		if (r < 0)
			return r;
	}
	return 0;
}

/* An array that is not running has no geometry yet and carries nothing. */
static bool is_running(const struct pme_topo *topo, const struct pme_dev *dev)
{
	_cleanup_free_ char *state = NULL;

	if (read_text(topo, dev, "", "array_state", &state) < 0 || !state)
		return true;
	return strcmp(state, "inactive") != 0 && strcmp(state, "clear") != 0;
}

int pme_topo_load_md(struct pme_topo *topo, struct pme_dev *dev, struct pme_log *log)
{
	int r;

	if (!is_running(topo, dev)) {
		dev->table_error = -ENODATA;
		pme_log_add(log, PME_WARNING, dev->name, "the MD array is not running");
		return 0;
	}
	dev->md = calloc(1, sizeof(*dev->md));
	if (!dev->md)
		return -ENOMEM;
	r = load_array(topo, dev);
	if (r == 0)
		r = load_components(topo, dev);
	if (r == 0)
		return link_components(dev, log);
	pme_md_done(dev->md);
	free(pme_take_ptr(dev->md));
	if (r == -ENOMEM)
		return r;
	dev->table_error = r;
	pme_log_incomplete(log, dev->name, "cannot make sense of its MD attributes: %s",
			   strerror(-r));
	return 0;
}
