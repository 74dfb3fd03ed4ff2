/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JSON value as text (RFC 8259), indented.
 *
 * json-c has a writer, which builds the text in memory and, when there is none left, goes on with
 * a part of it missing.  This one needs no memory, so that a document is printed whole or not.
 */
#include <inttypes.h>

#include "doc.h"

static void write_string(struct json_object *value, FILE *out)
{
	const char *text = json_object_get_string(value);
	int len = json_object_get_string_len(value);

	putc('"', out);
	for (int i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\n')
			fputs("\\n", out);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void write_key(const char *key, FILE *out)
{
	fprintf(out, "\"%s\": ", key); /* our own words: nothing to escape */
}

static void write_line_start(int depth, FILE *out)
{
	fprintf(out, "\n%*s", 2 * depth, "");
}

static void write_value(struct json_object *value, int depth, FILE *out);

static void write_object(struct json_object *value, int depth, FILE *out)
{
	const char *separator = "";

	putc('{', out);
	json_object_object_foreach(value, key, member)
	{
		fputs(separator, out);
		write_line_start(depth + 1, out);
		write_key(key, out);
		write_value(member, depth + 1, out);
		separator = ",";
	}
	if (json_object_object_length(value) > 0)
		write_line_start(depth, out);
	putc('}', out);
}

static void write_array(struct json_object *value, int depth, FILE *out)
{
	size_t count = pme_json_count(value);

	putc('[', out);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? "," : "", out);
		write_line_start(depth + 1, out);
		write_value(pme_json_at(value, i), depth + 1, out);
	}
	if (count > 0)
		write_line_start(depth, out);
	putc(']', out);
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
		fputs("null", out);
		break;
	case json_type_boolean:
		fputs(json_object_get_boolean(value) ? "true" : "false", out);
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
	putc('\n', out);
	return fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
