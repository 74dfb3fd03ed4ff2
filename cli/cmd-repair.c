/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl repair: the plan; with --apply, what became of it.
 */
#include <string.h>

#include "cli.h"
#include "conf.h"
#include "history.h"
#include "options.h"
#include "repair-args.h"
#include "repair-auto.h"
#include "repair-journal.h"
#include "repair.h"
#include "text.h"

static int take_args(struct cli *cli, struct pme_repair_args *ret)
{
	if (options_check_give_up(cli) < 0)
		return -EINVAL;
	if (cli->automatic && (cli->from || cli->give_up || cli->accept_unproven || cli->in_place ||
			       (cli->resume && !cli->apply)))
		return options_usage_error(cli, "--auto",
					   "nobody is there to accept or to give up anything: not "
					   "with --from, --accept-unproven, --give-up, --in-place, "
					   "--resume");
	if (cli->resume && !cli->apply &&
	    (cli->n_args > 0 || cli->n_ranges > 0 || cli->n_lists > 0 || cli->from ||
	     cli->give_up || cli->in_place))
		return options_usage_error(cli, "--resume",
					   "it takes up all that earlier runs have left: what to "
					   "repair besides is named only with --apply");
	*ret = (struct pme_repair_args){
		.targets = cli->args,
		.n_targets = cli->n_args,
		.ranges = cli->ranges,
		.n_ranges = cli->n_ranges,
		.lists = cli->lists,
		.n_lists = cli->n_lists,
		.block_size = cli->block_size,
		.from = cli->from,
		.accept_unproven = cli->accept_unproven,
		.give_up_zero = cli->give_up != NULL,
		.in_place = cli->in_place,
	};
	return pme_repair_args_check(cli->os, ret, &cli->log);
}

/* What earlier runs left comes first: a state that is not known stops everything else. */
static int take_up(struct cli *cli, struct json_object *doc, struct pme_repair_journal **ret)
{
	_cleanup_free_ char *path = cli_store_path(cli);
	int r = path ? pme_repair_journal_open(path, &cli->log, ret) : -ENOMEM;

	if (r == 0)
		r = pme_repair_resume(cli->os, *ret, &cli->log, doc);
	return r == -EUCLEAN || r == -ENOMEM || !*ret ? r : 0;
}

static bool was_repaired(const struct pme_repair_plan *plan, struct json_object *doc)
{
	struct json_object *resumed = pme_json_get(doc, "resumed");

	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].outcome == PME_STEP_REPAIRED)
			return true;
	for (size_t i = 0; i < plan->rewrites.count; i++)
		if (plan->rewrites.items[i].outcome == PME_REWRITE_REPAIRED)
			return true;
	for (size_t i = 0; i < pme_json_count(resumed); i++)
		if (strcmp(pme_json_get_text(pme_json_at(resumed, i), "state"), "repaired") == 0)
			return true;
	return false;
}

/* What the configuration asks for; one with errors asks for nothing. */
static int keep_automatic(struct cli *cli, struct pme_repair_plan *plan)
{
	struct pme_conf conf;
	int r = pme_conf_load(cli->os, &cli->log, &conf);

	if (r == -EINVAL)
		pme_log_add(&cli->log, PME_ERROR, "--auto",
			    "the configuration has errors: nothing is repaired by it");
	if (r == 0)
		r = pme_repair_auto_only(plan, &conf);
	pme_conf_done(&conf);
	return r == -EINVAL ? -EBADMSG : r;
}

static int plan_and_apply(struct cli *cli, const struct pme_repair_args *args,
			  struct pme_repair_journal *journal, struct json_object *doc)
{
	struct pme_repair_plan plan = {0};
	int r = pme_repair_plan(cli->os, args, &cli->log, &plan);

	if (r == 0)
		pme_repair_args_note_short(args, &plan, &cli->log);
	if (r == 0 && cli->automatic)
		r = keep_automatic(cli, &plan);
	if (r == 0 && cli->apply)
		r = pme_repair_apply(cli->os, args, &plan, journal, &cli->log);
	if (r == 0 && cli->apply)
		r = pme_rewrites_apply(cli->os, &plan, journal, &cli->log);
	if (r == 0) {
		pme_repair_json(&plan, doc);
		cli->exit_status = pme_scan_exit(&plan.scan, &cli->log) |
				   (was_repaired(&plan, doc) ? PME_EXIT_REPAIRED : 0);
	} else {
		pme_repair_json_empty(doc);
	}
	pme_repair_plan_done(&plan);
	return r;
}

static int run_repair(struct cli *cli, struct json_object *doc)
{
	struct pme_repair_journal *journal = NULL;
	struct pme_repair_args args;
	int r = take_args(cli, &args);

	pme_json_set(doc, "resumed", pme_json_array());
	if (r == 0 && (cli->apply || cli->resume))
		r = take_up(cli, doc, &journal);
	else if (r == 0)
		history_note_unfinished(cli);
	if (r == 0 && (cli->apply || !cli->resume)) {
		r = plan_and_apply(cli, &args, journal, doc);
	} else {
		const struct pme_repair_plan none = {0};

		pme_repair_json_empty(doc);
		cli->exit_status = was_repaired(&none, doc) ? PME_EXIT_REPAIRED : 0;
	}
	pme_repair_journal_close(journal);
	return r;
}

static void empty_repair(struct json_object *doc)
{
	pme_json_set(doc, "resumed", pme_json_array());
	pme_repair_json_empty(doc);
}

static void range_text(struct json_object *range)
{
	uint64_t start = pme_json_get_number(range, "start");

	printf("bytes %llu to %llu", (unsigned long long)start,
	       (unsigned long long)(start + pme_json_get_number(range, "length") - 1));
}

static void line(const char *label, const char *text)
{
	if (!*text)
		return;
	printf("    %s: ", label);
	text_name(text);
	printf("\n");
}

static uint64_t bad_bytes(struct json_object *step)
{
	struct json_object *bad = pme_json_get(step, "bad");
	uint64_t bytes = 0;

	for (size_t i = 0; i < pme_json_count(bad); i++)
		bytes += pme_json_get_number(pme_json_at(bad, i), "length");
	return bytes;
}

/* Each file with its names, and who runs on it. */
static void target_text(struct json_object *target)
{
	struct json_object *paths = pme_json_get(target, "paths");

	printf("  ");
	if (pme_json_count(paths) == 0)
		printf("inode %llu", (unsigned long long)pme_json_get_number(target, "inode"));
	for (size_t i = 0; i < pme_json_count(paths); i++) {
		fputs(i ? ", " : "", stdout);
		text_path(pme_json_at(paths, i));
	}
	printf(": ");
	range_text(pme_json_get(target, "range"));
	printf("\n");
	text_holders(pme_json_get(target, "holders"), 8);
}

static void donor_text(struct json_object *donor)
{
	const char *detail = pme_json_get_text(donor, "detail");

	if (!donor)
		return;
	printf("    donor: %s", pme_json_get_text(donor, "kind"));
	if (pme_json_get(donor, "path")) {
		printf(" ");
		text_path(pme_json_get(donor, "path"));
	}
	if (*detail) {
		printf(", ");
		text_name(detail);
	}
	if (pme_json_get(donor, "time"))
		printf(", of %s", pme_json_get_text(donor, "time"));
	printf("; proof: %s\n", pme_json_get_text(donor, "proof"));
}

static const char *way_text(struct json_object *step)
{
	struct json_object *target = pme_json_at(pme_json_get(step, "targets"), 0);
	const char *how = pme_json_get_text(target, "how");

	if (strcmp(how, "commit-range") == 0)
		return "new blocks take the place of the bad ones at once, under running programs "
		       "(commit-range)";
	if (strcmp(how, "in-place") == 0)
		return "written over the bad blocks, where they are, while nobody has the file "
		       "open "
		       "(in-place)";
	return "new blocks take the place of the bad ones while nobody has the files open "
	       "(clone-range)";
}

static void fate_text(const struct cli *cli, struct json_object *step)
{
	const char *outcome = pme_json_get_text(step, "outcome");

	printf("    ");
	if (strcmp(outcome, "planned") == 0)
		text_verdict(cli, pme_json_get_bool(step, "zero") ? "lost" : "recoverable");
	else
		text_verdict(cli, outcome);
	printf(": ");
	if (strcmp(outcome, "planned") == 0 && pme_json_get_bool(step, "zero"))
		printf("given up: what does not read becomes zeros; %s", way_text(step));
	else if (strcmp(outcome, "planned") == 0)
		printf("%s", way_text(step));
	else if (strcmp(outcome, "refused") == 0)
		text_name(pme_json_get_text(step, "refusal"));
	else if (strcmp(outcome, "changed") == 0)
		printf("somebody wrote to it meanwhile, nothing was changed: repair again");
	else if (strcmp(outcome, "repaired") == 0)
		printf("read back from the media, and compared");
	else if (strcmp(outcome, "given_up") == 0)
		printf("zeros are where nobody had the bytes; the rest was kept");
	else
		text_name(pme_json_get_text(step, "error"));
	printf("\n");
}

static void step_text(const struct cli *cli, struct json_object *step)
{
	struct json_object *targets = pme_json_get(step, "targets");
	struct json_object *filesystem = pme_json_get(step, "filesystem");
	const char *name = pme_json_get_text(step, "name");

	text_bytes(bad_bytes(step));
	printf(" bad in ");
	text_bytes(pme_json_get_number(pme_json_get(step, "range"), "length"));
	printf(" of %s on ", pme_json_get_text(filesystem, "type"));
	text_name(*name ? name : pme_json_get_text(step, "device"));
	printf(" (");
	text_join(pme_json_get(filesystem, "mounts"));
	printf("), data of %zu file%s:\n", pme_json_count(targets),
	       pme_json_count(targets) == 1 ? "" : "s");
	for (size_t i = 0; i < pme_json_count(targets); i++)
		target_text(pme_json_at(targets, i));
	fate_text(cli, step);
	donor_text(pme_json_get(step, "donor"));
	if (!pme_json_get(step, "donor") || cli->verbose ||
	    strcmp(pme_json_get_text(pme_json_get(step, "donor"), "proof"), "unproven") == 0)
		line("no proof", pme_json_get_text(step, "no_proof"));
}

static void other_text(const struct cli *cli, struct json_object *other)
{
	struct json_object *paths = pme_json_get(other, "paths");
	const char *name = pme_json_get_text(other, "name");
	const char *detail = pme_json_get_text(other, "detail");

	text_name(*name ? name : pme_json_get_text(other, "device"));
	printf(", ");
	range_text(pme_json_get(other, "range"));
	printf(", %s", pme_json_get_text(other, "kind"));
	if (*detail) {
		printf(": ");
		text_name(detail);
	}
	for (size_t i = 0; i < pme_json_count(paths); i++) {
		fputs(i ? ", " : " of ", stdout);
		text_path(pme_json_at(paths, i));
	}
	printf("\n    ");
	text_verdict(cli, pme_json_get_text(other, "verdict"));
	printf(": ");
	text_name(pme_json_get_text(other, "advice"));
	printf("\n");
}

static void summary_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *summary = pme_json_get(doc, "summary");
	uint64_t planned = pme_json_get_number(summary, "planned");

	text_rewrite_summary(cli, pme_json_get(doc, "rewrite_summary"));
	if (pme_json_count(pme_json_get(doc, "plan")) == 0) {
		if (pme_json_count(pme_json_get(doc, "rewrites")) > 0)
			return;
		printf("Nothing to repair%s.\n",
		       strcmp(pme_json_get_text(doc, "coverage"), "complete")
			       ? " was found, but not everything could be read"
			       : "");
		return;
	}
	if (planned > 0 && !cli->apply) {
		text_bytes(pme_json_get_number(summary, "planned_bytes"));
		printf(" can be repaired");
	} else {
		text_bytes(pme_json_get_number(summary, "repaired_bytes"));
		printf(" repaired");
	}
	if (pme_json_get_number(summary, "given_up_bytes") > 0) {
		printf(", ");
		text_bytes(pme_json_get_number(summary, "given_up_bytes"));
		printf(" given up for zeros");
	}
	printf(", ");
	text_bytes(pme_json_get_number(summary, "left_bytes"));
	printf(" stay bad.%s\n", planned > 0 && !cli->apply
					 ? "  Nothing was changed: pmemctl repair --apply does it."
					 : "");
}

/* What became of a repair that an earlier run had begun. */
static void resumed_text(struct json_object *resumed)
{
	struct json_object *paths = pme_json_get(resumed, "paths");
	const char *error = pme_json_get_text(resumed, "error");

	printf("An earlier repair");
	for (size_t i = 0; i < pme_json_count(paths); i++) {
		fputs(i ? ", " : " of ", stdout);
		text_path(pme_json_at(paths, i));
	}
	printf(": %s", pme_json_get_text(resumed, "state"));
	if (*error) {
		printf(": ");
		text_name(error);
	}
	printf("\n");
}

static void repair_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *resumed = pme_json_get(doc, "resumed");
	struct json_object *plan = pme_json_get(doc, "plan");
	struct json_object *others = pme_json_get(doc, "others");

	for (size_t i = 0; i < pme_json_count(resumed); i++)
		resumed_text(pme_json_at(resumed, i));
	for (size_t i = 0; i < pme_json_count(plan); i++)
		step_text(cli, pme_json_at(plan, i));
	text_rewrites(cli, pme_json_get(doc, "rewrites"));
	for (size_t i = 0; i < pme_json_count(others); i++)
		other_text(cli, pme_json_at(others, i));
	if (!cli->resume || cli->apply)
		summary_text(cli, doc);
	else if (pme_json_count(resumed) == 0)
		printf("No repair was left unfinished.\n");
}

const struct cmd cmd_repair = {
	.name = "repair",
	.format = "pmemctl.repair",
	.usage =
		"[SEL…|FILE…] [--range DEV:START+LEN]… [--badblocks FILE:DEV]…\n"
		"         [--block-size BYTES] [--apply] [--auto]\n"
		"         [--from PATH --accept-unproven] [--give-up zero] [--in-place] | --resume",
	.summary = "what can be brought back, from where, and why that is right; --apply does it",
	.help = "\n"
		"      --apply                carry the plan out\n"
		"      --auto                 only what the configuration asks for: [repair]\n"
		"      --from PATH            bytes of one file, from the same place of another\n"
		"      --accept-unproven      use them, though nothing proves that they are right\n"
		"      --give-up zero         zeros for what nobody has, in the named files\n"
		"      --in-place             write over bad blocks, where a file cannot be given "
		"others\n"
		"      --resume               finish, or take back, what an earlier run left\n"
		"      --range DEV:START+LEN  take these bytes of a device for bad\n"
		"      --badblocks FILE:DEV   the same for a list, as of scan\n"
		"      --block-size BYTES     unit of a list with one number per line (1024)\n",
	.options = CLI_REPAIR | CLI_RANGES,
	.max_args = SIZE_MAX,
	.run = run_repair,
	.empty = empty_repair,
	.text = repair_text,
};
