/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper targets that pass sectors on with at most a shift: crypt, delay, dust, ebs, era,
 * flakey, log-writes, multipath, switch (drivers/md/dm-crypt.c and so on).
 *
 * Only what says where bytes lie is read of the parameters; options differ between kernels.  The
 * word that may be a key is stepped over.  The surprises: era, log-writes and multipath do not
 * subtract the start of their line; delay may write to another device than it reads; and the table
 * of regions of switch cannot be read back.
 */
#include <string.h>

#include "dm-legs.h"

#define BLOCK_MAX (1ULL << 20) /* bytes; a bufio block of ebs is a power of 2, and small */

static bool at_end(const struct pme_dm_params *params)
{
	struct pme_dm_params rest = *params;

	return pme_dm_params_end(&rest) == 0;
}

static int one_leg(struct pme_dm_params *params, const struct pme_dm_line *line,
		   struct pme_dm_legs *ret)
{
	uint64_t start;
	dev_t devno;

	if (pme_dm_params_dev(params, &devno) < 0 || pme_dm_params_sectors(params, &start) < 0)
		return -EINVAL;
	return pme_dm_legs_add(ret, line, devno, start, NULL);
}

/* A number of bytes that a kernel could mean as the size of a block: 0 or -EINVAL. */
static int set_block(struct pme_dm_legs *legs, uint64_t block)
{
	if (block < PME_SECTOR || block > BLOCK_MAX || (block & (block - 1)) != 0)
		return -EINVAL;
	legs->block = block;
	return 0;
}

/* CIPHER KEY IV_OFFSET DEV START [#OPTIONS OPTION…] */
static int parse_crypt(struct pme_dm_params *params, const struct pme_dm_line *line,
		       struct pme_dm_legs *ret)
{
	static const char option[] = "sector_size:";
	const char *word;
	uint64_t block;
	size_t len;
	int r;

	if (pme_dm_params_skip(params, 3) < 0)
		return -EINVAL;
	r = one_leg(params, line, ret);
	while (r == 0 && pme_next_word(&params->pos, params->end, &word, &len) == 1) {
		size_t skip = strlen(option);

		if (len <= skip || memcmp(word, option, skip) != 0)
			continue;
		if (pme_parse_u64(word + skip, len - skip, &block) < 0)
			return -EINVAL;
		r = set_block(ret, block);
	}
	return r;
}

/* DEV START MS [DEV START MS [DEV START MS]]: read, write, flush */
static int parse_delay(struct pme_dm_params *params, const struct pme_dm_line *line,
		       struct pme_dm_legs *ret)
{
	int r = one_leg(params, line, ret);
	uint64_t start;
	dev_t devno;

	if (r < 0 || pme_dm_params_skip(params, 1) < 0)
		return r < 0 ? r : -EINVAL;
	if (at_end(params))
		return 0;
	if (pme_dm_params_dev(params, &devno) < 0 || pme_dm_params_sectors(params, &start) < 0 ||
	    pme_dm_params_skip(params, 1) < 0)
		return -EINVAL;
	/* the third device only gets flushes, which carry no bytes */
	return pme_dm_legs_add(ret, line, devno, start,
			       "writes go here, but reads come from another place");
}

/* DEV START EBS [UBS]: emulated and underlying blocks, in sectors */
static int parse_ebs(struct pme_dm_params *params, const struct pme_dm_line *line,
		     struct pme_dm_legs *ret)
{
	int r = one_leg(params, line, ret);
	uint64_t ebs, ubs;

	if (r < 0 || pme_dm_params_sectors(params, &ebs) < 0)
		return r < 0 ? r : -EINVAL;
	if (at_end(params)) {
		ret->items[0].doubt = "the size of the underlying blocks is not in the table";
		return 0;
	}
	if (pme_dm_params_sectors(params, &ubs) < 0)
		return -EINVAL;
	ret->block_of_device = true;
	return set_block(ret, ubs);
}

static int parse_start(struct pme_dm_params *params, const struct pme_dm_line *line,
		       struct pme_dm_legs *ret)
{
	return one_leg(params, line, ret);
}

/* META ORIGIN BLOCK */
static int parse_era(struct pme_dm_params *params, const struct pme_dm_line *line,
		     struct pme_dm_legs *ret)
{
	dev_t origin;

	if (pme_dm_params_dev(params, &ret->side.devno) < 0 ||
	    pme_dm_params_dev(params, &origin) < 0)
		return -EINVAL;
	ret->side.what = "era metadata";
	return pme_dm_legs_add(ret, line, origin, line->range.start, NULL);
}

/* DEV LOGDEV */
static int parse_log_writes(struct pme_dm_params *params, const struct pme_dm_line *line,
			    struct pme_dm_legs *ret)
{
	dev_t devno;

	if (pme_dm_params_dev(params, &devno) < 0 ||
	    pme_dm_params_dev(params, &ret->side.devno) < 0)
		return -EINVAL;
	ret->side.what = "write log";
	return pme_dm_legs_add(ret, line, devno, line->range.start, NULL);
}

/* SELECTOR #ARGS ARG… #PATHS #PATHARGS [DEV PATHARG…]… */
static int parse_group(struct pme_dm_params *params, const struct pme_dm_line *line,
		       struct pme_dm_legs *ret)
{
	uint64_t args, paths, path_args;
	dev_t devno;
	int r = 0;

	if (pme_dm_params_skip(params, 1) < 0 || pme_dm_params_u64(params, &args) < 0 ||
	    pme_dm_params_skip(params, args) < 0 || pme_dm_params_u64(params, &paths) < 0 ||
	    pme_dm_params_u64(params, &path_args) < 0)
		return -EINVAL;
	for (; r == 0 && paths > 0; paths--) {
		if (pme_dm_params_dev(params, &devno) < 0)
			return -EINVAL;
		r = pme_dm_legs_add(ret, line, devno, line->range.start, NULL);
		if (r == 0)
			r = pme_dm_params_skip(params, path_args);
	}
	return r;
}

/* #FEATURES FEATURE… #HANDLER ARG… #GROUPS FIRST GROUP… */
static int parse_multipath(struct pme_dm_params *params, const struct pme_dm_line *line,
			   struct pme_dm_legs *ret)
{
	uint64_t n, groups;
	int r = 0;

	for (int i = 0; i < 2; i++)
		if (pme_dm_params_u64(params, &n) < 0 || pme_dm_params_skip(params, n) < 0)
			return -EINVAL;
	if (pme_dm_params_u64(params, &groups) < 0 || pme_dm_params_skip(params, 1) < 0)
		return -EINVAL;
	for (; r == 0 && groups > 0; groups--)
		r = parse_group(params, line, ret);
	return r < 0 ? r : pme_dm_params_end(params);
}

/* #PATHS REGION 0 [DEV START]… */
static int parse_switch(struct pme_dm_params *params, const struct pme_dm_line *line,
			struct pme_dm_legs *ret)
{
	uint64_t paths, start;
	dev_t devno;
	int r = 0;

	if (pme_dm_params_u64(params, &paths) < 0 || paths == 0 ||
	    pme_dm_params_skip(params, 2) < 0)
		return -EINVAL;
	for (uint64_t i = 0; r == 0 && i < paths; i++) {
		if (pme_dm_params_dev(params, &devno) < 0 ||
		    pme_dm_params_sectors(params, &start) < 0)
			return -EINVAL;
		r = pme_dm_legs_add(ret, line, devno, start,
				    paths == 1 ? NULL
					       : "the region table of the switch selects the path, "
						 "and the kernel does not show it");
	}
	return r < 0 ? r : pme_dm_params_end(params);
}

static const struct row {
	const char *type, *kind;
	int (*parse)(struct pme_dm_params *params, const struct pme_dm_line *line,
		     struct pme_dm_legs *ret);
	const char *block_name;
} rows[] = {
	{"crypt", "dm-crypt", parse_crypt, "crypto sector"},
	{"delay", "dm-delay", parse_delay, NULL},
	{"dust", "dm-dust", parse_start, NULL},
	{"ebs", "dm-ebs", parse_ebs, "underlying block"},
	{"era", "dm-era", parse_era, NULL},
	{"flakey", "dm-flakey", parse_start, NULL},
	{"log-writes", "dm-log-writes", parse_log_writes, NULL},
	{"multipath", "dm-multipath", parse_multipath, NULL},
	{"switch", "dm-switch", parse_switch, NULL},
};

/* Leaves what it allocated in @ret, also on error. */
static int parse(const struct pme_dm_line *line, struct pme_dm_legs *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);

	for (size_t i = 0; i < PME_ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].type, line->type) != 0)
			continue;
		ret->kind = rows[i].kind;
		ret->block_name = rows[i].block_name;
		ret->side.owner = PME_OWNER_VOLUME_METADATA;
		return rows[i].parse(&params, line, ret);
	}
	return -EINVAL;
}

static int shift_up(struct pme_stack *stack, const struct pme_dev *upper,
		    const struct pme_dm_line *line, const struct pme_dev *lower,
		    struct pme_range range, struct pme_steps *ret)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {0};
	int r = parse(line, &legs);

	return r < 0 ? r : pme_dm_legs_up(&legs, upper, line, lower, range, ret);
}

static int shift_down(struct pme_stack *stack, const struct pme_dev *upper,
		      const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {0};
	int r = parse(line, &legs);

	return r < 0 ? r : pme_dm_legs_down(&legs, upper, line, range, ret);
}

static int shift_needs(const struct pme_dev *upper, const struct pme_dm_line *line,
		       struct pme_range range, struct pme_needs *ret)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {0};
	int r = parse(line, &legs);

	return r < 0 ? r : pme_dm_legs_needs(&legs, upper, line, range, ret);
}

static char *shift_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			   const struct pme_dev *lower, uint64_t lower_start,
			   const struct pme_dev *upper, uint64_t upper_start)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {0};
	int r = parse(line, &legs);

	if (r < 0)
		return r == -ENOMEM ? NULL : pme_printf("malformed '%s' parameters", line->type);
	return pme_dm_legs_explain(&legs, line, lower, lower_start, upper, upper_start);
}

#define SHIFT_FUNCTIONS \
	.up = shift_up, .down = shift_down, .needs = shift_needs, .explain = shift_explain

const struct pme_dm_target pme_dm_crypt = {
	.type = "crypt",
	.kind = "dm-crypt",
	SHIFT_FUNCTIONS,
};

const struct pme_dm_target pme_dm_delay = {
	.type = "delay",
	.kind = "dm-delay",
	SHIFT_FUNCTIONS,
};

const struct pme_dm_target pme_dm_dust = {
	.type = "dust",
	.kind = "dm-dust",
	SHIFT_FUNCTIONS,
};

const struct pme_dm_target pme_dm_ebs = {
	.type = "ebs",
	.kind = "dm-ebs",
	SHIFT_FUNCTIONS,
};

const struct pme_dm_target pme_dm_era = {
	.type = "era",
	.kind = "dm-era",
	SHIFT_FUNCTIONS,
};

const struct pme_dm_target pme_dm_flakey = {
	.type = "flakey",
	.kind = "dm-flakey",
	SHIFT_FUNCTIONS,
};

const struct pme_dm_target pme_dm_log_writes = {
	.type = "log-writes",
	.kind = "dm-log-writes",
	SHIFT_FUNCTIONS,
};

const struct pme_dm_target pme_dm_multipath = {
	.type = "multipath",
	.kind = "dm-multipath",
	SHIFT_FUNCTIONS,
};

const struct pme_dm_target pme_dm_switch = {
	.type = "switch",
	.kind = "dm-switch",
	SHIFT_FUNCTIONS,
};
