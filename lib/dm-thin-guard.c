/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard of a metadata snapshot; see dm-thin-guard.h.  Messages: drivers/md/dm-thin.c.
 *
 * The guard itself reserves, so that the process that survives the other knows the result.  The
 * message to release names nothing, so every release but that of a moment ago is preceded by a look
 * at what is held.  The surprise: when the guard is killed within the message to reserve, nobody
 * can know whose snapshot there is; it is left alone, and said.
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
#include "dm-params.h"
#include "dm-thin-map.h"
#include "media.h"

#define LOCK_SECONDS 120U
#define RESERVE "reserve_metadata_snap"
#define RELEASE "release_metadata_snap"
#define RECORD_MAX 512
#define GONE 2 /* exit status of a guard: somebody else released it */

struct answer {
	int error;
	struct pme_thin_status status;
	struct pme_thin_mark mark;
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

/*
 * "DISKSEQ UUID" of the pool, as it is now: a pool that is made again has another number.  -ESTALE
 * when it is not the one of the snapshot of the machine.
 */
static int identify(const struct pme_thin_hold *hold, char **ret)
{
	unsigned int major_nr = major(hold->pool->devno), minor_nr = minor(hold->pool->devno);
	const char *expected = hold->pool->uuid ? hold->pool->uuid : "";
	_cleanup_free_ char *uuid = NULL, *number = NULL;
	const struct pme_os *os = hold->topo->os;
	uint64_t diskseq;
	int r;

	r = pme_os_read_line(os, &number, "sys/dev/block/%u:%u/diskseq", major_nr, minor_nr);
	if (r == 0)
		r = pme_os_read_line(os, &uuid, "sys/dev/block/%u:%u/dm/uuid", major_nr, minor_nr);
	if (r == 0)
		r = pme_parse_u64(number, strlen(number), &diskseq);
	if (r < 0)
		return r;
	if (diskseq != hold->pool->diskseq || strcmp(uuid, expected) != 0)
		return -ESTALE;
	*ret = pme_printf("%s %s", number, uuid);
	return *ret ? 0 : -ENOMEM;
}

static int read_boot(const struct pme_thin_hold *hold, char **ret)
{
	return pme_os_read_line(hold->topo->os, ret, "proc/sys/kernel/random/boot_id");
}

/* "Asking" when @mark is NULL. */
static int write_record(const struct pme_thin_hold *hold, const struct pme_thin_mark *mark)
{
	_cleanup_free_ char *boot = NULL, *text = NULL;
	int r = read_boot(hold, &boot);

	if (r < 0)
		return r;
	text = pme_thin_record_text(boot, hold->identity, mark);
	return text ? pme_os_rewrite(hold->lock, text, strlen(text)) : -ENOMEM;
}

static int empty_record(const struct pme_thin_hold *hold)
{
	return pme_os_rewrite(hold->lock, "", 0);
}

static enum pme_thin_record read_record(const struct pme_thin_hold *hold, struct pme_thin_mark *ret)
{
	_cleanup_free_ char *boot = NULL;
	char buf[RECORD_MAX] = "";

	if (read_boot(hold, &boot) < 0)
		return PME_THIN_RECORD_UNSURE;
	pme_os_pread(hold->lock, buf, sizeof(buf) - 1, 0); /* shorter: -ENODATA */
	return pme_thin_record_parse(buf, boot, hold->identity, ret);
}

/* What is held in @block; the sum stays unknown when it cannot be read. */
static int read_mark(const struct pme_thin_hold *hold, uint64_t block, struct pme_thin_mark *ret)
{
	unsigned char buf[PME_BTREE_BLOCK];
	const struct pme_dev *meta;
	struct pme_thin_pool table;
	uint64_t at;
	int r = pme_thin_pool_parse(hold->line, &table);

	*ret = (struct pme_thin_mark){.block = block, .sum = PME_THIN_NO_SUM};
	if (r == 0)
		r = pme_mul(block, PME_BTREE_BLOCK, &at);
	if (r < 0)
		return r;
	meta = pme_dm_lower(hold->pool, table.meta);
	r = meta ? pme_media_read_dev(hold->topo, meta, buf, sizeof(buf), at) : -ENODEV;
	if (r == 0)
		ret->sum = pme_btree_csum(buf, 0);
	return r;
}

/*
 * Release what @hold->mark says.  -ESTALE when that is not held any more; other errors: it is, or
 * perhaps.
 */
static int let_go(const struct pme_thin_hold *hold)
{
	struct pme_thin_status status = {0};
	struct pme_thin_mark now;
	int r = ask(hold, &status);

	if (r < 0)
		return r;
	if (status.failed)
		return -EIO;
	if (status.held == hold->mark.block) {
		r = read_mark(hold, status.held, &now);
		if (r < 0)
			return r;
		if (pme_thin_mark_same(&hold->mark, &now)) {
			r = pme_dm_message(hold->topo, hold->pool, RELEASE);
			return r < 0 ? r : empty_record(hold);
		}
	}
	r = empty_record(hold);
	return r < 0 ? r : -ESTALE;
}

static int reserve(struct pme_thin_hold *hold)
{
	int r = ask(hold, &hold->status);

	if (r == 0 && hold->status.held)
		r = -EBUSY;
	if (r == 0)
		r = write_record(hold, NULL);
	if (r < 0)
		return r;
	r = pme_dm_message(hold->topo, hold->pool, RESERVE);
	if (r < 0) {
		empty_record(hold);
		return r;
	}
	r = ask(hold, &hold->status);
	if (r == 0 && (hold->status.failed || hold->status.held == 0))
		r = -EIO;
	if (r == 0)
		r = read_mark(hold, hold->status.held, &hold->mark);
	if (r == 0)
		r = write_record(hold, &hold->mark);
	if (r < 0 && pme_dm_message(hold->topo, hold->pool, RELEASE) == 0)
		empty_record(hold);
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
	int r;

	setsid();
	prctl(PR_SET_NAME, "pmemctl-guard");
	close_others(socket, hold->lock);
	if (pme_os_open_root("/", &os) < 0)
		_exit(1);
	topo.os = &os;
	own.topo = &topo;
	answer.error = reserve(&own);
	answer.status = own.status;
	answer.mark = own.mark;
	(void)send(socket, &answer, sizeof(answer), MSG_NOSIGNAL);
	if (answer.error < 0)
		_exit(0);
	do {
		n = read(socket, &byte, 1);
	} while (n > 0 || (n < 0 && errno == EINTR));
	r = let_go(&own);
	_exit(r == -ESTALE ? GONE : r < 0 ? 1 : 0);
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

/* 0, -ESTALE, or another error when it was killed or could not release. */
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
	if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == GONE)
		return -ESTALE;
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
	hold->mark = answer.mark;
	return answer.error;
}

/* The guard was killed before it could say what it did.  -EBUSY: perhaps something is held. */
static int clean_up(struct pme_thin_hold *hold)
{
	enum pme_thin_record record = read_record(hold, &hold->mark);
	int r = 0;

	if (record == PME_THIN_RECORD_HELD) {
		r = let_go(hold);
		return r == -ESTALE ? 0 : r;
	}
	hold->mark.block = 0;
	if (record == PME_THIN_RECORD_UNSURE) {
		r = ask(hold, &hold->status);
		if (r == 0 && hold->status.held == 0)
			return empty_record(hold);
		hold->mark.block = r == 0 ? hold->status.held : 0;
		r = -EBUSY;
	}
	return r;
}

/* @block 0: not known. */
static char *say_held(const struct pme_dev *pool, uint64_t block, bool perhaps_ours)
{
	const char *name = pme_dev_label(pool);
	_cleanup_free_ char *where =
		block ? pme_printf(" (metadata block %" PRIu64 ")", block) : strdup("");

	return where ? pme_printf("the metadata snapshot of thin pool %s is held by %s%s: "
				  "'dmsetup status' shows it, and 'dmsetup message /dev/%s 0 %s' "
				  "releases it",
				  name,
				  perhaps_ours ? "somebody else or a pmemctl that was killed"
					       : "somebody else, or since a crash of the machine",
				  where, pool->name, RELEASE)
		     : NULL;
}

/* Release what a dead run of ours left; nothing else. */
static int clear_the_way(struct pme_thin_hold *hold, uint64_t held, char **ret_why)
{
	enum pme_thin_record record = read_record(hold, &hold->mark);
	bool perhaps = record == PME_THIN_RECORD_UNSURE || hold->mark.block == held;
	struct pme_thin_mark now;
	int r = -EBUSY;

	if (record == PME_THIN_RECORD_HELD && read_mark(hold, held, &now) == 0 &&
	    pme_thin_mark_same(&hold->mark, &now))
		r = let_go(hold);
	if (r < 0)
		*ret_why = say_held(hold->pool, held, perhaps);
	return r;
}

/* What the pool's state forbids. */
static int prepare(struct pme_thin_hold *hold, char **ret_why)
{
	const char *name = pme_dev_label(hold->pool);
	const struct pme_dev *suspended = pme_dev_suspended(hold->topo, hold->pool);
	struct pme_thin_status status = {0};
	int r;

	if (suspended) {
		*ret_why =
			pme_printf("the map of thin pool %s cannot be read while %s is suspended: "
				   "resume it, and scan again",
				   name, pme_dev_label(suspended));
		return -EAGAIN;
	}
	r = identify(hold, &hold->identity);
	if (r == 0)
		r = ask(hold, &status);
	if (r < 0) {
		*ret_why = pme_printf("cannot read the status of thin pool %s: %s", name,
				      r == -ESTALE ? "it was replaced meanwhile" : strerror(-r));
		return r;
	}
	if (status.failed) {
		*ret_why = pme_printf("thin pool %s has failed: its map cannot be read", name);
		return -EIO;
	}
	if (status.read_only || status.needs_check) {
		*ret_why = pme_printf("thin pool %s %s: it makes no metadata snapshot to read",
				      name, status.needs_check ? "needs a check" : "is read-only");
		return -EROFS;
	}
	return status.held ? clear_the_way(hold, status.held, ret_why) : 0;
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
		*ret_why = say_held(hold->pool, hold->mark.block, true);
	else if (r == -EBUSY)
		*ret_why = say_held(hold->pool, hold->status.held, false);
	else if (r != -ECHILD && hold->mark.block && hold->mark.sum == PME_THIN_NO_SUM)
		*ret_why = pme_printf("the map of thin pool %s cannot be read: metadata block "
				      "%" PRIu64 ": %s",
				      pme_dev_label(hold->pool), hold->mark.block, strerror(-r));
	else
		*ret_why = pme_printf("cannot reserve the metadata snapshot of thin pool %s: %s",
				      pme_dev_label(hold->pool),
				      r == -ECHILD ? "the guard process was killed" : strerror(-r));
	return r;
}

static void drop(struct pme_thin_hold *hold)
{
	pme_close_fd(&hold->lock);
	free(hold->identity);
	hold->identity = NULL;
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
		drop(ret);
	return r;
}

int pme_thin_release(struct pme_thin_hold *hold, char **ret_why)
{
	int r = end_guard(hold);

	*ret_why = NULL;
	if (r < 0 && r != -ESTALE)
		r = let_go(hold);
	if (r == -ESTALE)
		*ret_why = pme_printf("the metadata snapshot of thin pool %s was released by "
				      "somebody else while it was read",
				      pme_dev_label(hold->pool));
	else if (r < 0)
		*ret_why = say_held(hold->pool, hold->mark.block, true);
	drop(hold);
	return r;
}
