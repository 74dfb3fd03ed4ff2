/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device-mapper targets "snapshot" and "snapshot-merge": "ORIGIN STORE P|PO|N CHUNK …", and
 * "snapshot-origin": "ORIGIN" (drivers/md/dm-snap.c).
 *
 * A chunk of the snapshot lies in the store when the store has an exception for it, on the origin
 * otherwise.  Exceptions are on media before the write that made them returns.  A merge takes them
 * away again, the last first, while we look.  The surprise: these targets use sectors of the whole
 * device, not of their line.
 */
#include <inttypes.h>
#include <string.h>

#include "dm-ask.h"
#include "dm-params.h"
#include "dm-snapshot-store.h"
#include "layer.h"
#include "map.h"
#include "media.h"

struct table {
	dev_t origin, store;
	bool transient;
	uint64_t chunk; /* bytes */
};

/* What is known of a running snapshot. */
struct snapshot {
	bool invalid; /* the kernel has given it up: nothing reads it any more */
	bool merging;
	uint64_t allocated; /* bytes of the store in use, but for a merge */
	uint64_t metadata;  /* bytes of its header and areas */
	struct pme_snapshot_store store;
};

static int parse(const struct pme_dm_line *line, struct table *ret)
{
	struct pme_dm_params params = pme_dm_params_of(line);
	const char *word;
	size_t len;

	if (pme_dm_params_dev(&params, &ret->origin) < 0 ||
	    pme_dm_params_dev(&params, &ret->store) < 0 ||
	    pme_next_word(&params.pos, params.end, &word, &len) != 1 ||
	    pme_dm_params_sectors(&params, &ret->chunk) < 0 || ret->chunk == 0 ||
	    ret->origin == ret->store)
		return -EINVAL;
	ret->transient = pme_word_is(word, len, "N");
	if (!ret->transient && !pme_word_is(word, len, "P") && !pme_word_is(word, len, "PO"))
		return -EINVAL;
	return 0;
}

/* "ALLOCATED/TOTAL METADATA" in sectors, or a word. */
static int parse_status(const char *text, struct snapshot *ret)
{
	const char *slash = strchr(text, '/'), *blank = strchr(text, ' ');
	uint64_t allocated, metadata;

	ret->invalid = strcmp(text, "Invalid") == 0;
	if (ret->invalid)
		return 0;
	if (!slash || !blank || pme_parse_u64(text, slash - text, &allocated) < 0 ||
	    pme_parse_u64(blank + 1, strlen(blank + 1), &metadata) < 0 ||
	    pme_mul(allocated, PME_SECTOR, &ret->allocated) < 0 ||
	    pme_mul(metadata, PME_SECTOR, &ret->metadata) < 0)
		return -EINVAL;
	return 0;
}

/* "Overflow", "Merge failed" and everything that is no usage end here. */
static int ask(struct pme_stack *stack, const struct pme_dev *dev, const struct pme_dm_line *line,
	       struct snapshot *ret, char **ret_why)
{
	_cleanup_free_ char *status = NULL;
	int r = pme_dm_status(stack->topo, dev, line, PME_DM_NO_FLUSH, &status);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		*ret_why = pme_printf("cannot ask for the state of snapshot %s: %s",
				      pme_dev_label(dev), pme_media_error(r));
	else if (parse_status(status, ret) < 0) {
		r = -EINVAL;
		*ret_why = pme_printf("the state of snapshot %s is '%.40s'", pme_dev_label(dev),
				      status);
	}
	return r;
}

static int read_store(struct pme_stack *stack, const struct pme_dev *dev,
		      const struct pme_dev *lower, uint64_t chunk, struct snapshot *ret,
		      char **ret_why)
{
	_cleanup_close_ int fd = pme_media_open(stack->topo, lower);
	struct pme_snapshot_hint hint = {.chunk = chunk, .areas = ret->metadata / chunk};
	struct pme_reader reader = pme_reader_of_media(&fd, lower->size);
	uint64_t at = 0;
	int r;

	hint.areas -= hint.areas > 0; /* one is the header */
	r = fd < 0 ? fd : pme_snapshot_store_read(&reader, hint, &ret->store, &at);

	if (r < 0 && r != -ENOMEM)
		*ret_why = pme_printf(
			"cannot read the exceptions of snapshot %s at byte %" PRIu64 " of %s: %s",
			pme_dev_label(dev), at, pme_dev_label(lower), pme_media_error(r));
	return r;
}

static int load_into(struct pme_stack *stack, const struct pme_dev *dev,
		     const struct pme_dm_line *line, struct snapshot *ret, char **ret_why)
{
	const struct pme_dev *lower;
	struct table table;
	int r = parse(line, &table);

	if (r < 0)
		return r;
	if (table.transient) {
		*ret_why = pme_printf("snapshot %s keeps its exceptions in memory only",
				      pme_dev_label(dev));
		return -EOPNOTSUPP;
	}
	lower = pme_dm_lower(dev, table.store);
	if (!lower) {
		*ret_why = pme_printf("the store of snapshot %s is missing", pme_dev_label(dev));
		return -ENODEV;
	}
	ret->merging = strcmp(line->type, "snapshot-merge") == 0;
	r = ask(stack, dev, line, ret, ret_why);
	if (r == 0 && !ret->invalid)
		r = read_store(stack, dev, lower, table.chunk, ret, ret_why);
	if (r < 0 || ret->invalid)
		return r;
	if (ret->store.valid && ret->store.chunk == table.chunk)
		return 0;
	*ret_why = pme_printf("the header of the store of snapshot %s does not fit its table",
			      pme_dev_label(dev));
	return -ESTALE;
}

static void snapshot_done(void *map)
{
	struct snapshot *snapshot = map;

	pme_snapshot_store_done(&snapshot->store);
	free(snapshot);
}

static int load(struct pme_stack *stack, const struct pme_dev *dev, const struct pme_dm_line *line,
		void **ret, char **ret_why)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	int r = snapshot ? load_into(stack, dev, line, snapshot, ret_why) : -ENOMEM;

	if (r < 0) {
		if (snapshot)
			snapshot_done(snapshot);
		return r;
	}
	*ret = snapshot;
	return 0;
}

static const struct pme_map_kind snapshot_map = {.load = load, .done = snapshot_done};

static const char *kind_of(const struct pme_dm_line *line)
{
	return strcmp(line->type, "snapshot-merge") == 0 ? pme_dm_snapshot_merge.kind
							 : pme_dm_snapshot.kind;
}

/* The map, or NULL and *@ret_error: 0 when the unknown was said for @range. */
static const struct snapshot *get(struct pme_stack *stack, const struct pme_dev *upper,
				  const struct pme_dm_line *line, struct pme_range range,
				  struct pme_steps *steps, int *ret_error)
{
	const char *why;
	const void *map;
	int r = stack ? pme_map_get(stack, &snapshot_map, upper, line, &map, &why) : -EINVAL;

	if (r == 0)
		return map;
	*ret_error = r == -ENOMEM || !stack
			     ? r
			     : pme_steps_unknown(steps, range, kind_of(line), "%s", why);
	return NULL;
}

/* Bytes of the origin: the snapshot reads those that have no exception. */
static int origin_up(const struct snapshot *s, const struct pme_dev *upper,
		     const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_remap *exception;
	struct pme_range part;
	int r = 0;

	if (s->invalid || !pme_range_intersect(range, line->range, &part))
		return 0;
	for (uint64_t at = part.start, end = pme_range_end(part); r == 0 && at < end;) {
		struct pme_range piece = pme_remaps_block_piece(
			&s->store.exceptions, s->store.chunk, at, end, &exception);

		if (!exception && s->store.unread > 0)
			r = pme_steps_doubt(ret, piece, upper, piece.start, kind_of(line),
					    "%" PRIu64 " exceptions of %s cannot be read",
					    s->store.unread, pme_dev_label(upper));
		else if (!exception)
			r = pme_steps_lead(ret, piece, upper, piece.start, kind_of(line));
		else if (s->merging)
			r = pme_steps_doubt(ret, piece, upper, piece.start, kind_of(line),
					    "a merge into %s runs: chunk %" PRIu64
					    " is in the store until it was copied",
					    pme_dev_label(upper), exception->block);
		at += piece.length;
	}
	return r;
}

/* A chunk of the store that holds one of the snapshot; @piece lies in it. */
static int data_up(const struct snapshot *s, const struct pme_dev *upper,
		   const struct pme_dm_line *line, const struct pme_remap *exception,
		   struct pme_range piece, struct pme_steps *ret)
{
	uint64_t x = exception->block * s->store.chunk + piece.start % s->store.chunk;
	struct pme_range there = {x, piece.length}, part;
	struct pme_range from = piece;

	if (!pme_range_intersect(there, line->range, &part))
		return pme_steps_owner(ret, piece, kind_of(line), PME_OWNER_UNUSED,
				       "chunk %" PRIu64 " behind the end of snapshot %s",
				       exception->block, pme_dev_label(upper));
	from = (struct pme_range){piece.start + (part.start - x), part.length};
	if (s->merging)
		return pme_steps_doubt(ret, from, upper, part.start, kind_of(line),
				       "a merge into %s runs: chunk %" PRIu64
				       " is read from the store until it was copied",
				       pme_dev_label(upper), exception->block);
	return pme_steps_lead(ret, from, upper, part.start, kind_of(line));
}

static int area_up(const struct snapshot *s, const struct pme_dev *upper,
		   const struct pme_dm_line *line, struct pme_range piece, struct pme_steps *ret)
{
	uint64_t chunk = piece.start / s->store.chunk, area;

	if (chunk == 0)
		return pme_steps_owner(ret, piece, kind_of(line), PME_OWNER_VOLUME_METADATA,
				       "header of the store of snapshot %s: it cannot be "
				       "activated again",
				       pme_dev_label(upper));
	pme_snapshot_store_area(&s->store, chunk, &area);
	return pme_steps_owner(ret, piece, kind_of(line), PME_OWNER_VOLUME_METADATA,
			       "exceptions %" PRIu64 " to %" PRIu64
			       " of snapshot %s: it cannot be activated again",
			       area * s->store.per_area, (area + 1) * s->store.per_area - 1,
			       pme_dev_label(upper));
}

/* Bytes of the store that no exception names, within one chunk. */
static int other_up(const struct snapshot *s, const struct pme_dev *upper,
		    const struct pme_dm_line *line, struct pme_range piece, struct pme_steps *ret)
{
	uint64_t chunk = piece.start / s->store.chunk, area;

	if (chunk == 0 || pme_snapshot_store_area(&s->store, chunk, &area) == 1)
		return area_up(s, upper, line, piece, ret);
	if (s->store.unread > 0)
		return pme_steps_unknown(ret, piece, kind_of(line),
					 "%" PRIu64
					 " exceptions of snapshot %s cannot be read: one "
					 "may lead to chunk %" PRIu64 " of its store",
					 s->store.unread, pme_dev_label(upper), chunk);
	if (!s->merging && piece.start < s->allocated)
		return pme_steps_unknown(ret, piece, kind_of(line),
					 "chunk %" PRIu64 " of the store of snapshot %s was handed "
					 "out and has no exception yet",
					 chunk, pme_dev_label(upper));
	return pme_steps_owner(ret, piece, kind_of(line), PME_OWNER_FREE,
			       "free in the store of snapshot %s", pme_dev_label(upper));
}

static int store_up(const struct snapshot *s, const struct pme_dev *upper,
		    const struct pme_dm_line *line, struct pme_range range, struct pme_steps *ret)
{
	const struct pme_remap *exception;
	int r = 0;

	if (s->invalid)
		return pme_steps_owner(ret, range, kind_of(line), PME_OWNER_UNUSED,
				       "store of snapshot %s, which is invalid: nothing reads it",
				       pme_dev_label(upper));
	for (uint64_t at = range.start, end = pme_range_end(range); r == 0 && at < end;) {
		struct pme_range piece = pme_remaps_place_piece(
			&s->store.exceptions, s->store.chunk, at, end, &exception);

		if (exception) {
			r = data_up(s, upper, line, exception, piece, ret);
		} else {
			piece.length = pme_min(piece.length, s->store.chunk - at % s->store.chunk);
			r = other_up(s, upper, line, piece, ret);
		}
		at += piece.length;
	}
	return r;
}

static int snapshot_up(struct pme_stack *stack, const struct pme_dev *upper,
		       const struct pme_dm_line *line, const struct pme_dev *lower,
		       struct pme_range range, struct pme_steps *ret)
{
	const struct snapshot *s;
	struct table table;
	int r;

	r = parse(line, &table);
	if (r < 0 || (lower->devno != table.origin && lower->devno != table.store))
		return r;
	s = get(stack, upper, line, range, ret, &r);
	if (!s)
		return r;
	if (lower->devno == table.origin)
		return origin_up(s, upper, line, range, ret);
	return store_up(s, upper, line, range, ret);
}

static int say_missing(const struct pme_dev *upper, const struct pme_dm_line *line,
		       struct pme_range piece, struct pme_steps *ret)
{
	return pme_steps_unknown(ret, piece, kind_of(line), "a device below %s is missing",
				 pme_dev_label(upper));
}

/* A piece without an exception. */
static int origin_down(const struct snapshot *s, const struct pme_dev *upper,
		       const struct pme_dm_line *line, dev_t origin, struct pme_range piece,
		       struct pme_steps *ret)
{
	const struct pme_dev *lower = pme_dm_lower(upper, origin);

	if (!lower)
		return say_missing(upper, line, piece, ret);
	if (s->store.unread == 0)
		return pme_steps_lead(ret, piece, lower, piece.start, kind_of(line));
	return pme_steps_doubt(ret, piece, lower, piece.start, kind_of(line),
			       "%" PRIu64 " exceptions of %s cannot be read", s->store.unread,
			       pme_dev_label(upper));
}

/* A piece with an exception: in the store; in a merge perhaps back on the origin already. */
static int store_down(const struct snapshot *s, const struct pme_dev *upper,
		      const struct pme_dm_line *line, const struct table *table, uint64_t place,
		      struct pme_range piece, struct pme_steps *ret)
{
	const struct pme_dev *store = pme_dm_lower(upper, table->store);
	const struct pme_dev *origin = pme_dm_lower(upper, table->origin);
	uint64_t to = place * s->store.chunk + piece.start % s->store.chunk;
	int r;

	if (!store || (s->merging && !origin))
		return say_missing(upper, line, piece, ret);
	if (!s->merging)
		return pme_steps_lead(ret, piece, store, to, kind_of(line));
	r = pme_steps_doubt(ret, piece, store, to, kind_of(line), "a merge into %s runs",
			    pme_dev_label(upper));
	if (r < 0)
		return r;
	return pme_steps_doubt(ret, piece, origin, piece.start, kind_of(line),
			       "a merge into %s runs", pme_dev_label(upper));
}

static int snapshot_down(struct pme_stack *stack, const struct pme_dev *upper,
			 const struct pme_dm_line *line, struct pme_range range,
			 struct pme_steps *ret)
{
	const struct pme_remap *exception;
	const struct snapshot *s;
	struct pme_range part;
	struct table table;
	int r;

	r = parse(line, &table);
	if (r < 0 || !pme_range_intersect(range, line->range, &part))
		return r;
	s = get(stack, upper, line, part, ret, &r);
	if (!s)
		return r;
	if (s->invalid)
		return pme_steps_unknown(ret, part, kind_of(line),
					 "snapshot %s is invalid: it has no data any more",
					 pme_dev_label(upper));
	for (uint64_t at = part.start, end = pme_range_end(part); r == 0 && at < end;) {
		struct pme_range piece = pme_remaps_block_piece(
			&s->store.exceptions, s->store.chunk, at, end, &exception);

		if (exception)
			r = store_down(s, upper, line, &table, exception->place, piece, ret);
		else
			r = origin_down(s, upper, line, table.origin, piece, ret);
		at += piece.length;
	}
	return r;
}

static char *snapshot_explain(struct pme_stack *stack, const struct pme_dm_line *line,
			      const struct pme_dev *lower, uint64_t lower_start,
			      const struct pme_dev *upper, uint64_t upper_start)
{
	const struct snapshot *s;
	struct table table;
	const char *why;
	const void *map;

	if (parse(line, &table) < 0)
		return pme_printf("malformed '%s' parameters", line->type);
	if (!stack || pme_map_get(stack, &snapshot_map, upper, line, &map, &why) < 0)
		return pme_printf("the exceptions of %s are not known", pme_dev_label(upper));
	s = map;
	if (lower->devno == table.origin)
		return pme_printf("%" PRIu64 " (same byte of %s: chunk %" PRIu64 " of %" PRIu64
				  " has no exception in %s) = %" PRIu64,
				  lower_start, pme_dev_label(lower), lower_start / s->store.chunk,
				  s->store.chunk, pme_dev_label(upper), upper_start);
	return pme_printf("%" PRIu64 " = chunk %" PRIu64 " of %" PRIu64
			  " of the store %s + %" PRIu64 "; its exception: chunk %" PRIu64
			  " of %s; %" PRIu64 " * %" PRIu64 " + %" PRIu64 " = %" PRIu64,
			  lower_start, lower_start / s->store.chunk, s->store.chunk,
			  pme_dev_label(lower), lower_start % s->store.chunk,
			  upper_start / s->store.chunk, pme_dev_label(upper),
			  upper_start / s->store.chunk, s->store.chunk,
			  lower_start % s->store.chunk, upper_start);
}

const struct pme_dm_target pme_dm_snapshot = {
	.type = "snapshot",
	.kind = "dm-snapshot",
	.up = snapshot_up,
	.down = snapshot_down,
	.explain = snapshot_explain,
};

const struct pme_dm_target pme_dm_snapshot_merge = {
	.type = "snapshot-merge",
	.kind = "dm-snapshot-merge",
	.up = snapshot_up,
	.down = snapshot_down,
	.explain = snapshot_explain,
};
