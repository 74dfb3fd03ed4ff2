/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the watch keeps its record, and repairs their journal, for the commands that read it.
 */
#include "history.h"

#include <string.h>

#include "conf.h"
#include "repair-journal.h"

char *cli_store_path(const struct cli *cli)
{
	_cleanup_(pme_log_done) struct pme_log quiet = {0};
	struct pme_conf conf = {0};
	char *path = NULL;

	/* `pmemctl config check` says what is wrong with it; pmemctld would not use it either. */
	if (pme_conf_load(cli->os, &quiet, &conf) == -EINVAL) {
		pme_conf_done(&conf);
		conf = (struct pme_conf){0};
		if (pme_conf_defaults(&conf) < 0)
			return NULL;
	}
	if (conf.store.path)
		path = strdup(conf.store.path);
	pme_conf_done(&conf);
	return path;
}

void history_note_unfinished(struct cli *cli)
{
	_cleanup_free_ char *path = cli_store_path(cli);

	if (path)
		pme_repair_note_unfinished(path, &cli->log);
}
