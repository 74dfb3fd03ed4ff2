/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What cannot be repaired; see repair-check.h.
 *
 * What cannot be known: whether a filesystem is frozen.  No file tells it, and every question that
 * does waits for the thaw; so does the repair.
 */
#include "repair-check.h"

#include <linux/fs.h>
#include <string.h>
#include <sys/statvfs.h>

#include "checkpoint.h"
#include "extent.h"
#include "remap.h"
#include "xfs-inode.h"

void pme_repair_site_done(struct pme_repair_site *site)
{
	free(site->refusal);
	site->refusal = NULL;
}

static bool has_option(const char *options, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = options; p && *p;) {
		size_t word = strcspn(p, ",");

		if (word == len && strncmp(p, name, len) == 0)
			return true;
		p += word + (p[word] == ',');
	}
	return false;
}

static const char *look_at_xfs(const struct pme_reach *reach, struct pme_repair_site *site)
{
	struct pme_xfs_geo geo;

	if (pme_xfs_geo_read(reach->root, &geo) < 0)
		return "its geometry cannot be read";
	if (geo.is_zoned)
		return "zoned XFS is not supported";
	if (pme_remap_has_commit(reach->root) > 0)
		site->how = PME_HOW_COMMIT;
	else
		site->how = pme_remap_has_clone(reach->root) > 0 ? PME_HOW_CLONE : PME_HOW_PLACE;
	return NULL;
}

static const char *look_at_type(const struct pme_fs *fs, const struct pme_reach *reach,
				struct pme_repair_site *site)
{
	if (strcmp(fs->type, "xfs") == 0)
		return look_at_xfs(reach, site);
	if (strcmp(fs->type, "ext4") != 0)
		return "it cannot exchange blocks, and of filesystems that cannot only ext4 and "
		       "XFS are written over in place: restore the file from a copy";
	site->how = PME_HOW_PLACE;
	return NULL;
}

static char *why_not_open(const struct pme_fs *fs, int error)
{
	if (strcmp(fs->type, "btrfs") == 0)
		return strdup("btrfs repairs itself, from its own copies, where it has any: "
			      "btrfs scrub start -B on its mount");
	if (error == -EOPNOTSUPP)
		return pme_printf("filesystems of type %s cannot be repaired", fs->type);
	if (error == -EXDEV)
		return strdup("its root directory cannot be reached: mount it, not only a "
			      "subdirectory, where nothing is mounted over it");
	return pme_printf("it cannot be entered: %s", strerror(-error));
}

static int set_refusal(struct pme_repair_site *site, char *text)
{
	site->refusal = text;
	return text ? 0 : -ENOMEM;
}

int pme_repair_site_look(const struct pme_fs *fs, const struct pme_reach *reach, int error,
			 struct pme_repair_site *ret)
{
	const char *why = NULL;
	struct statvfs vfs;

	*ret = (struct pme_repair_site){.block = 4096};
	if (error < 0)
		return set_refusal(ret, why_not_open(fs, error));
	if (fstatvfs(reach->root, &vfs) < 0)
		return set_refusal(ret, pme_printf("it cannot be asked: %s", strerror(errno)));
	ret->block = vfs.f_bsize;
	ret->free = (uint64_t)vfs.f_bfree * vfs.f_frsize;
	for (size_t i = 0; i < fs->n_mounts; i++)
		ret->project_quota |= has_option(fs->mounts[i]->options, "prjquota") ||
				      has_option(fs->mounts[i]->options, "pquota") ||
				      has_option(fs->mounts[i]->options, "pqnoenforce");
	if (fs->role != PME_FS_DATA)
		why = "only blocks of its data device can be exchanged, and this one is another";
	else if (vfs.f_flag & ST_RDONLY)
		why = "it is mounted read-only";
	else
		why = look_at_type(fs, reach, ret);
	return why ? set_refusal(ret, strdup(why)) : 0;
}

/* ---- files ---- */

static const struct {
	int flag;
	const char *why;
} flags[] = {
	{FS_IMMUTABLE_FL, "it is immutable: chattr -i, then repair, then chattr +i"},
	{FS_APPEND_FL, "it is append-only: chattr -a, then repair, then chattr +a"},
	{FS_ENCRYPT_FL, "it is encrypted: what is on the media are not its bytes"},
	{FS_COMPR_FL, "it is compressed: what is on the media are not its bytes"},
	{FS_VERITY_FL, "it is sealed by fs-verity: nothing can be written to it"},
};

static const char *why_flags(int fd)
{
	int value = 0;

	if (pme_os_ioctl(fd, FS_IOC_GETFLAGS, &value) < 0)
		return "its flags cannot be read";
	for (size_t i = 0; i < PME_ARRAY_SIZE(flags); i++)
		if (value & flags[i].flag)
			return flags[i].why;
	return NULL;
}

static uint32_t project_of(int fd)
{
	struct fsxattr attr = {0};

	return pme_os_ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0 ? 0 : attr.fsx_projid;
}

static char *why_not_file(const struct pme_file *file, int error)
{
	if (file->out_of_reach)
		return strdup("the filesystem may shut down when it is made to read this inode");
	if (error == -ESTALE || error == -ENOENT)
		return strdup("it is gone, or another file by now: scan again");
	return pme_printf("it cannot be opened: %s", strerror(-error));
}

/* "postgres (12), sh (34)" */
static char *name_holders(const struct pme_file *file)
{
	_cleanup_free_ char *all = NULL;

	for (size_t i = 0; i < file->n_holders; i++) {
		_cleanup_free_ char *before = pme_take_ptr(all);
		const struct pme_holder *holder = &file->holders[i];

		all = pme_printf("%s%s%s (%ld)", before ? before : "", before ? ", " : "",
				 holder->command ? holder->command : "process", (long)holder->pid);
		if (!all)
			return NULL;
	}
	return pme_take_ptr(all);
}

/* Without COMMIT_RANGE nothing says whether somebody wrote between reading and switching. */
static char *why_held(const struct pme_file *file)
{
	_cleanup_free_ char *names = name_holders(file);

	return names ? pme_printf("on this kernel and filesystem only a file that nobody has open "
				  "can be repaired; it is open in: %s",
				  names)
		     : NULL;
}

/* On some kernels sharing blocks, once and for a moment, takes DAX from a file. */
static int check_dax(int fd, char **ret)
{
	const char *why;
	int r = pme_checkpoint_allowed(fd, &why);

	if (r > 0 || (r == 0 && !why))
		return 0;
	*ret = r < 0 ? pme_printf("it is not known whether it is DAX: %s", strerror(-r))
		     : pme_printf("%s, and its blocks can only be exchanged by reflink here: "
				  "restore it from a copy, or boot Linux 6.2 or newer",
				  why);
	return *ret ? 0 : -ENOMEM;
}

int pme_repair_target_check(const struct pme_topo *topo, const struct pme_repair_site *site,
			    const struct pme_repair_target *target, int fd, char **ret)
{
	const struct pme_file *file = target->file;
	const char *why;

	*ret = NULL;
	if (fd < 0) {
		*ret = why_not_file(file, fd);
		return *ret ? 0 : -ENOMEM;
	}
	why = why_flags(fd);
	if (!why && pme_topo_is_swap_file(topo, file->devno, file->inode))
		why = "it is an active swap file: swapoff, then make it anew";
	if (!why && pme_fd_is_realtime(fd))
		why = "its data is on the realtime device";
	if (!why && site->how != PME_HOW_PLACE && site->project_quota && project_of(fd) != 0)
		why = "it is under project quota: its blocks cannot be exchanged with those of a "
		      "file outside of the project";
	if (why) {
		*ret = strdup(why);
		return *ret ? 0 : -ENOMEM;
	}
	if (site->how == PME_HOW_COMMIT)
		return 0;
	if (file->n_holders > 0) {
		*ret = why_held(file);
		return *ret ? 0 : -ENOMEM;
	}
	return site->how == PME_HOW_CLONE ? check_dax(fd, ret) : 0;
}
