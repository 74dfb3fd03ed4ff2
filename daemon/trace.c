/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lines of the trace say; see trace.h.
 *
 * KERNEL: include/ras/ras_event.h (memory_failure_event), drivers/cxl/core/trace.h (the others).
 * Fields have come and moved with releases, and numbers have lost their "0x": so they are found by
 * their names.  The surprise: the region that a CXL event names is one of CXL, whose number is not
 * that of the region of persistent memory; only the address tells that one.
 */
#include "trace.h"

#include <string.h>

#define DEVICES "sys/bus/nd/devices"
#define CXL_LINE 64 /* bytes: events of CXL without a length are about one line */

struct field {
	const char *text;
	size_t len;
};

static bool digit_of(char c, unsigned int *ret)
{
	if (c >= '0' && c <= '9')
		*ret = (unsigned int)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*ret = (unsigned int)(c - 'a') + 10;
	else
		return false;
	return true;
}

/* Hexadecimal, with "0x" before it or not. */
static int parse_hex(const struct field *field, uint64_t *ret)
{
	const char *text = field->text, *end = text + field->len;
	uint64_t value = 0;
	unsigned int digit;

	if (field->len > 2 && text[0] == '0' && text[1] == 'x')
		text += 2;
	if (text == end || end - text > 16)
		return -EINVAL;
	for (; text < end; text++) {
		if (!digit_of(*text, &digit))
			return -EINVAL;
		value = value << 4 | digit;
	}
	*ret = value;
	return 0;
}

/* As much as fits behind what is there; what is not printable ASCII as '?'. */
static void append(char *to, size_t size, const struct field *field)
{
	size_t len = strlen(to);

	for (size_t i = 0; i < field->len && len + 1 < size; i++) {
		char c = field->text[i];

		to[len++] = c >= ' ' && c <= '~' ? c : '?';
	}
	to[len] = '\0';
}

/* The value of KEY=VALUE, KEY='VALUE WITH BLANKS', in @line: the first of that name. */
static bool find(const struct field *line, const char *key, struct field *ret)
{
	const char *end = line->text + line->len, *pos = line->text;
	size_t key_len = strlen(key);

	while (pos < end) {
		const char *name = pos, *value, *stop;
		bool quoted;

		while (pos < end && *pos != '=' && *pos != ' ')
			pos++;
		if (pos == end || *pos == ' ') {
			pos++;
			continue;
		}
		value = pos + 1;
		quoted = value < end && *value == '\'';
		value += quoted;
		stop = value < end ? memchr(value, quoted ? '\'' : ' ', (size_t)(end - value))
				   : NULL;
		if (!stop)
			stop = end;
		if ((size_t)(pos - name) == key_len && memcmp(name, key, key_len) == 0) {
			*ret = (struct field){value, (size_t)(stop - value)};
			return true;
		}
		pos = stop + 1;
	}
	return false;
}

static bool has_prefix(const struct field *field, const char *prefix)
{
	return field->len >= strlen(prefix) && memcmp(field->text, prefix, strlen(prefix)) == 0;
}

/* "pfn 0x240000: recovery action for dax page: Recovered" */
static int parse_memory_failure(const struct field *line, uint64_t page, struct pmed_trace *ret)
{
	static const char pfn_key[] = "pfn ", action_key[] = ": recovery action for ";
	const char *colon = memchr(line->text, ':', line->len);
	struct field pfn, rest;
	uint64_t frame;

	if (!colon || !has_prefix(line, pfn_key))
		return -EINVAL;
	pfn.text = line->text + strlen(pfn_key);
	pfn.len = (size_t)(colon - pfn.text);
	if (parse_hex(&pfn, &frame) < 0 || __builtin_mul_overflow(frame, page, &ret->address))
		return -EINVAL;
	rest = (struct field){colon, line->len - (size_t)(colon - line->text)};
	if (has_prefix(&rest, action_key)) {
		rest.text += strlen(action_key);
		rest.len -= strlen(action_key);
		append(ret->what, sizeof(ret->what), &rest);
	}
	ret->kind = PMED_TRACE_MEMORY_FAILURE;
	ret->length = page;
	ret->bad = true;
	return 0;
}

static int parse_cxl(const struct field *line, struct pmed_trace *ret)
{
	static const char *const words[] = {"trace_type", "source", "descriptor", "type"};
	static const struct field blank = {" ", 1};
	struct field value;

	if (!find(line, "memdev", &value) || value.len == 0)
		return -EINVAL;
	append(ret->device, sizeof(ret->device), &value);
	for (size_t i = 0; i < PME_ARRAY_SIZE(words); i++) {
		if (!find(line, words[i], &value) || value.len == 0)
			continue;
		if (*ret->what)
			append(ret->what, sizeof(ret->what), &blank);
		append(ret->what, sizeof(ret->what), &value);
	}
	ret->kind = PMED_TRACE_CXL;
	ret->address = UINT64_MAX;
	ret->length = CXL_LINE;
	/* Before 6.10 there is no hpa at all. */
	if (find(line, "hpa", &value) && parse_hex(&value, &ret->address) < 0)
		return -EINVAL;
	if (find(line, "dpa_length", &value) && parse_hex(&value, &ret->length) < 0)
		return -EINVAL;
	if (ret->length == 0)
		ret->length = CXL_LINE;
	if (find(line, "trace_type", &value))
		ret->bad = !has_prefix(&value, "Clear");
	else
		ret->bad = find(line, "descriptor", &value) &&
			   memmem(value.text, value.len, "UNCOR", strlen("UNCOR"));
	return 0;
}

int pmed_trace_parse(const char *line, size_t len, uint64_t page, struct pmed_trace *ret)
{
	static const char *const names[] = {"memory_failure_event", "cxl_poison",
					    "cxl_general_media", "cxl_dram"};
	struct field text;
	int r;

	*ret = (struct pmed_trace){0};
	while (len > 0 && *line == ' ') {
		line++;
		len--;
	}
	text = (struct field){line, len};
	if (has_prefix(&text, "CPU:") && memmem(line, len, "[LOST", strlen("[LOST"))) {
		ret->kind = PMED_TRACE_LOST;
		return 1;
	}
	for (size_t i = 0; i < PME_ARRAY_SIZE(names); i++) {
		size_t name_len = strlen(names[i]);

		if (len < name_len + 2 || memcmp(line, names[i], name_len) != 0 ||
		    memcmp(line + name_len, ": ", 2) != 0)
			continue;
		append(ret->event, sizeof(ret->event), &(struct field){names[i], name_len});
		text = (struct field){line + name_len + 2, len - name_len - 2};
		r = i == 0 ? parse_memory_failure(&text, page, ret) : parse_cxl(&text, ret);
		return r < 0 ? r : 1;
	}
	return 0;
}

static int add_place(const struct pme_os *os, struct pmed_places *places, const char *name)
{
	_cleanup_free_ char *text = NULL;
	struct pmed_place place = {0};
	struct field field;
	int r = pme_os_read_line(os, &text, DEVICES "/%s/resource", name);

	if (r < 0)
		return r;
	field = (struct field){text, strlen(text)};
	r = parse_hex(&field, &place.start);
	if (r == 0)
		r = pme_os_read_u64(os, &place.size, DEVICES "/%s/size", name);
	if (r == 0)
		r = pme_grow(&places->items, &places->alloc, places->count, sizeof(place));
	if (r < 0)
		return r;
	place.name = strdup(name);
	if (!place.name)
		return -ENOMEM;
	places->items[places->count++] = place;
	return 0;
}

int pmed_places_load(const struct pme_os *os, struct pmed_places *ret)
{
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(os, DEVICES, &names, &count);

	*ret = (struct pmed_places){.whole = true};
	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; r >= 0 && i < count; i++) {
		if (strncmp(names[i], "region", strlen("region")) != 0)
			continue;
		r = add_place(os, ret, names[i]);
		if (r < 0 && r != -ENOMEM) {
			ret->whole = false;
			r = 0;
		}
	}
	pme_os_free_names(names, count);
	if (r < 0)
		pmed_places_done(ret);
	return r < 0 ? r : 0;
}

void pmed_places_done(struct pmed_places *places)
{
	for (size_t i = 0; i < places->count; i++)
		free(places->items[i].name);
	free(places->items);
	*places = (struct pmed_places){0};
}

const char *pmed_places_find(const struct pmed_places *places, uint64_t address, uint64_t length)
{
	for (size_t i = 0; i < places->count; i++) {
		const struct pmed_place *place = &places->items[i];

		if (address >= place->start ? address - place->start < place->size
					    : place->start - address < length && place->size > 0)
			return place->name;
	}
	return NULL;
}
