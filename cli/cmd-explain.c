/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl explain: the address arithmetic, step by step.
 */
#include "cli.h"

#include <string.h>

#include "explain.h"
#include "text.h"

static int run_explain(struct cli *cli, struct json_object *doc)
{
	struct pme_scan_args args = cli_scan_args(cli);
	struct pme_scan scan = {0};
	int r;

	args.ranges = cli->args;
	args.n_ranges = cli->n_args;
	args.selectors = NULL;
	args.n_selectors = 0;
	r = pme_scan_run(cli->os, &args, &cli->log, &scan);
	if (r == 0) {
		pme_scan_json(&scan, doc);
		pme_explain_json(&scan, doc);
		cli->exit_status = pme_scan_exit(&scan, &cli->log) & ~PME_EXIT_BAD;
	} else {
		pme_scan_json_empty(doc);
	}
	pme_scan_done(&scan);
	return r;
}

static const char *step_text(struct json_object *steps, size_t i)
{
	return pme_json_get_text(pme_json_at(steps, i), "text");
}

/* Steps that the claim before took as well are not said again. */
static size_t common_steps(struct json_object *steps, struct json_object *before)
{
	size_t n = 0;

	while (n < pme_json_count(steps) && n < pme_json_count(before) &&
	       strcmp(step_text(steps, n), step_text(before, n)) == 0)
		n++;
	return n;
}

static void claim_text(const struct cli *cli, struct json_object *claim, struct json_object *before)
{
	struct json_object *steps = pme_json_get(claim, "steps");
	struct json_object *paths = pme_json_get(pme_json_get(claim, "owner"), "paths");

	for (size_t i = common_steps(steps, before); i < pme_json_count(steps); i++) {
		printf("  ");
		text_name(step_text(steps, i));
		printf("\n");
	}
	for (size_t i = 0; i < pme_json_count(paths); i++) {
		printf("       ");
		text_path(pme_json_at(paths, i));
		printf("\n");
	}
	printf("       verdict, if it is bad: ");
	text_verdict(cli, pme_json_get_text(claim, "verdict"));
	printf("\n");
}

static void explain_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *findings = pme_json_get(doc, "findings");
	struct json_object *before = NULL;

	for (size_t i = 0; i < pme_json_count(findings); i++) {
		struct json_object *finding = pme_json_at(findings, i);
		struct json_object *claims = pme_json_get(finding, "claims");
		struct json_object *range = pme_json_get(finding, "range");
		uint64_t start = pme_json_get_number(range, "start");

		printf("%s bytes %llu to %llu (sector %llu)\n",
		       pme_json_get_text(finding, "device"), (unsigned long long)start,
		       (unsigned long long)(start + pme_json_get_number(range, "length") - 1),
		       (unsigned long long)(start / PME_SECTOR));
		for (size_t c = 0; c < pme_json_count(claims); c++) {
			struct json_object *claim = pme_json_at(claims, c);

			claim_text(cli, claim, before);
			before = pme_json_get(claim, "steps");
		}
	}
}

const struct cmd cmd_explain = {
	.name = "explain",
	.format = "pmemctl.explain",
	.usage = "[--deadline TIME] DEV:START[+LEN]…",
	.summary = "the address arithmetic of a place, step by step, from DIMM to file",
	.help = "\n  --deadline TIME  answer after this time with what is known then\n",
	.options = CLI_DEADLINE,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.run = run_explain,
	.empty = pme_scan_json_empty,
	.text = explain_text,
};
