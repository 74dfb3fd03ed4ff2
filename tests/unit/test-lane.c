/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lanes: order, a full queue, and a thread that hangs.
 */
#include "lane.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include "check.h"

#define LIMIT 60000 /* ms: that no test needs */
#define MANY 1000

struct world {
	sd_event *loop;
	int gate[2]; /* a hanging item waits for a byte in it */
	int back[2]; /* and says there that it goes on */
	unsigned int worked, done;
	int results[MANY];
	size_t order[MANY];
};

struct item {
	size_t number;
	bool hangs;
};

static int on_work(void *context, void *arg)
{
	struct world *world = context;
	struct item *item = arg;
	char byte = 0;
	sigset_t blocked;

	if (item->hangs) {
		assert_int_equal(read(world->gate[0], &byte, 1), 1);
		assert_int_equal(write(world->back[1], &byte, 1), 1);
		return 7;
	}
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	world->worked++;
	return sigismember(&blocked, SIGTERM) ? -(int)item->number : 1;
}

static void on_done(void *context, void *arg, int result)
{
	struct world *world = context;
	struct item *item = arg;

	world->results[world->done] = result;
	world->order[world->done++] = item->number;
}

static struct pmed_lane *new_lane(struct world *world, size_t max)
{
	struct pmed_lane_args args = {.name = "test-lane",
				      .max_items = max,
				      .work = on_work,
				      .done = on_done,
				      .context = world};
	struct pmed_lane *lane;

	assert_int_equal(pmed_lane_new(world->loop, &args, &lane), 0);
	return lane;
}

static void await(struct world *world, unsigned int done)
{
	while (world->done < done)
		assert_true(sd_event_run(world->loop, LIMIT * 1000) > 0);
}

static void let_go(struct world *world)
{
	assert_int_equal(write(world->gate[1], "x", 1), 1);
}

static void await_busy(const struct pmed_lane *lane)
{
	for (unsigned int i = 0; pmed_lane_busy_since(lane) == 0; i++) {
		assert_true(i < LIMIT);
		usleep(1000);
	}
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	assert_true(sd_event_new(&world->loop) >= 0);
	assert_int_equal(pipe(world->gate), 0);
	assert_int_equal(pipe(world->back), 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	for (unsigned int i = 0; i < 2; i++) {
		close(world->gate[i]);
		close(world->back[i]);
	}
	sd_event_unref(world->loop);
	free(world);
	return 0;
}

static void test_order(void **state)
{
	struct world *world = *state;
	struct pmed_lane *lane = new_lane(world, MANY);
	static struct item items[MANY];

	for (size_t i = 0; i < MANY; i++) {
		items[i].number = i;
		assert_int_equal(pmed_lane_put(lane, &items[i]), 0);
	}
	await(world, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(world->order[i], i);
		assert_int_equal(world->results[i], -(int)i);
	}
	assert_int_equal(pmed_lane_waiting(lane), 0);
	assert_int_equal(pmed_lane_free(lane, LIMIT), 0);
	assert_int_equal(world->done, MANY);
}

static void test_full(void **state)
{
	struct world *world = *state;
	struct pmed_lane *lane = new_lane(world, 3);
	struct item items[] = {{0, true}, {1, false}, {2, false}, {3, false}};

	assert_int_equal(pmed_lane_busy_since(lane), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pmed_lane_put(lane, &items[i]), 0);
	await_busy(lane);
	assert_int_equal(pmed_lane_put(lane, &items[3]), -ENOBUFS);
	assert_int_equal(pmed_lane_waiting(lane), 2);
	let_go(world);
	await(world, 1);
	assert_int_equal(world->results[0], 7);
	assert_int_equal(pmed_lane_put(lane, &items[3]), 0);
	await(world, 4);
	assert_int_equal(world->order[3], 3);
	assert_int_equal(pmed_lane_free(lane, LIMIT), 0);
}

/* What waits at the end is worked on, when there is time. */
static void test_end(void **state)
{
	struct world *world = *state;
	struct pmed_lane *lane = new_lane(world, 10);
	struct item items[] = {{0, true}, {1, false}, {2, false}};

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pmed_lane_put(lane, &items[i]), 0);
	let_go(world);
	assert_int_equal(pmed_lane_free(lane, LIMIT), 0);
	assert_int_equal(world->done, 3);
	assert_int_equal(world->worked, 2);
	assert_int_equal(pmed_lane_free(NULL, 0), 0);
}

static void test_hangs(void **state)
{
	struct world *world = *state;
	struct pmed_lane *lane = new_lane(world, 10);
	struct item items[] = {{0, false}, {1, true}, {2, false}, {3, false}};
	struct pollfd pollfd = {.fd = world->back[0], .events = POLLIN};

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pmed_lane_put(lane, &items[i]), 0);
	await(world, 1);
	await_busy(lane);
	assert_int_equal(pmed_lane_free(lane, 50), -ETIMEDOUT);
	assert_int_equal(world->done, 3);
	assert_int_equal(world->order[1], 2);
	assert_int_equal(world->results[1], -ECANCELED);
	assert_int_equal(world->order[2], 3);
	assert_int_equal(world->results[2], -ECANCELED);
	let_go(world);
	assert_int_equal(poll(&pollfd, 1, LIMIT), 1);
	assert_int_equal(world->done, 3);
}

static void test_no_room(void **state)
{
	struct pmed_lane_args args = {.name = "none", .max_items = 0};
	struct world *world = *state;
	struct pmed_lane *lane = NULL;

	assert_int_equal(pmed_lane_new(world->loop, &args, &lane), -EINVAL);
	assert_null(lane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hangs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
