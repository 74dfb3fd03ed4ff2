/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a mail about an event; see sink-mail.h.
 *
 * Names of devices and files come from others: in headers everything but printable ASCII is
 * encoded, so that no name can add a header; in the body control characters become '?', and a line
 * is never longer than a mail may have it.
 */
#include "sink-mail.h"

#include <string.h>
#include <time.h>

#define FILES_MAX 50
#define LINE_MAX_BYTES 900 /* RFC 5322 allows 998 */
#define SUBJECT_MAX 300	   /* bytes of it that are shown */
#define CHUNK 45	   /* bytes of an encoded word: at most 75 characters, encoded */

static bool is_plain(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			return false;
	/* What looks like an encoded word would be decoded by who reads it. */
	return !strstr(text, "=?");
}

/* As many bytes of UTF-8 text as fit @max, never part of a character. */
static size_t whole_characters(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	len = max;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len ? len : max;
}

static void write_subject(FILE *out, const char *text)
{
	_cleanup_free_ char *cut = strndup(text, whole_characters(text, SUBJECT_MAX));
	const char *rest = cut ? cut : "";

	fputs("Subject: ", out);
	if (is_plain(rest) && strlen(rest) <= 60) {
		fprintf(out, "%s\n", rest);
		return;
	}
	while (*rest) {
		size_t len = whole_characters(rest, CHUNK);
		_cleanup_free_ char *word = pme_base64(rest, len);

		fprintf(out, "=?UTF-8?B?%s?=\n%s", word ? word : "", rest[len] ? " " : "");
		rest += len;
	}
	if (!cut || !*cut)
		fputc('\n', out);
}

static void write_date(FILE *out, int64_t us)
{
	static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = us / 1000000;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	fprintf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\n", days[tm.tm_wday], tm.tm_mday,
		months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* A value for a header that must not be encoded: what does not belong there is left out. */
static void write_header(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s: ", name);
	for (const char *c = value; *c && c - value < LINE_MAX_BYTES; c++)
		if (*c >= ' ' && *c <= '~')
			fputc(*c, out);
	fputc('\n', out);
}

/* Text of others, in lines that are not too long. */
static void write_body(FILE *out, const char *text)
{
	while (*text) {
		size_t len = whole_characters(text, LINE_MAX_BYTES);

		for (size_t i = 0; i < len; i++) {
			unsigned char c = (unsigned char)text[i];

			fputc(c < ' ' || c == 0x7f ? '?' : c, out);
		}
		text += len;
		if (*text)
			fputc('\n', out);
	}
}

static void write_files(FILE *out, struct json_object *event)
{
	struct json_object *files = pme_json_get(event, "files");
	uint64_t left_out = pme_json_get_number(pme_json_get(event, "detail"), "files_left_out");
	size_t count = pme_json_count(files);

	if (count == 0)
		return;
	fputs("\nFiles:\n", out);
	for (size_t i = 0; i < count && i < FILES_MAX; i++) {
		struct json_object *file = pme_json_at(files, i);

		fprintf(out, "  %s: ", pme_json_get_text(file, "verdict"));
		write_body(out, pme_json_get_text(file, "path"));
		fputc('\n', out);
	}
	if (count > FILES_MAX)
		left_out += count - FILES_MAX;
	if (left_out > 0)
		fprintf(out, "  and %llu more\n", (unsigned long long)left_out);
}

static void write_device(FILE *out, struct json_object *device)
{
	static const char *const members[] = {"name", "namespace", "mode", "region"};

	if (!device)
		return;
	fputs("\nDevice:", out);
	for (size_t i = 0; i < PME_ARRAY_SIZE(members); i++) {
		const char *value = pme_json_get_text(device, members[i]);

		if (!*value)
			continue;
		fputc(' ', out);
		write_body(out, value);
	}
	fputc('\n', out);
}

static void write_mail(FILE *out, const struct pmed_mail *mail, struct json_object *event)
{
	_cleanup_free_ char *subject =
		pme_printf("[pmemctl %s] %s: %s", mail->host, pme_json_get_text(event, "severity"),
			   pme_json_get_text(event, "text"));
	int64_t id = (int64_t)pme_json_get_number(event, "id");
	const char *advice = pme_json_get_text(event, "advice");

	write_header(out, "To", mail->to);
	if (*mail->from)
		write_header(out, "From", mail->from);
	write_subject(out, subject ? subject : "pmemctl");
	write_date(out, id);
	fprintf(out, "Message-ID: <pmemctl.%lld.%s@", (long long)id,
		pme_json_get_text(event, "type"));
	for (const char *c = mail->host; *c; c++)
		if ((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
		    (*c >= 'A' && *c <= 'Z') || *c == '-' || *c == '.')
			fputc(*c, out);
	fputs(">\nAuto-Submitted: auto-generated\nMIME-Version: 1.0\n"
	      "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n",
	      out);
	write_body(out, pme_json_get_text(event, "text"));
	fputc('\n', out);
	write_device(out, pme_json_get(event, "device"));
	if (*advice) {
		fputs("\nWhat to do: ", out);
		write_body(out, advice);
		fputc('\n', out);
	}
	write_files(out, event);
	fprintf(out,
		"\nTo see everything, on %s:\n  pmemctl status -v\n  pmemctl events --since %s\n",
		mail->host, pme_json_get_text(event, "time"));
}

char *pmed_mail_text(const struct pmed_mail *mail, struct json_object *event)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	write_mail(out, mail, event);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
