/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread with a bounded queue; see lane.h.
 *
 * One ring of slots and three counters that only grow: head <= work <= tail.  [head, work) was
 * worked on and waits for the loop, [work, tail) waits for the thread.  A thread that hangs keeps
 * the lane alive: the last of the two, loop and thread, frees it.
 */
#include "lane.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "daemon.h"

struct slot {
	void *item;
	int result;
};

struct pmed_lane {
	struct pmed_lane_args args;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more; /* for the thread: work, or the end */
	int bell;	     /* eventfd, for the loop */
	sd_event_source *source;
	uint64_t head, work, tail;
	uint64_t busy_since;
	bool ending;	/* the thread ends when nothing waits */
	bool abandoned; /* the loop does not wait for the thread any more */
	int refs;	/* of loop and thread */
	struct slot slots[];
};

static struct slot *slot_at(struct pmed_lane *lane, uint64_t n)
{
	return &lane->slots[n % lane->args.max_items];
}

static void unref_lane(struct pmed_lane *lane)
{
	int left;

	pthread_mutex_lock(&lane->lock);
	left = --lane->refs;
	pthread_mutex_unlock(&lane->lock);
	if (left > 0)
		return;
	pme_close_fd(&lane->bell);
	pthread_cond_destroy(&lane->more);
	pthread_mutex_destroy(&lane->lock);
	free(lane);
}

static void ring(struct pmed_lane *lane)
{
	uint64_t one = 1;

	/* It only fails when it rings already. */
	if (write(lane->bell, &one, sizeof(one)) < 0)
		return;
}

/* With the lock; gives it up while it works. */
static void work_on_next(struct pmed_lane *lane)
{
	struct slot *slot = slot_at(lane, lane->work);
	void *item = slot->item;
	int result;

	lane->busy_since = pmed_clock();
	pthread_mutex_unlock(&lane->lock);
	result = lane->args.work(lane->args.context, item);
	pthread_mutex_lock(&lane->lock);
	lane->busy_since = 0;
	if (lane->abandoned)
		return;
	slot->result = result;
	lane->work++;
	ring(lane);
}

static void *run(void *arg)
{
	struct pmed_lane *lane = arg;

	pthread_mutex_lock(&lane->lock);
	while (!lane->abandoned) {
		if (lane->work != lane->tail)
			work_on_next(lane);
		else if (lane->ending)
			break;
		else
			pthread_cond_wait(&lane->more, &lane->lock);
	}
	pthread_mutex_unlock(&lane->lock);
	unref_lane(lane);
	return NULL;
}

/* The next one for done(): 1, or 0 when there is none. */
static int take_done(struct pmed_lane *lane, struct slot *ret)
{
	int found = 0;

	pthread_mutex_lock(&lane->lock);
	if (lane->head != lane->work) {
		*ret = *slot_at(lane, lane->head++);
		found = 1;
	}
	pthread_mutex_unlock(&lane->lock);
	return found;
}

static void give_back(struct pmed_lane *lane)
{
	struct slot slot;

	while (take_done(lane, &slot))
		lane->args.done(lane->args.context, slot.item, slot.result);
}

static int on_bell(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	give_back(arg);
	return 0;
}

/* Signals are the loop's. */
static int start_thread(struct pmed_lane *lane)
{
	sigset_t all, before;
	int r;

	lane->refs++;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&lane->thread, NULL, run, lane);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		lane->refs--;
	else
		pthread_setname_np(lane->thread, lane->args.name);
	return r;
}

int pmed_lane_new(sd_event *loop, const struct pmed_lane_args *args, struct pmed_lane **ret)
{
	size_t slots = args->max_items * sizeof(struct slot);
	struct pmed_lane *lane;
	int r;

	if (args->max_items == 0 || args->max_items > PME_ITEMS_MAX)
		return -EINVAL;
	lane = calloc(1, sizeof(*lane) + slots);
	if (!lane)
		return -ENOMEM;
	lane->args = *args;
	lane->refs = 1;
	pthread_mutex_init(&lane->lock, NULL);
	pthread_cond_init(&lane->more, NULL);
	lane->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = lane->bell < 0 ? -errno : 0;
	if (r == 0)
		r = sd_event_add_io(loop, &lane->source, lane->bell, EPOLLIN, on_bell, lane);
	if (r >= 0)
		r = start_thread(lane);
	if (r < 0) {
		sd_event_source_disable_unref(lane->source);
		unref_lane(lane);
		return r;
	}
	*ret = lane;
	return 0;
}

int pmed_lane_put(struct pmed_lane *lane, void *item)
{
	int r = -ENOBUFS;

	pthread_mutex_lock(&lane->lock);
	if (!lane->ending && lane->tail - lane->head < lane->args.max_items) {
		slot_at(lane, lane->tail++)->item = item;
		pthread_cond_signal(&lane->more);
		r = 0;
	}
	pthread_mutex_unlock(&lane->lock);
	return r;
}

/* The lock is no part of what a reader of the lane sees. */
static pthread_mutex_t *lock_of(const struct pmed_lane *lane)
{
	return (pthread_mutex_t *)&lane->lock;
}

size_t pmed_lane_waiting(const struct pmed_lane *lane)
{
	size_t waiting;

	pthread_mutex_lock(lock_of(lane));
	waiting = lane->tail - lane->work - (lane->busy_since ? 1 : 0);
	pthread_mutex_unlock(lock_of(lane));
	return waiting;
}

uint64_t pmed_lane_busy_since(const struct pmed_lane *lane)
{
	uint64_t since;

	pthread_mutex_lock(lock_of(lane));
	since = lane->busy_since;
	pthread_mutex_unlock(lock_of(lane));
	return since;
}

static int join(struct pmed_lane *lane, uint64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return -pthread_clockjoin_np(lane->thread, NULL, CLOCK_MONOTONIC, &until);
}

/* 1 when it hangs in an item; *@ret_end is then behind the last item that was taken from it. */
static int take_back(struct pmed_lane *lane, uint64_t *ret_end)
{
	int hangs;

	pthread_mutex_lock(&lane->lock);
	hangs = lane->busy_since != 0;
	lane->abandoned = hangs;
	*ret_end = lane->tail;
	lane->tail = lane->work + (uint64_t)hangs;
	pthread_mutex_unlock(&lane->lock);
	return hangs;
}

int pmed_lane_free(struct pmed_lane *lane, uint64_t ms)
{
	int hangs = 0;
	uint64_t end = 0;

	if (!lane)
		return 0;
	pthread_mutex_lock(&lane->lock);
	lane->ending = true;
	pthread_cond_signal(&lane->more);
	pthread_mutex_unlock(&lane->lock);
	lane->source = sd_event_source_disable_unref(lane->source);
	if (join(lane, ms) < 0) {
		hangs = take_back(lane, &end);
		if (hangs)
			pthread_detach(lane->thread);
		else
			pthread_join(lane->thread, NULL);
	}
	give_back(lane);
	for (uint64_t i = lane->tail; i < end; i++)
		lane->args.done(lane->args.context, slot_at(lane, i)->item, -ECANCELED);
	unref_lane(lane);
	return hangs ? -ETIMEDOUT : 0;
}
