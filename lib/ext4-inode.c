/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inodes of a mounted ext2, ext3 or ext4; see ext4-inode.h.
 *
 * What surprises: the kernel takes generation 0 in a handle for any generation, and inodes that
 * mke2fs made have just this one; so the generation is asked for again when the file is open.
 */
#include "ext4-inode.h"

#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>

#include "os.h"

#define HANDLE_INO32 1 /* FILEID_INO32_GEN: number, generation */
#define READ_TRIES 3   /* an inode that is written meanwhile has a wrong checksum */
#define BATCH 64       /* extents asked for at once */

int pme_ext4_inode_open(int dir, uint32_t ino, uint32_t gen, int flags)
{
	const uint32_t fid[] = {ino, gen};
	_cleanup_free_ struct file_handle *handle = calloc(1, sizeof(*handle) + sizeof(fid));

	if (!handle)
		return -ENOMEM;
	handle->handle_bytes = sizeof(fid);
	handle->handle_type = HANDLE_INO32;
	memcpy(handle->f_handle, fid, sizeof(fid));
	return pme_os_open_handle(dir, handle, flags);
}

/* ---- in the table ---- */

/* 0, -EIO, -EBADMSG wrong checksum, -ENOMEM. */
static int read_raw(const struct pme_ext4_geo *geo, uint32_t ino, unsigned char *raw)
{
	uint64_t at;
	int r = pme_ext4_geo_inode_at(geo, ino, &at);

	for (int i = 0; r == 0 && i < READ_TRIES; i++) {
		r = pme_os_pread(*geo->fd, raw, geo->inode_size, at);
		if (r < 0 || !geo->has_csum ||
		    ext2fs_inode_csum_verify(geo->fs, ino, (struct ext2_inode_large *)raw))
			return r;
	}
	return r < 0 ? r : -EBADMSG;
}

/* 1 and *@ret, 0 not in use, -errno: it cannot be known. */
static int read_inode(const struct pme_ext4_geo *geo, uint32_t ino, struct pme_ext4_inode *ret)
{
	_cleanup_free_ unsigned char *raw = malloc(geo->inode_size);
	int used = pme_ext4_geo_inode_used(geo, ino);
	int r = raw ? 0 : -ENOMEM;

	*ret = (struct pme_ext4_inode){.ino = ino};
	if (r < 0 || used == 0)
		return r;
	r = read_raw(geo, ino, raw);
	if (r < 0)
		return r;
	pme_ext4_inode_parse(raw, ino, geo->block_size, ret);
	if (ret->mode == 0)
		return 0;
	return used > 0 || ret->nlink > 0;
}

/* ---- of the filesystem itself ---- */

static const struct {
	uint32_t ino;
	const char *name;
} reserved[] = {
	{EXT2_BAD_INO, "bad blocks inode"},
	{EXT4_USR_QUOTA_INO, "user quota inode"},
	{EXT4_GRP_QUOTA_INO, "group quota inode"},
	{EXT2_BOOT_LOADER_INO, "boot loader inode"},
	{EXT2_UNDEL_DIR_INO, "undelete directory inode"},
	{EXT2_RESIZE_INO, "resize inode"},
	{EXT2_JOURNAL_INO, "journal inode"},
	{EXT2_EXCLUDE_INO, "exclude inode"},
};

bool pme_ext4_inode_is_journal(const struct pme_ext4_geo *geo, uint32_t ino)
{
	return ext2fs_has_feature_journal(geo->fs->super) && ino != 0 &&
	       ino == geo->fs->super->s_journal_inum;
}

static const char *name_of(const struct pme_ext4_geo *geo, uint32_t ino)
{
	const struct ext2_super_block *super = geo->fs->super;

	if (pme_ext4_inode_is_journal(geo, ino))
		return "journal inode";
	if (ino == super->s_prj_quota_inum)
		return "project quota inode";
	if (ino == super->s_orphan_file_inum)
		return "orphan file";
	if (ino == super->s_usr_quota_inum)
		return "user quota inode";
	if (ino == super->s_grp_quota_inum)
		return "group quota inode";
	for (size_t i = 0; i < PME_ARRAY_SIZE(reserved); i++)
		if (reserved[i].ino == ino && ino < geo->first_inode)
			return reserved[i].name;
	return NULL;
}

char *pme_ext4_inode_name(const struct pme_ext4_geo *geo, const struct pme_ext4_inode *inode)
{
	const char *name = name_of(geo, inode->ino);

	if (name)
		return strdup(name);
	if (inode->flags & PME_EXT4_XATTR_INODE)
		return pme_printf("inode %u, the value of an extended attribute", inode->ino);
	if (inode->ino < geo->first_inode && inode->ino != PME_EXT4_ROOT_INO)
		return pme_printf("reserved inode %u", inode->ino);
	return pme_printf("inode %u", inode->ino);
}

static bool is_internal(const struct pme_ext4_geo *geo, const struct pme_ext4_inode *inode)
{
	if (inode->ino == PME_EXT4_ROOT_INO)
		return false;
	return inode->ino < geo->first_inode || (inode->flags & PME_EXT4_XATTR_INODE) ||
	       name_of(geo, inode->ino);
}

/* ---- of the kernel ---- */

static bool is_gone(int error)
{
	return error == -ESTALE || error == -ENOENT;
}

/* Is @fd the inode of the table?  1, 0 not any more. */
static int compare(const struct pme_ext4_door *door, int fd, bool can_ask,
		   struct pme_ext4_live *live)
{
	const struct pme_ext4_inode *disk = &live->disk;
	struct stat st;
	int gen = 0;

	if (pme_os_fstat(fd, &st) < 0 || st.st_dev != door->devno || st.st_ino != disk->ino ||
	    (st.st_mode & S_IFMT) != (disk->mode & S_IFMT))
		return 0;
	if (can_ask && pme_os_ioctl(fd, FS_IOC_GETVERSION, &gen) >= 0 && (uint32_t)gen != disk->gen)
		return 0;
	live->mode = st.st_mode;
	live->nlink = (uint32_t)st.st_nlink;
	live->size = (uint64_t)st.st_size;
	return 1;
}

/* Does the filesystem have the key of the encrypted directory @fd?  (linux/fscrypt.h) */
static bool has_key(int fd)
{
	struct fscrypt_get_policy_ex_arg arg = {.policy_size = sizeof(arg.policy)};
	struct fscrypt_get_key_status_arg status = {0};

	if (pme_os_ioctl(fd, FS_IOC_GET_ENCRYPTION_POLICY_EX, &arg) < 0)
		return false;
	if (arg.policy.version == FSCRYPT_POLICY_V2) {
		status.key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER;
		memcpy(status.key_spec.u.identifier, arg.policy.v2.master_key_identifier,
		       sizeof(status.key_spec.u.identifier));
	} else {
		status.key_spec.type = FSCRYPT_KEY_SPEC_TYPE_DESCRIPTOR;
		memcpy(status.key_spec.u.descriptor, arg.policy.v1.master_key_descriptor,
		       sizeof(status.key_spec.u.descriptor));
	}
	return pme_os_ioctl(fd, FS_IOC_GET_ENCRYPTION_KEY_STATUS, &status) >= 0 &&
	       status.status == FSCRYPT_KEY_STATUS_PRESENT;
}

/* Only files and directories: to open others is to start something. */
static int open_to_ask(const struct pme_ext4_door *door, struct pme_ext4_live *live)
{
	const struct pme_ext4_inode *disk = &live->disk;
	int flags = O_RDONLY | O_NONBLOCK | O_NOATIME | O_LARGEFILE;
	bool encrypted = disk->flags & PME_EXT4_ENCRYPTED;
	int fd;

	live->no_key = encrypted; /* of a symbolic link nobody can tell */
	if (!S_ISREG(disk->mode) && !S_ISDIR(disk->mode))
		return -ENOTSUP;
	fd = pme_ext4_inode_open(door->fd, disk->ino, disk->gen, flags);
	if (fd >= 0 && encrypted)
		live->no_key = S_ISDIR(disk->mode) && !has_key(fd);
	return fd;
}

/* 1, 0 gone, -ENOMEM. */
static int ask_kernel(const struct pme_ext4_door *door, struct pme_ext4_live *live, int *ret_fd)
{
	const struct pme_ext4_inode *disk = &live->disk;
	bool must_ask = ret_fd || (disk->flags & PME_EXT4_ENCRYPTED);
	_cleanup_close_ int fd = must_ask ? open_to_ask(door, live) : -ENOTSUP;
	bool can_ask = fd >= 0;
	int r;

	if (fd < 0 && !is_gone(fd) && fd != -ENOMEM)
		fd = pme_ext4_inode_open(door->fd, disk->ino, disk->gen, O_PATH);
	if (is_gone(fd) || fd == -ENOMEM)
		return fd == -ENOMEM ? fd : 0;
	if (fd < 0) /* not reached: what the table says stands */
		return 1;
	r = compare(door, fd, can_ask, live);
	if (r > 0 && can_ask && ret_fd)
		*ret_fd = pme_take_fd(&fd);
	return r;
}

int pme_ext4_inode_look(const struct pme_ext4_door *door, uint32_t ino, struct pme_ext4_live *ret,
			int *ret_fd)
{
	int r;

	*ret = (struct pme_ext4_live){.disk.ino = ino};
	if (ret_fd)
		*ret_fd = -1;
	r = read_inode(door->geo, ino, &ret->disk);
	if (r == 0 || r == -ENOMEM)
		return r;
	if (r < 0) {
		ret->error = r;
		return 1;
	}
	ret->mode = ret->disk.mode;
	ret->nlink = ret->disk.nlink;
	ret->size = ret->disk.size;
	ret->internal = is_internal(door->geo, &ret->disk);
	return ret->internal ? 1 : ask_kernel(door, ret, ret_fd);
}

/* One extent of the kernel, clipped to @range: 0, -EINVAL, what @take returned. */
static int take_kernel_extent(const struct fiemap_extent *fe, struct pme_range range,
			      pme_ext4_take_extent take, void *arg)
{
	const uint32_t no_place = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC |
				  FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE;
	struct pme_range whole = {fe->fe_logical, fe->fe_length}, part;
	uint64_t end;

	if (pme_add(whole.start, whole.length, &end) < 0 ||
	    pme_add(fe->fe_physical, whole.length, &end) < 0)
		return -EINVAL;
	if ((fe->fe_flags & no_place) || !pme_range_intersect(whole, range, &part))
		return 0;
	return take(arg, part, fe->fe_physical + (part.start - whole.start),
		    fe->fe_flags & FIEMAP_EXTENT_UNWRITTEN);
}

/* Without FIEMAP_FLAG_SYNC: what is not written yet is nowhere, and stays so. */
int pme_ext4_inode_extents(int fd, struct pme_range range, pme_ext4_take_extent take, void *arg)
{
	_cleanup_free_ struct fiemap *map =
		malloc(sizeof(*map) + BATCH * sizeof(struct fiemap_extent));
	uint64_t next = range.start, end = pme_range_end(range);

	if (!map)
		return -ENOMEM;
	while (next < end) {
		const struct fiemap_extent *last;
		int r;

		memset(map, 0, sizeof(*map));
		map->fm_start = next;
		map->fm_length = end - next;
		map->fm_extent_count = BATCH;
		r = pme_os_ioctl(fd, FS_IOC_FIEMAP, map);
		if (r < 0 || map->fm_mapped_extents == 0)
			return r < 0 ? r : 0;
		if (map->fm_mapped_extents > BATCH)
			return -EINVAL;
		for (uint32_t i = 0; r == 0 && i < map->fm_mapped_extents; i++)
			r = take_kernel_extent(&map->fm_extents[i], range, take, arg);
		last = &map->fm_extents[map->fm_mapped_extents - 1];
		if (r < 0 || (last->fe_flags & FIEMAP_EXTENT_LAST))
			return r;
		if (last->fe_logical + last->fe_length <= next)
			return -EINVAL; /* no progress */
		next = last->fe_logical + last->fe_length;
	}
	return 0;
}
