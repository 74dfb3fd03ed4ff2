/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walk that finds names: how threads share it; see names.h and names-walk.h. */
#include <string.h>
#include <sys/resource.h>

#include "names-walk.h"

#define OPEN_LEVELS_MIN 2
#define OPEN_LEVELS_MAX 64

struct pme_walk_job *pme_walk_job_free(struct pme_walk_job *job)
{
	pme_close_fd(&job->fd);
	free(job->path);
	free(job->subs);
	free(job->names);
	free(job);
	return NULL;
}

bool pme_walks_want(const struct pme_walks *walks)
{
	return pme_crew_is_idle(&walks->crew) &&
	       atomic_load_explicit(&walks->n_jobs, memory_order_relaxed) == 0;
}

void pme_walks_give(struct pme_walks *walks, struct pme_walk_job *job)
{
	pthread_mutex_lock(&walks->crew.lock);
	job->next = walks->jobs;
	walks->jobs = job;
	walks->n_jobs++;
	pme_crew_call_one(&walks->crew);
	pthread_mutex_unlock(&walks->crew.lock);
}

static bool is_over(struct pme_walks *walks)
{
	return pme_wanted_all_found(&walks->wanted) || atomic_load(&walks->crew.error) < 0;
}

/* The next job; NULL when there will be none any more. */
static struct pme_walk_job *take(struct pme_walks *walks)
{
	struct pme_walk_job *job;

	pthread_mutex_lock(&walks->crew.lock);
	while (!walks->jobs && walks->n_walking > 0 && !is_over(walks))
		pme_crew_wait(&walks->crew);
	job = is_over(walks) ? NULL : walks->jobs;
	if (job) {
		walks->jobs = job->next;
		walks->n_jobs--;
		walks->n_walking++;
	}
	pthread_mutex_unlock(&walks->crew.lock);
	return job;
}

static void end(struct pme_walks *walks)
{
	pthread_mutex_lock(&walks->crew.lock);
	if (--walks->n_walking == 0 || is_over(walks))
		pme_crew_call_all(&walks->crew);
	pthread_mutex_unlock(&walks->crew.lock);
}

static int walk_jobs(struct pme_crew *crew, void *arg)
{
	struct pme_walks *walks = arg;
	struct pme_walk *walk = pme_walk_new(walks);
	struct pme_walk_job *job;
	int r = walk ? 0 : -ENOMEM, e;

	while (r == 0 && (job = take(walks))) {
		r = pme_walk_run(walk, job);
		end(walks);
	}
	if (!walk)
		return r;
	pthread_mutex_lock(&crew->lock);
	e = pme_walk_hand_in(walk);
	pthread_mutex_unlock(&crew->lock);
	pme_walk_free(walk);
	return e < 0 ? e : r;
}

static void walks_done(struct pme_walks *walks)
{
	while (walks->jobs) {
		struct pme_walk_job *job = walks->jobs;

		walks->jobs = job->next;
		pme_walk_job_free(job);
	}
	pme_wanted_done(&walks->wanted);
	free(walks->skipped);
}

/* Half of the descriptors that we may have are for the threads, should there be all of them. */
static size_t choose_open_levels(void)
{
	struct rlimit limit;
	uint64_t each = OPEN_LEVELS_MIN;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		each = pme_max(each, limit.rlim_cur / 2 / PME_CREW_MAX);
	return (size_t)pme_min(each, OPEN_LEVELS_MAX);
}

/* The root, as the first job, and its name, should it be wanted. */
static int begin_at(struct pme_walks *walks, int root)
{
	struct pme_walk_job *job = calloc(1, sizeof(*job));
	struct stat st;
	size_t i;
	int r;

	if (!job)
		return -ENOMEM;
	walks->jobs = job;
	walks->n_jobs = 1;
	job->path = strdup("");
	job->fd = pme_walk_open_dir(root, ".");
	r = job->fd < 0 ? job->fd : pme_os_stat_at(root, ".", false, &st);
	if (r < 0 || !job->path)
		return r < 0 ? r : -ENOMEM;
	job->ino = st.st_ino;
	i = pme_wanted_find(&walks->wanted, st.st_ino);
	if (i == walks->wanted.n_files)
		return 0;
	pme_wanted_found(&walks->wanted, i);
	return pme_names_add(walks->names, walks->wanted.files[i], strdup(""));
}

/* Each inode has an entry, and some have more. */
static void begin_phase(struct pme_progress *progress, int root)
{
	pme_progress_phase(progress, PME_PHASE_NAMES, PME_UNIT_ENTRIES, pme_os_inodes_used(root));
	pme_progress_estimate(progress);
}

static int tell_skipped(const struct pme_walks *walks)
{
	if (walks->n_skipped == 0)
		return 0;
	free(walks->names->incomplete);
	walks->names->incomplete = walks->n_skipped == 1
					   ? strdup(walks->skipped)
					   : pme_printf("%s (and %zu other directories)",
							walks->skipped, walks->n_skipped - 1);
	return walks->names->incomplete ? 0 : -ENOMEM;
}

int pme_names_walk(int root, dev_t devno, struct pme_file **files, size_t n_files,
		   struct pme_names *ret)
{
	_cleanup_(walks_done) struct pme_walks walks = {
		.crew = {.work = walk_jobs, .arg = &walks, .progress = ret->progress},
		.devno = devno,
		.open_levels = choose_open_levels(),
		.names = ret,
	};
	int r;

	if (n_files == 0)
		return 0;
	begin_phase(ret->progress, root);
	r = pme_wanted_init(&walks.wanted, files, n_files);
	if (r == 0)
		r = begin_at(&walks, root);
	if (r == 0)
		r = pme_crew_run(&walks.crew);
	if (r == -ETIME)
		return pme_names_cut(ret);
	return r < 0 ? r : tell_skipped(&walks);
}
