/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events in the journal, with fields of their own: systemd.journal-fields(7), pmemctld(8).
 *
 * Sending is a datagram to journald, which blocks when that does not read: so it is done in a lane.
 * The surprise: sd_journal_sendv(3) is content when there is no journal at all, so that is looked
 * at first.
 */
#include "sink-journal.h"

#include <string.h>
#include <sys/uio.h>
#define SD_JOURNAL_SUPPRESS_LOCATION /* of our source: it says nothing of an event */
#include <systemd/sd-journal.h>

#include "lane.h"
#include "sink.h"

#define WAITING_MAX 256	      /* events that wait for journald */
#define REPEATED_MAX 100      /* of files, and of findings; the whole event has all */
#define EVENT_MAX (48U << 10) /* bytes of JSON; journald refuses or stores apart what is longer */
#define FIELDS_MAX (2 * REPEATED_MAX + 32)
#define STOP_MSEC 2000

#define SOCKET "run/systemd/journal/socket"

struct entry {
	int64_t id;
	size_t count;
	int error; /* why it does not hold all that it should */
	struct iovec fields[FIELDS_MAX];
};

struct journal {
	struct pmed_sink *sink;
	struct pmed_lane *lane;
};

const char *pmed_message_id(enum pme_event_type type)
{
#define ID(name, id) [name] = (id),
	static const char *const ids[] = {PMED_MESSAGE_IDS(ID)};

	_Static_assert(PME_ARRAY_SIZE(ids) == PME_EVENT_TYPES, "a type without an id");
	return ids[type];
}

static void entry_free(struct entry *entry)
{
	for (size_t i = 0; entry && i < entry->count; i++)
		free(entry->fields[i].iov_base);
	free(entry);
}

/* "NAME=" and @len bytes, which may hold anything. */
static void add_bytes(struct entry *entry, const char *name, const char *value, size_t len)
{
	size_t begin = strlen(name) + 1;
	char *field;

	if (entry->count >= FIELDS_MAX)
		return;
	field = malloc(begin + len);
	if (!field) {
		entry->error = -ENOMEM;
		return;
	}
	memcpy(field, name, begin - 1);
	field[begin - 1] = '=';
	memcpy(field + begin, value, len);
	entry->fields[entry->count++] = (struct iovec){field, begin + len};
}

/* Nothing for what is not known. */
static void add(struct entry *entry, const char *name, const char *value)
{
	if (*value)
		add_bytes(entry, name, value, strlen(value));
}

static void add_number(struct entry *entry, const char *name, long long value)
{
	_cleanup_free_ char *text = pme_printf("%lld", value);

	if (text)
		add(entry, name, text);
	else
		entry->error = -ENOMEM;
}

/* The bytes of a name as the filesystem has them. */
static void add_file(struct entry *entry, struct json_object *file)
{
	const char *raw = pme_json_get_text(file, "raw");
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	int r;

	if (!*raw) {
		add(entry, "PMEMCTL_FILE", pme_json_get_text(file, "path"));
		return;
	}
	r = pme_base64_parse(raw, strlen(raw), &bytes, &len);
	if (r == 0)
		add_bytes(entry, "PMEMCTL_FILE", bytes, len);
	else
		entry->error = r;
}

/* Files that the entry does not name: those that the event does not have, either, among them. */
static void add_left_out(struct entry *entry, struct json_object *event, size_t files)
{
	uint64_t left_out = pme_json_get_number(pme_json_get(event, "detail"), "files_left_out");

	if (files > REPEATED_MAX && pme_add(left_out, files - REPEATED_MAX, &left_out) < 0)
		left_out = UINT64_MAX;
	if (left_out > 0)
		add_number(entry, "PMEMCTL_FILES_LEFT_OUT",
			   (long long)pme_min(left_out, (uint64_t)INT64_MAX));
}

static void add_repeated(struct entry *entry, struct json_object *event)
{
	struct json_object *findings = pme_json_get(event, "findings");
	struct json_object *files = pme_json_get(event, "files");
	struct json_object *dimms = pme_json_get(pme_json_get(event, "device"), "dimms");

	for (size_t i = 0; i < pme_json_count(dimms) && i < 16; i++) {
		const char *dimm = json_object_get_string(pme_json_at(dimms, i));

		add(entry, "PMEMCTL_DIMM", dimm ? dimm : "");
	}
	for (size_t i = 0; i < pme_json_count(findings) && i < REPEATED_MAX; i++)
		add(entry, "PMEMCTL_FINDING", pme_json_get_text(pme_json_at(findings, i), "id"));
	for (size_t i = 0; i < pme_json_count(files) && i < REPEATED_MAX; i++)
		add_file(entry, pme_json_at(files, i));
	add_left_out(entry, event, pme_json_count(files));
}

static void add_single(struct entry *entry, struct json_object *event)
{
	struct json_object *device = pme_json_get(event, "device");
	enum pme_event_severity severity = PME_EVENT_WARNING;
	enum pme_event_type type;

	pme_event_severity_parse(pme_json_get_text(event, "severity"), &severity);
	add_number(entry, "PRIORITY", severity);
	if (pme_event_type_parse(pme_json_get_text(event, "type"), &type) == 0)
		add(entry, "MESSAGE_ID", pmed_message_id(type));
	add(entry, "SYSLOG_IDENTIFIER", "pmemctld");
	add(entry, "PMEMCTL_TYPE", pme_json_get_text(event, "type"));
	add(entry, "PMEMCTL_DEVICE", pme_json_get_text(device, "name"));
	add(entry, "PMEMCTL_NAMESPACE", pme_json_get_text(device, "namespace"));
	if (pme_json_get(event, "incident"))
		add(entry, "PMEMCTL_INCIDENT",
		    json_object_get_string(pme_json_get(event, "incident")));
	add(entry, "PMEMCTL_ADVICE", pme_json_get_text(event, "advice"));
	add_number(entry, "PMEMCTL_EVENT_ID", entry->id);
}

static int entry_new(struct json_object *event, const char *text, struct entry **ret)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	int r;

	if (!entry)
		return -ENOMEM;
	entry->id = (int64_t)pme_json_get_number(event, "id");
	add(entry, "MESSAGE", pme_json_get_text(event, "text"));
	add_single(entry, event);
	add_repeated(entry, event);
	if (strlen(text) < EVENT_MAX)
		add(entry, "PMEMCTL_EVENT", text);
	r = entry->error;
	if (r < 0)
		entry_free(entry);
	else
		*ret = entry;
	return r;
}

/* In the lane. */
static int send_entry(void *context, void *item)
{
	const struct journal *journal = context;
	const struct entry *entry = item;
	int r = pme_os_exists(&journal->sink->daemon->os, SOCKET);

	if (r <= 0)
		return r < 0 ? r : -ENOTCONN;
	return sd_journal_sendv(entry->fields, (int)entry->count);
}

static void sent(void *context, void *item, int result)
{
	struct journal *journal = context;
	struct entry *entry = item;

	pmed_sink_outcome(journal->sink, NULL, entry->id,
			  result == -ENOTCONN ? "journald is not there (/" SOCKET ")"
			  : result < 0	      ? strerror(-result)
					      : NULL);
	entry_free(entry);
}

static int journal_start(struct pmed_sink *sink, char **ret_reason)
{
	struct pmed_lane_args args = {
		.name = "journal", .max_items = WAITING_MAX, .work = send_entry, .done = sent};
	struct journal *journal;
	int r;

	if (!sink->daemon->conf.journal.enabled)
		return 0;
	journal = calloc(1, sizeof(*journal));
	if (!journal)
		return -ENOMEM;
	journal->sink = sink;
	args.context = journal;
	r = pmed_lane_new(sink->daemon->loop, &args, &journal->lane);
	if (r < 0) {
		*ret_reason = pme_printf("cannot start a thread: %s", strerror(-r));
		free(journal);
		return r;
	}
	sink->own = journal;
	return 1;
}

static int journal_deliver(struct pmed_sink *sink, struct json_object *event, const char *text)
{
	struct journal *journal = sink->own;
	struct entry *entry;
	int r = entry_new(event, text, &entry);

	if (r < 0)
		return r;
	r = pmed_lane_put(journal->lane, entry);
	if (r < 0)
		entry_free(entry);
	return r;
}

static bool journal_stale(const struct pmed_sink *sink)
{
	return !sink->daemon->conf.journal.enabled;
}

static void journal_stop(struct pmed_sink *sink)
{
	struct journal *journal = sink->own;

	if (!journal)
		return;
	/* A thread that hangs still uses it. */
	if (pmed_lane_free(journal->lane, STOP_MSEC) == 0)
		free(journal);
}

const struct pmed_sink_kind pmed_sink_journal = {
	.name = "journal",
	.limited = true,
	.start = journal_start,
	.deliver = journal_deliver,
	.stale = journal_stale,
	.stop = journal_stop,
};
