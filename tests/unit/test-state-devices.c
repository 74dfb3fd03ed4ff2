/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon/state-devices.c, state-inventory.c, state-forget.c: devices that go, come back under
 * another name, are forgotten or cannot do DAX any more.
 */
#include "state-watch.h"

#define NS_MOUNTED                                                                          \
	"{'format':'pmemctl.simulate','format_version':[1,0],'coverage':'complete',"        \
	"'messages':[],'devices':[{'device':'pmem0','identity':'ns:a','region':'region0'}," \
	"{'device':'region0','identity':'iset:1','region':'region0'}],'stack':["            \
	"{'device':'dm-1','name':'vg0/data','lowers':['dm-0'],'survives':false},"           \
	"{'device':'dm-0','name':null,'lowers':['pmem0'],'survives':true},"                 \
	"{'device':'dm-7','name':'other','lowers':['sda'],'survives':true}],"               \
	"'filesystems':[{'type':'xfs','uuid':'u','device':'dm-1','mounts':['/srv'],"        \
	"'dax':%s,'device_dax':%s,'holders':[{'pid':9,'command':'db','unit':null,"          \
	"'map_sync':true}]},{'type':'xfs','uuid':null,'device':'dm-7','mounts':['/other']," \
	"'dax':null,'device_dax':null,'holders':[]}],'swap':[],'raw':[{'device':'pmem0',"   \
	"'name':'pmem0','survives':false,'holders':[{'pid':10}]}]}"

static void look(struct watch *w, const char *dax)
{
	_cleanup_free_ char *text = pme_printf(NS_MOUNTED, dax, dax);
	struct json_object *doc = json(text);

	fresh(w);
	assert_int_equal(
		pmed_state_snapshot(w->state, "region0", doc, w->now, &w->last_id, &w->news), 0);
	json_object_put(doc);
}

static void a_device_goes_and_comes_back(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 8192, LOST);
	_cleanup_free_ char *region = region_text("complete");
	_cleanup_free_ char *renamed = disk_text("pmem7", "ns:a", "complete");
	_cleanup_free_ char *both = pme_printf("%s,%s", region, renamed);
	struct json_object *event, *detail;

	scan(w, "complete", "complete", one);
	look(w, "true");
	check_events(w, "");
	assert_int_equal(list_doc(w, "", region), 0);
	check_events(w, "device-offline:critical ");
	event = event_at(w, 0);
	assert_string_equal(
		pme_json_get_text(event, "text"),
		"pmem0 (namespace0.0) is gone, last looked at 0 s before: it was mounted at "
		"/srv; without one of "
		"their devices are now dm-0; 2 processes used it");
	detail = pme_json_get(event, "detail");
	assert_int_equal(pme_json_get_number(detail, "findings"), 1);
	assert_int_equal(pme_json_count(pme_json_get(detail, "devices")), 2);
	assert_int_equal(pme_json_count(pme_json_get(event, "findings")), 0);
	assert_int_equal(count_incidents(w), 2);
	assert_int_equal(list_doc(w, "", region), 0);
	check_events(w, "");
	assert_int_equal(list_doc(w, "", both), 0);
	check_events(w, "device-online:notice device-changed:notice ");
	assert_string_equal(pme_json_get_text(event_at(w, 1), "text"),
			    "pmem7 has changed: name was pmem0, is pmem7");
	assert_int_equal(count_incidents(w), 1);
}

/* The row of the finding @id that the last scan had for the store. */
static struct json_object *row_of(const struct watch *w, unsigned int id)
{
	_cleanup_free_ char *name = pme_printf("%016x", id);
	struct json_object *found = NULL;

	for (size_t i = 0; i < pme_json_count(w->news.changes); i++) {
		struct json_object *change = pme_json_at(w->news.changes, i);
		struct json_object *row = pme_json_get(change, "row");

		if (strcmp(pme_json_get_text(change, "table"), "findings") == 0 &&
		    strcmp(pme_json_get_text(row, "id"), name) == 0)
			found = row;
	}
	assert_non_null(found);
	return found;
}

static void check_row(const struct watch *w, unsigned int id, const char *name, const char *other)
{
	struct json_object *row = row_of(w, id);
	const char *text = pme_json_get_text(row, "finding");

	assert_string_equal(pme_json_get_text(row, "name"), name);
	assert_non_null(strstr(text, name));
	assert_null(strstr(text, other));
}

/* Names are the kernel's: nobody has to be told that they are others, but the store has them. */
static void disks_swap_their_names(void **state)
{
	static const char *const names[] = {"pmem0", "pmem1"};
	struct watch *w = *state;
	_cleanup_free_ char *region = region_text("complete");

	for (int i = 0; i < 4; i++) {
		const char *first = names[i / 2], *second = names[!(i / 2)];
		_cleanup_free_ char *a = disk_text(first, "ns:a", "complete");
		_cleanup_free_ char *b = disk_text(second, "ns:b", "complete");
		_cleanup_free_ char *one = finding_text(1, first, 0, LOST);
		_cleanup_free_ char *two = finding_text(2, second, 8192, LOST);
		_cleanup_free_ char *disks = pme_printf("%s,%s,%s", region, a, b);
		_cleanup_free_ char *both = pme_printf("%s,%s", one, two);

		assert_int_equal(scan_doc(w, "complete", "", disks, both), 0);
		check_events(w, i == 0	 ? "finding-added:critical finding-added:critical "
				: i == 2 ? "device-changed:notice device-changed:notice "
					 : "");
		if (i % 2) {
			assert_null(pme_json_get(row_of(w, 1), "finding"));
			continue;
		}
		check_row(w, 1, first, second);
		check_row(w, 2, second, first);
	}
}

/* A copy of a namespace has its identity: each is the one that it was, in whatever order they come.
 */
static void two_of_one_identity(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *region = region_text("complete");
	_cleanup_free_ char *first = disk_text("pmem0", "ns:a", "complete");
	_cleanup_free_ char *second = disk_text("pmem1", "ns:a", "complete");
	_cleanup_free_ char *both = pme_printf("%s,%s,%s", region, first, second);
	_cleanup_free_ char *swapped = pme_printf("%s,%s,%s", second, region, first);
	_cleanup_free_ char *one = pme_printf("%s,%s", region, second);

	assert_int_equal(list_doc(w, "", both), 0);
	assert_int_equal(list_doc(w, "", swapped), 0);
	check_events(w, "");
	assert_int_equal(list_doc(w, "", one), 0);
	check_events(w, "device-offline:notice ");
	assert_string_equal(pme_json_get_text(event_at(w, 0), "text"),
			    "pmem0 (namespace0.0) is gone");
	assert_int_equal(list_doc(w, "", swapped), 0);
	check_events(w, "device-online:notice ");
	/* An idle one was forgotten when it went, so nobody knows whether it is new. */
	assert_string_equal(pme_json_get_text(event_at(w, 0), "text"),
			    "pmem0 (namespace0.0, fsdax) has come");
}

/* A namespace that was destroyed does not come back: its incidents end. */
static void a_device_is_forgotten(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 8192, LOST);
	_cleanup_free_ char *region = region_text("complete");
	struct json_object *doc;

	scan(w, "complete", "complete", one);
	pmed_state_remember(w->state, 3000);
	assert_int_equal(list_doc(w, "", region), 0);
	check_events(w, "device-offline:notice ");
	assert_int_equal(count_incidents(w), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(list_doc(w, "", region), 0);
		check_events(w, "");
	}
	assert_int_equal(list_doc(w, "", region), 0);
	check_events(w, "finding-gone:notice device-changed:notice ");
	assert_string_equal(pme_json_get_text(event_at(w, 0), "text"),
			    "1 bad range (4 KiB) on pmem0 is forgotten with the device");
	assert_string_equal(pme_json_get_text(pme_json_get(event_at(w, 0), "detail"), "reason"),
			    "forgotten");
	assert_string_equal(pme_json_get_text(event_at(w, 1), "text"),
			    "pmem0 (namespace0.0) was not seen for 0 h, and is forgotten");
	assert_int_equal(count_incidents(w), 0);
	doc = pmed_state_rows(w->state, 1);
	assert_null(strstr(json_object_to_json_string(doc), "ns:a"));
	json_object_put(doc);
}

static void assert_sums(const struct watch *w, uint64_t lost, uint64_t unknown, uint64_t bad)
{
	struct json_object *doc = json_object_new_object(), *devices;
	uint64_t sum = 0;

	pmed_state_json(w->state, doc);
	devices = pme_json_get(doc, "devices");
	for (size_t i = 0; i < pme_json_count(devices); i++)
		sum += pme_json_get_number(pme_json_at(devices, i), "bad_bytes");
	assert_int_equal(pme_json_get_number(pme_json_get(doc, "findings"), "lost"), lost);
	assert_int_equal(pme_json_get_number(pme_json_get(doc, "findings"), "unknown"), unknown);
	assert_int_equal(sum, bad);
	json_object_put(doc);
}

/* Its memory is in another namespace: its bad bytes count once, and it will not come back. */
static void a_device_of_another_mode_takes_its_place(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 8192, LOST);
	_cleanup_free_ char *raw =
		finding_text(2, "dax0.0", 8192, "'badblocks'", "unknown", "/dev/dax0.0");
	_cleanup_free_ char *region = region_text("complete");
	_cleanup_free_ char *dax = disk_text("dax0.0", "ns:new", "complete");
	_cleanup_free_ char *both = pme_printf("%s,%s", region, dax);

	scan(w, "complete", "complete", one);
	look(w, "true");
	assert_int_equal(list_doc(w, "", both), 0);
	check_events(w, "device-offline:critical ");
	assert_sums(w, 1, 0, 4096);
	assert_int_equal(scan_doc(w, "complete", "", both, raw), 0);
	check_events(w, "finding-added:error ");
	assert_sums(w, 0, 1, 4096);
	assert_int_equal(count_incidents(w), 3);
	assert_int_equal(list_doc(w, "", both), 0);
	check_events(w, "finding-gone:notice device-changed:notice ");
	assert_string_equal(pme_json_get_text(event_at(w, 1), "text"),
			    "pmem0 (namespace0.0) is gone for good: its bad bytes are in other "
			    "namespaces now");
	assert_int_equal(count_incidents(w), 1);
	assert_sums(w, 0, 1, 4096);
}

/* The region repeats what is known: in numbers, what is worse stays. */
static void a_region_repeats_what_is_known(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *one = finding_text(1, "pmem0", 8192, LOST);
	_cleanup_free_ char *harmless =
		finding_text(1, "pmem0", 8192, "'badblocks'", "harmless", "/srv/a");
	_cleanup_free_ char *again = finding_text(2, "region0", 8192, "'badblocks'", "unknown", "");
	_cleanup_free_ char *region = region_text("complete");

	scan(w, "complete", "complete", harmless);
	assert_int_equal(list_doc(w, "", region), 0);
	assert_int_equal(scan_doc(w, "complete", "", region, again), 0);
	assert_sums(w, 0, 1, 4096);
	scan(w, "complete", "complete", one);
	assert_int_equal(list_doc(w, "", region), 0);
	assert_int_equal(scan_doc(w, "complete", "", region, again), 0);
	assert_sums(w, 1, 0, 4096);
	assert_int_equal(list_doc(w, "", region), 0);
	check_events(w, "");
	assert_int_equal(count_incidents(w), 3);
}

/* Whoever changes modes all day long must not fill the memory. */
static void devices_that_are_gone_are_limited(void **state)
{
	struct watch *w = *state;
	_cleanup_free_ char *region = region_text("complete");
	size_t forgotten = 0;

	for (unsigned int i = 0; i < 600; i++) {
		_cleanup_free_ char *one = finding_text(1 + i, "pmem0", 8192, LOST);
		_cleanup_free_ char *identity = pme_printf("ns:%u", i);
		_cleanup_free_ char *disk = disk_text("pmem0", identity, "complete");
		_cleanup_free_ char *both = pme_printf("%s,%s", region, disk);

		assert_int_equal(scan_doc(w, "complete", "", both, one), 0);
		assert_int_equal(list_doc(w, "", region), 0);
		for (size_t e = 0; e < pme_json_count(w->news.events); e++)
			forgotten += strcmp(pme_json_get_text(event_at(w, e), "type"),
					    "device-changed") == 0;
	}
	assert_int_equal(forgotten, 600 - 512);
	assert_int_equal(count_incidents(w), 2 * 512);
}

static void dax_is_lost(void **state)
{
	struct watch *w = *state;

	scan(w, "complete", "complete", "");
	look(w, "true");
	check_events(w, "");
	look(w, "false");
	check_events(w, "dax-lost:critical ");
	assert_string_equal(
		pme_json_get_text(event_at(w, 0), "text"),
		"/srv on pmem0 cannot do DAX any more, and 1 process relied on MAP_SYNC");
	look(w, "false");
	check_events(w, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_device_goes_and_comes_back),
		TEST(disks_swap_their_names),
		TEST(two_of_one_identity),
		TEST(a_device_is_forgotten),
		TEST(a_device_of_another_mode_takes_its_place),
		TEST(a_region_repeats_what_is_known),
		TEST(devices_that_are_gone_are_limited),
		TEST(dax_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
