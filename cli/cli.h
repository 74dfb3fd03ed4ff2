/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line: one row per command, one object per invocation.
 *
 * A command fills a JSON document; text output is rendered from that same document, so that neither
 * can say what the other does not.
 */
#ifndef PME_CLI_H
#define PME_CLI_H

#include <json-c/json.h>

#include "doc.h"
#include "scan.h"

/* Options that only some commands take: bits of cmd.options. */
enum cli_option {
	CLI_RANGES = 1,	   /* --range, --badblocks, --block-size */
	CLI_UNHEALTHY = 2, /* -x */
};

struct cli {
	int argc;
	char **argv;
	const struct pme_os *os;
	bool json, quiet, color, unhealthy;
	int verbose;
	char **ranges, **lists; /* of --range and --badblocks; strings borrowed from argv */
	size_t n_ranges, alloc_ranges, n_lists, alloc_lists;
	uint64_t block_size;
	char **args; /* what is left: selectors, files */
	size_t n_args;
	struct pme_log log;
	int exit_status; /* PME_EXIT_* */
};

struct cmd {
	const char *name;
	const char *format; /* of its document: "pmemctl.scan" */
	const char *usage;  /* "[SEL…] [--range …]" */
	const char *summary;
	const char *help; /* what its options do; may be "" */
	unsigned int options;
	size_t min_args, max_args;
	/* Fill @doc and cli->exit_status.  0 or -errno, said in cli->log; -EINVAL is a usage error.
	 */
	int (*run)(struct cli *cli, struct json_object *doc);
	/* The members that run() would have filled, empty: so that the document keeps its shape. */
	void (*empty)(struct json_object *doc);
	void (*text)(const struct cli *cli, struct json_object *doc);
};

extern const struct cmd cmd_status, cmd_list, cmd_scan, cmd_explain, cmd_where;

/* Arguments of a scan as the command line has them. */
struct pme_scan_args cli_scan_args(const struct cli *cli);

#endif
