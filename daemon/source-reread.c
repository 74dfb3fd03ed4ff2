/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All lists of bad blocks, read again now and then, whatever was heard or missed.
 */
#include <string.h>

#include "lists.h"
#include "source.h"

#define USEC_PER_MSEC 1000
#define ACCURACY_USEC (1000 * USEC_PER_MSEC)

struct own {
	struct pmed_lists lists;
	sd_event_source *timer;
	bool failing;
};

static void read_one(struct pmed_source *source, struct pmed_list *list, bool hint)
{
	int r = pmed_list_read(&source->daemon->os, list, -1);

	if (r < 0) { /* it goes, or cannot be read: who looks will see which */
		r = list->sum != 0;
		list->sum = 0;
	}
	if (r > 0 && hint)
		pmed_source_hint(source, PMED_HINT_REGION, list->region);
}

static void read_all(struct pmed_source *source, bool hint)
{
	struct own *own = source->own;
	int r = pmed_lists_update(&source->daemon->os, &own->lists, NULL);

	if (r < 0 && !own->failing)
		pmed_log(PME_EVENT_WARNING, "source reread: cannot find all lists: %s",
			 strerror(-r));
	own->failing = r < 0;
	if (r != 0 && hint)
		pmed_source_hint(source, PMED_HINT_INVENTORY, NULL);
	for (size_t i = 0; i < own->lists.count; i++)
		read_one(source, own->lists.items[i], hint);
}

static int set_timer(struct pmed_source *source)
{
	struct own *own = source->own;
	uint64_t delay = source->daemon->conf.watch.reread * USEC_PER_MSEC;
	int r = sd_event_source_set_time(own->timer, pmed_clock() + delay);

	return r < 0 ? r : sd_event_source_set_enabled(own->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *timer, uint64_t usec, void *arg)
{
	read_all(arg, true);
	return set_timer(arg);
}

/* The interval may be another one. */
static void again(struct pmed_source *source)
{
	const struct own *own = source->own;
	uint64_t due, most = pmed_clock() + source->daemon->conf.watch.reread * USEC_PER_MSEC;

	if (sd_event_source_get_time(own->timer, &due) >= 0 && due > most)
		set_timer(source);
}

static void stop(struct pmed_source *source)
{
	struct own *own = source->own;

	pmed_lists_done(&own->lists, NULL);
	sd_event_source_disable_unref(own->timer);
	free(own);
}

static int start(struct pmed_source *source, char **ret_reason)
{
	struct own *own = calloc(1, sizeof(*own));
	int r;

	if (!own)
		return -ENOMEM;
	source->own = own;
	r = sd_event_add_time(source->daemon->loop, &own->timer, CLOCK_BOOTTIME, 0, ACCURACY_USEC,
			      on_timer, source);
	if (r >= 0)
		r = set_timer(source);
	if (r < 0) {
		*ret_reason = pme_printf("no timer: %s", strerror(-r));
		stop(source);
		return r;
	}
	read_all(source, false);
	return 0;
}

const struct pmed_source_kind pmed_source_reread = {
	.name = "reread",
	.about = "all bad block lists, read again at regular times",
	.start = start,
	.again = again,
	.stop = stop,
};
