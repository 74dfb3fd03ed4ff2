/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of protections; see saved-conf.h.
 */
#include "saved-conf.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <xxhash.h>

#include "doc.h"

#define FORMAT "pmemctl.protection"
#define STATE_FORMAT "pmemctl.protection-state"
#define DEPTH_MAX 8
#define TEXT_MAX (1U << 20)
#define ID_LEN 16
#define UUID_MAX 64

void pme_protection_done(struct pme_protection *protection)
{
	free(protection->id);
	free(protection->path);
	free(protection->fs_uuid);
	free(protection->replica);
	*protection = (struct pme_protection){0};
}

void pme_protections_done(struct pme_protections *protections)
{
	for (size_t i = 0; i < protections->count; i++)
		pme_protection_done(&protections->items[i]);
	free(protections->items);
	*protections = (struct pme_protections){0};
}

char *pme_protection_id(const char *path)
{
	return pme_printf("%016llx", (unsigned long long)XXH3_64bits(path, strlen(path)));
}

bool pme_protection_is_id(const char *text)
{
	return strlen(text) == ID_LEN && strspn(text, "0123456789abcdef") == ID_LEN;
}

/* An object of the format @format, version 1: or NULL and *@ret_error. */
static struct json_object *parse_object(const char *text, size_t len, const char *format,
					int *ret_error)
{
	struct json_tokener *tokener = len <= TEXT_MAX ? json_tokener_new_ex(DEPTH_MAX) : NULL;
	struct json_object *doc, *version;
	size_t end;

	*ret_error = len <= TEXT_MAX && !tokener ? -ENOMEM : -EINVAL;
	if (!tokener)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	doc = json_tokener_parse_ex(tokener, text, (int)len);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	while (doc && end < len && text[end] == '\n')
		end++;
	version = pme_json_get(doc, "format_version");
	if (doc && end == len && json_object_is_type(doc, json_type_object) &&
	    strcmp(pme_json_get_text(doc, "format"), format) == 0 &&
	    json_object_is_type(version, json_type_array) && pme_json_count(version) == 2 &&
	    json_object_get_int64(pme_json_at(version, 0)) == 1)
		return doc;
	json_object_put(doc);
	return NULL;
}

/* A whole number of at most @max: 0 or -EINVAL. */
static int get_number(struct json_object *object, const char *key, uint64_t max, uint64_t *ret)
{
	struct json_object *value = pme_json_get(object, key);
	int64_t number;

	if (!json_object_is_type(value, json_type_int))
		return -EINVAL;
	number = json_object_get_int64(value);
	if (number < 0 || (uint64_t)number > max)
		return -EINVAL;
	*ret = (uint64_t)number;
	return 0;
}

/* Absolute, and as realpath(3) would write it. */
static bool is_clean_path(const char *path)
{
	if (strcmp(path, "/") == 0)
		return true;
	while (*path == '/') {
		size_t len = strcspn(++path, "/");

		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && strncmp(path, "..", 2) == 0))
			return false;
		path += len;
		if (!*path)
			return true;
	}
	return false;
}

/* The path of {"path", "raw"}: 0, -EINVAL, -ENOMEM. */
static int get_path(struct json_object *object, const char *key, char **ret)
{
	struct json_object *value = pme_json_get(object, key);
	const char *raw = pme_json_get_text(value, "raw");
	const char *text = pme_json_get_text(value, "path");
	_cleanup_free_ char *path = NULL;
	size_t len = 0;
	int r = 0;

	if (!json_object_is_type(value, json_type_object))
		return -EINVAL;
	if (*raw) {
		r = pme_base64_parse(raw, strlen(raw), &path, &len);
	} else {
		path = strdup(text);
		r = path ? 0 : -ENOMEM;
		len = (size_t)json_object_get_string_len(pme_json_get(value, "path"));
	}
	if (r < 0)
		return r;
	if (strlen(path) != len || len >= PATH_MAX || !is_clean_path(path))
		return -EINVAL;
	*ret = pme_take_ptr(path);
	return 0;
}

/* Short, and nothing in it that is not printed as it is. */
static int get_uuid(struct json_object *object, const char *key, char **ret)
{
	const char *text = pme_json_get_text(object, key);

	if (!*text || strlen(text) > UUID_MAX ||
	    text[strspn(text, "0123456789abcdefABCDEF-")] != '\0')
		return -EINVAL;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

int pme_protection_parse(const char *text, size_t len, struct pme_protection *ret)
{
	_cleanup_(pme_protection_done) struct pme_protection p = {0};
	int r;
	struct json_object *doc = parse_object(text, len, FORMAT, &r);

	if (!doc)
		return r;
	r = get_path(doc, "path", &p.path);
	if (r == 0)
		r = get_path(doc, "replica", &p.replica);
	if (r == 0)
		r = get_uuid(doc, "filesystem", &p.fs_uuid);
	if (r == 0)
		r = get_number(doc, "keep", PME_PROTECT_KEEP_MAX, &p.keep);
	if (r == 0)
		r = get_number(doc, "every", PME_PROTECT_EVERY_MAX, &p.every);
	json_object_put(doc);
	if (r == 0 && p.keep == 0)
		r = -EINVAL;
	if (r < 0)
		return r;
	p.id = pme_protection_id(p.path);
	if (!p.id)
		return -ENOMEM;
	*ret = p;
	p = (struct pme_protection){0};
	return 0;
}

int pme_protection_state_parse(const char *text, size_t len, struct pme_protection_state *ret)
{
	struct pme_protection_state state = {0};
	uint64_t synced = 0, verified = 0;
	int r;
	struct json_object *doc = parse_object(text, len, STATE_FORMAT, &r);

	if (!doc)
		return r;
	r = get_number(doc, "generation", INT64_MAX, &state.generation);
	if (r == 0)
		r = get_number(doc, "synced", INT64_MAX, &synced);
	if (r == 0)
		r = get_number(doc, "files", INT64_MAX, &state.files);
	if (r == 0)
		r = get_number(doc, "bytes", INT64_MAX, &state.bytes);
	if (r == 0)
		r = get_number(doc, "not_kept", INT64_MAX, &state.not_kept);
	if (r == 0)
		r = get_number(doc, "verified", INT64_MAX, &verified);
	if (r == 0)
		r = get_number(doc, "damaged", INT64_MAX, &state.damaged);
	if (r == 0 && pme_json_get(doc, "finished")) /* older ones have none */
		r = get_number(doc, "finished", INT64_MAX, &state.finished);
	state.whole = pme_json_get_bool(doc, "whole");
	state.synced = (int64_t)synced;
	state.verified = (int64_t)verified;
	json_object_put(doc);
	if (r == 0)
		*ret = state;
	return r;
}

/* --- files --- */

static char *file_of(const char *id, const char *suffix)
{
	return pme_printf(PME_PROTECT_DIR "/%s%s", id, suffix);
}

/* Takes @doc.  0 or -errno. */
static int store_object(const struct pme_os *os, const char *id, const char *suffix,
			struct json_object *doc)
{
	const char *text = json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PRETTY);
	_cleanup_free_ char *name = pme_printf("%s%s", id, suffix);
	_cleanup_free_ char *line = text ? pme_printf("%s\n", text) : NULL;
	_cleanup_close_ int dir = pme_os_open(os, PME_PROTECT_DIR, O_RDONLY | O_DIRECTORY);

	json_object_put(doc);
	if (!name || !line)
		return -ENOMEM;
	return dir < 0 ? dir : pme_os_replace_synced(dir, name, line, strlen(line));
}

static struct json_object *new_object(const char *format)
{
	struct json_object *doc = pme_json_object(), *version = pme_json_array();

	pme_json_text(doc, "format", format);
	pme_json_append(version, pme_json_int(1));
	pme_json_append(version, pme_json_int(0));
	pme_json_set(doc, "format_version", version);
	return doc;
}

int pme_protection_store(const struct pme_os *os, const struct pme_protection *protection)
{
	struct json_object *doc = new_object(FORMAT);

	pme_json_set(doc, "path", pme_json_path(protection->path));
	pme_json_set(doc, "replica", pme_json_path(protection->replica));
	pme_json_text(doc, "filesystem", protection->fs_uuid);
	pme_json_number(doc, "keep", protection->keep);
	pme_json_number(doc, "every", protection->every);
	return store_object(os, protection->id, ".json", doc);
}

int pme_protection_state_store(const struct pme_os *os, const char *id,
			       const struct pme_protection_state *state)
{
	struct json_object *doc = new_object(STATE_FORMAT);

	pme_json_number(doc, "generation", state->generation);
	pme_json_number(doc, "finished", state->finished);
	pme_json_number(doc, "synced", (uint64_t)state->synced);
	pme_json_bool(doc, "whole", state->whole);
	pme_json_number(doc, "files", state->files);
	pme_json_number(doc, "bytes", state->bytes);
	pme_json_number(doc, "not_kept", state->not_kept);
	pme_json_number(doc, "verified", (uint64_t)state->verified);
	pme_json_number(doc, "damaged", state->damaged);
	return store_object(os, id, ".state", doc);
}

/* Only of a regular file: of a fifo nobody would ever see the end.  -EINVAL: it makes no sense. */
static int read_text(const struct pme_os *os, const char *path, char **ret, size_t *ret_len)
{
	_cleanup_close_ int fd =
		pme_os_open(os, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int r = fd < 0 ? fd : pme_os_fstat(fd, &st);

	if (r == 0 && !S_ISREG(st.st_mode))
		return -EINVAL;
	if (r == 0)
		r = pme_os_read_fd(fd, TEXT_MAX, ret, ret_len);
	return r == -EFBIG || r == -ELOOP ? -EINVAL : r;
}

int pme_protection_state_load(const struct pme_os *os, const char *id,
			      struct pme_protection_state *ret)
{
	_cleanup_free_ char *path = file_of(id, ".state"), *text = NULL;
	size_t len;
	int r = path ? read_text(os, path, &text, &len) : -ENOMEM;

	*ret = (struct pme_protection_state){0};
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : pme_protection_state_parse(text, len, ret);
}

static int forget_file(const struct pme_os *os, const char *id, const char *suffix)
{
	_cleanup_free_ char *path = file_of(id, suffix);
	int r = path ? pme_os_remove_file(os, path) : -ENOMEM;

	return r == -ENOENT ? 0 : r;
}

int pme_protection_forget(const struct pme_os *os, const char *id)
{
	static const char *const suffixes[] = {".json", ".state", ".lock"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < PME_ARRAY_SIZE(suffixes); i++)
		r = forget_file(os, id, suffixes[i]);
	return r;
}

/* Is the open file still what is called @path?  1, 0, -errno. */
static int is_called(const struct pme_os *os, int fd, const char *path)
{
	struct stat a, b;
	int r = pme_os_fstat(fd, &a);

	if (r == 0)
		r = pme_os_stat(os, path, false, &b);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Who waited for one that is forgotten has the lock of nothing, and asks again. */
int pme_protection_lock(const struct pme_os *os, const char *id, unsigned int seconds)
{
	_cleanup_free_ char *path = file_of(id, ".lock");

	if (!path)
		return -ENOMEM;
	for (;;) {
		_cleanup_close_ int fd = pme_os_open_record(os, PME_PROTECT_DIR, path);
		int r = fd < 0 ? fd : pme_os_lock(fd, seconds);

		if (r == 0)
			r = is_called(os, fd, path);
		if (r != 0)
			return r < 0 ? r : pme_take_fd(&fd);
	}
}

int pme_protection_load(const struct pme_os *os, const char *id, struct pme_protection *ret)
{
	_cleanup_(pme_protection_done) struct pme_protection p = {0};
	_cleanup_free_ char *path = file_of(id, ".json"), *text = NULL;
	size_t len;
	int r = path ? read_text(os, path, &text, &len) : -ENOMEM;

	if (r == 0)
		r = pme_protection_parse(text, len, &p);
	if (r < 0)
		return r;
	if (strcmp(p.id, id) != 0)
		return -EINVAL;
	*ret = p;
	p = (struct pme_protection){0};
	return 0;
}

/* One file of the directory: 0, or -errno of what stops all. */
static int load_one(const struct pme_os *os, const char *name, struct pme_log *log,
		    struct pme_protections *ret)
{
	_cleanup_free_ char *id = strndup(name, ID_LEN);
	_cleanup_(pme_protection_done) struct pme_protection p = {0};
	int r = id ? pme_protection_load(os, id, &p) : -ENOMEM;

	if (r == -ENOMEM || r == -ENOENT)
		return r == -ENOENT ? 0 : r;
	if (r == -EINVAL)
		pme_log_add(log, PME_ERROR, id,
			    "this protection is left out: /" PME_PROTECT_DIR
			    "/%s makes no sense; \"pmemctl protect remove %s\" forgets it",
			    name, id);
	else if (r < 0)
		pme_log_add(log, PME_ERROR, id,
			    "this protection is left out: /" PME_PROTECT_DIR "/%s: %s", name,
			    strerror(-r));
	if (r < 0)
		return 0;
	r = pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(*ret->items));
	if (r < 0)
		return r;
	ret->items[ret->count++] = p;
	p = (struct pme_protection){0};
	return 0;
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct pme_protection *)a)->path,
		      ((const struct pme_protection *)b)->path);
}

/* Of a link to nothing nobody knows what was there. */
static bool is_link(const struct pme_os *os)
{
	struct stat st;

	return pme_os_stat(os, PME_PROTECT_DIR, false, &st) == 0;
}

void pme_protections_error(struct pme_log *log, enum pme_severity severity, int error)
{
	const char *hint = error == -EACCES || error == -EPERM ? ": run it as root" : "";

	pme_log_add(log, severity, "/" PME_PROTECT_DIR,
		    "what is under protection cannot be read: %s%s", strerror(-error), hint);
}

int pme_protections_load(const struct pme_os *os, struct pme_log *log, struct pme_protections *ret)
{
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(os, PME_PROTECT_DIR, &names, &count);

	if (r == -ENOENT)
		return is_link(os) ? -ENOTDIR : 0;
	for (size_t i = 0; r == 0 && i < count; i++) {
		size_t len = strlen(names[i]);

		if (len == ID_LEN + 5 && strcmp(names[i] + ID_LEN, ".json") == 0)
			r = load_one(os, names[i], log, ret);
	}
	pme_os_free_names(names, count);
	if (r < 0)
		pme_protections_done(ret);
	else if (ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), compare_paths);
	return r;
}
