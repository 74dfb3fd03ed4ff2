/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl clear: zeros over a bad range that nobody needs.
 */
#include <string.h>

#include "clear.h"
#include "cli.h"
#include "options.h"
#include "text.h"

static void empty_clear(struct json_object *doc)
{
	pme_clear_json(NULL, false, doc);
}

static int exit_status(enum pme_clear_state state)
{
	switch (state) {
	case PME_CLEAR_PLANNED:
	case PME_CLEAR_CLEARED:
		return 0;
	case PME_CLEAR_REFUSED:
		return PME_EXIT_ERROR;
	case PME_CLEAR_PARTLY:
	case PME_CLEAR_FAILED:
		return PME_EXIT_BAD | PME_EXIT_ERROR;
	}
	return PME_EXIT_ERROR;
}

static int run_clear(struct cli *cli, struct json_object *doc)
{
	const struct pme_clear_args args = {
		.range = cli->args[0],
		.dry_run = cli->dry_run,
		.force = cli->force,
		.give_up = cli->give_up != NULL,
	};
	struct pme_clear clear = {0};
	int r = options_check_give_up(cli);

	if (r == 0)
		r = pme_clear_run(cli->os, &args, &cli->log, &clear);
	if (r == 0) {
		pme_clear_json(&clear, cli->dry_run, doc);
		cli->exit_status = exit_status(clear.state);
	} else {
		empty_clear(doc);
	}
	pme_clear_done(&clear);
	return r;
}

static void range_text(struct json_object *range)
{
	uint64_t start = pme_json_get_number(range, "start");

	printf("bytes %llu to %llu", (unsigned long long)start,
	       (unsigned long long)(start + pme_json_get_number(range, "length") - 1));
}

static void piece_text(struct json_object *piece)
{
	struct json_object *paths = pme_json_get(piece, "paths");
	const char *detail = pme_json_get_text(piece, "detail");
	const char *reason = pme_json_get_text(piece, "reason");

	printf("    ");
	range_text(pme_json_get(piece, "range"));
	printf(": %s", pme_json_get_text(piece, "owner"));
	if (*detail) {
		printf(", ");
		text_name(detail);
	}
	for (size_t i = 0; i < pme_json_count(paths); i++) {
		printf("%s", i ? ", " : " of ");
		text_path(pme_json_at(paths, i));
	}
	printf("\n");
	if (*reason) {
		printf("        ");
		text_name(reason);
		printf("\n");
	}
}

static void list_text(struct json_object *doc, const char *key, const char *what)
{
	struct json_object *ranges = pme_json_get(doc, key);

	for (size_t i = 0; i < pme_json_count(ranges); i++) {
		printf("    %s: ", what);
		range_text(pme_json_at(ranges, i));
		printf("\n");
	}
}

static void clear_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *target = pme_json_get(doc, "target");
	struct json_object *way = pme_json_get(doc, "way");
	struct json_object *pieces = pme_json_get(doc, "pieces");
	const char *reason = pme_json_get_text(doc, "reason");

	if (target) {
		printf("%s: ", pme_json_get_text(target, "device"));
		range_text(pme_json_get(target, "range"));
		printf("\n");
	}
	if (way) {
		printf("    %s; does that clear? %s: ",
		       strcmp(pme_json_get_text(way, "path"), "clear-error") == 0
			       ? "by the command of the bus"
			       : "by writing zeros to the device",
		       pme_json_get_text(way, "works"));
		text_name(pme_json_get_text(way, "reason"));
		printf("\n");
	}
	for (size_t i = 0; i < pme_json_count(pieces); i++)
		piece_text(pme_json_at(pieces, i));
	list_text(doc, "failed", "could not be cleared");
	list_text(doc, "unreadable", "cannot be read back");
	list_text(doc, "still_bad", "still listed as bad");
	printf("%s", pme_json_get_text(doc, "state"));
	if (*reason) {
		printf(": ");
		text_name(reason);
	}
	printf("\n");
}

const struct cmd cmd_clear = {
	.name = "clear",
	.format = "pmemctl.clear",
	.usage = "[--dry-run] [--force] [--give-up zero] DEV:START+LEN",
	.summary = "overwrite a bad range that nobody needs, so that it can be used again",
	.help = "\n"
		"  --dry-run  only say what would be done, and whether it works on this bus\n"
		"  --force    try also where the bus is known not to clear\n"
		"  --give-up zero\n"
		"             zeros also for bad bytes of a devdax device that nobody has open\n\n"
		"What has an owner is refused, with or without --force.\n",
	.options = CLI_FORCE | CLI_DRY_RUN | CLI_GIVE_UP,
	.min_args = 1,
	.max_args = 1,
	.run = run_clear,
	.empty = empty_clear,
	.text = clear_text,
};
