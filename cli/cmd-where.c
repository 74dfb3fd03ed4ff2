/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl where: from a file down to the memory that holds it.
 */
#include "cli.h"
#include "text.h"
#include "where.h"

static int run_where(struct cli *cli, struct json_object *doc)
{
	return pme_where(cli->os, cli->args[0], &cli->log, doc);
}

static void via_text(struct json_object *via)
{
	for (size_t i = pme_json_count(via); i-- > 0;) {
		struct json_object *hop = pme_json_at(via, i);
		const char *name = pme_json_get_text(hop, "name");

		printf("      %s %s %llu\n", pme_json_get_text(hop, "kind"),
		       *name ? name : pme_json_get_text(hop, "device"),
		       (unsigned long long)pme_json_get_number(hop, "start"));
	}
}

/* With the part of the compressed bytes that lies here, when it is not all of them. */
static void coding_text(struct json_object *coding)
{
	struct json_object *part = pme_json_get(coding, "range");
	uint64_t start = pme_json_get_number(part, "start");
	uint64_t length = pme_json_get_number(part, "length");
	uint64_t size = pme_json_get_number(coding, "size");

	if (!coding)
		return;
	printf(", compressed (%s) as %llu bytes", pme_json_get_text(coding, "method"),
	       (unsigned long long)size);
	if (length != size)
		printf(", here %llu to %llu of them", (unsigned long long)start,
		       (unsigned long long)(start + length - 1));
}

static void piece_text(struct json_object *piece)
{
	struct json_object *range = pme_json_get(piece, "range");
	uint64_t start = pme_json_get_number(range, "start");
	const char *reason = pme_json_get_text(piece, "reason");

	printf("  bytes %llu to %llu: %s", (unsigned long long)start,
	       (unsigned long long)(start + pme_json_get_number(range, "length") - 1),
	       pme_json_get_text(piece, "state"));
	coding_text(pme_json_get(piece, "compressed"));
	printf("%s\n", pme_json_get_bool(piece, "shared") ? ", shared with other files" : "");
	via_text(pme_json_get(piece, "via"));
	if (*reason)
		printf("      unknown: %s\n", reason);
	if (!pme_json_get(piece, "physical_address"))
		return;
	printf("      physical address 0x%llx",
	       (unsigned long long)pme_json_get_number(piece, "physical_address"));
	if (pme_json_count(pme_json_get(piece, "dimms")) > 0) {
		printf(" on ");
		text_join(pme_json_get(piece, "dimms"));
	}
	printf("\n");
}

static void where_text(const struct cli *cli, struct json_object *doc)
{
	struct json_object *file = pme_json_get(doc, "file");
	struct json_object *pieces = pme_json_get(doc, "pieces");
	const char *vault = pme_json_get_text(file, "vault");

	if (!file)
		return;
	text_path(file);
	printf(": inode %llu, %llu bytes%s%s\n",
	       (unsigned long long)pme_json_get_number(file, "inode"),
	       (unsigned long long)pme_json_get_number(file, "size"),
	       *vault ? ", of pmemctl itself: " : "", vault);
	for (size_t i = 0; i < pme_json_count(pieces); i++)
		piece_text(pme_json_at(pieces, i));
}

const struct cmd cmd_where = {
	.name = "where",
	.format = "pmemctl.where",
	.usage = "FILE[:START+LEN]",
	.summary = "where the bytes of a file are: device, layers, namespace, address, DIMM",
	.help = "",
	.min_args = 1,
	.max_args = 1,
	.run = run_where,
	.empty = pme_where_json_empty,
	.text = where_text,
};
