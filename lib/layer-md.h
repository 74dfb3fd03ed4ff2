/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Levels of MD: the third table.  A level maps bytes of the data area of one member to bytes of the
 * array, and back; layer-md.c has dealt with everything else (metadata, spares, reshapes).
 *
 * To add a level: one file lib/md-NAME.c with a const struct pme_md_level, one row in layer-md.c.
 */
#ifndef PME_LAYER_MD_H
#define PME_LAYER_MD_H

#include "layer.h"

struct pme_md_member {
	const struct pme_md_component *comp;
	uint64_t size; /* bytes of its data area that the array uses: a multiple of the chunk */
};

/*
 * An array whose numbers are sane: every slot taken once, no size 0, and neither the sum of the
 * sizes nor any end of a data area overflows.
 */
struct pme_md_geometry {
	const struct pme_dev *array;
	struct pme_md_member *members; /* by slot */
	size_t count;
	uint64_t chunk; /* bytes; 0 when it has none */
	uint64_t total; /* bytes of all members: at least the size of the array */
};

struct pme_md_level {
	const char *name; /* "raid0" */
	const char *kind; /* "md-raid0" */
	bool needs_chunk;
	/* Bytes @range of the data area of member @slot.  0 or -errno. */
	int (*up)(const struct pme_md_geometry *geo, size_t slot, struct pme_range range,
		  struct pme_steps *ret);
	/* Bytes @range of the array. */
	int (*down)(const struct pme_md_geometry *geo, struct pme_range range,
		    struct pme_steps *ret);
	/* The arithmetic from byte @at of the data area of @slot to a byte of the array. */
	char *(*explain)(const struct pme_md_geometry *geo, size_t slot, uint64_t at);
};

extern const struct pme_md_level pme_md_linear, pme_md_raid0;

/*
 * Append the step between @range of the data area of @slot and byte @start of the array, upward or
 * downward.  What lies behind the end of an array that was made smaller is unused.
 */
int pme_md_lead_up(const struct pme_md_geometry *geo, size_t slot, struct pme_range range,
		   uint64_t start, const char *kind, struct pme_steps *ret);
int pme_md_lead_down(const struct pme_md_geometry *geo, size_t slot, struct pme_range range,
		     uint64_t start, const char *kind, struct pme_steps *ret);
/* @range of the data area of @slot as bytes of its device. */
struct pme_range pme_md_on_device(const struct pme_md_geometry *geo, size_t slot,
				  struct pme_range range);

#endif
