/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets whose bytes lie in one run on each of their devices: byte x of the line is byte start + x
 * of every leg.  Also what they keep elsewhere, and blocks that are lost as a whole.
 */
#ifndef PME_DM_LEGS_H
#define PME_DM_LEGS_H

#include "dm-params.h"
#include "layer.h"

struct pme_dm_leg {
	dev_t devno;
	uint64_t start;	   /* bytes; start + length of the line does not overflow */
	const char *doubt; /* why nobody knows whether the leg is used, or NULL; static */
};

/* A device that holds no bytes of the line. */
struct pme_dm_side {
	dev_t devno;
	const char *what; /* "write log"; static */
	enum pme_owner_kind owner;
};

struct pme_dm_legs {
	const char *kind; /* static */
	struct pme_dm_leg *items;
	size_t count, alloc;
	struct pme_dm_side side; /* devno 0: none */
	/*
	 * The target reads whole blocks of this many bytes (0 or a sector: it does not): one sector
	 * that cannot be read takes its block with it.  Blocks start at bytes of the line (or of
	 * the leg's device) that are multiples of it.
	 */
	uint64_t block;
	bool block_of_device;
	const char *block_name; /* "crypto sector"; static */
};

void pme_dm_legs_done(struct pme_dm_legs *legs);
/* Append a leg; 0, -EINVAL when it overflows, -ENOMEM, -E2BIG. */
int pme_dm_legs_add(struct pme_dm_legs *legs, const struct pme_dm_line *line, dev_t devno,
		    uint64_t start, const char *doubt);
/* Skip @count words; 0 or -EINVAL. */
int pme_dm_params_skip(struct pme_dm_params *params, uint64_t count);

int pme_dm_legs_up(const struct pme_dm_legs *legs, const struct pme_dev *upper,
		   const struct pme_dm_line *line, const struct pme_dev *lower,
		   struct pme_range range, struct pme_steps *ret);
int pme_dm_legs_down(const struct pme_dm_legs *legs, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret);
int pme_dm_legs_needs(const struct pme_dm_legs *legs, const struct pme_dev *upper,
		      const struct pme_dm_line *line, struct pme_range range,
		      struct pme_needs *ret);
/*
 * Byte x of the line lies at @at + x of @lower, in blocks that start at multiples of @block minus
 * @phase: @range (of @upper, within the line) needs all of its blocks, as far as the line goes.
 */
int pme_dm_need_blocks(struct pme_needs *ret, const struct pme_dm_line *line,
		       struct pme_range range, const struct pme_dev *lower, uint64_t at,
		       uint64_t block, uint64_t phase);
char *pme_dm_legs_explain(const struct pme_dm_legs *legs, const struct pme_dm_line *line,
			  const struct pme_dev *lower, uint64_t lower_start,
			  const struct pme_dev *upper, uint64_t upper_start);

/*
 * Bytes @part of a line (counted from its start), at @at of the lower device, lead to @upper with
 * the rest of their block of @block bytes, which starts at a multiple of it minus @phase.
 */
int pme_dm_lead_blocks(struct pme_steps *ret, const struct pme_dev *upper,
		       const struct pme_dm_line *line, struct pme_range part, uint64_t at,
		       uint64_t block, uint64_t phase, const char *kind, const char *doubt);

#endif
