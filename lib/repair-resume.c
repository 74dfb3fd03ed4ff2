/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an earlier repair left: finished, or taken back; see repair-work.h for the rule.
 *
 * It needs no donor: good bytes that may be needed still are in the staging folder, and which file
 * needs them is told by its blocks.  What does not fit together is said and left as it is.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "doc.h"
#include "remap.h"
#include "repair-place.h"
#include "vault.h"

struct resume {
	struct pme_work work;
	struct json_object *repair; /* of the journal; borrowed */
	const char *last;	    /* name of its last act; "" for none */
	bool parked;		    /* it had come to the act after the last switch */
	bool cleaned;		    /* it had come to its last act */
	bool ended;		    /* by somebody else, meanwhile */
};

static void resume_done(struct resume *resume)
{
	pme_work_done(&resume->work);
}

static bool is_digest(const char *text)
{
	return strlen(text) == PME_WORK_DIGEST - 1 &&
	       strspn(text, "0123456789abcdef") == PME_WORK_DIGEST - 1;
}

/* What the acts say: the last one, and the digest. */
static int read_acts(struct resume *resume)
{
	struct json_object *acts = pme_json_get(resume->repair, "acts");

	resume->last = "";
	resume->work.may_have_switched = false;
	for (size_t i = 0; i < pme_json_count(acts); i++) {
		struct json_object *act = pme_json_at(acts, i);
		const char *digest = pme_json_get_text(pme_json_get(act, "detail"), "digest");

		resume->last = pme_json_get_text(act, "name");
		if (strcmp(resume->last, "switch") == 0)
			resume->work.may_have_switched = true;
		if (strcmp(resume->last, "take-back") == 0)
			resume->work.may_have_switched = false;
		if (strcmp(resume->last, "park") == 0)
			resume->parked = true;
		if (strcmp(resume->last, "clean") == 0)
			resume->cleaned = true;
		if (strcmp(resume->last, "write") == 0 &&
		    pme_work_before_parse(pme_json_get(act, "detail"), &resume->work.before) < 0)
			return -EINVAL;
		if (!*digest)
			continue;
		if (!is_digest(digest))
			return -EINVAL;
		memcpy(resume->work.digest, digest, PME_WORK_DIGEST);
	}
	return 0;
}

/* Does any target still have bad blocks?  1, 0, -errno. */
static int wants_good(struct pme_work *work)
{
	for (size_t i = 0; i < work->n_targets; i++) {
		_cleanup_(pme_range_list_done) struct pme_range_list runs = {0};
		_cleanup_close_ int fd = pme_work_open_target(work, i, O_RDONLY);
		int r = fd < 0 ? fd : pme_work_runs(work, i, fd, &runs);

		if (r < 0 && r != -ESTALE)
			return r;
		if (runs.count > 0)
			return 1;
	}
	return 0;
}

static int finish(struct resume *resume)
{
	struct pme_work *work = &resume->work;
	int r = wants_good(work);

	if (r > 0) {
		r = pme_work_load_good(work);
		if (r < 0)
			return pme_work_fail(work, -EUCLEAN,
					     "the good bytes in the staging folder are gone or "
					     "damaged");
	}
	if (r == 0)
		r = pme_work_finish(work);
	return r < 0 ? r : pme_work_end(work);
}

/* Every target has its good bytes: they had them before anything was parked. */
static int end_parked(struct pme_work *work)
{
	int r = pme_work_clean(work);

	work->switched = true;
	return r < 0 ? r : pme_work_end(work);
}

/* Nothing in the vault has the bad blocks. */
static int without_keeper(struct resume *resume)
{
	struct pme_work *work = &resume->work;
	bool begun = !*resume->last || strcmp(resume->last, "folder") == 0 ||
		     strcmp(resume->last, "take-back") == 0;

	/* all was done; the quarantine may have been released since */
	if (resume->cleaned && work->dir < 0)
		return pme_work_end(work);
	if (resume->parked && wants_good(work) == 0)
		return end_parked(work);
	if (work->dir < 0 && !begun)
		return pme_work_fail(work, -EUCLEAN,
				     "its staging folder is gone, and it had come to '%s'",
				     resume->last);
	return pme_work_take_back(work);
}

static int go_on(struct resume *resume)
{
	struct pme_work *work = &resume->work;
	int r = pme_work_look(work);

	if (r < 0 && r != -ENOENT)
		return pme_work_fail(work, r, "cannot look at its files: %s", strerror(-r));
	if (work->how == PME_HOW_PLACE)
		return pme_work_place_resume(work, resume->last);
	if (!work->kept)
		return without_keeper(resume);
	return work->switched ? finish(resume) : pme_work_take_back(work);
}

/* ---- its filesystem ---- */

static bool has_folder(const struct pme_os *os, const struct pme_fs *fs, int64_t id)
{
	_cleanup_(pme_reach_close) struct pme_reach reach = {
		.entry = {.fd = -1},
		.root = -1,
	};
	_cleanup_free_ char *name = pme_printf("%" PRId64, id);
	_cleanup_close_ int staging = -1;
	struct stat st;

	if (!name || pme_reach_open(os, fs, &reach) < 0)
		return false;
	staging = pme_vault_open(reach.root, PME_VAULT_STAGING, false);
	return staging >= 0 && pme_os_stat_at(staging, name, false, &st) == 0;
}

/* Is @fs the filesystem that the journal tells of, or a copy of it? */
static bool is_wanted(const struct pme_fs *fs, struct json_object *about)
{
	struct json_object *wanted = pme_json_get(about, "filesystem");
	const char *uuid = pme_json_get_text(wanted, "uuid");

	return fs->role == PME_FS_DATA && *uuid && fs->uuid && strcmp(fs->uuid, uuid) == 0 &&
	       strcmp(fs->type, pme_json_get_text(wanted, "type")) == 0;
}

/* Mounted filesystems with the wanted UUID; several: one is a copy of another. */
struct match {
	struct pme_fs fs;
	const struct pme_dev *other; /* the device of one that it cannot be told from, or NULL */
	bool found, has_folder;
};

/* Takes @fs.  The one that has the folder is the right one. */
static void match_one(struct match *match, const struct pme_os *os, int64_t id, struct pme_fs *fs)
{
	bool has = has_folder(os, fs, id);

	if (match->found && has <= match->has_folder) {
		if (has == match->has_folder && fs->main != match->fs.main)
			match->other = fs->main;
		pme_fs_done(fs);
		return;
	}
	pme_fs_done(&match->fs);
	*match = (struct match){.fs = *fs, .found = true, .has_folder = has};
	*fs = (struct pme_fs){0};
}

/* 0; -ENODEV: none is mounted, -ENOTUNIQ: nobody knows which one, both told in @work; -errno. */
static int find_fs(const struct pme_topo *topo, struct json_object *about, struct pme_work *work,
		   struct pme_fs *ret)
{
	const char *uuid = pme_json_get_text(pme_json_get(about, "filesystem"), "uuid");
	struct match match = {.found = false};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < topo->n_devs; i++) {
		_cleanup_(pme_fs_done) struct pme_fs fs = {0};

		r = topo->devs[i]->devno ? pme_fs_of(topo, topo->devs[i], &fs) : 0;
		if (r > 0 && is_wanted(&fs, about))
			match_one(&match, topo->os, work->id, &fs);
	}
	if (r >= 0 && !match.found)
		r = pme_work_fail(work, -ENODEV, "its filesystem (UUID %s) is not mounted", uuid);
	else if (r >= 0 && match.other)
		r = pme_work_fail(work, -ENOTUNIQ,
				  "two filesystems with its UUID (%s) are mounted, %s and %s, and "
				  "nothing tells them apart: unmount the copy",
				  uuid, pme_dev_label(match.fs.main), pme_dev_label(match.other));
	*ret = match.fs;
	return r < 0 ? r : 0;
}

/* ---- all of them ---- */

static const char *state_of(int r, const struct resume *resume)
{
	if (r == -EUCLEAN)
		return "unknown";
	if (r < 0)
		return "unfinished";
	if (resume->work.switched || resume->cleaned)
		return pme_work_end_name(&resume->work);
	return resume->work.before.known ? "failed" : "rolled-back";
}

static void tell(const struct resume *resume, const char *what, int r)
{
	const struct pme_work *work = &resume->work;
	_cleanup_free_ char *subject =
		pme_printf("repair %" PRId64 " of %s", work->id,
			   work->n_targets ? work->targets[0].path : "nothing known");

	if (r == -EUCLEAN)
		pme_log_add(work->log, PME_ERROR, subject ? subject : "repair",
			    "it is not known what it has done, nothing of it was touched: %s",
			    work->error ? work->error : what);
	else if (r < 0)
		pme_log_add(work->log, PME_ERROR, subject ? subject : "repair", "not finished: %s",
			    work->error ? work->error : strerror(-r));
	else
		pme_log_add(work->log, PME_INFO, subject ? subject : "repair", "%s", what);
}

static void add_json(const struct resume *resume, const char *state, struct json_object *list)
{
	struct json_object *object = pme_json_object(), *paths = pme_json_array();

	pme_json_set(object, "id", pme_json_int(resume->work.id));
	pme_json_text(object, "state", state);
	for (size_t i = 0; i < resume->work.n_targets; i++)
		pme_json_append(paths, pme_json_path(resume->work.targets[i].path));
	pme_json_set(object, "paths", paths);
	pme_json_text(object, "error", resume->work.error);
	pme_json_append(list, object);
}

/* Now that nobody else repairs this filesystem: who had it open may have gone on with it. */
static int look_again(struct resume *resume, struct json_object **ret)
{
	struct pme_work *work = &resume->work;
	int r = pme_repair_unfinished(work->journal, work->id, ret);

	if (r < 0)
		return pme_work_fail(work, r, "the journal cannot be read: %s", strerror(-r));
	resume->ended = pme_json_count(*ret) == 0;
	if (resume->ended)
		return 0;
	resume->repair = pme_json_at(*ret, 0);
	r = read_acts(resume);
	return r == -EINVAL
		       ? pme_work_fail(work, -EUCLEAN, "what the journal says of it makes no sense")
		       : r;
}

static int resume_one(const struct pme_topo *topo, struct resume *resume, struct pme_fs *fs)
{
	struct json_object *fresh = NULL;
	struct json_object *about = pme_json_get(resume->repair, "about");
	struct pme_work *work = &resume->work;
	int r = pme_work_about_parse(about, work);

	if (r == 0)
		r = read_acts(resume);
	if (r == -EINVAL)
		return pme_work_fail(work, -EUCLEAN, "what the journal says of it makes no sense");
	if (r == 0)
		r = find_fs(topo, about, work, fs);
	if (r < 0)
		return r;
	work->topo = topo;
	r = pme_work_enter(work, fs, true);
	if (r == 0)
		r = look_again(resume, &fresh);
	if (r == 0 && !resume->ended)
		r = go_on(resume);
	resume->repair = NULL;
	resume->last = "";
	json_object_put(fresh);
	return r;
}

static int resume_each(const struct pme_topo *topo, const struct pme_work *shared,
		       struct json_object *repair, struct json_object *list)
{
	_cleanup_(resume_done) struct resume resume = {.work = *shared, .repair = repair};
	_cleanup_(pme_fs_done) struct pme_fs fs = {0};
	struct json_object *about = pme_json_get(repair, "about");
	const char *state;
	int r;

	resume.work.id = json_object_get_int64(pme_json_get(repair, "id"));
	if (pme_rewrite_is_about(about))
		r = pme_rewrite_resume(topo, shared->journal, resume.work.id, about,
				       &resume.work.error);
	else
		r = resume_one(topo, &resume, &fs);
	if (resume.ended)
		return 0;
	state = state_of(r, &resume);
	tell(&resume, state, r);
	add_json(&resume, state, list);
	return r;
}

int pme_repair_resume(const struct pme_os *os, struct pme_repair_journal *journal,
		      struct pme_log *log, struct json_object *doc)
{
	const struct pme_work shared = {
		.os = os,
		.log = log,
		.journal = journal,
		.reach = {.entry = {.fd = -1}, .root = -1},
		.staging = -1,
		.dir = -1,
	};
	struct json_object *repairs = NULL, *list = pme_json_array();
	struct pme_topo *topo = NULL;
	int r = pme_repair_unfinished(journal, 0, &repairs), worst = 0;

	pme_json_set(doc, "resumed", list);
	if (r == 0 && pme_json_count(repairs) > 0)
		r = pme_topo_load(os, log, &topo);
	for (size_t i = 0; r == 0 && i < pme_json_count(repairs); i++) {
		int one = resume_each(topo, &shared, pme_json_at(repairs, i), list);

		if (one == -EUCLEAN || (one < 0 && worst == 0))
			worst = one;
	}
	pme_topo_free(topo);
	json_object_put(repairs);
	return r < 0 ? r : worst;
}
