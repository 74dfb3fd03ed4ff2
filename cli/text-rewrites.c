/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What layers write anew themselves, as text, from the document.
 */
#include <string.h>

#include "cli.h"
#include "text.h"

#define PLACES_MAX 8 /* without -v */

static void place_text(struct json_object *bad)
{
	struct json_object *range = pme_json_get(bad, "range");
	uint64_t start = pme_json_get_number(range, "start");

	printf("  ");
	text_name(pme_json_get_text(bad, "device"));
	printf(", bytes %llu to %llu, %s\n", (unsigned long long)start,
	       (unsigned long long)(start + pme_json_get_number(range, "length") - 1),
	       pme_json_get_text(bad, "kind"));
}

static const char *way_text(const char *how)
{
	if (strcmp(how, "md-check") == 0)
		return "md checks just this part, and writes anew what cannot be read (md-check)";
	return "btrfs scrubs this chunk of the device, and writes anew what is wrong (btrfs-scrub)";
}

static void fate_text(const struct cli *cli, struct json_object *rewrite)
{
	const char *outcome = pme_json_get_text(rewrite, "outcome");
	const char *refusal = pme_json_get_text(rewrite, "refusal");

	printf("    ");
	text_verdict(cli, strcmp(outcome, "planned") == 0 ? "recoverable" : outcome);
	printf(": ");
	if (strcmp(outcome, "refused") == 0)
		text_name(refusal);
	else if (strcmp(outcome, "planned") == 0)
		printf("%s", way_text(pme_json_get_text(rewrite, "how")));
	else if (strcmp(outcome, "repaired") == 0)
		printf("every copy was read back, and they agree");
	else if (strcmp(outcome, "sound") == 0)
		printf("nothing was wrong: every copy can be read, and they agree");
	else
		text_name(pme_json_get_text(rewrite, "error"));
	printf("\n");
}

static void rewrite_text(const struct cli *cli, struct json_object *rewrite)
{
	struct json_object *window = pme_json_get(rewrite, "window");
	struct json_object *bad = pme_json_get(rewrite, "bad");
	const char *name = pme_json_get_text(rewrite, "name");
	size_t count = pme_json_count(bad), shown = count;

	if (!cli->verbose && shown > PLACES_MAX)
		shown = PLACES_MAX;
	text_bytes(pme_json_get_number(window, "length"));
	printf(" of ");
	text_name(*name ? name : pme_json_get_text(rewrite, "device"));
	printf(", which holds these bytes more than once:\n");
	for (size_t i = 0; i < shown; i++)
		place_text(pme_json_at(bad, i));
	if (shown < count)
		printf("  and %zu more (-v)\n", count - shown);
	fate_text(cli, rewrite);
}

void text_rewrites(const struct cli *cli, struct json_object *rewrites)
{
	for (size_t i = 0; i < pme_json_count(rewrites); i++)
		rewrite_text(cli, pme_json_at(rewrites, i));
}

void text_rewrite_summary(const struct cli *cli, struct json_object *summary)
{
	uint64_t planned = pme_json_get_number(summary, "planned");
	uint64_t left = pme_json_get_number(summary, "left_bytes");
	uint64_t done = pme_json_get_number(summary, "repaired_bytes");

	if (planned + left + done + pme_json_get_number(summary, "sound") == 0)
		return;
	printf("Layers with copies: ");
	if (planned > 0) {
		text_bytes(pme_json_get_number(summary, "planned_bytes"));
		printf(" can be written anew");
	} else {
		text_bytes(done);
		printf(" written anew");
	}
	printf(", ");
	text_bytes(left);
	printf(" stay bad.%s\n", planned > 0 && !cli->apply
					 ? "  Nothing was changed: pmemctl repair --apply does it."
					 : "");
}
