/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text of pmemctl doctor: what is worst comes first, each row with its reason and what to do.
 */
#include <string.h>

#include "text.h"

static void line_text(const char *what, const char *text)
{
	if (!*text)
		return;
	printf("    %s", what);
	text_name(text);
	printf("\n");
}

static void check_text(const struct cli *cli, struct json_object *check)
{
	const char *result = pme_json_get_text(check, "result");
	bool is_fine = strcmp(result, "ok") == 0 || strcmp(result, "does-not-apply") == 0;

	text_verdict(cli, result);
	printf("  ");
	text_name(pme_json_get_text(check, "subject"));
	printf(": %s ", pme_json_get_text(check, "asks"));
	text_name(pme_json_get_text(check, "found"));
	printf("\n");
	if (is_fine)
		return;
	line_text("why: ", pme_json_get_text(check, "why"));
	line_text("do:  ", pme_json_get_text(check, "todo"));
	line_text("     ", pme_json_get_text(check, "command"));
}

static void rows_text(const struct cli *cli, struct json_object *checks, const char *result)
{
	for (size_t i = 0; i < pme_json_count(checks); i++)
		if (strcmp(pme_json_get_text(pme_json_at(checks, i), "result"), result) == 0)
			check_text(cli, pme_json_at(checks, i));
}

void text_doctor(const struct cli *cli, struct json_object *doc)
{
	static const char *const results[] = {"problem", "unknown", "advice", "ok",
					      "does-not-apply"};
	struct json_object *summary = pme_json_get(doc, "summary");

	for (size_t i = 0; i < PME_ARRAY_SIZE(results); i++)
		if (i < 3 || cli->verbose)
			rows_text(cli, pme_json_get(doc, "checks"), results[i]);
	printf("%llu problems, %llu unknown, %llu advice, %llu ok, %llu do not apply%s\n",
	       (unsigned long long)pme_json_get_number(summary, "problem"),
	       (unsigned long long)pme_json_get_number(summary, "unknown"),
	       (unsigned long long)pme_json_get_number(summary, "advice"),
	       (unsigned long long)pme_json_get_number(summary, "ok"),
	       (unsigned long long)pme_json_get_number(summary, "does-not-apply"),
	       cli->verbose ? "" : " (-v shows all)");
}
