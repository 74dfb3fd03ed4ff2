/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening a btrfs; see btrfs-view.h.
 *
 * Which device has which number stands in its superblock; the path that the kernel remembers may
 * be that of another device by now, and is not asked.  The surprise: a device of which no copy of
 * the superblock can be read is still known, when it is the only one left without a number.
 */
#include "btrfs-view.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "btrfs-search.h"
#include "btrfs-state.h"
#include "fs-enter.h"
#include "media.h"

/*
 * Incompatible features that change nothing of what is read here: all up to RAID1C34, and simple
 * quotas (1 << 16).  Not among them: zoned (superblocks lie elsewhere), extent tree v2, the raid
 * stripe tree, and what comes later.
 */
#define KNOWN_FEATURES ((BTRFS_FEATURE_INCOMPAT_RAID1C34 << 1) - 1 + (1ULL << 16))

#define HANDLE_TYPE 0x4d /* FILEID_BTRFS_WITHOUT_PARENT (linux/exportfs.h) */
#define FIRST_INODE 256	 /* the root directory of every subvolume */

bool pme_btrfs_uuid_is(const unsigned char *uuid, const char *text)
{
	_cleanup_free_ char *own = pme_printf(
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", uuid[0],
		uuid[1], uuid[2], uuid[3], uuid[4], uuid[5], uuid[6], uuid[7], uuid[8], uuid[9],
		uuid[10], uuid[11], uuid[12], uuid[13], uuid[14], uuid[15]);

	return own && text && strcmp(own, text) == 0;
}

/* Is the directory @fd on this filesystem?  0 or -errno. */
static int check_dir(int fd, const struct pme_fs *fs, struct pme_btrfs_view *view)
{
	struct btrfs_ioctl_fs_info_args info = {0};
	struct statfs sfs;
	int r;

	if (fstatfs(fd, &sfs) < 0)
		return -errno;
	if (sfs.f_type != BTRFS_SUPER_MAGIC)
		return -EXDEV;
	r = pme_os_ioctl(fd, BTRFS_IOC_FS_INFO, &info);
	if (r < 0)
		return r;
	if (!pme_btrfs_uuid_is(info.fsid, fs->uuid))
		return -EXDEV;
	if (info.nodesize == 0 || info.nodesize > 65536 || info.sectorsize == 0 ||
	    info.sectorsize > 65536)
		return -EPROTO;
	view->node_size = info.nodesize;
	view->block_size = info.sectorsize;
	return 0;
}

static int open_mount(const struct pme_os *os, const struct pme_mount *mount,
		      const struct pme_fs *fs, struct pme_btrfs_view *view)
{
	_cleanup_close_ int fd = pme_fs_enter_mount(os, mount);
	int r = fd < 0 ? fd : check_dir(fd, fs, view);

	if (r < 0)
		return r;
	view->fd = pme_take_fd(&fd);
	return 0;
}

static int check_features(int fd)
{
	struct btrfs_ioctl_feature_flags flags = {0};
	int r = pme_os_ioctl(fd, BTRFS_IOC_GET_FEATURES, &flags);

	if (r < 0)
		return r;
	return flags.incompat_flags & ~KNOWN_FEATURES ? -EPROTONOSUPPORT : 0;
}

static int read_super(const struct pme_topo *topo, const struct pme_dev *dev,
		      struct pme_btrfs_super *ret)
{
	_cleanup_free_ void *buf = malloc(PME_BTRFS_SUPER_SIZE);
	int r = buf ? -EIO : -ENOMEM;

	for (unsigned int i = 0; buf && r < 0 && i < PME_BTRFS_SUPERS; i++) {
		if (pme_btrfs_super_at(i) + PME_BTRFS_SUPER_SIZE > dev->size)
			break;
		r = pme_media_read_dev(topo, dev, buf, PME_BTRFS_SUPER_SIZE, pme_btrfs_super_at(i));
		if (r == 0)
			r = pme_btrfs_super_parse(buf, PME_BTRFS_SUPER_SIZE, ret);
	}
	return r;
}

/* The devices that the filesystem itself knows, by number. */
static int ask_members(struct pme_btrfs_view *view, uint64_t max_id,
		       unsigned char (**ret_uuids)[16])
{
	_cleanup_free_ struct btrfs_ioctl_dev_info_args *info = malloc(sizeof(*info));
	size_t alloc_uuids = 0;

	for (uint64_t id = 0; info && id <= max_id; id++) {
		int r;

		memset(info, 0, sizeof(*info));
		info->devid = id;
		r = pme_os_ioctl(view->fd, BTRFS_IOC_DEV_INFO, info);
		if (r == -ENODEV)
			continue;
		if (r == 0)
			r = pme_grow(&view->members, &view->alloc_members, view->n_members,
				     sizeof(*view->members));
		if (r == 0)
			r = pme_grow(ret_uuids, &alloc_uuids, view->n_members, 16);
		if (r < 0)
			return r;
		memcpy((*ret_uuids)[view->n_members], info->uuid, 16);
		view->members[view->n_members++] = (struct pme_btrfs_member){
			.devid = info->devid,
			.total_bytes = info->total_bytes,
		};
	}
	return info ? 0 : -ENOMEM;
}

/* Give each device of the snapshot its number. */
static int match_members(const struct pme_topo *topo, const struct pme_fs *fs,
			 struct pme_btrfs_view *view, unsigned char (*uuids)[16])
{
	const struct pme_dev *nameless = NULL;
	struct pme_btrfs_member *left = NULL;
	size_t n_nameless = 0, n_left = 0;

	for (size_t i = 0; i < topo->n_devs; i++) {
		const struct pme_dev *dev = topo->devs[i];
		struct pme_btrfs_super super;
		bool found = false;
		int r;

		if (!dev->member_of || strcmp(dev->member_of, fs->uuid) != 0)
			continue;
		r = read_super(topo, dev, &super);
		if (r == -ENOMEM)
			return r;
		for (size_t k = 0; r == 0 && !found && k < view->n_members; k++) {
			found = !view->members[k].dev && view->members[k].devid == super.devid &&
				memcmp(uuids[k], super.dev_uuid, 16) == 0;
			if (found)
				view->members[k].dev = dev;
		}
		if (!found) {
			nameless = dev;
			n_nameless++;
		}
	}
	for (size_t k = 0; k < view->n_members; k++) {
		if (view->members[k].dev)
			continue;
		left = &view->members[k];
		n_left++;
	}
	if (n_nameless == 1 && n_left == 1)
		left->dev = nameless;
	return 0;
}

static int find_members(const struct pme_topo *topo, const struct pme_fs *fs,
			struct pme_btrfs_view *view)
{
	struct btrfs_ioctl_fs_info_args info = {0};
	_cleanup_free_ unsigned char(*uuids)[16] = NULL;
	int r = pme_os_ioctl(view->fd, BTRFS_IOC_FS_INFO, &info);

	if (r == 0 && info.max_id > PME_ITEMS_MAX)
		r = -EPROTO;
	if (r == 0)
		r = ask_members(view, info.max_id, &uuids);
	if (r == 0)
		r = match_members(topo, fs, view, uuids);
	if (r < 0)
		return r;
	for (size_t i = 0; i < view->n_members; i++) {
		if (view->members[i].dev != fs->dev)
			continue;
		view->devid = view->members[i].devid;
		view->size = view->members[i].total_bytes;
		return view->devid == 0 ? -EBUSY : 0;
	}
	return -ENODEV;
}

static const char *explain(int error)
{
	switch (-error) {
	case EPERM:
		return "the kernel shows the trees of btrfs only to CAP_SYS_ADMIN: run as root, "
		       "outside of containers";
	case EXDEV:
		return "no mount leads to it: others are mounted over them";
	case EPROTONOSUPPORT:
		return "its format has features that this program does not know";
	case ENODEV:
		return "it does not say which of its devices this is";
	case EBUSY:
		return "the device is the target of a replacement that runs: scan again when it is "
		       "done";
	}
	return NULL;
}

int pme_btrfs_view_open(const struct pme_topo *topo, const struct pme_fs *fs,
			struct pme_btrfs_view *ret, const char **ret_why)
{
	struct pme_btrfs_chunks chunks = {0};
	int r = -ENOENT;

	for (size_t i = 0; r < 0 && r != -ENOMEM && i < fs->n_mounts; i++)
		r = open_mount(topo->os, fs->mounts[i], fs, ret);
	if (r == 0)
		r = check_features(ret->fd);
	if (r == 0)
		r = pme_btrfs_view_chunks(ret, &chunks); /* may we look at all? */
	pme_btrfs_chunks_done(&chunks);
	if (r == 0)
		r = find_members(topo, fs, ret);
	*ret_why = r < 0 ? explain(r) : NULL;
	return r;
}

void pme_btrfs_view_done(struct pme_btrfs_view *view)
{
	pme_close_fd(&view->fd);
	for (size_t i = 0; i < view->n_members; i++)
		pme_range_list_done(&view->members[i].stale);
	free(view->members);
	view->members = NULL;
	view->n_members = 0;
}

int pme_btrfs_view_sync(struct pme_btrfs_view *view)
{
	uint64_t transid = 0;
	int r = pme_os_ioctl(view->fd, BTRFS_IOC_START_SYNC, &transid);

	if (r == 0)
		r = pme_os_ioctl(view->fd, BTRFS_IOC_WAIT_SYNC, &transid);
	view->stopped = r == -EROFS;
	view->committed = r == 0 ? transid : 0;
	return r == -EROFS ? 0 : r;
}

const struct pme_btrfs_member *pme_btrfs_view_member(const struct pme_btrfs_view *view,
						     uint64_t devid)
{
	for (size_t i = 0; i < view->n_members; i++)
		if (view->members[i].devid == devid)
			return &view->members[i];
	return NULL;
}

const struct pme_dev *pme_btrfs_view_dev(const struct pme_btrfs_view *view, uint64_t devid)
{
	const struct pme_btrfs_member *member = pme_btrfs_view_member(view, devid);

	return member ? member->dev : NULL;
}

int pme_btrfs_view_chunks(const struct pme_btrfs_view *view, struct pme_btrfs_chunks *ret)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search =
		pme_btrfs_search_of(view->fd, BTRFS_CHUNK_TREE_OBJECTID,
				    BTRFS_FIRST_CHUNK_TREE_OBJECTID, BTRFS_CHUNK_ITEM_KEY);
	struct pme_btrfs_item item;
	int r;

	while ((r = pme_btrfs_search_next(&search, &item)) > 0) {
		r = pme_btrfs_chunks_add(ret, item.key.offset, item.data, item.len);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : pme_btrfs_chunks_seal(ret);
}

int pme_btrfs_view_inode(const struct pme_btrfs_view *view, uint64_t root, uint64_t inode,
			 struct pme_btrfs_inode *ret)
{
	_cleanup_(pme_btrfs_search_done) struct pme_btrfs_search search =
		pme_btrfs_search_of(view->fd, root, inode, BTRFS_INODE_ITEM_KEY);
	struct pme_btrfs_item item;
	int r;

	search.batch = 1;
	r = pme_btrfs_search_next(&search, &item);
	if (r > 0)
		r = pme_btrfs_inode_parse(item.data, item.len, ret);
	else
		return pme_btrfs_is_damage(r) ? 0 : r;
	return r == 0 && ret->mode;
}

/*
 * struct btrfs_fid (fs/btrfs/export.h) as far as it goes without a parent.  Generation 0 is any
 * since Linux 6.2 only, so that it is read first.
 */
int pme_btrfs_view_open_inode(const struct pme_btrfs_view *view, uint64_t root, uint64_t inode,
			      int flags)
{
	_cleanup_free_ struct file_handle *handle = NULL;
	struct fid {
		uint64_t inode, root;
		uint32_t generation;
	} __attribute__((packed)) fid;
	struct pme_btrfs_inode item;
	int r = pme_btrfs_view_inode(view, root, inode, &item);

	if (r <= 0)
		return r < 0 ? r : -ESTALE;
	fid = (struct fid){inode, root, (uint32_t)item.generation};
	handle = calloc(1, sizeof(*handle) + sizeof(fid));
	if (!handle)
		return -ENOMEM;
	handle->handle_bytes = sizeof(fid);
	handle->handle_type = HANDLE_TYPE;
	memcpy(handle->f_handle, &fid, sizeof(fid));
	return pme_os_open_handle(view->fd, handle, flags);
}
