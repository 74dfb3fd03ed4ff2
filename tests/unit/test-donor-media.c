/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/donor-media.c: a file whose last block is bad behind its end only, on media that is played.
 */
#include "donor.h"

#include <fcntl.h>

#include "check.h"
#include "donor-answer.h"
#include "media.h"
#include "random.h"
#include "tree.h"

#define BLOCK 4096
#define PLACE 40960 /* where the last block of the file lies on the device */
#define TAIL 905    /* bytes of the file in it */

static unsigned char media[BLOCK];
static int open_error, read_error;

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev);
int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset);

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev)
{
	(void)topo, (void)dev;
	return open_error ? open_error : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset)
{
	assert_true(fd >= 0);
	assert_in_range(offset, PLACE, PLACE + TAIL);
	assert_true(offset + size <= PLACE + TAIL); /* behind it nothing may be read */
	memcpy(buf, media + (offset - PLACE), size);
	return read_error;
}

struct world {
	struct tree tree;
	struct pme_range_list bad;
	struct pme_fs fs;
	struct pme_want want;
	struct answer answer;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct rnd rnd = rnd_start();

	assert_non_null(w);
	open_error = read_error = 0;
	for (size_t i = 0; i < BLOCK; i++)
		media[i] = (unsigned char)rnd_u64(&rnd);
	tree_init(&w->tree);
	tree_file(&w->tree, "srv/file", "");
	assert_int_equal(pme_range_list_add(&w->bad, PLACE + 1024, 512), 0);
	w->want = (struct pme_want){
		.fs = &w->fs,
		.fd = pme_os_open(&w->tree.os, "srv/file", O_RDWR),
		.range = {2 * BLOCK, BLOCK},
		.device_start = PLACE,
		.bad = &w->bad,
		.behind_end = true,
	};
	assert_int_equal(ftruncate(w->want.fd, 2 * BLOCK + TAIL), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	answer_forget(&w->answer);
	close(w->want.fd);
	pme_range_list_done(&w->bad);
	tree_done(&w->tree);
	free(w);
	return 0;
}

static int find(struct world *w)
{
	return answer_ask(&w->answer, &pme_donor_media, &w->want, &w->tree.log);
}

static void what_still_reads_is_the_file(void **state)
{
	struct world *w = *state;
	unsigned char buf[BLOCK], zeros[BLOCK] = {0};
	const struct pme_donor *donor = &w->answer.donor;

	assert_int_equal(find(w), 1);
	assert_int_equal(donor->proof, PME_PROOF_MEDIA);
	assert_int_equal(donor->kind->read(donor, &w->want, 2 * BLOCK, BLOCK, buf), 0);
	assert_memory_equal(buf, media, TAIL);
	assert_memory_equal(buf + TAIL, zeros, BLOCK - TAIL);
	assert_int_equal(donor->kind->read(donor, &w->want, 2 * BLOCK + 900, 10, buf), 0);
	assert_memory_equal(buf, media + 900, 5);
	assert_memory_equal(buf + 5, zeros, 5);
	assert_int_equal(donor->kind->read(donor, &w->want, 2 * BLOCK + TAIL, 10, buf), 0);
	assert_memory_equal(buf, zeros, 10);
	assert_int_equal(donor->kind->read(donor, &w->want, BLOCK, 10, buf), -ERANGE);
}

/* One of them misses these bytes, or the file has grown over them, or was cut before the block. */
static void nothing_where_something_is_lost(void **state)
{
	struct world *w = *state;
	unsigned char buf[BLOCK];

	w->want.behind_end = false;
	assert_int_equal(find(w), 0);
	w->want.behind_end = true;
	assert_int_equal(ftruncate(w->want.fd, 2 * BLOCK + 1025), 0);
	assert_int_equal(find(w), 0);
	assert_int_equal(ftruncate(w->want.fd, 2 * BLOCK), 0);
	assert_int_equal(find(w), 0);
	assert_null(w->answer.reason);
	assert_int_equal(ftruncate(w->want.fd, 2 * BLOCK + TAIL), 0);
	assert_int_equal(find(w), 1);
	assert_int_equal(close(w->want.fd), 0);
	assert_int_equal(pme_donor_media.read(&w->answer.donor, &w->want, 2 * BLOCK, 1, buf),
			 -EBADF);
	w->want.fd = -1;
}

static void what_cannot_be_read_is_said(void **state)
{
	struct world *w = *state;

	read_error = -EIO;
	assert_int_equal(find(w), 0);
	assert_non_null(strstr(w->answer.reason, "before the end of the file cannot be read"));
	read_error = 0;
	open_error = -EAGAIN;
	assert_int_equal(find(w), 0);
	assert_non_null(w->answer.reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_still_reads_is_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_where_something_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_said, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
