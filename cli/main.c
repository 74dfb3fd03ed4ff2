/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl: options, the table of commands, and the frame that every command runs in.
 *
 * The surprise: --json is looked for before anything is parsed, so that even a usage error is
 * answered with a document.
 */
#include <getopt.h>
#include <string.h>

#include "cli.h"
#include "text.h"

static const struct cmd *const commands[] = {
	&cmd_status, &cmd_list, &cmd_scan, &cmd_explain, &cmd_where,
};

enum {
	OPT_VERSION = 256,
	OPT_NO_COLOR,
	OPT_RANGE,
	OPT_BADBLOCKS,
	OPT_BLOCK_SIZE,
};

static const char short_options[] = "+:jqvxh";
static const struct option long_options[] = {
	{"json", no_argument, NULL, 'j'},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"no-color", no_argument, NULL, OPT_NO_COLOR},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{"unhealthy", no_argument, NULL, 'x'},
	{"range", required_argument, NULL, OPT_RANGE},
	{"badblocks", required_argument, NULL, OPT_BADBLOCKS},
	{"block-size", required_argument, NULL, OPT_BLOCK_SIZE},
	{0},
};

/* What a parse ends with besides 0 and -errno: print something and leave. */
enum { LEAVE_HELP = 1, LEAVE_VERSION };

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
			printf("  %-9s%s\n", commands[i]->name, commands[i]->summary);
	}
	printf("\nOptions of every command:\n"
	       "  -j, --json      print one JSON document: see pmemctl-json(7)\n"
	       "  -q, --quiet     print nothing but errors; the exit status tells\n"
	       "  -v, --verbose   leave nothing out\n"
	       "      --no-color  no colours (also: environment variable NO_COLOR)\n"
	       "  -h, --help      this help\n"
	       "      --version   the version\n\n"
	       "Exit status, a sum: 0 nothing bad, 1 bad blocks, 4 an operation failed, 8 usage,\n"
	       "16 something could not be known.  The manual: pmemctl(8).\n");
}

static int usage_error(struct cli *cli, const char *subject, const char *text)
{
	pme_log_add(&cli->log, PME_ERROR, subject, "%s", text);
	return -EINVAL;
}

static int add_arg(char ***array, size_t *alloc, size_t *count, char *arg)
{
	int r = pme_grow(array, alloc, *count, sizeof(**array));

	if (r == 0)
		(*array)[(*count)++] = arg;
	return r;
}

static int take_block_size(struct cli *cli)
{
	if (pme_size_parse(optarg, strlen(optarg), &cli->block_size) < 0 || cli->block_size == 0)
		return usage_error(cli, optarg,
				   "not a block size: expected bytes, or a number "
				   "with suffix s, k, m, g or t");
	return 0;
}

/* Options that not every command takes. */
static int take_command_option(struct cli *cli, const struct cmd *cmd, int option)
{
	bool ranges = cmd && cmd->options & CLI_RANGES;

	if (option == 'x' && cmd && cmd->options & CLI_UNHEALTHY) {
		cli->unhealthy = true;
		return 0;
	}
	if (option == OPT_RANGE && ranges)
		return add_arg(&cli->ranges, &cli->alloc_ranges, &cli->n_ranges, optarg);
	if (option == OPT_BADBLOCKS && ranges)
		return add_arg(&cli->lists, &cli->alloc_lists, &cli->n_lists, optarg);
	if (option == OPT_BLOCK_SIZE && ranges)
		return take_block_size(cli);
	return usage_error(cli, cli->argv[optind - 1],
			   cmd ? "this command does not take that option"
			       : "this option belongs behind a command");
}

static int take_option(struct cli *cli, const struct cmd *cmd, int option)
{
	switch (option) {
	case 'j':
		cli->json = true;
		return 0;
	case 'q':
		cli->quiet = true;
		return 0;
	case 'v':
		cli->verbose++;
		return 0;
	case OPT_NO_COLOR:
		cli->color = false;
		return 0;
	case 'h':
		return LEAVE_HELP;
	case OPT_VERSION:
		return LEAVE_VERSION;
	case ':':
		return usage_error(cli, cli->argv[optind - 1], "this option needs an argument");
	case '?':
		return usage_error(cli, cli->argv[optind - 1], "no such option");
	}
	return take_command_option(cli, cmd, option);
}

/* Options from optind on, up to the first other argument. */
static int take_options(struct cli *cli, const struct cmd *cmd)
{
	for (;;) {
		int option = getopt_long(cli->argc, cli->argv, short_options, long_options, NULL);
		int r;

		if (option == -1)
			return 0;
		r = take_option(cli, cmd, option);
		if (r != 0)
			return r;
	}
}

/* Options and arguments of a command may be mixed; behind "--" all are arguments. */
static int take_arguments(struct cli *cli, const struct cmd *cmd)
{
	size_t alloc = 0;

	while (optind < cli->argc) {
		int r = take_options(cli, cmd);
		bool all = strcmp(cli->argv[optind - 1], "--") == 0;

		if (r != 0)
			return r;
		do {
			if (optind >= cli->argc)
				break;
			r = add_arg(&cli->args, &alloc, &cli->n_args, cli->argv[optind++]);
			if (r < 0)
				return r;
		} while (all);
	}
	if (cli->n_args < cmd->min_args)
		return usage_error(cli, cmd->name, "an argument is missing: see --help");
	if (cli->n_args > cmd->max_args)
		return usage_error(cli, cli->args[cmd->max_args], "one argument too many");
	return 0;
}

static int parse(struct cli *cli, const struct cmd **ret_cmd)
{
	int r;

	opterr = 0;
	r = take_options(cli, NULL);
	if (r != 0)
		return r;
	if (optind >= cli->argc)
		return usage_error(cli, "pmemctl", "a command is missing: see --help");
	*ret_cmd = find_command(cli->argv[optind]);
	if (!*ret_cmd)
		return usage_error(cli, cli->argv[optind], "no such command: see --help");
	optind++;
	return take_arguments(cli, *ret_cmd);
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
 * The document that is left when there is no memory for another: fixed text, the same top level.
 * pmemctl-json(7) promises a document for every run.
 */
static int print_failure(int error, int exit_status)
{
	int n = printf("{\n"
		       "  \"format\": \"pmemctl.error\",\n"
		       "  \"format_version\": [1, 0],\n"
		       "  \"pmemctl\": {\"version\": \"%s\", \"argv\": [], \"exit_status\": %d},\n"
		       "  \"host\": {\"name\": null, \"boot_id\": null, \"kernel\": null},\n"
		       "  \"time\": null,\n"
		       "  \"coverage\": \"incomplete\",\n"
		       "  \"messages\": [{\"severity\": \"error\", \"subject\": \"pmemctl\", "
		       "\"text\": \"cannot answer: %s\"}]\n"
		       "}\n",
		       PACKAGE_VERSION, exit_status, strerror(-error));

	return n < 0 ? -EIO : 0;
}

/* Run @cmd (NULL: the command line made no sense, @error says why) and print its document. */
static int answer(struct cli *cli, const struct cmd *cmd, int error)
{
	struct json_object *doc =
		pme_doc_new(cmd ? cmd->format : "pmemctl.error", cli->argc, cli->argv);
	int r;

	if (!doc)
		return -ENOMEM;
	if (error == 0)
		error = cmd->run(cli, doc);
	else if (cmd)
		cmd->empty(doc);
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
	json_object_put(doc);
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
	};
	int r = pme_os_open_root("/", &os);

	if (r == 0)
		r = run(&cli);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		r = -EIO;
	if (r < 0) {
		fprintf(stderr, "pmemctl: cannot answer: %s\n", strerror(-r));
		cli.exit_status |= PME_EXIT_ERROR | PME_EXIT_INCOMPLETE;
		if (cli.json && !ferror(stdout))
			print_failure(r, cli.exit_status);
	}
	pme_os_close(&os);
	pme_log_done(&cli.log);
	free(cli.ranges);
	free(cli.lists);
	free(cli.args);
	return cli.exit_status;
}
