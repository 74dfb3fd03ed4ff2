/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Overall state and device tree; see status.h.
 */
#include "status.h"

#include <assert.h>
#include <string.h>

#include "doc.h"

/* A deeper tree than this is cut (a cycle cannot occur: the snapshot has none). */
#define TREE_DEPTH PME_CLIMB_DEPTH

#define ACTIONS 3 /* besides the headline's */

struct tally {
	struct pme_range_list bad; /* bytes of the device */
	bool touched;
	enum pme_verdict worst;
};

static void tally_add(struct tally *tally, uint64_t start, uint64_t length,
		      enum pme_verdict verdict)
{
	if (pme_range_list_add(&tally->bad, start, length) < 0)
		return;
	if (!tally->touched || verdict > tally->worst)
		tally->worst = verdict;
	tally->touched = true;
}

static bool passes(const struct pme_claim *claim, const struct pme_dev *dev)
{
	for (size_t h = 0; h < claim->n_hops; h++)
		if (claim->hops[h].dev == dev)
			return true;
	return false;
}

/*
 * Bad bytes of one device, as the claims say whose way goes from @base to it: a volume over two
 * disks shows below each of them what comes from that one.
 */
static struct tally tally_dev(const struct pme_scan *scan, const struct pme_dev *base,
			      const struct pme_dev *dev)
{
	struct tally tally = {0};

	for (size_t i = 0; i < scan->findings.count; i++) {
		const struct pme_finding *finding = &scan->findings.items[i];

		for (size_t c = 0; c < finding->n_claims; c++) {
			const struct pme_claim *claim = &finding->claims[c];

			for (size_t h = 0; passes(claim, base) && h < claim->n_hops; h++)
				if (claim->hops[h].dev == dev)
					tally_add(&tally, claim->hops[h].start, claim->length,
						  claim->verdict);
		}
	}
	pme_range_list_normalize(&tally.bad);
	return tally;
}

static void add_state(struct json_object *node, const struct pme_scan *scan,
		      const struct pme_dev *base, const struct pme_dev *dev)
{
	struct tally tally = tally_dev(scan, base, dev);

	pme_json_text(node, "state", tally.touched ? pme_verdict_name(tally.worst) : "ok");
	pme_json_number(node, "bad_bytes", pme_range_list_bytes(&tally.bad));
	pme_range_list_done(&tally.bad);
}

/* How many bytes of a finding lie in the namespace @ns; NULL: anywhere in @region. */
static uint64_t bytes_in(const struct pme_finding *finding, const struct pme_region *region,
			 const struct pme_namespace *ns)
{
	uint64_t address = pme_dev_physical(finding->dev, finding->range.start);
	struct pme_range common;

	if (pme_dev_region(finding->dev) != region ||
	    (ns && finding->dev->ns && finding->dev->ns != ns))
		return 0;
	if (!ns || finding->dev->ns == ns || address == PME_UNKNOWN || ns->resource == PME_UNKNOWN)
		return finding->range.length;
	if (!pme_range_intersect((struct pme_range){address, finding->range.length},
				 (struct pme_range){ns->resource, ns->size}, &common))
		return 0;
	return common.length;
}

/* Everything that is bad on a region or namespace: by its region's list and those of its disks. */
static void add_region_state(struct json_object *node, const struct pme_scan *scan,
			     const struct pme_region *region, const struct pme_namespace *ns)
{
	enum pme_verdict worst = PME_HARMLESS;
	uint64_t bytes = 0;

	for (size_t i = 0; i < scan->findings.count; i++) {
		const struct pme_finding *finding = &scan->findings.items[i];
		uint64_t part = bytes_in(finding, region, ns);

		bytes += part;
		worst = part && finding->verdict > worst ? finding->verdict : worst;
	}
	pme_json_text(node, "state", bytes ? pme_verdict_name(worst) : "ok");
	pme_json_number(node, "bad_bytes", bytes);
}

static struct json_object *new_node(const char *kind, const char *name, const char *detail,
				    uint64_t size)
{
	struct json_object *node = pme_json_object();

	pme_json_text(node, "kind", kind);
	pme_json_text(node, "name", name);
	pme_json_text(node, "detail", detail);
	pme_json_number(node, "size", size);
	return node;
}

static struct json_object *mounts_of(const struct pme_scan *scan, const struct pme_dev *dev,
				     const char **ret_type)
{
	struct json_object *array = pme_json_array();

	*ret_type = NULL;
	for (size_t i = 0; dev->devno && i < scan->topo->n_mounts; i++) {
		const struct pme_mount *mount = &scan->topo->mounts[i];

		if (!pme_topo_mount_has(scan->topo, mount, dev))
			continue;
		*ret_type = mount->type;
		pme_json_append(array, pme_json_lossy(mount->target));
	}
	return array;
}

/* How a device is made from the one below it: "dm-linear", "md-raid0", "partition". */
static char *dev_detail(const struct pme_dev *dev)
{
	switch (dev->kind) {
	case PME_DEV_DM:
		return pme_printf("dm-%s", dev->n_lines ? dev->lines[0].type : "unknown");
	case PME_DEV_MD:
		return pme_printf("md-%s", dev->md && dev->md->level ? dev->md->level : "unknown");
	case PME_DEV_PARTITION:
	case PME_DEV_DISK:
	case PME_DEV_REGION:
	case PME_DEV_CHARDEV:
		break;
	}
	return pme_printf("%s", pme_hop_kind(dev));
}

static struct json_object *dev_node(const struct pme_scan *scan, const struct pme_dev *base,
				    const struct pme_dev *dev, int depth)
{
	_cleanup_free_ char *detail = dev_detail(dev);
	struct json_object *node =
		new_node(pme_hop_kind(dev), pme_dev_label(dev), detail, dev->size);
	struct json_object *children = pme_json_array();
	const char *fs_type;
	struct json_object *mounts = mounts_of(scan, dev, &fs_type);

	pme_json_text(node, "device", dev->name);
	add_state(node, scan, base, dev);
	pme_json_text(node, "filesystem", dev->swap ? "swap" : fs_type);
	pme_json_set(node, "mounts", mounts);
	for (size_t i = 0; depth < TREE_DEPTH && i < dev->n_uppers; i++)
		pme_json_append(children, dev_node(scan, base, dev->uppers[i], depth + 1));
	pme_json_set(node, "children", children);
	return node;
}

static void finish_node(struct json_object *node, const char *device, struct json_object *children)
{
	pme_json_text(node, "device", device);
	pme_json_set(node, "filesystem", NULL);
	pme_json_set(node, "mounts", pme_json_array());
	pme_json_set(node, "children", children);
}

static const struct pme_dev *dev_of_namespace(const struct pme_scan *scan,
					      const struct pme_namespace *ns)
{
	for (size_t i = 0; i < scan->topo->n_devs; i++)
		if (scan->topo->devs[i]->ns == ns)
			return scan->topo->devs[i];
	return NULL;
}

static struct json_object *namespace_node(const struct pme_scan *scan,
					  const struct pme_namespace *ns)
{
	const char *mode = pme_mode_name(ns->mode);
	const struct pme_dev *dev = dev_of_namespace(scan, ns);
	struct json_object *node = new_node("namespace", ns->name, mode, ns->size);
	struct json_object *children = pme_json_array();

	add_region_state(node, scan, ns->region, ns);
	if (!ns->active && pme_json_get_number(node, "bad_bytes") == 0)
		pme_json_text(node, "state", "disabled");
	if (dev)
		pme_json_append(children, dev_node(scan, dev, dev, 0));
	finish_node(node, ns->name, children);
	return node;
}

static struct json_object *region_node(const struct pme_scan *scan, const struct pme_dev *dev)
{
	const struct pme_region *region = dev->region;
	struct json_object *node = new_node("region", region->name, region->provider, region->size);
	struct json_object *children = pme_json_array();

	add_region_state(node, scan, region, NULL);
	for (size_t i = 0; i < scan->topo->n_namespaces; i++)
		if (scan->topo->namespaces[i]->region == region)
			pme_json_append(children, namespace_node(scan, scan->topo->namespaces[i]));
	finish_node(node, region->name, children);
	return node;
}

/* "nmem0, nmem1": the DIMMs that a region is interleaved over, as the node it stands on. */
static struct json_object *dimms_node(const struct pme_scan *scan, const struct pme_dev *dev)
{
	const struct pme_region *region = dev->region;
	struct json_object *children = pme_json_array();
	_cleanup_free_ char *names = strdup("");
	struct json_object *node;

	for (size_t i = 0; names && i < region->n_dimms; i++) {
		_cleanup_free_ char *before = names;

		names = pme_printf("%s%s%s", before, i ? ", " : "", region->dimms[i]);
	}
	node = new_node("dimm", names, region->n_dimms > 1 ? "interleaved" : "dimm", UINT64_MAX);
	add_region_state(node, scan, region, NULL);
	pme_json_append(children, region_node(scan, dev));
	finish_node(node, NULL, children);
	return node;
}

static struct json_object *tree_json(const struct pme_scan *scan)
{
	struct json_object *tree = pme_json_array();
	const struct pme_dev_list *bases = &scan->selection.bases;

	for (size_t i = 0; i < bases->count; i++) {
		const struct pme_dev *dev = bases->items[i];

		if (dev->kind == PME_DEV_REGION && dev->region->n_dimms > 0)
			pme_json_append(tree, dimms_node(scan, dev));
		else if (dev->kind == PME_DEV_REGION)
			pme_json_append(tree, region_node(scan, dev));
		else if (!dev->ns)
			pme_json_append(tree, dev_node(scan, dev, dev, 0));
	}
	return tree;
}

struct headline {
	const char *state, *status, *action;
};

static const struct headline headlines[] = {
	[PME_HARMLESS] = {"degraded", "Bad blocks exist, but no data is in them.",
			  "Nothing to restore. Writing to bad blocks may fail until they are "
			  "cleared: see 'pmemctl scan'."},
	[PME_RECOVERABLE] =
		{"degraded", "Bad blocks exist; everything in them is kept elsewhere.",
		 "Run pmemctl repair: it says from where each byte can come back, or which "
		 "layer has to rewrite it."},
	[PME_VERDICT_UNKNOWN] = {"unknown",
				 "Bad blocks exist, and it is not known what is in them.",
				 "See the reasons below: each says what has to be done to find "
				 "out."},
	[PME_METADATA_AT_RISK] = {"at-risk", "Bad blocks hold metadata of filesystems or volumes.",
				  "Back up what is still readable first, then use the tool of that "
				  "layer: for XFS unmount and run xfs_repair. 'pmemctl scan' names "
				  "each structure."},
	[PME_LOST] = {"lost", "Data in bad blocks can no longer be read.",
		      "Run pmemctl repair to see what can be brought back; restore the rest "
		      "from a backup.  Only the listed byte ranges are lost, the rest of each "
		      "file is intact."},
};
static_assert(PME_ARRAY_SIZE(headlines) == PME_LOST + 1, "a headline for each verdict");

static enum pme_verdict worst_of(const struct pme_scan *scan)
{
	enum pme_verdict worst = PME_HARMLESS;

	for (size_t i = 0; i < scan->findings.count; i++)
		if (scan->findings.items[i].verdict > worst)
			worst = scan->findings.items[i].verdict;
	return worst;
}

/* What to do about one claim besides the headline: allocated, "" for nothing, NULL. */
static char *claim_action(const struct pme_claim *claim, const char *said)
{
	const struct pme_use *use = claim->file ? claim->file->use : NULL;
	const char *advice = use ? use->advice : pme_claim_advice(claim)->advice;
	const char *path = use && claim->file->n_paths ? claim->file->paths[0] : NULL;

	if ((!use && claim->verdict != PME_METADATA_AT_RISK) || strstr(said, advice))
		return strdup("");
	if (!use)
		return pme_printf(" %s", advice);
	return pme_printf(" %s%s%s: %s", path ? path : "", path ? ", " : "", use->what, advice);
}

/* The headline's, and for the worst claims what is to be done about such ones. */
static char *action_text(const struct pme_scan *scan, const char *headline)
{
	enum pme_verdict worst = worst_of(scan);
	char *text = strdup(headline);
	int added = 0;

	for (size_t i = 0; i < scan->findings.count; i++) {
		const struct pme_finding *finding = &scan->findings.items[i];

		for (size_t c = 0; text && added < ACTIONS && c < finding->n_claims; c++) {
			_cleanup_free_ char *before = text, *more = NULL;

			if (finding->claims[c].verdict != worst || worst == PME_HARMLESS) {
				before = NULL;
				continue;
			}
			more = claim_action(&finding->claims[c], text);
			text = more ? pme_printf("%s%s", before, more) : NULL;
			added += more && *more;
		}
	}
	return text;
}

static struct headline headline(const struct pme_scan *scan, const struct pme_log *log)
{
	if (scan->findings.count > 0)
		return headlines[worst_of(scan)];
	if (log->failed || log->incomplete)
		return (struct headline){
			"unknown", "No bad blocks are known, but not everything could be read.",
			"See the messages: each says what is missing."};
	if (scan->selection.bases.count == 0)
		return (struct headline){"healthy", "This machine has no persistent memory.",
					 "Nothing to do."};
	return (struct headline){"healthy", "No bad blocks are known.", "Nothing to do."};
}

/* Drop nodes that are ok with everything on them: 1 when something is left. */
static bool prune(struct json_object *nodes)
{
	for (size_t i = pme_json_count(nodes); i-- > 0;) {
		struct json_object *node = pme_json_at(nodes, i);
		bool keep = prune(pme_json_get(node, "children")) ||
			    strcmp(pme_json_get_text(node, "state"), "ok") != 0;

		if (!keep)
			json_object_array_del_idx(nodes, i, 1);
	}
	return pme_json_count(nodes) > 0;
}

void pme_status_json(const struct pme_scan *scan, const struct pme_log *log, bool unhealthy,
		     struct json_object *doc)
{
	struct json_object *tree = tree_json(scan);

	struct headline head = headline(scan, log);

	pme_json_text(doc, "state", head.state);
	pme_json_text(doc, "status", head.status);
	pme_json_owned_text(doc, "action", action_text(scan, head.action));
	if (unhealthy)
		prune(tree);
	pme_json_set(doc, "tree", tree);
}

void pme_status_json_empty(struct json_object *doc)
{
	pme_json_text(doc, "state", "unknown");
	pme_json_text(doc, "status", "The state could not be read.");
	pme_json_text(doc, "action", "See the messages.");
	pme_json_set(doc, "tree", pme_json_array());
}
