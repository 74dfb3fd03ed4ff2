/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selfdata fill: makes a tree that has lived.
 *
 * The shapes that matter to a reverse mapper come first and always (one file with five reflink
 * sharers and three names, fragmented files, a large directory, odd names, remote xattrs and
 * symlinks); then random files live through random operations.  The manifest is written from the
 * model, never by looking at the filesystem.
 *
 * It refuses a directory that is not empty.  On a filesystem without reflinks, preallocation or
 * long attributes these are left out, not faked.  ENOSPC ends the program: the caller chose the
 * amount of data.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sd-ops.h"

#define BIG_DIRECTORY 300
#define FRAGMENTS 48
#define MANY 8 /* operations per random file */
#define HELD 8 /* files that are open without a name, at once */

struct plan {
	struct sd_tree tree;
	uint64_t n_files;
	uint64_t bytes;
	uint64_t made; /* names handed out */
	char *dirs[64];
	size_t n_dirs;
	struct sd_file *files[4096];
	size_t n_live;
	int held[HELD]; /* descriptors of files without a name, -1 for none */
	uint64_t n_held;
};

static uint64_t below(struct plan *plan, uint64_t limit)
{
	return sd_rng_below(&plan->tree.rng, limit);
}

static uint64_t blocks(struct plan *plan, uint64_t limit)
{
	return (1 + below(plan, limit)) * SD_BLOCK;
}

/* Every name is new, so that no operation can fail for one that exists. */
static char *new_name(struct plan *plan, const char *dir)
{
	static const char *const shapes[] = {
		"file",		"blank ",	"line\nbreak", "tab\t",
		"back\\slash",	"quote\"'",	"latin-\xe9",  "bytes-\xff\xfe",
		"utf-\xc3\xa9", "cut-\xe2\x82", "%s-%n",       "-dash",
	};
	const size_t n_shapes = sizeof(shapes) / sizeof(*shapes);
	uint64_t shape = below(plan, 2 * n_shapes);
	char name[256], *path;

	shape = shape < n_shapes ? shape : 0;
	snprintf(name, sizeof(name), "%s-%04" PRIu64, shapes[shape], plan->made++);
	if (below(plan, 20) == 0) {
		size_t used = strlen(name);

		memset(name + used, 'n', 255 - used);
		name[255] = '\0';
	}
	path = sd_join(dir, name);
	return path;
}

static const char *any_dir(struct plan *plan)
{
	return plan->dirs[below(plan, plan->n_dirs)];
}

static int make_file(struct plan *plan, const char *path, struct sd_file **ret_file)
{
	int err = sd_op_create(&plan->tree, path, ret_file);

	if (!err && plan->n_live < sizeof(plan->files) / sizeof(*plan->files))
		plan->files[plan->n_live++] = *ret_file;
	return err;
}

static int make_any_file(struct plan *plan, struct sd_file **ret_file)
{
	char *path = new_name(plan, any_dir(plan));
	int err = make_file(plan, path, ret_file);

	free(path);
	return err;
}

/* A few chains of directories, up to six deep. */
static int make_dirs(struct plan *plan)
{
	size_t wanted = 4 + plan->n_files / 16;
	int err = 0;

	plan->dirs[plan->n_dirs++] = strdup("");
	if (wanted > 40)
		wanted = 40;
	while (plan->n_dirs < wanted && !err) {
		const char *parent = any_dir(plan);
		char *path;
		size_t depth = 0;

		for (const char *p = parent; *p; p++)
			depth += *p == '/';
		path = new_name(plan, depth < 5 ? parent : "");
		err = sd_op_mkdir(&plan->tree, path);
		plan->dirs[plan->n_dirs++] = path;
	}
	return err;
}

/* Eight names for the same blocks: one file of three names, five clones. */
static int make_sharers(struct plan *plan)
{
	static const char *const links[] = {"share/deep/link2", "share/link3"};
	struct sd_file *origin, *clone;
	int err = sd_op_mkdir(&plan->tree, "share");

	if (!err)
		err = sd_op_mkdir(&plan->tree, "share/deep");
	if (!err)
		err = sd_op_create(&plan->tree, "share/origin", &origin);
	if (!err)
		err = sd_op_write(&plan->tree, origin, 0, 16 * SD_BLOCK + 700);
	for (size_t i = 0; i < 2 && !err; i++)
		err = sd_op_link(&plan->tree, origin, links[i]);
	for (int i = 1; i <= 5 && !err; i++) {
		char path[32];

		snprintf(path, sizeof(path), "share/%sclone%d", i & 1 ? "deep/" : "", i);
		err = sd_op_create(&plan->tree, path, &clone);
		if (!err)
			err = sd_op_clone(&plan->tree, origin, clone);
	}
	return err == -EOPNOTSUPP ? 0 : err;
}

/* A file that nothing else happens to. */
static int make_lonely(struct plan *plan)
{
	struct sd_file *file;
	int err = sd_op_create(&plan->tree, "lonely", &file);

	return err ? err : sd_op_write(&plan->tree, file, 0, 8 * SD_BLOCK);
}

/* Three files grow in turns, each piece on disk before the next is made. */
static int make_fragmented(struct plan *plan)
{
	struct sd_file *file[3];
	uint64_t piece = plan->bytes / 8 / FRAGMENTS / SD_BLOCK;
	int err = 0;

	for (int i = 0; i < 3 && !err; i++) {
		char name[32];

		snprintf(name, sizeof(name), "fragmented-%d", i);
		err = make_file(plan, name, &file[i]);
	}
	for (int i = 0; i < 3 * FRAGMENTS && !err; i++) {
		struct sd_file *turn = file[i % 3];
		uint64_t most = i % 3 == 0 ? piece : piece / 4;

		err = sd_op_append(&plan->tree, turn, blocks(plan, most ? most : 1));
		if (!err)
			err = sd_op_sync(&plan->tree, turn);
	}
	return err;
}

/* Every second block of a file that was cloned is written again, so that the clone differs. */
static int make_woven(struct plan *plan)
{
	struct sd_file *warp, *weft;
	int err = make_file(plan, "woven-warp", &warp);

	if (!err)
		err = make_file(plan, "woven-weft", &weft);
	if (!err)
		err = sd_op_write(&plan->tree, warp, 0, 96 * SD_BLOCK);
	if (!err)
		err = sd_op_clone(&plan->tree, warp, weft);
	if (err)
		return err == -EOPNOTSUPP ? 0 : err;
	for (uint64_t i = 0; i < 96 && !err; i += 2)
		err = sd_op_write(&plan->tree, weft, i * SD_BLOCK, SD_BLOCK);
	return err;
}

static int make_big_directory(struct plan *plan)
{
	int err = sd_op_mkdir(&plan->tree, "big-directory");
	struct sd_file *file;

	for (int i = 0; i < BIG_DIRECTORY && !err; i++) {
		char name[256];

		snprintf(name, sizeof(name), "big-directory/%0200d", i);
		err = sd_op_create(&plan->tree, name, &file);
	}
	return err;
}

static int make_attributes(struct plan *plan)
{
	static const size_t sizes[] = {10, 600, 5000, 20000, 60000};
	struct sd_file *file;
	int err = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes) && !err; i++) {
		char name[32];

		err = make_any_file(plan, &file);
		if (!err)
			err = sd_op_append(&plan->tree, file, 1 + below(plan, 9000));
		snprintf(name, sizeof(name), "user.size%zu", sizes[i]);
		if (!err)
			err = sd_op_setxattr(&plan->tree, file, name, sizes[i]);
		/* the attributes of an inode of ext4 have to fit into a block */
		if (err == -ENOSPC || err == -E2BIG)
			err = 0;
	}
	return err;
}

static int make_symlinks(struct plan *plan)
{
	char target[1024];
	int err = 0;

	for (size_t i = 0; i < 8 && !err; i++) {
		char *path = new_name(plan, any_dir(plan));
		size_t length = i < 4 ? 10 + i : 600 + i * 40;

		memset(target, 't', length);
		target[length] = '\0';
		err = sd_op_symlink(&plan->tree, target, path);
		free(path);
	}
	return err;
}

static uint64_t random_size(struct plan *plan)
{
	static const uint64_t edges[] = {0, 1, 511, 512, 4095, 4096, 4097, 8191, 8193, 65537};
	uint64_t mean = plan->bytes / 3 / (plan->n_files + 1) + 1;

	switch (below(plan, 4)) {
	case 0:
		return edges[below(plan, sizeof(edges) / sizeof(*edges))];
	case 1:
		return below(plan, mean / 8 + 1);
	case 2:
		return below(plan, mean * 2);
	default:
		return blocks(plan, mean / SD_BLOCK + 1);
	}
}

static int make_random_files(struct plan *plan)
{
	int err = 0;

	for (uint64_t i = 0; i < plan->n_files && !err; i++) {
		uint64_t size = random_size(plan);
		struct sd_file *file;

		err = make_any_file(plan, &file);
		if (!err && size)
			err = sd_op_append(&plan->tree, file, size);
	}
	return err;
}

/* ---- the random life ---- */

static uint64_t pick_block(struct plan *plan, const struct sd_file *file)
{
	return below(plan, file->size / SD_BLOCK + 1) * SD_BLOCK;
}

static int do_overwrite(struct plan *plan, struct sd_file *file)
{
	uint64_t offset = pick_block(plan, file), length = blocks(plan, 8);

	/* Inside the file whole blocks; the last one as far as the file goes. */
	if (offset < file->size && offset + length > file->size)
		length = file->size - offset;
	return sd_op_write(&plan->tree, file, offset, length);
}

static int do_append(struct plan *plan, struct sd_file *file)
{
	return sd_op_append(&plan->tree, file, 1 + below(plan, 20000));
}

static int do_sparse_write(struct plan *plan, struct sd_file *file)
{
	uint64_t end = (file->size + SD_BLOCK - 1) / SD_BLOCK * SD_BLOCK;

	return sd_op_write(&plan->tree, file, end + blocks(plan, 30), 1 + below(plan, 9000));
}

static int do_truncate(struct plan *plan, struct sd_file *file)
{
	return sd_op_truncate(&plan->tree, file, below(plan, file->size + file->size / 4 + 2));
}

static int do_punch(struct plan *plan, struct sd_file *file)
{
	uint64_t offset = pick_block(plan, file), length = blocks(plan, 6);

	if (offset + length > file->size)
		return 0;
	return sd_op_punch(&plan->tree, file, offset, length);
}

static int do_allocate(struct plan *plan, struct sd_file *file)
{
	int err = sd_op_allocate(&plan->tree, file, pick_block(plan, file), blocks(plan, 16));

	return err == -EOPNOTSUPP ? 0 : err; /* ext3 */
}

static int do_clone(struct plan *plan, struct sd_file *file)
{
	struct sd_file *copy;
	int err = make_any_file(plan, &copy);

	if (!err)
		err = sd_op_clone(&plan->tree, file, copy);
	return err == -EOPNOTSUPP ? 0 : err;
}

static int do_clone_range(struct plan *plan, struct sd_file *file)
{
	struct sd_file *to = plan->files[below(plan, plan->n_live)];
	uint64_t offset = pick_block(plan, file), length = blocks(plan, 12);
	int err;

	if (!to->n_paths || to == file || offset + length > file->size)
		return 0;
	err = sd_op_clone_range(&plan->tree, file, offset, length, to, pick_block(plan, to));
	return err == -EOPNOTSUPP ? 0 : err;
}

static int do_link(struct plan *plan, struct sd_file *file)
{
	char *path = new_name(plan, any_dir(plan));
	int err = sd_op_link(&plan->tree, file, path);

	free(path);
	return err;
}

static int do_rename(struct plan *plan, struct sd_file *file)
{
	char *path = new_name(plan, any_dir(plan));
	int err = sd_op_rename(&plan->tree, file, below(plan, file->n_paths), path);

	free(path);
	return err;
}

static int do_unlink(struct plan *plan, struct sd_file *file)
{
	return sd_op_unlink(&plan->tree, file, below(plan, file->n_paths));
}

/* Its blocks stay for a while: it is closed when HELD others have come to this. */
static int do_unlink_open(struct plan *plan, struct sd_file *file)
{
	int *held = &plan->held[plan->n_held++ % HELD];

	if (*held >= 0)
		close(*held);
	*held = openat(plan->tree.root_fd, file->paths[0], O_RDONLY | O_CLOEXEC);
	return *held < 0 ? -errno : sd_op_unlink(&plan->tree, file, below(plan, file->n_paths));
}

static int do_setxattr(struct plan *plan, struct sd_file *file)
{
	char name[32];
	int err;

	snprintf(name, sizeof(name), "user.any%d", (int)below(plan, 4));
	err = sd_op_setxattr(&plan->tree, file, name, 1 + below(plan, 3000));
	return err == -ENOSPC || err == -E2BIG || err == -EOPNOTSUPP ? 0 : err;
}

static int do_sync(struct plan *plan, struct sd_file *file)
{
	return sd_op_sync(&plan->tree, file);
}

static int live(struct plan *plan)
{
	static int (*const acts[])(struct plan *, struct sd_file *) = {
		do_overwrite,	 do_overwrite,	 do_overwrite,	 do_append,	 do_append,
		do_sparse_write, do_truncate,	 do_punch,	 do_punch,	 do_allocate,
		do_clone,	 do_clone_range, do_clone_range, do_clone_range, do_link,
		do_rename,	 do_unlink,	 do_unlink_open, do_setxattr,	 do_sync,
	};
	int err = 0;

	for (uint64_t i = 0; i < plan->n_files * MANY && !err; i++) {
		struct sd_file *file = plan->files[below(plan, plan->n_live)];

		if (file->n_paths)
			err = acts[below(plan, sizeof(acts) / sizeof(*acts))](plan, file);
	}
	return err;
}

static int fill(struct plan *plan)
{
	static const struct {
		const char *what;
		int (*run)(struct plan *plan);
	} steps[] = {
		{"directories", make_dirs},	     {"sharers", make_sharers},
		{"lonely file", make_lonely},	     {"fragmented files", make_fragmented},
		{"woven files", make_woven},	     {"large directory", make_big_directory},
		{"random files", make_random_files}, {"xattrs", make_attributes},
		{"symlinks", make_symlinks},	     {"random operations", live},
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		int err = steps[i].run(plan);

		if (err) {
			fprintf(stderr, "selfdata: %s: %s\n", steps[i].what, strerror(-err));
			return err;
		}
	}
	return syncfs(plan->tree.root_fd) < 0 ? -errno : 0;
}

static int run(struct plan *plan, const char *dir, uint64_t seed, const char *manifest)
{
	int err;

	plan->tree.root_fd = sd_open_empty(dir);
	if (plan->tree.root_fd < 0) {
		fprintf(stderr, "selfdata: %s: %s\n", dir, strerror(-plan->tree.root_fd));
		return 4;
	}
	memset(plan->held, -1, sizeof(plan->held));
	sd_rng_init(&plan->tree.rng, seed);
	plan->tree.model.tag = sd_rng_next(&plan->tree.rng);
	err = fill(plan);
	for (size_t i = 0; i < HELD; i++)
		if (plan->held[i] >= 0)
			close(plan->held[i]);
	close(plan->tree.root_fd);
	if (!err) {
		err = sd_manifest_save(&plan->tree.model, manifest);
		if (err)
			fprintf(stderr, "selfdata: %s: %s\n", manifest, strerror(-err));
	}
	sd_model_clear(&plan->tree.model);
	for (size_t i = 0; i < plan->n_dirs; i++)
		free(plan->dirs[i]);
	return err ? 4 : 0;
}

int sd_cmd_fill(int argc, char **argv)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	uint64_t seed;
	int status = 8;

	if (plan && argc == 5 && sd_parse_u64(argv[1], &seed) == 0 &&
	    sd_parse_u64(argv[2], &plan->n_files) == 0 && sd_parse_u64(argv[3], &plan->bytes) == 0)
		status = run(plan, argv[0], seed, argv[4]);
	else
		fputs("usage: selfdata fill DIR SEED NFILES BYTES MANIFEST\n", stderr);
	free(plan);
	return status;
}
