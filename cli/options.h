/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the command line says, taken apart with getopt_long(3): its state (optind) is the only one.
 */
#ifndef PME_CLI_OPTIONS_H
#define PME_CLI_OPTIONS_H

#include "cli.h"

/* What taking ends with besides 0 and -errno: print something and leave. */
enum { LEAVE_HELP = 1, LEAVE_VERSION };

/* Options from optind on, up to the first other argument.  @cmd: NULL before a command. */
int options_take(struct cli *cli, const struct cmd *cmd);

/* All the rest, into @cli: options and arguments of @cmd may be mixed; behind "--" all are
 * arguments. */
int options_take_arguments(struct cli *cli, const struct cmd *cmd);

/* Says so in the log; -EINVAL. */
int options_usage_error(struct cli *cli, const char *subject, const char *text);

/* Is the argument of --give-up one that there is?  0, or -EINVAL and said. */
int options_check_give_up(struct cli *cli);

#endif
