/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sources, one after the other; see source.h.
 *
 * One that is not available is tried again whenever devices come or the configuration changes.
 */
#include "source.h"

#include <string.h>

struct pmed_sources {
	struct pmed_source *items;
	size_t count;
};

static const struct pmed_source_kind *const kinds[] = {
	&pmed_source_badblocks, &pmed_source_written, &pmed_source_reread,
	&pmed_source_uevents,	&pmed_source_mounts,  &pmed_source_arrays,
	&pmed_source_scrub,	&pmed_source_health,  &pmed_source_traces,
};

/* Says what has changed: it began to hear, or why it does not. */
static void start(struct pmed_source *source)
{
	_cleanup_free_ char *before = pme_take_ptr(source->reason);
	int r = source->kind->start(source, &source->reason);

	source->available = r >= 0;
	if (source->available) {
		if (before)
			pmed_log(PME_EVENT_INFO, "source %s: available now", source->kind->name);
		return;
	}
	if (!source->reason)
		source->reason = strdup(strerror(-r));
	if (!before || !source->reason || strcmp(before, source->reason) != 0)
		pmed_log(PME_EVENT_INFO, "source %s: not available: %s", source->kind->name,
			 source->reason ? source->reason : strerror(-r));
}

int pmed_sources_start(struct pmed *d)
{
	struct pmed_sources *sources = calloc(1, sizeof(*sources));

	if (!sources)
		return -ENOMEM;
	sources->items = calloc(PME_ARRAY_SIZE(kinds), sizeof(*sources->items));
	if (!sources->items) {
		free(sources);
		return -ENOMEM;
	}
	d->sources = sources;
	sources->count = PME_ARRAY_SIZE(kinds);
	for (size_t i = 0; i < sources->count; i++) {
		sources->items[i].kind = kinds[i];
		sources->items[i].daemon = d;
	}
	for (size_t i = 0; i < sources->count; i++)
		start(&sources->items[i]);
	return 0;
}

void pmed_sources_again(struct pmed *d)
{
	if (!d->sources)
		return;
	for (size_t i = 0; i < d->sources->count; i++) {
		struct pmed_source *source = &d->sources->items[i];

		if (!source->available)
			start(source);
		else if (source->kind->again)
			source->kind->again(source);
	}
}

void pmed_sources_stop(struct pmed *d)
{
	struct pmed_sources *sources = pme_take_ptr(d->sources);

	for (size_t i = 0; sources && i < sources->count; i++) {
		struct pmed_source *source = &sources->items[i];

		if (source->available)
			source->kind->stop(source);
		free(source->reason);
	}
	if (sources)
		free(sources->items);
	free(sources);
}

void pmed_sources_json(const struct pmed *d, struct json_object *doc)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; d->sources && i < d->sources->count; i++) {
		const struct pmed_source *source = &d->sources->items[i];
		struct json_object *object = pme_json_object();

		pme_json_text(object, "name", source->kind->name);
		pme_json_text(object, "about", source->kind->about);
		pme_json_bool(object, "available", source->available);
		pme_json_text(object, "reason", source->reason);
		pme_json_number(object, "heard", source->heard);
		pme_json_number(object, "overrun", source->overrun);
		pme_json_append(array, object);
	}
	pme_json_set(doc, "sources", array);
}

void pmed_source_hint(struct pmed_source *source, enum pmed_hint what, const char *name)
{
	if (source->daemon->jobs) /* before, everything is due anyway */
		source->heard++;
	pmed_hint(source->daemon, what, name);
}
