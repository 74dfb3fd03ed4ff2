/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Holders that /proc/PID does not show, in real processes: a thread that outlived the first one of
 * its process, and one with a table of descriptors of its own.
 */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "holders-fs.h"
#include "holders-threads.h"
#include "holders.h"

#define TEMPLATE "/dev/shm/pme-threads-XXXXXX" /* where maps and stat(2) show the same device */
#define SIZE 4096

struct fixture {
	struct pme_os os;
	struct pme_log log;
	char path[sizeof(TEMPLATE)];
	struct pme_file *file; /* unlinked, held by a process of two threads */
	bool alone;	       /* the second has its own descriptors; else the first has ended */
	int ready[2];
	pid_t child;
};

static struct fixture fixture;

static void *hold(void *arg)
{
	int fd;

	if (fixture.alone && unshare(CLONE_FILES) < 0)
		_exit(1);
	fd = open(fixture.path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ||
	    write(fixture.ready[1], "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
	return arg;
}

static void be_holder(void)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pthread_create(&thread, NULL, hold, NULL) != 0)
		_exit(1);
	while (fixture.alone)
		pause();
	syscall(SYS_exit, 0); /* of this thread only */
}

static void wait_for_end_of_first(void)
{
	for (int i = 0; i < 1000; i++) {
		_cleanup_free_ char *text = NULL;
		size_t len;

		assert_int_equal(pme_os_read_attr(&fixture.os, &text, &len, "proc/%d/stat",
						  (int)fixture.child),
				 0);
		if (strstr(text, ") Z "))
			return;
		usleep(10000);
	}
	fail_msg("the first thread has not ended");
}

static void make_holder(bool alone)
{
	char byte;

	fixture.alone = alone;
	assert_int_equal(pipe2(fixture.ready, O_CLOEXEC), 0);
	fixture.child = fork();
	assert_true(fixture.child >= 0);
	if (fixture.child == 0)
		be_holder();
	close(fixture.ready[1]);
	assert_int_equal(read(fixture.ready[0], &byte, 1), 1);
	close(fixture.ready[0]);
	unlink(fixture.path);
	if (!alone)
		wait_for_end_of_first();
}

static int set_up(void **state)
{
	struct stat st;
	int fd;

	fixture = (struct fixture){.path = TEMPLATE};
	assert_int_equal(pme_os_open_root("/", &fixture.os), 0);
	fd = mkstemp(fixture.path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	fixture.file = calloc(1, sizeof(*fixture.file));
	assert_non_null(fixture.file);
	fixture.file->devno = st.st_dev;
	fixture.file->inode = st.st_ino;
	fixture.file->mode = st.st_mode;
	return 0;
}

static int tear_down(void **state)
{
	if (fixture.child > 0) {
		kill(fixture.child, SIGKILL);
		waitpid(fixture.child, NULL, 0);
	}
	unlink(fixture.path);
	pme_file_free(fixture.file);
	pme_log_done(&fixture.log);
	pme_os_close(&fixture.os);
	return 0;
}

/* The path of a file without a name must lead to it. */
static void check_path(void)
{
	const struct pme_file *file = fixture.file;
	struct stat st;

	assert_int_equal(file->n_paths, 1);
	assert_string_equal(file->paths_reason, "unlinked, still open");
	assert_int_equal(pme_os_stat(&fixture.os, file->paths[0] + 1, true, &st), 0);
	assert_true(st.st_dev == file->devno && st.st_ino == file->inode);
}

static void check_holder(bool alone)
{
	const struct pme_holder *holder;

	make_holder(alone);
	assert_int_equal(pme_holders_find(&fixture.os, &fixture.file, 1, &fixture.log), 0);
	assert_int_equal(fixture.file->n_holders, 1);
	holder = &fixture.file->holders[0];
	assert_int_equal(holder->pid, fixture.child);
	assert_true(holder->open && holder->mapped);
	assert_string_equal(holder->command, "test-holders-th");
	assert_int_equal(holder->mapped_ranges.count, 1);
	check_path();
}

static void check_use(bool alone)
{
	const struct pme_topo topo = {.os = &fixture.os};
	struct pme_fs_use use = {.shown = fixture.file->devno};
	const struct pme_fs_holder *holder = NULL;
	struct pme_spaces spaces;

	make_holder(alone);
	assert_int_equal(pme_spaces_load(&topo, &fixture.log, &spaces), 0);
	assert_int_equal(pme_fs_holders_find(&topo, &spaces, &use, 1, &fixture.log), 0);
	for (size_t i = 0; i < use.n_holders; i++)
		if (use.holders[i].who.pid == fixture.child)
			holder = &use.holders[i];
	assert_non_null(holder);
	assert_true(holder->who.open && holder->who.mapped);
	assert_int_equal(holder->n_open, 1);
	assert_int_equal(holder->n_mapped, 1);
	pme_fs_use_done(&use);
	pme_spaces_done(&spaces);
}

static void test_outlived(void **state)
{
	check_holder(false);
}

static void test_alone(void **state)
{
	check_holder(true);
}

static void test_use_outlived(void **state)
{
	check_use(false);
}

static void test_use_alone(void **state)
{
	check_use(true);
}

static int is_bare(pid_t pid)
{
	_cleanup_free_ char *digits = pme_printf("%d", (int)pid);

	return pme_process_is_bare(&fixture.os, digits);
}

static void test_running_is_not_bare(void **state)
{
	make_holder(true);
	assert_int_equal(is_bare(getpid()), 0);
	assert_int_equal(is_bare(fixture.child), 0);
}

/* The first thread is dead like one that has ended, but the others have files. */
static void test_outlived_is_not_bare(void **state)
{
	make_holder(false);
	assert_int_equal(is_bare(fixture.child), 0);
}

static void test_ended_is_bare(void **state)
{
	siginfo_t info;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(is_bare(child), 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(is_bare(child), 0); /* nobody knows */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_outlived, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_use_outlived, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_use_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_running_is_not_bare, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outlived_is_not_bare, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ended_is_bare, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
