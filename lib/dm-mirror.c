/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "mirror": "LOG #ARGS ARG… #LEGS [DEV START]… …" (drivers/md/dm-raid1.c,
 * dm-log.c).  Every leg holds every byte, once all are in sync.
 *
 * Whether they are, only the status line knows: "#LEGS DEV… SYNCED/TOTAL 1 HEALTH …", one letter
 * of health for each leg, A for one that works.  The surprise: a leg that failed once, be it at one
 * read, is not read any more; and until all is in sync nobody outside of the kernel knows which
 * regions are.
 */
#include <string.h>

#include "dm-ask.h"
#include "dm-legs.h"
#include "map.h"

struct health {
	size_t legs;
	bool synced;
	char letters[]; /* one for each leg, NUL behind */
};

/* Pure: a status line of @legs legs, or NULL when it makes no sense (@ret_error says which). */
static struct health *health_parse(const char *text, size_t legs, int *ret_error)
{
	struct pme_dm_params params = {.pos = text, .end = text + strlen(text)};
	struct health *health = NULL;
	const char *word, *slash;
	uint64_t n, done, total;
	size_t len;

	*ret_error = -EINVAL;
	if (pme_dm_params_u64(&params, &n) < 0 || n != legs ||
	    pme_dm_params_skip(&params, legs) < 0 ||
	    pme_next_word(&params.pos, params.end, &word, &len) != 1)
		return NULL;
	slash = memchr(word, '/', len);
	if (!slash || pme_parse_u64(word, slash - word, &done) < 0 ||
	    pme_parse_u64(slash + 1, word + len - (slash + 1), &total) < 0 || done > total)
		return NULL;
	if (pme_dm_params_skip(&params, 1) < 0 ||
	    pme_next_word(&params.pos, params.end, &word, &len) != 1 || len != legs)
		return NULL;
	health = calloc(1, sizeof(*health) + legs + 1);
	*ret_error = -ENOMEM;
	if (!health)
		return NULL;
	health->legs = legs;
	health->synced = done == total;
	memcpy(health->letters, word, legs);
	return health;
}

/* Leaves what it allocated in @ret, also on error. */
static int parse(const struct pme_dm_line *line, struct pme_dm_legs *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line), args;
	uint64_t n_args, legs, start;
	const char *log;
	dev_t devno;
	size_t len;
	int r;

	ret->kind = pme_dm_mirror.kind;
	if (pme_next_word(&params.pos, params.end, &log, &len) != 1 ||
	    pme_dm_params_u64(&params, &n_args) < 0)
		return -EINVAL;
	args = params;
	if (pme_word_is(log, len, "disk")) {
		if (n_args < 2 || pme_dm_params_dev(&args, &ret->side.devno) < 0)
			return -EINVAL;
		ret->side.what = "mirror log";
		ret->side.owner = PME_OWNER_VOLUME_METADATA;
	}
	if (pme_dm_params_skip(&params, n_args) < 0 || pme_dm_params_u64(&params, &legs) < 0 ||
	    legs == 0)
		return -EINVAL;
	for (uint64_t i = 0; i < legs; i++) {
		if (pme_dm_params_dev(&params, &devno) < 0 ||
		    pme_dm_params_sectors(&params, &start) < 0)
			return -EINVAL;
		r = pme_dm_legs_add(ret, line, devno, start, NULL);
		if (r < 0)
			return r;
		if (ret->count != i + 1)
			return -EINVAL; /* two legs on the same bytes */
	}
	return 0;
}

static int load_health(struct pme_stack *stack, const struct pme_dev *dev,
		       const struct pme_dm_line *line, void **ret, char **ret_why)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {0};
	_cleanup_free_ char *text = NULL;
	int r = parse(line, &legs);

	if (r == 0)
		r = pme_dm_status(stack->topo, dev, line, PME_DM_NO_FLUSH, &text);
	if (r == 0)
		*ret = health_parse(text, legs.count, &r);
	if (r == 0 || *ret)
		return 0;
	if (r != -ENOMEM)
		*ret_why = pme_printf("cannot read the status of the mirror %s: %s",
				      pme_dev_label(dev), strerror(-r));
	return r;
}

static const struct pme_map_kind health_map = {.load = load_health, .done = free};

/* The status, or *@ret_why it is not known; -ENOMEM. */
static int get_health(struct pme_stack *stack, const struct pme_dev *upper,
		      const struct pme_dm_line *line, const struct health **ret,
		      const char **ret_why)
{
	const void *map = NULL;
	int r;

	*ret = NULL;
	*ret_why = "the status of the mirror was not read";
	if (!stack)
		return 0;
	r = pme_map_get(stack, &health_map, upper, line, &map, ret_why);
	if (r == 0)
		*ret = map;
	return r == -ENOMEM ? r : 0;
}

static bool works(const struct health *health, size_t leg)
{
	return health->letters[leg] == 'A';
}

/* The other legs that hold byte @x of the line, for a mirror in sync. */
static struct pme_copies *other_legs(const struct pme_dm_legs *legs, const struct health *health,
				     const struct pme_dev *upper, size_t leg, uint64_t x)
{
	struct pme_copies *copies = pme_copies_new("another leg", 1, legs->count);

	if (!copies)
		return NULL;
	copies->count = 0;
	for (size_t i = 0; i < legs->count; i++) {
		const struct pme_dev *lower = pme_dm_lower(upper, legs->items[i].devno);

		if (i != leg && lower && works(health, i))
			copies->places[copies->count++] =
				(struct pme_place){.dev = lower, .start = legs->items[i].start + x};
	}
	return copies;
}

static bool any_works(const struct health *health)
{
	return strchr(health->letters, 'A') != NULL;
}

/* Bytes @from of leg number @leg, byte @x of the line. */
static int leg_up(const struct pme_dm_legs *legs, const struct health *health, const char *why,
		  const struct pme_dev *upper, const struct pme_dm_line *line, size_t leg,
		  struct pme_range from, uint64_t x, struct pme_steps *ret)
{
	uint64_t to = line->range.start + x;
	struct pme_copies *copies;

	if (!health)
		return pme_steps_doubt(ret, from, upper, to, legs->kind, "%s", why);
	if (!works(health, leg) && any_works(health))
		return pme_steps_owner(ret, from, legs->kind, PME_OWNER_UNUSED,
				       "failed leg of %s, which does not read it any more",
				       pme_dev_label(upper));
	if (!health->synced)
		return pme_steps_doubt(ret, from, upper, to, legs->kind,
				       "%s is being synchronized: nobody knows which legs hold "
				       "these bytes",
				       pme_dev_label(upper));
	copies = other_legs(legs, health, upper, leg, x);
	if (!copies)
		return -ENOMEM;
	if (copies->count > 0)
		return pme_steps_lead_copied(ret, from, upper, to, legs->kind, copies);
	free(copies);
	return pme_steps_lead(ret, from, upper, to, legs->kind);
}

static int mirror_up(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dm_line *line, const struct pme_dev *lower,
		     struct pme_range range, struct pme_steps *ret)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {0};
	const struct health *health = NULL;
	struct pme_range part;
	const char *why;
	int r = parse(line, &legs);

	if (r == 0)
		r = get_health(stack, upper, line, &health, &why);
	for (size_t i = 0; r == 0 && i < legs.count; i++) {
		struct pme_range whole = {legs.items[i].start, line->range.length};

		if (legs.items[i].devno == lower->devno && pme_range_intersect(range, whole, &part))
			r = leg_up(&legs, health, why, upper, line, i, part,
				   part.start - whole.start, ret);
	}
	if (r < 0 || !legs.side.devno || legs.side.devno != lower->devno)
		return r;
	return pme_steps_owner(ret, range, legs.kind, legs.side.owner, "%s of %s", legs.side.what,
			       pme_dev_label(upper));
}

/* Each leg that may hold the bytes; with doubt where nobody vouches for it. */
static int mirror_down(struct pme_stack *stack, const struct pme_dev *upper,
		       const struct pme_dm_line *line, struct pme_range range,
		       struct pme_steps *ret)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {0};
	const struct health *health = NULL;
	const char *why;
	size_t kept = 0;
	int r = parse(line, &legs);

	if (r == 0)
		r = get_health(stack, upper, line, &health, &why);
	if (r < 0)
		return r;
	for (size_t i = 0; i < legs.count; i++) {
		if (health && !works(health, i) && any_works(health))
			continue;
		legs.items[kept] = legs.items[i];
		if (!health || !health->synced)
			legs.items[kept].doubt = health ? "the mirror is being synchronized" : why;
		kept++;
	}
	legs.count = kept;
	return pme_dm_legs_down(&legs, upper, line, range, ret);
}

static char *mirror_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			    const struct pme_dev *lower, uint64_t lower_start,
			    const struct pme_dev *upper, uint64_t upper_start)
{
	_cleanup_(pme_dm_legs_done) struct pme_dm_legs legs = {0};
	int r = parse(line, &legs);

	if (r < 0)
		return r == -ENOMEM ? NULL : pme_printf("malformed 'mirror' parameters");
	return pme_dm_legs_explain(&legs, line, lower, lower_start, upper, upper_start);
}

const struct pme_dm_target pme_dm_mirror = {
	.type = "mirror",
	.kind = "dm-mirror",
	.up = mirror_up,
	.down = mirror_down,
	.explain = mirror_explain,
};
