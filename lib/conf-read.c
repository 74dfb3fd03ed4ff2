/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file of the configuration, read by inih, which is guarded here.
 *
 * inih is lenient in ways that an administrator would not notice: it cuts lines at 200 bytes (or
 * what it was built with) and names of sections at 49, goes on behind a bad line, takes an indented
 * line for more of the value before, ignores what is behind a "]", and stops at a NUL.  It reads
 * line by line from next_line(), which refuses or straightens all of that and counts lines, so that
 * each error has its line; the names of sections are taken here, as inih would cut them.
 */
#include <ini.h>
#include <string.h>
#include <strings.h>

#include "conf-table.h"

/* Nobody writes more wrong lines than this by hand; the rest is not looked at. */
#define ERRORS_MAX 50

struct reading {
	const char *pos, *end, *name;
	struct pme_log *log;
	struct pme_conf *conf;
	uint64_t line;
	unsigned int errors;
	bool no_memory;
	char *section; /* NULL: none yet, or one that is not known */
	char *path;    /* of [repair "path"] */
	bool skip;     /* this section was refused, with what is in it */
};

#define refuse(reading, ...)                                                                   \
	do {                                                                                   \
		_cleanup_free_ char *_where = pme_printf("%s:%llu", (reading)->name,           \
							 (unsigned long long)(reading)->line); \
		if (_where)                                                                    \
			pme_log_add((reading)->log, PME_ERROR, _where, __VA_ARGS__);           \
		else                                                                           \
			(reading)->no_memory = true;                                           \
		(reading)->errors++;                                                           \
	} while (0)

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_comment(char c)
{
	return c == ';' || c == '#';
}

/* Letters of either case are alike, and '-' is '_'. */
static bool resembles(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if (strncasecmp(a, b, 1) != 0 && !(*a == '-' && *b == '_'))
			return false;
	return !*a && !*b;
}

static bool has_section(const char *name, const char **ret_near)
{
	*ret_near = NULL;
	for (size_t i = 0; i < pme_conf_count; i++) {
		if (strcmp(pme_conf_settings[i].section, name) == 0)
			return true;
		if (resembles(name, pme_conf_settings[i].section))
			*ret_near = pme_conf_settings[i].section;
	}
	return false;
}

static char *copy(struct reading *reading, const char *text, size_t len)
{
	char *ret = strndup(text, len);

	if (!ret)
		reading->no_memory = true;
	return ret;
}

/*
 * [repair "PATH"]: @text is behind the first quote, @len up to the bracket.  A path that is wrong
 * is said once, here: the settings below it are not to blame.
 */
static void enter_path(struct reading *reading, const char *text, size_t len)
{
	if (len < 2 || text[len - 1] != '"' || text[0] != '/') {
		refuse(reading, "[repair \"PATH\"]: PATH must be absolute and stand in quotes");
		return;
	}
	len--;
	if (len > 1 && text[len - 1] == '/')
		len--;
	reading->path = copy(reading, text, len);
	if (!reading->path)
		return;
	if (strcmp(reading->path, "/") != 0 && !pme_conf_is_path(reading->path)) {
		refuse(reading, "[repair \"%s\"]: is not " PME_CONF_PATH_EXPECTED, reading->path);
		return;
	}
	reading->section = copy(reading, "repair", 6);
	reading->skip = false;
}

/* A line that begins with '['; inih sees it, too, but what it makes of it is not used. */
static void enter_section(struct reading *reading, const char *line, size_t len)
{
	static const char repair[] = "[repair \"";
	const char *close = memrchr(line, ']', len), *near;
	size_t name_len;

	free(reading->section);
	free(reading->path);
	reading->section = reading->path = NULL;
	reading->skip = true;
	if (!close || close != line + len - 1) {
		refuse(reading, "a section must be alone on its line: [name]");
		return;
	}
	name_len = (size_t)(close - line) - 1;
	if (len > sizeof(repair) && strncmp(line, repair, sizeof(repair) - 1) == 0) {
		enter_path(reading, line + sizeof(repair) - 1, len - sizeof(repair));
		return;
	}
	reading->section = copy(reading, line + 1, name_len);
	if (!reading->section)
		return;
	reading->skip = !has_section(reading->section, &near);
	if (reading->skip)
		refuse(reading, "unknown section [%s]%s%s%s", reading->section,
		       near ? "; did you mean [" : "", near ? near : "", near ? "]?" : "");
}

/* Is there a '=' or ':' with something before it that is no comment? */
static bool has_value(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (line[i] == '=' || line[i] == ':')
			return i > 0;
		if (line[i] == ';' && i > 0 && is_blank(line[i - 1]))
			return false;
	}
	return false;
}

static bool has_odd_bytes(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			return true;
	return !pme_utf8_valid(line, len);
}

/* Is it a line for inih?  Refused ones are said, and empty for inih. */
static bool good_line(struct reading *reading, const char *line, size_t len, int room)
{
	if (len == 0 || is_comment(line[0]))
		return false;
	if (has_odd_bytes(line, len)) {
		refuse(reading, "has control characters, or is not UTF-8");
		return false;
	}
	if (line[0] == '[') {
		enter_section(reading, line, len);
		return false;
	}
	if ((uint64_t)len + 2 > (uint64_t)room) {
		refuse(reading, "is longer than %d bytes", room - 2);
		return false;
	}
	if (!has_value(line, len))
		refuse(reading, "is neither [section] nor setting = value");
	else if (!reading->section && !reading->skip)
		refuse(reading, "a setting before any [section]");
	else
		return !reading->skip;
	return false;
}

/* The reader of inih: as fgets(3), of @room bytes.  It gets an empty line for each refused one. */
static char *next_line(char *buf, int room, void *arg)
{
	struct reading *reading = arg;
	const char *line = reading->pos, *end;
	size_t len;

	if (line == reading->end || reading->errors >= ERRORS_MAX || room < 3)
		return NULL;
	end = memchr(line, '\n', (size_t)(reading->end - line));
	reading->pos = end ? end + 1 : reading->end;
	end = end ? end : reading->end;
	reading->line++;
	while (line < end && is_blank(*line))
		line++;
	while (end > line && is_blank(end[-1]))
		end--;
	len = (size_t)(end - line);
	if (!good_line(reading, line, len, room))
		len = 0;
	memcpy(buf, line, len);
	memcpy(buf + len, "\n", 2);
	return buf;
}

/* What else @key could have been: a suggestion to be put behind the error, allocated. */
static char *suggest(const char *section, const char *key)
{
	for (size_t i = 0; i < pme_conf_count; i++)
		if (strcmp(pme_conf_settings[i].section, section) == 0 &&
		    resembles(key, pme_conf_settings[i].key))
			return pme_printf("; did you mean %s?", pme_conf_settings[i].key);
	for (size_t i = 0; i < pme_conf_count; i++)
		if (strcmp(pme_conf_settings[i].key, key) == 0)
			return pme_printf("; it belongs to [%s]", pme_conf_settings[i].section);
	return strdup("");
}

static size_t find(const char *section, const char *key)
{
	size_t i = 0;

	while (i < pme_conf_count && (strcmp(pme_conf_settings[i].section, section) != 0 ||
				      strcmp(pme_conf_settings[i].key, key) != 0))
		i++;
	return i;
}

/* Twice in one file is most likely a mistake of the hand; a drop-in that overrides is none. */
static void warn_twice(struct reading *reading, size_t i)
{
	const struct pme_conf_origin *origin = &reading->conf->origins[i];
	_cleanup_free_ char *where = NULL;

	if (!origin->file || strcmp(origin->file, reading->name) != 0)
		return;
	where = pme_printf("%s:%llu", origin->file, (unsigned long long)origin->line);
	if (where)
		pme_log_add(reading->log, PME_WARNING, where,
			    "[%s] %s does not count: it is set again in line %llu",
			    pme_conf_settings[i].section, pme_conf_settings[i].key,
			    (unsigned long long)reading->line);
}

static int set(struct reading *reading, const char *key, const char *value, char **why)
{
	size_t i = find(reading->section, key);

	if (i == pme_conf_count) {
		_cleanup_free_ char *hint = suggest(reading->section, key);

		refuse(reading, "unknown setting %s in [%s]%s", key, reading->section,
		       hint ? hint : "");
		return 0;
	}
	if (reading->path)
		return pme_conf_set_path(reading->conf, reading->path, value, reading->name,
					 reading->line, why);
	warn_twice(reading, i);
	return pme_conf_set(reading->conf, i, value, reading->name, reading->line, why);
}

/* The handler of inih; 1 is "go on". */
static int handle(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *reading = arg;
	_cleanup_free_ char *why = NULL;
	int r;

	(void)section;
	if (!reading->section || !key)
		return 1;
	r = set(reading, key, value ? value : "", &why);
	if (r == -EINVAL)
		refuse(reading, "[%s] %s = %s: %s", reading->section, key, value ? value : "",
		       why ? why : "is not valid");
	else if (r == -E2BIG)
		refuse(reading, "too many sections [repair \"PATH\"]");
	else if (r < 0)
		reading->no_memory = true;
	return 1;
}

int pme_conf_parse(const char *text, size_t len, const char *name, struct pme_log *log,
		   struct pme_conf *conf)
{
	static const char bom[] = {'\xef', '\xbb', '\xbf'};
	struct reading reading = {
		.pos = text, .end = text + len, .name = name, .log = log, .conf = conf};
	int r;

	if (len >= sizeof(bom) && memcmp(text, bom, sizeof(bom)) == 0)
		reading.pos += sizeof(bom);
	r = ini_parse_stream(next_line, &reading, handle, &reading);
	if (r != 0 && reading.errors == 0) {
		reading.line = r > 0 ? (uint64_t)r : reading.line;
		refuse(&reading, "cannot be understood");
	}
	if (reading.errors >= ERRORS_MAX)
		refuse(&reading, "too many errors: the rest of the file was not read");
	free(reading.section);
	free(reading.path);
	if (reading.no_memory)
		return -ENOMEM;
	return reading.errors ? -EINVAL : 0;
}
