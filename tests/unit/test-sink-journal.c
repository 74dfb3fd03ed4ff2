/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of daemon/sink-journal.c, with a journal that only remembers: fields, bounds, bytes
 * that are no text, and a journal that is not there or refuses.
 */
#include "check.h"
#include "keeper.h"
#include "sink-events.h"
#include "sink-journal.h"
#include "sink.h"

#include <sys/uio.h>
#include <systemd/sd-id128.h>

#define MANY 200 /* files, and findings */

static char *fields[512];
static size_t lengths[512], n_fields;
static int journald; /* what it answers */
static int present;
static char *outcome;
static struct pmed watch;

const struct pmed_sink_kind *const pmed_sink_kinds[] = {&pmed_sink_journal, NULL};

int __wrap_sd_journal_sendv(const struct iovec *iov, int n);
int __wrap_sd_journal_sendv(const struct iovec *iov, int n)
{
	n_fields = 0;
	for (int i = 0; i < n; i++) {
		char *field = calloc(1, iov[i].iov_len + 1);

		memcpy(field, iov[i].iov_base, iov[i].iov_len);
		free(fields[n_fields]);
		lengths[n_fields] = iov[i].iov_len;
		fields[n_fields++] = field;
	}
	return journald;
}

int __wrap_pme_os_exists(const struct pme_os *os, const char *path);
int __wrap_pme_os_exists(const struct pme_os *os, const char *path)
{
	return present;
}

void __wrap_pmed_tell(struct pmed *d, struct json_object *event);
void __wrap_pmed_tell(struct pmed *d, struct json_object *event)
{
	json_object_put(event);
}

void __wrap_pmed_keeper_keep(struct pmed *d, struct json_object *changes);
void __wrap_pmed_keeper_keep(struct pmed *d, struct json_object *changes)
{
	struct json_object *row = pme_json_get(pme_json_at(changes, 0), "row");

	free(outcome);
	outcome = pme_printf("%s", pme_json_get(row, "error") ? pme_json_get_text(row, "error")
							      : "delivered");
	json_object_put(changes);
}

static int begin(void **state)
{
	watch = (struct pmed){.conf.journal.enabled = true};
	present = 1;
	journald = 0;
	assert_int_equal(sd_event_new(&watch.loop), 0);
	assert_int_equal(pmed_sinks_start(&watch), 0);
	return 0;
}

static int end(void **state)
{
	pmed_sinks_stop(&watch);
	sd_event_unref(watch.loop);
	for (size_t i = 0; i < PME_ARRAY_SIZE(fields); i++) {
		free(fields[i]);
		fields[i] = NULL;
	}
	n_fields = 0;
	free(outcome);
	outcome = NULL;
	return 0;
}

/* Deliver it, and wait for the outcome; takes @event. */
static void send_event(struct json_object *event)
{
	free(outcome);
	outcome = NULL;
	pmed_sinks_deliver(&watch, event);
	json_object_put(event);
	while (!outcome)
		assert_true(sd_event_run(watch.loop, 10 * 1000000) > 0);
}

static size_t count(const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < n_fields; i++)
		n += strncmp(fields[i], name, strlen(name)) == 0 && fields[i][strlen(name)] == '=';
	return n;
}

static void assert_field(const char *field)
{
	for (size_t i = 0; i < n_fields; i++)
		if (strcmp(fields[i], field) == 0)
			return;
	fail_msg("no field %s", field);
}

static void fields_say_what_the_event_says(void **state)
{
	struct json_object *event =
		event_of(77, PME_EVENT_FINDING_ADDED, "ns:1", "one:lost two:recoverable");

	event_add_file(event, "/srv/a file");
	event_add_file(event, "/srv/no\xff\nutf8");
	pme_json_text(event, "advice", "restore it");
	pme_json_set(event, "incident", pme_json_int(12));
	send_event(event);
	assert_string_equal(outcome, "delivered");
	assert_field("MESSAGE=2 bad ranges on pmem0");
	assert_field("PRIORITY=2");
	assert_field("SYSLOG_IDENTIFIER=pmemctld");
	assert_field("PMEMCTL_TYPE=finding-added");
	assert_field("PMEMCTL_DEVICE=pmem0");
	assert_field("PMEMCTL_NAMESPACE=namespace0.0");
	assert_field("PMEMCTL_DIMM=nmem0");
	assert_field("PMEMCTL_DIMM=nmem1");
	assert_field("PMEMCTL_FINDING=one");
	assert_field("PMEMCTL_FINDING=two");
	assert_field("PMEMCTL_FILE=/srv/a file");
	assert_field("PMEMCTL_FILE=/srv/no\xff\nutf8");
	assert_field("PMEMCTL_INCIDENT=12");
	assert_field("PMEMCTL_ADVICE=restore it");
	assert_field("PMEMCTL_EVENT_ID=77");
	assert_int_equal(count("MESSAGE_ID"), 1);
	assert_int_equal(count("PMEMCTL_EVENT"), 1);
	assert_int_equal(count("PMEMCTL_FILES_LEFT_OUT"), 0);
}

static void what_is_not_known_is_no_field(void **state)
{
	send_event(pme_event_new(5, PME_EVENT_WATCH_STARTED, PME_EVENT_INFO, "started"));
	assert_field("PRIORITY=6");
	assert_int_equal(count("PMEMCTL_DEVICE") + count("PMEMCTL_INCIDENT") +
				 count("PMEMCTL_DIMM") + count("PMEMCTL_FILE"),
			 0);
}

static void much_is_bounded(void **state)
{
	struct json_object *event = event_of(78, PME_EVENT_FINDING_ADDED, "ns:1", NULL);
	struct json_object *findings = pme_json_get(event, "findings");

	for (int i = 0; i < MANY; i++) {
		_cleanup_free_ char *name = pme_printf("/srv/%0300d", i);
		struct json_object *finding = pme_json_object();

		event_add_file(event, name);
		pme_json_text(finding, "id", name);
		pme_json_append(findings, finding);
	}
	pme_json_number(pme_json_get(event, "detail"), "files_left_out", 23);
	send_event(event);
	assert_string_equal(outcome, "delivered");
	assert_int_equal(count("PMEMCTL_FILE"), 100);
	assert_field("PMEMCTL_FILES_LEFT_OUT=123");
	assert_int_equal(count("PMEMCTL_FINDING"), 100);
	assert_int_equal(count("PMEMCTL_EVENT"), 0);
}

static void a_raw_name_that_is_no_base64_is_not_made_up(void **state)
{
	struct json_object *event = event_of(79, PME_EVENT_FINDING_ADDED, "ns:1", "one:lost");
	struct json_object *file = pme_json_object();

	pme_json_text(file, "path", "/srv/x");
	pme_json_text(file, "raw", "????");
	pme_json_append(pme_json_get(event, "files"), file);
	send_event(event);
	assert_string_equal(outcome, strerror(EINVAL));
}

static void no_journal_is_a_failure(void **state)
{
	present = 0;
	send_event(event_of(80, PME_EVENT_FINDING_ADDED, "ns:1", "one:lost"));
	assert_string_equal(outcome, "journald is not there (/run/systemd/journal/socket)");
	assert_int_equal(n_fields, 0);
	present = 1;
	journald = -E2BIG;
	send_event(event_of(81, PME_EVENT_FINDING_ADDED, "ns:1", "one:lost"));
	assert_string_equal(outcome, strerror(E2BIG));
}

static void ids_are_ids(void **state)
{
	for (int i = 0; i < PME_EVENT_TYPES; i++) {
		sd_id128_t id;

		assert_int_equal(sd_id128_from_string(pmed_message_id(i), &id), 0);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(pmed_message_id(i), pmed_message_id(j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(fields_say_what_the_event_says),
		TEST(what_is_not_known_is_no_field),
		TEST(much_is_bounded),
		TEST(a_raw_name_that_is_no_base64_is_not_made_up),
		TEST(no_journal_is_a_failure),
		TEST(ids_are_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
