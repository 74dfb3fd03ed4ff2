/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Top level of JSON documents; see doc.h.
 */
#include "doc.h"

#include <limits.h>
#include <string.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>

#include "os.h"

/*
 * A value was lost for lack of memory.  A global, because json-c has no place for it in a value
 * and the alternative is a check behind each of some hundred calls.
 */
static _Atomic bool lost; /* values are made by several threads */

void pme_json_lose(void)
{
	lost = true;
}

static struct json_object *made(struct json_object *value)
{
	if (!value)
		lost = true;
	return value;
}

struct json_object *pme_json_object(void)
{
	return made(json_object_new_object());
}

struct json_object *pme_json_array(void)
{
	return made(json_object_new_array());
}

struct json_object *pme_json_array_of(size_t count)
{
	return made(json_object_new_array_ext(count > 0 && count < INT_MAX ? (int)count : 1));
}

struct json_object *pme_json_int(int64_t value)
{
	return made(json_object_new_int64(value));
}

static void set(struct json_object *object, const char *key, struct json_object *value,
		unsigned int how)
{
	if (object && json_object_object_add_ex(object, key, value, how) == 0)
		return;
	json_object_put(value);
	lost = true;
}

void pme_json_set(struct json_object *object, const char *key, struct json_object *value)
{
	set(object, key, value, JSON_C_OBJECT_KEY_IS_CONSTANT);
}

void pme_json_set_named(struct json_object *object, const char *name, struct json_object *value)
{
	set(object, name, value, 0);
}

void pme_json_append(struct json_object *array, struct json_object *value)
{
	if (array && json_object_array_add(array, value) == 0)
		return;
	json_object_put(value);
	lost = true;
}

static struct json_object *argv_json(int argc, char *const *argv)
{
	struct json_object *array = pme_json_array();

	for (int i = 0; array && i < argc; i++)
		pme_json_append(array, pme_json_lossy(argv[i]));
	return array;
}

static struct json_object *program_json(int argc, char *const *argv)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "version", PACKAGE_VERSION);
	pme_json_set(object, "argv", argv_json(argc, argv));
	pme_json_set(object, "exit_status", NULL);
	return object;
}

static struct json_object *host_json(void)
{
	struct json_object *object = pme_json_object();
	_cleanup_free_ char *boot_id = NULL;
	struct utsname name = {0};
	struct pme_os os = {.root = -1};

	if (pme_os_open_root("/", &os) == 0)
		pme_os_read_line(&os, &boot_id, "proc/sys/kernel/random/boot_id");
	pme_os_close(&os);
	uname(&name);
	pme_json_set(object, "name", pme_json_lossy(name.nodename));
	pme_json_text(object, "boot_id", boot_id);
	pme_json_text(object, "kernel", name.release);
	return object;
}

/* RFC 3339, UTC, microseconds. */
static char *now_text(void)
{
	char date[32];
	struct timeval tv;
	struct tm tm;

	gettimeofday(&tv, NULL);
	gmtime_r(&tv.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	return pme_printf("%s.%06ldZ", date, (long)tv.tv_usec);
}

struct json_object *pme_doc_new(const char *format, int argc, char *const *argv)
{
	struct json_object *doc = pme_json_object();
	struct json_object *version = pme_json_array();

	if (!doc || !version) {
		json_object_put(doc);
		json_object_put(version);
		return NULL;
	}
	pme_json_append(version, pme_json_int(1));
	pme_json_append(version, pme_json_int(0));
	pme_json_text(doc, "format", format);
	pme_json_set(doc, "format_version", version);
	pme_json_set(doc, "pmemctl", program_json(argc, argv));
	pme_json_set(doc, "host", host_json());
	pme_json_owned_text(doc, "time", now_text());
	pme_json_text(doc, "coverage", "complete");
	pme_json_set(doc, "messages", pme_json_array());
	return doc;
}

static struct json_object *message_json(const struct pme_message *message)
{
	struct json_object *object = pme_json_object();

	pme_json_text(object, "severity", pme_severity_name(message->severity));
	pme_json_set(object, "subject", pme_json_lossy(message->subject));
	pme_json_set(object, "text", pme_json_lossy(message->text));
	return object;
}

int pme_doc_finish(struct json_object *doc, const struct pme_log *log, int exit_status)
{
	struct json_object *messages = pme_json_get(doc, "messages");
	struct json_object *program = pme_json_get(doc, "pmemctl");

	for (size_t i = 0; i < log->count; i++)
		pme_json_append(messages, message_json(&log->messages[i]));
	if (log->incomplete || log->failed)
		pme_json_text(doc, "coverage", "incomplete");
	pme_json_set(program, "exit_status", pme_json_int(exit_status));
	return lost || log->no_memory ? -ENOMEM : 0;
}

void pme_json_text(struct json_object *object, const char *key, const char *text)
{
	pme_json_set(object, key, text ? pme_json_lossy(text) : NULL);
}

void pme_json_owned_text(struct json_object *object, const char *key, char *text)
{
	if (!text)
		lost = true;
	pme_json_text(object, key, text);
	free(text);
}

void pme_json_number(struct json_object *object, const char *key, uint64_t value)
{
	pme_json_set(object, key, value == UINT64_MAX ? NULL : made(json_object_new_uint64(value)));
}

void pme_json_bool(struct json_object *object, const char *key, bool value)
{
	pme_json_set(object, key, made(json_object_new_boolean(value)));
}

static struct json_object *range_json(struct pme_range range)
{
	struct json_object *value = pme_json_object();

	pme_json_number(value, "start", range.start);
	pme_json_number(value, "length", range.length);
	return value;
}

void pme_json_range(struct json_object *object, const char *key, struct pme_range range)
{
	pme_json_set(object, key, range_json(range));
}

struct json_object *pme_json_ranges(const struct pme_range_list *list)
{
	struct json_object *array = pme_json_array_of(list->count);

	for (size_t i = 0; i < list->count; i++)
		pme_json_append(array, range_json(list->items[i]));
	return array;
}

/* Longest prefix of @text that is UTF-8. */
static size_t valid_prefix(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len) {
		size_t step = 1;

		while (step <= 4 && n + step <= len && !pme_utf8_valid(text + n, step))
			step++;
		if (step > 4 || n + step > len)
			break;
		n += step;
	}
	return n;
}

struct json_object *pme_json_lossy(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t len = strlen(text);
	_cleanup_free_ char *out = NULL;
	size_t used = 0;

	if (pme_utf8_valid(text, len))
		return made(json_object_new_string_len(text, (int)len));
	out = malloc(3 * len + 1);
	if (!out)
		return made(NULL);
	while (len > 0) {
		size_t good = valid_prefix(text, len);

		memcpy(out + used, text, good);
		used += good;
		if (good < len) {
			memcpy(out + used, replacement, 3);
			used += 3;
			good++;
		}
		text += good;
		len -= good;
	}
	return made(json_object_new_string_len(out, (int)used));
}

struct json_object *pme_json_path(const char *path)
{
	struct json_object *object = pme_json_object();

	pme_json_set(object, "path", pme_json_lossy(path));
	if (pme_utf8_valid(path, strlen(path)))
		pme_json_text(object, "raw", NULL);
	else
		pme_json_owned_text(object, "raw", pme_base64(path, strlen(path)));
	return object;
}

struct json_object *pme_json_get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

const char *pme_json_get_text(struct json_object *object, const char *key)
{
	const char *text = json_object_get_string(pme_json_get(object, key));

	return text ? text : "";
}

uint64_t pme_json_get_number(struct json_object *object, const char *key)
{
	return json_object_get_uint64(pme_json_get(object, key));
}

bool pme_json_get_bool(struct json_object *object, const char *key)
{
	return json_object_get_boolean(pme_json_get(object, key));
}

size_t pme_json_count(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

struct json_object *pme_json_at(struct json_object *array, size_t i)
{
	return i < pme_json_count(array) ? json_object_array_get_idx(array, i) : NULL;
}
