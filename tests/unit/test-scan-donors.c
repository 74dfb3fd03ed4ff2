/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/scan-donors.c: which claims of a scan are asked about, with which blocks, and who gets the
 * donor that was found.  The filesystem is a directory, and the donors are played: for each byte of
 * the device it is said whether there is one.
 */
#include "scan-donors.h"

#include <fcntl.h>
#include <sys/statvfs.h>

#include "check.h"
#include "donor-reach.h"
#include "donor.h"
#include "kept.h"
#include "saved-conf.h"

#define MIB (1ULL << 20)
#define CLAIMS 8
#define ASKED_MAX 5000

static struct {
	int open_error, file_error, donor_error;
	unsigned long block;
	struct pme_range_list good;    /* bytes of the device that have a donor */
	const struct pme_file *unkept; /* of this file nothing was kept */
	struct pme_want asked[ASKED_MAX];
	size_t n_asked, n_opened;
} play;

int __wrap_pme_reach_open(const struct pme_os *os, const struct pme_fs *fs, struct pme_reach *ret);
int __wrap_pme_reach_file(const struct pme_reach *reach, const struct pme_fs *fs,
			  const struct pme_file *file, int flags);
int __wrap_pme_donor_find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
			  char **ret_reason);
int __wrap_fstatvfs(int fd, struct statvfs *ret);

int __wrap_pme_reach_open(const struct pme_os *os, const struct pme_fs *fs, struct pme_reach *ret)
{
	(void)fs;
	*ret = (struct pme_reach){.entry = {.fd = -1}, .root = -1};
	if (play.open_error)
		return play.open_error;
	ret->root = pme_os_open(os, "srv", O_RDONLY | O_DIRECTORY);
	return ret->root < 0 ? ret->root : 0;
}

int __wrap_pme_reach_file(const struct pme_reach *reach, const struct pme_fs *fs,
			  const struct pme_file *file, int flags)
{
	(void)fs;
	(void)flags;
	assert_false(file->out_of_reach);
	play.n_opened++;
	return play.file_error ? play.file_error : pme_os_open_at(reach->root, "file", O_RDONLY);
}

int __wrap_fstatvfs(int fd, struct statvfs *ret)
{
	(void)fd;
	*ret = (struct statvfs){.f_bsize = play.block};
	return 0;
}

int __wrap_pme_donor_find(const struct pme_want *want, struct pme_log *log, struct pme_donor *ret,
			  char **ret_reason)
{
	static const struct pme_donor_kind kind = {.name = "played"};
	const struct pme_range place = {want->device_start, want->range.length};
	struct pme_range_list rest = {0};
	bool good;

	(void)log;
	assert_true(play.n_asked < ASKED_MAX);
	play.asked[play.n_asked++] = *want;
	/* nothing is read from media, nor offered without proof */
	assert_true(want->proven_only && !want->bad && !want->from && want->fd >= 0);
	if (play.donor_error)
		return play.donor_error;
	assert_int_equal(pme_range_list_subtract(place, &play.good, &rest), 0);
	good = rest.count == 0 && want->file != play.unkept;
	pme_range_list_done(&rest);
	*ret_reason = good ? NULL : strdup("no");
	*ret = (struct pme_donor){.kind = good ? &kind : NULL, .taken = 1 + (int64_t)place.start};
	return good;
}

struct world {
	struct tree tree;
	struct pme_dev dev;
	struct pme_reached_fs reached;
	struct pme_reached_fs *fs;
	struct pme_hop hops[CLAIMS];
	struct pme_claim claims[CLAIMS];
	struct pme_finding finding;
	struct pme_file file;
	struct pme_scan scan;
};

static int setup(void **state)
{
	static struct world w;

	memset(&play, 0, sizeof(play));
	play.block = 4096;
	w = (struct world){0};
	tree_init(&w.tree);
	tree_file(&w.tree, "srv/file", "");
	kept_protect(&w.tree, "/srv", "/backup");
	w.dev = (struct pme_dev){.name = (char *)"pmem0"};
	w.reached.fs = (struct pme_fs){.dev = &w.dev, .main = &w.dev, .type = "xfs"};
	w.fs = &w.reached;
	w.file = (struct pme_file){.inode = 131};
	w.finding = (struct pme_finding){.dev = &w.dev, .claims = w.claims};
	w.scan = (struct pme_scan){
		.topo = &w.tree.topo,
		.findings = {.items = &w.finding, .count = 1, .fs = &w.fs, .n_fs = 1},
	};
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < CLAIMS; i++)
		json_object_put(w->claims[i].donor);
	pme_range_list_done(&play.good);
	tree_done(&w->tree);
	return 0;
}

/* @length lost bytes at @start of the device, which are those of the file from @file_start on. */
static struct pme_claim *add(struct world *w, uint64_t start, uint64_t length, uint64_t file_start)
{
	size_t i = w->finding.n_claims++;

	assert_true(i < CLAIMS);
	w->hops[i] = (struct pme_hop){.dev = &w->dev, .start = start};
	w->claims[i] = (struct pme_claim){
		.hops = &w->hops[i],
		.n_hops = 1,
		.length = length,
		.certainty = PME_EXACT,
		.kind = PME_OWNER_FILE_DATA,
		.fs = &w->reached.fs,
		.file = &w->file,
		.file_start = file_start,
		.has_file_start = true,
	};
	return &w->claims[i];
}

static void make_good(uint64_t start, uint64_t length)
{
	assert_int_equal(pme_range_list_add(&play.good, start, length), 0);
	pme_range_list_normalize(&play.good);
}

static void run(struct world *w)
{
	assert_int_equal(pme_scan_donors(&w->scan, &w->tree.log), 0);
}

static void assert_asked(size_t i, uint64_t file_start, uint64_t length, uint64_t device_start)
{
	assert_true(i < play.n_asked);
	assert_int_equal(play.asked[i].range.start, file_start);
	assert_int_equal(play.asked[i].range.length, length);
	assert_int_equal(play.asked[i].device_start, device_start);
}

static void whole_blocks_are_asked_for(void **state)
{
	static const struct {
		unsigned long block;
		uint64_t file_start, length, from, whole;
	} cases[] = {
		{4096, 0, 512, 0, 4096},	  {4096, 4095, 1, 0, 4096},
		{4096, 4095, 2, 0, 8192},	  {4096, 4096, 4096, 4096, 4096},
		{4096, 8192, 4097, 8192, 8192},	  {1024, 1536, 512, 1024, 1024},
		{65536, 70000, 10, 65536, 65536}, {4096, 1ULL << 62, 1, 1ULL << 62, 4096},
	};
	struct world *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		uint64_t before = cases[i].file_start - cases[i].from;
		struct pme_claim *claim;

		play.block = cases[i].block;
		play.n_asked = w->finding.n_claims = 0;
		claim = add(w, 8 * MIB + before, cases[i].length, cases[i].file_start);
		run(w);
		assert_int_equal(play.n_asked, 1);
		assert_asked(0, cases[i].from, cases[i].whole, 8 * MIB);
		assert_ptr_equal(play.asked[0].file, &w->file);
		assert_null(claim->donor);
		/* the same with a donor for just these blocks */
		make_good(8 * MIB, cases[i].whole);
		run(w);
		assert_non_null(claim->donor);
		json_object_put(claim->donor);
		claim->donor = NULL;
		pme_range_list_done(&play.good);
		play.good = (struct pme_range_list){0};
	}
}

/* A long piece is asked about in parts: all of them must have one, the first one stands for all. */
static void every_part_must_have_one(void **state)
{
	struct world *w = *state;
	struct pme_claim *claim = add(w, 8 * MIB, 2 * MIB + 100, MIB);

	make_good(8 * MIB, 2 * MIB);
	run(w);
	assert_null(claim->donor);
	assert_int_equal(play.n_asked, 3);
	assert_asked(0, MIB, MIB, 8 * MIB);
	assert_asked(1, 2 * MIB, MIB, 9 * MIB);
	assert_asked(2, 3 * MIB, 4096, 10 * MIB);
	make_good(10 * MIB, 4096);
	run(w);
	assert_string_equal(json_object_to_json_string_ext(claim->donor, JSON_C_TO_STRING_PLAIN),
			    "{\"kind\":\"played\",\"proof\":\"shared-extent\",\"path\":null,"
			    "\"time\":\"1970-01-01T00:00:08.388609Z\",\"detail\":null}");
	/* a part without one: the rest need not be asked about */
	json_object_put(claim->donor);
	claim->donor = NULL;
	play.n_asked = 0;
	pme_range_list_done(&play.good);
	play.good = (struct pme_range_list){0};
	run(w);
	assert_null(claim->donor);
	assert_int_equal(play.n_asked, 1);
}

/* What else may be true of a claim, so that nobody is asked. */
static void others_are_not_asked_about(void **state)
{
	struct world *w = *state;
	struct pme_fs other = w->reached.fs;
	struct pme_file away = {.inode = 132, .out_of_reach = true};
	struct pme_claim *had;

	make_good(0, 64 * MIB);
	add(w, 8 * MIB, 512, 0)->kind = PME_OWNER_DIRECTORY;
	add(w, 8 * MIB, 512, 0)->certainty = PME_REDUNDANT;
	add(w, 8 * MIB, 512, 0)->fs = &other;
	add(w, 8 * MIB, 512, 0)->file = NULL;
	add(w, 8 * MIB, 512, 0)->file = &away;
	add(w, 8 * MIB, 512, 0)->own = true;
	add(w, 8 * MIB, 512, 0)->behind_end = true;
	had = add(w, 8 * MIB, 512, 0);
	had->donor = json_object_new_string("had one");
	run(w);
	assert_int_equal(play.n_asked + play.n_opened, 0);
	for (size_t i = 0; i + 1 < CLAIMS; i++)
		assert_null(w->claims[i].donor);
	assert_string_equal(json_object_get_string(had->donor), "had one");
	/* nor of block maps, nor of what may be something else; one more, and only that */
	w->claims[0].kind = PME_OWNER_FILE_DATA;
	w->claims[0].has_file_start = false;
	w->claims[1].certainty = PME_UNCERTAIN;
	w->claims[2].fs = &w->reached.fs;
	run(w);
	assert_int_equal(play.n_asked, 1);
	for (size_t i = 0; i + 1 < CLAIMS; i++)
		assert_int_equal(w->claims[i].donor != NULL, i == 2);
}

/* They have the same bytes, whatever each of them can prove. */
static void sharers_have_it_too(void **state)
{
	struct world *w = *state;
	struct pme_file second = {.inode = 132};
	struct pme_claim *whole = add(w, 8 * MIB, 8192, 0), *same = add(w, 8 * MIB, 8192, 4096);
	struct pme_claim *part = add(w, 8 * MIB + 4096, 4096, 0);
	struct pme_claim *over = add(w, 8 * MIB + 4096, 8192, 0);
	struct pme_claim *beside = add(w, 8 * MIB + 8192, 4096, 0);

	same->file = part->file = over->file = beside->file = &second;
	make_good(8 * MIB, 8192);
	run(w);
	assert_non_null(whole->donor);
	assert_ptr_equal(same->donor, whole->donor);
	assert_ptr_equal(part->donor, whole->donor);
	assert_null(over->donor);
	assert_null(beside->donor);
	/* those who have it by now were not asked about again */
	assert_int_equal(play.n_asked, 3);
}

/* Of the first nothing was kept; what was kept of the second is as good. */
static void any_sharer_will_do(void **state)
{
	struct world *w = *state;
	struct pme_file kept = {.inode = 132};
	struct pme_claim *first = add(w, 8 * MIB, 4096, 0), *second = add(w, 8 * MIB, 4096, MIB);

	play.unkept = &w->file;
	second->file = &kept;
	make_good(8 * MIB, 4096);
	run(w);
	assert_int_equal(play.n_asked, 2);
	assert_non_null(second->donor);
	assert_ptr_equal(first->donor, second->donor);
}

static void nobody_is_asked_for_nothing(void **state)
{
	struct world *w = *state;

	play.open_error = -ENOMEM; /* it is not even entered */
	run(w);
	w->scan.findings.count = 0;
	run(w);
	w->scan.findings.n_fs = 0;
	run(w);
	assert_int_equal(w->tree.log.count, 0);
}

/* Without any protection no donor is looked for, not even in memory. */
static void only_where_something_is_protected(void **state)
{
	struct world *w = *state;
	_cleanup_free_ char *id = pme_protection_id("/srv");
	struct pme_claim *claim = add(w, 8 * MIB, 512, 0);

	make_good(0, 64 * MIB);
	assert_int_equal(pme_protection_forget(&w->tree.os, id), 0);
	run(w);
	assert_int_equal(play.n_asked, 0);
	assert_null(claim->donor);
	/* one that makes no sense is none, and was said elsewhere */
	tree_file(&w->tree, PME_PROTECT_DIR "/0123456789abcdef.json", "{");
	run(w);
	assert_int_equal(play.n_asked, 0);
	assert_int_equal(w->tree.log.count, 0);
}

static void errors_leave_it_open(void **state)
{
	struct world *w = *state;
	struct pme_claim *claim = add(w, 8 * MIB, 512, 0);

	make_good(0, 64 * MIB);
	play.open_error = -EXDEV;
	run(w);
	play.open_error = 0;
	play.file_error = -ESTALE;
	run(w);
	play.file_error = 0;
	play.block = 0;
	run(w);
	play.block = 4096;
	assert_int_equal(play.n_asked, 0);
	assert_null(claim->donor);
	play.open_error = -ENOMEM;
	assert_int_equal(pme_scan_donors(&w->scan, &w->tree.log), -ENOMEM);
	play.open_error = 0;
	play.donor_error = -ENOMEM;
	assert_int_equal(pme_scan_donors(&w->scan, &w->tree.log), -ENOMEM);
	assert_null(claim->donor);
	play.donor_error = 0;
	run(w);
	assert_non_null(claim->donor);
	assert_int_equal(w->tree.log.count, 0);
}

/* The time is over before anybody could be asked: that is said, and no error. */
static void the_time_is_over(void **state)
{
	struct world *w = *state;
	struct pme_progress progress = {0};

	add(w, 8 * MIB, 512, 0);
	pme_progress_start(&progress, 0);
	w->tree.log.progress = &progress;
	run(w);
	assert_int_equal(play.n_asked, 0);
	assert_true(w->tree.log.incomplete);
	assert_false(w->tree.log.failed);
	assert_int_equal(w->tree.log.count, 1);
	w->tree.log.progress = NULL;
}

/* The first 4096 of those that nobody has are asked about; that there were more is said. */
static void there_is_a_limit(void **state)
{
	static struct pme_claim claims[4097];
	static struct pme_hop hops[4097];
	struct world *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(claims); i++) {
		w->finding.n_claims = 0;
		claims[i] = *add(w, 4096 * i, 4096, 4096 * i);
		hops[i] = w->hops[0];
		claims[i].hops = &hops[i];
	}
	w->finding.claims = claims;
	w->finding.n_claims = 4096;
	run(w);
	assert_int_equal(play.n_asked, 4096);
	assert_int_equal(w->tree.log.count, 0);
	play.n_asked = 0;
	w->finding.n_claims = 4097;
	run(w);
	assert_int_equal(play.n_asked, 4096);
	assert_int_equal(w->tree.log.count, 1);
	assert_int_equal(w->tree.log.messages[0].severity, PME_WARNING);
	assert_non_null(strstr(w->tree.log.messages[0].text, "the first 4096 "));
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(whole_blocks_are_asked_for),
		CASE(every_part_must_have_one),
		CASE(others_are_not_asked_about),
		CASE(sharers_have_it_too),
		CASE(any_sharer_will_do),
		CASE(nobody_is_asked_for_nothing),
		CASE(only_where_something_is_protected),
		CASE(errors_leave_it_open),
		CASE(the_time_is_over),
		CASE(there_is_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
