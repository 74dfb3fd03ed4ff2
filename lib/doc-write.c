/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JSON value as text (RFC 8259), indented.
 *
 * json-c has a writer, which builds the text in memory and, when there is none left, goes on with
 * a part of it missing.  This one needs no memory, so that a document is printed whole or not.  A
 * stream that one thread writes is not locked for each byte.
 */
#include <inttypes.h>

#include "doc.h"

#define INDENT 2

/* What stands for @c in a string; NULL: itself. */
static const char *escape(unsigned char c, char buf[8])
{
	if (c == '\n')
		return "\\n";
	if (c >= 0x20 && c != '"' && c != '\\')
		return NULL;
	snprintf(buf, 8, c < 0x20 ? "\\u%04x" : "\\%c", c);
	return buf;
}

static void write_string(struct json_object *value, FILE *out)
{
	const char *text = json_object_get_string(value);
	size_t len = (size_t)json_object_get_string_len(value), written = 0;

	putc_unlocked('"', out);
	for (size_t i = 0; i < len; i++) {
		char buf[8];
		const char *instead = escape((unsigned char)text[i], buf);

		if (!instead)
			continue;
		fwrite_unlocked(text + written, 1, i - written, out);
		fputs_unlocked(instead, out);
		written = i + 1;
	}
	fwrite_unlocked(text + written, 1, len - written, out);
	putc_unlocked('"', out);
}

static void write_key(const char *key, FILE *out)
{
	putc_unlocked('"', out);
	fputs_unlocked(key, out); /* our own words: nothing to escape */
	putc_unlocked('"', out);
	putc_unlocked(':', out);
	putc_unlocked(' ', out);
}

static void write_line_start(int depth, FILE *out)
{
	static const char start[] = "\n                                ";
	int most = (int)(sizeof(start) - 2) / INDENT;

	fwrite_unlocked(start, 1, 1 + (size_t)(depth < most ? depth : most) * INDENT, out);
	for (; depth > most; depth--)
		fwrite_unlocked(start + 1, 1, INDENT, out);
}

static void write_value(struct json_object *value, int depth, FILE *out);

static void write_object(struct json_object *value, int depth, FILE *out)
{
	bool is_first = true;

	putc_unlocked('{', out);
	json_object_object_foreach(value, key, member)
	{
		if (!is_first)
			putc_unlocked(',', out);
		write_line_start(depth + 1, out);
		write_key(key, out);
		write_value(member, depth + 1, out);
		is_first = false;
	}
	if (json_object_object_length(value) > 0)
		write_line_start(depth, out);
	putc_unlocked('}', out);
}

static void write_array(struct json_object *value, int depth, FILE *out)
{
	size_t count = pme_json_count(value);

	putc_unlocked('[', out);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			putc_unlocked(',', out);
		write_line_start(depth + 1, out);
		write_value(pme_json_at(value, i), depth + 1, out);
	}
	if (count > 0)
		write_line_start(depth, out);
	putc_unlocked(']', out);
}

/* json-c keeps numbers as signed or unsigned, and saturates: a negative one is 0 as unsigned. */
static void write_int(struct json_object *value, FILE *out)
{
	int64_t number = json_object_get_int64(value);

	if (number < 0)
		fprintf(out, "%" PRId64, number);
	else
		fprintf(out, "%" PRIu64, json_object_get_uint64(value));
}

static void write_value(struct json_object *value, int depth, FILE *out)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
	case json_type_double: /* no document has one */
		fputs_unlocked("null", out);
		break;
	case json_type_boolean:
		fputs_unlocked(json_object_get_boolean(value) ? "true" : "false", out);
		break;
	case json_type_int:
		write_int(value, out);
		break;
	case json_type_string:
		write_string(value, out);
		break;
	case json_type_object:
		write_object(value, depth, out);
		break;
	case json_type_array:
		write_array(value, depth, out);
		break;
	}
}

int pme_json_write(struct json_object *value, FILE *out)
{
	write_value(value, 0, out);
	putc_unlocked('\n', out);
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
