/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl: the table of commands, and the frame that every command runs in.
 *
 * The surprise: --json is looked for before anything is parsed, so that even a usage error is
 * answered with a document.
 */
#include <getopt.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>

#include "cli.h"
#include "options.h"
#include "progress-bar.h"
#include "text.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define FREES_DOCUMENT true
#else
#define FREES_DOCUMENT false
#endif

#define HEAP_STEP (1 << 20) /* so that its pages come and go less often */
#define DESCRIPTORS 16384

static const struct cmd *const commands[] = {
	&cmd_status, &cmd_list,	      &cmd_scan,   &cmd_explain, &cmd_where,
	&cmd_events, &cmd_simulate,   &cmd_config, &cmd_metrics, &cmd_protect,
	&cmd_repair, &cmd_quarantine, &cmd_clear,  &cmd_scrub,	 &cmd_doctor,
};

static const struct cmd *find_command(const char *name)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static void print_command_help(const struct cmd *cmd)
{
	printf("Usage: pmemctl [OPTION…] %s %s\n\n%s\n%s", cmd->name, cmd->usage, cmd->summary,
	       cmd->help);
}

static void print_help(const struct cmd *cmd)
{
	if (cmd) {
		print_command_help(cmd);
	} else {
		printf("Usage: pmemctl [OPTION…] COMMAND …\n\n"
		       "From bad blocks of persistent memory to the files and processes that lose "
		       "something.\n\nCommands:\n");
		for (size_t i = 0; i < PME_ARRAY_SIZE(commands); i++)
			printf("  %-11s%s\n", commands[i]->name, commands[i]->summary);
	}
	printf("\nOptions of every command:\n"
	       "  -j, --json      print one JSON document: see pmemctl-json(7)\n"
	       "  -q, --quiet     print nothing but errors; the exit status tells\n"
	       "  -v, --verbose   leave nothing out\n"
	       "      --no-color  no colours (also: environment variable NO_COLOR)\n"
	       "      --progress  say how far it is, as JSON Lines on standard error\n"
	       "  -h, --help      this help\n"
	       "      --version   the version\n\n"
	       "Exit status, a sum: 0 nothing bad, 1 bad blocks, 2 something was repaired,\n"
	       "4 an operation failed, 8 usage, 16 something could not be known.  The manual: "
	       "pmemctl(8).\n");
}

static int parse(struct cli *cli, const struct cmd **ret_cmd)
{
	int r;

	opterr = 0;
	r = options_take(cli, NULL);
	if (r != 0)
		return r;
	if (optind >= cli->argc)
		return options_usage_error(cli, "pmemctl", "a command is missing: see --help");
	*ret_cmd = find_command(cli->argv[optind]);
	if (!*ret_cmd)
		return options_usage_error(cli, cli->argv[optind], "no such command: see --help");
	optind++;
	return options_take_arguments(cli, *ret_cmd);
}

static bool wants_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "-j") == 0)
			return true;
	return false;
}

static bool wants_color(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

struct pme_scan_args cli_scan_args(const struct cli *cli)
{
	return (struct pme_scan_args){
		.selectors = cli->args,
		.n_selectors = cli->n_args,
		.ranges = cli->ranges,
		.n_ranges = cli->n_ranges,
		.lists = cli->lists,
		.n_lists = cli->n_lists,
		.block_size = cli->block_size,
		.default_length = 1,
	};
}

static int status_of_error(int error)
{
	return error == -EINVAL ? PME_EXIT_USAGE : PME_EXIT_ERROR;
}

/*
 * The last thing before the program ends: of a big document this would take half as long as to make
 * it, so only who looks for leaks wants it.
 */
static void doc_done(struct json_object *doc)
{
	if (FREES_DOCUMENT)
		json_object_put(doc);
}

/* Run @cmd (NULL: the command line made no sense, @error says why) and print its document. */
static int answer(struct cli *cli, const struct cmd *cmd, int error)
{
	struct json_object *doc =
		pme_doc_new(cmd ? cmd->format : "pmemctl.error", cli->argc, cli->argv);
	int r;

	if (!doc)
		return -ENOMEM;
	progress_begin(cli);
	if (error == 0)
		error = cmd->run(cli, doc);
	else if (cmd)
		cmd->empty(doc);
	progress_end(cli);
	if (error < 0) {
		if (!cli->log.failed)
			pme_log_add(&cli->log, PME_ERROR, "pmemctl", "cannot answer: %s",
				    strerror(-error));
		cli->exit_status |= status_of_error(error);
	}
	if (cli->log.incomplete)
		cli->exit_status |= PME_EXIT_INCOMPLETE;
	if (cli->log.failed && !(cli->exit_status & PME_EXIT_USAGE))
		cli->exit_status |= PME_EXIT_ERROR;
	r = pme_doc_finish(doc, &cli->log, cli->exit_status);
	if (r == 0 && cli->json)
		r = pme_json_write(doc, stdout);
	if (!cli->json) {
		if (r == 0 && error == 0 && !cli->quiet)
			cmd->text(cli, doc);
		fflush(stdout);
		text_messages(doc);
	}
	doc_done(doc);
	return r;
}

static int run(struct cli *cli)
{
	const struct cmd *cmd = NULL;
	int r = parse(cli, &cmd);

	if (r == LEAVE_HELP) {
		print_help(cmd);
		return 0;
	}
	if (r == LEAVE_VERSION) {
		printf("pmemctl %s\n", PACKAGE_VERSION);
		return 0;
	}
	return answer(cli, cmd, r);
}

/* Answers about many files hold some of each open. */
static void raise_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= DESCRIPTORS)
		return;
	files.rlim_cur = files.rlim_max < DESCRIPTORS ? files.rlim_max : DESCRIPTORS;
	setrlimit(RLIMIT_NOFILE, &files); /* who runs out of them says so */
}

int main(int argc, char **argv)
{
	struct pme_os os = {.root = -1};
	struct cli cli = {
		.argc = argc,
		.argv = argv,
		.os = &os,
		.json = wants_json(argc, argv),
		.color = wants_color(),
		.block_size = 1024, /* as badblocks(8) */
		.deadline = UINT64_MAX,
	};
	int r = pme_os_open_root("/", &os);

	mallopt(M_TOP_PAD, HEAP_STEP);
	raise_descriptors();
	if (r == 0)
		r = run(&cli);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = -EIO;
	if (r < 0) {
		fprintf(stderr, "pmemctl: cannot answer: %s\n", strerror(-r));
		cli.exit_status |= PME_EXIT_ERROR | PME_EXIT_INCOMPLETE;
		if (cli.json && !ferror(stdout))
			cli_print_failure(r, cli.exit_status);
	}
	pme_os_close(&os);
	pme_log_done(&cli.log);
	free(cli.ranges);
	free(cli.lists);
	free(cli.args);
	return cli.exit_status;
}
