/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made-up snapshots; see snapshot.h.  Everything fails the test at once when it cannot be made.
 */
#include "snapshot.h"

#include <sys/sysmacros.h>

#define MAJOR 259

void snap_init(struct snapshot *snap, const struct pme_os *os)
{
	*snap = (struct snapshot){.nowhere = {.root = -1}};
	snap->topo = calloc(1, sizeof(*snap->topo));
	assert_non_null(snap->topo);
	snap->topo->os = os ? os : &snap->nowhere;
	snap->stack.topo = snap->topo;
}

void snap_done(struct snapshot *snap)
{
	pme_stack_done(&snap->stack);
	pme_log_done(&snap->log);
	snap->topo = pme_topo_free(snap->topo);
}

static char *copy(const char *text)
{
	char *out = text ? strdup(text) : NULL;

	assert_true(out || !text);
	return out;
}

static struct pme_dev *add(struct snapshot *snap, const char *name, enum pme_dev_kind kind)
{
	struct pme_dev *dev = pme_topo_add_dev(snap->topo, name, kind);

	assert_non_null(dev);
	dev->devno = makedev(MAJOR, snap->next_minor++);
	dev->identity = pme_printf("name:%s", name);
	assert_non_null(dev->identity);
	return dev;
}

struct pme_dev *snap_disk(struct snapshot *snap, const char *name, uint64_t sectors)
{
	struct pme_dev *dev = add(snap, name, PME_DEV_DISK);

	dev->size = SECTORS(sectors);
	return dev;
}

void snap_stack(struct pme_dev *lower, struct pme_dev *upper)
{
	assert_int_equal(pme_topo_add_edge(lower, upper), 0);
}

struct pme_dev *snap_partition(struct snapshot *snap, struct pme_dev *disk, const char *name,
			       uint64_t start, uint64_t sectors)
{
	struct pme_dev *dev = add(snap, name, PME_DEV_PARTITION);

	dev->disk = disk;
	dev->start = SECTORS(start);
	dev->size = SECTORS(sectors);
	snap_stack(disk, dev);
	return dev;
}

struct pme_dev *snap_dm(struct snapshot *snap, const char *name)
{
	return add(snap, name, PME_DEV_DM);
}

void snap_line(struct pme_dev *dm, uint64_t sectors, const char *type, char *params)
{
	struct pme_dm_line *lines = realloc(dm->lines, (dm->n_lines + 1) * sizeof(*lines));

	assert_true(lines && params);
	dm->lines = lines;
	lines[dm->n_lines++] = (struct pme_dm_line){
		.range = {dm->size, SECTORS(sectors)},
		.type = copy(type),
		.params = params,
	};
	dm->size += SECTORS(sectors);
}

void snap_linear(struct pme_dev *dm, struct pme_dev *lower, uint64_t start, uint64_t sectors)
{
	snap_line(dm, sectors, "linear",
		  pme_printf("%u:%u %llu", major(lower->devno), minor(lower->devno),
			     (unsigned long long)start));
	snap_stack(lower, dm);
}

struct pme_dev *snap_md(struct snapshot *snap, const char *name, const char *level, uint64_t chunk)
{
	struct pme_dev *dev = add(snap, name, PME_DEV_MD);

	dev->md = calloc(1, sizeof(*dev->md));
	assert_non_null(dev->md);
	dev->md->level = copy(level);
	dev->md->chunk = SECTORS(chunk);
	return dev;
}

void snap_member(struct pme_dev *md, struct pme_dev *lower, uint64_t offset, uint64_t sectors)
{
	struct pme_md_component *items =
		realloc(md->md->components, (md->md->n_components + 1) * sizeof(*items));

	assert_non_null(items);
	md->md->components = items;
	items[md->md->n_components++] = (struct pme_md_component){
		.dev = lower,
		.slot = (int)md->md->raid_disks++,
		.data_offset = SECTORS(offset),
		.size = SECTORS(sectors),
		.state = copy("in_sync"),
	};
	md->size += SECTORS(sectors);
	snap_stack(lower, md);
}

static struct pme_region *add_region(struct pme_topo *topo, const char *name, const char *dimm)
{
	struct pme_region *region = calloc(1, sizeof(*region));

	assert_non_null(region);
	assert_int_equal(
		pme_grow(&topo->regions, &topo->alloc_regions, topo->n_regions, sizeof(region)), 0);
	topo->regions[topo->n_regions++] = region;
	region->name = copy(name);
	region->bus = copy("ndbus0");
	region->dimms = calloc(1, sizeof(*region->dimms));
	assert_non_null(region->dimms);
	region->dimms[region->n_dimms++] = copy(dimm);
	return region;
}

struct pme_dev *snap_region(struct snapshot *snap, const char *name, uint64_t resource,
			    uint64_t size, const char *dimm)
{
	struct pme_region *region = add_region(snap->topo, name, dimm);
	struct pme_dev *dev = add(snap, name, PME_DEV_REGION);

	region->resource = resource;
	region->size = size;
	dev->devno = 0;
	dev->size = size;
	dev->region = region;
	return dev;
}

static struct pme_namespace *add_namespace(struct pme_topo *topo)
{
	struct pme_namespace *ns = calloc(1, sizeof(*ns));

	assert_non_null(ns);
	assert_int_equal(pme_grow(&topo->namespaces, &topo->alloc_namespaces, topo->n_namespaces,
				  sizeof(ns)),
			 0);
	topo->namespaces[topo->n_namespaces++] = ns;
	return ns;
}

struct pme_dev *snap_namespace(struct snapshot *snap, struct pme_dev *region, const char *name,
			       enum pme_mode mode, uint64_t offset, uint64_t size,
			       uint64_t reserved, const char *device)
{
	struct pme_namespace *ns = add_namespace(snap->topo);
	struct pme_dev *dev;

	ns->name = copy(name);
	ns->mode = mode;
	ns->region = region->region;
	ns->active = device != NULL;
	ns->resource = region->region->resource + offset;
	ns->size = size;
	ns->data_start = ns->resource + reserved;
	ns->device = copy(device);
	if (!device)
		return NULL;
	dev = add(snap, device, mode == PME_MODE_DEVDAX ? PME_DEV_CHARDEV : PME_DEV_DISK);
	dev->devno = mode == PME_MODE_DEVDAX ? 0 : dev->devno;
	dev->size = size - reserved;
	dev->ns = ns;
	snap_stack(region, dev);
	return dev;
}

void snap_mount(struct snapshot *snap, const struct pme_dev *dev, const char *type,
		const char *target)
{
	struct pme_topo *topo = snap->topo;

	assert_int_equal(
		pme_grow(&topo->mounts, &topo->alloc_mounts, topo->n_mounts, sizeof(*topo->mounts)),
		0);
	topo->mounts[topo->n_mounts++] = (struct pme_mount){
		.devno = dev->devno,
		.root = copy("/"),
		.target = copy(target),
		.type = copy(type),
		.source = pme_printf("/dev/%s", dev->name),
		.options = copy("rw"),
	};
}

void snap_probe(struct snapshot *snap, const struct pme_dev *dev, int error, const char *type,
		const char *usage, const char *pttype)
{
	struct pme_probes *probes = &snap->stack.probes;

	assert_int_equal(
		pme_grow(&probes->items, &probes->alloc, probes->count, sizeof(*probes->items)), 0);
	probes->items[probes->count++] = (struct pme_probe_entry){
		.dev = dev,
		.error = error,
		.probe =
			{
				.type = copy(type),
				.usage = copy(usage),
				.uuid = copy(type ? "1234-abcd" : NULL),
				.pttype = copy(pttype),
			},
	};
}

const char *snap_message(const struct snapshot *snap, const char *subject)
{
	for (size_t i = 0; i < snap->log.count; i++)
		if (strcmp(snap->log.messages[i].subject, subject) == 0)
			return snap->log.messages[i].text;
	return NULL;
}
