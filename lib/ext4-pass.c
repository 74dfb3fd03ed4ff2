/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pass over the inode tables; see ext4-pass.h.
 *
 * Groups are shared by several threads.  Tables are read in long pieces.  When one cannot be read
 * it is tried again block by block, so that one bad sector costs the inodes of its block and no
 * others.
 */
#include "ext4-pass.h"

#include <endian.h>
#include <ext2fs/ext2fs.h>
#include <string.h>
#include <sys/stat.h>

#include "crew.h"
#include "os.h"

#define EXTENT_SIZE 12	      /* of an entry of an extent block, and of its header */
#define PIECE (256U << 10)    /* bytes read at once: longer is not faster */
#define MARKS_MAX (64U << 20) /* bytes; enough for 2^32 inodes */

/* What the threads share. */
struct passing {
	const struct pme_ext4_geo *geo;
	const struct pme_range_list *wanted;
	_Atomic size_t next;		 /* group */
	struct pme_ext4_candidates *ret; /* of all, with the lock of the crew */
};

/* One thread. */
struct pass {
	struct pme_ext4_checker checker; /* first */
	const struct pme_range_list *wanted;
	struct pme_range span; /* from the first to the last wanted byte */
	struct pme_reader reader;
	struct pme_ext4_candidates *ret;
	const struct pme_ext4_marks *marks; /* of all: no two threads have the same group */
	bool hit;			    /* the inode that is looked at */
	unsigned char *buf;
};

/*
 * struct ext4_extent_tail, behind the room for all entries.  The function of libext2fs for it reads
 * the inode for its generation, into a cache that threads may not share, and believes the header.
 */
bool pme_ext4_check_block(void *arg, const struct pme_ext4_inode *inode, const void *block)
{
	const struct pme_ext4_checker *checker = arg;
	const struct pme_ext4_geo *geo = checker->geo;
	const unsigned char *raw = block;
	uint32_t ino = htole32(inode->ino), gen = htole32(inode->gen), crc;
	size_t tail = EXTENT_SIZE + (size_t)(raw[4] | raw[5] << 8) * EXTENT_SIZE;

	if (!geo->has_csum)
		return true;
	if (tail > geo->block_size - sizeof(crc))
		return false;
	crc = ext2fs_crc32c_le(geo->fs->csum_seed, (const unsigned char *)&ino, sizeof(ino));
	crc = ext2fs_crc32c_le(crc, (const unsigned char *)&gen, sizeof(gen));
	return ext2fs_crc32c_le(crc, raw, tail) == pme_le32_at(raw + tail);
}

static bool is_wanted(const struct pass *pass, uint64_t block, uint64_t count)
{
	uint32_t size = pass->checker.geo->block_size;
	struct pme_range range = {block * size, count * size}, common;

	return pme_range_intersect(pass->span, range, &common) &&
	       pme_range_list_meets(pass->wanted, range);
}

static int take_run(void *arg, const struct pme_ext4_run *run)
{
	struct pass *pass = arg;

	pass->hit = pass->hit || is_wanted(pass, run->physical, run->count);
	return 0;
}

static bool is_dir(const unsigned char *raw)
{
	return S_ISDIR(raw[0] | (uint32_t)raw[1] << 8);
}

static void mark(const struct pass *pass, uint32_t ino)
{
	const struct pme_ext4_geo *geo = pass->checker.geo;
	uint32_t group = (ino - 1) / geo->inodes_per_group;
	uint64_t at = (uint64_t)((ino - 1) % geo->inodes_per_group) * geo->inode_size;
	uint64_t bit = at / geo->block_size;

	if (pass->marks->bits && ino > 0 && ino <= geo->inodes)
		pass->marks->bits[group * pass->marks->each + bit / 8] |=
			(unsigned char)(1U << bit % 8);
}

static int look_at(struct pass *pass, const unsigned char *raw, uint32_t ino)
{
	const struct pme_ext4_geo *geo = pass->checker.geo;
	const struct pme_ext4_map map = {
		.reader = &pass->reader,
		.block_size = geo->block_size,
		.blocks = geo->blocks,
		.take = take_run,
		.check = pme_ext4_check_block,
		.arg = pass,
	};
	struct pme_ext4_candidates *ret = pass->ret;
	struct pme_ext4_inode inode;
	int r;

	if ((raw[0] | raw[1]) == 0 && ino != PME_EXT4_BAD_INO) /* never used */
		return 0;
	if (is_dir(raw))
		mark(pass, ino);
	pme_ext4_inode_parse(raw, ino, geo->block_size, &inode);
	pass->hit = inode.xattr_block != 0 && inode.xattr_block < geo->blocks &&
		    is_wanted(pass, inode.xattr_block, 1);
	r = pme_ext4_map_walk(&map, &inode);
	if (r == -EIO || r == -EUCLEAN) {
		if (pme_ext4_geo_inode_used(geo, ino) == 0)
			return 0;
		ret->first_damaged = ret->damaged_maps++ ? ret->first_damaged : ino;
		r = 0;
	}
	if (r < 0 || !pass->hit)
		return r;
	r = pme_grow(&ret->inodes, &ret->alloc, ret->count, sizeof(*ret->inodes));
	if (r == 0)
		ret->inodes[ret->count++] = ino;
	return r;
}

/* The inodes in @size bytes of a table; the first has number @ino. */
static int look_through(struct pass *pass, size_t size, uint32_t ino)
{
	uint32_t inode_size = pass->checker.geo->inode_size;
	int r = 0;

	for (size_t at = 0; r == 0 && at + inode_size <= size; at += inode_size)
		r = look_at(pass, pass->buf + at, ino++);
	return r;
}

static int read_singly(struct pass *pass, uint64_t start, size_t size, uint32_t ino)
{
	const struct pme_ext4_geo *geo = pass->checker.geo;
	int r = 0;

	for (size_t done = 0; r == 0 && done < size; done += geo->block_size) {
		size_t part = pme_min(size - done, geo->block_size);
		uint32_t first = ino + (uint32_t)(done / geo->inode_size);

		if (pme_os_pread(*geo->fd, pass->buf, part, start + done) < 0)
			pass->ret->unread_blocks++;
		else
			r = look_through(pass, part, first);
	}
	return r;
}

static int read_table(struct pass *pass, uint32_t number, const struct pme_ext4_group *group)
{
	const struct pme_ext4_geo *geo = pass->checker.geo;
	uint64_t first = (uint64_t)number * geo->inodes_per_group + 1;
	uint64_t size = (uint64_t)group->used_inodes * geo->inode_size, part;
	uint64_t start = group->table * geo->block_size;
	int r = 0;

	for (uint64_t done = 0; r == 0 && done < size; done += part) {
		uint32_t ino = (uint32_t)(first + done / geo->inode_size);

		part = pme_min(size - done, PIECE);
		if (pme_os_pread(*geo->fd, pass->buf, part, start + done) == 0)
			r = look_through(pass, part, ino);
		else
			r = read_singly(pass, start + done, part, ino);
	}
	return r;
}

static int read_group(struct pass *pass, uint32_t number)
{
	struct pme_ext4_group group;

	if (pme_ext4_geo_group(pass->checker.geo, number, &group) < 0) {
		pass->ret->unread_blocks += pass->checker.geo->table_blocks;
		return 0;
	}
	return group.no_inodes ? 0 : read_table(pass, number, &group);
}

static int add_candidates(struct pme_ext4_candidates *all, const struct pme_ext4_candidates *more)
{
	if (more->damaged_maps > 0 &&
	    (all->damaged_maps == 0 || more->first_damaged < all->first_damaged))
		all->first_damaged = more->first_damaged;
	all->damaged_maps += more->damaged_maps;
	all->unread_blocks += more->unread_blocks;
	for (size_t i = 0; i < more->count; i++) {
		int r = pme_grow(&all->inodes, &all->alloc, all->count, sizeof(*all->inodes));

		if (r < 0)
			return r;
		all->inodes[all->count++] = more->inodes[i];
	}
	return 0;
}

static int read_groups(struct pme_crew *crew, void *arg)
{
	struct passing *passing = arg;
	const struct pme_range *wanted = passing->wanted->items;
	_cleanup_(pme_ext4_candidates_done) struct pme_ext4_candidates mine = {0};
	_cleanup_free_ unsigned char *buf = malloc(PIECE);
	struct pass pass = {
		.checker = {.geo = passing->geo},
		.wanted = passing->wanted,
		.span = {.start = wanted[0].start},
		.reader = pme_ext4_geo_reader(passing->geo),
		.ret = &mine,
		.marks = &passing->ret->marks,
		.buf = buf,
	};
	int r = buf ? pme_crew_step(crew, 0) : -ENOMEM, e;
	size_t i;

	pass.span.length = pme_range_end(wanted[passing->wanted->count - 1]) - pass.span.start;
	while (r == 0 && (i = atomic_fetch_add(&passing->next, 1)) < passing->geo->groups) {
		r = read_group(&pass, (uint32_t)i);
		if (r == 0)
			r = pme_crew_step(crew, 1);
	}
	pthread_mutex_lock(&crew->lock);
	e = add_candidates(passing->ret, &mine);
	pthread_mutex_unlock(&crew->lock);
	return e < 0 ? e : r;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *p = a, *q = b;

	return *p < *q ? -1 : *p > *q;
}

/* Too many for a filesystem that is as it should be: done without. */
static int make_marks(const struct pme_ext4_geo *geo, struct pme_ext4_marks *ret)
{
	size_t each = (geo->table_blocks + 7) / 8;
	uint64_t size = (uint64_t)each * geo->groups;

	if (size > MARKS_MAX)
		return 0;
	*ret = (struct pme_ext4_marks){calloc(size, 1), each, (size_t)size};
	return ret->bits ? 0 : -ENOMEM;
}

int pme_ext4_pass(const struct pme_ext4_geo *geo, const struct pme_range_list *wanted,
		  struct pme_progress *progress, struct pme_ext4_candidates *ret)
{
	struct passing passing = {.geo = geo, .wanted = wanted, .ret = ret};
	struct pme_crew crew = {.work = read_groups, .arg = &passing, .progress = progress};
	int r;

	if (wanted->count == 0)
		return 0;
	r = make_marks(geo, &ret->marks);
	if (r < 0)
		return r;
	pme_progress_phase(progress, PME_PHASE_OWNERS, PME_UNIT_GROUPS, geo->groups);
	r = pme_crew_run(&crew);
	if (ret->count > 1)
		qsort(ret->inodes, ret->count, sizeof(*ret->inodes), by_number);
	ret->cut = r == -ETIME;
	return ret->cut ? 0 : r;
}

void pme_ext4_candidates_done(struct pme_ext4_candidates *candidates)
{
	free(candidates->inodes);
	free(candidates->marks.bits);
	*candidates = (struct pme_ext4_candidates){0};
}
