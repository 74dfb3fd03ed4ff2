/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/donor-page-cache.c: a file of which it is played what is in memory.  Nothing may be read
 * before all of it is known to be there, and never in a way that could go to the media.
 */
#include "donor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "check.h"
#include "donor-answer.h"
#include "random.h"
#include "tree.h"

#define PAGES 4
#define BLOCK 1024

static struct {
	size_t page;
	size_t first; /* page of the file where the wanted range begins */
	bool missing[PAGES];
	bool asked;
	int dax, error;	   /* what the kernel says of it; error of reading */
	int interruptions; /* before anything is read */
	size_t at_once;	   /* bytes that one read gives at most */
	unsigned int reads;
} play;

int __wrap_pme_os_is_dax(int fd);
int __wrap_mincore(void *map, size_t length, unsigned char *states);
ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags);

int __wrap_pme_os_is_dax(int fd)
{
	(void)fd;
	play.asked = false;
	return play.dax;
}

int __wrap_mincore(void *map, size_t length, unsigned char *states)
{
	assert_int_equal((uintptr_t)map % play.page, 0);
	for (size_t i = 0; i < (length + play.page - 1) / play.page; i++) {
		assert_true(play.first + i < PAGES);
		states[i] =
			play.missing[play.first + i] ? 0xfe : 1; /* only the lowest bit counts */
	}
	play.asked = true;
	return 0;
}

ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	assert_true(play.asked);
	assert_int_equal(count, 1);
	assert_int_equal(flags, RWF_NOWAIT);
	play.reads++;
	if (play.interruptions > 0 || play.error) {
		errno = play.interruptions-- > 0 ? EINTR : play.error;
		return -1;
	}
	return pread(fd, iov->iov_base, pme_min(iov->iov_len, play.at_once), offset);
}

struct world {
	struct tree tree;
	unsigned char *truth;
	size_t size;
	struct pme_want want;
	struct answer answer;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct rnd rnd = rnd_start();

	assert_non_null(w);
	memset(&play, 0, sizeof(play));
	play.page = (size_t)sysconf(_SC_PAGESIZE);
	play.at_once = SIZE_MAX;
	w->size = (PAGES - 1) * play.page + 100;
	w->truth = malloc(w->size);
	assert_non_null(w->truth);
	for (size_t i = 0; i < w->size; i++)
		w->truth[i] = (unsigned char)rnd_u64(&rnd);
	tree_init(&w->tree);
	tree_file(&w->tree, "srv/file", "");
	w->want.fd = pme_os_open(&w->tree.os, "srv/file", O_RDWR);
	assert_true(w->want.fd >= 0);
	assert_int_equal(pwrite(w->want.fd, w->truth, w->size, 0), w->size);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	answer_forget(&w->answer);
	close(w->want.fd);
	free(w->truth);
	tree_done(&w->tree);
	free(w);
	return 0;
}

static int find(struct world *w, uint64_t start, uint64_t length)
{
	play.first = start / play.page;
	play.reads = 0;
	w->want.range = (struct pme_range){start, length};
	return answer_ask(&w->answer, &pme_donor_page_cache, &w->want, &w->tree.log);
}

static void expect_none(struct world *w, const char *reason)
{
	assert_int_equal(find(w, 0, PAGES * play.page), 0);
	assert_string_equal(w->answer.reason, reason);
}

/* Found, and with the right bytes; zeros behind the end of the file. */
static void expect_bytes(struct world *w, uint64_t start, uint64_t length)
{
	_cleanup_free_ unsigned char *buf = malloc(length);

	assert_non_null(buf);
	assert_int_equal(find(w, start, length), 1);
	assert_null(w->answer.reason);
	assert_int_equal(w->answer.donor.proof, PME_PROOF_PAGE_CACHE);
	assert_int_equal(w->answer.donor.taken, 0);
	assert_null(w->answer.donor.path);
	memset(buf, 0xaa, length);
	assert_int_equal(pme_donor_page_cache.read(&w->answer.donor, &w->want, start, length, buf),
			 0);
	for (uint64_t i = 0; i < length; i++)
		assert_int_equal(buf[i], start + i < w->size ? w->truth[start + i] : 0);
}

static void what_is_in_memory_is_right(void **state)
{
	struct world *w = *state;
	uint64_t page = play.page, last = w->size / BLOCK * BLOCK;

	expect_bytes(w, 0, PAGES * page);
	expect_bytes(w, page, page);
	expect_bytes(w, BLOCK, BLOCK); /* blocks smaller than pages, and over their borders */
	expect_bytes(w, page - BLOCK, 2 * BLOCK);
	expect_bytes(w, last, BLOCK);
	/* behind the end there is nothing to have */
	assert_int_equal(find(w, last + BLOCK, BLOCK), 0);
	assert_null(w->answer.reason);
}

static void any_bytes_of_it_are_read(void **state)
{
	struct world *w = *state;
	uint64_t page = play.page;
	unsigned char buf[300];

	expect_bytes(w, page, PAGES * page - page);
	assert_int_equal(pme_donor_page_cache.read(&w->answer.donor, &w->want, page - 1, 2, buf),
			 -ERANGE);
	assert_int_equal(pme_donor_page_cache.read(&w->answer.donor, &w->want, page + 7, 300, buf),
			 0);
	assert_memory_equal(buf, w->truth + page + 7, 300);
	assert_int_equal(
		pme_donor_page_cache.read(&w->answer.donor, &w->want, w->size - 10, 300, buf), 0);
	assert_memory_equal(buf, w->truth + w->size - 10, 10);
	for (size_t i = 10; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(pme_donor_page_cache.read(&w->answer.donor, &w->want, w->size, 300, buf),
			 0);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0);
}

/* Not even one read, which might set others going. */
static void one_page_that_is_missing_is_enough(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < PAGES; i++) {
		play.missing[i] = true;
		expect_none(w, "not all of these bytes are in memory");
		assert_int_equal(play.reads, 0);
		play.missing[i] = false;
	}
	/* beside what is wanted it does not matter */
	play.missing[0] = play.missing[2] = play.missing[3] = true;
	expect_bytes(w, play.page, play.page);
}

static void there_is_none_with_dax(void **state)
{
	struct world *w = *state;

	play.dax = 1;
	expect_none(w, "the file has none: it is mounted with DAX");
	play.dax = -EIO;
	expect_none(w, "cannot be read: Input/output error");
	assert_int_equal(play.reads, 0);
}

static void reads_may_be_short_or_fail(void **state)
{
	struct world *w = *state;

	play.at_once = 777;
	play.interruptions = 3;
	expect_bytes(w, 0, PAGES * play.page);
	play.error = EAGAIN; /* it has gone since */
	expect_none(w, "not all of these bytes are in memory");
	play.error = EIO;
	expect_none(w, "cannot be read: Input/output error");
}

static void it_holds_while_nothing_changes(void **state)
{
	struct world *w = *state;

	expect_bytes(w, 0, PAGES * play.page);
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 1);
	play.missing[2] = true;
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 0);
	play.missing[2] = false;
	w->truth[1] ^= 1;
	assert_int_equal(pwrite(w->want.fd, w->truth, 2, 0), 2);
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 0);
	expect_bytes(w, 0, PAGES * play.page);
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 1);
	assert_int_equal(ftruncate(w->want.fd, (off_t)w->size - 1), 0);
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 0);
	play.dax = -EBADF;
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), -EBADF);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(what_is_in_memory_is_right),	  CASE(any_bytes_of_it_are_read),
		CASE(one_page_that_is_missing_is_enough), CASE(there_is_none_with_dax),
		CASE(reads_may_be_short_or_fail),	  CASE(it_holds_while_nothing_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
