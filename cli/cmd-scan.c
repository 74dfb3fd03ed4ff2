/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl scan: bad ranges -> findings.
 */
#include "cli.h"
#include "list.h"
#include "text.h"

static void empty_scan(struct json_object *doc)
{
	pme_scan_json_empty(doc);
	pme_list_json_empty(doc);
}

static int run_scan(struct cli *cli, struct json_object *doc)
{
	struct pme_scan_args args = cli_scan_args(cli);
	struct pme_scan scan = {0};
	int r = pme_scan_run(cli->os, &args, &cli->log, &scan);

	if (r == 0) {
		if (cli->json)
			pme_scan_json_printed(&scan, doc);
		else
			pme_scan_json(&scan, doc);
		pme_list_json(&scan, doc);
		cli->exit_status = pme_scan_exit(&scan, &cli->log);
	} else {
		empty_scan(doc);
	}
	pme_scan_done(&scan);
	return r;
}

static void scan_text(const struct cli *cli, struct json_object *doc)
{
	text_findings(cli, doc);
	text_summary(cli, doc);
}

const struct cmd cmd_scan = {
	.name = "scan",
	.format = "pmemctl.scan",
	.usage = "[SEL…] [--range DEV:START+LEN]… [--badblocks FILE:DEV]… [--block-size BYTES]"
		 " [--deadline TIME]",
	.summary = "map bad ranges to the files, metadata and processes that they hit",
	.help = "\n"
		"      --range DEV:START+LEN  ask about these bytes of any block device, bad or "
		"not\n"
		"                             (suffixes: s sectors, k, m, g, t)\n"
		"      --badblocks FILE:DEV   the same for a list: lines \"SECTOR COUNT\", or one\n"
		"                             block number per line as badblocks(8) prints\n"
		"      --block-size BYTES     unit of a list with one number per line (1024)\n"
		"      --deadline TIME        answer after this time with what is known then\n",
	.options = CLI_RANGES | CLI_DEADLINE,
	.max_args = SIZE_MAX,
	.run = run_scan,
	.empty = empty_scan,
	.text = scan_text,
};
