/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/donor-file.c: which files that a user may name are taken, and what is said of the others;
 * nothing is ever proved by them.
 */
#include "donor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"
#include "donor-answer.h"
#include "tree.h"

#define BLOCK 4096
#define SIZE 10000 /* of the file that lost something */

static struct {
	bool on_bad;
	int error; /* of reading */
} play;

int __real_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);
int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);
int __wrap_pme_donor_on_bad(const struct pme_want *want, int fd, struct pme_range range,
			    char **ret_reason);

int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	assert_false(play.on_bad); /* then it must not be read */
	return play.error ? play.error : __real_pme_os_pread(fd, buf, size, offset);
}

int __wrap_pme_donor_on_bad(const struct pme_want *want, int fd, struct pme_range range,
			    char **ret_reason)
{
	assert_true(fd >= 0 && fd != want->fd);
	assert_int_equal(range.start, want->range.start);
	assert_true(pme_range_end(range) <= SIZE);
	if (play.on_bad)
		*ret_reason = strdup("bad itself");
	return play.on_bad;
}

struct world {
	struct tree tree;
	struct pme_want want;
	struct answer answer;
};

static void make(struct world *w, const char *path, off_t size, char fill)
{
	_cleanup_close_ int fd = -1;
	char bytes[3 * BLOCK];

	memset(bytes, fill, sizeof(bytes));
	assert_true(size <= (off_t)sizeof(bytes));
	tree_file(&w->tree, path, "");
	fd = pme_os_open(&w->tree.os, path, O_RDWR);
	assert_int_equal(write(fd, bytes, (size_t)size), size);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	memset(&play, 0, sizeof(play));
	tree_init(&w->tree);
	make(w, "srv/lost", SIZE, 'l');
	w->want = (struct pme_want){
		.fd = pme_os_open(&w->tree.os, "srv/lost", O_RDWR),
		.range = {BLOCK, 2 * BLOCK}, /* over the end */
	};
	assert_true(w->want.fd >= 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	answer_forget(&w->answer);
	close(w->want.fd);
	tree_done(&w->tree);
	free(w);
	return 0;
}

/* The file @name of the tree is named; NULL: none. */
static int find(struct world *w, const char *name)
{
	_cleanup_free_ char *path = name ? pme_printf("%s/%s", w->tree.path, name) : NULL;
	int r;

	w->want.from = path;
	r = answer_ask(&w->answer, &pme_donor_file, &w->want, &w->tree.log);
	w->want.from = NULL;
	return r;
}

static void expect_none(struct world *w, const char *name, const char *why)
{
	_cleanup_free_ char *reason = pme_printf("%s/%s%s", w->tree.path, name, why);

	assert_int_equal(find(w, name), 0);
	assert_string_equal(w->answer.reason, reason);
}

static void nothing_is_named(void **state)
{
	struct world *w = *state;

	assert_int_equal(find(w, NULL), 0);
	assert_null(w->answer.reason);
	assert_true(pme_donor_file.never_proven);
}

static void a_file_is_taken_as_it_is(void **state)
{
	struct world *w = *state;
	const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 77, .tv_nsec = 5999}};
	char buf[SIZE - BLOCK], path[128];

	make(w, "srv/named", SIZE, 'n');
	assert_int_equal(utimensat(w->tree.os.root, "srv/named", times, 0), 0);
	assert_int_equal(find(w, "srv/named"), 1);
	assert_null(w->answer.reason);
	assert_int_equal(w->answer.donor.proof, PME_PROOF_NONE);
	assert_true(snprintf(path, sizeof(path), "%s/srv/named", w->tree.path) > 0);
	assert_string_equal(w->answer.donor.path, path);
	assert_int_equal(w->answer.donor.taken, 77000005);
	assert_null(w->answer.donor.detail);
	assert_null(w->answer.donor.file);
	assert_int_equal(pme_donor_holds(&w->answer.donor, &w->want), 1);
	/* it stays that file, whatever becomes of the name */
	assert_int_equal(unlinkat(w->tree.os.root, "srv/named", 0), 0);
	assert_int_equal(pme_donor_file.read(&w->answer.donor, &w->want, BLOCK, sizeof(buf), buf),
			 0);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 'n');
}

/* All that is wanted, and no byte less; what is behind the end of the lost file is not wanted. */
static void it_must_be_long_enough(void **state)
{
	struct world *w = *state;

	make(w, "srv/named", SIZE - 1, 'n');
	expect_none(w, "srv/named", " ends at byte 9999, before what is wanted");
	make(w, "srv/named", 0, 'n');
	expect_none(w, "srv/named", " ends at byte 0, before what is wanted");
	make(w, "srv/named", SIZE, 'n');
	assert_int_equal(find(w, "srv/named"), 1);
	make(w, "srv/named", SIZE + 1, 'n');
	assert_int_equal(find(w, "srv/named"), 1);
	/* of other bytes it need not have more */
	w->want.range = (struct pme_range){0, BLOCK};
	make(w, "srv/named", BLOCK, 'n');
	assert_int_equal(find(w, "srv/named"), 1);
	make(w, "srv/named", BLOCK - 1, 'n');
	expect_none(w, "srv/named", " ends at byte 4095, before what is wanted");
}

static void only_other_files_are_taken(void **state)
{
	struct world *w = *state;
	int root = w->tree.os.root;

	expect_none(w, "srv/none", " cannot be opened: No such file or directory");
	expect_none(w, "srv", " is not a regular file");
	assert_int_equal(mkfifoat(root, "srv/pipe", 0600), 0);
	expect_none(w, "srv/pipe", " is not a regular file"); /* and nobody waits for it */
	expect_none(w, "srv/lost", " is the very file that lost these bytes");
	assert_int_equal(linkat(root, "srv/lost", root, "srv/link", 0), 0);
	expect_none(w, "srv/link", " is the very file that lost these bytes");
	assert_int_equal(symlinkat("lost", root, "srv/symlink"), 0);
	expect_none(w, "srv/symlink", " is the very file that lost these bytes");
	assert_int_equal(symlinkat("circle", root, "srv/circle"), 0);
	expect_none(w, "srv/circle", " cannot be opened: Too many levels of symbolic links");
	expect_none(w, "srv/lost/x", " cannot be opened: Not a directory");
}

static void it_must_be_readable_there(void **state)
{
	struct world *w = *state;

	make(w, "srv/named", SIZE, 'n');
	play.on_bad = true;
	expect_none(w, "srv/named", ": bad itself");
	play.on_bad = false;
	play.error = -EIO;
	expect_none(w, "srv/named", " cannot be read there: Input/output error");
	play.error = -ENOMEM;
	assert_int_equal(find(w, "srv/named"), -ENOMEM);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(nothing_is_named),		 CASE(a_file_is_taken_as_it_is),
		CASE(it_must_be_long_enough),	 CASE(only_other_files_are_taken),
		CASE(it_must_be_readable_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
