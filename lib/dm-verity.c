/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "verity": "VERSION DATA HASH DATA_BLOCK HASH_BLOCK #BLOCKS HASH_START
 * ALGORITHM DIGEST SALT [#OPTIONS OPTION…]" (drivers/md/dm-verity-target.c, dm-verity-fec.c).
 *
 * Data lies at the same byte of DATA.  On HASH a tree of hash blocks, its top level first: block j
 * of level l vouches for data blocks j * H^(l+1) on, H being the hashes in a block, rounded down to
 * a power of two.  The surprises: one hash block that cannot be read makes all data unreadable that
 * it vouches for; and with FEC nobody but the kernel knows whether a bad block is corrected.
 */
#include <inttypes.h>
#include <string.h>

#include "dm-legs.h"
#include "map.h"
#include "media.h"

#define LEVELS 63
#define BLOCK_MIN 512U
#define BLOCK_MAX (1U << 20)

struct verity {
	dev_t data, hash, fec;	     /* fec is 0 without */
	uint64_t block, hash_block;  /* bytes */
	uint64_t blocks, hash_start; /* data blocks; the tree's first hash block */
	unsigned int bits;	     /* log2 of the hashes in a block */
	size_t levels;
	uint64_t level[LEVELS], count[LEVELS]; /* first hash block and number of them */
	uint64_t hash_end;		       /* hash block behind the tree */
	uint64_t fec_start, fec_length;	       /* bytes */
};

static const char corrects[] = "error correction (FEC) may give these bytes back: only reading "
			       "them through the device tells";

static bool block_is_sane(uint64_t block)
{
	return block >= BLOCK_MIN && block <= BLOCK_MAX && (block & (block - 1)) == 0;
}

static int lay_out(struct verity *v, uint64_t digest)
{
	uint64_t position = v->hash_start, hashes, end;

	if (digest == 0 || v->hash_block / digest < 2)
		return -EINVAL;
	for (hashes = v->hash_block / digest; hashes > 1; hashes /= 2)
		v->bits++;
	while (v->bits * v->levels < 64 && (v->blocks - 1) >> (v->bits * v->levels))
		v->levels++;
	for (size_t l = v->levels; l-- > 0;) {
		unsigned int shift = v->bits * (unsigned int)(l + 1);

		v->level[l] = position;
		v->count[l] = shift < 64 ? ((v->blocks - 1) >> shift) + 1 : 1;
		if (pme_add(position, v->count[l], &position) < 0)
			return -EINVAL;
	}
	v->hash_end = position;
	return pme_mul(position, v->hash_block, &end);
}

/* use_fec_from_device DEV fec_blocks N fec_start N fec_roots N, in any order among the rest */
static int parse_fec(struct pme_dm_params *params, struct verity *v)
{
	uint64_t blocks = 0, start = 0, roots = 0, data, rounds;
	const char *word;
	size_t len;
	int r = 0;

	while (r == 0 && pme_next_word(&params->pos, params->end, &word, &len) == 1) {
		if (pme_word_is(word, len, "use_fec_from_device"))
			r = pme_dm_params_dev(params, &v->fec);
		else if (pme_word_is(word, len, "fec_blocks"))
			r = pme_dm_params_u64(params, &blocks);
		else if (pme_word_is(word, len, "fec_start"))
			r = pme_dm_params_u64(params, &start);
		else if (pme_word_is(word, len, "fec_roots"))
			r = pme_dm_params_u64(params, &roots);
	}
	if (r < 0 || !v->fec)
		return r;
	if (roots < 2 || roots > 24 || blocks == 0)
		return -EINVAL;
	data = 255 - roots;
	rounds = (blocks - 1) / data + 1;
	if (pme_mul(start, v->block, &v->fec_start) < 0 || pme_mul(rounds, roots, &rounds) < 0 ||
	    pme_mul(rounds, v->block, &v->fec_length) < 0 ||
	    pme_add(v->fec_start, v->fec_length, &rounds) < 0)
		return -EINVAL;
	return 0;
}

static int parse(const struct pme_dm_line *line, struct verity *v)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	uint64_t version, data;
	const char *digest;
	size_t len;

	*v = (struct verity){0};
	if (pme_dm_params_u64(&params, &version) < 0 || version > 1 ||
	    pme_dm_params_dev(&params, &v->data) < 0 || pme_dm_params_dev(&params, &v->hash) < 0 ||
	    pme_dm_params_u64(&params, &v->block) < 0 ||
	    pme_dm_params_u64(&params, &v->hash_block) < 0 ||
	    pme_dm_params_u64(&params, &v->blocks) < 0 ||
	    pme_dm_params_u64(&params, &v->hash_start) < 0 || pme_dm_params_skip(&params, 1) < 0 ||
	    pme_next_word(&params.pos, params.end, &digest, &len) != 1 || len % 2 != 0 ||
	    pme_dm_params_skip(&params, 1) < 0)
		return -EINVAL;
	if (!block_is_sane(v->block) || !block_is_sane(v->hash_block) || v->blocks == 0 ||
	    pme_mul(v->blocks, v->block, &data) < 0 || data < line->range.length)
		return -EINVAL;
	if (lay_out(v, len / 2) < 0)
		return -EINVAL;
	return parse_fec(&params, v) < 0 ? -EINVAL : 0;
}

/* Bytes @part of the tree, within one hash block: number @j of level @l. */
static int say_hash(const struct verity *v, const struct pme_dev *upper,
		    const struct pme_dm_line *line, struct pme_range part, size_t l, uint64_t j,
		    struct pme_steps *ret)
{
	unsigned int shift = v->bits * (unsigned int)(l + 1);
	uint64_t first = shift < 64 ? j << shift : 0, span = shift < 64 ? 1ULL << shift : 0, start;
	uint64_t count = v->blocks - first, length;
	const char *label = pme_dev_label(upper);

	if (span && span < count)
		count = span;
	start = first * v->block;
	length = start < line->range.length ? pme_min(count * v->block, line->range.length - start)
					    : 0;
	start += line->range.start;
	if (length == 0)
		return pme_steps_owner(ret, part, pme_dm_verity.kind, PME_OWNER_UNUSED,
				       "verity hashes of data that %s does not have", label);
	return pme_steps_owner(ret, part, pme_dm_verity.kind, PME_OWNER_VOLUME_METADATA,
			       "verity hashes (level %zu) of bytes %" PRIu64 " to %" PRIu64
			       " of %s%s: `pmemctl scan --range %s:%" PRIu64 "+%" PRIu64
			       "` names the files",
			       l, start, start + length - 1, label,
			       v->fec ? ", unless FEC corrects them" : "", label, start, length);
}

static int level_up(const struct verity *v, const struct pme_dev *upper,
		    const struct pme_dm_line *line, size_t l, struct pme_range range,
		    struct pme_steps *ret)
{
	struct pme_range whole = {v->level[l] * v->hash_block, v->count[l] * v->hash_block}, part;
	uint64_t end;
	int r = 0;

	if (!pme_range_intersect(range, whole, &part))
		return 0;
	end = pme_range_end(part);
	while (r == 0 && part.start < end) {
		uint64_t j = (part.start - whole.start) / v->hash_block;

		part.length = pme_min(whole.start + (j + 1) * v->hash_block, end) - part.start;
		r = say_hash(v, upper, line, part, l, j, ret);
		part.start += part.length;
	}
	return r;
}

static int data_up(const struct verity *v, const struct pme_dev *upper,
		   const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	struct pme_range part;

	if (!pme_range_intersect(range, (struct pme_range){0, line->range.length}, &part))
		return 0;
	return pme_dm_lead_blocks(ret, upper, line, part, part.start, v->block, 0,
				  pme_dm_verity.kind, v->fec ? corrects : NULL);
}

static int load_superblock(struct pme_stack *stack, const struct pme_dev *dev,
			   const struct pme_dm_line *line, void **ret, char **ret_why)
{
	static const char magic[8] = "verity";
	const struct pme_dev *hash;
	struct verity v;
	char start[8];
	bool *found;
	int r = parse(line, &v);

	hash = r == 0 ? pme_dm_lower(dev, v.hash) : NULL;
	if (!hash)
		return -ENODEV;
	r = pme_media_read_dev(stack->topo, hash, start, sizeof(start),
			       (v.hash_start - 1) * v.hash_block);
	if (r < 0 && r != -ENOMEM)
		*ret_why = pme_printf("cannot read the superblock of %s on %s: %s",
				      pme_dev_label(dev), pme_dev_label(hash), pme_media_error(r));
	if (r < 0)
		return r;
	found = malloc(sizeof(*found));
	if (!found)
		return -ENOMEM;
	*found = memcmp(start, magic, sizeof(magic)) == 0;
	*ret = found;
	return 0;
}

static const struct pme_map_kind superblock_map = {.load = load_superblock, .done = free};

static int say_unused(const struct pme_dev *upper, struct pme_range part, struct pme_steps *ret)
{
	return pme_steps_owner(ret, part, pme_dm_verity.kind, PME_OWNER_UNUSED, "not used by %s",
			       pme_dev_label(upper));
}

/* The hash block in front of the tree: veritysetup keeps its superblock there. */
static int say_superblock(struct pme_stack *stack, const struct pme_dev *upper,
			  const struct pme_dm_line *line, struct pme_range part,
			  struct pme_steps *ret)
{
	const char *why = "what lies in front of its hashes was not read";
	const void *found = NULL;
	int r = -EOPNOTSUPP;

	if (stack)
		r = pme_map_get(stack, &superblock_map, upper, line, &found, &why);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, part, pme_dm_verity.kind, "%s", why);
	if (!*(const bool *)found)
		return say_unused(upper, part, ret);
	return pme_steps_owner(ret, part, pme_dm_verity.kind, PME_OWNER_VOLUME_METADATA,
			       "verity superblock of %s", pme_dev_label(upper));
}

/* What no data, tree or FEC lies on: the superblock of veritysetup, or nothing. */
static int say_rest(struct pme_stack *stack, const struct verity *v, const struct pme_dev *upper,
		    const struct pme_dm_line *line, const struct pme_dev *lower,
		    struct pme_range range, struct pme_steps *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list used = {0}, rest = {0};
	uint64_t tree = v->hash_start * v->hash_block;
	bool sb = lower->devno == v->hash && v->hash_start > 0;
	struct pme_range front = {sb ? tree - v->hash_block : 0, v->hash_block}, part;
	int r = 0;

	if (lower->devno == v->data)
		r = pme_range_list_add(&used, 0, line->range.length);
	if (r == 0 && lower->devno == v->hash && v->levels > 0)
		r = pme_range_list_add(&used, tree, v->hash_end * v->hash_block - tree);
	if (r == 0 && v->fec && lower->devno == v->fec)
		r = pme_range_list_add(&used, v->fec_start, v->fec_length);
	pme_range_list_normalize(&used);
	if (r == 0 && sb && pme_range_intersect(range, front, &part) &&
	    !pme_range_list_meets(&used, front))
		r = say_superblock(stack, upper, line, part, ret);
	if (r == 0 && sb)
		r = pme_range_list_add(&used, front.start, front.length);
	pme_range_list_normalize(&used);
	if (r == 0)
		r = pme_range_list_subtract(range, &used, &rest);
	for (size_t i = 0; r == 0 && i < rest.count; i++)
		r = say_unused(upper, rest.items[i], ret);
	return r;
}

static int verity_up(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dm_line *line, const struct pme_dev *lower,
		     struct pme_range range, struct pme_steps *ret)
{
	struct pme_range part;
	struct verity v;
	int r = parse(line, &v);

	if (r < 0 || (lower->devno != v.data && lower->devno != v.hash && lower->devno != v.fec))
		return r;
	if (lower->devno == v.data)
		r = data_up(&v, upper, line, range, ret);
	for (size_t l = 0; r == 0 && lower->devno == v.hash && l < v.levels; l++)
		r = level_up(&v, upper, line, l, range, ret);
	if (r == 0 && v.fec && lower->devno == v.fec &&
	    pme_range_intersect(range, (struct pme_range){v.fec_start, v.fec_length}, &part))
		r = pme_steps_owner(ret, part, pme_dm_verity.kind, PME_OWNER_RAID_PARITY,
				    "error correction (FEC) of %s", pme_dev_label(upper));
	return r < 0 ? r : say_rest(stack, &v, upper, line, lower, range, ret);
}

static int verity_down(struct pme_stack *stack, const struct pme_dev *upper,
		       const struct pme_dm_line *line, struct pme_range range,
		       struct pme_steps *ret)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {.kind = pme_dm_verity.kind};
	struct verity v;
	int r = parse(line, &v);

	if (r == 0)
		r = pme_dm_legs_add(&legs, line, v.data, 0, v.fec ? corrects : NULL);
	return r < 0 ? r : pme_dm_legs_down(&legs, upper, line, range, ret);
}

/* With FEC all is in doubt anyway. */
static int verity_needs(const struct pme_dev *upper, const struct pme_dm_line *line,
			struct pme_range range, struct pme_needs *ret)
{
	uint64_t x = range.start - line->range.start, end = x + range.length;
	const struct pme_dev *hash;
	struct verity v;
	int r = parse(line, &v);

	if (r < 0 || v.fec)
		return r;
	hash = pme_dm_lower(upper, v.hash);
	r = pme_dm_need_blocks(ret, line, range, pme_dm_lower(upper, v.data), 0, v.block, 0);
	for (size_t l = 0; r == 0 && hash && l < v.levels; l++) {
		unsigned int shift = v.bits * (unsigned int)(l + 1);
		uint64_t first = shift < 64 ? x / v.block >> shift : 0;
		uint64_t last = shift < 64 ? (end - 1) / v.block >> shift : 0, unit, start;
		struct pme_need need = {.dev = hash, .place_unit = v.hash_block};

		if (shift >= 64 || pme_mul(v.block, 1ULL << shift, &unit) < 0)
			unit = line->range.length;
		start = first * unit;
		need.unit = unit;
		need.from = (struct pme_range){
			line->range.start + start,
			pme_min((last - first + 1) * unit, line->range.length - start)};
		need.place = (struct pme_range){(v.level[l] + first) * v.hash_block,
						(last - first + 1) * v.hash_block};
		r = pme_needs_add(ret, &need);
	}
	return r;
}

static char *verity_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			    const struct pme_dev *lower, uint64_t lower_start,
			    const struct pme_dev *upper, uint64_t upper_start)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {.block_name = "data block"};
	struct verity v;

	if (parse(line, &v) < 0)
		return pme_printf("malformed 'verity' parameters");
	legs.block = v.block;
	if (pme_dm_legs_add(&legs, line, v.data, 0, NULL) < 0)
		return NULL;
	return pme_dm_legs_explain(&legs, line, lower, lower_start, upper, upper_start);
}

const struct pme_dm_target pme_dm_verity = {
	.type = "verity",
	.kind = "dm-verity",
	.up = verity_up,
	.down = verity_down,
	.needs = verity_needs,
	.explain = verity_explain,
};
