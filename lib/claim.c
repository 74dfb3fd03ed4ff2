/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of kinds, certainties and verdicts, and the life of files and holders; see claim.h.
 */
#include "claim.h"

#include <assert.h>

static const char *const owner_names[] = {
	[PME_OWNER_FILE_DATA] = "file-data",
	[PME_OWNER_FILE_XATTR] = "file-xattr",
	[PME_OWNER_DIRECTORY] = "directory",
	[PME_OWNER_SYMLINK] = "symlink",
	[PME_OWNER_FS_METADATA] = "fs-metadata",
	[PME_OWNER_FS_JOURNAL] = "fs-journal",
	[PME_OWNER_UNWRITTEN] = "unwritten",
	[PME_OWNER_FREE] = "free",
	[PME_OWNER_COW_STAGING] = "cow-staging",
	[PME_OWNER_SWAP] = "swap",
	[PME_OWNER_RAW_DEVICE] = "raw-device",
	[PME_OWNER_DEVDAX] = "devdax",
	[PME_OWNER_RAID_PARITY] = "raid-parity",
	[PME_OWNER_RAID_METADATA] = "raid-metadata",
	[PME_OWNER_VOLUME_METADATA] = "volume-metadata",
	[PME_OWNER_CACHE_COPY] = "cache-copy",
	[PME_OWNER_SNAPSHOT_STORE] = "snapshot-store",
	[PME_OWNER_PARTITION_TABLE] = "partition-table",
	[PME_OWNER_NAMESPACE_METADATA] = "namespace-metadata",
	[PME_OWNER_UNUSED] = "unused",
	[PME_OWNER_UNKNOWN] = "unknown",
};
static_assert(PME_ARRAY_SIZE(owner_names) == PME_OWNER_UNKNOWN + 1, "a name for each kind");

static const char *const certainty_names[] = {
	[PME_EXACT] = "exact",
	[PME_REDUNDANT] = "redundant",
	[PME_UNCERTAIN] = "unknown",
};
static_assert(PME_ARRAY_SIZE(certainty_names) == PME_UNCERTAIN + 1, "a name for each certainty");

static const char *const verdict_names[] = {
	[PME_HARMLESS] = "harmless",
	[PME_RECOVERABLE] = "recoverable",
	[PME_VERDICT_UNKNOWN] = "unknown",
	[PME_METADATA_AT_RISK] = "metadata-at-risk",
	[PME_LOST] = "lost",
};
static_assert(PME_ARRAY_SIZE(verdict_names) == PME_LOST + 1, "a name for each verdict");

static const char *const use_names[] = {
	[PME_USE_SWAP_FILE] = "swap-file", [PME_USE_LOOP_IMAGE] = "loop-image",
	[PME_USE_VM_IMAGE] = "vm-image",   [PME_USE_POOL] = "pmem-pool",
	[PME_USE_DATABASE] = "database",
};
static_assert(PME_ARRAY_SIZE(use_names) == PME_USE_DATABASE + 1, "a name for each use");

static const char *const use_sources[] = {
	[PME_USE_BY_KERNEL] = "kernel",
	[PME_USE_BY_HEADER] = "header",
	[PME_USE_BY_HOLDER] = "holder",
};
static_assert(PME_ARRAY_SIZE(use_sources) == PME_USE_BY_HOLDER + 1, "a name for each source");

const char *pme_use_name(enum pme_use_kind kind)
{
	return use_names[kind];
}

const char *pme_use_source_name(enum pme_use_source source)
{
	return use_sources[source];
}

struct pme_use *pme_use_free(struct pme_use *use)
{
	if (!use)
		return NULL;
	free(use->what);
	free(use->name);
	free(use->command);
	free(use);
	return NULL;
}

const char *pme_owner_name(enum pme_owner_kind kind)
{
	return owner_names[kind];
}

const char *pme_certainty_name(enum pme_certainty certainty)
{
	return certainty_names[certainty];
}

const char *pme_verdict_name(enum pme_verdict verdict)
{
	return verdict_names[verdict];
}

static enum pme_verdict verdict_of_kind(enum pme_owner_kind kind)
{
	switch (kind) {
	case PME_OWNER_FILE_DATA:
	case PME_OWNER_FILE_XATTR:
	case PME_OWNER_SYMLINK:
	case PME_OWNER_SWAP:
	case PME_OWNER_RAW_DEVICE:
	case PME_OWNER_DEVDAX:
	case PME_OWNER_CACHE_COPY:
	case PME_OWNER_SNAPSHOT_STORE:
		return PME_LOST;
	case PME_OWNER_DIRECTORY:
	case PME_OWNER_FS_METADATA:
	case PME_OWNER_FS_JOURNAL:
	case PME_OWNER_RAID_METADATA:
	case PME_OWNER_VOLUME_METADATA:
	case PME_OWNER_PARTITION_TABLE:
	case PME_OWNER_NAMESPACE_METADATA:
		return PME_METADATA_AT_RISK;
	case PME_OWNER_UNWRITTEN:
	case PME_OWNER_FREE:
	case PME_OWNER_COW_STAGING:
	case PME_OWNER_RAID_PARITY:
	case PME_OWNER_UNUSED:
		return PME_HARMLESS;
	case PME_OWNER_UNKNOWN:
		return PME_VERDICT_UNKNOWN;
	}
	return PME_VERDICT_UNKNOWN;
}

enum pme_verdict pme_verdict_of(enum pme_owner_kind kind, enum pme_certainty certainty)
{
	switch (certainty) {
	case PME_EXACT:
		return verdict_of_kind(kind);
	case PME_REDUNDANT: /* of a clean copy in a cache the original is what counts */
		return verdict_of_kind(kind) == PME_HARMLESS || kind == PME_OWNER_CACHE_COPY
			       ? PME_HARMLESS
			       : PME_RECOVERABLE;
	case PME_UNCERTAIN:
		return PME_VERDICT_UNKNOWN;
	}
	return PME_VERDICT_UNKNOWN;
}

void pme_holder_done(struct pme_holder *holder)
{
	free(holder->command);
	free(holder->unit);
	free(holder->container);
	free(holder->map_entry);
	pme_range_list_done(&holder->mapped_ranges);
	*holder = (struct pme_holder){.fd = -1};
}

struct pme_file *pme_file_free(struct pme_file *file)
{
	if (!file)
		return NULL;
	for (size_t i = 0; i < file->n_paths; i++)
		free(file->paths[i]);
	for (size_t i = 0; i < file->n_holders; i++)
		pme_holder_done(&file->holders[i]);
	free(file->paths);
	free(file->holders);
	free(file->aliases);
	free(file->paths_reason);
	pme_use_free(file->use);
	free(file);
	return NULL;
}

int pme_file_add_path(struct pme_file *file, char *path)
{
	_cleanup_free_ char *owned = path;
	int r;

	if (!path)
		return -ENOMEM;
	r = pme_grow(&file->paths, &file->alloc_paths, file->n_paths, sizeof(*file->paths));
	if (r < 0)
		return r;
	file->paths[file->n_paths++] = pme_take_ptr(owned);
	return 0;
}

int pme_file_add_alias(struct pme_file *file, const struct pme_alias *alias)
{
	int r = pme_grow(&file->aliases, &file->alloc_aliases, file->n_aliases,
			 sizeof(*file->aliases));

	if (r == 0)
		file->aliases[file->n_aliases++] = *alias;
	return r;
}
