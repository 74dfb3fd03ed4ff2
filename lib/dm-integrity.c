/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "integrity": "DEV START TAG_SIZE MODE #OPTIONS OPTION…", with a superblock,
 * a journal (in mode B a bitmap) and, in turns, a run of tags and an area of data behind START
 * (drivers/md/dm-integrity.c: calculate_device_limits, get_data_sector,
 * get_metadata_sector_and_offset).  Everything that says where bytes lie is among the options.
 *
 * The surprises: tags are read in buffers of many sectors, so that one bad sector of tags takes all
 * data with it that its buffer covers; with a meta_device START counts there, and data lies at byte
 * x of DEV; in mode I the tags are not on the device's sectors at all; and in mode J the newest
 * bytes may lie in the journal only.  Options may hold keys.
 */
#include <inttypes.h>
#include <string.h>

#include "dm-legs.h"

#define SUPERBLOCK (8 * PME_SECTOR)
#define PADDING 4096U		 /* of a run of tags, with fix_padding */
#define PADDING_OLD (128U << 10) /* without */
#define TAG_MAX 4096U
#define SIZE_MAX_OPTION (1ULL << 31) /* sectors; interleave_sectors has at most 31 bits */

/* Bytes everywhere. */
struct integrity {
	dev_t dev, meta; /* meta is 0 without a meta_device */
	uint64_t start, tag;
	char mode;
	uint64_t journal, area, buffer, block;
	bool fix_padding, recalculate;
	uint64_t run;	/* of tags in front of each area */
	uint64_t first; /* byte of the first tag, on the device that has the tags */
};

static const char newer[] = "the newest version may still lie in the journal of the integrity "
			    "device only (mode J; suspending it empties the journal)";

/* Is @word "NAME:NUMBER"?  Then the number. */
static int take_option(const char *word, size_t len, const char *name, uint64_t *ret)
{
	size_t skip = strlen(name);

	if (len <= skip || memcmp(word, name, skip) != 0 || word[skip] != ':')
		return 0;
	return pme_parse_u64(word + skip + 1, len - skip - 1, ret) < 0 ? -EINVAL : 0;
}

static int parse_meta(const char *word, size_t len, struct integrity *ret)
{
	static const char name[] = "meta_device:";
	struct pme_dm_params value = {.pos = word + strlen(name), .end = word + len};

	if (len <= strlen(name) || memcmp(word, name, strlen(name)) != 0)
		return 0;
	return pme_dm_params_dev(&value, &ret->meta);
}

static int parse_options(struct pme_dm_params *params, struct integrity *ret)
{
	uint64_t journal = UINT64_MAX, area = 0, buffer = 0, block = PME_SECTOR;
	const char *word;
	size_t len;

	while (pme_next_word(&params->pos, params->end, &word, &len) == 1) {
		if (take_option(word, len, "journal_sectors", &journal) < 0 ||
		    take_option(word, len, "interleave_sectors", &area) < 0 ||
		    take_option(word, len, "buffer_sectors", &buffer) < 0 ||
		    take_option(word, len, "block_size", &block) < 0 ||
		    parse_meta(word, len, ret) < 0)
			return -EINVAL;
		if (pme_word_is(word, len, "fix_padding"))
			ret->fix_padding = true;
		else if (pme_word_is(word, len, "recalculate"))
			ret->recalculate = true;
	}
	if (block < PME_SECTOR || block > 4096 || (block & (block - 1)) != 0)
		return -EINVAL;
	ret->block = block;
	if (ret->mode == 'I')
		return 0;
	if (journal > UINT32_MAX || area > SIZE_MAX_OPTION || buffer == 0 ||
	    buffer > SIZE_MAX_OPTION || (area & (area - 1)) != 0 || (buffer & (buffer - 1)) != 0)
		return -EINVAL;
	ret->journal = journal * PME_SECTOR;
	ret->area = area * PME_SECTOR;
	ret->buffer = buffer * PME_SECTOR;
	return 0;
}

/* The run of tags; whether all data of the line lies below 2^64. */
static int finish(const struct pme_dm_line *line, struct integrity *ret)
{
	uint64_t padding = ret->fix_padding ? PADDING : PADDING_OLD, turns, end;

	if (ret->meta && ret->mode == 'I') /* dm_integrity_ctr() refuses it */
		return -EINVAL;
	ret->first = ret->start + SUPERBLOCK + ret->journal;
	if (ret->meta || ret->mode == 'I')
		return pme_add(ret->start, 2 * SUPERBLOCK + line->range.length, &end);
	if (ret->area < ret->block)
		return -EINVAL;
	ret->run = (ret->tag * (ret->area / ret->block) + padding - 1) / padding * padding;
	turns = line->range.length / ret->area + 1;
	if (pme_mul(turns, ret->run + ret->area, &end) < 0 || pme_add(end, ret->first, &end) < 0)
		return -EINVAL;
	return 0;
}

static int parse(const struct pme_dm_line *line, struct integrity *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	const char *mode;
	uint64_t options;
	size_t len;

	*ret = (struct integrity){0};
	if (pme_dm_params_dev(&params, &ret->dev) < 0 ||
	    pme_dm_params_sectors(&params, &ret->start) < 0 ||
	    pme_dm_params_u64(&params, &ret->tag) < 0 ||
	    pme_next_word(&params.pos, params.end, &mode, &len) != 1 || len != 1 ||
	    !strchr("JBDRI", mode[0]) || pme_dm_params_u64(&params, &options) < 0)
		return -EINVAL;
	ret->mode = mode[0];
	if (ret->tag == 0 || ret->tag > TAG_MAX || ret->start > UINT64_MAX / 4 ||
	    line->range.length > UINT64_MAX / 4 || parse_options(&params, ret) < 0)
		return -EINVAL;
	return finish(line, ret) < 0 ? -EINVAL : 0;
}

static const char *doubt_of(const struct integrity *it)
{
	return it->mode == 'J' ? newer : NULL;
}

/* Bytes @range of the device in [@start, @end): what they are. */
static int say(struct pme_steps *ret, struct pme_range range, uint64_t start, uint64_t end,
	       enum pme_owner_kind owner, const char *what, const struct pme_dev *upper)
{
	struct pme_range part;

	if (end <= start ||
	    !pme_range_intersect(range, (struct pme_range){start, end - start}, &part))
		return 0;
	return pme_steps_owner(ret, part, pme_dm_integrity.kind, owner, "%s of %s", what,
			       pme_dev_label(upper));
}

static const char *remark_of(const struct integrity *it)
{
	if (it->mode == 'R')
		return " (not read in mode R)";
	return it->recalculate ? " (as far as their recalculation has come)" : "";
}

/*
 * Bytes @at of a run of tags, on the device @part, for data of the line from byte @x on: at most
 * @data bytes of it.
 */
static int say_tags(const struct integrity *it, const struct pme_dev *upper,
		    const struct pme_dm_line *line, struct pme_range part, uint64_t at, uint64_t x,
		    uint64_t data, struct pme_steps *ret)
{
	uint64_t first = at / it->buffer * it->buffer;
	uint64_t last = (at + part.length + it->buffer - 1) / it->buffer * it->buffer;
	uint64_t blocks = data / it->block + (data % it->block != 0);
	uint64_t from = first / it->tag, to = pme_min(last / it->tag + 1, blocks);
	const char *label = pme_dev_label(upper);
	uint64_t start, length;

	if (last % it->tag == 0)
		to = pme_min(last / it->tag, blocks);
	if (from >= to)
		return pme_steps_owner(ret, part, pme_dm_integrity.kind, PME_OWNER_UNUSED,
				       "room for integrity tags of %s that are not needed", label);
	start = line->range.start + x + from * it->block;
	length = pme_min(to * it->block, data) - from * it->block;
	return pme_steps_owner(
		ret, part, pme_dm_integrity.kind, PME_OWNER_VOLUME_METADATA,
		"integrity tags of bytes %" PRIu64 " to %" PRIu64
		" of %s%s: `pmemctl scan --range %s:%" PRIu64 "+%" PRIu64 "` names the files",
		start, start + length - 1, label, remark_of(it), label, start, length);
}

/* Area number @a, which starts with its tags; @range: bytes of the device. */
static int area_up(const struct integrity *it, const struct pme_dev *upper,
		   const struct pme_dm_line *line, uint64_t a, struct pme_range range,
		   struct pme_steps *ret)
{
	uint64_t start = it->first + a * (it->run + it->area), x = a * it->area;
	uint64_t data = pme_min(it->area, line->range.length - x);
	struct pme_range part;
	int r = 0;

	if (pme_range_intersect(range, (struct pme_range){start, it->run}, &part))
		r = say_tags(it, upper, line, part, part.start - start, x, data, ret);
	start += it->run;
	if (r < 0 || !pme_range_intersect(range, (struct pme_range){start, data}, &part))
		return r;
	return pme_dm_lead_blocks(ret, upper, line,
				  (struct pme_range){x + (part.start - start), part.length},
				  part.start, it->block, 0, pme_dm_integrity.kind, doubt_of(it));
}

/* Tags and data in turns, behind the journal. */
static int areas_up(const struct integrity *it, const struct pme_dev *upper,
		    const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	uint64_t turn = it->run + it->area, end = pme_range_end(range), last, used;
	uint64_t areas = (line->range.length + it->area - 1) / it->area;
	int r = 0;

	for (uint64_t a = range.start > it->first ? (range.start - it->first) / turn : 0;
	     r == 0 && a < areas && it->first + a * turn < end; a++)
		r = area_up(it, upper, line, a, range, ret);
	last = line->range.length - (areas - 1) * it->area;
	used = it->first + (areas - 1) * turn + it->run + last;
	if (r == 0)
		r = say(ret, range, used, UINT64_MAX, PME_OWNER_UNUSED, "behind the end", upper);
	return r;
}

/* All data is on another device: tags only. */
static int meta_up(const struct integrity *it, const struct pme_dev *upper,
		   const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	uint64_t end = pme_range_end(range), at;

	if (end <= it->first)
		return 0;
	at = pme_max(range.start, it->first);
	return say_tags(it, upper, line, (struct pme_range){at, end - at}, at - it->first, 0,
			line->range.length, ret);
}

/* Data in one run from byte @start on. */
static int run_up(const struct integrity *it, const struct pme_dev *upper,
		  const struct pme_dm_line *line, struct pme_range range, uint64_t start,
		  struct pme_steps *ret)
{
	struct pme_range part;
	int r = 0;

	if (pme_range_intersect(range, (struct pme_range){start, line->range.length}, &part))
		r = pme_dm_lead_blocks(
			ret, upper, line, (struct pme_range){part.start - start, part.length},
			part.start, it->block, 0, pme_dm_integrity.kind, doubt_of(it));
	if (r < 0)
		return r;
	return say(ret, range, start + line->range.length, UINT64_MAX, PME_OWNER_UNUSED,
		   "behind the end", upper);
}

static const char *journal_name(const struct integrity *it)
{
	switch (it->mode) {
	case 'J':
		return "integrity journal";
	case 'B':
		return "integrity bitmap";
	case 'D':
		return "integrity journal (not written in this mode)";
	default:
		return "integrity journal (not in use)";
	}
}

/* The journal, or the bitmap in its place: read whenever the device is activated, but in mode R. */
static int say_journal(const struct integrity *it, const struct pme_dev *upper,
		       struct pme_range range, uint64_t start, uint64_t end, struct pme_steps *ret)
{
	const char *label = pme_dev_label(upper), *name = journal_name(it);
	struct pme_range part;

	if (it->mode == 'R')
		return say(ret, range, start, end, PME_OWNER_VOLUME_METADATA, name, upper);
	if (end <= start ||
	    !pme_range_intersect(range, (struct pme_range){start, end - start}, &part))
		return 0;
	return pme_steps_owner(ret, part, pme_dm_integrity.kind, PME_OWNER_VOLUME_METADATA,
			       "%s of %s: read at its next activation, after which every read of "
			       "%s fails",
			       name, label, label);
}

static int integrity_up(struct pme_stack *stack, const struct pme_dev *upper,
			const struct pme_dm_line *line, const struct pme_dev *lower,
			struct pme_range range, struct pme_steps *ret)
{
	struct integrity it;
	uint64_t sb;
	int r = parse(line, &it);

	if (r < 0)
		return r;
	if (it.meta && lower->devno == it.dev)
		return run_up(&it, upper, line, range, 0, ret);
	if (lower->devno != (it.meta ? it.meta : it.dev))
		return 0;
	sb = it.start + SUPERBLOCK;
	r = say(ret, range, 0, it.start, PME_OWNER_UNUSED, "in front of the start", upper);
	if (r == 0)
		r = say(ret, range, it.start, sb, PME_OWNER_VOLUME_METADATA, "integrity superblock",
			upper);
	if (r == 0)
		r = say_journal(&it, upper, range, sb, sb + it.journal, ret);
	if (r < 0)
		return r;
	if (it.mode == 'I')
		return run_up(&it, upper, line, range, sb, ret);
	return it.meta ? meta_up(&it, upper, line, range, ret)
		       : areas_up(&it, upper, line, range, ret);
}

/* Where byte @x of the line lies on the device; how many bytes follow it there. */
static uint64_t place_of(const struct integrity *it, uint64_t x, uint64_t *ret_follow)
{
	*ret_follow = UINT64_MAX;
	if (it->meta)
		return x;
	if (it->mode == 'I')
		return it->start + SUPERBLOCK + x;
	*ret_follow = it->area - x % it->area;
	return it->first + (x / it->area + 1) * it->run + x;
}

static int integrity_down(struct pme_stack *stack, const struct pme_dev *upper,
			  const struct pme_dm_line *line, struct pme_range range,
			  struct pme_steps *ret)
{
	const struct pme_dev *lower;
	uint64_t x, end, at, length;
	struct pme_range part;
	struct integrity it;
	int r = parse(line, &it);

	if (r < 0 || !pme_range_intersect(range, line->range, &part))
		return r;
	lower = pme_dm_lower(upper, it.dev);
	if (!lower)
		return pme_steps_unknown(ret, part, pme_dm_integrity.kind,
					 "a device below %s is missing", pme_dev_label(upper));
	end = pme_range_end(part) - line->range.start;
	for (x = part.start - line->range.start; r == 0 && x < end; x += length) {
		struct pme_range from = {.start = line->range.start + x};

		at = place_of(&it, x, &length);
		length = pme_min(length, end - x);
		from.length = length;
		if (it.mode == 'J')
			r = pme_steps_doubt(ret, from, lower, at, pme_dm_integrity.kind, "%s",
					    newer);
		else
			r = pme_steps_lead(ret, from, lower, at, pme_dm_integrity.kind);
	}
	return r;
}

/* The buffers of tags of bytes [@x, @end) of the line, all in one area, which starts at @area. */
static int need_tags(const struct integrity *it, const struct pme_dev *dev,
		     const struct pme_dm_line *line, uint64_t x, uint64_t end, uint64_t area,
		     uint64_t tags, struct pme_needs *ret)
{
	uint64_t first = (x - area) / it->block * it->tag / it->buffer;
	uint64_t last = (((end - 1 - area) / it->block + 1) * it->tag - 1) / it->buffer;
	int r = 0;

	for (uint64_t b = first; r == 0 && b <= last; b++) {
		uint64_t from = b * it->buffer / it->tag * it->block;
		uint64_t to = ((b + 1) * it->buffer + it->tag - 1) / it->tag * it->block;

		from = pme_max(x, area + from);
		to = pme_min(end, area + to);
		if (from >= to)
			continue;
		r = pme_needs_add(ret, &(struct pme_need){
					       .from = {line->range.start + from, to - from},
					       .dev = dev,
					       .place = {tags + b * it->buffer, it->buffer},
					       .unit = to - from,
					       .place_unit = it->buffer,
					       .perhaps = it->recalculate,
				       });
	}
	return r;
}

/* In mode J all is in doubt anyway; modes R and I read no tags from these devices. */
static int integrity_needs(const struct pme_dev *upper, const struct pme_dm_line *line,
			   struct pme_range range, struct pme_needs *ret)
{
	uint64_t x = range.start - line->range.start, end = x + range.length, follow, at, stop;
	const struct pme_dev *lower, *meta;
	struct integrity it;
	int r = parse(line, &it);

	lower = r == 0 ? pme_dm_lower(upper, it.dev) : NULL;
	meta = lower && it.meta ? pme_dm_lower(upper, it.meta) : lower;
	if (!lower || it.mode == 'J')
		return r;
	for (; r == 0 && x < end; x = stop) {
		at = place_of(&it, x, &follow);
		stop = x + pme_min(follow, end - x);
		r = pme_dm_need_blocks(ret, line,
				       (struct pme_range){line->range.start + x, stop - x}, lower,
				       at - x, it.block, 0);
		if (r < 0 || !meta || it.mode == 'R' || it.mode == 'I')
			continue;
		if (it.meta)
			r = need_tags(&it, meta, line, x, stop, 0, it.first, ret);
		else
			r = need_tags(&it, meta, line, x, stop, x / it.area * it.area,
				      it.first + x / it.area * (it.run + it.area), ret);
	}
	return r;
}

static char *integrity_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			       const struct pme_dev *lower, uint64_t lower_start,
			       const struct pme_dev *upper, uint64_t upper_start)
{
	uint64_t x = upper_start - line->range.start, turn, a, follow;
	const char *label = pme_dev_label(lower), *top = pme_dev_label(upper);
	struct integrity it;

	if (parse(line, &it) < 0)
		return pme_printf("malformed 'integrity' parameters");
	if (place_of(&it, x, &follow) != lower_start)
		return pme_printf("byte %" PRIu64 " of %s is in the same block of %" PRIu64
				  " bytes, which is lost as a whole: byte = %" PRIu64,
				  lower_start, label, it.block, upper_start);
	if (it.meta || it.mode == 'I')
		return pme_printf("%" PRIu64 " - %" PRIu64 " (start of the data on %s) + %" PRIu64
				  " (its start in %s) = %" PRIu64,
				  lower_start, lower_start - x, label, line->range.start, top,
				  upper_start);
	turn = it.run + it.area;
	a = (lower_start - it.first) / turn;
	return pme_printf(
		"%" PRIu64 " - %" PRIu64 " (superblock and journal on %s) = %" PRIu64
		" = area %" PRIu64 " of %" PRIu64 " + %" PRIu64 " (tags) + %" PRIu64 "; %" PRIu64
		" (start in %s) + %" PRIu64 " * %" PRIu64 " + %" PRIu64 " = %" PRIu64,
		lower_start, it.first, label, lower_start - it.first, a, turn, it.run, x % it.area,
		line->range.start, top, a, it.area, x % it.area, upper_start);
}

const struct pme_dm_target pme_dm_integrity = {
	.type = "integrity",
	.kind = "dm-integrity",
	.up = integrity_up,
	.down = integrity_down,
	.needs = integrity_needs,
	.explain = integrity_explain,
};
