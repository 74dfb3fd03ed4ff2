/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "clone": "METADATA DEST SOURCE REGION …" (drivers/md/dm-clone-target.c).
 *
 * A region is read from the source until it was hydrated, then from the destination, at the same
 * place.  How many regions are hydrated is in the status; which ones they are is in the metadata,
 * which is not read here: between none and all, both places are in doubt.
 */
#include <inttypes.h>
#include <string.h>

#include "dm-ask.h"
#include "dm-params.h"
#include "layer.h"
#include "map.h"

struct table {
	dev_t metadata, dest, source;
};

struct hydration {
	uint64_t done, total, running; /* regions */
};

static int parse(const struct pme_dm_line *line, struct table *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);

	if (pme_dm_params_dev(&params, &ret->metadata) < 0 ||
	    pme_dm_params_dev(&params, &ret->dest) < 0 ||
	    pme_dm_params_dev(&params, &ret->source) < 0 || ret->metadata == ret->dest ||
	    ret->dest == ret->source || ret->metadata == ret->source)
		return -EINVAL;
	return 0;
}

/* "BLOCK USED/TOTAL REGION HYDRATED/TOTAL HYDRATING …" */
static int parse_status(char *text, struct hydration *ret)
{
	const char *pos = text, *end = text + strlen(text), *word, *slash;
	size_t len;

	for (int i = 0; i < 4; i++)
		if (pme_next_word(&pos, end, &word, &len) != 1)
			return -EINVAL;
	slash = memchr(word, '/', len);
	if (!slash || pme_parse_u64(word, slash - word, &ret->done) < 0 ||
	    pme_parse_u64(slash + 1, word + len - (slash + 1), &ret->total) < 0 ||
	    pme_next_word(&pos, end, &word, &len) != 1 ||
	    pme_parse_u64(word, len, &ret->running) < 0 || ret->total == 0 ||
	    ret->done > ret->total)
		return -EINVAL;
	return 0;
}

static int load(struct pme_stack *stack, const struct pme_dev *dev, const struct pme_dm_line *line,
		void **ret, char **ret_why)
{
	_cleanup_free_ struct hydration *hydration = calloc(1, sizeof(*hydration));
	_cleanup_free_ char *status = NULL;
	int r;

	if (!hydration)
		return -ENOMEM;
	r = pme_dm_status(stack->topo, dev, line, PME_DM_NO_FLUSH, &status);
	if (r == 0)
		r = parse_status(status, hydration);
	if (r == 0 && line->range.start != 0)
		r = -EOPNOTSUPP;
	if (r < 0) {
		if (r != -ENOMEM)
			*ret_why = pme_printf("cannot tell how much of clone %s is hydrated: %s",
					      pme_dev_label(dev), strerror(-r));
		return r;
	}
	*ret = pme_take_ptr(hydration);
	return 0;
}

static const struct pme_map_kind clone_map = {.load = load, .done = free};

/* Is it known of every region where it is? */
static bool all_known(const struct hydration *h)
{
	return h->done == h->total || (h->done == 0 && h->running == 0);
}

static int lead(const struct hydration *h, const struct pme_dev *clone, struct pme_range from,
		const struct pme_dev *to, struct pme_steps *ret)
{
	if (all_known(h))
		return pme_steps_lead(ret, from, to, from.start, pme_dm_clone.kind);
	return pme_steps_doubt(ret, from, to, from.start, pme_dm_clone.kind,
			       "%" PRIu64 " of %" PRIu64
			       " regions of clone %s are hydrated: scan again when all are",
			       h->done, h->total, pme_dev_label(clone));
}

static int data_up(const struct hydration *h, const struct pme_dev *upper,
		   const struct pme_dm_line *line, bool dest, struct pme_range range,
		   struct pme_steps *ret)
{
	struct pme_range part;

	if (!pme_range_intersect(range, line->range, &part))
		return 0;
	if (!all_known(h) || dest == (h->done == h->total))
		return lead(h, upper, part, upper, ret);
	if (!dest) /* the source is out of it */
		return 0;
	return pme_steps_owner(ret, part, pme_dm_clone.kind, PME_OWNER_FREE,
			       "not hydrated yet: clone %s reads its source", pme_dev_label(upper));
}

static int clone_up(struct pme_stack *stack, const struct pme_dev *upper,
		    const struct pme_dm_line *line, const struct pme_dev *lower,
		    struct pme_range range, struct pme_steps *ret)
{
	const void *map = NULL;
	const char *why = "";
	struct table table;
	int r = parse(line, &table);

	if (r < 0)
		return r;
	if (lower->devno == table.metadata)
		return pme_steps_owner(ret, range, pme_dm_clone.kind, PME_OWNER_VOLUME_METADATA,
				       "metadata of clone %s: which of its regions are hydrated",
				       pme_dev_label(upper));
	if (lower->devno != table.dest && lower->devno != table.source)
		return 0;
	r = stack ? pme_map_get(stack, &clone_map, upper, line, &map, &why) : -EINVAL;
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, range, pme_dm_clone.kind, "%s", why);
	return data_up(map, upper, line, lower->devno == table.dest, range, ret);
}

/* One of the places below, if it is used. */
static int place_down(const struct hydration *h, const struct pme_dev *upper, dev_t devno,
		      bool used, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_dev *lower = pme_dm_lower(upper, devno);

	if (!used)
		return 0;
	if (!lower)
		return pme_steps_unknown(ret, range, pme_dm_clone.kind,
					 "a device below %s is missing", pme_dev_label(upper));
	return lead(h, upper, range, lower, ret);
}

static int clone_down(struct pme_stack *stack, const struct pme_dev *upper,
		      const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	const struct hydration *h;
	const void *map = NULL;
	const char *why = "";
	struct table table;
	int r = parse(line, &table);

	if (r < 0 || !pme_range_intersect(range, line->range, &range))
		return r;
	r = stack ? pme_map_get(stack, &clone_map, upper, line, &map, &why) : -EINVAL;
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pme_steps_unknown(ret, range, pme_dm_clone.kind, "%s", why);
	h = map;
	r = place_down(h, upper, table.dest, h->done == h->total || !all_known(h), range, ret);
	if (r < 0)
		return r;
	return place_down(h, upper, table.source, h->done < h->total, range, ret);
}

static char *clone_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			   const struct pme_dev *lower, uint64_t lower_start,
			   const struct pme_dev *upper, uint64_t upper_start)
{
	struct table table;

	if (parse(line, &table) < 0)
		return pme_printf("malformed 'clone' parameters");
	return pme_printf("%" PRIu64 " (same byte of %s, the %s of %s) = %" PRIu64, lower_start,
			  pme_dev_label(lower),
			  lower->devno == table.dest ? "destination" : "source",
			  pme_dev_label(upper), upper_start);
}

const struct pme_dm_target pme_dm_clone = {
	.type = "clone",
	.kind = "dm-clone",
	.up = clone_up,
	.down = clone_down,
	.explain = clone_explain,
};
