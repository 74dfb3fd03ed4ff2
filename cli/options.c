/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of the command line: an option is a row here, a member of struct cli, and a line in the
 * help of the commands that take it.  What its argument means is for the command to say.
 */
#include "options.h"

#include <getopt.h>
#include <string.h>

#include "progress-bar.h"

/* Of an option without a letter: FIRST and the number of its row. */
enum { FIRST = 256 };

struct row {
	const char *name;
	char letter;
	bool has_argument;
	unsigned int of;	      /* commands with one of these bits take it; 0: all do */
	size_t offset;		      /* in struct cli: of a text, or of a bool without argument */
	int (*take)(struct cli *cli); /* in place of that: 0, LEAVE_*, or -errno */
};

static int add_arg(char ***array, size_t *alloc, size_t *count, char *arg)
{
	int r = pme_grow(array, alloc, *count, sizeof(**array));

	if (r == 0)
		(*array)[(*count)++] = arg;
	return r;
}

static int take_verbose(struct cli *cli)
{
	cli->verbose++;
	return 0;
}

static int take_no_color(struct cli *cli)
{
	cli->color = false;
	return 0;
}

static int take_help(struct cli *cli)
{
	(void)cli;
	return LEAVE_HELP;
}

static int take_version(struct cli *cli)
{
	(void)cli;
	return LEAVE_VERSION;
}

static int take_range(struct cli *cli)
{
	return add_arg(&cli->ranges, &cli->alloc_ranges, &cli->n_ranges, optarg);
}

static int take_list(struct cli *cli)
{
	return add_arg(&cli->lists, &cli->alloc_lists, &cli->n_lists, optarg);
}

static int take_block_size(struct cli *cli)
{
	if (pme_size_parse(optarg, strlen(optarg), &cli->block_size) < 0 || cli->block_size == 0)
		return options_usage_error(cli, optarg,
					   "not a block size: expected bytes, or a number "
					   "with suffix s, k, m, g or t");
	return 0;
}

static int take_deadline(struct cli *cli)
{
	return progress_take_deadline(cli, optarg);
}

/* The offset of a member that has this type, or no compilation. */
#define MEMBER(type, member) \
	(offsetof(struct cli, member) + 0 * _Generic(((struct cli *)NULL)->member, type : 1))

#define FLAG(n, member, ...)                                             \
	{                                                                \
		.name = (n), .offset = MEMBER(bool, member), __VA_ARGS__ \
	}
#define TEXT(n, member, ...)                                                               \
	{                                                                                  \
		.name = (n), .has_argument = true, .offset = MEMBER(const char *, member), \
		__VA_ARGS__                                                                \
	}

static const struct row rows[] = {
	FLAG("json", json, .letter = 'j'),
	FLAG("quiet", quiet, .letter = 'q'),
	{.name = "verbose", .letter = 'v', .take = take_verbose},
	{.name = "no-color", .take = take_no_color},
	FLAG("progress", lines),
	{.name = "help", .letter = 'h', .take = take_help},
	{.name = "version", .take = take_version},
	{.name = "range", .has_argument = true, .of = CLI_RANGES, .take = take_range},
	{.name = "badblocks", .has_argument = true, .of = CLI_RANGES, .take = take_list},
	{.name = "block-size", .has_argument = true, .of = CLI_RANGES, .take = take_block_size},
	{.name = "deadline", .has_argument = true, .of = CLI_DEADLINE, .take = take_deadline},
	FLAG("unhealthy", unhealthy, .letter = 'x', .of = CLI_UNHEALTHY),
	FLAG("health", health, .of = CLI_HEALTH),
	FLAG("force", force, .of = CLI_FORCE),
	FLAG("dry-run", dry_run, .of = CLI_DRY_RUN),
	TEXT("since", since, .of = CLI_EVENTS),
	TEXT("until", until, .of = CLI_EVENTS),
	TEXT("type", type, .of = CLI_EVENTS),
	TEXT("severity", severity, .of = CLI_EVENTS),
	TEXT("limit", limit, .of = CLI_EVENTS),
	FLAG("follow", follow, .of = CLI_EVENTS),
	TEXT("replica", replica, .of = CLI_PROTECT),
	TEXT("keep", keep, .of = CLI_PROTECT),
	TEXT("every", every, .of = CLI_PROTECT),
	TEXT("rate", rate, .of = CLI_PROTECT),
	FLAG("purge", purge, .of = CLI_PROTECT),
	TEXT("from", from, .of = CLI_REPAIR),
	TEXT("give-up", give_up, .of = CLI_REPAIR | CLI_GIVE_UP),
	FLAG("apply", apply, .of = CLI_REPAIR),
	FLAG("auto", automatic, .of = CLI_REPAIR),
	FLAG("accept-unproven", accept_unproven, .of = CLI_REPAIR),
	FLAG("in-place", in_place, .of = CLI_REPAIR),
	FLAG("resume", resume, .of = CLI_REPAIR),
};

static const char letters[] = "+:jqvxh";

int options_usage_error(struct cli *cli, const char *subject, const char *text)
{
	pme_log_add(&cli->log, PME_ERROR, subject, "%s", text);
	return -EINVAL;
}

int options_check_give_up(struct cli *cli)
{
	if (!cli->give_up || strcmp(cli->give_up, "zero") == 0)
		return 0;
	return options_usage_error(cli, cli->give_up,
				   "lost bytes can be given up for zeros only: --give-up zero");
}

/* The row of what getopt_long() returned; NULL: of none. */
static const struct row *row_of(int option)
{
	if (option >= FIRST)
		return &rows[option - FIRST];
	for (size_t i = 0; i < PME_ARRAY_SIZE(rows); i++)
		if (rows[i].letter == option)
			return &rows[i];
	return NULL;
}

static int take_option(struct cli *cli, const struct cmd *cmd, int option)
{
	const struct row *row = row_of(option);
	const char *subject = cli->argv[optind - 1];
	void *member;

	if (!row)
		return options_usage_error(cli, subject,
					   option == ':' ? "this option needs an argument"
							 : "no such option");
	if (row->of && !cmd)
		return options_usage_error(cli, subject, "this option belongs behind a command");
	if (row->of && !(row->of & cmd->options)) {
		_cleanup_free_ char *name = pme_printf("--%s", row->name);

		return options_usage_error(cli, name ? name : subject,
					   "this command does not take that option");
	}
	if (row->take)
		return row->take(cli);
	member = (char *)cli + row->offset;
	if (row->has_argument)
		*(const char **)member = optarg;
	else
		*(bool *)member = true;
	return 0;
}

int options_take(struct cli *cli, const struct cmd *cmd)
{
	struct option options[PME_ARRAY_SIZE(rows) + 1] = {0};

	for (size_t i = 0; i < PME_ARRAY_SIZE(rows); i++)
		options[i] = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].has_argument ? required_argument : no_argument,
			.val = rows[i].letter ? rows[i].letter : FIRST + (int)i,
		};
	for (;;) {
		int option = getopt_long(cli->argc, cli->argv, letters, options, NULL);
		int r;

		if (option == -1)
			return 0;
		r = take_option(cli, cmd, option);
		if (r != 0)
			return r;
	}
}

int options_take_arguments(struct cli *cli, const struct cmd *cmd)
{
	size_t alloc = 0;

	while (optind < cli->argc) {
		int r = options_take(cli, cmd);
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
		return options_usage_error(cli, cmd->name, "an argument is missing: see --help");
	if (cli->n_args > cmd->max_args)
		return options_usage_error(cli, cli->args[cmd->max_args], "one argument too many");
	return 0;
}
