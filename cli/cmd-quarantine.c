/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl quarantine: the bad blocks that repairs have parked, and the way back.
 */
#include <string.h>

#include "cli.h"
#include "quarantine-list.h"
#include "text.h"

#define LINES_MAX 8 /* about one file in quarantine */

static void empty_quarantine(struct json_object *doc)
{
	const struct pme_quarantines none = {0};

	pme_json_text(doc, "action", NULL);
	pme_quarantines_json(&none, doc);
}

static int usage(struct cli *cli, const char *subject, const char *text)
{
	pme_log_add(&cli->log, PME_ERROR, subject, "%s", text);
	return -EINVAL;
}

static int exit_status(const struct pme_quarantines *quarantines)
{
	int status = 0;

	for (size_t i = 0; i < quarantines->count; i++) {
		for (size_t f = 0; f < quarantines->items[i]->count; f++) {
			const struct pme_parked *file = &quarantines->items[i]->files[f];

			if (!file->chosen)
				continue;
			if (file->state == PME_PARKED_BAD)
				status |= PME_EXIT_BAD;
			if (file->outcome && file->outcome != pme_released)
				status |= PME_EXIT_ERROR;
		}
	}
	return status;
}

/* What is there still, and nobody knows whether it is bad. */
static void note_unknown(struct cli *cli, const struct pme_quarantine *quarantine)
{
	size_t count = 0;

	for (size_t f = 0; f < quarantine->count; f++) {
		const struct pme_parked *file = &quarantine->files[f];

		count += file->chosen && file->state == PME_PARKED_UNKNOWN &&
			 file->outcome != pme_released;
	}
	if (count > 0)
		pme_log_incomplete(&cli->log, pme_fs_subject(&quarantine->fs),
				   "of %zu of its files in quarantine it is not known whether they "
				   "are still bad",
				   count);
}

/* Whose they were is good to know, and no more: the list stands without. */
static void ask_sources(struct cli *cli, struct pme_quarantines *quarantines)
{
	_cleanup_free_ char *path = cli_store_path(cli);
	int r = path ? pme_quarantines_ask_sources(quarantines, path) : -ENOMEM;

	if (r < 0)
		pme_log_incomplete(&cli->log, path ? path : "store",
				   "cannot be read: whose blocks are in quarantine is not known");
}

static int run_load(struct cli *cli, bool release, struct json_object *doc)
{
	struct pme_scan_args args = cli_scan_args(cli);
	struct pme_release_args names = {
		.names = cli->args + 1,
		.n_names = cli->n_args - 1,
		.force = cli->force,
	};
	struct pme_quarantines quarantines = {0};
	int r;

	args.selectors = release ? NULL : cli->args + 1;
	args.n_selectors = release ? 0 : cli->n_args - 1;
	r = pme_quarantines_load(cli->os, &args, &cli->log, &quarantines);
	if (r == 0)
		ask_sources(cli, &quarantines);
	if (r == 0 && release)
		r = pme_quarantines_release(&quarantines, &names, &cli->log);
	if (r == 0) {
		pme_json_text(doc, "action", release ? "release" : "list");
		pme_quarantines_json(&quarantines, doc);
		cli->exit_status = exit_status(&quarantines);
		for (size_t i = 0; i < quarantines.count; i++)
			note_unknown(cli, quarantines.items[i]);
	} else {
		empty_quarantine(doc);
	}
	pme_quarantines_done(&quarantines);
	return r;
}

static int run_quarantine(struct cli *cli, struct json_object *doc)
{
	const char *what = cli->args[0];
	bool release = strcmp(what, "release") == 0;
	int r = 0;

	if (!release && strcmp(what, "list") != 0)
		r = usage(cli, what, "expected list or release");
	else if (release && cli->n_args < 2)
		r = usage(cli, what,
			  "which file? a name that pmemctl quarantine list shows, or all");
	else if (!release && cli->force)
		r = usage(cli, "--force", "this belongs to release");
	if (r < 0) {
		empty_quarantine(doc);
		return r;
	}
	return run_load(cli, release, doc);
}

static void piece_text(struct json_object *piece)
{
	struct json_object *via = pme_json_get(piece, "via");
	struct json_object *hop = pme_json_at(via, 0);
	const char *reason = pme_json_get_text(piece, "reason");

	printf("        ");
	text_bytes(pme_json_get_number(pme_json_get(piece, "range"), "length"));
	printf(" at byte %llu of ", (unsigned long long)pme_json_get_number(hop, "start"));
	text_name(pme_json_get_text(hop, "device"));
	if (pme_json_count(pme_json_get(piece, "dimms")) > 0) {
		printf(" on ");
		text_join(pme_json_get(piece, "dimms"));
	}
	if (*reason) {
		printf(" (");
		text_name(reason);
		printf(")");
	}
	printf("\n");
}

static void source_text(struct json_object *source)
{
	struct json_object *range = pme_json_get(source, "range");

	printf("        from ");
	text_path(source);
	printf(", ");
	text_bytes(pme_json_get_number(range, "length"));
	printf(" at byte %llu\n", (unsigned long long)pme_json_get_number(range, "start"));
}

/* The first of them, or with -v all. */
static void each_text(const struct cli *cli, struct json_object *array, const char *what,
		      void (*text)(struct json_object *item))
{
	size_t count = pme_json_count(array);
	size_t shown = cli->verbose || count <= LINES_MAX + 1 ? count : LINES_MAX;

	for (size_t i = 0; i < shown; i++)
		text(pme_json_at(array, i));
	if (shown < count)
		printf("        and %zu more %s (-v shows all)\n", count - shown, what);
}

static void release_text(struct json_object *release)
{
	if (!release)
		return;
	printf("        %s: ", pme_json_get_text(release, "outcome"));
	text_name(pme_json_get_text(release, "reason"));
	printf("\n");
}

static void file_text(const struct cli *cli, struct json_object *file)
{
	struct json_object *pieces = pme_json_get(file, "pieces");
	struct json_object *sources = pme_json_get(file, "sources");
	const char *state = pme_json_get_text(file, "state");
	const char *reason = pme_json_get_text(file, "reason");
	uint64_t bad = pme_json_get_number(file, "bad_bytes");

	printf("    ");
	text_path(file);
	printf(": ");
	text_bytes(pme_json_get_number(file, "bytes"));
	printf(" since %.19s: %s", pme_json_get_text(file, "since"), state);
	if (bad > 0) {
		printf(", ");
		text_bytes(bad);
		printf(" of it");
	}
	printf("\n");
	if (*reason) {
		printf("        ");
		text_name(reason);
		printf("\n");
	}
	each_text(cli, sources, "pieces of files", source_text);
	if (pme_json_count(sources) > 0 && !pme_json_get_bool(file, "sources_complete"))
		printf("        and others: the journal makes no sense of them, or has too many\n");
	each_text(cli, pieces, "pieces of the device", piece_text);
	release_text(pme_json_get(file, "release"));
}

static void quarantine_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *filesystems = pme_json_get(doc, "filesystems");

	for (size_t i = 0; i < pme_json_count(filesystems); i++) {
		struct json_object *one = pme_json_at(filesystems, i);
		struct json_object *filesystem = pme_json_get(one, "filesystem");
		struct json_object *files = pme_json_get(one, "files");

		printf("%s ", pme_json_get_text(filesystem, "type"));
		text_name(pme_json_get_text(filesystem, "source"));
		printf(" on ");
		text_join(pme_json_get(filesystem, "mounts"));
		printf("\n");
		for (size_t f = 0; f < pme_json_count(files); f++)
			file_text(cli, pme_json_at(files, f));
	}
	if (pme_json_count(filesystems) == 0)
		printf("Nothing is in quarantine.\n");
}

const struct cmd cmd_quarantine = {
	.name = "quarantine",
	.format = "pmemctl.quarantine",
	.usage = "list [SEL…] | release [--force] FILE… | release [--force] all",
	.summary = "bad blocks that repairs have parked: show them, give them back",
	.help = "\n"
		"  --force              release also what is still bad or cannot be read: the\n"
		"                       filesystem gives these blocks to files that grow\n"
		"  --range DEV:START+LEN, --badblocks FILE:DEV, --block-size BYTES\n"
		"                       these blocks are bad, too\n",
	.options = CLI_RANGES | CLI_FORCE,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.run = run_quarantine,
	.empty = empty_quarantine,
	.text = quarantine_text,
};
