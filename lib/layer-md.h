/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Levels of MD: the third table.  A level maps bytes of the data area of one member to bytes of the
 * array, and back; layer-md.c (arrays of their own) and dm-raid.c (arrays inside of device-mapper)
 * make its geometry and deal with everything else (metadata, spares, reshapes).
 *
 * To add a level: one file lib/md-NAME.c with a const struct pme_md_level, one row in
 * md-geometry.c.
 */
#ifndef PME_LAYER_MD_H
#define PME_LAYER_MD_H

#include "layer.h"

/* One device of one slot.  Bytes that md does not read there hold nothing of the array. */
struct pme_md_member {
	const struct pme_dev *dev; /* NULL: the slot has none */
	size_t slot;
	uint64_t offset; /* bytes of @dev in front of its data area */
	uint64_t size;	 /* bytes of its data area that the array uses: a multiple of the chunk */
	uint64_t synced; /* it is in sync below this byte of its data area; md reads nothing else */
	bool vague;	 /* being rebuilt, and nobody says how far md reads it */
	/* Of a vague one: it is rebuilt below @rebuilt at least, and not read behind. */
	bool counted;
	uint64_t rebuilt;		  /* byte of its data area */
	const struct pme_range_list *bad; /* bytes of @dev that md itself calls bad, or NULL */
};

/*
 * An array whose numbers are sane: no slot taken twice, no size 0, and neither the sum of the sizes
 * nor any end of a data area overflows.
 */
struct pme_md_geometry {
	const struct pme_dev *array;
	struct pme_range range; /* bytes of @array that it makes up */
	const struct pme_md_level *level;
	struct pme_md_member *members;	    /* by slot */
	struct pme_md_member *replacements; /* by slot: will take over once they are in sync */
	size_t count;
	uint64_t chunk; /* bytes; 0 when it has none */
	uint64_t layout;
	bool layout_known;
	uint64_t total; /* bytes of all members: at least the size of the array */
	/* Mirrors and parity agree below this byte (of the data areas; raid10: of the array). */
	uint64_t agreed;
	const char *disagree; /* why they may not, behind: "is being resynced" */
};

struct pme_md_level {
	const char *name; /* "raid0" */
	const char *kind; /* "md-raid0" */
	bool needs_chunk;
	bool redundant; /* members are of one size, and may be missing */
	/* NULL, or: 0, -EINVAL when the level has no such layout or too few members. */
	int (*check)(const struct pme_md_geometry *geo);
	/* Bytes @range of the data area of @member.  0 or -errno. */
	int (*up)(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		  struct pme_range range, struct pme_steps *ret);
	/* Bytes @range of the array. */
	int (*down)(const struct pme_md_geometry *geo, struct pme_range range,
		    struct pme_steps *ret);
	/* The arithmetic from byte @at of the data area of @member to byte @x of the array. */
	char *(*explain)(const struct pme_md_geometry *geo, const struct pme_md_member *member,
			 uint64_t at, uint64_t x);
};

extern const struct pme_md_level pme_md_linear, pme_md_raid0, pme_md_raid1, pme_md_raid4,
	pme_md_raid5, pme_md_raid6, pme_md_raid10;

/* The level with that name ("raid5"), or NULL. */
const struct pme_md_level *pme_md_level_of(const char *name);

/* Room for @count slots, without members; 0 or -ENOMEM.  @ret is zeroed before. */
int pme_md_geometry_alloc(struct pme_md_geometry *ret, size_t count);
/* What must hold once everything is filled in: 0 or -EINVAL; sets @total. */
int pme_md_geometry_check(struct pme_md_geometry *geo);
void pme_md_geometry_done(struct pme_md_geometry *geo);
/*
 * The geometry of an array of its own: 0, -EINVAL when it has none that is followed, -ENOMEM.  @ret
 * is zeroed before; free it in any case.
 */
int pme_md_geometry_of(const struct pme_dev *array, struct pme_md_geometry *ret);
#define _cleanup_md_geometry_ _cleanup_(pme_md_geometry_done)

/* The member or replacement that lies on @dev, or NULL. */
const struct pme_md_member *pme_md_member_on(const struct pme_md_geometry *geo,
					     const struct pme_dev *dev);

/*
 * Append the step between @range of the data area of @member and byte @start of the array, upward
 * or downward.  What lies behind the end of an array that was made smaller is unused.
 */
int pme_md_lead_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		   struct pme_range range, uint64_t start, struct pme_steps *ret);
int pme_md_lead_down(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		     struct pme_range range, uint64_t start, struct pme_steps *ret);
/* @range of the data area of @member as bytes of its device. */
struct pme_range pme_md_on_device(const struct pme_md_member *member, struct pme_range range);

/*
 * Redundant levels (md-copies.c).  A site is a place in the data area of a slot; a slot may have
 * two devices there.
 */
struct pme_md_site {
	size_t slot;
	uint64_t at;
};

/* Does the byte @at of the member hold what it should? */
bool pme_md_vouches(const struct pme_md_member *member, uint64_t at);
/* The device of the slot that vouches for the site, or NULL. */
const struct pme_md_member *pme_md_voucher(const struct pme_md_geometry *geo,
					   struct pme_md_site site);
/* How many of @length bytes from the sites on fare alike on all their devices. */
uint64_t pme_md_alike(const struct pme_md_geometry *geo, const struct pme_md_site *sites, size_t n,
		      uint64_t length);

/* Bytes at @at of a member whose data are @length bytes from @x of the array on. */
struct pme_md_piece {
	uint64_t at, x, length;
	bool agreed; /* do all copies agree here? */
};

/* All of @sites hold the bytes of @piece, one of them is its own: append steps up, or down. */
int pme_md_mirror_up(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		     const struct pme_md_piece *piece, const struct pme_md_site *sites, size_t n,
		     struct pme_steps *ret);
int pme_md_mirror_down(const struct pme_md_geometry *geo, const struct pme_md_piece *piece,
		       const struct pme_md_site *sites, size_t n, struct pme_steps *ret);
/* The member holds nothing at these bytes: says so; 1 when it did, 0 when it is used. */
int pme_md_say_unread(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		      struct pme_range range, struct pme_steps *ret);
/* A step up that leads, with copies (taken; with less than needed it has none) or in doubt. */
int pme_md_lead_copied(const struct pme_md_geometry *geo, const struct pme_md_member *member,
		       const struct pme_md_piece *piece, struct pme_copies *copies,
		       struct pme_steps *ret);
/* Why copies are in doubt behind @agreed. */
const char *pme_md_disagreement(const struct pme_md_geometry *geo);

#endif
