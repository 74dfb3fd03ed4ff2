/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl config: is the configuration of pmemctld good, and what does it say?
 *
 * It reads the files as pmemctld would at its next reload; what a running one uses may be older.
 */
#include <string.h>

#include "cli.h"
#include "conf.h"
#include "text.h"

static void empty_config(struct json_object *doc)
{
	pme_json_bool(doc, "valid", false);
	pme_json_set(doc, "settings", pme_json_array());
}

static int run_config(struct cli *cli, struct json_object *doc)
{
	_cleanup_(pme_conf_done) struct pme_conf conf = {0};
	const char *what = cli->args[0];
	int r;

	if (strcmp(what, "check") != 0 && strcmp(what, "show") != 0) {
		empty_config(doc);
		pme_log_add(&cli->log, PME_ERROR, what, "expected check or show");
		return -EINVAL;
	}
	r = pme_conf_load(cli->os, &cli->log, &conf);
	if (r < 0) {
		empty_config(doc);
		return r == -EINVAL ? 0 : r; /* all is said in the log: no mistake of usage */
	}
	pme_json_bool(doc, "valid", true);
	pme_conf_json(&conf, doc);
	return 0;
}

static void section_text(struct json_object *setting, struct json_object *before)
{
	const char *section = pme_json_get_text(setting, "section");
	const char *path = pme_json_get_text(setting, "path");

	if (before && strcmp(section, pme_json_get_text(before, "section")) == 0 &&
	    strcmp(path, pme_json_get_text(before, "path")) == 0)
		return;
	printf("%s[%s", before ? "\n" : "", section);
	if (*path) {
		printf(" \"");
		text_name(path);
		printf("\"");
	}
	printf("]\n");
}

/* What it prints is a configuration that says the same. */
static void setting_text(struct json_object *setting)
{
	const char *standard = pme_json_get_text(setting, "default");

	printf("%s = ", pme_json_get_text(setting, "setting"));
	text_name(pme_json_get_text(setting, "value"));
	if (pme_json_get(setting, "file")) {
		printf(" ; default %s: ", *standard ? standard : "empty");
		text_name(pme_json_get_text(setting, "file"));
		printf(":%llu", (unsigned long long)pme_json_get_number(setting, "line"));
	}
	printf("\n");
}

static void config_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *settings = pme_json_get(doc, "settings"), *before = NULL;

	if (!pme_json_get_bool(doc, "valid")) {
		printf("The configuration has errors: pmemctld does not start with it, or keeps "
		       "the one "
		       "it has.\n");
		return;
	}
	if (strcmp(cli->args[0], "check") == 0) {
		printf("The configuration is good.\n");
		return;
	}
	for (size_t i = 0; i < pme_json_count(settings); i++) {
		struct json_object *setting = pme_json_at(settings, i);

		section_text(setting, before);
		setting_text(setting);
		before = setting;
	}
}

const struct cmd cmd_config = {
	.name = "config",
	.format = "pmemctl.config",
	.usage = "check|show",
	.summary = "the configuration of pmemctld: is it good, and what does it say",
	.help = "\n  check  exit status 4, and each error, when pmemctld would not use it\n"
		"  show   each setting, and where it was set\n",
	.min_args = 1,
	.max_args = 1,
	.run = run_config,
	.empty = empty_config,
	.text = config_text,
};
