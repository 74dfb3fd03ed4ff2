/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/donor.c: in which order the kinds of donors are asked, which one is taken, and what is said
 * of the others; played kinds that answer anything, against a slow model of the promise.  Nothing
 * that a kind gave may be lost: the sanitizers see to that.
 *
 * The kinds, and pme_salvage(), are defined here: those of the library are never linked.
 */
#include "donor.h"

#include <fcntl.h>

#include "check.h"
#include "donor-salvage.h"
#include "random.h"
#include "tree.h"

#define KINDS 6
#define LENGTH 4096

enum { AGREES, DIFFERS, NO_MEDIA, UNREAD_DONOR, AGREEMENTS };

/* How one kind answers, and what was done with it. */
static struct play {
	int find; /* 1, 0, -errno */
	enum pme_proof proof;
	bool reason;   /* it says something about a version that it did not take */
	int agreement; /* with what still reads */
	int holds;
	unsigned int asked, open;
} plays[KINDS];

static int play_find(struct play *play, struct pme_donor *ret, char **ret_reason)
{
	play->asked++;
	play->open++;
	ret->state = play; /* also where nothing is found: it has to be given back */
	if (play->reason)
		*ret_reason = strdup("older one damaged");
	if (play->find > 0) {
		ret->proof = play->proof;
		ret->path = strdup("/a/path");
		ret->detail = strdup("detail");
		ret->file = calloc(1, sizeof(*ret->file));
	}
	return play->find;
}

static int play_holds(const struct pme_donor *donor, const struct pme_want *want)
{
	(void)want;
	return ((const struct play *)donor->state)->holds;
}

static int play_read(const struct pme_donor *donor, const struct pme_want *want, uint64_t offset,
		     size_t size, void *buf)
{
	(void)donor;
	(void)want;
	(void)offset;
	memset(buf, 'x', size);
	return 0;
}

static void play_done(struct pme_donor *donor)
{
	struct play *play = donor->state;

	assert_true(play->open > 0);
	play->open--;
}

#define KIND(i, symbol, called, never, still)                                 \
	static int find_##i(const struct pme_want *want, struct pme_log *log, \
			    struct pme_donor *ret, char **ret_reason)         \
	{                                                                     \
		(void)want;                                                   \
		(void)log;                                                    \
		return play_find(&plays[i], ret, ret_reason);                 \
	}                                                                     \
	const struct pme_donor_kind symbol = {                                \
		.name = called,                                               \
		.find = find_##i,                                             \
		.holds = still,                                               \
		.read = play_read,                                            \
		.done = play_done,                                            \
		.never_proven = never,                                        \
	}

KIND(0, pme_donor_media, "media", false, play_holds);
KIND(1, pme_donor_replica, "replica", false, play_holds);
KIND(2, pme_donor_digest, "digest", false, play_holds);
KIND(3, pme_donor_page_cache, "page-cache", false, play_holds);
KIND(4, pme_donor_file, "file", true, NULL);
KIND(5, pme_donor_diverged, "diverged-copy", true, NULL);

static const char *const names[KINDS] = {"media", "replica", "digest", "page-cache", "file",
					 "diverged-copy"};
static const bool never[KINDS] = {false, false, false, false, true, true};

static bool all_bad; /* nothing of the range reads: nobody is to agree with anything */

bool pme_salvage_none_reads(const struct pme_want *want, const struct pme_range_list *bad)
{
	assert_ptr_equal(bad, want->bad);
	return all_bad;
}

int pme_salvage(const struct pme_want *want, const struct pme_range_list *bad,
		const struct pme_donor *donor, void *buf, struct pme_salvaged *ret,
		char **ret_reason)
{
	const struct play *play = donor->state;

	assert_ptr_equal(bad, want->bad);
	assert_false(all_bad);
	*ret_reason = NULL;
	memset(buf, 'x', want->range.length);
	switch (play->agreement) {
	case AGREES:
		*ret = (struct pme_salvaged){.donor = want->range.length};
		return 0;
	case DIFFERS:
		*ret_reason = strdup("other bytes");
		return -EBADMSG;
	case UNREAD_DONOR: /* of reading the donor: its digest differs by now */
		return -EBADMSG;
	}
	return -EAGAIN;
}

/* ---- the model ---- */

static void add(char **all, size_t i, const char *what)
{
	_cleanup_free_ char *before = *all;

	*all = pme_printf("%s%s%s: %s", before ? before : "", before ? "; " : "", names[i], what);
	assert_non_null(*all);
}

/* The place of the donor in the table, or -1; what is said, allocated, or NULL. */
static int model(const struct pme_want *want, char **ret_said)
{
	int best = -1;

	*ret_said = NULL;
	for (int i = 0; i < KINDS; i++) {
		const struct play *play = &plays[i];
		bool taken = play->find > 0 && (!want->bad || all_bad || play->agreement == AGREES);

		if (want->proven_only && never[i])
			continue;
		if (play->find < 0)
			add(ret_said, (size_t)i, "cannot be asked: Input/output error");
		else if (play->find == 0 || taken)
			play->reason ? add(ret_said, (size_t)i, "older one damaged") : (void)0;
		else if (play->agreement == DIFFERS)
			add(ret_said, (size_t)i, "other bytes");
		else
			add(ret_said, (size_t)i,
			    play->agreement == NO_MEDIA
				    ? "cannot compare it with the media: Resource temporarily "
				      "unavailable"
				    : "cannot compare it with the media: Bad message");
		if (taken && play->proof != PME_PROOF_NONE)
			return i;
		if (taken && best < 0)
			best = i;
	}
	return best;
}

static struct pme_want make_want(const struct pme_range_list *bad, bool proven_only)
{
	return (struct pme_want){.range = {8192, LENGTH}, .bad = bad, .proven_only = proven_only};
}

static void check_round(const struct pme_want *want)
{
	_cleanup_free_ char *expected = NULL, *said = NULL;
	int best = model(want, &expected);
	struct pme_log log = {0};
	struct pme_donor donor;

	assert_int_equal(pme_donor_find(want, &log, &donor, &said), best >= 0);
	if (expected)
		assert_string_equal(said ? said : "nothing", expected);
	else
		assert_null(said);
	for (int i = 0; i < KINDS; i++)
		assert_int_equal(plays[i].open, i == best);
	if (best >= 0) {
		assert_string_equal(donor.kind->name, names[best]);
		assert_ptr_equal(donor.state, &plays[best]);
		assert_int_equal(donor.proof, plays[best].proof);
		assert_string_equal(donor.path, "/a/path");
		pme_donor_done(&donor);
		assert_int_equal(plays[best].open, 0);
	}
	assert_null(donor.kind);
	pme_donor_done(&donor); /* of none: nothing */
}

static void the_best_is_taken(void **state)
{
	struct pme_range_list bad = {0};
	struct rnd rnd = rnd_start();

	(void)state;
	for (int round = 0; round < 3000; round++) {
		const struct pme_want want =
			make_want(rnd_below(&rnd, 2) ? &bad : NULL, rnd_below(&rnd, 2));

		all_bad = rnd_below(&rnd, 3) == 0;
		for (size_t i = 0; i < KINDS; i++) {
			int find = 1 - (int)rnd_below(&rnd, 3);

			plays[i] = (struct play){
				.find = find < 0 ? -EIO : find,
				.proof = never[i] || rnd_below(&rnd, 4) == 0
						 ? PME_PROOF_NONE
						 : (enum pme_proof)rnd_below(&rnd, PME_PROOF_NONE),
				.reason = find >= 0 && rnd_below(&rnd, 2),
				.agreement = (int)rnd_below(&rnd, AGREEMENTS),
			};
		}
		check_round(&want);
	}
	all_bad = false;
}

/* ---- by hand ---- */

static void play_all(struct play play)
{
	for (size_t i = 0; i < KINDS; i++)
		plays[i] = play;
}

/* Whoever can prove nothing is not even asked: it would cost time, and names files. */
static void the_unproven_are_not_asked_in_vain(void **state)
{
	const struct pme_want want = make_want(NULL, true), any = make_want(NULL, false);

	(void)state;
	play_all((struct play){.find = 0});
	check_round(&want);
	for (int i = 0; i < KINDS; i++)
		assert_int_equal(plays[i].asked, !never[i]);
	play_all((struct play){.find = 1, .proof = PME_PROOF_NONE});
	check_round(&any);
	for (int i = 0; i < KINDS; i++)
		assert_int_equal(plays[i].asked, 1);
	plays[0].proof = PME_PROOF_SHARED;
	check_round(&any);
	assert_int_equal(plays[0].asked, 2);
	assert_int_equal(plays[1].asked, 1);
}

/* Without memory there is no answer, whoever found something before. */
static void no_memory_is_no_answer(void **state)
{
	const struct pme_want want = make_want(NULL, false);

	(void)state;
	for (size_t short_of = 0; short_of < KINDS; short_of++) {
		struct pme_donor donor = {.taken = 77};
		char none[] = "untouched", *said = none;
		struct pme_log log = {0};

		play_all((struct play){.find = 1, .proof = PME_PROOF_NONE, .reason = true});
		plays[short_of].find = -ENOMEM;
		assert_int_equal(pme_donor_find(&want, &log, &donor, &said), -ENOMEM);
		assert_ptr_equal(said, none);
		assert_int_equal(donor.taken, 77);
		for (size_t i = 0; i < KINDS; i++)
			assert_int_equal(plays[i].open, 0);
	}
}

/* What a kind says besides an error is not the reason, and not lost. */
static void an_error_is_said_as_such(void **state)
{
	const struct pme_want want = make_want(NULL, false);

	(void)state;
	play_all((struct play){.find = 0});
	plays[2] = (struct play){.find = -EIO, .reason = true};
	check_round(&want);
}

/* Its digest was right a moment ago, when it was found. */
static void a_donor_that_spoils_meanwhile_is_none(void **state)
{
	const struct pme_range_list bad = {0};
	const struct pme_want want = make_want(&bad, true);

	(void)state;
	play_all((struct play){.find = 1, .agreement = UNREAD_DONOR, .reason = true});
	plays[1].agreement = AGREES;
	check_round(&want);
}

static void a_proof_is_asked_for_again(void **state)
{
	static const int answers[] = {1, 0, -EIO};
	const struct pme_want want = make_want(NULL, false);

	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		struct pme_log log = {0};
		struct pme_donor donor;
		char *said;

		play_all((struct play){.find = 0});
		plays[i].find = 1;
		assert_int_equal(pme_donor_find(&want, &log, &donor, &said), 1);
		assert_null(said);
		for (size_t a = 0; a < PME_ARRAY_SIZE(answers); a++) {
			plays[i].holds = answers[a];
			/* what was read does not change */
			assert_int_equal(pme_donor_holds(&donor, &want), never[i] ? 1 : answers[a]);
		}
		pme_donor_done(&donor);
	}
}

/* ---- the rest ---- */

static void proofs_have_names(void **state)
{
	static const char *const expected[] = {"shared-extent", "digest", "mirror", "page-cache",
					       "media", "unproven"};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(expected); i++)
		assert_string_equal(pme_proof_name((enum pme_proof)i), expected[i]);
}

static void assert_json(const struct pme_donor *donor, const char *expected)
{
	struct json_object *json = pme_donor_json(donor);

	assert_string_equal(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), expected);
	json_object_put(json);
}

static void donors_are_told(void **state)
{
	struct pme_donor donor = {.proof = PME_PROOF_NONE};

	(void)state;
	assert_json(&donor, "null");
	donor.kind = &pme_donor_file;
	assert_json(&donor, "{\"kind\":\"file\",\"proof\":\"unproven\",\"path\":null,"
			    "\"time\":null,\"detail\":null}");
	donor.kind = &pme_donor_replica;
	donor.proof = PME_PROOF_SHARED;
	donor.path = (char *)"\xff";
	donor.taken = 1700000000000001;
	donor.detail = (char *)"a \"b\"";
	assert_json(&donor,
		    "{\"kind\":\"replica\",\"proof\":\"shared-extent\",\"path\":{\"path\":"
		    "\"\xef\xbf\xbd\",\"raw\":\"\\/w==\"},\"time\":\"2023-11-14T22:13:20.000001Z\","
		    "\"detail\":\"a \\\"b\\\"\"}");
}

static void bytes_inside_of_the_file_are_counted(void **state)
{
	static const struct {
		off_t size;
		struct pme_range range;
		uint64_t inside;
	} cases[] = {
		{0, {0, 4096}, 0},	 {1, {0, 4096}, 1},
		{4096, {0, 4096}, 4096}, {4097, {0, 4096}, 4096},
		{4096, {4096, 4096}, 0}, {4095, {4096, 4096}, 0},
		{4097, {4096, 4096}, 1}, {9000, {4096, 8192}, 4904},
		{9000, {8192, 0}, 0},	 {1ULL << 40, {1ULL << 39, 4096}, 4096},
	};
	struct pme_want want = {0};
	uint64_t inside = 77;
	struct tree tree;

	(void)state;
	tree_init(&tree);
	tree_file(&tree, "srv/file", "");
	want.fd = pme_os_open(&tree.os, "srv/file", O_RDWR);
	assert_true(want.fd >= 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		assert_int_equal(ftruncate(want.fd, cases[i].size), 0);
		want.range = cases[i].range;
		assert_int_equal(pme_want_inside(&want, &inside), 0);
		assert_int_equal(inside, cases[i].inside);
	}
	close(want.fd);
	inside = 77;
	assert_int_equal(pme_want_inside(&want, &inside), -EBADF);
	assert_int_equal(inside, 77);
	tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_is_taken),
		cmocka_unit_test(the_unproven_are_not_asked_in_vain),
		cmocka_unit_test(no_memory_is_no_answer),
		cmocka_unit_test(an_error_is_said_as_such),
		cmocka_unit_test(a_donor_that_spoils_meanwhile_is_none),
		cmocka_unit_test(a_proof_is_asked_for_again),
		cmocka_unit_test(proofs_have_names),
		cmocka_unit_test(donors_are_told),
		cmocka_unit_test(bytes_inside_of_the_file_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
