/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a range of a device up through everything stacked on it, to the tops of the stack.
 *
 * A top is one contiguous piece on one way up: it either reaches a mounted filesystem (which is
 * asked later, for all pieces at once) or ends with an owner of its own, possibly unknown.  All
 * bytes of the range are covered by at least one top: nothing is dropped in silence.
 */
#ifndef PME_CLIMB_H
#define PME_CLIMB_H

#include "stack.h"

/* Devices stacked deeper than this end as unknown. */
#define PME_CLIMB_DEPTH 64

/* One device on the way; the piece covers [start, start + length of the top) of it. */
struct pme_hop {
	const struct pme_dev *dev;
	const char *kind; /* how it was reached: "disk", "partition", "dm-linear"; static */
	uint64_t start;
};

struct pme_top {
	struct pme_hop *hops; /* hops[0]: the device asked about; the last one: the top */
	size_t n_hops;
	uint64_t length;
	bool at_fs; /* the last hop is a device of a mounted filesystem (see pme_topo_fs_find) */
	/* At a filesystem: what is said of the way there; else of the owner and the way. */
	enum pme_certainty certainty;
	char *reason; /* why unknown or redundant, or NULL */
	/* only when not at_fs: */
	enum pme_owner_kind owner;
	char *detail;		 /* or NULL */
	char *fs_type, *fs_uuid; /* of a filesystem that is there but not mounted, or NULL */
	/* that is mounted, of a filesystem that these bytes serve in another way, or NULL */
	const struct pme_dev *fs_main;
	bool blank; /* nothing, or no partition, is on the device: who has it open uses it raw */
	char *way_reason; /* of a blank one: what of @reason is said of the way, or NULL */
};

/* The same way for bytes @skip further on: allocated, NULL without memory. */
struct pme_hop *pme_hops_copy(const struct pme_hop *hops, size_t n_hops, uint64_t skip);

struct pme_tops {
	struct pme_top *items;
	size_t count, alloc;
};

/*
 * Climb from @range of @dev.  Appends to @ret; 0 or -ENOMEM, -E2BIG.  The range must lie within
 * the device.
 */
int pme_climb(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
	      struct pme_tops *ret);

/* Append an end at the device of @top->hops' last hop; used by climb.c and rest.c. */
struct pme_top *pme_tops_add(struct pme_tops *tops, const struct pme_hop *hops, size_t n_hops,
			     uint64_t skip, uint64_t length);
void pme_tops_done(struct pme_tops *tops);

/*
 * What the bytes of @dev mean that nothing stacked on it uses: partition tables, unmounted
 * filesystems, inactive volumes, nothing.  Fills owner, certainty, detail, reason, fs_type,
 * fs_uuid and fs_main of ends appended to @ret.  @hops: the way to @dev; @range: bytes of @dev.
 */
int pme_rest(struct pme_stack *stack, const struct pme_hop *hops, size_t n_hops,
	     struct pme_range range, struct pme_tops *ret);

/* "disk", "partition", "dm", "md", "region", "chardev": kind of a hop that nothing led to. */
const char *pme_hop_kind(const struct pme_dev *dev);

#endif
