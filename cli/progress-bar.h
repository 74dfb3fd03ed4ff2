/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the run is, on standard error: a bar on a terminal, or JSON Lines for programs; and the
 * time after which it answers with what it knows.
 */
#ifndef PME_CLI_PROGRESS_H
#define PME_CLI_PROGRESS_H

#include "cli.h"

/* The value of --deadline: 0, -EINVAL said in the log. */
int progress_take_deadline(struct cli *cli, const char *text);

/* Before the command runs, and before anything else is written to the terminal. */
void progress_begin(struct cli *cli);
void progress_end(struct cli *cli);

#endif
