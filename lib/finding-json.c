/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings as JSON: one function per kind of object, in the order of pmemctl-json(7).
 */
#include <string.h>

#include "crew.h"
#include "doc.h"
#include "finding.h"
#include "vault.h"

#define PARTS 64

struct json_object *pme_hop_json(const struct pme_hop *hop, uint64_t length)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "device", hop->dev->name);
	pme_json_text(object, "name", hop->dev->alias);
	pme_json_text(object, "kind", hop->kind);
	pme_json_number(object, "start", hop->start);
	pme_json_number(object, "length", length);
	return object;
}

static struct json_object *via_json(const struct pme_claim *claim)
{
	struct json_object *array = pme_json_array_of(claim->n_hops);

	for (size_t i = 0; i < claim->n_hops; i++)
		pme_json_append(array, pme_hop_json(&claim->hops[i], claim->length));
	return array;
}

/* The filesystem that was shown last: claims on one that follow each other have one object. */
struct shown_fs {
	const struct pme_fs *fs;
	struct json_object *object;
};

static struct json_object *mounts_json(const struct pme_fs *fs)
{
	struct json_object *array = pme_json_array_of(fs ? fs->n_mounts : 0);

	for (size_t i = 0; fs && i < fs->n_mounts; i++)
		pme_json_append(array, pme_json_lossy(fs->mounts[i]->target));
	return array;
}

static struct json_object *make_filesystem(const struct pme_fs *fs, const char *type,
					   const char *uuid)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "type", type);
	pme_json_text(object, "uuid", uuid);
	pme_json_text(object, "source", fs ? fs->source : NULL);
	pme_json_set(object, "mounts", mounts_json(fs));
	return object;
}

static struct json_object *filesystem_json(const struct pme_claim *claim, struct shown_fs *shown)
{
	const struct pme_fs *fs = claim->fs;

	if (!fs)
		return claim->fs_type ? make_filesystem(NULL, claim->fs_type, claim->fs_uuid)
				      : NULL;
	if (shown->fs != fs) {
		json_object_put(shown->object);
		*shown = (struct shown_fs){fs, make_filesystem(fs, fs->type, fs->uuid)};
	}
	return json_object_get(shown->object);
}

/* @range: bytes of the file that the claim covers, or NULL: no question of the range. */
static struct json_object *holder_json(const struct pme_holder *holder,
				       const struct pme_range *range)
{
	struct json_object *object = pme_json_object();

	pme_json_set(object, "pid", pme_json_int(holder->pid));
	pme_json_text(object, "command", holder->command);
	pme_json_text(object, "unit", holder->unit);
	pme_json_text(object, "container", holder->container);
	pme_json_bool(object, "open", holder->open);
	pme_json_bool(object, "mapped", holder->mapped);
	pme_json_bool(object, "map_sync", holder->map_sync);
	pme_json_bool(object, "range_mapped",
		      range && pme_range_list_meets(&holder->mapped_ranges, *range));
	return object;
}

struct json_object *pme_holders_json(const struct pme_file *file, const struct pme_range *range)
{
	struct json_object *array = pme_json_array_of(file ? file->n_holders : 0);

	for (size_t i = 0; file && i < file->n_holders; i++)
		pme_json_append(array, holder_json(&file->holders[i], range));
	return array;
}

static struct json_object *paths_json(const struct pme_file *file)
{
	struct json_object *array = pme_json_array_of(file ? file->n_paths : 0);

	for (size_t i = 0; file && i < file->n_paths; i++)
		pme_json_append(array, pme_json_path(file->paths[i]));
	return array;
}

/* An inode with its names, as member of "owner" or of its "inodes". */
static void add_file(struct json_object *object, const struct pme_file *file)
{
	pme_json_number(object, "inode", file ? file->inode : UINT64_MAX);
	pme_json_number(object, "generation", file ? file->generation : UINT64_MAX);
}

/* Without a file there are no names to miss, unless it is not even known whether there is one. */
static void add_names(struct json_object *object, const struct pme_file *file,
		      enum pme_certainty certainty)
{
	bool complete = file ? file->paths_complete : certainty != PME_UNCERTAIN;

	pme_json_set(object, "paths", paths_json(file));
	pme_json_bool(object, "paths_complete", complete);
	pme_json_text(object, "paths_reason", file ? file->paths_reason : NULL);
}

static struct json_object *inodes_json(const struct pme_claim *claim)
{
	struct json_object *array = pme_json_array_of(claim->n_inodes);

	for (size_t i = 0; i < claim->n_inodes; i++) {
		struct json_object *object = pme_json_object();

		add_file(object, claim->inodes[i]);
		add_names(object, claim->inodes[i], PME_EXACT);
		pme_json_set(object, "holders", pme_holders_json(claim->inodes[i], NULL));
		pme_json_append(array, object);
	}
	return array;
}

/* Of the file, or of the device that is used raw: its bytes are those of the last hop. */
static struct json_object *owner_holders_json(const struct pme_claim *claim)
{
	struct pme_range range = {.start = claim->file_start, .length = claim->length};

	if (claim->node) {
		range.start = claim->hops[claim->n_hops - 1].start;
		return pme_holders_json(claim->node, &range);
	}
	return pme_holders_json(claim->file, claim->file && claim->has_file_start ? &range : NULL);
}

static struct json_object *use_json(const struct pme_file *file)
{
	const struct pme_use *use = file ? file->use : NULL;
	struct json_object *object;

	if (!use)
		return NULL;
	object = pme_json_object();
	pme_json_text(object, "kind", pme_use_name(use->kind));
	pme_json_text(object, "what", use->what);
	pme_json_text(object, "name", use->name);
	pme_json_text(object, "known_by", pme_use_source_name(use->source));
	pme_json_number(object, "pid", use->pid ? (uint64_t)use->pid : UINT64_MAX);
	pme_json_text(object, "command", use->command);
	pme_json_text(object, "advice", use->advice);
	return object;
}

static struct json_object *owner_json(const struct pme_claim *claim, struct shown_fs *shown)
{
	struct json_object *object = pme_json_object();
	struct pme_range range = {.start = claim->file_start, .length = claim->length};
	bool in_file = claim->file && claim->has_file_start;

	pme_json_text(object, "kind", pme_owner_name(claim->kind));
	pme_json_text(object, "detail", claim->detail);
	pme_json_set(object, "filesystem", filesystem_json(claim, shown));
	add_file(object, claim->file);
	if (in_file)
		pme_json_range(object, "range", range);
	else
		pme_json_set(object, "range", NULL);
	pme_json_bool(object, "shared", claim->shared);
	add_names(object, claim->file, claim->certainty);
	pme_json_text(object, "vault",
		      claim->own ? pme_vault_part_name(claim->file->vault - 1) : NULL);
	pme_json_set(object, "use", use_json(claim->file));
	pme_json_set(object, "inodes", inodes_json(claim));
	pme_json_set(object, "holders", owner_holders_json(claim));
	return object;
}

/* A copy: who counts the references of one donor that many claims have are several threads. */
static struct json_object *donor_json(const struct pme_claim *claim)
{
	struct json_object *copy = NULL;

	if (claim->donor && json_object_deep_copy(claim->donor, &copy, NULL) < 0)
		pme_json_lose();
	return copy;
}

static struct json_object *claim_json(const struct pme_claim *claim, struct shown_fs *shown)
{
	struct json_object *object = pme_json_object();
	const struct pme_advice *advice = pme_claim_advice(claim);

	pme_json_set(object, "via", via_json(claim));
	pme_json_text(object, "certainty", pme_certainty_name(claim->certainty));
	pme_json_text(object, "reason", claim->reason);
	pme_json_set(object, "owner", owner_json(claim, shown));
	pme_json_text(object, "verdict", pme_verdict_name(claim->verdict));
	pme_json_text(object, "consequence", advice->consequence);
	pme_json_text(object, "advice", advice->advice);
	pme_json_set(object, "donor", donor_json(claim));
	return object;
}

struct json_object *pme_known_by_json(unsigned int known_by)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{PME_BY_BADBLOCKS, "badblocks"},
		{PME_BY_REGION, "region"},
		{PME_BY_USER, "user"},
	};
	struct json_object *array = pme_json_array_of(1);

	for (size_t i = 0; i < PME_ARRAY_SIZE(names); i++)
		if (known_by & names[i].bit)
			pme_json_append(array, pme_json_lossy(names[i].name));
	return array;
}

struct json_object *pme_dimms_json(const struct pme_topo *topo, const struct pme_dev *dev,
				   uint64_t offset)
{
	struct json_object *array = pme_json_array_of(1); /* of a region that is not interleaved */
	const struct pme_region *region = pme_dev_region(dev);
	_cleanup_free_ const char **names = NULL;
	size_t count = 0;

	if (!region ||
	    pme_topo_dimms_at(topo, region, pme_dev_physical(dev, offset), &names, &count) < 0)
		return array;
	for (size_t i = 0; i < count; i++)
		pme_json_append(array, pme_json_lossy(names[i]));
	return array;
}

/* Members that say which device a range is on: shared by findings, lists and pieces of files. */
void pme_json_device(struct json_object *object, const struct pme_topo *topo,
		     const struct pme_dev *dev, uint64_t offset)
{
	const struct pme_region *region = pme_dev_region(dev);

	pme_json_text(object, "device", dev->name);
	pme_json_text(object, "namespace", dev->ns ? dev->ns->name : NULL);
	pme_json_text(object, "mode", dev->ns ? pme_mode_name(dev->ns->mode) : NULL);
	pme_json_text(object, "region", region ? region->name : NULL);
	pme_json_set(object, "dimms", pme_dimms_json(topo, dev, offset));
}

static struct json_object *finding_json(const struct pme_topo *topo,
					const struct pme_finding *finding, struct shown_fs *shown)
{
	struct json_object *object = pme_json_object();
	struct json_object *claims = pme_json_array_of(finding->n_claims);

	for (size_t i = 0; i < finding->n_claims; i++)
		pme_json_append(claims, claim_json(&finding->claims[i], shown));
	pme_json_owned_text(object, "id", pme_finding_id(finding));
	pme_json_device(object, topo, finding->dev, finding->range.start);
	pme_json_range(object, "range", finding->range);
	pme_json_number(object, "physical_address",
			pme_dev_physical(finding->dev, finding->range.start));
	pme_json_set(object, "known_by", pme_known_by_json(finding->known_by));
	pme_json_text(object, "verdict", pme_verdict_name(finding->verdict));
	pme_json_set(object, "claims", claims);
	return object;
}

struct json_object *pme_findings_json(const struct pme_topo *topo,
				      const struct pme_findings *findings)
{
	struct json_object *array = pme_json_array_of(findings->count);
	struct shown_fs shown = {0};

	for (size_t i = 0; i < findings->count; i++)
		pme_json_append(array, finding_json(topo, &findings->items[i], &shown));
	json_object_put(shown.object);
	return array;
}

/* Findings that are printed by several threads: each part is some that follow each other. */
struct printing {
	const struct pme_topo *topo;
	const struct pme_findings *findings;
	struct pme_json_printed parts[PARTS];
};

static int print_part(void *arg, size_t i)
{
	struct printing *printing = arg;
	const struct pme_findings *findings = printing->findings;
	struct shown_fs shown = {0};

	printing->parts[i].depth = 2;
	for (size_t k = i * findings->count / PARTS; k < (i + 1) * findings->count / PARTS; k++)
		pme_json_printed_append(&printing->parts[i],
					finding_json(printing->topo, &findings->items[k], &shown));
	json_object_put(shown.object);
	return 0;
}

struct json_object *pme_findings_printed(const struct pme_topo *topo,
					 const struct pme_findings *findings)
{
	struct printing printing = {.topo = topo, .findings = findings};
	struct json_object *array = pme_json_array_of(PARTS);

	if (pme_crew_each(PARTS, print_part, &printing, NULL) < 0)
		pme_json_lose();
	for (size_t i = 0; i < PARTS; i++)
		pme_json_printed_end(&printing.parts[i], array);
	return array;
}

static bool names_a_file(const struct pme_claim *claim)
{
	return claim->file &&
	       (claim->verdict == PME_LOST || claim->verdict == PME_RECOVERABLE ||
		claim->verdict == PME_METADATA_AT_RISK || claim->verdict == PME_VERDICT_UNKNOWN);
}

/* A file that is met on two devices of its filesystem is one; of unknown ones nobody can tell. */
static int compare_files(const void *a, const void *b)
{
	const struct pme_file *x = *(const struct pme_file *const *)a;
	const struct pme_file *y = *(const struct pme_file *const *)b;

	if (x->devno != y->devno)
		return x->devno < y->devno ? -1 : 1;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->devno != 0)
		return 0;
	return (uintptr_t)x < (uintptr_t)y ? -1 : x != y;
}

/* How many different files lose something, or -ENOMEM. */
static int count_files(const struct pme_findings *findings, uint64_t *ret)
{
	_cleanup_free_ const struct pme_file **files = NULL;
	size_t count = 0, alloc = 0;

	*ret = 0;
	for (size_t i = 0; i < findings->count; i++) {
		const struct pme_finding *finding = &findings->items[i];

		for (size_t c = 0; c < finding->n_claims; c++) {
			if (!names_a_file(&finding->claims[c]))
				continue;
			if (pme_grow(&files, &alloc, count, sizeof(*files)) < 0)
				return -ENOMEM;
			files[count++] = finding->claims[c].file;
		}
	}
	if (count > 1)
		qsort(files, count, sizeof(*files), compare_files);
	for (size_t i = 0; i < count; i++)
		*ret += i == 0 || compare_files(&files[i - 1], &files[i]) != 0;
	return 0;
}

struct json_object *pme_findings_summary_json(const struct pme_findings *findings)
{
	static const struct {
		enum pme_verdict verdict;
		const char *key;
	} sums[] = {
		{PME_LOST, "lost_bytes"},
		{PME_RECOVERABLE, "recoverable_bytes"},
		{PME_METADATA_AT_RISK, "metadata_at_risk_bytes"},
		{PME_VERDICT_UNKNOWN, "unknown_bytes"},
		{PME_HARMLESS, "harmless_bytes"},
	};
	struct json_object *object = pme_json_object();
	uint64_t bad = 0, files = 0, quarantined = 0, bytes = 0;

	for (size_t i = 0; i < findings->count; i++)
		bad += findings->items[i].range.length;
	if (count_files(findings, &files) < 0)
		pme_json_lose();
	pme_json_number(object, "findings", findings->count);
	pme_json_number(object, "bad_bytes", bad);
	pme_json_number(object, "files", files);
	for (size_t s = 0; s < PME_ARRAY_SIZE(sums); s++) {
		uint64_t total = 0;

		for (size_t i = 0; i < findings->count; i++)
			if (pme_finding_bytes(&findings->items[i], sums[s].verdict, &bytes) == 0)
				total += bytes;
			else
				pme_json_lose();
		pme_json_number(object, sums[s].key, total);
	}
	for (size_t i = 0; i < findings->count; i++) {
		if (pme_finding_quarantined(&findings->items[i], &bytes) < 0)
			pme_json_lose();
		quarantined += bytes;
	}
	pme_json_number(object, "quarantined_bytes", quarantined);
	return object;
}
