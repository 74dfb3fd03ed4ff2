/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the layers of one scan share; see stack.h.
 */
#include "stack.h"

#include "map.h"

static void probes_done(struct pme_probes *probes)
{
	for (size_t i = 0; i < probes->count; i++)
		pme_probe_done(&probes->items[i].probe);
	free(probes->items);
	*probes = (struct pme_probes){0};
}

static void bad_done(struct pme_bad_set *bad)
{
	for (size_t i = 0; i < bad->count; i++)
		pme_range_list_done(&bad->items[i].ranges);
	free(bad->items);
	*bad = (struct pme_bad_set){0};
}

void pme_stack_done(struct pme_stack *stack)
{
	probes_done(&stack->probes);
	pme_maps_done(&stack->maps);
	bad_done(&stack->bad);
}

const struct pme_probe *pme_stack_probe(struct pme_stack *stack, const struct pme_dev *dev,
					int *ret_error)
{
	struct pme_probes *probes = &stack->probes;
	struct pme_probe_entry *entry;

	for (size_t i = 0; i < probes->count; i++) {
		if (probes->items[i].dev == dev) {
			*ret_error = probes->items[i].error;
			return &probes->items[i].probe;
		}
	}
	if (pme_grow(&probes->items, &probes->alloc, probes->count, sizeof(*probes->items)) < 0)
		return NULL;
	entry = &probes->items[probes->count++];
	*entry = (struct pme_probe_entry){.dev = dev};
	entry->error = pme_dev_probe(stack->topo, dev, &entry->probe);
	*ret_error = entry->error;
	return &entry->probe;
}

static struct pme_bad_entry *find_bad(const struct pme_bad_set *bad, const struct pme_dev *dev)
{
	for (size_t i = 0; i < bad->count; i++)
		if (bad->items[i].dev == dev)
			return &bad->items[i];
	return NULL;
}

int pme_stack_add_bad(struct pme_stack *stack, const struct pme_dev *dev, struct pme_range range)
{
	struct pme_bad_set *bad = &stack->bad;
	struct pme_bad_entry *entry = find_bad(bad, dev);
	int r;

	if (!entry) {
		r = pme_grow(&bad->items, &bad->alloc, bad->count, sizeof(*bad->items));
		if (r < 0)
			return r;
		entry = &bad->items[bad->count++];
		*entry = (struct pme_bad_entry){.dev = dev};
	}
	return pme_range_list_add(&entry->ranges, range.start, range.length);
}

void pme_stack_seal_bad(struct pme_stack *stack)
{
	for (size_t i = 0; i < stack->bad.count; i++)
		pme_range_list_normalize(&stack->bad.items[i].ranges);
}

const struct pme_range_list *pme_stack_bad(const struct pme_stack *stack, const struct pme_dev *dev)
{
	const struct pme_bad_entry *entry = find_bad(&stack->bad, dev);

	return entry ? &entry->ranges : NULL;
}
