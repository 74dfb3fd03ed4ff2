/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of a sink fail at: each its own, until it works again; and its row in the watch
 * document.  See sink.h.
 */
#include "sink.h"

#include <string.h>

static void drop(struct pmed_sink *sink, size_t at)
{
	free(sink->faults[at].part);
	free(sink->faults[at].why);
	sink->faults[at] = sink->faults[--sink->n_faults];
}

/* Without memory, the fault is forgotten. */
static void add(struct pmed_sink *sink, const char *part, const char *why)
{
	struct pmed_sink_fault fault = {strdup(part), strdup(why)};

	if (fault.part && fault.why &&
	    pme_grow(&sink->faults, &sink->alloc_faults, sink->n_faults, sizeof(*sink->faults)) ==
		    0) {
		sink->faults[sink->n_faults++] = fault;
		return;
	}
	free(fault.part);
	free(fault.why);
}

/* One part works or does not: *@ret is what the sink as a whole fails at now, or NULL. */
void pmed_sink_fault_set(struct pmed_sink *sink, const char *part, const char *why, char **ret)
{
	const struct pmed_sink_fault *first;

	for (size_t i = 0; i < sink->n_faults; i++)
		if (strcmp(sink->faults[i].part, part) == 0) {
			drop(sink, i);
			break;
		}
	if (why)
		add(sink, part, why);
	first = sink->n_faults > 0 ? &sink->faults[0] : NULL;
	*ret = !first	      ? NULL
	       : *first->part ? pme_printf("%s: %s", first->part, first->why)
			      : strdup(first->why);
}

void pmed_sink_faults_drop(struct pmed_sink *sink)
{
	while (sink->n_faults > 0)
		drop(sink, 0);
}

struct json_object *pmed_sink_json(const struct pmed_sink *sink)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "name", sink->kind->name);
	pme_json_bool(object, "on", sink->on);
	pme_json_set(object, "reason", sink->reason ? pme_json_lossy(sink->reason) : NULL);
	pme_json_number(object, "delivered", sink->delivered);
	pme_json_number(object, "failed", sink->failed);
	pme_json_number(object, "suppressed", sink->suppressed);
	return object;
}
