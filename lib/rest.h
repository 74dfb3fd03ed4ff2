/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kinds of content of a device, by what libblkid finds on it: what its bytes mean that no active
 * device above it uses and no mounted filesystem holds (pme_rest() in climb.h).
 *
 * To add a kind: one file lib/rest-NAME.c with a const struct pme_rest_kind, one row in rest.c.
 */
#ifndef PME_REST_H
#define PME_REST_H

#include "layer.h"

struct pme_rest_kind {
	const char *type;   /* of libblkid: "LVM2_member"; or NULL */
	const char *pttype; /* of libblkid: "gpt"; asked where the kernel made partitions */
	/*
	 * Of a @pttype: is there no partition in the table on @dev?  1 when that is certain: then
	 * the kernel had none to make, and the kind is asked; 0, or -errno.
	 */
	int (*is_empty)(struct pme_stack *stack, const struct pme_dev *dev);
	/*
	 * Append steps that end (owner, certainty, detail, reason) for bytes @range of @dev; their
	 * copies are not looked at.  Bytes that are not mentioned become an explicit unknown.  0,
	 * or -errno: then so do all of them.
	 */
	int (*fill)(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		    struct pme_steps *ret);
};

extern const struct pme_rest_kind pme_rest_gpt, pme_rest_lvm, pme_rest_mbr;

/* Is @dev the device that Linux makes for the first block of an extended partition? */
bool pme_rest_is_extended(struct pme_stack *stack, const struct pme_dev *dev);

#endif
