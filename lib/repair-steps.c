/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings -> steps; see repair-steps.h.
 *
 * What was asked of the filesystem are bad bytes; what it shares are blocks.  So everybody who owns
 * any bad byte of a block has all of it.
 */
#include "repair-steps.h"

#include <string.h>

#include "vault.h"

/* One owner of one block; without @file it is none that can be repaired. */
struct stake {
	uint64_t block; /* byte of the device where it begins */
	const struct pme_file *file;
	uint64_t start; /* byte of the file there */
	enum pme_owner_kind kind;
};

struct stakes {
	struct stake *items;
	size_t count, alloc;
};

static void stakes_done(struct stakes *stakes)
{
	free(stakes->items);
}

bool pme_repair_is_parked(const struct pme_file *file)
{
	return file->vault == 1 + PME_VAULT_QUARANTINE || file->vault == 1 + PME_VAULT_STAGING;
}

int pme_repair_bad(const struct pme_findings *findings, const struct pme_reached_fs *fs,
		   struct pme_range_list *ret_bad)
{
	int r = 0;

	for (size_t i = 0; i < findings->count; i++) {
		const struct pme_finding *finding = &findings->items[i];

		for (size_t c = 0; r == 0 && c < finding->n_claims; c++) {
			const struct pme_claim *claim = &finding->claims[c];

			if (claim->fs != &fs->fs || claim->kind != PME_OWNER_FILE_DATA ||
			    claim->certainty != PME_EXACT || !claim->file)
				continue;
			r = pme_range_list_add(ret_bad, claim->hops[claim->n_hops - 1].start,
					       claim->length);
		}
	}
	pme_range_list_normalize(ret_bad);
	return r;
}

static int by_stake(const void *a, const void *b)
{
	const struct stake *p = a, *q = b;

	if (p->block != q->block)
		return p->block < q->block ? -1 : 1;
	if (!p->file || !q->file)
		return (p->file ? 1 : 0) - (q->file ? 1 : 0);
	if (p->file->inode != q->file->inode)
		return p->file->inode < q->file->inode ? -1 : 1;
	return p->start < q->start ? -1 : p->start > q->start;
}

static bool is_same(const struct stake *a, const struct stake *b)
{
	return a->file == b->file && a->start == b->start && (a->file || a->kind == b->kind);
}

/* The blocks that one owner has bad bytes in, as far as they are wanted. */
static int add_stakes(const struct pme_fs_owner *owner, const struct pme_range_list *blocks,
		      uint64_t block, struct stakes *ret)
{
	uint64_t at = owner->range.start / block * block;
	bool is_data = owner->kind == PME_OWNER_FILE_DATA && owner->file && owner->has_file_start &&
		       owner->certainty == PME_EXACT;

	for (; at < pme_range_end(owner->range); at += block) {
		struct stake stake = {.block = at, .kind = owner->kind};
		int r;

		if (!pme_range_list_meets(blocks, (struct pme_range){at, block}))
			continue;
		/* a block begins at a block of the file, or it makes no sense */
		if (is_data && (owner->file_start + at - owner->range.start) % block == 0) {
			stake.file = owner->file;
			stake.start = owner->file_start + at - owner->range.start;
		}
		r = pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(stake));
		if (r < 0)
			return r;
		ret->items[ret->count++] = stake;
	}
	return 0;
}

/* Sorted by block, each once. */
static int collect(const struct pme_fs_result *result, const struct pme_range_list *blocks,
		   uint64_t block, struct stakes *ret)
{
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < result->n_owners; i++)
		r = add_stakes(&result->owners[i], blocks, block, ret);
	if (r < 0 || ret->count == 0)
		return r;
	qsort(ret->items, ret->count, sizeof(*ret->items), by_stake);
	for (size_t i = 0; i < ret->count; i++)
		if (n == 0 || ret->items[n - 1].block != ret->items[i].block ||
		    !is_same(&ret->items[n - 1], &ret->items[i]))
			ret->items[n++] = ret->items[i];
	ret->count = n;
	return 0;
}

/* Do these files follow the targets of @step? */
static bool continues(const struct pme_repair_step *step, const struct stake *stakes, size_t count,
		      uint64_t block)
{
	if (!step || step->refusal || pme_range_end(step->device) != stakes[0].block ||
	    step->device.length + block > PME_REPAIR_STEP_MAX || step->n_targets != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (stakes[i].file != step->targets[i].file ||
		    stakes[i].start != step->targets[i].start + step->device.length)
			return false;
	return true;
}

static int add_target(struct pme_repair_step *step, const struct stake *stake)
{
	int r = pme_grow(&step->targets, &step->alloc_targets, step->n_targets,
			 sizeof(*step->targets));

	if (r == 0)
		step->targets[step->n_targets++] =
			(struct pme_repair_target){.file = stake->file, .start = stake->start};
	return r;
}

/* A block with these owners, as a step of its own. */
static int add_step(const struct pme_reached_fs *fs, const struct stake *stakes, size_t count,
		    uint64_t block, struct pme_repair_plan *plan)
{
	struct pme_repair_step *step;
	int r = pme_grow(&plan->steps, &plan->alloc_steps, plan->n_steps, sizeof(*plan->steps));

	if (r < 0)
		return r;
	step = &plan->steps[plan->n_steps++];
	*step = (struct pme_repair_step){.fs = fs, .device = {stakes[0].block, block}};
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (stakes[i].file) {
			r = add_target(step, &stakes[i]);
		} else if (!step->refusal) {
			step->refusal = pme_printf("not only files own these blocks, also: %s",
						   pme_owner_name(stakes[i].kind));
			r = step->refusal ? 0 : -ENOMEM;
		}
	}
	return r;
}

static int add_bad(struct pme_repair_step *step, const struct pme_range_list *bad)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < bad->count; i++) {
		struct pme_range common;

		if (bad->items[i].start >= pme_range_end(step->device))
			break;
		if (pme_range_intersect(bad->items[i], step->device, &common))
			r = pme_range_list_add(&step->bad, common.start, common.length);
	}
	return r;
}

static int make_steps(const struct pme_reached_fs *fs, const struct stakes *stakes, uint64_t block,
		      struct pme_repair_plan *plan)
{
	size_t first = plan->n_steps;
	int r = 0;

	for (size_t i = 0, end; r == 0 && i < stakes->count; i = end) {
		struct pme_repair_step *last =
			plan->n_steps > first ? &plan->steps[plan->n_steps - 1] : NULL;

		for (end = i; end < stakes->count; end++)
			if (stakes->items[end].block != stakes->items[i].block)
				break;
		if (continues(last, &stakes->items[i], end - i, block))
			last->device.length += block;
		else
			r = add_step(fs, &stakes->items[i], end - i, block, plan);
	}
	return r;
}

/*
 * What lies in quarantine is no target, checkpoints are targets beside others; blocks that only the
 * vault has are no step: nobody misses them.
 */
static void drop_parked(struct pme_repair_plan *plan, size_t first)
{
	size_t n_steps = first;

	for (size_t i = first; i < plan->n_steps; i++) {
		struct pme_repair_step *step = &plan->steps[i];
		size_t n = 0, missed = 0;

		for (size_t t = 0; t < step->n_targets; t++) {
			missed += step->targets[t].file->vault == 0;
			if (!pme_repair_is_parked(step->targets[t].file))
				step->targets[n++] = step->targets[t];
		}
		step->n_targets = n;
		if (missed > 0)
			plan->steps[n_steps++] = *step;
		else
			pme_repair_step_done(step);
	}
	plan->n_steps = n_steps;
}

int pme_repair_steps_make(const struct pme_reached_fs *fs, const struct pme_range_list *bad,
			  uint64_t block, struct pme_repair_plan *plan)
{
	_cleanup_(pme_range_list_done) struct pme_range_list blocks = {0};
	_cleanup_(stakes_done) struct stakes stakes = {0};
	size_t first = plan->n_steps;
	int r = 0;

	for (size_t i = 0; r == 0 && i < bad->count; i++) {
		uint64_t start = bad->items[i].start / block * block;
		uint64_t end = (pme_range_end(bad->items[i]) + block - 1) / block * block;

		r = pme_range_list_add(&blocks, start, end - start);
	}
	pme_range_list_normalize(&blocks);
	if (r == 0)
		r = collect(&fs->result, &blocks, block, &stakes);
	if (r == 0)
		r = make_steps(fs, &stakes, block, plan);
	drop_parked(plan, first);
	for (size_t i = first; r == 0 && i < plan->n_steps; i++)
		r = add_bad(&plan->steps[i], bad);
	return r;
}

void pme_repair_step_done(struct pme_repair_step *step)
{
	for (size_t t = 0; t < step->n_targets; t++)
		free(step->targets[t].refusal);
	free(step->targets);
	pme_range_list_done(&step->bad);
	pme_donor_done(&step->donor);
	free(step->no_proof);
	free(step->refusal);
	free(step->error);
	*step = (struct pme_repair_step){0};
}
