/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * selfdata verify: reads a tree back and compares it with its manifest, byte by byte.
 *
 * This proves the generator's model: names, sizes, hard links, and that each byte is the one that
 * the manifest says.  Also that there is nothing in the tree that the manifest does not list.
 * It says nothing about where the blocks are: that is what decode is for.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "selfdata.h"

static size_t names_found; /* nftw() has no argument for its caller */

static int complain(const struct sd_file *file, const char *what, uint64_t where)
{
	fprintf(stderr, "selfdata: file %" PRIu64 " (%s): %s at %" PRIu64 "\n", file->number,
		file->paths[0], what, where);
	return 1;
}

static void expect(const struct sd_file *file, uint64_t offset, char *sector)
{
	const struct sd_extent *extent = sd_file_at(file, offset);
	struct sd_id id;

	memset(sector, 0, SD_SECTOR);
	if (!extent || extent->state != SD_DATA)
		return;
	id = extent->id;
	id.offset += offset - extent->start;
	sd_sector_build(&id, sector);
}

/* An extent of data may end inside a sector: the end of the file was there once. */
static uint64_t same_state_until(const struct sd_file *file, uint64_t offset)
{
	const struct sd_extent *extent = sd_file_at(file, offset);
	uint64_t end = extent ? extent->start + extent->length : file->size;
	uint64_t sector_end = offset - offset % SD_SECTOR + SD_SECTOR;

	return end < sector_end ? end : sector_end;
}

static int check_content(const struct sd_file *file, int fd)
{
	static char got[1 << 20];
	char want[SD_SECTOR];
	uint64_t base = 0, at = 0;
	ssize_t n;

	while ((n = pread(fd, got, sizeof(got), (off_t)base)) > 0) {
		while (at < base + (uint64_t)n) {
			uint64_t end = same_state_until(file, at);

			if (end > file->size)
				return complain(file, "longer than expected", at);
			expect(file, at, want);
			if (memcmp(want, got + (at - base), end - at) != 0)
				return complain(file, "other bytes", at);
			at = end;
		}
		base += (uint64_t)n;
	}
	if (n < 0)
		return complain(file, strerror(errno), base);
	return at == file->size ? 0 : complain(file, "ends", at);
}

static int check_names(const struct sd_file *file, int root)
{
	static const struct {
		char kind;
		mode_t type;
	} types[] = {{'f', S_IFREG}, {'d', S_IFDIR}, {'l', S_IFLNK}};
	ino_t inode = 0;

	for (size_t i = 0; i < file->n_paths; i++) {
		struct stat st;

		if (fstatat(root, file->paths[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			return complain(file, file->paths[i], i);
		if (i && st.st_ino != inode)
			return complain(file, "name of another inode", i);
		inode = st.st_ino;
		for (size_t k = 0; k < 3; k++)
			if (types[k].kind == file->kind && types[k].type != (st.st_mode & S_IFMT))
				return complain(file, "wrong type", i);
		if (file->kind != 'd' && st.st_nlink != file->n_paths)
			return complain(file, "wrong number of links", st.st_nlink);
	}
	return 0;
}

static int check_file(const struct sd_file *file, int root)
{
	int fd, bad;

	if (check_names(file, root))
		return 1;
	if (file->kind != 'f')
		return 0;
	fd = openat(root, file->paths[0], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return complain(file, strerror(errno), 0);
	bad = check_content(file, fd);
	close(fd);
	return bad;
}

static int count_name(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	if (ftw->level && strcmp(path + ftw->base, "lost+found"))
		names_found++;
	return 0;
}

static int check_all(const struct sd_model *model, const char *dir)
{
	int root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t names = 0;
	int bad = 0;

	if (root < 0 || nftw(dir, count_name, 32, FTW_PHYS) != 0) {
		perror(dir);
		return 4;
	}
	for (size_t i = 0; i < model->n_files; i++) {
		bad += check_file(model->files[i], root);
		names += model->files[i]->n_paths;
	}
	close(root);
	if (names != names_found) {
		fprintf(stderr, "selfdata: %s: %zu names, not %zu\n", dir, names_found, names);
		bad++;
	}
	return bad ? 1 : 0;
}

int sd_cmd_verify(int argc, char **argv)
{
	struct sd_model model;
	int err, status;

	if (argc != 2) {
		fputs("usage: selfdata verify DIR MANIFEST\n", stderr);
		return 8;
	}
	err = sd_manifest_load(&model, argv[1]);
	if (err) {
		fprintf(stderr, "selfdata: %s: %s\n", argv[1], strerror(-err));
		return 4;
	}
	status = check_all(&model, argv[0]);
	sd_model_clear(&model);
	return status;
}
