/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl status: the one-screen answer, laid out like zpool status.
 */
#include "status.h"

#include <string.h>

#include "cli.h"
#include "history.h"
#include "text.h"

#define FILES_SHOWN 10 /* without -v */

static void empty_status(struct json_object *doc)
{
	pme_status_json_empty(doc);
	pme_scan_json_empty(doc);
	history_json_empty(doc);
}

static int run_status(struct cli *cli, struct json_object *doc)
{
	struct pme_scan_args args = cli_scan_args(cli);
	struct pme_scan scan = {0};
	int r = pme_scan_run(cli->os, &args, &cli->log, &scan);

	if (r == 0) {
		pme_status_json(&scan, &cli->log, cli->unhealthy, doc);
		pme_scan_json(&scan, doc);
		history_json(cli, doc);
		history_note_unfinished(cli);
		cli->exit_status = pme_scan_exit(&scan, &cli->log);
	} else {
		empty_status(doc);
	}
	pme_scan_done(&scan);
	return r;
}

static void label(const char *name)
{
	printf("%8s: ", name);
}

/* Width of the widest name column, and the rows below it. */
static size_t name_width(struct json_object *nodes, size_t depth)
{
	size_t width = 0;

	for (size_t i = 0; i < pme_json_count(nodes); i++) {
		struct json_object *node = pme_json_at(nodes, i);
		size_t own = 2 * depth + strlen(pme_json_get_text(node, "name"));

		width = pme_max(width, own);
		width = pme_max(width, name_width(pme_json_get(node, "children"), depth + 1));
	}
	return width;
}

static void mounts_text(struct json_object *node)
{
	struct json_object *mounts = pme_json_get(node, "mounts");
	const char *type = pme_json_get_text(node, "filesystem");

	if (*type)
		printf("  %s", type);
	if (pme_json_count(mounts) > 0) {
		printf(" on ");
		text_join(mounts);
	}
}

static void node_text(const struct cli *cli, struct json_object *node, size_t depth, size_t width)
{
	const char *name = pme_json_get_text(node, "name");
	const char *state = pme_json_get_text(node, "state");
	uint64_t bad = pme_json_get_number(node, "bad_bytes");
	size_t used = 2 * depth + strlen(name);

	printf("          %*s", (int)(2 * depth), "");
	text_name(name);
	printf("%*s  ", (int)(width > used ? width - used : 0), "");
	text_verdict(cli, state);
	printf("%*s", (int)(strlen(state) < 18 ? 18 - strlen(state) : 1), "");
	printf("%-14s ", pme_json_get_text(node, "detail"));
	if (pme_json_get(node, "size"))
		text_bytes(pme_json_get_number(node, "size"));
	mounts_text(node);
	if (bad > 0) {
		printf("  <- ");
		text_bytes(bad);
		printf(" bad");
	}
	printf("\n");
}

static void tree_text(const struct cli *cli, struct json_object *nodes, size_t depth, size_t width)
{
	for (size_t i = 0; i < pme_json_count(nodes); i++) {
		struct json_object *node = pme_json_at(nodes, i);

		node_text(cli, node, depth, width);
		tree_text(cli, pme_json_get(node, "children"), depth + 1, width);
	}
}

/* Claims that name no inode: metadata, free space, unknown. */
static void others_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *findings = pme_json_get(doc, "findings");
	bool first = true;

	for (size_t i = 0; i < pme_json_count(findings); i++) {
		struct json_object *claims = pme_json_get(pme_json_at(findings, i), "claims");

		for (size_t c = 0; c < pme_json_count(claims); c++) {
			struct json_object *claim = pme_json_at(claims, c);
			const char *reason = pme_json_get_text(claim, "reason");

			if (pme_json_get(pme_json_get(claim, "owner"), "inode"))
				continue;
			if (first)
				printf("\n   other: bad blocks of no single file:\n\n");
			first = false;
			printf("    ");
			text_verdict(cli, pme_json_get_text(claim, "verdict"));
			printf("  ");
			text_owner(claim);
			if (*reason) {
				printf(": ");
				text_name(reason);
			}
			printf("\n");
		}
	}
}

static void status_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *tree = pme_json_get(doc, "tree");
	bool healthy = strcmp(pme_json_get_text(doc, "state"), "healthy") == 0;

	if (cli->unhealthy && healthy) {
		printf("%s\n", pme_json_get_text(doc, "status"));
		return;
	}
	label("host");
	text_name(pme_json_get_text(pme_json_get(doc, "host"), "name"));
	printf("\n");
	label("state");
	text_verdict(cli, pme_json_get_text(doc, "state"));
	printf("\n");
	label("status");
	printf("%s\n", pme_json_get_text(doc, "status"));
	if (!healthy) {
		label("action");
		text_name(pme_json_get_text(doc, "action"));
		printf("\n");
	}
	label("scan");
	printf("%s: ", pme_json_get_text(doc, "time"));
	text_summary(cli, doc);
	history_text(cli, doc);
	if (pme_json_count(tree) > 0) {
		printf("  config:\n\n");
		tree_text(cli, tree, 0, name_width(tree, 0));
	}
	if (pme_json_count(pme_json_get(doc, "findings")) == 0)
		return;
	text_files(cli, doc, cli->verbose ? 0 : FILES_SHOWN);
	others_text(cli, doc);
}

const struct cmd cmd_status = {
	.name = "status",
	.format = "pmemctl.status",
	.usage = "[-x] [-v] [--deadline TIME] [SEL…]",
	.summary = "one screen: state, what happened, what to do, devices, affected files",
	.help = "\n  -x, --unhealthy  only what is not healthy\n"
		"      --deadline TIME  answer after this time with what is known then\n",
	.options = CLI_UNHEALTHY | CLI_DEADLINE,
	.max_args = SIZE_MAX,
	.run = run_status,
	.empty = empty_status,
	.text = status_text,
};
