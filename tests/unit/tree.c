/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Made-up trees; see tree.h.  Everything fails the test at once when it cannot be made.
 */
#include "tree.h"

#include <fcntl.h>
#include <ftw.h>

#include "check.h"

void tree_init(struct tree *tree)
{
	*tree = (struct tree){.path = "/tmp/pmemctl-tree-XXXXXX"};
	assert_non_null(mkdtemp(tree->path));
	assert_int_equal(pme_os_open_root(tree->path, &tree->os), 0);
	tree->topo.os = &tree->os;
	tree_dir(tree, "sys/class/block");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void free_topo(const struct pme_topo *topo)
{
	struct pme_topo *copy = malloc(sizeof(*copy));

	assert_non_null(copy);
	*copy = *topo;
	pme_topo_free(copy);
}

void tree_done(struct tree *tree)
{
	free_topo(&tree->topo);
	pme_log_done(&tree->log);
	pme_os_close(&tree->os);
	assert_int_equal(nftw(tree->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void tree_dir(struct tree *tree, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	assert_non_null(copy);
	for (char *p = strchr(copy, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		assert_true(mkdirat(tree->os.root, copy, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
	assert_true(mkdirat(tree->os.root, copy, 0755) == 0 || errno == EEXIST);
}

static void make_parents(struct tree *tree, const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	assert_non_null(copy);
	assert_non_null(strrchr(copy, '/'));
	*strrchr(copy, '/') = '\0';
	tree_dir(tree, copy);
}

void tree_file(struct tree *tree, const char *path, const char *text)
{
	_cleanup_close_ int fd = -1;
	size_t len = strlen(text);

	make_parents(tree, path);
	fd = openat(tree->os.root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
}

void tree_link(struct tree *tree, const char *path, const char *target)
{
	make_parents(tree, path);
	assert_int_equal(symlinkat(target, tree->os.root, path), 0);
}

void tree_attr(struct tree *tree, const char *name, const char *attr, const char *text)
{
	_cleanup_free_ char *path = pme_printf("sys/class/block/%s/%s", name, attr);
	_cleanup_free_ char *line = pme_printf("%s\n", text);

	assert_true(path && line);
	tree_file(tree, path, line);
}

static void add_device(struct tree *tree, const char *name, const char *folder)
{
	_cleanup_free_ char *real = pme_printf("sys/devices/virtual/block/%s", folder);
	_cleanup_free_ char *target = pme_printf("../../devices/virtual/block/%s", folder);
	_cleanup_free_ char *link = pme_printf("sys/class/block/%s", name);

	assert_true(real && target && link);
	tree_dir(tree, real);
	tree_link(tree, link, target);
}

void tree_disk(struct tree *tree, const char *name, const char *devno, const char *size_sect)
{
	add_device(tree, name, name);
	tree_attr(tree, name, "dev", devno);
	tree_attr(tree, name, "size", size_sect);
}

void tree_partition(struct tree *tree, const char *disk, const char *name, const char *devno,
		    const char *start_sect, const char *size_sect)
{
	_cleanup_free_ char *folder = pme_printf("%s/%s", disk, name);

	assert_non_null(folder);
	add_device(tree, name, folder);
	tree_attr(tree, name, "dev", devno);
	tree_attr(tree, name, "size", size_sect);
	tree_attr(tree, name, "start", start_sect);
	tree_attr(tree, name, "partition", name + strlen(name) - 1);
}

void tree_slave(struct tree *tree, const char *lower, const char *upper)
{
	_cleanup_free_ char *slave = pme_printf("sys/class/block/%s/slaves/%s", upper, lower);

	assert_non_null(slave);
	tree_link(tree, slave, "../anywhere"); /* the name says all */
}

const char *tree_message(const struct tree *tree, const char *subject)
{
	for (size_t i = 0; i < tree->log.count; i++)
		if (strcmp(tree->log.messages[i].subject, subject) == 0)
			return tree->log.messages[i].text;
	return NULL;
}
