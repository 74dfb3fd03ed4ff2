/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper: walks the lines of an active table and asks the target of each.
 *
 * What is not understood is said, never skipped: a target without a row here, a line that makes no
 * sense, a table that cannot be read, a table that does not name the lower device at all.  The
 * parameters of a line are never shown: they may hold keys.  The surprise: a target such as vdo
 * prints a path where others print "major:minor", so a line that names none of the devices below
 * may be about any of them.
 */
#include "dm-params.h"
#include "layer.h"

#include <string.h>

/* clang-format off */ /* one row a line */
static const struct pme_dm_target *const targets[] = {
	&pme_dm_cache,
	&pme_dm_clone,
	&pme_dm_crypt,
	&pme_dm_delay,
	&pme_dm_dust,
	&pme_dm_ebs,
	&pme_dm_era,
	&pme_dm_flakey,
	&pme_dm_integrity,
	&pme_dm_linear,
	&pme_dm_log_writes,
	&pme_dm_mirror,
	&pme_dm_multipath,
	&pme_dm_raid,
	&pme_dm_snapshot,
	&pme_dm_snapshot_merge,
	&pme_dm_snapshot_origin,
	&pme_dm_striped,
	&pme_dm_switch,
	&pme_dm_thin,
	&pme_dm_thin_pool,
	&pme_dm_unstriped,
	&pme_dm_verity,
	&pme_dm_writecache,
};

/* Targets of Linux 6.1 and 6.12 that are known by name only; what is behind "dm-" is the type. */
static const char *const unfollowed[] = {
	"dm-error",
	"dm-vdo",
	"dm-zero",
	"dm-zoned",
};

/* clang-format on */

static const struct pme_dm_target *target_of(const struct pme_dm_line *line)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(targets); i++)
		if (strcmp(targets[i]->type, line->type) == 0)
			return targets[i];
	return NULL;
}

/* "dm-crypt" for "crypt": steps hold static strings only. */
static const char *kind_of(const struct pme_dm_line *line)
{
	const struct pme_dm_target *target = target_of(line);

	if (target)
		return target->kind;
	for (size_t i = 0; i < PME_ARRAY_SIZE(unfollowed); i++)
		if (strcmp(unfollowed[i] + strlen("dm-"), line->type) == 0)
			return unfollowed[i];
	return "dm";
}

/* These use no device, whatever their parameters. */
static bool stores_nothing(const struct pme_dm_line *line)
{
	return strcmp(line->type, "zero") == 0 || strcmp(line->type, "error") == 0;
}

static bool line_is_valid(const struct pme_dm_line *line)
{
	uint64_t end;

	return line->range.length > 0 && pme_add(line->range.start, line->range.length, &end) == 0;
}

/* Does the line use @lower, or could it?  Without a followed target nobody knows how. */
static bool may_use(const struct pme_dev *upper, const struct pme_dm_line *line,
		    const struct pme_dev *lower)
{
	if (stores_nothing(line))
		return false;
	if (pme_dm_line_names(line, lower->devno))
		return true;
	for (size_t i = 0; i < upper->n_lowers; i++)
		if (pme_dm_line_names(line, upper->lowers[i]->devno))
			return false;
	return true;
}

static int say_malformed(const struct pme_dev *upper, size_t index, struct pme_range range,
			 struct pme_steps *ret)
{
	const struct pme_dm_line *line = &upper->lines[index];

	return pme_steps_unknown(ret, range, kind_of(line),
				 "table line %zu of %s: malformed '%s' parameters", index + 1,
				 pme_dev_label(upper), line->type);
}

/* What would have to be run to know more. */
static const char *way_out(const struct pme_dm_line *line)
{
	if (strcmp(line->type, "vdo") == 0)
		return ": its map from physical to logical blocks can only be dumped "
		       "(vdodumpblockmap) while it is stopped";
	if (strcmp(line->type, "zoned") == 0)
		return ": its map of chunks is on media only, and no tool dumps it";
	return "";
}

static int say_unfollowed(const struct pme_dev *upper, const struct pme_dm_line *line,
			  struct pme_range range, struct pme_steps *ret)
{
	return pme_steps_unknown(ret, range, kind_of(line),
				 "device-mapper target '%s' of %s is not followed%s", line->type,
				 pme_dev_label(upper), way_out(line));
}

static int say_unreadable(const struct pme_dev *upper, struct pme_range range,
			  struct pme_steps *ret)
{
	return pme_steps_unknown(ret, range, "dm", "cannot read the device-mapper table of %s: %s",
				 pme_dev_label(upper), strerror(-upper->table_error));
}

/* Has a line before line @index of the table the same type and may it use @lower as well? */
static bool said_before(const struct pme_dev *upper, size_t index, const struct pme_dev *lower)
{
	for (size_t i = 0; i < index; i++)
		if (strcmp(upper->lines[i].type, upper->lines[index].type) == 0 &&
		    may_use(upper, &upper->lines[i], lower))
			return true;
	return false;
}

static int line_up(struct pme_stack *stack, const struct pme_dev *upper, size_t index,
		   const struct pme_dev *lower, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_dm_line *line = &upper->lines[index];
	const struct pme_dm_target *target = target_of(line);
	int r = -EINVAL;

	if (!target && (!may_use(upper, line, lower) || said_before(upper, index, lower)))
		return 0;
	if (!target)
		return say_unfollowed(upper, line, range, ret);
	if (line_is_valid(line))
		r = target->up(stack, upper, line, lower, range, ret);
	return r == -EINVAL ? say_malformed(upper, index, range, ret) : r;
}

/* Does a line name @lower?  Then bytes of it that no line uses are not used. */
static bool table_names(const struct pme_dev *upper, const struct pme_dev *lower)
{
	for (size_t i = 0; i < upper->n_lines; i++)
		if (pme_dm_line_names(&upper->lines[i], lower->devno))
			return true;
	return false;
}

/*
 * LVM puts a linear device over an active thin pool, only to keep it open ("vg-pool" over
 * "vg-pool-tpool").  The bytes are those of the thin volumes.
 */
static bool only_keeps_open(const struct pme_dev *upper, const struct pme_dev *lower)
{
	size_t len = upper->uuid ? strlen(upper->uuid) : 0, tail = strlen("-pool");

	return len > tail && strncmp(upper->uuid, "LVM-", 4) == 0 &&
	       strcmp(upper->uuid + len - tail, "-pool") == 0 && lower->kind == PME_DEV_DM &&
	       lower->n_lines == 1 && strcmp(lower->lines[0].type, "thin-pool") == 0;
}

static int dm_up(struct pme_stack *stack, const struct pme_dev *upper, const struct pme_dev *lower,
		 struct pme_range range, struct pme_steps *ret)
{
	size_t before = ret->count;
	int r;

	if (upper->table_error)
		return say_unreadable(upper, range, ret);
	if (only_keeps_open(upper, lower))
		return 0;
	for (size_t i = 0; i < upper->n_lines; i++) {
		r = line_up(stack, upper, i, lower, range, ret);
		if (r < 0)
			return r;
	}
	if (ret->count > before || table_names(upper, lower))
		return 0;
	return pme_steps_unknown(ret, range, "dm", "the table of %s does not say how it uses %s",
				 pme_dev_label(upper), pme_dev_label(lower));
}

static int line_down(struct pme_stack *stack, const struct pme_dev *upper, size_t index,
		     struct pme_range range, struct pme_steps *ret)
{
	const struct pme_dm_line *line = &upper->lines[index];
	const struct pme_dm_target *target = target_of(line);
	struct pme_range part;
	int r;

	if (!line_is_valid(line) || !pme_range_intersect(range, line->range, &part))
		return 0;
	if (stores_nothing(line))
		return pme_steps_owner(ret, part, kind_of(line), PME_OWNER_UNUSED,
				       "device-mapper target '%s' stores nothing", line->type);
	if (!target)
		return say_unfollowed(upper, line, part, ret);
	r = target->down(stack, upper, line, part, ret);
	return r == -EINVAL ? say_malformed(upper, index, part, ret) : r;
}

/* Bytes of the device that no line of the table covers. */
static int say_gaps(const struct pme_dev *upper, struct pme_range range, struct pme_steps *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list lines = {}, rest = {};
	int r;

	for (size_t i = 0; i < upper->n_lines; i++) {
		struct pme_range line = upper->lines[i].range;

		if (!line_is_valid(&upper->lines[i]))
			continue;
		r = pme_range_list_add(&lines, line.start, line.length);
		if (r < 0)
			return r;
	}
	pme_range_list_normalize(&lines);
	r = pme_range_list_subtract(range, &lines, &rest);
	for (size_t i = 0; r == 0 && i < rest.count; i++)
		r = pme_steps_unknown(ret, rest.items[i], "dm",
				      "the table of %s has no line for these bytes",
				      pme_dev_label(upper));
	return r;
}

static int dm_down(struct pme_stack *stack, const struct pme_dev *upper, struct pme_range range,
		   struct pme_steps *ret)
{
	int r;

	if (upper->table_error)
		return say_unreadable(upper, range, ret);
	for (size_t i = 0; i < upper->n_lines; i++) {
		r = line_down(stack, upper, i, range, ret);
		if (r < 0)
			return r;
	}
	return say_gaps(upper, range, ret);
}

static int dm_needs(const struct pme_dev *upper, struct pme_range range, struct pme_needs *ret)
{
	struct pme_range part;
	int r = 0;

	for (size_t i = 0; r == 0 && i < upper->n_lines; i++) {
		const struct pme_dm_line *line = &upper->lines[i];
		const struct pme_dm_target *target = target_of(line);

		if (target && target->needs && line_is_valid(line) &&
		    pme_range_intersect(range, line->range, &part))
			r = target->needs(upper, line, part, ret);
	}
	return r == -EINVAL ? 0 : r; /* down() has said it */
}

/* Is it this line that leads from this byte of @lower to that byte of @upper? */
static bool line_leads(struct pme_stack *stack, const struct pme_dev *upper,
		       const struct pme_dm_line *line, const struct pme_dm_target *target,
		       const struct pme_dev *lower, uint64_t lower_start, uint64_t upper_start)
{
	_cleanup_(pme_steps_done) struct pme_steps steps = {};
	struct pme_range byte = {.start = lower_start, .length = 1};

	if (target->up(stack, upper, line, lower, byte, &steps) < 0)
		return false;
	for (size_t i = 0; i < steps.count; i++)
		if (steps.items[i].to && steps.items[i].to_start == upper_start)
			return true;
	return false;
}

static char *dm_explain(struct pme_stack *stack, const struct pme_dev *lower, uint64_t lower_start,
			const struct pme_dev *upper, uint64_t upper_start)
{
	for (size_t i = 0; i < upper->n_lines; i++) {
		const struct pme_dm_line *line = &upper->lines[i];
		const struct pme_dm_target *target = target_of(line);

		if (target && line_is_valid(line) &&
		    line_leads(stack, upper, line, target, lower, lower_start, upper_start))
			return target->explain(stack, line, lower, lower_start, upper, upper_start);
	}
	return pme_printf("no line of the table of %s explains this", pme_dev_label(upper));
}

static bool dm_owns(const struct pme_dev *upper)
{
	return upper->kind == PME_DEV_DM;
}

const struct pme_layer pme_layer_dm = {
	.name = "dm",
	.owns = dm_owns,
	.up = dm_up,
	.down = dm_down,
	.needs = dm_needs,
	.explain = dm_explain,
};
