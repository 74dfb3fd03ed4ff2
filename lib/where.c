/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * File -> device -> address; see where.h.
 */
#include "where.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "descend.h"
#include "doc.h"
#include "extent.h"
#include "finding.h"
#include "fs.h"
#include "os.h"
#include "scan.h"
#include "topo-same.h"

struct where {
	struct pme_stack stack;
	const struct pme_topo *topo;
	struct pme_log *log;
	const char *path;
	int fd;
	struct stat st;
	struct pme_range range; /* bytes of the file */
	const struct pme_dev *dev;
	struct json_object *pieces;
};

void pme_where_json_empty(struct json_object *doc)
{
	pme_json_set(doc, "file", NULL);
	pme_json_set(doc, "pieces", pme_json_array());
}

/* Open what @spec names: it as it stands, or the part before a range.  Sets path, fd, range. */
static int open_file(const char *spec, struct pme_log *log, char **ret_path, int *ret_fd,
		     struct pme_range *ret_range)
{
	const char *colon = strrchr(spec, ':');
	struct pme_range range = {.length = UINT64_MAX};
	_cleanup_free_ char *path = strdup(spec);
	int fd;

	if (!path)
		return -ENOMEM;
	fd = pme_os_open_at(AT_FDCWD, spec, O_RDONLY | O_NONBLOCK);
	if ((fd == -ENOENT || fd == -ENAMETOOLONG) && colon) {
		path[colon - spec] = '\0';
		fd = pme_os_open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK);
		if (fd >= 0 && pme_range_parse(colon + 1, strlen(colon + 1), 1, &range) < 0) {
			close(fd);
			pme_log_add(log, PME_ERROR, spec,
				    "not a range: expected FILE:START+LENGTH");
			return -EINVAL;
		}
	}
	if (fd < 0) {
		pme_log_add(log, PME_ERROR, path, "cannot open: %s", strerror(-fd));
		return fd;
	}
	*ret_path = pme_take_ptr(path);
	*ret_fd = fd;
	*ret_range = range;
	return 0;
}

static int refuse(struct where *w, const char *why)
{
	pme_log_add(w->log, PME_ERROR, w->path, "%s", why);
	return -EOPNOTSUPP;
}

/* The last block of a file is its own as a whole, also behind the end of the file. */
static uint64_t last_block_end(int fd, uint64_t size)
{
	struct statfs fs;
	uint64_t block;

	if (fstatfs(fd, &fs) < 0 || fs.f_bsize <= 0)
		return size;
	block = (uint64_t)fs.f_bsize;
	return size > UINT64_MAX - block ? size : (size + block - 1) / block * block;
}

/* Its files have device numbers that are those of no device. */
static bool is_btrfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC;
}

/* Set the device that carries the file, and the range; says why not. */
static int find_device(struct where *w)
{
	_cleanup_(pme_fs_done) struct pme_fs fs = {0};
	uint64_t size = (uint64_t)w->st.st_size;

	if (!S_ISREG(w->st.st_mode))
		return refuse(w, S_ISDIR(w->st.st_mode)
					 ? "is a directory: only files can be located"
					 : "not a regular file");
	w->dev = pme_topo_dev_by_devno(w->topo, w->st.st_dev);
	if (!w->dev && is_btrfs(w->fd))
		return refuse(w, "extents of btrfs filesystems are not bytes of their devices");
	if (!w->dev || pme_fs_of(w->topo, w->dev, &fs) <= 0)
		return refuse(w, "its filesystem is not on a block device that can be followed");
	if (!pme_extents_physical(fs.type)) {
		pme_log_add(w->log, PME_ERROR, w->path,
			    "extents of %s filesystems are not bytes of their device", fs.type);
		return -EOPNOTSUPP;
	}
	if (strcmp(fs.type, "xfs") == 0 && pme_fd_is_realtime(w->fd))
		w->dev = pme_topo_fs_device(w->topo, fs.mounts[0], PME_FS_REALTIME);
	if (!w->dev)
		return refuse(w, "its data is on a realtime device that is not found by the name "
				 "in the mount options");
	if (w->range.length == UINT64_MAX) {
		w->range.length = size;
	} else if (pme_range_end(w->range) > last_block_end(w->fd, size)) {
		pme_log_add(w->log, PME_ERROR, w->path,
			    "bytes %llu to %llu lie behind the end of the file (%llu bytes)",
			    (unsigned long long)w->range.start,
			    (unsigned long long)(pme_range_end(w->range) - 1),
			    (unsigned long long)size);
		return -ERANGE;
	}
	return 0;
}

static struct json_object *file_json(const struct where *w)
{
	struct json_object *object = pme_json_path(w->path);
	int generation = 0;
	int r = pme_os_ioctl(w->fd, FS_IOC_GETVERSION, &generation);

	if (r < 0 && r != -ENOTTY && r != -EOPNOTSUPP)
		pme_log_incomplete(w->log, w->path, "cannot read its generation: %s", strerror(-r));
	pme_json_number(object, "inode", w->st.st_ino);
	pme_json_number(object, "generation", r >= 0 ? (uint32_t)generation : UINT64_MAX);
	pme_json_number(object, "size", (uint64_t)w->st.st_size);
	return object;
}

static struct json_object *via_json(const struct pme_way *way)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; way && i < way->n_hops; i++)
		pme_json_append(array, pme_hop_json(&way->hops[i], way->length));
	return array;
}

/* One piece; @way NULL: these bytes have no place on any device. */
static void add_piece(struct where *w, const struct pme_extent *extent, struct pme_range range,
		      const struct pme_way *way)
{
	struct json_object *object = pme_json_object();
	const struct pme_dev *bottom = way && !way->reason ? way->hops[0].dev : NULL;
	uint64_t start = bottom ? way->hops[0].start : 0;
	const struct pme_region *region = bottom ? pme_dev_region(bottom) : NULL;
	struct json_object *dimms =
		bottom ? pme_dimms_json(w->topo, bottom, start) : pme_json_array();

	pme_json_range(object, "range", range);
	pme_json_text(object, "state", pme_extent_state_name(extent->state));
	pme_json_set(object, "via", via_json(way));
	pme_json_text(object, "device", bottom ? bottom->name : NULL);
	pme_json_text(object, "namespace", bottom && bottom->ns ? bottom->ns->name : NULL);
	pme_json_text(object, "region", region ? region->name : NULL);
	pme_json_set(object, "dimms", dimms);
	pme_json_number(object, "physical_address",
			bottom ? pme_dev_physical(bottom, start) : UINT64_MAX);
	pme_json_bool(object, "shared", extent->shared);
	pme_json_text(object, "reason", way ? way->reason : NULL);
	pme_json_append(w->pieces, object);
	if (way && way->reason && !way->known)
		pme_log_incomplete(w->log, w->path, "%s", way->reason);
}

static int add_extent(struct where *w, const struct pme_extent *extent)
{
	_cleanup_(pme_ways_done) struct pme_ways ways = {0};
	struct pme_range on_device = {
		.start = extent->device_start,
		.length = extent->range.length,
	};
	int r;

	if (extent->state != PME_EXTENT_DATA && extent->state != PME_EXTENT_UNWRITTEN) {
		add_piece(w, extent, extent->range, NULL);
		return 0;
	}
	r = pme_descend(&w->stack, w->dev, on_device, &ways);
	for (size_t i = 0; r == 0 && i < ways.count; i++) {
		const struct pme_way *way = &ways.items[i];
		uint64_t skip = way->hops[way->n_hops - 1].start - on_device.start;
		struct pme_range range = {
			.start = extent->range.start + skip,
			.length = way->length,
		};

		add_piece(w, extent, range, way);
	}
	return r;
}

static int add_extents(struct where *w)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	int r = 0;

	if (w->range.length > 0)
		r = pme_extents_read(w->fd, w->range, &extents);
	if (r < 0)
		pme_log_add(w->log, PME_ERROR, w->path, "cannot read its extents: %s",
			    strerror(-r));
	for (size_t i = 0; r == 0 && i < extents.count; i++)
		r = add_extent(w, &extents.items[i]);
	return r;
}

static int locate(struct where *w, struct json_object *doc)
{
	int r = pme_os_fstat(w->fd, &w->st);

	if (r < 0) {
		pme_log_add(w->log, PME_ERROR, w->path, "cannot stat: %s", strerror(-r));
		return r;
	}
	r = find_device(w);
	if (r < 0)
		return r;
	pme_json_set(doc, "file", file_json(w));
	return add_extents(w);
}

/* The same with one snapshot: 1 when the stack has changed meanwhile, 0 or -errno. */
static int locate_once(struct where *w, const struct pme_os *os, struct json_object *doc)
{
	_cleanup_(pme_log_done) struct pme_log quiet = {0};
	struct pme_topo *topo, *now = NULL;
	int r = pme_topo_load(os, w->log, &topo);

	if (r < 0) {
		pme_log_add(w->log, PME_ERROR, "/sys",
			    "cannot read the devices of this machine: %s", strerror(-r));
		return r;
	}
	w->topo = topo;
	w->stack = (struct pme_stack){.topo = topo};
	r = locate(w, doc);
	if (r == 0)
		r = pme_topo_load(os, &quiet, &now);
	if (r == 0)
		r = !pme_dev_same(topo, w->dev, now);
	pme_topo_free(now);
	pme_stack_done(&w->stack);
	pme_topo_free(topo);
	return r;
}

int pme_where(const struct pme_os *os, const char *spec, struct pme_log *log,
	      struct json_object *doc)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	struct pme_range range;
	int r;

	pme_where_json_empty(doc);
	r = open_file(spec, log, &path, &fd, &range);
	for (int attempt = 1; r >= 0 && attempt <= PME_SCAN_ATTEMPTS; attempt++) {
		_cleanup_(pme_log_done) struct pme_log own = {0};
		struct where w = {.log = &own, .path = path, .fd = fd, .range = range};

		pme_where_json_empty(doc);
		w.pieces = pme_json_get(doc, "pieces");
		r = locate_once(&w, os, doc);
		if (r == 1 && attempt < PME_SCAN_ATTEMPTS)
			continue;
		pme_log_merge(log, &own);
		if (r == 1)
			pme_log_incomplete(log, path,
					   "what it lies on changed while it was looked at");
		break;
	}
	return r < 0 ? r : 0;
}
