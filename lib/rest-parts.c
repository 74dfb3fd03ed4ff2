/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a disk outside of its partitions: the tables, and what is nobody's.
 *
 * Headers and chains are read from the disk (rest-parts.h); blocks are those of the disk:
 * queue/logical_block_size.  The surprise: with an MBR each logical partition has a table of its
 * own, somewhere between the partitions; a table that cannot be read hides the places of all
 * behind it.
 */
#include <inttypes.h>
#include <string.h>

#include "copies.h"
#include "media.h"
#include "rest-parts.h"
#include "rest.h"

#define GAP_MAX (1U << 20) /* bytes in front of the first partition that boot loaders use */
#define EXTENDED_MAX 65536 /* the device of an extended partition has a block, at least 1 KiB */

struct fill {
	struct pme_stack *stack;
	const struct pme_dev *dev;
	struct pme_range range;
	uint64_t block;
	struct pme_range_list said;
	struct pme_steps *ret;
};

/* One of the two tables of a GPT. */
struct table {
	struct pme_gpt gpt; /* only header and entries of the other are used when it is not good */
	int error;
	bool empty; /* of one that is good */
	const char *name;
};

/* What of @area was asked about, noted as said: 1, 0 when nothing, -errno. */
static int take(struct fill *fill, struct pme_range area, struct pme_range *ret)
{
	int r;

	if (!pme_range_intersect(area, fill->range, ret))
		return 0;
	r = pme_range_list_add(&fill->said, ret->start, ret->length);
	return r < 0 ? r : 1;
}

static int say(struct fill *fill, struct pme_range area, const char *what)
{
	struct pme_range asked;
	int r = take(fill, area, &asked);

	return r <= 0 ? r
		      : pme_steps_owner(fill->ret, asked, NULL, PME_OWNER_PARTITION_TABLE,
					"%s of %s", what, pme_dev_label(fill->dev));
}

/* All bytes that nothing was said of: unused, or unknown for this reason. */
static int say_rest(struct fill *fill, const char *why)
{
	_cleanup_(pme_range_list_done) struct pme_range_list left = {0};
	int r;

	pme_range_list_normalize(&fill->said);
	r = pme_range_list_subtract(fill->range, &fill->said, &left);
	for (size_t i = 0; r == 0 && i < left.count; i++) {
		if (why)
			r = pme_steps_unknown(fill->ret, left.items[i], NULL,
					      "outside of the partitions of %s: %s",
					      pme_dev_label(fill->dev), why);
		else
			r = pme_steps_owner(fill->ret, left.items[i], NULL, PME_OWNER_UNUSED,
					    "outside of all partitions");
	}
	return r;
}

/* Bytes of a logical block of the disk. */
static uint64_t logical_block(const struct pme_stack *stack, const struct pme_dev *dev)
{
	uint64_t bytes;

	if (pme_os_read_u64(stack->topo->os, &bytes, "sys/class/block/%s/queue/logical_block_size",
			    dev->name) < 0 ||
	    bytes < PME_SECTOR || bytes > 65536)
		return PME_SECTOR;
	return bytes;
}

/* Header and entries at @start, with their checksums; what is wrong is kept.  0 or -ENOMEM. */
static int read_table(const struct fill *fill, uint64_t start, struct table *ret)
{
	const struct pme_topo *topo = fill->stack->topo;
	_cleanup_free_ void *header = malloc(fill->block), *entries = NULL;
	struct pme_gpt gpt;

	if (!header)
		return -ENOMEM;
	ret->gpt.header = (struct pme_range){start, fill->block};
	ret->error = pme_media_read_dev(topo, fill->dev, header, fill->block, start);
	if (ret->error == 0)
		ret->error = pme_gpt_parse(header, fill->block, start, fill->dev->size, &gpt);
	if (ret->error < 0)
		return 0;
	ret->gpt = gpt;
	entries = malloc(gpt.used);
	if (!entries)
		return -ENOMEM;
	ret->error = pme_media_read_dev(topo, fill->dev, entries, gpt.used, gpt.entries.start);
	if (ret->error == 0 && !pme_gpt_entries_are_good(entries, &gpt))
		ret->error = -EBADMSG;
	ret->empty = ret->error == 0 && pme_gpt_is_empty(entries, &gpt);
	return 0;
}

/* The backup is where the primary says, or at the end.  0 or -ENOMEM. */
static int read_tables(const struct fill *fill, struct table *primary, struct table *backup)
{
	uint64_t last = (fill->dev->size / fill->block - 1) * fill->block;
	int r = read_table(fill, fill->block, primary);

	if (r < 0)
		return r;
	return read_table(fill, primary->gpt.other ? primary->gpt.other : last, backup);
}

/* Is the table whole, and known to be bad nowhere?  1, 0, -errno. */
static int is_good(struct fill *fill, const struct table *table)
{
	const struct pme_range parts[] = {table->gpt.header, table->gpt.entries};

	for (size_t i = 0; table->error == 0 && i < PME_ARRAY_SIZE(parts); i++) {
		_cleanup_(pme_missing_done) struct pme_missing missing = {0};
		int r = pme_missing_of(fill->stack, fill->dev, parts[i], &missing);

		if (r < 0)
			return r;
		if (missing.bad.count > 0 || missing.doubt.count > 0)
			return 0;
	}
	return table->error == 0;
}

/* Why a table that is not good is not. */
static const char *why_bad(const struct table *table)
{
	switch (table->error) {
	case 0:
		return "bad memory is known in it";
	case -EINVAL:
		return "its header is not valid";
	case -EBADMSG:
		return "the checksum of its entries is wrong";
	default:
		return pme_media_error(table->error);
	}
}

/* @part of @table; the @other may be what is left. */
static int say_part(struct fill *fill, struct pme_range part, const struct table *table,
		    const struct table *other, const char *what)
{
	uint64_t lba = other->gpt.header.start / fill->block;
	struct pme_range asked;
	char *detail, *reason;
	int r = take(fill, part, &asked), good;

	if (r <= 0)
		return r;
	good = is_good(fill, other);
	if (good < 0)
		return good;
	detail = pme_printf("%s GPT %s of %s", table->name, what, pme_dev_label(fill->dev));
	reason = pme_printf(good ? "the %s GPT at LBA %" PRIu64 " is good"
				 : "the %s GPT at LBA %" PRIu64 " cannot be used either: %s",
			    other->name, lba, why_bad(other));
	if (!detail || !reason) {
		free(detail);
		free(reason);
		return -ENOMEM;
	}
	return pme_steps_end(fill->ret, asked, PME_OWNER_PARTITION_TABLE,
			     good ? PME_REDUNDANT : PME_EXACT, detail, reason);
}

static int say_table(struct fill *fill, const struct table *table, const struct table *other)
{
	int r = say_part(fill, table->gpt.header, table, other, "header");

	if (r == 0 && table->gpt.entries.length > 0)
		r = say_part(fill, table->gpt.entries, table, other, "entries");
	return r;
}

/* A header that is bad does not say where its entries are: they are at the usual place. */
static void guess_entries(const struct fill *fill, struct table *table, const struct table *other)
{
	uint64_t length = other->gpt.entries.length, start = table->gpt.header.start;

	if (table->gpt.entries.length > 0 || other->gpt.entries.length == 0)
		return;
	table->gpt.entries.length = length;
	if (start == fill->block)
		table->gpt.entries.start = start + fill->block;
	else
		table->gpt.entries.start = start > length ? start - length : 0;
}

static int say_gpt(struct fill *fill)
{
	struct table primary = {.name = "primary"}, backup = {.name = "backup"};
	int r;

	if (fill->dev->size < 4 * fill->block)
		return say_rest(fill, "it is too small for a GPT");
	r = read_tables(fill, &primary, &backup);
	if (r < 0)
		return r;
	guess_entries(fill, &primary, &backup);
	guess_entries(fill, &backup, &primary);
	r = say(fill, (struct pme_range){0, fill->block}, "protective MBR");
	if (r == 0)
		r = say_table(fill, &primary, &backup);
	if (r == 0)
		r = say_table(fill, &backup, &primary);
	if (r < 0)
		return r;
	return say_rest(fill, primary.gpt.entries.length > 0
				      ? NULL
				      : "neither header of its GPT can be read, which say where "
					"the entries are");
}

/* Are there logical partitions?  Linux numbers them from 5 (block/partitions/msdos.c). */
static bool has_logical(const struct pme_stack *stack, const struct pme_dev *dev)
{
	for (size_t i = 0; i < dev->n_uppers; i++) {
		const struct pme_dev *upper = dev->uppers[i];
		uint64_t number;

		if (upper->kind == PME_DEV_PARTITION &&
		    (pme_os_read_u64(stack->topo->os, &number, "sys/class/block/%s/partition",
				     upper->name) < 0 ||
		     number > 4))
			return true;
	}
	return false;
}

static int read_mbr(const struct fill *fill, uint64_t start, struct pme_mbr *ret)
{
	unsigned char sector[PME_MBR_BYTES];
	int r = pme_media_read_dev(fill->stack->topo, fill->dev, sector, sizeof(sector), start);

	return r < 0 ? r : pme_mbr_parse(sector, ret);
}

/*
 * The tables of logical partitions.  1 when the chain was followed to its end; 0 when a table
 * cannot be read, makes no sense or leads back; or -errno.
 */
static int say_chain(struct fill *fill)
{
	struct pme_ebr_walk walk = {.count = 0};
	struct pme_mbr mbr;
	int r = 1;

	if (read_mbr(fill, 0, &mbr) < 0)
		return 0;
	while (r == 1) {
		r = pme_ebr_next(&walk, &mbr, fill->block, fill->dev->size);
		if (r <= 0)
			return r == 0;
		r = say(fill, (struct pme_range){walk.start, fill->block},
			"table of a logical partition");
		if (r < 0)
			return r;
		r = read_mbr(fill, walk.start, &mbr) == 0;
	}
	return 0;
}

bool pme_rest_is_extended(struct pme_stack *stack, const struct pme_dev *dev)
{
	struct fill fill = {.stack = stack, .dev = dev->disk};
	struct pme_mbr mbr;

	if (dev->kind != PME_DEV_PARTITION || !dev->disk || dev->size > EXTENDED_MAX ||
	    dev->n_uppers > 0 || read_mbr(&fill, 0, &mbr) < 0)
		return false;
	return mbr.next > 0 && mbr.next * logical_block(stack, dev->disk) == dev->start;
}

/* Where the first partition begins, as far as boot loaders have used what is in front of it. */
static uint64_t gap_end(const struct pme_dev *dev)
{
	uint64_t end = pme_min(dev->size, (uint64_t)GAP_MAX);

	for (size_t i = 0; i < dev->n_uppers; i++)
		if (dev->uppers[i]->kind == PME_DEV_PARTITION)
			end = pme_min(end, dev->uppers[i]->start);
	return end;
}

static bool is_zero(const unsigned char *bytes, uint64_t length)
{
	for (uint64_t i = 0; i < length; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* Is all of @area that can be read zeros, and can some of it be read?  1, 0, -ENOMEM. */
static int is_blank(const struct fill *fill, struct pme_range area)
{
	const struct pme_topo *topo = fill->stack->topo;
	_cleanup_free_ unsigned char *buf = malloc(area.length);
	uint64_t at = area.start;
	int blank = 0;

	if (!buf)
		return -ENOMEM;
	if (pme_media_read_dev(topo, fill->dev, buf, area.length, area.start) == 0)
		return is_zero(buf, area.length);
	for (; at < pme_range_end(area); at += fill->block) {
		uint64_t length = pme_min(fill->block, pme_range_end(area) - at);

		if (pme_media_read_dev(topo, fill->dev, buf, length, at) < 0)
			continue;
		if (!is_zero(buf, length))
			return 0;
		blank = 1;
	}
	return blank;
}

/* What is in front of the first partition is in no table, and may be needed at the start. */
static int say_gap(struct fill *fill)
{
	struct pme_range gap = {.start = fill->block}, asked;
	int r;

	gap.length = gap_end(fill->dev) - pme_min(gap.start, gap_end(fill->dev));
	if (gap.length == 0 || !pme_range_intersect(gap, fill->range, &asked))
		return 0;
	r = is_blank(fill, gap);
	if (r != 0)
		return r < 0 ? r : 0;
	r = take(fill, gap, &asked);
	return r <= 0 ? r
		      : pme_steps_unknown(fill->ret, asked, NULL,
					  "in front of the first partition of %s, and not known to "
					  "be empty: boot loaders have code there (GRUB its core "
					  "image)",
					  pme_dev_label(fill->dev));
}

static int say_mbr(struct fill *fill)
{
	int r;

	if (fill->dev->kind == PME_DEV_PARTITION && fill->dev->disk && fill->dev->n_uppers == 0) {
		fill->block = logical_block(fill->stack, fill->dev->disk);
		r = say(fill, (struct pme_range){0, fill->block},
			"first table of logical partitions");
		return r < 0 ? r : say_rest(fill, NULL);
	}
	r = say(fill, (struct pme_range){0, fill->block}, "MBR");
	if (r == 0)
		r = say_gap(fill);
	if (r == 0 && has_logical(fill->stack, fill->dev))
		r = say_chain(fill);
	else if (r == 0)
		r = 1;
	if (r < 0)
		return r;
	return say_rest(fill, r == 1 ? NULL
				     : "unused, or a table of a logical partition: the chain of "
				       "these cannot be followed to its end");
}

static int fill_with(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		     struct pme_steps *ret, int (*say_all)(struct fill *fill))
{
	struct fill fill = {
		.stack = stack,
		.dev = dev,
		.range = range,
		.block = logical_block(stack, dev),
		.ret = ret,
	};
	int r = say_all(&fill);

	pme_range_list_done(&fill.said);
	return r;
}

static int fill_gpt(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		    struct pme_steps *ret)
{
	return fill_with(stack, dev, range, ret, say_gpt);
}

static int fill_mbr(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range,
		    struct pme_steps *ret)
{
	return fill_with(stack, dev, range, ret, say_mbr);
}

/* The kernel goes by the primary; a backup that says something else, or nothing, is a doubt. */
static int is_empty_gpt(struct pme_stack *stack, const struct pme_dev *dev)
{
	struct fill fill = {.stack = stack, .dev = dev, .block = logical_block(stack, dev)};
	struct table primary = {.error = 0}, backup = {.error = 0};
	int r;

	if (dev->size < 4 * fill.block)
		return 0;
	r = read_tables(&fill, &primary, &backup);
	return r < 0 ? r : primary.empty && backup.empty;
}

static int is_empty_mbr(struct pme_stack *stack, const struct pme_dev *dev)
{
	struct fill fill = {.stack = stack, .dev = dev};
	struct pme_mbr mbr;
	int r = read_mbr(&fill, 0, &mbr);

	return r < 0 ? r : mbr.empty;
}

const struct pme_rest_kind pme_rest_gpt = {
	.pttype = "gpt", .is_empty = is_empty_gpt, .fill = fill_gpt};
const struct pme_rest_kind pme_rest_mbr = {
	.pttype = "dos", .is_empty = is_empty_mbr, .fill = fill_mbr};
