/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the layers of one scan share: the snapshot, and what was read besides it since: signatures
 * of devices, maps of targets, ranges known to be bad.  Nothing here is read before it is needed,
 * and nothing twice.
 */
#ifndef PME_STACK_H
#define PME_STACK_H

#include "claim.h"
#include "topo.h"

/* What one device was found to hold; a test fills it in for a device that is none. */
struct pme_probe_entry {
	const struct pme_dev *dev;
	struct pme_probe probe;
	int error;
};

struct pme_probes {
	struct pme_probe_entry *items;
	size_t count, alloc;
};

/* Known bad ranges of one device. */
struct pme_bad_entry {
	const struct pme_dev *dev;
	struct pme_range_list ranges; /* normalized */
};

struct pme_bad_set {
	struct pme_bad_entry *items;
	size_t count, alloc;
};

struct pme_map_entry; /* map.c */
struct pme_maps {
	struct pme_map_entry *items;
	size_t count, alloc;
};

/* Zeroed but for the snapshot to begin with. */
struct pme_stack {
	const struct pme_topo *topo;
	struct pme_probes probes;
	struct pme_maps maps;
	struct pme_bad_set bad; /* says which copies can be read */
	unsigned int depth;	/* of the search for readable copies */
};

void pme_stack_done(struct pme_stack *stack);

/*
 * The cached probe of @dev, valid until the next call; *@ret_error is what the probe returned. NULL
 * without memory.
 */
const struct pme_probe *pme_stack_probe(struct pme_stack *stack, const struct pme_dev *dev,
					int *ret_error);

/* Add a range that cannot be read; 0 or -ENOMEM, -E2BIG.  Then pme_stack_seal_bad() once. */
int pme_stack_add_bad(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range);
void pme_stack_seal_bad(struct pme_stack *stack);
/* The known bad ranges of @dev, or NULL when there are none. */
const struct pme_range_list *pme_stack_bad(const struct pme_stack *stack,
					   const struct pme_dev *dev);

#endif
