/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loop devices: bytes of the device that carries a filesystem -> bytes of a file on it -> bytes of
 * the loop device on that file; or bytes of a block device that is behind the loop device itself.
 *
 * The map is the list of extents of the file (extent.h), kept twice: by place in the file and by
 * place on the device.  What of the file lies in front of the offset of the loop device is no byte
 * of it.  The surprise: the lower device is usually mounted as well, and its filesystem claims the
 * same bytes for the file; both claims are right.
 */
#include "layer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "extent.h"
#include "map.h"

static const char loop_kind[] = "loop";

struct loop_map {
	struct pme_extents by_file;   /* with holes, without gaps */
	struct pme_extent *by_device; /* those with data, sorted by device_start */
	size_t n_data;
};

static void map_done(void *data)
{
	struct loop_map *map = data;

	pme_extents_done(&map->by_file);
	free(map->by_device);
	free(map);
}

static bool is_file(int fd, const struct pme_loop *loop)
{
	struct stat st;

	return pme_os_fstat(fd, &st) == 0 && st.st_dev == loop->file_devno &&
	       st.st_ino == loop->file_inode && S_ISREG(st.st_mode);
}

/* Opens @path below the root when it is the file behind the loop device. */
static int open_checked(const struct pme_topo *topo, const struct pme_loop *loop, const char *path)
{
	_cleanup_close_ int fd = -1;

	while (*path == '/')
		path++;
	fd = pme_os_open(topo->os, path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	return is_file(fd, loop) ? pme_take_fd(&fd) : -ESTALE;
}

/* The file by the path that the kernel says, else by that path below a mount of its filesystem. */
static int open_file(const struct pme_topo *topo, const struct pme_loop *loop)
{
	int fd = open_checked(topo, loop, loop->file);

	for (size_t i = 0; fd < 0 && fd != -ENOMEM && i < topo->n_mounts; i++) {
		const struct pme_mount *mount = &topo->mounts[i];
		_cleanup_free_ char *path = NULL;

		if (mount->devno != loop->file_devno)
			continue;
		path = pme_printf("%s/%s", mount->target, loop->file);
		fd = path ? open_checked(topo, loop, path) : -ENOMEM;
	}
	return fd;
}

static const char *fs_type(const struct pme_topo *topo, dev_t devno)
{
	for (size_t i = 0; i < topo->n_mounts; i++)
		if (topo->mounts[i].devno == devno)
			return topo->mounts[i].type;
	return "unknown";
}

static int compare_places(const void *a, const void *b)
{
	const struct pme_extent *x = a, *y = b;

	return x->device_start < y->device_start ? -1 : x->device_start > y->device_start;
}

/* What is allocated but not written reads as zeros: nothing of it can be lost. */
static int index_map(struct loop_map *map)
{
	const struct pme_extents *extents = &map->by_file;

	map->by_device = calloc(extents->count + 1, sizeof(*map->by_device));
	if (!map->by_device)
		return -ENOMEM;
	for (size_t i = 0; i < extents->count; i++)
		if (extents->items[i].state == PME_EXTENT_DATA)
			map->by_device[map->n_data++] = extents->items[i];
	qsort(map->by_device, map->n_data, sizeof(*map->by_device), compare_places);
	return 0;
}

static int read_map(struct pme_stack *stack, const struct pme_dev *dev, struct loop_map *map)
{
	_cleanup_close_ int fd = open_file(stack->topo, dev->loop);
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	r = pme_os_fstat(fd, &st);
	if (r == 0 && pme_fd_is_realtime(fd))
		r = -EOPNOTSUPP;
	if (r == 0 && st.st_size > 0)
		r = pme_extents_read(fd, (struct pme_range){0, (uint64_t)st.st_size},
				     &map->by_file);
	return r < 0 ? r : index_map(map);
}

static const struct pme_dev *lower_of(const struct pme_dev *upper)
{
	for (size_t i = 0; i < upper->n_lowers; i++)
		if (upper->lowers[i]->devno == upper->loop->file_devno)
			return upper->lowers[i];
	return NULL;
}

/* A block device is one extent, all of it at its own place. */
static int device_map(const struct pme_dev *dev, struct loop_map *map)
{
	const struct pme_dev *lower = lower_of(dev);

	if (!lower || lower->size == 0)
		return -ENODEV;
	map->by_file.items = calloc(1, sizeof(*map->by_file.items));
	if (!map->by_file.items)
		return -ENOMEM;
	map->by_file.items[0] = (struct pme_extent){.range = {0, lower->size}};
	map->by_file.count = map->by_file.alloc = 1;
	return index_map(map);
}

static int map_load(struct pme_stack *stack, const struct pme_dev *dev,
		    const struct pme_dm_line *line, void **ret, char **ret_why)
{
	const char *type = fs_type(stack->topo, dev->loop->file_devno);
	struct loop_map *map;
	int r;

	(void)line;
	if (!dev->loop->on_device && !pme_extents_physical(type)) {
		*ret_why =
			pme_printf("where the file behind %s lies is not known for filesystems of "
				   "type %s",
				   dev->name, type);
		return -EOPNOTSUPP;
	}
	map = calloc(1, sizeof(*map));
	if (!map)
		return -ENOMEM;
	r = dev->loop->on_device ? device_map(dev, map) : read_map(stack, dev, map);
	if (r == 0) {
		*ret = map;
		return 0;
	}
	map_done(map);
	*ret_why = pme_printf(
		"cannot read where the file behind %s lies (%s): %s", dev->name, dev->loop->file,
		r == -ESTALE || r == -ENOENT ? "deleted, or in another mount namespace"
					     : strerror(-r));
	return r;
}

static const struct pme_map_kind loop_map_kind = {.load = map_load, .done = map_done};

static int get_map(struct pme_stack *stack, const struct pme_dev *dev, const struct loop_map **ret,
		   const char **ret_why)
{
	const void *map = NULL;
	int r = pme_map_get(stack, &loop_map_kind, dev, NULL, &map, ret_why);

	*ret = map;
	return r;
}

static uint64_t end_of(const struct pme_extent *extent, bool on_device)
{
	return on_device ? extent->device_start + extent->range.length
			 : pme_range_end(extent->range);
}

/* The first extent that ends behind @start; they are sorted and do not overlap. */
static size_t first_at(const struct pme_extent *extents, size_t count, bool on_device,
		       uint64_t start)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (end_of(&extents[mid], on_device) <= start)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Bytes @part of the lower device are bytes of the file from @at on. */
static int lead_up(const struct pme_dev *upper, struct pme_range part, uint64_t at,
		   struct pme_steps *ret)
{
	struct pme_range device = {upper->loop->offset, upper->size}, file = {at, part.length};
	struct pme_range common;

	if (!pme_range_intersect(device, file, &common))
		return 0;
	part.start += common.start - at;
	part.length = common.length;
	return pme_steps_lead(ret, part, upper, common.start - upper->loop->offset, loop_kind);
}

static int loop_up(struct pme_stack *stack, const struct pme_dev *upper,
		   const struct pme_dev *lower, struct pme_range range, struct pme_steps *ret)
{
	const struct loop_map *map;
	const char *why;
	int r = get_map(stack, upper, &map, &why);

	(void)lower;
	if (r < 0)
		return r == -ENOMEM ? r : pme_steps_unknown(ret, range, loop_kind, "%s", why);
	for (size_t i = first_at(map->by_device, map->n_data, true, range.start);
	     r == 0 && i < map->n_data; i++) {
		const struct pme_extent *extent = &map->by_device[i];
		struct pme_range place = {extent->device_start, extent->range.length}, part;

		if (place.start >= pme_range_end(range))
			break;
		if (pme_range_intersect(range, place, &part))
			r = lead_up(upper, part, extent->range.start + (part.start - place.start),
				    ret);
	}
	return r;
}

/* Bytes @part of the file, within one extent, as bytes of the device below. */
static int lead_down(const struct pme_dev *upper, const struct pme_dev *lower,
		     const struct pme_extent *extent, struct pme_range part, struct pme_steps *ret)
{
	struct pme_range from = {part.start - upper->loop->offset, part.length};

	if (extent->state == PME_EXTENT_DATA)
		return pme_steps_lead(ret, from, lower,
				      extent->device_start + (part.start - extent->range.start),
				      loop_kind);
	return pme_steps_owner(ret, from, loop_kind, PME_OWNER_UNWRITTEN, "%s in %s",
			       extent->state == PME_EXTENT_HOLE ? "a hole" : "not written yet",
			       upper->loop->file);
}

static int loop_down(struct pme_stack *stack, const struct pme_dev *upper, struct pme_range range,
		     struct pme_steps *ret)
{
	const struct pme_dev *lower = lower_of(upper);
	const struct loop_map *map;
	const char *why;
	struct pme_range file = range, part;
	int r;

	if (!lower || pme_add(range.start, upper->loop->offset, &file.start) < 0)
		return -EINVAL;
	r = get_map(stack, upper, &map, &why);
	if (r < 0)
		return r == -ENOMEM ? r : pme_steps_unknown(ret, range, loop_kind, "%s", why);
	for (size_t i = first_at(map->by_file.items, map->by_file.count, false, file.start);
	     r == 0 && i < map->by_file.count; i++) {
		if (!pme_range_intersect(file, map->by_file.items[i].range, &part))
			break;
		r = lead_down(upper, lower, &map->by_file.items[i], part, ret);
	}
	return r;
}

static char *loop_explain(struct pme_stack *stack, const struct pme_dev *lower,
			  uint64_t lower_start, const struct pme_dev *upper, uint64_t upper_start)
{
	uint64_t at = upper_start + upper->loop->offset;
	const struct loop_map *map;
	const char *why;
	int r = get_map(stack, upper, &map, &why);

	if (r < 0)
		return r == -ENOMEM ? NULL : pme_printf("%s", why);
	for (size_t i = 0; i < map->by_file.count; i++) {
		const struct pme_extent *extent = &map->by_file.items[i];

		if (extent->state != PME_EXTENT_DATA || at < extent->range.start ||
		    at >= pme_range_end(extent->range))
			continue;
		return pme_printf("%" PRIu64 " - %" PRIu64 " (extent on %s) + %" PRIu64
				  " (its place in %s) = %" PRIu64 "; - %" PRIu64
				  " (offset of %s) = %" PRIu64,
				  lower_start, extent->device_start, pme_dev_label(lower),
				  extent->range.start, upper->loop->file, at, upper->loop->offset,
				  upper->name, upper_start);
	}
	return pme_printf("no extent of %s holds this byte", upper->loop->file);
}

static bool loop_owns(const struct pme_dev *upper)
{
	return upper->loop && upper->n_lowers > 0;
}

const struct pme_layer pme_layer_loop = {
	.name = loop_kind,
	.owns = loop_owns,
	.up = loop_up,
	.down = loop_down,
	.explain = loop_explain,
};
