/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maps outside of tables; see map.h.
 *
 * The surprise: load() of one map may ask for another, so that the array of entries moves
 * meanwhile.
 */
#include "map.h"

struct pme_map_entry {
	const struct pme_map_kind *kind;
	const struct pme_dev *dev;
	const struct pme_dm_line *line;
	void *map;
	char *why;
	int error;
};

static struct pme_map_entry *find(struct pme_maps *maps, const struct pme_map_kind *kind,
				  const struct pme_dev *dev, const struct pme_dm_line *line)
{
	for (size_t i = 0; i < maps->count; i++) {
		struct pme_map_entry *entry = &maps->items[i];

		if (entry->kind == kind && entry->dev == dev && entry->line == line)
			return entry;
	}
	return NULL;
}

/* Loads the new entry number @index. */
static int load(struct pme_stack *stack, size_t index)
{
	struct pme_map_entry entry = stack->maps.items[index];

	entry.error = entry.kind->load(stack, entry.dev, entry.line, &entry.map, &entry.why);
	if (entry.error < 0 && entry.error != -ENOMEM && !entry.why)
		entry.why = pme_printf("cannot read a map of %s", pme_dev_label(entry.dev));
	if (entry.error < 0 && !entry.why)
		entry.error = -ENOMEM;
	stack->maps.items[index] = entry;
	return entry.error;
}

int pme_map_get(struct pme_stack *stack, const struct pme_map_kind *kind, const struct pme_dev *dev,
		const struct pme_dm_line *line, const void **ret, const char **ret_why)
{
	struct pme_maps *maps = &stack->maps;
	struct pme_map_entry *entry = find(maps, kind, dev, line);
	size_t index;
	int r;

	if (!entry) {
		r = pme_grow(&maps->items, &maps->alloc, maps->count, sizeof(*maps->items));
		if (r < 0)
			return r;
		index = maps->count++;
		maps->items[index] = (struct pme_map_entry){
			.kind = kind, .dev = dev, .line = line, .error = -ELOOP};
		load(stack, index);
		entry = &maps->items[index];
	}
	*ret = entry->map;
	*ret_why = entry->why;
	if (entry->error < 0 && !entry->why)
		*ret_why = "a map needs itself";
	return entry->error;
}

void pme_maps_done(struct pme_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++) {
		struct pme_map_entry *entry = &maps->items[i];

		if (entry->map)
			entry->kind->done(entry->map);
		free(entry->why);
	}
	free(maps->items);
	*maps = (struct pme_maps){0};
}
