/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Affected files: claims of all findings gathered by inode, each file once.
 */
#include <string.h>

#include "text.h"

struct affected {
	const char *filesystem; /* uuid, or source */
	uint64_t inode;
	size_t sequence; /* order of first appearance */
	struct json_object *claim;
};

struct affected_list {
	struct affected *items;
	size_t count, alloc;
};

static int compare(const void *a, const void *b)
{
	const struct affected *x = a, *y = b;
	int order = strcmp(x->filesystem, y->filesystem);

	if (order != 0)
		return order;
	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static bool same_file(const struct affected *x, const struct affected *y)
{
	return strcmp(x->filesystem, y->filesystem) == 0 && x->inode == y->inode;
}

static void add_claim(struct affected_list *list, struct json_object *claim)
{
	struct json_object *owner = pme_json_get(claim, "owner");
	struct json_object *filesystem = pme_json_get(owner, "filesystem");
	const char *uuid = pme_json_get_text(filesystem, "uuid");

	if (!pme_json_get(owner, "inode") ||
	    strcmp(pme_json_get_text(claim, "verdict"), "harmless") == 0)
		return;
	if (pme_grow(&list->items, &list->alloc, list->count, sizeof(*list->items)) < 0)
		return;
	list->items[list->count] = (struct affected){
		.filesystem = *uuid ? uuid : pme_json_get_text(filesystem, "source"),
		.inode = pme_json_get_number(owner, "inode"),
		.sequence = list->count,
		.claim = claim,
	};
	list->count++;
}

static void gather(struct json_object *doc, struct affected_list *list)
{
	struct json_object *findings = pme_json_get(doc, "findings");

	for (size_t i = 0; i < pme_json_count(findings); i++) {
		struct json_object *claims = pme_json_get(pme_json_at(findings, i), "claims");

		for (size_t c = 0; c < pme_json_count(claims); c++)
			add_claim(list, pme_json_at(claims, c));
	}
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare);
}

static void names_text(struct json_object *owner)
{
	struct json_object *paths = pme_json_get(owner, "paths");
	const char *reason = pme_json_get_text(owner, "paths_reason");

	for (size_t i = 0; i < pme_json_count(paths); i++) {
		printf("%s", i ? "        also " : "    ");
		text_path(pme_json_at(paths, i));
		printf("\n");
	}
	if (pme_json_count(paths) == 0)
		printf("    inode %llu\n", (unsigned long long)pme_json_get_number(owner, "inode"));
	if (*reason) {
		printf("        (");
		text_name(reason);
		printf(")\n");
	}
}

static void piece_text(const struct cli *cli, struct json_object *claim)
{
	struct json_object *owner = pme_json_get(claim, "owner");
	struct json_object *range = pme_json_get(owner, "range");
	uint64_t start = pme_json_get_number(range, "start");
	const char *detail = pme_json_get_text(owner, "detail");

	printf("        %s", pme_json_get_text(owner, "kind"));
	if (range)
		printf(" bytes %llu to %llu", (unsigned long long)start,
		       (unsigned long long)(start + pme_json_get_number(range, "length") - 1));
	if (*detail) {
		printf(", ");
		text_name(detail);
	}
	printf("%s: ", pme_json_get_bool(owner, "shared") ? ", shared with other files" : "");
	text_verdict(cli, pme_json_get_text(claim, "verdict"));
	printf("\n");
}

/* One file: [first, end) of the list are its claims. */
static void file_text(const struct cli *cli, const struct affected *first,
		      const struct affected *end)
{
	struct json_object *owner = pme_json_get(first->claim, "owner");

	names_text(owner);
	for (const struct affected *a = first; a < end; a++)
		piece_text(cli, a->claim);
	text_use(pme_json_get(owner, "use"), 8);
	text_holders(pme_json_get(owner, "holders"), 8);
}

void text_files(const struct cli *cli, struct json_object *doc, size_t limit)
{
	struct affected_list list = {0};
	size_t files = 0, shown = 0;

	gather(doc, &list);
	for (size_t i = 0; i < list.count; i++)
		files += i == 0 || !same_file(&list.items[i - 1], &list.items[i]);
	if (files == 0)
		printf("   files: none affected\n");
	else
		printf("   files: %zu file%s affected:\n\n", files, files == 1 ? "" : "s");
	for (size_t i = 0; i < list.count && (!limit || shown < limit); shown++) {
		size_t end = i + 1;

		while (end < list.count && same_file(&list.items[i], &list.items[end]))
			end++;
		file_text(cli, &list.items[i], &list.items[end]);
		i = end;
	}
	if (shown < files)
		printf("    … and %zu more: status -v shows all\n", files - shown);
	free(list.items);
}
