/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work beside other work of a scan; see scan-aside.h.
 *
 * The surprise: libdevmapper must not be asked by two threads at a time, and who looks what a file
 * is may ask it.  So where there are such devices they are not read again beside that.
 */
#include "scan-aside.h"

#include "crew.h"
#include "topo-overlay.h"
#include "topo-same.h"

struct pme_scan_aside {
	struct pme_aside aside;
	const struct pme_os *os;
	struct pme_overlays *overlays; /* or */
	struct pme_topo *now;	       /* partial */
	int error;
};

/* Without memory it is not begun. */
static struct pme_scan_aside *begin(const struct pme_os *os, void (*work)(void *arg))
{
	struct pme_scan_aside *own = calloc(1, sizeof(*own));

	if (!own)
		return NULL;
	own->os = os;
	own->aside = (struct pme_aside){.work = work, .arg = own};
	pme_aside_begin(&own->aside);
	return own;
}

/* ---- overlay mounts ---- */

static void load_overlays(void *arg)
{
	struct pme_scan_aside *own = arg;

	own->error = pme_overlays_load(own->os, &own->overlays);
}

void pme_scan_overlays_begin(const struct pme_os *os, struct pme_scan *scan)
{
	scan->overlays = begin(os, load_overlays);
}

/* 1 and *@ret, which is for the caller to free, or NULL; 0 they were not begun with; -errno. */
static int end_overlays(struct pme_scan *scan, struct pme_overlays **ret)
{
	_cleanup_free_ struct pme_scan_aside *own = pme_take_ptr(scan->overlays);

	if (!own)
		return 0;
	pme_aside_end(&own->aside);
	*ret = own->overlays;
	return own->error < 0 ? own->error : 1;
}

int pme_scan_overlays_end(struct pme_scan *scan)
{
	int r = end_overlays(scan, &scan->topo->overlays);

	if (r == 0)
		return pme_topo_load_overlays(scan->topo);
	scan->topo->overlays_looked = true;
	return r < 0 ? r : 0;
}

/* ---- devices ---- */

static void load_now(void *arg)
{
	_cleanup_(pme_log_done) struct pme_log quiet = {0};
	struct pme_scan_aside *own = arg;

	own->error = pme_topo_load_again(own->os, &quiet, &own->now);
}

static bool may_be_read_aside(const struct pme_topo *topo)
{
	for (size_t i = 0; i < topo->n_devs; i++)
		if (topo->devs[i]->kind == PME_DEV_DM)
			return false;
	return true;
}

void pme_scan_again_begin(struct pme_scan *scan)
{
	if (scan->findings.n_fs > 0 && may_be_read_aside(scan->topo))
		scan->again = begin(scan->topo->os, load_now);
}

/* As end_overlays(). */
static int end_again(struct pme_scan *scan, struct pme_topo **ret)
{
	_cleanup_free_ struct pme_scan_aside *own = pme_take_ptr(scan->again);

	if (!own)
		return 0;
	pme_aside_end(&own->aside);
	*ret = own->now;
	return own->error < 0 ? own->error : 1;
}

/* Every device on the way of a claim, once. */
static int devs_on_ways(const struct pme_scan *scan, struct pme_dev_list *ret)
{
	int r = 0;

	for (size_t i = 0; i < scan->findings.count; i++) {
		const struct pme_finding *finding = &scan->findings.items[i];

		for (size_t c = 0; c < finding->n_claims; c++) {
			const struct pme_claim *claim = &finding->claims[c];

			for (size_t h = 0; r == 0 && h < claim->n_hops; h++)
				r = pme_dev_list_add(ret, claim->hops[h].dev);
		}
	}
	return r;
}

static const struct pme_dev *changed_dev(const struct pme_scan *scan,
					 const struct pme_dev_list *devs,
					 const struct pme_topo *now)
{
	for (size_t i = 0; i < devs->count; i++)
		if (!pme_dev_same(scan->topo, devs->items[i], now))
			return devs->items[i];
	return NULL;
}

static bool are_same_in_part(const struct pme_dev_list *devs)
{
	for (size_t i = 0; i < devs->count; i++)
		if (!pme_dev_same_in_part(devs->items[i]))
			return false;
	return true;
}

/* What is needed of a second snapshot to compare these devices. */
static int load_again(struct pme_scan *scan, const struct pme_dev_list *devs, struct pme_topo **ret)
{
	_cleanup_(pme_log_done) struct pme_log quiet = {0};
	const struct pme_os *os = scan->topo->os;
	int r;

	if (!are_same_in_part(devs))
		return pme_topo_load(os, &quiet, ret);
	r = end_again(scan, ret);
	return r != 0 ? r : pme_topo_load_again(os, &quiet, ret);
}

int pme_scan_has_changed(struct pme_scan *scan, struct pme_log *log)
{
	_cleanup_(pme_dev_list_done) struct pme_dev_list devs = {0};
	const struct pme_dev *dev;
	struct pme_topo *now = NULL;
	int r = devs_on_ways(scan, &devs);

	if (r < 0 || devs.count == 0)
		return r;
	r = load_again(scan, &devs, &now);
	if (r < 0)
		return r;
	dev = changed_dev(scan, &devs, now);
	if (dev)
		pme_log_incomplete(log, pme_dev_label(dev),
				   "it, or what it stands on, changed while it was looked at, %d "
				   "times in a row",
				   PME_SCAN_ATTEMPTS);
	pme_topo_free(now);
	return dev != NULL;
}

void pme_scan_aside_done(struct pme_scan *scan)
{
	struct pme_overlays *overlays = NULL;
	struct pme_topo *now = NULL;

	end_overlays(scan, &overlays);
	end_again(scan, &now);
	pme_overlays_free(overlays);
	pme_topo_free(now);
}
