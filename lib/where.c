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

#include "btrfs-file.h"
#include "descend.h"
#include "doc.h"
#include "extent.h"
#include "finding.h"
#include "fs.h"
#include "os.h"
#include "scan-vault.h"
#include "scan.h"
#include "topo-same.h"
#include "vault.h"

struct where {
	struct pme_stack stack;
	const struct pme_topo *topo;
	struct pme_log *log;
	const char *path;
	int fd;
	struct stat st;
	struct pme_range range; /* bytes of the file */
	unsigned int vault;	/* as in pme_file */
	const struct pme_dev *dev;
	enum pme_mapping mapping;
	struct pme_btrfs_view btrfs; /* its devices, instead of dev and mapping */
	struct json_object *pieces;
};

/* Bytes of the file that are all alike; with coding, @bytes of @of compressed ones. */
struct stretch {
	struct pme_range range;
	enum pme_extent_state state;
	bool shared;
	const char *coding;
	struct pme_range bytes;
	uint64_t of;
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

/* Is it one of pmemctl's own?  Its path as the kernel says it decides, not the one that was given.
 */
static void find_vault(struct where *w, const struct pme_fs *fs)
{
	_cleanup_free_ char *link = pme_printf("proc/self/fd/%d", w->fd);
	_cleanup_free_ char *path = NULL;
	struct pme_file file = {
		.inode = w->st.st_ino,
		.mode = w->st.st_mode,
		.nlink = (uint32_t)w->st.st_nlink,
		.paths = &path,
		.n_paths = 1,
	};
	struct pme_file *files[] = {&file};

	if (!link || pme_os_readlink(w->topo->os, link, &path) < 0)
		return;
	pme_scan_note_vault(w->topo, fs, files, 1, w->log);
	w->vault = file.vault;
}

static const char nowhere[] = "its filesystem is not on a block device that can be followed";

static int open_btrfs(struct where *w, struct pme_fs *fs)
{
	const char *why;
	int r = pme_btrfs_file_open(w->topo, w->fd, fs, &w->btrfs, &why);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return refuse(w, why ? why : r == -ENOENT ? nowhere : strerror(-r));
	w->dev = fs->dev;
	return 0;
}

/* Set the device that carries the file; says why not. */
static int find_one_device(struct where *w, struct pme_fs *fs)
{
	if (!w->dev || pme_fs_of(w->topo, w->dev, fs) <= 0)
		return refuse(w, nowhere);
	w->mapping = pme_extents_mapping(fs->type);
	if (w->mapping == PME_MAPPING_NONE) {
		pme_log_add(w->log, PME_ERROR, w->path,
			    "the kernel does not say which bytes of its device a file of %s has",
			    fs->type);
		return -EOPNOTSUPP;
	}
	if (strcmp(fs->type, "xfs") == 0 && pme_fd_is_realtime(w->fd))
		w->dev = pme_topo_fs_device(w->topo, fs->mounts[0], PME_FS_REALTIME);
	if (!w->dev)
		return refuse(w, "its data is on a realtime device that is not found by the name "
				 "in the mount options");
	return 0;
}

/* Set the device, or devices, and the range. */
static int find_device(struct where *w)
{
	_cleanup_(pme_fs_done) struct pme_fs fs = {0};
	uint64_t size = (uint64_t)w->st.st_size;
	int r;

	if (!S_ISREG(w->st.st_mode))
		return refuse(w, S_ISDIR(w->st.st_mode)
					 ? "is a directory: only files can be located"
					 : "not a regular file");
	w->dev = pme_topo_dev_by_devno(w->topo, w->st.st_dev);
	r = !w->dev && is_btrfs(w->fd) ? open_btrfs(w, &fs) : find_one_device(w, &fs);
	if (r < 0)
		return r;
	find_vault(w, &fs);
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
	pme_json_text(object, "vault", w->vault ? pme_vault_part_name(w->vault - 1) : NULL);
	return object;
}

static struct json_object *via_json(const struct pme_way *way)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; way && i < way->n_hops; i++)
		pme_json_append(array, pme_hop_json(&way->hops[i], way->length));
	return array;
}

static struct json_object *coding_json(const struct stretch *stretch)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "method", stretch->coding);
	pme_json_range(object, "range", stretch->bytes);
	pme_json_number(object, "size", stretch->of);
	return object;
}

/* One piece; @way NULL: these bytes have no place on any device. */
static void add_piece(struct where *w, const struct stretch *stretch, struct pme_range range,
		      const struct pme_way *way)
{
	struct json_object *object = pme_json_object();
	const struct pme_dev *bottom = way && !way->reason ? way->hops[0].dev : NULL;
	uint64_t start = bottom ? way->hops[0].start : 0;
	const struct pme_region *region = bottom ? pme_dev_region(bottom) : NULL;
	struct json_object *dimms =
		bottom ? pme_dimms_json(w->topo, bottom, start) : pme_json_array();

	pme_json_range(object, "range", range);
	pme_json_text(object, "state", pme_extent_state_name(stretch->state));
	pme_json_set(object, "compressed", stretch->coding ? coding_json(stretch) : NULL);
	pme_json_set(object, "via", via_json(way));
	pme_json_text(object, "device", bottom ? bottom->name : NULL);
	pme_json_text(object, "namespace", bottom && bottom->ns ? bottom->ns->name : NULL);
	pme_json_text(object, "region", region ? region->name : NULL);
	pme_json_set(object, "dimms", dimms);
	pme_json_number(object, "physical_address",
			bottom ? pme_dev_physical(bottom, start) : UINT64_MAX);
	pme_json_bool(object, "shared", stretch->shared);
	pme_json_text(object, "reason", way ? way->reason : NULL);
	pme_json_append(w->pieces, object);
	if (way && way->reason && !way->known)
		pme_log_incomplete(w->log, w->path, "%s", way->reason);
}

/* Pieces of a stretch (of its compressed bytes, with coding) that lies on @dev from @start on. */
static int add_ways(struct where *w, const struct stretch *stretch, const struct pme_dev *dev,
		    uint64_t start)
{
	_cleanup_(pme_ways_done) struct pme_ways ways = {0};
	struct pme_range on_device = {
		.start = start,
		.length = stretch->coding ? stretch->bytes.length : stretch->range.length,
	};
	int r = pme_descend(&w->stack, dev, on_device, &ways);

	for (size_t i = 0; r == 0 && i < ways.count; i++) {
		const struct pme_way *way = &ways.items[i];
		uint64_t skip = way->hops[way->n_hops - 1].start - on_device.start;
		struct stretch part = *stretch;

		if (stretch->coding)
			part.bytes = (struct pme_range){stretch->bytes.start + skip, way->length};
		else
			part.range = (struct pme_range){stretch->range.start + skip, way->length};
		add_piece(w, &part, part.range, way);
	}
	return r;
}

static bool has_place(enum pme_extent_state state)
{
	return state == PME_EXTENT_DATA || state == PME_EXTENT_UNWRITTEN;
}

static int add_extents(struct where *w)
{
	_cleanup_(pme_extents_done) struct pme_extents extents = {0};
	int r = pme_extents_map(w->fd, w->mapping, w->range, &extents);

	if (r < 0)
		pme_log_add(w->log, PME_ERROR, w->path, "cannot read its extents: %s",
			    strerror(-r));
	for (size_t i = 0; r == 0 && i < extents.count; i++) {
		const struct pme_extent *extent = &extents.items[i];
		const struct stretch stretch = {
			.range = extent->range,
			.state = extent->state,
			.shared = extent->shared,
		};

		if (has_place(extent->state))
			r = add_ways(w, &stretch, w->dev, extent->device_start);
		else
			add_piece(w, &stretch, extent->range, NULL);
	}
	return r;
}

/* One place of a span of a file on btrfs. */
static int add_spot(struct where *w, const struct pme_btrfs_span *span,
		    const struct pme_btrfs_spot *spot)
{
	struct stretch stretch = {
		.range = span->range,
		.state = span->state,
		.shared = span->shared,
		.coding = span->coding,
		.of = span->logical.length,
	};
	_cleanup_free_ char *reason = NULL;

	if (span->coding)
		stretch.bytes = (struct pme_range){spot->skip, spot->range.length};
	else
		stretch.range =
			(struct pme_range){span->range.start + spot->skip, spot->range.length};
	if (spot->dev)
		return add_ways(w, &stretch, spot->dev, spot->range.start);
	reason = pme_printf("device %llu of the filesystem, on which they lie, is missing or not "
			    "known",
			    (unsigned long long)spot->devid);
	if (!reason)
		return -ENOMEM;
	add_piece(w, &stretch, stretch.range, &(const struct pme_way){.reason = reason});
	return 0;
}

static int add_btrfs_once(struct where *w)
{
	_cleanup_(pme_btrfs_chunks_done) struct pme_btrfs_chunks chunks = {0};
	struct pme_btrfs_spans spans = {0};
	struct pme_btrfs_spots spots = {0};
	int r = pme_btrfs_file_spans(&w->btrfs, w->fd, w->st.st_ino, w->range, &spans);

	if (r == 0)
		r = pme_btrfs_view_chunks(&w->btrfs, &chunks);
	for (size_t i = 0; r == 0 && i < spans.count; i++) {
		const struct pme_btrfs_span *span = &spans.items[i];

		spots.count = 0;
		if (has_place(span->state))
			r = pme_btrfs_file_spots(&w->btrfs, &chunks, span->logical, &spots);
		else
			add_piece(
				w,
				&(const struct stretch){.range = span->range, .state = span->state},
				span->range, NULL);
		for (size_t k = 0; r == 0 && k < spots.count; k++)
			r = add_spot(w, span, &spots.items[k]);
	}
	free(spans.items);
	free(spots.items);
	return r;
}

/* As an answer for other filesystems: of one moment, or none. */
static int add_btrfs(struct where *w, struct json_object *doc)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < PME_SCAN_ATTEMPTS; i++) {
		pme_json_set(doc, "pieces", pme_json_array());
		w->pieces = pme_json_get(doc, "pieces");
		r = add_btrfs_once(w);
	}
	if (r < 0)
		pme_json_set(doc, "pieces", pme_json_array());
	if (r == -EAGAIN)
		pme_log_incomplete(w->log, w->path,
				   "its extents changed each time that they were read");
	else if (r < 0)
		pme_log_add(w->log, PME_ERROR, w->path, "cannot read its extents: %s",
			    strerror(-r));
	else if (w->btrfs.stopped)
		pme_log_incomplete(w->log, w->path,
				   "its filesystem stopped after an error, and what it says may "
				   "not be on the disk: mount it anew");
	return r == -EAGAIN ? 0 : r;
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
	if (w->range.length == 0)
		return 0;
	return w->btrfs.fd >= 0 ? add_btrfs(w, doc) : add_extents(w);
}

/* Is all that it went through the same in a later snapshot? */
static bool is_same(const struct where *w, const struct pme_topo *now)
{
	bool same = pme_dev_same(w->topo, w->dev, now);

	for (size_t i = 0; same && i < w->btrfs.n_members; i++)
		same = !w->btrfs.members[i].dev ||
		       pme_dev_same(w->topo, w->btrfs.members[i].dev, now);
	return same;
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
		r = !is_same(w, now);
	pme_topo_free(now);
	pme_btrfs_view_done(&w->btrfs);
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
		struct where w = {
			.log = &own, .path = path, .fd = fd, .range = range, .btrfs = {.fd = -1}};

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
