/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rewrites by MD: "check" of just the bad range; see repair-rewrite.h.
 *
 * Why "check" and not "repair" (drivers/md/raid1.c: process_checks; raid10.c: sync_request_write;
 * raid5.c: handle_parity_checks5, handle_stripe): both write a copy anew that could not be read,
 * but where copies can be read and differ "repair" takes one of them for the truth, while "check"
 * only counts.  Of raid1 and raid10 a member with one unreadable sector is overwritten for the
 * whole request, up to 64 KiB: so the window is as small as md allows, and all of it must agree
 * before.
 *
 * What raid5 has in its stripe cache it does not read again (raid5.c: need_this_block), and so does
 * not find bad: so another part, without bad blocks, is checked before, which takes its place
 * there.  md goes to sync_max and waits there (md_do_sync); it is stopped by "idle".  What else
 * makes it refused: a member with "failfast" is thrown out at its first error; after 256 errors in
 * a row raid5 throws a member out; what md has in its own list of bad blocks a check leaves alone.
 * A write that fails makes md note the block, or, without such a list, throw the member out: so
 * nothing is begun where the bus is known not to clear.
 */
#include <inttypes.h>
#include <string.h>

#include "media.h"
#include "repair-md-check.h"
#include "repair-md-legs.h"

#define PAGE 4096ULL
#define CACHE_PAGES_MAX 8192 /* of a larger cache not all can be displaced in good time */
#define LOOKS 10	     /* programs may be writing: look again that often */
#define LOOK_MSEC 100
#define PARITY_PAGES_MAX 64 /* bad pages of one member: two errors each, of 256 */

/* ---- which claims ---- */

static const struct pme_md_component *component_of(const struct pme_md *md,
						   const struct pme_dev *dev)
{
	for (size_t i = 0; i < md->n_components; i++)
		if (md->components[i].dev == dev && md->components[i].slot >= 0)
			return &md->components[i];
	return NULL;
}

static bool is_redundant(const struct pme_dev *dev)
{
	const struct pme_md_level *level = dev->kind == PME_DEV_MD && dev->md && dev->md->level
						   ? pme_md_level_of(dev->md->level)
						   : NULL;

	return level && level->redundant;
}

/* The array for which the last hop of @claim is parity. */
static const struct pme_dev *parity_array(const struct pme_claim *claim)
{
	const struct pme_dev *dev = claim->hops[claim->n_hops - 1].dev;

	for (size_t i = 0; i < dev->n_uppers; i++)
		if (is_redundant(dev->uppers[i]) && component_of(dev->uppers[i]->md, dev))
			return dev->uppers[i];
	return NULL;
}

/* @leg: the hop of the member; @above: that of the array, or NULL for parity. */
static int make_piece(const struct pme_dev *array, const struct pme_hop *leg,
		      const struct pme_hop *above, uint64_t length, struct pme_rewrite_piece *ret)
{
	const struct pme_md_component *component = component_of(array->md, leg->dev);
	struct pme_range at = {0, length};

	if (!component || leg->start < component->data_offset)
		return 0;
	at.start = leg->start - component->data_offset;
	if (strcmp(array->md->level, "raid10") == 0) {
		if (!above)
			return 0;
		at.start = above->start;
	}
	ret->how = PME_REWRITE_MD_CHECK;
	ret->layer = array;
	ret->at = at;
	ret->window = pme_rewrite_window(at, array->md->chunk);
	return 1;
}

int pme_md_piece(const struct pme_claim *claim, struct pme_rewrite_piece *ret)
{
	const struct pme_hop *hops = claim->hops;

	if (claim->certainty == PME_REDUNDANT)
		for (size_t h = 1; h < claim->n_hops; h++)
			if (is_redundant(hops[h].dev))
				return make_piece(hops[h].dev, &hops[h - 1], &hops[h],
						  claim->length, ret);
	if (claim->kind == PME_OWNER_RAID_PARITY && claim->certainty != PME_UNCERTAIN &&
	    parity_array(claim))
		return make_piece(parity_array(claim), &hops[claim->n_hops - 1], NULL,
				  claim->length, ret);
	return 0;
}

/* ---- why not ---- */

static bool is_running(const struct pme_os *os, const char *name)
{
	static const char *const states[] = {"clean", "active", "active-idle", "write-pending"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(states); i++)
		if (pme_md_attr_is(os, name, "array_state", states[i]))
			return true;
	return false;
}

static const char *why_not_array(const struct pme_os *os, const struct pme_dev *array)
{
	const struct pme_md *md = array->md;

	if (!md->metadata || strncmp(md->metadata, "external", 8) == 0)
		return "its metadata is managed by another program, which decides about its "
		       "members";
	if (md->journal_back)
		return "it has a write-back journal, which may have newer data than its members";
	if (md->reshape || !pme_md_attr_is(os, array->name, "reshape_position", "none"))
		return "it is being reshaped";
	if (!is_running(os, array->name))
		return "it is read-only or not running (array_state)";
	if (!pme_md_attr_is(os, array->name, "degraded", "0"))
		return "it is degraded: give it back its members first (mdadm --detail)";
	if (!pme_md_attr_is(os, array->name, "sync_action", "idle"))
		return "it is being synchronized, checked or rebuilt (sync_action), or frozen: "
		       "wait for that to end";
	if (!pme_md_attr_is(os, array->name, "resync_start", "none"))
		return "its copies are not known to agree (resync_start): let it resynchronize "
		       "first";
	if (strcmp(md->level, "raid6") == 0 && md->layout >= 8 && md->layout <= 10)
		return "its layout is one of DDF, in which Q is counted in another way";
	return NULL;
}

static bool state_has(const struct pme_md_component *component, const char *word)
{
	const char *at = component->state ? component->state : "";
	size_t length = strlen(word);

	for (; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == length && strncmp(at, word, length) == 0)
			return true;
	return false;
}

/* Has md any of the window in its own list of this member?  raid10: all of the member counts. */
static bool is_noted(const struct pme_md_component *component, const struct pme_rewrite *rewrite)
{
	struct pme_range place = rewrite->window;

	if (strcmp(rewrite->layer->md->level, "raid10") == 0)
		return component->bad.count > 0;
	place.start += component->data_offset;
	return pme_range_list_meets(&component->bad, place);
}

static char *why_not_member(const struct pme_md_component *component,
			    const struct pme_rewrite *rewrite)
{
	const char *label = pme_dev_label(component->dev);

	if (component->slot < 0)
		return NULL;
	if (state_has(component, "replacement"))
		return pme_printf("%s replaces another member: wait for that to end", label);
	if (!state_has(component, "in_sync") || component->vague || component->synced != UINT64_MAX)
		return pme_printf("%s is failed, or not rebuilt yet", label);
	if (state_has(component, "failfast"))
		return pme_printf("%s is marked failfast: md would throw it out at the first block "
				  "that it cannot read",
				  label);
	if (is_noted(component, rewrite))
		return pme_printf("md has blocks of %s in its own list of bad ones "
				  "(dev-%s/bad_blocks), and leaves them alone in a check",
				  label, component->dev->name);
	return NULL;
}

int pme_md_refusal(const struct pme_topo *topo, const struct pme_rewrite *rewrite, char **ret)
{
	const struct pme_md *md = rewrite->layer->md;
	const char *why = why_not_array(topo->os, rewrite->layer);
	int r = 0;

	*ret = NULL;
	if (why) {
		*ret = pme_printf("%s: %s", pme_dev_label(rewrite->layer), why);
		return *ret ? 0 : -ENOMEM;
	}
	for (size_t i = 0; !*ret && i < md->n_components; i++)
		*ret = why_not_member(&md->components[i], rewrite);
	for (size_t p = 0; r == 0 && !*ret && p < rewrite->n_pieces; p++)
		r = pme_rewrite_bus_refusal(topo, rewrite->pieces[p].claim,
					    "md would note the block, or throw the member out, "
					    "when its write fails; replace the member",
					    ret);
	return r;
}

/* ---- before and after ---- */

static int named_pages(const struct pme_rewrite *rewrite, struct pme_range_list *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rewrite->n_pieces; i++)
		r = pme_range_list_add(ret, rewrite->pieces[i].at.start,
				       rewrite->pieces[i].at.length);
	pme_range_list_normalize(ret);
	return r;
}

/* Contradictions that pass are those of programs that write. */
static int look(struct pme_rewrite_run *run, const struct pme_legs *legs, struct pme_legs_seen *ret)
{
	_cleanup_(pme_range_list_done) struct pme_range_list pages = {0};
	int r = named_pages(run->rewrite, &pages);

	for (int i = 0; r == 0 && i < LOOKS; i++) {
		r = pme_legs_look(legs, run->rewrite->window, &pages, ret);
		if (r == 0 && ret->disagree == PME_UNKNOWN)
			return 0;
		if (r == 0)
			r = pme_rewrite_pause(run, LOOK_MSEC);
	}
	return r;
}

/* -EAGAIN and why, when md must not be let near it. */
static int judge(struct pme_rewrite_run *run, const struct pme_legs *legs,
		 const struct pme_legs_seen *seen)
{
	bool raid1 = legs->geo.level == &pme_md_raid1;

	if (seen->disagree != PME_UNKNOWN)
		return pme_rewrite_fail(run, -EAGAIN,
					"its copies contradict each other at byte %" PRIu64
					" (of %s): nobody knows which one is right, and md would "
					"take one of them",
					seen->disagree, raid1 ? "the array" : "the window's count");
	if (seen->beyond != PME_UNKNOWN)
		return pme_rewrite_fail(run, -EAGAIN,
					"too many members cannot read something in the page at "
					"byte %" PRIu64 ", and md reads whole pages",
					seen->beyond);
	if (raid1 && !seen->whole)
		return pme_rewrite_fail(run, -EAGAIN,
					"no member can read all of it, and md asks for one that "
					"can");
	if (legs->parity && seen->most > PARITY_PAGES_MAX)
		return pme_rewrite_fail(run, -EAGAIN,
					"one member has %" PRIu64
					" bad pages there, and md throws out a member with that "
					"many errors: replace it",
					seen->most);
	return 0;
}

/* The array as it is now: 0, or why it is not well. */
static int look_at_array(struct pme_rewrite_run *run)
{
	struct pme_rewrite *rewrite = run->rewrite;
	struct pme_log quiet = {0};
	struct pme_topo *topo = NULL;
	const struct pme_dev *array = NULL;
	_cleanup_free_ char *why = NULL;
	int r = pme_topo_load_again(run->os, &quiet, &topo);

	pme_log_done(&quiet);
	if (r == 0)
		array = pme_topo_dev_by_name(topo, rewrite->layer->name);
	if (r == 0 && (!array || !array->md))
		r = pme_rewrite_fail(run, -ENODEV, "%s is not there any more",
				     rewrite->layer->name);
	for (size_t i = 0; r == 0 && !why && i < array->md->n_components; i++)
		why = why_not_member(&array->md->components[i], rewrite);
	if (r == 0 && !why && !pme_md_attr_is(run->os, array->name, "degraded", "0"))
		why = strdup("it is degraded now: md threw a member out");
	if (why)
		r = pme_rewrite_fail(run, -EIO, "after the check: %s", why);
	pme_topo_free(topo);
	return r;
}

static int verify(struct pme_rewrite_run *run, const struct pme_legs *legs)
{
	struct pme_legs_seen seen;
	int r = look_at_array(run);

	if (r < 0)
		return r;
	r = look(run, legs, &seen);
	if (r < 0)
		return pme_rewrite_fail(run, r, "the members cannot be read again: %s",
					strerror(-r));
	if (seen.unread > 0)
		return pme_rewrite_fail(run, -EIO, "%" PRIu64 " bytes still cannot be read: %s",
					seen.unread,
					legs->parity ? "md may have them in its stripe cache, and "
						       "then does not look at the media: repair "
						       "again after others were written"
						     : "md did not rewrite them, or the media did "
						       "not take it");
	if (seen.disagree != PME_UNKNOWN)
		return pme_rewrite_fail(run, -EIO, "copies contradict each other at byte %" PRIu64,
					seen.disagree);
	return 0;
}

/* ---- all of it ---- */

/*
 * A part of an array with parity that fills its stripe cache, beside the window, where every member
 * can be read: a check writes nothing there.  Empty: there is none.
 */
static int find_other_part(struct pme_rewrite_run *run, const struct pme_legs *legs,
			   struct pme_range *ret)
{
	const struct pme_range_list none = {0};
	struct pme_range window = run->rewrite->window, part = {0};
	struct pme_legs_seen seen;
	uint64_t stripes;
	int r;

	*ret = part;
	if (!legs->parity ||
	    pme_os_read_u64(run->os, &stripes, "sys/block/%s/md/stripe_cache_size",
			    run->rewrite->layer->name) < 0 ||
	    stripes > CACHE_PAGES_MAX)
		return 0;
	part.length = pme_rewrite_window((struct pme_range){0, 2 * PAGE * stripes}, legs->geo.chunk)
			      .length;
	if (part.length <= window.start)
		part.start = (window.start - part.length) / legs->geo.chunk * legs->geo.chunk;
	else if (pme_range_end(window) + part.length < pme_legs_size(legs))
		part.start = pme_range_end(window);
	else
		return 0;
	r = pme_legs_look(legs, part, &none, &seen);
	if (r == 0 && seen.unread == 0)
		*ret = part;
	return r;
}

int pme_md_rewrite(struct pme_rewrite_run *run)
{
	_cleanup_(pme_legs_close) struct pme_legs legs = {0};
	/* so that nobody stops it meanwhile */
	_cleanup_close_ int hold = pme_media_open(run->topo, run->rewrite->layer);
	struct pme_legs_seen seen;
	struct pme_range other;
	int r = hold < 0 ? hold : pme_legs_open(run->topo, run->rewrite->layer, &legs);

	if (r == 0)
		r = look(run, &legs, &seen);
	if (r < 0)
		return pme_rewrite_fail(run, -EAGAIN, "its members cannot be read: %s",
					strerror(-r));
	r = judge(run, &legs, &seen);
	if (r < 0)
		return r;
	if (seen.unread == 0) {
		run->rewrite->outcome = PME_REWRITE_SOUND;
		return 0;
	}
	r = find_other_part(run, &legs, &other);
	if (r < 0)
		return pme_rewrite_fail(run, -EAGAIN, "its members cannot be read: %s",
					strerror(-r));
	r = pme_md_check(run, other, pme_range_end(run->rewrite->window) >= pme_legs_size(&legs));
	if (r == 0)
		r = verify(run, &legs);
	if (r == 0)
		run->rewrite->outcome = PME_REWRITE_REPAIRED;
	return r;
}
