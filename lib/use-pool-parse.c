/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of pools; see use-pool.h.
 *
 * The surprise: replicas are linked by the UUIDs of their first parts, so that only the header of a
 * first part tells that there are none.
 */
#include "use-pool.h"

#include <string.h>

#include "reader.h"

/* Offsets in the header. */
#define AT_INCOMPAT 16
#define AT_SET 24
#define AT_OWN 40
#define AT_PREV_PART 56
#define AT_NEXT_PART 72
#define AT_PREV_REPLICA 88
#define AT_NEXT_REPLICA 104
#define AT_UNUSED2 2048
#define AT_CHECKSUM 4088

#define SIGNATURE 8
#define UUID 16
#define CHECKSUM_2K 2U /* POOL_FEAT_CKSUM_2K: of the first half only */
#define LINE_MAX_PARTS 65535U

static const struct {
	char signature[SIGNATURE];
	const char *name;
} kinds[] = {
	[PME_POOL_OBJ] = {"PMEMOBJ", "object"},
	[PME_POOL_LOG] = {"PMEMLOG", "log"},
	[PME_POOL_BLK] = {"PMEMBLK", "block"},
};

static const char set_heading[] = "PMEMPOOLSET";

const char *pme_pool_name(enum pme_pool_kind kind)
{
	return kinds[kind].name;
}

/* Fletcher64 of the header, its own place as zeros. */
static uint64_t checksum_of(const unsigned char *header)
{
	size_t end = pme_le32_at(header + AT_INCOMPAT) & CHECKSUM_2K ? AT_UNUSED2 : AT_CHECKSUM;
	uint32_t low = 0, high = 0;

	for (size_t at = 0; at < PME_POOL_HEADER; at += 4) {
		low += at < end ? pme_le32_at(header + at) : 0;
		high += low;
	}
	return (uint64_t)high << 32 | low;
}

/* The first three fields are little-endian numbers (PMDK, src/common/uuid.c). */
static void write_uuid(const unsigned char *uuid, char *out)
{
	static const char digits[] = "0123456789abcdef";
	static const unsigned char order[UUID] = {3, 2, 1,  0,	5,  4,	7,  6,
						  8, 9, 10, 11, 12, 13, 14, 15};

	for (size_t i = 0; i < UUID; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[uuid[order[i]] >> 4];
		*out++ = digits[uuid[order[i]] & 15];
	}
	*out = '\0';
}

static bool same(const unsigned char *header, size_t a, size_t b)
{
	return memcmp(header + a, header + b, UUID) == 0;
}

int pme_pool_parse(const void *data, size_t size, struct pme_pool *ret)
{
	const unsigned char *header = data;
	size_t kind = 0;

	if (size < PME_POOL_HEADER)
		return -EINVAL;
	while (kind < PME_ARRAY_SIZE(kinds) &&
	       memcmp(header, kinds[kind].signature, SIGNATURE) != 0)
		kind++;
	if (kind == PME_ARRAY_SIZE(kinds) ||
	    checksum_of(header) != pme_le64_at(header + AT_CHECKSUM))
		return -EINVAL;
	ret->kind = (enum pme_pool_kind)kind;
	write_uuid(header + AT_SET, ret->set);
	ret->has_parts = !same(header, AT_OWN, AT_PREV_PART) || !same(header, AT_OWN, AT_NEXT_PART);
	ret->has_replicas = !ret->has_parts && (!same(header, AT_OWN, AT_PREV_REPLICA) ||
						!same(header, AT_OWN, AT_NEXT_REPLICA));
	return 0;
}

struct set {
	const char *path;
	struct pme_pool_place place;  /* replica 0: not met yet */
	unsigned int replicas, parts; /* until here */
};

/* "REPLICA" begins one; the lines before the first such are one, too. */
static int begin_replica(struct set *set)
{
	if (set->replicas >= LINE_MAX_PARTS)
		return -EINVAL;
	if (set->place.replica == set->replicas)
		set->place.parts = set->parts;
	set->replicas++;
	set->parts = 0;
	return 0;
}

/* "SIZE PATH", the path to the end of the line. */
static int take_part(struct set *set, const char *path, const char *end)
{
	while (path < end && (*path == ' ' || *path == '\t'))
		path++;
	if (path == end || *path != '/' || set->parts >= LINE_MAX_PARTS)
		return -EINVAL;
	set->parts++;
	if (set->place.replica == 0 && pme_word_is(path, (size_t)(end - path), set->path)) {
		set->place.replica = set->replicas;
		set->place.part = set->parts;
	}
	return 0;
}

static int take_line(struct set *set, const char *line, const char *end)
{
	const char *pos = line, *word;
	size_t len;

	if (pme_next_word(&pos, end, &word, &len) == 0 || *word == '#')
		return 0;
	if (pme_word_is(word, len, "REPLICA"))
		return begin_replica(set);
	if (pme_word_is(word, len, "OPTION"))
		return 0;
	if ((*word < '0' || *word > '9') && !pme_word_is(word, len, "AUTO"))
		return -EINVAL;
	return take_part(set, pos, end);
}

int pme_pool_set_parse(const char *text, size_t len, const char *path, struct pme_pool_place *ret)
{
	struct set set = {.path = path, .replicas = 1};
	const char *end = text + len;
	bool heading = true;
	int r = 0;

	while (r == 0 && text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline ? newline : end;

		if (heading)
			r = pme_word_is(text, (size_t)(line_end - text), set_heading) ? 0 : -EINVAL;
		else
			r = take_line(&set, text, line_end);
		heading = false;
		text = newline ? newline + 1 : end;
	}
	if (r < 0 || heading)
		return -EINVAL;
	if (set.place.replica == 0)
		return 0;
	if (set.place.replica == set.replicas)
		set.place.parts = set.parts;
	set.place.replicas = set.replicas;
	*ret = set.place;
	return 1;
}
