/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layers: how bytes of a lower block device become bytes of the devices stacked on it, and back.
 *
 * A layer is one row of a table.  Its up() gets a range of @lower and appends steps for those bytes
 * that @upper uses: zero, one or many, also several for the same bytes.  A step leads to bytes of
 * the upper device, or ends the way with an owner of its own (metadata, parity) or with an explicit
 * unknown.  Bytes that up() does not mention are not used by @upper.  down() is the inverse: one
 * step for each place that holds the bytes (each leg of a mirror); an end with copies for bytes
 * that no place holds and only copies give back (a missing member of a stripe).  Both return 0 or
 * -errno; -EINVAL means that what the kernel said makes no sense, and the caller turns it into an
 * explicit unknown. They never log, and read nothing themselves: the snapshot has it, or a map of
 * the stack (map.h), which is read when it is first needed.  @stack may be NULL in tests of layers
 * that need neither.
 *
 * Redundancy: a step may name copies, other places that give the same bytes back.  Layers list only
 * places that they vouch for (in sync, not failed); whether these can be read is judged by
 * copies.c.
 *
 * To add a layer: one file lib/layer-NAME.c with a const struct pme_layer, one row in layer.c.
 */
#ifndef PME_LAYER_H
#define PME_LAYER_H

#include "place.h"
#include "stack.h"

/* More pieces than this from one range are an error (-E2BIG): a table made to explode. */
#define PME_STEPS_MAX (1U << 18)

struct pme_step {
	struct pme_range from;	  /* bytes of the device that the step starts at */
	const struct pme_dev *to; /* device it leads to; NULL: the way ends here */
	uint64_t to_start;	  /* bytes of @to; the length is that of @from */
	const char *kind;	  /* "partition", "dm-linear", …: static; may be NULL at an end */
	/* Of a step that leads: exact, or unknown when nobody knows whether it does. */
	enum pme_certainty certainty;
	char *reason;		   /* why unknown, or NULL; owned */
	struct pme_copies *copies; /* other places of the bytes, or NULL; owned */
	bool ends_if_copied;	   /* with a readable copy it ends here, without one it leads */
	/* only where the way ends, or may end: */
	enum pme_owner_kind owner;
	char *detail; /* what exactly, or NULL; owned */
};

struct pme_steps {
	struct pme_step *items;
	size_t count, alloc;
};

/*
 * Bytes that can only be read when others can, too: a missing byte at @place of @dev, in its unit
 * number i of @place_unit bytes, takes unit number i of @unit bytes of @from with it.
 */
struct pme_need {
	struct pme_range from; /* of the upper device */
	const struct pme_dev *dev;
	struct pme_range place;
	uint64_t unit, place_unit;
	bool perhaps; /* nobody knows whether they are needed */
};

struct pme_needs {
	struct pme_need *items;
	size_t count, alloc;
};

struct pme_layer {
	const char *name;
	/* Is @upper a device of this layer? */
	bool (*owns)(const struct pme_dev *upper);
	int (*up)(struct pme_stack *stack, const struct pme_dev *upper, const struct pme_dev *lower,
		  struct pme_range range, struct pme_steps *ret);
	int (*down)(struct pme_stack *stack, const struct pme_dev *upper, struct pme_range range,
		    struct pme_steps *ret);
	/* What else must be readable for @range (whole blocks, tags, hashes); may be NULL. */
	int (*needs)(const struct pme_dev *upper, struct pme_range range, struct pme_needs *ret);
	/* One line with the arithmetic of one hop, for explain; allocated, NULL without memory. */
	char *(*explain)(struct pme_stack *stack, const struct pme_dev *lower, uint64_t lower_start,
			 const struct pme_dev *upper, uint64_t upper_start);
};

/* The layer of @upper, or NULL when none knows it. */
const struct pme_layer *pme_layer_of(const struct pme_dev *upper);

/* Made of no other block device?  One that is, is no bottom, also when those are missing. */
bool pme_dev_is_bottom(const struct pme_dev *dev);

extern const struct pme_layer pme_layer_partition, pme_layer_dm, pme_layer_md, pme_layer_namespace,
	pme_layer_loop, pme_layer_zram, pme_layer_bcache;

/*
 * Append a step that leads on; 0, -ENOMEM, -E2BIG, -EINVAL for an empty or overflowing range.  A
 * step that continues the last one on both sides is joined to it.
 */
int pme_steps_lead(struct pme_steps *steps, struct pme_range from, const struct pme_dev *to,
		   uint64_t to_start, const char *kind);
/* The same, perhaps: nobody knows whether these bytes of the device are used so; the reason. */
int pme_steps_doubt(struct pme_steps *steps, struct pme_range from, const struct pme_dev *to,
		    uint64_t to_start, const char *kind, const char *fmt, ...) _printf_(6, 7);
/* Append a step that ends; takes @detail and @reason (each may be NULL), frees them on error. */
int pme_steps_end(struct pme_steps *steps, struct pme_range from, enum pme_owner_kind owner,
		  enum pme_certainty certainty, char *detail, char *reason);
/* The same with a text: an exact owner with its detail; an explicit unknown with its reason. */
int pme_steps_owner(struct pme_steps *steps, struct pme_range from, const char *kind,
		    enum pme_owner_kind owner, const char *fmt, ...) _printf_(5, 6);
int pme_steps_unknown(struct pme_steps *steps, struct pme_range from, const char *kind,
		      const char *fmt, ...) _printf_(4, 5);
/* Give the step that was appended last its copies (takes them); it is never joined with others. */
int pme_steps_set_copies(struct pme_steps *steps, struct pme_copies *copies);
/* Append a step that leads and has copies; takes them. */
int pme_steps_lead_copied(struct pme_steps *steps, struct pme_range from, const struct pme_dev *to,
			  uint64_t to_start, const char *kind, struct pme_copies *copies);
/* Append what is needed; drops what makes no sense.  0, -ENOMEM, -E2BIG. */
int pme_needs_add(struct pme_needs *needs, const struct pme_need *need);
void pme_needs_done(struct pme_needs *needs);
/* Steps must start in the range that was asked for and, where they lead on, stay on the device. */
bool pme_step_is_sane(const struct pme_step *step, struct pme_range range);
void pme_steps_done(struct pme_steps *steps);

/*
 * Bytes of @region (kind REGION) that up() of the devices above it cannot speak for: disabled
 * namespaces (explicit unknown), active ones whose device is missing (unknown), and bytes of no
 * namespace at all (unused).  up() of every upper device and this together speak for every byte.
 */
int pme_namespace_rest(const struct pme_topo *topo, const struct pme_dev *region,
		       struct pme_range range, struct pme_steps *ret);

/*
 * Targets of device-mapper: the second table.  @line is one line of the table of @upper (its range
 * is valid); parameters are parsed on each call (they are short).  Same contract as above; on
 * -EINVAL nothing was appended, and layer-dm.c makes an explicit unknown of it.  explain() is only
 * asked about pairs that up() of the same line gave.  @lower may be any device below @upper, also
 * one that this line does not name.
 */
struct pme_dm_target {
	const char *type; /* "linear" */
	const char *kind; /* "dm-linear" */
	int (*up)(struct pme_stack *stack, const struct pme_dev *upper,
		  const struct pme_dm_line *line, const struct pme_dev *lower,
		  struct pme_range range, struct pme_steps *ret);
	int (*down)(struct pme_stack *stack, const struct pme_dev *upper,
		    const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret);
	/* @range lies within the line; may be NULL */
	int (*needs)(const struct pme_dev *upper, const struct pme_dm_line *line,
		     struct pme_range range, struct pme_needs *ret);
	char *(*explain)(struct pme_stack *stack, const struct pme_dm_line *line,
			 const struct pme_dev *lower, uint64_t lower_start,
			 const struct pme_dev *upper, uint64_t upper_start);
};

extern const struct pme_dm_target pme_dm_cache, pme_dm_clone, pme_dm_crypt, pme_dm_delay,
	pme_dm_dust, pme_dm_ebs, pme_dm_era, pme_dm_flakey, pme_dm_integrity, pme_dm_linear,
	pme_dm_log_writes, pme_dm_mirror, pme_dm_multipath, pme_dm_raid, pme_dm_snapshot,
	pme_dm_snapshot_merge, pme_dm_snapshot_origin, pme_dm_striped, pme_dm_switch, pme_dm_thin,
	pme_dm_thin_pool, pme_dm_unstriped, pme_dm_verity, pme_dm_writecache;

#endif
