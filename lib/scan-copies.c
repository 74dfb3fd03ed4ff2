/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Copies inside of a filesystem; see scan-copies.h.
 */
#include "scan-copies.h"

#include <string.h>

/* A copy of @owner for @part of its bytes, at the end of @result. */
static struct pme_fs_owner *add_part(const struct pme_fs_owner *owner, struct pme_range part,
				     struct pme_fs_result *result)
{
	struct pme_fs_owner *added = pme_fs_result_add(result, part, owner->kind);

	if (!added)
		return NULL;
	*added = *owner;
	added->range = part;
	if (owner->has_file_start)
		added->file_start += part.start - owner->range.start;
	added->detail = owner->detail ? strdup(owner->detail) : NULL;
	added->reason = owner->reason ? strdup(owner->reason) : NULL;
	added->copies = NULL;
	added->inodes = owner->n_inodes ? calloc(owner->n_inodes, sizeof(*owner->inodes)) : NULL;
	if (added->inodes)
		memcpy(added->inodes, owner->inodes, owner->n_inodes * sizeof(*owner->inodes));
	if ((owner->detail && !added->detail) || (owner->reason && !added->reason) ||
	    (owner->n_inodes && !added->inodes))
		return NULL;
	return added;
}

/* Parts in @list: @certainty, and why; takes what pme_copies_text() says of each. */
static int add_parts(const struct pme_fs_owner *owner, const struct pme_range_list *list,
		     enum pme_certainty certainty, const char *before, struct pme_fs_result *result)
{
	for (size_t i = 0; i < list->count; i++) {
		struct pme_range part = list->items[i];
		struct pme_fs_owner *added = add_part(owner, part, result);
		_cleanup_free_ char *text = NULL;

		if (!added)
			return -ENOMEM;
		if (certainty == PME_EXACT || owner->certainty == PME_UNCERTAIN)
			continue;
		text = pme_copies_text(owner->copies, part.start - owner->range.start, part.length);
		if (!text)
			return -ENOMEM;
		added->certainty = certainty;
		free(added->reason);
		added->reason = pme_printf("%s%s", before, text);
		if (!added->reason)
			return -ENOMEM;
	}
	return 0;
}

/* The whole units that @range of @owner meets. */
static struct pme_range whole_units(const struct pme_fs_owner *owner, struct pme_range range)
{
	uint64_t unit = owner->unit, phase = unit ? owner->unit_at % unit : 0, end;

	if (unit <= 1 || range.start < phase)
		return range;
	end = pme_range_end(range) - phase;
	range.start = (range.start - phase) / unit * unit + phase;
	range.length = (end + unit - 1) / unit * unit + phase - range.start;
	return range;
}

/* Every unit of @missing is missing as a whole; of them those bytes that are the owner's. */
static int widen(const struct pme_fs_owner *owner, struct pme_range_list *missing)
{
	_cleanup_(pme_range_list_done) struct pme_range_list narrow = *missing;
	struct pme_range part;
	int r = 0;

	*missing = (struct pme_range_list){0};
	for (size_t i = 0; r == 0 && i < narrow.count; i++)
		if (pme_range_intersect(owner->range, whole_units(owner, narrow.items[i]), &part))
			r = pme_range_list_add(missing, part.start, part.length);
	pme_range_list_normalize(missing);
	return r;
}

/* What of the owner's bytes its copies do not give back; what is bad is not in doubt as well. */
static int find_missing(struct pme_stack *stack, const struct pme_fs_owner *owner,
			struct pme_missing *ret)
{
	struct pme_range whole = whole_units(owner, owner->range);
	size_t count = owner->copies->count;
	_cleanup_free_ struct pme_copies *copies =
		pme_copies_new(owner->copies->what, owner->copies->need, count);
	_cleanup_(pme_range_list_done) struct pme_range_list doubt = {0};
	int r = copies ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count; i++) {
		copies->places[i] = owner->copies->places[i];
		if (copies->places[i].start < owner->range.start - whole.start)
			return -EINVAL;
		copies->places[i].start -= owner->range.start - whole.start;
	}
	if (r == 0)
		r = pme_copies_missing(stack, copies, whole, ret);
	if (r == 0)
		r = widen(owner, &ret->bad);
	if (r == 0)
		r = widen(owner, &ret->doubt);
	for (size_t i = 0; r == 0 && i < ret->doubt.count; i++)
		r = pme_range_list_subtract(ret->doubt.items[i], &ret->bad, &doubt);
	if (r < 0)
		return r;
	pme_range_list_done(&ret->doubt);
	ret->doubt = doubt;
	doubt = (struct pme_range_list){0};
	return 0;
}

static int judge(struct pme_stack *stack, const struct pme_fs_owner *owner,
		 struct pme_fs_result *result)
{
	_cleanup_(pme_missing_done) struct pme_missing missing = {0};
	_cleanup_(pme_range_list_done) struct pme_range_list gone = {0}, good = {0};
	int r = find_missing(stack, owner, &missing);

	for (size_t i = 0; r == 0 && i < missing.bad.count; i++)
		r = pme_range_list_add(&gone, missing.bad.items[i].start,
				       missing.bad.items[i].length);
	for (size_t i = 0; r == 0 && i < missing.doubt.count; i++)
		r = pme_range_list_add(&gone, missing.doubt.items[i].start,
				       missing.doubt.items[i].length);
	pme_range_list_normalize(&gone);
	if (r == 0)
		r = pme_range_list_subtract(owner->range, &gone, &good);
	if (r == 0)
		r = add_parts(owner, &good, PME_REDUNDANT, "", result);
	if (r == 0)
		r = add_parts(owner, &missing.bad, PME_EXACT, "", result);
	if (r == 0)
		r = add_parts(owner, &missing.doubt, PME_UNCERTAIN,
			      "cannot tell whether a copy can be read: ", result);
	return r;
}

int pme_scan_judge_copies(struct pme_stack *stack, struct pme_fs_result *result)
{
	struct pme_fs_result parts = {0};
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < result->n_owners; i++)
		any |= result->owners[i].copies != NULL;
	if (!any)
		return 0;
	for (size_t i = 0; r == 0 && i < result->n_owners; i++) {
		struct pme_fs_owner *owner = &result->owners[i];

		if (owner->copies)
			r = judge(stack, owner, &parts);
		else if (!add_part(owner, owner->range, &parts))
			r = -ENOMEM;
	}
	/* the parts hold copies of all words; the files stay where they are */
	for (size_t i = 0; r == 0 && i < result->n_owners; i++)
		pme_fs_owner_done(&result->owners[i]);
	if (r < 0) {
		pme_fs_result_done(&parts);
		return r;
	}
	free(result->owners);
	result->owners = parts.owners;
	result->n_owners = parts.n_owners;
	result->alloc_owners = parts.alloc_owners;
	pme_fs_result_sort(result);
	return 0;
}
