/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsers of first bytes and command lines; see use-file.h.
 *
 * Signatures: qcow2 (docs/interop/qcow2.txt of QEMU), VMDK (sparse extents), VHDX, VDI.  A comma in
 * a value of QEMU is written twice; a path with one is not found here, which only means that less
 * is said.
 */
#include "use-file.h"

#include <string.h>

static const struct {
	size_t at, len;
	const char *bytes, *name;
} images[] = {
	{0, 4, "QFI\xfb", "qcow2"},
	{0, 4, "KDMV", "VMDK"},
	{0, 8, "vhdxfile", "VHDX"},
	{64, 4, "\x7f\x10\xda\xbe", "VDI"},
};

const char *pme_image_parse(const void *data, size_t size)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(images); i++)
		if (size >= images[i].at + images[i].len &&
		    memcmp((const char *)data + images[i].at, images[i].bytes, images[i].len) == 0)
			return images[i].name;
	return NULL;
}

bool pme_sqlite_parse(const void *data, size_t size)
{
	static const char magic[16] = "SQLite format 3";
	const unsigned char *bytes = data;
	unsigned int page;

	if (size < 100 || memcmp(bytes, magic, sizeof(magic)) != 0)
		return false;
	page = (unsigned int)bytes[16] << 8 | bytes[17];
	return page == 1 || (page >= 512 && (page & (page - 1)) == 0);
}

/* The argument at *@pos, without its NUL: 1, or 0 at the end. */
static int next_argument(const char **pos, const char *end, const char **ret, size_t *ret_len)
{
	const char *nul;

	if (*pos >= end)
		return 0;
	nul = memchr(*pos, '\0', (size_t)(end - *pos));
	*ret = *pos;
	*ret_len = (size_t)((nul ? nul : end) - *pos);
	*pos = nul ? nul + 1 : end;
	return 1;
}

/* From @value up to a comma that is alone; *@pos moves behind it. */
static char *next_value(const char **pos, const char *end)
{
	char *text = malloc((size_t)(end - *pos) + 1), *out = text;

	while (text && *pos < end) {
		if (**pos == ',' && !(*pos + 1 < end && (*pos)[1] == ','))
			break;
		*pos += **pos == ',';
		*out++ = *(*pos)++;
	}
	if (text)
		*out = '\0';
	*pos += *pos < end;
	return text;
}

/* "web,process=x", "guest=web,debug-threads=on": 1, 0, -ENOMEM. */
static int name_in(const char *value, size_t len, char **ret)
{
	static const char guest[] = "guest=";
	const char *end = value + len;
	bool first = true;

	while (value < end) {
		_cleanup_free_ char *item = next_value(&value, end);
		bool is_guest = item && strncmp(item, guest, strlen(guest)) == 0;

		if (!item)
			return -ENOMEM;
		if (is_guest)
			memmove(item, item + strlen(guest), strlen(item) - strlen(guest) + 1);
		if (*item && (is_guest || (first && !strchr(item, '=')))) {
			*ret = pme_take_ptr(item);
			return 1;
		}
		first = false;
	}
	return 0;
}

int pme_guest_name_parse(const char *args, size_t len, char **ret)
{
	const char *end = args + len, *word, *value;
	size_t word_len, value_len;

	while (next_argument(&args, end, &word, &word_len) > 0) {
		if (!pme_word_is(word, word_len, "-name") && !pme_word_is(word, word_len, "--name"))
			continue;
		if (next_argument(&args, end, &value, &value_len) == 0)
			return 0;
		return name_in(value, value_len, ret);
	}
	return 0;
}

static bool ends_with(const char *start, const char *end, const char *tail)
{
	size_t len = strlen(tail);

	return (size_t)(end - start) >= len && memcmp(end - len, tail, len) == 0;
}

/* Is the value at @at in the argument from @word on that of a disk or of memory? */
static bool has_disk_key(const char *word, const char *at)
{
	static const char *const keys[] = {"file=", "filename=", "\"filename\":\"", "mem-path="};

	for (size_t i = 0; i < PME_ARRAY_SIZE(keys); i++)
		if (ends_with(word, at, keys[i]))
			return true;
	return at == word + strlen("path=") && ends_with(word, at, "path=");
}

/* Is @option one whose whole value is a disk, or memory? */
static bool is_disk_option(const char *option, size_t len)
{
	static const char *const options[] = {"-hda",	"-hdb",	   "-hdc",	"-hdd",
					      "-cdrom", "-pflash", "-mem-path", "-sd"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(options); i++)
		if (pme_word_is(option, len, options[i]))
			return true;
	return false;
}

/* Is @path the value of a key of the argument [@word, @end)? */
static bool is_value_in(const char *word, const char *end, const char *path)
{
	size_t len = strlen(path);

	for (const char *at = word; (at = memmem(at, (size_t)(end - at), path, len)); at++) {
		const char *behind = at + len;

		if (has_disk_key(word, at) && (behind == end || *behind == ',' || *behind == '"'))
			return true;
	}
	return false;
}

bool pme_guest_disk_parse(const char *args, size_t len, const char *path)
{
	const char *end = args + len, *word, *before = "";
	size_t word_len, before_len = 0;

	while (*path && next_argument(&args, end, &word, &word_len) > 0) {
		if (is_value_in(word, word + word_len, path) ||
		    (is_disk_option(before, before_len) && pme_word_is(word, word_len, path)))
			return true;
		before = word;
		before_len = word_len;
	}
	return false;
}
