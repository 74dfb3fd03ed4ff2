/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl protect: copies of files, made before anything is lost.
 */
#include <string.h>

#include "cli.h"
#include "event.h"
#include "protect-timer.h"
#include "protect.h"
#include "text.h"

enum action { ADD, LIST, SYNC, VERIFY, REMOVE };
static const char *const actions[] = {"add", "list", "sync", "verify", "remove"};

struct work {
	struct cli *cli;
	enum action action;
	struct pme_topo *topo;
	uint64_t rate, keep, every;
	struct json_object *array;
};

static void empty_protect(struct json_object *doc)
{
	pme_json_set(doc, "action", NULL);
	pme_json_set(doc, "protections", pme_json_array());
}

static int usage(struct cli *cli, const char *subject, const char *text)
{
	pme_log_add(&cli->log, PME_ERROR, subject, "%s", text);
	return -EINVAL;
}

/* --- the document --- */

static void time_json(struct json_object *object, const char *key, int64_t time)
{
	if (time > 0)
		pme_json_owned_text(object, key, pme_time_text(time));
	else
		pme_json_text(object, key, NULL);
}

static struct json_object *state_json(const struct pme_protection_state *state)
{
	struct json_object *object = pme_json_object();

	pme_json_number(object, "generation", state->generation);
	time_json(object, "synced", state->synced);
	pme_json_bool(object, "whole", state->whole);
	pme_json_number(object, "files", state->files);
	pme_json_number(object, "bytes", state->bytes);
	pme_json_number(object, "not_kept", state->not_kept);
	time_json(object, "verified", state->verified);
	pme_json_number(object, "damaged", state->damaged);
	return object;
}

static struct json_object *sync_json(const struct pme_sync_run *run)
{
	struct json_object *object = pme_json_object();

	pme_json_number(object, "files", run->files);
	pme_json_number(object, "bytes", run->bytes);
	pme_json_number(object, "kept", run->kept);
	pme_json_number(object, "unchanged", run->unchanged);
	pme_json_number(object, "not_kept", run->not_kept);
	pme_json_number(object, "by_digest", run->by_digest);
	pme_json_number(object, "without_proof", run->unsettled);
	pme_json_number(object, "removed", run->removed);
	pme_json_number(object, "unseen", run->unseen);
	pme_json_number(object, "bytes_read", run->bytes_read);
	pme_json_number(object, "bytes_written", run->bytes_written);
	pme_json_number(object, "unreadable_blocks", run->unreadable);
	pme_json_number(object, "hard_links", run->links);
	pme_json_number(object, "symbolic_links", run->symlinks);
	pme_json_number(object, "special_files", run->special);
	pme_json_number(object, "mounts", run->mounts);
	return object;
}

static struct json_object *verify_json(const struct pme_verify_run *run)
{
	struct json_object *object = pme_json_object();

	pme_json_number(object, "versions", run->versions);
	pme_json_number(object, "bytes", run->bytes);
	pme_json_number(object, "damaged_versions", run->damaged_versions);
	pme_json_number(object, "damaged_blocks", run->damaged_blocks);
	return object;
}

static struct json_object *share_json(const struct pme_share *share)
{
	struct json_object *object = pme_json_object();

	pme_json_number(object, "files", share->files);
	pme_json_number(object, "bytes", share->bytes);
	pme_json_number(object, "repairable_bytes", share->repairable_bytes);
	pme_json_number(object, "checkpoint_files", share->checkpoint_files);
	pme_json_number(object, "unkept_files", share->unkept_files);
	pme_json_number(object, "damaged_files", share->damaged_files);
	return object;
}

static struct json_object *apart_json(const struct work *w, const struct pme_protection *p)
{
	_cleanup_free_ char *name = NULL;
	struct json_object *object = pme_json_object();

	pme_json_text(object, "verdict", pme_apart_name(pme_protect_apart(w->topo, p, &name)));
	pme_json_text(object, "device", name);
	return object;
}

/* What is the same for all actions; the caller sets what it did. */
static struct json_object *protection_json(const struct work *w, const struct pme_protection *p)
{
	struct json_object *object = pme_json_object();
	struct pme_protection_state state;
	int r = pme_protection_state_load(w->cli->os, p->id, &state);

	if (r < 0)
		pme_log_incomplete(&w->cli->log, p->path, "its state cannot be read: %s",
				   r == -EINVAL ? "it makes no sense" : strerror(-r));
	pme_json_text(object, "id", p->id);
	pme_json_set(object, "path", pme_json_path(p->path));
	pme_json_set(object, "replica", pme_json_path(p->replica));
	pme_json_text(object, "filesystem", p->fs_uuid);
	pme_json_number(object, "keep", p->keep);
	pme_json_number(object, "every", p->every ? p->every : UINT64_MAX);
	pme_json_set(object, "failure_domain", apart_json(w, p));
	pme_json_set(object, "state", r < 0 ? NULL : state_json(&state));
	pme_json_set(object, "sync", NULL);
	pme_json_set(object, "verify", NULL);
	pme_json_set(object, "share", NULL);
	pme_json_append(w->array, object);
	return object;
}

/* --- the actions --- */

static int add_one(struct work *w, const char *path)
{
	_cleanup_(pme_protection_done) struct pme_protection p = {0};
	int r = pme_protect_add(w->topo, path, w->cli->replica, w->keep, w->every, &w->cli->log,
				&p);

	if (r < 0)
		return r;
	protection_json(w, &p);
	return pme_timer_set(w->cli->os, &p, &w->cli->log);
}

static int list_one(struct work *w, const struct pme_protection *p)
{
	struct json_object *object = protection_json(w, p);
	struct pme_share share;
	int r = pme_protect_share(w->topo, p, &w->cli->log, &share);

	if (r == 0)
		pme_json_set(object, "share", share_json(&share));
	return r;
}

static int sync_one(struct work *w, const struct pme_protection *p)
{
	struct pme_sync_run run;
	int r = pme_protect_sync(w->topo, p, &w->cli->log, &run);

	pme_json_set(protection_json(w, p), "sync", r == 0 ? sync_json(&run) : NULL);
	return r;
}

static int verify_one(struct work *w, const struct pme_protection *p)
{
	struct pme_verify_run run;
	int r = pme_protect_verify(w->cli->os, p, w->rate, &w->cli->log, &run);

	pme_json_set(protection_json(w, p), "verify", r == 0 ? verify_json(&run) : NULL);
	if (r == 0 && run.damaged_versions > 0)
		w->cli->exit_status |= PME_EXIT_BAD;
	return r;
}

static int remove_one(struct work *w, const struct pme_protection *p)
{
	int r;

	protection_json(w, p);
	r = pme_protect_remove(w->topo, p, w->cli->purge, w->cli->force, &w->cli->log);
	return r < 0 ? r : pme_timer_unset(w->cli->os, p, &w->cli->log);
}

/* 1: what is recorded of it made no sense, and is forgotten; 0, -errno. */
static int remove_damaged(const struct work *w, const char *id)
{
	/* whether it had a timer, nobody knows any more */
	const struct pme_protection p = {.id = (char *)id, .path = (char *)id, .every = 1};
	int r = pme_protect_remove_damaged(w->cli->os, id, &w->cli->log);

	return r <= 0 ? r : pme_timer_unset(w->cli->os, &p, &w->cli->log) < 0 ? -EIO : 1;
}

static int do_one(struct work *w, const struct pme_protection *p)
{
	switch (w->action) {
	case LIST:
		return list_one(w, p);
	case SYNC:
		return sync_one(w, p);
	case VERIFY:
		return verify_one(w, p);
	case REMOVE:
		return remove_one(w, p);
	case ADD:
		break;
	}
	return -EINVAL;
}

/* By its path as it was given or really is, or by its ID. */
static bool is_named(const struct work *w, const struct pme_protection *p, const char *name)
{
	_cleanup_free_ char *real = NULL;

	if (strcmp(p->id, name) == 0 || strcmp(p->path, name) == 0)
		return true;
	return pme_protect_real_path(w->cli->os, name, &real) == 0 && strcmp(p->path, real) == 0;
}

static int do_named(struct work *w, const struct pme_protections *all, const char *name)
{
	int r = 0;

	for (size_t i = 0; i < all->count; i++)
		if (is_named(w, &all->items[i], name))
			return do_one(w, &all->items[i]);
	if (w->action == REMOVE)
		r = remove_damaged(w, name);
	if (r != 0)
		return r < 0 ? r : 0;
	pme_log_add(&w->cli->log, PME_ERROR, name, "not under protection");
	return -ENOENT;
}

static bool is_named_before(const struct cli *cli, size_t at)
{
	for (size_t a = 1; a < at; a++)
		if (strcmp(cli->args[a], cli->args[at]) == 0)
			return true;
	return false;
}

/* The first error; the others are done none the less. */
static int do_all(struct work *w, const struct pme_protections *all)
{
	const struct cli *cli = w->cli;
	int first = 0;

	for (size_t i = 0; cli->n_args == 1 && i < all->count; i++) {
		int r = do_one(w, &all->items[i]);

		if (r < 0 && first == 0)
			first = r;
	}
	for (size_t a = 1; a < cli->n_args; a++) {
		int r = is_named_before(cli, a) ? 0 : do_named(w, all, cli->args[a]);

		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

static int add_all(struct work *w)
{
	int first = 0;

	for (size_t a = 1; a < w->cli->n_args; a++) {
		int r = add_one(w, w->cli->args[a]);

		if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

/* --- options --- */

/* "90", "90s", "15m", "1h", "7d" in seconds: 0 or -EINVAL. */
static int take_period(const char *text, uint64_t *ret)
{
	static const struct {
		char suffix;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t len = strlen(text);
	uint64_t unit = 1;

	for (size_t i = 0; len > 0 && i < PME_ARRAY_SIZE(units); i++) {
		if (text[len - 1] == units[i].suffix) {
			unit = units[i].seconds;
			len--;
			break;
		}
	}
	if (pme_parse_u64(text, len, ret) < 0 || pme_mul(*ret, unit, ret) < 0 || *ret < 60 ||
	    *ret > PME_PROTECT_EVERY_MAX)
		return -EINVAL;
	return 0;
}

static int take_options(struct work *w)
{
	struct cli *cli = w->cli;

	w->keep = PME_PROTECT_KEEP;
	w->rate = PME_PROTECT_RATE;
	if (w->action != ADD && (cli->replica || cli->keep || cli->every))
		return usage(cli, actions[w->action], "takes no --replica, --keep, --every");
	if (w->action != VERIFY && cli->rate)
		return usage(cli, actions[w->action], "takes no --rate");
	if (w->action != REMOVE && (cli->purge || cli->force))
		return usage(cli, actions[w->action], "takes no --purge, --force");
	if (cli->keep && (pme_parse_u64(cli->keep, strlen(cli->keep), &w->keep) < 0 ||
			  w->keep == 0 || w->keep > PME_PROTECT_KEEP_MAX))
		return usage(cli, cli->keep, "not a number of versions: expected 1 to 1000");
	if (cli->every && take_period(cli->every, &w->every) < 0)
		return usage(cli, cli->every,
			     "not a period: expected 15m, 1h, 7d, from a minute to a year");
	if (cli->rate && (pme_size_parse(cli->rate, strlen(cli->rate), &w->rate) < 0))
		return usage(cli, cli->rate,
			     "not a rate: expected bytes a second, or a number with suffix k, m or "
			     "g; 0: as fast as it goes");
	if ((w->action == ADD || w->action == REMOVE) && cli->n_args < 2)
		return usage(cli, actions[w->action], "a path is missing");
	return 0;
}

static int take_action(struct cli *cli, enum action *ret)
{
	for (size_t i = 0; i < PME_ARRAY_SIZE(actions); i++) {
		if (strcmp(cli->args[0], actions[i]) == 0) {
			*ret = (enum action)i;
			return 0;
		}
	}
	return usage(cli, cli->args[0], "expected add, list, sync, verify or remove");
}

static int run_protect(struct cli *cli, struct json_object *doc)
{
	_cleanup_(pme_protections_done) struct pme_protections all = {0};
	struct work w = {.cli = cli};
	int r;

	empty_protect(doc);
	r = take_action(cli, &w.action);
	if (r == 0)
		r = take_options(&w);
	if (r < 0)
		return r;
	pme_json_text(doc, "action", actions[w.action]);
	w.array = pme_json_get(doc, "protections");
	r = pme_topo_load(cli->os, &cli->log, &w.topo);
	if (r == 0 && w.action != ADD) {
		r = pme_protections_load(cli->os, &cli->log, &all);
		if (r < 0 && r != -ENOMEM)
			pme_protections_error(&cli->log, PME_ERROR, r);
	}
	if (r == 0)
		r = w.action == ADD ? add_all(&w) : do_all(&w, &all);
	pme_topo_free(w.topo);
	/* Said in the log, and the document has the rest. */
	return r == -ENOMEM || !cli->log.failed ? r : 0;
}

/* The document keeps its shape. */
const struct cmd cmd_protect = {
	.name = "protect",
	.format = "pmemctl.protect",
	.usage = "add PATH… [--replica DIR] [--keep N] [--every TIME] | list|sync|verify [PATH…] | "
		 "remove PATH…",
	.summary = "copies of files, with proof, before anything is lost",
	.help = "\n  add     put files or whole trees under protection\n"
		"  list    what is protected, how old the copies are, how much could be got back\n"
		"  sync    bring the copies up to date\n"
		"  verify  read the copies again and compare them with their digests\n"
		"  remove  end protection, and take the checkpoints away\n\n"
		"  --replica DIR  where the copies go: on another filesystem\n"
		"                 (default: /var/lib/pmemctl/replica)\n"
		"  --keep N       versions of each file (default: 2)\n"
		"  --every TIME   sync by a timer: 15m, 1h, 7d (default: nobody does it)\n"
		"  --rate BYTES   of verify, a second (default: 64m; 0: as fast as it goes)\n"
		"  --purge        of remove: the copies, too\n"
		"  --force        of remove: also when its filesystem is not mounted\n",
	.options = CLI_PROTECT | CLI_FORCE,
	.min_args = 1,
	.max_args = SIZE_MAX,
	.run = run_protect,
	.empty = empty_protect,
	.text = text_protect,
};
