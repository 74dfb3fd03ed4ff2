/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/os-beneath.c: with openat2(2), and without it, as in a service with RestrictSUIDSGID=, a path
 * leads to the same.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"
#include "tree.h"

struct question {
	const char *path;
	int flags, error;
};

static const struct question questions[] = {
	{"a", O_RDONLY, 0},
	{"d/a", O_RDONLY, 0},
	{"d/e/b", O_PATH | O_NOFOLLOW, 0},
	{"./d//e/./b", O_RDONLY, 0},
	{"d", O_RDONLY | O_DIRECTORY, 0},
	{"d/", O_RDONLY | O_DIRECTORY, 0},
	{".", O_RDONLY | O_DIRECTORY, 0},
	{"a/", O_RDONLY, -ENOTDIR},
	{"a", O_RDONLY | O_DIRECTORY, -ENOTDIR},
	{"a/b", O_RDONLY, -ENOTDIR},
	{"none", O_RDONLY, -ENOENT},
	{"none/b", O_RDONLY, -ENOENT},
	{"", O_RDONLY, -ENOENT},
	{"/etc/passwd", O_RDONLY, -EXDEV},
	{"../a", O_RDONLY, -EXDEV},
	{"link", O_RDONLY, -ELOOP},
	{"link", O_RDONLY | O_NOFOLLOW, -ELOOP},
	{"link", O_PATH, -ELOOP},
	{"link", O_PATH | O_NOFOLLOW, 0},
	{"to-d/a", O_RDONLY, -ELOOP},
	{"d/out/a", O_RDONLY, -ELOOP},
};

static void ask_all(const struct tree *tree, ino_t *inodes)
{
	int dir = openat(tree->os.root, "t", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(dir >= 0);
	for (size_t i = 0; i < PME_ARRAY_SIZE(questions); i++) {
		const struct question *q = &questions[i];
		struct stat st = {0};
		int fd = pme_os_open_beneath(dir, q->path, q->flags);

		if (q->error ? fd != q->error : fd < 0)
			fail_msg("%s: %d, not %d", q->path, fd, q->error);
		if (fd < 0)
			continue;
		assert_int_equal(pme_os_fstat(fd, &st), 0);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		close(fd);
		if (inodes[i])
			assert_int_equal(st.st_ino, inodes[i]);
		inodes[i] = st.st_ino;
	}
	close(dir);
}

/* What is mounted below is not entered: /proc is there, whatever else the machine has. */
static void ask_mounts(void)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_true(root >= 0);
	assert_int_equal(pme_os_open_beneath(root, "proc", O_PATH), -EXDEV);
	assert_int_equal(pme_os_open_beneath(root, "proc/self", O_PATH), -EXDEV);
	close(root);
}

static void forbid_openat2(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {PME_ARRAY_SIZE(filter), filter};

	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	assert_int_equal(syscall(SYS_openat2, -1, "", NULL, 0), -1);
	assert_int_equal(errno, ENOSYS);
}

/* The filter stays to the end of the program. */
static void the_same_with_and_without(void **state)
{
	ino_t inodes[PME_ARRAY_SIZE(questions)] = {0};
	struct tree tree;

	(void)state;
	tree_init(&tree);
	tree_file(&tree, "t/a", "");
	tree_file(&tree, "t/d/a", "");
	tree_file(&tree, "t/d/e/b", "");
	tree_link(&tree, "t/link", "a");
	tree_link(&tree, "t/to-d", "d");
	tree_link(&tree, "t/d/out", "..");
	ask_all(&tree, inodes);
	ask_mounts();
	forbid_openat2();
	ask_all(&tree, inodes);
	ask_mounts();
	tree_done(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_with_and_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
