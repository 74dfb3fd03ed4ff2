/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names, sizes and colours; see text.h.
 */
#include "text.h"

#include <string.h>

static void put_byte(unsigned char c)
{
	switch (c) {
	case '\n':
		fputs("\\n", stdout);
		return;
	case '\t':
		fputs("\\t", stdout);
		return;
	case '\\':
		fputs("\\\\", stdout);
		return;
	}
	if (c < 0x20 || c == 0x7f)
		printf("\\x%02x", c);
	else
		putchar(c);
}

/* C1 control characters (U+0080 to U+009F) act on some terminals. */
static bool is_c1(const unsigned char *s, size_t len)
{
	return len >= 2 && s[0] == 0xc2 && s[1] < 0xa0;
}

/* Bytes of the well-formed character at @s, 0 when there is none. */
static size_t character(const char *s, size_t len)
{
	for (size_t n = 1; n <= 4 && n <= len; n++)
		if (pme_utf8_valid(s, n))
			return n;
	return 0;
}

static void put_bytes(const char *s, size_t len)
{
	while (len > 0) {
		size_t n = character(s, len);

		if (n == 0 || is_c1((const unsigned char *)s, len)) {
			n = n ? n : 1;
			for (size_t i = 0; i < n; i++)
				printf("\\x%02x", (unsigned char)s[i]);
		} else if (n == 1) {
			put_byte((unsigned char)*s);
		} else {
			fwrite(s, 1, n, stdout);
		}
		s += n;
		len -= n;
	}
}

void text_name(const char *name)
{
	put_bytes(name, strlen(name));
}

static int digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* Bytes of base64 text (our own: whole groups of four); @out has room for all of them. */
static size_t decode(const char *text, char *out)
{
	size_t used = 0;

	for (; text[0] && text[1] && text[2] && text[3]; text += 4) {
		uint32_t v = 0;
		int bytes = text[2] == '=' ? 1 : text[3] == '=' ? 2 : 3;

		for (int i = 0; i < 4; i++)
			v = v << 6 | (uint32_t)(digit(text[i]) < 0 ? 0 : digit(text[i]));
		for (int i = 0; i < bytes; i++)
			out[used++] = (char)(v >> (16 - 8 * i));
	}
	return used;
}

void text_path(struct json_object *path)
{
	const char *raw = pme_json_get_text(path, "raw");
	_cleanup_free_ char *bytes = *raw ? malloc(strlen(raw) + 1) : NULL;

	if (bytes)
		put_bytes(bytes, decode(raw, bytes));
	else
		text_name(pme_json_get_text(path, "path"));
}

void text_bytes(uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;

	while (unit + 1 < PME_ARRAY_SIZE(units) && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	printf("%llu %s", (unsigned long long)bytes,
	       bytes == 1 && unit == 0 ? "byte" : units[unit]);
}

static const char *color_of(const char *word)
{
	static const struct {
		const char *word, *color;
	} colors[] = {
		{"lost", "\033[1;31m"},	   {"metadata-at-risk", "\033[1;31m"},
		{"problem", "\033[1;31m"}, {"advice", "\033[33m"},
		{"at-risk", "\033[1;31m"}, {"unknown", "\033[1;33m"},
		{"degraded", "\033[33m"},  {"recoverable", "\033[33m"},
		{"disabled", "\033[33m"},  {"harmless", "\033[33m"},
		{"healthy", "\033[32m"},   {"ok", "\033[32m"},
	};

	for (size_t i = 0; i < PME_ARRAY_SIZE(colors); i++)
		if (strcmp(colors[i].word, word) == 0)
			return colors[i].color;
	return "";
}

void text_verdict(const struct cli *cli, const char *verdict)
{
	if (cli->color)
		printf("%s%s\033[0m", color_of(verdict), verdict);
	else
		fputs(verdict, stdout);
}

void text_join(struct json_object *array)
{
	for (size_t i = 0; i < pme_json_count(array); i++) {
		fputs(i ? ", " : "", stdout);
		text_name(json_object_get_string(pme_json_at(array, i)));
	}
}

void text_use(struct json_object *use, int indent)
{
	const char *command = pme_json_get_text(use, "command");

	if (!use)
		return;
	printf("%*s", indent, "");
	text_name(pme_json_get_text(use, "what"));
	printf("\n%*s%s\n", indent + 4, "", pme_json_get_text(use, "advice"));
	if (!*command)
		return;
	printf("%*s", indent + 4, "");
	text_name(command);
	printf("\n");
}

static void holder_text(struct json_object *holder)
{
	const char *unit = pme_json_get_text(holder, "unit");
	const char *container = pme_json_get_text(holder, "container");
	bool open = pme_json_get_bool(holder, "open");

	text_name(pme_json_get_text(holder, "command"));
	printf("[%llu]", (unsigned long long)pme_json_get_number(holder, "pid"));
	if (*unit) {
		fputs(" of ", stdout);
		text_name(unit);
	}
	if (*container) {
		fputs(" in container ", stdout);
		text_name(container);
	}
	printf(": %s", open ? "open" : "");
	if (!pme_json_get_bool(holder, "mapped"))
		return;
	printf("%smapped%s, %s", open ? ", " : "",
	       pme_json_get_bool(holder, "map_sync") ? " with MAP_SYNC" : "",
	       pme_json_get_bool(holder, "range_mapped") ? "these bytes too"
							 : "but not these bytes");
}

void text_holders(struct json_object *holders, int indent)
{
	for (size_t i = 0; i < pme_json_count(holders); i++) {
		printf("%*sheld by ", indent, "");
		holder_text(pme_json_at(holders, i));
		printf("\n");
	}
}

/* Control characters and bytes of no character as \xNN, to standard error. */
static void put_error(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			fprintf(stderr, "\\x%02x", c);
		else
			fputc(c, stderr);
	}
}

void text_messages(struct json_object *doc)
{
	struct json_object *messages = pme_json_get(doc, "messages");

	for (size_t i = 0; i < pme_json_count(messages); i++) {
		struct json_object *message = pme_json_at(messages, i);

		fprintf(stderr, "pmemctl: %s: ", pme_json_get_text(message, "severity"));
		put_error(pme_json_get_text(message, "subject"));
		fputs(": ", stderr);
		put_error(pme_json_get_text(message, "text"));
		fputc('\n', stderr);
	}
}
