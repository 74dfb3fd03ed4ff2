/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Threads that share work; see crew.h.
 *
 * What surprises: nobody supervises.  The caller's thread works like the others, and looks around
 * from time to time as it goes on: by how little processor time the process got since the last
 * look, and how often a thread went to sleep, it sees that they wait for the disk.  Threads that
 * did not sleep wait for processors that others use, which more of them would only make worse.
 *
 * The next crew of this process most likely waits for the same disk: it gets half as many threads
 * as the last one came to at once, and need not find out for itself, millisecond by millisecond.
 *
 * Some kernels let a new thread begin on the processor of the one that made it, beside it, until
 * they notice that another one is idle: for milliseconds, which is as long as most work takes.  So
 * it begins on any other one, and may go where it likes from then on.
 */
#include "crew.h"

#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define FIRST_LOOK (PME_SECOND / 10000) /* until then it costs less than a thread */
#define LOOK_EVERY (PME_SECOND / 1000)
#define MANY 256 /* pieces of work that will cost more than a thread: there is one at once */
#define BUSY_PERCENT 60	 /* of the processors that could be used: less is waiting */
#define PROCESSORS_MAX 8 /* more threads than this only for a slow disk */
#define STACK_SIZE 262144
#define ARENAS_MAX 2 /* of malloc: each takes 64 MiB of addresses, which may be limited */
#define PARTS 64     /* of numbers that follow each other; a power of two */

static _Atomic unsigned worthwhile; /* threads of the last crew that waited for the disk, or 0 */

static uint64_t read_clock(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) < 0)
		return 0;
	return (uint64_t)t.tv_sec * PME_SECOND + (uint64_t)t.tv_nsec;
}

static unsigned count_processors(const struct pme_crew *crew)
{
	return (unsigned)pme_min(pme_max((uint64_t)CPU_COUNT(&crew->processors), 1),
				 PROCESSORS_MAX);
}

/* Those that this process may use; none if there are more than fit in. */
static void get_processors(cpu_set_t *ret)
{
	if (sched_getaffinity(0, sizeof(*ret), ret) < 0)
		CPU_ZERO(ret);
}

static void fail(struct pme_crew *crew, int error)
{
	int none = 0;

	atomic_compare_exchange_strong(&crew->error, &none, error);
	pthread_mutex_lock(&crew->lock);
	pme_crew_call_all(crew);
	pthread_mutex_unlock(&crew->lock);
}

static void *run_other(void *arg)
{
	struct pme_crew *crew = arg;
	int r;

	if (CPU_COUNT(&crew->processors) > 1)
		sched_setaffinity(0, sizeof(crew->processors), &crew->processors);
	r = crew->work(crew, crew->arg);
	if (r < 0)
		fail(crew, r);
	return NULL;
}

/* Where a new thread begins: not beside this one. */
static void begin_elsewhere(const cpu_set_t *processors, pthread_attr_t *attr)
{
	cpu_set_t others = *processors;
	int here = sched_getcpu();

	if (here >= 0 && here < CPU_SETSIZE)
		CPU_CLR(here, &others);
	if (CPU_COUNT(&others) > 0)
		pthread_attr_setaffinity_np(attr, sizeof(others), &others);
}

/* How many of @count threads could be made. */
static unsigned make_threads(struct pme_crew *crew, unsigned count, bool elsewhere)
{
	pthread_attr_t attr;
	unsigned made = 0;

	if (pthread_attr_init(&attr) != 0)
		return 0;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (elsewhere)
		begin_elsewhere(&crew->processors, &attr);
	for (; made < count && crew->n_threads < PME_CREW_MAX; made++) {
		pthread_t *thread = &crew->others[crew->n_threads - 1];

		if (pthread_create(thread, &attr, run_other, crew) != 0)
			break;
		crew->n_threads++;
	}
	pthread_attr_destroy(&attr);
	return made;
}

/*
 * Signals are for the first thread.  Who may not choose a processor (a filter of system calls, or
 * one that is gone by now) gets the threads where they happen to begin.
 */
static void hire(struct pme_crew *crew, unsigned count)
{
	sigset_t all, old;
	unsigned made;

	mallopt(M_ARENA_MAX, ARENAS_MAX);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	made = make_threads(crew, count, true);
	make_threads(crew, count - made, false);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static uint64_t count_sleeps(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) < 0 ? 0 : (uint64_t)usage.ru_nvcsw;
}

/* Since the last look: @time passed, and @cpu and @sleeps are those of all threads. */
static bool waits_for_disk(const struct pme_crew *crew, uint64_t time, uint64_t cpu,
			   uint64_t sleeps)
{
	unsigned processors = count_processors(crew);

	return !pme_crew_is_idle(crew) && sleeps * 2 >= crew->n_threads &&
	       cpu * 100 < time * pme_min(processors, crew->n_threads) * BUSY_PERCENT;
}

/* With how many threads work that lasts begins. */
static unsigned at_first(const struct pme_crew *crew)
{
	return (unsigned)pme_max(count_processors(crew), atomic_load(&worthwhile) / 2);
}

static void look_around(struct pme_crew *crew)
{
	uint64_t now = read_clock(CLOCK_MONOTONIC), time = now - crew->looked, cpu, sleeps;

	if (time < (crew->cpu == 0 ? FIRST_LOOK : LOOK_EVERY))
		return;
	cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	sleeps = count_sleeps();
	if (crew->cpu == 0)
		hire(crew, at_first(crew) - 1);
	else if (waits_for_disk(crew, time, cpu - crew->cpu, sleeps - crew->sleeps))
		hire(crew, crew->n_threads);
	crew->looked = now;
	crew->cpu = cpu;
	crew->sleeps = sleeps;
}

int pme_crew_step(struct pme_crew *crew, uint64_t done)
{
	uint64_t sum = atomic_fetch_add(&crew->done, done) + done;
	int r = atomic_load(&crew->error);

	if (r < 0 || !pthread_equal(pthread_self(), crew->first))
		return r;
	look_around(crew);
	r = pme_progress_at(crew->progress, sum);
	if (r < 0)
		fail(crew, r);
	return r;
}

void pme_crew_wait(struct pme_crew *crew)
{
	struct timespec until;

	crew->n_waiting++;
	if (!pthread_equal(pthread_self(), crew->first)) {
		pthread_cond_wait(&crew->change, &crew->lock);
	} else {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += (long)PME_PROGRESS_PAUSE;
		until.tv_sec += until.tv_nsec / (long)PME_SECOND;
		until.tv_nsec %= (long)PME_SECOND;
		pthread_cond_clockwait(&crew->change, &crew->lock, CLOCK_MONOTONIC, &until);
		pthread_mutex_unlock(&crew->lock);
		pme_crew_step(crew, 0);
		pthread_mutex_lock(&crew->lock);
	}
	crew->n_waiting--;
}

void pme_crew_call_one(struct pme_crew *crew)
{
	pthread_cond_signal(&crew->change);
}

void pme_crew_call_all(struct pme_crew *crew)
{
	pthread_cond_broadcast(&crew->change);
}

bool pme_crew_is_idle(const struct pme_crew *crew)
{
	return atomic_load_explicit(&crew->n_waiting, memory_order_relaxed) > 0;
}

int pme_crew_run(struct pme_crew *crew)
{
	int r;

	pthread_mutex_init(&crew->lock, NULL);
	pthread_cond_init(&crew->change, NULL);
	crew->first = pthread_self();
	crew->n_threads = 1;
	get_processors(&crew->processors);
	crew->looked = read_clock(CLOCK_MONOTONIC) - (crew->is_much ? FIRST_LOOK : 0);
	r = crew->work(crew, crew->arg);
	if (r < 0)
		fail(crew, r);
	if (crew->n_threads > 1)
		atomic_store(&worthwhile,
			     crew->n_threads > count_processors(crew) ? crew->n_threads : 0);
	for (unsigned i = 1; i < crew->n_threads; i++)
		pthread_join(crew->others[i - 1], NULL);
	pthread_cond_destroy(&crew->change);
	pthread_mutex_destroy(&crew->lock);
	return atomic_load(&crew->error);
}

/*
 * Numbers next to each other are done by one thread, one after the other: of a filesystem they lie
 * in one allocation group, where one thread would wait for the lock of the other.  For the same
 * reason parts that follow each other are begun half of all apart, then a quarter, and so on.
 */
struct each {
	int (*one)(void *arg, size_t i);
	void *arg;
	size_t count;
	_Atomic size_t next; /* part */
};

/* The bits of @i, which is below PARTS, in the opposite order. */
static size_t mirror(size_t i)
{
	size_t ret = 0;

	for (size_t bit = 1; bit < PARTS; bit <<= 1)
		ret = ret << 1 | ((i & bit) != 0);
	return ret;
}

static int do_part(struct pme_crew *crew, const struct each *each, size_t part)
{
	size_t end = (part + 1) * each->count / PARTS;
	int r = 0;

	for (size_t i = part * each->count / PARTS; r == 0 && i < end; i++) {
		r = each->one(each->arg, i);
		if (r == 0)
			r = pme_crew_step(crew, 1);
	}
	return r;
}

static int do_each(struct pme_crew *crew, void *arg)
{
	struct each *each = arg;
	int r = pme_crew_step(crew, 0);
	size_t k;

	while (r == 0 && (k = atomic_fetch_add(&each->next, 1)) < PARTS)
		r = do_part(crew, each, mirror(k));
	return r;
}

int pme_crew_each(size_t count, int (*one)(void *arg, size_t i), void *arg,
		  struct pme_progress *progress)
{
	struct each each = {
		.one = one,
		.arg = arg,
		.count = count,
	};
	struct pme_crew crew = {
		.work = do_each, .arg = &each, .progress = progress, .is_much = count >= MANY};

	return pme_crew_run(&crew);
}

/* ---- aside ---- */

static void *run_aside(void *arg)
{
	struct pme_aside *aside = arg;

	if (CPU_COUNT(&aside->processors) > 1)
		sched_setaffinity(0, sizeof(aside->processors), &aside->processors);
	aside->work(aside->arg);
	return NULL;
}

static bool make_aside(struct pme_aside *aside, bool elsewhere)
{
	pthread_attr_t attr;
	int r;

	if (pthread_attr_init(&attr) != 0)
		return false;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (elsewhere)
		begin_elsewhere(&aside->processors, &attr);
	r = pthread_create(&aside->thread, &attr, run_aside, aside);
	pthread_attr_destroy(&attr);
	return r == 0;
}

/* As hire().  With one processor it would only be in the way. */
void pme_aside_begin(struct pme_aside *aside)
{
	sigset_t all, old;

	aside->is_running = false;
	get_processors(&aside->processors);
	if (CPU_COUNT(&aside->processors) < 2)
		return;
	mallopt(M_ARENA_MAX, ARENAS_MAX);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	aside->is_running = make_aside(aside, true) || make_aside(aside, false);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void pme_aside_end(struct pme_aside *aside)
{
	if (aside->is_running)
		pthread_join(aside->thread, NULL);
	else
		aside->work(aside->arg);
	aside->is_running = false;
}
