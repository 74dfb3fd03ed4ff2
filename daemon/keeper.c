/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper: changes become text, and a thread puts them into the store; see keeper.h.
 *
 * One item is on its way at a time, and what comes meanwhile waits as text, so that a storm becomes
 * a few large transactions.  What cannot be written waits, too; when it is too much, it is thrown
 * away, and the whole state is written anew as soon as that works again: the store may lose what
 * happened in between, never what is.
 */
#include "keeper.h"

#include <string.h>

#include "keeper-work.h"
#include "lane.h"
#include "state.h"

/* What may wait: some ten thousand events. */
#define PENDING_MAX (8U << 20)
#define PENDING_SPARE (64U << 10) /* room that is kept for the next ones */
#define USEC_PER_MS 1000ULL
#define RETRY_FIRST (1000 * USEC_PER_MS)
#define RETRY_MOST (300000 * USEC_PER_MS)
#define EXPIRE_EVERY (3600000 * USEC_PER_MS)
#define STOP_MS 5000

struct pmed_keeper {
	struct pmed *d;
	struct pmed_lane *lane;
	struct pmed_keeper_file *file;
	char *pending;
	size_t len, alloc;
	bool behind;  /* something was thrown away: the whole state is due */
	bool busy;    /* an item is in the lane */
	bool damaged; /* the file is to be replaced */
	bool expire;  /* is due */
	bool no_more; /* the daemon ends */
	bool unread;  /* the store may have rows that the state never got, until the next start */
	sd_event_source *retry, *expiry, *announce;
	uint64_t delay;
	char *reason; /* why it does not work; NULL: it does */
	char *moved;  /* to be announced */
	uint64_t kept, failures, fell_behind, replaced;
	int64_t last_kept;
};

static void kick(struct pmed_keeper *keeper);

static void set_reason(struct pmed_keeper *keeper, int r, const char *why)
{
	if (!keeper->reason)
		pmed_log(PME_EVENT_ERROR,
			 "store %s: cannot be written: %s; the watch goes on without it",
			 keeper->file->path, why ? why : strerror(-r));
	free(keeper->reason);
	keeper->reason = strdup(why ? why : strerror(-r));
}

static void clear_reason(struct pmed_keeper *keeper)
{
	if (keeper->reason)
		pmed_log(PME_EVENT_NOTICE, "store %s: works again", keeper->file->path);
	free(pme_take_ptr(keeper->reason));
	keeper->delay = 0;
}

static void fall_behind(struct pmed_keeper *keeper)
{
	keeper->fell_behind += keeper->len > 0 || !keeper->behind;
	keeper->behind = true;
	keeper->len = 0;
}

/* Behind what waits, or before it. */
static void add_pending(struct pmed_keeper *keeper, const char *text, bool before)
{
	size_t len = strlen(text), comma = keeper->len > 0;
	size_t total = keeper->len + len + comma;

	if (len == 0)
		return;
	if (total > PENDING_MAX) {
		fall_behind(keeper);
		return;
	}
	if (total + 1 > keeper->alloc) {
		size_t alloc = total + 1 + total / 2;
		char *grown = realloc(keeper->pending, alloc);

		if (!grown) {
			fall_behind(keeper);
			return;
		}
		keeper->pending = grown;
		keeper->alloc = alloc;
	}
	if (before) {
		memmove(keeper->pending + len + comma, keeper->pending, keeper->len);
		memcpy(keeper->pending, text, len);
	} else {
		memcpy(keeper->pending + keeper->len + comma, text, len);
	}
	if (comma)
		keeper->pending[before ? len : keeper->len] = ',';
	keeper->len = total;
	keeper->pending[keeper->len] = '\0';
}

static int retry(sd_event_source *source, uint64_t usec, void *data)
{
	struct pmed_keeper *keeper = data;

	(void)source;
	(void)usec;
	keeper->retry = sd_event_source_unref(keeper->retry);
	kick(keeper);
	return 0;
}

static void wait_for_retry(struct pmed_keeper *keeper)
{
	keeper->delay = keeper->delay ? pme_min(2 * keeper->delay, RETRY_MOST) : RETRY_FIRST;
	if (keeper->retry || keeper->no_more)
		return;
	if (sd_event_add_time_relative(keeper->d->loop, &keeper->retry, CLOCK_BOOTTIME,
				       keeper->delay, 0, retry, keeper) < 0)
		keeper->retry = NULL; /* the next change tries again */
}

static const char *what_was(const char *moved)
{
	return pme_store_was_newer(moved) ? "written by a newer pmemctl" : "damaged";
}

static int announce(sd_event_source *source, void *data)
{
	struct pmed_keeper *keeper = data;
	_cleanup_free_ char *moved = pme_take_ptr(keeper->moved), *text = NULL;
	struct json_object *event;
	bool newer;

	(void)source;
	keeper->announce = sd_event_source_unref(keeper->announce);
	if (!moved)
		return 0;
	newer = pme_store_was_newer(moved);
	text = pme_printf("the store %s was %s and is moved aside", keeper->file->path,
			  what_was(moved));
	event = pme_event_new(pmed_event_id(keeper->d), PME_EVENT_STORE_REPLACED, PME_EVENT_ERROR,
			      text ? text : "the store is moved aside");
	pme_json_text(event, "advice",
		      newer ? "the history up to now is in the file that was moved aside, which "
			      "the newer pmemctl can read"
			    : "the history up to now is in the file that was moved aside; look at "
			      "the disk that it is on");
	pme_json_text(pme_json_get(event, "detail"), "moved_to", moved);
	pmed_tell(keeper->d, event);
	return 0;
}

/* Later, because events may come back to us, and at the start nobody is there to hear it. */
static void note_moved(struct pmed_keeper *keeper, char *moved)
{
	if (!moved)
		return;
	pmed_log(PME_EVENT_ERROR, "store %s: was %s; moved to %s", keeper->file->path,
		 what_was(moved), moved);
	keeper->replaced++;
	free(keeper->moved);
	keeper->moved = moved;
	if (!keeper->announce &&
	    sd_event_add_defer(keeper->d->loop, &keeper->announce, announce, keeper) < 0)
		keeper->announce = NULL;
}

static void done(void *context, void *data, int result)
{
	struct pmed_keeper_file *file = context;
	struct pmed_keeper *keeper = file->keeper;
	struct pmed_keeper_item *item = data;

	keeper->busy = false;
	note_moved(keeper, pme_take_ptr(item->moved));
	if (result == 0) {
		clear_reason(keeper);
		keeper->kept += item->text || item->state;
		keeper->last_kept = item->now;
	} else {
		keeper->failures++;
		keeper->damaged = result == -EUCLEAN;
		set_reason(keeper, result, item->error);
		/* Rows that the store refuses would be refused for ever. */
		if (item->text && result != -EINVAL)
			add_pending(keeper, item->text, true);
		keeper->behind = keeper->behind || result != -EBUSY || item->state;
		keeper->expire = keeper->expire || item->expire;
		wait_for_retry(keeper);
	}
	pmed_keeper_item_free(item);
	if (result == 0)
		kick(keeper);
}

/* The whole state, as text without brackets; NULL without memory. */
static char *state_text(struct pmed_keeper *keeper)
{
	struct json_object *rows = pmed_state_rows(keeper->d->state, pmed_now());
	const char *text;
	size_t len;
	char *inner;

	/* What the state does not have is not gone by that when it never knew what there was. */
	if (keeper->unread &&
	    strcmp(pme_json_get_text(pme_json_at(rows, 0), "table"), "whole") == 0)
		json_object_array_del_idx(rows, 0, 1);
	text = json_object_to_json_string_ext(rows, JSON_C_TO_STRING_PLAIN);
	len = text ? strlen(text) : 0;
	inner = len >= 2 && *text == '[' ? strndup(text + 1, len - 2) : NULL;
	json_object_put(rows);
	return inner;
}

static struct pmed_keeper_item *make_item(struct pmed_keeper *keeper)
{
	struct pmed_keeper_item *item = calloc(1, sizeof(*item));
	const struct pme_conf *conf = &keeper->d->conf;

	if (!item)
		return NULL;
	item->now = pmed_now();
	item->before = item->now - (int64_t)pme_min(conf->store.keep, INT64_MAX / 2000) * 1000;
	item->max_events = conf->store.max_events;
	item->expire = keeper->expire;
	item->replace = keeper->damaged;
	if (keeper->len > 0)
		item->text = strndup(keeper->pending, keeper->len);
	if (keeper->behind && keeper->d->state)
		item->state = state_text(keeper);
	if ((keeper->len > 0 && !item->text) ||
	    (keeper->behind && keeper->d->state && !item->state)) {
		pmed_keeper_item_free(item);
		return NULL;
	}
	return item;
}

/* Send what waits, when nothing is on its way. */
static void kick(struct pmed_keeper *keeper)
{
	struct pmed_keeper_item *item;

	if (keeper->busy || keeper->retry || !keeper->lane ||
	    (keeper->len == 0 && !keeper->behind && !keeper->expire))
		return;
	item = make_item(keeper);
	if (!item) {
		wait_for_retry(keeper);
		return;
	}
	if (pmed_lane_put(keeper->lane, item) < 0) {
		pmed_keeper_item_free(item);
		wait_for_retry(keeper);
		return;
	}
	keeper->busy = true;
	keeper->len = 0;
	if (keeper->alloc > PENDING_SPARE) {
		free(pme_take_ptr(keeper->pending));
		keeper->alloc = 0;
	}
	keeper->behind = keeper->expire = keeper->damaged = false;
}

void pmed_keeper_keep(struct pmed *d, struct json_object *changes)
{
	struct pmed_keeper *keeper = d->keeper;

	for (size_t i = 0; keeper && i < pme_json_count(changes); i++) {
		const char *text = json_object_to_json_string_ext(pme_json_at(changes, i),
								  JSON_C_TO_STRING_PLAIN);

		if (text)
			add_pending(keeper, text, false);
		else
			fall_behind(keeper);
	}
	if (keeper && !changes)
		fall_behind(keeper);
	json_object_put(changes);
	if (keeper)
		kick(keeper);
}

void pmed_keeper_event(struct pmed *d, struct json_object *event)
{
	struct json_object *changes = pme_json_array();

	pme_json_append(changes, pme_store_change("events", json_object_get(event)));
	pmed_keeper_keep(d, changes);
}

static int expiry(sd_event_source *source, uint64_t usec, void *data)
{
	struct pmed_keeper *keeper = data;

	(void)usec;
	keeper->expire = true;
	kick(keeper);
	sd_event_source_set_time_relative(source, EXPIRE_EVERY);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* What was known; a store that cannot be opened is tried again later. */
static void open_first(struct pmed_keeper *keeper, struct json_object **ret_rows)
{
	struct pmed_keeper_file *file = keeper->file;
	char *moved = NULL;
	int r = pme_store_open(file->path, pmed_now(), &file->store, &moved);

	note_moved(keeper, moved);
	if (r == 0)
		r = pme_store_load(file->store, ret_rows);
	if (r == -EUCLEAN) { /* only now it shows */
		file->store = pme_store_close(file->store);
		moved = NULL;
		r = pme_store_replace(file->path, pmed_now(), &file->store, &moved);
		note_moved(keeper, moved);
	}
	if (r < 0) {
		set_reason(keeper, r, NULL);
		file->store = pme_store_close(file->store);
		keeper->behind = true;
		keeper->unread = true;
		keeper->failures++;
		wait_for_retry(keeper);
	}
}

static struct pmed_keeper_file *make_file(struct pmed_keeper *keeper)
{
	struct pmed_keeper_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->path = strdup(keeper->d->conf.store.path);
	if (!file->path) {
		free(file);
		return NULL;
	}
	file->keeper = keeper;
	return file;
}

int pmed_keeper_start(struct pmed *d, struct json_object **ret_rows)
{
	struct pmed_keeper *keeper = calloc(1, sizeof(*keeper));
	struct pmed_lane_args args = {
		.name = "pmed-store", .max_items = 2, .work = pmed_keeper_work, .done = done};

	*ret_rows = NULL;
	if (!keeper)
		return -ENOMEM;
	d->keeper = keeper;
	keeper->d = d;
	keeper->file = make_file(keeper);
	if (!keeper->file) {
		pmed_keeper_stop(d);
		return -ENOMEM;
	}
	open_first(keeper, ret_rows);
	args.context = keeper->file;
	if (pmed_lane_new(d->loop, &args, &keeper->lane) < 0 ||
	    sd_event_add_time_relative(d->loop, &keeper->expiry, CLOCK_BOOTTIME, 60 * RETRY_FIRST,
				       0, expiry, keeper) < 0) {
		pmed_keeper_stop(d);
		json_object_put(pme_take_ptr(*ret_rows));
		return -ENOMEM;
	}
	return 0;
}

/* The new limits count from the next time on; another path from the next start. */
void pmed_keeper_reload(struct pmed *d)
{
	struct pmed_keeper *keeper = d->keeper;

	if (!keeper)
		return;
	if (strcmp(keeper->file->path, d->conf.store.path) != 0)
		pmed_log(PME_EVENT_WARNING,
			 "store.path is another one now: it counts from the next start on");
	keeper->expire = true;
	kick(keeper);
}

/* What came while the last item was on its way: the thread has ended, so nobody else writes. */
static void write_last(struct pmed_keeper *keeper)
{
	struct pmed_keeper_item *item;

	if (keeper->reason || (keeper->len == 0 && !keeper->behind))
		return;
	item = make_item(keeper);
	if (!item)
		return;
	if (pmed_keeper_work(keeper->file, item) < 0)
		pmed_log(PME_EVENT_WARNING, "store %s: the last changes are not in it: %s",
			 keeper->file->path, item->error ? item->error : "no memory");
	pmed_keeper_item_free(item);
}

void pmed_keeper_stop(struct pmed *d)
{
	struct pmed_keeper *keeper = d->keeper;
	int r = 0;

	if (!keeper)
		return;
	keeper->no_more = true;
	keeper->retry = sd_event_source_disable_unref(keeper->retry);
	kick(keeper);
	if (keeper->lane)
		r = pmed_lane_free(keeper->lane, STOP_MS);
	keeper->lane = NULL;
	sd_event_source_disable_unref(keeper->retry);
	sd_event_source_disable_unref(keeper->expiry);
	sd_event_source_disable_unref(keeper->announce);
	if (r != -ETIMEDOUT)
		write_last(keeper);
	if (r != -ETIMEDOUT) /* else the thread has it still */
		pmed_keeper_file_free(keeper->file);
	free(keeper->pending);
	free(keeper->reason);
	free(keeper->moved);
	free(keeper);
	d->keeper = NULL;
}

void pmed_keeper_json(const struct pmed *d, struct json_object *doc)
{
	const struct pmed_keeper *keeper = d->keeper;
	struct json_object *object = pme_json_object();

	/* After a reload the configuration may name one that is not used yet. */
	pme_json_text(object, "path", keeper ? keeper->file->path : d->conf.store.path);
	pme_json_bool(object, "ok", keeper && !keeper->reason);
	pme_json_text(object, "reason", keeper ? keeper->reason : "it is not open");
	pme_json_number(object, "written", keeper ? keeper->kept : 0);
	pme_json_number(object, "failed", keeper ? keeper->failures : 0);
	pme_json_number(object, "fell_behind", keeper ? keeper->fell_behind : 0);
	pme_json_number(object, "replaced", keeper ? keeper->replaced : 0);
	pme_json_number(object, "waiting_bytes", keeper ? keeper->len : 0);
	pme_json_time(object, "last_written", keeper ? keeper->last_kept : 0);
	pme_json_set(doc, "store", object);
}
