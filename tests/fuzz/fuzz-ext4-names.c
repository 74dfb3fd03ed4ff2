/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: names by the directories of an ext4.  The input is the beginning of a device of
 * 1 MiB.  In place of the kernel there is one that confirms whatever has a path.  Every name is one
 * that stays below the root, and a file has all of its names or none.
 * Parsers: ext4-pass ext4-dir ext4-climb ext4-names
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ext4-confirm.h"
#include "ext4-names.h"
#include "fuzz.h"

#define DEVICE (1U << 20)
#define FILES 32

int __wrap_pme_ext4_hits_confirm(struct pme_ext4_hits *hits, int root, dev_t devno,
				 struct pme_file *const *files);

int __wrap_pme_ext4_hits_confirm(struct pme_ext4_hits *hits, int root, dev_t devno,
				 struct pme_file *const *files)
{
	for (size_t i = 0; i < hits->n_dirs; i++)
		for (size_t k = 0; k < hits->dirs[i].count; k++)
			hits->items[hits->dirs[i].first + k].confirmed = hits->dirs[i].path;
	return 0;
}

static void check_path(const char *path)
{
	while (path) {
		const char *slash = strchr(path, '/');
		size_t len = slash ? (size_t)(slash - path) : strlen(path);

		FUZZ_CHECK(len > 0 && !pme_word_is(path, len, ".") &&
			   !pme_word_is(path, len, ".."));
		path = slash ? slash + 1 : NULL;
	}
}

static void check_names(const struct pme_names *names, struct pme_file *const *files, size_t left)
{
	for (size_t i = 0; i < names->count; i++)
		check_path(names->items[i].path);
	for (size_t i = 0; i < FILES; i++) {
		uint32_t n = 0;

		for (size_t k = 0; k < names->count; k++)
			n += names->items[k].file == files[i];
		FUZZ_CHECK(i < left ? n == 0 : n >= pme_names_wanted(files[i]));
	}
}

static void search(const struct pme_ext4_geo *geo)
{
	struct pme_range bad = {DEVICE - 4096, 4096};
	const struct pme_range_list wanted = {.items = &bad, .count = 1};
	struct pme_ext4_candidates found = {0};
	const struct pme_ext4_door door = {.geo = geo, .fd = -1};
	const struct pme_ext4_search search = {&door, &found.marks, &wanted, -1};
	struct pme_file each[FILES] = {0}, *files[FILES];
	struct pme_names names = {0};
	size_t left;

	for (uint32_t i = 0; i < FILES; i++) {
		each[i].inode = 11 + i;
		each[i].mode = i % 4 == 3 ? S_IFDIR : S_IFREG;
		each[i].nlink = 1 + i % 2;
		files[i] = &each[i];
	}
	if (pme_ext4_pass(geo, &wanted, NULL, &found) == 0 &&
	    pme_ext4_names_find(&search, files, FILES, &names, &left) == 0)
		check_names(&names, files, left);
	pme_names_done(&names);
	pme_ext4_candidates_done(&found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pme_ext4_geo geo = {0};
	int fd = memfd_create("ext4", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, DEVICE) < 0)
		abort();
	if (size > 0 && size <= DEVICE && pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (pme_ext4_geo_read(&fd, DEVICE, &geo) == 0) {
		search(&geo);
		geo.has_csum = !geo.has_csum;
		search(&geo);
	}
	pme_ext4_geo_done(&geo);
	close(fd);
	return 0;
}
