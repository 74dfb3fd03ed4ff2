/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mktree [-s SEED] [-e EXTENTS] FOLDER FILES: make a tree that looks like one in use for years, and
 * print what was made as JSON.
 *
 * FILES files of 1 to 4 blocks, 100 to a directory, 100 directories to a directory above.  Each
 * directory is filled to 60 %, the rest comes in random order over all of them, then 10 % are
 * removed and made again.  Then hard links (1 %), reflinked copies (5 %; a tenth of them share a
 * single block only; none where the filesystem has no reflink) and one large file of EXTENTS
 * extents (a fifth of FILES; what the filesystem made of it is printed).
 *
 * The surprise: the large file is written in STRIDE passes, each of every STRIDE-th block.
 * Neighbours in the file are then not neighbours on the disk, and every block is an extent.  XFS
 * keeps a place for what is missing between two writes when the gap is at most four times as long
 * as a write (XFS_ALLOC_GAP_UNITS), so that a smaller stride would give one long extent.  ext4
 * keeps all places of a file that grows: there the extents come from holes.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define PER_DIR 100
#define FILL_FIRST 60	 /* of PER_DIR */
#define REMADE 10	 /* one file in so many is removed and made again */
#define HARD_LINKED 100	 /* one in so many */
#define COPIED 20	 /* one in so many */
#define COPIED_PARTLY 10 /* one copy in so many */
#define BLOCKS_MAX 4
#define NAME_MAX_LEN 80
#define STRIDE 8

struct tree {
	int root;
	uint64_t seed, random;
	uint64_t files, extents;
	size_t block;
	char *data; /* BLOCKS_MAX blocks */
	/* what was made */
	uint64_t dirs, links, copies, partial, blocks, large;
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t pick(struct tree *tree, uint64_t limit)
{
	return mix(tree->random += 0x9e3779b97f4a7c15) % limit;
}

static void dir_name(uint64_t dir, char *ret)
{
	snprintf(ret, NAME_MAX_LEN, "d%04" PRIu64 "/d%02" PRIu64, dir / PER_DIR, dir % PER_DIR);
}

/* The name of file @i in directory @dir: 10 to 40 characters, a function of the seed. */
static void file_name(const struct tree *tree, char kind, uint64_t dir, uint64_t i, char *ret)
{
	static const char tail[] = "-a-name-as-long-as-people-like.";
	int tail_len = (int)(mix(tree->seed + i) % (sizeof(tail) - 1));

	snprintf(ret, NAME_MAX_LEN, "d%04" PRIu64 "/d%02" PRIu64 "/%c%09" PRIu64 "%.*s",
		 dir / PER_DIR, dir % PER_DIR, kind, i, tail_len, tail);
}

static void name_of(const struct tree *tree, uint64_t i, char *ret)
{
	file_name(tree, 'f', i / PER_DIR, i, ret);
}

static uint64_t random_dir(struct tree *tree)
{
	return pick(tree, (tree->files + PER_DIR - 1) / PER_DIR);
}

static int create(const struct tree *tree, const char *name)
{
	int fd = openat(tree->root, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", name);
	return fd;
}

static void write_blocks(struct tree *tree, int fd, uint64_t id, uint64_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snprintf(tree->data + i * tree->block, tree->block,
			 "file %" PRIu64 " block %" PRIu64 "\n", id, first + i);
	if (pwrite(fd, tree->data, count * tree->block, (off_t)(first * tree->block)) !=
	    (ssize_t)(count * tree->block))
		err(1, "write");
	tree->blocks += count;
}

static void make_file(struct tree *tree, uint64_t i)
{
	static const unsigned char sizes[] = {1, 1, 1, 1, 1, 1, 2, 2, 3, BLOCKS_MAX};
	char name[NAME_MAX_LEN];
	int fd;

	name_of(tree, i, name);
	fd = create(tree, name);
	write_blocks(tree, fd, i, 0, sizes[pick(tree, sizeof(sizes))]);
	close(fd);
}

static void make_dirs(struct tree *tree)
{
	uint64_t dirs = (tree->files + PER_DIR - 1) / PER_DIR;
	char name[NAME_MAX_LEN];

	for (uint64_t i = 0; i < dirs; i++) {
		if (i % PER_DIR == 0) {
			snprintf(name, sizeof(name), "d%04" PRIu64, i / PER_DIR);
			if (mkdirat(tree->root, name, 0755) < 0)
				err(1, "%s", name);
			tree->dirs++;
		}
		dir_name(i, name);
		if (mkdirat(tree->root, name, 0755) < 0)
			err(1, "%s", name);
		tree->dirs++;
	}
}

/* Fill all directories in part, and return the files that are left, shuffled. */
static uint64_t *make_first(struct tree *tree, size_t *ret_count)
{
	uint64_t *rest = calloc(tree->files, sizeof(*rest));
	size_t count = 0;

	if (!rest)
		err(1, "calloc");
	for (uint64_t i = 0; i < tree->files; i++) {
		if (i % PER_DIR < FILL_FIRST)
			make_file(tree, i);
		else
			rest[count++] = i;
	}
	for (size_t i = count; i > 1; i--) {
		size_t j = pick(tree, i);
		uint64_t item = rest[j];

		rest[j] = rest[i - 1];
		rest[i - 1] = item;
	}
	*ret_count = count;
	return rest;
}

static void make_files(struct tree *tree)
{
	size_t count;
	uint64_t *rest = make_first(tree, &count);

	for (size_t i = 0; i < count; i++)
		make_file(tree, rest[i]);
	free(rest);
	for (uint64_t i = 0; i < tree->files / REMADE; i++) {
		uint64_t file = pick(tree, tree->files);
		char name[NAME_MAX_LEN];

		name_of(tree, file, name);
		if (unlinkat(tree->root, name, 0) < 0)
			err(1, "%s", name);
		make_file(tree, file);
	}
}

static void make_links(struct tree *tree)
{
	for (uint64_t i = 0; i < tree->files / HARD_LINKED; i++) {
		char old[NAME_MAX_LEN], new[NAME_MAX_LEN];

		name_of(tree, pick(tree, tree->files), old);
		file_name(tree, 'l', random_dir(tree), i, new);
		if (linkat(tree->root, old, tree->root, new, 0) < 0)
			err(1, "%s", new);
		tree->links++;
	}
}

/* A block of its own, then the first block of @from. */
static int share_block(struct tree *tree, int to, int from, uint64_t id)
{
	struct file_clone_range range = {
		.src_fd = from,
		.src_length = tree->block,
		.dest_offset = tree->block,
	};

	write_blocks(tree, to, tree->files + id, 0, 1);
	tree->partial++;
	return ioctl(to, FICLONERANGE, &range);
}

/* The filesystem has no reflink: the first one tells. */
static void undo_copy(struct tree *tree, const char *name)
{
	if (unlinkat(tree->root, name, 0) < 0)
		err(1, "%s", name);
	tree->partial = 0;
	tree->blocks--;
}

static void make_copies(struct tree *tree)
{
	for (uint64_t i = 0; i < tree->files / COPIED; i++) {
		char old[NAME_MAX_LEN], new[NAME_MAX_LEN];
		int from, to, r;

		name_of(tree, pick(tree, tree->files), old);
		from = openat(tree->root, old, O_RDONLY | O_CLOEXEC);
		if (from < 0)
			err(1, "%s", old);
		file_name(tree, 'c', random_dir(tree), i, new);
		to = create(tree, new);
		r = i % COPIED_PARTLY ? ioctl(to, FICLONE, from) : share_block(tree, to, from, i);
		if (r < 0 && errno == EOPNOTSUPP && i == 0) {
			close(from);
			close(to);
			undo_copy(tree, new);
			return;
		}
		if (r < 0)
			err(1, "%s: cannot share blocks", new);
		close(from);
		close(to);
		tree->copies++;
	}
}

static void sync_all(const struct tree *tree)
{
	if (syncfs(tree->root) < 0)
		err(1, "syncfs");
}

static uint64_t count_extents(int fd)
{
	struct fiemap map = {.fm_length = FIEMAP_MAX_OFFSET};

	if (ioctl(fd, FS_IOC_FIEMAP, &map) < 0)
		err(1, "FS_IOC_FIEMAP");
	return map.fm_mapped_extents;
}

/* Twice as long, with a hole in each second block: no filesystem makes one extent of that. */
static void make_holes(struct tree *tree, int fd)
{
	for (uint64_t i = tree->extents; i < 2 * tree->extents; i++)
		write_blocks(tree, fd, UINT64_MAX, i, 1);
	if (fdatasync(fd) < 0)
		err(1, "large");
	for (uint64_t i = 0; i < tree->extents; i++)
		if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)((2 * i + 1) * tree->block), (off_t)tree->block) < 0)
			err(1, "large: cannot make a hole");
}

static void make_large(struct tree *tree)
{
	int fd;

	if (tree->extents == 0)
		return;
	fd = create(tree, "large");
	if (ftruncate(fd, (off_t)(tree->extents * tree->block)) < 0)
		err(1, "large");
	for (uint64_t pass = 0; pass < STRIDE; pass++) {
		for (uint64_t i = pass; i < tree->extents; i += STRIDE)
			write_blocks(tree, fd, UINT64_MAX, i, 1);
		if (fdatasync(fd) < 0)
			err(1, "large");
	}
	if (count_extents(fd) < tree->extents)
		make_holes(tree, fd);
	tree->large = count_extents(fd);
	close(fd);
}

static void tell(const struct tree *tree, time_t start)
{
	printf("{\"seed\": %" PRIu64 ", \"files\": %" PRIu64 ", \"directories\": %" PRIu64
	       ", \"hard_links\": %" PRIu64 ", \"reflinked_copies\": %" PRIu64
	       ", \"of_these_one_block_only\": %" PRIu64 ", \"large_file_extents\": %" PRIu64
	       ", \"bytes_written\": %" PRIu64 ", \"seconds\": %lld}\n",
	       tree->seed, tree->files, tree->dirs, tree->links, tree->copies, tree->partial,
	       tree->large, tree->blocks * tree->block, (long long)(time(NULL) - start));
}

static void make_tree(struct tree *tree, const char *folder)
{
	struct statfs sfs;

	tree->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree->root < 0 || fstatfs(tree->root, &sfs) < 0)
		err(1, "%s", folder);
	tree->block = (size_t)sfs.f_bsize;
	tree->random = tree->seed;
	tree->data = calloc(BLOCKS_MAX, tree->block);
	if (!tree->data)
		err(1, "calloc");
	make_dirs(tree);
	make_files(tree);
	make_large(tree);
	sync_all(tree); /* data on its way to the disk cannot be shared yet */
	make_links(tree);
	make_copies(tree);
	sync_all(tree);
	free(tree->data);
	close(tree->root);
}

int main(int argc, char **argv)
{
	struct tree tree = {.seed = 1, .extents = UINT64_MAX};
	time_t start = time(NULL);
	int option;

	while ((option = getopt(argc, argv, "s:e:")) != -1) {
		if (option == 's')
			tree.seed = strtoull(optarg, NULL, 10);
		else if (option == 'e')
			tree.extents = strtoull(optarg, NULL, 10);
		else
			return 8;
	}
	if (argc - optind != 2)
		errx(8, "usage: mktree [-s SEED] [-e EXTENTS] FOLDER FILES");
	tree.files = strtoull(argv[optind + 1], NULL, 10);
	if (tree.extents == UINT64_MAX)
		tree.extents = tree.files / 5;
	make_tree(&tree, argv[optind]);
	tell(&tree, start);
	return 0;
}
