/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of bad blocks; see badblocks.h.
 *
 * The surprise: a sysfs list may stop in the middle of a number ("... 51" of "... 512"), so a last
 * line without newline is never parsed.
 */
#include "badblocks.h"

#include <string.h>

/* Add the blocks [first, first + count) of @unit bytes each. */
static int add_blocks(struct pme_range_list *list, uint64_t first, uint64_t count, uint64_t unit)
{
	uint64_t start, length, end;

	if (count == 0)
		return -EINVAL;
	if (pme_mul(first, unit, &start) < 0 || pme_mul(count, unit, &length) < 0 ||
	    pme_add(start, length, &end) < 0)
		return -ERANGE;
	return pme_range_list_add(list, start, length);
}

/* The numbers of one line: how many there are (0 for an empty line), or -EINVAL, -ERANGE. */
static int line_numbers(const char *line, size_t len, uint64_t ret[2])
{
	const char *pos = line, *word;
	size_t word_len;
	int n = 0;

	while (pme_next_word(&pos, line + len, &word, &word_len)) {
		int r = n < 2 ? pme_parse_u64(word, word_len, &ret[n]) : -EINVAL;

		if (r < 0)
			return r;
		n++;
	}
	return n;
}

static int parse_sysfs_line(const char *line, size_t len, struct pme_badblocks *bb)
{
	uint64_t numbers[2];
	int n = line_numbers(line, len, numbers);

	if (n < 0)
		return n;
	if (n == 0)
		return 0; /* a disk without a table shows a single empty line */
	if (n != 2)
		return -EINVAL;
	bb->entries++;
	return add_blocks(&bb->ranges, numbers[0], numbers[1], PME_SECTOR);
}

static int finish(struct pme_badblocks *bb, int error, struct pme_badblocks *ret)
{
	if (error < 0) {
		pme_badblocks_done(bb);
		return error;
	}
	pme_range_list_normalize(&bb->ranges);
	*ret = *bb;
	return 0;
}

int pme_badblocks_parse_sysfs(const char *text, size_t len, struct pme_badblocks *ret,
			      size_t *ret_line)
{
	struct pme_badblocks bb = {0};
	const char *pos = text, *end = text + len;
	int r = 0;

	*ret_line = 0;
	while (pos < end && r == 0) {
		const char *newline = memchr(pos, '\n', (size_t)(end - pos));

		if (!newline)
			break;
		++*ret_line;
		r = parse_sysfs_line(pos, (size_t)(newline - pos), &bb);
		pos = newline + 1;
	}
	if (bb.entries >= PME_BADBLOCKS_ENTRIES)
		bb.state = PME_BB_FULL;
	if (len >= PME_BADBLOCKS_CLIP || pos < end)
		bb.state = PME_BB_CLIPPED;
	return finish(&bb, r, ret);
}

/* One line of a user's list; *@columns remembers the format of the first one. */
static int parse_file_line(const char *line, size_t len, uint64_t block_size, int *columns,
			   struct pme_badblocks *bb)
{
	uint64_t numbers[2] = {0, 1};
	int n;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len > 0 && line[0] == '#')
		return 0;
	n = line_numbers(line, len, numbers);
	if (n <= 0)
		return n;
	if (*columns && *columns != n)
		return -EINVAL;
	*columns = n;
	bb->entries++;
	return add_blocks(&bb->ranges, numbers[0], numbers[1], n == 2 ? PME_SECTOR : block_size);
}

int pme_badblocks_parse_file(const char *text, size_t len, uint64_t block_size,
			     struct pme_badblocks *ret, size_t *ret_line)
{
	struct pme_badblocks bb = {0};
	const char *pos = text, *end = text + len;
	int columns = 0;
	int r = 0;

	*ret_line = 0;
	while (pos < end && r == 0) {
		const char *newline = memchr(pos, '\n', (size_t)(end - pos));
		const char *stop = newline ? newline : end;

		++*ret_line;
		r = parse_file_line(pos, (size_t)(stop - pos), block_size, &columns, &bb);
		pos = stop + 1;
	}
	return finish(&bb, r, ret);
}

int pme_badblocks_read(const struct pme_os *os, const char *path, struct pme_badblocks *ret,
		       size_t *ret_line)
{
	char buf[2 * PME_BADBLOCKS_CLIP];
	ssize_t n = pme_os_read_once(os, path, buf, sizeof(buf));

	*ret_line = 0;
	if (n < 0)
		return (int)n;
	return pme_badblocks_parse_sysfs(buf, (size_t)n, ret, ret_line);
}

void pme_badblocks_done(struct pme_badblocks *bb)
{
	pme_range_list_done(&bb->ranges);
	*bb = (struct pme_badblocks){0};
}
