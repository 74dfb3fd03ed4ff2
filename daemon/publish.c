/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is new goes to the store, the sinks and the watch document; see daemon.h.
 */
#include "daemon.h"
#include "keeper.h"
#include "sink.h"
#include "state.h"
#include "watch.h"

/* The store first: outcomes of sinks are rows that refer to those of the events. */
void pmed_publish(struct pmed *d, struct pmed_news *news)
{
	if (!news->changes || pme_json_count(news->changes) > 0)
		pmed_keeper_keep(d, pme_take_ptr(news->changes));
	for (size_t i = 0; i < pme_json_count(news->events); i++)
		pmed_sinks_deliver(d, pme_json_at(news->events, i));
	pmed_sinks_refresh(d);
	pmed_watch_changed(d);
}

void pmed_tell(struct pmed *d, struct json_object *event)
{
	if (!event) {
		pmed_log(PME_EVENT_ERROR, "an event was lost: no memory");
		return;
	}
	pmed_keeper_event(d, event);
	pmed_sinks_deliver(d, event);
	pmed_watch_changed(d);
	json_object_put(event);
}
