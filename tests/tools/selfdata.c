/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selfdata: the test oracle's tool.  fill makes a tree of self-describing data and its manifest,
 * dedupe makes files of it share more, verify proves the manifest, decode reads the truth from raw
 * sectors, noise makes sectors that are nobody's, to be under everything else: parity over blank
 * members equals the data.
 *
 * It knows nothing of partitions, device-mapper, MD or filesystem layouts, and must never learn:
 * a judge who uses the same arithmetic as the accused proves nothing.
 */
#include <string.h>

#include "selfdata.h"

/* noise SEED BYTES: stale sectors to standard output, no two of them alike. */
static int cmd_noise(int argc, char **argv)
{
	struct sd_id id = {0};
	char buf[SD_SECTOR];
	uint64_t bytes;

	if (argc != 2 || sd_parse_u64(argv[0], &id.content) < 0 ||
	    sd_parse_u64(argv[1], &bytes) < 0) {
		fputs("usage: selfdata noise SEED BYTES\n", stderr);
		return 8;
	}
	for (; id.offset + SD_SECTOR <= bytes; id.offset += SD_SECTOR) {
		sd_sector_build(&id, buf);
		if (fwrite(buf, sizeof(buf), 1, stdout) != 1)
			return 1;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"fill", sd_cmd_fill},	   {"dedupe", sd_cmd_dedupe}, {"verify", sd_cmd_verify},
	{"decode", sd_cmd_decode}, {"noise", cmd_noise},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	fputs("usage: selfdata fill|dedupe|verify|decode|noise ...\n", stderr);
	return 8;
}
