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
	CLI_EVENTS = 4,	   /* --since, --until, --type, --severity, --follow, --limit */
	CLI_HEALTH = 8,	   /* --health */
	CLI_PROTECT = 16,  /* --replica, --keep, --every, --rate, --purge */
	CLI_REPAIR = 32, /* --apply, --auto, --from, --accept-unproven, --give-up, --in-place, … */
	CLI_FORCE = 64,	 /* --force */
	CLI_DRY_RUN = 128,  /* --dry-run */
	CLI_DEADLINE = 256, /* --deadline */
	CLI_GIVE_UP = 512,  /* --give-up */
};

struct cli {
	int argc;
	char **argv;
	const struct pme_os *os;
	bool json, quiet, color, unhealthy, health, force, dry_run;
	int verbose;
	char **ranges, **lists; /* of --range and --badblocks; strings borrowed from argv */
	size_t n_ranges, alloc_ranges, n_lists, alloc_lists;
	uint64_t block_size;
	const char *since, *until, *type, *severity, *limit; /* as given, or NULL */
	bool follow;
	const char *replica, *keep, *every, *rate; /* as given, or NULL */
	bool purge;
	const char *from, *give_up; /* as given, or NULL */
	bool apply, automatic, accept_unproven, in_place, resume;
	char **args; /* what is left: selectors, files */
	size_t n_args;
	uint64_t deadline; /* nanoseconds that are given; UINT64_MAX: no end */
	bool lines, bar;   /* --progress; a bar stands on the terminal */
	struct pme_progress progress;
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

extern const struct cmd cmd_status, cmd_list, cmd_scan, cmd_explain, cmd_where, cmd_events,
	cmd_simulate, cmd_config, cmd_metrics, cmd_protect, cmd_repair, cmd_quarantine, cmd_clear,
	cmd_scrub, cmd_doctor;

/*
 * Where the store is, by the configuration, or by default when that has errors; allocated, NULL
 * without memory.
 */
char *cli_store_path(const struct cli *cli);

/* The document that needs no memory: 0, or -EIO. */
int cli_print_failure(int error, int exit_status);

/* Arguments of a scan as the command line has them. */
struct pme_scan_args cli_scan_args(const struct cli *cli);

#endif
