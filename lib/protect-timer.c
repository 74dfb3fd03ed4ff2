/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers of systemd; see protect-timer.h.
 */
#include "protect-timer.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#define UNITS "etc/systemd/system"
#define RUNNING "run/systemd/system" /* sd_booted(3) */

static int run(char *const argv[])
{
	char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *environment[] = {path, NULL};
	posix_spawn_file_actions_t actions;
	int status, r;
	pid_t pid;

	r = posix_spawn_file_actions_init(&actions);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY,
						     0);
	if (r == 0)
		r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int systemctl(char *verb, char *option, char *unit)
{
	char program[] = "systemctl";
	char *argv[] = {program, verb, option, unit, NULL};

	return run(argv);
}

static int reload(void)
{
	char verb[] = "daemon-reload";

	return systemctl(verb, NULL, NULL);
}

static int write_drop_in(const struct pme_os *os, const struct pme_protection *p)
{
	_cleanup_free_ char *dir = pme_printf(UNITS "/pmemctl-sync@%s.timer.d", p->id);
	_cleanup_free_ char *path = dir ? pme_printf("%s/every.conf", dir) : NULL;
	_cleanup_free_ char *text =
		pme_printf("# Written by pmemctl protect add.\n"
			   "[Timer]\n"
			   "OnActiveSec=%llu\n"
			   "OnUnitInactiveSec=%llu\n",
			   (unsigned long long)p->every, (unsigned long long)p->every);
	_cleanup_close_ int root = pme_os_open(os, ".", O_RDONLY | O_DIRECTORY);
	int r;

	if (!path || !text || root < 0)
		return root < 0 ? root : -ENOMEM;
	r = pme_os_make_dir(root, UNITS, 0755);
	if (r == 0 || r == -EEXIST)
		r = pme_os_make_dir(root, dir, 0755);
	return r < 0 && r != -EEXIST ? r : pme_os_replace_file(os, path, text, strlen(text), 0644);
}

int pme_timer_set(const struct pme_os *os, const struct pme_protection *p, struct pme_log *log)
{
	_cleanup_free_ char *unit = pme_printf("pmemctl-sync@%s.timer", p->id);
	char enable[] = "enable", now[] = "--now";
	int r;

	if (p->every == 0)
		return 0;
	r = unit ? pme_os_exists(os, RUNNING) : -ENOMEM;
	if (r == 0) {
		pme_log_add(log, PME_WARNING, p->path,
			    "systemd does not run here: nobody will sync it by itself");
		return 0;
	}
	if (r > 0)
		r = write_drop_in(os, p);
	if (r == 0)
		r = reload();
	if (r == 0)
		r = systemctl(enable, now, unit);
	if (r < 0)
		pme_log_add(log, PME_ERROR, unit ? unit : p->path,
			    "cannot be enabled, so nobody will sync %s by itself: %s", p->path,
			    strerror(-r));
	return r;
}

static int remove_drop_in(const struct pme_os *os, const struct pme_protection *p)
{
	_cleanup_free_ char *dir = pme_printf(UNITS "/pmemctl-sync@%s.timer.d", p->id);
	_cleanup_free_ char *path = dir ? pme_printf("%s/every.conf", dir) : NULL;
	int r = path ? pme_os_remove_file(os, path) : -ENOMEM;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	/* An administrator's own drop-ins stay. */
	if (unlinkat(os->root, dir, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != ENOENT)
		return -errno;
	return 0;
}

/* Whoever took the unit files away has left no timer that could be disabled. */
static void disable(const struct pme_protection *p, char *unit, struct pme_log *log)
{
	char verb[] = "disable", now[] = "--now";
	int r = systemctl(verb, now, unit);

	if (r < 0)
		pme_log_add(log, PME_WARNING, unit,
			    "cannot be disabled: if it still runs, it finds nothing to sync of %s",
			    p->path);
}

int pme_timer_unset(const struct pme_os *os, const struct pme_protection *p, struct pme_log *log)
{
	_cleanup_free_ char *unit = pme_printf("pmemctl-sync@%s.timer", p->id);
	int runs, r;

	if (p->every == 0)
		return 0;
	runs = unit ? pme_os_exists(os, RUNNING) : -ENOMEM;
	if (runs > 0)
		disable(p, unit, log);
	r = runs < 0 ? runs : remove_drop_in(os, p);
	if (r == 0 && runs > 0)
		r = reload();
	if (r < 0)
		pme_log_add(log, PME_ERROR, unit ? unit : p->path, "cannot be disabled: %s",
			    strerror(-r));
	return r;
}
