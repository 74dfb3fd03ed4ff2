/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl scrub: have the platform look for errors that nobody has met yet.
 */
#include <string.h>

#include "ars-run.h"
#include "cli.h"
#include "text.h"

#define MILLISECOND (PME_SECOND / 1000)

static const char *const actions[] = {
	[PME_ARS_STATUS] = "status",
	[PME_ARS_START] = "start",
	[PME_ARS_WAIT] = "wait",
};

static void empty_scrub(struct json_object *doc)
{
	const struct pme_ars_run none = {0};

	pme_json_text(doc, "action", NULL);
	pme_ars_json(&none, doc);
}

static int usage(struct cli *cli, const char *subject, const char *text)
{
	pme_log_add(&cli->log, PME_ERROR, subject, "%s", text);
	return -EINVAL;
}

static int take_arguments(struct cli *cli, struct pme_ars_args *args)
{
	const char *what = cli->args[0];
	size_t action = 0;

	while (action < PME_ARRAY_SIZE(actions) && strcmp(what, actions[action]) != 0)
		action++;
	if (action == PME_ARRAY_SIZE(actions))
		return usage(cli, what, "expected start, status or wait");
	args->action = action;
	args->deadline = UINT64_MAX;
	if (cli->deadline == UINT64_MAX)
		return 0;
	if (args->action != PME_ARS_WAIT)
		return usage(cli, what, "takes no --deadline");
	args->deadline = cli->deadline / MILLISECOND;
	return 0;
}

static int run_scrub(struct cli *cli, struct json_object *doc)
{
	_cleanup_(pme_ars_run_done) struct pme_ars_run run = {0};
	struct pme_ars_args args = {
		.selectors = cli->args + 1,
		.n_selectors = cli->n_args - 1,
	};
	int r = take_arguments(cli, &args);

	if (r == 0)
		r = pme_ars_do(cli->os, &args, &cli->log, &run);
	if (r < 0) {
		empty_scrub(doc);
		return r;
	}
	pme_json_text(doc, "action", actions[args.action]);
	pme_ars_json(&run, doc);
	if (args.action == PME_ARS_WAIT && pme_ars_found(&run))
		cli->exit_status |= PME_EXIT_BAD;
	return 0;
}

static void new_text(struct json_object *regions)
{
	for (size_t i = 0; i < pme_json_count(regions); i++) {
		struct json_object *region = pme_json_at(regions, i);
		struct json_object *ranges = pme_json_get(region, "ranges");
		const char *name = pme_json_get_text(region, "region");

		if (!pme_json_get_bool(region, "complete"))
			printf("    %s: what is new is not known\n", name);
		else if (pme_json_count(ranges) == 0)
			printf("    %s: nothing new is bad\n", name);
		for (size_t n = 0; n < pme_json_count(ranges); n++) {
			struct json_object *range = pme_json_at(ranges, n);

			printf("    %s: new: ", name);
			text_bytes(pme_json_get_number(range, "length"));
			printf(" at byte %llu\n",
			       (unsigned long long)pme_json_get_number(range, "start"));
		}
	}
}

static void bus_text(struct json_object *bus)
{
	printf("%s (%s): ", pme_json_get_text(bus, "bus"), pme_json_get_text(bus, "provider"));
	if (!pme_json_get(bus, "state")) {
		printf("%s\n", pme_json_get_text(bus, "reason"));
		return;
	}
	printf("%s%s, %llu scrubs have ended\n",
	       pme_json_get_bool(bus, "started") ? "started, " : "",
	       pme_json_get_text(bus, "state"),
	       (unsigned long long)pme_json_get_number(bus, "count"));
	new_text(pme_json_get(bus, "new"));
}

static void scrub_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *buses = pme_json_get(doc, "buses");

	if (pme_json_count(buses) == 0)
		printf("No bus of persistent memory.\n");
	for (size_t i = 0; i < pme_json_count(buses); i++)
		bus_text(pme_json_at(buses, i));
}

const struct cmd cmd_scrub = {
	.name = "scrub",
	.format = "pmemctl.scrub",
	.usage = "start|status|wait [--deadline TIME] [SEL…]",
	.summary = "have the platform look for errors that nobody has met yet",
	.help = "\n  start   start a scrub of each bus that is meant, in the background\n"
		"  status  whether one runs, and how many have ended: the kernel knows no "
		"percentage\n"
		"  wait    until none runs; then what is bad that was not when it began\n\n"
		"  --deadline TIME  of wait: no longer than 30s, 10min, 2h\n",
	.options = CLI_DEADLINE,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.run = run_scrub,
	.empty = empty_scrub,
	.text = scrub_text,
};
