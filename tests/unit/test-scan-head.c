/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/scan-head.c: what is read, and what is believed, when the block map, the reverse map, the
 * file and the lists say what they may say.
 *
 * All of these are played, wrapped by the linker: one block of the map is read, at MAP, which says
 * that the file begins at HEAD.
 */
#include "scan-head.h"

#include "check.h"
#include "copies.h"
#include "media.h"
#include "xfs-bmap.h"
#include "xfs-head.h"

#define BLOCK 1024U
#define MAP (41ULL * BLOCK) /* within the 4096 bytes from block 40 on */
#define HEAD (80ULL * BLOCK)
#define SIZE 4096U
#define FD 5
#define MEDIA 99 /* an open descriptor is not needed: it is closed in vain */

struct play {
	const char *type;
	enum pme_fs_role role;
	bool near, without_rmap, zoned;
	int open_error, map_error, head_error;
	struct pme_range place; /* of the first extent */
	int cached[3];		/* at the first, second, third question */
	int at[2], has_map;
	int64_t ctime[2];
	uint64_t size[2]; /* of the file */
	struct pme_range bad, doubt;
};

static struct play play;
static size_t n_cached, n_at, n_stats, n_map_reads, n_head_reads;

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev);
int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset);
int __wrap_pme_os_is_cached(int fd, uint64_t start, uint64_t length);
int __wrap_pme_os_fstat(int fd, struct stat *ret);
int __wrap_pme_xfs_geo_read(int fd, struct pme_xfs_geo *ret);
bool __wrap_pme_xfs_head_is_far(int fd);
int __wrap_pme_xfs_head_is_at(const struct pme_xfs_asked *asked, struct pme_range place);
int __wrap_pme_xfs_head_has_map(const struct pme_xfs_asked *asked, struct pme_range place);
int __wrap_pme_xfs_bmap_first(const struct pme_xfs_geo *geo, const struct pme_reader *reader,
			      const struct pme_xfs_inode *inode, struct pme_range *ret);
int __wrap_pme_missing_of(struct pme_stack *stack, const struct pme_dev *dev,
			  struct pme_range range, struct pme_missing *ret);

int __wrap_pme_media_open(const struct pme_topo *topo, const struct pme_dev *dev)
{
	(void)topo;
	assert_string_equal(dev->name, "main");
	return play.open_error ? play.open_error : MEDIA;
}

int __wrap_pme_media_read(int fd, void *buf, size_t size, uint64_t offset)
{
	assert_int_equal(fd, MEDIA);
	if (offset == MAP) {
		n_map_reads++;
		return play.map_error;
	}
	assert_int_equal(offset, HEAD);
	assert_int_equal(size, SIZE);
	assert_int_equal(n_at, 1); /* not before it was asked about */
	n_head_reads++;
	memset(buf, 'x', size);
	return play.head_error;
}

int __wrap_pme_os_is_cached(int fd, uint64_t start, uint64_t length)
{
	assert_int_equal(fd, FD);
	assert_int_equal(start, 0);
	assert_int_equal(length, SIZE);
	assert_true(n_cached < 3);
	return play.cached[n_cached++];
}

int __wrap_pme_os_fstat(int fd, struct stat *ret)
{
	assert_int_equal(fd, FD);
	*ret = (struct stat){.st_size = (off_t)play.size[n_stats]};
	ret->st_ctim.tv_nsec = play.ctime[n_stats++];
	return 0;
}

int __wrap_pme_xfs_geo_read(int fd, struct pme_xfs_geo *ret)
{
	assert_int_equal(fd, FD);
	*ret = (struct pme_xfs_geo){
		.block_size = BLOCK,
		.size = 1000 * BLOCK,
		.has_rmap = !play.without_rmap,
		.is_zoned = play.zoned,
	};
	return 0;
}

bool __wrap_pme_xfs_head_is_far(int fd)
{
	assert_int_equal(fd, FD);
	return !play.near;
}

int __wrap_pme_xfs_head_is_at(const struct pme_xfs_asked *asked, struct pme_range place)
{
	assert_int_equal(asked->fd, FD);
	assert_int_equal(asked->dev, 7);
	assert_int_equal(asked->ino, 131);
	assert_int_equal(place.start, HEAD);
	assert_int_equal(place.length, SIZE);
	return play.at[n_at++];
}

int __wrap_pme_xfs_head_has_map(const struct pme_xfs_asked *asked, struct pme_range place)
{
	(void)asked;
	assert_int_equal(place.start, MAP);
	assert_int_equal(place.length, BLOCK);
	return play.has_map;
}

int __wrap_pme_xfs_bmap_first(const struct pme_xfs_geo *geo, const struct pme_reader *reader,
			      const struct pme_xfs_inode *inode, struct pme_range *ret)
{
	char block[BLOCK];
	int r = reader->read(reader->arg, block, geo->block_size, MAP);

	assert_int_equal(inode->ino, 131);
	assert_int_equal(inode->gen, 9);
	*ret = play.place;
	return r;
}

int __wrap_pme_missing_of(struct pme_stack *stack, const struct pme_dev *dev,
			  struct pme_range range, struct pme_missing *ret)
{
	struct pme_range part;

	(void)stack;
	assert_string_equal(dev->name, "main");
	if (pme_range_intersect(range, play.bad, &part))
		assert_int_equal(pme_range_list_add(&ret->bad, part.start, part.length), 0);
	if (pme_range_intersect(range, play.doubt, &part))
		assert_int_equal(pme_range_list_add(&ret->doubt, part.start, part.length), 0);
	return 0;
}

static const struct play normal = {
	.type = "xfs",
	.place = {HEAD, 2 * SIZE},
	.at = {1, 1},
	.ctime = {3, 3},
	.size = {1 << 20, 1 << 20},
};

static int look(void)
{
	char name[] = "main", buf[SIZE];
	const struct pme_dev dev = {.name = name, .devno = 7, .size = 1000 * BLOCK};
	const struct pme_fs fs = {.type = play.type, .role = play.role, .main = &dev, .dev = &dev};
	const struct pme_file file = {.inode = 131, .generation = 9};
	struct pme_dev below = {.name = (char[]){"below"}};
	struct pme_scan scan = {0};
	const struct pme_scan_head head = {&scan, &fs, &file, FD};
	int r;

	n_cached = n_at = n_stats = n_map_reads = n_head_reads = 0;
	assert_int_equal(pme_stack_add_bad(&scan.stack, &below, (struct pme_range){0, 512}), 0);
	r = pme_scan_head_read(&head, sizeof(buf), buf);
	pme_stack_done(&scan.stack);
	return r;
}

/* Where no other device has a list, that of the device itself says all. */
static void test_own_list(void **state)
{
	struct pme_dev main = {.name = (char[]){"main"}};
	const struct pme_fs fs = {.main = &main};
	struct pme_scan scan = {0};

	(void)state;
	play = normal;
	assert_int_equal(pme_scan_head_is_bad(&scan, &fs, (struct pme_range){0, 4096}), 0);
	assert_int_equal(pme_stack_add_bad(&scan.stack, &main, (struct pme_range){8192, 512}), 0);
	pme_stack_seal_bad(&scan.stack);
	assert_int_equal(pme_scan_head_is_bad(&scan, &fs, (struct pme_range){4096, 4096}), 0);
	assert_int_equal(pme_scan_head_is_bad(&scan, &fs, (struct pme_range){4096, 4097}), 1);
	pme_stack_done(&scan.stack);
}

/* Also beside a page that is bad. */
static void test_read(void **state)
{
	(void)state;
	play = normal;
	assert_int_equal(look(), 1);
	assert_int_equal(n_map_reads, 1);
	assert_int_equal(n_head_reads, 1);
	assert_int_equal(n_at, 2);
	play.place.length = SIZE;
	play.bad = (struct pme_range){HEAD + SIZE, SIZE};
	assert_int_equal(look(), 1);
}

static void check_untouched(void)
{
	assert_int_equal(look(), -EAGAIN);
	assert_int_equal(n_map_reads + n_head_reads, 0);
	play = normal;
}

static void test_not_for_it(void **state)
{
	(void)state;
	play = normal;
	play.type = "ext4";
	check_untouched();
	play.role = PME_FS_REALTIME;
	check_untouched();
	play.near = true;
	check_untouched();
	play.without_rmap = true;
	check_untouched();
	play.zoned = true;
	check_untouched();
	play.cached[0] = 1;
	check_untouched();
	play.cached[0] = -ENOSYS;
	check_untouched();
	play.open_error = -EAGAIN;
	check_untouched();
	play.open_error = -EACCES;
	check_untouched();
	play.open_error = -ENOMEM;
	assert_int_equal(look(), -ENOMEM);
}

/* Nothing stands that is not so both times. */
static void test_not_sure(void **state)
{
	static const struct {
		struct play play;
		size_t head_reads;
	} cases[] = {
		{{.at = {0, 1}}, 0},
		{{.at = {-EPERM, 1}}, 0},
		{{.at = {1, 0}}, 1},
		{{.at = {1, -EIO}}, 1},
		{{.at = {1, 1}, .cached = {0, 1, 0}}, 0},
		{{.at = {1, 1}, .cached = {0, 0, 1}}, 1},
		{{.at = {1, 1}, .ctime = {3, 4}}, 1},
		{{.at = {1, 1}, .size = {SIZE - 1, SIZE - 1}}, 0},
		{{.at = {1, 1}, .size = {SIZE, SIZE + 1}}, 1},
		{{.at = {1, 1}, .place = {HEAD, SIZE - BLOCK}}, 0},
		{{.at = {1, 1}, .map_error = -EIO}, 0},
		{{.at = {1, 1}, .head_error = -EINVAL}, 1},
	};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		play = cases[i].play;
		play.type = normal.type;
		if (play.place.length == 0)
			play.place = normal.place;
		if (play.size[0] == 0)
			memcpy(play.size, normal.size, sizeof(play.size));
		assert_int_equal(look(), -EAGAIN);
		assert_int_equal(n_head_reads, cases[i].head_reads);
	}
}

/* A block of the map, or the page around it, in a list: not read; the file neither, if it is. */
static void test_bad_map(void **state)
{
	(void)state;
	for (int doubt = 0; doubt < 2; doubt++) {
		struct pme_range *list = doubt ? &play.doubt : &play.bad;

		play = normal;
		*list = (struct pme_range){MAP + 512, 512};
		assert_int_equal(look(), -EAGAIN); /* an old one, of others */
		assert_int_equal(n_map_reads, 0);
		play.has_map = 1;
		assert_int_equal(look(), 0);
		assert_int_equal(n_map_reads, 0);
		play.has_map = -ENOMEM;
		assert_int_equal(look(), -ENOMEM);
		play.has_map = 1;
		*list = (struct pme_range){MAP - BLOCK, BLOCK}; /* beside it */
		assert_int_equal(look(), -EAGAIN);
		assert_int_equal(n_map_reads, 0);
	}
}

static void test_bad_head(void **state)
{
	(void)state;
	for (int doubt = 0; doubt < 2; doubt++) {
		play = normal;
		*(doubt ? &play.doubt : &play.bad) = (struct pme_range){HEAD + SIZE - 512, 512};
		assert_int_equal(look(), 0);
		assert_int_equal(n_head_reads, 0);
	}
	play = normal;
	play.head_error = -EIO; /* in no list yet */
	assert_int_equal(look(), 0);
	assert_int_equal(n_head_reads, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_list),   cmocka_unit_test(test_read),
		cmocka_unit_test(test_not_for_it), cmocka_unit_test(test_not_sure),
		cmocka_unit_test(test_bad_map),	   cmocka_unit_test(test_bad_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
