/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Findings as text: one block for each bad range, one paragraph for each claim.
 */
#include <string.h>

#include "text.h"

static void number_range(struct json_object *range)
{
	uint64_t start = pme_json_get_number(range, "start");
	uint64_t length = pme_json_get_number(range, "length");

	printf("bytes %llu to %llu", (unsigned long long)start,
	       (unsigned long long)(start + length - 1));
}

static struct json_object *last_hop(struct json_object *claim)
{
	struct json_object *via = pme_json_get(claim, "via");

	return pme_json_at(via, pme_json_count(via) - 1);
}

static const char *label_of(struct json_object *hop)
{
	const char *name = pme_json_get_text(hop, "name");

	return *name ? name : pme_json_get_text(hop, "device");
}

/* "xfs on vg0/data (/srv)" */
static void filesystem_text(struct json_object *claim, struct json_object *filesystem)
{
	printf("%s on ", pme_json_get_text(filesystem, "type"));
	text_name(label_of(last_hop(claim)));
	if (pme_json_count(pme_json_get(filesystem, "mounts")) == 0) {
		printf(" (not mounted)");
		return;
	}
	printf(" (");
	text_join(pme_json_get(filesystem, "mounts"));
	printf(")");
}

void text_owner(struct json_object *claim)
{
	struct json_object *owner = pme_json_get(claim, "owner");
	struct json_object *filesystem = pme_json_get(owner, "filesystem");
	const char *detail = pme_json_get_text(owner, "detail");

	fputs(pme_json_get_text(owner, "kind"), stdout);
	if (*detail) {
		fputs(": ", stdout);
		text_name(detail);
	}
	if (pme_json_get(owner, "inode"))
		printf(" of inode %llu", (unsigned long long)pme_json_get_number(owner, "inode"));
	fputs(", ", stdout);
	if (filesystem)
		filesystem_text(claim, filesystem);
	else
		text_name(label_of(last_hop(claim)));
}

/* Every name on a line of its own, and what is to be said of the names. */
static void names_text(struct json_object *object, int indent)
{
	struct json_object *paths = pme_json_get(object, "paths");
	const char *reason = pme_json_get_text(object, "paths_reason");

	for (size_t i = 0; i < pme_json_count(paths); i++) {
		printf("%*s", indent, "");
		text_path(pme_json_at(paths, i));
		printf("\n");
	}
	if (*reason) {
		printf("%*s(", indent, "");
		text_name(reason);
		printf(")\n");
	}
}

static void inodes_text(struct json_object *inodes)
{
	for (size_t i = 0; i < pme_json_count(inodes); i++) {
		struct json_object *inode = pme_json_at(inodes, i);

		printf("        inode %llu\n",
		       (unsigned long long)pme_json_get_number(inode, "inode"));
		names_text(inode, 12);
		text_holders(pme_json_get(inode, "holders"), 12);
	}
}

static void claim_text(const struct cli *cli, struct json_object *claim)
{
	struct json_object *owner = pme_json_get(claim, "owner");
	struct json_object *range = pme_json_get(owner, "range");
	const char *reason = pme_json_get_text(claim, "reason");

	printf("    ");
	text_verdict(cli, pme_json_get_text(claim, "verdict"));
	printf("  ");
	text_owner(claim);
	printf("\n");
	if (*reason) {
		printf("        ");
		text_name(reason);
		printf("\n");
	}
	names_text(owner, 8);
	if (range) {
		printf("            ");
		number_range(range);
		printf("%s\n",
		       pme_json_get_bool(owner, "shared") ? ", shared with other files" : "");
	}
	text_use(pme_json_get(owner, "use"), 12);
	text_holders(pme_json_get(owner, "holders"), 12);
	inodes_text(pme_json_get(owner, "inodes"));
}

static void finding_text(const struct cli *cli, struct json_object *finding)
{
	struct json_object *range = pme_json_get(finding, "range");
	struct json_object *claims = pme_json_get(finding, "claims");

	printf("%s: ", pme_json_get_text(finding, "device"));
	text_bytes(pme_json_get_number(range, "length"));
	printf(" bad, ");
	number_range(range);
	printf(" (sector %llu)",
	       (unsigned long long)(pme_json_get_number(range, "start") / PME_SECTOR));
	if (pme_json_get(finding, "physical_address"))
		printf(", physical 0x%llx",
		       (unsigned long long)pme_json_get_number(finding, "physical_address"));
	if (pme_json_count(pme_json_get(finding, "dimms")) > 0) {
		printf(", ");
		text_join(pme_json_get(finding, "dimms"));
	}
	printf("; known by ");
	text_join(pme_json_get(finding, "known_by"));
	printf(": ");
	text_verdict(cli, pme_json_get_text(finding, "verdict"));
	printf("\n");
	for (size_t i = 0; i < pme_json_count(claims); i++)
		claim_text(cli, pme_json_at(claims, i));
}

void text_findings(const struct cli *cli, struct json_object *doc)
{
	struct json_object *findings = pme_json_get(doc, "findings");

	for (size_t i = 0; i < pme_json_count(findings); i++)
		finding_text(cli, pme_json_at(findings, i));
}

void text_summary(const struct cli *cli, struct json_object *doc)
{
	struct json_object *summary = pme_json_get(doc, "summary");
	uint64_t findings = pme_json_get_number(summary, "findings");
	uint64_t files = pme_json_get_number(summary, "files");
	uint64_t quarantined = pme_json_get_number(summary, "quarantined_bytes");

	if (findings == 0) {
		printf("No bad ranges%s.\n", strcmp(pme_json_get_text(doc, "coverage"), "complete")
						     ? " found, but not everything could be read"
						     : "");
		return;
	}
	printf("%llu bad range%s, ", (unsigned long long)findings, findings == 1 ? "" : "s");
	text_bytes(pme_json_get_number(summary, "bad_bytes"));
	printf(": ");
	text_bytes(pme_json_get_number(summary, "lost_bytes"));
	printf(" lost, ");
	text_bytes(pme_json_get_number(summary, "recoverable_bytes"));
	printf(" recoverable, ");
	text_bytes(pme_json_get_number(summary, "metadata_at_risk_bytes"));
	printf(" of metadata, ");
	text_bytes(pme_json_get_number(summary, "unknown_bytes"));
	printf(" unknown, ");
	text_bytes(pme_json_get_number(summary, "harmless_bytes"));
	printf(" harmless");
	if (quarantined > 0) {
		printf(" (");
		text_bytes(quarantined);
		printf(" in quarantine)");
	}
	printf("; %llu file%s affected.\n", (unsigned long long)files, files == 1 ? "" : "s");
}
