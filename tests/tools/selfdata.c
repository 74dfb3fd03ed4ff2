/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selfdata: the test oracle's tool.  fill makes a tree of self-describing data and its manifest,
 * verify proves the manifest, decode reads the truth from raw sectors.
 *
 * It knows nothing of partitions, device-mapper, MD or filesystem layouts, and must never learn:
 * a judge who uses the same arithmetic as the accused proves nothing.
 */
#include <string.h>

#include "selfdata.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"fill", sd_cmd_fill},
	{"verify", sd_cmd_verify},
	{"decode", sd_cmd_decode},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	fputs("usage: selfdata fill|verify|decode ...\n", stderr);
	return 8;
}
