/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A check of a part of an MD array: begun, waited for, set back; see repair-md-check.h.
 *
 * From drivers/md/md.c: sync_max is kept below its end (md_do_sync waits there, and sync_completed
 * shows it), "idle" ends it and leaves sync_min where it came to; a check that comes to the end of
 * the array forgets both by itself.
 */
#include "repair-md-check.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "doc.h"

#define POLL_MSEC 20
#define DEADLINE_MSEC 120000 /* and a second more for each MiB: md's slowest is 1000 KiB/s */
#define STOP_MSEC 60000
#define BACK_MSEC 60000
#define SECT_PER_MIB ((1U << 20) / PME_SECTOR)

static int attr(const struct pme_os *os, const char *name, const char *what, char **ret)
{
	return pme_os_read_line(os, ret, "sys/block/%s/md/%s", name, what);
}

bool pme_md_attr_is(const struct pme_os *os, const char *name, const char *what, const char *value)
{
	_cleanup_free_ char *text = NULL;

	return attr(os, name, what, &text) == 0 && strcmp(text, value) == 0;
}

/* ---- limits ---- */

struct limits {
	char *min, *max;	 /* as they were, and are wanted again */
	struct pme_range before; /* checked first, or empty */
	uint64_t start_sect, end_sect;
	bool to_end; /* no limit: md ends by itself */
};

/* The same for what is checked first. */
static struct limits first_of(const struct limits *limits)
{
	return (struct limits){
		.min = limits->min,
		.max = limits->max,
		.start_sect = limits->before.start / PME_SECTOR,
		.end_sect = pme_range_end(limits->before) / PME_SECTOR,
	};
}

static void limits_done(struct limits *limits)
{
	free(limits->min);
	free(limits->max);
}

/* Digits, or "max". */
static bool is_limit(const char *text)
{
	uint64_t number;

	return strcmp(text, "max") == 0 || pme_parse_u64(text, strlen(text), &number) == 0;
}

static int set_attr(const struct pme_os *os, const char *name, const char *what, const char *value)
{
	return pme_os_write_attr(os, value, "sys/block/%s/md/%s", name, what);
}

/* In this order each value is one that md takes, whatever was there. */
static int set_limits(const struct pme_os *os, const char *name, const char *min, const char *max)
{
	int r = set_attr(os, name, "sync_max", "max");

	if (r == 0)
		r = set_attr(os, name, "sync_min", min);
	if (r == 0 && strcmp(max, "max") != 0)
		r = set_attr(os, name, "sync_max", max);
	return r;
}

static int read_limits(const struct pme_os *os, const char *name, char **ret_min, char **ret_max)
{
	int r = attr(os, name, "sync_min", ret_min);

	if (r == 0)
		r = attr(os, name, "sync_max", ret_max);
	if (r == 0 && (!is_limit(*ret_min) || !is_limit(*ret_max)))
		r = -EINVAL;
	return r;
}

/* ---- the check ---- */

static uint64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* "8 / 1024", sectors: the first one; 0 for "none", "delayed" and what makes no sense. */
static uint64_t completed_sect(const struct pme_os *os, const char *name)
{
	_cleanup_free_ char *text = NULL;
	uint64_t sect = 0;
	const char *blank;

	if (attr(os, name, "sync_completed", &text) < 0)
		return 0;
	blank = strchr(text, ' ');
	if (!blank || pme_parse_u64(text, (size_t)(blank - text), &sect) < 0)
		return 0;
	return sect;
}

/* Until md has come to the end of the window, or does not check any more. */
static int wait_for_it(struct pme_rewrite_run *run, const struct limits *limits)
{
	const char *name = run->rewrite->layer->name;
	uint64_t deadline = now_msec() + DEADLINE_MSEC +
			    (limits->end_sect - limits->start_sect) / SECT_PER_MIB * 1000;

	for (;;) {
		if (!pme_md_attr_is(run->os, name, "sync_action", "check"))
			return 0;
		if (!limits->to_end && completed_sect(run->os, name) >= limits->end_sect)
			return 0;
		if (pme_rewrite_pause(run, POLL_MSEC) < 0)
			return pme_rewrite_fail(run, -EINTR, "interrupted: the check was stopped");
		if (now_msec() > deadline)
			return pme_rewrite_fail(run, -ETIMEDOUT,
						"md did not come to the end of it in time, and was "
						"stopped");
	}
}

/* Our own check, or one that we left behind. */
static int stop(struct pme_rewrite_run *run)
{
	const char *name = run->rewrite->layer->name;
	uint64_t deadline = now_msec() + STOP_MSEC;
	int r = 0;

	if (pme_md_attr_is(run->os, name, "sync_action", "check"))
		r = set_attr(run->os, name, "sync_action", "idle");
	while (r == 0 && pme_md_attr_is(run->os, name, "sync_action", "check")) {
		pme_rewrite_pause(run, POLL_MSEC);
		if (now_msec() > deadline)
			r = -ETIMEDOUT;
	}
	return r;
}

/* What md does not let be changed, because it synchronizes by now, may be as it was. */
static bool are_back(const struct pme_os *os, const char *name, const struct limits *limits)
{
	return pme_md_attr_is(os, name, "sync_min", limits->min) &&
	       pme_md_attr_is(os, name, "sync_max", limits->max);
}

static int set_back(struct pme_rewrite_run *run, const struct limits *limits)
{
	const char *name = run->rewrite->layer->name;
	uint64_t deadline = now_msec() + BACK_MSEC;
	int r = set_limits(run->os, name, limits->min, limits->max);

	/* a check that has just ended may hold them a moment longer */
	while (r == -EBUSY && now_msec() < deadline) {
		pme_rewrite_pause(run, POLL_MSEC);
		r = set_limits(run->os, name, limits->min, limits->max);
	}
	if (r == 0 || are_back(run->os, name, limits))
		return 0;
	pme_log_add(run->log, PME_ERROR, name,
		    "sync_min and sync_max cannot be set back to '%s' and '%s': %s", limits->min,
		    limits->max, strerror(-r));
	return pme_rewrite_fail(run, r, "its limits cannot be set back: %s", strerror(-r));
}

/* One check, begun and ended. */
static int check_part(struct pme_rewrite_run *run, const struct limits *limits)
{
	_cleanup_free_ char *min = pme_printf("%" PRIu64, limits->start_sect);
	_cleanup_free_ char *max =
		limits->to_end ? strdup("max") : pme_printf("%" PRIu64, limits->end_sect);
	const char *name = run->rewrite->layer->name;
	int r = min && max ? set_limits(run->os, name, min, max) : -ENOMEM, stopped;

	if (r == 0)
		r = set_attr(run->os, name, "sync_action", "check");
	/* what runs when ours does not begin is somebody else's */
	if (r < 0)
		return pme_rewrite_fail(run, r, "md does not begin the check: %s", strerror(-r));
	r = wait_for_it(run, limits);
	stopped = stop(run);
	if (stopped < 0)
		pme_rewrite_fail(run, stopped, "the check cannot be stopped: %s",
				 strerror(-stopped));
	return r < 0 ? r : stopped;
}

/*
 * A busy cache grows beyond the size that is told (raid5.c: R5_ALLOC_MORE), perhaps by all that is
 * read.  To be told its own size makes it give back the oldest of what is more
 * (raid5_set_cache_size).
 */
static void trim_stripe_cache(const struct pme_os *os, const char *name)
{
	_cleanup_free_ char *text = NULL;

	if (attr(os, name, "stripe_cache_size", &text) == 0)
		set_attr(os, name, "stripe_cache_size", text);
}

static int check(struct pme_rewrite_run *run, const struct limits *limits)
{
	const struct limits first = first_of(limits);
	int r = pme_rewrite_note(run, "check"), back;

	if (r < 0)
		return r;
	if (limits->before.length > 0) {
		r = check_part(run, &first);
		trim_stripe_cache(run->os, run->rewrite->layer->name);
	}
	if (r == 0)
		r = check_part(run, limits);
	back = set_back(run, limits);
	return r < 0 ? r : back;
}

/* ---- all of it ---- */

static void read_mismatches(struct pme_rewrite_run *run)
{
	uint64_t sect;

	if (pme_os_read_u64(run->os, &sect, "sys/block/%s/md/mismatch_cnt",
			    run->rewrite->layer->name) == 0 &&
	    sect < PME_UNKNOWN / PME_SECTOR)
		run->rewrite->mismatches = sect * PME_SECTOR;
}

static struct json_object *about(const struct pme_rewrite *rewrite, const struct limits *limits)
{
	struct json_object *object = pme_json_object(), *layer = pme_json_object();

	pme_json_text(layer, "name", rewrite->layer->name);
	pme_json_text(layer, "uuid", rewrite->layer->uuid);
	pme_json_text(layer, "sync_min", limits->min);
	pme_json_text(layer, "sync_max", limits->max);
	pme_json_number(layer, "start_sect", limits->start_sect);
	if (limits->to_end)
		pme_json_set(layer, "end_sect", NULL);
	else
		pme_json_number(layer, "end_sect", limits->end_sect);
	pme_json_number(layer, "first_start_sect", limits->before.start / PME_SECTOR);
	pme_json_number(layer, "first_end_sect", pme_range_end(limits->before) / PME_SECTOR);
	pme_json_set(object, "layer", layer);
	return object;
}

static int begin(struct pme_rewrite_run *run, const struct limits *limits)
{
	struct json_object *object = about(run->rewrite, limits);
	int r = pme_rewrite_begin(run, object);

	json_object_put(object);
	return r;
}

int pme_md_check(struct pme_rewrite_run *run, struct pme_range before, bool to_end)
{
	struct pme_rewrite *rewrite = run->rewrite;
	_cleanup_(limits_done) struct limits limits = {
		.start_sect = rewrite->window.start / PME_SECTOR,
		.end_sect = pme_range_end(rewrite->window) / PME_SECTOR,
		.to_end = to_end,
		.before = before,
	};
	int r = read_limits(run->os, rewrite->layer->name, &limits.min, &limits.max);

	if (r < 0)
		return pme_rewrite_fail(run, -EAGAIN, "its sync_min and sync_max cannot be read");
	r = begin(run, &limits);
	if (r == 0)
		r = check(run, &limits);
	read_mismatches(run);
	return r;
}

/* ---- after a crash ---- */

static const struct pme_dev *find_array(const struct pme_topo *topo, struct json_object *layer)
{
	const char *uuid = pme_json_get_text(layer, "uuid");
	const char *name = pme_json_get_text(layer, "name");

	for (size_t i = 0; i < topo->n_devs; i++) {
		const struct pme_dev *dev = topo->devs[i];

		if (dev->kind != PME_DEV_MD)
			continue;
		if (*uuid ? dev->uuid && strcmp(dev->uuid, uuid) == 0
			  : strcmp(dev->name, name) == 0)
			return dev;
	}
	return NULL;
}

static int restore(const struct pme_topo *topo, const struct pme_dev *array, const char *min,
		   const char *max)
{
	struct pme_log quiet = {0};
	struct pme_rewrite rewrite = {.layer = array};
	struct pme_rewrite_run run = {
		.os = topo->os, .topo = topo, .log = &quiet, .rewrite = &rewrite};
	const struct limits limits = {.min = (char *)min, .max = (char *)max};
	int r = stop(&run);

	if (r == 0)
		r = set_back(&run, &limits);
	free(rewrite.error);
	pme_log_done(&quiet);
	return r;
}

/* Is the limit @text the one that the journal has as @key? */
static bool is_limit_of(const char *text, struct json_object *layer, const char *key)
{
	struct json_object *value = pme_json_get(layer, key);
	uint64_t number;

	return value && pme_parse_u64(text, strlen(text), &number) == 0 && number > 0 &&
	       number == json_object_get_uint64(value);
}

/* Killed between two limits, only one of them is ours. */
static bool is_ours(const char *min, const char *max, struct json_object *layer)
{
	return is_limit_of(max, layer, "end_sect") || is_limit_of(min, layer, "start_sect") ||
	       is_limit_of(max, layer, "first_end_sect") ||
	       is_limit_of(min, layer, "first_start_sect");
}

int pme_md_resume(const struct pme_topo *topo, struct json_object *layer, char **ret_text)
{
	const char *min = pme_json_get_text(layer, "sync_min");
	const char *max = pme_json_get_text(layer, "sync_max");
	_cleanup_free_ char *now_min = NULL, *now_max = NULL;
	const struct pme_dev *array = find_array(topo, layer);
	bool ours;
	int r;

	if (!*pme_json_get_text(layer, "name") || !is_limit(min) || !is_limit(max))
		return -EUCLEAN;
	if (!array) {
		*ret_text = strdup("its array is not there, and where it is assembled again, its "
				   "limits are new");
		return *ret_text ? 0 : -ENOMEM;
	}
	r = read_limits(topo->os, array->name, &now_min, &now_max);
	ours = r == 0 && is_ours(now_min, now_max, layer);
	if (ours)
		r = restore(topo, array, min, max);
	if (r < 0)
		return r;
	*ret_text = pme_printf(ours ? "the check of %s was stopped, and sync_min and sync_max are "
				      "as they were"
				    : "%s has none of the limits that were set: nothing had to be "
				      "set back",
			       array->name);
	return *ret_text ? 0 : -ENOMEM;
}
