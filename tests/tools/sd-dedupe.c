/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selfdata dedupe: blocks of files that were filled become blocks of other files, too, as a
 * deduplicator makes them: written a second time, compared by the kernel, and shared.
 *
 * The manifest is read before and written after.  The surprise: the blocks that are freed keep what
 * was written a second time, so whoever judges must know that one place of several is the live one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sd-ops.h"

#define TRIES 200 /* for each range that is wanted */
#define MOST_BLOCKS 8

/* Blocks at the beginning of an extent of data that are whole. */
static uint64_t whole(const struct sd_extent *extent)
{
	return extent->start % SD_BLOCK ? 0 : extent->length / SD_BLOCK;
}

static struct sd_file *any_file(struct sd_tree *tree)
{
	struct sd_file *file = tree->model.files[sd_rng_below(&tree->rng, tree->model.n_files)];

	return file->kind == 'f' && file->n_paths && file->n_extents ? file : NULL;
}

/* One range of one file into another, inside both: 1 done, 0 nothing fits, -errno. */
static int dedupe_one(struct sd_tree *tree)
{
	struct sd_file *from = any_file(tree), *to = any_file(tree);
	const struct sd_extent *extent;
	uint64_t count, room, at;
	int err;

	if (!from || !to || from == to)
		return 0;
	extent = &from->extents[sd_rng_below(&tree->rng, from->n_extents)];
	count = whole(extent) < MOST_BLOCKS ? whole(extent) : MOST_BLOCKS;
	room = to->size / SD_BLOCK;
	if (extent->state != SD_DATA || count == 0 || room < count)
		return 0;
	at = sd_rng_below(&tree->rng, room - count + 1) * SD_BLOCK;
	err = sd_op_dedupe(tree, from, extent->start, count * SD_BLOCK, to, at);
	return err ? err : 1;
}

static int dedupe(struct sd_tree *tree, uint64_t wanted)
{
	uint64_t done = 0;

	for (uint64_t i = 0; i < wanted * TRIES && done < wanted; i++) {
		int r = dedupe_one(tree);

		if (r < 0)
			return r;
		done += (uint64_t)r;
	}
	return done == wanted ? 0 : -ENODATA;
}

static int run(struct sd_tree *tree, const char *dir, uint64_t wanted, const char *manifest)
{
	int err = sd_manifest_load(&tree->model, manifest);

	tree->root_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!err && tree->root_fd < 0)
		err = -errno;
	if (!err)
		err = dedupe(tree, wanted);
	if (!err && syncfs(tree->root_fd) < 0)
		err = -errno;
	if (!err)
		err = sd_manifest_save(&tree->model, manifest);
	if (err)
		fprintf(stderr, "selfdata: dedupe: %s\n", strerror(-err));
	if (tree->root_fd >= 0)
		close(tree->root_fd);
	sd_model_clear(&tree->model);
	return err ? 4 : 0;
}

int sd_cmd_dedupe(int argc, char **argv)
{
	struct sd_tree tree = {.root_fd = -1};
	uint64_t seed, wanted;

	if (argc != 4 || sd_parse_u64(argv[1], &seed) != 0 || sd_parse_u64(argv[2], &wanted) != 0) {
		fputs("usage: selfdata dedupe DIR SEED RANGES MANIFEST\n", stderr);
		return 8;
	}
	sd_rng_init(&tree.rng, seed);
	return run(&tree, argv[0], wanted, argv[3]);
}
