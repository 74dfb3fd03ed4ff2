/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/xfs-bmap.c: an inode with a B+tree of two levels below it, and the same with one thing wrong
 * at a time.
 */
#include "xfs-bmap.h"

#include "check.h"

#define SIZE 1024U
#define BLOCKS 70 /* of the filesystem; of these are in memory: */
#define BLOCKS_READ 8
#define AT(block) ((block)*SIZE)
#define FORK_SIZE 160 /* bytes of the data fork, with an attribute fork behind it */

struct patch {
	size_t at;
	unsigned int bytes;
	uint64_t value;
};

/* Where things are in these; of the version 2 in the middle row. */
enum version { V3, V2, V3_ATTR };
static const struct form {
	uint64_t ino;
	uint32_t inode_size;
	unsigned int agino_bits;
	size_t core, fork, header;
} forms[] = {
	[V3] = {2, 512, 6, 176, 512 - 176, 72},
	[V2] = {4, 256, 7, 100, 256 - 100, 24},
	[V3_ATTR] = {2, 512, 6, 176, FORK_SIZE, 72},
};

static unsigned char image[AT(BLOCKS_READ)];
static size_t n_reads;

static void put(size_t at, unsigned int bytes, uint64_t value)
{
	for (unsigned int i = 0; i < bytes; i++)
		image[at + i] = (unsigned char)(value >> 8 * (bytes - 1 - i));
}

/* Without its pointer or record. */
static void put_block(const struct form *form, unsigned int block, unsigned int level)
{
	bool is_v3 = form->core == 176;

	put(AT(block), 4, is_v3 ? 0x424d4133 : 0x424d4150);
	put(AT(block) + 4, 2, level);
	put(AT(block) + 6, 2, 2);
	put(AT(block) + 8, 8, UINT64_MAX);
	put(AT(block) + 16, 8, 5);
	if (!is_v3)
		return;
	put(AT(block) + 24, 8, AT(block) / 512);
	put(AT(block) + 56, 8, form->ino);
}

static size_t pointer_of_node(const struct form *form)
{
	return AT(2) + form->header + (SIZE - form->header) / 16 * 8;
}

static size_t pointer_of_root(const struct form *form)
{
	return AT(1) + form->core + 4 + (form->fork - 4) / 16 * 8;
}

/* The inode in block 1, a node in 2, a leaf in 3, whose first record says: block 9, four blocks. */
static void make(const struct form *form)
{
	memset(image, 0, sizeof(image));
	put(AT(1), 2, 0x494e);
	put(AT(1) + 4, 1, form->core == 176 ? 3 : 2);
	put(AT(1) + 5, 1, 3);
	put(AT(1) + 82, 1, form->fork == FORK_SIZE ? FORK_SIZE / 8 : 0);
	put(AT(1) + 92, 4, 7);
	if (form->core == 176)
		put(AT(1) + 152, 8, form->ino);
	put(AT(1) + form->core, 2, 2);
	put(AT(1) + form->core + 2, 2, 1);
	put(pointer_of_root(form), 8, 2);
	put_block(form, 2, 1);
	put(pointer_of_node(form), 8, 3);
	put_block(form, 3, 0);
	put(AT(3) + form->header + 8, 8, 9 << 21 | 4);
}

static int read_image(void *arg, void *buf, size_t size, uint64_t offset)
{
	(void)arg;
	n_reads++;
	if (offset > sizeof(image) || size > sizeof(image) - offset)
		return -EIO;
	memcpy(buf, image + offset, size);
	return 0;
}

static int look(const struct form *form, struct pme_range *ret)
{
	const struct pme_xfs_geo geo = {
		.block_size = SIZE,
		.inode_size = form->inode_size,
		.ag_blocks = 24,
		.ag_count = 3,
		.agino_bits = form->agino_bits,
		.size = AT(BLOCKS),
	};
	const struct pme_xfs_inode inode = {.ino = form->ino, .gen = 7};
	const struct pme_reader reader = {.read = read_image, .size = geo.size};

	n_reads = 0;
	return pme_xfs_bmap_first(&geo, &reader, &inode, ret);
}

static void test_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(forms); i++) {
		struct pme_range place;

		make(&forms[i]);
		assert_int_equal(look(&forms[i], &place), 0);
		assert_int_equal(place.start, AT(9));
		assert_int_equal(place.length, AT(4));
		assert_int_equal(n_reads, 3);
	}
}

/* Block 3 of AG 2 is block 51; a number has 5 bits for the block in its AG. */
static void test_group(void **state)
{
	const struct form *form = &forms[V3];
	struct pme_range place;

	(void)state;
	make(form);
	put(AT(3) + form->header + 8, 8, (2ULL << 5 | 3) << 21 | 1);
	assert_int_equal(look(form, &place), 0);
	assert_int_equal(place.start, AT(51));
	assert_int_equal(place.length, AT(1));
}

static void test_refused(void **state)
{
	static const struct {
		struct patch patch;
		int error;
	} cases[] = {
		{{AT(1), 2, 0x494f}, -EUCLEAN},
		{{AT(1) + 4, 1, 1}, -EUCLEAN}, /* version */
		{{AT(1) + 4, 1, 4}, -EUCLEAN},
		{{AT(1) + 5, 1, 2}, -EUCLEAN},	 /* format: extents */
		{{AT(1) + 82, 1, 42}, -EUCLEAN}, /* a fork as long as its room */
		{{AT(1) + 82, 1, 255}, -EUCLEAN},
		{{AT(1) + 82, 1, 2}, -EUCLEAN},	 /* a fork without room for a pointer */
		{{AT(1) + 92, 4, 8}, -EUCLEAN},	 /* generation */
		{{AT(1) + 152, 8, 3}, -EUCLEAN}, /* number */
		{{AT(1) + 176, 2, 0}, -EUCLEAN}, /* level of the root */
		{{AT(1) + 176, 2, 1}, -EUCLEAN},
		{{AT(1) + 176, 2, 9}, -EUCLEAN},
		{{AT(1) + 178, 2, 0}, -EUCLEAN}, /* keys of the root */
		{{AT(1) + 178, 2, 21}, -EUCLEAN},
		{{AT(2), 4, 0x424d4150}, -EUCLEAN}, /* the other version */
		{{AT(2) + 4, 2, 0}, -EUCLEAN},	    /* level */
		{{AT(2) + 4, 2, 2}, -EUCLEAN},
		{{AT(2) + 6, 2, 0}, -EUCLEAN}, /* keys */
		{{AT(2) + 6, 2, 60}, -EUCLEAN},
		{{AT(2) + 8, 8, 4}, -EUCLEAN},			     /* something to the left */
		{{AT(2) + 24, 8, 6}, -EUCLEAN},			     /* written for another place */
		{{AT(2) + 56, 8, 3}, -EUCLEAN},			     /* and for another file */
		{{AT(3) + 72, 8, 1ULL << 63}, -ENODATA},	     /* unwritten */
		{{AT(3) + 72, 8, 1 << 9}, -ENODATA},		     /* of the second block on */
		{{AT(3) + 80, 8, 9 << 21}, -EUCLEAN},		     /* of no length */
		{{AT(3) + 80, 8, 4}, -EUCLEAN},			     /* block 0 */
		{{AT(3) + 80, 8, 24 << 21 | 1}, -EUCLEAN},	     /* between two AGs */
		{{AT(3) + 80, 8, 96 << 21 | 1}, -EUCLEAN},	     /* AG 3 */
		{{AT(3) + 80, 8, (64ULL + 21) << 21 | 2}, -EUCLEAN}, /* across the end */
		{{AT(3) + 80, 8, 9 << 21 | 0x1fffff}, -EUCLEAN},
		{{AT(3) + 72, 8, 0x1ff}, -EUCLEAN},
	};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++) {
		struct pme_range place;

		make(&forms[V3]);
		put(cases[i].patch.at, cases[i].patch.bytes, cases[i].patch.value);
		assert_int_equal(look(&forms[V3], &place), cases[i].error);
		assert_in_range(n_reads, 1, 3);
	}
}

/* Of the root and of the node. */
static void test_pointers(void **state)
{
	static const struct {
		uint64_t value;
		int error;
	} cases[] = {
		{0, -EUCLEAN},
		{UINT64_MAX, -EUCLEAN},
		{24, -EUCLEAN},
		{2ULL << 5 | 22, -EUCLEAN},
		{3ULL << 5, -EUCLEAN},
		{1ULL << 52, -EUCLEAN},
		{1, -EUCLEAN},
		{4, -EUCLEAN},
		{10, -EIO}, /* cannot be read */
	};
	const struct form *form = &forms[V3];
	const size_t pointers[] = {pointer_of_root(form), pointer_of_node(form)};

	(void)state;
	for (size_t i = 0; i < PME_ARRAY_SIZE(cases); i++)
		for (size_t k = 0; k < PME_ARRAY_SIZE(pointers); k++) {
			struct pme_range place;

			make(form);
			put(pointers[k], 8, cases[i].value);
			assert_int_equal(look(form, &place), cases[i].error);
		}
}

static void test_wild_inode(void **state)
{
	struct form form = forms[V3];
	struct pme_range place;

	(void)state;
	make(&form);
	form.ino = 3ULL << form.agino_bits;
	assert_int_equal(look(&form, &place), -EUCLEAN);
	form.ino = UINT64_MAX;
	assert_int_equal(look(&form, &place), -EUCLEAN);
	form.ino = (2ULL << form.agino_bits) + 2 * 22;
	assert_int_equal(look(&form, &place), -EUCLEAN);
	assert_int_equal(n_reads, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),	   cmocka_unit_test(test_group),
		cmocka_unit_test(test_refused),	   cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_wild_inode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
