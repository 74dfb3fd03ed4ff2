/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pmemctl protect verify, and the share that could be got back.
 */
#include <string.h>

#include "manifest.h"
#include "protect.h"
#include "replica.h"
#include "saved-place.h"

#define SAID_MAX 20

struct verifying {
	const struct pme_protection *protection;
	struct pme_log *log;
	struct pme_verify_run *run;
	struct pme_replica_check check;
	uint64_t all; /* bytes to read */
	int replica;
};

static void tell(const struct pme_replica_check *check, void *arg)
{
	struct verifying *v = arg;

	pme_progress_at(v->log->progress, check->bytes);
}

static int mark_damaged(int object)
{
	_cleanup_close_ int fd = pme_os_create_at(object, PME_SAVED_DAMAGED, 0600);

	if (fd < 0 && fd != -EEXIST)
		return fd;
	return fsync(object) < 0 ? -errno : 0;
}

static int damaged(struct verifying *v, int object, const char *object_name, uint64_t version,
		   const char *path, const char *why)
{
	_cleanup_free_ char *name =
		pme_printf("%s/%s/%s/%016llx.data", v->protection->replica, v->protection->id,
			   object_name, (unsigned long long)version);
	int r = name ? mark_damaged(object) : -ENOMEM;

	if (r == -ENOMEM)
		return r;
	if (v->run->damaged_versions++ < SAID_MAX)
		pme_log_add(v->log, PME_WARNING, name, "damaged copy of %s: %s%s%s",
			    path ? path : "a file that cannot be named", why,
			    r < 0 ? "; cannot be marked for the next sync: " : "",
			    r < 0 ? strerror(-r) : "");
	return 0;
}

static int verify_version(struct verifying *v, int object, const char *name, uint64_t version)
{
	_cleanup_(pme_saved_free) struct pme_saved saved = {
		.checkpoint = -1, .copy = -1, .sums = -1};
	uint64_t before = v->check.damaged;
	_cleanup_free_ char *text = NULL;
	const char *why;
	int r = pme_saved_load(object, version, -1, &saved, &why);

	if (r == -ENOMEM)
		return r;
	v->run->versions++;
	if (r < 0)
		return damaged(v, object, name, version, NULL, why);
	r = pme_replica_verify(&saved, &v->check);
	if (r == 0 || r == -ENOMEM)
		return r;
	text = pme_printf("%llu blocks are not what they were",
			  (unsigned long long)(v->check.damaged - before));
	return text ? damaged(v, object, name, version, saved.manifest->path, text) : -ENOMEM;
}

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
		_cleanup_close_ int object = pme_saved_dir(v->replica, names[i], false);
		_cleanup_free_ uint64_t *versions = NULL;
		size_t count = 0;

		r = object < 0 ? object : pme_saved_versions(object, &versions, &count);
		if (r == 0 && sizes) {
			r = add_size(v, object, versions, count);
			continue;
		}
		for (size_t j = 0; r == 0 && j < count; j++)
			r = verify_version(v, object, names[i], versions[j]);
		if (r < 0 && r != -ENOMEM) {
			pme_log_incomplete(v->log, v->protection->replica,
					   "%s cannot be looked at: %s", names[i], strerror(-r));
			r = 0;
		}
	}
	return r;
}

static int record(const struct pme_os *os, const struct verifying *v)
{
	struct pme_protection_state state;
	int r = pme_protection_state_load(os, v->protection->id, &state);

	if (r < 0 && r != -EINVAL)
		return r;
	state.verified = pme_protect_now();
	state.damaged = v->run->damaged_versions;
	return pme_protection_state_store(os, v->protection->id, &state);
}

static int verify_replica(const struct pme_os *os, struct verifying *v)
{
	const struct pme_os here = {.root = v->replica};
	char **names = NULL;
	size_t count = 0;
	int r = pme_os_list(&here, ".", &names, &count);

	if (r == 0 && v->log->progress)
		r = each_object(v, names, count, true);
	pme_progress_about(v->log->progress, v->protection->path);
	pme_progress_phase(v->log->progress, PME_PHASE_VERIFY, PME_UNIT_BYTES, v->all);
	if (r == 0)
		r = each_object(v, names, count, false);
	pme_os_free_names(names, count);
	v->run->bytes = v->check.bytes;
	v->run->damaged_blocks = v->check.damaged;
	return r < 0 ? r : record(os, v);
}

int pme_protect_verify(const struct pme_os *os, const struct pme_protection *protection,
		       uint64_t rate, struct pme_log *log, struct pme_verify_run *ret)
{
	_cleanup_close_ int lock = pme_protect_lock(os, protection, log);
	_cleanup_close_ int replica = lock < 0 ? lock : pme_saved_replica(os, protection, false);
	struct verifying v = {
		.protection = protection,
		.log = log,
		.run = ret,
		.check = {.rate = rate, .progress = tell, .arg = &v},
		.replica = replica,
	};
	int r;

	*ret = (struct pme_verify_run){0};
	if (lock < 0)
		return lock;
	r = replica < 0 ? replica : verify_replica(os, &v);
	if (r < 0)
		pme_log_add(log, PME_ERROR, protection->replica, "cannot be verified: %s",
			    strerror(-r));
	return r;
}
