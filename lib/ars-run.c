/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scrubs of the buses that selectors mean; see ars-run.h.
 *
 * The surprise: errors that a scrub finds show in the lists range by range while it runs, so that
 * what is "new" begins when the wait did, not when the scrub did.
 */
#include "ars-run.h"

#include <string.h>
#include <time.h>

#include "doc.h"
#include "select.h"

static uint64_t now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- which --- */

static struct pme_ars_bus *bus_named(struct pme_ars_run *run, const struct pme_region *region)
{
	for (size_t i = 0; i < run->count; i++)
		if (strcmp(run->buses[i].name, region->bus) == 0)
			return &run->buses[i];
	if (pme_grow(&run->buses, &run->alloc, run->count, sizeof(*run->buses)) < 0)
		return NULL;
	run->buses[run->count] = (struct pme_ars_bus){
		.name = region->bus,
		.provider = region->provider,
	};
	return &run->buses[run->count++];
}

/* A scrub is of the whole bus, so all its regions are looked at, whatever was selected. */
static int add_regions(struct pme_ars_run *run, struct pme_ars_bus *bus)
{
	for (size_t i = 0; i < run->topo->n_regions; i++) {
		const struct pme_region *region = run->topo->regions[i];
		int r;

		if (strcmp(region->bus, bus->name) != 0)
			continue;
		r = pme_grow(&bus->regions, &bus->alloc, bus->n_regions, sizeof(*bus->regions));
		if (r < 0)
			return r;
		bus->regions[bus->n_regions++] = (struct pme_ars_region){.region = region};
	}
	return 0;
}

static int find_buses(const struct pme_ars_args *args, struct pme_log *log, struct pme_ars_run *run)
{
	_cleanup_(pme_selection_done) struct pme_selection selection = {0};
	int r = pme_select(run->topo, args->selectors, args->n_selectors, log, &selection);

	for (size_t i = 0; r == 0 && i < selection.bases.count; i++) {
		const struct pme_region *region = pme_dev_region(selection.bases.items[i]);

		if (region && !bus_named(run, region))
			r = -ENOMEM;
		if (!region)
			pme_log_add(log, PME_ERROR, selection.bases.items[i]->name,
				    "is on no bus of persistent memory");
	}
	for (size_t i = 0; r == 0 && i < run->count; i++)
		r = add_regions(run, &run->buses[i]);
	return r;
}

/* --- lists --- */

int pme_ars_new(const struct pme_range_list *before, const struct pme_range_list *after,
		struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < after->count; i++)
		r = pme_range_list_subtract(after->items[i], before, ret);
	return r;
}

/* True when it is all that there is. */
static bool read_list(const struct pme_topo *topo, const struct pme_region *region,
		      struct pme_range_list *ret)
{
	_cleanup_free_ char *path = pme_printf("sys/bus/nd/devices/%s/badblocks", region->name);
	struct pme_badblocks list = {0};
	size_t line;
	bool whole;

	if (!path || pme_badblocks_read(topo->os, path, &list, &line) < 0)
		return false;
	whole = list.state == PME_BB_COMPLETE;
	*ret = list.ranges;
	list.ranges = (struct pme_range_list){0};
	pme_badblocks_done(&list);
	return whole;
}

static void read_lists(const struct pme_topo *topo, struct pme_ars_bus *bus, bool after,
		       struct pme_log *log)
{
	for (size_t i = 0; i < bus->n_regions; i++) {
		struct pme_ars_region *region = &bus->regions[i];
		bool whole =
			read_list(topo, region->region, after ? &region->after : &region->before);

		region->whole = whole && (region->whole || !after);
		if (after && !region->whole)
			pme_log_incomplete(log, region->region->name,
					   "its list of bad blocks is not whole, or could not be "
					   "read: what is new in it is not known");
	}
}

bool pme_ars_found(const struct pme_ars_run *run)
{
	for (size_t b = 0; b < run->count; b++)
		for (size_t i = 0; i < run->buses[b].n_regions; i++) {
			const struct pme_ars_region *region = &run->buses[b].regions[i];
			_cleanup_(pme_range_list_done) struct pme_range_list new = {0};

			if (region->whole &&
			    pme_ars_new(&region->before, &region->after, &new) == 0 &&
			    new.count > 0)
				return true;
		}
	return false;
}

/* --- doing --- */

static void wait_for(const struct pme_ars_args *args, struct pme_ars_run *run,
		     struct pme_ars_bus *bus, uint64_t begun, struct pme_log *log)
{
	pme_progress_about(log->progress, bus->name);
	pme_progress_phase(log->progress, PME_PHASE_SCRUB, PME_UNIT_SCRUBS, 0);
	do {
		uint64_t waited = now_msec() - begun;
		uint64_t left = args->deadline > waited ? args->deadline - waited : 0;

		bus->error = pme_ars_wait(run->topo, bus->name, left, &bus->now);
		if (bus->error != -ETIME || left == 0)
			return;
		pme_progress_at(log->progress, bus->now.count); /* it ends by @left */
	} while (true);
}

static void say(const struct pme_ars_bus *bus, enum pme_ars_action action, struct pme_log *log)
{
	if (bus->error == -EOPNOTSUPP && action == PME_ARS_STATUS)
		return; /* it is what was asked */
	if (bus->error == -EOPNOTSUPP)
		pme_log_add(log, PME_ERROR, bus->name,
			    "%s cannot scrub: it has no commands for that", bus->provider);
	else if (bus->error == -EBUSY)
		pme_log_add(log, PME_ERROR, bus->name,
			    "a scrub runs already: no other was started");
	else if (bus->error == -ETIME)
		pme_log_add(log, PME_ERROR, bus->name, "its scrub runs still: the time is over");
	else if (bus->error < 0)
		pme_log_add(log, PME_ERROR, bus->name, "cannot %s: %s",
			    action == PME_ARS_START ? "start a scrub" : "ask for its scrub",
			    strerror(-bus->error));
}

static void do_bus(const struct pme_ars_args *args, struct pme_ars_run *run,
		   struct pme_ars_bus *bus, uint64_t begun, struct pme_log *log)
{
	int r;

	bus->error = pme_ars_look(run->topo, bus->name, &bus->now);
	if (bus->error == 0 && args->action == PME_ARS_WAIT) {
		wait_for(args, run, bus, begun, log);
		if (bus->error == 0)
			read_lists(run->topo, bus, true, log);
	} else if (bus->error == 0 && args->action == PME_ARS_START && bus->now.busy) {
		bus->error = -EBUSY; /* the kernel would queue another one behind it */
	} else if (bus->error == 0 && args->action == PME_ARS_START) {
		bus->error = pme_ars_start(run->topo, bus->name);
		r = pme_ars_look(run->topo, bus->name, &bus->now);
		if (bus->error == 0)
			bus->error = r;
	}
	say(bus, args->action, log);
}

int pme_ars_do(const struct pme_os *os, const struct pme_ars_args *args, struct pme_log *log,
	       struct pme_ars_run *ret)
{
	uint64_t begun = now_msec();
	int r = pme_topo_load(os, log, &ret->topo);

	ret->action = args->action;
	if (r == 0)
		r = find_buses(args, log, ret);
	if (r < 0)
		return r;
	if (ret->count == 0 && args->action != PME_ARS_STATUS)
		pme_log_add(log, PME_ERROR, "pmemctl", "there is no bus that could scrub");
	/* all of them, before any waiting */
	for (size_t i = 0; i < ret->count && args->action == PME_ARS_WAIT; i++)
		read_lists(ret->topo, &ret->buses[i], false, log);
	for (size_t i = 0; i < ret->count; i++)
		do_bus(args, ret, &ret->buses[i], begun, log);
	return 0;
}

void pme_ars_run_done(struct pme_ars_run *run)
{
	for (size_t b = 0; b < run->count; b++) {
		for (size_t i = 0; i < run->buses[b].n_regions; i++) {
			pme_range_list_done(&run->buses[b].regions[i].before);
			pme_range_list_done(&run->buses[b].regions[i].after);
		}
		free(run->buses[b].regions);
	}
	free(run->buses);
	pme_topo_free(run->topo);
	*run = (struct pme_ars_run){0};
}

/* --- the document --- */

static struct json_object *new_json(const struct pme_ars_bus *bus)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < bus->n_regions; i++) {
		const struct pme_ars_region *region = &bus->regions[i];
		_cleanup_(pme_range_list_done) struct pme_range_list new = {0};
		struct json_object *object = pme_json_object();

		if (region->whole && pme_ars_new(&region->before, &region->after, &new) < 0)
			pme_json_lose();
		pme_json_text(object, "region", region->region->name);
		pme_json_bool(object, "complete", region->whole);
		pme_json_set(object, "ranges", pme_json_ranges(&new));
		pme_json_append(array, object);
	}
	return array;
}

static void answer_json(struct json_object *object, const char *key, bool asked, bool answer)
{
	if (asked)
		pme_json_bool(object, key, answer);
	else
		pme_json_set(object, key, NULL);
}

static const char *reason_of(const struct pme_ars_bus *bus)
{
	if (bus->error == -EOPNOTSUPP)
		return "its firmware has no commands for scrubs";
	if (bus->error == -EBUSY)
		return "a scrub runs already";
	if (bus->error == -ETIME)
		return "it runs still";
	return bus->error < 0 ? strerror(-bus->error) : NULL;
}

static struct json_object *bus_json(const struct pme_ars_run *run, const struct pme_ars_bus *bus)
{
	struct json_object *object = pme_json_object(), *regions = pme_json_array();
	bool known = bus->error == 0 || bus->error == -EBUSY || bus->error == -ETIME;
	bool is_wait = run->action == PME_ARS_WAIT;

	for (size_t i = 0; i < bus->n_regions; i++)
		pme_json_append(regions, pme_json_lossy(bus->regions[i].region->name));
	pme_json_text(object, "bus", bus->name);
	pme_json_text(object, "provider", bus->provider);
	pme_json_set(object, "regions", regions);
	answer_json(object, "supported", known || bus->error == -EOPNOTSUPP, known);
	pme_json_text(object, "state", !known ? NULL : bus->now.busy ? "active" : "idle");
	pme_json_number(object, "count", known ? bus->now.count : PME_UNKNOWN);
	answer_json(object, "started", run->action == PME_ARS_START, bus->error == 0);
	answer_json(object, "finished", is_wait && known, bus->error == 0);
	pme_json_text(object, "reason", reason_of(bus));
	pme_json_set(object, "new", is_wait && bus->error == 0 ? new_json(bus) : NULL);
	return object;
}

void pme_ars_json(const struct pme_ars_run *run, struct json_object *doc)
{
	struct json_object *array = pme_json_array();

	for (size_t i = 0; i < run->count; i++)
		pme_json_append(array, bus_json(run, &run->buses[i]));
	pme_json_set(doc, "buses", array);
}
