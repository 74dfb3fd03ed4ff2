/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What LVM writes on a physical volume: label, metadata areas, and the text in them.
 *
 * Sources: lvm2 2.03, lib/label/label.h, lib/format_text/layout.h (structures), lib/format_text/
 * import_vsn1.c (keys of the text).  Numbers of the text are 512-byte sectors and extents, here
 * bytes and extents.  Parsers are pure functions on a buffer: 0, -ENOMEM, -EINVAL for nonsense.
 */
#ifndef PME_REST_LVM_H
#define PME_REST_LVM_H

#include "map.h"

#define PME_LVM_LABEL_BYTES 2048ULL /* the label is in one of the first 4 sectors */
#define PME_LVM_AREAS_MAX 4	    /* LVM makes at most 2 */
#define PME_LVM_BOOTS_MAX 4	    /* of a boot loader; LVM makes at most 1 */
#define PME_LVM_HEADER_BYTES 512ULL /* of a metadata area */
#define PME_LVM_TEXT_MAX (4U << 20) /* some 100 bytes for each of 10000 volumes, four times */
#define PME_LVM_ID 32		    /* characters of an id, without dashes */
#define PME_LVM_NONE SIZE_MAX

struct pme_lvm_label {
	char id[PME_LVM_ID + 1]; /* of the physical volume */
	uint64_t start;		 /* of the sector of the label */
	struct pme_range areas[PME_LVM_AREAS_MAX];
	size_t n_areas;
	struct pme_range boots[PME_LVM_BOOTS_MAX]; /* areas that a boot loader may use */
	size_t n_boots;
};

/* The live text, or the one that is about to be, in the ring of an area. */
struct pme_lvm_locn {
	uint64_t offset, size; /* bytes from the start of the area; size 0: none */
	uint32_t crc;
	bool ignored;
};

/* @buf: the first PME_LVM_LABEL_BYTES of a device of @dev_size.  -ENODATA: no label. */
int pme_lvm_label_parse(const void *buf, uint64_t dev_size, struct pme_lvm_label *ret);
/* @buf: the first PME_LVM_HEADER_BYTES of @area. */
int pme_lvm_header_parse(const void *buf, struct pme_range area, struct pme_lvm_locn ret[2]);
/* Where the text lies on the device: one piece, or two when it wraps around; their number. */
size_t pme_lvm_locn_pieces(struct pme_range area, const struct pme_lvm_locn *locn,
			   struct pme_range ret[2]);
bool pme_lvm_text_is_good(const void *text, const struct pme_lvm_locn *locn);

struct pme_lvm_pv {
	char *key; /* "pv0" */
	char id[PME_LVM_ID + 1];
	uint64_t pe_start; /* bytes */
	uint64_t pe_count;
};

struct pme_lvm_lv {
	char *name;
	char id[PME_LVM_ID + 1];
	bool visible;
	bool pvmove;	 /* a temporary volume */
	size_t parent;	 /* a volume that is made of this one, or PME_LVM_NONE */
	char *thin_pool; /* of a thin volume, or NULL */
	uint64_t device_id;
};

/* Extents of a physical volume that a segment of a logical volume uses. */
struct pme_lvm_run {
	size_t pv, lv;
	uint64_t pe, count; /* extents on the physical volume */
	uint64_t le;	    /* first extent of the segment in the volume */
	uint64_t le_count;  /* of the whole segment */
	char type[16];	    /* "striped"; cut */
	/* stripes of the segment: bytes of a chunk, their number, which one this is; 1: linear */
	uint64_t chunk;
	uint64_t stripes, stripe;
};

struct pme_lvm_vg {
	char *name;
	char id[PME_LVM_ID + 1];
	uint64_t seqno;
	uint64_t extent; /* bytes */
	struct pme_lvm_pv *pvs;
	size_t n_pvs, alloc_pvs;
	struct pme_lvm_lv *lvs; /* sorted by name */
	size_t n_lvs, alloc_lvs;
	struct pme_lvm_run *runs;
	size_t n_runs, alloc_runs;
};

/* The text of a metadata area: @text need not end with 0. */
int pme_lvm_text_parse(const char *text, size_t len, struct pme_lvm_vg *ret);
void pme_lvm_vg_done(struct pme_lvm_vg *vg);
/* The one with this id or name: its index, or PME_LVM_NONE. */
size_t pme_lvm_find_pv(const struct pme_lvm_vg *vg, const char *id);
size_t pme_lvm_find_lv(const struct pme_lvm_vg *vg, const char *name);

/* One metadata area as it was found. */
struct pme_lvm_area {
	const struct pme_dev *dev;
	struct pme_range range;
	struct pme_lvm_locn locns[2];
	int header_error; /* 0 or why the header cannot be used */
	int text_error;	  /* the same of the live text */
	uint64_t seqno;	  /* of the live text, when there is one without error */
	char vg_id[PME_LVM_ID + 1];
};

/* Map of a device: what is on a physical volume. */
struct pme_lvm_map {
	struct pme_lvm_label label;
	struct pme_lvm_area *areas; /* its own first, then others of the group */
	size_t n_areas, alloc_areas;
	size_t n_own;
	bool in_group; /* vg and pv mean something */
	struct pme_lvm_vg vg;
	size_t pv;
};

extern const struct pme_map_kind pme_lvm_map_kind;

/*
 * "vg/lv" of thin device @device_id of the dm device @pool, whether active or not, in *@ret; NULL
 * there when LVM has none.  0, -ENOMEM.
 */
int pme_lvm_thin_name(struct pme_stack *stack, const struct pme_dev *pool, uint64_t device_id,
		      char **ret);

#endif
