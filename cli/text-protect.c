/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text of pmemctl protect.
 */
#include <string.h>
#include <time.h>

#include "cli.h"
#include "text.h"

#define COLUMN 14

static unsigned long long number(struct json_object *object, const char *key)
{
	return (unsigned long long)pme_json_get_number(object, key);
}

static void label(const char *text)
{
	printf("  %-*s", COLUMN, text);
}

/* ", 3 symbolic links": nothing for none. */
static void count_text(struct json_object *object, const char *key, const char *what)
{
	if (number(object, key) > 0)
		printf(", %llu %s", number(object, key), what);
}

static void state_text(struct json_object *state)
{
	const char *synced = pme_json_get_text(state, "synced");
	const char *verified = pme_json_get_text(state, "verified");

	label("last sync:");
	if (!*synced)
		printf("never\n");
	else
		printf("%s, %llu files, %s\n", synced, number(state, "files"),
		       pme_json_get_bool(state, "whole") ? "all kept" : "not all kept");
	label("last verify:");
	if (!*verified)
		printf("never\n");
	else if (number(state, "damaged") > 0)
		printf("%s, %llu damaged copies\n", verified, number(state, "damaged"));
	else
		printf("%s, all good\n", verified);
}

static void domain_text(struct json_object *domain)
{
	const char *verdict = pme_json_get_text(domain, "verdict");
	const char *device = pme_json_get_text(domain, "device");

	label("apart:");
	if (strcmp(verdict, "separate") == 0)
		printf("yes: no DIMM and no device in common\n");
	else if (strcmp(verdict, "unknown") == 0)
		printf("not known\n");
	else
		printf("no: the copies are on %s, too\n", *device ? device : "the same device");
}

static void share_text(struct json_object *share)
{
	label("repairable:");
	text_bytes(number(share, "repairable_bytes"));
	printf(" of ");
	text_bytes(number(share, "bytes"));
	printf(" in %llu files", number(share, "files"));
	count_text(share, "unkept_files", "of them not kept yet");
	count_text(share, "damaged_files", "with a damaged copy, until the next sync");
	printf("\n");
}

static void sync_text(struct json_object *sync)
{
	label("synced:");
	printf("%llu files: %llu new versions, %llu unchanged", number(sync, "files"),
	       number(sync, "kept"), number(sync, "unchanged"));
	count_text(sync, "not_kept", "not kept");
	count_text(sync, "by_digest", "of them without checkpoint");
	count_text(sync, "without_proof", "without proof: open for writing");
	count_text(sync, "removed", "gone, and forgotten");
	count_text(sync, "unseen", "not met, not known to be gone: their copies stay for now");
	printf("\n");
	label("copied:");
	text_bytes(number(sync, "bytes_written"));
	count_text(sync, "unreadable_blocks", "blocks could not be read");
	printf("\n");
	if (number(sync, "symbolic_links") + number(sync, "special_files") +
		    number(sync, "mounts") + number(sync, "hard_links") ==
	    0)
		return;
	label("left out:");
	printf("%llu symbolic links", number(sync, "symbolic_links"));
	count_text(sync, "special_files", "fifos, sockets and devices");
	count_text(sync, "mounts", "mounts");
	count_text(sync, "hard_links", "further names of the same files");
	printf("\n");
}

static void verify_text(struct json_object *verify)
{
	label("verified:");
	printf("%llu versions, ", number(verify, "versions"));
	text_bytes(number(verify, "bytes"));
	if (number(verify, "damaged_versions") > 0)
		printf(": %llu damaged, %llu blocks; the next sync copies these files anew\n",
		       number(verify, "damaged_versions"), number(verify, "damaged_blocks"));
	else
		printf(": all good\n");
}

static void remove_text(const struct cli *cli, struct json_object *protection)
{
	label("removed:");
	printf("it is not protected any more\n"); /* what may be left is said in the messages */
	label("replica:");
	if (cli->purge) {
		printf("gone\n");
		return;
	}
	printf("left as it is: ");
	text_path(pme_json_get(protection, "replica"));
	printf("/%s\n", pme_json_get_text(protection, "id"));
}

static void protection_text(const struct cli *cli, struct json_object *protection,
			    const char *action)
{
	struct json_object *sync = pme_json_get(protection, "sync");
	struct json_object *verify = pme_json_get(protection, "verify");
	struct json_object *share = pme_json_get(protection, "share");

	text_path(pme_json_get(protection, "path"));
	printf("  (%s)\n", pme_json_get_text(protection, "id"));
	if (strcmp(action, "remove") == 0) {
		/* What failed is said in the messages. */
		if (!cli->log.failed)
			remove_text(cli, protection);
		return;
	}
	label("replica:");
	text_path(pme_json_get(protection, "replica"));
	printf(", %llu versions", number(protection, "keep"));
	if (pme_json_get(protection, "every"))
		printf(", every %llu s", number(protection, "every"));
	printf("\n");
	domain_text(pme_json_get(protection, "failure_domain"));
	if (sync)
		sync_text(sync);
	if (verify)
		verify_text(verify);
	if (!sync && !verify && pme_json_get(protection, "state"))
		state_text(pme_json_get(protection, "state"));
	if (share)
		share_text(share);
}

void text_protect(const struct cli *cli, struct json_object *doc)
{
	struct json_object *protections = pme_json_get(doc, "protections");
	const char *action = pme_json_get_text(doc, "action");

	if (pme_json_count(protections) == 0 && strcmp(action, "add") != 0 && !cli->log.failed)
		printf("Nothing is under protection.\n");
	for (size_t i = 0; i < pme_json_count(protections); i++)
		protection_text(cli, pme_json_at(protections, i), action);
}
