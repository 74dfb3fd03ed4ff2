/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot of a machine that never was, built by hand: disks, partitions, dm and md devices,
 * regions with namespaces, mounts, and what a probe would find on a device.
 *
 * Numbers of the stack are sectors here, as in dm tables; addresses of regions and namespaces are
 * bytes.  A device that no test has filled in cannot be probed: there is nothing below this root.
 */
#ifndef PME_TESTS_SNAPSHOT_H
#define PME_TESTS_SNAPSHOT_H

#include "check.h"
#include "climb.h"
#include "topo.h"

#define SECTORS(n) ((uint64_t)(n)*PME_SECTOR)

struct snapshot {
	struct pme_os nowhere; /* every file of it is missing */
	struct pme_topo *topo;
	struct pme_stack stack;
	struct pme_log log;
	unsigned int next_minor;
};

/* @os: a made-up tree, or NULL for none. */
void snap_init(struct snapshot *snap, const struct pme_os *os);
void snap_done(struct snapshot *snap);

struct pme_dev *snap_disk(struct snapshot *snap, const char *name, uint64_t sectors);
struct pme_dev *snap_partition(struct snapshot *snap, struct pme_dev *disk, const char *name,
			       uint64_t start, uint64_t sectors);

/* An empty dm device; lines are put one behind the other, and make it larger. */
struct pme_dev *snap_dm(struct snapshot *snap, const char *name);
/* One line with these parameters (taken); nothing is stacked by it. */
void snap_line(struct pme_dev *dm, uint64_t sectors, const char *type, char *params);
void snap_linear(struct pme_dev *dm, struct pme_dev *lower, uint64_t start, uint64_t sectors);
void snap_stack(struct pme_dev *lower, struct pme_dev *upper);

/* An empty array; members are put in their slots one after the other. */
struct pme_dev *snap_md(struct snapshot *snap, const char *name, const char *level, uint64_t chunk);
void snap_member(struct pme_dev *md, struct pme_dev *lower, uint64_t offset, uint64_t sectors);

struct pme_dev *snap_region(struct snapshot *snap, const char *name, uint64_t resource,
			    uint64_t size, const char *dimm);
/*
 * A namespace of @size bytes at byte @offset of the region, with its data behind @reserved bytes.
 * Returns its device, or NULL when @device is NULL: the namespace is disabled.
 */
struct pme_dev *snap_namespace(struct snapshot *snap, struct pme_dev *region, const char *name,
			       enum pme_mode mode, uint64_t offset, uint64_t size,
			       uint64_t reserved, const char *device);

void snap_mount(struct snapshot *snap, const struct pme_dev *dev, const char *type,
		const char *target);
/* What a probe of @dev returns; each text may be NULL. */
void snap_probe(struct snapshot *snap, const struct pme_dev *dev, int error, const char *type,
		const char *usage, const char *pttype);

/* The text of the message about @subject, or NULL. */
const char *snap_message(const struct snapshot *snap, const char *subject);

#endif
