/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl doctor: is this machine set up so that errors are noticed, mapped and repaired exactly?
 */
#include "cli.h"
#include "doctor.h"
#include "text.h"

static void empty_doctor(struct json_object *doc)
{
	const struct pme_checks none = {0};

	pme_checks_json(&none, doc);
}

/* Advice changes nothing: the machine works. */
static int exit_status(const struct pme_checks *checks)
{
	int status = 0;

	for (size_t i = 0; i < checks->count; i++) {
		if (checks->items[i].result == PME_RESULT_PROBLEM)
			status |= PME_EXIT_BAD;
		if (checks->items[i].result == PME_RESULT_UNKNOWN)
			status |= PME_EXIT_INCOMPLETE;
	}
	return status;
}

/* A row that is unknown is an answer that lacks something, for those who read the top only. */
static void note_unknown(struct cli *cli, const struct pme_checks *checks)
{
	for (size_t i = 0; i < checks->count; i++)
		if (checks->items[i].result == PME_RESULT_UNKNOWN)
			cli->log.incomplete = true;
}

static int run_doctor(struct cli *cli, struct json_object *doc)
{
	_cleanup_(pme_checks_done) struct pme_checks checks = {0};
	_cleanup_free_ char *store = cli_store_path(cli);
	int r = store ? pme_doctor_run(cli->os, cli->args, cli->n_args, store, &cli->log, &checks)
		      : -ENOMEM;

	if (r < 0) {
		empty_doctor(doc);
		return r;
	}
	pme_checks_json(&checks, doc);
	note_unknown(cli, &checks);
	cli->exit_status = exit_status(&checks);
	return 0;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.format = "pmemctl.doctor",
	.usage = "[-v] [SEL…]",
	.summary = "is this machine set up so that errors are noticed, mapped and repaired",
	.help = "\n  -v, --verbose  also what is in order, or does not apply here\n\n"
		"Exit status 1: there is a problem; advice alone is 0.\n",
	.max_args = SIZE_MAX,
	.run = run_doctor,
	.empty = empty_doctor,
	.text = text_doctor,
};
