/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl protect verify.
 *
 * It may last for hours, and syncs must not wait for it: it gives the lock away again and again,
 * for longer than others wait between two tries.  A version that is gone afterwards is no damage,
 * and once a sync has begun meanwhile nobody counts what should be there.
 */
#include <string.h>

#include "manifest.h"
#include "protect.h"
#include "replica.h"
#include "saved-place.h"

#define SAID_MAX 20
#define HELD_MAX 500000 /* µs; who wants the lock waits for a second */
#define TURN 120000	/* µs for others; they try every 50 ms */

struct verifying {
	const struct pme_protection *protection;
	struct pme_log *log;
	struct pme_verify_run *run;
	struct pme_replica_check check;
	uint64_t all; /* bytes to read */
	int replica;
	bool settled;	  /* no sync was begun since one that finished: what is there is known */
	uint64_t keep;	  /* versions of each file, there */
	bool lacking;	  /* one of this file lacks blocks: older ones may stay for them */
	uint64_t objects; /* that have a version, or are said to have lost it */
	const struct pme_os *os;
	int lock, error;     /* @error: it could not be had again */
	uint64_t since;	     /* when it was taken: µs of CLOCK_MONOTONIC */
	uint64_t generation; /* of the last sync, when this began */
};

static void tell(const struct pme_replica_check *check, void *arg)
{
	struct verifying *v = arg;

	pme_progress_at(v->log->progress, check->bytes);
}

/* Others first, for @time µs. */
static void let_others(struct verifying *v, uint64_t time)
{
	struct pme_protection_state state;
	int r;

	pme_close_fd(&v->lock);
	pme_os_sleep(time);
	v->lock = pme_protect_lock_again(v->os, v->protection, v->log);
	v->since = pme_os_monotonic();
	v->error = v->lock < 0 ? v->lock : 0;
	r = pme_protection_state_load(v->os, v->protection->id, &state);
	if (r < 0 || state.generation != v->generation)
		v->settled = false;
}

static void rest(uint64_t pause, void *arg)
{
	struct verifying *v = arg;

	if (v->error == 0 && (pause >= TURN || pme_os_monotonic() - v->since >= HELD_MAX))
		let_others(v, pme_max(pause, TURN));
	else if (pause > 0)
		pme_os_sleep(pause);
}

/* A sync may have taken it away since. */
static bool is_there(int object, uint64_t version)
{
	const struct pme_os here = {.root = object};
	_cleanup_free_ char *name = pme_replica_name(version, "manifest");

	return !name || pme_os_exists(&here, name) != 0;
}

static int mark_damaged(int object)
{
	_cleanup_close_ int fd = pme_os_create_at(object, PME_SAVED_DAMAGED, 0600);

	if (fd < 0 && fd != -EEXIST)
		return fd;
	return fsync(object) < 0 ? -errno : 0;
}

/* A version, of which the file with @suffix is to blame. */
static int damaged(struct verifying *v, int object, const char *object_name, uint64_t version,
		   const char *suffix, const char *path, const char *why)
{
	_cleanup_free_ char *name =
		pme_printf("%s/%s/%s/%016llx.%s", v->protection->replica, v->protection->id,
			   object_name, (unsigned long long)version, suffix);
	int r = name ? 0 : -ENOMEM;

	if (r == 0 && !v->settled && !is_there(object, version))
		return 0;
	if (r == 0)
		r = mark_damaged(object);
	if (r == -ENOMEM)
		return r;
	if (v->run->damaged_versions++ < SAID_MAX)
		pme_log_add(v->log, PME_WARNING, name, "damaged copy of %s: %s%s%s",
			    path ? path : "a file that cannot be named", why,
			    r < 0 ? "; cannot be marked for the next sync: " : "",
			    r < 0 ? strerror(-r) : "");
	return 0;
}

/* "2 blocks are not what they were: 4096+4096, 20480+4096": allocated, or NULL. */
static char *damage_text(const struct pme_replica_damage *damage)
{
	const char *what = damage->data ? "are not what they were" : "have lost their digests";
	char *text = pme_printf("%llu blocks %s:", (unsigned long long)damage->blocks, what);

	for (size_t i = 0; text && i < pme_min(damage->ranges, PME_REPLICA_FIRST); i++) {
		_cleanup_free_ char *before = text;

		text = pme_printf("%s%s %llu+%llu", before, i > 0 ? "," : "",
				  (unsigned long long)damage->first[i].start,
				  (unsigned long long)damage->first[i].length);
	}
	if (text && damage->ranges > PME_REPLICA_FIRST) {
		_cleanup_free_ char *before = text;

		text = pme_printf("%s and %zu more ranges", before,
				  damage->ranges - PME_REPLICA_FIRST);
	}
	return text;
}

static int read_version(struct verifying *v, int object, const char *name, uint64_t version,
			const char *path)
{
	_cleanup_(pme_saved_free) struct pme_saved saved = {
		.checkpoint = -1, .copy = -1, .sums = -1};
	_cleanup_free_ char *text = NULL;
	struct pme_replica_damage damage;
	const char *why;
	int r = pme_saved_load(object, version, -1, &saved, &why);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return damaged(v, object, name, version, "data", path, why);
	r = pme_replica_verify(&saved, &v->check, &damage);
	if (r == 0 || r == -ENOMEM)
		return r;
	text = damage_text(&damage);
	return text ? damaged(v, object, name, version, damage.data ? "data" : "sums", path, text)
		    : -ENOMEM;
}

static bool is_of(const struct verifying *v, const struct pme_manifest *m, const char *object_name)
{
	_cleanup_free_ char *name = pme_saved_object_name(m->inode, m->inode_generation);

	return strcmp(m->protection, v->protection->id) == 0 &&
	       (!name || strcmp(name, object_name) == 0);
}

/* *@path: of its file, if that is not known yet. */
static int verify_version(struct verifying *v, int object, const char *name, uint64_t version,
			  char **path)
{
	_cleanup_(pme_manifest_done) struct pme_manifest m = {0};
	int r = pme_replica_uncache(object, version);

	if (r == 0)
		r = pme_replica_manifest(object, version, &m);
	if (r == -ENOMEM)
		return r;
	v->run->versions++;
	if (r < 0)
		return damaged(v, object, name, version, "manifest", *path, pme_manifest_error(r));
	if (!is_of(v, &m, name))
		return damaged(v, object, name, version, "manifest", *path,
			       "its manifest is that of another file");
	v->lacking = v->lacking || m.lacking;
	if (!*path)
		*path = pme_take_ptr(m.path);
	return read_version(v, object, name, version, *path);
}

/* --- what is not there --- */

/*
 * Data without a manifest, in an object that has the versions @versions: they lost it, unless a
 * sync that was killed has left them: of a version that it had not published, or one that there
 * are enough newer ones of.
 */
static bool is_lost(const struct pme_os *object, uint64_t version, const uint64_t *versions,
		    size_t count, uint64_t keep)
{
	_cleanup_free_ char *unpublished = pme_replica_name(version, "manifest.new");

	for (size_t i = 0; i < count; i++)
		if (versions[i] == version)
			return false;
	if (count > 0 && version < versions[0] && count >= keep)
		return false;
	return unpublished && pme_os_exists(object, unpublished) == 0;
}

static int find_lost(struct verifying *v, int object, const char *name, const uint64_t *versions,
		     size_t count, const char *path)
{
	const struct pme_os here = {.root = object};
	char **files = NULL;
	size_t n_files = 0;
	bool any = count > 0;
	int r = v->settled ? pme_os_list(&here, ".", &files, &n_files) : 0;

	for (size_t i = 0; r == 0 && i < n_files; i++) {
		uint64_t version;

		if (pme_saved_version_parse(files[i], ".data", &version) < 0 ||
		    !is_lost(&here, version, versions, count, v->lacking ? UINT64_MAX : v->keep))
			continue;
		any = true;
		r = damaged(v, object, name, version, "manifest", path, "its manifest is gone");
	}
	v->objects += any;
	pme_os_free_names(files, n_files);
	return r;
}

/* Whole files of the last sync; what they were called, nobody knows without their manifests. */
static void count_lost(struct verifying *v, const struct pme_protection_state *state)
{
	uint64_t kept = state->files - pme_min(state->files, state->not_kept);

	if (!v->settled || v->objects >= kept)
		return;
	v->run->damaged_versions += kept - v->objects;
	pme_log_add(v->log, PME_WARNING, v->protection->replica,
		    "no copy is there of %llu of the %llu files that the last sync of %s had kept",
		    (unsigned long long)(kept - v->objects), (unsigned long long)kept,
		    v->protection->path);
}

/* --- all of it --- */

/* What is to be read of the object @name: its size on all versions. */
static int add_size(struct verifying *v, int object, const uint64_t *versions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *name =
			pme_printf("%016llx.data", (unsigned long long)versions[i]);
		struct stat st;

		if (!name)
			return -ENOMEM;
		if (pme_os_stat_at(object, name, false, &st) == 0)
			v->all += (uint64_t)st.st_size;
	}
	return 0;
}

/* Every version of every object, once to add up what there is to do, once to do it. */
static int each_object(struct verifying *v, char *const *names, size_t n_names, bool sizes)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_names; i++) {
		_cleanup_close_ int object = -1;
		_cleanup_free_ uint64_t *versions = NULL;
		_cleanup_free_ char *path = NULL;
		size_t count = 0;

		rest(0, v);
		if (v->error < 0)
			return v->error;
		object = pme_saved_dir(v->replica, names[i], false);
		r = object < 0 ? object : pme_saved_versions(object, &versions, &count);
		if (r == -ENOENT && !v->settled) {
			r = 0;
			continue;
		}
		if (r == 0 && sizes) {
			r = add_size(v, object, versions, count);
			continue;
		}
		v->lacking = false;
		for (size_t j = 0; r == 0 && j < count; j++)
			r = verify_version(v, object, names[i], versions[j], &path);
		if (r == 0)
			r = find_lost(v, object, names[i], versions, count, path);
		if (r < 0 && r != -ENOMEM) {
			pme_log_incomplete(v->log, v->protection->replica,
					   "%s cannot be looked at: %s", names[i], strerror(-r));
			v->objects++;
			r = 0;
		}
	}
	return r;
}

/* Nothing is known of what is missing when there is no state that makes sense. */
static int load_state(const struct pme_os *os, struct verifying *v,
		      struct pme_protection_state *ret)
{
	int r = pme_protection_state_load(os, v->protection->id, ret);

	if (r < 0 && r != -EINVAL)
		return r;
	v->settled = ret->generation > 0 && ret->finished == ret->generation;
	v->generation = ret->generation;
	v->keep = v->protection->keep;
	if (v->keep > 1 && pme_replica_can_share(v->replica) <= 0)
		v->keep = 1;
	return 0;
}

static void say_rest(const struct verifying *v)
{
	uint64_t damaged = v->run->damaged_versions;

	if (damaged > SAID_MAX)
		pme_log_add(v->log, PME_WARNING, v->protection->replica,
			    "and %llu more damaged copies",
			    (unsigned long long)(damaged - SAID_MAX));
}

static int verify_replica(const struct pme_os *os, struct verifying *v)
{
	const struct pme_os here = {.root = v->replica};
	struct pme_protection_state state;
	char **names = NULL;
	size_t count = 0;
	int r = load_state(os, v, &state);

	if (r == 0)
		r = pme_os_list(&here, ".", &names, &count);
	if (r == 0 && v->log->progress)
		r = each_object(v, names, count, true);
	pme_progress_about(v->log->progress, v->protection->path);
	pme_progress_phase(v->log->progress, PME_PHASE_VERIFY, PME_UNIT_BYTES, v->all);
	if (r == 0)
		r = each_object(v, names, count, false);
	pme_os_free_names(names, count);
	v->run->bytes = v->check.bytes;
	v->run->damaged_blocks = v->check.damaged;
	if (r == 0 && v->error < 0)
		r = v->error;
	if (r < 0)
		return r;
	say_rest(v);
	count_lost(v, &state);
	r = pme_protection_state_load(os, v->protection->id, &state); /* that of a sync meanwhile */
	if (r < 0 && r != -EINVAL)
		return r;
	state.verified = pme_protect_now();
	state.damaged = v->run->damaged_versions;
	return pme_protection_state_store(os, v->protection->id, &state);
}

int pme_protect_verify(const struct pme_os *os, const struct pme_protection *protection,
		       uint64_t rate, struct pme_log *log, struct pme_verify_run *ret)
{
	int lock = pme_protect_lock(os, protection, log);
	_cleanup_close_ int replica = lock < 0 ? lock : pme_saved_replica(os, protection, false);
	struct verifying v = {
		.protection = protection,
		.log = log,
		.run = ret,
		.check = {.rate = rate, .progress = tell, .rest = rest, .arg = &v},
		.replica = replica,
		.os = os,
		.lock = lock,
		.since = pme_os_monotonic(),
	};
	int r;

	*ret = (struct pme_verify_run){0};
	if (lock < 0)
		return lock;
	r = replica < 0 ? replica : verify_replica(os, &v);
	pme_close_fd(&v.lock);
	if (r < 0 && v.error == 0)
		pme_log_add(log, PME_ERROR, protection->replica, "cannot be verified: %s",
			    strerror(-r));
	return r;
}
