/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A JSON value as text (RFC 8259), indented.
 *
 * json-c has a writer, which builds the text in memory and, when there is none left, goes on with
 * a part of it missing.  This one needs no memory, so that a document is printed whole or not.
 *
 * What surprises: values that are printed already are one boolean with the text as its user data,
 * as json_object_userdata_to_json_string() of json-c knows it.  Nothing else makes such booleans.
 */
#include "doc.h"

#include <string.h>

#define INDENT 2
#define BUFFER_SIZE 16384
#define DIGITS_MAX 20 /* of 64 bits */

static void flush(struct pme_json_writer *w)
{
	w->failed |= fwrite(w->text, 1, w->used, w->out) != w->used;
	w->used = 0;
}

/* Room for a byte at least; false: there is none. */
static bool make_room(struct pme_json_writer *w)
{
	size_t size = pme_max(2 * w->size, BUFFER_SIZE);
	char *text;

	if (w->used < w->size)
		return true;
	if (w->out) {
		flush(w);
		return true;
	}
	text = w->failed ? NULL : realloc(w->text, size);
	if (text) {
		w->text = text;
		w->size = size;
	}
	w->failed |= !text;
	return text;
}

static void put(struct pme_json_writer *w, const char *text, size_t len)
{
	while (len > 0 && make_room(w)) {
		size_t part = pme_min(len, w->size - w->used);

		memcpy(w->text + w->used, text, part);
		w->used += part;
		text += part;
		len -= part;
	}
}

static void put_text(struct pme_json_writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void put_char(struct pme_json_writer *w, char c)
{
	if (make_room(w))
		w->text[w->used++] = c;
}

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

static void write_string(struct json_object *value, struct pme_json_writer *w)
{
	const char *text = json_object_get_string(value);
	size_t len = (size_t)json_object_get_string_len(value), written = 0;

	put_char(w, '"');
	for (size_t i = 0; i < len; i++) {
		char buf[8];
		const char *instead = escape((unsigned char)text[i], buf);

		if (!instead)
			continue;
		put(w, text + written, i - written);
		put_text(w, instead);
		written = i + 1;
	}
	put(w, text + written, len - written);
	put_char(w, '"');
}

static void write_key(const char *key, struct pme_json_writer *w)
{
	put_char(w, '"');
	put_text(w, key); /* our own words: nothing to escape */
	put(w, "\": ", 3);
}

static void write_line_start(int depth, struct pme_json_writer *w)
{
	static const char start[] = "\n                                ";
	int most = (int)(sizeof(start) - 2) / INDENT;

	put(w, start, 1 + (size_t)(depth < most ? depth : most) * INDENT);
	for (; depth > most; depth--)
		put(w, start + 1, INDENT);
}

static void write_value(struct json_object *value, int depth, struct pme_json_writer *w);

static void write_object(struct json_object *value, int depth, struct pme_json_writer *w)
{
	bool is_first = true;

	put_char(w, '{');
	json_object_object_foreach(value, key, member)
	{
		if (!is_first)
			put_char(w, ',');
		write_line_start(depth + 1, w);
		write_key(key, w);
		write_value(member, depth + 1, w);
		is_first = false;
	}
	if (!is_first)
		write_line_start(depth, w);
	put_char(w, '}');
}

static void write_array(struct json_object *value, int depth, struct pme_json_writer *w)
{
	size_t count = pme_json_count(value);

	put_char(w, '[');
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			put_char(w, ',');
		write_line_start(depth + 1, w);
		write_value(pme_json_at(value, i), depth + 1, w);
	}
	if (count > 0)
		write_line_start(depth, w);
	put_char(w, ']');
}

/* json-c keeps numbers as signed or unsigned, and saturates: a negative one is 0 as unsigned. */
static void write_int(struct json_object *value, struct pme_json_writer *w)
{
	int64_t number = json_object_get_int64(value);
	uint64_t rest = number < 0 ? -(uint64_t)number : json_object_get_uint64(value);
	char digits[DIGITS_MAX];
	size_t i = DIGITS_MAX;

	do {
		digits[--i] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		put_char(w, '-');
	put(w, digits + i, DIGITS_MAX - i);
}

static void write_boolean(struct json_object *value, struct pme_json_writer *w)
{
	const char *printed = json_object_get_userdata(value);

	if (!printed)
		printed = json_object_get_boolean(value) ? "true" : "false";
	put_text(w, printed);
}

static void write_value(struct json_object *value, int depth, struct pme_json_writer *w)
{
	switch (json_object_get_type(value)) {
	case json_type_null:
	case json_type_double: /* no document has one */
		put(w, "null", 4);
		break;
	case json_type_boolean:
		write_boolean(value, w);
		break;
	case json_type_int:
		write_int(value, w);
		break;
	case json_type_string:
		write_string(value, w);
		break;
	case json_type_object:
		write_object(value, depth, w);
		break;
	case json_type_array:
		write_array(value, depth, w);
		break;
	}
}

void pme_json_printed_append(struct pme_json_printed *values, struct json_object *value)
{
	struct pme_json_writer *w = &values->writer;

	if (w->used > 0) {
		put_char(w, ',');
		write_line_start(values->depth, w);
	}
	write_value(value, values->depth, w);
	json_object_put(value);
}

void pme_json_printed_end(struct pme_json_printed *values, struct json_object *array)
{
	struct pme_json_writer w = values->writer;
	struct json_object *element = NULL;

	values->writer = (struct pme_json_writer){0};
	if (w.used == 0 && !w.failed)
		return;
	put_char(&w, '\0');
	if (!w.failed)
		element = json_object_new_boolean(true);
	if (!element) {
		free(w.text);
		pme_json_lose();
		return;
	}
	json_object_set_serializer(element, json_object_userdata_to_json_string, w.text,
				   json_object_free_userdata);
	pme_json_append(array, element);
}

int pme_json_write(struct json_object *value, FILE *out)
{
	char buffer[BUFFER_SIZE];
	struct pme_json_writer w = {.text = buffer, .size = sizeof(buffer), .out = out};

	write_value(value, 0, &w);
	put_char(&w, '\n');
	flush(&w);
	return w.failed || fflush(out) != 0 || ferror(out) ? -EIO : 0;
}
