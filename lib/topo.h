/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One snapshot of the machine: DIMMs, regions, namespaces, block devices and what is stacked on
 * them, mounts.  Built once per scan, never changed, freed; nothing in it is refreshed.
 *
 * All addresses and sizes are bytes.  Strings and structs are owned by the snapshot.
 * Sources: libndctl (topo-nd.c), sysfs (topo-block.c, topo-md.c), libdevmapper (topo-dm.c),
 * libmount (topo-mount.c), sysfs (topo-btrfs.c), libblkid (topo-probe.c).
 */
#ifndef PME_TOPO_H
#define PME_TOPO_H

#include "log.h"
#include "os.h"
#include "range.h"

#define PME_UNKNOWN UINT64_MAX /* an address or size that could not be read */

enum pme_mode { PME_MODE_FSDAX, PME_MODE_DEVDAX, PME_MODE_SECTOR, PME_MODE_RAW, PME_MODE_UNKNOWN };
const char *pme_mode_name(enum pme_mode mode); /* "fsdax"; NULL for unknown */

struct pme_region {
	char *name;	   /* "region0" */
	char *bus;	   /* "ndbus0" */
	char *provider;	   /* "ACPI.NFIT" */
	uint64_t resource; /* physical address of its first byte, or PME_UNKNOWN (not root) */
	uint64_t size;
	bool disabled; /* no driver is bound: the kernel shows none of its namespaces */
	char **dimms;  /* names: "nmem0", interleaved over this region; may be empty */
	size_t n_dimms;
};

struct pme_namespace {
	char *name;	    /* "namespace0.0" */
	char *uuid;	    /* or NULL */
	enum pme_mode mode; /* of an inactive one: what its label says, else unknown */
	const struct pme_region *region;
	bool active;	     /* a driver is bound and its device exists */
	uint64_t resource;   /* physical address of the namespace, or PME_UNKNOWN */
	uint64_t size;	     /* with its metadata */
	uint64_t data_start; /* physical address of byte 0 of its device, or PME_UNKNOWN */
	char *device;	     /* "pmem0", "pmem0s", "dax0.0", or NULL when not active */
};

enum pme_dev_kind {
	PME_DEV_DISK, /* pmem, loop and every other disk of the machine */
	PME_DEV_PARTITION,
	PME_DEV_DM,
	PME_DEV_MD,
	PME_DEV_REGION,	 /* not a block device: the bytes of a region */
	PME_DEV_CHARDEV, /* not a block device: /dev/daxX.Y */
};

/* One line of an active device-mapper table. */
struct pme_dm_line {
	struct pme_range range; /* bytes of the dm device */
	char *type;		/* "linear" */
	char *params; /* as the kernel prints them; may hold keys: never shown or logged */
};

struct pme_md_component {
	const struct pme_dev *dev;
	int slot;		   /* role in the array; -1 none (spare, journal) */
	uint64_t data_offset;	   /* bytes */
	uint64_t size;		   /* bytes used for data */
	char *state;		   /* "in_sync", "faulty,..." */
	uint64_t synced;	   /* bytes of its data area that are in sync; UINT64_MAX: all */
	bool vague;		   /* nobody says which */
	struct pme_range_list bad; /* bytes of the device that md itself calls bad */
};

struct pme_md {
	char *level;	      /* "raid0" */
	uint64_t chunk;	      /* bytes; 0 when it has none */
	uint64_t layout;      /* raw number; meaning depends on the level */
	bool layout_known;    /* false: unreadable, or two numbers (a reshape runs) */
	bool reshape;	      /* reshape_position is not "none" */
	uint64_t member_size; /* bytes that the array uses of each member; 0: not said */
	uint64_t resynced;    /* mirrors and parity agree below: UINT64_MAX: everywhere */
	bool journal_back;    /* new data may be in the journal only */
	char *metadata;	      /* version of its superblocks: "1.2"; or NULL */
	uint64_t raid_disks;
	struct pme_md_component *components;
	size_t n_components;
};

/* A loop device with a file behind it (Documentation: sysfs-block-loop, linux/loop.h). */
struct pme_loop {
	char *file;	  /* as the kernel says it; " (deleted)" may stand behind it */
	dev_t file_devno; /* st_dev and st_ino of the file; 0 when they could not be asked */
	uint64_t file_inode;
	uint64_t offset; /* byte of the file where the device begins */
	bool on_device;	 /* no file: all of the block device @file_devno */
};

/*
 * A device of bcache (Documentation/admin-guide/bcache.rst): a backing device, and a cache set that
 * may have newer data of it.
 */
struct pme_bcache {
	const struct pme_dev *backing; /* one of the lowers; NULL: data in the cache only */
	char *state; /* "clean", "dirty", "no cache", "inconsistent", as of the snapshot; or NULL */
	char *set;   /* UUID of the cache set, or NULL: none */
	uint64_t id; /* number of the device in the set, or PME_UNKNOWN */
};

/* What libblkid found on a device; every string may be NULL. */
struct pme_probe {
	char *type;  /* "xfs", "LVM2_member", "swap" */
	char *usage; /* "filesystem", "raid", "crypto", "other" */
	char *uuid;
	char *pttype;  /* "gpt", "dos" */
	char *journal; /* uuid of the journal device of an ext3 or ext4 */
};

struct pme_dev {
	char *name;	/* kernel name: "pmem0", "dm-3" */
	char *alias;	/* what people call it: "vg0/data" (LVM), the dm name, else NULL */
	char *uuid;	/* of kinds DM ("LVM-…") and MD, as the kernel says it; or NULL */
	char *identity; /* survives renaming where anything does: see topo-identity.c */
	enum pme_dev_kind kind;
	dev_t devno; /* 0 for regions and character devices */
	uint64_t size;
	uint64_t diskseq;		 /* 0 when the kernel has none */
	const struct pme_dev *disk;	 /* of a partition */
	uint64_t start;			 /* of a partition: bytes on @disk */
	const struct pme_namespace *ns;	 /* of a namespace's own device */
	const struct pme_region *region; /* of kind REGION */
	struct pme_dm_line *lines; /* of kind DM; n_lines 0 and table_error set when unreadable */
	size_t n_lines;
	int table_error;       /* 0 or -errno: the dm table or md attributes could not be read */
	struct pme_md *md;     /* of kind MD */
	struct pme_loop *loop; /* of a loop device that is in use */
	struct pme_bcache *bcache;     /* of "bcacheN" with devices below */
	const struct pme_dev **uppers; /* devices stacked directly above, partitions included */
	size_t n_uppers, alloc_uppers;
	const struct pme_dev **lowers;
	size_t n_lowers, alloc_lowers;
	char *member_of; /* UUID of the mounted btrfs that it is a device of; or NULL */
	bool swap;	 /* an active swap area */
	bool suspended;	 /* of kind DM: reads and writes wait until it is resumed */
	bool mark;	 /* private to pme_topo_add_edge() */
};

struct pme_mount {
	dev_t devno; /* of the superblock; for btrfs: of the source device */
	dev_t shown; /* of the superblock, as /proc/PID/maps shows it: for btrfs an anonymous one */
	char *root;  /* directory of the filesystem that is mounted: "/", "/sub" */
	char *target; /* where */
	char *type;   /* "xfs" */
	char *source;
	char *options; /* of the superblock */
};

void pme_mount_done(struct pme_mount *mount); /* frees what it owns */

/* An active swap file, as stat(2) sees it. */
struct pme_swap_file {
	dev_t devno;
	uint64_t inode;
};

struct pme_topo {
	const struct pme_os *os;
	struct pme_region **regions;
	size_t n_regions, alloc_regions;
	struct pme_namespace **namespaces;
	size_t n_namespaces, alloc_namespaces;
	struct pme_dev **devs;
	size_t n_devs, alloc_devs;
	struct pme_mount *mounts;
	size_t n_mounts, alloc_mounts;
	struct pme_swap_file *swap_files;
	size_t n_swap_files, alloc_swap_files;
	struct pme_overlays *overlays; /* by pme_topo_load_overlays(), when needed; or NULL */
	bool overlays_looked;
	void *nd;     /* libndctl context, or NULL */
	bool partial; /* made by pme_topo_load_again() */
};

/*
 * Take the snapshot (order: block, md, dm, nd, identities, mounts; the parts are below).  What
 * cannot be read is said in @log (and makes it incomplete); only -ENOMEM and an unreadable /sys are
 * errors of the call.
 */
int pme_topo_load(const struct pme_os *os, struct pme_log *log, struct pme_topo **ret);
/*
 * The same again, only to be compared with an earlier one (topo-same.h): without what libndctl
 * knows, which is most of the work, and without identities.  It has no regions and namespaces.
 */
int pme_topo_load_again(const struct pme_os *os, struct pme_log *log, struct pme_topo **ret);
struct pme_topo *pme_topo_free(struct pme_topo *topo); /* NULL is fine; returns NULL */

/* Look-ups: the object, or NULL. */
const struct pme_dev *pme_topo_dev_by_name(const struct pme_topo *topo, const char *name);
const struct pme_namespace *pme_topo_namespace_by_name(const struct pme_topo *topo,
						       const char *name);
const struct pme_dev *pme_topo_dev_by_devno(const struct pme_topo *topo, dev_t devno);
/*
 * "pmem0", "namespace0.0", "region0", "dax0.0", "vg0/data", a dm name ("vg0-data"), and every path
 * below /dev that leads to a block device: "/dev/pmem0", "/dev/mapper/x", "/dev/disk/by-id/…".
 */
const struct pme_dev *pme_topo_dev_by_spec(const struct pme_topo *topo, const char *spec);

/* What a device is to its filesystem. */
enum pme_fs_role {
	PME_FS_DATA, /* it is the one that is mounted */
	PME_FS_LOG,
	PME_FS_REALTIME,
	PME_FS_MEMBER, /* one of several that are used alike, another one is shown as mounted */
};

/*
 * Does @dev belong to a mounted filesystem?  1 and *@ret_main (the device that is mounted) and
 * *@ret_role; 0 no, -ENOMEM.
 */
int pme_topo_fs_find(const struct pme_topo *topo, const struct pme_dev *dev,
		     const struct pme_dev **ret_main, enum pme_fs_role *ret_role);

/* The device in @role of the filesystem that is mounted as @mount, or NULL. */
const struct pme_dev *pme_topo_fs_device(const struct pme_topo *topo, const struct pme_mount *mount,
					 enum pme_fs_role role);

/* Is @dev a device of the filesystem that @mount shows? (of btrfs: any of its devices) */
bool pme_topo_mount_has(const struct pme_topo *topo, const struct pme_mount *mount,
			const struct pme_dev *dev);

/* The region that @dev lies in: a namespace's device or a region itself; else NULL. */
const struct pme_region *pme_dev_region(const struct pme_dev *dev);

bool pme_region_has_dimm(const struct pme_region *region, const char *name);

/* Physical address of byte @offset of a namespace's device or region, else PME_UNKNOWN. */
uint64_t pme_dev_physical(const struct pme_dev *dev, uint64_t offset);

/*
 * DIMMs that hold the byte at physical address @address of @region: the one that the platform can
 * translate it to, else all DIMMs of the region.  Borrowed names in *@ret (allocated array).
 */
int pme_topo_dimms_at(const struct pme_topo *topo, const struct pme_region *region,
		      uint64_t address, const char ***ret, size_t *ret_count);

/*
 * What is on the device: reads it with libblkid.  An empty result is no error.  -errno: -EMLINK
 * when the signatures of several kinds contradict each other, -EIO when bad sectors hide the
 * answer, -ENOTBLK for what is no block device, -EAGAIN when reads would wait (see
 * pme_dev_suspended()).
 */
int pme_dev_probe(const struct pme_topo *topo, const struct pme_dev *dev, struct pme_probe *ret);
/*
 * The same, faster, when the kernel has mounted it as @type: others are looked for only if that
 * fails.
 */
int pme_dev_probe_mounted(const struct pme_topo *topo, const struct pme_dev *dev, const char *type,
			  struct pme_probe *ret);
void pme_probe_done(struct pme_probe *probe);

/*
 * The suspended device that reads of @dev would wait for: itself, or one below it, also below the
 * file of a loop device; or NULL.
 */
const struct pme_dev *pme_dev_suspended(const struct pme_topo *topo, const struct pme_dev *dev);

/* "dev/pmem0": its node below the root; allocated, NULL without memory. */
char *pme_dev_node(const struct pme_dev *dev);

/* "vg0/data" for a dm device of LVM, the alias or name otherwise; never NULL. */
const char *pme_dev_label(const struct pme_dev *dev);

/*
 * Parts of the loader, one file each; also used by unit tests with a made-up root.  0 or -errno:
 * -ENOMEM, and an unreadable /sys/class/block; everything else is said in @log.
 */
int pme_topo_load_block(struct pme_topo *topo, struct pme_log *log);
int pme_topo_load_swaps(struct pme_topo *topo, struct pme_log *log);
int pme_topo_load_nd(struct pme_topo *topo, struct pme_log *log);
int pme_topo_load_dm(struct pme_topo *topo, struct pme_log *log);
int pme_topo_load_md(struct pme_topo *topo, struct pme_dev *dev, struct pme_log *log);
int pme_topo_load_loops(struct pme_topo *topo, struct pme_log *log);
int pme_topo_load_btrfs(struct pme_topo *topo, struct pme_log *log);
/* What is behind @loop, by members of struct loop_info64. */
void pme_loop_set_backing(struct pme_loop *loop, uint64_t lo_device, uint64_t lo_inode,
			  uint64_t lo_rdevice);
int pme_topo_load_bcaches(struct pme_topo *topo, struct pme_log *log);
int pme_topo_load_mounts(struct pme_topo *topo, struct pme_log *log);
/* Sets the identity of every device; what cannot be read is said, and the name is used. */
int pme_topo_identify(struct pme_topo *topo, struct pme_log *log);
/* Says what sysfs has of regions, namespaces and their disks, and the snapshot has not. */
int pme_topo_check_nd(const struct pme_topo *topo, struct pme_log *log);
void pme_topo_free_nd(struct pme_topo *topo);
void pme_topo_drop_table(struct pme_dev *dev); /* wipes it: it may hold keys */

/*
 * Building blocks of the loaders.  A new device owned by @topo, or NULL without memory.  An edge
 * between two: 0 also when it is there already, -ELOOP and nothing done when it closes a cycle.
 */
struct pme_dev *pme_topo_add_dev(struct pme_topo *topo, const char *name, enum pme_dev_kind kind);
int pme_topo_add_edge(struct pme_dev *lower, struct pme_dev *upper);
/* The same, with what went wrong in @log: 0 or -ENOMEM. */
int pme_topo_link(struct pme_dev *lower, struct pme_dev *upper, struct pme_log *log);
struct pme_dev *pme_topo_find(const struct pme_topo *topo, const char *name);

/* Is the root of the snapshot that of this machine?  Libraries that know no other root need it. */
bool pme_topo_is_host(const struct pme_topo *topo);

/*
 * One block device attribute "MAJOR:MINOR", nothing behind it: 0 or -EINVAL.
 */
int pme_devno_parse(const char *text, size_t len, dev_t *ret);

/* Is this inode an active swap file? */
bool pme_topo_is_swap_file(const struct pme_topo *topo, dev_t devno, uint64_t inode);

/* One line of /proc/swaps but the first: 0 and an allocated path, -EINVAL, -ENOMEM. */
struct pme_swap_line {
	char *path; /* without escapes */
	bool is_file;
	uint64_t size; /* bytes, without the first page */
};
int pme_swap_line_parse(const char *line, size_t len, struct pme_swap_line *ret);

/*
 * MD attributes as sysfs shows them, without the newline (Documentation/admin-guide/md.rst).
 * Units: chunk_size bytes, size and component_size KiB, all else 512-byte sectors.  While a reshape
 * runs, layout, chunk_size and raid_disks read "new (old)".
 */
struct pme_md_text {
	const char *level, *raid_disks, *layout, *chunk_size, *reshape_position;
	const char *component_size, *resync_start, *metadata_version, *journal_mode;
};
struct pme_md_component_text {
	const char *slot, *offset, *size, *state, *recovery_start;
};
/* 0, -EINVAL or -ERANGE for text that makes no sense, -ENOMEM; components are not touched. */
int pme_md_parse(const struct pme_md_text *text, struct pme_md *ret);
int pme_md_component_parse(const struct pme_md_component_text *text, struct pme_md_component *ret);
void pme_md_done(struct pme_md *md);

/*
 * "my--vg-data" -> "my-vg/data"; NULL when it is not the name of an LV ("vg0-data-real" is a layer
 * inside of one) or there is no memory.
 */
char *pme_lvm_name(const char *dm_name);

#endif
