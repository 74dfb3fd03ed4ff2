/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard of a metadata snapshot; see dm-thin-guard.h.  Messages: drivers/md/dm-thin.c.
 *
 * The guard itself reserves, so that the process that survives the other knows the result.  The
 * record: "BOOT asking" from just before the message, "BOOT held BLOCK" after it, empty when
 * nothing is held.  The surprise: when both processes are killed within the message, the next run
 * cannot know whose snapshot it finds; it says so and leaves it alone.
 */
#include "dm-thin-guard.h"

#include <inttypes.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "dm-ask.h"

#define LOCK_SECONDS 120U
#define RESERVE "reserve_metadata_snap"
#define RELEASE "release_metadata_snap"
#define RECORD_MAX 128

struct answer {
	int error;
	struct pme_thin_status status;
};

static int next_pair(const char **pos, const char *end, uint64_t *ret_total)
{
	const char *word, *slash;
	size_t len;
	uint64_t used;

	if (pme_next_word(pos, end, &word, &len) != 1)
		return -EINVAL;
	slash = memchr(word, '/', len);
	if (!slash || pme_parse_u64(word, slash - word, &used) < 0 ||
	    pme_parse_u64(slash + 1, word + len - (slash + 1), ret_total) < 0)
		return -EINVAL;
	return 0;
}

/* TRANSACTION USED/TOTAL USED/TOTAL HELD|- MODE DISCARD WHEN-FULL needs_check|- LOW-WATER */
int pme_thin_status_parse(const char *text, struct pme_thin_status *ret)
{
	const char *pos = text, *end = text + strlen(text), *word;
	struct pme_thin_status status = {0};
	uint64_t number;
	size_t len;

	if (pme_next_word(&pos, end, &word, &len) != 1)
		return -EINVAL;
	if (pme_word_is(word, len, "Fail") || pme_word_is(word, len, "Error")) {
		*ret = (struct pme_thin_status){.failed = true};
		return 0;
	}
	if (pme_parse_u64(word, len, &number) < 0 || next_pair(&pos, end, &number) < 0 ||
	    next_pair(&pos, end, &status.data_blocks) < 0 ||
	    pme_next_word(&pos, end, &word, &len) != 1 ||
	    (!pme_word_is(word, len, "-") && pme_parse_u64(word, len, &status.held) < 0) ||
	    pme_next_word(&pos, end, &word, &len) != 1)
		return -EINVAL;
	status.read_only = pme_word_is(word, len, "ro");
	while (pme_next_word(&pos, end, &word, &len) == 1)
		if (pme_word_is(word, len, "needs_check"))
			status.needs_check = true;
	*ret = status;
	return 0;
}

static int ask(const struct pme_thin_hold *hold, struct pme_thin_status *ret)
{
	_cleanup_free_ char *text = NULL;
	int r = pme_dm_status(hold->topo, hold->pool, hold->line, PME_DM_NO_FLUSH, &text);

	return r < 0 ? r : pme_thin_status_parse(text, ret);
}

/* Empty when @state is NULL. */
static int write_record(const struct pme_thin_hold *hold, const char *state, uint64_t block)
{
	_cleanup_free_ char *boot = NULL, *text = NULL;
	int r;

	if (!state)
		return pme_os_rewrite(hold->lock, "", 0);
	r = pme_os_read_line(hold->topo->os, &boot, "proc/sys/kernel/random/boot_id");
	if (r < 0)
		return r;
	text = pme_printf("%s %s %" PRIu64 "\n", boot, state, block);
	return text ? pme_os_rewrite(hold->lock, text, strlen(text)) : -ENOMEM;
}

enum record { RECORD_NONE, RECORD_ASKING, RECORD_HELD };

/* What the record says of this boot. */
static enum record read_record(const struct pme_thin_hold *hold, uint64_t *ret_block)
{
	_cleanup_free_ char *boot = NULL;
	char buf[RECORD_MAX] = "";
	const char *pos = buf, *end, *word;
	enum record record = RECORD_NONE;
	size_t len;

	if (pme_os_read_line(hold->topo->os, &boot, "proc/sys/kernel/random/boot_id") < 0)
		return RECORD_NONE;
	pme_os_pread(hold->lock, buf, sizeof(buf) - 1, 0); /* shorter: -ENODATA */
	end = buf + strcspn(buf, "\n");
	if (pme_next_word(&pos, end, &word, &len) != 1 || !pme_word_is(word, len, boot) ||
	    pme_next_word(&pos, end, &word, &len) != 1)
		return RECORD_NONE;
	if (pme_word_is(word, len, "asking"))
		record = RECORD_ASKING;
	else if (pme_word_is(word, len, "held"))
		record = RECORD_HELD;
	if (pme_next_word(&pos, end, &word, &len) != 1 || pme_parse_u64(word, len, ret_block) < 0)
		return RECORD_NONE;
	return record;
}

/* Release, make sure, and empty the record. */
static int let_go(const struct pme_thin_hold *hold)
{
	struct pme_thin_status status = {0};
	int r = pme_dm_message(hold->topo, hold->pool, RELEASE);

	if (r < 0 && ask(hold, &status) == 0 && !status.failed && status.held == 0)
		r = 0;
	return r < 0 ? r : write_record(hold, NULL, 0);
}

static int reserve(const struct pme_thin_hold *hold, struct pme_thin_status *ret)
{
	int r = ask(hold, ret);

	if (r == 0 && ret->held)
		r = -EBUSY;
	if (r == 0)
		r = write_record(hold, "asking", 0);
	if (r < 0)
		return r;
	r = pme_dm_message(hold->topo, hold->pool, RESERVE);
	if (r < 0) {
		write_record(hold, NULL, 0);
		return r;
	}
	r = ask(hold, ret);
	if (r == 0 && (ret->failed || ret->held == 0))
		r = -EIO;
	if (r == 0)
		r = write_record(hold, "held", ret->held);
	if (r < 0)
		let_go(hold);
	return r;
}

/* Descriptors of the parent do not live longer by the guard: a mount, a pipe. */
static void close_others(int keep, int keep_too)
{
	unsigned int low = (unsigned int)(keep < keep_too ? keep : keep_too);
	unsigned int high = (unsigned int)(keep < keep_too ? keep_too : keep);

	if (low > 0)
		close_range(0, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

static void run_guard(const struct pme_thin_hold *hold, int socket)
{
	struct pme_os os = {.root = -1};
	struct pme_topo topo = *hold->topo;
	struct pme_thin_hold own = *hold;
	struct answer answer = {0};
	char byte;
	ssize_t n;

	setsid();
	prctl(PR_SET_NAME, "pmemctl-guard");
	close_others(socket, hold->lock);
	if (pme_os_open_root("/", &os) < 0)
		_exit(1);
	topo.os = &os;
	own.topo = &topo;
	answer.error = reserve(&own, &answer.status);
	(void)send(socket, &answer, sizeof(answer), MSG_NOSIGNAL);
	if (answer.error < 0)
		_exit(0);
	do {
		n = read(socket, &byte, 1);
	} while (n > 0 || (n < 0 && errno == EINTR));
	_exit(let_go(&own) < 0 ? 1 : 0);
}

/* All signals are blocked before it exists, so that none can end it but SIGKILL. */
static int start_guard(struct pme_thin_hold *hold)
{
	sigset_t all, before;
	int pair[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	hold->guard = fork();
	if (hold->guard < 0)
		r = -errno;
	if (hold->guard == 0)
		run_guard(hold, pair[1]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	hold->socket = pair[0];
	return r;
}

/* Its exit status: 0, or -errno when it was killed or could not release. */
static int end_guard(struct pme_thin_hold *hold)
{
	int status = 0;
	pid_t pid;

	pme_close_fd(&hold->socket);
	hold->socket = -1;
	do {
		pid = waitpid(hold->guard, &status, 0);
	} while (pid < 0 && errno == EINTR);
	hold->guard = -1;
	return pid > 0 && status == 0 ? 0 : -ECHILD;
}

static int hear(struct pme_thin_hold *hold)
{
	struct answer answer;
	ssize_t n;

	do {
		n = recv(hold->socket, &answer, sizeof(answer), MSG_WAITALL);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(answer))
		return -ECHILD;
	hold->status = answer.status;
	return answer.error;
}

/* The guard was killed.  What it recorded just now is ours: nobody else had it a moment before. */
static int clean_up(struct pme_thin_hold *hold)
{
	struct pme_thin_status status = {0};
	uint64_t block = 0;
	enum record record = read_record(hold, &block);
	int r;

	if (record == RECORD_NONE)
		return 0;
	r = ask(hold, &status);
	if (r < 0)
		return r;
	if (status.held && (record == RECORD_ASKING || status.held == block))
		return let_go(hold);
	return write_record(hold, NULL, 0);
}

static char *say_held(const struct pme_dev *pool, uint64_t block, bool perhaps_ours)
{
	const char *name = pool->alias ? pool->alias : pool->name;

	return pme_printf(
		"the metadata snapshot of thin pool %s is held by %s (metadata block %" PRIu64
		"): 'dmsetup status' shows it, and 'dmsetup message /dev/%s 0 %s' releases "
		"it",
		name, perhaps_ours ? "somebody else or a pmemctl that was killed" : "somebody else",
		block, pool->name, RELEASE);
}

/* What the pool's state forbids, and what a dead run of ours left. */
static int prepare(struct pme_thin_hold *hold, char **ret_why)
{
	const char *name = pme_dev_label(hold->pool);
	struct pme_thin_status status = {0};
	uint64_t block = 0;
	enum record record = read_record(hold, &block);
	int r = ask(hold, &status);

	if (r < 0) {
		*ret_why = pme_printf("cannot read the status of thin pool %s: %s", name,
				      strerror(-r));
		return r;
	}
	if (status.failed) {
		*ret_why = pme_printf("thin pool %s has failed: its map cannot be read", name);
		return -EIO;
	}
	if (status.held && !(record == RECORD_HELD && status.held == block)) {
		*ret_why = say_held(hold->pool, status.held, record == RECORD_ASKING);
		return -EBUSY;
	}
	if (status.read_only || status.needs_check) {
		*ret_why = pme_printf("thin pool %s %s: it makes no metadata snapshot to read",
				      name, status.needs_check ? "needs a check" : "is read-only");
		return -EROFS;
	}
	r = status.held ? let_go(hold) : 0;
	if (r < 0)
		*ret_why = say_held(hold->pool, status.held, true);
	return r;
}

static int lock_record(struct pme_thin_hold *hold, char **ret_why)
{
	_cleanup_free_ char *path = pme_printf("run/pmemctl/thin-pool-%u:%u",
					       major(hold->pool->devno), minor(hold->pool->devno));
	int r;

	if (!path)
		return -ENOMEM;
	r = pme_os_open_record(hold->topo->os, "run/pmemctl", path);
	if (r >= 0) {
		hold->lock = r;
		r = pme_os_lock(hold->lock, LOCK_SECONDS);
	}
	if (r == -ETIMEDOUT)
		*ret_why = pme_printf("another pmemctl reads the map of thin pool %s since %u s",
				      pme_dev_label(hold->pool), LOCK_SECONDS);
	else if (r < 0)
		*ret_why = pme_printf("cannot lock /%s: %s", path, strerror(-r));
	return r < 0 ? r : 0;
}

static int start(struct pme_thin_hold *hold, char **ret_why)
{
	int r = start_guard(hold);

	if (r == 0)
		r = hear(hold);
	if (r == 0)
		return 0;
	if (hold->guard > 0)
		end_guard(hold);
	if (r == -ECHILD && clean_up(hold) < 0)
		*ret_why = say_held(hold->pool, 0, true);
	else if (r == -EBUSY)
		*ret_why = say_held(hold->pool, hold->status.held, false);
	else
		*ret_why = pme_printf("cannot reserve the metadata snapshot of thin pool %s: %s",
				      pme_dev_label(hold->pool),
				      r == -ECHILD ? "the guard process was killed" : strerror(-r));
	return r;
}

int pme_thin_hold(const struct pme_topo *topo, const struct pme_dev *pool,
		  const struct pme_dm_line *line, struct pme_thin_hold *ret, char **ret_why)
{
	int r;

	*ret = (struct pme_thin_hold){
		.topo = topo, .pool = pool, .line = line, .lock = -1, .socket = -1, .guard = -1};
	*ret_why = NULL;
	if (!pme_topo_is_host(topo)) {
		*ret_why = pme_printf("the map of thin pool %s can only be read on its own machine",
				      pme_dev_label(pool));
		return -EOPNOTSUPP;
	}
	r = lock_record(ret, ret_why);
	if (r == 0)
		r = prepare(ret, ret_why);
	if (r == 0)
		r = start(ret, ret_why);
	if (r < 0)
		pme_close_fd(&ret->lock);
	return r;
}

int pme_thin_release(struct pme_thin_hold *hold, char **ret_why)
{
	int r = end_guard(hold);

	*ret_why = NULL;
	if (r < 0)
		r = clean_up(hold);
	if (r < 0)
		*ret_why = say_held(hold->pool, hold->status.held, true);
	pme_close_fd(&hold->lock);
	return r;
}
