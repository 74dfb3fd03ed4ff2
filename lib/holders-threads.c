/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads with descriptors of their own; see holders-threads.h.
 *
 * Every search asks this of every process: one that has no other threads, as most, costs a single
 * stat(2).
 */
#include "holders-threads.h"

#include <string.h>

/* Of the folder /proc/PID/task: "." and ".." and the first thread. */
#define LINKS_OF_ONE 3

static int number_of(const char *name, pid_t *ret)
{
	uint64_t number;
	int r = pme_parse_u64(name, strlen(name), &number);

	*ret = (pid_t)number;
	return r < 0 || number > INT32_MAX ? -EINVAL : 0;
}

/* Where that cannot be asked, no two have the same: rather look twice than not at all. */
static bool have_same_files(const char *a, const char *b)
{
	pid_t p, q;

	return number_of(a, &p) == 0 && number_of(b, &q) == 0 && pme_os_same_files(p, q) == 1;
}

/* Does none of the threads kept so far, and not the process, have the descriptors of @name? */
static bool is_apart(const char *pid, char *const *kept, size_t n_kept, const char *name)
{
	if (strcmp(name, pid) == 0 || have_same_files(name, pid))
		return false;
	while (n_kept > 0)
		if (have_same_files(name, kept[--n_kept]))
			return false;
	return true;
}

/* Leave those that are apart, in front; the others are freed. */
static size_t keep_apart(const char *pid, char **names, size_t count)
{
	size_t n_kept = 0;

	for (size_t i = 0; i < count; i++) {
		char *name = pme_take_ptr(names[i]);

		if (is_apart(pid, names, n_kept, name))
			names[n_kept++] = name;
		else
			free(name);
	}
	return n_kept;
}

/* How many links the folder of its threads has: 0 or -errno. */
static int stat_task(const struct pme_os *os, const char *path, nlink_t *ret)
{
	struct stat st;
	int r = path ? pme_os_stat(os, path, true, &st) : -ENOMEM;

	*ret = r < 0 ? 0 : st.st_nlink;
	return r;
}

int pme_process_is_bare(const struct pme_os *os, const char *pid)
{
	_cleanup_free_ char *exe = pme_printf("proc/%s/exe", pid), *target = NULL;
	_cleanup_free_ char *task = pme_printf("proc/%s/task", pid);
	nlink_t links;
	int r;

	if (!exe || !task)
		return -ENOMEM;
	r = pme_os_readlink(os, exe, &target);
	if (r == -EACCES || r == -EPERM)
		return r;
	return r == -ENOENT && stat_task(os, task, &links) == 0 && links == LINKS_OF_ONE;
}

int pme_threads_apart(const struct pme_os *os, const char *pid, char ***ret, size_t *ret_count)
{
	_cleanup_free_ char *path = pme_printf("proc/%s/task", pid);
	nlink_t links;
	int r = stat_task(os, path, &links);

	*ret_count = 0;
	if (r < 0 || links == LINKS_OF_ONE)
		return r;
	r = pme_os_list(os, path, ret, ret_count);
	if (r == 0)
		*ret_count = keep_apart(pid, *ret, *ret_count);
	return r;
}
