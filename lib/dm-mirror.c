/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper target "mirror": "LOG #ARGS ARG… #LEGS [DEV START]… …" (drivers/md/dm-raid1.c,
 * dm-log.c).  Every leg holds every byte, once all are in sync.
 *
 * Whether they are, only the status line knows: "#LEGS DEV… SYNCED/TOTAL 1 HEALTH …", one letter
 * of health for each leg, A for one that works.  It only counts the regions in sync; but a log in
 * memory ("core", so does pvmove) starts with none, and they are copied one at a time, in order,
 * from the first leg (MAX_RECOVERY, core_get_resync_work).  Behind them only the first leg is read.
 *
 * The surprises: a leg that failed once, be it at one read, is not read any more, unless it is the
 * first of a mirror that is not in sync; and what a log on disk started with only the kernel knows.
 */
#include <string.h>

#include "dm-ask.h"
#include "dm-legs.h"
#include "map.h"

struct health {
	size_t legs;
	uint64_t done, total; /* regions that are in sync */
	char letters[];	      /* one for each leg, NUL behind */
};

struct mirror {
	struct pme_dm_legs legs;
	uint64_t region; /* bytes */
	bool in_order;	 /* regions came in sync from the first on */
};

static void mirror_done(struct mirror *mirror)
{
	pme_dm_legs_done(&mirror->legs);
}
#define _cleanup_mirror_ _cleanup_(mirror_done)

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
	health->done = done;
	health->total = total;
	memcpy(health->letters, word, legs);
	return health;
}

/* "LOG #ARGS [LOG_DEV] REGION [sync|nosync]…" */
static int parse_log(struct pme_dm_params *params, struct mirror *ret)
{
	struct pme_dm_params args;
	const char *log, *word;
	uint64_t n_args;
	size_t len;

	if (pme_next_word(&params->pos, params->end, &log, &len) != 1 ||
	    pme_dm_params_u64(params, &n_args) < 0 || n_args == 0)
		return -EINVAL;
	args = *params;
	ret->in_order = pme_word_is(log, len, "core");
	if (pme_word_is(log, len, "disk")) {
		if (n_args < 2 || pme_dm_params_dev(&args, &ret->legs.side.devno) < 0)
			return -EINVAL;
		ret->legs.side.what = "mirror log";
		ret->legs.side.owner = PME_OWNER_VOLUME_METADATA;
	}
	if (ret->in_order && pme_dm_params_sectors(&args, &ret->region) < 0)
		return -EINVAL;
	if (ret->in_order && n_args > 1 &&
	    (pme_next_word(&args.pos, args.end, &word, &len) != 1 ||
	     pme_word_is(word, len, "nosync")))
		ret->in_order = false;
	return pme_dm_params_skip(params, n_args);
}

/* Leaves what it allocated in @ret, also on error. */
static int parse(const struct pme_dm_line *line, struct mirror *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	uint64_t legs, start;
	dev_t devno;
	int r;

	ret->legs.kind = pme_dm_mirror.kind;
	if (parse_log(&params, ret) < 0 || pme_dm_params_u64(&params, &legs) < 0 || legs == 0)
		return -EINVAL;
	for (uint64_t i = 0; i < legs; i++) {
		if (pme_dm_params_dev(&params, &devno) < 0 ||
		    pme_dm_params_sectors(&params, &start) < 0)
			return -EINVAL;
		r = pme_dm_legs_add(&ret->legs, line, devno, start, NULL);
		if (r < 0)
			return r;
		if (ret->legs.count != i + 1)
			return -EINVAL; /* two legs on the same bytes */
	}
	return 0;
}

static int load_health(struct pme_stack *stack, const struct pme_dev *dev,
		       const struct pme_dm_line *line, void **ret, char **ret_why)
{
	_cleanup_mirror_ struct mirror mirror = {0};
	_cleanup_free_ char *text = NULL;
	int r = parse(line, &mirror);

	if (r == 0)
		r = pme_dm_status(stack->topo, dev, line, PME_DM_NO_FLUSH, &text);
	if (r == 0)
		*ret = health_parse(text, mirror.legs.count, &r);
	if (r == 0 || *ret)
		return 0;
	if (r != -ENOMEM)
		*ret_why = pme_printf("cannot read the status of the mirror %s: %s",
				      pme_dev_label(dev), strerror(-r));
	return r;
}

static const struct pme_map_kind health_map = {.load = load_health, .done = free};

/* A line of a table, and what its status says; @health is NULL where it was not read: @why. */
struct view {
	struct mirror mirror;
	const struct pme_dev *upper;
	const struct pme_dm_line *line;
	const struct health *health;
	const char *why;
};

static void view_done(struct view *view)
{
	mirror_done(&view->mirror);
}
#define _cleanup_view_ _cleanup_(view_done)

/* Leaves what it allocated in @ret, also on error. */
static int view_init(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct view *ret)
{
	const void *map = NULL;
	int r = parse(line, &ret->mirror);

	ret->upper = upper;
	ret->line = line;
	ret->why = "the status of the mirror was not read";
	if (r < 0 || !stack)
		return r;
	r = pme_map_get(stack, &health_map, upper, line, &map, &ret->why);
	if (r == 0)
		ret->health = map;
	return r == -ENOMEM ? r : 0;
}

static bool works(const struct health *health, size_t leg)
{
	return health->letters[leg] == 'A';
}

/* What is known of some bytes of the line. */
enum state {
	UNKNOWN,   /* which legs hold them */
	SYNCED,	   /* all legs that work do */
	ONLY_FIRST /* they are not copied yet */
};

/* The state of byte @x of the line; *@length shrinks to the bytes from there on that share it. */
static enum state state_at(const struct view *view, uint64_t x, uint64_t *length)
{
	const struct health *health = view->health;
	uint64_t end;

	if (!health)
		return UNKNOWN;
	if (health->done == health->total)
		return SYNCED;
	if (!view->mirror.in_order || strspn(health->letters, "A") < health->legs ||
	    pme_mul(health->done, view->mirror.region, &end) < 0)
		return UNKNOWN;
	if (x >= end)
		return ONLY_FIRST;
	*length = pme_min(*length, end - x);
	return SYNCED;
}

/* A failed leg of a mirror in sync is not read, unless all have failed. */
static bool is_read(const struct view *view, size_t leg, enum state state)
{
	if (state == SYNCED)
		return works(view->health, leg) || !strchr(view->health->letters, 'A');
	return state == UNKNOWN || leg == 0;
}

/* The other legs that hold byte @x of the line. */
static struct pme_copies *other_legs(const struct view *view, size_t leg, uint64_t x)
{
	const struct pme_dm_legs *legs = &view->mirror.legs;
	struct pme_copies *copies = pme_copies_new("another leg", 1, legs->count);

	if (!copies)
		return NULL;
	copies->count = 0;
	for (size_t i = 0; i < legs->count; i++) {
		const struct pme_dev *lower = pme_dm_lower(view->upper, legs->items[i].devno);

		if (i != leg && lower && works(view->health, i))
			copies->places[copies->count++] =
				(struct pme_place){.dev = lower, .start = legs->items[i].start + x};
	}
	return copies;
}

/* The bytes @from of leg number @leg are not read. */
static int say_unread(const struct view *view, struct pme_range from, enum state state,
		      struct pme_steps *ret)
{
	const char *kind = view->mirror.legs.kind, *label = pme_dev_label(view->upper);

	if (state == SYNCED)
		return pme_steps_owner(ret, from, kind, PME_OWNER_UNUSED,
				       "failed leg of %s, which does not read it any more", label);
	return pme_steps_owner(ret, from, kind, PME_OWNER_UNUSED,
			       "leg of %s to which these bytes are not copied yet", label);
}

static int say_doubt(const struct view *view, struct pme_range from, uint64_t to,
		     struct pme_steps *ret)
{
	const char *kind = view->mirror.legs.kind;

	if (!view->health)
		return pme_steps_doubt(ret, from, view->upper, to, kind, "%s", view->why);
	return pme_steps_doubt(ret, from, view->upper, to, kind,
			       "%s is being synchronized: nobody knows which legs hold these bytes",
			       pme_dev_label(view->upper));
}

/* The bytes @from of leg number @leg, from byte @x of the line on, are all in one state. */
static int part_up(const struct view *view, size_t leg, enum state state, struct pme_range from,
		   uint64_t x, struct pme_steps *ret)
{
	uint64_t to = view->line->range.start + x;
	const char *kind = view->mirror.legs.kind;
	struct pme_copies *copies;

	if (!is_read(view, leg, state))
		return say_unread(view, from, state, ret);
	if (state == UNKNOWN)
		return say_doubt(view, from, to, ret);
	if (state == ONLY_FIRST)
		return pme_steps_lead(ret, from, view->upper, to, kind);
	copies = other_legs(view, leg, x);
	if (!copies)
		return -ENOMEM;
	if (copies->count > 0)
		return pme_steps_lead_copied(ret, from, view->upper, to, kind, copies);
	free(copies);
	return pme_steps_lead(ret, from, view->upper, to, kind);
}

static int leg_up(const struct view *view, size_t leg, struct pme_range range,
		  struct pme_steps *ret)
{
	uint64_t start = view->mirror.legs.items[leg].start, end = pme_range_end(range);
	int r = 0;

	for (struct pme_range part = range; r == 0 && part.start < end; part.start += part.length) {
		enum state state;

		part.length = end - part.start;
		state = state_at(view, part.start - start, &part.length);
		r = part_up(view, leg, state, part, part.start - start, ret);
	}
	return r;
}

static int mirror_up(struct pme_stack *stack, const struct pme_dev *upper,
		     const struct pme_dm_line *line, const struct pme_dev *lower,
		     struct pme_range range, struct pme_steps *ret)
{
	_cleanup_view_ struct view view = {0};
	const struct pme_dm_legs *legs = &view.mirror.legs;
	struct pme_range part;
	int r = view_init(stack, upper, line, &view);

	for (size_t i = 0; r == 0 && i < legs->count; i++) {
		struct pme_range whole = {legs->items[i].start, line->range.length};

		if (legs->items[i].devno == lower->devno &&
		    pme_range_intersect(range, whole, &part))
			r = leg_up(&view, i, part, ret);
	}
	if (r < 0 || !legs->side.devno || legs->side.devno != lower->devno)
		return r;
	return pme_steps_owner(ret, range, legs->kind, legs->side.owner, "%s of %s",
			       legs->side.what, pme_dev_label(upper));
}

/* @part is in one state: each leg that may hold it, with doubt where nobody vouches for it. */
static int part_down(const struct view *view, enum state state, struct pme_range part,
		     struct pme_steps *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < view->mirror.legs.count; i++) {
		struct pme_dm_leg leg = view->mirror.legs.items[i];
		struct pme_dm_legs one = view->mirror.legs;

		if (!is_read(view, i, state))
			continue;
		if (state == UNKNOWN)
			leg.doubt = view->health ? "the mirror is being synchronized" : view->why;
		one.items = &leg;
		one.count = 1;
		r = pme_dm_legs_down(&one, view->upper, view->line, part, ret);
	}
	return r;
}

static int mirror_down(struct pme_stack *stack, const struct pme_dev *upper,
		       const struct pme_dm_line *line, struct pme_range range,
		       struct pme_steps *ret)
{
	_cleanup_view_ struct view view = {0};
	struct pme_range all, part;
	int r = view_init(stack, upper, line, &view);

	if (r < 0 || !pme_range_intersect(range, line->range, &all))
		return r;
	for (part = all; r == 0 && part.start < pme_range_end(all); part.start += part.length) {
		enum state state;

		part.length = pme_range_end(all) - part.start;
		state = state_at(&view, part.start - line->range.start, &part.length);
		r = part_down(&view, state, part, ret);
	}
	return r;
}

static char *mirror_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			    const struct pme_dev *lower, uint64_t lower_start,
			    const struct pme_dev *upper, uint64_t upper_start)
{
	_cleanup_mirror_ struct mirror mirror = {0};
	int r = parse(line, &mirror);

	if (r < 0)
		return r == -ENOMEM ? NULL : pme_printf("malformed 'mirror' parameters");
	return pme_dm_legs_explain(&mirror.legs, line, lower, lower_start, upper, upper_start);
}

const struct pme_dm_target pme_dm_mirror = {
	.type = "mirror",
	.kind = "dm-mirror",
	.up = mirror_up,
	.down = mirror_down,
	.explain = mirror_explain,
};
