/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One look at the machine, and all rows; see doctor.h.
 */
#include "doctor.h"

static int look(struct pme_doctor *d)
{
	static int (*const parts[])(struct pme_doctor * d) = {
		pme_doctor_kernel,	pme_doctor_devices, pme_doctor_filesystems,
		pme_doctor_protections, pme_doctor_store,   pme_doctor_configuration,
	};
	struct pme_watch_facts watch;
	int r = pme_watch_look(d->topo->os, d->now, &watch);

	if (r < 0)
		return r;
	watch.applies = d->topo->n_regions > 0;
	d->watch = watch.life == PME_WATCH_RUNS ? watch.doc : NULL;
	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(parts); i++)
		r = parts[i](d);
	if (r == 0)
		pme_judge_watch(&watch, d->checks);
	d->watch = NULL;
	json_object_put(watch.doc);
	return r < 0 ? r : d->checks->error;
}

int pme_doctor_run(const struct pme_os *os, char *const *selectors, size_t n_selectors,
		   const char *store, struct pme_log *log, struct pme_checks *ret)
{
	_cleanup_(pme_protections_done) struct pme_protections protections = {0};
	_cleanup_(pme_selection_done) struct pme_selection selection = {0};
	struct pme_topo *topo = NULL;
	struct pme_doctor d = {
		.selection = &selection,
		.everything = n_selectors == 0,
		.is_root = geteuid() == 0,
		.now = pme_protect_now(),
		.store = store,
		.checks = ret,
	};
	int r = pme_topo_load(os, log, &topo);

	if (r == 0)
		r = pme_select(topo, selectors, n_selectors, log, &selection);
	if (r == 0) {
		r = pme_protections_load(os, log, &protections);
		d.protections = r == 0 ? &protections : NULL;
		if (r < 0 && r != -ENOMEM) {
			pme_protections_error(log, PME_WARNING, r);
			log->incomplete = true;
			r = 0;
		}
	}
	d.topo = topo;
	if (r == 0)
		r = look(&d);
	pme_topo_free(topo);
	return r;
}
