/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/donor-diverged.c: a file that lost its block 3, and others that share blocks with it, on a
 * made-up XFS that says where each has its blocks.  Which of them is offered, and for which bytes?
 */
#include "donor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"
#include "extent.h"
#include "tree.h"
#include "xfs-fsmap.h"
#include "xfs-inode.h"

#define BLOCK 4096ULL
#define FILES 4	   /* play.files[0] is the one that lost something */
#define BLOCKS 300 /* of a file at most */
#define INODE 131  /* of files[0]; those behind it have the next numbers */
#define LOST 3	   /* block of it */
#define BAD 1000   /* block of the device where it lies */
#define FAR 256	   /* blocks that are looked at on each side */

struct played {
	uint64_t at[BLOCKS]; /* block of the device, 0: a hole */
	struct pme_xfs_inode inode;
	bool on_bad, unread, attribute; /* its blocks are of another fork */
	int fd;
};

static struct {
	struct played files[FILES];
	struct pme_fs fs;
	int map_error;
	unsigned int asked;
} play;

int __wrap_pme_extents_read(int fd, struct pme_range range, struct pme_extents *ret);
int __wrap_pme_xfs_fsmap_read(int fd, dev_t dev, struct pme_range window,
			      struct pme_xfs_records *ret);
int __wrap_pme_xfs_fsmap_pieces(const struct pme_xfs_records *records, struct pme_range bad,
				uint64_t rest, struct pme_xfs_pieces *ret);
int __wrap_pme_xfs_inode_stat(int fd, struct pme_xfs_inode *inode);
int __wrap_pme_xfs_inode_open(int fd, uint64_t ino, uint32_t gen, int flags);
int __wrap_pme_donor_on_bad(const struct pme_want *want, int fd, struct pme_range range,
			    char **ret_reason);
int __real_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);
int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset);

static struct played *file_of(int fd)
{
	struct stat st, other;

	assert_int_equal(fstat(fd, &st), 0);
	for (size_t i = 0; i < FILES; i++)
		if (play.files[i].fd >= 0 && fstat(play.files[i].fd, &other) == 0 &&
		    other.st_ino == st.st_ino)
			return &play.files[i];
	fail();
	return NULL;
}

static bool is_shared(const struct played *file, uint64_t at)
{
	for (size_t i = 0; i < FILES; i++)
		for (size_t b = 0; &play.files[i] != file && b < BLOCKS; b++)
			if (play.files[i].at[b] == at)
				return true;
	return false;
}

/* Each block is an extent of its own. */
int __wrap_pme_extents_read(int fd, struct pme_range range, struct pme_extents *ret)
{
	const struct played *file = file_of(fd);

	play.asked++;
	assert_true(range.start < BLOCKS * BLOCK); /* no place before the first byte */
	for (uint64_t b = range.start / BLOCK; b * BLOCK < pme_range_end(range) && b < BLOCKS;
	     b++) {
		assert_int_equal(
			pme_grow(&ret->items, &ret->alloc, ret->count, sizeof(*ret->items)), 0);
		ret->items[ret->count++] = (struct pme_extent){
			.range = {b * BLOCK, BLOCK},
			.state = file->at[b] ? PME_EXTENT_DATA : PME_EXTENT_HOLE,
			.device_start = file->at[b] * BLOCK,
			.shared = file->at[b] && is_shared(file, file->at[b]),
		};
	}
	return 0;
}

int __wrap_pme_xfs_fsmap_read(int fd, dev_t dev, struct pme_range window,
			      struct pme_xfs_records *ret)
{
	(void)fd;
	(void)ret;
	assert_int_equal(dev, play.fs.main->devno);
	assert_int_equal(window.start % BLOCK + window.length % BLOCK, 0);
	return play.map_error;
}

int __wrap_pme_xfs_fsmap_pieces(const struct pme_xfs_records *records, struct pme_range bad,
				uint64_t rest, struct pme_xfs_pieces *ret)
{
	(void)records;
	(void)rest;
	for (size_t i = 0; i < FILES; i++) {
		for (uint64_t b = 0; b < BLOCKS; b++) {
			struct pme_range place = {play.files[i].at[b] * BLOCK, BLOCK};
			const struct pme_xfs_piece piece = {
				.range = place,
				.owner = INODE + i,
				.offset = b * BLOCK,
				.flags = play.files[i].attribute ? FMR_OF_ATTR_FORK : 0,
			};

			if (place.start && pme_range_intersect(place, bad, &place))
				assert_int_equal(pme_xfs_pieces_add(ret, &piece), 0);
		}
	}
	return 0;
}

int __wrap_pme_xfs_inode_stat(int fd, struct pme_xfs_inode *inode)
{
	(void)fd;
	assert_true(inode->ino > INODE && inode->ino < INODE + FILES); /* never of itself */
	*inode = play.files[inode->ino - INODE].inode;
	return 0;
}

int __wrap_pme_xfs_inode_open(int fd, uint64_t ino, uint32_t gen, int flags)
{
	const struct played *file = &play.files[ino - INODE];

	(void)fd;
	assert_int_equal(gen, file->inode.gen);
	assert_true(flags & O_NONBLOCK);
	return dup(file->fd);
}

int __wrap_pme_donor_on_bad(const struct pme_want *want, int fd, struct pme_range range,
			    char **ret_reason)
{
	(void)want;
	(void)range;
	*ret_reason = file_of(fd)->on_bad ? strdup("bad") : NULL;
	return file_of(fd)->on_bad;
}

int __wrap_pme_os_pread(int fd, void *buf, size_t size, uint64_t offset)
{
	assert_false(file_of(fd)->on_bad);
	return file_of(fd)->unread ? -EIO : __real_pme_os_pread(fd, buf, size, offset);
}

/* ---- the world ---- */

struct world {
	struct tree tree;
	struct pme_dev dev;
	struct pme_file file;
	struct pme_want want;
	struct pme_donor donor;
};

/* Blocks 0 to 7 with the number of the file and the block in each byte. */
static void make_file(struct world *w, size_t i)
{
	_cleanup_free_ char *path = pme_printf("srv/%zu", i);
	struct played *file = &play.files[i];
	char bytes[BLOCK];

	tree_file(&w->tree, path, "");
	file->fd = pme_os_open(&w->tree.os, path, O_RDWR);
	assert_true(file->fd >= 0);
	for (uint64_t b = 0; b < 8; b++) {
		memset(bytes, (int)(i * 16 + b), sizeof(bytes));
		assert_int_equal(pwrite(file->fd, bytes, BLOCK, (off_t)(b * BLOCK)), BLOCK);
	}
	file->inode = (struct pme_xfs_inode){
		.ino = INODE + i, .gen = 5, .nlink = 2, .mode = S_IFREG | 0640, .size = 8 * BLOCK};
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	memset(&play, 0, sizeof(play));
	tree_init(&w->tree);
	for (size_t i = 0; i < FILES; i++)
		make_file(w, i);
	for (uint64_t b = 0; b < 8; b++)
		play.files[0].at[b] = b == LOST ? BAD : 100 + b;
	w->dev = (struct pme_dev){.name = (char *)"pmem0", .devno = 77};
	play.fs = (struct pme_fs){.type = "xfs", .dev = &w->dev, .main = &w->dev};
	w->file = (struct pme_file){.inode = INODE};
	w->want = (struct pme_want){
		.fs = &play.fs,
		.root = w->tree.os.root,
		.fd = play.files[0].fd,
		.file = &w->file,
		.range = {LOST * BLOCK, BLOCK},
		.device_start = BAD * BLOCK,
	};
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	pme_donor_done(&w->donor);
	for (size_t i = 0; i < FILES; i++)
		close(play.files[i].fd);
	tree_done(&w->tree);
	free(w);
	return 0;
}

/*
 * The file @i is a copy of the first as it was, its block 0 at block @shift (which may be
 * negative); @own has come to stand for the lost one.
 */
static void make_copy(size_t i, int shift, uint64_t own)
{
	for (int b = 0; b < 8; b++)
		if (b + shift >= 0)
			play.files[i].at[b + shift] = b == LOST ? own : 100 + (uint64_t)b;
}

static int find(struct world *w)
{
	char *reason = NULL;
	int r;

	pme_donor_done(&w->donor);
	w->donor.kind = &pme_donor_diverged;
	r = pme_donor_diverged.find(&w->want, &w->tree.log, &w->donor, &reason);
	free(reason);
	return r;
}

/* Found in the file @i, at its block @block. */
static void expect(struct world *w, size_t i, int block)
{
	unsigned char buf[BLOCK];

	assert_int_equal(find(w), 1);
	assert_int_equal(w->donor.file->inode, INODE + i);
	assert_int_equal(pme_donor_diverged.read(&w->donor, &w->want, LOST * BLOCK, BLOCK, buf), 0);
	for (size_t at = 0; at < BLOCK; at++)
		assert_int_equal(buf[at], (int)i * 16 + block);
}

static void a_copy_that_went_its_own_way(void **state)
{
	const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 77, .tv_nsec = 5999}};
	struct world *w = *state;
	unsigned char byte;

	assert_int_equal(find(w), 0);
	make_copy(1, 0, 103);
	assert_int_equal(futimens(play.files[1].fd, times), 0);
	expect(w, 1, LOST);
	assert_true(pme_donor_diverged.never_proven);
	assert_int_equal(w->donor.proof, PME_PROOF_NONE);
	assert_int_equal(w->donor.taken, 77000005);
	assert_null(w->donor.path); /* names are looked for when all donors are known */
	assert_string_equal(w->donor.detail,
			    "a reflinked copy, inode 132, that has other blocks there");
	assert_int_equal(w->donor.file->devno, 77);
	assert_int_equal(w->donor.file->generation, 5);
	assert_int_equal(w->donor.file->nlink, 2);
	assert_int_equal(w->donor.file->size, 8 * BLOCK);
	assert_int_equal(pme_donor_diverged.read(&w->donor, &w->want, LOST * BLOCK - 1, 1, &byte),
			 -ERANGE);
}

static void at_another_byte(void **state)
{
	struct world *w = *state;

	make_copy(1, -2, 103);
	expect(w, 1, LOST - 2);
	assert_non_null(strstr(w->donor.detail, ", at another byte"));
	memset(play.files[1].at, 0, sizeof(play.files[1].at));
	make_copy(1, 4, 103);
	expect(w, 1, LOST + 4);
	/* what stands behind is at its beginning: there is nothing before */
	memset(play.files[1].at, 0, sizeof(play.files[1].at));
	make_copy(1, -4, 103);
	assert_int_equal(find(w), 0);
}

/* One neighbour is enough, on either side; not farther than 1 MiB. */
static void neighbours_lead_there(void **state)
{
	static const struct {
		uint64_t block;
		bool found;
	} cases[] = {{0, true},
		     {LOST - 1, true},
		     {LOST + 1, true},
		     {LOST + FAR, true},
		     {LOST + FAR + 1, false}};
	struct world *w = *state;

	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		uint64_t block = cases[i].block;

		play.files[0].at[block] = play.files[2].at[block] = 5000 + block;
		if (cases[i].found)
			expect(w, 2, LOST);
		else
			assert_int_equal(find(w), 0);
		play.files[2].at[block] = 0;
	}
	w->want.range.start = 0; /* nothing is before it */
	play.files[2].at[1] = play.files[0].at[1];
	assert_int_equal(find(w), 1);
}

/* Where it could be, another will do. */
static void others_are_passed_over(void **state)
{
	struct world *w = *state;
	struct played *first = &play.files[1];
	const struct pme_xfs_inode good = first->inode;

	make_copy(1, 0, BAD); /* it has the lost block itself */
	assert_int_equal(find(w), 0);
	make_copy(2, 0, 203);
	expect(w, 2, LOST);
	make_copy(1, 0, 103);
	expect(w, 1, LOST);
	first->on_bad = true;
	expect(w, 2, LOST);
	first->on_bad = false;
	first->unread = true;
	expect(w, 2, LOST);
	first->unread = false;
	first->attribute = true;
	expect(w, 2, LOST);
	first->attribute = false;
	first->inode.internal = true;
	expect(w, 2, LOST);
	first->inode = good;
	first->inode.is_realtime = true;
	expect(w, 2, LOST);
	first->inode = good;
	first->inode.error = -EIO;
	expect(w, 2, LOST);
	first->inode = good;
	first->inode.mode = S_IFIFO | 0600;
	expect(w, 2, LOST);
	first->inode = good;
	expect(w, 1, LOST);
}

static void it_must_be_long_enough(void **state)
{
	struct world *w = *state;

	make_copy(1, 0, 103);
	assert_int_equal(ftruncate(play.files[1].fd, (LOST + 1) * BLOCK - 1), 0);
	assert_int_equal(find(w), 0);
	assert_int_equal(ftruncate(play.files[1].fd, (LOST + 1) * BLOCK), 0);
	assert_int_equal(find(w), 1);
	/* of the lost file only so much is before its end */
	assert_int_equal(ftruncate(play.files[0].fd, LOST * BLOCK + 100), 0);
	assert_int_equal(ftruncate(play.files[1].fd, LOST * BLOCK + 99), 0);
	assert_int_equal(find(w), 0);
	assert_int_equal(ftruncate(play.files[1].fd, LOST * BLOCK + 100), 0);
	assert_int_equal(find(w), 1);
	assert_int_equal(ftruncate(play.files[0].fd, LOST * BLOCK), 0);
	assert_int_equal(find(w), 0);
}

static void only_xfs_is_asked(void **state)
{
	struct world *w = *state;

	make_copy(1, 0, 103);
	play.fs.type = "ext4";
	assert_int_equal(find(w), 0);
	play.fs.type = "xfs";
	play.fs.role = PME_FS_REALTIME;
	assert_int_equal(find(w), 0);
	assert_int_equal(play.asked, 0);
	play.fs.role = PME_FS_DATA;
	play.map_error = -EOPNOTSUPP; /* no reverse map */
	assert_int_equal(find(w), -EOPNOTSUPP);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_copy_that_went_its_own_way), CASE(at_another_byte),
		CASE(neighbours_lead_there),	    CASE(others_are_passed_over),
		CASE(it_must_be_long_enough),	    CASE(only_xfs_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
