/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events: their names, times and shape; see event.h.
 */
#include "event.h"

#include <string.h>
#include <time.h>

#include "conf.h"

#define USEC 1000000
/* The year 9999: what RFC 3339 can say. */
#define TIME_MAX (253402300799LL * USEC)

static const char *const type_names[] = {
	[PME_EVENT_FINDING_ADDED] = "finding-added",
	[PME_EVENT_FINDING_CHANGED] = "finding-changed",
	[PME_EVENT_FINDING_GONE] = "finding-gone",
	[PME_EVENT_DEVICE_OFFLINE] = "device-offline",
	[PME_EVENT_DEVICE_ONLINE] = "device-online",
	[PME_EVENT_DEVICE_CHANGED] = "device-changed",
	[PME_EVENT_DAX_LOST] = "dax-lost",
	[PME_EVENT_SCRUB_STARTED] = "scrub-started",
	[PME_EVENT_SCRUB_FINISHED] = "scrub-finished",
	[PME_EVENT_HEALTH] = "health",
	[PME_EVENT_MEMORY_FAILURE] = "memory-failure",
	[PME_EVENT_CXL] = "cxl",
	[PME_EVENT_COVERAGE_INCOMPLETE] = "coverage-incomplete",
	[PME_EVENT_COVERAGE_COMPLETE] = "coverage-complete",
	[PME_EVENT_WATCH_STARTED] = "watch-started",
	[PME_EVENT_WATCH_STOPPED] = "watch-stopped",
	[PME_EVENT_STORE_REPLACED] = "store-replaced",
	[PME_EVENT_SINK_FAILED] = "sink-failed",
};

static const char *const severity_names[] = {
	[PME_EVENT_CRITICAL] = "critical", [PME_EVENT_ERROR] = "error",
	[PME_EVENT_WARNING] = "warning",   [PME_EVENT_NOTICE] = "notice",
	[PME_EVENT_INFO] = "info",
};

static const char *name_of(const char *const *names, size_t count, unsigned int value)
{
	return value < count ? names[value] : NULL;
}

static int find(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

const char *pme_event_type_name(enum pme_event_type type)
{
	return name_of(type_names, PME_ARRAY_SIZE(type_names), type);
}

const char *pme_event_severity_name(enum pme_event_severity severity)
{
	return name_of(severity_names, PME_ARRAY_SIZE(severity_names), severity);
}

int pme_event_type_parse(const char *name, enum pme_event_type *ret)
{
	int found = find(type_names, PME_ARRAY_SIZE(type_names), name);

	if (found < 0)
		return found;
	*ret = found;
	return 0;
}

int pme_event_severity_parse(const char *name, enum pme_event_severity *ret)
{
	int found = find(severity_names, PME_ARRAY_SIZE(severity_names), name);

	if (found < 0)
		return found;
	*ret = found;
	return 0;
}

int64_t pme_event_next_id(int64_t last, int64_t now)
{
	return now > last ? now : last + 1;
}

char *pme_time_text(int64_t us)
{
	time_t seconds;
	char date[32];
	struct tm tm;

	if (us < 0 || us > TIME_MAX)
		us = us < 0 ? 0 : TIME_MAX;
	seconds = us / USEC;
	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	return pme_printf("%s.%06lldZ", date, (long long)(us % USEC));
}

void pme_json_time(struct json_object *object, const char *key, int64_t us)
{
	if (us)
		pme_json_owned_text(object, key, pme_time_text(us));
	else
		pme_json_set(object, key, NULL);
}

/* ".123456Z", ".5Z" or "Z" */
static int parse_fraction(const char *text, int64_t *ret)
{
	int64_t unit = USEC / 10, value = 0;

	if (*text == '.') {
		if (!(text[1] >= '0' && text[1] <= '9'))
			return -EINVAL;
		for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
			value += (*text - '0') * unit;
	}
	if (strcmp(text, "Z") != 0)
		return -EINVAL;
	*ret = value;
	return 0;
}

int pme_time_parse(const char *text, int64_t *ret)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int day = tm.tm_mday, second = tm.tm_sec;
	int64_t fraction;
	time_t seconds;

	if (!rest || parse_fraction(rest, &fraction) < 0)
		return -EINVAL;
	tm.tm_sec = 0; /* 23:59:60 is on the same day */
	seconds = timegm(&tm) + second;
	/* A day that a month does not have was counted on into the next one, in @tm, too. */
	if (seconds < 0 || seconds > TIME_MAX / USEC || tm.tm_mday != day)
		return -EINVAL;
	*ret = seconds * USEC + fraction;
	return 0;
}

/* "…+02:00" */
static int parse_offset_time(const char *text, int64_t *ret)
{
	size_t len = strlen(text);
	const char *offset = len > 6 ? text + len - 6 : "";
	_cleanup_free_ char *zulu = NULL;
	uint64_t hours, minutes;
	int64_t us, shift;

	if ((*offset != '+' && *offset != '-') || offset[3] != ':' ||
	    pme_parse_u64(offset + 1, 2, &hours) < 0 ||
	    pme_parse_u64(offset + 4, 2, &minutes) < 0 || hours > 23 || minutes > 59)
		return -EINVAL;
	zulu = pme_printf("%.*sZ", (int)(len - 6), text);
	if (!zulu || pme_time_parse(zulu, &us) < 0)
		return -EINVAL;
	shift = (int64_t)(hours * 60 + minutes) * 60 * USEC;
	us = *offset == '+' ? us - shift : us + shift;
	if (us < 0 || us > TIME_MAX)
		return -EINVAL;
	*ret = us;
	return 0;
}

static int parse_local_time(const char *text, int64_t *ret)
{
	static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"};

	for (size_t i = 0; i < PME_ARRAY_SIZE(formats); i++) {
		struct tm tm = {0};
		const char *rest = strptime(text, formats[i], &tm);
		int day = tm.tm_mday;
		time_t seconds;

		if (!rest || *rest)
			continue;
		tm.tm_isdst = -1;
		seconds = mktime(&tm);
		if (seconds < 0 || seconds > TIME_MAX / USEC || tm.tm_mday != day)
			return -EINVAL;
		*ret = seconds * USEC;
		return 0;
	}
	return -EINVAL;
}

int pme_time_asked_parse(const char *text, int64_t now, int64_t *ret)
{
	uint64_t ms;

	if (pme_time_parse(text, ret) == 0 || parse_offset_time(text, ret) == 0 ||
	    parse_local_time(text, ret) == 0)
		return 0;
	if (pme_duration_parse(text, strlen(text), &ms) < 0 || ms > (uint64_t)now / 1000)
		return -EINVAL;
	*ret = now - (int64_t)ms * 1000;
	return 0;
}

struct json_object *pme_event_new(int64_t id, enum pme_event_type type,
				  enum pme_event_severity severity, const char *text)
{
	struct json_object *event = pme_json_object();
	struct json_object *version = pme_json_array();

	pme_json_append(version, pme_json_int(1));
	pme_json_append(version, pme_json_int(0));
	pme_json_text(event, "format", "pmemctl.event");
	pme_json_set(event, "format_version", version);
	pme_json_set(event, "id", pme_json_int(id));
	pme_json_owned_text(event, "time", pme_time_text(id));
	pme_json_text(event, "type", pme_event_type_name(type));
	pme_json_text(event, "severity", pme_event_severity_name(severity));
	pme_json_set(event, "incident", NULL);
	pme_json_set(event, "device", NULL);
	pme_json_set(event, "text", pme_json_lossy(text));
	pme_json_set(event, "advice", NULL);
	pme_json_set(event, "findings", pme_json_array());
	pme_json_set(event, "files", pme_json_array());
	pme_json_set(event, "holders", pme_json_array());
	pme_json_set(event, "bad_bytes", pme_json_int(0));
	pme_json_set(event, "lost_bytes", pme_json_int(0));
	pme_json_set(event, "recoverable_bytes", pme_json_int(0));
	pme_json_set(event, "detail", pme_json_object());
	return event;
}
